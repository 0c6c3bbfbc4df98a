//! Tests of the room as a whole; [`Story`] writes histories with fixed keys.

#![expect(clippy::string_slice, reason = "the lines that are taken apart here are ASCII")]

mod crash;
mod evidence;
mod evidence_vectors;
mod forgery;
mod interop;
mod keys;
mod labels;
mod properties;
mod tampering;
mod vectors;

use std::sync::LazyLock;

use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::digest::Digest;
use crate::hex;
use crate::time::Timestamp;

pub(super) const IDENTITY: [u8; 32] = [1; 32];
pub(super) const EPOCHS: [[u8; 32]; 3] = [[2; 32], [12; 32], [22; 32]];
pub(super) const SECRET: [u8; 32] = [3; 32];
pub(super) const START: u64 = 1_795_428_000_000;

pub(super) fn digest(name: &str) -> Digest {
    Digest::of("countersign test", name.as_bytes())
}

pub(super) fn identity() -> IdentityKey {
    IdentityKey::from_seed(&IDENTITY)
}

pub(super) fn trusted() -> TrustedKey {
    static KEY: LazyLock<TrustedKey> =
        LazyLock::new(|| TrustedKey::from_bytes(&identity().public_key()).expect("a sound key"));
    *KEY
}

pub(super) fn session(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

pub(super) fn counters(actions: u64) -> Counters<'static> {
    Counters::new(vec![("actions".into(), actions), ("denials".into(), 0)]).expect("sorted")
}

pub(super) fn texts(texts: &[&'static str]) -> Vec<Text<'static>> {
    texts.iter().map(|text| Text::Borrowed(*text)).collect()
}

/// An authorizer with one session, and all that it stored.
pub(super) struct Story {
    pub(super) journal: Journal,
    pub(super) chain: SessionChain,
    pub(super) lines: Vec<String>,
    pub(super) now: u64,
    pub(super) scope: [Digest; 2],
    /// The labels of the next call.
    pub(super) labels: &'static [&'static str],
}

impl Story {
    pub(super) fn new(signing: Signing) -> Self {
        let start = Timestamp::from_millis(START);
        let (mut journal, epoch) =
            Journal::start(&identity(), &EPOCHS[0], signing, start).expect("an epoch");
        let scope = [digest("root scope"), digest("task scope")];
        let (chain, begin) = begin(&journal, session(4), &scope, START + 1);
        let open = journal
            .open(chain.session(), AGENT, begin.link(), Timestamp::from_millis(START + 1))
            .expect("an open");
        let lines = [epoch, open, begin].map(|line| line.as_str().to_owned()).to_vec();
        Self { journal, chain, lines, now: START + 1, scope, labels: &[] }
    }

    /// A story whose session has `count` lines, all kinds among them, and a head over them all.
    pub(super) fn of(count: u64, signing: Signing) -> Self {
        let mut story = Self::new(signing);
        while story.chain.lines() < count {
            match (story.chain.lines() % 7, count - story.chain.lines()) {
                (1, _) => story.call(&[(Domain::Data, &[Verdict::Allow])]),
                (2, _) => story.outcome(story.chain.next_call() - 1, OutcomeStatus::Succeeded),
                (3, 3..) => story.call(&[
                    (Domain::Application, &[Verdict::Deny]),
                    (Domain::Infrastructure, &[Verdict::Allow, Verdict::Defer]),
                    (Domain::Workload, &[Verdict::Deny]),
                ]),
                (6, _) => story.resume_in_place(),
                _ => story.call(&[(Domain::Workload, &[Verdict::Defer])]),
            }
        }
        story.head();
        story
    }

    pub(super) fn tick(&mut self) -> Timestamp {
        self.now += 5;
        Timestamp::from_millis(self.now)
    }

    pub(super) fn push(&mut self, group: impl Into<Group>) {
        self.lines.extend(group.into().lines.iter().map(|line| line.as_str().to_owned()));
    }

    pub(super) fn group(&mut self, domains: &[(Domain, &[Verdict])]) -> Group {
        let time = self.tick();
        let policies = ["forbid.tunnels".into(), "permit.tests".into()];
        let reasons = ["policy.forbid".into()];
        let labels = texts(self.labels);
        let effects: Vec<Vec<EffectRecord<'_>>> = domains
            .iter()
            .map(|(_, verdicts)| verdicts.iter().map(|v| effect(*v, &policies, &reasons)).collect())
            .collect();
        let domains: Vec<DomainRecord<'_>> = domains
            .iter()
            .zip(&effects)
            .map(|((domain, _), effects)| DomainRecord { domain: *domain, effects })
            .collect();
        let allowed =
            domains.iter().all(|d| d.effects.iter().all(|e| e.decision == Verdict::Allow));
        let call = CallRecord {
            about: about(&self.scope),
            kind: "Exec",
            action: r#"{"argv":["ssh","-R","0:localhost:22","203.0.113.9"]}"#,
            facts: r#"{"labels":[],"now":1795428000000}"#,
            bundle: digest("bundle"),
            domains: &domains,
            approvals: &[],
            after: counters(self.chain.next_call()),
            labels: &labels,
            cause: None,
            permit_until: allowed.then(|| Timestamp::from_millis(self.now + 30_000)),
            traceparent: None,
            txn: Some("txn-7"),
            time,
        };
        let key = self.journal.epoch_key().clone();
        self.chain.append_call(&key, &call).expect("a call")
    }

    pub(super) fn call(&mut self, domains: &[(Domain, &[Verdict])]) {
        let group = self.group(domains);
        self.push(group);
    }

    pub(super) fn allow(&mut self) {
        self.call(&[(Domain::Data, &[Verdict::Allow])]);
    }

    pub(super) fn outcome(&mut self, call: u64, status: OutcomeStatus) {
        let time = self.tick();
        let key = self.journal.epoch_key().clone();
        let record = OutcomeRecord {
            call,
            status,
            result: (status != OutcomeStatus::Unfinished).then_some("{\"exit\":0}"),
            duration_ms: 12,
            after: counters(call),
            time,
        };
        let group = self.chain.append_outcome(&key, &record).expect("an outcome");
        self.push(group);
    }

    /// Resumes within the same process, as after a failed store.
    pub(super) fn resume_in_place(&mut self) {
        let position = self.linked().session_position(self.chain.session()).expect("open");
        let time = self.tick();
        let key = self.journal.epoch_key().clone();
        let (chain, line) =
            SessionChain::resume(&key, &position, &SECRET, Openings::Keep, time).expect("a resume");
        self.chain = chain;
        self.push(line);
    }

    /// Restarts the authorizer from what is stored: a new epoch, and the session goes on in it.
    pub(super) fn restart(&mut self) {
        let verified = self.linked();
        let time = self.tick();
        let position = verified.journal_position();
        let seed = &EPOCHS[usize::try_from(position.epoch).expect("small") % EPOCHS.len()];
        let (journal, line) =
            Journal::resume(&position, &identity(), seed, verified.journal.signing, time)
                .expect("an epoch");
        self.journal = journal;
        self.push(line);
        self.resume_in_place();
    }

    pub(super) fn head(&mut self) {
        let time = self.tick();
        let line = self.journal.head(&self.chain.session_head(), time).expect("a head");
        self.push(line);
    }

    pub(super) fn end(&mut self, status: EndStatus) {
        let time = self.tick();
        let key = self.journal.epoch_key().clone();
        let line = self.chain.end(&key, status, time).expect("an end");
        self.push(line);
    }

    pub(super) fn close(&mut self, status: EndStatus) {
        let time = self.tick();
        let line = self.journal.close(&self.chain.session_head(), status, time).expect("a close");
        self.push(line);
    }

    pub(super) fn verified(&self) -> Verified {
        verify(&self.lines).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As `verified`, without the signatures: enough to go on, and a hundred times as fast.
    pub(super) fn linked(&self) -> Verified {
        verify_links(&self.lines).unwrap_or_else(|error| panic!("{error}"))
    }
}

pub(super) const AGENT: &str = "spiffe://example.org/agent/coder/7";

pub(super) fn about(scope: &[Digest]) -> About<'_> {
    About {
        agent: AGENT,
        on_behalf_of: "user:dana@example.org",
        owner: "user:dana@example.org",
        task: "fix-login-timeout",
        scope,
    }
}

pub(super) fn begin(
    journal: &Journal,
    session: SessionId,
    scope: &[Digest],
    time: u64,
) -> (SessionChain, Line) {
    let record = BeginRecord {
        about: about(scope),
        bundle: digest("bundle"),
        schema: digest("schema"),
        expires: Timestamp::from_millis(START + 7_200_000),
        time: Timestamp::from_millis(time),
    };
    SessionChain::begin(journal.epoch_key(), session, &SECRET, Openings::Keep, &record)
        .expect("a session")
}

fn effect<'a>(
    decision: Verdict,
    policies: &'a [Text<'a>],
    reasons: &'a [Text<'a>],
) -> EffectRecord<'a> {
    EffectRecord {
        decision,
        kind: "Tunnel",
        value: r#"{"host":"203.0.113.9","port":22}"#,
        policies,
        provenance: "shell",
        quorums: &[],
        reasons,
        reversibility: Reversibility::Irreversible,
    }
}

fn record<'a>(scope: &'a [Digest], domains: &'a [DomainRecord<'a>]) -> CallRecord<'a> {
    CallRecord {
        about: about(scope),
        kind: "Exec",
        action: "{}",
        facts: "{}",
        bundle: digest("bundle"),
        domains,
        approvals: &[],
        after: counters(1),
        labels: &[],
        cause: None,
        permit_until: None,
        traceparent: None,
        txn: None,
        time: Timestamp::from_millis(START + 10),
    }
}

pub(super) fn ndjson(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Verifies on one thread and on three, which must find the same.
pub(super) fn verify(lines: &[String]) -> Result<Verified, VerifyError> {
    verify_at(Depth::EverySignature, lines)
}

pub(super) fn verify_at(depth: Depth, lines: &[String]) -> Result<Verified, VerifyError> {
    let verifier = Verifier::new(trusted()).depth(depth);
    let file = ndjson(lines);
    let found = verifier.verify(file.as_bytes());
    let threads = std::num::NonZero::new(3).expect("three");
    let again = verifier.threads(threads).verify(file.as_bytes());
    assert_eq!(format!("{found:?}"), format!("{again:?}"));
    found
}

pub(super) fn verify_links(lines: &[String]) -> Result<Verified, VerifyError> {
    Verifier::new(trusted()).depth(Depth::LinksOnly).verify(ndjson(lines).as_bytes())
}

/// Verifies `lines` and expects `check` to fail at line `at` (from 1; 0 is the end of the file).
#[track_caller]
pub(super) fn refused(lines: &[String], check: Check, at: usize) {
    let error = match verify(lines) {
        Ok(verified) => panic!("expected `{check}` to fail: {verified}"),
        Err(error) => error,
    };
    let line = usize::try_from(error.line().unwrap_or(0)).expect("small");
    assert_eq!((error.check(), line), (check, at), "{error}");
    let from = std::panic::Location::caller().file();
    if ["forgery.rs", "labels.rs"].iter().any(|file| from.ends_with(file)) {
        vectors::hold_attack(&ndjson(lines), &error);
    }
}

/// Changes the body of `line` and signs it again with `seed`, as a producer that lies would.
pub(super) fn reseal(line: &str, seed: &[u8; 32], edit: impl Fn(&str) -> String) -> String {
    let (kind, rest) = line[2..].split_once("\":").expect("a kind");
    let (body, signed) = match rest.rsplit_once(",\"sig\":") {
        Some((body, _)) => (body, true),
        None => (&rest[..rest.len() - 1], false),
    };
    let edited = edit(body);
    assert_ne!(edited, body, "the edit changes nothing");
    if !signed {
        return format!("{{\"{kind}\":{edited}}}");
    }
    let message = format!("countersign {kind} v1\n{edited}");
    let signature = SigningKey::from_bytes(seed).sign(message.as_bytes());
    format!("{{\"{kind}\":{edited},\"sig\":\"{}\"}}", hex::text(&signature.to_bytes()))
}

#[test]
fn a_whole_story_verifies_and_is_told() {
    for signing in [Signing::Every, Signing::Heads] {
        let mut story = Story::of(12, signing);
        story.restart();
        story.call(&[(Domain::Application, &[Verdict::Allow]), (Domain::Data, &[Verdict::Allow])]);
        story.outcome(story.chain.next_call() - 1, OutcomeStatus::Failed);
        story.allow();
        story.end(EndStatus::Finished);
        story.close(EndStatus::Finished);
        let verified = story.verified();
        let report = verified.session(session(4)).expect("the session");
        assert_eq!(report.lines, story.chain.lines());
        assert_eq!(report.proven_lines, report.lines);
        assert_eq!((report.ended, report.closed), (Some(EndStatus::Finished), report.ended));
        assert_eq!(report.pending, [story.chain.next_call() - 1]);
        assert_eq!(report.calls, report.allowed + report.deferred + report.denied);
        assert_eq!(report.resumed, 2);
        assert_eq!(report.head, story.chain.head());
        assert_eq!(report.agent, AGENT);
        assert_eq!(report.after, Some(counters(story.chain.next_call() - 1)));
        assert_eq!(verified.journal_position(), *story.journal.position());
        assert_eq!(verified.journal_position().epoch, 2);
        assert_eq!(verified.anchor, Anchor::Unanchored);
        assert_eq!(verified.session_position(session(4)), None);
        assert!(verified.to_string().contains("cut off the end"), "{verified}");
        let links = verify_links(&story.lines).expect("links hold");
        assert_eq!(links.session(session(4)).expect("the session").proven_lines, 0);
        assert!(links.to_string().contains("no signature was verified"));
    }
}

#[test]
fn heads_alone_prove_what_they_count() {
    let mut story = Story::of(9, Signing::Heads);
    story.allow();
    let verified = story.verified();
    let report = verified.session(session(4)).expect("the session");
    assert_eq!((report.lines, report.proven_lines), (10, 9));
}

#[test]
fn chains_are_small() {
    assert!(size_of::<SessionChain>() <= 300, "{}", size_of::<SessionChain>());
    fn shared<T: Send + Sync + std::fmt::Debug>() {}
    shared::<SessionChain>();
    shared::<Journal>();
    shared::<FileSink>();
    shared::<MemorySink>();
    shared::<Turnstile>();
    shared::<Ticket>();
    shared::<Verifier>();
    shared::<Verified>();
    shared::<VerifyError>();
}

#[test]
fn openings_open_what_the_receipt_commits_to() {
    let mut story = Story::new(Signing::Every);
    let group = story.group(&[
        (Domain::Data, &[Verdict::Allow, Verdict::Allow]),
        (Domain::Workload, &[Verdict::Deny]),
    ]);
    let names: Vec<&str> = group.openings.iter().map(Opening::name).collect();
    assert_eq!(
        names,
        ["action", "facts", "effects/data/0", "effects/data/1", "effects/workload/0"]
    );
    for line in &group.lines {
        let parsed = line.parsed().expect("a line");
        let Body::Receipt(receipt) = &parsed.body else { panic!("a receipt") };
        let commits = receipt.effects.iter().map(|effect| effect.commit);
        let all: Vec<Digest> =
            [receipt.action.commit, receipt.facts].into_iter().chain(commits).collect();
        let own = |opening: &&Opening| {
            let name = opening.name();
            !name.starts_with("effects/") || name.contains(receipt.domain.as_str())
        };
        for (opening, commit) in group.openings.iter().filter(own).zip(&all) {
            assert!(opening.check(commit), "{opening:?}");
            assert_eq!(Opening::parse(&opening.to_line()).as_ref(), Ok(opening));
        }
    }
    let text = group.lines.iter().map(Line::as_str).collect::<String>();
    assert!(!text.contains("203.0.113.9"));
}

#[test]
fn a_writer_refuses_what_a_verifier_would() {
    let mut story = Story::new(Signing::Every);
    let key = story.journal.epoch_key().clone();
    let scope = story.scope;
    let policies = ["a".into(), "b".into()];
    let unsorted = ["b".into(), "a".into()];
    let good = [effect(Verdict::Allow, &policies, &[])];
    let bad = [effect(Verdict::Allow, &unsorted, &[])];
    let nameless = [EffectRecord { kind: "", ..good[0] }];
    let long = "x".repeat(MAX_TEXT + 1);
    let on = |domain, effects| DomainRecord { domain, effects };
    let (data, workload) = (on(Domain::Data, &good), on(Domain::Workload, &good));
    let before = (story.chain.lines(), story.chain.head());
    for domains in [
        vec![],
        vec![workload, data],
        vec![data, data],
        vec![on(Domain::Data, &[])],
        vec![on(Domain::Data, &bad)],
        vec![data, on(Domain::Workload, &nameless)],
    ] {
        assert!(story.chain.append_call(&key, &record(&scope, &domains)).is_err(), "{domains:?}");
    }
    for edit in [
        (|call| call.time = Timestamp::from_millis(START)) as fn(&mut CallRecord<'_>),
        |call| call.about.scope = &[],
        |call| call.about.owner = "",
    ] {
        let domains = [data];
        let mut call = record(&scope, &domains);
        edit(&mut call);
        assert!(story.chain.append_call(&key, &call).is_err());
    }
    let mut call = record(&scope, std::slice::from_ref(&data));
    call.txn = Some(&long);
    assert!(story.chain.append_call(&key, &call).is_err());
    for labels in [
        texts(&["b", "a"]),
        texts(&["a", "a"]),
        texts(&["a", "Z"]),
        texts(&[""]),
        vec!["x".repeat(MAX_LABEL + 1).into()],
        (0..=MAX_LABELS).map(|n| format!("{n:03}").into()).collect(),
    ] {
        let mut call = record(&scope, std::slice::from_ref(&data));
        call.labels = &labels;
        let error = story.chain.append_call(&key, &call).expect_err("bad labels");
        assert!(matches!(error, WriteError::Value(Kind::Receipt)), "{labels:?}: {error}");
    }
    assert_eq!((story.chain.lines(), story.chain.head()), before);
    let outcome = OutcomeRecord {
        call: 1,
        status: OutcomeStatus::Unused,
        result: None,
        duration_ms: 0,
        after: counters(0),
        time: Timestamp::from_millis(START + 10),
    };
    assert!(story.chain.append_outcome(&key, &outcome).is_err());
    assert!(story.chain.append_call(&key, &record(&scope, &[data, workload])).is_ok());
    story.now += 10;
    story.end(EndStatus::Dropped);
    assert!(story.chain.append_call(&key, &record(&scope, &[data])).is_err());
    assert!(Counters::new(vec![("b".into(), 1), ("a".into(), 1)]).is_none());
    assert!(Counters::new(vec![("ä".into(), 1)]).is_none());
    let other = IdentityKey::from_seed(&[9; 32]);
    let position = story.journal.position().clone();
    let time = Timestamp::from_millis(story.now);
    assert!(Journal::resume(&position, &other, &EPOCHS[1], Signing::Every, time).is_err());
    assert!(!format!("{:?} {:?}", identity(), story.chain).contains("01010101"));
}
