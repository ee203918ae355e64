//! Keccak-256 and the 32-byte value that it makes.
//!
//! Source: the Keccak submission with the original padding, as Ethereum uses it.

use core::fmt;

use tiny_keccak::Hasher as _;

/// A keccak-256 digest: a root, an id, or a link of a chain of moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The all-zero value, which stands for "absent" where a field is optional.
    pub const ZERO: Self = Self([0; 32]);

    /// Whether this is [`Hash::ZERO`].
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// Parses 64 hexadecimal digits, with or without `0x`; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A keccak-256 computation fed in pieces.
pub struct Keccak(tiny_keccak::Keccak);

impl Keccak {
    /// Starts with the domain `tag` absorbed.
    pub fn tagged(tag: u8) -> Self {
        let mut keccak = tiny_keccak::Keccak::v256();
        keccak.update(&[tag]);
        Self(keccak)
    }

    /// Absorbs `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends the computation.
    pub fn finish(self) -> Hash {
        let mut out = [0; 32];
        self.0.finalize(&mut out);
        Hash(out)
    }
}

/// keccak256(bytes).
pub fn keccak256(bytes: &[u8]) -> Hash {
    let mut keccak = tiny_keccak::Keccak::v256();
    let mut out = [0; 32];
    keccak.update(bytes);
    keccak.finalize(&mut out);
    Hash(out)
}

/// keccak256(tag, bytes): the form of every hash of the protocol that no EIP fixes.
pub fn keccak256_tagged(tag: u8, bytes: &[u8]) -> Hash {
    let mut keccak = Keccak::tagged(tag);
    keccak.update(bytes);
    keccak.finish()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_empty_string_hashes_to_the_published_value() {
        let want = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(keccak256(b"").to_string(), want);
        assert_eq!(Hash::from_hex(want), Some(keccak256(b"")));
    }

    #[test]
    fn hexadecimal_of_a_wrong_length_or_digit_is_refused() {
        assert_eq!(Hash::from_hex("0x00"), None);
        assert_eq!(Hash::from_hex(&"g".repeat(64)), None);
    }
}
