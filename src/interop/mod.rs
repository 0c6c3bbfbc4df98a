//! What other systems say and ask, in their own forms: JSON in, JSON out, and no network.
//!
//! Nothing that comes in here decides. An answer of another system is a signal to look again; what
//! counts is what people have signed and what the session decides then.

pub mod acp;
pub mod authzen;
