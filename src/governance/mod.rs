//! How much may be done.

pub mod limits;
