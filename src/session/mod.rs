//! Sessions: one agent instance at work on one task.

mod acts;
mod delegate;
pub(crate) mod governed;
mod lease;
mod observe;
mod open;
mod remote;
pub(crate) mod state;

use std::sync::Arc;

use crate::action::Action;
use crate::authorizer::live::{Live, Stop};
use crate::authorizer::propose::Proposed;
use crate::authorizer::{AuthorizeError, Call, Decision, Pending, Sink};
use crate::receipt::SessionId;
use crate::scope::CompiledScope;

pub use self::acts::{Act, ActError, Acted};
pub use self::delegate::Delegation;
pub use self::observe::Observation;
pub use self::open::OpenError;
pub(crate) use self::open::{check_agent, check_lifetime};
pub use self::remote::{Handover, HandoverError};

/// One agent instance at work on one task: its chain of receipts, its counters, its labels.
///
/// Cloning it copies a pointer: clones share one chain, and concurrent calls on them keep it whole.
#[derive(Debug, Clone)]
pub struct Session {
    live: Arc<Live>,
}

impl Session {
    /// Decides whether `action` may run, and stores the receipts that say so.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when the session is closed or poisoned or the receipts could not be
    /// stored. Nothing may run then: treat it as a denial that has no receipt.
    ///
    /// # Security
    ///
    /// `action` may come from a hostile model; everything in it is parsed here. The session must not:
    /// it carries the scope that the owner gave.
    pub fn authorize<A: Action>(&self, action: A) -> Result<Decision<A>, AuthorizeError> {
        self.authorize_with(action, &Call::default())
    }

    /// Decides as [`authorize`](Self::authorize) does, with what the host knows of the call.
    ///
    /// # Errors
    ///
    /// As [`authorize`](Self::authorize).
    pub fn authorize_with<A: Action>(
        &self,
        action: A,
        call: &Call,
    ) -> Result<Decision<A>, AuthorizeError> {
        // A sink that cannot be used is found out before a line is written that nobody stores.
        self.live.shared.check_blocking()?;
        let Proposed { earlier, pending } = self.live.propose(action, call)?;
        earlier.into_iter().try_for_each(|earlier| self.live.shared.store(earlier))?;
        self.live.shared.store(pending)
    }

    /// Decides as [`authorize`](Self::authorize) does, through whichever sink there is.
    ///
    /// A future that is dropped while its lines are being stored poisons the session: nobody knows
    /// then what was stored.
    ///
    /// # Errors
    ///
    /// As [`authorize`](Self::authorize).
    pub async fn authorize_async<A: Action>(
        &self,
        action: A,
    ) -> Result<Decision<A>, AuthorizeError> {
        self.authorize_async_with(action, &Call::default()).await
    }

    /// Decides as [`authorize_async`](Self::authorize_async) does, with what the host knows of the
    /// call.
    ///
    /// # Errors
    ///
    /// As [`authorize`](Self::authorize).
    pub async fn authorize_async_with<A: Action>(
        &self,
        action: A,
        call: &Call,
    ) -> Result<Decision<A>, AuthorizeError> {
        if matches!(self.live.shared.sink, Sink::Caller) {
            return Err(AuthorizeError::Misuse("the caller stores: use `propose`"));
        }
        let Proposed { earlier, pending } = self.live.propose(action, call)?;
        for earlier in earlier {
            self.live.shared.store_async(earlier).await?;
        }
        self.live.shared.store_async(pending).await
    }

    /// Decides on `action` and yields the lines, for callers that store by themselves: no I/O.
    ///
    /// The decision comes out once the caller says that the lines are stored.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when the session is closed or poisoned, or when there is a sink, which
    /// would store.
    pub fn propose<A: Action>(
        &self,
        action: A,
        call: &Call,
    ) -> Result<Pending<Decision<A>>, AuthorizeError> {
        self.live.shared.check_caller_stores()?;
        Ok(self.live.propose(action, call)?.pending)
    }

    /// Takes the groups that wait for the caller to store them, such as outcomes of actions that ran.
    /// Store and answer them in this order, and before later ones.
    #[must_use]
    pub fn take_unstored(&self) -> Vec<Pending<()>> {
        self.live.take_outbox()
    }

    /// Stores what waits, such as outcomes that were reported where nothing could be awaited.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when it could not be stored.
    pub async fn flush(&self) -> Result<(), AuthorizeError> {
        self.live.flush().await
    }

    /// Accounts in the journal for everything on the session's chain so far.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when the session is closed or poisoned or the line was not stored.
    pub fn head(&self) -> Result<(), AuthorizeError> {
        self.live.shared.check_blocking()?;
        self.stop(self.live.begin_head()?)
    }

    /// Accounts in the journal as [`head`](Self::head) does, through whichever sink there is.
    ///
    /// A future that is dropped while its lines are being stored poisons the journal, as
    /// [`open_async`](crate::Authorizer::open_async) says.
    ///
    /// # Errors
    ///
    /// As [`head`](Self::head).
    pub async fn head_async(&self) -> Result<(), AuthorizeError> {
        if let Sink::Caller = self.live.shared.sink {
            return Err(AuthorizeError::Misuse("the caller stores: use `propose_head`"));
        }
        self.stop_async(self.live.begin_head()?).await
    }

    /// Accounts in the journal as [`head`](Self::head) does, and yields the line.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when the session is closed or poisoned, when lines of it wait to be
    /// answered, or when there is a sink, which would store.
    pub fn propose_head(&self) -> Result<Pending<()>, AuthorizeError> {
        self.live.shared.check_caller_stores()?;
        self.live.check_answered()?;
        self.live.tie(self.live.begin_head()?)
    }

    /// Closes the session: unused permits are void, and its chain ends.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when it is closed or poisoned already, when an action still runs, or
    /// when the lines could not be stored.
    pub fn close(&self) -> Result<(), AuthorizeError> {
        self.live.shared.check_blocking()?;
        self.stop(self.live.begin_close()?)
    }

    /// Closes the session as [`close`](Self::close) does, through whichever sink there is.
    ///
    /// A future that is dropped while its lines are being stored poisons the journal, as
    /// [`open_async`](crate::Authorizer::open_async) says.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close).
    pub async fn close_async(&self) -> Result<(), AuthorizeError> {
        if let Sink::Caller = self.live.shared.sink {
            return Err(AuthorizeError::Misuse("the caller stores: use `propose_close`"));
        }
        self.stop_async(self.live.begin_close()?).await
    }

    /// Closes the session as [`close`](Self::close) does, and yields the lines.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when it is closed or poisoned already, when an action still runs, when
    /// lines of it wait to be answered, or when there is a sink, which would store.
    pub fn propose_close(&self) -> Result<Pending<()>, AuthorizeError> {
        self.live.shared.check_caller_stores()?;
        self.live.check_answered()?;
        self.live.tie(self.live.begin_close()?)
    }

    /// Stores what stands before a stop, waits for its turn, and only then writes the journal's line.
    fn stop(&self, mut stop: Stop) -> Result<(), AuthorizeError> {
        let earlier = std::mem::take(&mut stop.earlier);
        earlier.into_iter().try_for_each(|earlier| self.live.shared.store(earlier))?;
        stop.ticket.wait()?;
        self.live.shared.store(self.live.tie(stop)?)
    }

    async fn stop_async(&self, mut stop: Stop) -> Result<(), AuthorizeError> {
        for earlier in std::mem::take(&mut stop.earlier) {
            self.live.shared.store_async(earlier).await?;
        }
        stop.ticket.ready().await?;
        self.live.shared.store_async(self.live.tie(stop)?).await
    }

    /// Adds a data class that the session has touched; it never falls off. It is on record with the
    /// next call.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when the session is closed or poisoned, or its labels are full with this
    /// one, the 64th. Nothing is allowed to a session whose labels are full.
    pub fn add_label(&self, label: &str) -> Result<(), AuthorizeError> {
        self.live.add_label(label)
    }

    /// Returns the id of the session.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.live.id
    }

    /// Returns the SPIFFE ID of the agent instance.
    #[must_use]
    pub fn agent(&self) -> &str {
        self.live.place.agent.id().as_str()
    }

    /// Returns the scope of the task.
    #[must_use]
    pub fn scope(&self) -> &CompiledScope {
        self.live.place.scope()
    }
}
