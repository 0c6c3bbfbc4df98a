//! The model: lists of what was said, and rules that go through them.

use std::collections::{BTreeMap, BTreeSet};

use countersign::action::Domain;
use countersign::authorizer::{Decision, Halt};
use countersign::digest::Digest;
use countersign::governance::approval::{Ballot, Vote};
use countersign::governance::{
    Approval, ApprovalRequest, Elevation, ElevationDraft, Revoked, StandingDraft, StandingGrant,
};
use countersign::scope::Scope;
use countersign::session::{Act, ActError, OpenError};
use countersign::testing::strategies::AnyAction;
use countersign::time::Timestamp;
use countersign::{AuthorizeError, Permit, Session};
use proptest::prelude::*;

use crate::support::gate::outcome;
use crate::support::people::{PEOPLE, key};
use crate::support::site::{
    Site, asking, below, declassify, descriptor, directory_without, instance, other, spiffe,
};

use super::{SEEDS, Step, What};

const MOST_SESSIONS: usize = 6;

/// A signature under something.
#[derive(Debug, Clone)]
struct Signature {
    document: Digest,
    seed: u8,
}

#[derive(Debug)]
struct Asked {
    request: ApprovalRequest,
    what: What,
    bundle: Digest,
    votes: Vec<(Signature, Timestamp)>,
    rejected: bool,
    gone: bool,
}

#[derive(Debug)]
struct Granting {
    id: Digest,
    bundle: Digest,
    left: u64,
    until: Timestamp,
    signatures: Vec<Signature>,
}

#[derive(Debug)]
struct Elevating {
    hop: usize,
    id: Digest,
    until: Timestamp,
    signatures: Vec<Signature>,
}

#[derive(Debug)]
struct Member {
    session: Session,
    instance: String,
    parent: Option<usize>,
    /// The first session of its tree, which stands for all of it.
    root: usize,
    /// By hop, the scope, and whether it grants writing.
    chain: Vec<(Scope, bool)>,
    closed: bool,
    halted: bool,
    asked: Vec<Asked>,
    grants: Vec<Granting>,
    elevations: Vec<Elevating>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Tree {
    secret: bool,
    changes: u64,
}

/// What a permit was given out under.
#[derive(Debug)]
pub(super) struct Out {
    permit: Permit<AnyAction>,
    session: usize,
    bundle: Digest,
    until: Timestamp,
    changes: u64,
    /// What was known of people, where it rests on what they signed.
    people: Option<(u64, &'static [u8])>,
}

pub(super) struct Model {
    pub(super) site: Site,
    members: Vec<Member>,
    trees: BTreeMap<usize, Tree>,
    revoked: BTreeSet<String>,
    missing: &'static [u8],
    /// How many lists there were.
    lists: u64,
    halted: Vec<String>,
    pub(super) permits: Vec<Out>,
    documents: Vec<Approval>,
    pub(super) allowed: usize,
    /// Of those, how many rested on what people signed.
    pub(super) on_word: usize,
}

impl Model {
    pub(super) fn new() -> Self {
        let mut model = Self {
            site: Site::new(),
            members: Vec::new(),
            trees: BTreeMap::new(),
            revoked: BTreeSet::new(),
            missing: &[],
            lists: 0,
            halted: Vec::new(),
            permits: Vec::new(),
            documents: Vec::new(),
            allowed: 0,
            on_word: 0,
        };
        for path in ["coder/1", "coder/2"] {
            let mut top = descriptor("coder", 2);
            top.limits.delegates = Some(50);
            let top = Scope::from_descriptor(&top).unwrap();
            let session = model.site.open(&top, path);
            model.add(session, path.into(), None, vec![(top, true)]);
        }
        model
    }

    fn add(
        &mut self,
        session: Session,
        instance: String,
        parent: Option<usize>,
        chain: Vec<(Scope, bool)>,
    ) {
        let root = parent.map_or(self.members.len(), |parent| self.members[parent].root);
        self.trees.entry(root).or_default();
        let (asked, grants, elevations) = Default::default();
        self.members.push(Member {
            session,
            instance,
            parent,
            root,
            chain,
            closed: false,
            halted: false,
            asked,
            grants,
            elevations,
        });
    }

    fn pick(&self, session: u8) -> usize {
        usize::from(session) % self.members.len()
    }

    /// The session and all above it.
    fn line(&self, at: usize) -> Vec<usize> {
        std::iter::successors(Some(at), |at| self.members[*at].parent).collect()
    }

    fn stopped(&self, at: usize) -> Option<&'static str> {
        let line = self.line(at);
        if line.iter().any(|at| self.members[*at].halted) {
            return Some("session.halted");
        }
        if line.iter().skip(1).any(|at| self.members[*at].closed) {
            return Some("delegation.ended");
        }
        let any = |name: &dyn Fn(&Member) -> String| {
            line.iter().any(|at| self.revoked.contains(&name(&self.members[*at])))
        };
        if any(&|it| format!("instance {}", it.instance)) {
            Some("revoked.instance")
        } else if any(&|it| format!("agent {}", it.instance.split('/').next().unwrap())) {
            Some("revoked.agent")
        } else if any(&|it| format!("scope {}", it.chain.last().unwrap().0.digest())) {
            Some("revoked.scope")
        } else if any(&|it| format!("session {}", it.session.id())) {
            Some("revoked.session")
        } else {
            None
        }
    }

    /// Who signed, if that counts for the quorum now.
    fn signer(&self, signature: &Signature, quorum: &str) -> Option<&'static str> {
        let (_, person, kind, roles) = *PEOPLE.iter().find(|it| it.0 == signature.seed)?;
        let may = match quorum {
            "sre" => ["user:ann", "user:ben"].contains(&person),
            _ => ["user:ann", "user:ben", "user:cy", "role:duty"].contains(&person),
        };
        assert!(!may || (kind != "service" && roles.contains(&quorum)));
        let gone = self.missing.contains(&signature.seed)
            || self.revoked.contains(&format!("key {}", signature.seed))
            || self.revoked.contains(&format!("person {person}"))
            || self.revoked.contains(&format!("document {}", signature.document));
        (may && !gone).then_some(person)
    }

    /// Whether a hop of the chain grants it, and whether only with what was added.
    fn hop(&self, at: usize, hop: usize, what: What) -> (bool, bool) {
        let member = &self.members[at];
        let own = match what {
            What::Roster => false,
            What::Write | What::Delete => member.chain[hop].1,
            What::Read | What::Secret | What::Connect => true,
        };
        let added =
            what == What::Roster && self.active(at).iter().any(|elevating| elevating.hop == hop);
        (own || added, !own && added)
    }

    fn active(&self, at: usize) -> Vec<&Elevating> {
        let now = self.site.now();
        let holds = |it: &&Elevating| {
            now < it.until && it.signatures.iter().any(|it| self.signer(it, "sre").is_some())
        };
        self.members[at].elevations.iter().filter(holds).collect()
    }

    /// The request for `what` that waits, if what was answered to it suffices now; and when that ends.
    fn approved(&self, at: usize, what: What) -> Option<(usize, Timestamp)> {
        let (quorum, of) = what.quorum()?;
        let now = self.site.now();
        let index = self.members[at].asked.iter().position(|it| it.what == what && !it.gone)?;
        let asked = &self.members[at].asked[index];
        if asked.rejected
            || now >= asked.request.expires()
            || asked.bundle != self.site.authorizer.bundle()
        {
            return None;
        }
        let counting = || {
            let votes = asked.votes.iter().filter(|(_, expires)| now < *expires);
            votes.filter_map(|(it, expires)| Some((self.signer(it, quorum)?, *expires)))
        };
        let people: BTreeSet<&str> = counting().map(|it| it.0).collect();
        let ends = counting().map(|it| it.1).chain([asked.request.expires()]).min();
        (people.len() >= of).then(|| (index, ends.unwrap()))
    }

    /// The standing grant that would serve: the one that ends first.
    fn standing(&self, at: usize, what: What) -> Option<(usize, Timestamp)> {
        let now = self.site.now();
        let holds = |it: &Granting| {
            what == What::Write
                && it.left > 0
                && now < it.until
                && it.bundle == self.site.authorizer.bundle()
                && it.signatures.iter().any(|it| self.signer(it, "sre").is_some())
        };
        let grants = self.members[at].grants.iter().enumerate().filter(|(_, it)| holds(it));
        let first = grants.min_by_key(|(_, it)| (it.until, it.id));
        first.map(|(index, it)| (index, it.until))
    }

    /// What is to come out, with all that follows from it; and the terms of the permit.
    fn decide(&mut self, at: usize, what: What) -> (String, Option<Timestamp>, bool) {
        if self.members[at].closed {
            return ("closed".into(), None, false);
        }
        if let Some(reason) = self.stopped(at) {
            return (reason.into(), None, false);
        }
        let hops: Vec<_> =
            (0..self.members[at].chain.len()).map(|hop| self.hop(at, hop, what)).collect();
        if !hops.iter().all(|(granted, _)| *granted) {
            let reason = match what {
                What::Write => "scope.write",
                What::Delete => "scope.delete",
                What::Connect => "scope.connect",
                _ => "scope.read",
            };
            return (reason.into(), None, false);
        }
        let root = self.members[at].root;
        if what == What::Connect && self.trees[&root].secret {
            return ("policy.forbid".into(), None, false);
        }
        let mut ends = None;
        if let Some((quorum, _)) = what.quorum() {
            if let Some((index, until)) = self.approved(at, what) {
                self.members[at].asked[index].gone = true;
                ends = Some(until);
            } else if let Some((index, until)) = self.standing(at, what) {
                self.members[at].grants[index].left -= 1;
                ends = Some(until);
            } else {
                return (format!("defer {quorum}"), None, false);
            }
        }
        if hops.iter().any(|(_, added)| *added) {
            let first = self.active(at).iter().map(|it| it.until).min();
            ends = ends.into_iter().chain(first).min();
        }
        let tree = self.trees.get_mut(&root).unwrap();
        if what == What::Secret && !tree.secret {
            tree.secret = true;
            tree.changes += 1;
        }
        let until = ends.map_or(self.site.after(30), |ends| ends.min(self.site.after(30)));
        ("allow".into(), Some(until), ends.is_some())
    }

    fn authorize(&mut self, at: usize, what: What, keep: bool) -> Result<bool, TestCaseError> {
        let (expected, until, rests) = self.decide(at, what);
        let decision = match self.members[at].session.authorize(what.action()) {
            Ok(decision) => decision,
            Err(AuthorizeError::Closed) => {
                prop_assert_eq!(expected, "closed");
                return Ok(false);
            }
            Err(error) => panic!("{error:?}"),
        };
        prop_assert_eq!(outcome(&decision), expected, "{:?} in {}", what, at);
        match decision {
            Decision::Allow(permit) => {
                self.allowed += 1;
                self.on_word += usize::from(rests);
                prop_assert_eq!(Some(permit.until()), until);
                if keep {
                    self.permits.push(Out {
                        permit,
                        session: at,
                        bundle: self.site.authorizer.bundle(),
                        until: until.unwrap(),
                        changes: self.trees[&self.members[at].root].changes,
                        people: rests.then_some((self.lists, self.missing)),
                    });
                }
                Ok(false)
            }
            Decision::Defer(deferral) => {
                if keep {
                    self.request(at, what, &deferral)?;
                }
                Ok(true)
            }
            Decision::Deny(_) => Ok(false),
        }
    }

    fn request(
        &mut self,
        at: usize,
        what: What,
        deferral: &countersign::authorizer::Deferral,
    ) -> Result<(), TestCaseError> {
        let (now, expires) = (self.site.now(), self.site.after(200));
        let bundle = self.site.authorizer.bundle();
        let found = self.members[at].session.request_approval(deferral, expires);
        let member = &mut self.members[at];
        for asked in &mut member.asked {
            asked.gone |= now >= asked.request.expires();
        }
        let waits = member.asked.iter_mut().find(|it| !it.gone && it.what == what);
        match waits {
            Some(asked) if asked.bundle == bundle && asked.rejected => {
                prop_assert_eq!(code(found), "approval.rejected");
            }
            Some(asked) if asked.bundle == bundle => {
                prop_assert_eq!(found.unwrap().id(), asked.request.id());
            }
            old => {
                if let Some(old) = old {
                    old.gone = true;
                }
                let request = found.unwrap();
                prop_assert_eq!(request.created(), now);
                let (votes, rejected, gone) = (Vec::new(), false, false);
                member.asked.push(Asked { request, what, bundle, votes, rejected, gone });
            }
        }
        Ok(())
    }

    /// Brings a document to a session, and works out what comes of it.
    fn bring(&mut self, approval: &Approval, seed: u8, at: usize) -> Result<(), TestCaseError> {
        let text = approval.signed().as_str().as_bytes();
        let found = self.members[at].session.act(Act::Approve(text));
        if let Some(stopped) = self.stopped_or_closed(at) {
            prop_assert_eq!(code(found), stopped);
            return Ok(());
        }
        let now = self.site.now();
        let signature = Signature { document: approval.id(), seed };
        let quorum = if approval.quorum() == "sre" { "sre" } else { "security" };
        let person = self.signer(&signature, quorum);
        let index = self.members[at]
            .asked
            .iter()
            .position(|it| !it.gone && it.request.id() == approval.request());
        let twice = index.is_some_and(|index| {
            let votes = self.members[at].asked[index].votes.iter();
            let mut held = votes.filter(|(_, expires)| now < *expires);
            held.any(|(it, _)| self.signer(it, quorum) == person)
        });
        let bundle = self.site.authorizer.bundle();
        let approves = approval.vote() == Vote::Approve;
        let good = index.is_some_and(|index| {
            let asked = &self.members[at].asked[index];
            asked.bundle == bundle && !asked.rejected && now < asked.request.expires()
        }) && person.is_some()
            && now < approval.expires()
            && !(approves && twice);
        let found = code(found);
        prop_assert_eq!(found.is_empty(), good, "{}", found);
        prop_assert!(good || found.starts_with("approval."));
        if let Some(index) = index.filter(|_| good) {
            let asked = &mut self.members[at].asked[index];
            match approves {
                true => {
                    // A new one takes the place of the same person's that did not hold.
                    let name = |seed: u8| PEOPLE.iter().find(|it| it.0 == seed).map(|it| it.1);
                    asked.votes.retain(|(it, _)| name(it.seed) != name(seed));
                    asked.votes.push((signature, approval.expires()));
                }
                false => asked.rejected = true,
            }
        }
        Ok(())
    }

    fn stopped_or_closed(&self, at: usize) -> Option<&'static str> {
        if self.members[at].closed { Some("closed") } else { self.stopped(at) }
    }

    fn vote(
        &mut self,
        (at, what): (usize, What),
        seed: u8,
        reject: bool,
        lives: u64,
    ) -> Result<(), TestCaseError> {
        let Some((quorum, _)) = what.quorum() else { return Ok(()) };
        // The latest request for it, used up or not.
        let mut asked = self.members[at].asked.iter().rev();
        let Some(asked) = asked.find(|it| it.what == what) else { return Ok(()) };
        let ballot = Ballot {
            vote: if reject { Vote::Reject } else { Vote::Approve },
            expires: self.site.after(lives),
            ..self.site.ballot(Domain::Data, quorum, seed)
        };
        let approval = Approval::sign(&asked.request, ballot, &key(seed)).unwrap();
        self.documents.push(approval.clone());
        self.bring(&approval, seed, at)
    }

    fn grant(&mut self, at: usize, seed: u8, uses: u64, lives: u64) -> Result<(), TestCaseError> {
        let chain: Vec<&Scope> = self.members[at].chain.iter().map(|it| &it.0).collect();
        let draft = StandingDraft {
            uses,
            until: self.site.after(lives),
            ..self.site.standing(&self.members[at].session, &chain)
        };
        let grant = StandingGrant::sign(&draft, &key(seed)).unwrap();
        let text = grant.signed().as_str().as_bytes();
        let found = code(self.members[at].session.act(Act::Grant(text)));
        if let Some(stopped) = self.stopped_or_closed(at) {
            prop_assert_eq!(found, stopped);
            return Ok(());
        }
        let signature = Signature { document: grant.signed().digest(), seed };
        let person = self.signer(&signature, "sre");
        let index = self.members[at].grants.iter().position(|it| it.id == grant.id());
        let twice = index.is_some_and(|index| {
            let grant = &self.members[at].grants[index];
            grant.left == 0 || grant.signatures.iter().any(|it| self.signer(it, "sre") == person)
        });
        let good = person.is_some() && !twice;
        prop_assert_eq!(found.is_empty(), good, "{}", found);
        if good {
            let (bundle, until) = (draft.bundle, draft.until);
            match index {
                Some(index) => self.members[at].grants[index].signatures.push(signature),
                None => self.members[at].grants.push(Granting {
                    id: grant.id(),
                    bundle,
                    left: uses,
                    until,
                    signatures: vec![signature],
                }),
            }
        }
        Ok(())
    }

    fn elevate(&mut self, at: usize, hop: u8, seed: u8, lives: u64) -> Result<(), TestCaseError> {
        let hop = usize::from(hop) % self.members[at].chain.len();
        let draft = ElevationDraft {
            expires: self.site.after(lives),
            ..self.site.elevation(&self.members[at].chain[hop].0)
        };
        let elevation = Elevation::sign(&draft, &key(seed)).unwrap();
        let text = elevation.signed().as_str().as_bytes();
        let found = code(self.members[at].session.act(Act::Elevate(text)));
        if let Some(stopped) = self.stopped_or_closed(at) {
            prop_assert_eq!(found, stopped);
            return Ok(());
        }
        let now = self.site.now();
        let signature = Signature { document: elevation.signed().digest(), seed };
        let person = self.signer(&signature, "sre");
        self.members[at].elevations.retain(|it| now < it.until);
        let full = self.members[at].elevations.len() >= 8;
        let index = self.members[at].elevations.iter().position(|it| it.id == elevation.id());
        let twice = index.is_some_and(|index| {
            let signatures = &self.members[at].elevations[index].signatures;
            signatures.iter().any(|it| self.signer(it, "sre") == person)
        });
        let good = person.is_some() && !twice && (index.is_some() || !full);
        prop_assert_eq!(found.is_empty(), good, "{}", found);
        if good {
            match index {
                Some(index) => self.members[at].elevations[index].signatures.push(signature),
                None => self.members[at].elevations.push(Elevating {
                    hop,
                    id: elevation.id(),
                    until: draft.expires,
                    signatures: vec![signature],
                }),
            }
        }
        Ok(())
    }

    fn declassify(&mut self, at: usize, good: bool) -> Result<(), TestCaseError> {
        let member = &self.members[at];
        let chain: Vec<&Scope> = member.chain.iter().map(|it| &it.0).collect();
        let mut draft = self.site.declassification(&member.session, &chain, "secret");
        // No two are the same.
        draft.justification = format!("scrubbed, line {}", self.site.sink.len()).into();
        let seeds: &[u8] = if good { &[1, 4] } else { &[1, 2] };
        let found = code(declassify(&member.session, &draft, seeds));
        if let Some(stopped) = self.stopped_or_closed(at) {
            prop_assert_eq!(found, stopped);
            return Ok(());
        }
        let counts = |seed: &u8| {
            // Which document it is plays no part: none of these is revoked.
            let document = Digest::from_bytes([0; 32]);
            self.signer(&Signature { document, seed: *seed }, "security").is_some()
        };
        let root = member.root;
        let enough = good && seeds.iter().all(counts);
        let good = enough && self.trees[&root].secret;
        prop_assert_eq!(found.is_empty(), good, "{}", found);
        if good {
            self.trees.get_mut(&root).unwrap().secret = false;
        }
        Ok(())
    }

    fn delegate(&mut self, at: usize, narrow: bool) -> Result<(), TestCaseError> {
        if self.members.len() >= MOST_SESSIONS {
            return Ok(());
        }
        let depth = self.members[at].chain.len();
        let class = if narrow { "reader" } else { "helper" };
        let path = format!("{class}/{}", self.members.len());
        let mut wanted = descriptor(class, 2_u64.saturating_sub(depth as u64));
        if narrow {
            wanted.touch.write.clear();
            wanted.touch.delete.clear();
        }
        let scope = below(&self.members[at].chain[depth - 1].0, wanted);
        self.site.knows(&scope);
        let found = self.members[at].session.delegate(&scope, instance(&path));
        let expected = if self.members[at].closed {
            "closed"
        } else if self.halted.iter().any(|it| it == class || it.is_empty()) {
            "session.halted"
        } else if let Some(stopped) = self.stopped(at) {
            stopped
        } else if depth > 2 {
            "delegation.depth"
        } else {
            ""
        };
        match found {
            Ok(session) => {
                prop_assert_eq!(expected, "");
                let mut chain = self.members[at].chain.clone();
                chain.push((scope, !narrow));
                self.add(session, path, Some(at), chain);
            }
            Err(OpenError::Refused(reason)) => prop_assert_eq!(reason.code(), expected),
            Err(OpenError::Record(AuthorizeError::Closed)) => prop_assert_eq!("closed", expected),
            Err(error) => panic!("{error:?}"),
        }
        Ok(())
    }

    fn start(&mut self, which: u8) -> Result<(), TestCaseError> {
        if self.permits.is_empty() {
            return Ok(());
        }
        let out = self.permits.remove(usize::from(which) % self.permits.len());
        let member = &self.members[out.session];
        let good = !member.closed
            && self.stopped(out.session).is_none()
            && self.site.now() < out.until
            && self.site.authorizer.bundle() == out.bundle
            && self.trees[&member.root].changes == out.changes
            && out.people.is_none_or(|people| people == (self.lists, self.missing));
        let started = out.permit.start();
        prop_assert_eq!(started.is_ok(), good);
        if let Ok((_, running)) = started {
            running.report(true).unwrap();
        }
        Ok(())
    }

    fn revoke(&mut self, kind: u8, which: u8) {
        let at = self.pick(which);
        let seed = SEEDS[usize::from(which) % SEEDS.len()];
        let member = &self.members[at];
        let name = match kind {
            0 => format!("instance {}", member.instance),
            1 => format!("scope {}", member.chain.last().unwrap().0.digest()),
            2 => format!("session {}", member.session.id()),
            3 => format!("key {seed}"),
            4 if !self.documents.is_empty() => {
                let document = &self.documents[usize::from(which) % self.documents.len()];
                format!("document {}", document.id())
            }
            // The owner of all scopes stops everything: another story.
            _ => format!("person {}", ["user:ann", "user:ben"][usize::from(which) % 2]),
        };
        self.revoked.insert(name);
        self.publish();
    }

    fn publish(&mut self) {
        let entry = |line: &String| {
            let (kind, id) = line.split_once(' ').unwrap();
            match kind {
                "instance" => Revoked::Instance(spiffe(id)),
                "agent" => Revoked::Agent(spiffe(id)),
                "scope" => Revoked::parse(line).unwrap(),
                "session" => Revoked::parse(line).unwrap(),
                "key" => Revoked::Key(*key(id.parse().unwrap()).trusted().as_bytes()),
                "document" => Revoked::parse(&format!("approval {id}")).unwrap(),
                _ => Revoked::Issuer(id.into()),
            }
        };
        let entries: Vec<Revoked> = self.revoked.iter().map(entry).collect();
        self.site.authorizer.revoke(&self.site.list(&entries)).unwrap();
        self.lists += 1;
    }

    fn halt(&mut self, kind: u8, which: u8) -> Result<(), TestCaseError> {
        let at = self.pick(which);
        let (halt, class) = match kind {
            0 => (Halt::Everything, Some("")),
            1 => (Halt::Agent(spiffe("helper")), Some("helper")),
            _ => (Halt::Session(self.members[at].session.id()), None),
        };
        let mut stopped = 0;
        for (index, member) in self.members.iter_mut().enumerate() {
            let concerned = match class {
                None => index == at,
                Some(class) => member.instance.starts_with(class),
            };
            if concerned && !member.closed {
                member.halted = true;
                stopped += 1;
            }
        }
        self.halted.extend(class.map(str::to_owned));
        prop_assert_eq!(self.site.authorizer.halt(&halt, "drill").unwrap(), stopped);
        Ok(())
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Authorize { session, what, keep } => {
                let at = self.pick(session);
                // A request is asked for in a step of its own.
                let keep = keep && (what.quorum().is_none() || self.rests(at, what));
                self.authorize(at, what, keep).map(drop)
            }
            Step::Start(which) => self.start(which),
            Step::Ask { session, what } => {
                let at = self.pick(session);
                self.authorize(at, what, true).map(drop)
            }
            Step::Vote { session, what, seed, reject, lives } => {
                self.vote((self.pick(session), what), seed, reject, lives)
            }
            Step::Replay { document, session } => {
                if self.documents.is_empty() {
                    return Ok(());
                }
                let approval = self.documents[usize::from(document) % self.documents.len()].clone();
                let of_key = |seed: &&u8| key(**seed).trusted() == *approval.key();
                let seed = *SEEDS.iter().find(of_key).unwrap();
                self.bring(&approval, seed, self.pick(session))
            }
            Step::Grant { session, seed, uses, lives } => {
                self.grant(self.pick(session), seed, uses, lives)
            }
            Step::Elevate { session, hop, seed, lives } => {
                self.elevate(self.pick(session), hop, seed, lives)
            }
            Step::Declassify { session, good } => self.declassify(self.pick(session), good),
            Step::Delegate { session, narrow } => self.delegate(self.pick(session), narrow),
            Step::Advance(seconds) => {
                self.site.wait(seconds);
                Ok(())
            }
            Step::Reload(first) => {
                self.site.reload(&if first { asking() } else { other() });
                Ok(())
            }
            Step::Keys(which) => {
                let missing: &'static [u8] = [&[][..], &[3], &[1, 4]][usize::from(which)];
                // Back to what it was is back to what was known, as far as the directory goes.
                self.missing = missing;
                self.site.authorizer.reload_directory(&directory_without(missing));
                Ok(())
            }
            Step::Revoke(kind, which) => {
                self.revoke(kind, which);
                Ok(())
            }
            Step::Lift => {
                if !self.revoked.is_empty() {
                    self.revoked.clear();
                    self.publish();
                }
                Ok(())
            }
            Step::Halt(kind, which) => self.halt(kind, which),
            Step::Close(which) => {
                let at = self.pick(which);
                let closed = self.members[at].session.close();
                prop_assert_eq!(closed.is_ok(), !self.members[at].closed);
                self.members[at].closed = true;
                Ok(())
            }
        }
    }

    fn rests(&self, at: usize, what: What) -> bool {
        self.approved(at, what).is_some() || self.standing(at, what).is_some()
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, ActError>) -> &'static str {
    match result {
        Err(ActError::Record(AuthorizeError::Closed)) => "closed",
        result => crate::support::site::code(result),
    }
}
