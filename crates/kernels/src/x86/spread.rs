//! Rows of a second operand turned so that each lies in a lane, four bytes at a time.

use core::arch::x86_64::{
    __m128i, __m512i, _mm_cvtepi8_epi16, _mm_loadl_epi64, _mm_loadu_si128, _mm_set1_epi8,
    _mm_xor_si128, _mm512_castsi128_si512, _mm512_inserti32x4, _mm512_storeu_si512,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};
use std::ops::Range;

use crate::batch::Rows;
use crate::spec::Bits;

/// Lanes of a vector.
const LANES: usize = 16;

/// Spreads as many groups as whole vectors of 16 bytes of each row make; returns how many.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn avx512(rows: &Rows, which: &Range<usize>, to: &mut [u8], step: usize) -> usize {
    let elements = 16 / rows.bits.bytes();
    let parts = rows.len / elements;
    // A lane without a row takes the last one.
    let mut from = [&[] as &[u8]; LANES];
    for (lane, from) in from.iter_mut().enumerate() {
        *from = rows.row((which.start + lane).min(which.end - 1));
    }
    for part in 0..parts {
        let load = |lane: usize| {
            let from = &from[lane][part * elements..][..elements];
            sixteen(from, rows.flip, rows.bits)
        };
        // 128-bit lane l of vector i holds row 4*l + i.
        let mut turned = [_mm512_castsi128_si512(load(0)); 4];
        for (i, vector) in turned.iter_mut().enumerate() {
            let first = _mm512_castsi128_si512(load(i));
            let two = _mm512_inserti32x4::<1>(first, load(4 + i));
            let three = _mm512_inserti32x4::<2>(two, load(8 + i));
            *vector = _mm512_inserti32x4::<3>(three, load(12 + i));
        }
        for (i, vector) in turn(turned).into_iter().enumerate() {
            let to = &mut to[(part * 4 + i) * step..][..4 * LANES];
            // SAFETY: room for 64 bytes.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), vector) };
        }
    }
    parts * 4
}

/// Sixteen bytes of a row: sixteen elements, or eight of them as 16 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn sixteen(from: &[u8], flip: u8, bits: Bits) -> __m128i {
    let flip = _mm_set1_epi8(flip as i8);
    assert!(16 <= from.len() * bits.bytes(), "spread: part of a row");
    // SAFETY: the part has 16 bytes, or eight that become 16.
    unsafe {
        match bits {
            Bits::Eight => _mm_xor_si128(_mm_loadu_si128(from.as_ptr().cast()), flip),
            Bits::Sixteen => {
                let bytes = _mm_loadl_epi64(from.as_ptr().cast());
                _mm_cvtepi8_epi16(_mm_xor_si128(bytes, flip))
            }
        }
    }
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
