//! From words to arguments: what bash makes of variables, `~`, substitutions and splitting, as far
//! as it can be known before the line runs.

use std::borrow::Cow;

use crate::reason::Reason;
use crate::shell::changes::assigned_names;
use crate::shell::deed::{Deed, Open, Text, Unknown};
use crate::shell::produced;
use crate::shell::state::{State, Value};
use crate::shell::syntax::{Change, Command, Kind, List, Part, Span, Word};
use crate::shell::walk::{Walk, number_value};

/// The most bytes that one word may grow to: variables can double each other.
const MAX_BYTES: usize = 64 * 1024;

/// Whether a word is split into fields and matched against names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    /// An argument.
    Yes,
    /// A value, the target of a redirection, the subject of `case`.
    No,
}

/// Collects the text of a word.
struct Field<'s> {
    done: Vec<Text<'s>>,
    text: Text<'s>,
    /// Whether anything stands in the word that keeps it although it is empty.
    kept: bool,
}

impl<'s> Field<'s> {
    fn push(&mut self, text: &str) {
        if self.text.text.len() + text.len() <= MAX_BYTES {
            self.text.text.to_mut().push_str(text);
        } else {
            self.push_open("…", Unknown::Anything);
        }
    }

    fn push_open(&mut self, text: &str, what: Unknown) {
        let start = self.text.text.len();
        if start + text.len() > 2 * MAX_BYTES {
            return;
        }
        self.text.text.to_mut().push_str(text);
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.text.open.push(Open { start: place(start), end: place(start + text.len()), what });
        self.kept = true;
    }

    fn push_text(&mut self, text: &Text<'s>) {
        let shift = self.text.text.len();
        if shift + text.text.len() > MAX_BYTES {
            return self.push_open("…", Unknown::Anything);
        }
        // A name in this directory, put behind something, is another name.
        let here = |open: &Open| open.start == 0 && open.what.is_below();
        if shift > 0 && text.open.first().is_some_and(here) {
            let directory = self.text.open.is_empty() && self.text.text.ends_with('/');
            let what = if directory { Unknown::Below } else { Unknown::Anything };
            self.text.many |= text.many;
            return self.push_open("…", what);
        }
        self.text.text.to_mut().push_str(&text.text);
        let shift = u32::try_from(shift).unwrap_or(u32::MAX);
        let moved =
            |open: &Open| Open { start: open.start + shift, end: open.end + shift, ..*open };
        self.text.open.extend(text.open.iter().map(moved));
        self.text.many |= text.many;
        self.kept |= !text.text.is_empty();
    }

    /// Ends one field and begins the next.
    fn cut(&mut self) {
        if self.kept {
            let next = Text { span: self.text.span, ..Text::default() };
            self.done.push(std::mem::replace(&mut self.text, next));
            self.kept = false;
        }
    }
}

impl<'t, 's> Walk<'_, '_> {
    /// Returns the arguments that the words become.
    pub(crate) fn arguments(
        &mut self,
        words: &'t [Word<'s>],
        state: &mut State<'t, 's>,
    ) -> Vec<Text<'s>> {
        // What these are given as `name=value` is not split (bash manual, "Shell Builtin Commands").
        const DECLARE: [&str; 5] = ["export", "declare", "typeset", "local", "readonly"];
        let mut all: Vec<Text<'s>> = Vec::with_capacity(words.len());
        for word in words {
            let declares = all.first().is_some_and(|first: &Text<'s>| {
                first.literal().is_some_and(|name| DECLARE.contains(&name))
            });
            if let Some(text) = plain(word) {
                all.push(text);
            } else if declares && is_assignment(word) {
                all.push(self.text(word, state));
            } else {
                all.extend(self.fields(word, state, Split::Yes));
            }
        }
        all
    }

    /// Returns the one text that a word becomes where it is not split.
    pub(crate) fn text(&mut self, word: &'t Word<'s>, state: &mut State<'t, 's>) -> Text<'s> {
        if let Some(text) = plain(word) {
            return text;
        }
        let mut fields = self.fields(word, state, Split::No);
        fields.pop().unwrap_or_else(|| Text::known("", word.span))
    }

    fn fields(
        &mut self,
        word: &'t Word<'s>,
        state: &mut State<'t, 's>,
        split: Split,
    ) -> Vec<Text<'s>> {
        let text = Text { span: word.span, ..Text::default() };
        let mut field = Field { done: Vec::new(), text, kept: false };
        if self.has_grown() {
            let reason = Reason::ShellTooLarge;
            self.deed(state, Deed::Opaque { reason, span: word.span });
            field.push_open("…", Unknown::Anything);
        } else {
            self.parts(&word.parts, state, split, &mut field);
        }
        if split == Split::No {
            field.done = vec![field.text];
        } else {
            field.cut();
        }
        self.grow(&field.done);
        field.done
    }

    fn parts(
        &mut self,
        parts: &'t [Part<'s>],
        state: &mut State<'t, 's>,
        split: Split,
        field: &mut Field<'s>,
    ) {
        let plain = self.env.has_plain_names();
        for part in parts {
            let quoted_split = |quoted: bool| if quoted { Split::No } else { split };
            match part {
                Part::Literal { text, quoted } => {
                    field.push(text);
                    field.kept |= *quoted || !text.is_empty();
                }
                // No name begins with a dash, so a pattern that does finds none and stays as it is.
                Part::Glob(pattern) if plain && field.text.starts_with("-") => {
                    field.push(pattern);
                    field.kept = true;
                }
                Part::Glob(pattern) if split == Split::Yes => {
                    // No name begins with a dash, so none of them is an option.
                    if plain && field.text.text.is_empty() {
                        self.relies_on_names("", state);
                    }
                    field.push_open(pattern, if plain { Unknown::Name } else { Unknown::Glob });
                    field.text.many = true;
                }
                Part::Glob(pattern) => {
                    field.push(pattern);
                    field.kept = true;
                }
                Part::Tilde(user) => self.tilde(user, state, field),
                Part::Parameter { name, change, quoted } => {
                    self.parameter(name, change, quoted_split(*quoted), *quoted, state, field);
                }
                Part::Command { list, quoted: false }
                    if split == Split::Yes
                        && plain
                        && alone(list).is_some()
                        && !state.has_functions() =>
                {
                    let stream = alone(list).and_then(produced::lines);
                    self.substitution(list, state);
                    match stream {
                        Some(stream) if parts.len() == 1 => {
                            for place in &stream.below {
                                self.relies_on_names(place, state);
                                field.push_text(&produced::below(place, field.text.span));
                                field.cut();
                            }
                        }
                        _ => {
                            let printed = self.printed(list, state);
                            self.output(printed, split, state, field);
                        }
                    }
                }
                Part::Command { list, quoted } => {
                    let printed = self.printed(list, state);
                    self.substitution(list, state);
                    field.kept |= *quoted;
                    self.output(printed, quoted_split(*quoted), state, field);
                }
                Part::Process { list, .. } => {
                    self.substitution(list, state);
                    field.push("/dev/fd/63");
                    field.kept = true;
                }
                Part::Arithmetic { inner, quoted: _ } => {
                    self.arithmetic(inner, state, field.text.span);
                    field.push_open("0", Unknown::Number);
                }
            }
        }
    }

    /// Puts what a substitution prints into a word.
    fn output(
        &mut self,
        printed: Option<Text<'s>>,
        split: Split,
        state: &State<'t, 's>,
        field: &mut Field<'s>,
    ) {
        let text = printed.unwrap_or_else(unknown_output);
        // What is known to be one word without blanks is not split.
        let one =
            !text.open.is_empty() && text.open.iter().all(|open| open.what != Unknown::Anything);
        let split = if one { Split::No } else { split };
        if insert(&text, split, self.env.has_plain_names(), field) == Believed::Names {
            self.relies_on_names("", state);
        }
    }

    fn tilde(&mut self, user: &str, state: &State<'t, 's>, field: &mut Field<'s>) {
        let known = match user {
            "" => match state.get("HOME", self.env) {
                Value::Known(home) if !home.text.is_empty() => Some(home),
                _ => None,
            },
            "+" => state.place().map(|place| Text::known(place.to_owned(), field.text.span)),
            _ => None,
        };
        match known {
            Some(text) => field.push_text(&text),
            None => field.push_open("~", Unknown::Anything),
        }
        field.kept = true;
    }

    fn parameter(
        &mut self,
        name: &'s str,
        change: &'t Change<'s>,
        split: Split,
        quoted: bool,
        state: &mut State<'t, 's>,
        field: &mut Field<'s>,
    ) {
        let value = self.value(name, state);
        let anything = || {
            let mut text = Text { span: field.text.span, ..Text::default() };
            let shown = format!("${name}");
            let end = u32::try_from(shown.len()).unwrap_or(u32::MAX);
            text.open.push(Open { start: 0, end, what: Unknown::Anything });
            text.text = Cow::Owned(shown);
            text.many = name == "@" || (name == "*" && !quoted);
            Some(text)
        };
        let known = |value: Value<'s>| match value {
            Value::Known(text) => Some(text),
            Value::Unset => None,
            Value::Unknown => anything(),
        };
        let result = match change {
            Change::None => known(value),
            Change::Length => Some(number(field.text.span)),
            Change::Alternative { operator, word } => {
                let alternative = self.text(word, state);
                if operator.contains('=') {
                    state.set(Cow::Borrowed(name), Value::Unknown);
                    self.assigned(name, &alternative, false, word.span);
                }
                let set = match &value {
                    Value::Known(text) if text.open.is_empty() => Some(!text.text.is_empty()),
                    Value::Unset => Some(false),
                    _ => None,
                };
                match (operator.contains('+'), set) {
                    (true, Some(true)) | (false, Some(false)) if !operator.contains('?') => {
                        Some(alternative)
                    }
                    (true, Some(false)) => None,
                    (false, Some(true)) => known(value),
                    _ => anything(),
                }
            }
            Change::Strip { operator, pattern } => {
                let cut = self.text(pattern, state);
                match (value, operator.starts_with('%')) {
                    // What is cut from the end of a name leaves no slash and, as names that a pattern
                    // finds do not begin with a dot, no `..`.
                    (Value::Known(text), true) if is_name(&text) && is_ending(&cut) => {
                        let what = text.open.first().map_or(Unknown::Glob, |open| open.what);
                        let mut name = Text::known("*", text.span);
                        name.open.push(Open { start: 0, end: 1, what });
                        Some(name)
                    }
                    (Value::Known(text), _) if text.literal() == Some("") => Some(text),
                    _ => anything(),
                }
            }
            Change::Replace { pattern, replacement, .. } => {
                self.text(pattern, state);
                self.text(replacement, state);
                anything()
            }
            Change::Other { words } => {
                // The places of `${x:offset:length}` are arithmetic.
                for word in words {
                    self.arithmetic(&word.parts, state, word.span);
                }
                anything()
            }
        };
        field.kept |= quoted && name != "@";
        if let Some(text) = result
            && insert(&text, split, self.env.has_plain_names(), field) == Believed::Names
        {
            self.relies_on_names(directory_of(&text), state);
        }
    }

    /// Returns what a parameter holds.
    fn value(&mut self, name: &str, state: &State<'t, 's>) -> Value<'s> {
        let span = Span::default();
        if state.has_set(name) && !matches!(name, "_" | "REPLY" | "MAPFILE" | "OPTARG" | "OPTIND") {
            return state.get(name, self.env);
        }
        match name {
            "?" | "#" | "$" | "RANDOM" | "SECONDS" | "LINENO" | "UID" | "EUID" | "PPID" => {
                Value::Known(number(span))
            }
            // Set behind the back of the line.
            "_" | "!" | "REPLY" | "MAPFILE" | "OPTARG" | "OPTIND" => Value::Unknown,
            "PWD" => match state.place() {
                Some(place) if place.starts_with('/') => {
                    Value::Known(Text::known(place.to_owned(), span))
                }
                _ => Value::Unknown,
            },
            _ => state.get(name, self.env),
        }
    }

    /// What a few commands print, which lines use to put paths and names together.
    fn printed(&mut self, list: &'t List<'s>, state: &State<'t, 's>) -> Option<Text<'s>> {
        let [pipeline] = list.pipelines.as_slice() else { return None };
        let [command] = pipeline.commands.as_slice() else { return None };
        let Kind::Simple { assignments, words } = &command.kind else { return None };
        if !assignments.is_empty() || !command.redirects.is_empty() || state.has_functions() {
            return None;
        }
        if let [program, path] = words.as_slice()
            && plain(program).is_some_and(|program| program.literal() == Some("basename"))
            && plain(path).is_none()
        {
            // With something behind it, what is printed could be `..`.
            let text = self.text(path, &mut state.clone());
            let known = |open: &Open| {
                matches!(
                    open.what,
                    Unknown::Glob | Unknown::Name | Unknown::Below | Unknown::Tracked
                )
            };
            let ends = text.open.last().is_some_and(|open| open.end as usize == text.text.len());
            let one = ends && text.open.iter().all(known);
            return (one && !text.may_be_option()).then(|| name(command.span));
        }
        let mut literal = Vec::with_capacity(words.len());
        for word in words {
            literal.push(plain(word)?);
        }
        let words: Vec<&str> = literal.iter().filter_map(Text::literal).collect();
        let span = command.span;
        match words.as_slice() {
            ["pwd"] => state
                .place()
                .filter(|place| place.starts_with('/'))
                .map(|place| Text::known(place.to_owned(), span)),
            // A program that is missing prints nothing.
            ["nproc"] | ["id", "-u" | "-g"] => Some(word(span)),
            ["date", format] if is_plain_date(format) => Some(word(span)),
            ["basename", path] => {
                let path = path.trim_end_matches('/');
                let base = path.rsplit('/').next().unwrap_or_default();
                (!base.is_empty()).then(|| Text::known(base.to_owned(), span))
            }
            ["dirname", path] if path.contains('/') && !path.ends_with('/') => {
                let (directory, _) = path.rsplit_once('/')?;
                let directory = directory.trim_end_matches('/');
                let directory = if directory.is_empty() { "/" } else { directory };
                Some(Text::known(directory.to_owned(), span))
            }
            ["echo", rest @ ..] if rest.iter().all(|word| is_plain_text(word)) => {
                Some(Text::known(rest.join(" "), span))
            }
            ["printf", one] if is_plain_text(one) && !one.contains('%') => {
                Some(Text::known((*one).to_owned(), span))
            }
            _ => None,
        }
    }

    /// Walks an arithmetic expression. Evaluating a name evaluates what it holds, and a subscript in
    /// that runs commands (bash manual, "Shell Arithmetic").
    pub(crate) fn arithmetic(
        &mut self,
        inner: &'t [Part<'s>],
        state: &mut State<'t, 's>,
        span: Span,
    ) {
        let mut harmless = true;
        for part in inner {
            match part {
                Part::Literal { text, .. } => {
                    harmless &= self.is_plain_arithmetic(text, state);
                }
                Part::Glob(pattern) => harmless &= *pattern == "*",
                Part::Arithmetic { inner, .. } => self.arithmetic(inner, state, span),
                part => {
                    let text = Text { span, ..Text::default() };
                    let mut field = Field { done: Vec::new(), text, kept: false };
                    self.parts(std::slice::from_ref(part), state, Split::No, &mut field);
                    harmless &= is_number(&field.text);
                }
            }
        }
        if !harmless {
            self.deed(state, Deed::Opaque { reason: Reason::ShellArithmetic, span });
        }
        // `0 && (x=1)` assigns nothing, so a name is a number only where nothing can be skipped.
        let certain = inner.iter().all(
            |part| !matches!(part, Part::Literal { text, .. } if text.contains(['&', '|', '?'])),
        );
        for name in assigned_names(inner) {
            let value = if certain && harmless { number_value() } else { Value::Unknown };
            state.set(Cow::Owned(name), value);
        }
    }

    fn is_plain_arithmetic(&self, text: &str, state: &State<'t, 's>) -> bool {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if first.is_ascii_alphabetic() || first == '_' {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let (name, tail) =
                    rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, ""));
                let number = match state.get(name, self.env) {
                    Value::Known(text) => is_number(&text),
                    Value::Unset => true,
                    Value::Unknown => matches!(name, "RANDOM" | "SECONDS" | "LINENO"),
                };
                // An assignment makes a number of the name, and what follows is looked at anyway.
                let assigned =
                    tail.trim_start().strip_prefix('=').is_some_and(|tail| !tail.starts_with('='));
                if !number && !assigned {
                    return false;
                }
                rest = tail;
                continue;
            }
            if !(first.is_ascii_digit() || " \t\n+-*/%()<>=!&|^~?:,".contains(first)) {
                return false;
            }
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
        true
    }
}

/// Whether a word begins with `name=`, unquoted.
fn is_assignment(word: &Word<'_>) -> bool {
    let Some(Part::Literal { text, quoted: false }) = word.parts.first() else { return false };
    text.split_once('=').is_some_and(|(name, _)| {
        let mut letters = name.bytes();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// The commands of a list that is one pipeline.
fn alone<'t, 's>(list: &'t List<'s>) -> Option<&'t [Command<'s>]> {
    match list.pipelines.as_slice() {
        [pipeline] => Some(&pipeline.commands),
        _ => None,
    }
}

/// The text of a word that needs no expansion.
fn plain<'s>(word: &Word<'s>) -> Option<Text<'s>> {
    match word.parts.as_slice() {
        [Part::Literal { text, .. }] => Some(Text::known(text.clone(), word.span)),
        _ => None,
    }
}

/// The directory that what is open in a path lies in.
fn directory_of<'a>(text: &'a Text<'_>) -> &'a str {
    let first = text.open.first().map_or(0, |open| open.start as usize);
    let known = text.text.get(..first).unwrap_or_default();
    match text.open.first() {
        Some(open) if open.what.is_below() => known,
        _ => known.rsplit_once('/').map_or("", |(directory, _)| match directory {
            "" => "/",
            directory => directory,
        }),
    }
}

/// Whether a value was taken for one word because names are plain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Believed {
    Names,
    Nothing,
}

/// Whether what is known of a value is split or matched beside what is not: `x="a $? b"; cat $x`.
fn splits_beside(value: &Text<'_>) -> bool {
    const SPLITTING: [char; 7] = [' ', '\t', '\n', '*', '?', '[', '\\'];
    let ends = value.open.iter().map(|open| open.end as usize);
    let starts = value.open.iter().map(|open| open.start as usize);
    let mut known = std::iter::once(0).chain(ends).zip(starts.chain([value.text.len()]));
    let splits =
        |(start, end)| value.text.get(start..end).is_none_or(|text| text.contains(SPLITTING));
    !value.open.is_empty() && known.any(splits)
}

/// Puts the value of an expansion into a word. Unquoted it is split at blanks, and matched against
/// names.
fn insert<'s>(
    value: &Text<'s>,
    split: Split,
    plain_names: bool,
    field: &mut Field<'s>,
) -> Believed {
    if split == Split::No {
        field.push_text(value);
        field.kept |= !value.open.is_empty();
        return Believed::Nothing;
    }
    let named = |open: &Open| {
        matches!(open.what, Unknown::Glob | Unknown::Name | Unknown::Below | Unknown::Tracked)
    };
    let short = |open: &Open| matches!(open.what, Unknown::Number | Unknown::Word);
    let believes = value.open.iter().any(named);
    if plain_names && believes && value.open.iter().all(|open| named(open) || short(open)) {
        // No name holds a blank.
        if !value.open.is_empty() && !value.text.contains([' ', '\t', '\n']) {
            field.push_text(value);
            return Believed::Names;
        }
    }
    if value.open.iter().any(|open| !short(open)) || splits_beside(value) {
        // Names and unknown text may hold blanks: any number of arguments that may be anything.
        field.push_open(&value.text, Unknown::Anything);
        field.text.many = true;
        return Believed::Nothing;
    }
    if !value.open.is_empty() {
        field.push_text(value);
        return Believed::Nothing;
    }
    for (index, piece) in value.text.split([' ', '\t', '\n']).enumerate() {
        if index > 0 {
            field.cut();
        }
        let mut literal = piece;
        while let Some(at) = literal.find(['*', '?', '[', '\\']) {
            let (before, rest) = literal.split_at_checked(at).unwrap_or((literal, ""));
            field.push(before);
            field.kept |= !before.is_empty();
            let whole = rest.starts_with(['[', '\\']);
            let (pattern, rest) =
                if whole { (rest, "") } else { rest.split_at_checked(1).unwrap_or((rest, "")) };
            field.push_open(pattern, if whole { Unknown::Anything } else { Unknown::Glob });
            field.text.many = true;
            literal = rest;
        }
        field.push(literal);
        field.kept |= !literal.is_empty();
    }
    Believed::Nothing
}

fn unknown_output<'s>() -> Text<'s> {
    let mut text = Text::known("$(…)", Span::default());
    text.open.push(Open { start: 0, end: 6, what: Unknown::Anything });
    text
}

fn number<'s>(span: Span) -> Text<'s> {
    let mut text = Text::known("0", span);
    text.open.push(Open { start: 0, end: 1, what: Unknown::Number });
    text
}

/// Letters and digits, or nothing.
fn word<'s>(span: Span) -> Text<'s> {
    let mut text = Text::known("0", span);
    text.open.push(Open { start: 0, end: 1, what: Unknown::Word });
    text
}

/// One name without slash or blank.
fn name<'s>(span: Span) -> Text<'s> {
    let mut text = Text::known("*", span);
    text.open.push(Open { start: 0, end: 1, what: Unknown::Glob });
    text
}

/// Whether the text is a whole number, known or not.
pub(crate) fn is_number(text: &Text<'_>) -> bool {
    match text.open.as_slice() {
        [] => {
            let digits = text.text.strip_prefix('-').unwrap_or(&text.text);
            !digits.is_empty()
                && digits.len() < 18
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        [open] => {
            open.what == Unknown::Number && open.start == 0 && open.end as usize == text.text.len()
        }
        _ => false,
    }
}

/// Whether the text is a name that a pattern found: it begins with the pattern and has no slash.
fn is_name(text: &Text<'_>) -> bool {
    !text.text.contains('/')
        && text.open.first().is_some_and(|open| open.start == 0)
        && text.open.iter().all(|open| matches!(open.what, Unknown::Glob | Unknown::Name))
}

/// Whether what is cut off is an ending such as `.txt`: of a name that a pattern finds, which does not
/// begin with a dot, something is left.
fn is_ending(cut: &Text<'_>) -> bool {
    let ending = cut.literal().and_then(|cut| cut.strip_prefix('.'));
    ending.is_some_and(|cut| {
        !cut.is_empty() && cut.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Whether `date` prints digits, letters, dots, dashes, colons and underscores for the format alone.
fn is_plain_date(format: &str) -> bool {
    let Some(format) = format.strip_prefix('+') else { return false };
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        let fine = match c {
            '%' => rest.next().is_some_and(|letter| "YmdHMSjysNFTuwaAbBVG".contains(letter)),
            c => c.is_ascii_alphanumeric() || "-_:".contains(c),
        };
        if !fine {
            return false;
        }
    }
    !format.is_empty() && !format.starts_with('-')
}

/// Whether `echo` and `printf` print the word as it is.
fn is_plain_text(word: &str) -> bool {
    !word.starts_with('-') && !word.contains('\\')
}
