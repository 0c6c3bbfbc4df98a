//! What verifying keeps in memory does not grow with the file. A binary of its own, because the count is
//! that of the whole process.

#[path = "../benches/support/stream.rs"]
#[allow(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]
#[allow(unreachable_pub, reason = "shared with the benches")]
mod stream;

use std::alloc::System;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign::receipt::{Depth, Verifier};
use countersign::testing;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static MOST: AtomicUsize = AtomicUsize::new(0);

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

#[test]
fn memory_does_not_grow_with_the_file() {
    /// Verifies a file of so many bytes; returns the most that was held in between.
    fn verify(verifier: &Verifier, bytes: u64) -> usize {
        MOST.store(0, Ordering::SeqCst);
        let before = held();
        let file = stream::Stream::of(bytes, |_| {
            MOST.fetch_max(held(), Ordering::SeqCst);
        });
        let verified = verifier.verify(file).expect("it is good");
        assert!(verified.lines * 1200 > bytes, "{} lines of {bytes} bytes", verified.lines);
        assert_eq!(verified.sessions[0].denied + 1, verified.sessions[0].lines);
        MOST.load(Ordering::SeqCst) - before
    }

    let verifier = Verifier::new(testing::trusted_key()).depth(Depth::LastSignature);
    // What is made once for the process is made by the first.
    verify(&verifier, 2 << 20);
    let (short, long) = (verify(&verifier, 2 << 20), verify(&verifier, 48 << 20));
    println!("{short} bytes at most for 2 MiB, {long} for 48 MiB");
    assert!(long <= short + (64 << 10), "{long} bytes, {short} for a short file");

    // With threads 16 MiB are read ahead, and half of them are parsed.
    let two = verifier.threads(NonZero::new(2).expect("two"));
    let long = verify(&two, 96 << 20);
    println!("{long} bytes at most for 96 MiB on two threads");
    assert!(long <= 64 << 20, "{long} bytes");
}
