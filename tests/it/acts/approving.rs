//! Approvals: of one action, in one session, under everything as it is, once.

use countersign::action::{DeleteData, Domain, ReadData, WriteData};
use countersign::authorizer::{FindingKind, Halt};
use countersign::governance::approval::{Ballot, Vote};
use countersign::governance::{
    Approval, ApprovalRequest, DocumentKind, MAX_SIGNED_BYTES, Revoked, Signed,
};
use countersign::session::{Act, ActError, Acted};
use countersign::time::Timestamp;
use countersign::{AuthorizeError, Decision, Reason, Session};

use crate::support::people::key;
use crate::support::site::{
    Both, Site, approve, ask, asking, below, code, descriptor, directory_without, mail, other,
    request, scope,
};

fn write() -> WriteData {
    WriteData::table("crm.orders")
}

fn delete() -> DeleteData {
    DeleteData::table("crm.orders")
}

/// An open request to write, and an approval of it that is good.
fn asked(site: &Site) -> (Session, ApprovalRequest, Approval) {
    let session = site.session();
    let request = request(site, &session, write());
    let approval = site.sign(&request, Domain::Data, "sre", 3);
    (session, request, approval)
}

#[test]
fn an_approval_serves_its_action_once() {
    let site = Site::new();
    let (session, request, approval) = asked(&site);
    assert_eq!(ask(&session, write()), "defer sre", "nobody has answered");
    assert_eq!(code(approve(&session, &approval)), "");
    site.last_act("approval ok");
    assert_eq!(ask(&session, WriteData::table("crm.people")), "defer sre", "another table");
    assert_eq!(ask(&session, write().recursive()), "defer sre", "more of it");
    assert_eq!(ask(&session, write().classes(["public"])), "defer sre", "said in another way");
    assert_eq!(ask(&session, mail()), "defer sre", "another domain");
    assert_eq!(ask(&session, write()), "allow");
    assert!(site.last_line().contains(&approval.id().to_string()), "the receipt names it");
    assert_eq!(ask(&session, write()), "defer sre", "it is used");
    assert_eq!(code(approve(&session, &approval)), "approval.used");
    site.last_act("approval approval.used");
    // Asking anew is another request, which the old answer does not fit.
    let again = crate::support::site::request(&site, &session, write());
    assert_ne!(again.id(), request.id());
    assert_eq!(code(approve(&session, &approval)), "approval.used");
    assert_eq!(ask(&session, write()), "defer sre");
    assert_eq!(site.told(), []);
    site.holds();
}

#[test]
fn a_request_that_waits_is_not_asked_twice() {
    let site = Site::new();
    let session = site.session();
    let first = request(&site, &session, write());
    let second = request(&site, &session, write());
    assert_eq!(first, second);
    assert_eq!(site.acts(), ["request ok", "request ok"]);
    site.holds();
}

#[test]
fn a_deferral_of_another_session_asks_nobody() {
    let site = Site::new();
    let (one, two) = (site.session(), site.open(&scope("coder", 2), "coder/2"));
    let Decision::Defer(deferral) = one.authorize(write()).unwrap() else { panic!() };
    let expires = site.after(60);
    let refused = two.request_approval(&deferral, expires);
    assert_eq!(code(refused), "approval.wrong_session");
    site.last_act("request approval.wrong_session");
    assert_eq!(code(one.request_approval(&deferral, site.now())), "approval.unaskable");
    one.request_approval(&deferral, expires).unwrap();
    site.holds();
}

#[test]
fn a_request_ends_with_the_task() {
    let site = Site::new();
    let session = site.session();
    let Decision::Defer(deferral) = session.authorize(write()).unwrap() else { panic!() };
    let request = session.request_approval(&deferral, site.after(86_400)).unwrap();
    assert_eq!(request.expires(), Timestamp::parse_rfc3339("2026-11-21T11:00:00Z").unwrap());
    site.holds();
}

/// Each ballot that is not what it must be, with its code.
#[test]
fn a_wrong_answer_is_refused_with_its_reason_on_the_chain() {
    let site = Site::new();
    let (session, request, _) = asked(&site);
    let (now, later) = (site.now(), site.after(300));
    let good = || site.ballot(Domain::Data, "sre", 3);
    let wrong: &[(Ballot<'static>, u8, &str)] = &[
        (Ballot { approver: "user:ann", ..good() }, 3, "approval.wrong_person"),
        (Ballot { approver: "user:nobody", ..good() }, 3, "approval.wrong_person"),
        (good(), 99, "approval.unknown_key"),
        (site.ballot(Domain::Data, "sre", 4), 4, "approval.owner"),
        (site.ballot(Domain::Data, "sre", 5), 5, "approval.requester"),
        (site.ballot(Domain::Data, "sre", 6), 6, "approval.agent"),
        (site.ballot(Domain::Data, "sre", 7), 7, "approval.not_eligible"),
        (site.ballot(Domain::Data, "sre", 8), 8, "approval.not_eligible"),
        (Ballot { at: site.after(1), ..good() }, 3, "approval.not_yet_valid"),
        (Ballot { expires: site.after(3601), ..good() }, 3, "approval.too_long"),
    ];
    for (ballot, seed, expected) in wrong {
        let approval = Approval::sign(&request, *ballot, &key(*seed)).unwrap();
        assert_eq!(code(approve(&session, &approval)), *expected);
        site.last_act(&format!("approval {expected}"));
        assert_eq!(ask(&session, write()), "defer sre");
    }
    site.wait(1);
    let early = Ballot { at: Timestamp::from_millis(now.as_millis() - 1), ..good() };
    let early = Approval::sign(&request, Ballot { expires: later, ..early }, &key(3)).unwrap();
    assert_eq!(code(approve(&session, &early)), "approval.before_request");
    let over = Ballot { at: now, expires: site.now(), ..good() };
    let over = Approval::sign(&request, over, &key(3)).unwrap();
    assert_eq!(code(approve(&session, &over)), "approval.expired");
    assert_eq!(site.told(), []);
    site.holds();
}

/// What the body of an approval says, forged member by member and signed well.
#[test]
fn an_approval_that_was_transplanted_is_refused() {
    let site = Site::new();
    let (session, _, approval) = asked(&site);
    let other = request(&site, &session, WriteData::table("crm.people"));
    let far = site.open(&scope("coder", 2), "coder/2");
    for (member, value, expected) in [
        ("session", far.id().to_string(), "approval.wrong_session"),
        ("request", "00".repeat(32), "approval.unknown_request"),
        ("request", other.id().to_string(), "approval.wrong_action"),
        ("action", other.action().to_string(), "approval.wrong_action"),
        ("domain", "workload".into(), "approval.wrong_domain"),
        ("quorum", "security".into(), "approval.wrong_quorum"),
        ("quorum", "nobody".into(), "approval.wrong_quorum"),
        ("bundle", "00".repeat(32), "approval.bundle_changed"),
        ("approver", "user:ann".into(), "approval.wrong_person"),
        ("decision", "maybe".into(), "approval.malformed"),
        ("approved_at", "2026-11-21 09:00".into(), "approval.malformed"),
        ("extra", "1".into(), "approval.malformed"),
    ] {
        let mut body = approval.body().as_object().unwrap().clone();
        body.insert(member.into(), countersign::value::Value::String(value));
        let body = countersign::value::Value::Object(body);
        let forged = Signed::sign(DocumentKind::Approval, body, &key(3)).unwrap();
        let refused = session.act(Act::Approve(forged.as_str().as_bytes()));
        assert_eq!(code(refused), expected, "{member}");
        site.last_act(&format!("approval {expected}"));
    }
    let mut body = approval.body().as_object().unwrap().clone();
    let digest = countersign::value::Value::String("00".repeat(32));
    body.insert("scope".into(), countersign::value::Value::Array(vec![digest]));
    let body = countersign::value::Value::Object(body);
    let forged = Signed::sign(DocumentKind::Approval, body, &key(3)).unwrap();
    let refused = session.act(Act::Approve(forged.as_str().as_bytes()));
    assert_eq!(code(refused), "approval.scope_changed");
    // To the other session the good one says nothing either.
    assert_eq!(code(approve(&far, &approval)), "approval.wrong_session");
    assert_eq!(ask(&session, write()), "defer sre");
    assert_eq!(ask(&far, write()), "defer sre");
    site.holds();
}

#[test]
fn what_is_no_document_is_refused_on_the_chain() {
    let site = Site::new();
    let (session, _, approval) = asked(&site);
    let text = approval.signed().as_str();
    let long = " ".repeat(MAX_SIGNED_BYTES + 1);
    let mut texts: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"null".to_vec(),
        b"{}".to_vec(),
        b"\xff\xfe".to_vec(),
        long.into_bytes(),
        format!(" {text}").into_bytes(),
        format!("{text}\n").into_bytes(),
        text.replace("approve\"", "reject\"").into_bytes(),
        "[".repeat(200_000).into_bytes(),
    ];
    texts.extend((0..text.len()).step_by(37).map(|end| text.as_bytes()[..end].to_vec()));
    for text in &texts {
        assert_eq!(code(session.act(Act::Approve(text))), "approval.malformed");
        assert_eq!(code(session.act(Act::Grant(text))), "approval.malformed");
        assert_eq!(code(session.act(Act::Elevate(text))), "elevation.malformed");
        assert_eq!(code(session.act(Act::Declassify(&[text]))), "declassification.malformed");
    }
    // A good document of another kind.
    let text = text.as_bytes();
    assert_eq!(code(session.act(Act::Grant(text))), "approval.malformed");
    assert_eq!(code(session.act(Act::Elevate(text))), "elevation.malformed");
    assert_eq!(code(session.act(Act::Declassify(&[]))), "declassification.malformed");
    assert_eq!(code(session.act(Act::Declassify(&[text; 17]))), "declassification.malformed");
    assert_eq!(site.acts().len(), 4 * texts.len() + 5);
    // None of it is in the way of the good one.
    assert_eq!(code(approve(&session, &approval)), "");
    assert_eq!(ask(&session, write()), "allow");
    site.holds();
}

#[test]
fn two_keys_of_one_person_count_once() {
    let site = Site::new();
    let session = site.session();
    let request = request(&site, &session, delete());
    let vote = |seed| approve(&session, &site.sign(&request, Domain::Data, "security", seed));
    assert_eq!(code(vote(1)), "");
    assert_eq!(code(vote(2)), "approval.duplicate", "the other key of the same person");
    assert_eq!(ask(&session, delete()), "defer security");
    assert_eq!(code(vote(5)), "approval.requester");
    assert_eq!(code(vote(6)), "approval.agent");
    assert!(matches!(vote(4), Ok(Acted::Answered(it)) if it.complete), "owners count here");
    assert_eq!(ask(&session, delete()), "allow");
    site.holds();
}

#[test]
fn every_domain_is_approved_by_itself() {
    let site = Site::new();
    let session = site.session();
    let both = || Both("crm.orders");
    let request = request(&site, &session, both());
    assert_eq!(request.needs().len(), 2);
    let vote = |domain, seed| approve(&session, &site.sign(&request, domain, "sre", seed));
    assert!(matches!(vote(Domain::Data, 1), Ok(Acted::Answered(it)) if !it.complete));
    assert_eq!(ask(&session, both()), "defer sre", "the message has nobody's word");
    assert_eq!(code(vote(Domain::Data, 1)), "approval.duplicate");
    assert!(matches!(vote(Domain::Application, 1), Ok(Acted::Answered(it)) if it.complete));
    assert_eq!(ask(&session, write()), "defer sre", "a part of it is another action");
    assert_eq!(ask(&session, mail()), "defer sre");
    assert_eq!(ask(&session, both()), "allow");
    assert_eq!(ask(&session, both()), "defer sre sre");
    site.holds();
}

#[test]
fn a_rejection_ends_the_request() {
    let site = Site::new();
    let (session, request, approval) = asked(&site);
    assert_eq!(code(approve(&session, &approval)), "");
    let rejection = site.reject(&request, Domain::Data, 1);
    assert!(
        matches!(approve(&session, &rejection), Ok(Acted::Answered(it)) if it.vote == Vote::Reject)
    );
    assert_eq!(ask(&session, write()), "defer sre", "who said yes before is overruled");
    assert_eq!(code(approve(&session, &approval)), "approval.rejected");
    let Decision::Defer(deferral) = session.authorize(write()).unwrap() else { panic!() };
    let again = session.request_approval(&deferral, site.after(60));
    assert_eq!(code(again), "approval.rejected");
    site.wait(600);
    let Decision::Defer(deferral) = session.authorize(write()).unwrap() else { panic!() };
    session.request_approval(&deferral, site.after(60)).unwrap();
    site.holds();
}

// Between the approval and its use, something changes: it does not serve, and the host is told.

fn stale(change: impl Fn(&Site, &Session, &Approval), answer: &str, told: &[FindingKind]) -> Site {
    let site = Site::new();
    let (session, _, approval) = asked(&site);
    assert_eq!(code(approve(&session, &approval)), "");
    change(&site, &session, &approval);
    assert_eq!(ask(&session, write()), answer);
    assert_eq!(site.told(), told);
    site.holds();
    site
}

const STALE: &[FindingKind] = &[FindingKind::ExpiredApproval];

#[test]
fn an_approval_that_has_expired_is_not_presented() {
    stale(|site, _, _| site.wait(299), "allow", &[]);
    stale(|site, _, _| site.wait(300), "defer sre", STALE);
    // Its request ends too, and takes it along.
    stale(|site, _, _| site.wait(600), "defer sre", STALE);
}

#[test]
fn an_approval_under_another_bundle_is_not_presented() {
    stale(|site, _, _| site.reload(&other()), "defer sre", STALE);
    // With the bundle that was approved under, it holds again.
    let back = |site: &Site, _: &Session, _: &Approval| {
        site.reload(&other());
        site.reload(&asking());
    };
    stale(back, "allow", &[]);
}

#[test]
fn an_approval_of_a_key_that_is_gone_is_not_presented() {
    let gone = |site: &Site, _: &Session, _: &Approval| {
        site.authorizer.reload_directory(&directory_without(&[3]));
    };
    stale(gone, "defer sre", STALE);
    let nobody = |site: &Site, _: &Session, _: &Approval| {
        site.authorizer.reload_directory(&countersign::governance::Directory::empty());
    };
    stale(nobody, "defer sre", STALE);
}

#[test]
fn an_approval_that_was_revoked_is_not_presented() {
    let one = |site: &Site, _: &Session, approval: &Approval| {
        site.revoke(Revoked::Approval(approval.id()));
    };
    stale(one, "defer sre", STALE);
    let of_key = |site: &Site, _: &Session, _: &Approval| {
        site.revoke(Revoked::Key(*key(3).trusted().as_bytes()));
    };
    stale(of_key, "defer sre", STALE);
    let of_person = |site: &Site, _: &Session, _: &Approval| {
        site.revoke(Revoked::Issuer("user:ben".into()));
    };
    stale(of_person, "defer sre", STALE);
    let other = |site: &Site, _: &Session, _: &Approval| {
        site.revoke(Revoked::Key(*key(1).trusted().as_bytes()));
    };
    stale(other, "allow", &[]);
}

#[test]
fn nothing_is_allowed_while_nobody_knows_the_time() {
    let denied = &[FindingKind::FirstDenial];
    stale(|site, _, _| site.clock.set_broken(true), "session.clock", denied);
    let back = |site: &Site, _: &Session, _: &Approval| {
        site.clock.set(Timestamp::from_millis(site.now().as_millis() - 1));
    };
    let site = stale(back, "session.clock_backwards", denied);
    site.clock.advance(1);
}

#[test]
fn acts_are_refused_while_nobody_knows_the_time() {
    let site = Site::new();
    let (session, _, approval) = asked(&site);
    site.wait(10);
    assert_eq!(ask(&session, ReadData::new("a")), "allow");
    site.clock.set(site.after(0));
    site.clock.set(Timestamp::from_millis(site.now().as_millis() - 1));
    assert_eq!(code(approve(&session, &approval)), "session.clock_backwards");
    site.last_act("approval session.clock_backwards");
    site.clock.set_broken(true);
    assert_eq!(code(approve(&session, &approval)), "session.clock");
    site.clock.set_broken(false);
    site.clock.advance(1);
    assert_eq!(code(approve(&session, &approval)), "");
    assert_eq!(ask(&session, write()), "allow");
    site.holds();
}

#[test]
fn acts_are_refused_once_the_session_is_stopped() {
    let site = Site::new();
    let (session, _, approval) = asked(&site);
    let halt = Halt::Session(session.id());
    assert_eq!(site.authorizer.halt(&halt, "looks odd").unwrap(), 1);
    site.last_act("halt ok");
    assert_eq!(code(approve(&session, &approval)), "session.halted");
    site.last_act("approval session.halted");
    assert_eq!(ask(&session, write()), "session.halted");
    site.holds();

    let site = Site::new();
    let (session, _, approval) = asked(&site);
    site.revoke(Revoked::Session(session.id()));
    assert_eq!(code(approve(&session, &approval)), "revoked.session");
    site.holds();

    let site = Site::new();
    let (session, _, approval) = asked(&site);
    session.close().unwrap();
    let closed = approve(&session, &approval).unwrap_err();
    assert!(matches!(closed, ActError::Record(AuthorizeError::Closed)));
    assert_eq!(closed.reason(), None);
    site.holds();
}

#[test]
fn an_approval_of_one_session_does_not_serve_its_delegate() {
    let site = Site::new();
    let parent_scope = scope("coder", 2);
    let child_scope = below(&parent_scope, descriptor("helper", 1));
    let parent = site.open(&parent_scope, "coder/1");
    let child = site.delegate(&parent, &child_scope, "helper/1");
    let asked_above = request(&site, &parent, write());
    let approval = site.sign(&asked_above, Domain::Data, "sre", 3);
    assert_eq!(code(approve(&child, &approval)), "approval.wrong_session");
    assert_eq!(code(approve(&parent, &approval)), "");
    assert_eq!(ask(&child, write()), "defer sre");
    let Decision::Defer(deferral) = child.authorize(write()).unwrap() else { panic!() };
    assert_eq!(code(parent.request_approval(&deferral, site.after(60))), "approval.wrong_session");
    let asked_below = request(&site, &child, write());
    assert_eq!(asked_below.scope(), [parent_scope.digest(), child_scope.digest()]);
    let below = site.sign(&asked_below, Domain::Data, "sre", 1);
    assert_eq!(code(approve(&parent, &below)), "approval.wrong_session");
    assert_eq!(code(approve(&child, &below)), "");
    assert_eq!(ask(&child, write()), "allow");
    assert_eq!(ask(&parent, write()), "allow");
    assert_eq!(ask(&parent, write()), "defer sre");
    site.holds();
}

#[test]
fn what_is_denied_does_not_use_an_approval_up() {
    let site = Site::new();
    let (session, _, approval) = asked(&site);
    assert_eq!(code(approve(&session, &approval)), "");
    site.clock.set_broken(true);
    assert_eq!(ask(&session, write()), "session.clock");
    site.clock.set_broken(false);
    assert_eq!(ask(&session, write()), "allow");
    site.holds();
}

#[test]
fn a_flood_of_requests_is_refused_and_people_are_asked_few() {
    let site = Site::new();
    let session = site.session();
    for number in 0..40 {
        let action = WriteData::table(format!("crm.t{number}"));
        let Decision::Defer(deferral) = session.authorize(action).unwrap() else { panic!() };
        let asked = session.request_approval(&deferral, site.after(60));
        assert_eq!(code(asked), if number < 16 { "" } else { "approval.too_many_pending" });
    }
    site.holds();
}

/// A permit that rests on what people said is void once that is taken back, or has ended.
#[test]
fn a_permit_does_not_start_on_what_was_taken_back() {
    let void = |change: &dyn Fn(&Site, &Approval)| {
        let site = Site::new();
        let (session, _, approval) = asked(&site);
        assert_eq!(code(approve(&session, &approval)), "");
        let permit = session.authorize(write()).unwrap().permit().unwrap();
        change(&site, &approval);
        assert!(permit.start().is_err());
        session.close().unwrap();
        site.holds();
    };
    void(&|site, approval| site.revoke(Revoked::Approval(approval.id())));
    void(&|site, _| site.revoke(Revoked::Key(*key(3).trusted().as_bytes())));
    void(&|site, _| site.revoke(Revoked::Issuer("user:ben".into())));
    void(&|site, _| site.authorizer.reload_directory(&directory_without(&[3])));
    void(&|site, _| site.wait(30));
}

/// It ends with the approval that it rests on, where that comes first.
#[test]
fn a_permit_ends_with_the_approval() {
    let site = Site::new();
    let session = site.session();
    let request = request(&site, &session, write());
    let ballot = Ballot { expires: site.after(10), ..site.ballot(Domain::Data, "sre", 3) };
    assert_eq!(code(approve(&session, &Approval::sign(&request, ballot, &key(3)).unwrap())), "");
    let permit = session.authorize(write()).unwrap().permit().unwrap();
    assert_eq!(permit.until(), site.after(10));
    site.wait(10);
    assert!(permit.start().is_err());
    assert_eq!(ask(&session, write()), "defer sre");
    let Err(error) = session.act(Act::Approve(b"x")) else { panic!() };
    assert_eq!(error.reason(), Some(Reason::ApprovalMalformed));
    site.holds();
}
