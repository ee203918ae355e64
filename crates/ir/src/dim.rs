//! Dimensions: constants, or affine expressions of a named symbol with bounds.
//!
//! Spec: programs, 1.3.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use selfsame_protocol::{DecodeError, Hash, Reader, Writer, keccak256};

/// One extent of a shape: `scale * value(symbol) + offset`, or the constant `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dim {
    symbol: u8,
    scale: u32,
    offset: i32,
}

/// Bounds of a symbol, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Symbol {
    /// Smallest value, at least 1.
    pub minimum: u32,
    /// Largest value, at least `minimum`.
    pub maximum: u32,
}

/// What is wrong with a value of a request.
fn of_value(
    symbol: usize,
    value: Option<u32>,
    declared: usize,
    bounds: Option<(u32, u32)>,
) -> String {
    match (value, bounds) {
        (Some(value), Some((low, high))) => {
            format!("open dimension {symbol} has the value {value}; it takes {low} to {high}")
        }
        (Some(value), None) => format!(
            "value {symbol} is {value}, and the program has {declared} open dimensions; give one value for each of them"
        ),
        (None, _) => format!(
            "open dimension {symbol} of {declared} has no value; give one value for each of them"
        ),
    }
}

/// Why a dimension has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DimError {
    /// The symbol is not declared.
    #[error("dimension names symbol {symbol}, the program declares {declared}")]
    Undeclared {
        /// Symbol number, from 1.
        symbol: u8,
        /// Symbols declared.
        declared: usize,
    },
    /// The value is not positive or too large.
    #[error("dimension {scale} * {value} + {offset} is outside 1..=2^30")]
    Range {
        /// Scale.
        scale: u32,
        /// Value of the symbol.
        value: u32,
        /// Offset.
        offset: i32,
    },
    /// A request gives the wrong number of values, or one outside its bounds.
    #[error("{}", of_value(*symbol, *value, *declared, *bounds))]
    Value {
        /// Symbol number, from 1.
        symbol: usize,
        /// Value given.
        value: Option<u32>,
        /// Symbols declared.
        declared: usize,
        /// Its bounds.
        bounds: Option<(u32, u32)>,
    },
    /// Between the bounds of its symbols a program reads another number of elements than there are.
    #[error(
        "node {node}, input {slot}: at these values it reads {expected} elements of {found}; \
         the program has no meaning there, ask at other values"
    )]
    View {
        /// The node.
        node: usize,
        /// Input slot.
        slot: usize,
        /// Elements of its source.
        found: u64,
        /// Elements that it reads.
        expected: u64,
    },
}

const DIM_MAX: i64 = 1 << 30;

impl Dim {
    /// A constant extent of at least 1 (0 or above 2^30 is refused by the check of the program).
    pub const fn fixed(value: u32) -> Self {
        #[expect(
            clippy::cast_possible_wrap,
            reason = "2^31 and above become negative and are refused"
        )]
        let offset = value as i32;
        Self {
            symbol: 0,
            scale: 0,
            offset,
        }
    }

    /// `scale * value(symbol) + offset`; symbols count from 1, scale has 24 bits.
    pub const fn affine(symbol: u8, scale: u32, offset: i32) -> Self {
        Self {
            symbol,
            scale,
            offset,
        }
    }

    /// The constant value, if it is one.
    pub fn constant(self) -> Option<u32> {
        if self.symbol == 0 {
            u32::try_from(self.offset).ok()
        } else {
            None
        }
    }

    /// The extent at the given values.
    pub fn at(self, values: &DimValues) -> Result<u32, DimError> {
        let value = match self.symbol {
            0 => 0,
            symbol => {
                values
                    .0
                    .get(usize::from(symbol) - 1)
                    .copied()
                    .ok_or(DimError::Undeclared {
                        symbol,
                        declared: values.0.len(),
                    })?
            }
        };
        let extent = i64::from(self.scale) * i64::from(value) + i64::from(self.offset);
        if !(1..=DIM_MAX).contains(&extent) {
            return Err(DimError::Range {
                scale: self.scale,
                value,
                offset: self.offset,
            });
        }
        u32::try_from(extent).map_err(|_| DimError::Range {
            scale: self.scale,
            value,
            offset: self.offset,
        })
    }

    pub(crate) fn encode(self, writer: &mut Writer) {
        let word = (u32::from(self.symbol) << 24) | (self.scale & 0x00ff_ffff);
        writer.u32(word).i32(self.offset);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let word = reader.u32("dimension")?;
        let offset = reader.i32("dimension offset")?;
        let symbol = word.to_be_bytes()[0];
        let scale = word & 0x00ff_ffff;
        if symbol == 0 && scale != 0 {
            return Err(reader.invalid(
                "dimension scale",
                u64::from(scale),
                "a constant has scale 0",
            ));
        }
        Ok(Self {
            symbol,
            scale,
            offset,
        })
    }
}

/// Values of a program's symbols, in the order of their declaration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DimValues(pub Vec<u32>);

impl DimValues {
    /// No symbols.
    pub const NONE: Self = Self(Vec::new());

    /// The largest values.
    pub fn maxima(symbols: &[Symbol]) -> Self {
        Self(symbols.iter().map(|symbol| symbol.maximum).collect())
    }

    /// The smallest values.
    pub fn minima(symbols: &[Symbol]) -> Self {
        Self(symbols.iter().map(|symbol| symbol.minimum).collect())
    }

    /// `keccak256(abi.encode(uint32[]))`, by which requests and receipts name the values; zero for none.
    ///
    /// Source: the Solidity ABI, "Formal Specification of the Encoding".
    pub fn hash(&self) -> Hash {
        if self.0.is_empty() {
            return Hash::ZERO;
        }
        let mut bytes = Vec::with_capacity(64 + 32 * self.0.len());
        let mut number = |value: u64| {
            bytes.extend_from_slice(&[0; 24]);
            bytes.extend_from_slice(&value.to_be_bytes());
        };
        number(32);
        number(self.0.len() as u64);
        self.0.iter().for_each(|&value| number(value.into()));
        keccak256(&bytes)
    }

    /// Checks number and bounds.
    pub fn check(&self, symbols: &[Symbol]) -> Result<(), DimError> {
        for index in 0..symbols.len().max(self.0.len()) {
            let value = self.0.get(index).copied();
            let bounds = symbols
                .get(index)
                .map(|symbol| (symbol.minimum, symbol.maximum));
            let inside =
                matches!((value, bounds), (Some(v), Some((low, high))) if low <= v && v <= high);
            if !inside {
                return Err(DimError::Value {
                    symbol: index + 1,
                    value,
                    declared: symbols.len(),
                    bounds,
                });
            }
        }
        Ok(())
    }
}
