//! Receipts: one spelling for each line, and no line that its signer did not write.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{Choices, bundle, check_message};
use crate::action::{Connect, Exec, ReadData};
use crate::digest::Digest;
use crate::receipt::{Depth, Line, ParsedLine, SessionId, Verified, Verifier};
use crate::testing::{Fixture, trusted_key};
use crate::value::{Limits, Value};

/// Parses a line: what parses is canonical JSON, its own canonical text, and what is left of it
/// after any other change of a byte is not the same line.
pub fn receipt_line(data: &[u8]) {
    let parsed = ParsedLine::parse(data);
    let text = std::str::from_utf8(data);
    let line = text.ok().map(Line::parse);
    assert_eq!(line.as_ref().is_some_and(Result::is_ok), parsed.is_ok());
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            if let Some(source) = std::error::Error::source(&error) {
                check_message(&source);
            }
            return check_message(&error);
        }
    };
    let Some(Ok(line)) = line else { return };
    assert_eq!(line.as_str().as_bytes(), data);
    assert_eq!(line.kind(), parsed.body.kind());
    assert_eq!(line.parsed().as_ref(), Ok(&parsed));

    // A parser and a writer that know nothing of receipts agree that this is the one spelling.
    let value = Value::parse(data, &Limits::LINE);
    assert_eq!(value.map(|value| value.to_canonical()).ok().as_deref(), Some(line.as_str()));
    let theirs = serde_json::from_slice::<serde_json::Value>(data);
    assert!(theirs.is_ok(), "`serde_json` refuses it");
    assert!(line.as_str().contains(parsed.body_text));

    let mut longer = data.to_vec();
    for more in [b' ', b'\n', b'}', 0] {
        longer.push(more);
        assert!(ParsedLine::parse(&longer).is_err(), "it may be followed by {more}");
        longer.pop();
    }
    longer.pop();
    assert!(ParsedLine::parse(&longer).is_err(), "it may be cut");
}

/// Verifies `data` as a file, and as a script of edits of a valid file. Whatever verifies is made of
/// chains that begin as those of the valid file do: nothing else has the signatures.
pub fn verify(data: &[u8]) {
    let held = held();
    let verifier = Verifier::new(trusted_key());
    let links = verifier.clone().depth(Depth::LinksOnly);
    for file in [data.to_vec(), edit(&held.file, data)] {
        match verifier.verify(file.as_slice()) {
            Ok(verified) => held.check(&verified),
            Err(error) => check_message(&error),
        }
        // Without signatures anybody can write a file; it still must not break the verifier.
        for file in [relink(&file), file] {
            match links.verify(file.as_slice()) {
                Ok(verified) => {
                    assert!(verified.sessions.iter().all(|session| session.proven_lines == 0));
                    let ends = file.iter().filter(|byte| **byte == b'\n').count();
                    assert_eq!(usize::try_from(verified.lines), Ok(ends));
                }
                Err(error) => check_message(&error),
            }
        }
    }
}

/// A valid file, and the link hashes of its chains.
struct Held {
    file: String,
    journal: Vec<Digest>,
    sessions: HashMap<SessionId, Vec<Digest>>,
}

impl Held {
    fn check(&self, verified: &Verified) {
        let position = verified.journal_position();
        let begins = |chain: &[Digest], lines: u64, head: Digest| {
            let last = usize::try_from(lines).ok().and_then(|lines| lines.checked_sub(1));
            last.and_then(|last| chain.get(last)) == Some(&head)
        };
        assert!(begins(&self.journal, position.lines, position.prev), "another journal verifies");
        for session in &verified.sessions {
            assert!(session.proven_lines <= session.lines);
            let chain = self.sessions.get(&session.session);
            let chain = chain.map(Vec::as_slice).unwrap_or_default();
            let ours = session.lines == 0 || begins(chain, session.lines, session.head);
            assert!(ours, "another session verifies: {session}");
        }
    }
}

/// Writes the valid file: two sessions side by side, allowed, denied and unfinished calls, a head.
#[expect(clippy::expect_used, reason = "nothing here depends on the input")]
fn held() -> &'static Held {
    static HELD: OnceLock<Held> = OnceLock::new();
    HELD.get_or_init(|| {
        let fixture = Fixture::new(bundle::small(None).expect("the small bundle loads"));
        let (one, two) = (fixture.session(), fixture.session());
        let run = |permit: crate::Permit<_>| permit.run(|_| Ok::<_, std::fmt::Error>(()));
        let action = || {
            Exec::new("git")
                .args(["fetch"])
                .nothing_else()
                .and(Connect::new("git.example.org", 443))
                .nothing_else()
        };
        let decision = one.authorize(action()).expect("it is decided");
        decision.permit().map(run).expect("it is allowed").expect("it runs");
        fixture.clock.advance(5);
        let denied = two.authorize(ReadData::new("/etc/shadow")).expect("it is decided");
        assert!(!denied.is_allow());
        one.head().expect("it is stored");
        drop(two.authorize(ReadData::new("a")).expect("it is decided").permit());
        one.close().expect("it closes");
        let mut held =
            Held { file: fixture.sink.to_ndjson(), journal: Vec::new(), sessions: HashMap::new() };
        for line in fixture.sink.lines() {
            let parsed = line.parsed().expect("it was written");
            match parsed.body.session().filter(|_| !parsed.body.is_journal()) {
                Some(session) => held.sessions.entry(session).or_default().push(line.link()),
                None => held.journal.push(line.link()),
            }
        }
        // What the second session writes when it is dropped comes too late for the file.
        drop(two);
        held
    })
}

/// Returns the valid file, for seeds.
#[must_use]
pub fn valid_file() -> &'static str {
    &held().file
}

/// The most edits of one script.
const MAX_EDITS: usize = 16;

/// The largest file that edits may make.
const MAX_FILE_BYTES: usize = 256 << 10;

fn edit(file: &str, script: &[u8]) -> Vec<u8> {
    let mut choices = Choices(script);
    let mut file = file.as_bytes().to_vec();
    for _ in 0..MAX_EDITS {
        if choices.is_empty() || file.is_empty() || file.len() > MAX_FILE_BYTES {
            break;
        }
        match choices.byte() % 10 {
            0 => {
                let at = choices.below(file.len());
                if let Some(byte) = file.get_mut(at) {
                    *byte = choices.byte();
                }
            }
            1 => {
                let at = choices.below(file.len());
                file.insert(at, choices.byte());
            }
            2 => {
                file.remove(choices.below(file.len()));
            }
            3 => file.truncate(choices.below(file.len())),
            4 => {
                // Bytes from elsewhere in the file, in place of as many.
                let (from, to) = (choices.below(file.len()), choices.below(file.len()));
                let count = usize::from(choices.byte()).min(file.len() - from.max(to));
                file.copy_within(from..from + count, to);
            }
            5 => {
                // One bit.
                let at = choices.below(file.len());
                if let Some(byte) = file.get_mut(at) {
                    *byte ^= 1 << (choices.byte() % 8);
                }
            }
            operation => edit_lines(&mut file, operation, &mut choices),
        }
    }
    file
}

fn edit_lines(file: &mut Vec<u8>, operation: u8, choices: &mut Choices<'_>) {
    let mut lines: Vec<Vec<u8>> =
        file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (choices.below(lines.len()), choices.below(lines.len()));
    match operation {
        6 => {
            let line = lines.get(one).cloned().unwrap_or_default();
            lines.insert(other, line);
        }
        7 => {
            lines.remove(one);
        }
        8 => lines.swap(one, other),
        _ => {
            let line = lines.get(other).cloned();
            if let (Some(line), Some(place)) = (line, lines.get_mut(one)) {
                *place = line;
            }
        }
    }
    *file = lines.concat();
}

/// Makes the links of an edited file fit again, as somebody without a key can.
fn relink(file: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(file) else { return file.to_vec() };
    let mut last: HashMap<Option<String>, Vec<Digest>> = HashMap::new();
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        let mut body = body.to_owned();
        let session = field(&body, "session").map(str::to_owned);
        let journal = ["epoch", "open", "head", "close"]
            .iter()
            .any(|kind| body.starts_with(&format!("{{\"{kind}\":")));
        if journal && let Some(chain) = last.get(&session) {
            let count = body.split("\"count\":").nth(1).and_then(|rest| rest.split(',').next());
            let count = count.and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
            let head = count.checked_sub(1).and_then(|last| chain.get(last)).copied();
            body = replace(&body, "head", head);
        }
        let chain = last.entry(session.filter(|_| !journal)).or_default();
        body = replace(&body, "prev", chain.last().copied());
        if let Ok(line) = Line::parse(body.as_str()) {
            chain.push(line.link());
        }
        out.push_str(&body);
        out.push_str(end);
    }
    out.into_bytes()
}

/// Finds the text of a member whose value needs no unescaping.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{name}\":\""))?;
    rest.split('"').next()
}

fn replace(line: &str, name: &str, value: Option<Digest>) -> String {
    match (field(line, name), value) {
        (Some(old), Some(new)) => {
            let member = |value: &str| format!("\"{name}\":\"{value}\"");
            line.replacen(&member(old), &member(&new.to_string()), 1)
        }
        _ => line.to_owned(),
    }
}
