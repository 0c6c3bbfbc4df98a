//! Approvals: each thing that can be wrong with one has its code, and one that was used is gone.

use std::time::Duration;

use countersign::Reason;
use countersign::action::Domain::{Application, Data};
use countersign::governance::approval::{Ballot, Opened, Vote};
use countersign::governance::{Approval, ApprovalRequest, DocumentKind, Pending, Signed};
use countersign::value::Value;

use crate::support::people::{World, digest, directory_without, key, session};

fn opened(world: &World) -> (Pending, ApprovalRequest) {
    let request = world.request(1, 10, &[(Data, "sre"), (Data, "security")]);
    let mut pending = Pending::new(session(1));
    assert_eq!(pending.open(request.clone(), world.now), Ok(Opened::New(request.id())));
    (pending, request)
}

/// Signs the body of a good approval with one member changed.
fn forged(approval: &Approval, member: &str, value: impl Into<Value>, seed: u8) -> Approval {
    let Value::Object(mut body) = approval.body().clone() else { panic!() };
    body.insert(member.into(), value.into());
    let signed = Signed::sign(DocumentKind::Approval, Value::Object(body), &key(seed)).unwrap();
    Approval::parse(signed.as_str().as_bytes()).unwrap()
}

#[track_caller]
fn check(world: &World, pending: &mut Pending, approval: &Approval, code: &str) {
    let found = world.with(|moment| pending.submit(approval, moment));
    assert_eq!(found.err().map_or("", |refusal| refusal.code()), code);
}

fn met(world: &World, pending: &Pending) -> Vec<String> {
    let presented = world.with(|moment| pending.granted(digest(10), Data, moment));
    presented.met.iter().map(|met| met.quorum.to_string()).collect()
}

#[test]
fn a_quorum_is_met_by_enough_people_and_used_once() {
    let world = World::new();
    let (mut pending, request) = opened(&world);
    assert!(met(&world, &pending).is_empty());
    check(&world, &mut pending, &world.approve(&request, Data, "sre", 1), "");
    assert_eq!(met(&world, &pending), ["sre"]);
    let first = world.approve(&request, Data, "security", 1);
    check(&world, &mut pending, &first, "");
    assert_eq!(met(&world, &pending), ["sre"]);
    let last = world.approve(&request, Data, "security", 4);
    let accepted = world.with(|moment| pending.submit(&last, moment)).unwrap();
    assert!(accepted.complete);
    assert_eq!(
        met(&world, &pending),
        ["sre", "security"].map(String::from).into_iter().rev().collect::<Vec<_>>()
    );
    let elsewhere = world.with(|moment| pending.granted(digest(10), Application, moment));
    assert!(elsewhere.met.is_empty() && elsewhere.withheld.is_empty());
    assert_eq!(pending.consume(digest(10)), Some(request.id()));
    assert!(met(&world, &pending).is_empty());
    check(&world, &mut pending, &first, "approval.used");
    assert_eq!(pending.consume(digest(10)), None);
    // Not even the same question can be asked again under its id.
    let again = pending.open(request, world.now).map_err(|refusal| refusal.code());
    assert_eq!(again, Err("approval.used"));
}

#[test]
fn each_thing_that_is_wrong_has_its_code() {
    let mut world = World::new();
    let (mut pending, request) = opened(&world);
    let good = world.approve(&request, Data, "sre", 1);
    let shown = |digest: countersign::digest::Digest| digest.to_string();
    let time =
        |world: &World, seconds: u64| world.now.plus(Duration::from_secs(seconds)).to_string();
    let cases: Vec<(Approval, &str)> = vec![
        (forged(&good, "session", session(2).to_string(), 1), "approval.wrong_session"),
        (forged(&good, "request", shown(digest(9)), 1), "approval.unknown_request"),
        (forged(&good, "action", shown(digest(9)), 1), "approval.wrong_action"),
        (forged(&good, "domain", "workload", 1), "approval.wrong_domain"),
        (forged(&good, "quorum", "finance", 1), "approval.wrong_quorum"),
        (forged(&good, "scope", vec![shown(digest(9)).into()], 1), "approval.scope_changed"),
        (forged(&good, "bundle", shown(digest(9)), 1), "approval.bundle_changed"),
        (forged(&good, "approved_at", time(&world, 1), 1), "approval.not_yet_valid"),
        (forged(&good, "expires", time(&world, 0), 1), "approval.expired"),
        (forged(&good, "expires", time(&world, 3601), 1), "approval.too_long"),
        (forged(&good, "approver", "user:x", 99), "approval.unknown_key"),
        (forged(&good, "approver", "user:ben", 1), "approval.wrong_person"),
        (
            forged(&good, "approver", "spiffe://example.org/agent/coder/1", 1),
            "approval.wrong_person",
        ),
        (world.approve(&request, Data, "sre", 8), "approval.not_eligible"),
        (world.approve(&request, Data, "sre", 7), "approval.not_eligible"),
        (world.approve(&request, Data, "sre", 5), "approval.requester"),
        (world.approve(&request, Data, "sre", 4), "approval.owner"),
        (world.approve(&request, Data, "sre", 6), "approval.agent"),
        (good.clone(), ""),
        (good.clone(), "approval.duplicate"),
        (world.approve(&request, Data, "sre", 2), "approval.duplicate"),
    ];
    for (approval, code) in &cases {
        check(&world, &mut pending, approval, code);
    }
    let mut fresh = opened(&world).0;
    world.revoked.insert(good.id());
    check(&world, &mut fresh, &good, "approval.revoked");
    world.revoked.clear();
    world.advance(10);
    let early = forged(&good, "approved_at", world.now.to_string(), 1);
    let later = world.request(2, 11, &[(Data, "sre")]);
    fresh.open(later.clone(), world.now).unwrap();
    let early = forged(&early, "request", later.id().to_string(), 1);
    let early = forged(&early, "action", digest(11).to_string(), 1);
    let before = world.now.as_millis() - 1;
    let before = countersign::time::Timestamp::from_millis(before).to_string();
    check(&world, &mut fresh, &forged(&early, "approved_at", before, 1), "approval.before_request");
    check(&world, &mut fresh, &early, "");
    world.advance(590);
    check(&world, &mut fresh, &good, "approval.expired");
    fresh.sweep(world.now);
    check(&world, &mut fresh, &good, "approval.unknown_request");
}

#[test]
fn an_approval_is_held_against_everything_as_it_is_when_it_is_used() {
    let start = World::new();
    let (mut pending, request) = opened(&start);
    let good = start.approve(&request, Data, "sre", 1);
    check(&start, &mut pending, &good, "");
    assert_eq!(met(&start, &pending), ["sre"]);
    let withheld = |change: fn(&mut World), code: &str| {
        let mut world = start.clone();
        change(&mut world);
        let presented = world.with(|moment| pending.granted(digest(10), Data, moment));
        assert!(presented.met.is_empty());
        let found: Vec<&str> = presented.withheld.iter().map(|it| it.why.code()).collect();
        assert_eq!(found, [code]);
        assert_eq!(presented.withheld[0].id, good.id());
    };
    withheld(|world| world.advance(300), "approval.expired");
    withheld(|world| world.advance(600), "approval.expired");
    withheld(
        |world| world.now = countersign::time::Timestamp::from_millis(1),
        "approval.not_yet_valid",
    );
    withheld(|world| world.bundle = digest(31), "approval.bundle_changed");
    withheld(|world| world.scope.push(digest(21)), "approval.scope_changed");
    withheld(|world| world.directory = directory_without(&[1]), "approval.unknown_key");
    withheld(|world| world.quorums[0].roles = vec!["finance".into()], "approval.not_eligible");
    let mut revoked = start.clone();
    revoked.revoked.insert(good.id());
    assert!(met(&revoked, &pending).is_empty());
    assert_eq!(met(&start, &pending), ["sre"]);
}

#[test]
fn a_rejection_ends_it() {
    let mut world = World::new();
    let (mut pending, request) = opened(&world);
    check(&world, &mut pending, &world.approve(&request, Data, "sre", 1), "");
    let ballot = Ballot {
        domain: Data,
        quorum: "security",
        approver: "user:ben",
        vote: Vote::Reject,
        at: world.now,
        expires: world.now.plus(Duration::from_secs(60)),
    };
    // Who could not approve cannot reject.
    let stranger = Approval::sign(&request, ballot, &key(99)).unwrap();
    check(&world, &mut pending, &stranger, "approval.unknown_key");
    let no = Approval::sign(&request, ballot, &key(3)).unwrap();
    let accepted = world.with(|moment| pending.submit(&no, moment)).unwrap();
    assert!(accepted.vote == Vote::Reject && !accepted.complete);
    assert!(met(&world, &pending).is_empty());
    assert!(pending.requests().next().is_none() && pending.len() == 1);
    check(&world, &mut pending, &world.approve(&request, Data, "sre", 3), "approval.rejected");
    // Asking again does not reach people before the request would have ended.
    let again = world.request(2, 10, &[(Data, "sre")]);
    assert_eq!(pending.open(again.clone(), world.now), Err(Reason::ApprovalRejected.into()));
    assert!(!pending.withdraw(request.id()));
    world.advance(600);
    let again = world.request(3, 10, &[(Data, "sre")]);
    assert_eq!(pending.open(again.clone(), world.now), Ok(Opened::New(again.id())));
}

#[test]
fn people_are_not_flooded() {
    let world = World::new();
    let mut pending = Pending::new(session(1));
    for call in 0..16_u8 {
        let request = world.request(u64::from(call), call, &[(Data, "sre")]);
        assert!(matches!(pending.open(request, world.now), Ok(Opened::New(_))));
    }
    let first = world.request(0, 0, &[(Data, "sre")]);
    let folded = world.request(100, 0, &[(Data, "sre")]);
    assert_eq!(pending.open(folded, world.now), Ok(Opened::Folded(first.id())));
    for call in 101..200 {
        let more = world.request(call, 99, &[(Data, "sre")]);
        assert_eq!(pending.open(more, world.now), Err(Reason::ApprovalTooManyPending.into()));
    }
    assert_eq!(pending.len(), 16);
    assert!(pending.withdraw(first.id()));
    assert!(pending.open(world.request(200, 99, &[(Data, "sre")]), world.now).is_ok());
    let mut none = Pending::new(session(1)).with_most(0);
    let refused = none.open(first.clone(), world.now);
    assert_eq!(refused, Err(Reason::ApprovalTooManyPending.into()));
    let mut other = Pending::new(session(2));
    assert_eq!(other.open(first, world.now), Err(Reason::ApprovalWrongSession.into()));
}

#[test]
fn a_question_that_asks_more_people_replaces_the_one_before() {
    let world = World::new();
    let mut pending = Pending::new(session(1));
    let one = world.request(1, 10, &[(Data, "sre")]);
    pending.open(one.clone(), world.now).unwrap();
    check(&world, &mut pending, &world.approve(&one, Data, "sre", 1), "");
    let two = world.request(2, 10, &[(Data, "security")]);
    let opened = pending.open(two.clone(), world.now).unwrap();
    assert!(opened.id() != one.id() && opened.id() != two.id());
    let both = pending.request(opened.id()).unwrap().clone();
    assert_eq!(both.needs().len(), 2);
    check(&world, &mut pending, &world.approve(&one, Data, "sre", 1), "approval.unknown_request");
    check(&world, &mut pending, &world.approve(&both, Data, "sre", 1), "");
    // What is still asked of it is folded.
    let rest = world.request(3, 10, &[(Data, "security")]);
    assert_eq!(pending.open(rest, world.now), Ok(Opened::Folded(both.id())));
    assert_eq!(met(&world, &pending), ["sre"]);
}

#[test]
fn any_byte_that_changes_makes_it_no_approval() {
    let world = World::new();
    let request = world.request(1, 10, &[(Data, "sre")]);
    let text = world.approve(&request, Data, "sre", 1).signed().as_str().to_owned();
    assert!(Approval::parse(text.as_bytes()).is_ok());
    for place in 0..text.len() {
        for flip in [1_u8, 2, 0x20, 0x80] {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= flip;
            assert!(Approval::parse(&bytes).is_err(), "byte {place}");
        }
        let mut bytes = text.clone().into_bytes();
        bytes.remove(place);
        assert!(Approval::parse(&bytes).is_err(), "without byte {place}");
        assert!(Approval::parse(&text.as_bytes()[..place]).is_err(), "cut at {place}");
    }
    // And what is well signed and says something else is none either.
    let body = Value::parse(
        br#"{"approval":"countersign/approval/v1"}"#,
        &countersign::value::Limits::DOCUMENT,
    );
    let other = Signed::sign(DocumentKind::Approval, body.unwrap(), &key(1)).unwrap();
    let found = Approval::parse(other.as_str().as_bytes()).unwrap_err();
    assert_eq!(found.code(), "approval.malformed");
}
