//! Keccak-256 of many chunks at once.
//!
//! ```text
//! out[i] = keccak256(tag, chunk i)
//! ```
//!
//! AVX2 runs four sponges side by side, AVX-512 eight, one per 64-bit lane; what is left over, and
//! every other kernel, runs one after the other with tiny-keccak. Source: FIPS 202, section 3;
//! Keccak pads with 0x01 instead of 0x06. Spec: commitments, 2.1 and 2.2.

use tiny_keccak::{Hasher, Keccak};

use crate::kernel::{InstructionSet, Kernel};

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;
/// Words that one permutation absorbs.
pub(crate) const RATE_WORDS: usize = 17;
const RATE: usize = RATE_WORDS * 8;

/// Hashes each chunk of `chunk_len` bytes (the last may be shorter) behind a one-byte tag.
///
/// # Panics
///
/// If `out` does not hold one hash for each chunk.
pub fn keccak_chunks(
    kernel: Kernel,
    tag: u8,
    bytes: &[u8],
    chunk_len: usize,
    out: &mut [[u8; HASH_BYTES]],
) {
    assert!(0 < chunk_len, "keccak: chunk length");
    assert_eq!(
        bytes.len().div_ceil(chunk_len),
        out.len(),
        "keccak: number of chunks"
    );
    let lanes = match kernel.instruction_set() {
        InstructionSet::Avx2 | InstructionSet::AvxVnni => 4,
        InstructionSet::Avx512Vnni => 8,
        InstructionSet::Portable | InstructionSet::Neon | InstructionSet::Amx => 1,
    };
    let whole = if lanes == 1 {
        0
    } else {
        bytes.len() / chunk_len / lanes * lanes
    };
    let (wide, rest) = bytes.split_at(whole * chunk_len);
    let (wide_out, rest_out) = out.split_at_mut(whole);
    for (group, out) in wide
        .chunks_exact(chunk_len * lanes)
        .zip(wide_out.chunks_exact_mut(lanes))
    {
        wide_group(kernel, tag, group, chunk_len, out);
    }
    for (chunk, out) in rest.chunks(chunk_len).zip(rest_out) {
        *out = keccak_one(tag, chunk);
    }
}

/// keccak256(tag, bytes).
pub fn keccak_one(tag: u8, bytes: &[u8]) -> [u8; HASH_BYTES] {
    let mut keccak = Keccak::v256();
    keccak.update(&[tag]);
    keccak.update(bytes);
    let mut out = [0; HASH_BYTES];
    keccak.finalize(&mut out);
    out
}

#[cfg(target_arch = "x86_64")]
fn wide_group(kernel: Kernel, tag: u8, group: &[u8], chunk_len: usize, out: &mut [[u8; 32]]) {
    use crate::x86::keccak;
    match kernel.instruction_set() {
        InstructionSet::Avx512Vnni => {
            // SAFETY: the token proves AVX-512F.
            sponge::<8>(tag, group, chunk_len, out, |state| unsafe {
                keccak::permute8(state);
            });
        }
        _ => {
            // SAFETY: the callers come here with a token of AVX2 or more.
            sponge::<4>(tag, group, chunk_len, out, |state| unsafe {
                keccak::permute4(state);
            });
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn wide_group(_: Kernel, tag: u8, group: &[u8], chunk_len: usize, out: &mut [[u8; 32]]) {
    for (chunk, out) in group.chunks(chunk_len).zip(out) {
        *out = keccak_one(tag, chunk);
    }
}

/// Word `w` of every lane lies in `state[w]`.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "no wide permutation here")
)]
fn sponge<const L: usize>(
    tag: u8,
    group: &[u8],
    chunk_len: usize,
    out: &mut [[u8; HASH_BYTES]],
    permute: impl Fn(&mut [[u64; L]; 25]),
) {
    let mut state = [[0_u64; L]; 25];
    let message_len = chunk_len + 1;
    // The padding takes at least one byte.
    let block_count = message_len / RATE + 1;
    for block in 0..block_count {
        for (lane, chunk) in group.chunks_exact(chunk_len).enumerate() {
            absorb(&mut state, lane, tag, chunk, block);
        }
        if block + 1 == block_count {
            for word in &mut state[RATE_WORDS - 1] {
                *word ^= 1 << 63;
            }
        }
        permute(&mut state);
    }
    for (lane, out) in out.iter_mut().enumerate() {
        for (word, to) in state.iter().zip(out.chunks_exact_mut(8)) {
            to.copy_from_slice(&word[lane].to_le_bytes());
        }
    }
}

/// XORs block `block` of (tag, chunk, 0x01) into one lane.
fn absorb<const L: usize>(
    state: &mut [[u64; L]; 25],
    lane: usize,
    tag: u8,
    chunk: &[u8],
    block: usize,
) {
    for (w, word) in state[..RATE_WORDS].iter_mut().enumerate() {
        // Byte `start` of the chunk is byte `start + 1` of the message.
        let start = block * RATE + w * 8;
        word[lane] ^= match start.checked_sub(1).and_then(|at| chunk.get(at..at + 8)) {
            Some(bytes) => u64::from_le_bytes(bytes.try_into().expect("eight bytes")),
            None => edge_word(tag, chunk, start),
        };
    }
}

/// Eight bytes of (tag, chunk, 0x01, 0x00, ..) from byte `start` of the message.
fn edge_word(tag: u8, chunk: &[u8], start: usize) -> u64 {
    let byte = |i: usize| match i.checked_sub(1) {
        None => tag,
        Some(at) if at == chunk.len() => 1,
        Some(at) => chunk.get(at).copied().unwrap_or(0),
    };
    (0..8).fold(0, |word, i| word | u64::from(byte(start + i)) << (8 * i))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_hashes_like_the_library() {
        let bytes: Vec<u8> = (0..9000_u32).map(|i| (i * 7 + i / 256) as u8).collect();
        for kernel in Kernel::available() {
            for chunk_len in [
                1, 7, 8, 64, 133, 134, 135, 136, 137, 271, 272, 512, 8999, 9000,
            ] {
                for len in [0, 1, chunk_len, 5 * chunk_len + 3, 9000] {
                    let bytes = &bytes[..len.min(9000)];
                    let mut out = vec![[0; 32]; bytes.len().div_ceil(chunk_len)];
                    keccak_chunks(kernel, 3, bytes, chunk_len, &mut out);
                    let want: Vec<_> = bytes
                        .chunks(chunk_len)
                        .map(|chunk| keccak_one(3, chunk))
                        .collect();
                    assert_eq!(out, want, "{} {chunk_len} {len}", kernel.name());
                }
            }
        }
    }

    #[test]
    fn the_hash_is_that_of_ethereum() {
        // keccak256("abc"), with the first letter as the tag.
        let want = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45";
        let hash = keccak_one(b'a', b"bc");
        assert_eq!(hash.map(|b| format!("{b:02x}")).concat(), want);
    }
}
