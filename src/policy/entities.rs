//! The entity store of a bundle, and the checks that every reference in it resolves.
//!
//! Cedar takes an absent entity for one without attributes and parents; an `in` over a gap is false
//! and a `forbid` on it vanishes. So an entity may be absent only if its type has no attributes, no
//! tags and no parents; all others are in the store, with everything that they refer to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema,
};

use crate::policy::LoadError;
use crate::text::said;
use crate::tool::ToolManifest;
use crate::value::{Limits, Value};

/// The types whose entities come from the session, not from the bundle.
const PRINCIPAL_TYPES: [&str; 4] = ["Agent", "AgentClass", "Owner", "TrustDomain"];

/// The most bytes of `entities.json`.
const LIMITS: Limits = Limits { max_bytes: 8 << 20, max_depth: 16, max_nodes: 1 << 20 };

/// The entities of a bundle by id, each with the ids that it refers to.
#[derive(Debug)]
pub(super) struct Store {
    entities: HashMap<EntityUid, (Entity, Vec<EntityUid>)>,
    ancestors: HashMap<EntityUid, Vec<EntityUid>>,
    bare: HashSet<EntityTypeName>,
    /// Actions and their groups.
    pub(super) actions: Entities,
}

impl Store {
    pub(super) fn load(
        json: Option<&[u8]>,
        tools: &ToolManifest,
        schema: &Schema,
        schema_json: &serde_json::Value,
    ) -> Result<Self, LoadError> {
        let refuse = |what: String| LoadError::Entities(what);
        let mut listed = Vec::new();
        if let Some(json) = json {
            let value = Value::parse(json, &LIMITS).map_err(|error| refuse(error.to_string()))?;
            refuse_unknowns(&value).map_err(refuse)?;
            let text = std::str::from_utf8(json).map_err(|error| refuse(said(&error)))?;
            let parsed = Entities::from_json_str(text, Some(schema));
            let parsed = parsed.map_err(|error| refuse(said(&error)))?;
            for entity in parsed.iter() {
                let kind = entity.uid().type_name().to_string();
                if kind == "Action" || kind.ends_with("::Action") {
                    continue;
                }
                if PRINCIPAL_TYPES.contains(&kind.as_str()) {
                    return Err(refuse(format!("a `{kind}` comes from the session")));
                }
                listed.push(entity.clone());
            }
        }
        listed.extend(tool_entities(tools).map_err(refuse)?);
        let all = Entities::from_entities(listed, Some(schema));
        let all = all.map_err(|error| refuse(said(&error)))?;
        let actions = schema.action_entities().map_err(|error| refuse(said(&error)))?;

        let mut store = Self {
            entities: HashMap::new(),
            ancestors: HashMap::new(),
            bare: bare_types(schema_json),
            actions,
        };
        let json = all.to_json_value().map_err(|error| refuse(said(&error)))?;
        let references = references(&json);
        for entity in all.iter() {
            let uid = entity.uid();
            let kind = uid.type_name().to_string();
            if kind == "Action" || kind.ends_with("::Action") {
                continue;
            }
            let key = (kind, uid.id().unescaped().to_owned());
            let mut refers = Vec::new();
            for (kind, id) in references.get(&key).into_iter().flatten() {
                let kind: EntityTypeName =
                    kind.parse().map_err(|_| refuse(format!("`{kind}` is no entity type")))?;
                refers.push(EntityUid::from_type_name_and_id(kind, EntityId::new(id)));
            }
            let ancestors = all.ancestors(&uid).into_iter().flatten().cloned().collect();
            store.ancestors.insert(uid.clone(), ancestors);
            store.entities.insert(uid, (entity.clone(), refers));
        }
        for (uid, (_, refers)) in &store.entities {
            let ancestors = store.ancestors.get(uid).into_iter().flatten();
            for other in refers.iter().chain(ancestors) {
                if !store.resolves(other) {
                    return Err(refuse(format!("`{uid}` refers to `{other}`, which is missing")));
                }
            }
        }
        Ok(store)
    }

    /// Whether a reference to `uid` resolves: it is in the store, or its type is bare.
    pub(super) fn resolves(&self, uid: &EntityUid) -> bool {
        self.entities.contains_key(uid) || self.is_bare(uid.type_name())
    }

    /// Whether entities of this type may be absent.
    pub(super) fn is_bare(&self, kind: &EntityTypeName) -> bool {
        self.bare.contains(kind)
    }

    /// The ancestors of an entity of the bundle.
    pub(super) fn ancestors(&self, uid: &EntityUid) -> &[EntityUid] {
        self.ancestors.get(uid).map_or(&[], Vec::as_slice)
    }

    /// Adds to `out` the entities that can be reached from `roots`, those already in it left out.
    pub(super) fn close(&self, roots: impl IntoIterator<Item = EntityUid>, out: &mut Vec<Entity>) {
        let mut seen: HashSet<EntityUid> = out.iter().map(Entity::uid).collect();
        let mut open: Vec<EntityUid> = roots.into_iter().collect();
        while let Some(uid) = open.pop() {
            let Some((entity, refers)) = self.entities.get(&uid) else { continue };
            if seen.insert(uid.clone()) {
                out.push(entity.clone());
                open.extend(refers.iter().cloned());
                open.extend(self.ancestors(&uid).iter().cloned());
            }
        }
    }
}

fn tool_entities(tools: &ToolManifest) -> Result<Vec<Entity>, String> {
    let uid = |kind: &str, id: &str| -> Result<EntityUid, String> {
        let kind = kind.parse().map_err(|_| format!("`{kind}` is no entity type"))?;
        Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
    };
    let mut servers = BTreeSet::new();
    let mut entities = Vec::new();
    for tool in tools.iter() {
        let server = uid("Server", &tool.server)?;
        servers.insert(tool.server.as_str());
        let attributes = [
            ("read_only", tool.read_only),
            ("destructive", tool.destructive),
            ("open_world", tool.open_world),
        ];
        let attributes = attributes
            .into_iter()
            .map(|(name, truth)| (name.to_owned(), RestrictedExpression::new_bool(truth)));
        let entity =
            Entity::new(uid("Tool", &tool.id())?, attributes.collect(), HashSet::from([server]));
        entities.push(entity.map_err(|error| said(&error))?);
    }
    for server in servers {
        entities.push(Entity::new_no_attrs(uid("Server", server)?, HashSet::new()));
    }
    Ok(entities)
}

/// Refuses extension calls other than the four that Cedar has: `unknown` makes a policy residual.
pub(super) fn refuse_unknowns(value: &Value) -> Result<(), String> {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(object) => {
                if object.get("__expr").is_some() {
                    return Err("`__expr` is not taken".into());
                }
                if let Some(name) = object.get("fn") {
                    let known = ["ip", "decimal", "datetime", "duration"];
                    if !name.as_str().is_some_and(|name| known.contains(&name)) {
                        return Err("`__extn` calls something other than `ip`, `decimal`, \
                                    `datetime`, `duration`"
                            .into());
                    }
                }
                open.extend(object.iter().map(|(_, value)| value));
            }
            _ => {}
        }
    }
    Ok(())
}

type Name = (String, String);

/// The references of each entity: its parents, and every entity among its attributes and tags.
fn references(entities: &serde_json::Value) -> BTreeMap<Name, Vec<Name>> {
    let name = |value: &serde_json::Value| -> Option<Name> {
        let part = |key| value.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
        Some((part("type")?, part("id")?))
    };
    let mut found = BTreeMap::new();
    for entity in entities.as_array().into_iter().flatten() {
        let Some(uid) = entity.get("uid").and_then(name) else { continue };
        let mut refers = Vec::new();
        let parents = entity.get("parents").and_then(serde_json::Value::as_array);
        refers.extend(parents.into_iter().flatten().filter_map(name));
        let mut open: Vec<&serde_json::Value> =
            [entity.get("attrs"), entity.get("tags")].into_iter().flatten().collect();
        while let Some(value) = open.pop() {
            if let Some(of) = value.get("__entity").and_then(name) {
                refers.push(of);
            } else if let Some(items) = value.as_array() {
                open.extend(items);
            } else if let Some(members) = value.as_object() {
                open.extend(members.iter().map(|(_, value)| value));
            }
        }
        found.insert(uid, refers);
    }
    found
}

/// The types without attributes, tags and parents.
fn bare_types(schema: &serde_json::Value) -> HashSet<EntityTypeName> {
    let mut bare = HashSet::new();
    for (namespace, body) in schema.as_object().into_iter().flatten() {
        let types = body.get("entityTypes").and_then(serde_json::Value::as_object);
        for (name, body) in types.into_iter().flatten() {
            let shape = body.get("shape");
            let attributes = shape.and_then(|shape| shape.get("attributes"));
            let no_attributes = match (shape, attributes) {
                (None, _) => true,
                (Some(_), Some(attributes)) => {
                    attributes.as_object().is_some_and(serde_json::Map::is_empty)
                }
                (Some(_), None) => false,
            };
            let parents = body.get("memberOfTypes").and_then(serde_json::Value::as_array);
            let plain = no_attributes
                && body.get("tags").is_none_or(serde_json::Value::is_null)
                && parents.is_none_or(Vec::is_empty);
            let full =
                if namespace.is_empty() { name.clone() } else { format!("{namespace}::{name}") };
            if let (true, Ok(kind)) = (plain, full.parse()) {
                bare.insert(kind);
            }
        }
    }
    bare
}
