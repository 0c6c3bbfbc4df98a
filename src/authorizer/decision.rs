//! What comes out: allow, defer or deny, with the reasons effect by effect.

use std::fmt;
use std::sync::Arc;

use crate::action::path::ResolvedPath;
use crate::action::{Action, Effect};
use crate::authorizer::Permit;
use crate::digest::Digest;
use crate::reason::Reason;
use crate::receipt::SessionId;
use crate::scope::Rule;

/// The answer to one proposed action.
///
/// Exhaustive on purpose: a new outcome must break the caller's build.
#[derive(Debug)]
#[must_use = "an action that was not allowed must not run"]
pub enum Decision<A: Action> {
    /// The action may run, once, with this permit.
    Allow(Permit<A>),
    /// The action may run once the named quorums approve.
    Defer(Deferral),
    /// The action may not run.
    Deny(Denial),
}

impl<A: Action> Decision<A> {
    /// Returns the permit, if the action was allowed.
    #[must_use]
    pub fn permit(self) -> Option<Permit<A>> {
        match self {
            Self::Allow(permit) => Some(permit),
            Self::Defer(_) | Self::Deny(_) => None,
        }
    }

    /// Tells whether the action was allowed.
    #[must_use]
    pub const fn is_allow(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// Returns the reasons why the action was not allowed; none if it was.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Allow(_) => &[],
            Self::Defer(deferral) => deferral.reasons(),
            Self::Deny(denial) => denial.reasons(),
        }
    }

    /// Returns what was decided on each effect.
    #[must_use]
    pub fn effects(&self) -> &[EffectDecision] {
        match self {
            Self::Allow(permit) => permit.effects(),
            Self::Defer(deferral) => deferral.effects(),
            Self::Deny(denial) => denial.effects(),
        }
    }
}

/// What was decided on one effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EffectDecision {
    /// The effect, in normal form.
    pub effect: Effect,
    /// The decision on it.
    pub outcome: EffectOutcome,
    /// The entry of the scope that grants it, if one does.
    pub rule: Option<Rule>,
    /// The policies that decided, sorted.
    pub policies: Vec<Box<str>>,
}

/// The decision on one effect, from mild to severe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EffectOutcome {
    /// It may happen.
    Allow,
    /// It may happen once these quorums approve.
    Defer {
        /// The quorums, in the order of the bundle's manifest.
        quorums: Vec<Box<str>>,
    },
    /// It may not happen.
    Deny {
        /// Why.
        reason: Reason,
    },
}

impl EffectDecision {
    /// Returns how severe the decision is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self.outcome {
            EffectOutcome::Allow => Severity::Allow,
            EffectOutcome::Defer { .. } => Severity::Defer,
            EffectOutcome::Deny { .. } => Severity::Deny,
        }
    }

    /// Returns why the effect was not allowed.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self.outcome {
            EffectOutcome::Allow => None,
            EffectOutcome::Defer { .. } => Some(Reason::PolicyApproval),
            EffectOutcome::Deny { reason } => Some(reason),
        }
    }
}

/// How severe a decision is; the worst of all effects is that of the call.
///
/// Exhaustive on purpose, as [`Decision`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It may happen.
    Allow,
    /// It may happen once people approve.
    Defer,
    /// It may not happen.
    Deny,
}

impl Severity {
    /// Returns the stable name: `allow`, `defer`, `deny`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Defer => "defer",
            Self::Deny => "deny",
        }
    }
}

/// The call as it was decided.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) session: SessionId,
    pub(crate) call: u64,
    pub(crate) effects: Vec<EffectDecision>,
    pub(crate) reasons: Vec<Reason>,
    /// Where a command that the action hands out starts.
    pub(crate) directory: Option<ResolvedPath>,
    /// Whether the answer binds nobody.
    pub(crate) observed: bool,
    /// What people can be asked about, where the call was deferred.
    pub(crate) asked: Option<Asked>,
}

/// What an approval of a deferred call is of.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) action: Digest,
    pub(crate) kind: Box<str>,
    pub(crate) bundle: Digest,
}

impl Decided {
    pub(crate) fn new(
        session: SessionId,
        call: u64,
        effects: Vec<EffectDecision>,
        directory: Option<ResolvedPath>,
    ) -> Self {
        let mut reasons: Vec<Reason> = effects.iter().filter_map(EffectDecision::reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        Self { session, call, effects, reasons, directory, observed: false, asked: None }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, verb: &str) -> fmt::Result {
        f.write_str(verb)?;
        for (index, reason) in self.reasons.iter().enumerate() {
            let before = if index == 0 { ": " } else { "; " };
            write!(f, "{before}{} (`{}`)", reason.sentence(), reason.code())?;
        }
        let mut policies: Vec<&str> = self
            .effects
            .iter()
            .filter(|effect| effect.outcome != EffectOutcome::Allow)
            .flat_map(|effect| effect.policies.iter().map(AsRef::as_ref))
            .collect();
        policies.sort_unstable();
        policies.dedup();
        if !policies.is_empty() {
            write!(f, " by `{}`", policies.join("`, `"))?;
        }
        Ok(())
    }
}

macro_rules! refusal {
    ($(#[$meta:meta])* $type:ident, $verb:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub struct $type(pub(crate) Arc<Decided>);

        impl $type {
            /// Returns the reasons, sorted, each once.
            #[must_use]
            pub fn reasons(&self) -> &[Reason] {
                &self.0.reasons
            }

            /// Returns what was decided on each effect.
            #[must_use]
            pub fn effects(&self) -> &[EffectDecision] {
                &self.0.effects
            }

            /// Returns the session in which it was decided.
            #[must_use]
            pub fn session(&self) -> SessionId {
                self.0.session
            }

            /// Returns the number of the call in its session; its receipts carry it.
            #[must_use]
            pub fn call(&self) -> u64 {
                self.0.call
            }
        }

        /// Says which rule refused, and not what would have passed: an agent may see it.
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f, $verb)
            }
        }
    };
}

refusal! {
    /// The action may not run. A value, not an error: it has its receipts like every decision.
    Denial, "refused"
}

refusal! {
    /// The action may run once people have approved it, and not before.
    Deferral, "deferred"
}

impl Deferral {
    /// Returns the quorums that must approve, sorted, each once.
    #[must_use]
    pub fn quorums(&self) -> Vec<&str> {
        let quorums = self.0.effects.iter().filter_map(|effect| match &effect.outcome {
            EffectOutcome::Defer { quorums } => Some(quorums.iter().map(AsRef::as_ref)),
            _ => None,
        });
        let mut quorums: Vec<&str> = quorums.flatten().collect();
        quorums.sort_unstable();
        quorums.dedup();
        quorums
    }
}
