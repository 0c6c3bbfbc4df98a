//! Receipts: the chained, signed lines that say what was decided, and the verifier that a stranger
//! runs over them. `docs/receipt-format.md` specifies every byte.
//!
//! ```text
//! Journal ──open──▶ epoch open          head    close      one chain per authorizer, always signed
//!                            ╲         ╱       ╱
//! SessionChain ─────▶ begin receipt receipt outcome end    one chain per session
//!                            └─ Group ─┘ stored as one by a ReceiptSink, in Turnstile order
//! ```
//!
//! The chains do no I/O and hold no lines: they yield [`Group`]s, and whoever stores them says so.
//! A [`Verifier`] reads what was stored, and [`Verified`] says where chains may be resumed.
//!
//! # Examples
//!
//! ```
//! # use countersign::receipt::{Depth, IdentityKey, Journal, MemorySink, ReceiptSink, Signer};
//! # use countersign::receipt::{Signing, TrustedKey, Verifier};
//! # use countersign::time::Timestamp;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = IdentityKey::from_seed(&[1; 32]);
//! let now = Timestamp::from_millis(1_795_428_000_000);
//! let (journal, line) = Journal::start(&identity, &[2; 32], Signing::Every, now)?;
//! let sink = MemorySink::new();
//! ReceiptSink::append(&sink, &line.into())?;
//!
//! let trusted = TrustedKey::from_bytes(&identity.public_key())?;
//! let verified = Verifier::new(trusted).verify(sink.to_ndjson().as_bytes())?;
//! assert_eq!(verified.journal_position(), *journal.position());
//! # Ok(())
//! # }
//! ```

mod body;
mod chain;
mod check;
mod checkpoint;
mod commitment;
mod disclosure;
mod file;
mod form;
mod group;
mod journal;
mod key;
mod line;
mod note;
mod pipeline;
mod position;
mod proof;
mod reading;
mod report;
mod sink;
mod tracked;
mod tree;
mod verify;

#[cfg(test)]
mod tests;

pub use body::*;
pub use chain::*;
pub use check::{Chain, Check, VerifyError};
pub use checkpoint::{
    Checkpoint, CheckpointTrust, Cosigned, Equivocation, LogName, TreeHead, Witness,
};
pub use commitment::{Opening, Openings};
pub use disclosure::{Disclosed, DisclosedLine, Disclosure, DisclosureError, GatherError};
pub use file::{Durability, FileError, FileSink, Recovered};
pub use form::{Counters, FormError, List, Text};
pub use group::Group;
pub use journal::{Journal, SessionHead};
pub use key::{EpochKey, IdentityKey, KeyError, SignError, Signer, TrustedKey};
pub use line::{Body, Kind, Line, LineError, ParsedLine, WriteError};
pub use note::NoteError;
pub use pipeline::{OutOfTurn, Ready, StoreFailed, Ticket, Turn, Turnstile};
pub use position::JournalPosition;
pub use proof::{ProofError, TlogProof};
pub use report::{Anchor, JournalReport, SessionReport, Verified};
pub use sink::{AsyncReceiptSink, FnSink, MemorySink, ReceiptSink, SinkError, sink_fn};
pub use tree::{ConsistencyProof, Frontier, InclusionProof, Tree, TreeHash};
pub use verify::{Depth, Verifier};

/// Longest line, without its line end.
pub const MAX_LINE_BYTES: usize = 256 << 10;

/// Longest text in a line, after unescaping. A SPIFFE ID may have as many.
const MAX_TEXT: usize = 2048;

/// Most elements of a list.
const MAX_LIST: usize = 256;

/// Most labels of a session. More data classes than a policy can reason about are a mistake.
pub(crate) const MAX_LABELS: usize = 64;

/// Longest label: the name of a class of data.
pub(crate) const MAX_LABEL: usize = 512;

/// Largest integer: what every JSON implementation holds exactly.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Most lines of a group: one for each domain.
const MAX_GROUP: u64 = 4;

/// The version of the format that lines name.
const FORMAT_VERSION: u64 = 1;

/// How many lines after the line that it counts last a head may stand.
const HEAD_WINDOW: usize = 64;
