//! One line of the cases: what it asks, and what is wrong with it.

use countersign::Action;
use countersign::action::from_value;
use countersign::value::{Limits, Object, Value};

use crate::advice::visible;

/// The longest line, in bytes: that of the largest scope.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;

/// A line may hold a scope and arguments, each of which may be as deep as a document.
const LIMITS: Limits =
    Limits { max_bytes: MAX_LINE_BYTES, max_depth: 40, max_nodes: Limits::DOCUMENT.max_nodes };

/// The members that a line may have.
const MEMBERS: [&str; 8] = ["action", "arguments", "cwd", "id", "scope", "server", "shell", "tool"];

/// A question, and what it is called.
pub(crate) struct Case {
    /// The id, as JSON.
    pub(crate) id: String,
    /// What is proposed.
    pub(crate) proposal: Proposal,
    /// The canonical text of the scope that the line brings.
    pub(crate) scope: Option<String>,
    /// The working directory of a shell line.
    pub(crate) directory: Option<String>,
}

/// What a line proposes.
pub(crate) enum Proposal {
    /// A shell line.
    Shell(String),
    /// A call of a registered tool.
    Tool {
        /// The server, where the line names one.
        server: Option<String>,
        /// The name of the tool.
        tool: String,
        /// The arguments.
        arguments: Value,
    },
    /// A built-in action.
    Action(Box<dyn Action + Sync>),
}

/// A line that asks nothing, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// The id as JSON, where the line has one.
    pub(crate) id: Option<String>,
    /// What is wrong.
    pub(crate) error: String,
}

impl Case {
    /// Reads a line.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, BadLine> {
        let bad = |error: String| BadLine { id: None, error };
        let value = Value::parse(line, &LIMITS)
            .map_err(|error| bad(format!("the line is no JSON object: {error}")))?;
        let Value::Object(mut members) = value else {
            return Err(bad("the line is no JSON object".to_owned()));
        };
        let id = match members.get("id") {
            None => return Err(bad("`id` is missing".to_owned())),
            Some(id @ (Value::String(_) | Value::Number(_))) => id.to_canonical(),
            Some(_) => return Err(bad("`id` is neither a string nor a number".to_owned())),
        };
        Self::read(&mut members, &id).map_err(|error| BadLine { id: Some(id), error })
    }

    fn read(members: &mut Object, id: &str) -> Result<Self, String> {
        if let Some((unknown, _)) = members.iter().find(|(name, _)| !MEMBERS.contains(name)) {
            let name: String = visible(unknown).chars().take(80).collect();
            return Err(format!("a line has no member `{name}`"));
        }
        let scope = match members.remove("scope") {
            None => None,
            Some(scope @ Value::Object(_)) => Some(scope.to_canonical()),
            Some(_) => return Err("`scope` is no object".to_owned()),
        };
        let directory = text(members, "cwd")?;
        if directory.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err("`cwd` is no absolute path".to_owned());
        }
        let proposal = proposal(members)?;
        Ok(Self { id: id.to_owned(), proposal, scope, directory })
    }
}

fn proposal(members: &mut Object) -> Result<Proposal, String> {
    let named = ["action", "shell", "tool"].map(|name| members.get(name).is_some());
    if named.iter().filter(|named| **named).count() != 1 {
        return Err("a line has one of `shell`, `tool` and `action`".to_owned());
    }
    let stray = ["arguments", "server"].into_iter().find(|name| members.get(name).is_some());
    if let (Some(name), None) = (stray, members.get("tool")) {
        return Err(format!("`{name}` belongs to a `tool`"));
    }
    if let Some(action) = members.get("action") {
        return from_value(action).map(Proposal::Action).map_err(|error| error.to_string());
    }
    if let Some(line) = text(members, "shell")? {
        return Ok(Proposal::Shell(line));
    }
    let server = text(members, "server")?;
    let tool = text(members, "tool")?.unwrap_or_default();
    // MCP leaves out the arguments of a call that has none.
    let arguments = members.remove("arguments").unwrap_or_else(|| Object::new().into());
    Ok(Proposal::Tool { server, tool, arguments })
}

/// Takes a member that is a string, where it is there.
fn text(members: &mut Object, name: &str) -> Result<Option<String>, String> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` is no string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<&str, (Option<&str>, &str)>) {
        let found = Case::parse(line.as_bytes()).map(|case| match case.proposal {
            Proposal::Shell(line) => format!("shell {line}"),
            Proposal::Tool { server, tool, arguments } => {
                format!("tool {}/{tool} {arguments}", server.unwrap_or_default())
            }
            Proposal::Action(action) => format!("{} {}", action.kind(), action.describe()),
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{line}"),
            (Err(bad), Err((id, error))) => {
                assert_eq!(bad.id.as_deref(), id, "{line}");
                assert!(bad.error.contains(error), "{line}: {}", bad.error);
            }
            (found, _) => panic!("{line}: {found:?}"),
        }
    }

    #[test]
    fn every_shape_is_read() {
        check(r#"{"id": "a", "shell": "ls -l"}"#, Ok("shell ls -l"));
        check(r#"{"id": 7, "shell": "", "cwd": "/srv", "scope": {}}"#, Ok("shell "));
        check(r#"{"id": "a", "tool": "t"}"#, Ok("tool /t {}"));
        check(
            r#"{"id": "a", "tool": "t", "server": "s", "arguments": {"b": 1}}"#,
            Ok(r#"tool s/t {"b":1}"#),
        );
        check(
            r#"{"id": "a", "action": {"kind": "ChangePrivilege", "privilege": "root"}}"#,
            Ok(r#"ChangePrivilege {"privilege":"root"}"#),
        );
    }

    #[test]
    fn a_bad_line_keeps_its_id_where_it_has_one() {
        check("", Err((None, "no JSON object")));
        check("ls", Err((None, "no JSON object")));
        check("[]", Err((None, "no JSON object")));
        check(r#"{"id": "a", "shell": "b"} x"#, Err((None, "no JSON object")));
        check(r#"{"id": "a", "id": "b", "shell": "c"}"#, Err((None, "duplicate key")));
        check(r#"{"id": "a", "shell": "b", "sh\u0065ll": "c"}"#, Err((None, "duplicate key")));
        check(r#"{"shell": "b"}"#, Err((None, "`id` is missing")));
        check(r#"{"id": null, "shell": "b"}"#, Err((None, "`id` is neither")));
        check(r#"{"id": "a"}"#, Err((Some("\"a\""), "one of")));
        check(r#"{"id": 1.50, "shell": "b", "tool": "c"}"#, Err((Some("1.5"), "one of")));
        check(r#"{"id": "a", "shell": 1}"#, Err((Some("\"a\""), "`shell` is no string")));
        check(r#"{"id": "a", "shell": "b", "Shell": "c"}"#, Err((Some("\"a\""), "`Shell`")));
        check(r#"{"id": "a", "shell": "b", "arguments": {}}"#, Err((Some("\"a\""), "`arguments`")));
        check(r#"{"id": "a", "shell": "b", "server": "s"}"#, Err((Some("\"a\""), "`server`")));
        check(r#"{"id": "a", "shell": "b", "cwd": "srv"}"#, Err((Some("\"a\""), "`cwd`")));
        check(r#"{"id": "a", "shell": "b", "scope": "c"}"#, Err((Some("\"a\""), "`scope`")));
        check(
            r#"{"id": "a", "action": {"kind": "Connect", "host": "h"}}"#,
            Err((Some("\"a\""), "member `port`")),
        );
    }

    #[test]
    fn invisible_names_are_shown_escaped() {
        check(r#"{"id": "a", "sh\u202eell": "b"}"#, Err((Some("\"a\""), "`sh\\u{202e}ell`")));
    }
}
