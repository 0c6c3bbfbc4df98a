//! Exact JSON: values without float rounding, a strict parser, one canonical text.
//!
//! Everything that arrives as JSON (scopes, bundles, tool arguments, receipt lines) is read here and
//! only here. Two readers that disagree about a text are an attack surface, so the parser refuses
//! what others resolve in silence: duplicate keys, lone surrogates, numbers that would be rounded.

mod canonical;
mod decimal;
mod error;
mod object;
mod parse;
mod serde;
mod view;

use std::fmt;

use ::serde::de::DeserializeOwned;

pub use self::canonical::write_string;
pub use self::decimal::{Decimal, DecimalError};
pub use self::error::{JsonError, JsonErrorKind};
pub use self::object::{Members, Object};
pub use self::serde::from_value;
pub(crate) use self::view::{View, ViewObject};

/// One JSON value, exact: numbers are decimals and objects have each key once.
///
/// The set of kinds is JSON's and stays exhaustive. Two values are equal when their canonical texts
/// are.
///
/// # Security
///
/// A value that was parsed, converted or deserialised is at most [`Limits::MAX_DEPTH`] deep, so
/// dropping, cloning, comparing and writing it, which recurse, need bounded stack. A value
/// that host code nests by hand has whatever depth that code gave it.
///
/// # Examples
///
/// ```
/// use countersign::value::{Limits, Value};
///
/// let value = Value::parse(br#"{"b": 1.0, "a": "\u00e9"}"#, &Limits::ARGUMENTS)?;
/// assert_eq!(value.to_canonical(), r#"{"a":"é","b":1}"#);
/// # Ok::<(), countersign::value::JsonError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exact.
    Number(Decimal),
    /// A string of Unicode scalar values.
    String(String),
    /// An ordered list.
    Array(Vec<Value>),
    /// Members sorted by key.
    Object(Object),
}

impl Value {
    /// Parses one JSON text (RFC 8259) strictly.
    ///
    /// White space around and inside is allowed. Refused are invalid UTF-8, a byte order mark,
    /// duplicate keys (compared after unescaping), lone surrogates, control characters in strings,
    /// anything after the value, numbers that a [`Decimal`] cannot hold, and whatever exceeds
    /// `limits`.
    ///
    /// # Errors
    ///
    /// Returns [`JsonError`] with the kind and the byte offset of the first fault.
    ///
    /// # Security
    ///
    /// `text` may be hostile. The parser does not recurse and takes time and memory linear in the
    /// text, apart from sorting the keys of an object.
    pub fn parse(text: &[u8], limits: &Limits) -> Result<Self, JsonError> {
        parse::parse(text, limits)
    }

    /// Appends the canonical text to `out`.
    ///
    /// Keys are sorted by their UTF-8 bytes (RFC 8785 sorts by UTF-16 units, which differs for keys
    /// beyond U+FFFF), there is no white space, strings are escaped as RFC 8785 says, numbers are
    /// written as [`Decimal`] displays them. Equal values give equal bytes, others do not.
    pub fn write_canonical(&self, out: &mut String) {
        canonical::write(self, out);
    }

    /// Returns the canonical text; see [`write_canonical`](Self::write_canonical).
    #[must_use]
    pub fn to_canonical(&self) -> String {
        let mut out = String::new();
        self.write_canonical(&mut out);
        out
    }

    /// Reports whether this is `null`.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the truth value, if this is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the number, if this is one.
    #[must_use]
    pub const fn as_number(&self) -> Option<Decimal> {
        match self {
            Self::Number(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the string, if this is one.
    #[must_use]
    pub const fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value.as_str()),
            _ => None,
        }
    }

    /// Returns the elements, if this is an array.
    #[must_use]
    pub const fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values.as_slice()),
            _ => None,
        }
    }

    /// Returns the members, if this is an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// Shows the canonical text.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_canonical())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Number(value.into())
    }
}

impl From<Decimal> for Value {
    fn from(value: Decimal) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Vec<Self>> for Value {
    fn from(values: Vec<Self>) -> Self {
        Self::Array(values)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

/// Converts within [`Limits::ARGUMENTS`]; the bytes counted are those of strings, keys and numbers.
///
/// A float counts as its shortest text. What the text looked like before `serde_json` read it, and
/// whether it had duplicate keys, can no longer be known: prefer [`Value::parse`].
impl TryFrom<&serde_json::Value> for Value {
    type Error = JsonError;

    fn try_from(value: &serde_json::Value) -> Result<Self, JsonError> {
        Converter { nodes: Limits::ARGUMENTS.max_nodes, bytes: Limits::ARGUMENTS.max_bytes }
            .convert(value, Limits::ARGUMENTS.max_depth)
    }
}

/// How much one JSON text may hold.
///
/// These three bound the memory and the stack that a text can ask for. The struct is exhaustive, so
/// that callers can write their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest length of the text in bytes.
    pub max_bytes: usize,
    /// The most arrays and objects that may be open at once; above
    /// [`MAX_DEPTH`](Self::MAX_DEPTH) it counts as that.
    pub max_depth: usize,
    /// The most values of any kind; a container counts as one, keys do not count.
    pub max_nodes: usize,
}

impl Limits {
    /// The depth that no limit can raise: code that walks or drops a value recurses.
    pub const MAX_DEPTH: usize = 128;

    /// For the arguments of one call: an agent writes them, and a file's content may be among them.
    pub const ARGUMENTS: Self = Self { max_bytes: 256 << 10, max_depth: 32, max_nodes: 16_384 };

    /// For scopes, manifests and other files that people write.
    pub const DOCUMENT: Self = Self { max_bytes: 1 << 20, max_depth: 32, max_nodes: 65_536 };

    /// For one line of a receipt file.
    pub const LINE: Self = Self { max_bytes: 256 << 10, max_depth: 16, max_nodes: 16_384 };
}

/// Parses `text` strictly and reads a `T` from it.
///
/// Unlike a parse by `serde_json`, this refuses duplicate keys at any depth, also in fields that `T`
/// ignores. It also refuses to fill a struct from an array. Numbers reach `T` exactly or not at all:
/// `2e2` fits an integer field, a fraction fits a float field only if it is that float's shortest
/// text. [`Value`] and [`Decimal`] fields keep every digit, except inside untagged and flattened
/// types, where `serde` buffers numbers as floats and whatever would change is refused.
///
/// # Errors
///
/// Returns [`JsonError`] if the text is refused by [`Value::parse`], or does not fit `T`; then the
/// message says where, as a JSON pointer.
///
/// # Security
///
/// `text` may be hostile. Unknown fields are refused only if `T` says `deny_unknown_fields`.
pub fn from_slice<T: DeserializeOwned>(text: &[u8], limits: &Limits) -> Result<T, JsonError> {
    from_value(&Value::parse(text, limits)?)
}

/// What is left of the limits during a conversion.
struct Converter {
    nodes: usize,
    bytes: usize,
}

impl Converter {
    /// Recurses at most `depth` levels.
    fn convert(&mut self, value: &serde_json::Value, depth: usize) -> Result<Value, JsonError> {
        use serde_json::Value as Source;

        let nodes = self.nodes.checked_sub(1);
        self.nodes = nodes.ok_or_else(|| JsonError::new(JsonErrorKind::TooManyValues))?;
        let deeper = || {
            let rest = depth.checked_sub(1);
            rest.ok_or_else(|| JsonError::new(JsonErrorKind::TooDeep))
        };
        Ok(match value {
            Source::Null => Value::Null,
            Source::Bool(value) => Value::Bool(*value),
            Source::Number(number) => {
                let text = number.to_string();
                self.spend(text.len())?;
                Value::Number(Decimal::parse(&text).map_err(|error| JsonError::new(error.into()))?)
            }
            Source::String(text) => Value::String(self.text(text)?),
            Source::Array(values) => {
                let depth = deeper()?;
                let values = values.iter().map(|value| self.convert(value, depth));
                Value::Array(values.collect::<Result<_, _>>()?)
            }
            Source::Object(members) => {
                let depth = deeper()?;
                let members = members
                    .iter()
                    .map(|(key, value)| Ok((self.text(key)?, self.convert(value, depth)?)));
                Value::Object(members.collect::<Result<_, JsonError>>()?)
            }
        })
    }

    fn text(&mut self, text: &str) -> Result<String, JsonError> {
        self.spend(text.len())?;
        Ok(text.to_owned())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), JsonError> {
        let rest = self.bytes.checked_sub(bytes);
        self.bytes = rest.ok_or_else(|| JsonError::new(JsonErrorKind::TooLong))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
