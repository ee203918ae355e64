//! The interface section: how inputs are made and outputs are read.

use selfsame_ir::{DType, Interface, Layout as AxisLayout, PixelRule, Ratio};

use super::emit::{Place, fit};
use super::error::CompileError;
use super::inputs::{ProgramInput, held};
use super::layout::Layout;
use crate::float::FloatGraph;
use crate::quant::{exact_ratio, input_ratio};

/// Most bytes of a label.
const LABEL_BYTES_MAX: usize = 256;

/// How to compile.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Name of the model; people read it, it is not part of the id.
    pub name: String,
    /// Names of the classes, in order; empty if the output has none.
    pub labels: Vec<String>,
    /// How pictures become the float input; `None` if the model takes no pictures.
    pub pixels: Option<Pixels>,
}

/// Pictures to floats: `x = (sample / divisor - mean[c]) / deviation[c]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    /// 255 for samples that become 0 to 1.
    pub divisor: f32,
    /// One per channel, 1 to 4 channels.
    pub mean: Vec<f32>,
    /// One per channel.
    pub deviation: Vec<f32>,
}

impl Pixels {
    /// Samples divided by 255, for `channels` channels.
    pub fn unit(channels: usize) -> Self {
        Self {
            divisor: 255.0,
            mean: vec![0.0; channels],
            deviation: vec![1.0; channels],
        }
    }

    /// The float of one 8-bit sample of channel `channel`.
    pub fn float(&self, channel: usize, sample: u8) -> f32 {
        (f32::from(sample) / self.divisor - self.mean[channel]) / self.deviation[channel]
    }
}

/// The interface of a lowered graph whose input and output stand at the given places.
pub(super) fn interface(
    graph: &FloatGraph,
    input: &ProgramInput,
    output: &Place,
    options: &Options,
) -> Result<Interface, CompileError> {
    let (input_name, output_name) = (graph.input_name(), graph.output_name());
    let outputs = graph.output_shape().iter().product();
    let labels = &options.labels;
    if !labels.is_empty()
        && (labels.len() != outputs
            || labels.len() > usize::from(selfsame_ir::interface::LABELS_MAX)
            || labels.iter().any(|label| label.len() > LABEL_BYTES_MAX))
    {
        return Err(CompileError::Labels {
            labels: labels.len(),
            outputs,
        });
    }
    let scale = |node: &str| CompileError::Scale {
        node: node.to_owned(),
        channel: 0,
    };
    let input_scale =
        input_ratio(1.0 / input.place.step, input.place.dtype).ok_or_else(|| scale(input_name))?;
    Ok(Interface {
        input_scale,
        input: axes(input_name, &input.shape, &input.place.layout)?,
        pixels: match &options.pixels {
            Some(pixels) => Some(pixel_rule(pixels, &input.shape, input_scale)?),
            None => None,
        },
        output_scale: exact_ratio(output.step).ok_or_else(|| scale(output_name))?,
        output: axes(output_name, &held(graph.output_shape()), &output.layout)?,
        labels: labels.clone(),
    })
}

/// Shape and axes of a value; an image keeps its own shape, even behind a view.
fn axes(name: &str, shape: &[usize], layout: &Layout) -> Result<AxisLayout, CompileError> {
    let (shape, axes) = match *shape {
        _ if layout.is_flat() => (shape.to_vec(), (0..shape.len()).collect()),
        [c, h, w] if *layout == Layout::image(c, h, w) => (shape.to_vec(), vec![1, 2, 0]),
        _ => layout.ladder(),
    };
    Ok(AxisLayout {
        shape: shape
            .iter()
            .map(|&d| fit(name, d))
            .collect::<Result<_, _>>()?,
        axes: axes
            .iter()
            .map(|&a| fit(name, a))
            .collect::<Result<_, _>>()?,
    })
}

/// The tables of 8-bit samples: each sample becomes its float, and that float its integer.
fn pixel_rule(pixels: &Pixels, shape: &[usize], scale: Ratio) -> Result<PixelRule, CompileError> {
    let refuse = || CompileError::Pixels {
        channels: pixels.mean.len(),
        shape: shape.to_vec(),
    };
    let &[channels, height, width] = shape else {
        return Err(refuse());
    };
    let positive = |value: &f32| value.is_finite() && *value > 0.0;
    if !(1..=4).contains(&channels)
        || pixels.mean.len() != channels
        || pixels.deviation.len() != channels
        || !pixels.mean.iter().all(|mean| mean.is_finite())
        || !pixels.deviation.iter().all(positive)
        || !positive(&pixels.divisor)
    {
        return Err(refuse());
    }
    let entry = |channel: usize, sample: u8| {
        let bits = pixels.float(channel, sample).to_bits();
        let integer = scale.quantize(bits, DType::I8).map_err(|_| refuse())?;
        i8::try_from(integer).map_err(|_| refuse())
    };
    let table = |channel: usize| -> Result<[i8; 256], CompileError> {
        let mut table = [0; 256];
        for (slot, sample) in table.iter_mut().zip(0..=u8::MAX) {
            *slot = entry(channel, sample)?;
        }
        Ok(table)
    };
    Ok(PixelRule {
        height: fit("input", height)?,
        width: fit("input", width)?,
        tables: (0..channels).map(table).collect::<Result<_, _>>()?,
    })
}
