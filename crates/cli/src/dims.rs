//! Values of dimensions on the command line: those of a source's names, and those of a program's symbols.
//!
//! ```text
//! source     --dim seq=32          --open seq=2..128          --output-name embedding
//!            --shape x=1,3,48,192  --constant rate=16000
//! program    --dim seq=17          or --dim 17: an artefact keeps no names of its symbols
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use selfsame::{Extent, Given, Model, OpenDimension, Source, SourceOptions};
use serde::Serialize;

use crate::dataset::Data;
use crate::failure::{Failure, Outcome};
use crate::output::Output;

/// How an ONNX model is read.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SourceArgs {
    /// The value that a named dimension of the model has in the data; once for each name. What nothing is
    /// said of has the extent of the data's array.
    #[arg(long, value_name = "NAME=VALUE", value_parser = named)]
    dim: Vec<(String, usize)>,
    /// A dimension that the program keeps open, between these values; without --dim the data has the
    /// largest one.
    #[arg(long, value_name = "NAME=MIN..MAX", value_parser = open)]
    open: Option<OpenDimension>,
    /// The shape of an input as if the file declared it, the batch (1) with it; for axes without a name, once
    /// for each input.
    #[arg(long, value_name = "INPUT=A,B,..", value_parser = shape)]
    shape: Vec<(String, Vec<usize>)>,
    /// The value of an input of one whole number, such as a rate, which is a constant of the program; once
    /// for each input.
    #[arg(long, value_name = "INPUT=NUMBER", value_parser = constant)]
    constant: Vec<(String, i64)>,
    /// The output that the program answers with; the model's first one if not given.
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// The leading axis of each input belongs to the sample like any other: no axis is the batch.
    #[arg(long)]
    no_batch: bool,
}

impl SourceArgs {
    /// The same for the library, with the shapes of the data's arrays by their names.
    fn options(&self, arrays: BTreeMap<String, Vec<usize>>) -> Outcome<SourceOptions> {
        let mut dims = once("--dim", &self.dim)?;
        if let Some(open) = &self.open {
            dims.entry(open.name.clone())
                .or_insert(open.maximum as usize);
        }
        Ok(SourceOptions {
            dims,
            open: self.open.clone(),
            output: self.output_name.clone(),
            no_batch: self.no_batch,
            given: Given {
                shapes: once("--shape", &self.shape)?,
                arrays,
                constants: once("--constant", &self.constant)?,
            },
        })
    }
}

/// A dimension whose extent the data has said.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ExtentRow {
    input: String,
    axis: usize,
    name: Option<String>,
    extent: usize,
    #[serde(skip)]
    text: String,
}

/// Reads the source that rows of `data` are for; what they say of its dimensions is told, and that it comes from `what`.
pub(crate) fn open_source(
    model: &Path,
    args: &SourceArgs,
    (data, what): (&Data<'_>, &str),
    output: Output,
) -> Outcome<(Source, Vec<ExtentRow>)> {
    let source = Source::open(model, &args.options(data.shapes()?)?);
    let source = source.map_err(|error| Failure::file(model, error))?;
    let row = |extent: &Extent| ExtentRow {
        input: extent.input.clone(),
        axis: extent.axis,
        name: extent.name.clone(),
        extent: extent.extent,
        text: extent.to_string(),
    };
    let extents: Vec<ExtentRow> = source.extents().iter().map(row).collect();
    if !extents.is_empty() {
        let said = extent_text(&extents);
        output.note(&format!("{said}, from the {what}"));
    }
    Ok((source, extents))
}

/// What the data has said: `width = 160, axis 2 of x = 48`.
pub(crate) fn extent_text(extents: &[ExtentRow]) -> String {
    let texts: Vec<&str> = extents.iter().map(|row| row.text.as_str()).collect();
    texts.join(", ")
}

/// What is given by name, once for each.
fn once<T: Clone>(flag: &str, given: &[(String, T)]) -> Outcome<BTreeMap<String, T>> {
    let mut by_name = BTreeMap::new();
    for (name, value) in given {
        if by_name.insert(name.clone(), value.clone()).is_some() {
            return Err(Failure::usage(format!("{flag} gives {name} twice")));
        }
    }
    Ok(by_name)
}

/// The values of a program's symbols.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SymbolArgs {
    /// Value of a dimension that the program keeps open, the largest one if not given. Several in the
    /// order of the program's symbols: an artefact keeps no names, so that NAME is for the reader.
    #[arg(long = "dim", value_name = "[NAME=]VALUE", value_parser = symbol)]
    values: Vec<(String, u32)>,
}

impl SymbolArgs {
    /// Whether nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values by name, where a name was given.
    pub(crate) fn named(&self) -> BTreeMap<&str, u32> {
        let named = self.values.iter().filter(|(name, _)| !name.is_empty());
        named.map(|(name, value)| (name.as_str(), *value)).collect()
    }

    /// `model` at these values.
    pub(crate) fn bind(&self, model: Model) -> Outcome<Model> {
        if self.is_empty() {
            return Ok(model);
        }
        let values: Vec<u32> = self.values.iter().map(|(_, value)| *value).collect();
        let symbols = &model.program().program().symbols;
        let refuse = |what: String| {
            Failure::usage(what).hint(
                "`selfsame inspect FILE` shows the dimensions that are open, with their bounds",
            )
        };
        if values.len() != symbols.len() {
            let (given, open) = (values.len(), symbols.len());
            let what =
                format!("--dim: {given} values, of {open} dimensions that the program keeps open");
            return Err(refuse(what));
        }
        for (index, (symbol, value)) in symbols.iter().zip(&values).enumerate() {
            let (low, high) = (symbol.minimum, symbol.maximum);
            if !(low..=high).contains(value) {
                let number = index + 1;
                let what = format!("--dim {value}: dimension {number} has {low} to {high}");
                return Err(refuse(what));
            }
        }
        model
            .at(&values)
            .map_err(|error| refuse(format!("--dim: {error}")))
    }
}

fn named(text: &str) -> Result<(String, usize), String> {
    let (name, value) = pair(text).ok_or("give NAME=VALUE, as in seq=32")?;
    let value = value
        .parse()
        .map_err(|error| format!("{value:?}: {error}"))?;
    if value == 0 {
        return Err("a dimension is at least 1".to_owned());
    }
    Ok((name.to_owned(), value))
}

fn shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let (name, extents) = last_pair(text).ok_or("give INPUT=A,B,.., as in x=1,3,48,192")?;
    let extent = |text: &str| match text.trim().parse() {
        Ok(0) => Err("a dimension is at least 1".to_owned()),
        Ok(extent) => Ok(extent),
        Err(error) => Err(format!("{text:?}: {error}")),
    };
    let extents: Result<Vec<usize>, String> = extents.split(',').map(extent).collect();
    Ok((name.to_owned(), extents?))
}

fn constant(text: &str) -> Result<(String, i64), String> {
    let (name, value) = last_pair(text).ok_or("give INPUT=NUMBER, as in rate=16000")?;
    let parsed = value.parse().map_err(|error| format!("{value:?}: {error}"));
    Ok((name.to_owned(), parsed?))
}

fn open(text: &str) -> Result<OpenDimension, String> {
    let form = "give NAME=MIN..MAX, as in seq=2..128";
    let (name, bounds) = pair(text).ok_or(form)?;
    let (minimum, maximum) = bounds.split_once("..").ok_or(form)?;
    let bound = |text: &str| {
        let bound: Result<u32, _> = text.parse();
        bound.map_err(|error| format!("{text:?}: {error}"))
    };
    let (minimum, maximum) = (bound(minimum)?, bound(maximum)?);
    if minimum == 0 || maximum <= minimum {
        return Err(format!("{minimum}..{maximum}: 1 <= MIN < MAX"));
    }
    Ok(OpenDimension {
        name: name.to_owned(),
        minimum,
        maximum,
    })
}

fn symbol(text: &str) -> Result<(String, u32), String> {
    let (name, value) = pair(text).unwrap_or(("", text));
    let parsed = value.parse().map_err(|error| format!("{value:?}: {error}"));
    Ok((name.to_owned(), parsed?))
}

fn pair(text: &str) -> Option<(&str, &str)> {
    text.split_once('=').filter(|(name, _)| !name.is_empty())
}

/// The same for names of inputs, which may hold anything.
fn last_pair(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once('=').filter(|(name, _)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_bounds_are_read_and_nonsense_is_refused() {
        assert_eq!(named("seq=32"), Ok(("seq".to_owned(), 32)));
        for text in ["seq", "=32", "seq=", "seq=0", "seq=-1", "seq=x"] {
            assert!(named(text).is_err(), "{text}");
        }
        let read = open("seq=2..128").map(|open| (open.name, open.minimum, open.maximum));
        assert_eq!(read, Ok(("seq".to_owned(), 2, 128)));
        for text in [
            "seq=2", "seq=2..2", "seq=0..9", "seq=9..2", "2..9", "seq=2..x",
        ] {
            assert!(open(text).is_err(), "{text}");
        }
        assert_eq!(
            shape("a=b:0=1,3,48"),
            Ok(("a=b:0".to_owned(), vec![1, 3, 48]))
        );
        for text in ["x", "=1,3", "x=", "x=1,0", "x=1,,3", "x=1,-3", "x=1,w"] {
            assert!(shape(text).is_err(), "{text}");
        }
        assert_eq!(constant("rate=-1"), Ok(("rate".to_owned(), -1)));
        for text in ["rate", "=1", "rate=", "rate=1.5"] {
            assert!(constant(text).is_err(), "{text}");
        }
        let twice = [("x".to_owned(), 1), ("x".to_owned(), 1)];
        assert!(once("--shape", &twice).is_err());
        assert_eq!(symbol("17"), Ok((String::new(), 17)));
        assert_eq!(symbol("seq=17"), Ok(("seq".to_owned(), 17)));
        assert!(symbol("seq=").is_err());
    }
}
