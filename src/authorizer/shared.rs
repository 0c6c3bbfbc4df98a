//! What all sessions of one authorizer share: bundle, clock, journal, sink.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use crate::action::path::PathResolver;
use crate::authorizer::{AuthorizeError, Pending};
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::governance::limits::SessionLimits;
use crate::policy::{PrincipalGroup, Snapshot};
use crate::receipt::{
    AsyncReceiptSink, EpochKey, Group, Journal, Openings, ReceiptSink, Turnstile, WriteError,
};
use crate::scope::{CompiledScope, ScopeError, TrustedScope};
use crate::time::{Clock, Timestamp};

/// Who stores the lines.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Sink {
    /// A sink that blocks until a group is stored.
    Blocking(Arc<dyn ReceiptSink>),
    /// A sink whose storing is awaited.
    Asynchronous(Arc<dyn AsyncReceiptSink>),
    /// Nobody: the caller takes the lines, stores them and answers.
    Caller,
}

impl Sink {
    /// Stores through `sink` on the thread that asks.
    pub fn blocking(sink: impl ReceiptSink + 'static) -> Self {
        Self::Blocking(Arc::new(sink))
    }

    /// Stores through `sink` in the task that asks.
    pub fn asynchronous(sink: impl AsyncReceiptSink + 'static) -> Self {
        Self::Asynchronous(Arc::new(sink))
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) snapshot: RwLock<Arc<Snapshot>>,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) journal_turn: Turnstile,
    pub(crate) key: Arc<EpochKey>,
    pub(crate) sink: Sink,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) paths: Arc<dyn PathResolver>,
    pub(crate) environment: Box<str>,
    pub(crate) permit_lifetime: Duration,
    pub(crate) openings: Openings,
    /// Compiled scopes that sessions still use, so that sessions of one task share one.
    pub(crate) prepared: Mutex<HashMap<Digest, Weak<Prepared>>>,
}

/// A scope made ready once for all its sessions.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) scope: CompiledScope,
    pub(crate) limits: SessionLimits,
    pub(crate) principals: Arc<PrincipalGroup>,
}

impl Shared {
    /// Returns the bundle in force.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns `scope` compiled; the same one for all sessions that are open at a time.
    /// `None` when its agent cannot be named to policies.
    pub(crate) fn prepare(
        &self,
        scope: &TrustedScope,
    ) -> Result<Option<Arc<Prepared>>, ScopeError> {
        let digest = scope.scope().digest();
        if let Some(prepared) = self.lock_prepared().get(&digest).and_then(Weak::upgrade) {
            return Ok(Some(prepared));
        }
        let compiled = CompiledScope::compile(scope, &*self.paths)?;
        let agent = compiled.agent();
        let principals =
            PrincipalGroup::new(agent.as_str(), compiled.owner(), agent.trust_domain());
        let Some(principals) = principals.map(Arc::new) else { return Ok(None) };
        let limits = SessionLimits::of_task(compiled.limits());
        let prepared = Arc::new(Prepared { scope: compiled, limits, principals });
        let mut known = self.lock_prepared();
        known.retain(|_, weak| weak.strong_count() > 0);
        known.insert(digest, Arc::downgrade(&prepared));
        Ok(Some(prepared))
    }

    /// Writes lines of the journal: `write` gets the journal and a time that does not go back.
    pub(crate) fn write_journal<T>(
        &self,
        write: impl FnOnce(&mut Journal, Timestamp) -> Result<(Group, T), AuthorizeError>,
    ) -> Result<Pending<T>, AuthorizeError> {
        if self.journal_turn.is_poisoned() {
            return Err(AuthorizeError::Poisoned);
        }
        let now = self.clock.now()?;
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.max(journal.position().time);
        let (group, value) = write(&mut journal, now)?;
        Ok(Pending::new(group, vec![self.journal_turn.issue()], value))
    }

    /// Stores what is pending through a blocking sink.
    pub(crate) fn store<T>(&self, pending: Pending<T>) -> Result<T, AuthorizeError> {
        match &self.sink {
            Sink::Blocking(sink) => {
                pending.wait()?;
                match sink.append(pending.group()) {
                    Ok(()) => pending.settle(),
                    Err(error) => Err(pending.fail_with(error)),
                }
            }
            Sink::Asynchronous(_) | Sink::Caller => {
                Err(AuthorizeError::Misuse("the sink of this authorizer does not block"))
            }
        }
    }

    /// Stores what is pending through whichever sink there is.
    pub(crate) async fn store_async<T>(&self, pending: Pending<T>) -> Result<T, AuthorizeError> {
        match &self.sink {
            Sink::Blocking(_) => self.store(pending),
            Sink::Asynchronous(sink) => {
                pending.ready().await?;
                match sink.append(pending.group()).await {
                    Ok(()) => pending.settle(),
                    Err(error) => Err(pending.fail_with(error)),
                }
            }
            Sink::Caller => Err(AuthorizeError::Misuse("the caller stores: use `propose`")),
        }
    }

    fn lock_prepared(&self) -> MutexGuard<'_, HashMap<Digest, Weak<Prepared>>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<WriteError> for AuthorizeError {
    fn from(error: WriteError) -> Self {
        Self::Receipt(error)
    }
}
