//! What a hostile reader found, each as the sentence that now holds.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{
    ActionSpec, ApiCall, Connect, Domain, Effect, EffectContext, Effects, Exec, ExportData,
    HostAction, Kind, ReadData, Reversibility, SpawnAgent, Target, WriteMemory,
};
use countersign::authorizer::{AuthorizerBuilder, BuildError, Call, Ready, RunError};
use countersign::identity::{SpiffeId, VerifiedIdentity};
use countersign::policy::{Authored, BASE_SCHEMA, Enforced, LoadError};
use countersign::receipt::{
    Durability, FileSink, Group, MemorySink, ReceiptSink, SessionId, SinkError, Verified, Verifier,
    sink_fn,
};
use countersign::scope::TrustedScope;
use countersign::session::{OpenError, Session};
use countersign::testing::{self, Fixture};
use countersign::tool::{ServerTrust, ToolManifest};
use countersign::value::Value;
use countersign::{Action, AuthorizeError, Authorizer, Decision, Permit, Sink};

use crate::support;

const PERMIT_ALL: &str = r#"@id("all") permit(principal, action, resource);"#;
const CODER: &str = "spiffe://example.org/agent/coder";
const INSTANCE: &str = "spiffe://example.org/agent/coder/i-1";

/// A bundle that permits all, but for `policies`.
fn permits_all_but(policies: &str) -> Enforced {
    support::bundle(&format!("{PERMIT_ALL}\n{policies}"))
}

/// Loads a bundle that permits all but for `policies`, with the base schema and `declarations`.
fn load(
    policies: &str,
    declarations: &str,
    with: impl FnOnce(Authored) -> Authored,
) -> Result<Enforced, LoadError> {
    let mut files = support::files(PERMIT_ALL);
    files[1].1 = format!("{BASE_SCHEMA}\n{declarations}");
    files[2].1 = format!("{PERMIT_ALL}\n{policies}");
    with(Authored::from_files(files)?).load()
}

/// A scope for `agent` in `/srv/web` with the members `rest`.
fn scope_for(agent: &str, rest: &str) -> TrustedScope {
    let text = format!(
        r#"{{"scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
        "agent": "{agent}", "expires": "2026-11-21T10:00:00Z", "workspace": "/srv/web", {rest}}}"#
    );
    testing::trusted(&text).unwrap()
}

fn open(authorizer: &Authorizer, rest: &str) -> Session {
    authorizer.open(&scope_for(CODER, rest), testing::agent()).unwrap()
}

fn agent(id: &str) -> VerifiedIdentity {
    SpiffeId::parse(id).unwrap().dangerous().assume_verified()
}

fn builder(sink: Sink) -> AuthorizerBuilder<Ready> {
    Authorizer::builder()
        .policy(testing::baseline())
        .identity(testing::identity_key())
        .sink(sink)
        .with_clock(testing::clock())
        .with_paths(PurePaths::new())
}

fn verify(ndjson: &str) -> Verified {
    Verifier::new(testing::trusted_key()).verify(ndjson.as_bytes()).expect("the lines verify")
}

fn reasons<A: Action>(decision: &Decision<A>) -> Vec<&'static str> {
    decision.reasons().iter().map(|reason| reason.code()).collect()
}

/// Asks and gives the permit back, if there is one.
fn ask<A: Action>(session: &Session, action: A) -> Vec<&'static str> {
    reasons(&session.authorize(action).unwrap())
}

fn permit(session: &Session) -> Permit<ReadData> {
    session.authorize(ReadData::new("a")).unwrap().permit().expect("reading is allowed")
}

fn done<A>(_: A) -> Result<(), std::io::Error> {
    Ok(())
}

fn is_misuse<T>(result: Result<T, AuthorizeError>) -> bool {
    matches!(result, Err(AuthorizeError::Misuse(_)))
}

/// Runs `body` on a thread of its own and fails, rather than hang, when it takes too long.
fn within<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || drop(sender.send(body())));
    match receiver.recv_timeout(Duration::from_secs(20)) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().unwrap_err())
        }
    }
}

/// Runs a future that somebody must wake: a wake-up that is lost is a hang.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}

// What actions are made of.

#[test]
fn a_url_that_parsers_read_differently_is_opaque() {
    let fixture = Fixture::new(support::bundle(PERMIT_ALL));
    let rest = r#""do": {"apis": ["GET https://api.example.org/**"]},
        "reach": {"connect": ["api.example.org:443"]},
        "limits": {"denials": 100, "per_minute": 1000}"#;
    let session = open(&fixture.authorizer, rest);
    for url in [
        r"https://api.example.org\v1\@evil.org/x",
        r"https://api.example.org/v1\x",
        r"https:\\api.example.org/v1/x",
        "https:/api.example.org/v1/x",
        "https:api.example.org/v1/x",
        "https:/api.example.org/v1/x://y",
        "https:api.example.org/v1/x://y",
        "https:///api.example.org/v1/x",
        "//api.example.org/v1/x",
        " https://api.example.org/v1/x",
        "https://api.example.org/v1/x ",
        "https://evil.org@api.example.org/v1/x",
        "https://@api.example.org/v1/x",
        "https://api.example.org/v1/@x",
    ] {
        let found = ask(&session, ApiCall::new("GET", url));
        assert!(found.contains(&"action.url"), "{url:?}: {found:?}");
    }
    for url in ["\thttps://api.example.org/v1/x", "https://api.example.org/v1/x\n"] {
        let found = ask(&session, ApiCall::new("GET", url));
        let opaque = ["action.invisible_character", "action.url"];
        assert!(found.iter().any(|reason| opaque.contains(reason)), "{url:?}: {found:?}");
    }
    for url in ["https://api.example.org/v1/x?to=a@b.org", "https://api.example.org/v1/x#@evil.org"]
    {
        assert_eq!(ask(&session, ApiCall::new("GET", url)), Vec::<&str>::new(), "{url:?}");
    }
}

#[test]
fn a_flag_is_seen_however_many_arguments_stand_before_it() {
    let forbid = r#"@id("f") forbid(principal, action == Action::"Exec", resource)
        when { context.argv.contains("--nicehash") };"#;
    let fixture = Fixture::new(permits_all_but(forbid));
    let limits = r#""limits": {"denials": 100}"#;
    let session = open(&fixture.authorizer, &format!(r#""do": {{"programs": ["git"]}}, {limits}"#));
    let exec = |args: Vec<String>| ask(&session, Exec::new("git").args(args).nothing_else());
    let flag = || "--nicehash".to_owned();
    for before in [0, 1, 63, 64, 65, 1000] {
        let distinct = (0..before).map(|n| format!("-{n}")).chain([flag()]).collect();
        assert_eq!(exec(distinct), ["policy.forbid"], "{before} distinct ones before");
        let same = (0..before * 4).map(|_| "-v".to_owned()).chain([flag()]).collect();
        assert_eq!(exec(same), ["policy.forbid"], "{before} × 4 times the same before");
    }
    let crowd = |count| (0..count).map(|n| format!("-{n}")).collect::<Vec<_>>();
    assert_eq!(exec(crowd(1000)), Vec::<&str>::new());
    assert_eq!(exec(crowd(1100)), ["action.too_large"]);
}

/// Any effect of any kind on the resource `x`: what a careless host may write by hand.
struct ByHand(Kind);

impl Action for ByHand {
    fn kind(&self) -> Cow<'static, str> {
        "ByHand".into()
    }
    fn describe(&self) -> Value {
        Value::Null
    }
    fn effects(&self, _: &EffectContext<'_>, effects: &mut Effects) {
        effects.push(Effect::new(self.0.clone(), Target::Resource("x".into())));
    }
}

fn by_hand(name: &str, domain: Domain) -> ByHand {
    ByHand(Kind::Host { name: name.to_owned().into(), domain })
}

struct Rot;

impl HostAction for Rot {
    const SPEC: ActionSpec = ActionSpec {
        kind: "Rot",
        domain: Domain::Infrastructure,
        reversibility: Reversibility::Reversible,
        facts: &[],
    };
}

const GRANT_ROT: &str = r#""do": {"actions": [{"kind": "Rot", "target": "**"}]}"#;

#[test]
fn a_kind_by_hand_must_be_registered_in_that_domain() {
    let registered = load("", "", Authored::with_action::<Rot>).unwrap();
    let session = open(&Fixture::new(registered).authorizer, GRANT_ROT);
    assert_eq!(ask(&session, by_hand("Rot", Domain::Infrastructure)), Vec::<&str>::new());
    assert_eq!(ask(&session, by_hand("Rot", Domain::Data)), ["action.unknown_kind"]);

    let session = open(&Fixture::new(support::bundle(PERMIT_ALL)).authorizer, GRANT_ROT);
    assert_eq!(ask(&session, by_hand("Rot", Domain::Infrastructure)), ["action.unknown_kind"]);
}

#[test]
fn a_kind_that_only_the_schema_declares_is_not_registered() {
    let declared = r#"action "Rot" in ["infrastructure"] appliesTo {
        principal: Agent, resource: Resource,
        context: { now: Long, task: String, purpose: String, environment: String,
            provenance: String, reversibility: String, labels: Set<String>,
            approvals: Set<String>, counters: Counters } };"#;
    // Refusing the schema would do as well.
    let Ok(bundle) = load("", declared, |bundle| bundle) else { return };
    let session = open(&Fixture::new(bundle).authorizer, GRANT_ROT);
    assert_eq!(ask(&session, by_hand("Rot", Domain::Infrastructure)), ["action.unknown_kind"]);
    assert_eq!(ask(&session, by_hand("Rot", Domain::Data)), ["action.unknown_kind"]);
}

#[test]
fn a_kind_with_a_monstrous_name_is_denied_on_record() {
    let fixture = Fixture::new(support::bundle(PERMIT_ALL));
    let session = fixture.session();
    for name in ["x".repeat(3000), "a\nb".to_owned(), String::new()] {
        let before = fixture.sink.len();
        let decision = session.authorize(by_hand(&name, Domain::Data)).unwrap();
        assert!(matches!(decision, Decision::Deny(_)));
        assert_eq!(fixture.sink.len(), before + 1);
    }
    drop(permit(&session));
    session.close().unwrap();
    assert_eq!(verify(&fixture.sink.to_ndjson()).sessions[0].denied, 3);
}

// What policies can rely on.

/// Forbids `action` on each of `conditions`, once as the head says it and once as the body does.
fn forbids<'a>(
    action: &str,
    conditions: impl IntoIterator<Item = (&'a str, String)>,
) -> (Enforced, Vec<Box<str>>) {
    let (mut policies, mut ids) = (String::new(), Vec::new());
    for (number, (variable, condition)) in conditions.into_iter().enumerate() {
        let head = match variable {
            "principal" => format!("{condition}, {action}, resource"),
            _ => format!("principal, {action}, {condition}"),
        };
        let body = format!("principal, {action}, resource) when {{ {condition} }}");
        policies += &format!("@id(\"{number}-head\") forbid({head});\n");
        policies += &format!("@id(\"{number}-when\") forbid({body};\n");
        ids.extend([format!("{number}-head").into(), format!("{number}-when").into()]);
    }
    (permits_all_but(&policies), ids)
}

#[test]
fn a_forbid_on_a_class_bites_whichever_level_the_scope_names() {
    let levels = ["spiffe://example.org/agent", CODER, INSTANCE];
    let below = |class| ("principal", format!(r#"principal in AgentClass::"{class}""#));
    let (bundle, all) = forbids("action", levels.map(below));
    let fixture = Fixture::new(bundle);
    for named in levels {
        let scope = scope_for(named, r#""touch": {"read": ["/srv/web/**"]}"#);
        let session = fixture.authorizer.open(&scope, agent(INSTANCE)).unwrap();
        let decision = session.authorize(ReadData::new("a")).unwrap();
        assert_eq!(reasons(&decision), ["policy.forbid"], "scope for {named}");
        assert_eq!(decision.effects()[0].policies, all, "scope for {named}");
    }
    // A prefix of the text that is none of the path.
    let (bundle, _) = forbids("action", [below("spiffe://example.org/agent/cod")]);
    drop(permit(&Fixture::new(bundle).session()));
}

#[test]
fn a_forbid_on_the_class_or_domain_of_a_spawned_agent_bites() {
    let groups = [
        r#"AgentClass::"spiffe://evil.org/x""#,
        r#"AgentClass::"spiffe://evil.org/x/y""#,
        r#"AgentClass::"spiffe://evil.org/x/y/1""#,
        r#"TrustDomain::"evil.org""#,
    ];
    let below = groups.map(|group| ("resource", format!("resource in {group}")));
    let (bundle, all) = forbids(r#"action == Action::"SpawnAgent""#, below);
    let fixture = Fixture::new(bundle);
    let rest = r#""do": {"spawn": ["spiffe://evil.org/x/y/1", "spiffe://good.org/x/y/1"]}"#;
    let session = open(&fixture.authorizer, rest);
    let decision = session.authorize(SpawnAgent::new("spiffe://evil.org/x/y/1", "t")).unwrap();
    assert_eq!(reasons(&decision), ["policy.forbid"]);
    assert_eq!(decision.effects()[0].policies, all);
    let good = ask(&session, SpawnAgent::new("spiffe://good.org/x/y/1", "t"));
    assert_eq!(good, Vec::<&str>::new());
}

#[test]
fn the_tool_call_action_stands_only_right_of_in() {
    let mut tools = ToolManifest::new();
    let listing = br#"{"tools": [{"name": "t", "inputSchema": {"type": "object",
        "properties": {"a": {"type": "string"}}}}]}"#;
    tools.add_listing("srv", ServerTrust::Untrusted, listing).unwrap();
    let load = |condition: &str| {
        let forbid =
            format!(r#"@id("f") forbid(principal, action, resource) when {{ {condition} }};"#);
        load(&forbid, "", |bundle| bundle.with_tools(tools.clone()))
    };
    for condition in [
        r#"action == Action::"ToolCall""#,
        r#"[Action::"ToolCall"].contains(action)"#,
        r#"(if context.task == "t" then Action::"ToolCall" else Action::"ToolCall") == action"#,
        r#"{"a": Action::"ToolCall"}.a == action"#,
        r#"{"a": action}["a"] == {"a": Action::"ToolCall"}["a"]"#,
        r#"{"a": action} == {"a": Action::"ToolCall"}"#,
        r#"[action] == [Action::"ToolCall"]"#,
        r#"[action].containsAny([Action::"ToolCall"])"#,
        r#"Action::"ToolCall" in Action::"application""#,
    ] {
        let refused = load(condition).unwrap_err().to_string();
        assert!(refused.contains("ToolCall"), "{condition}: {refused}");
    }
    let groups = r#"action in Action::"ToolCall" || action in [Action::"ToolCall", Action::"Pay"]"#;
    assert!(load(groups).is_ok());
}

#[test]
fn an_entity_that_a_policy_looks_into_must_exist_however_it_gets_there() {
    for condition in [
        r#"Team::"missing" in Team::"root""#,
        r#"(if context.now > 0 then Team::"missing" else Team::"other") in Team::"root""#,
        r#"{"t": Team::"missing"}.t in Team::"root""#,
        r#"{"t": Team::"missing"}["t"] in [Team::"root"]"#,
        r#"{"t": Team::"missing"}.t has budget"#,
        r#"(if context.now > 0 then {"t": Team::"missing"} else {"t": Team::"other"}).t has budget"#,
    ] {
        let forbid = format!(
            r#"@id("f") forbid(principal, action in Action::"data", resource) when {{ {condition} }};"#
        );
        let loaded = load(&forbid, "entity Team in [Team] { budget?: Long };", |bundle| bundle);
        let refused = loaded.unwrap_err().to_string();
        assert!(refused.contains("missing"), "{condition}: {refused}");
    }
}

/// The files of a bundle that lets scopes live for `hours`.
fn scope_hours(hours: u32) -> Enforced {
    let mut files = support::files(PERMIT_ALL);
    let limits = format!(r#""name": "test", "limits": {{"scope_hours": {hours}}},"#);
    files[0].1 = files[0].1.replace(r#""name": "test","#, &limits);
    Authored::from_files(files).unwrap().load().unwrap()
}

#[test]
fn waiting_does_not_shorten_a_scope_that_is_too_long() {
    // The scope holds from 08:00 to 11:00; it is 09:00.
    let fixture = Fixture::new(scope_hours(2));
    for _ in 0..2 {
        let refused = fixture.authorizer.open(&testing::scope(), testing::agent());
        assert!(matches!(refused, Err(OpenError::TooLong { hours: 2 })), "{refused:?}");
        fixture.clock.advance(3_600_000);
    }
    drop(Fixture::new(scope_hours(3)).session());
}

#[test]
#[cfg(unix)]
fn a_scope_is_resolved_anew_when_it_is_opened_anew() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let link = root.join("web");
    for name in ["one", "two"] {
        std::fs::create_dir(root.join(name)).unwrap();
        std::fs::write(root.join(name).join("x"), "x").unwrap();
    }
    std::os::unix::fs::symlink(root.join("one"), &link).unwrap();
    let authorizer = Authorizer::builder()
        .policy(support::bundle(PERMIT_ALL))
        .identity(testing::identity_key())
        .sink(Sink::blocking(MemorySink::new()))
        .with_clock(testing::clock())
        .build()
        .unwrap();
    let rest = format!(r#""touch": {{"read": ["{}/**"]}}"#, link.display());
    let text = format!(
        r#"{{"scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
        "agent": "{CODER}", "expires": "2026-11-21T10:00:00Z", "workspace": "{}", {rest}}}"#,
        link.display()
    );
    let scope = testing::trusted(&text).unwrap();
    let may_read = |session: &Session, place: &str| {
        let path = root.join(place).join("x");
        session.authorize(ReadData::new(path.to_str().unwrap())).unwrap().is_allow()
    };
    let first = authorizer.open(&scope, testing::agent()).unwrap();
    assert!(may_read(&first, "one") && may_read(&first, "web") && !may_read(&first, "two"));
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(root.join("two"), &link).unwrap();
    let second = authorizer.open(&scope, testing::agent()).unwrap();
    assert!(may_read(&second, "two") && may_read(&second, "web") && !may_read(&second, "one"));
    assert!(second.authorize(ReadData::new("x")).unwrap().is_allow(), "relative to the workspace");
    // The first session keeps to what it was opened on.
    assert!(may_read(&first, "one") && !may_read(&first, "two") && !may_read(&first, "web"));
}

// Budgets.

const EGRESS: &str = r#""reach": {"connect": ["git.example.org:443"]},
    "touch": {"read": ["/srv/web/**"], "export": [{"from": "/srv/web/**", "to": "warehouse/**"}]},"#;

fn with_budget(fixture: &Fixture, bytes: u64) -> Session {
    let limits = format!(r#""limits": {{"egress_bytes": {bytes}, "denials": 100}}"#);
    open(&fixture.authorizer, &format!("{EGRESS} {limits}"))
}

fn connect() -> Connect {
    Connect::new("git.example.org", 443)
}

fn export() -> ExportData {
    ExportData::to_named("a", "warehouse/a")
}

#[test]
fn an_empty_budget_lets_connections_out_and_no_declared_byte() {
    let fixture = Fixture::new(support::bundle(PERMIT_ALL));
    let session = with_budget(&fixture, 0);
    let one = session.authorize(connect()).unwrap();
    let two = session.authorize(connect()).unwrap();
    assert!(one.is_allow() && two.is_allow());
    assert_eq!(ask(&session, connect().sends_bytes(1)), ["limit.egress_bytes"]);
    assert_eq!(ask(&session, export().sends_bytes(1)), ["limit.egress_bytes"]);
}

#[test]
fn a_larger_budget_never_allows_less() {
    let fixture = Fixture::new(support::bundle(PERMIT_ALL));
    let session = with_budget(&fixture, 100);
    let first = session.authorize(connect()).unwrap().permit().unwrap();
    let second = session.authorize(connect()).unwrap().permit().unwrap();
    assert_eq!(ask(&session, connect().sends_bytes(1)), ["limit.egress_bytes"]);
    assert_eq!(ask(&session, export().sends_bytes(1)), ["limit.egress_bytes"]);
    assert_eq!(ask(&session, export()), ["limit.egress_bytes"]);
    let sends = |bytes: u64| {
        move |granted: countersign::authorizer::Granted<Connect>| {
            granted.sent_bytes(bytes);
            Ok::<_, std::io::Error>(())
        }
    };
    second.run(sends(0)).unwrap();
    assert_eq!(ask(&session, connect().sends_bytes(1)), ["limit.egress_bytes"]);
    first.run(sends(40)).unwrap();
    assert_eq!(ask(&session, connect().sends_bytes(61)), ["limit.egress_bytes"]);
    assert_eq!(ask(&session, connect().sends_bytes(60)), Vec::<&str>::new());
}

#[test]
fn what_did_not_end_well_gives_no_budget_back() {
    let fixture = Fixture::new(support::bundle(PERMIT_ALL));
    let start = |session: &Session| {
        let decision = session.authorize(connect().sends_bytes(100)).unwrap();
        decision.permit().unwrap().start().unwrap()
    };
    let session = with_budget(&fixture, 100);
    let (granted, running) = start(&session);
    granted.sent_bytes(1);
    drop(running);
    assert_eq!(ask(&session, connect().sends_bytes(1)), ["limit.egress_bytes"], "unfinished");

    let session = with_budget(&fixture, 100);
    let (granted, running) = start(&session);
    let panics = std::panic::AssertUnwindSafe(move || {
        let _running = running;
        granted.sent_bytes(1);
        panic!("a tool that panics")
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(ask(&session, connect().sends_bytes(1)), ["limit.egress_bytes"], "panicked");

    let session = with_budget(&fixture, 100);
    let (granted, running) = start(&session);
    granted.sent_bytes(1);
    running.report(true).unwrap();
    assert_eq!(ask(&session, connect().sends_bytes(99)), Vec::<&str>::new(), "reported");
}

// Permits.

const MEMORY: &str = r#""touch": {"read": ["/srv/web/**"], "memory": {"write": ["task/*"]}}"#;

#[test]
fn a_hoarded_permit_is_void_once_a_new_class_was_touched() {
    let fixture = Fixture::new(support::bundle(PERMIT_ALL));
    let session = open(&fixture.authorizer, MEMORY);
    let hoard = || session.authorize(WriteMemory::new("task/a", "x")).unwrap().permit().unwrap();
    let read = || {
        let secret = session.authorize(ReadData::new("key").classes(["secret"])).unwrap();
        secret.permit().unwrap().run(done).unwrap();
    };
    let hoarded = hoard();
    read();
    let mut ran = false;
    let result = hoarded.run(|_| {
        ran = true;
        done(())
    });
    assert!(matches!(result, Err(RunError::Expired)) && !ran, "{result:?}");

    let hoarded = hoard();
    read();
    hoarded.run(done).expect("nothing new was touched");

    let hoarded = hoard();
    session.add_label("pii").unwrap();
    assert!(matches!(hoarded.run(done), Err(RunError::Expired)));
    session.close().unwrap();
    let verified = verify(&fixture.sink.to_ndjson());
    assert_eq!(verified.sessions[0].pending.len(), 0);
}

#[test]
fn the_permit_that_touches_a_class_is_not_void_by_it() {
    let fixture = Fixture::new(support::bundle(PERMIT_ALL));
    let session = open(&fixture.authorizer, MEMORY);
    let decision = session.authorize(ReadData::new("key").classes(["secret"])).unwrap();
    decision.permit().unwrap().run(done).unwrap();
}

#[test]
fn a_hoarded_permit_is_void_once_the_bundle_was_reloaded() {
    let fixture = Fixture::new(support::bundle(PERMIT_ALL));
    let session = fixture.session();
    let hoarded = permit(&session);
    fixture.authorizer.reload(&permits_all_but(
        r#"@id("f") forbid(principal, action == Action::"ReadData", resource);"#,
    ));
    assert!(matches!(hoarded.run(done), Err(RunError::Expired)));
    assert_eq!(ask(&session, ReadData::new("a")), ["policy.forbid"]);
    session.close().unwrap();
    assert_eq!(verify(&fixture.sink.to_ndjson()).sessions[0].pending.len(), 0);
}

// The record.

#[test]
fn a_cause_must_stand_on_the_chain() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let caused = |seq| session.authorize_with(ReadData::new("a"), &Call::new().cause(seq));
    drop(permit(&session));
    // Begin, receipt and outcome stand at 0, 1 and 2.
    for beyond in [3, 4, 999_999, 1 << 53, u64::MAX] {
        assert!(is_misuse(caused(beyond)), "{beyond}");
    }
    assert!(caused(1).unwrap().is_allow());
    session.close().unwrap();
    assert_eq!(verify(&fixture.sink.to_ndjson()).sessions[0].allowed, 2);
}

/// Builds an authorizer that goes on with what `sink` holds.
fn resumed(sink: &Arc<MemorySink>, bundle: &Enforced) -> (Verified, Authorizer) {
    let stored = verify(&sink.to_ndjson());
    let authorizer = Authorizer::builder()
        .policy(bundle.clone())
        .identity(testing::identity_key())
        .sink(Sink::blocking(Arc::clone(sink)))
        .with_clock(testing::clock())
        .with_paths(PurePaths::new())
        .with_resume(stored.journal_position())
        .build()
        .unwrap();
    (stored, authorizer)
}

/// A session that read a secret and was left open.
fn left_open(bundle: &Enforced) -> (Arc<MemorySink>, SessionId) {
    let fixture = Fixture::new(bundle.clone());
    let session = fixture.session();
    let secret = session.authorize(ReadData::new("key").classes(["secret"])).unwrap();
    secret.permit().unwrap().run(done).unwrap();
    (fixture.sink, session.id())
}

#[test]
fn what_a_session_has_read_outlives_the_process() {
    let bundle = permits_all_but(
        r#"@id("leak") forbid(principal, action == Action::"Connect", resource)
            when { context.labels.contains("secret") };"#,
    );
    let (sink, id) = left_open(&bundle);
    let (stored, authorizer) = resumed(&sink, &bundle);
    let session = authorizer.resume(&stored, id, &testing::scope(), testing::agent()).unwrap();
    assert_eq!(ask(&session, connect()), ["policy.forbid"]);
    drop((session, authorizer));
    // Once more, though the last receipt is one of this epoch.
    let (stored, authorizer) = resumed(&sink, &bundle);
    let session = authorizer.resume(&stored, id, &testing::scope(), testing::agent()).unwrap();
    assert_eq!(ask(&session, connect()), ["policy.forbid"]);
}

#[test]
fn a_session_is_resumed_once_in_an_epoch() {
    let bundle = support::bundle(PERMIT_ALL);
    let (sink, id) = left_open(&bundle);
    let (stored, authorizer) = resumed(&sink, &bundle);
    let resume = || authorizer.resume(&stored, id, &testing::scope(), testing::agent());
    let session = resume().unwrap();
    assert!(matches!(resume(), Err(OpenError::Resume(_))));
    drop(permit(&session));
    session.close().unwrap();
    assert!(matches!(resume(), Err(OpenError::Resume(_))));
    assert!(verify(&sink.to_ndjson()).session(id).unwrap().closed.is_some());
}

#[test]
fn a_broken_clock_loses_nothing() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let unused = permit(&session);
    fixture.clock.set_broken(true);
    session.head().unwrap();
    fixture.clock.set_broken(false);
    drop(permit(&session));
    fixture.clock.set_broken(true);
    session.close().unwrap();
    drop(unused);
    assert!(matches!(session.close(), Err(AuthorizeError::Closed)));
    fixture.clock.set_broken(false);
    drop(permit(&fixture.session()));
    let verified = verify(&fixture.sink.to_ndjson());
    let first = &verified.sessions[0];
    assert!(first.closed.is_some() && first.pending.is_empty() && first.allowed == 2);
}

#[test]
fn lines_are_proposed_only_to_callers_who_store_them() {
    let sinks = || {
        let blocking = Sink::blocking(MemorySink::new());
        [("blocking", blocking), ("asynchronous", Sink::asynchronous(MemorySink::new()))]
    };
    for (name, sink) in sinks() {
        let refused = builder(sink).propose();
        assert!(matches!(refused, Err(BuildError::Option(_))), "{name}");
    }
    for (name, sink) in sinks() {
        let (authorizer, session) = block_on(async {
            let authorizer = builder(sink).build_async().await.unwrap();
            let session = authorizer.open_async(&testing::scope(), testing::agent()).await;
            (authorizer, session.unwrap())
        });
        let misuse = |error| matches!(error, Err(OpenError::Record(AuthorizeError::Misuse(_))));
        let opened = authorizer.propose_open(&testing::scope(), testing::agent());
        assert!(misuse(opened.map(drop)), "{name}: open");
        assert!(is_misuse(session.propose(ReadData::new("a"), &Call::new())), "{name}: propose");
        assert!(is_misuse(session.propose_head()), "{name}: head");
        assert!(is_misuse(session.propose_close()), "{name}: close");
        block_on(async {
            assert!(session.authorize_async(ReadData::new("a")).await.unwrap().is_allow());
            session.close_async().await.unwrap();
        });
    }
    let bundle = support::bundle(PERMIT_ALL);
    let (sink, id) = left_open(&bundle);
    let (stored, authorizer) = resumed(&sink, &bundle);
    let proposed =
        authorizer.propose_resume(&stored, id, &testing::scope(), testing::agent()).map(drop);
    assert!(matches!(proposed, Err(OpenError::Record(AuthorizeError::Misuse(_)))));
    authorizer.resume(&stored, id, &testing::scope(), testing::agent()).unwrap();
}

// One session does not take the others with it.

#[test]
fn a_session_that_fails_leaves_the_journal_to_the_others() {
    let kept = Arc::new(MemorySink::new());
    let full = Arc::new(AtomicBool::new(false));
    let (store, is_full) = (Arc::clone(&kept), Arc::clone(&full));
    let sink = sink_fn(move |group: &Group| {
        if is_full.load(Ordering::SeqCst) {
            return Err(SinkError::new("no space left on device"));
        }
        ReceiptSink::append(&*store, group)
    });
    let authorizer = builder(Sink::blocking(sink)).build().unwrap();
    let open = || authorizer.open(&testing::scope(), testing::agent()).unwrap();
    let (failing, other) = (open(), open());
    full.store(true, Ordering::SeqCst);
    let error = failing.authorize(ReadData::new("a")).unwrap_err();
    assert!(matches!(error, AuthorizeError::Store(_)), "{error}");
    full.store(false, Ordering::SeqCst);
    assert!(matches!(failing.head(), Err(AuthorizeError::Poisoned)));
    assert!(matches!(failing.close(), Err(AuthorizeError::Poisoned)));
    other.head().unwrap();
    other.close().unwrap();
    let third = open();
    drop(permit(&third));
    third.close().unwrap();
    let verified = verify(&kept.to_ndjson());
    let closed: Vec<bool> = verified.sessions.iter().map(|one| one.closed.is_some()).collect();
    assert_eq!(closed, [false, true, true]);
}

#[test]
fn a_head_that_waits_for_a_group_that_fails_leaves_the_journal_to_the_others() {
    within(|| {
        let (storing, stores) = mpsc::channel();
        let (fail, failing_now) = mpsc::channel::<()>();
        let (armed, channels) = (Arc::new(AtomicBool::new(false)), Mutex::new(failing_now));
        let is_armed = Arc::clone(&armed);
        let sink = sink_fn(move |_: &Group| {
            if !is_armed.swap(false, Ordering::SeqCst) {
                return Ok(());
            }
            storing.send(()).unwrap();
            channels.lock().unwrap().recv().unwrap();
            Err(SinkError::new("no space left on device"))
        });
        let authorizer = builder(Sink::blocking(sink)).build().unwrap();
        let open = || authorizer.open(&testing::scope(), testing::agent()).unwrap();
        let (failing, other) = (open(), open());
        armed.store(true, Ordering::SeqCst);
        std::thread::scope(|threads| {
            let call = threads.spawn(|| failing.authorize(ReadData::new("a")).map(drop));
            stores.recv().unwrap();
            let head = threads.spawn(|| failing.head());
            // Long enough for the head to stand in line; whether it does is not what is tested.
            std::thread::sleep(Duration::from_millis(300));
            fail.send(()).unwrap();
            assert!(matches!(call.join().unwrap(), Err(AuthorizeError::Store(_))));
            assert!(matches!(head.join().unwrap(), Err(AuthorizeError::Poisoned)));
        });
        other.head().unwrap();
        other.close().unwrap();
        open().close().unwrap();
    });
}

#[test]
fn the_journal_does_not_account_for_lines_that_wait() {
    let mut stored = String::new();
    let mut keep = |group: &Group| group.write_ndjson(&mut stored);
    let pending = builder(Sink::Caller).propose().unwrap();
    keep(pending.group());
    let authorizer = pending.recorded().unwrap();
    let open = |keep: &mut dyn FnMut(&Group)| {
        let pending = authorizer.propose_open(&testing::scope(), testing::agent()).unwrap();
        keep(pending.group());
        pending.recorded().unwrap()
    };
    let (failing, other) = (open(&mut keep), open(&mut keep));

    // The head waits for nobody: it is asked for again once the group was answered.
    let group = other.propose(ReadData::new("a"), &Call::new()).unwrap();
    assert!(is_misuse(other.propose_head()));
    assert!(is_misuse(other.propose_close()));
    keep(group.group());
    let decision = group.recorded().unwrap();
    let head = other.propose_head().unwrap();
    keep(head.group());
    head.recorded().unwrap();

    failing.propose(ReadData::new("a"), &Call::new()).unwrap().failed();
    let refused = failing.propose_head();
    assert!(matches!(refused, Err(AuthorizeError::Poisoned)), "{refused:?}");
    drop(decision);
    for outcome in other.take_unstored() {
        keep(outcome.group());
        outcome.recorded().unwrap();
    }
    let close = other.propose_close().unwrap();
    keep(close.group());
    close.recorded().unwrap();
    drop(open(&mut keep));
    let verified = verify(&stored);
    let closed: Vec<bool> = verified.sessions.iter().map(|one| one.closed.is_some()).collect();
    assert_eq!(closed, [false, true, false]);
}

// Nothing hangs.

/// Has no effect, and another thread drops a permit when it is dropped.
struct DropsElsewhere(Option<Permit<ReadData>>);

impl Action for DropsElsewhere {
    fn kind(&self) -> Cow<'static, str> {
        "DropsElsewhere".into()
    }
    fn describe(&self) -> Value {
        Value::Null
    }
    fn effects(&self, _: &EffectContext<'_>, _: &mut Effects) {}
}

impl Drop for DropsElsewhere {
    fn drop(&mut self) {
        let permit = self.0.take();
        std::thread::spawn(move || drop(permit)).join().unwrap();
    }
}

#[test]
fn a_permit_dropped_by_another_thread_does_not_hang_a_task() {
    let stored = within(|| {
        let sink = Arc::new(MemorySink::new());
        block_on(async {
            let asynchronous = Sink::asynchronous(Arc::clone(&sink));
            let authorizer = builder(asynchronous).build_async().await.unwrap();
            let session = authorizer.open_async(&testing::scope(), testing::agent()).await.unwrap();
            let permit = session.authorize_async(ReadData::new("a")).await.unwrap().permit();
            let decision = session.authorize_async(DropsElsewhere(permit)).await.unwrap();
            assert!(!decision.is_allow());
            session.close_async().await.unwrap();
        });
        sink.to_ndjson()
    });
    let verified = verify(&stored);
    assert!(verified.sessions[0].closed.is_some() && verified.sessions[0].pending.is_empty());
}

#[test]
fn tasks_that_drop_permits_side_by_side_do_not_hang() {
    let stored = within(|| {
        let sink = Arc::new(MemorySink::new());
        let authorizer = builder(Sink::asynchronous(Arc::clone(&sink)));
        let authorizer = block_on(authorizer.build_async()).unwrap();
        let rest = r#""touch": {"read": ["/srv/web/**"]},
            "limits": {"actions": 100000, "per_minute": 100000}"#;
        let scope = scope_for(CODER, rest);
        let session = block_on(authorizer.open_async(&scope, testing::agent())).unwrap();
        std::thread::scope(|threads| {
            for _ in 0..6 {
                threads.spawn(|| {
                    for _ in 0..60 {
                        drop(block_on(session.authorize_async(ReadData::new("a"))).unwrap());
                    }
                });
            }
        });
        block_on(session.close_async()).unwrap();
        sink.to_ndjson()
    });
    let verified = verify(&stored);
    assert_eq!((verified.sessions[0].allowed, verified.sessions[0].pending.len()), (360, 0));
}

type InTheSink = Box<dyn FnOnce() + Send>;

/// Does something, once, in the middle of storing.
#[derive(Default)]
struct Meddling {
    kept: MemorySink,
    meddle: Mutex<Option<InTheSink>>,
}

impl std::fmt::Debug for Meddling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddling")
    }
}

impl ReceiptSink for Meddling {
    fn append(&self, group: &Group) -> Result<(), SinkError> {
        let meddle = self.meddle.lock().unwrap().take();
        if let Some(meddle) = meddle {
            meddle();
        }
        ReceiptSink::append(&self.kept, group)
    }
}

#[test]
fn a_permit_dropped_inside_the_sink_is_recorded_with_the_next_call() {
    let stored = within(|| {
        let sink = Arc::new(Meddling::default());
        let authorizer = builder(Sink::blocking(Arc::clone(&sink))).build().unwrap();
        let session = authorizer.open(&testing::scope(), testing::agent()).unwrap();
        let dropped = permit(&session);
        *sink.meddle.lock().unwrap() = Some(Box::new(move || drop(dropped)));
        permit(&session).run(done).unwrap();
        let next = permit(&session);
        assert_eq!(sink.kept.to_ndjson().matches("\"status\":\"unused\"").count(), 1);
        next.run(done).unwrap();
        session.close().unwrap();
        sink.kept.to_ndjson()
    });
    let verified = verify(&stored);
    assert_eq!((verified.sessions[0].allowed, verified.sessions[0].pending.len()), (3, 0));
}

#[test]
fn asking_inside_the_sink_is_misuse() {
    let (answered, stored) = within(|| {
        let sink = Arc::new(Meddling::default());
        let authorizer = builder(Sink::blocking(Arc::clone(&sink))).build().unwrap();
        let session = authorizer.open(&testing::scope(), testing::agent()).unwrap();
        let (sender, answer) = mpsc::channel();
        let inner = session.clone();
        *sink.meddle.lock().unwrap() = Some(Box::new(move || {
            sender.send(inner.authorize(ReadData::new("b")).map(drop)).unwrap();
        }));
        drop(permit(&session));
        drop(permit(&session));
        session.close().unwrap();
        (answer.recv().unwrap(), sink.kept.to_ndjson())
    });
    assert!(matches!(answered, Err(AuthorizeError::Misuse(_))), "{answered:?}");
    let verified = verify(&stored);
    assert_eq!((verified.sessions[0].allowed, verified.sessions[0].pending.len()), (2, 0));
}

// Files.

#[test]
fn a_file_with_lines_is_not_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("receipts.ndjson");
    let first = FileSink::create(&path, Durability::ProcessCrash).unwrap();
    let authorizer = builder(Sink::blocking(first)).build().unwrap();
    drop(authorizer.open(&testing::scope(), testing::agent()).unwrap());
    drop(authorizer);
    let before = std::fs::read(&path).unwrap();
    let again = FileSink::append_to(&path, Durability::ProcessCrash).unwrap();
    let refused = builder(Sink::blocking(again)).build();
    assert!(refused.is_err());
    assert!(std::fs::read(&path).unwrap() == before, "the file is as it was");

    let stored = verify(std::str::from_utf8(&before).unwrap());
    let again = FileSink::append_to(&path, Durability::ProcessCrash).unwrap();
    let resumed = builder(Sink::blocking(again)).with_resume(stored.journal_position());
    drop(resumed.build().unwrap());
    assert_eq!(verify(&std::fs::read_to_string(&path).unwrap()).journal.position.epoch, 2);
}

#[test]
fn what_a_call_reads_counts_for_what_it_sends() {
    let policies = r#"
        @id("all") permit(principal, action, resource);
        @id("leak") forbid(principal, action == Action::"Connect", resource)
            when { context.labels.contains("secret") };"#;
    let fixture = Fixture::new(support::bundle(policies));
    let session = fixture.session();
    let read = ReadData::new("key").classes(["secret"]);
    let sends = Exec::new("git").and(read).and(Connect::new("git.example.org", 443)).nothing_else();
    let decision = session.authorize(sends).unwrap();
    assert_eq!(decision.reasons()[0].code(), "policy.forbid");
    // What was denied was not read.
    assert!(session.authorize(Connect::new("git.example.org", 443)).unwrap().is_allow());
}

#[test]
fn an_action_that_a_condition_looks_into_is_refused() {
    let policies = r#"@id("all") permit(principal, action, resource);
        @id("f") forbid(principal, action, resource) when { Action::"ReadData" in Action::"data" };"#;
    let bundle = countersign::policy::Authored::from_files(support::files(policies)).unwrap();
    assert!(bundle.load().unwrap_err().to_string().contains("not in the store"));
}

#[test]
fn text_that_reads_otherwise_than_it_is_is_refused() {
    for hidden in ["//\r((", "\u{202e}", "\u{200b}", "\u{2003}", "\u{b}"] {
        let policies = format!("// {hidden}\n@id(\"all\") permit(principal, action, resource);");
        let mut files = support::files(r#"@id("all") permit(principal, action, resource);"#);
        files[2].1 = policies;
        let bundle = countersign::policy::Authored::from_files(files).unwrap();
        let error = bundle.load().unwrap_err().to_string();
        assert!(error.contains("invisible character"), "{hidden:?}: {error}");
    }
}

#[test]
fn a_case_cannot_hide_behind_a_uid() {
    let mut files = support::files(r#"@id("all") permit(principal, action, resource);"#);
    files[3].1 = files[3].1.replace("{\"request\"", "{\"uid\": 1, \"request\"");
    let bundle = countersign::policy::Authored::from_files(files).unwrap();
    assert!(bundle.load().is_err());
}
