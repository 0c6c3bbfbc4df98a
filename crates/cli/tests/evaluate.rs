//! `countersign evaluate`, as a program: what goes in, what comes out, how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets what it did not expect panics"
)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use countersign::value::Value;

use self::support::{Files, NOW, command, evaluate, lines, member, run, texts};

#[test]
fn every_shape_of_line_is_answered_in_order() {
    let files = Files::new();
    let input = [
        r#"{"id": "read", "action": {"kind": "ReadData", "data": {"file": "src/main.rs"}}}"#,
        r#"{"id": 2, "action": {"kind": "Connect", "host": "198.51.100.7", "port": 22}}"#,
        r#"{"id": "shell", "shell": "ls -l", "cwd": "/srv/web"}"#,
        r#"{"id": "tool", "tool": "create_ticket", "arguments": {"project": "WEB", "title": "t"}}"#,
        r#"{"id": "server", "server": "other", "tool": "create_ticket", "arguments": {}}"#,
        r#"{"id": "unknown", "tool": "drop_table"}"#,
        r#"{"id": "nested", "action": {"kind": "ReadData", "action": {"data": {"table": "crm.orders"}}}}"#,
    ];
    let out = run(
        evaluate(&files)
            .args(["--scope", &files.scope()])
            .args(["--tools", &format!("tracker={}", files.tools())]),
        &input.join("\n"),
    );
    assert_eq!((out.code, out.stderr.as_str()), (0, ""));
    let answers = lines(&out.stdout);
    let seen: Vec<(String, &str, Vec<&str>)> = answers
        .iter()
        .map(|answer| {
            let id = member(answer, "id").to_canonical();
            (id, member(answer, "decision").as_str().unwrap(), texts(member(answer, "reasons")))
        })
        .collect();
    let expect =
        |id: &str, decision, reasons: &[&'static str]| (id.to_owned(), decision, reasons.to_vec());
    assert_eq!(seen[0], expect("\"read\"", "allow", &[]));
    assert_eq!(seen[1], expect("2", "deny", &["scope.connect"]));
    assert_eq!((seen[2].0.as_str(), seen[2].1), ("\"shell\"", "deny"));
    assert_eq!(seen[3].0, "\"tool\"");
    assert!(!seen[3].2.contains(&"tool.unregistered"), "{:?}", seen[3]);
    assert_eq!(seen[4], expect("\"server\"", "deny", &["tool.unregistered"]));
    assert_eq!(seen[5], expect("\"unknown\"", "deny", &["tool.unregistered"]));
    assert_eq!(seen[6], expect("\"nested\"", "allow", &[]));
    assert_eq!(seen.len(), input.len());
}

#[test]
fn an_answer_has_the_members_that_are_documented() {
    let files = Files::new();
    let input = r#"{"id": "a", "action": {"kind": "Connect", "host": "198.51.100.7", "port": 22}}"#;
    let out = run(evaluate(&files).args(["--scope", &files.scope()]), input);
    assert_eq!(
        out.stdout,
        concat!(
            r#"{"id":"a","decision":"deny","reasons":["scope.connect"],"policies":[],"effects":["#,
            r#"{"decision":"deny","reason":"scope.connect","domain":"infrastructure","facts":{"#,
            r#""address":{"ip":"198.51.100.7"},"host":"198.51.100.7","port":22,"transport":"tcp","#,
            r#""zone":"special"},"kind":"Connect","reversibility":"compensable","target":{"#,
            r#""address":"198.51.100.7","id":"198.51.100.7:22","#,
            r#""type":"Endpoint"},"usage":{"egress_bytes":"channel"}}]}"#,
            "\n"
        )
    );
    let input = r#"{"id": "a", "action": {"kind": "ReadData", "data": {"file": "a"}}}"#;
    let out = run(evaluate(&files).args(["--scope", &files.scope()]), input);
    let answer = &lines(&out.stdout)[0];
    assert!(!texts(member(answer, "policies")).is_empty());
    let effect = &member(answer, "effects").as_array().unwrap()[0];
    assert!(member(effect, "reason").is_null());
    assert_eq!(member(effect, "decision").as_str(), Some("allow"));
}

#[test]
fn a_bad_line_is_answered_with_an_error_and_the_others_still() {
    let files = Files::new();
    let good = r#"{"id": "good", "action": {"kind": "ReadData", "data": {"file": "a"}}}"#;
    let bad = [
        ("", "null"),
        ("ls -l", "null"),
        ("[]", "null"),
        (r#"{"id": "a", "id": "b", "shell": "c"}"#, "null"),
        (r#"{"id": "a", "shell": "b", "shell": "c"}"#, "null"),
        (r#"{"shell": "ls"}"#, "null"),
        (r#"{"id": true, "shell": "ls"}"#, "null"),
        (r#"{"id": "a", "shell": "b", "tool": "c"}"#, "\"a\""),
        (r#"{"id": "a"}"#, "\"a\""),
        (r#"{"id": "a", "shell": "b", "extra": 1}"#, "\"a\""),
        (r#"{"id": "a", "shell": ["ls"]}"#, "\"a\""),
        (r#"{"id": "a", "shell": "ls", "scope": {}}"#, "\"a\""),
        (r#"{"id": "a", "shell": "ls", "scope": {"scope": "countersign/scope/v9"}}"#, "\"a\""),
        (r#"{"id": "a", "action": {"kind": "Fly"}}"#, "\"a\""),
        (r#"{"id": "a", "action": {"kind": "Connect", "host": "h", "prot": 1}}"#, "\"a\""),
        ("{\"id\": \"a\", \"shell\": \"\u{0}\"}", "null"),
    ];
    let mut input = String::new();
    for (line, _) in bad {
        input.push_str(&format!("{good}\n{line}\n"));
    }
    let out = run(evaluate(&files).args(["--scope", &files.scope()]), &input);
    assert_eq!((out.code, out.stderr.as_str()), (2, ""));
    let answers = lines(&out.stdout);
    assert_eq!(answers.len(), bad.len() * 2);
    for ((line, id), pair) in bad.iter().zip(answers.chunks(2)) {
        assert_eq!(member(&pair[0], "decision").as_str(), Some("allow"), "{line}");
        assert_eq!(member(&pair[1], "id").to_canonical(), *id, "{line}");
        assert!(!member(&pair[1], "error").as_str().unwrap().is_empty(), "{line}");
        assert_eq!(pair[1].as_object().unwrap().len(), 2, "{line}");
    }
}

#[test]
fn bytes_that_are_no_text_are_a_bad_line() {
    let files = Files::new();
    let mut child = evaluate(&files).args(["--scope", &files.scope()]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"id\": \"a\", \"shell\": \"\xff\"}\n\xff\xfe\n").unwrap();
    drop(input);
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(lines(&text).len(), 2);
    assert!(text.contains("invalid UTF-8"));
}

#[test]
fn a_long_line_is_skipped() {
    let files = Files::new();
    let line = |length: usize| {
        let (start, end) = (r#"{"id": "a", "shell": ""#, "\"}");
        format!("{start}{}{end}", "x".repeat(length - start.len() - end.len()))
    };
    let most = 1 << 20;
    let input = format!("{}\n{}\n{}\n", line(most + 1), line(most), line(4 * most));
    let out = run(evaluate(&files).args(["--scope", &files.scope()]), &input);
    assert_eq!(out.code, 2);
    let answers = lines(&out.stdout);
    assert_eq!(answers.len(), 3);
    for at in [0, 2] {
        assert!(member(&answers[at], "id").is_null());
        assert_eq!(
            member(&answers[at], "error").as_str(),
            Some("the line is longer than 1048576 bytes")
        );
    }
    assert_eq!(member(&answers[1], "decision").as_str(), Some("deny"));
}

#[test]
fn time_decides() {
    let files = Files::new();
    let input = r#"{"id": "a", "action": {"kind": "ReadData", "data": {"file": "a"}}}"#;
    let check = |now: Option<&str>, expected: &[&str]| {
        let mut command = command(&["evaluate", "--bundle", &files.bundle()]);
        command.args(["--scope", &files.scope()]);
        if let Some(now) = now {
            command.args(["--now", now]);
        }
        let out = run(&mut command, input);
        assert_eq!(out.code, 0, "{}", out.stderr);
        assert_eq!(texts(member(&lines(&out.stdout)[0], "reasons")), expected, "{now:?}");
    };
    check(Some(NOW), &[]);
    check(Some("2026-11-21T07:59:59.999Z"), &["session.not_yet_valid"]);
    check(Some("2026-11-21T08:00:00Z"), &[]);
    check(Some("2026-11-21T12:59:59+02:00"), &[]);
    check(Some("2026-11-21T11:00:00Z"), &["session.expired"]);
    // The clock of this machine is years away from the scope of this test, or will be.
    let yesterday = Files::with_times("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z");
    let mut command = command(&["evaluate", "--bundle", &yesterday.bundle()]);
    let out = run(command.args(["--scope", &yesterday.scope()]), input);
    assert_eq!(texts(member(&lines(&out.stdout)[0], "reasons")), ["session.expired"]);
}

#[test]
fn a_line_may_bring_its_own_scope() {
    let files = Files::new();
    let action = r#""action": {"kind": "ReadData", "data": {"file": "/opt/data/a"}}"#;
    let scope = files.scope_text().replace("/srv/web", "/opt/data");
    let wrong = scope.replace("\"expires\"", "\"expired\"");
    let input = [
        format!(r#"{{"id": 1, {action}}}"#),
        format!(r#"{{"id": 2, {action}, "scope": {scope}}}"#),
        format!(r#"{{"id": 3, {action}}}"#),
        format!(r#"{{"id": 4, {action}, "scope": {wrong}}}"#),
        format!(r#"{{"id": 5, {action}, "scope": {wrong}}}"#),
        format!(r#"{{"id": 6, {action}, "scope": {scope}}}"#),
    ];
    let seen = |out: &str| -> Vec<String> {
        let answers = lines(out);
        let decision = |answer: &Value| match answer.as_object().unwrap().get("decision") {
            Some(decision) => decision.as_str().unwrap().to_owned(),
            None => member(answer, "error").as_str().unwrap().to_owned(),
        };
        answers.iter().map(decision).collect()
    };
    let out = run(evaluate(&files).args(["--scope", &files.scope()]), &input.join("\n"));
    assert_eq!(out.code, 2);
    let missing = "scope field `expires` is refused: it is mandatory and absent";
    assert_eq!(seen(&out.stdout), ["deny", "allow", "deny", missing, missing, "allow"]);

    // Without a scope file, lines that bring none are bad.
    let out = run(&mut evaluate(&files), &input.join("\n"));
    let none = "there is no scope: give the line a `scope`, or the command `--scope`";
    assert_eq!(seen(&out.stdout), [none, "allow", none, missing, missing, "allow"]);
}

#[test]
fn nothing_is_carried_from_line_to_line() {
    let files = Files::new();
    // More calls, denials and targets than the limits of the scope allow one session.
    let mut input = String::new();
    for id in 0..400 {
        input.push_str(&format!(
            "{{\"id\": {id}, \"action\": {{\"kind\": \"Connect\", \"host\": \"h{id}.example.net\", \"port\": 1}}}}\n"
        ));
    }
    input.push_str(r#"{"id": "last", "action": {"kind": "ReadData", "data": {"file": "a"}}}"#);
    let out = run(evaluate(&files).args(["--scope", &files.scope()]), &input);
    let answers = lines(&out.stdout);
    assert_eq!(answers.len(), 401);
    assert!(
        answers[..400].iter().all(|answer| texts(member(answer, "reasons")) == ["scope.connect"])
    );
    assert_eq!(member(&answers[400], "decision").as_str(), Some("allow"));
}

#[test]
fn cases_may_come_from_a_file() {
    let files = Files::new();
    let cases = files.write("cases.ndjson", r#"{"id": "a", "shell": "ls"}"#);
    let out = run(evaluate(&files).args(["--scope", &files.scope(), "--cases", &cases]), "");
    assert_eq!((out.code, lines(&out.stdout).len()), (0, 1));
    let out = run(evaluate(&files).args(["--scope", &files.scope(), "--cases", "-"]), "");
    assert_eq!((out.code, out.stdout.as_str()), (0, ""));
}

#[test]
fn usage_bundle_and_scope_errors_are_told_apart_from_bad_lines() {
    let files = Files::new();
    let check = |arguments: &[&str], says: &str| {
        let out = run(&mut command(arguments), r#"{"id": "a", "shell": "ls"}"#);
        assert_eq!((out.code, out.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(out.stderr.contains(says), "{arguments:?}: {}", out.stderr);
    };
    let (bundle, scope) = (files.bundle(), files.scope());
    let broken = files.write("broken.json", r#"{"scope": "countersign/scope/v1"}"#);
    let huge = files.write("huge.json", &" ".repeat((1 << 20) + 1));
    check(&[], "Usage");
    check(&["evaluate"], "--bundle");
    check(&["judge"], "judge");
    check(&["evaluate", "--bundle", &bundle, "--frob"], "--frob");
    check(&["evaluate", "--bundle", &bundle, "--now", "yesterday"], "2026-11-21T09:00:00Z");
    check(&["evaluate", "--bundle", "/nonexistent"], "the bundle does not load: `/nonexistent`");
    check(
        &["evaluate", "--bundle", &bundle, "--scope", "/nonexistent"],
        "cannot read `/nonexistent`",
    );
    check(&["evaluate", "--bundle", &bundle, "--scope", &broken], "`task`");
    check(&["evaluate", "--bundle", &bundle, "--scope", &huge], "more than 1048576 bytes");
    check(&["evaluate", "--bundle", &bundle, "--tools", &broken], "the tools are refused");
    check(
        &["evaluate", "--bundle", &bundle, "--scope", &scope, "--cases", "/nonexistent"],
        "cannot read `/nonexistent`",
    );
    let out = run(&mut command(&["evaluate", "--help"]), "");
    assert_eq!((out.code, out.stderr.as_str()), (0, ""));
    assert!(out.stdout.contains("--real-paths"));
    assert_eq!(run(&mut command(&["--version"]), "").code, 0);
}

#[test]
fn a_tool_that_several_servers_offer_must_name_one() {
    let files = Files::new();
    let (one, two) = (format!("one={}", files.tools()), format!("two={}", files.tools()));
    let input = [
        r#"{"id": 1, "tool": "create_ticket"}"#,
        r#"{"id": 2, "tool": "create_ticket", "server": "two"}"#,
    ];
    let mut command = evaluate(&files);
    command.args(["--scope", &files.scope(), "--tools", &one, "--tools", &two]);
    let out = run(&mut command, &input.join("\n"));
    assert_eq!(out.code, 2);
    let answers = lines(&out.stdout);
    assert!(member(&answers[0], "error").as_str().unwrap().contains("more than one server"));
    assert_eq!(member(&answers[1], "decision").as_str(), Some("deny"));
}

#[test]
fn whoever_waits_for_an_answer_gets_it() {
    let files = Files::new();
    let mut child = evaluate(&files).args(["--scope", &files.scope()]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for id in 0..3 {
        input.write_all(format!("{{\"id\": {id}, \"shell\": \"ls\"}}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("{{\"id\":{id},")), "{answer}");
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let files = Files::new();
    let mut command = evaluate(&files);
    let mut child =
        command.args(["--scope", &files.scope()]).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let line = b"{\"id\": 1, \"shell\": \"ls\"}\n";
    input.write_all(line).unwrap();
    let mut first = [0; 1];
    output.read_exact(&mut first).unwrap();
    drop(output);
    // It goes on to write until it is told that nobody reads, and then its own input is closed.
    let told = (0..100_000).any(|_| input.write_all(line).is_err());
    drop(input);
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(told, "it has read everything");
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn links_are_followed_only_with_real_paths() {
    let files = Files::new();
    let workspace = files.folder("workspace");
    std::os::unix::fs::symlink("/etc", format!("{workspace}/link")).unwrap();
    let scope = files.scope_text().replace("/srv/web", &workspace);
    let scope = files.write("here.json", &scope);
    let input = r#"{"id": "a", "action": {"kind": "ReadData", "data": {"file": "link/passwd"}}}"#;
    let check = |more: &[&str], decision: &str| {
        let out = run(evaluate(&files).args(["--scope", &scope]).args(more), input);
        let answer = &lines(&out.stdout)[0];
        assert_eq!(member(answer, "decision").as_str(), Some(decision), "{more:?}");
    };
    check(&[], "allow");
    check(&["--real-paths"], "deny");
}
