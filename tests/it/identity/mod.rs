//! Who an agent is, and what does not prove it.

mod possession;
