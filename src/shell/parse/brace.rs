//! Brace expansion, which bash does on the text of a word before all other expansions.
//!
//! Bash works on text and reads each result again as a word; this works on parts. Words in which
//! the two could differ are refused: unbalanced braces, quotes inside `${…}`, a name that would
//! grow.

use std::borrow::Cow;

use crate::shell::syntax::{Part, Word};

use super::cursor::{Parser, Result, is_name};
use super::word::Build;
use super::{MAX_BRACE_BYTES, MAX_DEPTH, MAX_WORDS};

/// A brace or a comma that may belong to an expansion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    byte: u8,
    /// The part that holds it.
    pub(super) part: usize,
    at: usize,
    /// `$name` without braces stands right before it.
    after_name: bool,
}

/// A pair of braces.
#[derive(Debug, Default)]
struct Group {
    open: usize,
    close: usize,
    /// The parts that hold its own commas.
    commas: Vec<usize>,
    /// What it stands for, if it is a sequence.
    sequence: Option<Vec<String>>,
    active: bool,
}

impl<'s> Parser<'s> {
    /// Reads `{`, `}` or `,` in an argument.
    pub(super) fn brace(&mut self, build: &mut Build<'s>) -> Result<()> {
        let byte = self.peek();
        if byte == b'{' && self.peek_at(1) == b'}' {
            build.pair = true;
            self.bump(2);
            return Ok(());
        }
        match byte {
            b'{' => build.open += 1,
            b'}' if build.open > 0 => build.open -= 1,
            b',' if build.open > 0 => {}
            _ => {
                build.stray |= byte == b'}';
                self.bump(1);
                return Ok(());
            }
        }
        if build.open > MAX_DEPTH as usize {
            return Err(self.too_large("braces are nested too deeply"));
        }
        let bare = matches!(build.parts.last(), Some(Part::Parameter { .. }));
        let after_name = bare && build.run == self.pos && is_name(self.behind());
        self.flush(build)?;
        let (part, at) = (build.parts.len(), self.pos);
        build.marks.push(Mark { byte, part, at, after_name });
        self.bump(1);
        self.flush(build)
    }

    /// Reports whether braces in the word would expand.
    pub(super) fn has_active_braces(&mut self, build: &Build<'s>, start: usize) -> Result<bool> {
        Ok(!build.has_no_braces() && self.groups(build, start)?.iter().any(|group| group.active))
    }

    /// Pushes the words that the word from `start` to here stands for.
    pub(super) fn expand_braces(
        &mut self,
        build: Build<'s>,
        start: usize,
        words: &mut Vec<Word<'s>>,
    ) -> Result<()> {
        let span = self.span_from(start);
        let groups = self.groups(&build, start)?;
        if !groups.iter().any(|group| group.active) {
            let parts = self.finished(build.parts);
            words.push(Word { parts, span });
            return Ok(());
        }
        self.check_seams(&build, start)?;
        let mut at: Vec<Option<&Group>> = vec![None; build.parts.len()];
        for group in groups.iter().filter(|group| group.active) {
            if let Some(slot) = at.get_mut(group.open) {
                *slot = Some(group);
            }
        }
        let results = self.product(&build.parts, &at, 0, build.parts.len())?;
        // An unquoted empty result is no word.
        let results = results.into_iter().filter(|parts| !parts.is_empty());
        words.extend(results.map(|parts| Word { parts: parts.into(), span }));
        Ok(())
    }

    /// Pairs the braces of a word and tells which expand.
    fn groups(&mut self, build: &Build<'s>, start: usize) -> Result<Vec<Group>> {
        let raw = self.slice(start, self.pos)?;
        self.steps += raw.len() as u64;
        if build.stray || build.open > 0 {
            // Bash tries again from the next brace: only without anything to expand is that clear.
            if raw.contains(',') || raw.contains("..") {
                return Err(self.reject("braces that do not match"));
            }
            return Ok(Vec::new());
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut stack: Vec<(Group, usize)> = Vec::new();
        for mark in &build.marks {
            match mark.byte {
                b'{' => stack.push((Group { open: mark.part, ..Group::default() }, mark.at)),
                b',' => {
                    if let Some((group, _)) = stack.last_mut() {
                        group.commas.push(mark.part);
                    }
                }
                _ => {
                    if let Some((mut group, at)) = stack.pop() {
                        group.close = mark.part;
                        group.active = !group.commas.is_empty();
                        if !group.active {
                            let inner = self.slice(at + 1, mark.at)?;
                            self.steps += inner.len() as u64;
                            group.sequence = self.sequence(inner)?;
                            group.active = group.sequence.is_some();
                        }
                        groups.push(group);
                    }
                }
            }
        }
        Ok(groups)
    }

    /// Refuses words in which text that braces bring together would be read in another way.
    fn check_seams(&mut self, build: &Build<'s>, start: usize) -> Result<()> {
        let raw = self.slice(start, self.pos)?;
        self.steps += raw.len() as u64;
        if raw.contains('`') || raw.contains("$'") {
            return Err(self.reject("quotes beside braces that bash reads in another way"));
        }
        for (at, _) in raw.match_indices("${") {
            let rest = raw.get(at + 2..).unwrap_or_default();
            let end = rest.find(['}', '{', '\'', '"', '\\']);
            if end.is_none_or(|end| rest.as_bytes().get(end) != Some(&b'}')) {
                return Err(self.reject("quotes in an expansion beside braces"));
            }
        }
        self.steps += build.marks.len() as u64;
        let grows = self.name_may_grow(&build.marks);
        if grows {
            return Err(self.reject("a name that braces make longer"));
        }
        if build.value_tilde {
            return Err(self.reject("a tilde and braces in an assignment"));
        }
        if build.open_bracket {
            return Err(self.reject("a bracket expression across braces"));
        }
        Ok(())
    }

    /// Reports whether braces may bring a letter or digit behind a `$name` that stands before one
    /// of them: `$x{a,b}` stands for `$xa` and `$xb`.
    fn name_may_grow(&self, marks: &[Mark]) -> bool {
        let byte_after = |mark: &Mark| self.bytes.get(mark.at + 1).copied().unwrap_or(0);
        // Backwards: whether a name goes on behind this mark or a later one, and the braces that
        // are open seen from the right, each with what stands behind it.
        let mut later = false;
        let mut closers: Vec<bool> = Vec::new();
        for mark in marks.iter().rev() {
            let next = byte_after(mark);
            let unclear = later && matches!(next, b'{' | b',' | b'}');
            later |= is_name(next);
            let grows = match mark.byte {
                b'}' => {
                    closers.push(is_name(next) || unclear);
                    closers.last().copied()
                }
                b',' => closers.last().copied(),
                _ => {
                    closers.pop();
                    Some(later)
                }
            };
            if mark.after_name && grows != Some(false) {
                return true;
            }
        }
        false
    }

    /// Returns every combination of the parts from `low` to `high`, in bash's order.
    fn product(
        &mut self,
        parts: &[Part<'s>],
        groups: &[Option<&Group>],
        low: usize,
        high: usize,
    ) -> Result<Vec<Vec<Part<'s>>>> {
        let mut results = vec![Vec::new()];
        let mut at = low;
        while at < high {
            let Some(Some(group)) = groups.get(at) else {
                if let Some(part) = parts.get(at) {
                    self.count_copies(part, results.len())?;
                    for result in &mut results {
                        result.push(part.clone());
                    }
                }
                at += 1;
                continue;
            };
            let choices = match &group.sequence {
                Some(terms) => terms.iter().map(|term| vec![literal(term)]).collect(),
                None => {
                    let mut choices = Vec::new();
                    let mut from = group.open + 1;
                    for &to in group.commas.iter().chain([&group.close]) {
                        choices.extend(self.product(parts, groups, from, to)?);
                        from = to + 1;
                    }
                    choices
                }
            };
            if results.len().saturating_mul(choices.len()) > MAX_WORDS as usize {
                return Err(self.too_large("braces make too many words"));
            }
            let mut next = Vec::with_capacity(results.len() * choices.len());
            for result in &results {
                for choice in &choices {
                    for part in result.iter().chain(choice) {
                        self.count_copies(part, 1)?;
                    }
                    next.push(result.iter().chain(choice).cloned().collect());
                }
            }
            results = next;
            at = group.close + 1;
        }
        Ok(results)
    }

    /// Counts the bytes that copies of a part stand for.
    fn count_copies(&mut self, part: &Part<'s>, copies: usize) -> Result<()> {
        let bytes = match part {
            Part::Literal { text, .. } => text.len() + 1,
            Part::Glob(text) | Part::Tilde(text) => text.len() + 1,
            Part::Parameter { name, change: crate::shell::syntax::Change::None, .. } => {
                name.len() + 1
            }
            // A tree of unknown size: as dear as the whole line allows.
            _ => 1024,
        };
        let bytes = bytes.saturating_mul(copies);
        self.steps = self.steps.saturating_add(bytes as u64);
        self.brace_bytes = self.brace_bytes.saturating_add(bytes);
        if self.brace_bytes > MAX_BRACE_BYTES {
            return Err(self.too_large("braces make too much text"));
        }
        Ok(())
    }

    /// Returns the terms of `1..5`, `a..e`, `1..9..2`, or None where the text is no sequence.
    fn sequence(&self, inner: &str) -> Result<Option<Vec<String>>> {
        let Some((first, rest)) = inner.split_once("..") else { return Ok(None) };
        if rest.is_empty() {
            return Ok(None);
        }
        if inner.contains(['{', '}', ',', '\'', '"', '\\', '`']) {
            return Err(self.reject("a sequence that holds quotes or braces"));
        }
        let (last, step) = match rest.split_once("..") {
            Some((last, step)) => (last, Some(step)),
            None => (rest, None),
        };
        let number = |text: &str| {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let letter =
            |text: &str| text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        let step = match step {
            None => 1,
            Some(step) if number(step) => self.integer(step)?.unsigned_abs().max(1),
            Some(_) => return Ok(None),
        };
        if number(first) && number(last) {
            return self.integers(first, last, step).map(Some);
        }
        if !(letter(first) && letter(last)) {
            return if first.len() == 1 && last.len() == 1 && !(number(first) || number(last)) {
                Err(self.reject("a sequence of odd characters"))
            } else {
                Ok(None)
            };
        }
        let (first, last) = (byte_of(first), byte_of(last));
        if first.is_ascii_uppercase() != last.is_ascii_uppercase() {
            // It runs over `[`, `\` and the backtick, which are read again.
            return Err(self.reject("a sequence over punctuation"));
        }
        let terms = span_of(i64::from(first), i64::from(last), step);
        Ok(Some(
            terms
                .filter_map(|code| u8::try_from(code).ok())
                .map(|byte| char::from(byte).to_string())
                .collect(),
        ))
    }

    fn integers(&self, first: &str, last: &str, step: u64) -> Result<Vec<String>> {
        let padded = |text: &str| text.len() > 1 && text.starts_with('0');
        let signed = |text: &str| text.starts_with(['-', '+']);
        let mut width = 0;
        if padded(first) || padded(last) {
            width = first.len().max(last.len());
        }
        let odd =
            |text: &str| text.strip_prefix(['-', '+']).is_some_and(|rest| rest.starts_with('0'));
        if odd(first) || odd(last) || (width > 0 && (signed(first) || signed(last))) {
            return Err(self.reject("a padded sequence with signs"));
        }
        let (from, to) = (self.integer(first)?, self.integer(last)?);
        if from.abs_diff(to) / step >= u64::from(MAX_WORDS) {
            return Err(self.too_large("braces make too many words"));
        }
        Ok(span_of(from, to, step).map(|number| format!("{number:0width$}")).collect())
    }

    fn integer(&self, text: &str) -> Result<i64> {
        match text.parse::<i32>() {
            Ok(number) if text.len() <= 10 => Ok(i64::from(number)),
            _ => Err(self.reject("a sequence of large numbers")),
        }
    }
}

/// Every `step`th number from `from` to `to`, both directions.
fn span_of(from: i64, to: i64, step: u64) -> impl Iterator<Item = i64> {
    let count = from.abs_diff(to) / step;
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let step = if to < from { -step } else { step };
    (0..=count).map(move |index| from + step.saturating_mul(i64::try_from(index).unwrap_or(0)))
}

fn byte_of(text: &str) -> u8 {
    text.bytes().next().unwrap_or(0)
}

fn literal<'s>(term: &str) -> Part<'s> {
    Part::Literal { text: Cow::Owned(term.to_owned()), quoted: false }
}
