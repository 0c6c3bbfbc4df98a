//! Limits: how often, how fast, how many, how much. Counters only grow; settling gives back what was
//! reserved and not used.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use crate::action::{Domain, Effect, Target, Usage};
use crate::digest::Digest;
use crate::reason::Reason;
use crate::scope::TaskLimits;
use crate::time::Timestamp;
use crate::value::Decimal;

/// The window of the rate limit.
const WINDOW_MILLIS: u64 = 60_000;

/// The limits of one session: the scope's, which the bundle may cap.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLimits {
    /// Allowed actions in all.
    pub actions: u64,
    /// Proposed actions in any 60 seconds.
    pub per_minute: u64,
    /// Denied actions after which everything is denied.
    pub denials: u64,
    /// Different targets outside of the workspace.
    pub distinct_targets: u64,
    /// Bytes that may leave.
    pub egress_bytes: u64,
    /// Accelerator seconds.
    pub accelerator_seconds: u64,
    /// Money by currency.
    pub spend: Arc<BTreeMap<Box<str>, Decimal>>,
}

impl SessionLimits {
    /// Takes the limits of a scope.
    #[must_use]
    pub fn of_task(task: &TaskLimits) -> Self {
        Self {
            actions: task.actions,
            per_minute: task.per_minute,
            denials: task.denials,
            distinct_targets: task.distinct_targets,
            egress_bytes: task.egress_bytes,
            accelerator_seconds: task.accelerator_seconds,
            spend: Arc::new(task.spend.clone()),
        }
    }
}

/// One value for each of the four domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PerDomain<T> {
    application: T,
    infrastructure: T,
    data: T,
    workload: T,
}

impl<T: Copy> PerDomain<T> {
    pub(crate) const fn get(&self, domain: Domain) -> T {
        match domain {
            Domain::Application => self.application,
            Domain::Infrastructure => self.infrastructure,
            Domain::Data => self.data,
            Domain::Workload => self.workload,
        }
    }

    pub(crate) const fn get_mut(&mut self, domain: Domain) -> &mut T {
        match domain {
            Domain::Application => &mut self.application,
            Domain::Infrastructure => &mut self.infrastructure,
            Domain::Data => &mut self.data,
            Domain::Workload => &mut self.workload,
        }
    }
}

/// What a session has used of its limits.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    actions: u64,
    /// Allowed actions that touched each domain.
    domains: PerDomain<u64>,
    denials: u64,
    egress_bytes: u64,
    accelerator_seconds: u64,
    /// Targets that a resumed session had touched and of which only the number is known.
    forgotten_targets: u64,
    targets: HashSet<u64>,
    window: VecDeque<u64>,
    /// Proposals in the window of which only the number is known.
    forgotten_proposals: u64,
    spend: BTreeMap<Box<str>, Decimal>,
    spend_unknown: bool,
}

/// The counters of a session, as facts and receipts carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Used {
    pub(crate) accelerator_seconds: u64,
    pub(crate) actions: u64,
    /// Allowed actions that touched each domain; none of them is above `actions`.
    pub(crate) domains: PerDomain<u64>,
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
    /// Money by currency, where it is known.
    pub(crate) spend: Option<BTreeMap<Box<str>, Decimal>>,
}

/// What one allowed call has reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reservation {
    egress_bytes: u64,
    accelerator_seconds: u64,
}

impl Reservation {
    /// Returns the bytes that were reserved.
    #[must_use]
    pub const fn egress_bytes(&self) -> u64 {
        self.egress_bytes
    }

    /// Returns the accelerator seconds that were reserved.
    #[must_use]
    pub const fn accelerator_seconds(&self) -> u64 {
        self.accelerator_seconds
    }
}

/// What a call adds, worked out effect by effect before anything is charged.
#[derive(Debug, Default)]
pub struct Charge {
    reservation: Reservation,
    domains: PerDomain<bool>,
    targets: BTreeSet<u64>,
    spend: BTreeMap<Box<str>, Decimal>,
}

impl Ledger {
    /// Goes on from the counters of the last receipt of a session.
    ///
    /// Which targets were touched is not known any more, so that each counts as new; money spent is
    /// not in the counters, so that none is left.
    #[must_use]
    pub fn resumed(counter: impl Fn(&str) -> Option<u64>) -> Self {
        let domains = resumed_domains(&counter);
        let counter = |name| counter(name).unwrap_or(u64::MAX);
        Self {
            actions: counter("actions"),
            domains,
            denials: counter("denials"),
            egress_bytes: counter("egress_bytes"),
            accelerator_seconds: counter("accelerator_seconds"),
            forgotten_targets: counter("distinct_targets"),
            spend_unknown: true,
            ..Self::default()
        }
    }

    /// Stands where a session stood before a call, as its facts say it. `known` are the effects of the
    /// call whose targets were known; `None` when they cannot have been.
    pub(crate) fn recalled<'a>(
        past: &Past,
        known: impl Iterator<Item = &'a Effect>,
    ) -> Option<Self> {
        let targets: HashSet<u64> = known.map(target_hash).collect::<Option<_>>()?;
        Some(Self {
            actions: past.used.actions,
            domains: past.used.domains,
            denials: past.used.denials,
            egress_bytes: past.used.egress_bytes,
            accelerator_seconds: past.used.accelerator_seconds,
            forgotten_targets: past.used.distinct_targets.checked_sub(targets.len() as u64)?,
            targets,
            forgotten_proposals: past.proposals,
            window: VecDeque::new(),
            spend: past.spend.clone().unwrap_or_default(),
            spend_unknown: past.spend.is_none(),
        })
    }

    /// Returns all counters.
    pub(crate) fn used(&self) -> Used {
        Used {
            accelerator_seconds: self.accelerator_seconds,
            actions: self.actions,
            domains: self.domains,
            denials: self.denials,
            distinct_targets: self.distinct_targets(),
            egress_bytes: self.egress_bytes,
        }
    }

    /// Returns how many proposals the rate window holds, that of the call among them; one more than
    /// the limit stands for all above it.
    pub(crate) fn proposals(&self) -> u64 {
        self.forgotten_proposals.saturating_add(self.window.len() as u64)
    }

    /// Returns what was spent, by currency, where that is known.
    pub(crate) fn spend(&self) -> Option<&BTreeMap<Box<str>, Decimal>> {
        (!self.spend_unknown).then_some(&self.spend)
    }

    /// Tells whether the target of `effect` was touched before.
    pub(crate) fn knows(&self, effect: &Effect) -> bool {
        !self.targets.is_empty()
            && target_hash(effect).is_some_and(|target| self.targets.contains(&target))
    }

    /// Returns how many actions were allowed.
    #[must_use]
    pub const fn actions(&self) -> u64 {
        self.actions
    }

    /// Returns how many allowed actions touched `domain`.
    #[must_use]
    pub const fn actions_in(&self, domain: Domain) -> u64 {
        self.domains.get(domain)
    }

    /// Returns the domains in which something was allowed, in order.
    pub fn recent(&self) -> impl Iterator<Item = Domain> {
        Domain::ALL.into_iter().filter(|domain| self.actions_in(*domain) > 0)
    }

    /// Returns how many actions were denied.
    #[must_use]
    pub const fn denials(&self) -> u64 {
        self.denials
    }

    /// Returns how many different targets were touched.
    #[must_use]
    pub fn distinct_targets(&self) -> u64 {
        self.forgotten_targets.saturating_add(self.targets.len() as u64)
    }

    /// Returns how many bytes left or are reserved to.
    #[must_use]
    pub const fn egress_bytes(&self) -> u64 {
        self.egress_bytes
    }

    /// Returns how many accelerator seconds were used or are reserved.
    #[must_use]
    pub const fn accelerator_seconds(&self) -> u64 {
        self.accelerator_seconds
    }

    /// Counts one proposed action in the rate window.
    pub fn tick(&mut self, now: Timestamp, limits: &SessionLimits) {
        let now = now.as_millis();
        while self.window.front().is_some_and(|at| now.saturating_sub(*at) >= WINDOW_MILLIS) {
            self.window.pop_front();
        }
        // One more than the limit suffices to tell that it is passed.
        if self.window.len() as u64 <= limits.per_minute {
            self.window.push_back(now);
        }
    }

    /// Checks what does not depend on a single effect.
    ///
    /// # Errors
    ///
    /// Returns the limit that is used up.
    pub fn check_call(&self, limits: &SessionLimits) -> Result<(), Reason> {
        if self.denials >= limits.denials {
            return Err(Reason::LimitDenials);
        }
        if self.proposals() > limits.per_minute {
            return Err(Reason::LimitRate);
        }
        if self.actions >= limits.actions {
            return Err(Reason::LimitActions);
        }
        Ok(())
    }

    /// Checks one effect on top of what the call has asked for so far, and adds it to `charge`.
    ///
    /// # Errors
    ///
    /// Returns the limit that the effect would pass.
    pub fn check_effect(
        &self,
        effect: &Effect,
        limits: &SessionLimits,
        charge: &mut Charge,
    ) -> Result<(), Reason> {
        if let Some(target) = target_hash(effect)
            && !self.targets.contains(&target)
            && !charge.targets.contains(&target)
        {
            let touched = self.distinct_targets().saturating_add(charge.targets.len() as u64);
            if touched >= limits.distinct_targets {
                return Err(Reason::LimitTargets);
            }
        }
        let reserved = &charge.reservation;
        let used = self.egress_bytes.saturating_add(reserved.egress_bytes);
        let (egress, seconds) = amounts(effect.usage(), limits, used)?;
        let egress = reserved.egress_bytes.saturating_add(egress);
        let takes = egress > reserved.egress_bytes;
        if takes && self.egress_bytes.saturating_add(egress) > limits.egress_bytes {
            return Err(Reason::LimitEgress);
        }
        let seconds = reserved.accelerator_seconds.saturating_add(seconds);
        if self.accelerator_seconds.saturating_add(seconds) > limits.accelerator_seconds
            && seconds > 0
        {
            return Err(Reason::LimitAccelerator);
        }
        if let Target::Payment { amount, currency, .. } = effect.target() {
            let spent = self.spend_with(charge, currency, *amount).ok_or(Reason::LimitSpend)?;
            let limit = limits.spend.get(&**currency).ok_or(Reason::LimitSpend)?;
            if spent > *limit {
                return Err(Reason::LimitSpend);
            }
            let in_call = charge.spend.get(currency).copied().unwrap_or(Decimal::ZERO);
            let in_call = in_call.checked_add(amount).ok_or(Reason::LimitSpend)?;
            charge.spend.insert(currency.clone(), in_call);
        }
        charge.reservation = Reservation { egress_bytes: egress, accelerator_seconds: seconds };
        *charge.domains.get_mut(effect.domain()) = true;
        charge.targets.extend(target_hash(effect));
        Ok(())
    }

    /// Charges an allowed call and returns what it has reserved.
    pub fn charge(&mut self, charge: Charge) -> Reservation {
        self.actions = self.actions.saturating_add(1);
        for domain in Domain::ALL {
            if charge.domains.get(domain) {
                let count = self.domains.get_mut(domain);
                *count = count.saturating_add(1);
            }
        }
        let reservation = charge.reservation;
        self.egress_bytes = self.egress_bytes.saturating_add(reservation.egress_bytes);
        self.accelerator_seconds =
            self.accelerator_seconds.saturating_add(reservation.accelerator_seconds);
        for (currency, amount) in charge.spend {
            let spent = self.spend.entry(currency).or_insert(Decimal::ZERO);
            match spent.checked_add(&amount) {
                Some(total) => *spent = total,
                None => self.spend_unknown = true,
            }
        }
        self.targets.extend(charge.targets);
        reservation
    }

    /// Counts a denied call, and the targets that it tried: probing is touching.
    pub fn deny<'a>(&mut self, effects: impl Iterator<Item = &'a Effect>, limits: &SessionLimits) {
        self.denials = self.denials.saturating_add(1);
        for target in effects.filter_map(target_hash) {
            // Past the limit the number says enough, and memory stays bounded.
            if self.distinct_targets() < limits.distinct_targets {
                self.targets.insert(target);
            }
        }
    }

    /// Settles what a call reserved with what it really used.
    pub fn settle(
        &mut self,
        reservation: Reservation,
        egress_bytes: Option<u64>,
        accelerator_seconds: Option<u64>,
    ) {
        let settle = |total: &mut u64, reserved: u64, used: Option<u64>| {
            if let Some(used) = used {
                *total = total.saturating_sub(reserved).saturating_add(used);
            }
        };
        settle(&mut self.egress_bytes, reservation.egress_bytes, egress_bytes);
        settle(&mut self.accelerator_seconds, reservation.accelerator_seconds, accelerator_seconds);
    }

    fn spend_with(&self, charge: &Charge, currency: &str, amount: Decimal) -> Option<Decimal> {
        if self.spend_unknown {
            return None;
        }
        let zero = Decimal::ZERO;
        let spent = self.spend.get(currency).copied().unwrap_or(zero);
        let in_call = charge.spend.get(currency).copied().unwrap_or(zero);
        spent.checked_add(&in_call)?.checked_add(&amount)
    }
}

/// The counters of the domains as the last receipt of a session has them; one that is zero is not
/// there. Each action touches a domain, so that where they do not make up all actions they are not
/// known, and each counts as much as it can.
fn resumed_domains(counter: impl Fn(&str) -> Option<u64>) -> PerDomain<u64> {
    let mut domains = PerDomain::default();
    let mut sum = 0_u64;
    for domain in Domain::ALL {
        let count = counter(domain_counter(domain)).unwrap_or(0);
        sum = sum.saturating_add(count);
        *domains.get_mut(domain) = count;
    }
    let actions = counter("actions").unwrap_or(u64::MAX);
    if sum < actions {
        for domain in Domain::ALL {
            *domains.get_mut(domain) = actions;
        }
    }
    domains
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

/// What an effect takes of bytes and accelerator seconds.
///
/// What is not declared counts as the whole budget. An export needs all of it; a channel, over which
/// nothing need ever leave, takes what is left, so that a larger budget never allows less.
fn amounts(usage: Usage, limits: &SessionLimits, used: u64) -> Result<(u64, u64), Reason> {
    Ok(match usage {
        Usage::None => (0, 0),
        Usage::EgressBytes(bytes) => (bytes, 0),
        Usage::UndeclaredEgress if limits.egress_bytes == 0 => return Err(Reason::LimitEgress),
        Usage::UndeclaredEgress => (limits.egress_bytes, 0),
        Usage::Channel => (limits.egress_bytes.saturating_sub(used), 0),
        Usage::AcceleratorSeconds(seconds) => (0, seconds),
        Usage::UndeclaredAcceleratorSeconds if limits.accelerator_seconds == 0 => {
            return Err(Reason::LimitAccelerator);
        }
        Usage::UndeclaredAcceleratorSeconds => (0, limits.accelerator_seconds),
    })
}

/// Names the target of an effect that counts for scanning: what lies outside of the workspace.
/// Programs, files, memory, models and tools do not; a task touches many of them.
fn target_hash(effect: &Effect) -> Option<u64> {
    let counts = match effect.target() {
        Target::Api { .. }
        | Target::Recipient { .. }
        | Target::Agent(_)
        | Target::Payment { .. }
        | Target::Artifact { .. }
        | Target::Endpoint { .. }
        | Target::Secret(_)
        | Target::Identity(_)
        | Target::Infrastructure { .. }
        | Target::Table(_)
        | Target::Object { .. }
        | Target::Job { .. }
        | Target::Resource(_) => true,
        Target::Tool { .. }
        | Target::Workflow(_)
        | Target::Program { .. }
        | Target::Privilege(_)
        | Target::Package { .. }
        | Target::File { .. }
        | Target::Files { .. }
        | Target::Memory(_)
        | Target::Model(_)
        | Target::Training(_)
        | Target::Accelerator { .. }
        | Target::Unknown { .. } => false,
    };
    if !counts {
        return None;
    }
    let mut id = String::with_capacity(96);
    // Two ports of one host are two targets, and an API counts by its host: a scan changes those.
    match effect.target() {
        Target::Api { endpoint, .. } => id.push_str(&endpoint.to_string()),
        target => target.write_id(&mut id),
    }
    if let Target::Endpoint { address: Some(address), .. } = effect.target() {
        id.push_str(&address.to_string());
    }
    let digest = Digest::of("countersign 2026-11 limit target v1", id.as_bytes());
    let head = digest.as_bytes().first_chunk::<8>()?;
    Some(u64::from_le_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Kind;

    fn limits() -> SessionLimits {
        SessionLimits {
            actions: 3,
            per_minute: 2,
            denials: 2,
            distinct_targets: 2,
            egress_bytes: 100,
            accelerator_seconds: 10,
            spend: Arc::new(BTreeMap::from([("EUR".into(), Decimal::from(10_u64))])),
        }
    }

    fn effect(target: Target, usage: Usage) -> Effect {
        Effect::new(Kind::ExportData, target).with_usage(usage)
    }

    fn table(name: &str) -> Target {
        Target::Table(name.into())
    }

    fn pay(amount: u64, currency: &str) -> Effect {
        let amount = Decimal::from(amount);
        effect(
            Target::Payment { account: "a".into(), amount, currency: currency.into() },
            Usage::None,
        )
    }

    #[test]
    fn budgets_are_reserved_and_settled() {
        let mut ledger = Ledger::default();
        let mut charge = Charge::default();
        let export = effect(table("t"), Usage::EgressBytes(60));
        assert_eq!(ledger.check_effect(&export, &limits(), &mut charge), Ok(()));
        assert_eq!(
            ledger.check_effect(&export, &limits(), &mut charge),
            Err(Reason::LimitEgress),
            "two effects of one call add up"
        );
        let reservation = ledger.charge(charge);
        let check = |ledger: &Ledger, usage| {
            ledger.check_effect(&effect(table("t"), usage), &limits(), &mut Charge::default())
        };
        assert_eq!(check(&ledger, Usage::EgressBytes(41)), Err(Reason::LimitEgress));
        assert_eq!(check(&ledger, Usage::UndeclaredEgress), Err(Reason::LimitEgress));
        ledger.settle(reservation, Some(10), None);
        assert_eq!(ledger.egress_bytes(), 10);
        assert_eq!(check(&ledger, Usage::EgressBytes(90)), Ok(()));
        assert_eq!(check(&ledger, Usage::EgressBytes(91)), Err(Reason::LimitEgress));
    }

    #[test]
    fn an_empty_budget_has_no_room_for_the_undeclared() {
        let none = SessionLimits { egress_bytes: 0, accelerator_seconds: 0, ..limits() };
        let check = |usage| {
            let effect = effect(table("t"), usage);
            Ledger::default().check_effect(&effect, &none, &mut Charge::default())
        };
        assert_eq!(check(Usage::UndeclaredEgress), Err(Reason::LimitEgress));
        assert_eq!(check(Usage::EgressBytes(1)), Err(Reason::LimitEgress));
        assert_eq!(check(Usage::Channel), Ok(()));
        assert_eq!(check(Usage::UndeclaredAcceleratorSeconds), Err(Reason::LimitAccelerator));
    }

    #[test]
    fn money_is_exact_and_of_a_named_currency() {
        let mut ledger = Ledger::default();
        let mut charge = Charge::default();
        assert_eq!(ledger.check_effect(&pay(6, "EUR"), &limits(), &mut charge), Ok(()));
        let twice = ledger.check_effect(&pay(6, "EUR"), &limits(), &mut charge);
        assert_eq!(twice, Err(Reason::LimitSpend));
        ledger.charge(charge);
        let check = |effect| ledger.check_effect(&effect, &limits(), &mut Charge::default());
        assert_eq!(check(pay(4, "EUR")), Ok(()));
        assert_eq!(check(pay(5, "EUR")), Err(Reason::LimitSpend));
        assert_eq!(check(pay(1, "USD")), Err(Reason::LimitSpend));
        let resumed = Ledger::resumed(|_| Some(0));
        let again = resumed.check_effect(&pay(1, "EUR"), &limits(), &mut Charge::default());
        assert_eq!(again, Err(Reason::LimitSpend));
    }

    #[test]
    fn scanning_and_rate_are_limited() {
        let mut ledger = Ledger::default();
        let probes = [table("a"), table("b"), table("c")].map(|t| effect(t, Usage::None));
        ledger.deny(probes.iter(), &limits());
        assert_eq!((ledger.denials(), ledger.distinct_targets()), (1, 2));
        let check = |target| {
            let effect = effect(target, Usage::None);
            ledger.check_effect(&effect, &limits(), &mut Charge::default())
        };
        assert_eq!(check(table("a")), Ok(()));
        assert_eq!(check(table("d")), Err(Reason::LimitTargets));

        let mut ledger = Ledger::default();
        let at = |ledger: &mut Ledger, millis| {
            ledger.tick(Timestamp::from_millis(millis), &limits());
            ledger.check_call(&limits())
        };
        assert_eq!(at(&mut ledger, 0), Ok(()));
        assert_eq!(at(&mut ledger, 59_999), Ok(()));
        assert_eq!(at(&mut ledger, 59_999), Err(Reason::LimitRate));
        assert_eq!(at(&mut ledger, 60_000), Err(Reason::LimitRate));
        assert_eq!(at(&mut ledger, 130_000), Ok(()));
    }
}
