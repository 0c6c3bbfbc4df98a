//! Who an agent is: SPIFFE IDs, and identities that something has verified.
//!
//! ```text
//! evidence ──▶ IdentityVerifier ──▶ VerifiedIdentity ──▶ Authorizer::open
//!   Answer       PossessionVerifier   id:    who           the session of this instance
//!   token        JwtVerifier          kind:  what
//!   host's own   host's own           proof: by what
//!                                     until: how long
//! ```
//!
//! A [`SpiffeId`] is a name. A [`VerifiedIdentity`] is a name that was proven, and opens sessions. It
//! comes from two built-in verifiers, [`possession`] of a key and, with the feature `jwt`, signed
//! tokens (`jwt`); or from the host's own proof, through [`SpiffeId::dangerous`]. Nothing else makes one.
//!
//! What an agent says about itself is not kept: the kind of a principal is what the configuration of
//! the verifier says, and roles, groups and scopes in a token are not read.
//!
//! # Example: a host with a proof of its own
//!
//! ```
//! use countersign::identity::{IdentityError, IdentityVerifier, SpiffeId, VerifiedIdentity};
//!
//! /// Knows agents by the process that the host started.
//! #[derive(Debug)]
//! struct Children {
//!     process: u32,
//!     id: SpiffeId,
//! }
//!
//! impl IdentityVerifier for Children {
//!     type Evidence = u32;
//!
//!     fn verify(&self, process: &u32) -> Result<VerifiedIdentity, IdentityError> {
//!         if *process != self.process {
//!             return Err(IdentityError::refused("no child of this host"));
//!         }
//!         Ok(self.id.dangerous().assume_verified())
//!     }
//! }
//!
//! let id = SpiffeId::parse("spiffe://example.org/agent/coder/instance/7")?;
//! let children = Children { process: 4711, id };
//! assert_eq!(children.verify(&4711)?.kind().code(), "agent");
//! assert_eq!(children.verify(&4712).unwrap_err().code(), "identity.refused");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "jwt")]
pub mod jwt;
pub mod possession;
mod spiffe;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "jwt")]
pub use self::jwt::{JwtError, JwtVerifier};
pub use self::possession::{Answer, Challenge, PossessionError, PossessionVerifier};
pub use self::spiffe::{MAX_SPIFFE_ID_BYTES, MAX_TRUST_DOMAIN_BYTES, SpiffeId, SpiffeIdError};
use crate::digest::Digest;
use crate::entropy::EntropyError;
use crate::receipt::TrustedKey;
use crate::text;
use crate::time::{ClockError, Timestamp};

/// The longest name of an audience, in bytes.
pub const MAX_AUDIENCE_BYTES: usize = 512;

/// The most identities that one verifier knows by name.
pub const MAX_KNOWN: usize = 16_384;

/// Checks evidence of who somebody is.
///
/// The built-in verifiers implement it. A host with a proof of its own (a workload API, an mTLS
/// handshake, a process that it started) implements it by [`SpiffeId::dangerous`].
///
/// # Security
///
/// What is verified is who acts, not what it may do. An implementation must take the kind of the
/// principal from its own configuration, never from the evidence.
pub trait IdentityVerifier: Send + Sync + fmt::Debug {
    /// What the verifier is shown.
    type Evidence: ?Sized;

    /// Checks `evidence` as of now.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] when the evidence does not prove an identity.
    fn verify(&self, evidence: &Self::Evidence) -> Result<VerifiedIdentity, IdentityError>;
}

/// What sort of principal somebody is.
///
/// The set is exhaustive on purpose: a host that treats kinds differently must see a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// A person.
    Human,
    /// A program that does what it was written to do.
    Service,
    /// A program that chooses its acts, started for a task.
    Agent,
    /// An agent that another agent started or handed a part of its task to.
    SubAgent,
}

impl PrincipalKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Human, Self::Service, Self::Agent, Self::SubAgent];

    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Service => "service",
            Self::Agent => "agent",
            Self::SubAgent => "sub_agent",
        }
    }

    /// Finds the kind that has `code`.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An identity that was proven to the host, not one that somebody claims.
///
/// Only a verified identity opens a session. An [`IdentityVerifier`] makes it, or the host by
/// [`Dangerous::assume_verified`]; there is no other constructor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifiedIdentity {
    id: SpiffeId,
    kind: PrincipalKind,
    proof: Proof,
    until: Option<Timestamp>,
}

impl VerifiedIdentity {
    /// For the verifiers of this module and the modules below it.
    fn proven(id: SpiffeId, kind: PrincipalKind, proof: Proof) -> Self {
        Self { id, kind, proof, until: None }
    }

    /// Returns the id that was proven.
    #[must_use]
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// Returns the kind that the verifier's configuration gives to this id.
    #[must_use]
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// Returns how it was proven.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Returns when the credential ends, where it does: from then on the proof is none.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Reports whether the proof still stands at `now`.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl fmt::Display for VerifiedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// How an identity was proven.
///
/// It is what the verifier tells; having one proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// The host vouches for it ([`Dangerous::assume_verified`]).
    #[non_exhaustive]
    Assumed {
        /// The fingerprint of the host's own credential, where it names one.
        credential: Option<Digest>,
    },
    /// The instance signed a fresh challenge ([`PossessionVerifier`]).
    #[non_exhaustive]
    Possession {
        /// The enrolled key.
        key: TrustedKey,
    },
    /// An issuer signed a token (feature `jwt`).
    #[non_exhaustive]
    Jwt {
        /// The issuer: the `iss` of an OIDC token, the trust domain's id for a JWT-SVID.
        issuer: Arc<str>,
        /// The id of the issuer's key.
        kid: Arc<str>,
        /// The fingerprint of the token.
        credential: Digest,
    },
}

impl Proof {
    /// Returns the fingerprint of what was shown: of the instance's key, or of its token.
    ///
    /// Two proofs of one live instance with different fingerprints mean that two processes act under
    /// one name. It is `None` where the host vouched and named no credential.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Digest> {
        match self {
            Self::Assumed { credential } => *credential,
            Self::Possession { key } => Some(Digest::of(KEY_CONTEXT, key.as_bytes())),
            Self::Jwt { credential, .. } => Some(*credential),
        }
    }

    /// Returns the stable code: `assumed`, `possession` or `jwt`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Assumed { .. } => "assumed",
            Self::Possession { .. } => "possession",
            Self::Jwt { .. } => "jwt",
        }
    }
}

/// By the fingerprint; equal proofs have the same.
impl std::hash::Hash for Proof {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.code(), self.fingerprint()).hash(state);
    }
}

/// Ways around verification, each with what it leaves to the caller.
#[derive(Debug, Clone, Copy)]
pub struct Dangerous<'a> {
    id: &'a SpiffeId,
    kind: PrincipalKind,
    credential: Option<Digest>,
    until: Option<Timestamp>,
}

impl<'a> Dangerous<'a> {
    const fn new(id: &'a SpiffeId) -> Self {
        Self { id, kind: PrincipalKind::Agent, credential: None, until: None }
    }

    /// Sets the kind; an agent by default. It must not come from the agent.
    #[must_use]
    pub const fn with_kind(mut self, kind: PrincipalKind) -> Self {
        self.kind = kind;
        self
    }

    /// Names the credential that the host checked, such as the certificate of an mTLS handshake in
    /// DER form. Its fingerprint is kept; see [`Proof::fingerprint`].
    #[must_use]
    pub fn with_credential(mut self, credential: &[u8]) -> Self {
        self.credential = Some(Digest::of(CREDENTIAL_CONTEXT, credential));
        self
    }

    /// Sets when the credential that the host checked ends; never by default.
    #[must_use]
    pub const fn with_until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Takes the identity as proven.
    ///
    /// # Security
    ///
    /// The caller vouches that the process it talks to is this very instance. An agent that can
    /// choose the id acts with the rights of any agent that it can name: never pass an id that came
    /// from the agent, its model, its request or its environment.
    #[must_use]
    pub fn assume_verified(self) -> VerifiedIdentity {
        let proof = Proof::Assumed { credential: self.credential };
        VerifiedIdentity {
            until: self.until,
            ..VerifiedIdentity::proven(self.id.clone(), self.kind, proof)
        }
    }
}

/// Why evidence does not prove an identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The time cannot be told.
    #[error("the time cannot be told, so nothing can be fresh")]
    Clock(#[source] ClockError),
    /// The clock stands before a time that it has told already.
    #[error("the clock went back, so nothing can be fresh")]
    ClockBack,
    /// No challenge can be made.
    #[error("no random bytes for a challenge")]
    Entropy(#[source] EntropyError),
    /// The answer to a challenge is refused.
    #[error(transparent)]
    Possession(#[from] PossessionError),
    /// The token is refused.
    #[cfg(feature = "jwt")]
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// A verifier of the host's own refuses.
    #[error("the identity is refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl IdentityError {
    /// The refusal of a verifier of the host's own.
    #[must_use]
    pub fn refused(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Refused(cause.into())
    }

    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Clock(_) => "identity.clock",
            Self::ClockBack => "identity.clock_back",
            Self::Entropy(_) => "identity.entropy",
            Self::Possession(error) => error.code(),
            #[cfg(feature = "jwt")]
            Self::Jwt(error) => error.code(),
            Self::Refused(_) => "identity.refused",
        }
    }
}

/// Why a verifier cannot be set up as asked; nothing that was shown is the cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The audience is empty, longer than [`MAX_AUDIENCE_BYTES`], or holds hidden characters.
    #[error("the audience `{audience}` is empty, too long, or holds hidden characters")]
    Audience {
        /// The audience as given, escaped and cut short.
        audience: String,
    },
    /// The instance has another key already.
    #[error("`{id}` is enrolled with another key or kind; withdraw that first")]
    SecondKey {
        /// The instance.
        id: SpiffeId,
    },
    /// Two instances would share a key, and could act as each other.
    #[error("the key of `{id}` is enrolled for another instance already")]
    SharedKey {
        /// The instance that came second.
        id: SpiffeId,
    },
    /// More than [`MAX_KNOWN`] instances.
    #[error("more than {MAX_KNOWN} identities")]
    TooMany,
    /// The sort of token does not know the algorithm.
    #[cfg(feature = "jwt")]
    #[error("JWT-SVIDs are not signed by {algorithm}")]
    Algorithm {
        /// The algorithm.
        algorithm: jwt::Algorithm,
    },
    /// No key is for the pinned algorithm.
    #[cfg(feature = "jwt")]
    #[error("none of the keys is for {algorithm}")]
    NoKey {
        /// The pinned algorithm.
        algorithm: jwt::Algorithm,
    },
    /// The id of a trust domain has a path.
    #[cfg(feature = "jwt")]
    #[error("`{id}` is no trust domain: it has a path")]
    TrustDomain {
        /// The id.
        id: SpiffeId,
    },
    /// The issuer is empty, too long, or holds hidden characters.
    #[cfg(feature = "jwt")]
    #[error("the issuer `{issuer}` is empty, too long, or holds hidden characters")]
    Issuer {
        /// The issuer as given, escaped and cut short.
        issuer: String,
    },
    /// The subject is empty, too long, holds hidden characters, or was said before.
    #[cfg(feature = "jwt")]
    #[error("the subject `{subject}` is empty, too long, not plain text, or there already")]
    Subject {
        /// The subject as given, escaped and cut short.
        subject: String,
    },
    /// Two subjects would be one identity.
    #[cfg(feature = "jwt")]
    #[error("`{id}` is another subject already")]
    SharedId {
        /// The identity.
        id: SpiffeId,
    },
}

impl SetupError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Audience { .. } => "identity_setup.audience",
            Self::SecondKey { .. } => "identity_setup.second_key",
            Self::SharedKey { .. } => "identity_setup.shared_key",
            Self::TooMany => "identity_setup.too_many",
            #[cfg(feature = "jwt")]
            Self::Algorithm { .. } => "identity_setup.algorithm",
            #[cfg(feature = "jwt")]
            Self::NoKey { .. } => "identity_setup.no_key",
            #[cfg(feature = "jwt")]
            Self::TrustDomain { .. } => "identity_setup.trust_domain",
            #[cfg(feature = "jwt")]
            Self::Issuer { .. } => "identity_setup.issuer",
            #[cfg(feature = "jwt")]
            Self::Subject { .. } => "identity_setup.subject",
            #[cfg(feature = "jwt")]
            Self::SharedId { .. } => "identity_setup.shared_id",
        }
    }
}

/// Takes the name by which a verifier is addressed.
fn audience(audience: &str) -> Result<Arc<str>, SetupError> {
    let fits = !audience.is_empty() && audience.len() <= MAX_AUDIENCE_BYTES;
    if fits && text::check_visible(audience).is_ok() {
        Ok(audience.into())
    } else {
        Err(SetupError::Audience { audience: text::excerpt(audience) })
    }
}

const KEY_CONTEXT: &str = "countersign 2026-11 identity key v1";
const CREDENTIAL_CONTEXT: &str = "countersign 2026-11 identity credential v1";

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> SpiffeId {
        SpiffeId::parse("spiffe://e.org/agent/7").unwrap()
    }

    #[test]
    fn the_door_gives_what_was_said_at_it() {
        let plain = id().dangerous().assume_verified();
        assert_eq!(plain.id(), &id());
        assert_eq!(plain.to_string(), "spiffe://e.org/agent/7");
        assert_eq!(plain.kind(), PrincipalKind::Agent);
        assert_eq!((plain.proof().code(), plain.proof().fingerprint()), ("assumed", None));
        assert_eq!(plain.until(), None);
        assert!(plain.is_current(Timestamp::MAX));

        let until = Timestamp::from_millis(5);
        let door = id();
        let door = door.dangerous().with_kind(PrincipalKind::Service).with_until(until);
        let one = door.with_credential(b"one").assume_verified();
        let two = door.with_credential(b"two").assume_verified();
        assert_eq!(one.kind(), PrincipalKind::Service);
        assert_ne!(one.proof().fingerprint(), two.proof().fingerprint());
        assert!(one.is_current(Timestamp::from_millis(4)));
        assert!(!one.is_current(until));
    }

    #[test]
    fn kinds_are_found_by_their_codes() {
        for kind in PrincipalKind::ALL {
            assert_eq!(PrincipalKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(PrincipalKind::from_code("admin"), None);
    }

    #[test]
    fn audiences_are_plain_and_bounded() {
        assert!(audience(&"a".repeat(MAX_AUDIENCE_BYTES)).is_ok());
        for bad in ["", "a\nb", "a\u{202e}b", &"a".repeat(MAX_AUDIENCE_BYTES + 1)] {
            assert_eq!(audience(bad).unwrap_err().code(), "identity_setup.audience");
        }
    }
}
