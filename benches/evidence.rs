//! What proofs cost: to grow a tree line by line, to prove one line in a million, and to sign how far a
//! journal has come.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]
#![expect(clippy::print_stdout, reason = "a bench reports")]

mod support;

use std::hint::black_box;

use blake3::hazmat::{HasherExt as _, hash_derive_key_context};
use countersign::receipt::{
    Checkpoint, CheckpointTrust, Frontier, Journal, LogName, Signing, TlogProof, Tree, TreeHash,
    TreeHead,
};
use countersign::testing;
use criterion::Throughput;

use support::size;

/// As long as receipts mostly are.
const LINE: usize = 829;

fn main() {
    let mut criterion = support::criterion();
    let mut group = criterion.benchmark_group("evidence");
    let line = "x".repeat(LINE);
    group.throughput(Throughput::Elements(1));
    group.bench_function("leaf", |b| b.iter(|| TreeHash::of_line(black_box(line.as_bytes()))));
    let mut frontier = Frontier::new();
    group.bench_function("append", |b| {
        b.iter(|| frontier.push(TreeHash::of_line(black_box(line.as_bytes()))));
    });
    // Beside the tree, the link that the next line names, its context hashed once as a chain does.
    let context = hash_derive_key_context("a bench");
    group.bench_function("append_linked", |b| {
        b.iter(|| {
            frontier.push(TreeHash::of_line(black_box(line.as_bytes())));
            let mut link = blake3::Hasher::new_from_context_key(&context);
            link.update(black_box(line.as_bytes())).finalize()
        });
    });
    group.bench_function("root", |b| b.iter(|| black_box(&frontier).root()));

    let lines = size(1_000_000, 1_000) as u64;
    let leaf = |number: u64| TreeHash::of_line(&number.to_le_bytes());
    let tree: Tree = (0..lines).map(leaf).collect();
    let root = tree.root(lines).unwrap();
    let index = lines / 3;
    group.bench_function("inclusion/make", |b| {
        b.iter(|| tree.inclusion(black_box(index), lines).unwrap());
    });
    let proof = tree.inclusion(index, lines).unwrap();
    group.bench_function("inclusion/check", |b| {
        b.iter(|| assert!(proof.proves(black_box(&leaf(index)), &root)));
    });
    group.bench_function("consistency/make", |b| {
        b.iter(|| tree.consistency(black_box(index), lines).unwrap());
    });

    let identity = testing::identity_key();
    let (journal, line) =
        Journal::start(&identity, &[2; 32], Signing::Every, testing::NOW).unwrap();
    let name = LogName::parse("receipts.example.org/prod").unwrap();
    let head = TreeHead::from(journal.position());
    group.bench_function("checkpoint/sign", |b| {
        b.iter(|| Checkpoint::sign(&name, black_box(&head), &identity).unwrap());
    });
    let checkpoint = Checkpoint::sign(&name, &head, &identity).unwrap();
    let trust = CheckpointTrust::new(testing::trusted_key(), name);
    group.bench_function("checkpoint/open", |b| {
        b.iter(|| trust.open(black_box(checkpoint.as_str())).unwrap());
    });
    let alone: Tree = [line.leaf()].into_iter().collect();
    let own = TlogProof::new(&alone.inclusion(0, 1).unwrap(), &checkpoint).to_string();
    group.bench_function("tlog_proof/verify", |b| {
        b.iter(|| {
            TlogProof::parse(black_box(&own)).unwrap().verify(line.as_str(), &trust).unwrap()
        });
    });
    group.finish();
    let bytes = TlogProof::new(&proof, &checkpoint).to_string().len();
    println!("evidence/tlog_proof: {bytes} bytes for one line of {lines}");
    criterion.final_summary();
}
