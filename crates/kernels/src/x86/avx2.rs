//! AVX2: eight lanes, products by the sign trick.
//!
//! ```text
//! x * w = |x| * (w with the sign of x);  vpmaddubsw adds two of these in 16 bits
//! ```
//!
//! |x| <= 128 as an unsigned byte and |w| <= 127, so a pair sum is at most 2 * 128 * 127 = 32512
//! < 2^15 and nothing saturates. Weights of -128 are refused when a node is packed.

use core::arch::x86_64::{
    __m128i, __m256i, _mm_loadl_epi64, _mm_loadu_si128, _mm_packs_epi16, _mm_packs_epi32,
    _mm_set1_epi8, _mm_storel_epi64, _mm_storeu_si128, _mm_unpackhi_epi16, _mm_unpacklo_epi8,
    _mm_unpacklo_epi16, _mm_xor_si128, _mm256_abs_epi8, _mm256_add_epi32, _mm256_add_epi64,
    _mm256_and_si256, _mm256_blend_epi32, _mm256_blendv_epi8, _mm256_castsi256_si128,
    _mm256_cmpgt_epi64, _mm256_cvtepi8_epi32, _mm256_cvtepi16_epi32, _mm256_extracti128_si256,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_max_epi32,
    _mm256_min_epi32, _mm256_mul_epi32, _mm256_set_m128i, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_sign_epi8, _mm256_slli_epi64,
    _mm256_sllv_epi64, _mm256_srli_epi64, _mm256_srlv_epi64, _mm256_storeu_si256, _mm256_sub_epi64,
    _mm256_xor_si256,
};

use crate::accumulate::{Isa, four};
use crate::finish::{self, FACTOR_BITS, Finish, RawAddend, RawOutput};
use crate::wide::wide_isa;

/// AVX2.
pub(crate) struct Avx2;

const LANES: usize = 8;

// SAFETY: every method inherits the demand of the trait: AVX2 is there.
unsafe impl Isa for Avx2 {
    type Sums = __m256i;
    type Weights = __m256i;
    /// The inputs and their absolute values.
    type Inputs = (__m256i, __m256i);
    type Spread = (__m256i, __m256i);
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> __m256i {
        // SAFETY: the caller promises AVX2 and eight readable numbers.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_sums(sums: __m256i, to: *mut i32) {
        // SAFETY: the caller promises AVX2 and room for eight numbers.
        unsafe { _mm256_storeu_si256(to.cast(), sums) }
    }

    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> __m256i {
        // SAFETY: the caller promises AVX2 and 32 readable weights.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_inputs(from: *const u8) -> Self::Inputs {
        // SAFETY: the caller promises AVX2 and four readable bytes.
        unsafe {
            let x = _mm256_set1_epi32(from.cast::<i32>().read_unaligned());
            (x, _mm256_abs_epi8(x))
        }
    }

    #[inline(always)]
    unsafe fn dot4(sums: __m256i, (x, magnitude): Self::Inputs, w: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2; no memory is touched.
        unsafe {
            let pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(w, x));
            _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> Self::Spread {
        // SAFETY: the caller promises AVX2 and eight bytes behind each tap.
        unsafe {
            let x = turned(four(taps));
            (x, _mm256_abs_epi8(x))
        }
    }

    #[inline(always)]
    unsafe fn dot_spread(sums: __m256i, x: Self::Spread, w: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2; no memory is touched.
        unsafe { Self::dot4(sums, x, w) }
    }

    unsafe fn finish(finish: &Finish) {
        // SAFETY: the caller passes on both promises.
        unsafe {
            if finish.rule.fits {
                finish_avx2(finish);
                finish::look_up(finish);
            } else {
                finish::scalar(finish);
            }
        }
    }
}

/// Eight channels of four taps, `[4][8]` to `[8][4]`.
///
/// # Safety
///
/// AVX2 is there, and eight bytes behind each tap can be read.
#[inline(always)]
pub(super) unsafe fn turned(taps: [*const u8; 4]) -> __m256i {
    // SAFETY: the caller's promises.
    unsafe {
        let [a, b, c, d] = taps.map(|tap| _mm_loadl_epi64(tap.cast()));
        let (ab, cd) = (_mm_unpacklo_epi8(a, b), _mm_unpacklo_epi8(c, d));
        _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd))
    }
}

/// Requantisation on eight lanes, for nodes whose shifted values fit 32 bits.
///
/// AVX2 lacks the arithmetic shift of 64-bit lanes: x >> s = ((x ^ 2^63) >>> s) - (2^63 >>> s).
///
/// # Safety
///
/// AVX2 is there and `f` keeps its promise.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn finish_avx2(f: &Finish) {
    // SAFETY: the maker of `f` promises whole vectors of constants and sums.
    let (m, a, s) = unsafe {
        (
            _mm256_loadu_si256(f.multiplier.cast()),
            _mm256_loadu_si256(f.addend_multiplier.cast()),
            _mm256_loadu_si256(f.shift.cast()),
        )
    };
    let (m_odd, a_odd) = (_mm256_srli_epi64::<32>(m), _mm256_srli_epi64::<32>(a));
    let (s_even, s_odd) = (
        _mm256_and_si256(s, _mm256_set1_epi64x(0xffff_ffff)),
        _mm256_srli_epi64::<32>(s),
    );
    let sign = _mm256_set1_epi64x(i64::MIN);
    let half = |s| _mm256_srli_epi64::<1>(_mm256_sllv_epi64(_mm256_set1_epi64x(1), s));
    let (half_even, half_odd) = (half(s_even), half(s_odd));
    let (fix_even, fix_odd) = (
        _mm256_srlv_epi64(sign, s_even),
        _mm256_srlv_epi64(sign, s_odd),
    );
    let shift = |x, s, fix| _mm256_sub_epi64(_mm256_srlv_epi64(_mm256_xor_si256(x, sign), s), fix);
    let (lo, hi) = (_mm256_set1_epi32(f.rule.lo), _mm256_set1_epi32(f.rule.hi));
    let behind = f.rule.factor_shift.map(|shift| {
        // SAFETY: with a factor shift the maker of `f` promises a whole vector of biases.
        unsafe { Behind::load(f, shift) }
    });
    for p in 0..f.pixels {
        let (mut even, mut odd) = (half_even, half_odd);
        for plane in 0..f.planes {
            let at = p * f.sums_step + plane * f.plane_step;
            // SAFETY: as above, vector `p` of `f.pixels` of a plane.
            let acc = unsafe { _mm256_loadu_si256(f.sums.add(at).cast()) };
            even = _mm256_add_epi64(even, _mm256_mul_epi32(acc, m));
            let odd_acc = _mm256_srli_epi64::<32>(acc);
            odd = _mm256_add_epi64(odd, _mm256_mul_epi32(odd_acc, m_odd));
        }
        let mut addend = [_mm256_setzero_si256(); 2];
        if !matches!(f.addend, RawAddend::None) {
            // SAFETY: the promise of `f`, position `p`.
            let x = unsafe { load_addend(f, p * f.pixel_step) };
            addend = [
                _mm256_mul_epi32(x, a),
                _mm256_mul_epi32(_mm256_srli_epi64::<32>(x), a_odd),
            ];
        }
        if let Some(behind) = &behind {
            even = shift(even, s_even, fix_even);
            odd = shift(odd, s_odd, fix_odd);
            // SAFETY: with a factor shift the maker of `f` promises a factor for each position.
            let factor = unsafe { *f.factor.at.add(p * f.factor.step) };
            even = behind.apply(even, addend[0], factor, 0);
            odd = behind.apply(odd, addend[1], factor, 1);
        } else {
            even = shift(_mm256_add_epi64(even, addend[0]), s_even, fix_even);
            odd = shift(_mm256_add_epi64(odd, addend[1]), s_odd, fix_odd);
        }
        let both = _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<32>(odd));
        let y = _mm256_min_epi32(_mm256_max_epi32(both, lo), hi);
        // SAFETY: the promise of `f`, position `p`.
        unsafe { store(f, p * f.pixel_step, y) };
    }
}

/// What is done with a shifted value and its row factor; 64-bit lanes hold even and odd channels.
struct Behind {
    /// `bias * 2^15 + 2^(S-1)`.
    offset: [__m256i; 2],
    shift: __m256i,
    fix: __m256i,
    clamp: [__m256i; 2],
}

impl Behind {
    /// # Safety
    ///
    /// AVX2 is there and `f` has a whole vector of biases behind its factors.
    #[target_feature(enable = "avx2")]
    unsafe fn load(f: &Finish, shift: u32) -> Self {
        // SAFETY: the caller's promise.
        let bias = unsafe { _mm256_loadu_si256(f.factor.bias.cast()) };
        let (half, scale) = (1_i64 << (shift - 1), 1_i64 << FACTOR_BITS);
        let offset = |bias| {
            let bias = _mm256_mul_epi32(bias, _mm256_set1_epi64x(scale));
            _mm256_add_epi64(bias, _mm256_set1_epi64x(half))
        };
        Self {
            offset: [offset(bias), offset(_mm256_srli_epi64::<32>(bias))],
            shift: _mm256_set1_epi64x(shift.into()),
            fix: _mm256_set1_epi64x((1_u64 << (63 - shift)) as i64),
            clamp: [f.rule.lo, f.rule.hi].map(|bound| _mm256_set1_epi64x(bound.into())),
        }
    }

    /// `clamp((t*factor + offset + addend*2^15) >> S)`.
    #[target_feature(enable = "avx2")]
    fn apply(&self, t: __m256i, addend: __m256i, factor: i32, half: usize) -> __m256i {
        let product = _mm256_mul_epi32(t, _mm256_set1_epi64x(factor.into()));
        let offset = _mm256_add_epi64(
            self.offset[half],
            _mm256_slli_epi64::<{ FACTOR_BITS as i32 }>(addend),
        );
        let wide = _mm256_xor_si256(
            _mm256_add_epi64(product, offset),
            _mm256_set1_epi64x(i64::MIN),
        );
        let v = _mm256_sub_epi64(_mm256_srlv_epi64(wide, self.shift), self.fix);
        let low = _mm256_cmpgt_epi64(self.clamp[0], v);
        let v = _mm256_blendv_epi8(v, self.clamp[0], low);
        let high = _mm256_cmpgt_epi64(v, self.clamp[1]);
        _mm256_blendv_epi8(v, self.clamp[1], high)
    }
}

/// Eight elements of the second input, zero where no channel is left.
///
/// # Safety
///
/// AVX2 is there and `f.channels` elements can be read at `at`.
#[target_feature(enable = "avx2")]
unsafe fn load_addend(f: &Finish, at: usize) -> __m256i {
    let mut tail = [0_u8; 32];
    // SAFETY: full vectors read eight elements, which exist; tails copy `f.channels` of them.
    unsafe {
        let (source, width): (*const u8, usize) = match f.addend {
            RawAddend::None => return _mm256_setzero_si256(),
            RawAddend::I8(x) => (x.add(at), 1),
            RawAddend::I16(x) => (x.add(at).cast(), 2),
            RawAddend::I32(x) => (x.add(at).cast(), 4),
        };
        let source = if f.channels == LANES {
            source
        } else {
            core::ptr::copy_nonoverlapping(source, tail.as_mut_ptr(), f.channels * width);
            tail.as_ptr()
        };
        match f.addend {
            RawAddend::I8(_) => {
                let flip = _mm_set1_epi8(f.rule.flip as i8);
                _mm256_cvtepi8_epi32(_mm_xor_si128(_mm_loadl_epi64(source.cast()), flip))
            }
            RawAddend::I16(_) => _mm256_cvtepi16_epi32(_mm_loadu_si128(source.cast())),
            RawAddend::I32(_) | RawAddend::None => _mm256_loadu_si256(source.cast()),
        }
    }
}

/// Narrows and writes `f.channels` elements at `at`.
///
/// # Safety
///
/// AVX2 is there and `f.channels` elements can be written at `at`.
#[target_feature(enable = "avx2")]
unsafe fn store(f: &Finish, at: usize, y: __m256i) {
    let words: __m128i =
        _mm_packs_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256::<1>(y));
    let mut tail = [0_u8; 32];
    // SAFETY: full vectors write eight elements, which exist; tails copy `f.channels` of them.
    unsafe {
        let (target, width): (*mut u8, usize) = match f.output {
            RawOutput::I8(y) => (y.add(at), 1),
            RawOutput::I16(y) => (y.add(at).cast(), 2),
            RawOutput::I32(y) => (y.add(at).cast(), 4),
        };
        let whole = f.channels == LANES;
        let to = if whole { target } else { tail.as_mut_ptr() };
        match f.output {
            RawOutput::I8(_) => {
                let bytes = _mm_packs_epi16(words, words);
                let flipped = _mm_xor_si128(bytes, _mm_set1_epi8(f.rule.flip as i8));
                _mm_storel_epi64(to.cast(), flipped);
            }
            RawOutput::I16(_) => _mm_storeu_si128(to.cast(), words),
            RawOutput::I32(_) => _mm256_storeu_si256(to.cast(), y),
        }
        if !whole {
            core::ptr::copy_nonoverlapping(tail.as_ptr(), target, f.channels * width);
        }
    }
}

wide_isa!(
    /// AVX2 on inputs of 16 bits. No pair is of two products of -2^15 by -2^15, so nothing wraps
    /// within an instruction.
    Avx2Wide,
    Avx2,
    __m256i,
    |from| _mm256_set1_epi32(from.cast::<i32>().read_unaligned()),
    |sums, x, w| _mm256_add_epi32(sums, _mm256_madd_epi16(x, w))
);
