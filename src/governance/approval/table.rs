//! What is pending in one session: requests, and the answers to them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::action::Domain;
use crate::digest::Digest;
use crate::governance::approval::quorum::{Moment, Tally, eligible};
use crate::governance::approval::{Approval, ApprovalRequest, Refusal, Vote};
use crate::policy::Quorum;
use crate::reason::Reason;
use crate::receipt::SessionId;
use crate::time::Timestamp;

/// How many requests may be pending in a session where the host does not say: people are not to be
/// flooded.
pub const DEFAULT_PENDING: usize = 16;

/// How many requests may be pending in a session at most, whatever the host says.
pub const MAX_PENDING: usize = 256;

/// How long an approval may hold at most, where the host does not say.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The most approvals that one request keeps.
pub const MAX_VOTES: usize = 64;

/// How many requests that were used are remembered, so that a replay is told as what it is. Nothing
/// depends on it: ids of requests are never used again.
const REMEMBERED: usize = 64;

/// The requests of one session that wait for people, and what people have answered.
///
/// It decides nothing by itself: it says which quorums are met for one exact action at one moment. An
/// action that was allowed on that is [consumed](Self::consume), and nothing of it is left.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use countersign::action::{Domain, Effect, Kind, Target};
/// use countersign::digest::Digest;
/// use countersign::governance::approval::{Ballot, Need, RequestParts, Vote};
/// use countersign::governance::{Approval, ApprovalRequest, Directory, Moment, Parties, Pending};
/// use countersign::policy::Quorum;
/// use countersign::receipt::{IdentityKey, SessionId};
/// use countersign::time::Timestamp;
///
/// // Who may say yes: the directory of the host, and a quorum of the bundle.
/// let key = IdentityKey::from_seed(&[1; 32]);
/// let directory = Directory::parse(format!(r#"{{"directory": "countersign/directory/v1", "people": [
///     {{"id": "user:ben", "kind": "human", "keys": ["{}"], "roles": ["sre"]}}]}}"#, key.trusted()).as_bytes())?;
/// let quorum: Quorum = serde_json::from_str(r#"{"name": "sre", "roles": ["sre"], "of": 1}"#)?;
///
/// // What is asked.
/// let (session, now) = (SessionId::from_bytes([1; 16]), Timestamp::from_millis(1_795_251_600_000));
/// let (action, bundle) = (Digest::of("example", b"action"), Digest::of("example", b"bundle"));
/// let scope = [Digest::of("example", b"scope")];
/// let effect = Effect::new(Kind::WriteData, Target::Table("crm.customers".into()));
/// let request = ApprovalRequest::new(RequestParts {
///     session, call: 7, kind: "WriteData", action, effects: &[&effect],
///     agent: "spiffe://example.org/agent/coder/1", owner: "user:dana", on_behalf_of: None,
///     task: "fix-login", scope: &scope, bundle, needs: vec![Need::new(Domain::Data, &quorum)],
///     created: now, expires: now.plus(Duration::from_secs(600)),
/// })?;
/// let mut pending = Pending::new(session);
/// pending.open(request.clone(), now)?;
///
/// // A program shows it to a person, who signs.
/// let ballot = Ballot {
///     domain: Domain::Data, quorum: "sre", approver: "user:ben", vote: Vote::Approve,
///     at: now, expires: now.plus(Duration::from_secs(300)),
/// };
/// let approval = Approval::sign(&request, ballot, &key)?;
///
/// // It is held against everything, serves once, and is gone.
/// let moment = Moment {
///     now, directory: &directory, quorums: &[quorum], bundle, scope: &scope,
///     parties: Parties { owner: "user:dana", on_behalf_of: None }, is_revoked: &|_| false,
/// };
/// assert!(pending.submit(&approval, &moment)?.complete);
/// assert_eq!(pending.granted(action, Domain::Data, &moment).met.len(), 1);
/// pending.consume(action);
/// assert!(pending.granted(action, Domain::Data, &moment).met.is_empty());
/// assert_eq!(pending.submit(&approval, &moment).unwrap_err().code(), "approval.used");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
///
/// Requests are opened in the order of their calls, so that no id ever comes twice; the table refuses
/// another order. Everything is checked when an approval arrives and again each time it is looked at:
/// expiry, scope, bundle, whose key it is, roles, revocation.
#[derive(Debug)]
pub struct Pending {
    session: SessionId,
    most: usize,
    lifetime: Duration,
    entries: Vec<Entry>,
    /// The call of the latest request.
    latest: Option<u64>,
    used: VecDeque<Digest>,
}

#[derive(Debug)]
struct Entry {
    request: ApprovalRequest,
    votes: Vec<Approval>,
    rejected: bool,
}

/// Whether people have to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opened {
    /// They have, under this id.
    New(Digest),
    /// They were asked already, under this id.
    Folded(Digest),
}

impl Opened {
    /// Returns the id of the request.
    #[must_use]
    pub const fn id(self) -> Digest {
        match self {
            Self::New(id) | Self::Folded(id) => id,
        }
    }
}

/// An approval or a rejection that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The id of the document.
    pub id: Digest,
    /// The digest of the action.
    pub action: Digest,
    /// The answer.
    pub vote: Vote,
    /// Whether every quorum that the request asks is met now.
    pub complete: bool,
}

/// The quorums that are met for one action in one domain, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Presented {
    /// The quorums, sorted by name.
    pub met: Vec<Met>,
    /// The approvals that were accepted and do not hold now.
    pub withheld: Vec<Withheld>,
}

/// A quorum that is met, and on what that rests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Met {
    /// The name of the quorum.
    pub quorum: Box<str>,
    /// The approvals, one for each person, sorted by person.
    pub approvals: Vec<Used>,
    /// When the first of them, or the request, ends.
    pub until: Timestamp,
}

/// One approval that a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Used {
    /// The id of the person.
    pub approver: Box<str>,
    /// The id of the document.
    pub id: Digest,
}

/// An approval that was accepted and does not hold now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Withheld {
    /// The id of the document.
    pub id: Digest,
    /// Why it does not hold.
    pub why: Refusal,
}

impl Pending {
    /// Returns an empty table.
    #[must_use]
    pub const fn new(session: SessionId) -> Self {
        Self {
            session,
            most: DEFAULT_PENDING,
            lifetime: DEFAULT_LIFETIME,
            entries: Vec::new(),
            latest: None,
            used: VecDeque::new(),
        }
    }

    /// Sets how many requests may be pending, at most [`MAX_PENDING`].
    #[must_use]
    pub fn with_most(mut self, most: usize) -> Self {
        self.most = most.min(MAX_PENDING);
        self
    }

    /// Sets how long an approval may hold.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Takes a request of a call that was deferred. One for the same action that is pending and asks as
    /// many quorums is not asked again; one that asks fewer is replaced by one that asks for both.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal`]: `approval.wrong_session`; `approval.expired`; `approval.rejected`, which holds
    /// until the request that was rejected has expired; `approval.too_many_pending`; `approval.used` for a
    /// request that is not of a later call than all before. The action stays deferred all the same.
    pub fn open(&mut self, request: ApprovalRequest, now: Timestamp) -> Result<Opened, Refusal> {
        self.sweep(now);
        if request.session() != self.session {
            return Err(Reason::ApprovalWrongSession.into());
        }
        if request.expires() <= now {
            return Err(Reason::ApprovalExpired.into());
        }
        let found = self.entries.iter().position(|it| it.request.action() == request.action());
        let mut request = request;
        if let Some(old) = found.and_then(|place| self.entries.get(place)) {
            let same =
                old.request.scope() == request.scope() && old.request.bundle() == request.bundle();
            if same && old.rejected {
                return Err(Reason::ApprovalRejected.into());
            }
            if same && request.needs().iter().all(|need| old.request.needs().contains(need)) {
                return Ok(Opened::Folded(old.request.id()));
            }
            if same {
                request = request.widened(&old.request);
            }
        } else if self.entries.len() >= self.most {
            return Err(Reason::ApprovalTooManyPending.into());
        }
        if self.latest.is_some_and(|latest| request.call() <= latest) {
            return Err(Reason::ApprovalUsed.into());
        }
        self.latest = Some(request.call());
        let id = request.id();
        if let Some(place) = found {
            self.entries.remove(place);
        }
        self.entries.push(Entry { request, votes: Vec::new(), rejected: false });
        Ok(Opened::New(id))
    }

    /// Takes what a person has signed. A rejection ends the request: all its approvals are gone.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal`] with the code `approval.*` of the first thing that is wrong; nothing has
    /// changed then.
    pub fn submit(
        &mut self,
        approval: &Approval,
        moment: &Moment<'_>,
    ) -> Result<Accepted, Refusal> {
        if approval.session() != self.session {
            return Err(Reason::ApprovalWrongSession.into());
        }
        let lifetime = self.lifetime;
        let asked = |it: &&mut Entry| it.request.id() == approval.request();
        let Some(entry) = self.entries.iter_mut().find(asked) else {
            let used = self.used.contains(&approval.request());
            let reason = if used { Reason::ApprovalUsed } else { Reason::ApprovalUnknownRequest };
            return Err(reason.into());
        };
        if entry.rejected {
            return Err(Reason::ApprovalRejected.into());
        }
        check_request(&entry.request, moment)?;
        check_bindings(&entry.request, approval)?;
        let quorum = moment.quorum(approval.quorum()).ok_or(Reason::ApprovalWrongQuorum)?;
        check_vote(quorum, approval, moment)?;
        if approval.approved_at() < entry.request.created() {
            return Err(Reason::ApprovalBeforeRequest.into());
        }
        if approval.expires().since(approval.approved_at()) > lifetime {
            return Err(Reason::ApprovalTooLong.into());
        }
        let mut accepted = Accepted {
            id: approval.id(),
            action: approval.action(),
            vote: approval.vote(),
            complete: false,
        };
        if approval.vote() == Vote::Reject {
            entry.rejected = true;
            entry.votes.clear();
            return Ok(accepted);
        }
        // One that no longer holds may be given again.
        entry.votes.retain(|vote| vote.expires() > moment.now);
        let same = |vote: &Approval| {
            vote.approver() == approval.approver()
                && vote.domain() == approval.domain()
                && vote.quorum() == approval.quorum()
        };
        if let Some(place) = entry.votes.iter().position(same) {
            let holds = |vote: &Approval| check_vote(quorum, vote, moment).is_ok();
            if entry.votes.get(place).is_some_and(holds) {
                return Err(Reason::ApprovalDuplicate.into());
            }
            entry.votes.remove(place);
        }
        if entry.votes.len() >= MAX_VOTES {
            return Err(Reason::ApprovalTooMany.into());
        }
        entry.votes.push(approval.clone());
        accepted.complete = entry.is_complete(moment);
        Ok(accepted)
    }

    /// Says which quorums are met for `action` in `domain`, with everything as it is at `moment`.
    #[must_use]
    pub fn granted(&self, action: Digest, domain: Domain, moment: &Moment<'_>) -> Presented {
        let entry = self.entries.iter().find(|it| it.request.action() == action && !it.rejected);
        entry.map(|entry| entry.presented(domain, moment)).unwrap_or_default()
    }

    /// Uses up what was approved for `action`, and returns the id of its request. Nothing that was
    /// signed for that request serves again. What was rejected stays rejected.
    pub fn consume(&mut self, action: Digest) -> Option<Digest> {
        let waits = |it: &Entry| it.request.action() == action && !it.rejected;
        let place = self.entries.iter().position(waits)?;
        let id = self.entries.remove(place).request.id();
        if self.used.len() >= REMEMBERED {
            self.used.pop_front();
        }
        self.used.push_back(id);
        Some(id)
    }

    /// Takes back a request that nobody wants an answer to any more. What was rejected stays rejected.
    pub fn withdraw(&mut self, request: Digest) -> bool {
        let before = self.entries.len();
        self.entries.retain(|it| it.request.id() != request || it.rejected);
        self.entries.len() < before
    }

    /// Forgets requests that have expired, with their approvals, and returns them.
    pub fn sweep(&mut self, now: Timestamp) -> Vec<ApprovalRequest> {
        // Mostly there are none, and this runs with each call.
        if self.entries.iter().all(|it| it.request.expires() > now) {
            return Vec::new();
        }
        let entries = std::mem::take(&mut self.entries);
        let (kept, expired) = entries.into_iter().partition(|it| it.request.expires() > now);
        self.entries = kept;
        let expired: Vec<Entry> = expired;
        expired.into_iter().map(|it| it.request).collect()
    }

    /// Iterates over the requests that wait for people, in the order of their calls.
    pub fn requests(&self) -> impl Iterator<Item = &ApprovalRequest> {
        self.entries.iter().filter(|it| !it.rejected).map(|it| &it.request)
    }

    /// Finds a request that waits for people.
    #[must_use]
    pub fn request(&self, id: Digest) -> Option<&ApprovalRequest> {
        self.requests().find(|request| request.id() == id)
    }

    /// Returns how many requests count towards the most that may be pending; those that were rejected
    /// do until they expire.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether nothing is pending.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    fn presented(&self, domain: Domain, moment: &Moment<'_>) -> Presented {
        let mut presented = Presented::default();
        let votes = || self.votes.iter().filter(|vote| vote.domain() == domain);
        if let Err(why) = check_request(&self.request, moment) {
            presented.withheld = votes().map(|vote| Withheld { id: vote.id(), why }).collect();
            return presented;
        }
        for need in self.request.needs().iter().filter(|need| need.domain == domain) {
            let votes = votes().filter(|vote| vote.quorum() == &*need.quorum);
            let Some(quorum) = moment.quorum(&need.quorum) else { continue };
            let mut held = Vec::new();
            for vote in votes {
                match check_vote(quorum, vote, moment) {
                    Ok(()) => held.push(vote),
                    Err(why) => presented.withheld.push(Withheld { id: vote.id(), why }),
                }
            }
            let keys = held.iter().map(|vote| vote.key());
            let tally = Tally::count(quorum, moment.parties, moment.directory, keys);
            if tally.is_met() {
                let used =
                    |vote: &&Approval| Used { approver: vote.approver().into(), id: vote.id() };
                let mut approvals: Vec<Used> = held.iter().map(used).collect();
                approvals.sort_unstable();
                let ends = held.iter().map(|vote| vote.expires());
                let until = ends.fold(self.request.expires(), Timestamp::min);
                presented.met.push(Met { quorum: need.quorum.clone(), approvals, until });
            }
        }
        // Two needs may name one quorum in two ways when bundles change; it is met once.
        presented.met.dedup_by(|next, one| next.quorum == one.quorum);
        presented
    }

    fn is_complete(&self, moment: &Moment<'_>) -> bool {
        self.request.needs().iter().all(|need| {
            let met = self.presented(need.domain, moment).met;
            met.iter().any(|met| met.quorum == need.quorum)
        })
    }
}

/// Whether a request is still what is being asked.
fn check_request(request: &ApprovalRequest, moment: &Moment<'_>) -> Result<(), Refusal> {
    if request.expires() <= moment.now {
        return Err(Reason::ApprovalExpired.into());
    }
    if request.scope() != moment.scope {
        return Err(Reason::ApprovalScopeChanged.into());
    }
    if request.bundle() != moment.bundle {
        return Err(Reason::ApprovalBundleChanged.into());
    }
    Ok(())
}

/// Whether an approval is an answer to the request that it names, member by member.
fn check_bindings(request: &ApprovalRequest, approval: &Approval) -> Result<(), Refusal> {
    let needs = || request.needs().iter().filter(|need| need.domain == approval.domain());
    let reason = if approval.action() != request.action() {
        Reason::ApprovalWrongAction
    } else if needs().next().is_none() {
        Reason::ApprovalWrongDomain
    } else if needs().all(|need| *need.quorum != *approval.quorum()) {
        Reason::ApprovalWrongQuorum
    } else if approval.scope() != request.scope() {
        Reason::ApprovalScopeChanged
    } else if approval.bundle() != request.bundle() {
        Reason::ApprovalBundleChanged
    } else {
        return Ok(());
    };
    Err(reason.into())
}

/// Whether an approval holds at this moment: whose it is, whether that person counts, and its times.
fn check_vote(quorum: &Quorum, approval: &Approval, moment: &Moment<'_>) -> Result<(), Refusal> {
    let Some(person) = moment.directory.person(approval.key()) else {
        return Err(Reason::ApprovalUnknownKey.into());
    };
    if *person.id != *approval.approver() {
        return Err(Reason::ApprovalWrongPerson.into());
    }
    eligible(quorum, person, moment.parties).map_err(|why| why.reason())?;
    if approval.approved_at() > moment.now {
        return Err(Reason::ApprovalNotYetValid.into());
    }
    if approval.expires() <= moment.now {
        return Err(Reason::ApprovalExpired.into());
    }
    if (moment.is_revoked)(approval.signed()) {
        return Err(Reason::ApprovalRevoked.into());
    }
    Ok(())
}
