//! Reads the bodies of signed documents and requests: every member once, in its one form, and no other.

use crate::action::Domain;
use crate::digest::Digest;
use crate::receipt::SessionId;
use crate::text;
use crate::time::Timestamp;
use crate::value::{Object, Value};

/// What is wrong with a body: the member that is missing or is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", Shown(*.0))]
pub struct BodyError(&'static str);

impl BodyError {
    pub(super) const fn new(member: &'static str) -> Self {
        Self(member)
    }

    /// Returns the member; empty when there are members that do not belong there.
    #[must_use]
    pub const fn member(&self) -> &'static str {
        self.0
    }
}

struct Shown(&'static str);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            "" => f.write_str("there are members that do not belong there"),
            member => write!(f, "the member `{member}` is missing or is not what it must be"),
        }
    }
}

/// The members of one body, each taken once.
#[derive(Debug)]
pub(super) struct Body<'a> {
    object: &'a Object,
    taken: usize,
}

impl<'a> Body<'a> {
    /// Opens the body of a document of one format, whose version stands under `tag`.
    pub(super) fn open(
        value: &'a Value,
        tag: &'static str,
        version: &str,
    ) -> Result<Self, BodyError> {
        let mut body = Self::of(value, tag)?;
        if body.value(tag)?.as_str() != Some(version) {
            return Err(BodyError(tag));
        }
        Ok(body)
    }

    /// Opens an object without a version.
    pub(super) fn of(value: &'a Value, member: &'static str) -> Result<Self, BodyError> {
        value.as_object().map(|object| Self { object, taken: 0 }).ok_or(BodyError(member))
    }

    pub(super) fn maybe(&mut self, member: &str) -> Option<&'a Value> {
        let found = self.object.get(member)?;
        self.taken = self.taken.saturating_add(1);
        Some(found)
    }

    pub(super) fn value(&mut self, member: &'static str) -> Result<&'a Value, BodyError> {
        self.maybe(member).ok_or(BodyError(member))
    }

    /// Takes a text of 1 to `most` bytes in which a reader sees every character.
    pub(super) fn text(&mut self, member: &'static str, most: usize) -> Result<&'a str, BodyError> {
        let text = self.value(member)?.as_str().filter(|text| is_plain(text, most));
        text.ok_or(BodyError(member))
    }

    pub(super) fn maybe_text(
        &mut self,
        member: &'static str,
        most: usize,
    ) -> Result<Option<&'a str>, BodyError> {
        if self.object.get(member).is_none() {
            return Ok(None);
        }
        self.text(member, most).map(Some)
    }

    pub(super) fn digest(&mut self, member: &'static str) -> Result<Digest, BodyError> {
        self.value(member)?.as_str().and_then(Digest::parse_hex).ok_or(BodyError(member))
    }

    /// Takes a list of 1 to `most` digests.
    pub(super) fn digests(
        &mut self,
        member: &'static str,
        most: usize,
    ) -> Result<Vec<Digest>, BodyError> {
        let list = self.list(member, most)?;
        let read = |value: &Value| value.as_str().and_then(Digest::parse_hex);
        list.iter().map(read).collect::<Option<_>>().ok_or(BodyError(member))
    }

    /// Takes a list of 1 to `most` elements.
    pub(super) fn list(
        &mut self,
        member: &'static str,
        most: usize,
    ) -> Result<&'a [Value], BodyError> {
        let list = self.value(member)?.as_array();
        list.filter(|list| (1..=most).contains(&list.len())).ok_or(BodyError(member))
    }

    pub(super) fn session(&mut self, member: &'static str) -> Result<SessionId, BodyError> {
        self.value(member)?.as_str().and_then(SessionId::parse_hex).ok_or(BodyError(member))
    }

    pub(super) fn domain(&mut self, member: &'static str) -> Result<Domain, BodyError> {
        let name = self.value(member)?.as_str();
        let found = Domain::ALL.into_iter().find(|domain| Some(domain.as_str()) == name);
        found.ok_or(BodyError(member))
    }

    /// Takes a time in its one spelling: UTC, with milliseconds.
    pub(super) fn time(&mut self, member: &'static str) -> Result<Timestamp, BodyError> {
        let text = self.value(member)?.as_str().unwrap_or_default();
        let time = Timestamp::parse_rfc3339(text).filter(|time| time.to_string() == text);
        time.ok_or(BodyError(member))
    }

    pub(super) fn whole(&mut self, member: &'static str) -> Result<u64, BodyError> {
        let number = self.value(member)?.as_number().and_then(|number| number.to_u64());
        number.filter(|number| *number <= crate::scope::MAX_INTEGER).ok_or(BodyError(member))
    }

    pub(super) fn flag(&mut self, member: &'static str) -> Result<bool, BodyError> {
        self.value(member)?.as_bool().ok_or(BodyError(member))
    }

    /// Refuses what nobody took.
    pub(super) const fn finish(self) -> Result<(), BodyError> {
        if self.taken == self.object.len() { Ok(()) } else { Err(BodyError("")) }
    }
}

/// Whether a text has 1 to `most` bytes, no blanks around it, and nothing that a reader does not see.
pub(super) fn is_plain(text: &str, most: usize) -> bool {
    !text.is_empty()
        && text.len() <= most
        && text.trim() == text
        && text::check_visible(text).is_ok()
}

/// Puts members together, those that are absent left out.
pub(super) fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect())
}

/// Writes digests as a list.
pub(super) fn digests(list: &[Digest]) -> Value {
    Value::Array(list.iter().map(shown).collect())
}

/// Writes what displays as a text.
pub(super) fn shown(value: &impl std::fmt::Display) -> Value {
    Value::String(value.to_string())
}
