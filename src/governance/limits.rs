//! Limits: how often, how fast, how many, how much. Counters only grow; settling gives back what was
//! reserved and not used.

mod handover;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use crate::action::{Domain, Effect, PerDomain, Target, Usage};
use crate::digest::Digest;
use crate::governance::usage::{Past, Used};
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
    /// Allowed actions that touch a domain; none where there is no such limit.
    pub(crate) domains: PerDomain<Option<u64>>,
    /// Allowed calls of single tools, by `server/name`.
    pub(crate) tools: Arc<BTreeMap<Box<str>, u64>>,
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
            domains: task.domains,
            tools: Arc::new(task.tools.clone()),
        }
    }

    /// Returns how many allowed actions may touch `domain`, where there is a limit of its own.
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

/// What a session has used of its limits.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    actions: u64,
    /// Allowed actions that touched each domain.
    domains: PerDomain<u64>,
    /// To how many others the session has delegated.
    delegates: u64,
    /// Proposals a minute that other processes may make.
    handed_rate: u64,
    denials: u64,
    egress_bytes: u64,
    accelerator_seconds: u64,
    /// Targets that a resumed session had touched and of which only the number is known.
    forgotten_targets: u64,
    targets: HashSet<u64>,
    window: VecDeque<u64>,
    /// Proposals in the window of which only the number is known.
    forgotten_proposals: u64,
    /// When those were made at the latest; none where they are in the window for good.
    forgotten_until: Option<u64>,
    /// Calls of the tools that have a limit.
    tools: BTreeMap<Box<str>, u64>,
    spend: BTreeMap<Box<str>, Decimal>,
    spend_unknown: bool,
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
    tools: BTreeMap<Box<str>, u64>,
    spend: BTreeMap<Box<str>, Decimal>,
}

impl Ledger {
    /// Stands where a session stood before a call, as its facts say it. `known` are the effects of the
    /// call whose targets were known; `None` when they cannot have been.
    pub(crate) fn recalled<'a>(
        past: &Past,
        known: impl Iterator<Item = &'a Effect>,
    ) -> Option<Self> {
        let targets: HashSet<u64> = known.map(target_hash).collect::<Option<_>>()?;
        let forgotten_targets = past.used.distinct_targets.checked_sub(targets.len() as u64)?;
        Some(Self { forgotten_targets, targets, ..Self::after(past.clone(), None) })
    }

    /// Stands where `past` ends, of which no target is known; its proposals were made at `last` at the
    /// latest.
    pub(crate) fn after(past: Past, last: Option<Timestamp>) -> Self {
        Self {
            actions: past.used.actions,
            domains: past.used.domains,
            delegates: past.used.delegates,
            handed_rate: 0,
            denials: past.used.denials,
            egress_bytes: past.used.egress_bytes,
            accelerator_seconds: past.used.accelerator_seconds,
            forgotten_targets: past.used.distinct_targets,
            targets: HashSet::new(),
            window: VecDeque::new(),
            forgotten_proposals: past.proposals,
            forgotten_until: last.map(|last| last.as_millis().saturating_add(WINDOW_MILLIS)),
            tools: past.tools,
            spend_unknown: past.spend.is_none(),
            spend: past.spend.unwrap_or_default(),
        }
    }

    /// Returns all that is kept, beside the known targets.
    pub(crate) fn past(&self) -> Past {
        Past {
            used: self.used(),
            proposals: self.proposals(),
            tools: self.tools.clone(),
            spend: self.spend().cloned(),
        }
    }

    /// Returns all counters.
    pub(crate) fn used(&self) -> Used {
        Used {
            accelerator_seconds: self.accelerator_seconds,
            actions: self.actions,
            domains: self.domains,
            delegates: self.delegates,
            denials: self.denials,
            distinct_targets: self.distinct_targets(),
            egress_bytes: self.egress_bytes,
        }
    }

    /// Returns how many proposals the rate window holds, that of the call among them; a number above
    /// the limit stands for all above it.
    pub(crate) fn proposals(&self) -> u64 {
        let here = self.forgotten_proposals.saturating_add(self.window.len() as u64);
        here.saturating_add(self.handed_rate)
    }

    /// Returns what was spent, by currency, where that is known.
    pub(crate) fn spend(&self) -> Option<&BTreeMap<Box<str>, Decimal>> {
        (!self.spend_unknown).then_some(&self.spend)
    }

    /// Returns how often tools that have a limit were called, by `server/name`; none that is zero.
    pub(crate) const fn tools(&self) -> &BTreeMap<Box<str>, u64> {
        &self.tools
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
        if self.forgotten_until.is_some_and(|until| now >= until) {
            (self.forgotten_proposals, self.forgotten_until) = (0, None);
        }
        // One more than the limit suffices to tell that it is passed.
        if self.window.len() as u64 <= limits.per_minute {
            self.window.push_back(now);
        }
    }

    /// Tells whether so much was denied that everything is, whatever comes next.
    #[must_use]
    pub const fn denials_tripped(&self, limits: &SessionLimits) -> bool {
        self.denials >= limits.denials
    }

    /// Checks what does not depend on a single effect.
    ///
    /// # Errors
    ///
    /// Returns the limit that is used up.
    pub fn check_call(&self, limits: &SessionLimits) -> Result<(), Reason> {
        if self.denials_tripped(limits) {
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
        let domain = effect.domain();
        if limits.domain(domain).is_some_and(|limit| self.actions_in(domain) >= limit) {
            return Err(Reason::LimitDomain);
        }
        let tool = limited_tool(effect, limits);
        if let Some((id, limit)) = &tool {
            let called = |tools: &BTreeMap<Box<str>, u64>| tools.get(*id).copied().unwrap_or(0);
            if called(&self.tools).saturating_add(called(&charge.tools)) >= *limit {
                return Err(Reason::LimitTool);
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
        *charge.domains.get_mut(domain) = true;
        if let Some((id, _)) = tool {
            *charge.tools.entry(id.into()).or_insert(0) += 1;
        }
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
        for (tool, calls) in charge.tools {
            let count = self.tools.entry(tool).or_insert(0);
            *count = count.saturating_add(calls);
        }
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

/// The tool that an effect calls, where it has a limit of its own.
fn limited_tool<'a>(effect: &Effect, limits: &'a SessionLimits) -> Option<(&'a str, u64)> {
    let Target::Tool { server, name, .. } = effect.target() else { return None };
    if limits.tools.is_empty() {
        return None;
    }
    let found = limits.tools.get_key_value(format!("{server}/{name}").as_str());
    found.map(|(id, limit)| (&**id, *limit))
}

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
    use proptest::prelude::*;

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
            domains: PerDomain::default(),
            tools: Arc::default(),
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
        let resumed = Ledger::resumed(&limits(), 0, Timestamp::from_millis(0), |_| Some(0));
        let again = resumed.check_effect(&pay(1, "EUR"), &limits(), &mut Charge::default());
        assert_eq!(again, Err(Reason::LimitSpend));
    }

    #[test]
    fn domains_and_tools_have_limits_of_their_own() {
        let mut domains = PerDomain::default();
        *domains.get_mut(Domain::Data) = Some(2);
        let tools = Arc::new(BTreeMap::from([("srv/t".into(), 1)]));
        let limits = SessionLimits { domains, tools, distinct_targets: 9, actions: 9, ..limits() };
        let mut ledger = Ledger::default();
        let mut run = |effects: &[Effect]| -> Result<(), Reason> {
            let mut charge = Charge::default();
            for effect in effects {
                ledger.check_effect(effect, &limits, &mut charge)?;
            }
            ledger.charge(charge);
            Ok(())
        };
        let read = || Effect::new(Kind::ReadData, table("t"));
        let call = |name: &str| {
            let (server, name) = ("srv".into(), name.into());
            let target = Target::Tool { server, name, arguments: Default::default() };
            Effect::new(Kind::ToolCall, target)
        };
        // Two effects of one call are one action.
        assert_eq!(run(&[read(), read()]), Ok(()));
        assert_eq!(run(&[read()]), Ok(()));
        assert_eq!(run(&[read()]), Err(Reason::LimitDomain));
        assert_eq!(run(&[call("u"), call("u")]), Ok(()));
        assert_eq!(run(&[call("t"), call("t")]), Err(Reason::LimitTool));
        assert_eq!(run(&[call("t")]), Ok(()));
        assert_eq!(run(&[call("t")]), Err(Reason::LimitTool));
        assert_eq!(run(&[call("u")]), Ok(()));
        assert_eq!(ledger.actions_in(Domain::Data), 2);
        assert_eq!(ledger.recent().collect::<Vec<_>>(), [Domain::Application, Domain::Data]);
        assert_eq!(ledger.tools().len(), 1, "only those with a limit are counted");
    }

    #[test]
    fn the_breaker_is_seen() {
        let (mut ledger, limits) = (Ledger::default(), limits());
        for _ in 0..2 {
            assert!(!ledger.denials_tripped(&limits));
            ledger.deny(std::iter::empty(), &limits);
        }
        assert!(ledger.denials_tripped(&limits));
        assert_eq!(ledger.check_call(&limits), Err(Reason::LimitDenials));
    }

    #[test]
    fn a_resumed_session_acts_as_if_all_calls_were_of_the_last_moment() {
        let limits = limits();
        let resumed =
            |calls| Ledger::resumed(&limits, calls, Timestamp::from_millis(1000), |_| Some(0));
        let at = |ledger: &mut Ledger, millis| {
            ledger.tick(Timestamp::from_millis(millis), &limits);
            ledger.check_call(&limits)
        };
        let mut ledger = resumed(1);
        assert_eq!(at(&mut ledger, 60_000), Ok(()));
        assert_eq!(at(&mut ledger, 60_999), Err(Reason::LimitRate));
        let mut ledger = resumed(500);
        assert_eq!(at(&mut ledger, 60_999), Err(Reason::LimitRate));
        assert_eq!(at(&mut ledger, 61_000), Ok(()));
        assert_eq!(at(&mut resumed(0), 1000), Ok(()));
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

    /// A session that has used so much of everything, and knows no target.
    fn past(used: [u64; 9], spend: Option<u64>) -> Past {
        let [
            accelerator_seconds,
            actions,
            data,
            application,
            denials,
            targets,
            bytes,
            calls,
            proposals,
        ] = used;
        let mut domains = PerDomain::default();
        *domains.get_mut(Domain::Data) = data;
        *domains.get_mut(Domain::Application) = application;
        let used = Used {
            delegates: 0,
            accelerator_seconds,
            actions,
            domains,
            denials,
            distinct_targets: targets,
            egress_bytes: bytes,
        };
        let tools = BTreeMap::from([("srv/t".into(), calls)]);
        let spend = spend.map(|spent| BTreeMap::from([("EUR".into(), Decimal::from(spent))]));
        Past { used, proposals, tools, spend }
    }

    fn any_effect() -> impl Strategy<Value = Effect> {
        let usage = prop_oneof![
            Just(Usage::None),
            (0..8_u64).prop_map(Usage::EgressBytes),
            Just(Usage::UndeclaredEgress),
            Just(Usage::Channel),
            (0..8_u64).prop_map(Usage::AcceleratorSeconds),
            Just(Usage::UndeclaredAcceleratorSeconds),
        ];
        let tool = Target::Tool {
            server: "srv".into(),
            name: "t".into(),
            arguments: crate::value::Object::default(),
        };
        prop_oneof![
            ("[a-c]", usage).prop_map(|(name, usage)| effect(table(&name), usage)),
            (1..8_u64).prop_map(|amount| pay(amount, "EUR")),
            Just(Effect::new(Kind::ToolCall, tool)),
        ]
    }

    proptest! {
        #[test]
        fn a_session_that_has_used_more_is_never_allowed_more(
            less in proptest::array::uniform9(0..8_u64),
            more in proptest::array::uniform9(0..4_u64),
            spend in (0..8_u64, proptest::option::of(0..4_u64)),
            limit in proptest::array::uniform9(0..10_u64),
            effects in proptest::collection::vec(any_effect(), 1..5),
        ) {
            let [actions, per_minute, denials, distinct_targets, bytes, seconds, data, calls, money] = limit;
            let mut domains = PerDomain::default();
            *domains.get_mut(Domain::Data) = Some(data);
            let limits = SessionLimits {
                actions,
                per_minute,
                denials,
                distinct_targets,
                egress_bytes: bytes,
                accelerator_seconds: seconds,
                spend: Arc::new(BTreeMap::from([("EUR".into(), Decimal::from(money))])),
                domains,
                tools: Arc::new(BTreeMap::from([("srv/t".into(), calls)])),
            };
            let mut used = less;
            used.iter_mut().zip(more).for_each(|(used, more)| *used += more);
            let allows = |past: Past| {
                let ledger = Ledger::after(past, None);
                let mut charge = Charge::default();
                ledger.check_call(&limits).is_ok()
                    && effects
                        .iter()
                        .all(|effect| ledger.check_effect(effect, &limits, &mut charge).is_ok())
            };
            let longer = allows(past(used, spend.1.map(|more| spend.0 + more)));
            prop_assert!(!longer || allows(past(less, Some(spend.0))));
        }
    }
}
