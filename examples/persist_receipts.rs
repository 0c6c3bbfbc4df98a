//! Receipts on disk: a file sink that survives a crash, going on after one, and a caller that
//! stores the lines by itself.
//!
//! ```text
//! cargo run --example persist_receipts
//! ```

#![allow(clippy::print_stdout, reason = "examples talk to people")]

use std::convert::Infallible;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{ReadData, WriteData};
use countersign::authorizer::{Call, Pending};
use countersign::entropy::{Entropy as _, SystemEntropy};
use countersign::identity::{SpiffeId, VerifiedIdentity};
use countersign::policy::{Authored, Enforced};
use countersign::receipt::{
    Durability, FileSink, Group, IdentityKey, SessionId, Signer as _, TrustedKey, Verified,
    Verifier,
};
use countersign::scope::{Descriptor, Scope, TrustedScope};
use countersign::time::{Clock as _, SystemClock};
use countersign::{Action, Authorizer, Decision, Session, Sink};

fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::new()?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("receipts.ndjson");

    println!("--- a process works, and crashes");
    let session = first_process(&host, &path)?;
    let bytes = cut_last_line_in_half(&path)?;
    println!("the crash tore the last line: {bytes} bytes of the file are left");

    println!("\n--- the next process goes on");
    second_process(&host, &path, session)?;
    println!("\n{}", host.verify(&path)?);

    println!("\n--- a caller stores by itself");
    println!("\n{}", host.verifier()?.verify(store_by_hand(&host)?.as_bytes())?);
    Ok(())
}

/// The first process: its receipts survive `kill -9`.
fn first_process(host: &Host, path: &Path) -> Result<SessionId, Box<dyn Error>> {
    // Openings reveal what receipts hide. They are kept apart, and may be deleted sooner.
    let sink = FileSink::create(path, Durability::ProcessCrash)?
        .with_openings(path.with_extension("openings"))?;
    let authorizer = Authorizer::builder()
        .policy(host.bundle.clone())
        .identity(host.key())
        .sink(Sink::blocking(sink))
        .with_paths(PurePaths::new())
        .build()?;
    let session = authorizer.open(&host.scope, host.agent.clone())?;
    act(&session, ReadData::new("notes.md"))?;
    act(&session, ReadData::new("/etc/shadow"))?;
    act(&session, WriteData::new("report.md"))?;
    // No `close`: that is the crash. Dropping all of it unlocks the file, as the end of a process
    // does.
    Ok(session.id())
}

/// The next process: recover, verify, resume. Its receipts survive the loss of power too.
fn second_process(host: &Host, path: &Path, session: SessionId) -> Result<(), Box<dyn Error>> {
    let recovered = FileSink::recover(path)?;
    println!(
        "recovered: {} bytes stored, {} torn, moved to {:?}",
        recovered.stored_bytes,
        recovered.torn_bytes,
        recovered.torn_path.as_deref().and_then(Path::file_name).unwrap_or_default(),
    );
    // The verifier says where the chains end, and what was allowed and never ended.
    let stored = host.verify(path)?;
    println!("{stored}");
    for call in stored.session(session).map(|report| &report.pending).into_iter().flatten() {
        println!("call {call} was allowed and nobody knows how it ended: look before repeating it");
    }

    let sink = FileSink::append_to(path, Durability::PowerLoss)?
        .with_openings(path.with_extension("openings"))?;
    let authorizer = Authorizer::builder()
        .policy(host.bundle.clone())
        .identity(host.key())
        .sink(Sink::blocking(sink))
        .with_paths(PurePaths::new())
        .with_resume(stored.journal_position())
        .build()?;
    let session = authorizer.resume(&stored, session, &host.scope, host.agent.clone())?;
    act(&session, WriteData::new("report.md"))?;
    session.close()?;
    Ok(())
}

/// No sink at all: the library yields lines and waits for the answer. So receipts can go into a
/// database, in the transaction of the caller.
fn store_by_hand(host: &Host) -> Result<String, Box<dyn Error>> {
    let mut table = Table::default();
    let authorizer = Authorizer::builder()
        .policy(host.bundle.clone())
        .identity(host.key())
        .sink(Sink::Caller)
        .with_paths(PurePaths::new())
        .propose()?;
    let authorizer = table.store(authorizer)?;
    let session = table.store(authorizer.propose_open(&host.scope, host.agent.clone())?)?;

    // The decision is inside of what is pending, and comes out once its lines are stored.
    let decision = session.propose(ReadData::new("notes.md"), &Call::new().txn("order-66")?)?;
    match table.store(decision)? {
        Decision::Allow(permit) => permit.run(|_granted| Ok::<_, Infallible>(()))?,
        Decision::Defer(deferral) => println!("{deferral}"),
        Decision::Deny(denial) => println!("{denial}"),
    }
    // Outcomes are reported where nobody can wait; they are fetched.
    for outcome in session.take_unstored() {
        table.store(outcome)?;
    }
    table.store(session.propose_close()?)?;
    Ok(table.lines)
}

/// What stands for the caller's database.
#[derive(Default)]
struct Table {
    lines: String,
}

impl Table {
    /// Stores the lines of `pending`, and takes out what they held back.
    fn store<T>(&mut self, pending: Pending<T>) -> Result<T, Box<dyn Error>> {
        // Were the insert to fail, dropping `pending` would poison the session: nothing goes on
        // that is not on record.
        self.insert(pending.group());
        Ok(pending.recorded()?)
    }

    fn insert(&mut self, group: &Group) {
        for line in &group.lines {
            println!("insert {:<8} {}", line.kind().to_string(), line.link());
        }
        group.write_ndjson(&mut self.lines);
    }
}

/// Asks, says what came out, and runs what is allowed.
fn act<A: Action>(session: &Session, action: A) -> Result<(), Box<dyn Error>> {
    let kind = action.kind();
    match session.authorize(action)? {
        Decision::Allow(permit) => {
            permit.run(|_granted| Ok::<_, Infallible>(()))?;
            println!("{kind}: allowed, and done");
        }
        Decision::Defer(deferral) => println!("{kind}: {deferral}"),
        Decision::Deny(denial) => println!("{kind}: {denial}"),
    }
    Ok(())
}

fn cut_last_line_in_half(path: &Path) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    let last = text.lines().next_back().ok_or("the file is empty")?;
    let left = (text.len() - 1 - last.len() / 2) as u64;
    OpenOptions::new().write(true).open(path)?.set_len(left)?;
    Ok(left)
}

/// What both processes are set up with.
struct Host {
    seed: [u8; 32],
    bundle: Enforced,
    scope: TrustedScope,
    agent: VerifiedIdentity,
}

impl Host {
    fn new() -> Result<Self, Box<dyn Error>> {
        let mut seed = [0; 32];
        SystemEntropy.fill(&mut seed)?;
        let expires = SystemClock::new()?.now()?.plus(Duration::from_secs(3600)).to_string();
        let class = "spiffe://example.org/agent/writer";
        let mut task = Descriptor::new(
            "weekly-report",
            "user:dana@example.org",
            class,
            expires,
            "/srv/report",
        );
        task.touch.read = vec!["/srv/report/**".into()];
        task.touch.write = vec!["/srv/report/report.md".into()];
        let agent = SpiffeId::parse("spiffe://example.org/agent/writer/instance/1")?;
        Ok(Self {
            seed,
            bundle: Authored::baseline().load()?,
            scope: Scope::from_descriptor(&task)?.dangerous().trust_unsigned(),
            agent: agent.dangerous().assume_verified(),
        })
    }

    fn key(&self) -> IdentityKey {
        IdentityKey::from_seed(&self.seed)
    }

    fn verifier(&self) -> Result<Verifier, Box<dyn Error>> {
        Ok(Verifier::new(TrustedKey::from_bytes(&self.key().public_key())?))
    }

    fn verify(&self, path: &Path) -> Result<Verified, Box<dyn Error>> {
        Ok(self.verifier()?.verify(BufReader::new(File::open(path)?))?)
    }
}
