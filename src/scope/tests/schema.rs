use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::*;
use crate::scope::constraint::{Constraint, Range};
use crate::scope::descriptor as d;

const SCHEMA: &str = include_str!("../../../docs/scope.schema.json");

fn schema() -> Json {
    serde_json::from_str(SCHEMA).unwrap()
}

/// The names that a type accepts, as its own error lists them.
fn fields<T: DeserializeOwned>() -> Vec<String> {
    let error = serde_json::from_str::<T>(r#"{"\u0001": 1}"#).err().unwrap().to_string();
    let (_, list) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
    let mut names: Vec<_> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    names.sort();
    names
}

fn properties(definition: &str) -> Vec<String> {
    let schema = schema();
    let object = if definition.is_empty() { &schema } else { &schema["$defs"][definition] };
    assert_eq!(object["additionalProperties"], Json::Bool(false), "{definition}");
    let mut names: Vec<_> = object["properties"].as_object().unwrap().keys().cloned().collect();
    names.sort();
    names
}

#[test]
fn the_schema_has_the_fields_of_the_types() {
    fn check<T: DeserializeOwned>(definition: &str) {
        assert_eq!(properties(definition), fields::<T>(), "{definition}");
    }
    check::<d::Descriptor>("");
    check::<d::Do>("do");
    check::<d::Tool>("tool");
    check::<d::Payment>("payment");
    check::<d::HostKind>("hostKind");
    check::<d::Touch>("touch");
    check::<d::Export>("export");
    check::<d::Labelled>("labelled");
    check::<d::Memory>("memory");
    check::<d::Reach>("reach");
    check::<d::TunnelGrant>("tunnel");
    check::<d::Run>("run");
    check::<d::Limits>("limits");
    check::<d::DomainLimits>("domainLimits");
    check::<Constraint>("constraint");
    check::<Range>("range");
    check::<d::Program>("programObject");
    check::<d::Publication>("publicationObject");
}

#[test]
fn the_schema_names_what_is_mandatory_and_the_limits() {
    let schema = schema();
    let required: Vec<&str> =
        schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(required, MANDATORY);
    assert_eq!(schema["properties"]["scope"]["const"], d::VERSION);
    assert_eq!(schema["$defs"]["patterns"]["maxItems"], MAX_LIST);
    assert_eq!(schema["$defs"]["pattern"]["maxLength"], MAX_PATTERN_BYTES);
    assert_eq!(schema["$defs"]["count"]["maximum"], MAX_INTEGER);
    let limited = &schema["$defs"]["limits"]["properties"]["tools"]["maxProperties"];
    assert_eq!(*limited, MAX_LIMITED_TOOLS);
    assert_eq!(
        schema["$defs"]["limits"]["properties"]["delegation_depth"]["maximum"],
        MAX_DELEGATION_DEPTH
    );
    let delegates = &schema["$defs"]["limits"]["properties"]["delegates"];
    assert_eq!(delegates["maximum"], MAX_DELEGATES);
    assert_eq!(delegates["default"], DEFAULT_DELEGATES);
}

/// Walks a document beside the schema: every member that is there has a property, of its type.
fn walk(schema: &Json, node: &Json, value: &Json, at: &str) {
    if let Some(reference) = node["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        let target = &schema["$defs"][name];
        assert!(target.is_object(), "{reference} at {at}");
        return walk(schema, target, value, at);
    }
    if let Some(options) = node["oneOf"].as_array() {
        let kind = |option: &&Json| {
            let option = match option["$ref"].as_str() {
                Some(reference) => &schema["$defs"][reference.strip_prefix("#/$defs/").unwrap()],
                None => *option,
            };
            option["type"].as_str() == Some(kind_of(value))
        };
        let option = options.iter().find(kind).unwrap_or_else(|| panic!("no option at {at}"));
        return walk(schema, option, value, at);
    }
    if let Some(expected) = node["type"].as_str() {
        let found = kind_of(value);
        assert!(found == expected || (expected == "integer" && found == "number"), "{at}: {found}");
    }
    match value {
        Json::Object(members) => {
            for (name, member) in members {
                let at = format!("{at}/{name}");
                let property = match &node["properties"][name] {
                    Json::Null => &node["additionalProperties"],
                    property => property,
                };
                assert!(
                    property.is_object() || property == &Json::Bool(true),
                    "{at} has no schema"
                );
                walk(schema, property, member, &at);
            }
            for name in node["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{at} lacks {name}");
            }
        }
        Json::Array(list) => {
            for element in list {
                walk(schema, &node["items"], element, at);
            }
        }
        _ => {}
    }
}

fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

#[test]
fn the_examples_fit_the_schema() {
    for marker in ["## The document", "## A complete example"] {
        let example: Json = serde_json::from_str(block(marker, FULL)).unwrap();
        walk(&schema(), &schema(), &example, "");
    }
}

#[test]
fn the_complete_example_has_every_field() {
    let example: Json = serde_json::from_str(block("## A complete example", FULL)).unwrap();
    let keys = |pointer: &str| {
        let object = example.pointer(pointer).unwrap().as_object().unwrap();
        let mut keys: Vec<_> = object.keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(""), fields::<d::Descriptor>());
    assert_eq!(keys("/do"), fields::<d::Do>());
    assert_eq!(keys("/touch"), fields::<d::Touch>());
    assert_eq!(keys("/touch/memory"), fields::<d::Memory>());
    assert_eq!(keys("/reach"), fields::<d::Reach>());
    assert_eq!(keys("/run"), fields::<d::Run>());
    assert_eq!(keys("/limits"), fields::<d::Limits>());
}

#[test]
fn the_specification_names_every_field_and_every_error() {
    for field in [
        fields::<d::Descriptor>(),
        fields::<d::Do>(),
        fields::<d::Touch>(),
        fields::<d::Reach>(),
        fields::<d::Run>(),
        fields::<d::Limits>(),
        fields::<Constraint>(),
    ]
    .concat()
    {
        let named = FULL.contains(&format!("`{field}`")) || FULL.contains(&format!(".{field}`"));
        assert!(named, "`{field}` is not specified");
    }
    let source = include_str!("../error.rs");
    for code in source.split('"').filter(|text| text.starts_with("descriptor.")) {
        assert!(FULL.contains(&format!("`{code}`")), "{code} is not specified");
    }
    let lint = include_str!("../lint.rs");
    for code in lint.split('"').filter(|text| text.starts_with("lint.")) {
        assert!(FULL.contains(&format!("`{code}`")), "{code} is not specified");
    }
}
