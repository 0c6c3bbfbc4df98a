//! The baseline bundle grown by policies that do not concern the request of the benches.

use std::fmt::Write as _;

use countersign::policy::{Authored, LoadError};

/// The policies of the baseline bundle.
pub const BASELINE: &str = include_str!("../../policies/baseline/policies.cedar");

/// How the added policies miss the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// By their heads: other principals, actions and resources, in equal parts.
    Heads,
    /// By their conditions alone. Nothing can leave them out: they concern every request.
    Unconstrained,
}

/// Writes as many policies as are needed to have `total` together with the baseline's.
pub fn policies(total: usize, added: Added) -> String {
    let baseline = BASELINE.lines().filter(|line| line.starts_with("@id(")).count();
    let mut text = String::new();
    for number in 0..total.saturating_sub(baseline) {
        let head = match (added, number % 8) {
            (Added::Unconstrained, _) => format!(
                "forbid (principal, action, resource) when {{ context.task == \"task-{number}\" }}"
            ),
            (Added::Heads, 0) => format!(
                "permit (principal == Agent::\"spiffe://example.org/agent/other/i-{number}\", \
                 action == Action::\"Connect\", resource) when {{ context.port == 8443 }}"
            ),
            (Added::Heads, 1) => format!(
                "forbid (principal in AgentClass::\"spiffe://example.org/agent/other-{number}\", \
                 action, resource) when {{ context.environment == \"production\" }}"
            ),
            (Added::Heads, 2) => format!(
                "permit (principal in Owner::\"user:person-{number}@example.org\", \
                 action in Action::\"infrastructure\", resource)"
            ),
            (Added::Heads, 3) => format!(
                "forbid (principal, action in [Action::\"Connect\", Action::\"Tunnel\"], \
                 resource == Endpoint::\"host-{number}.example.org:443\")"
            ),
            (Added::Heads, 4) => format!(
                "forbid (principal, action == Action::\"ReadData\", \
                 resource == File::\"/srv/other-{number}/secret\") \
                 unless {{ context.approvals.contains(\"data-owner\") }}"
            ),
            (Added::Heads, 5) => format!(
                "forbid (principal, action == Action::\"WriteData\", resource is File) \
                 when {{ context.name like \"/srv/other-{number}/*\" }}"
            ),
            (Added::Heads, 6) => format!(
                "permit (principal in TrustDomain::\"tenant-{number}.example\", \
                 action in Action::\"data\", resource)"
            ),
            (Added::Heads, _) => format!(
                "forbid (principal, action == Action::\"Pay\", \
                 resource == Account::\"account-{number}\") \
                 when {{ context.environment == \"production\" }}"
            ),
        };
        writeln!(text, "@id(\"grown.{number}\")\n{head};").unwrap();
    }
    text
}

/// Returns the baseline bundle with `more` policies beside its own.
pub fn bundle(more: &str) -> Result<Authored, LoadError> {
    Authored::from_files([
        ("manifest.json", include_str!("../../policies/baseline/manifest.json")),
        ("schema.cedarschema", include_str!("../../policies/baseline/schema.cedarschema")),
        ("policies/baseline.cedar", BASELINE),
        ("policies/grown.cedar", more),
        ("cases.json", include_str!("../../policies/baseline/cases.json")),
        ("cases-entities.json", include_str!("../../policies/baseline/cases-entities.json")),
    ])
}
