//! The calls in their windows, and where each is found.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::observed::{Observed, SpanId, TraceId};
use super::target::{Effect, Key, Target};
use crate::digest::Digest;
use crate::receipt::{Domain, Opening, OutcomeStatus, SessionId, Verdict};

/// One line of a receipt, as far as it is needed here. Sorted so that lines of one time come in the
/// order of their calls.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) session: SessionId,
    pub(super) call: u64,
    pub(super) index: u64,
    pub(super) of: u64,
    pub(super) verdict: Verdict,
    pub(super) time: u64,
    pub(super) permit_until: Option<u64>,
    pub(super) trace: Option<(TraceId, SpanId)>,
    pub(super) txn: Option<Box<str>>,
    pub(super) approvals: Vec<Digest>,
    pub(super) domain: Domain,
    pub(super) effects: Vec<(Box<str>, Digest)>,
}

/// One call in its window.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) session: SessionId,
    pub(super) call: u64,
    pub(super) verdict: Verdict,
    pub(super) time: u64,
    pub(super) permit_until: u64,
    pub(super) trace: Option<(TraceId, SpanId)>,
    pub(super) txn: Option<Box<str>>,
    pub(super) approvals: Vec<Digest>,
    pub(super) effects: Vec<CallEffect>,
    pub(super) outcome: Option<(OutcomeStatus, u64)>,
    /// How many effects were seen, and the first of them.
    pub(super) seen: u64,
    pub(super) first: Option<Box<Observed>>,
    /// Events that the call covers if an outcome says that it still ran.
    pub(super) waiting: Vec<Observed>,
    /// Bits: which lines of the group have come.
    parts: u64,
    of: u64,
    deadline: u64,
}

#[derive(Debug)]
pub(super) struct CallEffect {
    domain: Domain,
    index: usize,
    commit: Digest,
    pub(super) effect: Effect,
}

impl Call {
    /// Whether all lines of the group have come.
    pub(super) fn is_complete(&self) -> bool {
        self.parts == (1 << self.of.min(8)) - 1
    }

    /// Whether the outcome says that nothing ran.
    pub(super) fn is_said_unrun(&self) -> bool {
        matches!(self.outcome, Some((OutcomeStatus::Expired | OutcomeStatus::Unused, _)))
    }

    /// Uses an opening; false if it opens nothing of this call.
    pub(super) fn open(&mut self, opening: &Opening) -> bool {
        let Some((domain, index)) = opening.name().strip_prefix("effects/").and_then(|rest| {
            let (domain, index) = rest.split_once('/')?;
            Some((domain, index.parse::<usize>().ok()?))
        }) else {
            return false;
        };
        let found = self
            .effects
            .iter_mut()
            .find(|effect| effect.index == index && effect.domain.as_str() == domain);
        let Some(effect) = found else { return false };
        if !opening.check(&effect.commit) {
            return false;
        }
        effect.effect.target = Target::parse(opening.value());
        true
    }

    fn keys(&self, by_kind: bool, add: &mut impl FnMut(u64)) {
        for CallEffect { effect, .. } in &self.effects {
            effect.keys(add);
            if by_kind {
                add(Key::Tool(&effect.kind).hash());
            }
        }
    }
}

/// How long calls are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    /// Behind the permit or the outcome, whichever is later.
    pub(super) after: u64,
    /// Whether calls are found by the kinds of their effects too.
    pub(super) by_kind: bool,
}

/// All calls in their windows.
#[derive(Debug)]
pub(super) struct Calls {
    keep: Keep,
    next: u64,
    // Ordered by when they were released, so that the first is the oldest.
    calls: BTreeMap<u64, Call>,
    ids: HashMap<(SessionId, u64), u64>,
    index: BTreeSet<(u64, u64, u64)>,
    traces: BTreeSet<(TraceId, u64, u64)>,
    spans: BTreeSet<(TraceId, SpanId, u64)>,
    txns: BTreeSet<(u64, u64, u64)>,
    expiry: BTreeSet<(u64, u64)>,
    effects: usize,
    trees: bool,
}

impl Calls {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            keep,
            next: 0,
            calls: BTreeMap::new(),
            ids: HashMap::new(),
            index: BTreeSet::new(),
            traces: BTreeSet::new(),
            spans: BTreeSet::new(),
            txns: BTreeSet::new(),
            expiry: BTreeSet::new(),
            effects: 0,
            trees: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// How many effects the calls have together: what most of the memory is for.
    pub(super) const fn effects(&self) -> usize {
        self.effects
    }

    /// Whether any call was allowed everything below a directory.
    pub(super) const fn has_trees(&self) -> bool {
        self.trees
    }

    pub(super) fn get(&self, serial: u64) -> Option<&Call> {
        self.calls.get(&serial)
    }

    pub(super) fn get_mut(&mut self, serial: u64) -> Option<&mut Call> {
        self.calls.get_mut(&serial)
    }

    pub(super) fn find(&self, session: SessionId, call: u64) -> Option<u64> {
        self.ids.get(&(session, call)).copied()
    }

    /// Adds a line of a receipt; returns the call's number here, and whether it is new.
    pub(super) fn add(&mut self, part: Part) -> (u64, bool) {
        let known = self.find(part.session, part.call);
        let serial = known.unwrap_or_else(|| self.insert(&part));
        let Some(call) = self.calls.get_mut(&serial) else { return (serial, false) };
        let bit = 1 << part.index.min(63);
        // The same line twice says nothing new, and a verifier refuses it.
        if call.parts & bit == 0 {
            call.parts |= bit;
            let before = call.effects.len();
            for (index, (kind, commit)) in part.effects.into_iter().enumerate() {
                let effect = Effect { kind, target: None };
                call.effects.push(CallEffect { domain: part.domain, index, commit, effect });
            }
            self.effects += call.effects.len() - before;
            Self::index(&mut self.index, self.keep.by_kind, serial, call);
        }
        (serial, known.is_none())
    }

    /// Finds the call under its effects again, after openings were used.
    pub(super) fn reindex(&mut self, serial: u64) {
        if let Some(call) = self.calls.get(&serial) {
            self.trees |= call.effects.iter().any(|effect| {
                matches!(
                    effect.effect.target,
                    Some(Target::File { recursive: true, .. } | Target::Files { .. })
                )
            });
            Self::index(&mut self.index, self.keep.by_kind, serial, call);
        }
    }

    fn index(index: &mut BTreeSet<(u64, u64, u64)>, by_kind: bool, serial: u64, call: &Call) {
        call.keys(by_kind, &mut |key| {
            index.insert((key, call.time, serial));
        });
    }

    fn insert(&mut self, part: &Part) -> u64 {
        let serial = self.next;
        self.next += 1;
        let permit_until = part.permit_until.unwrap_or(part.time).max(part.time);
        let call = Call {
            session: part.session,
            call: part.call,
            verdict: part.verdict,
            time: part.time,
            permit_until,
            trace: part.trace,
            txn: part.txn.clone(),
            approvals: part.approvals.clone(),
            effects: Vec::new(),
            outcome: None,
            seen: 0,
            first: None,
            waiting: Vec::new(),
            parts: 0,
            of: part.of,
            deadline: permit_until.saturating_add(self.keep.after),
        };
        self.ids.insert((call.session, call.call), serial);
        if let Some((trace, span)) = call.trace {
            self.traces.insert((trace, call.time, serial));
            self.spans.insert((trace, span, serial));
        }
        if let Some(txn) = &call.txn {
            self.txns.insert((hash(txn), call.time, serial));
        }
        self.expiry.insert((call.deadline, serial));
        self.calls.insert(serial, call);
        serial
    }

    /// Sets the outcome of a call and keeps it for its window from there on.
    pub(super) fn set_outcome(&mut self, serial: u64, status: OutcomeStatus, time: u64) {
        let Some(call) = self.calls.get_mut(&serial) else { return };
        if call.outcome.is_some() {
            return;
        }
        call.outcome = Some((status, time));
        let deadline = call.permit_until.max(time).saturating_add(self.keep.after);
        self.expiry.remove(&(call.deadline, serial));
        self.expiry.insert((deadline, serial));
        call.deadline = deadline;
    }

    /// Returns the oldest call whose time is over.
    pub(super) fn expired(&self, now: u64) -> Option<u64> {
        let (deadline, serial) = self.expiry.first()?;
        (*deadline < now).then_some(*serial)
    }

    /// Returns the call that was released first.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.calls.first_key_value().map(|(serial, _)| *serial)
    }

    pub(super) fn remove(&mut self, serial: u64) -> Option<Call> {
        let call = self.calls.remove(&serial)?;
        self.ids.remove(&(call.session, call.call));
        self.expiry.remove(&(call.deadline, serial));
        if let Some((trace, span)) = call.trace {
            self.traces.remove(&(trace, call.time, serial));
            self.spans.remove(&(trace, span, serial));
        }
        if let Some(txn) = &call.txn {
            self.txns.remove(&(hash(txn), call.time, serial));
        }
        let mut remove = |key| {
            self.index.remove(&(key, call.time, serial));
        };
        call.keys(self.keep.by_kind, &mut remove);
        // What has been opened since stands under its kind as well.
        for CallEffect { effect, .. } in &call.effects {
            if let Some(class) = effect.class() {
                remove(Key::Unopened(class).hash());
            }
        }
        self.effects = self.effects.saturating_sub(call.effects.len());
        Some(call)
    }

    /// Calls under one place of the index, the latest first.
    pub(super) fn under(&self, key: u64) -> impl Iterator<Item = (u64, &Call)> {
        self.index
            .range((key, 0, 0)..=(key, u64::MAX, u64::MAX))
            .rev()
            .filter_map(|(_, _, serial)| Some((*serial, self.calls.get(serial)?)))
    }

    /// Calls of a trace, the latest first.
    pub(super) fn traced(&self, trace: TraceId) -> impl Iterator<Item = (u64, &Call)> {
        self.traces
            .range((trace, 0, 0)..=(trace, u64::MAX, u64::MAX))
            .rev()
            .filter_map(|(_, _, serial)| Some((*serial, self.calls.get(serial)?)))
    }

    /// Calls of a transaction, the latest first.
    pub(super) fn of_txn<'c>(&'c self, txn: &'c str) -> impl Iterator<Item = (u64, &'c Call)> {
        let key = hash(txn);
        self.txns
            .range((key, 0, 0)..=(key, u64::MAX, u64::MAX))
            .rev()
            .filter_map(|(_, _, serial)| Some((*serial, self.calls.get(serial)?)))
            .filter(move |(_, call)| call.txn.as_deref() == Some(txn))
    }

    /// The one call with this span. Where a host gives one span to many calls, it names none of them.
    pub(super) fn spanned(&self, trace: TraceId, span: SpanId) -> Option<u64> {
        let mut found = self.spans.range((trace, span, 0)..=(trace, span, u64::MAX));
        let (_, _, serial) = found.next()?;
        found.next().is_none().then_some(*serial)
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
