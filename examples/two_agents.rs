//! Two agents on one task: a planner hands a narrower scope on to a reader. What one uses and touches, both
//! have used and touched; who stops the planner stops both.
//!
//! ```text
//! cargo run --example two_agents
//! ```
//!
//! The agents are a script. Everything else is what a real host would have.

#![allow(clippy::print_stdout, reason = "examples talk to people")]

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{ReadData, SendMessage};
use countersign::audit::replay::{OpeningMap, Replayer};
use countersign::authorizer::{Finding, FindingHook, Halt};
use countersign::entropy::SystemEntropy;
use countersign::governance::{Directory, RevocationDraft, RevocationList, Revoked, SignedScope};
use countersign::identity::{
    Answer, Challenge, IdentityVerifier as _, PossessionVerifier, PrincipalKind, SpiffeId,
    VerifiedIdentity,
};
use countersign::policy::Authored;
use countersign::receipt::{IdentityKey, MemorySink, Verifier};
use countersign::scope::{Scope, lint_child};
use countersign::time::{Clock as _, SystemClock, Timestamp};
use countersign::{Action, Authorizer, Decision, Session, Sink};

const OWNER: &str = "user:dana@example.org";
const TASK: &str = "release-notes";
const HOST: &str = "build-host-3";

fn main() -> Result<(), Box<dyn Error>> {
    // Once per process. Dana gives tasks to planners, and may take back what she gave.
    let clock = Arc::new(SystemClock::new()?);
    let dana = IdentityKey::generate(&SystemEntropy)?;
    let directory = directory(&dana)?;
    let policy = Authored::baseline().load()?;
    let host = IdentityKey::generate(&SystemEntropy)?;
    let trusted = host.trusted();
    let receipts = Arc::new(MemorySink::new());
    let authorizer = Authorizer::builder()
        .policy(policy.clone())
        .identity(host)
        .sink(Sink::blocking(Arc::clone(&receipts)))
        .with_clock(Arc::clone(&clock))
        .with_paths(PurePaths::new())
        .with_directory(directory.clone())
        .with_findings(Told)
        .build()?;
    let verifier = PossessionVerifier::new(HOST, Arc::clone(&clock), SystemEntropy)?;

    // The task, signed by its owner, and an instance that proves who it is.
    let now = clock.now()?;
    let task = Scope::parse(planner_scope(now).as_bytes())?;
    let task = SignedScope::sign(&task, &dana)?.verify(&directory, now, None)?;
    let planner = authorizer.open(&task, start(&verifier, "planner/1", PrincipalKind::Agent)?)?;

    // The planner writes the reader's scope by itself. Nobody need answer for it: the reader may do what
    // both scopes grant. The lint says what is written there in vain.
    let narrow = Scope::parse(reader_scope(now, task.scope()).as_bytes())?;
    for finding in lint_child(task.scope(), &narrow) {
        println!("lint     {finding}");
    }
    let reader =
        planner.delegate(&narrow, start(&verifier, "reader/1", PrincipalKind::SubAgent)?)?;

    println!("\n--- the reader may do what both scopes grant");
    ask("reader", &reader, ReadData::new("docs/changes.md"))?;
    ask("reader", &reader, ReadData::new("/srv/billing/prices.md"))?;
    ask("reader", &reader, ReadData::new("src/main.rs"))?;
    ask("planner", &planner, ReadData::new("src/main.rs"))?;

    println!("\n--- what the reader touches, the planner has touched");
    let mail = || SendMessage::new("email", ["team@example.org"]);
    ask("planner", &planner, mail())?;
    ask("reader", &reader, ReadData::table("crm.customers"))?;
    ask("planner", &planner, mail())?;

    println!("\n--- somebody stops the reader; the planner goes on, with another one");
    authorizer.halt(&Halt::Session(reader.id()), "it reads more than the notes need")?;
    ask("reader", &reader, ReadData::new("docs/changes.md"))?;
    let second =
        planner.delegate(&narrow, start(&verifier, "reader/2", PrincipalKind::SubAgent)?)?;

    println!("\n--- the task had six actions, whoever took them");
    for _ in 0..2 {
        ask("reader 2", &second, ReadData::new("docs/changes.md"))?;
    }
    ask("reader 2", &second, ReadData::new("docs/changes.md"))?;
    ask("planner", &planner, ReadData::new("docs/changes.md"))?;

    println!("\n--- Dana takes the task back");
    let list = RevocationDraft::new(OWNER, 1, clock.now()?)
        .revoke(Revoked::Task { owner: OWNER.into(), task: TASK.into() })
        .sign(&dana)?;
    let list = RevocationList::parse(list.as_bytes())?.verify(&directory, clock.now()?)?;
    authorizer.revoke(&list)?;
    ask("planner", &planner, ReadData::new("docs/changes.md"))?;
    ask("reader 2", &second, ReadData::new("docs/changes.md"))?;

    // Whoever is stopped can still be closed: that is how its chain ends.
    for session in [&second, &reader, &planner] {
        session.close()?;
    }

    println!("\n--- an auditor, who has the receipts, the public key, the bundle and both scopes");
    let lines = receipts.to_ndjson();
    let verified = Verifier::new(trusted).verify(lines.as_bytes())?;
    for session in &verified.sessions {
        println!("verified {session}");
    }
    let openings: OpeningMap = receipts.openings().into_iter().collect();
    let replayer = Replayer::new(&policy).with_scope(task.scope()).with_scope(&narrow);
    let report = replayer.replay(lines.as_bytes(), openings).report();
    println!("replayed {report}");
    if !report.is_same() {
        return Err("something else was decided than the receipts say".into());
    }
    Ok(())
}

/// Proposes an action, runs what is allowed, and says what came out.
fn ask<A: Action>(who: &str, session: &Session, action: A) -> Result<(), Box<dyn Error>> {
    let what = action.kind().into_owned();
    let decision = session.authorize(action)?;
    let target = decision.effects().first().map(|it| it.effect.target().id());
    print!("{who:<8} {:<36}", format!("{what} {}", target.unwrap_or_default()));
    match decision {
        Decision::Allow(permit) => {
            println!(" allowed");
            permit.run(|_granted| Ok::<_, Infallible>(()))?;
        }
        Decision::Defer(deferral) => println!(" {deferral}"),
        Decision::Deny(denial) => println!(" {denial}"),
    }
    Ok(())
}

/// Starts an instance with a key of its own, and has it prove that it holds that key.
fn start(
    verifier: &PossessionVerifier,
    name: &str,
    kind: PrincipalKind,
) -> Result<VerifiedIdentity, Box<dyn Error>> {
    let id = SpiffeId::parse(&format!("spiffe://example.org/agent/{name}"))?;
    let key = IdentityKey::generate(&SystemEntropy)?;
    verifier.enroll(&id, key.trusted(), kind)?;
    let to_instance = verifier.challenge(&id)?.to_json();
    // In the instance, which alone has the key; the texts cross a socket.
    let to_host = Challenge::parse(to_instance.as_bytes())?.answer(HOST, &id, &key)?.to_json();
    Ok(verifier.verify(&Answer::parse(to_host.as_bytes())?)?)
}

/// What the host is told at once. A real one puts it on a queue.
#[derive(Debug)]
struct Told;

impl FindingHook for Told {
    fn found(&self, finding: &Finding<'_>) {
        println!("  told   {finding}");
    }
}

fn directory(dana: &IdentityKey) -> Result<Directory, Box<dyn Error>> {
    let text = format!(
        r#"{{ "directory": "countersign/directory/v1", "people": [
            {{ "id": "{OWNER}", "kind": "human", "keys": ["{}"], "revokes": true,
               "issues": ["spiffe://example.org/agent/planner"] }} ] }}"#,
        dana.trusted()
    );
    Ok(Directory::parse(text.as_bytes())?)
}

fn planner_scope(now: Timestamp) -> String {
    let ends = now.plus(Duration::from_secs(3600));
    format!(
        r#"{{ "scope": "countersign/scope/v1", "task": "{TASK}", "owner": "{OWNER}",
            "agent": "spiffe://example.org/agent/planner",
            "not_before": "{now}", "expires": "{ends}", "workspace": "/srv/web",
            "do": {{ "messages": ["email:*@example.org"],
                     "spawn": ["spiffe://example.org/agent/reader"] }},
            "touch": {{ "read": ["/srv/web/**", "table:crm.customers"],
                        "labels": [{{ "pattern": "table:crm.customers", "labels": ["personal"] }}] }},
            "limits": {{ "actions": 6, "delegation_depth": 1, "delegates": 2 }} }}"#
    )
}

/// Narrower than its parent in one place, and wider in another.
fn reader_scope(now: Timestamp, parent: &Scope) -> String {
    let ends = now.plus(Duration::from_secs(1800));
    format!(
        r#"{{ "scope": "countersign/scope/v1", "task": "{TASK}", "owner": "{OWNER}",
            "agent": "spiffe://example.org/agent/reader", "parent": "{}",
            "not_before": "{now}", "expires": "{ends}", "workspace": "/srv/web",
            "touch": {{ "read": ["/srv/web/docs/**", "/srv/billing/**", "table:crm.customers"] }},
            "limits": {{ "actions": 5 }} }}"#,
        parent.digest()
    )
}
