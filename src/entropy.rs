//! Randomness as a trait: session ids, epoch keys and salts come from here and from nowhere else.

use std::fmt;

/// Where random bytes come from.
///
/// # Security
///
/// The secrecy of committed values and of epoch keys rests on these bytes being unpredictable.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills `out` with random bytes.
    ///
    /// # Errors
    ///
    /// Returns [`EntropyError`] when the source fails; nothing is opened then.
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError>;
}

/// Random bytes could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed: {0}")]
pub struct EntropyError(pub String);

/// The random source of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(|error| EntropyError(error.to_string()))
    }
}
