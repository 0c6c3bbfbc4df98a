//! Scopes that their owners signed.
//!
//! The body of the envelope is the scope document itself (`docs/governance.md`).

use std::time::Duration;

use super::{Directory, DocumentError, DocumentKind, Signed};
use crate::digest::Digest;
use crate::receipt::{SignError, Signer, TrustedKey};
use crate::scope::{Scope, ScopeError, ScopeIssuer, TrustedScope};
use crate::time::Timestamp;

/// A scope with a signature that holds. Whether its signer may issue it, [`verify`](Self::verify) says.
///
/// # Examples
///
/// ```
/// use countersign::governance::{Directory, SignedScope};
/// use countersign::receipt::IdentityKey;
/// use countersign::testing::{NOW, SCOPE};
/// use countersign::scope::Scope;
///
/// let key = IdentityKey::from_seed(&[1; 32]);
/// let directory = Directory::parse(format!(r#"{{
///     "directory": "countersign/directory/v1",
///     "people": [{{"id": "user:dana@example.org", "kind": "human", "keys": ["{}"],
///                 "issues": ["spiffe://example.org/agent"]}}]
/// }}"#, key.trusted()).as_bytes())?;
///
/// let signed = SignedScope::sign(&Scope::parse(SCOPE.as_bytes())?, &key)?;
/// let trusted = SignedScope::parse(signed.as_str().as_bytes())?.verify(&directory, NOW, None)?;
/// assert_eq!(trusted.issuer().map(|issuer| issuer.person()), Some("user:dana@example.org"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedScope {
    document: Signed,
    scope: Scope,
}

/// Why a text is no signed scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedScopeError {
    /// The envelope or its signature is refused.
    #[error("the signed scope is refused")]
    Document(#[from] DocumentError),
    /// What was signed is no scope.
    #[error("what was signed is no scope")]
    Scope(#[from] ScopeError),
}

impl SignedScopeError {
    /// Returns the stable code: that of the envelope, or that of the scope.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Document(error) => error.code(),
            Self::Scope(error) => error.code(),
        }
    }
}

/// Why a well signed scope is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeTrustError {
    /// The key is nobody's.
    #[error("the key that signed the scope is not in the directory")]
    UnknownKey,
    /// Somebody else than the owner signed it.
    #[error("the scope was signed by somebody else than its owner")]
    Owner,
    /// The owner may not issue scopes for this agent or class of agents.
    #[error("the owner may not issue scopes for this agent")]
    Class,
    /// It lives longer than the host allows.
    #[error("the scope lives longer than is allowed: say `not_before`, and end it sooner")]
    Lifetime,
    /// It begins later than now.
    #[error("the scope is not valid yet")]
    NotYetValid,
    /// It is over.
    #[error("the scope has expired")]
    Expired,
}

impl ScopeTrustError {
    /// Every error, in the order in which they are looked for.
    pub const ALL: [Self; 6] = [
        Self::UnknownKey,
        Self::Owner,
        Self::Class,
        Self::Lifetime,
        Self::NotYetValid,
        Self::Expired,
    ];

    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey => "scope_trust.unknown_key",
            Self::Owner => "scope_trust.owner",
            Self::Class => "scope_trust.class",
            Self::Lifetime => "scope_trust.lifetime",
            Self::NotYetValid => "scope_trust.not_yet_valid",
            Self::Expired => "scope_trust.expired",
        }
    }
}

impl SignedScope {
    /// Signs a scope, as its owner.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] when the signer fails, or the scope with its envelope is larger or deeper
    /// than a signed document may be.
    pub fn sign(scope: &Scope, signer: &dyn Signer) -> Result<Self, SignError> {
        let document = Signed::sign(DocumentKind::Scope, scope.to_value(), signer)?;
        Ok(Self { document, scope: scope.clone() })
    }

    /// Reads a signed scope and checks its signature and the whole scope.
    ///
    /// # Errors
    ///
    /// Returns [`SignedScopeError`]; the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, SignedScopeError> {
        Self::parse_known(text, &Directory::empty())
    }

    /// Reads a signed scope as [`parse`](Self::parse) does, and does not check a key again that `directory` has:
    /// three quarters of the time.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_known(text: &[u8], directory: &Directory) -> Result<Self, SignedScopeError> {
        let document = Signed::parse_known(DocumentKind::Scope, text, directory)?;
        let scope = Scope::from_parsed(document.body())?;
        Ok(Self { document, scope })
    }

    /// Checks that the signer may issue this scope, and that it is valid at `now`.
    ///
    /// The key must belong to a person of the directory, the person must be the scope's owner, and one
    /// of the classes that the person issues for must contain the scope's agent. `max_lifetime` caps
    /// the time from beginning to end; a scope without a beginning counts from seven days before its
    /// end. There is no leeway: at `not_before` the scope is valid, at `expires` it is not.
    ///
    /// # Errors
    ///
    /// Returns [`ScopeTrustError`]; the first of its variants that holds.
    ///
    /// # Security
    ///
    /// This does not look at revocations: they come and go while the scope is used. Whether the agent
    /// is the one that the scope was given to is checked when a session is opened on it.
    pub fn verify(
        &self,
        directory: &Directory,
        now: Timestamp,
        max_lifetime: Option<Duration>,
    ) -> Result<TrustedScope, ScopeTrustError> {
        let person = directory.person(self.key()).ok_or(ScopeTrustError::UnknownKey)?;
        if *person.id != *self.scope.owner() {
            return Err(ScopeTrustError::Owner);
        }
        if !person.issues.iter().any(|class| class.contains(self.scope.agent())) {
            return Err(ScopeTrustError::Class);
        }
        let (begin, end) = self.scope.lifetime();
        if max_lifetime.is_some_and(|longest| end.since(begin) > longest) {
            return Err(ScopeTrustError::Lifetime);
        }
        if now < begin {
            return Err(ScopeTrustError::NotYetValid);
        }
        if now >= end {
            return Err(ScopeTrustError::Expired);
        }
        let issuer = ScopeIssuer::new(&person.id, *self.key());
        Ok(TrustedScope::verified(self.scope.clone(), Some(issuer)))
    }

    /// Returns the scope, which nobody has checked the signer of.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Returns the key that signed it.
    #[must_use]
    pub const fn key(&self) -> &TrustedKey {
        self.document.key()
    }

    /// Returns the whole document, as it travels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.document.as_str()
    }

    /// Returns the digest of the whole document. Receipts name that of the [`scope`](Self::scope).
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.document.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::IdentityKey;
    use crate::testing::NOW;
    use crate::value::{Limits, Value};

    const SCOPE: &str = r#"{"scope":"countersign/scope/v1","task":"t","owner":"user:dana@example.org",
        "agent":"spiffe://example.org/agent/coder","not_before":"2026-11-21T09:00:00Z",
        "expires":"2026-11-21T11:00:00Z","workspace":"/srv/web"}"#;

    fn key(seed: u8) -> IdentityKey {
        IdentityKey::from_seed(&[seed; 32])
    }

    /// Dana has keys 1 and 2 and issues for `/agent`; Erin has key 3 and issues for `/agent/tester`.
    fn directory() -> Directory {
        let text = format!(
            r#"{{"directory":"countersign/directory/v1","people":[
                {{"id":"user:dana@example.org","kind":"human","keys":["{}","{}"],"issues":["spiffe://other.example","spiffe://example.org/agent"]}},
                {{"id":"user:erin@example.org","kind":"human","keys":["{}"],"issues":["spiffe://example.org/agent/tester"]}}],
                "authorizers":[{{"key":"{}","trust_domain":"example.org","delegates":true}}]}}"#,
            key(1).trusted(),
            key(2).trusted(),
            key(3).trusted(),
            key(4).trusted(),
        );
        Directory::parse(text.as_bytes()).unwrap()
    }

    fn signed(text: &str, seed: u8) -> SignedScope {
        let signed =
            SignedScope::sign(&Scope::parse(text.as_bytes()).unwrap(), &key(seed)).unwrap();
        let again = SignedScope::parse(signed.as_str().as_bytes()).unwrap();
        assert_eq!(again, signed);
        let known = SignedScope::parse_known(signed.as_str().as_bytes(), &directory());
        assert_eq!(known.unwrap(), signed);
        again
    }

    #[track_caller]
    fn check(scope: &SignedScope, at: Timestamp, longest: Option<u64>, expected: &str) {
        let found = scope.verify(&directory(), at, longest.map(Duration::from_millis));
        assert_eq!(found.as_ref().map_or_else(ScopeTrustError::code, |_| ""), expected);
        if let Ok(trusted) = found {
            assert_eq!(trusted.scope(), scope.scope());
            assert_eq!(trusted.issuer().unwrap().key(), scope.key());
        }
    }

    #[test]
    fn a_scope_is_its_owners_to_sign() {
        check(&signed(SCOPE, 1), NOW, None, "");
        check(&signed(SCOPE, 2), NOW, None, "");
        check(&signed(SCOPE, 3), NOW, None, "scope_trust.owner");
        check(&signed(SCOPE, 4), NOW, None, "scope_trust.unknown_key");
        check(&signed(SCOPE, 9), NOW, None, "scope_trust.unknown_key");
        let erin = SCOPE.replace("user:dana", "user:erin");
        check(&signed(&erin, 3), NOW, None, "scope_trust.class");
        check(&signed(&erin, 1), NOW, None, "scope_trust.owner");
        check(&signed(&erin.replace("/coder", "/tester/1"), 3), NOW, None, "");
        // A wider class than the one that is issued for.
        check(&signed(&erin.replace("/agent/coder", "/agent"), 3), NOW, None, "scope_trust.class");
        check(&signed(&SCOPE.replace("/agent/coder", ""), 1), NOW, None, "scope_trust.class");
        let empty = signed(SCOPE, 1).verify(&Directory::empty(), NOW, None);
        assert_eq!(empty, Err(ScopeTrustError::UnknownKey));
        let unsigned = signed(SCOPE, 1).scope().dangerous().trust_unsigned();
        assert_eq!(unsigned.issuer(), None);
    }

    #[test]
    fn time_holds_at_its_edges() {
        const TWO_HOURS: u64 = 2 * 60 * 60 * 1000;
        let scope = signed(SCOPE, 1);
        let begin = NOW.as_millis();
        check(&scope, Timestamp::from_millis(begin - 1), None, "scope_trust.not_yet_valid");
        check(&scope, Timestamp::from_millis(begin + TWO_HOURS - 1), None, "");
        check(&scope, Timestamp::from_millis(begin + TWO_HOURS), None, "scope_trust.expired");
        check(&scope, Timestamp::MAX, None, "scope_trust.expired");
        check(&scope, NOW, Some(TWO_HOURS), "");
        check(&scope, NOW, Some(TWO_HOURS - 1), "scope_trust.lifetime");
        check(&scope, NOW, Some(0), "scope_trust.lifetime");
        // Without a beginning it is as old as it can be.
        let open = signed(&SCOPE.replace(r#""not_before":"2026-11-21T09:00:00Z","#, ""), 1);
        check(&open, NOW, None, "");
        check(&open, NOW, Some(6 * 24 * 60 * 60 * 1000), "scope_trust.lifetime");
        check(&open, NOW, Some(7 * 24 * 60 * 60 * 1000), "");
    }

    #[test]
    fn what_is_no_signed_scope_is_refused() {
        let code = |text: &[u8]| SignedScope::parse(text).map_err(|error| error.code());
        let text = signed(SCOPE, 1).as_str().to_owned();
        let wider = text.replace("/srv/web", "/");
        assert_eq!(code(wider.as_bytes()), Err("signed.signature"));
        let known = SignedScope::parse_known(wider.as_bytes(), &directory());
        assert_eq!(known.map_err(|error| error.code()), Err("signed.signature"));
        assert_eq!(code(SCOPE.as_bytes()), Err("signed.spelling"));
        assert_eq!(code(b"{}"), Err("signed.members"));
        let body = Value::parse(br#"{"scope":"countersign/scope/v2"}"#, &Limits::DOCUMENT).unwrap();
        let other = Signed::sign(DocumentKind::Scope, body, &key(1)).unwrap();
        assert_eq!(code(other.as_str().as_bytes()), Err("descriptor.version"));
        let body = Value::parse(SCOPE.as_bytes(), &Limits::DOCUMENT).unwrap();
        let elevation = Signed::sign(DocumentKind::Elevation, body, &key(1)).unwrap();
        assert_eq!(code(elevation.as_str().as_bytes()), Err("signed.signature"));
    }
}
