//! A process that is killed: what was released is on record, and the chain goes on from what is.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign::action::ReadData;
use countersign::action::path::PurePaths;
use countersign::receipt::{Durability, FileSink, Verified, Verifier};
use countersign::testing;
use countersign::{Authorizer, Sink};

use crate::support;

/// Where the child writes; the variable also tells the test that it is the child.
const RECEIPTS: &str = "COUNTERSIGN_TEST_RECEIPTS";

fn build(
    sink: FileSink,
) -> countersign::authorizer::AuthorizerBuilder<countersign::authorizer::Ready> {
    Authorizer::builder()
        // Small, because each child loads it anew.
        .policy(support::bundle(r#"@id("all") permit(principal, action, resource);"#))
        .identity(testing::identity_key())
        .sink(Sink::blocking(sink))
        .with_clock(testing::clock())
        .with_paths(PurePaths::new())
}

/// Runs until it is killed: after each permit it says so, and then runs the action.
fn child(path: &Path) {
    let sink = FileSink::create(path, Durability::ProcessCrash).unwrap();
    let authorizer = build(sink).build().unwrap();
    let session = authorizer.open(&testing::scope(), testing::agent()).unwrap();
    for call in 1.. {
        let permit = session.authorize(ReadData::new("a")).unwrap().permit();
        // Past the limits nothing more is released; the parent has long killed us.
        let Some(permit) = permit else { return std::thread::park() };
        eprintln!("released {call}");
        permit.run(|_| Ok::<_, std::io::Error>(())).unwrap();
    }
}

fn verify(path: &Path) -> Verified {
    let lines = BufReader::new(std::fs::File::open(path).unwrap());
    Verifier::new(testing::trusted_key()).verify(lines).unwrap()
}

/// Starts this test binary again as the child and kills it once it has released `steps` permits.
fn run_and_kill(path: &Path, steps: usize) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::killed_at_every_step", "--nocapture", "--test-threads=1"])
        .env(RECEIPTS, path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
    for step in 1..=steps {
        let line = said.by_ref().map(Result::unwrap).find(|line| line.starts_with("released"));
        assert_eq!(line, Some(format!("released {step}")));
    }
    // SIGKILL on Unix: nothing is flushed, nothing is dropped.
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the variable tells the child from the parent")]
fn killed_at_every_step() {
    if let Some(path) = std::env::var_os(RECEIPTS) {
        return child(&PathBuf::from(path));
    }
    let directory = tempfile::tempdir().unwrap();
    for steps in [1, 2, 3, 7] {
        let path = directory.path().join(format!("receipts-{steps}.ndjson"));
        run_and_kill(&path, steps);
        let recovered = FileSink::recover(&path).unwrap();
        let stored = verify(&path);
        let report = &stored.sessions[0];
        assert!(report.allowed >= steps as u64, "{} of {steps} are on record", report.allowed);
        assert!(report.closed.is_none() && recovered.stored_bytes > 0);

        // A new process goes on: a new epoch in the journal, and the session where it stood.
        let sink = FileSink::append_to(&path, Durability::PowerLoss).unwrap();
        let authorizer = build(sink).with_resume(stored.journal_position()).build().unwrap();
        let session = authorizer
            .resume(&stored, report.session, &testing::scope(), testing::agent())
            .unwrap();
        let permit = session.authorize(ReadData::new("b")).unwrap().permit().unwrap();
        assert_eq!(permit.call(), report.calls + 1);
        permit.run(|_| Ok::<_, std::io::Error>(())).unwrap();
        session.close().unwrap();
        let again = verify(&path);
        assert_eq!(again.journal.position.epoch, 2);
        let resumed = again.session(report.session).unwrap();
        assert_eq!(resumed.resumed, 1);
        assert_eq!(resumed.allowed, report.allowed + 1);
        assert!(resumed.closed.is_some());
    }
}

#[test]
fn a_session_is_resumed_only_by_its_own_agent_on_its_own_scope() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("receipts.ndjson");
    let sink = FileSink::create(&path, Durability::ProcessCrash).unwrap();
    let authorizer = build(sink).build().unwrap();
    let session = authorizer.open(&testing::scope(), testing::agent()).unwrap();
    let id = session.id();
    drop(session.authorize(ReadData::new("a").classes(["secret"])).unwrap());
    let same_epoch = authorizer.resume(&verify(&path), id, &testing::scope(), testing::agent());
    assert!(same_epoch.unwrap_err().to_string().contains("its epoch is not over"));
    drop((session, authorizer));

    let stored = verify(&path);
    let sink = FileSink::append_to(&path, Durability::ProcessCrash).unwrap();
    let authorizer = build(sink).with_resume(stored.journal_position()).build().unwrap();
    let refused = |scope: &str, agent: &str, expected: &str| {
        let agent = countersign::identity::SpiffeId::parse(agent).unwrap();
        let agent = agent.dangerous().assume_verified();
        let scope = testing::trusted(scope).unwrap();
        let error = authorizer.resume(&stored, id, &scope, agent).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    let own = "spiffe://example.org/agent/coder/i-1";
    refused(testing::SCOPE, "spiffe://example.org/agent/coder/i-2", "another agent");
    let wider = testing::SCOPE.replace("\"actions\": 200", "\"actions\": 2000");
    refused(&wider, own, "another scope");
    let session = authorizer.resume(&stored, id, &testing::scope(), testing::agent()).unwrap();
    // What was read before the restart still counts.
    drop(session.authorize(ReadData::new("b")).unwrap());
    assert_eq!(verify(&path).session(id).unwrap().labels, ["secret"]);
    session.close().unwrap();
    let closed = verify(&path);
    let again = authorizer.resume(&closed, id, &testing::scope(), testing::agent());
    assert!(again.is_err(), "a session that has ended does not go on");
}
