//! The collection of the effects of one action.

use std::borrow::Cow;

use crate::action::effect::is_kind_name;
use crate::action::path::ResolvedPath;
use crate::action::{Effect, Facts, Kind, Malformed, Target};
use crate::reason::Reason;

/// The most effects that one action may have; one more and the whole action is opaque.
pub const MAX_EFFECTS: usize = 256;

/// Collects the effects of one action.
#[derive(Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
    overflow: bool,
    directory: Option<ResolvedPath>,
}

impl Effects {
    /// Adds an effect. Past [`MAX_EFFECTS`] the action as a whole counts as opaque.
    pub fn push(&mut self, effect: Effect) {
        if let Kind::Host { name, domain } = effect.kind()
            && !is_kind_name(name)
        {
            let kind = Kind::Host { name: "invalid".into(), domain: *domain };
            return self.push_opaque(&kind, Reason::ActionUnknownKind);
        }
        if self.list.len() < MAX_EFFECTS {
            self.list.push(effect);
        } else {
            self.overflow = true;
        }
    }

    /// Adds what could not be understood, in the domain of `kind`.
    pub fn push_opaque(&mut self, kind: &Kind, malformed: impl Into<Malformed>) {
        let of = match kind {
            Kind::Host { name, .. } => name.clone(),
            built_in => Cow::Owned(built_in.as_str().to_owned()),
        };
        let reason = malformed.into().reason();
        let facts = Facts::new().text("kind", of.clone()).text("reason", reason.code());
        let effect = Effect::new(Kind::Opaque(kind.domain()), Target::Unknown { reason, of });
        self.push(effect.with_facts(facts));
    }

    /// Notes the directory that a command starts in, which the permit hands out.
    pub(crate) fn start_in(&mut self, directory: ResolvedPath) {
        self.directory = Some(directory);
    }

    /// Takes out the directory that a command starts in.
    pub(crate) fn take_directory(&mut self) -> Option<ResolvedPath> {
        self.directory.take()
    }

    /// Takes out what was added, in the order of adding.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.list.drain(..)
    }

    /// Adds effects, none of which is of a kind that a host brings.
    pub(crate) fn append(&mut self, effects: Vec<Effect>) {
        if self.list.is_empty() && effects.len() <= MAX_EFFECTS {
            self.list = effects;
        } else {
            effects.into_iter().for_each(|effect| self.push(effect));
        }
    }

    /// Adds the effect that `build` makes, or what it failed for as opaque.
    pub fn push_or_opaque(&mut self, kind: &Kind, build: Result<Effect, Malformed>) {
        match build {
            Ok(effect) => self.push(effect),
            Err(malformed) => self.push_opaque(kind, malformed),
        }
    }

    /// Ends the collection: effects sorted by domain, in the order of adding within one.
    ///
    /// An action without any effect, or with too many, has one opaque effect instead, in the
    /// application domain.
    #[must_use]
    pub fn finish(mut self) -> Vec<Effect> {
        if self.overflow || self.list.is_empty() {
            let reason =
                if self.overflow { Reason::ActionTooManyEffects } else { Reason::ActionNoEffect };
            self.list.clear();
            self.overflow = false;
            self.push_opaque(&Kind::ToolCall, reason);
        }
        self.list.sort_by_key(Effect::domain);
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_effect_and_too_many_effects_are_opaque() {
        let check = |count: usize, expected: Option<Reason>| {
            let mut effects = Effects::default();
            for _ in 0..count {
                effects.push(Effect::new(Kind::TriggerWorkflow, Target::Workflow("w".into())));
            }
            let list = effects.finish();
            let reason = match list[0].target() {
                Target::Unknown { reason, .. } => Some(*reason),
                _ => None,
            };
            assert_eq!(reason, expected, "{count}");
            assert!(reason.is_none() || list.len() == 1);
        };
        check(0, Some(Reason::ActionNoEffect));
        check(1, None);
        check(MAX_EFFECTS, None);
        check(MAX_EFFECTS + 1, Some(Reason::ActionTooManyEffects));
    }
}
