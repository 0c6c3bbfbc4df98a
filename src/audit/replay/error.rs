//! Why a call cannot be replayed. That another decision comes out is no error: it is a
//! [`Difference`](super::Difference).

use std::io;

use crate::action::RecordError;
use crate::digest::Digest;
use crate::receipt::LineError;
use crate::scope::ScopeError;

/// Why a call cannot be decided again.
///
/// The texts name members, digests and names of commitments, and nothing of what was committed to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A line of the receipts cannot be read.
    #[error("line {line} of the receipts cannot be read")]
    Line {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        #[source]
        error: LineError,
    },
    /// The lines are not those of one call.
    #[error("the lines are not those of one call: {0}")]
    Group(&'static str),
    /// Lines of the call are missing at its end, so that it was never released.
    #[error("the call was never recorded in full, and so never released")]
    Incomplete,
    /// An opening is missing.
    #[error("the opening `{name}` is missing: what was erased or withheld cannot be decided again")]
    OpeningMissing {
        /// The name of the commitment, such as `effects/data/0`.
        name: Box<str>,
    },
    /// An opening does not open the commitment of the receipt.
    #[error(
        "the opening `{name}` does not open the commitment of the receipt: one of them was changed"
    )]
    OpeningWrong {
        /// The name of the commitment.
        name: Box<str>,
    },
    /// The bundle that decided was not given.
    #[error("bundle {digest} decided and was not given")]
    BundleUnknown {
        /// The digest of the bundle.
        digest: Digest,
    },
    /// A scope that the session worked on was not given.
    #[error("the session worked on scope {digest}, which was not given")]
    ScopeUnknown {
        /// The digest of the scope.
        digest: Digest,
    },
    /// The receipt names another number of scopes than the facts have hops.
    #[error("the facts know of {hops} hops above the session, and the receipt names others")]
    ScopeChain {
        /// How many hops above the session the facts have.
        hops: usize,
    },
    /// The scope cannot be compiled with the answers about paths that are on record.
    #[error("the scope cannot be compiled with the answers about paths that are on record")]
    Scope(#[source] ScopeError),
    /// The facts cannot be read.
    #[error("the facts cannot be read")]
    Facts(#[source] RecordError),
    /// An effect cannot be read.
    #[error("the effect behind `{name}` cannot be read")]
    Effect {
        /// The name of the commitment.
        name: Box<str>,
        /// What is wrong with it.
        #[source]
        error: RecordError,
    },
    /// The agent is none that policies could be asked about.
    #[error("the agent of the receipt is no SPIFFE ID that policies can name")]
    Agent,
    /// An opening in a file of openings cannot be read.
    #[error("line {line} of the openings is no opening")]
    OpeningLine {
        /// The line, counted from 1.
        line: u64,
    },
    /// More would have to be kept than a replay keeps.
    #[error("there are more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// Receipts or openings could not be read.
    #[error("the file could not be read")]
    Read(#[from] io::Error),
}

impl ReplayError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Line { .. } => "replay.line",
            Self::Group(_) => "replay.group",
            Self::Incomplete => "replay.incomplete",
            Self::OpeningMissing { .. } => "replay.opening_missing",
            Self::OpeningWrong { .. } => "replay.opening_wrong",
            Self::BundleUnknown { .. } => "replay.bundle_unknown",
            Self::ScopeUnknown { .. } => "replay.scope_unknown",
            Self::ScopeChain { .. } => "replay.scope_chain",
            Self::Scope(_) => "replay.scope",
            Self::Facts(_) => "replay.facts",
            Self::Effect { .. } => "replay.effect",
            Self::Agent => "replay.agent",
            Self::OpeningLine { .. } => "replay.opening_line",
            Self::TooMany { .. } => "replay.too_many",
            Self::Read(_) => "replay.read",
        }
    }
}
