//! What the benches share: scopes whose limits no bench reaches, authorizers that forget what they
//! store, and the same question put to bare Cedar.
//!
//! Each bench takes from here what it needs; the rest is unused in it.
#![allow(dead_code, reason = "compiled into each bench, none of which uses all of it")]
#![allow(unreachable_pub, reason = "the same")]

pub mod bare;
pub mod desk;
pub mod grown;
pub mod lines;
pub mod stream;

use countersign::scope::TrustedScope;
use countersign::testing;
use criterion::Criterion;
use std::time::Duration;

/// The destination that the scope of [`scope`] grants.
pub const HOST: &str = "git.example.org";
/// Its port.
pub const PORT: u16 = 443;

/// Tells whether this run shall only show that the benches work: `cargo test --benches`, or
/// `--test` behind `cargo bench`. Cargo names the other case, not this one.
pub fn is_test() -> bool {
    let named = |name: &str| std::env::args().any(|argument| argument == name);
    named("--test") || !named("--bench")
}

/// Returns `full` when something is measured, and `small` when it is only tried.
pub fn size(full: usize, small: usize) -> usize {
    if is_test() { small } else { full }
}

/// Returns criterion as all benches use it.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(2))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args()
}

/// Returns the scope of the fixtures for task `number`, with limits that no bench reaches.
#[expect(clippy::indexing_slicing, reason = "indexing an object by name inserts")]
pub fn scope(number: usize) -> TrustedScope {
    let most = (1_u64 << 53) - 1;
    let mut scope: serde_json::Value = serde_json::from_str(testing::SCOPE).unwrap();
    scope["task"] = format!("bench-{number}").into();
    scope["limits"] = serde_json::json!({
        "actions": most, "per_minute": most, "denials": most, "distinct_targets": most,
    });
    testing::trusted(&scope.to_string()).unwrap()
}
