//! What single parts of a decision cost, for orientation: none of these has a budget of its own.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

mod support;

use std::hint::black_box;

use countersign::action::host::Host;
use countersign::action::path::{PurePaths, resolve, resolve_absolute};
use countersign::action::{Action as _, Connect, Effect, EffectContext, Effects, NoTools};
use countersign::policy::{Counters, Principal, RequestFacts};
use countersign::receipt::{
    self, About, BeginRecord, CallRecord, Domain, DomainRecord, EffectRecord, Journal, Openings,
    SessionChain, SessionId, Signing,
};
use countersign::scope::CompiledScope;
use countersign::testing;
use criterion::Criterion;

use support::{HOST, PORT, scope};

fn main() {
    let mut criterion = support::criterion();
    gates(&mut criterion);
    append(&mut criterion);
    forms(&mut criterion);
    criterion.final_summary();
}

/// The two gates that look at an effect: scope and policy.
fn gates(criterion: &mut Criterion) {
    let paths = PurePaths::new();
    let scope = CompiledScope::compile(&scope(0), &paths).unwrap();
    let effects = || -> Vec<Effect> {
        let mut effects = Effects::default();
        let context = EffectContext::new(&paths, scope.workspace(), &NoTools);
        Connect::new(HOST, PORT).effects(&context, &mut effects);
        effects.finish()
    };
    criterion.bench_function("action/effects", |b| b.iter(effects));
    let effects = effects();
    let effect = effects.first().unwrap();
    criterion.bench_function("scope/check", |b| b.iter(|| scope.check(black_box(effect), &paths)));

    let bundle = testing::baseline();
    let agent = testing::agent();
    let principal = Principal::of(agent.id(), scope.owner()).unwrap();
    let facts = RequestFacts {
        now: testing::NOW,
        task: scope.task(),
        purpose: scope.purpose(),
        environment: "test",
        provenance: "agent",
        labels: &[],
        approvals: &[],
        counters: Counters::default(),
        recent: &[],
        depth: 0,
        acting_through: &[],
        tier: "",
    };
    criterion.bench_function("policy/decide", |b| {
        b.iter(|| bundle.snapshot().decide(&principal, black_box(effect), &facts));
    });
}

/// One receipt, from values to a linked line.
fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receipt");
    for (name, signing) in [("append_hashed", Signing::Heads), ("append_signed", Signing::Every)] {
        let (journal, _) =
            Journal::start(&testing::identity_key(), &[1; 32], signing, testing::NOW).unwrap();
        let key = journal.epoch_key();
        let scopes = [scope(0).scope().digest()];
        let about = About {
            agent: "spiffe://example.org/agent/coder/i-1",
            on_behalf_of: "user:dana@example.org",
            owner: "user:dana@example.org",
            task: "bench-0",
            scope: &scopes,
        };
        let digest = testing::baseline().digest();
        let begin = BeginRecord {
            about,
            bundle: digest,
            schema: digest,
            expires: testing::NOW,
            time: testing::NOW,
        };
        let id = SessionId::from_bytes([2; 16]);
        let (mut chain, _) =
            SessionChain::begin(key, id, &[3; 32], Openings::Keep, &begin).unwrap();
        let policies = ["domain.infrastructure".into()];
        let effects = [EffectRecord {
            decision: receipt::Verdict::Allow,
            kind: "Connect",
            value: r#"{"facts":{"host":"git.example.org","port":443,"transport":"tcp","zone":"name"},"kind":"Connect","target":{"id":"git.example.org:443","type":"Endpoint"}}"#,
            policies: &policies,
            provenance: "agent",
            quorums: &[],
            reasons: &[],
            reversibility: receipt::Reversibility::Compensable,
        }];
        let domains = [DomainRecord { domain: Domain::Infrastructure, effects: &effects }];
        let call = CallRecord {
            about,
            kind: "Connect",
            action: r#"{"host":"git.example.org","port":443,"resolved":[],"sends_bytes":null,"transport":"tcp"}"#,
            facts: r#"{"counters":{"accelerator_seconds":0,"actions":0,"denials":0,"distinct_targets":0,"egress_bytes":0},"environment":"test","labels":[],"provenance":"agent","purpose":"Fix the flaky login test","task":"bench-0","time":1795251600000}"#,
            bundle: digest,
            domains: &domains,
            approvals: &[],
            after: receipt::Counters::default(),
            labels: &[],
            cause: None,
            permit_until: Some(testing::NOW),
            traceparent: None,
            txn: None,
            time: testing::NOW,
        };
        group.bench_function(name, |b| b.iter(|| chain.append_call(key, &call).unwrap()));
    }
    group.finish();
}

/// Normal forms.
fn forms(criterion: &mut Criterion) {
    let paths = PurePaths::new().with_link("/srv/web/out", "/srv/target");
    let workspace = resolve_absolute(&paths, "/srv/web").unwrap();
    criterion.bench_function("path/resolve", |b| {
        b.iter(|| resolve(&paths, &workspace, black_box("src/../out/debug/./main.rs")).unwrap());
    });
    criterion.bench_function("host/parse", |b| b.iter(|| Host::parse(black_box(HOST)).unwrap()));
    criterion.bench_function("host/parse_address", |b| {
        b.iter(|| Host::parse(black_box("0xA9.254.43518")).unwrap());
    });
}
