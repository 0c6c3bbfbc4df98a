//! One call: its lines and openings, the question that they put, and what comes out.

use std::sync::Arc;

use super::difference::{Differences, Place, What};
use super::people::People;
use super::rest::Rested;
use super::{Before, ReplayError, Replayed, Replayer, kind};
use crate::action::Effect;
use crate::action::RecordError;
use crate::authorizer::Severity;
use crate::authorizer::account::capped;
use crate::authorizer::facts::{AddedFacts, Facts, HopFacts};
use crate::authorizer::gates::{Added, Answer, Hop, Question};
use crate::authorizer::lines::{Lists, line_domain, reversibility, verdict};
use crate::authorizer::witness::{Transcript, Witness};
use crate::digest::Digest;
use crate::governance::Parties;
use crate::governance::labels::Sources;
use crate::governance::limits::{Ledger, SessionLimits};
use crate::identity::SpiffeId;
use crate::policy::{Principal, Snapshot};
use crate::receipt::{Begin, Body, Domain, Line, LineError, Opening, ParsedLine, Receipt, Verdict};
use crate::scope::CompiledScope;

/// The lines of one call.
#[derive(Debug)]
pub(super) struct Recorded<'a> {
    // INVARIANT: not empty, and of one call.
    lines: Vec<Receipt<'a>>,
    pub(super) first: Receipt<'a>,
}

impl<'a> Recorded<'a> {
    pub(super) fn parse(lines: &'a [Line]) -> Result<Self, ReplayError> {
        let parsed: Result<Vec<ParsedLine<'a>>, LineError> =
            lines.iter().map(Line::parsed).collect();
        let parsed = parsed.map_err(|error| ReplayError::Line { line: 1, error })?;
        let receipts: Option<Vec<Receipt<'a>>> = parsed
            .into_iter()
            .map(|line| match line.body {
                Body::Receipt(receipt) => Some(receipt),
                _ => None,
            })
            .collect();
        let lines = receipts.ok_or(ReplayError::Group("one of them is no receipt"))?;
        let Some(first) = lines.first().cloned() else {
            return Err(ReplayError::Group("there are none"));
        };
        for (index, line) in (0..).zip(&lines) {
            // What may differ between the lines of one call, and nothing else.
            let of_first = Receipt {
                decision: line.decision,
                domain: line.domain,
                effects: line.effects.clone(),
                index,
                prev: line.prev,
                seq: first.seq.saturating_add(index),
                ..first.clone()
            };
            if *line != of_first {
                return Err(ReplayError::Group("they do not say the same of the call"));
            }
        }
        if !lines.is_sorted_by(|one, other| one.domain < other.domain) {
            return Err(ReplayError::Group("their domains do not ascend"));
        }
        match lines.len() as u64 {
            count if count < first.of => Err(ReplayError::Incomplete),
            count if count > first.of => Err(ReplayError::Group("there are too many")),
            _ => Ok(Self { lines, first }),
        }
    }

    /// Finds the opening of one commitment, which must be right.
    pub(super) fn open<'o>(
        &self,
        openings: &'o [Opening],
        name: &str,
        commit: &Digest,
    ) -> Result<&'o Opening, ReplayError> {
        let mut found = openings.iter().filter(|opening| {
            opening.call() == self.first.call
                && opening.session() == self.first.session
                && opening.name() == name
        });
        match found.clone().next() {
            None => Err(ReplayError::OpeningMissing { name: name.into() }),
            Some(_) => found
                .find(|opening| opening.check(commit))
                .ok_or_else(|| ReplayError::OpeningWrong { name: name.into() }),
        }
    }

    /// Opens what the action says of itself; none where that was erased or withheld, since nothing is
    /// decided by it.
    pub(super) fn open_action<'o>(
        &self,
        openings: &'o [Opening],
    ) -> Result<Option<&'o str>, ReplayError> {
        match self.open(openings, "action", &self.first.action.commit) {
            Ok(opening) => Ok(Some(opening.value())),
            Err(ReplayError::OpeningMissing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the effects, in the order of the lines.
    fn effects(&self, openings: &[Opening]) -> Result<Vec<Effect>, ReplayError> {
        let mut effects = Vec::new();
        for line in &self.lines {
            for (index, effect) in line.effects.iter().enumerate() {
                let name = format!("effects/{}/{index}", line.domain);
                let opening = self.open(openings, &name, &effect.commit)?;
                let read = Effect::read_canonical(opening.value());
                let name = name.into_boxed_str();
                effects.push(read.map_err(|error| ReplayError::Effect { name, error })?);
            }
        }
        Ok(effects)
    }

    /// Names the place of each effect, in the order of the lines.
    fn places(&self) -> impl Iterator<Item = (Domain, usize, &crate::receipt::Effect<'a>)> {
        self.lines.iter().flat_map(|line| {
            line.effects.iter().enumerate().map(|(index, effect)| (line.domain, index, effect))
        })
    }
}

impl Replayer {
    pub(super) fn decide(
        &self,
        recorded: &Recorded<'_>,
        openings: &[Opening],
        people: &mut People,
    ) -> Result<Replayed, ReplayError> {
        let first = &recorded.first;
        if recorded.is_act() {
            let own = first.scope.last().ok_or(ReplayError::ScopeChain { hops: 0 })?;
            let scope = match self.scope(*own, &Transcript::default()) {
                Ok(scope) => Some(scope),
                // No gate decided it: who knows neither scope nor agent can tell that it agrees with itself.
                Err(ReplayError::ScopeUnknown { .. }) => None,
                Err(error) => return Err(error),
            };
            let snapshot = self.bundle(first.bundle)?;
            return recorded.replay_act(openings, people, snapshot, scope.as_deref());
        }
        let snapshot = self.bundle(first.bundle)?;
        let description = recorded.open_action(openings)?;
        let facts = recorded.open(openings, "facts", &first.facts)?;
        let facts = Facts::read(facts.value()).map_err(ReplayError::Facts)?;
        let effects = recorded.effects(openings)?;
        let hops = self.hops(first, &facts, &effects, snapshot)?;
        let Some((own, above)) = hops.split_last() else {
            return Err(ReplayError::ScopeChain { hops: 0 });
        };
        let scope = &own.scope;
        let agent = SpiffeId::parse(&first.agent).map_err(|_| ReplayError::Agent)?;
        let principal = Principal::of(&agent, scope.owner()).ok_or(ReplayError::Agent)?;

        if facts.refused.last().is_some_and(|last| *last >= effects.len()) {
            let error = RecordError::new("", "refused", "does not fit the effects");
            return Err(ReplayError::Facts(error));
        }
        let plain = Transcript::default();
        let paths = match &facts.paths {
            Some(paths) => Witness::new(paths),
            None => Witness::overfull(&plain),
        };
        let above_hops: Vec<Hop<'_>> = above.iter().map(Recalled::hop).collect();
        let above_scopes: Vec<&CompiledScope> = above.iter().map(|hop| &*hop.scope).collect();
        let sources = Sources { own: scope, above: &above_scopes, snapshot };
        let labels_after = facts.labels.with(sources, effects.iter());
        let compiled = compile_added(&facts, &hops)?;
        let added: Vec<Added<'_>> = facts
            .added
            .iter()
            .zip(&compiled)
            .map(|(added, grants)| Added {
                hop: added.hop,
                grants,
                fragment: &added.grants,
                links: "",
            })
            .collect();
        let question = Question {
            snapshot,
            own: own.hop(),
            above: &above_hops,
            added: &added,
            stopped: facts.stopped,
            approvals: &facts.approvals,
            acting_through: &facts.acting_through,
            observed: facts.observed,
            principal: &principal,
            memory: None,
            paths: &paths,
            environment: &facts.environment,
            provenance: facts.provenance,
            labels: &facts.labels,
            labels_after: &labels_after,
            refused: &facts.refused,
            time: facts.time,
            now: facts.now,
        };
        let mut answer = question.decide(effects);
        let elevated = question.elevated(&answer);
        let allowed = answer.severity == Severity::Allow;
        let mut ledger = own.ledger.clone();
        if !facts.observed {
            // What is charged above shows in the next call of those sessions.
            drop(answer.account((&mut ledger, &own.limits), std::iter::empty()));
        }

        let mut found = Differences::default();
        compare_call(&mut found, first, &facts, scope, &agent);
        let decision = answer.severity.as_str();
        found.text(Place::Call, What::CallDecision, first.call_decision.as_str(), decision);
        let labels = match allowed || facts.observed {
            true => labels_after.labels(&facts.labels),
            false => &facts.labels,
        };
        found.list(Place::Call, What::Labels, &first.labels, labels.touched());
        found.counters(What::Counters, &first.after, &ledger.past().counters());
        let until = (allowed && !facts.observed)
            .then(|| question.permit_until(facts.permit_lifetime).as_millis());
        let show = |until: Option<u64>| until.map(|until| until.to_string()).unwrap_or_default();
        found.text(Place::Call, What::PermitUntil, &show(first.permit_until), &show(until));
        compare_kind(&mut found, &first.action.kind, description, &answer);
        compare_effects(&mut found, recorded, &facts, &answer);
        let effects: Vec<&Effect> = answer.effects.iter().map(|decided| &decided.effect).collect();
        let history = people.hold(
            &mut found,
            &Rested {
                first,
                facts: &facts,
                snapshot,
                effects: &effects,
                description,
                parties: Parties { owner: scope.owner(), on_behalf_of: scope.on_behalf_of() },
                sources,
                elevated,
            },
        );
        Ok(Replayed {
            session: first.session,
            call: first.call,
            severity: answer.severity,
            effects: answer.effects,
            differences: found.0,
            before: Before {
                counters: facts.own.past.counters(),
                labels: facts.labels.touched().to_vec(),
            },
            history,
        })
    }

    /// Stands where the session and the hops above it stood, outermost first.
    fn hops(
        &self,
        first: &Receipt<'_>,
        facts: &Facts,
        effects: &[Effect],
        snapshot: &Snapshot,
    ) -> Result<Vec<Recalled>, ReplayError> {
        if first.scope.len() != facts.above.len() + 1 {
            return Err(ReplayError::ScopeChain { hops: facts.above.len() });
        }
        let hops = first.scope.iter().zip(facts.above.iter().chain([&facts.own]));
        let recall = |(digest, facts): (&Digest, &HopFacts)| -> Result<Recalled, ReplayError> {
            let scope = self.scope(*digest, &facts.scope_paths)?;
            let ledger = recall(facts, effects).ok_or_else(|| {
                ReplayError::Facts(RecordError::new("", "known", "does not fit the effects"))
            })?;
            let caps = snapshot.caps(scope.tier());
            let mut limits = capped(&SessionLimits::of_task(scope.limits()), &caps);
            if let Some(budget) = &facts.budget {
                budget.cap(&mut limits);
            }
            Ok(Recalled { scope, limits, ledger })
        };
        hops.map(recall).collect()
    }
}

/// Compiles what was added to scopes for a while, as it was compiled then.
fn compile_added(facts: &Facts, hops: &[Recalled]) -> Result<Vec<CompiledScope>, ReplayError> {
    let compile = |added: &AddedFacts| {
        let no_hop = || RecordError::new("elevations", "hop", "is no hop of the chain");
        let hop = hops.get(added.hop).ok_or_else(|| ReplayError::Facts(no_hop()))?;
        added.grants.compile(&hop.scope, &added.paths).map_err(ReplayError::Scope)
    };
    facts.added.iter().map(compile).collect()
}

/// One hop as it stood before the call.
#[derive(Debug)]
struct Recalled {
    scope: Arc<CompiledScope>,
    limits: SessionLimits,
    ledger: Ledger,
}

impl Recalled {
    fn hop(&self) -> Hop<'_> {
        Hop { scope: &self.scope, limits: &self.limits, ledger: &self.ledger, budget: None }
    }
}

/// Stands where a hop stood; none where the facts and the effects contradict each other.
fn recall(facts: &HopFacts, effects: &[Effect]) -> Option<Ledger> {
    let known: Option<Vec<&Effect>> = facts.known.iter().map(|at| effects.get(*at)).collect();
    let ledger = Ledger::recalled(&facts.past, known?.into_iter())?;
    let mut each = effects.iter().enumerate();
    each.all(|(at, effect)| ledger.knows(effect) == facts.known.binary_search(&at).is_ok())
        .then_some(ledger)
}

/// Who works for whom on what, as a line says it.
pub(super) struct Roles<'a> {
    agent: &'a str,
    task: &'a str,
    owner: &'a str,
    on_behalf_of: &'a str,
}

impl<'a> From<&'a Receipt<'_>> for Roles<'a> {
    fn from(line: &'a Receipt<'_>) -> Self {
        let Receipt { agent, task, owner, on_behalf_of, .. } = line;
        Self { agent, task, owner, on_behalf_of }
    }
}

impl<'a> From<&'a Begin<'_>> for Roles<'a> {
    fn from(line: &'a Begin<'_>) -> Self {
        let Begin { agent, task, owner, on_behalf_of, .. } = line;
        Self { agent, task, owner, on_behalf_of }
    }
}

/// Holds what a line says of them against the scope.
pub(super) fn compare_parties(
    found: &mut Differences,
    place: Place,
    said: Roles<'_>,
    scope: &CompiledScope,
    agent: &SpiffeId,
) {
    if !scope.agent().contains(agent) {
        found.text(place, What::Agent, said.agent, scope.agent().as_str());
    }
    found.text(place, What::Task, said.task, scope.task());
    found.text(place, What::Owner, said.owner, scope.owner());
    let on_behalf_of = scope.on_behalf_of().unwrap_or(scope.owner());
    found.text(place, What::OnBehalfOf, said.on_behalf_of, on_behalf_of);
}

/// Holds what the lines say of task and time against scope and facts.
fn compare_call(
    found: &mut Differences,
    first: &Receipt<'_>,
    facts: &Facts,
    scope: &CompiledScope,
    agent: &SpiffeId,
) {
    let call = Place::Call;
    let time = |millis: u64| millis.to_string();
    found.text(call, What::Time, &time(first.time), &time(facts.now.as_millis()));
    compare_parties(found, call, first.into(), scope, agent);
    found.text(call, What::Task, &facts.task, scope.task());
    if *facts.purpose != *scope.purpose() {
        // The scope is there to be read; what is on record was behind a commitment.
        found.text(call, What::Purpose, "another one", scope.purpose());
    }
    let mut recorded: Vec<&str> = first.approvals.iter().map(|used| &*used.quorum).collect();
    recorded.sort_unstable();
    recorded.dedup();
    // Approvals are used where the call was allowed, and bound somebody.
    let used = first.call_decision == Verdict::Allow && !facts.observed;
    let held = facts.approvals.iter().filter(|_| used).flat_map(|approved| &approved.quorums);
    let mut held: Vec<&str> = held.map(AsRef::as_ref).collect();
    held.sort_unstable();
    held.dedup();
    found.list(call, What::Approvals, &recorded, &held);
}

/// Holds the kind of the action against its effects and, where it is there, its description.
fn compare_kind(found: &mut Differences, kind: &str, description: Option<&str>, answer: &Answer) {
    let effects = || answer.effects.iter().map(|decided| &decided.effect);
    let described =
        description.is_none_or(|description| kind::can_describe(kind, description, effects()));
    if !described || !kind::can_have(kind, effects()) {
        let mut kinds: Vec<&str> = effects().map(|effect| effect.kind().as_str()).collect();
        kinds.dedup();
        let others = format!("another action, with the effects {}", kinds.join(", "));
        found.text(Place::Call, What::ActionKind, kind, &others);
    }
}

/// Holds each line and each effect against what came out.
fn compare_effects(
    found: &mut Differences,
    recorded: &Recorded<'_>,
    facts: &Facts,
    answer: &Answer,
) {
    let mut decided = answer.effects.iter();
    for line in &recorded.lines {
        let own = decided.by_ref().take(line.effects.len());
        let worst = own.map(|effect| effect.severity()).max();
        let worst = worst.map_or("", |worst| verdict(worst).as_str());
        found.text(Place::Line(line.domain), What::Decision, line.decision.as_str(), worst);
    }
    for ((domain, index, effect), decided) in recorded.places().zip(&answer.effects) {
        let place = Place::Effect(domain, index);
        let opened = &decided.effect;
        let own = line_domain(opened.domain());
        found.text(place, What::Domain, domain.as_str(), own.as_str());
        found.text(place, What::Kind, &effect.kind, opened.kind().as_str());
        let undone = reversibility(opened.reversibility());
        found.text(place, What::Reversibility, effect.reversibility.as_str(), undone.as_str());
        found.text(place, What::Provenance, &effect.provenance, facts.provenance.as_str());
        let again = verdict(decided.severity());
        found.text(place, What::Decision, effect.decision.as_str(), again.as_str());
        let lists = Lists::of(decided, answer.effects.len(), facts.observed);
        found.list(place, What::Reasons, &effect.reasons, &lists.reasons);
        found.list(place, What::Policies, &effect.policies, &lists.policies);
        found.list(place, What::Quorums, &effect.quorums, &lists.quorums);
    }
}
