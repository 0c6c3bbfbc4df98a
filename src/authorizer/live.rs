//! One open session at work: decides under its lock, chains the lines, and hands them on to be
//! stored in the order of the chain.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::action::path::ResolvedPath;
use crate::action::{Action, Domain, Effect, EffectContext, Effects, Reversibility};
use crate::authorizer::decision::{Decided, EffectDecision, EffectOutcome, Severity};
use crate::authorizer::facts;
use crate::authorizer::gates::{Question, permit_until};
use crate::authorizer::permit::{Meter, Terms};
use crate::authorizer::shared::{Prepared, Shared, Sink, is_storing};
use crate::authorizer::witness::Witness;
use crate::authorizer::{AuthorizeError, Call, Decision, Deferral, Denial, Pending, Permit};
use crate::digest::Digest;
use crate::governance::limits::SessionLimits;
use crate::policy::{BundleLimits, Principal};
use crate::reason::Reason;
use crate::receipt::{
    self, About, CallRecord, DomainRecord, EffectRecord, EndStatus, Group, MAX_LABELS,
    OutcomeRecord, OutcomeStatus, SessionHead, SessionId, Ticket, Turnstile,
};
use crate::session::state::{Stage, State, labels_with};
use crate::time::Timestamp;

/// The longest description of an action, in bytes of canonical JSON.
const MAX_DESCRIPTION_BYTES: usize = 256 << 10;

/// The most policies that the lines of one call name in all, so that a line stays within its limit;
/// each effect names at least four. The first by name stand for the rest.
const MAX_NAMED: usize = 1024;

/// The most groups that may wait for somebody to store them.
const MAX_OUTBOX: usize = 1024;

#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) shared: Arc<Shared>,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) id: SessionId,
    pub(crate) agent: Box<str>,
    pub(crate) principal: Principal,
    pub(crate) turn: Turnstile,
    pub(crate) state: Mutex<State>,
    /// Groups that no one could store at once: outcomes reported where nothing may block.
    pub(crate) outbox: Mutex<Vec<Pending<()>>>,
}

impl Live {
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, State>, AuthorizeError> {
        // A panic while the state was held leaves it half changed: nothing more is decided on it.
        let state = self.state.lock().map_err(|_| AuthorizeError::Poisoned)?;
        if state.closed {
            return Err(AuthorizeError::Closed);
        }
        if self.turn.is_poisoned() {
            return Err(AuthorizeError::Poisoned);
        }
        Ok(state)
    }

    /// Who works on what, as receipts repeat it.
    fn about<'a>(&'a self, scopes: &'a [Digest]) -> About<'a> {
        let scope = &self.prepared.scope;
        About {
            agent: &self.agent,
            on_behalf_of: scope.on_behalf_of().unwrap_or(scope.owner()),
            owner: scope.owner(),
            task: scope.task(),
            scope: scopes,
        }
    }

    /// Decides on `action` and yields the lines that say so.
    pub(crate) fn propose<A: Action>(
        self: &Arc<Self>,
        action: A,
        call: &Call,
    ) -> Result<Proposed<A>, AuthorizeError> {
        let shared = &*self.shared;
        let scope = &self.prepared.scope;
        let snapshot = shared.snapshot();
        let mut described = {
            let context = EffectContext::new(&*shared.paths, scope.workspace(), snapshot.tools());
            describe(&action, &context)
        };
        let effects = std::mem::take(&mut described.effects);
        let limits = capped(&self.prepared.limits, snapshot.limits());

        let mut state = self.lock()?;
        if call.cause.is_some_and(|cause| cause >= state.chain.lines()) {
            return Err(AuthorizeError::Misuse(
                "a call follows from an earlier line of its session",
            ));
        }
        let (time, now) = state.advance(shared.clock.now().ok());
        state.ledger.tick(now, &limits);
        // What the call reads counts for what it sends, and for every later call once it is allowed.
        let labels = labels_with(&state.labels, effects.iter());
        let witness = Witness::new(&*shared.paths);
        let question = Question {
            snapshot: &snapshot,
            scope,
            limits: &limits,
            ledger: &state.ledger,
            principal: &self.principal,
            memory: None,
            paths: &witness,
            environment: &shared.environment,
            provenance: call.provenance,
            labels: &state.labels,
            call_labels: labels.as_deref(),
            time,
            now,
        };
        let mut answer = question.decide(effects);
        let facts = facts::write(
            &question,
            answer.effects.iter().map(|decided| &decided.effect),
            &self.prepared.links,
            shared.permit_lifetime,
        );

        let number = state.chain.next_call();
        let mut until = None;
        if let Some(reservation) = answer.account(&mut state.ledger, &limits) {
            state.issue(number, reservation);
            state.labels = labels.unwrap_or_else(|| state.labels.clone());
            until = Some(permit_until(now, shared.permit_lifetime, &snapshot, scope));
        }
        let decided = Decided::new(self.id, number, answer.effects, described.directory.take());
        let lines = Lines { live: self, call, description: &described.text, facts: &facts };
        let group =
            lines.write(&mut state, &decided, &action.kind(), snapshot.digest(), until, now);
        // The ticket is issued under the lock, so that its order is the chain's. A line that could
        // not be written has left the ledger ahead of the chain: the ticket is dropped unused.
        let ticket = self.turn.issue();
        let group = group?;
        let earlier = self.take_earlier();
        let labels = state.labels.len();
        drop(state);

        let decided = Arc::new(decided);
        let decision = match (answer.severity, until) {
            (Severity::Allow, Some(until)) => {
                let terms = Terms { issued: now, until, bundle: snapshot.digest(), labels };
                Decision::Allow(Permit::new(Arc::clone(self), action, decided, terms))
            }
            (Severity::Defer, _) => Decision::Defer(Deferral(decided)),
            _ => Decision::Deny(Denial(decided)),
        };
        Ok(Proposed { earlier, pending: Pending::new(group, vec![ticket], decision) })
    }

    /// Lets an issued call run, if what its permit holds under still holds.
    pub(crate) fn start(&self, call: u64, terms: &Terms) -> Result<Start, AuthorizeError> {
        let bundle = self.shared.snapshot().digest();
        let mut state = self.lock()?;
        let (time, _) = state.advance(self.shared.clock.now().ok());
        // An allow is no answer to a question that would be put differently now.
        let same = bundle == terms.bundle && state.labels.len() == terms.labels;
        match time {
            Ok(now) if same && terms.issued <= now && now < terms.until && state.start(call) => {
                Ok(Start::Now(now))
            }
            _ => Ok(Start::Late),
        }
    }

    /// Ends a call and stores the line that says how; where that cannot be done here, the line waits.
    pub(crate) fn end_call(
        &self,
        call: u64,
        status: OutcomeStatus,
        meter: &Meter,
        started: Option<Timestamp>,
    ) -> Result<(), AuthorizeError> {
        let waits = !matches!(self.shared.sink, Sink::Blocking(_)) || is_storing();
        let Some(ended) = self.finish(call, status, meter, started, waits)? else { return Ok(()) };
        ended.into_iter().try_for_each(|pending| self.shared.store(pending))
    }

    /// Ends a call as [`end_call`](Self::end_call) does, and stores what waits.
    pub(crate) async fn end_call_async(
        &self,
        call: u64,
        status: OutcomeStatus,
        meter: &Meter,
        started: Option<Timestamp>,
    ) -> Result<(), AuthorizeError> {
        self.end_call(call, status, meter, started)?;
        self.flush().await
    }

    /// Ends a call. Its line is put behind those that wait, or returned behind them to be stored;
    /// `None` when it waits, or has ended already.
    fn finish(
        &self,
        call: u64,
        status: OutcomeStatus,
        meter: &Meter,
        started: Option<Timestamp>,
        waits: bool,
    ) -> Result<Option<Vec<Pending<()>>>, AuthorizeError> {
        let mut state = self.lock()?;
        let Some((stage, reservation)) = state.finish(call) else { return Ok(None) };
        match (stage, status) {
            // It never ran, so that nothing of what was reserved is gone.
            (Stage::Issued, _) => state.ledger.settle(reservation, Some(0), Some(0)),
            // Nobody saw its end, so that what was reserved is gone, and more if more was reported.
            (Stage::Running, OutcomeStatus::Unfinished | OutcomeStatus::Panicked) => {
                let (egress, seconds) = meter.read();
                let egress = egress.map(|bytes| bytes.max(reservation.egress_bytes()));
                let seconds = seconds.map(|used| used.max(reservation.accelerator_seconds()));
                state.ledger.settle(reservation, egress, seconds);
            }
            (Stage::Running, _) => {
                let (egress, seconds) = meter.read();
                state.ledger.settle(reservation, egress, seconds);
            }
        }
        let (_, now) = state.advance(self.shared.clock.now().ok());
        let record = OutcomeRecord {
            call,
            status,
            result: None,
            duration_ms: started.map_or(0, |started| now.since(started).as_millis() as u64),
            after: state.counters(),
            time: now,
        };
        let ticket = self.turn.issue();
        let group = state.chain.append_outcome(&self.shared.key, &record)?;
        let pending = Pending::new(group, vec![ticket], ());
        // Under the lock, so that what waits stands in the order of the chain.
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        if outbox.len() >= MAX_OUTBOX {
            return Err(AuthorizeError::Misuse("too many groups wait to be stored"));
        }
        outbox.push(pending);
        Ok((!waits).then(|| std::mem::take(&mut *outbox)))
    }

    /// Stores what waits in the outbox.
    pub(crate) async fn flush(&self) -> Result<(), AuthorizeError> {
        if let Sink::Asynchronous(_) = self.shared.sink {
            for pending in self.take_outbox() {
                self.shared.store_async(pending).await?;
            }
        }
        Ok(())
    }

    pub(crate) fn take_outbox(&self) -> Vec<Pending<()>> {
        std::mem::take(&mut *self.outbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what stands before a ticket that is issued under the lock which the caller holds. The
    /// caller of a host without a sink takes it by itself.
    fn take_earlier(&self) -> Vec<Pending<()>> {
        match self.shared.sink {
            Sink::Caller => Vec::new(),
            Sink::Blocking(_) | Sink::Asynchronous(_) => self.take_outbox(),
        }
    }

    /// Refuses where lines of the session wait for the caller's answer: what comes next ties the
    /// journal to the session, and must not fail with it.
    pub(crate) fn check_answered(&self) -> Result<(), AuthorizeError> {
        if self.turn.is_poisoned() {
            return Err(AuthorizeError::Poisoned);
        }
        let waits = !self.outbox.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if waits || !self.turn.is_idle() {
            return Err(AuthorizeError::Misuse(
                "store and answer what the session has proposed first",
            ));
        }
        Ok(())
    }

    /// Starts to account in the journal for all lines of the session so far.
    pub(crate) fn begin_head(&self) -> Result<Stop, AuthorizeError> {
        let mut state = self.lock()?;
        let (_, now) = state.advance(self.shared.clock.now().ok());
        let head = state.chain.session_head();
        let ticket = self.turn.issue();
        let earlier = self.take_earlier();
        Ok(Stop { earlier, ticket, group: Group::default(), end: None, head, now })
    }

    /// Starts to end the session: permits that are out are void, and nothing follows the last line.
    pub(crate) fn begin_close(&self) -> Result<Stop, AuthorizeError> {
        let mut state = self.lock()?;
        if state.running() > 0 {
            return Err(AuthorizeError::Misuse("an action of the session is still running"));
        }
        let (time, now) = state.advance(self.shared.clock.now().ok());
        // Issued first: should a line fail to be written, the chain is ahead and must not go on.
        let ticket = self.turn.issue();
        let mut group = Group::default();
        for call in state.issued() {
            if let Some((_, reservation)) = state.finish(call) {
                state.ledger.settle(reservation, Some(0), Some(0));
            }
            let record = OutcomeRecord {
                call,
                status: OutcomeStatus::Unused,
                result: None,
                duration_ms: 0,
                after: state.counters(),
                time: now,
            };
            let outcome = state.chain.append_outcome(&self.shared.key, &record)?;
            group.lines.extend(outcome.lines);
        }
        let status = match time {
            Ok(now) if now >= self.prepared.scope.expires() => EndStatus::Expired,
            _ => EndStatus::Finished,
        };
        group.lines.push(state.chain.end(&self.shared.key, status, now)?);
        state.closed = true;
        let head = state.chain.session_head();
        let earlier = self.take_earlier();
        Ok(Stop { earlier, ticket, group, end: Some(status), head, now })
    }

    /// Adds the journal's line to a stop. The session's own turn has come, so that the journal is not
    /// tied to lines that may never be stored.
    pub(crate) fn tie(&self, stop: Stop) -> Result<Pending<()>, AuthorizeError> {
        let Stop { mut group, end, head, now, .. } = stop;
        let pending = self.shared.write_journal(now, |journal, now| {
            group.lines.push(match end {
                None => journal.head(&head, now)?,
                Some(status) => journal.close(&head, status, now)?,
            });
            Ok((group, ()))
        });
        pending.map(|pending| pending.after(stop.ticket))
    }

    pub(crate) fn add_label(&self, label: &str) -> Result<(), AuthorizeError> {
        let label = crate::action::token(label)
            .map_err(|_| AuthorizeError::Misuse("a label is a plain token"))?;
        let mut state = self.lock()?;
        if let Err(at) = state.labels.binary_search(&label) {
            if state.labels.len() >= MAX_LABELS {
                return Err(AuthorizeError::Misuse("the session has too many labels"));
            }
            state.labels.insert(at, label);
        }
        Ok(())
    }
}

/// A decision whose lines are to be stored, after what stands before them in the chain.
#[derive(Debug)]
pub(crate) struct Proposed<A: Action> {
    pub(crate) earlier: Vec<Pending<()>>,
    pub(crate) pending: Pending<Decision<A>>,
}

/// A point at which the journal accounts for a session, before its line is written.
#[derive(Debug)]
pub(crate) struct Stop {
    /// What stands before it in the session's chain.
    pub(crate) earlier: Vec<Pending<()>>,
    /// Its turn in the session's chain.
    pub(crate) ticket: Ticket,
    group: Group,
    end: Option<EndStatus>,
    head: SessionHead,
    now: Timestamp,
}

/// The limits of a scope where they are smaller than the caps of the bundle, and the caps elsewhere.
pub(crate) fn capped(limits: &SessionLimits, caps: &BundleLimits) -> SessionLimits {
    let cap = |own: u64, cap: Option<u64>| own.min(cap.unwrap_or(u64::MAX));
    SessionLimits {
        actions: cap(limits.actions, caps.actions),
        per_minute: cap(limits.per_minute, caps.per_minute),
        denials: cap(limits.denials, caps.denials),
        distinct_targets: cap(limits.distinct_targets, caps.distinct_targets),
        ..limits.clone()
    }
}

/// Whether an issued call may run.
#[derive(Debug)]
pub(crate) enum Start {
    /// Now.
    Now(Timestamp),
    /// Not any more.
    Late,
}

/// What an action says of itself, within its bounds.
pub(crate) struct Described {
    /// Its arguments, as canonical JSON.
    pub(crate) text: String,
    pub(crate) effects: Vec<Effect>,
    /// Where a command that it hands out starts.
    pub(crate) directory: Option<ResolvedPath>,
}

/// Asks an action what it is and does.
pub(crate) fn describe<A: Action + ?Sized>(action: &A, context: &EffectContext<'_>) -> Described {
    let mut effects = Effects::default();
    let description = action.describe().to_canonical();
    if description.len() <= MAX_DESCRIPTION_BYTES {
        action.effects(context, &mut effects);
        let directory = effects.take_directory();
        return Described { text: description, effects: effects.finish(), directory };
    }
    // Too large to be kept: its digest stands for it, and every effect it has is unknown.
    let digest = Digest::of("countersign 2026-11 large action v1", description.as_bytes());
    action.effects(context, &mut effects);
    let mut opaque = Effects::default();
    let mut last = None;
    for effect in effects.finish() {
        if last != Some(effect.domain()) {
            opaque.push_opaque(effect.kind(), Reason::ActionTooLarge);
            last = Some(effect.domain());
        }
    }
    let text = format!("{{\"bytes\":{},\"digest\":\"{digest}\"}}", description.len());
    Described { text, effects: opaque.finish(), directory: None }
}

/// What the lines of one call are written from.
struct Lines<'a> {
    live: &'a Live,
    call: &'a Call,
    description: &'a str,
    facts: &'a str,
}

impl Lines<'_> {
    fn write(
        &self,
        state: &mut State,
        decided: &Decided,
        kind: &str,
        bundle: Digest,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Group, AuthorizeError> {
        let mut values = Vec::with_capacity(decided.effects.len());
        for effect in &decided.effects {
            let mut value = String::with_capacity(256);
            effect.effect.write_canonical(&mut value);
            values.push(value);
        }
        let count = decided.effects.len();
        let lists: Vec<Lists<'_>> =
            decided.effects.iter().map(|effect| Lists::of(effect, count)).collect();
        let provenance = self.call.provenance.as_str();
        let mut records = Vec::with_capacity(decided.effects.len());
        for ((effect, value), lists) in decided.effects.iter().zip(&values).zip(&lists) {
            records.push(EffectRecord {
                decision: verdict(effect.severity()),
                kind: effect.effect.kind().as_str(),
                value,
                policies: &lists.policies,
                provenance,
                quorums: &lists.quorums,
                reasons: &lists.reasons,
                reversibility: reversibility(effect.effect.reversibility()),
            });
        }
        // Effects are sorted by domain, so that each domain is one run of them.
        let mut domains = Vec::with_capacity(4);
        let mut rest = records.as_slice();
        let mut kinds = decided.effects.iter().map(|effect| effect.effect.domain()).peekable();
        while let Some(domain) = kinds.next() {
            let mut count = 1;
            while kinds.next_if_eq(&domain).is_some() {
                count += 1;
            }
            let (own, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            domains.push(DomainRecord { domain: line_domain(domain), effects: own });
            rest = others;
        }
        let scopes = [self.live.prepared.scope.digest()];
        let after = state.counters();
        let labels: Vec<Cow<'_, str>> =
            state.labels.iter().map(|label| Cow::Borrowed(&**label)).collect();
        let record = CallRecord {
            about: self.live.about(&scopes),
            kind: short_kind(kind),
            action: self.description,
            facts: self.facts,
            bundle,
            domains: &domains,
            approvals: &[],
            after,
            labels: &labels,
            cause: self.call.cause,
            permit_until: until,
            traceparent: self.call.traceparent.as_deref(),
            txn: self.call.txn.as_deref(),
            time: now,
        };
        Ok(state.chain.append_call(&self.live.shared.key, &record)?)
    }
}

/// The texts of one effect's line, borrowed.
pub(crate) struct Lists<'a> {
    pub(crate) policies: Vec<Cow<'a, str>>,
    pub(crate) quorums: Vec<Cow<'a, str>>,
    pub(crate) reasons: Vec<Cow<'a, str>>,
}

impl<'a> Lists<'a> {
    /// Takes the texts of one effect of a call that has `count`.
    pub(crate) fn of(effect: &'a EffectDecision, count: usize) -> Self {
        let named = (MAX_NAMED / count.max(1)).clamp(4, 256);
        let borrow = |texts: &'a [Box<str>]| {
            texts.iter().take(named).map(|text| Cow::Borrowed(&**text)).collect()
        };
        Self {
            policies: borrow(&effect.policies),
            quorums: match &effect.outcome {
                EffectOutcome::Defer { quorums } => borrow(quorums),
                _ => Vec::new(),
            },
            reasons: effect.reason().map(|reason| reason.code().into()).into_iter().collect(),
        }
    }
}

/// The kind of an action as a line carries it: a host's own implementation may return anything.
fn short_kind(kind: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    if (1..=128).contains(&kind.len()) && kind.bytes().all(plain) { kind } else { "invalid" }
}

pub(crate) const fn verdict(severity: Severity) -> receipt::Verdict {
    match severity {
        Severity::Allow => receipt::Verdict::Allow,
        Severity::Defer => receipt::Verdict::Defer,
        Severity::Deny => receipt::Verdict::Deny,
    }
}

pub(crate) const fn line_domain(domain: Domain) -> receipt::Domain {
    match domain {
        Domain::Application => receipt::Domain::Application,
        Domain::Infrastructure => receipt::Domain::Infrastructure,
        Domain::Data => receipt::Domain::Data,
        Domain::Workload => receipt::Domain::Workload,
    }
}

pub(crate) const fn reversibility(reversibility: Reversibility) -> receipt::Reversibility {
    match reversibility {
        Reversibility::Reversible => receipt::Reversibility::Reversible,
        Reversibility::Compensable => receipt::Reversibility::Compensable,
        Reversibility::Irreversible => receipt::Reversibility::Irreversible,
    }
}
