//! What a session has used, as facts and receipts carry it, and a ledger that goes on from that.

use std::collections::BTreeMap;

use crate::action::{Domain, PerDomain};
use crate::governance::limits::{Ledger, SessionLimits};
use crate::receipt::Counters;
use crate::time::Timestamp;
use crate::value::Decimal;

/// The largest counter: the format's integers end at 2^53 − 1, and one that has come so far stays there.
const MOST: u64 = (1 << 53) - 1;

/// The most currencies that receipts count; where there are more, what was spent is not known later.
const MAX_CURRENCIES: usize = 64;

/// The counter that says that what was spent is not known.
const SPEND_UNKNOWN: &str = "spend_unknown";

/// The counters of a session, as facts and receipts carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Used {
    pub(crate) accelerator_seconds: u64,
    pub(crate) actions: u64,
    /// Allowed actions that touched each domain; none of them is above `actions`.
    pub(crate) domains: PerDomain<u64>,
    /// To how many others the session has delegated.
    pub(crate) delegates: u64,
    pub(crate) denials: u64,
    pub(crate) distinct_targets: u64,
    pub(crate) egress_bytes: u64,
}

/// All that a ledger decides by, beside the targets that it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) used: Used,
    /// Proposals in the rate window, that of the call among them.
    pub(crate) proposals: u64,
    /// Allowed calls of the tools that have a limit, by `server/name`; none that is zero.
    pub(crate) tools: BTreeMap<Box<str>, u64>,
    /// Money by currency, where it is known.
    pub(crate) spend: Option<BTreeMap<Box<str>, Decimal>>,
}

impl Default for Past {
    /// A session that has done nothing.
    fn default() -> Self {
        let (used, tools) = (Used::default(), BTreeMap::new());
        Self { used, proposals: 0, tools, spend: Some(BTreeMap::new()) }
    }
}

impl Past {
    /// The counters as receipts carry them. Delegates, a domain, a tool or a currency that is zero has none.
    pub(crate) fn counters(&self) -> Counters<'static> {
        let used = &self.used;
        let mut named: Vec<(String, u64)> = vec![
            ("accelerator_seconds".into(), used.accelerator_seconds),
            ("actions".into(), used.actions),
        ];
        for domain in BY_NAME {
            if used.domains.get(domain) > 0 {
                named.push((domain_counter(domain).into(), used.domains.get(domain)));
            }
        }
        if used.delegates > 0 {
            named.push(("delegates".into(), used.delegates));
        }
        named.push(("denials".into(), used.denials));
        named.push(("distinct_targets".into(), used.distinct_targets));
        named.push(("egress_bytes".into(), used.egress_bytes));
        match self.spend.as_ref().and_then(spend_counters) {
            Some(spend) => named.extend(spend),
            None => named.push((SPEND_UNKNOWN.into(), 1)),
        }
        named.extend(self.tools.iter().map(|(tool, count)| (tool_counter(tool), *count)));
        let named = named.into_iter().map(|(name, count)| (name.into(), count.min(MOST)));
        Counters::new(named.collect::<Vec<_>>()).unwrap_or_default()
    }

    /// Reads the counters of the last receipt of a session. What it should have and has not counts as
    /// much as it can.
    fn resumed(limits: &SessionLimits, counter: impl Fn(&str) -> Option<u64>) -> Self {
        let whole = |name| counter(name).unwrap_or(u64::MAX);
        let actions = whole("actions");
        let mut domains = PerDomain::default();
        let mut sum = 0_u64;
        for domain in Domain::ALL {
            let count = counter(domain_counter(domain)).unwrap_or(0);
            sum = sum.saturating_add(count);
            *domains.get_mut(domain) = count;
        }
        // Each action touches a domain, so that a receipt in which the domains do not make up all actions
        // does not count them, nor money.
        let complete = sum >= actions;
        if !complete {
            for domain in Domain::ALL {
                *domains.get_mut(domain) = actions;
            }
        }
        let tools = limits.tools.keys().filter_map(|tool| {
            let count = counter(&tool_counter(tool)).unwrap_or(0);
            let count = if complete { count } else { actions };
            (count > 0).then(|| (tool.clone(), count))
        });
        let tools = tools.collect();
        let spend = limits.spend.keys().filter_map(|currency| {
            let millionths = counter(&spend_counter(currency))?;
            Some((currency.clone(), Decimal::try_new(millionths.into(), -6).ok()?))
        });
        let known = complete && counter(SPEND_UNKNOWN).is_none();
        let used = Used {
            accelerator_seconds: whole("accelerator_seconds"),
            actions,
            domains,
            delegates: counter("delegates").unwrap_or(0),
            denials: whole("denials"),
            distinct_targets: whole("distinct_targets"),
            egress_bytes: whole("egress_bytes"),
        };
        Self { used, proposals: 0, tools, spend: known.then(|| spend.collect()) }
    }
}

impl Ledger {
    /// Goes on from the counters of the last receipt of a session, which made `calls` calls until `last`.
    ///
    /// All that is not known counts against the session: each target as a new one, and each call as one of
    /// that last moment, so that for 60 seconds the rate is what it can have been at most. Money is known
    /// to the millionth, rounded up; where it did not fit into a counter, none is left.
    #[must_use]
    pub fn resumed(
        limits: &SessionLimits,
        calls: u64,
        last: Timestamp,
        counter: impl Fn(&str) -> Option<u64>,
    ) -> Self {
        Self::after(Past { proposals: calls, ..Past::resumed(limits, counter) }, Some(last))
    }
}

/// The name of the counter of a domain, in receipts and facts.
pub(crate) const fn domain_counter(domain: Domain) -> &'static str {
    match domain {
        Domain::Application => "actions:application",
        Domain::Infrastructure => "actions:infrastructure",
        Domain::Data => "actions:data",
        Domain::Workload => "actions:workload",
    }
}

/// The domains by name, as counters stand in receipts and facts.
pub(crate) const BY_NAME: [Domain; 4] =
    [Domain::Application, Domain::Data, Domain::Infrastructure, Domain::Workload];

/// The name of the counter of a tool, in receipts.
fn tool_counter(tool: &str) -> String {
    format!("tool:{tool}")
}

/// The name of the counter of a currency, in receipts.
fn spend_counter(currency: &str) -> String {
    format!("spend:{currency}")
}

/// Money as counters in millionths; none where it does not fit.
fn spend_counters(spend: &BTreeMap<Box<str>, Decimal>) -> Option<Vec<(String, u64)>> {
    let spent = spend.iter().filter(|(_, amount)| **amount != Decimal::ZERO);
    let counters =
        spent.map(|(currency, amount)| Some((spend_counter(currency), millionths(amount)?)));
    let counters: Option<Vec<_>> = counters.collect();
    counters.filter(|counters| counters.len() <= MAX_CURRENCIES)
}

/// An amount in millionths, rounded up; none past the largest counter.
fn millionths(amount: &Decimal) -> Option<u64> {
    let power = i32::from(amount.exponent()) + 6;
    let coefficient = amount.coefficient();
    let scaled = match u32::try_from(power) {
        Ok(power) => coefficient.checked_mul(10_i128.checked_pow(power)?)?,
        // An amount whose power of ten is past all integers is less than one millionth.
        Err(_) => match 10_i128.checked_pow(power.unsigned_abs()) {
            Some(power) => {
                let whole = coefficient.checked_div(power)?;
                if coefficient.checked_rem(power)? > 0 { whole.checked_add(1)? } else { whole }
            }
            None => i128::from(coefficient > 0),
        },
    };
    u64::try_from(scaled).ok().filter(|scaled| *scaled <= MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn money_is_rounded_up_to_a_counter_that_fits() {
        let check = |amount: &str, expected: Option<u64>| {
            assert_eq!(millionths(&decimal(amount)), expected, "{amount}");
        };
        check("0", Some(0));
        check("1", Some(1_000_000));
        check("12.5", Some(12_500_000));
        check("0.000001", Some(1));
        check("0.0000001", Some(1));
        check("1.0000000000000000000000001", Some(1_000_001));
        check("1e-300", Some(1));
        check("9007199254.740991", Some(MOST));
        check("9007199254.7409911", None);
        check("1e34", None);
        check("1e300", None);
        check("-1", None);
    }

    fn limits() -> SessionLimits {
        let task = r#"{"scope": "countersign/scope/v1", "task": "t", "owner": "user:a@example.org",
            "agent": "spiffe://example.org/agent/coder", "expires": "2026-11-21T11:00:00Z",
            "workspace": "/srv", "limits": {"spend": {"EUR": "100", "USD": "5"},
            "tools": {"srv/t": 3, "srv/u": 4}}}"#;
        let scope = crate::testing::trusted(task).unwrap();
        let paths = crate::action::path::PurePaths::new();
        let scope = crate::scope::CompiledScope::compile(&scope, &paths).unwrap();
        SessionLimits::of_task(scope.limits())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut domains = PerDomain::default();
        *domains.get_mut(Domain::Data) = 3;
        *domains.get_mut(Domain::Workload) = 1;
        let used = Used { actions: 4, domains, denials: 2, egress_bytes: 9, ..Used::default() };
        let tools = BTreeMap::from([("srv/t".into(), 2)]);
        let spend = Some(BTreeMap::from([("EUR".into(), decimal("12.345678"))]));
        let past = Past { used, proposals: 0, tools, spend };
        let counters = past.counters();
        let names: Vec<&str> = counters.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names.join(" "),
            "accelerator_seconds actions actions:data actions:workload denials \
            distinct_targets egress_bytes spend:EUR tool:srv/t"
        );
        assert_eq!(Past::resumed(&limits(), |name| counters.get(name)), past);
        // Money that does not fit is not known any more, and stays unknown.
        let much = Past { spend: Some(BTreeMap::from([("EUR".into(), decimal("1e12"))])), ..past };
        let counters = much.counters();
        assert_eq!(counters.get("spend_unknown"), Some(1));
        let resumed = Past::resumed(&limits(), |name| counters.get(name));
        assert_eq!(resumed.spend, None);
        assert_eq!(resumed.counters(), counters);
    }

    #[test]
    fn a_receipt_without_counts_by_domain_counts_as_much_as_it_can() {
        let counter = |name: &str| match name {
            "actions" => Some(2),
            "denials" | "distinct_targets" | "egress_bytes" | "accelerator_seconds" => Some(0),
            _ => None,
        };
        let past = Past::resumed(&limits(), counter);
        assert!(Domain::ALL.iter().all(|domain| past.used.domains.get(*domain) == 2));
        assert_eq!(past.tools, BTreeMap::from([("srv/t".into(), 2), ("srv/u".into(), 2)]));
        assert_eq!(past.spend, None);
        let nothing = Past::resumed(&limits(), |_| None);
        assert_eq!(nothing.used.actions, u64::MAX);
        assert_eq!(nothing.used.domains.get(Domain::Data), u64::MAX);
        assert_eq!(nothing.spend, None);
    }
}
