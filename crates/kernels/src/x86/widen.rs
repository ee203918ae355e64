//! AVX2 forms of [`crate::widen`].

use core::arch::x86_64::{
    _mm_loadu_si128, _mm256_cvtepi8_epi16, _mm256_loadu_si256, _mm256_setr_epi8,
    _mm256_shuffle_epi8, _mm256_srai_epi16, _mm256_storeu_si256,
};

const LANES: usize = 8;

/// [`crate::widen::WidenInputs`]; bytes are not flipped.
///
/// # Safety
///
/// AVX2 is there, and the promises of the type hold.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn inputs(from: *const u8, len: usize, to: *mut i16) {
    for at in (0..len).step_by(16) {
        // SAFETY: sixteen bytes are read and as many words written, which the caller promises.
        unsafe {
            let bytes = _mm_loadu_si128(from.add(at).cast());
            _mm256_storeu_si256(to.add(at).cast(), _mm256_cvtepi8_epi16(bytes));
        }
    }
}

/// [`crate::widen::WidenWeights`].
///
/// # Safety
///
/// AVX2 is there, and the promises of the type hold.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn weights(from: *const i8, groups: usize, vectors: usize, to: *mut i16) {
    // Each byte goes to the high half of its word, from where it is shifted down with its sign.
    let half = |first: i8| {
        let byte = |lane: i8, i: i8| 4 * lane + first + i;
        let [a, b, c, d] = [0, 1, 2, 3].map(|lane| [byte(lane, 0), byte(lane, 1)]);
        _mm256_setr_epi8(
            -1, a[0], -1, a[1], -1, b[0], -1, b[1], -1, c[0], -1, c[1], -1, d[0], -1, d[1], -1,
            a[0], -1, a[1], -1, b[0], -1, b[1], -1, c[0], -1, c[1], -1, d[0], -1, d[1],
        )
    };
    let halves = [half(0), half(2)];
    for group in 0..groups {
        for vector in 0..vectors {
            // SAFETY: vector `vector` of a group, and its two halves, which the caller promises.
            unsafe {
                let bytes = from.add((group * vectors + vector) * LANES * 4);
                let bytes = _mm256_loadu_si256(bytes.cast());
                for (i, &half) in halves.iter().enumerate() {
                    let words = _mm256_srai_epi16::<8>(_mm256_shuffle_epi8(bytes, half));
                    let to = to.add(((2 * group + i) * vectors + vector) * LANES * 2);
                    _mm256_storeu_si256(to.cast(), words);
                }
            }
        }
    }
}
