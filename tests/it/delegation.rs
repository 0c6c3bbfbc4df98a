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
use countersign::session::{MAX_DELEGATES, OpenError};
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

fn descriptor(agent: &str, depth: u64) -> Descriptor {
    let mut descriptor = testing::descriptor();
    descriptor.agent = format!("spiffe://example.org/agent/{agent}");
    descriptor.limits.delegation_depth = Some(depth);
    descriptor
}

fn scope(agent: &str, depth: u64) -> Scope {
    Scope::from_descriptor(&descriptor(agent, depth)).unwrap()
}

fn open(fixture: &Fixture, descriptor: &Descriptor) -> Session {
    let scope = Scope::from_descriptor(descriptor).unwrap().dangerous().trust_unsigned();
    fixture.authorizer.open(&scope, testing::agent()).unwrap()
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
    refused(session.delegate(&scope("reader", 0), instance("reader/1")), Reason::DelegationDepth);
    session.close().unwrap();
    let receipts = fixture.sink.to_ndjson();
    assert!(receipts.contains("countersign.delegation") && receipts.contains("delegation.depth"));
    holds(&fixture, &[testing::scope().scope()]);
}

#[test]
fn every_scope_above_says_how_deep() {
    let fixture = Fixture::default();
    let top = descriptor("coder", 2);
    let session = open(&fixture, &top);
    let first = session.delegate(&scope("a", 8), instance("a/1")).unwrap();
    let second = first.delegate(&scope("b", 8), instance("b/1")).unwrap();
    // The second may, by its own scope and by the first's; the top says two.
    refused(second.delegate(&scope("c", 8), instance("c/1")), Reason::DelegationDepth);
    assert!(second.authorize(ReadData::new("src/a.rs")).unwrap().is_allow());
    let scopes = [Scope::from_descriptor(&top).unwrap(), scope("a", 8), scope("b", 8)];
    holds(&fixture, &scopes.each_ref());
}

#[test]
fn what_may_not_be_handed_on_is_refused_with_its_reason() {
    let fixture = Fixture::default();
    let top = descriptor("coder", 1);
    let session = open(&fixture, &top);
    let try_with = |change: &dyn Fn(&mut Descriptor)| {
        let mut narrow = descriptor("reader", 0);
        change(&mut narrow);
        session.delegate(&Scope::from_descriptor(&narrow).unwrap(), instance("reader/1"))
    };
    refused(try_with(&|d| d.owner = "user:eve@example.org".into()), Reason::DelegationOwner);
    let other = |d: &mut Descriptor| d.on_behalf_of = Some("user:eve@example.org".into());
    refused(try_with(&other), Reason::DelegationOwner);
    refused(try_with(&|d| d.expires = "2026-11-21T11:00:00.001Z".into()), Reason::DelegationExpiry);
    let short = |d: &mut Descriptor| d.expires = "2026-11-21T09:00:00.001Z".into();
    fixture.clock.advance(10);
    refused(try_with(&short), Reason::SessionExpired);
    let other = |d: &mut Descriptor| d.agent = "spiffe://example.org/agent/other".into();
    refused(try_with(&other), Reason::IdentityMismatch);
    // Nobody delegates to itself, nor back.
    refused(session.delegate(&scope("coder", 0), testing::agent()), Reason::DelegationCycle);
    for _ in 0..MAX_DELEGATES {
        try_with(&|_| ()).unwrap();
    }
    refused(try_with(&|_| ()), Reason::DelegationFanOut);
    holds(&fixture, &[&Scope::from_descriptor(&top).unwrap()]);
}

#[test]
fn what_a_delegate_uses_is_used_up_above() {
    let fixture = Fixture::default();
    let mut top = descriptor("coder", 1);
    top.limits.actions = Some(3);
    let session = open(&fixture, &top);
    let narrow = scope("reader", 0);
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
    holds(&fixture, &[&Scope::from_descriptor(&top).unwrap(), &narrow]);
}

#[test]
fn denials_of_a_delegate_trip_the_breaker_above() {
    let fixture = Fixture::default();
    let mut top = descriptor("coder", 1);
    top.limits.denials = Some(3);
    let session = open(&fixture, &top);
    let narrow = scope("reader", 0);
    let delegate = session.delegate(&narrow, instance("reader/1")).unwrap();
    for _ in 0..3 {
        assert!(!delegate.authorize(Connect::new("198.51.100.7", 22)).unwrap().is_allow());
    }
    let answer = session.authorize(ReadData::new("src/a.rs")).unwrap();
    assert_eq!(answer.reasons(), [Reason::LimitDenials]);
    holds(&fixture, &[&Scope::from_descriptor(&top).unwrap(), &narrow]);
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
    let (top, narrow) = (with(descriptor("coder", 1), 1000), with(descriptor("reader", 0), 600));
    let session = open(&fixture, &top);
    let narrow = Scope::from_descriptor(&narrow).unwrap();
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
    holds_by(&bundle, &fixture, &[&Scope::from_descriptor(&top).unwrap(), &narrow]);
}

#[test]
fn labels_are_those_of_the_whole_tree() {
    let fixture = Fixture::default();
    let top = descriptor("coder", 1);
    let session = open(&fixture, &top);
    let narrow = scope("reader", 0);
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
    holds(&fixture, &[&Scope::from_descriptor(&top).unwrap(), &narrow]);
}

#[test]
fn it_ends_with_what_is_above() {
    let fixture = Fixture::default();
    let top = descriptor("coder", 2);
    let session = open(&fixture, &top);
    let narrow = scope("reader", 1);
    let delegate = session.delegate(&narrow, instance("reader/1")).unwrap();
    let leaf = scope("leaf", 0);
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
    holds(&fixture, &[&Scope::from_descriptor(&top).unwrap(), &narrow, &leaf]);
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
            let scopes: Vec<TrustedScope> = chain
                .iter()
                .map(|d| Scope::from_descriptor(d).unwrap().dangerous().trust_unsigned())
                .collect();
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
