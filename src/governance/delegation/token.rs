//! The token: a scope that is handed on to an agent at another authorizer.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::{Budget, DelegationError, RawBudget, read_list, read_time};
use crate::action::path::PurePaths;
use crate::digest::Digest;
use crate::entropy::{Entropy, EntropyError};
use crate::governance::revocation::Subjects;
use crate::governance::{Directory, DocumentKind, MAX_ID_BYTES, MAX_PER_PERSON, Signed};
use crate::hex;
use crate::identity::SpiffeId;
use crate::reason::Reason;
use crate::receipt::{MAX_LABEL, MAX_LABELS, SessionId, SignError, Signer, TrustedKey};
use crate::scope::{CompiledScope, MAX_DELEGATION_DEPTH, Scope, TrustedScope, check_child};
use crate::text;
use crate::time::Timestamp;
use crate::value::{self, Object, Value};

/// The version that a token names.
const VERSION: &str = "countersign/delegation/v1";

/// The longest compact form of a token, in bytes.
pub const MAX_COMPACT_BYTES: usize = 256 << 10;

/// The longest token as a document, in bytes: what the compact form holds.
const MAX_TOKEN_BYTES: usize = MAX_COMPACT_BYTES / 4 * 3;

/// The longest that a token lives. It opens one session, at once.
pub const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The most service accounts that a delegate acts through.
pub const MAX_ACTING_THROUGH: usize = 64;

/// The longest name of an audience, in bytes.
pub const MAX_AUDIENCE_BYTES: usize = 256;

/// Which delegation it is: sixteen random bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DelegationId([u8; 16]);

impl DelegationId {
    /// Wraps sixteen random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Makes a new id.
    ///
    /// # Errors
    ///
    /// Returns [`EntropyError`] when the source of randomness fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Parses 32 lower-case hex digits; anything else is `None`.
    #[must_use]
    pub fn parse_hex(text: &str) -> Option<Self> {
        hex::parse(text.as_bytes()).map(Self)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for DelegationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::text(&self.0))
    }
}

impl fmt::Debug for DelegationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One session on the way from the owner to the delegate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The instance that holds the session.
    pub agent: SpiffeId,
    /// The journal that accounts for the session.
    pub journal: Digest,
    /// The session.
    pub session: SessionId,
}

/// What a token says, as plain data.
///
/// Lists of which the order means nothing are sorted when the token is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Which delegation it is.
    pub id: DelegationId,
    /// Every session on the way, outermost first; the last one delegates.
    pub hops: Vec<Hop>,
    /// The instance that may redeem it.
    pub to: SpiffeId,
    /// The authorizer that may redeem it, by the name that both sides know it by.
    pub audience: Box<str>,
    /// The scope of each hop, outermost first, and then the delegate's.
    pub scopes: Vec<Scope>,
    /// The keys that signed scopes and tokens on the way, so that a revocation of one cascades.
    pub keys: Vec<TrustedKey>,
    /// The service accounts that the delegate acts through, for policies and receipts.
    pub acting_through: BTreeSet<Box<str>>,
    /// The labels that have stuck on the way; the delegate begins with them.
    pub labels: BTreeSet<Box<str>>,
    /// When it was written.
    pub issued_at: Timestamp,
    /// When it can be redeemed no more.
    pub expires: Timestamp,
    /// How much the delegate may use. Who delegates is charged with all of it.
    pub budget: Budget,
}

/// A token whose signature holds. Whether to believe it, [`verify`](Self::verify) says.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use countersign::digest::Digest;
/// use countersign::governance::{
///     Budget, Delegation, DelegationId, DelegationToken, Directory, Hop, Redeemed,
/// };
/// use countersign::identity::SpiffeId;
/// use countersign::receipt::{IdentityKey, SessionId};
/// use countersign::scope::Scope;
/// use countersign::testing::{self, NOW, SCOPE};
///
/// let mut parent = Scope::parse(SCOPE.as_bytes())?.descriptor().clone();
/// parent.limits.delegation_depth = Some(1);
/// let parent = Scope::from_descriptor(&parent)?;
/// let mut child = parent.descriptor().clone();
/// child.parent = Some(parent.digest().to_string());
/// child.limits.delegation_depth = None;
/// let child = Scope::from_descriptor(&child)?;
///
/// // Here: the authorizer that delegates.
/// let key = IdentityKey::from_seed(&[1; 32]);
/// let token = DelegationToken::sign(&Delegation {
///     id: DelegationId::generate(&testing::entropy())?,
///     hops: vec![Hop {
///         agent: testing::agent().id().clone(),
///         journal: Digest::from_bytes([2; 32]),
///         session: SessionId::from_bytes([3; 16]),
///     }],
///     to: SpiffeId::parse("spiffe://example.org/agent/coder/i-2")?,
///     audience: "builder".into(),
///     scopes: vec![parent, child],
///     keys: vec![],
///     acting_through: [].into(),
///     labels: [].into(),
///     issued_at: NOW,
///     expires: NOW.plus(Duration::from_secs(60)),
///     budget: Budget { actions: 10, per_minute: 10, denials: 1, ..Budget::default() },
/// }, &key)?;
///
/// // There: the authorizer that knows the other one's key.
/// let directory = Directory::parse(format!(r#"{{
///     "directory": "countersign/directory/v1",
///     "authorizers": [{{"key": "{}", "trust_domain": "example.org", "delegates": true}}]
/// }}"#, key.trusted()).as_bytes())?;
/// let read = DelegationToken::parse_compact(&token.as_compact())?;
/// let verified = read.verify(&directory, NOW, "builder", &[])?;
/// let mut redeemed = Redeemed::new(NOW);
/// assert!(redeemed.redeem(&verified, NOW).is_ok());
/// assert!(redeemed.redeem(&verified, NOW).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationToken {
    document: Signed,
    delegation: Delegation,
}

/// A token that was held against a directory, a time and an audience.
///
/// # Security
///
/// It opens **one** session: see [`Redeemed`](super::Redeemed). Whoever opens it must be proven to be
/// [`Delegation::to`]; the token alone proves nothing about its bearer. Every scope of the chain must
/// grant every effect, and the budget caps the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedDelegation {
    token: DelegationToken,
    scopes: Vec<TrustedScope>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    delegation: String,
    id: String,
    hops: Vec<RawHop>,
    to: String,
    audience: String,
    on_behalf_of: String,
    scopes: Vec<Value>,
    keys: Vec<String>,
    acting_through: Vec<String>,
    labels: Vec<String>,
    issued_at: String,
    expires: String,
    budget: RawBudget,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHop {
    agent: String,
    journal: String,
    session: String,
}

impl Delegation {
    /// Returns for whom all of it is done: the party of the outermost scope.
    #[must_use]
    pub fn on_behalf_of(&self) -> &str {
        let outermost = self.scopes.first().map(Scope::descriptor);
        outermost.map_or("", |scope| scope.on_behalf_of.as_deref().unwrap_or(&scope.owner))
    }

    fn to_body(&self) -> Value {
        let texts = |list: &BTreeSet<Box<str>>| -> Value {
            list.iter().map(|text| Value::from(&**text)).collect::<Vec<_>>().into()
        };
        let keys: BTreeSet<String> = self.keys.iter().map(ToString::to_string).collect();
        let keys: Vec<Value> = keys.into_iter().map(Value::from).collect();
        let hops = self.hops.iter().map(|hop| {
            let mut members = Object::new();
            members.insert("agent".into(), hop.agent.as_str().into());
            members.insert("journal".into(), hop.journal.to_string().into());
            members.insert("session".into(), hop.session.to_string().into());
            Value::Object(members)
        });
        let scopes = self.scopes.iter().map(Scope::to_value);
        let mut body = Object::new();
        body.insert("delegation".into(), VERSION.into());
        body.insert("id".into(), self.id.to_string().into());
        body.insert("hops".into(), hops.collect::<Vec<_>>().into());
        body.insert("to".into(), self.to.as_str().into());
        body.insert("audience".into(), (&*self.audience).into());
        body.insert("on_behalf_of".into(), self.on_behalf_of().into());
        body.insert("scopes".into(), scopes.collect::<Vec<_>>().into());
        body.insert("keys".into(), keys.into());
        body.insert("acting_through".into(), texts(&self.acting_through));
        body.insert("labels".into(), texts(&self.labels));
        body.insert("issued_at".into(), self.issued_at.to_string().into());
        body.insert("expires".into(), self.expires.to_string().into());
        body.insert("budget".into(), self.budget.to_value());
        body.into()
    }

    fn from_body(body: &Value) -> Result<Self, DelegationError> {
        let wrong = |what| move || DelegationError::Body(what);
        let raw: Raw = value::from_value(body)?;
        if raw.delegation != VERSION {
            return Err(DelegationError::Body("`delegation` must be `countersign/delegation/v1`"));
        }
        let deepest = usize::try_from(MAX_DELEGATION_DEPTH).unwrap_or(usize::MAX);
        if raw.hops.is_empty() || raw.hops.len() > deepest {
            return Err(DelegationError::Body("there are 1 to 8 `hops`"));
        }
        if raw.scopes.len() != raw.hops.len() + 1 {
            return Err(DelegationError::Body("there is one scope for each hop, and one more"));
        }
        let hops = raw.hops.iter().map(RawHop::read);
        let keys = raw.keys.iter().map(|key| TrustedKey::parse_hex(key).ok());
        let keys: Option<Vec<TrustedKey>> = keys.collect();
        let keys = keys.filter(|keys| keys.len() <= MAX_PER_PERSON);
        if !is_name(&raw.audience, MAX_AUDIENCE_BYTES) {
            return Err(DelegationError::Body("`audience` is no name"));
        }
        let through = |name: &str| is_name(name, MAX_ID_BYTES);
        let label = |label: &str| is_label(label);
        let read = Self {
            id: DelegationId::parse_hex(&raw.id).ok_or_else(wrong("`id` is 32 hex digits"))?,
            hops: hops.collect::<Option<_>>().ok_or_else(wrong("a hop is no hop"))?,
            to: SpiffeId::parse(&raw.to).map_err(|_| wrong("`to` is no SPIFFE ID")())?,
            audience: raw.audience.into(),
            keys: keys.ok_or_else(wrong("`keys` are at most 64 Ed25519 keys"))?,
            acting_through: read_list(raw.acting_through, MAX_ACTING_THROUGH, through)
                .ok_or_else(wrong("`acting_through` are at most 64 names"))?,
            labels: read_list(raw.labels, MAX_LABELS, label)
                .ok_or_else(wrong("`labels` are at most 64 plain tokens"))?,
            issued_at: read_time(&raw.issued_at)?,
            expires: read_time(&raw.expires)?,
            budget: raw.budget.read()?,
            // Parsing a scope is the most work, so it comes last.
            scopes: raw.scopes.iter().map(Scope::from_parsed).collect::<Result<_, _>>()?,
        };
        if raw.on_behalf_of != read.on_behalf_of() {
            return Err(DelegationError::Refused(Reason::DelegationParty));
        }
        Ok(read)
    }
}

impl RawHop {
    fn read(&self) -> Option<Hop> {
        Some(Hop {
            agent: SpiffeId::parse(&self.agent).ok()?,
            journal: Digest::parse_hex(&self.journal)?,
            session: SessionId::parse_hex(&self.session)?,
        })
    }
}

impl DelegationToken {
    /// Signs a token, as the authorizer of the last hop.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] when the signer fails, or what was put together would not be read: too
    /// many hops, labels or scopes, or more than the compact form holds.
    pub fn sign(delegation: &Delegation, signer: &dyn Signer) -> Result<Self, SignError> {
        let document = Signed::sign(DocumentKind::Delegation, delegation.to_body(), signer)?;
        // Whatever is wrong with what came out is found where it is made.
        Self::parse(document.as_str().as_bytes()).map_err(SignError::new)
    }

    /// Reads a token and checks its signature, its form and each of its scopes.
    ///
    /// # Errors
    ///
    /// Returns [`DelegationError`]; the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, DelegationError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(DelegationError::TooLong);
        }
        let document = Signed::parse(DocumentKind::Delegation, text)?;
        let delegation = Delegation::from_body(document.body())?;
        // One spelling of every member: times, ids, the order of lists.
        if delegation.to_body() != *document.body() {
            return Err(DelegationError::Spelling);
        }
        Ok(Self { document, delegation })
    }

    /// Reads the compact form: base64url (RFC 4648 §5) of the document, without padding.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and [`DelegationError::Compact`] for what is no base64url.
    pub fn parse_compact(text: &str) -> Result<Self, DelegationError> {
        if text.len() > MAX_COMPACT_BYTES {
            return Err(DelegationError::TooLong);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| DelegationError::Compact)?;
        Self::parse(&bytes)
    }

    /// Returns the compact form, which fits into a header or an environment variable.
    #[must_use]
    pub fn as_compact(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.as_str())
    }

    /// Checks everything that can be checked before the token is redeemed.
    ///
    /// The key is an authorizer's of the trust domain of the agent that delegates; the token is for
    /// `audience`; `now` is neither before `issued_at` nor at or past `expires`; it lives no longer than
    /// [`MAX_TOKEN_LIFETIME`] and than the delegate's scope; every hop's agent lies in its scope; the outermost scope
    /// names no parent and every other is [a child](check_child) of the one before it; no instance is there twice; and wherever
    /// two neighbours are of different trust domains, the pair (from, to) is one of `edges`.
    ///
    /// # Errors
    ///
    /// Returns [`DelegationError::Refused`] with the first reason in that order.
    ///
    /// # Security
    ///
    /// What happened before the last hop is the word of the authorizer that signed. `edges` come from
    /// the policy bundle of who verifies, never from the token. Revocations are not looked at: ask
    /// [`Revocations::check`](crate::governance::Revocations::check) about
    /// [`VerifiedDelegation::subjects`].
    pub fn verify(
        &self,
        directory: &Directory,
        now: Timestamp,
        audience: &str,
        edges: &[(Box<str>, Box<str>)],
    ) -> Result<VerifiedDelegation, DelegationError> {
        self.check(directory, now, audience, edges).map_err(DelegationError::Refused)?;
        let trust = |scope: &Scope| TrustedScope::verified(scope.clone(), None);
        let scopes = self.delegation.scopes.iter().map(trust).collect();
        Ok(VerifiedDelegation { token: self.clone(), scopes })
    }

    fn check(
        &self,
        directory: &Directory,
        now: Timestamp,
        audience: &str,
        edges: &[(Box<str>, Box<str>)],
    ) -> Result<(), Reason> {
        let said = &self.delegation;
        let from = said.hops.last().map(|hop| hop.agent.trust_domain());
        if from.is_none() || directory.delegator(self.key()) != from {
            return Err(Reason::DelegationIssuer);
        }
        if *said.audience != *audience {
            return Err(Reason::DelegationAudience);
        }
        if said.issued_at > now {
            return Err(Reason::DelegationNotYetValid);
        }
        if said.expires <= now {
            return Err(Reason::DelegationExpired);
        }
        if said.expires.since(said.issued_at) > MAX_TOKEN_LIFETIME {
            return Err(Reason::DelegationLongLived);
        }
        let compiled = said.scopes.iter().map(|scope| {
            // Only the frame is looked at, which no file system has a part in; it compiled before.
            CompiledScope::compile_untrusted(scope, &PurePaths::new())
                .map_err(|_| Reason::DelegationToken)
        });
        let compiled: Vec<CompiledScope> = compiled.collect::<Result<_, _>>()?;
        let agents: Vec<&SpiffeId> =
            said.hops.iter().map(|hop| &hop.agent).chain([&said.to]).collect();
        for (scope, agent) in compiled.iter().zip(&agents) {
            if !scope.agent().contains(agent) {
                return Err(Reason::DelegationHop);
            }
        }
        // One that names a parent would be a chain with its beginning cut off.
        if compiled.first().is_none_or(|outermost| outermost.parent().is_some()) {
            return Err(Reason::DelegationParent);
        }
        for (parent, child) in compiled.iter().zip(compiled.iter().skip(1)) {
            check_child(parent, child)?;
        }
        if let Some(own) = compiled.last() {
            own.check_time(now)?;
            if said.expires > own.expires() {
                return Err(Reason::DelegationLifetime);
            }
        }
        let different: BTreeSet<&SpiffeId> = agents.iter().copied().collect();
        if different.len() != agents.len() {
            return Err(Reason::DelegationCycle);
        }
        for (one, next) in agents.iter().zip(agents.iter().skip(1)) {
            let (from, to) = (one.trust_domain(), next.trust_domain());
            if from != to && !edges.iter().any(|edge| *edge.0 == *from && *edge.1 == *to) {
                return Err(Reason::DelegationTrustDomain);
            }
        }
        Ok(())
    }

    /// Returns what the token says, which nobody has checked the signer of.
    #[must_use]
    pub const fn delegation(&self) -> &Delegation {
        &self.delegation
    }

    /// Returns the key that signed it.
    #[must_use]
    pub const fn key(&self) -> &TrustedKey {
        self.document.key()
    }

    /// Returns the whole document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.document.as_str()
    }

    /// Returns the signed document, as receipts commit to it.
    #[must_use]
    pub const fn document(&self) -> &Signed {
        &self.document
    }

    /// Returns the digest of the whole document.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.document.digest()
    }
}

impl VerifiedDelegation {
    /// Returns the token.
    #[must_use]
    pub const fn token(&self) -> &DelegationToken {
        &self.token
    }

    /// Returns what it says.
    #[must_use]
    pub const fn delegation(&self) -> &Delegation {
        &self.token.delegation
    }

    /// Returns the scopes of all hops, outermost first, the delegate's last. Every one of them must grant
    /// an effect. Their issuer is the authorizer that signed the token, which is no person.
    #[must_use]
    pub fn scopes(&self) -> &[TrustedScope] {
        &self.scopes
    }

    /// Returns all that a session on this token rests on: the delegate, every hop, every scope, every key.
    #[must_use]
    pub fn subjects(&self, session: SessionId) -> Subjects {
        let said = self.delegation();
        let mut subjects = Subjects::new(&said.to, session).with_key(self.token.key());
        for hop in &said.hops {
            subjects = subjects.with_instance(&hop.agent).with_session(hop.session);
        }
        for scope in &said.scopes {
            subjects = subjects.with_document(scope);
        }
        said.keys.iter().fold(subjects, Subjects::with_key)
    }
}

fn is_name(name: &str, most: usize) -> bool {
    !name.is_empty() && name.len() <= most && text::check_visible(name).is_ok()
}

/// Whether a session can have this label: a plain token in lower case.
pub(super) fn is_label(label: &str) -> bool {
    label.len() <= MAX_LABEL && crate::action::token(label).is_ok_and(|token| *token == *label)
}
