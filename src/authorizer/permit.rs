//! The permit: proof of one allow, consumed by running the action.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::action::path::ResolvedPath;
use crate::action::{Action, Target};
use crate::authorizer::AuthorizeError;
use crate::authorizer::decision::{Decided, EffectDecision};
use crate::authorizer::live::{Live, Start};
use crate::digest::Digest;
use crate::governance::Generation;
use crate::receipt::{OutcomeStatus, SessionId};
use crate::shell::Shell;
use crate::time::Timestamp;

/// Proof that one action was allowed: bound to that action, to its session, and to some seconds.
///
/// It holds the very action that was decided on and gives it out only by running it, once. Running
/// records the outcome; a permit that is dropped unused records that.
///
/// Only the authorizer makes one, and it cannot be copied:
///
/// ```compile_fail
/// fn twice<A: countersign::Action>(permit: countersign::Permit<A>) {
///     let again = permit.clone();
/// }
/// ```
#[must_use = "dropping a permit records that the action was not run"]
pub struct Permit<A: Action> {
    live: Arc<Live>,
    /// Taken when the action runs; while it is here, dropping the permit is an outcome.
    action: Option<A>,
    decided: Arc<Decided>,
    terms: Terms,
}

/// What a permit holds under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) issued: Timestamp,
    pub(crate) until: Timestamp,
    /// The bundle that decided.
    pub(crate) bundle: Digest,
    /// How many data classes the session had touched, this call's own included.
    pub(crate) labels: u64,
    /// What was known of people and of what is revoked, where the call rests on what people signed.
    pub(crate) people: Option<(Generation, Digest)>,
}

impl<A: Action> Permit<A> {
    pub(crate) fn new(live: Arc<Live>, action: A, decided: Arc<Decided>, terms: Terms) -> Self {
        Self { live, action: Some(action), decided, terms }
    }

    /// Runs the action through `body`, once, and records how it ended.
    ///
    /// An `Err` of `body` is a failure; a panic is recorded and goes on.
    ///
    /// # Errors
    ///
    /// [`RunError::Expired`] when the permit has run out and [`RunError::Refused`] when the session
    /// was closed or poisoned: `body` has not run. [`RunError::Failed`] with the error of `body`.
    /// [`RunError::Unrecorded`] when `body` has run and its outcome could not be stored.
    ///
    /// # Security
    ///
    /// `body` should do what the action says, with the normal forms that were decided on: paths can
    /// change between decision and use, so open the resolved one, without following links.
    pub fn run<T, E>(
        self,
        body: impl FnOnce(Granted<A>) -> Result<T, E>,
    ) -> Result<T, RunError<T, E>> {
        let (granted, running) = self.start()?;
        let result = body(granted);
        match running.end(status_of(&result)) {
            Ok(()) => result.map_err(RunError::Failed),
            Err(error) => Err(RunError::Unrecorded { result, error }),
        }
    }

    /// Runs the action through an asynchronous `body`, once, and records how it ended.
    ///
    /// A future that is dropped before it ends is recorded as unfinished.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_async<T, E, F: Future<Output = Result<T, E>>>(
        self,
        body: impl FnOnce(Granted<A>) -> F,
    ) -> Result<T, RunError<T, E>> {
        let (granted, running) = self.start()?;
        let result = body(granted).await;
        match running.end_async(status_of(&result)).await {
            Ok(()) => result.map_err(RunError::Failed),
            Err(error) => Err(RunError::Unrecorded { result, error }),
        }
    }

    /// Takes the action out to run it elsewhere, such as in another process; report how it ended
    /// with [`Running::report`].
    ///
    /// # Errors
    ///
    /// [`StartError`] when the permit has run out or the session was closed or poisoned.
    pub fn start(mut self) -> Result<(Granted<A>, Running), StartError> {
        let call = self.decided.call;
        let started = match self.live.start(call, &self.terms) {
            Ok(Start::Now(now)) => now,
            Ok(Start::Late) => {
                self.action = None;
                let ended =
                    self.live.end_call(call, OutcomeStatus::Expired, &Meter::default(), None);
                ended.map_err(StartError::Refused)?;
                return Err(StartError::Expired);
            }
            Err(error) => {
                self.action = None;
                return Err(StartError::Refused(error));
            }
        };
        let Some(action) = self.action.take() else {
            return Err(StartError::Refused(AuthorizeError::Misuse("the permit was used")));
        };
        let meter = Arc::new(Meter::default());
        let granted =
            Granted { action, decided: Arc::clone(&self.decided), meter: Arc::clone(&meter) };
        let live = Arc::clone(&self.live);
        Ok((granted, Running { live, call, meter, started, ended: false }))
    }

    /// Returns what was decided on each effect, with the targets in normal form.
    #[must_use]
    pub fn effects(&self) -> &[EffectDecision] {
        &self.decided.effects
    }

    /// The action, for the parts of the library that look at it again.
    pub(crate) const fn action(&self) -> Option<&A> {
        self.action.as_ref()
    }

    /// What the permit holds under.
    pub(crate) const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns the session that the permit is bound to.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.decided.session
    }

    /// Returns the number of the call in its session; its receipts carry it.
    #[must_use]
    pub fn call(&self) -> u64 {
        self.decided.call
    }

    /// Returns when the permit runs out.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.terms.until
    }
}

impl<A: Action> Drop for Permit<A> {
    fn drop(&mut self) {
        if self.action.take().is_some() {
            let call = self.decided.call;
            // Nobody is there to be told. If it fails the session is poisoned, as the next call says.
            drop(self.live.end_call(call, OutcomeStatus::Unused, &Meter::default(), None));
        }
    }
}

impl<A: Action> fmt::Debug for Permit<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("session", &self.decided.session)
            .field("call", &self.decided.call)
            .field("until", &self.terms.until)
            .finish_non_exhaustive()
    }
}

const fn status_of<T, E>(result: &Result<T, E>) -> OutcomeStatus {
    match result {
        Ok(_) => OutcomeStatus::Succeeded,
        Err(_) => OutcomeStatus::Failed,
    }
}

/// The action that was decided on, given out to be run, with its effects in normal form.
#[derive(Debug)]
pub struct Granted<A> {
    action: A,
    decided: Arc<Decided>,
    meter: Arc<Meter>,
}

impl<A> Granted<A> {
    /// Returns the action.
    #[must_use]
    pub const fn action(&self) -> &A {
        &self.action
    }

    /// Returns the action by value.
    #[must_use]
    pub fn into_action(self) -> A {
        self.action
    }

    /// Returns what was decided on each effect.
    #[must_use]
    pub fn effects(&self) -> &[EffectDecision] {
        &self.decided.effects
    }

    /// Returns the number of the call in its session.
    #[must_use]
    pub fn call(&self) -> u64 {
        self.decided.call
    }

    /// Returns the first resolved path among the effects: what is to be opened in place of the path
    /// that was proposed.
    #[must_use]
    pub fn path(&self) -> Option<&ResolvedPath> {
        self.decided.effects.iter().find_map(|decided| match decided.effect.target() {
            Target::File { path, .. } => Some(path),
            _ => None,
        })
    }

    /// Adds to the bytes that really left; without it, what was reserved counts as used.
    pub fn sent_bytes(&self, bytes: u64) {
        self.meter.egress_bytes.add(bytes);
    }

    /// Adds to the accelerator seconds that were really used.
    pub fn used_accelerator_seconds(&self, seconds: u64) {
        self.meter.accelerator_seconds.add(seconds);
    }
}

impl Granted<Shell> {
    /// Returns the command that runs exactly the line that was decided on: the declared shell without
    /// start-up files, in the resolved directory, with the declared environment and no other variable.
    ///
    /// None where the directory could not be resolved; such a line is denied as soon as it names a
    /// relative path.
    ///
    /// # Security
    ///
    /// The effects were worked out for this shell, directory and environment. Add no argument, variable or
    /// start-up file to the command, and give it an input only where
    /// [`ShellEnv::with_input`](crate::shell::ShellEnv::with_input) declares one. Its output is the caller's
    /// to choose.
    #[must_use]
    pub fn command(&self) -> Option<std::process::Command> {
        let directory = self.decided.directory.as_ref()?;
        let env = self.action.env();
        let mut command = std::process::Command::new(env.program());
        command
            .args(["--noprofile", "--norc", "-c", self.action.line()])
            .env_clear()
            .envs(env.variables())
            .current_dir(directory.as_str())
            .stdin(std::process::Stdio::null());
        Some(command)
    }
}

/// What a running action reports of its use.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    egress_bytes: Count,
    accelerator_seconds: Count,
}

impl Meter {
    pub(crate) fn read(&self) -> (Option<u64>, Option<u64>) {
        (self.egress_bytes.read(), self.accelerator_seconds.read())
    }
}

/// A number that may never have been reported: kept as one more than it is.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    fn add(&self, more: u64) {
        let add = |kept: u64| Some(kept.max(1).saturating_add(more));
        let updated = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        debug_assert!(updated.is_ok(), "the closure always returns a value");
    }

    fn read(&self) -> Option<u64> {
        self.0.load(Ordering::Acquire).checked_sub(1)
    }
}

/// An action that runs. Dropped without a report, it is recorded as unfinished, or as panicked while
/// the thread unwinds.
#[derive(Debug)]
#[must_use = "an action that runs must report how it ended"]
pub struct Running {
    live: Arc<Live>,
    call: u64,
    meter: Arc<Meter>,
    started: Timestamp,
    ended: bool,
}

impl Running {
    /// Records how the action ended.
    ///
    /// # Errors
    ///
    /// Returns [`AuthorizeError`] when it could not be stored; the session is poisoned then.
    pub fn report(self, succeeded: bool) -> Result<(), AuthorizeError> {
        self.end(if succeeded { OutcomeStatus::Succeeded } else { OutcomeStatus::Failed })
    }

    fn end(mut self, status: OutcomeStatus) -> Result<(), AuthorizeError> {
        self.ended = true;
        self.live.end_call(self.call, status, &self.meter, Some(self.started))
    }

    async fn end_async(mut self, status: OutcomeStatus) -> Result<(), AuthorizeError> {
        self.ended = true;
        self.live.end_call_async(self.call, status, &self.meter, Some(self.started)).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let status = if std::thread::panicking() {
            OutcomeStatus::Panicked
        } else {
            OutcomeStatus::Unfinished
        };
        // Nobody is there to be told. If it fails the session is poisoned, as the next call says.
        drop(self.live.end_call(self.call, status, &self.meter, Some(self.started)));
    }
}

/// Why an allowed action did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The permit ran out before it was used: its time was over, the bundle was reloaded, or the
    /// session had touched a new data class. Ask again.
    #[error("the permit ran out before it was used")]
    Expired,
    /// The session was closed or poisoned, or the outcome could not be recorded.
    #[error("the action may not start any more")]
    Refused(#[source] AuthorizeError),
}

/// Why running an allowed action gave no plain result.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError<T, E> {
    /// The permit ran out before it was used: its time was over, the bundle was reloaded, or the
    /// session had touched a new data class. The action has not run; ask again.
    Expired,
    /// The session was closed or poisoned. The action has not run.
    Refused(AuthorizeError),
    /// The action has run and failed.
    Failed(E),
    /// The action has run, and its outcome could not be stored.
    Unrecorded {
        /// What the action returned.
        result: Result<T, E>,
        /// Why the outcome could not be stored.
        error: AuthorizeError,
    },
}

impl<T, E> From<StartError> for RunError<T, E> {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Expired => Self::Expired,
            StartError::Refused(error) => Self::Refused(error),
        }
    }
}

impl<T, E: fmt::Display> fmt::Display for RunError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the permit ran out before it was used"),
            Self::Refused(_) => f.write_str("the action may not start any more"),
            Self::Failed(error) => write!(f, "the action failed: {error}"),
            Self::Unrecorded { .. } => {
                f.write_str("the action has run, but its outcome could not be stored")
            }
        }
    }
}

impl<T: fmt::Debug, E: std::error::Error + 'static> std::error::Error for RunError<T, E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Expired => None,
            Self::Refused(error) | Self::Unrecorded { error, .. } => Some(error),
            Self::Failed(error) => Some(error),
        }
    }
}
