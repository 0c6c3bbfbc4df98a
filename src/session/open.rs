//! Opening a session, and going on with one of an earlier process.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zeroize::Zeroize as _;

use crate::authorizer::account::Account;
use crate::authorizer::live::Live;
use crate::authorizer::place::Place;
use crate::authorizer::shared::Prepared;
use crate::authorizer::{AuthorizeError, Authorizer, Finding, FindingKind, Pending};
use crate::entropy::EntropyError;
use crate::governance::labels::Labels;
use crate::governance::limits::Ledger;
use crate::identity::{SpiffeId, VerifiedIdentity};
use crate::policy::{Principal, Snapshot};
use crate::reason::Reason;
use crate::receipt::{
    BeginRecord, Counters, Group, SessionChain, SessionId, SessionReport, Turnstile, Verified,
    WriteError,
};
use crate::scope::{CompiledScope, Scope, ScopeError, TrustedScope};
use crate::session::Session;
use crate::session::state::State;
use crate::time::Timestamp;

/// Why a session could not be opened or resumed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The scope cannot be compiled, such as when a path in it cannot be resolved.
    #[error("the scope cannot be used")]
    Scope(#[source] ScopeError),
    /// The scope does not hold: it was given to another agent, has expired, was revoked, or names a risk
    /// tier that the bundle does not have.
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
        let id = agent.id().clone();
        self.telling(&id, self.opening(scope, agent))
    }

    /// Tells the host of a session that was refused.
    pub(super) fn telling<T>(
        &self,
        agent: &SpiffeId,
        opened: Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        match &opened {
            // Of that it was told already.
            Err(OpenError::Refused(Reason::IdentityDuplicate)) => {}
            Err(OpenError::Refused(reason)) => {
                let at = self.shared.now_or_last();
                let finding = Finding::new(FindingKind::RefusedOpen, agent.as_str(), at);
                self.shared.tell(&Finding { reasons: &[*reason], ..finding });
            }
            _ => {}
        }
        opened
    }

    fn opening(
        &self,
        scope: &TrustedScope,
        agent: VerifiedIdentity,
    ) -> Result<Pending<Session>, OpenError> {
        if scope.scope().descriptor().parent.is_some() {
            // It was given under another scope, which alone would not bound it here.
            return Err(OpenError::Refused(Reason::DelegationParent));
        }
        let (prepared, principal, now) = self.admit(scope.scope(), &agent)?;
        let own = Account::new(prepared, Ledger::default());
        let mut id = [0; 16];
        self.shared.entropy.fill(&mut id)?;
        let issuers = scope.issuer().cloned().into_iter().collect();
        let place = Place::alone(own, principal, agent, issuers, Labels::default());
        self.check_revoked(&place, SessionId::from_bytes(id))?;
        self.begin(place, SessionId::from_bytes(id), now)
    }

    /// Begins the chain of a session at its place, and announces it in the journal.
    pub(super) fn begin(
        &self,
        place: Place,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Pending<Session>, OpenError> {
        let shared = &self.shared;
        let mut secret = [0; 32];
        shared.entropy.fill(&mut secret)?;
        let snapshot = shared.snapshot();
        let record = BeginRecord {
            about: place.about(),
            bundle: snapshot.digest(),
            schema: snapshot.schema_digest(),
            expires: place.ends(),
            time: now,
        };
        let begun = SessionChain::begin(&shared.key, id, &secret, shared.openings, &record);
        secret.zeroize();
        let (chain, begin) = begun?;
        let pending = shared.write_journal(now, |journal, at| {
            // The journal announces the session before its first line.
            let open = journal.open(id, place.agent.id().as_str(), begin.link(), at)?;
            Ok((Group::new(vec![open, begin], Vec::new()), ()))
        })?;
        // What those above did before is not in this session's past.
        let state = State::new(chain, id, !place.above.is_empty(), now);
        let session = self.live(place, id, state);
        Ok(pending.map(|()| session))
    }

    /// Goes on with a session of an earlier process, from what a verifier found to be stored.
    ///
    /// Counters and labels go on from the last receipt; permits of the earlier process are void. Which
    /// targets were touched is not in the counters, so that every target counts as new; for 60 seconds all
    /// calls of the session count as made at its last line; money is rounded up to the millionth. Of sessions
    /// on scopes that were handed on from this one's, the labels stick here too, and all that those have used
    /// whose last line is no older than this session's counts once more: some of it may not be in its counters.
    /// What people gave to the session beside its scope is gone; a standing grant or a declassification that was
    /// signed until now is refused, because it may have been used.
    ///
    /// # Errors
    ///
    /// Returns [`OpenError::Resume`] when the session has ended, is another agent's, has another scope or one that
    /// was handed on (its agent is given a new session by whoever handed it on), or the journal has moved on;
    /// otherwise as [`open`](Self::open).
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
        let id = agent.id().clone();
        self.telling(&id, self.resuming(stored, session, scope, agent))
    }

    fn resuming(
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
        if report.scope.len() > 1 {
            return refuse("its scope was handed on, and is to be handed on again");
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
        let (prepared, principal, now) = self.admit(scope.scope(), &agent)?;
        let mut secret = [0; 32];
        shared.entropy.fill(&mut secret)?;
        if !shared.resumed.lock().unwrap_or_else(PoisonError::into_inner).insert(session) {
            return refuse("it was resumed in this epoch already");
        }
        let now = now.max(position.time);
        let begun = SessionChain::resume(&shared.key, &position, &secret, shared.openings, now);
        secret.zeroize();
        let (chain, line) = begun?;
        let handed_on = HandedOn::of(stored, report);
        let ledger = match &position.after {
            Some(counters) => {
                let calls = position.next_call.saturating_sub(1).saturating_add(handed_on.calls);
                let counter = |name: &str| handed_on.on_top_of(counters.get(name), name);
                let last = position.time.max(handed_on.last);
                Ledger::resumed(&prepared.limits, calls, last, counter)
            }
            None => Ledger::default(),
        };
        let own = position.labels.iter().map(|label| label.as_str().into());
        let touched: BTreeSet<Box<str>> = own.chain(handed_on.labels).collect();
        let touched = touched.into_iter().collect();
        // What was declassified is not known any more, so that all of it is seen.
        let labels = Labels::of(touched, Vec::new());
        let labels = labels.ok_or(OpenError::Resume("its labels are not in order"))?;
        let issuers = scope.issuer().cloned().into_iter().collect();
        let own = Account::new(prepared, ledger);
        let place = Place::alone(own, principal, agent, issuers, labels);
        self.check_revoked(&place, session)?;
        let mut state = State::new(chain, position.session, true, now);
        state.governed.resumed = Some(now);
        let session = self.live(place, position.session, state);
        let ticket = session.live.turn.issue();
        Ok(Pending::new(Group::from(line), vec![ticket], session))
    }

    /// Checks that `scope` holds for `agent` now.
    pub(super) fn admit(
        &self,
        scope: &Scope,
        agent: &VerifiedIdentity,
    ) -> Result<(Arc<Prepared>, Principal, Timestamp), OpenError> {
        let now = self.shared.now_after_journal()?;
        self.shared.check_instance(agent, now).map_err(OpenError::Refused)?;
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

    /// Refuses a session that rests on something that is revoked.
    pub(super) fn check_revoked(&self, place: &Place, session: SessionId) -> Result<(), OpenError> {
        let revoked = self.shared.revocations().check(&place.subjects(session));
        revoked.map_or(Ok(()), |reason| Err(OpenError::Refused(reason)))
    }

    fn live(&self, place: Place, id: SessionId, state: State) -> Session {
        let live = Live {
            shared: Arc::clone(&self.shared),
            id,
            subjects: place.subjects(id),
            place,
            turn: Turnstile::new(),
            state: Mutex::new(state),
            outbox: Mutex::new(Vec::new()),
            ended: AtomicBool::new(false),
            halted: AtomicBool::new(false),
        };
        let live = Arc::new(live);
        self.shared.register(&live);
        Session { live }
    }
}

/// What sessions on scopes that were handed on from a session's may have used and touched without a line of
/// its own that says so.
struct HandedOn<'a> {
    labels: BTreeSet<Box<str>>,
    /// Those whose use may not be in the counters of the session.
    later: Vec<&'a Counters<'static>>,
    calls: u64,
    last: Timestamp,
}

impl<'a> HandedOn<'a> {
    fn of(stored: &'a Verified, session: &SessionReport) -> Self {
        let (labels, later) = (BTreeSet::new(), Vec::new());
        let mut found = Self { labels, later, calls: 0, last: session.time };
        // Whose delegate a session is, its lines do not say openly: the scope is what they have in common.
        let below = |other: &&SessionReport| {
            other.scope.len() > session.scope.len()
                && other.scope.starts_with(&session.scope)
                && other.begun >= session.begun
        };
        for other in stored.sessions.iter().filter(below) {
            found.labels.extend(other.labels.iter().map(|label| Box::from(label.as_str())));
            // What those below a delegate have used, it has used.
            if other.scope.len() == session.scope.len() + 1 && other.time >= session.time {
                found.later.extend(&other.after);
                found.calls = found.calls.saturating_add(other.calls);
                found.last = found.last.max(other.time);
            }
        }
        found
    }

    /// A counter of the session with what may not be in it.
    fn on_top_of(&self, own: Option<u64>, name: &str) -> Option<u64> {
        let more = self.later.iter().filter_map(|counters| counters.get(name));
        match (own, more.fold(0, u64::saturating_add)) {
            (own, 0) => own,
            (Some(own), more) => Some(own.saturating_add(more)),
            // Domains, tools and money that the session has not used have no counter; the others must.
            (None, more) => (name.contains(':') || name == "spend_unknown").then_some(more),
        }
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

/// Checks that the bundle has the tier of `scope`, and that it is valid for no longer than that allows.
pub(crate) fn check_lifetime(scope: &CompiledScope, snapshot: &Snapshot) -> Result<(), OpenError> {
    snapshot.tier(scope.tier()).map_err(OpenError::Refused)?;
    if let Some(hours) = snapshot.caps(scope.tier()).scope_hours {
        let most = Duration::from_secs(u64::from(hours) * 3600);
        if scope.expires().since(scope.not_before()) > most {
            return Err(OpenError::TooLong { hours });
        }
    }
    Ok(())
}
