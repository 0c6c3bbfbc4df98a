//! Handing a narrower scope on to another agent instance.

use std::sync::Arc;

use crate::authorizer::account::Account;
use crate::authorizer::events::{Event, Noted};
use crate::authorizer::place::Place;
use crate::authorizer::{AuthorizeError, Authorizer, Pending, Sink};
use crate::governance::limits::Ledger;
use crate::identity::VerifiedIdentity;
use crate::policy::Snapshot;
use crate::reason::Reason;
use crate::receipt::SessionId;
use crate::scope::{CompiledScope, Scope, check_child};
use crate::session::{OpenError, Session};
use crate::time::Timestamp;
use crate::value::{Object, Value};

/// A delegation that is on record in the chain of who delegates. The delegate's session begins next.
#[derive(Debug)]
#[must_use = "the delegate has no session yet"]
pub struct Delegation {
    authorizer: Authorizer,
    id: SessionId,
    place: Place,
    now: Timestamp,
}

impl Delegation {
    /// Returns the id that the delegate's session will have.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.id
    }

    /// Begins the delegate's session and yields its lines, for callers that store by themselves.
    ///
    /// # Errors
    ///
    /// Returns [`OpenError`] when the lines cannot be written.
    pub fn propose_open(self) -> Result<Pending<Session>, OpenError> {
        self.authorizer.begin(self.place, self.id, self.now)
    }
}

impl Session {
    /// Hands `scope` on to `agent`, and opens the delegate's session.
    ///
    /// The delegate may do what its own scope grants **and** every scope above it grants: nobody need
    /// answer for `scope`. What it uses is used up for every session above, what it touches labels all of
    /// them, and it ends when one of them does. It is off unless `limits.delegation_depth` of this session's scope
    /// allows it; `scope` names that scope as its `parent` and has a smaller depth
    /// ([`check_child`]).
    ///
    /// # Errors
    ///
    /// Returns [`OpenError::Refused`] with the reason, which is on the chain of this session, when the
    /// scope may not be handed on, or not to this agent; otherwise as [`Authorizer::open`].
    ///
    /// # Security
    ///
    /// `agent` must be verified as any other is: a delegate proves its own identity.
    ///
    /// # Examples
    ///
    /// ```
    /// use countersign::action::ReadData;
    /// use countersign::identity::SpiffeId;
    /// use countersign::scope::{Descriptor, Scope};
    /// use countersign::testing::{self, Fixture};
    /// use countersign::{Authorizer, Reason};
    ///
    /// let fixture = Fixture::default();
    /// let mut wide = testing::descriptor();
    /// wide.limits.delegation_depth = Some(1);
    /// wide.actions.spawn = vec!["spiffe://example.org/agent/reader".into()];
    /// let wide = Scope::from_descriptor(&wide)?.dangerous().trust_unsigned();
    /// let session = fixture.authorizer.open(&wide, testing::agent())?;
    ///
    /// let mut narrow = testing::descriptor();
    /// narrow.parent = Some(wide.scope().digest().to_string());
    /// narrow.agent = "spiffe://example.org/agent/reader".into();
    /// narrow.touch.read = vec!["/srv/web/docs/**".into()];
    /// let reader = SpiffeId::parse("spiffe://example.org/agent/reader/1")?;
    /// let reader = reader.dangerous().assume_verified();
    /// let delegate = session.delegate(&Scope::from_descriptor(&narrow)?, reader)?;
    ///
    /// assert!(delegate.authorize(ReadData::new("docs/a.md"))?.is_allow());
    /// assert_eq!(delegate.authorize(ReadData::new("src/main.rs"))?.reasons(), [Reason::ScopeRead]);
    /// session.close()?;
    /// assert_eq!(delegate.authorize(ReadData::new("docs/a.md"))?.reasons(), [Reason::DelegationEnded]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delegate(&self, scope: &Scope, agent: VerifiedIdentity) -> Result<Self, OpenError> {
        let shared = &self.live.shared;
        shared.check_blocking()?;
        let (earlier, noted) = self.begin_delegate(scope, agent)?;
        earlier.into_iter().try_for_each(|earlier| shared.store(earlier))?;
        let delegation = shared.store(noted)?.map_err(OpenError::Refused)?;
        Ok(shared.store(delegation.propose_open()?)?)
    }

    /// Hands `scope` on as [`delegate`](Self::delegate) does, through whichever sink there is.
    ///
    /// A future that is dropped while its lines are being stored poisons this session, or the journal.
    ///
    /// # Errors
    ///
    /// As [`delegate`](Self::delegate).
    pub async fn delegate_async(
        &self,
        scope: &Scope,
        agent: VerifiedIdentity,
    ) -> Result<Self, OpenError> {
        let shared = &self.live.shared;
        if let Sink::Caller = shared.sink {
            return Err(AuthorizeError::Misuse("the caller stores: use `propose_delegate`").into());
        }
        let (earlier, noted) = self.begin_delegate(scope, agent)?;
        for earlier in earlier {
            shared.store_async(earlier).await?;
        }
        let delegation = shared.store_async(noted).await?.map_err(OpenError::Refused)?;
        Ok(shared.store_async(delegation.propose_open()?).await?)
    }

    /// Hands `scope` on and yields the line that says so, for callers that store by themselves: no I/O.
    /// Once it is stored, [`Delegation::propose_open`] begins the delegate's session.
    ///
    /// # Errors
    ///
    /// As [`delegate`](Self::delegate), where a refusal comes out once its line is stored.
    pub fn propose_delegate(
        &self,
        scope: &Scope,
        agent: VerifiedIdentity,
    ) -> Result<Pending<Result<Delegation, Reason>>, OpenError> {
        self.live.shared.check_caller_stores()?;
        Ok(self.begin_delegate(scope, agent)?.1)
    }

    #[expect(clippy::type_complexity, reason = "what stands before, and what comes out")]
    fn begin_delegate(
        &self,
        scope: &Scope,
        agent: VerifiedIdentity,
    ) -> Result<(Vec<Pending<()>>, Pending<Result<Delegation, Reason>>), OpenError> {
        let authorizer = Authorizer { shared: Arc::clone(&self.live.shared) };
        let place = &self.live.place;
        // What is wrong with the scope as such is no refusal of this session's.
        let admitted = match authorizer.admit(scope, &agent) {
            Ok(admitted) => Ok(admitted),
            Err(OpenError::Refused(reason)) => Err(reason),
            Err(error) => return Err(error),
        };
        let snapshot = authorizer.shared.snapshot();
        let mut state = self.live.lock()?;
        let (time, now) = state.advance(authorizer.shared.clock.now().ok());
        let checked = admitted.and_then(|(prepared, principal, _)| {
            time?;
            if let Some(reason) = self.live.stopped(&mut state, now) {
                return Err(reason);
            }
            if now >= place.ends() {
                return Err(Reason::SessionExpired);
            }
            check_handing_on(place, &prepared.scope, &agent, &snapshot)?;
            if place.own.ledger().delegates() >= place.scope().limits().delegates {
                return Err(Reason::DelegationFanOut);
            }
            Ok(Place::below(
                &self.live,
                Account::new(prepared, Ledger::default()),
                principal,
                agent.clone(),
            ))
        });
        let mut value = Object::new();
        value.insert("agent".into(), Value::String(agent.id().to_string()));
        value.insert("scope".into(), Value::String(scope.digest().to_string()));
        let mut id = [0; 16];
        authorizer.shared.entropy.fill(&mut id)?;
        let id = SessionId::from_bytes(id);
        if checked.is_ok() {
            place.own.ledger().delegate();
            value.insert("session".into(), Value::String(id.to_string()));
        }
        let event = Event {
            name: "delegation",
            value: Value::Object(value).to_canonical(),
            refused: checked.as_ref().err().copied(),
        };
        let Noted { earlier, pending } = self.live.note_in(&mut state, &event, now)?;
        let delegation = checked.map(|place| Delegation { authorizer, id, place, now });
        Ok((earlier, pending.map(|()| delegation)))
    }
}

/// Checks that what stands above lets `scope` be handed on to `agent`.
fn check_handing_on(
    place: &Place,
    scope: &CompiledScope,
    agent: &VerifiedIdentity,
    snapshot: &Snapshot,
) -> Result<(), Reason> {
    check_child(place.scope(), scope)?;
    if scope.tier() != place.scope().tier() {
        // Policies may treat the tiers differently: nobody chooses another one for a delegate.
        return Err(Reason::ScopeTier);
    }
    if place.agents().any(|other| other == agent.id()) {
        return Err(Reason::DelegationCycle);
    }
    snapshot.check_edge(place.agent.id(), agent.id())?;
    Ok(())
}
