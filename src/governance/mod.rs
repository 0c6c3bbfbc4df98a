//! Who may act, and how much.

pub mod identity;
pub mod limits;
