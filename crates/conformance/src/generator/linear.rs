//! Weights, constants, clamps and tables of a random linear node.

use selfsame_ir::{ChannelConstants, DType, Linear};
use selfsame_protocol::constants::{BIAS_MAX, MULTIPLIER_MAX, SHIFT_MAX};

use super::rng::Rng;

/// What the tensors' sizes follow from.
pub(super) struct Shape {
    pub(super) out_channels: u32,
    pub(super) terms: u32,
    /// Element type of x.
    pub(super) operand: DType,
    /// False where the node is too large to be kept: its tensors stay empty.
    pub(super) drawn: bool,
}

/// A linear part whose outputs are a few, most, or far more units than the clamp holds.
pub(super) fn draw(rng: &mut Rng, shape: &Shape, dtype: DType, addend: Option<DType>) -> Linear {
    let (channels, terms) = if shape.drawn {
        (shape.out_channels, shape.terms)
    } else {
        (0, 0)
    };
    let extreme = rng.chance(10);
    let weights = (0..u64::from(channels) * u64::from(terms))
        .map(|_| {
            if extreme {
                rng.pick(&[-127, 127])
            } else {
                rng.range(-127, 127)
            }
        })
        .map(|weight| i8::try_from(weight).expect("drawn within int8"))
        .collect();
    let spread =
        deviation(shape.operand) * deviation(DType::I8) * u64::from(shape.terms).isqrt().max(1);
    let goal = match dtype {
        DType::I8 => rng.pick(&[20, 60, 120, 1_000]),
        DType::I16 => rng.pick(&[300, 9_000, 40_000]),
        DType::I32 => rng.pick(&[1_000, 1_000_000, 1 << 33]),
    };
    let partial_sum = dtype == DType::I32 && rng.chance(40);
    let constants = (0..channels)
        .map(|_| {
            if partial_sum {
                identity(rng, spread, addend)
            } else {
                scaled(rng, spread, goal, addend)
            }
        })
        .collect();
    let table = (dtype == DType::I8 && rng.chance(25)).then(|| {
        let mut table = Box::new([0_i8; 256]);
        table.fill_with(|| i8::try_from(rng.range(-127, 127)).expect("drawn within int8"));
        table
    });
    let range = if table.is_some() {
        (-128, 127)
    } else {
        dtype.range()
    };
    let (low, high) = if partial_sum {
        range
    } else {
        clamp(rng, range)
    };
    Linear {
        weights,
        constants,
        addend,
        low,
        high,
        table,
    }
}

/// Standard deviation of elements that are drawn uniformly; of i32 ones, of typical ones.
pub(super) const fn deviation(dtype: DType) -> u64 {
    match dtype {
        DType::I8 => 73,
        DType::I16 => 18_900,
        DType::I32 => 1_000_000,
    }
}

/// Bounds within `range`: all of it, a rectifier, or any two.
pub(super) fn clamp(rng: &mut Rng, (least, most): (i32, i32)) -> (i32, i32) {
    let (low, high) = match rng.below(4) {
        0 | 1 => (i64::from(least), i64::from(most)),
        2 => (0, i64::from(most)),
        _ => {
            let a = rng.range(i64::from(least), i64::from(most));
            let b = rng.range(i64::from(least), i64::from(most));
            (a.min(b), a.max(b))
        }
    };
    (
        i32::try_from(low).expect("within the range"),
        i32::try_from(high).expect("within the range"),
    )
}

/// Multiplier and shift of an average over `cells`, sometimes a multiple of it.
pub(super) fn average(rng: &mut Rng, cells: u32, dtype: DType) -> (u16, u8) {
    let gain = match dtype {
        DType::I8 => rng.pick(&[1, 1, 3]),
        DType::I16 => rng.pick(&[1, 100, 1_000]),
        DType::I32 => rng.pick(&[1, 30_000]),
    };
    let (multiplier, shift) = ratio(gain, u64::from(cells));
    (
        u16::try_from(multiplier).expect("below 2^15"),
        u8::try_from(shift).expect("at most SHIFT_MAX"),
    )
}

fn scaled(rng: &mut Rng, spread: u64, goal: u64, addend: Option<DType>) -> ChannelConstants {
    let (multiplier, shift) = ratio(goal, spread);
    let addend_multiplier = match addend {
        None => 0,
        Some(_) if rng.chance(10) => 0,
        Some(dtype) => {
            let unit = match dtype {
                DType::I8 => 73,
                DType::I16 => 10_000,
                DType::I32 => 1_000_000,
            };
            let wide = (u128::from(goal) << shift) / unit;
            i64::try_from(wide)
                .unwrap_or(i64::MAX)
                .clamp(1, i64::from(MULTIPLIER_MAX))
        }
    };
    ChannelConstants {
        bias: bias(rng, spread),
        multiplier: narrow(multiplier),
        addend_multiplier: narrow(addend_multiplier),
        shift: narrow(shift),
    }
}

/// M = 2, s = 1: the accumulator itself, the link of a chain of partial sums.
fn identity(rng: &mut Rng, spread: u64, addend: Option<DType>) -> ChannelConstants {
    let addend_multiplier = if addend.is_some() { 2 } else { 0 };
    ChannelConstants {
        bias: bias(rng, spread),
        multiplier: 2,
        addend_multiplier,
        shift: 1,
    }
}

/// (M, s) with M / 2^s near goal / spread, M as precise as its limits allow.
pub(super) fn ratio(goal: u64, spread: u64) -> (i64, i64) {
    let most = u128::from(MULTIPLIER_MAX);
    let at = |shift: u32| ((u128::from(goal) << shift) / u128::from(spread)).clamp(1, most);
    let shift = (1..=SHIFT_MAX)
        .find(|&shift| at(shift) > most / 2)
        .unwrap_or(SHIFT_MAX);
    (
        i64::try_from(at(shift)).expect("below 2^15"),
        i64::from(shift),
    )
}

fn bias(rng: &mut Rng, spread: u64) -> i32 {
    let most = i64::from(BIAS_MAX);
    let spread = i64::try_from(spread).unwrap_or(most).min(most);
    narrow(if rng.chance(4) {
        rng.pick(&[-most, most])
    } else {
        rng.range(-spread, spread)
    })
}

fn narrow(value: i64) -> i32 {
    i32::try_from(value).expect("drawn within int32")
}
