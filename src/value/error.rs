//! Why a JSON text was refused.

use std::fmt::{self, Write as _};

use super::DecimalError;
use crate::text::is_hidden;

/// Why a JSON text was refused, and where.
///
/// The message quotes at most 40 characters of the text, escaped. What the type that was being read
/// has to say is cut to 240, and followed by the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct JsonError {
    kind: JsonErrorKind,
    offset: Option<usize>,
    detail: Option<Box<str>>,
}

impl JsonError {
    /// Returns what is wrong.
    #[must_use]
    pub const fn kind(&self) -> JsonErrorKind {
        self.kind
    }

    /// Returns the byte at which the text goes wrong; for a duplicate key, where its object begins.
    ///
    /// `None` if the fault is in no text: a value that does not fit a type, or that was converted.
    #[must_use]
    pub const fn offset(&self) -> Option<usize> {
        self.offset
    }

    pub(super) const fn new(kind: JsonErrorKind) -> Self {
        Self { kind, offset: None, detail: None }
    }

    pub(super) const fn at(kind: JsonErrorKind, offset: usize) -> Self {
        Self { kind, offset: Some(offset), detail: None }
    }

    /// Adds a quotation from the text.
    pub(super) fn quoting(mut self, text: &str) -> Self {
        self.detail = Some(format!("`{}`", quote(text)).into());
        self
    }

    /// Says that a value does not fit the type it is read as; `message` is cut and escaped already.
    pub(super) fn mismatch(message: String) -> Self {
        Self { kind: JsonErrorKind::Mismatch, offset: None, detail: Some(message.into()) }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if let Some(detail) = &self.detail {
            let separator = if self.kind == JsonErrorKind::Mismatch { ": " } else { " " };
            write!(f, "{separator}{detail}")?;
        }
        match self.offset {
            Some(offset) => write!(f, " at byte {offset}"),
            None => Ok(()),
        }
    }
}

/// What can be wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The text is longer than [`Limits::max_bytes`](super::Limits::max_bytes).
    #[error("more bytes than allowed")]
    TooLong,
    /// Arrays and objects nest deeper than [`Limits::max_depth`](super::Limits::max_depth).
    #[error("arrays and objects nest too deep")]
    TooDeep,
    /// There are more values than [`Limits::max_nodes`](super::Limits::max_nodes).
    #[error("more values than allowed")]
    TooManyValues,
    /// The text is not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// The text starts with a byte order mark.
    #[error("byte order mark")]
    ByteOrderMark,
    /// The text ends inside a value.
    #[error("unexpected end of text")]
    End,
    /// Another character was expected.
    #[error("unexpected character")]
    Unexpected,
    /// Something follows the value.
    #[error("unexpected text after the value")]
    Trailing,
    /// A string holds a control character that is not escaped.
    #[error("control character in a string")]
    ControlCharacter,
    /// A backslash is followed by something that is no escape.
    #[error("invalid escape in a string")]
    Escape,
    /// A `\u` escape is half of a surrogate pair.
    #[error("lone surrogate in a string")]
    LoneSurrogate,
    /// A number does not follow the grammar.
    #[error("malformed number")]
    Number,
    /// A number has more digits than a [`Decimal`](super::Decimal) holds.
    #[error("number with more than 34 significant digits")]
    NumberDigits,
    /// A number has a larger exponent than a [`Decimal`](super::Decimal) holds.
    #[error("number with an exponent beyond 999")]
    NumberExponent,
    /// A key stands twice in one object.
    #[error("duplicate key")]
    DuplicateKey,
    /// The value does not fit the type it is read as.
    #[error("unexpected content")]
    Mismatch,
}

impl From<DecimalError> for JsonErrorKind {
    fn from(error: DecimalError) -> Self {
        match error {
            DecimalError::Grammar => Self::Number,
            DecimalError::Digits => Self::NumberDigits,
            DecimalError::Exponent => Self::NumberExponent,
        }
    }
}

/// Cuts a piece of input to 40 characters and escapes what could break out of a quotation.
pub(super) fn quote(text: &str) -> String {
    let mut out = Cut::new(MAX_QUOTE, "`");
    // `Cut` fails when it is full, which is all there is to know.
    let _ = out.write_str(text);
    out.text
}

/// Writes a message that may carry input: cut to 240 characters, on one line.
pub(super) fn message(text: fmt::Arguments<'_>) -> String {
    let mut out = Cut::new(MAX_MESSAGE, "");
    let _ = out.write_fmt(text);
    out.text
}

/// A writer that escapes and stops when it is full, so that a huge text costs nothing.
struct Cut {
    text: String,
    room: usize,
    escaped: &'static str,
}

impl Cut {
    fn new(room: usize, escaped: &'static str) -> Self {
        Self { text: String::new(), room, escaped }
    }
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let plain = matches!(character, '"' | '\'' | '\\')
                || (character.escape_debug().count() == 1 && !is_hidden(character));
            let (before, room) = (self.text.len(), self.room);
            if plain && !self.escaped.contains(character) {
                self.text.push(character);
                self.room = room.saturating_sub(1);
            } else {
                self.text.extend(character.escape_unicode());
                self.room = room.saturating_sub(self.text.len() - before);
            }
            if self.room == 0 {
                self.text.truncate(before);
                self.text.push('…');
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

/// Enough to find a key or a word again.
const MAX_QUOTE: usize = 40;
/// Enough for `serde`'s list of expected fields.
const MAX_MESSAGE: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_cut_and_escaped() {
        fn check(text: &str, expected: &str) {
            assert_eq!(quote(text), expected);
        }
        check("plain \"text\" é", "plain \"text\" é");
        check("a`b", "a\\u{60}b");
        check("a\nb", "a\\u{a}b");
        check("\u{202e}x", "\\u{202e}x");
        check("\u{301}", "\\u{301}");
        check(&"x".repeat(39), &"x".repeat(39));
        check(&"x".repeat(40), &format!("{}…", "x".repeat(39)));
        check(&"x".repeat(1 << 20), &format!("{}…", "x".repeat(39)));
        check(&"\n".repeat(50), &format!("{}…", "\\u{a}".repeat(7)));
        assert_eq!(message(format_args!("{}", "x".repeat(500))).chars().count(), 240);
    }
}
