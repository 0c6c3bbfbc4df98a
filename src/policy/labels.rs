//! Labels that a bundle gives: to kinds of effects, and to what tools return.

use std::collections::HashMap;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use serde::Deserialize;

use crate::action::{Effect, Target, token};
use crate::policy::LoadError;
use crate::policy::entities::Store;
use crate::text::excerpt;
use crate::tool::ToolManifest;

/// The most rules of one bundle.
const MAX_RULES: usize = 256;

/// The most labels of one rule.
const MAX_LABELS_OF_RULE: usize = 16;

/// A rule as the manifest has it: `{"kind": "UseSecret", "labels": ["secret"]}`,
/// `{"tool": "server/name", "output": ["untrusted-input"]}`, or `{"tools": "open_world", "output": […]}` for
/// every registered tool with that hint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelRule {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    tools: Option<Hint>,
    #[serde(default)]
    labels: Option<Vec<String>>,
    #[serde(default)]
    output: Option<Vec<String>>,
}

/// Which tools a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Hint {
    /// Those that reach the open world.
    OpenWorld,
}

/// The rules of a bundle, by what they are about.
#[derive(Debug, Default)]
pub(super) struct LabelRules {
    kinds: HashMap<Box<str>, Vec<Box<str>>>,
    tools: HashMap<Box<str>, Vec<Box<str>>>,
}

impl LabelRules {
    /// Takes the rules of a manifest. A kind or a tool that the bundle does not know is refused: a rule that
    /// labels nothing would not be missed.
    pub(super) fn build(
        rules: &[LabelRule],
        tools: &ToolManifest,
        store: &Store,
        action: &EntityTypeName,
    ) -> Result<Self, LoadError> {
        let refuse = |what: String| LoadError::Manifest(format!("`labels`: {what}"));
        if rules.len() > MAX_RULES {
            return Err(refuse(format!("there are more than {MAX_RULES} rules")));
        }
        let mut built = Self::default();
        for rule in rules {
            let LabelRule { kind, tool, tools: hint, labels, output } = rule;
            match (kind, tool, hint, labels, output) {
                (Some(kind), None, None, Some(labels), None) => {
                    let id = EntityId::new(kind);
                    let uid = EntityUid::from_type_name_and_id(action.clone(), id);
                    if kind == "ToolCall" || store.actions.get(&uid).is_none() {
                        return Err(refuse(format!("`{}` is no kind of effect", excerpt(kind))));
                    }
                    let labels = parse(labels).map_err(refuse)?;
                    built.kinds.entry(kind.as_str().into()).or_default().extend(labels);
                }
                (None, Some(tool), None, None, Some(output)) => {
                    if tools.get(tool).is_none() {
                        return Err(refuse(format!("`{}` is no registered tool", excerpt(tool))));
                    }
                    let labels = parse(output).map_err(refuse)?;
                    built.tools.entry(tool.as_str().into()).or_default().extend(labels);
                }
                (None, None, Some(Hint::OpenWorld), None, Some(output)) => {
                    let labels = parse(output).map_err(refuse)?;
                    for tool in tools.iter().filter(|tool| tool.open_world) {
                        let known = built.tools.entry(tool.id().into()).or_default();
                        known.extend(labels.iter().cloned());
                    }
                }
                _ => {
                    return Err(refuse(
                        "a rule has `kind` and `labels`, or `tool` or `tools` and `output`".into(),
                    ));
                }
            }
        }
        Ok(built)
    }

    /// The labels that the bundle gives to `effect`.
    pub(super) fn of(&self, effect: &Effect) -> impl Iterator<Item = &str> {
        let of_kind = match self.kinds.is_empty() {
            true => None,
            false => self.kinds.get(effect.kind().as_str()),
        };
        let of_tool = match effect.target() {
            Target::Tool { server, name, .. } if !self.tools.is_empty() => {
                self.tools.get(format!("{server}/{name}").as_str())
            }
            _ => None,
        };
        of_kind.into_iter().chain(of_tool).flatten().map(AsRef::as_ref)
    }
}

/// Reads labels, which must be in their normal form.
fn parse(raw: &[String]) -> Result<Vec<Box<str>>, String> {
    if raw.is_empty() || raw.len() > MAX_LABELS_OF_RULE {
        return Err(format!("a rule gives 1 to {MAX_LABELS_OF_RULE} labels"));
    }
    let label = |raw: &String| match token(raw) {
        Ok(label) if *label == **raw => Ok(label),
        _ => Err(format!("`{}` is no label: lower-case letters, digits, `-_.:+`", excerpt(raw))),
    };
    raw.iter().map(label).collect()
}
