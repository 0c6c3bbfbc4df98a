//! What a session hands on of its limits: delegates are counted, and budgets of other processes are charged
//! at once.

use super::{Charge, Ledger, SessionLimits};
use crate::action::Domain;
use crate::governance::Budget;
use crate::reason::Reason;
use crate::value::Decimal;

impl Ledger {
    /// Counts one more delegate.
    pub(crate) fn delegate(&mut self) {
        self.delegates = self.delegates.saturating_add(1);
    }

    /// Returns to how many others the session has delegated.
    pub(crate) const fn delegates(&self) -> u64 {
        self.delegates
    }

    /// Tells whether all of `budget` is left.
    ///
    /// # Errors
    ///
    /// Returns the limit that it would pass. A budget of denials may not trip the breaker.
    pub(crate) fn has_room_for(
        &self,
        budget: &Budget,
        limits: &SessionLimits,
    ) -> Result<(), Reason> {
        let fits = |used: u64, more: u64, limit: u64| used.saturating_add(more) <= limit;
        let targets = self.distinct_targets();
        let rules = [
            (fits(self.actions, budget.actions, limits.actions), Reason::LimitActions),
            (fits(self.proposals(), budget.per_minute, limits.per_minute), Reason::LimitRate),
            (
                fits(self.denials, budget.denials.saturating_add(1), limits.denials),
                Reason::LimitDenials,
            ),
            (fits(targets, budget.distinct_targets, limits.distinct_targets), Reason::LimitTargets),
            (
                fits(self.egress_bytes, budget.egress_bytes, limits.egress_bytes),
                Reason::LimitEgress,
            ),
            (
                fits(
                    self.accelerator_seconds,
                    budget.accelerator_seconds,
                    limits.accelerator_seconds,
                ),
                Reason::LimitAccelerator,
            ),
        ];
        if let Some((_, reason)) = rules.into_iter().find(|(fits, _)| !fits) {
            return Err(reason);
        }
        for domain in Domain::ALL {
            let used = self.domains.get(domain);
            if limits.domains.get(domain).is_some_and(|limit| !fits(used, budget.actions, limit)) {
                return Err(Reason::LimitDomain);
            }
        }
        for (tool, limit) in limits.tools.iter() {
            let used = self.tools.get(tool).copied().unwrap_or_default();
            if !fits(used, budget.actions, *limit) {
                return Err(Reason::LimitTool);
            }
        }
        for (currency, amount) in &budget.spend {
            let spent = self.spend_with(&Charge::default(), currency, *amount);
            let limit = limits.spend.get(currency).ok_or(Reason::LimitSpend)?;
            if spent.is_none_or(|spent| spent > *limit) {
                return Err(Reason::LimitSpend);
            }
        }
        Ok(())
    }

    /// Charges all of `budget`, which another process may use from here on. Nobody here sees what for, so that
    /// it counts in every domain and for every tool that has a limit.
    pub(crate) fn hand_over(&mut self, budget: &Budget, limits: &SessionLimits) {
        let add = |used: &mut u64, more: u64| *used = used.saturating_add(more);
        add(&mut self.actions, budget.actions);
        add(&mut self.handed_rate, budget.per_minute);
        add(&mut self.denials, budget.denials);
        add(&mut self.forgotten_targets, budget.distinct_targets);
        add(&mut self.egress_bytes, budget.egress_bytes);
        add(&mut self.accelerator_seconds, budget.accelerator_seconds);
        for domain in Domain::ALL {
            add(self.domains.get_mut(domain), budget.actions);
        }
        for tool in limits.tools.keys() {
            add(self.tools.entry(tool.clone()).or_insert(0), budget.actions);
        }
        for (currency, amount) in &budget.spend {
            let spent = self.spend.entry(currency.clone()).or_insert(Decimal::ZERO);
            match spent.checked_add(amount) {
                Some(total) => *spent = total,
                None => self.spend_unknown = true,
            }
        }
    }

    /// What was used, as a return to another process says it.
    pub(crate) fn used_of_budget(&self) -> Budget {
        Budget {
            actions: self.actions,
            per_minute: self.proposals(),
            denials: self.denials,
            distinct_targets: self.distinct_targets(),
            egress_bytes: self.egress_bytes,
            accelerator_seconds: self.accelerator_seconds,
            spend: self.spend.clone(),
        }
    }
}
