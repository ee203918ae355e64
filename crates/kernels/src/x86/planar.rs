//! AVX-512 VNNI tile of [`crate::planar`].

use core::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm_mask_storeu_epi8, _mm256_loadu_si256, _mm512_add_epi64,
    _mm512_broadcast_i32x4, _mm512_castsi256_si512, _mm512_castsi512_si128, _mm512_dpbusd_epi32,
    _mm512_extracti32x4_epi32, _mm512_mask_shuffle_epi32, _mm512_max_epi8, _mm512_min_epi8,
    _mm512_mul_epi32, _mm512_packs_epi16, _mm512_packs_epi32, _mm512_permutexvar_epi32,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setr_epi32,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_epi32, _mm512_srav_epi64,
    _mm512_unpackhi_epi32, _mm512_unpacklo_epi32, _mm512_xor_si512,
};

use crate::planar::{OUTPUTS_MAX, PlanarTile};

/// Computes and requantises sixteen positions.
///
/// # Safety
///
/// The processor has AVX-512 with F, BW, DQ, VL and VNNI; `t` keeps its promise, its node needs no
/// more than 32 bits for shifted values, and clamps to bytes.
pub(crate) unsafe fn tile(t: &PlanarTile) {
    const { assert!(OUTPUTS_MAX == 8) };
    // SAFETY: the caller's promises, passed on; the maker of `t` promises at most eight outputs.
    unsafe {
        match t.outputs {
            1 => tile_of::<1>(t),
            2 => tile_of::<2>(t),
            3 => tile_of::<3>(t),
            4 => tile_of::<4>(t),
            5 => tile_of::<5>(t),
            6 => tile_of::<6>(t),
            7 => tile_of::<7>(t),
            _ => tile_of::<8>(t),
        }
    }
}

/// # Safety
///
/// As for [`tile`], and `t.outputs` is `O`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn tile_of<const O: usize>(t: &PlanarTile) {
    // Lane l of 128 bits takes double words l and l + 1, then four overlapping windows of them.
    let spread = _mm512_setr_epi32(0, 1, 0, 0, 1, 2, 0, 0, 2, 3, 0, 0, 3, 4, 0, 0);
    let windows = lanes([0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6]);
    let mut sums = [_mm512_setzero_si512(); 8];
    // SAFETY: the maker of `t` promises that everything read below exists.
    unsafe {
        for (o, sum) in sums.iter_mut().enumerate().take(O) {
            *sum = _mm512_set1_epi32(*t.bias.add(o));
        }
        let mut w: *const i32 = t.weights.cast();
        for &run in t.runs {
            for group in 0..t.groups {
                let bytes = _mm256_loadu_si256(t.input.add(run + 4 * group).cast());
                let bytes = _mm512_permutexvar_epi32(spread, _mm512_castsi256_si512(bytes));
                let x = _mm512_shuffle_epi8(bytes, windows);
                for (o, sum) in sums.iter_mut().enumerate().take(O) {
                    *sum =
                        _mm512_dpbusd_epi32(*sum, x, _mm512_set1_epi32(w.add(o).read_unaligned()));
                }
                w = w.add(O);
            }
        }
        for (o, sum) in sums.iter_mut().enumerate().take(O) {
            *sum = shifted(*sum, *t.multiplier.add(o), *t.shift.add(o));
        }
        store::<O>(t, &sums);
    }
}

/// `(acc * m + 2^(s-1)) >> s` of sixteen positions.
#[inline]
#[target_feature(enable = "avx512f")]
fn shifted(acc: __m512i, m: u16, s: u8) -> __m512i {
    let (m, half) = (_mm512_set1_epi32(m.into()), _mm512_set1_epi64(1 << (s - 1)));
    let s = _mm512_set1_epi64(i64::from(s));
    let odd = _mm512_shuffle_epi32::<0b11_11_01_01>(acc);
    let even = _mm512_srav_epi64(_mm512_add_epi64(_mm512_mul_epi32(acc, m), half), s);
    let odd = _mm512_srav_epi64(_mm512_add_epi64(_mm512_mul_epi32(odd, m), half), s);
    _mm512_mask_shuffle_epi32::<0b10_10_00_00>(even, 0xaaaa, odd)
}

/// Narrows, clamps and writes `[16][O]` bytes from eight vectors of sixteen positions each.
///
/// # Safety
///
/// As for [`tile`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn store<const O: usize>(t: &PlanarTile, y: &[__m512i; 8]) {
    // Four channels of four positions in each 128-bit lane, turned to four positions of four.
    let turn = lanes([0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]);
    let clamp = |bytes| {
        let bytes = _mm512_max_epi8(bytes, _mm512_set1_epi8(t.rule.lo as i8));
        let bytes = _mm512_min_epi8(bytes, _mm512_set1_epi8(t.rule.hi as i8));
        _mm512_xor_si512(bytes, _mm512_set1_epi8(t.rule.flip as i8))
    };
    let four = |a, b, c, d| {
        let words = (_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        _mm512_shuffle_epi8(clamp(_mm512_packs_epi16(words.0, words.1)), turn)
    };
    let (first, second) = (four(y[0], y[1], y[2], y[3]), four(y[4], y[5], y[6], y[7]));
    // Two positions of eight channels in each 128-bit lane, then without the absent channels.
    let mut close = [0_i8; 16];
    for (i, from) in close.iter_mut().enumerate().take(2 * O) {
        *from = (i / O * 8 + i % O) as i8;
    }
    let close = lanes(close);
    let pairs = [
        _mm512_shuffle_epi8(_mm512_unpacklo_epi32(first, second), close),
        _mm512_shuffle_epi8(_mm512_unpackhi_epi32(first, second), close),
    ];
    let mask = ((1_u32 << (2 * O)) - 1) as u16;
    for (i, pair) in pairs.into_iter().enumerate() {
        let quarters = [
            _mm512_castsi512_si128(pair),
            _mm512_extracti32x4_epi32::<1>(pair),
            _mm512_extracti32x4_epi32::<2>(pair),
            _mm512_extracti32x4_epi32::<3>(pair),
        ];
        for (lane, quarter) in quarters.into_iter().enumerate() {
            // SAFETY: two positions of `O` bytes, which the maker of `t` promises.
            unsafe {
                let to = t.output.add((4 * lane + 2 * i) * O);
                _mm_mask_storeu_epi8(to.cast(), mask, quarter);
            }
        }
    }
}

/// The same sixteen bytes in each 128-bit lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn lanes(bytes: [i8; 16]) -> __m512i {
    // SAFETY: sixteen readable bytes.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}
