//! Lines that are not stored yet, and what is released once they are.

use crate::authorizer::AuthorizeError;
use crate::authorizer::checkpoints::Written;
use crate::authorizer::place::Leaving;
use crate::receipt::{Group, SinkError, StoreFailed, Ticket};

/// A group of lines on its way to be stored, and what it holds back until it is.
///
/// Store all lines of [`group`](Self::group), as one and in order, then say [`recorded`]; or say
/// [`failed`]. Dropping it counts as failed: nobody knows then what was stored.
///
/// Groups of one session are answered in the order in which they were proposed.
///
/// # Security
///
/// The receipts are evidence only if `recorded` is said of lines that will still be there after a
/// crash.
///
/// [`recorded`]: Self::recorded
/// [`failed`]: Self::failed
#[derive(Debug)]
#[must_use = "lines that are not stored poison the session"]
pub struct Pending<T> {
    group: Group,
    tickets: Vec<Ticket>,
    /// Lines of the journal among them.
    journal: Option<Written>,
    /// A label that these lines take from what policies see.
    leaving: Option<Leaving>,
    value: T,
}

/// Groups that were proposed earlier have not been answered yet.
#[derive(Debug, thiserror::Error)]
#[error("an earlier group of this chain has not been answered yet")]
pub struct OutOfOrder<T>(
    /// What was answered too early.
    pub Pending<T>,
);

impl<T> Pending<T> {
    pub(crate) fn new(group: Group, tickets: Vec<Ticket>, value: T) -> Self {
        Self { group, tickets, journal: None, leaving: None, value }
    }

    /// Tells the plan of checkpoints once the lines are stored.
    pub(crate) fn with_journal(self, journal: Option<Written>) -> Self {
        Self { journal, ..self }
    }

    /// Takes a label from what policies see once the lines are stored, and not before: sessions share them.
    pub(crate) fn with_leaving(self, leaving: Option<Leaving>) -> Self {
        Self { leaving, ..self }
    }

    /// Returns the lines to store, and the openings that belong elsewhere.
    #[must_use]
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// Tells whether every earlier group of the same chains was answered.
    #[must_use]
    pub fn is_next(&self) -> bool {
        self.tickets.iter().all(|ticket| ticket.try_turn() == crate::receipt::Turn::Now)
    }

    /// Says that the lines are stored, and returns what they held back.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError::Poisoned`] when an earlier group of the chain was not stored.
    ///
    /// Answered before its turn, a group counts as failed; [`try_recorded`](Self::try_recorded) gives
    /// it back instead.
    pub fn recorded(self) -> Result<T, AuthorizeError> {
        self.settle()
    }

    /// Says that the lines are stored, or gives them back when it is not their turn.
    ///
    /// # Errors
    ///
    /// Returns the group itself when an earlier one has not been answered.
    pub fn try_recorded(self) -> Result<Result<T, AuthorizeError>, Box<OutOfOrder<T>>> {
        let waits = |ticket: &Ticket| ticket.try_turn() == crate::receipt::Turn::NotYet;
        if self.tickets.iter().any(waits) {
            return Err(Box::new(OutOfOrder(self)));
        }
        Ok(self.settle())
    }

    /// Says that the lines could not be stored, or that nobody knows. The session is poisoned: it
    /// goes on only by resuming from what was really stored.
    pub fn failed(self) {
        drop(self);
    }

    /// What is held back, for the parts of the library that store it.
    pub(crate) const fn value(&self) -> &T {
        &self.value
    }

    pub(crate) fn wait(&self) -> Result<(), AuthorizeError> {
        self.tickets.iter().try_for_each(Ticket::wait).map_err(AuthorizeError::from)
    }

    pub(crate) async fn ready(&self) -> Result<(), AuthorizeError> {
        for ticket in &self.tickets {
            ticket.ready().await?;
        }
        Ok(())
    }

    pub(crate) fn settle(self) -> Result<T, AuthorizeError> {
        for ticket in self.tickets {
            ticket.done().map_err(|_| AuthorizeError::Poisoned)?;
        }
        if let Some(written) = self.journal {
            written.stored();
        }
        if let Some(leaving) = self.leaving {
            leaving.stored();
        }
        Ok(self.value)
    }

    pub(crate) fn fail_with(self, error: SinkError) -> AuthorizeError {
        drop(self);
        AuthorizeError::Store(error)
    }

    /// Makes this wait for `ticket` of another chain as well, and before its own.
    pub(crate) fn after(mut self, ticket: Ticket) -> Self {
        self.tickets.insert(0, ticket);
        self
    }

    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Pending<U> {
        let Self { group, tickets, journal, leaving, value } = self;
        Pending { group, tickets, journal, leaving, value: map(value) }
    }
}

impl From<StoreFailed> for AuthorizeError {
    fn from(_: StoreFailed) -> Self {
        Self::Poisoned
    }
}
