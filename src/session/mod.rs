//! Sessions: one agent instance at work on one task.

pub(crate) mod state;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zeroize::Zeroize as _;

use crate::action::Action;
use crate::authorizer::live::{Live, Proposed, Stop};
use crate::authorizer::shared::Prepared;
use crate::authorizer::{AuthorizeError, Authorizer, Call, Decision, Pending, Sink};
use crate::entropy::EntropyError;
use crate::governance::limits::Ledger;
use crate::identity::VerifiedIdentity;
use crate::policy::{Principal, Snapshot};
use crate::reason::Reason;
use crate::receipt::{
    About, BeginRecord, Group, SessionChain, SessionId, SessionReport, Turnstile, Verified,
    WriteError,
};
use crate::scope::{CompiledScope, ScopeError, TrustedScope};
use crate::session::state::State;
use crate::time::Timestamp;

/// One agent instance at work on one task: its chain of receipts, its counters, its labels.
///
/// Cloning it copies a pointer: clones share one chain, and concurrent calls on them keep it whole.
#[derive(Debug, Clone)]
pub struct Session {
    live: Arc<Live>,
}

/// Why a session could not be opened or resumed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The scope cannot be compiled, such as when a path in it cannot be resolved.
    #[error("the scope cannot be used")]
    Scope(#[source] ScopeError),
    /// The scope does not hold: it was given to another agent, or has expired.
    #[error("the scope does not hold: {}", .0.sentence())]
    Refused(Reason),
    /// The scope is valid for longer than the bundle allows.
    #[error("the scope is valid for longer than the {hours} hours that the bundle allows")]
    TooLong {
        /// The hours that the bundle allows.
        hours: u32,
    },
    /// Random bytes could not be had.
    #[error("no random bytes for the session")]
    Entropy(#[from] EntropyError),
    /// What is to be resumed is not what was stored, or belongs to somebody else.
    #[error("the session cannot be resumed: {0}")]
    Resume(&'static str),
    /// The session could not be put on record.
    #[error("the session could not be put on record")]
    Record(#[from] AuthorizeError),
}

impl From<WriteError> for OpenError {
    fn from(error: WriteError) -> Self {
        Self::Record(error.into())
    }
}

impl Authorizer {
    /// Opens a session of `agent` on `scope`, and stores the lines that say so.
    ///
    /// # Errors
    ///
    /// Returns [`OpenError`] when the scope does not hold for this agent at this time, or when the
    /// lines could not be stored; a sink that does not block needs `open_async` or `propose_open`.
    ///
    /// # Security
    ///
    /// Each session has counters of its own. Who opens many sessions for one task multiplies its
    /// limits.
    pub fn open(
        &self,
        scope: &TrustedScope,
        agent: VerifiedIdentity,
    ) -> Result<Session, OpenError> {
        self.shared.check_blocking()?;
        Ok(self.shared.store(self.begin_open(scope, agent)?)?)
    }

    /// Opens a session through whichever sink there is.
    ///
    /// A future that is dropped while its lines are being stored poisons the journal, and so every
    /// `open`, `head` and `close` of the authorizer: do not put a time-out around it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_async(
        &self,
        scope: &TrustedScope,
        agent: VerifiedIdentity,
    ) -> Result<Session, OpenError> {
        let pending = self.begin_open(scope, agent)?;
        Ok(self.shared.store_async(pending).await?)
    }

    /// Opens a session and yields its lines, for callers that store by themselves.
    ///
    /// # Errors
    ///
    /// Returns [`OpenError`] when the scope does not hold for this agent at this time, or when there is
    /// a sink, which would store.
    pub fn propose_open(
        &self,
        scope: &TrustedScope,
        agent: VerifiedIdentity,
    ) -> Result<Pending<Session>, OpenError> {
        self.shared.check_caller_stores()?;
        self.begin_open(scope, agent)
    }

    fn begin_open(
        &self,
        scope: &TrustedScope,
        agent: VerifiedIdentity,
    ) -> Result<Pending<Session>, OpenError> {
        let shared = &self.shared;
        let (prepared, principal, now) = self.admit(scope, &agent)?;
        let (mut id, mut secret) = ([0; 16], [0; 32]);
        shared.entropy.fill(&mut id)?;
        shared.entropy.fill(&mut secret)?;
        let id = SessionId::from_bytes(id);
        let snapshot = shared.snapshot();
        let scopes = [prepared.scope.digest()];
        let record = BeginRecord {
            about: About {
                agent: agent.id().as_str(),
                on_behalf_of: prepared.scope.on_behalf_of().unwrap_or(prepared.scope.owner()),
                owner: prepared.scope.owner(),
                task: prepared.scope.task(),
                scope: &scopes,
            },
            bundle: snapshot.digest(),
            schema: snapshot.schema_digest(),
            expires: prepared.scope.expires(),
            time: now,
        };
        let begun = SessionChain::begin(&shared.key, id, &secret, shared.openings, &record);
        secret.zeroize();
        let (chain, begin) = begun?;
        let pending = shared.write_journal(now, |journal, at| {
            // The journal announces the session before its first line.
            let open = journal.open(id, agent.id().as_str(), begin.link(), at)?;
            Ok((Group::new(vec![open, begin], Vec::new()), ()))
        })?;
        let state = State::new(chain, Ledger::default(), now);
        let session = self.live(prepared, principal, id, &agent, state);
        Ok(pending.map(|()| session))
    }

    /// Goes on with a session of an earlier process, from what a verifier found to be stored.
    ///
    /// Counters and labels go on from the last receipt; permits of the earlier process are void. Targets and
    /// money are not in the counters: every target counts as new, and no money is left to spend.
    ///
    /// # Errors
    ///
    /// Returns [`OpenError::Resume`] when the session has ended, was incomplete in another agent's
    /// name, or the journal has moved on; otherwise as [`open`](Self::open).
    ///
    /// # Security
    ///
    /// `stored` must come from the same storage that this authorizer writes to, read after the last
    /// process stopped. Resuming twice from one place forks the chain, which only a verifier that
    /// sees both branches can tell.
    pub fn resume(
        &self,
        stored: &Verified,
        session: SessionId,
        scope: &TrustedScope,
        agent: VerifiedIdentity,
    ) -> Result<Session, OpenError> {
        self.shared.check_blocking()?;
        let pending = self.begin_resume(stored, session, scope, agent)?;
        Ok(self.shared.store(pending)?)
    }

    /// Resumes a session as [`resume`](Self::resume) does, through whichever sink there is.
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume).
    pub async fn resume_async(
        &self,
        stored: &Verified,
        session: SessionId,
        scope: &TrustedScope,
        agent: VerifiedIdentity,
    ) -> Result<Session, OpenError> {
        let pending = self.begin_resume(stored, session, scope, agent)?;
        Ok(self.shared.store_async(pending).await?)
    }

    /// Resumes a session and yields its line, for callers that store by themselves.
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume).
    pub fn propose_resume(
        &self,
        stored: &Verified,
        session: SessionId,
        scope: &TrustedScope,
        agent: VerifiedIdentity,
    ) -> Result<Pending<Session>, OpenError> {
        self.shared.check_caller_stores()?;
        self.begin_resume(stored, session, scope, agent)
    }

    fn begin_resume(
        &self,
        stored: &Verified,
        session: SessionId,
        scope: &TrustedScope,
        agent: VerifiedIdentity,
    ) -> Result<Pending<Session>, OpenError> {
        let refuse = |why| Err(OpenError::Resume(why));
        let report: &SessionReport = match stored.session(session) {
            Some(report) => report,
            None => return refuse("it is not in what was stored"),
        };
        if report.agent != agent.id().as_str() {
            return refuse("it belongs to another agent instance");
        }
        if report.scope != [scope.scope().digest()] {
            return refuse("it was opened with another scope");
        }
        if stored.journal_position().id != self.shared.key.journal() {
            return refuse("it belongs to another journal");
        }
        if stored.journal.position.lines < self.shared.earlier_lines {
            return refuse("the journal has moved on since that was read");
        }
        if report.epoch >= self.shared.key.number() {
            return refuse("its epoch is not over");
        }
        let Some(position) = stored.session_position(session) else {
            return refuse("it has ended");
        };
        let shared = &self.shared;
        let (prepared, principal, now) = self.admit(scope, &agent)?;
        let mut secret = [0; 32];
        shared.entropy.fill(&mut secret)?;
        if !shared.resumed.lock().unwrap_or_else(PoisonError::into_inner).insert(session) {
            return refuse("it was resumed in this epoch already");
        }
        let now = now.max(position.time);
        let begun = SessionChain::resume(&shared.key, &position, &secret, shared.openings, now);
        secret.zeroize();
        let (chain, line) = begun?;
        let ledger = match &position.after {
            Some(counters) => Ledger::resumed(|name| counters.get(name)),
            None => Ledger::default(),
        };
        let mut state = State::new(chain, ledger, now);
        state.labels = position.labels.iter().map(|label| label.as_str().into()).collect();
        let session = self.live(prepared, principal, position.session, &agent, state);
        let ticket = session.live.turn.issue();
        Ok(Pending::new(Group::from(line), vec![ticket], session))
    }

    /// Checks that `scope` holds for `agent` now.
    fn admit(
        &self,
        scope: &TrustedScope,
        agent: &VerifiedIdentity,
    ) -> Result<(Arc<Prepared>, Principal, Timestamp), OpenError> {
        let now = self.shared.clock.now().map_err(AuthorizeError::from)?;
        let prepared = self.shared.prepare(scope).map_err(OpenError::Scope)?;
        let scope = &prepared.scope;
        check_agent(scope, agent)?;
        if now >= scope.expires() {
            return Err(OpenError::Refused(Reason::SessionExpired));
        }
        check_lifetime(scope, &self.shared.snapshot())?;
        let above = prepared.above(agent.id());
        let principal = above.and_then(|above| Principal::new(agent.id(), above));
        let principal = principal.ok_or(OpenError::Refused(Reason::IdentityMismatch))?;
        Ok((prepared, principal, now))
    }

    fn live(
        &self,
        prepared: Arc<Prepared>,
        principal: Principal,
        id: SessionId,
        agent: &VerifiedIdentity,
        state: State,
    ) -> Session {
        let live = Live {
            shared: Arc::clone(&self.shared),
            prepared,
            id,
            agent: agent.id().as_str().into(),
            principal,
            turn: Turnstile::new(),
            state: Mutex::new(state),
            outbox: Mutex::new(Vec::new()),
        };
        Session { live: Arc::new(live) }
    }
}

/// Checks that `scope` was given to `agent`, or to a class that it belongs to.
pub(crate) fn check_agent(
    scope: &CompiledScope,
    agent: &VerifiedIdentity,
) -> Result<(), OpenError> {
    match scope.agent().contains(agent.id()) {
        true => Ok(()),
        false => Err(OpenError::Refused(Reason::IdentityMismatch)),
    }
}

/// Checks that `scope` is valid for no longer than the bundle allows.
pub(crate) fn check_lifetime(scope: &CompiledScope, snapshot: &Snapshot) -> Result<(), OpenError> {
    if let Some(hours) = snapshot.limits().scope_hours {
        let most = Duration::from_secs(u64::from(hours) * 3600);
        if scope.expires().since(scope.not_before()) > most {
            return Err(OpenError::TooLong { hours });
        }
    }
    Ok(())
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
    /// Returns [`AuthorizeError`] when the session is closed or poisoned, or has too many labels.
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
        &self.live.agent
    }

    /// Returns the scope of the task.
    #[must_use]
    pub fn scope(&self) -> &CompiledScope {
        &self.live.prepared.scope
    }
}
