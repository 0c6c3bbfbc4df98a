//! Merges the streams in time and has everything judged in one order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use super::calls::Part;
use super::finding::{Finding, Gap};
use super::observed::{Observed, Outside, parse_traceparent};
use super::read::{EventError, Hosts};
use super::report::Report;
use super::settings::{Builder, Source};
use super::state::{State, settle};
use crate::digest::Digest;
use crate::receipt::{
    Body, FormError, LineError, Opening, Outcome, OutcomeStatus, ParsedLine, Receipt, SessionId,
};
use crate::time::Timestamp;

/// Joins receipts with telemetry and reports what does not fit.
///
/// It takes both streams as they come, holds back what could still be explained, and gives each finding to
/// its sink as soon as it is certain. An item is judged when every stream has come past it by the skew; so a
/// source that falls silent holds everything up until [`advance`](Self::advance) or
/// [`end`](Self::end) says that it has nothing more. The findings and their order depend on what each
/// stream holds and not on how the streams were interleaved or cut, as long as no cap is met and openings come
/// before or right behind the lines of their call.
///
/// # Security
///
/// Receipts are taken as they are: verify them first, with a [`Verifier`](crate::receipt::Verifier).
/// Openings are checked against the receipts here. Telemetry is as good as its source: what the agent can
/// write or hold back says nothing about it.
///
/// # Examples
///
/// ```
/// use countersign::audit::correlate::{Builder, Format, Source};
///
/// let source = Source::new("sensor", Format::Plain).complete();
/// let mut found = Vec::new();
/// let mut correlator = Builder::default().with_source(source).build(|finding| found.push(finding));
/// correlator.event_line(
///     0,
///     br#"{"seen":{"time":1795428000000,"process":{"path":"/usr/bin/ssh"}}}"#,
/// )?;
/// let report = correlator.finish();
/// assert_eq!(report.findings, [1, 0, 0, 0, 0]);
/// assert_eq!(
///     found[0].to_string(),
///     "high: bypass: saw process /usr/bin/ssh at 2026-11-23T10:00:00.000Z (source 0, line 1), \
///      and no recorded call asked for it",
/// );
/// # Ok::<(), countersign::audit::correlate::EventError>(())
/// ```
pub struct Correlator<F: FnMut(Finding)> {
    state: State,
    sink: F,
    queue: BinaryHeap<Reverse<(u64, Item)>>,
    /// How far each stream has come: receipts first, then the sources.
    reached: Vec<u64>,
    lines: Vec<u64>,
    outside: Vec<Outside>,
    hosts: Hosts,
}

/// What waits for the other streams. Items of one time are judged in the order of the variants.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Receipt(Box<Part>),
    Outcome(Box<(SessionId, u64, OutcomeStatus, u64)>),
    Approval(Box<(Digest, Timestamp)>),
    Event(Box<Observed>),
}

impl<F: FnMut(Finding)> Correlator<F> {
    pub(super) fn new(settings: Builder, sink: F) -> Self {
        let streams = settings.sources.len() + 1;
        Self {
            sink,
            queue: BinaryHeap::new(),
            reached: vec![0; streams],
            lines: vec![0; streams],
            outside: Vec::new(),
            hosts: Hosts::default(),
            state: State::new(settings),
        }
    }

    /// Takes one line of a receipt file, or of openings, without its line end. Openings of other things than
    /// effects are passed over unread.
    ///
    /// # Errors
    ///
    /// Returns [`DecisionError`] if it is neither. That is counted and found as a gap too.
    pub fn decision_line(&mut self, line: &[u8]) -> Result<(), DecisionError> {
        if let Some(lines) = self.lines.first_mut() {
            *lines += 1;
        }
        let result = if line.starts_with(b"{\"opening\":") {
            // Action, facts and result say nothing that a watcher shows, and are the longest.
            let start = line.get(..64).unwrap_or(line);
            let other = |name: &[u8]| start.windows(name.len()).any(|window| window == name);
            if [&b"\"name\":\"action\""[..], b"\"name\":\"facts\"", b"\"name\":\"result\""]
                .into_iter()
                .any(other)
            {
                return Ok(());
            }
            std::str::from_utf8(line)
                .map_err(|_| DecisionError::Encoding)
                .and_then(|text| Opening::parse(text).map_err(DecisionError::Opening))
                .map(|opening| self.opening(opening))
        } else {
            ParsedLine::parse(line)
                .map_err(DecisionError::Line)
                .map(|line| self.decision(&line.body))
        };
        if result.is_err() {
            self.state.report.unreadable_decisions += 1;
            self.state.gap(Gap::DecisionUnreadable);
            self.hand_out();
        }
        result
    }

    /// Takes the body of one receipt line. Only `receipt` and `outcome` say something here, and the others
    /// how late it is.
    pub fn decision(&mut self, body: &Body<'_>) {
        let item = match body {
            Body::Receipt(receipt) => Some(Item::Receipt(Box::new(part(receipt)))),
            Body::Outcome(Outcome { session, call, status, time, .. }) => {
                Some(Item::Outcome(Box::new((*session, *call, *status, *time))))
            }
            _ => None,
        };
        let time = time_of(body);
        match item {
            Some(item) => self.push(0, time, time, item),
            None => self.reach(0, time),
        }
        self.release();
    }

    /// Takes one opening: before its receipts, or right behind them.
    pub fn opening(&mut self, opening: Opening) {
        self.state.opening(opening);
        self.hand_out();
    }

    /// Takes one line of the source with this number, without its line end; an empty line says nothing.
    ///
    /// # Errors
    ///
    /// Returns [`EventError`] if it cannot be read, or there is no such source. That is counted and found
    /// as a gap too.
    pub fn event_line(&mut self, source: usize, line: &[u8]) -> Result<(), EventError> {
        let number = match self.lines.get_mut(source.saturating_add(1)) {
            Some(lines) => {
                *lines += 1;
                *lines
            }
            None => 0,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(());
        }
        let format = self.state.settings.sources.get(source).map(|source| source.format);
        let mut outside = std::mem::take(&mut self.outside);
        outside.clear();
        let result = match format {
            Some(format) => format.read_with(&mut self.hosts, line, number, &mut outside),
            None => Err(EventError::no_source()),
        };
        match &result {
            Ok(()) => self.state.report.lines += 1,
            Err(_) => self.unreadable(),
        }
        for outside in outside.drain(..) {
            self.event(source, outside);
        }
        self.outside = outside;
        result
    }

    /// Counts a line that was not even handed over, for it was too long.
    pub(super) fn skip_line(&mut self, source: usize) -> EventError {
        let number = self.lines.get_mut(source.saturating_add(1)).map_or(0, |lines| {
            *lines += 1;
            *lines
        });
        self.unreadable();
        EventError::too_long(number)
    }

    pub(super) fn skip_decision_line(&mut self) {
        self.state.report.unreadable_decisions += 1;
        self.state.gap(Gap::DecisionUnreadable);
        self.hand_out();
    }

    fn unreadable(&mut self) {
        self.state.report.unreadable += 1;
        self.state.gap(Gap::EventUnreadable);
        self.hand_out();
    }

    /// Takes one event of the source with this number.
    pub fn event(&mut self, source: usize, outside: Outside) {
        let stream = source.saturating_add(1);
        match outside {
            Outside::Seen(mut seen) => {
                seen.source = source;
                let end = seen.end.as_millis();
                // It waits for the decisions that may be written down later than their effects.
                let key = end.saturating_add(settle(&self.state.settings));
                self.push(stream, end, key, Item::Event(seen));
            }
            Outside::Approval { id, time } => {
                let millis = time.as_millis();
                let key = millis.saturating_add(self.state.settings.skew);
                self.push(stream, millis, key, Item::Approval(Box::new((id, time))));
            }
        }
        self.release();
    }

    /// Says that no stream has anything left that is older than `time`, by more than the skew.
    pub fn advance(&mut self, time: Timestamp) {
        for reached in &mut self.reached {
            *reached = (*reached).max(time.as_millis());
        }
        self.release();
    }

    /// Says that a source has ended, or the receipts where `source` is `None`.
    pub fn end(&mut self, source: Option<usize>) {
        let stream = source.map_or(0, |source| source.saturating_add(1));
        if let Some(reached) = self.reached.get_mut(stream) {
            *reached = u64::MAX;
        }
        self.release();
    }

    /// Judges what is left and gives the sums.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.release_before(u64::MAX);
        self.state.finish();
        self.hand_out();
        self.state.report
    }

    /// Returns the sums so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.state.report
    }

    /// Returns the sources in the order of their numbers.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.state.settings.sources
    }

    /// The stream that lags behind the others, of those that have not ended.
    pub(super) fn laggard(&self) -> Option<usize> {
        let streams = self.reached.iter().enumerate().filter(|(_, reached)| **reached != u64::MAX);
        streams.min_by_key(|(stream, reached)| (**reached, *stream)).map(|(stream, _)| stream)
    }

    /// Queues an item under `key`. One that comes too late, by the order of its own stream, is judged as if it
    /// came just in time: that its place does not depend on the other streams keeps the order of findings
    /// the same however the streams are interleaved.
    fn push(&mut self, stream: usize, time: u64, key: u64, item: Item) {
        let skew = self.state.settings.skew;
        let before = self.reached.get(stream).copied().unwrap_or(0);
        // A stream that was said to have ended is late with all that it says.
        let earliest =
            if before == u64::MAX { self.state.now() } else { before.saturating_sub(skew) };
        let mut key = key;
        if time < earliest {
            self.state.report.late += 1;
            self.state.gap(Gap::Late);
            key = earliest + (key - time);
        }
        self.reach(stream, time);
        if self.queue.len() + self.state.held >= self.state.settings.caps.queue {
            self.state.gap(Gap::Queue);
            self.pop();
        }
        self.queue.push(Reverse((key, item)));
    }

    fn reach(&mut self, stream: usize, time: u64) {
        if let Some(reached) = self.reached.get_mut(stream) {
            *reached = (*reached).max(time);
        }
    }

    fn release(&mut self) {
        let reached = self.reached.iter().copied().min().unwrap_or(0);
        if reached == u64::MAX {
            // More may be said of an ended stream; `finish` lets go of the rest.
            return self.hand_out();
        }
        self.release_before(reached.saturating_sub(self.state.settings.skew));
    }

    fn release_before(&mut self, point: u64) {
        while self.queue.peek().is_some_and(|Reverse((key, _))| *key < point) {
            self.pop();
        }
        if point != u64::MAX {
            self.state.move_to(point);
        }
        self.hand_out();
    }

    fn pop(&mut self) {
        let Some(Reverse((key, item))) = self.queue.pop() else { return };
        self.state.move_to(key);
        match item {
            Item::Receipt(part) => self.state.receipt(*part),
            Item::Outcome(outcome) => {
                let (session, call, status, time) = *outcome;
                self.state.outcome(session, call, status, time);
            }
            Item::Approval(approval) => self.state.approval(approval.0, approval.1),
            Item::Event(event) => self.state.event(event),
        }
    }

    fn hand_out(&mut self) {
        for finding in self.state.found.drain(..) {
            (self.sink)(finding);
        }
    }
}

impl<F: FnMut(Finding)> fmt::Debug for Correlator<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Correlator")
            .field("queued", &self.queue.len())
            .field("calls", &self.state.calls.len())
            .field("report", &self.state.report)
            .finish_non_exhaustive()
    }
}

/// Why a line is neither one of a receipt file nor an opening.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionError {
    /// It is not valid UTF-8.
    #[error("an opening is not valid utf-8")]
    Encoding,
    /// It is not the canonical spelling of an opening.
    #[error("a line is no opening")]
    Opening(#[source] FormError),
    /// It is no line of a receipt file.
    #[error("a line is none of a receipt file")]
    Line(#[source] LineError),
}

fn part(receipt: &Receipt<'_>) -> Part {
    Part {
        session: receipt.session,
        call: receipt.call,
        index: receipt.index,
        of: receipt.of,
        verdict: receipt.call_decision,
        time: receipt.time,
        permit_until: receipt.permit_until,
        trace: receipt.traceparent.as_deref().and_then(parse_traceparent),
        txn: receipt.txn.as_deref().map(Into::into),
        approvals: receipt.approvals.iter().map(|approval| approval.id).collect(),
        domain: receipt.domain,
        effects: receipt
            .effects
            .iter()
            .map(|effect| (effect.kind.as_ref().into(), effect.commit))
            .collect(),
    }
}

fn time_of(body: &Body<'_>) -> u64 {
    match body {
        Body::Epoch(body) => body.time,
        Body::Open(body) => body.time,
        Body::Head(body) => body.time,
        Body::Close(body) => body.time,
        Body::Begin(body) => body.time,
        Body::Receipt(body) => body.time,
        Body::Outcome(body) => body.time,
        Body::Resume(body) => body.time,
        Body::End(body) => body.time,
    }
}
