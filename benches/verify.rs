//! How many receipts a verifier gets through, on one thread and on two.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

mod support;

use std::num::NonZero;
use std::sync::Arc;

use countersign::action::Connect;
use countersign::receipt::{Depth, MemorySink, Openings, Signing, Verifier};
use countersign::{Sink, testing};
use criterion::Throughput;

use support::{HOST, PORT, desk, scope, size};

/// How many receipts each session has.
const CALLS: usize = 1_000;

fn main() {
    let mut criterion = support::criterion();
    let mut group = criterion.benchmark_group("verify");
    group.sample_size(10);
    for (name, depth, receipts) in [
        ("links", Depth::LinksOnly, size(100_000, 1_000)),
        ("last_signature", Depth::LastSignature, size(100_000, 1_000)),
        ("every_signature", Depth::EverySignature, size(20_000, 1_000)),
    ] {
        let file = file(receipts);
        let verifier = Verifier::new(testing::trusted_key()).depth(depth);
        group.throughput(Throughput::Elements(receipts as u64));
        group.bench_function(name, |b| b.iter(|| verifier.verify(file.as_bytes()).unwrap()));
        let two = verifier.threads(NonZero::new(2).unwrap());
        group.bench_function(format!("{name}/two_threads"), |b| {
            b.iter(|| two.verify(file.as_bytes()).unwrap())
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Writes a signed file with `receipts` receipts in sessions of a thousand calls.
///
/// The permits are neither used nor dropped before the file is taken, so that no outcome stands between the
/// receipts: those are the longest lines.
fn file(receipts: usize) -> String {
    let sink = Arc::new(MemorySink::new());
    let blocking = Sink::blocking(Arc::clone(&sink));
    let bundle = testing::baseline();
    let authorizer = desk::build(&bundle, Signing::Every, Openings::Discard, blocking);
    let scope = scope(0);
    let mut permits = Vec::with_capacity(receipts);
    for number in 0..receipts.div_ceil(CALLS) {
        let session = authorizer.open(&scope, desk::agent(number)).unwrap();
        for _ in 0..CALLS {
            let permit = session.authorize(Connect::new(HOST, PORT)).unwrap().permit();
            permits.push(permit.unwrap());
        }
    }
    sink.to_ndjson()
}
