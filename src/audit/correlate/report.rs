//! The sums.

use std::collections::BTreeMap;
use std::fmt;

use super::finding::What;
use crate::receipt::SessionId;

/// What was looked at and what was found, in sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Lines of telemetry that were read.
    pub lines: u64,
    /// Lines of telemetry that could not be read.
    pub unreadable: u64,
    /// Lines of receipts and openings that could not be read.
    pub unreadable_decisions: u64,
    /// Events that were judged.
    pub judged: u64,
    /// Those that an allowed call covers.
    pub covered: u64,
    /// Those that are covered by kind alone, because the target was never opened.
    pub kind_only: u64,
    /// Events that named no call and came from a source that is not complete: nothing is said of them.
    pub unattributed: u64,
    /// Events that were declared to be ignored.
    pub ignored: u64,
    /// Events of a sort that is not watched, or that show nothing to judge.
    pub unwatched: u64,
    /// Items that came later than the skew allows.
    pub late: u64,
    /// Calls by decision: allowed, deferred, denied.
    pub calls: [u64; 3],
    /// Findings: bypasses, mismatches, unreported outcomes, late approvals, gaps.
    pub findings: [u64; 5],
    /// The same by session, as far as the cap goes.
    pub sessions: BTreeMap<SessionId, SessionTotals>,
    /// Sessions of which nothing is said one by one. One that comes again counts again.
    pub more_sessions: u64,
}

/// The sums of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionTotals {
    /// Calls by decision: allowed, deferred, denied.
    pub calls: [u64; 3],
    /// Events that are covered.
    pub covered: u64,
    /// Findings: bypasses, mismatches, unreported outcomes, late approvals, gaps.
    pub findings: [u64; 5],
}

impl Report {
    /// Tells whether nothing was found, and nothing kept from being looked at.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|count| *count == 0)
    }

    pub(super) fn session(&mut self, id: SessionId, most: usize) -> Option<&mut SessionTotals> {
        if !self.sessions.contains_key(&id) && self.sessions.len() >= most {
            self.more_sessions = self.more_sessions.saturating_add(1);
            return None;
        }
        Some(self.sessions.entry(id).or_default())
    }

    pub(super) const fn place(what: &What) -> usize {
        match what {
            What::Bypass(_) => 0,
            What::Mismatch { .. } => 1,
            What::UnreportedOutcome { .. } => 2,
            What::LateApproval { .. } => 3,
            What::Gap { .. } => 4,
        }
    }
}

/// For people: a few lines, then one for each session with findings.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [allowed, deferred, denied] = self.calls;
        writeln!(f, "calls: {allowed} allowed, {deferred} deferred, {denied} denied")?;
        writeln!(
            f,
            "events: {} judged, {} covered ({} by kind alone), {} unattributed, {} ignored, {} not watched",
            self.judged,
            self.covered,
            self.kind_only,
            self.unattributed,
            self.ignored,
            self.unwatched
        )?;
        writeln!(
            f,
            "lines: {} read, {} unreadable, {} of the receipts unreadable, {} late",
            self.lines, self.unreadable, self.unreadable_decisions, self.late
        )?;
        write!(f, "findings: ")?;
        findings(f, self.findings)?;
        for (id, totals) in &self.sessions {
            if totals.findings.iter().any(|count| *count > 0) {
                write!(f, "\nsession {id}: {} covered; ", totals.covered)?;
                findings(f, totals.findings)?;
            }
        }
        if self.more_sessions > 0 {
            write!(f, "\nmore sessions than are named: {}", self.more_sessions)?;
        }
        Ok(())
    }
}

fn findings(f: &mut fmt::Formatter<'_>, counts: [u64; 5]) -> fmt::Result {
    let [bypasses, mismatches, unreported, late, gaps] = counts;
    write!(
        f,
        "{bypasses} bypasses, {mismatches} mismatches, {unreported} unreported outcomes, \
         {late} late approvals, {gaps} gaps"
    )
}
