//! What a host is told at once, before anybody reads receipts.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::reason::Reason;
use crate::receipt::SessionId;
use crate::text::escape_visible;
use crate::time::Timestamp;

/// What is worth being told at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// The first denial of a session.
    FirstDenial,
    /// A session was denied so often that everything is denied from here on.
    Breaker,
    /// An instance that is at work showed another credential.
    DuplicateInstance,
    /// A session was refused: its scope, token or agent does not hold. There is no chain to put it on.
    RefusedOpen,
    /// A call met approvals that were accepted once and do not hold now.
    ExpiredApproval,
    /// Something that a session rests on was revoked, halted or has ended.
    Stopped,
    /// People broke the glass.
    BreakGlass,
    /// Something happened that no permit allowed, as telemetry shows.
    Bypass,
}

impl FindingKind {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstDenial => "first_denial",
            Self::Breaker => "breaker",
            Self::DuplicateInstance => "duplicate_instance",
            Self::RefusedOpen => "refused_open",
            Self::ExpiredApproval => "expired_approval",
            Self::Stopped => "stopped",
            Self::BreakGlass => "break_glass",
            Self::Bypass => "bypass",
        }
    }
}

/// One thing that a host is told.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Finding<'a> {
    /// What it is.
    pub kind: FindingKind,
    /// The agent instance.
    pub agent: &'a str,
    /// The session, where there is one.
    pub session: Option<SessionId>,
    /// The call, where there is one.
    pub call: Option<u64>,
    /// The reasons, where there are any.
    pub reasons: &'a [Reason],
    /// When.
    pub at: Timestamp,
}

impl<'a> Finding<'a> {
    pub(crate) const fn new(kind: FindingKind, agent: &'a str, at: Timestamp) -> Self {
        Self { kind, agent, session: None, call: None, reasons: &[], at }
    }

    /// A bypass that correlation has found, to be told through [`Authorizer::tell`](crate::Authorizer::tell).
    #[must_use]
    pub const fn bypass(agent: &'a str, session: Option<SessionId>, at: Timestamp) -> Self {
        Self { session, ..Self::new(FindingKind::Bypass, agent, at) }
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of `{}`", self.kind.as_str(), escape_visible(self.agent))?;
        if let Some(session) = self.session {
            write!(f, " in session {session}")?;
        }
        if let Some(call) = self.call {
            write!(f, ", call {call}")?;
        }
        self.reasons.iter().try_for_each(|reason| write!(f, ", {}", reason.code()))
    }
}

/// Is told findings on the thread that asks for a decision, before it is stored or returned.
///
/// No lock is held meanwhile. It decides nothing: what it does with a finding changes no answer, and a panic in it is
/// swallowed. Be quick: put it on a queue. It may [`halt`](crate::Authorizer::halt), of which the lines are stored
/// with the next ones of each session; asking for a decision is refused, because the lines of the call that it is
/// told of are not stored.
pub trait FindingHook: Send + Sync + fmt::Debug {
    /// Takes one finding.
    fn found(&self, finding: &Finding<'_>);
}

/// Tells `hook`, which may not break what it is told of.
pub(crate) fn tell(hook: Option<&dyn FindingHook>, finding: &Finding<'_>) {
    if let Some(hook) = hook {
        // The host's code may panic; nothing of ours is half changed here.
        drop(catch_unwind(AssertUnwindSafe(|| hook.found(finding))));
    }
}
