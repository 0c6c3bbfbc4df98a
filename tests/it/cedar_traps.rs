//! What makes Cedar allow when nobody meant it to: each trap ends in a denial with its reason code.
//! Those that end in a refused bundle stand in `bundle.rs`.

use std::borrow::Cow;
use std::net::IpAddr;

use countersign::action::{
    Action, ActionSpec, ApiCall, ChangeIdentity, ChangePrivilege, Connect, DeleteData, Direction,
    Domain, Effect, EffectContext, Effects, Exec, ExportData, Fact, FactType, Facts, HostAction,
    InstallPackage, IntoFact, InvokeModel, Kind, Listen, MutateInfrastructure, Pay, Provenance,
    Publish, ReadData, RecallMemory, RemoteShell, Reversibility, SendMessage, SpawnAgent,
    StartTraining, SubmitJob, Target, ToolCall, Transport, TriggerWorkflow, Tunnel,
    TunnelDirection, UseAccelerator, UseSecret, WriteData, WriteMemory,
};
use countersign::authorizer::Call;
use countersign::digest::Digest;
use countersign::identity::SpiffeId;
use countersign::policy::{Counters, Principal, RequestFacts, Verdict};
use countersign::receipt::MemorySink;
use countersign::testing;
use countersign::tool::ToolManifest;
use countersign::value::{Limits, Value};
use countersign::{Authorizer, Reason, Sink};

use crate::support::gate::{Bundle, Gate, PERMIT, SCOPE, effects, outcome};

fn forbid(head: &str, condition: &str) -> String {
    format!("@id(\"forbid\") forbid({head}) {condition};\n")
}

/// What `bundle` makes of `action`.
#[track_caller]
fn check(gate: &Gate, action: impl Action, expected: &str) {
    assert_eq!(gate.ask(action), expected);
}

fn json(text: &str) -> Value {
    Value::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap()
}

fn web() -> Connect {
    Connect::new("web.example", 443)
}

fn facts<'a>(approvals: &'a [Box<str>]) -> RequestFacts<'a> {
    RequestFacts {
        now: testing::NOW,
        task: "t-1",
        purpose: "testing",
        environment: "test",
        provenance: "agent",
        labels: &[],
        approvals,
        counters: Counters::default(),
        recent: &[],
        depth: 0,
        acting_through: &[],
        tier: "",
    }
}

fn principal() -> Principal {
    let instance = SpiffeId::parse("spiffe://example.org/agent/coder/i-1").unwrap();
    Principal::of(&instance, "user:dana@example.org").unwrap()
}

// --- a policy that errors is left out by the engine ------------------------------------------------------

#[test]
fn a_forbid_that_overflows_still_denies() {
    let overflow = forbid(
        "principal, action == Action::\"Connect\", resource",
        "when { context.now + 9223372036854775807 > 0 }",
    );
    let gate = Bundle::but(&overflow).gate();
    check(&gate, web(), "policy.error");
    check(&gate, InvokeModel::new("m"), "allow");
    let decision = gate.session.authorize(web()).unwrap();
    assert_eq!(*decision.effects()[0].policies, [Box::from("forbid")], "it names what failed");
    for condition in [
        "when { context.now * context.now > 0 }",
        "when { 0 - 9223372036854775807 - context.now < 0 }",
        "when { -(0 - 9223372036854775807 - 1) > context.now }",
        "unless { context.port * 9223372036854775807 > 0 }",
    ] {
        let policy = forbid("principal, action == Action::\"Connect\", resource", condition);
        check(&Bundle::but(&policy).gate(), web(), "policy.error");
    }
}

#[test]
fn a_permit_that_overflows_denies_beside_one_that_permits() {
    let permit = "@id(\"broken\") permit(principal, action == Action::\"Connect\", resource) \
                  when { context.now * context.now > 0 };";
    check(&Bundle::but(permit).gate(), web(), "policy.error");
}

#[test]
fn a_denial_with_an_error_is_not_asked_again_with_approvals() {
    // Without the approval the forbid that waits for it applies and the other one fails; with it
    // nothing would.
    let policies = format!(
        "{}@id(\"broken\") forbid(principal, action == Action::\"Connect\", resource) \
         when {{ context.now * context.now > 0 }};",
        forbid(
            "principal, action == Action::\"Connect\", resource",
            "unless { context.approvals.contains(\"sre\") }"
        )
    );
    check(&Bundle::but(&policies).gate(), web(), "policy.error");
    // In one policy the approval would hide the error: such a bundle does not load.
    let hidden = forbid(
        "principal, action == Action::\"Connect\", resource",
        "when { !(context.approvals.contains(\"sre\")) && context.now * context.now > 0 }",
    );
    assert!(Bundle::but(&hidden).load().is_err());
}

#[test]
fn an_error_that_an_approval_brings_about_is_no_deferral() {
    // Denied without an error; under the quorum another policy would fail.
    let policies = "@id(\"ask\") forbid(principal, action == Action::\"Connect\", resource) \
                    unless { context.approvals.contains(\"sre\") };";
    let gate = Bundle::but(policies).gate();
    check(&gate, web(), "defer sre");
    let broken = format!(
        "{policies} @id(\"broken\") forbid(principal, action == Action::\"Connect\", resource) \
         when {{ context.port * 9223372036854775807 > 0 }};"
    );
    check(&Bundle::but(&broken).gate(), web(), "policy.error");
}

#[test]
fn a_verdict_without_a_policy_is_never_a_permit() {
    // `policy.no_reason` itself cannot be brought about from outside: an allow without a policy needs an
    // unknown, and none gets in.
    for bundle in [Bundle::of(PERMIT), Bundle::but(&forbid("principal, action, resource", ""))] {
        let bundle = bundle.load().unwrap();
        for effect in effects(&web()).iter().chain(&effects(&InvokeModel::new("m"))) {
            match bundle.snapshot().decide(&principal(), effect, &facts(&[])) {
                Verdict::Permit { policies } => assert_eq!(*policies, [Box::from("permit")]),
                Verdict::Refuse { reason, policies } => {
                    assert_eq!(reason, Reason::PolicyForbid);
                    assert_eq!(*policies, [Box::from("forbid")]);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let nothing = Bundle::of("@id(\"a\") permit(principal, action == Action::\"Pay\", resource);");
    check(&nothing.gate(), web(), "policy.no_permit");
}

// --- little stack ------------------------------------------------------------------------------------

/// A forbid below thirty conditions, which fails with less than 100 KiB of stack.
fn deep() -> Bundle {
    let ifs = "if context.now == 1 then false else ".repeat(30);
    let condition = format!("when {{ {ifs}context.port == 22 }}");
    Bundle::but(&forbid("principal, action == Action::\"Connect\", resource", &condition))
}

#[test]
fn on_little_stack_the_answer_is_the_same() {
    let bundle = deep().load().unwrap();
    let answers = move || {
        [22, 443].map(|port| {
            let effect = effects(&Connect::new("a.example", port)).remove(0);
            match bundle.snapshot().decide(&principal(), &effect, &facts(&[])) {
                Verdict::Permit { .. } => "permit",
                Verdict::Refuse { reason, .. } => reason.code(),
                _ => "approval",
            }
        })
    };
    assert_eq!(answers(), ["policy.forbid", "permit"]);
    for kib in [128, 256, 512] {
        let small = std::thread::Builder::new().stack_size(kib << 10);
        let found = small.spawn(answers.clone()).unwrap().join().unwrap();
        assert_eq!(found, ["policy.forbid", "permit"], "{kib} KiB");
    }
}

#[test]
fn a_bundle_loads_and_is_dropped_on_little_stack() {
    let files = deep().files();
    let load = move || {
        let files = files.iter().map(|(name, text)| (name.as_str(), text));
        let bundle = countersign::policy::Authored::from_files(files).unwrap().load().unwrap();
        bundle.digest()
    };
    let here = load();
    let small = std::thread::Builder::new().stack_size(128 << 10).spawn(load).unwrap();
    assert_eq!(small.join().unwrap(), here);
}

// --- an entity that is absent ----------------------------------------------------------------------------

#[test]
fn a_tool_that_is_not_registered_is_denied() {
    let gate = Bundle::of(PERMIT).with_tool("known", "{}", "[]").gate();
    check(&gate, ToolCall::new("srv", "known", json("{}")), "allow");
    check(&gate, ToolCall::new("srv", "Known", json("{}")), "tool.unregistered");
    check(&gate, ToolCall::new("srv", "other", json("{}")), "tool.unregistered");
    // The policy gate says so itself, whoever made the effect.
    let target = Target::Tool {
        server: "srv".into(),
        name: "other".into(),
        arguments: countersign::value::Object::new(),
    };
    let effect = Effect::new(Kind::ToolCall, target);
    let bundle = Bundle::of(PERMIT).load().unwrap();
    let verdict = bundle.snapshot().decide(&principal(), &effect, &facts(&[]));
    assert!(matches!(verdict, Verdict::Refuse { reason: Reason::ToolUnregistered, .. }));
}

#[test]
fn what_a_policy_looks_up_is_there() {
    // A chain of attributes and parents that no head and no request names.
    let schema = "\nentity Org; entity Team in [Team, Org] { level: Long, lead?: Team };";
    let entities = r#"[
        {"uid": {"type": "Team", "id": "a"}, "attrs": {"level": 1, "lead": {"__entity": {"type": "Team", "id": "b"}}}, "parents": []},
        {"uid": {"type": "Team", "id": "b"}, "attrs": {"level": 7}, "parents": [{"type": "Team", "id": "c"}]},
        {"uid": {"type": "Team", "id": "c"}, "attrs": {"level": 9}, "parents": [{"type": "Org", "id": "top"}]}]"#;
    for (condition, expected) in [
        ("Team::\"a\".lead.level == 7", "policy.forbid"),
        ("Team::\"a\".lead.level == 8", "allow"),
        ("Team::\"a\".lead in Org::\"top\"", "policy.forbid"),
        ("Team::\"a\".lead in Team::\"c\"", "policy.forbid"),
        ("Team::\"a\".lead has lead", "allow"),
        ("Team::\"a\" in Org::\"top\"", "allow"),
        ("Team::\"b\" in Org::\"top\"", "policy.forbid"),
        ("(if context.port == 443 then Team::\"b\" else Team::\"a\").level == 7", "policy.forbid"),
    ] {
        // Optional attributes stand behind `has`.
        let condition = if condition.contains(".lead") {
            format!("when {{ Team::\"a\" has lead && {condition} }}")
        } else {
            format!("when {{ {condition} }}")
        };
        let policy = forbid("principal, action == Action::\"Connect\", resource", &condition);
        let bundle = Bundle::but(&policy).with_schema(schema).with_entities(entities);
        check(&bundle.gate(), web(), expected);
    }
}

#[test]
fn whoever_acts_is_found_among_its_parents() {
    for group in [
        "principal == Agent::\"spiffe://example.org/agent/coder/i-1\"",
        "principal in Agent::\"spiffe://example.org/agent/coder/i-1\"",
        "principal in AgentClass::\"spiffe://example.org/agent/coder/i-1\"",
        "principal in AgentClass::\"spiffe://example.org/agent/coder\"",
        "principal in AgentClass::\"spiffe://example.org/agent\"",
        "principal in Owner::\"user:dana@example.org\"",
        "principal in TrustDomain::\"example.org\"",
        "principal is Agent in Owner::\"user:dana@example.org\"",
        "principal is Agent",
    ] {
        let head = forbid(&format!("{group}, action, resource"), "");
        check(&Bundle::but(&head).gate(), web(), "policy.forbid");
        let condition = format!("when {{ {group} }}");
        let condition = forbid("principal, action, resource", &condition);
        let gate = Bundle::but(&condition).gate();
        check(&gate, web(), "policy.forbid");
        check(&gate, SpawnAgent::new("spiffe://other.example/agent/x", "t"), "policy.forbid");
    }
    let others = "principal in Owner::\"user:dan@example.org\" || \
                  principal in TrustDomain::\"example.com\" || \
                  principal in AgentClass::\"spiffe://example.org/agent/code\"";
    let others = forbid("principal, action, resource", &format!("when {{ {others} }}"));
    check(&Bundle::but(&others).gate(), web(), "allow");
}

#[test]
fn an_agent_that_is_spawned_is_found_by_its_class_and_in_its_trust_domain() {
    let spawn = |id: &str| SpawnAgent::new(id, "t");
    for resource in [
        "resource in TrustDomain::\"other.example\"",
        "resource is AgentClass in TrustDomain::\"other.example\"",
        "resource in AgentClass::\"spiffe://other.example/agent\"",
        "resource == AgentClass::\"spiffe://other.example/agent/x\"",
    ] {
        let head = format!("principal, action == Action::\"SpawnAgent\", {resource}");
        let head = forbid(&head, "");
        let any = "principal, action == Action::\"SpawnAgent\", resource";
        let condition = forbid(any, &format!("when {{ {resource} }}"));
        for policy in [head, condition] {
            let gate = Bundle::but(&policy).gate();
            check(&gate, spawn("spiffe://other.example/agent/x"), "policy.forbid");
            check(&gate, spawn("spiffe://example.org/agent/coder"), "allow");
        }
    }
}

// --- action groups -------------------------------------------------------------------------------------

struct Rotate {
    target: &'static str,
    facts: Facts,
}

impl HostAction for Rotate {
    const SPEC: ActionSpec = ActionSpec {
        kind: "Rotate",
        domain: Domain::Infrastructure,
        reversibility: Reversibility::Irreversible,
        facts: &[
            ("address", FactType::OptionalAddress),
            ("age", FactType::Long),
            ("places", FactType::TextSet),
        ],
    };
}

impl Rotate {
    fn new() -> Self {
        let facts = Facts::new().long("age", 3).texts("places", ["a"]);
        Self { target: "key", facts }
    }
}

impl Action for Rotate {
    fn kind(&self) -> Cow<'static, str> {
        Self::SPEC.kind.into()
    }

    fn describe(&self) -> Value {
        Value::from(self.target)
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        let target = Target::Resource(self.target.into());
        effects.push(Effect::new(Self::SPEC.effect_kind(), target).with_facts(self.facts.clone()));
    }
}

fn everything() -> Vec<(Domain, Box<dyn Action>)> {
    use Domain::{Application, Data, Infrastructure, Workload};
    let amount = "5".parse().unwrap();
    vec![
        (Application, Box::new(ToolCall::new("srv", "t", json("{}")))),
        (Application, Box::new(ApiCall::new("GET", "https://api.example.org/v1"))),
        (Application, Box::new(TriggerWorkflow::new("w", Value::Null))),
        (Application, Box::new(SendMessage::new("email", ["a@example.org"]))),
        (Application, Box::new(SpawnAgent::new("spiffe://example.org/agent/helper", "t"))),
        (Application, Box::new(Pay::new("account", amount, "EUR"))),
        (Application, Box::new(Publish::new("npm", "name").internal())),
        (Application, Box::new(RemoteShell::new("sh", Direction::Reverse, "peer.example", 4444))),
        (Infrastructure, Box::new(Exec::new("git"))),
        (Infrastructure, Box::new(web())),
        (Infrastructure, Box::new(Listen::new("127.0.0.1", 8080))),
        (
            Infrastructure,
            Box::new(Tunnel::new(TunnelDirection::Reverse, "p.example", 22, "127.0.0.1:22")),
        ),
        (Infrastructure, Box::new(UseSecret::new("s", "git"))),
        (Infrastructure, Box::new(ChangePrivilege::new("root"))),
        (Infrastructure, Box::new(ChangeIdentity::new("service:deployer"))),
        (Infrastructure, Box::new(MutateInfrastructure::new("aws", "delete", "instance", "web-1"))),
        (Infrastructure, Box::new(InstallPackage::new("npm", "left-pad"))),
        (Infrastructure, Box::new(Rotate::new())),
        (Data, Box::new(ReadData::new("/srv/web/a"))),
        (Data, Box::new(ReadData::table("crm.orders"))),
        (Data, Box::new(ReadData::object("bucket/key"))),
        (Data, Box::new(WriteData::new("/srv/web/a"))),
        (Data, Box::new(DeleteData::new("/srv/web/a"))),
        (Data, Box::new(ExportData::to_named("/srv/web/a", "warehouse").sends_bytes(1))),
        (Data, Box::new(RecallMemory::new("task/a"))),
        (Data, Box::new(WriteMemory::new("task/a", "text"))),
        (Workload, Box::new(InvokeModel::new("m"))),
        (Workload, Box::new(SubmitJob::new("q", "job"))),
        (Workload, Box::new(UseAccelerator::new("gpu", 1).seconds(1))),
        (Workload, Box::new(StartTraining::new("m"))),
    ]
}

#[test]
fn a_forbid_on_a_group_bites_for_every_kind_of_action_in_it() {
    let bundle = |policies: &str| {
        Bundle::of(policies).with_tool("t", "{}", "[]").with_action::<Rotate>().gate()
    };
    let permitted = bundle(PERMIT);
    let mut kinds = std::collections::BTreeSet::new();
    for (_, action) in everything() {
        kinds.insert(action.kind().into_owned());
        let kind = action.kind().into_owned();
        assert_eq!(permitted.ask(action), "allow", "{kind}");
    }
    for kind in Kind::BUILT_IN {
        assert!(kinds.contains(kind.as_str()), "{kind:?} has no action here");
    }
    for group in Domain::ALL {
        let head = forbid(&format!("principal, action in Action::\"{group}\", resource"), "");
        let list = forbid(&format!("principal, action in [Action::\"{group}\"], resource"), "");
        let when = forbid(
            "principal, action, resource",
            &format!("when {{ action in Action::\"{group}\" }}"),
        );
        for policy in [head, list, when] {
            let gate = bundle(&format!("{PERMIT}\n{policy}"));
            for (domain, action) in everything() {
                let kind = action.kind().into_owned();
                let decision = gate.session.authorize(action).unwrap();
                for effect in decision.effects() {
                    let expected =
                        (effect.effect.domain() == group).then_some(Reason::PolicyForbid);
                    assert_eq!(effect.reason(), expected, "{group} {kind} {policy}");
                }
                assert!(!decision.is_allow() || domain != group, "{group} {kind}");
            }
        }
    }
    let tools = forbid("principal, action in Action::\"ToolCall\", resource", "");
    check(
        &bundle(&format!("{PERMIT}\n{tools}")),
        ToolCall::new("srv", "t", json("{}")),
        "policy.forbid",
    );
    let tool = forbid("principal, action == Action::\"tool:srv/t\", resource", "");
    check(
        &bundle(&format!("{PERMIT}\n{tool}")),
        ToolCall::new("srv", "t", json("{}")),
        "policy.forbid",
    );
    let server = forbid("principal, action, resource in Server::\"srv\"", "");
    check(
        &bundle(&format!("{PERMIT}\n{server}")),
        ToolCall::new("srv", "t", json("{}")),
        "policy.forbid",
    );
}

#[test]
fn what_is_not_understood_is_in_its_domain_too() {
    // The scope refuses it first; the policy gate alone would forbid it by its group.
    for domain in Domain::ALL {
        let mut opaque = Effects::default();
        let kind = match domain {
            Domain::Application => Kind::Pay,
            Domain::Infrastructure => Kind::Connect,
            Domain::Data => Kind::ReadData,
            Domain::Workload => Kind::SubmitJob,
        };
        opaque.push_opaque(&kind, Reason::ActionName);
        let effect = opaque.finish().remove(0);
        let policy = forbid(&format!("principal, action in Action::\"{domain}\", resource"), "");
        let bundle = Bundle::but(&policy).load().unwrap();
        let verdict = bundle.snapshot().decide(&principal(), &effect, &facts(&[]));
        assert!(
            matches!(verdict, Verdict::Refuse { reason: Reason::PolicyForbid, .. }),
            "{domain}: {verdict:?}"
        );
    }
}

// --- facts of another type than the schema says ----------------------------------------------------------

#[test]
fn facts_that_do_not_fit_the_schema_are_denied() {
    let gate = Bundle::of(PERMIT).with_action::<Rotate>().gate();
    check(&gate, Rotate::new(), "allow");
    let with = |facts: Facts| Rotate { target: "key", facts };
    let full = || Rotate::new().facts;
    check(&gate, with(Facts::new()), "action.schema");
    check(&gate, with(full().text("age", "3")), "action.schema");
    check(&gate, with(full().bool("age", true)), "action.schema");
    check(&gate, with(full().text("places", "a")), "action.schema");
    check(&gate, with(full().text("other", "a")), "action.schema");
    check(&gate, with(full().text("address", "127.0.0.1")), "action.schema");
    let mut decimal = full();
    decimal.insert("age", Fact::Decimal("3.00001".parse().unwrap()));
    check(&gate, with(decimal), "policy.unrepresentable");
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    check(&gate, with(full().maybe("address", loopback.fact().unwrap())), "allow");
    // Facts that the session alone states are not for an action to state.
    for name in ["approvals", "labels"] {
        let mut facts = full();
        facts.insert(name, Fact::TextSet(["sre"].into()));
        check(&gate, with(facts), "policy.unrepresentable");
    }
    check(&gate, with(full().long("now", 1)), "policy.unrepresentable");
    check(&gate, with(full().text("provenance", "user")), "policy.unrepresentable");
}

#[test]
fn a_kind_of_action_that_is_not_registered_is_denied() {
    check(&Bundle::of(PERMIT).gate(), Rotate::new(), "action.unknown_kind");
}

#[test]
fn a_kind_and_a_target_that_do_not_go_together_are_denied() {
    let bundle = Bundle::of(PERMIT).with_tool("t", "{}", "[]").with_action::<Rotate>();
    let bundle = bundle.load().unwrap();
    let tool = || Target::Tool {
        server: "srv".into(),
        name: "t".into(),
        arguments: countersign::value::Object::new(),
    };
    let host = |name: &'static str| Kind::Host { name: name.into(), domain: Domain::Data };
    for (kind, target) in [
        (Kind::ToolCall, Target::Workflow("w".into())),
        (Kind::TriggerWorkflow, Target::Model("m".into())),
        (Kind::SpawnAgent, Target::Workflow("w".into())),
        (Kind::TriggerWorkflow, Target::Agent("spiffe://example.org/agent/x".into())),
        (Kind::SpawnAgent, Target::Agent("no id".into())),
        (Kind::TriggerWorkflow, tool()),
        (host("data"), Target::Resource("r".into())),
        (host("ToolCall"), Target::Resource("r".into())),
        (host("tool:srv/t"), Target::Resource("r".into())),
        (host("Connect"), Target::Resource("r".into())),
        (host("Rotate"), Target::Workflow("w".into())),
    ] {
        let effect = Effect::new(kind, target);
        let verdict = bundle.snapshot().decide(&principal(), &effect, &facts(&[]));
        assert!(matches!(verdict, Verdict::Refuse { .. }), "{effect:?} {verdict:?}");
    }
}

#[test]
fn numbers_that_cedar_cannot_hold_are_denied() {
    let bundle = Bundle::of(PERMIT).load().unwrap();
    let effect = effects(&web()).remove(0);
    let decide = |change: fn(&mut RequestFacts<'_>)| {
        let mut facts = facts(&[]);
        change(&mut facts);
        match bundle.snapshot().decide(&principal(), &effect, &facts) {
            Verdict::Permit { .. } => "permit",
            Verdict::Refuse { reason, .. } => reason.code(),
            _ => "approval",
        }
    };
    assert_eq!(decide(|_| ()), "permit");
    assert_eq!(decide(|facts| facts.counters.actions = i64::MAX as u64), "permit");
    assert_eq!(decide(|facts| facts.counters.actions = u64::MAX), "policy.unrepresentable");
    assert_eq!(decide(|facts| facts.counters.denials = 1 << 63), "policy.unrepresentable");
    assert_eq!(decide(|facts| facts.counters.egress_bytes = 1 << 63), "policy.unrepresentable");
    assert_eq!(decide(|facts| facts.depth = 1 << 63), "policy.unrepresentable");
    let gate = Bundle::of(PERMIT).gate();
    let pay = |amount: &str| Pay::new("account", amount.parse().unwrap(), "EUR");
    check(&gate, pay("0.0001"), "allow");
    check(&gate, pay("0.00001"), "policy.unrepresentable");
}

// --- arguments of tools ----------------------------------------------------------------------------------

#[test]
fn arguments_have_the_types_that_the_tool_registered() {
    let properties = r#"{"s": {"type": "string"}, "n": {"type": "integer"}, "d": {"type": "number"},
        "b": {"type": "boolean"}, "ss": {"type": "array", "items": {"type": "string"}},
        "ns": {"type": "array", "items": {"type": "integer"}}, "any": {},
        "r": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}"#;
    let forbid = forbid(
        "principal, action == Action::\"tool:srv/t\", resource",
        "when { context.input has n && context.input.n == 13 }",
    );
    let gate = Bundle::but(&forbid).with_tool("t", properties, r#"["s"]"#).gate();
    let call = |arguments: &str| gate.ask(ToolCall::new("srv", "t", json(arguments)));
    for (arguments, expected) in [
        (r#"{"s": "x"}"#, "allow"),
        (
            r#"{"s": "x", "n": 1, "d": 0.5, "b": true, "ss": ["a"], "ns": [1], "r": {"x": 1}}"#,
            "allow",
        ),
        (r#"{"s": "x", "any": {"deep": [null]}}"#, "allow"),
        (r#"{"s": "x", "n": 13}"#, "policy.forbid"),
        (r#"{"s": "x", "n": 13.0}"#, "policy.forbid"),
        (r#"{"s": "x", "n": 1.3e1}"#, "policy.forbid"),
        (r#"{"s": "x", "n": 1300e-2}"#, "policy.forbid"),
        (r#"{"s": "x", "d": 0.1234}"#, "allow"),
        (r#"{"s": "x", "d": 0.12340}"#, "allow"),
        // Of another type.
        (r#"{"s": 1}"#, "tool.argument"),
        (r#"{"s": null}"#, "tool.argument"),
        (r#"{"s": ["x"]}"#, "tool.argument"),
        (r#"{"s": "x", "n": "13"}"#, "tool.argument"),
        (r#"{"s": "x", "n": null}"#, "tool.argument"),
        (r#"{"s": "x", "n": true}"#, "tool.argument"),
        (r#"{"s": "x", "b": "true"}"#, "tool.argument"),
        (r#"{"s": "x", "b": 1}"#, "tool.argument"),
        (r#"{"s": "x", "d": "0.5"}"#, "tool.argument"),
        (r#"{"s": "x", "ss": "a"}"#, "tool.argument"),
        (r#"{"s": "x", "ss": ["a", 1]}"#, "tool.argument"),
        (r#"{"s": "x", "ns": ["1"]}"#, "tool.argument"),
        (r#"{"s": "x", "r": []}"#, "tool.argument"),
        (r#"{"s": "x", "r": {}}"#, "tool.argument"),
        (r#"{"s": "x", "r": {"x": "1"}}"#, "tool.argument"),
        (r#"{"s": "x", "r": {"x": 1, "y": 1}}"#, "tool.argument"),
        // Missing, or not registered.
        ("{}", "tool.argument"),
        (r#"{"s": "x", "other": 1}"#, "tool.argument"),
        (r#"{"s": "x", "S": "x"}"#, "tool.argument"),
        // Not held exactly.
        (r#"{"s": "x", "n": 1.5}"#, "policy.unrepresentable"),
        (r#"{"s": "x", "n": 9223372036854775807}"#, "allow"),
        (r#"{"s": "x", "n": 9223372036854775808}"#, "policy.unrepresentable"),
        (r#"{"s": "x", "n": -9223372036854775809}"#, "policy.unrepresentable"),
        (r#"{"s": "x", "n": 1e30}"#, "policy.unrepresentable"),
        (r#"{"s": "x", "ns": [1, 9223372036854775808]}"#, "policy.unrepresentable"),
        (r#"{"s": "x", "d": 0.12345}"#, "policy.unrepresentable"),
        (r#"{"s": "x", "d": 922337203685477.5808}"#, "policy.unrepresentable"),
        (r#"{"s": "x", "d": -0.00001}"#, "policy.unrepresentable"),
    ] {
        assert_eq!(call(arguments), expected, "{arguments}");
    }
    // The engine has no cap on sets of its own.
    let set = |count: usize| {
        let items: Vec<String> = (0..count).map(|n| format!("\"{n}\"")).collect();
        call(&format!(r#"{{"s": "x", "ss": [{}]}}"#, items.join(",")))
    };
    assert_eq!(set(1024), "allow");
    assert_eq!(set(1025), "action.too_large");
    let numbers = vec!["1"; 1025].join(",");
    assert_eq!(call(&format!(r#"{{"s": "x", "ns": [{numbers}]}}"#)), "action.too_large");
    // What is no object at all.
    assert_eq!(gate.ask(ToolCall::new("srv", "t", json("[]"))), "tool.argument");
    assert_eq!(gate.ask(ToolCall::new("srv", "t", Value::Null)), "tool.argument");
}

#[test]
fn a_tool_whose_schema_changed_is_denied() {
    let gate = Bundle::of(PERMIT).with_tool("t", "{}", "[]").gate();
    let call = || ToolCall::new("srv", "t", json("{}"));
    let other = Digest::of("another listing", b"");
    check(&gate, call().with_schema(other), "tool.schema_changed");
    let mut tools = ToolManifest::new();
    let listing = br#"{"tools": [{"name": "t", "inputSchema": {"type": "object", "properties": {}, "required": []}}]}"#;
    tools.add_listing("srv", countersign::tool::ServerTrust::Untrusted, listing).unwrap();
    let registered = tools.get("srv/t").unwrap().schema;
    check(&gate, call().with_schema(registered), "allow");
}

// --- addresses and paths in normal form --------------------------------------------------------------------

#[test]
fn an_address_hits_forbids_however_it_is_spelled() {
    let range = |range: &str| {
        forbid(
            "principal, action == Action::\"Connect\", resource",
            &format!(
                "when {{ context has address && context.address.isInRange(ip(\"{range}\")) }}"
            ),
        )
    };
    let zone = |zone: &str| {
        forbid(
            "principal, action == Action::\"Connect\", resource",
            &format!("when {{ context.zone == \"{zone}\" }}"),
        )
    };
    let loopback = forbid(
        "principal, action == Action::\"Connect\", resource",
        "when { context has address && context.address.isLoopback() }",
    );
    let metadata = [
        "169.254.169.254",
        "::ffff:a9fe:a9fe",
        "[::ffff:a9fe:a9fe]",
        "[::FFFF:169.254.169.254]",
        "0:0:0:0:0:ffff:a9fe:a9fe",
        "2852039166",
        "0xa9fea9fe",
        "0xA9.0xFE.0xA9.0xFE",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.16689662",
        "169.254.169.254.",
        "\u{ff11}69.254.169.254",
        "169\u{3002}254\u{3002}169\u{3002}254",
    ];
    let own = [
        "127.0.0.1",
        "::ffff:7f00:1",
        "[::ffff:127.0.0.1]",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
    ];
    let seen = |gate: &Gate, host: &str| {
        // Named, and as what a name was resolved to.
        assert_eq!(gate.ask(Connect::new(host, 80)), "policy.forbid", "{host}");
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            let resolved = web().resolved_to([address]);
            assert_eq!(gate.ask(resolved), "policy.forbid", "resolved to {host}");
            let among = web().resolved_to(["93.184.216.34".parse().unwrap(), address]);
            assert_eq!(gate.ask(among), "policy.forbid", "among others {host}");
        }
    };
    for policy in [range("169.254.0.0/16"), zone("metadata")] {
        let gate = Bundle::but(&policy).gate();
        metadata.iter().for_each(|host| seen(&gate, host));
        check(&gate, web(), "allow");
        check(&gate, web().resolved_to(["93.184.216.34".parse().unwrap()]), "allow");
    }
    for policy in [loopback, zone("loopback"), range("127.0.0.0/8")] {
        let gate = Bundle::but(&policy).gate();
        own.iter().for_each(|host| seen(&gate, host));
        check(&gate, web(), "allow");
    }
    // Translated addresses are addresses of their own; their zone is that of where they lead.
    let gate = Bundle::but(&zone("metadata")).gate();
    for host in [
        "64:ff9b::a9fe:a9fe",
        "[64:ff9b::169.254.169.254]",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe",
        "fd00:ec2::254",
    ] {
        seen(&gate, host);
    }
    let names = [
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata\u{3002}google.internal",
    ];
    names.iter().for_each(|host| seen(&gate, host));
    check(&gate, web().over(Transport::Udp), "allow");
}

#[test]
fn a_path_is_seen_where_it_leads() {
    let below = forbid(
        "principal, action in [Action::\"ReadData\", Action::\"WriteData\"], resource",
        "unless { context.name like \"/srv/t/*\" }",
    );
    let gate = Bundle::but(&below).gate();
    check(&gate, ReadData::new("/srv/t/a"), "allow");
    for path in [
        "/srv/t/../../etc/shadow",
        "/srv/t/../secret",
        "/srv/t/./../secret",
        "/srv//t/..//secret",
        "../t/../secret",
        "/srv/t",
    ] {
        check(&gate, ReadData::new(path), "policy.forbid");
        check(&gate, WriteData::new(path), "policy.forbid");
    }
    check(&gate, ReadData::new("../t/a"), "allow");
    let shadow =
        forbid("principal, action in Action::\"data\", resource == File::\"/etc/shadow\"", "");
    let gate = Bundle::but(&shadow).gate();
    check(&gate, ReadData::new("/srv/t/../../etc/shadow"), "policy.forbid");
    check(&gate, ReadData::new("/etc//./shadow"), "policy.forbid");
    check(&gate, ExportData::to_named("/srv/../etc/shadow", "w").sends_bytes(1), "policy.forbid");
}

// --- deferral --------------------------------------------------------------------------------------------

#[test]
fn a_deferral_names_a_minimal_set_of_quorums() {
    let ask = |quorums: &[&str], policies: &str| {
        let gate = Bundle::but(policies).with_quorums(quorums).gate();
        gate.ask(web())
    };
    let unless = |id: &str, condition: &str| {
        format!("@id(\"{id}\") forbid(principal, action, resource) unless {{ {condition} }};\n")
    };
    let one = |name: &str| unless(name, &format!("context.approvals.contains(\"{name}\")"));
    let either = unless("either", "context.approvals.containsAny([\"a\", \"b\"])");
    let both = unless("both", "context.approvals.containsAll([\"a\", \"c\"])");
    // Only what is needed.
    assert_eq!(ask(&["a", "b", "c"], &one("b")), "defer b");
    assert_eq!(ask(&["a", "b", "c"], &both), "defer a c");
    assert_eq!(ask(&["c", "b", "a"], &both), "defer c a", "in the order of the manifest");
    assert_eq!(ask(&["a", "b", "c"], &format!("{}{}", one("c"), one("a"))), "defer a c");
    // Of those that serve alike, the earlier in the manifest is dropped first.
    assert_eq!(ask(&["a", "b"], &either), "defer b");
    assert_eq!(ask(&["b", "a"], &either), "defer a");
    // One that serves for two.
    assert_eq!(ask(&["b", "a", "c"], &format!("{either}{}", one("a"))), "defer a");
    assert_eq!(ask(&["a", "b", "c"], &format!("{either}{both}")), "defer a c");
    // What no approval lifts.
    let never = "@id(\"never\") forbid(principal, action, resource);\n";
    assert_eq!(ask(&["a", "b"], &format!("{either}{never}")), "policy.forbid");
    let eight: Vec<String> = (0..8).map(|n| format!("q{n}")).collect();
    let names: Vec<&str> = eight.iter().map(String::as_str).collect();
    let all: String = names.iter().map(|name| one(name)).collect();
    assert_eq!(ask(&names, &all), format!("defer {}", names.join(" ")));
}

#[test]
fn an_approval_can_stand_in_a_permit() {
    let gate = Bundle::of(
        "@id(\"a\") permit(principal, action == Action::\"Connect\", resource) \
         when { context.approvals.contains(\"security\") };",
    )
    .gate();
    check(&gate, web(), "defer security");
    check(&gate, InvokeModel::new("m"), "policy.no_permit");
}

#[test]
fn an_approval_that_is_held_is_not_asked_for_again() {
    let bundle = Bundle::but(
        "@id(\"both\") forbid(principal, action, resource) \
         unless { context.approvals.containsAll([\"sre\", \"security\"]) };",
    );
    let bundle = bundle.load().unwrap();
    let effect = effects(&web()).remove(0);
    let decide = |approvals: &[&str]| {
        let approvals: Vec<Box<str>> = approvals.iter().map(|name| (*name).into()).collect();
        match bundle.snapshot().decide(&principal(), &effect, &facts(&approvals)) {
            Verdict::Approval { quorums, policies } => {
                assert_eq!(*policies, [Box::from("both")]);
                quorums.join(" ")
            }
            Verdict::Permit { .. } => "permit".into(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(decide(&[]), "sre security");
    assert_eq!(decide(&["sre"]), "security");
    assert_eq!(decide(&["security"]), "sre");
    assert_eq!(decide(&["nobody"]), "sre security");
    assert_eq!(decide(&["security", "sre"]), "permit");
    assert_eq!(decide(&["sre", "security", "sre"]), "permit");
}

#[test]
fn the_worst_of_all_effects_decides() {
    let gate = Bundle::but(
        "@id(\"ask\") forbid(principal, action == Action::\"ReadData\", resource) \
         unless { context.approvals.contains(\"sre\") };\n\
         @id(\"never\") forbid(principal, action == Action::\"Connect\", resource) \
         when { context.port == 22 };",
    )
    .gate();
    let with = |port| Exec::new("git").and(ReadData::new("a")).and(Connect::new("a.example", port));
    check(&gate, with(443), "defer sre");
    check(&gate, with(22), "policy.forbid policy.approval");
}

// --- reload ----------------------------------------------------------------------------------------------

#[test]
fn a_reload_swaps_the_whole_bundle_between_two_calls_of_one_session() {
    let first = Bundle::of(PERMIT).with_tool("t", "{}", "[]");
    let second = Bundle::of(
        "@id(\"second\") forbid(principal, action == Action::\"Connect\", resource); \
        @id(\"rest\") permit(principal, action, resource);",
    );
    let gate = first.gate();
    let call = || ToolCall::new("srv", "t", json("{}"));
    let before = gate.fixture.authorizer.bundle();
    check(&gate, web(), "allow");
    check(&gate, call(), "allow");
    let lines = gate.fixture.sink.len();

    let bundle = second.load().unwrap();
    gate.fixture.authorizer.reload(&bundle);
    assert_eq!(gate.fixture.authorizer.bundle(), bundle.digest());
    assert_ne!(before, bundle.digest());
    check(&gate, web(), "policy.forbid");
    check(&gate, call(), "tool.unregistered");
    check(&gate, InvokeModel::new("m"), "allow");
    let text = gate.fixture.sink.to_ndjson();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| line.contains("\"receipt\"")) {
        let digest = if index < lines { before } else { bundle.digest() };
        let other = if index < lines { bundle.digest() } else { before };
        assert!(line.contains(&digest.to_string()), "{index}: {line}");
        assert!(!line.contains(&other.to_string()), "{index}: {line}");
    }

    gate.fixture.authorizer.reload(&first.load().unwrap());
    check(&gate, web(), "allow");
    check(&gate, call(), "allow");
}

// --- each fact alone flips a decision --------------------------------------------------------------------

/// A gate that forbids in the domain of infrastructure and data what `condition` says.
fn fact(condition: &str) -> Gate {
    let heads = ["Connect", "ReadData"].map(|action| {
        format!(
            "@id(\"{action}\") forbid(principal, action == Action::\"{action}\", resource) \
             when {{ {condition} }};\n"
        )
    });
    Bundle::but(&heads.concat()).gate()
}

#[test]
fn the_request_flips_a_decision() {
    let policy =
        forbid("principal, action == Action::\"Connect\", resource", "when { context.port == 22 }");
    let gate = Bundle::but(&policy).gate();
    check(&gate, Connect::new("a.example", 443), "allow");
    check(&gate, Connect::new("a.example", 22), "policy.forbid");
}

#[test]
fn the_resource_flips_a_decision() {
    let gate =
        Bundle::but(&forbid("principal, action, resource == File::\"/srv/web/b\"", "")).gate();
    check(&gate, ReadData::new("/srv/web/a"), "allow");
    check(&gate, ReadData::new("/srv/web/b"), "policy.forbid");
}

#[test]
fn the_time_flips_a_decision() {
    let end = testing::NOW.as_millis() + 60_000;
    let gate = fact(&format!("context.now >= {end}"));
    check(&gate, web(), "allow");
    gate.fixture.clock.advance(59_999);
    check(&gate, web(), "allow");
    gate.fixture.clock.advance(1);
    check(&gate, web(), "policy.forbid");
}

#[test]
fn the_class_of_the_data_flips_a_decision() {
    let policy = forbid(
        "principal, action == Action::\"ReadData\", resource",
        "when { context.classes.contains(\"secret\") }",
    );
    let gate = Bundle::but(&policy).gate();
    check(&gate, ReadData::new("a").classes(["public"]), "allow");
    check(&gate, ReadData::new("a").classes(["public", "secret"]), "policy.forbid");
    check(&gate, ReadData::new("a").classes(["SECRET"]), "policy.forbid");
}

#[test]
fn what_the_session_has_read_flips_a_decision() {
    let gate = fact("context.labels.contains(\"secret\")");
    check(&gate, web(), "allow");
    check(&gate, ReadData::new("a").classes(["public"]), "allow");
    check(&gate, web(), "allow");
    check(&gate, ReadData::new("a").classes(["secret"]), "allow");
    check(&gate, web(), "policy.forbid");
    let gate = fact("context.labels.contains(\"untrusted-input\")");
    check(&gate, web(), "allow");
    gate.session.add_label("untrusted-input").unwrap();
    check(&gate, web(), "policy.forbid");
}

#[test]
fn the_purpose_and_the_task_flip_a_decision() {
    check(&fact("context.purpose == \"testing\""), web(), "policy.forbid");
    check(&fact("context.purpose == \"other\""), web(), "allow");
    check(&fact("context.task like \"t-*\""), web(), "policy.forbid");
    check(&fact("context.task like \"u-*\""), web(), "allow");
}

#[test]
fn the_environment_flips_a_decision() {
    let gate = fact("context.environment == \"production\"");
    check(&gate, web(), "allow");
    let bundle = Bundle::but(&forbid(
        "principal, action, resource",
        "when { context.environment == \"production\" }",
    ));
    let authorizer = Authorizer::builder()
        .policy(bundle.load().unwrap())
        .identity(testing::identity_key())
        .sink(Sink::blocking(MemorySink::new()))
        .with_clock(testing::clock())
        .with_environment("production")
        .build()
        .unwrap();
    let session = authorizer.open(&testing::trusted(SCOPE).unwrap(), testing::agent()).unwrap();
    assert_eq!(outcome(&session.authorize(web()).unwrap()), "policy.forbid");
}

#[test]
fn counters_flip_a_decision() {
    let gate = fact("context.counters.actions >= 2");
    check(&gate, web(), "allow");
    check(&gate, web(), "allow");
    check(&gate, web(), "policy.forbid");
    let gate = fact("context.counters.denials >= 1");
    check(&gate, web(), "allow");
    check(&gate, ToolCall::new("srv", "none", json("{}")), "tool.unregistered");
    check(&gate, web(), "policy.forbid");
    let gate = fact("context.counters.distinct_targets >= 2");
    for host in ["a.example", "a.example", "b.example"] {
        check(&gate, Connect::new(host, 443), "allow");
    }
    check(&gate, Connect::new("a.example", 443), "policy.forbid");
}

#[test]
fn the_provenance_flips_a_decision() {
    let gate = fact("context.provenance != \"user\" && context.provenance != \"agent\"");
    for (provenance, expected) in [
        (Provenance::User, "allow"),
        (Provenance::Agent, "allow"),
        (Provenance::Tool, "policy.forbid"),
        (Provenance::Untrusted, "policy.forbid"),
        (Provenance::Unknown, "policy.forbid"),
    ] {
        let call = Call::new().provenance(provenance);
        let decision = gate.session.authorize_with(web(), &call).unwrap();
        assert_eq!(outcome(&decision), expected, "{provenance:?}");
    }
}

#[test]
fn reversibility_flips_a_decision() {
    let gate = fact("context.reversibility == \"irreversible\"");
    check(&gate, ReadData::new("a"), "allow");
    check(&gate, ReadData::new("a").reversibility(Reversibility::Compensable), "allow");
    check(&gate, ReadData::new("a").reversibility(Reversibility::Irreversible), "policy.forbid");
}

#[test]
fn what_nobody_knows_to_be_reversible_is_irreversible() {
    let gate = Bundle::but(&forbid(
        "principal, action in Action::\"ToolCall\", resource",
        "when { context.reversibility == \"irreversible\" }",
    ))
    .with_tool("t", "{}", "[]")
    .gate();
    check(&gate, ToolCall::new("srv", "t", json("{}")), "policy.forbid");
}
