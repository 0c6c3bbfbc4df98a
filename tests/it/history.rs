//! What a session has done decides what it may still do: limits, counters, labels, tiers; and the same
//! after a restart, and when it is decided again.

use std::convert::Infallible;
use std::sync::Arc;

use countersign::action::path::PurePaths;
use countersign::action::{Connect, Pay, ReadData, ToolCall};
use countersign::audit::replay::{OpeningMap, Replayer};
use countersign::policy::Enforced;
use countersign::receipt::{MemorySink, SessionId, Verifier};
use countersign::scope::TrustedScope;
use countersign::testing::{self, TestClock};
use countersign::value::Value;
use countersign::{Action, Authorizer, Decision, Session, Sink};

use crate::support::gate::{self, Bundle};

/// One bundle and one scope, and all that they have stored.
struct House {
    bundle: Enforced,
    scope: TrustedScope,
    sink: Arc<MemorySink>,
    clock: TestClock,
}

impl House {
    fn new(bundle: &Bundle, scope: &str) -> Self {
        let bundle = bundle.load().unwrap_or_else(|error| panic!("{error:?}"));
        let scope = testing::trusted(scope).unwrap();
        Self { bundle, scope, sink: Arc::new(MemorySink::new()), clock: testing::clock() }
    }

    fn authorizer(&self) -> Authorizer {
        let builder = Authorizer::builder()
            .policy(self.bundle.clone())
            .identity(testing::identity_key())
            .sink(Sink::blocking(Arc::clone(&self.sink)))
            .with_clock(self.clock.clone())
            .with_paths(PurePaths::new());
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
