//! The document: a signed head, and one sorted line for each entry.
//!
//! ```text
//! {"body":{"digest":"…","entries":2,"halt":false,"issued_at":"…","issuer":"user:…",
//!          "revocations":"countersign/revocations/v1","version":7},"key":"…","sig":"…"}
//! agent spiffe://example.org/agent/coder
//! scope 7f3a…
//! ```
//!
//! (The head is one line.) `digest` is over all bytes behind the head's line end, so the one signature
//! covers them, and a list is read as a stream: what stays in memory is 16 bytes an entry.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read as _};
use std::sync::Arc;

use serde::Deserialize;

use super::entry::{Hashes, Revoked};
use crate::digest::Digest;
use crate::governance::{Directory, DocumentError, DocumentKind, Signed};
use crate::identity::MAX_SPIFFE_ID_BYTES;
use crate::receipt::{SignError, Signer, TrustedKey};
use crate::scope::MAX_INTEGER;
use crate::time::Timestamp;
use crate::value::{self, JsonError, Object};

/// The version that a list names.
const VERSION: &str = "countersign/revocations/v1";

/// Under what name the entries are hashed.
const DIGEST_CONTEXT: &str = "countersign 2026-11 revocations v1";

/// The most entries of one list.
pub const MAX_REVOKED: usize = 1 << 20;

/// The longest head, in bytes.
const MAX_HEAD_BYTES: usize = 8 << 10;

/// The longest line of an entry, in bytes, without its end.
const MAX_ENTRY_BYTES: usize = MAX_SPIFFE_ID_BYTES + 16;

/// A list whose signature holds and whose entries are the ones that were signed.
///
/// Whether its signer may revoke, [`verify`](Self::verify) says.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationList {
    head: Signed,
    issuer: Box<str>,
    version: u64,
    issued_at: Timestamp,
    halt: bool,
    entries: Box<[u128]>,
}

/// A list that was held against a directory, to be [loaded](super::Revocations::with).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRevocations {
    pub(super) list: Arc<RevocationList>,
}

/// A list that is being written.
///
/// # Examples
///
/// ```
/// use countersign::governance::{Revoked, RevocationDraft, RevocationList};
/// use countersign::receipt::IdentityKey;
/// use countersign::testing::NOW;
///
/// let text = RevocationDraft::new("user:dana@example.org", 1, NOW)
///     .revoke(Revoked::Issuer("user:erin@example.org".into()))
///     .sign(&IdentityKey::from_seed(&[1; 32]))?;
/// assert!(text.ends_with("\nissuer user:erin@example.org\n"));
/// assert_eq!(RevocationList::parse(text.as_bytes())?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RevocationDraft {
    issuer: String,
    version: u64,
    issued_at: Timestamp,
    halt: bool,
    lines: BTreeSet<String>,
}

/// Why a list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The list could not be read to its end.
    #[error("the revocation list cannot be read: {0}")]
    Io(io::ErrorKind),
    /// The head is no signed document of its kind.
    #[error("the head of the revocation list is refused")]
    Document(#[from] DocumentError),
    /// The head has not the members of one.
    #[error("the head of the revocation list has other members than it should")]
    Head(#[source] JsonError),
    /// Another version of the format.
    #[error("`revocations` must be `{VERSION}`")]
    Format,
    /// The version is 0 or above 2^53 − 1.
    #[error("the version of a revocation list is a whole number from 1 to 2^53 - 1")]
    Version,
    /// `issued_at` is no time.
    #[error("`issued_at` is no RFC 3339 time with an offset")]
    Time,
    /// More entries than a list, or all lists together, may have.
    #[error("there are too many revocations")]
    TooMany,
    /// A line is no entry, or not the one spelling of it.
    #[error("line {line} of the revocation list is no entry")]
    Entry {
        /// Which line, where the head is the first.
        line: usize,
    },
    /// A line does not come after the one before it.
    #[error("line {line} of the revocation list is out of order, or there twice")]
    Order {
        /// Which line, where the head is the first.
        line: usize,
    },
    /// Fewer or more lines than the head says.
    #[error("the revocation list has not as many entries as its head says")]
    Count,
    /// Other entries than those that were signed.
    #[error("the entries of the revocation list are not the ones that were signed")]
    Digest,
    /// The key is nobody's.
    #[error("the key that signed the revocation list is not in the directory")]
    UnknownKey,
    /// The key is somebody else's than the issuer's.
    #[error("the revocation list was signed by somebody else than its issuer")]
    Issuer,
    /// The person may not revoke.
    #[error("the issuer of the revocation list may not revoke")]
    NotAllowed,
    /// It is dated later than now.
    #[error("the revocation list is dated later than now")]
    NotYetValid,
    /// A newer list of the issuer was loaded before.
    #[error("a newer revocation list of the same issuer was loaded before")]
    Rollback,
    /// Another list of the issuer with the same version was loaded before.
    #[error("the issuer has signed two revocation lists of one version")]
    Conflict,
    /// The key that signed it, or its issuer, is revoked by what was loaded before.
    #[error("the signer of the revocation list is revoked")]
    RevokedSigner,
}

impl RevocationError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "revocation.io",
            Self::Document(error) => error.code(),
            Self::Head(_) => "revocation.head",
            Self::Format => "revocation.format",
            Self::Version => "revocation.version",
            Self::Time => "revocation.time",
            Self::TooMany => "revocation.too_many",
            Self::Entry { .. } => "revocation.entry",
            Self::Order { .. } => "revocation.order",
            Self::Count => "revocation.count",
            Self::Digest => "revocation.digest",
            Self::UnknownKey => "revocation.unknown_key",
            Self::Issuer => "revocation.issuer",
            Self::NotAllowed => "revocation.not_allowed",
            Self::NotYetValid => "revocation.not_yet_valid",
            Self::Rollback => "revocation.rollback",
            Self::Conflict => "revocation.conflict",
            Self::RevokedSigner => "revocation.revoked_signer",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    revocations: String,
    issuer: String,
    version: u64,
    issued_at: String,
    halt: bool,
    entries: u64,
    digest: String,
}

impl RevocationDraft {
    /// Begins the list of `issuer` with a version above that of the issuer's last one.
    #[must_use]
    pub fn new(issuer: impl Into<String>, version: u64, issued_at: Timestamp) -> Self {
        let (issuer, halt, lines) = (issuer.into(), false, BTreeSet::new());
        Self { issuer, version, issued_at, halt, lines }
    }

    /// Adds an entry. A list says all that its issuer revokes: what a newer one leaves out is lifted.
    #[must_use]
    pub fn revoke(mut self, entry: Revoked) -> Self {
        self.lines.insert(entry.to_string());
        self
    }

    /// Revokes everything, until a newer list of the issuer does not.
    #[must_use]
    pub const fn halt(mut self) -> Self {
        self.halt = true;
        self
    }

    /// Signs the list and returns its text.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] when the signer fails, or what was put together would be refused.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, SignError> {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        let mut entries = lines.join("\n");
        if !entries.is_empty() {
            entries.push('\n');
        }
        let digest = Digest::of(DIGEST_CONTEXT, entries.as_bytes());
        let mut body = Object::new();
        body.insert("revocations".into(), VERSION.into());
        body.insert("issuer".into(), self.issuer.as_str().into());
        body.insert("version".into(), self.version.into());
        body.insert("issued_at".into(), self.issued_at.to_string().into());
        body.insert("halt".into(), self.halt.into());
        body.insert("entries".into(), (lines.len() as u64).into());
        body.insert("digest".into(), digest.to_string().into());
        let head = Signed::sign(DocumentKind::Revocations, body.into(), signer)?;
        let text = format!("{}\n{entries}", head.as_str());
        // Whatever is wrong with what came out is found where it is made.
        RevocationList::parse(text.as_bytes()).map_err(SignError::new)?;
        Ok(text)
    }
}

impl RevocationList {
    /// Reads a list from memory.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(text: &[u8]) -> Result<Self, RevocationError> {
        Self::read(text)
    }

    /// Reads a list from a stream, to its end: head, signature, every entry, digest.
    ///
    /// It takes time in the length of the list, and memory for one line and 16 bytes an entry.
    ///
    /// # Errors
    ///
    /// Returns [`RevocationError`]; the first thing that is wrong.
    ///
    /// # Security
    ///
    /// Nothing of a list counts before its last byte was read, so a stream that was cut is refused.
    pub fn read(mut reader: impl BufRead) -> Result<Self, RevocationError> {
        let mut line = Vec::new();
        read_line(&mut reader, MAX_HEAD_BYTES, &mut line)?;
        let head = line.strip_suffix(b"\n").ok_or(RevocationError::Entry { line: 1 })?;
        let signed = Signed::parse(DocumentKind::Revocations, head)?;
        let head: Head = value::from_value(signed.body()).map_err(RevocationError::Head)?;
        if head.revocations != VERSION {
            return Err(RevocationError::Format);
        }
        if head.version == 0 || head.version > MAX_INTEGER {
            return Err(RevocationError::Version);
        }
        let issued_at = Timestamp::parse_rfc3339(&head.issued_at).ok_or(RevocationError::Time)?;
        let count = usize::try_from(head.entries).unwrap_or(usize::MAX);
        if count > MAX_REVOKED {
            return Err(RevocationError::TooMany);
        }
        let entries = read_entries(reader, count, &head.digest)?;
        Ok(Self {
            issuer: head.issuer.into(),
            version: head.version,
            issued_at,
            halt: head.halt,
            entries,
            head: signed,
        })
    }

    /// Checks that the signer may revoke, and that the list is not dated later than `now`.
    ///
    /// # Errors
    ///
    /// Returns [`RevocationError`]: the key is nobody's or not the issuer's, the issuer may not revoke,
    /// or the list comes from the future.
    pub fn verify(
        self,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<VerifiedRevocations, RevocationError> {
        let person = directory.person(self.key()).ok_or(RevocationError::UnknownKey)?;
        if person.id != self.issuer {
            return Err(RevocationError::Issuer);
        }
        if !person.revokes {
            return Err(RevocationError::NotAllowed);
        }
        if self.issued_at > now {
            return Err(RevocationError::NotYetValid);
        }
        Ok(VerifiedRevocations { list: Arc::new(self) })
    }

    /// Returns who revokes.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the version, which grows with each list of one issuer.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Returns when the list was written.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Tells whether the list revokes everything.
    #[must_use]
    pub const fn halts(&self) -> bool {
        self.halt
    }

    /// Returns the key that signed it.
    #[must_use]
    pub const fn key(&self) -> &TrustedKey {
        self.head.key()
    }

    /// Returns the digest of the head, which covers the entries by theirs.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.head.digest()
    }

    /// Returns how many entries there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether nothing is revoked by name.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn entries(&self) -> &[u128] {
        &self.entries
    }
}

impl std::fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevocationList")
            .field("issuer", &self.issuer)
            .field("version", &self.version)
            .field("issued_at", &self.issued_at)
            .field("halt", &self.halt)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// Reads the entries behind the head, and checks that they are `count` and hash to `digest`.
fn read_entries(
    mut reader: impl BufRead,
    count: usize,
    digest: &str,
) -> Result<Box<[u128]>, RevocationError> {
    let hashes = Hashes::new();
    let mut hasher = blake3::Hasher::new_derive_key(DIGEST_CONTEXT);
    // What the head claims is not believed before the lines are there.
    let mut entries = Vec::with_capacity(count.min(1024));
    let (mut before, mut line) = (Vec::new(), Vec::new());
    for number in 2..count.saturating_add(2) {
        std::mem::swap(&mut before, &mut line);
        read_line(&mut reader, MAX_ENTRY_BYTES + 1, &mut line)?;
        if line.is_empty() {
            return Err(RevocationError::Count);
        }
        let wrong = RevocationError::Entry { line: number };
        let Some(entry) = line.strip_suffix(b"\n") else { return Err(wrong) };
        if std::str::from_utf8(entry).ok().and_then(Revoked::parse).is_none() {
            return Err(wrong);
        }
        if before.strip_suffix(b"\n").is_some_and(|before| before >= entry) {
            return Err(RevocationError::Order { line: number });
        }
        hasher.update(&line);
        entries.push(hashes.of(entry));
    }
    line.clear();
    read_line(&mut reader, 1, &mut line)?;
    if !line.is_empty() {
        return Err(RevocationError::Count);
    }
    if Digest::parse_hex(digest) != Some(Digest::from_bytes(hasher.finalize().into())) {
        return Err(RevocationError::Digest);
    }
    Ok(entries.into())
}

/// Reads one line with its end into `line`; what is longer than `most` bytes is cut, and has no end.
fn read_line(
    reader: &mut impl BufRead,
    most: usize,
    line: &mut Vec<u8>,
) -> Result<(), RevocationError> {
    line.clear();
    let mut limited = reader.take(most as u64);
    limited.read_until(b'\n', line).map_err(|error| RevocationError::Io(error.kind()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::IdentityKey;
    use crate::testing::NOW;
    use crate::value::{Limits, Value};

    const DANA: &str = "user:dana@example.org";

    fn key(seed: u8) -> IdentityKey {
        IdentityKey::from_seed(&[seed; 32])
    }

    fn draft() -> RevocationDraft {
        RevocationDraft::new(DANA, 3, NOW)
            .revoke(Revoked::Scope(Digest::from_bytes([7; 32])))
            .revoke(Revoked::Issuer("user:erin@example.org".into()))
    }

    /// Signs a head as it stands, over `entries`.
    fn forged(head: &str, entries: &str) -> String {
        let digest = Digest::of(DIGEST_CONTEXT, entries.as_bytes()).to_string();
        let head = head.replace("DIGEST", &digest);
        let body = Value::parse(head.as_bytes(), &Limits::DOCUMENT).unwrap();
        let head = Signed::sign(DocumentKind::Revocations, body, &key(1)).unwrap();
        format!("{}\n{entries}", head.as_str())
    }

    fn head(count: usize, version: u64) -> String {
        format!(
            r#"{{"revocations":"{VERSION}","issuer":"{DANA}","version":{version},
                "issued_at":"2026-11-21T09:00:00Z","halt":false,"entries":{count},"digest":"DIGEST"}}"#
        )
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = RevocationList::parse(text.as_bytes());
        assert_eq!(found.as_ref().map_or_else(RevocationError::code, |_| ""), expected, "{text}");
    }

    #[test]
    fn what_was_signed_is_read_back() {
        let text = draft().sign(&key(1)).unwrap();
        let list = RevocationList::parse(text.as_bytes()).unwrap();
        assert_eq!((list.issuer(), list.version(), list.issued_at()), (DANA, 3, NOW));
        assert_eq!((list.len(), list.halts(), list.is_empty()), (2, false, false));
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let scope = format!("scope {}", "07".repeat(32));
        assert_eq!(lines, ["issuer user:erin@example.org", &scope]);
        // In pieces as in one.
        let slow = io::BufReader::with_capacity(3, text.as_bytes());
        assert_eq!(RevocationList::read(slow), Ok(list));
        let none = RevocationDraft::new(DANA, 1, NOW).halt().sign(&key(1)).unwrap();
        let none = RevocationList::parse(none.as_bytes()).unwrap();
        assert_eq!((none.len(), none.halts()), (0, true));
        assert!(RevocationDraft::new(DANA, 0, NOW).sign(&key(1)).is_err());
    }

    #[test]
    fn every_byte_counts() {
        let text = draft().sign(&key(1)).unwrap();
        for at in 0..text.len() {
            assert!(RevocationList::parse(&text.as_bytes()[..at]).is_err(), "cut at {at}");
            for flip in [1, 0x20, 0x80] {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] ^= flip;
                assert!(RevocationList::parse(&bytes).is_err(), "byte {at}");
            }
        }
        check(&format!("{text}\n"), "revocation.count");
        check(&format!("{text}x"), "revocation.count");
    }

    #[test]
    fn lists_are_read_strictly() {
        let (a, b) = ("issuer user:a\n", "issuer user:b\n");
        check(&forged(&head(2, 1), &format!("{a}{b}")), "");
        check(&forged(&head(0, 1), ""), "");
        check(&forged(&head(2, 1), &format!("{b}{a}")), "revocation.order");
        check(&forged(&head(2, 1), &format!("{a}{a}")), "revocation.order");
        check(&forged(&head(1, 1), &format!("{a}{b}")), "revocation.count");
        check(&forged(&head(3, 1), &format!("{a}{b}")), "revocation.count");
        check(&forged(&head(2, 1), &format!("{a}\n")), "revocation.entry");
        check(&forged(&head(1, 1), "issuer user:a"), "revocation.entry");
        check(&forged(&head(1, 1), "issuer user:a\r\n"), "revocation.entry");
        check(&forged(&head(1, 1), "person user:a\n"), "revocation.entry");
        let long = format!("instance spiffe://{}\n", "x".repeat(MAX_ENTRY_BYTES));
        check(&forged(&head(1, 1), &long), "revocation.entry");
        check(&forged(&head(MAX_REVOKED + 1, 1), a), "revocation.too_many");
        check(&forged(&head(MAX_REVOKED, 1), a), "revocation.count");
        check(&forged(&head(1, 0), a), "revocation.version");
        check(&forged(&head(1, MAX_INTEGER), a), "");
        check(&forged(&head(1, MAX_INTEGER + 1), a), "revocation.version");
        let with = |from: &str, to: &str| forged(&head(1, 1).replace(from, to), a);
        check(&with("/v1", "/v2"), "revocation.format");
        check(&with("T09", " 09"), "revocation.time");
        check(&with("\"halt\":false,", ""), "revocation.head");
        check(&with("\"halt\"", "\"except\":[],\"halt\""), "revocation.head");
        check(&with("DIGEST", &"00".repeat(32)), "revocation.digest");
        check(&with("DIGEST", "DIGEST00"), "revocation.digest");
        check(&"x".repeat(MAX_HEAD_BYTES + 1), "revocation.entry");
        check("\n", "signed.json");
        check("", "revocation.entry");
        // Entries of another list of the same signer.
        let one = forged(&head(1, 1), a);
        let (head, _) = one.split_once('\n').unwrap();
        check(&format!("{head}\n{b}"), "revocation.digest");
    }

    #[test]
    fn only_who_may_revoke_revokes() {
        let directory = Directory::parse(
            format!(
                r#"{{"directory":"countersign/directory/v1","people":[
                    {{"id":"{DANA}","kind":"human","keys":["{}"],"revokes":true}},
                    {{"id":"user:erin","kind":"human","keys":["{}"]}},
                    {{"id":"service:ids","kind":"service","keys":["{}"],"revokes":true}}]}}"#,
                key(1).trusted(),
                key(2).trusted(),
                key(3).trusted()
            )
            .as_bytes(),
        )
        .unwrap();
        let check = |issuer: &str, seed: u8, at: Timestamp, expected: Result<(), &str>| {
            let text = RevocationDraft::new(issuer, 1, NOW).sign(&key(seed)).unwrap();
            let list = RevocationList::parse(text.as_bytes()).unwrap();
            let found = list.verify(&directory, at).map(|_| ()).map_err(|error| error.code());
            assert_eq!(found, expected);
        };
        let before = Timestamp::from_millis(NOW.as_millis() - 1);
        check(DANA, 1, NOW, Ok(()));
        check(DANA, 1, Timestamp::MAX, Ok(()));
        check(DANA, 1, before, Err("revocation.not_yet_valid"));
        check("service:ids", 3, NOW, Ok(()));
        check(DANA, 3, NOW, Err("revocation.issuer"));
        check("user:erin", 2, NOW, Err("revocation.not_allowed"));
        check("user:erin", 9, NOW, Err("revocation.unknown_key"));
    }
}
