//! A scope that was handed on, beside the one that it was handed on from.

use crate::reason::Reason;
use crate::scope::CompiledScope;

/// Checks that `child` is a scope that `parent` may be handed on as.
///
/// This is about the frame: digest, parties, agent, time and depth. What the child grants is not
/// compared, because a delegate may do only what every scope of its chain grants, effect by effect.
///
/// # Errors
///
/// - [`Reason::DelegationDepth`]: the parent may not be handed on, or the child as often as the parent;
/// - [`Reason::DelegationParent`]: the child does not name the parent's digest;
/// - [`Reason::DelegationParty`]: the owner or the party that it is done for is another;
/// - [`Reason::DelegationAgent`]: the child's agent lies neither in the parent's class of agents nor in
///   its `do.spawn`;
/// - [`Reason::DelegationLifetime`]: the child begins earlier or ends later.
///
/// # Examples
///
/// ```
/// use countersign::scope::{Scope, check_child, CompiledScope};
/// use countersign::action::path::PurePaths;
///
/// let parent = r#"{"scope": "countersign/scope/v1", "task": "release", "owner": "user:dana@example.org",
///     "agent": "spiffe://example.org/agent", "expires": "2026-11-21T11:00:00Z", "workspace": "/srv/web",
///     "limits": {"delegation_depth": 1}}"#;
/// let parent = Scope::parse(parent.as_bytes())?;
/// let mut child = parent.descriptor().clone();
/// child.parent = Some(parent.digest().to_string());
/// child.limits.delegation_depth = None;
/// let child = Scope::from_descriptor(&child)?;
///
/// let compile = |scope: &Scope| {
///     CompiledScope::compile(&scope.dangerous().trust_unsigned(), &PurePaths::new())
/// };
/// assert_eq!(check_child(&compile(&parent)?, &compile(&child)?), Ok(()));
/// # Ok::<(), countersign::scope::ScopeError>(())
/// ```
pub fn check_child(parent: &CompiledScope, child: &CompiledScope) -> Result<(), Reason> {
    if child.limits().delegation_depth >= parent.limits().delegation_depth {
        return Err(Reason::DelegationDepth);
    }
    if child.parent() != Some(parent.digest()) {
        return Err(Reason::DelegationParent);
    }
    // Who must not approve, and whose approval counts, follows from these two.
    if child.owner() != parent.owner() || party(child) != party(parent) {
        return Err(Reason::DelegationParty);
    }
    if !parent.may_be_handed_to(child.agent()) {
        return Err(Reason::DelegationAgent);
    }
    if child.not_before() < parent.not_before() || child.expires() > parent.expires() {
        return Err(Reason::DelegationLifetime);
    }
    Ok(())
}

impl CompiledScope {
    /// Reports whether the scope names `agent`, an instance or a class, as one that it may be handed on
    /// to: its own agents, and those that the task may start.
    #[must_use]
    pub fn may_be_handed_to(&self, agent: &crate::identity::SpiffeId) -> bool {
        self.agent().contains(agent) || self.grants.spawn.iter().any(|class| class.contains(agent))
    }
}

fn party(scope: &CompiledScope) -> &str {
    scope.on_behalf_of().unwrap_or(scope.owner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::path::PurePaths;
    use crate::scope::{DEFAULT_DELEGATES, Scope};

    const PARENT: &str = r#"{"scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
        "agent": "spiffe://example.org/agent/coder", "not_before": "2026-11-21T09:00:00Z",
        "expires": "2026-11-21T11:00:00Z", "workspace": "/srv/web",
        "do": {"spawn": ["spiffe://example.org/agent/tester", "spiffe://other.example/agent/x/1"]},
        "limits": {"delegation_depth": 2}}"#;

    fn compile(text: &str) -> CompiledScope {
        let scope = Scope::parse(text.as_bytes()).unwrap();
        CompiledScope::compile(&scope.dangerous().trust_unsigned(), &PurePaths::new()).unwrap()
    }

    fn child(of: &CompiledScope) -> String {
        let parent = format!(r#""workspace": "/srv/web", "parent": "{}""#, of.digest());
        PARENT
            .replace(r#""workspace": "/srv/web""#, &parent)
            .replace(r#""delegation_depth": 2"#, r#""delegation_depth": 1"#)
    }

    #[test]
    fn a_child_stays_in_the_frame_of_its_parent() {
        let parent = compile(PARENT);
        let text = child(&parent);
        let check = |from: &str, to: &str, expected: Result<(), Reason>| {
            assert!(text.contains(from), "{from}");
            assert_eq!(check_child(&parent, &compile(&text.replace(from, to))), expected, "{to}");
        };
        let agent = "\"spiffe://example.org/agent/coder\"";
        let begin = "2026-11-21T09:00:00Z";
        let end = "2026-11-21T11:00:00Z";
        let digest = parent.digest().to_string();
        check("", "", Ok(()));
        check(agent, "\"spiffe://example.org/agent/coder/7\"", Ok(()));
        check(agent, "\"spiffe://example.org/agent/tester/1\"", Ok(()));
        check(agent, "\"spiffe://other.example/agent/x/1\"", Ok(()));
        check(agent, "\"spiffe://other.example/agent/x\"", Err(Reason::DelegationAgent));
        check(agent, "\"spiffe://example.org/agent\"", Err(Reason::DelegationAgent));
        check(agent, "\"spiffe://example.org/agent/coder2\"", Err(Reason::DelegationAgent));
        check(begin, "2026-11-21T09:00:00.001Z", Ok(()));
        check(begin, "2026-11-21T08:59:59.999Z", Err(Reason::DelegationLifetime));
        // Without a beginning it is seven days before the end.
        check("\"not_before\": \"2026-11-21T09:00:00Z\",", "", Err(Reason::DelegationLifetime));
        check(end, "2026-11-21T10:59:59.999Z", Ok(()));
        check(end, "2026-11-21T11:00:00.001Z", Err(Reason::DelegationLifetime));
        check(&digest, &"0".repeat(64), Err(Reason::DelegationParent));
        check(&format!(", \"parent\": \"{digest}\""), "", Err(Reason::DelegationParent));
        check("\"delegation_depth\": 1", "\"delegation_depth\": 0", Ok(()));
        check("\"delegation_depth\": 1", "\"delegation_depth\": 2", Err(Reason::DelegationDepth));
        check("user:dana", "user:erin", Err(Reason::DelegationParty));
        let named = format!("\"agent\": {agent}");
        let with = |party: &str| format!("\"on_behalf_of\": \"{party}\", {named}");
        // The owner is the party where none is named.
        check(&named, &with("user:dana@example.org"), Ok(()));
        check(&named, &with("user:erin@example.org"), Err(Reason::DelegationParty));
    }

    #[test]
    fn delegation_is_off_unless_the_scope_says_so() {
        let off = compile(&PARENT.replace(r#""delegation_depth": 2"#, ""));
        let text = child(&off).replace(r#""delegation_depth": 1"#, "");
        assert_eq!(check_child(&off, &compile(&text)), Err(Reason::DelegationDepth));
        assert_eq!((off.limits().delegation_depth, off.limits().delegates), (0, 0));
        let on = compile(PARENT);
        assert_eq!(on.limits().delegates, DEFAULT_DELEGATES);
        let five = PARENT.replace(r#""delegation_depth": 2"#, r#""delegates": 5"#);
        assert_eq!(compile(&five).limits().delegates, 0);
        let five = PARENT.replace(r#""delegation_depth""#, r#""delegates": 5, "delegation_depth""#);
        assert_eq!(compile(&five).limits().delegates, 5);
    }

    #[test]
    fn a_chain_ends_after_eight_hops() {
        let text = |depth: u64, parent: Option<&CompiledScope>| {
            let parent =
                parent.map(|of| format!(r#", "parent": "{}""#, of.digest())).unwrap_or_default();
            PARENT
                .replace(
                    r#""workspace": "/srv/web""#,
                    &format!(r#""workspace": "/srv/web"{parent}"#),
                )
                .replace(r#""delegation_depth": 2"#, &format!(r#""delegation_depth": {depth}"#))
        };
        let mut scope = compile(&text(crate::scope::MAX_DELEGATION_DEPTH, None));
        for depth in (0..crate::scope::MAX_DELEGATION_DEPTH).rev() {
            let child = compile(&text(depth, Some(&scope)));
            assert_eq!(check_child(&scope, &child), Ok(()));
            scope = child;
        }
        let child = compile(&text(0, Some(&scope)));
        assert_eq!(check_child(&scope, &child), Err(Reason::DelegationDepth));
    }
}
