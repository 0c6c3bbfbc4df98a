//! Who may do how much, until when, and who says so.
//!
//! A [`Directory`] says whose key is whose. Everything that people sign travels as a [`Signed`] document
//! and is held against it.

pub mod approval;
mod body;
mod collected;
mod declassification;
mod delegation;
mod directory;
mod elevation;
mod fragment;
pub(crate) mod labels;
mod lease;
pub mod limits;
mod refusal;
mod revocation;
mod signed;
mod signed_scope;
mod standing;
pub mod temporal;
pub(crate) mod usage;

pub use self::approval::{
    Approval, ApprovalRequest, Approver, AsyncApprover, Moment, Parties, Pending, Review, Tally,
};
pub use self::body::BodyError;
pub use self::declassification::{Declassification, DeclassificationDraft, DeclassificationError};
pub use self::delegation::{
    Budget, Delegation, DelegationError, DelegationId, DelegationReturn, DelegationToken, Hop,
    MAX_ACTING_THROUGH, MAX_AUDIENCE_BYTES, MAX_COMPACT_BYTES, MAX_REDEEMED, MAX_TOKEN_LIFETIME,
    Redeemed, Returned, VerifiedDelegation,
};
pub use self::directory::{
    Directory, DirectoryError, MAX_ID_BYTES, MAX_PEOPLE, MAX_PER_PERSON, Person, PersonKind,
};
pub use self::elevation::{
    Elevated, Elevation, ElevationDraft, ElevationError, Elevations, MAX_ELEVATION_BYTES,
    MAX_ELEVATIONS, MAX_JUSTIFICATION_CHARS, MIN_JUSTIFICATION_CHARS,
};
pub use self::fragment::Fragment;
pub use self::lease::{LeaseTerms, Leases, MAX_LEASE, MAX_LEASES, SecretLease};
pub use self::refusal::Refusal;
pub use self::revocation::{
    Generation, MAX_REVOKED, MAX_REVOKED_IN_ALL, RevocationDraft, RevocationError, RevocationList,
    Revocations, Revoked, Subjects, VerifiedRevocations,
};
pub use self::signed::{DocumentError, DocumentKind, MAX_SIGNED_BYTES, Signed};
pub use self::signed_scope::{ScopeTrustError, SignedScope, SignedScopeError};
pub use self::standing::{
    Countersigned, MAX_GRANTS, MAX_STANDING, MAX_USES, StandingDraft, StandingGrant,
    StandingGrants, StandingMet,
};
