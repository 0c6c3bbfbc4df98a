//! What a decision rests on that people gave, held against the acts before it on its chain.

use std::collections::BTreeSet;

use super::difference::{Difference, Differences, Place, What};
use super::people::{Answer, Asked, Grant, History, People, digest_of, people};
use crate::action::{Domain, Effect};
use crate::authorizer::facts::Facts;
use crate::authorizer::lines::line_domain;
use crate::digest::Digest;
use crate::governance::Parties;
use crate::governance::labels::Sources;
use crate::policy::{ElevationRule, Quorum, Snapshot};
use crate::reason::Reason;
use crate::receipt::{Approval, Receipt, Verdict};
use crate::session::governed::action_digest;
use crate::time::Timestamp;

/// A call that was decided.
pub(super) struct Rested<'a> {
    pub(super) first: &'a Receipt<'a>,
    pub(super) facts: &'a Facts,
    pub(super) snapshot: &'a Snapshot,
    pub(super) effects: &'a [&'a Effect],
    /// What the action says of itself, where it is there.
    pub(super) description: Option<&'a str>,
    pub(super) parties: Parties<'a>,
    pub(super) sources: Sources<'a>,
    /// Whether what is allowed would not be without what was added to a scope.
    pub(super) elevated: bool,
}

/// What an approval that a line names was found to be.
enum Document<'p> {
    Answer(&'p Asked, &'p Answer),
    Grant(&'p Grant),
}

impl Rested<'_> {
    fn now(&self) -> Timestamp {
        self.facts.now
    }

    /// Whether approvals were used up: the call was allowed, and bound somebody.
    fn uses(&self) -> bool {
        self.first.call_decision == Verdict::Allow && !self.facts.observed
    }

    fn quorum(&self, name: &str) -> Option<&Quorum> {
        self.snapshot.quorums().iter().find(|quorum| quorum.name == name)
    }

    /// The digest of the exact action; none where what it says of itself is not there.
    fn action(&self, asked: &Asked) -> Option<Digest> {
        // What a line cannot carry stands in the request as it was.
        let kind = match &*self.first.action.kind {
            "invalid" => &*asked.kind,
            kind => kind,
        };
        let effects: Vec<Effect> = self.effects.iter().map(|effect| (*effect).clone()).collect();
        Some(action_digest(kind, self.description?, &effects))
    }

    fn serves(&self, asked: &Asked) -> Result<(), Reason> {
        asked.check(self.first.bundle, self.now())?;
        match self.action(asked) {
            Some(action) if action != asked.action => Err(Reason::ApprovalWrongAction),
            _ => Ok(()),
        }
    }
}

impl People {
    /// Holds what a decision rests on against what was given before, and takes from that what it uses up.
    /// Tells what was known.
    pub(super) fn hold(&mut self, found: &mut Differences, call: &Rested<'_>) -> History {
        if self.known != History::Whole {
            return self.known;
        }
        let named: Vec<Digest> = call.first.approvals.iter().map(|used| used.id).collect();
        if call.uses() {
            call.first.approvals.iter().for_each(|used| self.hold_named(found, call, used));
        }
        for approved in &call.facts.approvals {
            let place = Place::Line(line_domain(approved.domain));
            for quorum in &approved.quorums {
                let named = call.uses().then_some(&*named);
                if !self.supports(call, approved.domain, quorum, named) {
                    found.text(place, What::BroughtQuorum, quorum, "");
                }
            }
        }
        self.hold_added(found, call);
        let known = self.hold_labels(found, call);
        if call.uses() {
            self.consume(call.first);
        }
        if call.uses() || call.facts.observed {
            self.touch(call);
        }
        known
    }

    /// Takes what a call uses up that could not be decided again.
    pub(super) fn miss(&mut self, first: &Receipt<'_>) {
        if first.call_decision == Verdict::Allow && first.permit_until.is_some() {
            self.consume(first);
        }
    }

    fn find(&self, id: Digest) -> Option<Document<'_>> {
        let answers = self.asked.iter().flat_map(|asked| {
            let own = asked.votes.iter().filter(|vote| vote.id == id);
            own.map(move |vote| Document::Answer(asked, vote))
        });
        let grants = self.grants.iter();
        let grants =
            grants.filter(|grant| grant.signers.iter().any(|(document, _)| *document == id));
        // One that was used before comes last: another request may have the same answer.
        let mut all: Vec<Document<'_>> = answers.chain(grants.map(Document::Grant)).collect();
        all.sort_by_key(|document| matches!(document, Document::Answer(asked, _) if asked.used));
        all.into_iter().next()
    }

    /// Holds one approval that a line names.
    fn hold_named(&self, found: &mut Differences, call: &Rested<'_>, used: &Approval<'_>) {
        let (holds, until) = match self.find(used.id) {
            None => (Err(None), None),
            Some(Document::Answer(asked, vote)) => {
                let person = *vote.approver == *used.approver && *vote.quorum == *used.quorum;
                let current = vote.until > call.now();
                let holds = call.serves(asked).map_err(Some).and(match current {
                    true if person => Ok(()),
                    true => Err(Some(Reason::ApprovalWrongPerson)),
                    false => Err(Some(Reason::ApprovalExpired)),
                });
                (holds, Some(vote.until.min(asked.until)))
            }
            Some(Document::Grant(grant)) => {
                let quorum = *grant.quorum == *used.quorum;
                let holds = grant.check(call.first.bundle, call.now()).map_err(Some);
                let wrong = Some(Reason::ApprovalWrongQuorum);
                (holds.and(if quorum { Ok(()) } else { Err(wrong) }), Some(grant.until))
            }
        };
        if let Err(reason) = holds {
            let reason = reason.map_or("", Reason::code);
            found.text(Place::Call, What::Brought, &used.id.to_string(), reason);
        }
        hold_end(found, call.first, until);
    }

    /// Whether enough people have approved of what the call does in `domain`, as `quorum` asks. Where the call
    /// names its approvals, no others count.
    fn supports(
        &self,
        call: &Rested<'_>,
        domain: Domain,
        quorum: &str,
        named: Option<&[Digest]>,
    ) -> bool {
        let Some(rule) = call.quorum(quorum).filter(|rule| rule.of > 0) else { return false };
        let counts = |id: &Digest| named.is_none_or(|named| named.contains(id));
        let by_answers = self.asked.iter().any(|asked| {
            let own = asked.votes.iter().filter(|vote| {
                vote.domain == domain
                    && *vote.quorum == *quorum
                    && vote.until > call.now()
                    && counts(&vote.id)
                    && call.parties.lets_count(rule, &vote.approver)
            });
            let people: BTreeSet<String> = own.map(|vote| vote.approver.to_lowercase()).collect();
            people.len() as u64 >= u64::from(rule.of) && call.serves(asked).is_ok()
        });
        by_answers
            || self.grants.iter().any(|grant| {
                let own = grant.signers.iter().filter(|(document, _)| counts(document));
                grant.domain == domain
                    && *grant.quorum == *quorum
                    && people(own.map(|(_, key)| key)) >= rule.of
                    && grant.check(call.first.bundle, call.now()).is_ok()
            })
    }

    /// Holds what was added to scopes for a while.
    fn hold_added(&self, found: &mut Differences, call: &Rested<'_>) {
        let rules = call.snapshot.elevations();
        let enough = |rule: Option<&ElevationRule>, people: u32| {
            let quorum = rule.and_then(|rule| call.quorum(&rule.quorum));
            quorum.is_some_and(|quorum| quorum.of > 0 && people >= quorum.of)
        };
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        for added in &call.facts.added {
            let scope = call.first.scope.get(added.hop);
            let grants = digest_of(&added.grants);
            let fits = self.raised.iter().enumerate().filter(|(at, raised)| {
                let rule = if raised.break_glass { &rules.break_glass } else { &rules.elevation };
                !taken.contains(at)
                    && scope == Some(&raised.scope)
                    && raised.grants == grants
                    && raised.until > call.now()
                    && enough(rule.as_ref(), people(raised.signers.iter().map(|(_, key)| key)))
            });
            match fits.max_by_key(|(_, raised)| raised.until) {
                None => {
                    let hop = format!("one for hop {}", added.hop);
                    found.text(Place::Call, What::BroughtElevation, &hop, "");
                }
                Some((at, raised)) => {
                    taken.insert(at);
                    if call.elevated {
                        hold_end(found, call.first, Some(raised.until));
                    }
                }
            }
        }
    }

    /// Holds the labels that policies did not see.
    fn hold_labels(&self, found: &mut Differences, call: &Rested<'_>) -> History {
        let hidden = call.facts.labels.declassified().iter();
        let unknown: Vec<&str> =
            hidden.filter(|label| !self.declassified.contains(*label)).map(AsRef::as_ref).collect();
        if unknown.is_empty() {
            return History::Whole;
        }
        if self.shared {
            return History::Shared;
        }
        found.list(Place::Call, What::BroughtLabel, &unknown, &[] as &[&str]);
        History::Whole
    }

    fn consume(&mut self, first: &Receipt<'_>) {
        let named = |id: &Digest| first.approvals.iter().any(|used| used.id == *id);
        for asked in &mut self.asked {
            asked.used |= asked.votes.iter().any(|vote| named(&vote.id));
        }
        for grant in &mut self.grants {
            if grant.signers.iter().any(|(document, _)| named(document)) {
                grant.left = grant.left.saturating_sub(1);
            }
        }
    }

    /// What is touched again binds again.
    fn touch(&mut self, call: &Rested<'_>) {
        if !self.declassified.is_empty() {
            for label in call.sources.touched(call.effects.iter().copied()) {
                self.declassified.remove(&label);
            }
        }
    }
}

/// A permit does not outlive what it rests on.
fn hold_end(found: &mut Differences, first: &Receipt<'_>, until: Option<Timestamp>) {
    if let (Some(permit), Some(until)) = (first.permit_until, until.map(Timestamp::as_millis))
        && permit > until
    {
        let (permit, until) = (permit.to_string(), until.to_string());
        found.0.push(Difference::new(Place::Call, What::PermitSigned, permit, until));
    }
}
