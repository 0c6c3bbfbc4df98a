//! The facts of a call, as receipts commit to them: with the effects, the bundle and the scope chain
//! they are all that a decision depends on.
//!
//! `docs/replay.md` lists the members. One that is absent says nothing, for good: whatever is added
//! later is absent where it plays no part.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::record::{Members, flag, open, parse_canonical, text, whole, write_texts};
use crate::action::{Domain, Effect, PerDomain, Provenance, RecordError};
use crate::authorizer::builder::MAX_PERMIT_LIFETIME;
use crate::authorizer::gates::{Added, Approved, Question};
use crate::authorizer::witness::Transcript;
use crate::governance::labels::Labels;
use crate::governance::limits::Ledger;
use crate::governance::usage::{BY_NAME, Past, Used, domain_counter};
use crate::governance::{Budget, Fragment, MAX_ELEVATIONS};
use crate::reason::Reason;
use crate::scope::MAX_DELEGATION_DEPTH;
use crate::time::Timestamp;
use crate::value::{Decimal, Value, write_string};

/// The version of what is recorded of a call: facts and effects.
const VERSION: u64 = 1;

/// Why the time is not believed, as facts say it.
const CLOCKS: [(&str, Reason); 2] =
    [("backwards", Reason::SessionClockBackwards), ("broken", Reason::SessionClock)];

/// The most hops above a session.
const MAX_HOPS: usize = MAX_DELEGATION_DEPTH as usize;

/// Money of which it is not known how much was spent.
const UNKNOWN: &str = "unknown";

/// Writes the facts that a decision depended on beside the effects, as canonical JSON. Call it after
/// the decision: what the gates asked of paths is among them. `links` are those that were met when the
/// scope of each hop was compiled, outermost first, the session's own last.
pub(crate) fn write<'e>(
    question: &Question<'_>,
    effects: impl Iterator<Item = &'e Effect> + Clone,
    links: &[&str],
    permit_lifetime: Duration,
) -> String {
    let own = question.own;
    let mut out = String::with_capacity(448);
    out.push('{');
    let (own_links, above_links) =
        links.split_last().map_or(("", links), |(own, rest)| (own, rest));
    if !question.above.is_empty() {
        open(&mut out, "above");
        out.push('[');
        for (index, hop) in question.above.iter().enumerate() {
            out.push_str(if index > 0 { ",{" } else { "{" });
            write_budget(&mut out, hop.budget);
            write_counters(&mut out, hop.ledger.used());
            write_known(&mut out, hop.ledger, effects.clone());
            whole(&mut out, "proposals", hop.ledger.proposals());
            write_links(&mut out, above_links.get(index).copied().unwrap_or_default());
            write_spend(&mut out, hop.ledger.spend());
            write_tools(&mut out, hop.ledger);
            out.push('}');
        }
        out.push(']');
    }
    write_texts_member(&mut out, "acting_through", question.acting_through);
    if !question.approvals.is_empty() {
        write_approvals(&mut out, question.approvals);
    }
    write_budget(&mut out, own.budget);
    if let Err(reason) = question.time
        && let Some((word, _)) = CLOCKS.iter().find(|(_, known)| *known == reason)
    {
        text(&mut out, "clock", word);
    }
    write_counters(&mut out, own.ledger.used());
    write_texts_member(&mut out, "declassified", question.labels.declassified());
    write_added(&mut out, question.added);
    text(&mut out, "environment", question.environment);
    write_known(&mut out, own.ledger, effects);
    open(&mut out, "labels");
    write_texts(&mut out, question.labels.touched().iter().map(|label| &**label));
    if question.observed {
        flag(&mut out, "observed", true);
    }
    question.paths.write_member("paths", &mut out);
    whole(&mut out, "permit_millis", millis(permit_lifetime));
    whole(&mut out, "proposals", own.ledger.proposals());
    text(&mut out, "provenance", question.provenance.as_str());
    text(&mut out, "purpose", own.scope.purpose());
    write_positions(&mut out, "refused", question.refused.iter().copied());
    write_links(&mut out, own_links);
    write_spend(&mut out, own.ledger.spend());
    if let Some(reason) = question.stopped {
        text(&mut out, "stopped", reason.code());
    }
    text(&mut out, "task", own.scope.task());
    whole(&mut out, "time", question.now.as_millis());
    write_tools(&mut out, own.ledger);
    whole(&mut out, "v", VERSION);
    out.push('}');
    out
}

fn write_counters(out: &mut String, used: Used) {
    open(out, "counters");
    out.push('{');
    whole(out, "accelerator_seconds", used.accelerator_seconds);
    whole(out, "actions", used.actions);
    for domain in BY_NAME {
        if used.domains.get(domain) > 0 {
            whole(out, domain_counter(domain), used.domains.get(domain));
        }
    }
    if used.delegates > 0 {
        whole(out, "delegates", used.delegates);
    }
    whole(out, "denials", used.denials);
    whole(out, "distinct_targets", used.distinct_targets);
    whole(out, "egress_bytes", used.egress_bytes);
    out.push('}');
}

fn write_budget(out: &mut String, budget: Option<&Budget>) {
    if let Some(budget) = budget {
        open(out, "budget");
        out.push_str(&budget.to_value().to_canonical());
    }
}

/// Writes what was added to scopes for a while.
fn write_added(out: &mut String, added: &[Added<'_>]) {
    if added.is_empty() {
        return;
    }
    open(out, "elevations");
    out.push('[');
    for (index, added) in added.iter().enumerate() {
        out.push_str(if index > 0 { ",{" } else { "{" });
        open(out, "grants");
        // What was signed was read from such a text, so that it can be written.
        out.push_str(&added.fragment.to_value().unwrap_or(Value::Null).to_canonical());
        whole(out, "hop", added.hop as u64);
        write_links(out, added.links);
        out.push('}');
    }
    out.push(']');
}

/// Writes which effects have a target that was known already.
fn write_known<'e>(out: &mut String, ledger: &Ledger, effects: impl Iterator<Item = &'e Effect>) {
    let known = effects.enumerate().filter(|(_, effect)| ledger.knows(effect));
    write_positions(out, "known", known.map(|(at, _)| at));
}

/// Writes how often the tools were called that have a limit of their own.
fn write_tools(out: &mut String, ledger: &Ledger) {
    if !ledger.tools().is_empty() {
        open(out, "tools");
        out.push('{');
        for (tool, calls) in ledger.tools() {
            whole(out, tool, *calls);
        }
        out.push('}');
    }
}

fn write_links(out: &mut String, links: &str) {
    if !links.is_empty() {
        open(out, "scope_paths");
        out.push_str(links);
    }
}

fn write_texts_member(out: &mut String, name: &str, texts: &[Box<str>]) {
    if !texts.is_empty() {
        open(out, name);
        write_texts(out, texts.iter().map(|text| &**text));
    }
}

/// Writes the quorums that had approved, by domain.
fn write_approvals(out: &mut String, approvals: &[Approved]) {
    open(out, "approvals");
    out.push('{');
    for approved in approvals {
        open(out, approved.domain.as_str());
        write_texts(out, approved.quorums.iter().map(|quorum| &**quorum));
    }
    out.push('}');
}

/// Writes a list of positions; nothing where there is none.
fn write_positions(out: &mut String, name: &str, mut positions: impl Iterator<Item = usize>) {
    let Some(first) = positions.next() else { return };
    open(out, name);
    out.push('[');
    out.push_str(&first.to_string());
    for position in positions {
        out.push(',');
        out.push_str(&position.to_string());
    }
    out.push(']');
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

/// What the facts of a call say of one hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HopFacts {
    /// What had been used of the limits.
    pub(crate) past: Past,
    /// Which of the effects, by position, have a target that was known already.
    pub(crate) known: Vec<usize>,
    /// What was answered when the scope was compiled.
    pub(crate) scope_paths: Transcript,
    /// What the delegation of another process left of the limits.
    pub(crate) budget: Option<Budget>,
}

/// The facts of a call, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The session's own hop.
    pub(crate) own: HopFacts,
    /// The hops above it, outermost first.
    pub(crate) above: Vec<HopFacts>,
    pub(crate) acting_through: Vec<Box<str>>,
    pub(crate) approvals: Vec<Approved>,
    /// What was added to scopes for a while.
    pub(crate) added: Vec<AddedFacts>,
    /// Which of the effects, by position, an engine of the host refused.
    pub(crate) refused: Vec<usize>,
    /// Why nothing was granted any more.
    pub(crate) stopped: Option<Reason>,
    pub(crate) environment: Box<str>,
    pub(crate) labels: Labels,
    /// Whether the answer bound nobody.
    pub(crate) observed: bool,
    /// What was answered while the call was decided; none where it was too much.
    pub(crate) paths: Option<Transcript>,
    pub(crate) permit_lifetime: Duration,
    pub(crate) provenance: Provenance,
    pub(crate) purpose: Box<str>,
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
        let value = parse_canonical(text)?;
        let mut members = Members::of_version(&value, VERSION)?;
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
            own: read_hop(&mut members)?,
            above: read_above(members.maybe("above"))?,
            acting_through: read_names(members.maybe("acting_through"), "acting_through")?,
            approvals: read_approvals(members.maybe("approvals"))?,
            added: read_added(members.maybe("elevations"))?,
            stopped: read_stopped(members.maybe_text("stopped")?)?,
            environment: members.text("environment")?.into(),
            labels: read_labels(members.value("labels")?, members.maybe("declassified"))?,
            observed: match members.maybe("observed") {
                None => false,
                Some(Value::Bool(true)) => true,
                Some(_) => {
                    return Err(RecordError::new("", "observed", "is true where it is there"));
                }
            },
            paths: match Transcript::is_too_many(paths) {
                true => None,
                false => Some(Transcript::read(paths, "paths")?),
            },
            permit_lifetime: read_lifetime(members.whole("permit_millis")?)?,
            provenance: provenance
                .ok_or_else(|| RecordError::new("", "provenance", "is no known word"))?,
            purpose: members.text("purpose")?.into(),
            refused: read_positions("refused", members.maybe("refused"))?,
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

/// Reads the members that say what one hop had used.
fn read_hop(members: &mut Members<'_>) -> Result<HopFacts, RecordError> {
    Ok(HopFacts {
        past: Past {
            used: read_used(members.value("counters")?)?,
            proposals: members.whole("proposals")?,
            spend: read_spend(members.maybe("spend"))?,
            tools: read_tools(members.maybe("tools"))?,
        },
        known: read_positions("known", members.maybe("known"))?,
        scope_paths: Transcript::read(members.maybe("scope_paths"), "scope_paths")?,
        budget: read_budget(members.maybe("budget"))?,
    })
}

fn read_above(value: Option<&Value>) -> Result<Vec<HopFacts>, RecordError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let hops = value.as_array().filter(|hops| (1..=MAX_HOPS).contains(&hops.len()));
    let hops = hops.ok_or_else(|| RecordError::new("", "above", "is no list of hops"))?;
    let read = |hop| {
        let mut members = Members::of(hop, "above")?;
        let hop = read_hop(&mut members)?;
        members.finish()?;
        Ok(hop)
    };
    hops.iter().map(read).collect()
}

/// What the facts of a call say of one elevation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddedFacts {
    pub(crate) hop: usize,
    pub(crate) grants: Fragment,
    /// What was answered when it was compiled.
    pub(crate) paths: Transcript,
}

fn read_added(value: Option<&Value>) -> Result<Vec<AddedFacts>, RecordError> {
    let wrong = || RecordError::new("", "elevations", "is no list of what was added to scopes");
    let Some(value) = value else { return Ok(Vec::new()) };
    let list = value.as_array().filter(|list| (1..=MAX_ELEVATIONS).contains(&list.len()));
    let read = |added| {
        let mut members = Members::of(added, "elevations")?;
        let added = AddedFacts {
            hop: usize::try_from(members.whole("hop")?).map_err(|_| wrong())?,
            grants: Fragment::read(members.value("grants")?).map_err(|_| wrong())?,
            paths: Transcript::read(members.maybe("scope_paths"), "scope_paths")?,
        };
        members.finish()?;
        Ok(added)
    };
    list.ok_or_else(wrong)?.iter().map(read).collect()
}

/// No authorizer gives out a permit that lives longer.
fn read_lifetime(millis: u64) -> Result<Duration, RecordError> {
    let lifetime = Duration::from_millis(millis);
    let long = || RecordError::new("", "permit_millis", "is longer than a permit may live");
    if lifetime > MAX_PERMIT_LIFETIME { Err(long()) } else { Ok(lifetime) }
}

fn read_budget(value: Option<&Value>) -> Result<Option<Budget>, RecordError> {
    let wrong = |_| RecordError::new("", "budget", "is no budget");
    value.map(Budget::from_value).transpose().map_err(wrong)
}

fn read_approvals(value: Option<&Value>) -> Result<Vec<Approved>, RecordError> {
    let wrong = || RecordError::new("", "approvals", "is no list of quorums by domain");
    let Some(value) = value else { return Ok(Vec::new()) };
    let members = value.as_object().filter(|members| !members.is_empty()).ok_or_else(wrong)?;
    let read = |(domain, quorums): (&str, &Value)| {
        let domain = Domain::ALL.into_iter().find(|known| known.as_str() == domain);
        let quorums = read_names(Some(quorums), "approvals")?;
        Ok(Approved { domain: domain.ok_or_else(wrong)?, quorums })
    };
    members.iter().map(read).collect()
}

fn read_stopped(code: Option<&str>) -> Result<Option<Reason>, RecordError> {
    let unknown = || RecordError::new("", "stopped", "is no reason to stop");
    let reason = |code| Reason::from_code(code).filter(|reason| reason.stops());
    code.map(|code| reason(code).ok_or_else(unknown)).transpose()
}

/// Reads an ascending list of names, which is absent rather than empty.
fn read_names(value: Option<&Value>, name: &'static str) -> Result<Vec<Box<str>>, RecordError> {
    let wrong = || RecordError::new("", name, "is no ascending list of names");
    let Some(value) = value else { return Ok(Vec::new()) };
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    let names: Option<Vec<Box<str>>> =
        list.iter().map(|name| name.as_str().map(Box::from)).collect();
    names.filter(|names| names.is_sorted_by(|one, other| one < other)).ok_or_else(wrong)
}

fn read_used(value: &Value) -> Result<Used, RecordError> {
    let mut members = Members::of(value, "counters")?;
    let mut domains = PerDomain::default();
    for domain in BY_NAME {
        let name = domain_counter(domain);
        let count = members.maybe_whole(name)?;
        if count == Some(0) {
            return Err(RecordError::new("counters", name, "is absent where it is zero"));
        }
        *domains.get_mut(domain) = count.unwrap_or(0);
    }
    let delegates = members.maybe_whole("delegates")?;
    if delegates == Some(0) {
        return Err(RecordError::new("counters", "delegates", "is absent where it is zero"));
    }
    let used = Used {
        delegates: delegates.unwrap_or(0),
        accelerator_seconds: members.whole("accelerator_seconds")?,
        actions: members.whole("actions")?,
        domains,
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

fn read_tools(value: Option<&Value>) -> Result<BTreeMap<Box<str>, u64>, RecordError> {
    let wrong = || RecordError::new("", "tools", "is no list of calls");
    let Some(value) = value else { return Ok(BTreeMap::new()) };
    let tools = value.as_object().filter(|tools| !tools.is_empty()).ok_or_else(wrong)?;
    let count = |(tool, count): (&str, &Value)| {
        let count = count.as_number().and_then(|count| count.to_u64());
        Ok((tool.into(), count.filter(|count| *count > 0).ok_or_else(wrong)?))
    };
    tools.iter().map(count).collect()
}

fn read_positions(name: &str, value: Option<&Value>) -> Result<Vec<usize>, RecordError> {
    let wrong = || RecordError::new("", name, "is no ascending list of positions");
    let Some(value) = value else { return Ok(Vec::new()) };
    let position = |value: &Value| {
        let number = value.as_number().and_then(|number| number.to_u64());
        number.and_then(|number| usize::try_from(number).ok())
    };
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    let known: Option<Vec<usize>> = list.iter().map(position).collect();
    known.filter(|known| known.is_sorted_by(|one, other| one < other)).ok_or_else(wrong)
}

fn read_labels(touched: &Value, declassified: Option<&Value>) -> Result<Labels, RecordError> {
    let wrong = || RecordError::new("", "labels", "is no ascending list of labels");
    let list = |value: &Value| -> Option<Vec<Box<str>>> {
        let list = value.as_array()?.iter();
        list.map(|label| label.as_str().map(Box::from)).collect()
    };
    let touched = list(touched).ok_or_else(wrong)?;
    let Some(declassified) = declassified else {
        return Labels::of(touched, Vec::new()).ok_or_else(wrong);
    };
    let declassified = list(declassified).filter(|labels| !labels.is_empty());
    declassified.and_then(|declassified| Labels::of(touched, declassified)).ok_or_else(|| {
        RecordError::new("", "declassified", "is no ascending list of some of the labels")
    })
}
