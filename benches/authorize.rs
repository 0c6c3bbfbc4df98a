//! What one decision costs, and what Cedar and a signature alone cost on the same machine.
//!
//! The question is the same in every line: may this agent connect to a host that its scope grants?
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

mod support;

use countersign::action::{Connect, DeleteData};
use countersign::receipt::{Durability, Openings, Signing};
use countersign::{Decision, testing};
use criterion::Criterion;
use ed25519_dalek::{Signer as _, SigningKey};

use support::bare::Bare;
use support::desk::{BATCH, Desk, Store};
use support::{HOST, PORT, grown};

fn main() {
    let mut criterion = support::criterion();
    decisions(&mut criterion);
    answers(&mut criterion);
    files(&mut criterion);
    criterion.final_summary();
}

/// An allowed connection: hashed and signed, beside Cedar and a signature alone.
fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authorize");
    let bundle = testing::baseline();
    let bare = Bare::new(grown::BASELINE);
    group.bench_function("bare_cedar", |b| b.iter_batched(|| (), |()| bare.ask(), BATCH));
    for (name, signing, openings) in [
        ("hashed", Signing::Heads, Openings::Keep),
        ("hashed_without_openings", Signing::Heads, Openings::Discard),
        ("signed", Signing::Every, Openings::Keep),
    ] {
        let desk = Desk::with(&bundle, signing, openings, Store::Memory);
        assert!(desk.session().authorize(Connect::new(HOST, PORT)).unwrap().is_allow());
        group.bench_function(name, |b| {
            b.iter_batched(
                || desk.session(),
                |session| session.authorize(Connect::new(HOST, PORT)).unwrap(),
                BATCH,
            );
        });
    }
    let (key, message) = (SigningKey::from_bytes(&[7; 32]), [0x5a; 900]);
    group.bench_function("bare_signature", |b| b.iter(|| key.sign(&message)));
    group.finish();
}

/// The other answers, and the way of an allowed action to its end.
fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authorize");
    let desk = Desk::new(&testing::baseline(), Signing::Heads);
    group.bench_function("hashed_and_run", |b| {
        b.iter_batched(
            || desk.session(),
            |session| {
                let permit = session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap();
                permit.run(Ok::<_, std::io::Error>).unwrap()
            },
            BATCH,
        );
    });
    let (host, port) = ("169.254.169.254", 80);
    assert!(!desk.session().authorize(Connect::new(host, port)).unwrap().is_allow());
    group.bench_function("hashed_deny_by_scope", |b| {
        b.iter_batched(
            || desk.session(),
            |session| session.authorize(Connect::new(host, port)).unwrap(),
            BATCH,
        );
    });
    // Asked anew with all quorums granted, and then without one after the other.
    let delete = || DeleteData::new("/srv/web/target/debug");
    assert!(matches!(desk.session().authorize(delete()).unwrap(), Decision::Defer(_)));
    group.bench_function("hashed_defer", |b| {
        b.iter_batched(|| desk.session(), |session| session.authorize(delete()).unwrap(), BATCH);
    });
    group.finish();
}

/// The decision of `authorize/hashed`, stored in a file.
fn files(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authorize");
    let bundle = testing::baseline();
    for (name, durability) in [
        ("hashed_to_file", Durability::ProcessCrash),
        ("hashed_to_synced_file", Durability::PowerLoss),
    ] {
        let desk = Desk::with(&bundle, Signing::Heads, Openings::Keep, Store::File(durability));
        group.sample_size(20);
        group.bench_function(name, |b| {
            b.iter_batched(
                || desk.session(),
                |session| session.authorize(Connect::new(HOST, PORT)).unwrap(),
                BATCH,
            );
        });
    }
    group.finish();
}
