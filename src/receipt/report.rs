//! What a verifier found to be so (receipt-format §8.6).

use std::fmt;

use super::body::{EndStatus, SessionId, Signing};
use super::chain::SessionPosition;
use super::form::Counters;
use super::position::JournalPosition;
use super::tree::Frontier;
use super::verify::Depth;
use crate::digest::Digest;
use crate::text::escape_visible;
use crate::time::Timestamp;

/// What was proven, to which position, and what was not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// The journal.
    pub journal: JournalReport,
    /// The sessions, in the order in which the journal opens them; those without a line included.
    pub sessions: Vec<SessionReport>,
    /// How many lines were read.
    pub lines: u64,
    /// How many bytes stand after the last line end. They are no line and prove nothing.
    pub torn_bytes: u64,
    /// Whether signatures were verified.
    pub depth: Depth,
    /// What the end of the journal was held against.
    pub anchor: Anchor,
}

impl Verified {
    /// Returns the report on `session`.
    #[must_use]
    pub fn session(&self, session: SessionId) -> Option<&SessionReport> {
        self.sessions.iter().find(|report| report.session == session)
    }

    /// Iterates over the sessions that were opened and have no line.
    pub fn missing(&self) -> impl Iterator<Item = &SessionReport> {
        self.sessions.iter().filter(|report| report.lines == 0)
    }

    /// Returns what [`Journal::resume`](super::Journal::resume) needs.
    #[must_use]
    pub fn journal_position(&self) -> JournalPosition {
        self.journal.position.clone()
    }

    /// Returns what [`SessionChain::resume`](super::SessionChain::resume) needs; nothing for a
    /// session that has ended, was closed or has no line.
    #[must_use]
    pub fn session_position(&self, session: SessionId) -> Option<SessionPosition> {
        let report = self.session(session)?;
        let over = report.lines == 0 || report.ended.is_some() || report.closed.is_some();
        (!over).then(|| SessionPosition {
            session,
            lines: report.lines,
            prev: report.head,
            time: report.time,
            next_call: report.calls + 1,
            signing: report.signing,
            after: report.after.clone(),
            labels: report.labels.clone(),
            pending: report.pending.clone(),
            tree: report.tree.clone(),
        })
    }
}

/// Says in words what was and what was not proven.
impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JournalReport { position, .. } = &self.journal;
        writeln!(f, "journal {}: {} lines, epoch {}", position.id, position.lines, position.epoch)?;
        for session in &self.sessions {
            writeln!(f, "{session}")?;
        }
        if self.torn_bytes > 0 {
            writeln!(f, "{} bytes after the last line end are no line", self.torn_bytes)?;
        }
        if self.depth == Depth::LinksOnly {
            writeln!(f, "no signature was verified: only the links hold")?;
        }
        if self.depth == Depth::LastSignature {
            writeln!(f, "of the signatures in one chain and epoch only the last was verified")?;
        }
        match self.anchor {
            Anchor::Unanchored => write!(
                f,
                "not anchored: lines may have been cut off the end of the journal, and off sessions \
                 after their last head"
            ),
            Anchor::Position { seq } => write!(
                f,
                "the journal holds line {seq} as given; lines may have been cut off after it, and \
                 off sessions after their last head"
            ),
            Anchor::Checkpoint { size, witnesses } => write!(
                f,
                "the first {size} lines of the journal are those of the checkpoint, which {witnesses} \
                 witnesses signed; lines may have been cut off after them, and off sessions after their \
                 last head"
            ),
        }
    }
}

/// What the end of the journal was held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anchor {
    /// Nothing: a cut tail cannot be excluded.
    Unanchored,
    /// A position that the caller held: nothing up to it is missing from the journal.
    Position {
        /// The latest such position.
        seq: u64,
    },
    /// A checkpoint: nothing up to its size is missing from the journal.
    Checkpoint {
        /// How many lines of the journal it signs.
        size: u64,
        /// How many witnesses that the caller knows had signed it.
        witnesses: usize,
    },
}

/// What was found out about the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalReport {
    /// Where it stands.
    pub position: JournalPosition,
    /// Mode of the sessions that begin in the epoch in force.
    pub signing: Signing,
}

/// What was found out about one session.
///
/// Counts are of all lines, also of those that no signature stands for; compare `lines` with
/// `proven_lines` before relying on them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionReport {
    /// The session.
    pub session: SessionId,
    /// The agent instance.
    pub agent: String,
    /// The task; empty if there is no line.
    pub task: String,
    /// Digests of the chain of task scopes; empty if there is no line.
    pub scope: Vec<Digest>,
    /// Mode of the session.
    pub signing: Signing,
    /// Number of lines.
    pub lines: u64,
    /// How many of them a verified signature stands for.
    pub proven_lines: u64,
    /// Link hash of the last line.
    pub head: Digest,
    /// Epoch of the last line.
    pub epoch: u64,
    /// When it began.
    pub begun: Option<Timestamp>,
    /// Time of the last line, or of its opening.
    pub time: Timestamp,
    /// What its `end` line says.
    pub ended: Option<EndStatus>,
    /// What the journal's `close` line says.
    pub closed: Option<EndStatus>,
    /// Number of calls, incomplete ones included.
    pub calls: u64,
    /// Calls that were allowed.
    pub allowed: u64,
    /// Calls that were deferred.
    pub deferred: u64,
    /// Calls that were denied.
    pub denied: u64,
    /// Groups that lack lines; their calls were never released and count in none of the three.
    pub incomplete_groups: u64,
    /// Allowed calls without an outcome, ascending.
    pub pending: Vec<u64>,
    /// How often the chain was resumed.
    pub resumed: u64,
    /// Lines after a `close` that says `poisoned`: stored although the store failed.
    pub unconfirmed_lines: u64,
    /// The counters of the last line that has any.
    pub after: Option<Counters<'static>>,
    /// The labels of the last receipt, ascending: the data classes that the session has touched.
    /// Empty if there is no receipt.
    pub labels: Vec<String>,
    /// The tree over the lines.
    pub tree: Frontier,
}

impl fmt::Display for SessionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agent = escape_visible(&self.agent);
        write!(f, "session {} of `{agent}`: ", self.session)?;
        if self.lines == 0 {
            return write!(f, "opened, and no line of it is here");
        }
        write!(
            f,
            "{} lines, {} proven; {} allowed, {} deferred, {} denied; ",
            self.lines, self.proven_lines, self.allowed, self.deferred, self.denied
        )?;
        match (self.closed, self.ended) {
            (Some(status), _) => write!(f, "closed as {status}")?,
            (None, Some(status)) => write!(f, "ended as {status}, not closed")?,
            (None, None) => write!(f, "open")?,
        }
        for (count, what) in [
            (self.incomplete_groups, "incomplete groups"),
            (self.pending.len() as u64, "allowed calls without outcome"),
            (self.labels.len() as u64, "labels"),
            (self.resumed, "resumptions"),
            (self.unconfirmed_lines, "unconfirmed lines"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
