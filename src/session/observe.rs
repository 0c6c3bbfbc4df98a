//! Watching a class of actions before it is enforced: decided and recorded, and binding nobody.

use std::sync::Arc;

use crate::action::Action;
use crate::authorizer::decision::{Decided, EffectDecision, Severity};
use crate::authorizer::propose::Proposed;
use crate::authorizer::{AuthorizeError, Call, Pending, Sink};
use crate::reason::Reason;
use crate::session::Session;

/// What would have been decided on an action. It is no permit, and cannot become one.
///
/// Its receipts carry the reason `mode.observed` at every effect and no permit, and where it would have been
/// allowed the outcome `unused`: nothing ran on the word of the authorizer.
#[derive(Debug)]
#[must_use = "the action is in it"]
pub struct Observation<A: Action> {
    action: A,
    decided: Arc<Decided>,
    severity: Severity,
}

impl<A: Action> Observation<A> {
    /// Returns what would have been decided.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns the reasons why the action would not have been allowed; none if it would.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.decided.reasons
    }

    /// Returns what would have been decided on each effect.
    #[must_use]
    pub fn effects(&self) -> &[EffectDecision] {
        &self.decided.effects
    }

    /// Returns the number of the call in its session; its receipts carry it.
    #[must_use]
    pub fn call(&self) -> u64 {
        self.decided.call
    }

    /// Gives the action back. Whether it runs is the host's own doing, and nobody allowed it.
    #[must_use]
    pub fn into_action(self) -> A {
        self.action
    }
}

impl Session {
    /// Says what would be decided on `action`, and stores the receipts that say so, marked as observed.
    ///
    /// For a class of actions that is to be enforced later. Only kinds that the host named with
    /// [`with_observed`](crate::authorizer::AuthorizerBuilder::with_observed) are observed. Nothing is
    /// charged for it and no denial counts; what the action touches labels the session, because it will run.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError::Misuse`] for a kind that is not to be observed, before anything is
    /// recorded; otherwise as [`authorize`](Self::authorize).
    pub fn observe<A: Action>(
        &self,
        action: A,
        call: &Call,
    ) -> Result<Observation<A>, AuthorizeError> {
        self.live.shared.check_blocking()?;
        let Proposed { earlier, pending } = self.watch(&action, call)?;
        earlier.into_iter().try_for_each(|earlier| self.live.shared.store(earlier))?;
        let (decided, severity) = self.live.shared.store(pending)?;
        Ok(Observation { action, decided, severity })
    }

    /// Observes as [`observe`](Self::observe) does, through whichever sink there is.
    ///
    /// # Errors
    ///
    /// As [`observe`](Self::observe).
    pub async fn observe_async<A: Action>(
        &self,
        action: A,
        call: &Call,
    ) -> Result<Observation<A>, AuthorizeError> {
        if let Sink::Caller = self.live.shared.sink {
            return Err(AuthorizeError::Misuse("the caller stores: use `propose_observe`"));
        }
        let Proposed { earlier, pending } = self.watch(&action, call)?;
        for earlier in earlier {
            self.live.shared.store_async(earlier).await?;
        }
        let (decided, severity) = self.live.shared.store_async(pending).await?;
        Ok(Observation { action, decided, severity })
    }

    /// Observes and yields the lines, for callers that store by themselves: no I/O.
    ///
    /// # Errors
    ///
    /// As [`observe`](Self::observe).
    pub fn propose_observe<A: Action>(
        &self,
        action: A,
        call: &Call,
    ) -> Result<Pending<Observation<A>>, AuthorizeError> {
        self.live.shared.check_caller_stores()?;
        let pending = self.watch(&action, call)?.pending;
        Ok(pending.map(|(decided, severity)| Observation { action, decided, severity }))
    }

    fn watch<A: Action>(
        &self,
        action: &A,
        call: &Call,
    ) -> Result<Proposed<(Arc<Decided>, Severity)>, AuthorizeError> {
        if !self.live.shared.observed.contains(&*action.kind()) {
            return Err(AuthorizeError::Misuse("actions of this kind are enforced, not observed"));
        }
        self.live.watch(action, call)
    }
}
