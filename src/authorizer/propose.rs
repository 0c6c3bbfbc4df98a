//! One proposed action on its way: decided under the session's lock, accounted for, put on the chain.

use std::sync::{Arc, MutexGuard};

use crate::action::{Action, EffectContext};
use crate::authorizer::decision::{Asked, Decided, Severity};
use crate::authorizer::facts;
use crate::authorizer::findings::{Finding, FindingKind};
use crate::authorizer::gates::{Added, Answer, Hop, Question};
use crate::authorizer::lines::{Lines, describe};
use crate::authorizer::live::Live;
use crate::authorizer::permit::Terms;
use crate::authorizer::witness::Witness;
use crate::authorizer::{AuthorizeError, Call, Decision, Deferral, Denial, Pending, Permit};
use crate::governance::labels::Sources;
use crate::governance::limits::{Ledger, SessionLimits};
use crate::governance::temporal;
use crate::governance::{Elevated, Moment, Revoked, Signed};
use crate::policy::Snapshot;
use crate::reason::Reason;
use crate::receipt::{Group, OutcomeRecord, OutcomeStatus, Ticket};
use crate::scope::CompiledScope;
use crate::session::governed::{Given, Governed, action_digest};
use crate::session::state::State;
use crate::time::Timestamp;

/// A decision whose lines are to be stored, after what stands before them in the chain.
#[derive(Debug)]
pub(crate) struct Proposed<T> {
    pub(crate) earlier: Vec<Pending<()>>,
    pub(crate) pending: Pending<T>,
}

/// What came out, before its lines are stored.
#[derive(Debug)]
struct Answered {
    earlier: Vec<Pending<()>>,
    group: Group,
    ticket: Ticket,
    decided: Arc<Decided>,
    severity: Severity,
    terms: Option<Terms>,
}

impl Live {
    /// Decides on `action` and yields the lines that say so.
    pub(crate) fn propose<A: Action>(
        self: &Arc<Self>,
        action: A,
        call: &Call,
    ) -> Result<Proposed<Decision<A>>, AuthorizeError> {
        let answered = self.answer(&action, call, false)?;
        let Answered { earlier, group, ticket, decided, severity, terms } = answered;
        let decision = match (severity, terms) {
            (Severity::Allow, Some(terms)) => {
                Decision::Allow(Permit::new(Arc::clone(self), action, decided, terms))
            }
            (Severity::Defer, _) => Decision::Defer(Deferral(decided)),
            _ => Decision::Deny(Denial(decided)),
        };
        Ok(Proposed { earlier, pending: Pending::new(group, vec![ticket], decision) })
    }

    /// Says what would be decided on `action`, and yields the lines that say so; it binds nobody.
    pub(crate) fn watch<A: Action>(
        self: &Arc<Self>,
        action: &A,
        call: &Call,
    ) -> Result<Proposed<(Arc<Decided>, Severity)>, AuthorizeError> {
        let answered = self.answer(action, call, true)?;
        let Answered { earlier, group, ticket, decided, severity, .. } = answered;
        Ok(Proposed { earlier, pending: Pending::new(group, vec![ticket], (decided, severity)) })
    }

    fn answer<A: Action>(
        self: &Arc<Self>,
        action: &A,
        call: &Call,
        observed: bool,
    ) -> Result<Answered, AuthorizeError> {
        let shared = &*self.shared;
        let place = &self.place;
        let scope = place.scope();
        let snapshot = shared.snapshot();
        let mut described = {
            let context = EffectContext::new(&*shared.paths, scope.workspace(), snapshot.tools());
            describe(action, &context)
        };
        let kind = action.kind();
        let effects = std::mem::take(&mut described.effects);
        let limits = place.own.limits(&snapshot);
        let above_limits: Vec<SessionLimits> =
            place.above.iter().map(|account| account.limits(&snapshot)).collect();

        let mut state = self.lock()?;
        if call.cause.is_some_and(|cause| cause >= state.chain.lines()) {
            return Err(AuthorizeError::Misuse(
                "a call follows from an earlier line of its session",
            ));
        }
        let (time, now) = state.advance(shared.clock.now().ok());
        let stopped = self.stopped(&mut state, now);
        let witness = Witness::new(&*shared.paths);
        let refused = match &shared.temporal {
            Some(engine) => state.history.ask(&**engine, &effects, now),
            None => Vec::new(),
        };
        // Read first: what comes in between makes the permit void, not the decision blind.
        let people = shared.people();
        let (given, active) = self.with_moment(now, &snapshot, |moment| {
            let governed = &state.governed;
            let given = match governed.has_approvals() {
                true => {
                    let action = action_digest(&kind, &described.text, &effects);
                    governed.given(action, &effects, moment, &witness)
                }
                false => Given::default(),
            };
            (given, governed.elevations.active(snapshot.elevations(), moment))
        });
        let added = self.added(&state.governed, &active);

        let mut ledger = place.own.ledger();
        // From the session upwards, as every session of the tree does.
        let mut ledgers: Vec<MutexGuard<'_, Ledger>> =
            place.above.iter().rev().map(|account| account.ledger()).collect();
        ledgers.reverse();
        let mut held = place.labels();
        ledger.tick(now, &limits);
        ledgers.iter_mut().zip(&above_limits).for_each(|(above, limits)| above.tick(now, limits));
        // What the call reads counts for what it sends, and for every later call once it is allowed.
        let above_scopes: Vec<&CompiledScope> =
            place.above.iter().map(|account| &account.prepared.scope).collect();
        let sources = Sources { own: scope, above: &above_scopes, snapshot: &snapshot };
        let labels = held.with(sources, effects.iter());
        let (mut answer, facts, ends, signed) = {
            let hops = place.above.iter().zip(&ledgers).zip(&above_limits);
            let above: Vec<Hop<'_>> = hops
                .map(|((account, ledger), limits)| Hop {
                    scope: &account.prepared.scope,
                    limits,
                    ledger,
                    budget: account.budget.as_ref(),
                })
                .collect();
            let question = Question {
                snapshot: &snapshot,
                own: Hop {
                    scope,
                    limits: &limits,
                    ledger: &ledger,
                    budget: place.own.budget.as_ref(),
                },
                above: &above,
                added: &added,
                stopped,
                approvals: &given.approved,
                acting_through: &place.acting_through,
                observed,
                principal: &place.principal,
                memory: None,
                paths: &witness,
                refused: &refused,
                environment: &shared.environment,
                provenance: call.provenance,
                labels: &held,
                labels_after: &labels,
                time,
                now,
            };
            let answer = question.decide(effects);
            let links: Vec<&str> = place.hops().map(|hop| &*hop.prepared.links).collect();
            let decided = answer.effects.iter().map(|decided| &decided.effect);
            // What people signed ends a permit that rests on it.
            let signed = match question.elevated(&answer) {
                true => active.iter().map(|it| it.elevation.expires()).chain(given.until).min(),
                false => given.until,
            };
            let lifetime = signed
                .map_or(shared.permit_lifetime, |ends| shared.permit_lifetime.min(ends.since(now)));
            let facts = facts::write(&question, decided, &links, lifetime);
            (answer, facts, question.permit_until(lifetime), signed)
        };
        drop((added, active));
        if shared.temporal.is_some() {
            let effects = answer.effects.iter().map(|decided| &decided.effect);
            state.history.note(effects, event(answer.severity), held.seen(), now);
        }

        let number = state.chain.next_call();
        let mut until = None;
        let severity = answer.severity;
        if observed {
            // It runs whatever the answer is: nothing is charged for it, and what it touches sticks.
        } else {
            let above = ledgers.iter_mut().map(|ledger| &mut **ledger).zip(&above_limits);
            if let Some(reservation) = answer.account((&mut ledger, &limits), above) {
                state.issue(number, reservation);
                state.governed.consume(&given);
                until = Some(ends);
            }
        }
        if (observed || until.is_some())
            && let Some(labels) = labels.into_new()
        {
            *held = labels;
        }
        let tripped = ledger.denials_tripped(&limits);
        let asked = (severity == Severity::Defer).then(|| {
            let effects: Vec<_> = answer.effects.iter().map(|it| it.effect.clone()).collect();
            let action = action_digest(&kind, &described.text, &effects);
            Asked { action, kind: kind.clone().into_owned().into(), bundle: snapshot.digest() }
        });
        let Answer { effects, .. } = answer;
        let decided = Decided {
            asked,
            observed,
            ..Decided::new(self.id, number, effects, described.directory.take())
        };
        let used = if until.is_some() { &*given.used } else { &[] };
        let lines = Lines {
            live: self,
            call,
            kind: &kind,
            description: &described.text,
            facts: &facts,
            bundle: snapshot.digest(),
            approvals: used,
            counters: ledger.past().counters(),
            labels: held.touched(),
            until,
            now,
        };
        let group = lines.write(&mut state.chain, &decided);
        let changes = held.changes();
        drop((held, ledgers, ledger));
        let group = group.and_then(|group| match observed && severity == Severity::Allow {
            true => self.end_observed(&mut state, group, number, now),
            false => Ok(group),
        });
        // The ticket is issued under the lock, so that its order is the chain's. A line that could
        // not be written has left the ledger ahead of the chain: the ticket is dropped unused.
        let ticket = self.turn.issue();
        let group = group?;
        let earlier = self.take_earlier();
        // Who watches denies nothing.
        let denied = severity == Severity::Deny && !observed;
        let news = news(&mut state, denied, stopped, tripped, &given);
        drop(state);
        for kind in news {
            shared.tell(&Finding {
                session: Some(self.id),
                call: Some(number),
                reasons: &decided.reasons,
                ..Finding::new(kind, place.agent.id().as_str(), now)
            });
        }
        let terms = until.map(|until| Terms {
            issued: now,
            until,
            bundle: snapshot.digest(),
            labels: changes,
            people: signed.map(|_| people),
        });
        Ok(Answered { earlier, group, ticket, decided: Arc::new(decided), severity, terms })
    }

    /// Looks at everything that people have signed as it is now.
    pub(crate) fn with_moment<T>(
        &self,
        now: Timestamp,
        snapshot: &Snapshot,
        look: impl FnOnce(&Moment<'_>) -> T,
    ) -> T {
        let directory = self.shared.directory();
        let revocations = self.shared.revocations();
        let is_revoked = |signed: &Signed| {
            let of_person = || {
                let person = directory.person(signed.key());
                person.is_some_and(|it| revocations.is_revoked(&Revoked::Issuer(it.id.clone())))
            };
            revocations.is_approval_revoked(signed.digest())
                || revocations.is_revoked(&Revoked::Key(*signed.key().as_bytes()))
                || of_person()
        };
        look(&Moment {
            now,
            directory: &directory,
            quorums: snapshot.quorums(),
            bundle: snapshot.digest(),
            scope: &self.place.scopes,
            parties: self.place.parties(),
            is_revoked: &is_revoked,
        })
    }

    /// What is added to the scopes of the chain at the moment, hop by hop.
    fn added<'a>(&self, governed: &'a Governed, active: &[Elevated<'a>]) -> Vec<Added<'a>> {
        let mut added = Vec::new();
        for Elevated { elevation, grants, .. } in active {
            let hop = self.place.scopes.iter().position(|digest| *digest == elevation.scope());
            added.extend(hop.map(|hop| Added {
                hop,
                grants,
                fragment: elevation.grants(),
                links: governed.links.get(&elevation.id()).map_or("", |links| links),
            }));
        }
        added
    }

    /// Says of a call that bound nobody that no permit of it ran.
    fn end_observed(
        &self,
        state: &mut State,
        mut group: Group,
        call: u64,
        now: Timestamp,
    ) -> Result<Group, AuthorizeError> {
        let outcome = OutcomeRecord {
            call,
            status: OutcomeStatus::Unused,
            result: None,
            duration_ms: 0,
            after: self.counters(),
            time: now,
        };
        group.lines.extend(state.chain.append_outcome(&self.shared.key, &outcome)?.lines);
        Ok(group)
    }
}

const fn event(severity: Severity) -> temporal::Verdict {
    match severity {
        Severity::Allow => temporal::Verdict::Allow,
        Severity::Defer => temporal::Verdict::Defer,
        Severity::Deny => temporal::Verdict::Deny,
    }
}

/// What the host is to be told of a decision.
fn news(
    state: &mut State,
    denied: bool,
    stopped: Option<Reason>,
    tripped: bool,
    given: &Given,
) -> Vec<FindingKind> {
    let mut news = Vec::new();
    let mut once = |told: &mut bool, so: bool, kind| {
        if so && !std::mem::replace(told, true) {
            news.push(kind);
        }
    };
    let told = &mut state.told;
    once(&mut told.stopped, stopped.is_some(), FindingKind::Stopped);
    once(&mut told.denial, denied, FindingKind::FirstDenial);
    once(&mut told.breaker, tripped, FindingKind::Breaker);
    if given.withheld > 0 {
        news.push(FindingKind::ExpiredApproval);
    }
    news
}
