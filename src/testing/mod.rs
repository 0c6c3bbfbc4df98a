//! Fixtures for tests, of this library and of its users (feature `testing`).
//!
//! Everything here is fixed: the same calls give the same bytes. Nothing here is fit for production,
//! where keys, entropy and time must be real.

#[doc(hidden)]
pub mod fuzzing;
pub mod strategies;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::action::path::PurePaths;
use crate::authorizer::{Authorizer, Sink};
use crate::entropy::{Entropy, EntropyError};
use crate::identity::{SpiffeId, VerifiedIdentity};
use crate::policy::{Authored, Enforced};
use crate::receipt::{IdentityKey, MemorySink, TrustedKey};
use crate::scope::{Descriptor, Scope, TrustedScope};
use crate::session::Session;
use crate::time::{Clock, ClockError, Timestamp};

/// The time at which the fixed clock stands: 2026-11-21T09:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_251_600_000);

/// The scope that [`scope`] parses.
pub const SCOPE: &str = include_str!("scope.json");

/// A clock that moves only when it is told to.
#[derive(Debug, Clone)]
pub struct TestClock {
    millis: Arc<AtomicU64>,
    broken: Arc<AtomicBool>,
}

impl TestClock {
    /// Moves the clock forward.
    pub fn advance(&self, millis: u64) {
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, time: Timestamp) {
        self.millis.store(time.as_millis(), Ordering::SeqCst);
    }

    /// Makes the clock fail, or work again.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Result<Timestamp, ClockError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(ClockError("the test clock is broken".into()));
        }
        Ok(Timestamp::from_millis(self.millis.load(Ordering::SeqCst)))
    }
}

/// Returns a clock that stands at [`NOW`].
#[must_use]
pub fn clock() -> TestClock {
    TestClock {
        millis: Arc::new(AtomicU64::new(NOW.as_millis())),
        broken: Arc::new(AtomicBool::new(false)),
    }
}

/// Entropy that is none: a counter.
#[derive(Debug, Default)]
pub struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in out.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
            for (byte, value) in chunk.iter_mut().zip(next.to_le_bytes()) {
                *byte = value;
            }
        }
        Ok(())
    }
}

/// Returns entropy that is the same in every run.
#[must_use]
pub fn entropy() -> TestEntropy {
    TestEntropy::default()
}

/// Returns an identity key that everybody knows.
#[must_use]
pub fn identity_key() -> IdentityKey {
    IdentityKey::from_seed(&[7; 32])
}

/// Returns the public half of [`identity_key`], for verifiers.
#[must_use]
pub fn trusted_key() -> TrustedKey {
    identity_key().trusted()
}

/// Returns a scope for a task in `/srv/web`, trusted without a signature.
///
/// # Panics
///
/// Never: the scope is fixed and parses.
#[must_use]
#[expect(clippy::expect_used, reason = "the scope is fixed")]
pub fn scope() -> TrustedScope {
    trusted(SCOPE).expect("the scope parses")
}

/// Returns the descriptor of [`scope`], to be changed.
#[must_use]
pub fn descriptor() -> Descriptor {
    scope().scope().descriptor().clone()
}

/// Parses `text` and trusts it without a signature.
///
/// # Errors
///
/// Returns the error of [`Scope::parse`].
pub fn trusted(text: &str) -> Result<TrustedScope, crate::scope::ScopeError> {
    Ok(Scope::parse(text.as_bytes())?.dangerous().trust_unsigned())
}

/// Returns the agent instance that [`scope`] was given to.
///
/// # Panics
///
/// Never: the id is fixed and parses.
#[must_use]
#[expect(clippy::expect_used, reason = "the id is fixed")]
pub fn agent() -> VerifiedIdentity {
    let id = SpiffeId::parse("spiffe://example.org/agent/coder/i-1").expect("the id parses");
    id.dangerous().assume_verified()
}

/// Returns the baseline bundle, in force.
///
/// # Panics
///
/// Never: the bundle comes with the library and passes its own tests.
#[must_use]
#[expect(clippy::expect_used, reason = "the bundle comes with the library")]
pub fn baseline() -> Enforced {
    static LOADED: std::sync::OnceLock<Enforced> = std::sync::OnceLock::new();
    LOADED.get_or_init(|| Authored::baseline().load().expect("the baseline loads")).clone()
}

/// Everything that a test of decisions needs: the baseline bundle, fixed clock, keys and entropy, pure
/// paths, and a sink in memory.
#[derive(Debug)]
pub struct Fixture {
    /// The authorizer.
    pub authorizer: Authorizer,
    /// Its clock.
    pub clock: TestClock,
    /// Its sink.
    pub sink: Arc<MemorySink>,
}

impl Fixture {
    /// Puts everything together around `bundle`.
    ///
    /// # Panics
    ///
    /// Never: nothing here can fail.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a memory sink, a fixed clock and a counter do not fail"
    )]
    pub fn new(bundle: Enforced) -> Self {
        let clock = clock();
        let sink = Arc::new(MemorySink::new());
        let authorizer = Authorizer::builder()
            .policy(bundle)
            .identity(identity_key())
            .sink(Sink::blocking(Arc::clone(&sink)))
            .with_clock(clock.clone())
            .with_entropy(entropy())
            .with_paths(PurePaths::new())
            .with_environment("test")
            .build()
            .expect("nothing here fails");
        Self { authorizer, clock, sink }
    }

    /// Opens a session on [`scope`] for [`agent`].
    ///
    /// # Panics
    ///
    /// When the clock was moved past the end of the scope.
    #[must_use]
    #[expect(clippy::expect_used, reason = "documented")]
    pub fn session(&self) -> Session {
        self.authorizer.open(&scope(), agent()).expect("the session opens")
    }
}

impl Default for Fixture {
    fn default() -> Self {
        Self::new(baseline())
    }
}
