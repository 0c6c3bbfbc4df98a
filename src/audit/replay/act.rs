//! Acts of people and of the host, which no gate decides: that their record agrees with itself.

use super::call::{Recorded, compare_parties};
use super::difference::{Differences, Place, What};
use super::people::{Done, People};
use super::{Before, ReplayError, Replayed};
use crate::authorizer::Severity;
use crate::authorizer::events::{EventFacts, PROVENANCE};
use crate::authorizer::lines::OWN_KINDS;
use crate::identity::SpiffeId;
use crate::policy::Snapshot;
use crate::receipt::{Domain, Opening, Reversibility, Verdict};
use crate::scope::CompiledScope;

impl Recorded<'_> {
    /// Tells whether this is the record of an act.
    pub(super) fn is_act(&self) -> bool {
        self.first.action.kind.starts_with(OWN_KINDS)
    }

    /// Takes notice of a call or act that could not be replayed.
    pub(super) fn miss(&self, people: &mut People) {
        match self.is_act() {
            // Nobody knows what it gave.
            true if self.first.call_decision == Verdict::Allow => people.lose(),
            true => {}
            false => people.miss(&self.first),
        }
    }

    /// Holds the record of an act against its openings, and what it gives against the acts before it.
    ///
    /// That an approval was a person's, and a scope an owner's, the signed document says that is
    /// committed to; who holds the directory checks it.
    pub(super) fn replay_act(
        &self,
        openings: &[Opening],
        people: &mut People,
        snapshot: &Snapshot,
        scope: Option<&CompiledScope>,
    ) -> Result<Replayed, ReplayError> {
        let first = &self.first;
        let action = self.open_action(openings)?;
        let facts = self.open(openings, "facts", &first.facts)?;
        let facts = EventFacts::read(facts.value()).map_err(ReplayError::Facts)?;
        let [effect] = &*first.effects else {
            return Err(ReplayError::Group("an act has one effect"));
        };
        let name = format!("effects/{}/0", first.domain);
        let value = self.open(openings, &name, &effect.commit)?.value();

        let (severity, again, reasons) = match facts.refused {
            None => (Severity::Allow, Verdict::Allow, Vec::new()),
            Some(reason) => (Severity::Deny, Verdict::Deny, vec![reason.code()]),
        };
        let mut found = Differences::default();
        if let Some(scope) = scope {
            let agent = SpiffeId::parse(&first.agent).map_err(|_| ReplayError::Agent)?;
            compare_parties(&mut found, Place::Call, first.into(), scope, &agent);
        }
        let (line, place) = (Place::Line(first.domain), Place::Effect(first.domain, 0));
        let kind = first.action.kind.strip_prefix(OWN_KINDS).unwrap_or_default();
        found.text(Place::Call, What::Kind, kind, &facts.name);
        let time = |millis: u64| millis.to_string();
        found.text(Place::Call, What::Time, &time(first.time), &time(facts.time.as_millis()));
        for (place, what, recorded) in [
            (Place::Call, What::CallDecision, first.call_decision),
            (line, What::Decision, first.decision),
            (place, What::Decision, effect.decision),
        ] {
            found.text(place, what, recorded.as_str(), again.as_str());
        }
        let domain = Domain::Application;
        found.text(line, What::Domain, first.domain.as_str(), domain.as_str());
        found.text(place, What::Kind, &effect.kind, &facts.name);
        if action.is_some_and(|action| action != value) {
            found.text(Place::Call, What::Value, "another one", "what was done");
        }
        let undone = Reversibility::Irreversible.as_str();
        found.text(place, What::Reversibility, effect.reversibility.as_str(), undone);
        found.text(place, What::Provenance, &effect.provenance, PROVENANCE);
        found.list(place, What::Reasons, &effect.reasons, &reasons);
        found.list(place, What::Policies, &effect.policies, &[] as &[&str]);
        found.list(place, What::Quorums, &effect.quorums, &[] as &[&str]);
        // It gives no permit, and uses nothing up.
        let approvals: Vec<&str> = first.approvals.iter().map(|used| &*used.quorum).collect();
        found.list(Place::Call, What::Approvals, &approvals, &[] as &[&str]);
        let until = first.permit_until.map(time).unwrap_or_default();
        found.text(Place::Call, What::PermitUntil, &until, "");
        let history = people.known;
        if facts.refused.is_none() && found.0.iter().all(|found| found.what() != What::Value) {
            let (name, now) = (&*facts.name, facts.time);
            people.act(&mut found, &Done { first, name, value, now, snapshot });
        }
        let labels = first.labels.iter().map(|label| (**label).into()).collect();
        Ok(Replayed {
            session: first.session,
            call: first.call,
            severity,
            effects: Vec::new(),
            differences: found.0,
            before: Before { counters: first.after.clone().into_owned(), labels },
            history,
        })
    }
}
