//! Behaviour of the library, through its public API alone.

mod crash;
mod decisions;
#[cfg(feature = "macros")]
mod guard;
mod sessions;
mod support;
