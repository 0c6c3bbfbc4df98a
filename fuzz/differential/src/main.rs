//! Compares the commands that this library finds in lines of shell with those that another parser
//! finds. Where both understand a line, this library must not see fewer.
//!
//! ```sh
//! cargo run --release -- --seconds 600 --seed 1 lines.jsonl …
//! ```
//!
//! Each file holds JSON objects with the line as `input`, or the line as a whole. Mutants of the lines
//! follow until the time is over. The other parser overflows its stack and eats memory on some inputs;
//! it runs in a child process with a limit on both, on lines of at most 2 KiB.

mod other;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use countersign::testing::fuzzing::shell_commands;

/// A command: its name where it is plain text, and how many words it has.
type Found = (Option<String>, usize);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut seconds, mut seed, mut files) = (60, 1, Vec::new());
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("a number");
        match argument.as_str() {
            "--child" => return other::serve(),
            "--seconds" => seconds = number(),
            "--seed" => seed = number(),
            _ => files.push(argument),
        }
    }
    let lines: Vec<String> = files.iter().flat_map(|file| read(file)).collect();
    assert!(!lines.is_empty(), "name a file with lines");
    let mut run = Run { partner: Partner::start(), told: BTreeSet::new(), counts: [0; 5] };
    for line in &lines {
        run.compare(line);
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(seed | 1);
    while Instant::now() < until {
        let line = mutant(&lines, &mut random);
        run.compare(&line);
    }
    let [all, both, ours, theirs, died] = run.counts;
    println!(
        "{all} lines, {both} understood by both, {ours} refused here, {theirs} refused there, {died} broke \
         the other parser, {} disagreements",
        run.told.len()
    );
}

fn read(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("a file of text");
    let line = |line: &str| match serde_json::from_str::<serde_json::Value>(line) {
        Ok(record) => record["input"].as_str().map(str::to_owned),
        Err(_) => Some(line.to_owned()),
    };
    text.lines().filter_map(line).filter(|line| line.len() <= MAX_BYTES).collect()
}

const MAX_BYTES: usize = 2048;

struct Run {
    partner: Partner,
    /// What was reported, without the part that differs from mutant to mutant.
    told: BTreeSet<String>,
    counts: [u64; 5],
}

impl Run {
    fn compare(&mut self, line: &str) {
        self.counts[0] += 1;
        let Some(ours) = shell_commands(line) else {
            self.counts[2] += 1;
            return;
        };
        let theirs = match self.partner.ask(line) {
            Answer::Commands(theirs) => theirs,
            Answer::Refused => {
                self.counts[3] += 1;
                return;
            }
            Answer::Died => {
                self.counts[4] += 1;
                self.partner = Partner::start();
                return;
            }
        };
        self.counts[1] += 1;
        if let Some(missing) = missing(line, ours.clone(), &theirs) {
            let (name, words) = &missing;
            let kind = format!("{words} {name:?}");
            if self.told.len() < 200 && self.told.insert(kind) {
                println!("MISSING {missing:?} in {line:?}\n  here  {ours:?}\n  there {theirs:?}");
            }
        }
    }
}

/// A command that the other parser finds, and this library does not.
fn missing(line: &str, mut ours: Vec<Found>, theirs: &[Found]) -> Option<Found> {
    // Braces make several words of one here, and not there.
    let counts = !line.contains('{');
    let (plain, other): (Vec<_>, Vec<_>) = theirs.iter().partition(|(name, _)| name.is_some());
    for found in plain.into_iter().chain(other) {
        let same =
            |one: &Found| (found.0.is_none() || one.0 == found.0) && (!counts || one.1 == found.1);
        match ours.iter().position(same) {
            Some(at) => drop(ours.swap_remove(at)),
            None => return Some(found.clone()),
        }
    }
    None
}

enum Answer {
    Commands(Vec<Found>),
    Refused,
    Died,
}

/// The other parser, in a process of its own.
struct Partner {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Partner {
    fn start() -> Self {
        let program = std::env::current_exe().expect("a program");
        let limited = "ulimit -v 1000000; ulimit -t 3600; exec \"$0\" --child";
        let mut child = Command::new("sh")
            .args(["-c", limited])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, input, answers }
    }

    fn ask(&mut self, line: &str) -> Answer {
        let question = serde_json::Value::from(line).to_string() + "\n";
        if self.input.write_all(question.as_bytes()).is_err() {
            return Answer::Died;
        }
        match self.answers.recv_timeout(Duration::from_secs(2)) {
            Ok(answer) => match serde_json::from_str(&answer) {
                Ok(serde_json::Value::Null) => Answer::Refused,
                Ok(commands) => {
                    Answer::Commands(serde_json::from_value(commands).expect("commands"))
                }
                Err(_) => Answer::Died,
            },
            Err(_) => Answer::Died,
        }
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// A line that is cut, joined with another, or has pieces of grammar put into it.
fn mutant(lines: &[String], random: &mut Random) -> String {
    let mut line = lines[random.below(lines.len())].clone();
    for _ in 0..=random.below(4) {
        let place = |random: &mut Random, line: &str| {
            let at = random.below(line.len() + 1);
            (0..=at).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0)
        };
        let at = place(random, &line);
        match random.below(6) {
            0 => line.insert_str(at, PIECES[random.below(PIECES.len())]),
            1 | 2 => line.insert_str(at, PIECES[random.below(PIECES.len())].trim()),
            3 => {
                let kept: String = line[at..].chars().skip(1 + random.below(8)).collect();
                line.truncate(at);
                line.push_str(&kept);
            }
            4 => {
                let other = &lines[random.below(lines.len())];
                let from = place(random, other);
                line.truncate(at);
                line.push_str(&other[from..]);
            }
            _ => line.insert(at, char::from(b' ' + random.below(95) as u8)),
        }
        let mut end = line.len().min(MAX_BYTES);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
    }
    line
}

const PIECES: [&str; 72] = [
    " ",
    "\n",
    "\t",
    ";",
    " ; ",
    ";;",
    "&",
    " && ",
    "|",
    " || ",
    "|&",
    "(",
    ")",
    "((",
    "))",
    "{ ",
    " }",
    "[[ ",
    " ]]",
    "<",
    ">",
    ">>",
    "<<E\n",
    "<<-E\n",
    "<<'E'\n",
    "\nE\n",
    "<<<",
    ">&",
    "<&",
    "&>",
    ">|",
    "<(",
    ">(",
    "$",
    "$(",
    "${",
    "${x:-",
    "$((",
    "`",
    "'",
    "\"",
    "\\",
    "\\\n",
    "$'",
    "#",
    " # ",
    "! ",
    "*",
    "?",
    "[",
    "]",
    "~",
    "=",
    "x=",
    " if ",
    " then ",
    " else ",
    " fi ",
    " for x in ",
    " do ",
    " done ",
    " while ",
    " case ",
    " in ",
    " esac ",
    "f() ",
    " time ",
    "id",
    "2>&1",
    "a b",
    "\\'",
    "\\\"",
];
