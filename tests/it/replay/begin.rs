//! The beginning of a session, held against what the replayer was given.

use countersign::audit::replay::{CallReplay, ReplayReport};

use super::*;

const TIERED: &str = r#"{"scope": "countersign/scope/v1", "task": "t",
    "owner": "user:dana@example.org", "agent": "spiffe://example.org/agent/coder",
    "not_before": "2026-11-21T08:00:00Z", "expires": "2026-11-21T11:00:00Z",
    "workspace": "/srv/web", "touch": {"read": ["/srv/web/**"]},
    "do": {"spawn": ["spiffe://example.org/agent/tester"]}, "limits": {"delegation_depth": 1}}"#;

/// Replays the file with what stands in its `begin` lines changed.
fn forged(archive: &Archive, from: &str, to: &str) -> ReplayReport {
    let edit = |line: &str| match line.starts_with("{\"begin\"") {
        true => line.replace(from, to),
        false => line.to_owned(),
    };
    let receipts = archive.sink.to_ndjson();
    let text: String = receipts.lines().map(|line| edit(line) + "\n").collect();
    assert_ne!(text, receipts, "{from}");
    archive.replayer.replay(text.as_bytes(), archive.openings()).report()
}

fn only(report: &ReplayReport) -> &CallReplay {
    assert_eq!((report.different, report.failed, report.findings.len()), (1, 0, 1), "{report}");
    &report.findings[0]
}

#[test]
fn what_the_beginning_says_is_what_bundle_and_scope_say() {
    let (setting, _session) = two_calls();
    let archive = &setting.archive;
    assert_eq!(archive.check(), 2);
    let bundle = testing::baseline();
    let check = |from: &str, to: &str, what: What, replayed: &str| {
        let report = forged(archive, from, to);
        let call = only(&report);
        assert_eq!((call.call, call.line), (0, 3));
        let differences = call.result.as_ref().unwrap().differences();
        let found = found(differences, what);
        assert_eq!(
            (found.place(), found.recorded(), found.replayed()),
            (Place::Begin, to, replayed)
        );
        assert_eq!(report.same, 2, "{report}");
    };
    let begin = archive.sink.lines().into_iter().find(|line| line.kind() == Kind::Begin).unwrap();
    let schema = begin.as_str().split("\"schema\":\"").nth(1).unwrap()[..64].to_owned();
    let zeros = "0".repeat(64);
    assert_ne!(schema, bundle.digest().to_string());
    check(&schema, &zeros, What::Schema, &schema);
    let ends = testing::scope().scope().descriptor().expires.clone();
    let ends = Timestamp::parse_rfc3339(&ends).unwrap().as_millis();
    check(&ends.to_string(), &(ends + 1).to_string(), What::Expires, &ends.to_string());
    let now = testing::NOW.as_millis();
    check(&now.to_string(), &ends.to_string(), What::Opened, &ends.to_string());
    check("fix-login-timeout", "fix-log-in", What::Task, "fix-login-timeout");

    // Who works for whom; what every call repeats is another thing then.
    let parties = |from: &str, to: &str, what: What| {
        let report = forged(archive, from, to);
        let begin = report.findings[0].result.as_ref().unwrap();
        assert_eq!(found(begin.differences(), what).place(), Place::Begin, "{report}");
        report
    };
    parties(r#""owner":"user:dana"#, r#""owner":"user:mala"#, What::Owner);
    parties(r#""on_behalf_of":"user:dana"#, r#""on_behalf_of":"user:mala"#, What::OnBehalfOf);
    let other = parties("/agent/coder/", "/agent/other/", What::Agent);
    assert_eq!((other.same, other.different), (0, 3), "{other}");
    let call = other.findings[1].result.as_ref().unwrap();
    assert_eq!(
        found(call.differences(), What::AgentBefore).replayed(),
        "spiffe://example.org/agent/other/i-1"
    );
    // Another instance of the class works as well as the first, and is not the one that began.
    let other = forged(archive, "/agent/coder/i-1", "/agent/coder/i-2");
    assert_eq!((other.same, other.different), (0, 2), "{other}");
    assert!(
        other.to_string().contains(
            "the call: its agent is recorded as `spiffe://example.org/agent/coder/i-1`; \
         the beginning of the session says `spiffe://example.org/agent/coder/i-2`"
        ),
        "{other}"
    );
}

#[test]
fn what_was_not_given_is_held_against_nothing_and_counted() {
    let (setting, session) = two_calls();
    let archive = &setting.archive;
    let zeros = "0".repeat(64);
    let report = forged(archive, &testing::baseline().digest().to_string(), &zeros);
    assert_eq!((report.same, report.unheld), (2, 1), "{report}");
    let said = "; 1 sessions begin with a bundle or scope that was not given";
    assert!(report.is_same() && report.to_string().ends_with(said), "{report}");
    // Its calls name other scopes than it does.
    let report = forged(archive, &testing::scope().scope().digest().to_string(), &zeros);
    assert_eq!((report.different, report.unheld), (2, 1), "{report}");
    // What is there speaks all the same.
    let bare = Replayer::new(&testing::baseline());
    let begin = archive.sink.lines().into_iter().find(|line| line.kind() == Kind::Begin).unwrap();
    let schema = begin.as_str().split("\"schema\":\"").nth(1).unwrap()[..64].to_owned();
    let text = begin.as_str().replace(&schema, &zeros) + "\n";
    let report = bare.replay(text.as_bytes(), archive.openings()).report();
    let (unheld, differences) = (report.unheld, only(&report).result.as_ref().unwrap());
    assert_eq!((unheld, found(differences.differences(), What::Schema).recorded()), (1, &*zeros));
    let report = forged(archive, session.agent(), "nobody");
    let error = report.findings[0].result.as_ref().unwrap_err();
    assert_eq!((error.code(), report.findings[0].call), ("replay.agent", 0));
    let said = "cannot be held against anything: ";
    assert!(report.findings[0].to_string().contains(said), "{report}");
}

#[test]
fn a_chain_of_scopes_is_one_that_was_handed_on() {
    let parent = testing::trusted(TIERED).unwrap();
    let named = format!(r#""parent": "{}", "workspace""#, parent.scope().digest());
    let child = TIERED
        .replace(r#""workspace""#, &named)
        .replace("agent/coder", "agent/tester")
        .replace(r#""delegation_depth": 1"#, r#""delegation_depth": 0"#);
    let child = Scope::parse(child.as_bytes()).unwrap();
    let stranger = testing::trusted(&TIERED.replace(r#""task": "t""#, r#""task": "u""#)).unwrap();
    let bundle = Bundle::but("").load().unwrap_or_else(|error| panic!("{error:?}"));
    let mut setting = Setting::new(&bundle, parent.scope(), PurePaths::new());
    let replayer = setting.archive.replayer.clone();
    setting.archive.replayer = replayer.with_scope(&child).with_scope(stranger.scope());
    let archive = &setting.archive;
    let session = setting.open(&parent);
    let agent = SpiffeId::parse("spiffe://example.org/agent/tester/1").unwrap();
    let delegate = session.delegate(&child, agent.dangerous().assume_verified()).unwrap();
    assert_eq!(run(&delegate, ReadData::new("a")), "allow");
    assert_eq!(run(&session, ReadData::new("a")), "allow");
    delegate.close().unwrap();
    session.close().unwrap();
    archive.check();

    // The chain begins elsewhere: nobody handed the child on from there.
    let (above, other) =
        (parent.scope().digest().to_string(), stranger.scope().digest().to_string());
    let report = forged(archive, &format!("[\"{above}\",\""), &format!("[\"{other}\",\""));
    let begin = report.findings[0].result.as_ref().unwrap();
    let difference = found(begin.differences(), What::HandedOn);
    let said = (difference.recorded().to_owned(), difference.replayed());
    assert_eq!(said, (child.digest().to_string(), "delegation.parent"));
    let call = report.findings[1].result.as_ref().unwrap();
    let chain = format!("{other}, {}", child.digest());
    assert_eq!(found(call.differences(), What::ScopesBefore).replayed(), chain);
    // The child stands alone.
    let report = forged(archive, &format!("[\"{above}\",\""), "[\"");
    let begin = report.findings[0].result.as_ref().unwrap();
    assert_eq!(found(begin.differences(), What::HandedOn).replayed(), "delegation.parent");
}

#[test]
fn a_scope_that_the_bundle_does_not_admit_is_named() {
    let load = |limits: &str| {
        let head = r#""bundle": "countersign/bundle/v1", "name": "test""#;
        let manifest = format!("{{{head}, \"limits\": {{{limits}}}}}");
        let bundle = Bundle::but("").with_file("manifest.json", manifest).load();
        bundle.unwrap_or_else(|error| panic!("{error:?}"))
    };
    let (open, strict) = (load(""), load(r#""scope_hours": 2"#));
    let scope = testing::trusted(gate::SCOPE).unwrap();
    let mut setting = Setting::new(&open, scope.scope(), PurePaths::new());
    setting.archive.replayer = setting.archive.replayer.clone().with_bundle(&strict);
    let session = setting.open(&scope);
    assert_eq!(run(&session, ReadData::new("a")), "allow");
    assert_eq!(setting.archive.check(), 1);
    let report = forged(&setting.archive, &open.digest().to_string(), &strict.digest().to_string());
    let begin = only(&report).result.as_ref().unwrap();
    let difference = found(begin.differences(), What::Admitted);
    assert_eq!(difference.replayed(), "2 hours at most");
    assert!(
        begin
            .to_string()
            .starts_with(&format!("session {} does not begin as it says", session.id()))
    );
}
