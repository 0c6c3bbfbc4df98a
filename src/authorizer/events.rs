//! What people and the host do to a session, on its own chain: each act is a call of its own.
//!
//! The format of receipts knows decisions and outcomes. An approval that arrives, a delegation, a halt is
//! recorded as both: a receipt whose action is `countersign.<name>` with one effect `<name>` in the domain
//! application, which is allowed where the act was accepted and denied with its reason where it was not;
//! and at once the outcome of what was accepted. What the act was is committed to, as effects are.

use std::borrow::Cow;

use crate::action::RecordError;
use crate::action::record::{Members, parse, parse_canonical, text, whole};
use crate::authorizer::lines::OWN_KINDS;
use crate::authorizer::live::Live;
use crate::authorizer::{AuthorizeError, Pending, stand_in};
use crate::reason::Reason;
use crate::receipt::{
    CallRecord, Domain, DomainRecord, EffectRecord, Group, OutcomeRecord, OutcomeStatus,
    Reversibility, Verdict,
};
use crate::session::state::State;
use crate::time::Timestamp;

/// The longest document that is committed to as it is, in bytes.
const MAX_VALUE: usize = 96 << 10;

/// Who proposed an act, as its line says.
pub(crate) const PROVENANCE: &str = "user";

/// The version of what is recorded of an act.
const VERSION: u64 = 1;

/// What was done to a session, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Such as `delegation`.
    pub(crate) name: &'static str,
    /// What it was, as canonical JSON: the signed document where there is one.
    pub(crate) value: String,
    /// Why it was refused, if it was.
    pub(crate) refused: Option<Reason>,
}

/// Lines that say what was done, after what stands before them in the chain.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) earlier: Vec<Pending<()>>,
    pub(crate) pending: Pending<()>,
}

impl Live {
    /// Writes the lines of one event. The caller holds the state, and issues the ticket under it.
    pub(crate) fn write_event(
        &self,
        state: &mut State,
        event: &Event,
        now: Timestamp,
    ) -> Result<Group, AuthorizeError> {
        let value = bounded(&event.value);
        let kind = format!("{OWN_KINDS}{}", event.name);
        let facts = write_facts(event, now);
        let reasons: Vec<Cow<'_, str>> =
            event.refused.iter().map(|reason| reason.code().into()).collect();
        let effect = EffectRecord {
            decision: if event.refused.is_none() { Verdict::Allow } else { Verdict::Deny },
            kind: event.name,
            value: &value,
            policies: &[],
            provenance: PROVENANCE,
            quorums: &[],
            reasons: &reasons,
            reversibility: Reversibility::Irreversible,
        };
        let domain = DomainRecord { domain: Domain::Application, effects: &[effect] };
        let call = state.chain.next_call();
        let labels: Vec<Cow<'static, str>> = self
            .place
            .labels()
            .touched()
            .iter()
            .map(|label| Cow::Owned(label.to_string()))
            .collect();
        let after = self.counters();
        let record = CallRecord {
            about: self.place.about(),
            kind: &kind,
            action: &value,
            facts: &facts,
            bundle: self.shared.snapshot().digest(),
            domains: &[domain],
            approvals: &[],
            after: after.clone(),
            labels: &labels,
            cause: None,
            permit_until: None,
            traceparent: None,
            txn: None,
            time: now,
        };
        let mut group = state.chain.append_call(&self.shared.key, &record)?;
        if event.refused.is_none() {
            let outcome = OutcomeRecord {
                call,
                status: OutcomeStatus::Succeeded,
                result: None,
                duration_ms: 0,
                after,
                time: now,
            };
            let ended = state.chain.append_outcome(&self.shared.key, &outcome)?;
            group.lines.extend(ended.lines);
        }
        Ok(group)
    }

    /// Puts one event on the chain.
    pub(crate) fn note(&self, event: &Event) -> Result<Noted, AuthorizeError> {
        let mut state = self.lock()?;
        let (_, now) = state.advance(self.shared.clock.now().ok());
        self.note_in(&mut state, event, now)
    }

    /// Puts one event on the chain; its lines wait behind those that wait already, for whoever stores next.
    pub(crate) fn note_later(&self, event: &Event) -> Result<(), AuthorizeError> {
        let mut state = self.lock()?;
        let (_, now) = state.advance(self.shared.clock.now().ok());
        let group = self.write_event(&mut state, event, now);
        let ticket = self.turn.issue();
        self.wait_to_be_stored(Pending::new(group?, vec![ticket], ()))
    }

    /// Puts one event on the chain of a session whose state the caller holds.
    pub(crate) fn note_in(
        &self,
        state: &mut State,
        event: &Event,
        now: Timestamp,
    ) -> Result<Noted, AuthorizeError> {
        let group = self.write_event(state, event, now);
        // As for a decision: a line that could not be written leaves its ticket unused.
        let ticket = self.turn.issue();
        let pending = Pending::new(group?, vec![ticket], ());
        Ok(Noted { earlier: self.take_earlier(), pending })
    }
}

/// What an act is committed to as: itself, or its digest where it is too long for an opening to hold.
fn bounded(value: &str) -> Cow<'_, str> {
    if value.len() <= MAX_VALUE {
        return value.into();
    }
    stand_in::write("countersign 2026-11 large act v1", value.as_bytes()).into()
}

/// Tells whether a value is what stands for one that is too long.
pub(crate) fn is_digest_of_long(value: &str) -> bool {
    let length = parse(value).ok().as_ref().and_then(stand_in::length);
    length.is_some_and(|length| length > MAX_VALUE as u64)
}

/// The facts of an act, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventFacts {
    pub(crate) name: Box<str>,
    pub(crate) refused: Option<Reason>,
    pub(crate) time: Timestamp,
}

impl EventFacts {
    /// Reads what is recorded of an act.
    ///
    /// # Errors
    ///
    /// Returns [`RecordError`] for a member that is unknown, missing or of another type, and for any but the
    /// canonical spelling.
    pub(crate) fn read(text: &str) -> Result<Self, RecordError> {
        let value = parse_canonical(text)?;
        let mut members = Members::of_version(&value, VERSION)?;
        let refused = members.maybe_text("reason")?.map(|code| {
            let unknown = || RecordError::new("", "reason", "is no known code");
            Reason::from_code(code).ok_or_else(unknown)
        });
        let facts = Self {
            name: members.text("event")?.into(),
            refused: refused.transpose()?,
            time: Timestamp::from_millis(members.whole("time")?),
        };
        members.finish()?;
        Ok(facts)
    }
}

fn write_facts(event: &Event, now: Timestamp) -> String {
    let mut out = String::with_capacity(96);
    out.push('{');
    text(&mut out, "event", event.name);
    if let Some(reason) = event.refused {
        text(&mut out, "reason", reason.code());
    }
    whole(&mut out, "time", now.as_millis());
    whole(&mut out, "v", VERSION);
    out.push('}');
    out
}
