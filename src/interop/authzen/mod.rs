//! OpenID AuthZEN: evaluations of the Authorization API 1.0, and access requests of the Access Request
//! and Approval Profile (draft 1).
//!
//! A deferral is what the profile calls a requestable denial: `decision` is `false`, and `context.access_request` says
//! how to ask. Whatever a task or an approval reference says, the action is decided anew; `result.mode` knows
//! only `reevaluate`, and neither an id nor a state is a grant.

mod access;
mod evaluation;

pub use self::access::{
    AccessRequest, ApprovalReference, NextAction, Task, TaskSignal, TaskState, TaskStatus,
    reevaluation_reason,
};
pub use self::evaluation::{
    Answer, Evaluation, MAX_ACTORS, Named, Party, PrincipalForm, Principals, Requester,
};

/// Why a text is no AuthZEN document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthzenError {
    /// No JSON, or JSON that is refused.
    #[error("the document cannot be read")]
    Json(#[from] crate::value::JsonError),
    /// A member that is missing, of another type, or does not belong there.
    #[error("the member `{0}` is missing, is not what it must be, or does not belong there")]
    Member(&'static str),
    /// The human, or the agent, is named twice and differently.
    #[error("the document names two different principals")]
    Principals,
}

impl AuthzenError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "authzen.json",
            Self::Member(_) => "authzen.member",
            Self::Principals => "authzen.principals",
        }
    }
}
