//! What a decision costs in a bundle that has grown, when the same policies concern the request.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

mod support;

use countersign::action::Connect;
use countersign::policy::Enforced;
use countersign::receipt::Signing;
use countersign::testing;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId};

use support::bare::Bare;
use support::desk::{BATCH, Desk};
use support::grown::{self, Added};
use support::{HOST, PORT, size};

fn main() {
    let mut criterion = support::criterion();

    let mut group = criterion.benchmark_group("authorize/grown");
    let own = testing::baseline();
    line(&mut group, "heads", own.snapshot().policy_count(), &own, grown::BASELINE);
    for total in [size(1_000, 100), size(10_000, 120)] {
        grow(&mut group, "heads", total, Added::Heads);
    }
    group.finish();

    let mut group = criterion.benchmark_group("authorize/grown_unconstrained");
    grow(&mut group, "forbids", size(1_000, 100), Added::Unconstrained);
    group.finish();
    criterion.final_summary();
}

fn grow(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, total: usize, added: Added) {
    let more = grown::policies(total, added);
    let bundle = grown::bundle(&more).unwrap().load().unwrap();
    assert_eq!(bundle.snapshot().policy_count(), total);
    line(group, name, total, &bundle, &format!("{}\n{more}", grown::BASELINE));
}

/// One size, ours and Cedar alone.
fn line(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    total: usize,
    bundle: &Enforced,
    policies: &str,
) {
    let desk = Desk::new(bundle, Signing::Heads);
    group.bench_function(BenchmarkId::new(name, total), |b| {
        b.iter_batched(
            || desk.session(),
            |session| session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap(),
            BATCH,
        );
    });
    let bare = Bare::new(policies);
    group.bench_function(BenchmarkId::new(format!("{name}_bare_cedar"), total), |b| {
        b.iter_batched(|| (), |()| bare.ask(), BATCH);
    });
}
