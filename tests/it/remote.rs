//! Handing a scope on to another process: a token, a budget, and what comes back.

use std::sync::Arc;
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{Connect, ReadData};
use countersign::audit::replay::{OpeningMap, Replayer};
use countersign::governance::{Budget, DelegationToken, Directory};
use countersign::identity::{SpiffeId, VerifiedIdentity};
use countersign::policy::{Authored, Enforced};
use countersign::receipt::{IdentityKey, MemorySink, Verifier};
use countersign::scope::{Scope, descriptor};
use countersign::session::{Handover, HandoverError, OpenError};
use countersign::testing::{self, TestClock};
use countersign::{Authorizer, Reason, Session, Sink};

use crate::support;

/// One process with an authorizer, a clock that both share, and a sink.
struct Process {
    authorizer: Authorizer,
    sink: Arc<MemorySink>,
    bundle: Enforced,
    key: IdentityKey,
}

fn signing_key(seed: u8) -> IdentityKey {
    IdentityKey::from_seed(&[seed; 32])
}

/// Both sides know the keys with which authorizers of both trust domains sign tokens and returns, and one that
/// signs returns alone.
fn directory() -> Directory {
    let known = |seed: u8, domain: &str| {
        format!(
            r#"{{"key":"{}","trust_domain":"{domain}","delegates":true}}"#,
            signing_key(seed).trusted()
        )
    };
    let returns = known(53, "example.org").replace("true", "false");
    let authorizers = [known(51, "example.org"), known(52, "other.example"), returns].join(",");
    let text =
        format!(r#"{{"directory":"countersign/directory/v1","authorizers":[{authorizers}]}}"#);
    Directory::parse(text.as_bytes()).unwrap()
}

fn bundle(edges: &str) -> Enforced {
    let mut files = support::files("@id(\"all\") permit(principal, action, resource);");
    let manifest = format!(
        r#"{{"bundle": "countersign/bundle/v1", "name": "test", "trust_edges": {edges},
            "quorums": [{{"name": "sre", "roles": ["sre"], "of": 1}},
                        {{"name": "security", "roles": ["security"], "of": 1}}]}}"#
    );
    files[0].1 = manifest;
    Authored::from_files(files).unwrap().load().unwrap()
}

fn process(seed: u8, clock: &TestClock, edges: &str) -> Process {
    let (sink, bundle) = (Arc::new(MemorySink::new()), bundle(edges));
    let key = IdentityKey::from_seed(&[seed; 32]);
    let authorizer = Authorizer::builder()
        .policy(bundle.clone())
        .identity(IdentityKey::from_seed(&[seed; 32]))
        .sink(Sink::blocking(Arc::clone(&sink)))
        .with_clock(clock.clone())
        .with_paths(PurePaths::new())
        .with_directory(directory())
        .build()
        .unwrap();
    Process { authorizer, sink, bundle, key }
}

impl Process {
    /// The receipts verify, and every call comes out again.
    #[track_caller]
    fn holds(&self, scopes: &[&Scope]) {
        let receipts = self.sink.to_ndjson();
        Verifier::new(self.key.trusted()).verify(receipts.as_bytes()).unwrap();
        let replayer = Replayer::new(&self.bundle);
        let replayer = scopes.iter().fold(replayer, |replayer, scope| replayer.with_scope(scope));
        let openings: OpeningMap = self.sink.openings().into_iter().collect();
        let report = replayer.replay(receipts.as_bytes(), openings).report();
        assert!(report.is_same(), "{report}");
    }
}

fn agent(id: &str) -> (SpiffeId, VerifiedIdentity) {
    let id = SpiffeId::parse(id).unwrap();
    (id.clone(), id.dangerous().assume_verified())
}

fn scopes(class: &str) -> (Scope, Scope) {
    let mut top = testing::descriptor();
    top.limits.delegation_depth = Some(2);
    top.limits.egress_bytes = Some(1000);
    top.actions.spawn = vec!["spiffe://example.org/agent".into(), "spiffe://other.example".into()];
    let top = Scope::from_descriptor(&top).unwrap();
    let mut narrow = testing::descriptor();
    narrow.parent = Some(top.digest().to_string());
    narrow.agent = class.into();
    narrow.limits.delegation_depth = Some(1);
    narrow.touch.read = vec!["/**".into()];
    (top, Scope::from_descriptor(&narrow).unwrap())
}

fn budget() -> Budget {
    let mut budget = Budget::default();
    (budget.actions, budget.per_minute, budget.denials, budget.distinct_targets) = (3, 10, 2, 4);
    budget
}

const READER: &str = "spiffe://example.org/agent/reader";

struct Pair {
    clock: TestClock,
    here: Process,
    there: Process,
    top: Scope,
    narrow: Scope,
    session: Session,
}

fn pair(class: &str, edges: &str) -> Pair {
    let clock = testing::clock();
    let (here, there) = (process(11, &clock, edges), process(12, &clock, edges));
    let (top, narrow) = scopes(class);
    let trusted = top.dangerous().trust_unsigned();
    let session = here.authorizer.open(&trusted, testing::agent()).unwrap();
    Pair { clock, here, there, top, narrow, session }
}

impl Pair {
    /// Opens the session anew on the same scopes with other limits.
    fn limit(&mut self, change: impl FnOnce(&mut descriptor::Limits)) {
        let mut top = self.top.descriptor().clone();
        change(&mut top.limits);
        self.top = Scope::from_descriptor(&top).unwrap();
        let mut narrow = self.narrow.descriptor().clone();
        narrow.parent = Some(self.top.digest().to_string());
        self.narrow = Scope::from_descriptor(&narrow).unwrap();
        let trusted = self.top.dangerous().trust_unsigned();
        self.session = self.here.authorizer.open(&trusted, testing::agent()).unwrap();
    }

    fn token(&self, to: &SpiffeId) -> Result<DelegationToken, HandoverError> {
        let audience = self.there.authorizer.audience();
        let within = Duration::from_secs(60);
        let handover =
            Handover { scope: &self.narrow, to, audience: &audience, budget: budget(), within };
        self.session.hand_over(&handover, &signing_key(51))
    }

    #[track_caller]
    fn refused(&self, token: &DelegationToken, agent: VerifiedIdentity, expected: Reason) {
        match self.there.authorizer.open_delegated(token, agent) {
            Err(OpenError::Refused(reason)) => assert_eq!(reason, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

fn read(session: &Session, path: &str) -> Vec<Reason> {
    session.authorize(ReadData::new(path)).unwrap().reasons().to_vec()
}

#[test]
fn a_token_opens_one_session_of_its_agent_with_every_scope_deciding() {
    let pair = pair(READER, "[]");
    let (to, reader) = agent(&format!("{READER}/1"));
    let token = pair.token(&to).unwrap();
    // It travels as text.
    let token = DelegationToken::parse_compact(&token.as_compact()).unwrap();
    pair.refused(&token, agent(&format!("{READER}/2")).1, Reason::IdentityMismatch);
    let far = pair.there.authorizer.open_delegated(&token, reader.clone()).unwrap();
    pair.refused(&token, reader, Reason::DelegationReplayed);
    assert!(read(&far, "src/a.rs").is_empty());
    // Its own scope reads everything; the one above does not.
    assert_eq!(read(&far, "/etc/shadow"), [Reason::ScopeRead]);
    assert!(read(&far, "src/b.rs").is_empty());
    assert!(read(&far, "src/c.rs").is_empty());
    assert_eq!(read(&far, "src/d.rs"), [Reason::LimitActions], "the budget is used up");
    far.add_label("secret").unwrap();

    let returned = far.sign_return(true, &signing_key(51)).unwrap();
    far.close().unwrap();
    pair.session.take_return(&token, returned.as_str().as_bytes()).unwrap();
    let again = pair.session.take_return(&token, b"{}").unwrap_err();
    assert_eq!(again.reason(), Some(Reason::DelegationReturn));
    assert!(read(&pair.session, "src/a.rs").is_empty());
    pair.session.close().unwrap();
    let verified = Verifier::new(pair.here.key.trusted());
    let verified = verified.verify(pair.here.sink.to_ndjson().as_bytes()).unwrap();
    assert_eq!(verified.session(pair.session.id()).unwrap().labels, ["secret"]);
    pair.here.holds(&[&pair.top, &pair.narrow]);
    pair.there.holds(&[&pair.top, &pair.narrow]);
}

#[test]
fn the_whole_budget_is_used_up_here() {
    let mut pair = pair(READER, "[]");
    pair.limit(|limits| {
        limits.actions = Some(4);
        limits.denials = Some(10);
    });
    let (to, _) = agent(&format!("{READER}/1"));
    pair.token(&to).unwrap();
    match pair.token(&to) {
        Err(HandoverError::Act(error)) => assert_eq!(error.reason(), Some(Reason::LimitActions)),
        other => panic!("{other:?}"),
    }
    assert!(read(&pair.session, "src/a.rs").is_empty());
    assert_eq!(read(&pair.session, "src/a.rs"), [Reason::LimitActions]);
    pair.here.holds(&[&pair.top, &pair.narrow]);
}

#[test]
fn a_token_is_for_one_authorizer_one_time_and_trust_domains_that_the_bundle_joins() {
    let pair = pair(READER, "[]");
    let (to, reader) = agent(&format!("{READER}/1"));
    let token = pair.token(&to).unwrap();
    let third = process(13, &pair.clock, "[]");
    match third.authorizer.open_delegated(&token, reader.clone()) {
        Err(OpenError::Refused(reason)) => assert_eq!(reason, Reason::DelegationAudience),
        other => panic!("{other:?}"),
    }
    pair.clock.advance(60_000);
    pair.refused(&token, reader, Reason::DelegationExpired);

    let foreign = "spiffe://other.example/agent/reader";
    for (edges, expected) in [
        ("[]", Some(Reason::DelegationTrustDomain)),
        (r#"[["other.example", "example.org"]]"#, Some(Reason::DelegationTrustDomain)),
        (r#"[["example.org", "other.example"]]"#, None),
    ] {
        let pair = self::pair(foreign, edges);
        let (to, reader) = agent(&format!("{foreign}/1"));
        let token = pair.token(&to);
        match (token, expected) {
            (Ok(token), None) => {
                let far = pair.there.authorizer.open_delegated(&token, reader).unwrap();
                assert!(read(&far, "src/a.rs").is_empty());
            }
            (Err(HandoverError::Act(error)), Some(expected)) => {
                assert_eq!(error.reason(), Some(expected));
            }
            (other, _) => panic!("{edges}: {other:?}"),
        }
    }
}

#[test]
fn what_was_taken_up_is_handed_on_again_and_ends_with_its_origin_revoked() {
    let pair = pair(READER, "[]");
    let (to, reader) = agent(&format!("{READER}/1"));
    let token = pair.token(&to).unwrap();
    let far = pair.there.authorizer.open_delegated(&token, reader).unwrap();
    let mut leaf = pair.narrow.descriptor().clone();
    leaf.parent = Some(pair.narrow.digest().to_string());
    leaf.limits.delegation_depth = None;
    let leaf = Scope::from_descriptor(&leaf).unwrap();
    let near = far.delegate(&leaf, agent(&format!("{READER}/2")).1).unwrap();
    assert!(read(&near, "src/a.rs").is_empty());
    assert_eq!(read(&near, "/etc/shadow"), [Reason::ScopeRead]);
    assert!(read(&near, "src/b.rs").is_empty());
    assert!(read(&far, "src/b.rs").is_empty());
    assert_eq!(read(&near, "src/b.rs"), [Reason::LimitActions]);
    // The instance that stands on the way already takes nothing up.
    match far.delegate(&leaf, testing::agent()) {
        Err(OpenError::Refused(reason)) => {
            assert_eq!(reason, Reason::IdentityMismatch);
        }
        other => panic!("{other:?}"),
    }
    let answer = near.authorize(Connect::new("198.51.100.7", 22)).unwrap();
    assert!(!answer.is_allow());
    pair.there.holds(&[&pair.top, &pair.narrow, &leaf]);
}

#[test]
fn how_often_a_session_has_delegated_survives_a_restart() {
    let clock = testing::clock();
    let here = process(11, &clock, "[]");
    let mut top = testing::descriptor();
    top.limits.delegation_depth = Some(1);
    top.limits.delegates = Some(1);
    top.actions.spawn = vec!["spiffe://example.org/agent".into()];
    let top = Scope::from_descriptor(&top).unwrap();
    let trusted = top.dangerous().trust_unsigned();
    let session = here.authorizer.open(&trusted, testing::agent()).unwrap();
    let mut narrow = testing::descriptor();
    narrow.parent = Some(top.digest().to_string());
    narrow.agent = READER.into();
    let narrow = Scope::from_descriptor(&narrow).unwrap();
    let reader = |number: u8| agent(&format!("{READER}/{number}")).1;
    drop(session.delegate(&narrow, reader(1)).unwrap());
    let id = session.id();
    drop(session);

    let stored = Verifier::new(here.key.trusted());
    let stored = stored.verify(here.sink.to_ndjson().as_bytes()).unwrap();
    let again = Authorizer::builder()
        .policy(here.bundle.clone())
        .identity(IdentityKey::from_seed(&[11; 32]))
        .sink(Sink::blocking(Arc::clone(&here.sink)))
        .with_clock(clock.clone())
        .with_paths(PurePaths::new())
        .with_resume(stored.journal_position())
        .build()
        .unwrap();
    let session = again.resume(&stored, id, &trusted, testing::agent()).unwrap();
    match session.delegate(&narrow, reader(2)) {
        Err(OpenError::Refused(reason)) => assert_eq!(reason, Reason::DelegationFanOut),
        other => panic!("{other:?}"),
    }
    here.holds(&[&top, &narrow]);
}

/// Scopes stand on the word of who signs the token: a delegate's key for returns makes no chain of its own.
#[test]
fn a_key_for_returns_hands_nothing_on() {
    let pair = pair(READER, "[]");
    let (to, reader) = agent(&format!("{READER}/1"));
    let token = pair.token(&to).unwrap();
    let forged = DelegationToken::sign(token.delegation(), &signing_key(53)).unwrap();
    pair.refused(&forged, reader.clone(), Reason::DelegationIssuer);
    let far = pair.there.authorizer.open_delegated(&token, reader).unwrap();
    let returned = far.sign_return(true, &signing_key(53)).unwrap();
    pair.session.take_return(&token, returned.as_str().as_bytes()).unwrap();
}

#[test]
fn the_rate_is_handed_over_once() {
    let mut pair = pair(READER, "[]");
    pair.limit(|limits| {
        limits.per_minute = Some(15);
        limits.denials = Some(50);
    });
    let (to, _) = agent(&format!("{READER}/1"));
    pair.token(&to).unwrap();
    match pair.token(&to) {
        Err(HandoverError::Act(error)) => assert_eq!(error.reason(), Some(Reason::LimitRate)),
        other => panic!("{other:?}"),
    }
    for _ in 0..5 {
        assert!(read(&pair.session, "src/a.rs").is_empty());
    }
    assert_eq!(read(&pair.session, "src/a.rs"), [Reason::LimitRate]);
    pair.here.holds(&[&pair.top, &pair.narrow]);
}
