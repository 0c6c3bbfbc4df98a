//! Reads the arguments of one command by its line of the table.

mod emit;
mod package;
mod text;
mod value;
mod whole;

use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Open, Stdin, Text, Unknown};
use crate::shell::syntax::Span;

use super::line::{Count, Entry, Modes, Opt, RECURSIVE, Slot, Takes};
use super::role::Role;

/// Pushes everything that the command would do.
pub(super) fn deeds<'s>(entry: &Entry, invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mark = out.len();
    let mut reader = Reader {
        entry,
        arguments: invocation.arguments,
        at: 0,
        modes: 0,
        operands: Operands { inline: [None; INLINE], spilled: Vec::new(), len: 0 },
        base: None,
        into: None,
        place_absent: false,
        method: None,
        script: false,
        shifted: false,
        named: Vec::new(),
        resource: None,
        kinds: false,
        suffix: None,
        globbed: None,
        coded: false,
        fed: *invocation.stdin != Stdin::Inherited,
        span: invocation.span,
        mark,
        out,
    };
    reader.run(invocation.stdin);
}

struct Reader<'t, 'a, 's, 'o> {
    entry: &'t Entry,
    arguments: &'a [Text<'s>],
    at: usize,
    modes: Modes,
    operands: Operands<'a, 's>,
    /// The directory that relative paths start at, where an option names it.
    base: Option<Text<'s>>,
    /// Where operands are copied to, where an option names it.
    into: Option<(Text<'s>, bool)>,
    /// No operand names that place: a default stands for it.
    place_absent: bool,
    method: Option<&'static str>,
    /// The place of the code that is run was named.
    script: bool,
    /// A glob may be an option that moves the roles of operands.
    shifted: bool,
    /// What was named of infrastructure, of what is published, of jobs; each perhaps with its kind.
    named: Vec<(Option<Text<'s>>, Text<'s>)>,
    resource: Option<Text<'s>>,
    /// Names tell their own kinds: `kind/name`.
    kinds: bool,
    /// What stands behind the names of what is kept before it is overwritten.
    suffix: Option<Text<'s>>,
    /// A name that `curl` makes several of.
    globbed: Option<Span>,
    /// Code of the workspace was noted.
    coded: bool,
    /// The line itself supplies the input.
    fed: bool,
    span: Span,
    mark: usize,
    out: &'o mut Vec<Deed<'s>>,
}

impl<'t, 'a, 's> Reader<'t, 'a, 's, '_> {
    fn run(&mut self, stdin: &Stdin<'s>) {
        if !self.words() {
            return;
        }
        let entry = self.entry;
        if entry.style.stdin_is_code && *stdin != Stdin::Inherited {
            self.opaque(Reason::ShellCodeOnStdin);
        }
        let modes = self.modes;
        match entry.alternative(modes) {
            Some(alternative) => {
                self.operands(&alternative.slots);
                self.effects(&alternative.effects);
            }
            None => self.opaque(Reason::ShellArguments),
        }
        self.effects(entry.effects());
        self.finish();
    }

    /// Sorts the arguments into options and operands; false where nothing more can be said.
    fn words(&mut self) -> bool {
        let mut options_ended = false;
        while let Some(text) = self.arguments.get(self.at) {
            self.at += 1;
            if options_ended {
                self.operands.push(text);
                continue;
            }
            let style = self.entry.style;
            if style.raw {
                self.operands.push(text);
                continue;
            }
            match text.literal() {
                Some("--") if !style.no_double_dash => {
                    options_ended = true;
                    continue;
                }
                Some(word) if self.is_option(word) => {
                    self.option(text);
                    continue;
                }
                Some(word) => {
                    if self.operands.len == 0 && !self.entry.children.is_empty() {
                        match self.entry.children.find(word) {
                            Some(child) => {
                                self.entry = child;
                                continue;
                            }
                            None if self.takes_operands() => {}
                            None => {
                                self.opaque(Reason::ShellUnknownOption);
                                return false;
                            }
                        }
                    }
                }
                None => {
                    if text.starts_with("-") || self.entry.has_plus && text.starts_with("+") {
                        self.option(text);
                        continue;
                    }
                    self.unknown_text(text);
                    if self.operands.len == 0 && !self.entry.children.is_empty() {
                        self.opaque(Reason::ShellDynamicArgument);
                        return false;
                    }
                }
            }
            if style.at_files && text.text.starts_with('@') {
                self.opaque_at(Reason::ShellArguments, text.span);
            }
            self.operands.push(text);
            options_ended = self.entry.style.stop;
        }
        true
    }

    fn takes_operands(&self) -> bool {
        self.entry.body.alternatives.iter().any(|alternative| !alternative.slots.is_empty())
    }

    fn is_option(&self, word: &str) -> bool {
        word.len() > 1 && (word.starts_with('-') || self.entry.has_plus && word.starts_with('+'))
    }

    /// Text that does not begin with `-`, but may once it is expanded.
    fn unknown_text(&mut self, text: &Text<'s>) {
        let plus = self.entry.has_plus && text.open.first().is_some_and(|open| open.start == 0);
        if !text.may_be_option() && !plus {
            return;
        }
        let style = self.entry.style;
        let only_names =
            text.open.iter().all(|open| matches!(open.what, Unknown::Glob | Unknown::Name));
        if style.plain {
            if self.entry.has_recursive() {
                self.modes |= RECURSIVE;
            }
        } else if style.names && only_names && !plus {
            // The glob may expand to `-r`, or to `-f` and the name of a file to read.
            self.modes |= RECURSIVE;
            self.shifted = true;
            let path = Text::known(".", text.span);
            self.out.push(Deed::Read { path, recursive: true });
        } else {
            self.opaque_at(Reason::ShellDynamicArgument, text.span);
        }
    }

    /// Reads one argument that begins with `-` or `+`, and its value.
    fn option(&mut self, text: &'a Text<'s>) {
        let entry = self.entry;
        // What is open begins here.
        let known = text.open.first().map_or(text.text.len(), |open| open.start as usize);
        let literal = text.text.get(..known).unwrap_or_default();
        let splits = text.many && text.open.iter().any(|open| open.what == Unknown::Anything);
        // `-n$x` may be an option and a path: only where all is text does it not matter.
        let alternatives = &entry.body.alternatives;
        let mut slots = alternatives.iter().flat_map(|alternative| &alternative.slots);
        let only_text = entry.style.plain && slots.all(|slot| slot.roles.iter().all(is_value));
        if splits && !only_text {
            return self.opaque_at(Reason::ShellDynamicArgument, text.span);
        }
        let (name, value_at) = match literal.split_once('=') {
            Some((name, _)) => (name, Some(name.len() + 1)),
            None => (literal, None),
        };
        let whole = value_at.is_some() || known == text.text.len();
        let words = entry.style.go || entry.style.words;
        if literal.starts_with("--") || words {
            let single =
                if entry.style.go && name.starts_with("--") { name.get(1..) } else { None };
            let option = whole.then(|| entry.option(single.unwrap_or(name))).flatten();
            match option {
                Some(option) => self.word_option(option, text, value_at),
                None if words && !literal.starts_with("--") => self.joined_option(text, literal),
                None => self.unknown_option(text),
            }
            return;
        }
        if literal.starts_with('+') {
            return self.joined_option(text, literal);
        }
        self.cluster(text, literal, known);
    }

    fn word_option(&mut self, option: &'t Opt, text: &'a Text<'s>, value_at: Option<usize>) {
        self.modes |= option.modes;
        match (option.takes, value_at) {
            (Takes::Nothing, None) | (Takes::Optional, None) => {}
            (Takes::Required | Takes::JoinedOrNext, None) => self.next_value(option),
            (Takes::Joined, None) if text.text.len() == option.name.as_str().len() => {}
            // `-std=c11`: of a value without effect nobody asks where it begins.
            (Takes::Joined, Some(_)) if option.roles.iter().all(is_value) => {}
            (Takes::Required | Takes::Optional | Takes::Equals, Some(at)) => {
                self.value_at(option, text, at);
            }
            _ => self.unknown_option(text),
        }
    }

    /// `-Ipath`, `-Wall`: a name of its own length with the value behind it.
    fn joined_option(&mut self, text: &'a Text<'s>, literal: &str) {
        let entry = self.entry;
        match entry.joined(literal) {
            Some(option) => {
                self.modes |= option.modes;
                self.value_at(option, text, option.name.as_str().len());
            }
            None if entry.style.numbers && is_number(text) => {}
            None => self.unknown_option(text),
        }
    }

    /// `-xzf file`: letters, of which the last may have a value.
    fn cluster(&mut self, text: &'a Text<'s>, literal: &str, known: usize) {
        let entry = self.entry;
        if entry.style.numbers && is_number(text) {
            return;
        }
        let sign = literal.as_bytes().first().copied().unwrap_or(b'-');
        for (at, letter) in literal.bytes().enumerate().skip(1) {
            if entry.style.numbers && letter.is_ascii_digit() {
                continue;
            }
            let Some(option) = entry.letter([sign, letter]) else {
                return self.unknown_option(text);
            };
            self.modes |= option.modes;
            let more = at + 1 < text.text.len();
            match option.takes {
                Takes::Nothing => {}
                Takes::Optional | Takes::Joined if !more => return,
                Takes::Required | Takes::JoinedOrNext if !more => return self.next_value(option),
                Takes::Equals => return self.unknown_option(text),
                _ => return self.value_at(option, text, at + 1),
            }
        }
        if known < text.text.len() {
            // Letters that nobody knows.
            self.unknown_option(text);
        }
    }

    fn value_at(&mut self, option: &'t Opt, text: &'a Text<'s>, at: usize) {
        match text.suffix(at) {
            Some(value) => self.emit_all(&option.roles, &value),
            None => self.opaque_at(Reason::ShellDynamicArgument, text.span),
        }
    }

    fn next_value(&mut self, option: &'t Opt) {
        let Some(value) = self.arguments.get(self.at) else {
            return self.opaque(Reason::ShellArguments);
        };
        self.at += 1;
        if value.many {
            // It may be no argument or several, of which only the first is the value.
            self.opaque_at(Reason::ShellDynamicArgument, value.span);
        }
        self.emit_all(&option.roles, value);
    }

    fn unknown_option(&mut self, text: &Text<'s>) {
        if text.open.is_empty() {
            self.opaque_at(Reason::ShellUnknownOption, text.span);
        } else if !self.entry.style.plain {
            self.opaque_at(Reason::ShellDynamicArgument, text.span);
        }
    }

    /// Gives every operand its slot.
    fn operands(&mut self, slots: &'t [Slot]) {
        let takes_rest = |slot: &Slot| slot.roles.iter().any(Role::takes_rest);
        let needed = slots
            .iter()
            .filter(|slot| matches!(slot.count, Count::One | Count::Several))
            .filter(|slot| slot.default.is_none())
            .count();
        let Some(mut spare) = self.operands.len.checked_sub(needed) else {
            return self.opaque(Reason::ShellArguments);
        };
        let uniform = slots.len() == 1;
        // `tr -s [:blank:]`: wherever words fall, they are text.
        let is_text = |slot: &Slot| slot.roles.iter().all(is_value);
        let only_text = self.entry.style.plain && slots.iter().all(is_text);
        let mut next = 0;
        for (place, slot) in slots.iter().enumerate() {
            if takes_rest(slot) {
                if next < self.operands.len {
                    self.emit_rest(&slot.roles, next);
                }
                next = self.operands.len;
                spare = 0;
                break;
            }
            // `ln target`, `ln target … link`: what repeats leaves one operand for the last.
            let behind = slots.get(place + 1..).unwrap_or_default().iter();
            let awaits = |slot: &&Slot| slot.count == Count::One && slot.default.is_some();
            let kept = behind.filter(awaits).count().min(spare);
            let count = match slot.count {
                Count::One if slot.default.is_none() => 1,
                Count::One | Count::Optional => {
                    let taken = spare.min(1);
                    spare -= taken;
                    taken
                }
                Count::Any => std::mem::replace(&mut spare, kept) - kept,
                Count::Several => 1 + std::mem::replace(&mut spare, kept) - kept,
            };
            if count == 0
                && let Some(default) = &slot.default
            {
                self.place_absent = true;
                let text = Text::known(String::from(&**default), self.span);
                self.emit_all(&slot.roles, &text);
            }
            let repeats = matches!(slot.count, Count::Any | Count::Several);
            for at in next..next + count {
                let Some(text) = self.operands.get(at) else { break };
                // One of several words may fall into another slot.
                let moves =
                    text.many && !only_text && (!repeats || !uniform && self.others_move(text));
                // What a pattern in the first place finds beyond one name are files among the others.
                let files = slots.get(1).filter(|files| {
                    let reads = files.roles.iter().all(|role| matches!(role, Role::Read { .. }));
                    let names = |open: &Open| matches!(open.what, Unknown::Glob | Unknown::Name);
                    let first = place == 0 && slots.len() == 2 && slot.count == Count::One;
                    first && files.count == Count::Any && reads && text.open.iter().all(names)
                });
                if let Some(files) = files.filter(|_| moves && slot.roles.iter().all(is_value)) {
                    self.emit_all(&files.roles, text);
                } else if moves {
                    self.opaque_at(Reason::ShellDynamicArgument, text.span);
                }
                self.emit_all(&slot.roles, text);
                if text.many
                    && let Some(default) = &slot.default
                    && text.open.iter().any(|open| open.what == Unknown::Anything)
                {
                    let text = Text::known(String::from(&**default), self.span);
                    self.emit_all(&slot.roles, &text);
                }
            }
            next += count;
        }
        if spare > 0 || next < self.operands.len {
            self.opaque(Reason::ShellArguments);
        }
    }

    /// Text that may be no argument at all moves the others; a glob is one at least.
    fn others_move(&self, text: &Text<'s>) -> bool {
        text.open.iter().any(|open| open.what == Unknown::Anything)
    }

    fn opaque(&mut self, reason: Reason) {
        self.opaque_at(reason, self.span);
    }

    fn opaque_at(&mut self, reason: Reason, span: Span) {
        self.out.push(Deed::Opaque { reason, span });
    }
}

/// Whether a role stands for text without effect.
fn is_value(role: &Role) -> bool {
    matches!(role, Role::Value)
}

/// `-5`, or `-` and a number that is not known.
fn is_number(text: &Text<'_>) -> bool {
    let open = |at: usize| {
        text.open.iter().find(|open| open.start as usize <= at && at < open.end as usize)
    };
    text.text.len() > 1
        && text.text.bytes().enumerate().skip(1).all(|(at, byte)| match open(at) {
            Some(open) => open.what == Unknown::Number,
            None => byte.is_ascii_digit(),
        })
}

/// Operands in order; few stand without a heap.
struct Operands<'a, 's> {
    inline: [Option<&'a Text<'s>>; INLINE],
    spilled: Vec<&'a Text<'s>>,
    len: usize,
}

impl<'a, 's> Operands<'a, 's> {
    fn push(&mut self, text: &'a Text<'s>) {
        match self.inline.get_mut(self.len) {
            Some(place) => *place = Some(text),
            None => self.spilled.push(text),
        }
        self.len += 1;
    }

    fn get(&self, at: usize) -> Option<&'a Text<'s>> {
        match self.inline.get(at) {
            Some(text) => *text,
            None => self.spilled.get(at - INLINE).copied(),
        }
    }
}

const INLINE: usize = 12;
