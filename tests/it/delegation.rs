//! Handing a narrower scope on: authority is the intersection, and what is used is used up for all.

use countersign::action::path::PurePaths;
use countersign::action::{
    Action, Connect, DataRef, EffectContext, Effects, ExportData, ReadData, WriteData,
};
use countersign::audit::replay::{OpeningMap, Replayer};
use countersign::authorizer::{Evaluator, Severity};
use countersign::identity::{SpiffeId, VerifiedIdentity};
use countersign::policy::Enforced;
use countersign::receipt::Verifier;
use countersign::scope::descriptor::Export;
use countersign::scope::{Descriptor, Scope, TrustedScope};
use countersign::session::OpenError;
use countersign::testing::strategies::{self, AnyAction};
use countersign::testing::{self, Fixture};
use countersign::value::Value;
use countersign::{AuthorizeError, Reason, Session};
use proptest::prelude::*;

use crate::support;

fn instance(path: &str) -> VerifiedIdentity {
    let id = SpiffeId::parse(&format!("spiffe://example.org/agent/{path}")).unwrap();
    id.dangerous().assume_verified()
}

/// The fixture's scope for another class of agents, which may be handed on to any agent.
fn descriptor(agent: &str, depth: u64) -> Descriptor {
    let mut descriptor = testing::descriptor();
    descriptor.agent = format!("spiffe://example.org/agent/{agent}");
    descriptor.limits.delegation_depth = Some(depth);
    descriptor.actions.spawn = vec!["spiffe://example.org/agent".into()];
    descriptor
}

fn below(parent: &Scope, mut descriptor: Descriptor) -> Scope {
    descriptor.parent = Some(parent.digest().to_string());
    Scope::from_descriptor(&descriptor).unwrap()
}

fn child(parent: &Scope, agent: &str, depth: u64) -> Scope {
    below(parent, descriptor(agent, depth))
}

fn top(depth: u64) -> Scope {
    Scope::from_descriptor(&descriptor("coder", depth)).unwrap()
}

fn open(fixture: &Fixture, scope: &Scope) -> Session {
    fixture.authorizer.open(&scope.dangerous().trust_unsigned(), testing::agent()).unwrap()
}

#[track_caller]
fn refused(result: Result<Session, OpenError>, expected: Reason) {
    match result {
        Err(OpenError::Refused(reason)) => assert_eq!(reason, expected),
        other => panic!("{expected}: {other:?}"),
    }
}

/// The receipts verify, and every call of them comes out again.
#[track_caller]
fn holds(fixture: &Fixture, scopes: &[&Scope]) {
    holds_by(&testing::baseline(), fixture, scopes);
}

#[track_caller]
fn holds_by(bundle: &Enforced, fixture: &Fixture, scopes: &[&Scope]) {
    let receipts = fixture.sink.to_ndjson();
    Verifier::new(testing::trusted_key()).verify(receipts.as_bytes()).unwrap();
    let replayer = Replayer::new(bundle);
    let replayer = scopes.iter().fold(replayer, |replayer, scope| replayer.with_scope(scope));
    let openings: OpeningMap = fixture.sink.openings().into_iter().collect();
    let report = replayer.replay(receipts.as_bytes(), openings).report();
    assert!(report.is_same(), "{report}");
}

#[test]
fn it_is_off_by_default() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let narrow = child(testing::scope().scope(), "reader", 0);
    refused(session.delegate(&narrow, instance("reader/1")), Reason::DelegationDepth);
    session.close().unwrap();
    let receipts = fixture.sink.to_ndjson();
    assert!(receipts.contains("countersign.delegation") && receipts.contains("delegation.depth"));
    holds(&fixture, &[testing::scope().scope()]);
}

#[test]
fn a_scope_below_another_opens_no_session_by_itself() {
    let fixture = Fixture::default();
    let narrow = child(&top(1), "reader", 0).dangerous().trust_unsigned();
    refused(fixture.authorizer.open(&narrow, instance("reader/1")), Reason::DelegationParent);
}

#[test]
fn every_hop_goes_less_deep() {
    let fixture = Fixture::default();
    let top = top(2);
    let session = open(&fixture, &top);
    refused(session.delegate(&child(&top, "a", 2), instance("a/1")), Reason::DelegationDepth);
    let a = child(&top, "a", 1);
    let first = session.delegate(&a, instance("a/1")).unwrap();
    let b = child(&a, "b", 0);
    let second = first.delegate(&b, instance("b/1")).unwrap();
    let c = child(&b, "c", 0);
    refused(second.delegate(&c, instance("c/1")), Reason::DelegationDepth);
    assert!(second.authorize(ReadData::new("src/a.rs")).unwrap().is_allow());
    holds(&fixture, &[&top, &a, &b]);
}

#[test]
fn what_may_not_be_handed_on_is_refused_with_its_reason() {
    let fixture = Fixture::default();
    let mut few = descriptor("coder", 1);
    few.limits.delegates = Some(3);
    few.actions.spawn = vec!["spiffe://example.org/agent/reader".into()];
    let top = Scope::from_descriptor(&few).unwrap();
    let session = open(&fixture, &top);
    let try_with = |change: &dyn Fn(&mut Descriptor)| {
        let mut narrow = descriptor("reader", 0);
        narrow.parent = Some(top.digest().to_string());
        change(&mut narrow);
        session.delegate(&Scope::from_descriptor(&narrow).unwrap(), instance("reader/1"))
    };
    refused(try_with(&|d| d.parent = None), Reason::DelegationParent);
    refused(try_with(&|d| d.parent = Some("00".repeat(32))), Reason::DelegationParent);
    refused(try_with(&|d| d.owner = "user:eve@example.org".into()), Reason::DelegationParty);
    let other = |d: &mut Descriptor| d.on_behalf_of = Some("user:eve@example.org".into());
    refused(try_with(&other), Reason::DelegationParty);
    let long = |d: &mut Descriptor| d.expires = "2026-11-21T11:00:00.001Z".into();
    refused(try_with(&long), Reason::DelegationLifetime);
    let short = |d: &mut Descriptor| d.expires = "2026-11-21T09:00:00.001Z".into();
    fixture.clock.advance(10);
    refused(try_with(&short), Reason::SessionExpired);
    let other = |d: &mut Descriptor| d.agent = "spiffe://example.org/agent/reader/2".into();
    refused(try_with(&other), Reason::IdentityMismatch);
    let other = child(&top, "writer", 0);
    refused(session.delegate(&other, instance("writer/1")), Reason::DelegationAgent);
    // Nobody delegates to itself.
    refused(session.delegate(&child(&top, "coder", 0), testing::agent()), Reason::DelegationCycle);
    for _ in 0..3 {
        try_with(&|_| ()).unwrap();
    }
    refused(try_with(&|_| ()), Reason::DelegationFanOut);
    holds(&fixture, &[&top]);
}

#[test]
fn what_a_delegate_uses_is_used_up_above() {
    let fixture = Fixture::default();
    let mut few = descriptor("coder", 1);
    few.limits.actions = Some(3);
    let top = Scope::from_descriptor(&few).unwrap();
    let session = open(&fixture, &top);
    let narrow = child(&top, "reader", 0);
    let one = session.delegate(&narrow, instance("reader/1")).unwrap();
    let two = session.delegate(&narrow, instance("reader/2")).unwrap();
    let read = |session: &Session| {
        let answer = session.authorize(ReadData::new("src/a.rs")).unwrap();
        answer.reasons().to_vec()
    };
    assert!(read(&one).is_empty());
    assert!(read(&session).is_empty());
    assert!(read(&two).is_empty());
    for spent in [&one, &two, &session] {
        assert_eq!(read(spent), [Reason::LimitActions]);
    }
    holds(&fixture, &[&top, &narrow]);
}

#[test]
fn denials_of_a_delegate_trip_the_breaker_above() {
    let fixture = Fixture::default();
    let mut few = descriptor("coder", 1);
    few.limits.denials = Some(3);
    let top = Scope::from_descriptor(&few).unwrap();
    let session = open(&fixture, &top);
    let narrow = child(&top, "reader", 0);
    let delegate = session.delegate(&narrow, instance("reader/1")).unwrap();
    for _ in 0..3 {
        assert!(!delegate.authorize(Connect::new("198.51.100.7", 22)).unwrap().is_allow());
    }
    let answer = session.authorize(ReadData::new("src/a.rs")).unwrap();
    assert_eq!(answer.reasons(), [Reason::LimitDenials]);
    holds(&fixture, &[&top, &narrow]);
}

#[test]
fn reserved_bytes_come_back_to_every_hop() {
    let bundle = support::bundle("@id(\"all\") permit(principal, action, resource);");
    let fixture = Fixture::new(bundle.clone());
    let with = |mut descriptor: Descriptor, bytes| {
        descriptor.limits.egress_bytes = Some(bytes);
        let mut export = Export::default();
        export.from = "table:crm.orders".into();
        export.to = "warehouse/reports".into();
        descriptor.touch.export = vec![export];
        descriptor
    };
    let top = Scope::from_descriptor(&with(descriptor("coder", 1), 1000)).unwrap();
    let narrow = below(&top, with(descriptor("reader", 0), 600));
    let session = open(&fixture, &top);
    let delegate = session.delegate(&narrow, instance("reader/1")).unwrap();
    let export = |bytes| {
        let data = DataRef::Table("crm.orders".into());
        ExportData::to_named(data, "warehouse/reports").sends_bytes(bytes)
    };
    let permit = delegate.authorize(export(600)).unwrap().permit();
    if let Some(permit) = permit {
        let over = session.authorize(export(401)).unwrap();
        assert_eq!(over.reasons(), [Reason::LimitEgress]);
        drop(permit);
        assert!(session.authorize(export(1000)).unwrap().is_allow());
    } else {
        panic!("the export is granted by both");
    }
    holds_by(&bundle, &fixture, &[&top, &narrow]);
}

#[test]
fn labels_are_those_of_the_whole_tree() {
    let fixture = Fixture::default();
    let top = top(1);
    let session = open(&fixture, &top);
    let narrow = child(&top, "reader", 0);
    let delegate = session.delegate(&narrow, instance("reader/1")).unwrap();
    let permit = session.authorize(ReadData::new("src/a.rs")).unwrap().permit().unwrap();
    delegate.add_label("secret").unwrap();
    // A permit that was given before is no answer to what is asked now.
    assert!(permit.run(|_| Ok::<_, std::io::Error>(())).is_err());
    drop(session.authorize(ReadData::new("src/a.rs")).unwrap());
    let verified = Verifier::new(testing::trusted_key());
    let verified = verified.verify(fixture.sink.to_ndjson().as_bytes()).unwrap();
    let labels = |session: &Session| verified.session(session.id()).unwrap().labels.clone();
    assert_eq!(labels(&session), ["secret"]);
    holds(&fixture, &[&top, &narrow]);
}

#[test]
fn it_ends_with_what_is_above() {
    let fixture = Fixture::default();
    let top = top(2);
    let session = open(&fixture, &top);
    let narrow = child(&top, "reader", 1);
    let delegate = session.delegate(&narrow, instance("reader/1")).unwrap();
    let leaf = child(&narrow, "leaf", 0);
    let below = delegate.delegate(&leaf, instance("leaf/1")).unwrap();
    let permit = below.authorize(ReadData::new("src/a.rs")).unwrap().permit().unwrap();
    session.close().unwrap();
    assert!(permit.run(|_| Ok::<_, std::io::Error>(())).is_err());
    for ended in [&delegate, &below] {
        let answer = ended.authorize(ReadData::new("src/a.rs")).unwrap();
        assert_eq!(answer.reasons(), [Reason::DelegationEnded]);
    }
    refused(delegate.delegate(&leaf, instance("leaf/2")), Reason::DelegationEnded);
    assert!(matches!(
        session.delegate(&narrow, instance("reader/2")),
        Err(OpenError::Record(AuthorizeError::Closed))
    ));
    below.close().unwrap();
    delegate.close().unwrap();
    holds(&fixture, &[&top, &narrow, &leaf]);
}

/// A host's own action with the kind of an act.
struct Forged;

impl Action for Forged {
    fn kind(&self) -> std::borrow::Cow<'static, str> {
        "countersign.approval".into()
    }

    fn describe(&self) -> Value {
        Value::Null
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        ReadData::new("src/a.rs").effects(context, effects);
    }
}

#[test]
fn an_action_of_a_host_is_not_taken_for_an_act() {
    let fixture = Fixture::default();
    let session = fixture.session();
    assert!(session.authorize(Forged).unwrap().is_allow());
    session.close().unwrap();
    let receipts = fixture.sink.to_ndjson();
    assert!(!receipts.contains("countersign.approval") && receipts.contains("\"invalid\""));
    holds(&fixture, &[testing::scope().scope()]);
}

/// A scope that grants a random part of what actions of the strategy do.
fn any_descriptor(agent: &'static str) -> impl Strategy<Value = Descriptor> {
    let some = |all: &[&str]| {
        let all: Vec<String> = all.iter().map(|text| (*text).to_owned()).collect();
        let most = all.len();
        prop::sample::subsequence(all, 0..=most)
    };
    let paths = ["/srv/web/**", "/srv/web/src/**", "/tmp/*", "/**", "table:crm.*"];
    let hosts = ["git.example.org:443", "*:443", "10.0.0.0/8:*", "0.0.0.0/0:*", "*:*"];
    let strategy = (
        some(&paths),
        some(&paths),
        some(&hosts),
        some(&["npm:**", "pypi:**"]),
        some(&["*", "gpt-*"]),
    );
    strategy.prop_map(move |(read, write, connect, packages, models)| {
        let mut descriptor = descriptor(agent, 8);
        descriptor.touch.read = read;
        descriptor.touch.write = write;
        descriptor.reach.connect = connect;
        descriptor.reach.packages = packages;
        descriptor.run.models = models;
        descriptor
    })
}

/// Actions of which most are granted by some of those scopes, and any other.
fn any_granted_somewhere() -> impl Strategy<Value = AnyAction> {
    let paths =
        prop::sample::select(&["src/a.rs", "b", "/tmp/x", "/srv/web/src/d/e", "/etc/f"][..]);
    let hosts = prop::sample::select(&["git.example.org", "10.0.0.7", "198.51.100.7"][..]);
    prop_oneof![
        3 => paths.clone().prop_map(|path| AnyAction::new(ReadData::new(path))),
        3 => paths.prop_map(|path| AnyAction::new(WriteData::new(path))),
        3 => (hosts, prop::sample::select(&[22_u16, 443][..]))
            .prop_map(|(host, port)| AnyAction::new(Connect::new(host, port))),
        1 => strategies::any_action(),
    ]
}

/// Authority never grows along a chain: what the last delegate may do, each scope above grants by itself.
#[test]
fn authority_never_grows_along_a_chain() {
    let config =
        ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let chains = prop::collection::vec(any_descriptor("coder"), 1..=8);
    let actions = prop::collection::vec(any_granted_somewhere(), 1..12);
    let evaluator =
        Evaluator::new(&testing::baseline(), testing::clock()).with_paths(PurePaths::new());
    let allowed = std::cell::Cell::new(0_u32);
    runner
        .run(&(chains, actions), |(chain, actions)| {
            let fixture = Fixture::default();
            let mut scopes: Vec<TrustedScope> = Vec::new();
            for (depth, mut descriptor) in (0..chain.len() as u64).rev().zip(chain) {
                descriptor.limits.delegation_depth = Some(depth);
                let above = scopes.last().map(|above| above.scope().digest().to_string());
                descriptor.parent = above;
                let scope = Scope::from_descriptor(&descriptor).unwrap();
                scopes.push(scope.dangerous().trust_unsigned());
            }
            let mut session = fixture.authorizer.open(&scopes[0], testing::agent()).unwrap();
            for (index, scope) in scopes.iter().enumerate().skip(1) {
                let agent = instance(&format!("coder/hop-{index}"));
                session = session.delegate(scope.scope(), agent).unwrap();
            }
            for action in actions {
                let alone: Vec<Severity> = scopes
                    .iter()
                    .map(|scope| {
                        let trial = evaluator.prepare(scope, &testing::agent()).unwrap();
                        trial.judge(&action).severity()
                    })
                    .collect();
                if session.authorize(action).unwrap().is_allow() {
                    allowed.set(allowed.get() + 1);
                    prop_assert!(alone.iter().all(|severity| *severity == Severity::Allow));
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(
        allowed.get() > 0,
        "no action was allowed at the end of any chain: the law says nothing"
    );
}
