//! Requantisation on eight lanes of AVX2; the formulas are those of [`crate::finish`].
//!
//! AVX2 has no arithmetic shift of 64-bit lanes. None is needed where the shifted value is known to fit
//! 32 bits: with n = min(s, 32) it is
//!
//! ```text
//! x >> s = (bits n .. n + 32 of x, as an i32) >> (s - n)
//! ```
//!
//! Even channels are shifted to the right by n, odd ones to the left by 32 - n, so that one blend puts
//! both in their places; the rest of the shift is one of 32-bit lanes.

use core::arch::x86_64::{
    __m128i, __m256i, _mm_castsi128_pd, _mm_loadl_epi64, _mm_loadu_si128, _mm_packs_epi16,
    _mm_packs_epi32, _mm_set1_epi8, _mm_storeh_pd, _mm_storel_epi64, _mm_storeu_si128,
    _mm_xor_si128, _mm256_add_epi64, _mm256_and_si256, _mm256_blend_epi32, _mm256_blendv_epi8,
    _mm256_castsi256_si128, _mm256_cmpgt_epi64, _mm256_cvtepi8_epi32, _mm256_cvtepi16_epi32,
    _mm256_cvtepu8_epi32, _mm256_cvtepu16_epi32, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_max_epi8, _mm256_max_epi16, _mm256_max_epi32, _mm256_min_epi8, _mm256_min_epi16,
    _mm256_min_epi32, _mm256_mul_epi32, _mm256_packs_epi16, _mm256_packs_epi32,
    _mm256_permute4x64_epi64, _mm256_permutevar8x32_epi32, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_setr_epi32, _mm256_setzero_si256,
    _mm256_shuffle_epi32, _mm256_slli_epi32, _mm256_slli_epi64, _mm256_sllv_epi64,
    _mm256_srav_epi32, _mm256_srli_epi64, _mm256_srlv_epi64, _mm256_storeu_si256, _mm256_sub_epi32,
    _mm256_sub_epi64, _mm256_xor_si256,
};

use crate::finish::{self, FACTOR_BITS, Finish, RawAddend, RawOutput};

const LANES: usize = 8;

/// Requantises, with the scalar path where shifted values may leave 32 bits.
///
/// # Safety
///
/// AVX2 is there and `f` keeps its promise.
pub(super) unsafe fn finish(f: &Finish) {
    // SAFETY: the caller passes on both promises.
    unsafe {
        if !f.rule.fits {
            finish::scalar(f);
            return;
        }
        let adds = !matches!(f.addend, RawAddend::None);
        match (adds, f.rule.factor_shift.is_some(), f.planes) {
            (false, false, 1) => vectors::<false, false, true>(f),
            (true, false, 1) => vectors::<true, false, true>(f),
            (false, true, 1) => vectors::<false, true, true>(f),
            (true, true, 1) => vectors::<true, true, true>(f),
            (false, false, _) => vectors::<false, false, false>(f),
            (true, false, _) => vectors::<true, false, false>(f),
            (false, true, _) => vectors::<false, true, false>(f),
            (true, true, _) => vectors::<true, true, false>(f),
        }
        finish::look_up(f);
    }
}

/// A shift to the right whose result fits 32 bits.
struct Shift {
    /// n of even channels.
    right: __m256i,
    /// 32 - n of odd channels.
    left: __m256i,
    /// s - n.
    rest: __m256i,
}

impl Shift {
    /// `s: i32[8]`, each in 0..=63.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(s: __m256i) -> Self {
        let most = _mm256_set1_epi32(32);
        let n = _mm256_min_epi32(s, most);
        let odd = _mm256_srli_epi64::<32>(_mm256_sub_epi32(most, n));
        // The compiler is shown that no shift reaches 64, so that it guards none.
        let small = _mm256_set1_epi64x(63);
        Self {
            right: _mm256_and_si256(n, small),
            left: _mm256_and_si256(odd, small),
            rest: _mm256_sub_epi32(s, n),
        }
    }

    /// Of the 64-bit lanes of even and of odd channels.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn apply(&self, even: __m256i, odd: __m256i) -> __m256i {
        let even = _mm256_srlv_epi64(even, self.right);
        let odd = _mm256_sllv_epi64(odd, self.left);
        let both = _mm256_blend_epi32::<0b1010_1010>(even, odd);
        _mm256_srav_epi32(both, self.rest)
    }
}

/// The even numbers of `x`, as 64-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn low_halves(x: __m256i) -> __m256i {
    _mm256_and_si256(x, _mm256_set1_epi64x(0xffff_ffff))
}

/// The odd numbers of `x`, where products read them.
#[inline]
#[target_feature(enable = "avx2")]
fn odd_lanes(x: __m256i) -> __m256i {
    _mm256_shuffle_epi32::<0b11_11_01_01>(x)
}

/// `2^(s-1)`.
#[inline]
#[target_feature(enable = "avx2")]
fn half(s: __m256i) -> __m256i {
    _mm256_srli_epi64::<1>(_mm256_sllv_epi64(_mm256_set1_epi64x(1), s))
}

/// What is fixed about eight channels; pairs are those of the even and of the odd ones.
struct Constants {
    multiplier: [__m256i; 2],
    addend: [__m256i; 2],
    half: [__m256i; 2],
    shift: Shift,
    /// `bias * 2^15 + 2^(S-1)`.
    offset: [__m256i; 2],
    factor_shift: Shift,
}

impl Constants {
    /// # Safety
    ///
    /// AVX2 is there and `f` keeps its promise.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load(f: &Finish) -> Self {
        // SAFETY: the maker of `f` promises whole vectors of constants.
        let (m, a, s) = unsafe {
            (
                _mm256_cvtepu16_epi32(_mm_loadu_si128(f.multiplier.cast())),
                _mm256_cvtepu16_epi32(_mm_loadu_si128(f.addend_multiplier.cast())),
                _mm256_cvtepu8_epi32(_mm_loadl_epi64(f.shift.cast())),
            )
        };
        let mut offset = [_mm256_setzero_si256(); 2];
        // Behind a row factor an addend counts 2^15 times; A has 15 bits.
        let mut a = a;
        if let Some(shift) = f.rule.factor_shift {
            a = _mm256_slli_epi32::<{ FACTOR_BITS as i32 }>(a);
            // SAFETY: with a factor shift the maker of `f` promises a whole vector of biases.
            let bias = unsafe { _mm256_loadu_si256(f.factor.bias.cast()) };
            let half = _mm256_set1_epi64x(1 << (shift - 1));
            let scale = _mm256_set1_epi64x(1 << FACTOR_BITS);
            offset = [bias, odd_lanes(bias)]
                .map(|bias| _mm256_add_epi64(_mm256_mul_epi32(bias, scale), half));
        }
        let factor_shift = f.rule.factor_shift.unwrap_or(1) as i32;
        Self {
            multiplier: [m, odd_lanes(m)],
            addend: [a, odd_lanes(a)],
            half: [half(low_halves(s)), half(_mm256_srli_epi64::<32>(s))],
            shift: Shift::new(s),
            offset,
            factor_shift: Shift::new(_mm256_set1_epi32(factor_shift)),
        }
    }
}

/// The shifted values of position `p`, clamped where they may leave 32 bits.
///
/// # Safety
///
/// AVX2 is there, `f` keeps its promise, `p < f.pixels`, and with `ONE` there is one plane.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn shifted<const ADDS: bool, const FACTOR: bool, const ONE: bool>(
    f: &Finish,
    c: &Constants,
    p: usize,
) -> __m256i {
    let at = f.sums.wrapping_add(p * f.sums_step);
    let mut sum = c.half;
    for plane in 0..if ONE { 1 } else { f.planes } {
        // SAFETY: vector `p` of `f.pixels` of this plane.
        let acc = unsafe { _mm256_loadu_si256(at.wrapping_add(plane * f.plane_step).cast()) };
        sum[0] = _mm256_add_epi64(sum[0], _mm256_mul_epi32(acc, c.multiplier[0]));
        sum[1] = _mm256_add_epi64(sum[1], _mm256_mul_epi32(odd_lanes(acc), c.multiplier[1]));
    }
    let mut addend = [_mm256_setzero_si256(); 2];
    if ADDS {
        // SAFETY: the promise of `f`, position `p`.
        let x = unsafe { load_addend(f, p * f.pixel_step) };
        addend = [
            _mm256_mul_epi32(x, c.addend[0]),
            _mm256_mul_epi32(odd_lanes(x), c.addend[1]),
        ];
    }
    if ADDS && !FACTOR {
        sum = [0, 1].map(|i| _mm256_add_epi64(sum[i], addend[i]));
    }
    let t = c.shift.apply(sum[0], sum[1]);
    if !FACTOR {
        return t;
    }
    // SAFETY: with a factor shift the maker of `f` promises a factor for each position.
    let factor = unsafe { *f.factor.at.add(p * f.factor.step) };
    let vector = _mm256_set1_epi32(factor);
    let mut wide = [
        _mm256_add_epi64(_mm256_mul_epi32(t, vector), c.offset[0]),
        _mm256_add_epi64(_mm256_mul_epi32(odd_lanes(t), vector), c.offset[1]),
    ];
    if ADDS {
        wide = [0, 1].map(|i| _mm256_add_epi64(wide[i], addend[i]));
    }
    if f.rule.factor_max < i64::from(factor.unsigned_abs()) {
        return clamped(f, wide);
    }
    c.factor_shift.apply(wide[0], wide[1])
}

/// `clamp(wide >> S, lo, hi)` where the shifted value may leave 32 bits:
/// `x >> S = ((x ^ 2^63) >>> S) - (2^63 >>> S)`.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn clamped(f: &Finish, wide: [__m256i; 2]) -> __m256i {
    let shift = _mm256_set1_epi64x(f.rule.factor_shift.unwrap_or(1).into());
    let sign = _mm256_set1_epi64x(i64::MIN);
    let fix = _mm256_srlv_epi64(sign, shift);
    let [lo, hi] = [f.rule.lo, f.rule.hi].map(|bound| _mm256_set1_epi64x(bound.into()));
    let [even, odd] = wide.map(|x| {
        let v = _mm256_sub_epi64(_mm256_srlv_epi64(_mm256_xor_si256(x, sign), shift), fix);
        let v = _mm256_blendv_epi8(v, lo, _mm256_cmpgt_epi64(lo, v));
        _mm256_blendv_epi8(v, hi, _mm256_cmpgt_epi64(v, hi))
    });
    _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<32>(odd))
}

/// Requantisation where shifted values fit 32 bits; no table.
///
/// # Safety
///
/// AVX2 is there, `f` keeps its promise, and with `ONE` there is one plane.
#[target_feature(enable = "avx2")]
unsafe fn vectors<const ADDS: bool, const FACTOR: bool, const ONE: bool>(f: &Finish) {
    // SAFETY: the maker of `f` promises whole vectors of constants and sums, and room for
    // `f.channels` elements at each of `f.pixels` positions.
    unsafe {
        let c = Constants::load(f);
        let clamps_to_bytes = -128 <= f.rule.lo && f.rule.hi <= 127;
        let whole = f.channels == LANES;
        match f.output {
            RawOutput::I8(to) if whole && clamps_to_bytes && 4 <= f.pixels => {
                let mut p = 0;
                while p < f.pixels {
                    // The last four positions may overlap the ones before.
                    p = p.min(f.pixels - 4);
                    let values = [
                        shifted::<ADDS, FACTOR, ONE>(f, &c, p),
                        shifted::<ADDS, FACTOR, ONE>(f, &c, p + 1),
                        shifted::<ADDS, FACTOR, ONE>(f, &c, p + 2),
                        shifted::<ADDS, FACTOR, ONE>(f, &c, p + 3),
                    ];
                    store_four(f, to.wrapping_add(p * f.pixel_step), values);
                    p += 4;
                }
            }
            RawOutput::I16(to) if whole && 2 <= f.pixels => {
                let mut p = 0;
                while p < f.pixels {
                    // The last two positions may overlap the ones before.
                    p = p.min(f.pixels - 2);
                    let values = [
                        shifted::<ADDS, FACTOR, ONE>(f, &c, p),
                        shifted::<ADDS, FACTOR, ONE>(f, &c, p + 1),
                    ];
                    store_two(f, to.wrapping_add(p * f.pixel_step), values);
                    p += 2;
                }
            }
            RawOutput::I8(_) | RawOutput::I16(_) | RawOutput::I32(_) => {
                let (lo, hi) = (_mm256_set1_epi32(f.rule.lo), _mm256_set1_epi32(f.rule.hi));
                for p in 0..f.pixels {
                    let y = shifted::<ADDS, FACTOR, ONE>(f, &c, p);
                    let y = _mm256_min_epi32(_mm256_max_epi32(y, lo), hi);
                    store(f, p * f.pixel_step, y);
                }
            }
        }
    }
}

/// Narrows four positions with saturation, clamps the bytes (both keep the order of values, so the
/// result is the clamp of the wide value), and writes them.
///
/// # Safety
///
/// AVX2 is there, and eight bytes can be written at each of four positions from `to` on.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_four(f: &Finish, to: *mut u8, y: [__m256i; 4]) {
    let words = [
        _mm256_packs_epi32(y[0], y[1]),
        _mm256_packs_epi32(y[2], y[3]),
    ];
    // Each 128-bit lane holds four channels of each position; gather the positions.
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words[0], words[1]), order);
    let bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8(f.rule.lo as i8));
    let bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8(f.rule.hi as i8));
    let bytes = _mm256_xor_si256(bytes, _mm256_set1_epi8(f.rule.flip as i8));
    let halves = [
        _mm256_castsi256_si128(bytes),
        _mm256_extracti128_si256::<1>(bytes),
    ];
    for (i, half) in halves.into_iter().enumerate() {
        let at = to.wrapping_add(2 * i * f.pixel_step);
        // SAFETY: the caller's promise, two positions at a time.
        unsafe {
            _mm_storel_epi64(at.cast(), half);
            _mm_storeh_pd(at.wrapping_add(f.pixel_step).cast(), _mm_castsi128_pd(half));
        }
    }
}

/// Narrows two positions to 16 bits with saturation, clamps and writes them.
///
/// # Safety
///
/// AVX2 is there, and eight elements can be written at `to` and a `pixel_step` further.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_two(f: &Finish, to: *mut i16, y: [__m256i; 2]) {
    // Each 128-bit lane holds four channels of either position; gather the positions.
    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(y[0], y[1]));
    let words = _mm256_max_epi16(words, _mm256_set1_epi16(f.rule.lo as i16));
    let words = _mm256_min_epi16(words, _mm256_set1_epi16(f.rule.hi as i16));
    // SAFETY: the caller's promise.
    unsafe {
        _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(words));
        let second = to.wrapping_add(f.pixel_step);
        _mm_storeu_si128(second.cast(), _mm256_extracti128_si256::<1>(words));
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
