//! Declassification, leases of secrets, and watching without enforcing.

use countersign::action::{Connect, DeleteData, ReadData, UseSecret};
use countersign::authorizer::{Call, FindingKind, Severity};
use countersign::governance::{DeclassificationDraft, Revoked, SecretLease};
use countersign::identity::VerifiedIdentity;
use countersign::scope::Scope;
use countersign::session::ActError;
use countersign::{Action, AuthorizeError, Permit, Session};

use crate::support::people::key;
use crate::support::site::{
    Site, ask, below, code, declassify, descriptor, directory_without, elevate, grant, instance,
    other, scope,
};

fn connect() -> Connect {
    Connect::new("git.example.org", 443)
}

fn secret() -> ReadData {
    ReadData::table("crm.orders").classes(["secret"])
}

// Declassification.

/// A session that has read what is secret, and what takes the label off again.
fn touched() -> (Site, Scope, Session, DeclassificationDraft) {
    let (site, top) = (Site::new(), scope("coder", 2));
    let session = site.open(&top, "coder/1");
    assert_eq!(ask(&session, connect()), "allow");
    assert_eq!(ask(&session, secret()), "allow");
    assert_eq!(ask(&session, connect()), "policy.forbid");
    let draft = site.declassification(&session, &[&top], "secret");
    (site, top, session, draft)
}

#[test]
fn a_declassified_label_is_seen_no_more_and_stays_on_record() {
    let (site, _, session, draft) = touched();
    assert_eq!(code(declassify(&session, &draft, &[1, 3])), "");
    site.last_act("declassification ok");
    assert!(site.last_line().contains(r#""labels":["secret"]"#));
    assert_eq!(ask(&session, connect()), "allow");
    assert!(site.last_line().contains(r#""labels":["secret"]"#), "receipts keep it");
    assert_eq!(ask(&session, ReadData::new("a")), "allow");
    // It comes back with the next touch, and the same documents do not take it off again.
    assert_eq!(ask(&session, secret()), "allow");
    assert_eq!(ask(&session, connect()), "policy.forbid");
    assert_eq!(code(declassify(&session, &draft, &[1, 3])), "declassification.used");
    assert_eq!(code(declassify(&session, &draft, &[3, 4])), "declassification.used");
    site.last_act("declassification declassification.used");
    assert_eq!(ask(&session, connect()), "policy.forbid");
    let mut fresh = draft;
    fresh.justification = "the table was scrubbed once more".into();
    assert_eq!(code(declassify(&session, &fresh, &[3, 4])), "");
    assert_eq!(ask(&session, connect()), "allow");
    assert_eq!(site.verify().session(session.id()).unwrap().labels, ["secret"]);
    site.holds();
}

#[test]
fn a_declassification_that_is_wrong_is_refused_with_its_reason() {
    let (site, top, session, good) = touched();
    let second = site.open(&top, "coder/2");
    let check = |expected: &str, seeds: &[u8], change: &dyn Fn(&mut DeclassificationDraft)| {
        let mut draft = good.clone();
        change(&mut draft);
        assert_eq!(code(declassify(&session, &draft, seeds)), expected);
        site.last_act(&format!("declassification {expected}"));
        assert_eq!(ask(&session, connect()), "policy.forbid");
    };
    check("declassification.wrong_session", &[1, 3], &|draft| draft.session = second.id());
    check("declassification.wrong_session", &[1, 3], &|draft| draft.scope.push(draft.scope[0]));
    check("declassification.not_yet_valid", &[1, 3], &|draft| draft.issued_at = site.after(1));
    check("declassification.too_long", &[1, 3], &|draft| draft.expires = site.after(1801));
    check("declassification.quorum", &[1], &|_| ());
    check("declassification.quorum", &[1, 1], &|_| ());
    check("declassification.quorum", &[1, 2], &|_| ());
    check("declassification.quorum", &[1, 5], &|_| ());
    check("declassification.quorum", &[1, 6], &|_| ());
    check("declassification.quorum", &[1, 8], &|_| ());
    check("declassification.quorum", &[1, 99], &|_| ());
    site.revoke(Revoked::Key(*key(3).trusted().as_bytes()));
    check("declassification.revoked", &[1, 3], &|_| ());
    site.authorizer.reload_directory(&directory_without(&[1]));
    check("declassification.quorum", &[1, 4], &|_| ());
    site.authorizer.reload_directory(&directory_without(&[]));
    site.wait(600);
    check("declassification.expired", &[1, 4], &|_| ());
    site.holds();
}

#[test]
fn a_label_that_does_not_bind_is_not_taken_off() {
    let (site, top, session, good) = touched();
    let mut draft = good.clone();
    draft.label = "personal".into();
    assert_eq!(code(declassify(&session, &draft, &[1, 3])), "declassification.label");
    assert_eq!(code(declassify(&session, &good, &[1, 3])), "");
    let mut again = good;
    again.justification = "a second time for the same".into();
    assert_eq!(code(declassify(&session, &again, &[1, 3])), "declassification.label");
    // What was touched below is taken off for the whole tree, by who holds that chain.
    let narrow = below(&top, descriptor("helper", 1));
    let child = site.delegate(&session, &narrow, "helper/1");
    assert_eq!(ask(&child, secret()), "allow");
    assert_eq!(ask(&session, connect()), "policy.forbid");
    let of_child = site.declassification(&child, &[&top, &narrow], "secret");
    assert_eq!(code(declassify(&session, &of_child, &[1, 3])), "declassification.wrong_session");
    assert_eq!(code(declassify(&child, &of_child, &[1, 3])), "");
    assert_eq!(ask(&session, connect()), "allow");
    assert_eq!(ask(&child, connect()), "allow");
    site.holds();
}

#[test]
fn a_declassification_does_not_serve_again_after_a_restart() {
    let (site, top, session, draft) = touched();
    let id = session.id();
    assert_eq!(code(declassify(&session, &draft, &[1, 3])), "");
    assert_eq!(ask(&session, connect()), "allow");
    drop(session);
    site.wait(1);
    let (site, stored) = site.restart();
    let trusted = top.dangerous().trust_unsigned();
    let session = site.authorizer.resume(&stored, id, &trusted, instance("coder/1")).unwrap();
    assert_eq!(ask(&session, connect()), "policy.forbid", "nobody knows that it was taken off");
    assert_eq!(code(declassify(&session, &draft, &[1, 3])), "declassification.used");
    assert_eq!(ask(&session, connect()), "policy.forbid");
    site.wait(1);
    let fresh = site.declassification(&session, &[&top], "secret");
    assert_eq!(code(declassify(&session, &fresh, &[1, 3])), "");
    assert_eq!(ask(&session, connect()), "allow");
    site.holds();
}

// Leases.

fn use_secret(name: &str) -> UseSecret {
    UseSecret::new(name, "ReadData")
}

fn consumer() -> ReadData {
    ReadData::table("crm.orders")
}

fn permit<A: Action>(session: &Session, action: A) -> Permit<A> {
    session.authorize(action).unwrap().permit().unwrap()
}

fn leased() -> (Site, Session, SecretLease) {
    let site = Site::new();
    let session = site.session();
    let secret = permit(&session, use_secret("db/crm"));
    let lease = session.lease(secret, &consumer()).unwrap();
    assert_eq!(lease.secret(), "db/crm");
    site.last_act("lease ok");
    (site, session, lease)
}

#[test]
fn a_lease_is_redeemed_once_for_its_action() {
    let (site, session, lease) = leased();
    let consuming = permit(&session, consumer());
    let other_action = permit(&session, ReadData::table("crm.people"));
    assert_eq!(code(session.redeem(&lease, &other_action)), "lease.wrong_action");
    site.last_act("redeem lease.wrong_action");
    assert_eq!(session.redeem(&lease, &consuming).unwrap().id(), lease.id());
    site.last_act("redeem ok");
    assert_eq!(code(session.redeem(&lease, &consuming)), "lease.used");
    drop((consuming, other_action));
    site.holds();
}

#[test]
fn a_lease_is_useless_elsewhere() {
    let (site, session, lease) = leased();
    let top = scope("coder", 2);
    let second = site.open(&top, "coder/2");
    let child = site.delegate(&session, &below(&top, descriptor("helper", 1)), "helper/1");
    let elsewhere = [permit(&second, consumer()), permit(&child, consumer())];
    for (there, permit) in [&second, &child].into_iter().zip(&elsewhere) {
        assert_eq!(code(there.redeem(&lease, permit)), "lease.wrong_session");
        site.last_act("redeem lease.wrong_session");
        assert_eq!(code(session.redeem(&lease, permit)), "lease.wrong_session");
    }
    let own = permit(&session, consumer());
    assert_eq!(code(second.redeem(&lease, &own)), "lease.wrong_session");
    assert!(session.redeem(&lease, &own).is_ok());
    let of_other = permit(&second, use_secret("db/crm"));
    let misuse = session.lease(of_other, &consumer()).unwrap_err();
    assert!(matches!(misuse, ActError::Record(AuthorizeError::Misuse(_))));
    let no_secret = session.lease(permit(&session, connect()), &consumer()).unwrap_err();
    assert!(matches!(no_secret, ActError::Record(AuthorizeError::Misuse(_))));
    drop((own, elsewhere));
    site.holds();
}

#[test]
fn a_lease_ends_with_its_permit() {
    let (site, session, lease) = leased();
    assert_eq!(lease.until(), site.after(30));
    site.wait(30);
    let late = permit(&session, consumer());
    assert_eq!(code(session.redeem(&lease, &late)), "lease.expired");
    let expired = permit(&session, use_secret("db/crm"));
    site.wait(30);
    assert!(matches!(session.lease(expired, &consumer()), Err(ActError::Start(_))));
    drop(late);
    site.holds();
}

/// A permit that has run out allows nothing, so that nothing is fetched for it.
#[test]
fn a_permit_that_has_run_out_redeems_nothing() {
    let site = Site::new();
    let session = site.session();
    let early = permit(&session, consumer());
    site.wait(20);
    let secret = permit(&session, use_secret("db/crm"));
    let lease = session.lease(secret, &consumer()).unwrap();
    site.wait(10);
    assert_eq!(early.until(), site.now());
    assert_eq!(code(session.redeem(&lease, &early)), "lease.expired");
    let fresh = permit(&session, consumer());
    assert!(session.redeem(&lease, &fresh).is_ok());
    drop((early, fresh));
    site.holds();
}

/// What voids a permit keeps it from redeeming.
#[test]
fn a_permit_that_is_void_redeems_nothing() {
    let (site, session, lease) = leased();
    let own = permit(&session, consumer());
    site.reload(&other());
    assert_eq!(code(session.redeem(&lease, &own)), "lease.expired");
    drop(own);
    let (site_2, session, lease) = leased();
    let own = permit(&session, consumer());
    assert_eq!(ask(&session, secret()), "allow");
    assert_eq!(code(session.redeem(&lease, &own)), "lease.expired");
    drop(own);
    let own = permit(&session, consumer());
    site_2.revoke(Revoked::Session(session.id()));
    assert_eq!(code(session.redeem(&lease, &own)), "revoked.session");
    drop(own);
    site.holds();
    site_2.holds();
}

// Observing.

#[test]
fn only_what_the_host_names_is_observed() {
    let site = Site::new();
    let session = site.session();
    let lines = site.sink.len();
    let misuse = session.observe(connect(), &Call::default()).unwrap_err();
    assert!(matches!(misuse, AuthorizeError::Misuse(_)));
    assert_eq!(site.sink.len(), lines, "nothing is recorded");
    site.holds();
}

#[test]
fn what_is_observed_binds_nobody_and_says_so() {
    let site = Site::new();
    let session = site.session();
    let seen = |action: ReadData| session.observe(action, &Call::default()).unwrap();
    let allowed = seen(ReadData::new("a"));
    assert_eq!(allowed.severity(), Severity::Allow);
    let line = site.last_line();
    assert!(line.contains("mode.observed") && !line.contains("permit_until"), "{line}");
    let unused = site.sink.lines().iter().filter(|it| it.as_str().contains("\"unused\"")).count();
    assert_eq!(unused, 1);
    let denied = seen(ReadData::table("pay.roster"));
    assert_eq!(denied.severity(), Severity::Deny);
    assert!(site.last_line().contains("mode.observed"));
    let delete = DeleteData::table("crm.orders");
    let deferred = session.observe(delete, &Call::default()).unwrap();
    assert_eq!(deferred.severity(), Severity::Defer);
    // Nothing was charged and no denial counted.
    assert!(site.last_line().contains(r#""actions":0,"denials":0"#));
    assert_eq!(ask(&session, ReadData::new("a")), "allow");
    assert!(site.last_line().contains(r#""actions":1"#));
    let report = site.verify();
    let report = report.session(session.id()).unwrap();
    assert_eq!(report.calls, 4);
    let _action: ReadData = allowed.into_action();
    session.close().unwrap();
    site.holds();
}

#[test]
fn what_is_observed_labels_the_session() {
    let site = Site::new();
    let session = site.session();
    let out = permit(&session, connect());
    // Allowed or not: it runs.
    let seen = session.observe(secret(), &Call::default()).unwrap();
    assert_eq!(seen.severity(), Severity::Allow);
    assert!(out.start().is_err(), "the permit was for a session without the label");
    assert_eq!(ask(&session, connect()), "policy.forbid");
    site.holds();

    let site = Site::new();
    let session = site.session();
    let outside = ReadData::table("pay.roster").classes(["secret"]);
    let seen = session.observe(outside, &Call::default()).unwrap();
    assert_eq!(seen.severity(), Severity::Deny);
    assert_eq!(ask(&session, connect()), "policy.forbid");
    site.holds();
}

#[test]
fn what_is_observed_and_cannot_be_named_ends_all_that_is_enforced() {
    let site = Site::new();
    let session = site.session();
    let classes = |from: u32| (from..from + 40).map(|n| format!("c{n}")).collect::<Vec<_>>();
    let read = |from: u32| ReadData::table("crm.orders").classes(classes(from));
    let permit = permit(&session, read(0));
    // Enforced, what has no room is refused, and does no harm to the rest.
    assert_eq!(ask(&session, read(40)), "session.labels_full");
    assert_eq!(ask(&session, ReadData::new("a")), "allow");
    let seen = session.observe(read(40), &Call::default()).unwrap();
    assert_eq!(seen.reasons()[0].code(), "session.labels_full");
    assert!(permit.start().is_err(), "the permit was for a session with fewer labels");
    assert_eq!(ask(&session, ReadData::new("a")), "session.labels_full");
    let seen = session.observe(ReadData::new("a"), &Call::default()).unwrap();
    assert_eq!(seen.reasons()[0].code(), "session.labels_full");
    assert!(session.add_label("another").is_err());
    site.holds();
    let session = site.session();
    for n in 0..63 {
        session.add_label(&format!("c{n}")).unwrap();
    }
    assert_eq!(ask(&session, ReadData::new("a")), "allow");
    assert!(session.add_label("last").is_err());
    assert_eq!(ask(&session, ReadData::new("a")), "session.labels_full");
    site.holds();
}

#[test]
fn what_is_observed_uses_no_grant_up_and_is_no_denial_to_tell() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let mut draft = site.standing(&session, &[&top]);
    draft.quorum = "security".into();
    draft.uses = 1;
    draft.grants = countersign::governance::Fragment::default();
    draft.grants.touch.delete.push("table:crm.*".into());
    assert_eq!(code(grant(&session, &draft, 1)), "");
    assert_eq!(code(grant(&session, &draft, 3)), "");
    let delete = || DeleteData::table("crm.orders");
    for _ in 0..2 {
        let seen = session.observe(delete(), &Call::default()).unwrap();
        assert_eq!(seen.severity(), Severity::Allow);
    }
    let denied = session.observe(ReadData::table("pay.roster"), &Call::default()).unwrap();
    assert_eq!(denied.severity(), Severity::Deny);
    assert_eq!(site.told(), [], "it was not denied");
    assert_eq!(ask(&session, delete()), "allow");
    assert_eq!(ask(&session, delete()), "defer security");
    assert_eq!(ask(&session, ReadData::table("pay.roster")), "scope.read");
    assert_eq!(site.told(), [FindingKind::FirstDenial], "the first that was");
    site.holds();
}

#[test]
fn what_is_observed_is_decided_with_all_that_holds() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    assert_eq!(code(elevate(&session, &site.elevation(&top), 3)), "");
    let roster = || ReadData::table("hr.roster");
    let seen = session.observe(roster(), &Call::default()).unwrap();
    assert_eq!(seen.severity(), Severity::Allow);
    site.revoke(Revoked::Instance(agent_id(&instance("coder/1"))));
    let seen = session.observe(roster(), &Call::default()).unwrap();
    assert_eq!(seen.reasons()[0].code(), "revoked.instance");
    site.holds();
}

fn agent_id(agent: &VerifiedIdentity) -> countersign::identity::SpiffeId {
    agent.id().clone()
}
