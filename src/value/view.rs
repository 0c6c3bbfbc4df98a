//! Views: JSON that is read and let go again, without a copy of each string.
//!
//! Telemetry comes by the million lines, and most of what a line says is not looked at. A [`View`] is
//! read by the same parser under the same rules as a [`Value`](super::Value).

use std::borrow::Cow;

use super::parse::{Node, parse};
use super::{Decimal, JsonError, Limits};

/// One JSON value that borrows from its text whatever needed no unescaping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum View<'a> {
    Null,
    Bool(bool),
    /// The text of a number: a `Decimal` would make every view half as large again.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    Object(ViewObject<'a>),
}

/// The members of an object, sorted by the bytes of their keys.
// INVARIANT: keys ascend strictly, as in `Object`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ViewObject<'a>(Vec<(Cow<'a, str>, View<'a>)>);

impl<'a> View<'a> {
    /// Parses one JSON text as [`Value::parse`](super::Value::parse) does.
    pub(crate) fn parse(text: &'a [u8], limits: &Limits) -> Result<Self, JsonError> {
        parse(text, limits)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number, if this is a whole one that is not negative.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(text) => match text.parse() {
                Ok(number) => Some(number),
                Err(_) => Decimal::parse(text).ok()?.to_u64(),
            },
            _ => None,
        }
    }

    pub(crate) const fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values.as_slice()),
            _ => None,
        }
    }

    pub(crate) const fn as_object(&self) -> Option<&ViewObject<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl<'a> ViewObject<'a> {
    /// Returns the value under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&View<'a>> {
        let index = self.0.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }
}

impl<'a> Node<'a> for View<'a> {
    type Key = Cow<'a, str>;

    fn key(text: Cow<'a, str>) -> Cow<'a, str> {
        text
    }

    fn null() -> Self {
        Self::Null
    }

    fn bool(truth: bool) -> Self {
        Self::Bool(truth)
    }

    const KEEPS_TEXTS: bool = true;

    fn whole(text: &'a str) -> Option<Self> {
        (!text.is_empty()).then_some(Self::Number(text))
    }

    fn number(_: Decimal, text: &'a str) -> Self {
        Self::Number(text)
    }

    fn string(text: Cow<'a, str>) -> Self {
        Self::String(text)
    }

    fn array(values: Vec<Self>) -> Self {
        Self::Array(values)
    }

    fn object(mut members: Vec<(Cow<'a, str>, Self)>) -> Result<Self, String> {
        if !members.is_sorted_by(|left, right| left.0 < right.0) {
            members.sort_unstable_by(|left, right| left.0.cmp(&right.0));
            let mut pairs = members.iter().zip(members.iter().skip(1));
            if let Some(twin) = pairs.position(|(left, right)| left.0 == right.0) {
                return Err(members.swap_remove(twin).0.into_owned());
            }
        }
        Ok(Self::Object(ViewObject(members)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    /// Writes a view as the canonical text of a value.
    fn owned(view: &View<'_>) -> Value {
        match view {
            View::Null => Value::Null,
            View::Bool(truth) => Value::Bool(*truth),
            View::Number(text) => Value::Number(Decimal::parse(text).unwrap()),
            View::String(text) => Value::String(text.clone().into_owned()),
            View::Array(values) => Value::Array(values.iter().map(owned).collect()),
            View::Object(object) => Value::Object(
                object
                    .0
                    .iter()
                    .map(|(key, value)| (key.clone().into_owned(), owned(value)))
                    .collect(),
            ),
        }
    }

    #[test]
    fn a_view_is_what_the_value_is() {
        for text in [
            r#"{"b":[1,2.50,{"c":null,"a":true}],"a":"\u00e9\n","":{}}"#,
            "[]",
            "1e3",
            "0",
            "01",
            "[0,10,-1,1.5]",
            "123456789012345678",
            "1234567890123456789",
            "123456789012345678901234567890123456789",
            "1x",
            r#"{"a":1,"a":1}"#,
            r#"{"b":1,"a":1,"\u0062":1}"#,
            r#"{"a":"\ud800"}"#,
            "{",
            "",
        ] {
            let view = View::parse(text.as_bytes(), &Limits::LINE);
            let value = Value::parse(text.as_bytes(), &Limits::LINE);
            assert_eq!(view.as_ref().map(owned).map_err(Clone::clone), value, "{text}");
        }
        let view = View::parse(br#"{"b":1,"a":"x"}"#, &Limits::LINE).unwrap();
        let object = view.as_object().unwrap();
        assert_eq!(object.get("a").and_then(View::as_str), Some("x"));
        assert_eq!(object.get("c"), None);
        for (text, expected) in [
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("2e2", Some(200)),
            ("-7", None),
            ("0.5", None),
            ("1e99", None),
        ] {
            let view = View::parse(text.as_bytes(), &Limits::LINE).unwrap();
            assert_eq!(view.as_u64(), expected, "{text}");
        }
    }
}
