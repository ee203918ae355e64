//! The one table of constants: doc, name, unit, value.
//!
//! `cargo xtask codegen` writes it out as Solidity constants and as `docs/spec/constants.md`;
//! a test fails when those differ from this table.

/// One row of the table, for the generators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constant {
    /// The name, the same in Rust and in Solidity.
    pub name: &'static str,
    /// The Solidity type.
    pub solidity_type: &'static str,
    /// The unit, for people.
    pub unit: &'static str,
    /// The value.
    pub value: u128,
    /// What it means.
    pub doc: &'static str,
}

macro_rules! constants {
    ($($(#[doc = $doc:literal])+ $name:ident: $rust:ty as $solidity:literal, $unit:literal = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: $rust = $value;)+

        /// Every constant of the protocol, in the order of the specification.
        pub const TABLE: &[Constant] = &[$(Constant {
            name: stringify!($name),
            solidity_type: $solidity,
            unit: $unit,
            value: $name as u128,
            doc: concat!($($doc),+),
        }),+];
    };
}

constants! {
    /// Domain tag of a tile: keccak256(tag, element bytes).
    TAG_TILE: u8 as "uint8", "tag" = 0x00;
    /// Domain tag of an inner tree node: keccak256(tag, left, right).
    TAG_INNER: u8 as "uint8", "tag" = 0x01;
    /// Domain tag of the absent leaf: keccak256(tag).
    TAG_ABSENT: u8 as "uint8", "tag" = 0x02;
    /// Domain tag of a node leaf of a model.
    TAG_NODE_LEAF: u8 as "uint8", "tag" = 0x03;
    /// Domain tag of a model header.
    TAG_HEADER: u8 as "uint8", "tag" = 0x04;
    /// Domain tag of a model id.
    TAG_MODEL: u8 as "uint8", "tag" = 0x05;
    /// Domain tag of the program rules (the meaning of the operators).
    TAG_PROGRAM_RULES: u8 as "uint8", "tag" = 0x06;
    /// Domain tag of the interface section (input rule, output scale, labels).
    TAG_INTERFACE: u8 as "uint8", "tag" = 0x07;

    /// Most bytes in one tile.
    TILE_BYTES: u32 as "uint32", "bytes" = 512;
    /// Version of the program header.
    HEADER_VERSION: u16 as "uint16", "version" = 2;
    /// Most nodes of a program.
    NODES_MAX: u32 as "uint32", "nodes" = 65_536;
    /// Most interior nodes of a segment.
    SEGMENT_INTERIOR_MAX: u32 as "uint32", "nodes" = 63;
    /// Set in the place of an interior node, and where an input names one.
    INTERIOR_BIT: u32 as "uint32", "flag" = 0x8000_0000;
    /// Most elements of one tensor.
    ELEMENTS_MAX: u32 as "uint32", "elements" = 0x4000_0000;
    /// Most terms that one element of a node may read.
    TERMS_MAX: u32 as "uint32", "terms" = 16_384;
    /// Most terms of a product with an int16 operand.
    TERMS_WIDE_MAX: u32 as "uint32", "terms" = 8_192;
    /// Most bytes of tiles that one step may open.
    OPENED_BYTES_MAX: u32 as "uint32", "bytes" = 40_960;
    /// Largest magnitude of a bias.
    BIAS_MAX: u32 as "uint32", "units" = 0x4000_0000;
    /// Largest multiplier M (and addend multiplier A); the smallest M is 1.
    MULTIPLIER_MAX: u32 as "uint32", "units" = 32_767;
    /// Largest requantisation shift; the smallest is 1.
    SHIFT_MAX: u32 as "uint32", "bits" = 46;
    /// Largest magnitude of an int8 weight or activation; -128 is not a value.
    INT8_MAX: u8 as "uint8", "units" = 127;
    /// Largest extent of a kernel, stride, pad or dilation.
    EXTENT_MAX: u16 as "uint16", "cells" = 4_096;
    /// Bits of the unit in which a bias and an addend join a product with a row factor.
    FACTOR_BITS: u8 as "uint8", "bits" = 15;
    /// Largest shift of a row value before its centre is taken away.
    CENTER_BITS_MAX: u8 as "uint8", "bits" = 15;
    /// Bits behind the point of a mean.
    MEAN_BITS: u8 as "uint8", "bits" = 8;
    /// Bits behind the point of a variance.
    VARIANCE_BITS: u8 as "uint8", "bits" = 16;
    /// Largest exponent of the numerator of a reciprocal.
    RECIPROCAL_BITS_MAX: u8 as "uint8", "bits" = 62;
    /// Most axes of a tensor.
    RANK_MAX: u8 as "uint8", "axes" = 6;
    /// Largest magnitude of a walk's numerator, and largest denominator.
    STEP_MAX: u32 as "uint32", "cells" = 65_536;
    /// Most inputs of a concatenation.
    CONCAT_INPUTS_MAX: u8 as "uint8", "inputs" = 16;
    /// Most dimension symbols of a program.
    SYMBOLS_MAX: u8 as "uint8", "symbols" = 8;

    /// Operator code: the input of the program.
    OP_INPUT: u8 as "uint8", "operator" = 0;
    /// Operator code: matrix product with weights, a linear node.
    OP_MATMUL: u8 as "uint8", "operator" = 1;
    /// Operator code: convolution, a linear node.
    OP_CONV: u8 as "uint8", "operator" = 2;
    /// Operator code: maximum over a window.
    OP_MAX_POOL: u8 as "uint8", "operator" = 3;
    /// Operator code: scaled sum over a window.
    OP_AVG_POOL: u8 as "uint8", "operator" = 4;
    /// Operator code: elements moved along affine walks of the axes.
    OP_MOVE: u8 as "uint8", "operator" = 5;
    /// Operator code: rows of several inputs side by side.
    OP_CONCAT: u8 as "uint8", "operator" = 6;
    /// Operator code: sum or product of one or two operands, element by element, and tables.
    OP_POINTWISE: u8 as "uint8", "operator" = 7;
    /// Operator code: batched matrix product of two inputs.
    OP_BATCH_MATMUL: u8 as "uint8", "operator" = 8;
    /// Operator code: one value for each row.
    OP_REDUCE: u8 as "uint8", "operator" = 9;
    /// Operator code: rows centred, scaled and shifted.
    OP_NORMALIZE: u8 as "uint8", "operator" = 10;
    /// Operator code: rows of a constant table.
    OP_EMBEDDING: u8 as "uint8", "operator" = 11;

    /// Element type code: int8.
    DTYPE_I8: u8 as "uint8", "type" = 1;
    /// Element type code: int16, big-endian.
    DTYPE_I16: u8 as "uint8", "type" = 2;
    /// Element type code: int32, big-endian.
    DTYPE_I32: u8 as "uint8", "type" = 3;

    /// Largest output that a claim carries as bytes.
    CLAIM_OUTPUT_BYTES_MAX: u32 as "uint32", "bytes" = 4_096;
    /// Levels of the trace tree that the first answer reveals, at most.
    FIRST_ANSWER_LEVELS: u8 as "uint8", "levels" = 8;
    /// Levels that a later answer reveals, at most.
    ANSWER_LEVELS: u8 as "uint8", "levels" = 7;
    /// Opened games on a claim whose gas a conviction repays.
    GAMES_REPAID: u8 as "uint8", "games" = 8;
    /// Share of a slash that is burned first.
    BURN_NUMERATOR: u8 as "uint8", "parts" = 1;
    /// Denominator of the burned share.
    BURN_DENOMINATOR: u8 as "uint8", "parts" = 2;
    /// Factor of the base fee at a challenger's move up to which its answer is prepaid.
    PREPAY_BASEFEE_FACTOR: u8 as "uint8", "times" = 2;
    /// Priority fee allowed on top of the base fee when gas is repaid.
    PRIORITY_FEE_WEI: u64 as "uint64", "wei per gas" = 2_000_000_000;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_constants_share_a_name_and_no_two_tags_a_value() {
        for (i, a) in TABLE.iter().enumerate() {
            for b in &TABLE[..i] {
                assert_ne!(a.name, b.name);
                assert!(
                    a.unit != "tag" || b.unit != "tag" || a.value != b.value,
                    "{}",
                    a.name
                );
            }
        }
    }

    #[test]
    fn the_longest_contraction_with_the_largest_bias_fits_an_int32() {
        let worst = u64::from(TERMS_MAX) * 127 * 127 + u64::from(BIAS_MAX);
        assert!(worst < 1 << 31);
    }
}
