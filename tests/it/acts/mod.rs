//! What people do to a session, from end to end: each act with what comes of it, and its line on the chain.

mod approving;
mod asking;
mod granting;
mod sinks;
mod using;
