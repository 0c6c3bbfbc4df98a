//! An authorizer with people, a bundle that asks them, and a hook: what happens at it is verified and
//! replayed at the end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{Action, Domain, EffectContext, Effects, SendMessage, WriteData};
use countersign::audit::replay::{OpeningMap, ReplayReport, Replayer};
use countersign::authorizer::{Finding, FindingHook, FindingKind};
use countersign::entropy::{Entropy, EntropyError};
use countersign::governance::approval::{Ballot, Vote};
use countersign::governance::{
    Approval, ApprovalRequest, Declassification, DeclassificationDraft, Directory, Elevation,
    ElevationDraft, Fragment, RevocationDraft, RevocationList, Revoked, StandingDraft,
    StandingGrant, VerifiedRevocations,
};
use countersign::identity::{SpiffeId, VerifiedIdentity};
use countersign::policy::Enforced;
use countersign::receipt::{MemorySink, Opening, SessionId, Verified, Verifier};
use countersign::scope::{Descriptor, Scope};
use countersign::session::{Act, ActError, Acted};
use countersign::testing::{self, TestClock, TestEntropy};
use countersign::time::Timestamp;
use countersign::value::Value;
use countersign::{Authorizer, Decision, Reason, Session, Sink};

use super::gate::{self, Bundle};
use super::people::{self, OWNER, PEOPLE, REQUESTER, key};

/// Writes need `sre`, deletes two of `security`, messages `sre`; what is secret keeps from connecting.
pub(crate) const POLICIES: &str = r#"
    @id("ask-write") forbid(principal, action == Action::"WriteData", resource)
        unless { context.approvals.contains("sre") };
    @id("ask-delete") forbid(principal, action == Action::"DeleteData", resource)
        unless { context.approvals.contains("security") };
    @id("ask-message") forbid(principal, action == Action::"SendMessage", resource)
        unless { context.approvals.contains("sre") };
    @id("secret") forbid(principal, action == Action::"Connect", resource)
        when { context.labels.contains("secret") };"#;

pub(crate) const MANIFEST: &str = r#"{"bundle": "countersign/bundle/v1", "name": "test",
    "quorums": [{"name": "sre", "roles": ["sre"], "of": 1},
                {"name": "security", "roles": ["security"], "of": 2, "owner": "counts"}],
    "elevation": {"quorum": "sre", "minutes": 60}, "break_glass": {"quorum": "sre", "minutes": 15},
    "declassification": {"quorum": "security", "minutes": 30}}"#;

pub(crate) fn bundle(policies: &str) -> Enforced {
    let bundle = Bundle::but(policies).with_file("manifest.json", MANIFEST);
    bundle.load().unwrap_or_else(|error| panic!("{error:?}"))
}

/// The bundle of these tests, loaded once.
pub(crate) fn asking() -> Enforced {
    static LOADED: std::sync::OnceLock<Enforced> = std::sync::OnceLock::new();
    LOADED.get_or_init(|| bundle(POLICIES)).clone()
}

/// The same with one policy more, which changes no answer of these tests.
pub(crate) fn other() -> Enforced {
    static LOADED: std::sync::OnceLock<Enforced> = std::sync::OnceLock::new();
    let more = r#"@id("none") forbid(principal, action == Action::"StartTraining", resource);"#;
    LOADED.get_or_init(|| bundle(&format!("{POLICIES}\n{more}"))).clone()
}

/// A scope for a class of agents, which may be handed on; `user:cy` owns it, for `user:dee`.
pub(crate) fn descriptor(agent: &str, depth: u64) -> Descriptor {
    let mut scope = testing::descriptor();
    scope.owner = OWNER.into();
    scope.on_behalf_of = Some(REQUESTER.into());
    scope.agent = format!("spiffe://example.org/agent/{agent}");
    scope.touch.read = vec!["/srv/web/**".into(), "table:crm.*".into()];
    scope.touch.write = vec!["/srv/web/**".into(), "table:crm.*".into()];
    scope.touch.delete = vec!["table:crm.*".into()];
    scope.touch.secrets = vec!["db/*".into()];
    scope.reach.connect = vec!["git.example.org:443".into()];
    scope.actions.messages = vec!["email:*@example.org".into()];
    scope.actions.spawn = vec!["spiffe://example.org/agent".into()];
    scope.limits.actions = Some(500);
    scope.limits.per_minute = Some(500);
    scope.limits.denials = Some(100);
    scope.limits.distinct_targets = Some(500);
    scope.limits.delegation_depth = Some(depth);
    scope
}

pub(crate) fn scope(agent: &str, depth: u64) -> Scope {
    Scope::from_descriptor(&descriptor(agent, depth)).unwrap()
}

pub(crate) fn below(parent: &Scope, mut descriptor: Descriptor) -> Scope {
    descriptor.parent = Some(parent.digest().to_string());
    Scope::from_descriptor(&descriptor).unwrap()
}

pub(crate) fn instance(path: &str) -> VerifiedIdentity {
    spiffe(path).dangerous().assume_verified()
}

pub(crate) fn spiffe(path: &str) -> SpiffeId {
    SpiffeId::parse(&format!("spiffe://example.org/agent/{path}")).unwrap()
}

pub(crate) fn tables(pattern: &str) -> Fragment {
    let mut fragment = Fragment::default();
    fragment.touch.write.push(format!("table:{pattern}"));
    fragment
}

pub(crate) fn reads(pattern: &str) -> Fragment {
    let mut fragment = Fragment::default();
    fragment.touch.read.push(pattern.into());
    fragment
}

/// Writes a table and tells somebody: two effects in two domains.
#[derive(Debug, Clone)]
pub(crate) struct Both(pub(crate) &'static str);

impl Action for Both {
    fn kind(&self) -> std::borrow::Cow<'static, str> {
        "Both".into()
    }

    fn describe(&self) -> Value {
        Value::String(self.0.into())
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        WriteData::table(self.0).effects(context, effects);
        mail().effects(context, effects);
    }
}

pub(crate) fn mail() -> SendMessage {
    SendMessage::new("email", ["ops@example.org"])
}

/// What the hook was told.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Vec<(FindingKind, Option<SessionId>)>>);

#[derive(Debug)]
struct Hook(Arc<Told>);

impl FindingHook for Hook {
    fn found(&self, finding: &Finding<'_>) {
        assert!(finding.to_string().starts_with(finding.kind.as_str()));
        self.0.0.lock().unwrap().push((finding.kind, finding.session));
    }
}

/// Entropy that goes on where it was after a restart.
#[derive(Debug, Clone)]
struct Counter(Arc<TestEntropy>);

impl Entropy for Counter {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(out)
    }
}

/// Everything that a test needs.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) authorizer: Authorizer,
    pub(crate) clock: TestClock,
    pub(crate) sink: Arc<MemorySink>,
    told: Arc<Told>,
    entropy: Counter,
    bundles: Mutex<Vec<Enforced>>,
    scopes: Mutex<Vec<Scope>>,
    version: Mutex<u64>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(asking(), PurePaths::new())
    }

    pub(crate) fn with(bundle: Enforced, paths: PurePaths) -> Self {
        let (clock, sink) = (testing::clock(), Arc::new(MemorySink::new()));
        let (told, entropy) = (Arc::default(), Counter(Arc::default()));
        let authorizer =
            builder(&bundle, &sink, &clock, &entropy, &told).with_paths(paths).build().unwrap();
        let bundles = Mutex::new(vec![bundle]);
        let scopes = Mutex::default();
        Self { authorizer, clock, sink, told, entropy, bundles, scopes, version: Mutex::new(0) }
    }

    /// Another process goes on with the journal.
    pub(crate) fn restart(self) -> (Self, Verified) {
        let stored = self.verify();
        let bundle = self.bundles.lock().unwrap()[0].clone();
        let authorizer = builder(&bundle, &self.sink, &self.clock, &self.entropy, &self.told)
            .with_paths(PurePaths::new())
            .with_resume(stored.journal_position())
            .build()
            .unwrap();
        (Self { authorizer, ..self }, stored)
    }

    pub(crate) fn open(&self, scope: &Scope, path: &str) -> Session {
        self.knows(scope);
        self.authorizer.open(&scope.dangerous().trust_unsigned(), instance(path)).unwrap()
    }

    /// Opens a session of `coder/1` on the scope of these tests.
    pub(crate) fn session(&self) -> Session {
        self.open(&scope("coder", 2), "coder/1")
    }

    /// Delegates to `path` on the scope of these tests for `agent`, or another one.
    pub(crate) fn delegate(&self, parent: &Session, child: &Scope, path: &str) -> Session {
        self.knows(child);
        parent.delegate(child, instance(path)).unwrap()
    }

    pub(crate) fn knows(&self, scope: &Scope) {
        self.scopes.lock().unwrap().push(scope.clone());
    }

    pub(crate) fn reload(&self, bundle: &Enforced) {
        self.bundles.lock().unwrap().push(bundle.clone());
        self.authorizer.reload(bundle);
    }

    pub(crate) fn now(&self) -> Timestamp {
        use countersign::time::Clock as _;
        self.clock.now().unwrap()
    }

    pub(crate) fn after(&self, seconds: u64) -> Timestamp {
        self.now().plus(Duration::from_secs(seconds))
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.clock.advance(seconds * 1000);
    }

    /// Takes what was told so far.
    pub(crate) fn told(&self) -> Vec<FindingKind> {
        std::mem::take(&mut *self.told.0.lock().unwrap()).into_iter().map(|it| it.0).collect()
    }

    pub(crate) fn told_of(&self) -> Vec<(FindingKind, Option<SessionId>)> {
        std::mem::take(&mut *self.told.0.lock().unwrap())
    }

    pub(crate) fn verify(&self) -> Verified {
        Verifier::new(testing::trusted_key()).verify(self.sink.to_ndjson().as_bytes()).unwrap()
    }

    /// The receipts verify, and every call and act of them comes out again.
    #[track_caller]
    pub(crate) fn holds(&self) {
        self.verify();
        let report = self.replay(&self.sink.to_ndjson(), self.sink.openings());
        assert!(report.is_same(), "{report}");
    }

    /// Replays other receipts, or with other openings.
    pub(crate) fn replay(&self, receipts: &str, openings: Vec<Opening>) -> ReplayReport {
        let (bundles, scopes) = (self.bundles.lock().unwrap(), self.scopes.lock().unwrap());
        let replayer = Replayer::new(&bundles[0]);
        let replayer = bundles.iter().skip(1).fold(replayer, Replayer::with_bundle);
        let replayer = scopes.iter().fold(replayer, Replayer::with_scope);
        let openings: OpeningMap = openings.into_iter().collect();
        replayer.replay(receipts.as_bytes(), openings).report()
    }

    /// The acts on all chains, each with what came of it.
    pub(crate) fn acts(&self) -> Vec<String> {
        let lines = self.sink.lines().into_iter();
        let read = |line: countersign::receipt::Line| {
            let line: serde_json::Value = serde_json::from_str(line.as_str()).unwrap();
            let line = &line["receipt"];
            let name = line["action"]["kind"].as_str()?.strip_prefix("countersign.")?.to_owned();
            assert_eq!(line["effects"][0]["kind"], name);
            assert_eq!(line["effects"][0]["decision"], line["call_decision"]);
            assert!(line.get("permit_until").is_none());
            let reason = line["effects"][0]["reasons"][0].as_str().unwrap_or("ok");
            Some(format!("{name} {reason}"))
        };
        lines.filter_map(read).collect()
    }

    #[track_caller]
    pub(crate) fn last_act(&self, expected: &str) {
        assert_eq!(self.acts().last().map(String::as_str), Some(expected));
    }

    /// The lines of the last call or act.
    pub(crate) fn last_line(&self) -> String {
        let lines = self.sink.lines();
        let mut calls = lines.iter().filter(|line| line.as_str().contains("\"call_decision\""));
        calls.next_back().unwrap().as_str().to_owned()
    }

    // What people sign.

    /// Good until something about it is changed.
    pub(crate) fn ballot(&self, domain: Domain, quorum: &'static str, seed: u8) -> Ballot<'static> {
        let approver = PEOPLE.iter().find(|(other, ..)| *other == seed).map_or("user:x", |it| it.1);
        let (at, expires) = (self.now(), self.after(300));
        Ballot { domain, quorum, approver, vote: Vote::Approve, at, expires }
    }

    pub(crate) fn sign(
        &self,
        request: &ApprovalRequest,
        domain: Domain,
        quorum: &'static str,
        seed: u8,
    ) -> Approval {
        Approval::sign(request, self.ballot(domain, quorum, seed), &key(seed)).unwrap()
    }

    pub(crate) fn reject(&self, request: &ApprovalRequest, domain: Domain, seed: u8) -> Approval {
        let ballot = Ballot { vote: Vote::Reject, ..self.ballot(domain, "sre", seed) };
        Approval::sign(request, ballot, &key(seed)).unwrap()
    }

    /// A grant to write tables of `crm` twice, within ten minutes.
    pub(crate) fn standing(&self, session: &Session, chain: &[&Scope]) -> StandingDraft {
        StandingDraft {
            session: session.id(),
            scope: chain.iter().map(|scope| scope.digest()).collect(),
            bundle: self.authorizer.bundle(),
            domain: Domain::Data,
            quorum: "sre".into(),
            uses: 2,
            issued_at: self.now(),
            until: self.after(600),
            grants: tables("crm.*"),
        }
    }

    /// An addition to `scope`: tables of `hr` may be read, for ten minutes.
    pub(crate) fn elevation(&self, scope: &Scope) -> ElevationDraft {
        ElevationDraft {
            task: scope.descriptor().task.as_str().into(),
            scope: scope.digest(),
            grants: reads("table:hr.*"),
            issued_at: self.now(),
            expires: self.after(600),
            justification: "the roster is wrong, ticket 4711".into(),
            break_glass: false,
        }
    }

    pub(crate) fn declassification(
        &self,
        session: &Session,
        chain: &[&Scope],
        label: &str,
    ) -> DeclassificationDraft {
        DeclassificationDraft {
            session: session.id(),
            scope: chain.iter().map(|scope| scope.digest()).collect(),
            label: label.into(),
            justification: "the table was scrubbed, ticket 4712".into(),
            issued_at: self.now(),
            expires: self.after(600),
        }
    }

    /// The next list of the security team.
    pub(crate) fn list(&self, entries: &[Revoked]) -> VerifiedRevocations {
        let mut version = self.version.lock().unwrap();
        *version += 1;
        self.list_of(*version, entries, false)
    }

    pub(crate) fn list_of(
        &self,
        version: u64,
        entries: &[Revoked],
        halt: bool,
    ) -> VerifiedRevocations {
        let draft = RevocationDraft::new("user:sec", version, self.now());
        let draft = entries.iter().cloned().fold(draft, RevocationDraft::revoke);
        let draft = if halt { draft.halt() } else { draft };
        let text = draft.sign(&key(90)).unwrap();
        let list = RevocationList::parse(text.as_bytes()).unwrap();
        list.verify(&self.authorizer.directory(), self.now()).unwrap()
    }

    pub(crate) fn revoke(&self, entry: Revoked) {
        self.authorizer.revoke(&self.list(&[entry])).unwrap();
    }
}

fn builder(
    bundle: &Enforced,
    sink: &Arc<MemorySink>,
    clock: &TestClock,
    entropy: &Counter,
    told: &Arc<Told>,
) -> countersign::authorizer::AuthorizerBuilder<countersign::authorizer::Ready> {
    Authorizer::builder()
        .policy(bundle.clone())
        .identity(testing::identity_key())
        .sink(Sink::blocking(Arc::clone(sink)))
        .with_clock(clock.clone())
        .with_entropy(entropy.clone())
        .with_environment("test")
        .with_directory(directory_without(&[]))
        .with_findings(Hook(Arc::clone(told)))
        .with_observed(["ReadData", "DeleteData", "UseSecret"])
}

/// The people of all tests but for some keys, and `user:sec`, who revokes with key 90.
pub(crate) fn directory_without(seeds: &[u8]) -> Directory {
    let keys = [key(90).trusted().to_string()];
    let sec = format!(r#"{{"id":"user:sec","kind":"human","keys":{keys:?},"revokes":true}}"#);
    people::directory_with(seeds, &[sec])
}

/// The decision as a word; the permit is dropped.
pub(crate) fn ask(session: &Session, action: impl Action) -> String {
    gate::outcome(&session.authorize(action).unwrap())
}

/// Asks people about an action that is deferred, for ten minutes.
#[track_caller]
pub(crate) fn request(site: &Site, session: &Session, action: impl Action) -> ApprovalRequest {
    let deferral = match session.authorize(action).unwrap() {
        Decision::Defer(deferral) => deferral,
        other => panic!("{:?}", other.reasons()),
    };
    session.request_approval(&deferral, site.after(600)).unwrap()
}

pub(crate) fn approve(session: &Session, approval: &Approval) -> Result<Acted, ActError> {
    session.act(Act::Approve(approval.signed().as_str().as_bytes()))
}

pub(crate) fn grant(session: &Session, draft: &StandingDraft, seed: u8) -> Result<Acted, ActError> {
    let grant = StandingGrant::sign(draft, &key(seed)).unwrap();
    session.act(Act::Grant(grant.signed().as_str().as_bytes()))
}

pub(crate) fn elevate(
    session: &Session,
    draft: &ElevationDraft,
    seed: u8,
) -> Result<Acted, ActError> {
    let elevation = Elevation::sign(draft, &key(seed)).unwrap();
    session.act(Act::Elevate(elevation.signed().as_str().as_bytes()))
}

pub(crate) fn declassify(
    session: &Session,
    draft: &DeclassificationDraft,
    seeds: &[u8],
) -> Result<Acted, ActError> {
    let signed: Vec<_> =
        seeds.iter().map(|seed| Declassification::sign(draft, &key(*seed)).unwrap()).collect();
    let texts: Vec<&[u8]> = signed.iter().map(|it| it.signed().as_str().as_bytes()).collect();
    session.act(Act::Declassify(&texts))
}

/// The code of a refusal; empty where it was accepted.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, ActError>) -> &'static str {
    match result {
        Ok(_) => "",
        Err(error) => error.reason().map(Reason::code).unwrap_or_else(|| panic!("{error:?}")),
    }
}
