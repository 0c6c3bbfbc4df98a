//! The facts of a call, as receipts commit to them: with the effects, the bundle and the scope chain
//! they are all that a decision depends on.
//!
//! `docs/replay.md` lists the members. One that is absent says nothing, for good: whatever is added
//! later is absent where it plays no part.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::record::{Members, open, parse, text, whole, write_texts};
use crate::action::{Effect, Provenance, RecordError};
use crate::authorizer::gates::Question;
use crate::authorizer::witness::Transcript;
use crate::governance::limits::{Past, Used};
use crate::reason::Reason;
use crate::receipt::MAX_LABELS;
use crate::time::Timestamp;
use crate::value::{Decimal, Value, write_string};

/// The version of what is recorded of a call: facts and effects.
const VERSION: u64 = 1;

/// Why the time is not believed, as facts say it.
const CLOCKS: [(&str, Reason); 2] =
    [("backwards", Reason::SessionClockBackwards), ("broken", Reason::SessionClock)];

/// Money of which it is not known how much was spent.
const UNKNOWN: &str = "unknown";

/// Writes the facts that a decision depended on beside the effects, as canonical JSON. Call it after
/// the decision: what the gates asked of paths is among them.
pub(crate) fn write<E: Borrow<Effect>>(
    question: &Question<'_>,
    effects: impl Iterator<Item = E>,
    scope_paths: &str,
    permit_lifetime: Duration,
) -> String {
    let ledger = question.ledger;
    let used = ledger.used();
    let mut out = String::with_capacity(448);
    out.push('{');
    if let Err(reason) = question.time
        && let Some((word, _)) = CLOCKS.iter().find(|(_, known)| *known == reason)
    {
        text(&mut out, "clock", word);
    }
    open(&mut out, "counters");
    out.push('{');
    whole(&mut out, "accelerator_seconds", used.accelerator_seconds);
    whole(&mut out, "actions", used.actions);
    whole(&mut out, "denials", used.denials);
    whole(&mut out, "distinct_targets", used.distinct_targets);
    whole(&mut out, "egress_bytes", used.egress_bytes);
    out.push('}');
    text(&mut out, "environment", question.environment);
    let mut known = (0_u64..).zip(effects).filter(|(_, effect)| ledger.knows(effect.borrow()));
    if let Some((first, _)) = known.next() {
        open(&mut out, "known");
        out.push('[');
        out.push_str(&first.to_string());
        for (index, _) in known {
            out.push(',');
            out.push_str(&index.to_string());
        }
        out.push(']');
    }
    open(&mut out, "labels");
    write_texts(&mut out, question.labels.iter().map(|label| &**label));
    question.paths.write_member("paths", &mut out);
    whole(&mut out, "permit_millis", millis(permit_lifetime));
    whole(&mut out, "proposals", ledger.proposals());
    text(&mut out, "provenance", question.provenance.as_str());
    text(&mut out, "purpose", question.scope.purpose());
    if !scope_paths.is_empty() {
        open(&mut out, "scope_paths");
        out.push_str(scope_paths);
    }
    write_spend(&mut out, ledger.spend());
    text(&mut out, "task", question.scope.task());
    whole(&mut out, "time", question.now.as_millis());
    whole(&mut out, "v", VERSION);
    out.push('}');
    out
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn write_spend(out: &mut String, spend: Option<&BTreeMap<Box<str>, Decimal>>) {
    match spend {
        None => text(out, "spend", UNKNOWN),
        Some(spend) if spend.is_empty() => {}
        Some(spend) => {
            open(out, "spend");
            out.push('{');
            for (index, (currency, amount)) in spend.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, currency);
                out.push(':');
                write_string(out, &amount.to_string());
            }
            out.push('}');
        }
    }
}

/// The facts of a call, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// What had been used of the limits.
    pub(crate) past: Past,
    /// Which of the effects, by position, have a target that was known already.
    pub(crate) known: Vec<usize>,
    pub(crate) environment: Box<str>,
    pub(crate) labels: Vec<Box<str>>,
    /// What was answered while the call was decided; none where it was too much.
    pub(crate) paths: Option<Transcript>,
    pub(crate) permit_lifetime: Duration,
    pub(crate) provenance: Provenance,
    pub(crate) purpose: Box<str>,
    /// What was answered when the scope was compiled.
    pub(crate) scope_paths: Transcript,
    pub(crate) task: Box<str>,
    /// What the clock said, or why it was not believed.
    pub(crate) time: Result<Timestamp, Reason>,
    /// The time on record.
    pub(crate) now: Timestamp,
}

impl Facts {
    /// Reads what [`write`] wrote.
    ///
    /// # Errors
    ///
    /// Returns [`RecordError`] for a member that is unknown, missing, of another type or out of order,
    /// and for any but the canonical spelling.
    pub(crate) fn read(text: &str) -> Result<Self, RecordError> {
        let value = parse(text)?;
        if value.to_canonical() != text {
            return Err(RecordError::new("", "", "is not in its canonical spelling"));
        }
        let mut members = Members::of(&value, "")?;
        if members.whole("v")? != VERSION {
            return Err(RecordError::new("", "v", "is no version that is known"));
        }
        let now = Timestamp::from_millis(members.whole("time")?);
        let time = match members.maybe_text("clock")? {
            None => Ok(now),
            Some(word) => Err(CLOCKS
                .iter()
                .find(|(known, _)| *known == word)
                .map(|(_, reason)| *reason)
                .ok_or_else(|| RecordError::new("", "clock", "is no known word"))?),
        };
        let provenance = members.text("provenance")?;
        let provenance = PROVENANCES.into_iter().find(|known| known.as_str() == provenance);
        let paths = members.maybe("paths");
        let facts = Self {
            past: Past {
                used: read_used(members.value("counters")?)?,
                proposals: members.whole("proposals")?,
                spend: read_spend(members.maybe("spend"))?,
            },
            known: read_known(members.maybe("known"))?,
            environment: members.text("environment")?.into(),
            labels: read_labels(members.value("labels")?)?,
            paths: match Transcript::is_too_many(paths) {
                true => None,
                false => Some(Transcript::read(paths, "paths")?),
            },
            permit_lifetime: Duration::from_millis(members.whole("permit_millis")?),
            provenance: provenance
                .ok_or_else(|| RecordError::new("", "provenance", "is no known word"))?,
            purpose: members.text("purpose")?.into(),
            scope_paths: Transcript::read(members.maybe("scope_paths"), "scope_paths")?,
            task: members.text("task")?.into(),
            time,
            now,
        };
        members.finish()?;
        Ok(facts)
    }
}

const PROVENANCES: [Provenance; 5] = [
    Provenance::User,
    Provenance::Agent,
    Provenance::Tool,
    Provenance::Untrusted,
    Provenance::Unknown,
];

fn read_used(value: &Value) -> Result<Used, RecordError> {
    let mut members = Members::of(value, "counters")?;
    let used = Used {
        accelerator_seconds: members.whole("accelerator_seconds")?,
        actions: members.whole("actions")?,
        denials: members.whole("denials")?,
        distinct_targets: members.whole("distinct_targets")?,
        egress_bytes: members.whole("egress_bytes")?,
    };
    members.finish()?;
    Ok(used)
}

fn read_spend(value: Option<&Value>) -> Result<Option<BTreeMap<Box<str>, Decimal>>, RecordError> {
    let wrong = || RecordError::new("", "spend", "is no list of amounts");
    match value {
        None => Ok(Some(BTreeMap::new())),
        Some(value) if value.as_str() == Some(UNKNOWN) => Ok(None),
        Some(value) => {
            let amounts = value.as_object().filter(|amounts| !amounts.is_empty());
            let amount = |(currency, amount): (&str, &Value)| {
                let text = amount.as_str().ok_or_else(wrong)?;
                let parsed = Decimal::parse(text).map_err(|_| wrong())?;
                match parsed.to_string() == text {
                    true => Ok((currency.into(), parsed)),
                    false => Err(wrong()),
                }
            };
            amounts.ok_or_else(wrong)?.iter().map(amount).collect::<Result<_, _>>().map(Some)
        }
    }
}

fn read_known(value: Option<&Value>) -> Result<Vec<usize>, RecordError> {
    let wrong = || RecordError::new("", "known", "is no ascending list of positions");
    let Some(value) = value else { return Ok(Vec::new()) };
    let position = |value: &Value| {
        let number = value.as_number().and_then(|number| number.to_u64());
        number.and_then(|number| usize::try_from(number).ok())
    };
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    let known: Option<Vec<usize>> = list.iter().map(position).collect();
    known.filter(|known| known.is_sorted_by(|one, other| one < other)).ok_or_else(wrong)
}

fn read_labels(value: &Value) -> Result<Vec<Box<str>>, RecordError> {
    let wrong = || RecordError::new("", "labels", "is no ascending list of labels");
    let list = value.as_array().filter(|list| list.len() <= MAX_LABELS).ok_or_else(wrong)?;
    let labels: Option<Vec<Box<str>>> =
        list.iter().map(|label| label.as_str().map(Box::from)).collect();
    labels.filter(|labels| labels.is_sorted_by(|one, other| one < other)).ok_or_else(wrong)
}
