//! The gates, in their order: lifecycle, scope, limits, policy. The first that refuses an effect
//! decides it; all effects are decided; the worst is the call's.

use std::time::Duration;

use crate::action::{Effect, Provenance, Target};
use crate::authorizer::decision::{EffectDecision, EffectOutcome, Severity};
use crate::authorizer::memory::Asker;
use crate::authorizer::witness::Witness;
use crate::governance::limits::{Charge, Ledger, Reservation, SessionLimits};
use crate::policy::{Counters, Principal, RequestFacts, Snapshot, Verdict};
use crate::reason::Reason;
use crate::scope::CompiledScope;
use crate::session::state::touched;
use crate::time::Timestamp;

/// Everything that a decision depends on beside the effects themselves.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) scope: &'a CompiledScope,
    pub(crate) limits: &'a SessionLimits,
    pub(crate) ledger: &'a Ledger,
    pub(crate) principal: &'a Principal,
    /// Earlier answers of the policies, for those who only ask. A session has none: what it allows is
    /// decided anew each time.
    pub(crate) memory: Option<&'a Asker>,
    /// Who is asked about the paths among arguments, and notes what was answered.
    pub(crate) paths: &'a Witness<'a>,
    pub(crate) environment: &'a str,
    pub(crate) provenance: Provenance,
    /// The data classes that the session has touched.
    pub(crate) labels: &'a [Box<str>],
    /// Those, and the ones that this call touches: what it reads counts for what it sends. None where
    /// there would be too many, which denies the call.
    pub(crate) call_labels: Option<&'a [Box<str>]>,
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
    /// What an allow will be charged.
    pub(crate) charge: Charge,
}

impl Answer {
    /// Charges `ledger` for an allow, and returns what was reserved; a denial counts.
    pub(crate) fn account(
        &mut self,
        ledger: &mut Ledger,
        limits: &SessionLimits,
    ) -> Option<Reservation> {
        match self.severity {
            Severity::Allow => Some(ledger.charge(std::mem::take(&mut self.charge))),
            Severity::Defer => None,
            Severity::Deny => {
                ledger.deny(self.effects.iter().map(|decided| &decided.effect), limits);
                None
            }
        }
    }
}

/// Returns when a permit that is given out at `now` ends: after its lifetime, which the bundle caps,
/// and with the task at the latest.
pub(crate) fn permit_until(
    now: Timestamp,
    lifetime: Duration,
    snapshot: &Snapshot,
    scope: &CompiledScope,
) -> Timestamp {
    let cap = snapshot.limits().permit_seconds.map(|cap| Duration::from_secs(u64::from(cap)));
    now.plus(cap.map_or(lifetime, |cap| lifetime.min(cap))).min(scope.expires())
}

impl Question<'_> {
    /// Decides on every effect.
    pub(crate) fn decide(&self, effects: Vec<Effect>) -> Answer {
        let lifecycle = self.lifecycle();
        let call = self.ledger.check_call(self.limits);
        let mut charge = Charge::default();
        let readers = effects.iter().filter(|effect| touched(effect).next().is_some()).count();
        let all_labels = self.call_labels.unwrap_or(self.labels);
        let mut decided: Vec<EffectDecision> = effects
            .into_iter()
            .map(|effect| match lifecycle {
                Err(reason) => denied(effect, reason),
                Ok(()) => {
                    // A read by itself is judged by what was read before it.
                    let alone = readers == 1 && touched(&effect).next().is_some();
                    let labels = if alone { self.labels } else { all_labels };
                    self.decide_one(effect, call, labels, &mut charge)
                }
            })
            .collect();
        // More than can be put on record is refused, so that what is allowed can be decided again.
        if self.call_labels.is_none() || self.paths.is_full() {
            for effect in &mut decided {
                *effect = denied(effect.effect.clone(), Reason::ActionTooLarge);
            }
        }
        let severity = decided.iter().map(EffectDecision::severity).max();
        // No effect is no permission: `Effects::finish` always leaves one.
        Answer { effects: decided, severity: severity.unwrap_or(Severity::Deny), charge }
    }

    fn lifecycle(&self) -> Result<(), Reason> {
        let now = self.time?;
        if now < self.scope.not_before() {
            return Err(Reason::SessionNotYetValid);
        }
        if now >= self.scope.expires() {
            return Err(Reason::SessionExpired);
        }
        Ok(())
    }

    fn decide_one(
        &self,
        effect: Effect,
        call: Result<(), Reason>,
        labels: &[Box<str>],
        charge: &mut Charge,
    ) -> EffectDecision {
        let rule = match self.scope.check(&effect, self.paths) {
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
        let limits = call.and_then(|()| self.ledger.check_effect(&effect, self.limits, charge));
        if let Err(reason) = limits {
            return EffectDecision { rule: Some(rule), ..denied(effect, reason) };
        }
        let facts = RequestFacts {
            now: self.now,
            task: self.scope.task(),
            purpose: self.scope.purpose(),
            environment: self.environment,
            provenance: self.provenance.as_str(),
            labels,
            approvals: &[],
            counters: Counters {
                actions: self.ledger.actions(),
                denials: self.ledger.denials(),
                distinct_targets: self.ledger.distinct_targets(),
            },
        };
        let verdict = match self.memory {
            None => self.snapshot.decide(self.principal, &effect, &facts),
            Some(memory) => memory.decide(self.snapshot, self.principal, &effect, &facts),
        };
        let (outcome, policies) = match verdict {
            Verdict::Permit { policies } => (EffectOutcome::Allow, policies),
            Verdict::Approval { quorums, policies } => (EffectOutcome::Defer { quorums }, policies),
            Verdict::Refuse { reason, policies } => (EffectOutcome::Deny { reason }, policies),
        };
        EffectDecision { effect, outcome, rule: Some(rule), policies }
    }
}

fn denied(effect: Effect, reason: Reason) -> EffectDecision {
    let outcome = EffectOutcome::Deny { reason };
    EffectDecision { effect, outcome, rule: None, policies: Vec::new() }
}
