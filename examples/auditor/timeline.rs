//! Decisions and findings side by side, in the order of time.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io::BufRead;

use countersign::audit::correlate::{Finding, What};
use countersign::receipt::{Body, Opening, OutcomeStatus, ParsedLine, Verdict};
use countersign::time::Timestamp;
use countersign::value::{Limits, Value};

/// What happened, by time; at one time decisions stand before what was seen.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    entries: BTreeMap<(Timestamp, bool, usize), String>,
    findings: usize,
}

impl Timeline {
    /// Adds the decisions of a receipt file, with the targets that the openings show.
    pub(crate) fn add_receipts(
        &mut self,
        receipts: impl BufRead,
        openings: impl BufRead,
    ) -> Result<(), Box<dyn Error>> {
        let mut targets = BTreeMap::new();
        for line in openings.lines() {
            let opening = Opening::parse(&line?)?;
            let key = (opening.session(), opening.call(), opening.name().to_owned());
            targets.insert(key, target(&opening));
        }
        for line in receipts.lines() {
            let line = line?;
            let parsed = ParsedLine::parse(line.as_bytes())?;
            match &parsed.body {
                Body::Receipt(receipt) => {
                    for (index, effect) in receipt.effects.iter().enumerate() {
                        let name = format!("effects/{}/{index}", receipt.domain);
                        let target = targets.get(&(receipt.session, receipt.call, name));
                        let reasons = effect.reasons.join(", ");
                        let text = format!(
                            "{:>4}  {:<5}  {:<16} {}{}",
                            receipt.call,
                            effect.decision.as_str(),
                            effect.kind,
                            target.map_or("(not opened)", String::as_str),
                            if reasons.is_empty() { reasons } else { format!("  [{reasons}]") },
                        );
                        let plain = effect.decision == Verdict::Allow;
                        let text = if plain { text } else { format!("{text}  <- refused") };
                        self.add(Timestamp::from_millis(receipt.time), false, text);
                    }
                }
                Body::Outcome(outcome) if outcome.status != OutcomeStatus::Succeeded => {
                    let text = format!("{:>4}  {}", outcome.call, outcome.status);
                    self.add(Timestamp::from_millis(outcome.time), false, text);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds a finding at the time of its event.
    pub(crate) fn add_finding(&mut self, finding: &Finding) {
        let time = match (&finding.event, &finding.what) {
            (Some(event), _) => event.start(),
            (None, What::LateApproval { used, .. }) => *used,
            (None, _) => Timestamp::MAX,
        };
        self.findings += 1;
        self.add(time, true, format!("      !! {finding}"));
    }

    fn add(&mut self, time: Timestamp, finding: bool, text: String) {
        let number = self.entries.len();
        self.entries.insert((time, finding, number), text);
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((time, _, _), text) in &self.entries {
            writeln!(f, "{time}  {text}")?;
        }
        write!(f, "\n{} findings", self.findings)
    }
}

/// What an opened effect is about.
fn target(opening: &Opening) -> String {
    let value = Value::parse(opening.value().as_bytes(), &Limits::DOCUMENT);
    let id = value.ok().and_then(|value| {
        let target = value.as_object()?.get("target")?.as_object()?;
        Some(target.get("id")?.as_str()?.to_owned())
    });
    id.unwrap_or_default()
}
