//! A person in a terminal answers for what an agent may not do by itself: it is shown the exact action,
//! says yes or no, and signs; then the agent asks again.
//!
//! ```text
//! cargo run --example human_approval              # asks you
//! cargo run --example human_approval -- --yes     # somebody who agrees
//! cargo run --example human_approval -- --no      # somebody who does not
//! ```
//!
//! Where nobody sits at a terminal, nobody has agreed: the action stays deferred.

#![allow(clippy::print_stdout, reason = "examples talk to people")]

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{DeleteData, ReadData};
use countersign::authorizer::Call;
use countersign::entropy::SystemEntropy;
use countersign::governance::approval::{Ballot, Need, Vote};
use countersign::governance::{
    Approval, ApprovalRequest, Approver, Directory, Review, SignedScope,
};
use countersign::identity::SpiffeId;
use countersign::policy::Authored;
use countersign::receipt::{Body, IdentityKey, MemorySink, ParsedLine, Verifier};
use countersign::scope::{Descriptor, Scope};
use countersign::time::{Clock, SystemClock};
use countersign::{Action, Authorizer, Decision, Sink};

const DANA: &str = "user:dana@example.org";
const BEN: &str = "user:ben@example.org";

/// How long people may take.
const WITHIN: Duration = Duration::from_secs(300);

fn main() -> Result<(), Box<dyn Error>> {
    let answers = match env::args().nth(1).as_deref() {
        None => Answers::Typed,
        Some("--yes") => Answers::Always(Vote::Approve),
        Some("--no") => Answers::Always(Vote::Reject),
        Some(_) => return Err("the arguments are `--yes`, `--no`, or none".into()),
    };
    let clock = Arc::new(SystemClock::new()?);

    // Once for a team: whose key is whose. Dana gives tasks to agents, Ben answers for the data. No
    // agent can reach either key.
    let dana = IdentityKey::generate(&SystemEntropy)?;
    let ben = IdentityKey::generate(&SystemEntropy)?;
    let directory = directory(&dana, &ben)?;

    // Once per process.
    let host = IdentityKey::generate(&SystemEntropy)?;
    let trusted = host.trusted();
    let receipts = Arc::new(MemorySink::new());
    let authorizer = Authorizer::builder()
        .policy(Authored::baseline().load()?)
        .identity(host)
        .sink(Sink::blocking(Arc::clone(&receipts)))
        .with_clock(Arc::clone(&clock))
        .with_paths(PurePaths::new())
        .with_directory(directory.clone())
        .build()?;

    // Once per task: Dana writes and signs what it may do, and the host holds that against the directory.
    let now = clock.now()?;
    let scope =
        SignedScope::sign(&scope(&now.to_string(), now.plus(WITHIN * 2).to_string())?, &dana)?;
    let scope = scope.verify(&directory, now, None)?;
    let agent = SpiffeId::parse("spiffe://example.org/agent/archivist/1")?;
    let session = authorizer.open(&scope, agent.dangerous().assume_verified())?;

    // Who is asked, and how.
    let terminal = Terminal { answers, person: BEN, key: ben, clock };

    let ask =
        |action: DeleteData| session.authorize_or_ask(action, &Call::new(), &terminal, WITHIN);
    println!("the agent reads the orders of 2019");
    done(session.authorize(ReadData::table("crm.orders_2019"))?)?;
    println!("the agent deletes them, which nobody can undo");
    done(ask(DeleteData::table("crm.orders_2019"))?)?;
    // One approval is for one time, and a rejection is remembered.
    println!("the agent tries the same once more");
    done(session.authorize(DeleteData::table("crm.orders_2019"))?)?;
    // What the task was not given is not put before people.
    println!("the agent deletes the customers");
    done(ask(DeleteData::table("crm.customers"))?)?;
    session.close()?;

    // What an auditor sees. The acts of people stand on the same chain as the calls of the agent.
    let lines = receipts.to_ndjson();
    println!();
    for line in lines.lines() {
        if let Body::Receipt(receipt) = ParsedLine::parse(line.as_bytes())?.body {
            let reasons = receipt.effects.iter().flat_map(|effect| effect.reasons.iter());
            let approvals = receipt.approvals.iter();
            let said: String = reasons
                .map(|reason| format!(" {reason}"))
                .chain(approvals.map(|it| format!(" by {} as `{}`", it.approver, it.quorum)))
                .collect();
            let decision = receipt.decision.as_str();
            println!("call {} {decision:<5} {}{said}", receipt.call, receipt.action.kind);
        }
    }
    let verified = Verifier::new(trusted).verify(lines.as_bytes())?;
    for session in &verified.sessions {
        println!("verified {session}");
    }
    Ok(())
}

/// Shows requests in a terminal, and signs with the key of the person who sits there.
///
/// A real one is a program of its own, which the person trusts: it parses the request, and hands the
/// signed answer back.
#[derive(Debug)]
struct Terminal {
    answers: Answers,
    person: &'static str,
    key: IdentityKey,
    clock: Arc<SystemClock>,
}

#[derive(Debug, Clone, Copy)]
enum Answers {
    Typed,
    Always(Vote),
}

impl Approver for Terminal {
    fn review(&self, request: &ApprovalRequest) -> Review {
        println!();
        for line in request.to_string().lines() {
            println!("  | {line}");
        }
        if !request.is_complete() {
            println!("  | nobody can agree to what is not shown\n");
            return Review::Unavailable;
        }
        let vote = match self.answers {
            Answers::Always(vote) => Some(vote),
            Answers::Typed => read_vote().unwrap_or_default(),
        };
        let Some(vote) = vote else {
            println!("  | nobody is there\n");
            return Review::Unavailable;
        };
        println!("  | {}: {}\n", self.person, vote.as_str());
        self.sign(request, vote).map_or(Review::Unavailable, Review::Decided)
    }
}

impl Terminal {
    /// Signs one answer for each quorum that is asked. Whether the person is in it, the directory says.
    fn sign(&self, request: &ApprovalRequest, vote: Vote) -> Result<Vec<Approval>, Box<dyn Error>> {
        let at = self.clock.now()?;
        let expires = at.plus(Duration::from_secs(60)).min(request.expires());
        let approver = self.person;
        let sign = |need: &Need| {
            let ballot =
                Ballot { domain: need.domain, quorum: &need.quorum, approver, vote, at, expires };
            Approval::sign(request, ballot, &self.key)
        };
        Ok(request.needs().iter().map(sign).collect::<Result<_, _>>()?)
    }
}

/// Reads yes or no. No terminal, or its end, is neither, and no answer is made up.
fn read_vote() -> io::Result<Option<Vote>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(None);
    }
    loop {
        print!("  | may it? [y/n] ");
        io::stdout().flush()?;
        let mut line = String::new();
        if stdin.lock().read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim() {
            "y" | "yes" => return Ok(Some(Vote::Approve)),
            "n" | "no" => return Ok(Some(Vote::Reject)),
            _ => {}
        }
    }
}

/// Runs what is allowed, and says what came out.
fn done<A: Action>(decision: Decision<A>) -> Result<(), Box<dyn Error>> {
    match decision {
        Decision::Allow(permit) => {
            permit.run(|_granted| Ok::<_, Infallible>(()))?;
            println!("  allowed, and done");
        }
        Decision::Defer(deferral) => println!("  {deferral}"),
        Decision::Deny(denial) => println!("  {denial}"),
    }
    Ok(())
}

fn directory(dana: &IdentityKey, ben: &IdentityKey) -> Result<Directory, Box<dyn Error>> {
    let text = format!(
        r#"{{ "directory": "countersign/directory/v1", "people": [
            {{ "id": "{DANA}", "kind": "human", "keys": ["{}"],
               "issues": ["spiffe://example.org/agent/archivist"] }},
            {{ "id": "{BEN}", "kind": "human", "keys": ["{}"], "roles": ["data-owner"] }} ] }}"#,
        dana.trusted(),
        ben.trusted()
    );
    Ok(Directory::parse(text.as_bytes())?)
}

fn scope(begins: &str, ends: String) -> Result<Scope, Box<dyn Error>> {
    let class = "spiffe://example.org/agent/archivist";
    let mut scope = Descriptor::new("tidy-orders", DANA, class, ends, "/srv/crm");
    scope.not_before = Some(begins.to_owned());
    scope.touch.read = vec!["table:crm.orders_*".into()];
    scope.touch.delete = vec!["table:crm.orders_*".into()];
    Ok(Scope::from_descriptor(&scope)?)
}
