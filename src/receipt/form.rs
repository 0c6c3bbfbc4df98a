//! Canonical JSON, both ways: a [`Reader`] that accepts the one spelling a line may have, and the
//! [`Field`]s that bodies are made of (receipt-format §2.3, §2.4).
//!
//! Every kind of line has its members in one fixed order, so reading is expecting bytes. What does
//! not stand where it must is refused; nothing is parsed into a tree and written again to compare.

use std::borrow::Cow;
use std::fmt;

use super::{MAX_INTEGER, MAX_LIST, MAX_TEXT};
use crate::digest::Digest;
use crate::hex;
use crate::text::escape_visible;

/// Text that is borrowed from a line where it needed no unescaping.
pub type Text<'a> = Cow<'a, str>;

/// A list that a writer borrows and a reader owns; it reads like a slice.
///
/// Not a `Cow`, which would force all that its elements borrow to one lifetime.
#[derive(Clone)]
pub struct List<'a, T>(Items<'a, T>);

#[derive(Clone)]
enum Items<'a, T> {
    Borrowed(&'a [T]),
    Owned(Vec<T>),
}

impl<T> std::ops::Deref for List<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Items::Borrowed(items) => items,
            Items::Owned(items) => items,
        }
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self(Items::Borrowed(&[]))
    }
}

impl<'a, T> From<&'a [T]> for List<'a, T> {
    fn from(items: &'a [T]) -> Self {
        Self(Items::Borrowed(items))
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for List<'a, T> {
    fn from(items: &'a [T; N]) -> Self {
        Self(Items::Borrowed(items))
    }
}

impl<T> From<Vec<T>> for List<'_, T> {
    fn from(items: Vec<T>) -> Self {
        Self(Items::Owned(items))
    }
}

impl<T> FromIterator<T> for List<'_, T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(Items::Owned(items.into_iter().collect()))
    }
}

impl<T: PartialEq> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for List<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// What a line lacks to be of the required form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormError {
    at: usize,
    expected: Cow<'static, str>,
    found: String,
}

impl FormError {
    pub(super) fn new(at: usize, expected: impl Into<Cow<'static, str>>, found: &[u8]) -> Self {
        Self { at, expected: expected.into(), found: excerpt(found) }
    }

    /// Returns the offset of the first wrong byte in the line.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Returns what should stand there.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// Returns what stands there, escaped and cut short.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at byte {}, found `{}`", self.expected, self.at, self.found)
    }
}

impl std::error::Error for FormError {}

/// Returns the first bytes of `found`, escaped, for an error message.
pub(super) fn excerpt(found: &[u8]) -> String {
    const SHOWN: usize = 40;
    let head = found.get(..SHOWN).unwrap_or(found);
    let mut text = escape_visible(&String::from_utf8_lossy(head)).replace('`', "\\u{60}");
    if found.len() > SHOWN {
        text.push('…');
    }
    text
}

/// Reads canonical JSON from the front.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    max_text: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, max_text: MAX_TEXT }
    }

    /// Reads strings up to `max_text` bytes instead of [`MAX_TEXT`].
    pub(super) fn with_max_text(text: &'a str, max_text: usize) -> Self {
        Self { text, at: 0, max_text }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Accepts `token`, which must stand here.
    pub(super) fn expect(&mut self, token: &'static str) -> Result<(), FormError> {
        if self.accept(token) { Ok(()) } else { Err(self.wrong(format!("`{token}`"))) }
    }

    /// Accepts `token` if it stands here.
    pub(super) fn accept(&mut self, token: &str) -> bool {
        let here = self.rest().starts_with(token.as_bytes());
        if here {
            self.at += token.len();
        }
        here
    }

    /// Accepts the comma before a member, which must stand here unless the member is the first.
    fn separator(&mut self) -> Result<(), FormError> {
        if self.is_first() { Ok(()) } else { self.expect(",") }
    }

    fn is_first(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.text.as_bytes().get(at));
        before == Some(&b'{')
    }

    /// Accepts the end of the text, which must stand here.
    pub(super) fn end(&self) -> Result<(), FormError> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.wrong("the end of the line")) }
    }

    pub(super) fn integer(&mut self) -> Result<u64, FormError> {
        let rest = self.rest();
        let mut value = 0_u64;
        let mut digits = 0_usize;
        while let Some(digit @ b'0'..=b'9') = rest.get(digits) {
            value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            digits += 1;
            if digits > 16 {
                break;
            }
        }
        let leading_zero = digits > 1 && rest.first() == Some(&b'0');
        if digits == 0 || leading_zero || value > MAX_INTEGER {
            return Err(self.wrong("an integer from 0 to 2^53 - 1"));
        }
        self.at += digits;
        Ok(value)
    }

    /// Reads a string of exactly `2 * N` hex digits.
    pub(super) fn hex<const N: usize>(&mut self) -> Result<[u8; N], FormError> {
        let rest = self.rest();
        let inside = rest.get(1..1 + N * 2);
        let quoted = rest.first() == Some(&b'"') && rest.get(1 + N * 2) == Some(&b'"');
        match inside.and_then(hex::parse::<N>) {
            Some(bytes) if quoted => {
                self.at += N * 2 + 2;
                Ok(bytes)
            }
            _ => Err(self.wrong(format!("{} lower-case hex digits in quotes", N * 2))),
        }
    }

    pub(super) fn string(&mut self) -> Result<Text<'a>, FormError> {
        let start = self.at + 1;
        if self.rest().first() != Some(&b'"') {
            return Err(self.wrong("a string"));
        }
        let inside = self.bytes_from(start);
        let plain = inside.iter().take_while(|byte| is_plain(**byte)).count();
        let text = match inside.get(plain) {
            Some(b'"') => {
                self.at = start + plain + 1;
                Cow::Borrowed(self.text.get(start..start + plain).unwrap_or_default())
            }
            _ => Cow::Owned(self.escaped_string(start, plain)?),
        };
        if text.is_empty() || text.len() > self.max_text {
            self.at = start - 1;
            return Err(self.wrong(format!("a text of 1 to {} bytes", self.max_text)));
        }
        Ok(text)
    }

    /// Reads the rest of a string whose first `plain` bytes need no unescaping.
    fn escaped_string(&mut self, start: usize, plain: usize) -> Result<String, FormError> {
        let mut out = self.text.get(start..start + plain).unwrap_or_default().to_owned();
        self.at = start + plain;
        loop {
            let rest = self.rest();
            let plain = rest.iter().take_while(|byte| is_plain(**byte)).count();
            out.push_str(self.text.get(self.at..self.at + plain).unwrap_or_default());
            self.at += plain;
            match rest.get(plain) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                _ => return Err(self.wrong("a string without raw control characters")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, FormError> {
        const ESCAPES: [(&str, char); 7] = [
            ("\\\"", '"'),
            ("\\\\", '\\'),
            ("\\b", '\u{8}'),
            ("\\t", '\t'),
            ("\\n", '\n'),
            ("\\f", '\u{c}'),
            ("\\r", '\r'),
        ];
        for (spelling, character) in ESCAPES {
            if self.accept(spelling) {
                return Ok(character);
            }
        }
        let code = self.rest().strip_prefix(b"\\u00").and_then(|rest| rest.get(..2));
        match code.and_then(hex::parse::<1>) {
            Some([code]) if code < 0x20 && !matches!(code, 8 | 9 | 10 | 12 | 13) => {
                self.at += 6;
                Ok(char::from(code))
            }
            _ => Err(self.wrong("an escape in its canonical spelling")),
        }
    }

    /// Reads `[…]`.
    pub(super) fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, FormError>,
    ) -> Result<Vec<T>, FormError> {
        self.expect("[")?;
        let mut list = Vec::new();
        if self.accept("]") {
            return Ok(list);
        }
        loop {
            if list.len() == MAX_LIST {
                return Err(self.wrong(format!("at most {MAX_LIST} elements")));
            }
            list.push(element(self)?);
            if self.accept("]") {
                return Ok(list);
            }
            self.expect(",")?;
        }
    }

    /// Builds the error for what stands here.
    pub(super) fn wrong(&self, expected: impl Into<Cow<'static, str>>) -> FormError {
        FormError::new(self.at, expected, self.rest())
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes_from(self.at)
    }

    fn bytes_from(&self, at: usize) -> &'a [u8] {
        self.text.as_bytes().get(at..).unwrap_or_default()
    }
}

fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// What can stand as the value of a member.
pub(super) trait Field<'a>: Sized {
    fn write(&self, out: &mut String);
    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError>;

    /// Tells whether the value is within the limits of the format, so that what is written can be
    /// read again.
    fn fits(&self) -> bool {
        true
    }

    /// Writes `name` (which ends in `":`) and the value; an absent value writes nothing.
    fn write_member(&self, name: &'static str, out: &mut String) {
        separate(out);
        out.push_str(name);
        self.write(out);
    }

    fn read_member(name: &'static str, reader: &mut Reader<'a>) -> Result<Self, FormError> {
        reader.separator()?;
        reader.expect(name)?;
        Self::read(reader)
    }
}

/// Appends the comma before a member, unless it is the first.
fn separate(out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
}

impl<'a, F: Field<'a>> Field<'a> for Option<F> {
    fn write(&self, out: &mut String) {
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError> {
        F::read(reader).map(Some)
    }

    fn fits(&self) -> bool {
        self.as_ref().is_none_or(F::fits)
    }

    fn write_member(&self, name: &'static str, out: &mut String) {
        if let Some(value) = self {
            value.write_member(name, out);
        }
    }

    fn read_member(name: &'static str, reader: &mut Reader<'a>) -> Result<Self, FormError> {
        let start = reader.at;
        // An absent member is no error: none is made for it.
        if (reader.is_first() || reader.accept(",")) && reader.accept(name) {
            return F::read(reader).map(Some);
        }
        reader.at = start;
        Ok(None)
    }
}

impl<'a> Field<'a> for u64 {
    fn write(&self, out: &mut String) {
        let mut digits = [b'0'; 20];
        let mut rest = *self;
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            used += 1;
            if rest == 0 {
                break;
            }
        }
        let digits = digits.get(digits.len() - used..).unwrap_or_default();
        out.push_str(std::str::from_utf8(digits).unwrap_or_default());
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError> {
        reader.integer()
    }

    fn fits(&self) -> bool {
        *self <= MAX_INTEGER
    }
}

impl<'a> Field<'a> for Text<'a> {
    fn write(&self, out: &mut String) {
        if self.bytes().all(is_plain) {
            out.push('"');
            out.push_str(self);
            out.push('"');
        } else {
            crate::value::write_string(out, self);
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError> {
        reader.string()
    }

    fn fits(&self) -> bool {
        (1..=MAX_TEXT).contains(&self.len())
    }
}

impl<'a> Field<'a> for Digest {
    fn write(&self, out: &mut String) {
        self.as_bytes().write(out);
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError> {
        reader.hex().map(Digest::from_bytes)
    }
}

impl<'a, const N: usize> Field<'a> for [u8; N] {
    fn write(&self, out: &mut String) {
        out.push('"');
        hex::push(out, self);
        out.push('"');
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError> {
        reader.hex()
    }
}

impl<'a, T: Field<'a>> Field<'a> for List<'a, T> {
    fn write(&self, out: &mut String) {
        out.push('[');
        for (index, element) in self.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            element.write(out);
        }
        out.push(']');
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError> {
        reader.list(T::read).map(Self::from)
    }

    fn fits(&self) -> bool {
        self.len() <= MAX_LIST && self.iter().all(T::fits)
    }
}

/// Named integers in ascending order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters<'a>(List<'a, (Text<'a>, u64)>);

impl<'a> Counters<'a> {
    /// Takes `counters` if their names ascend and are of the form that the format permits.
    #[must_use]
    pub fn new(counters: impl Into<List<'a, (Text<'a>, u64)>>) -> Option<Self> {
        let counters = Self(counters.into());
        counters.fits().then_some(counters)
    }

    /// Returns the counter called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// Iterates over names and values, ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// Copies what is borrowed.
    #[must_use]
    pub fn into_owned(self) -> Counters<'static> {
        let owned = self.0.iter().map(|(name, value)| (Cow::Owned(name.to_string()), *value));
        Counters(owned.collect())
    }
}

impl<'a> Field<'a> for Counters<'a> {
    fn write(&self, out: &mut String) {
        out.push('{');
        for (name, value) in self.0.iter() {
            separate(out);
            name.write(out);
            out.push(':');
            value.write(out);
        }
        out.push('}');
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError> {
        // As many as a session mostly has.
        let mut counters: Vec<(Text<'a>, u64)> = Vec::with_capacity(16);
        reader.expect("{")?;
        while !reader.accept("}") {
            if !counters.is_empty() {
                reader.expect(",")?;
            }
            let name = reader.string()?;
            let ascends = counters.last().is_none_or(|(last, _)| *last < name);
            if !ascends || !is_counter_name(&name) || counters.len() == MAX_LIST {
                return Err(reader.wrong(format!("at most {MAX_LIST} plain names, ascending")));
            }
            reader.expect(":")?;
            counters.push((name, reader.integer()?));
        }
        Ok(Self(counters.into()))
    }

    fn fits(&self) -> bool {
        self.0.len() <= MAX_LIST
            && self.0.iter().all(|(name, value)| is_counter_name(name) && value.fits())
            && self.0.is_sorted_by(|(a, _), (b, _)| a < b)
    }
}

fn is_counter_name(name: &str) -> bool {
    (1..=MAX_TEXT).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-/".contains(&b))
}

/// Defines an enum of code words with its bytes both ways.
macro_rules! words {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Returns the word that stands in a line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl<'a> $crate::receipt::form::Field<'a> for $name {
            fn write(&self, out: &mut String) {
                out.push('"');
                out.push_str(self.as_str());
                out.push('"');
            }

            fn read(
                reader: &mut $crate::receipt::form::Reader<'a>,
            ) -> Result<Self, $crate::receipt::form::FormError> {
                $(if reader.accept(concat!("\"", $word, "\"")) {
                    return Ok(Self::$variant);
                })*
                Err(reader.wrong(concat!("one of", $(" `", $word, "`",)*)))
            }
        }
    };
}

/// Defines a struct whose fields, in order, are the members of an object, with its bytes both ways.
macro_rules! object {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident $(<$life:lifetime>)? {
        $($(#[$doc:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        $visibility struct $name $(<$life>)? { $($(#[$doc])* pub $field: $type,)* }

        impl<'a> $crate::receipt::form::Field<'a> for $name $(<$life>)? {
            fn write(&self, out: &mut String) {
                out.push('{');
                $($crate::receipt::form::Field::write_member(
                    &self.$field, concat!("\"", stringify!($field), "\":"), out);)*
                out.push('}');
            }

            fn read(
                reader: &mut $crate::receipt::form::Reader<'a>,
            ) -> Result<Self, $crate::receipt::form::FormError> {
                reader.expect("{")?;
                let object = Self {
                    $($field: $crate::receipt::form::Field::read_member(
                        concat!("\"", stringify!($field), "\":"), reader)?,)*
                };
                reader.expect("}")?;
                Ok(object)
            }

            fn fits(&self) -> bool {
                true $(&& $crate::receipt::form::Field::fits(&self.$field))*
            }
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// Names of the members in the order in which they stand.
            #[cfg(test)]
            pub(super) const MEMBERS: &'static [&'static str] = &[$(stringify!($field)),*];
        }
    };
}

pub(super) use {object, words};
