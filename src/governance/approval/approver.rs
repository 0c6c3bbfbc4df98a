//! Who asks people: the traits that a host implements.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{Approval, ApprovalRequest};

/// Shows a request to people and brings back what they signed.
///
/// # Security
///
/// What comes back is not trusted: each approval is held against the directory, the request and the
/// clock. An approver that lies can leave an action deferred and nothing more.
pub trait Approver: Send + Sync + fmt::Debug {
    /// Asks people about `request`.
    fn review(&self, request: &ApprovalRequest) -> Review;
}

/// Asks people without blocking a thread. A future that is dropped leaves the action deferred.
pub trait AsyncApprover: Send + Sync + fmt::Debug {
    /// Asks people about `request`; is ready when there is nothing more to wait for.
    fn review<'a>(
        &'a self,
        request: &'a ApprovalRequest,
    ) -> Pin<Box<dyn Future<Output = Review> + Send + 'a>>;
}

/// What came of asking. Anything but approvals leaves the action deferred.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Review {
    /// People have answered; also with rejections, and also too few of them.
    Decided(Vec<Approval>),
    /// Nobody is there, or asking failed, or the answer is not understood.
    Unavailable,
    /// Nobody answered in time.
    TimedOut,
}

impl Review {
    /// Returns the answers; none unless people have decided.
    #[must_use]
    pub fn approvals(&self) -> &[Approval] {
        match self {
            Self::Decided(approvals) => approvals,
            Self::Unavailable | Self::TimedOut => &[],
        }
    }
}

impl<A: Approver + ?Sized> Approver for Arc<A> {
    fn review(&self, request: &ApprovalRequest) -> Review {
        (**self).review(request)
    }
}

impl<A: AsyncApprover + ?Sized> AsyncApprover for Arc<A> {
    fn review<'a>(
        &'a self,
        request: &'a ApprovalRequest,
    ) -> Pin<Box<dyn Future<Output = Review> + Send + 'a>> {
        (**self).review(request)
    }
}
