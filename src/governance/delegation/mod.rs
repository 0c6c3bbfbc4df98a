//! Delegation to another process: the token that goes there, and the return that comes back.
//!
//! `docs/governance.md` specifies both documents.

mod redeemed;
mod returned;
mod token;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

pub use self::redeemed::{MAX_REDEEMED, Redeemed};
pub use self::returned::{DelegationReturn, Returned};
pub use self::token::{
    Delegation, DelegationId, DelegationToken, Hop, MAX_ACTING_THROUGH, MAX_AUDIENCE_BYTES,
    MAX_COMPACT_BYTES, MAX_TOKEN_LIFETIME, VerifiedDelegation,
};

use super::DocumentError;
use super::limits::SessionLimits;
use crate::reason::Reason;
use crate::scope::{MAX_INTEGER, MAX_LIST, ScopeError};
use crate::time::Timestamp;
use crate::value::{Decimal, JsonError, Object, Value};

/// Amounts of everything that a session is limited in: how much a delegate may use, or has used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budget {
    /// Actions.
    pub actions: u64,
    /// Actions in any minute; of what was used, in the last one.
    pub per_minute: u64,
    /// Denials.
    pub denials: u64,
    /// Different targets.
    pub distinct_targets: u64,
    /// Bytes that leave.
    pub egress_bytes: u64,
    /// Accelerator seconds.
    pub accelerator_seconds: u64,
    /// Money by currency, in upper case.
    pub spend: BTreeMap<Box<str>, Decimal>,
}

impl Budget {
    /// Returns the whole of `limits` as a budget.
    #[must_use]
    pub fn of(limits: &SessionLimits) -> Self {
        Self {
            actions: limits.actions,
            per_minute: limits.per_minute,
            denials: limits.denials,
            distinct_targets: limits.distinct_targets,
            egress_bytes: limits.egress_bytes,
            accelerator_seconds: limits.accelerator_seconds,
            spend: (*limits.spend).clone(),
        }
    }

    /// Lowers `limits` to this budget where they are higher; nothing becomes more.
    pub fn cap(&self, limits: &mut SessionLimits) {
        limits.actions = limits.actions.min(self.actions);
        limits.per_minute = limits.per_minute.min(self.per_minute);
        limits.denials = limits.denials.min(self.denials);
        limits.distinct_targets = limits.distinct_targets.min(self.distinct_targets);
        limits.egress_bytes = limits.egress_bytes.min(self.egress_bytes);
        limits.accelerator_seconds = limits.accelerator_seconds.min(self.accelerator_seconds);
        let both = limits.spend.iter().filter_map(|(currency, limit)| {
            self.spend.get(currency).map(|own| (currency.clone(), *own.min(limit)))
        });
        limits.spend = Arc::new(both.collect());
    }

    /// Tells whether `used` is within this in everything.
    #[must_use]
    pub fn covers(&self, used: &Self) -> bool {
        let amounts = |of: &Self| {
            [
                of.actions,
                of.per_minute,
                of.denials,
                of.distinct_targets,
                of.egress_bytes,
                of.accelerator_seconds,
            ]
        };
        let money = |currency: &str| self.spend.get(currency).copied().unwrap_or(Decimal::ZERO);
        amounts(used).iter().zip(amounts(self)).all(|(used, own)| *used <= own)
            && used.spend.iter().all(|(currency, used)| *used <= money(currency))
    }

    /// Reads what [`to_value`](Self::to_value) wrote, in its one spelling.
    pub(crate) fn from_value(value: &Value) -> Result<Self, DelegationError> {
        let raw: RawBudget = crate::value::from_value(value)?;
        let budget = raw.read()?;
        let same = budget.to_value() == *value;
        if same { Ok(budget) } else { Err(DelegationError::Body("a budget has another spelling")) }
    }

    pub(crate) fn to_value(&self) -> Value {
        let spend = self.spend.iter();
        let spend = spend.map(|(currency, amount)| {
            (currency.clone().into_string(), Value::String(amount.to_string()))
        });
        let mut members = Object::new();
        members.insert("actions".into(), self.actions.into());
        members.insert("per_minute".into(), self.per_minute.into());
        members.insert("denials".into(), self.denials.into());
        members.insert("distinct_targets".into(), self.distinct_targets.into());
        members.insert("egress_bytes".into(), self.egress_bytes.into());
        members.insert("accelerator_seconds".into(), self.accelerator_seconds.into());
        members.insert("spend".into(), spend.collect::<Object>().into());
        members.into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBudget {
    actions: u64,
    per_minute: u64,
    denials: u64,
    distinct_targets: u64,
    egress_bytes: u64,
    accelerator_seconds: u64,
    spend: BTreeMap<String, String>,
}

impl RawBudget {
    fn read(self) -> Result<Budget, DelegationError> {
        let wrong = || DelegationError::Body("an amount is larger than it can be, or none");
        let numbers = [
            self.actions,
            self.per_minute,
            self.denials,
            self.distinct_targets,
            self.egress_bytes,
            self.accelerator_seconds,
        ];
        if numbers.iter().any(|number| *number > MAX_INTEGER) || self.spend.len() > MAX_LIST {
            return Err(wrong());
        }
        let mut spend = BTreeMap::new();
        for (currency, amount) in self.spend {
            let known = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
            let plain = (1..=16).contains(&currency.len()) && currency.bytes().all(known);
            let amount = Decimal::parse(&amount).ok().filter(|amount| !amount.is_negative());
            spend.insert(currency.into(), amount.filter(|_| plain).ok_or_else(wrong)?);
        }
        Ok(Budget {
            actions: self.actions,
            per_minute: self.per_minute,
            denials: self.denials,
            distinct_targets: self.distinct_targets,
            egress_bytes: self.egress_bytes,
            accelerator_seconds: self.accelerator_seconds,
            spend,
        })
    }
}

/// Why a token or a return is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DelegationError {
    /// It is longer than a token may be.
    #[error("the token is longer than {MAX_COMPACT_BYTES} bytes in its compact form")]
    TooLong,
    /// The compact form is no base64url, or has padding.
    #[error("the token is no base64url without padding")]
    Compact,
    /// The envelope or its signature is refused.
    #[error("the signed document is refused")]
    Document(#[from] DocumentError),
    /// Members that are missing, unknown or of another type.
    #[error("the document has other members than it should")]
    Json(#[from] JsonError),
    /// A member is not what it should be.
    #[error("the document is refused: {0}")]
    Body(&'static str),
    /// A member is written in another way than the one way, or a list is out of order.
    #[error("a member of the document is not in its one spelling")]
    Spelling,
    /// One of the scopes is none.
    #[error("a scope of the token is refused")]
    Scope(#[from] ScopeError),
    /// It is well formed and signed, and is not believed or not taken.
    #[error("the delegation is refused: {}", .0.sentence())]
    Refused(Reason),
}

impl DelegationError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "delegation.too_long",
            Self::Compact => "delegation.compact",
            Self::Document(error) => error.code(),
            Self::Json(_) => "delegation.json",
            Self::Body(_) => "delegation.body",
            Self::Spelling => "delegation.spelling",
            Self::Scope(error) => error.code(),
            Self::Refused(reason) => reason.code(),
        }
    }

    /// Returns the reason for a receipt: [`Reason::DelegationToken`] for whatever cannot be read.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Refused(reason) => *reason,
            _ => Reason::DelegationToken,
        }
    }
}

/// Reads a list of texts into a set; `None` for too many or one that is refused.
fn read_list(
    list: Vec<String>,
    most: usize,
    is_good: impl Fn(&str) -> bool,
) -> Option<BTreeSet<Box<str>>> {
    let good = list.len() <= most && list.iter().all(|text| is_good(text));
    good.then(|| list.into_iter().map(Into::into).collect())
}

fn read_time(text: &str) -> Result<Timestamp, DelegationError> {
    let wrong = DelegationError::Body("a time is no RFC 3339 time with an offset");
    Timestamp::parse_rfc3339(text).ok_or(wrong)
}
