//! What one hop of a chain of delegations has given, and what was used of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::authorizer::shared::Prepared;
use crate::governance::Budget;
use crate::governance::limits::{Ledger, Reservation, SessionLimits};
use crate::policy::{BundleLimits, Snapshot};

/// The scope of one hop with its ledger. A session has its own, and holds those of the hops above it:
/// what a delegate uses is used up for everybody above.
///
/// Ledgers are locked after the state of the session at work, from its own upwards.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) prepared: Arc<Prepared>,
    ledger: Mutex<Ledger>,
    /// What the delegation of another process leaves of the limits.
    pub(crate) budget: Option<Budget>,
}

/// What one allowed call has reserved, hop by hop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reserved {
    pub(crate) own: Reservation,
    /// Outermost first.
    pub(crate) above: Box<[Reservation]>,
}

impl Account {
    pub(crate) fn new(prepared: Arc<Prepared>, ledger: Ledger) -> Arc<Self> {
        Arc::new(Self { prepared, ledger: Mutex::new(ledger), budget: None })
    }

    /// The account of a session that was opened on a token.
    pub(crate) fn with_budget(prepared: Arc<Prepared>, budget: Budget) -> Arc<Self> {
        Arc::new(Self { prepared, ledger: Mutex::new(Ledger::default()), budget: Some(budget) })
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A ledger changes in one step, so that a panic elsewhere leaves it whole.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limits(&self, snapshot: &Snapshot) -> SessionLimits {
        let caps = snapshot.caps(self.prepared.scope.tier());
        let mut limits = capped(&self.prepared.limits, &caps);
        if let Some(budget) = &self.budget {
            budget.cap(&mut limits);
        }
        limits
    }
}

/// The limits of a scope where they are smaller than the caps of the bundle, and the caps elsewhere.
pub(crate) fn capped(limits: &SessionLimits, caps: &BundleLimits) -> SessionLimits {
    let cap = |own: u64, cap: Option<u64>| own.min(cap.unwrap_or(u64::MAX));
    SessionLimits {
        actions: cap(limits.actions, caps.actions),
        per_minute: cap(limits.per_minute, caps.per_minute),
        denials: cap(limits.denials, caps.denials),
        distinct_targets: cap(limits.distinct_targets, caps.distinct_targets),
        domains: limits.domains.smaller(caps.domains.into()),
        ..limits.clone()
    }
}
