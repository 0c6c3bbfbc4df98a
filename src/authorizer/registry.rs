//! The sessions that are open, so that they can be halted, and no instance works under two credentials.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};

use crate::authorizer::events::Event;
use crate::authorizer::findings::{Finding, FindingKind};
use crate::authorizer::live::Live;
use crate::authorizer::place::Place;
use crate::authorizer::shared::{Shared, is_storing};
use crate::authorizer::{AuthorizeError, Authorizer, Pending};
use crate::governance::{Directory, RevocationError, Revocations, VerifiedRevocations};
use crate::identity::{SpiffeId, VerifiedIdentity};
use crate::reason::Reason;
use crate::receipt::SessionId;
use crate::text;
use crate::time::Timestamp;
use crate::value::{Object, Value};

/// The longest justification of a halt, in bytes.
const MAX_WHY: usize = 512;

#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// By agent instance.
    sessions: HashMap<Box<str>, Vec<Weak<Live>>>,
    /// What no session is opened for any more.
    halted: Vec<Halt>,
}

/// What is to stop at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Halt {
    /// One session, and what it delegated to; of another process, what it has delegated to here so far.
    Session(SessionId),
    /// An agent instance, or a class of agents with all below it; and what they delegated, from another
    /// process too.
    Agent(SpiffeId),
    /// Every session of the authorizer.
    Everything,
}

impl Halt {
    fn concerns(&self, session: Option<SessionId>, agent: &SpiffeId) -> bool {
        match self {
            Self::Session(id) => session == Some(*id),
            Self::Agent(class) => class.contains(agent),
            Self::Everything => true,
        }
    }

    /// Tells whether a session at `place` is concerned: itself, or one of another process that delegated to
    /// it. Those of this process are asked about when it asks.
    fn stops(&self, session: SessionId, place: &Place) -> bool {
        let far = place.origin.iter().flat_map(|origin| &origin.token.delegation().hops);
        self.concerns(Some(session), place.agent.id())
            || far.into_iter().any(|hop| self.concerns(Some(hop.session), &hop.agent))
    }

    fn to_event(&self, why: &str) -> Result<Event, AuthorizeError> {
        if why.is_empty() || why.len() > MAX_WHY || text::check_visible(why).is_err() {
            return Err(AuthorizeError::Misuse("a halt says why in 1 to 512 visible bytes"));
        }
        let value = self.to_value(why).to_canonical();
        Ok(Event { name: "halt", value, refused: None })
    }

    fn to_value(&self, why: &str) -> Value {
        let (what, id) = match self {
            Self::Session(id) => ("session", id.to_string()),
            Self::Agent(id) => ("agent", id.to_string()),
            Self::Everything => ("everything", String::new()),
        };
        let mut value = Object::new();
        value.insert("justification".into(), Value::String(why.to_owned()));
        value.insert(what.into(), Value::String(id));
        Value::Object(value)
    }
}

impl Registry {
    fn open(&self) -> impl Iterator<Item = Arc<Live>> + '_ {
        self.sessions.values().flatten().filter_map(Weak::upgrade).filter(|live| live.is_open())
    }
}

impl Live {
    fn is_open(&self) -> bool {
        !self.ended.load(Ordering::Acquire) && !self.turn.is_poisoned()
    }
}

impl Shared {
    /// Notes a session that begins.
    pub(crate) fn register(&self, live: &Arc<Live>) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Now and then, so that it holds no more than twice what is open.
        if registry.sessions.len().is_power_of_two() {
            for sessions in registry.sessions.values_mut() {
                sessions.retain(|live| live.strong_count() > 0);
            }
            registry.sessions.retain(|_, sessions| !sessions.is_empty());
        }
        let agent = &live.place.agent;
        let halted = registry.halted.iter().any(|halt| halt.stops(live.id, &live.place));
        let sessions = registry.sessions.entry(agent.id().as_str().into()).or_default();
        sessions.retain(|live| live.strong_count() > 0);
        // What came in between since this agent was checked stops the newcomer.
        let shown = agent.proof().fingerprint();
        let mut at_work = sessions.iter().filter_map(Weak::upgrade).filter(|live| live.is_open());
        let other = at_work.any(|live| live.place.agent.proof().fingerprint() != shown);
        if halted || other {
            live.halted.store(true, Ordering::Release);
        }
        sessions.push(Arc::downgrade(live));
    }

    /// Refuses an agent for which nothing is opened any more, and one that is at work under another
    /// credential.
    pub(crate) fn check_instance(
        &self,
        agent: &VerifiedIdentity,
        now: Timestamp,
    ) -> Result<(), Reason> {
        if !agent.is_current(now) {
            return Err(Reason::IdentityExpired);
        }
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if registry.halted.iter().any(|halt| halt.concerns(None, agent.id())) {
            return Err(Reason::SessionHalted);
        }
        let same = registry.sessions.get(agent.id().as_str()).into_iter().flatten();
        let mut at_work = same.filter_map(Weak::upgrade).filter(|live| live.is_open());
        let shown = agent.proof().fingerprint();
        let other = at_work.any(|live| live.place.agent.proof().fingerprint() != shown);
        drop(registry);
        if other {
            let agent = agent.id().as_str();
            let reasons = &[Reason::IdentityDuplicate];
            self.tell(&Finding {
                reasons,
                ..Finding::new(FindingKind::DuplicateInstance, agent, now)
            });
            return Err(Reason::IdentityDuplicate);
        }
        Ok(())
    }
}

impl Authorizer {
    /// Refuses what another process delegated, where somebody on the way was halted here.
    pub(crate) fn check_halted(&self, place: &Place, session: SessionId) -> Result<(), Reason> {
        let registry = self.shared.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let halted = registry.halted.iter().any(|halt| halt.stops(session, place));
        if halted { Err(Reason::SessionHalted) } else { Ok(()) }
    }

    /// Stops sessions at once, whatever they ask for, and puts that on the chain of each. It is not taken
    /// back: what is to go on is opened anew, and for an agent or for everything by another authorizer.
    ///
    /// What runs already is not interrupted: nothing here can.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when `why` is empty, too long or not visible, which stops nothing, and
    /// when lines could not be stored, by when everything has been stopped.
    pub fn halt(&self, halt: &Halt, why: &str) -> Result<usize, AuthorizeError> {
        if is_storing() {
            // A hook that is told of a breach stops it at once. What stands before on the chains is not stored
            // yet, so that the lines wait for whoever stores next.
            return self.halt_from_within(halt, why);
        }
        self.shared.check_blocking()?;
        let lines = self.begin_halt(halt, why)?;
        let stopped = lines.len();
        // Each chain gets its line even where another's could not be stored.
        let mut first = Ok(());
        for pending in lines.into_iter().flatten() {
            first = first.and(self.shared.store(pending));
        }
        first.map(|()| stopped)
    }

    /// Stops sessions as [`halt`](Self::halt) does, through whichever sink there is.
    ///
    /// # Errors
    ///
    /// As [`halt`](Self::halt).
    pub async fn halt_async(&self, halt: &Halt, why: &str) -> Result<usize, AuthorizeError> {
        let lines = self.begin_halt(halt, why)?;
        let stopped = lines.len();
        let mut first = Ok(());
        for pending in lines.into_iter().flatten() {
            first = first.and(self.shared.store_async(pending).await);
        }
        first.map(|()| stopped)
    }

    /// Stops sessions as [`halt`](Self::halt) does and yields the lines, for callers that store by
    /// themselves. They are stopped already.
    ///
    /// # Errors
    ///
    /// As [`halt`](Self::halt), for what is wrong before a line is written.
    pub fn propose_halt(&self, halt: &Halt, why: &str) -> Result<Vec<Pending<()>>, AuthorizeError> {
        self.shared.check_caller_stores()?;
        Ok(self.begin_halt(halt, why)?.into_iter().flatten().collect())
    }

    fn begin_halt(&self, halt: &Halt, why: &str) -> Result<Vec<Vec<Pending<()>>>, AuthorizeError> {
        let event = halt.to_event(why)?;
        let concerned = self.stop(halt);
        let lines = concerned.iter().map(|live| match live.note(&event) {
            Ok(noted) => noted.earlier.into_iter().chain([noted.pending]).collect(),
            // It has been closed since, or can put nothing on record any more: it is stopped all the same.
            Err(_) => Vec::new(),
        });
        Ok(lines.collect())
    }

    /// Stops sessions from inside of a sink or a hook; their lines wait.
    fn halt_from_within(&self, halt: &Halt, why: &str) -> Result<usize, AuthorizeError> {
        let event = halt.to_event(why)?;
        let concerned = self.stop(halt);
        let written = concerned.iter().map(|live| live.note_later(&event));
        // As elsewhere: what can put nothing on record any more is stopped all the same.
        written.for_each(drop);
        Ok(concerned.len())
    }

    /// Stops all sessions that are concerned, and returns them.
    fn stop(&self, halt: &Halt) -> Vec<Arc<Live>> {
        let concerned: Vec<Arc<Live>> = {
            let mut registry = self.shared.registry.lock().unwrap_or_else(PoisonError::into_inner);
            if !matches!(halt, Halt::Session(_)) && !registry.halted.contains(halt) {
                registry.halted.push(halt.clone());
            }
            let concerned = |live: &Arc<Live>| halt.stops(live.id, &live.place);
            registry.open().filter(concerned).collect()
        };
        // All are stopped before the first line is written.
        concerned.iter().for_each(|live| live.halted.store(true, Ordering::Release));
        concerned
    }

    /// Takes a newer list of what is revoked. The next call of every session sees it, and permits that are
    /// out already do not start.
    ///
    /// # Errors
    ///
    /// Returns [`RevocationError`] for a list that is older than the one of its issuer that is known, or
    /// contradicts it, or is signed by somebody who is revoked.
    pub fn revoke(&self, list: &VerifiedRevocations) -> Result<(), RevocationError> {
        let mut revocations =
            self.shared.revocations.write().unwrap_or_else(PoisonError::into_inner);
        *revocations = revocations.with(list)?;
        Ok(())
    }

    /// Returns everything that is revoked.
    #[must_use]
    pub fn revocations(&self) -> Revocations {
        self.shared.revocations()
    }

    /// Swaps the directory: whose key is whose, from the next call on.
    pub fn reload_directory(&self, directory: &Directory) {
        let mut known = self.shared.directory.write().unwrap_or_else(PoisonError::into_inner);
        *known = directory.clone();
    }

    /// Returns whose key is whose.
    #[must_use]
    pub fn directory(&self) -> Directory {
        self.shared.directory()
    }

    /// Tells the host's [`FindingHook`](crate::authorizer::FindingHook) of something that was found elsewhere,
    /// such as a bypass that correlation shows.
    pub fn tell(&self, finding: &Finding<'_>) {
        self.shared.tell(finding);
    }
}
