//! Correlation: what was allowed, beside what others saw.
//!
//! A receipt proves what was decided. What happened shows in telemetry that the agent does not control: a
//! sensor of processes and connections, a kernel watcher, traces. This room joins the two and reports
//! what does not fit:
//!
//! | finding | meaning |
//! |---|---|
//! | [`Bypass`](What::Bypass) | an effect was seen that no allowed call covers |
//! | [`Mismatch`](What::Mismatch) | A was allowed, and of the same call B was seen |
//! | [`UnreportedOutcome`](What::UnreportedOutcome) | effects were seen of a call that says it did not run, or says nothing |
//! | [`LateApproval`](What::LateApproval) | an approval was used before it was given |
//! | [`Gap`](What::Gap) | something could not be looked at, so that silence means nothing |
//!
//! ```text
//! receipts, openings ─┐
//! OCSF ───────────────┤   one queue in order of time     calls in their windows,
//! Falco ──────────────┼─▶ (Correlator) ────────────────▶ found by id, trace, target ──▶ findings, Report
//! OpenTelemetry ──────┤   held back by the skew          bounded: Caps
//! plain lines ────────┘
//! ```
//!
//! The formats, member by member, and what cannot be seen at all stand in `docs/correlate.md`.

mod calls;
mod correlator;
mod falco;
mod finding;
mod kept;
mod observed;
mod ocsf;
mod otel;
mod plain;
mod read;
mod report;
mod run;
mod settings;
mod state;
mod target;

pub use self::correlator::{Correlator, DecisionError};
pub use self::finding::{Cause, Finding, Gap, Severity, What};
pub use self::observed::{
    Access, Class, Connection, Direction, Ids, Observed, Outside, Program, Seen, SpanId, TraceId,
};
pub use self::read::{CALL, EventError, Format, MAX_EVENT_BYTES, SESSION, TRACEPARENT, TXN};
pub use self::report::{Report, SessionTotals};
pub use self::settings::{Builder, Caps, Source};

use crate::action::host::Host;

/// Reads a host; an address in plain spelling does not go through the URL parser.
fn host_of(text: &str) -> Option<Host> {
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => Some(Host::from(address)),
        Err(_) => Host::parse(text).ok(),
    }
}
