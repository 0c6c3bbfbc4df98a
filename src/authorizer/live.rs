//! One open session at work: decides under its lock, chains the lines, and hands them on to be
//! stored in the order of the chain.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::authorizer::account::Reserved;
use crate::authorizer::permit::{Meter, Terms};
use crate::authorizer::place::Place;
use crate::authorizer::shared::{Shared, Sink, is_storing};
use crate::authorizer::{AuthorizeError, Pending};
use crate::governance::Subjects;
use crate::governance::limits::Reservation;
use crate::reason::Reason;
use crate::receipt::{
    Counters, EndStatus, Group, OutcomeRecord, OutcomeStatus, SessionHead, SessionId, Ticket,
    Turnstile,
};
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
    /// Whether the session was halted by hand.
    pub(crate) halted: AtomicBool,
    /// Everything that the session rests on and that can be revoked.
    pub(crate) subjects: Subjects,
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

    /// Why nothing is granted at `now` any more, whatever is asked.
    pub(crate) fn stopped(&self, state: &mut State, now: Timestamp) -> Option<Reason> {
        if self.halted.load(Ordering::Acquire) {
            return Some(Reason::SessionHalted);
        }
        self.place.stopped(now).or_else(|| {
            let revocations = self.shared.revocations();
            let generation = revocations.generation();
            match state.revoked {
                // What was looked up in these very lists is what they say.
                Some((known, reason)) if known == generation => reason,
                _ => {
                    let reason = revocations.check(&self.subjects);
                    state.revoked = Some((generation, reason));
                    reason
                }
            }
        })
    }

    /// Lets an issued call run, if what its permit holds under still holds.
    pub(crate) fn start(&self, call: u64, terms: &Terms) -> Result<Start, AuthorizeError> {
        let mut state = self.lock()?;
        let (time, _) = state.advance(self.shared.clock.now().ok());
        match time {
            Ok(now) if self.holds(&mut state, terms, now) && state.start(call) => {
                Ok(Start::Now(now))
            }
            _ => Ok(Start::Late),
        }
    }

    /// Whether a permit still holds at `now`: an allow is no answer to a question that would be put
    /// differently now.
    pub(crate) fn holds(&self, state: &mut State, terms: &Terms, now: Timestamp) -> bool {
        self.shared.snapshot().digest() == terms.bundle
            && terms.people.is_none_or(|people| people == self.shared.people())
            && self.place.labels().changes() == terms.labels
            && terms.issued <= now
            && now < terms.until
            && self.stopped(state, now).is_none()
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

    /// Lets lines wait for whoever stores next. The caller holds the state.
    pub(crate) fn wait_to_be_stored(&self, pending: Pending<()>) -> Result<(), AuthorizeError> {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        if outbox.len() >= MAX_OUTBOX {
            return Err(AuthorizeError::Misuse("too many groups wait to be stored"));
        }
        outbox.push(pending);
        Ok(())
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
            false => Err(AuthorizeError::Misuse("the labels of the session are full")),
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
