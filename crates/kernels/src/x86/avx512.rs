//! AVX-512 VNNI: sixteen lanes, unsigned times signed bytes, no saturation.
//!
//! Inputs are stored with the sign bit flipped (x + 128); the bias holds `-128 * sum(weights)`.
//! The wrapping sum is exact because the true accumulator fits 32 bits.

use core::arch::x86_64::{
    __m512i, __mmask16, _mm_mask_storeu_epi8, _mm_maskz_loadu_epi8, _mm_set1_epi8, _mm_xor_si128,
    _mm256_mask_storeu_epi16, _mm256_maskz_loadu_epi16, _mm512_add_epi64, _mm512_and_si512,
    _mm512_cvtepi8_epi32, _mm512_cvtepi16_epi32, _mm512_cvtepi32_epi8, _mm512_cvtepi32_epi16,
    _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_mask_shuffle_epi32, _mm512_mask_storeu_epi32,
    _mm512_maskz_loadu_epi32, _mm512_max_epi32, _mm512_min_epi32, _mm512_mul_epi32,
    _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_sllv_epi64,
    _mm512_srav_epi64, _mm512_srli_epi64, _mm512_storeu_si512,
};

use crate::accumulate::Isa;
use crate::finish::{self, Finish, RawAddend, RawOutput};

/// AVX-512 with F, BW, DQ, VL and VNNI.
pub(crate) struct Avx512;

const LANES: usize = 16;

// SAFETY: every method inherits the demand of the trait: the five features are there.
unsafe impl Isa for Avx512 {
    type Sums = __m512i;
    type Weights = __m512i;
    type Inputs = __m512i;
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> __m512i {
        // SAFETY: the caller promises AVX-512 and sixteen readable numbers.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_sums(sums: __m512i, to: *mut i32) {
        // SAFETY: the caller promises AVX-512 and room for sixteen numbers.
        unsafe { _mm512_storeu_si512(to.cast(), sums) }
    }

    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> __m512i {
        // SAFETY: the caller promises AVX-512 and 64 readable weights.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_inputs(from: *const u8) -> __m512i {
        // SAFETY: the caller promises AVX-512 and four readable bytes.
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn dot4(sums: __m512i, x: __m512i, w: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512 VNNI; no memory is touched.
        unsafe { _mm512_dpbusd_epi32(sums, x, w) }
    }

    unsafe fn finish(finish: &Finish) {
        // SAFETY: the caller passes on both promises.
        unsafe {
            if finish.rule.fits && finish.rule.table.is_none() {
                finish_avx512(finish);
            } else {
                finish::scalar(finish);
            }
        }
    }
}

/// Requantisation on sixteen lanes, for nodes whose shifted values fit 32 bits.
///
/// # Safety
///
/// AVX-512 is there and `f` keeps its promise.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn finish_avx512(f: &Finish) {
    let mask: __mmask16 = ((1_u32 << f.channels) - 1) as __mmask16;
    // SAFETY: the maker of `f` promises whole vectors of constants and sums.
    let (m, a, s) = unsafe {
        (
            _mm512_loadu_si512(f.multiplier.cast()),
            _mm512_loadu_si512(f.addend_multiplier.cast()),
            _mm512_loadu_si512(f.shift.cast()),
        )
    };
    let (m_odd, a_odd) = (_mm512_srli_epi64::<32>(m), _mm512_srli_epi64::<32>(a));
    let (s_even, s_odd) = (
        _mm512_and_si512(s, _mm512_set1_epi64(0xffff_ffff)),
        _mm512_srli_epi64::<32>(s),
    );
    let half = |s| _mm512_srli_epi64::<1>(_mm512_sllv_epi64(_mm512_set1_epi64(1), s));
    let (half_even, half_odd) = (half(s_even), half(s_odd));
    let (lo, hi) = (_mm512_set1_epi32(f.rule.lo), _mm512_set1_epi32(f.rule.hi));
    for p in 0..f.pixels {
        // SAFETY: as above, vector `p` of `f.pixels`.
        let acc = unsafe { _mm512_loadu_si512(f.sums.add(p * f.sums_step).cast()) };
        let mut even = _mm512_add_epi64(_mm512_mul_epi32(acc, m), half_even);
        let mut odd = _mm512_add_epi64(
            _mm512_mul_epi32(_mm512_srli_epi64::<32>(acc), m_odd),
            half_odd,
        );
        if !matches!(f.addend, RawAddend::None) {
            // SAFETY: the promise of `f`, position `p`; masked lanes are not read.
            let x = unsafe { load_addend(f, p * f.pixel_step, mask) };
            even = _mm512_add_epi64(even, _mm512_mul_epi32(x, a));
            odd = _mm512_add_epi64(odd, _mm512_mul_epi32(_mm512_srli_epi64::<32>(x), a_odd));
        }
        even = _mm512_srav_epi64(even, s_even);
        odd = _mm512_srav_epi64(odd, s_odd);
        // Odd lanes take the low half of `odd`, even lanes stay.
        let both = _mm512_mask_shuffle_epi32::<0b10_10_00_00>(even, 0xaaaa, odd);
        let y = _mm512_min_epi32(_mm512_max_epi32(both, lo), hi);
        // SAFETY: the promise of `f`, position `p`; masked lanes are not written.
        unsafe { store(f, p * f.pixel_step, mask, y) };
    }
}

/// The masked elements of the second input, zero elsewhere.
///
/// # Safety
///
/// AVX-512 is there and the masked elements can be read at `at`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn load_addend(f: &Finish, at: usize, mask: __mmask16) -> __m512i {
    // SAFETY: only masked elements are read.
    unsafe {
        match f.addend {
            RawAddend::None => _mm512_setzero_si512(),
            RawAddend::I8(x) => {
                let stored = _mm_maskz_loadu_epi8(mask, x.add(at).cast());
                let flip = _mm_set1_epi8(f.rule.flip as i8);
                _mm512_cvtepi8_epi32(_mm_xor_si128(stored, flip))
            }
            RawAddend::I16(x) => _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, x.add(at))),
            RawAddend::I32(x) => _mm512_maskz_loadu_epi32(mask, x.add(at)),
        }
    }
}

/// Narrows and writes the masked elements at `at`.
///
/// # Safety
///
/// AVX-512 is there and the masked elements can be written at `at`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn store(f: &Finish, at: usize, mask: __mmask16, y: __m512i) {
    // SAFETY: only masked elements are written.
    unsafe {
        match f.output {
            RawOutput::I8(to) => {
                let flip = _mm_set1_epi8(f.rule.flip as i8);
                let bytes = _mm_xor_si128(_mm512_cvtepi32_epi8(y), flip);
                _mm_mask_storeu_epi8(to.add(at).cast(), mask, bytes);
            }
            RawOutput::I16(to) => {
                _mm256_mask_storeu_epi16(to.add(at), mask, _mm512_cvtepi32_epi16(y));
            }
            RawOutput::I32(to) => _mm512_mask_storeu_epi32(to.add(at), mask, y),
        }
    }
}
