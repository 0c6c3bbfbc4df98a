//! Comparison with bash itself, which only ever reads the text: `--pretty-print` and `-n` together
//! execute nothing, the environment is empty, and the text is a file, not a command.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use crate::reason::Reason;
use crate::shell::syntax::{Change, Command, Kind, List, Operator, Part, Redirect, Word};

use super::{parse, tree};

/// Every how many records the committed test looks at.
const SAMPLE: usize = 5;

/// Lines that `bash -n` refuses and that are accepted here, with the reason.
const EXCEPTIONS: [&str; 0] = [];

/// Lines that bash prints as another line: it forgets the `;` behind a here-document.
const PRINTED_WRONGLY: [&str; 3] =
    ["oils-spec-52cfccf84e18", "oils-spec-dea7486a5398", "oils-spec-bd8d5307bdcd"];

/// Writes a tree without its spans.
#[derive(Default)]
pub(super) struct Canon {
    out: String,
}

impl Canon {
    pub(super) fn of(list: &List<'_>) -> String {
        let mut canon = Self::default();
        canon.list(list);
        canon.out
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn list(&mut self, list: &List<'_>) {
        for pipeline in &list.pipelines {
            let _ = write!(
                self.out,
                "[{:?}{}{} ",
                pipeline.link,
                if pipeline.background { "&" } else { "" },
                if pipeline.prefixed { "!" } else { "" }
            );
            for command in &pipeline.commands {
                self.command(command);
                self.put("|");
            }
            self.put("]\n");
        }
    }

    fn lists(&mut self, name: &str, lists: &[&List<'_>]) {
        self.put(name);
        for list in lists {
            self.put("{");
            self.list(list);
            self.put("}");
        }
    }

    fn command(&mut self, command: &Command<'_>) {
        match &command.kind {
            Kind::Simple { assignments, words } => {
                for assignment in assignments {
                    let append = if assignment.append { "+" } else { "" };
                    let _ = write!(self.out, "set {}{append}=", assignment.name);
                    match &assignment.value {
                        Some(value) => self.word(value),
                        None => {
                            self.put("(");
                            self.words(&assignment.array);
                            self.put(")");
                        }
                    }
                    self.put(" ");
                }
                self.words(words);
            }
            Kind::Subshell(list) => self.lists("subshell", &[list]),
            Kind::Group(list) => self.lists("group", &[list]),
            Kind::If { branches, otherwise } => {
                // Bash writes `elif` as an `if` in the `else`.
                for (index, (condition, body)) in branches.iter().enumerate() {
                    if index > 0 {
                        self.put("else{[Then ");
                    }
                    self.lists("if", &[condition, body]);
                }
                if let Some(otherwise) = otherwise {
                    self.lists("else", &[otherwise]);
                }
                for _ in branches.iter().skip(1) {
                    self.put("|]\n}");
                }
            }
            Kind::Loop { condition, body } => self.lists("loop", &[condition, body]),
            Kind::For { name, words, body } => {
                let _ = write!(self.out, "for {name} ");
                match words {
                    Some(words) => self.words(words),
                    // As bash writes it.
                    None => self.put("‹$@q› "),
                }
                self.lists("do", &[body]);
            }
            Kind::ArithmeticFor { head, body } => {
                // Bash writes the head anew.
                self.substitutions(&head.parts);
                self.lists("arithmetic for", &[body]);
            }
            Kind::Case { subject, arms } => {
                self.word(subject);
                for (patterns, list) in arms {
                    self.words(patterns);
                    self.lists("arm", &[list]);
                }
            }
            Kind::Function { name, body } => {
                let _ = write!(self.out, "function {name} ");
                // Bash writes every body as a group.
                let group = matches!(body.kind, Kind::Group(_));
                self.put(if group { "" } else { "group{[Then " });
                self.command(body);
                self.put(if group { "" } else { "|]\n}" });
            }
            Kind::Test(words) => {
                self.put("test ");
                // Bash writes `-n` before a lone operand.
                let lone = Part::Literal { text: "-n".into(), quoted: false };
                for word in words.iter().filter(|word| word.parts.as_slice() != [lone.clone()]) {
                    self.word(word);
                    self.put(" ");
                }
            }
            Kind::Arithmetic(word) => {
                self.put("arithmetic ");
                self.substitutions(&word.parts);
            }
        }
        for redirect in &command.redirects {
            self.redirect(redirect);
        }
    }

    fn redirect(&mut self, redirect: &Redirect<'_>) {
        // Bash writes `<&-` as `>&-`.
        let closes = match redirect.target.parts.as_slice() {
            [Part::Literal { text, .. }] => text == "-",
            _ => false,
        };
        let operator = match redirect.operator {
            Operator::DuplicateIn if closes => Operator::DuplicateOut,
            other => other,
        };
        let _ = write!(self.out, " <{operator:?} {} {:?} ", redirect.descriptor, redirect.variable);
        self.word(&redirect.target);
        self.put(">");
    }

    fn words(&mut self, words: &[Word<'_>]) {
        for word in words {
            self.word(word);
            self.put(" ");
        }
    }

    fn word(&mut self, word: &Word<'_>) {
        self.put("‹");
        self.parts(&word.parts);
        self.put("›");
    }

    fn parts(&mut self, parts: &[Part<'_>]) {
        let mut literal = None;
        for part in parts {
            if let Part::Literal { text, quoted } = part {
                if literal != Some(*quoted) {
                    self.put(if *quoted { "q:" } else { "u:" });
                }
                literal = Some(*quoted);
                self.put(text);
                continue;
            }
            literal = None;
            match part {
                Part::Literal { .. } => {}
                Part::Glob(text) => {
                    let _ = write!(self.out, "glob({text})");
                }
                Part::Tilde(text) => {
                    let _ = write!(self.out, "tilde({text})");
                }
                Part::Parameter { name, change, quoted } => {
                    let _ = write!(self.out, "${name}{}", if *quoted { "q" } else { "" });
                    self.change(change);
                }
                Part::Command { list, quoted } => {
                    self.lists(if *quoted { "q$" } else { "$" }, &[list]);
                }
                Part::Process { list, output } => {
                    self.lists(if *output { "out" } else { "in" }, &[list]);
                }
                Part::Arithmetic { inner, .. } => {
                    self.put("$((");
                    self.parts(inner);
                    self.put("))");
                }
            }
        }
    }

    fn change(&mut self, change: &Change<'_>) {
        match change {
            Change::None => {}
            Change::Length => self.put("#length"),
            Change::Alternative { operator, word } => {
                self.put(operator);
                self.word(word);
            }
            Change::Strip { operator, pattern } => {
                self.put(operator);
                self.word(pattern);
            }
            Change::Replace { operator, pattern, replacement } => {
                self.put(operator);
                self.word(pattern);
                self.word(replacement);
            }
            Change::Other { words } => self.words(words),
        }
    }

    /// Keeps only what runs commands.
    fn substitutions(&mut self, parts: &[Part<'_>]) {
        for part in parts {
            match part {
                Part::Command { list, .. } => self.lists("$", &[list]),
                Part::Arithmetic { inner, .. } => self.substitutions(inner),
                _ => {}
            }
        }
    }
}

/// What bash says of a text without running it: its own way to write it, or None where it does not
/// parse.
struct Bash {
    directory: PathBuf,
}

impl Bash {
    fn find(name: &str) -> Option<Self> {
        let directory =
            std::env::temp_dir().join(format!("countersign-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).ok()?;
        let bash = Self { directory };
        bash.accepts("true").then_some(bash)
    }

    fn run(&self, first: &[&str], text: &str) -> Option<(bool, String)> {
        let file = self.directory.join("text");
        fs::write(&file, text).ok()?;
        let output = Process::new("timeout")
            .args(["10", "bash", "--norc", "--noprofile"])
            .args(first)
            .arg("-n")
            .arg(&file)
            .current_dir(&self.directory)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .ok()?;
        // A missing end of a here-document is only warned of.
        let clean = output.status.success() && output.stderr.is_empty();
        Some((clean, String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    fn accepts(&self, text: &str) -> bool {
        self.run(&[], text).is_some_and(|(accepted, _)| accepted)
    }

    fn pretty(&self, text: &str) -> Option<String> {
        self.run(&["--pretty-print"], text).and_then(|(accepted, out)| accepted.then_some(out))
    }
}

impl Drop for Bash {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

struct Record {
    id: String,
    tier: String,
    input: String,
}

fn corpus(name: &str) -> Option<Vec<Record>> {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora");
    let path = Path::new(shared).join(name);
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: {name} is absent");
        return None;
    };
    let mut records = Vec::new();
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        if value["kind"] == "shell" {
            records.push(Record {
                id: value["id"].as_str().unwrap().to_owned(),
                tier: value["meta"]["tier"].as_str().unwrap_or("").to_owned(),
                input: value["input"].as_str().unwrap().to_owned(),
            });
        }
    }
    Some(records)
}

#[test]
fn bash_reads_its_own_writing_of_a_line_as_we_read_the_line() {
    let Some(bash) = Bash::find("pretty") else {
        println!("skipped: bash is absent");
        return;
    };
    for name in ["syntax.jsonl", "benign.jsonl", "attacks.jsonl", "bypasses.jsonl", "gated.jsonl"] {
        let Some(records) = corpus(name) else { return };
        let (mut same, mut valid, mut accepted, mut unread) = (0, 0, 0, 0);
        let mut wrong = Vec::new();
        for record in records.iter().step_by(SAMPLE) {
            let ours = parse(&record.input);
            let theirs = bash.pretty(&record.input);
            valid += usize::from(theirs.is_some());
            let ours = match ours {
                Ok(ours) => ours,
                Err(reject) => {
                    if theirs.is_some() {
                        println!("refused {}: {} in {:?}", record.id, reject.why, record.input);
                    }
                    continue;
                }
            };
            accepted += 1;
            if PRINTED_WRONGLY.contains(&record.id.as_str()) {
                continue;
            }
            let Some(theirs) = theirs else {
                if !EXCEPTIONS.contains(&record.id.as_str()) {
                    wrong.push(format!("{}: bash refuses {:?}", record.id, record.input));
                }
                continue;
            };
            match tree(&theirs) {
                Ok(again) => {
                    let (ours, again) = (Canon::of(&ours.list), Canon::of(&again.list));
                    if ours == again {
                        same += 1;
                    } else {
                        wrong.push(format!(
                            "{}: {:?}\n  ours   {ours:?}\n  theirs {again:?}\n  from {theirs:?}",
                            record.id, record.input
                        ));
                    }
                }
                Err(reject) => {
                    unread += 1;
                    println!("{}: {} in {theirs:?}", record.id, reject.why);
                }
            }
        }
        println!("{name}: accepted {accepted} of {valid} valid, same {same}, unread {unread}");
        for line in &wrong {
            println!("{line}");
        }
        assert!(wrong.is_empty(), "{} differ in {name}", wrong.len());
    }
}

#[test]
fn benign_lines_are_understood() {
    let Some(records) = corpus("benign.jsonl") else { return };
    for (tier, wanted) in
        [("core", 98), ("dev", 98), ("dev_net", 98), ("nested", 98), ("dynamic", 90)]
    {
        let (mut all, mut read) = (0, 0);
        for record in records.iter().filter(|record| record.tier == tier) {
            all += 1;
            match parse(&record.input) {
                Ok(_) => read += 1,
                Err(reject) => {
                    println!(
                        "{tier} {}: {} at {:?} {:?}",
                        record.id, reject.why, reject.span, record.input
                    );
                }
            }
        }
        println!("{tier}: {read} of {all}");
        assert!(read * 100 >= all * wanted, "{tier}");
    }
}

/// Numbers without a pattern, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound as u64).max(1)).unwrap()
    }
}

/// Pieces that change what stands beside them.
const METACHARACTERS: [&str; 40] = [
    "'", "\"", "`", "$", "$(", ")", "(", "{", "}", "${", "$((", "))", "<<", "<<E\n", "\nE\n", "<(",
    ">&", ">&-", "|", "&", ";", ";;", "\\", "\\\n", "\n", "#", "!", "[[ ", " ]]", "[", "]", "*",
    "~", ",", "..", "=", "=(", " if ", " do ", "é",
];

#[test]
fn mutants_neither_panic_nor_cost_more_than_linear() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for name in ["syntax.jsonl", "benign.jsonl", "bypasses.jsonl"] {
        let Some(records) = corpus(name) else { return };
        let mut accepted = 0;
        for (index, record) in records.iter().enumerate() {
            for _ in 0..6 {
                let text = mutate(
                    &record.input,
                    &records[(index * 7 + 1) % records.len()].input,
                    &mut random,
                );
                if let Ok(parsed) = parse(&text) {
                    accepted += 1;
                    assert!(parsed.steps <= 40 * (text.len() as u64 + 64), "{text:?}");
                }
            }
        }
        println!("{name}: {accepted} mutants accepted");
    }
}

/// As the test above, and asks bash about every mutant that is accepted.
#[test]
fn mutants_are_read_as_bash_reads_them() {
    let Some(bash) = Bash::find("mutants") else {
        println!("skipped: bash is absent");
        return;
    };
    let mut random = Random(0x2545_F491_4F6C_DD1D ^ (SAMPLE as u64) << 40);
    let mut wrong = Vec::new();
    let mut asked = 0;
    for name in ["syntax.jsonl", "benign.jsonl", "bypasses.jsonl"] {
        let Some(records) = corpus(name) else { return };
        for (index, record) in records.iter().enumerate().step_by(SAMPLE * 4) {
            let text =
                mutate(&record.input, &records[(index * 7 + 1) % records.len()].input, &mut random);
            // Bash forgets the `;` behind a here-document when it writes.
            let Ok(ours) = parse(&text) else { continue };
            if text.matches("<<").count() > 1 || text.contains("<<EOF;") {
                continue;
            }
            asked += 1;
            let Some(theirs) = bash.pretty(&text) else {
                wrong.push(format!("bash refuses {text:?}"));
                continue;
            };
            let again = tree(&theirs);
            let ours = Canon::of(&ours.list);
            match again {
                Ok(again) if Canon::of(&again.list) == ours => {}
                Ok(again) => {
                    wrong.push(format!("{text:?}\n  {ours:?}\n  {:?}", Canon::of(&again.list)))
                }
                Err(reject) => println!("unread: {} in {theirs:?}", reject.why),
            }
        }
    }
    for line in &wrong {
        println!("{line}");
    }
    println!("{asked} mutants compared");
    assert!(wrong.is_empty(), "{} differ", wrong.len());
}

fn mutate(text: &str, other: &str, random: &mut Random) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = random.below(chars.len() + 1);
    let head: String = chars[..at].iter().collect();
    let tail: String = chars[at..].iter().collect();
    match random.below(3) {
        0 => {
            let count = 1 + random.below(3);
            head + &tail.chars().skip(count).collect::<String>()
        }
        1 => head + METACHARACTERS[random.below(METACHARACTERS.len())] + &tail,
        _ => {
            let other: Vec<char> = other.chars().collect();
            let cut = random.below(other.len() + 1);
            head + &other[cut..].iter().collect::<String>()
        }
    }
}

#[test]
fn no_corpus_line_costs_more_than_linear() {
    for name in ["syntax.jsonl", "benign.jsonl", "attacks.jsonl", "bypasses.jsonl", "gated.jsonl"] {
        let Some(records) = corpus(name) else { return };
        for record in records {
            match parse(&record.input) {
                Ok(parsed) => {
                    assert!(parsed.steps <= 12 * (record.input.len() as u64 + 16), "{}", record.id);
                }
                Err(reject) => assert!(
                    matches!(
                        reject.reason,
                        Reason::ShellSyntax
                            | Reason::ShellTooLarge
                            | Reason::ShellInvisibleCharacter
                    ),
                    "{}",
                    record.id
                ),
            }
        }
    }
}
