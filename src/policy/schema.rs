//! The schema of a bundle: the base vocabulary, what the bundle adds, and what is generated.
//!
//! The base declarations must stand in the bundle's schema unchanged, so that facts mean the same
//! thing in every bundle; loading compares them one by one. Each registered tool and each kind of
//! action that a host brings adds one action; that text is part of the tested digest.

use std::fmt::Write as _;

use cedar_policy::{Schema, SchemaFragment, SchemaWarning};

use crate::action::{ActionSpec, Domain};
use crate::policy::LoadError;
use crate::policy::source::check_nesting;
use crate::text::said;
use crate::tool::{Field, RegisteredTool, Shape};

/// The vocabulary that every bundle holds unchanged, in Cedar's schema syntax.
pub const BASE_SCHEMA: &str = include_str!("base.cedarschema");

/// Puts the schema together: the bundle's own text and the declarations of tools and host actions.
///
/// Returns the schema and the generated text.
pub(super) fn build<'a>(
    text: &str,
    tools: impl Iterator<Item = &'a RegisteredTool>,
    actions: &[ActionSpec],
) -> Result<(Schema, String), LoadError> {
    check_nesting("schema.cedarschema", text)?;
    let own = fragment(text)?;
    let base = fragment(BASE_SCHEMA)?;
    contains(&own, &base)?;

    let mut declared = Vec::new();
    for spec in actions {
        spec.check().map_err(LoadError::Schema)?;
        declared.push((spec.kind.to_owned(), declare_action(spec)));
    }
    for tool in tools {
        declared.push((tool_action(&tool.id()), declare_tool(tool)));
    }
    // Parsed together, among the base declarations that they refer to.
    let texts: String = declared.iter().map(|(_, text)| text.as_str()).collect();
    let parsed = fragment(&format!("{BASE_SCHEMA}\n{texts}"))?;
    let mut generated = String::new();
    for (name, declaration) in declared {
        match lookup(&own, "", "actions", &name) {
            None => generated.push_str(&declaration),
            // The bundle may declare the very same, so that other tools can check it alone.
            Some(theirs) if Some(theirs) == lookup(&parsed, "", "actions", &name) => {}
            Some(_) => {
                return Err(LoadError::Schema(format!(
                    "`{name}` is declared differently from what is registered"
                )));
            }
        }
    }
    let whole = format!("{text}\n{generated}");
    let (schema, warnings) = Schema::from_cedarschema_str(&whole).map_err(schema_error)?;
    refuse_warnings(warnings)?;
    Ok((schema, generated))
}

/// The JSON form of a schema.
pub(super) fn to_json(text: &str) -> Result<serde_json::Value, LoadError> {
    fragment(text)
}

fn fragment(text: &str) -> Result<serde_json::Value, LoadError> {
    let (fragment, warnings) = SchemaFragment::from_cedarschema_str(text).map_err(schema_error)?;
    refuse_warnings(warnings)?;
    fragment.to_json_value().map_err(schema_error)
}

fn schema_error(error: impl std::error::Error) -> LoadError {
    LoadError::Schema(said(&error))
}

fn refuse_warnings(mut warnings: impl Iterator<Item = SchemaWarning>) -> Result<(), LoadError> {
    warnings.next().map_or(Ok(()), |warning| Err(LoadError::Schema(said(&warning))))
}

/// Checks that every declaration of `base` stands in `own`, unchanged.
fn contains(own: &serde_json::Value, base: &serde_json::Value) -> Result<(), LoadError> {
    for (namespace, section, name, value) in declarations(base) {
        match lookup(own, namespace, section, name) {
            Some(theirs) if theirs == value => {}
            Some(_) => {
                return Err(LoadError::Schema(format!(
                    "`{name}` differs from the vocabulary of this version"
                )));
            }
            None => return Err(LoadError::Schema(format!("`{name}` is missing"))),
        }
    }
    Ok(())
}

fn declarations(
    fragment: &serde_json::Value,
) -> impl Iterator<Item = (&str, &str, &str, &serde_json::Value)> {
    let namespaces = fragment.as_object().into_iter().flatten();
    let sections = namespaces.flat_map(|(namespace, body)| {
        body.as_object()
            .into_iter()
            .flatten()
            .map(move |(section, body)| (namespace, section, body))
    });
    sections.flat_map(|(namespace, section, body)| {
        let entries = body.as_object().into_iter().flatten();
        entries
            .map(move |(name, value)| (namespace.as_str(), section.as_str(), name.as_str(), value))
    })
}

fn lookup<'a>(
    fragment: &'a serde_json::Value,
    namespace: &str,
    section: &str,
    name: &str,
) -> Option<&'a serde_json::Value> {
    fragment.get(namespace)?.get(section)?.get(name)
}

const COMMON: &str = "now: Long, task: String, purpose: String, environment: String, \
    provenance: String, reversibility: String, labels: Set<String>, approvals: Set<String>, \
    counters: Counters, recent: Set<String>, depth: Long, acting_through: Set<String>, tier: String";

fn declare_action(spec: &ActionSpec) -> String {
    let mut text = format!(
        "action \"{}\" in [\"{}\"] appliesTo {{ principal: Agent, resource: Resource, context: {{ {COMMON}",
        spec.kind, spec.domain
    );
    for (name, kind) in spec.facts {
        let (cedar, optional) = kind.cedar();
        let mark = if optional { "?" } else { "" };
        let written = write!(text, ", {}{mark}: {cedar}", quoted(name));
        debug_assert!(written.is_ok(), "writing to a String does not fail");
    }
    text.push_str(" } };\n");
    text
}

/// The id of the Cedar action of one tool.
pub(super) fn tool_action(id: &str) -> String {
    format!("tool:{id}")
}

fn declare_tool(tool: &RegisteredTool) -> String {
    let mut text = format!(
        "action {} in [\"ToolCall\", \"{}\"] appliesTo {{ principal: Agent, resource: Tool, context: {{ \
         {COMMON}, server: String, tool: String, input: ",
        quoted(&tool_action(&tool.id())),
        Domain::Application
    );
    write_shape(&mut text, &tool.input);
    text.push_str(" } };\n");
    text
}

fn write_shape(text: &mut String, shape: &Shape) {
    text.push_str("{ ");
    for (name, field, required) in &shape.fields {
        if *field == Field::Unseen {
            continue;
        }
        text.push_str(&quoted(name));
        text.push_str(if *required { ": " } else { "?: " });
        match field {
            Field::Text => text.push_str("String"),
            Field::Long => text.push_str("Long"),
            Field::Decimal => text.push_str("decimal"),
            Field::Bool => text.push_str("Bool"),
            Field::TextSet => text.push_str("Set<String>"),
            Field::LongSet => text.push_str("Set<Long>"),
            Field::Record(shape) => write_shape(text, shape),
            Field::Unseen => {}
        }
        text.push_str(", ");
    }
    text.push('}');
}

/// A Cedar string literal. Names are visible ASCII, so that only two characters need an escape.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{FactType, Reversibility};
    use crate::tool::{ServerTrust, ToolManifest};

    const SPEC: ActionSpec = ActionSpec {
        kind: "RotateKey",
        domain: Domain::Infrastructure,
        reversibility: Reversibility::Irreversible,
        facts: &[("age", FactType::Long), ("zone", FactType::OptionalText)],
    };

    fn tools(properties: &str) -> ToolManifest {
        let listing = format!(
            r#"{{"tools":[{{"name":"t","inputSchema":{{"type":"object","properties":{properties}}}}}]}}"#
        );
        let mut tools = ToolManifest::new();
        tools.add_listing("s", ServerTrust::Untrusted, listing.as_bytes()).unwrap();
        tools
    }

    #[test]
    fn tools_and_host_actions_become_actions() {
        let tools = tools(
            r#"{"a":{"type":"string"},"we\"ird\\":{"type":"number"},"n":{"type":"object","properties":{"x":{"type":"array","items":{"type":"integer"}}}},"u":{}}"#,
        );
        let (schema, generated) = build(BASE_SCHEMA, tools.iter(), &[SPEC]).unwrap();
        let actions: Vec<_> = schema.actions().map(|uid| uid.id().unescaped().to_owned()).collect();
        assert!(actions.contains(&"RotateKey".to_owned()));
        assert!(actions.contains(&"tool:s/t".to_owned()));
        assert!(!generated.contains("\"u\""));
    }

    #[test]
    fn the_base_must_stand_unchanged() {
        let none = || std::iter::empty::<&RegisteredTool>();
        assert!(build(BASE_SCHEMA, none(), &[]).is_ok());
        let changed = BASE_SCHEMA.replace("zone: String", "zone?: String");
        assert!(matches!(build(&changed, none(), &[]), Err(LoadError::Schema(_))));
        assert!(matches!(build("entity Agent;", none(), &[]), Err(LoadError::Schema(_))));
        let more = format!("{BASE_SCHEMA}\nentity Team;");
        assert!(build(&more, none(), &[]).is_ok());
    }

    #[test]
    fn a_declaration_that_differs_from_the_registered_one_is_refused() {
        let same = format!("{BASE_SCHEMA}\n{}", declare_action(&SPEC));
        let (_, generated) = build(&same, std::iter::empty(), &[SPEC]).unwrap();
        assert_eq!(generated, "");
        let other = same.replace("\"age\": Long", "\"age\": String");
        assert!(build(&other, std::iter::empty(), &[SPEC]).is_err());
    }
}
