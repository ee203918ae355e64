//! Rows of a second operand turned so that each lies in a lane, a group at a time.

use core::arch::x86_64::{
    __m128i, __m512i, _mm_loadu_si128, _mm_set1_epi8, _mm_xor_si128, _mm256_storeu_si256,
    _mm512_castsi128_si512, _mm512_inserti32x4, _mm512_storeu_si512, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};
use std::ops::Range;

use crate::batch::Rows;
use crate::spec::Bits;
use crate::x86::turn::halves;

/// Lanes of a vector.
const LANES: usize = 16;
/// Elements of a row that are turned together.
const PART: usize = 16;

/// Spreads as many groups as whole vectors of 16 bytes of each row make; returns how many.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn avx512(rows: &Rows, which: &Range<usize>, to: &mut [u8], step: usize) -> usize {
    let parts = rows.len / PART;
    // A lane without a row takes the last one.
    let mut from = [&[] as &[u8]; LANES];
    for (lane, from) in from.iter_mut().enumerate() {
        *from = rows.row((which.start + lane).min(which.end - 1));
    }
    for part in 0..parts {
        let load = |lane: usize| sixteen(&from[lane][part * PART..], rows.flip);
        // 128-bit lane l of vector i holds row 4*l + i.
        let mut turned = [_mm512_castsi128_si512(load(0)); 4];
        for (i, vector) in turned.iter_mut().enumerate() {
            let first = _mm512_castsi128_si512(load(i));
            let two = _mm512_inserti32x4::<1>(first, load(4 + i));
            let three = _mm512_inserti32x4::<2>(two, load(8 + i));
            *vector = _mm512_inserti32x4::<3>(three, load(12 + i));
        }
        for (i, vector) in turn(turned).into_iter().enumerate() {
            match rows.bits {
                Bits::Eight => {
                    let to = &mut to[(part * 4 + i) * step..][..4 * LANES];
                    // SAFETY: room for 64 bytes.
                    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), vector) };
                }
                Bits::Sixteen => {
                    // SAFETY: this function has AVX-512F.
                    let halves = unsafe { halves(vector) };
                    for (half, vector) in halves.into_iter().enumerate() {
                        let to = &mut to[(part * 8 + 2 * i + half) * step..][..2 * LANES];
                        // SAFETY: room for 32 bytes.
                        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), vector) };
                    }
                }
            }
        }
    }
    parts * PART / rows.bits.group_len()
}

/// The first sixteen elements of a row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn sixteen(from: &[u8], flip: u8) -> __m128i {
    let from = &from[..PART];
    // SAFETY: these are sixteen bytes.
    let bytes = unsafe { _mm_loadu_si128(from.as_ptr().cast()) };
    _mm_xor_si128(bytes, _mm_set1_epi8(flip as i8))
}

/// Turns four by four double words within each 128-bit lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn turn([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab_low, cd_low),
        _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}
