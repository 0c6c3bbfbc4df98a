//! What a session would answer, without one: no receipt, no permit, nothing carried over.

use std::sync::Arc;

use crate::action::path::{FileSystem, PathResolver};
use crate::action::{Action, EffectContext, Provenance};
use crate::authorizer::account::capped;
use crate::authorizer::gates::{Hop, Question};
use crate::authorizer::lines::describe;
use crate::authorizer::memory::{Asker, Memory};
use crate::authorizer::witness::Witness;
use crate::authorizer::{EffectDecision, Severity};
use crate::governance::labels::{Labels, Sources};
use crate::governance::limits::{Ledger, SessionLimits};
use crate::governance::temporal::{History, Temporal};
use crate::identity::VerifiedIdentity;
use crate::policy::{Enforced, Principal, Snapshot};
use crate::reason::Reason;
use crate::scope::{CompiledScope, TrustedScope};
use crate::session::{OpenError, check_agent, check_lifetime};
use crate::time::{Clock, Timestamp};

/// Answers what a new session would answer to its first call, and leaves no trace.
///
/// For people and tests that ask what a scope and a bundle would allow. There is no permit in a
/// [`Judgement`], so that nothing can run on it, and no receipt, so that nothing is proven by it. What
/// guards an agent is an [`Authorizer`](crate::Authorizer).
///
/// # Examples
///
/// ```
/// use countersign::action::{Connect, ReadData};
/// use countersign::action::path::PurePaths;
/// use countersign::authorizer::{Evaluator, Severity};
/// use countersign::policy::Authored;
/// use countersign::{Reason, testing};
///
/// let evaluator = Evaluator::new(&Authored::baseline().load()?, testing::clock())
///     .with_paths(PurePaths::new());
/// let trial = evaluator.prepare(&testing::scope(), &testing::agent())?;
/// assert_eq!(trial.judge(&ReadData::new("src/main.rs")).severity(), Severity::Allow);
/// assert_eq!(trial.judge(&Connect::new("198.51.100.7", 22)).reasons(), [Reason::ScopeConnect]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Evaluator {
    snapshot: Arc<Snapshot>,
    clock: Arc<dyn Clock>,
    paths: Arc<dyn PathResolver>,
    environment: Box<str>,
    temporal: Option<Arc<dyn Temporal>>,
    memory: Option<Arc<Memory>>,
}

impl Evaluator {
    /// Returns one that asks `bundle`, at the time of `clock`, about paths in the file system.
    #[must_use]
    pub fn new(bundle: &Enforced, clock: impl Clock + 'static) -> Self {
        Self {
            snapshot: Arc::clone(bundle.snapshot()),
            clock: Arc::new(clock),
            paths: Arc::new(FileSystem),
            environment: "unspecified".into(),
            temporal: None,
            memory: None,
        }
    }

    /// Sets how paths are resolved.
    #[must_use]
    pub fn with_paths(mut self, paths: impl PathResolver + 'static) -> Self {
        self.paths = Arc::new(paths);
        self
    }

    /// Sets the engine that judges what comes after what; nothing has come before a call that is judged here.
    #[must_use]
    pub fn with_temporal(mut self, engine: impl Temporal + 'static) -> Self {
        self.temporal = Some(Arc::new(engine));
        self
    }

    /// Lets every [`Trial`] of it remember what the policies said of an effect, so that the same effect with the
    /// same facts is not asked about twice. It never changes an answer: the time is one of the facts where
    /// a policy looks at it. Scope, limits and times of the scope are judged anew in any case.
    ///
    /// About 64 MiB are kept for all trials together; past that, the memory starts anew.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        self.memory = Some(Arc::default());
        self
    }

    /// Compiles `scope` for `agent`, for any number of questions.
    ///
    /// A scope that is over, or has not begun, is none of the errors: every effect is denied then.
    ///
    /// # Errors
    ///
    /// Returns [`OpenError`] when the scope cannot be compiled, was given to another agent, or is
    /// valid for longer than the bundle allows.
    pub fn prepare(
        &self,
        scope: &TrustedScope,
        agent: &VerifiedIdentity,
    ) -> Result<Trial, OpenError> {
        let scope = CompiledScope::compile(scope, &*self.paths).map_err(OpenError::Scope)?;
        check_agent(&scope, agent)?;
        check_lifetime(&scope, &self.snapshot)?;
        let principal = Principal::of(agent.id(), scope.owner());
        let principal = principal.ok_or(OpenError::Refused(Reason::IdentityMismatch))?;
        let caps = self.snapshot.caps(scope.tier());
        let limits = capped(&SessionLimits::of_task(scope.limits()), &caps);
        let memory = self.memory.as_ref().map(Memory::asker);
        Ok(Trial { evaluator: self.clone(), scope, limits, principal, memory })
    }
}

/// One scope and one agent, ready to be asked about.
#[derive(Debug, Clone)]
pub struct Trial {
    evaluator: Evaluator,
    scope: CompiledScope,
    limits: SessionLimits,
    principal: Principal,
    memory: Option<Asker>,
}

impl Trial {
    /// Judges `action` as the first call of a new session would be: the same gates, no history.
    #[must_use]
    pub fn judge<A: Action + ?Sized>(&self, action: &A) -> Judgement {
        let Evaluator { snapshot, clock, paths, environment, temporal, .. } = &self.evaluator;
        let context = EffectContext::new(&**paths, self.scope.workspace(), snapshot.tools());
        let effects = describe(action, &context).effects;
        let reading = clock.now().ok();
        let now = reading.unwrap_or(Timestamp::from_millis(0));
        let refused = match temporal {
            Some(engine) => History::new(false, now).ask(&**engine, &effects, now),
            None => Vec::new(),
        };
        let mut ledger = Ledger::default();
        ledger.tick(now, &self.limits);
        let none = Labels::default();
        let labels = none.with(Sources { own: &self.scope, above: &[], snapshot }, effects.iter());
        let question = Question {
            snapshot,
            own: Hop { scope: &self.scope, limits: &self.limits, ledger: &ledger, budget: None },
            above: &[],
            added: &[],
            stopped: None,
            approvals: &[],
            acting_through: &[],
            observed: false,
            principal: &self.principal,
            memory: self.memory.as_ref(),
            paths: &Witness::new(&**paths),
            environment,
            provenance: Provenance::default(),
            labels: &none,
            labels_after: &labels,
            refused: &refused,
            time: reading.ok_or(Reason::SessionClock),
            now,
        };
        let answer = question.decide(effects);
        Judgement { effects: answer.effects, severity: answer.severity }
    }

    /// Returns the scope in its compiled form.
    #[must_use]
    pub const fn scope(&self) -> &CompiledScope {
        &self.scope
    }
}

/// What was decided on an action that nobody will run: a decision without permit and receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    effects: Vec<EffectDecision>,
    severity: Severity,
}

impl Judgement {
    /// Returns the decision on the whole: the worst of all effects.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns what was decided on each effect, sorted by domain.
    #[must_use]
    pub fn effects(&self) -> &[EffectDecision] {
        &self.effects
    }

    /// Returns the reasons why it was not allowed, sorted, each once; none if it was.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> =
            self.effects.iter().filter_map(EffectDecision::reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }

    /// Returns the policies that decided, sorted, each once: those that permit when it was allowed,
    /// otherwise those that stand against the effects that were not.
    #[must_use]
    pub fn policies(&self) -> Vec<&str> {
        let allowed = self.severity == Severity::Allow;
        let deciding = self
            .effects
            .iter()
            .filter(|effect| allowed || effect.severity() != Severity::Allow)
            .flat_map(|effect| effect.policies.iter().map(AsRef::as_ref));
        let mut policies: Vec<&str> = deciding.collect();
        policies.sort_unstable();
        policies.dedup();
        policies
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use crate::action::path::PurePaths;
    use crate::action::{Action, Connect, Effect, ReadData};
    use crate::identity::SpiffeId;
    use crate::policy::Authored;
    use crate::receipt::MemorySink;
    use crate::scope::Scope;
    use crate::testing::{self, strategies};
    use crate::{Authorizer, Decision, Sink};

    use super::*;

    fn evaluator(clock: testing::TestClock) -> Evaluator {
        let bundle = Authored::baseline().load().unwrap();
        Evaluator::new(&bundle, clock).with_paths(PurePaths::new())
    }

    fn trial(clock: testing::TestClock) -> Trial {
        evaluator(clock).prepare(&testing::scope(), &testing::agent()).unwrap()
    }

    #[test]
    fn nothing_is_carried_over() {
        let trial = trial(testing::clock());
        for _ in 0..500 {
            assert_eq!(trial.judge(&Connect::new("198.51.100.7", 22)).severity(), Severity::Deny);
        }
        let judgement = trial.judge(&ReadData::new("src/main.rs"));
        assert_eq!(judgement.severity(), Severity::Allow);
        assert!(judgement.reasons().is_empty());
        assert!(!judgement.policies().is_empty());
    }

    #[test]
    fn time_decides_as_in_a_session() {
        let clock = testing::clock();
        let trial = trial(clock.clone());
        let check = |expected: &[Reason]| {
            assert_eq!(trial.judge(&ReadData::new("a")).reasons(), expected);
        };
        check(&[]);
        clock.set_broken(true);
        check(&[Reason::SessionClock]);
        clock.set_broken(false);
        clock.set(Timestamp::from_millis(0));
        check(&[Reason::SessionNotYetValid]);
        clock.set(Timestamp::MAX);
        check(&[Reason::SessionExpired]);
    }

    #[test]
    fn a_scope_of_another_agent_is_refused() {
        let other = SpiffeId::parse("spiffe://example.org/other").unwrap();
        let other = other.dangerous().assume_verified();
        let refused = evaluator(testing::clock()).prepare(&testing::scope(), &other);
        assert!(matches!(refused, Err(OpenError::Refused(Reason::IdentityMismatch))));
    }

    fn session_says<A: Action>(
        authorizer: &Authorizer,
        scope: &TrustedScope,
        action: A,
    ) -> (Severity, Vec<EffectDecision>) {
        let session = authorizer.open(scope, testing::agent()).unwrap();
        let decision = session.authorize(action).unwrap();
        let severity = match &decision {
            Decision::Allow(_) => Severity::Allow,
            Decision::Defer(_) => Severity::Defer,
            Decision::Deny(_) => Severity::Deny,
        };
        (severity, decision.effects().to_vec())
    }

    /// Reads come first, and nothing but reads comes first.
    #[derive(Debug)]
    struct ReadsFirst;

    impl Temporal for ReadsFirst {
        fn permits(&self, history: &History, effect: &Effect) -> bool {
            history.events().next().is_some() || effect.kind().as_str() == "ReadData"
        }
    }

    #[test]
    fn an_engine_is_asked_as_in_a_session() {
        let evaluator = evaluator(testing::clock()).with_temporal(ReadsFirst);
        let trial = evaluator.prepare(&testing::scope(), &testing::agent()).unwrap();
        for _ in 0..2 {
            assert_eq!(trial.judge(&ReadData::new("a")).reasons(), []);
            let connect = trial.judge(&Connect::new("git.example.org", 443));
            assert_eq!(connect.reasons(), [Reason::PolicyTemporal]);
        }
    }

    #[test]
    fn a_new_session_says_the_same() {
        let bundle = Authored::baseline().load().unwrap();
        let authorizer = Authorizer::builder()
            .policy(bundle.clone())
            .identity(testing::identity_key())
            .sink(Sink::blocking(Arc::new(MemorySink::new())))
            .with_clock(testing::clock())
            .with_paths(PurePaths::new())
            .build()
            .unwrap();
        let evaluator = Evaluator::new(&bundle, testing::clock()).with_paths(PurePaths::new());
        let evaluator = evaluator.remembering();
        let narrow = testing::scope();
        let wide = Scope::parse(WIDE.as_bytes()).unwrap().dangerous().trust_unsigned();
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 48,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let asked = |scope| (scope, evaluator.prepare(scope, &testing::agent()).unwrap());
        let (narrow, wide) = (asked(&narrow), asked(&wide));
        runner
            .run(&(strategies::any_action(), any::<bool>()), |(action, first)| {
                let (scope, trial) = if first { &narrow } else { &wide };
                let judgement = trial.judge(&action);
                prop_assert_eq!(&trial.judge(&action), &judgement);
                let (severity, effects) = session_says(&authorizer, scope, action);
                prop_assert_eq!(judgement.severity(), severity);
                prop_assert_eq!(judgement.effects(), effects);
                Ok(())
            })
            .unwrap();
    }

    const WIDE: &str = r#"{"scope": "countersign/scope/v1", "task": "wide",
        "owner": "user:dana@example.org", "agent": "spiffe://example.org/agent/coder",
        "not_before": "2026-11-21T08:00:00Z", "expires": "2026-11-21T11:00:00Z",
        "workspace": "/srv/web", "do": {"programs": ["git", "ssh", "curl", "bash"], "opaque": "allow"},
        "touch": {"read": ["/**"], "write": ["/**"], "delete": ["/**"]},
        "reach": {"connect": ["*:*", "0.0.0.0/0:*"], "listen": ["*:*"], "packages": ["npm:**"]},
        "run": {"models": ["**"], "jobs": ["**"], "accelerator_seconds": 1000},
        "limits": {"egress_bytes": 1000000}}"#;
}
