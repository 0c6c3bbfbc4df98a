//! Asking people in the middle of a call: whatever they do, it is deferred still or what they approved.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use countersign::action::{Connect, Domain, ReadData, WriteData};
use countersign::authorizer::Call;
use countersign::governance::approval::{Ballot, Vote};
use countersign::governance::{Approval, ApprovalRequest, Approver, AsyncApprover, Review};
use countersign::{Action, Session};

use crate::support::block_on;
use crate::support::gate::outcome;
use crate::support::people::key;
use crate::support::site::{Both, Site, ask, asking, mail, other};

type Answer = dyn Fn(&ApprovalRequest) -> Review + Send + Sync;

/// A person who is a function.
struct Person(Box<Answer>);

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person")
    }
}

impl Approver for Person {
    fn review(&self, request: &ApprovalRequest) -> Review {
        (self.0)(request)
    }
}

impl AsyncApprover for Person {
    fn review<'a>(
        &'a self,
        request: &'a ApprovalRequest,
    ) -> std::pin::Pin<Box<dyn Future<Output = Review> + Send + 'a>> {
        Box::pin(async move { (self.0)(request) })
    }
}

fn person(answer: impl Fn(&ApprovalRequest) -> Review + Send + Sync + 'static) -> Person {
    Person(Box::new(answer))
}

fn vote(request: &ApprovalRequest, domain: Domain, seed: u8, vote: Vote) -> Approval {
    let approver = if seed == 3 { "user:ben" } else { "user:ann" };
    let (at, expires) = (request.created(), request.expires());
    let ballot = Ballot { domain, quorum: "sre", approver, vote, at, expires };
    Approval::sign(request, ballot, &key(seed)).unwrap()
}

fn yes(request: &ApprovalRequest) -> Review {
    Review::Decided(vec![vote(request, Domain::Data, 3, Vote::Approve)])
}

fn asked<A: Action + Clone>(session: &Session, action: A, approver: &Person) -> String {
    let within = Duration::from_secs(60);
    let call = Call::default();
    outcome(&session.authorize_or_ask(action, &call, approver, within).unwrap())
}

fn write() -> WriteData {
    WriteData::table("crm.orders")
}

#[test]
fn who_is_not_needed_is_not_asked() {
    let site = Site::new();
    let session = site.session();
    let nobody = person(|_| panic!("nobody is asked"));
    assert_eq!(asked(&session, ReadData::new("a"), &nobody), "allow");
    assert_eq!(asked(&session, Connect::new("198.51.100.7", 22), &nobody), "scope.connect");
    assert!(site.acts().is_empty());
    site.holds();
}

#[test]
fn an_answer_is_taken_and_serves_once() {
    let site = Site::new();
    let session = site.session();
    assert_eq!(asked(&session, write(), &person(yes)), "allow");
    assert_eq!(site.acts(), ["request ok", "approval ok"]);
    assert_eq!(ask(&session, write()), "defer sre");
    site.wait(1);
    assert_eq!(asked(&session, write(), &person(yes)), "allow");
    let both = |request: &ApprovalRequest| {
        let domains = [Domain::Data, Domain::Application];
        Review::Decided(domains.map(|domain| vote(request, domain, 1, Vote::Approve)).to_vec())
    };
    assert_eq!(asked(&session, Both("crm.orders"), &person(both)), "allow");
    assert_eq!(asked(&session, Both("crm.people"), &person(yes)), "defer sre", "too few");
    site.holds();
}

#[test]
fn nobody_there_leaves_it_deferred() {
    for review in [Review::Unavailable, Review::TimedOut, Review::Decided(Vec::new())] {
        let site = Site::new();
        let session = site.session();
        assert_eq!(asked(&session, write(), &person(move |_| review.clone())), "defer sre");
        assert_eq!(site.acts(), ["request ok"]);
        site.holds();
    }
}

#[test]
fn a_rejection_leaves_it_deferred_and_is_not_asked_again() {
    let site = Site::new();
    let session = site.session();
    let no = person(|request| Review::Decided(vec![vote(request, Domain::Data, 3, Vote::Reject)]));
    assert_eq!(asked(&session, write(), &no), "defer sre");
    let nobody = person(|_| panic!("nobody is asked again"));
    assert_eq!(asked(&session, write(), &nobody), "defer sre");
    site.last_act("request approval.rejected");
    let both = person(|request| {
        let votes = [(1, Vote::Approve), (3, Vote::Reject)];
        Review::Decided(votes.map(|(seed, it)| vote(request, Domain::Application, seed, it)).into())
    });
    assert_eq!(asked(&session, mail(), &both), "defer sre", "one no is a no");
    site.holds();
}

#[test]
fn answers_to_other_questions_leave_it_deferred() {
    let site = Arc::new(Site::new());
    let session = site.session();
    let second = site.open(&crate::support::site::scope("coder", 2), "coder/2");
    let other_request = crate::support::site::request(&site, &second, write());
    let other_action = crate::support::site::request(&site, &session, mail());
    let wrong = move |request: &ApprovalRequest| {
        assert_ne!(request.id(), other_request.id());
        Review::Decided(vec![
            vote(&other_request, Domain::Data, 3, Vote::Approve),
            vote(&other_action, Domain::Application, 3, Vote::Approve),
            vote(request, Domain::Data, 99, Vote::Approve),
        ])
    };
    assert_eq!(asked(&session, write(), &person(wrong)), "defer sre");
    let acts = site.acts();
    let last: Vec<&str> = acts.iter().rev().take(4).map(String::as_str).collect();
    let expected = [
        "approval approval.unknown_key",
        "approval ok",
        "approval approval.wrong_session",
        "request ok",
    ];
    assert_eq!(last, expected);
    // The answer to the other action is taken for what it is.
    assert_eq!(ask(&session, mail()), "allow");
    assert_eq!(ask(&second, write()), "defer sre");
    site.holds();
}

#[test]
fn what_changes_while_people_think_counts() {
    let change = |change: fn(&Site), expected: &str, last: &str| {
        let site = Arc::new(Site::new());
        let session = site.session();
        let there = Arc::clone(&site);
        let slow = person(move |request| {
            change(&there);
            yes(request)
        });
        assert_eq!(asked(&session, write(), &slow), expected);
        site.last_act(last);
        site.clock.set_broken(false);
        site.holds();
    };
    change(|site| site.wait(59), "allow", "approval ok");
    change(|site| site.wait(60), "defer sre", "approval approval.expired");
    change(|site| site.reload(&other()), "defer sre", "approval approval.bundle_changed");
    change(
        |site| {
            site.reload(&other());
            site.reload(&asking());
        },
        "allow",
        "approval ok",
    );
    let gone = |site: &Site| {
        site.authorizer.reload_directory(&crate::support::site::directory_without(&[3]));
    };
    change(gone, "defer sre", "approval approval.unknown_key");
    let halt = |site: &Site| {
        site.authorizer.halt(&countersign::authorizer::Halt::Everything, "drill").unwrap();
    };
    change(halt, "session.halted", "approval session.halted");
}

#[test]
fn who_panics_leaves_the_session_as_it_was() {
    let site = Site::new();
    let session = site.session();
    let panics = person(|_| panic!("the terminal is gone"));
    let caught = catch_unwind(AssertUnwindSafe(|| asked(&session, write(), &panics)));
    assert!(caught.is_err());
    assert_eq!(ask(&session, write()), "defer sre");
    assert_eq!(asked(&session, write(), &person(yes)), "allow");
    session.close().unwrap();
    site.holds();
}

#[test]
fn nobody_is_asked_where_there_is_no_time() {
    let site = Site::new();
    let session = site.session();
    let nobody = person(|_| panic!("nobody is asked"));
    let (call, none) = (Call::default(), Duration::ZERO);
    let answer = session.authorize_or_ask(write(), &call, &nobody, none).unwrap();
    assert_eq!(outcome(&answer), "defer sre");
    site.last_act("request approval.unaskable");
    // However long the host would wait, the request ends with the task.
    let long = Duration::from_secs(u64::MAX / 1000);
    let answer = session.authorize_or_ask(write(), &call, &person(yes), long).unwrap();
    assert_eq!(outcome(&answer), "defer sre");
    site.last_act("approval approval.too_long");
    site.holds();
}

#[test]
fn asking_without_blocking_is_the_same() {
    let site = Site::new();
    let session = site.session();
    let asked = |approver: &Person| {
        let (call, within) = (Call::default(), Duration::from_secs(60));
        let answer = session.authorize_or_ask_async(write(), &call, approver, within);
        outcome(&block_on(answer).unwrap())
    };
    assert_eq!(asked(&person(|_| Review::TimedOut)), "defer sre");
    assert_eq!(asked(&person(yes)), "allow");
    let no = |it: &ApprovalRequest| Review::Decided(vec![vote(it, Domain::Data, 1, Vote::Reject)]);
    site.wait(1);
    assert_eq!(asked(&person(no)), "defer sre");
    assert_eq!(asked(&person(|_| panic!("nobody is asked again"))), "defer sre");
    // A future that is dropped while people think leaves the session as it was.
    let (call, within) = (Call::default(), Duration::from_secs(60));
    #[derive(Debug)]
    struct Never;
    impl AsyncApprover for Never {
        fn review<'a>(
            &'a self,
            _: &'a ApprovalRequest,
        ) -> std::pin::Pin<Box<dyn Future<Output = Review> + Send + 'a>> {
            Box::pin(std::future::pending())
        }
    }
    let mut waiting = Box::pin(session.authorize_or_ask_async(mail(), &call, &Never, within));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    drop(waiting);
    assert_eq!(ask(&session, mail()), "defer sre");
    site.holds();
}
