//! From an effect and the facts of the call to the values of a Cedar request.

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression};

use crate::action::{Domain, Effect, Fact, Target};
use crate::policy::schema::tool_action;
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::tool::{Field, Shape};
use crate::value::{Object, Value};

/// The facts of a call that do not depend on one effect.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'a> {
    /// The time of the decision.
    pub now: Timestamp,
    /// The task of the scope.
    pub task: &'a str,
    /// The purpose of the scope.
    pub purpose: &'a str,
    /// Where the host runs, as the host declares it.
    pub environment: &'a str,
    /// Who proposed the action.
    pub provenance: &'a str,
    /// The data classes that the session has touched.
    pub labels: &'a [Box<str>],
    /// The quorums whose approval was verified for the domain of the effect.
    pub approvals: &'a [Box<str>],
    /// The counters of the session before this action.
    pub counters: Counters,
    /// The domains in which the session was allowed something before.
    pub recent: &'a [Domain],
    /// How many times the authority was handed on; 0 where it comes from the owner.
    pub depth: u64,
    /// The service accounts that stand between the agent and what it acts on.
    pub acting_through: &'a [Box<str>],
    /// The risk tier of the scope; empty without one.
    pub tier: &'a str,
}

/// The counters of a session that policies see. One that policies cannot hold denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Accelerator seconds that were used or are reserved.
    pub accelerator_seconds: u64,
    /// Allowed actions.
    pub actions: u64,
    /// Allowed actions that touched the domain application.
    pub application: u64,
    /// Allowed actions that touched the domain data.
    pub data: u64,
    /// Denied actions.
    pub denials: u64,
    /// Different targets touched.
    pub distinct_targets: u64,
    /// Bytes that left or are reserved to.
    pub egress_bytes: u64,
    /// Allowed actions that touched the domain infrastructure.
    pub infrastructure: u64,
    /// Allowed actions that touched the domain workload.
    pub workload: u64,
}

/// Returns the Cedar action of `effect`.
pub(super) fn action_uid(types: &Types, effect: &Effect) -> EntityUid {
    let id = match effect.target() {
        Target::Tool { server, name, .. } => tool_action(&format!("{server}/{name}")),
        _ => effect.kind().as_str().to_owned(),
    };
    EntityUid::from_type_name_and_id(types.action.clone(), EntityId::new(id))
}

/// Type names that every request needs, parsed once.
#[derive(Debug)]
pub(super) struct Types {
    pub(super) action: EntityTypeName,
    pub(super) agent: EntityTypeName,
}

/// Builds the Cedar context of `effect`.
///
/// # Errors
///
/// Returns the reason for a fact that Cedar cannot hold exactly or an argument of another type than
/// the tool registered.
pub(super) fn context(
    effect: &Effect,
    facts: &RequestFacts<'_>,
    approvals: &[&str],
    shape: Option<&Shape>,
) -> Result<Context, Reason> {
    let mut pairs = Vec::with_capacity(20);
    let mut add = |name: &str, value| pairs.push((name.to_owned(), value));
    add("now", long(facts.now.as_millis())?);
    add("task", text(facts.task));
    add("purpose", text(facts.purpose));
    add("environment", text(facts.environment));
    add("provenance", text(facts.provenance));
    add("reversibility", text(effect.reversibility().as_str()));
    add("labels", RestrictedExpression::new_set(facts.labels.iter().map(|label| text(label))));
    add("approvals", RestrictedExpression::new_set(approvals.iter().map(|name| text(name))));
    add("counters", counters(&facts.counters)?);
    let recent = facts.recent.iter().map(|domain| text(domain.as_str()));
    add("recent", RestrictedExpression::new_set(recent));
    add("depth", long(facts.depth)?);
    let through = facts.acting_through.iter().map(|account| text(account));
    add("acting_through", RestrictedExpression::new_set(through));
    add("tier", text(facts.tier));
    for (name, fact) in effect.facts().iter() {
        add(name, self::fact(fact)?);
    }
    if let (Target::Tool { arguments, .. }, Some(shape)) = (effect.target(), shape) {
        add("input", record(arguments, shape)?);
    }
    Context::from_pairs(pairs).map_err(|_| Reason::PolicyUnrepresentable)
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn long(number: u64) -> Result<RestrictedExpression, Reason> {
    let number = i64::try_from(number).map_err(|_| Reason::PolicyUnrepresentable)?;
    Ok(RestrictedExpression::new_long(number))
}

fn counters(counters: &Counters) -> Result<RestrictedExpression, Reason> {
    let named = [
        ("accelerator_seconds", counters.accelerator_seconds),
        ("actions", counters.actions),
        ("application", counters.application),
        ("data", counters.data),
        ("denials", counters.denials),
        ("distinct_targets", counters.distinct_targets),
        ("egress_bytes", counters.egress_bytes),
        ("infrastructure", counters.infrastructure),
        ("workload", counters.workload),
    ];
    let mut pairs = Vec::with_capacity(named.len());
    for (name, number) in named {
        pairs.push((name.to_owned(), long(number)?));
    }
    RestrictedExpression::new_record(pairs).map_err(|_| Reason::PolicyUnrepresentable)
}

fn fact(fact: &Fact) -> Result<RestrictedExpression, Reason> {
    Ok(match fact {
        Fact::Bool(truth) => RestrictedExpression::new_bool(*truth),
        Fact::Long(number) => RestrictedExpression::new_long(*number),
        Fact::Text(content) => text(content),
        Fact::TextSet(texts) => RestrictedExpression::new_set(texts.iter().map(text)),
        Fact::Address(address) => RestrictedExpression::new_ip(address.to_string()),
        Fact::Decimal(number) => RestrictedExpression::new_decimal(
            number.to_fixed4().ok_or(Reason::PolicyUnrepresentable)?,
        ),
    })
}

/// Types arguments by the registered shape: nothing that the shape does not name gets through.
fn record(arguments: &Object, shape: &Shape) -> Result<RestrictedExpression, Reason> {
    let named = |name: &str| shape.fields.iter().any(|(known, _, _)| known == name);
    if !shape.open && arguments.iter().any(|(name, _)| !named(name)) {
        return Err(Reason::ToolArgument);
    }
    let mut pairs = Vec::with_capacity(shape.fields.len());
    for (name, field, required) in &shape.fields {
        match arguments.get(name) {
            Some(value) => {
                if let Some(value) = argument(value, field)? {
                    pairs.push((name.clone(), value));
                }
            }
            None if *required => return Err(Reason::ToolArgument),
            None => {}
        }
    }
    RestrictedExpression::new_record(pairs).map_err(|_| Reason::ToolArgument)
}

fn argument(value: &Value, field: &Field) -> Result<Option<RestrictedExpression>, Reason> {
    let wrong = Reason::ToolArgument;
    Ok(Some(match field {
        Field::Unseen => return Ok(None),
        Field::Text => text(value.as_str().ok_or(wrong)?),
        Field::Bool => RestrictedExpression::new_bool(value.as_bool().ok_or(wrong)?),
        Field::Long => RestrictedExpression::new_long(integer(value)?),
        Field::Decimal => {
            let number = value.as_number().ok_or(wrong)?;
            RestrictedExpression::new_decimal(
                number.to_fixed4().ok_or(Reason::PolicyUnrepresentable)?,
            )
        }
        Field::TextSet => {
            let items = items(value)?.iter();
            let items = items.map(|item| item.as_str().map(text).ok_or(wrong));
            RestrictedExpression::new_set(items.collect::<Result<Vec<_>, _>>()?)
        }
        Field::LongSet => {
            let items = items(value)?.iter();
            let items = items.map(|item| integer(item).map(RestrictedExpression::new_long));
            RestrictedExpression::new_set(items.collect::<Result<Vec<_>, _>>()?)
        }
        Field::Record(shape) => record(value.as_object().ok_or(wrong)?, shape)?,
    }))
}

/// The most members of an array argument that policies see: the engine has no limit of its own.
const MAX_ITEMS: usize = 1024;

fn items(value: &Value) -> Result<&[Value], Reason> {
    let items = value.as_array().ok_or(Reason::ToolArgument)?;
    if items.len() > MAX_ITEMS { Err(Reason::ActionTooLarge) } else { Ok(items) }
}

fn integer(value: &Value) -> Result<i64, Reason> {
    let number = value.as_number().ok_or(Reason::ToolArgument)?;
    number.to_i64().ok_or(Reason::PolicyUnrepresentable)
}
