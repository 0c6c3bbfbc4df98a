//! Verifying 10 GiB of receipts that are written while they are read: how long it takes, and how much
//! memory is held at most. One pass, no statistics.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]
#![expect(clippy::print_stdout, reason = "a bench reports")]

mod support;

use std::alloc::System;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use countersign::receipt::{Depth, Verifier};
use countersign::testing;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use support::stream::Stream;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static MOST: AtomicUsize = AtomicUsize::new(0);

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn main() {
    let bytes = support::size(10 << 30, 1 << 20) as u64;
    let before = held();
    let file = Stream::of(bytes, |_| {
        MOST.fetch_max(held(), Ordering::SeqCst);
    });
    let verifier = Verifier::new(testing::trusted_key()).depth(Depth::LastSignature);
    let start = Instant::now();
    let verified = verifier.verify(file).unwrap();
    if !support::is_test() {
        let (lines, seconds) = (verified.lines, start.elapsed().as_secs_f64());
        let most = MOST.load(Ordering::SeqCst) - before;
        println!(
            "stream: {bytes} bytes, {lines} lines written and verified in {seconds:.1} s, {most} bytes held at most"
        );
    }
}
