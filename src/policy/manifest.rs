//! The manifest of a bundle: its name, its quorums and the caps that it puts on scopes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::identity::SpiffeId;
use crate::policy::LoadError;
use crate::policy::labels::LabelRule;
use crate::scope::DomainLimits;
use crate::value::{self, Limits};

/// The most quorums of one bundle: each costs one more question when something is deferred.
pub(super) const MAX_QUORUMS: usize = 8;

/// The most risk tiers of one bundle.
const MAX_TIERS: usize = 16;

/// The tag that a manifest carries.
const TAG: &str = "countersign/bundle/v1";

/// Who must approve together. Policies name quorums in `context.approvals`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Quorum {
    /// The name that policies use.
    pub name: String,
    /// The roles whose holders count.
    pub roles: Vec<String>,
    /// How many different people it takes.
    pub of: u32,
    /// Whether the owner of the task counts among them.
    #[serde(default)]
    pub owner: OwnerRule,
}

/// Whether a quorum counts the owner of the task. The one for whom the task is done never counts, unless
/// it is the owner and the quorum counts owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerRule {
    /// It takes others.
    #[default]
    Excluded,
    /// The owner is one of them, if it has one of the roles.
    Counts,
}

impl OwnerRule {
    /// Returns the name in manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Counts => "counts",
        }
    }
}

/// The most pairs of trust domains.
const MAX_EDGES: usize = 256;

/// The longest elevation that a bundle may allow, in minutes.
const MAX_ELEVATION_MINUTES: u32 = 8 * 60;

/// The longest breaking of the glass that a bundle may allow, in minutes.
const MAX_BREAK_GLASS_MINUTES: u32 = 60;

/// Who may add to a scope for a while. What is absent is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ElevationRules {
    /// Elevations.
    pub elevation: Option<ElevationRule>,
    /// Elevations that break the glass; never longer than the others.
    pub break_glass: Option<ElevationRule>,
    /// Declassifications; the minutes are those in which one may be brought.
    pub declassification: Option<ElevationRule>,
}

/// Who may add to a scope, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ElevationRule {
    /// The name of the quorum that must sign.
    pub quorum: String,
    /// How many minutes it may hold at most.
    pub minutes: u32,
}

/// Caps that the bundle puts on every scope; the smaller of both holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BundleLimits {
    /// How many hours a scope may be valid at most.
    pub scope_hours: Option<u32>,
    /// How many seconds a permit lives at most.
    pub permit_seconds: Option<u32>,
    /// The most actions of a session.
    pub actions: Option<u64>,
    /// The most actions in any 60 seconds.
    pub per_minute: Option<u64>,
    /// The denials after which a session is stopped.
    pub denials: Option<u64>,
    /// The most different targets of a session.
    pub distinct_targets: Option<u64>,
    /// The most actions that touch a domain.
    #[serde(default)]
    pub domains: DomainLimits,
}

impl BundleLimits {
    /// The smaller of both, cap by cap.
    #[must_use]
    pub fn smaller(&self, other: &Self) -> Self {
        fn less<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            one.into_iter().chain(other).min()
        }
        Self {
            scope_hours: less(self.scope_hours, other.scope_hours),
            permit_seconds: less(self.permit_seconds, other.permit_seconds),
            actions: less(self.actions, other.actions),
            per_minute: less(self.per_minute, other.per_minute),
            denials: less(self.denials, other.denials),
            distinct_targets: less(self.distinct_targets, other.distinct_targets),
            domains: self.domains.smaller(other.domains),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    bundle: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    #[expect(dead_code, reason = "a sentence for people; unknown fields are refused")]
    description: String,
    #[serde(default)]
    pub(super) quorums: Vec<Quorum>,
    #[serde(default)]
    pub(super) limits: BundleLimits,
    elevation: Option<ElevationRule>,
    break_glass: Option<ElevationRule>,
    declassification: Option<ElevationRule>,
    /// From which trust domain to which a scope may be handed on.
    #[serde(default)]
    pub(super) trust_edges: Vec<(String, String)>,
    #[serde(default)]
    pub(super) labels: Vec<LabelRule>,
    #[serde(default)]
    pub(super) tiers: BTreeMap<String, BundleLimits>,
    #[serde(default)]
    pub(super) default_tier: Option<String>,
}

impl Manifest {
    pub(super) fn parse(text: &[u8]) -> Result<Self, LoadError> {
        let manifest: Self = value::from_slice(text, &Limits::DOCUMENT)
            .map_err(|error| LoadError::Manifest(error.to_string()))?;
        manifest.check().map_err(LoadError::Manifest)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.bundle != TAG {
            return Err(format!("`bundle` must be `{TAG}`"));
        }
        if !is_name(&self.name) {
            return Err("`name` must be 1 to 64 of `a-z`, `0-9`, `-`".into());
        }
        if self.quorums.len() > MAX_QUORUMS {
            return Err(format!("there are more than {MAX_QUORUMS} quorums"));
        }
        if self.tiers.len() > MAX_TIERS {
            return Err(format!("there are more than {MAX_TIERS} tiers"));
        }
        if !self.tiers.keys().all(|name| is_name(name)) {
            return Err("the name of a tier must be 1 to 64 of `a-z`, `0-9`, `-`".into());
        }
        match &self.default_tier {
            Some(tier) if !self.tiers.contains_key(tier) => {
                return Err("`default_tier` is none of the `tiers`".into());
            }
            None if !self.tiers.is_empty() => {
                return Err("`tiers` need a `default_tier`, for scopes that name none".into());
            }
            _ => {}
        }
        let mut names = BTreeSet::new();
        for quorum in &self.quorums {
            if !is_name(&quorum.name) || !names.insert(quorum.name.as_str()) {
                return Err("a quorum has no plain name of its own".into());
            }
            if quorum.roles.is_empty() || quorum.of == 0 || !quorum.roles.iter().all(|r| is_name(r))
            {
                return Err(format!("the quorum `{}` names nobody", quorum.name));
            }
        }
        let domain = |name: &String| {
            SpiffeId::parse(&format!("spiffe://{name}"))
                .is_ok_and(|id| id.trust_domain() == name && id.path().is_empty())
        };
        let edges = &self.trust_edges;
        if edges.len() > MAX_EDGES || !edges.iter().all(|(from, to)| domain(from) && domain(to)) {
            return Err(
                "`trust_edges` are pairs of trust domains in lower case, 256 at most".into()
            );
        }
        self.check_elevations(&names)
    }

    fn check_elevations(&self, quorums: &BTreeSet<&str>) -> Result<(), String> {
        let longest = self.elevation.as_ref().map_or(MAX_BREAK_GLASS_MINUTES, |rule| rule.minutes);
        for (name, rule, most) in [
            ("elevation", &self.elevation, MAX_ELEVATION_MINUTES),
            ("break_glass", &self.break_glass, longest.min(MAX_BREAK_GLASS_MINUTES)),
            ("declassification", &self.declassification, MAX_ELEVATION_MINUTES),
        ] {
            let Some(rule) = rule else { continue };
            if !quorums.contains(rule.quorum.as_str()) {
                return Err(format!("`{name}` names a quorum that is not there"));
            }
            if rule.minutes == 0 || rule.minutes > most {
                return Err(format!("`{name}` may hold for 1 to {most} minutes"));
            }
        }
        Ok(())
    }

    /// Returns from which trust domain to which a scope may be handed on.
    pub(super) fn trust_edges(&self) -> Vec<(Box<str>, Box<str>)> {
        let edge = |(from, to): &(String, String)| (from.as_str().into(), to.as_str().into());
        self.trust_edges.iter().map(edge).collect()
    }

    /// Returns who may add to scopes, and who may declassify.
    pub(super) fn elevations(&self) -> ElevationRules {
        ElevationRules {
            elevation: self.elevation.clone(),
            break_glass: self.break_glass.clone(),
            declassification: self.declassification.clone(),
        }
    }
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ok: bool) {
        assert_eq!(Manifest::parse(text.as_bytes()).is_ok(), ok, "{text}");
    }

    fn check_tiers(head: &str, rest: &str) -> bool {
        Manifest::parse(format!("{{{head},{rest}}}").as_bytes()).is_ok()
    }

    #[test]
    fn caps_combine_to_the_smaller() {
        let read = |text: &str| serde_json::from_str::<BundleLimits>(text).unwrap();
        let one = read(r#"{"actions": 5, "denials": 2, "domains": {"data": 3, "workload": 1}}"#);
        let other = read(r#"{"actions": 7, "scope_hours": 1, "domains": {"data": 2}}"#);
        let both = read(
            r#"{"actions": 5, "denials": 2, "scope_hours": 1,
                "domains": {"data": 2, "workload": 1}}"#,
        );
        assert_eq!(one.smaller(&other), both);
        assert_eq!(other.smaller(&one), both);
        assert_eq!(one.smaller(&BundleLimits::default()), one);
    }

    #[test]
    fn manifests_are_read_strictly() {
        let head = r#""bundle":"countersign/bundle/v1","name":"b""#;
        check(&format!("{{{head}}}"), true);
        check(&format!(r#"{{{head},"quorums":[{{"name":"sre","roles":["sre"],"of":1}}]}}"#), true);
        check(r#"{"name":"b"}"#, false);
        check(r#"{"bundle":"countersign/bundle/v2","name":"b"}"#, false);
        check(&format!(r#"{{{head},"extra":1}}"#), false);
        check(&format!(r#"{{{head},"name":"c"}}"#), false);
        check(&format!(r#"{{{head},"limits":{{"scope_days":1}}}}"#), false);
        check(&format!(r#"{{{head},"quorums":[{{"name":"sre","roles":[],"of":1}}]}}"#), false);
        check(&format!(r#"{{{head},"quorums":[{{"name":"sre","roles":["x"],"of":0}}]}}"#), false);
        let owner = |rule| {
            format!(
                r#"{{{head},"quorums":[{{"name":"q","roles":["x"],"of":1,"owner":"{rule}"}}]}}"#
            )
        };
        check(&owner("counts"), true);
        check(&owner("excluded"), true);
        check(&owner("Counts"), false);
        let rules = |rules: &str| {
            format!(r#"{{{head},"quorums":[{{"name":"q","roles":["x"],"of":1}}],{rules}}}"#)
        };
        check(&rules(r#""elevation":{"quorum":"q","minutes":480}"#), true);
        check(&rules(r#""elevation":{"quorum":"q","minutes":481}"#), false);
        check(&rules(r#""elevation":{"quorum":"q","minutes":0}"#), false);
        check(&rules(r#""elevation":{"quorum":"r","minutes":5}"#), false);
        check(&rules(r#""elevation":{"quorum":"q"}"#), false);
        check(&rules(r#""break_glass":{"quorum":"q","minutes":60}"#), true);
        check(&rules(r#""break_glass":{"quorum":"q","minutes":61}"#), false);
        let both = |minutes: u32| {
            let short = format!(r#""break_glass":{{"quorum":"q","minutes":{minutes}}}"#);
            rules(&format!(r#""elevation":{{"quorum":"q","minutes":30}},{short}"#))
        };
        check(&both(30), true);
        check(&both(31), false);
        let tiers = |rest: &str| check_tiers(head, rest);
        assert!(tiers(r#""tiers":{"low":{},"high":{"actions":3}},"default_tier":"high""#));
        assert!(tiers(r#""tiers":{}"#));
        assert!(!tiers(r#""tiers":{"low":{}}"#), "no default");
        assert!(!tiers(r#""tiers":{"low":{}},"default_tier":"high""#));
        assert!(!tiers(r#""default_tier":"high""#));
        assert!(!tiers(r#""tiers":{"Low":{}},"default_tier":"Low""#));
        assert!(!tiers(r#""tiers":{"low":{"scope_days":1}},"default_tier":"low""#));
        let many = |n: usize| {
            let tiers: Vec<String> = (0..n).map(|n| format!(r#""t{n}":{{}}"#)).collect();
            format!(r#""tiers":{{{}}},"default_tier":"t0""#, tiers.join(","))
        };
        assert!(tiers(&many(MAX_TIERS)) && !tiers(&many(MAX_TIERS + 1)));
        let quorum = |n| format!(r#"{{"name":"q{n}","roles":["r"],"of":1}}"#);
        let many = |n: usize| (0..n).map(quorum).collect::<Vec<_>>().join(",");
        check(&format!(r#"{{{head},"quorums":[{}]}}"#, many(8)), true);
        check(&format!(r#"{{{head},"quorums":[{}]}}"#, many(9)), false);
        check(&format!(r#"{{{head},"quorums":[{},{}]}}"#, quorum(1), quorum(1)), false);
    }
}
