//! Building an authorizer: the required parts in a fixed order, then the optional ones.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use zeroize::Zeroize as _;

use crate::action::path::{FileSystem, PathResolver};
use crate::authorizer::checkpoints::{Checkpoints, Planned};
use crate::authorizer::findings::FindingHook;
use crate::authorizer::shared::{Shared, Sink};
use crate::authorizer::{AuthorizeError, Authorizer, Pending};
use crate::entropy::{Entropy, EntropyError, SystemEntropy};
use crate::governance::temporal::Temporal;
use crate::governance::{Directory, Redeemed, Revocations};
use crate::policy::Enforced;
use crate::receipt::{
    Group, Journal, JournalPosition, Openings, Signer, Signing, Turnstile, WriteError,
};
use crate::text;
use crate::time::{Clock, ClockError, SystemClock};

/// How long permits live when nobody says otherwise: enough to start a tool, too short to hoard.
const PERMIT_LIFETIME: Duration = Duration::from_secs(30);

/// The longest life of a permit that can be asked for.
pub(super) const MAX_PERMIT_LIFETIME: Duration = Duration::from_secs(3600);

/// Waits for [`policy`](AuthorizerBuilder::policy).
#[derive(Debug)]
pub struct NeedsPolicy(());

/// Waits for [`identity`](AuthorizerBuilder::identity).
#[derive(Debug)]
pub struct NeedsIdentity {
    bundle: Enforced,
}

/// Waits for [`sink`](AuthorizerBuilder::sink).
#[derive(Debug)]
pub struct NeedsSink {
    bundle: Enforced,
    identity: Arc<dyn Signer>,
}

/// Has all that is required.
#[derive(Debug)]
pub struct Ready {
    bundle: Enforced,
    identity: Arc<dyn Signer>,
    sink: Sink,
    clock: Option<Arc<dyn Clock>>,
    entropy: Arc<dyn Entropy>,
    paths: Arc<dyn PathResolver>,
    environment: Box<str>,
    permit_lifetime: Duration,
    signing: Signing,
    openings: Openings,
    resume: Option<JournalPosition>,
    checkpoints: Option<Checkpoints>,
    directory: Directory,
    revocations: Revocations,
    findings: Option<Arc<dyn FindingHook>>,
    observed: BTreeSet<Box<str>>,
    temporal: Option<Arc<dyn Temporal>>,
}

/// Builds an [`Authorizer`]. Its states: [`NeedsPolicy`], [`NeedsIdentity`], [`NeedsSink`],
/// [`Ready`].
#[derive(Debug)]
pub struct AuthorizerBuilder<S> {
    state: S,
}

/// Why an authorizer could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The time cannot be told.
    #[error("the time cannot be told")]
    Clock(#[from] ClockError),
    /// Random bytes could not be had.
    #[error("no random bytes for the epoch key")]
    Entropy(#[from] EntropyError),
    /// The first line of the epoch could not be written.
    #[error("the epoch could not begin")]
    Epoch(#[from] WriteError),
    /// The first line of the epoch could not be stored.
    #[error("the beginning of the epoch could not be stored")]
    Store(#[source] AuthorizeError),
    /// An option is out of its bounds.
    #[error("an option is out of its bounds: {0}")]
    Option(&'static str),
}

impl AuthorizerBuilder<NeedsPolicy> {
    pub(super) const fn new() -> Self {
        Self { state: NeedsPolicy(()) }
    }

    /// Sets the bundle that decides. Only one in force is taken.
    #[must_use]
    pub fn policy(self, bundle: Enforced) -> AuthorizerBuilder<NeedsIdentity> {
        AuthorizerBuilder { state: NeedsIdentity { bundle } }
    }
}

impl AuthorizerBuilder<NeedsIdentity> {
    /// Sets the long-term key that signs epochs. Verifiers pin its public half.
    #[must_use]
    pub fn identity(self, identity: impl Signer + 'static) -> AuthorizerBuilder<NeedsSink> {
        let identity = Arc::new(identity);
        AuthorizerBuilder { state: NeedsSink { bundle: self.state.bundle, identity } }
    }
}

impl AuthorizerBuilder<NeedsSink> {
    /// Sets where receipts are stored.
    #[must_use]
    pub fn sink(self, sink: Sink) -> AuthorizerBuilder<Ready> {
        AuthorizerBuilder {
            state: Ready {
                bundle: self.state.bundle,
                identity: self.state.identity,
                sink,
                clock: None,
                entropy: Arc::new(SystemEntropy),
                paths: Arc::new(FileSystem),
                environment: "unspecified".into(),
                permit_lifetime: PERMIT_LIFETIME,
                signing: Signing::Every,
                openings: Openings::Keep,
                resume: None,
                checkpoints: None,
                directory: Directory::empty(),
                revocations: Revocations::none(),
                findings: None,
                observed: BTreeSet::new(),
                temporal: None,
            },
        }
    }
}

impl AuthorizerBuilder<Ready> {
    /// Sets the clock; the system's by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.state.clock = Some(Arc::new(clock));
        self
    }

    /// Sets the source of randomness; the system's by default.
    #[must_use]
    pub fn with_entropy(mut self, entropy: impl Entropy + 'static) -> Self {
        self.state.entropy = Arc::new(entropy);
        self
    }

    /// Sets how paths are resolved; through the file system by default.
    #[must_use]
    pub fn with_paths(mut self, paths: impl PathResolver + 'static) -> Self {
        self.state.paths = Arc::new(paths);
        self
    }

    /// Sets where the host runs (`production`, `ci`, …), as policies see it in `context.environment`.
    #[must_use]
    pub fn with_environment(mut self, environment: &str) -> Self {
        self.state.environment = environment.into();
        self
    }

    /// Sets how long permits live: at most an hour, 30 seconds by default.
    #[must_use]
    pub const fn with_permit_lifetime(mut self, lifetime: Duration) -> Self {
        self.state.permit_lifetime = lifetime;
        self
    }

    /// Sets which session lines are signed: every one by default. With [`Signing::Heads`] the
    /// journal's heads sign for them, and what stands after the last head is not signed yet.
    #[must_use]
    pub const fn with_signing(mut self, signing: Signing) -> Self {
        self.state.signing = signing;
        self
    }

    /// Sets whether openings are made, so that committed values can be shown later; they are by
    /// default.
    #[must_use]
    pub const fn with_openings(mut self, openings: Openings) -> Self {
        self.state.openings = openings;
        self
    }

    /// Goes on with the journal of an earlier process, from where a verifier found its end.
    #[must_use]
    pub fn with_resume(mut self, position: JournalPosition) -> Self {
        self.state.resume = Some(position);
        self
    }

    /// Sets the name of the journal's checkpoints, and when they are signed; none are by default.
    ///
    /// Without a checkpoint that somebody else keeps, nobody can tell whether the end of the journal was cut off.
    #[must_use]
    pub fn with_checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.state.checkpoints = Some(checkpoints);
        self
    }

    /// Sets whose key is whose; nobody's by default, so that nothing that people sign is accepted.
    #[must_use]
    pub fn with_directory(mut self, directory: Directory) -> Self {
        self.state.directory = directory;
        self
    }

    /// Sets what is revoked; nothing by default. Load the newest lists that were kept before anything is
    /// opened.
    #[must_use]
    pub fn with_revocations(mut self, revocations: Revocations) -> Self {
        self.state.revocations = revocations;
        self
    }

    /// Sets who is told at once of denials, breakers, duplicates and the like; nobody by default.
    #[must_use]
    pub fn with_findings(mut self, hook: impl FindingHook + 'static) -> Self {
        self.state.findings = Some(Arc::new(hook));
        self
    }

    /// Names the kinds of actions that [`Session::observe`](crate::Session::observe) may watch without
    /// enforcing; none by default.
    #[must_use]
    pub fn with_observed<S: Into<Box<str>>>(mut self, kinds: impl IntoIterator<Item = S>) -> Self {
        self.state.observed = kinds.into_iter().map(Into::into).collect();
        self
    }

    /// Sets an engine that judges what comes after what; none by default. It can only refuse.
    #[must_use]
    pub fn with_temporal(mut self, engine: impl Temporal + 'static) -> Self {
        self.state.temporal = Some(Arc::new(engine));
        self
    }

    /// Begins the epoch, stores its line, and returns the authorizer.
    ///
    /// # Errors
    ///
    /// Returns [`BuildError`] when a part fails or the line could not be stored; a sink that does not
    /// block needs [`build_async`](Self::build_async) or [`propose`](Self::propose).
    pub fn build(self) -> Result<Authorizer, BuildError> {
        let pending = self.begin()?;
        let shared = Arc::clone(&pending.value().shared);
        shared.store(pending).map_err(BuildError::Store)
    }

    /// Begins the epoch, stores its line through whichever sink there is, and returns the authorizer.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub async fn build_async(self) -> Result<Authorizer, BuildError> {
        let pending = self.begin()?;
        let shared = Arc::clone(&pending.value().shared);
        shared.store_async(pending).await.map_err(BuildError::Store)
    }

    /// Begins the epoch and yields its line, for callers that store by themselves.
    ///
    /// # Errors
    ///
    /// Returns [`BuildError`] when a part fails, or when there is a sink, which would store.
    pub fn propose(self) -> Result<Pending<Authorizer>, BuildError> {
        if !matches!(self.state.sink, Sink::Caller) {
            return Err(BuildError::Option("with a sink, which stores, build instead"));
        }
        self.begin()
    }

    fn begin(self) -> Result<Pending<Authorizer>, BuildError> {
        let state = self.state;
        if state.permit_lifetime > MAX_PERMIT_LIFETIME || state.permit_lifetime.is_zero() {
            return Err(BuildError::Option("permits live more than no time, and at most an hour"));
        }
        if state.environment.len() > 64 || text::check_visible(&state.environment).is_err() {
            return Err(BuildError::Option("the environment is at most 64 visible bytes"));
        }
        let clock = match state.clock {
            Some(clock) => clock,
            None => Arc::new(SystemClock::new()?),
        };
        let now = clock.now()?;
        let mut seed = [0; 32];
        state.entropy.fill(&mut seed)?;
        let identity = &*state.identity;
        let begun = match &state.resume {
            None => Journal::start(identity, &seed, state.signing, now),
            Some(position) => {
                // A clock behind the last line is not believed; the journal's time does not go back.
                let now = now.max(position.time);
                Journal::resume(position, identity, &seed, state.signing, now)
            }
        };
        seed.zeroize();
        let (journal, line) = begun?;
        let key = Arc::clone(journal.epoch_key());
        let journal_turn = Turnstile::new();
        let ticket = journal_turn.issue();
        let group = Group::from(line);
        let plan = state.checkpoints;
        let checkpoints = plan.map(|plan| Arc::new(Planned::new(plan, state.identity, now)));
        let written =
            checkpoints.as_ref().map(|plan| plan.written(&group, journal.position(), now));
        let shared = Shared {
            snapshot: RwLock::new(Arc::clone(state.bundle.snapshot())),
            journal: Mutex::new(journal),
            journal_turn,
            earlier_lines: state.resume.as_ref().map_or(0, |position| position.lines),
            key,
            sink: state.sink,
            clock,
            entropy: state.entropy,
            paths: state.paths,
            environment: state.environment,
            permit_lifetime: state.permit_lifetime,
            openings: state.openings,
            checkpoints,
            directory: RwLock::new(state.directory),
            revocations: RwLock::new(state.revocations),
            findings: state.findings,
            observed: state.observed,
            registry: Mutex::default(),
            redeemed: Mutex::new(Redeemed::new(now)),
            temporal: state.temporal,
            prepared: Mutex::new(HashMap::new()),
            resumed: Mutex::new(HashSet::new()),
        };
        let authorizer = Authorizer { shared: Arc::new(shared) };
        Ok(Pending::new(group, vec![ticket], authorizer).with_journal(written))
    }
}
