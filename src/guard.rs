//! The run-time half of `#[guarded]`: ask, then refuse or run.
//!
//! A guarded function asks the session about its action before any statement of its body. What stands
//! in the way comes back as [`Refused`], turned into the function's own error type with [`From`]. The
//! body is a closure that only the [`Permit`] calls, so that it runs at most once, in time, and with
//! its outcome on record.

use std::fmt;

use crate::action::Action;
use crate::authorizer::{AuthorizeError, Decision, Deferral, Denial, Granted, Permit, RunError};
use crate::reason::Reason;
use crate::session::Session;

/// Why a guarded function did not hand back a result of its own.
///
/// In every case but [`Unrecorded`](Refused::Unrecorded) the body has not run.
///
/// # Security
///
/// The text of this error may be shown to the agent: it names reason codes and nothing that would
/// have passed. The values inside say more and are for the host.
///
/// # Example: an error type of one's own
///
/// ```
/// use countersign::guard::Refused;
///
/// #[derive(Debug)]
/// enum ToolError {
///     Refused(Refused),
///     Io(std::io::Error),
/// }
///
/// impl From<Refused> for ToolError {
///     fn from(refused: Refused) -> Self {
///         Self::Refused(refused)
///     }
/// }
/// # let _ = ToolError::Io(std::io::Error::other("x"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Refused {
    /// The action was denied.
    Denied(Denial),
    /// The action may run once it is approved; it has to be asked about again then.
    Deferred(Deferral),
    /// The action was allowed, but its permit had run out before the body could start.
    Expired,
    /// The question could not be put, or the answer could not be recorded.
    Error(AuthorizeError),
    /// The body **has run** to its end, and that could not be recorded.
    ///
    /// What a successful body returned is dropped: a result that no receipt tells of goes nowhere.
    /// Calling again would do the same thing twice. A host that needs the value in this case runs
    /// the [`Permit`] itself.
    Unrecorded(AuthorizeError),
}

impl Refused {
    /// Returns whether the body has run, so that trying again would act a second time.
    #[must_use]
    pub const fn has_run(&self) -> bool {
        matches!(self, Self::Unrecorded(_))
    }

    /// Returns why the action was denied or deferred; empty for the other cases.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Denied(denial) => denial.reasons(),
            Self::Deferred(deferral) => deferral.reasons(),
            Self::Expired | Self::Error(_) | Self::Unrecorded(_) => &[],
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied(_) => "denied",
            Self::Deferred(deferral) => {
                let quorums = deferral.quorums().join("`, `");
                return write!(f, "deferred until it is approved by the quorum `{quorums}`");
            }
            Self::Expired => "refused, because the permit ran out before it was used",
            Self::Error(_) => "refused, because no decision could be made and recorded",
            Self::Unrecorded(_) => "the action has run, but its outcome could not be recorded",
        })?;
        write_reasons(f, self.reasons())
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Error(error) | Self::Unrecorded(error) => Some(error),
            Self::Denied(_) | Self::Deferred(_) | Self::Expired => None,
        }
    }
}

/// Appends each reason once, with code and meaning: `` by `scope.action` (the task …) ``.
fn write_reasons(f: &mut fmt::Formatter<'_>, reasons: &[Reason]) -> fmt::Result {
    let mut distinct = reasons.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for (index, reason) in distinct.iter().take(MAX_REASONS_SHOWN).enumerate() {
        let before = if index == 0 { " by" } else { "," };
        write!(f, "{before} `{}` ({})", reason.code(), reason.sentence())?;
    }
    match distinct.len().saturating_sub(MAX_REASONS_SHOWN) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

/// The most reasons that the text of a refusal names: it ends up in the context of a model.
const MAX_REASONS_SHOWN: usize = 4;

/// What a guarded function can ask: a [`Session`], or something that points to one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session",
    label = "expected a `Session`, or a reference, `Box`, `Rc` or `Arc` of one"
)]
pub trait AsSession {
    fn as_session(&self) -> &Session;
}

impl AsSession for Session {
    fn as_session(&self) -> &Session {
        self
    }
}

macro_rules! as_session_behind {
    ($($pointer:ty),*) => {$(
        impl<S: AsSession + ?Sized> AsSession for $pointer {
            fn as_session(&self) -> &Session {
                (**self).as_session()
            }
        }
    )*};
}

as_session_behind!(&S, &mut S, Box<S>, std::rc::Rc<S>, std::sync::Arc<S>);

/// Returns a handle of its own to the session, so that nothing of the caller stays borrowed.
#[doc(hidden)]
pub fn session<S: AsSession + ?Sized>(session: &S) -> Session {
    session.as_session().clone()
}

/// Asks `session` whether `action` may run, and runs `body` only after an allow.
///
/// # Errors
///
/// Returns the error of the body, or what stood in its way.
#[doc(hidden)]
pub fn run<A, T, E, F>(session: Session, action: A, body: F) -> Result<T, E>
where
    A: Action,
    E: From<Refused>,
    F: FnOnce(Granted<A>) -> Result<T, E>,
{
    let permit = permit(session.authorize(action))?;
    drop(session);
    settle(permit.run(body))
}

/// Asks `session` whether `action` may run, and runs the future of `body` only after an allow.
///
/// # Errors
///
/// Returns the error of the body, or what stood in its way.
#[doc(hidden)]
pub async fn run_async<A, T, E, F, Fut>(session: Session, action: A, body: F) -> Result<T, E>
where
    A: Action,
    E: From<Refused>,
    F: FnOnce(Granted<A>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let permit = permit(session.authorize_async(action).await)?;
    drop(session);
    settle(permit.run_async(body).await)
}

/// Takes the permit out of an answer; everything else is a refusal.
fn permit<A: Action>(answer: Result<Decision<A>, AuthorizeError>) -> Result<Permit<A>, Refused> {
    match answer {
        Ok(Decision::Allow(permit)) => Ok(permit),
        Ok(Decision::Defer(deferral)) => Err(Refused::Deferred(deferral)),
        Ok(Decision::Deny(denial)) => Err(Refused::Denied(denial)),
        Err(error) => Err(Refused::Error(error)),
    }
}

/// Turns the end of a run into what the guarded function returns.
///
/// Where the outcome could not be recorded, an error of the body is still the better answer: it is an
/// error too, and the session, poisoned by the failed record, refuses whatever comes next.
fn settle<T, E: From<Refused>>(end: Result<T, RunError<T, E>>) -> Result<T, E> {
    match end {
        Ok(value) => Ok(value),
        Err(RunError::Failed(error) | RunError::Unrecorded { result: Err(error), .. }) => {
            Err(error)
        }
        Err(RunError::Expired) => Err(Refused::Expired.into()),
        Err(RunError::Refused(error)) => Err(Refused::Error(error).into()),
        Err(RunError::Unrecorded { result: Ok(_), error }) => {
            Err(Refused::Unrecorded(error).into())
        }
    }
}

/// What generated code names of the standard library beyond `core`.
#[doc(hidden)]
pub mod expansion {
    pub use std::borrow::Cow;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_named_once_and_not_all() {
        struct Shown<'a>(&'a [Reason]);

        impl fmt::Display for Shown<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_reasons(f, self.0)
            }
        }

        let check = |reasons: &[Reason], text: &str| assert_eq!(Shown(reasons).to_string(), text);
        check(&[], "");
        check(&[Reason::PolicyForbid; 3], " by `policy.forbid` (a policy forbids it)");
        check(
            &[Reason::PolicyForbid, Reason::ScopeModel],
            " by `scope.model` (the task was not given this model), \
             `policy.forbid` (a policy forbids it)",
        );
        let all = Shown(Reason::ALL).to_string();
        assert_eq!(all.matches('`').count(), 2 * MAX_REASONS_SHOWN);
        assert!(all.ends_with(&format!(" and {} more", Reason::ALL.len() - MAX_REASONS_SHOWN)));
    }

    #[test]
    fn only_an_unrecorded_outcome_has_run() {
        assert!(!Refused::Expired.has_run());
        assert!(Refused::Expired.reasons().is_empty());
        assert!(std::error::Error::source(&Refused::Expired).is_none());
    }
}
