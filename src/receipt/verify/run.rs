//! One pass over a file. Checks stand in the order of receipt-format §8.2.

use std::collections::HashMap;
use std::fmt::Display;

use super::super::MAX_LINE_BYTES;
use super::super::body::{Begin, Close, EndStatus, Epoch, Head, Open, SessionId, Signing};
use super::super::check::{Chain, Check, VerifyError, show, show_text};
use super::super::checkpoint::Checkpoint;
use super::super::journal::SessionHead;
use super::super::key::{TrustedKey, possession_message};
use super::super::line::{Body, Kind, LineError, ParsedLine, link_hash};
use super::super::position::JournalPosition;
use super::super::report::{Anchor, JournalReport, Verified};
use super::super::tracked::SessionState;
use super::super::tree::{Frontier, TreeHash};
use super::signature::{Held, Task, refused};
use super::{Depth, Verifier};
use crate::digest::Digest;
use crate::hex;
use crate::time::Timestamp;

/// One pass over a file.
pub(super) struct Run<'v> {
    verifier: &'v Verifier,
    line: u64,
    journal: Option<JournalState>,
    sessions: Vec<SessionState>,
    index: HashMap<SessionId, usize>,
    anchor: Anchor,
}

/// A line whose form was checked, with what it is called.
pub(super) struct Parsed<'a> {
    line: ParsedLine<'a>,
    place: Place,
}

impl<'a> Parsed<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        let place = Place { link: link_hash(line), leaf: TreeHash::of_line(line) };
        Ok(Self { line: ParsedLine::parse(line)?, place })
    }
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
    held: Held,
}

struct EpochState {
    key: TrustedKey,
    signing: Signing,
}

impl<'v> Run<'v> {
    pub(super) fn new(verifier: &'v Verifier) -> Self {
        Self {
            verifier,
            line: 0,
            journal: None,
            sessions: Vec::new(),
            index: HashMap::new(),
            anchor: Anchor::Unanchored,
        }
    }

    /// Returns the number of the line that comes next.
    pub(super) fn next_line(&self) -> u64 {
        self.line + 1
    }

    /// Builds the error for a line that is longer than any may be.
    pub(super) fn too_long(&mut self) -> VerifyError {
        self.line += 1;
        let expected = format!("at most {MAX_LINE_BYTES} bytes");
        self.error(Chain::File, Check::Length, expected, "more")
    }

    /// Checks everything about the next line.
    pub(super) fn check(&mut self, line: &[u8], room: &mut Vec<u8>) -> Result<(), VerifyError> {
        let parsed = Parsed::parse(line);
        let mut tasks = Vec::new();
        let followed = self.follow(&parsed, &mut tasks);
        tasks.iter().try_for_each(|task| task.verify(room))?;
        followed
    }

    /// Checks everything about the next line but its signature, which is added to `tasks`. When this
    /// fails, the signatures that were added come first.
    pub(super) fn follow<'b>(
        &mut self,
        parsed: &Result<Parsed<'b>, LineError>,
        tasks: &mut Vec<Task<'b>>,
    ) -> Result<(), VerifyError> {
        self.line += 1;
        let Parsed { line, place } = match parsed {
            Ok(parsed) => parsed,
            Err(error) => return Err(self.line_error(error)),
        };
        if line.body.is_journal() {
            self.journal_line(line, *place, tasks)
        } else {
            self.session_line(line, *place, tasks)
        }
    }

    fn journal_line<'b>(
        &mut self,
        line: &ParsedLine<'b>,
        place: Place,
        tasks: &mut Vec<Task<'b>>,
    ) -> Result<(), VerifyError> {
        let body = &line.body;
        let starts = body.seq() == 0;
        let chain = Chain::Journal;
        let Some(journal) = &self.journal else {
            return match body {
                Body::Epoch(epoch) if starts => self.epoch_line(line, epoch, place, tasks),
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
            return self.epoch_line(line, epoch, place, tasks);
        }
        let key = self.epoch_key(epoch).map(|epoch| epoch.key);
        if let Some(signed) = self.signed(chain, line, key, true)? {
            match &mut self.journal {
                Some(journal) if self.verifier.depth == Depth::LastSignature => {
                    journal.held.hold(signed, tasks);
                }
                _ => tasks.push(signed),
            }
        }
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

    fn epoch_line<'b>(
        &mut self,
        line: &ParsedLine<'b>,
        epoch: &Epoch,
        place: Place,
        tasks: &mut Vec<Task<'b>>,
    ) -> Result<(), VerifyError> {
        let chain = Chain::Journal;
        let number = self.journal.as_ref().map_or(1, |journal| journal.position.epoch + 1);
        if epoch.epoch != number {
            return self.fail(chain, Check::Epoch, number, epoch.epoch);
        }
        if number > MAX_EPOCHS {
            let expected = format_args!("at most {MAX_EPOCHS} epochs");
            return self.fail(Chain::File, Check::Limit, expected, "more");
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
        if self.verifier.depth != Depth::LinksOnly {
            let prev = epoch.prev.map_or([0; 32], |prev| *prev.as_bytes());
            let message = possession_message(&epoch.identity, &epoch.key, epoch.epoch, &prev);
            if !key.verifies(&message, &epoch.proof) {
                let found = "one that does not verify";
                return self.fail(chain, Check::Proof, "a proof by the epoch key", found);
            }
        }
        tasks.extend(self.signed(chain, line, Some(*identity), true)?);
        if let Some(journal) = &mut self.journal {
            journal.held.release(tasks);
        }
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
            held: Held::default(),
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
        for held in self.verifier.positions.get(&body.seq()).into_iter().flatten() {
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
            let mut held = self.verifier.checkpoints.values().flatten().map(Checkpoint::tree_head);
            if let Some(other) = held.find(|head| head.journal != position.id) {
                let expected = format_args!("journal {}", other.journal);
                return self.fail(chain, Check::Checkpoint, expected, position.id);
            }
            let mut held = self.verifier.checkpoints.values().flatten();
            if held.any(|held| *held.signer() != position.identity) {
                let (expected, found) = ("a checkpoint by the identity of the journal", "another");
                return self.fail(chain, Check::Checkpoint, expected, found);
            }
        }
        let root = position.tree.root();
        for held in self.verifier.checkpoints.get(&(seq + 1)).into_iter().flatten() {
            let expected = held.tree_head().root;
            if root != expected {
                return self.fail(chain, Check::Checkpoint, expected, root);
            }
            let witnesses = held.witnesses().len();
            self.anchor = Anchor::Checkpoint { size: seq + 1, witnesses };
        }
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
        let signed = self.verifier.depth != Depth::LinksOnly;
        match self.index.get(&session).and_then(|at| self.sessions.get_mut(*at)) {
            Some(state) => {
                state.head(told, status, signed).map_err(|wrong| wrong.at(number, Chain::Journal))
            }
            None => {
                let found = format_args!("session {session}");
                self.fail(Chain::Journal, Check::Announced, "a session that was opened", found)
            }
        }
    }

    fn session_line<'b>(
        &mut self,
        line: &ParsedLine<'b>,
        place: Place,
        tasks: &mut Vec<Task<'b>>,
    ) -> Result<(), VerifyError> {
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
        let signed = self.signed(chain, line, key, signing == Signing::Every)?;

        // From here on the session is changed; errors end the run, so half a change does no harm.
        let number = self.line;
        let depth = self.verifier.depth;
        let Some(state) = self.sessions.get_mut(at) else {
            return Ok(());
        };
        match signed {
            Some(signed) if depth == Depth::LastSignature => state.held.hold(signed, tasks),
            signed => tasks.extend(signed),
        }
        let meant = match body {
            Body::Begin(begin) => state.begin(begin),
            Body::Receipt(receipt) => state.receipt(receipt),
            Body::Outcome(outcome) => state.outcome(outcome),
            Body::Resume(_) => state.resume(),
            Body::End(end) => state.end(end.status),
            _ => Ok(()),
        };
        if state.report.ended.is_some() {
            state.held.release(tasks);
        }
        let proves = depth != Depth::LinksOnly;
        let moved = meant.and_then(|()| state.moves(body, place.link, place.leaf, proves));
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

    /// Checks that a signature is there if and only if it must be, and returns it to be verified.
    fn signed<'b>(
        &self,
        chain: Chain,
        line: &ParsedLine<'b>,
        key: Option<TrustedKey>,
        required: bool,
    ) -> Result<Option<Task<'b>>, VerifyError> {
        match (line.signature, key, required) {
            (None, _, false) => Ok(None),
            (Some(_), _, false) => self.fail(chain, Check::Signature, "none", "a signature"),
            (None, _, true) => Err(refused(self.line, chain, "none")),
            (Some(_), _, true) if self.verifier.depth == Depth::LinksOnly => Ok(None),
            (Some(signature), Some(key), true) => {
                Ok(Some(Task::new(self.line, chain, line, key, signature)))
            }
            (Some(_), None, true) => Err(refused(self.line, chain, "one under no known key")),
        }
    }

    fn epoch_key(&self, epoch: u64) -> Option<&EpochState> {
        let at = usize::try_from(epoch.checked_sub(1)?).ok()?;
        self.journal.as_ref()?.epochs.get(at)
    }

    /// Checks what only the end of the file shows, and reports.
    pub(super) fn finish(mut self, torn_bytes: u64) -> Result<Verified, VerifyError> {
        self.verify_held()?;
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

    /// Verifies the last signatures of all chains.
    fn verify_held(&mut self) -> Result<(), VerifyError> {
        let mut tasks = Vec::new();
        if let Some(journal) = &mut self.journal {
            journal.held.release(&mut tasks);
        }
        self.sessions.iter_mut().for_each(|state| state.held.release(&mut tasks));
        tasks.sort_by_key(Task::line);
        let mut room = Vec::new();
        tasks.iter().try_for_each(|task| task.verify(&mut room))
    }

    fn line_error(&self, error: &LineError) -> VerifyError {
        match error {
            LineError::TooLong { .. } => {
                let expected = format!("at most {MAX_LINE_BYTES} bytes");
                self.error(Chain::File, Check::Length, expected, "more")
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

/// Most epochs of a file: each has a key that a later `resume` may name.
const MAX_EPOCHS: u64 = 65_536;
