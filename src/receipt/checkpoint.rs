//! Checkpoints: how far a journal has come, signed for others to keep (receipt-format §9).
//!
//! A checkpoint is a C2SP signed note (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), and witnesses add
//! theirs to it (c2sp.org/tlog-cosignature).

use std::fmt;

use super::MAX_INTEGER;
use super::key::{SignError, Signer, TrustedKey};
use super::note::{KeyHash, Note, NoteError, SignatureKind, signature_line};
use super::position::JournalPosition;
use super::tree::TreeHash;
use crate::digest::Digest;
use crate::hex;

/// The name under which an operator publishes the checkpoints of its journals.
///
/// # Examples
///
/// ```
/// use countersign::receipt::LogName;
///
/// assert!(LogName::parse("receipts.example.org/prod").is_ok());
/// assert!(LogName::parse("receipts of prod").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogName(Box<str>);

impl LogName {
    /// Takes a URL without its scheme: 1 to 200 ASCII letters, digits and `.-_~:/`, no `/` at either
    /// end and none beside another.
    ///
    /// # Errors
    ///
    /// Returns [`NoteError::Name`] for anything else.
    pub fn parse(name: &str) -> Result<Self, NoteError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:/".contains(&byte);
        let good = (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(plain)
            && !name.split('/').any(str::is_empty);
        if good { Ok(Self(name.into())) } else { Err(NoteError::name(name)) }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the origin of a journal's checkpoints, which is also the name of the key that signs them.
    #[must_use]
    pub fn origin(&self, journal: &Digest) -> String {
        format!("{}/{journal}", self.0)
    }

    /// Returns the key of a journal's checkpoints in the form that tools for signed notes take
    /// (c2sp.org/signed-note, "verifier keys").
    #[must_use]
    pub fn verifier_key(&self, journal: &Digest, identity: &TrustedKey) -> String {
        KeyHash::verifier_key(&self.origin(journal), SignatureKind::Note, identity.as_bytes())
    }
}

/// How many lines a journal has, and the root of the tree over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TreeHead {
    /// The journal.
    pub journal: Digest,
    /// Number of lines, at least 1.
    pub size: u64,
    /// Root of the tree over them.
    pub root: TreeHash,
}

impl TreeHead {
    /// Writes the text that is signed.
    fn text(&self, name: &LogName) -> String {
        let root = super::note::encode(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", name.origin(&self.journal), self.size)
    }

    /// Reads the text of a note whose origin begins with `name`.
    fn parse(text: &str, name: &LogName) -> Result<Self, NoteError> {
        let wrong = |expected| NoteError::Form { expected };
        let mut lines = text.split('\n');
        let mut line =
            |expected| lines.next().filter(|line| !line.is_empty()).ok_or(wrong(expected));
        let origin = line("an origin")?;
        let journal = origin
            .strip_prefix(name.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|id| hex::parse(id.as_bytes()))
            .ok_or_else(|| NoteError::origin(name, origin))?;
        let digits = line("a size")?;
        let size = digits.parse::<u64>().ok().filter(|size| (1..=MAX_INTEGER).contains(size));
        let size = size.filter(|size| size.to_string() == digits).ok_or(wrong("a size from 1"))?;
        let root = super::note::decode(line("a root")?).ok_or(wrong("a root in Base64"))?;
        if lines.next() != Some("") || lines.next().is_some() {
            return Err(wrong("three lines and no more"));
        }
        let (journal, root) = (Digest::from_bytes(journal), TreeHash::from_bytes(root));
        Ok(Self { journal, size, root })
    }
}

impl From<&JournalPosition> for TreeHead {
    fn from(position: &JournalPosition) -> Self {
        let JournalPosition { id, lines, tree, .. } = position;
        Self { journal: *id, size: *lines, root: tree.root() }
    }
}

/// A signed tree head, with the cosignatures of witnesses that stand under it.
///
/// # Examples
///
/// ```
/// # use countersign::receipt::{Checkpoint, CheckpointTrust, IdentityKey, Journal, LogName, Signer};
/// # use countersign::receipt::{Signing, TreeHead, TrustedKey, Verifier};
/// # use countersign::time::Timestamp;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let identity = IdentityKey::from_seed(&[1; 32]);
/// # let now = Timestamp::from_millis(1_795_428_000_000);
/// # let (journal, line) = Journal::start(&identity, &[2; 32], Signing::Every, now)?;
/// # let file = format!("{line}\n");
/// let name = LogName::parse("receipts.example.org/prod")?;
/// let checkpoint = Checkpoint::sign(&name, &TreeHead::from(journal.position()), &identity)?;
///
/// // Elsewhere, later: the note was kept by somebody whom the writer cannot reach.
/// let trust = CheckpointTrust::new(identity.trusted(), name);
/// let held = trust.open(checkpoint.as_str())?;
/// let verified = Verifier::new(identity.trusted()).expect_checkpoint(&held).verify(file.as_bytes())?;
/// assert_eq!(verified.journal_position(), *journal.position());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    head: TreeHead,
    signer: [u8; 32],
    note: String,
    witnesses: Vec<Cosigned>,
}

/// A witness whose cosignature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cosigned {
    /// Name of its key.
    pub name: String,
    /// When it had seen the journal come so far, in seconds since 1970, as it says itself.
    pub time: u64,
}

impl Checkpoint {
    /// Signs `head` with the identity key of the journal.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] if the key cannot be reached or refuses.
    ///
    /// # Security
    ///
    /// Sign only lines that are stored, and never a head that does not continue all that was signed
    /// before: two such checkpoints are proof of a forked journal, whoever is to blame.
    pub fn sign(name: &LogName, head: &TreeHead, identity: &dyn Signer) -> Result<Self, SignError> {
        let text = head.text(name);
        let signature = identity.sign(text.as_bytes())?;
        let origin = name.origin(&head.journal);
        let hash = KeyHash::of(&origin, SignatureKind::Note, &identity.public_key());
        let note = format!("{text}\n{}", signature_line(&origin, hash, &signature));
        Ok(Self { head: *head, signer: identity.public_key(), note, witnesses: Vec::new() })
    }

    /// Returns the note.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.note
    }

    /// Returns what is signed.
    #[must_use]
    pub const fn tree_head(&self) -> &TreeHead {
        &self.head
    }

    /// Returns the identity key that signed it. Another than the journal's says nothing of the journal.
    #[must_use]
    pub const fn signer(&self) -> &[u8; 32] {
        &self.signer
    }

    /// Returns the witnesses whose cosignatures were verified, each once.
    #[must_use]
    pub fn witnesses(&self) -> &[Cosigned] {
        &self.witnesses
    }

    /// Appends the signature lines that witnesses answered with, as they came. Open the note again
    /// to have them verified.
    ///
    /// # Errors
    ///
    /// Returns [`NoteError`] if what comes out is not a note within its limits.
    pub fn with_signature_lines(&self, lines: &str) -> Result<String, NoteError> {
        let note = format!("{}{lines}", self.note);
        if Note::parse(&note)?.text != Note::parse(&self.note)?.text {
            return Err(NoteError::Form { expected: "signature lines and no more" });
        }
        Ok(note)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.note)
    }
}

/// Whom to believe about checkpoints: the identity key, the name, and as many witnesses as are asked for.
#[derive(Clone, Debug)]
pub struct CheckpointTrust {
    identity: TrustedKey,
    name: LogName,
    witnesses: Vec<Witness>,
    quorum: usize,
}

/// A witness: the name of its key, and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    name: String,
    key: TrustedKey,
}

impl Witness {
    /// Takes a witness by the name of its key and its public key.
    ///
    /// # Errors
    ///
    /// Returns [`NoteError::Name`] for a name that no key can have: empty, with blanks, `+` or control
    /// characters, or longer than 300 bytes.
    pub fn new(name: &str, key: TrustedKey) -> Result<Self, NoteError> {
        super::note::check_key_name(name)?;
        Ok(Self { name: name.to_owned(), key })
    }

    /// Reads a verifier key (c2sp.org/signed-note) of type 4, as witnesses publish theirs.
    ///
    /// # Errors
    ///
    /// Returns [`NoteError`] for another form or type, a hash that does not fit, or a key that is not sound.
    pub fn parse(verifier_key: &str) -> Result<Self, NoteError> {
        let (name, bytes) = KeyHash::parse_verifier_key(verifier_key, SignatureKind::Cosignature)?;
        let key = TrustedKey::from_bytes(&bytes).map_err(NoteError::Key)?;
        Self::new(name, key)
    }

    /// Returns the name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl CheckpointTrust {
    /// Believes notes that `identity` signed under `name`, without any witness.
    #[must_use]
    pub const fn new(identity: TrustedKey, name: LogName) -> Self {
        Self { identity, name, witnesses: Vec::new(), quorum: 0 }
    }

    /// Asks for the cosignatures of at least `quorum` of `witnesses`.
    ///
    /// # Errors
    ///
    /// Returns [`NoteError::Witnesses`] for a quorum that can never be reached, and where two witnesses
    /// share a name or a key, or one has the identity's: one party would count twice.
    pub fn with_witnesses(
        mut self,
        witnesses: Vec<Witness>,
        quorum: usize,
    ) -> Result<Self, NoteError> {
        let twice = witnesses.iter().enumerate().any(|(at, one)| {
            witnesses.iter().skip(at + 1).any(|two| one.name == two.name || one.key == two.key)
        });
        let own = witnesses.iter().any(|witness| witness.key == self.identity);
        if twice || own || quorum > witnesses.len() {
            return Err(NoteError::Witnesses);
        }
        (self.witnesses, self.quorum) = (witnesses, quorum);
        Ok(self)
    }

    /// Reads a note and verifies it (receipt-format §9.3).
    ///
    /// # Errors
    ///
    /// Returns [`NoteError`] unless it is a checkpoint under this name, signed by the identity and by
    /// enough witnesses, and no signature of a known key is wrong.
    pub fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let parsed = Note::parse(note)?;
        let head = TreeHead::parse(parsed.text, &self.name)?;
        let origin = self.name.origin(&head.journal);
        let own = KeyHash::of(&origin, SignatureKind::Note, self.identity.as_bytes());
        let mut signed = 0;
        for signature in parsed.of(&origin, own) {
            let bytes = signature.bytes.as_slice().try_into().ok();
            let good =
                bytes.is_some_and(|bytes| self.identity.verifies(parsed.text.as_bytes(), bytes));
            if !good {
                return Err(NoteError::signature(&origin));
            }
            signed += 1;
        }
        if signed != 1 {
            return Err(NoteError::Signers { found: signed });
        }
        let mut witnesses = Vec::new();
        for witness in &self.witnesses {
            let hash =
                KeyHash::of(&witness.name, SignatureKind::Cosignature, witness.key.as_bytes());
            let mut latest = None;
            for signature in parsed.of(&witness.name, hash) {
                let time = cosigned_at(&signature.bytes, parsed.text, &witness.key);
                let time = time.ok_or_else(|| NoteError::signature(&witness.name))?;
                latest = latest.max(Some(time));
            }
            let name = witness.name.clone();
            witnesses.extend(latest.map(|time| Cosigned { name, time }));
        }
        if witnesses.len() < self.quorum {
            return Err(NoteError::Quorum { needed: self.quorum, found: witnesses.len() });
        }
        let signer = *self.identity.as_bytes();
        Ok(Checkpoint { head, signer, note: note.to_owned(), witnesses })
    }
}

/// Returns the time of a cosignature that verifies (c2sp.org/tlog-cosignature).
fn cosigned_at(bytes: &[u8], text: &str, key: &TrustedKey) -> Option<u64> {
    let (time, signature) = bytes.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    let message = format!("cosignature/v1\ntime {time}\n{text}");
    let good = key.verifies(message.as_bytes(), signature.try_into().ok()?);
    (good && time < 1 << 63).then_some(time)
}

/// Proof that a journal was forked: two checkpoints of it, both signed, that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    first: Checkpoint,
    second: Checkpoint,
}

impl Equivocation {
    /// Compares two checkpoints that were opened. Nothing where they are of different journals or keys, agree, or have
    /// different sizes: whether one continues the other is then for a consistency proof to tell.
    #[must_use]
    pub fn between(first: &Checkpoint, second: &Checkpoint) -> Option<Self> {
        let (one, two) = (first.head, second.head);
        let same = first.signer == second.signer && one.journal == two.journal;
        let forked = same && one.size == two.size && one.root != two.root;
        forked.then(|| Self { first: first.clone(), second: second.clone() })
    }

    /// Returns the two notes, for whoever is to be convinced.
    #[must_use]
    pub const fn notes(&self) -> (&Checkpoint, &Checkpoint) {
        (&self.first, &self.second)
    }
}

impl fmt::Display for Equivocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TreeHead { journal, size, root } = self.first.head;
        let other = self.second.head.root;
        write!(
            f,
            "journal {journal} was forked: its first {size} lines have roots {root} and {other}"
        )
    }
}

/// The longest name.
const MAX_NAME: usize = 200;
