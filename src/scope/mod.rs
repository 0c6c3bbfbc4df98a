//! Task scopes: what one job may do, touch, reach and run; everything absent is denied.
//!
//! A [`Scope`] is a document that was parsed and checked as a whole. A [`TrustedScope`] is one that
//! somebody answers for. A [`CompiledScope`] is what effects are checked against, in well under a
//! microsecond. `docs/scope-format.md` specifies the document.

mod chain;
mod check;
mod compiled;
pub mod constraint;
pub mod descriptor;
pub(crate) mod error;
pub(crate) mod grants;
mod labels;
mod limits;
mod lint;
mod lint_child;
pub(crate) mod pattern;

use std::sync::Arc;

use crate::action::path::PurePaths;
use crate::digest::Digest;
use crate::identity::SpiffeId;
use crate::receipt::TrustedKey;
use crate::time::Timestamp;
use crate::value::{self, Value};

pub use self::chain::check_child;
pub use self::check::Rule;
pub use self::compiled::{
    CompiledScope, MAX_INTEGER, MAX_LIFETIME, MAX_LIST, MAX_NAME_BYTES, MAX_PURPOSE_BYTES,
};
pub use self::descriptor::{Descriptor, DomainLimits};
pub use self::error::ScopeError;
pub use self::labels::MAX_LABELS_OF_ENTRY;
pub use self::limits::{
    DEFAULT_ACTIONS, DEFAULT_DELEGATES, DEFAULT_DENIALS, DEFAULT_DISTINCT_TARGETS,
    DEFAULT_PER_MINUTE, MAX_DELEGATES, MAX_DELEGATION_DEPTH, MAX_LIMITED_TOOLS, TaskLimits,
};
pub use self::lint::{Warning, lint};
pub use self::lint_child::lint_child;
pub use self::pattern::{MAX_PATTERN_BYTES, PatternError};

use self::error::Problem;

/// Under what name the document is hashed.
const DIGEST_CONTEXT: &str = "countersign 2026-11 task scope v1";

/// The members that a document cannot do without.
const MANDATORY: [&str; 6] = ["scope", "task", "owner", "agent", "expires", "workspace"];

/// A task scope that was parsed and checked, and that nobody answers for yet.
///
/// Cloning it copies a pointer.
///
/// # Examples
///
/// ```
/// use countersign::scope::Scope;
///
/// let scope = Scope::parse(
///     br#"{"scope": "countersign/scope/v1", "task": "fix-login", "owner": "user:dana@example.org",
///          "agent": "spiffe://example.org/agent/coder", "expires": "2026-11-21T11:00:00Z",
///          "workspace": "/srv/web", "touch": {"read": ["/srv/web/**"]}}"#,
/// )?;
/// assert_eq!(scope.descriptor().touch.read, ["/srv/web/**"]);
/// # Ok::<(), countersign::scope::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    inner: Arc<Inner>,
}

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    descriptor: Descriptor,
    canonical: Box<str>,
    digest: Digest,
    agent: SpiffeId,
    lifetime: (Timestamp, Timestamp),
}

impl Scope {
    /// Parses a descriptor from JSON and checks all of it but what the file system would say.
    ///
    /// # Errors
    ///
    /// Returns [`ScopeError`] for anything that `docs/scope-format.md` does not allow: what is no JSON,
    /// too large, too deep or says a key twice; an unknown version or field; a mandatory field that is
    /// absent; a pattern, host, time, number or constraint that does not parse; a list that is too long.
    pub fn parse(text: &[u8]) -> Result<Self, ScopeError> {
        let document = Value::parse(text, &value::Limits::DOCUMENT)
            .map_err(|error| ScopeError::new("", Problem::Json(error)))?;
        Self::from_parsed(&document)
    }

    /// Reads a descriptor from a value that was parsed within the limits of a document.
    pub(crate) fn from_parsed(document: &Value) -> Result<Self, ScopeError> {
        if let Some(members) = document.as_object() {
            if let Some(version) = members.get("scope").and_then(Value::as_str)
                && version != descriptor::VERSION
            {
                let version = crate::text::excerpt(version);
                return Err(ScopeError::new("scope", Problem::Version(version)));
            }
            for field in MANDATORY {
                if members.get(field).is_none() {
                    return Err(ScopeError::new(field, Problem::Missing));
                }
            }
        }
        let descriptor: Descriptor = value::from_value(document)
            .map_err(|error| ScopeError::new("", Problem::Json(error)))?;
        let canonical: Box<str> = document.to_canonical().into();
        let digest = Digest::of(DIGEST_CONTEXT, canonical.as_bytes());
        // Whatever can be wrong with the document itself is found here. Only paths can fail later.
        let compiled = CompiledScope::build(&descriptor, digest, &PurePaths::new())?;
        let (agent, lifetime) =
            (compiled.agent().clone(), (compiled.not_before(), compiled.expires()));
        Ok(Self { inner: Arc::new(Inner { descriptor, canonical, digest, agent, lifetime }) })
    }

    /// Reads a descriptor from a value, which any `serde` format can give.
    ///
    /// The digest is the one of the same document in JSON.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn from_value(document: &Value) -> Result<Self, ScopeError> {
        Self::parse(document.to_canonical().as_bytes())
    }

    /// Makes a scope of a descriptor that was put together in code.
    ///
    /// The digest is the one of the document that the descriptor is written as, where members that say
    /// nothing are left out.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and for numbers in constraints that the document cannot hold exactly.
    pub fn from_descriptor(descriptor: &Descriptor) -> Result<Self, ScopeError> {
        let text = serde_json::to_vec(descriptor).map_err(|_| {
            ScopeError::new("", Problem::Number("a number cannot be written exactly"))
        })?;
        Self::parse(&text)
    }

    /// Returns the descriptor.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.inner.descriptor
    }

    /// Returns the digest of the document: BLAKE3 of its canonical text, under a name of its own.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// Returns the canonical text of the document, which the digest is of.
    #[must_use]
    pub fn as_canonical(&self) -> &str {
        &self.inner.canonical
    }

    /// Returns the document as a value.
    pub(crate) fn to_value(&self) -> Value {
        // It was parsed from a value of this very text.
        Value::parse(self.inner.canonical.as_bytes(), &value::Limits::DOCUMENT)
            .unwrap_or(Value::Null)
    }

    pub(crate) fn owner(&self) -> &str {
        &self.inner.descriptor.owner
    }

    pub(crate) fn agent(&self) -> &SpiffeId {
        &self.inner.agent
    }

    /// Returns when the scope begins and when it ends.
    pub(crate) fn lifetime(&self) -> (Timestamp, Timestamp) {
        self.inner.lifetime
    }

    /// Opens the door for scopes without a signature.
    ///
    /// # Security
    ///
    /// See [`Dangerous::trust_unsigned`].
    #[must_use]
    pub const fn dangerous(&self) -> Dangerous<'_> {
        Dangerous { scope: self }
    }
}

/// Ways around the signature of a scope, each with what it leaves to the caller.
#[derive(Debug, Clone, Copy)]
pub struct Dangerous<'a> {
    scope: &'a Scope,
}

impl Dangerous<'_> {
    /// Trusts the scope as it is. Nobody is on record as its issuer.
    ///
    /// Prefer a [`SignedScope`](crate::governance::SignedScope).
    ///
    /// # Security
    ///
    /// The caller vouches that the owner wrote this very document. Whoever can write it decides what the
    /// agent may do: take it from a place that no agent can write to, and never from the workspace.
    #[must_use]
    pub fn trust_unsigned(self) -> TrustedScope {
        TrustedScope { scope: self.scope.clone(), issuer: None }
    }
}

/// A scope that somebody answers for. It can be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedScope {
    scope: Scope,
    issuer: Option<ScopeIssuer>,
}

/// Who issued a scope: a person, and the key that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeIssuer {
    person: Box<str>,
    key: TrustedKey,
}

impl ScopeIssuer {
    pub(crate) fn new(person: &str, key: TrustedKey) -> Self {
        Self { person: person.into(), key }
    }

    /// Returns the id of the person, such as `user:dana@example.org`.
    #[must_use]
    pub fn person(&self) -> &str {
        &self.person
    }

    /// Returns the key that signed the scope.
    #[must_use]
    pub const fn key(&self) -> &TrustedKey {
        &self.key
    }
}

impl TrustedScope {
    /// Returns the scope.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Returns who issued the scope; none for one that was trusted without a signature.
    #[must_use]
    pub const fn issuer(&self) -> Option<&ScopeIssuer> {
        self.issuer.as_ref()
    }

    /// Takes a scope that was verified, with the issuer that it was found to have.
    pub(crate) fn verified(scope: Scope, issuer: Option<ScopeIssuer>) -> Self {
        Self { scope, issuer }
    }
}

#[cfg(test)]
mod tests;
