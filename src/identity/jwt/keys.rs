//! The keys of an issuer: a JWK Set (RFC 7517), read strictly.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

use crate::receipt::TrustedKey;
use crate::text::{check_visible, excerpt};
use crate::value::{JsonError, Limits, Object, Value};

/// The longest JWK Set, in bytes; those of large issuers have some 20 000.
pub const MAX_JWKS_BYTES: usize = 128 << 10;

/// The most keys of a JWK Set.
pub const MAX_KEYS: usize = 64;

/// The longest id of a key, in bytes.
pub const MAX_KEY_ID_BYTES: usize = 256;

/// The smallest RSA modulus, in bits (RFC 7518 §3.3).
pub const MIN_RSA_BITS: usize = 2048;

/// The largest RSA modulus, in bits: what one check may cost is bounded.
pub const MAX_RSA_BITS: usize = 8192;

/// How tokens are signed. There is no symmetric one, and no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// `RS256`: RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// `PS256`: RSASSA-PSS with SHA-256.
    Ps256,
    /// `ES256`: ECDSA on P-256 with SHA-256.
    Es256,
    /// `ES384`: ECDSA on P-384 with SHA-384.
    Es384,
    /// `EdDSA` on Ed25519 (RFC 8037), also known as `Ed25519` (RFC 9864).
    EdDsa,
}

impl Algorithm {
    /// Returns the name that `alg` has (RFC 7518 §3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Names are compared exactly: they are case-sensitive (RFC 7515 §4.1.1).
    pub(super) fn is_named(self, name: &str) -> bool {
        name == self.name() || (self == Self::EdDsa && name == "Ed25519")
    }

    const ALL: [Self; 5] = [Self::Rs256, Self::Ps256, Self::Es256, Self::Es384, Self::EdDsa];
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The public keys of one issuer, each under an id of its own.
///
/// Keys whose `use` is neither `sig` nor `jwt-svid` are left out: SPIFFE bundles hold those of X.509
/// authorities, and OIDC issuers some for encryption. Every other key must be understood, or the whole
/// set is refused. To go on with the keys that one has is better than to guess which of the new ones
/// matter.
///
/// # Security
///
/// Whoever writes the set can be anybody that the verifier knows. It must come from the issuer by an
/// authenticated way (the workload API; the issuer's `jwks_uri` over TLS), never from a token or from
/// an agent. The library fetches nothing.
///
/// # Examples
///
/// ```
/// use countersign::identity::jwt::Jwks;
///
/// let keys = Jwks::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "2026-11",
///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// assert_eq!(keys.key_ids().collect::<Vec<_>>(), ["2026-11"]);
///
/// let secret = Jwks::parse(br#"{"keys": [{"kty": "oct", "kid": "1", "k": "c2VjcmV0"}]}"#);
/// assert_eq!(secret.unwrap_err().code(), "jwks.secret");
/// # Ok::<(), countersign::identity::jwt::JwksError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Jwks {
    // INVARIANT: not empty, each id once.
    keys: Vec<Jwk>,
}

impl Jwks {
    /// Reads a JWK Set.
    ///
    /// # Errors
    ///
    /// Returns [`JwksError`] for a set that is too long, no strict JSON, empty, or holds a key that is
    /// secret, has no `kid` or one that another has, is of unknown kind or algorithm, or too small.
    pub fn parse(text: &[u8]) -> Result<Self, JwksError> {
        if text.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLong);
        }
        let set = Value::parse(text, &LIMITS).map_err(JwksError::Json)?;
        let members = set.as_object().and_then(|set| set.get("keys")).and_then(Value::as_array);
        let members = members.ok_or(JwksError::Form)?;
        if members.len() > MAX_KEYS {
            return Err(JwksError::TooMany);
        }
        let mut keys: Vec<Jwk> = Vec::with_capacity(members.len());
        for (index, member) in members.iter().enumerate() {
            let key = member.as_object().ok_or(JwksError::Form)?;
            let Some(key) = Jwk::read(key, index)? else { continue };
            if keys.iter().any(|known| known.id == key.id) {
                return Err(JwksError::KeyId { key: index });
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(JwksError::Empty) } else { Ok(Self { keys }) }
    }

    /// Returns the ids of the keys, in the order of the set.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| &*key.id)
    }

    pub(super) fn find(&self, id: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| *key.id == *id)
    }
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Jwks").field(&self.key_ids().collect::<Vec<_>>()).finish()
    }
}

/// One public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jwk {
    pub(super) id: Arc<str>,
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed points: 4, x, y.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(TrustedKey),
}

impl Jwk {
    /// Reads the key at `index`; `None` if it is for another use.
    fn read(object: &Object, index: usize) -> Result<Option<Self>, JwksError> {
        if SECRET_MEMBERS.iter().any(|member| object.get(member).is_some()) {
            return Err(JwksError::Secret { key: index });
        }
        match object.get("use").map(Value::as_str) {
            None | Some(Some("sig" | "jwt-svid")) => {}
            Some(Some(_)) => return Ok(None),
            Some(None) => return Err(JwksError::Member { key: index, member: "use" }),
        }
        if let Some(operations) = object.get("key_ops") {
            let verify = Value::from("verify");
            if operations.as_array().is_none_or(|operations| !operations.contains(&verify)) {
                return Err(JwksError::Member { key: index, member: "key_ops" });
            }
        }
        let reader = Reader { object, index };
        let id = reader.text("kid").map_err(|_| JwksError::KeyId { key: index })?;
        if id.is_empty() || id.len() > MAX_KEY_ID_BYTES || check_visible(id).is_err() {
            return Err(JwksError::KeyId { key: index });
        }
        let material = reader.material()?;
        let algorithm = match object.get("alg") {
            None => None,
            Some(named) => {
                let named = named.as_str().unwrap_or_default();
                let known = Algorithm::ALL.into_iter().find(|known| known.is_named(named));
                match known.filter(|known| material.is_for(*known)) {
                    Some(known) => Some(known),
                    None => {
                        let algorithm = excerpt(named);
                        return Err(JwksError::Algorithm { key: index, algorithm });
                    }
                }
            }
        };
        Ok(Some(Self { id: id.into(), algorithm, material }))
    }

    /// Whether the key may be used with `algorithm`: it is of its kind, and names no other.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|own| own == algorithm) && self.material.is_for(algorithm)
    }

    /// Verifies by `algorithm`, which the caller pins.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Material::Rsa { n, e }, Algorithm::Ps256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PSS_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Material::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
                    .is_ok()
            }
            (Material::P384(point), Algorithm::Es384) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
                    .verify(message, signature)
                    .is_ok()
            }
            (Material::Ed25519(key), Algorithm::EdDsa) => {
                signature.try_into().is_ok_and(|signature| key.verifies(message, signature))
            }
            _ => false,
        }
    }
}

impl Material {
    const fn is_for(&self, algorithm: Algorithm) -> bool {
        matches!(
            (self, algorithm),
            (Self::Rsa { .. }, Algorithm::Rs256 | Algorithm::Ps256)
                | (Self::P256(_), Algorithm::Es256)
                | (Self::P384(_), Algorithm::Es384)
                | (Self::Ed25519(_), Algorithm::EdDsa)
        )
    }
}

/// The members of one key.
struct Reader<'a> {
    object: &'a Object,
    index: usize,
}

impl<'a> Reader<'a> {
    fn material(&self) -> Result<Material, JwksError> {
        let kind = self.text("kty")?;
        let curve = if kind == "RSA" { "" } else { self.text("crv").unwrap_or_default() };
        match (kind, curve) {
            ("RSA", _) => self.rsa(),
            ("EC", "P-256") => Ok(Material::P256(self.point(32)?)),
            ("EC", "P-384") => Ok(Material::P384(self.point(48)?)),
            ("OKP", "Ed25519") => {
                let x = self.bytes("x")?;
                let key = x.as_slice().try_into().ok().and_then(|x| TrustedKey::from_bytes(x).ok());
                key.map(Material::Ed25519).ok_or_else(|| self.fault("x"))
            }
            _ => Err(JwksError::KeyType { key: self.index, kind: excerpt(kind) }),
        }
    }

    /// The modulus is within bounds; the exponent is odd, at least 65 537 and at most 33 bits long,
    /// so that neither forging nor checking is cheap or dear for the wrong side.
    fn rsa(&self) -> Result<Material, JwksError> {
        let (n, e) = (self.bytes("n")?, self.bytes("e")?);
        let Some(first) = n.first().filter(|first| **first != 0) else {
            return Err(self.fault("n"));
        };
        let bits = n.len().saturating_mul(8).saturating_sub(first.leading_zeros() as usize);
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
            return Err(JwksError::RsaSize { key: self.index, bits });
        }
        let value = e.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let plain = e.len() <= 5 && e.first().is_some_and(|first| *first != 0);
        if !plain || value % 2 == 0 || !(65_537..1 << 33).contains(&value) {
            return Err(self.fault("e"));
        }
        Ok(Material::Rsa { n, e })
    }

    /// Coordinates have their full length (RFC 7518 §6.2.1.2). A point off the curve is found when it
    /// is used, and verifies nothing.
    fn point(&self, length: usize) -> Result<Vec<u8>, JwksError> {
        let mut point = vec![4];
        for name in ["x", "y"] {
            let coordinate = self.bytes(name)?;
            if coordinate.len() != length {
                return Err(self.fault(name));
            }
            point.extend(coordinate);
        }
        Ok(point)
    }

    fn bytes(&self, name: &'static str) -> Result<Vec<u8>, JwksError> {
        URL_SAFE_NO_PAD.decode(self.text(name)?).map_err(|_| self.fault(name))
    }

    fn text(&self, name: &'static str) -> Result<&'a str, JwksError> {
        self.object.get(name).and_then(Value::as_str).ok_or_else(|| self.fault(name))
    }

    const fn fault(&self, member: &'static str) -> JwksError {
        JwksError::Member { key: self.index, member }
    }
}

/// Why a JWK Set is refused. `key` is the place in the set, from 0 on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// It is longer than [`MAX_JWKS_BYTES`].
    #[error("the JWK Set is longer than {MAX_JWKS_BYTES} bytes")]
    TooLong,
    /// It is no strict JSON.
    #[error("the JWK Set is no strict JSON")]
    Json(#[source] JsonError),
    /// It is no object with a list `keys` of objects.
    #[error("the JWK Set is no object with a list `keys` of objects")]
    Form,
    /// It has more than [`MAX_KEYS`] keys.
    #[error("the JWK Set has more than {MAX_KEYS} keys")]
    TooMany,
    /// It has no key for signatures.
    #[error("the JWK Set has no key for signatures")]
    Empty,
    /// A key is symmetric, or comes with its private half.
    #[error("key {key} of the JWK Set is secret; replace it, since it is one no longer")]
    Secret {
        /// Its place.
        key: usize,
    },
    /// A key has no `kid`, one that another key has, or one that is too long or not plain text.
    #[error("key {key} of the JWK Set has no `kid` of its own, or one that is no plain text")]
    KeyId {
        /// Its place.
        key: usize,
    },
    /// A key is of a kind or on a curve that is not known here.
    #[error("key {key} of the JWK Set is of the unknown kind `{kind}`, or on an unknown curve")]
    KeyType {
        /// Its place.
        key: usize,
        /// Its `kty`, escaped and cut short.
        kind: String,
    },
    /// A key names an algorithm that is not known here or not of its kind.
    #[error("key {key} of the JWK Set names the algorithm `{algorithm}`, which is not for it")]
    Algorithm {
        /// Its place.
        key: usize,
        /// Its `alg`, escaped and cut short.
        algorithm: String,
    },
    /// An RSA key is below [`MIN_RSA_BITS`] or above [`MAX_RSA_BITS`].
    #[error("key {key} of the JWK Set has {bits} bits, not {MIN_RSA_BITS} to {MAX_RSA_BITS}")]
    RsaSize {
        /// Its place.
        key: usize,
        /// Its size.
        bits: usize,
    },
    /// A member is missing, or holds what it may not.
    #[error("`{member}` of key {key} of the JWK Set is missing or holds what it may not")]
    Member {
        /// Its place.
        key: usize,
        /// The member.
        member: &'static str,
    },
}

impl JwksError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "jwks.too_long",
            Self::Json(_) => "jwks.json",
            Self::Form => "jwks.form",
            Self::TooMany => "jwks.too_many_keys",
            Self::Empty => "jwks.empty",
            Self::Secret { .. } => "jwks.secret",
            Self::KeyId { .. } => "jwks.key_id",
            Self::KeyType { .. } => "jwks.key_type",
            Self::Algorithm { .. } => "jwks.algorithm",
            Self::RsaSize { .. } => "jwks.rsa_size",
            Self::Member { .. } => "jwks.member",
        }
    }
}

/// Members of symmetric and private keys (RFC 7518 §6).
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const LIMITS: Limits = Limits { max_bytes: MAX_JWKS_BYTES, max_depth: 6, max_nodes: 4096 };
