//! Tool listings: text of a server, which must not get further than its own declarations.

use super::{bundle, check_message};
use crate::tool::{RegisteredTool, ServerTrust, ToolManifest};
use crate::value::{Limits, Value};

/// Registers a listing: trust only loosens, the spelling of the JSON changes nothing, and what
/// registers can be declared to the policy engine without touching the rest of the schema.
pub fn tool_listing(data: &[u8]) {
    let listed = |trust, data: &[u8]| {
        let mut tools = ToolManifest::new();
        tools.add_listing("srv", trust, data).map(|()| tools)
    };
    let tools = match listed(ServerTrust::Untrusted, data) {
        Ok(tools) => tools,
        Err(error) => {
            assert!(listed(ServerTrust::Trusted, data).is_err(), "trust makes it well formed");
            return check_message(&error);
        }
    };
    let own = |tools: &ToolManifest| tools.iter().cloned().collect::<Vec<RegisteredTool>>();
    let trusted = listed(ServerTrust::Trusted, data).map(|tools| own(&tools)).unwrap_or_default();
    assert_eq!(trusted.len(), tools.iter().len());
    for (tool, trusted) in tools.iter().zip(&trusted) {
        assert_eq!((tool.id(), tool.schema), (trusted.id(), trusted.schema));
        assert!(tool.reversibility() >= trusted.reversibility(), "{}", tool.id());
        assert!(!tool.read_only && tool.open_world, "{}", tool.id());
        assert_eq!(tools.get(&tool.id()), Some(tool));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        assert!(tool.name.bytes().all(plain) && !matches!(&*tool.name, "" | "." | ".."));
    }
    if let Ok(value) = Value::parse(data, &Limits::DOCUMENT) {
        let again = listed(ServerTrust::Untrusted, value.to_canonical().as_bytes());
        assert_eq!(again.map(|tools| own(&tools)).ok(), Some(own(&tools)));
    }
    if tools.iter().len() <= MAX_DECLARED
        && let Err(error) = bundle::small(Some(tools))
    {
        assert_eq!(error.to_string(), "", "it registers and cannot be declared");
    }
}

/// The most tools that are declared in one run, for speed.
const MAX_DECLARED: usize = 3;
