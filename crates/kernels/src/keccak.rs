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

/// Permutations that a wide group takes at most; longer messages run one after the other.
const BLOCKS_MAX: usize = 8;
/// Lanes of the widest instruction set.
const LANES_MAX: usize = 8;

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
    let chunk = |i: usize| &bytes[i * chunk_len..bytes.len().min((i + 1) * chunk_len)];
    hash_all(kernel, tag, chunk, out);
}

/// Hashes `bytes[start..end]` of each part behind a one-byte tag.
///
/// # Panics
///
/// If `out` does not hold one hash for each part, or a part is not inside `bytes`.
pub fn keccak_parts(
    kernel: Kernel,
    tag: u8,
    bytes: &[u8],
    parts: &[(usize, usize)],
    out: &mut [[u8; HASH_BYTES]],
) {
    assert_eq!(parts.len(), out.len(), "keccak: number of parts");
    hash_all(kernel, tag, |i| &bytes[parts[i].0..parts[i].1], out);
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

/// Permutations for a message of one tag byte and `len` bytes; the padding takes a byte at least.
const fn block_count(len: usize) -> usize {
    (len + 1) / RATE + 1
}

/// Messages share permutations, long ones first; `out[i]` is the hash of `message(i)`.
fn hash_all<'a>(
    kernel: Kernel,
    tag: u8,
    message: impl Fn(usize) -> &'a [u8],
    out: &mut [[u8; HASH_BYTES]],
) {
    let lanes = match kernel.instruction_set() {
        InstructionSet::Avx2 | InstructionSet::AvxVnni => 4,
        InstructionSet::Avx512Vnni | InstructionSet::Amx => LANES_MAX,
        InstructionSet::Portable | InstructionSet::Neon => 1,
    };
    let mut wide_blocks = 0_usize;
    for (i, out) in out.iter_mut().enumerate() {
        let blocks = block_count(message(i).len());
        if lanes == 1 || BLOCKS_MAX < blocks {
            *out = keccak_one(tag, message(i));
        } else {
            wide_blocks |= 1 << blocks;
        }
    }
    let mut group = Group {
        messages: [&[]; LANES_MAX],
        places: [0; LANES_MAX],
        count: 0,
    };
    for blocks in (1..=BLOCKS_MAX)
        .rev()
        .filter(|&blocks| wide_blocks >> blocks & 1 == 1)
    {
        for i in 0..out.len() {
            if block_count(message(i).len()) == blocks {
                group.messages[group.count] = message(i);
                group.places[group.count] = i;
                group.count += 1;
                if group.count == lanes {
                    group.hash(kernel, tag, out);
                }
            }
        }
    }
    group.hash(kernel, tag, out);
}

/// Messages that wait for a permutation, and where their hashes go.
struct Group<'a> {
    messages: [&'a [u8]; LANES_MAX],
    places: [usize; LANES_MAX],
    count: usize,
}

impl Group<'_> {
    /// Hashes the messages and empties the group. Lanes without a message repeat the first.
    fn hash(&mut self, kernel: Kernel, tag: u8, out: &mut [[u8; HASH_BYTES]]) {
        let count = std::mem::take(&mut self.count);
        if count <= 1 {
            for lane in 0..count {
                out[self.places[lane]] = keccak_one(tag, self.messages[lane]);
            }
            return;
        }
        let first = self.messages[0];
        self.messages[count..].fill(first);
        let mut hashes = [[0; HASH_BYTES]; LANES_MAX];
        wide(kernel, tag, &self.messages, &mut hashes);
        for lane in 0..count {
            out[self.places[lane]] = hashes[lane];
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn wide(
    kernel: Kernel,
    tag: u8,
    messages: &[&[u8]; LANES_MAX],
    hashes: &mut [[u8; HASH_BYTES]; LANES_MAX],
) {
    use crate::x86::keccak;
    let len = messages[0].len();
    if size_of::<u64>() <= len && messages.iter().all(|message| message.len() == len) {
        let from = messages.map(<[u8]>::as_ptr);
        let words = match kernel.instruction_set() {
            // SAFETY: the token proves AVX-512F and BW; every message has `len` bytes, eight or more.
            InstructionSet::Avx512Vnni | InstructionSet::Amx => unsafe {
                keccak::hash8(tag, &from, len)
            },
            InstructionSet::Portable
            | InstructionSet::Neon
            | InstructionSet::Avx2
            | InstructionSet::AvxVnni => {
                // SAFETY: only tokens of AVX2 or more come here; lengths as above.
                unsafe { keccak::hash4(tag, &from, len) }
            }
        };
        for (at, word) in words.iter().enumerate() {
            for (hash, word) in hashes.iter_mut().zip(word) {
                hash[8 * at..8 * at + 8].copy_from_slice(&word.to_le_bytes());
            }
        }
        return;
    }
    match kernel.instruction_set() {
        InstructionSet::Avx512Vnni | InstructionSet::Amx => {
            // SAFETY: the token proves AVX-512F.
            sponge::<8>(tag, messages, hashes, |state| unsafe {
                keccak::permute8(state);
            });
        }
        InstructionSet::Portable
        | InstructionSet::Neon
        | InstructionSet::Avx2
        | InstructionSet::AvxVnni => {
            // SAFETY: only tokens of AVX2 or more come here.
            sponge::<4>(tag, messages, hashes, |state| unsafe {
                keccak::permute4(state);
            });
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn wide(
    _: Kernel,
    tag: u8,
    messages: &[&[u8]; LANES_MAX],
    hashes: &mut [[u8; HASH_BYTES]; LANES_MAX],
) {
    for (hash, message) in hashes.iter_mut().zip(messages) {
        *hash = keccak_one(tag, message);
    }
}

/// The first L messages; word w of lane l lies in `state[w][l]`.
///
/// A lane whose message has ended goes on with the others; its hash was taken in time.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "no wide permutation here")
)]
fn sponge<const L: usize>(
    tag: u8,
    messages: &[&[u8]; LANES_MAX],
    hashes: &mut [[u8; HASH_BYTES]; LANES_MAX],
    permute: impl Fn(&mut [[u64; L]; 25]),
) {
    let mut state = [[0_u64; L]; 25];
    let blocks: [usize; L] = std::array::from_fn(|lane| block_count(messages[lane].len()));
    let blocks_max = blocks.into_iter().max().unwrap_or(0);
    for block in 0..blocks_max {
        for lane in 0..L {
            if block < blocks[lane] {
                absorb(&mut state, lane, tag, messages[lane], block);
            }
            if block + 1 == blocks[lane] {
                state[RATE_WORDS - 1][lane] ^= 1 << 63;
            }
        }
        permute(&mut state);
        for lane in (0..L).filter(|&lane| block + 1 == blocks[lane]) {
            for (word, to) in state.iter().zip(hashes[lane].chunks_exact_mut(8)) {
                to.copy_from_slice(&word[lane].to_le_bytes());
            }
        }
    }
}

/// Adds block `block` of (tag, message, 0x01) to one lane.
fn absorb<const L: usize>(
    state: &mut [[u64; L]; 25],
    lane: usize,
    tag: u8,
    message: &[u8],
    block: usize,
) {
    // Byte i of the message is byte i + 1 of the tagged one.
    let whole = (block * RATE)
        .checked_sub(1)
        .and_then(|at| message.get(at..at + RATE));
    if let Some(whole) = whole {
        for (word, bytes) in state.iter_mut().zip(whole.as_chunks::<8>().0) {
            word[lane] ^= u64::from_le_bytes(*bytes);
        }
        return;
    }
    for (w, word) in state[..RATE_WORDS].iter_mut().enumerate() {
        let start = block * RATE + w * 8;
        word[lane] ^= match start.checked_sub(1).and_then(|at| message.get(at..at + 8)) {
            Some(bytes) => u64::from_le_bytes(bytes.try_into().expect("eight bytes")),
            None => edge_word(tag, message, start),
        };
    }
}

/// Eight bytes of (tag, message, 0x01, 0x00, ..) from byte `start`.
fn edge_word(tag: u8, message: &[u8], start: usize) -> u64 {
    if message.len() + 1 < start {
        return 0;
    }
    let byte = |i: usize| match i.checked_sub(1) {
        None => tag,
        Some(at) if at == message.len() => 1,
        Some(at) => message.get(at).copied().unwrap_or(0),
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
    fn parts_of_mixed_lengths_keep_their_places() {
        let bytes: Vec<u8> = (0..5000_u32).map(|i| (i * 13 + i / 256) as u8).collect();
        let lengths = [
            0, 1, 134, 135, 136, 512, 512, 512, 64, 300, 1200, 512, 1100, 2, 512,
        ];
        let parts: Vec<_> = (0..60)
            .map(|i| (i * 37, i * 37 + lengths[i % lengths.len()]))
            .collect();
        let want: Vec<_> = parts
            .iter()
            .map(|&(a, b)| keccak_one(9, &bytes[a..b]))
            .collect();
        for kernel in Kernel::available() {
            for count in [0, 1, 2, 9, 60] {
                let mut out = vec![[0; 32]; count];
                keccak_parts(kernel, 9, &bytes, &parts[..count], &mut out);
                assert_eq!(out, want[..count], "{} {count}", kernel.name());
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
