//! What a decision costs among many open sessions, and on two threads.
//!
//! How much memory idle sessions take is measured by the bench `memory`, in a process of its own.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

mod support;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use countersign::action::Connect;
use countersign::receipt::{Group, MemorySink, Openings, ReceiptSink, Signing, sink_fn};
use countersign::{Authorizer, Session, Sink, testing};
use criterion::{Criterion, Throughput};

use support::desk::{self, BATCH, Desk};
use support::{HOST, PORT, scope, size};

fn main() {
    let mut criterion = support::criterion();
    // First: the heap that a hundred thousand sessions leave behind slows what comes after it.
    threads(&mut criterion);
    many(&mut criterion);
    criterion.final_summary();
}

/// One session, and a hundred thousand in turn, none of which the processor still remembers.
fn many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sessions");
    let one = Desk::new(&testing::baseline(), Signing::Heads);
    group.bench_function("one", |b| {
        b.iter_batched(
            || one.session(),
            |session| session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap(),
            BATCH,
        );
    });

    // What is stored while they are opened is not kept: lines that are kept between what sessions
    // need, and then forgotten, would leave a heap full of holes.
    let sink = Arc::new(MemorySink::new());
    let (memory, keep) = (Arc::clone(&sink), Arc::new(AtomicBool::new(false)));
    let keeps = Arc::clone(&keep);
    let store = move |group: &Group| {
        if keeps.load(Ordering::Relaxed) { memory.append(group) } else { Ok(()) }
    };
    let authorizer = authorizer(sink_fn(store));
    let scopes: Vec<_> = (0..10).map(scope).collect();
    let count = size(100_000, 100);
    let mut sessions = Vec::with_capacity(count);
    for (number, scope) in scopes.iter().cycle().take(count).enumerate() {
        sessions.push(authorizer.open(scope, desk::agent(number)).unwrap());
    }
    keep.store(true, Ordering::Relaxed);
    // Every session comes once a round, neighbours far apart: the stride divides no count used.
    let next = Cell::new(0);
    let turn = || {
        next.set((next.get() + 7_919) % count);
        if sink.len() > 1024 {
            sink.clear();
        }
        sessions.get(next.get()).unwrap()
    };
    // One of them again and again tells the price of a full heap from that of a cold session.
    let session = turn();
    group.bench_function("same_of_hundred_thousand", |b| {
        b.iter_batched(
            || {
                turn();
            },
            |()| session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap(),
            BATCH,
        );
    });
    group.bench_function("each_of_hundred_thousand", |b| {
        b.iter_batched(
            turn,
            |session| session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap(),
            BATCH,
        );
    });
    group.finish();
}

/// One thread and two, each with a session of its own, one authorizer and one sink.
fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sessions/threads");
    let sink = Arc::new(MemorySink::new());
    let authorizer = authorizer(Arc::clone(&sink));
    for threads in [1, 2] {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(threads.to_string(), |b| {
            b.iter_custom(|iterations| {
                let mut total = Duration::ZERO;
                let mut left = iterations;
                while left > 0 {
                    let calls = left.min(512);
                    left -= calls;
                    total += together(&authorizer, threads, calls);
                    sink.clear();
                }
                total
            });
        });
    }
    group.finish();
}

/// Returns how long `threads` threads take that make `calls` calls each at the same time.
fn together(authorizer: &Authorizer, threads: usize, calls: u64) -> Duration {
    let scope = scope(0);
    let start = Barrier::new(threads);
    std::thread::scope(|spawn| {
        let running: Vec<_> = (0..threads)
            .map(|number| {
                let session = authorizer.open(&scope, desk::agent(number)).unwrap();
                let start = &start;
                spawn.spawn(move || timed(&session, calls, start))
            })
            .collect();
        // Permits are dropped once all have come to their end.
        let ended: Vec<_> = running.into_iter().map(|thread| thread.join().unwrap()).collect();
        ended.iter().map(|(elapsed, _)| *elapsed).max().unwrap_or_default()
    })
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn timed(
    session: &Session,
    calls: u64,
    start: &Barrier,
) -> (Duration, Vec<countersign::Permit<Connect>>) {
    let mut permits = Vec::with_capacity(usize::try_from(calls).unwrap());
    start.wait();
    let from = Instant::now();
    for _ in 0..calls {
        permits.push(session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap());
    }
    (from.elapsed(), permits)
}

fn authorizer(sink: impl ReceiptSink + 'static) -> Authorizer {
    desk::build(&testing::baseline(), Signing::Heads, Openings::Keep, Sink::blocking(sink))
}
