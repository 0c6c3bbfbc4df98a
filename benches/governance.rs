//! What governance costs: opening on a signed scope, deciding below four hops, a round of approval, and
//! looking whether anything is revoked; each beside what it is measured against, in one run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench that cannot be set up has nothing to measure"
)]

mod support;

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{Connect, DeleteData};
use countersign::digest::Digest;
use countersign::governance::approval::{Ballot, Vote};
use countersign::governance::{
    Approval, Directory, RevocationDraft, RevocationList, Revocations, Revoked, SignedScope,
    Subjects,
};
use countersign::policy::Enforced;
use countersign::receipt::{IdentityKey, MemorySink, SessionId, Signing};
use countersign::scope::{CompiledScope, Scope};
use countersign::session::Act;
use countersign::testing::{self, NOW};
use countersign::{Authorizer, Decision, Session, Sink};
use criterion::{BatchSize, Criterion};
use ed25519_dalek::{Signer as _, SigningKey};
use support::desk::{self, BATCH};
use support::{HOST, PORT, scope};

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
    signatures(&mut criterion);
    open(&mut criterion);
    hops(&mut criterion);
    approval(&mut criterion);
    criterion.final_summary();
}

/// One signature, and the strict check of one.
fn signatures(criterion: &mut Criterion) {
    let signer = SigningKey::from_bytes(&[1; 32]);
    let message = [7; 600];
    let signature = signer.sign(&message);
    let mut group = criterion.benchmark_group("signature");
    group.bench_function("sign", |b| b.iter(|| signer.sign(black_box(&message))));
    let public = signer.verifying_key();
    group.bench_function("verify", |b| {
        b.iter(|| public.verify_strict(black_box(&message), &signature).unwrap());
    });
    group.finish();
}

/// Opening a session: on a scope that the host answers for, and on one that its owner signed, checked anew.
fn open(criterion: &mut Criterion) {
    let desk = Office::new(&testing::baseline());
    let plain = scope(0);
    let signed = SignedScope::sign(plain.scope(), &key()).unwrap().as_str().to_owned();
    let directory = directory();
    let mut group = criterion.benchmark_group("open");
    let number = Cell::new(0);
    let agent = || {
        number.set(number.get() + 1);
        desk.sink.clear();
        desk::agent(number.get())
    };
    group.bench_function("unsigned", |b| {
        b.iter_batched(agent, |agent| desk.authorizer.open(&plain, agent).unwrap(), BATCH);
    });
    group.bench_function("signed", |b| {
        b.iter_batched(
            agent,
            |agent| {
                let scope = SignedScope::parse_known(signed.as_bytes(), &directory).unwrap();
                let scope = scope.verify(&directory, NOW, None).unwrap();
                desk.authorizer.open(&scope, agent).unwrap()
            },
            BATCH,
        );
    });
    group.finish();
}

/// One decision with its hashed receipt: in a session of its own, and below four hops of delegation.
fn hops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hops");
    for hops in [0, 1, 4_u64] {
        let desk = Office::new(&testing::baseline());
        group.bench_function(hops.to_string(), |b| {
            b.iter_batched(
                || desk.session(hops),
                |session| {
                    // Dropped after the clock was stopped: an unused permit writes another line.
                    let permit = session.authorize(Connect::new(HOST, PORT)).unwrap().permit();
                    (permit.unwrap(), session)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Deferred, asked, signed, approved, decided anew; beside one decision of the same bundle.
fn approval(criterion: &mut Criterion) {
    let desk = Office::new(&testing::baseline());
    let approver = approver();
    let mut group = criterion.benchmark_group("approval");
    group.bench_function("decision", |b| {
        b.iter_batched(
            || desk.session(0),
            |session| {
                (session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap(), session)
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("deferral", |b| {
        b.iter_batched(
            || desk.session(0),
            |session| {
                let deferred = session.authorize(DeleteData::table("crm.orders_2019")).unwrap();
                (deferred, session)
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("round", |b| {
        b.iter_batched(
            || desk.session(0),
            |session| {
                let action = || DeleteData::table("crm.orders_2019");
                let Decision::Defer(deferral) = session.authorize(action()).unwrap() else {
                    panic!("the policy asks for an approval");
                };
                let expires = NOW.plus(Duration::from_secs(60));
                let request = session.request_approval(&deferral, expires).unwrap();
                let need = request.needs().first().unwrap();
                let ballot = Ballot {
                    domain: need.domain,
                    quorum: &need.quorum,
                    approver: "user:erin@example.org",
                    vote: Vote::Approve,
                    at: NOW,
                    expires,
                };
                let signed = Approval::sign(&request, ballot, &approver).unwrap();
                let text = signed.signed().as_str().to_owned();
                session.act(Act::Approve(text.as_bytes())).unwrap();
                (session.authorize(action()).unwrap().permit().unwrap(), session)
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// An authorizer with a directory, whose lines are chained and not signed one by one.
struct Office {
    authorizer: Authorizer,
    sink: Arc<MemorySink>,
    number: Cell<usize>,
}

impl Office {
    fn new(bundle: &Enforced) -> Self {
        let sink = Arc::new(MemorySink::new());
        let authorizer = Authorizer::builder()
            .policy(bundle.clone())
            .identity(testing::identity_key())
            .sink(Sink::blocking(Arc::clone(&sink)))
            .with_clock(testing::clock())
            .with_paths(PurePaths::new())
            .with_signing(Signing::Heads)
            .with_directory(directory())
            .build();
        Self { authorizer: authorizer.unwrap(), sink, number: Cell::new(0) }
    }

    /// Opens a session below `hops` others.
    fn session(&self, hops: u64) -> Session {
        self.sink.clear();
        let agent = || {
            self.number.set(self.number.get() + 1);
            desk::agent(self.number.get())
        };
        let mut descriptor = scope(0).scope().descriptor().clone();
        descriptor.limits.delegation_depth = Some(hops);
        descriptor.touch.delete = vec!["table:crm.*".into()];
        let mut scope = Scope::from_descriptor(&descriptor).unwrap();
        let trusted = scope.dangerous().trust_unsigned();
        let mut session = self.authorizer.open(&trusted, agent()).unwrap();
        for depth in (0..hops).rev() {
            descriptor.limits.delegation_depth = Some(depth);
            descriptor.parent = Some(scope.digest().to_string());
            scope = Scope::from_descriptor(&descriptor).unwrap();
            session = session.delegate(&scope, agent()).unwrap();
        }
        session
    }
}

fn approver() -> IdentityKey {
    IdentityKey::from_seed(&[2; 32])
}

fn directory() -> Directory {
    let text = format!(
        r#"{{"directory":"countersign/directory/v1","people":[
            {{"id":"user:dana@example.org","kind":"human","keys":["{}"],
              "issues":["spiffe://example.org"],"revokes":true}},
            {{"id":"user:erin@example.org","kind":"human","keys":["{}"],"roles":["sre","data-owner","security"]}}]}}"#,
        key().trusted(),
        approver().trusted()
    );
    Directory::parse(text.as_bytes()).unwrap()
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
    let list = RevocationList::parse(text.as_bytes()).unwrap();
    Revocations::none().with(&list.verify(&directory(), NOW).unwrap()).unwrap()
}

/// What a session of the fixtures rests on; nothing of it is revoked.
fn subjects() -> Subjects {
    let scope = CompiledScope::compile(&testing::scope(), &PurePaths::new()).unwrap();
    Subjects::new(testing::agent().id(), SessionId::from_bytes([7; 16]))
        .with_scope(&scope)
        .with_key(&key().trusted())
}
