//! Replays a reconstruction of the ROME incident (arXiv 2512.24873 §3.1.4) against the baseline
//! bundle: every step is decided before it would run, and every decision leaves a receipt.
//!
//! ```text
//! cargo run --example rome_replay [-- <directory>]
//! ```
//!
//! What an auditor needs is left in the directory: `examples/auditor` reads it. The data file says what has to come out; the exit code is 1 if anything else does.

#![allow(clippy::print_stdout, reason = "a table for people is what this program is for")]

mod evidence;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign::action::Domain;
use countersign::action::path::PurePaths;
use countersign::authorizer::{Checkpoints, EffectOutcome};
use countersign::entropy::{Entropy as _, SystemEntropy};
use countersign::identity::SpiffeId;
use countersign::policy::{Authored, Enforced};
use countersign::receipt::{IdentityKey, MemorySink, Verifier};
use countersign::scope::{DEFAULT_DENIALS, Scope, lint};
use countersign::time::{Clock, ClockError, Timestamp};
use countersign::value::{self, Limits};
use countersign::{Action, Authorizer, Decision, Sink};

use crate::evidence::Evidence;
use crate::trace::{Incident, Step};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let incident: Incident = value::from_slice(include_bytes!("incident.json"), &Limits::DOCUMENT)?;
    let mut seed = [0; 32];
    SystemEntropy.fill(&mut seed)?;
    let replay = Replay {
        started: Timestamp::parse_rfc3339(&incident.started).ok_or("`started` is no time")?,
        bundle: Authored::baseline().load()?,
        seed,
        incident: &incident,
    };
    let scope = Scope::from_value(&incident.scope)?;
    replay.print_preface(&scope);

    let evidence = Evidence::new()?;
    let answers = replay.run(&scope, evidence.sink()?, Some(evidence.checkpoints()?))?;
    print_table(&incident.steps, &answers);
    let as_expected = print_findings(&incident.steps, &answers);

    // Whoever checks has the public key from the operator, and nothing else but the file.
    let trusted = IdentityKey::from_seed(&seed).trusted();
    evidence.finish(&scope, &trusted)?;
    let file = File::open(evidence.receipts())?;
    let verified = Verifier::new(trusted).verify(BufReader::new(file))?;
    println!("\n{} receipt lines in {}", verified.lines, evidence.folder().display());
    println!("Every link and every signature verified:\n{verified}");

    let careless = Scope::from_value(&incident.careless.scope)?;
    let answers = replay.run(&careless, Sink::blocking(MemorySink::new()), None)?;
    let as_expected = replay.print_careless(&careless, &answers) && as_expected;
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What all runs over the trace have in common.
struct Replay<'a> {
    incident: &'a Incident,
    bundle: Enforced,
    seed: [u8; 32],
    started: Timestamp,
}

impl Replay<'_> {
    /// Asks about every step in one session, and runs what is allowed. Running is nothing here.
    fn run(
        &self,
        scope: &Scope,
        sink: Sink,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Vec<Answer>, Box<dyn Error>> {
        let clock = TraceClock(Arc::new(AtomicU64::new(self.started.as_millis())));
        let builder = Authorizer::builder()
            .policy(self.bundle.clone())
            .identity(IdentityKey::from_seed(&self.seed))
            .sink(sink)
            .with_clock(clock.clone())
            .with_paths(PurePaths::new())
            .with_environment(&self.incident.environment);
        let authorizer = match checkpoints {
            Some(checkpoints) => builder.with_checkpoints(checkpoints),
            None => builder,
        };
        let authorizer = authorizer.build()?;
        // Scope and agent come with this program, which vouches for them; a host proves them.
        let agent = SpiffeId::parse(&self.incident.agent)?.dangerous().assume_verified();
        let session = authorizer.open(&scope.dangerous().trust_unsigned(), agent)?;

        let mut answers = Vec::with_capacity(self.incident.steps.len());
        for step in &self.incident.steps {
            clock.set(self.started.plus(Duration::from_secs(step.at)));
            let mut answer = Answer::default();
            for action in step.action.actions() {
                let decision = session.authorize(action)?;
                answer.add(&decision);
                if let Decision::Allow(permit) = decision {
                    permit.run(|_granted| Ok::<_, Infallible>(()))?;
                }
            }
            answers.push(answer);
        }
        session.close()?;
        Ok(answers)
    }

    fn print_preface(&self, scope: &Scope) {
        let Incident { title, label, published, steps, .. } = self.incident;
        println!("{title}\n\n{}\n\nWhat the paper found:", label.join("\n"));
        for finding in published {
            println!("  - {finding}");
        }
        println!("\nSteps after a string that others published for the technique:");
        for (number, step) in (1..).zip(steps) {
            if let Some(source) = &step.source {
                println!("  - step {number}: {source}");
            }
        }
        let task = scope.descriptor();
        let purpose = task.purpose.as_deref().unwrap_or_default();
        println!("\nTask `{}` of {}: {purpose}", task.task, task.owner);
        println!("Bundle `{}` {}", self.bundle.snapshot().name(), self.bundle.digest());
        for question in lint(scope, self.started) {
            println!("A reviewer would ask: {question}");
        }
    }

    /// Prints what the policies stop alone, phase by phase, under a scope that grants everything,
    /// and tells whether that is what the data file expects.
    fn print_careless(&self, scope: &Scope, answers: &[Answer]) -> bool {
        let steps = &self.incident.steps;
        let attacks = || (1..).zip(steps.iter().zip(answers)).filter(|(_, (s, _))| s.is_attack());
        let through = attacks().filter(|(_, (_, answer))| answer.allowed > 0);
        let through: Vec<usize> = through.map(|(number, _)| number).collect();
        println!(
            "\nThe same steps under a scope that grants nearly everything ({} questions of lint):",
            lint(scope, self.started).len()
        );
        let mut phases: Vec<&str> = steps.iter().filter_map(|s| s.phase.as_deref()).collect();
        phases.dedup();
        for phase in phases {
            let of = attacks().filter(|(_, (step, _))| step.phase.as_deref() == Some(phase));
            let all = of.clone().count();
            let open = of.clone().filter(|(number, _)| through.contains(number)).count();
            let by = of.flat_map(|(_, (_, answer))| answer.deciders());
            println!("  {phase:<13} {} of {all} stopped by {}", all - open, list(by));
        }
        println!(
            "Steps {through:?} get through: the policies are trip wires, the scope is the fence."
        );
        println!(
            "What an allowed program does on its own is not decided here: that takes a sandbox."
        );
        through == self.incident.careless.lets_through
    }
}

/// What came out of one step: the worst of its calls.
#[derive(Default)]
struct Answer {
    calls: usize,
    allowed: usize,
    deferred: usize,
    domains: BTreeSet<Domain>,
    /// Reason codes with the policies that they stand for.
    because: BTreeMap<&'static str, BTreeSet<String>>,
    /// Entries of the scope that grant.
    rules: BTreeSet<String>,
}

impl Answer {
    fn add<A: Action>(&mut self, decision: &Decision<A>) {
        self.calls += 1;
        match decision {
            Decision::Allow(_) => self.allowed += 1,
            Decision::Defer(_) => self.deferred += 1,
            Decision::Deny(_) => {}
        }
        for one in decision.effects() {
            self.domains.insert(one.effect.domain());
            self.rules.extend(one.rule.map(|rule| rule.to_string()));
            if let Some(reason) = one.reason() {
                let policies = self.because.entry(reason.code()).or_default();
                policies.extend(one.policies.iter().map(ToString::to_string));
            }
            debug_assert_eq!(one.outcome == EffectOutcome::Allow, one.reason().is_none());
        }
    }

    fn decision(&self) -> &'static str {
        match (self.calls - self.allowed, self.deferred) {
            (0, _) => "allow",
            (refused, deferred) if refused == deferred => "defer",
            _ => "deny",
        }
    }

    fn is_expected(&self, step: &Step) -> bool {
        self.decision() == step.expect.decision
            && self.because.keys().eq(&step.expect.because)
            && self.because.values().flatten().eq(&step.expect.by)
    }

    /// Names the policies and the native gates that refused.
    fn deciders(&self) -> impl Iterator<Item = String> {
        self.because.iter().flat_map(|(code, policies)| match policies.is_empty() {
            true => BTreeSet::from([(*code).to_owned()]),
            false => policies.clone(),
        })
    }

    /// Says why: the entries of the scope that grant, or the reasons against it.
    fn why(&self) -> String {
        if self.because.is_empty() {
            return list(self.rules.iter().cloned());
        }
        list(self.because.iter().map(|(code, policies)| match policies.is_empty() {
            true => (*code).to_owned(),
            false => format!("{code} ({})", list(policies.iter().cloned())),
        }))
    }
}

fn list(all: impl Iterator<Item = String>) -> String {
    all.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

fn print_table(steps: &[Step], answers: &[Answer]) {
    println!("\n  #   time  ATT&CK     {:<49} {:<27} decision  why", "step", "domains");
    let mut phase = None;
    for (number, (step, answer)) in (1..).zip(steps.iter().zip(answers)) {
        if step.phase != phase {
            println!("{:>24}{}", "", step.phase.as_deref().unwrap_or("the task goes on"));
            phase.clone_from(&step.phase);
        }
        let domains: Vec<&str> = answer.domains.iter().map(|domain| domain.as_str()).collect();
        println!(
            "{number:>3}  {}  {:<9}  {:<49} {:<27} {:<8}  {}{}",
            minutes(step.at),
            step.technique.as_deref().unwrap_or_default(),
            step.what,
            domains.join("+"),
            answer.decision(),
            answer.why(),
            if answer.is_expected(step) { "" } else { "   <== NOT AS EXPECTED" },
        );
    }
}

/// Prints what the decisions come to, and tells whether that is what the data file expects.
fn print_findings(steps: &[Step], answers: &[Answer]) -> bool {
    let both = || (1..).zip(steps.iter().zip(answers));
    let unexpected = both().filter(|(_, (step, answer))| !answer.is_expected(step)).count();
    let attacks = both().filter(|(_, (step, _))| step.is_attack());
    let (attempts, hits) =
        attacks.fold((0, 0), |(all, hits), (_, (_, a))| (all + a.calls, hits + a.allowed));
    let work = both().filter(|(_, (step, _))| !step.is_attack());
    let (works, done) =
        work.fold((0, 0), |(all, done), (_, (_, a))| (all + a.calls, done + a.allowed));
    println!("\nCalls of the task that were allowed:    {done} of {works}");
    println!("Calls of the attack that were allowed:  {hits} of {attempts}");
    println!("Steps that did not end as expected:     {unexpected} of {}", steps.len());

    let mut refused = both().filter(|(_, (_, answer))| answer.allowed < answer.calls);
    let first = refused.next();
    let first_is_the_attack = first.is_none_or(|(_, (step, _))| step.is_attack());
    if let Some((number, (step, _))) = first {
        let at = minutes(step.at);
        println!("\nFirst finding: step {number} at {at}, the first of the attack: {}.", step.what);
        println!("In the incident a firewall told first; here nothing was sent that it could see.");
    }
    if let Some((number, (step, _))) = refused.nth(DEFAULT_DENIALS as usize - 2) {
        println!(
            "This scope goes on after {DEFAULT_DENIALS} denials, to show them all; by default the \
             task is over at step {number}, {}.",
            minutes(step.at)
        );
    }
    unexpected == 0 && hits == 0 && done == works && first_is_the_attack
}

fn minutes(seconds: u64) -> String {
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// A clock that shows the time of the trace.
#[derive(Debug, Clone)]
struct TraceClock(Arc<AtomicU64>);

impl TraceClock {
    fn set(&self, time: Timestamp) {
        self.0.store(time.as_millis(), Ordering::Relaxed);
    }
}

impl Clock for TraceClock {
    fn now(&self) -> Result<Timestamp, ClockError> {
        Ok(Timestamp::from_millis(self.0.load(Ordering::Relaxed)))
    }
}
