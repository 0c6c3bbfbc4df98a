//! What a decision costs in a bundle that has grown, when the same policies concern the request.
//!
//! Bundles are loaded on threads of their own. Reading thousands of policies leaves the heap of the
//! thread that reads in small pieces, and the allocator of glibc then takes longer for each piece
//! that a decision asks of it, whatever the bundle. The last line is a bundle that was loaded where
//! it decides.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

mod support;

use std::time::Instant;

use countersign::action::Connect;
use countersign::policy::Enforced;
use countersign::receipt::Signing;
use countersign::testing;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId};

use support::bare::Bare;
use support::desk::{BATCH, Desk};
use support::grown::{self, Added};
use support::{HOST, PORT, is_test, size};

fn main() {
    let mut criterion = support::criterion();
    let own = elsewhere(testing::baseline);

    let mut group = criterion.benchmark_group("authorize/grown");
    let total = own.snapshot().policy_count();
    ours(&mut group, "heads", total, &own);
    bare(&mut group, "heads", total, grown::BASELINE.to_owned());
    let (many, most) = (size(1_000, 90), size(10_000, 100));
    for total in [many, most] {
        let more = grown::policies(total, Added::Heads);
        ours(&mut group, "heads", total, &elsewhere(|| load(&more, total)));
        bare(&mut group, "heads", total, format!("{}\n{more}", grown::BASELINE));
    }
    group.finish();

    let mut group = criterion.benchmark_group("authorize/grown_unconstrained");
    let more = grown::policies(many, Added::Unconstrained);
    ours(&mut group, "forbids", many, &elsewhere(|| load(&more, many)));
    bare(&mut group, "forbids", many, format!("{}\n{more}", grown::BASELINE));
    group.finish();

    let mut group = criterion.benchmark_group("authorize/grown");
    let bundle = load(&grown::policies(most, Added::Heads), most);
    ours(&mut group, "heads_loaded_here", most, &bundle);
    group.finish();
    criterion.final_summary();
}

/// Runs `make` on a thread of its own, and so on a heap of its own.
fn elsewhere<T: Send>(make: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|threads| threads.spawn(make).join().unwrap())
}

/// Loads the baseline bundle with `more`, and says how long it took.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#[expect(clippy::print_stdout, reason = "a bench reports")]
fn load(more: &str, total: usize) -> Enforced {
    let start = Instant::now();
    let validated = grown::bundle(more).unwrap().validate().unwrap();
    let (validate, start) = (start.elapsed(), Instant::now());
    let tested = validated.test().unwrap();
    let (test, cases) = (start.elapsed(), tested.cases());
    if !is_test() {
        println!(
            "load/{total}: validated in {validate:.1?}, tested by {cases} cases in {test:.1?}"
        );
    }
    let bundle = tested.enforce();
    assert_eq!(bundle.snapshot().policy_count(), total);
    bundle
}

fn ours(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, total: usize, bundle: &Enforced) {
    let desk = Desk::new(bundle, Signing::Heads);
    group.bench_function(BenchmarkId::new(name, total), |b| {
        b.iter_batched(
            || desk.session(),
            |session| session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap(),
            BATCH,
        );
    });
}

fn bare(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, total: usize, policies: String) {
    let bare = elsewhere(|| Bare::new(&policies));
    group.bench_function(BenchmarkId::new(format!("{name}_bare_cedar"), total), |b| {
        b.iter_batched(|| (), |()| bare.ask(), BATCH);
    });
}
