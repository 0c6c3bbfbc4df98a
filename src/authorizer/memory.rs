//! Answers of the policies that were given before, for evaluators. No session has one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::action::Effect;
use crate::policy::{Principal, RequestFacts, Snapshot, Verdict};
use crate::time::Timestamp;

/// The most text of effects that one memory holds, in bytes; past it, it starts anew.
const MAX_BYTES: usize = 64 << 20;

/// The longest text of one effect that is remembered, in bytes: longer ones hardly repeat.
const MAX_TEXT: usize = 4 << 10;

/// What an answer takes beside its text, about: the effect once more, names of policies, the table.
const OVERHEAD: usize = 512;

/// What the policies said, by the question.
///
/// INVARIANT: one memory belongs to one snapshot, is asked with no approvals, no counters, one
/// environment and one provenance, and each [`Asker`] is one principal with one scope. What else may
/// differ from call to call stands in [`Answered`] and is compared.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Known>);

/// Who asks a [`Memory`]: one principal with one scope.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    memory: Arc<Memory>,
    number: u64,
}

#[derive(Debug, Default)]
struct Known {
    answers: HashMap<Box<str>, Answered>,
    bytes: usize,
    askers: u64,
}

#[derive(Debug)]
struct Answered {
    effect: Effect,
    labels: Box<[Box<str>]>,
    /// The time, where a policy looks at it.
    now: Option<Timestamp>,
    verdict: Verdict,
}

impl Memory {
    /// Lets somebody ask who differs from all others.
    pub(crate) fn asker(self: &Arc<Self>) -> Asker {
        let mut known = self.lock();
        known.askers += 1;
        Asker { memory: Arc::clone(self), number: known.askers }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asker {
    /// Answers as [`Snapshot::decide`] does, and asks it where the very question is new.
    pub(crate) fn decide(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        effect: &Effect,
        facts: &RequestFacts<'_>,
    ) -> Verdict {
        let now = snapshot.reads_time().then_some(facts.now);
        // The text finds the entry; whether it is the same question is told by the effect itself.
        let mut text = self.number.to_string();
        effect.write_canonical(&mut text);
        let same = |known: &&Answered| {
            known.now == now && *known.labels == *facts.labels && known.effect == *effect
        };
        if let Some(known) = self.memory.lock().answers.get(text.as_str()).filter(same) {
            return known.verdict.clone();
        }
        let verdict = snapshot.decide(principal, effect, facts);
        if text.len() <= MAX_TEXT {
            let labels = facts.labels.into();
            let answered = Answered { effect: effect.clone(), labels, now, verdict };
            let given = answered.verdict.clone();
            self.memory.lock().keep(text.into(), answered);
            return given;
        }
        verdict
    }
}

impl Known {
    fn keep(&mut self, text: Box<str>, answered: Answered) {
        let labels: usize = answered.labels.iter().map(|label| label.len() + 16).sum();
        // The effect holds about as much as its text.
        let bytes = 2 * text.len() + labels + OVERHEAD;
        if self.bytes + bytes > MAX_BYTES {
            self.answers.clear();
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.answers.insert(text, answered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Kind, Reversibility, Target};
    use crate::identity::SpiffeId;
    use crate::policy::{Authored, Counters};

    fn facts<'a>(labels: &'a [Box<str>]) -> RequestFacts<'a> {
        RequestFacts {
            now: Timestamp::from_millis(1),
            task: "t",
            purpose: "",
            environment: "test",
            provenance: "agent",
            labels,
            approvals: &[],
            counters: Counters::default(),
            recent: &[],
            depth: 0,
            acting_through: &[],
            tier: "",
        }
    }

    fn effect(name: &str) -> Effect {
        Effect::new(Kind::TriggerWorkflow, Target::Workflow(name.into()))
    }

    #[test]
    fn it_answers_as_the_snapshot_does() {
        let bundle = Authored::baseline().load().unwrap();
        let snapshot = bundle.snapshot();
        let agent = SpiffeId::parse("spiffe://example.org/agent/coder").unwrap();
        let principal = Principal::of(&agent, "user:dana@example.org").unwrap();
        let memory = Arc::new(Memory::default());
        let asker = memory.asker();
        let labels: [Box<str>; 2] = ["personal".into(), "secret".into()];
        let reversible = effect("b").with_reversibility(Some(Reversibility::Reversible));
        for _ in 0..2 {
            for effect in [&effect("a"), &effect("b"), &reversible] {
                for held in [&labels[..0], &labels[..1], &labels] {
                    let facts = facts(held);
                    let expected = snapshot.decide(&principal, effect, &facts);
                    assert_eq!(asker.decide(snapshot, &principal, effect, &facts), expected);
                }
            }
        }
        assert_eq!(memory.lock().answers.len(), 3);
    }

    #[test]
    fn it_is_bounded() {
        let mut known = Known::default();
        let name = "x".repeat(MAX_TEXT / 2);
        for index in 0..20_000 {
            let effect = effect(&name);
            let verdict = Verdict::Permit { policies: Vec::new() };
            let answered = Answered { effect, labels: Box::default(), now: None, verdict };
            known.keep(format!("{index}{name}").into(), answered);
            assert!(known.bytes <= MAX_BYTES);
        }
        assert!(known.answers.len() < 10_000);
    }
}
