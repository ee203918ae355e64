//! Sixteen rows of sixteen groups of four bytes, turned: line g holds group g of every row.

use core::arch::x86_64::{
    __m512i, _mm256_loadu_si256, _mm512_cvtepi8_epi16, _mm512_loadu_si512, _mm512_shuffle_i32x4,
    _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use crate::spec::Bits;

/// Turns sixteen rows of 64 weights, or of 32 that become wide, `row` weights apart, to sixteen lines
/// `line` bytes apart.
///
/// # Safety
///
/// The processor has AVX-512F and AVX-512BW; the rows can be read and the lines, of 64 bytes, written.
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) unsafe fn turn(from: *const i8, row: usize, width: Bits, to: *mut u8, line: usize) {
    // SAFETY: the caller promises rows and lines.
    unsafe {
        let load = |at: *const i8| match width {
            Bits::Eight => _mm512_loadu_si512(at.cast()),
            Bits::Sixteen => _mm512_cvtepi8_epi16(_mm256_loadu_si256(at.cast())),
        };
        let rows: [__m512i; 16] = std::array::from_fn(|i| load(from.add(i * row)));
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
            let [a, b, d, e] = [fours[c], fours[c + 4], fours[c + 8], fours[c + 12]];
            let (even, odd) = (
                _mm512_shuffle_i32x4::<0x88>(a, b),
                _mm512_shuffle_i32x4::<0xdd>(a, b),
            );
            let (even_too, odd_too) = (
                _mm512_shuffle_i32x4::<0x88>(d, e),
                _mm512_shuffle_i32x4::<0xdd>(d, e),
            );
            lines[c] = _mm512_shuffle_i32x4::<0x88>(even, even_too);
            lines[c + 4] = _mm512_shuffle_i32x4::<0x88>(odd, odd_too);
            lines[c + 8] = _mm512_shuffle_i32x4::<0xdd>(even, even_too);
            lines[c + 12] = _mm512_shuffle_i32x4::<0xdd>(odd, odd_too);
        }
        for (i, value) in lines.into_iter().enumerate() {
            _mm512_storeu_si512(to.add(i * line).cast(), value);
        }
    }
}
