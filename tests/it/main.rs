//! Behaviour of the library, through its public API alone.

mod attack_strings;
mod crash;
mod decisions;
#[cfg(feature = "macros")]
mod guard;
mod hostile;
mod regressions;
mod sessions;
mod support;
