//! What all sessions of one authorizer share: bundle, clock, journal, sink.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use crate::action::path::PathResolver;
use crate::authorizer::checkpoints::Planned;
use crate::authorizer::findings::{self, Finding, FindingHook};
use crate::authorizer::registry::Registry;
use crate::authorizer::witness::Witness;
use crate::authorizer::{AuthorizeError, Pending};
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::governance::limits::SessionLimits;
use crate::governance::temporal::Temporal;
use crate::governance::{Directory, Generation, Redeemed, Revocations};
use crate::identity::SpiffeId;
use crate::policy::{PrincipalGroup, Snapshot};
use crate::reason::Reason;
use crate::receipt::{
    AsyncReceiptSink, Checkpoint, EpochKey, Group, Journal, Openings, ReceiptSink, SessionId,
    Turnstile, WriteError,
};
use crate::scope::{CompiledScope, Scope, ScopeError};
use crate::session::OpenError;
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
    /// How many lines the journal had before this process.
    pub(crate) earlier_lines: u64,
    pub(crate) key: Arc<EpochKey>,
    pub(crate) sink: Sink,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) paths: Arc<dyn PathResolver>,
    pub(crate) environment: Box<str>,
    pub(crate) permit_lifetime: Duration,
    pub(crate) openings: Openings,
    pub(crate) checkpoints: Option<Arc<Planned>>,
    pub(crate) temporal: Option<Arc<dyn Temporal>>,
    /// Compiled scopes that sessions still use, so that sessions of one task share one.
    pub(crate) prepared: Mutex<HashMap<Digest, Weak<Prepared>>>,
    /// Whose key is whose.
    pub(crate) directory: RwLock<Directory>,
    /// Everything that is revoked.
    pub(crate) revocations: RwLock<Revocations>,
    /// Who is told what is worth being told at once.
    pub(crate) findings: Option<Arc<dyn FindingHook>>,
    /// The kinds of actions that may be observed.
    pub(crate) observed: BTreeSet<Box<str>>,
    /// The sessions that are open, and what was halted.
    pub(crate) registry: Mutex<Registry>,
    /// The tokens of other processes that were taken up.
    pub(crate) redeemed: Mutex<Redeemed>,
    /// Sessions that were resumed in this epoch: a second time would fork their chain.
    pub(crate) resumed: Mutex<HashSet<SessionId>>,
}

/// A scope made ready once for all its sessions.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) scope: CompiledScope,
    /// The document, which a token hands on.
    pub(crate) source: Scope,
    pub(crate) limits: SessionLimits,
    /// The links that were met when the scope was compiled, as facts carry them; empty without any.
    pub(crate) links: Box<str>,
    /// By class, what its instances share.
    above: Mutex<HashMap<Box<str>, Weak<PrincipalGroup>>>,
}

impl Shared {
    /// Returns the bundle in force.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn directory(&self) -> Directory {
        self.directory.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn revocations(&self) -> Revocations {
        self.revocations.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known of people and of what is revoked: what they signed holds under that.
    pub(crate) fn people(&self) -> (Generation, Digest) {
        (self.revocations().generation(), self.directory().digest())
    }

    /// Tells the host. No lock may be held; but the lines of the call may wait for this very thread.
    pub(crate) fn tell(&self, finding: &Finding<'_>) {
        let _waits_for_nothing = Storing::begin();
        findings::tell(self.findings.as_deref(), finding);
    }

    /// Compiles `scope`; sessions whose scopes come out the same share one.
    ///
    /// It is compiled anew each time, because a path in it may lead elsewhere by now.
    pub(crate) fn prepare(&self, scope: &Scope) -> Result<Arc<Prepared>, ScopeError> {
        let witness = Witness::of_links(&*self.paths);
        let compiled = CompiledScope::compile_untrusted(scope, &witness)?;
        let digest = compiled.digest();
        let mut known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = known.get(&digest).and_then(Weak::upgrade)
            && prepared.scope == compiled
        {
            return Ok(prepared);
        }
        let limits = SessionLimits::of_task(compiled.limits());
        let mut links = String::new();
        let transcript = witness.into_transcript();
        if !transcript.is_empty() {
            transcript.write(&mut links);
        }
        let links = links.into();
        let above = Mutex::new(HashMap::new());
        let prepared =
            Arc::new(Prepared { scope: compiled, source: scope.clone(), limits, links, above });
        // Now and then, so that opening stays cheap however many scopes there are.
        if known.len().is_power_of_two() {
            known.retain(|_, weak| weak.strong_count() > 0);
        }
        known.insert(digest, Arc::downgrade(&prepared));
        Ok(prepared)
    }

    /// Reads the clock for what is to begin: never before what is on record, or what was over would begin
    /// again.
    pub(crate) fn now_after_journal(&self) -> Result<Timestamp, OpenError> {
        // Held while the clock is read, so that threads do not overtake each other.
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now().map_err(AuthorizeError::from)?;
        match now < journal.position().time {
            true => Err(OpenError::Refused(Reason::SessionClockBackwards)),
            false => Ok(now),
        }
    }

    /// Reads the clock for what is told; a clock that says nothing stands where the journal does.
    pub(crate) fn now_or_last(&self) -> Timestamp {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        self.clock.now().unwrap_or_else(|_| journal.position().time)
    }

    /// Writes lines of the journal at `now`, or later where the journal is ahead.
    pub(crate) fn write_journal<T>(
        &self,
        now: Timestamp,
        write: impl FnOnce(&mut Journal, Timestamp) -> Result<(Group, T), AuthorizeError>,
    ) -> Result<Pending<T>, AuthorizeError> {
        if self.journal_turn.is_poisoned() {
            return Err(AuthorizeError::Poisoned);
        }
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.max(journal.position().time);
        let (group, value) = write(&mut journal, now)?;
        let plan = self.checkpoints.as_ref();
        let written = plan.map(|plan| plan.written(&group, journal.position(), now));
        Ok(Pending::new(group, vec![self.journal_turn.issue()], value).with_journal(written))
    }

    /// Signs a checkpoint of all lines of the journal that are stored by now.
    pub(crate) fn checkpoint(&self) -> Result<Checkpoint, AuthorizeError> {
        let unnamed = "the builder was given no name for checkpoints";
        let plan = self.checkpoints.as_ref().ok_or(AuthorizeError::Misuse(unnamed))?;
        let signed = plan.sign().ok_or(AuthorizeError::Misuse("no line is stored yet"))?;
        signed.map_err(AuthorizeError::Checkpoint)
    }

    /// Checks that the caller is the one who stores, before lines are written that nobody would.
    pub(crate) fn check_caller_stores(&self) -> Result<(), AuthorizeError> {
        match self.sink {
            Sink::Caller => Ok(()),
            _ => Err(AuthorizeError::Misuse("this authorizer has a sink, which stores")),
        }
    }

    /// Checks that there is a sink of whichever kind, before lines are written that nobody would store.
    pub(crate) fn check_stores(&self) -> Result<(), AuthorizeError> {
        match self.sink {
            Sink::Caller => Err(AuthorizeError::Misuse("the caller stores: use `propose`")),
            _ => Ok(()),
        }
    }

    /// Checks that there is a sink that blocks, and that it is not the one who asks.
    pub(crate) fn check_blocking(&self) -> Result<(), AuthorizeError> {
        match self.sink {
            Sink::Blocking(_) if is_storing() => Err(AuthorizeError::Misuse(
                "a sink or a hook may not ask the authorizer that waits for it",
            )),
            Sink::Blocking(_) => Ok(()),
            _ => Err(AuthorizeError::Misuse("the sink of this authorizer does not block")),
        }
    }

    /// Stores what is pending through a blocking sink.
    pub(crate) fn store<T>(&self, pending: Pending<T>) -> Result<T, AuthorizeError> {
        self.check_blocking()?;
        let Sink::Blocking(sink) = &self.sink else {
            return Err(AuthorizeError::Misuse("the sink of this authorizer does not block"));
        };
        pending.wait()?;
        let storing = Storing::begin();
        let stored = sink.append(pending.group());
        drop(storing);
        match stored {
            Ok(()) => pending.settle(),
            Err(error) => Err(pending.fail_with(error)),
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
}

impl Prepared {
    /// Returns what instances below one class of `agent` share, the same for all of them.
    pub(crate) fn above(&self, agent: &SpiffeId) -> Option<Arc<PrincipalGroup>> {
        let class = agent.as_str().rsplit_once('/').map_or("", |(class, _)| class);
        let mut known = self.above.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = known.get(class).and_then(Weak::upgrade) {
            return Some(group);
        }
        let group = Arc::new(PrincipalGroup::above(agent, self.scope.owner())?);
        known.retain(|_, weak| weak.strong_count() > 0);
        known.insert(class.into(), Arc::downgrade(&group));
        Some(group)
    }
}

thread_local! {
    /// Whether this thread is inside of a sink or a hook: waiting there for a turn would wait for itself.
    static STORING: Cell<bool> = const { Cell::new(false) };
}

/// Tells whether this thread is inside of a blocking sink, or of a hook.
pub(crate) fn is_storing() -> bool {
    STORING.get()
}

/// Marks the thread as being inside of a sink or a hook until it is dropped, by a panic too. It holds whether the
/// thread was before.
struct Storing(bool);

impl Storing {
    fn begin() -> Self {
        Self(STORING.replace(true))
    }
}

impl Drop for Storing {
    fn drop(&mut self) {
        STORING.set(self.0);
    }
}

impl From<WriteError> for AuthorizeError {
    fn from(error: WriteError) -> Self {
        Self::Receipt(error)
    }
}
