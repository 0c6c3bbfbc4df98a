//! Signed tokens: JWT-SVIDs and tokens of OpenID Connect issuers (feature `jwt`).
//!
//! ```text
//! header . claims . signature       each base64url, without padding
//!   │         │         └ verified by the issuer's key that `kid` names, by the pinned algorithm
//!   │         └ read after that: aud, exp, nbf, iat, iss, sub; nothing else is kept
//!   └ alg, kid, typ; names no key, and nothing critical
//! ```
//!
//! What RFC 8725 advises is not optional here: one algorithm for each verifier, one audience, one
//! issuer; no key, no algorithm and no extension is taken from the token. JSON is read strictly, so
//! that a member that stands twice is refused and not resolved.
//!
//! The identity is the subject and nothing else. A JWT-SVID names a SPIFFE ID of the pinned trust
//! domain; a subject of an OIDC issuer stands in a table of the host's. Roles, groups and scopes in a
//! token are not read.
//!
//! Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 (algorithms), RFC 7519 (JWT), RFC 8037 (Ed25519),
//! RFC 8725 (best practice), OpenID Connect Core 1.0 §3.1.3.7, and the JWT-SVID specification.
//!
//! # Examples
//!
//! ```
//! use countersign::identity::jwt::{Algorithm, Jwks, JwtVerifier, Oidc, Svid};
//! use countersign::identity::{IdentityVerifier, PrincipalKind, SpiffeId};
//! use countersign::time::SystemClock;
//!
//! # let jwks = br#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "2026-11", "alg": "ES256",
//! #     "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
//! #     "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
//! // Workloads of a trust domain, by what the workload API said are its keys.
//! let domain = SpiffeId::parse("spiffe://example.org")?;
//! let services = SpiffeId::parse("spiffe://example.org/service")?;
//! let svid = Svid::new(&domain)?.with_class(&services, PrincipalKind::Service);
//! let keys = Jwks::parse(jwks)?;
//! let clock = SystemClock::new()?;
//! let verifier = JwtVerifier::svid(svid, "build-host-3", Algorithm::Es256, keys, clock)?;
//! assert_eq!(verifier.verify("a.b.c").unwrap_err().code(), "identity.jwt_form");
//!
//! // One job of a build service, by an exact table.
//! let job = SpiffeId::parse("spiffe://example.org/agent/builder/instance/1")?;
//! let oidc = Oidc::new("https://ci.example.org")?
//!     .with_subject("project/web:branch/main", &job, PrincipalKind::Agent)?;
//! let keys = Jwks::parse(jwks)?;
//! let clock = SystemClock::new()?;
//! let verifier = JwtVerifier::oidc(oidc, "build-host-3", Algorithm::Es256, keys, clock)?;
//! # drop(verifier);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod keys;
mod subject;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use self::keys::{
    Algorithm, Jwks, JwksError, MAX_JWKS_BYTES, MAX_KEY_ID_BYTES, MAX_KEYS, MAX_RSA_BITS,
    MIN_RSA_BITS,
};
use self::subject::Subjects;
pub use self::subject::{MAX_SUBJECT_BYTES, Oidc, Svid};
use super::{IdentityError, IdentityVerifier, Proof, SetupError, VerifiedIdentity, audience};
use crate::digest::Digest;
use crate::time::{Clock, Timestamp};
use crate::value::{JsonError, JsonErrorKind, Limits, Object, Value};

/// The longest token, in bytes. Headers of HTTP servers end at 8 or 16 KiB too.
pub const MAX_TOKEN_BYTES: usize = 16 << 10;

/// The most that the clocks of issuer and verifier may differ, if the host allows any difference.
pub const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// How long a token may live, unless the host says otherwise.
///
/// JWT-SVIDs live for minutes and ID tokens for an hour; a token is as good as a password until it ends.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// Verifies tokens of one issuer, for one audience, by one algorithm.
///
/// # Security
///
/// A token is a bearer credential: whoever holds it is its subject until it ends. It must reach the host
/// over a channel that keeps it secret, and must never be in the context of a model or in a file that
/// an agent's tools can read. Where an instance can hold a key of its own, prefer a
/// [`PossessionVerifier`](super::PossessionVerifier).
pub struct JwtVerifier {
    subjects: Subjects,
    audience: Arc<str>,
    algorithm: Algorithm,
    typ: Option<Arc<str>>,
    leeway: Duration,
    max_lifetime: Duration,
    clock: Box<dyn Clock>,
    keys: RwLock<Arc<Jwks>>,
    /// The latest time that was told.
    latest: Mutex<Option<Timestamp>>,
}

impl JwtVerifier {
    /// Makes a verifier of JWT-SVIDs.
    ///
    /// # Errors
    ///
    /// Returns [`SetupError`] for an unfit audience, and for an algorithm that the JWT-SVID
    /// specification does not have: [`Algorithm::EdDsa`].
    pub fn svid(
        svid: Svid,
        audience: &str,
        algorithm: Algorithm,
        keys: Jwks,
        clock: impl Clock + 'static,
    ) -> Result<Self, SetupError> {
        if algorithm == Algorithm::EdDsa {
            return Err(SetupError::Algorithm { algorithm });
        }
        Self::new(Subjects::Svid(svid), audience, algorithm, keys, Box::new(clock))
    }

    /// Makes a verifier of the tokens of an OpenID Connect issuer.
    ///
    /// # Errors
    ///
    /// Returns [`SetupError`] for an unfit audience.
    pub fn oidc(
        oidc: Oidc,
        audience: &str,
        algorithm: Algorithm,
        keys: Jwks,
        clock: impl Clock + 'static,
    ) -> Result<Self, SetupError> {
        Self::new(Subjects::Oidc(oidc), audience, algorithm, keys, Box::new(clock))
    }

    fn new(
        subjects: Subjects,
        audience: &str,
        algorithm: Algorithm,
        keys: Jwks,
        clock: Box<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let keys = fit(keys, algorithm)?;
        Ok(Self {
            subjects,
            audience: self::audience(audience)?,
            algorithm,
            typ: None,
            leeway: Duration::ZERO,
            max_lifetime: DEFAULT_MAX_LIFETIME,
            clock,
            keys: RwLock::new(keys),
            latest: Mutex::default(),
        })
    }

    /// Allows the issuer's clock to differ by `leeway`; none by default, more than [`MAX_LEEWAY`]
    /// counts as that.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway.min(MAX_LEEWAY);
        self
    }

    /// Sets how long a token may live; [`DEFAULT_MAX_LIFETIME`] by default.
    ///
    /// It is measured from `iat` to `exp`, or from now on where a token does not say when it was made.
    #[must_use]
    pub const fn with_max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// Demands this `typ`, such as `at+jwt`, so that tokens of one sort are not taken for another
    /// (RFC 8725 §3.11).
    ///
    /// Without it a token may say `JWT` or nothing, a JWT-SVID `JOSE` too.
    #[must_use]
    pub fn with_type(mut self, typ: &str) -> Self {
        self.typ = Some(typ.into());
        self
    }

    /// Replaces the issuer's keys, as after a rotation. Tokens that are being verified see the old or
    /// the new ones, never a mixture.
    ///
    /// # Errors
    ///
    /// Returns [`SetupError::NoKey`] and keeps the old ones if none of the new ones is for the pinned
    /// algorithm.
    pub fn replace_keys(&self, keys: Jwks) -> Result<(), SetupError> {
        let keys = fit(keys, self.algorithm)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Checks header and signature.
    fn open(&self, token: &str) -> Result<Opened, JwtError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::TooLong);
        }
        let mut parts = token.split('.');
        let parts = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(header), Some(claims), Some(signature), None) = parts else {
            return Err(JwtError::Form);
        };
        let signed_bytes = header.len().saturating_add(claims.len()).saturating_add(1);
        let signed = token.get(..signed_bytes).unwrap_or_default().as_bytes();
        let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);

        let kid = self.check_header(&object(&header)?)?;
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let key = keys.find(&kid).ok_or(JwtError::KeyUnknown)?;
        if !key.is_for(self.algorithm) {
            return Err(JwtError::KeyAlgorithm);
        }
        if !key.verifies(self.algorithm, signed, &signature) {
            return Err(JwtError::Signature);
        }
        // Nobody but the issuer has had a say in the claims.
        let claims = object(&claims)?;
        let credential = Digest::of(TOKEN_CONTEXT, signed);
        Ok(Opened { claims, kid: Arc::clone(&key.id), credential })
    }

    /// Returns the id of the key.
    fn check_header(&self, header: &Object) -> Result<String, JwtError> {
        let has = |name: &&str| header.get(name).is_some();
        if KEY_HEADERS.iter().any(&has) {
            return Err(JwtError::HeaderKey);
        }
        if has(&"crit") {
            return Err(JwtError::Critical);
        }
        let known = |name: &str| SVID_HEADERS.contains(&name);
        let strange = match &self.subjects {
            Subjects::Svid(_) => header.iter().any(|(name, _)| !known(name)),
            Subjects::Oidc(_) => OTHER_MEANINGS.iter().any(has),
        };
        if strange {
            return Err(JwtError::Header);
        }
        let named = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        if !self.algorithm.is_named(named) {
            return Err(JwtError::Algorithm);
        }
        match header.get("typ").map(Value::as_str) {
            None if self.typ.is_none() => {}
            Some(Some(typ)) if self.takes_type(typ) => {}
            _ => return Err(JwtError::Type),
        }
        match header.get("kid").and_then(Value::as_str) {
            Some(kid) if !kid.is_empty() && kid.len() <= MAX_KEY_ID_BYTES => Ok(kid.to_owned()),
            _ => Err(JwtError::KeyId),
        }
    }

    /// Types ignore case, and may leave out `application/` (RFC 7515 §4.1.9).
    fn takes_type(&self, typ: &str) -> bool {
        let short = |typ: &str| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
        };
        match &self.typ {
            Some(pinned) => short(typ) == short(pinned),
            None if matches!(self.subjects, Subjects::Svid(_)) => matches!(typ, "JWT" | "JOSE"),
            None => typ.eq_ignore_ascii_case("JWT"),
        }
    }

    fn check_audience(&self, claims: &Object) -> Result<(), JwtError> {
        match claims.get("aud") {
            Some(Value::String(one)) if **one == *self.audience => Ok(()),
            Some(Value::Array(several)) => {
                let is_ours = |one: &Value| one.as_str() == Some(&*self.audience);
                if !several.iter().any(is_ours) {
                    Err(JwtError::Audience)
                } else if !several.iter().all(is_ours) {
                    Err(JwtError::SharedAudience)
                } else {
                    Ok(())
                }
            }
            _ => Err(JwtError::Audience),
        }
    }

    /// Returns when the token ends, the leeway included.
    fn check_times(&self, claims: &Object, now: Timestamp) -> Result<Timestamp, JwtError> {
        let expires = time(claims, "exp")?.ok_or(JwtError::Time { claim: "exp" })?;
        let begins = time(claims, "nbf")?;
        let made = time(claims, "iat")?;
        let until = expires.plus(self.leeway);
        if now >= until {
            return Err(JwtError::Expired);
        }
        let latest = now.plus(self.leeway);
        if begins.is_some_and(|begins| latest < begins) {
            return Err(JwtError::NotYetValid);
        }
        if made.is_some_and(|made| latest < made) {
            return Err(JwtError::FromTheFuture);
        }
        if expires.since(made.unwrap_or(now)) > self.max_lifetime {
            return Err(JwtError::Lifetime);
        }
        Ok(until)
    }

    /// The lock is held while the clock is read, so that threads do not overtake each other.
    fn now(&self) -> Result<Timestamp, IdentityError> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now().map_err(IdentityError::Clock)?;
        if latest.is_some_and(|latest| now < latest) {
            return Err(IdentityError::ClockBack);
        }
        *latest = Some(now);
        Ok(now)
    }
}

impl IdentityVerifier for JwtVerifier {
    type Evidence = str;

    /// Verifies a token in the compact form: what stands after `Bearer `, without white space.
    fn verify(&self, token: &str) -> Result<VerifiedIdentity, IdentityError> {
        let now = self.now()?;
        let opened = self.open(token)?;
        self.check_audience(&opened.claims)?;
        let until = self.check_times(&opened.claims, now)?;
        let (id, kind) = self.subjects.identify(&opened.claims)?;
        let proof = Proof::Jwt {
            issuer: self.subjects.issuer(),
            kid: opened.kid,
            credential: opened.credential,
        };
        Ok(VerifiedIdentity { until: Some(until), ..VerifiedIdentity::proven(id, kind, proof) })
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("issuer", &self.subjects.issuer())
            .field("audience", &self.audience)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Claims that the issuer signed.
struct Opened {
    claims: Object,
    kid: Arc<str>,
    credential: Digest,
}

/// Why a token is refused.
///
/// It says what is wrong and not what would be right: an agent may see it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// The token is longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// The token is not three parts of base64url without padding, with an object in the first two.
    #[error("the token is not three parts of base64url with two JSON objects")]
    Form,
    /// A part is no strict JSON.
    #[error("a part of the token is no strict JSON")]
    Json(#[source] JsonError),
    /// A member stands twice.
    #[error("a member of the token stands twice")]
    Duplicate,
    /// The header brings a key or names a place to get one from.
    #[error("the header of the token brings a key of its own")]
    HeaderKey,
    /// The header demands an extension; none is known here.
    #[error("the header of the token demands an extension")]
    Critical,
    /// The header has a member that changes what the token means, or that a JWT-SVID may not have.
    #[error("the header of the token has a member that it may not have")]
    Header,
    /// The header names another algorithm than the pinned one, or none.
    #[error("the token is not signed by the algorithm of this verifier")]
    Algorithm,
    /// The token is of another type.
    #[error("the token is of another type")]
    Type,
    /// The header does not say which key signed.
    #[error("the token does not say which key signed it")]
    KeyId,
    /// The issuer has no such key.
    #[error("the issuer has no such key")]
    KeyUnknown,
    /// The key is not for the pinned algorithm.
    #[error("the key of the token is for another algorithm")]
    KeyAlgorithm,
    /// The signature does not verify.
    #[error("the signature of the token does not verify")]
    Signature,
    /// The token is for another audience.
    #[error("the token is for another audience")]
    Audience,
    /// The token is for another audience too, which could replay it here.
    #[error("the token is for other audiences too")]
    SharedAudience,
    /// A time is missing, or no whole number of seconds.
    #[error("`{claim}` of the token is missing or no whole number of seconds")]
    Time {
        /// The claim.
        claim: &'static str,
    },
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token was made later than now.
    #[error("the token was made in the future")]
    FromTheFuture,
    /// The token lives longer than the verifier takes.
    #[error("the token lives too long")]
    Lifetime,
    /// The token is of another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// The subject is missing, or no SPIFFE ID of a workload where it must be one.
    #[error("the subject of the token is missing or names no workload")]
    Subject,
    /// The subject is of another trust domain.
    #[error("the subject of the token is of another trust domain")]
    TrustDomain,
    /// The host's table does not hold the subject.
    #[error("the subject of the token is not known here")]
    SubjectUnknown,
}

impl JwtError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "identity.jwt_too_long",
            Self::Form => "identity.jwt_form",
            Self::Json(_) => "identity.jwt_json",
            Self::Duplicate => "identity.jwt_duplicate",
            Self::HeaderKey => "identity.jwt_header_key",
            Self::Critical => "identity.jwt_critical",
            Self::Header => "identity.jwt_header",
            Self::Algorithm => "identity.jwt_algorithm",
            Self::Type => "identity.jwt_type",
            Self::KeyId => "identity.jwt_key_id",
            Self::KeyUnknown => "identity.jwt_key_unknown",
            Self::KeyAlgorithm => "identity.jwt_key_algorithm",
            Self::Signature => "identity.jwt_signature",
            Self::Audience => "identity.jwt_audience",
            Self::SharedAudience => "identity.jwt_audience_shared",
            Self::Time { .. } => "identity.jwt_time",
            Self::Expired => "identity.jwt_expired",
            Self::NotYetValid => "identity.jwt_not_yet_valid",
            Self::FromTheFuture => "identity.jwt_future",
            Self::Lifetime => "identity.jwt_lifetime",
            Self::Issuer => "identity.jwt_issuer",
            Self::Subject => "identity.jwt_subject",
            Self::TrustDomain => "identity.jwt_trust_domain",
            Self::SubjectUnknown => "identity.jwt_subject_unknown",
        }
    }
}

fn fit(keys: Jwks, algorithm: Algorithm) -> Result<Arc<Jwks>, SetupError> {
    let usable = keys.key_ids().filter_map(|id| keys.find(id)).any(|key| key.is_for(algorithm));
    if usable { Ok(Arc::new(keys)) } else { Err(SetupError::NoKey { algorithm }) }
}

/// Refuses padding, other alphabets, white space and trailing bits: one text for the same bytes.
fn decode(part: &str) -> Result<Vec<u8>, JwtError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Form)?;
    if bytes.is_empty() { Err(JwtError::Form) } else { Ok(bytes) }
}

fn object(text: &[u8]) -> Result<Object, JwtError> {
    match Value::parse(text, &LIMITS) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(JwtError::Form),
        Err(error) if error.kind() == JsonErrorKind::DuplicateKey => Err(JwtError::Duplicate),
        Err(error) => Err(JwtError::Json(error)),
    }
}

/// Reads whole seconds since 1970. RFC 7519 allows fractions; they are refused, and no issuer of
/// tokens for workloads is known to write them.
fn time(claims: &Object, claim: &'static str) -> Result<Option<Timestamp>, JwtError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds = value.as_number().and_then(|number| number.to_u64());
    let millis = seconds.and_then(|seconds| seconds.checked_mul(1000));
    match millis {
        Some(millis) if millis <= Timestamp::MAX.as_millis() => {
            Ok(Some(Timestamp::from_millis(millis)))
        }
        _ => Err(JwtError::Time { claim }),
    }
}

/// A key in the token, or where to get one (RFC 8725 §3.10).
const KEY_HEADERS: [&str; 4] = ["jwk", "jku", "x5u", "x5c"];

/// Not a signed JSON object any more: encrypted, compressed, detached, nested.
const OTHER_MEANINGS: [&str; 4] = ["enc", "zip", "b64", "cty"];

/// The only members that a JWT-SVID may have (JWT-SVID §2).
const SVID_HEADERS: [&str; 3] = ["alg", "kid", "typ"];

const TOKEN_CONTEXT: &str = "countersign 2026-11 identity token v1";

const LIMITS: Limits = Limits { max_bytes: MAX_TOKEN_BYTES, max_depth: 8, max_nodes: 2048 };
