//! Keeps stores in the order of the chain while deciding goes on.
//!
//! A ticket is issued when a group is appended to its chain. Its holder stores the group when it is
//! the ticket's turn and says `done`; then it is the next one's turn. The first ticket that fails, or
//! is dropped, spoils all later ones: their lines are linked to a line that is not stored.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Issues tickets and lets them through one by one, in order.
#[derive(Clone, Default)]
pub struct Turnstile(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Default)]
struct State {
    issued: u64,
    /// The ticket whose turn it is.
    serving: u64,
    /// The first ticket that failed; it and all later ones never have their turn.
    failed: Option<u64>,
    wakers: BTreeMap<u64, Waker>,
}

impl State {
    fn turn(&self, ticket: u64) -> Turn {
        if self.failed.is_some_and(|failed| failed <= ticket) {
            Turn::Poisoned
        } else if self.serving == ticket {
            Turn::Now
        } else {
            Turn::NotYet
        }
    }
}

impl Turnstile {
    /// Builds a turnstile.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Issues the next ticket. Call it under the lock under which the group is appended to the
    /// chain, so that tickets have the order of the lines.
    #[must_use = "a ticket that is dropped counts as a failed store"]
    pub fn issue(&self) -> Ticket {
        let mut state = self.0.lock();
        let number = state.issued;
        state.issued += 1;
        Ticket { shared: Arc::clone(&self.0), number, resolved: false }
    }

    /// Tells whether every ticket that was issued is done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let state = self.0.lock();
        state.failed.is_none() && state.issued == state.serving
    }

    /// Tells whether a ticket failed, so that every ticket from now on does.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.0.lock().failed.is_some()
    }
}

impl fmt::Debug for Turnstile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { issued, serving, failed, .. } = &*self.0.lock();
        write!(f, "Turnstile(serving {serving} of {issued}, failed: {failed:?})")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whom it concerns, outside the lock.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let mut awake = Vec::new();
        let serving = state.serving;
        awake.extend(state.wakers.remove(&serving));
        if let Some(failed) = state.failed {
            awake.extend(state.wakers.split_off(&failed).into_values());
        }
        drop(state);
        self.turned.notify_all();
        awake.into_iter().for_each(Waker::wake);
    }
}

/// A place in the order. Dropping it without an answer counts as a failed store.
#[must_use = "a ticket that is dropped counts as a failed store"]
pub struct Ticket {
    shared: Arc<Shared>,
    number: u64,
    resolved: bool,
}

/// Whether it is a ticket's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Store the group, then say [`Ticket::done`] or [`Ticket::fail`].
    Now,
    /// Earlier groups are not stored yet.
    NotYet,
    /// An earlier group, or this one, was not stored. The turn never comes.
    Poisoned,
}

impl Ticket {
    /// Tells whose turn it is, without waiting.
    #[must_use]
    pub fn try_turn(&self) -> Turn {
        self.shared.lock().turn(self.number)
    }

    /// Waits for the turn, blocking the thread.
    ///
    /// # Errors
    ///
    /// Returns [`StoreFailed`] if an earlier group was not stored.
    pub fn wait(&self) -> Result<(), StoreFailed> {
        let mut state = self.shared.lock();
        loop {
            match state.turn(self.number) {
                Turn::Now => return Ok(()),
                Turn::Poisoned => return Err(StoreFailed),
                Turn::NotYet => {
                    state = self.shared.turned.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Waits for the turn without blocking. Dropping the future gives up the waiting, not the ticket.
    pub fn ready(&self) -> Ready<'_> {
        Ready { ticket: self }
    }

    /// Says that the group is stored, and lets the next ticket through.
    ///
    /// # Errors
    ///
    /// Returns [`OutOfTurn`] with the ticket if earlier groups are not stored yet: a group counts
    /// only with all that come before it. Wait and say it again. If one of them failed, this store is
    /// void, the error has no ticket and the group must not be acted on.
    pub fn done(mut self) -> Result<(), OutOfTurn> {
        let turn = self.try_turn();
        match turn {
            Turn::Now => {
                self.resolved = true;
                self.shared.change(|state| state.serving += 1);
                Ok(())
            }
            Turn::NotYet => Err(OutOfTurn(Some(self))),
            Turn::Poisoned => Err(OutOfTurn(None)),
        }
    }

    /// Says that the group is not, or perhaps not, stored: this ticket and all later ones fail.
    pub fn fail(self) {
        drop(self);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.resolved {
            let number = self.number;
            self.shared.change(|state| {
                state.failed = Some(state.failed.map_or(number, |failed| failed.min(number)));
            });
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.number)
    }
}

/// A future that is ready when it is a ticket's turn; see [`Ticket::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Ready<'a> {
    ticket: &'a Ticket,
}

impl Future for Ready<'_> {
    type Output = Result<(), StoreFailed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Ticket { shared, number, .. } = self.ticket;
        let mut state = shared.lock();
        match state.turn(*number) {
            Turn::Now => Poll::Ready(Ok(())),
            Turn::Poisoned => Poll::Ready(Err(StoreFailed)),
            Turn::NotYet => {
                // Dropping a waker can drop a task and with it a ticket: never under the lock.
                let old = state.wakers.insert(*number, context.waker().clone());
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        let waker = self.ticket.shared.lock().wakers.remove(&self.ticket.number);
        drop(waker);
    }
}

/// An earlier group was not stored, so that this one cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an earlier group of the session was not stored")]
pub struct StoreFailed;

/// The answer `done` came when it was not the ticket's turn.
#[derive(Debug, thiserror::Error)]
#[error("earlier groups of the session are not stored")]
pub struct OutOfTurn(Option<Ticket>);

impl OutOfTurn {
    /// Returns the ticket if its turn can still come.
    #[must_use]
    pub fn into_ticket(self) -> Option<Ticket> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll(ready: &mut Ready<'_>, count: &Arc<Count>) -> Poll<Result<(), StoreFailed>> {
        let waker = Waker::from(Arc::clone(count));
        Pin::new(ready).poll(&mut Context::from_waker(&waker))
    }

    #[test]
    fn turns_come_in_order() {
        let turnstile = Turnstile::new();
        let (first, second) = (turnstile.issue(), turnstile.issue());
        assert_eq!((first.try_turn(), second.try_turn()), (Turn::Now, Turn::NotYet));
        let early = second.done().expect_err("the first is not stored");
        let second = early.into_ticket().expect("its turn can come");
        first.done().expect("it is its turn");
        assert_eq!(second.try_turn(), Turn::Now);
        second.done().expect("it is its turn");
        assert!(!turnstile.is_poisoned());
    }

    #[test]
    fn a_failure_spoils_what_comes_later_and_nothing_before() {
        let turnstile = Turnstile::new();
        let tickets: Vec<Ticket> = (0..4).map(|_| turnstile.issue()).collect();
        let [first, second, third, fourth] = <[Ticket; 4]>::try_from(tickets).expect("four");
        drop(third);
        assert_eq!(fourth.try_turn(), Turn::Poisoned);
        assert_eq!(fourth.wait(), Err(StoreFailed));
        first.done().expect("it came before");
        assert_eq!(second.try_turn(), Turn::Now);
        second.fail();
        assert!(fourth.done().expect_err("void").into_ticket().is_none());
        assert_eq!(turnstile.issue().try_turn(), Turn::Poisoned);
        assert!(turnstile.is_poisoned());
    }

    #[test]
    fn a_future_that_is_dropped_gives_up_only_the_waiting() {
        let turnstile = Turnstile::new();
        let (first, second, third) = (turnstile.issue(), turnstile.issue(), turnstile.issue());
        let (gone, waiting) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut ready = second.ready();
        assert!(poll(&mut ready, &gone).is_pending());
        drop(ready);
        let mut last = third.ready();
        assert!(poll(&mut last, &waiting).is_pending());
        first.done().expect("it is its turn");
        assert_eq!(gone.0.load(Ordering::SeqCst), 0);
        assert_eq!(poll(&mut second.ready(), &gone), Poll::Ready(Ok(())));
        second.done().expect("it is its turn");
        assert_eq!(waiting.0.load(Ordering::SeqCst), 1);
        assert_eq!(poll(&mut last, &waiting), Poll::Ready(Ok(())));
    }

    #[test]
    fn those_who_wait_are_told_of_a_failure() {
        let turnstile = Turnstile::new();
        let (first, second) = (turnstile.issue(), turnstile.issue());
        let count = Arc::new(Count::default());
        let mut ready = second.ready();
        assert!(poll(&mut ready, &count).is_pending());
        drop(first);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(poll(&mut ready, &count), Poll::Ready(Err(StoreFailed)));
    }

    #[test]
    fn threads_store_in_the_order_of_their_tickets() {
        let turnstile = Turnstile::new();
        let stored = Mutex::new(Vec::new());
        let tickets: Vec<Ticket> = (0..64).map(|_| turnstile.issue()).collect();
        std::thread::scope(|scope| {
            for ticket in tickets.into_iter().rev() {
                scope.spawn(|| {
                    let ticket = ticket;
                    ticket.wait().expect("nobody fails");
                    stored.lock().expect("not poisoned").push(ticket.number);
                    ticket.done().expect("it is its turn");
                });
            }
        });
        assert!(stored.into_inner().expect("not poisoned").is_sorted());
    }
}
