//! Row factors: what a product is multiplied by once more, one value for each row.
//!
//! ```text
//! t = clamp to i32((acc*M + 2^(s-1)) >> s)
//! v = clamp((t*g + (bias + addend*A)*2^15 + 2^(S-1)) >> S, lo, hi)
//! ```
//!
//! So a row that was quantised by its own scale returns to the scale of all, with what the division
//! by its scale left out. Spec: operators, 2.21.

use selfsame_protocol::constants::FACTOR_BITS;
use selfsame_protocol::{DecodeError, Reader, Writer};

/// S, the shift after the row factor: 1..=46.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorShift(pub u8);

impl FactorShift {
    /// `(t*factor + offset*2^15 + 2^(S-1)) >> S`.
    ///
    /// `t` is clamped to 32 bits first; with |offset| below 2^47 the sum fits 64 bits.
    pub fn apply(self, t: i64, factor: i32, offset: i64) -> i64 {
        let t = t.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        let shift = self.0.clamp(1, 46);
        let wide = t * i64::from(factor) + (offset << FACTOR_BITS);
        (wide + (1_i64 << (shift - 1))) >> shift
    }

    /// One byte: 0 where there is no factor.
    pub(crate) fn encode(factor: Option<Self>, writer: &mut Writer) {
        writer.u8(factor.map_or(0, |shift| shift.0));
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(match reader.u8("factor shift")? {
            0 => None,
            shift => Some(Self(shift)),
        })
    }
}
