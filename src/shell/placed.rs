//! The effects of a line as they are found, each of them once.

use std::collections::BTreeSet;

use crate::action::{Effect, Fact, Target};
use crate::shell::syntax::Span;

/// Effects, and for each of them the place of the command that has it.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    pub(crate) spans: Vec<Span>,
    pub(crate) effects: Vec<Effect>,
    /// The fingerprints of effects with their numbers, where they are more than [`FEW`]: lines may
    /// have thousands that are much alike.
    marks: BTreeSet<(u32, usize)>,
}

/// So many effects are compared as they are.
const FEW: usize = 8;

impl Placed {
    pub(crate) fn with_capacity(effects: usize) -> Self {
        let (spans, effects) = (Vec::with_capacity(effects), Vec::with_capacity(effects));
        Self { spans, effects, marks: BTreeSet::new() }
    }

    /// Adds an effect of the command at `span`, unless it is there already.
    pub(crate) fn add(&mut self, span: Span, effect: Effect) {
        if !self.is_known(&effect) {
            self.spans.push(span);
            self.effects.push(effect);
        }
    }

    fn is_known(&mut self, effect: &Effect) -> bool {
        if self.effects.len() < FEW {
            return self.effects.contains(effect);
        }
        let new = self.effects.iter().enumerate().skip(self.marks.len());
        self.marks.extend(new.map(|(number, known)| (fingerprint(known), number)));
        let mark = fingerprint(effect);
        let mut alike = self.marks.range((mark, 0)..=(mark, usize::MAX));
        alike.any(|(_, number)| self.effects.get(*number) == Some(effect))
    }
}

/// A number that is the same for equal effects, and mostly another for others.
fn fingerprint(effect: &Effect) -> u32 {
    // FNV-1a.
    let add = |hash: u32, text: &str| {
        text.bytes().fold(hash, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    };
    let names = match effect.target() {
        Target::Files { names, .. } => names,
        _ => "",
    };
    effect.facts().iter().fold(add(0x811c_9dc5, names), |hash, (_, fact)| match fact {
        Fact::Text(text) => add(hash, text),
        Fact::TextSet(texts) => texts.iter().fold(hash, add),
        _ => hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Facts, Kind};

    #[test]
    fn an_effect_is_kept_once_however_many_there_are() {
        let effect = |number: usize| {
            let target = Target::Resource((number % 3).to_string().into());
            let facts = Facts::new().text("name", (number % 50).to_string());
            Effect::new(Kind::ReadData, target).with_facts(facts)
        };
        let mut placed = Placed::default();
        let mut expected: Vec<Effect> = Vec::new();
        for number in 0..400 {
            placed.add(Span::default(), effect(number));
            if !expected.contains(&effect(number)) {
                expected.push(effect(number));
            }
        }
        assert_eq!(placed.effects, expected);
        assert_eq!(placed.spans.len(), 150);
    }
}
