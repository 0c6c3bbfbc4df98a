//! The strict parser: one pass, no recursion.

use std::borrow::Cow;

use super::canonical::plain_length;
use super::{Decimal, JsonError, JsonErrorKind as Kind, Limits, Object, Value};

/// What the parser builds: values of their own, or views into the text.
pub(super) trait Node<'a>: Sized {
    /// A key.
    type Key;
    /// Whether [`whole`](Self::whole) is worth asking.
    const KEEPS_TEXTS: bool = false;

    fn key(text: Cow<'a, str>) -> Self::Key;
    fn null() -> Self;
    fn bool(truth: bool) -> Self;
    /// Takes a short whole number as its text, where the builder keeps texts.
    fn whole(_text: &'a str) -> Option<Self> {
        None
    }
    /// `text` is what `number` was read from.
    fn number(number: Decimal, text: &'a str) -> Self;
    fn string(text: Cow<'a, str>) -> Self;
    fn array(values: Vec<Self>) -> Self;
    /// Sorts the members, or returns a key that occurs twice.
    fn object(members: Vec<(Self::Key, Self)>) -> Result<Self, String>;
}

impl<'a> Node<'a> for Value {
    type Key = String;

    fn key(text: Cow<'a, str>) -> String {
        text.into_owned()
    }

    fn null() -> Self {
        Self::Null
    }

    fn bool(truth: bool) -> Self {
        Self::Bool(truth)
    }

    fn number(number: Decimal, _: &'a str) -> Self {
        Self::Number(number)
    }

    fn string(text: Cow<'a, str>) -> Self {
        Self::String(text.into_owned())
    }

    fn array(values: Vec<Self>) -> Self {
        Self::Array(values)
    }

    fn object(members: Vec<(String, Self)>) -> Result<Self, String> {
        Object::from_members(members).map(Self::Object)
    }
}

/// Parses one JSON text; see [`Value::parse`].
pub(super) fn parse<'a, T: Node<'a>>(text: &'a [u8], limits: &Limits) -> Result<T, JsonError> {
    if text.len() > limits.max_bytes {
        return Err(JsonError::at(Kind::TooLong, limits.max_bytes));
    }
    let text = std::str::from_utf8(text)
        .map_err(|error| JsonError::at(Kind::Utf8, error.valid_up_to()))?;
    if text.starts_with('\u{feff}') {
        return Err(JsonError::at(Kind::ByteOrderMark, 0));
    }
    Parser {
        text,
        at: 0,
        nodes: limits.max_nodes,
        max_depth: limits.max_depth.min(Limits::MAX_DEPTH),
        open: Vec::new(),
        keys: Vec::with_capacity(USUAL),
        values: Vec::with_capacity(USUAL),
    }
    .document()
}

struct Parser<'a, T: Node<'a>> {
    text: &'a str,
    /// The cursor, a byte offset into `text`.
    at: usize,
    /// How many more values may come.
    nodes: usize,
    max_depth: usize,
    open: Vec<Container>,
    /// Keys of all open objects; those of the innermost are last.
    keys: Vec<T::Key>,
    /// Complete values of all open containers likewise.
    values: Vec<T>,
}

/// An array or object whose end has not been seen, and what was complete before it.
#[derive(Clone, Copy)]
enum Container {
    Array { values: usize },
    Object { values: usize, keys: usize, begins: usize },
}

impl<'a, T: Node<'a>> Parser<'a, T> {
    fn document(mut self) -> Result<T, JsonError> {
        while !(self.value()? && self.close()?) {}
        self.skip_space();
        match (self.peek(), self.values.pop()) {
            (None, Some(value)) => Ok(value),
            _ => Err(self.fault(Kind::Trailing)),
        }
    }

    /// Reads the value at the cursor; false if it is a container that was opened and has content.
    fn value(&mut self) -> Result<bool, JsonError> {
        self.skip_space();
        let Some(nodes) = self.nodes.checked_sub(1) else {
            return Err(JsonError::at(Kind::TooManyValues, self.at));
        };
        self.nodes = nodes;
        match self.peek() {
            Some(b'"') => {
                let text = self.string()?;
                self.values.push(T::string(text));
            }
            Some(b'-' | b'0'..=b'9') => {
                let begins = self.at;
                if T::KEEPS_TEXTS {
                    let text = self.short_whole();
                    if let Some(number) = T::whole(text) {
                        self.at += text.len();
                        self.values.push(number);
                        return Ok(true);
                    }
                }
                let number = self.number()?;
                let text = self.text.get(begins..self.at).unwrap_or_default();
                self.values.push(T::number(number, text));
            }
            Some(b'{') => return self.open_object(),
            Some(b'[') => return self.open_array(),
            Some(b't') => self.literal("true", T::bool(true))?,
            Some(b'f') => self.literal("false", T::bool(false))?,
            Some(b'n') => self.literal("null", T::null())?,
            _ => return Err(self.unexpected()),
        }
        Ok(true)
    }

    /// Goes on after a value: to the next one, or through the ends of containers. True when nothing
    /// is open any more.
    fn close(&mut self) -> Result<bool, JsonError> {
        while let Some(&container) = self.open.last() {
            self.skip_space();
            let closed = match (container, self.peek()) {
                (Container::Array { .. }, Some(b',')) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Container::Object { .. }, Some(b',')) => {
                    self.at += 1;
                    self.key()?;
                    return Ok(false);
                }
                (Container::Array { values }, Some(b']')) => {
                    T::array(self.values.drain(values..).collect())
                }
                (Container::Object { values, keys, begins }, Some(b'}')) => {
                    let members = self.keys.drain(keys..).zip(self.values.drain(values..));
                    match T::object(members.collect()) {
                        Ok(object) => object,
                        Err(key) => {
                            return Err(JsonError::at(Kind::DuplicateKey, begins).quoting(&key));
                        }
                    }
                }
                _ => return Err(self.unexpected()),
            };
            self.values.push(closed);
            self.at += 1;
            self.open.pop();
        }
        Ok(true)
    }

    fn open_array(&mut self) -> Result<bool, JsonError> {
        self.check_depth()?;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            self.values.push(T::array(Vec::new()));
            return Ok(true);
        }
        let values = self.values.len();
        self.open.push(Container::Array { values });
        Ok(false)
    }

    fn open_object(&mut self) -> Result<bool, JsonError> {
        self.check_depth()?;
        let begins = self.at;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            let empty = T::object(Vec::new()).map_err(|_| self.unexpected())?;
            self.values.push(empty);
            return Ok(true);
        }
        let (values, keys) = (self.values.len(), self.keys.len());
        self.open.push(Container::Object { values, keys, begins });
        self.key()?;
        Ok(false)
    }

    fn check_depth(&self) -> Result<(), JsonError> {
        if self.open.len() < self.max_depth {
            Ok(())
        } else {
            Err(JsonError::at(Kind::TooDeep, self.at))
        }
    }

    /// Reads a key and its colon.
    fn key(&mut self) -> Result<(), JsonError> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let key = T::key(self.string()?);
        self.keys.push(key);
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &str, value: T) -> Result<(), JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let common = rest.bytes().zip(word.bytes()).take_while(|(l, r)| l == r).count();
        self.at += common;
        if common != word.len() {
            return Err(self.unexpected());
        }
        self.values.push(value);
        Ok(())
    }

    /// The whole number at the cursor, if it has at most 18 digits and no sign; empty otherwise.
    fn short_whole(&self) -> &'a str {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let digits = rest.iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
        let plain = match (rest.first(), rest.get(digits)) {
            (_, Some(b'.' | b'e' | b'E')) => false,
            (Some(b'0'), _) => digits == 1,
            _ => (1..=18).contains(&digits),
        };
        let end = if plain { self.at + digits } else { self.at };
        self.text.get(self.at..end).unwrap_or_default()
    }

    fn number(&mut self) -> Result<Decimal, JsonError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        match Decimal::scan(rest) {
            Ok((number, length)) => {
                self.at += length;
                Ok(number)
            }
            Err((_, place)) if place == rest.len() => {
                Err(JsonError::at(Kind::End, self.at + place))
            }
            Err((error, place)) => {
                let number =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let length = rest.iter().take_while(|byte| number(byte)).count();
                let text = self.text.get(self.at..self.at + length).unwrap_or_default();
                Err(JsonError::at(error.into(), self.at + place).quoting(text))
            }
        }
    }

    /// Reads the string whose opening quote is at the cursor.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let plain = self.plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.fault(Kind::ControlCharacter)),
                None => return Err(self.fault(Kind::End)),
            }
            text.push_str(self.plain());
        }
    }

    /// Reads up to the next byte that cannot stand for itself in a string.
    fn plain(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = plain_length(rest);
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Reads the escape whose backslash is at the cursor.
    fn escape(&mut self) -> Result<char, JsonError> {
        let begins = self.at;
        self.at += 1;
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(begins),
            Some(_) => return Err(JsonError::at(Kind::Escape, begins)),
            None => return Err(self.fault(Kind::End)),
        };
        self.at += 1;
        Ok(character)
    }

    /// Reads one or, for a surrogate pair, two escapes; the cursor is at the first `u`.
    fn unicode_escape(&mut self, begins: usize) -> Result<char, JsonError> {
        let first = self.hex(begins)?;
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let code = match (first, rest) {
            (0xd800..=0xdbff, [b'\\', b'u', ..]) => {
                self.at += 1;
                match self.hex(self.at - 1)? {
                    second @ 0xdc00..=0xdfff => {
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    _ => first,
                }
            }
            _ => first,
        };
        char::from_u32(code).ok_or_else(|| JsonError::at(Kind::LoneSurrogate, begins))
    }

    /// Reads `u` and four hex digits.
    fn hex(&mut self, begins: usize) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            self.at += 1;
            let Some(byte) = self.peek() else {
                return Err(self.fault(Kind::End));
            };
            let digit = char::from(byte).to_digit(16);
            code = code << 4 | digit.ok_or_else(|| JsonError::at(Kind::Escape, begins))?;
        }
        self.at += 1;
        Ok(code)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn unexpected(&self) -> JsonError {
        self.fault(Kind::Unexpected)
    }

    /// Makes an error about the cursor's place, with the character that stands there.
    fn fault(&self, kind: Kind) -> JsonError {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => JsonError::at(Kind::End, self.at),
            Some(character) => {
                JsonError::at(kind, self.at).quoting(character.encode_utf8(&mut [0; 4]))
            }
        }
    }
}

/// Room for the values of a usual text, so that reading one does not grow vectors step by step.
const USUAL: usize = 32;
