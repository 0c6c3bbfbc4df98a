//! What is found: for an auditor as a sentence, for machines as a value.

use std::fmt;

use super::observed::Observed;
use crate::digest::Digest;
use crate::receipt::{OutcomeStatus, SessionId};
use crate::text::excerpt;
use crate::time::Timestamp;
use crate::value::{Object, Value};

/// How much a finding asks for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// It may have a harmless cause that is not on record.
    Low,
    /// Something is missing that should be there.
    Medium,
    /// Something happened that no record explains.
    High,
    /// Something happened that was refused.
    Critical,
}

impl Severity {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// One finding.
///
/// [`Display`](fmt::Display) gives a sentence for an auditor, [`to_json`](Self::to_json) one line for
/// machines. Both show what telemetry said; they show of the openings what was allowed, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is.
    pub what: What,
    /// How much it asks for attention.
    pub severity: Severity,
    /// The session that it concerns, if one is known.
    pub session: Option<SessionId>,
    /// The call that it concerns, if one is known.
    pub call: Option<u64>,
    /// The event that it is about, or the first of them.
    pub event: Option<Box<Observed>>,
}

/// What a finding is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// An effect was seen that no allowed call covers.
    Bypass(Cause),
    /// An effect was seen that belongs to an allowed call and is not what the call was allowed.
    Mismatch {
        /// What the call was allowed, at most sixteen effects of it.
        allowed: Vec<String>,
        /// Whether what was allowed and what was seen are merely not comparable: a name and an address.
        comparable: bool,
    },
    /// Effects of a call were seen, and its record does not say that it ran.
    UnreportedOutcome {
        /// What the record says: nothing, or that nothing ran.
        status: Option<OutcomeStatus>,
        /// How many effects were seen.
        effects: u64,
        /// Whether the input ended before the window of the call did.
        cut: bool,
    },
    /// An approval was used before it was given.
    LateApproval {
        /// The approval.
        approval: Digest,
        /// When it was given.
        given: Timestamp,
        /// When the decision used it.
        used: Timestamp,
    },
    /// Something could not be looked at, so that silence about it means nothing.
    Gap {
        /// Why.
        gap: Gap,
        /// How often so far. A gap is reported when this is a power of two.
        count: u64,
    },
}

/// Why an effect is a bypass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// No call asked for it.
    NoCall,
    /// The only call that asked for it was denied.
    Denied,
    /// The only call that asked for it was deferred.
    Deferred,
    /// The record of the call is incomplete, so that it was never released.
    NotReleased,
    /// It happened before the decision.
    BeforeDecision,
    /// It happened after the end of the permit, and no outcome says that the call still ran.
    AfterPermit,
    /// It happened after the outcome of the call.
    AfterOutcome,
    /// A name was allowed; whether the address that was seen is one of it, nobody wrote down.
    NotComparable,
}

impl Cause {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCall => "no_call",
            Self::Denied => "denied",
            Self::Deferred => "deferred",
            Self::NotReleased => "not_released",
            Self::BeforeDecision => "before_decision",
            Self::AfterPermit => "after_permit",
            Self::AfterOutcome => "after_outcome",
            Self::NotComparable => "not_comparable",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::NoCall => "no recorded call asked for it",
            Self::Denied => "the call that asked for it was denied",
            Self::Deferred => "the call that asked for it was deferred and never allowed",
            Self::NotReleased => "the record of the call that asked for it is incomplete",
            Self::BeforeDecision => "the call that asked for it was decided only later",
            Self::AfterPermit => "the permit of the call that asked for it had ended",
            Self::AfterOutcome => "the call that asked for it had already reported its outcome",
            Self::NotComparable => {
                "a call was allowed a host by name, and nothing says whether this is its address"
            }
        }
    }
}

/// Why something could not be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Gap {
    /// A line of telemetry could not be read.
    EventUnreadable,
    /// A line of receipts or openings could not be read.
    DecisionUnreadable,
    /// An opening does not open its commitment.
    WrongOpening,
    /// More openings waited for their receipts than are kept.
    Openings,
    /// More calls were in their windows than are kept.
    Calls,
    /// More items waited for the other streams than are kept, and were judged without them.
    Queue,
    /// A place of the index held more calls than are looked at.
    Candidates,
    /// More approvals were used than are remembered.
    Approvals,
    /// An item came later than the skew allows.
    Late,
    /// An event reaches back further than calls are kept.
    Stale,
}

impl Gap {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventUnreadable => "event_unreadable",
            Self::DecisionUnreadable => "decision_unreadable",
            Self::WrongOpening => "wrong_opening",
            Self::Openings => "openings",
            Self::Calls => "calls",
            Self::Queue => "queue",
            Self::Candidates => "candidates",
            Self::Approvals => "approvals",
            Self::Late => "late",
            Self::Stale => "stale",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::EventUnreadable => "a line of the events could not be read",
            Self::DecisionUnreadable => "a line of the receipts or openings could not be read",
            Self::WrongOpening => "an opening does not open its commitment and was not used",
            Self::Openings => "too many openings waited for receipts, and the oldest was let go",
            Self::Calls => "too many calls were in their windows, and the oldest was let go",
            Self::Queue => "too much waited for the other streams and was judged without them",
            Self::Candidates => {
                "too many calls could have covered an event, and not all were tried"
            }
            Self::Approvals => "too many approvals were used, and the oldest was let go",
            Self::Late => "an item came later than the skew allows",
            Self::Stale => "an event reaches back further than calls are kept, and was not judged",
        }
    }
}

impl What {
    /// Returns the stable name: `bypass`, `mismatch`, `unreported_outcome`, `late_approval`, `gap`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Bypass(_) => "bypass",
            Self::Mismatch { .. } => "mismatch",
            Self::UnreportedOutcome { .. } => "unreported_outcome",
            Self::LateApproval { .. } => "late_approval",
            Self::Gap { .. } => "gap",
        }
    }
}

impl Finding {
    /// Returns the finding as a value: an object whose members stand in `docs/correlate.md`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut out = Object::new();
        let mut set = |name: &str, value: Value| {
            out.insert(name.to_owned(), value);
        };
        set("finding", self.what.as_str().into());
        set("severity", self.severity.as_str().into());
        set("sentence", self.to_string().into());
        if let Some(session) = self.session {
            set("session", session.to_string().into());
        }
        if let Some(call) = self.call {
            set("call", call.into());
        }
        match &self.what {
            What::Bypass(cause) => set("cause", cause.as_str().into()),
            What::Mismatch { allowed, comparable } => {
                let allowed = allowed.iter().map(|text| text.as_str().into()).collect();
                set("allowed", Value::Array(allowed));
                set("comparable", (*comparable).into());
            }
            What::UnreportedOutcome { status, effects, cut } => {
                set("effects", (*effects).into());
                set("cut", (*cut).into());
                if let Some(status) = status {
                    set("status", status.as_str().into());
                }
            }
            What::LateApproval { approval, given, used } => {
                set("approval", approval.to_string().into());
                set("given", given.as_millis().into());
                set("used", used.as_millis().into());
            }
            What::Gap { gap, count } => {
                set("gap", gap.as_str().into());
                set("count", (*count).into());
            }
        }
        if let Some(event) = &self.event {
            let mut about = Object::new();
            about.insert("time".to_owned(), event.start.as_millis().into());
            about.insert("source".to_owned(), u64::try_from(event.source).unwrap_or(0).into());
            about.insert("line".to_owned(), event.line.into());
            about.insert("seen".to_owned(), event.seen.to_string().into());
            if let Some(id) = &event.id {
                about.insert("id".to_owned(), excerpt(id).into());
            }
            set("event", about.into());
        }
        out.into()
    }
}

/// A sentence for an auditor, on one line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.severity.as_str())?;
        if let What::Gap { gap, count } = &self.what {
            return write!(f, "gap: {} ({count} so far)", gap.sentence());
        }
        write!(f, "{}: ", self.what.as_str().replace('_', " "))?;
        match (self.session, self.call) {
            (Some(session), Some(call)) => write!(f, "session {session}, call {call}: ")?,
            (Some(session), None) => write!(f, "session {session}: ")?,
            _ => {}
        }
        let seen = self.event.as_deref();
        match &self.what {
            What::Bypass(cause) => {
                seen_at(f, seen)?;
                write!(f, ", and {}", cause.sentence())
            }
            What::Mismatch { allowed, comparable } => {
                write!(f, "allowed {}; ", allowed.join(", "))?;
                seen_at(f, seen)?;
                f.write_str(if *comparable { "" } else { ", which cannot be compared" })
            }
            What::UnreportedOutcome { status, effects, cut } => {
                match status {
                    Some(status) => write!(f, "the record says `{status}`, that nothing ran")?,
                    None if *cut => f.write_str("no outcome by the end of the input")?,
                    None => f.write_str("no outcome by the end of the window")?,
                }
                write!(f, ", and effects were seen: {effects}, the first ")?;
                seen_at(f, seen)
            }
            What::LateApproval { approval, given, used } => {
                write!(f, "approval {approval} was used at {used} and given only at {given}")?;
                if seen.is_some() {
                    f.write_str("; before that, ")?;
                    seen_at(f, seen)?;
                }
                Ok(())
            }
            What::Gap { .. } => Ok(()),
        }
    }
}

fn seen_at(f: &mut fmt::Formatter<'_>, event: Option<&Observed>) -> fmt::Result {
    let Some(event) = event else { return f.write_str("an event") };
    write!(f, "saw {} at {}", event.seen, event.start)?;
    match event.line {
        0 => Ok(()),
        line => write!(f, " (source {}, line {line})", event.source),
    }
}
