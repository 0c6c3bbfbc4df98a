//! Telemetry: text of many hands, read by the million lines.

use super::{Choices, check_message};
use crate::audit::correlate::{Builder, Finding, Format, Outside, Report, Source};

/// Reads lines in every format, and runs them as telemetry and as receipts: what is read is bounded and
/// the same each time, findings are plain text, and how the lines are handed over changes nothing.
pub fn correlate(data: &[u8]) {
    for format in [Format::Plain, Format::Ocsf, Format::Falco, Format::Otel] {
        for (number, line) in data.split(|byte| *byte == b'\n').enumerate().take(MAX_LINES) {
            read(format, line, number as u64 + 1);
        }
        let data = arranged(data);
        let (found, report) = whole(format, &data);
        assert_eq!(by_line(format, &data), (found.clone(), report.clone()), "line by line");
        for finding in &found {
            check_message(finding);
            assert!(!finding.to_json().to_canonical().contains('\n'));
        }
        let counted: u64 = report.findings.iter().sum();
        assert_eq!(counted, found.len() as u64);
        let judged = report.covered + report.unattributed;
        assert!(judged <= report.judged, "{report:?}");
        assert!(!report.to_string().is_empty());
    }
}

fn read(format: Format, line: &[u8], number: u64) {
    let mut out = Vec::new();
    match format.read(line, number, &mut out) {
        Ok(()) => {
            for outside in &out {
                if let Outside::Seen(seen) = outside {
                    assert!(seen.start() <= seen.end());
                    check_message(seen.seen());
                }
            }
            let mut again = Vec::new();
            assert_eq!(format.read(line, number, &mut again), Ok(()));
            assert_eq!(out, again);
        }
        Err(error) => {
            assert_eq!((out.len(), error.line()), (0, number));
            check_message(&error);
        }
    }
}

/// Openings first: one that comes long after its call is too late, and that is how it shall be.
fn arranged(data: &[u8]) -> Vec<u8> {
    let is_opening = |line: &&[u8]| line.starts_with(b"{\"opening\":");
    let lines = || data.split(|byte| *byte == b'\n');
    let mut out = Vec::with_capacity(data.len() + 1);
    let rest = lines().filter(|line| !is_opening(line));
    for line in lines().filter(is_opening).chain(rest) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}

/// In an order that does not tell when a gap was met.
fn sorted(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_cached_key(|finding| (finding.what.as_str(), finding.to_string()));
    found
}

fn builder(format: Format) -> Builder {
    Builder::default().with_source(Source::new("fuzz", format).complete())
}

fn whole(format: Format, data: &[u8]) -> (Vec<Finding>, Report) {
    let mut found = Vec::new();
    let correlator = builder(format).build(|finding| found.push(finding));
    let report = correlator.run(data, vec![data]);
    assert!(report.is_ok(), "memory does not fail");
    (sorted(found), report.unwrap_or_default())
}

/// The same, the two streams handed over in turns that the data chooses.
fn by_line(format: Format, data: &[u8]) -> (Vec<Finding>, Report) {
    let mut found = Vec::new();
    let mut correlator = builder(format).build(|finding| found.push(finding));
    // Every line ends in a line end, so that nothing stands behind the last.
    let lines = || data.strip_suffix(b"\n").unwrap_or(data).split(|byte| *byte == b'\n');
    let (mut decisions, mut events) = (lines(), lines());
    let mut choices = Choices(data);
    while !choices.is_empty() {
        if choices.byte() % 2 == 0 {
            if let Some(line) = decisions.next() {
                let _ = correlator.decision_line(line);
            }
        } else if let Some(line) = events.next() {
            let _ = correlator.event_line(0, line);
        }
    }
    for line in decisions {
        let _ = correlator.decision_line(line);
    }
    for line in events {
        let _ = correlator.event_line(0, line);
    }
    let report = correlator.finish();
    (sorted(found), report)
}

/// The most lines that are read one by one in one run.
const MAX_LINES: usize = 64;
