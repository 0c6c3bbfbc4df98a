//! What people do to a session: asking, approving, granting, elevating, declassifying. Every act is put on the
//! session's chain, accepted or refused, before what comes of it is returned.

use std::sync::Arc;
use std::time::Duration;

use crate::action::{Action, EffectContext};
use crate::authorizer::events::{Event, Noted};
use crate::authorizer::lines::describe;
use crate::authorizer::live::Live;
use crate::authorizer::witness::Witness;
use crate::authorizer::{
    AuthorizeError, Call, Decision, Deferral, EffectOutcome, Finding, FindingKind, Pending,
    StartError, stand_in,
};
use crate::digest::Digest;
use crate::governance::approval::{Accepted, Need, RequestParts};
use crate::governance::{
    Approval, ApprovalRequest, Approver, AsyncApprover, Countersigned, Declassification, Elevation,
    Refusal, Review, StandingGrant,
};
use crate::policy::Snapshot;
use crate::reason::Reason;
use crate::session::Session;
use crate::session::governed::{Governed, action_digest};
use crate::session::state::State;
use crate::time::Timestamp;
use crate::value::{Object, Value};

/// The most signatures under one declassification that are looked at.
const MAX_SIGNATURES: usize = 16;

/// One thing that people, or the host for them, do to a session.
///
/// Documents are the signed texts as they arrived; whatever they are, what came of them is on the chain.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Act<'a> {
    /// Asks people about a call that was deferred, until then at the latest.
    Request {
        /// What was deferred.
        deferral: &'a Deferral,
        /// Until when an approval is of use; it is cut to the end of the task.
        expires: Timestamp,
    },
    /// Brings a person's answer to a request.
    Approve(&'a [u8]),
    /// Brings a person's signature under a standing grant.
    Grant(&'a [u8]),
    /// Brings a person's signature under an elevation.
    Elevate(&'a [u8]),
    /// Brings the signatures of all people that a declassification takes.
    Declassify(&'a [&'a [u8]]),
}

/// What came of an act that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acted {
    /// People are to be asked this, or were asked already.
    Requested(Box<ApprovalRequest>),
    /// The answer counts.
    Answered(Accepted),
    /// The signature under a standing grant counts.
    Granted(Countersigned),
    /// The signature under an elevation counts.
    Elevated(Countersigned),
    /// Policies do not see this label until it is touched again.
    Declassified(Box<str>),
}

/// Why an act came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActError {
    /// It was refused. That is on the chain.
    #[error("the act was refused: {0}")]
    Refused(#[source] Refusal),
    /// A call that was to be leased for, or to redeem, could not start.
    #[error("the action may not start")]
    Start(#[source] StartError),
    /// The session is closed or poisoned, or the act could not be put on record.
    #[error("the act could not be put on record")]
    Record(#[from] AuthorizeError),
}

impl ActError {
    /// Returns the reason, where it was refused.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused(refusal) => Some(refusal.reason()),
            Self::Start(_) | Self::Record(_) => None,
        }
    }
}

/// Lines to store, and what came of an act.
pub(super) struct Noting<T> {
    pub(super) earlier: Vec<Pending<()>>,
    pub(super) pending: Pending<Result<T, Refusal>>,
}

impl Session {
    /// Does one act, and stores the lines that say so.
    ///
    /// # Errors
    ///
    /// Returns [`ActError::Refused`] with the reason, which is on the chain, and [`ActError::Record`] when the
    /// session is closed or poisoned or the lines could not be stored.
    ///
    /// # Security
    ///
    /// Documents may come from anywhere, an agent included: each is held against the authorizer's
    /// [`Directory`](crate::governance::Directory), the revocations and the session, now and again at each use.
    pub fn act(&self, act: Act<'_>) -> Result<Acted, ActError> {
        self.live.shared.check_blocking()?;
        let noting = self.live.act(act)?;
        self.store_act(noting)
    }

    /// Does one act as [`act`](Self::act) does, through whichever sink there is.
    ///
    /// # Errors
    ///
    /// As [`act`](Self::act).
    pub async fn act_async(&self, act: Act<'_>) -> Result<Acted, ActError> {
        self.live.shared.check_stores()?;
        self.store_act_async(self.live.act(act)?).await
    }

    /// Does one act and yields the lines, for callers that store by themselves: no I/O.
    ///
    /// # Errors
    ///
    /// As [`act`](Self::act), where a refusal comes out once its line is stored.
    pub fn propose_act(
        &self,
        act: Act<'_>,
    ) -> Result<Pending<Result<Acted, Refusal>>, AuthorizeError> {
        self.live.shared.check_caller_stores()?;
        Ok(self.live.act(act)?.pending)
    }

    /// Asks for the request that people are to be shown about a deferred call; see [`Act::Request`].
    ///
    /// # Errors
    ///
    /// As [`act`](Self::act).
    pub fn request_approval(
        &self,
        deferral: &Deferral,
        expires: Timestamp,
    ) -> Result<ApprovalRequest, ActError> {
        match self.act(Act::Request { deferral, expires })? {
            Acted::Requested(request) => Ok(*request),
            _ => Err(AuthorizeError::Misuse("another act was done").into()),
        }
    }

    /// Proposes an action, asks people where it is deferred, and proposes it again with what they signed.
    ///
    /// Nobody there, a time-out, a rejection or too few approvals: it is deferred still.
    ///
    /// # Errors
    ///
    /// Returns [`ActError::Record`] as [`authorize`](Self::authorize) does. That people could not be asked, or
    /// that what they signed was refused, is no error: it is on the chain, and the answer is what it was.
    pub fn authorize_or_ask<A: Action + Clone>(
        &self,
        action: A,
        call: &Call,
        approver: &dyn Approver,
        within: Duration,
    ) -> Result<Decision<A>, ActError> {
        let deferral = match self.authorize_with(action.clone(), call)? {
            Decision::Defer(deferral) => deferral,
            decided => return Ok(decided),
        };
        let expires = self.live.clock_plus(within)?;
        let request = match self.request_approval(&deferral, expires) {
            Ok(request) => request,
            Err(ActError::Refused(_)) => return Ok(Decision::Defer(deferral)),
            Err(error) => return Err(error),
        };
        let review = approver.review(&request);
        for approval in review.approvals() {
            match self.act(Act::Approve(approval.signed().as_str().as_bytes())) {
                Ok(_) | Err(ActError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        match review {
            Review::Decided(_) => Ok(self.authorize_with(action, call)?),
            _ => Ok(Decision::Defer(deferral)),
        }
    }

    /// Asks people as [`authorize_or_ask`](Self::authorize_or_ask) does, without blocking a thread.
    ///
    /// # Errors
    ///
    /// As [`authorize_or_ask`](Self::authorize_or_ask).
    pub async fn authorize_or_ask_async<A: Action + Clone>(
        &self,
        action: A,
        call: &Call,
        approver: &dyn AsyncApprover,
        within: Duration,
    ) -> Result<Decision<A>, ActError> {
        let deferral = match self.authorize_async_with(action.clone(), call).await? {
            Decision::Defer(deferral) => deferral,
            decided => return Ok(decided),
        };
        let expires = self.live.clock_plus(within)?;
        let request = match self.act_async(Act::Request { deferral: &deferral, expires }).await {
            Ok(Acted::Requested(request)) => request,
            Ok(_) | Err(ActError::Refused(_)) => return Ok(Decision::Defer(deferral)),
            Err(error) => return Err(error),
        };
        let review = approver.review(&request).await;
        for approval in review.approvals() {
            match self.act_async(Act::Approve(approval.signed().as_str().as_bytes())).await {
                Ok(_) | Err(ActError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        match review {
            Review::Decided(_) => Ok(self.authorize_async_with(action, call).await?),
            _ => Ok(Decision::Defer(deferral)),
        }
    }

    pub(super) fn store_act<T>(&self, noting: Noting<T>) -> Result<T, ActError> {
        let Noting { earlier, pending } = noting;
        earlier.into_iter().try_for_each(|earlier| self.live.shared.store(earlier))?;
        self.live.shared.store(pending)?.map_err(ActError::Refused)
    }

    pub(super) async fn store_act_async<T>(&self, noting: Noting<T>) -> Result<T, ActError> {
        let Noting { earlier, pending } = noting;
        for earlier in earlier {
            self.live.shared.store_async(earlier).await?;
        }
        self.live.shared.store_async(pending).await?.map_err(ActError::Refused)
    }
}

impl Live {
    fn act(self: &Arc<Self>, act: Act<'_>) -> Result<Noting<Acted>, AuthorizeError> {
        match act {
            Act::Request { deferral, expires } => self.noting("request", |live, state, now, it| {
                let request = live.request(state, deferral, expires, now, it);
                let value = match &request {
                    Ok(request) => request.to_json(),
                    Err(_) => call_value(deferral),
                };
                (value, request.map(|request| Acted::Requested(Box::new(request))))
            }),
            Act::Approve(text) => self.noting("approval", |live, state, now, snapshot| {
                let approval = Approval::parse_known(text, &live.shared.directory())
                    .map_err(|_| Reason::ApprovalMalformed.into());
                let value = match &approval {
                    Ok(approval) => approval.signed().as_str().to_owned(),
                    Err(_) => unread_value(text),
                };
                let accepted = approval.and_then(|approval| {
                    live.with_moment(now, snapshot, |moment| {
                        state.governed.pending.submit(&approval, moment)
                    })
                });
                (value, accepted.map(Acted::Answered))
            }),
            Act::Grant(text) => self.noting("standing_grant", |live, state, now, snapshot| {
                let grant = StandingGrant::parse_known(text, &live.shared.directory())
                    .map_err(|_| Reason::ApprovalMalformed.into());
                let value = match &grant {
                    Ok(grant) => grant.signed().as_str().to_owned(),
                    Err(_) => unread_value(text),
                };
                let paths = &*live.shared.paths;
                let granted = grant.and_then(|grant| {
                    if state.governed.may_be_used(grant.issued_at()) {
                        return Err(Reason::ApprovalUsed.into());
                    }
                    live.with_moment(now, snapshot, |moment| {
                        let scope = live.place.scope();
                        state.governed.standing.submit(&grant, scope, moment, paths)
                    })
                });
                (value, granted.map(Acted::Granted))
            }),
            Act::Elevate(text) => self.elevate(text),
            Act::Declassify(texts) => self.declassify(texts),
        }
    }

    fn elevate(self: &Arc<Self>, text: &[u8]) -> Result<Noting<Acted>, AuthorizeError> {
        let mut broken = None;
        let noting = self.noting("elevation", |live, state, now, snapshot| {
            let elevation = Elevation::parse_known(text, &live.shared.directory())
                .map_err(|_| Reason::ElevationMalformed.into());
            let value = match &elevation {
                Ok(elevation) => elevation.signed().as_str().to_owned(),
                Err(_) => unread_value(text),
            };
            let elevated = elevation.and_then(|elevation| {
                let hop =
                    live.place.hops().find(|hop| hop.prepared.scope.digest() == elevation.scope());
                let hop = &hop.ok_or(Reason::ElevationWrongScope)?.prepared.scope;
                let witness = Witness::of_links(&*live.shared.paths);
                let elevated = live.with_moment(now, snapshot, |moment| {
                    let rules = snapshot.elevations();
                    let elevations = &mut state.governed.elevations;
                    elevations.submit(&elevation, hop, rules, moment, &witness)
                })?;
                let Governed { elevations, links, .. } = &mut state.governed;
                links.retain(|id, _| elevations.knows(*id));
                let transcript = witness.into_transcript();
                if !transcript.is_empty() && !links.contains_key(&elevated.id) {
                    let mut text = String::new();
                    transcript.write(&mut text);
                    links.insert(elevated.id, text.into());
                }
                let complete = elevation.is_break_glass() && elevated.missing == 0;
                if complete && state.governed.breaks(elevated.id, elevation.expires(), now) {
                    broken = Some(now);
                }
                Ok(elevated)
            });
            (value, elevated.map(Acted::Elevated))
        })?;
        if let Some(now) = broken {
            let agent = self.place.agent.id().as_str();
            let finding = Finding::new(FindingKind::BreakGlass, agent, now);
            self.shared.tell(&Finding { session: Some(self.id), ..finding });
        }
        Ok(noting)
    }

    fn declassify(self: &Arc<Self>, texts: &[&[u8]]) -> Result<Noting<Acted>, AuthorizeError> {
        let mut leaving = None;
        let noting = self.noting("declassification", |live, state, now, snapshot| {
            let malformed = || Refusal::from(Reason::DeclassificationMalformed);
            let directory = live.shared.directory();
            let read = texts.iter().take(MAX_SIGNATURES);
            let read = read.map(|text| Declassification::parse_known(text, &directory));
            let documents: Result<Vec<Declassification>, Refusal> =
                read.map(|read| read.map_err(|_| malformed())).collect();
            let documents = documents.and_then(|documents| match texts.len() {
                1..=MAX_SIGNATURES => Ok(documents),
                _ => Err(malformed()),
            });
            let value = match &documents {
                Ok(documents) => {
                    let signed = documents.iter().map(|it| it.signed().to_value());
                    Value::Array(signed.collect()).to_canonical()
                }
                Err(_) => unread_value(texts.first().copied().unwrap_or_default()),
            };
            let label = documents.and_then(|documents| {
                let used = |it: &Declassification| state.governed.may_be_used(it.issued_at());
                if documents.iter().any(used) {
                    return Err(Reason::DeclassificationUsed.into());
                }
                let label = live.with_moment(now, snapshot, |moment| {
                    let rules = snapshot.elevations();
                    let used = &mut state.governed.declassified;
                    Declassification::check(&documents, live.id, rules, moment, used)
                })?;
                leaving = live.place.declassify(&label);
                match leaving {
                    Some(_) => Ok(label),
                    None => Err(Reason::DeclassificationLabel.into()),
                }
            });
            (value, label.map(Acted::Declassified))
        })?;
        // Not before it is stored: other sessions of the tree have chains of their own.
        let Noting { earlier, pending } = noting;
        Ok(Noting { earlier, pending: pending.with_leaving(leaving) })
    }

    /// Puts together what people are asked about a deferred call, and opens it.
    fn request(
        &self,
        state: &mut State,
        deferral: &Deferral,
        expires: Timestamp,
        now: Timestamp,
        snapshot: &Snapshot,
    ) -> Result<ApprovalRequest, Refusal> {
        let decided = &*deferral.0;
        let asked = decided.asked.as_ref().filter(|_| decided.session == self.id);
        let asked = asked.ok_or(Reason::ApprovalWrongSession)?;
        if asked.bundle != snapshot.digest() {
            return Err(Reason::ApprovalBundleChanged.into());
        }
        let mut needs = Vec::new();
        for effect in &decided.effects {
            let EffectOutcome::Defer { quorums } = &effect.outcome else { continue };
            for name in quorums {
                let known = snapshot.quorums().iter().find(|quorum| *quorum.name == **name);
                let quorum = known.ok_or(Reason::ApprovalWrongQuorum)?;
                needs.push(Need::new(effect.effect.domain(), quorum));
            }
        }
        let place = &self.place;
        let scope = place.scope();
        let effects: Vec<_> = decided.effects.iter().map(|it| &it.effect).collect();
        let parts = RequestParts {
            session: self.id,
            call: decided.call,
            kind: &asked.kind,
            action: asked.action,
            effects: &effects,
            agent: place.agent.id().as_str(),
            owner: scope.owner(),
            on_behalf_of: scope.on_behalf_of(),
            task: scope.task(),
            scope: &place.scopes,
            bundle: asked.bundle,
            needs,
            created: now,
            expires: expires.min(place.ends()),
        };
        let request = ApprovalRequest::new(parts).map_err(|_| Reason::ApprovalUnaskable)?;
        let opened = state.governed.pending.open(request, now)?;
        let found = state.governed.pending.request(opened.id());
        found.cloned().ok_or_else(|| Reason::ApprovalUnknownRequest.into())
    }

    /// Does something to the state and puts it on the chain, accepted or refused.
    pub(super) fn noting<T>(
        self: &Arc<Self>,
        name: &'static str,
        act: impl FnOnce(&Self, &mut State, Timestamp, &Snapshot) -> (String, Result<T, Refusal>),
    ) -> Result<Noting<T>, AuthorizeError> {
        let snapshot = self.shared.snapshot();
        let mut state = self.lock()?;
        let (time, now) = state.advance(self.shared.clock.now().ok());
        let (value, outcome) = match time.err().or_else(|| self.stopped(&mut state, now)) {
            None => act(self, &mut state, now, &snapshot),
            // Nothing can be added to what is stopped, or while nobody knows the time.
            Some(reason) => ("null".to_owned(), Err(reason.into())),
        };
        let refused = outcome.as_ref().err().map(|refusal| refusal.reason());
        let event = Event { name, value, refused };
        let Noted { earlier, pending } = self.note_in(&mut state, &event, now)?;
        Ok(Noting { earlier, pending: pending.map(|()| outcome) })
    }

    pub(super) fn digest_of<A: Action>(&self, action: &A) -> Digest {
        let snapshot = self.shared.snapshot();
        let workspace = self.place.scope().workspace();
        let context = EffectContext::new(&*self.shared.paths, workspace, snapshot.tools());
        let described = describe(action, &context);
        action_digest(&action.kind(), &described.text, &described.effects)
    }

    fn clock_plus(&self, within: Duration) -> Result<Timestamp, AuthorizeError> {
        Ok(self.shared.clock.now()?.plus(within))
    }
}

/// What stands on the chain of a document that could not be read.
pub(super) fn unread_value(text: &[u8]) -> String {
    stand_in::write("countersign 2026-11 unread document v1", text)
}

/// What stands on the chain of a request that was refused.
fn call_value(deferral: &Deferral) -> String {
    let mut value = Object::new();
    value.insert("call".into(), Value::from(deferral.call()));
    value.insert("session".into(), Value::String(deferral.session().to_string()));
    Value::Object(value).to_canonical()
}
