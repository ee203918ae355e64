//! A strict reader of the few JSON forms that receipts use: objects, arrays, strings, integers.
//!
//! Unknown, missing and repeated members are refused, as are numbers with sign, fraction or
//! exponent, escapes, and anything after the end. Depth and size are bounded. Integers above 2^53
//! are written as strings of digits, since many readers of JSON lose them.
//!
//! Spec: receipts, 5.5.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use selfsame_protocol::Hash;

use crate::Address;

/// Most bytes of a receipt file.
pub(crate) const FILE_BYTES_MAX: usize = 64 << 20;
const DEPTH_MAX: u32 = 8;
const MEMBERS_MAX: usize = 64;

/// Why text is no receipt. Offsets are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not the expected character.
    #[error("offset {offset}: {expected} expected")]
    Expected {
        /// Where.
        offset: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Too large, too deep, or too many members.
    #[error("{what} is {found}, at most {most} is read")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// A member that the form does not have.
    #[error("unknown member {0:?}; a receipt has no such field")]
    Unknown(String),
    /// A member is missing.
    #[error("member {0:?} is missing")]
    Missing(&'static str),
    /// A member occurs twice.
    #[error("member {0:?} is repeated")]
    Repeated(String),
    /// A member has the wrong form.
    #[error("member {member:?}: {expected} expected")]
    Value {
        /// The member.
        member: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// A parsed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Integer(u64),
    Array(Vec<Value>),
    Object(Object),
}

/// Members not taken yet, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Object(Vec<(String, Value)>);

impl Object {
    pub(crate) fn take_value(&mut self, name: &'static str) -> Result<Value, JsonError> {
        let at = self.0.iter().position(|(member, _)| member == name);
        at.map(|at| self.0.remove(at).1)
            .ok_or(JsonError::Missing(name))
    }

    pub(crate) fn take<T: Field>(&mut self, name: &'static str) -> Result<T, JsonError> {
        let wrong = || JsonError::Value {
            member: name.to_owned(),
            expected: T::EXPECTED,
        };
        T::read(&self.take_value(name)?).ok_or_else(wrong)
    }

    pub(crate) fn take_object(&mut self, name: &'static str) -> Result<Self, JsonError> {
        match self.take_value(name)? {
            Value::Object(object) => Ok(object),
            Value::Text(_) | Value::Integer(_) | Value::Array(_) => Err(JsonError::Value {
                member: name.to_owned(),
                expected: "an object",
            }),
        }
    }

    pub(crate) fn take_array(&mut self, name: &'static str) -> Result<Vec<Value>, JsonError> {
        match self.take_value(name)? {
            Value::Array(values) => Ok(values),
            Value::Text(_) | Value::Integer(_) | Value::Object(_) => Err(JsonError::Value {
                member: name.to_owned(),
                expected: "an array",
            }),
        }
    }

    /// Refuses members that nobody took.
    pub(crate) fn finish(self) -> Result<(), JsonError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(JsonError::Unknown(name)),
        }
    }
}

/// A type of a member: its word in typed hashes, and its JSON form.
pub(crate) trait Field: Sized {
    const EXPECTED: &'static str;
    fn word(&self) -> [u8; 32];
    fn write(&self, out: &mut String);
    fn read(value: &Value) -> Option<Self>;

    fn write_member(&self, first: bool, name: &str, out: &mut String) {
        out.push_str(if first { "\n    \"" } else { ",\n    \"" });
        out.push_str(name);
        out.push_str("\": ");
        self.write(out);
    }
}

macro_rules! small_integers {
    ($($kind:ty),+) => {$(
        impl Field for $kind {
            const EXPECTED: &'static str = concat!("an integer of type ", stringify!($kind));

            fn word(&self) -> [u8; 32] {
                u128::from(*self).word()
            }

            fn write(&self, out: &mut String) {
                out.push_str(&self.to_string());
            }

            fn read(value: &Value) -> Option<Self> {
                match value {
                    Value::Integer(value) => Self::try_from(*value).ok(),
                    Value::Text(_) | Value::Array(_) | Value::Object(_) => None,
                }
            }
        }
    )+};
}

small_integers!(u8, u16, u32, u64);

impl Field for u128 {
    const EXPECTED: &'static str = "a string of decimal digits, below 2^128";

    fn word(&self) -> [u8; 32] {
        let mut word = [0; 32];
        word[16..].copy_from_slice(&self.to_be_bytes());
        word
    }

    fn write(&self, out: &mut String) {
        out.push('"');
        out.push_str(&self.to_string());
        out.push('"');
    }

    fn read(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else {
            return None;
        };
        let canonical = text == "0" || !text.starts_with('0');
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if canonical && digits {
            text.parse().ok()
        } else {
            None
        }
    }
}

impl Field for Hash {
    const EXPECTED: &'static str = "0x and 64 lower-case hexadecimal digits";

    fn word(&self) -> [u8; 32] {
        self.0
    }

    fn write(&self, out: &mut String) {
        write_hex(&self.0, out);
    }

    fn read(value: &Value) -> Option<Self> {
        Vec::read(value)?.try_into().ok().map(Self)
    }
}

impl Field for Address {
    const EXPECTED: &'static str = "0x and 40 lower-case hexadecimal digits";

    fn word(&self) -> [u8; 32] {
        let mut word = [0; 32];
        word[12..].copy_from_slice(self);
        word
    }

    fn write(&self, out: &mut String) {
        write_hex(self, out);
    }

    fn read(value: &Value) -> Option<Self> {
        Vec::read(value)?.try_into().ok()
    }
}

impl Field for [u8; 65] {
    const EXPECTED: &'static str = "0x and 130 lower-case hexadecimal digits";

    fn word(&self) -> [u8; 32] {
        selfsame_protocol::keccak256(self).0
    }

    fn write(&self, out: &mut String) {
        write_hex(self, out);
    }

    fn read(value: &Value) -> Option<Self> {
        Vec::read(value)?.try_into().ok()
    }
}

impl Field for Vec<u8> {
    const EXPECTED: &'static str = "0x and an even number of lower-case hexadecimal digits";

    fn word(&self) -> [u8; 32] {
        selfsame_protocol::keccak256(self).0
    }

    fn write(&self, out: &mut String) {
        write_hex(self, out);
    }

    fn read(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else {
            return None;
        };
        let (pairs, rest) = text.strip_prefix("0x")?.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        pairs
            .iter()
            .map(|&[high, low]| Some(digit(high)? * 16 + digit(low)?))
            .collect()
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn write_hex(bytes: &[u8], out: &mut String) {
    out.push('"');
    out.push_str(&hex(bytes));
    out.push('"');
}

/// 0x and two lower-case digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
        }
    }
    text
}

/// Parses one object that fills the whole text.
pub(crate) fn parse(text: &str) -> Result<Object, JsonError> {
    if text.len() > FILE_BYTES_MAX {
        let (what, found) = ("the file", text.len());
        return Err(JsonError::TooLarge {
            what,
            found,
            most: FILE_BYTES_MAX,
        });
    }
    let mut reader = Reader {
        bytes: text.as_bytes(),
        offset: 0,
        depth: 0,
    };
    reader.space();
    let object = reader.object()?;
    reader.space();
    if reader.offset < text.len() {
        return Err(reader.expected("the end of the file"));
    }
    Ok(object)
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    depth: u32,
}

impl Reader<'_> {
    fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::Expected {
            offset: self.offset,
            expected,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.offset += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.offset += usize::from(found);
        found
    }

    fn need(&mut self, byte: u8, name: &'static str) -> Result<(), JsonError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.expected(name))
        }
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'"') => self.text().map(Value::Text),
            Some(b'{') => self.object().map(Value::Object),
            Some(b'[') => self.array().map(Value::Array),
            Some(b'0'..=b'9') => self.integer().map(Value::Integer),
            _ => Err(self.expected("a string, an object, an array or an unsigned integer")),
        }
    }

    fn enter(&mut self) -> Result<(), JsonError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let most = DEPTH_MAX as usize;
            return Err(JsonError::TooLarge {
                what: "the nesting",
                found: most + 1,
                most,
            });
        }
        Ok(())
    }

    fn object(&mut self) -> Result<Object, JsonError> {
        self.enter()?;
        self.need(b'{', "an object")?;
        let mut members: Vec<(String, Value)> = Vec::new();
        self.space();
        while !self.eat(b'}') {
            if !members.is_empty() {
                self.need(b',', "a comma or the end of the object")?;
                self.space();
            }
            let name = self.text()?;
            if members.iter().any(|(member, _)| *member == name) {
                return Err(JsonError::Repeated(name));
            }
            self.space();
            self.need(b':', "a colon")?;
            self.space();
            let value = self.value()?;
            members.push((name, value));
            if members.len() > MEMBERS_MAX {
                let found = members.len();
                return Err(JsonError::TooLarge {
                    what: "an object",
                    found,
                    most: MEMBERS_MAX,
                });
            }
            self.space();
        }
        self.depth -= 1;
        Ok(Object(members))
    }

    fn array(&mut self) -> Result<Vec<Value>, JsonError> {
        self.enter()?;
        self.need(b'[', "an array")?;
        let mut values = Vec::new();
        self.space();
        while !self.eat(b']') {
            if !values.is_empty() {
                self.need(b',', "a comma or the end of the array")?;
                self.space();
            }
            values.push(self.value()?);
            if values.len() > MEMBERS_MAX {
                let found = values.len();
                return Err(JsonError::TooLarge {
                    what: "an array",
                    found,
                    most: MEMBERS_MAX,
                });
            }
            self.space();
        }
        self.depth -= 1;
        Ok(values)
    }

    fn text(&mut self) -> Result<String, JsonError> {
        self.need(b'"', "a string")?;
        let start = self.offset;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    let text = self.bytes.get(start..self.offset).unwrap_or_default();
                    self.offset += 1;
                    return Ok(String::from_utf8_lossy(text).into_owned());
                }
                b' '..=b'~' if byte != b'\\' => self.offset += 1,
                _ => break,
            }
        }
        Err(self.expected("a string of printable ASCII without escapes"))
    }

    fn integer(&mut self) -> Result<u64, JsonError> {
        let start = self.offset;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.offset += 1;
        }
        let digits = self.bytes.get(start..self.offset).unwrap_or_default();
        let wrong = JsonError::Expected {
            offset: start,
            expected: "an integer below 2^64 without leading zeros",
        };
        if digits.len() > 1 && digits.first() == Some(&b'0') {
            return Err(wrong);
        }
        core::str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(wrong)
    }
}
