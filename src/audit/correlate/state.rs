//! What is known at one moment of the merged streams, and how events are judged by it.

use std::collections::BTreeSet;

use super::calls::{Call, Calls, Keep, Part};
use super::finding::{Cause, Finding, Gap, Severity, What};
use super::kept::{Use, Used, Waiting};
use super::observed::{Observed, Seen, SpanId, TraceId};
use super::report::Report;
use super::settings::Builder;
use super::target::{Key, Match, Target, is_below, is_program, lookups};
use crate::digest::Digest;
use crate::receipt::{Opening, OutcomeStatus, SessionId, Verdict};
use crate::time::Timestamp;

pub(super) struct State {
    pub(super) settings: Builder,
    pub(super) calls: Calls,
    pub(super) report: Report,
    /// Findings that the caller has not been given yet: a few.
    pub(super) found: Vec<Finding>,
    /// Events that wait for an outcome.
    pub(super) held: usize,
    openings: Waiting,
    used: Used,
    gaps: [u64; 10],
    /// The latest time that was judged.
    now: u64,
    finishing: bool,
    keys: Vec<u64>,
}

/// For which calls an event can be.
#[derive(Clone, Copy)]
enum Who {
    Call(u64),
    /// A call that is not on record, or not any more.
    Missing(SessionId, u64),
    Session(SessionId),
    Trace(TraceId),
    Txn,
    Nobody,
}

/// What the calls say of an event, from the best to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Covered,
    /// Covered if an outcome says that the call still ran.
    Waits,
    /// It belongs to a call of which the record says that nothing ran.
    Unrun,
    KindOnly,
    NotComparable,
    Near(Cause),
}

/// When an effect was seen, beside the life of a call.
enum When {
    Within,
    /// After the permit, and nobody has said yet when the call ended.
    Open,
    Unrun,
    Not(Cause),
}

impl State {
    pub(super) fn new(settings: Builder) -> Self {
        let after = settings.window + settings.linger + settle(&settings) + 2 * settings.skew;
        let keep = Keep { after, by_kind: !settings.tools.is_empty() };
        Self {
            openings: Waiting::default(),
            used: Used::default(),
            calls: Calls::new(keep),
            report: Report::default(),
            found: Vec::new(),
            held: 0,
            gaps: [0; 10],
            now: 0,
            finishing: false,
            keys: Vec::new(),
            settings,
        }
    }

    /// Moves on to `now`: calls whose window is over are closed.
    pub(super) fn move_to(&mut self, now: u64) {
        self.now = self.now.max(now);
        while let Some(serial) = self.calls.expired(self.now) {
            self.close(serial);
        }
    }

    /// Closes everything: nothing more will come.
    pub(super) fn finish(&mut self) {
        // Calls whose window was over before the end of the input are closed as such.
        self.finishing = true;
        while let Some(serial) = self.calls.oldest() {
            self.close(serial);
        }
    }

    pub(super) const fn now(&self) -> u64 {
        self.now
    }

    pub(super) fn receipt(&mut self, part: Part) {
        let (session, call, verdict, time) = (part.session, part.call, part.verdict, part.time);
        let approvals = part.approvals.clone();
        let (serial, new) = self.calls.add(part);
        if new {
            self.count_call(session, verdict);
            for id in approvals {
                if self.used.add(
                    id,
                    Use { session, call, serial, decided: time, first: None },
                    self.settings.caps.approvals,
                ) {
                    self.gap(Gap::Approvals);
                }
            }
        }
        let waiting = self.openings.take(session, call);
        if !waiting.is_empty() {
            waiting.into_iter().for_each(|opening| self.use_opening(serial, opening));
            self.calls.reindex(serial);
        }
        while self.calls.len() > self.settings.caps.calls
            || self.calls.effects() > self.settings.caps.effects && self.calls.len() > 1
        {
            self.gap(Gap::Calls);
            match self.calls.oldest() {
                Some(oldest) => self.close(oldest),
                None => break,
            }
        }
    }

    pub(super) fn opening(&mut self, opening: Opening) {
        // The rest of a call is nothing that a watcher shows.
        if !opening.name().starts_with("effects/") {
            return;
        }
        match self.calls.find(opening.session(), opening.call()) {
            Some(serial) => {
                self.use_opening(serial, opening);
                self.calls.reindex(serial);
            }
            None => self.keep_opening(opening),
        }
    }

    fn use_opening(&mut self, serial: u64, opening: Opening) {
        let Some(call) = self.calls.get_mut(serial) else { return };
        if call.open(&opening) {
            return;
        }
        // Of a line of the group that has not come?
        if call.is_complete() {
            self.gap(Gap::WrongOpening);
        } else {
            self.keep_opening(opening);
        }
    }

    fn keep_opening(&mut self, opening: Opening) {
        if self.openings.add(opening, self.settings.caps.openings) {
            self.gap(Gap::Openings);
        }
    }

    pub(super) fn outcome(
        &mut self,
        session: SessionId,
        call: u64,
        status: OutcomeStatus,
        time: u64,
    ) {
        let Some(serial) = self.calls.find(session, call) else { return };
        self.calls.set_outcome(serial, status, time);
        let waiting = match self.calls.get_mut(serial) {
            Some(call) => std::mem::take(&mut call.waiting),
            None => return,
        };
        for event in waiting {
            self.held = self.held.saturating_sub(1);
            self.judge(Box::new(event), None);
        }
    }

    pub(super) fn approval(&mut self, id: Digest, given: Timestamp) {
        let mut late = Vec::new();
        for used in self.used.of(&id) {
            let decided = Timestamp::from_millis(used.decided);
            if used.decided.saturating_add(self.settings.skew) < given.as_millis() {
                let first = self.calls.get(used.serial).and_then(|call| call.first.as_ref());
                let event = first.or(used.first.as_ref()).cloned();
                late.push(Finding {
                    what: What::LateApproval { approval: id, given, used: decided },
                    severity: Severity::High,
                    session: Some(used.session),
                    call: Some(used.call),
                    event: event.filter(|event| event.start < given),
                });
            }
        }
        late.into_iter().for_each(|finding| self.find(finding));
    }

    /// Says that an event happened.
    pub(super) fn event(&mut self, event: Box<Observed>) {
        let watched =
            event.seen.class().is_some_and(|class| self.settings.watched.contains(&class));
        if !watched {
            self.report.unwatched += 1;
        } else if self.is_ignored(&event) {
            self.report.ignored += 1;
        } else {
            self.report.judged += 1;
            self.judge(event, None);
        }
    }

    fn is_ignored(&self, event: &Observed) -> bool {
        let programs = &self.settings.ignored_programs;
        match &event.seen {
            Seen::Process(program) => {
                program.path.as_deref().is_some_and(|path| programs.contains(path))
            }
            seen => {
                event.actor.as_deref().is_some_and(|actor| programs.contains(actor))
                    || match seen {
                        Seen::Connection(connection) => connection.port.is_some_and(|port| {
                            // The address decides where there is one: names are what somebody looked up.
                            let host = connection.address.as_ref().or(connection.name.as_ref());
                            host.is_some_and(|host| {
                                self.settings.ignored_hosts.contains(&(host.clone(), port))
                            })
                        }),
                        Seen::File { path, access: super::Access::Read } => {
                            let below =
                                |above: &str| path.as_ref() == above || is_below(path, above);
                            self.settings.ignored_reads.iter().any(|above| below(above))
                        }
                        _ => false,
                    }
            }
        }
    }

    /// Judges an event, leaving out the call that it has waited for in vain.
    fn judge(&mut self, event: Box<Observed>, waited: Option<(SessionId, u64)>) {
        let who = self.attribute(&event);
        let (answer, serial) = match self.ask(&event, who) {
            Some((answer, serial)) => (Some(answer), Some(serial)),
            None => (None, None),
        };
        match (answer, serial) {
            (Some(Answer::Covered), Some(serial)) => self.see(serial, event, true),
            (Some(Answer::Unrun), Some(serial)) => self.see(serial, event, false),
            (Some(Answer::KindOnly), Some(serial)) => {
                self.report.kind_only += 1;
                self.see(serial, event, true);
            }
            (Some(Answer::Waits), Some(serial)) => self.wait(serial, event),
            _ => self.uncovered(event, who, answer, serial, waited),
        }
    }

    fn wait(&mut self, serial: u64, event: Box<Observed>) {
        if self.held >= self.settings.caps.queue {
            self.gap(Gap::Queue);
            return self.uncovered(
                event,
                Who::Call(serial),
                Some(Answer::Near(Cause::AfterPermit)),
                Some(serial),
                None,
            );
        }
        if let Some(call) = self.calls.get_mut(serial) {
            call.waiting.push(*event);
            self.held += 1;
        }
    }

    fn see(&mut self, serial: u64, event: Box<Observed>, covered: bool) {
        let Some(call) = self.calls.get_mut(serial) else { return };
        call.seen += 1;
        if call.first.as_ref().is_none_or(|first| event.start < first.start) {
            call.first = Some(event);
        }
        let session = call.session;
        if covered {
            self.report.covered += 1;
            let most = self.settings.caps.sessions;
            if let Some(totals) = self.report.session(session, most) {
                totals.covered += 1;
            }
        }
    }

    /// Finds out for whom an event can be.
    fn attribute(&self, event: &Observed) -> Who {
        let ids = &event.ids;
        let place =
            event.place.as_deref().and_then(|place| self.settings.places.get(place)).copied();
        let session = place.or(ids.session);
        // A call of another session than that of the place is none of this.
        let call =
            ids.call.filter(|_| place.is_none_or(|place| ids.session.is_none_or(|s| s == place)));
        if let (Some(session), Some(call)) = (session, call) {
            return match self.calls.find(session, call) {
                Some(serial) => Who::Call(serial),
                None => Who::Missing(session, call),
            };
        }
        if let Some(trace) = ids.trace {
            let exact = |span: Option<SpanId>| self.calls.spanned(trace, span?);
            if let Some(serial) = exact(ids.span).or_else(|| exact(ids.parent_span)) {
                let own = self.calls.get(serial).map(|call| call.session);
                if session.is_none() || session == own {
                    return Who::Call(serial);
                }
            }
        }
        if let Some(session) = session {
            return Who::Session(session);
        }
        if let Some(trace) = ids.trace
            && self.calls.traced(trace).next().is_some()
        {
            return Who::Trace(trace);
        }
        match &ids.txn {
            Some(txn) if self.calls.of_txn(txn).next().is_some() => Who::Txn,
            _ => Who::Nobody,
        }
    }

    /// Asks the calls that can be meant; the best answer counts, of equal ones that of the latest call.
    fn ask(&mut self, event: &Observed, who: Who) -> Option<(Answer, u64)> {
        let extras = Extras::of(&self.settings, event);
        let mut best: Option<(Answer, u64)> = None;
        if let Who::Call(serial) = who {
            let call = self.calls.get(serial)?;
            return self.answer(call, event, &extras).map(|answer| (answer, serial));
        }
        if matches!(who, Who::Missing(..)) {
            return None;
        }
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        lookups(&event.seen, self.calls.has_trees(), &mut |key| keys.push(key));
        extras.lookups(&mut |key| keys.push(key));
        let mut crowded = false;
        'keys: for key in &keys {
            let most = self.settings.caps.candidates;
            for (tried, (serial, call)) in self.calls.under(*key).enumerate() {
                if tried >= most {
                    crowded = true;
                    break;
                }
                let meant = match who {
                    Who::Session(session) => call.session == session,
                    Who::Trace(trace) => call.trace.is_some_and(|(own, _)| own == trace),
                    Who::Txn => call.txn == event.ids.txn,
                    _ => true,
                };
                if !meant {
                    continue;
                }
                let Some(answer) = self.answer(call, event, &extras) else { continue };
                // Without any id a kind alone says nothing.
                if answer == Answer::KindOnly && matches!(who, Who::Nobody) {
                    continue;
                }
                if best.is_none_or(|(best, _)| rank(answer) < rank(best)) {
                    best = Some((answer, serial));
                }
                if answer == Answer::Covered {
                    break 'keys;
                }
            }
        }
        self.keys = keys;
        if crowded && !matches!(best, Some((Answer::Covered, _))) {
            self.gap(Gap::Candidates);
        }
        best
    }

    /// Asks one call; `None` if the event is nothing that it asked for.
    fn answer(&self, call: &Call, event: &Observed, extras: &Extras<'_>) -> Option<Answer> {
        let directories = &self.settings.program_directories;
        let matched = call.effects.iter().map(|effect| {
            let own = effect.effect.covers(&event.seen, directories);
            if own != Match::Yes && extras.cover(&effect.effect, directories) {
                Match::Yes
            } else {
                own
            }
        });
        let matched = matched.max().filter(|matched| *matched != Match::No)?;
        let refused = match call.verdict {
            Verdict::Deny => Some(Cause::Denied),
            Verdict::Defer => Some(Cause::Deferred),
            Verdict::Allow if !call.is_complete() => Some(Cause::NotReleased),
            Verdict::Allow => None,
        };
        // A kind alone is too little to say that it is what was refused.
        if let Some(cause) = refused {
            return (matched == Match::Yes).then_some(Answer::Near(cause));
        }
        Some(match (self.when(call, event.start.as_millis()), matched) {
            (When::Not(cause), Match::Yes) => Answer::Near(cause),
            (When::Not(_), _) => return None,
            (_, Match::NotComparable) => Answer::NotComparable,
            (When::Unrun, _) => Answer::Unrun,
            (_, Match::KindOnly) => Answer::KindOnly,
            (When::Within, _) => Answer::Covered,
            (When::Open, _) => Answer::Waits,
        })
    }

    fn when(&self, call: &Call, start: u64) -> When {
        let Builder { skew, window, linger, .. } = self.settings;
        if start.saturating_add(skew) < call.time {
            return When::Not(Cause::BeforeDecision);
        }
        match call.outcome {
            Some(_) if call.is_said_unrun() => When::Unrun,
            Some((_, ended)) if start <= ended.saturating_add(linger + skew) => When::Within,
            Some(_) => When::Not(Cause::AfterOutcome),
            None if start <= call.permit_until.saturating_add(skew) => When::Within,
            None if !self.finishing && start <= call.permit_until.saturating_add(window) => {
                When::Open
            }
            None => When::Not(Cause::AfterPermit),
        }
    }

    /// Reports an event that no call covers.
    fn uncovered(
        &mut self,
        event: Box<Observed>,
        who: Who,
        answer: Option<Answer>,
        serial: Option<u64>,
        waited: Option<(SessionId, u64)>,
    ) {
        let settings = &self.settings;
        let reaches = event.start.as_millis().saturating_add(settings.window + settle(settings));
        if reaches < self.now && waited.is_none() && !matches!(who, Who::Call(_)) {
            return self.gap(Gap::Stale);
        }
        let complete = settings.sources.get(event.source).is_some_and(|source| source.complete);
        let of = serial.and_then(|serial| self.calls.get(serial));
        let of = of.map(|call| (call.session, call.call));
        let near = match answer {
            Some(Answer::Near(cause)) => Some(cause),
            _ => None,
        };
        let incomparable = answer == Some(Answer::NotComparable);
        let (what, about) = match who {
            Who::Call(serial) => self.beside(serial, &event, near, incomparable),
            Who::Missing(session, call) => {
                (What::Bypass(Cause::NoCall), (Some(session), Some(call)))
            }
            Who::Trace(_) | Who::Txn => {
                let last = serial
                    .filter(|_| incomparable)
                    .or_else(|| if near.is_some() { None } else { self.last_allowed(who, &event) });
                match (last, near) {
                    (Some(last), _) => self.beside(last, &event, None, incomparable),
                    (None, Some(cause)) => (What::Bypass(cause), split(of)),
                    (None, None) => (What::Bypass(Cause::NoCall), (None, None)),
                }
            }
            Who::Session(session) => match (near, incomparable, waited) {
                (Some(cause), ..) => (What::Bypass(cause), split(of)),
                (_, true, _) => (What::Bypass(Cause::NotComparable), split(of)),
                (_, _, Some(waited)) => (What::Bypass(Cause::AfterPermit), split(Some(waited))),
                _ => (What::Bypass(Cause::NoCall), (Some(session), None)),
            },
            Who::Nobody => match (near, incomparable, waited) {
                (Some(Cause::Denied), ..) => (What::Bypass(Cause::Denied), split(of)),
                (_, _, Some(waited)) => (What::Bypass(Cause::AfterPermit), split(Some(waited))),
                _ if !complete => {
                    self.report.unattributed += 1;
                    return;
                }
                (Some(cause), ..) => (What::Bypass(cause), split(of)),
                (_, true, _) => (What::Bypass(Cause::NotComparable), split(of)),
                _ => (What::Bypass(Cause::NoCall), (None, None)),
            },
        };
        let severity = severity(&what, matches!(who, Who::Nobody), &event);
        let (session, call) = about;
        self.find(Finding { what, severity, session, call, event: Some(event) });
    }

    /// Says what an event is that belongs to this call and is not covered by it.
    fn beside(
        &self,
        serial: u64,
        event: &Observed,
        near: Option<Cause>,
        incomparable: bool,
    ) -> (What, (Option<SessionId>, Option<u64>)) {
        let Some(call) = self.calls.get(serial) else {
            return (What::Bypass(near.unwrap_or(Cause::NoCall)), (None, None));
        };
        let about = (Some(call.session), Some(call.call));
        let refused = near.or(match call.verdict {
            Verdict::Deny => Some(Cause::Denied),
            Verdict::Defer => Some(Cause::Deferred),
            Verdict::Allow if !call.is_complete() => Some(Cause::NotReleased),
            Verdict::Allow => match self.when(call, event.start.as_millis()) {
                When::Not(cause) => Some(cause),
                _ => None,
            },
        });
        if let Some(cause) = refused {
            return (What::Bypass(cause), about);
        }
        let allowed = call.effects.iter().take(MAX_DESCRIBED);
        let allowed = allowed.map(|effect| effect.effect.describe()).collect();
        (What::Mismatch { allowed, comparable: !incomparable }, about)
    }

    /// The latest allowed call of the trace or transaction in whose life the event falls.
    fn last_allowed(&self, who: Who, event: &Observed) -> Option<u64> {
        let start = event.start.as_millis();
        let fits = |call: &Call| {
            call.verdict == Verdict::Allow
                && call.is_complete()
                && !matches!(self.when(call, start), When::Not(_))
        };
        let most = self.settings.caps.candidates;
        match who {
            Who::Trace(trace) => {
                self.calls.traced(trace).take(most).find(|(_, call)| fits(call)).map(|(at, _)| at)
            }
            Who::Txn => {
                let txn = event.ids.txn.as_deref()?;
                self.calls.of_txn(txn).take(most).find(|(_, call)| fits(call)).map(|(at, _)| at)
            }
            _ => None,
        }
    }

    fn close(&mut self, serial: u64) {
        let Some(mut call) = self.calls.remove(serial) else { return };
        let waiting = std::mem::take(&mut call.waiting);
        self.openings.forget(call.session, call.call);
        for id in &call.approvals {
            self.used.set_first(id, serial, call.first.as_deref());
        }
        let cut = self.finishing && call.outcome.is_none();
        let unreported =
            call.verdict == Verdict::Allow && (call.outcome.is_none() || call.is_said_unrun());
        if call.seen > 0 && unreported {
            let status = call.outcome.map(|(status, _)| status);
            let severity = match status {
                Some(_) => Severity::High,
                None if cut => Severity::Low,
                None => Severity::Medium,
            };
            self.find(Finding {
                what: What::UnreportedOutcome { status, effects: call.seen, cut },
                severity,
                session: Some(call.session),
                call: Some(call.call),
                event: call.first.take(),
            });
        }
        for event in waiting.into_iter().map(Box::new) {
            self.held = self.held.saturating_sub(1);
            let ids = (call.session, call.call);
            let own = event.ids.call == Some(call.call) && event.ids.session == Some(call.session);
            if own {
                // Asked again it would find no call of this name.
                let what = What::Bypass(Cause::AfterPermit);
                let (severity, (session, call)) = (Severity::Medium, split(Some(ids)));
                self.find(Finding { what, severity, session, call, event: Some(event) });
            } else {
                self.judge(event, Some(ids));
            }
        }
    }

    fn count_call(&mut self, session: SessionId, verdict: Verdict) {
        let place = match verdict {
            Verdict::Allow => 0,
            Verdict::Defer => 1,
            Verdict::Deny => 2,
        };
        let most = self.settings.caps.sessions;
        let totals = self.report.session(session, most).map(|totals| &mut totals.calls);
        if let Some(count) = totals.and_then(|calls| calls.get_mut(place)) {
            *count += 1;
        }
        if let Some(count) = self.report.calls.get_mut(place) {
            *count += 1;
        }
    }

    /// Says that something could not be looked at: the first time, and then ever more rarely.
    pub(super) fn gap(&mut self, gap: Gap) {
        let Some(count) = self.gaps.get_mut(gap as usize) else { return };
        *count += 1;
        let count = *count;
        if count.is_power_of_two() {
            let what = What::Gap { gap, count };
            let severity = Severity::Medium;
            self.find(Finding { what, severity, session: None, call: None, event: None });
        }
    }

    fn find(&mut self, finding: Finding) {
        let place = Report::place(&finding.what);
        if let Some(count) = self.report.findings.get_mut(place) {
            *count += 1;
        }
        let most = self.settings.caps.sessions;
        if let Some(session) = finding.session
            && let Some(totals) = self.report.session(session, most)
            && let Some(count) = totals.findings.get_mut(place)
        {
            *count += 1;
        }
        self.found.push(finding);
    }
}

/// How long an event waits for what explains it: a decision may be written down later than its effect, by the
/// skew, and one that is later still shall be named.
pub(super) const fn settle(settings: &Builder) -> u64 {
    3 * settings.skew
}

fn split(of: Option<(SessionId, u64)>) -> (Option<SessionId>, Option<u64>) {
    (of.map(|(session, _)| session), of.map(|(_, call)| call))
}

/// Near misses are all the same: the latest is named.
const fn rank(answer: Answer) -> u8 {
    match answer {
        Answer::Covered => 0,
        Answer::Waits => 1,
        Answer::Unrun => 2,
        Answer::KindOnly => 3,
        Answer::NotComparable => 4,
        Answer::Near(_) => 5,
    }
}

fn severity(what: &What, by_target_alone: bool, event: &Observed) -> Severity {
    match what {
        What::Bypass(Cause::Denied) if by_target_alone => Severity::High,
        What::Bypass(Cause::Denied) => Severity::Critical,
        What::Bypass(Cause::NotComparable) | What::Mismatch { comparable: false, .. } => {
            Severity::Low
        }
        What::Bypass(Cause::AfterPermit) => Severity::Medium,
        // What a framework says of itself.
        What::Mismatch { .. } if matches!(event.seen, Seen::Tool { .. }) => Severity::Medium,
        _ => Severity::High,
    }
}

/// What was declared about an event of this sort.
struct Extras<'s> {
    launcher: bool,
    parents: Option<&'s BTreeSet<Box<str>>>,
    kinds: Option<&'s BTreeSet<Box<str>>>,
}

impl<'s> Extras<'s> {
    fn of(settings: &'s Builder, event: &Observed) -> Self {
        let mut extras = Self { launcher: false, parents: None, kinds: None };
        match &event.seen {
            Seen::Process(program) => {
                let path = program.path.as_deref();
                extras.launcher = path.is_some_and(|path| settings.launchers.contains(path));
                // By path where one was declared, else by name.
                extras.parents = path
                    .and_then(|path| settings.children.get(path))
                    .or_else(|| settings.children.get(&program.name));
            }
            Seen::Tool { name } => extras.kinds = settings.tools.get(name),
            _ => {}
        }
        extras
    }

    fn lookups(&self, add: &mut impl FnMut(u64)) {
        if self.launcher {
            add(Key::AnyProgram.hash());
        }
        for parent in self.parents.into_iter().flatten() {
            add(Key::Program(parent.rsplit('/').next().unwrap_or(parent)).hash());
        }
        for kind in self.kinds.into_iter().flatten() {
            add(Key::Tool(kind).hash());
        }
    }

    fn cover(&self, effect: &super::target::Effect, directories: &[Box<str>]) -> bool {
        let is_exec = &*effect.kind == "Exec";
        (self.launcher && is_exec)
            || self.kinds.is_some_and(|kinds| kinds.contains(&effect.kind))
            || match &effect.target {
                Some(Target::Program(allowed)) if is_exec => {
                    self.parents.into_iter().flatten().any(|parent| {
                        is_program(
                            allowed,
                            &super::observed::Program::new(parent, None),
                            directories,
                        )
                    })
                }
                _ => false,
            }
    }
}

/// Most effects of a call that a mismatch names.
const MAX_DESCRIBED: usize = 16;
