//! A whole file of receipts, call by call, in bounded memory.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::BufRead;

use super::difference::{Differences, What};
use super::openings::read_line;
use super::people::People;
use super::{History, OpeningSource, Place, ReplayError, Replayed, Replayer};
use crate::digest::Digest;
use crate::governance::usage::Past;
use crate::receipt::{Body, Counters, Line, LineError, MAX_LINE_BYTES, Receipt, SessionId};
use crate::time::Timestamp;

/// The most sessions that are followed at once; one that has ended is forgotten.
const MAX_SESSIONS: usize = 1 << 16;

/// The most that is kept of what people gave to sessions, all together: each approval, signature or label is one,
/// of at most a kilobyte.
pub(super) const MAX_KEPT: usize = 1 << 18;

/// The kinds of the acts that delegate: what a delegate uses is used up here too.
const DELEGATING: [&str; 2] = ["countersign.delegation", "countersign.handover"];

/// The most calls that a report keeps.
const MAX_FINDINGS: usize = 256;

/// Yields the calls of a file, each decided again; see [`Replayer::replay`].
///
/// A line that cannot be read is yielded as an error of its own, and the calls after it are decided
/// all the same. After [`ReplayError::Read`] there is nothing more.
#[derive(Debug)]
pub struct Replay<'r, R, O> {
    replayer: &'r Replayer,
    receipts: R,
    openings: O,
    line: u64,
    buffer: Vec<u8>,
    sessions: HashMap<SessionId, Track>,
    ready: VecDeque<CallReplay>,
    /// How much of what people gave is kept.
    pub(super) kept: usize,
    /// Beginnings that could not be held against all that they name.
    unheld: u64,
    done: bool,
}

/// One call of a file, decided again, or why it was not.
#[derive(Debug)]
#[non_exhaustive]
pub struct CallReplay {
    /// The session, where the line says it.
    pub session: Option<SessionId>,
    /// The number of the call; 0 for the beginning of a session, and where the line does not say it.
    pub call: u64,
    /// The first line of the call in the file, counted from 1.
    pub line: u64,
    /// What came out.
    pub result: Result<Replayed, ReplayError>,
}

/// What is known of a session that has not ended.
#[derive(Debug, Default)]
struct Track {
    /// The lines of a call that is not complete, the number of the call, and the first line in the file.
    group: Vec<Line>,
    call: u64,
    line: u64,
    /// What stood before that call.
    before: Standing,
    /// What stands after the last line.
    now: Standing,
    /// Whether the session has delegated: what its delegates use is used up here too.
    delegated: bool,
    /// What the beginning of the session says, if the file has it.
    begun: Option<Begun>,
    /// What people gave to the session.
    people: People,
}

/// What every call of a session repeats of its beginning.
#[derive(Debug)]
struct Begun {
    agent: Box<str>,
    scope: Vec<Digest>,
}

/// What the lines so far say of a session: its counters, if the file has them, and its labels.
#[derive(Debug, Clone, Default)]
struct Standing {
    counters: Option<Counters<'static>>,
    labels: Vec<Box<str>>,
}

impl<'r, R: BufRead, O: OpeningSource> Replay<'r, R, O> {
    pub(super) fn new(replayer: &'r Replayer, receipts: R, openings: O) -> Self {
        Self {
            replayer,
            receipts,
            openings,
            line: 0,
            buffer: Vec::new(),
            sessions: HashMap::new(),
            ready: VecDeque::new(),
            kept: 0,
            unheld: 0,
            done: false,
        }
    }

    /// Replays what is left and counts.
    pub fn report(mut self) -> ReplayReport {
        let mut report = ReplayReport::default();
        for call in self.by_ref() {
            report.add(call);
        }
        report.unheld = self.unheld;
        report
    }

    /// Takes the next line; false at the end of the file.
    fn advance(&mut self) -> Result<bool, ReplayError> {
        let most = MAX_LINE_BYTES as u64 + 1;
        if !read_line(&mut self.receipts, &mut self.buffer, most)? {
            return Ok(false);
        }
        self.line += 1;
        let text = match String::from_utf8(std::mem::take(&mut self.buffer)) {
            Ok(text) => text,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                return Err(self.unreadable(LineError::Encoding { at }));
            }
        };
        let line = Line::parse(text).map_err(|error| self.unreadable(error))?;
        let parsed = line.parsed().map_err(|error| self.unreadable(error))?;
        let Some(session) = parsed.body.session().filter(|_| !parsed.body.is_journal()) else {
            return Ok(true);
        };
        if !self.sessions.contains_key(&session) && self.sessions.len() >= MAX_SESSIONS {
            return Err(ReplayError::TooMany { what: "sessions at once", most: MAX_SESSIONS });
        }
        let track = self.sessions.entry(session).or_default();
        let goes_on = matches!(&parsed.body, Body::Receipt(receipt) if receipt.index > 0);
        // A group that something else follows is never completed.
        if !goes_on {
            self.ready.extend(track.give_up(session));
        }
        match &parsed.body {
            Body::Begin(begin) => {
                track.now.counters = Some(Past::default().counters());
                self.kept = self.kept.saturating_sub(track.people.len());
                track.people = People::begun(begin.scope.len());
                let scope = begin.scope.iter().copied().collect();
                track.begun = Some(Begun { agent: (*begin.agent).into(), scope });
                let result = self.replayer.replay_begin(begin);
                if !result.as_ref().is_ok_and(|begun| begun.complete) {
                    self.unheld = self.unheld.saturating_add(1);
                }
                let result = result.map(|begun| begun.replayed);
                if !result.as_ref().is_ok_and(Replayed::is_same) {
                    let (session, line) = (Some(session), self.line);
                    self.ready.push_back(CallReplay { session, call: 0, line, result });
                }
            }
            Body::Outcome(outcome) => {
                track.now.counters = Some(outcome.after.clone().into_owned());
            }
            Body::Resume(resume) => {
                self.kept = self.kept.saturating_sub(track.people.len());
                track.people = People::resumed(Timestamp::from_millis(resume.time));
            }
            Body::End(_) => {
                self.kept = self.kept.saturating_sub(track.people.len());
                self.sessions.remove(&session);
            }
            Body::Receipt(receipt) => {
                track.note(receipt, &line, self.line);
                track.delegated |= DELEGATING.contains(&&*receipt.action.kind);
                // More lines than a group has are refused when they are looked at together.
                if receipt.index + 1 == receipt.of || track.group.len() as u64 > receipt.of {
                    let before = track.people.len();
                    let result = track.replay(self.replayer, &mut self.openings, session, receipt);
                    let result = match self.kept.saturating_sub(before) + track.people.len() {
                        kept if kept > MAX_KEPT => {
                            track.people.lose();
                            let what = "things that people gave to the sessions that go on";
                            Err(ReplayError::TooMany { what, most: MAX_KEPT })
                        }
                        _ => result,
                    };
                    self.kept = self.kept.saturating_sub(before) + track.people.len();
                    self.ready.push_back(track.take(session, result));
                }
            }
            _ => {}
        }
        Ok(true)
    }

    fn unreadable(&self, error: LineError) -> ReplayError {
        ReplayError::Line { line: self.line, error }
    }
}

impl<R: BufRead, O: OpeningSource> Iterator for Replay<'_, R, O> {
    type Item = CallReplay;

    fn next(&mut self) -> Option<CallReplay> {
        loop {
            if let Some(call) = self.ready.pop_front() {
                return Some(call);
            }
            if self.done {
                return None;
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => {
                    self.done = true;
                    let mut rest: Vec<CallReplay> = std::mem::take(&mut self.sessions)
                        .into_iter()
                        .filter_map(|(session, mut track)| track.give_up(session))
                        .collect();
                    rest.sort_by_key(|call| call.line);
                    self.ready.extend(rest);
                }
                Err(error) => {
                    self.done = matches!(error, ReplayError::Read(_));
                    let line = self.line;
                    return Some(CallReplay { session: None, call: 0, line, result: Err(error) });
                }
            }
        }
    }
}

impl Track {
    fn note(&mut self, receipt: &Receipt<'_>, line: &Line, number: u64) {
        if self.group.is_empty() {
            (self.call, self.line) = (receipt.call, number);
            self.before = self.now.clone();
        }
        self.group.push(line.clone());
        self.now = Standing {
            counters: Some(receipt.after.clone().into_owned()),
            labels: receipt.labels.iter().map(|label| (**label).into()).collect(),
        };
    }

    /// Replays the call whose lines are complete.
    fn replay(
        &mut self,
        replayer: &Replayer,
        openings: &mut impl OpeningSource,
        session: SessionId,
        last: &Receipt<'_>,
    ) -> Result<Replayed, ReplayError> {
        let openings = openings.find(session, last.call).inspect_err(|_| self.people.lose())?;
        let replayed = replayer.replay_after(&mut self.people, &self.group, &openings)?;
        Ok(self.compare(replayed, last))
    }

    /// Holds a call against the lines before it.
    fn compare(&self, replayed: Replayed, receipt: &Receipt<'_>) -> Replayed {
        let mut replayed = self.before.compare(replayed, self.delegated);
        if let Some(begun) = &self.begun {
            let mut found = Differences::default();
            found.text(Place::Call, What::AgentBefore, &receipt.agent, &begun.agent);
            let scope: Vec<String> = receipt.scope.iter().map(ToString::to_string).collect();
            let begun: Vec<String> = begun.scope.iter().map(ToString::to_string).collect();
            found.list(Place::Call, What::ScopesBefore, &scope, &begun);
            found.0.append(&mut replayed.differences);
            replayed.differences = found.0;
        }
        replayed
    }

    fn take(&mut self, session: SessionId, result: Result<Replayed, ReplayError>) -> CallReplay {
        self.group.clear();
        CallReplay { session: Some(session), call: self.call, line: self.line, result }
    }

    /// Ends a call of which lines are missing, if there is one.
    fn give_up(&mut self, session: SessionId) -> Option<CallReplay> {
        (!self.group.is_empty()).then(|| self.take(session, Err(ReplayError::Incomplete)))
    }
}

impl Standing {
    /// Holds what the facts say of the session before the call against the lines before it. The host
    /// may have added labels in between.
    fn compare(&self, mut replayed: Replayed, delegated: bool) -> Replayed {
        let mut found = Differences::default();
        if let Some(known) = &self.counters {
            let before = &replayed.before.counters;
            // A delegate uses up and gives back; only what is never given back cannot fall.
            let held = |(name, count)| match name {
                "actions" | "denials" | "distinct_targets" => {
                    before.get(name).is_some_and(|before| before >= count)
                }
                _ => true,
            };
            if !delegated || !known.iter().all(held) {
                found.counters(What::CountersBefore, before, known);
            }
        }
        let labels = &replayed.before.labels;
        if !self.labels.iter().all(|label| labels.contains(label)) {
            found.list(Place::Call, What::LabelsBefore, labels, &self.labels);
        }
        found.0.append(&mut replayed.differences);
        replayed.differences = found.0;
        replayed
    }
}

/// What became of all calls of a file.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ReplayReport {
    /// How many calls there are. Lines that could not be read are among them, and beginnings of sessions that are
    /// not what bundle and scopes say.
    pub calls: u64,
    /// How many come out the same.
    pub same: u64,
    /// How many come out otherwise, and beginnings that say something else.
    pub different: u64,
    /// How many could not be decided again, beginnings that could not be held against anything, and lines that
    /// could not be read.
    pub failed: u64,
    /// How many sessions begin with a bundle or a scope that was not given, so that their beginning was not held
    /// against it. A call that needs it could not be replayed; that there is none says nothing of the session.
    pub unheld: u64,
    /// How many calls and acts were replayed without knowing all that people gave to their session before: see
    /// [`History`](super::History).
    pub partial: u64,
    /// The first 256 of those that are not the same.
    pub findings: Vec<CallReplay>,
}

impl ReplayReport {
    fn add(&mut self, call: CallReplay) {
        self.calls += 1;
        let partly = |replayed: &Replayed| replayed.history() != History::Whole;
        self.partial += u64::from(call.result.as_ref().is_ok_and(partly));
        match &call.result {
            Ok(replayed) if replayed.is_same() => return self.same += 1,
            Ok(_) => self.different += 1,
            Err(_) => self.failed += 1,
        }
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(call);
        }
    }

    /// Tells whether every call comes out the same.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        self.same == self.calls
    }
}

impl fmt::Display for CallReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match (&self.result, self.session) {
            (Ok(replayed), _) => replayed.fmt(f),
            (Err(error), Some(session)) if self.call == 0 => {
                write!(f, "the beginning of session {session} cannot be held against anything: ")?;
                write_causes(f, error)
            }
            (Err(error), Some(session)) => {
                write!(f, "call {} of session {session} cannot be replayed: ", self.call)?;
                write_causes(f, error)
            }
            (Err(error), None) => write_causes(f, error),
        }
    }
}

fn write_causes(f: &mut fmt::Formatter<'_>, error: &ReplayError) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

/// The counts in one line, then one paragraph for each finding.
impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, same, different, failed, unheld, partial, findings } = self;
        write!(
            f,
            "{calls} calls: {same} the same, {different} otherwise, {failed} not replayable"
        )?;
        if *unheld > 0 {
            write!(f, "; {unheld} sessions begin with a bundle or scope that was not given")?;
        }
        if *partial > 0 {
            write!(f, "; before {partial} of them not all is known that people gave")?;
        }
        findings.iter().try_for_each(|call| write!(f, "\n{call}"))?;
        let more = (different + failed).saturating_sub(findings.len() as u64);
        if more > 0 { write!(f, "\nand {more} more") } else { Ok(()) }
    }
}
