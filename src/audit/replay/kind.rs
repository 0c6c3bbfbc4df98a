//! Which effects and which description an action of a built-in kind has: what a line says openly of an
//! action is held against these where a call is replayed.

use crate::action::record::parse;
use crate::action::{Effect, Kind, Target, from_value};
use crate::authorizer::stand_in;
use crate::reason::Reason;
use crate::value::{Object, Value};

/// A command line, which has the effects of whatever runs in it.
const SHELL: &str = "Shell";

/// The members by which a command line describes itself.
const SHELL_MEMBERS: [&str; 4] = ["line", "shell", "variables", "working_directory"];

/// What an action has beside effects of its own kind.
enum Beside {
    /// Effects of these kinds, and no others.
    These(&'static [Kind]),
    /// Any: it is put together from other actions.
    Any,
}

fn beside(kind: &Kind) -> Beside {
    match kind {
        Kind::Exec | Kind::SubmitJob => Beside::Any,
        Kind::ApiCall | Kind::Tunnel => Beside::These(&[Kind::Connect]),
        Kind::RemoteShell => Beside::These(&[Kind::Exec, Kind::Connect, Kind::Listen]),
        Kind::ExportData => Beside::These(&[Kind::ReadData, Kind::Connect]),
        Kind::StartTraining => Beside::These(&[Kind::UseAccelerator]),
        _ => Beside::These(&[]),
    }
}

fn built_in(name: &str) -> Option<&'static Kind> {
    BUILT_IN.iter().find(|kind| kind.as_str() == name)
}

static BUILT_IN: [Kind; 27] = Kind::BUILT_IN;

/// Tells whether an action of this kind can have these effects. A kind that a host brings can have any.
pub(super) fn can_have<'e>(
    kind: &str,
    mut effects: impl Iterator<Item = &'e Effect> + Clone,
) -> bool {
    let Some(kind) = built_in(kind) else { return true };
    if !effects.clone().any(|effect| is_of(effect, kind)) {
        return false;
    }
    match beside(kind) {
        Beside::Any => true,
        Beside::These(others) => effects
            .all(|effect| is_of(effect, kind) || others.iter().any(|other| is_of(effect, other))),
    }
}

/// Tells whether an action of this kind can describe itself so. A kind that a host brings can in any way.
///
/// What is not read, because it nests deeper than anything that is, can be anything.
pub(super) fn can_describe<'e>(
    kind: &str,
    description: &str,
    mut effects: impl Iterator<Item = &'e Effect>,
) -> bool {
    if built_in(kind).is_none() && kind != SHELL {
        return true;
    }
    let Ok(value) = parse(description) else { return true };
    let Some(members) = value.as_object() else { return false };
    if stand_in::length(&value).is_some() {
        return effects.all(stands_for_all);
    }
    if kind == SHELL {
        return members.iter().map(|(name, _)| name).eq(SHELL_MEMBERS);
    }
    let read = |value: Value| {
        let members = [("action".to_owned(), value), ("kind".to_owned(), kind.into())];
        let action = from_value(&Value::Object(members.into_iter().collect())).ok()?;
        Some(action.describe().to_canonical())
    };
    match read(value.clone()) {
        Some(again) => again == description,
        // Beside what is built in, an action may be put together from those of a host.
        None if members.get("also").is_some() => {
            let without = |name: &str| name != "also";
            let rest = members.iter().filter(|(name, _)| without(name));
            let rest: Object = rest.map(|(name, value)| (name.to_owned(), value.clone())).collect();
            read(Value::Object(rest)).is_some()
        }
        None => false,
    }
}

/// Whether an effect is of this kind, or what could not be understood of one that is.
fn is_of(effect: &Effect, kind: &Kind) -> bool {
    let opaque = match effect.target() {
        Target::Unknown { of, .. } => {
            matches!(effect.kind(), Kind::Opaque(_)) && *of == *kind.as_str()
        }
        _ => false,
    };
    effect.kind() == kind || opaque || stands_for_all(effect)
}

/// Whether an effect stands for others: none, too many, or too large ones. It is never granted.
fn stands_for_all(effect: &Effect) -> bool {
    let reason = match effect.target() {
        Target::Unknown { reason, .. } => *reason,
        _ => return false,
    };
    let all = [Reason::ActionNoEffect, Reason::ActionTooManyEffects, Reason::ActionTooLarge];
    matches!(effect.kind(), Kind::Opaque(_)) && all.contains(&reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::action::path::{PurePaths, ResolvedPath};
    use crate::action::{
        Action, Connect, DeleteData, EffectContext, Exec, NoTools, ReadData, UseAccelerator,
        WriteData,
    };
    use crate::authorizer::lines::describe;
    use crate::shell::{Shell, ShellEnv};
    use crate::testing::strategies::any_action;

    fn described(action: &dyn Action) -> (String, String, Vec<Effect>) {
        let paths = PurePaths::new();
        let workspace = ResolvedPath::root();
        let context = EffectContext::new(&paths, &workspace, &NoTools);
        let described = describe(action, &context);
        (action.kind().into_owned(), described.text, described.effects)
    }

    /// Whether effects and description are those of an action of this kind.
    fn fits(kind: &str, (_, text, effects): &(String, String, Vec<Effect>)) -> (bool, bool) {
        (can_have(kind, effects.iter()), can_describe(kind, text, effects.iter()))
    }

    #[test]
    fn another_kind_has_other_effects_or_another_description() {
        let check = |kind: &str, action: &dyn Action, expected: (bool, bool)| {
            assert_eq!(fits(kind, &described(action)), expected, "{kind}");
        };
        check("ReadData", &ReadData::new("a"), (true, true));
        check("ReadData", &WriteData::new("a"), (false, true));
        check("ReadData", &DeleteData::new("a"), (false, true));
        check("ReadData", &Connect::new("example.org", 1), (false, false));
        check("RotateKey", &Connect::new("example.org", 1), (true, true));
        let exec = || Exec::new("ls").nothing_else().and(ReadData::new("a"));
        check("Exec", &exec(), (true, true));
        check("ReadData", &exec(), (false, false));
        check("Shell", &exec(), (true, false));
        check("Exec", &UseAccelerator::new("gpu", 1), (false, false));
        let shell = Shell::parse("git status", &ShellEnv::bash("/srv"));
        check("Shell", &shell, (true, true));
        check("Exec", &shell, (true, false));
        // What is opaque is so of its kind, and what stands for everything is of any.
        check("ReadData", &ReadData::new(""), (true, true));
        check("WriteData", &ReadData::new(""), (false, true));
        let long = Exec::new("ls").args(["x".repeat(300 << 10)]);
        check("Exec", &long, (true, true));
        check("ReadData", &long, (true, true));
    }

    #[test]
    fn hosts_put_their_own_actions_into_built_in_ones() {
        #[derive(Debug)]
        struct Own;
        impl Action for Own {
            fn kind(&self) -> std::borrow::Cow<'static, str> {
                "Own".into()
            }
            fn describe(&self) -> Value {
                Value::Null
            }
            fn effects(&self, context: &EffectContext<'_>, effects: &mut crate::action::Effects) {
                ReadData::new("a").effects(context, effects);
            }
        }
        assert_eq!(fits("Exec", &described(&Exec::new("ls").and(Own))), (true, true));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_action_is_of_its_own_kind(action in any_action()) {
            let described = described(&action);
            prop_assert_eq!(fits(&described.0, &described), (true, true));
        }
    }
}
