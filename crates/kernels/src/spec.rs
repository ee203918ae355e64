//! What is fixed about a linear node, and every check that packing relies on.
//!
//! [`check`] proves that counts and ranges are right, and [`Steps::new`] that no window of any
//! output position reads outside the stored input; the unsafe code of the crate trusts both.

use thiserror::Error;

use crate::bytes::SLACK;
use crate::finish::factor_max;
use crate::grid::Grid;
use crate::kernel::Kernel;
use crate::pack::Runs;
use crate::planar;
use crate::sums::Sums;

/// Everything that is fixed about a linear node.
#[derive(Debug, Clone, Copy)]
pub struct LinearSpec<'a> {
    /// Stored input; its halo holds the padding.
    pub input: Grid,
    /// Bits of an element of the input.
    pub bits: Bits,
    /// Whether no element of the input is negative. Some sets multiply such bytes faster; if the caller
    /// errs, sums are wrong.
    pub non_negative: bool,
    /// Stored output.
    pub output: Grid,
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Steps of the window.
    pub stride: [usize; 2],
    /// Steps inside the window.
    pub dilation: [usize; 2],
    /// Padding at the top and at the left.
    pub pad: [usize; 2],
    /// Groups of channels, of the input and of the output alike.
    pub groups: usize,
    /// First input channel that is read.
    pub channel_offset: usize,
    /// Input channels that are read.
    pub channel_count: usize,
    /// `[O][kh][kw][channel_count / groups]`, each in -127..=127.
    pub weights: &'a [i8],
    /// Bias, M, A, s of each output channel.
    pub constants: &'a [[i32; 4]],
    /// The largest magnitude of an element of the second input; 0 without one.
    pub addend_max: u32,
    /// Clamp, lower bound.
    pub lo: i32,
    /// Clamp, upper bound.
    pub hi: i32,
    /// Table over the clamped value plus 128.
    pub table: Option<&'a [i8; 256]>,
    /// S in 1..=46: every position has a row factor.
    pub factor_shift: Option<u32>,
}

/// Bits of the elements that are multiplied by weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// Eight; bytes are flipped as the kernel says.
    Eight,
    /// Sixteen; sums that leave 32 bits are made in planes.
    Sixteen,
}

impl Bits {
    /// Bytes of an element.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Sixteen => 2,
        }
    }

    /// Elements of a group, which is four bytes of input: so many weights each lane has for it.
    pub(crate) const fn group_len(self) -> usize {
        4 / self.bytes()
    }

    /// The largest magnitude of an element.
    pub(crate) const fn bound(self) -> i64 {
        match self {
            Self::Eight => 128,
            Self::Sixteen => 32_768,
        }
    }
}

/// Why a linear node was not packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinearError {
    /// A tensor has the wrong number of elements.
    #[error("{what}: {actual} elements, expected {expected}")]
    Count {
        /// Which tensor.
        what: &'static str,
        /// Elements by the shape.
        expected: usize,
        /// Elements given.
        actual: usize,
    },
    /// A number is out of its range.
    #[error("{what}[{index}] is {value}, outside its range")]
    Range {
        /// Which tensor or field.
        what: &'static str,
        /// Its index.
        index: usize,
        /// The value.
        value: i64,
    },
    /// Row factors belong to matrix products.
    #[error("row factors need a window of one cell and one group")]
    Rows,
    /// The window reaches outside the stored input.
    #[error(
        "the window reads element {reached} of {stored} stored inputs; give the input a larger halo"
    )]
    Halo {
        /// One past the last element read.
        reached: usize,
        /// Stored elements.
        stored: usize,
    },
}

/// Refuses -128 among weights of which `least` is the least.
pub(crate) fn check_weights(weights: &[i8], least: i8) -> Result<(), LinearError> {
    if least != i8::MIN {
        return Ok(());
    }
    let index = weights.iter().position(|&w| w == i8::MIN);
    Err(LinearError::Range {
        what: "weights",
        index: index.unwrap_or_default(),
        value: i64::from(i8::MIN),
    })
}

/// Checks counts and ranges, except those of the weights: packing reads them anyway.
pub(crate) fn check(spec: &LinearSpec) -> Result<(), LinearError> {
    check_counts(spec)?;
    check_ranges(spec)
}

fn check_counts(spec: &LinearSpec) -> Result<(), LinearError> {
    let [kh, kw] = spec.kernel;
    let outputs = spec.output.channels();
    let small = |what, value: usize| {
        let value_is_bad = value == 0 || (1 << 20) < value;
        if value_is_bad {
            return Err(LinearError::Range {
                what,
                index: 0,
                value: value as i64,
            });
        }
        Ok(())
    };
    for value in [spec.kernel, spec.stride, spec.dilation].concat() {
        small("window", value)?;
    }
    small("pad", spec.pad[0].max(spec.pad[1]).max(1))?;
    small("groups", spec.groups)?;
    let rows_only = spec.factor_shift.is_some();
    if rows_only && (spec.kernel != [1, 1] || spec.groups != 1) {
        return Err(LinearError::Rows);
    }
    let last = spec.channel_offset.saturating_add(spec.channel_count);
    let slice_is_bad = spec.channel_count == 0 || spec.input.channels() < last;
    let groups_are_bad =
        !spec.channel_count.is_multiple_of(spec.groups) || !outputs.is_multiple_of(spec.groups);
    if slice_is_bad || groups_are_bad {
        let value = spec.channel_count as i64;
        return Err(LinearError::Range {
            what: "channel_count",
            index: 0,
            value,
        });
    }
    let expected = [kh, kw, spec.channel_count / spec.groups]
        .into_iter()
        .fold(outputs, usize::saturating_mul);
    for (what, expected, actual) in [
        ("weights", expected, spec.weights.len()),
        ("constants", outputs, spec.constants.len()),
    ] {
        if expected != actual {
            return Err(LinearError::Count {
                what,
                expected,
                actual,
            });
        }
    }
    Ok(())
}

fn check_ranges(spec: &LinearSpec) -> Result<(), LinearError> {
    for (index, &[_, m, a, s]) in spec.constants.iter().enumerate() {
        for (what, value, range) in [("M", m, 0..=32_767), ("A", a, 0..=32_767), ("s", s, 1..=46)] {
            if !range.contains(&value) {
                return Err(LinearError::Range {
                    what,
                    index,
                    value: i64::from(value),
                });
            }
        }
    }
    if let Some(shift) = spec.factor_shift.filter(|shift| !(1..=46).contains(shift)) {
        return Err(LinearError::Range {
            what: "factor shift",
            index: 0,
            value: shift.into(),
        });
    }
    let table_is_bad = spec.table.is_some() && (spec.lo < -128 || 127 < spec.hi);
    if spec.hi < spec.lo || table_is_bad {
        return Err(LinearError::Range {
            what: "lo",
            index: 0,
            value: i64::from(spec.lo),
        });
    }
    Ok(())
}

/// Where windows start and what they read, in bytes.
pub(crate) struct Steps {
    /// Where the window of position (0, 0) starts.
    pub(crate) origin: usize,
    /// Distance of the windows of neighbouring rows.
    pub(crate) row_step: usize,
    /// Distance of the windows of neighbouring columns.
    pub(crate) pixel_step: usize,
    pub(crate) runs: Runs,
}

impl Steps {
    /// Proves that every window lies inside the stored input, and each row of it inside one row.
    pub(crate) fn new(spec: &LinearSpec) -> Result<Self, LinearError> {
        let [top, left, ..] = spec.input.halo();
        let (channels, row_len) = (spec.input.channels(), spec.input.row_len());
        let columns = row_len / channels;
        let runs = runs(spec);
        let row_step = spec.stride[0] * row_len;
        let pixel_step = spec.stride[1] * channels;
        let last_run = runs.starts.last().copied().unwrap_or(0);
        // The last group of channels starts this far behind the first.
        let group_tail = spec.channel_count - spec.channel_count / spec.groups;
        let origin = (top.saturating_sub(spec.pad[0]) * columns + left.saturating_sub(spec.pad[1]))
            * channels
            + spec.channel_offset;
        let reached = (spec.output.height() - 1)
            .saturating_mul(row_step)
            .saturating_add((spec.output.width() - 1).saturating_mul(pixel_step))
            .saturating_add(origin)
            .saturating_add(last_run)
            .saturating_add(runs.run_len)
            .saturating_add(group_tail);
        // Up to three bytes are read behind a run, and behind one that is padded what its tiles say.
        const { assert!(4 <= SLACK) };
        let span = (spec.output.width() - 1) * spec.stride[1]
            + (spec.kernel[1] - 1) * spec.dilation[1]
            + 1;
        let ends_in_row = left.saturating_sub(spec.pad[1]) + span <= columns;
        let starts_inside = spec.pad[0] <= top && spec.pad[1] <= left;
        if spec.input.len() < reached || !ends_in_row || !starts_inside {
            return Err(LinearError::Halo {
                reached,
                stored: spec.input.len(),
            });
        }
        let size = spec.bits.bytes();
        let starts = runs.starts.iter().map(|start| start * size).collect();
        Ok(Self {
            origin: origin * size,
            row_step: row_step * size,
            pixel_step: pixel_step * size,
            runs: Runs {
                starts,
                run_len: runs.run_len * size,
                padding: 0,
            },
        })
    }
}

/// The runs of the window: whole rows of it where they are contiguous, else single positions. A run has
/// all channels of a group: that of the next group begins behind it.
fn runs(spec: &LinearSpec) -> Runs {
    let [kh, kw] = spec.kernel;
    let channels = spec.input.channels();
    let per_group = spec.channel_count / spec.groups;
    // A start that saturates is refused as out of reach.
    let row = |i: usize| (i * spec.dilation[0]).saturating_mul(spec.input.row_len());
    if per_group == channels && spec.dilation[1] == 1 {
        return Runs {
            starts: (0..kh).map(row).collect(),
            run_len: kw * channels,
            padding: 0,
        };
    }
    let column = |j: usize| (j * spec.dilation[1]).saturating_mul(channels);
    let starts = (0..kh)
        .flat_map(|i| (0..kw).map(move |j| row(i).saturating_add(column(j))))
        .collect();
    Runs {
        starts,
        run_len: per_group,
        padding: 0,
    }
}

/// Whether positions in lanes are possible, and better than channels in lanes.
pub(crate) fn is_planar(spec: &LinearSpec, pixel_step: usize) -> bool {
    const { assert!(planar::READ_BYTES <= SLACK) };
    pixel_step == 1
        && spec.groups == 1
        && spec.bits == Bits::Eight
        && spec.factor_shift.is_none()
        && spec.output.channels() <= planar::OUTPUTS_MAX
        && planar::PIXELS <= spec.output.width()
        && spec.table.is_none()
        && -128 <= spec.lo
        && spec.hi <= 127
        && fits(spec)
}

/// How far values of a node can reach.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// No input brings the shifted value of any channel outside 32 bits: with a row factor the one that
    /// is multiplied by it, else the one that is clamped.
    pub(crate) fits: bool,
    /// No row factor up to this magnitude brings a value outside 32 bits; below 0 any may.
    pub(crate) factor_max: i64,
}

impl Reach {
    /// `sums` are those of the weights.
    pub(crate) fn new(spec: &LinearSpec, sums: &Sums) -> Self {
        let channels = spec.constants.iter().zip(&sums.magnitude);
        let mut most = (0_i64, 0_i64);
        for (&[bias, m, a, s], &magnitude) in channels {
            let products = magnitude * spec.bits.bound();
            let addend = i64::from(spec.addend_max) * i64::from(a);
            let bias = i64::from(bias).abs();
            let sum = match (spec.factor_shift, spec.bits) {
                (Some(_), _) => products * i64::from(m),
                // These accumulators have 32 bits.
                (None, Bits::Eight) => (products + bias).min(1 << 31) * i64::from(m) + addend,
                (None, Bits::Sixteen) => (products + bias) * i64::from(m) + addend,
            };
            let shifted = (sum + (1_i64 << (s - 1))) >> s;
            most = (most.0.max(shifted), most.1.max(bias + addend));
        }
        Self {
            fits: most.0 < i64::from(i32::MAX),
            factor_max: spec
                .factor_shift
                .map_or(0, |shift| factor_max(shift, most.0, most.1 + 1)),
        }
    }
}

/// Whether no input can bring the shifted value of any channel outside 32 bits.
fn fits(spec: &LinearSpec) -> bool {
    let terms = spec.weights.len() / spec.constants.len();
    let sums = Sums::new(Kernel::PORTABLE, spec.weights, terms);
    Reach::new(spec, &sums).fits
}
