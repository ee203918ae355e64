//! Numbers in JSON: nested lists of a model's input, in row-major order.
//!
//! ```text
//! [[0.5, 1], [2, -3]]            floats
//! {"x": [...]}                   floats
//! {"pixels": [...]}              whole numbers 0..=255
//! {"integers": [...]}            whole numbers of 32 bits, the program's own
//! ```

use serde_json::Value;

/// Largest text that is read; the numbers take no more than eight times as much memory.
const TEXT_BYTES_MAX: usize = 256 << 20;

/// Numbers of a file, flat.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Floats of the source model.
    Floats(Vec<f32>),
    /// Picture samples.
    Pixels(Vec<u8>),
    /// The program's integers.
    Integers(Vec<i32>),
}

/// Why a text holds no numbers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NumbersError {
    /// Too long.
    #[error("{found} bytes of JSON, at most {TEXT_BYTES_MAX} are read; use .npy")]
    Large {
        /// Its length.
        found: usize,
    },
    /// No JSON.
    #[error("{0}")]
    Json(String),
    /// None of the fields, or several.
    #[error("expected exactly one of the fields x, pixels, integers")]
    Field,
    /// Something else among the numbers.
    #[error("element {index}: expected a number, found {found}")]
    Kind {
        /// Flat index.
        index: usize,
        /// What stands there.
        found: String,
    },
    /// A number that its field does not take.
    #[error("element {index}: {found} is no integer in range")]
    Range {
        /// Flat index.
        index: usize,
        /// The number.
        found: f64,
    },
}

/// Reads numbers; lists may be nested as deep as the parser goes (128).
pub fn read_json(bytes: &[u8]) -> Result<Numbers, NumbersError> {
    if TEXT_BYTES_MAX < bytes.len() {
        return Err(NumbersError::Large { found: bytes.len() });
    }
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| NumbersError::Json(error.to_string()))?;
    let (kind, list) = match &value {
        Value::Object(object) => {
            let found = ["x", "pixels", "integers"].map(|name| (name, object.get(name)));
            let mut found = found
                .into_iter()
                .filter_map(|(name, list)| Some((name, list?)));
            match (found.next(), found.next()) {
                (Some(one), None) => one,
                _ => return Err(NumbersError::Field),
            }
        }
        _ => ("x", &value),
    };
    let mut numbers = Vec::new();
    flatten(list, &mut numbers)?;
    match kind {
        "pixels" => integers(&numbers).map(Numbers::Pixels),
        "integers" => integers(&numbers).map(Numbers::Integers),
        _ => Ok(Numbers::Floats(
            numbers.iter().map(|&x| nearest(x)).collect(),
        )),
    }
}

fn flatten(value: &Value, numbers: &mut Vec<f64>) -> Result<(), NumbersError> {
    let number = match value {
        Value::Array(values) => {
            return values.iter().try_for_each(|value| flatten(value, numbers));
        }
        Value::Number(number) => number.as_f64(),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => None,
    };
    let Some(number) = number else {
        // A hostile text is shown in part.
        let found = value.to_string().chars().take(40).collect();
        let index = numbers.len();
        return Err(NumbersError::Kind { index, found });
    };
    numbers.push(number);
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest binary32 is what is meant"
)]
fn nearest(x: f64) -> f32 {
    x as f32
}

fn integers<T: TryFrom<i64>>(numbers: &[f64]) -> Result<Vec<T>, NumbersError> {
    let convert = |(index, &found): (usize, &f64)| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "compared with its source below"
        )]
        let whole = found as i64;
        #[expect(
            clippy::cast_precision_loss,
            clippy::float_cmp,
            reason = "exact or refused"
        )]
        let exact = whole as f64 == found;
        let narrow = T::try_from(whole).ok().filter(|_| exact);
        narrow.ok_or(NumbersError::Range { index, found })
    };
    numbers.iter().enumerate().map(convert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_lists_are_read_in_row_major_order() {
        let values = read_json(b"[[1, 2.5], [-3, 0]]");
        assert_eq!(values, Ok(Numbers::Floats(vec![1.0, 2.5, -3.0, 0.0])));
    }

    #[test]
    fn a_pixel_is_a_whole_number_of_eight_bits() {
        let values = read_json(br#"{"pixels": [0, 255]}"#);
        assert_eq!(values, Ok(Numbers::Pixels(vec![0, 255])));
        assert!(read_json(br#"{"pixels": [256]}"#).is_err());
        assert!(read_json(br#"{"integers": [0.5]}"#).is_err());
    }

    #[test]
    fn a_word_among_numbers_is_named_with_its_place() {
        let error = read_json(br#"{"x": [0, "one"]}"#);
        let found = "\"one\"".to_owned();
        assert_eq!(error, Err(NumbersError::Kind { index: 1, found }));
        assert_eq!(
            read_json(br#"{"x": [], "pixels": []}"#),
            Err(NumbersError::Field)
        );
        assert!(read_json(b"[1").is_err());
    }

    #[test]
    fn lists_nested_beyond_the_parsers_depth_are_refused_not_followed() {
        let deep = "[".repeat(100_000);
        assert!(matches!(
            read_json(deep.as_bytes()),
            Err(NumbersError::Json(_))
        ));
    }
}
