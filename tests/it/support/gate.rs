//! Small bundles in memory, one change away from one that loads, and sessions on them whose scope
//! grants nearly everything, so that the policies alone decide.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cedar_policy::{Context, Decision, Entities, PolicySet, Request, Schema};
use countersign::action::{EffectContext, Effects, HostAction};
use countersign::authorizer::EffectOutcome;
use countersign::policy::{Authored, BASE_SCHEMA, Enforced, LoadError};
use countersign::testing::{self, Fixture};
use countersign::tool::{ServerTrust, ToolManifest};
use countersign::{Action, Session};

/// Permits everything, for bundles whose forbids are looked at.
pub(crate) const PERMIT: &str = r#"@id("permit") permit(principal, action, resource);"#;

/// A bundle in the making: the base schema, the given policies, a manifest with quorums, and one case
/// that says what the policies say.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    files: BTreeMap<String, Vec<u8>>,
    schema: String,
    tools: ToolManifest,
    register: Vec<fn(Authored) -> Authored>,
}

impl Bundle {
    /// A bundle of these policies and nothing else.
    pub(crate) fn of(policies: &str) -> Self {
        let bundle = Self {
            files: BTreeMap::new(),
            schema: BASE_SCHEMA.to_owned(),
            tools: ToolManifest::new(),
            register: Vec::new(),
        };
        bundle.with_file("policies.cedar", policies).with_quorums(&["sre", "security"])
    }

    /// A bundle that permits everything but what these policies forbid.
    pub(crate) fn but(policies: &str) -> Self {
        Self::of(&format!("{PERMIT}\n{policies}"))
    }

    /// Sets a file; `schema.cedarschema` and `cases.json` have contents of their own otherwise.
    pub(crate) fn with_file(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.files.insert(name.to_owned(), text.as_ref().to_vec());
        self
    }

    /// Names the quorums of the manifest, in order; each takes one person of the role of its name.
    pub(crate) fn with_quorums(self, names: &[&str]) -> Self {
        let quorum = |name| format!(r#"{{"name": "{name}", "roles": ["{name}"], "of": 1}}"#);
        let quorums: Vec<String> = names.iter().map(quorum).collect();
        let head = r#""bundle": "countersign/bundle/v1", "name": "test""#;
        self.with_file(
            "manifest.json",
            format!("{{{head}, \"quorums\": [{}]}}", quorums.join(", ")),
        )
    }

    /// Adds declarations to the schema.
    pub(crate) fn with_schema(mut self, more: &str) -> Self {
        self.schema.push_str(more);
        self
    }

    /// Sets the entities of the bundle.
    pub(crate) fn with_entities(self, json: &str) -> Self {
        self.with_file("entities.json", json)
    }

    /// Registers a tool of the server `srv`, with the properties of its input schema.
    pub(crate) fn with_tool(mut self, name: &str, properties: &str, required: &str) -> Self {
        let listing = format!(
            r#"{{"tools": [{{"name": "{name}", "inputSchema": {{"type": "object",
                "properties": {properties}, "required": {required}}}}}]}}"#
        );
        self.tools.add_listing("srv", ServerTrust::Untrusted, listing.as_bytes()).unwrap();
        self
    }

    /// Registers tools.
    pub(crate) fn with_tools(mut self, tools: ToolManifest) -> Self {
        self.tools = tools;
        self
    }

    /// Registers a kind of action.
    pub(crate) fn with_action<A: HostAction>(mut self) -> Self {
        self.register.push(Authored::with_action::<A>);
        self
    }

    /// The files, the case among them.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files.clone();
        files
            .entry("schema.cedarschema".into())
            .or_insert_with(|| self.schema.clone().into_bytes());
        if !files.contains_key("cases.json") {
            let policies = files.get("policies.cedar").map(|text| String::from_utf8_lossy(text));
            let case = case(&policies.unwrap_or_default());
            files.insert("cases.json".into(), case.into_bytes());
        }
        files
    }

    /// The bundle as it was written.
    pub(crate) fn authored(&self) -> Result<Authored, LoadError> {
        let files = self.files();
        let files = files.iter().map(|(name, text)| (name.as_str(), text));
        let authored = Authored::from_files(files)?.with_tools(self.tools.clone());
        Ok(self.register.iter().fold(authored, |authored, register| register(authored)))
    }

    /// Takes the bundle through all states.
    pub(crate) fn load(&self) -> Result<Enforced, LoadError> {
        self.authored()?.load()
    }

    /// Loads the bundle and puts an authorizer around it.
    pub(crate) fn gate(&self) -> Gate {
        Gate::new(self.load().unwrap_or_else(|error| panic!("{error:?}")))
    }
}

/// A case of an agent that starts a workflow, with the answer that the policies give.
fn case(policies: &str) -> String {
    let context = r#"{"now": 1, "task": "t", "purpose": "", "environment": "",
        "provenance": "agent", "reversibility": "reversible", "labels": [], "approvals": [],
        "counters": {"accelerator_seconds": 0, "actions": 0,
    "application": 0, "data": 0, "denials": 0, "distinct_targets": 0, "egress_bytes": 0,
    "infrastructure": 0, "workload": 0}, "recent": [], "depth": 0, "acting_through": [], "tier": ""}"#;
    let (decision, errors) = answer(policies, context).unwrap_or((Decision::Deny, 0));
    let decision = if decision == Decision::Allow { "allow" } else { "deny" };
    format!(
        r#"[{{"request": {{"principal": "Agent::\"a\"", "action": "Action::\"TriggerWorkflow\"",
        "resource": "Workflow::\"w\"", "context": {context}}}, "entities": [],
        "decision": "{decision}", "reason": [], "num_errors": {errors}}}]"#
    )
}

fn answer(policies: &str, context: &str) -> Option<(Decision, usize)> {
    static ACTIONS: LazyLock<Entities> = LazyLock::new(|| {
        let (schema, _) = Schema::from_cedarschema_str(BASE_SCHEMA).unwrap();
        Entities::from_entities([], Some(&schema)).unwrap()
    });
    let policies: PolicySet = policies.parse().ok()?;
    let uid = |text: &str| text.parse().ok();
    let request = Request::new(
        uid(r#"Agent::"a""#)?,
        uid(r#"Action::"TriggerWorkflow""#)?,
        uid(r#"Workflow::"w""#)?,
        Context::from_json_str(context, None).ok()?,
        None,
    );
    let engine = cedar_policy::Authorizer::new();
    let response = engine.is_authorized(&request.ok()?, &policies, &ACTIONS);
    Some((response.decision(), response.diagnostics().errors().count()))
}

/// An authorizer around one bundle, and a session on a scope that grants nearly everything.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) fixture: Fixture,
    pub(crate) session: Session,
}

impl Gate {
    pub(crate) fn new(bundle: Enforced) -> Self {
        let fixture = Fixture::new(bundle);
        let scope = testing::trusted(SCOPE).unwrap();
        let session = fixture.authorizer.open(&scope, testing::agent()).unwrap();
        Self { fixture, session }
    }

    /// What becomes of `action`: `allow`, `defer sre security`, or the reason codes of a denial.
    pub(crate) fn ask(&self, action: impl Action) -> String {
        let decision = self.session.authorize(action).unwrap();
        outcome(&decision)
    }
}

/// The decision as a word: `allow`, `defer` with its quorums, or the reason codes of a denial.
pub(crate) fn outcome<A: Action>(decision: &countersign::Decision<A>) -> String {
    use countersign::Decision;
    match decision {
        Decision::Allow(_) => "allow".into(),
        Decision::Defer(_) => {
            let mut words = vec!["defer"];
            for effect in decision.effects() {
                if let EffectOutcome::Defer { quorums } = &effect.outcome {
                    words.extend(quorums.iter().map(AsRef::as_ref));
                }
            }
            words.join(" ")
        }
        Decision::Deny(denial) => {
            let codes: Vec<&str> = denial.reasons().iter().map(|reason| reason.code()).collect();
            codes.join(" ")
        }
    }
}

/// The effects of `action` where no tool is registered and paths are what they look like.
pub(crate) fn effects(action: &impl Action) -> Vec<countersign::action::Effect> {
    let paths = countersign::action::path::PurePaths::new();
    let workspace = countersign::action::path::ResolvedPath::root();
    let mut effects = Effects::default();
    let context = EffectContext::new(&paths, &workspace, &countersign::action::NoTools);
    action.effects(&context, &mut effects);
    effects.finish()
}

/// Grants whatever the tests of the policy gate ask for.
pub(crate) const SCOPE: &str = r#"{
  "scope": "countersign/scope/v1", "task": "t-1", "purpose": "testing",
  "owner": "user:dana@example.org", "agent": "spiffe://example.org/agent/coder",
  "not_before": "2026-11-21T08:00:00Z", "expires": "2026-11-21T11:00:00Z", "workspace": "/srv/web",
  "do": {
    "programs": ["git", "curl", "sh"], "opaque": "allow",
    "tools": [{"server": "srv", "name": "*", "other_args": "allow"}],
    "apis": ["* https://api.example.org/**"], "workflows": ["**"], "messages": ["email:*@example.org"],
    "payments": [{"to": "**", "currency": "EUR", "max": "1000000"}],
    "publish": ["npm:*"], "spawn": ["spiffe://example.org/agent/helper", "spiffe://example.org/agent/coder", "spiffe://other.example/agent/x"],
    "remote_shells": ["*:*"],
    "actions": [{"kind": "Rotate", "target": "**", "other_args": "allow"}]
  },
  "touch": {
    "read": ["/**", "table:**", "object:**"], "write": ["/**", "table:**", "object:**"],
    "delete": ["/**"], "export": [{"from": "/**", "to": "**"}],
    "memory": {"read": ["**"], "write": ["**"]}, "secrets": ["**"]
  },
  "reach": {
    "connect": ["*:*", "0.0.0.0/0:*", "[::/0]:*"], "listen": ["*:*", "0.0.0.0/0:*", "[::/0]:*"],
    "tunnel": [{"direction": "reverse", "to": "*:*"}],
    "packages": ["npm:*"], "privilege": ["root"], "identity": ["**"], "infrastructure": ["aws:*:**"]
  },
  "run": {"models": ["**"], "accelerator_seconds": 1000000, "jobs": ["**"], "training": ["**"]},
  "limits": {"actions": 1000, "per_minute": 1000, "denials": 1000, "distinct_targets": 1000,
             "egress_bytes": 1000000, "spend": {"EUR": "1000000"}}
}"#;
