//! Why something that people signed, or that a host asked for, is not accepted.

use std::fmt;

use crate::reason::Reason;

/// A governance document or request that is refused, with its reason. A value, not a fault: nothing has
/// changed, and the refusal has a receipt like an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refusal(Reason);

impl Refusal {
    /// Returns the reason.
    #[must_use]
    pub const fn reason(self) -> Reason {
        self.0
    }

    /// Returns the stable code of the reason, such as `approval.expired`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.0.code()
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self(reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (`{}`)", self.0.sentence(), self.0.code())
    }
}

impl std::error::Error for Refusal {}
