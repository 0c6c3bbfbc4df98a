//! Every published way to get a command past a guard of a coding agent.
//!
//! The scope grants the programs that a line is meant to pass as, and the workspace, but no network
//! and nothing that is opaque; so the line must be denied for what it means. The classes are those of
//! published advisories, of which CVE-2025-66032 names most; the strings are this library's own. Those
//! that are written down stand in `tests/corpus/shell_bypasses.json`, those that are made, here.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use countersign::action::path::PurePaths;
use countersign::authorizer::{Evaluator, Severity};
use countersign::shell::{Shell, ShellEnv};
use countersign::testing;
use serde_json::{Value, json};

/// How many classes the collection holds at least.
const CLASSES: usize = 25;

#[test]
fn every_line_of_the_collection_is_denied_for_what_it_means() {
    let corpus: Value =
        serde_json::from_str(include_str!("../corpus/shell_bypasses.json")).unwrap();
    let (mut classes, mut wrong) = (BTreeSet::new(), Vec::new());
    for group in corpus.as_array().unwrap() {
        let class = group["class"].as_str().unwrap();
        classes.insert(class);
        let granted = group["granted"].as_str().unwrap();
        let code = group["workspace_code"] == true;
        for line in group["lines"].as_array().unwrap() {
            let line = line.as_str().unwrap();
            let (severity, reasons) = judge(granted, code, line);
            // A group without a reason is what bash does not take for a command.
            let right = match group["reason"].as_str() {
                Some(reason) => severity == Severity::Deny && reasons.contains(&reason),
                None => severity == Severity::Allow,
            };
            if !right {
                wrong.push(format!("{class}: {line:?} is {severity:?} for {reasons:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(classes.len() >= CLASSES, "{} classes", classes.len());
}

#[test]
fn a_command_behind_a_granted_one() {
    for join in [";", "; ", " && ", " || ", "|", " | ", "&", " & ", "\n", "|&", " &&\n", "\t;\t"] {
        denied("scope.program", "echo", &format!("echo a{join}touch x"));
        denied("scope.program", "echo", &format!("touch x{join}echo a"));
    }
}

#[test]
fn more_commands_than_anyone_reads() {
    let chained = |count: usize| format!("{}touch x", "true && ".repeat(count));
    // One product asked no more past fifty.
    for count in [1, 49, 50, 51, 200, 255] {
        denied("scope.program", "true", &chained(count));
    }
    for count in [256, 300, 5000, 20_000] {
        denied("shell.too_large", "true touch", &chained(count));
    }
    denied("shell.too_large", "echo id", &format!("echo {} $(id)", "a ".repeat(5000)));
}

#[test]
fn a_wrapper_around_the_command() {
    for wrapper in WRAPPERS {
        let granted = wrapper.replace("/usr/bin/", "");
        let (severity, reasons) = judge(&granted, false, &format!("{wrapper} touch x"));
        assert_eq!(severity, Severity::Deny, "{wrapper}: {reasons:?}");
    }
}

#[test]
fn a_poisoned_environment() {
    for name in VARIABLES {
        for line in [
            format!("{name}=./x git log"),
            format!("export {name}=./x; git log"),
            format!("declare -x {name}=./x; git log"),
            format!("env {name}=./x git log"),
        ] {
            denied("shell.environment", "git env export declare", &line);
        }
    }
    let code = json!(["BASH_FUNC_ls%%=x git log", "env 'BASH_FUNC_ls%%=() { id; }' git log"]);
    for line in code.as_array().unwrap() {
        let (severity, reasons) = judge("git env", false, line.as_str().unwrap());
        assert_eq!(severity, Severity::Deny, "{line}: {reasons:?}");
    }
}

#[test]
fn a_carriage_return_or_another_control_byte() {
    for byte in ['\r', '\u{b}', '\u{c}', '\u{1b}', '\u{8}', '\u{0}', '\u{7f}', '\u{1}'] {
        for line in [
            format!("echo a{byte}touch x"),
            format!("echo '{byte}'"),
            format!("#{byte}\necho"),
            format!("{byte}echo a"),
        ] {
            denied("shell.invisible_character", "echo touch", &line);
        }
    }
}

#[test]
fn metacharacters_in_what_was_meant_as_one_argument() {
    // What a tool that pastes an argument into a line would run.
    for argument in
        ["a; touch x", "$(touch x)", "`touch x`", "a|touch x", "a&touch x", "a\ntouch x"]
    {
        denied("scope.program", "grep", &format!("grep {argument} b"));
    }
    for argument in ["'; touch x; '", "'\ntouch x\n'", "'$(touch x)'", "'|touch x|'"] {
        denied("scope.program", "grep", &format!("grep 'a{argument}b' c"));
    }
    for argument in ["\"; touch x; \"", "$(touch x)", "`touch x`", "${x:-$(touch x)}"] {
        denied("scope.program", "grep", &format!("grep \"a{argument}b\" c"));
    }
}

/// Asserts that `line` is denied for `reason` although `granted`, names with blanks between, may be run.
#[track_caller]
fn denied(reason: &str, granted: &str, line: &str) {
    let (severity, reasons) = judge(granted, false, line);
    assert_eq!(severity, Severity::Deny, "{line:?}");
    assert!(reasons.contains(&reason), "{line:?}: {reasons:?}");
}

fn judge(granted: &str, workspace_code: bool, line: &str) -> (Severity, Vec<&'static str>) {
    static EVALUATOR: LazyLock<Evaluator> = LazyLock::new(|| {
        Evaluator::new(&testing::baseline(), testing::clock())
            .with_paths(PurePaths::new())
            .remembering()
    });
    let names = granted.split_whitespace();
    let programs: BTreeSet<&str> = names.filter(|name| !name.contains(['=', '-'])).collect();
    let tree = ["/srv/web/**"];
    let scope = json!({
        "scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
        "agent": "spiffe://example.org/agent/coder", "not_before": "2026-11-21T08:00:00Z",
        "expires": "2026-11-21T10:00:00Z", "workspace": "/srv/web",
        "do": {"programs": programs, "workspace_code": workspace_code},
        "touch": {
            "read": tree, "delete": tree,
            "write": ["/srv/web/**", "!/srv/web/.git/hooks/**", "!/srv/web/.git/config"],
        },
    });
    let scope = testing::trusted(&scope.to_string()).unwrap();
    let trial = EVALUATOR.prepare(&scope, &testing::agent()).unwrap();
    let judged = trial.judge(&Shell::parse(line, &ShellEnv::bash("/srv/web")));
    (judged.severity(), judged.reasons().iter().map(|reason| reason.code()).collect())
}

const WRAPPERS: [&str; 45] = [
    "env",
    "env A=b",
    "env -u A",
    "env -i",
    "/usr/bin/env",
    "timeout 5",
    "timeout -k 1 5",
    "nice",
    "nice -n 5",
    "nice -5",
    "nohup",
    "stdbuf -oL",
    "setsid",
    "time",
    "time -p",
    "command",
    "command command",
    "builtin command",
    "exec",
    "busybox",
    "xargs",
    "ionice -c 3",
    "chrt 1",
    "taskset 1",
    "flock a",
    "watch",
    "strace",
    "ltrace",
    "script -c",
    "unshare",
    "parallel",
    "env env timeout 5 nice",
    "sudo -u dana",
    "sudo",
    "doas",
    "su -c",
    "chroot .",
    "setarch x86_64",
    "catchsegv",
    "unbuffer",
    "firejail",
    "proot",
    "fakeroot",
    "nsenter",
    "systemd-run",
];

const VARIABLES: [&str; 40] = [
    "BASH_ENV",
    "BROWSER",
    "CC",
    "CDPATH",
    "DYLD_INSERT_LIBRARIES",
    "EDITOR",
    "ENV",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_DIR",
    "GIT_EDITOR",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_SSH_COMMAND",
    "GIT_TEMPLATE_DIR",
    "GREP_OPTIONS",
    "HOME",
    "HTTPS_PROXY",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LESSOPEN",
    "MAKEFLAGS",
    "MANPAGER",
    "NODE_OPTIONS",
    "PAGER",
    "PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PROMPT_COMMAND",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RIPGREP_CONFIG_PATH",
    "RUBYOPT",
    "RUSTC_WRAPPER",
    "TAR_OPTIONS",
    "VISUAL",
    "XDG_CONFIG_HOME",
];
