//! The authorizer: the one place where the gates meet, and where permits are made.

pub(crate) mod account;
mod builder;
mod call;
mod checkpoints;
pub(crate) mod decision;
mod evaluator;
pub(crate) mod events;
pub(crate) mod facts;
pub(crate) mod findings;
pub(crate) mod gates;
pub(crate) mod lines;
pub(crate) mod live;
mod memory;
mod pending;
mod permit;
pub(crate) mod place;
pub(crate) mod propose;
pub(crate) mod registry;
pub(crate) mod shared;
pub(crate) mod stand_in;
pub(crate) mod witness;

use std::sync::{Arc, PoisonError};

use crate::digest::Digest;
use crate::policy::Enforced;
use crate::receipt::{Checkpoint, EpochKey, SignError, SinkError, WriteError};
use crate::time::ClockError;

pub use self::builder::{
    AuthorizerBuilder, BuildError, NeedsIdentity, NeedsPolicy, NeedsSink, Ready,
};
pub use self::call::{Call, CallError};
pub use self::checkpoints::{CheckpointSink, Checkpoints};
pub use self::decision::{Decision, Deferral, Denial, EffectDecision, EffectOutcome, Severity};
pub use self::evaluator::{Evaluator, Judgement, Trial};
pub use self::findings::{Finding, FindingHook, FindingKind};
pub use self::pending::{OutOfOrder, Pending};
pub use self::permit::{Granted, Permit, RunError, Running, StartError};
pub use self::registry::Halt;
pub use self::shared::Sink;

use self::shared::Shared;

/// Decides whether agents may act: a policy bundle, an identity, a place for receipts.
///
/// Cloning it copies a pointer. Open a [`Session`](crate::Session) for each agent instance at work
/// on a task, with `Authorizer::open`.
///
/// # Examples
///
/// ```
/// use countersign::action::Connect;
/// use countersign::policy::Authored;
/// use countersign::receipt::MemorySink;
/// use countersign::testing;
/// use countersign::{Authorizer, Decision, Sink};
///
/// let authorizer = Authorizer::builder()
///     .policy(Authored::baseline().load()?)
///     .identity(testing::identity_key())
///     .sink(Sink::blocking(MemorySink::new()))
///     .with_clock(testing::clock())
///     .build()?;
/// let session = authorizer.open(&testing::scope(), testing::agent())?;
///
/// match session.authorize(Connect::new("git.example.org", 443))? {
///     Decision::Allow(permit) => permit.run(|_| Ok::<_, std::io::Error>(()))?,
///     Decision::Defer(deferral) => panic!("{deferral}"),
///     Decision::Deny(denial) => panic!("{denial}"),
/// }
/// assert!(!session.authorize(Connect::new("169.254.169.254", 80))?.is_allow());
/// session.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Authorizer {
    pub(crate) shared: Arc<Shared>,
}

impl Authorizer {
    /// Starts to build one: policy, then identity, then sink; then what is optional.
    #[must_use]
    pub fn builder() -> AuthorizerBuilder<NeedsPolicy> {
        AuthorizerBuilder::new()
    }

    /// Swaps the bundle as a whole. Calls that are being decided go on with the old one; the next
    /// call of every session sees the new one.
    pub fn reload(&self, bundle: &Enforced) {
        let mut snapshot = self.shared.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        *snapshot = Arc::clone(bundle.snapshot());
    }

    /// Returns the digest of the bundle in force.
    #[must_use]
    pub fn bundle(&self) -> Digest {
        self.shared.snapshot().digest()
    }

    /// Signs a checkpoint of the lines of the journal that are stored by now, for others to keep.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError::Misuse`] where the builder was given no
    /// [`Checkpoints`](AuthorizerBuilder::with_checkpoints), and [`AuthorizeError::Checkpoint`] when the identity
    /// key refuses to sign.
    pub fn checkpoint(&self) -> Result<Checkpoint, AuthorizeError> {
        self.shared.checkpoint()
    }

    /// Returns the epoch in force: its number, its journal.
    #[must_use]
    pub fn epoch(&self) -> &EpochKey {
        &self.shared.key
    }
}

/// Why a question could not be put, or its record not kept. A denial is not among them: that is a
/// [`Decision`].
///
/// Nothing runs after an error: treat it as a denial that has no receipt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The session was closed.
    #[error("the session is closed")]
    Closed,
    /// A group of lines was not stored, or nobody knows: resume from what really was.
    #[error("the session is poisoned: lines of it were not stored")]
    Poisoned,
    /// The sink did not store the lines of this call. The session is poisoned.
    #[error("the receipts could not be stored")]
    Store(#[source] SinkError),
    /// The lines could not be written. The session is poisoned.
    #[error("the receipts could not be written")]
    Receipt(#[source] WriteError),
    /// The identity key did not sign a checkpoint. Receipts are not concerned.
    #[error("the checkpoint could not be signed")]
    Checkpoint(#[source] SignError),
    /// The time cannot be told where no decision is on record that could say so.
    #[error("the time cannot be told")]
    Clock(#[from] ClockError),
    /// The caller used the library in a way that it does not offer.
    #[error("misuse: {0}")]
    Misuse(&'static str),
}
