//! `countersign explain`, as a program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets what it did not expect panics"
)]

mod support;

use self::support::{Files, NOW, command, lines, member, run, texts};

fn explain(files: &Files, more: &[&str]) -> support::Ran {
    let mut command = command(&["explain", "--bundle", &files.bundle()]);
    run(command.args(["--scope", &files.scope(), "--now", NOW]).args(more), "")
}

#[test]
fn a_line_is_explained_to_a_person() {
    let files = Files::new();
    let out = explain(&files, &["ls -l"]);
    assert_eq!((out.code, out.stderr.as_str()), (0, ""));
    let rows: Vec<&str> = out.stdout.lines().collect();
    assert!(rows[0].starts_with("deny: "), "{}", out.stdout);
    assert!(rows.iter().any(|row| row.trim() == "ls -l"), "{}", out.stdout);
    assert!(rows.iter().any(|row| row.trim().starts_with('^')), "{}", out.stdout);
    assert!(rows.iter().any(|row| row.contains("to allow it: ")), "{}", out.stdout);
}

#[test]
fn hidden_characters_are_shown() {
    let files = Files::new();
    let out = explain(&files, &["echo \u{202e}a\u{1b}[2J\nb"]);
    assert_eq!(out.code, 0);
    assert!(out.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", out.stdout);
    assert!(!out.stdout.contains('\u{202e}') && out.stdout.contains("\\u{202e}"));
}

#[test]
fn a_program_may_read_it_too() {
    let files = Files::new();
    let out = explain(&files, &["--json", "ls -l"]);
    assert_eq!((out.code, out.stderr.as_str()), (0, ""));
    let answer = &lines(&out.stdout)[0];
    assert_eq!(member(answer, "line").as_str(), Some("ls -l"));
    assert_eq!(member(answer, "decision").as_str(), Some("deny"));
    assert!(!texts(member(answer, "reasons")).is_empty());
    for effect in member(answer, "effects").as_array().unwrap() {
        for name in ["span", "rule", "policies", "quorums", "change", "kind", "domain", "target"] {
            member(effect, name);
        }
    }
}

#[test]
fn a_line_may_begin_with_a_dash() {
    let files = Files::new();
    assert_eq!(explain(&files, &["-la"]).code, 0);
    assert_eq!(explain(&files, &["--", "--json"]).code, 0);
}

#[test]
fn errors_are_told() {
    let files = Files::new();
    let out = run(&mut command(&["explain", "--bundle", &files.bundle(), "ls"]), "");
    assert_eq!((out.code, out.stdout.as_str()), (1, ""));
    assert!(out.stderr.contains("--scope"));
    let out = explain(&files, &[]);
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("LINE"));
}
