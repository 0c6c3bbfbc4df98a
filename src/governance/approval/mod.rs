//! Approval: people say yes or no to one exact action, and it happens once.
//!
//! A deferral becomes an [`ApprovalRequest`]. People answer with signed [`Approval`]s. A [`Pending`] table, one
//! a session, holds each of them against everything as it is then, when it arrives and again when it is
//! used; what was used is gone. `docs/approvals.md` specifies the formats and says what a program
//! that asks people has to do.

mod approver;
mod document;
pub(in crate::governance) mod quorum;
mod request;
mod table;

pub use self::approver::{Approver, AsyncApprover, Review};
pub use self::document::{Approval, ApprovalError, Ballot, Vote};
pub use self::quorum::{Moment, Parties, Tally};
pub use self::request::{
    ApprovalRequest, MAX_LINE_BYTES, MAX_SHOWN_BYTES, Need, RequestError, RequestParts,
};
pub use self::table::{
    Accepted, DEFAULT_LIFETIME, DEFAULT_PENDING, MAX_PENDING, MAX_VOTES, Met, Opened, Pending,
    Presented, Used, Withheld,
};

pub(in crate::governance) use self::request::MAX_SCOPES;
pub(in crate::governance) use crate::governance::Refusal;
