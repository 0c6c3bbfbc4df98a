//! What it costs to look whether anything that a session rests on is revoked: with nothing revoked,
//! and with a million entries, in one run.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

mod support;

use std::hint::black_box;

use countersign::action::path::PurePaths;
use countersign::digest::Digest;
use countersign::governance::{
    Directory, RevocationDraft, RevocationList, Revocations, Revoked, Subjects,
};
use countersign::receipt::{IdentityKey, SessionId};
use countersign::scope::CompiledScope;
use countersign::testing::{self, NOW};

fn main() {
    let mut criterion = support::criterion();
    let million = support::size(1_000_000, 1_000);
    let text = list(million);
    let full = load(&text);
    assert_eq!(full.len(), million);
    let subjects = subjects();
    let mut group = criterion.benchmark_group("revocation");
    for (entries, state) in [(0, Revocations::none()), (1_000_000, full)] {
        group.bench_function(format!("check/{entries}"), |b| {
            b.iter(|| black_box(&state).check(black_box(&subjects)));
        });
    }
    group.sample_size(10);
    group.bench_function("load/1000000", |b| b.iter(|| load(black_box(&text))));
    group.finish();
    criterion.final_summary();
}

fn key() -> IdentityKey {
    IdentityKey::from_seed(&[1; 32])
}

fn list(entries: usize) -> String {
    let numbers = (0..entries as u64).map(u64::to_le_bytes);
    let scopes = numbers.map(|number| Revoked::Scope(Digest::of("a bench", &number)));
    let draft = RevocationDraft::new("user:dana@example.org", 1, NOW);
    scopes.fold(draft, RevocationDraft::revoke).sign(&key()).unwrap()
}

fn load(text: &str) -> Revocations {
    let directory = format!(
        r#"{{"directory":"countersign/directory/v1","people":[
            {{"id":"user:dana@example.org","kind":"human","keys":["{}"],"revokes":true}}]}}"#,
        key().trusted()
    );
    let directory = Directory::parse(directory.as_bytes()).unwrap();
    let list = RevocationList::parse(text.as_bytes()).unwrap().verify(&directory, NOW).unwrap();
    Revocations::none().with(&list).unwrap()
}

/// What a session of the fixtures rests on; nothing of it is revoked.
fn subjects() -> Subjects {
    let scope = CompiledScope::compile(&testing::scope(), &PurePaths::new()).unwrap();
    Subjects::new(testing::agent().id(), SessionId::from_bytes([7; 16]))
        .with_scope(&scope)
        .with_key(&key().trusted())
}
