//! Audits what `examples/rome_replay` left: verifies the receipts against a checkpoint, decides every call
//! again, joins the record with telemetry that the agent does not control, and prints what happened when.
//!
//! ```text
//! cargo run --example rome_replay -- target/rome
//! cargo run --example auditor -- target/rome [<directory of telemetry>]
//! ```
//!
//! Nothing of the authorizer runs here: there are files, a public key and a name. The telemetry
//! (`telemetry/falco.ndjson`, `telemetry/ocsf.ndjson`) is made up like the incident itself; in it the agent
//! did some of what it had been denied. The exit code is 1 if the evidence does not hold; findings are what
//! an auditor is for, and no failure.

#![allow(clippy::print_stdout, reason = "a report for people is what this program is for")]

mod timeline;

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use countersign::audit::correlate::{Builder, Finding, Format, Report, Source};
use countersign::audit::replay::{OpeningFile, Replayer};
use countersign::policy::Authored;
use countersign::receipt::{CheckpointTrust, LogName, TrustedKey, Verified, Verifier};
use countersign::scope::Scope;

use crate::timeline::Timeline;

/// The container in which the agent ran, as its operator knows.
const CONTAINER: &str = "train-pod-7";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder =
        arguments.next().unwrap_or_else(|| std::env::temp_dir().join("countersign-rome-replay"));
    let telemetry = arguments.next().unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/auditor/telemetry")
    });
    let evidence = Evidence { folder };

    println!("1. Is the record whole, and whose is it?\n");
    let verified = evidence.verify()?;
    println!("{verified}");

    println!("\n2. Would the same be decided again?\n");
    let holds = evidence.replay()?;

    println!("\n3. What did others see?\n");
    let (findings, report) = evidence.correlate(&verified, &telemetry)?;
    println!("{report}");

    println!("\n4. What happened when\n");
    let mut timeline = Timeline::default();
    timeline.add_receipts(evidence.open("receipts.ndjson")?, evidence.open("openings.ndjson")?)?;
    findings.iter().for_each(|finding| timeline.add_finding(finding));
    println!("{timeline}");
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A directory as `rome_replay` leaves it.
struct Evidence {
    folder: PathBuf,
}

impl Evidence {
    fn open(&self, name: &str) -> Result<BufReader<File>, Box<dyn Error>> {
        let path = self.folder.join(name);
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(BufReader::new(file))
    }

    fn text(&self, name: &str) -> Result<String, Box<dyn Error>> {
        let path = self.folder.join(name);
        Ok(fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?)
    }

    /// Holds the receipts against the key and the checkpoint.
    fn verify(&self) -> Result<Verified, Box<dyn Error>> {
        let identity = TrustedKey::parse_hex(self.text("identity.txt")?.trim())?;
        let name = LogName::parse(self.text("log-name.txt")?.trim())?;
        let held = CheckpointTrust::new(identity, name).open(&self.text("checkpoint.note")?)?;
        let verifier = Verifier::new(identity).expect_checkpoint(&held);
        verifier.verify(self.open("receipts.ndjson")?).map_err(|error| {
            format!("the record does not hold: {error}\n{}", error.meaning()).into()
        })
    }

    /// Decides every call again; tells whether all came out as they are recorded.
    fn replay(&self) -> Result<bool, Box<dyn Error>> {
        let scope = Scope::parse(self.text("scope.json")?.as_bytes())?;
        let bundle = Authored::baseline().load()?;
        println!("bundle `{}` {}", bundle.snapshot().name(), bundle.digest());
        println!("scope  `{}` {}", scope.descriptor().task, scope.digest());
        let replayer = Replayer::new(&bundle).with_scope(&scope);
        let openings = OpeningFile::index(self.open("openings.ndjson")?)?;
        let report = replayer.replay(self.open("receipts.ndjson")?, openings).report();
        println!("{report}");
        Ok(report.is_same())
    }

    /// Joins the record with what a kernel watcher and a firewall saw.
    fn correlate(
        &self,
        verified: &Verified,
        telemetry: &Path,
    ) -> Result<(Vec<Finding>, Report), Box<dyn Error>> {
        let mut builder = Builder::default()
            .with_source(Source::new("falco", Format::Falco).complete())
            .with_source(Source::new("firewall", Format::Ocsf).complete())
            .with_launcher("/usr/bin/bash");
        // One container ran one session: all that is seen there is its doing.
        for session in &verified.sessions {
            builder = builder.with_place(CONTAINER, session.session);
        }
        let mut findings = Vec::new();
        let events = ["falco.ndjson", "ocsf.ndjson"]
            .map(|name| File::open(telemetry.join(name)).map(BufReader::new))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        let decisions = self.open("openings.ndjson")?.chain(self.open("receipts.ndjson")?);
        let report = builder.build(|finding| findings.push(finding)).run(decisions, events)?;
        Ok((findings, report))
    }
}
