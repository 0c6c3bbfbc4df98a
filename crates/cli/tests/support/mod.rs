//! A folder of files for one test, and the command run on them.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use countersign::value::{Limits, Value};

/// A time at which the scope holds.
pub(crate) const NOW: &str = "2026-11-21T09:00:00Z";

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Files of one test, removed with it.
#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
    scope: String,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self::with_times("2026-11-21T08:00:00Z", "2026-11-21T11:00:00Z")
    }

    pub(crate) fn with_times(begins: &str, ends: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cli-{}-{next}", std::process::id());
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&root).unwrap();
        let scope = SCOPE.replace("BEGINS", begins).replace("ENDS", ends);
        let files = Self { root, scope: scope.clone() };
        files.write("scope.json", &scope);
        files.write("tools.json", TOOLS);
        files
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.root.join(name), text).unwrap();
        self.path(name)
    }

    pub(crate) fn folder(&self, name: &str) -> String {
        std::fs::create_dir_all(self.root.join(name)).unwrap();
        let path = std::fs::canonicalize(self.root.join(name)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.root.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn scope(&self) -> String {
        self.path("scope.json")
    }

    pub(crate) fn scope_text(&self) -> String {
        self.scope.replace('\n', " ")
    }

    pub(crate) fn tools(&self) -> String {
        self.path("tools.json")
    }

    pub(crate) fn bundle(&self) -> String {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/baseline").to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// The command with these arguments, all streams piped.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `evaluate` with the baseline bundle at [`NOW`].
pub(crate) fn evaluate(files: &Files) -> Command {
    command(&["evaluate", "--bundle", &files.bundle(), "--now", NOW])
}

/// Runs a command on `input`, written beside reading what comes out.
pub(crate) fn run(command: &mut Command, input: &str) -> Ran {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that ends early leaves a part unread, which is no fault of the test.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        code: out.status.code().unwrap(),
        stdout: String::from_utf8(out.stdout).unwrap(),
        stderr: String::from_utf8(out.stderr).unwrap(),
    }
}

/// Parses every line.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'));
    let limits = Limits { max_bytes: 8 << 20, ..Limits::DOCUMENT };
    text.lines().map(|line| Value::parse(line.as_bytes(), &limits).unwrap()).collect()
}

/// Returns a member that must be there.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.as_object().unwrap().get(name).unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

/// Returns a list of strings.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

const SCOPE: &str = r#"{
  "scope": "countersign/scope/v1", "task": "fix-login", "owner": "user:dana@example.org",
  "agent": "spiffe://example.org/agent/coder", "not_before": "BEGINS", "expires": "ENDS",
  "workspace": "/srv/web",
  "do": { "programs": ["git"],
          "tools": [{ "name": "create_ticket", "args": {
            "project": { "one_of": ["WEB"] }, "title": { "max_len": 20 } } }] },
  "touch": { "read": ["/srv/web/**", "table:crm.orders"], "write": ["/srv/web/**"] },
  "limits": { "actions": 5, "per_minute": 5, "denials": 2, "distinct_targets": 3 }
}"#;

const TOOLS: &str = r#"{ "tools": [
  { "name": "create_ticket", "description": "Creates a ticket",
    "inputSchema": { "type": "object", "required": ["project", "title"], "properties": {
      "project": { "type": "string" }, "title": { "type": "string" } } } } ] }"#;
