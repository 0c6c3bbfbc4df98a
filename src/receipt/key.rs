//! Keys: who signs, and whom a verifier trusts (receipt-format §5).

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::body::Signing;
use super::form;
use crate::digest::Digest;
use crate::entropy::{Entropy, EntropyError};
use crate::hex;

/// Holds an identity key and signs with it, so that the key itself can stay in a KMS or HSM.
///
/// It signs once per epoch, hence rarely, and may take its time.
///
/// # Security
///
/// Whoever can make it sign a message of his choosing can set up an authorizer in its name.
pub trait Signer: Send + Sync + fmt::Debug {
    /// Returns the Ed25519 public key.
    fn public_key(&self) -> [u8; 32];

    /// Returns the public key as others take it.
    ///
    /// A signer that has it checked returns that: checking costs twice as much as signing does.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError`] for a key that nobody would take.
    fn trusted_key(&self) -> Result<TrustedKey, KeyError> {
        TrustedKey::from_bytes(&self.public_key())
    }

    /// Signs `message` with pure Ed25519 (RFC 8032).
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] if the key cannot be reached or refuses.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

/// One key for an authorizer and for the tokens that its host signs.
impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn public_key(&self) -> [u8; 32] {
        (**self).public_key()
    }

    fn trusted_key(&self) -> Result<TrustedKey, KeyError> {
        (**self).trusted_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        (**self).sign(message)
    }
}

/// Why a message could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the signer failed")]
pub struct SignError {
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl SignError {
    /// Wraps what went wrong.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { cause: cause.into() }
    }
}

/// An identity key held in memory and wiped when dropped.
///
/// # Security
///
/// Prefer a [`Signer`] that keeps the key out of the process where an agent's tools run.
pub struct IdentityKey(SigningKey);

impl IdentityKey {
    /// Builds the key from its 32 secret bytes, which must come from a generator fit for keys.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Makes a new key of random bytes.
    ///
    /// # Errors
    ///
    /// Returns [`EntropyError`] when the source fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(&mut *seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// Returns the public half, for verifiers.
    #[must_use]
    pub fn trusted(&self) -> TrustedKey {
        TrustedKey(self.0.verifying_key())
    }
}

impl Signer for IdentityKey {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn trusted_key(&self) -> Result<TrustedKey, KeyError> {
        Ok(self.trusted())
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({}, secret redacted)", hex::text(&self.public_key()))
    }
}

/// One epoch of a journal with its key: random, in memory only, wiped when dropped.
///
/// A [`Journal`](super::Journal) makes it; chains sign with it.
pub struct EpochKey {
    journal: Digest,
    number: u64,
    signing: Signing,
    key: SigningKey,
}

impl EpochKey {
    pub(super) fn new(journal: Digest, number: u64, signing: Signing, key: SigningKey) -> Self {
        Self { journal, number, signing, key }
    }

    /// Returns the id of the journal.
    #[must_use]
    pub fn journal(&self) -> Digest {
        self.journal
    }

    /// Returns the number of the epoch.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the mode of the sessions that begin in this epoch.
    #[must_use]
    pub fn signing(&self) -> Signing {
        self.signing
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EpochKey({}, secret redacted)", self.number)
    }
}

/// A public key that was checked when it was loaded and verifies strictly.
///
/// # Security
///
/// The key must come from the operator by a way of its own. One taken from the file that it is to
/// verify proves nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrustedKey(VerifyingKey);

impl TrustedKey {
    /// Checks and takes the 32 bytes of an Ed25519 public key.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError`] for bytes that are not the one encoding of a point in the prime-order
    /// group: such keys accept signatures that their holder never made, or that another
    /// implementation refuses.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        let point = key.to_edwards();
        if key.is_weak() {
            Err(KeyError::SmallOrder)
        } else if point.compress().to_bytes() != *bytes {
            Err(KeyError::NotCanonical)
        } else if !point.is_torsion_free() {
            Err(KeyError::Torsion)
        } else {
            Ok(Self(key))
        }
    }

    /// Parses 64 lower-case hex digits and checks the key.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError`] as [`TrustedKey::from_bytes`] does, or if the digits are not that.
    pub fn parse_hex(text: &str) -> Result<Self, KeyError> {
        let bytes = hex::parse(text.as_bytes())
            .ok_or_else(|| KeyError::NotHex { found: form::excerpt(text.as_bytes()) })?;
        Self::from_bytes(&bytes)
    }

    /// Returns the bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Verifies strictly: reduced `S`, canonical `R` of large order, no cofactor.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// Writes the 64 hex digits that [`TrustedKey::parse_hex`] reads.
impl fmt::Display for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::text(self.as_bytes()))
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedKey({})", hex::text(self.as_bytes()))
    }
}

/// Why a public key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not 64 lower-case hex digits.
    #[error("the key `{found}` is not 64 lower-case hex digits")]
    NotHex {
        /// What was given, escaped and cut short.
        found: String,
    },
    /// It encodes no point of the curve.
    #[error("the key is not a point of the curve")]
    NotAPoint,
    /// It is a second encoding of a point that has a canonical one.
    #[error("the key is not in its canonical encoding")]
    NotCanonical,
    /// It is one of the eight points of small order, under which anybody can sign.
    #[error("the key is of small order")]
    SmallOrder,
    /// It has a torsion component, on which verifiers disagree.
    #[error("the key has a torsion component")]
    Torsion,
}

/// Returns the message by which an epoch key shows that its holder wanted the epoch
/// (receipt-format §5.2).
///
/// ```text
/// "countersign epoch-key v1\n" ‖ identity 32 ‖ key 32 ‖ epoch 8 LE ‖ prev 32 (zeros on line 0)
/// ```
pub(super) fn possession_message(
    identity: &[u8; 32],
    key: &[u8; 32],
    epoch: u64,
    prev: &[u8; 32],
) -> Vec<u8> {
    [b"countersign epoch-key v1\n".as_slice(), identity, key, &epoch.to_le_bytes(), prev].concat()
}
