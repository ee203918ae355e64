//! Requantisation on sixteen lanes of AVX-512; the formulas are those of [`crate::finish`].
//!
//! Products, sums and shifts are made in 64-bit lanes, of the even and of the odd channels apart.

use core::arch::x86_64::{
    __m512i, __mmask16, _mm_loadu_si128, _mm_mask_storeu_epi8, _mm_maskz_loadu_epi8, _mm_set1_epi8,
    _mm_storeu_si128, _mm_xor_si128, _mm256_loadu_si256, _mm256_mask_storeu_epi16,
    _mm256_maskz_loadu_epi16, _mm256_storeu_si256, _mm512_add_epi64, _mm512_and_si512,
    _mm512_castsi512_si128, _mm512_castsi512_si256, _mm512_cvtepi8_epi32, _mm512_cvtepi16_epi32,
    _mm512_cvtepi32_epi8, _mm512_cvtepi32_epi16, _mm512_cvtepu8_epi32, _mm512_cvtepu16_epi32,
    _mm512_extracti32x4_epi32, _mm512_extracti64x4_epi64, _mm512_loadu_si512,
    _mm512_mask_shuffle_epi32, _mm512_mask_storeu_epi32, _mm512_maskz_loadu_epi32, _mm512_max_epi8,
    _mm512_max_epi16, _mm512_max_epi32, _mm512_max_epi64, _mm512_min_epi8, _mm512_min_epi16,
    _mm512_min_epi32, _mm512_min_epi64, _mm512_mul_epi32, _mm512_packs_epi16, _mm512_packs_epi32,
    _mm512_permutexvar_epi32, _mm512_permutexvar_epi64, _mm512_set1_epi8, _mm512_set1_epi16,
    _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setr_epi32, _mm512_setr_epi64,
    _mm512_setzero_si512, _mm512_shuffle_epi32, _mm512_slli_epi32, _mm512_sllv_epi32,
    _mm512_sllv_epi64, _mm512_srav_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi32,
    _mm512_xor_si512,
};

use crate::finish::{self, ADDEND_BITS, FACTOR_BITS, Finish, RawAddend, RawOutput};

const LANES: usize = 16;

/// Requantises, with the scalar path where shifted values may leave 32 bits.
///
/// # Safety
///
/// AVX-512 is there and `f` keeps its promise.
pub(super) unsafe fn finish(f: &Finish) {
    // SAFETY: the caller passes on both promises.
    unsafe {
        if !f.rule.fits {
            return finish::scalar(f);
        }
        let adds = !matches!(f.addend, RawAddend::None);
        match (adds, f.rule.factor_shift, f.rule.raises) {
            (false, None, false) => vectors::<false, false, false>(f),
            (true, None, false) => vectors::<true, false, false>(f),
            (false, None, true) => vectors::<false, false, true>(f),
            (true, None, true) => vectors::<true, false, true>(f),
            (false, Some(_), _) => vectors::<false, true, false>(f),
            (true, Some(_), _) => vectors::<true, true, false>(f),
        }
        finish::look_up(f);
    }
}

/// Requantises two whole vectors side by side to bytes; says no to anything else.
///
/// # Safety
///
/// AVX-512 is there, `finish` keeps its promise and has 32 channels.
pub(crate) unsafe fn finish_two(finish: &Finish) -> bool {
    let rule = &finish.rule;
    let clamps_to_bytes = -128 <= rule.lo && rule.hi <= 127;
    let RawOutput::I8(to) = finish.output else {
        return false;
    };
    if !clamps_to_bytes || !rule.fits || rule.factor_shift.is_some() || finish.pixels < 2 {
        return false;
    }
    let adds = !matches!(finish.addend, RawAddend::None);
    // SAFETY: the caller passes on both promises.
    unsafe {
        match (adds, rule.raises) {
            (false, false) => two_vectors::<false, false>(finish, to),
            (true, false) => two_vectors::<true, false>(finish, to),
            (false, true) => two_vectors::<false, true>(finish, to),
            (true, true) => two_vectors::<true, true>(finish, to),
        }
        finish::look_up(finish);
    }
    true
}

/// # Safety
///
/// As for [`finish_two`]; what it refuses has been refused, and `to` is where `f` writes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn two_vectors<const ADDS: bool, const RAISED: bool>(f: &Finish, to: *mut u8) {
    let second = Finish {
        multiplier: f.multiplier.wrapping_add(LANES),
        addend_multiplier: f.addend_multiplier.wrapping_add(LANES),
        shift: f.shift.wrapping_add(LANES),
        sums: f.sums.wrapping_add(LANES),
        channels: LANES,
        addend: f.addend.add(LANES),
        ..*f
    };
    let first = Finish {
        channels: LANES,
        ..*f
    };
    // SAFETY: the maker of `f` promises two vectors of constants, sums and elements.
    unsafe {
        let (a, b) = (
            Constants::load::<RAISED>(&first),
            Constants::load::<RAISED>(&second),
        );
        let mut p = 0;
        while p < f.pixels {
            // The last two positions may overlap the ones before.
            p = p.min(f.pixels - 2);
            let values = [
                shifted::<ADDS, false, RAISED>(&first, &a, p),
                shifted::<ADDS, false, RAISED>(&second, &b, p),
                shifted::<ADDS, false, RAISED>(&first, &a, p + 1),
                shifted::<ADDS, false, RAISED>(&second, &b, p + 1),
            ];
            let bytes = narrow(f, values);
            let at = to.wrapping_add(p * f.pixel_step);
            _mm256_storeu_si256(at.cast(), _mm512_castsi512_si256(bytes));
            let next = at.wrapping_add(f.pixel_step);
            _mm256_storeu_si256(next.cast(), _mm512_extracti64x4_epi64::<1>(bytes));
            p += 2;
        }
    }
}

/// The constants of sixteen channels; 64-bit lanes hold the even and the odd ones.
struct Constants {
    multiplier: [__m512i; 2],
    addend: [__m512i; 2],
    shift: [__m512i; 2],
    half: [__m512i; 2],
    /// With a row factor: `bias * 2^15 + 2^(S-1)`, S, and the clamp.
    offset: [__m512i; 2],
    factor_shift: __m512i,
    clamp: [__m512i; 2],
    mask: __mmask16,
}

/// Odd lanes of a vector, moved to where the products read them.
#[inline]
#[target_feature(enable = "avx512f")]
fn odd_lanes(x: __m512i) -> __m512i {
    _mm512_shuffle_epi32::<0b11_11_01_01>(x)
}

impl Constants {
    /// # Safety
    ///
    /// AVX-512 is there and `f` keeps its promise.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn load<const RAISED: bool>(f: &Finish) -> Self {
        // SAFETY: the maker of `f` promises whole vectors of constants.
        let (m, a, s) = unsafe {
            (
                _mm512_cvtepu16_epi32(_mm256_loadu_si256(f.multiplier.cast())),
                _mm512_cvtepu16_epi32(_mm256_loadu_si256(f.addend_multiplier.cast())),
                _mm512_cvtepu8_epi32(_mm_loadu_si128(f.shift.cast())),
            )
        };
        let (m, a, s) = if RAISED {
            // A factor of 0 may be shifted too far: that leaves 0.
            let left = |target: u32, x| {
                _mm512_sllv_epi32(x, _mm512_sub_epi32(_mm512_set1_epi32(target as i32), s))
            };
            (
                left(32, m),
                left(32 - ADDEND_BITS, a),
                _mm512_set1_epi32(32),
            )
        } else {
            (m, a, s)
        };
        // Behind a row factor an addend counts 2^15 times; A has 15 bits.
        let a = match f.rule.factor_shift {
            None => a,
            Some(_) => _mm512_slli_epi32::<FACTOR_BITS>(a),
        };
        let low = _mm512_set1_epi64(0xffff_ffff);
        let shift = [_mm512_and_si512(s, low), _mm512_srli_epi64::<32>(s)];
        let one = _mm512_set1_epi64(1);
        let (mut offset, mut factor_shift) = ([_mm512_setzero_si512(); 2], one);
        if let Some(shift) = f.rule.factor_shift {
            factor_shift = _mm512_set1_epi64(shift.into());
            // SAFETY: with a factor shift the maker of `f` promises a whole vector of biases.
            let bias = unsafe { _mm512_loadu_si512(f.factor.bias.cast()) };
            let half = _mm512_set1_epi64(1 << (shift - 1));
            let scale = _mm512_set1_epi64(1 << FACTOR_BITS);
            offset = [bias, odd_lanes(bias)]
                .map(|bias| _mm512_add_epi64(_mm512_mul_epi32(bias, scale), half));
        }
        Self {
            offset,
            factor_shift,
            clamp: [f.rule.lo, f.rule.hi].map(|bound| _mm512_set1_epi64(bound.into())),
            multiplier: [m, _mm512_srli_epi64::<32>(m)],
            addend: [a, _mm512_srli_epi64::<32>(a)],
            shift,
            half: shift.map(|s| _mm512_srli_epi64::<1>(_mm512_sllv_epi64(one, s))),
            mask: ((1_u32 << f.channels) - 1) as __mmask16,
        }
    }
}

/// The shifted values of position `p`, with a row factor clamped.
///
/// # Safety
///
/// AVX-512 is there, `f` keeps its promise, and `p < f.pixels`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn shifted<const ADDS: bool, const FACTOR: bool, const RAISED: bool>(
    f: &Finish,
    c: &Constants,
    p: usize,
) -> __m512i {
    let at = f.sums.wrapping_add(p * f.sums_step);
    // SAFETY: vector `p` of `f.pixels` of the first plane.
    let acc = unsafe { _mm512_loadu_si512(at.cast()) };
    let mut even = _mm512_add_epi64(_mm512_mul_epi32(acc, c.multiplier[0]), c.half[0]);
    let mut odd = _mm512_add_epi64(_mm512_mul_epi32(odd_lanes(acc), c.multiplier[1]), c.half[1]);
    // Constants are raised only where there is one plane.
    let planes = if RAISED { 1 } else { f.planes };
    for plane in 1..planes {
        // SAFETY: vector `p` of `f.pixels` of this plane.
        let acc = unsafe { _mm512_loadu_si512(at.wrapping_add(plane * f.plane_step).cast()) };
        even = _mm512_add_epi64(even, _mm512_mul_epi32(acc, c.multiplier[0]));
        odd = _mm512_add_epi64(odd, _mm512_mul_epi32(odd_lanes(acc), c.multiplier[1]));
    }
    let mut addend = [_mm512_setzero_si512(); 2];
    if ADDS {
        // SAFETY: the promise of `f`, position `p`; masked lanes are not read.
        let x = unsafe { load_addend(f, p * f.pixel_step, c.mask) };
        let x = if RAISED {
            _mm512_slli_epi32::<ADDEND_BITS>(x)
        } else {
            x
        };
        addend = [
            _mm512_mul_epi32(x, c.addend[0]),
            _mm512_mul_epi32(odd_lanes(x), c.addend[1]),
        ];
    }
    if ADDS && !FACTOR {
        even = _mm512_add_epi64(even, addend[0]);
        odd = _mm512_add_epi64(odd, addend[1]);
    }
    if RAISED {
        // Upper halves: those of the odd lanes are where they belong, even lanes take theirs.
        return _mm512_mask_shuffle_epi32::<0b11_11_01_01>(odd, 0x5555, even);
    }
    even = _mm512_srav_epi64(even, c.shift[0]);
    odd = _mm512_srav_epi64(odd, c.shift[1]);
    if FACTOR {
        // SAFETY: with a factor shift the maker of `f` promises a factor for each position.
        let factor = unsafe { *f.factor.at.add(p * f.factor.step) };
        let vector = _mm512_set1_epi64(factor.into());
        let apply = |t, i: usize| {
            let mut v = _mm512_add_epi64(_mm512_mul_epi32(t, vector), c.offset[i]);
            if ADDS {
                v = _mm512_add_epi64(v, addend[i]);
            }
            _mm512_srav_epi64(v, c.factor_shift)
        };
        (even, odd) = (apply(even, 0), apply(odd, 1));
        if f.rule.factor_max < i64::from(factor.unsigned_abs()) {
            let clamp = |v| _mm512_min_epi64(_mm512_max_epi64(v, c.clamp[0]), c.clamp[1]);
            (even, odd) = (clamp(even), clamp(odd));
        }
    }
    // Odd lanes take the low half of `odd`, even lanes stay.
    _mm512_mask_shuffle_epi32::<0b10_10_00_00>(even, 0xaaaa, odd)
}

/// Requantisation on sixteen lanes, for nodes whose shifted values fit 32 bits; no table.
///
/// # Safety
///
/// AVX-512 is there and `f` keeps its promise.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn vectors<const ADDS: bool, const FACTOR: bool, const RAISED: bool>(f: &Finish) {
    // SAFETY: the maker of `f` promises whole vectors of constants and sums, and room for
    // `f.channels` elements at each of `f.pixels` positions.
    unsafe {
        let c = Constants::load::<RAISED>(f);
        let clamps_to_bytes = -128 <= f.rule.lo && f.rule.hi <= 127;
        if let (RawOutput::I8(to), true, true) = (f.output, clamps_to_bytes, 4 <= f.pixels) {
            let mut p = 0;
            while p < f.pixels {
                // The last four positions may overlap the ones before.
                p = p.min(f.pixels - 4);
                let values = [
                    shifted::<ADDS, FACTOR, RAISED>(f, &c, p),
                    shifted::<ADDS, FACTOR, RAISED>(f, &c, p + 1),
                    shifted::<ADDS, FACTOR, RAISED>(f, &c, p + 2),
                    shifted::<ADDS, FACTOR, RAISED>(f, &c, p + 3),
                ];
                store_four(f, to, p, c.mask, values);
                p += 4;
            }
            return;
        }
        if let (RawOutput::I16(to), LANES, true) = (f.output, f.channels, 2 <= f.pixels) {
            let mut p = 0;
            while p < f.pixels {
                // The last two positions may overlap the ones before.
                p = p.min(f.pixels - 2);
                let values = [
                    shifted::<ADDS, FACTOR, RAISED>(f, &c, p),
                    shifted::<ADDS, FACTOR, RAISED>(f, &c, p + 1),
                ];
                store_two(f, to.wrapping_add(p * f.pixel_step), values);
                p += 2;
            }
            return;
        }
        let (lo, hi) = (_mm512_set1_epi32(f.rule.lo), _mm512_set1_epi32(f.rule.hi));
        for p in 0..f.pixels {
            let y = shifted::<ADDS, FACTOR, RAISED>(f, &c, p);
            let y = _mm512_min_epi32(_mm512_max_epi32(y, lo), hi);
            store(f, p * f.pixel_step, c.mask, y);
        }
    }
}

/// Narrows four vectors to bytes, one behind the other: with saturation first, then the clamp of the
/// bytes (both keep the order of values, so the result is the clamp of the wide value).
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn narrow(f: &Finish, y: [__m512i; 4]) -> __m512i {
    let words = [
        _mm512_packs_epi32(y[0], y[1]),
        _mm512_packs_epi32(y[2], y[3]),
    ];
    // Each 128-bit lane holds four channels of each vector; gather the vectors.
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let bytes = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(words[0], words[1]));
    let bytes = _mm512_max_epi8(bytes, _mm512_set1_epi8(f.rule.lo as i8));
    let bytes = _mm512_min_epi8(bytes, _mm512_set1_epi8(f.rule.hi as i8));
    _mm512_xor_si512(bytes, _mm512_set1_epi8(f.rule.flip as i8))
}

/// Narrows four positions and writes them.
///
/// # Safety
///
/// AVX-512 is there, and `f.channels` bytes can be written at each of positions `p..p + 4`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn store_four(f: &Finish, to: *mut u8, p: usize, mask: __mmask16, y: [__m512i; 4]) {
    let bytes = narrow(f, y);
    let at = to.wrapping_add(p * f.pixel_step);
    // SAFETY: full vectors write sixteen bytes of each position, which exist; others are masked.
    unsafe {
        if f.pixel_step == LANES && f.channels == LANES {
            _mm512_storeu_si512(at.cast(), bytes);
            return;
        }
        let parts = [
            _mm512_castsi512_si128(bytes),
            _mm512_extracti32x4_epi32::<1>(bytes),
            _mm512_extracti32x4_epi32::<2>(bytes),
            _mm512_extracti32x4_epi32::<3>(bytes),
        ];
        for (i, part) in parts.into_iter().enumerate() {
            let at = at.wrapping_add(i * f.pixel_step);
            if f.channels == LANES {
                _mm_storeu_si128(at.cast(), part);
            } else {
                _mm_mask_storeu_epi8(at.cast(), mask, part);
            }
        }
    }
}

/// Narrows two positions of sixteen channels to 16 bits with saturation, clamps and writes them.
///
/// # Safety
///
/// AVX-512 is there, and sixteen elements can be written at `to` and a `pixel_step` further.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn store_two(f: &Finish, to: *mut i16, y: [__m512i; 2]) {
    // Each 128-bit lane holds four channels of either position; gather the positions.
    let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    let words = _mm512_permutexvar_epi64(order, _mm512_packs_epi32(y[0], y[1]));
    let words = _mm512_max_epi16(words, _mm512_set1_epi16(f.rule.lo as i16));
    let words = _mm512_min_epi16(words, _mm512_set1_epi16(f.rule.hi as i16));
    // SAFETY: the caller's promise.
    unsafe {
        _mm256_storeu_si256(to.cast(), _mm512_castsi512_si256(words));
        let second = to.wrapping_add(f.pixel_step);
        _mm256_storeu_si256(second.cast(), _mm512_extracti64x4_epi64::<1>(words));
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
            RawAddend::I16(x) if mask == __mmask16::MAX => {
                _mm512_cvtepi16_epi32(_mm256_loadu_si256(x.add(at).cast()))
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
