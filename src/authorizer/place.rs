//! Where a session stands: who works, on what, and which hops are above it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::authorizer::account::Account;
use crate::authorizer::live::Live;
use crate::digest::Digest;
use crate::governance::labels::Labels;
use crate::governance::{DelegationToken, Parties, Subjects};
use crate::identity::{PrincipalKind, Proof, VerifiedIdentity};
use crate::policy::Principal;
use crate::reason::Reason;
use crate::receipt::{About, SessionId};
use crate::scope::{CompiledScope, ScopeIssuer};
use crate::time::Timestamp;

/// Where a session that was opened on a token of another process came from.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) token: DelegationToken,
    /// Everything there that can be revoked.
    pub(crate) subjects: Subjects,
}

#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) agent: VerifiedIdentity,
    pub(crate) principal: Principal,
    /// What the session was given, and what it used of it.
    pub(crate) own: Arc<Account>,
    /// The same of the hops above it, outermost first.
    pub(crate) above: Vec<Arc<Account>>,
    /// The session that delegated to this one, in this process.
    pub(crate) parent: Option<Arc<Live>>,
    /// Digests of the chain of scopes, outermost first.
    pub(crate) scopes: Box<[Digest]>,
    /// The token of another process that the outermost session of this one was opened on.
    pub(crate) origin: Option<Arc<Origin>>,
    /// Who signed the scopes that somebody answers for.
    pub(crate) issuers: Vec<ScopeIssuer>,
    /// The service accounts through which the agent acts, ascending.
    pub(crate) acting_through: Box<[Box<str>]>,
    /// What was touched by the session, by those that it delegated to and by those that delegated to
    /// it. Locked last.
    labels: Arc<Mutex<Labels>>,
}

/// A label that policies see no more once the lines that say so are stored.
#[derive(Debug)]
pub(crate) struct Leaving {
    labels: Arc<Mutex<Labels>>,
    number: u64,
}

impl Leaving {
    /// The lines are stored.
    pub(crate) fn stored(self) {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner).declassify(self.number);
    }
}

impl Place {
    /// A session that nobody delegated to.
    pub(crate) fn alone(
        own: Arc<Account>,
        principal: Principal,
        agent: VerifiedIdentity,
        issuers: Vec<ScopeIssuer>,
        labels: Labels,
    ) -> Self {
        Self {
            agent,
            principal,
            scopes: Box::new([own.prepared.scope.digest()]),
            issuers,
            own,
            above: Vec::new(),
            parent: None,
            origin: None,
            acting_through: Box::default(),
            labels: Arc::new(Mutex::new(labels)),
        }
    }

    /// A session that was opened on a token of another process. `above` are the hops of the token.
    pub(crate) fn far(
        own: Arc<Account>,
        above: Vec<Arc<Account>>,
        principal: Principal,
        agent: VerifiedIdentity,
        origin: Origin,
        labels: Labels,
    ) -> Self {
        let scopes = above.iter().chain([&own]).map(|hop| hop.prepared.scope.digest()).collect();
        let through = origin.token.delegation().acting_through.iter().cloned().collect();
        Self {
            scopes,
            above,
            acting_through: through,
            origin: Some(Arc::new(origin)),
            ..Self::alone(own, principal, agent, Vec::new(), labels)
        }
    }

    /// A session that `parent` delegates to.
    pub(crate) fn below(
        parent: &Arc<Live>,
        own: Arc<Account>,
        principal: Principal,
        agent: VerifiedIdentity,
    ) -> Self {
        let place = &parent.place;
        let above: Vec<Arc<Account>> = place.above.iter().chain([&place.own]).cloned().collect();
        let scopes = place.scopes.iter().copied().chain([own.prepared.scope.digest()]).collect();
        Self {
            agent,
            principal,
            own,
            above,
            parent: Some(Arc::clone(parent)),
            origin: place.origin.clone(),
            scopes,
            issuers: place.issuers.clone(),
            acting_through: place.acting_through_next().into(),
            labels: Arc::clone(&place.labels),
        }
    }

    pub(crate) fn scope(&self) -> &CompiledScope {
        &self.own.prepared.scope
    }

    pub(crate) fn labels(&self) -> MutexGuard<'_, Labels> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to take a label from what policies see; none where they do not see it.
    pub(crate) fn declassify(&self, label: &str) -> Option<Leaving> {
        let number = self.labels().leave(label)?;
        Some(Leaving { labels: Arc::clone(&self.labels), number })
    }

    /// What a delegate of this session acts through: a service that hands a scope on stays visible.
    pub(crate) fn acting_through_next(&self) -> Vec<Box<str>> {
        let mut through = self.acting_through.to_vec();
        if self.agent.kind() == PrincipalKind::Service {
            through.push(self.agent.id().as_str().into());
            through.sort_unstable();
            through.dedup();
        }
        through
    }

    /// All hops, outermost first, the session's own last.
    pub(crate) fn hops(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.above.iter().chain([&self.own])
    }

    /// The sessions of this process that delegated to this one, from the nearest upwards.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &Live> {
        std::iter::successors(self.parent.as_deref(), |live| live.place.parent.as_deref())
    }

    /// When the first task of the chain ends.
    pub(crate) fn ends(&self) -> Timestamp {
        let own = self.scope().expires();
        self.above.iter().fold(own, |end, hop| end.min(hop.prepared.scope.expires()))
    }

    /// Everything that the session rests on and that can be revoked: its own, and what is above it.
    pub(crate) fn subjects(&self, session: SessionId) -> Subjects {
        let mut subjects = match &self.origin {
            None => Subjects::new(self.agent.id(), session),
            Some(origin) => {
                let far = origin.subjects.clone();
                far.with_instance(self.agent.id()).with_session(session)
            }
        };
        for live in self.parents() {
            subjects = subjects.with_instance(live.place.agent.id()).with_session(live.id);
            subjects = with_proof(subjects, &live.place.agent);
        }
        for hop in self.hops() {
            subjects = subjects.with_scope(&hop.prepared.scope);
        }
        for issuer in &self.issuers {
            subjects = subjects.with_issuer(issuer);
        }
        with_proof(subjects, &self.agent)
    }

    /// Why nothing is granted at `now` any more, whatever is asked: some session above has ended or was
    /// halted, or a credential has expired.
    pub(crate) fn stopped(&self, now: Timestamp) -> Option<Reason> {
        let mut agents = self.parents().map(|live| &live.place.agent).chain([&self.agent]);
        let over = |live: &Live| live.ended.load(Ordering::Acquire) || live.turn.is_poisoned();
        if self.parents().any(|live| live.halted.load(Ordering::Acquire)) {
            Some(Reason::SessionHalted)
        } else if self.parents().any(over) {
            Some(Reason::DelegationEnded)
        } else if !agents.all(|agent| agent.is_current(now)) {
            Some(Reason::IdentityExpired)
        } else {
            None
        }
    }

    /// Between whom the task is.
    pub(crate) fn parties(&self) -> Parties<'_> {
        let scope = self.scope();
        Parties { owner: scope.owner(), on_behalf_of: scope.on_behalf_of() }
    }

    /// Who works on what, as receipts repeat it.
    pub(crate) fn about(&self) -> About<'_> {
        let scope = self.scope();
        About {
            agent: self.agent.id().as_str(),
            on_behalf_of: scope.on_behalf_of().unwrap_or(scope.owner()),
            owner: scope.owner(),
            task: scope.task(),
            scope: &self.scopes,
        }
    }
}

fn with_proof(subjects: Subjects, agent: &VerifiedIdentity) -> Subjects {
    match agent.proof() {
        Proof::Possession { key } => subjects.with_key(key),
        _ => subjects,
    }
}
