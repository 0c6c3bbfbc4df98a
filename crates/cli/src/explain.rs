//! `countersign explain`: one shell line, as a person would read it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::Range;

use countersign::action::path::{FileSystem, PathResolver, PurePaths};
use countersign::action::{Effect, Fact, Reversibility};
use countersign::authorizer::{EffectDecision, EffectOutcome, Judgement, Trial};
use countersign::value::write_string;

use crate::advice::{change, visible};
use crate::answer;
use crate::arguments::ExplainOptions;
use crate::failure::Failure;
use crate::setup::Judge;
use crate::shell_line;

/// How many characters of a line are shown around what is underlined.
const WIDTH: usize = 88;

/// One effect of a line, and what there is to say about it.
#[derive(Debug)]
pub(crate) struct ExplainedEffect<'a> {
    /// The bytes of the line that it comes from, where they are known.
    pub(crate) span: Option<Range<usize>>,
    /// The effect.
    pub(crate) effect: &'a Effect,
    /// What was decided on it.
    pub(crate) decided: &'a EffectDecision,
    /// What would have to change for it to be allowed.
    pub(crate) change: Option<String>,
}

/// Runs the command.
pub(crate) fn run(options: &ExplainOptions) -> Result<(), Failure> {
    let judge = Judge::load(&options.judging)?;
    let trial = judge.scope_file(&options.scope)?;
    let parsed = shell_line::parse(&options.line, None, &trial.shell);
    let judgement = trial.judge(&parsed);
    let paths: &dyn PathResolver =
        if options.judging.real_paths { &FileSystem } else { &PurePaths::new() };
    let spans = shell_line::spans(&parsed, &trial, paths, judgement.effects());
    let effects = explained(&judgement, &trial, spans);
    let text = if options.json {
        to_json(&options.line, &judgement, &effects)
    } else {
        to_text(&options.line, &judgement, &effects)
    };
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

fn explained<'a>(
    judgement: &'a Judgement,
    trial: &Trial,
    spans: Vec<Option<Range<usize>>>,
) -> Vec<ExplainedEffect<'a>> {
    let spans = spans.into_iter().chain(std::iter::repeat(None));
    let explain = |(decided, span): (&'a EffectDecision, _)| ExplainedEffect {
        span,
        effect: &decided.effect,
        decided,
        change: change(decided, trial.scope()),
    };
    judgement.effects().iter().zip(spans).map(explain).collect()
}

/// Renders for a person.
fn to_text(line: &str, judgement: &Judgement, effects: &[ExplainedEffect<'_>]) -> String {
    let mut out = String::new();
    let count = match effects.len() {
        1 => "1 effect".to_owned(),
        count => format!("{count} effects"),
    };
    push(&mut out, format_args!("{}: {count}\n", judgement.severity().as_str()));
    for (number, effect) in (1..).zip(effects) {
        out.push('\n');
        if let Some(span) = &effect.span {
            let (row, marks) = underline(line, span);
            push(&mut out, format_args!("    {row}\n    {marks}\n"));
        }
        effect.write_text(number, &mut out);
    }
    out
}

impl ExplainedEffect<'_> {
    fn write_text(&self, number: usize, out: &mut String) {
        let Self { effect, decided, change, .. } = self;
        let what = effect.kind().as_str();
        let target = effect.target();
        let id = visible(&target.id());
        push(out, format_args!("{number:>2}. {what} {} `{id}`", target.entity_type()));
        for (name, fact) in effect.facts().iter() {
            // What the target shows already is not said again.
            if let Some(fact) = fact_text(fact).filter(|fact| *fact != id) {
                push(out, format_args!(", {name} {fact}"));
            }
        }
        out.push('\n');
        let rule = decided.rule.map(|rule| format!(" by `{rule}` of the scope"));
        let rule = rule.unwrap_or_default();
        let reason = decided.reason();
        let why = reason.map_or(String::new(), |reason| {
            format!(" with `{}`: {}", reason.code(), reason.sentence())
        });
        match &decided.outcome {
            EffectOutcome::Allow => push(out, format_args!("    allowed{rule}")),
            EffectOutcome::Defer { quorums } => push(
                out,
                format_args!("    granted{rule}, deferred{why}: `{}`", quorums.join("`, `")),
            ),
            _ if rule.is_empty() => push(out, format_args!("    denied{why}")),
            _ => push(out, format_args!("    granted{rule}, denied{why}")),
        }
        if !decided.policies.is_empty() {
            push(out, format_args!("; policies `{}`", decided.policies.join("`, `")));
        }
        if effect.reversibility() == Reversibility::Irreversible {
            out.push_str("; cannot be undone");
        }
        out.push('\n');
        if let Some(change) = change {
            push(out, format_args!("    to allow it: {change}\n"));
        }
    }

    fn write_json(&self, out: &mut String) {
        out.push('{');
        answer::write_effect(out, self.decided);
        out.push_str(",\"span\":");
        match &self.span {
            Some(span) => push(out, format_args!("[{},{}]", span.start, span.end)),
            None => out.push_str("null"),
        }
        out.push_str(",\"rule\":");
        write_optional(out, self.decided.rule.map(|rule| rule.to_string()).as_deref());
        out.push_str(",\"policies\":");
        answer::write_list(out, self.decided.policies.iter().map(AsRef::as_ref));
        let quorums = match &self.decided.outcome {
            EffectOutcome::Defer { quorums } => quorums.as_slice(),
            _ => &[],
        };
        out.push_str(",\"quorums\":");
        answer::write_list(out, quorums.iter().map(AsRef::as_ref));
        out.push_str(",\"change\":");
        write_optional(out, self.change.as_deref());
        out.push('}');
    }
}

fn to_json(line: &str, judgement: &Judgement, effects: &[ExplainedEffect<'_>]) -> String {
    let mut out = String::from("{\"line\":");
    write_string(&mut out, line);
    out.push(',');
    answer::write_decision(&mut out, judgement);
    out.push_str(",\"effects\":[");
    for (index, effect) in effects.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        effect.write_json(&mut out);
    }
    out.push_str("]}\n");
    out
}

fn write_optional(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => write_string(out, text),
        None => out.push_str("null"),
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

/// A fact in words; none for one that says nothing.
fn fact_text(fact: &Fact) -> Option<String> {
    const MOST: usize = 6;
    Some(match fact {
        Fact::Bool(false) => return None,
        Fact::Bool(true) => "yes".to_owned(),
        Fact::Long(number) => number.to_string(),
        Fact::Decimal(number) => number.to_string(),
        Fact::Address(address) => address.to_string(),
        Fact::Text(text) => cut(&visible(text)),
        Fact::TextSet(texts) if texts.is_empty() => return None,
        Fact::TextSet(texts) => {
            let shown: Vec<String> =
                texts.iter().take(MOST).map(|text| cut(&visible(text))).collect();
            let dots = if texts.len() > MOST { ", …" } else { "" };
            format!("[{}{dots}]", shown.join(", "))
        }
        _ => return None,
    })
}

fn cut(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The part of `line` around `span` on one row, and the marks below `span`.
fn underline(line: &str, span: &Range<usize>) -> (String, String) {
    // Each character with what stands for it, so that marks stand below what is shown.
    let mut cells: Vec<(String, bool)> = Vec::new();
    for (at, c) in line.char_indices() {
        let marked = at < span.end && at + c.len_utf8() > span.start;
        let mut text = [0; 4];
        let c = c.encode_utf8(&mut text);
        // A backquote is part of the language, and here nothing is quoted by it.
        let shown = if c == "`" { c.to_owned() } else { visible(c) };
        cells.push((shown, marked));
    }
    let first = cells.iter().position(|(_, marked)| *marked).unwrap_or(cells.len());
    let last = cells.iter().rposition(|(_, marked)| *marked).map_or(first, |at| at + 1);
    // As much before as behind, and all of what is marked if there is room.
    let room = WIDTH.saturating_sub(last - first) / 2;
    let from = if cells.len() <= WIDTH { 0 } else { first.saturating_sub(room) };
    let to = cells.len().min(from + WIDTH);
    let (mut row, mut marks) = (String::new(), String::new());
    if from > 0 {
        row.push('…');
        marks.push(' ');
    }
    for (text, marked) in cells.iter().take(to).skip(from) {
        row.push_str(text);
        let mark = if *marked { '^' } else { ' ' };
        marks.extend(std::iter::repeat_n(mark, text.chars().count()));
    }
    if to < cells.len() {
        row.push('…');
    }
    (row, marks.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::action::TextSet;

    #[test]
    fn spans_are_underlined() {
        let check = |line: &str, span: Range<usize>, row: &str, marks: &str| {
            assert_eq!(underline(line, &span), (row.to_owned(), marks.to_owned()), "{line:?}");
        };
        check("cat a b", 4..5, "cat a b", "    ^");
        check("cat a b", 0..7, "cat a b", "^^^^^^^");
        check("é a", 3..4, "é a", "  ^");
        check("a\nb", 2..3, "a\\nb", "   ^");
        check("a\u{202e}b", 1..4, "a\\u{202e}b", " ^^^^^^^^");
        check("echo `id`", 5..9, "echo `id`", "     ^^^^");
        check("", 0..0, "", "");
        check("a", 7..9, "a", "");
    }

    #[test]
    fn long_lines_are_cut_around_the_span() {
        let line = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let (row, marks) = underline(&line, &(500..501));
        assert!(row.starts_with('…') && row.ends_with('…'));
        assert_eq!(row.chars().position(|c| c == 'X'), marks.chars().position(|c| c == '^'));
        assert!(row.chars().count() <= WIDTH + 2);
        let (row, marks) = underline(&line, &(0..1001));
        assert_eq!((row.chars().count(), marks.len()), (WIDTH + 1, WIDTH));
    }

    #[test]
    fn facts_are_short() {
        let check = |fact: Fact, expected: Option<&str>| {
            assert_eq!(fact_text(&fact).as_deref(), expected);
        };
        check(Fact::Bool(false), None);
        check(Fact::Bool(true), Some("yes"));
        check(Fact::TextSet(TextSet::default()), None);
        check(Fact::TextSet(["a", "b\n"].into()), Some("[a, b\\n]"));
        check(
            Fact::TextSet(["a", "b", "c", "d", "e", "f", "g"].into()),
            Some("[a, b, c, d, e, f, …]"),
        );
        assert_eq!(fact_text(&Fact::Text("x".repeat(99).into())).unwrap().chars().count(), 61);
    }
}
