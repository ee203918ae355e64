//! Tables of [`crate::function`], gathered by vectors.
//!
//! An index is masked to its table, so that no value can make a gather read outside of it.

/// 512-bit vectors.
pub(crate) mod avx512 {
    use core::arch::x86_64::{
        __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_i32gather_epi32, _mm512_loadu_si512,
        _mm512_madd_epi16, _mm512_mullo_epi32, _mm512_or_si512, _mm512_set1_epi32,
        _mm512_slli_epi32, _mm512_srai_epi32, _mm512_srli_epi32, _mm512_storeu_si512,
        _mm512_sub_epi32,
    };

    /// Words `first + (index & 2^k - 1)` of a table of at least as many.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn words<const N: usize>(table: &[i32; N], first: usize, mask: i32, at: __m512i) -> __m512i {
        assert!(first + (mask as usize) < N, "gather: table");
        let index = _mm512_and_si512(at, _mm512_set1_epi32(mask));
        // SAFETY: the masked index lies in the table.
        unsafe { _mm512_i32gather_epi32::<4>(index, table[first..].as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load(from: &[i32; 16]) -> __m512i {
        // SAFETY: sixteen readable numbers.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn store(to: &mut [i32; 16], v: __m512i) {
        // SAFETY: room for sixteen numbers.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), v) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(crate) fn look_up(table: &[i32; 256], vectors: &mut [[i32; 16]]) {
        for v in vectors {
            let at = _mm512_add_epi32(load(v), _mm512_set1_epi32(128));
            store(v, words(table, 0, 255, at));
        }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(crate) fn interpolate(table: &[i32; 512], vectors: &mut [[i32; 16]]) {
        let steps = _mm512_set1_epi32(128);
        for v in vectors {
            let u = _mm512_add_epi32(load(v), _mm512_set1_epi32(32_768));
            let pair = words(table, 0, 511, _mm512_srli_epi32::<7>(u));
            let f = _mm512_and_si512(u, _mm512_set1_epi32(127));
            // 128 - f in the lower half, f in the upper one.
            let weights = _mm512_or_si512(_mm512_sub_epi32(steps, f), _mm512_slli_epi32::<16>(f));
            let sum = _mm512_madd_epi16(pair, weights);
            let rounded = _mm512_add_epi32(sum, _mm512_set1_epi32(64));
            store(v, _mm512_srai_epi32::<7>(rounded));
        }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(crate) fn exponentiate(table: &[i32; 512], vectors: &mut [[i32; 16]]) {
        for v in vectors {
            let at = load(v);
            let coarse = words(table, 0, 255, _mm512_srli_epi32::<8>(at));
            let fine = words(table, 256, 255, at);
            let product = _mm512_mullo_epi32(coarse, fine);
            let rounded = _mm512_add_epi32(product, _mm512_set1_epi32(1 << 14));
            store(v, _mm512_srai_epi32::<15>(rounded));
        }
    }
}

/// 256-bit vectors.
pub(crate) mod avx2 {
    use core::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_i32gather_epi32, _mm256_loadu_si256,
        _mm256_madd_epi16, _mm256_mullo_epi32, _mm256_or_si256, _mm256_set1_epi32,
        _mm256_slli_epi32, _mm256_srai_epi32, _mm256_srli_epi32, _mm256_storeu_si256,
        _mm256_sub_epi32,
    };

    /// Words `first + (index & 2^k - 1)` of a table of at least as many.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn words<const N: usize>(table: &[i32; N], first: usize, mask: i32, at: __m256i) -> __m256i {
        assert!(first + (mask as usize) < N, "gather: table");
        let index = _mm256_and_si256(at, _mm256_set1_epi32(mask));
        // SAFETY: the masked index lies in the table.
        unsafe { _mm256_i32gather_epi32::<4>(table[first..].as_ptr(), index) }
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
            store(v, words(table, 0, 255, at));
        }
    }

    #[target_feature(enable = "avx2")]
    pub(crate) fn interpolate(table: &[i32; 512], vectors: &mut [[i32; 8]]) {
        let steps = _mm256_set1_epi32(128);
        for v in vectors {
            let u = _mm256_add_epi32(load(v), _mm256_set1_epi32(32_768));
            let pair = words(table, 0, 511, _mm256_srli_epi32::<7>(u));
            let f = _mm256_and_si256(u, _mm256_set1_epi32(127));
            // 128 - f in the lower half, f in the upper one.
            let weights = _mm256_or_si256(_mm256_sub_epi32(steps, f), _mm256_slli_epi32::<16>(f));
            let sum = _mm256_madd_epi16(pair, weights);
            let rounded = _mm256_add_epi32(sum, _mm256_set1_epi32(64));
            store(v, _mm256_srai_epi32::<7>(rounded));
        }
    }

    #[target_feature(enable = "avx2")]
    pub(crate) fn exponentiate(table: &[i32; 512], vectors: &mut [[i32; 8]]) {
        for v in vectors {
            let at = load(v);
            let coarse = words(table, 0, 255, _mm256_srli_epi32::<8>(at));
            let fine = words(table, 256, 255, at);
            let product = _mm256_mullo_epi32(coarse, fine);
            let rounded = _mm256_add_epi32(product, _mm256_set1_epi32(1 << 14));
            store(v, _mm256_srai_epi32::<15>(rounded));
        }
    }
}
