//! The limits of a scope: read, bounded, and with their defaults.

use std::collections::BTreeMap;

use crate::action::{Domain, PerDomain};
use crate::scope::compiled::{MAX_INTEGER, MAX_LIST, parse_amount, parse_currency};
use crate::scope::descriptor::Descriptor;
use crate::scope::error::{Problem, ScopeError};
use crate::text::excerpt;
use crate::value::Decimal;

/// The most times that a scope may be handed on.
pub const MAX_DELEGATION_DEPTH: u64 = 8;

/// The most delegates of one session, whatever its scope says.
pub const MAX_DELEGATES: u64 = 1024;

/// `limits.delegates` where it is absent and the scope may be handed on: a person's team.
pub const DEFAULT_DELEGATES: u64 = 8;

/// `limits.actions` where it is absent: some hours of a person's work.
pub const DEFAULT_ACTIONS: u64 = 200;

/// `limits.per_minute` where it is absent: one a second, faster than a person could follow.
pub const DEFAULT_PER_MINUTE: u64 = 60;

/// `limits.denials` where it is absent: room for mistakes, none for probing.
pub const DEFAULT_DENIALS: u64 = 5;

/// `limits.distinct_targets` where it is absent: a task touches few places, a scan touches many.
pub const DEFAULT_DISTINCT_TARGETS: u64 = 20;

/// The most tools with a limit of their own: each has a counter in every receipt.
pub const MAX_LIMITED_TOOLS: usize = 64;

/// How much a task may do of everything, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskLimits {
    /// Actions in all.
    pub actions: u64,
    /// Actions in any minute.
    pub per_minute: u64,
    /// Denials until the task is stopped.
    pub denials: u64,
    /// Different targets in all.
    pub distinct_targets: u64,
    /// Bytes that may leave in all.
    pub egress_bytes: u64,
    /// Accelerator seconds in all.
    pub accelerator_seconds: u64,
    /// How many times the scope may be handed on.
    pub delegation_depth: u64,
    /// How many delegates one session may start; none where the scope may not be handed on.
    pub delegates: u64,
    /// Money in all, by currency in upper case; a currency that is absent has none.
    pub spend: BTreeMap<Box<str>, Decimal>,
    /// Actions that touch a domain, where there is a limit.
    pub(crate) domains: PerDomain<Option<u64>>,
    /// Calls of single tools, by `server/name`.
    pub(crate) tools: BTreeMap<Box<str>, u64>,
}

impl TaskLimits {
    /// Returns how many actions may touch `domain`, where there is a limit of its own.
    #[must_use]
    pub const fn domain(&self, domain: Domain) -> Option<u64> {
        self.domains.get(domain)
    }

    /// Returns how often the tool `server/name` may be called, where there is a limit of its own.
    #[must_use]
    pub fn tool(&self, id: &str) -> Option<u64> {
        self.tools.get(id).copied()
    }
}

pub(super) fn limits(raw: &Descriptor) -> Result<TaskLimits, ScopeError> {
    let limits = &raw.limits;
    let whole = |field: &str, number: Option<u64>, default: u64| match number {
        Some(number) if number > MAX_INTEGER => {
            Err(ScopeError::new(field, Problem::Number("it is larger than 2^53 - 1")))
        }
        number => Ok(number.unwrap_or(default)),
    };
    let depth = limits.delegation_depth.unwrap_or(0);
    if depth > MAX_DELEGATION_DEPTH {
        let problem = Problem::Number("a scope may be handed on 8 times at most");
        return Err(ScopeError::new("limits.delegation_depth", problem));
    }
    let delegates = limits.delegates.unwrap_or(DEFAULT_DELEGATES);
    if delegates > MAX_DELEGATES {
        let problem = Problem::Number("a session has 1024 delegates at most");
        return Err(ScopeError::new("limits.delegates", problem));
    }
    let mut spend = BTreeMap::new();
    if limits.spend.len() > MAX_LIST {
        return Err(ScopeError::new("limits.spend", Problem::TooMany(MAX_LIST)));
    }
    for (currency, amount) in &limits.spend {
        let field = format!("limits.spend.{}", excerpt(currency));
        let amount = parse_amount(&field, amount)?;
        if spend.insert(parse_currency(&field, currency)?, amount).is_some() {
            return Err(ScopeError::new(field, Problem::Duplicate));
        }
    }
    let domains = &limits.domains;
    for (name, limit) in [
        ("application", domains.application),
        ("infrastructure", domains.infrastructure),
        ("data", domains.data),
        ("workload", domains.workload),
    ] {
        whole(&format!("limits.domains.{name}"), limit, 0)?;
    }
    if limits.tools.len() > MAX_LIMITED_TOOLS {
        return Err(ScopeError::new("limits.tools", Problem::TooMany(MAX_LIMITED_TOOLS)));
    }
    let mut tools = BTreeMap::new();
    for (tool, limit) in &limits.tools {
        let field = format!("limits.tools.{}", excerpt(tool));
        let limit = whole(&field, Some(*limit), 0)?;
        let form = Problem::Form("`server/name` of one tool");
        tools.insert(tool_id(tool).ok_or_else(|| ScopeError::new(field, form))?, limit);
    }
    Ok(TaskLimits {
        actions: whole("limits.actions", limits.actions, DEFAULT_ACTIONS)?,
        per_minute: whole("limits.per_minute", limits.per_minute, DEFAULT_PER_MINUTE)?,
        denials: whole("limits.denials", limits.denials, DEFAULT_DENIALS)?,
        distinct_targets: whole(
            "limits.distinct_targets",
            limits.distinct_targets,
            DEFAULT_DISTINCT_TARGETS,
        )?,
        egress_bytes: whole("limits.egress_bytes", limits.egress_bytes, 0)?,
        accelerator_seconds: whole(
            "run.accelerator_seconds",
            Some(raw.run.accelerator_seconds),
            0,
        )?,
        delegation_depth: depth,
        delegates: if depth == 0 { 0 } else { delegates },
        spend,
        domains: limits.domains.into(),
        tools,
    })
}

/// Checks that `text` is the `server/name` of a tool, as tools can be registered.
fn tool_id(text: &str) -> Option<Box<str>> {
    let plain = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        (1..=128).contains(&part.len()) && part.bytes().all(plain)
    };
    let (server, name) = text.split_once('/')?;
    (plain(server) && plain(name)).then(|| text.into())
}
