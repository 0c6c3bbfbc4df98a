//! The bodies of all kinds of lines (receipt-format §4 and §6). The fields of each struct are the
//! members of the object, in the order in which they are written and expected.

use std::fmt;

use super::form::{Counters, Field, FormError, List, Reader, Text, object, words};
use super::tree::TreeHash;
use super::{MAX_LABEL, MAX_LABELS};
use crate::digest::Digest;
use crate::hex;

/// The sixteen random bytes that name a session, shown as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// Wraps sixteen random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Parses 32 lower-case hex digits; anything else is `None`.
    #[must_use]
    pub fn parse_hex(text: &str) -> Option<Self> {
        hex::parse(text.as_bytes()).map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::text(&self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> Field<'a> for SessionId {
    fn write(&self, out: &mut String) {
        self.0.write(out);
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError> {
        reader.hex().map(Self)
    }
}

words! {
    /// Which lines of a session carry a signature of their own.
    pub enum Signing {
        /// Every line does.
        Every = "every",
        /// None does: the journal's heads sign for them.
        ///
        /// Lines after the last head are chained and unproven: whoever can write to the store can
        /// forge them, and the next head after a resumption vouches for what was found there.
        Heads = "heads",
    }
}

words! {
    /// What was decided, ordered by severity.
    pub enum Verdict {
        /// It may happen.
        Allow = "allow",
        /// It may happen once the named quorums approve.
        Defer = "defer",
        /// It may not happen.
        Deny = "deny",
    }
}

words! {
    /// Where an effect takes place, in the order in which the lines of a group stand.
    pub enum Domain {
        /// Tools, messages, payments.
        Application = "application",
        /// Processes, network, secrets, privileges.
        Infrastructure = "infrastructure",
        /// Files, tables, memory.
        Data = "data",
        /// Models, jobs, accelerators.
        Workload = "workload",
    }
}

words! {
    /// Whether an effect can be undone, from the mildest to the worst.
    pub enum Reversibility {
        /// By the library or the host, fully.
        Reversible = "reversible",
        /// By another action that makes up for it.
        Compensable = "compensable",
        /// Not at all, or not known.
        Irreversible = "irreversible",
    }
}

words! {
    /// What became of an allowed call.
    pub enum OutcomeStatus {
        /// The permit was used too late.
        Expired = "expired",
        /// The action ran and reported an error.
        Failed = "failed",
        /// The action ran and panicked.
        Panicked = "panicked",
        /// The action ran and reported success.
        Succeeded = "succeeded",
        /// The action started, and nobody said how it ended.
        Unfinished = "unfinished",
        /// The permit was dropped without running.
        Unused = "unused",
    }
}

words! {
    /// How a session came to its end.
    pub enum EndStatus {
        /// The host let go of it without closing.
        Dropped = "dropped",
        /// The task's time was over.
        Expired = "expired",
        /// The host closed it.
        Finished = "finished",
        /// A line could not be stored.
        Poisoned = "poisoned",
    }
}

object! {
    /// A key comes into force.
    pub struct Epoch {
        /// Number of the epoch, from 1.
        epoch: u64,
        /// The identity key that signs this line.
        identity: [u8; 32],
        /// The journal; absent on line 0.
        journal: Option<Digest>,
        /// The key that signs everything else in this epoch.
        key: [u8; 32],
        /// Link hash of the line before; absent on line 0.
        prev: Option<Digest>,
        /// Signature by `key`: proof of its possession.
        proof: [u8; 64],
        /// Position in the chain.
        seq: u64,
        /// Mode of the sessions that begin in this epoch.
        signing: Signing,
        /// Milliseconds since 1970.
        time: u64,
        /// Version of the format.
        v: u64,
    }
}

object! {
    /// A session begins.
    pub struct Open<'a> {
        /// The agent instance.
        agent: Text<'a>,
        /// Link hash of the session's line 0.
        begin: Digest,
        /// The epoch in force.
        epoch: u64,
        /// The journal.
        journal: Digest,
        /// Link hash of the line before.
        prev: Digest,
        /// Position in the chain.
        seq: u64,
        /// The session.
        session: SessionId,
        /// Milliseconds since 1970.
        time: u64,
    }
}

object! {
    /// A session has come this far.
    pub struct Head {
        /// How many lines of the session are accounted for.
        count: u64,
        /// The epoch in force.
        epoch: u64,
        /// Link hash of the last of them.
        head: Digest,
        /// The journal.
        journal: Digest,
        /// Link hash of the line before.
        prev: Digest,
        /// Position in the chain.
        seq: u64,
        /// The session.
        session: SessionId,
        /// Milliseconds since 1970.
        time: u64,
        /// Root of the session tree over the lines that are accounted for.
        tree: TreeHash,
    }
}

object! {
    /// Nothing more of a session is accounted for.
    pub struct Close {
        /// How many lines of the session are accounted for.
        count: u64,
        /// The epoch in force.
        epoch: u64,
        /// Link hash of the last of them.
        head: Digest,
        /// The journal.
        journal: Digest,
        /// Link hash of the line before.
        prev: Digest,
        /// Position in the chain.
        seq: u64,
        /// The session.
        session: SessionId,
        /// How the session came to its end.
        status: EndStatus,
        /// Milliseconds since 1970.
        time: u64,
        /// Root of the session tree over the lines that are accounted for.
        tree: TreeHash,
    }
}

object! {
    /// Line 0 of a session: who works on what.
    pub struct Begin<'a> {
        /// The agent instance.
        agent: Text<'a>,
        /// Digest of the policy bundle.
        bundle: Digest,
        /// The epoch in force.
        epoch: u64,
        /// End of the task.
        expires: u64,
        /// The journal.
        journal: Digest,
        /// For whom.
        on_behalf_of: Text<'a>,
        /// Who answers for the task.
        owner: Text<'a>,
        /// Digest of the bundle's schema.
        schema: Digest,
        /// Digests of the chain of task scopes, outermost first.
        scope: List<'a, Digest>,
        /// Always 0.
        seq: u64,
        /// The session.
        session: SessionId,
        /// Mode of this session.
        signing: Signing,
        /// The task.
        task: Text<'a>,
        /// Milliseconds since 1970.
        time: u64,
        /// Version of the format.
        v: u64,
    }
}

object! {
    /// The type of an action and the commitment to it.
    pub struct Action<'a> {
        /// Commitment called `action`.
        commit: Digest,
        /// Type of the action.
        kind: Text<'a>,
    }
}

object! {
    /// An approval that was used.
    pub struct Approval<'a> {
        /// Who approved.
        approver: Text<'a>,
        /// Digest of the approval.
        id: Digest,
        /// The quorum that it counts for.
        quorum: Text<'a>,
    }
}

object! {
    /// One effect of an action and what was decided on it.
    pub struct Effect<'a> {
        /// Commitment called `effects/<domain>/<index>`.
        commit: Digest,
        /// What was decided on this effect.
        decision: Verdict,
        /// Kind of the effect.
        kind: Text<'a>,
        /// Ids of the policies that decided, ascending.
        policies: List<'a, Text<'a>>,
        /// Where the action came from.
        provenance: Text<'a>,
        /// Quorums that could still approve it.
        quorums: List<'a, Text<'a>>,
        /// Stable reason codes.
        reasons: List<'a, Text<'a>>,
        /// Whether it can be undone.
        reversibility: Reversibility,
    }
}

object! {
    /// One domain of one call: the decision and all that it depends on.
    pub struct Receipt<'a> {
        /// The action.
        action: Action<'a>,
        /// The session's counters after this call.
        after: Counters<'a>,
        /// The agent instance.
        agent: Text<'a>,
        /// Approvals that were used.
        approvals: List<'a, Approval<'a>>,
        /// Digest of the policy bundle that decided.
        bundle: Digest,
        /// Number of the call in this session, from 1.
        call: u64,
        /// Worst decision of the group.
        call_decision: Verdict,
        /// Position of an earlier receipt of this session that this call follows from.
        cause: Option<u64>,
        /// Worst decision of this line's effects.
        decision: Verdict,
        /// The domain.
        domain: Domain,
        /// What the action would do in this domain.
        effects: List<'a, Effect<'a>>,
        /// The epoch in force.
        epoch: u64,
        /// Commitment called `facts`.
        facts: Digest,
        /// Position in the group.
        index: u64,
        /// Data classes that the session has touched after this call, ascending.
        labels: List<'a, Text<'a>>,
        /// Size of the group.
        of: u64,
        /// For whom.
        on_behalf_of: Text<'a>,
        /// Who answers for the task.
        owner: Text<'a>,
        /// End of the permit.
        permit_until: Option<u64>,
        /// Link hash of the line before.
        prev: Digest,
        /// Digests of the chain of task scopes.
        scope: List<'a, Digest>,
        /// Position in the chain.
        seq: u64,
        /// The session.
        session: SessionId,
        /// The task.
        task: Text<'a>,
        /// Milliseconds since 1970.
        time: u64,
        /// W3C trace context of the call.
        traceparent: Option<Text<'a>>,
        /// Transaction id of the caller.
        txn: Option<Text<'a>>,
    }
}

object! {
    /// What became of an allowed call.
    pub struct Outcome<'a> {
        /// The session's counters after the outcome.
        after: Counters<'a>,
        /// The call.
        call: u64,
        /// Commitment called `result`.
        commit: Option<Digest>,
        /// How long it ran.
        duration_ms: u64,
        /// The epoch in force.
        epoch: u64,
        /// Link hash of the line before.
        prev: Digest,
        /// Position in the chain.
        seq: u64,
        /// The session.
        session: SessionId,
        /// What became of it.
        status: OutcomeStatus,
        /// Milliseconds since 1970.
        time: u64,
    }
}

object! {
    /// The chain goes on after a restart or a failed store.
    pub struct Resume {
        /// The epoch in force.
        epoch: u64,
        /// Link hash of the line before.
        prev: Digest,
        /// Position in the chain.
        seq: u64,
        /// The session.
        session: SessionId,
        /// Milliseconds since 1970.
        time: u64,
    }
}

object! {
    /// The last line of a session.
    pub struct End {
        /// The epoch in force.
        epoch: u64,
        /// Link hash of the line before.
        prev: Digest,
        /// Position in the chain.
        seq: u64,
        /// The session.
        session: SessionId,
        /// How the session came to its end.
        status: EndStatus,
        /// Milliseconds since 1970.
        time: u64,
    }
}

/// Tells whether `labels` are what a receipt may carry (receipt-format §6.2). They name classes of
/// data and are no data, hence short and few.
pub(super) fn are_labels(labels: &[Text<'_>]) -> bool {
    labels.len() <= MAX_LABELS
        && labels.iter().all(|label| (1..=MAX_LABEL).contains(&label.len()))
        && labels.is_sorted_by(|a, b| a < b)
}
