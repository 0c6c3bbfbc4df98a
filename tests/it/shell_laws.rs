//! Laws of lines of shell, over lines that a grammar makes, seeds, and the collections beside the
//! repository.
//!
//! What the laws are stands in `countersign::testing::fuzzing`: whatever is put around a line, in front
//! of it, behind it, or into its quotes, never removes an effect.

use std::panic::{AssertUnwindSafe, catch_unwind};

use countersign::action::path::PurePaths;
use countersign::authorizer::{Evaluator, Severity, Trial};
use countersign::shell::{Shell, ShellEnv};
use countersign::testing::{self, fuzzing};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::support::corpora;

/// Checks every law on a line, and says which line broke one.
fn check(line: &str) -> Result<(), TestCaseError> {
    let held = catch_unwind(AssertUnwindSafe(|| {
        fuzzing::shell(line.as_bytes());
        fuzzing::shell_parse(line.as_bytes());
    }));
    held.map_err(|_| TestCaseError::fail(format!("a law is broken on {line:?}")))
}

fn run(cases: u32, lines: impl Strategy<Value = String>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&lines, |line| check(&line)).unwrap();
}

#[test]
fn nothing_around_a_line_hides_an_effect() {
    run(200, lines());
}

#[test]
fn nothing_around_one_command_hides_an_effect() {
    run(200, commands());
}

#[test]
fn the_laws_hold_for_any_text() {
    run(200, any::<String>());
    run(200, prop::collection::vec(select(PIECES), 0..24).prop_map(|pieces| pieces.concat()));
    let bytes = prop::collection::vec(any::<u8>(), 0..64);
    run(100, bytes.prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
}

#[test]
fn the_laws_hold_for_lines_that_are_cut_and_joined() {
    let cut = (select(SEEDS), any::<prop::sample::Index>(), select(SEEDS), select(PIECES));
    run(
        200,
        cut.prop_map(|(one, at, other, piece)| {
            let at = at.index(one.chars().count() + 1);
            let kept: String = one.chars().take(at).collect();
            format!("{kept}{piece}{other}")
        }),
    );
}

#[test]
fn the_laws_hold_for_the_seeds() {
    let broken: Vec<&&str> = SEEDS.iter().filter(|line| check(line).is_err()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_laws_hold_for_recorded_lines() {
    let mut broken = Vec::new();
    // Every one of the grammar; of the others, enough to see each kind of command.
    for (file, every) in
        [("syntax.jsonl", 1), ("bypasses.jsonl", 1), ("attacks.jsonl", 4), ("benign.jsonl", 20)]
    {
        for (id, line) in corpora::lines(file).iter().step_by(every) {
            let parsed = catch_unwind(|| fuzzing::shell_parse(line.as_bytes()));
            // A long line in twenty wrappings takes long where nothing is optimised.
            let held = line.len() > 400 || check(line).is_ok();
            if parsed.is_err() || !held {
                broken.push(format!("{id}: {line:?}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_narrower_scope_never_allows_more() {
    let evaluator = Evaluator::new(&testing::baseline(), testing::clock())
        .with_paths(PurePaths::new())
        .remembering();
    let parts = (
        subsequence(PROGRAMS.to_vec(), 0..=PROGRAMS.len()),
        subsequence(PATHS.to_vec(), 0..=PATHS.len()),
        any::<[bool; 4]>(),
    );
    let wide = trial(&evaluator, PROGRAMS, PATHS, [true; 4]);
    let env = ShellEnv::bash("/srv/web").with_plain_names();
    let lines = prop::collection::vec(lines(), 8);
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&(parts, lines), |((programs, paths, grants), lines)| {
            let narrow = trial(&evaluator, &programs, &paths, grants);
            for line in SEEDS.iter().copied().chain(lines.iter().map(String::as_str)) {
                let line = Shell::parse(line, &env);
                let [narrow, wide] = [&narrow, &wide].map(|trial| trial.judge(&line).severity());
                prop_assert!(
                    narrow != Severity::Allow || wide == Severity::Allow,
                    "{:?} is allowed by the narrower scope alone",
                    line.line()
                );
            }
            Ok(())
        })
        .unwrap();
}

fn trial(evaluator: &Evaluator, programs: &[&str], paths: &[&str], grants: [bool; 4]) -> Trial {
    let [write, delete, code, network] = grants;
    let only = |granted: bool| if granted { paths } else { &[] };
    let reach = match network {
        true => json!({"connect": ["*.example.org:*"], "packages": ["*:**"]}),
        false => json!({}),
    };
    let scope = json!({
        "scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
        "agent": "spiffe://example.org/agent/coder", "not_before": "2026-11-21T08:00:00Z",
        "expires": "2026-11-21T10:00:00Z", "workspace": "/srv/web",
        "do": {"programs": programs, "workspace_code": code},
        "touch": {"read": paths, "write": only(write), "delete": only(delete)},
        "reach": reach,
    });
    let scope = testing::trusted(&scope.to_string()).unwrap();
    evaluator.prepare(&scope, &testing::agent()).unwrap()
}

// Lines.

/// Words, quoted in some way, some of them expanded.
fn words() -> impl Strategy<Value = String> {
    let plain = || select(WORDS).prop_map(str::to_owned);
    prop_oneof![
        6 => plain(),
        1 => plain().prop_map(|word| format!("'{word}'")),
        1 => plain().prop_map(|word| format!("\"{word}\"")),
        1 => plain().prop_map(|word| format!("$'{word}'")),
        2 => select(DYNAMIC).prop_map(str::to_owned),
        1 => (plain(), select(DYNAMIC)).prop_map(|(word, open)| format!("{word}{open}")),
    ]
}

/// One simple command, perhaps with variables, redirections and a document.
fn commands() -> impl Strategy<Value = String> {
    let arguments = prop::collection::vec(words(), 0..4).prop_map(|words| words.join(" "));
    let known =
        (select(PROGRAMS), arguments).prop_map(|(name, words)| format!("{name} {words}")).boxed();
    prop_oneof![
        4 => known.clone(),
        4 => select(SEEDS).prop_map(str::to_owned),
        1 => (select(BEFORE), known.clone()).prop_map(|(before, known)| format!("{before} {known}")),
        1 => (known.clone(), select(BEHIND)).prop_map(|(known, behind)| format!("{known} {behind}")),
        1 => known.prop_map(|known| format!("{known} << E\na $x $(id)\nE\n")),
    ]
}

/// Commands in one another and behind one another.
fn lines() -> impl Strategy<Value = String> {
    commands().prop_recursive(4, 12, 3, |inner| {
        let two = (inner.clone(), select(JOINS), inner.clone());
        prop_oneof![
            4 => two.prop_map(|(one, join, other)| format!("{one}{join}{other}")),
            1 => inner.clone().prop_map(|line| format!("( {line}\n)")),
            1 => inner.clone().prop_map(|line| format!("{{ {line}\n}}")),
            1 => inner.clone().prop_map(|line| format!("x=$( {line}\n)")),
            1 => inner.clone().prop_map(|line| format!("echo \"a`true`$( {line}\n)\"")),
            1 => inner.clone().prop_map(|line| format!("if true; then {line}\nelse cd src; fi")),
            1 => inner.clone().prop_map(|line| format!("for f in a *.c; do {line}\ndone")),
            1 => inner.clone().prop_map(|line| format!("while read x; do {line}\ndone < list")),
            1 => inner.clone().prop_map(|line| format!("f() {{ {line}\n}}; f a; x=b; f")),
            1 => inner.clone().prop_map(|line| format!("case $x in a|b) {line}\n;; *) f;; esac")),
            1 => inner.prop_map(|line| format!("bash -c '{}'", line.replace('\'', r"'\''"))),
        ]
    })
}

const PROGRAMS: &[&str] = &[
    "awk", "bash", "cat", "cd", "chmod", "cp", "curl", "echo", "env", "export", "find", "git",
    "grep", "head", "ln", "ls", "make", "mkdir", "mv", "printf", "python3", "read", "rm", "sed",
    "set", "sort", "tar", "tee", "test", "timeout", "touch", "unset", "wc", "xargs", "zzz",
];

const PATHS: &[&str] = &["/srv/web/**", "/srv/web/src/**", "/tmp/**", "/etc/hosts", "/dev/null"];

const WORDS: &[&str] = &[
    "a",
    "-n",
    "-rf",
    "-o",
    "--",
    "-e",
    "-i",
    "-c",
    "--output=b",
    "src/a.c",
    "../b",
    "/etc/hosts",
    "/tmp/x",
    ".",
    "*.c",
    "{a,b}",
    "~",
    "~/x",
    "-exec",
    "rm",
    "{}",
    ";",
    "+",
    "-name",
    "-delete",
    "x=y",
    "https://git.example.org/a",
    "s/a/b/",
    "{print}",
    "origin",
    "status",
    "log",
    "-",
    "5",
    "1e3",
    "é",
];

const DYNAMIC: &[&str] = &[
    "$x", "\"$x\"", "${x:-b}", "$(id)", "`id`", "$((1+1))", "\"$@\"", "$PWD", "$HOME", "<(id)",
    "${x%.c}", "$?", "?", "[a-c]*",
];

const BEFORE: &[&str] = &[
    "x=a", "x=/etc", "LANG=C", "PATH=.", "x=$(id)", "> o", "2>&1", "!", "time", "sudo", "env",
    "nice",
];

const BEHIND: &[&str] = &[
    "> o",
    ">> /tmp/o",
    "< i",
    "2>&1",
    "2> /dev/null",
    "&> o",
    "<<< a",
    "> \"$x\"",
    "< /dev/tcp/a.example/80",
    ">| o",
    "| cat",
    "&",
    "# c",
    "<> f",
    "> >(cat)",
];

const JOINS: &[&str] = &["; ", " && ", " || ", " | ", " & ", "\n", " |& ", ";\n\n", " &&\n"];

const PIECES: &[&str] = &[
    "a", "cat", "rm", " ", "  ", "\n", "\t", ";", ";;", "&", "&&", "|", "||", "(", ")", "((", "))",
    "{", "}", "[[", "]]", "<", ">", ">>", "<<", "<<-", "<<<", ">&", "<&", "&>", ">|", "<(", ">(",
    "$", "$(", "${", "$((", "`", "'", "\"", "\\", "\\\n", "$'", "$\"", "#", "!", "*", "?", "[",
    "]", "~", "=", "+=", "x=", "if", "then", "else", "elif", "fi", "for", "in", "do", "done",
    "while", "case", "esac", "function", "f()", "select", "time", "coproc", "E", "E\n", "1", "2>",
    "{a,b}", "{1..3}", ":-", "%", "@", "é", "\u{200b}", "\r", "\0", "eval", "exec", "cd", "export",
];

const SEEDS: &[&str] = &[
    "cat a b",
    "cat -- -n",
    "cat < a > b",
    "rm -rf target",
    "rm -rf \"$x\"",
    "cd src && cat a",
    "cd src || exit; rm a",
    "cd .. ; rm -rf b",
    "x=/etc; cat $x/hosts",
    "x=a y=b cat $x",
    "export X=1; cat a",
    "for f in *.c; do cat \"$f\"; done",
    "for i in 1 2 3; do touch a$i; done",
    "while read -r x; do echo $x; done < a",
    "find . -name '*.c' | xargs wc -l",
    "find . -name '*.c' -exec rm {} +",
    "find src -type f -delete",
    "git status && git log -n 3",
    "git clone https://git.example.org/a b; cat b/x",
    "git -C src diff --output=o",
    "git push origin main",
    "ln -s /etc m; cat m/hosts",
    "tar -xzf a.tgz -C src; cat src/x",
    "sed -i 's/a/b/' a.c",
    "sed -n '1,5w o' a",
    "awk '{ print $1 > \"o\" }' a",
    "make -C src all",
    "cargo test 2>&1 | tail -20",
    "npm install left-pad",
    "pip install -r requirements.txt",
    "curl -sSL https://git.example.org/a -o b",
    "ssh -L 80:a:80 git.example.org",
    "nc -l 4444",
    "python3 -c 'print(1)'",
    "python3 src/a.py",
    "./run a",
    "src/run > o",
    "echo a > /dev/tcp/git.example.org/80",
    "cat link/../x",
    "cat > a << E\n$(id) $x\nE",
    "cat << 'E' | tee b\n$(id)\nE",
    "test -f a && rm a",
    "[ -d src ] || mkdir src",
    "[[ -f a && $x == b* ]] && rm a",
    "(cd src; make) & wait",
    "{ cat a; cat b; } > c",
    "f() { rm a; }; f",
    "f() { cd /tmp; }; f; cat a",
    "case $x in a) rm a;; b) rm b;& *) rm c;; esac",
    "if test a; then rm a; elif test b; then rm b; else rm c; fi",
    "until false; do rm a; break; done",
    "echo `rm a` $(rm b) \"$(rm c)\" <(rm d)",
    "echo ${x:-$(rm a)} ${x/a/`rm b`}",
    "printf '%s\\n' a | sort -u -o b",
    "kill -9 1",
    "docker run --gpus all -v /:/h image",
    "kubectl delete pod a",
    "sudo -u dana rm a",
    "env -i PATH=/bin cat a",
    "timeout 5 nice -n 3 cat a",
    "xargs rm < list",
    "tee a b > /dev/null",
    "unset HOME; cat ~/a",
    "pushd src; cat a; popd; cat b",
    "set -euo pipefail; cat a",
    "mv a b; cp -r c d; touch e",
    "dd if=a of=b bs=1",
    "rsync -a a/ b/",
    "chmod +x a; ./a",
    "exec cat a",
    "eval 'rm a'",
    "bash -c 'cd src; rm a'",
    "bash a.sh",
    "bash -lc 'cat a'",
    ". ./env.sh",
    "read x; cat \"$x\"",
    "CUDA_VISIBLE_DEVICES=0 python3 a.py",
    "trap 'rm a' EXIT",
    "ls -la | grep a | wc -l",
];
