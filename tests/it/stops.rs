//! Stopping: revocation, halts and credentials that end reach sessions at work and permits that are out,
//! and the host is told at once.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{Connect, ReadData};
use countersign::authorizer::{Finding, FindingHook, FindingKind, Halt};
use countersign::governance::{RevocationError, Revoked};
use countersign::identity::{SpiffeId, VerifiedIdentity};
use countersign::receipt::{MemorySink, Verifier};
use countersign::scope::Scope;
use countersign::session::OpenError;
use countersign::testing;
use countersign::{AuthorizeError, Authorizer, Reason, Session, Sink};

use crate::support::site::{
    Site, ask, asking, below, code, descriptor, elevate, instance, scope, spiffe,
};

fn read() -> ReadData {
    ReadData::table("crm.orders")
}

/// A parent with a delegate that has one of its own.
struct Tree {
    site: Site,
    scopes: [Scope; 3],
    sessions: [Session; 3],
}

fn tree() -> Tree {
    let site = Site::new();
    let top = scope("coder", 2);
    let middle = below(&top, descriptor("helper", 1));
    let low = below(&middle, descriptor("reader", 0));
    let parent = site.open(&top, "coder/1");
    let child = site.delegate(&parent, &middle, "helper/1");
    let grandchild = site.delegate(&child, &low, "reader/1");
    Tree { site, scopes: [top, middle, low], sessions: [parent, child, grandchild] }
}

/// After `stop`, the sessions of a tree from `first` on do nothing more, permits that are out included.
#[track_caller]
fn check(first: usize, expected: &str, stop: impl Fn(&Tree)) {
    let tree = tree();
    let permits: Vec<_> =
        tree.sessions.iter().map(|it| it.authorize(read()).unwrap().permit().unwrap()).collect();
    stop(&tree);
    for (index, permit) in permits.into_iter().enumerate() {
        assert_eq!(permit.start().is_err(), index >= first, "{expected}: permit {index}");
    }
    for (index, session) in tree.sessions.iter().enumerate() {
        let answer = if index >= first { expected } else { "allow" };
        assert_eq!(ask(session, read()), answer, "{index}");
        assert_eq!(ask(session, read()), answer, "{index}, again");
    }
    let told: Vec<_> = tree.site.told_of();
    for (index, session) in tree.sessions.iter().enumerate() {
        let of = |kind| told.iter().filter(|it| **it == (kind, Some(session.id()))).count();
        let once = usize::from(index >= first);
        assert_eq!((of(FindingKind::Stopped), of(FindingKind::FirstDenial)), (once, once));
    }
    tree.site.holds();
}

#[test]
fn what_is_revoked_stops_at_once_with_all_below_it() {
    let revoked = |first, expected: &str, entry: &dyn Fn(&Tree) -> Revoked| {
        check(first, expected, |tree| tree.site.revoke(entry(tree)));
    };
    revoked(0, "revoked.instance", &|_| Revoked::Instance(spiffe("coder/1")));
    revoked(1, "revoked.instance", &|_| Revoked::Instance(spiffe("helper/1")));
    revoked(2, "revoked.instance", &|_| Revoked::Instance(spiffe("reader/1")));
    revoked(3, "", &|_| Revoked::Instance(spiffe("coder/10")));
    revoked(3, "", &|_| Revoked::Instance(spiffe("coder")));
    revoked(0, "revoked.agent", &|_| Revoked::Agent(spiffe("coder")));
    revoked(1, "revoked.agent", &|_| Revoked::Agent(spiffe("helper")));
    let domain = SpiffeId::parse("spiffe://example.org").unwrap();
    revoked(0, "revoked.agent", &|_| Revoked::Agent(domain.clone()));
    revoked(3, "", &|_| Revoked::Agent(spiffe("cod")));
    revoked(0, "revoked.scope", &|tree| Revoked::Scope(tree.scopes[0].digest()));
    revoked(1, "revoked.scope", &|tree| Revoked::Scope(tree.scopes[1].digest()));
    revoked(2, "revoked.scope", &|tree| Revoked::Scope(tree.scopes[2].digest()));
    revoked(0, "revoked.session", &|tree| Revoked::Session(tree.sessions[0].id()));
    revoked(1, "revoked.session", &|tree| Revoked::Session(tree.sessions[1].id()));
    revoked(2, "revoked.session", &|tree| Revoked::Session(tree.sessions[2].id()));
    let task =
        |owner: &str| Revoked::Task { owner: owner.into(), task: "fix-login-timeout".into() };
    revoked(0, "revoked.task", &|_| task("user:cy"));
    revoked(3, "", &|_| task("user:ann"));
    revoked(0, "revoked.issuer", &|_| Revoked::Issuer("user:cy".into()));
    revoked(3, "", &|_| Revoked::Issuer("user:dee".into()));
    let all = |tree: &Tree| {
        let list = tree.site.list_of(1, &[], true);
        tree.site.authorizer.revoke(&list).unwrap();
    };
    check(0, "revoked.halt", all);
}

#[test]
fn what_is_lifted_goes_on() {
    let site = Site::new();
    let session = site.session();
    let first = site.list_of(1, &[Revoked::Session(session.id())], false);
    let second = site.list_of(2, &[], false);
    site.authorizer.revoke(&first).unwrap();
    assert_eq!(ask(&session, read()), "revoked.session");
    site.authorizer.revoke(&second).unwrap();
    assert_eq!(ask(&session, read()), "allow");
    // An older list takes nothing back and gives nothing back.
    assert_eq!(site.authorizer.revoke(&first), Err(RevocationError::Rollback));
    assert_eq!(ask(&session, read()), "allow");
    let other = site.list_of(2, &[Revoked::Session(session.id())], false);
    assert_eq!(site.authorizer.revoke(&other), Err(RevocationError::Conflict));
    assert_eq!(site.authorizer.revocations().lists().next().map(|it| it.1), Some(2));
    let third = site.list_of(3, &[Revoked::Issuer("user:sec".into())], false);
    site.authorizer.revoke(&third).unwrap();
    let fourth = site.list_of(4, &[], false);
    assert_eq!(site.authorizer.revoke(&fourth), Err(RevocationError::RevokedSigner));
    assert_eq!(ask(&session, read()), "allow");
    site.holds();
}

#[test]
fn nothing_is_opened_or_handed_on_for_what_is_revoked() {
    let site = Site::new();
    let top = scope("coder", 2);
    site.knows(&top);
    let open = |path: &str| {
        let trusted = top.dangerous().trust_unsigned();
        site.authorizer.open(&trusted, instance(path))
    };
    site.revoke(Revoked::Instance(spiffe("coder/1")));
    assert!(matches!(open("coder/1"), Err(OpenError::Refused(Reason::RevokedInstance))));
    let session = open("coder/2").unwrap();
    let narrow = below(&top, descriptor("helper", 1));
    site.revoke(Revoked::Agent(spiffe("helper")));
    let delegate = session.delegate(&narrow, instance("helper/1"));
    // Whether the delegate is refused or does nothing is one thing to it.
    match delegate {
        Err(OpenError::Refused(reason)) => assert_eq!(reason, Reason::RevokedAgent),
        Err(error) => panic!("{error:?}"),
        Ok(delegate) => {
            site.knows(&narrow);
            assert_eq!(ask(&delegate, read()), "revoked.agent");
        }
    }
    site.revoke(Revoked::Session(session.id()));
    let late = session.delegate(&narrow, instance("helper/2"));
    assert!(matches!(late, Err(OpenError::Refused(Reason::RevokedSession))));
    site.last_act("delegation revoked.session");
    site.holds();
}

// Halts.

#[test]
fn a_halt_stops_what_it_names_and_all_below_it() {
    let halt = |first, halt: &dyn Fn(&Tree) -> Halt| {
        check(first, "session.halted", |tree| {
            tree.site.authorizer.halt(&halt(tree), "it went astray").unwrap();
        });
    };
    halt(0, &|tree| Halt::Session(tree.sessions[0].id()));
    halt(1, &|tree| Halt::Session(tree.sessions[1].id()));
    halt(2, &|tree| Halt::Session(tree.sessions[2].id()));
    halt(0, &|_| Halt::Agent(spiffe("coder")));
    halt(0, &|_| Halt::Agent(spiffe("coder/1")));
    halt(1, &|_| Halt::Agent(spiffe("helper")));
    halt(3, &|_| Halt::Agent(spiffe("help")));
    halt(0, &|_| Halt::Agent(SpiffeId::parse("spiffe://example.org").unwrap()));
    halt(0, &|_| Halt::Everything);
}

#[test]
fn a_halt_is_on_every_chain_and_says_why() {
    let tree = tree();
    let everything = |why: &str| tree.site.authorizer.halt(&Halt::Everything, why);
    for wrong in ["", "\u{202e}", "\n", &"x".repeat(513)] {
        assert!(matches!(everything(wrong), Err(AuthorizeError::Misuse(_))), "{wrong:?}");
    }
    assert_eq!(ask(&tree.sessions[0], read()), "allow", "nothing was stopped");
    assert_eq!(everything("drill").unwrap(), 3);
    let acts = tree.site.acts();
    assert_eq!(acts.iter().filter(|act| *act == "halt ok").count(), 3);
    let openings = tree.site.sink.openings();
    assert!(openings.iter().any(|it| it.value().contains(r#""justification":"drill""#)));
    // Those that are stopped already are told once more, and those that are closed are not.
    tree.sessions[2].close().unwrap();
    assert_eq!(everything("drill").unwrap(), 2);
    tree.site.holds();
}

#[test]
fn what_is_halted_is_not_opened_later() {
    let site = Site::new();
    let top = scope("coder", 2);
    site.knows(&top);
    let open = |path: &str| {
        let trusted = top.dangerous().trust_unsigned();
        site.authorizer.open(&trusted, instance(path))
    };
    let one = open("coder/1").unwrap();
    site.authorizer.halt(&Halt::Session(one.id()), "odd").unwrap();
    let again = open("coder/1").unwrap();
    assert_eq!(ask(&again, read()), "allow", "another session of the same");
    let narrow = below(&top, descriptor("helper", 1));
    let second = open("coder/2").unwrap();
    site.authorizer.halt(&Halt::Agent(spiffe("helper")), "odd").unwrap();
    let delegate = second.delegate(&narrow, instance("helper/1"));
    assert!(matches!(delegate, Err(OpenError::Refused(Reason::SessionHalted))));
    site.last_act("delegation session.halted");
    assert_eq!(ask(&second, read()), "allow");
    site.authorizer.halt(&Halt::Everything, "odd").unwrap();
    assert!(matches!(open("coder/3"), Err(OpenError::Refused(Reason::SessionHalted))));
    site.holds();
}

#[test]
fn a_session_that_is_halted_can_be_closed_and_adds_nothing() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let running = session.authorize(read()).unwrap().permit().unwrap();
    let (_, running) = running.start().unwrap();
    site.authorizer.halt(&Halt::Everything, "odd").unwrap();
    assert_eq!(code(elevate(&session, &site.elevation(&top), 3)), "session.halted");
    // What runs already is not interrupted, and its end is recorded.
    running.report(true).unwrap();
    session.close().unwrap();
    site.holds();
}

// Credentials.

fn shown(path: &str, credential: &[u8], until: Option<u64>) -> VerifiedIdentity {
    let id = spiffe(path);
    let door = id.dangerous().with_credential(credential);
    match until {
        None => door.assume_verified(),
        Some(seconds) => {
            door.with_until(testing::NOW.plus(Duration::from_secs(seconds))).assume_verified()
        }
    }
}

#[test]
fn a_session_that_is_refused_is_told() {
    let site = Site::new();
    let trusted = |scope: &Scope| scope.dangerous().trust_unsigned();
    let top = scope("coder", 2);
    let open = |scope: &Scope, path: &str| site.authorizer.open(&trusted(scope), instance(path));
    let refused = [
        (open(&top, "other/1"), Reason::IdentityMismatch),
        (open(&below(&top, descriptor("coder", 1)), "coder/1"), Reason::DelegationParent),
    ];
    for (opened, expected) in refused {
        assert!(matches!(opened, Err(OpenError::Refused(reason)) if reason == expected));
    }
    assert_eq!(site.told_of(), [(FindingKind::RefusedOpen, None); 2]);
    assert!(open(&top, "coder/1").is_ok());
    assert_eq!(site.told(), []);
    site.wait(100_000);
    assert!(matches!(open(&top, "coder/1"), Err(OpenError::Refused(Reason::SessionExpired))));
    assert_eq!(site.told(), [FindingKind::RefusedOpen]);
}

#[test]
fn an_instance_at_work_is_not_taken_for_another_one() {
    let site = Site::new();
    let top = scope("coder", 2);
    site.knows(&top);
    let trusted = top.dangerous().trust_unsigned();
    let open =
        |credential: &[u8]| site.authorizer.open(&trusted, shown("coder/1", credential, None));
    let one = open(b"one").unwrap();
    let same = open(b"one").unwrap();
    assert!(matches!(open(b"two"), Err(OpenError::Refused(Reason::IdentityDuplicate))));
    assert_eq!(site.told_of(), [(FindingKind::DuplicateInstance, None)]);
    // Also as a delegate, which is on the chain of who delegates.
    let boss = site.open(&scope("boss", 2), "boss/1");
    let narrow = below(&scope("boss", 2), descriptor("coder", 1));
    let delegate = boss.delegate(&narrow, shown("coder/1", b"two", None));
    assert!(matches!(delegate, Err(OpenError::Refused(Reason::IdentityDuplicate))));
    site.last_act("delegation identity.duplicate");
    assert_eq!(site.told(), [FindingKind::DuplicateInstance]);
    assert_eq!(ask(&one, read()), "allow", "the one at work goes on");
    one.close().unwrap();
    assert!(open(b"two").is_err(), "another session of it is open");
    same.close().unwrap();
    let two = open(b"two").unwrap();
    assert_eq!(ask(&two, read()), "allow");
    drop(two);
    // Nobody holds that session any more.
    assert!(open(b"one").is_ok());
    site.holds();
}

#[test]
fn a_credential_that_has_ended_stops_its_sessions_and_their_delegates() {
    let site = Site::new();
    let top = scope("coder", 2);
    site.knows(&top);
    let trusted = top.dangerous().trust_unsigned();
    let open = || site.authorizer.open(&trusted, shown("coder/1", b"one", Some(60)));
    let parent = open().unwrap();
    let narrow = below(&top, descriptor("helper", 1));
    let child = site.delegate(&parent, &narrow, "helper/1");
    site.wait(59);
    let permits = [&parent, &child].map(|it| it.authorize(read()).unwrap().permit().unwrap());
    site.wait(1);
    assert!(permits.into_iter().all(|permit| permit.start().is_err()));
    assert_eq!(ask(&parent, read()), "identity.expired");
    assert_eq!(ask(&child, read()), "identity.expired");
    assert!(matches!(open(), Err(OpenError::Refused(Reason::IdentityExpired))));
    site.holds();
}

#[test]
fn a_session_that_is_closed_ends_its_delegates() {
    let tree = tree();
    let permit = tree.sessions[2].authorize(read()).unwrap().permit().unwrap();
    tree.sessions[0].close().unwrap();
    assert!(permit.start().is_err());
    assert_eq!(ask(&tree.sessions[1], read()), "delegation.ended");
    assert_eq!(ask(&tree.sessions[2], read()), "delegation.ended");
    tree.sessions[2].close().unwrap();
    tree.sessions[1].close().unwrap();
    tree.site.holds();
}

// Findings.

#[test]
fn the_breaker_is_told_once() {
    let site = Site::new();
    let mut few = descriptor("coder", 2);
    few.limits.denials = Some(2);
    let session = site.open(&Scope::from_descriptor(&few).unwrap(), "coder/1");
    let away = || Connect::new("198.51.100.7", 22);
    assert_eq!(ask(&session, away()), "scope.connect");
    assert_eq!(site.told(), [FindingKind::FirstDenial]);
    assert_eq!(ask(&session, away()), "scope.connect");
    assert_eq!(site.told(), [FindingKind::Breaker]);
    assert_eq!(ask(&session, read()), "limit.denials");
    assert_eq!(site.told(), []);
    let finding = Finding::bypass("spiffe://example.org/agent/coder/1", None, site.now());
    site.authorizer.tell(&finding);
    assert_eq!(site.told(), [FindingKind::Bypass]);
    site.holds();
}

/// What a hook does with what it is told of.
type Meddling = dyn Fn(&Authorizer, &Session) + Send + Sync;

/// A hook that does something with the authorizer.
struct Meddler {
    run: Box<Meddling>,
    at: Arc<Mutex<Option<(Authorizer, Session)>>>,
}

impl std::fmt::Debug for Meddler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddler")
    }
}

impl FindingHook for Meddler {
    fn found(&self, _: &Finding<'_>) {
        let at = self.at.lock().unwrap().clone();
        if let Some((authorizer, session)) = at {
            (self.run)(&authorizer, &session);
        }
    }
}

/// Denies something while `run` hooks in, on a thread of its own: it must come back.
fn meddle(run: impl Fn(&Authorizer, &Session) + Send + Sync + 'static) -> (String, String) {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let (sink, at) = (Arc::new(MemorySink::new()), Arc::default());
        let hook = Meddler { run: Box::new(run), at: Arc::clone(&at) };
        let authorizer = Authorizer::builder()
            .policy(asking())
            .identity(testing::identity_key())
            .sink(Sink::blocking(Arc::clone(&sink)))
            .with_clock(testing::clock())
            .with_entropy(testing::entropy())
            .with_paths(PurePaths::new())
            .with_findings(hook)
            .build()
            .unwrap();
        let trusted = scope("coder", 2).dangerous().trust_unsigned();
        let session = authorizer.open(&trusted, instance("coder/1")).unwrap();
        *at.lock().unwrap() = Some((authorizer.clone(), session.clone()));
        let first = ask(&session, Connect::new("198.51.100.7", 22));
        *at.lock().unwrap() = None;
        let second = session.authorize(read()).map_or_else(
            |error| error.to_string(),
            |decision| crate::support::gate::outcome(&decision),
        );
        Verifier::new(testing::trusted_key()).verify(sink.to_ndjson().as_bytes()).unwrap();
        done.send((first, second)).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(20))
        .expect("the hook waits for the call that it is told of")
}

fn went_on() -> (String, String) {
    ("scope.connect".into(), "allow".into())
}

#[test]
fn a_hook_that_panics_changes_nothing() {
    assert_eq!(meddle(|_, _| panic!("the pager is broken")), went_on());
}

#[test]
fn a_hook_may_look_at_anything() {
    let look = |authorizer: &Authorizer, session: &Session| {
        let _ = (authorizer.bundle(), authorizer.revocations(), authorizer.directory());
        let _ = (session.id(), session.agent(), session.scope());
        authorizer.reload(&asking());
        authorizer.reload_directory(&authorizer.directory());
        session.add_label("seen").unwrap();
    };
    assert_eq!(meddle(look), went_on());
}

/// The lines of the call are not stored yet: whatever would wait for them must not.
#[test]
fn a_hook_waits_for_nothing() {
    let misuse = |error: AuthorizeError| assert!(matches!(error, AuthorizeError::Misuse(_)));
    assert_eq!(meddle(move |_, session| misuse(session.head().unwrap_err())), went_on());
    assert_eq!(meddle(move |_, session| misuse(session.close().unwrap_err())), went_on());
    assert_eq!(meddle(move |_, session| misuse(session.authorize(read()).unwrap_err())), went_on());
    assert_eq!(
        meddle(move |authorizer, _| {
            let trusted = scope("coder", 2).dangerous().trust_unsigned();
            assert!(authorizer.open(&trusted, instance("coder/2")).is_err());
        }),
        went_on()
    );
    // It may stop everything: the lines that say so are stored with the next ones.
    let stop = |authorizer: &Authorizer, _: &Session| {
        assert_eq!(authorizer.halt(&Halt::Everything, "it looks odd").unwrap(), 1);
    };
    assert_eq!(meddle(stop), ("scope.connect".into(), "session.halted".into()));
    // Another thread may do all of that; it waits for its turn.
    let elsewhere = |_: &Authorizer, session: &Session| {
        let session = session.clone();
        std::thread::spawn(move || session.authorize(read()).unwrap().is_allow());
    };
    assert_eq!(meddle(elsewhere), went_on());
}
