//! Small bundles, and what several files of tests need.

pub(crate) mod corpora;
pub(crate) mod gate;
pub(crate) mod people;
pub(crate) mod site;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use countersign::policy::{Authored, BASE_SCHEMA, Enforced};

/// A manifest with the quorums `sre` and `security`.
pub(crate) const MANIFEST: &str = r#"{"bundle": "countersign/bundle/v1", "name": "test",
    "quorums": [{"name": "sre", "roles": ["sre"], "of": 1},
                {"name": "security", "roles": ["security"], "of": 1}]}"#;

/// A case that any bundle passes: an agent without parents starts a workflow and is denied or allowed.
fn case(decision: &str) -> String {
    format!(
        r#"[{{"request": {{"principal": "Agent::\"a\"", "action": "Action::\"TriggerWorkflow\"",
        "resource": "Workflow::\"w\"", "context": {{"now": 1, "task": "t", "purpose": "",
        "environment": "", "provenance": "agent", "reversibility": "reversible", "labels": [],
        "approvals": [], "counters": {{"accelerator_seconds": 0, "actions": 0, "application": 0,
        "data": 0, "denials": 0, "distinct_targets": 0, "egress_bytes": 0, "infrastructure": 0,
        "workload": 0}}, "recent": [], "depth": 0, "acting_through": [], "tier": ""}}}},
        "entities": [{{"uid": {{"type": "Agent", "id": "a"}}, "attrs": {{}}, "parents": []}}],
        "decision": "{decision}", "reason": [], "num_errors": 0}}]"#
    )
}

/// The files of a bundle with these policies, the base schema and one case.
pub(crate) fn files(policies: &str) -> [(&'static str, String); 4] {
    let set: cedar_policy::PolicySet = policies.parse().expect("the policies parse");
    let permits_all = |policy: &cedar_policy::Policy| {
        policy.effect() == cedar_policy::Effect::Permit
            && policy.action_constraint() == cedar_policy::ActionConstraint::Any
            && !policy.has_non_scope_constraint()
    };
    let decision = if set.policies().any(permits_all) { "allow" } else { "deny" };
    [
        ("manifest.json", MANIFEST.to_owned()),
        ("schema.cedarschema", BASE_SCHEMA.to_owned()),
        ("policies.cedar", policies.to_owned()),
        ("cases.json", case(decision)),
    ]
}

/// A bundle with these policies, in force.
pub(crate) fn bundle(policies: &str) -> Enforced {
    let bundle = Authored::from_files(files(policies)).expect("the files are those of a bundle");
    bundle.load().expect("the bundle loads")
}

/// Runs a future that wakes itself.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}
