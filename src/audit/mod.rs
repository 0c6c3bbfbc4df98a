//! What is done with receipts later, by people who were not there.
//!
//! [`replay`] decides recorded calls again and says whether the same comes out; [`correlate`] joins them
//! with telemetry that the agent does not control.

pub mod correlate;
pub mod replay;
