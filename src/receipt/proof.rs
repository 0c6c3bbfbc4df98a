//! Proof that one line of a journal is under a checkpoint (receipt-format §10.1).

use std::fmt;

use super::checkpoint::{Checkpoint, CheckpointTrust};
use super::line::{Body, ParsedLine, link_hash};
use super::note::{self, NoteError};
use super::tree::{InclusionProof, TreeHash};

/// A line's place in a journal, and the checkpoint that signs the journal so far: a C2SP proof
/// (c2sp.org/tlog-proof), kept in files called `.tlog-proof`.
///
/// # Examples
///
/// ```
/// # use countersign::receipt::{Checkpoint, CheckpointTrust, IdentityKey, Journal, LogName, Signer};
/// # use countersign::receipt::{Signing, TlogProof, Tree, TreeHash, TreeHead};
/// # use countersign::time::Timestamp;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let identity = IdentityKey::from_seed(&[1; 32]);
/// # let now = Timestamp::from_millis(1_795_428_000_000);
/// # let (journal, line) = Journal::start(&identity, &[2; 32], Signing::Every, now)?;
/// # let name = LogName::parse("receipts.example.org/prod")?;
/// # let checkpoint = Checkpoint::sign(&name, &TreeHead::from(journal.position()), &identity)?;
/// # let tree: Tree = [line.leaf()].into_iter().collect();
/// let inclusion = tree.inclusion(0, 1).expect("the journal has one line");
/// let proof = TlogProof::new(&inclusion, &checkpoint).to_string();
///
/// let trust = CheckpointTrust::new(identity.trusted(), name);
/// let read = TlogProof::parse(&proof)?;
/// assert_eq!(read.verify(line.as_str(), &trust)?, checkpoint);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    index: u64,
    hashes: Vec<TreeHash>,
    note: String,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// It is not of the required form.
    #[error("the proof is not of the required form: expected {expected}")]
    Form {
        /// What was expected.
        expected: &'static str,
    },
    /// Its checkpoint is refused.
    #[error("the checkpoint of the proof is refused")]
    Checkpoint(#[from] NoteError),
    /// The line is not one of the checkpoint's journal, or not at the index of the proof.
    #[error("the line is none of the journal of the checkpoint at index {index}")]
    Line {
        /// The index of the proof.
        index: u64,
    },
    /// The line is not where the proof says.
    #[error("the proof does not lead from the line to the root of the checkpoint")]
    Inclusion,
}

impl TlogProof {
    /// Puts an inclusion proof and the checkpoint of its size together.
    #[must_use]
    pub fn new(inclusion: &InclusionProof, checkpoint: &Checkpoint) -> Self {
        let (index, hashes) = (inclusion.index(), inclusion.hashes().to_vec());
        Self { index, hashes, note: checkpoint.as_str().to_owned() }
    }

    /// Reads a proof. Nothing in it is verified.
    ///
    /// # Errors
    ///
    /// Returns [`ProofError::Form`] for anything but the form of c2sp.org/tlog-proof, for an index
    /// above 2^53 − 1 and for more hashes than a tree has levels.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let form = |expected| ProofError::Form { expected };
        if text.len() > MAX_BYTES {
            return Err(form("at most 131072 bytes"));
        }
        let rest = text.strip_prefix(HEADER).ok_or(form("the first line of a proof"))?;
        let (lines, note) = rest.split_once("\n\n").ok_or(form("an empty line"))?;
        let mut lines = lines.split('\n');
        let mut first = lines.next();
        if let Some(extra) = first.and_then(|line| line.strip_prefix("extra ")) {
            // Nobody signs it: it is taken and not looked at.
            let extra = note::decode_any(extra).filter(|extra| extra.len() <= MAX_EXTRA);
            extra.ok_or(form("Base64 of at most 65536 bytes behind `extra`"))?;
            first = lines.next();
        }
        let digits = first.and_then(|line| line.strip_prefix("index ")).ok_or(form("an index"))?;
        let index = digits
            .parse()
            .ok()
            .filter(|index: &u64| *index <= super::MAX_INTEGER && index.to_string() == digits);
        let index = index.ok_or(form("an index"))?;
        let hashes: Option<Vec<_>> =
            lines.map(|line| note::decode(line).map(TreeHash::from_bytes)).collect();
        let hashes = hashes.ok_or(form("hashes in Base64"))?;
        if hashes.len() > MAX_HASHES {
            return Err(form("at most 63 hashes"));
        }
        Ok(Self { index, hashes, note: note.to_owned() })
    }

    /// Verifies that `line`, without its line end, is where the proof says, and returns the checkpoint.
    ///
    /// # Errors
    ///
    /// Returns [`ProofError`] unless `trust` opens the checkpoint, the line is one of its journal at this
    /// index, and the proof leads from it to the root (receipt-format §10.1).
    pub fn verify(&self, line: &str, trust: &CheckpointTrust) -> Result<Checkpoint, ProofError> {
        let checkpoint = trust.open(&self.note)?;
        let head = checkpoint.tree_head();
        let at = |body: &Body<'_>| {
            // Line 0 names no journal: it is what the journal is named by.
            let journal = body.journal().unwrap_or_else(|| link_hash(line.as_bytes()));
            body.is_journal() && body.seq() == self.index && journal == head.journal
        };
        if !ParsedLine::parse(line.as_bytes()).is_ok_and(|parsed| at(&parsed.body)) {
            return Err(ProofError::Line { index: self.index });
        }
        let proof = InclusionProof::new(self.index, head.size, self.hashes.clone());
        if !proof.proves(&TreeHash::of_line(line.as_bytes()), &head.root) {
            return Err(ProofError::Inclusion);
        }
        Ok(checkpoint)
    }

    /// Returns the position of the line in its journal.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }
}

/// Writes the proof as it stands in a file.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HEADER}index {}", self.index)?;
        for hash in &self.hashes {
            write!(f, "\n{}", note::encode(hash.as_bytes()))?;
        }
        write!(f, "\n\n{}", self.note)
    }
}

const HEADER: &str = "c2sp.org/tlog-proof@v1\n";

/// The longest proof: its hashes, the longest note, and what stands behind `extra`.
const MAX_BYTES: usize = 128 << 10;

/// The most bytes behind `extra`.
const MAX_EXTRA: usize = 64 << 10;

/// The most hashes: one for each level of the largest tree.
const MAX_HASHES: usize = 63;
