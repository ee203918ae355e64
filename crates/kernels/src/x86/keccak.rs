//! The permutation Keccak-f of 1600 bits on four or eight states at once, one per 64-bit lane, and the
//! sponge over messages of one length, whose states never leave the registers.
//!
//! Source: FIPS 202, section 3.2. Lane (x, y) is word `x + 5 * y`.

use core::arch::x86_64::{
    __m256i, __m512i, _mm_cvtsi64_si128, _mm256_andnot_si256, _mm256_loadu_si256, _mm256_or_si256,
    _mm256_set_epi64x, _mm256_set1_epi64x, _mm256_sll_epi64, _mm256_srl_epi64, _mm256_storeu_si256,
    _mm256_xor_si256, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, _mm512_rolv_epi64,
    _mm512_set_epi64, _mm512_set1_epi64, _mm512_sll_epi64, _mm512_srl_epi64, _mm512_storeu_si512,
    _mm512_ternarylogic_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use crate::keccak::RATE_WORDS;
use crate::x86::turn::turn_parts;

const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Rotation of lane (x, y), at `x + 5 * y`.
const ROTATIONS: [u32; 25] = [
    0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14,
];

/// Where lane (x, y) goes in pi: (y, 2x + 3y).
const fn target(lane: usize) -> usize {
    let (x, y) = (lane % 5, lane / 5);
    y + 5 * ((2 * x + 3 * y) % 5)
}

/// The operations of a vector of 64-bit words.
///
/// # Safety
///
/// Every method may only be called when the processor has the instruction set.
unsafe trait Words: Copy {
    /// Words of a vector.
    const LANES: usize;
    unsafe fn splat(word: u64) -> Self;
    /// The word at each of the first `LANES` addresses, in the order of its bytes in memory.
    unsafe fn fetch(from: &[*const u8; 8], at: usize) -> Self;

    /// The word at byte `start` of the tagged messages of `len` bytes, `8 <= len`: 0 for the tag and
    /// behind the end. Byte i of a message is byte i + 1 of the tagged one.
    #[inline(always)]
    unsafe fn word(from: &[*const u8; 8], start: usize, len: usize) -> Self {
        // SAFETY: a word is fetched only where it is in the message, from the first eight bytes or the
        // last eight.
        unsafe {
            if start == 0 {
                Self::fetch(from, 0).left(8)
            } else if start + 7 <= len {
                Self::fetch(from, start - 1)
            } else if start <= len {
                Self::fetch(from, len - 8).right(64 - 8 * (len + 1 - start))
            } else {
                Self::splat(0)
            }
        }
    }

    /// The words that one permutation absorbs, from byte `start` of the tagged messages.
    #[inline(always)]
    unsafe fn block(from: &[*const u8; 8], start: usize, len: usize) -> [Self; RATE_WORDS] {
        // SAFETY: the caller promises what `word` demands.
        unsafe {
            let mut block = [Self::splat(0); RATE_WORDS];
            for (index, word) in block.iter_mut().enumerate() {
                *word = Self::word(from, start + 8 * index, len);
            }
            block
        }
    }

    unsafe fn store(self, to: *mut u64);
    unsafe fn left(self, bits: usize) -> Self;
    unsafe fn right(self, bits: usize) -> Self;
    unsafe fn xor(self, other: Self) -> Self;
    /// `self ^ b ^ c`.
    unsafe fn xor3(self, b: Self, c: Self) -> Self;
    /// `self ^ (!b & c)`.
    unsafe fn chi(self, b: Self, c: Self) -> Self;
    unsafe fn rotate(self, bits: u32) -> Self;
}

// SAFETY: every method inherits the demand of the trait: AVX2 is there.
unsafe impl Words for __m256i {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn fetch(from: &[*const u8; 8], at: usize) -> Self {
        // SAFETY: the caller promises AVX2 and eight readable bytes behind each address.
        unsafe {
            let word = |lane: usize| from[lane].add(at).cast::<i64>().read_unaligned();
            _mm256_set_epi64x(word(3), word(2), word(1), word(0))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: the caller promises AVX2 and room for a vector.
        unsafe { _mm256_storeu_si256(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn left(self, bits: usize) -> Self {
        // SAFETY: the caller promises AVX2; no memory is touched.
        unsafe { _mm256_sll_epi64(self, _mm_cvtsi64_si128(bits as i64)) }
    }

    #[inline(always)]
    unsafe fn right(self, bits: usize) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_srl_epi64(self, _mm_cvtsi64_si128(bits as i64)) }
    }

    #[inline(always)]
    unsafe fn splat(word: u64) -> Self {
        // SAFETY: the caller promises AVX2; no memory is touched.
        unsafe { _mm256_set1_epi64x(word as i64) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_xor_si256(self, other) }
    }

    #[inline(always)]
    unsafe fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: as above.
        unsafe { self.xor(b).xor(c) }
    }

    #[inline(always)]
    unsafe fn chi(self, b: Self, c: Self) -> Self {
        // SAFETY: as above.
        unsafe { self.xor(_mm256_andnot_si256(b, c)) }
    }

    #[inline(always)]
    unsafe fn rotate(self, bits: u32) -> Self {
        // SAFETY: as above.
        unsafe {
            let left = _mm256_sll_epi64(self, _mm_cvtsi64_si128(i64::from(bits)));
            let right = _mm256_srl_epi64(self, _mm_cvtsi64_si128(64 - i64::from(bits)));
            _mm256_or_si256(left, right)
        }
    }
}

// SAFETY: every method inherits the demand of the trait: AVX-512F and AVX-512BW are there.
unsafe impl Words for __m512i {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn fetch(from: &[*const u8; 8], at: usize) -> Self {
        // SAFETY: the caller promises AVX-512F and eight readable bytes behind each address.
        unsafe {
            let word = |lane: usize| from[lane].add(at).cast::<i64>().read_unaligned();
            _mm512_set_epi64(
                word(7),
                word(6),
                word(5),
                word(4),
                word(3),
                word(2),
                word(1),
                word(0),
            )
        }
    }

    /// One word, then twice eight, which are loaded message by message and turned.
    #[inline(always)]
    unsafe fn block(from: &[*const u8; 8], start: usize, len: usize) -> [Self; RATE_WORDS] {
        const { assert!(RATE_WORDS == 1 + 8 + 8) };
        // SAFETY: the caller promises what `word` and `eight` demand.
        unsafe {
            let mut block = [Self::word(from, start, len); RATE_WORDS];
            block[1..9].copy_from_slice(&eight(from, start + 8, len));
            block[9..].copy_from_slice(&eight(from, start + 72, len));
            block
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: the caller promises AVX-512F and room for a vector.
        unsafe { _mm512_storeu_si512(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn left(self, bits: usize) -> Self {
        // SAFETY: the caller promises AVX-512F; no memory is touched.
        unsafe { _mm512_sll_epi64(self, _mm_cvtsi64_si128(bits as i64)) }
    }

    #[inline(always)]
    unsafe fn right(self, bits: usize) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_srl_epi64(self, _mm_cvtsi64_si128(bits as i64)) }
    }

    #[inline(always)]
    unsafe fn splat(word: u64) -> Self {
        // SAFETY: the caller promises AVX-512F; no memory is touched.
        unsafe { _mm512_set1_epi64(word as i64) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_xor_si512(self, other) }
    }

    #[inline(always)]
    unsafe fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_ternarylogic_epi64::<0x96>(self, b, c) }
    }

    #[inline(always)]
    unsafe fn chi(self, b: Self, c: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_ternarylogic_epi64::<0xd2>(self, b, c) }
    }

    #[inline(always)]
    unsafe fn rotate(self, bits: u32) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_rolv_epi64(self, _mm512_set1_epi64(i64::from(bits))) }
    }
}

/// Eight words of eight messages of `len` bytes, from byte `start` of the tagged ones, at least 1; 0 behind
/// the end.
///
/// # Safety
///
/// The processor has AVX-512F and AVX-512BW, and `len` bytes can be read behind each address.
#[inline(always)]
unsafe fn eight(from: &[*const u8; 8], start: usize, len: usize) -> [__m512i; 8] {
    let bytes = (len + 1).saturating_sub(start).min(64);
    // SAFETY: the first `bytes` bytes from `start - 1` on are in the message, and no others are read.
    unsafe {
        let mut rows = [_mm512_set1_epi64(0); 8];
        if bytes == 64 {
            for (row, from) in rows.iter_mut().zip(from) {
                *row = _mm512_loadu_si512(from.add(start - 1).cast());
            }
        } else if 0 < bytes {
            let mask = u64::MAX >> (64 - bytes);
            for (row, from) in rows.iter_mut().zip(from) {
                *row = _mm512_maskz_loadu_epi8(mask, from.add(start - 1).cast());
            }
        } else {
            return rows;
        }
        // A part of 128 bits of `even` holds an even word of two messages.
        let (mut even, mut odd) = ([rows[0]; 4], [rows[0]; 4]);
        for pair in 0..4 {
            let (a, b) = (rows[2 * pair], rows[2 * pair + 1]);
            even[pair] = _mm512_unpacklo_epi64(a, b);
            odd[pair] = _mm512_unpackhi_epi64(a, b);
        }
        let (even, odd) = (turn_parts(even), turn_parts(odd));
        for part in 0..4 {
            rows[2 * part] = even[part];
            rows[2 * part + 1] = odd[part];
        }
        rows
    }
}

/// Four states.
///
/// # Safety
///
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn permute4(state: &mut [[u64; 4]; 25]) {
    // SAFETY: `__m256i` is four words; loads and stores are unaligned and inside `state`.
    unsafe {
        let mut lanes = state
            .each_ref()
            .map(|word| _mm256_loadu_si256(word.as_ptr().cast()));
        rounds(&mut lanes);
        for (word, lane) in state.iter_mut().zip(lanes) {
            _mm256_storeu_si256(word.as_mut_ptr().cast(), lane);
        }
    }
}

/// Eight states.
///
/// # Safety
///
/// The processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn permute8(state: &mut [[u64; 8]; 25]) {
    // SAFETY: `__m512i` is eight words; loads and stores are unaligned and inside `state`.
    unsafe {
        let mut lanes = state
            .each_ref()
            .map(|word| _mm512_loadu_si512(word.as_ptr().cast()));
        rounds(&mut lanes);
        for (word, lane) in state.iter_mut().zip(lanes) {
            _mm512_storeu_si512(word.as_mut_ptr().cast(), lane);
        }
    }
}

/// The first four words of the hashes of four messages of `len` bytes behind a tag, word by word.
///
/// # Safety
///
/// The processor has AVX2, `8 <= len`, and `len` bytes can be read behind each of the first four
/// addresses.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn hash4(tag: u8, from: &[*const u8; 8], len: usize) -> [[u64; 8]; 4] {
    // SAFETY: the caller promises what `sponge` demands.
    unsafe { sponge::<__m256i>(tag, from, len) }
}

/// The same of eight messages.
///
/// # Safety
///
/// The processor has AVX-512F and AVX-512BW, `8 <= len`, and `len` bytes can be read behind each address.
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) unsafe fn hash8(tag: u8, from: &[*const u8; 8], len: usize) -> [[u64; 8]; 4] {
    // SAFETY: the caller promises what `sponge` demands.
    unsafe { sponge::<__m512i>(tag, from, len) }
}

/// Absorbs (tag, message, 0x01, 0x00, .., 0x80) of messages of one length.
///
/// # Safety
///
/// The instruction set of `W`, `8 <= len`, and `len` readable bytes behind each address.
#[inline(always)]
unsafe fn sponge<W: Words>(tag: u8, from: &[*const u8; 8], len: usize) -> [[u64; 8]; 4] {
    // SAFETY: the caller promises what `block` demands; hashes have room for a vector in each row.
    unsafe {
        let rate = RATE_WORDS * 8;
        let end = (len + 1) / rate * rate;
        let mut state = [W::splat(0); 25];
        state[0] = W::splat(tag.into());
        let mut start = 0;
        loop {
            for (state, word) in state.iter_mut().zip(W::block(from, start, len)) {
                *state = state.xor(word);
            }
            if start == end {
                let padding = len + 1 - end;
                let first = &mut state[padding / 8];
                *first = first.xor(W::splat(1 << (8 * (padding % 8))));
                state[RATE_WORDS - 1] = state[RATE_WORDS - 1].xor(W::splat(1 << 63));
            }
            rounds(&mut state);
            if start == end {
                break;
            }
            start += rate;
        }
        let mut hashes = [[0; 8]; 4];
        for (to, word) in hashes.iter_mut().zip(state) {
            const { assert!(W::LANES <= 8) };
            word.store(to.as_mut_ptr());
        }
        hashes
    }
}

/// The 24 rounds: theta, rho and pi, chi, iota.
#[inline(always)]
unsafe fn rounds<W: Words>(a: &mut [W; 25]) {
    // SAFETY: the caller promises the instruction set of `W`.
    unsafe {
        for constant in ROUNDS {
            let mut parity = [a[0]; 5];
            for x in 0..5 {
                parity[x] = a[x].xor3(a[x + 5], a[x + 10]).xor3(a[x + 15], a[x + 20]);
            }
            let mut b = *a;
            for x in 0..5 {
                let turned = parity[(x + 1) % 5].rotate(1);
                for y in 0..5 {
                    let lane = x + 5 * y;
                    let mixed = a[lane].xor3(parity[(x + 4) % 5], turned);
                    b[target(lane)] = if lane == 0 {
                        mixed
                    } else {
                        mixed.rotate(ROTATIONS[lane])
                    };
                }
            }
            for y in 0..5 {
                for x in 0..5 {
                    a[x + 5 * y] = b[x + 5 * y].chi(b[(x + 1) % 5 + 5 * y], b[(x + 2) % 5 + 5 * y]);
                }
            }
            a[0] = a[0].xor(W::splat(constant));
        }
    }
}
