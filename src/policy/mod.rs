//! The policy gate: Cedar behind a bundle that proves itself before it decides. The one room with
//! Cedar in it.
//!
//! A bundle passes through four types: [`Authored`] files, [`Validated`] against a strict schema,
//! [`Tested`] by its own cases, [`Enforced`]. Only the last decides. The engine leaves out a policy
//! that errors, so that a broken `forbid` would vanish; everything here that looks like distrust of
//! the engine follows from that: errors deny, references must resolve, and an allow must name a
//! policy.

mod bundle;
mod cases;
mod entities;
mod index;
mod labels;
mod manifest;
mod polarity;
mod request;
mod schema;
mod snapshot;
mod source;

pub use self::bundle::{Authored, Enforced, LoadError, Tested, Validated};
pub use self::cases::CaseFailure;
pub use self::manifest::{BundleLimits, ElevationRule, ElevationRules, OwnerRule, Quorum};
pub use self::request::{Counters, RequestFacts};
pub use self::schema::BASE_SCHEMA;
pub use self::snapshot::{Principal, PrincipalGroup, Snapshot, Verdict};
