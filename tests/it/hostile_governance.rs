//! What a hostile agent, a malicious delegate or one bad person of a quorum tries against what people and
//! delegations add to a session.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{Domain, ReadData, TriggerWorkflow, UseSecret, WriteData};
use countersign::authorizer::{Finding, FindingHook, Halt, StartError};
use countersign::governance::approval::{Ballot, Vote};
use countersign::governance::{
    Approval, Budget, Declassification, DeclassificationDraft, Directory, Elevation,
    ElevationDraft, Fragment, RevocationDraft, RevocationList, Revoked, StandingDraft,
    StandingGrant,
};
use countersign::identity::{SpiffeId, VerifiedIdentity};
use countersign::policy::Enforced;
use countersign::receipt::{
    Group, IdentityKey, MemorySink, Opening, ReceiptSink, SessionId, SinkError, Verifier,
};
use countersign::scope::Scope;
use countersign::session::{Act, ActError, Handover, HandoverError, OpenError};
use countersign::testing::{self, NOW, TestClock};
use countersign::time::Timestamp;
use countersign::value::Value;
use countersign::{Action, Authorizer, Decision, Permit, Reason, Session, Sink};

use crate::support::gate::{self, Bundle};
use crate::support::people::key;

const MANIFEST: &str = r#"{"bundle": "countersign/bundle/v1", "name": "test",
    "quorums": [{"name": "sre", "roles": ["sre"], "of": 1}],
    "elevation": {"quorum": "sre", "minutes": 60},
    "break_glass": {"quorum": "sre", "minutes": 15},
    "declassification": {"quorum": "sre", "minutes": 60}}"#;

/// Workflows take an approval, and nothing is written once a secret was touched.
const POLICIES: &str = r#"
    @id("ask") forbid(principal, action == Action::"TriggerWorkflow", resource)
        unless { context.approvals.contains("sre") };
    @id("leak") forbid(principal, action == Action::"WriteData", resource)
        when { context.labels.contains("secret") };"#;

fn directory() -> Directory {
    let text = format!(
        r#"{{"directory":"countersign/directory/v1",
            "authorizers":[{{"key":"{}","trust_domain":"example.org","delegates":true}}],
            "people":[
            {{"id":"user:ann","kind":"human","keys":["{}"],"roles":["sre"]}},
            {{"id":"user:root","kind":"human","keys":["{}"],"revokes":true}}]}}"#,
        key(51).trusted(),
        key(1).trusted(),
        key(9).trusted(),
    );
    Directory::parse(text.as_bytes()).unwrap()
}

/// A sink that fails once it was told to.
#[derive(Debug, Default)]
struct Failing {
    inner: MemorySink,
    /// After how many groups more; none where it goes on for good.
    left: Mutex<Option<usize>>,
}

impl Failing {
    fn fail_after(&self, groups: usize) {
        *self.left.lock().unwrap() = Some(groups);
    }

    fn repair(&self) {
        *self.left.lock().unwrap() = None;
    }
}

impl ReceiptSink for Failing {
    fn append(&self, group: &Group) -> Result<(), SinkError> {
        if let Some(left) = &mut *self.left.lock().unwrap() {
            if *left == 0 {
                return Err(SinkError::new("the disk is full"));
            }
            *left -= 1;
        }
        self.inner.append(group)
    }
}

struct House {
    bundle: Enforced,
    sink: Arc<Failing>,
    clock: TestClock,
    seed: u8,
}

impl House {
    fn new() -> Self {
        Self::seeded(11)
    }

    fn seeded(seed: u8) -> Self {
        let bundle = Bundle::but(POLICIES).with_file("manifest.json", MANIFEST).load().unwrap();
        Self { bundle, sink: Arc::default(), clock: testing::clock(), seed }
    }

    fn authorizer(&self) -> Authorizer {
        self.with_hook(None)
    }

    fn with_hook(&self, hook: Option<Arc<Calling>>) -> Authorizer {
        let builder = Authorizer::builder()
            .policy(self.bundle.clone())
            .identity(IdentityKey::from_seed(&[self.seed; 32]))
            .sink(Sink::blocking(Arc::clone(&self.sink)))
            .with_clock(self.clock.clone())
            .with_paths(PurePaths::new())
            .with_directory(directory());
        let builder = match hook {
            Some(hook) => builder.with_findings(Shared(hook)),
            None => builder,
        };
        if self.sink.inner.lines().is_empty() {
            return builder.build().unwrap();
        }
        builder.with_resume(self.stored().journal_position()).build().unwrap()
    }

    fn stored(&self) -> countersign::receipt::Verified {
        let verifier = Verifier::new(IdentityKey::from_seed(&[self.seed; 32]).trusted());
        verifier.verify(self.sink.inner.to_ndjson().as_bytes()).unwrap()
    }

    fn resume(&self, id: SessionId, scope: &Scope) -> Session {
        let stored = self.stored();
        let trusted = scope.dangerous().trust_unsigned();
        self.authorizer().resume(&stored, id, &trusted, testing::agent()).unwrap()
    }
}

/// A scope that grants nearly everything and may be handed on.
fn top() -> Scope {
    let mut top = testing::trusted(gate::SCOPE).unwrap().scope().descriptor().clone();
    top.limits.delegation_depth = Some(3);
    top.actions.spawn = vec!["spiffe://example.org/agent".into()];
    Scope::from_descriptor(&top).unwrap()
}

fn below(parent: &Scope) -> Scope {
    let mut child = parent.descriptor().clone();
    child.parent = Some(parent.digest().to_string());
    child.agent = "spiffe://example.org/agent/reader".into();
    child.limits.delegation_depth = child.limits.delegation_depth.map(|depth| depth - 1);
    Scope::from_descriptor(&child).unwrap()
}

fn open(authorizer: &Authorizer, scope: &Scope) -> Session {
    authorizer.open(&scope.dangerous().trust_unsigned(), testing::agent()).unwrap()
}

fn reader(number: u8) -> VerifiedIdentity {
    let id = SpiffeId::parse(&format!("spiffe://example.org/agent/reader/{number}")).unwrap();
    id.dangerous().assume_verified()
}

fn ask(session: &Session, action: impl Action) -> String {
    match session.authorize(action) {
        Ok(decision) => gate::outcome(&decision),
        Err(error) => format!("error: {error}"),
    }
}

fn permit<A: Action>(session: &Session, action: A) -> Permit<A> {
    match session.authorize(action).unwrap() {
        Decision::Allow(permit) => permit,
        _ => panic!("it is not allowed"),
    }
}

fn workflow(name: &str) -> TriggerWorkflow {
    TriggerWorkflow::new(name, Value::Null)
}

fn secret(name: &str) -> UseSecret {
    UseSecret::new(name, "test")
}

fn after(now: Timestamp, seconds: u64) -> Timestamp {
    now.plus(Duration::from_secs(seconds))
}

fn declassification(session: &Session, scopes: &[&Scope], now: Timestamp) -> String {
    let draft = DeclassificationDraft {
        session: session.id(),
        scope: scopes.iter().map(|scope| scope.digest()).collect(),
        label: "secret".into(),
        justification: "the customer asked for it, ticket 4711".into(),
        issued_at: now,
        expires: after(now, 600),
    };
    Declassification::sign(&draft, &key(1)).unwrap().signed().as_str().to_owned()
}

fn elevation(scope: &Scope, now: Timestamp, seconds: u64, grants: Fragment) -> Elevation {
    let draft = ElevationDraft {
        task: scope.descriptor().task.as_str().into(),
        scope: scope.digest(),
        grants,
        issued_at: now,
        expires: after(now, seconds),
        justification: "the customer table is broken, ticket 4711".into(),
        break_glass: false,
    };
    Elevation::sign(&draft, &key(1)).unwrap()
}

/// Asks people about a workflow, and brings their answer.
fn approve(session: &Session, name: &str, now: Timestamp, seconds: u64) -> Approval {
    let Decision::Defer(deferral) = session.authorize(workflow(name)).unwrap() else {
        panic!("it takes an approval")
    };
    let request = session.request_approval(&deferral, after(now, 600)).unwrap();
    let ballot = Ballot {
        domain: Domain::Application,
        quorum: "sre",
        approver: "user:ann",
        vote: Vote::Approve,
        at: now,
        expires: after(now, seconds),
    };
    let approval = Approval::sign(&request, ballot, &key(1)).unwrap();
    session.act(Act::Approve(approval.signed().as_str().as_bytes())).unwrap();
    approval
}

fn revoke(authorizer: &Authorizer, version: u64, what: Revoked, now: Timestamp) {
    let text = RevocationDraft::new("user:root", version, now).revoke(what).sign(&key(9)).unwrap();
    let list = RevocationList::parse(text.as_bytes()).unwrap().verify(&directory(), now).unwrap();
    authorizer.revoke(&list).unwrap();
}

// Receipt before effect.

#[test]
fn a_declassification_that_was_not_stored_binds_nobody() {
    let house = House::new();
    let authorizer = house.authorizer();
    let (top, narrow) = (top(), below(&top()));
    let parent = open(&authorizer, &top);
    let child = parent.delegate(&narrow, reader(1)).unwrap();
    parent.add_label("secret").unwrap();
    assert_eq!(ask(&parent, WriteData::new("a")), "policy.forbid");
    let text = declassification(&child, &[&top, &narrow], NOW);
    house.sink.fail_after(0);
    assert!(matches!(child.act(Act::Declassify(&[text.as_bytes()])), Err(ActError::Record(_))));
    house.sink.repair();
    assert_eq!(ask(&parent, WriteData::new("a")), "policy.forbid");
}

/// Waits at the door of the sink.
#[derive(Debug)]
struct Door {
    inner: MemorySink,
    shut: AtomicUsize,
    arrived: Mutex<mpsc::Sender<()>>,
    opened: Mutex<mpsc::Receiver<()>>,
}

impl ReceiptSink for Door {
    fn append(&self, group: &Group) -> Result<(), SinkError> {
        if self.shut.swap(0, Ordering::SeqCst) > 0 {
            self.arrived.lock().unwrap().send(()).unwrap();
            self.opened.lock().unwrap().recv().unwrap();
        }
        self.inner.append(group)
    }
}

#[test]
fn a_declassification_binds_nobody_while_it_is_being_stored() {
    let (arrived, arrives) = mpsc::channel();
    let (opens, opened) = mpsc::channel();
    let door = Arc::new(Door {
        inner: MemorySink::new(),
        shut: AtomicUsize::new(0),
        arrived: Mutex::new(arrived),
        opened: Mutex::new(opened),
    });
    let house = House::new();
    let authorizer = Authorizer::builder()
        .policy(house.bundle.clone())
        .identity(key(11))
        .sink(Sink::blocking(Arc::clone(&door)))
        .with_clock(house.clock.clone())
        .with_paths(PurePaths::new())
        .with_directory(directory())
        .build()
        .unwrap();
    let (top, narrow) = (top(), below(&top()));
    let parent = open(&authorizer, &top);
    let child = parent.delegate(&narrow, reader(1)).unwrap();
    parent.add_label("secret").unwrap();
    let text = declassification(&child, &[&top, &narrow], NOW);
    door.shut.store(1, Ordering::SeqCst);
    std::thread::scope(|threads| {
        threads.spawn(|| child.act(Act::Declassify(&[text.as_bytes()])).unwrap());
        arrives.recv().unwrap();
        let meanwhile = ask(&parent, WriteData::new("a"));
        opens.send(()).unwrap();
        assert_eq!(meanwhile, "policy.forbid");
    });
    assert_eq!(ask(&parent, WriteData::new("a")), "allow");
    assert_eq!(ask(&child, WriteData::new("a")), "allow");
}

#[test]
fn an_approval_that_was_not_stored_serves_nobody() {
    let house = House::new();
    let authorizer = house.authorizer();
    let session = open(&authorizer, &top());
    let Decision::Defer(deferral) = session.authorize(workflow("w")).unwrap() else {
        panic!("it takes an approval")
    };
    let request = session.request_approval(&deferral, after(NOW, 600)).unwrap();
    let ballot = Ballot {
        domain: Domain::Application,
        quorum: "sre",
        approver: "user:ann",
        vote: Vote::Approve,
        at: NOW,
        expires: after(NOW, 300),
    };
    let approval = Approval::sign(&request, ballot, &key(1)).unwrap();
    house.sink.fail_after(0);
    let text = approval.signed().as_str().as_bytes();
    assert!(matches!(session.act(Act::Approve(text)), Err(ActError::Record(_))));
    house.sink.repair();
    assert!(ask(&session, workflow("w")).starts_with("error"));
}

// Between the decision and the start.

#[track_caller]
fn late<A: Action>(permit: Permit<A>) {
    match permit.start() {
        Err(StartError::Expired) => {}
        _ => panic!("it started"),
    }
}

#[test]
fn what_an_elevation_allowed_does_not_start_after_its_end() {
    let house = House::new();
    let authorizer = house.authorizer();
    let mut less = top().descriptor().clone();
    less.touch.secrets.clear();
    let scope = Scope::from_descriptor(&less).unwrap();
    let session = open(&authorizer, &scope);
    let mut grants = Fragment::default();
    grants.touch.secrets.push("db".into());
    let text = elevation(&scope, NOW, 2, grants);
    session.act(Act::Elevate(text.signed().as_str().as_bytes())).unwrap();
    let early = permit(&session, secret("db"));
    let permit = permit(&session, secret("db"));
    house.clock.advance(1_999);
    assert!(early.start().is_ok());
    house.clock.advance(1);
    late(permit);
}

#[test]
fn what_an_approval_allowed_does_not_start_after_its_end() {
    let house = House::new();
    let authorizer = house.authorizer();
    let session = open(&authorizer, &top());
    approve(&session, "w", NOW, 2);
    let permit = permit(&session, workflow("w"));
    house.clock.advance(2_000);
    late(permit);
}

#[test]
fn what_an_approval_allowed_does_not_start_once_it_is_revoked() {
    for by_key in [false, true] {
        let house = House::new();
        let authorizer = house.authorizer();
        let session = open(&authorizer, &top());
        let approval = approve(&session, "w", NOW, 300);
        let permit = permit(&session, workflow("w"));
        let what = match by_key {
            true => Revoked::Key(*key(1).trusted().as_bytes()),
            false => Revoked::Approval(approval.id()),
        };
        revoke(&authorizer, 1, what, NOW);
        late(permit);
    }
}

#[test]
fn what_people_allowed_does_not_start_once_they_are_nobody() {
    let house = House::new();
    let authorizer = house.authorizer();
    let session = open(&authorizer, &top());
    approve(&session, "w", NOW, 300);
    let permit = permit(&session, workflow("w"));
    let nobody = r#"{"directory":"countersign/directory/v1","people":[]}"#;
    authorizer.reload_directory(&Directory::parse(nobody.as_bytes()).unwrap());
    late(permit);
}

#[test]
fn a_lease_is_not_redeemed_on_a_permit_that_ran_out() {
    let house = House::new();
    let authorizer = house.authorizer();
    let session = open(&authorizer, &top());
    let first = permit(&session, WriteData::new("a"));
    house.clock.advance(first.until().since(NOW).as_millis() as u64 - 1000);
    let used = permit(&session, secret("db"));
    let lease = session.lease(used, &WriteData::new("a")).unwrap();
    house.clock.advance(2_000);
    assert!(session.redeem(&lease, &first).is_err());
}

// After a restart.

#[test]
fn a_standing_grant_is_not_filled_up_by_a_restart() {
    let house = House::new();
    let authorizer = house.authorizer();
    let scope = top();
    let session = open(&authorizer, &scope);
    let mut grants = Fragment::default();
    grants.actions.workflows.push("**".into());
    let draft = StandingDraft {
        session: session.id(),
        scope: vec![scope.digest()],
        bundle: house.bundle.digest(),
        domain: Domain::Application,
        quorum: "sre".into(),
        uses: 1,
        issued_at: NOW,
        until: after(NOW, 3600),
        grants,
    };
    let grant = StandingGrant::sign(&draft, &key(1)).unwrap();
    let text = grant.signed().as_str().as_bytes().to_vec();
    session.act(Act::Grant(&text)).unwrap();
    assert_eq!(ask(&session, workflow("w")), "allow");
    assert_eq!(ask(&session, workflow("w")), "defer sre");
    house.clock.advance(1000);
    let id = session.id();
    drop((session, authorizer));
    let session = house.resume(id, &scope);
    let again = session.act(Act::Grant(&text));
    assert_eq!(again.unwrap_err().reason(), Some(Reason::ApprovalUsed));
    assert_eq!(ask(&session, workflow("w")), "defer sre");
    // One that was signed since is another matter.
    house.clock.advance(1);
    let now = after(NOW, 1).plus(Duration::from_millis(1));
    let draft = StandingDraft { issued_at: now, ..draft };
    let grant = StandingGrant::sign(&draft, &key(1)).unwrap();
    session.act(Act::Grant(grant.signed().as_str().as_bytes())).unwrap();
    assert_eq!(ask(&session, workflow("w")), "allow");
}

#[test]
fn a_declassification_is_not_used_again_after_a_restart() {
    let house = House::new();
    let authorizer = house.authorizer();
    let scope = top();
    let session = open(&authorizer, &scope);
    session.add_label("secret").unwrap();
    let text = declassification(&session, &[&scope], NOW);
    session.act(Act::Declassify(&[text.as_bytes()])).unwrap();
    assert_eq!(ask(&session, WriteData::new("a")), "allow");
    session.add_label("secret").unwrap();
    assert_eq!(ask(&session, WriteData::new("a")), "policy.forbid");
    house.clock.advance(1000);
    let id = session.id();
    drop((session, authorizer));
    let session = house.resume(id, &scope);
    let again = session.act(Act::Declassify(&[text.as_bytes()]));
    assert_eq!(again.unwrap_err().reason(), Some(Reason::DeclassificationUsed));
    assert_eq!(ask(&session, WriteData::new("a")), "policy.forbid");
}

#[test]
fn what_a_delegate_touched_still_sticks_after_a_restart() {
    let house = House::new();
    let authorizer = house.authorizer();
    let (top, narrow) = (top(), below(&top()));
    let parent = open(&authorizer, &top);
    let child = parent.delegate(&narrow, reader(1)).unwrap();
    child.add_label("secret").unwrap();
    assert_eq!(ask(&child, ReadData::new("a")), "allow");
    let id = parent.id();
    drop((child, parent, authorizer));
    let parent = house.resume(id, &top);
    assert_eq!(ask(&parent, WriteData::new("a")), "policy.forbid");
}

#[test]
fn a_delegate_does_not_go_on_by_itself_after_a_restart() {
    let house = House::new();
    let authorizer = house.authorizer();
    let (top, narrow) = (top(), below(&top()));
    let parent = open(&authorizer, &top);
    let child = parent.delegate(&narrow, reader(1)).unwrap();
    let ids = (parent.id(), child.id());
    drop((child, parent, authorizer));
    let authorizer = house.authorizer();
    let alone =
        authorizer.resume(&house.stored(), ids.1, &narrow.dangerous().trust_unsigned(), reader(1));
    assert!(alone.unwrap_err().to_string().contains("handed on again"));
    drop(authorizer);
    let again = house.resume(ids.0, &top).delegate(&narrow, reader(2)).unwrap();
    assert_eq!(ask(&again, ReadData::new("a")), "allow");
}

/// A delegate uses all that there is; `and_then` happens before the restart.
fn use_up_and_restart(and_then: impl FnOnce(&Session)) {
    let house = House::new();
    let authorizer = house.authorizer();
    let mut few = top().descriptor().clone();
    few.limits.actions = Some(3);
    let top = Scope::from_descriptor(&few).unwrap();
    let narrow = below(&top);
    let parent = open(&authorizer, &top);
    let child = parent.delegate(&narrow, reader(1)).unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&child, ReadData::new("a")), "allow");
    }
    and_then(&parent);
    let id = parent.id();
    drop((child, parent, authorizer));
    let parent = house.resume(id, &top);
    assert_eq!(ask(&parent, ReadData::new("a")), "limit.actions");
}

#[test]
fn what_a_delegate_used_is_still_used_after_a_restart() {
    use_up_and_restart(|parent| assert_eq!(ask(parent, ReadData::new("a")), "limit.actions"));
}

#[test]
fn what_a_delegate_used_last_is_still_used_after_a_restart() {
    // The last line of the parent stands before those of its delegate.
    use_up_and_restart(|_| ());
}

// Halts and hooks.

/// Calls back into the library from where it is told something.
#[derive(Debug, Default)]
struct Calling {
    authorizer: OnceLock<Authorizer>,
    session: OnceLock<Session>,
    said: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Shared(Arc<Calling>);

impl FindingHook for Shared {
    fn found(&self, finding: &Finding<'_>) {
        let mut said = vec![finding.kind.as_str().to_owned()];
        if let Some(authorizer) = self.0.authorizer.get() {
            let halted = authorizer.halt(&Halt::Everything, "the agent probes");
            said.push(format!("{:?}", halted.is_ok()));
        }
        if let Some(session) = self.0.session.get() {
            said.push(format!("{:?}", session.authorize(ReadData::new("a")).is_ok()));
        }
        self.0.said.lock().unwrap().extend(said);
    }
}

#[test]
fn a_hook_that_stops_everything_does_not_wait_for_itself() {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let house = House::new();
        let hook = Arc::new(Calling::default());
        let authorizer = house.with_hook(Some(Arc::clone(&hook)));
        let session = open(&authorizer, &top());
        hook.authorizer.set(authorizer.clone()).unwrap();
        assert_eq!(ask(&session, countersign::action::DeleteData::table("x")), "scope.delete");
        assert_eq!(ask(&session, ReadData::new("a")), "session.halted");
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(10)).expect("it waits for itself");
}

#[test]
fn a_hook_that_asks_does_not_wait_for_itself() {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let house = House::new();
        let hook = Arc::new(Calling::default());
        let authorizer = house.with_hook(Some(Arc::clone(&hook)));
        let session = open(&authorizer, &top());
        hook.session.set(session.clone()).unwrap();
        assert_eq!(ask(&session, countersign::action::DeleteData::table("x")), "scope.delete");
        assert_eq!(ask(&session, ReadData::new("a")), "allow");
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(10)).expect("it waits for itself");
}

fn hand_over(
    session: &Session,
    narrow: &Scope,
    to: &VerifiedIdentity,
    audience: &str,
    budget: &Budget,
) -> Result<countersign::governance::DelegationToken, HandoverError> {
    let handover = Handover {
        scope: narrow,
        to: to.id(),
        audience,
        budget: budget.clone(),
        within: Duration::from_secs(60),
    };
    session.hand_over(&handover, &key(51))
}

fn budget(actions: u64) -> Budget {
    let mut budget = Budget::default();
    (budget.actions, budget.per_minute, budget.denials) = (actions, 10, 2);
    budget
}

#[test]
fn a_halted_agent_is_halted_where_it_handed_over_to() {
    let (here, there) = (House::new(), House::seeded(12));
    let (top, narrow) = (top(), below(&top()));
    let far = there.authorizer();
    let parent = open(&here.authorizer(), &top);
    let agent = testing::agent();
    for halt in [Halt::Session(parent.id()), Halt::Agent(agent.id().clone())] {
        let token = hand_over(&parent, &narrow, &reader(1), &far.audience(), &budget(5)).unwrap();
        let session = far.open_delegated(&token, reader(1)).unwrap();
        assert_eq!(ask(&session, ReadData::new("a")), "allow");
        far.halt(&halt, "it probes the network").unwrap();
        assert_eq!(ask(&session, ReadData::new("a")), "session.halted");
    }
    let token = hand_over(&parent, &narrow, &reader(1), &far.audience(), &budget(5)).unwrap();
    assert!(far.open_delegated(&token, reader(1)).is_err());
}

// Budgets.

#[test]
fn two_delegates_cannot_hand_over_the_same_budget() {
    for _ in 0..50 {
        let house = House::new();
        let authorizer = house.authorizer();
        let mut few = top().descriptor().clone();
        few.limits.actions = Some(10);
        let top = Scope::from_descriptor(&few).unwrap();
        let narrow = below(&top);
        let leaf = below(&narrow);
        let parent = open(&authorizer, &top);
        let delegates: Vec<Session> =
            (1..=4).map(|number| parent.delegate(&narrow, reader(number)).unwrap()).collect();
        let handed = AtomicUsize::new(0);
        let barrier = std::sync::Barrier::new(delegates.len());
        std::thread::scope(|threads| {
            for session in &delegates {
                threads.spawn(|| {
                    barrier.wait();
                    if hand_over(session, &leaf, &reader(9), "there", &budget(10)).is_ok() {
                        handed.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(handed.into_inner(), 1, "ten actions were handed over more than once");
    }
}

// What fills up.

#[test]
fn large_elevations_leave_facts_that_can_be_read() {
    let house = House::new();
    let authorizer = house.authorizer();
    let scope = top();
    let session = open(&authorizer, &scope);
    let (mut taken, mut refused) = (0, 0);
    for number in 0..8 {
        let mut grants = Fragment::default();
        let name = "x".repeat(200);
        let entry = |at: usize| format!("/data/{number}/{at:04}/{name}/{name}/{name}/{name}");
        grants.touch.read = (0..if number < 4 { 500 } else { 40 }).map(entry).collect();
        let text = elevation(&scope, NOW, 600, grants);
        match session.act(Act::Elevate(text.signed().as_str().as_bytes())) {
            Ok(_) => taken += 1,
            Err(error) => {
                assert_eq!(error.reason(), Some(Reason::ElevationTooMany));
                refused += 1;
            }
        }
        assert_eq!(ask(&session, ReadData::new("a")), "allow");
    }
    assert_eq!((taken, refused), (3, 5));
    for opening in house.sink.inner.openings() {
        assert_eq!(Opening::parse(&opening.to_line()).as_ref(), Ok(&opening));
    }
}

// Clocks.

#[test]
fn a_scope_that_was_over_does_not_begin_again_when_the_clock_steps_back() {
    let house = House::new();
    let authorizer = house.authorizer();
    let scope = top();
    let session = open(&authorizer, &scope);
    house.clock.set(after(scope_end(&scope), 1));
    assert_eq!(ask(&session, ReadData::new("a")), "session.expired");
    session.close().unwrap();
    house.clock.set(NOW);
    match authorizer.open(&scope.dangerous().trust_unsigned(), testing::agent()) {
        Err(OpenError::Refused(reason)) => assert_eq!(reason, Reason::SessionClockBackwards),
        other => panic!("{other:?}"),
    }
}

fn scope_end(scope: &Scope) -> Timestamp {
    Timestamp::parse_rfc3339(&scope.descriptor().expires).unwrap()
}
