//! Decides recorded calls again, from their receipts alone.
//!
//! ```text
//! receipt lines ─┐   openings: facts, effects        bundle, scope (by the digests in the receipt)
//!                └──────────────┬──────────────────────────────┘
//!                     the same gates as a session's
//!                               │
//!               the same decision, reasons and policies, or the differences
//! ```
//!
//! Whoever holds the receipts of a call, its openings, the bundle and the scope can ask the same
//! question anew: there is no file system, no clock and no model in it. `docs/replay.md` says what the
//! openings hold, what a replay proves and what it does not.
//!
//! # Example: a receipt holds, and one that lies does not
//!
//! ```
//! use countersign::action::{Connect, ReadData};
//! use countersign::audit::replay::{OpeningMap, Replayer};
//! use countersign::receipt::Line;
//! use countersign::testing::{self, Fixture};
//!
//! let fixture = Fixture::default();
//! let session = fixture.session();
//! session.authorize(ReadData::new("src/main.rs"))?;
//! session.authorize(Connect::new("198.51.100.7", 22))?;
//!
//! // Years later: the two files, the bundle and the scope.
//! let receipts = fixture.sink.to_ndjson();
//! let openings: OpeningMap = fixture.sink.openings().into_iter().collect();
//! let replayer = Replayer::new(&testing::baseline()).with_scope(testing::scope().scope());
//! let report = replayer.replay(receipts.as_bytes(), openings).report();
//! assert_eq!(report.to_string(), "2 calls: 2 the same, 0 otherwise, 0 not replayable");
//!
//! // Whoever holds the keys can sign anything. The bundle and the openings do not agree.
//! let denied = receipts.lines().find(|line| line.contains("scope.connect")).ok_or("it is there")?;
//! let forged = denied.replace("\"deny\"", "\"allow\"").replace("\"scope.connect\"", "");
//! let replayed = replayer.replay_call(&[Line::parse(forged)?], &fixture.sink.openings())?;
//! let found: Vec<String> = replayed.differences().iter().map(ToString::to_string).collect();
//! assert_eq!(found, [
//!     "the call: its decision is recorded as `allow`; deciding again gives `deny`",
//!     "the infrastructure line: its decision is recorded as `allow`; deciding again gives `deny`",
//!     "effect 0 of the infrastructure line: its decision is recorded as `allow`; deciding again gives `deny`",
//!     "effect 0 of the infrastructure line: its reasons are recorded as none; deciding again gives `scope.connect`",
//! ]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod act;
mod begin;
mod call;
mod difference;
mod error;
mod kind;
mod openings;
mod people;
mod rest;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;
use std::sync::{Arc, OnceLock};

use self::call::Recorded;
pub use self::difference::{Difference, Place, What};
pub use self::error::ReplayError;
pub use self::openings::{OpeningFile, OpeningMap, OpeningSource};
pub use self::people::History;
use self::people::People;
pub use self::stream::{CallReplay, Replay, ReplayReport};
use crate::action::path::PurePaths;
use crate::authorizer::witness::Transcript;
use crate::authorizer::{EffectDecision, Severity};
use crate::digest::Digest;
use crate::policy::{Enforced, Snapshot};
use crate::receipt::{Counters, Line, Opening, SessionId};
use crate::scope::{CompiledScope, Scope, ScopeError};

/// Decides recorded calls again. Make one with everything that may have decided them, and use it for
/// any number of calls; it is `Send` and `Sync`.
///
/// # Security
///
/// A replay does not look at signatures and chains: run a [`Verifier`](crate::receipt::Verifier) over
/// the same file first. What the two together prove, `docs/replay.md` says; above all, the facts are
/// those that the host wrote down, and a call that has no receipt is not replayed.
#[derive(Debug, Clone)]
pub struct Replayer {
    bundles: HashMap<Digest, Arc<Snapshot>>,
    scopes: HashMap<Digest, KnownScope>,
}

/// A scope, and what it is where no link leads anywhere else.
#[derive(Debug, Clone)]
struct KnownScope {
    scope: Scope,
    plain: Arc<OnceLock<Result<Arc<CompiledScope>, ScopeError>>>,
}

impl Replayer {
    /// Starts with one bundle.
    #[must_use]
    pub fn new(bundle: &Enforced) -> Self {
        Self { bundles: HashMap::new(), scopes: HashMap::new() }.with_bundle(bundle)
    }

    /// Adds a bundle that decided too, such as before a reload. Receipts name theirs by its digest.
    #[must_use]
    pub fn with_bundle(mut self, bundle: &Enforced) -> Self {
        self.bundles.insert(bundle.digest(), Arc::clone(bundle.snapshot()));
        self
    }

    /// Adds a scope. Receipts name theirs by its digest, so that nobody need answer for this one.
    #[must_use]
    pub fn with_scope(mut self, scope: &Scope) -> Self {
        let known = KnownScope { scope: scope.clone(), plain: Arc::default() };
        self.scopes.insert(scope.digest(), known);
        self
    }

    /// Decides one call again.
    ///
    /// `lines` are those of its group, in order; `openings` may hold others too, which are passed over.
    /// The opening of `action` need not be there: nothing is decided by it. One that is there must be right.
    /// What the call rests on is held against no acts before it: [`replay`](Self::replay) knows them.
    ///
    /// # Errors
    ///
    /// Returns [`ReplayError`] where the question cannot be put again: an opening is missing or wrong,
    /// the bundle or the scope was not given, the lines are not one call. That something else comes out
    /// is no error.
    pub fn replay_call(
        &self,
        lines: &[Line],
        openings: &[Opening],
    ) -> Result<Replayed, ReplayError> {
        self.decide(&Recorded::parse(lines)?, openings, &mut People::default())
    }

    /// Decides one call again that follows on what people gave before it.
    fn replay_after(
        &self,
        people: &mut People,
        lines: &[Line],
        openings: &[Opening],
    ) -> Result<Replayed, ReplayError> {
        let recorded = Recorded::parse(lines).inspect_err(|_| people.lose())?;
        self.decide(&recorded, openings, people).inspect_err(|_| recorded.miss(people))
    }

    /// Decides all calls of a file of receipts again, one after the other.
    ///
    /// Lines of different sessions may be interleaved. Beside each call, the counters and labels that it
    /// started from are held against the lines before, what it rests on against the acts before (see [`History`]
    /// for a file that does not have them all), and the beginning of each session against bundle and
    /// scopes: one that does not say what they say is yielded as call 0.
    pub fn replay<R: BufRead, O: OpeningSource>(
        &self,
        receipts: R,
        openings: O,
    ) -> Replay<'_, R, O> {
        Replay::new(self, receipts, openings)
    }

    fn bundle(&self, digest: Digest) -> Result<&Snapshot, ReplayError> {
        self.bundles.get(&digest).map(AsRef::as_ref).ok_or(ReplayError::BundleUnknown { digest })
    }

    /// Compiles a scope as it was compiled when the session began.
    fn scope(&self, digest: Digest, links: &Transcript) -> Result<Arc<CompiledScope>, ReplayError> {
        let known = self.scopes.get(&digest).ok_or(ReplayError::ScopeUnknown { digest })?;
        if !links.is_empty() {
            return CompiledScope::compile_untrusted(&known.scope, links)
                .map(Arc::new)
                .map_err(ReplayError::Scope);
        }
        let plain = known.plain.get_or_init(|| {
            CompiledScope::compile_untrusted(&known.scope, &PurePaths::new()).map(Arc::new)
        });
        plain.clone().map_err(ReplayError::Scope)
    }
}

/// A call that was decided again.
///
/// Its `Debug` shows no effects: they were behind commitments.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "the differences say whether the receipt holds"]
pub struct Replayed {
    session: SessionId,
    call: u64,
    severity: Severity,
    effects: Vec<EffectDecision>,
    differences: Vec<Difference>,
    before: Before,
    history: History,
}

/// What the facts say of the session before the call.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Before {
    counters: Counters<'static>,
    labels: Vec<Box<str>>,
}

impl Replayed {
    /// Tells whether the receipt holds: decision, reasons, policies and all that follows from them are
    /// what comes out again.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// Returns what differs, from the call as a whole to its last effect; empty where nothing does.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Returns the decision that comes out.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns what comes out for each effect, with the entry of the scope that grants it.
    ///
    /// # Security
    ///
    /// The effects were behind commitments: show them to those who may see the openings.
    #[must_use]
    pub fn effects(&self) -> &[EffectDecision] {
        &self.effects
    }

    /// Returns what was known of the session before the call, against which everything was held that people
    /// had given to it: approvals, standing grants, elevations, declassifications.
    #[must_use]
    pub const fn history(&self) -> History {
        self.history
    }

    /// Returns the session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Returns the number of the call; 0 for the beginning of a session.
    #[must_use]
    pub const fn call(&self) -> u64 {
        self.call
    }
}

/// One line where nothing differs; one more for each difference.
impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, call, severity, .. } = self;
        match (call, self.is_same()) {
            (0, true) => write!(f, "session {session} begins as it says")?,
            (0, false) => write!(f, "session {session} does not begin as it says")?,
            (_, true) => {
                write!(f, "call {call} of session {session}: {} again", severity.as_str())?
            }
            (_, false) => {
                let severity = severity.as_str();
                write!(f, "call {call} of session {session}: {severity} comes out, ")?;
                f.write_str("and the receipt differs")?;
            }
        }
        self.differences.iter().try_for_each(|difference| write!(f, "\n  {difference}"))
    }
}

impl fmt::Debug for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replayed")
            .field("session", &self.session)
            .field("call", &self.call)
            .field("severity", &self.severity)
            .field("differences", &self.differences)
            .finish_non_exhaustive()
    }
}
