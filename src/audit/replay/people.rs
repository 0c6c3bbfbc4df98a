//! What people gave to a session beside its scope, as the acts on its chain say.
//!
//! The tables are those of a session, without the directory and the revocations: whose key it was, and
//! whether it held at the moment, is not asked here. What is in them is the most that there was.

use std::collections::BTreeSet;

use super::difference::{Differences, Place, What};
use crate::action::Domain;
use crate::action::record::parse;
use crate::authorizer::events::is_digest_of_long;
use crate::digest::Digest;
use crate::governance::approval::{MAX_PENDING, MAX_VOTES, Vote};
use crate::governance::{
    Approval, ApprovalRequest, Declassification, Elevation, Fragment, MAX_ELEVATIONS, MAX_GRANTS,
    StandingGrant,
};
use crate::policy::Snapshot;
use crate::reason::Reason;
use crate::receipt::{Receipt, TrustedKey};
use crate::time::Timestamp;

/// What is known of a session before one of its calls, or act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum History {
    /// Everything since its beginning, or since it was resumed, which takes away all that people gave to it
    /// before.
    Whole,
    /// The file does not have the beginning of the session: what people gave to it before the first line is
    /// not known, and what a call rests on was not held against it.
    Cut,
    /// An act of people before the call could not be read, such as one whose opening was erased: what the call
    /// rests on was not held against it.
    Withheld,
    /// A label was declassified by no act on this chain, and the session shares its labels with those that it
    /// was handed on from or to: the act may stand on a chain of theirs.
    Shared,
}

/// What a session was given.
#[derive(Debug)]
pub(super) struct People {
    pub(super) known: History,
    /// When the session was resumed, which voids what was signed before.
    resumed: Option<Timestamp>,
    /// Whether its labels are those of other sessions too.
    pub(super) shared: bool,
    pub(super) asked: Vec<Asked>,
    /// The call of the latest request.
    latest: Option<u64>,
    pub(super) grants: Vec<Grant>,
    pub(super) raised: Vec<Raised>,
    /// The labels that policies do not see.
    pub(super) declassified: BTreeSet<Box<str>>,
    /// The declassifications that were used, with their end.
    spent: Vec<(Digest, Timestamp)>,
}

/// A request, with the answers to it.
#[derive(Debug)]
pub(super) struct Asked {
    id: Digest,
    pub(super) action: Digest,
    /// The kind of the action, as people were shown it.
    pub(super) kind: Box<str>,
    pub(super) bundle: Digest,
    needs: Vec<(Domain, Box<str>)>,
    created: Timestamp,
    pub(super) until: Timestamp,
    rejected: bool,
    /// Whether an allowed call rested on it.
    pub(super) used: bool,
    pub(super) votes: Vec<Answer>,
}

/// One person's approval.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) id: Digest,
    pub(super) approver: Box<str>,
    pub(super) domain: Domain,
    pub(super) quorum: Box<str>,
    pub(super) until: Timestamp,
}

/// A standing grant.
#[derive(Debug)]
pub(super) struct Grant {
    id: Digest,
    pub(super) bundle: Digest,
    pub(super) domain: Domain,
    pub(super) quorum: Box<str>,
    pub(super) until: Timestamp,
    /// How many calls it still serves.
    pub(super) left: u64,
    pub(super) signers: Vec<(Digest, TrustedKey)>,
}

/// An elevation.
#[derive(Debug)]
pub(super) struct Raised {
    id: Digest,
    pub(super) scope: Digest,
    /// The digest of what it adds.
    pub(super) grants: Option<Digest>,
    pub(super) break_glass: bool,
    pub(super) until: Timestamp,
    pub(super) signers: Vec<(Digest, TrustedKey)>,
}

/// The digest of a piece of a scope, so that two can be compared without keeping them.
pub(super) fn digest_of(fragment: &Fragment) -> Option<Digest> {
    let text = fragment.to_value()?.to_canonical();
    Some(Digest::of("countersign 2026-11 replayed fragment v1", text.as_bytes()))
}

/// An act that was accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done<'a> {
    pub(super) first: &'a Receipt<'a>,
    pub(super) name: &'a str,
    /// What was done.
    pub(super) value: &'a str,
    pub(super) now: Timestamp,
    /// The bundle in force.
    pub(super) snapshot: &'a Snapshot,
}

impl Default for People {
    fn default() -> Self {
        Self::new(History::Cut, false, None)
    }
}

impl People {
    const fn new(known: History, shared: bool, resumed: Option<Timestamp>) -> Self {
        Self {
            known,
            resumed,
            shared,
            asked: Vec::new(),
            latest: None,
            grants: Vec::new(),
            raised: Vec::new(),
            declassified: BTreeSet::new(),
            spent: Vec::new(),
        }
    }

    /// A session that begins on a chain of so many scopes: nothing was given to it yet.
    pub(super) const fn begun(scopes: usize) -> Self {
        Self::new(History::Whole, scopes > 1, None)
    }

    /// A session that is resumed: nothing that was given to it before is left.
    pub(super) const fn resumed(at: Timestamp) -> Self {
        Self::new(History::Whole, false, Some(at))
    }

    /// Something was given that cannot be read.
    pub(super) fn lose(&mut self) {
        let known = if self.known == History::Whole { History::Withheld } else { self.known };
        *self = Self { latest: self.latest, ..Self::new(known, self.shared, self.resumed) };
    }

    /// Returns how much is kept.
    pub(super) fn len(&self) -> usize {
        let signers = self.grants.iter().map(|grant| 1 + grant.signers.len());
        let raised = self.raised.iter().map(|raised| 1 + raised.signers.len());
        let asked = self.asked.iter().map(|asked| 1 + asked.needs.len() + asked.votes.len());
        let kept: usize = signers.chain(raised).chain(asked).sum();
        kept + self.declassified.len() + self.spent.len()
    }

    fn is_whole(&self) -> bool {
        self.known == History::Whole
    }

    /// Takes an act that was accepted, which is a difference where the acts before refuse it.
    pub(super) fn act(&mut self, found: &mut Differences, done: &Done<'_>) {
        let gives = ["request", "approval", "standing_grant", "elevation", "declassification"];
        if gives.contains(&done.name) && is_digest_of_long(done.value) {
            // It was accepted and is too long to be on record: nobody knows what it gave.
            return self.lose();
        }
        let taken = match done.name {
            "request" => self.ask(done),
            "approval" => self.answer(done),
            "standing_grant" => self.grant(done),
            "elevation" => self.raise(done),
            "declassification" => self.declassify(done),
            "delegation" => {
                self.shared = true;
                Ok(())
            }
            // It came from another process, whose sessions have labels of their own.
            "taken_over" => {
                self.shared = false;
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(reason) = taken {
            found.text(Place::Call, What::Accepted, "accepted", reason.code());
        }
    }

    fn ask(&mut self, done: &Done<'_>) -> Result<(), Reason> {
        let request = ApprovalRequest::parse(done.value.as_bytes());
        let request = request.map_err(|_| Reason::ApprovalUnaskable)?;
        check(request.session() == done.first.session, Reason::ApprovalWrongSession)?;
        check(done.is_of(request.scope()), Reason::ApprovalScopeChanged)?;
        check(request.expires() > done.now, Reason::ApprovalExpired)?;
        if !self.is_whole() {
            return Ok(());
        }
        self.asked.retain(|asked| asked.until > done.now);
        let same = |asked: &Asked| asked.action == request.action() && !asked.used;
        let old = self.asked.iter().position(same);
        if let Some(old) = old.and_then(|at| self.asked.get(at)) {
            if old.id == request.id() {
                return Ok(());
            }
            let again = old.rejected && old.bundle == request.bundle();
            check(!again, Reason::ApprovalRejected)?;
        }
        let later = self.latest.is_none_or(|latest| request.call() > latest);
        check(later, Reason::ApprovalUsed)?;
        self.latest = Some(request.call());
        if let Some(old) = old {
            self.asked.remove(old);
        }
        let waiting = self.asked.iter().filter(|asked| !asked.used).count();
        check(waiting < MAX_PENDING, Reason::ApprovalTooManyPending)?;
        // Those that were used are remembered, so that what is used again is told as that.
        if self.asked.len() >= 2 * MAX_PENDING
            && let Some(oldest) = self.asked.iter().position(|asked| asked.used)
        {
            self.asked.remove(oldest);
        }
        let needs = request.needs().iter().map(|need| (need.domain, need.quorum.clone()));
        self.asked.push(Asked {
            id: request.id(),
            action: request.action(),
            kind: request.kind().into(),
            bundle: request.bundle(),
            needs: needs.collect(),
            created: request.created(),
            until: request.expires(),
            rejected: false,
            used: false,
            votes: Vec::new(),
        });
        Ok(())
    }

    fn answer(&mut self, done: &Done<'_>) -> Result<(), Reason> {
        let approval = Approval::parse(done.value.as_bytes());
        let approval = approval.map_err(|_| Reason::ApprovalMalformed)?;
        check(approval.session() == done.first.session, Reason::ApprovalWrongSession)?;
        check(done.is_of(approval.scope()), Reason::ApprovalScopeChanged)?;
        check(approval.approved_at() <= done.now, Reason::ApprovalNotYetValid)?;
        check(approval.expires() > done.now, Reason::ApprovalExpired)?;
        if !self.is_whole() {
            return Ok(());
        }
        let asked = self.asked.iter_mut().find(|asked| asked.id == approval.request());
        let asked = asked.ok_or(Reason::ApprovalUnknownRequest)?;
        check(!asked.used, Reason::ApprovalUsed)?;
        check(!asked.rejected, Reason::ApprovalRejected)?;
        check(asked.until > done.now, Reason::ApprovalExpired)?;
        check(approval.action() == asked.action, Reason::ApprovalWrongAction)?;
        check(approval.bundle() == asked.bundle, Reason::ApprovalBundleChanged)?;
        let need = (approval.domain(), Box::from(approval.quorum()));
        check(asked.needs.contains(&need), Reason::ApprovalWrongQuorum)?;
        check(approval.approved_at() >= asked.created, Reason::ApprovalBeforeRequest)?;
        if approval.vote() == Vote::Reject {
            asked.rejected = true;
            asked.votes.clear();
            return Ok(());
        }
        let (domain, quorum) = need;
        // One that no longer held may have been given again.
        let same = |vote: &Answer| {
            *vote.approver == *approval.approver() && vote.domain == domain && vote.quorum == quorum
        };
        asked.votes.retain(|vote| !same(vote) && vote.until > done.now);
        check(asked.votes.len() < MAX_VOTES, Reason::ApprovalTooMany)?;
        asked.votes.push(Answer {
            id: approval.id(),
            approver: approval.approver().into(),
            domain,
            quorum,
            until: approval.expires(),
        });
        Ok(())
    }

    fn grant(&mut self, done: &Done<'_>) -> Result<(), Reason> {
        let grant = StandingGrant::parse(done.value.as_bytes());
        let grant = grant.map_err(|_| Reason::ApprovalMalformed)?;
        check(grant.session() == done.first.session, Reason::ApprovalWrongSession)?;
        check(done.is_of(grant.scope()), Reason::ApprovalScopeChanged)?;
        check(grant.issued_at() <= done.now, Reason::ApprovalNotYetValid)?;
        check(grant.until() > done.now, Reason::ApprovalExpired)?;
        if !self.is_whole() {
            return Ok(());
        }
        check(!self.is_void(grant.issued_at()), Reason::ApprovalUsed)?;
        self.grants.retain(|other| other.until > done.now);
        let signer = (grant.signed().digest(), *grant.signed().key());
        match self.grants.iter_mut().find(|other| other.id == grant.id()) {
            Some(other) => {
                check(other.left > 0, Reason::ApprovalUsed)?;
                sign(&mut other.signers, signer).map_err(|()| Reason::ApprovalTooMany)
            }
            None => {
                check(self.grants.len() < MAX_GRANTS, Reason::ApprovalTooMany)?;
                self.grants.push(Grant {
                    id: grant.id(),
                    bundle: grant.bundle(),
                    domain: grant.domain(),
                    quorum: grant.quorum().into(),
                    until: grant.until(),
                    left: grant.uses(),
                    signers: vec![signer],
                });
                Ok(())
            }
        }
    }

    fn raise(&mut self, done: &Done<'_>) -> Result<(), Reason> {
        let elevation = Elevation::parse(done.value.as_bytes());
        let elevation = elevation.map_err(|_| Reason::ElevationMalformed)?;
        let own = done.first.scope.iter().any(|scope| *scope == elevation.scope());
        check(own, Reason::ElevationWrongScope)?;
        check(elevation.issued_at() <= done.now, Reason::ElevationNotYetValid)?;
        check(elevation.expires() > done.now, Reason::ElevationExpired)?;
        if !self.is_whole() {
            return Ok(());
        }
        self.raised.retain(|other| other.until > done.now);
        let signer = (elevation.signed().digest(), *elevation.signed().key());
        match self.raised.iter_mut().find(|other| other.id == elevation.id()) {
            Some(other) => sign(&mut other.signers, signer).map_err(|()| Reason::ElevationTooMany),
            None => {
                check(self.raised.len() < MAX_ELEVATIONS, Reason::ElevationTooMany)?;
                self.raised.push(Raised {
                    id: elevation.id(),
                    scope: elevation.scope(),
                    grants: digest_of(elevation.grants()),
                    break_glass: elevation.is_break_glass(),
                    until: elevation.expires(),
                    signers: vec![signer],
                });
                Ok(())
            }
        }
    }

    fn declassify(&mut self, done: &Done<'_>) -> Result<(), Reason> {
        let list = parse(done.value).map_err(|_| Reason::DeclassificationMalformed)?;
        let list = list.as_array().ok_or(Reason::DeclassificationMalformed)?;
        let read = |signed: &crate::value::Value| {
            Declassification::parse(signed.to_canonical().as_bytes())
        };
        let documents: Result<Vec<Declassification>, _> = list.iter().map(read).collect();
        let documents = documents.map_err(|_| Reason::DeclassificationMalformed)?;
        let first = documents.first().ok_or(Reason::DeclassificationMalformed)?;
        let one = documents.iter().all(|document| document.id() == first.id());
        check(one, Reason::DeclassificationMalformed)?;
        let own = first.session() == done.first.session && done.is_of(first.scope());
        check(own, Reason::DeclassificationWrongSession)?;
        check(first.issued_at() <= done.now, Reason::DeclassificationNotYetValid)?;
        check(first.expires() > done.now, Reason::DeclassificationExpired)?;
        let touched = done.first.labels.iter().any(|label| **label == *first.label());
        check(touched, Reason::DeclassificationLabel)?;
        let rule = done.snapshot.elevations().declassification.as_ref();
        let rule = rule.ok_or(Reason::DeclassificationAbsent)?;
        let quorum = done.snapshot.quorums().iter().find(|quorum| quorum.name == rule.quorum);
        let quorum = quorum.ok_or(Reason::DeclassificationAbsent)?;
        let keys = documents.iter().map(|document| document.signed().key());
        check(people(keys) >= quorum.of, Reason::DeclassificationQuorum)?;
        if !self.is_whole() {
            return Ok(());
        }
        check(!self.is_void(first.issued_at()), Reason::DeclassificationUsed)?;
        self.spent.retain(|(_, ends)| *ends > done.now);
        let spent = self.spent.iter().any(|(id, _)| *id == first.id());
        check(!spent, Reason::DeclassificationUsed)?;
        self.spent.push((first.id(), first.expires()));
        self.declassified.insert(first.label().into());
        Ok(())
    }

    /// Whether something of `issued` may have been used before the session was resumed.
    fn is_void(&self, issued: Timestamp) -> bool {
        self.resumed.is_some_and(|resumed| issued <= resumed)
    }
}

impl Asked {
    /// Whether its answers can serve a call under `bundle` at `now`.
    pub(super) fn check(&self, bundle: Digest, now: Timestamp) -> Result<(), Reason> {
        check(!self.used, Reason::ApprovalUsed)?;
        check(!self.rejected, Reason::ApprovalRejected)?;
        check(self.until > now, Reason::ApprovalExpired)?;
        check(self.bundle == bundle, Reason::ApprovalBundleChanged)
    }
}

impl Grant {
    /// Whether it can serve a call under `bundle` at `now`.
    pub(super) fn check(&self, bundle: Digest, now: Timestamp) -> Result<(), Reason> {
        check(self.left > 0, Reason::ApprovalUsed)?;
        check(self.until > now, Reason::ApprovalExpired)?;
        check(self.bundle == bundle, Reason::ApprovalBundleChanged)
    }
}

impl Done<'_> {
    /// Whether a document names the scopes of the session.
    fn is_of(&self, scope: &[Digest]) -> bool {
        self.first.scope.iter().eq(scope)
    }
}

/// How many people these can be at the most: two keys of one person are two here.
pub(super) fn people<'k>(keys: impl Iterator<Item = &'k TrustedKey>) -> u32 {
    let mut seen: Vec<&TrustedKey> = Vec::new();
    for key in keys {
        if !seen.contains(&key) {
            seen.push(key);
        }
    }
    u32::try_from(seen.len()).unwrap_or(u32::MAX)
}

fn check(holds: bool, reason: Reason) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(reason) }
}

/// Adds one signature; those that no longer held may have made room for others, so that more are kept than a
/// session keeps at a time.
fn sign(signers: &mut Vec<(Digest, TrustedKey)>, signer: (Digest, TrustedKey)) -> Result<(), ()> {
    if signers.len() >= 4 * MAX_VOTES {
        return Err(());
    }
    signers.push(signer);
    Ok(())
}
