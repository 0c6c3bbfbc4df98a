//! Replay: nothing that is read breaks it, and whoever changes one thing of a record is found out, or has
//! changed nothing that was decided.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{Choices, bundle, check_message};
use crate::action::{Connect, Domain, Exec, Kind, ReadData, WriteData};
use crate::audit::replay::{CallReplay, History, OpeningFile, OpeningMap, ReplayReport, Replayer};
use crate::authorizer::Decision;
use crate::digest::Digest;
use crate::governance::approval::{Ballot, Vote};
use crate::governance::{
    Approval, Declassification, DeclassificationDraft, Directory, Elevation, ElevationDraft,
    Fragment, StandingDraft, StandingGrant,
};
use crate::receipt::{
    Begin, Body, IdentityKey, Line, MemorySink, Opening, ParsedLine, Receipt, SessionId,
};
use crate::session::Act;
use crate::testing::{NOW, agent, clock, entropy, identity_key, scope};
use crate::value::{Limits, Value, write_string};
use crate::{Action, Authorizer, Session, Sink};

/// Replays `data` as receipts and as openings, and a good record with one thing changed, as whoever has the keys
/// could: a byte, a line, a word, a number, or what is committed to.
///
/// A call that comes out the same says what it said before. What is changed of a beginning is found.
pub fn replay(data: &[u8]) {
    let good = good();
    if let Ok(text) = std::str::from_utf8(data) {
        let lines: Vec<Line> = text.lines().filter_map(|line| Line::parse(line).ok()).collect();
        let openings: Vec<Opening> =
            text.lines().filter_map(|line| Opening::parse(line).ok()).collect();
        let _ = good.replayer.replay_call(&lines, &openings).map_err(|error| check_message(&error));
        let _ = good.replayer.replay_call(&lines, &good.openings);
    }
    match OpeningFile::index(Cursor::new(data)) {
        Ok(openings) => check(&good.replayer.replay(data, openings).report()),
        Err(error) => check_message(&error),
    }
    check(&good.replayer.replay(data, good.map()).report());

    let mut choices = Choices(data);
    let mut record = Record { lines: good.lines.clone(), openings: good.openings.clone() };
    record.change(&mut choices);
    let text: String = record.lines.iter().map(|line| format!("{line}\n")).collect();
    let openings: OpeningMap = record.openings.iter().cloned().collect();
    let calls: Vec<CallReplay> = good.replayer.replay(text.as_bytes(), openings.clone()).collect();
    for call in &calls {
        check_call(call);
        good.check_same(call, &record.lines);
    }
    let report = good.replayer.replay(text.as_bytes(), openings).report();
    check(&report);
    good.check_begin(&report, &record.lines);
}

fn check(report: &ReplayReport) {
    assert_eq!(report.calls, report.same + report.different + report.failed);
    assert!(report.findings.len() as u64 <= report.different + report.failed);
    report.findings.iter().for_each(check_call);
    report.to_string().lines().for_each(|line| {
        assert_eq!(crate::text::check_visible(line), Ok(()), "{line:?}");
    });
}

fn check_call(call: &CallReplay) {
    if let Err(error) = &call.result {
        check_message(error);
    }
    call.to_string().lines().for_each(|line| {
        assert_eq!(crate::text::check_visible(line), Ok(()), "{line:?}");
    });
}

/// Lines and openings, as somebody shows them.
struct Record {
    lines: Vec<String>,
    openings: Vec<Opening>,
}

/// Words that stand for each other.
const WORDS: [(&str, &str); 20] = [
    ("\"allow\"", "\"deny\""),
    ("\"deny\"", "\"allow\""),
    ("\"defer\"", "\"allow\""),
    ("\"allow\"", "\"defer\""),
    ("\"reasons\":[]", "\"reasons\":[\"policy.forbid\"]"),
    ("\"scope.connect\"", ""),
    ("\"policies\":[", "\"policies\":[\"a\","),
    ("\"quorums\":[\"sre\"]", "\"quorums\":[]"),
    ("\"quorums\":[]", "\"quorums\":[\"sre\"]"),
    ("\"approvals\":[{", "\"approvals\":[{\"approver\":\"user:eve\",\"id\":\"\"},{"),
    ("user:ben", "user:eve"),
    ("user:dana", "user:eve"),
    ("coder", "other"),
    ("\"ReadData\"", "\"WriteData\""),
    ("\"Exec\"", "\"Connect\""),
    ("\"labels\":[\"internal\"]", "\"labels\":[]"),
    ("\"irreversible\"", "\"reversible\""),
    ("\"agent\",\"quorums\"", "\"user\",\"quorums\""),
    ("countersign.approval", "countersign.elevation"),
    ("\"domain\":\"data\"", "\"domain\":\"workload\""),
];

impl Record {
    fn change(&mut self, choices: &mut Choices<'_>) {
        let (how, one) = (choices.byte() % 9, choices.below(self.lines.len()));
        let other = choices.below(self.lines.len());
        match how {
            0 => drop(self.lines.remove(one)),
            1 => self.lines.swap(one, other),
            2 => {
                let line = self.lines.get(one).cloned();
                self.lines.splice(other..other, line);
            }
            3 => {
                let (from, to) = choices.one_of(&WORDS);
                self.edit(one, |line| line.replacen(from, to, 1));
            }
            4 => self.edit(one, |line| next_number(line, choices)),
            5 => {
                let at = choices.below(self.openings.len());
                drop(self.openings.remove(at));
            }
            6 => self.commit(choices),
            _ => self.edit(one, |line| {
                let mut bytes = line.as_bytes().to_vec();
                let at = choices.below(bytes.len());
                let to = choices.one_of(b"0123456789abcdefghij_{}[]\",:.ABCXYZ");
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = to);
                String::from_utf8(bytes).unwrap_or_default()
            }),
        }
    }

    fn edit(&mut self, at: usize, change: impl FnOnce(&str) -> String) {
        if let Some(line) = self.lines.get_mut(at) {
            *line = change(line);
        }
    }

    /// Commits to another value (receipt-format §7), in every line that names the commitment.
    fn commit(&mut self, choices: &mut Choices<'_>) {
        let at = choices.below(self.openings.len());
        let Some(opening) = self.openings.get(at) else { return };
        let old = opening.value();
        let new = match choices.byte() % 3 {
            0 => next_number(old, choices),
            1 => {
                let Ok(value) = Value::parse(old.as_bytes(), &Limits::DOCUMENT) else { return };
                without_member(&value, choices)
            }
            _ => {
                let (from, to) = choices.one_of(&WORDS);
                old.replacen(from, to, 1)
            }
        };
        let quoted = |text: &str| {
            let mut out = String::new();
            write_string(&mut out, text);
            out
        };
        let line = opening.to_line().replace(&quoted(old), &quoted(&new));
        let salt = line.split_once("\"salt\":\"").and_then(|(_, rest)| rest.split_once('"'));
        let Some(salt) = salt.and_then(|(salt, _)| Digest::parse_hex(salt)) else { return };
        let commit = |value: &str| {
            let message = format!("countersign commitment v1\n{}\n{value}", opening.name());
            blake3::keyed_hash(salt.as_bytes(), message.as_bytes()).to_hex().to_string()
        };
        let (from, to) = (commit(old), commit(&new));
        for line in &mut self.lines {
            *line = line.replace(&from, &to);
        }
        if let (Ok(opening), Some(place)) = (Opening::parse(&line), self.openings.get_mut(at)) {
            *place = opening;
        }
    }
}

/// Adds one to a number in a text.
fn next_number(text: &str, choices: &mut Choices<'_>) -> String {
    let bytes = text.as_bytes();
    let starts: Vec<usize> = bytes
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| matches!(pair, [b':' | b',' | b'[', b'0'..=b'9']))
        .map(|(at, _)| at + 1)
        .collect();
    let Some(start) = starts.get(choices.below(starts.len())) else { return text.to_owned() };
    let (head, rest) = text.split_at_checked(*start).unwrap_or((text, ""));
    let end = rest.find(|byte: char| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (number, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    match number.parse::<u64>() {
        Ok(number) => format!("{head}{}{tail}", number.saturating_add(1)),
        Err(_) => text.to_owned(),
    }
}

/// Takes a member out of an object, or makes it null.
fn without_member(value: &Value, choices: &mut Choices<'_>) -> String {
    let Value::Object(object) = value else { return "null".to_owned() };
    let mut object = object.clone();
    let names: Vec<String> = object.iter().map(|(name, _)| name.to_owned()).collect();
    if let Some(name) = names.get(choices.below(names.len())) {
        match choices.byte() % 2 {
            0 => drop(object.remove(name)),
            _ => drop(object.insert(name.clone(), Value::Null)),
        }
    }
    Value::Object(object).to_canonical()
}

/// A good record, and who can replay it.
struct Good {
    replayer: Replayer,
    lines: Vec<String>,
    openings: Vec<Opening>,
    calls: BTreeMap<(SessionId, u64), Vec<Line>>,
}

impl Good {
    fn map(&self) -> OpeningMap {
        self.openings.iter().cloned().collect()
    }

    /// What comes out the same in a record with one change says what it said.
    fn check_same(&self, call: &CallReplay, lines: &[String]) {
        let Some(session) = call.session else { return };
        if !call.result.as_ref().is_ok_and(|it| it.is_same() && it.history() == History::Whole) {
            return;
        }
        let first = usize::try_from(call.line).unwrap_or_default().saturating_sub(1);
        let read = |line: &String| Line::parse(line.as_str()).ok();
        let own: Vec<Line> = lines.iter().skip(first).filter_map(read).collect();
        let own: Vec<Receipt<'_>> = own.iter().filter_map(|line| receipt(line, session)).collect();
        let known = self.calls.get(&(session, call.call));
        let known = known.map(Vec::as_slice).unwrap_or_default();
        assert!(!known.is_empty(), "a call comes out the same that there never was");
        for (line, known) in own.iter().zip(known.iter().filter_map(|it| receipt(it, session))) {
            // A host may call what it brings anything.
            let built_in = Kind::BUILT_IN.iter().any(|it| it.as_str() == line.action.kind);
            let told = |line: &Receipt<'_>| told(line, built_in);
            assert_eq!(told(line), told(&known), "another call comes out the same");
        }
    }

    /// A beginning that says something else is found, or could not be held against anything.
    fn check_begin(&self, report: &ReplayReport, lines: &[String]) {
        let begin = |line: &String| line.starts_with("{\"begin\"").then(|| line.clone());
        let known = self.lines.iter().find_map(begin).and_then(|line| said(&line));
        for line in lines.iter().filter_map(begin) {
            let Some(found) = said(&line) else {
                assert!(!report.is_same(), "a line that is none is passed over");
                continue;
            };
            let same = Some(&found) == known.as_ref();
            assert!(same || !report.is_same() || report.unheld > 0, "another beginning holds");
        }
    }
}

/// The receipt in a line of the session.
fn receipt(line: &Line, session: SessionId) -> Option<Receipt<'_>> {
    match line.parsed().ok()?.body {
        Body::Receipt(receipt) if receipt.session == session => Some(receipt),
        _ => None,
    }
}

/// What a line says of a call, but for what the verifier alone looks at, commitments, and whose a key is.
fn told(line: &Receipt<'_>, built_in: bool) -> String {
    let zero = Digest::from_bytes([0; 32]);
    let mut told = line.clone();
    (told.seq, told.epoch, told.prev, told.cause) = (0, 0, zero, None);
    (told.traceparent, told.txn) = (None, None);
    (told.facts, told.action.commit) = (zero, zero);
    if !built_in {
        told.action.kind = "of a host".into();
    }
    let mut text = format!("{told:?}");
    for effect in line.effects.iter() {
        text = text.replace(&format!("{:?}", effect.commit), "");
    }
    for used in line.approvals.iter() {
        text = text.replace(&format!("{:?}", used.approver), "");
    }
    text
}

/// What a beginning says that bundle and scopes say too.
fn said(line: &str) -> Option<String> {
    let parsed = ParsedLine::parse(line.as_bytes()).ok()?;
    let Body::Begin(begin) = parsed.body else { return None };
    let Begin { agent, bundle, expires, on_behalf_of, owner, schema, scope, task, .. } = begin;
    Some(format!("{agent} {bundle} {expires} {on_behalf_of} {owner} {schema} {scope:?} {task}"))
}

/// Works through everything that a session can rest on.
#[expect(clippy::unwrap_used, reason = "what is made here is good")]
fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let (bundle, key) = (bundle::asking().unwrap(), IdentityKey::from_seed(&[1; 32]));
        let people = format!(
            r#"{{"directory": "countersign/directory/v1", "people": [
                {{"id": "user:ben", "kind": "human", "keys": ["{}"], "roles": ["sre"]}}]}}"#,
            key.trusted()
        );
        let sink = Arc::new(MemorySink::new());
        let authorizer = Authorizer::builder()
            .policy(bundle.clone())
            .identity(identity_key())
            .sink(Sink::blocking(Arc::clone(&sink)))
            .with_clock(clock())
            .with_entropy(entropy())
            .with_paths(crate::action::path::PurePaths::new())
            .with_environment("test")
            .with_directory(Directory::parse(people.as_bytes()).unwrap())
            .build()
            .unwrap();
        let session = authorizer.open(&scope(), agent()).unwrap();
        work(&session, bundle.digest(), &key);
        session.close().unwrap();
        let lines = sink.lines();
        let mut calls: BTreeMap<(SessionId, u64), Vec<Line>> = BTreeMap::new();
        for line in &lines {
            if let Some(receipt) = receipt(line, session.id()) {
                calls.entry((session.id(), receipt.call)).or_default().push(line.clone());
            }
        }
        let good = Good {
            replayer: Replayer::new(&bundle).with_scope(scope().scope()),
            lines: lines.iter().map(|line| line.as_str().to_owned()).collect(),
            openings: sink.openings(),
            calls,
        };
        let report = good.replayer.replay(sink.to_ndjson().as_bytes(), good.map()).report();
        assert!(report.is_same() && report.partial + report.unheld == 0, "{report}");
        good
    })
}

#[expect(clippy::unwrap_used, reason = "what is made here is good")]
fn work(session: &Session, bundle: Digest, key: &IdentityKey) {
    let later = |seconds| NOW.plus(Duration::from_secs(seconds));
    let chain = vec![scope().scope().digest()];
    let connect = || Connect::new("git.example.org", 443);
    let write = || WriteData::new("src/main.rs");
    run(session, connect());
    run(session, ReadData::new("src/main.rs").classes(["internal"]));
    run(session, Exec::new("git").args(["fetch"]).nothing_else().and(connect()).nothing_else());
    drop(session.authorize(Connect::new("198.51.100.7", 22)).unwrap());

    let Decision::Defer(deferral) = session.authorize(write()).unwrap() else { return };
    let asked = session.request_approval(&deferral, later(600)).unwrap();
    let ballot = Ballot {
        domain: Domain::Data,
        quorum: "sre",
        approver: "user:ben",
        vote: Vote::Approve,
        at: NOW,
        expires: later(300),
    };
    let approval = Approval::sign(&asked, ballot, key).unwrap();
    session.act(Act::Approve(approval.signed().as_str().as_bytes())).unwrap();
    run(session, write());

    let mut grants = Fragment::default();
    grants.touch.write.push("/srv/web/**".into());
    let standing = StandingDraft {
        session: session.id(),
        scope: chain.clone(),
        bundle,
        domain: Domain::Data,
        quorum: "sre".into(),
        uses: 1,
        issued_at: NOW,
        until: later(600),
        grants,
    };
    let grant = StandingGrant::sign(&standing, key).unwrap();
    session.act(Act::Grant(grant.signed().as_str().as_bytes())).unwrap();
    run(session, write());

    let mut grants = Fragment::default();
    grants.touch.read.push("/srv/logs/**".into());
    let elevation = ElevationDraft {
        task: scope().scope().descriptor().task.as_str().into(),
        scope: scope().scope().digest(),
        grants,
        issued_at: NOW,
        expires: later(600),
        justification: "the service is down, ticket 4711".into(),
        break_glass: false,
    };
    let elevation = Elevation::sign(&elevation, key).unwrap();
    session.act(Act::Elevate(elevation.signed().as_str().as_bytes())).unwrap();
    run(session, ReadData::new("/srv/logs/web"));

    let declassification = DeclassificationDraft {
        session: session.id(),
        scope: chain,
        label: "internal".into(),
        justification: "the file was published, ticket 4712".into(),
        issued_at: NOW,
        expires: later(600),
    };
    let declassification = Declassification::sign(&declassification, key).unwrap();
    session.act(Act::Declassify(&[declassification.signed().as_str().as_bytes()])).unwrap();
    run(session, connect());
}

/// Runs what must be allowed.
#[expect(clippy::unwrap_used, reason = "what is made here is good")]
fn run(session: &Session, action: impl Action) {
    let decision = session.authorize(action).unwrap();
    let reasons = decision.reasons().to_vec();
    let permit = decision.permit().ok_or(reasons).unwrap();
    permit.run(|_| Ok::<_, std::convert::Infallible>(())).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_that_is_changed_in_a_line_is_found() {
        let good = good();
        let mut found = 0;
        for (at, line) in good.lines.iter().enumerate() {
            for (from, to) in WORDS.iter().filter(|(from, _)| line.contains(from)) {
                let mut lines = good.lines.clone();
                lines[at] = line.replacen(from, to, 1);
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                let report = good.replayer.replay(text.as_bytes(), good.map()).report();
                // Whose key it is that signed a standing grant, no record says; an `open` is the verifier's.
                let person = *from == "user:ben" && line.contains("\"call\":10,");
                let silent = person || line.starts_with("{\"open\"");
                assert_eq!(report.is_same(), silent, "{from} of {line}");
                found += usize::from(!silent);
            }
        }
        assert!(found > 100, "{found}");
    }
}
