//! Why a scope is refused.

use std::fmt;

use crate::action::host::HostError;
use crate::action::path::PathError;
use crate::identity::SpiffeIdError;
use crate::scope::pattern::PatternError;
use crate::value::JsonError;

/// Why a scope is refused: what is wrong, and in which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeError {
    field: Box<str>,
    problem: Problem,
}

impl ScopeError {
    pub(crate) fn new(field: impl Into<Box<str>>, problem: impl Into<Problem>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// Returns the field, such as `reach.connect[1]`; empty for the document as a whole.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match &self.problem {
            Problem::Json(_) => "descriptor.json",
            Problem::Version(_) => "descriptor.version",
            Problem::Missing => "descriptor.missing",
            Problem::Name(_) => "descriptor.name",
            Problem::Agent(_) => "descriptor.agent",
            Problem::Time => "descriptor.time",
            Problem::Order | Problem::Lifetime => "descriptor.lifetime",
            Problem::Workspace => "descriptor.workspace",
            Problem::Path(_) | Problem::Pattern(PatternError::Path(_)) => "descriptor.path",
            Problem::Pattern(_) => "descriptor.pattern",
            Problem::Host(_) => "descriptor.host",
            Problem::Number(_) => "descriptor.number",
            Problem::TooMany(_) => "descriptor.too_many",
            Problem::Duplicate => "descriptor.duplicate",
            Problem::Form(_) => "descriptor.form",
            Problem::Constraint(_) => "descriptor.constraint",
        }
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            return write!(f, "scope is refused: {}", self.problem);
        }
        write!(f, "scope field `{}` is refused: {}", self.field, self.problem)
    }
}

impl std::error::Error for ScopeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.problem)
    }
}

/// What can be wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{0}")]
    Json(JsonError),
    #[error("`{0}` is no known version: write `countersign/scope/v1`")]
    Version(String),
    #[error("it is mandatory and absent")]
    Missing,
    #[error("{0}")]
    Name(&'static str),
    #[error("{0}")]
    Agent(SpiffeIdError),
    #[error("it is no RFC 3339 time with an offset, such as `2026-11-21T09:00:00Z`")]
    Time,
    #[error("it is not after `not_before`")]
    Order,
    #[error("it is more than 7 days after `not_before`")]
    Lifetime,
    #[error("it is not an absolute path")]
    Workspace,
    #[error("the path cannot be resolved")]
    Path(#[source] PathError),
    #[error(transparent)]
    Pattern(PatternError),
    #[error("{0}")]
    Host(HostError),
    #[error("{0}")]
    Number(&'static str),
    #[error("there are more than {0}")]
    TooMany(usize),
    #[error("it says again what was said before")]
    Duplicate,
    #[error("write {0}")]
    Form(&'static str),
    #[error("{0}")]
    Constraint(&'static str),
}
