//! What the lines of one call are written from: the action described, and what was decided on it.

use std::borrow::Cow;

use crate::action::path::ResolvedPath;
use crate::action::{Action, Domain, Effect, EffectContext, Effects, Reversibility};
use crate::authorizer::decision::{Decided, EffectDecision, EffectOutcome, Severity};
use crate::authorizer::live::Live;
use crate::authorizer::{AuthorizeError, Call, stand_in};
use crate::digest::Digest;
use crate::reason::Reason;
use crate::receipt::{
    self, Approval, CallRecord, Counters, DomainRecord, EffectRecord, Group, SessionChain,
};
use crate::time::Timestamp;

/// The longest description of an action, in bytes of canonical JSON.
const MAX_DESCRIPTION_BYTES: usize = 256 << 10;

/// The most policies that the lines of one call name in all, so that a line stays within its limit;
/// each effect names at least four. The first by name stand for the rest.
const MAX_NAMED: usize = 1024;

/// How the kinds of what the library itself records begin. No action of a host has such a kind.
pub(crate) const OWN_KINDS: &str = "countersign.";

/// What an action says of itself, within its bounds.
pub(crate) struct Described {
    /// Its arguments, as canonical JSON.
    pub(crate) text: String,
    pub(crate) effects: Vec<Effect>,
    /// Where a command that it hands out starts.
    pub(crate) directory: Option<ResolvedPath>,
}

/// Asks an action what it is and does.
pub(crate) fn describe<A: Action + ?Sized>(action: &A, context: &EffectContext<'_>) -> Described {
    let mut effects = Effects::default();
    let description = action.describe().to_canonical();
    if description.len() <= MAX_DESCRIPTION_BYTES {
        action.effects(context, &mut effects);
        let directory = effects.take_directory();
        return Described { text: description, effects: effects.finish(), directory };
    }
    // Too large to be kept: its digest stands for it, and every effect it has is unknown.
    action.effects(context, &mut effects);
    let mut opaque = Effects::default();
    let mut last = None;
    for effect in effects.finish() {
        if last != Some(effect.domain()) {
            opaque.push_opaque(effect.kind(), Reason::ActionTooLarge);
            last = Some(effect.domain());
        }
    }
    let text = stand_in::write("countersign 2026-11 large action v1", description.as_bytes());
    Described { text, effects: opaque.finish(), directory: None }
}

/// What the lines of one call are written from.
pub(crate) struct Lines<'a> {
    pub(crate) live: &'a Live,
    pub(crate) call: &'a Call,
    pub(crate) kind: &'a str,
    pub(crate) description: &'a str,
    pub(crate) facts: &'a str,
    pub(crate) bundle: Digest,
    pub(crate) approvals: &'a [Approval<'a>],
    /// After the call.
    pub(crate) counters: Counters<'a>,
    /// After the call.
    pub(crate) labels: &'a [Box<str>],
    pub(crate) until: Option<Timestamp>,
    pub(crate) now: Timestamp,
}

impl Lines<'_> {
    pub(crate) fn write(
        self,
        chain: &mut SessionChain,
        decided: &Decided,
    ) -> Result<Group, AuthorizeError> {
        let mut values = Vec::with_capacity(decided.effects.len());
        for effect in &decided.effects {
            let mut value = String::with_capacity(256);
            effect.effect.write_canonical(&mut value);
            values.push(value);
        }
        let count = decided.effects.len();
        let lists: Vec<Lists<'_>> = decided
            .effects
            .iter()
            .map(|effect| Lists::of(effect, count, decided.observed))
            .collect();
        let provenance = self.call.provenance.as_str();
        let mut records = Vec::with_capacity(decided.effects.len());
        for ((effect, value), lists) in decided.effects.iter().zip(&values).zip(&lists) {
            records.push(EffectRecord {
                decision: verdict(effect.severity()),
                kind: effect.effect.kind().as_str(),
                value,
                policies: &lists.policies,
                provenance,
                quorums: &lists.quorums,
                reasons: &lists.reasons,
                reversibility: reversibility(effect.effect.reversibility()),
            });
        }
        // Effects are sorted by domain, so that each domain is one run of them.
        let mut domains = Vec::with_capacity(4);
        let mut rest = records.as_slice();
        let mut kinds = decided.effects.iter().map(|effect| effect.effect.domain()).peekable();
        while let Some(domain) = kinds.next() {
            let mut count = 1;
            while kinds.next_if_eq(&domain).is_some() {
                count += 1;
            }
            let (own, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            domains.push(DomainRecord { domain: line_domain(domain), effects: own });
            rest = others;
        }
        let labels: Vec<Cow<'_, str>> =
            self.labels.iter().map(|label| Cow::Borrowed(&**label)).collect();
        let record = CallRecord {
            about: self.live.place.about(),
            kind: short_kind(self.kind),
            action: self.description,
            facts: self.facts,
            bundle: self.bundle,
            domains: &domains,
            approvals: self.approvals,
            after: self.counters,
            labels: &labels,
            cause: self.call.cause,
            permit_until: self.until,
            traceparent: self.call.traceparent.as_deref(),
            txn: self.call.txn.as_deref(),
            time: self.now,
        };
        Ok(chain.append_call(&self.live.shared.key, &record)?)
    }
}

/// The texts of one effect's line, borrowed.
pub(crate) struct Lists<'a> {
    pub(crate) policies: Vec<Cow<'a, str>>,
    pub(crate) quorums: Vec<Cow<'a, str>>,
    pub(crate) reasons: Vec<Cow<'a, str>>,
}

impl<'a> Lists<'a> {
    /// Takes the texts of one effect of a call that has `count`, and was only `observed` perhaps.
    pub(crate) fn of(effect: &'a EffectDecision, count: usize, observed: bool) -> Self {
        let named = (MAX_NAMED / count.max(1)).clamp(4, 256);
        let borrow = |texts: &'a [Box<str>]| {
            texts.iter().take(named).map(|text| Cow::Borrowed(&**text)).collect()
        };
        Self {
            policies: borrow(&effect.policies),
            quorums: match &effect.outcome {
                EffectOutcome::Defer { quorums } => borrow(quorums),
                _ => Vec::new(),
            },
            reasons: {
                let reasons = [effect.reason(), observed.then_some(Reason::ModeObserved)];
                reasons.into_iter().flatten().map(|reason| reason.code().into()).collect()
            },
        }
    }
}

/// The kind of an action as a line carries it: a host's own implementation may return anything.
fn short_kind(kind: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    let fits = (1..=128).contains(&kind.len()) && kind.bytes().all(plain);
    if fits && !kind.starts_with(OWN_KINDS) { kind } else { "invalid" }
}

pub(crate) const fn verdict(severity: Severity) -> receipt::Verdict {
    match severity {
        Severity::Allow => receipt::Verdict::Allow,
        Severity::Defer => receipt::Verdict::Defer,
        Severity::Deny => receipt::Verdict::Deny,
    }
}

pub(crate) const fn line_domain(domain: Domain) -> receipt::Domain {
    match domain {
        Domain::Application => receipt::Domain::Application,
        Domain::Infrastructure => receipt::Domain::Infrastructure,
        Domain::Data => receipt::Domain::Data,
        Domain::Workload => receipt::Domain::Workload,
    }
}

pub(crate) const fn reversibility(reversibility: Reversibility) -> receipt::Reversibility {
    match reversibility {
        Reversibility::Reversible => receipt::Reversibility::Reversible,
        Reversibility::Compensable => receipt::Reversibility::Compensable,
        Reversibility::Irreversible => receipt::Reversibility::Irreversible,
    }
}
