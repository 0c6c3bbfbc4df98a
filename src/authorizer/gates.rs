//! The gates, in their order: lifecycle, scope, limits, policy. The first that refuses an effect
//! decides it; all effects are decided; the worst is the call's.

use std::time::Duration;

use crate::action::{Domain, Effect, Kind, Provenance, Target};
use crate::authorizer::account::Reserved;
use crate::authorizer::decision::{EffectDecision, EffectOutcome, Severity};
use crate::authorizer::memory::Asker;
use crate::authorizer::witness::Witness;
use crate::governance::labels::{After, Labels, Sources};
use crate::governance::limits::{Charge, Ledger, SessionLimits};
use crate::governance::{Budget, Fragment};
use crate::policy::{Counters, Principal, RequestFacts, Snapshot, Verdict};
use crate::reason::Reason;
use crate::scope::{CompiledScope, Rule};
use crate::time::Timestamp;

/// One hop of a chain of delegations: what was given, and what was used of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hop<'a> {
    pub(crate) scope: &'a CompiledScope,
    pub(crate) limits: &'a SessionLimits,
    pub(crate) ledger: &'a Ledger,
    /// What the delegation of another process left of the limits, which have taken it in.
    pub(crate) budget: Option<&'a Budget>,
}

/// The quorums whose approval of one domain of a call was verified, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approved {
    pub(crate) domain: Domain,
    pub(crate) quorums: Vec<Box<str>>,
}

/// What people have added to the scope of one hop for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Added<'a> {
    /// The place of the hop, counted from the outermost; the session's own is the last.
    pub(crate) hop: usize,
    pub(crate) grants: &'a CompiledScope,
    /// As it was signed.
    pub(crate) fragment: &'a Fragment,
    /// The links that were met when it was compiled, as facts carry them; empty without any.
    pub(crate) links: &'a str,
}

/// Everything that a decision depends on beside the effects themselves.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// The session's own hop. Every hop must grant every effect: authority is the intersection.
    pub(crate) own: Hop<'a>,
    /// The hops above it, outermost first; none where nothing was delegated.
    pub(crate) above: &'a [Hop<'a>],
    /// What was added to the scopes for a while.
    pub(crate) added: &'a [Added<'a>],
    /// Why nothing is granted any more, if that is so: something was revoked, halted or has ended.
    pub(crate) stopped: Option<Reason>,
    /// The quorums that have approved, by domain: an approval serves no other.
    pub(crate) approvals: &'a [Approved],
    /// The service accounts through which the agent acts, ascending.
    pub(crate) acting_through: &'a [Box<str>],
    /// Whether the answer binds nobody.
    pub(crate) observed: bool,
    pub(crate) principal: &'a Principal,
    /// Earlier answers of the policies, for those who only ask. A session has none: what it allows is
    /// decided anew each time.
    pub(crate) memory: Option<&'a Asker>,
    /// Who is asked about the paths among arguments, and notes what was answered.
    pub(crate) paths: &'a Witness<'a>,
    pub(crate) environment: &'a str,
    pub(crate) provenance: Provenance,
    /// The data classes that the session has touched.
    pub(crate) labels: &'a Labels,
    /// Those, and the ones that this call touches: what it reads counts for what it sends.
    pub(crate) labels_after: &'a After,
    /// The effects, by position and ascending, that an engine of the host refuses after what was before.
    pub(crate) refused: &'a [usize],
    /// What the clock says, or why it cannot be believed.
    pub(crate) time: Result<Timestamp, Reason>,
    /// The time that is put on record.
    pub(crate) now: Timestamp,
}

/// What the gates found.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) effects: Vec<EffectDecision>,
    pub(crate) severity: Severity,
    /// What an allow will be charged to the session.
    charge: Charge,
    /// And to the hops above it, outermost first.
    above: Vec<Charge>,
}

impl Answer {
    /// Charges every ledger for an allow, and returns what was reserved; a denial counts. `above` are
    /// those of the hops above the session, outermost first, each with its limits.
    pub(crate) fn account<'l>(
        &mut self,
        (own, limits): (&mut Ledger, &SessionLimits),
        above: impl Iterator<Item = (&'l mut Ledger, &'l SessionLimits)>,
    ) -> Option<Reserved> {
        match self.severity {
            Severity::Allow => {
                let charges = std::mem::take(&mut self.above);
                let above = above.zip(charges).map(|((ledger, _), charge)| ledger.charge(charge));
                let above = above.collect();
                Some(Reserved { own: own.charge(std::mem::take(&mut self.charge)), above })
            }
            Severity::Defer => None,
            Severity::Deny => {
                let effects = || self.effects.iter().map(|decided| &decided.effect);
                above.for_each(|(ledger, limits)| ledger.deny(effects(), limits));
                own.deny(effects(), limits);
                None
            }
        }
    }
}

impl Question<'_> {
    /// Decides on every effect.
    pub(crate) fn decide(&self, effects: Vec<Effect>) -> Answer {
        let lifecycle = self.lifecycle();
        let call = self.hops().try_for_each(|hop| hop.ledger.check_call(hop.limits));
        let mut charge = Charge::default();
        let mut above: Vec<Charge> = self.above.iter().map(|_| Charge::default()).collect();
        let recent: Vec<Domain> = self.own.ledger.recent().collect();
        let facts = self.facts(&recent);
        let scopes: Vec<&CompiledScope> = self.above.iter().map(|hop| hop.scope).collect();
        let sources = Sources { own: self.own.scope, above: &scopes, snapshot: self.snapshot };
        let all_labels = self.labels_after.labels(self.labels).seen();
        // Where nothing is touched that was not before, all are judged by the same.
        let touching = match self.labels_after {
            After::More(_) => effects.iter().filter(|effect| sources.touches(effect)).count(),
            After::Same | After::Full(_) => 0,
        };
        let mut decided: Vec<EffectDecision> = effects
            .into_iter()
            .enumerate()
            .map(|(at, effect)| match lifecycle {
                Err(reason) => denied(effect, reason),
                Ok(()) => {
                    // A read by itself is judged by what was read before it. An export is not: what it
                    // touches leaves in the same act.
                    let alone = touching == 1
                        && *effect.kind() != Kind::ExportData
                        && sources.touches(&effect);
                    let labels = if alone { self.labels.seen() } else { all_labels };
                    let approvals = self.approved(effect.domain());
                    let facts = RequestFacts { labels, approvals, ..facts };
                    let call =
                        Call { limits: call, refused: self.refused.binary_search(&at).is_ok() };
                    self.decide_one(effect, call, &facts, &mut charge, &mut above)
                }
            })
            .collect();
        // More than can be put on record is refused, so that what is allowed can be decided again.
        let unrecorded = match self.labels_after {
            After::Full(_) => Some(Reason::SessionLabelsFull),
            After::Same | After::More(_) => self.paths.is_full().then_some(Reason::ActionTooLarge),
        };
        if let Some(reason) = unrecorded {
            for effect in &mut decided {
                *effect = denied(effect.effect.clone(), reason);
            }
        }
        let severity = decided.iter().map(EffectDecision::severity).max();
        // No effect is no permission: `Effects::finish` always leaves one.
        Answer { effects: decided, severity: severity.unwrap_or(Severity::Deny), charge, above }
    }

    /// All hops, the session's own last.
    pub(crate) fn hops(&self) -> impl Iterator<Item = &Hop<'_>> {
        self.above.iter().chain([&self.own])
    }

    /// Returns the quorums that have approved what the call does in `domain`.
    fn approved(&self, domain: Domain) -> &[Box<str>] {
        let approved = self.approvals.iter().find(|approved| approved.domain == domain);
        approved.map_or(&[], |approved| &approved.quorums)
    }

    /// Returns when a permit that is given out now ends: after its lifetime, which the bundle and the tiers
    /// of the chain cap, and with the first task of the chain at the latest.
    pub(crate) fn permit_until(&self, lifetime: Duration) -> Timestamp {
        let mut until = self.now.plus(lifetime);
        for hop in self.hops() {
            if let Some(cap) = self.snapshot.caps(hop.scope.tier()).permit_seconds {
                until = until.min(self.now.plus(Duration::from_secs(u64::from(cap))));
            }
            until = until.min(hop.scope.expires());
        }
        until
    }

    fn lifecycle(&self) -> Result<(), Reason> {
        let now = self.time?;
        if let Some(reason) = self.stopped {
            return Err(reason);
        }
        for hop in self.hops() {
            if now < hop.scope.not_before() {
                return Err(Reason::SessionNotYetValid);
            }
            if now >= hop.scope.expires() {
                return Err(Reason::SessionExpired);
            }
        }
        // A bundle that came into force later may not have the tier.
        self.hops().try_for_each(|hop| self.snapshot.tier(hop.scope.tier()).map(|_| ()))?;
        // What the session has touched since could not be named.
        if self.labels.are_full() { Err(Reason::SessionLabelsFull) } else { Ok(()) }
    }

    /// What policies see of the call, whichever effect they are asked about.
    fn facts<'q>(&'q self, recent: &'q [Domain]) -> RequestFacts<'q> {
        RequestFacts {
            now: self.now,
            task: self.own.scope.task(),
            purpose: self.own.scope.purpose(),
            environment: self.environment,
            provenance: self.provenance.as_str(),
            labels: self.labels.seen(),
            approvals: &[],
            counters: counters(self.own.ledger),
            recent,
            depth: self.above.len() as u64,
            acting_through: self.acting_through,
            tier: self.snapshot.tier(self.own.scope.tier()).unwrap_or_default(),
        }
    }

    /// Checks one effect against the scope of one hop, and what was added to that.
    fn check_hop(&self, place: usize, hop: &Hop<'_>, effect: &Effect) -> Result<Rule, Reason> {
        hop.scope.check(effect, self.paths).or_else(|reason| {
            let added = self.added.iter().filter(|added| added.hop == place);
            let mut granted = added.map(|added| added.grants.check(effect, self.paths));
            granted.find_map(Result::ok).ok_or(reason)
        })
    }

    /// Tells whether something was allowed that some scope does not grant without what was added to it.
    pub(crate) fn elevated(&self, answer: &Answer) -> bool {
        answer.severity == Severity::Allow
            && self.hops().enumerate().any(|(place, hop)| {
                self.added.iter().any(|added| added.hop == place)
                    && answer
                        .effects
                        .iter()
                        .any(|decided| hop.scope.check(&decided.effect, self.paths).is_err())
            })
    }

    fn decide_one(
        &self,
        effect: Effect,
        call: Call,
        facts: &RequestFacts<'_>,
        charge: &mut Charge,
        above: &mut [Charge],
    ) -> EffectDecision {
        let mut granted = self.check_hop(self.above.len(), &self.own, &effect);
        for (place, hop) in self.above.iter().enumerate().rev() {
            granted = granted.and_then(|rule| self.check_hop(place, hop, &effect).map(|_| rule));
        }
        let rule = match granted {
            Ok(rule) => rule,
            Err(reason) => {
                // What could not be understood is denied for the very reason that it could not.
                let reason = match effect.target() {
                    Target::Unknown { reason, .. } => *reason,
                    _ => reason,
                };
                return denied(effect, reason);
            }
        };
        let charges = above.iter_mut().chain([charge]);
        let limits = call.limits.and_then(|()| {
            self.hops()
                .zip(charges)
                .try_for_each(|(hop, charge)| hop.ledger.check_effect(&effect, hop.limits, charge))
        });
        let after = if call.refused { Err(Reason::PolicyTemporal) } else { Ok(()) };
        if let Err(reason) = limits.and(after) {
            return EffectDecision { rule: Some(rule), ..denied(effect, reason) };
        }
        let verdict = match self.memory {
            None => self.snapshot.decide(self.principal, &effect, facts),
            Some(memory) => memory.decide(self.snapshot, self.principal, &effect, facts),
        };
        let (outcome, policies) = match verdict {
            Verdict::Permit { policies } => (EffectOutcome::Allow, policies),
            Verdict::Approval { quorums, policies } => (EffectOutcome::Defer { quorums }, policies),
            Verdict::Refuse { reason, policies } => (EffectOutcome::Deny { reason }, policies),
        };
        EffectDecision { effect, outcome, rule: Some(rule), policies }
    }
}

/// What is known of an effect before it is looked at.
#[derive(Debug, Clone, Copy)]
struct Call {
    /// What the limits say of the call as a whole.
    limits: Result<(), Reason>,
    /// Whether an engine of the host refuses the effect.
    refused: bool,
}

/// The counters that policies see.
fn counters(ledger: &Ledger) -> Counters {
    Counters {
        accelerator_seconds: ledger.accelerator_seconds(),
        actions: ledger.actions(),
        application: ledger.actions_in(Domain::Application),
        data: ledger.actions_in(Domain::Data),
        denials: ledger.denials(),
        distinct_targets: ledger.distinct_targets(),
        egress_bytes: ledger.egress_bytes(),
        infrastructure: ledger.actions_in(Domain::Infrastructure),
        workload: ledger.actions_in(Domain::Workload),
    }
}

fn denied(effect: Effect, reason: Reason) -> EffectDecision {
    let outcome = EffectOutcome::Deny { reason };
    EffectDecision { effect, outcome, rule: None, policies: Vec::new() }
}
