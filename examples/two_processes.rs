//! A planner hands a narrower scope on to a tester in another process, as a signed token with a budget, and
//! takes what comes back.
//!
//! ```text
//! cargo run --example two_processes
//! ```
//!
//! The second process is this program once more, and the socket between them a pair of pipes. Each has an
//! authorizer, a key, a journal and receipts of its own.

#![allow(clippy::print_stdout, reason = "examples talk to people")]

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{ReadData, SendMessage};
use countersign::audit::replay::{OpeningMap, Replayer};
use countersign::entropy::SystemEntropy;
use countersign::governance::{Budget, DelegationToken, Directory};
use countersign::identity::{SpiffeId, VerifiedIdentity};
use countersign::policy::{Authored, Enforced};
use countersign::receipt::{IdentityKey, MemorySink, Verifier};
use countersign::scope::Scope;
use countersign::session::Handover;
use countersign::time::{Clock as _, SystemClock};
use countersign::{Action, Authorizer, Decision, Session, Sink};

type Done<T = ()> = Result<T, Box<dyn Error>>;

const PLANNER: &str = "spiffe://example.org/agent/planner/1";
const TESTER: &str = "spiffe://example.org/agent/tester/1";

fn main() -> Done {
    match (env::args().nth(1).as_deref(), env::args().nth(2)) {
        (None, _) => planner(),
        (Some("tester"), Some(planner)) => tester(&planner),
        _ => Err("this program takes no arguments".into()),
    }
}

/// The first process: it has the task, starts the second, and hands a part of the task on.
fn planner() -> Done {
    let host = Host::new()?;
    let mut child = Command::new(env::current_exe()?)
        .args(["tester", &host.key.trusted().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut there = child.stdin.take().ok_or("the child has no input")?;
    let mut from_there = BufReader::new(child.stdout.take().ok_or("the child has no output")?);

    // Administrators pin each other's keys; here the first line brings them.
    let hello = line(&mut from_there)?;
    let (audience, key) = hello.split_once(' ').ok_or("the child does not say who it is")?;
    let authorizer = host.authorizer(key, false)?;

    let scope = Scope::parse(planner_scope()?.as_bytes())?;
    // This host answers for the file.
    let trusted = scope.dangerous().trust_unsigned();
    let session = authorizer.open(&trusted, vouched(PLANNER)?)?;
    let narrow = Scope::parse(tester_scope(&scope)?.as_bytes())?;

    let mut budget = Budget::default();
    (budget.actions, budget.per_minute, budget.denials, budget.distinct_targets) = (3, 10, 3, 10);
    let to = SpiffeId::parse(TESTER)?;
    let within = Duration::from_secs(60);
    let handover = Handover { scope: &narrow, to: &to, audience, budget, within };
    let token = session.hand_over(&handover, &*host.key)?;
    let compact = token.as_compact();
    println!("planner  hands on three of its five actions: a token of {} bytes", compact.len());
    ask("planner", &session, SendMessage::new("email", ["team@example.org"]))?;
    writeln!(there, "{compact}")?;

    // What the other process says, and what it signs at the end.
    let returned = loop {
        let said = line(&mut from_there)?;
        match said.strip_prefix("return ") {
            Some(returned) => break returned.to_owned(),
            None => println!("{said}"),
        }
    };
    let returned = session.take_return(&token, returned.as_bytes())?;
    println!(
        "planner  takes what came back: {} actions, {:?}",
        returned.used.actions, returned.labels
    );
    ask("planner", &session, SendMessage::new("email", ["team@example.org"]))?;
    ask("planner", &session, ReadData::new("docs/plan.md"))?;
    ask("planner", &session, ReadData::new("docs/plan.md"))?;
    session.close()?;
    host.audit("planner", &[&scope, &narrow])?;

    drop(there);
    if !child.wait()?.success() {
        return Err("the other process failed".into());
    }
    Ok(())
}

/// The second process. What it prints goes to the first.
fn tester(planner: &str) -> Done {
    let host = Host::new()?;
    let authorizer = host.authorizer(planner, true)?;
    println!("{} {}", authorizer.audience(), host.key.trusted());
    let token = line(&mut io::stdin().lock())?;
    let token = DelegationToken::parse_compact(&token)?;

    let session = authorizer.open_delegated(&token, vouched(TESTER)?)?;
    // Each token opens one session, of the instance that it names.
    for agent in [TESTER, PLANNER] {
        if let Err(error) = authorizer.open_delegated(&token, vouched(agent)?) {
            println!("tester   the token once more, as `{agent}`: {error}");
        }
    }
    ask("tester", &session, ReadData::new("tests/login.rs"))?;
    // Its own scope grants that, and the planner's does not.
    ask("tester", &session, ReadData::new("/srv/billing/prices.md"))?;
    ask("tester", &session, ReadData::table("crm.customers"))?;
    ask("tester", &session, ReadData::new("tests/logout.rs"))?;
    ask("tester", &session, ReadData::new("tests/login.rs"))?;

    let returned = session.sign_return(true, &*host.key)?;
    session.close()?;
    let scopes: Vec<&Scope> = token.delegation().scopes.iter().collect();
    host.audit("tester", &scopes)?;
    println!("return {}", returned.as_str());
    Ok(())
}

/// What each process has of its own.
struct Host {
    key: Arc<IdentityKey>,
    receipts: Arc<MemorySink>,
    policy: Enforced,
}

impl Host {
    fn new() -> Done<Self> {
        let key = Arc::new(IdentityKey::generate(&SystemEntropy)?);
        Ok(Self { key, receipts: Arc::default(), policy: Authored::baseline().load()? })
    }

    /// An authorizer that knows one other, by its key, and whether that one's word hands scopes on.
    fn authorizer(&self, other: &str, delegates: bool) -> Done<Authorizer> {
        let directory = format!(
            r#"{{ "directory": "countersign/directory/v1", "authorizers": [
                {{ "key": "{other}", "trust_domain": "example.org", "delegates": {delegates} }}] }}"#
        );
        Ok(Authorizer::builder()
            .policy(self.policy.clone())
            .identity(Arc::clone(&self.key))
            .sink(Sink::blocking(Arc::clone(&self.receipts)))
            .with_paths(PurePaths::new())
            .with_directory(Directory::parse(directory.as_bytes())?)
            .build()?)
    }

    /// What an auditor finds, who has the receipts, the key, the bundle and the scopes.
    fn audit(&self, who: &str, scopes: &[&Scope]) -> Done {
        let lines = self.receipts.to_ndjson();
        for session in Verifier::new(self.key.trusted()).verify(lines.as_bytes())?.sessions {
            println!("{who:<8} verified {session}");
        }
        let replayer = Replayer::new(&self.policy);
        let replayer = scopes.iter().fold(replayer, |replayer, scope| replayer.with_scope(scope));
        let openings: OpeningMap = self.receipts.openings().into_iter().collect();
        let report = replayer.replay(lines.as_bytes(), openings).report();
        println!("{who:<8} replayed {report}");
        if report.is_same() { Ok(()) } else { Err("something else was decided".into()) }
    }
}

/// Proposes an action, runs what is allowed, and says what came out.
fn ask<A: Action>(who: &str, session: &Session, action: A) -> Done {
    let what = action.kind().into_owned();
    let decision = session.authorize(action)?;
    let target = decision.effects().first().map(|it| it.effect.target().id());
    print!("{who:<8} {:<36} ", format!("{what} {}", target.unwrap_or_default()));
    match decision {
        Decision::Allow(permit) => {
            println!("allowed");
            permit.run(|_granted| Ok::<_, Infallible>(()))?;
        }
        Decision::Defer(deferral) => println!("{deferral}"),
        Decision::Deny(denial) => println!("{denial}"),
    }
    Ok(())
}

/// Each host vouches for the instance that it started itself; `two_agents` shows one that proves a key.
fn vouched(id: &str) -> Done<VerifiedIdentity> {
    Ok(SpiffeId::parse(id)?.dangerous().assume_verified())
}

fn line(from: &mut impl BufRead) -> Done<String> {
    let mut line = String::new();
    match from.read_line(&mut line)? {
        0 => Err("the other process is gone".into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}

fn planner_scope() -> Done<String> {
    let now = SystemClock::new()?.now()?;
    let ends = now.plus(Duration::from_secs(3600));
    Ok(format!(
        r#"{{ "scope": "countersign/scope/v1", "task": "test-login", "owner": "user:dana@example.org",
            "agent": "spiffe://example.org/agent/planner",
            "not_before": "{now}", "expires": "{ends}", "workspace": "/srv/web",
            "do": {{ "messages": ["email:*@example.org"],
                     "spawn": ["spiffe://example.org/agent/tester"] }},
            "touch": {{ "read": ["/srv/web/**", "table:crm.customers"],
                        "labels": [{{ "pattern": "table:crm.customers", "labels": ["personal"] }}] }},
            "limits": {{ "actions": 5, "delegation_depth": 1 }} }}"#
    ))
}

fn tester_scope(parent: &Scope) -> Done<String> {
    let descriptor = parent.descriptor();
    let begins = descriptor.not_before.as_deref().ok_or("the scope has a beginning")?;
    Ok(format!(
        r#"{{ "scope": "countersign/scope/v1", "task": "test-login", "owner": "user:dana@example.org",
            "agent": "spiffe://example.org/agent/tester", "parent": "{}",
            "not_before": "{begins}", "expires": "{}", "workspace": "/srv/web",
            "touch": {{ "read": ["/srv/web/tests/**", "/srv/billing/**", "table:crm.customers"] }} }}"#,
        parent.digest(),
        descriptor.expires
    ))
}
