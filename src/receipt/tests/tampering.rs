//! Whoever stores the file and holds no key: every change at every position is found.

use std::sync::LazyLock;

use super::line::link_hash;
use super::*;

/// The stories whose session has 1 to 32 lines; signing them takes a while, so it is done once.
fn lines(count: u64, signing: Signing) -> Vec<String> {
    static EVERY: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| all(Signing::Every));
    static HEADS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| all(Signing::Heads));
    fn all(signing: Signing) -> Vec<Vec<String>> {
        (1..=32).map(|count| Story::of(count, signing).lines).collect()
    }
    let stories = if signing == Signing::Every { &EVERY } else { &HEADS };
    stories[usize::try_from(count).expect("small") - 1].clone()
}

/// Applies `change` at every line of stories whose session has up to 32 lines.
fn everywhere(change: impl Fn(&mut Vec<String>, usize) -> Option<(Check, usize)>) {
    for signing in [Signing::Every, Signing::Heads] {
        for count in 1..=32 {
            let whole = lines(count, signing);
            for at in 0..whole.len() {
                let mut lines = whole.clone();
                let Some((check, line)) = change(&mut lines, at) else {
                    continue;
                };
                let error = verify_links(&lines).expect_err("it was changed");
                let found = usize::try_from(error.line().unwrap_or(0)).expect("small");
                assert_eq!(
                    (error.check(), found),
                    (check, line),
                    "{count} lines, at {at}: {error}"
                );
            }
        }
    }
}

/// Positions of the lines: 0 epoch, 1 open, 2 begin and so on, the last is the head.
const BEGIN: usize = 2;

#[test]
fn a_dropped_line_is_found() {
    everywhere(|lines, at| {
        lines.remove(at);
        match at {
            0 => Some((Check::Start, 1)),
            1 => Some((Check::Announced, 2)),
            // The session's last line: the head counts it, and no line of the session follows.
            _ if at + 1 == lines.len() => Some((Check::Cut, 0)),
            // The head itself: a cut tail of the journal, which nothing in the file shows.
            _ if at == lines.len() => None,
            _ => Some((Check::Sequence, at + 1)),
        }
    });
}

#[test]
fn a_doubled_line_is_found() {
    everywhere(|lines, at| {
        lines.insert(at, lines[at].clone());
        Some(match at {
            0 => (Check::Start, 2),
            _ => (Check::Sequence, at + 2),
        })
    });
}

#[test]
fn swapped_lines_are_found() {
    everywhere(|lines, at| {
        if at + 1 == lines.len() {
            return None;
        }
        lines.swap(at, at + 1);
        match at {
            0 => Some((Check::Start, 1)),
            1 => Some((Check::Announced, 2)),
            // A head may stand before the line that it counts last: still in order.
            _ if at + 2 == lines.len() => None,
            _ => Some((Check::Sequence, at + 1)),
        }
    });
}

#[test]
fn an_inserted_line_is_found() {
    let mut other = Story::new(Signing::Every);
    other.call(&[(Domain::Data, &[Verdict::Deny])]);
    other.call(&[(Domain::Data, &[Verdict::Deny])]);
    let foreign = other.lines.pop().expect("a line");
    everywhere(|lines, at| {
        lines.insert(at, foreign.clone());
        Some(match at {
            0 => (Check::Start, 1),
            1 => (Check::Announced, 2),
            // It has the position 2 in its chain.
            _ if at == BEGIN + 2 && lines.len() > BEGIN + 3 => (Check::Link, at + 1),
            _ => (Check::Sequence, at + 1),
        })
    });
}

#[test]
fn a_cut_head_is_found() {
    everywhere(|lines, at| {
        lines.drain(..=at);
        Some(if lines.is_empty() { (Check::Start, 0) } else { (Check::Start, 1) })
    });
}

#[test]
fn a_cut_tail_is_found_with_a_position_and_told_without() {
    for count in 1..=32 {
        let mut lines = lines(count, Signing::Every);
        // The journal has three lines, and the last of the file is one of them.
        let last = 2;
        let head = link_hash(lines[lines.len() - 1].as_bytes());
        let held = Verifier::new(trusted()).depth(Depth::LinksOnly).expect_journal_head(last, head);
        let whole = held.verify(ndjson(&lines).as_bytes()).expect("it is all there");
        assert_eq!(whole.anchor, Anchor::Position { seq: last });
        lines.pop();
        let error = held.verify(ndjson(&lines).as_bytes()).expect_err("the head is cut");
        assert_eq!((error.check(), error.line()), (Check::Cut, None), "{error}");
        while lines.len() > 1 {
            let verified = verify_links(&lines).expect("a prefix is a good file");
            assert_eq!(verified.anchor, Anchor::Unanchored);
            assert!(verified.sessions.iter().all(|report| report.closed.is_none()));
            lines.pop();
        }
    }
}

#[test]
fn an_edit_is_found_where_it_is() {
    for count in [1, 2, 3, 7, 32] {
        let whole = lines(count, Signing::Every);
        for at in (0..whole.len()).filter(|at| count < 9 || at % 11 == 0) {
            let check = |from: &str, to: &str, expected: Check| {
                let mut lines = whole.clone();
                let edited = lines[at].replacen(from, to, 1);
                if edited != lines[at] {
                    lines[at] = edited;
                    refused(&lines, announced(at, expected), at + 1);
                }
            };
            check("\"agent\":\"spiffe", "\"agent\":\"Spiffe", Check::Signature);
            check("\"decision\":\"deny\"", "\"decision\":\"allow\"", Check::Signature);
            check("\"status\":\"succeeded\"", "\"status\":\"failed\"", Check::Signature);
            check("\"denials\":0", "\"denials\":1", Check::Signature);
            check("\"time\":17", "\"time\":27", Check::Signature);
            check("\"sig\":\"", "\"sig\": \"", Check::Form);
            check("\"epoch\":1", "\"epoch\":7", Check::Epoch);
            check("}", "]", Check::Form);
            check("\"time\"", "\"tome\"", Check::Form);
            if at > 0 {
                check(
                    "\"seq\":",
                    "\"seq\":9",
                    if at == BEGIN { Check::Form } else { Check::Sequence },
                );
                let zeros = "0".repeat(64);
                let prev = lines_prev(&whole[at]);
                check(&format!("\"prev\":\"{prev}"), &format!("\"prev\":\"{zeros}"), Check::Link);
            }
            let (body, sig) = whole[at].rsplit_once("\"sig\":\"").expect("signed");
            let with = |line: String, expected: Check| {
                let mut lines = whole.clone();
                lines[at] = line;
                refused(&lines, announced(at, expected), at + 1);
            };
            with(format!("{}}}", &body[..body.len() - 1]), Check::Signature);
            with(format!("{body}\"sig\":\"{}\"}}", "0".repeat(128)), Check::Signature);
            with(format!("{body}\"sig\":\"\"}}"), Check::Form);
            with(format!("{body}\"sig\":\"{}\"}}", sig[..128].to_uppercase()), Check::Form);
            with(format!("{body}\"sig\":\"{}\"}}", plus_order(&sig[..128])), Check::Signature);
        }
    }
}

/// The journal announces a `begin` as it is, so that any good form of another is not it.
fn announced(at: usize, check: Check) -> Check {
    if at == BEGIN && check != Check::Form { Check::Announced } else { check }
}

fn lines_prev(line: &str) -> &str {
    line.split_once("\"prev\":\"").map_or("-", |(_, rest)| &rest[..64])
}

/// Adds the order of the group to `S`: the same signature to a verifier that does not reduce.
pub(super) fn plus_order(signature: &str) -> String {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bytes = hex::parse::<64>(signature.as_bytes()).expect("hex");
    let mut carry = 0_u16;
    for (byte, add) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    hex::text(&bytes)
}

#[test]
fn an_unsigned_line_is_held_by_the_head_after_it() {
    for count in 2..=32 {
        let whole = lines(count, Signing::Heads);
        for at in BEGIN..whole.len() - 1 {
            let mut lines = whole.clone();
            lines[at] = lines[at].replacen("\"time\":17", "\"time\":18", 1);
            let error = verify_links(&lines).expect_err("it was changed");
            assert!(
                matches!(
                    error.check(),
                    Check::Announced
                        | Check::Link
                        | Check::Head
                        | Check::Time
                        | Check::Verdict
                        | Check::Group
                ),
                "{error}"
            );
            lines[at] = whole[at].clone();
            let inside = lines[at].len() - 1;
            lines[at].insert_str(inside, &format!(",\"sig\":\"{}\"", "0".repeat(128)));
            let error = verify_links(&lines).expect_err("it was signed");
            let expected = if at == BEGIN { Check::Announced } else { Check::Signature };
            assert_eq!(error.check(), expected, "{error}");
        }
    }
}

#[test]
fn every_byte_counts() {
    // Links, trees and one signature for many: the least that a verifier looks at.
    let verifier = Verifier::new(trusted()).depth(Depth::LastSignature);
    let mut corrupted = 0;
    for signing in [Signing::Every, Signing::Heads] {
        let file = ndjson(&Story::of(3, signing).lines).into_bytes();
        for at in 0..file.len() {
            for change in [1, 2, 4, 0x20, 0x80] {
                let mut bytes = file.clone();
                bytes[at] ^= change;
                let refused = verifier.verify(bytes.as_slice()).is_err();
                // A last line end that is gone leaves a torn line, which is reported and not refused.
                assert!(refused || at + 1 == file.len(), "byte {at} ^ {change}");
                corrupted += 1;
            }
        }
    }
    assert!(corrupted >= 20_000, "{corrupted}");
}

#[test]
fn one_signature_stands_for_those_before_it() {
    for signing in [Signing::Every, Signing::Heads] {
        let mut story = Story::of(12, signing);
        story.restart();
        story.allow();
        story.end(EndStatus::Dropped);
        story.close(EndStatus::Dropped);
        let every = verify(&story.lines).expect("it is good");
        let last = verify_at(Depth::LastSignature, &story.lines).expect("it is good");
        assert_eq!(every.sessions, last.sessions);
        assert_ne!(every.to_string(), last.to_string());
        let file = ndjson(&story.lines);
        for at in (0..file.len()).step_by(37) {
            let mut bytes = file.clone().into_bytes();
            bytes[at] ^= 1;
            let verifier = Verifier::new(trusted()).depth(Depth::LastSignature);
            assert!(verifier.verify(&bytes[..]).is_err(), "byte {at}");
        }
        // The last signature of each chain and epoch, with nothing behind it that could tell.
        for cut in 4..story.lines.len() {
            let mut lines = story.lines[..cut].to_vec();
            let Some((head, signature)) = lines[cut - 1].rsplit_once("\"sig\":\"") else {
                continue;
            };
            let other = if signature.starts_with('0') { '1' } else { '0' };
            lines[cut - 1] = format!("{head}\"sig\":\"{other}{}", &signature[1..]);
            let error = verify_at(Depth::LastSignature, &lines).expect_err("it is forged");
            assert_eq!((error.check(), error.line()), (Check::Signature, Some(cut as u64)));
        }
    }
}

#[test]
fn an_error_in_the_middle_is_the_first_one_on_any_number_of_threads() {
    // More lines than one thread takes at a time, wrong signatures and a broken link among them.
    let story = Story::of(400, Signing::Every);
    let wrong = |lines: &mut Vec<String>, at: usize| {
        let (head, signature) = lines[at].rsplit_once("\"sig\":\"").expect("a signature");
        let other = if signature.starts_with('0') { '1' } else { '0' };
        lines[at] = format!("{head}\"sig\":\"{other}{}", &signature[1..]);
    };
    let mut lines = story.lines.clone();
    wrong(&mut lines, 300);
    refused(&lines, Check::Signature, 301);
    wrong(&mut lines, 150);
    refused(&lines, Check::Signature, 151);
    lines.remove(100);
    refused(&lines, Check::Sequence, 101);
}

#[test]
fn another_key_is_not_trusted() {
    let story = Story::of(4, Signing::Every);
    let other = IdentityKey::from_seed(&[9; 32]).public_key();
    let verifier = Verifier::new(TrustedKey::from_bytes(&other).expect("sound"));
    let error = verifier.verify(ndjson(&story.lines).as_bytes()).expect_err("not trusted");
    assert_eq!((error.check(), error.line()), (Check::Key, Some(1)), "{error}");
    let both = verifier.trust(trusted());
    assert!(both.verify(ndjson(&story.lines).as_bytes()).is_ok());
}

#[test]
fn lines_of_another_session_or_journal_do_not_fit() {
    let mut story = Story::of(5, Signing::Every);
    let (mut second, begin) = begin(&story.journal, session(5), &story.scope, story.now);
    let time = Timestamp::from_millis(story.now);
    let open = story.journal.open(session(5), AGENT, begin.link(), time).expect("an open");
    story.push(open);
    story.push(begin);
    let good = story.lines.clone();
    assert!(verify(&good).is_ok());
    let key = story.journal.epoch_key().clone();
    let end = second.end(&key, EndStatus::Finished, time).expect("an end");
    let moved = end.as_str().replace(&session(5).to_string(), &session(4).to_string());
    let mut lines = good.clone();
    lines.push(moved);
    refused(&lines, Check::Sequence, lines.len());
    let start = Timestamp::from_millis(START);
    let (other, epoch) =
        Journal::start(&identity(), &EPOCHS[1], Signing::Every, start).expect("an epoch");
    let mut lines = good.clone();
    lines.push(epoch.as_str().to_owned());
    refused(&lines, Check::Start, lines.len());
    let mut other = other;
    let open = other.open(session(6), AGENT, digest("x"), time).expect("an open");
    let mut lines = good;
    lines.push(open.as_str().to_owned());
    refused(&lines, Check::Journal, lines.len());
}

#[test]
fn chains_may_be_interleaved_in_any_way_that_keeps_their_order() {
    let mut story = Story::of(10, Signing::Heads);
    story.restart();
    story.allow();
    story.head();
    story.end(EndStatus::Finished);
    story.close(EndStatus::Finished);
    let journal = |line: &&String| {
        ["{\"epoch", "{\"open", "{\"head", "{\"close"].iter().any(|kind| line.starts_with(kind))
    };
    let first: Vec<String> = story.lines.iter().filter(journal).cloned().collect();
    let rest: Vec<String> = story.lines.iter().filter(|line| !journal(line)).cloned().collect();
    let sorted = [first.clone(), rest.clone()].concat();
    let reports = |lines: &[String]| verify(lines).expect("a good file").sessions;
    assert_eq!(reports(&sorted), reports(&story.lines));
    let error = verify(&first).expect_err("the session is not there");
    assert_eq!((error.check(), error.line()), (Check::Cut, None));
    let withheld = Verifier::new(trusted()).allow_withheld_sessions();
    let verified = withheld.verify(ndjson(&first).as_bytes()).expect("withheld");
    assert_eq!(verified.missing().count(), 1);
    let partly = [first, rest[..3].to_vec()].concat();
    let error = withheld.verify(ndjson(&partly).as_bytes()).expect_err("a part is not withheld");
    assert_eq!(error.check(), Check::Cut);
}

#[test]
fn a_head_that_comes_too_late_is_refused() {
    for (after, good) in [(HEAD_WINDOW, true), (HEAD_WINDOW + 1, false)] {
        let mut story = Story::new(Signing::Heads);
        let head = story.chain.session_head();
        for _ in 0..after {
            story.call(&[(Domain::Data, &[Verdict::Deny])]);
        }
        let time = story.tick();
        let line = story.journal.head(&head, time).expect("a head");
        story.push(line);
        assert_eq!(verify(&story.lines).is_ok(), good);
    }
}

#[test]
fn length_and_encoding_are_limited() {
    let mut story = Story::new(Signing::Every);
    let verifier = Verifier::new(trusted());
    let with = |tail: &[u8]| {
        let mut file = ndjson(&story.lines).into_bytes();
        file.extend_from_slice(tail);
        verifier.verify(file.as_slice())
    };
    let check = |tail: &[u8], check: Check| {
        let error = with(tail).expect_err("a bad line");
        assert_eq!((error.check(), error.line()), (check, Some(4)), "{error}");
    };
    check(b"\n", Check::Form);
    check(b" \n", Check::Form);
    check(b"\xff\n", Check::Encoding);
    check(b"\xef\xbb\xbf{\"epoch\":{}}\n", Check::Form);
    check(&[vec![b'x'; MAX_LINE_BYTES], vec![b'\n']].concat(), Check::Form);
    check(&[vec![b'x'; MAX_LINE_BYTES + 1], vec![b'\n']].concat(), Check::Length);
    check(&vec![b'x'; MAX_LINE_BYTES + 1], Check::Length);
    assert_eq!(with(&vec![b'x'; MAX_LINE_BYTES]).expect("torn").torn_bytes, 256 << 10);
    story.lines[0].insert(0, '\u{feff}');
    refused(&story.lines, Check::Form, 1);
    refused(&[], Check::Start, 0);
}

/// A file that comes in small pieces, is interrupted, and breaks off with an error.
struct Choppy<'a> {
    bytes: &'a [u8],
    piece: usize,
    calls: usize,
    breaks: bool,
}

impl std::io::Read for Choppy<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(3) {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        if self.bytes.is_empty() && self.breaks {
            return Err(std::io::Error::other("the disk is gone"));
        }
        let length = self.piece.min(out.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(length);
        out[..length].copy_from_slice(now);
        self.bytes = later;
        Ok(length)
    }
}

#[test]
fn a_file_may_come_in_pieces_and_break_off() {
    let file = ndjson(&Story::of(40, Signing::Every).lines).into_bytes();
    let verifier = Verifier::new(trusted()).depth(Depth::LastSignature);
    let threads = verifier.clone().threads(std::num::NonZero::new(2).expect("two"));
    for (piece, breaks) in [(1, false), (7, true), (4096, false), (4096, true), (1 << 20, true)] {
        for cut in [file.len(), file.len() - 1, file.len() / 2, 100, 0] {
            let found = |verifier: &Verifier| {
                let choppy = Choppy { bytes: &file[..cut], piece, calls: 0, breaks };
                format!("{:?}", verifier.verify(std::io::BufReader::new(choppy)))
            };
            assert_eq!(found(&verifier), found(&threads), "{piece} {breaks} {cut}");
        }
    }
}
