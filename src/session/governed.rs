//! What people have given to one session beside its scope: approvals, standing grants, elevations, leases.

use std::collections::BTreeMap;

use crate::action::path::PathResolver;
use crate::action::{Domain, Effect};
use crate::authorizer::gates::Approved;
use crate::digest::Digest;
use crate::governance::{Elevations, Leases, Moment, Pending, StandingGrants};
use crate::receipt::{Approval, SessionId};
use crate::time::Timestamp;

/// Under what name actions are hashed, so that an approval is of one exact action.
const ACTION_CONTEXT: &str = "countersign 2026-11 action v1";

/// The most approvals that the lines of one call name.
const MAX_USED: usize = 256;

/// Pure tables; whoever changes them puts the act on the chain.
#[derive(Debug)]
pub(crate) struct Governed {
    pub(crate) pending: Pending,
    pub(crate) standing: StandingGrants,
    pub(crate) elevations: Elevations,
    /// By elevation, the links that were met when what it adds was compiled, as facts carry them.
    pub(crate) links: BTreeMap<Digest, Box<str>>,
    pub(crate) leases: Leases,
    /// The declassifications that were used, with their end.
    pub(crate) declassified: Vec<(Digest, Timestamp)>,
    /// The broken glass that the host was told of, with its end.
    pub(crate) broken: Vec<(Digest, Timestamp)>,
    /// When another process handed the session over: nobody knows what was used of documents until then.
    pub(crate) resumed: Option<Timestamp>,
}

/// What people have approved of one call, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// By domain, ordered by its name; quorums ascend.
    pub(crate) approved: Vec<Approved>,
    /// On whose word that rests.
    pub(crate) used: Vec<Approval<'static>>,
    /// When the first of what was approved ends.
    pub(crate) until: Option<Timestamp>,
    /// The standing grants among it.
    grants: Vec<Digest>,
    /// The action, where single approvals are among it.
    action: Option<Digest>,
    /// How many approvals were accepted once and do not hold now.
    pub(crate) withheld: usize,
}

impl Governed {
    pub(crate) fn new(session: SessionId) -> Self {
        Self {
            pending: Pending::new(session),
            standing: StandingGrants::new(session),
            elevations: Elevations::new(),
            links: BTreeMap::new(),
            leases: Leases::new(session),
            declassified: Vec::new(),
            broken: Vec::new(),
            resumed: None,
        }
    }

    /// Tells whether a document of `issued` may have been used before the session was resumed.
    pub(crate) fn may_be_used(&self, issued: Timestamp) -> bool {
        self.resumed.is_some_and(|resumed| issued <= resumed)
    }

    /// Tells whether broken glass is news; it is once.
    pub(crate) fn breaks(&mut self, elevation: Digest, ends: Timestamp, now: Timestamp) -> bool {
        self.broken.retain(|(_, ends)| *ends > now);
        let news = self.broken.iter().all(|(id, _)| *id != elevation);
        if news {
            self.broken.push((elevation, ends));
        }
        news
    }

    /// Tells whether anything was approved that a call could rest on.
    pub(crate) fn has_approvals(&self) -> bool {
        !self.pending.is_empty() || !self.standing.is_empty()
    }

    /// Finds what was approved of a call. A standing grant counts for a domain where its pattern holds
    /// every effect that the call has there.
    pub(crate) fn given(
        &self,
        action: Digest,
        effects: &[Effect],
        moment: &Moment<'_>,
        paths: &dyn PathResolver,
    ) -> Given {
        let mut given = Given::default();
        let mut domains = Domain::ALL;
        domains.sort_unstable_by_key(|domain| domain.as_str());
        for domain in domains {
            let own = || effects.iter().filter(move |effect| effect.domain() == domain);
            if own().next().is_none() {
                continue;
            }
            let mut quorums: Vec<Box<str>> = Vec::new();
            let presented = self.pending.granted(action, domain, moment);
            given.withheld += presented.withheld.len();
            for met in presented.met {
                given.action = Some(action);
                given.ends(met.until);
                given.used.extend(met.approvals.into_iter().map(|used| Approval {
                    approver: used.approver.to_string().into(),
                    id: used.id,
                    quorum: met.quorum.to_string().into(),
                }));
                quorums.push(met.quorum);
            }
            let mut standing = own().map(|effect| self.standing.granted(effect, moment, paths));
            let mut held = standing.next().unwrap_or_default();
            for others in standing {
                held.retain(|met| others.iter().any(|other| other.grant == met.grant));
            }
            for met in held {
                if quorums.contains(&met.quorum) {
                    continue;
                }
                given.used.extend(met.approvals.into_iter().map(|used| Approval {
                    approver: used.approver.to_string().into(),
                    id: used.id,
                    quorum: met.quorum.to_string().into(),
                }));
                given.ends(met.until);
                given.grants.push(met.grant);
                quorums.push(met.quorum);
            }
            if !quorums.is_empty() {
                quorums.sort_unstable();
                given.approved.push(Approved { domain, quorums });
            }
        }
        // One grant may serve two domains, and one approval is named once.
        given.grants.sort_unstable();
        given.grants.dedup();
        given.used.sort_unstable_by(|one, other| {
            (&one.quorum, &one.approver, one.id).cmp(&(&other.quorum, &other.approver, other.id))
        });
        given.used.dedup();
        if given.used.len() > MAX_USED {
            // More than a line can name is nobody's word: the call stays deferred.
            return Given { withheld: given.withheld, ..Given::default() };
        }
        given
    }

    /// Uses up what an allowed call rested on.
    pub(crate) fn consume(&mut self, given: &Given) {
        if let Some(action) = given.action {
            self.pending.consume(action);
        }
        // Each had a use left a moment ago, under the same lock.
        let consumed = self.standing.consume(&given.grants);
        debug_assert!(consumed, "a grant that was given has a use left");
    }
}

impl Given {
    fn ends(&mut self, until: Timestamp) {
        self.until = Some(self.until.map_or(until, |known| known.min(until)));
    }
}

/// The digest of one exact action: what it is, what it says of itself, what it would do.
pub(crate) fn action_digest(kind: &str, description: &str, effects: &[Effect]) -> Digest {
    let mut text = String::with_capacity(kind.len() + description.len() + 256 * effects.len());
    // Neither of the first two holds a line end that is not escaped, nor does what follows.
    text.push_str(kind);
    text.push('\n');
    text.push_str(description);
    for effect in effects {
        text.push('\n');
        effect.write_canonical(&mut text);
    }
    Digest::of(ACTION_CONTEXT, text.as_bytes())
}
