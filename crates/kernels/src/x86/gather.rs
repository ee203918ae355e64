//! Tables of [`crate::function`], gathered by vectors.
//!
//! An index is masked to its table, so that no value can make a gather read outside of it.

/// The entries that an interpolation of `v` reads, one load after the other: measured faster than the
/// gathers of a Cascade Lake. Not inlined, so that it stays such loads.
#[inline(never)]
fn fetch(table: &[i32; 512], v: &[i16], to: &mut [i32]) {
    for (to, &v) in to.iter_mut().zip(v) {
        *to = table[((i32::from(v) + 32_768) >> 7) as usize & 511];
    }
}

/// 512-bit vectors.
pub(crate) mod avx512 {
    use core::arch::x86_64::{
        __m512i, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_add_epi32, _mm512_and_si512,
        _mm512_castsi256_si512, _mm512_castsi512_si256, _mm512_cvtepi16_epi32,
        _mm512_cvtepi32_epi16, _mm512_extracti64x4_epi64, _mm512_i32gather_epi32,
        _mm512_inserti64x4, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_mask_blend_epi16,
        _mm512_mulhrs_epi16, _mm512_or_si512, _mm512_permutex2var_epi16, _mm512_set1_epi16,
        _mm512_set1_epi32, _mm512_setzero_si512, _mm512_slli_epi32, _mm512_srai_epi32,
        _mm512_srli_epi16, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_sub_epi32,
        _mm512_test_epi16_mask,
    };

    use crate::function::Exponential;

    const LANES: usize = 16;

    /// Words `at` of a table, modulo its length, which is a power of two.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn words<const N: usize>(table: &[i32; N], at: __m512i) -> __m512i {
        const { assert!(N.is_power_of_two() && N <= 1 << 30) };
        let index = _mm512_and_si512(at, _mm512_set1_epi32(N as i32 - 1));
        // SAFETY: the masked index is below N.
        unsafe { _mm512_i32gather_epi32::<4>(index, table.as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load(from: &[i32]) -> __m512i {
        assert!(LANES <= from.len(), "gather: vector");
        // SAFETY: sixteen readable numbers.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn store(to: &mut [i32], v: __m512i) {
        assert!(LANES <= to.len(), "gather: vector");
        // SAFETY: room for sixteen numbers.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), v) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(crate) fn look_up(table: &[i32; 256], vectors: &mut [[i32; 32]]) {
        for v in vectors.as_flattened_mut().as_chunks_mut::<LANES>().0 {
            let at = _mm512_add_epi32(load(v), _mm512_set1_epi32(128));
            store(v, words(table, at));
        }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(crate) fn interpolate(table: &[i32; 512], vectors: &mut [[i32; 32]]) {
        for v in vectors.as_flattened_mut().as_chunks_mut::<LANES>().0 {
            let u = _mm512_add_epi32(load(v), _mm512_set1_epi32(32_768));
            let pair = words(table, _mm512_srli_epi32::<7>(u));
            store(v, between(pair, u));
        }
    }

    /// Interpolates whole vectors of 16 bits in place; returns how many elements that were.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(crate) fn interpolate_words(table: &[i32; 512], words_16: &mut [i16]) -> usize {
        let vectors = words_16.as_chunks_mut::<LANES>().0;
        let mut pairs = [[0; LANES]; TOGETHER];
        for part in vectors.chunks_mut(TOGETHER) {
            super::fetch(table, part.as_flattened(), pairs.as_flattened_mut());
            for (v, pair) in part.iter_mut().zip(&pairs) {
                // SAFETY: sixteen readable elements of 16 bits.
                let x = unsafe { _mm256_loadu_si256(v.as_ptr().cast()) };
                // A difference of 2^15 changes nothing in the bits that are looked at.
                let y = _mm512_cvtepi32_epi16(between(load(pair), _mm512_cvtepi16_epi32(x)));
                // SAFETY: room for sixteen elements of 16 bits.
                unsafe { _mm256_storeu_si256(v.as_mut_ptr().cast(), y) };
            }
        }
        vectors.len() * LANES
    }

    /// Vectors that pass through the table together.
    const TOGETHER: usize = 16;

    /// `(low*(128 - f) + high*f + 64) >> 7` with f the last seven bits of u.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn between(pair: __m512i, u: __m512i) -> __m512i {
        let f = _mm512_and_si512(u, _mm512_set1_epi32(127));
        // 128 - f in the lower half, f in the upper one.
        let rest = _mm512_sub_epi32(_mm512_set1_epi32(128), f);
        let weights = _mm512_or_si512(rest, _mm512_slli_epi32::<16>(f));
        let sum = _mm512_madd_epi16(pair, weights);
        _mm512_srai_epi32::<7>(_mm512_add_epi32(sum, _mm512_set1_epi32(64)))
    }

    /// Both tables of an exponential, 256 entries of sixteen bits in eight vectors each.
    pub(crate) struct ExponentialParts([[__m512i; 8]; 2]);

    impl ExponentialParts {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        pub(crate) fn new(table: &Exponential) -> Self {
            let mut parts = [[_mm512_setzero_si512(); 8]; 2];
            let from = table.0.as_chunks::<32>().0;
            for (to, from) in parts.as_flattened_mut().iter_mut().zip(from) {
                // SAFETY: 64 readable bytes.
                *to = unsafe { _mm512_loadu_si512(from.as_ptr().cast()) };
            }
            Self(parts)
        }

        /// The exponentials of 32 words without sign: (a*b + 2^14) >> 15; entries are not negative.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        pub(crate) fn of(&self, v: __m512i) -> __m512i {
            let coarse = entries(&self.0[0], _mm512_srli_epi16::<8>(v));
            _mm512_mulhrs_epi16(coarse, entries(&self.0[1], v))
        }
    }

    /// Entry `at & 255` of a table.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn entries(table: &[__m512i; 8], at: __m512i) -> __m512i {
        // Bits 0 to 5 choose within a pair of vectors, bits 6 and 7 the pair.
        let pair = |i: usize| _mm512_permutex2var_epi16(table[2 * i], at, table[2 * i + 1]);
        let odd = _mm512_test_epi16_mask(at, _mm512_set1_epi16(64));
        let upper = _mm512_test_epi16_mask(at, _mm512_set1_epi16(128));
        let low = _mm512_mask_blend_epi16(odd, pair(0), pair(1));
        let high = _mm512_mask_blend_epi16(odd, pair(2), pair(3));
        _mm512_mask_blend_epi16(upper, low, high)
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(crate) fn exponentiate(table: &Exponential, vectors: &mut [[i32; 32]]) {
        let parts = ExponentialParts::new(table);
        for v in vectors {
            let (first, second) = v.split_at_mut(LANES);
            let words = _mm512_castsi256_si512(_mm512_cvtepi32_epi16(load(first)));
            let at = _mm512_inserti64x4::<1>(words, _mm512_cvtepi32_epi16(load(second)));
            let y = parts.of(at);
            store(first, _mm512_cvtepi16_epi32(_mm512_castsi512_si256(y)));
            store(
                second,
                _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64::<1>(y)),
            );
        }
    }
}

/// 256-bit vectors.
pub(crate) mod avx2 {
    use core::arch::x86_64::{
        __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_cvtepi16_epi32,
        _mm256_i32gather_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_or_si256,
        _mm256_packs_epi32, _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_slli_epi32,
        _mm256_srai_epi32, _mm256_srli_epi32, _mm256_storeu_si256, _mm256_sub_epi32,
    };

    use crate::function::Exponential;
    use crate::function::plain::exponentiate as exponentiate_plain;

    /// Words `at` of a table, modulo its length, which is a power of two.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn words<const N: usize>(table: &[i32; N], at: __m256i) -> __m256i {
        const { assert!(N.is_power_of_two() && N <= 1 << 30) };
        let index = _mm256_and_si256(at, _mm256_set1_epi32(N as i32 - 1));
        // SAFETY: the masked index is below N.
        unsafe { _mm256_i32gather_epi32::<4>(table.as_ptr(), index) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(from: &[i32; 8]) -> __m256i {
        // SAFETY: eight readable numbers.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(to: &mut [i32; 8], v: __m256i) {
        // SAFETY: room for eight numbers.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), v) }
    }

    #[target_feature(enable = "avx2")]
    pub(crate) fn look_up(table: &[i32; 256], vectors: &mut [[i32; 8]]) {
        for v in vectors {
            let at = _mm256_add_epi32(load(v), _mm256_set1_epi32(128));
            store(v, words(table, at));
        }
    }

    #[target_feature(enable = "avx2")]
    pub(crate) fn interpolate(table: &[i32; 512], vectors: &mut [[i32; 8]]) {
        for v in vectors {
            let u = _mm256_add_epi32(load(v), _mm256_set1_epi32(32_768));
            let pair = words(table, _mm256_srli_epi32::<7>(u));
            store(v, between(pair, u));
        }
    }

    /// Interpolates whole vectors of 16 bits in place; returns how many elements that were.
    #[target_feature(enable = "avx2")]
    pub(crate) fn interpolate_words(table: &[i32; 512], words_16: &mut [i16]) -> usize {
        let vectors = words_16.as_chunks_mut::<16>().0;
        let mut pairs = [[0; 8]; 2 * TOGETHER];
        for part in vectors.chunks_mut(TOGETHER) {
            super::fetch(table, part.as_flattened(), pairs.as_flattened_mut());
            for (v, pair) in part.iter_mut().zip(pairs.as_chunks::<2>().0) {
                let half = |i: usize| {
                    let x: &[i16; 8] = &v.as_chunks().0[i];
                    // SAFETY: eight readable elements of 16 bits.
                    let x = unsafe { _mm_loadu_si128(x.as_ptr().cast()) };
                    // A difference of 2^15 changes nothing in the bits that are looked at.
                    between(load(&pair[i]), _mm256_cvtepi16_epi32(x))
                };
                // Between entries of 16 bits, so nothing saturates; 64-bit lanes lie as 0, 2, 1, 3.
                let y = _mm256_packs_epi32(half(0), half(1));
                let y = _mm256_permute4x64_epi64::<0b11_01_10_00>(y);
                // SAFETY: room for sixteen elements of 16 bits.
                unsafe { _mm256_storeu_si256(v.as_mut_ptr().cast(), y) };
            }
        }
        vectors.len() * 16
    }

    /// Vectors that pass through the table together.
    const TOGETHER: usize = 16;

    /// `(low*(128 - f) + high*f + 64) >> 7` with f the last seven bits of u.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn between(pair: __m256i, u: __m256i) -> __m256i {
        let f = _mm256_and_si256(u, _mm256_set1_epi32(127));
        // 128 - f in the lower half, f in the upper one.
        let rest = _mm256_sub_epi32(_mm256_set1_epi32(128), f);
        let weights = _mm256_or_si256(rest, _mm256_slli_epi32::<16>(f));
        let sum = _mm256_madd_epi16(pair, weights);
        _mm256_srai_epi32::<7>(_mm256_add_epi32(sum, _mm256_set1_epi32(64)))
    }

    /// The plain twin: its tables stay in the first cache, and two loads for each element cost no more
    /// than the gathers of this set.
    #[target_feature(enable = "avx2")]
    pub(crate) fn exponentiate(table: &Exponential, vectors: &mut [[i32; 8]]) {
        exponentiate_plain(table, vectors.as_flattened_mut());
    }
}
