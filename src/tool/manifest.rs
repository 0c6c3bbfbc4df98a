//! Tools as a server lists them (MCP `tools/list`), registered before anything is decided.
//!
//! What a listing says of its own tools counts only as far as its server is trusted: the annotations
//! of an untrusted one can make a tool look worse, never better (MCP 2026-07-28, `ToolAnnotations`:
//! "clients MUST consider tool annotations to be untrusted unless they come from trusted servers").

use std::collections::BTreeMap;

use crate::action::{Reversibility, ToolFact, ToolFacts};
use crate::digest::Digest;
use crate::value::{JsonError, Limits, Object, Value};

/// The most tools of one listing.
const MAX_TOOLS: usize = 1024;
/// The most properties of one tool, nested ones included.
const MAX_PROPERTIES: usize = 256;
/// How deep records may nest in a shape.
const MAX_SHAPE_DEPTH: usize = 4;

/// Whether the annotations of a server are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServerTrust {
    /// They only tighten: everything is destructive, irreversible and open to the world.
    #[default]
    Untrusted,
    /// They are believed: the host vouches for the server.
    Trusted,
}

/// The tools of one or more servers.
#[derive(Debug, Clone, Default)]
pub struct ToolManifest {
    tools: BTreeMap<String, RegisteredTool>,
}

/// One registered tool.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredTool {
    /// The server that offers it.
    pub server: String,
    /// Its name there.
    pub name: String,
    /// The digest of the whole listing entry, description and annotations included.
    pub schema: Digest,
    /// Whether it only reads, as far as its server is believed.
    pub read_only: bool,
    /// Whether it may destroy something.
    pub destructive: bool,
    /// Whether it reaches out to the world.
    pub open_world: bool,
    /// What of its arguments policies can see.
    pub input: Shape,
}

/// The typed part of a tool's arguments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// The properties by name, sorted.
    pub fields: Vec<(String, Field, bool)>,
    /// Whether arguments that are not among them are let through, unseen by policies.
    pub open: bool,
}

/// The type of one argument, as policies see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// `string`
    Text,
    /// `integer`
    Long,
    /// `number`
    Decimal,
    /// `boolean`
    Bool,
    /// `array` of `string`
    TextSet,
    /// `array` of `integer`
    LongSet,
    /// `object`
    Record(Shape),
    /// Anything else: allowed, and not seen by policies.
    Unseen,
}

/// Why a listing is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolManifestError {
    /// The listing is not strict JSON.
    #[error("the tool listing does not parse")]
    Json(#[source] JsonError),
    /// The listing has another form than `{"tools": [...]}`.
    #[error("the tool listing has no such form: {0}")]
    Form(String),
    /// A tool is named twice on one server.
    #[error("the tool `{0}` is listed twice")]
    Duplicate(String),
    /// A listing is larger than the limits.
    #[error("the tool listing is too large: {0}")]
    TooLarge(String),
}

impl ToolManifest {
    /// Returns a manifest without tools.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the tools of `server` from its answer to `tools/list` (the result object, as JSON).
    ///
    /// # Errors
    ///
    /// Returns [`ToolManifestError`] when the listing is malformed, too large, or repeats a name.
    ///
    /// # Security
    ///
    /// The listing is text of the server. Names are bounded and plain; the digest of each entry is
    /// what later calls are compared with.
    pub fn add_listing(
        &mut self,
        server: &str,
        trust: ServerTrust,
        listing: &[u8],
    ) -> Result<(), ToolManifestError> {
        let form = |what: &str| ToolManifestError::Form(what.to_owned());
        if !is_name(server) {
            return Err(form("the server's name is not 1 to 128 of `A-Z a-z 0-9 _ . -`"));
        }
        let listing = Value::parse(listing, &Limits::DOCUMENT).map_err(ToolManifestError::Json)?;
        let tools = listing.as_object().and_then(|listing| listing.get("tools"));
        let tools = tools.and_then(Value::as_array).ok_or_else(|| form("`tools` is no array"))?;
        if self.tools.len() + tools.len() > MAX_TOOLS {
            return Err(ToolManifestError::TooLarge(format!("more than {MAX_TOOLS} tools")));
        }
        for entry in tools {
            let tool = RegisteredTool::read(server, trust, entry)?;
            let id = tool.id();
            if self.tools.contains_key(&id) {
                return Err(ToolManifestError::Duplicate(id));
            }
            self.tools.insert(id, tool);
        }
        Ok(())
    }

    /// Iterates over the tools, sorted by `server/name`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &RegisteredTool> {
        self.tools.values()
    }

    /// Looks a tool up by `server/name`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&RegisteredTool> {
        self.tools.get(id)
    }
}

impl ToolFacts for ToolManifest {
    fn tool(&self, server: &str, name: &str) -> Option<ToolFact> {
        let tool = self.tools.get(&format!("{server}/{name}"))?;
        Some(ToolFact { schema: tool.schema, reversibility: tool.reversibility() })
    }
}

impl RegisteredTool {
    /// Returns `server/name`: the id of the Cedar entity.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// Returns how far a call can be undone, as far as the server is believed.
    #[must_use]
    pub const fn reversibility(&self) -> Reversibility {
        if self.read_only {
            Reversibility::Reversible
        } else if self.destructive {
            Reversibility::Irreversible
        } else {
            Reversibility::Compensable
        }
    }

    fn read(server: &str, trust: ServerTrust, entry: &Value) -> Result<Self, ToolManifestError> {
        let form = |what: &str| ToolManifestError::Form(what.to_owned());
        let object = entry.as_object().ok_or_else(|| form("a tool is no object"))?;
        let name = object.get("name").and_then(Value::as_str).filter(|name| is_name(name));
        let name =
            name.ok_or_else(|| form("a tool's name is not 1 to 128 of `A-Z a-z 0-9 _ . -`"))?;
        let hint = |key: &str, absent: bool| {
            let hints = object.get("annotations").and_then(Value::as_object);
            let stated = hints.and_then(|hints| hints.get(key)).and_then(Value::as_bool);
            match trust {
                ServerTrust::Trusted => stated.unwrap_or(absent),
                ServerTrust::Untrusted => absent,
            }
        };
        let read_only = hint("readOnlyHint", false);
        let input = object.get("inputSchema").ok_or_else(|| form("a tool has no `inputSchema`"))?;
        let mut budget = MAX_PROPERTIES;
        let input = Shape::read(input, 0, &mut budget)?;
        let schema = Digest::of("countersign 2026-11 tool v1", entry.to_canonical().as_bytes());
        Ok(Self {
            server: server.to_owned(),
            name: name.to_owned(),
            schema,
            read_only,
            destructive: !read_only && hint("destructiveHint", true),
            open_world: hint("openWorldHint", true),
            input,
        })
    }
}

impl Shape {
    fn read(schema: &Value, depth: usize, budget: &mut usize) -> Result<Self, ToolManifestError> {
        let form = |what: &str| ToolManifestError::Form(what.to_owned());
        let schema = schema.as_object().ok_or_else(|| form("a schema is no object"))?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(form("the `type` of an input schema is not `object`"));
        }
        let empty = Object::new();
        let properties = match schema.get("properties") {
            None => &empty,
            Some(properties) => {
                properties.as_object().ok_or_else(|| form("`properties` is no object"))?
            }
        };
        let required = match schema.get("required") {
            None => &[][..],
            Some(names) => names.as_array().ok_or_else(|| form("`required` is no array"))?,
        };
        let mut fields = Vec::with_capacity(properties.len());
        for (name, property) in properties.iter() {
            *budget = budget.checked_sub(1).ok_or_else(|| {
                ToolManifestError::TooLarge(format!("more than {MAX_PROPERTIES} properties"))
            })?;
            if name.is_empty()
                || name.len() > 128
                || !name.bytes().all(|byte| byte.is_ascii_graphic())
            {
                return Err(form("a property's name is not 1 to 128 visible ASCII characters"));
            }
            let needed = required.iter().any(|value| value.as_str() == Some(name));
            fields.push((name.to_owned(), Field::read(property, depth, budget)?, needed));
        }
        // Unknown means no: only a schema that says so lets unlisted arguments through.
        let open = schema.get("additionalProperties").and_then(Value::as_bool) == Some(true);
        Ok(Self { fields, open })
    }
}

impl Field {
    fn read(property: &Value, depth: usize, budget: &mut usize) -> Result<Self, ToolManifestError> {
        let kind = |value: &Value| value.as_object()?.get("type")?.as_str().map(str::to_owned);
        Ok(match kind(property).as_deref() {
            Some("string") => Self::Text,
            Some("integer") => Self::Long,
            Some("number") => Self::Decimal,
            Some("boolean") => Self::Bool,
            Some("array") => {
                let items = property.as_object().and_then(|object| object.get("items"));
                match items.and_then(kind).as_deref() {
                    Some("string") => Self::TextSet,
                    Some("integer") => Self::LongSet,
                    _ => Self::Unseen,
                }
            }
            Some("object") if depth < MAX_SHAPE_DEPTH => {
                Self::Record(Shape::read(property, depth + 1, budget)?)
            }
            _ => Self::Unseen,
        })
    }
}

/// MCP: 1 to 128 of letters, digits, `_`, `.`, `-`.
fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(known) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(entry: &str) -> String {
        format!(r#"{{"tools":[{entry}]}}"#)
    }

    fn add(trust: ServerTrust, entry: &str) -> Result<RegisteredTool, ToolManifestError> {
        let mut manifest = ToolManifest::new();
        manifest.add_listing("srv", trust, listing(entry).as_bytes())?;
        Ok(manifest.iter().next().unwrap().clone())
    }

    #[test]
    fn hints_of_untrusted_servers_never_loosen() {
        let entry = r#"{"name":"t","inputSchema":{"type":"object"},
            "annotations":{"readOnlyHint":true,"destructiveHint":false,"openWorldHint":false}}"#;
        let untrusted = add(ServerTrust::Untrusted, entry).unwrap();
        assert_eq!(untrusted.reversibility(), Reversibility::Irreversible);
        assert!(!untrusted.read_only && untrusted.destructive && untrusted.open_world);
        let trusted = add(ServerTrust::Trusted, entry).unwrap();
        assert_eq!(trusted.reversibility(), Reversibility::Reversible);
    }

    #[test]
    fn a_changed_description_changes_the_digest() {
        let entry = |text: &str| {
            format!(r#"{{"name":"t","description":"{text}","inputSchema":{{"type":"object"}}}}"#)
        };
        let first = add(ServerTrust::Trusted, &entry("a")).unwrap();
        assert_ne!(first.schema, add(ServerTrust::Trusted, &entry("b")).unwrap().schema);
        assert_eq!(first.schema, add(ServerTrust::Trusted, &entry("a")).unwrap().schema);
    }

    #[test]
    fn malformed_listings_are_refused() {
        let check = |entry: &str| assert!(add(ServerTrust::Trusted, entry).is_err(), "{entry}");
        check("1");
        check(r#"{"name":"t"}"#);
        check(r#"{"name":"","inputSchema":{"type":"object"}}"#);
        check(r#"{"name":"a/b","inputSchema":{"type":"object"}}"#);
        check(r#"{"name":"..","inputSchema":{"type":"object"}}"#);
        check(r#"{"name":"t","name":"u","inputSchema":{"type":"object"}}"#);
        check(r#"{"name":"t","inputSchema":{"type":"string"}}"#);
        check(r#"{"name":"t","inputSchema":{"type":"object","properties":{"a\nb":{}}}}"#);
        let twice = r#"{"name":"t","inputSchema":{"type":"object"}}"#;
        check(&format!("{twice},{twice}"));
    }
}
