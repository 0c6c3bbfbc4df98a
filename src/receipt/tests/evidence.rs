//! What convinces somebody who does not have the file: checkpoints, proofs, disclosures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::*;

pub(super) fn name() -> LogName {
    LogName::parse("receipts.example.org/prod").expect("a name")
}

pub(super) fn trust() -> CheckpointTrust {
    CheckpointTrust::new(trusted(), name())
}

pub(super) fn checkpoint(story: &Story) -> Checkpoint {
    let head = TreeHead::from(story.journal.position());
    Checkpoint::sign(&name(), &head, &identity()).expect("a checkpoint")
}

/// The lines of the journal, and the tree over them.
pub(super) fn journal_of(story: &Story) -> (Vec<&String>, Tree) {
    let own = |line: &&String| {
        ParsedLine::parse(line.as_bytes()).is_ok_and(|line| line.body.is_journal())
    };
    let journal: Vec<&String> = story.lines.iter().filter(own).collect();
    let tree = journal.iter().map(|line| TreeHash::of_line(line.as_bytes())).collect();
    (journal, tree)
}

/// A signature line as a witness makes it, by the words of c2sp.org/tlog-cosignature alone.
pub(super) fn cosign(witness: &str, seed: u8, note: &str, time: u64) -> String {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let text = &note[..note.find("\n\n").expect("an empty line") + 1];
    let signature = key.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
    let public = key.verifying_key().to_bytes();
    let hash = Sha256::digest([format!("{witness}\n\u{4}").as_bytes(), &public].concat());
    let bytes = [&hash[..4], &time.to_be_bytes(), &signature.to_bytes()].concat();
    format!("— {witness} {}\n", STANDARD.encode(bytes))
}

fn witness(name: &str, seed: u8) -> Witness {
    let key = SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes();
    Witness::new(name, TrustedKey::from_bytes(&key).expect("a sound key")).expect("a name")
}

#[test]
fn a_checkpoint_anchors_the_journal() {
    let mut story = Story::of(9, Signing::Heads);
    let early = checkpoint(&story);
    story.allow();
    story.head();
    let late = checkpoint(&story);
    let verify = |held: &[&Checkpoint], lines: &[String]| {
        let verifier = Verifier::new(trusted());
        let verifier =
            held.iter().fold(verifier, |verifier, held| verifier.expect_checkpoint(held));
        verifier.verify(ndjson(lines).as_bytes())
    };
    let size = late.tree_head().size;
    let verified = verify(&[&early, &late], &story.lines).expect("it is good");
    assert_eq!(verified.anchor, Anchor::Checkpoint { size, witnesses: 0 });
    // The last line of the journal is gone, and nobody who has the file alone can tell.
    let cut = &story.lines[..story.lines.len() - 1];
    assert!(verify(&[&early], cut).is_ok());
    assert_eq!(verify(&[&late], cut).expect_err("it is cut").check(), Check::Cut);
    // Another history under the same keys.
    let mut journal = Story::new(Signing::Heads);
    journal.allow();
    journal.head();
    assert_eq!(
        verify(&[&early], &journal.lines).expect_err("it was forked").check(),
        Check::Checkpoint
    );
    // The checkpoint of another journal.
    let time = Timestamp::from_millis(START + 9);
    let (alien, _) = Journal::start(&identity(), &EPOCHS[1], Signing::Heads, time).expect("one");
    let alien = Checkpoint::sign(&name(), &TreeHead::from(alien.position()), &identity());
    let error = verify(&[&alien.expect("a checkpoint")], &story.lines).expect_err("it is another");
    assert_eq!((error.check(), error.line()), (Check::Checkpoint, Some(1)));
}

#[test]
fn two_checkpoints_of_one_size_prove_a_fork() {
    let tell = |verdict: Verdict| {
        let mut story = Story::new(Signing::Heads);
        story.call(&[(Domain::Data, &[verdict])]);
        story.head();
        checkpoint(&story)
    };
    let (one, two) = (tell(Verdict::Allow), tell(Verdict::Deny));
    let forked = Equivocation::between(&one, &two).expect("the roots differ");
    assert_eq!(forked.notes(), (&one, &two));
    assert!(forked.to_string().contains("was forked"));
    assert_eq!(Equivocation::between(&one, &one), None);
    assert_eq!(Equivocation::between(&one, &checkpoint(&Story::new(Signing::Heads))), None);
}

#[test]
fn notes_have_one_spelling() {
    let story = Story::of(9, Signing::Every);
    let checkpoint = checkpoint(&story);
    let note = checkpoint.as_str();
    assert_eq!(trust().open(note).as_ref(), Ok(&checkpoint));
    let size = checkpoint.tree_head().size;
    let id = checkpoint.tree_head().journal;
    let lines: Vec<&str> = note.split('\n').collect();
    for changed in [
        note.trim_end().to_owned(),
        format!("{note}\n"),
        format!("\u{feff}{note}"),
        note.replace('\n', "\r\n"),
        note.replacen("\n\n", "\n", 1),
        note.replacen("\n\n", "\nextension\n\n", 1),
        note.replacen(&format!("\n{size}\n"), &format!("\n0{size}\n"), 1),
        note.replacen(&format!("\n{size}\n"), &format!("\n+{size}\n"), 1),
        note.replacen(&format!("\n{size}\n"), "\n0\n", 1),
        note.replacen(&format!("\n{size}\n"), "\n9007199254740992\n", 1),
        note.replacen(lines[2], lines[2].trim_end_matches('='), 1),
        note.replacen(&id.to_string(), &id.to_string().to_uppercase(), 2),
        note.replace("receipts.example.org/prod/", "receipts.example.org/test/"),
        note.replace("receipts.example.org/prod/", "receipts.example.org/prod//"),
        note.replacen("— ", "- ", 1),
        note.replacen("— ", "—  ", 1),
        format!("{note}{}\n", lines[4]),
        note.replacen(lines[4], "", 1),
        format!("{note}{}", "— x AAAAAAA=\n".repeat(64)),
        format!("{note}{}", "— x AAAAAAA=\n".repeat(2000)),
        format!("{note}— x y AAAAAAA=\n"),
        format!("{note}— x AAAA\n"),
        format!("{note}— x AAAAAAB=\n"),
        format!("{note}— x+y AAAAAAA=\n"),
    ] {
        assert!(trust().open(&changed).is_err(), "{changed}");
    }
    // Every byte of the text and of the signature counts.
    for at in 0..note.len() {
        let mut bytes = note.as_bytes().to_vec();
        bytes[at] ^= 1;
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(trust().open(&changed).is_err(), "{changed}");
        }
    }
    // Signatures of keys that nobody asked for are passed over.
    let more = checkpoint.with_signature_lines("— x AAAAAAA=\n").expect("a note");
    assert_eq!(trust().open(&more).expect("it is good").tree_head(), checkpoint.tree_head());
    assert!(checkpoint.with_signature_lines("x").is_err());
}

#[test]
fn names_are_urls_without_a_scheme() {
    let check = |name: &str, good: bool| assert_eq!(LogName::parse(name).is_ok(), good, "{name}");
    check("a", true);
    check("receipts.example.org:8443/~team/prod_1", true);
    for bad in ["", "/a", "a/", "a//b", "a b", "a+b", "é", "a\n", "https://a"] {
        check(bad, false);
    }
    check(&"a".repeat(200), true);
    check(&"a".repeat(201), false);
}

#[test]
fn witnesses_are_counted_once_and_checked() {
    let story = Story::of(9, Signing::Every);
    let note = checkpoint(&story).as_str().to_owned();
    let all = || vec![witness("w1.example", 51), witness("w2.example", 52)];
    let asking = |quorum| trust().with_witnesses(all(), quorum).expect("a quorum");
    let [one, two] = [("w1.example", 51), ("w2.example", 52)]
        .map(|(name, seed)| cosign(name, seed, &note, 1_795_428_001));
    let both = format!("{note}{one}{two}");
    let opened = asking(2).open(&both).expect("both signed");
    assert_eq!(opened.witnesses().len(), 2);
    assert_eq!(opened.witnesses()[0].time, 1_795_428_001);
    assert_eq!(
        asking(2).open(&format!("{note}{one}{one}")),
        Err(NoteError::Quorum { needed: 2, found: 1 })
    );
    assert!(asking(1).open(&format!("{note}{two}")).is_ok());
    assert_eq!(trust().open(&both).expect("nobody asks").witnesses(), []);
    // A known witness whose signature is wrong spoils the note, whatever the quorum.
    let other = checkpoint(&Story::new(Signing::Every)).as_str().to_owned();
    let lies = cosign("w2.example", 52, &other, 1_795_428_001);
    assert!(matches!(
        asking(1).open(&format!("{note}{one}{lies}")),
        Err(NoteError::Signature { name }) if name == "w2.example"
    ));
    let stolen = cosign("w2.example", 51, &note, 1_795_428_001);
    assert!(matches!(
        asking(2).open(&format!("{note}{one}{stolen}")),
        Err(NoteError::Quorum { .. })
    ));
    let late = cosign("w1.example", 51, &note, 1 << 63);
    assert!(asking(1).open(&format!("{note}{late}")).is_err());
    // One party under two names, or a quorum that nobody can reach.
    for (set, quorum) in [
        (vec![witness("a", 51), witness("b", 51)], 1),
        (vec![witness("a", 51), witness("a", 52)], 1),
        (all(), 3),
    ] {
        assert_eq!(trust().with_witnesses(set, quorum).err(), Some(NoteError::Witnesses));
    }
}

#[test]
fn verifier_keys_are_those_of_signed_notes() {
    // The example of c2sp.org/signed-note's reference implementation for type 1, and its form for 4.
    let id = digest("journal");
    let key = name().verifier_key(&id, &trusted());
    let (prefix, rest) = key.split_once('+').expect("a name");
    assert_eq!(prefix, format!("receipts.example.org/prod/{id}"));
    assert_eq!(rest.len(), 8 + 1 + 44);
    let public = SigningKey::from_bytes(&[51; 32]).verifying_key().to_bytes();
    let hash = Sha256::digest([b"w1.example\n\x04".as_slice(), &public].concat());
    let bytes = [&[4_u8][..], &public].concat();
    let text = format!("w1.example+{}+{}", hex::text(&hash[..4]), STANDARD.encode(&bytes));
    assert_eq!(Witness::parse(&text), Ok(witness("w1.example", 51)));
    for bad in [
        text.replacen("w1", "w2", 1),
        text.replacen('+', " ", 1),
        text.to_uppercase(),
        text[..text.len() - 4].to_owned(),
        key,
    ] {
        assert_eq!(Witness::parse(&bad), Err(NoteError::VerifierKey), "{bad}");
    }
}

#[test]
fn a_proof_is_of_its_line_and_no_other() {
    let mut story = Story::of(20, Signing::Every);
    for _ in 0..5 {
        story.allow();
        story.head();
    }
    let checkpoint = checkpoint(&story);
    let (journal, tree) = journal_of(&story);
    let size = tree.size();
    for (index, line) in (0..).zip(&journal) {
        let proof = TlogProof::new(&tree.inclusion(index, size).expect("a leaf"), &checkpoint);
        let text = proof.to_string();
        let read = TlogProof::parse(&text).expect("a proof");
        assert_eq!((&read, read.index()), (&proof, index));
        assert_eq!(read.verify(line, &trust()).as_ref(), Ok(&checkpoint));
        let extra = text.replacen("\nindex", "\nextra AAAA\nindex", 1);
        assert_eq!(TlogProof::parse(&extra).as_ref(), Ok(&proof));
        let other = journal[(usize::try_from(index).unwrap() + 1) % journal.len()];
        assert_eq!(read.verify(other, &trust()), Err(ProofError::Line { index }));
        let last = if line.contains("\"time\":1") {
            line.replacen("\"time\":1", "\"time\":2", 1)
        } else {
            panic!()
        };
        if index > 0 {
            assert_eq!(read.verify(&last, &trust()), Err(ProofError::Inclusion));
        }
        for bad in [
            text.replacen("index ", "index 0", 1),
            text.replacen("index ", "index +", 1),
            text.replacen("@v1", "@v2", 1),
            text.replacen("\n\n", "\n", 1),
            text.replacen("\n\n", "\nAAAA\n\n", 1),
            text.replacen("\nindex", "\nextra A\nindex", 1),
            text.replacen(
                "\n\n",
                &format!("{}\n\n", format!("\n{}", STANDARD.encode([0; 32])).repeat(64)),
                1,
            ),
        ] {
            assert!(matches!(TlogProof::parse(&bad), Err(ProofError::Form { .. })), "{bad}");
        }
    }
}

/// A story of which line 3 on belongs to a group of three, with its openings.
pub(super) fn disclosed() -> (Story, Vec<Opening>) {
    let mut story = Story::new(Signing::Heads);
    story.allow();
    let group = story.group(&[
        (Domain::Application, &[Verdict::Deny]),
        (Domain::Infrastructure, &[Verdict::Allow, Verdict::Defer]),
        (Domain::Workload, &[Verdict::Deny]),
    ]);
    let openings = group.openings.clone();
    story.push(group);
    story.outcome(1, OutcomeStatus::Succeeded);
    story.head();
    story.allow();
    story.head();
    (story, openings)
}

#[test]
fn a_disclosure_stands_alone() {
    let (story, openings) = disclosed();
    let checkpoint = checkpoint(&story);
    let gather = |wanted: &[u64], openings: &[Opening]| {
        Disclosure::gather(
            ndjson(&story.lines).as_bytes(),
            &checkpoint,
            session(4),
            wanted,
            openings,
        )
    };
    let all: Vec<u64> = (0..story.chain.lines()).collect();
    for wanted in [&all[..], &[3], &[2, 3, 4], &[3, 5], &[0]] {
        let disclosure = gather(wanted, &openings).expect("it is there");
        let line = disclosure.to_line();
        let read = Disclosure::parse(&line).expect("a disclosure");
        assert_eq!(read, disclosure);
        let disclosed = read.verify(&trust()).expect("it is good");
        let seqs: Vec<u64> =
            disclosed.lines.iter().map(|one| one.line.parsed().unwrap().body.seq()).collect();
        assert_eq!(seqs, wanted);
        let partly = wanted.contains(&3) && !wanted.contains(&2);
        assert_eq!(!disclosed.incomplete.is_empty(), partly, "{wanted:?}");
        // Nothing of the values is seen but what was opened.
        assert_eq!(line.contains("203.0.113.9"), wanted.iter().any(|seq| (2..5).contains(seq)));
    }
    let nothing = gather(&[3], &[]).expect("it is there").to_line();
    assert!(!nothing.contains("203.0.113.9"));
    assert!(matches!(gather(&[], &[]), Err(GatherError::Lines)));
    assert!(matches!(gather(&[99], &[]), Err(GatherError::Missing(_))));
    let other = super::evidence::checkpoint(&Story::of(9, Signing::Every));
    let file = ndjson(&story.lines);
    let wrong = Disclosure::gather(file.as_bytes(), &other, session(4), &[1], &[]);
    assert!(matches!(wrong, Err(GatherError::Missing(_))));
}

#[test]
fn lines_that_the_head_does_not_account_for_are_not_gathered() {
    let (story, openings) = disclosed();
    let checkpoint = checkpoint(&story);
    let session_line = |line: &&String| {
        ParsedLine::parse(line.as_bytes()).is_ok_and(|line| !line.body.is_journal())
    };
    let own: Vec<&String> = story.lines.iter().filter(session_line).collect();
    let gather = |lines: &[String], wanted: u64| {
        let file = ndjson(lines);
        Disclosure::gather(file.as_bytes(), &checkpoint, session(4), &[wanted], &openings)
    };
    // One line is another one, whether it is shown or not: what the journal signs is not this session.
    for (at, line) in own.iter().enumerate().take(5) {
        let place = story.lines.iter().position(|known| known == *line).unwrap();
        let mut changed = story.lines.clone();
        changed[place] = line.replacen("\"time\":1795", "\"time\":1796", 1);
        assert_ne!(changed[place], **line, "{line}");
        let error = gather(&changed, 1).expect_err("another tree");
        assert!(matches!(error, GatherError::Tree { head, lines } if head != lines), "{error:?}");
        assert_eq!(error.code(), "disclosure.tree", "{at}");
    }
    // Two lines in each other's place, and one that is missing.
    let place = |seq: usize| story.lines.iter().position(|line| line == own[seq]).unwrap();
    let mut swapped = story.lines.clone();
    swapped.swap(place(3), place(4));
    assert_eq!(gather(&swapped, 1).expect_err("another tree").code(), "disclosure.tree");
    let mut short = story.lines.clone();
    short.remove(place(2));
    assert_eq!(gather(&short, 1).expect_err("another tree").code(), "disclosure.tree");
    assert!(gather(&story.lines, 1).is_ok());
}

#[test]
fn what_nobody_would_read_is_not_gathered() {
    let mut story = Story::new(Signing::Heads);
    let mut openings = Vec::new();
    let big = format!("\"{}\"", "x".repeat(1_000_000));
    let mut wanted = Vec::new();
    for call in 1..=17 {
        story.allow();
        let time = story.tick();
        let key = story.journal.epoch_key().clone();
        let record = OutcomeRecord {
            call,
            status: OutcomeStatus::Succeeded,
            result: Some(&big),
            duration_ms: 12,
            after: counters(call),
            time,
        };
        let group = story.chain.append_outcome(&key, &record).expect("an outcome");
        openings.extend(group.openings.clone());
        wanted.push(story.chain.lines() - 1);
        story.push(group);
    }
    story.head();
    let checkpoint = checkpoint(&story);
    let file = ndjson(&story.lines);
    let gather = |wanted: &[u64]| {
        Disclosure::gather(file.as_bytes(), &checkpoint, session(4), wanted, &openings)
    };
    let error = gather(&wanted).expect_err("17 MB");
    assert!(matches!(error, GatherError::TooLong { bytes } if bytes > 17_000_000), "{error:?}");
    assert_eq!(error.code(), "disclosure.too_long");
    let fits = gather(&wanted[1..]).expect("it fits").to_line();
    assert!(Disclosure::parse(&fits).and_then(|read| read.verify(&trust())).is_ok());
}

#[test]
fn more_openings_of_a_line_than_it_may_have_are_not_left_out_in_silence() {
    let mut story = Story::new(Signing::Heads);
    let group = story.group(&[(Domain::Data, &[Verdict::Allow; 256])]);
    let openings = group.openings.clone();
    assert_eq!(openings.len(), 258);
    story.push(group);
    story.head();
    let checkpoint = checkpoint(&story);
    let file = ndjson(&story.lines);
    let gather = |openings: &[Opening]| {
        Disclosure::gather(file.as_bytes(), &checkpoint, session(4), &[1], openings)
    };
    let error = gather(&openings).expect_err("258 of 256");
    assert!(matches!(error, GatherError::Openings { seq: 1, found: 258 }), "{error:?}");
    let fits = gather(&openings[2..]).expect("it fits").to_line();
    assert!(Disclosure::parse(&fits).is_ok());
}

#[test]
fn a_disclosure_that_was_changed_is_refused() {
    let (story, openings) = disclosed();
    let file = ndjson(&story.lines);
    let checkpoint = checkpoint(&story);
    let line = Disclosure::gather(file.as_bytes(), &checkpoint, session(4), &[2, 3], &openings)
        .expect("it is there")
        .to_line();
    let verify = |line: &str| Disclosure::parse(line).and_then(|read| read.verify(&trust()));
    assert!(verify(&line).is_ok());
    // Each byte of it, somewhere in every member.
    for at in (0..line.len()).step_by(7) {
        let mut bytes = line.as_bytes().to_vec();
        bytes[at] ^= 1;
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(verify(&changed).is_err(), "byte {at}");
        }
    }
    let swap = |from: &str, to: &str| line.replacen(from, to, 1);
    assert!(matches!(verify(&swap("\"v\":1", "\"v\":2")), Err(DisclosureError::Form(_))));
    assert!(matches!(
        verify(&swap("{\"disclosure\"", "{ \"disclosure\"")),
        Err(DisclosureError::Form(_))
    ));
    // An opening of another call, which is right by itself.
    let mut moved = Disclosure::parse(&line).expect("a disclosure");
    let value = |opening: &Opening| opening.name() == "action";
    assert!(openings.iter().any(value));
    let wrong = line.replace("\"call\":2,\"name\":\"action\"", "\"call\":1,\"name\":\"action\"");
    assert!(matches!(verify(&wrong), Err(DisclosureError::Opening { number: 1, .. })));
    // Lines out of order, twice, or beyond the head.
    moved = moved.with_lines(|lines| lines.reverse());
    assert!(matches!(moved.verify(&trust()), Err(DisclosureError::Session { number: 2 })));
    let twice = Disclosure::parse(&line).unwrap().with_lines(|lines| {
        let first = lines[0].clone();
        lines.insert(0, first);
    });
    assert!(matches!(twice.verify(&trust()), Err(DisclosureError::Session { number: 2 })));
    // A name, an identity or a head that is not the right one.
    let strangers = CheckpointTrust::new(trusted(), LogName::parse("other.example").unwrap());
    let read = Disclosure::parse(&line).unwrap();
    assert!(matches!(read.verify(&strangers), Err(DisclosureError::Checkpoint(_))));
    let key = TrustedKey::from_bytes(&IdentityKey::from_seed(&[9; 32]).public_key()).unwrap();
    let strangers = CheckpointTrust::new(key, name());
    assert!(matches!(read.verify(&strangers), Err(DisclosureError::Checkpoint(_))));
}

#[test]
fn another_identity_says_nothing_of_a_journal() {
    let story = Story::of(9, Signing::Every);
    let own = checkpoint(&story);
    let other = IdentityKey::from_seed(&[9; 32]);
    let head =
        TreeHead { root: TreeHash::of_line(b"x"), ..TreeHead::from(story.journal.position()) };
    let lies = Checkpoint::sign(&name(), &head, &other).expect("signed");
    assert_eq!(Equivocation::between(&own, &lies), None);
    let same = Checkpoint::sign(&name(), own.tree_head(), &other).expect("signed");
    for held in [&lies, &same] {
        let verifier = Verifier::new(trusted()).trust(other.trusted()).expect_checkpoint(held);
        let error = verifier.verify(ndjson(&story.lines).as_bytes()).expect_err("not its own");
        assert_eq!(error.check(), Check::Checkpoint);
    }
    // The log does not vouch for itself, and signature lines bring no text.
    let witness = Witness::new("itself.example", trusted()).expect("a name");
    let refused = trust().with_witnesses(vec![witness], 1);
    assert_eq!(refused.err(), Some(NoteError::Witnesses));
    assert!(own.with_signature_lines("\n— x AAAAAAA=\n").is_err());
}

#[test]
fn every_position_that_is_given_must_hold() {
    let story = Story::of(9, Signing::Every);
    let held = story.journal.position();
    let verifier = Verifier::new(trusted()).expect_journal_head(held.lines - 1, held.prev);
    let file = ndjson(&story.lines);
    assert!(verifier.verify(file.as_bytes()).is_ok());
    for verifier in [
        verifier.clone().expect_journal_head(held.lines - 1, digest("x")),
        Verifier::new(trusted())
            .expect_journal_head(held.lines - 1, digest("x"))
            .expect_journal_head(held.lines - 1, held.prev),
    ] {
        let error = verifier.verify(file.as_bytes()).expect_err("they contradict each other");
        assert_eq!(error.check(), Check::Position);
    }
}

/// A reader that panics when it is asked a second time.
struct Panics(usize);

impl std::io::Read for Panics {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.0 += 1;
        assert!(self.0 < 2, "a reader that panics");
        out.fill(b'\n');
        Ok(out.len())
    }
}

#[test]
fn a_reader_that_panics_leaves_nobody_waiting() {
    let panicked = std::panic::catch_unwind(|| {
        let verifier = Verifier::new(trusted()).threads(std::num::NonZero::new(3).expect("three"));
        // More than is read ahead, so that the panic comes while others work.
        let file = std::io::BufReader::with_capacity(9 << 20, Panics(0));
        verifier.verify(file).map(|_| ())
    });
    assert!(panicked.is_err());
}
