//! One open session at work: decides under its lock, chains the lines, and hands them on to be
//! stored in the order of the chain.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::action::{Action, EffectContext};
use crate::authorizer::account::Reserved;
use crate::authorizer::decision::{Decided, Severity};
use crate::authorizer::facts;
use crate::authorizer::gates::{Hop, Question};
use crate::authorizer::lines::{Lines, describe};
use crate::authorizer::permit::{Meter, Terms};
use crate::authorizer::place::Place;
use crate::authorizer::shared::{Shared, Sink, is_storing};
use crate::authorizer::witness::Witness;
use crate::authorizer::{AuthorizeError, Call, Decision, Deferral, Denial, Pending, Permit};
use crate::governance::labels::{After, Sources};
use crate::governance::limits::{Ledger, Reservation, SessionLimits};
use crate::receipt::{
    Counters, EndStatus, Group, OutcomeRecord, OutcomeStatus, SessionHead, SessionId, Ticket,
    Turnstile,
};
use crate::scope::CompiledScope;
use crate::session::state::{Stage, State};
use crate::time::Timestamp;

/// The most groups that may wait for somebody to store them.
const MAX_OUTBOX: usize = 1024;

#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: SessionId,
    pub(crate) place: Place,
    pub(crate) turn: Turnstile,
    pub(crate) state: Mutex<State>,
    /// Groups that no one could store at once: outcomes reported where nothing may block.
    pub(crate) outbox: Mutex<Vec<Pending<()>>>,
    /// Whether the session was closed: what it delegated ends with it.
    pub(crate) ended: AtomicBool,
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

    /// Decides on `action` and yields the lines that say so.
    pub(crate) fn propose<A: Action>(
        self: &Arc<Self>,
        action: A,
        call: &Call,
    ) -> Result<Proposed<A>, AuthorizeError> {
        let shared = &*self.shared;
        let place = &self.place;
        let scope = place.scope();
        let snapshot = shared.snapshot();
        let mut described = {
            let context = EffectContext::new(&*shared.paths, scope.workspace(), snapshot.tools());
            describe(&action, &context)
        };
        let effects = std::mem::take(&mut described.effects);
        let limits = place.own.limits(&snapshot);
        let above_limits: Vec<SessionLimits> =
            place.above.iter().map(|account| account.limits(&snapshot)).collect();

        let mut state = self.lock()?;
        if call.cause.is_some_and(|cause| cause >= state.chain.lines()) {
            return Err(AuthorizeError::Misuse(
                "a call follows from an earlier line of its session",
            ));
        }
        let (time, now) = state.advance(shared.clock.now().ok());
        let stopped = place.stopped();
        let mut ledger = place.own.ledger();
        // From the session upwards, as every session of the tree does.
        let mut ledgers: Vec<MutexGuard<'_, Ledger>> =
            place.above.iter().rev().map(|account| account.ledger()).collect();
        ledgers.reverse();
        let mut held = place.labels();
        ledger.tick(now, &limits);
        ledgers.iter_mut().zip(&above_limits).for_each(|(above, limits)| above.tick(now, limits));
        // What the call reads counts for what it sends, and for every later call once it is allowed.
        let above_scopes: Vec<&CompiledScope> =
            place.above.iter().map(|account| &account.prepared.scope).collect();
        let sources = Sources { own: scope, above: &above_scopes, snapshot: &snapshot };
        let labels = held.with(sources, effects.iter());
        let witness = Witness::new(&*shared.paths);
        let (mut answer, facts, ends) = {
            let above: Vec<Hop<'_>> = place
                .above
                .iter()
                .zip(&ledgers)
                .zip(&above_limits)
                .map(|((account, ledger), limits)| Hop {
                    scope: &account.prepared.scope,
                    limits,
                    ledger,
                })
                .collect();
            let question = Question {
                snapshot: &snapshot,
                own: Hop { scope, limits: &limits, ledger: &ledger },
                above: &above,
                stopped,
                approvals: &[],
                acting_through: &place.acting_through,
                observed: false,
                principal: &place.principal,
                memory: None,
                paths: &witness,
                environment: &shared.environment,
                provenance: call.provenance,
                labels: &held,
                labels_after: &labels,
                time,
                now,
            };
            let answer = question.decide(effects);
            let links: Vec<&str> = place.hops().map(|hop| &*hop.prepared.links).collect();
            let decided = answer.effects.iter().map(|decided| &decided.effect);
            let facts = facts::write(&question, decided, &links, shared.permit_lifetime);
            let ends = question.permit_until(shared.permit_lifetime);
            (answer, facts, ends)
        };

        let number = state.chain.next_call();
        let mut until = None;
        let above = ledgers.iter_mut().map(|ledger| &mut **ledger).zip(&above_limits);
        if let Some(reservation) = answer.account((&mut ledger, &limits), above) {
            state.issue(number, reservation);
            if let After::More(labels) = labels {
                *held = labels;
            }
            until = Some(ends);
        }
        let decided = Decided::new(self.id, number, answer.effects, described.directory.take());
        let kind = action.kind();
        let lines = Lines {
            live: self,
            call,
            kind: &kind,
            description: &described.text,
            facts: &facts,
            bundle: snapshot.digest(),
            approvals: &[],
            counters: ledger.past().counters(),
            labels: held.touched(),
            until,
            now,
        };
        let group = lines.write(&mut state.chain, &decided);
        // The ticket is issued under the lock, so that its order is the chain's. A line that could
        // not be written has left the ledger ahead of the chain: the ticket is dropped unused.
        let ticket = self.turn.issue();
        let group = group?;
        let earlier = self.take_earlier();
        let labels = held.changes();
        drop((held, ledgers, ledger, state));

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
        let same = bundle == terms.bundle
            && self.place.labels().changes() == terms.labels
            && self.place.stopped().is_none();
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
        let Some((stage, reserved)) = state.finish(call) else { return Ok(None) };
        let (egress, seconds) = meter.read();
        self.settle(&reserved, |reservation| match (stage, status) {
            // It never ran, so that nothing of what was reserved is gone.
            (Stage::Issued, _) => (Some(0), Some(0)),
            // Nobody saw its end, so that what was reserved is gone, and more if more was reported.
            (Stage::Running, OutcomeStatus::Unfinished | OutcomeStatus::Panicked) => (
                egress.map(|bytes| bytes.max(reservation.egress_bytes())),
                seconds.map(|used| used.max(reservation.accelerator_seconds())),
            ),
            (Stage::Running, _) => (egress, seconds),
        });
        let (_, now) = state.advance(self.shared.clock.now().ok());
        let record = OutcomeRecord {
            call,
            status,
            result: None,
            duration_ms: started.map_or(0, |started| now.since(started).as_millis() as u64),
            after: self.counters(),
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
    pub(crate) fn take_earlier(&self) -> Vec<Pending<()>> {
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
            if let Some((_, reserved)) = state.finish(call) {
                self.settle(&reserved, |_| (Some(0), Some(0)));
            }
            let record = OutcomeRecord {
                call,
                status: OutcomeStatus::Unused,
                result: None,
                duration_ms: 0,
                after: self.counters(),
                time: now,
            };
            let outcome = state.chain.append_outcome(&self.shared.key, &record)?;
            group.lines.extend(outcome.lines);
        }
        let status = match time {
            Ok(now) if now >= self.place.ends() => EndStatus::Expired,
            _ => EndStatus::Finished,
        };
        group.lines.push(state.chain.end(&self.shared.key, status, now)?);
        state.closed = true;
        self.ended.store(true, Ordering::Release);
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
        let state = self.lock()?;
        let touched = self.place.labels().touch(&label);
        drop(state);
        match touched {
            true => Ok(()),
            false => Err(AuthorizeError::Misuse("the session has too many labels")),
        }
    }

    /// The counters of the session, as receipts carry them.
    pub(crate) fn counters(&self) -> Counters<'static> {
        self.place.own.ledger().past().counters()
    }

    /// Settles what a call had reserved, with every hop. `used` says what of a reservation is gone.
    fn settle(
        &self,
        reserved: &Reserved,
        used: impl Fn(Reservation) -> (Option<u64>, Option<u64>),
    ) {
        for (account, reservation) in
            self.place.hops().zip(reserved.above.iter().chain([&reserved.own]))
        {
            let (egress, seconds) = used(*reservation);
            account.ledger().settle(*reservation, egress, seconds);
        }
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

/// Whether an issued call may run.
#[derive(Debug)]
pub(crate) enum Start {
    /// Now.
    Now(Timestamp),
    /// Not any more.
    Late,
}
