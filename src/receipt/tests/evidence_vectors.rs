//! Checkpoints, proofs and disclosures that every verifier must accept or refuse
//! (receipt-format §13).

use std::fmt::Write as _;
use std::path::PathBuf;

use super::evidence::{checkpoint, cosign, disclosed, journal_of, name, trust};
use super::vectors::{hold, texts_of};
use super::*;

fn folder(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(kind)
}

struct Vector {
    name: &'static str,
    head: String,
    body: String,
}

fn vector(name: &'static str, why: &str, heads: &[(&str, &str)], body: String) -> Vector {
    let expect = if name.starts_with("ok") { "ok" } else { "refused" };
    let mut head = format!("# expect: {expect}\n# identity: {}\n", trusted());
    writeln!(head, "# name: {}", self::name().as_str()).expect("a string");
    for (key, value) in heads {
        writeln!(head, "# {key}: {value}").expect("a string");
    }
    writeln!(head, "# why: {why}").expect("a string");
    Vector { name, head, body }
}

fn check(kind: &str, extension: &str, vectors: &[Vector], opens: impl Fn(&str, &str) -> bool) {
    for Vector { name, head, body } in vectors {
        let path = folder(kind).join(format!("{name}.{extension}"));
        hold(&path, &format!("{head}{body}"));
        assert_eq!(opens(head, body), name.starts_with("ok"), "{name}");
    }
    assert_eq!(
        texts_of(&folder(kind), extension).len(),
        vectors.len(),
        "one is not described here"
    );
}

fn told<'a>(head: &'a str, key: &str) -> Vec<&'a str> {
    let lines = head.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(": "));
    lines.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

#[test]
fn checkpoints() {
    let story = Story::of(9, Signing::Every);
    let note = checkpoint(&story).as_str().to_owned();
    let key = |seed: u8| hex::text(&SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes());
    let [one, two] = [format!("w1.example {}", key(51)), format!("w2.example {}", key(52))];
    let asked = [("witness", &*one), ("witness", &*two), ("quorum", "2")];
    let cosigned = |name, seed| cosign(name, seed, &note, 1_795_428_001);
    let both = format!("{note}{}{}", cosigned("w1.example", 51), cosigned("w2.example", 52));
    let size = format!("\n{}\n", story.journal.position().lines);
    let vectors = [
        vector("ok-plain", "signed by the identity", &[], note.clone()),
        vector("ok-witnessed", "two of two witnesses", &asked, both.clone()),
        vector(
            "ok-unknown-signature",
            "keys that nobody knows are passed over",
            &[],
            format!("{note}— x AAAAAAA=\n"),
        ),
        vector(
            "bad-quorum",
            "one witness twice",
            &asked,
            format!("{note}{}{}", cosigned("w1.example", 51), cosigned("w1.example", 51)),
        ),
        vector(
            "bad-witness",
            "the signature of a known witness is wrong",
            &[asked[0], asked[1], ("quorum", "1")],
            both.replacen(
                cosigned("w2.example", 52).get(18..40).expect("long"),
                &cosign("w2.example", 52, &note, 9)[18..40],
                1,
            ),
        ),
        vector("bad-unsigned", "another key signed it", &[], {
            let head = TreeHead::from(story.journal.position());
            let other = IdentityKey::from_seed(&[9; 32]);
            Checkpoint::sign(&name(), &head, &other).expect("signed").as_str().to_owned()
        }),
        vector("bad-name", "of another log", &[], {
            let head = TreeHead::from(story.journal.position());
            let other = LogName::parse("receipts.example.org/test").expect("a name");
            Checkpoint::sign(&other, &head, &identity()).expect("signed").as_str().to_owned()
        }),
        vector("bad-size", "another size", &[], note.replacen(&size, "\n2\n", 1)),
        vector("bad-leading-zero", "a second spelling", &[], note.replacen(&size, "\n03\n", 1)),
        vector("bad-line-end", "no line end", &[], note.trim_end().to_owned()),
        vector("bad-extension", "an extension line", &[], note.replacen("\n\n", "\nx\n\n", 1)),
    ];
    check("checkpoints", "note", &vectors, |head, body| {
        let witnesses: Vec<Witness> = told(head, "witness")
            .iter()
            .filter_map(|witness| witness.split_once(' '))
            .map(|(name, key)| Witness::new(name, TrustedKey::parse_hex(key).unwrap()).unwrap())
            .collect();
        let quorum = told(head, "quorum").first().map_or(0, |quorum| quorum.parse().unwrap());
        trust().with_witnesses(witnesses, quorum).expect("a quorum").open(body).is_ok()
    });
}

#[test]
fn proofs() {
    let mut story = Story::of(20, Signing::Every);
    story.allow();
    story.head();
    let checkpoint = checkpoint(&story);
    let (journal, tree) = journal_of(&story);
    let proof = |at: u64| {
        TlogProof::new(&tree.inclusion(at, tree.size()).expect("a leaf"), &checkpoint).to_string()
    };
    let line = |at: usize| [("line", journal[at].as_str())];
    let swapped = proof(2).replacen("index 2", "index 3", 1);
    let vectors = [
        vector("ok-first", "the first line", &line(0), proof(0)),
        vector("ok-head", "a head", &line(2), proof(2)),
        vector(
            "ok-extra",
            "what nobody signs",
            &line(2),
            proof(2).replacen("index", "extra AAAA\nindex", 1),
        ),
        vector("bad-line", "another line", &line(1), proof(2)),
        vector("bad-index", "another index", &line(2), swapped),
        vector(
            "bad-content",
            "another line at the right index",
            &[("line", journal[2].replacen("\"time\":1", "\"time\":2", 1).as_str())],
            proof(2),
        ),
        vector(
            "bad-session-line",
            "a line of a session",
            &[("line", story.lines[2].as_str())],
            proof(2),
        ),
        vector("bad-hash", "a hash too few", &line(2), {
            let text = proof(2);
            let (head, rest) = text.split_once("\n\n").expect("an empty line");
            let (head, _) = head.rsplit_once('\n').expect("a hash");
            format!("{head}\n\n{rest}")
        }),
        vector("bad-header", "another version", &line(2), proof(2).replacen("@v1", "@v2", 1)),
    ];
    check("proofs", "tlog-proof", &vectors, |head, body| {
        let line = told(head, "line");
        TlogProof::parse(body).and_then(|proof| proof.verify(line[0], &trust())).is_ok()
    });
}

#[test]
fn disclosures() {
    let (story, openings) = disclosed();
    let file = ndjson(&story.lines);
    let checkpoint = checkpoint(&story);
    let gather = |wanted: &[u64], openings: &[Opening]| {
        Disclosure::gather(file.as_bytes(), &checkpoint, session(4), wanted, openings)
            .expect("it is there")
    };
    let line = |disclosure: &Disclosure| format!("{}\n", disclosure.to_line());
    let whole = gather(&[2, 3, 4], &openings);
    let backwards = whole.clone().with_lines(|lines| lines.reverse());
    let text = line(&whole);
    let vectors = [
        vector("ok-group", "a group with its openings", &[("lines", "3")], text.clone()),
        vector(
            "ok-silent",
            "one line and nothing opened",
            &[("lines", "1")],
            line(&gather(&[3], &[])),
        ),
        vector("bad-order", "lines out of order", &[], line(&backwards)),
        vector("bad-opening", "an opening of another call", &[], {
            text.replace("\"call\":2,\"name\":\"action\"", "\"call\":1,\"name\":\"action\"")
        }),
        vector("bad-line", "a decision was changed", &[], {
            text.replacen("\\\"decision\\\":\\\"deny\\\"", "\\\"decision\\\":\\\"allow\\\"", 1)
        }),
        vector("bad-proof", "a hash was changed", &[], {
            let (head, rest) = text.split_once("\"proof\":[\"").expect("a proof");
            let digit = if rest.starts_with('0') { '1' } else { '0' };
            format!("{head}\"proof\":[\"{digit}{}", &rest[1..])
        }),
        vector(
            "bad-spelling",
            "a blank",
            &[],
            text.replacen("{\"disclosure\":", "{\"disclosure\": ", 1),
        ),
        vector("bad-version", "another version", &[], text.replacen("\"v\":1}}", "\"v\":2}}", 1)),
    ];
    check("disclosures", "ndjson", &vectors, |head, body| {
        let line = body.strip_suffix('\n').expect("a line");
        let read = Disclosure::parse(line).and_then(|read| read.verify(&trust()));
        let lines = told(head, "lines");
        read.is_ok_and(|found| found.lines.len().to_string() == lines[0])
    });
}
