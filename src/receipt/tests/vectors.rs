//! The files of `tests/vectors/receipts/`: each says in its head what a verifier must find.
//!
//! The head is lines that start with `# `, the rest is the receipt file. Keys of the head: `expect`
//! (`ok` or `refused`), `check` and `line` (what is refused and where; line 0 is the end of the
//! file), `lines`, `sessions` and `torn` (what is found when it is good), `identity`, `depth`,
//! `position` (sequence number and link hash of a journal line that the caller holds), `why`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/receipts")
}

/// Verifies one vector as its head says; returns what is not as it says.
fn check(text: &str) -> Result<(), String> {
    let mut head = BTreeMap::new();
    let mut file = text;
    while let Some(rest) = file.strip_prefix("# ") {
        let (line, rest) = rest.split_once('\n').ok_or("the head has no end")?;
        let (key, value) = line.split_once(": ").ok_or("no `key: value`")?;
        head.insert(key, value);
        file = rest;
    }
    let key = |name: &str| head.get(name).copied();
    let identity = TrustedKey::parse_hex(key("identity").unwrap_or_default());
    let mut verifier = Verifier::new(identity.map_err(|error| error.to_string())?);
    if key("depth") == Some("links-only") {
        verifier = verifier.depth(Depth::LinksOnly);
    }
    if let Some((seq, link)) = key("position").and_then(|held| held.split_once(' ')) {
        let seq = seq.parse().map_err(|_| "position")?;
        verifier = verifier.expect_journal_head(seq, Digest::parse_hex(link).ok_or("position")?);
    }
    let (found, wanted) = match verifier.verify(file.as_bytes()) {
        Ok(verified) => (
            format!(
                "ok: {} lines, {} sessions, {} torn",
                verified.lines,
                verified.sessions.len(),
                verified.torn_bytes
            ),
            format!(
                "{}: {} lines, {} sessions, {} torn",
                key("expect").unwrap_or_default(),
                key("lines").unwrap_or_default(),
                key("sessions").unwrap_or_default(),
                key("torn").unwrap_or("0")
            ),
        ),
        Err(error) => (
            format!("refused: {} at {}", error.check(), error.line().unwrap_or(0)),
            format!(
                "{}: {} at {}",
                key("expect").unwrap_or_default(),
                key("check").unwrap_or_default(),
                key("line").unwrap_or_default()
            ),
        ),
    };
    if found == wanted { Ok(()) } else { Err(format!("found {found}, wanted {wanted}")) }
}

/// Compares a vector with what the writer writes now, or writes it where `COUNTERSIGN_WRITE_VECTORS` is
/// set: for new ones. Those of version 1 do not change.
#[expect(clippy::disallowed_methods, reason = "a door for whoever adds a vector, and no other")]
pub(super) fn hold(path: &Path, text: &str) {
    if std::env::var_os("COUNTERSIGN_WRITE_VECTORS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    assert_eq!(fs::read_to_string(path).ok().as_deref(), Some(text), "{}", path.display());
}

/// The texts of all files in `folder` with this extension, with their paths.
pub(super) fn texts_of(folder: &Path, extension: &str) -> Vec<(PathBuf, String)> {
    let paths = fs::read_dir(folder).expect("the vectors").map(|entry| entry.expect("one").path());
    let own = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    own.map(|path| (path.clone(), fs::read_to_string(&path).expect("text"))).collect()
}

/// Keeps a file that a producer who holds the keys could make, for verifiers in other languages. Its name
/// is that of the check which it fails, and of its content.
pub(super) fn hold_attack(file: &str, error: &VerifyError) {
    let check = error.check();
    let name = digest(file).to_string();
    let head = format!(
        "# expect: refused\n# check: {check}\n# line: {}\n# identity: {}\n# why: {}\n",
        error.line().unwrap_or(0),
        trusted(),
        error.meaning(),
    );
    hold(&attacks().join(format!("{check}-{}.ndjson", &name[..12])), &format!("{head}{file}"));
}

fn attacks() -> PathBuf {
    folder().with_file_name("attacks")
}

#[test]
fn vectors_hold() {
    let texts = texts_of(&folder(), "ndjson");
    assert_eq!(texts.len(), vectors().len(), "a vector is missing or not described here");
    let attacks = texts_of(&attacks(), "ndjson");
    assert!(attacks.len() > 100, "{}", attacks.len());
    for (path, text) in texts.iter().chain(&attacks) {
        check(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn vectors_are_what_the_writer_writes() {
    for (name, text) in vectors() {
        hold(&folder().join(format!("{name}.ndjson")), &text);
    }
}

#[test]
fn the_example_of_the_specification_verifies() {
    let page = include_str!("../../../docs/receipt-format.md");
    let between = page.split("<!-- example:begin -->").nth(1).expect("the example");
    let block = between.split("<!-- example:end -->").next().expect("its end");
    let file: String = block
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(file, example());
    let verified = Verifier::new(trusted()).verify(file.as_bytes()).expect("it is good");
    for value in [
        hex::text(&identity().public_key()),
        verified.journal.position.id.to_string(),
        verified.journal.position.prev.to_string(),
        verified.sessions[0].head.to_string(),
    ] {
        assert!(between.contains(&value), "{value}");
    }
    let opening = page.lines().find_map(|line| Opening::parse(line).ok()).expect("an opening");
    let receipt = Line::parse(file.lines().nth(3).expect("a receipt")).expect("a line");
    let parsed = receipt.parsed().expect("a line");
    let Body::Receipt(body) = &parsed.body else { panic!("a receipt") };
    assert!(opening.check(&body.action.commit));
    // The checkpoint of the same journal.
    let between = page.split("<!-- checkpoint:begin -->\n```text\n").nth(1).expect("the example");
    let note = between.split("```\n<!-- checkpoint:end -->").next().expect("its end");
    let held = evidence::trust().open(note).expect("a checkpoint");
    let verifier = Verifier::new(trusted()).expect_checkpoint(&held);
    let verified = verifier.verify(file.as_bytes()).expect("it is good");
    assert_eq!(verified.anchor, Anchor::Checkpoint { size: 3, witnesses: 0 });
    let position = verified.journal_position();
    let again = Checkpoint::sign(&evidence::name(), &TreeHead::from(&position), &identity());
    assert_eq!(again.expect("a checkpoint").as_str(), note);
}

/// The worked example of receipt-format §12.
pub(super) fn example() -> String {
    let mut story = Story::new(Signing::Every);
    story.labels = &["secret"];
    story.allow();
    story.outcome(1, OutcomeStatus::Succeeded);
    story.end(EndStatus::Finished);
    story.close(EndStatus::Finished);
    ndjson(&story.lines)
}

/// All vectors: name and text.
pub(super) fn vectors() -> Vec<(&'static str, String)> {
    let three: &[(Domain, &[Verdict])] = &[
        (Domain::Application, &[Verdict::Deny]),
        (Domain::Infrastructure, &[Verdict::Allow, Verdict::Deny]),
        (Domain::Workload, &[Verdict::Defer]),
    ];
    let whole = |signing| {
        let mut story = Story::new(signing);
        story.allow();
        story.outcome(1, OutcomeStatus::Succeeded);
        story.call(three);
        story.end(EndStatus::Finished);
        story.close(EndStatus::Finished);
        story
    };
    let every = whole(Signing::Every);
    let good = |story: &Story| format!("expect: ok\nlines: {}\nsessions: 1", story.lines.len());
    let bad = |check: Check, line: usize| format!("expect: refused\ncheck: {check}\nline: {line}");
    let mut all = Vec::new();
    let mut add = |name: &'static str, why: &str, expect: String, file: String| {
        let identity = hex::text(&identity().public_key());
        let head = format!("{expect}\nidentity: {identity}\nwhy: {why}");
        let head: String = head.lines().map(|line| format!("# {line}\n")).collect();
        all.push((name, head + &file));
    };
    let edited = |at: usize, edit: &dyn Fn(&str) -> String| {
        let mut lines = every.lines.clone();
        lines[at] = edit(&lines[at]);
        ndjson(&lines)
    };

    add("ok-every-signature", "every line is signed", good(&every), ndjson(&every.lines));
    let heads = whole(Signing::Heads);
    add("ok-heads", "the close signs for the session", good(&heads), ndjson(&heads.lines));
    let mut resumed = Story::new(Signing::Every);
    resumed.labels = &["personal"];
    resumed.call(three);
    resumed.lines.pop();
    resumed.restart();
    resumed.labels = &["personal", "secret"];
    resumed.allow();
    resumed.head();
    add(
        "ok-restart-after-a-torn-group",
        "a group lacks its last line; a new epoch and a resume follow; its label stays",
        good(&resumed),
        ndjson(&resumed.lines),
    );
    let journal = |line: &String| {
        ["{\"epoch", "{\"open", "{\"head", "{\"close"].iter().any(|kind| line.starts_with(kind))
    };
    let (first, rest): (Vec<String>, Vec<String>) = heads.lines.iter().cloned().partition(journal);
    add(
        "ok-journal-first",
        "the journal stands before the session that it speaks of",
        good(&heads),
        ndjson(&[first, rest].concat()),
    );
    let torn = ndjson(&every.lines) + "{\"open\":{\"agent\":\"spiffe://exa";
    add("ok-torn-tail", "a crash tore a line", good(&every) + "\ntorn: 30", torn);
    let mut poisoned = Story::new(Signing::Every);
    poisoned.allow();
    let group = poisoned.group(three);
    let position = poisoned.verified().session_position(session(4)).expect("it is open");
    let time = poisoned.tick();
    let close = poisoned
        .journal
        .close(&position.session_head(), EndStatus::Poisoned, time)
        .expect("a close");
    poisoned.push(group);
    poisoned.push(close);
    add(
        "ok-poisoned-and-stored-all-the-same",
        "the store of the last group failed and yet it is there: unconfirmed",
        good(&poisoned),
        ndjson(&poisoned.lines),
    );

    let mut unfinished = Story::new(Signing::Every);
    unfinished.allow();
    unfinished.outcome(1, OutcomeStatus::Unfinished);
    unfinished.end(EndStatus::Finished);
    unfinished.close(EndStatus::Finished);
    add(
        "ok-unfinished-outcome",
        "the action started and nobody said how it ended",
        good(&unfinished),
        ndjson(&unfinished.lines),
    );

    let end = every.journal.position();
    let position = |seq: u64, link: Digest| format!("\nposition: {seq} {link}");
    add(
        "ok-held-position",
        "the caller holds the journal's last line",
        good(&every) + &position(end.lines - 1, end.prev),
        ndjson(&every.lines),
    );
    add(
        "bad-cut-tail-of-the-journal",
        "the caller holds a line that is gone",
        bad(Check::Cut, 0) + &position(end.lines - 1, end.prev),
        ndjson(&every.lines[..every.lines.len() - 1]),
    );
    add(
        "bad-rewritten-journal",
        "the caller holds another line at this position",
        bad(Check::Position, 2) + &position(1, digest("another")),
        ndjson(&every.lines),
    );
    let mut cut = every.lines.clone();
    cut.remove(8);
    add(
        "bad-cut-tail-of-a-session",
        "the close counts a line that is gone",
        bad(Check::Cut, 0),
        ndjson(&cut),
    );
    let mut dropped = every.lines.clone();
    dropped.remove(4);
    add("bad-dropped-line", "the outcome is gone", bad(Check::Sequence, 5), ndjson(&dropped));
    add(
        "bad-link",
        "links only: an edited line shows at the next",
        bad(Check::Link, 5) + "\ndepth: links-only",
        edited(3, &|line| line.replace("txn-7", "txn-8")),
    );
    add(
        "bad-edited-line",
        "its signature does not verify",
        bad(Check::Signature, 4),
        edited(3, &|line| line.replace("txn-7", "txn-8")),
    );
    let (body, sig) = every.lines[3].rsplit_once(",\"sig\":\"").expect("signed");
    add(
        "bad-stripped-signature",
        "it must have one",
        bad(Check::Signature, 4),
        edited(3, &|_| format!("{body}}}")),
    );
    add(
        "bad-upper-case-signature",
        "hex is lower case",
        bad(Check::Form, 4),
        edited(3, &|_| format!("{body},\"sig\":\"{}\"}}", sig[..128].to_uppercase())),
    );
    add(
        "bad-malleable-signature",
        "S plus the order of the group",
        bad(Check::Signature, 4),
        edited(3, &|_| format!("{body},\"sig\":\"{}\"}}", tampering::plus_order(&sig[..128]))),
    );
    let lie = |from: &str, to: &str| {
        edited(3, &|line| reseal(line, &EPOCHS[0], |body| body.replacen(from, to, 1)))
    };
    add(
        "bad-white-space",
        "signed, but not canonical",
        bad(Check::Form, 4),
        lie("\"call\":1", "\"call\": 1"),
    );
    add(
        "bad-float",
        "signed, but not an integer",
        bad(Check::Form, 4),
        lie("\"call\":1", "\"call\":1.0"),
    );
    add(
        "bad-doubled-member",
        "signed, but a member twice",
        bad(Check::Form, 4),
        lie("\"call\":1", "\"call\":1,\"call\":1"),
    );
    add(
        "bad-escape",
        "signed, but escaped without need",
        bad(Check::Form, 4),
        lie("txn-7", "txn\\u002d7"),
    );
    add(
        "bad-unknown-member",
        "signed, but not of version 1",
        bad(Check::Form, 4),
        lie("\"call\":1", "\"call\":1,\"call_id\":1"),
    );
    add(
        "bad-verdict",
        "a denied effect in an allowed domain",
        bad(Check::Verdict, 4),
        lie("\"decision\":\"allow\",\"kind\"", "\"decision\":\"deny\",\"kind\""),
    );
    add(
        "bad-owner",
        "another owner than the session's",
        bad(Check::Fields, 4),
        lie("\"owner\":\"user:dana", "\"owner\":\"user:eve"),
    );
    add(
        "bad-epoch",
        "an epoch that the journal has not declared",
        bad(Check::Epoch, 4),
        lie("\"epoch\":1", "\"epoch\":2"),
    );
    let mut twice = Story::new(Signing::Every);
    twice.allow();
    twice.outcome(1, OutcomeStatus::Succeeded);
    twice.outcome(1, OutcomeStatus::Succeeded);
    add(
        "bad-second-outcome",
        "one call, two outcomes",
        bad(Check::Outcome, 6),
        ndjson(&twice.lines),
    );
    let mut forgetful = Story::new(Signing::Every);
    forgetful.labels = &["personal", "secret"];
    forgetful.allow();
    forgetful.restart();
    forgetful.labels = &["personal", "public"];
    forgetful.allow();
    add(
        "bad-label-falls-off",
        "a label of the first call is gone after a restart",
        bad(Check::Labels, 7),
        ndjson(&forgetful.lines),
    );
    let mut after = Story::new(Signing::Every);
    after.close(EndStatus::Dropped);
    after.allow();
    add(
        "bad-line-after-close",
        "the journal closed the session",
        bad(Check::Ended, 5),
        ndjson(&after.lines),
    );
    let mut group = Story::new(Signing::Every);
    group.call(three);
    group.lines[4] = reseal(&group.lines[4], &EPOCHS[0], |body| {
        body.replace("\"domain\":\"infrastructure\"", "\"domain\":\"application\"")
    });
    add(
        "bad-domain-order",
        "a domain twice in a group",
        bad(Check::Group, 5),
        ndjson(&group.lines),
    );
    let mut other = Story::new(Signing::Every);
    other.allow();
    let told = SessionHead { tree: TreeHash::of_line(b"x"), ..other.chain.session_head() };
    let time = other.tick();
    let line = other.journal.head(&told, time).expect("a head");
    other.push(line);
    add(
        "bad-tree",
        "the head names another tree of lines",
        bad(Check::Tree, 5),
        ndjson(&other.lines),
    );
    let mut unknown = every.lines.clone();
    unknown.remove(1);
    add("bad-unannounced-session", "no open names it", bad(Check::Announced, 2), ndjson(&unknown));
    add(
        "bad-missing-start",
        "the first epoch is gone",
        bad(Check::Start, 1),
        ndjson(&every.lines[1..]),
    );
    add(
        "bad-byte-order-mark",
        "a byte order mark",
        bad(Check::Form, 1),
        format!("\u{feff}{}", ndjson(&every.lines)),
    );
    let weak = reseal(&every.lines[0], &IDENTITY, |body| {
        let (head, rest) = body.split_once("\"key\":\"").expect("a key");
        format!("{head}\"key\":\"{}{}", "0".repeat(64), &rest[64..])
    });
    add(
        "bad-weak-epoch-key",
        "a key under which anybody can sign",
        bad(Check::Key, 1),
        edited(0, &|_| weak.clone()),
    );
    all
}
