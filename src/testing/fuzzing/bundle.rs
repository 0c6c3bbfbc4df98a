//! Bundles: whatever loads decides the same way each time, and history only tightens.

use std::collections::BTreeMap;

use super::check_message;
use crate::action::host::{Endpoint, Host};
use crate::action::path::ResolvedPath;
use crate::action::{Domain, Effect, Fact, Facts, Kind, Target, TextSet};
use crate::policy::{
    Authored, BASE_SCHEMA, Counters, Enforced, LoadError, Principal, RequestFacts, Snapshot,
    Verdict,
};
use crate::testing::NOW;
use crate::tool::ToolManifest;
use crate::value::Decimal;

/// Loads a bundle of one policy and one case, in which the files that `data` names replace or add
/// others. A line `--- name` begins a file; text before the first is `policies.cedar`.
///
/// What loads has one digest, permits only by a named policy, and is monotone: more history never
/// allows more, an approval never allows less, and the quorums that a deferral names are enough.
pub fn bundle(data: &[u8]) {
    if data.len() > MAX_BYTES {
        return;
    }
    let files = files(data);
    match load(files.iter().map(|(name, text)| (name.as_str(), text.as_slice())), None) {
        Ok(bundle) => {
            // Loading costs most of a run, so that only some do it twice.
            if data.len().is_multiple_of(16) {
                let files = files.iter().rev();
                let backwards = files.map(|(name, text)| (name.as_str(), text.as_slice()));
                let again = load(backwards, None).map(|bundle| bundle.digest());
                assert_eq!(again.ok(), Some(bundle.digest()), "another digest the second time");
            }
            check_decisions(bundle.snapshot());
        }
        Err(error) => check_message(&error),
    }
}

/// The longest input; a larger one makes a slow run and no better one.
const MAX_BYTES: usize = 32 << 10;

const POLICIES: &str = r#"@id("all") permit(principal, action, resource);"#;

const MANIFEST_TEXT: &str = r#"{"bundle": "countersign/bundle/v1", "name": "small",
"quorums": [{"name": "sre", "roles": ["sre"], "of": 1}]}"#;

/// A case whose policies may decide as they like: nobody is asked about a policy by name.
const CASES: &str = r#"[{"request": {"principal": "Agent::\"a\"", "action": "Action::\"TriggerWorkflow\"",
"resource": "Workflow::\"w\"", "context": {"now": 1, "task": "t", "purpose": "", "environment": "",
"provenance": "agent", "reversibility": "reversible", "labels": [], "approvals": [],
"counters": {"accelerator_seconds": 0, "actions": 0,
    "application": 0, "data": 0, "denials": 0, "distinct_targets": 0, "egress_bytes": 0,
    "infrastructure": 0, "workload": 0}, "recent": [], "depth": 0, "acting_through": [], "tier": ""}},
"entities": [{"uid": {"type": "Agent", "id": "a"}, "attrs": {}, "parents": []}],
"decision": "DECISION", "reason": [], "num_errors": 0}]"#;

/// Loads the small bundle with `tools` registered.
pub(super) fn small(tools: Option<ToolManifest>) -> Result<Enforced, LoadError> {
    let files = files(b"");
    load(files.iter().map(|(name, text)| (name.as_str(), text.as_slice())), tools)
}

/// Loads a bundle that asks people about writing, and lets them add to scopes and take labels off.
pub(super) fn asking() -> Result<Enforced, LoadError> {
    let mut files = files(b"");
    files.insert("policies.cedar".to_owned(), ASKING.into());
    files.insert("manifest.json".to_owned(), ASKING_MANIFEST.into());
    load(files.iter().map(|(name, text)| (name.as_str(), text.as_slice())), None)
}

const ASKING: &str = r#"@id("all") permit(principal, action, resource);
@id("ask") forbid(principal, action == Action::"WriteData", resource)
    unless { context.approvals.contains("sre") };"#;

const ASKING_MANIFEST: &str = r#"{"bundle": "countersign/bundle/v1", "name": "asking",
"quorums": [{"name": "sre", "roles": ["sre"], "of": 1}],
"elevation": {"quorum": "sre", "minutes": 60}, "declassification": {"quorum": "sre", "minutes": 30}}"#;

fn load<'a>(
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
    tools: Option<ToolManifest>,
) -> Result<Enforced, LoadError> {
    let mut authored = Authored::from_files(files)?;
    if let Some(tools) = tools {
        authored = authored.with_tools(tools);
    }
    authored.load()
}

fn files(data: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut given: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut name = "policies.cedar".to_owned();
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"--- ") {
            Some(rest) => {
                name = String::from_utf8_lossy(rest).trim_end().to_owned();
                given.insert(name.clone(), Vec::new());
            }
            None => given.entry(name.clone()).or_default().extend_from_slice(line),
        }
    }
    let denies = given.contains_key("policies.cedar");
    let decision = if denies { "deny" } else { "allow" };
    for (name, text) in [
        ("manifest.json", MANIFEST_TEXT.to_owned()),
        ("schema.cedarschema", BASE_SCHEMA.to_owned()),
        ("policies.cedar", POLICIES.to_owned()),
        ("cases.json", CASES.replace("DECISION", decision)),
    ] {
        given.entry(name.to_owned()).or_insert_with(|| text.into_bytes());
    }
    given
}

fn check_decisions(snapshot: &Snapshot) {
    let id = super::super::agent();
    let Some(agent) = Principal::of(id.id(), "user:dana@example.org") else { return };
    let quorums: Vec<Box<str>> =
        snapshot.quorums().iter().map(|quorum| quorum.name.as_str().into()).collect();
    let labels = ["a", "personal", "secret"].map(Box::from);
    for effect in effects() {
        let ask = |labels: &[Box<str>], approvals: &[Box<str>], count: u64| {
            let facts = RequestFacts {
                now: NOW,
                task: "t",
                purpose: "",
                environment: "test",
                provenance: "agent",
                labels,
                approvals,
                counters: Counters {
                    actions: count,
                    data: count,
                    denials: count,
                    distinct_targets: count,
                    egress_bytes: count,
                    ..Counters::default()
                },
                recent: if count > 0 { &Domain::ALL } else { &[] },
                depth: count,
                acting_through: &[],
                tier: "",
            };
            let verdict = snapshot.decide(&agent, &effect, &facts);
            if let Verdict::Permit { policies } = &verdict {
                assert!(!policies.is_empty(), "permitted by nothing");
            }
            verdict
        };
        let allows = |verdict: &Verdict| matches!(verdict, Verdict::Permit { .. });
        let plain = ask(&[], &[], 0);
        assert_eq!(plain, ask(&[], &[], 0), "not the same twice");
        let later = ask(&labels, &[], 5);
        assert!(allows(&plain) || !allows(&later), "history allows {effect:?}");
        let approved = ask(&[], &quorums, 0);
        assert!(allows(&approved) || !allows(&plain), "an approval forbids {effect:?}");
        if let Verdict::Approval { quorums, .. } = &plain {
            assert!(!quorums.is_empty(), "deferred to nobody");
            assert!(allows(&ask(&[], quorums, 0)), "{quorums:?} are not enough for {effect:?}");
        }
    }
}

fn effects() -> Vec<Effect> {
    let path = ResolvedPath::root().join_component("secret");
    let endpoint = Host::parse("git.example.org").and_then(|host| Endpoint::new(host, 443));
    let mut effects = Vec::new();
    if let Ok(path) = path {
        for kind in [Kind::ReadData, Kind::WriteData] {
            let facts = Facts::new()
                .texts("classes", TextSet::default())
                .text("name", "/secret")
                .bool("recursive", false);
            let target = Target::File { path: path.clone(), recursive: false };
            effects.push(Effect::new(kind, target).with_facts(facts));
        }
    }
    if let Ok(endpoint) = endpoint {
        let facts = Facts::new()
            .text("host", "git.example.org")
            .long("port", 443)
            .text("transport", "tcp")
            .text("zone", "name");
        let target = Target::Endpoint { endpoint, address: None };
        effects.push(Effect::new(Kind::Connect, target).with_facts(facts));
    }
    let amount = Decimal::from(10_u64);
    let mut facts = Facts::new().text("currency", "EUR");
    facts.insert("amount", Fact::Decimal(amount));
    let target = Target::Payment { account: "a".into(), amount, currency: "EUR".into() };
    effects.push(Effect::new(Kind::Pay, target).with_facts(facts));
    effects.push(Effect::new(Kind::TriggerWorkflow, Target::Workflow("w".into())));
    effects
}
