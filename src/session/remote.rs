//! Handing a scope on to another process, and taking up one that came from there.
//!
//! Between processes there is no ledger that both see: who delegates is charged with the whole budget of the
//! delegate at once, and labels come back with a signed return.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use crate::authorizer::account::Account;
use crate::authorizer::place::{Origin, Place};
use crate::authorizer::{AuthorizeError, Authorizer, Pending};
use crate::digest::Digest;
use crate::entropy::EntropyError;
use crate::governance::labels::Labels;
use crate::governance::limits::{Ledger, SessionLimits};
use crate::governance::{
    Budget, Delegation as Said, DelegationId, DelegationReturn, DelegationToken, Hop,
    MAX_TOKEN_LIFETIME, Refusal, Returned,
};
use crate::identity::{SpiffeId, VerifiedIdentity};
use crate::policy::Snapshot;
use crate::reason::Reason;
use crate::receipt::{SessionId, SignError, Signer, TrustedKey};
use crate::scope::{Scope, check_child};
use crate::session::acts::Noting;
use crate::session::{ActError, OpenError, Session};

/// What is handed on to an agent of another process.
#[derive(Debug, Clone)]
pub struct Handover<'a> {
    /// The narrower scope; it names this session's scope as its `parent`.
    pub scope: &'a Scope,
    /// The instance that may take it up.
    pub to: &'a SpiffeId,
    /// The authorizer at which it may: the id of its journal, in hex.
    pub audience: &'a str,
    /// How much the delegate may use. This session is charged with all of it at once.
    pub budget: Budget,
    /// How long the token may be taken up, at most an hour.
    pub within: Duration,
}

/// Why a scope was not handed on to another process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverError {
    /// It was refused, or could not be put on record.
    #[error(transparent)]
    Act(#[from] ActError),
    /// Random bytes could not be had.
    #[error("no random bytes for the token")]
    Entropy(#[from] EntropyError),
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Sign(#[from] SignError),
}

impl Session {
    /// Hands a narrower scope on to an agent of another process, as a token that `signer` signs. The other
    /// process finds its key under `authorizers` in its directory.
    ///
    /// The budget is used up here, whatever becomes of the token.
    ///
    /// # Errors
    ///
    /// Returns [`HandoverError`]: a refusal is on the chain with its reason.
    ///
    /// # Security
    ///
    /// What the delegate touches is known here only once its return was [taken](Self::take_return).
    pub fn hand_over(
        &self,
        handover: &Handover<'_>,
        signer: &dyn Signer,
    ) -> Result<DelegationToken, HandoverError> {
        self.live.shared.check_blocking().map_err(ActError::from)?;
        let (noting, failed) = self.handing_over(handover, signer)?;
        let stored = self.store_act(noting);
        failed.map_or_else(|| Ok(stored?), |error| Err(error.into()))
    }

    /// Hands a scope on as [`hand_over`](Self::hand_over) does, through whichever sink there is.
    ///
    /// # Errors
    ///
    /// As [`hand_over`](Self::hand_over).
    pub async fn hand_over_async(
        &self,
        handover: &Handover<'_>,
        signer: &dyn Signer,
    ) -> Result<DelegationToken, HandoverError> {
        self.live.shared.check_stores().map_err(ActError::from)?;
        let (noting, failed) = self.handing_over(handover, signer)?;
        let stored = self.store_act_async(noting).await;
        failed.map_or_else(|| Ok(stored?), |error| Err(error.into()))
    }

    /// Hands a scope on and yields the lines, for callers that store by themselves: no I/O.
    ///
    /// # Errors
    ///
    /// As [`hand_over`](Self::hand_over), where a refusal comes out once its line is stored; that the signer failed
    /// is the refusal [`Reason::DelegationToken`].
    pub fn propose_hand_over(
        &self,
        handover: &Handover<'_>,
        signer: &dyn Signer,
    ) -> Result<Pending<Result<DelegationToken, Refusal>>, HandoverError> {
        self.live.shared.check_caller_stores().map_err(ActError::from)?;
        Ok(self.handing_over(handover, signer)?.0.pending)
    }

    fn handing_over(
        &self,
        handover: &Handover<'_>,
        signer: &dyn Signer,
    ) -> Result<(Noting<DelegationToken>, Option<SignError>), HandoverError> {
        let id = DelegationId::generate(&*self.live.shared.entropy)?;
        let live = &self.live;
        let mut failed = None;
        let noting = live.noting("handover", |live, _, now, snapshot| {
            let place = &live.place;
            let value = handover_value(handover);
            let checked = (|| {
                let compiled = live.shared.prepare(handover.scope);
                let compiled = compiled.map_err(|_| Reason::DelegationToken)?;
                let scope = &compiled.scope;
                check_child(place.scope(), scope)?;
                if !scope.agent().contains(handover.to) {
                    return Err(Reason::IdentityMismatch);
                }
                if place.agents().any(|agent| agent == handover.to) {
                    return Err(Reason::DelegationCycle);
                }
                snapshot.check_edge(place.agent.id(), handover.to)?;
                if scope.tier() != place.scope().tier() {
                    return Err(Reason::ScopeTier);
                }
                if place.own.ledger().delegates() >= place.scope().limits().delegates {
                    return Err(Reason::DelegationFanOut);
                }
                place.has_room_for(&handover.budget, snapshot)
            })();
            if let Err(reason) = checked {
                return (value, Err(reason.into()));
            }
            let said = Said {
                id,
                hops: place.sessions_above(live).collect(),
                to: handover.to.clone(),
                audience: handover.audience.into(),
                scopes: place
                    .hops()
                    .map(|hop| hop.prepared.source.clone())
                    .chain([handover.scope.clone()])
                    .collect(),
                keys: place.keys(),
                acting_through: place.acting_through_next().into_iter().collect(),
                labels: place.labels().touched().iter().cloned().collect(),
                issued_at: now,
                expires: now.plus(handover.within.min(MAX_TOKEN_LIFETIME)).min(place.ends()),
                budget: handover.budget.clone(),
            };
            match DelegationToken::sign(&said, signer) {
                // Others of the tree may have used the room up meanwhile: then nobody sees the token.
                Ok(token) => match place.charge_with(&handover.budget, snapshot) {
                    Ok(()) => {
                        place.own.ledger().delegate();
                        (token.as_str().to_owned(), Ok(token))
                    }
                    Err(reason) => (value, Err(reason.into())),
                },
                Err(error) => {
                    failed = Some(error);
                    (value, Err(Reason::DelegationToken.into()))
                }
            }
        });
        Ok((noting.map_err(ActError::from)?, failed))
    }

    /// Says what this session, which was opened on a token, has used and touched, for the process that
    /// delegated. The last one is asked for before the session is closed.
    ///
    /// # Errors
    ///
    /// Returns [`HandoverError`] when the session was not opened on a token, is closed or poisoned, or the
    /// signer fails.
    pub fn sign_return(
        &self,
        ended: bool,
        signer: &dyn Signer,
    ) -> Result<DelegationReturn, HandoverError> {
        let place = &self.live.place;
        let no_token = AuthorizeError::Misuse("the session was not opened on a token");
        let origin = place.origin.as_ref().filter(|_| place.parent.is_none());
        let origin = origin.ok_or(ActError::Record(no_token))?;
        let mut state = self.live.lock().map_err(ActError::from)?;
        let (_, now) = state.advance(self.live.shared.clock.now().ok());
        let labels: BTreeSet<Box<str>> = place.labels().touched().iter().cloned().collect();
        let returned = Returned {
            delegation: origin.token.delegation().id,
            session: self.id(),
            labels,
            used: place.own.ledger().used_of_budget(),
            ended,
            issued_at: now,
        };
        drop(state);
        Ok(DelegationReturn::sign(&returned, signer)?)
    }

    /// Takes what came back of `token`, which this session handed over, before a restart or since: the labels
    /// that stuck there stick here. What was charged stays charged.
    ///
    /// # Errors
    ///
    /// Returns [`ActError`]: a refusal is on the chain with its reason.
    pub fn take_return(&self, token: &DelegationToken, text: &[u8]) -> Result<Returned, ActError> {
        self.live.shared.check_blocking()?;
        self.store_act(self.taking_return(token, text)?)
    }

    /// Takes what came back as [`take_return`](Self::take_return) does, through whichever sink there is.
    ///
    /// # Errors
    ///
    /// As [`take_return`](Self::take_return).
    pub async fn take_return_async(
        &self,
        token: &DelegationToken,
        text: &[u8],
    ) -> Result<Returned, ActError> {
        self.live.shared.check_stores()?;
        self.store_act_async(self.taking_return(token, text)?).await
    }

    /// Takes what came back and yields the lines, for callers that store by themselves: no I/O.
    ///
    /// # Errors
    ///
    /// As [`take_return`](Self::take_return), where a refusal comes out once its line is stored.
    pub fn propose_take_return(
        &self,
        token: &DelegationToken,
        text: &[u8],
    ) -> Result<Pending<Result<Returned, Refusal>>, AuthorizeError> {
        self.live.shared.check_caller_stores()?;
        Ok(self.taking_return(token, text)?.pending)
    }

    fn taking_return(
        &self,
        token: &DelegationToken,
        text: &[u8],
    ) -> Result<Noting<Returned>, AuthorizeError> {
        let directory = self.live.shared.directory();
        self.live.noting("return", |live, _, now, _| {
            let read = DelegationReturn::parse(text);
            let value = match &read {
                Ok(read) => read.as_str().to_owned(),
                Err(_) => super::acts::unread_value(text),
            };
            let taken = read.map_err(|_| Reason::DelegationReturn).and_then(|read| {
                // A return adds nothing but labels, so that whose token it is need not be remembered.
                let journal = live.shared.key.journal();
                let from = token.delegation().hops.last();
                if from.is_none_or(|hop| (hop.session, hop.journal) != (live.id, journal)) {
                    return Err(Reason::DelegationReturn);
                }
                let returned = read.verify(&directory, now, token);
                let returned = returned.map_err(|error| error.reason())?;
                let mut labels = live.place.labels();
                let room = returned.labels.iter().all(|label| labels.touch(label));
                if room { Ok(returned.clone()) } else { Err(Reason::SessionLabelsFull) }
            });
            (value, taken.map_err(Into::into))
        })
    }
}

impl Authorizer {
    /// Opens a session on a scope that an agent of another process handed on. Each token opens one session.
    ///
    /// Every scope of the token must grant every effect, and its budget caps the limits of the session.
    ///
    /// # Errors
    ///
    /// Returns [`OpenError::Refused`] with a reason `delegation.*`, or the reason why the scopes or the agent do
    /// not hold; otherwise as [`open`](Self::open).
    ///
    /// # Security
    ///
    /// Whose keys sign for other authorizers stands in the directory, and which trust domains may hand on to
    /// which in the bundle. `agent` is the instance that the token names, and proven as any other is.
    pub fn open_delegated(
        &self,
        token: &DelegationToken,
        agent: VerifiedIdentity,
    ) -> Result<Session, OpenError> {
        self.shared.check_blocking()?;
        let session = self.shared.store(self.begin_delegated(token, agent)?)?;
        match session.store_act(session.note_origin(token)?) {
            Ok(()) => Ok(session),
            Err(error) => Err(not_noted(error)),
        }
    }

    /// Opens a session as [`open_delegated`](Self::open_delegated) does, through whichever sink there is.
    ///
    /// # Errors
    ///
    /// As [`open_delegated`](Self::open_delegated).
    pub async fn open_delegated_async(
        &self,
        token: &DelegationToken,
        agent: VerifiedIdentity,
    ) -> Result<Session, OpenError> {
        self.shared.check_stores()?;
        let session = self.shared.store_async(self.begin_delegated(token, agent)?).await?;
        match session.store_act_async(session.note_origin(token)?).await {
            Ok(()) => Ok(session),
            Err(error) => Err(not_noted(error)),
        }
    }

    /// Returns the name by which other authorizers hand scopes on to this one: the id of its journal.
    #[must_use]
    pub fn audience(&self) -> String {
        self.shared.key.journal().to_string()
    }

    fn begin_delegated(
        &self,
        token: &DelegationToken,
        agent: VerifiedIdentity,
    ) -> Result<Pending<Session>, OpenError> {
        let id = agent.id().clone();
        self.telling(&id, self.redeeming(token, agent))
    }

    fn redeeming(
        &self,
        token: &DelegationToken,
        agent: VerifiedIdentity,
    ) -> Result<Pending<Session>, OpenError> {
        let shared = &self.shared;
        let said = token.delegation();
        let own = said.scopes.last().ok_or(OpenError::Refused(Reason::DelegationToken))?;
        if said.to != *agent.id() {
            return Err(OpenError::Refused(Reason::IdentityMismatch));
        }
        let (prepared, principal, now) = self.admit(own, &agent)?;
        let snapshot = shared.snapshot();
        let verified =
            token.verify(&shared.directory(), now, &self.audience(), snapshot.trust_edges());
        let verified = verified.map_err(|error| OpenError::Refused(error.reason()))?;
        let mut above = Vec::with_capacity(said.scopes.len());
        for scope in said.scopes.iter().take(said.hops.len()) {
            let prepared = shared.prepare(scope).map_err(OpenError::Scope)?;
            above.push(Account::new(prepared, Ledger::default()));
        }
        let labels = Labels::of(said.labels.iter().cloned().collect(), Vec::new());
        let labels = labels.ok_or(OpenError::Refused(Reason::DelegationToken))?;
        let mut id = [0; 16];
        shared.entropy.fill(&mut id)?;
        let id = SessionId::from_bytes(id);
        let own = Account::with_budget(prepared, said.budget.clone());
        let origin = Origin { token: token.clone(), subjects: verified.subjects(id) };
        let place = Place::far(own, above, principal, agent, origin, labels);
        self.check_revoked(&place, id)?;
        self.check_halted(&place, id).map_err(OpenError::Refused)?;
        let mut redeemed = shared.redeemed.lock().unwrap_or_else(PoisonError::into_inner);
        redeemed.redeem(&verified, now).map_err(OpenError::Refused)?;
        drop(redeemed);
        self.begin(place, id, now)
    }
}

impl Session {
    /// Puts the token on the chain of the session that it opened.
    fn note_origin(&self, token: &DelegationToken) -> Result<Noting<()>, AuthorizeError> {
        self.live.noting("taken_over", |_, _, _, _| (token.as_str().to_owned(), Ok(())))
    }
}

/// Why a session that is open already cannot be given out.
fn not_noted(error: ActError) -> OpenError {
    match error {
        ActError::Refused(refusal) => OpenError::Refused(refusal.reason()),
        ActError::Record(error) => OpenError::Record(error),
        ActError::Start(_) => OpenError::Record(AuthorizeError::Misuse("nothing was to start")),
    }
}

fn handover_value(handover: &Handover<'_>) -> String {
    let mut value = crate::value::Object::new();
    value.insert("agent".into(), handover.to.as_str().into());
    value.insert("scope".into(), handover.scope.digest().to_string().into());
    crate::value::Value::Object(value).to_canonical()
}

/// For the place of a session: who stands where on the way to it.
impl Place {
    /// Tells whether every hop has room for `budget` at the moment.
    fn has_room_for(&self, budget: &Budget, snapshot: &Snapshot) -> Result<(), Reason> {
        self.hops().try_for_each(|hop| hop.ledger().has_room_for(budget, &hop.limits(snapshot)))
    }

    /// Charges every hop with `budget`, or none. All ledgers are held meanwhile, from the session upwards.
    fn charge_with(&self, budget: &Budget, snapshot: &Snapshot) -> Result<(), Reason> {
        let limits: Vec<SessionLimits> = self.hops().map(|hop| hop.limits(snapshot)).collect();
        let own = self.own.ledger();
        let above = self.above.iter().rev().map(|hop| hop.ledger());
        let mut ledgers: Vec<MutexGuard<'_, Ledger>> = std::iter::once(own).chain(above).collect();
        ledgers.reverse();
        let each = ledgers.iter().zip(&limits);
        each.clone().try_for_each(|(ledger, limits)| ledger.has_room_for(budget, limits))?;
        let each = ledgers.iter_mut().zip(&limits);
        each.for_each(|(ledger, limits)| ledger.hand_over(budget, limits));
        Ok(())
    }

    /// Every instance on the way, this one included.
    pub(crate) fn agents(&self) -> impl Iterator<Item = &SpiffeId> {
        let far = self.origin.iter().flat_map(|origin| &origin.token.delegation().hops);
        let near = self.parents().map(|live| live.place.agent.id());
        far.map(|hop| &hop.agent).chain(near).chain([self.agent.id()])
    }

    /// Every session on the way as tokens name them, outermost first, that of `live` last.
    fn sessions_above(&self, live: &crate::authorizer::live::Live) -> impl Iterator<Item = Hop> {
        let journal: Digest = live.shared.key.journal();
        let far = self.origin.iter().flat_map(|origin| origin.token.delegation().hops.clone());
        let hop = move |agent: &VerifiedIdentity, session| Hop {
            agent: agent.id().clone(),
            journal,
            session,
        };
        let mut near: Vec<Hop> =
            self.parents().map(|live| hop(&live.place.agent, live.id)).collect();
        near.reverse();
        far.chain(near).chain([hop(&self.agent, live.id)])
    }

    /// Every key that scopes and tokens on the way rest on.
    fn keys(&self) -> Vec<TrustedKey> {
        let mut keys: Vec<TrustedKey> = self.issuers.iter().map(|it| *it.key()).collect();
        if let Some(origin) = &self.origin {
            keys.extend(origin.token.delegation().keys.iter().copied());
            keys.push(*origin.token.key());
        }
        keys
    }
}
