//! The chain of one session, writing end (receipt-format §6).

use std::borrow::Cow;

use super::body::{
    Action, Approval, Begin, Domain, Effect, End, EndStatus, Outcome, OutcomeStatus, Receipt,
    Resume, Reversibility, SessionId, Signing, Verdict, are_labels,
};
use super::commitment::{self, Openings, SaltSecret};
use super::form::{Counters, Field, Text};
use super::group::Group;
use super::journal::SessionHead;
use super::key::{EpochKey, SignError};
use super::line::{Kind, Line, WriteError};
use super::tree::Frontier;
use super::{FORMAT_VERSION, MAX_GROUP};
use crate::digest::Digest;
use crate::time::Timestamp;

/// Who works on what: the members that each receipt of a session repeats.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The agent instance.
    pub agent: &'a str,
    /// For whom.
    pub on_behalf_of: &'a str,
    /// Who answers for the task.
    pub owner: &'a str,
    /// The task.
    pub task: &'a str,
    /// Digests of the chain of task scopes, outermost first.
    pub scope: &'a [Digest],
}

/// What line 0 of a session says beside who works on what.
#[derive(Clone, Copy, Debug)]
pub struct BeginRecord<'a> {
    /// Who works on what.
    pub about: About<'a>,
    /// Digest of the policy bundle.
    pub bundle: Digest,
    /// Digest of the bundle's schema.
    pub schema: Digest,
    /// End of the task.
    pub expires: Timestamp,
    /// Now.
    pub time: Timestamp,
}

/// One call as it was decided. What was decided follows from its effects.
#[derive(Clone, Debug)]
pub struct CallRecord<'a> {
    /// Who works on what.
    pub about: About<'a>,
    /// Type of the action.
    pub kind: &'a str,
    /// Canonical JSON of the action; only a commitment to it is recorded.
    pub action: &'a str,
    /// Canonical JSON of the facts; only a commitment to it is recorded.
    pub facts: &'a str,
    /// Digest of the policy bundle that decided.
    pub bundle: Digest,
    /// The domains that the action touches, in the order of [`Domain`], each once.
    pub domains: &'a [DomainRecord<'a>],
    /// Approvals that were used.
    pub approvals: &'a [Approval<'a>],
    /// The session's counters after this call.
    pub after: Counters<'a>,
    /// Names of the data classes that the session has touched after this call, strictly ascending:
    /// at most 64, each of 1 to 512 bytes.
    ///
    /// Labels never fall off: each call has all those of the calls before it, also after a resumption
    /// (see [`SessionPosition::labels`]). The chain does not keep them and cannot check that, but a
    /// verifier refuses a file in which one is gone.
    pub labels: &'a [Text<'a>],
    /// Position of an earlier receipt of this session that this call follows from.
    pub cause: Option<u64>,
    /// End of the permit, if one is given.
    pub permit_until: Option<Timestamp>,
    /// W3C trace context of the call.
    pub traceparent: Option<&'a str>,
    /// Transaction id of the caller.
    pub txn: Option<&'a str>,
    /// Now.
    pub time: Timestamp,
}

/// What an action would do in one domain.
#[derive(Clone, Copy, Debug)]
pub struct DomainRecord<'a> {
    /// The domain.
    pub domain: Domain,
    /// Its effects, at least one.
    pub effects: &'a [EffectRecord<'a>],
}

/// One effect and what was decided on it.
#[derive(Clone, Copy, Debug)]
pub struct EffectRecord<'a> {
    /// What was decided on this effect.
    pub decision: Verdict,
    /// Kind of the effect.
    pub kind: &'a str,
    /// Canonical JSON of the effect; only a commitment to it is recorded.
    pub value: &'a str,
    /// Ids of the policies that decided, ascending.
    pub policies: &'a [Text<'a>],
    /// Where the action came from.
    pub provenance: &'a str,
    /// Quorums that could still approve it.
    pub quorums: &'a [Text<'a>],
    /// Stable reason codes.
    pub reasons: &'a [Text<'a>],
    /// Whether it can be undone.
    pub reversibility: Reversibility,
}

/// What became of an allowed call.
#[derive(Clone, Debug)]
pub struct OutcomeRecord<'a> {
    /// The call.
    pub call: u64,
    /// What became of it.
    pub status: OutcomeStatus,
    /// Canonical JSON of the result or of its digest; only a commitment to it is recorded.
    pub result: Option<&'a str>,
    /// How long it ran.
    pub duration_ms: u64,
    /// The session's counters after the outcome.
    pub after: Counters<'a>,
    /// Now.
    pub time: Timestamp,
}

/// Where a session's chain stands, as a verifier found it in what was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPosition {
    /// The session.
    pub session: SessionId,
    /// Number of lines, which is the position of the next one.
    pub lines: u64,
    /// Link hash of the last line.
    pub prev: Digest,
    /// Time of the last line.
    pub time: Timestamp,
    /// Number of the next call.
    pub next_call: u64,
    /// Mode of the session.
    pub signing: Signing,
    /// The counters of the last line that has any.
    pub after: Option<Counters<'static>>,
    /// The labels of the last receipt, ascending; every later call must have them. Empty if there is
    /// no receipt.
    pub labels: Vec<String>,
    /// Allowed calls that wait for their outcome, ascending.
    pub pending: Vec<u64>,
    /// The tree over the lines.
    pub tree: Frontier,
}

impl SessionPosition {
    /// Returns what a journal accounts for when it accounts for all these lines.
    #[must_use]
    pub fn session_head(&self) -> SessionHead {
        let Self { session, lines, prev, tree, .. } = self;
        SessionHead { session: *session, count: *lines, head: *prev, tree: tree.root() }
    }
}

/// Writes the chain of one session. Holds its head and no lines.
///
/// Each method yields lines and moves on as if they were stored: whoever stores them must stop at
/// the first that is not, and go on with [`SessionChain::resume`] from what really is.
#[derive(Debug)]
pub struct SessionChain {
    session: SessionId,
    secret: SaltSecret,
    prev: Digest,
    seq: u64,
    next_call: u64,
    time: u64,
    epoch: u64,
    signing: Signing,
    openings: Openings,
    tree: Frontier,
    ended: bool,
}

impl SessionChain {
    /// Begins a chain. The journal's `open` line must be stored before the line returned.
    ///
    /// `session` and `secret` must come fresh from a generator fit for keys, and the caller wipes `secret`.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] if a value does not fit the format or signing fails.
    pub fn begin(
        key: &EpochKey,
        session: SessionId,
        secret: &[u8; 32],
        openings: Openings,
        record: &BeginRecord<'_>,
    ) -> Result<(Self, Line), WriteError> {
        let mut chain = Self {
            session,
            secret: SaltSecret::new(secret),
            prev: Digest::from_bytes([0; 32]),
            seq: 0,
            next_call: 1,
            time: 0,
            epoch: key.number(),
            signing: key.signing(),
            openings,
            tree: Frontier::new(),
            ended: false,
        };
        let about = &record.about;
        if about.scope.is_empty() {
            return Err(WriteError::Value(Kind::Begin));
        }
        let body = Begin {
            agent: about.agent.into(),
            bundle: record.bundle,
            epoch: key.number(),
            expires: record.expires.as_millis(),
            journal: key.journal(),
            on_behalf_of: about.on_behalf_of.into(),
            owner: about.owner.into(),
            schema: record.schema,
            scope: about.scope.into(),
            seq: 0,
            session,
            signing: key.signing(),
            task: about.task.into(),
            time: record.time.as_millis(),
            v: FORMAT_VERSION,
        };
        let line = chain.write(key, Kind::Begin, &body, BEGIN_BYTES)?;
        chain.advance(&line, record.time);
        Ok((chain, line))
    }

    /// Goes on where `position` says, under the epoch of `key`, with a `resume` line.
    ///
    /// `secret` must be fresh, as for [`SessionChain::begin`].
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] if signing fails or `time` is before the last line's.
    pub fn resume(
        key: &EpochKey,
        position: &SessionPosition,
        secret: &[u8; 32],
        openings: Openings,
        time: Timestamp,
    ) -> Result<(Self, Line), WriteError> {
        let mut chain = Self {
            session: position.session,
            secret: SaltSecret::new(secret),
            prev: position.prev,
            seq: position.lines,
            next_call: position.next_call,
            time: position.time.as_millis(),
            epoch: key.number(),
            signing: position.signing,
            openings,
            tree: position.tree.clone(),
            ended: false,
        };
        chain.check(key, time)?;
        let body = Resume {
            epoch: key.number(),
            prev: chain.prev,
            seq: chain.seq,
            session: chain.session,
            time: time.as_millis(),
        };
        let line = chain.write(key, Kind::Resume, &body, SMALL_BYTES)?;
        chain.advance(&line, time);
        Ok((chain, line))
    }

    /// Records a call: one line for each domain, to be stored as one.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] if a value does not fit the format, the domains, policies or labels are
    /// out of order, the time went back, or signing fails. The chain is then as it was.
    pub fn append_call(
        &mut self,
        key: &EpochKey,
        call: &CallRecord<'_>,
    ) -> Result<Group, WriteError> {
        self.check(key, call.time)?;
        check_call(call)?;
        let number = self.next_call;
        let mut openings = Vec::new();
        let mut keep = match self.openings {
            Openings::Keep => Some(&mut openings),
            Openings::Discard => None,
        };
        let mut commit = |name: &str, value: &str| {
            self.secret.commit(self.session, number, name, value, keep.as_deref_mut())
        };
        let action = commit(commitment::ACTION, call.action);
        let facts = commit(commitment::FACTS, call.facts);
        let call_decision = call.domains.iter().map(worst).max().unwrap_or(Verdict::Deny);
        let label_bytes = call.labels.iter().map(|label| label.len() + 3).sum::<usize>();
        let (mut seq, mut prev) = (self.seq, self.prev);
        let mut name = String::new();
        let mut lines = Vec::with_capacity(call.domains.len());
        for (index, domain) in call.domains.iter().enumerate() {
            let mut effects = Vec::with_capacity(domain.effects.len());
            for (at, effect) in domain.effects.iter().enumerate() {
                commitment::write_effect_name(&mut name, domain.domain, at);
                effects.push(Effect {
                    commit: commit(&name, effect.value),
                    decision: effect.decision,
                    kind: effect.kind.into(),
                    policies: effect.policies.into(),
                    provenance: effect.provenance.into(),
                    quorums: effect.quorums.into(),
                    reasons: effect.reasons.into(),
                    reversibility: effect.reversibility,
                });
            }
            let body = Receipt {
                action: Action { commit: action, kind: call.kind.into() },
                after: call.after.clone(),
                agent: call.about.agent.into(),
                approvals: call.approvals.into(),
                bundle: call.bundle,
                call: number,
                call_decision,
                cause: call.cause,
                decision: worst(domain),
                domain: domain.domain,
                effects: effects.into(),
                epoch: self.epoch,
                facts,
                index: index as u64,
                labels: call.labels.into(),
                of: call.domains.len() as u64,
                on_behalf_of: call.about.on_behalf_of.into(),
                owner: call.about.owner.into(),
                permit_until: call.permit_until.map(Timestamp::as_millis),
                prev,
                scope: call.about.scope.into(),
                seq,
                session: self.session,
                task: call.about.task.into(),
                time: call.time.as_millis(),
                traceparent: call.traceparent.map(Cow::Borrowed),
                txn: call.txn.map(Cow::Borrowed),
            };
            let size = RECEIPT_BYTES + EFFECT_BYTES * domain.effects.len() + label_bytes;
            let line = self.write(key, Kind::Receipt, &body, size)?;
            prev = line.link();
            seq += 1;
            lines.push(line);
        }
        lines.iter().for_each(|line| self.tree.push(line.leaf()));
        self.seq = seq;
        self.prev = prev;
        self.time = call.time.as_millis();
        self.next_call += 1;
        Ok(Group::new(lines, openings))
    }

    /// Records what became of an allowed call.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] as [`SessionChain::append_call`] does.
    pub fn append_outcome(
        &mut self,
        key: &EpochKey,
        outcome: &OutcomeRecord<'_>,
    ) -> Result<Group, WriteError> {
        self.check(key, outcome.time)?;
        if outcome.call == 0 || outcome.call >= self.next_call {
            return Err(WriteError::Order("an outcome of a call that was not recorded"));
        }
        let mut openings = Vec::new();
        let keep = (self.openings == Openings::Keep).then_some(&mut openings);
        let commit = outcome.result.map(|result| {
            self.secret.commit(self.session, outcome.call, commitment::RESULT, result, keep)
        });
        let body = Outcome {
            after: outcome.after.clone(),
            call: outcome.call,
            commit,
            duration_ms: outcome.duration_ms,
            epoch: self.epoch,
            prev: self.prev,
            seq: self.seq,
            session: self.session,
            status: outcome.status,
            time: outcome.time.as_millis(),
        };
        let line = self.write(key, Kind::Outcome, &body, SMALL_BYTES + COUNTER_BYTES)?;
        self.advance(&line, outcome.time);
        Ok(Group::new(vec![line], openings))
    }

    /// Ends the chain. Nothing can be recorded after it.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] as [`SessionChain::append_call`] does.
    pub fn end(
        &mut self,
        key: &EpochKey,
        status: EndStatus,
        time: Timestamp,
    ) -> Result<Line, WriteError> {
        self.check(key, time)?;
        let body = End {
            epoch: self.epoch,
            prev: self.prev,
            seq: self.seq,
            session: self.session,
            status,
            time: time.as_millis(),
        };
        let line = self.write(key, Kind::End, &body, SMALL_BYTES)?;
        self.advance(&line, time);
        self.ended = true;
        Ok(line)
    }

    /// Returns the session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Returns how many lines were written.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.seq
    }

    /// Returns the link hash of the last line written, which the next one names.
    #[must_use]
    pub fn head(&self) -> Digest {
        self.prev
    }

    /// Returns what a journal accounts for when it accounts for all lines written.
    #[must_use]
    pub fn session_head(&self) -> SessionHead {
        let tree = self.tree.root();
        SessionHead { session: self.session, count: self.seq, head: self.prev, tree }
    }

    /// Returns the number that the next call will have.
    #[must_use]
    pub fn next_call(&self) -> u64 {
        self.next_call
    }

    fn check(&self, key: &EpochKey, time: Timestamp) -> Result<(), WriteError> {
        let now = time.as_millis();
        if self.ended {
            Err(WriteError::Order("the session has ended"))
        } else if key.number() != self.epoch {
            Err(WriteError::Order("the epoch has changed and the session was not resumed"))
        } else if now < self.time {
            Err(WriteError::Time { last: self.time, now })
        } else {
            Ok(())
        }
    }

    fn write<'a, B: Field<'a>>(
        &self,
        key: &EpochKey,
        kind: Kind,
        body: &B,
        size: usize,
    ) -> Result<Line, WriteError> {
        let sign = |message: &[u8]| -> Result<[u8; 64], SignError> { key.sign(message) };
        Line::write(kind, body, size, (self.signing == Signing::Every).then_some(&sign))
    }

    fn advance(&mut self, line: &Line, time: Timestamp) {
        self.seq += 1;
        self.prev = line.link();
        self.time = time.as_millis();
        self.tree.push(line.leaf());
    }
}

fn check_call(call: &CallRecord<'_>) -> Result<(), WriteError> {
    let domains = call.domains;
    if domains.is_empty() || domains.len() as u64 > MAX_GROUP {
        return Err(WriteError::Order("a call touches one to four domains"));
    }
    if !domains.is_sorted_by(|a, b| a.domain < b.domain) {
        return Err(WriteError::Order("the domains of a call have a fixed order"));
    }
    let allowed = domains.iter().all(|domain| worst(domain) == Verdict::Allow);
    if call.permit_until.is_some() && !allowed {
        return Err(WriteError::Order("only an allowed call has a permit"));
    }
    let effects = || domains.iter().flat_map(|domain| domain.effects);
    let sorted = effects().all(|effect| effect.policies.is_sorted_by(|a, b| a < b));
    let filled = domains.iter().all(|domain| !domain.effects.is_empty());
    if !sorted || !filled || call.about.scope.is_empty() || !are_labels(call.labels) {
        return Err(WriteError::Value(Kind::Receipt));
    }
    Ok(())
}

fn worst(domain: &DomainRecord<'_>) -> Verdict {
    domain.effects.iter().map(|effect| effect.decision).max().unwrap_or(Verdict::Deny)
}

// What lines usually need, so that a buffer seldom grows.
const BEGIN_BYTES: usize = 1024;
const RECEIPT_BYTES: usize = 1152;
const EFFECT_BYTES: usize = 384;
const COUNTER_BYTES: usize = 128;
const SMALL_BYTES: usize = 320;
