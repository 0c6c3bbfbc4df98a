//! Two verifiers that share no code, one of them written from the specification alone, say the same.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;

/// Runs the verifier under `tests/interop/`; none where there is no Python, which is said.
fn python(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let child = Command::new("python3")
        .arg(folder.join("tests/interop/verify.py"))
        .args(arguments)
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: there is no python3");
        return None;
    };
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("it reads everything");
    Some((output.status.success(), String::from_utf8(output.stdout).expect("text")))
}

#[test]
fn both_find_the_same_in_every_vector() {
    for arguments in [&["selftest"][..], &["vectors", "tests/vectors"]] {
        let Some((good, output)) = python(arguments, "") else { return };
        let wrong: Vec<&str> = output.lines().filter(|line| line.contains("DIFFERS")).collect();
        assert!(good && wrong.is_empty(), "{arguments:?}: {wrong:?}");
    }
}

/// Runs a tool of others; none where it is absent or lacks a part, which is said.
fn tool(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Option<String> {
    let output = Command::new(name)
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop"))
        .envs(environment.iter().copied())
        .output();
    let Ok(output) = output else {
        println!("skipped: there is no {name}");
        return None;
    };
    let (found, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let absent = ["cannot find package", "No module named", "command not found"];
    if absent.iter().any(|absent| errors.contains(absent)) {
        println!("skipped: {name} lacks a part: {errors}");
        return None;
    }
    assert!(output.status.success(), "{name} {arguments:?}: {found}{errors}");
    Some(found.into_owned())
}

/// Writes what tools of others check: two checkpoints, how one continues the other, a line and its proof.
fn published(folder: &Path) -> Vec<String> {
    let mut story = Story::of(9, Signing::Every);
    story.allow();
    story.head();
    let old = evidence::checkpoint(&story);
    for _ in 0..9 {
        story.allow();
        story.head();
    }
    let new = evidence::checkpoint(&story);
    let (journal, tree) = evidence::journal_of(&story);
    let (first, second) = (old.tree_head().size, new.tree_head().size);
    let continues = tree.consistency(first, second).expect("both sizes");
    let hashes: String = continues
        .hashes()
        .iter()
        .map(|hash| format!("{}\n", note::encode(hash.as_bytes())))
        .collect();
    let proof = TlogProof::new(&tree.inclusion(5, second).expect("a leaf"), &new);
    let key = evidence::name().verifier_key(&new.tree_head().journal, &trusted());
    for (name, text) in [
        ("vkey", format!("{key}\n")),
        ("old.note", old.as_str().to_owned()),
        ("new.note", new.as_str().to_owned()),
        ("consistency", hashes),
        ("line", journal[5].clone()),
        ("line.tlog-proof", proof.to_string()),
    ] {
        fs::write(folder.join(name), text).expect("a file");
    }
    story.lines
}

#[test]
fn packages_of_the_go_checksum_database_accept_checkpoints_and_proofs() {
    let folder = tempfile::tempdir().expect("a folder");
    published(folder.path());
    let path = folder.path().display().to_string();
    let cache = folder.path().join("cache").display().to_string();
    // The packages as Debian installs them: no modules, no network.
    let environment = [
        ("GO111MODULE", "off"),
        ("GOPATH", "/usr/share/gocode"),
        ("GOFLAGS", ""),
        ("GOCACHE", &*cache),
    ];
    let run = |path: &str| tool("go", &["run", "notes/main.go", path], &environment);
    let Some(answer) = run(&path) else { return };
    assert_eq!(answer, "ok\n");
}

#[test]
fn b3sum_and_openssl_follow_the_chain() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = published(folder.path());
    let file = folder.path().join("receipts.ndjson");
    let identity = trusted().to_string();
    for command in [&["b3sum", "--version"], &["openssl", "version"]] {
        if tool(command[0], &command[1..], &[]).is_none() {
            return;
        }
    }
    fs::write(&file, ndjson(&lines)).expect("a file");
    let path = file.display().to_string();
    let answer = tool("bash", &["check.sh", &path, &identity], &[]).expect("bash");
    assert_eq!(answer, format!("ok: {0} lines, {0} signatures\n", lines.len()));
}

#[test]
fn a_witness_of_others_follows_the_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    published(folder.path());
    let path = folder.path().display().to_string();
    if tool("python3", &["witness.py", &path], &[("PYTHONDONTWRITEBYTECODE", "1")]).is_none() {
        return;
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("written");
    let witness = Witness::parse(read("witness").trim()).expect("a key");
    let trust = evidence::trust().with_witnesses(vec![witness], 1).expect("a quorum");
    let cosigned = trust.open(&read("cosigned.note")).expect("both signed");
    assert_eq!(cosigned.witnesses().len(), 1);
    assert!(trust.open(&read("new.note")).is_err());
}

#[test]
fn both_find_the_same_in_mutated_chains() {
    const MUTANTS: usize = 2_100;
    if python(&["vectors", "tests/vectors/proofs"], "").is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let stories: Vec<Vec<String>> = [Signing::Every, Signing::Heads].map(told).to_vec();
    let mut choices = Choices(0x5eed);
    let mut questions = String::new();
    let mut expected = Vec::new();
    for number in 0..MUTANTS {
        let story = &stories[number % stories.len()];
        let file = choices.mutate(story);
        let path: PathBuf = folder.path().join(format!("{number}.ndjson"));
        fs::write(&path, &file).expect("a file");
        let depths = [
            ("", Depth::EverySignature),
            (",\"last_signature\":true", Depth::LastSignature),
            (",\"links_only\":true", Depth::LinksOnly),
        ];
        let (option, depth) = depths[choices.below(depths.len())];
        questions.push_str(&format!(
            "{{\"file\":{:?},\"identity\":\"{}\"{option}}}\n",
            path.display().to_string(),
            trusted()
        ));
        let found = Verifier::new(trusted()).depth(depth).verify(&file[..]);
        expected.push((
            path,
            match found {
                Ok(found) => format!("ok: {} lines, {} torn", found.lines, found.torn_bytes),
                Err(error) => format!("{} at {}", error.check(), error.line().unwrap_or(0)),
            },
        ));
    }
    let (_, answers) = python(&["batch"], &questions).expect("it ran before");
    let mut refused = 0;
    let mut differing = Vec::new();
    for ((path, expected), answer) in expected.iter().zip(answers.lines()) {
        let answer: serde_json::Value = serde_json::from_str(answer).expect("an answer");
        let found = match answer["result"].as_str() {
            Some("ok") => format!("ok: {} lines, {} torn", answer["lines"], answer["torn"]),
            _ => format!("{} at {}", answer["check"].as_str().unwrap_or("?"), answer["line"]),
        };
        refused += usize::from(!expected.starts_with("ok"));
        if found != *expected {
            differing.push(format!("{}: {expected}, and {found}", path.display()));
        }
    }
    if !differing.is_empty() {
        // Kept to be looked at.
        let kept = folder.keep();
        panic!("{} of {MUTANTS} differ, below {}: {differing:#?}", differing.len(), kept.display());
    }
    assert_eq!(answers.lines().count(), MUTANTS);
    assert!(refused > MUTANTS / 2, "only {refused} of {MUTANTS} were refused");
}

/// A story with all kinds of lines.
fn told(signing: Signing) -> Vec<String> {
    let mut story = Story::of(9, signing);
    story.labels = &["secret"];
    story.restart();
    story.allow();
    story.head();
    story.outcome(story.chain.next_call() - 1, OutcomeStatus::Failed);
    story.call(&[(Domain::Data, &[Verdict::Deny]), (Domain::Workload, &[Verdict::Allow])]);
    story.end(EndStatus::Dropped);
    story.close(EndStatus::Dropped);
    story.lines
}

/// Choices that are the same in every run (xorshift).
struct Choices(u64);

impl Choices {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("small")
    }

    /// Changes a file as somebody would who has the storage, and now and then the keys as well.
    fn mutate(&mut self, story: &[String]) -> Vec<u8> {
        let mut lines = story.to_vec();
        for _ in 0..=self.below(2) {
            let at = self.below(lines.len());
            match self.below(9) {
                0 => drop(lines.remove(at)),
                1 => {
                    let other = self.below(lines.len());
                    lines.swap(at, other);
                }
                2 => {
                    let again = lines[at].clone();
                    let to = self.below(lines.len() + 1);
                    lines.insert(to, again);
                }
                3 => lines.truncate(at + 1),
                4..8 => lines[at] = self.forge(&lines[at]),
                _ => {}
            }
            if lines.is_empty() {
                break;
            }
        }
        if self.below(3) == 0 {
            lines = relinked(&lines);
        }
        let mut file = ndjson(&lines).into_bytes();
        match self.below(8) {
            0 if !file.is_empty() => {
                let at = self.below(file.len());
                file[at] ^= 1 << self.below(8);
            }
            1 if !file.is_empty() => file.truncate(self.below(file.len())),
            _ => {}
        }
        file
    }

    /// Changes a value in the body of a line and signs it again.
    fn forge(&mut self, line: &str) -> String {
        let Ok(parsed) = ParsedLine::parse(line.as_bytes()) else { return line.to_owned() };
        let body = parsed.body_text.as_bytes();
        // Where a value begins, or a word of one goes on.
        let at = self.below(body.len());
        let mut changed = body.to_vec();
        let digits = |byte: &u8| byte.is_ascii_digit();
        match self.below(6) {
            0 => match changed.iter().skip(at).position(digits) {
                Some(more) => {
                    changed[at + more] = b'0' + u8::try_from(self.below(10)).expect("one")
                }
                None => return line.to_owned(),
            },
            1 => {
                const WORDS: [(&str, &str); 12] = [
                    ("allow", "deny"),
                    ("deny", "allow"),
                    ("defer", "allow"),
                    ("data", "workload"),
                    ("every", "heads"),
                    ("\"index\":0", "\"index\":1"),
                    ("\"of\":1", "\"of\":2"),
                    ("[\"secret\"]", "[]"),
                    ("dropped", "finished"),
                    ("failed", "unused"),
                    ("\"v\":1", "\"v\":2"),
                    ("user:dana", "user:mallory"),
                ];
                let (from, to) = WORDS[self.below(WORDS.len())];
                changed = parsed.body_text.replacen(from, to, 1).into_bytes();
            }
            2 => changed[at] ^= 1,
            3 => drop(changed.remove(at)),
            4 => changed.insert(at, b' '),
            _ => changed.insert(at, b'0'),
        }
        let Ok(changed) = String::from_utf8(changed) else { return line.to_owned() };
        if changed == parsed.body_text {
            return line.to_owned();
        }
        reseal(line, seed_of(&parsed.body), |_| changed.clone())
    }
}

/// The secret key that signs a line with this body in the stories of these tests.
fn seed_of(body: &Body<'_>) -> &'static [u8; 32] {
    match body {
        Body::Epoch(_) => &IDENTITY,
        body => {
            let epoch = usize::try_from(body.epoch().max(1) - 1).unwrap_or(0);
            &EPOCHS[epoch % EPOCHS.len()]
        }
    }
}

/// Links every line anew to the one before it in its chain, with new signatures: what somebody can do
/// who has all keys.
fn relinked(lines: &[String]) -> Vec<String> {
    let mut last: std::collections::HashMap<Option<SessionId>, Digest> = Default::default();
    let mut out = Vec::with_capacity(lines.len());
    for line in lines {
        let Ok(parsed) = ParsedLine::parse(line.as_bytes()) else {
            out.push(line.clone());
            continue;
        };
        let body = &parsed.body;
        let chain = body.session().filter(|_| !body.is_journal());
        let mut line = line.clone();
        if let (Some(prev), Some(last)) = (body.prev(), last.get(&chain))
            && prev != *last
        {
            let (from, to) = (format!("\"prev\":\"{prev}\""), format!("\"prev\":\"{last}\""));
            line = reseal(&line, seed_of(body), |body| body.replacen(&from, &to, 1));
        }
        last.insert(chain, Line::parse(line.as_str()).expect("a line").link());
        out.push(line);
    }
    out
}
