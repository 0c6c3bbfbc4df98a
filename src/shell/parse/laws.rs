//! What is asserted of the tree of any text, by tests and fuzzers.

use std::collections::BTreeSet;

use crate::reason::Reason;
use crate::shell::syntax::{Assignment, Change, Command, Kind, List, Part, Redirect, Span, Word};
use crate::text::check_visible;

use super::{MAX_BRACE_BYTES, MAX_COMMANDS, MAX_DEPTH, MAX_LINE, MAX_WORDS, Parsed, Reject, parse};

/// Parses `line` and asserts everything that holds for any text.
pub(crate) fn check(line: &str) {
    match parse(line) {
        Err(reject) => check_reject(line, reject),
        Ok(parsed) => {
            check_tree(line, &parsed);
            check_again(line, &parsed);
            check_inside(line, &parsed);
        }
    }
}

/// The name, where it is literal, and the number of words of every simple command in the line, or
/// nothing where it is refused.
pub(crate) fn commands(line: &str) -> Option<Vec<(Option<String>, usize)>> {
    let parsed = parse(line).ok()?;
    let mut seen = Seen::default();
    seen.list(&parsed.list, 0);
    Some(seen.simple)
}

/// The bytes that are looked at may be a small multiple of those that there are.
const STEPS: u64 = 64;

fn check_reject(line: &str, reject: Reject) {
    let Span { start, end } = reject.span;
    assert!(line.get(start as usize..end as usize).is_some(), "{reject:?} in {line:?}");
    assert!(!reject.why.is_empty());
    let reasons = [Reason::ShellSyntax, Reason::ShellTooLarge, Reason::ShellInvisibleCharacter];
    assert!(reasons.contains(&reject.reason), "{reject:?}");
    if line.len() <= MAX_LINE {
        let visible: String = line.chars().filter(|c| !matches!(c, '\t' | '\n')).collect();
        let hidden = check_visible(&visible).is_err();
        let said = reject.reason == Reason::ShellInvisibleCharacter;
        assert_eq!(hidden, said, "{reject:?} of {line:?}");
    } else {
        assert_eq!(reject.reason, Reason::ShellTooLarge);
    }
}

fn check_tree(line: &str, parsed: &Parsed<'_>) {
    let length = line.len() as u64;
    // What braces copy is counted as dear, and bounded over the whole line.
    let allowed = STEPS * (length + 64) + 2 * MAX_BRACE_BYTES as u64;
    assert!(parsed.steps <= allowed, "{} steps for {length} bytes", parsed.steps);
    let mut seen = Seen { line, ..Seen::default() };
    seen.list(&parsed.list, 0);
    assert!(seen.commands <= MAX_COMMANDS, "{} commands in {line:?}", seen.commands);
    assert!(seen.words <= MAX_WORDS, "{} words in {line:?}", seen.words);
    assert!(seen.depth <= MAX_DEPTH, "{} deep in {line:?}", seen.depth);
    assert!(seen.bytes <= line.len() * 2 + MAX_BRACE_BYTES, "{} bytes of text", seen.bytes);
}

/// The same text has the same tree, and blanks around it change nothing.
fn check_again(line: &str, parsed: &Parsed<'_>) {
    let shape = shape(&parsed.list);
    let same = |other: &str| {
        if let Ok(again) = parse(other) {
            assert_eq!(self::shape(&again.list), shape, "{other:?}");
        } else {
            // One byte more may be one too many.
            assert!(other.len() > MAX_LINE, "{line:?} is understood, {other:?} is not");
        }
    };
    same(line);
    if !line.ends_with('\\') {
        same(&format!("{line}\n"));
    }
    same(&format!(" {line}"));
}

/// What is put around a line hides none of its commands.
fn check_inside(line: &str, parsed: &Parsed<'_>) {
    if line.ends_with('\\') {
        return;
    }
    let commands = names(&parsed.list);
    for around in [
        format!("{line}\nzzz"),
        format!("zzz; {line}"),
        format!("( {line}\n)"),
        format!("{{ {line}\n}}"),
        format!("if zzz; then {line}\nfi"),
        format!(": $( {line}\n)"),
    ] {
        let Ok(parsed) = parse(&around) else { continue };
        let all = names(&parsed.list);
        let kept = commands.is_empty() || all.windows(commands.len()).any(|part| part == commands);
        assert!(kept, "{around:?} has {all:?}, and {line:?} has {commands:?}");
    }
    // What stands behind it is seen too, unless it is a comment or the text of a document.
    let appended = format!("{line}\nzzz");
    if let Ok(parsed) = parse(&appended) {
        assert!(names(&parsed.list).iter().any(|name| name.contains("zzz")), "{appended:?}");
    }
}

/// The tree, written without places.
fn shape(list: &List<'_>) -> String {
    let text = format!("{list:?}");
    let mut shape = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("Span { start: ") {
        shape.push_str(before);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    shape.push_str(rest);
    shape
}

/// The words of every simple command, in the order of the line.
fn names(list: &List<'_>) -> Vec<String> {
    let mut seen = Seen::default();
    seen.list(list, 0);
    seen.names
}

/// Goes through a whole tree.
#[derive(Default)]
struct Seen<'l> {
    /// Empty where places are of no interest.
    line: &'l str,
    places: BTreeSet<(u32, u32, u32)>,
    copied: bool,
    commands: u32,
    words: u32,
    bytes: usize,
    depth: u32,
    names: Vec<String>,
    simple: Vec<(Option<String>, usize)>,
}

impl Seen<'_> {
    fn list(&mut self, list: &List<'_>, depth: u32) {
        self.depth = self.depth.max(depth);
        for pipeline in &list.pipelines {
            for command in &pipeline.commands {
                self.command(command, depth);
            }
        }
    }

    fn command(&mut self, command: &Command<'_>, depth: u32) {
        // What braces copy is in the line once, and bounded by what they may copy.
        let copied = self.copied;
        self.copied |= !self.places.insert((command.span.start, command.span.end, depth));
        self.commands += u32::from(!self.copied);
        self.span(command.span);
        let inner = depth + 1;
        match &command.kind {
            Kind::Simple { assignments, words } => {
                self.names.push(format!("{:?}", words.iter().map(cooked).collect::<Vec<_>>()));
                if let Some(first) = words.first() {
                    self.simple.push((literal(first), words.len()));
                }
                self.assignments(assignments, depth);
                self.all(words, depth);
                let mut last = 0;
                for word in words {
                    assert!(word.span.start >= last, "words are out of order in {:?}", self.line);
                    last = word.span.start;
                    self.within(word.span, command.span);
                }
            }
            Kind::Subshell(list) | Kind::Group(list) => self.list(list, inner),
            Kind::If { branches, otherwise } => {
                for (condition, body) in branches {
                    self.list(condition, inner);
                    self.list(body, inner);
                }
                if let Some(otherwise) = otherwise {
                    self.list(otherwise, inner);
                }
            }
            Kind::Loop { condition, body } => {
                self.list(condition, inner);
                self.list(body, inner);
            }
            Kind::For { words, body, .. } => {
                self.all(words.as_deref().unwrap_or_default(), depth);
                self.list(body, inner);
            }
            Kind::ArithmeticFor { head, body } => {
                self.word(head, depth);
                self.list(body, inner);
            }
            Kind::Case { subject, arms } => {
                self.word(subject, depth);
                for (patterns, body) in arms {
                    self.all(patterns, depth);
                    self.list(body, inner);
                }
            }
            Kind::Function { body, .. } => self.command(body, depth),
            Kind::Test(words) => self.all(words, depth),
            Kind::Arithmetic(word) => self.word(word, depth),
        }
        for redirect in &command.redirects {
            self.redirect(redirect, depth);
        }
        self.copied = copied;
    }

    fn assignments(&mut self, assignments: &[Assignment<'_>], depth: u32) {
        for assignment in assignments {
            self.span(assignment.span);
            self.all(&assignment.array, depth);
            if let Some(value) = &assignment.value {
                self.word(value, depth);
            }
        }
    }

    fn redirect(&mut self, redirect: &Redirect<'_>, depth: u32) {
        self.span(redirect.span);
        self.word(&redirect.target, depth);
    }

    fn all(&mut self, words: &[Word<'_>], depth: u32) {
        for word in words {
            self.words += u32::from(!self.copied);
            self.word(word, depth);
        }
    }

    fn word(&mut self, word: &Word<'_>, depth: u32) {
        self.span(word.span);
        self.parts(&word.parts, depth);
    }

    fn parts(&mut self, parts: &[Part<'_>], depth: u32) {
        for part in parts {
            match part {
                Part::Literal { text, .. } => self.bytes += text.len(),
                Part::Glob(text) | Part::Tilde(text) => self.bytes += text.len(),
                Part::Parameter { change, .. } => self.change(change, depth),
                Part::Command { list, .. } | Part::Process { list, .. } => {
                    self.list(list, depth + 1);
                }
                Part::Arithmetic { inner, .. } => self.parts(inner, depth),
            }
        }
    }

    fn change(&mut self, change: &Change<'_>, depth: u32) {
        match change {
            Change::None | Change::Length => {}
            Change::Alternative { word, .. } => self.word(word, depth),
            Change::Strip { pattern, .. } => self.word(pattern, depth),
            Change::Replace { pattern, replacement, .. } => {
                self.word(pattern, depth);
                self.word(replacement, depth);
            }
            Change::Other { words } => {
                for word in words {
                    self.word(word, depth);
                }
            }
        }
    }

    fn span(&self, span: Span) {
        if !self.line.is_empty() {
            let place = span.start as usize..span.end as usize;
            assert!(self.line.get(place).is_some(), "{span:?} in {:?}", self.line);
        }
    }

    fn within(&self, inner: Span, outer: Span) {
        if !self.line.is_empty() {
            let within = inner.start >= outer.start && inner.end <= outer.end;
            assert!(within, "{inner:?} is not in {outer:?} of {:?}", self.line);
        }
    }
}

fn literal(word: &Word<'_>) -> Option<String> {
    let known = |part: &Part<'_>| match part {
        Part::Literal { text, .. } => Some(text.to_string()),
        _ => None,
    };
    word.parts.iter().map(known).collect()
}

fn cooked(word: &Word<'_>) -> String {
    let mut text = String::new();
    for part in &word.parts {
        match part {
            Part::Literal { text: literal, .. } => text.push_str(literal),
            Part::Glob(glob) => text.push_str(glob),
            _ => text.push('$'),
        }
    }
    text
}
