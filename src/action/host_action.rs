//! Actions that a host brings: what `#[derive(Action)]` builds on.

use std::borrow::Cow;

use crate::action::effect::{is_kind_name, name};
use crate::action::{Domain, Effect, EffectContext, Effects, Fact, Facts, Kind, Malformed};
use crate::action::{MAX_FACTS, Reversibility, Target};
use crate::reason::Reason;
use crate::value::{Decimal, Object, Value};

/// An action type that a host brings. `#[derive(Action)]` implements it and, with it, [`Action`].
///
/// [`Action`]: crate::Action
pub trait HostAction {
    /// What the type declares; register it with the bundle before it is loaded.
    const SPEC: ActionSpec;
}

/// What a host-brought action type declares of itself; the schema of its Cedar action follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionSpec {
    /// The name of the kind, such as `RotateKey`: an ASCII identifier that no built-in kind has.
    pub kind: &'static str,
    /// The domain.
    pub domain: Domain,
    /// How far it can be undone.
    pub reversibility: Reversibility,
    /// Name and type of each fact, sorted by name.
    pub facts: &'static [(&'static str, FactType)],
}

impl ActionSpec {
    /// Returns the kind of its effects.
    #[must_use]
    pub const fn effect_kind(&self) -> Kind {
        Kind::Host { name: Cow::Borrowed(self.kind), domain: self.domain }
    }

    /// Adds the one effect that the derived implementation has: on `target`, with `facts`.
    ///
    /// A fact that is not in its normal form makes the effect opaque.
    pub fn push_effect(
        &self,
        _context: &EffectContext<'_>,
        target: &str,
        facts: Vec<(&'static str, Result<Option<Fact>, Malformed>)>,
        effects: &mut Effects,
    ) {
        let kind = self.effect_kind();
        let build = || {
            let mut collected = Facts::new();
            for (name, fact) in facts {
                if let Some(fact) = fact? {
                    collected.insert(name, fact);
                }
            }
            let target = Target::Resource(name(target)?);
            Ok(Effect::new(kind.clone(), target)
                .with_reversibility(Some(self.reversibility))
                .with_facts(collected))
        };
        effects.push_or_opaque(&kind, build());
    }

    /// Describes the action by its target and facts, for digest and receipt.
    #[must_use]
    pub fn describe(&self, target: &str, facts: Vec<(&'static str, Value)>) -> Value {
        let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), value));
        let members = [
            ("facts".to_owned(), Value::Object(facts.collect::<Object>())),
            ("target".to_owned(), Value::from(target)),
        ];
        Value::Object(members.into_iter().collect())
    }

    /// Checks the declaration itself.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it, as a sentence.
    pub fn check(&self) -> Result<(), String> {
        let kind = self.kind;
        if !is_kind_name(kind) {
            return Err(format!("the kind `{kind}` is not an ASCII identifier"));
        }
        if Kind::BUILT_IN.iter().any(|known| known.as_str() == kind) {
            return Err(format!("the kind `{kind}` is built in"));
        }
        if self.facts.len() > MAX_FACTS {
            return Err(format!("the kind `{kind}` has more than {MAX_FACTS} facts"));
        }
        let mut last = "";
        for (name, _) in self.facts {
            if !is_kind_name(name) {
                return Err(format!("the fact `{name}` of `{kind}` is not an ASCII identifier"));
            }
            if *name <= last {
                return Err(format!("the facts of `{kind}` are not sorted or repeat `{name}`"));
            }
            if RESERVED.contains(name) {
                return Err(format!("the fact `{name}` of `{kind}` is one that every action has"));
            }
            last = name;
        }
        Ok(())
    }
}

/// Names that the context of every action has already.
const RESERVED: [&str; 9] = [
    "approvals",
    "counters",
    "environment",
    "labels",
    "now",
    "provenance",
    "purpose",
    "reversibility",
    "task",
];

/// The type of a fact, and so of its attribute in the Cedar context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FactType {
    /// `Bool`
    Bool,
    /// `Long`
    Long,
    /// `decimal`
    Decimal,
    /// `String`
    Text,
    /// `Set<String>`
    TextSet,
    /// `ipaddr`
    Address,
    /// `Bool`, may be absent
    OptionalBool,
    /// `Long`, may be absent
    OptionalLong,
    /// `decimal`, may be absent
    OptionalDecimal,
    /// `String`, may be absent
    OptionalText,
    /// `ipaddr`, may be absent
    OptionalAddress,
}

impl FactType {
    /// Returns the type of the attribute in Cedar, and whether it may be absent.
    #[must_use]
    pub const fn cedar(self) -> (&'static str, bool) {
        match self {
            Self::Bool => ("Bool", false),
            Self::Long => ("Long", false),
            Self::Decimal => ("decimal", false),
            Self::Text => ("String", false),
            Self::TextSet => ("Set<String>", false),
            Self::Address => ("ipaddr", false),
            Self::OptionalBool => ("Bool", true),
            Self::OptionalLong => ("Long", true),
            Self::OptionalDecimal => ("decimal", true),
            Self::OptionalText => ("String", true),
            Self::OptionalAddress => ("ipaddr", true),
        }
    }
}

/// A field type that `#[derive(Action)]` can turn into a fact.
pub trait IntoFact {
    /// The type of the fact.
    const TYPE: FactType;

    /// Returns the fact; `None` where an optional one is absent.
    ///
    /// # Errors
    ///
    /// Returns why the value has no normal form; the effect is opaque then.
    fn fact(&self) -> Result<Option<Fact>, Malformed>;

    /// Returns the value for digest and receipt, exactly as it was given.
    fn value(&self) -> Value;
}

/// The longest text of a fact, in bytes.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;

fn text_fact(text: &str) -> Result<Fact, Malformed> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Reason::ActionTooLarge.into());
    }
    Ok(Fact::Text(text.to_owned().into()))
}

fn text_set_fact<T: AsRef<str>>(texts: &[T]) -> Result<Fact, Malformed> {
    if texts.len() > MAX_FACTS || texts.iter().any(|text| text.as_ref().len() > MAX_TEXT_BYTES) {
        return Err(Reason::ActionTooLarge.into());
    }
    Ok(Fact::TextSet(texts.into()))
}

macro_rules! into_fact {
    ($($type:ty, $optional:ident, $kind:ident, |$this:ident| $fact:expr, $value:expr;)*) => {$(
        impl IntoFact for $type {
            const TYPE: FactType = FactType::$kind;

            fn fact(&self) -> Result<Option<Fact>, Malformed> {
                let $this = self;
                Ok(Some($fact))
            }

            fn value(&self) -> Value {
                let $this = self;
                $value
            }
        }

        impl IntoFact for Option<$type> {
            const TYPE: FactType = FactType::$optional;

            fn fact(&self) -> Result<Option<Fact>, Malformed> {
                self.as_ref().map_or(Ok(None), IntoFact::fact)
            }

            fn value(&self) -> Value {
                self.as_ref().map_or(Value::Null, IntoFact::value)
            }
        }
    )*};
}

into_fact! {
    bool, OptionalBool, Bool, |this| Fact::Bool(*this), Value::from(*this);
    u8, OptionalLong, Long, |this| Fact::Long(i64::from(*this)), Value::from(i64::from(*this));
    u16, OptionalLong, Long, |this| Fact::Long(i64::from(*this)), Value::from(i64::from(*this));
    u32, OptionalLong, Long, |this| Fact::Long(i64::from(*this)), Value::from(i64::from(*this));
    i32, OptionalLong, Long, |this| Fact::Long(i64::from(*this)), Value::from(i64::from(*this));
    i64, OptionalLong, Long, |this| Fact::Long(*this), Value::from(*this);
    u64, OptionalLong, Long, |this| Fact::Long(i64::try_from(*this).map_err(|_| Reason::ActionNumber)?), Value::from(*this);
    Decimal, OptionalDecimal, Decimal, |this| Fact::Decimal(*this), Value::from(*this);
    String, OptionalText, Text, |this| text_fact(this)?, Value::from(this.as_str());
    std::net::IpAddr, OptionalAddress, Address, |this| Fact::Address(crate::action::host::canonical_address(*this)), Value::from(this.to_string());
}

impl IntoFact for &str {
    const TYPE: FactType = FactType::Text;

    fn fact(&self) -> Result<Option<Fact>, Malformed> {
        text_fact(self).map(Some)
    }

    fn value(&self) -> Value {
        Value::from(*self)
    }
}

impl<T: AsRef<str>> IntoFact for Vec<T> {
    const TYPE: FactType = FactType::TextSet;

    fn fact(&self) -> Result<Option<Fact>, Malformed> {
        text_set_fact(self).map(Some)
    }

    fn value(&self) -> Value {
        Value::Array(self.iter().map(|text| Value::from(text.as_ref())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_checked() {
        let check = |kind, facts, ok: bool| {
            let spec = ActionSpec {
                kind,
                domain: Domain::Infrastructure,
                reversibility: Reversibility::Irreversible,
                facts,
            };
            assert_eq!(spec.check().is_ok(), ok, "{kind} {facts:?}");
        };
        check("RotateKey", &[("age", FactType::Long), ("zone", FactType::Text)], true);
        check("RotateKey", &[("zone", FactType::Text), ("age", FactType::Long)], false);
        check("RotateKey", &[("age", FactType::Long), ("age", FactType::Long)], false);
        check("RotateKey", &[("approvals", FactType::TextSet)], false);
        check("RotateKey", &[("a\"b", FactType::Text)], false);
        check("Connect", &[], false);
        check("rotate key", &[], false);
        check("", &[], false);
    }

    #[test]
    fn numbers_beyond_a_long_have_no_fact() {
        assert!(u64::MAX.fact().is_err());
        assert_eq!(7_u64.fact(), Ok(Some(Fact::Long(7))));
        assert_eq!(None::<String>.fact(), Ok(None));
    }
}
