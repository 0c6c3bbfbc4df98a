//! What a session has done decides what it may still do: limits, counters, labels, tiers; and the same
//! after a restart, and when it is decided again.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use countersign::action::path::PurePaths;
use countersign::action::{
    ApiCall, Connect, Domain, Effect, ExportData, Pay, ReadData, RecallMemory, SendMessage,
    ToolCall, TriggerWorkflow, UseSecret, WriteData,
};
use countersign::audit::replay::{OpeningMap, Replayer};
use countersign::governance::temporal::{Event, History, Temporal, Verdict};
use countersign::policy::{Authored, Enforced};
use countersign::receipt::{MemorySink, SessionId, Verifier};
use countersign::scope::TrustedScope;
use countersign::session::OpenError;
use countersign::shell::{Shell, ShellEnv};
use countersign::testing::{self, TestClock};
use countersign::tool::{ServerTrust, ToolManifest};
use countersign::value::Value;
use countersign::{Action, Authorizer, Decision, Reason, Session, Sink};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::gate::{self, Bundle};

/// One bundle and one scope, and all that they have stored.
struct House {
    bundle: Enforced,
    scope: TrustedScope,
    sink: Arc<MemorySink>,
    clock: TestClock,
    engine: bool,
}

impl House {
    fn new(bundle: &Bundle, scope: &str) -> Self {
        let bundle = bundle.load().unwrap_or_else(|error| panic!("{error:?}"));
        let scope = testing::trusted(scope).unwrap();
        Self {
            bundle,
            scope,
            sink: Arc::new(MemorySink::new()),
            clock: testing::clock(),
            engine: false,
        }
    }

    fn authorizer(&self) -> Authorizer {
        let builder = Authorizer::builder()
            .policy(self.bundle.clone())
            .identity(testing::identity_key())
            .sink(Sink::blocking(Arc::clone(&self.sink)))
            .with_environment("test")
            .with_clock(self.clock.clone())
            .with_paths(PurePaths::new());
        let builder = if self.engine { builder.with_temporal(Slowly) } else { builder };
        if self.sink.lines().is_empty() {
            return builder.build().unwrap();
        }
        let stored = Verifier::new(testing::trusted_key());
        let stored = stored.verify(self.sink.to_ndjson().as_bytes()).unwrap();
        builder.with_resume(stored.journal_position()).build().unwrap()
    }

    fn open(&self) -> Session {
        self.authorizer().open(&self.scope, testing::agent()).unwrap()
    }

    /// Goes on after the process has ended.
    fn resume(&self, id: SessionId) -> Session {
        let stored = Verifier::new(testing::trusted_key());
        let stored = stored.verify(self.sink.to_ndjson().as_bytes()).unwrap();
        self.authorizer().resume(&stored, id, &self.scope, testing::agent()).unwrap()
    }

    /// Decides all calls again, which must come out the same.
    fn replay(&self) -> u64 {
        let replayer = Replayer::new(&self.bundle).with_scope(self.scope.scope());
        let openings: OpeningMap = self.sink.openings().into_iter().collect();
        let report = replayer.replay(self.sink.to_ndjson().as_bytes(), openings).report();
        assert!(report.is_same(), "{report}");
        report.calls
    }
}

fn run(session: &Session, action: impl Action) -> String {
    let decision = session.authorize(action).unwrap();
    let outcome = gate::outcome(&decision);
    if let Decision::Allow(permit) = decision {
        permit.run(|_| Ok::<_, Infallible>(())).unwrap();
    }
    outcome
}

fn call(name: &str) -> ToolCall {
    ToolCall::new("srv", name, Value::parse(b"{}", &countersign::value::Limits::ARGUMENTS).unwrap())
}

fn tools(bundle: Bundle) -> Bundle {
    bundle.with_tool("t", "{}", "[]").with_tool("u", "{}", "[]")
}

fn connect() -> Connect {
    Connect::new("a.example", 443)
}

fn euro(amount: &str) -> Pay {
    Pay::new("acc", amount.parse().unwrap(), "EUR")
}

/// The scope that grants nearly everything, with other limits.
fn limited(limits: &str) -> String {
    let head = gate::SCOPE.split_once("\"limits\"").unwrap().0;
    format!("{head}\"limits\": {{\"per_minute\": 1000, \"denials\": 1000, {limits}}}}}")
}

// Limits.

#[test]
fn domains_and_tools_have_limits_of_their_own_across_a_restart() {
    let scope = limited(r#""domains": {"data": 2, "workload": 0}, "tools": {"srv/t": 2}"#);
    let house = House::new(&tools(Bundle::but("")), &scope);
    let session = house.open();
    assert_eq!(run(&session, ReadData::new("a")), "allow");
    assert_eq!(run(&session, call("t")), "allow");
    assert_eq!(run(&session, call("u")), "allow");
    let id = session.id();
    drop(session);
    let session = house.resume(id);
    assert_eq!(run(&session, ReadData::new("a")), "allow");
    assert_eq!(run(&session, ReadData::new("a")), "limit.domain");
    assert_eq!(run(&session, call("t")), "allow");
    assert_eq!(run(&session, call("t")), "limit.tool");
    assert_eq!(run(&session, call("u")), "allow");
    let model = countersign::action::InvokeModel::new("m");
    assert_eq!(run(&session, model), "limit.domain");
    assert_eq!(run(&session, connect()), "allow");
    assert_eq!(house.replay(), 10);
    let after = house.sink.to_ndjson();
    assert!(after.contains(r#""tool:srv/t":2"#), "{after}");
    assert!(!after.contains("tool:srv/u"), "a tool without a limit has no counter");
}

#[test]
fn a_bundle_caps_domains() {
    let manifest = r#"{"bundle": "countersign/bundle/v1", "name": "test",
        "limits": {"domains": {"data": 1, "infrastructure": 2}}}"#;
    let bundle = Bundle::but("").with_file("manifest.json", manifest);
    let house = House::new(&bundle, &limited(r#""domains": {"data": 5, "infrastructure": 1}"#));
    let session = house.open();
    assert_eq!(run(&session, ReadData::new("a")), "allow");
    assert_eq!(run(&session, ReadData::new("a")), "limit.domain");
    assert_eq!(run(&session, connect()), "allow");
    assert_eq!(run(&session, connect()), "limit.domain");
    house.replay();
}

#[test]
fn money_and_rate_go_on_after_a_restart() {
    let scope =
        limited(r#""spend": {"EUR": "10"}"#).replace("\"per_minute\": 1000", "\"per_minute\": 5");
    let house = House::new(&Bundle::but(""), &scope);
    let session = house.open();
    assert_eq!(run(&session, euro("2.5")), "allow");
    assert_eq!(run(&session, euro("1.0001")), "allow");
    let id = session.id();
    drop(session);
    house.clock.advance(59_999);
    let session = house.resume(id);
    assert_eq!(run(&session, euro("6.5")), "limit.spend");
    assert_eq!(run(&session, euro("6.4999")), "allow");
    assert_eq!(run(&session, euro("0.0001")), "limit.spend");
    assert_eq!(run(&session, connect()), "limit.rate", "two and three calls in a minute, and this");
    house.clock.advance(1);
    assert_eq!(run(&session, connect()), "allow", "those before the restart are over");
    house.replay();
}

#[test]
fn recent_domains_and_counters_outlive_the_process() {
    let bundle = Bundle::but(
        r#"@id("recent") forbid(principal, action == Action::"Connect", resource)
            when { context.recent.contains("data") };
        @id("count") forbid(principal, action in Action::"ToolCall", resource)
            when { context.counters.application >= 2 };"#,
    );
    let house = House::new(&tools(bundle), gate::SCOPE);
    let session = house.open();
    assert_eq!(run(&session, connect()), "allow");
    assert_eq!(run(&session, call("t")), "allow");
    assert_eq!(run(&session, ReadData::new("a")), "allow");
    assert_eq!(run(&session, connect()), "policy.forbid");
    let id = session.id();
    drop(session);
    let session = house.resume(id);
    assert_eq!(run(&session, connect()), "policy.forbid");
    assert_eq!(run(&session, call("t")), "allow");
    assert_eq!(run(&session, call("t")), "policy.forbid");
    house.replay();
}

// Labels.

/// The scope that grants nearly everything, in which some data has labels.
fn labelled(labels: &str) -> String {
    gate::SCOPE
        .replace("\"secrets\": [\"**\"]", &format!("\"secrets\": [\"**\"], \"labels\": [{labels}]"))
}

/// A manifest in which the bundle gives labels.
fn giving(labels: &str) -> String {
    format!(r#"{{"bundle": "countersign/bundle/v1", "name": "test", "labels": [{labels}]}}"#)
}

/// Forbids to connect after a secret was touched.
const LEAK: &str = r#"@id("leak") forbid(principal, action in [Action::"Connect", Action::"ExportData"], resource)
    when { context.labels.contains("secret") };"#;

#[test]
fn a_scope_labels_what_is_read() {
    let scope = labelled(
        r#"{"pattern": "/srv/web/secrets/**", "labels": ["secret"]},
           {"pattern": "/srv/web/*.env", "labels": ["secret"]},
           {"pattern": "table:crm.**", "labels": ["secret", "personal"]},
           {"pattern": "object:keys/**", "labels": ["secret"]},
           {"pattern": "memory:private/*", "labels": ["secret"]}"#,
    );
    let house = House::new(&Bundle::but(LEAK), &scope);
    let check = |read: Box<dyn Action>, expected: &str| {
        let session = house.open();
        assert_eq!(run(&session, connect()), "allow");
        assert_eq!(run(&session, read), "allow", "a read by itself is judged by what was before");
        assert_eq!(run(&session, connect()), expected);
    };
    check(Box::new(ReadData::new("src/main.rs")), "allow");
    check(Box::new(ReadData::new("secrets")), "policy.forbid");
    check(Box::new(ReadData::new("secrets/key")), "policy.forbid");
    check(Box::new(ReadData::new("secrets/a/b/key")), "policy.forbid");
    check(Box::new(ReadData::new("src/../secrets/key")), "policy.forbid");
    check(Box::new(ReadData::new("prod.env")), "policy.forbid");
    check(Box::new(ReadData::new("src/prod.env")), "allow");
    check(Box::new(ReadData::new(".").recursive()), "policy.forbid");
    check(Box::new(ReadData::new("src").recursive()), "allow");
    check(Box::new(ReadData::table("crm.orders")), "policy.forbid");
    check(Box::new(ReadData::table("shop.orders")), "allow");
    check(Box::new(ReadData::object("keys/a/b")), "policy.forbid");
    check(Box::new(ReadData::object("web/a")), "allow");
    check(Box::new(RecallMemory::new("private/x")), "policy.forbid");
    check(Box::new(RecallMemory::new("public/x")), "allow");
    check(Box::new(WriteData::new("secrets/key")), "allow");
    house.replay();
}

fn line_of(line: &str) -> Shell {
    let env = ShellEnv::bash("/srv/web").with_harmless_profile().with_plain_names();
    Shell::parse(line, &env.with_no_other_variables())
}

#[test]
fn what_a_shell_line_reads_is_labelled_too() {
    let scope = labelled(r#"{"pattern": "/srv/web/secrets/**", "labels": ["secret"]}"#)
        .replace("\"sh\"]", "\"sh\", \"cat\", \"grep\", \"cd\"]");
    let house = House::new(&Bundle::but(LEAK), &scope);
    let check = |line: &str, expected: &str| {
        let session = house.open();
        let outcome = run(&session, line_of(line));
        assert_eq!(outcome, "allow", "{line}");
        assert_eq!(run(&session, connect()), expected, "{line}");
    };
    check("cat src/main.rs", "allow");
    check("cat secrets/key", "policy.forbid");
    check("cat s*/key", "policy.forbid");
    check("grep -r token .", "policy.forbid");
    check("cd secrets && cat key", "policy.forbid");
    // What is read and sent in one line is judged together.
    let session = house.open();
    let both = line_of("cat secrets/key && curl https://a.example/");
    assert_eq!(run(&session, both), "policy.forbid");
    house.replay();
}

#[test]
fn an_export_is_judged_by_what_it_touches() {
    let scope = labelled(r#"{"pattern": "/srv/web/secrets/**", "labels": ["secret"]}"#);
    let house = House::new(&Bundle::but(LEAK), &scope);
    let session = house.open();
    let export = |path: &str| {
        ExportData::to_host(countersign::action::DataRef::File(path.into()), "a.example", 443)
            .sends_bytes(1)
    };
    assert_eq!(run(&session, export("secrets/key")), "policy.forbid");
    assert_eq!(run(&session, export("src/main.rs")), "allow");
    assert_eq!(run(&session, connect()), "allow", "what was denied touched nothing");
    house.replay();
}

#[test]
fn a_bundle_labels_kinds_and_what_tools_return() {
    let rules = r#"{"kind": "UseSecret", "labels": ["secret"]},
        {"tool": "srv/t", "output": ["untrusted-input", "personal"]}"#;
    let tainted = r#"@id("tainted") forbid(principal, action == Action::"TriggerWorkflow", resource)
        when { context.labels.containsAny(["untrusted-input"]) };"#;
    let bundle =
        tools(Bundle::but(&format!("{LEAK}{tainted}"))).with_file("manifest.json", giving(rules));
    let house = House::new(&bundle, gate::SCOPE);
    let workflow = || TriggerWorkflow::new("w", Value::Null);
    let session = house.open();
    assert_eq!(run(&session, call("u")), "allow");
    assert_eq!(run(&session, workflow()), "allow");
    assert_eq!(run(&session, call("t")), "allow");
    assert_eq!(run(&session, workflow()), "policy.forbid");
    assert_eq!(run(&session, connect()), "allow");
    assert_eq!(run(&session, UseSecret::new("npm/publish", "npm")), "allow");
    assert_eq!(run(&session, connect()), "policy.forbid");
    let id = session.id();
    drop(session);
    let session = house.resume(id);
    assert_eq!(run(&session, workflow()), "policy.forbid");
    assert_eq!(run(&session, connect()), "policy.forbid");
    assert_eq!(house.replay(), 9);
}

#[test]
fn a_rule_for_tools_of_the_open_world_takes_all_of_them() {
    let rules = r#"{"tools": "open_world", "output": ["untrusted-input"]}"#;
    let bundle = tools(Bundle::but(
        r#"@id("tainted") forbid(principal, action, resource)
        when { context.labels.contains("untrusted-input") };"#,
    ));
    let house = House::new(&bundle.with_file("manifest.json", giving(rules)), gate::SCOPE);
    let session = house.open();
    assert_eq!(run(&session, connect()), "allow");
    assert_eq!(run(&session, call("u")), "allow");
    assert_eq!(run(&session, connect()), "policy.forbid");
    house.replay();
}

#[test]
fn a_rule_that_labels_nothing_is_refused() {
    let check = |rule: &str, ok: bool| {
        let bundle = tools(Bundle::but("")).with_file("manifest.json", giving(rule));
        let loaded = bundle.load();
        assert_eq!(loaded.is_ok(), ok, "{rule}: {loaded:?}");
    };
    check(r#"{"kind": "UseSecret", "labels": ["secret"]}"#, true);
    check(r#"{"tool": "srv/t", "output": ["a"]}"#, true);
    check(r#"{"kind": "UseSecrets", "labels": ["secret"]}"#, false);
    check(r#"{"kind": "ToolCall", "labels": ["secret"]}"#, false);
    check(r#"{"kind": "UseSecret", "labels": []}"#, false);
    check(r#"{"kind": "UseSecret", "labels": ["Secret"]}"#, false);
    check(r#"{"kind": "UseSecret", "labels": ["a b"]}"#, false);
    check(r#"{"kind": "UseSecret", "output": ["secret"]}"#, false);
    check(r#"{"kind": "UseSecret"}"#, false);
    check(r#"{"tool": "srv/none", "output": ["a"]}"#, false);
    check(r#"{"tool": "srv/t", "labels": ["a"]}"#, false);
    check(r#"{"tool": "srv/t", "kind": "UseSecret", "labels": ["a"], "output": ["a"]}"#, false);
    check(r#"{"tools": "all", "output": ["a"]}"#, false);
    check("{}", false);
}

#[test]
fn more_labels_than_a_receipt_holds_deny() {
    let names: Vec<String> = (0..60).map(|n| format!("\"l{n:02}\"")).collect();
    let entries: Vec<String> = names
        .chunks(15)
        .map(|labels| {
            format!(r#"{{"pattern": "/srv/web/a/**", "labels": [{}]}}"#, labels.join(","))
        })
        .collect();
    let scope = labelled(&format!(
        r#"{}, {{"pattern": "/srv/web/b", "labels": ["m1", "m2", "m3"]}},
        {{"pattern": "/srv/web/c", "labels": ["n1", "n2"]}}"#,
        entries.join(",")
    ));
    let house = House::new(&Bundle::but(""), &scope);
    let session = house.open();
    assert_eq!(run(&session, ReadData::new("a/x")), "allow");
    assert_eq!(run(&session, ReadData::new("b")), "allow");
    assert_eq!(run(&session, ReadData::new("c")), "session.labels_full");
    assert_eq!(run(&session, ReadData::new("a/y")), "allow");
    assert_eq!(house.replay(), 4);
}

// Risk tiers.

const TIERS: &str = r#"{"bundle": "countersign/bundle/v1", "name": "test", "limits": {"actions": 5},
    "tiers": {"low": {}, "high": {"actions": 2, "permit_seconds": 1, "scope_hours": 3},
              "short": {"scope_hours": 1}}, "default_tier": "high"}"#;

fn tiered(tier: &str) -> String {
    gate::SCOPE.replace("\"workspace\"", &format!("\"tier\": \"{tier}\", \"workspace\""))
}

#[test]
fn a_tier_puts_its_caps_on_a_scope() {
    let bundle = Bundle::but(
        r#"@id("high") forbid(principal, action in Action::"data", resource)
            when { context.tier == "high" };"#,
    );
    let bundle = bundle.with_file("manifest.json", TIERS);
    let check = |scope: &str, read: &str, actions: usize| {
        let house = House::new(&bundle, scope);
        let session = house.open();
        for _ in 0..actions {
            assert_eq!(run(&session, connect()), "allow");
        }
        assert_eq!(run(&session, connect()), "limit.actions");
        drop(session);
        assert_eq!(run(&house.open(), ReadData::new("a")), read);
        house.replay();
    };
    check(&tiered("low"), "allow", 5);
    check(&tiered("high"), "policy.forbid", 2);
    check(gate::SCOPE, "policy.forbid", 2);
}

#[test]
fn a_tier_caps_how_long_a_permit_lives() {
    let late = |tier: &str| {
        let house = House::new(&Bundle::but("").with_file("manifest.json", TIERS), &tiered(tier));
        let permit = house.open().authorize(connect()).unwrap().permit().unwrap();
        house.clock.advance(1_000);
        permit.start().is_err()
    };
    assert!(late("high"));
    assert!(!late("low"));
}

#[test]
fn a_tier_that_the_bundle_does_not_have_is_refused() {
    let bundle = Bundle::but("").with_file("manifest.json", TIERS);
    let open = |bundle: &Bundle, scope: &str| {
        let house = House::new(bundle, scope);
        house.authorizer().open(&house.scope, testing::agent()).map(|_| ())
    };
    assert!(open(&bundle, &tiered("low")).is_ok());
    let refused = open(&bundle, &tiered("other"));
    assert!(matches!(refused, Err(OpenError::Refused(Reason::ScopeTier))), "{refused:?}");
    let refused = open(&Bundle::but(""), &tiered("low"));
    assert!(matches!(refused, Err(OpenError::Refused(Reason::ScopeTier))), "{refused:?}");
    let refused = open(&bundle, &tiered("short"));
    assert!(matches!(refused, Err(OpenError::TooLong { hours: 1 })), "{refused:?}");
    // One that goes while the session lives denies what comes next.
    let house = House::new(&bundle, &tiered("low"));
    let authorizer = house.authorizer();
    let session = authorizer.open(&house.scope, testing::agent()).unwrap();
    assert_eq!(run(&session, connect()), "allow");
    authorizer.reload(&Bundle::but("").load().unwrap());
    assert_eq!(run(&session, connect()), "scope.tier");
}

// Engines of hosts.

/// Refuses to connect within a second after data was read, and where the past is not known.
#[derive(Debug)]
struct Slowly;

impl Temporal for Slowly {
    fn permits(&self, history: &History, effect: &Effect) -> bool {
        let late = |event: &Event| history.now().since(event.time()).as_millis() < 1000;
        let read = history.events().any(|event| {
            event.domain() == Domain::Data && event.verdict() == Verdict::Allow && late(event)
        });
        effect.kind().as_str() != "Connect" || (history.is_whole() && !read)
    }
}

#[test]
fn an_engine_of_the_host_refuses_by_what_came_before() {
    let mut house = House::new(&Bundle::but(LEAK), gate::SCOPE);
    house.engine = true;
    let session = house.open();
    assert_eq!(run(&session, connect()), "allow");
    assert_eq!(run(&session, ReadData::new("a")), "allow");
    assert_eq!(run(&session, connect()), "policy.temporal");
    let both = line_of("curl https://a.example/ && cat a");
    assert_eq!(run(&session, both), "scope.program policy.temporal");
    house.clock.advance(1000);
    assert_eq!(run(&session, connect()), "allow");
    // It cannot allow what a policy forbids.
    assert_eq!(run(&session, ReadData::new("a").classes(["secret"])), "allow");
    house.clock.advance(1000);
    assert_eq!(run(&session, connect()), "policy.forbid");
    let id = session.id();
    drop(session);
    let session = house.resume(id);
    assert_eq!(run(&session, connect()), "policy.temporal", "the past is not known");
    assert_eq!(house.replay(), 8);
}

// Sequences, under the bundle that comes with the library.

/// The baseline, with a tool, under the scope that grants nearly everything; `labels` are its scope's, `rules`
/// stand beside those of its manifest.
fn baseline(labels: &str, rules: &str) -> House {
    let manifest = include_str!("../../policies/baseline/manifest.json");
    let end = r#""limits": {}"#;
    assert!(manifest.contains(end));
    let files = [
        ("manifest.json", manifest.replace(end, &format!("{end}, \"labels\": [{rules}]"))),
        ("schema.cedarschema", include_str!("../../policies/baseline/schema.cedarschema").into()),
        ("policies.cedar", include_str!("../../policies/baseline/policies.cedar").into()),
        ("cases.json", include_str!("../../policies/baseline/cases.json").into()),
        ("cases-entities.json", include_str!("../../policies/baseline/cases-entities.json").into()),
    ];
    let listing = r#"{"tools": [{"name": "fetch", "inputSchema": {"type": "object"},
        "annotations": {"readOnlyHint": true, "openWorldHint": true}}]}"#;
    let mut tools = ToolManifest::new();
    tools.add_listing("srv", ServerTrust::Trusted, listing.as_bytes()).unwrap();
    let bundle = Authored::from_files(files).unwrap().with_tools(tools).load();
    let scope = testing::trusted(&labelled(labels)).unwrap();
    let bundle = bundle.unwrap_or_else(|error| panic!("{error:?}"));
    House {
        bundle,
        scope,
        sink: Arc::new(MemorySink::new()),
        clock: testing::clock(),
        engine: false,
    }
}

const SECRETS: &str = r#"{"pattern": "/srv/web/secrets/**", "labels": ["secret"]},
    {"pattern": "table:crm.**", "labels": ["personal"]}"#;

fn message() -> SendMessage {
    SendMessage::new("email", ["dana@example.org"]).with_body("hello")
}

#[test]
fn in_the_baseline_a_secret_that_was_read_is_not_sent_out() {
    let house = baseline(SECRETS, "");
    let api = || ApiCall::new("GET", "https://api.example.org/v1/items").sends_bytes(10);
    let session = house.open();
    assert_eq!(run(&session, message()), "allow");
    assert_eq!(run(&session, api()), "allow");
    assert_eq!(run(&session, ReadData::new("secrets/key")), "allow");
    for _ in 0..2 {
        assert_eq!(run(&session, message()), "policy.forbid");
        assert_eq!(run(&session, api()), "policy.forbid");
    }
    assert_eq!(run(&session, ReadData::new("src/main.rs")), "allow");
    // One that was used was not read: what it opens can still be reached.
    let session = house.open();
    assert_eq!(run(&session, UseSecret::new("npm/publish", "npm")), "allow");
    assert_eq!(run(&session, message()), "allow");
    // What is personal needs its owner.
    let session = house.open();
    assert_eq!(run(&session, ReadData::table("crm.orders")), "allow");
    assert_eq!(run(&session, message()), "defer data-owner");
    house.replay();
}

#[test]
fn in_the_baseline_nothing_irreversible_follows_untrusted_input() {
    let output = r#"{"tools": "open_world", "output": ["untrusted-input"]}"#;
    let house = baseline(SECRETS, output);
    let fetch = || call("fetch");
    let session = house.open();
    assert_eq!(run(&session, message()), "allow");
    assert_eq!(run(&session, fetch()), "allow");
    assert_eq!(run(&session, message()), "defer security");
    assert_eq!(run(&session, UseSecret::new("npm/publish", "npm")), "defer security");
    assert_eq!(run(&session, ReadData::new("src/main.rs")), "allow");
    // Read what is secret first, and the tool is no way out.
    let session = house.open();
    assert_eq!(run(&session, ReadData::new("secrets/key")), "allow");
    assert_eq!(run(&session, fetch()), "policy.forbid");
    house.replay();
}

// Laws.

/// An action of a random history.
fn any_action() -> impl Strategy<Value = Step> {
    let step = prop_oneof![
        (0..5_u8).prop_map(Step::Connect),
        select(vec!["src/a", "secrets/key", "b.env"]).prop_map(Step::Read),
        select(vec!["crm.orders", "shop.orders", "shop.items"]).prop_map(Step::Table),
        (1..60_u64).prop_map(Step::Export),
        (1..6_u64).prop_map(Step::Pay),
        select(vec!["t", "u", "none"]).prop_map(Step::Tool),
        Just(Step::Secret),
        Just(Step::Workflow),
        Just(Step::Model),
        Just(Step::Message),
    ];
    step
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Connect(u8),
    Read(&'static str),
    Table(&'static str),
    Export(u64),
    Pay(u64),
    Tool(&'static str),
    Secret,
    Workflow,
    Model,
    Message,
}

impl Step {
    fn action(self) -> Box<dyn Action> {
        match self {
            Self::Connect(n) => Box::new(Connect::new(format!("h{n}.example"), 443)),
            Self::Read(path) => Box::new(ReadData::new(path)),
            Self::Table(name) => Box::new(ReadData::table(name)),
            Self::Export(bytes) => {
                let data = countersign::action::DataRef::File("src/a".into());
                Box::new(ExportData::to_host(data, "h1.example", 443).sends_bytes(bytes))
            }
            Self::Pay(amount) => Box::new(euro(&amount.to_string())),
            Self::Tool(name) => Box::new(call(name)),
            Self::Secret => Box::new(UseSecret::new("npm/publish", "npm")),
            Self::Workflow => Box::new(TriggerWorkflow::new("w", Value::Null)),
            Self::Model => Box::new(countersign::action::InvokeModel::new("m")),
            Self::Message => Box::new(message()),
        }
    }
}

/// Asks without running: 2 for allowed, 1 for deferred, 0 for denied.
fn rank(session: &Session, step: Step) -> u8 {
    match session.authorize(step.action()).unwrap() {
        Decision::Allow(_) => 2,
        Decision::Defer(_) => 1,
        Decision::Deny(_) => 0,
    }
}

fn tight() -> String {
    let limits = limited(
        r#""actions": 12, "distinct_targets": 5, "egress_bytes": 100, "spend": {"EUR": "12"},
        "domains": {"data": 6, "workload": 2}, "tools": {"srv/t": 2}"#,
    );
    let limits = limits.replace("\"denials\": 1000", "\"denials\": 4");
    limits.replace(
        "\"secrets\": [\"**\"]",
        &format!("\"secrets\": [\"**\"], \"labels\": [{SECRETS}]"),
    )
}

/// Two sessions with one history; the second does more before both are asked the same.
fn check_more_history(
    house: &House,
    history: &[Step],
    more: &[Step],
    asked: &[Step],
) -> Result<(), TestCaseError> {
    for step in asked {
        let (less, longer) = (house.open(), house.open());
        for session in [&less, &longer] {
            history.iter().for_each(|step| drop(run(session, step.action())));
        }
        more.iter().for_each(|step| drop(run(&longer, step.action())));
        let (before, after) = (rank(&less, *step), rank(&longer, *step));
        prop_assert!(after <= before, "{step:?}: {before} and then {after}");
    }
    house.replay();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn more_history_never_allows_more(
        history in proptest::collection::vec(any_action(), 0..8),
        more in proptest::collection::vec(any_action(), 1..8),
        asked in proptest::collection::vec(any_action(), 2),
    ) {
        static BUNDLE: LazyLock<Enforced> = LazyLock::new(|| {
            let rules = r#"{"kind": "UseSecret", "labels": ["secret"]},
                {"tool": "srv/u", "output": ["untrusted-input"]}"#;
            let policies = r#"@id("recent") forbid(principal, action == Action::"TriggerWorkflow", resource)
                when { context.recent.containsAll(["data", "workload"]) };
            @id("bytes") forbid(principal, action == Action::"InvokeModel", resource)
                when { context.counters.egress_bytes > 50 };
            @id("tainted") forbid(principal, action == Action::"Pay", resource)
                when { context.labels.contains("untrusted-input") };"#;
            let bundle = tools(Bundle::but(&format!("{LEAK}{policies}")));
            bundle.with_file("manifest.json", giving(rules)).load().unwrap()
        });
        let house = House {
            bundle: BUNDLE.clone(),
            scope: testing::trusted(&tight()).unwrap(),
            sink: Arc::new(MemorySink::new()),
            clock: testing::clock(),
            engine: false,
        };
        check_more_history(&house, &history, &more, &asked)?;
    }

    #[test]
    fn in_the_baseline_more_history_never_allows_more(
        history in proptest::collection::vec(any_action(), 0..6),
        more in proptest::collection::vec(any_action(), 1..6),
        asked in any_action(),
    ) {
        let house = House {
            bundle: testing::baseline(),
            scope: testing::trusted(&tight()).unwrap(),
            sink: Arc::new(MemorySink::new()),
            clock: testing::clock(),
            engine: false,
        };
        check_more_history(&house, &history, &more, &[asked])?;
    }
}
