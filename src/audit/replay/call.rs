//! One call: its lines and openings, the question that they put, and what comes out.

use super::difference::{Differences, Place, What};
use super::{Before, ReplayError, Replayed, Replayer};
use crate::action::Effect;
use crate::action::RecordError;
use crate::authorizer::facts::Facts;
use crate::authorizer::gates::{Answer, Question, permit_until};
use crate::authorizer::live::{Lists, capped, line_domain, reversibility, verdict};
use crate::authorizer::witness::{Transcript, Witness};
use crate::digest::Digest;
use crate::governance::limits::{Ledger, SessionLimits};
use crate::identity::SpiffeId;
use crate::policy::Principal;
use crate::receipt::{Body, Domain, Line, LineError, Opening, ParsedLine, Receipt};
use crate::scope::CompiledScope;
use crate::session::state::{counters, labels_with};

/// The lines of one call.
#[derive(Debug)]
pub(super) struct Recorded<'a> {
    // INVARIANT: not empty, and of one call.
    lines: Vec<Receipt<'a>>,
    first: Receipt<'a>,
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
    fn open<'o>(
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
    ) -> Result<Replayed, ReplayError> {
        let first = &recorded.first;
        let snapshot = self.bundle(first.bundle)?;
        let [digest] = *first.scope else {
            return Err(ReplayError::ScopeChain { hops: first.scope.len().saturating_sub(1) });
        };
        match recorded.open(openings, "action", &first.action.commit) {
            Ok(_) | Err(ReplayError::OpeningMissing { .. }) => {}
            Err(error) => return Err(error),
        }
        let facts = recorded.open(openings, "facts", &first.facts)?;
        let facts = Facts::read(facts.value()).map_err(ReplayError::Facts)?;
        let scope = self.scope(digest, &facts.scope_paths)?;
        let effects = recorded.effects(openings)?;
        let agent = SpiffeId::parse(&first.agent).map_err(|_| ReplayError::Agent)?;
        let principal = Principal::of(&agent, scope.owner()).ok_or(ReplayError::Agent)?;

        let mut ledger = recall(&facts, &effects).ok_or_else(|| {
            ReplayError::Facts(RecordError::new("", "known", "does not fit the effects"))
        })?;
        let limits = capped(&SessionLimits::of_task(scope.limits()), snapshot.limits());
        let plain = Transcript::default();
        let paths = match &facts.paths {
            Some(paths) => Witness::new(paths),
            None => Witness::overfull(&plain),
        };
        let call_labels = labels_with(&facts.labels, effects.iter());
        let question = Question {
            snapshot,
            scope: &scope,
            limits: &limits,
            ledger: &ledger,
            principal: &principal,
            memory: None,
            paths: &paths,
            environment: &facts.environment,
            provenance: facts.provenance,
            labels: &facts.labels,
            call_labels: call_labels.as_deref(),
            time: facts.time,
            now: facts.now,
        };
        let mut answer = question.decide(effects);
        let allowed = answer.account(&mut ledger, &limits).is_some();

        let mut found = Differences::default();
        compare_call(&mut found, first, &facts, &scope, &agent);
        let decision = answer.severity.as_str();
        found.text(Place::Call, What::CallDecision, first.call_decision.as_str(), decision);
        let labels =
            if allowed { call_labels.as_ref().unwrap_or(&facts.labels) } else { &facts.labels };
        found.list(Place::Call, What::Labels, &first.labels, labels);
        found.counters(What::Counters, &first.after, &counters(ledger.used()));
        let until = allowed
            .then(|| permit_until(facts.now, facts.permit_lifetime, snapshot, &scope).as_millis());
        let show = |until: Option<u64>| until.map(|until| until.to_string()).unwrap_or_default();
        found.text(Place::Call, What::PermitUntil, &show(first.permit_until), &show(until));
        compare_effects(&mut found, recorded, &facts, &answer);
        Ok(Replayed {
            session: first.session,
            call: first.call,
            severity: answer.severity,
            effects: answer.effects,
            differences: found.0,
            before: Before { used: facts.past.used, labels: facts.labels },
        })
    }
}

/// Stands where the session stood; none where the facts and the effects contradict each other.
fn recall(facts: &Facts, effects: &[Effect]) -> Option<Ledger> {
    let known: Option<Vec<&Effect>> = facts.known.iter().map(|at| effects.get(*at)).collect();
    let ledger = Ledger::recalled(&facts.past, known?.into_iter())?;
    let mut each = effects.iter().enumerate();
    each.all(|(at, effect)| ledger.knows(effect) == facts.known.binary_search(&at).is_ok())
        .then_some(ledger)
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
    if !scope.agent().contains(agent) {
        found.text(call, What::Agent, &first.agent, scope.agent().as_str());
    }
    found.text(call, What::Task, &first.task, scope.task());
    found.text(call, What::Task, &facts.task, scope.task());
    if *facts.purpose != *scope.purpose() {
        // The scope is there to be read; what is on record was behind a commitment.
        found.text(call, What::Purpose, "another one", scope.purpose());
    }
    found.text(call, What::Owner, &first.owner, scope.owner());
    let on_behalf_of = scope.on_behalf_of().unwrap_or(scope.owner());
    found.text(call, What::OnBehalfOf, &first.on_behalf_of, on_behalf_of);
    // This version records no facts about approvals, so that none can have been used.
    let approvals: Vec<&str> = first.approvals.iter().map(|used| &*used.quorum).collect();
    found.list(call, What::Approvals, &approvals, &[] as &[&str]);
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
        let lists = Lists::of(decided, answer.effects.len());
        found.list(place, What::Reasons, &effect.reasons, &lists.reasons);
        found.list(place, What::Policies, &effect.policies, &lists.policies);
        found.list(place, What::Quorums, &effect.quorums, &lists.quorums);
    }
}
