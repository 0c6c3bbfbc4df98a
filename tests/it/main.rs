//! Behaviour of the library, through its public API alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that meets what it did not expect panics"
)]

mod acts;
mod approval_laws;
mod approvals;
mod attack_strings;
mod authzen;
mod bundle;
mod cedar_traps;
mod correlate;
mod crash;
mod decisions;
mod delegation;
mod delegation_token;
mod elevations;
mod evidence;
mod governed_laws;
#[cfg(feature = "macros")]
mod guard;
mod history;
mod hostile;
mod hostile_governance;
mod identity;
mod interleavings;
mod leases;
mod policy_laws;
mod regressions;
mod remote;
mod replay;
mod revocation;
mod sessions;
mod shell;
mod shell_bypasses;
mod shell_gates;
mod shell_hostile;
mod shell_laws;
mod stops;
mod support;
