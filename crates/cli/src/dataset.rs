//! Rows to calibrate and to test on: an archive, an array, a folder of pictures, or noise.

use std::collections::BTreeMap;
use std::path::Path;

use selfsame::{Pixels, floats_of_pictures};
use selfsame_compiler::image;
use selfsame_compiler::npz::{self, Array, ArrayData, NpzError};

use crate::failure::{Failure, Outcome};
use crate::model::read_file;
use crate::noise::Noise;
use crate::takes::Takes;

/// Rows that are made up where there is no data.
const SYNTHETIC_ROWS: usize = 64;
/// Numbers that are made up at most; four rows of the largest input, so that there is something to
/// calibrate and to test.
const SYNTHETIC_ELEMENTS_MAX: usize = 1 << 24;
/// Most pictures of a folder that are read, and most samples of all of them.
const PICTURES_MAX: usize = 20_000;
const SAMPLES_MAX: usize = 1 << 30;
/// Edge of a blotch, in pixels.
const BLOTCH: usize = 4;

/// What `--calibrate` names, before it is known what the model takes.
#[derive(Debug)]
pub(crate) enum Data<'p> {
    /// Rows are to be made up.
    Synthetic(&'p Path),
    /// A folder of pictures.
    Folder(&'p Path),
    /// The array of an only input.
    Array(&'p Path, Array),
    /// An archive of arrays, as bytes.
    Archive(&'p Path, Vec<u8>),
}

impl<'p> Data<'p> {
    /// Opens what stands at `path`, or what the word there means.
    pub(crate) fn open(path: &'p Path) -> Outcome<Self> {
        if path.as_os_str() == "synthetic" && !path.exists() {
            return Ok(Self::Synthetic(path));
        }
        if path.is_dir() {
            return Ok(Self::Folder(path));
        }
        let bytes = read_file(path)?;
        let is_array = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("npy"));
        if !is_array {
            return Ok(Self::Archive(path, bytes));
        }
        let array = npz::read_npy(&bytes).map_err(|error| Failure::file(path, error))?;
        Ok(Self::Array(path, array))
    }

    /// Shapes of the arrays, by their names; that of a file is `x`. Pictures are fitted to the model, and say
    /// nothing of it.
    pub(crate) fn shapes(&self) -> Outcome<BTreeMap<String, Vec<usize>>> {
        match self {
            Self::Synthetic(_) | Self::Folder(_) => Ok(BTreeMap::new()),
            Self::Array(_, array) => Ok([("x".to_owned(), array.shape.clone())].into()),
            Self::Archive(path, bytes) => {
                npz::shapes(bytes).map_err(|error| Failure::file(path, error))
            }
        }
    }

    /// The rows, for a model of these inputs.
    pub(crate) fn rows(self, takes: &Takes, args: &PixelArgs) -> Outcome<DataSet> {
        match self {
            Self::Synthetic(path) => {
                DataSet::synthetic(takes, args).map_err(|what| Failure::file(path, what))
            }
            Self::Folder(path) => {
                let none = || Failure::file(path, format!("the model takes {takes}, no pictures"));
                DataSet::folder(path, takes.real().ok_or_else(none)?, args)
            }
            Self::Array(path, array) => {
                let data = match takes.real() {
                    Some(shape) => DataSet::new(&array, Vec::new(), shape, args),
                    None => takes.rows(&[array]).map(DataSet::unlabelled),
                };
                data.map_err(|what| Failure::file(path, what))
            }
            Self::Archive(path, bytes) => {
                DataSet::read(&bytes, takes, args).map_err(|what| Failure::file(path, what))
            }
        }
    }
}

/// How samples of eight bits become floats.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PixelArgs {
    /// 8-bit samples are divided by this, then normalised.
    #[arg(long, value_name = "X", default_value_t = 255.0)]
    divisor: f32,
    /// Mean of each channel, subtracted after the division.
    #[arg(
        long,
        value_name = "X,..",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    mean: Vec<f32>,
    /// Deviation of each channel, divided by in the end.
    #[arg(long, value_name = "X,..", value_delimiter = ',')]
    deviation: Vec<f32>,
}

impl PixelArgs {
    /// Samples divided by 255.
    pub(crate) const UNIT: Self = Self {
        divisor: 255.0,
        mean: Vec::new(),
        deviation: Vec::new(),
    };

    /// The rule for pictures of `shape` [channels, height, width]; none for other shapes.
    pub(crate) fn pixels(&self, shape: &[usize]) -> Option<Pixels> {
        let &[channels, _, _] = shape else {
            return None;
        };
        let mut pixels = Pixels::unit(channels);
        pixels.divisor = self.divisor;
        if !self.mean.is_empty() {
            pixels.mean.clone_from(&self.mean);
        }
        if !self.deviation.is_empty() {
            pixels.deviation.clone_from(&self.deviation);
        }
        Some(pixels)
    }
}

/// A data set as rows of floats in the source model's order.
#[derive(Debug, Clone)]
pub(crate) struct DataSet {
    /// One sample each.
    pub(crate) rows: Vec<Vec<f32>>,
    /// Right classes, one for each row, or none at all.
    pub(crate) labels: Vec<i64>,
    /// Whether the file holds 8-bit samples.
    pub(crate) samples: bool,
    /// Whether nobody measured these rows.
    pub(crate) synthetic: bool,
}

impl DataSet {
    /// Reads an npz archive for a model of these inputs: labels `y`, and an array for each input by its
    /// name; that of an only input may be called `x`.
    pub(crate) fn read(bytes: &[u8], takes: &Takes, args: &PixelArgs) -> Result<Self, String> {
        let labels = match npz::read_npz_array(bytes, "y") {
            Ok(_) if takes.has("y") => Vec::new(),
            Ok(labels) => labels.to_i64().ok_or("array y holds no whole numbers")?,
            Err(NpzError::Missing { .. }) => Vec::new(),
            Err(error) => return Err(error.to_string()),
        };
        let arrays = takes.arrays(bytes)?;
        if let (Some(shape), [array]) = (takes.real(), arrays.as_slice()) {
            return Self::new(array, labels, shape, args);
        }
        let rows = takes.rows(&arrays)?;
        same_count(&labels, rows.len())?;
        Ok(Self {
            labels,
            ..Self::unlabelled(rows)
        })
    }

    /// Rows of measured numbers without labels.
    fn unlabelled(rows: Vec<Vec<f32>>) -> Self {
        Self {
            rows,
            labels: Vec::new(),
            samples: false,
            synthetic: false,
        }
    }

    fn new(
        array: &Array,
        labels: Vec<i64>,
        shape: &[usize],
        args: &PixelArgs,
    ) -> Result<Self, String> {
        let elements: usize = shape.iter().product();
        let count = array.shape.first().copied().unwrap_or(0);
        if count == 0 || elements == 0 || count.checked_mul(elements) != Some(array.len()) {
            return Err(format!(
                "array x has shape {:?}; the model takes rows of {shape:?}",
                array.shape
            ));
        }
        same_count(&labels, count)?;
        let samples = matches!(array.data, ArrayData::U8(_));
        let values = floats(array, shape, args)?;
        Ok(Self {
            rows: values.chunks_exact(elements).map(<[f32]>::to_vec).collect(),
            labels,
            samples,
            synthetic: false,
        })
    }

    /// Rows of noise, the same for the same inputs: pictures of blotches where the model takes
    /// pictures, token ids of its tables, masks of ones, else numbers in -1..=1.
    fn synthetic(takes: &Takes, args: &PixelArgs) -> Result<Self, String> {
        let elements = takes.elements();
        let most = SYNTHETIC_ELEMENTS_MAX / 4;
        if elements == 0 || most < elements {
            return Err(format!(
                "inputs of {elements} numbers; noise is made for 1 to {most}"
            ));
        }
        let rows = (SYNTHETIC_ELEMENTS_MAX / elements).min(SYNTHETIC_ROWS);
        let made = if let Some(shape @ &[channels, height, width]) = takes.real() {
            let mut noise = Noise::default();
            let mut samples = Vec::with_capacity(rows * elements);
            for _ in 0..rows * channels {
                blotches(&mut samples, height, width, &mut noise);
            }
            let array = Array {
                shape: vec![rows, channels, height, width],
                data: ArrayData::U8(samples),
            };
            Self::new(&array, Vec::new(), shape, args)?
        } else {
            Self::unlabelled(takes.noise(rows))
        };
        Ok(Self {
            synthetic: true,
            ..made
        })
    }

    /// The pictures of a folder, sorted by name; each has the model's size.
    fn folder(folder: &Path, shape: &[usize], args: &PixelArgs) -> Outcome<Self> {
        let refuse = |what: String| Failure::file(folder, what);
        let &[channels, height, width] = shape else {
            return Err(refuse(format!("the model takes {shape:?}, no pictures")));
        };
        let entries = std::fs::read_dir(folder).map_err(|error| refuse(error.to_string()))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| refuse(error.to_string()))?.path();
            if path
                .extension()
                .is_some_and(|e| e.eq_ignore_ascii_case("png"))
            {
                paths.push(path);
            }
        }
        paths.sort();
        if paths.is_empty() || PICTURES_MAX < paths.len() {
            let found = paths.len();
            return Err(refuse(format!(
                "{found} .png files, 1 to {PICTURES_MAX} are read"
            )));
        }
        let samples_of_all = shape.iter().fold(paths.len(), |n, &e| n.saturating_mul(e));
        if SAMPLES_MAX < samples_of_all {
            return Err(refuse(format!(
                "{samples_of_all} samples, at most {SAMPLES_MAX} are read"
            )));
        }
        let size = |extent: usize| u32::try_from(extent).unwrap_or(u32::MAX);
        let plane = height * width;
        let mut samples = Vec::with_capacity(paths.len() * channels * plane);
        for path in &paths {
            let picture = image::read_png(&read_file(path)?);
            let fitted = picture.and_then(|p| p.fit(size(height), size(width), size(channels)));
            let fitted = fitted.map_err(|error| Failure::file(path, error))?;
            // Pictures are stored pixel by pixel, the source model takes planes.
            for channel in 0..channels {
                samples.extend(fitted.iter().skip(channel).step_by(channels));
            }
        }
        let array = Array {
            shape: vec![paths.len(), channels, height, width],
            data: ArrayData::U8(samples),
        };
        Self::new(&array, Vec::new(), shape, args).map_err(refuse)
    }

    /// Labels from row `first` on.
    pub(crate) fn labels_from(&self, first: usize) -> &[i64] {
        self.labels.get(first..).unwrap_or_default()
    }
}

fn floats(array: &Array, shape: &[usize], args: &PixelArgs) -> Result<Vec<f32>, String> {
    let ArrayData::U8(samples) = &array.data else {
        return Ok(array.to_f32());
    };
    let pixels = args.pixels(shape).unwrap_or(Pixels {
        divisor: args.divisor,
        ..Pixels::unit(0)
    });
    floats_of_pictures(samples, shape, &pixels)
        .map_err(|error| format!("--mean and --deviation: {error}"))
}

/// Labels are of every row, or there are none.
fn same_count(labels: &[i64], rows: usize) -> Result<(), String> {
    if labels.is_empty() || labels.len() == rows {
        return Ok(());
    }
    Err(format!("{} labels in y for {rows} rows", labels.len()))
}

/// One plane of noise: squares of one shade with a little grain.
fn blotches(samples: &mut Vec<u8>, height: usize, width: usize, noise: &mut Noise) {
    let columns = width.div_ceil(BLOTCH);
    let shades: Vec<u8> = (0..height.div_ceil(BLOTCH) * columns)
        .map(|_| noise.byte())
        .collect();
    for y in 0..height {
        for x in 0..width {
            let shade = shades[y / BLOTCH * columns + x / BLOTCH];
            samples.push(shade.saturating_add(noise.byte() / 16));
        }
    }
}
