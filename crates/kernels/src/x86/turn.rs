//! Sixteen rows of 64 weights, turned: line g holds group g of every row.

use core::arch::x86_64::{
    __m256i, __m512i, _mm256_storeu_si256, _mm512_cvtepi32_epi16, _mm512_loadu_si512,
    _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// Rows that are turned together.
pub(crate) const ROWS: usize = 16;

/// Turns sixteen rows of 64 weights, `row` weights apart, to lines of sixteen groups of `G` weights, four
/// or two, `line` bytes apart.
///
/// # Safety
///
/// The processor has AVX-512F and AVX-512BW; the rows can be read and the `64 / G` lines be written.
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) unsafe fn turn<const G: usize>(from: *const i8, row: usize, to: *mut u8, line: usize) {
    const { assert!(G == 4 || G == 2) };
    // SAFETY: the caller promises rows and lines.
    unsafe {
        let load = |i: usize| _mm512_loadu_si512(from.add(i * row).cast());
        let rows: [__m512i; ROWS] = std::array::from_fn(load);
        let mut lines = rows;
        for i in 0..8 {
            let (a, b) = (rows[2 * i], rows[2 * i + 1]);
            lines[2 * i] = _mm512_unpacklo_epi32(a, b);
            lines[2 * i + 1] = _mm512_unpackhi_epi32(a, b);
        }
        // A part of 128 bits of `fours[4 * i + c]` now holds group c of that part of four rows.
        let mut fours = lines;
        for i in (0..16).step_by(4) {
            for half in 0..2 {
                let (a, b) = (lines[i + half], lines[i + half + 2]);
                fours[i + 2 * half] = _mm512_unpacklo_epi64(a, b);
                fours[i + 2 * half + 1] = _mm512_unpackhi_epi64(a, b);
            }
        }
        for c in 0..4 {
            let groups = turn_parts([fours[c], fours[c + 4], fours[c + 8], fours[c + 12]]);
            for i in 0..4 {
                lines[c + 4 * i] = groups[i];
            }
        }
        for (i, value) in lines.into_iter().enumerate() {
            if G == 4 {
                _mm512_storeu_si512(to.add(i * line).cast(), value);
                continue;
            }
            for (half, value) in halves(value).into_iter().enumerate() {
                _mm256_storeu_si256(to.add((2 * i + half) * line).cast(), value);
            }
        }
    }
}

/// Sixteen groups of four bytes as two times sixteen of two: the first two bytes of each, and the last two.
///
/// # Safety
///
/// The processor has AVX-512F.
#[inline(always)]
pub(crate) unsafe fn halves(groups: __m512i) -> [__m256i; 2] {
    // SAFETY: the caller promises AVX-512F; no memory is touched.
    unsafe { [groups, _mm512_srli_epi32::<16>(groups)].map(|half| _mm512_cvtepi32_epi16(half)) }
}

/// Parts of 128 bits of four vectors, turned: vector p holds part p of each.
///
/// # Safety
///
/// The processor has AVX-512F.
#[inline(always)]
pub(crate) unsafe fn turn_parts([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    // SAFETY: the caller promises AVX-512F; no memory is touched.
    unsafe {
        let even = [
            _mm512_shuffle_i32x4::<0x88>(a, b),
            _mm512_shuffle_i32x4::<0x88>(c, d),
        ];
        let odd = [
            _mm512_shuffle_i32x4::<0xdd>(a, b),
            _mm512_shuffle_i32x4::<0xdd>(c, d),
        ];
        [
            _mm512_shuffle_i32x4::<0x88>(even[0], even[1]),
            _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]),
            _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]),
            _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]),
        ]
    }
}
