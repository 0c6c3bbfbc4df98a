//! SPIFFE IDs, to the letter of the SPIFFE-ID specification.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Dangerous;
use crate::text::excerpt;

/// The longest SPIFFE ID, in bytes (SPIFFE-ID §2.3).
pub const MAX_SPIFFE_ID_BYTES: usize = 2048;

/// The longest name of a trust domain, in bytes (SPIFFE-ID §2.3).
pub const MAX_TRUST_DOMAIN_BYTES: usize = 255;

const SCHEME: &str = "spiffe://";

/// A SPIFFE ID in normal form: `spiffe://example.org/agent/coder`.
///
/// Scheme and trust domain ignore case and are kept in lower case; the path is kept as it is. What a
/// path means is up to the host. The convention here is a class of agents with its instances below
/// it: `/agent/coder` and `/agent/coder/instance/01J9`. Cloning it copies a pointer.
///
/// # Security
///
/// An id is a name and proves nothing; a [`VerifiedIdentity`](super::VerifiedIdentity) stands for one that was proven.
///
/// # Examples
///
/// ```
/// use countersign::identity::SpiffeId;
///
/// let class = SpiffeId::parse("spiffe://example.org/agent/coder")?;
/// let instance = SpiffeId::parse("spiffe://example.org/agent/coder/instance/7")?;
/// assert!(class.contains(&instance));
/// assert_eq!(class.trust_domain(), "example.org");
/// # Ok::<(), countersign::identity::SpiffeIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    // INVARIANT: passed `check`, scheme and trust domain in lower case.
    text: Arc<str>,
}

impl SpiffeId {
    /// Parses an id to the letter of the SPIFFE-ID specification.
    ///
    /// # Errors
    ///
    /// Returns [`SpiffeIdError`] for another scheme, an empty or over-long trust domain, user
    /// information, a port, a query, a fragment, percent-encoding, an empty, `.` or `..` segment
    /// (a trailing `/` makes one), and any character that the specification does not name.
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        let (domain, path) = check(text)?;
        let mut normal = String::with_capacity(text.len());
        normal.push_str(SCHEME);
        normal.push_str(&domain.to_ascii_lowercase());
        normal.push_str(path);
        Ok(Self { text: normal.into() })
    }

    /// Returns the whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the trust domain, in lower case.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.parts().0
    }

    /// Returns the path with its leading `/`; empty for the id of the trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        self.parts().1
    }

    /// Reports whether `other` is this id or lies below it by whole path segments.
    ///
    /// `spiffe://example.org/agent` contains `spiffe://example.org/agent/7`, and does not contain
    /// `spiffe://example.org/agent7`.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.contains_normal(&other.text)
    }

    /// As [`contains`](Self::contains), for text that may be no id at all; that is not contained.
    pub(crate) fn contains_text(&self, other: &str) -> bool {
        self.contains_normal(other) && check(other).is_ok()
    }

    /// Opens the door for hosts that have proven an identity by themselves.
    ///
    /// # Security
    ///
    /// See [`Dangerous::assume_verified`].
    #[must_use]
    pub const fn dangerous(&self) -> Dangerous<'_> {
        Dangerous::new(self)
    }

    fn contains_normal(&self, other: &str) -> bool {
        let rest = other.strip_prefix(&*self.text);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn parts(&self) -> (&str, &str) {
        let rest = self.text.strip_prefix(SCHEME).unwrap_or_default();
        rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""))
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        Self::parse(text)
    }
}

/// Checks `text` and splits it into trust domain and path.
fn check(text: &str) -> Result<(&str, &str), SpiffeIdError> {
    if text.is_empty() {
        return Err(SpiffeIdError::Empty);
    }
    if text.len() > MAX_SPIFFE_ID_BYTES {
        return Err(SpiffeIdError::TooLong);
    }
    let rest = match text.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
        _ => return Err(SpiffeIdError::Scheme { id: excerpt(text) }),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (domain, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if domain.is_empty() {
        return Err(SpiffeIdError::TrustDomainEmpty);
    }
    if domain.len() > MAX_TRUST_DOMAIN_BYTES {
        return Err(SpiffeIdError::TrustDomainTooLong);
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if !domain.bytes().all(known) {
        return Err(SpiffeIdError::TrustDomainCharacter { trust_domain: excerpt(domain) });
    }
    for segment in path.split('/').skip(1) {
        if matches!(segment, "" | "." | "..") {
            return Err(SpiffeIdError::Segment { path: excerpt(path) });
        }
        if !segment.bytes().all(known) {
            return Err(SpiffeIdError::PathCharacter { path: excerpt(path) });
        }
    }
    Ok((domain, path))
}

/// Why a text is no SPIFFE ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeIdError {
    /// The text is empty.
    #[error("SPIFFE id is empty")]
    Empty,
    /// The text is longer than [`MAX_SPIFFE_ID_BYTES`].
    #[error("SPIFFE id is longer than {MAX_SPIFFE_ID_BYTES} bytes")]
    TooLong,
    /// The text does not begin with `spiffe://`.
    #[error("SPIFFE id `{id}` does not begin with `spiffe://`")]
    Scheme {
        /// The text as given.
        id: String,
    },
    /// There is no trust domain.
    #[error("SPIFFE id has no trust domain")]
    TrustDomainEmpty,
    /// The trust domain is longer than [`MAX_TRUST_DOMAIN_BYTES`].
    #[error("trust domain is longer than {MAX_TRUST_DOMAIN_BYTES} bytes")]
    TrustDomainTooLong,
    /// The trust domain holds another character than letters, digits, dots, dashes, underscores.
    #[error("trust domain `{trust_domain}` may hold letters, digits, `.`, `-` and `_` only")]
    TrustDomainCharacter {
        /// The trust domain as given.
        trust_domain: String,
    },
    /// A segment of the path is empty, `.` or `..`.
    #[error("path `{path}` of the SPIFFE id has an empty, `.` or `..` segment")]
    Segment {
        /// The path as given.
        path: String,
    },
    /// The path holds another character than letters, digits, dots, dashes, underscores.
    #[error("path `{path}` of the SPIFFE id may hold letters, digits, `.`, `-` and `_` only")]
    PathCharacter {
        /// The path as given.
        path: String,
    },
}

impl SpiffeIdError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "spiffe_id.empty",
            Self::TooLong => "spiffe_id.too_long",
            Self::Scheme { .. } => "spiffe_id.scheme",
            Self::TrustDomainEmpty => "spiffe_id.trust_domain_empty",
            Self::TrustDomainTooLong => "spiffe_id.trust_domain_too_long",
            Self::TrustDomainCharacter { .. } => "spiffe_id.trust_domain_character",
            Self::Segment { .. } => "spiffe_id.segment",
            Self::PathCharacter { .. } => "spiffe_id.path_character",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, &str), &str>) {
        let id = SpiffeId::parse(text);
        let found = match &id {
            Ok(id) => Ok((id.trust_domain(), id.path())),
            Err(error) => Err(error.code()),
        };
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn ids_are_parsed_to_the_letter() {
        check("spiffe://example.org", Ok(("example.org", "")));
        check("spiffe://example.org/agent/coder", Ok(("example.org", "/agent/coder")));
        check("SPIFFE://Example.ORG/Agent", Ok(("example.org", "/Agent")));
        check("spiffe://a_b-c.1/a_b-c.1", Ok(("a_b-c.1", "/a_b-c.1")));
        check("spiffe://example.org/...", Ok(("example.org", "/...")));
        check("", Err("spiffe_id.empty"));
        check("spiffe:", Err("spiffe_id.scheme"));
        check("spiffe:/example.org/a", Err("spiffe_id.scheme"));
        check("https://example.org/a", Err("spiffe_id.scheme"));
        check(" spiffe://example.org/a", Err("spiffe_id.scheme"));
        check("spiffé://example.org", Err("spiffe_id.scheme"));
        check("spiffe://", Err("spiffe_id.trust_domain_empty"));
        check("spiffe:///a", Err("spiffe_id.trust_domain_empty"));
        check("spiffe://example.org:443/a", Err("spiffe_id.trust_domain_character"));
        check("spiffe://u@example.org/a", Err("spiffe_id.trust_domain_character"));
        check("spiffe://ex%61mple.org/a", Err("spiffe_id.trust_domain_character"));
        check("spiffe://exämple.org/a", Err("spiffe_id.trust_domain_character"));
        check("spiffe://example.org?q", Err("spiffe_id.trust_domain_character"));
        check("spiffe://[::1]/a", Err("spiffe_id.trust_domain_character"));
        check("spiffe://example.org/", Err("spiffe_id.segment"));
        check("spiffe://example.org/a/", Err("spiffe_id.segment"));
        check("spiffe://example.org//a", Err("spiffe_id.segment"));
        check("spiffe://example.org/a/./b", Err("spiffe_id.segment"));
        check("spiffe://example.org/a/../b", Err("spiffe_id.segment"));
        check("spiffe://example.org/a?q=1", Err("spiffe_id.path_character"));
        check("spiffe://example.org/a#f", Err("spiffe_id.path_character"));
        check("spiffe://example.org/%61", Err("spiffe_id.path_character"));
        check("spiffe://example.org/a\n", Err("spiffe_id.path_character"));
        check("spiffe://example.org/а", Err("spiffe_id.path_character"));
    }

    #[test]
    fn lengths_hold_at_the_edge() {
        let domain = |length: usize| format!("spiffe://{}/a", "d".repeat(length));
        assert!(SpiffeId::parse(&domain(MAX_TRUST_DOMAIN_BYTES)).is_ok());
        check(&domain(MAX_TRUST_DOMAIN_BYTES + 1), Err("spiffe_id.trust_domain_too_long"));
        let id = |length: usize| format!("spiffe://d/{}", "p".repeat(length - "spiffe://d/".len()));
        assert!(SpiffeId::parse(&id(MAX_SPIFFE_ID_BYTES)).is_ok());
        check(&id(MAX_SPIFFE_ID_BYTES + 1), Err("spiffe_id.too_long"));
    }

    #[test]
    fn contains_goes_by_whole_segments() {
        let check = |class: &str, other: &str, expected: bool| {
            let class = SpiffeId::parse(class).unwrap();
            let id = SpiffeId::parse(other).unwrap();
            assert_eq!(class.contains(&id), expected, "{class} {id}");
            assert_eq!(class.contains_text(id.as_str()), expected, "{class} {id}");
        };
        check("spiffe://e.org/agent", "spiffe://e.org/agent", true);
        check("spiffe://e.org/agent", "spiffe://e.org/agent/7", true);
        check("spiffe://e.org/agent", "spiffe://E.ORG/agent/7/x", true);
        check("spiffe://e.org/agent", "spiffe://e.org/agent7", false);
        check("spiffe://e.org/agent", "spiffe://e.org/Agent", false);
        check("spiffe://e.org/agent/7", "spiffe://e.org/agent", false);
        check("spiffe://e.org", "spiffe://e.org/agent", true);
        check("spiffe://e.org", "spiffe://e.org.evil/agent", false);
        check("spiffe://e.org", "spiffe://sub.e.org/agent", false);
        let class = SpiffeId::parse("spiffe://e.org/agent").unwrap();
        assert!(!class.contains_text("spiffe://e.org/agent/../root"));
        assert!(!class.contains_text("spiffe://e.org/agent/"));
    }
}
