//! Signed notes (c2sp.org/signed-note): a text, and the signatures of any number of keys under it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::checkpoint::LogName;
use super::form::excerpt;
use super::key::KeyError;
use crate::hex;

/// Why a note is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It is longer than 16 384 bytes.
    #[error("the note has {bytes} bytes, at most 16384 are taken")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It is not of the required form.
    #[error("the note is not of the required form: expected {expected}")]
    Form {
        /// What was expected.
        expected: &'static str,
    },
    /// A name is not one.
    #[error("`{found}` is no name for a log or a key")]
    Name {
        /// What was given, escaped and cut short.
        found: String,
    },
    /// It is of another log.
    #[error("the note is of `{found}`, not of a journal under `{expected}`")]
    Origin {
        /// The name that was expected.
        expected: String,
        /// What was found, escaped and cut short.
        found: String,
    },
    /// The signature of a known key does not verify.
    #[error("the signature of `{name}` does not verify")]
    Signature {
        /// The name of the key.
        name: String,
    },
    /// The identity did not sign it, or more than once.
    #[error("the note has {found} signatures of the identity, not one")]
    Signers {
        /// How many signatures of the identity there are.
        found: usize,
    },
    /// Too few of the witnesses have signed it.
    #[error("{found} of the witnesses signed the note, {needed} are needed")]
    Quorum {
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// The witnesses that were named cannot make up the quorum, or one party is there twice.
    #[error("the witnesses are fewer than the quorum, or one party is there twice")]
    Witnesses,
    /// A verifier key is not of the required form, or its hash does not fit.
    #[error("not a verifier key of the required type")]
    VerifierKey,
    /// A key is not sound.
    #[error("the key is not sound")]
    Key(#[source] KeyError),
}

impl NoteError {
    pub(super) fn name(found: &str) -> Self {
        Self::Name { found: excerpt(found.as_bytes()) }
    }

    pub(super) fn origin(expected: &LogName, found: &str) -> Self {
        let expected = expected.as_str().to_owned();
        Self::Origin { expected, found: excerpt(found.as_bytes()) }
    }

    pub(super) fn signature(name: &str) -> Self {
        Self::Signature { name: name.to_owned() }
    }
}

/// What a signature under a note is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureKind {
    /// The text.
    Note,
    /// The text and a time: that of a witness.
    Cosignature,
}

/// The four bytes by which a signature names its key, beside the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyHash([u8; 4]);

impl SignatureKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

impl KeyHash {
    pub(super) fn of(name: &str, kind: SignatureKind, key: &[u8; 32]) -> Self {
        let hash = Sha256::new().chain_update(name).chain_update(b"\n");
        let hash: [u8; 32] = hash.chain_update([kind.byte()]).chain_update(key).finalize().into();
        let [a, b, c, d, ..] = hash;
        Self([a, b, c, d])
    }

    /// Writes `name+hash+key`, as tools for signed notes take keys.
    pub(super) fn verifier_key(name: &str, kind: SignatureKind, key: &[u8; 32]) -> String {
        let hash = hex::text(&Self::of(name, kind, key).0);
        let mut bytes = vec![kind.byte()];
        bytes.extend_from_slice(key);
        format!("{name}+{hash}+{}", encode(&bytes))
    }

    /// Reads what [`verifier_key`](Self::verifier_key) writes: the name and the key.
    pub(super) fn parse_verifier_key(
        text: &str,
        kind: SignatureKind,
    ) -> Result<(&str, [u8; 32]), NoteError> {
        let parts = || {
            let (name, rest) = text.split_once('+')?;
            let (hash, key) = rest.split_once('+')?;
            let key: [u8; 33] = decode(key)?;
            let (byte, key) = key.split_first_chunk::<1>()?;
            let key: [u8; 32] = key.try_into().ok()?;
            let fits = hex::parse(hash.as_bytes()) == Some(Self::of(name, kind, &key).0);
            (*byte == [kind.byte()] && fits).then_some((name, key))
        };
        parts().ok_or(NoteError::VerifierKey)
    }
}

/// A note in its parts. Nothing in it is verified.
#[derive(Clone, Debug)]
pub(super) struct Note<'a> {
    /// What is signed, with its last line end.
    pub(super) text: &'a str,
    signatures: Vec<NoteSignature<'a>>,
}

/// One signature line.
#[derive(Clone, Debug)]
pub(super) struct NoteSignature<'a> {
    name: &'a str,
    hash: KeyHash,
    pub(super) bytes: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Takes a note apart.
    pub(super) fn parse(note: &'a str) -> Result<Self, NoteError> {
        let form = |expected| NoteError::Form { expected };
        if note.len() > MAX_NOTE {
            return Err(NoteError::TooLong { bytes: note.len() });
        }
        if note.chars().any(|char| char.is_control() && char != '\n') {
            return Err(form("no control characters"));
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(form("an empty line"))?;
        let text = note.get(..text.len() + 1).unwrap_or_default();
        let lines = lines.strip_suffix('\n').ok_or(form("a line end behind the last signature"))?;
        let signatures: Vec<NoteSignature<'a>> =
            lines.split('\n').map(parse_signature).collect::<Option<_>>().ok_or(form(
                "signature lines: em dash, blank, name, blank, Base64 of at least five bytes",
            ))?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(form("at most 64 signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// Iterates over the signatures of one key.
    pub(super) fn of(&self, name: &str, hash: KeyHash) -> impl Iterator<Item = &NoteSignature<'a>> {
        self.signatures.iter().filter(move |one| one.name == name && one.hash == hash)
    }
}

fn parse_signature(line: &str) -> Option<NoteSignature<'_>> {
    let (name, bytes) = line.strip_prefix("— ")?.split_once(' ')?;
    check_key_name(name).ok()?;
    let bytes = STANDARD.decode(bytes).ok()?;
    let (hash, bytes) = bytes.split_first_chunk::<4>()?;
    (!bytes.is_empty()).then(|| NoteSignature { name, hash: KeyHash(*hash), bytes: bytes.to_vec() })
}

/// Writes the line, with its end, of a signature under a note.
pub(super) fn signature_line(name: &str, hash: KeyHash, signature: &[u8]) -> String {
    format!("— {name} {}\n", encode(&[&hash.0, signature].concat()))
}

/// Checks that a key can have this name.
pub(super) fn check_key_name(name: &str) -> Result<(), NoteError> {
    let bad = |char: char| char.is_whitespace() || char.is_control() || char == '+';
    if name.is_empty() || name.len() > MAX_KEY_NAME || name.contains(bad) {
        return Err(NoteError::name(name));
    }
    Ok(())
}

/// Writes standard Base64 with padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads exactly `N` bytes from the one spelling that they have.
pub(super) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Reads bytes from the one spelling that they have.
pub(super) fn decode_any(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The longest note.
const MAX_NOTE: usize = 16 << 10;

/// The most signatures under a note.
const MAX_SIGNATURES: usize = 64;

/// The longest name of a key.
const MAX_KEY_NAME: usize = 300;
