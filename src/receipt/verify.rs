//! The verifier that a stranger runs (receipt-format §8). Checks stand in the order of §8.2.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::io::BufRead;

use super::body::{Begin, Close, EndStatus, Epoch, Head, Open, SessionId, Signing};
use super::check::{Chain, Check, VerifyError, show, show_text};
use super::checkpoint::Checkpoint;
use super::journal::{JournalPosition, SessionHead};
use super::key::{TrustedKey, possession_message};
use super::line::{Body, Kind, LineError, ParsedLine, link_hash};
use super::reading::{LineReader, Next};
use super::report::{Anchor, JournalReport, Verified};
use super::tracked::SessionState;
use super::tree::{Frontier, TreeHash};
use super::{MAX_LINE_BYTES, hex};
use crate::digest::Digest;
use crate::time::Timestamp;

/// Verifies receipt files against identity keys that come from elsewhere.
///
/// Reads line by line and keeps a bounded amount for each session.
///
/// # Security
///
/// Success says what [`Verified`] says and no more. Above all, lines cut off the end of the journal
/// leave no trace unless the caller gives a position that it holds.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Vec<TrustedKey>,
    depth: Depth,
    positions: BTreeMap<u64, Digest>,
    checkpoints: BTreeMap<u64, Checkpoint>,
    withheld: bool,
    max_sessions: usize,
}

impl Verifier {
    /// Builds a verifier that trusts the identity `key`.
    #[must_use]
    pub fn new(key: TrustedKey) -> Self {
        Self {
            keys: vec![key],
            depth: Depth::EverySignature,
            positions: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            withheld: false,
            max_sessions: MAX_SESSIONS,
        }
    }

    /// Trusts one more identity key. A journal has one identity; this is for verifying several.
    #[must_use]
    pub fn trust(mut self, key: TrustedKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Sets what is verified; [`Depth::EverySignature`] unless said otherwise.
    #[must_use]
    pub fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Requires that line `seq` of the journal is there and has the link hash `link`.
    #[must_use]
    pub fn expect_journal_head(mut self, seq: u64, link: Digest) -> Self {
        self.positions.insert(seq, link);
        self
    }

    /// Requires that the journal is the one of `checkpoint` and begins with the lines that it signs.
    ///
    /// Of two checkpoints of one size the later call counts; hold them against each other with
    /// [`Equivocation::between`](super::Equivocation::between).
    #[must_use]
    pub fn expect_checkpoint(mut self, checkpoint: &Checkpoint) -> Self {
        self.checkpoints.insert(checkpoint.tree_head().size, checkpoint.clone());
        self
    }

    /// Accepts that all lines of a session are absent although the journal counts some. Such
    /// sessions are in [`Verified::missing`].
    #[must_use]
    pub fn allow_withheld_sessions(mut self) -> Self {
        self.withheld = true;
        self
    }

    /// Sets how many sessions a file may have; a million unless said otherwise.
    #[must_use]
    pub fn max_sessions(mut self, max_sessions: usize) -> Self {
        self.max_sessions = max_sessions;
        self
    }

    /// Verifies a whole receipt file.
    ///
    /// # Errors
    ///
    /// Returns [`VerifyError`] for the first line that fails a check, for lines that the journal
    /// counts and that are not there, and if `file` cannot be read.
    pub fn verify(&self, file: impl BufRead) -> Result<Verified, VerifyError> {
        let mut run = Run::new(self);
        let mut lines = LineReader::new(file);
        loop {
            run.line += 1;
            match lines.next().map_err(|error| VerifyError::read(run.line, error))? {
                Next::Line(line) => run.check(line)?,
                Next::TooLong => {
                    let expected = format!("at most {MAX_LINE_BYTES} bytes");
                    return Err(run.error(Chain::File, Check::Length, expected, "more"));
                }
                Next::End { torn } => {
                    run.line -= 1;
                    return run.finish(torn);
                }
            }
        }
    }
}

/// How much a verifier verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Depth {
    /// Everything, each signature included.
    EverySignature,
    /// Everything but signatures: shows damage, not forgery.
    LinksOnly,
}

/// One pass over a file.
struct Run<'v> {
    verifier: &'v Verifier,
    line: u64,
    journal: Option<JournalState>,
    sessions: Vec<SessionState>,
    index: HashMap<SessionId, usize>,
    message: Vec<u8>,
    anchor: Anchor,
}

/// What a line is called in its chain and in its tree.
#[derive(Clone, Copy)]
struct Place {
    link: Digest,
    leaf: TreeHash,
}

struct JournalState {
    position: JournalPosition,
    /// Epoch n is at n - 1.
    epochs: Vec<EpochState>,
}

struct EpochState {
    key: TrustedKey,
    signing: Signing,
}

impl<'v> Run<'v> {
    fn new(verifier: &'v Verifier) -> Self {
        Self {
            verifier,
            line: 0,
            journal: None,
            sessions: Vec::new(),
            index: HashMap::new(),
            message: Vec::new(),
            anchor: Anchor::Unanchored,
        }
    }

    fn check(&mut self, line: &[u8]) -> Result<(), VerifyError> {
        let parsed = ParsedLine::parse(line).map_err(|error| self.line_error(&error))?;
        let place = Place { link: link_hash(line), leaf: TreeHash::of_line(line) };
        if parsed.body.is_journal() {
            self.journal_line(&parsed, place)
        } else {
            self.session_line(&parsed, place)
        }
    }

    fn journal_line(&mut self, line: &ParsedLine<'_>, place: Place) -> Result<(), VerifyError> {
        let body = &line.body;
        let starts = body.seq() == 0;
        let chain = Chain::Journal;
        let Some(journal) = &self.journal else {
            return match body {
                Body::Epoch(epoch) if starts => self.epoch_line(line, epoch, place),
                _ => self.fail(
                    Chain::File,
                    Check::Start,
                    "an `epoch` with `seq` 0",
                    format_args!("`{}` with `seq` {}", body.kind(), body.seq()),
                ),
            };
        };
        let position = &journal.position;
        if starts {
            return self.fail(chain, Check::Start, "one journal", "the start of a second");
        }
        if body.journal() != Some(position.id) {
            let found = show(body.journal());
            return self.fail(chain, Check::Journal, position.id, found);
        }
        if body.seq() != position.lines {
            return self.fail(chain, Check::Sequence, position.lines, body.seq());
        }
        if body.prev() != Some(position.prev) {
            return self.fail(chain, Check::Link, position.prev, show(body.prev()));
        }
        let epoch = position.epoch + u64::from(body.kind() == Kind::Epoch);
        if body.epoch() != epoch {
            return self.fail(chain, Check::Epoch, epoch, body.epoch());
        }
        self.check_time(chain, position.time.as_millis(), body.time())?;
        if let Body::Epoch(epoch) = body {
            return self.epoch_line(line, epoch, place);
        }
        let key = self.epoch_key(epoch).map(|epoch| epoch.key);
        self.check_signature(chain, line, key, true)?;
        match body {
            Body::Open(open) => self.open_line(open)?,
            Body::Head(Head { session, count, head, tree, .. }) => {
                let told =
                    SessionHead { session: *session, count: *count, head: *head, tree: *tree };
                self.head_line(told, None)?;
            }
            Body::Close(Close { session, count, head, tree, status, .. }) => {
                let told =
                    SessionHead { session: *session, count: *count, head: *head, tree: *tree };
                self.head_line(told, Some(*status))?;
            }
            _ => {}
        }
        self.journal_moves(body, place)
    }

    fn epoch_line(
        &mut self,
        line: &ParsedLine<'_>,
        epoch: &Epoch,
        place: Place,
    ) -> Result<(), VerifyError> {
        let chain = Chain::Journal;
        let number = self.journal.as_ref().map_or(1, |journal| journal.position.epoch + 1);
        if epoch.epoch != number {
            return self.fail(chain, Check::Epoch, number, epoch.epoch);
        }
        let same = |journal: &JournalState| journal.position.identity == epoch.identity;
        let identity = self.verifier.keys.iter().find(|key| *key.as_bytes() == epoch.identity);
        let Some(identity) = identity.filter(|_| self.journal.as_ref().is_none_or(same)) else {
            let found = hex::text(&epoch.identity);
            return self.fail(chain, Check::Key, "the trusted identity of the journal", found);
        };
        let key = match TrustedKey::from_bytes(&epoch.key) {
            Ok(key) => key,
            Err(error) => return self.fail(chain, Check::Key, "a sound epoch key", error),
        };
        if self.verifier.depth == Depth::EverySignature {
            let prev = epoch.prev.map_or([0; 32], |prev| *prev.as_bytes());
            let message = possession_message(&epoch.identity, &epoch.key, epoch.epoch, &prev);
            if !key.verifies(&message, &epoch.proof) {
                let found = "one that does not verify";
                return self.fail(chain, Check::Proof, "a proof by the epoch key", found);
            }
        }
        self.check_signature(chain, line, Some(*identity), true)?;
        let journal = self.journal.get_or_insert_with(|| JournalState {
            position: JournalPosition {
                id: place.link,
                identity: epoch.identity,
                lines: 0,
                prev: place.link,
                epoch: 0,
                time: Timestamp::from_millis(epoch.time),
                tree: Frontier::new(),
            },
            epochs: Vec::new(),
        });
        journal.epochs.push(EpochState { key, signing: epoch.signing });
        self.journal_moves(&line.body, place)
    }

    fn journal_moves(&mut self, body: &Body<'_>, place: Place) -> Result<(), VerifyError> {
        let Place { link, leaf } = place;
        if let Some(journal) = &mut self.journal {
            let position = &mut journal.position;
            position.lines = body.seq() + 1;
            position.prev = link;
            position.epoch = body.epoch();
            position.time = Timestamp::from_millis(body.time());
            position.tree.push(leaf);
        }
        self.check_checkpoint(body.seq())?;
        if let Some(held) = self.verifier.positions.get(&body.seq()) {
            if *held != link {
                return self.fail(Chain::Journal, Check::Position, held, link);
            }
            self.anchor = Anchor::Position { seq: body.seq() };
        }
        Ok(())
    }

    /// Holds the journal, whose last line is `seq`, against the checkpoints that the caller has.
    fn check_checkpoint(&mut self, seq: u64) -> Result<(), VerifyError> {
        let Some(JournalState { position, .. }) = &self.journal else { return Ok(()) };
        let chain = Chain::Journal;
        if seq == 0 {
            let mut held = self.verifier.checkpoints.values().map(Checkpoint::tree_head);
            if let Some(other) = held.find(|head| head.journal != position.id) {
                let expected = format_args!("journal {}", other.journal);
                return self.fail(chain, Check::Checkpoint, expected, position.id);
            }
        }
        let Some(held) = self.verifier.checkpoints.get(&(seq + 1)) else { return Ok(()) };
        let (expected, root) = (held.tree_head().root, position.tree.root());
        if root != expected {
            return self.fail(chain, Check::Checkpoint, expected, root);
        }
        let witnesses = held.witnesses().len();
        self.anchor = Anchor::Checkpoint { size: seq + 1, witnesses };
        Ok(())
    }

    fn open_line(&mut self, open: &Open<'_>) -> Result<(), VerifyError> {
        if self.index.contains_key(&open.session) {
            let found = format_args!("session {} a second time", open.session);
            return self.fail(Chain::Journal, Check::Announced, "a new session", found);
        }
        if self.sessions.len() >= self.verifier.max_sessions {
            let expected = format_args!("at most {} sessions", self.verifier.max_sessions);
            return self.fail(Chain::File, Check::Limit, expected, "more");
        }
        self.index.insert(open.session, self.sessions.len());
        self.sessions.push(SessionState::new(open));
        Ok(())
    }

    /// Checks a `head`, or a `close` if there is a `status`.
    fn head_line(
        &mut self,
        told: SessionHead,
        status: Option<EndStatus>,
    ) -> Result<(), VerifyError> {
        let (number, session) = (self.line, told.session);
        let every = self.verifier.depth == Depth::EverySignature;
        match self.index.get(&session).and_then(|at| self.sessions.get_mut(*at)) {
            Some(state) => {
                state.head(told, status, every).map_err(|wrong| wrong.at(number, Chain::Journal))
            }
            None => {
                let found = format_args!("session {session}");
                self.fail(Chain::Journal, Check::Announced, "a session that was opened", found)
            }
        }
    }

    fn session_line(&mut self, line: &ParsedLine<'_>, place: Place) -> Result<(), VerifyError> {
        let body = &line.body;
        let Some(journal) = &self.journal else {
            let found = format_args!("`{}`", body.kind());
            return self.fail(Chain::File, Check::Start, "an `epoch` with `seq` 0", found);
        };
        let Some(session) = body.session() else {
            return Ok(());
        };
        let chain = Chain::Session(session);
        if let Body::Begin(begin) = body
            && begin.journal != journal.position.id
        {
            return self.fail(chain, Check::Journal, journal.position.id, begin.journal);
        }
        let at = self.index.get(&session).copied();
        let Some((at, state)) = at.and_then(|at| Some((at, self.sessions.get(at)?))) else {
            return self.fail(chain, Check::Announced, "an `open` before it", "none");
        };
        let report = &state.report;
        if report.ended.is_some() || state.is_closed_to(body) {
            let found = format_args!("`{}` with `seq` {}", body.kind(), body.seq());
            return self.fail(chain, Check::Ended, "no line after the end", found);
        }
        if body.seq() != report.lines {
            return self.fail(chain, Check::Sequence, report.lines, body.seq());
        }
        if let Body::Begin(begin) = body {
            self.check_announced(chain, state, begin, place.link)?;
        } else if body.prev() != Some(report.head) {
            return self.fail(chain, Check::Link, report.head, show(body.prev()));
        }
        let declared = journal.epochs.len() as u64;
        let resumes = body.kind() == Kind::Resume;
        let in_force = body.epoch() == report.epoch
            || resumes && (report.epoch..=declared).contains(&body.epoch());
        if !in_force {
            let most = if resumes { declared } else { report.epoch };
            let expected = format_args!("{} to {most}", report.epoch);
            return self.fail(chain, Check::Epoch, expected, body.epoch());
        }
        if report.lines > 0 {
            self.check_time(chain, report.time.as_millis(), body.time())?;
        }
        let signing = match body {
            Body::Begin(begin) => begin.signing,
            _ => report.signing,
        };
        let key = self.epoch_key(body.epoch()).map(|epoch| epoch.key);
        self.check_signature(chain, line, key, signing == Signing::Every)?;

        // From here on the session is changed; errors end the run, so half a change does no harm.
        let number = self.line;
        let every = self.verifier.depth == Depth::EverySignature;
        let Some(state) = self.sessions.get_mut(at) else {
            return Ok(());
        };
        let meant = match body {
            Body::Begin(begin) => state.begin(begin),
            Body::Receipt(receipt) => state.receipt(receipt),
            Body::Outcome(outcome) => state.outcome(outcome),
            Body::Resume(_) => state.resume(),
            Body::End(end) => state.end(end.status),
            _ => Ok(()),
        };
        let moved = meant.and_then(|()| state.moves(body, place.link, place.leaf, every));
        moved.map_err(|wrong| wrong.at(number, chain))
    }

    fn check_announced(
        &self,
        chain: Chain,
        state: &SessionState,
        begin: &Begin<'_>,
        link: Digest,
    ) -> Result<(), VerifyError> {
        let report = &state.report;
        if link != state.begin {
            return self.fail(chain, Check::Announced, state.begin, link);
        }
        if begin.agent != report.agent || begin.epoch != report.epoch {
            let expected = format_args!("`{}` in epoch {}", show_text(&report.agent), report.epoch);
            let found = format_args!("`{}` in epoch {}", show_text(&begin.agent), begin.epoch);
            return self.fail(chain, Check::Announced, expected, found);
        }
        let signing = self.epoch_key(begin.epoch).map(|epoch| epoch.signing);
        if signing != Some(begin.signing) {
            let expected = format_args!("`signing` to be {}", show(signing));
            return self.fail(chain, Check::Fields, expected, begin.signing);
        }
        Ok(())
    }

    fn check_time(&self, chain: Chain, last: u64, now: u64) -> Result<(), VerifyError> {
        if now < last {
            return self.fail(chain, Check::Time, format_args!("{last} ms or later"), now);
        }
        Ok(())
    }

    fn check_signature(
        &mut self,
        chain: Chain,
        line: &ParsedLine<'_>,
        key: Option<TrustedKey>,
        required: bool,
    ) -> Result<(), VerifyError> {
        let found = match (&line.signature, required) {
            (None, false) => return Ok(()),
            (None, true) => "none",
            (Some(_), false) => return self.fail(chain, Check::Signature, "none", "a signature"),
            (Some(signature), true) => {
                if self.verifier.depth == Depth::LinksOnly {
                    return Ok(());
                }
                self.message.clear();
                line.write_message(&mut self.message);
                if key.is_some_and(|key| key.verifies(&self.message, signature)) {
                    return Ok(());
                }
                "one that does not verify"
            }
        };
        self.fail(chain, Check::Signature, "a signature by the key in force", found)
    }

    fn epoch_key(&self, epoch: u64) -> Option<&EpochState> {
        let at = usize::try_from(epoch.checked_sub(1)?).ok()?;
        self.journal.as_ref()?.epochs.get(at)
    }

    /// Checks what only the end of the file shows, and reports.
    fn finish(mut self, torn_bytes: u64) -> Result<Verified, VerifyError> {
        let line = self.line;
        let cut = |chain, expected: String, found: u64| {
            Err(VerifyError::new(None, chain, Check::Cut, expected, format!("{found} lines")))
        };
        let Some(journal) = self.journal.take() else {
            let expected = "an `epoch` with `seq` 0".to_owned();
            let found = "no line".to_owned();
            return Err(VerifyError::new(None, Chain::File, Check::Start, expected, found));
        };
        if let Some((seq, _)) = self.verifier.positions.last_key_value()
            && *seq >= journal.position.lines
        {
            return cut(Chain::Journal, format!("line {seq}"), journal.position.lines);
        }
        if let Some((size, _)) = self.verifier.checkpoints.last_key_value()
            && *size > journal.position.lines
        {
            return cut(Chain::Journal, format!("{size} lines"), journal.position.lines);
        }
        let mut sessions = Vec::with_capacity(self.sessions.len());
        for state in self.sessions {
            let lines = state.report.lines;
            let withheld = lines == 0 && self.verifier.withheld;
            if let Some(count) = state.awaited()
                && !withheld
            {
                let chain = Chain::Session(state.report.session);
                return cut(chain, format!("{count} lines"), lines);
            }
            sessions.push(state.finish());
        }
        let signing = journal.epochs.last().map_or(Signing::Every, |epoch| epoch.signing);
        Ok(Verified {
            journal: JournalReport { position: journal.position, signing },
            sessions,
            lines: line,
            torn_bytes,
            depth: self.verifier.depth,
            anchor: self.anchor,
        })
    }

    fn line_error(&self, error: &LineError) -> VerifyError {
        match error {
            LineError::TooLong { bytes } => {
                let expected = format!("at most {MAX_LINE_BYTES} bytes");
                self.error(Chain::File, Check::Length, expected, bytes)
            }
            LineError::Encoding { at } => {
                let found = format_args!("another byte at {at}");
                self.error(Chain::File, Check::Encoding, "UTF-8", found)
            }
            LineError::Form(error) => {
                let expected = format_args!("{} at byte {}", error.expected(), error.offset());
                let found = format_args!("`{}`", error.found());
                self.error(Chain::File, Check::Form, expected, found)
            }
        }
    }

    fn fail<T>(
        &self,
        chain: Chain,
        check: Check,
        expected: impl Display,
        found: impl Display,
    ) -> Result<T, VerifyError> {
        Err(self.error(chain, check, expected, found))
    }

    fn error(
        &self,
        chain: Chain,
        check: Check,
        expected: impl Display,
        found: impl Display,
    ) -> VerifyError {
        VerifyError::new(Some(self.line), chain, check, expected.to_string(), found.to_string())
    }
}

/// Most sessions of a file.
const MAX_SESSIONS: usize = 1_000_000;
