//! What an auditor has who trusts neither the process nor the storage: checkpoints, proofs, disclosures.

use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{Connect, Exec, ReadData, ToolCall};
use countersign::authorizer::{AuthorizerBuilder, CheckpointSink, Checkpoints, Ready};
use countersign::receipt::{
    Anchor, Check, Checkpoint, CheckpointTrust, Disclosure, Equivocation, IdentityKey, LogName,
    MemorySink, SignError, Signer, TrustedKey, Verifier,
};
use countersign::testing::{self, Fixture};
use countersign::value::{Limits, Value};
use countersign::{AuthorizeError, Authorizer, Sink};

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<Result<Checkpoint, String>>>>);

impl Kept {
    fn all(&self) -> Vec<Checkpoint> {
        self.0.lock().unwrap().iter().filter_map(|kept| kept.clone().ok()).collect()
    }
}

impl CheckpointSink for Kept {
    fn take(&self, checkpoint: Result<Checkpoint, SignError>) {
        self.0.lock().unwrap().push(checkpoint.map_err(|error| error.to_string()));
    }
}

fn name() -> LogName {
    LogName::parse("receipts.example.org/test").unwrap()
}

fn trust() -> CheckpointTrust {
    CheckpointTrust::new(testing::trusted_key(), name())
}

fn builder(sink: &Arc<MemorySink>) -> AuthorizerBuilder<Ready> {
    Authorizer::builder()
        .policy(testing::baseline())
        .identity(testing::identity_key())
        .sink(Sink::blocking(Arc::clone(sink)))
        .with_clock(testing::clock())
        .with_paths(PurePaths::new())
}

fn work(authorizer: &Authorizer, calls: usize) {
    let session = authorizer.open(&testing::scope(), testing::agent()).unwrap();
    for _ in 0..calls {
        drop(session.authorize(ReadData::new("a")).unwrap());
    }
    session.close().unwrap();
}

#[test]
fn checkpoints_come_when_the_plan_says() {
    let check = |plan: fn(Checkpoints) -> Checkpoints, sizes: &[u64]| {
        let (sink, kept) = (Arc::new(MemorySink::new()), Kept::default());
        let plan = plan(Checkpoints::of(name(), kept.clone()));
        let authorizer = builder(&sink).with_checkpoints(plan).build().unwrap();
        work(&authorizer, 2);
        work(&authorizer, 1);
        let found: Vec<u64> = kept.all().iter().map(|one| one.tree_head().size).collect();
        assert_eq!(found, sizes);
        // Each is opened by whoever has the key and the name, and the file continues it.
        let all = kept.all();
        let held = all.iter().map(|one| trust().open(one.as_str()).unwrap());
        let verifier = held.fold(Verifier::new(testing::trusted_key()), |verifier, held| {
            verifier.expect_checkpoint(&held)
        });
        let verified = verifier.verify(sink.to_ndjson().as_bytes()).unwrap();
        if let Some(size) = sizes.last() {
            assert_eq!(verified.anchor, Anchor::Checkpoint { size: *size, witnesses: 0 });
        }
    };
    // epoch, open, close, open, close
    check(|plan| plan, &[]);
    check(Checkpoints::at_each_close, &[3, 5]);
    check(|plan| plan.every_lines(NonZero::new(2).unwrap()), &[2, 4]);
    check(|plan| plan.every_lines(NonZero::<u64>::MIN), &[1, 2, 3, 4, 5]);
    check(|plan| plan.every(Duration::ZERO), &[1, 2, 3, 4, 5]);
    check(|plan| plan.every(Duration::from_secs(3600)), &[]);
}

#[test]
fn a_checkpoint_is_of_what_is_stored() {
    let sink = Arc::new(MemorySink::new());
    let plan = Checkpoints::of(name(), Kept::default());
    let pending = builder(&sink).with_checkpoints(plan.clone());
    let authorizer = pending.build().unwrap();
    assert_eq!(authorizer.checkpoint().unwrap().tree_head().size, 1);
    work(&authorizer, 1);
    assert_eq!(authorizer.checkpoint().unwrap().tree_head().size, 3);
    let without = builder(&Arc::new(MemorySink::new())).build().unwrap();
    assert!(matches!(without.checkpoint(), Err(AuthorizeError::Misuse(_))));

    // A caller that stores by himself and has not said so yet.
    let caller = Authorizer::builder()
        .policy(testing::baseline())
        .identity(testing::identity_key())
        .sink(Sink::Caller)
        .with_clock(testing::clock())
        .with_checkpoints(plan);
    let authorizer = caller.propose().unwrap().recorded().unwrap();
    let opening = authorizer.propose_open(&testing::scope(), testing::agent()).unwrap();
    assert_eq!(authorizer.checkpoint().unwrap().tree_head().size, 1);
    let _session = opening.recorded().unwrap();
    assert_eq!(authorizer.checkpoint().unwrap().tree_head().size, 2);
}

#[derive(Debug)]
struct Gone(IdentityKey);

impl Signer for Gone {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        if message.starts_with(b"countersign ") {
            return self.0.sign(message);
        }
        Err(SignError::new("the key is out of reach"))
    }
}

#[test]
fn a_key_that_is_out_of_reach_stops_no_work() {
    let (sink, kept) = (Arc::new(MemorySink::new()), Kept::default());
    let plan = Checkpoints::of(name(), kept.clone()).at_each_close();
    let authorizer = Authorizer::builder()
        .policy(testing::baseline())
        .identity(Gone(testing::identity_key()))
        .sink(Sink::blocking(Arc::clone(&sink)))
        .with_clock(testing::clock())
        .with_paths(PurePaths::new())
        .with_checkpoints(plan)
        .build()
        .unwrap();
    work(&authorizer, 1);
    assert_eq!(*kept.0.lock().unwrap(), [Err("the signer failed".to_owned())]);
    assert!(matches!(authorizer.checkpoint(), Err(AuthorizeError::Checkpoint(_))));
    assert!(Verifier::new(testing::trusted_key()).verify(sink.to_ndjson().as_bytes()).is_ok());
}

#[test]
fn a_journal_goes_on_under_its_name_after_a_restart() {
    let (sink, kept) = (Arc::new(MemorySink::new()), Kept::default());
    let plan = Checkpoints::of(name(), kept.clone()).at_each_close();
    let authorizer = builder(&sink).with_checkpoints(plan.clone()).build().unwrap();
    work(&authorizer, 1);
    drop(authorizer);
    let verifier = Verifier::new(testing::trusted_key());
    let stored = verifier.verify(sink.to_ndjson().as_bytes()).unwrap();
    let again = builder(&sink)
        .with_resume(stored.journal_position())
        .with_checkpoints(plan)
        .build()
        .unwrap();
    work(&again, 1);
    let file = sink.to_ndjson();
    let held = kept.all();
    assert_eq!(held.len(), 2);
    let verifier = held.iter().fold(verifier, |verifier, held| verifier.expect_checkpoint(held));
    let verified = verifier.verify(file.as_bytes()).unwrap();
    assert_eq!(verified.anchor, Anchor::Checkpoint { size: 6, witnesses: 0 });

    // Whoever goes on from an older place (a cloned machine, a restored backup) is found out by anybody
    // who has both checkpoints of one size.
    let clone = Arc::new(MemorySink::new());
    let other = Kept::default();
    let forked = builder(&clone)
        .with_resume(stored.journal_position())
        .with_checkpoints(Checkpoints::of(name(), other.clone()).at_each_close())
        .build()
        .unwrap();
    work(&forked, 2);
    let forked = &other.all()[0];
    assert_eq!(forked.tree_head().size, held[1].tree_head().size);
    assert!(Equivocation::between(forked, &held[1]).is_some());
    let refused = Verifier::new(testing::trusted_key()).expect_checkpoint(forked);
    assert_eq!(refused.verify(file.as_bytes()).unwrap_err().check(), Check::Checkpoint);
}

#[test]
fn a_whole_session_cannot_be_taken_out() {
    let sink = Arc::new(MemorySink::new());
    let authorizer = builder(&sink).build().unwrap();
    work(&authorizer, 1);
    work(&authorizer, 2);
    let file = sink.to_ndjson();
    let verifier = Verifier::new(testing::trusted_key());
    let first = verifier.verify(file.as_bytes()).unwrap().sessions[0].session.to_string();
    let of_first = |line: &&str| line.contains(&first);
    // Its own lines alone: the journal counts them.
    let own = |line: &&str| {
        of_first(line) && !line.starts_with("{\"open\"") && !line.starts_with("{\"close\"")
    };
    let cut: String =
        file.lines().filter(|line| !own(line)).map(|line| format!("{line}\n")).collect();
    assert_eq!(verifier.verify(cut.as_bytes()).unwrap_err().check(), Check::Cut);
    // What the journal says of it as well: the chain of the journal is broken.
    let cut: String =
        file.lines().filter(|line| !of_first(line)).map(|line| format!("{line}\n")).collect();
    assert_eq!(verifier.verify(cut.as_bytes()).unwrap_err().check(), Check::Sequence);
    // Withheld with the consent of the reader it is reported.
    let cut: String =
        file.lines().filter(|line| !own(line)).map(|line| format!("{line}\n")).collect();
    let verified = verifier.clone().allow_withheld_sessions().verify(cut.as_bytes()).unwrap();
    assert_eq!(verified.missing().count(), 1);
}

/// What nobody but the holder of an opening may ever read.
const SECRET: &str = "hunter2-planted-and-never-to-be-seen";

#[test]
fn a_planted_secret_is_in_no_line_and_in_its_opening() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let argument = format!("--password={SECRET}");
    drop(session.authorize(Exec::new("git").args(["log", argument.as_str()])).unwrap());
    drop(session.authorize(ReadData::new(format!("{SECRET}/a"))).unwrap());
    drop(session.authorize(Connect::new(format!("{SECRET}.example.org"), 443)).unwrap());
    let arguments =
        Value::parse(format!("{{\"token\":\"{SECRET}\"}}").as_bytes(), &Limits::ARGUMENTS).unwrap();
    drop(session.authorize(ToolCall::new("server", "tool", arguments)).unwrap());
    session.close().unwrap();
    let file = fixture.sink.to_ndjson();
    assert!(!file.contains(SECRET));
    assert!(!format!("{:?}", fixture.sink.openings()).contains(SECRET));
    let opened = fixture.sink.openings().iter().filter(|one| one.value().contains(SECRET)).count();
    assert!(opened >= 4, "{opened}");
}

#[test]
fn one_receipt_is_shown_and_the_others_are_not() {
    let (sink, kept) = (Arc::new(MemorySink::new()), Kept::default());
    let plan = Checkpoints::of(name(), kept.clone()).at_each_close();
    let authorizer = builder(&sink).with_checkpoints(plan).build().unwrap();
    let session = authorizer.open(&testing::scope(), testing::agent()).unwrap();
    drop(session.authorize(ReadData::new("first")).unwrap());
    drop(session.authorize(Connect::new("198.51.100.7", 22)).unwrap());
    drop(session.authorize(ReadData::new("third")).unwrap());
    session.close().unwrap();
    let file = sink.to_ndjson();
    let verified = Verifier::new(testing::trusted_key()).verify(file.as_bytes()).unwrap();
    let id = verified.sessions[0].session;
    let seq = |domain: &str| {
        let own: Vec<&str> = file
            .lines()
            .filter(|line| line.contains(&format!("\"session\":\"{id}\"")))
            .filter(|line| !line.starts_with("{\"open\"") && !line.starts_with("{\"close\""))
            .collect();
        own.iter().position(|line| line.contains(domain)).unwrap() as u64
    };
    let denied = seq("\"domain\":\"infrastructure\"");
    let openings = sink.openings();
    let target: Vec<_> =
        openings.iter().filter(|one| one.name() == "effects/infrastructure/0").cloned().collect();
    let held = kept.all().remove(0);
    let disclosure = Disclosure::gather(file.as_bytes(), &held, id, &[denied], &target).unwrap();
    let line = disclosure.to_line();
    assert!(!line.contains("first") && !line.contains("third"));

    let shown = Disclosure::parse(&line).unwrap().verify(&trust()).unwrap();
    assert_eq!(shown.session, id);
    assert_eq!((shown.lines.len(), shown.incomplete.len()), (1, 0));
    assert!(shown.lines[0].openings[0].value().contains("198.51.100.7"));
    let other = IdentityKey::from_seed(&[77; 32]);
    let stranger = TrustedKey::from_bytes(&other.public_key()).unwrap();
    assert!(disclosure.verify(&CheckpointTrust::new(stranger, name())).is_err());
}
