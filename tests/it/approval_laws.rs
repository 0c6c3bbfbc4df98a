//! Approvals are never usable twice, by another, for another, or later: random stories of a table
//! of what is pending, against a model that remembers everything and works out each answer anew.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign::action::Domain;
use countersign::digest::Digest;
use countersign::governance::approval::{Ballot, Opened, Vote};
use countersign::governance::{Approval, ApprovalRequest, DocumentKind, Pending, Signed};
use countersign::time::Timestamp;
use countersign::value::Value;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::people::{
    OWNER, PEOPLE, REQUESTER, World, digest, directory, directory_without, key, session,
};

const SEATS: [(Domain, &str); 4] = [
    (Domain::Application, "sre"),
    (Domain::Application, "security"),
    (Domain::Data, "sre"),
    (Domain::Data, "security"),
];

const MOST: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Open { action: u8, seats: u8 },
    Vote(Box<Voting>),
    Replay(Index),
    Use { action: u8 },
    Advance(u64),
    Bundle(u8),
    Scope(u8),
    Keys(u8),
    Revoke(Index),
    Withdraw(Index),
    Sweep,
}

#[derive(Debug, Clone)]
struct Voting {
    request: Index,
    seat: usize,
    seed: u8,
    reject: bool,
    /// Whether it answers one of the latest requests.
    recent: bool,
    /// Seconds before or after now.
    at: i64,
    lives: u64,
    forge: Option<(&'static str, u8)>,
}

fn voting() -> impl Strategy<Value = Voting> {
    let at = prop_oneof![6 => Just(0), 1 => Just(1), 1 => -400_i64..0];
    let lives = prop_oneof![6 => 1_u64..400, 1 => Just(3600), 1 => Just(3601)];
    let seed = prop_oneof![8 => select(vec![1_u8, 2, 3, 4, 5, 7]), 1 => select(vec![6_u8, 8, 99])];
    let member = select(vec![
        "session", "request", "action", "domain", "quorum", "scope", "bundle", "approver",
    ]);
    let forge = prop_oneof![5 => Just(None), 1 => (member, 0_u8..4).prop_map(Some)];
    let reject = prop::bool::weighted(0.02);
    let recent = prop::bool::weighted(0.85);
    (any::<Index>(), 0..4_usize, seed, reject, recent, at, lives, forge).prop_map(
        |(request, seat, seed, reject, recent, at, lives, forge)| Voting {
            request,
            seat,
            seed,
            reject,
            recent,
            at,
            lives,
            forge,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0_u8..4, 1_u8..16).prop_map(|(action, seats)| Step::Open { action, seats }),
        40 => voting().prop_map(|voting| Step::Vote(Box::new(voting))),
        8 => any::<Index>().prop_map(Step::Replay),
        8 => (0_u8..4).prop_map(|action| Step::Use { action }),
        6 => prop_oneof![4 => Just(1), 4 => Just(30), 1 => Just(300), 1 => Just(599)].prop_map(Step::Advance),
        1 => (0_u8..2).prop_map(Step::Bundle),
        1 => (0_u8..2).prop_map(Step::Scope),
        1 => (0_u8..3).prop_map(Step::Keys),
        1 => any::<Index>().prop_map(Step::Revoke),
        1 => any::<Index>().prop_map(Step::Withdraw),
        1 => Just(Step::Sweep),
    ]
}

// --- the model ---------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Waiting,
    Rejected,
    Gone,
}

#[derive(Debug)]
struct Asked {
    request: ApprovalRequest,
    fate: Fate,
}

#[derive(Debug, Default)]
struct Model {
    asked: Vec<Asked>,
    /// Every approval that was ever accepted.
    given: Vec<Approval>,
}

impl Model {
    fn waits(asked: &Asked, world: &World) -> bool {
        asked.fate != Fate::Gone && world.now < asked.request.expires()
    }

    fn holder(world: &World, seed_key: &Approval) -> Option<&'static str> {
        let person = world.directory.person(seed_key.key())?;
        PEOPLE.iter().map(|it| it.1).find(|id| **id == *person.id)
    }

    /// Whether an approval counts at this moment, without a look at its request.
    fn counts(world: &World, given: &Approval) -> bool {
        let Some(person) = Self::holder(world, given) else { return false };
        let (_, _, kind, roles) = *PEOPLE.iter().find(|it| it.1 == person).unwrap();
        person == given.approver()
            && kind != "service"
            && person != REQUESTER
            && (person != OWNER || given.quorum() == "security")
            && roles.contains(&given.quorum())
            && given.approved_at() <= world.now
            && world.now < given.expires()
            && !world.revoked.contains(&given.id())
    }

    fn accepts(&self, world: &World, given: &Approval) -> bool {
        let Some(asked) = self.asked.iter().find(|it| it.request.id() == given.request()) else {
            return false;
        };
        let request = &asked.request;
        let seat = |need: &countersign::governance::approval::Need| {
            need.domain == given.domain() && *need.quorum == *given.quorum()
        };
        let twice = self.given.iter().any(|other| {
            other.request() == given.request()
                && other.domain() == given.domain()
                && other.quorum() == given.quorum()
                && other.approver() == given.approver()
                && Self::counts(world, other)
        });
        Self::waits(asked, world)
            && asked.fate == Fate::Waiting
            && given.session() == session(1)
            && given.action() == request.action()
            && given.scope() == request.scope()
            && given.bundle() == request.bundle()
            && request.scope() == world.scope
            && request.bundle() == world.bundle
            && request.needs().iter().any(seat)
            && Self::counts(world, given)
            && request.created() <= given.approved_at()
            && given.expires().since(given.approved_at()) <= Duration::from_secs(3600)
            && (given.vote() == Vote::Reject || !twice)
    }

    fn granted(&self, world: &World, action: Digest, domain: Domain) -> BTreeSet<&'static str> {
        let waiting = |it: &&Asked| {
            it.request.action() == action
                && it.fate == Fate::Waiting
                && Self::waits(it, world)
                && it.request.scope() == world.scope
                && it.request.bundle() == world.bundle
        };
        let Some(asked) = self.asked.iter().find(waiting) else { return BTreeSet::new() };
        let met = |quorum: &str, of: usize| {
            let people = self.given.iter().filter(|given| {
                given.request() == asked.request.id()
                    && given.domain() == domain
                    && given.quorum() == quorum
                    && Self::counts(world, given)
            });
            people.map(|given| given.approver()).collect::<BTreeSet<_>>().len() >= of
        };
        let needs = asked.request.needs().iter().filter(|need| need.domain == domain);
        let quorums = needs.filter_map(|need| match &*need.quorum {
            "sre" => met("sre", 1).then_some("sre"),
            _ => met("security", 2).then_some("security"),
        });
        quorums.collect()
    }
}

// --- the story ---------------------------------------------------------------------------------------

#[derive(Debug)]
struct Story {
    world: World,
    pending: Pending,
    model: Model,
    call: u64,
    /// Every document that was ever signed.
    signed: Vec<Approval>,
    /// Ids of documents that a decision has rested on.
    spent: BTreeSet<Digest>,
    /// The codes of what was refused.
    refused: BTreeSet<&'static str>,
}

impl Story {
    fn new() -> Self {
        Self {
            world: World::new(),
            pending: Pending::new(session(1)).with_most(MOST),
            model: Model::default(),
            call: 0,
            signed: Vec::new(),
            spent: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Open { action, seats } => self.open(10 + action, *seats),
            Step::Vote(voting) => self.vote(voting),
            Step::Replay(index) if !self.signed.is_empty() => {
                self.submit(self.signed[index.index(self.signed.len())].clone());
            }
            Step::Use { action } => self.use_up(digest(10 + action)),
            Step::Advance(seconds) => self.world.advance(*seconds),
            Step::Bundle(number) => self.world.bundle = digest(30 + number),
            Step::Scope(number) => self.world.scope = vec![digest(20), digest(21 + number)],
            Step::Keys(0) => self.world.directory = directory(),
            Step::Keys(1) => self.world.directory = directory_without(&[1]),
            Step::Keys(_) => self.world.directory = directory_without(&[2, 3]),
            Step::Revoke(index) if !self.signed.is_empty() => {
                let revoked = self.signed[index.index(self.signed.len())].id();
                self.world.revoked.insert(revoked);
            }
            Step::Withdraw(index) if !self.model.asked.is_empty() => {
                let index = index.index(self.model.asked.len());
                let asked = &mut self.model.asked[index];
                let waits = asked.fate == Fate::Waiting;
                let gone = self.pending.withdraw(asked.request.id());
                assert!(!gone || waits);
                if waits {
                    asked.fate = Fate::Gone;
                }
            }
            Step::Sweep => {
                self.pending.sweep(self.world.now);
            }
            _ => {}
        }
        self.compare();
    }

    fn open(&mut self, action: u8, seats: u8) {
        self.call += 1;
        let asks = (0..4).filter(|bit| seats & (1 << bit) != 0).map(|bit| SEATS[bit]);
        let request = self.world.request(self.call, action, &asks.collect::<Vec<_>>());
        let world = &self.world;
        let waiting = |it: &&mut Asked| Model::waits(it, world);
        let count = self.model.asked.iter_mut().filter(waiting).count();
        let found = self.pending.open(request.clone(), world.now);
        let old = self
            .model
            .asked
            .iter_mut()
            .find(|it| Model::waits(it, world) && it.request.action() == request.action());
        let Some(old) = old else {
            if count >= MOST {
                assert_eq!(found.unwrap_err().code(), "approval.too_many_pending");
                return;
            }
            assert_eq!(found, Ok(Opened::New(request.id())));
            self.model.asked.push(Asked { request, fate: Fate::Waiting });
            return;
        };
        let same =
            old.request.scope() == request.scope() && old.request.bundle() == request.bundle();
        if same && old.fate == Fate::Rejected {
            assert_eq!(found.unwrap_err().code(), "approval.rejected");
        } else if same && request.needs().iter().all(|need| old.request.needs().contains(need)) {
            assert_eq!(found, Ok(Opened::Folded(old.request.id())));
        } else {
            let id = found.unwrap().id();
            let opened = self.pending.request(id).unwrap().clone();
            let asked = |need| opened.needs().contains(need);
            assert!(request.needs().iter().all(asked));
            assert!(!same || old.request.needs().iter().all(asked));
            assert_eq!((opened.action(), opened.bundle()), (request.action(), request.bundle()));
            old.fate = Fate::Gone;
            self.model.asked.push(Asked { request: opened, fate: Fate::Waiting });
        }
    }

    fn vote(&mut self, voting: &Voting) {
        let asked = &self.model.asked;
        if asked.is_empty() {
            return;
        }
        let among = if voting.recent { asked.len().min(MOST) } else { asked.len() };
        let request = &asked[asked.len() - 1 - voting.request.index(among)].request;
        let need = &request.needs()[voting.seat % request.needs().len()];
        let at = self.world.now.as_millis().saturating_add_signed(voting.at * 1000);
        let at = Timestamp::from_millis(at);
        let person = PEOPLE.iter().find(|it| it.0 == voting.seed);
        let ballot = Ballot {
            domain: need.domain,
            quorum: &need.quorum,
            approver: person.map_or("user:nobody", |it| it.1),
            vote: if voting.reject { Vote::Reject } else { Vote::Approve },
            at,
            expires: at.plus(Duration::from_secs(voting.lives)),
        };
        let mut approval = Approval::sign(request, ballot, &key(voting.seed)).unwrap();
        if let Some((member, choice)) = voting.forge {
            let value: Value = match member {
                "session" => session(choice).to_string().into(),
                "request" => {
                    let other = asked.get(usize::from(choice)).map(|it| it.request.id());
                    other.unwrap_or(digest(choice)).to_string().into()
                }
                "action" => digest(10 + choice).to_string().into(),
                "domain" => Domain::ALL[usize::from(choice)].as_str().into(),
                "quorum" => {
                    (*["sre", "security", "finance", "other"].get(usize::from(choice)).unwrap())
                        .into()
                }
                "scope" => vec![Value::from(digest(20 + choice).to_string())].into(),
                "bundle" => digest(30 + choice).to_string().into(),
                _ => PEOPLE[usize::from(choice)].1.into(),
            };
            let Value::Object(mut body) = approval.body().clone() else { panic!() };
            body.insert(member.into(), value);
            let kind = DocumentKind::Approval;
            let signed = Signed::sign(kind, Value::Object(body), &key(voting.seed)).unwrap();
            approval = Approval::parse(signed.as_str().as_bytes()).unwrap();
        }
        self.signed.push(approval.clone());
        self.submit(approval);
    }

    fn submit(&mut self, approval: Approval) {
        let expected = self.model.accepts(&self.world, &approval);
        let found = self.world.with(|moment| self.pending.submit(&approval, moment));
        assert_eq!(found.is_ok(), expected, "{found:?} {approval:?}");
        let accepted = match found {
            Ok(accepted) => accepted,
            Err(refusal) => {
                self.refused.insert(refusal.code());
                return;
            }
        };
        assert_eq!((accepted.id, accepted.action), (approval.id(), approval.action()));
        if approval.vote() == Vote::Reject {
            let id = approval.request();
            let asked = self.model.asked.iter_mut().find(|it| it.request.id() == id).unwrap();
            asked.fate = Fate::Rejected;
            return;
        }
        // Whoever answers again has only the later answer.
        self.model.given.retain(|other| {
            other.request() != approval.request()
                || other.approver() != approval.approver()
                || (other.domain(), other.quorum()) != (approval.domain(), approval.quorum())
        });
        self.model.given.push(approval);
    }

    fn use_up(&mut self, action: Digest) {
        for domain in Domain::ALL {
            let presented = self.world.with(|moment| self.pending.granted(action, domain, moment));
            for used in presented.met.iter().flat_map(|met| &met.approvals) {
                assert!(!self.spent.contains(&used.id), "used twice");
            }
            self.spent.extend(presented.met.iter().flat_map(|met| &met.approvals).map(|it| it.id));
        }
        let consumed = self.pending.consume(action);
        let world = &self.world;
        let entry = self
            .model
            .asked
            .iter_mut()
            .find(|it| it.request.action() == action && Some(it.request.id()) == consumed);
        if let Some(asked) = entry {
            asked.fate = Fate::Gone;
        }
        let waits = |it: &Asked| {
            it.request.action() == action && it.fate == Fate::Waiting && Model::waits(it, world)
        };
        assert!(!self.model.asked.iter().any(waits));
    }

    fn compare(&self) {
        for action in 10..14 {
            for domain in Domain::ALL {
                let action = digest(action);
                let presented =
                    self.world.with(|moment| self.pending.granted(action, domain, moment));
                let found: BTreeSet<&str> = presented.met.iter().map(|met| &*met.quorum).collect();
                assert_eq!(found, self.model.granted(&self.world, action, domain));
                for met in &presented.met {
                    for used in &met.approvals {
                        let given = self.signed.iter().find(|it| it.id() == used.id).unwrap();
                        // Not for another, …
                        assert_eq!((given.action(), given.domain()), (action, domain));
                        assert_eq!(given.quorum(), &*met.quorum);
                        // … not by another, …
                        assert_eq!(given.approver(), &*used.approver);
                        assert_eq!(Model::holder(&self.world, given), Some(given.approver()));
                        assert_ne!(given.approver(), REQUESTER);
                        // … not later, and not twice.
                        assert!(self.world.now < given.expires());
                        assert!(!self.spent.contains(&used.id));
                    }
                }
            }
        }
        assert!(self.pending.len() <= MOST);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_table_agrees_with_a_model_that_forgets_nothing(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut story = Story::new();
        for step in &steps {
            story.run(step);
        }
    }

    #[test]
    fn the_laws_that_fuzzing_asserts_hold(bytes in prop::collection::vec(0..9_u8, 0..200)) {
        countersign::testing::fuzzing::approval(&bytes);
    }

    #[test]
    fn more_approvals_never_grant_less(
        votes in prop::collection::vec((0..4_usize, select(vec![1_u8, 2, 3, 4, 5, 6, 7, 8])), 0..12),
        more in prop::collection::vec((0..4_usize, select(vec![1_u8, 2, 3, 4, 5, 6, 7, 8])), 1..6),
        at in any::<Index>(),
    ) {
        let world = World::new();
        let request = world.request(1, 10, &SEATS);
        let granted = |votes: &[(usize, u8)]| {
            let mut pending = Pending::new(session(1));
            pending.open(request.clone(), world.now).unwrap();
            for (seat, seed) in votes {
                let (domain, quorum) = SEATS[*seat];
                let approval = world.approve(&request, domain, quorum, *seed);
                let _ = world.with(|moment| pending.submit(&approval, moment));
            }
            let of = |domain| {
                let met = world.with(|moment| pending.granted(digest(10), domain, moment)).met;
                met.into_iter().map(move |met| (domain, met.quorum)).collect::<Vec<_>>()
            };
            Domain::ALL.into_iter().flat_map(of).collect::<BTreeSet<_>>()
        };
        let few = granted(&votes);
        let mut all = votes.clone();
        let at = at.index(votes.len() + 1);
        all.splice(at..at, more);
        let many = granted(&all);
        prop_assert!(few.is_subset(&many), "{few:?} {many:?}");
    }

    #[test]
    fn two_keys_of_one_person_count_once(
        seeds in prop::collection::vec(select(vec![1_u8, 2, 3, 4, 7]), 0..10),
    ) {
        let world = World::new();
        let request = world.request(1, 10, &[(Domain::Data, "security")]);
        let mut pending = Pending::new(session(1));
        pending.open(request.clone(), world.now).unwrap();
        for seed in &seeds {
            let approval = world.approve(&request, Domain::Data, "security", *seed);
            let _ = world.with(|moment| pending.submit(&approval, moment));
        }
        let people: BTreeSet<&str> =
            seeds.iter().map(|seed| PEOPLE.iter().find(|it| it.0 == *seed).unwrap().1).collect();
        let presented = world.with(|moment| pending.granted(digest(10), Domain::Data, moment));
        prop_assert_eq!(presented.met.len() == 1, people.len() >= 2);
        if let Some(met) = presented.met.first() {
            prop_assert_eq!(met.approvals.len(), people.len());
        }
    }
}

/// The stories would prove nothing if nothing ever happened in them.
#[test]
fn the_stories_are_worth_telling() {
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(step(), 60);
    let (mut accepted, mut spent) = (0, 0);
    let mut codes = BTreeSet::new();
    for _ in 0..100 {
        let mut story = Story::new();
        for step in strategy.new_tree(&mut runner).unwrap().current() {
            story.run(&step);
        }
        accepted += story.model.given.len();
        spent += story.spent.len();
        codes.extend(story.refused);
    }
    assert!(accepted > 150 && spent > 20, "{accepted} accepted, {spent} used");
    assert!(codes.len() >= 17, "{codes:?}");
}
