//! The gates: what decides, in which order, and what is put on record.

use countersign::action::{
    ChangeIdentity, ChangePrivilege, Connect, DeleteData, Direction, Exec, ExportData,
    InstallPackage, InvokeModel, Listen, MutateInfrastructure, Pay, Publish, ReadData,
    RecallMemory, RemoteShell, Reversibility, SendMessage, SpawnAgent, StartTraining, SubmitJob,
    ToolCall, TriggerWorkflow, Tunnel, TunnelDirection, UseAccelerator, UseSecret, WriteData,
    WriteMemory,
};
use countersign::authorizer::{Call, EffectOutcome};
use countersign::policy::Enforced;
use countersign::receipt::Verifier;
use countersign::session::OpenError;
use countersign::testing::{self, Fixture};
use countersign::time::Timestamp;
use countersign::value::{Decimal, Value};
use countersign::{Action, Decision, Reason};

use crate::support;

const PERMIT_ALL: &str = r#"@id("all") permit(principal, action, resource);"#;

fn permissive() -> Enforced {
    support::bundle(PERMIT_ALL)
}

fn reasons<A: Action>(decision: &Decision<A>) -> Vec<&'static str> {
    decision.reasons().iter().map(|reason| reason.code()).collect()
}

fn scope_with(change: &[(&str, &str)]) -> String {
    change.iter().fold(testing::SCOPE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn every_gate_must_pass() {
    for (scope, limit, policy) in (0..8).map(|bits| (bits & 1 == 0, bits & 2 == 0, bits & 4 == 0)) {
        let permit = r#"@id("p") permit(principal, action == Action::"Connect", resource);"#;
        let other = r#"@id("p") permit(principal, action == Action::"Listen", resource);"#;
        let fixture = Fixture::new(support::bundle(if policy { permit } else { other }));
        let limits = if limit { "\"actions\": 200" } else { "\"actions\": 0" };
        let connect = if scope { "git.example.org:443" } else { "other.example.org:443" };
        let text = scope_with(&[("\"actions\": 200", limits), ("git.example.org:443", connect)]);
        let scope_text = testing::trusted(&text).unwrap();
        let session = fixture.authorizer.open(&scope_text, testing::agent()).unwrap();
        let decision = session.authorize(Connect::new("git.example.org", 443)).unwrap();
        // The first gate that refuses is the one that is named.
        let expected = match (scope, limit, policy) {
            (false, _, _) => vec!["scope.connect"],
            (true, false, _) => vec!["limit.actions"],
            (true, true, false) => vec!["policy.no_permit"],
            (true, true, true) => vec![],
        };
        assert_eq!(reasons(&decision), expected, "{scope} {limit} {policy}");
        assert_eq!(decision.is_allow(), expected.is_empty());
    }
}

#[test]
fn only_the_agent_that_the_scope_names_opens_a_session() {
    let fixture = Fixture::new(permissive());
    let open = |id: &str| {
        let id = countersign::identity::SpiffeId::parse(id).unwrap();
        fixture.authorizer.open(&testing::scope(), id.dangerous().assume_verified())
    };
    assert!(open("spiffe://example.org/agent/coder/i-2").is_ok());
    assert!(open("spiffe://example.org/agent/coder").is_ok());
    for other in [
        "spiffe://example.org/agent/coder2/i-1",
        "spiffe://example.org/agent",
        "spiffe://example.com/agent/coder/i-1",
    ] {
        let error = open(other).unwrap_err();
        assert!(matches!(error, OpenError::Refused(Reason::IdentityMismatch)), "{other}: {error}");
    }
}

#[test]
fn an_empty_scope_grants_nothing_whatever_policy_says() {
    let fixture = Fixture::new(permissive());
    let text = r#"{"scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
        "agent": "spiffe://example.org/agent/coder", "expires": "2026-11-21T11:00:00Z",
        "workspace": "/srv/web", "limits": {"denials": 1000, "per_minute": 1000}}"#;
    let scope = testing::trusted(text).unwrap();
    let session = fixture.authorizer.open(&scope, testing::agent()).unwrap();
    let amount = Decimal::from(1_u64);
    let actions: Vec<Box<dyn Action>> = vec![
        Box::new(ToolCall::new("s", "t", Value::Object(Default::default()))),
        Box::new(countersign::action::ApiCall::new("GET", "https://api.example.org/v1")),
        Box::new(TriggerWorkflow::new("deploy", Value::Null)),
        Box::new(SendMessage::new("email", ["dana@example.org"])),
        Box::new(SpawnAgent::new("spiffe://example.org/agent/coder", "t")),
        Box::new(Pay::new("acct", amount, "EUR")),
        Box::new(Publish::new("npm", "pkg")),
        Box::new(RemoteShell::new("bash", Direction::Reverse, "203.0.113.1", 443)),
        Box::new(Exec::new("git")),
        Box::new(Connect::new("git.example.org", 443)),
        Box::new(Listen::new("127.0.0.1", 8080)),
        Box::new(Tunnel::new(TunnelDirection::Reverse, "203.0.113.1", 22, "127.0.0.1:22")),
        Box::new(UseSecret::new("db", "tool")),
        Box::new(ChangePrivilege::new("root")),
        Box::new(ChangeIdentity::new("service:x")),
        Box::new(MutateInfrastructure::new("aws", "create", "instance", "web-1")),
        Box::new(InstallPackage::new("cargo", "serde")),
        Box::new(ReadData::new("/srv/web/a")),
        Box::new(WriteData::new("/srv/web/a")),
        Box::new(DeleteData::new("/srv/web/a")),
        Box::new(ExportData::to_named("/srv/web/a", "place")),
        Box::new(RecallMemory::new("task/a")),
        Box::new(WriteMemory::new("task/a", "x")),
        Box::new(InvokeModel::new("m")),
        Box::new(SubmitJob::new("q", "j")),
        Box::new(UseAccelerator::new("gpu", 1)),
        Box::new(StartTraining::new("m")),
    ];
    assert_eq!(actions.len(), countersign::action::Kind::BUILT_IN.len());
    for action in actions {
        let kind = action.kind();
        let decision = session.authorize(action).unwrap();
        assert!(!decision.is_allow(), "{kind}");
    }
}

#[test]
fn the_worst_effect_decides_whatever_the_order() {
    let policies = r#"
        @id("all") permit(principal, action, resource);
        @id("ask") forbid(principal, action == Action::"WriteData", resource)
            unless { context.approvals.contains("sre") };"#;
    let fixture = Fixture::new(support::bundle(policies));
    let session = fixture.session();
    let read = || ReadData::new("a.txt");
    let write = || WriteData::new("a.txt");
    let outside = || ReadData::new("/etc/shadow");
    let check = |action: Exec, expected: &str| {
        let decision = session.authorize(action.nothing_else()).unwrap();
        let found = match decision {
            Decision::Allow(_) => "allow",
            Decision::Defer(_) => "defer",
            Decision::Deny(_) => "deny",
        };
        assert_eq!(found, expected);
    };
    check(Exec::new("git").and(read()), "allow");
    check(Exec::new("git").and(read()).and(write()), "defer");
    check(Exec::new("git").and(write()).and(read()), "defer");
    check(Exec::new("git").and(write()).and(outside()), "deny");
    check(Exec::new("git").and(outside()).and(write()), "deny");
}

#[test]
fn a_program_that_nobody_vouches_for_is_opaque() {
    let fixture = Fixture::new(permissive());
    let session = fixture.session();
    let decision = session.authorize(Exec::new("git").and(ReadData::new("a"))).unwrap();
    assert_eq!(reasons(&decision), ["scope.opaque"]);
    let known = Exec::new("git").and(ReadData::new("a")).nothing_else();
    assert!(session.authorize(known).unwrap().is_allow());
    assert!(session.authorize(Exec::new("protoc")).unwrap().is_allow(), "granted as opaque");
}

#[test]
fn a_deferral_names_its_quorums_and_uses_no_budget() {
    let policies = r#"
        @id("all") permit(principal, action, resource);
        @id("ask") forbid(principal, action == Action::"WriteData", resource)
            unless { context.approvals.contains("sre") };"#;
    let fixture = Fixture::new(support::bundle(policies));
    let text =
        scope_with(&[("\"actions\": 200", "\"actions\": 1"), ("\"denials\": 5", "\"denials\": 1")]);
    let scope = testing::trusted(&text).unwrap();
    let session = fixture.authorizer.open(&scope, testing::agent()).unwrap();
    for _ in 0..3 {
        match session.authorize(WriteData::new("a")).unwrap() {
            Decision::Defer(deferral) => assert_eq!(deferral.quorums(), ["sre"]),
            other => panic!("{other:?}"),
        }
    }
    assert!(session.authorize(ReadData::new("a")).unwrap().is_allow());
    assert_eq!(reasons(&session.authorize(ReadData::new("a")).unwrap()), ["limit.actions"]);
}

#[test]
fn each_domain_has_its_line_and_all_are_one_group() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let domains = |before: usize| -> Vec<String> {
        let lines = fixture.sink.lines();
        let receipts =
            lines[before..].iter().filter(|line| line.as_str().starts_with("{\"receipt\""));
        let domain = |line: &str| {
            let at = line.find("\"domain\":\"").unwrap() + 10;
            line[at..].split('"').next().unwrap().to_owned()
        };
        receipts.map(|line| domain(line.as_str())).collect()
    };
    let before = fixture.sink.len();
    let shell = RemoteShell::new("bash", Direction::Reverse, "203.0.113.7", 4444);
    assert!(!session.authorize(shell).unwrap().is_allow());
    assert_eq!(domains(before), ["application", "infrastructure"], "a reverse shell");

    let before = fixture.sink.len();
    let mining = SubmitJob::new("batch", "train-2")
        .accelerators(UseAccelerator::new("gpu", 8))
        .and(Connect::new("pool.example", 3333));
    assert!(!session.authorize(mining).unwrap().is_allow());
    assert_eq!(domains(before), ["infrastructure", "workload"], "mining");
    session.close().unwrap();
    let stored = fixture.sink.to_ndjson();
    let verified = Verifier::new(testing::trusted_key()).verify(stored.as_bytes()).unwrap();
    assert_eq!(verified.sessions[0].denied, 2);
}

#[test]
fn what_cannot_be_understood_is_denied_with_its_own_reason() {
    let fixture = Fixture::new(permissive());
    let text = scope_with(&[
        ("\"denials\": 5", "\"denials\": 1000"),
        ("\"per_minute\": 60", "\"per_minute\": 1000"),
    ]);
    let scope = testing::trusted(&text).unwrap();
    let session = fixture.authorizer.open(&scope, testing::agent()).unwrap();
    let check = |action: Box<dyn Action>, expected: &str| {
        let decision = session.authorize(action).unwrap();
        assert!(matches!(decision, Decision::Deny(_)));
        assert!(reasons(&decision).contains(&expected), "{:?}", reasons(&decision));
    };
    let object = || Value::Object(Default::default());
    check(Box::new(Connect::new("", 443)), "host.empty");
    check(Box::new(Connect::new("exa mple.org", 443)), "host.invalid");
    check(Box::new(Connect::new("git.example.org", 0)), "host.port");
    check(Box::new(Connect::new("git\u{200b}.example.org", 443)), "host.invisible_character");
    check(Box::new(Connect::new("fe80::1%eth0", 443)), "host.zone_id");
    check(Box::new(ReadData::new("a\0b")), "path.control_character");
    check(Box::new(ReadData::new("a\u{202e}b")), "path.invisible_character");
    check(Box::new(ReadData::new("")), "path.empty");
    check(Box::new(ReadData::new("/proc/self/root/etc/shadow")), "path.magic_link");
    check(Box::new(ReadData::new("x/".repeat(3000))), "path.too_long");
    check(Box::new(ReadData::table("crm..orders")), "action.name");
    check(Box::new(ReadData::object("bucket/../key")), "action.name");
    check(Box::new(ToolCall::new("s", "t", object())), "tool.unregistered");
    check(Box::new(Pay::new("a", "-1".parse().unwrap(), "EUR")), "action.number");
    check(Box::new(Pay::new("", Decimal::from(1_u64), "EUR")), "action.name");
    check(Box::new(SendMessage::new("email", ["dana"])), "action.name");
    check(Box::new(SendMessage::new("email", [""; 0])), "action.name");
    check(Box::new(SpawnAgent::new("http://example.org", "t")), "action.name");
    let api = |url: &str| Box::new(countersign::action::ApiCall::new("GET", url));
    check(api("ftp://api.example.org/"), "action.url");
    check(api("https://user:pw@api.example.org/v1"), "action.url");
    check(api("https://api.example.org/v1/%2f..%2fadmin"), "action.url");
    check(api("not a url"), "action.url");
    check(Box::new(UseAccelerator::new("gpu", 0)), "action.number");
    check(Box::new(UseAccelerator::new("gpu", 2).seconds(u64::MAX)), "action.number");
    let many = (0..17).map(|n| std::net::IpAddr::from([203, 0, 113, n]));
    check(
        Box::new(Connect::new("git.example.org", 443).resolved_to(many)),
        "host.too_many_addresses",
    );
    check(Box::new(Exec::new("git").args(["x".repeat(100_000)])), "action.too_large");
    check(
        Box::new(TriggerWorkflow::new("w", Value::from("x".repeat(300_000)))),
        "action.too_large",
    );
    let crowd = (0..300).fold(Exec::new("git"), |exec, _| exec.and(ReadData::new("a")));
    check(Box::new(crowd), "action.too_many_effects");
    let stored = fixture.sink.to_ndjson();
    Verifier::new(testing::trusted_key()).verify(stored.as_bytes()).unwrap();
}

#[test]
fn the_clock_is_believed_only_forwards() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let ask = || reasons(&session.authorize(ReadData::new("a")).unwrap());
    assert_eq!(ask(), Vec::<&str>::new());
    fixture.clock.set(Timestamp::from_millis(testing::NOW.as_millis() - 1));
    assert_eq!(ask(), ["session.clock_backwards"]);
    fixture.clock.set_broken(true);
    assert_eq!(ask(), ["session.clock"]);
    fixture.clock.set_broken(false);
    fixture.clock.set(testing::NOW);
    assert_eq!(ask(), Vec::<&str>::new());
    fixture.clock.advance(3 * 3_600_000);
    assert_eq!(ask(), ["session.expired"]);
    session.close().unwrap();
    let stored = fixture.sink.to_ndjson();
    Verifier::new(testing::trusted_key()).verify(stored.as_bytes()).unwrap();
}

#[test]
fn a_scope_holds_from_its_beginning_to_its_end() {
    let fixture = Fixture::default();
    let early = scope_with(&[("2026-11-21T08:00:00Z", "2026-11-21T09:00:01Z")]);
    let session =
        fixture.authorizer.open(&testing::trusted(&early).unwrap(), testing::agent()).unwrap();
    assert_eq!(reasons(&session.authorize(ReadData::new("a")).unwrap()), ["session.not_yet_valid"]);
    fixture.clock.advance(1000);
    assert!(session.authorize(ReadData::new("a")).unwrap().is_allow());
    let late = scope_with(&[("2026-11-21T11:00:00Z", "2026-11-21T09:00:00Z")]);
    let refused = fixture.authorizer.open(&testing::trusted(&late).unwrap(), testing::agent());
    assert!(matches!(refused, Err(OpenError::Refused(Reason::SessionExpired))));
}

#[test]
fn denials_trip_the_breaker() {
    let fixture = Fixture::default();
    let session = fixture.session();
    for _ in 0..5 {
        assert!(!session.authorize(ReadData::new("/etc/shadow")).unwrap().is_allow());
    }
    assert_eq!(reasons(&session.authorize(ReadData::new("a")).unwrap()), ["limit.denials"]);
}

#[test]
fn a_name_does_not_lead_to_an_address_that_was_not_granted() {
    let fixture = Fixture::new(permissive());
    let session = fixture.session();
    let connect = |address: &str| {
        let address = address.parse::<std::net::IpAddr>().unwrap();
        let action = Connect::new("git.example.org", 443).resolved_to([address]);
        reasons(&session.authorize(action).unwrap())
    };
    assert_eq!(connect("8.8.8.8"), Vec::<&str>::new());
    for inside in ["169.254.169.254", "127.0.0.1"] {
        assert_eq!(connect(inside), ["scope.resolved_address"], "{inside}");
    }
    assert_eq!(connect("::ffff:10.1.2.3"), ["scope.resolved_address"]);
    assert_eq!(connect("64:ff9b::a9fe:a9fe"), ["scope.resolved_address"]);
}

#[test]
fn the_same_call_gives_the_same_bytes_whatever_the_spelling_of_its_arguments() {
    let run = |arguments: &str| {
        let fixture = Fixture::new(permissive());
        let session = fixture.session();
        let inputs = Value::parse(arguments.as_bytes(), &countersign::value::Limits::ARGUMENTS);
        let action = TriggerWorkflow::new("deploy", inputs.unwrap());
        assert!(!session.authorize(action).unwrap().is_allow());
        session.close().unwrap();
        fixture.sink.to_ndjson()
    };
    let one = run(r#"{"a": 1, "b": {"c": [1.50, "x"]}}"#);
    assert_eq!(one, run(r#"{"b":{"c":[1.5,"\u0078"]},"a":1.0}"#));
    assert_ne!(one, run(r#"{"b":{"c":[1.5,"y"]},"a":1}"#));
}

#[test]
fn reversibility_and_provenance_are_inputs() {
    let policies = r#"
        @id("all") permit(principal, action, resource);
        @id("irreversible") forbid(principal, action == Action::"WriteData", resource)
            when { context.reversibility == "irreversible" };
        @id("untrusted") forbid(principal, action == Action::"ReadData", resource)
            when { context.provenance == "untrusted" };"#;
    let fixture = Fixture::new(support::bundle(policies));
    let session = fixture.session();
    assert!(session.authorize(WriteData::new("a")).unwrap().is_allow());
    let overwrite = WriteData::new("a").reversibility(Reversibility::Irreversible);
    let decision = session.authorize(overwrite).unwrap();
    assert_eq!(reasons(&decision), ["policy.forbid"]);
    assert_eq!(decision.effects()[0].policies, ["irreversible".into()]);

    let untrusted = Call::new().provenance(countersign::action::Provenance::Untrusted);
    assert!(session.authorize(ReadData::new("a")).unwrap().is_allow());
    let decision = session.authorize_with(ReadData::new("a"), &untrusted).unwrap();
    assert_eq!(reasons(&decision), ["policy.forbid"]);
}

#[test]
fn classes_that_were_read_become_labels_of_the_session() {
    let policies = r#"
        @id("all") permit(principal, action, resource);
        @id("leak") forbid(principal, action == Action::"Connect", resource)
            when { context.labels.contains("secret") };"#;
    let fixture = Fixture::new(support::bundle(policies));
    let session = fixture.session();
    let connect = || Connect::new("git.example.org", 443);
    assert!(session.authorize(connect()).unwrap().is_allow());
    assert!(session.authorize(ReadData::new("key").classes(["secret"])).unwrap().is_allow());
    assert_eq!(reasons(&session.authorize(connect()).unwrap()), ["policy.forbid"]);
}

#[test]
fn every_decision_names_the_rule_that_let_it_through() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let decision = session.authorize(ReadData::new("src/main.rs")).unwrap();
    let effect = &decision.effects()[0];
    assert_eq!(effect.outcome, EffectOutcome::Allow);
    assert_eq!(effect.rule.unwrap().to_string(), "touch.read[0]");
    assert_eq!(effect.policies, ["domain.data".into()]);
}
