//! Disclosure: single lines of a session, proven without the others (receipt-format §10.2).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};

use super::body::{Receipt, SessionId};
use super::checkpoint::{Checkpoint, CheckpointTrust};
use super::commitment::{self, MAX_VALUE_BYTES, Opening};
use super::form::{Field as _, FormError, Reader};
use super::line::{Body, Line, LineError};
use super::note::NoteError;
use super::reading::{LineReader, Next};
use super::tree::{InclusionProof, Tree, TreeHash};
use super::{FORMAT_VERSION, MAX_LIST};
use crate::digest::Digest;

/// Lines of one session, with what its maker chose to reveal of them and all that proves them.
///
/// It is [gathered](Disclosure::gather) from a receipt file by whoever has it, and
/// [verified](Disclosure::verify) by somebody who has nothing but a key and a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    checkpoint: String,
    head: ProvenLine,
    lines: Vec<(ProvenLine, Vec<Opening>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProvenLine {
    line: String,
    proof: Vec<TreeHash>,
}

/// What a disclosure was found to prove: that these lines stood in the journal when the checkpoint
/// was signed. Not that they are all that the session did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Disclosed {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The session.
    pub session: SessionId,
    /// How many lines the session had when the journal accounted for it.
    pub count: u64,
    /// The lines, in the order of the session.
    pub lines: Vec<DisclosedLine>,
    /// Calls of which some lines are not shown: number of the call, and the indexes that are missing.
    pub incomplete: Vec<(u64, Vec<u64>)>,
}

/// One proven line, with the openings that came with it, each of which is right.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DisclosedLine {
    /// The line.
    pub line: Line,
    /// What was revealed of it.
    pub openings: Vec<Opening>,
}

/// Why a disclosure proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisclosureError {
    /// It is not of the required form.
    #[error("the disclosure is not of the required form")]
    Form(#[source] FormError),
    /// Its checkpoint is refused.
    #[error("the checkpoint of the disclosure is refused")]
    Checkpoint(#[from] NoteError),
    /// A line in it is not of the required form.
    #[error("line {number} of the disclosure is not of the required form")]
    Line {
        /// Which one; 0 is the head.
        number: usize,
        /// What is wrong with it.
        source: LineError,
    },
    /// The head is no `head` or `close` of the checkpoint's journal within its size.
    #[error("the head of the disclosure is no `head` or `close` under the checkpoint")]
    Head,
    /// A line is not of the session that the head speaks of, not counted by it, or out of order.
    #[error("line {number} of the disclosure is none that the head counts, or out of order")]
    Session {
        /// Which one, from 1.
        number: usize,
    },
    /// A line is not where its proof says.
    #[error("line {number} of the disclosure is not where its proof says")]
    Inclusion {
        /// Which one; 0 is the head.
        number: usize,
    },
    /// An opening opens no commitment of its line, or stands out of order.
    #[error("the opening `{name}` of line {number} opens no commitment of it")]
    Opening {
        /// Which line, from 1.
        number: usize,
        /// The name of the commitment.
        name: String,
    },
}

/// Why a disclosure could not be gathered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// The file cannot be read.
    #[error("the receipt file cannot be read")]
    Read(#[from] io::Error),
    /// A line of the file is not of the required form: verify it first.
    #[error("line {line} of the file is not of the required form")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        source: LineError,
    },
    /// The file has not all that is to be disclosed, or is not the one of the checkpoint.
    #[error("the file does not have {0}")]
    Missing(&'static str),
    /// More lines are asked for than a disclosure holds, or none.
    #[error("a disclosure has 1 to 256 lines")]
    Lines,
    /// The lines of the session are not those that the journal accounts for: the root of the tree over
    /// them is another one than the head says.
    #[error("the lines of the session are not those that its head accounts for")]
    Tree {
        /// What the head says.
        head: TreeHash,
        /// What the lines in the file give.
        lines: TreeHash,
    },
    /// More openings of one line are asked for than a disclosure holds.
    #[error(
        "{found} openings of line {seq} of the session are asked for; a disclosure has 256 of one line at most"
    )]
    Openings {
        /// The position of the line in the session.
        seq: u64,
        /// How many there are.
        found: usize,
    },
    /// The disclosure would be longer than anybody reads: ask for fewer lines or openings.
    #[error("the disclosure would have {bytes} bytes; it has {MAX_BYTES} at most")]
    TooLong {
        /// How long it would be.
        bytes: usize,
    },
}

impl GatherError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "disclosure.read",
            Self::Line { .. } => "disclosure.line",
            Self::Missing(_) => "disclosure.missing",
            Self::Lines => "disclosure.lines",
            Self::Tree { .. } => "disclosure.tree",
            Self::Openings { .. } => "disclosure.openings",
            Self::TooLong { .. } => "disclosure.too_long",
        }
    }
}

impl Disclosure {
    /// Gathers the lines at the positions `wanted` of `session` from a receipt file, with all `openings`
    /// that open one of them; the others are passed over.
    ///
    /// Reads the file once, and keeps 64 bytes for each line of the journal and of the session.
    ///
    /// # Errors
    ///
    /// Returns [`GatherError`] if the file is not one of the checkpoint, has no `head` or `close` under it
    /// that counts the lines, or has other lines than that one counts; and if more is asked for than
    /// [`parse`](Self::parse) would read. What is gathered is read and verified by whoever trusts the checkpoint.
    ///
    /// # Security
    ///
    /// What is in `openings` is revealed to whoever sees the disclosure: hand over those that are to be
    /// seen and no others. The plain members of the lines are seen in any case.
    pub fn gather(
        file: impl BufRead,
        checkpoint: &Checkpoint,
        session: SessionId,
        wanted: &[u64],
        openings: &[Opening],
    ) -> Result<Self, GatherError> {
        let wanted: BTreeSet<u64> = wanted.iter().copied().collect();
        let Some(last) = wanted.last().copied().filter(|_| wanted.len() <= MAX_LIST) else {
            return Err(GatherError::Lines);
        };
        let size = checkpoint.tree_head().size;
        let (mut journal, mut lines) = (Tree::new(), Tree::new());
        let mut found = BTreeMap::new();
        let mut head = None;
        let mut reader = LineReader::new(file);
        let mut number = 0;
        loop {
            number += 1;
            let line = match reader.next()? {
                Next::Line(line) => line,
                Next::TooLong => return Err(GatherError::Missing("lines of a receipt file")),
                Next::End { .. } => break,
            };
            let form = |source| GatherError::Line { line: number, source };
            let text = std::str::from_utf8(line)
                .map_err(|error| form(LineError::Encoding { at: error.valid_up_to() }))?;
            let line = Line::parse(text).map_err(form)?;
            let parsed = line.parsed().map_err(form)?;
            let of_session = parsed.body.session() == Some(session);
            if parsed.body.is_journal() {
                // Proofs are of places in the tree: a line that says another one has none.
                let placed = journal.size() == parsed.body.seq();
                journal.push(line.leaf());
                let count = counted(&parsed.body).filter(|_| of_session && placed);
                if head.is_none()
                    && let Some((count, root)) = count.filter(|(count, _)| *count > last)
                    && parsed.body.seq() < size
                {
                    head = Some((parsed.body.seq(), count, root, line.as_str().to_owned()));
                }
            } else if of_session {
                let placed = lines.size() == parsed.body.seq();
                lines.push(line.leaf());
                if placed && wanted.contains(&parsed.body.seq()) {
                    found.insert(parsed.body.seq(), line);
                }
            }
        }
        if journal.root(size) != Some(checkpoint.tree_head().root) {
            return Err(GatherError::Missing("the journal of the checkpoint"));
        }
        let (seq, count, root, head) =
            head.ok_or(GatherError::Missing("a `head` or `close` that counts the lines"))?;
        let told =
            lines.root(count).ok_or(GatherError::Missing("all lines that the head counts"))?;
        if told != root {
            return Err(GatherError::Tree { head: root, lines: told });
        }
        let path = |proof: Option<InclusionProof>| {
            let proof = proof.ok_or(GatherError::Missing("all lines that the head counts"))?;
            Ok::<_, GatherError>(proof.hashes().to_vec())
        };
        let head = ProvenLine { line: head, proof: path(journal.inclusion(seq, size))? };
        if found.len() != wanted.len() {
            return Err(GatherError::Missing("all lines that are to be disclosed"));
        }
        let mut shown = Vec::with_capacity(found.len());
        for (seq, line) in found {
            let parsed = line.parsed().map_err(|source| GatherError::Line { line: seq, source })?;
            let mut own: Vec<Opening> = openings
                .iter()
                .filter(|opening| opens(opening, session, &parsed.body))
                .cloned()
                .collect();
            own.sort_by(|one, two| one.name().cmp(two.name()));
            own.dedup_by(|one, two| one.name() == two.name());
            if own.len() > MAX_LIST {
                return Err(GatherError::Openings { seq, found: own.len() });
            }
            let proof = path(lines.inclusion(seq, count))?;
            shown.push((ProvenLine { line: line.as_str().to_owned(), proof }, own));
        }
        let gathered = Self { checkpoint: checkpoint.as_str().to_owned(), head, lines: shown };
        match gathered.to_line().len() {
            bytes if bytes > MAX_BYTES => Err(GatherError::TooLong { bytes }),
            _ => Ok(gathered),
        }
    }

    /// Writes the disclosure as a line without a line end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut out = String::from("{\"disclosure\":{\"checkpoint\":");
        crate::value::write_string(&mut out, &self.checkpoint);
        out.push_str(",\"head\":{");
        self.head.write_line(&mut out);
        self.head.write_proof(&mut out);
        out.push_str("},\"lines\":[");
        for (index, (line, openings)) in self.lines.iter().enumerate() {
            out.push_str(if index > 0 { ",{" } else { "{" });
            line.write_line(&mut out);
            out.push_str(",\"openings\":[");
            for (index, opening) in openings.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                opening.write(&mut out);
            }
            out.push(']');
            line.write_proof(&mut out);
            out.push('}');
        }
        out.push_str("],\"v\":");
        FORMAT_VERSION.write(&mut out);
        out.push_str("}}");
        out
    }

    /// Reads a line that [`to_line`](Self::to_line) wrote. Nothing in it is verified.
    ///
    /// # Errors
    ///
    /// Returns [`DisclosureError::Form`] for anything but the canonical spelling of a disclosure.
    pub fn parse(line: &str) -> Result<Self, DisclosureError> {
        Self::read(line).map_err(DisclosureError::Form)
    }

    fn read(line: &str) -> Result<Self, FormError> {
        if line.len() > MAX_BYTES {
            return Err(FormError::new(MAX_BYTES, "a shorter line", b""));
        }
        let mut reader = Reader::with_max_text(line, MAX_VALUE_BYTES);
        reader.expect("{\"disclosure\":{\"checkpoint\":")?;
        let checkpoint = reader.string()?.into_owned();
        reader.expect(",\"head\":{\"line\":")?;
        let head = reader.string()?.into_owned();
        let head = ProvenLine { line: head, proof: read_proof(&mut reader)? };
        reader.expect(",\"lines\":")?;
        let lines = reader.list(|reader| {
            reader.expect("{\"line\":")?;
            let line = reader.string()?.into_owned();
            reader.expect(",\"openings\":")?;
            let openings = reader.list(Opening::read)?;
            let proof = read_proof(reader)?;
            Ok((ProvenLine { line, proof }, openings))
        })?;
        reader.expect(",\"v\":1}}")?;
        reader.end()?;
        if lines.is_empty() {
            return Err(FormError::new(0, "1 to 256 lines", b""));
        }
        Ok(Self { checkpoint, head, lines })
    }

    /// Verifies everything in it against a key and a name that come from elsewhere.
    ///
    /// # Errors
    ///
    /// Returns [`DisclosureError`] for the first check that fails (receipt-format §10.2).
    pub fn verify(&self, trust: &CheckpointTrust) -> Result<Disclosed, DisclosureError> {
        let checkpoint = trust.open(&self.checkpoint)?;
        let tree = checkpoint.tree_head();
        let head = Line::parse(self.head.line.as_str())
            .map_err(|source| DisclosureError::Line { number: 0, source })?;
        let parsed = head.parsed().map_err(|source| DisclosureError::Line { number: 0, source })?;
        let (seq, journal) = (parsed.body.seq(), parsed.body.journal());
        let told = counted(&parsed.body).zip(parsed.body.session());
        let Some(((count, root), session)) =
            told.filter(|_| journal == Some(tree.journal) && seq < tree.size)
        else {
            return Err(DisclosureError::Head);
        };
        self.head.check(0, seq, tree.size, &tree.root)?;
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut next = 0;
        let mut calls: BTreeMap<u64, (u64, BTreeSet<u64>)> = BTreeMap::new();
        for (number, (proven, openings)) in (1..).zip(&self.lines) {
            let line = Line::parse(proven.line.as_str())
                .map_err(|source| DisclosureError::Line { number, source })?;
            let parsed =
                line.parsed().map_err(|source| DisclosureError::Line { number, source })?;
            let body = &parsed.body;
            let own = !body.is_journal() && body.session() == Some(session);
            if !own || !(next..count).contains(&body.seq()) {
                return Err(DisclosureError::Session { number });
            }
            next = body.seq() + 1;
            proven.check(number, body.seq(), count, &root)?;
            let sorted = openings.is_sorted_by(|one, two| one.name() < two.name());
            let wrong = openings.iter().find(|opening| !sorted || !opens(opening, session, body));
            if let Some(opening) = wrong {
                let name = opening.name().to_owned();
                return Err(DisclosureError::Opening { number, name });
            }
            if let Body::Receipt(Receipt { call, index, of, .. }) = body {
                calls.entry(*call).or_insert((*of, BTreeSet::new())).1.insert(*index);
            }
            lines.push(DisclosedLine { line, openings: openings.clone() });
        }
        let incomplete = calls
            .into_iter()
            .map(|(call, (of, seen))| (call, (0..of).filter(|at| !seen.contains(at)).collect()))
            .filter(|(_, missing): &(u64, Vec<u64>)| !missing.is_empty())
            .collect();
        Ok(Disclosed { checkpoint, session, count, lines, incomplete })
    }
}

#[cfg(test)]
impl Disclosure {
    /// Returns the disclosure with its lines changed, as a forger would.
    pub(super) fn with_lines(
        mut self,
        change: impl FnOnce(&mut Vec<(ProvenLine, Vec<Opening>)>),
    ) -> Self {
        change(&mut self.lines);
        self
    }
}

impl ProvenLine {
    fn check(
        &self,
        number: usize,
        index: u64,
        size: u64,
        root: &TreeHash,
    ) -> Result<(), DisclosureError> {
        let leaf = TreeHash::of_line(self.line.as_bytes());
        if !InclusionProof::new(index, size, self.proof.clone()).proves(&leaf, root) {
            return Err(DisclosureError::Inclusion { number });
        }
        Ok(())
    }

    fn write_line(&self, out: &mut String) {
        out.push_str("\"line\":");
        crate::value::write_string(out, &self.line);
    }

    fn write_proof(&self, out: &mut String) {
        out.push_str(",\"proof\":[");
        for (index, hash) in self.proof.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            hash.write(out);
        }
        out.push(']');
    }
}

/// Reads the last member of an object that holds a proven line, and its end.
fn read_proof(reader: &mut Reader<'_>) -> Result<Vec<TreeHash>, FormError> {
    reader.expect(",\"proof\":")?;
    let proof = reader.list(TreeHash::read)?;
    reader.expect("}")?;
    Ok(proof)
}

/// How many lines a `head` or `close` accounts for, and the root of the tree over them.
fn counted(body: &Body<'_>) -> Option<(u64, TreeHash)> {
    match body {
        Body::Head(head) => Some((head.count, head.tree)),
        Body::Close(close) => Some((close.count, close.tree)),
        _ => None,
    }
}

/// Tells whether `opening` is that of a commitment which stands in a line with this body.
fn opens(opening: &Opening, session: SessionId, body: &Body<'_>) -> bool {
    let commit: Option<Digest> = match body {
        Body::Receipt(receipt) if receipt.call == opening.call() => match opening.name() {
            commitment::ACTION => Some(receipt.action.commit),
            commitment::FACTS => Some(receipt.facts),
            name => {
                let mut own = String::new();
                let effects = receipt.effects.iter().enumerate();
                let mut named = effects.filter(|(index, _)| {
                    commitment::write_effect_name(&mut own, receipt.domain, *index);
                    own == name
                });
                named.next().map(|(_, effect)| effect.commit)
            }
        },
        Body::Outcome(outcome) if outcome.call == opening.call() => {
            outcome.commit.filter(|_| opening.name() == commitment::RESULT)
        }
        _ => None,
    };
    opening.session() == session && commit.is_some_and(|commit| opening.check(&commit))
}

/// The longest disclosure.
const MAX_BYTES: usize = 16 << 20;
