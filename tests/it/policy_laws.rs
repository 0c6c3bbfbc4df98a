//! Laws of the policy gate, on random policies and requests, against the engine asked plainly.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use cedar_policy::{
    Context, Entities, EntityUid, PolicyId, PolicySet, Request, Response, Schema, ValidationMode,
    Validator,
};
use countersign::action::path::{PurePaths, ResolvedPath};
use countersign::action::{
    Action, Connect, Domain, Effect, EffectContext, Effects, Exec, Fact, InvokeModel, ReadData,
    SpawnAgent, Target, ToolCall, TriggerWorkflow, UseAccelerator, WriteData,
};
use countersign::identity::SpiffeId;
use countersign::policy::{
    BASE_SCHEMA, Counters, LoadError, Principal, RequestFacts, Snapshot, Verdict,
};
use countersign::time::Timestamp;
use countersign::value::{Limits, Value};
use countersign::{Reason, testing};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::support::gate::{Bundle, PERMIT};

const CASES: u32 = 64;

// --- the world that the random policies speak of -----------------------------------------------------

/// Types of the bundle's own, and the tool declared as it is generated, so that the plain engine can
/// be given the same schema.
const SCHEMA: &str = r#"
entity Org;
entity Team in [Team, Org] { level: Long, lead?: Team };
action "tool:srv/t" in ["ToolCall", "application"] appliesTo {
  principal: Agent, resource: Tool, context: {
    now: Long, task: String, purpose: String, environment: String, provenance: String,
    reversibility: String, labels: Set<String>, approvals: Set<String>, counters: Counters,
    recent: Set<String>, depth: Long, acting_through: Set<String>, tier: String, server: String, tool: String, input: { n?: Long, s: String } } };
"#;

const ENTITIES: &str = r#"[
  {"uid": {"type": "Team", "id": "a"}, "attrs": {"level": 1, "lead": {"__entity": {"type": "Team", "id": "b"}}}, "parents": []},
  {"uid": {"type": "Team", "id": "b"}, "attrs": {"level": 7}, "parents": [{"type": "Team", "id": "c"}]},
  {"uid": {"type": "Team", "id": "c"}, "attrs": {"level": 9223372036854775807}, "parents": [{"type": "Org", "id": "top"}]}]"#;

const ACCOUNTS: [&str; 2] = ["svc:deploy", "svc:read"];
const QUORUMS: [&str; 3] = ["sre", "security", "data-owner"];

fn world(policies: &str) -> Bundle {
    Bundle::of(policies)
        .with_schema(SCHEMA)
        .with_entities(ENTITIES)
        .with_quorums(&QUORUMS)
        .with_tool("t", r#"{"n": {"type": "integer"}, "s": {"type": "string"}}"#, r#"["s"]"#)
        .with_file("cases.json", CASE)
}

/// A case that says nothing: each random bundle would need another one.
const CASE: &str = r#"[{"name": "nobody", "request": {"principal": "Agent::\"nobody\"",
    "action": "Action::\"RemoteShell\"", "resource": "Endpoint::\"a\"", "context": {"now": 1,
    "task": "", "purpose": "", "environment": "none", "provenance": "none", "reversibility": "none",
    "labels": [], "approvals": [], "counters": {"accelerator_seconds": 0, "actions": 0,
    "application": 0, "data": 0, "denials": 0, "distinct_targets": 0, "egress_bytes": 0,
    "infrastructure": 0, "workload": 0}, "recent": [], "depth": 0, "acting_through": [], "tier": "",
    "direction": "reverse", "program": "sh"}},
    "entities": [{"uid": {"type": "Team", "id": "a"}, "attrs": {"level": 1, "lead": {"__entity": {"type": "Team", "id": "b"}}}, "parents": []},
      {"uid": {"type": "Team", "id": "b"}, "attrs": {"level": 7}, "parents": [{"type": "Team", "id": "c"}]},
      {"uid": {"type": "Team", "id": "c"}, "attrs": {"level": 9223372036854775807}, "parents": [{"type": "Org", "id": "top"}]}],
    "decision": "deny", "reason": ["nobody"], "num_errors": 0}]"#;

/// What decides the case of every random bundle, and nothing else.
const NOBODY: &str = "@id(\"nobody\") forbid(principal == Agent::\"nobody\", action, resource);\n";

struct Actor {
    instance: &'static str,
    owner: &'static str,
}

const ACTORS: [Actor; 3] = [
    Actor { instance: "spiffe://example.org/agent/coder/i-1", owner: "user:dana@example.org" },
    Actor { instance: "spiffe://example.org/agent/coder/i-2", owner: "team:web@example.org" },
    Actor { instance: "spiffe://other.example/agent/x/i-1", owner: "user:dana@example.org" },
];

fn effects() -> Vec<Effect> {
    let call = |arguments: &str| {
        let arguments = Value::parse(arguments.as_bytes(), &Limits::ARGUMENTS).unwrap();
        ToolCall::new("srv", "t", arguments)
    };
    let address = "169.254.169.254".parse().unwrap();
    let actions: Vec<Box<dyn Action>> = vec![
        Box::new(TriggerWorkflow::new("w1", Value::Null)),
        Box::new(TriggerWorkflow::new("w2", Value::Null)),
        Box::new(SpawnAgent::new("spiffe://other.example/agent/x", "t")),
        Box::new(SpawnAgent::new("spiffe://example.org/agent/coder", "t")),
        Box::new(call(r#"{"n": 1, "s": "x"}"#)),
        Box::new(call(r#"{"s": ""}"#)),
        Box::new(Connect::new("a.example", 443)),
        Box::new(Connect::new("10.0.0.1", 22)),
        Box::new(Connect::new("b.example", 80).resolved_to([address])),
        Box::new(Exec::new("git").args(["push", "--force"])),
        Box::new(ReadData::new("/srv/a").classes(["secret"])),
        Box::new(ReadData::table("crm.orders")),
        Box::new(WriteData::new("/srv/a")),
        Box::new(InvokeModel::new("m")),
        Box::new(UseAccelerator::new("gpu", 2)),
    ];
    let bundle = &*EMPTY;
    let paths = PurePaths::new();
    let root = ResolvedPath::root();
    let context = EffectContext::new(&paths, &root, bundle.tools());
    let effects = actions.iter().flat_map(|action| {
        let mut effects = Effects::default();
        action.effects(&context, &mut effects);
        effects.finish()
    });
    effects.collect()
}

static EMPTY: LazyLock<Arc<Snapshot>> =
    LazyLock::new(|| Arc::clone(world(NOBODY).load().unwrap().snapshot()));

static EFFECTS: LazyLock<Vec<Effect>> = LazyLock::new(effects);

static PLAIN: LazyLock<Schema> =
    LazyLock::new(|| Schema::from_cedarschema_str(&format!("{BASE_SCHEMA}\n{SCHEMA}")).unwrap().0);

/// The facts of one request.
#[derive(Debug, Clone)]
struct Facts {
    actor: Index,
    effect: Index,
    now: u64,
    environment: &'static str,
    provenance: &'static str,
    labels: Vec<&'static str>,
    approvals: Vec<&'static str>,
    counters: Counters,
    recent: Vec<Domain>,
    depth: u64,
    acting_through: Vec<&'static str>,
}

fn facts() -> impl Strategy<Value = Facts> {
    let subset = |of: &'static [&'static str]| proptest::sample::subsequence(of, 0..=of.len());
    let counters = (0..4_u64, 0..4_u64, 0..4_u64).prop_map(|(actions, denials, targets)| {
        Counters { actions, denials, distinct_targets: targets, ..Counters::default() }
    });
    let domains = proptest::sample::subsequence(Domain::ALL.to_vec(), 0..=4);
    let further = (domains, 0..3_u64, subset(&ACCOUNTS));
    (
        any::<Index>(),
        any::<Index>(),
        select(vec![0, 1, 1000, 3_037_000_500, testing::NOW.as_millis()]),
        select(vec!["ci", "production"]),
        select(vec!["user", "agent", "untrusted"]),
        subset(&["personal", "secret"]),
        prop_oneof![3 => Just(Vec::new()), 1 => subset(&QUORUMS)],
        counters,
        further,
    )
        .prop_map(
            |(
                actor,
                effect,
                now,
                environment,
                provenance,
                labels,
                approvals,
                counters,
                further,
            )| Facts {
                actor,
                effect,
                now,
                environment,
                provenance,
                labels,
                approvals,
                counters,
                recent: further.0,
                depth: further.1,
                acting_through: further.2,
            },
        )
}

fn boxed(texts: &[&str]) -> Vec<Box<str>> {
    texts.iter().map(|text| Box::from(*text)).collect()
}

impl Facts {
    fn effect(&self) -> &'static Effect {
        self.effect.get(&EFFECTS[..])
    }

    fn actor(&self) -> &'static Actor {
        self.actor.get(&ACTORS[..])
    }

    fn decide(&self, snapshot: &Snapshot) -> Verdict {
        let (labels, approvals) = (boxed(&self.labels), boxed(&self.approvals));
        let acting_through = boxed(&self.acting_through);
        let facts = RequestFacts {
            now: Timestamp::from_millis(self.now),
            task: "t",
            purpose: "p",
            environment: self.environment,
            provenance: self.provenance,
            labels: &labels,
            approvals: &approvals,
            counters: self.counters,
            recent: &self.recent,
            depth: self.depth,
            acting_through: &acting_through,
            tier: "high",
        };
        let Actor { instance, owner } = self.actor();
        let principal = Principal::of(&SpiffeId::parse(instance).unwrap(), owner).unwrap();
        snapshot.decide(&principal, self.effect(), &facts)
    }

    /// The same request put to the engine plainly: through JSON, whole entities, all policies.
    fn ask_plainly(&self, policies: &PolicySet, approvals: &[&str]) -> Response {
        let effect = self.effect();
        let mut context = json!({
            "now": self.now, "task": "t", "purpose": "p", "environment": self.environment,
            "provenance": self.provenance, "reversibility": effect.reversibility().as_str(),
            "labels": self.labels, "approvals": approvals,
            "counters": {"accelerator_seconds": 0, "actions": self.counters.actions,
                         "application": self.counters.application, "data": self.counters.data,
                         "denials": self.counters.denials,
                         "distinct_targets": self.counters.distinct_targets,
                         "egress_bytes": self.counters.egress_bytes, "infrastructure": 0,
                         "workload": 0},
            "recent": self.recent.iter().map(|domain| domain.as_str()).collect::<Vec<_>>(),
            "depth": self.depth, "acting_through": self.acting_through, "tier": "high",
        });
        for (name, fact) in effect.facts().iter() {
            context[name] = match fact {
                Fact::Bool(truth) => json!(truth),
                Fact::Long(number) => json!(number),
                Fact::Text(text) => json!(text.as_str()),
                Fact::TextSet(texts) => json!(texts.iter().collect::<Vec<_>>()),
                Fact::Address(address) => {
                    json!({"__extn": {"fn": "ip", "arg": address.to_string()}})
                }
                other => panic!("{other:?}"),
            };
        }
        let mut action = effect.kind().as_str().to_owned();
        if let Target::Tool { arguments, .. } = effect.target() {
            let arguments = Value::Object(arguments.clone()).to_canonical();
            context["input"] = serde_json::from_str(&arguments).unwrap();
            action = "tool:srv/t".into();
        }
        let uid = |kind: &str, id: &str| -> EntityUid {
            EntityUid::from_json(json!({"type": kind, "id": id})).unwrap()
        };
        let action = uid("Action", &action);
        let context = Context::from_json_value(context, Some((&PLAIN, &action))).unwrap();
        let resource = (effect.target().entity_type(), effect.target().id());
        let request = Request::new(
            uid("Agent", self.actor().instance),
            action,
            uid(resource.0, &resource.1),
            context,
            Some(&PLAIN),
        );
        let engine = cedar_policy::Authorizer::new();
        engine.is_authorized(&request.unwrap(), policies, &ALL_ENTITIES)
    }

    /// The rule: an error denies; an allow names a policy; a denial is asked again with quorums.
    fn decide_plainly(&self, policies: &PolicySet) -> Expected {
        let answer = |approvals: &[&str]| {
            let response = self.ask_plainly(policies, approvals);
            let diagnostics = response.diagnostics();
            let mut errors: Vec<String> = diagnostics
                .errors()
                .map(|cedar_policy::AuthorizationError::PolicyEvaluationError(error)| {
                    error.policy_id().to_string()
                })
                .collect();
            errors.sort();
            let mut reasons: Vec<String> = diagnostics.reason().map(ToString::to_string).collect();
            reasons.sort();
            (response.decision() == cedar_policy::Decision::Allow, reasons, errors)
        };
        let allows = |approvals: &[&str]| {
            let (allow, reasons, errors) = answer(approvals);
            allow && errors.is_empty() && !reasons.is_empty()
        };
        let (allow, reasons, errors) = answer(&self.approvals);
        if !errors.is_empty() {
            return Expected::Refuse(Reason::PolicyError, errors);
        }
        if allow {
            return Expected::Permit(reasons);
        }
        let mut wanted: Vec<&str> = QUORUMS.to_vec();
        if allows(&wanted) {
            for quorum in QUORUMS.iter().filter(|quorum| !self.approvals.contains(quorum)) {
                let without: Vec<&str> =
                    wanted.iter().copied().filter(|name| name != quorum).collect();
                if allows(&without) {
                    wanted = without;
                }
            }
            wanted.retain(|name| !self.approvals.contains(name));
            return Expected::Approval(wanted.iter().map(ToString::to_string).collect(), reasons);
        }
        let reason = if reasons.is_empty() { Reason::PolicyNoPermit } else { Reason::PolicyForbid };
        Expected::Refuse(reason, reasons)
    }
}

#[derive(Debug, PartialEq)]
enum Expected {
    Permit(Vec<String>),
    Approval(Vec<String>, Vec<String>),
    Refuse(Reason, Vec<String>),
}

impl From<Verdict> for Expected {
    fn from(verdict: Verdict) -> Self {
        let texts = |list: Vec<Box<str>>| list.into_iter().map(String::from).collect();
        match verdict {
            Verdict::Permit { policies } => Self::Permit(texts(policies)),
            Verdict::Approval { quorums, policies } => {
                Self::Approval(texts(quorums), texts(policies))
            }
            Verdict::Refuse { reason, policies } => Self::Refuse(reason, texts(policies)),
            other => panic!("{other:?}"),
        }
    }
}

/// How much is allowed: nothing, after approvals, at once.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Permit { .. } => 2,
        Verdict::Approval { .. } => 1,
        _ => 0,
    }
}

/// Every entity of the world, for every request.
static ALL_ENTITIES: LazyLock<Entities> = LazyLock::new(|| {
    let entity = |kind: &str, id: &str, parents: &[(&str, &str)]| {
        let parents: Vec<_> =
            parents.iter().map(|(kind, id)| json!({"type": kind, "id": id})).collect();
        json!({"uid": {"type": kind, "id": id}, "attrs": {}, "parents": parents})
    };
    let mut all: Vec<serde_json::Value> = serde_json::from_str(ENTITIES).unwrap();
    let mut known = BTreeMap::new();
    for Actor { instance, owner } in &ACTORS {
        // Every prefix of the path is a class, in the next shorter one or in the trust domain.
        let domain = instance["spiffe://".len()..].split('/').next().unwrap();
        let mut class = *instance;
        while let Some((outer, _)) =
            class.rsplit_once('/').filter(|(outer, _)| *outer != "spiffe:/")
        {
            let of = outer.strip_prefix("spiffe://").unwrap();
            let parent = if of == domain { ("TrustDomain", domain) } else { ("AgentClass", outer) };
            known.insert(("AgentClass", class), entity("AgentClass", class, &[parent]));
            class = outer;
        }
        let parents = [("AgentClass", *instance), ("Owner", *owner), ("TrustDomain", domain)];
        known.insert(("Agent", *instance), entity("Agent", instance, &parents));
        known.insert(("Owner", *owner), entity("Owner", owner, &[]));
        known.insert(("TrustDomain", domain), entity("TrustDomain", domain, &[]));
    }
    all.extend(known.into_values());
    all.push(entity("Server", "srv", &[]));
    let mut tool = entity("Tool", "srv/t", &[("Server", "srv")]);
    tool["attrs"] = json!({"read_only": false, "destructive": true, "open_world": true});
    all.push(tool);
    Entities::from_json_value(all.into(), Some(&PLAIN)).unwrap()
});

// --- random policies ---------------------------------------------------------------------------------

fn head() -> impl Strategy<Value = String> {
    let principal = select(vec![
        "principal",
        "principal",
        "principal is Agent",
        "principal == Agent::\"spiffe://example.org/agent/coder/i-1\"",
        "principal in AgentClass::\"spiffe://example.org/agent/coder\"",
        "principal in Owner::\"user:dana@example.org\"",
        "principal in TrustDomain::\"other.example\"",
        "principal is Agent in Owner::\"team:web@example.org\"",
    ]);
    let action = select(vec![
        "action",
        "action",
        "action == Action::\"Connect\"",
        "action == Action::\"ReadData\"",
        "action == Action::\"SpawnAgent\"",
        "action == Action::\"tool:srv/t\"",
        "action in Action::\"ToolCall\"",
        "action in Action::\"application\"",
        "action in Action::\"infrastructure\"",
        "action in Action::\"data\"",
        "action in [Action::\"workload\", Action::\"Connect\"]",
        "action in [Action::\"TriggerWorkflow\", Action::\"WriteData\", Action::\"ReadData\"]",
    ]);
    let resource = select(vec![
        "resource",
        "resource",
        "resource",
        "resource is File",
        "resource is Tool",
        "resource is AgentClass",
        "resource == Workflow::\"w1\"",
        "resource == File::\"/srv/a\"",
        "resource == Tool::\"srv/t\"",
        "resource in Tool::\"srv/t\"",
        "resource in Server::\"srv\"",
        "resource is Tool in Server::\"srv\"",
        "resource == AgentClass::\"spiffe://other.example/agent/x\"",
        "resource in AgentClass::\"spiffe://example.org/agent\"",
        "resource in TrustDomain::\"other.example\"",
        "resource is AgentClass in TrustDomain::\"example.org\"",
    ]);
    (principal, action, resource)
        .prop_map(|(principal, action, resource)| format!("{principal}, {action}, {resource}"))
}

/// Conditions on which approvals, labels and counters have no bearing.
fn untracked() -> impl Strategy<Value = String> {
    let atoms = select(vec![
        "context.now > 1000",
        "context.environment == \"ci\"",
        "context.provenance == \"untrusted\"",
        "context.provenance like \"u*\"",
        "context.reversibility == \"irreversible\"",
        "context.task == \"t\"",
        "context.tier == \"high\"",
        "principal in Owner::\"user:dana@example.org\"",
        "principal in AgentClass::\"spiffe://other.example/agent/x\"",
        "principal in TrustDomain::\"example.org\"",
        "resource == Workflow::\"w1\"",
        "resource in TrustDomain::\"other.example\"",
        "resource in Server::\"srv\"",
        "resource is File",
        "resource is Table",
        "action in Action::\"data\"",
        "action in [Action::\"Connect\", Action::\"ToolCall\"]",
        "Team::\"b\" in Org::\"top\"",
        "Team::\"a\" in Org::\"top\"",
        "Team::\"a\".level == 1",
        "Team::\"b\" has lead",
        "(Team::\"a\" has lead && Team::\"a\".lead.level == 7)",
        "(Team::\"a\" has lead && Team::\"a\".lead in Team::\"c\")",
        "(resource is Tool && resource.destructive)",
    ]);
    atoms.prop_map(str::to_owned)
}

/// Conditions that fail for some requests.
fn failing() -> impl Strategy<Value = String> {
    let atoms = select(vec![
        "context.now + 9223372036854774807 > 0",
        "context.now * context.now > 1000",
        "context.now * 9000000000 > 1000",
        "Team::\"c\".level + context.now > 0",
        "0 - 9223372036854775807 - context.now < 1",
    ]);
    atoms.prop_map(str::to_owned)
}

/// Conditions on tracked facts that, when true, push toward allow, and those that push toward deny.
fn tracked(toward_allow: bool) -> impl Strategy<Value = String> {
    let allow = vec![
        "context.approvals.contains(\"sre\")",
        "context.approvals.containsAll([\"sre\", \"security\"])",
        "context.approvals.containsAny([\"security\", \"data-owner\"])",
        "context.labels.isEmpty()",
        "[\"personal\"].containsAll(context.labels)",
        "context.counters.actions < 2",
        "1 >= context.counters.denials",
        "context.counters.egress_bytes < 3",
        "context.recent.isEmpty()",
        "[\"application\", \"data\"].containsAll(context.recent)",
        "context.depth < 1",
        "context.acting_through.isEmpty()",
        "!context.acting_through.contains(\"svc:deploy\")",
    ];
    let deny = vec![
        "context.approvals.isEmpty()",
        "[\"sre\"].containsAll(context.approvals)",
        "context.labels.contains(\"secret\")",
        "context.labels.containsAny([\"secret\", \"personal\"])",
        "context.labels.containsAll([\"secret\", \"personal\"])",
        "context.counters.denials >= 2",
        "1 < context.counters.distinct_targets",
        "2 <= context.counters.data",
        "context.recent.contains(\"data\")",
        "context.recent.containsAny([\"data\", \"workload\"])",
        "context.depth >= 2",
        "context.acting_through.contains(\"svc:read\")",
    ];
    select(if toward_allow { allow } else { deny }).prop_map(str::to_owned)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Flavour {
    /// Facts that grow, each on its right side.
    Tracked,
    /// Facts that grow, anywhere.
    Anywhere,
    /// Conditions that can fail.
    Failing,
}

fn condition(flavour: Flavour, toward_allow: bool, depth: u32) -> BoxedStrategy<String> {
    let leaf = match flavour {
        Flavour::Tracked => prop_oneof![untracked(), tracked(toward_allow)].boxed(),
        Flavour::Anywhere => prop_oneof![untracked(), tracked(true), tracked(false)].boxed(),
        Flavour::Failing => prop_oneof![2 => untracked(), 1 => failing()].boxed(),
    };
    if depth == 0 {
        return leaf;
    }
    let same = move || condition(flavour, toward_allow, depth - 1);
    let flipped = condition(flavour, !toward_allow, depth - 1);
    let test = match flavour {
        Flavour::Failing => same(),
        _ => untracked().boxed(),
    };
    prop_oneof![
        2 => leaf,
        2 => (same(), same()).prop_map(|(one, other)| format!("({one} && {other})")),
        2 => (same(), same()).prop_map(|(one, other)| format!("({one} || {other})")),
        2 => flipped.prop_map(|of| format!("!({of})")),
        1 => (test, same(), same())
            .prop_map(|(test, one, other)| format!("(if {test} then {one} else {other})")),
    ]
    .boxed()
}

fn policy(flavours: Vec<Flavour>) -> impl Strategy<Value = String> {
    (any::<bool>(), any::<bool>(), select(flavours), head()).prop_flat_map(
        |(permit, unless, flavour, head)| {
            let effect = if permit { "permit" } else { "forbid" };
            let clause = if unless { "unless" } else { "when" };
            condition(flavour, permit != unless, 2)
                .prop_map(move |condition| format!("{effect}({head}) {clause} {{ {condition} }};"))
        },
    )
}

/// Names the policies, and leaves out those that the validator takes for errors or warns of.
fn valid(policies: &[String], prefix: &str) -> String {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| Validator::new(PLAIN.clone()));
    let mut text = String::new();
    for (index, policy) in policies.iter().enumerate() {
        let set: PolicySet = policy.parse().unwrap();
        if VALIDATOR.validate(&set, ValidationMode::Strict).validation_passed_without_warnings() {
            text.push_str(&format!("@id(\"{prefix}{index}\") {policy}\n"));
        }
    }
    text
}

/// The policies as the plain engine takes them, under their own names.
fn plain(policies: &str) -> PolicySet {
    let set: PolicySet = policies.parse().unwrap();
    let named = set.policies().map(|policy| {
        policy.new_id(PolicyId::new(policy.annotation("id").expect("it has a name")))
    });
    PolicySet::from_policies(named).unwrap()
}

fn policies(flavours: &[Flavour], most: usize) -> impl Strategy<Value = String> {
    let list = proptest::collection::vec(policy(flavours.to_vec()), 1..=most);
    list.prop_map(|list| format!("{NOBODY}{}", valid(&list, "p")))
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() }
}

/// Combinations of labels, counters, domains, hops and accounts.
fn histories(of: &Facts) -> Vec<Facts> {
    let mut all = Vec::new();
    for labels in [vec![], vec!["personal"], vec!["secret"], vec!["personal", "secret"]] {
        for counter in [0, 2, 3] {
            let counters = Counters {
                actions: counter,
                data: counter,
                denials: counter,
                distinct_targets: counter,
                egress_bytes: counter,
                ..Counters::default()
            };
            let history = Facts { labels: labels.clone(), counters, ..of.clone() };
            let history = Facts { recent: vec![], depth: 0, acting_through: vec![], ..history };
            all.push(history.clone());
            if counter == 2 {
                all.push(Facts { recent: vec![Domain::Data], ..history.clone() });
                all.push(Facts { acting_through: ACCOUNTS.to_vec(), ..history.clone() });
                all.push(Facts { depth: 2, recent: Domain::ALL.to_vec(), ..history.clone() });
            }
        }
    }
    all
}

fn has_more(more: &Facts, less: &Facts) -> bool {
    less.labels.iter().all(|label| more.labels.contains(label))
        && more.counters.actions >= less.counters.actions
        && less.recent.iter().all(|domain| more.recent.contains(domain))
        && less.acting_through.iter().all(|account| more.acting_through.contains(account))
        && more.depth >= less.depth
}

/// More history never allows more.
fn check_history(snapshot: &Snapshot, facts: &Facts) -> Result<(), TestCaseError> {
    let histories = histories(facts);
    let ranks: Vec<u8> = histories.iter().map(|history| rank(&history.decide(snapshot))).collect();
    for (more, rank_of_more) in histories.iter().zip(&ranks) {
        for (less, rank_of_less) in histories.iter().zip(&ranks) {
            let holds = !has_more(more, less) || rank_of_more <= rank_of_less;
            prop_assert!(holds, "{less:?} allows less than {more:?}");
        }
    }
    Ok(())
}

/// More approvals never allow less.
fn check_approvals(snapshot: &Snapshot, facts: &Facts) -> Result<(), TestCaseError> {
    let with = |bits: usize| {
        let held = QUORUMS.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0);
        let approvals = held.map(|(_, name)| *name).collect();
        rank(&Facts { approvals, ..facts.clone() }.decide(snapshot))
    };
    let ranks: Vec<u8> = (0..8).map(with).collect();
    for more in 0..8 {
        for less in (0..8).filter(|less| less & more == *less) {
            prop_assert!(ranks[more] >= ranks[less], "{more:03b} allows less than {less:03b}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_slice_decides_as_the_whole_set_does_and_another_forbid_never_allows_more(
        policies in policies(&[Flavour::Tracked, Flavour::Tracked, Flavour::Failing], 8),
        forbid in (head(), condition(Flavour::Tracked, false, 2)),
        requests in proptest::collection::vec(facts(), 16),
    ) {
        let (head, condition) = forbid;
        let more = valid(&[format!("forbid({head}) when {{ {condition} }};")], "more");
        let more = format!("{policies}{more}");
        let load = |policies: &str| {
            world(policies).load().map_err(|error| match error {
                // One that fails for every request fails the case of the fixture, and is refused.
                LoadError::Case(failure) if !failure.found.ends_with("with 0 errors") => {
                    TestCaseError::reject("a policy fails the fixture's own case")
                }
                error => TestCaseError::fail(format!("{error:?}")),
            })
        };
        let (before, after) = (load(&policies)?, load(&more)?);
        let (before, after) = (before.snapshot(), after.snapshot());
        let set = plain(&more);
        for facts in &requests {
            let (before, after) = (facts.decide(before), facts.decide(after));
            prop_assert!(rank(&after) <= rank(&before), "{:?}: {:?} {:?}", facts, before, after);
            let expected = facts.decide_plainly(&set);
            prop_assert_eq!(Expected::from(after), expected, "{:?} {:?}", facts, facts.effect());
        }
    }

    #[test]
    fn in_a_bundle_that_loads_history_only_tightens_and_approvals_only_loosen(
        policies in policies(&[Flavour::Tracked, Flavour::Anywhere, Flavour::Failing], 2),
        requests in proptest::collection::vec(facts(), 3),
    ) {
        // A permit of everything, so that it is the random ones that decide.
        let permit = PERMIT.replace("resource);", "resource) when { context.environment == \"ci\" };");
        match world(&format!("{permit}\n{policies}")).load() {
            Ok(bundle) => {
                for facts in &requests {
                    check_history(bundle.snapshot(), facts)?;
                    check_approvals(bundle.snapshot(), facts)?;
                }
            }
            Err(LoadError::Polarity { .. }) => prop_assert!(policies.contains("context.")),
            // One that fails for every request fails the case of the fixture, and nothing is loaded.
            Err(LoadError::Case(failure)) => prop_assert!(!failure.found.ends_with("with 0 errors")),
            Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
        }
    }

    #[test]
    fn in_the_baseline_history_only_tightens_and_approvals_only_loosen(
        facts in facts(),
        approvals in any::<bool>(),
    ) {
        let bundle = testing::baseline();
        // Its tools are those that it was loaded with: none.
        prop_assume!(!matches!(facts.effect().target(), Target::Tool { .. }));
        if approvals {
            check_approvals(bundle.snapshot(), &facts)?;
        } else {
            check_history(bundle.snapshot(), &facts)?;
        }
    }
}

/// A chain of conditions needs stack for each; what has too little left errs. So a bundle that passed
/// its cases, which are asked with the least stack that a decision can have, must not err later.
#[test]
fn what_passes_its_cases_has_enough_stack_when_it_decides() {
    let facts = facts().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let mut outcomes = BTreeMap::new();
    for length in [8, 60, 100, 140, 220, 400] {
        let chain = vec!["context.now >= 0"; length].join(" && ");
        let forbid = format!(
            "@id(\"deep\") forbid(principal, action, resource) when {{ {chain} && context.environment == \"nowhere\" }};"
        );
        let loaded = world(&format!("{PERMIT}\n{NOBODY}\n{forbid}")).load();
        let failed = match &loaded {
            Ok(bundle) => match facts.decide(bundle.snapshot()) {
                Verdict::Refuse { reason, .. } => Some(reason),
                _ => None,
            },
            Err(_) => None,
        };
        assert_ne!(failed, Some(Reason::PolicyError), "{length}");
        outcomes.insert(length, loaded.as_ref().err().map(ToString::to_string));
    }
    assert_eq!(outcomes[&60], None, "{outcomes:?}");
}
