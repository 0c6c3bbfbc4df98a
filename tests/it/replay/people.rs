//! What calls rest on that people gave, held against the acts before them on the chain.

use countersign::action::WriteData;
use countersign::audit::replay::{History, ReplayReport};
use countersign::digest::Digest;
use countersign::governance::approval::Vote;
use countersign::governance::{Approval, StandingGrant};
use countersign::receipt::SessionId;

use super::*;
use crate::support::people::{OWNER, key};
use crate::support::site::{
    Both, Site, approve, ask, below, code, declassify, descriptor, elevate, grant, mail, request,
    scope,
};

fn write() -> WriteData {
    WriteData::table("crm.orders")
}

fn connect() -> Connect {
    Connect::new("git.example.org", 443)
}

/// What somebody shows who holds the keys, and can commit to anything.
struct Shown {
    lines: Vec<String>,
    openings: Vec<Opening>,
}

impl Shown {
    fn of(site: &Site) -> Self {
        let lines = site.sink.lines().iter().map(|line| line.as_str().to_owned()).collect();
        Self { lines, openings: site.sink.openings() }
    }

    fn report(&self, site: &Site) -> ReplayReport {
        let text: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        site.replay(&text, self.openings.clone())
    }

    /// Whether a line is of this call of this session.
    fn is_of(line: &str, session: SessionId, call: u64) -> bool {
        let own = line.contains(&format!("\"session\":\"{session}\""));
        own && line.contains(&format!("\"call\":{call},"))
    }

    /// Takes the lines of one call out, and puts them at the end.
    fn without(mut self, session: SessionId, call: u64) -> (Self, Vec<String>) {
        let of = |line: &String| Self::is_of(line, session, call);
        let (taken, lines) = self.lines.into_iter().partition(of);
        self.lines = lines;
        (self, taken)
    }

    fn edit(mut self, session: SessionId, call: u64, from: &str, to: &str) -> Self {
        let mut edited = false;
        for line in self.lines.iter_mut().filter(|line| Self::is_of(line, session, call)) {
            let text = line.replace(from, to);
            edited |= text != *line;
            *line = text;
        }
        assert!(edited, "{from}");
        self
    }

    fn value(&self, session: SessionId, call: u64, name: &str) -> String {
        let own = |opening: &&Opening| {
            (opening.session(), opening.call(), opening.name()) == (session, call, name)
        };
        self.openings.iter().find(own).unwrap().value().to_owned()
    }

    /// Commits to another value (receipt-format §7).
    fn commit(self, session: SessionId, call: u64, name: &str, value: &str) -> Self {
        let own = |opening: &Opening| {
            (opening.session(), opening.call(), opening.name()) == (session, call, name)
        };
        let at = self.openings.iter().position(own).unwrap();
        let old = &self.openings[at];
        let text = |text: &str| Value::from(text).to_canonical();
        let written = old.to_line().replace(&text(old.value()), &text(value));
        let salt = written.split_once("\"salt\":\"").unwrap().1;
        let salt = Digest::parse_hex(&salt[..64]).unwrap();
        let commit = |value: &str| {
            let message = format!("countersign commitment v1\n{name}\n{value}");
            blake3::keyed_hash(salt.as_bytes(), message.as_bytes()).to_hex().to_string()
        };
        let (from, to) = (commit(old.value()), commit(value));
        let mut shown = self.edit(session, call, &from, &to);
        shown.openings[at] = Opening::parse(&written).unwrap();
        shown
    }

    /// Puts another document in the place of the one that an act brought.
    fn bring(self, session: SessionId, call: u64, value: &str) -> Self {
        let shown = self.commit(session, call, "action", value);
        shown.commit(session, call, "effects/application/0", value)
    }
}

/// The differences of the one call that has any.
#[track_caller]
fn only(report: &ReplayReport, call: u64) -> Vec<(What, String, String)> {
    assert_eq!((report.findings.len(), report.failed), (1, 0), "{report}");
    assert_eq!(report.findings[0].call, call, "{report}");
    let replayed = report.findings[0].result.as_ref().unwrap();
    let said = |it: &Difference| (it.what(), it.recorded().to_owned(), it.replayed().to_owned());
    replayed.differences().iter().map(said).collect()
}

/// A call of a table, asked for (1), requested (2), approved (3), and allowed (4); with the approval's id.
fn approved() -> (Site, Session, Approval) {
    let site = Site::new();
    let session = site.session();
    let asked = request(&site, &session, write());
    let approval = site.sign(&asked, DATA, "sre", 3);
    assert_eq!(code(approve(&session, &approval)), "");
    assert_eq!(ask(&session, write()), "allow");
    site.holds();
    (site, session, approval)
}

const DATA: countersign::action::Domain = countersign::action::Domain::Data;

#[test]
fn an_approval_that_no_act_brought_is_a_difference() {
    let (site, session, approval) = approved();
    let (id, session) = (approval.id().to_string(), session.id());
    let missing = vec![
        (What::Brought, id.clone(), String::new()),
        (What::BroughtQuorum, "sre".to_owned(), String::new()),
    ];
    // The approval is not there, or comes after the call.
    let (shown, taken) = Shown::of(&site).without(session, 3);
    assert_eq!(taken.len(), 2);
    assert_eq!(only(&shown.report(&site), 4), missing);
    let mut late = shown;
    let at = late.lines.len() - 1;
    late.lines.splice(at..at, taken);
    let report = late.report(&site);
    let call = report.findings[0].result.as_ref().unwrap();
    assert_eq!(found(call.differences(), What::Brought).recorded(), id, "{report}");
    // Nobody was asked: neither does the approval fit then.
    let (shown, _) = Shown::of(&site).without(session, 2);
    let report = shown.report(&site);
    assert_eq!((report.same, report.different), (1, 2), "{report}");
    assert!(
        report.to_string().contains(
            "the call: its act is recorded as `accepted`; \
         what stands before it refuses it with `approval.unknown_request`"
        ),
        "{report}"
    );
    assert!(
        report.to_string().contains(&format!(
            "the call: its approval is recorded as `{id}`; the acts before bring none"
        )),
        "{report}"
    );
    assert!(report.to_string().contains(
        "the data line: its quorum that approved is recorded as `sre`; the acts before bring none"
    ), "{report}");
    // The line names another approval, person or quorum than the one that came.
    let zeros = "0".repeat(64);
    let shown = Shown::of(&site).edit(session, 4, &id, &zeros);
    assert_eq!(only(&shown.report(&site), 4)[0], (What::Brought, zeros, String::new()));
    let shown = Shown::of(&site).edit(session, 4, "user:ben", "user:ann");
    let wrong = (What::Brought, id.clone(), "approval.wrong_person".to_owned());
    assert_eq!(only(&shown.report(&site), 4), [wrong]);
}

#[test]
fn an_approval_is_of_one_action_and_one_call() {
    let (site, session, approval) = approved();
    let (id, session) = (approval.id().to_string(), session.id());
    // The very same lines again, as somebody may write who has no other.
    let mut twice = Shown::of(&site);
    let again: Vec<String> =
        twice.lines.iter().filter(|line| Shown::is_of(line, session, 4)).take(1).cloned().collect();
    let at = twice.lines.iter().rposition(|line| Shown::is_of(line, session, 4)).unwrap() + 1;
    twice.lines.splice(at..at, again);
    let found = only(&twice.report(&site), 4);
    assert!(found.contains(&(What::Brought, id.clone(), "approval.used".to_owned())), "{found:?}");
    assert!(found.contains(&(What::BroughtQuorum, "sre".to_owned(), String::new())));

    // The kind of the action is part of what was approved, and so is what it says of itself.
    let site = Site::new();
    let session = site.session();
    let both = || Both("crm.orders");
    let asked = request(&site, &session, both());
    for domain in [DATA, countersign::action::Domain::Application] {
        assert_eq!(code(approve(&session, &site.sign(&asked, domain, "sre", 3))), "");
    }
    assert_eq!(ask(&session, both()), "allow");
    site.holds();
    let session = session.id();
    let wrong = |found: Vec<(What, String, String)>| {
        found.iter().filter(|it| it.0 == What::Brought && it.2 == "approval.wrong_action").count()
    };
    let shown = Shown::of(&site).edit(session, 5, "\"kind\":\"Both\"", "\"kind\":\"Harmless\"");
    assert_eq!(wrong(only(&shown.report(&site), 5)), 2);
    let shown = Shown::of(&site).commit(session, 5, "action", "\"crm.other\"");
    assert_eq!(wrong(only(&shown.report(&site), 5)), 2);
    // Where it was erased nobody can tell.
    let mut shown = Shown::of(&site);
    shown.openings.retain(|opening| opening.call() != 5 || opening.name() != "action");
    assert!(shown.report(&site).is_same());
}

#[test]
fn quorums_take_as_many_people_as_they_do() {
    let site = Site::new();
    let session = site.session();
    let delete = || countersign::action::DeleteData::table("crm.orders");
    let asked = request(&site, &session, delete());
    let vote = |seed| approve(&session, &site.sign(&asked, DATA, "security", seed));
    assert_eq!((code(vote(1)), code(vote(3))), ("", ""));
    assert_eq!(ask(&session, delete()), "allow");
    site.holds();
    let id = session.id();
    for call in [3, 4] {
        let (shown, _) = Shown::of(&site).without(id, call);
        let found = only(&shown.report(&site), 5);
        let quorum = (What::BroughtQuorum, "security".to_owned(), String::new());
        assert_eq!(found[1], quorum);
        assert_eq!(found.len(), 2);
    }
    // A rejection takes away what was approved.
    let site = Site::new();
    let session = site.session();
    let asked = request(&site, &session, write());
    let good = site.sign(&asked, DATA, "sre", 3);
    assert_eq!(code(approve(&session, &site.sign(&asked, DATA, "sre", 1))), "");
    assert_eq!(code(approve(&session, &good)), "");
    assert_eq!(ask(&session, write()), "allow");
    site.holds();
    let ballot = countersign::governance::approval::Ballot {
        vote: Vote::Reject,
        ..site.ballot(DATA, "sre", 1)
    };
    let no = Approval::sign(&asked, ballot, &key(1)).unwrap();
    let shown = Shown::of(&site).bring(session.id(), 3, no.signed().as_str());
    let report = shown.report(&site);
    assert_eq!(report.different, 2, "{report}");
    assert!(report.to_string().contains("refuses it with `approval.rejected`"), "{report}");
}

#[test]
fn nobody_outside_of_a_quorum_counts_for_it() {
    let (site, session, approval) = approved();
    // The owner of the task signs, and a host that should not have accepted it says that it did.
    let asked = Shown::of(&site).value(session.id(), 2, "action");
    let asked = countersign::governance::ApprovalRequest::parse(asked.as_bytes()).unwrap();
    let own = site.sign(&asked, DATA, "sre", 4);
    assert_eq!(own.approver(), OWNER);
    let shown = Shown::of(&site)
        .bring(session.id(), 3, own.signed().as_str())
        .edit(session.id(), 4, &approval.id().to_string(), &own.id().to_string())
        .edit(session.id(), 4, "user:ben", OWNER);
    let quorum = (What::BroughtQuorum, "sre".to_owned(), String::new());
    assert_eq!(only(&shown.report(&site), 4), [quorum]);
}

#[test]
fn what_an_act_brought_must_be_what_it_says() {
    let (site, session, approval) = approved();
    let id = session.id();
    let brings = |value: &str, code: &str| {
        let report = Shown::of(&site).bring(id, 3, value).report(&site);
        assert_eq!((report.different, report.failed), (2, 0), "{report}");
        assert!(report.to_string().contains(&format!("refuses it with `{code}`")), "{report}");
    };
    let text = approval.signed().as_str();
    brings(&text.replace("user:ben", "user:ann"), "approval.malformed");
    brings("null", "approval.malformed");
    brings("{\"bytes\":7,\"digest\":\"\"}", "approval.malformed");
    let second = site.session();
    let asked = request(&site, &second, write());
    brings(site.sign(&asked, DATA, "sre", 3).signed().as_str(), "approval.wrong_session");
    // What is said openly of an act, and that both openings hold one value.
    let check = |from: &str, to: &str, what: What| {
        let report = Shown::of(&site).edit(id, 3, from, to).report(&site);
        assert_eq!(only(&report, 3)[0].0, what);
    };
    check("\"provenance\":\"user\"", "\"provenance\":\"agent\"", What::Provenance);
    check("\"irreversible\"", "\"reversible\"", What::Reversibility);
    let approvals = format!(
        "\"approvals\":[{{\"approver\":\"a\",\"id\":\"{}\",\"quorum\":\"sre\"}}]",
        "0".repeat(64)
    );
    check("\"approvals\":[]", &approvals, What::Approvals);
    check("\"owner\":\"user:cy\"", "\"owner\":\"user:eve\"", What::Owner);
    check("\"task\":\"fix-login-timeout\"", "\"task\":\"fix\u{202e}\"", What::Task);
    let bundle = crate::support::site::asking().digest().to_string();
    let report = Shown::of(&site).edit(id, 3, &bundle, &"0".repeat(64)).report(&site);
    let error = report.findings[0].result.as_ref().unwrap_err();
    assert_eq!((report.failed, error.code()), (1, "replay.bundle_unknown"));
    let report = Shown::of(&site).commit(id, 3, "action", "null").report(&site);
    assert_eq!((report.different, report.same), (2, 4), "{report}");
    let act = report.findings[0].result.as_ref().unwrap();
    assert_eq!(found(act.differences(), What::Value).recorded(), "another one");
}

#[test]
fn standing_grants_serve_as_many_calls_as_they_say() {
    let site = Site::new();
    let session = site.session();
    let draft = site.standing(&session, &[&scope("coder", 2)]);
    assert_eq!(code(grant(&session, &draft, 3)), "");
    assert_eq!(ask(&session, write()), "allow");
    assert_eq!(ask(&session, write()), "allow");
    assert_eq!(ask(&session, write()), "defer sre");
    site.holds();
    let id = session.id();
    let (shown, _) = Shown::of(&site).without(id, 1);
    let report = shown.report(&site);
    assert_eq!((report.same, report.different), (1, 2), "{report}");
    // The same document with one use: the second call has none.
    let mut less = draft.clone();
    less.uses = 1;
    let signed = StandingGrant::sign(&less, &key(3)).unwrap();
    let old = StandingGrant::sign(&draft, &key(3)).unwrap();
    let (from, to) = (old.signed().digest().to_string(), signed.signed().digest().to_string());
    let shown = Shown::of(&site)
        .bring(id, 1, signed.signed().as_str())
        .edit(id, 2, &from, &to)
        .edit(id, 3, &from, &to);
    let found = only(&shown.report(&site), 3);
    assert_eq!(
        found,
        [
            (What::Brought, to, "approval.used".to_owned()),
            (What::BroughtQuorum, "sre".to_owned(), String::new()),
        ]
    );
    // Of another domain, and of another bundle.
    let check = |change: &dyn Fn(&mut countersign::governance::StandingDraft), code: &str| {
        let mut other = draft.clone();
        change(&mut other);
        let signed = StandingGrant::sign(&other, &key(3)).unwrap();
        let to = signed.signed().digest().to_string();
        let shown = Shown::of(&site).bring(id, 1, signed.signed().as_str());
        let shown = shown.edit(id, 2, &from, &to).edit(id, 3, &from, &to);
        let report = shown.report(&site);
        assert_eq!(report.different, 2, "{report}");
        assert!(report.to_string().contains(code), "{report}");
    };
    check(&|it| it.domain = countersign::action::Domain::Application, "quorum that approved");
    check(&|it| it.bundle = it.scope[0], "approval.bundle_changed");
    check(&|it| it.quorum = "security".into(), "approval.wrong_quorum");
}

#[test]
fn elevations_and_declassifications_come_from_acts() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let id = session.id();
    let read = || ReadData::table("hr.roster");
    assert_eq!(ask(&session, read()), "scope.read");
    assert_eq!(code(elevate(&session, &site.elevation(&top), 3)), "");
    assert_eq!(ask(&session, read()), "allow");
    assert_eq!(ask(&session, ReadData::table("crm.a").classes(["secret"])), "allow");
    assert_eq!(ask(&session, connect()), "policy.forbid");
    let draft = site.declassification(&session, &[&top], "secret");
    assert_eq!(code(declassify(&session, &draft, &[1, 3])), "");
    assert_eq!(ask(&session, connect()), "allow");
    assert_eq!(ask(&session, ReadData::table("crm.a").classes(["secret"])), "allow");
    assert_eq!(ask(&session, connect()), "policy.forbid");
    site.holds();
    let (shown, _) = Shown::of(&site).without(id, 2);
    let report = shown.report(&site);
    // It stood in the facts of every call after it.
    assert_eq!(report.different, 6, "{report}");
    let one = (What::BroughtElevation, "one for hop 0".to_owned(), String::new());
    let first = report.findings[0].result.as_ref().unwrap();
    let difference = found(first.differences(), What::BroughtElevation);
    assert_eq!((difference.recorded(), difference.replayed()), (&*one.1, &*one.2));
    let (shown, _) = Shown::of(&site).without(id, 6);
    let label = (What::BroughtLabel, "secret".to_owned(), String::new());
    let report = shown.report(&site);
    assert_eq!(report.different, 2, "{report}");
    for call in &report.findings {
        let call = call.result.as_ref().unwrap();
        let difference = found(call.differences(), label.0);
        assert_eq!((difference.recorded(), difference.replayed()), (&*label.1, &*label.2));
    }
    // What is touched again binds again: nobody took it away a second time.
    let facts = Shown::of(&site).value(id, 9, "facts");
    let hidden = facts.replace("\"elevations\"", "\"declassified\":[\"secret\"],\"elevations\"");
    let report = Shown::of(&site).commit(id, 9, "facts", &hidden).report(&site);
    assert!(only(&report, 9).contains(&label), "{report}");
    // One signature is none of two; the same document serves once.
    let one = countersign::governance::Declassification::sign(&draft, &key(3)).unwrap();
    let alone = format!("[{}]", one.signed().as_str());
    let report = Shown::of(&site).bring(id, 6, &alone).report(&site);
    assert!(report.to_string().contains("refuses it with `declassification.quorum`"), "{report}");
}

#[test]
fn a_permit_ends_with_what_it_rests_on() {
    let site = Site::new();
    let session = site.session();
    let asked = request(&site, &session, write());
    let ballot = countersign::governance::approval::Ballot {
        expires: site.after(10),
        ..site.ballot(DATA, "sre", 3)
    };
    let approval = Approval::sign(&asked, ballot, &key(3)).unwrap();
    assert_eq!(code(approve(&session, &approval)), "");
    assert_eq!(ask(&session, write()), "allow");
    site.holds();
    let (id, now) = (session.id(), testing::NOW.as_millis());
    let facts = Shown::of(&site).value(id, 4, "facts");
    let longer = facts.replace("\"permit_millis\":10000", "\"permit_millis\":10001");
    assert_ne!(longer, facts);
    let until = |millis: u64| format!("\"permit_until\":{}", now + millis);
    let shown = Shown::of(&site).commit(id, 4, "facts", &longer);
    let report = shown.edit(id, 4, &until(10_000), &until(10_001)).report(&site);
    let (recorded, signed) = ((now + 10_001).to_string(), (now + 10_000).to_string());
    assert_eq!(only(&report, 4), [(What::PermitSigned, recorded, signed)]);
}

#[test]
fn where_the_file_begins_in_the_middle_nothing_is_guessed() {
    let (site, session, _) = approved();
    let id = session.id();
    let mut shown = Shown::of(&site);
    shown.lines.retain(|line| !line.starts_with("{\"begin\""));
    let report = shown.report(&site);
    assert_eq!((report.same, report.partial), (4, 4), "{report}");
    let (shown, _) = shown.without(id, 3);
    let report = shown.report(&site);
    assert_eq!((report.same, report.partial), (3, 3), "{report}");
    let said = "3 calls: 3 the same, 0 otherwise, 0 not replayable; \
                before 3 of them not all is known that people gave";
    assert_eq!(report.to_string(), said);
    // An act that cannot be read leaves a hole as well, and is not the same itself.
    let mut shown = Shown::of(&site);
    shown.openings.retain(|it| it.call() != 3 || it.name() != "effects/application/0");
    let report = shown.report(&site);
    assert_eq!((report.same, report.failed, report.partial), (3, 1, 1), "{report}");
    // One that was refused gave nothing.
    let site = Site::new();
    let session = site.session();
    let asked = request(&site, &session, write());
    assert_eq!(
        code(approve(&session, &site.sign(&asked, DATA, "sre", 8))),
        "approval.not_eligible"
    );
    assert_eq!(ask(&session, mail()), "defer sre");
    let mut shown = Shown::of(&site);
    shown.openings.retain(|it| it.call() != 3 || it.name() != "effects/application/0");
    let report = shown.report(&site);
    assert_eq!((report.failed, report.partial), (1, 0), "{report}");
}

#[test]
fn a_resumed_session_begins_with_nothing() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let draft = site.standing(&session, &[&top]);
    assert_eq!(code(grant(&session, &draft, 3)), "");
    assert_eq!(ask(&session, write()), "allow");
    let id = session.id();
    drop(session);
    let (site, stored) = site.restart();
    site.wait(1);
    let trusted = top.dangerous().trust_unsigned();
    let agent = crate::support::site::instance("coder/1");
    let session = site.authorizer.resume(&stored, id, &trusted, agent).unwrap();
    assert_eq!(code(grant(&session, &draft, 3)), "approval.used");
    site.wait(1);
    let fresh = site.standing(&session, &[&top]);
    assert_eq!(code(grant(&session, &fresh, 3)), "");
    assert_eq!(ask(&session, write()), "allow");
    site.holds();
    // The tail of it knows all that counts.
    let mut tail = Shown::of(&site);
    let at = tail.lines.iter().position(|line| line.starts_with("{\"resume\"")).unwrap();
    tail.lines.drain(..at);
    let report = tail.report(&site);
    assert_eq!((report.same, report.partial), (3, 0), "{report}");
    let (shown, _) = tail.without(id, 4);
    assert_eq!(shown.report(&site).different, 1);
    // What was signed before was void, whatever a host says that it took.
    let old = StandingGrant::sign(&draft, &key(3)).unwrap();
    let report = Shown::of(&site).bring(id, 4, old.signed().as_str()).report(&site);
    assert!(report.to_string().contains("refuses it with `approval.used`"), "{report}");
}

#[test]
fn sessions_that_share_their_labels_say_so() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let child = below(&top, descriptor("tester", 1));
    let delegate = site.delegate(&session, &child, "tester/1");
    assert_eq!(ask(&delegate, ReadData::table("crm.a").classes(["secret"])), "allow");
    let draft = site.declassification(&session, &[&top], "secret");
    assert_eq!(code(declassify(&session, &draft, &[1, 3])), "");
    assert_eq!(ask(&delegate, connect()), "allow");
    site.verify();
    let shown = Shown::of(&site);
    let report = shown.report(&site);
    assert_eq!((report.different, report.failed, report.partial), (0, 0, 1), "{report}");
    let (lines, openings) = (site.sink.lines(), site.sink.openings());
    let last = lines.iter().rfind(|line| line.kind() == Kind::Receipt).unwrap();
    let replayer =
        Replayer::new(&crate::support::site::asking()).with_scope(&top).with_scope(&child);
    let alone = replayer.replay_call(std::slice::from_ref(last), &openings).unwrap();
    assert_eq!((alone.is_same(), alone.history()), (true, History::Cut));
}
