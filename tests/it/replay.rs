//! Recorded calls, decided again from receipts, openings, bundle and scope.

use std::convert::Infallible;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use countersign::action::path::{Entry, PathError, PathResolver, PurePaths};
use countersign::action::{
    Connect, DataRef, Exec, ExportData, Pay, Provenance, ReadData, ToolCall, TriggerWorkflow,
};
use countersign::audit::replay::{
    Difference, OpeningFile, OpeningMap, Place, ReplayError, Replayed, Replayer, What,
};
use countersign::authorizer::Call;
use countersign::identity::SpiffeId;
use countersign::policy::Enforced;
use countersign::receipt::{Domain, IdentityKey, Kind, Line, MemorySink, Opening, Verifier};
use countersign::scope::{Scope, TrustedScope};
use countersign::testing::{self, TestClock, strategies};
use countersign::time::Timestamp;
use countersign::value::{Decimal, Limits, Value, from_slice};
use countersign::{Authorizer, Decision, Session, Sink};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::gate::{self, Bundle};

mod begin;
mod people;

#[allow(dead_code, reason = "the example looks at more of the data file")]
#[path = "../../examples/rome_replay/trace.rs"]
mod trace;

/// What is stored, and everything else that a replay needs.
struct Archive {
    sink: Arc<MemorySink>,
    replayer: Replayer,
}

impl Archive {
    fn openings(&self) -> OpeningMap {
        self.sink.openings().into_iter().collect()
    }

    /// Decides all calls again, which must come out the same.
    fn check(&self) -> u64 {
        let receipts = self.sink.to_ndjson();
        let report = self.replayer.replay(receipts.as_bytes(), self.openings()).report();
        assert!(report.is_same(), "{report}");
        report.calls
    }

    /// The lines of one call.
    fn call(&self, number: u64) -> Vec<Line> {
        let named = format!("\"call\":{number},\"call_decision\"");
        let receipts = self.sink.lines().into_iter().filter(|line| line.kind() == Kind::Receipt);
        receipts.filter(|line| line.as_str().contains(&named)).collect()
    }

    fn replay(&self, lines: &[Line]) -> Result<Replayed, ReplayError> {
        self.replayer.replay_call(lines, &self.sink.openings())
    }

    /// Replays call 1 after `change` has edited its lines, as somebody with the keys could.
    fn forged(&self, from: &str, to: &str) -> Result<Replayed, ReplayError> {
        let edit = |line: &Line| {
            let text = line.as_str().replace(from, to);
            assert_ne!(text, line.as_str(), "{from}");
            Line::parse(text).unwrap()
        };
        self.replay(&self.call(1).iter().map(edit).collect::<Vec<_>>())
    }
}

struct Setting {
    authorizer: Authorizer,
    clock: TestClock,
    archive: Archive,
}

impl Setting {
    fn new(bundle: &Enforced, scope: &Scope, paths: impl PathResolver + 'static) -> Self {
        let (sink, clock) = (Arc::new(MemorySink::new()), testing::clock());
        let authorizer = Authorizer::builder()
            .policy(bundle.clone())
            .identity(testing::identity_key())
            .sink(Sink::blocking(Arc::clone(&sink)))
            .with_clock(clock.clone())
            .with_entropy(testing::entropy())
            .with_paths(paths)
            .with_environment("test")
            .build()
            .unwrap();
        let replayer = Replayer::new(bundle).with_scope(scope);
        Self { authorizer, clock, archive: Archive { sink, replayer } }
    }

    fn open(&self, scope: &TrustedScope) -> Session {
        self.authorizer.open(scope, testing::agent()).unwrap()
    }
}

/// The baseline under the fixed scope.
fn baseline() -> (Setting, Session) {
    let scope = testing::scope();
    let setting = Setting::new(&testing::baseline(), scope.scope(), PurePaths::new());
    let session = setting.open(&scope);
    (setting, session)
}

/// A bundle that permits everything, with a tool, under a scope that grants nearly everything.
fn wide(policies: &str) -> (Setting, Session) {
    let bundle = Bundle::but(policies)
        .with_tool("t", r#"{"n": {"type": "integer"}}"#, "[]")
        .load()
        .unwrap_or_else(|error| panic!("{error:?}"));
    let scope = testing::trusted(gate::SCOPE).unwrap();
    let setting = Setting::new(&bundle, scope.scope(), PurePaths::new());
    let session = setting.open(&scope);
    (setting, session)
}

fn run<A: countersign::Action>(session: &Session, action: A) -> String {
    let decision = session.authorize(action).unwrap();
    let outcome = gate::outcome(&decision);
    if let Decision::Allow(permit) = decision {
        permit.run(|_| Ok::<_, Infallible>(())).unwrap();
    }
    outcome
}

fn found(differences: &[Difference], what: What) -> &Difference {
    differences
        .iter()
        .find(|found| found.what() == what)
        .unwrap_or_else(|| panic!("{differences:?}"))
}

#[test]
fn every_step_of_the_rome_incident_comes_out_again() {
    let text = include_bytes!("../../examples/rome_replay/incident.json");
    let incident: trace::Incident = from_slice(text, &Limits::DOCUMENT).unwrap();
    let agent = || SpiffeId::parse(&incident.agent).unwrap().dangerous().assume_verified();
    let start = Timestamp::parse_rfc3339(&incident.started).unwrap();
    let mut calls = 0;
    for document in [&incident.scope, &incident.careless.scope] {
        let scope = Scope::from_value(document).unwrap().dangerous().trust_unsigned();
        let setting = Setting::new(&testing::baseline(), scope.scope(), PurePaths::new());
        setting.clock.set(start);
        let session = setting.authorizer.open(&scope, agent()).unwrap();
        for step in &incident.steps {
            setting.clock.set(start.plus(Duration::from_secs(step.at)));
            step.action.actions().into_iter().for_each(|action| drop(run(&session, action)));
        }
        session.close().unwrap();
        calls += setting.archive.check();
    }
    assert!(calls > 60, "{calls}");
}

#[test]
fn random_actions_come_out_again() {
    let (narrow, one) = baseline();
    let (wide, other) = wide(
        r#"@id("f") forbid(principal, action, resource) when { context.labels.contains("secret") };"#,
    );
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let steps = (strategies::any_action(), any::<bool>(), 0..9_u8, 0..30_000_u64);
    runner
        .run(&steps, |(action, first, odd, wait)| {
            let (setting, session) = if first { (&narrow, &one) } else { (&wide, &other) };
            match odd {
                0 => setting.clock.set_broken(true),
                1 => setting.clock.set(Timestamp::from_millis(5)),
                2 => session.add_label("secret").unwrap(),
                _ => setting.clock.advance(wait),
            }
            let decision = session.authorize(action).unwrap();
            setting.clock.set_broken(false);
            if let (Decision::Allow(permit), true) = (decision, odd > 3) {
                permit.run(|_| Ok::<_, Infallible>(())).unwrap();
            }
            if odd == 1 {
                setting.clock.set(testing::NOW);
            }
            Ok(())
        })
        .unwrap();
    assert!(narrow.archive.check() + wide.archive.check() >= 96);
}

#[test]
fn limits_that_are_hit_come_out_again() {
    let scope = r#"{"scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
        "agent": "spiffe://example.org/agent/coder", "not_before": "2026-11-21T08:00:00Z",
        "expires": "2026-11-21T11:00:00Z", "workspace": "/srv/web",
        "do": {"workflows": ["**"], "payments": [{"to": "**", "currency": "EUR", "max": "10"}]},
        "touch": {"read": ["table:**"], "export": [{"from": "table:**", "to": "**"}]},
        "reach": {"connect": ["h.example:443"]},
        "limits": {"actions": 12, "per_minute": 14, "denials": 3, "distinct_targets": 4,
                   "egress_bytes": 100, "spend": {"EUR": "12.50"}}}"#;
    let scope = testing::trusted(scope).unwrap();
    let bundle = Bundle::but("").load().unwrap_or_else(|error| panic!("{error:?}"));
    let setting = Setting::new(&bundle, scope.scope(), PurePaths::new());
    let workflow = || TriggerWorkflow::new("w", Value::Null);
    let euro = |amount: &str| Pay::new("acc", Decimal::parse(amount).unwrap(), "EUR");
    let table = |name: &str| ReadData::table(name);

    let session = setting.open(&scope);
    assert_eq!(run(&session, euro("10")), "allow");
    assert_eq!(run(&session, euro("2.5")), "allow");
    assert_eq!(run(&session, euro("0.01")), "limit.spend");
    assert_eq!(run(&session, table("a.b")), "allow");
    assert_eq!(run(&session, table("a.c")), "allow");
    assert_eq!(run(&session, table("a.d")), "allow");
    // One known target after the other, and then a new one.
    assert_eq!(run(&session, table("a.b")), "allow");
    assert_eq!(run(&session, table("a.e")), "limit.distinct_targets");
    assert_eq!(run(&session, table("a.d")), "allow");
    for _ in 0..5 {
        assert_eq!(run(&session, workflow()), "allow");
    }
    assert_eq!(run(&session, workflow()), "limit.rate");
    assert_eq!(run(&session, workflow()), "limit.denials");

    let session = setting.open(&scope);
    let export = |bytes| {
        ExportData::to_host(DataRef::Table("a.b".into()), "h.example", 443).sends_bytes(bytes)
    };
    assert_eq!(run(&session, export(60)), "allow");
    assert_eq!(run(&session, export(60)), "limit.egress_bytes");
    setting.clock.advance(61_000);
    for _ in 0..11 {
        assert_eq!(run(&session, workflow()), "allow");
    }
    assert_eq!(run(&session, workflow()), "limit.actions");
    setting.archive.check();
}

#[test]
fn labels_approvals_and_provenance_come_out_again() {
    let (setting, session) = wide(
        r#"@id("leak") forbid(principal, action == Action::"Connect", resource)
               when { context.labels.contains("secret") };
           @id("ask") forbid(principal, action == Action::"TriggerWorkflow", resource)
               unless { context.approvals.contains("sre") };
           @id("web") forbid(principal, action == Action::"Pay", resource)
               when { context.provenance == "untrusted" };"#,
    );
    let connect = || Connect::new("git.example.org", 443).sends_bytes(1);
    assert_eq!(run(&session, connect()), "allow");
    assert_eq!(run(&session, TriggerWorkflow::new("w", Value::Null)), "defer sre");
    assert_eq!(run(&session, ReadData::new("key").classes(["secret"])), "allow");
    assert_eq!(run(&session, connect()), "policy.forbid");
    let pay = || Pay::new("acc", Decimal::from(1_u64), "EUR");
    let untrusted = Call::new().provenance(Provenance::Untrusted);
    assert!(!session.authorize_with(pay(), &untrusted).unwrap().is_allow());
    assert!(session.authorize(pay()).unwrap().is_allow());
    session.add_label("personal").unwrap();
    assert_eq!(run(&session, ReadData::new("key").classes(["a", "secret", "z"])), "allow");
    assert_eq!(setting.archive.check(), 7);
}

/// Answers as a table does; it cannot look at `/srv/web/locked`, and nothing is called `gone-…`.
#[derive(Debug)]
struct Tree(PurePaths);

impl PathResolver for Tree {
    fn entry(&self, path: &str) -> Result<Entry, PathError> {
        match path {
            gone if gone.contains("/gone-") => Ok(Entry::Missing),
            "/srv/web/locked" => Err(PathError::io(path, std::io::ErrorKind::PermissionDenied)),
            _ => self.0.entry(path),
        }
    }
}

const LINKED: &str = r#"{"scope": "countersign/scope/v1", "task": "t",
    "owner": "user:dana@example.org", "agent": "spiffe://example.org/agent/coder",
    "not_before": "2026-11-21T08:00:00Z", "expires": "2026-11-21T11:00:00Z",
    "workspace": "/srv/current",
    "do": {"tools": [{"server": "srv", "name": "t", "args": {
        "file": {"path": ["/srv/current/**", "!/srv/current/private/**"]}, "n": {"any": true, "optional": true}}}]},
    "touch": {"read": ["/srv/current/**", "/srv/data/**"]},
    "limits": {"denials": 100}}"#;

fn linked() -> (Setting, Session) {
    let bundle = Bundle::but("")
        .with_tool("t", r#"{"file": {"type": "string"}, "n": {"type": "integer"}}"#, "[]")
        .load()
        .unwrap_or_else(|error| panic!("{error:?}"));
    let paths = PurePaths::new()
        .with_link("/srv/current", "web")
        .with_link("/srv/web/private", "/srv/web/.hidden")
        .with_link("/srv/web/out", "/etc")
        .with_link("/srv/web/in", "src/main.rs")
        .with_link("/srv/web/loop", "loop")
        .with_link("/srv/data", "/mnt/data")
        .with_file("/srv/web/file")
        .with_missing("/srv/web/new");
    let scope = testing::trusted(LINKED).unwrap();
    let setting = Setting::new(&bundle, scope.scope(), Tree(paths));
    let session = setting.open(&scope);
    (setting, session)
}

fn tool(file: &str) -> ToolCall {
    let arguments = [("file".to_owned(), Value::from(file))].into_iter().collect();
    ToolCall::new("srv", "t", Value::Object(arguments))
}

#[test]
fn paths_through_links_come_out_again_without_a_file_system() {
    let (setting, session) = linked();
    for (file, expected) in [
        ("src/main.rs", "allow"),
        ("file", "allow"),
        ("new", "allow"),
        ("new/a/b", "allow"),
        ("in", "allow"),
        ("out/passwd", "scope.tool_argument"),
        ("private/key", "scope.tool_argument"),
        (".hidden/key", "scope.tool_argument"),
        ("file/a", "scope.tool_argument"),
        ("new/../src", "scope.tool_argument"),
        ("loop", "scope.tool_argument"),
        ("locked", "scope.tool_argument"),
        ("locked/..", "scope.tool_argument"),
        ("/srv/current/src", "allow"),
        ("/proc/self/cwd", "scope.tool_argument"),
    ] {
        assert_eq!(run(&session, tool(file)), expected, "{file}");
    }
    assert_eq!(run(&session, ReadData::new("/srv/data/x")), "allow");
    assert_eq!(setting.archive.check(), 16);
    // Without what is on record about the links, the same would come out otherwise.
    let facts = setting.archive.sink.openings();
    let facts = facts.iter().find(|opening| opening.call() == 6 && opening.name() == "facts");
    assert!(
        facts
            .unwrap()
            .value()
            .contains(r#""paths":{"/srv/web/out":{"link":"/etc"}},"permit_millis""#),
        "{}",
        facts.unwrap().value()
    );
    assert!(facts.unwrap().value().contains(r#""scope_paths":{"/srv/current":{"link":"web"},"#));
}

#[test]
fn more_answers_about_paths_than_can_be_recorded_deny_the_call() {
    let bundle = Bundle::but("")
        .with_tool("t", r#"{"file": {"type": "array", "items": {"type": "string"}}}"#, "[]")
        .load();
    let bundle = bundle.unwrap_or_else(|error| panic!("{error:?}"));
    let named = r#""path": ["/srv/current/**", "!/srv/current/private/**"]"#;
    let scope = LINKED.replace(named, r#""each": {"path": ["/srv/current/**"]}"#);
    let scope = testing::trusted(&scope).unwrap();
    let setting = Setting::new(&bundle, scope.scope(), Tree(PurePaths::new()));
    let session = setting.open(&scope);
    let files = |count: usize| {
        let name = |number| Value::from(format!("gone-{number:0>200}"));
        let files = Value::Array((0..count).map(name).collect());
        let arguments = [("file".to_owned(), files)].into_iter().collect();
        ToolCall::new("srv", "t", Value::Object(arguments))
    };
    assert_eq!(run(&session, files(250)), "allow");
    assert_eq!(run(&session, files(500)), "action.too_large");
    assert_eq!(run(&session, files(1)), "allow");
    assert_eq!(setting.archive.check(), 3);
}

/// One allowed read that touches a label, one denied connection.
fn two_calls() -> (Setting, Session) {
    let (setting, session) = baseline();
    assert_eq!(run(&session, ReadData::new("src/main.rs").classes(["internal"])), "allow");
    assert_eq!(run(&session, Connect::new("198.51.100.7", 22)), "scope.connect");
    (setting, session)
}

#[test]
fn what_a_holder_of_the_keys_changes_is_named() {
    let (setting, _session) = two_calls();
    let archive = &setting.archive;
    let effect = Place::Effect(Domain::Data, 0);
    let check = |from: &str, to: &str, place: Place, what: What, recorded: &str, replayed: &str| {
        let forged = archive.forged(from, to).unwrap();
        let found = found(forged.differences(), what);
        assert_eq!(
            (found.place(), found.recorded(), found.replayed()),
            (place, recorded, replayed)
        );
        assert!(!forged.is_same());
    };
    let call = Place::Call;
    let line = Place::Line(Domain::Data);
    check(
        r#""decision":"allow","kind""#,
        r#""decision":"deny","kind""#,
        effect,
        What::Decision,
        "deny",
        "allow",
    );
    check(
        r#""decision":"allow","domain""#,
        r#""decision":"deny","domain""#,
        line,
        What::Decision,
        "deny",
        "allow",
    );
    check(
        r#""reasons":[]"#,
        r#""reasons":["policy.forbid"]"#,
        effect,
        What::Reasons,
        "policy.forbid",
        "",
    );
    check(r#""quorums":[]"#, r#""quorums":["sre"]"#, effect, What::Quorums, "sre", "");
    check(
        r#""kind":"ReadData","policies""#,
        r#""kind":"Exec","policies""#,
        effect,
        What::Kind,
        "Exec",
        "ReadData",
    );
    check(
        r#""provenance":"agent""#,
        r#""provenance":"user""#,
        effect,
        What::Provenance,
        "user",
        "agent",
    );
    check(
        r#""reversibility":"reversible""#,
        r#""reversibility":"irreversible""#,
        effect,
        What::Reversibility,
        "irreversible",
        "reversible",
    );
    check(r#""labels":["internal"]"#, r#""labels":[]"#, call, What::Labels, "", "internal");
    check(
        r#""denials":0"#,
        r#""denials":1"#,
        call,
        What::Counters,
        "accelerator_seconds 0, actions 1, actions:data 1, denials 1, distinct_targets 0, egress_bytes 0",
        "accelerator_seconds 0, actions 1, actions:data 1, denials 0, distinct_targets 0, egress_bytes 0",
    );
    let time = testing::NOW.as_millis();
    let until = time + 30_000;
    let late = format!("\"permit_until\":{}", until + 1);
    let stated = format!("\"permit_until\":{until}");
    check(&stated, &late, call, What::PermitUntil, &(until + 1).to_string(), &until.to_string());
    check(
        &format!("\"time\":{time}"),
        &format!("\"time\":{}", time + 1),
        call,
        What::Time,
        &(time + 1).to_string(),
        &time.to_string(),
    );
    check(
        r#""owner":"user:dana"#,
        r#""owner":"user:mala"#,
        call,
        What::Owner,
        "user:mala@example.org",
        "user:dana@example.org",
    );
    check(
        r#""on_behalf_of":"user:dana"#,
        r#""on_behalf_of":"user:mala"#,
        call,
        What::OnBehalfOf,
        "user:mala@example.org",
        "user:dana@example.org",
    );
    // What a line holds does not act on a terminal.
    let hidden = archive.forged("fix-login-timeout", "fix\u{202e}").unwrap().to_string();
    assert!(hidden.contains("its task is recorded as `fix\\u{202e}`"), "{hidden}");
    check("fix-login-timeout", "fix-log-in", call, What::Task, "fix-log-in", "fix-login-timeout");
    check(
        "example.org/agent/coder/",
        "example.org/agent/other/",
        call,
        What::Agent,
        "spiffe://example.org/agent/other/i-1",
        "spiffe://example.org/agent/coder",
    );
    let approval =
        format!(r#""approvals":[{{"approver":"a","id":"{}","quorum":"sre"}}]"#, "0".repeat(64));
    check(r#""approvals":[]"#, &approval, call, What::Approvals, "sre", "");
    let policies = r#""policies":[""#;
    let forged = archive.forged(policies, r#""policies":["a.made.up",""#).unwrap();
    assert_eq!(found(forged.differences(), What::Policies).place(), effect);
    let forged = archive.forged(r#""domain":"data""#, r#""domain":"workload""#);
    assert_eq!(
        forged.unwrap_err().to_string(),
        "the opening `effects/workload/0` is missing: what was erased or withheld cannot be decided again"
    );

    // A denial that is made an allow, in all that says so.
    let lines = archive.call(2);
    let text = lines[0].as_str().replace("\"deny\"", "\"allow\"").replace("\"scope.connect\"", "");
    let forged = archive.replay(&[Line::parse(text).unwrap()]).unwrap();
    let whats: Vec<What> = forged.differences().iter().map(Difference::what).collect();
    assert_eq!(whats, [What::CallDecision, What::Decision, What::Decision, What::Reasons]);
    assert!(forged.to_string().ends_with(
        "deny comes out, and the receipt differs\n  \
        the call: its decision is recorded as `allow`; deciding again gives `deny`\n  \
        the infrastructure line: its decision is recorded as `allow`; deciding again gives `deny`\n  \
        effect 0 of the infrastructure line: its decision is recorded as `allow`; deciding again gives `deny`\n  \
        effect 0 of the infrastructure line: its reasons are recorded as none; deciding again gives `scope.connect`"
    ), "{forged}");
}

#[test]
fn the_kind_of_the_action_is_that_of_what_is_opened() {
    let (setting, session) = two_calls();
    let archive = &setting.archive;
    let kind = |to: &str| format!("\"kind\":\"{to}\"}},\"after\"");
    let check = |to: &str, same: bool| {
        let forged = archive.forged(&kind("ReadData"), &kind(to)).unwrap();
        let found: Vec<String> = forged.differences().iter().map(ToString::to_string).collect();
        let said = format!(
            "the call: its kind of action is recorded as `{to}`; \
             the openings are of `another action, with the effects ReadData`"
        );
        assert_eq!(found, if same { Vec::new() } else { vec![said] }, "{to}");
    };
    for kind in ["WriteData", "ExportData", "Exec", "Shell", "SubmitJob", "Connect", "Pay"] {
        check(kind, false);
    }
    // A host may call its own actions anything, and give them any effects.
    check("RotateKey", true);

    // Without the opening of the action its effects still speak.
    let mut openings = archive.sink.openings();
    openings.retain(|opening| opening.name() != "action");
    let text = archive.call(1)[0].as_str().replace(&kind("ReadData"), &kind("WriteData"));
    let forged = archive.replayer.replay_call(&[Line::parse(text).unwrap()], &openings).unwrap();
    assert_eq!(found(forged.differences(), What::ActionKind).recorded(), "WriteData");

    // The same effects, and a command that has them.
    let command = Exec::new("git").args(["status"]).nothing_else();
    assert_eq!(run(&session, command.and(ReadData::new("src"))), "allow");
    let lines: Vec<Line> = archive.call(3);
    let forge = |line: &Line| line.as_str().replace(&kind("Exec"), &kind("ExportData"));
    let forged: Vec<Line> = lines.iter().map(|line| Line::parse(forge(line)).unwrap()).collect();
    let forged = archive.replay(&forged).unwrap();
    let other = "another action, with the effects Exec, ReadData";
    assert_eq!(found(forged.differences(), What::ActionKind).replayed(), other);
}

#[test]
fn openings_that_are_missing_or_changed_are_errors_that_name_them() {
    let (setting, _session) = two_calls();
    let archive = &setting.archive;
    let (lines, openings) = (archive.call(1), archive.sink.openings());
    let own: Vec<&Opening> = openings.iter().filter(|opening| opening.call() == 1).collect();
    assert_eq!(own.len(), 3);
    for opening in own {
        let mut rest = openings.clone();
        rest.retain(|other| other != opening);
        let without = archive.replayer.replay_call(&lines, &rest);
        match opening.name() {
            "action" => assert!(without.unwrap().is_same()),
            name => match without.unwrap_err() {
                error @ ReplayError::OpeningMissing { .. } => {
                    assert!(error.to_string().contains(name))
                }
                error => panic!("{error}"),
            },
        }
        // One character of the value after the other.
        let value = opening.value();
        for at in 0..value.len() {
            let with = if value.as_bytes()[at] == b'x' { "y" } else { "x" };
            let changed = format!("{}{with}{}", &value[..at], &value[at + 1..]);
            let escaped = |text: &str| Value::from(text).to_canonical();
            let line = opening.to_line().replace(&escaped(value), &escaped(&changed));
            let mut forged = rest.clone();
            forged.push(Opening::parse(&line).unwrap());
            let error = archive.replayer.replay_call(&lines, &forged).unwrap_err();
            assert_eq!(error.code(), "replay.opening_wrong", "{changed}");
            assert!(error.to_string().contains(opening.name()), "{error}");
            // Beside the right one it does no harm.
            forged.push(opening.clone());
            assert!(archive.replayer.replay_call(&lines, &forged).unwrap().is_same());
        }
    }
    let error = archive.replayer.replay_call(&lines, &[]).unwrap_err();
    assert!(!format!("{error:?}").contains("main.rs"));
}

#[test]
fn bundle_and_scope_are_known_by_their_digests() {
    let (setting, session) = two_calls();
    let lines = setting.archive.call(1);
    let openings = setting.archive.sink.openings();
    let other = Bundle::but("").load().unwrap_or_else(|error| panic!("{error:?}"));
    let scope = testing::scope();
    let error = |replayer: Replayer| replayer.replay_call(&lines, &openings).unwrap_err();
    let unknown = error(Replayer::new(&other).with_scope(scope.scope()));
    assert_eq!(unknown.code(), "replay.bundle_unknown");
    assert!(unknown.to_string().contains(&testing::baseline().digest().to_string()));
    let unknown = error(Replayer::new(&testing::baseline()));
    assert_eq!(unknown.code(), "replay.scope_unknown");
    assert!(unknown.to_string().contains(&scope.scope().digest().to_string()));
    let narrow = testing::SCOPE.replace("\"api.example.org:443\", ", "");
    let narrow = testing::trusted(&narrow).unwrap();
    let unknown = error(Replayer::new(&testing::baseline()).with_scope(narrow.scope()));
    assert_eq!(unknown.code(), "replay.scope_unknown");

    // A bundle with one policy less is another bundle, and has another digest.
    let less = Bundle::but(r#"@id("no") forbid(principal, action == Action::"Pay", resource);"#);
    let less = less.load().unwrap_or_else(|error| panic!("{error:?}"));
    assert_ne!(less.digest(), other.digest());

    // After a reload both are needed.
    setting.authorizer.reload(&other);
    assert_eq!(run(&session, ReadData::new("src/lib.rs")), "allow");
    let receipts = setting.archive.sink.to_ndjson();
    let replay = |replayer: &Replayer| {
        replayer.replay(receipts.as_bytes(), setting.archive.openings()).report()
    };
    let report = replay(&setting.archive.replayer);
    assert_eq!((report.same, report.failed), (2, 1));
    assert!(report.to_string().contains(&other.digest().to_string()), "{report}");
    assert!(replay(&setting.archive.replayer.clone().with_bundle(&other)).is_same());
}

#[test]
fn lines_that_are_not_one_call_are_refused() {
    let (setting, session) = two_calls();
    let shell = countersign::shell::ShellEnv::bash("/srv/web");
    run(&session, countersign::shell::Shell::parse("git status > out.txt", &shell));
    let archive = &setting.archive;
    let (one, two, three) = (archive.call(1), archive.call(2), archive.call(3));
    assert!(three.len() > 1);
    assert!(archive.replay(&three).unwrap().is_same());
    let code = |lines: &[Line]| archive.replay(lines).unwrap_err().code();
    assert_eq!(code(&[]), "replay.group");
    assert_eq!(code(&archive.sink.lines()[..1]), "replay.group");
    assert_eq!(code(&three[..1]), "replay.incomplete");
    assert_eq!(code(&three[1..]), "replay.group");
    assert_eq!(code(&[three[1].clone(), three[0].clone()]), "replay.group");
    assert_eq!(code(&[three[0].clone(), three[0].clone()]), "replay.group");
    assert_eq!(code(&[one[0].clone(), two[0].clone()]), "replay.group");
}

#[test]
fn a_file_is_replayed_whatever_its_order_and_its_holes() {
    let (setting, session) = two_calls();
    let other = setting.open(&testing::scope());
    run(&other, ReadData::new("src/lib.rs"));
    run(&session, ReadData::new("src/lib.rs"));
    session.close().unwrap();
    let archive = &setting.archive;
    assert_eq!(archive.check(), 4);

    // Openings on disk, some of them erased, and a torn last line.
    let mut text: String =
        archive.sink.openings().iter().map(|opening| opening.to_line() + "\n").collect();
    text.push_str("{\"opening\":{\"call\":9");
    let receipts = archive.sink.to_ndjson();
    let report = |openings: &str| {
        let openings = OpeningFile::index(Cursor::new(openings)).unwrap();
        archive.replayer.replay(receipts.as_bytes(), openings).report()
    };
    assert!(report(&text).is_same());
    let reversed: String = text.lines().rev().skip(1).map(|line| format!("{line}\n")).collect();
    assert!(report(&reversed).is_same());
    let erased: String = text
        .lines()
        .filter(|line| !line.contains("src/lib.rs"))
        .map(|line| format!("{line}\n"))
        .collect();
    let erased =
        report(&erased[..=erased.rfind('\n').unwrap()].replace("{\"opening\":{\"call\":9\n", ""));
    assert_eq!((erased.same, erased.different, erased.failed), (2, 0, 2), "{erased}");
    assert!(erased.to_string().contains("`effects/data/0` is missing"), "{erased}");
    let wrong = OpeningFile::index(Cursor::new("{}\n")).unwrap_err();
    assert_eq!(wrong.code(), "replay.opening_line");

    // A line that is none is passed over and counted.
    let broken = receipts.replacen('\n', "\nnothing\n", 3);
    let report = archive.replayer.replay(broken.as_bytes(), archive.openings()).report();
    assert_eq!((report.same, report.failed), (4, 3), "{report}");
    let long = format!("{}\n{receipts}", "x".repeat(300 << 10));
    let report = archive.replayer.replay(long.as_bytes(), archive.openings()).report();
    assert_eq!(report.same, 4, "{report}");
}

#[test]
fn what_calls_start_from_is_held_against_the_lines_before() {
    let (setting, session) = two_calls();
    run(&session, ReadData::new("src/lib.rs"));
    let archive = &setting.archive;
    let receipts = archive.sink.to_ndjson();
    // A whole call is taken out: what the next one started from does not follow.
    let dropped = |number: u64| {
        let named = format!("\"call\":{number},");
        let keep = receipts.lines().filter(|line| !line.contains(&named));
        let text: String = keep.map(|line| format!("{line}\n")).collect();
        archive.replayer.replay(text.as_bytes(), archive.openings()).report()
    };
    let report = dropped(2);
    assert_eq!((report.same, report.different), (1, 1), "{report}");
    assert!(report.to_string().contains(
        "the call: its counters before the call are recorded as `accelerator_seconds 0, actions 1, actions:data 1, denials 1,"
    ), "{report}");
    // The beginning of the file alone is not known to be one.
    let tail: String = receipts.lines().skip(5).map(|line| format!("{line}\n")).collect();
    assert!(archive.replayer.replay(tail.as_bytes(), archive.openings()).report().is_same());
}

#[test]
fn a_session_that_was_resumed_comes_out_again() {
    let scope = testing::trusted(gate::SCOPE).unwrap();
    let bundle = Bundle::but("").load().unwrap_or_else(|error| panic!("{error:?}"));
    let setting = Setting::new(&bundle, scope.scope(), PurePaths::new());
    let pay = || Pay::new("acc", Decimal::from(3_u64), "EUR");
    let session = setting.open(&scope);
    assert_eq!(run(&session, pay()), "allow");
    assert_eq!(run(&session, ReadData::new("a").classes(["secret"])), "allow");
    let id = session.id();
    drop(session);

    let stored = Verifier::new(testing::trusted_key());
    let stored = stored.verify(setting.archive.sink.to_ndjson().as_bytes()).unwrap();
    let authorizer = Authorizer::builder()
        .policy(bundle)
        .identity(IdentityKey::from_seed(&[7; 32]))
        .sink(Sink::blocking(Arc::clone(&setting.archive.sink)))
        .with_clock(setting.clock.clone())
        .with_paths(PurePaths::new())
        .with_resume(stored.journal_position())
        .build()
        .unwrap();
    let session = authorizer.resume(&stored, id, &scope, testing::agent()).unwrap();
    assert_eq!(run(&session, pay()), "allow");
    let rest = Pay::new("acc", Decimal::from(999_995_u64), "EUR");
    assert_eq!(run(&session, rest), "limit.spend");
    assert_eq!(run(&session, Connect::new("a.example", 1).sends_bytes(4)), "allow");
    session.close().unwrap();
    assert_eq!(setting.archive.check(), 5);
}
