//! Reads options as getopt does, with what is dynamic kept in sight.

use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};
use crate::shell::syntax::Span;

/// The options of one program.
///
/// A row names one option by all its spellings, separated by a blank: one letter is a short option,
/// more are a long one. The first spelling is the one that is reported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) rows: &'static [(&'static str, Takes)],
    /// Options may follow operands, as in GNU programs. Otherwise the first operand ends them.
    pub(crate) permute: bool,
}

/// Whether an option has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// In the same argument or the next.
    Value,
    /// In the same argument or not at all: `-i.bak`, `--color=always`.
    Attached,
}

/// What an argument turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item<'a, 's> {
    Option(&'static str, Option<Text<'s>>),
    Operand(&'a Text<'s>),
    /// An unknown or abbreviated option, a missing value, or text that may be an option.
    Doubt(Reason, Span),
}

/// Goes through the arguments of one command.
#[derive(Debug)]
pub(crate) struct Reader<'a, 's> {
    options: &'static Options,
    arguments: &'a [Text<'s>],
    next: usize,
    /// Where the next letter stands in the argument before `next`, inside of a cluster like `-xzf`.
    cluster: Option<usize>,
    /// All that follows is operands.
    ended: bool,
    /// The options were ended by `--`.
    marked: bool,
    span: Span,
}

impl<'a, 's> Reader<'a, 's> {
    pub(crate) fn new(options: &'static Options, arguments: &'a [Text<'s>], span: Span) -> Self {
        Self { options, arguments, next: 0, cluster: None, ended: false, marked: false, span }
    }

    /// Returns the arguments that were not looked at yet.
    pub(crate) fn rest(&self) -> &'a [Text<'s>] {
        self.arguments.get(self.next..).unwrap_or_default()
    }

    /// Reports whether `--` was seen.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked
    }

    /// Reads one more argument as it is: the second value of an option that takes two.
    pub(crate) fn raw(&mut self) -> Option<&'a Text<'s>> {
        self.cluster.is_none().then(|| self.take()).flatten()
    }

    fn take(&mut self) -> Option<&'a Text<'s>> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        Some(argument)
    }

    /// Returns the value that stands in an argument of its own. One that may be no argument, or
    /// several, would shift all that follow.
    fn separate_value(&mut self, name: &'static str) -> Item<'a, 's> {
        match self.take() {
            None => Item::Doubt(Reason::ShellArguments, self.span),
            Some(value) if value.many => Item::Doubt(Reason::ShellDynamicArgument, value.span),
            Some(value) => Item::Option(name, Some(value.clone())),
        }
    }

    fn long(&mut self, argument: &'a Text<'s>) -> Item<'a, 's> {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None if argument.open.is_empty() => (&*argument.text, None),
            None => return Item::Doubt(Reason::ShellDynamicArgument, argument.span),
        };
        let name = name.get(2..).unwrap_or_default();
        let Some((name, takes)) = self.options.find_long(name) else {
            return Item::Doubt(Reason::ShellUnknownOption, argument.span);
        };
        match (takes, value) {
            (Takes::Nothing, Some(_)) => Item::Doubt(Reason::ShellArguments, argument.span),
            (Takes::Value, None) => self.separate_value(name),
            (_, value) => Item::Option(name, value),
        }
    }

    fn short(&mut self, argument: &'a Text<'s>, at: usize) -> Item<'a, 's> {
        self.cluster = None;
        let literal = argument.open.first().is_none_or(|open| open.start as usize > at);
        let Some(letter) = argument.text.get(at..).and_then(|rest| rest.chars().next()) else {
            return Item::Doubt(Reason::ShellArguments, argument.span);
        };
        if !literal {
            return Item::Doubt(Reason::ShellDynamicArgument, argument.span);
        }
        let Some((name, takes)) = self.options.find_short(letter) else {
            return Item::Doubt(Reason::ShellUnknownOption, argument.span);
        };
        let behind = at + letter.len_utf8();
        let more = behind < argument.text.len();
        match takes {
            Takes::Nothing => {
                self.cluster = more.then_some(behind);
                Item::Option(name, None)
            }
            Takes::Value if !more => self.separate_value(name),
            Takes::Attached if !more => Item::Option(name, None),
            Takes::Value | Takes::Attached => match argument.suffix(behind) {
                Some(value) => Item::Option(name, Some(value)),
                None => Item::Doubt(Reason::ShellDynamicArgument, argument.span),
            },
        }
    }
}

impl<'a, 's> Iterator for Reader<'a, 's> {
    type Item = Item<'a, 's>;

    fn next(&mut self) -> Option<Item<'a, 's>> {
        if let Some(at) = self.cluster {
            let argument = self.arguments.get(self.next.checked_sub(1)?)?;
            return Some(self.short(argument, at));
        }
        let argument = self.take()?;
        if self.ended {
            return Some(Item::Operand(argument));
        }
        if argument.literal() == Some("--") {
            self.ended = true;
            self.marked = true;
            return self.next();
        }
        let dash = argument.starts_with("-");
        // `-o$x`, unquoted, may become more arguments than one.
        let splits =
            argument.many && argument.open.iter().any(|open| open.what == Unknown::Anything);
        if splits || (!dash && argument.may_be_option()) {
            return Some(Item::Doubt(Reason::ShellDynamicArgument, argument.span));
        }
        if argument.starts_with("--") {
            return Some(self.long(argument));
        }
        if dash && argument.text.len() > 1 {
            return Some(self.short(argument, 1));
        }
        self.ended = !self.options.permute;
        Some(Item::Operand(argument))
    }
}

impl Options {
    fn find_long(&self, name: &str) -> Option<(&'static str, Takes)> {
        // One letter is never a long option: `--f` is an abbreviation.
        (name.len() > 1).then(|| self.find(name)).flatten()
    }

    fn find_short(&self, letter: char) -> Option<(&'static str, Takes)> {
        self.find(letter.encode_utf8(&mut [0; 4]))
    }

    fn find(&self, name: &str) -> Option<(&'static str, Takes)> {
        let is_spread = self.rows.first().is_some_and(|(names, _)| *names == SPREAD);
        let (names, takes) = if is_spread {
            let slots = self.rows.get(1..).unwrap_or_default();
            let start = slot(name.as_bytes(), 0, name.len(), slots.len());
            let (before, behind) = slots.split_at_checked(start)?;
            let mut round = behind.iter().chain(before).take_while(|(names, _)| !names.is_empty());
            round.find(|(names, _)| spells(names, name))
        } else {
            self.rows.iter().find(|(names, _)| spells(names, name))
        }?;
        let first = names.find(' ').and_then(|end| names.get(..end)).unwrap_or(names);
        Some((first, *takes))
    }
}

/// Spreads the rows of a program with hundreds of options over `N` places, one of them for a mark, so
/// that an option is found without looking at the others. The first row of a spelling wins. `N - 1` is a
/// power of two, and well above the number of spellings.
#[expect(clippy::indexing_slicing, reason = "it runs at compile time")]
pub(crate) const fn spread<const N: usize>(
    rows: &[(&'static str, Takes)],
) -> [(&'static str, Takes); N] {
    assert!((N - 1).is_power_of_two());
    let mut spread = [("", Takes::Nothing); N];
    spread[0] = (SPREAD, Takes::Nothing);
    let mut row = 0;
    while row < rows.len() {
        let names = rows[row].0.as_bytes();
        let (mut start, mut end) = (0, 0);
        while end <= names.len() {
            if end == names.len() || names[end] == b' ' {
                let mut at = slot(names, start, end, N - 1);
                while !spread[at + 1].0.is_empty() {
                    at = (at + 1) % (N - 1);
                }
                spread[at + 1] = rows[row];
                start = end + 1;
            }
            end += 1;
        }
        row += 1;
    }
    spread
}

/// Returns the place of a spelling, which stands in `text` from `start` to `end`, among `count`.
#[expect(clippy::indexing_slicing, reason = "the caller gives the bounds of a text")]
const fn slot(text: &[u8], start: usize, end: usize, count: usize) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut at = start;
    while at < end {
        hash = (hash ^ text[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ (hash >> 15)) as usize & (count - 1)
}

/// Reports whether `names`, separated by blanks, hold `name`.
fn spells(names: &str, name: &str) -> bool {
    match names.len().checked_sub(name.len()) {
        None => false,
        Some(0) => names == name,
        Some(_) => {
            let mut known = names.as_bytes().split(|byte| *byte == b' ');
            known.any(|known| known == name.as_bytes())
        }
    }
}

/// The mark of rows that are spread. No option is spelled like it.
const SPREAD: &str = " ";

/// Adds what was not understood.
pub(crate) fn opaque(out: &mut Vec<Deed<'_>>, reason: Reason, span: Span) {
    out.push(Deed::Opaque { reason, span });
}

/// Returns a path that starts at `directory`, which starts at the working directory.
pub(crate) fn join<'s>(directory: &Text<'s>, path: &Text<'s>) -> Text<'s> {
    // Where the beginning is not known, the path may be absolute.
    let open = path.open.first().is_some_and(|open| open.start == 0 && !is_relative(open.what));
    if path.starts_with("/") || open || directory.literal() == Some(".") {
        return path.clone();
    }
    let mut joined = directory.clone();
    let text = joined.text.to_mut();
    if !text.ends_with('/') {
        text.push('/');
    }
    let shift = u32::try_from(text.len()).unwrap_or(u32::MAX);
    text.push_str(&path.text);
    joined.open.extend(path.open.iter().map(|open| Open {
        start: open.start.saturating_add(shift),
        end: open.end.saturating_add(shift),
        what: open.what,
    }));
    joined.many |= path.many;
    joined.span = path.span;
    joined
}

fn is_relative(what: Unknown) -> bool {
    matches!(what, Unknown::Glob | Unknown::Name | Unknown::Number)
}

/// Whether what stands before the first slash of a path is known although the path is not: what was
/// found below a place begins with that place, and goes on with a slash.
pub(crate) fn begins_locally(path: &Text<'_>) -> bool {
    path.open.first().is_some_and(|open| {
        let place = path.text.get(..open.start as usize).unwrap_or_default();
        let written = path.text.get(open.start as usize..).unwrap_or_default();
        open.what.is_below() && !place.is_empty() && !written.contains(':')
    })
}

/// Returns a port that is a plain number.
pub(crate) fn port(text: &Text<'_>) -> Option<u16> {
    let text = text.literal()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::Takes::{Attached, Nothing, Value};
    use super::*;
    use crate::shell::irregular::testing;

    const OPTIONS: Options = Options {
        rows: &[
            ("a all", Nothing),
            ("f file", Value),
            ("i in-place", Attached),
            ("color", Attached),
            ("x", Nothing),
        ],
        permute: true,
    };
    const STOP: Options = Options { permute: false, ..OPTIONS };

    fn check(options: &'static Options, line: &str, expected: &str) {
        let arguments = testing::split(line);
        let items = Reader::new(options, &arguments, Span::default()).map(|item| match item {
            Item::Option(name, None) => name.to_owned(),
            Item::Option(name, Some(value)) => format!("{name}={}", testing::text(&value)),
            Item::Operand(operand) => format!("[{}]", testing::text(operand)),
            Item::Doubt(reason, _) => format!("!{}", reason.code().trim_start_matches("shell.")),
        });
        assert_eq!(items.collect::<Vec<_>>().join(" "), expected, "{line}");
    }

    #[test]
    fn getopt_is_followed() {
        check(&OPTIONS, "-ax b -f c d", "a x [b] f=c [d]");
        check(&OPTIONS, "-axfc -f -- -- -a", "a x f=c f=-- [-a]");
        check(&OPTIONS, "-i -i.bak -ai~ -", "i i=.bak a i=~ [-]");
        check(&OPTIONS, "--file=a=b --file c --all --color --color=x", "f=a=b f=c a color color=x");
        check(&STOP, "-a b -x", "a [b] [-x]");
        check(&STOP, "-a -- -x", "a [-x]");
        check(&OPTIONS, "'' -a", "[] a");
    }

    #[test]
    fn spread_rows_are_found() {
        const SPREAD: Options = Options { rows: &spread::<17>(OPTIONS.rows), permute: true };
        check(
            &SPREAD,
            "-ax b -f c --in-place=d --color -q",
            "a x [b] f=c i=d color !unknown_option",
        );
        check(&SPREAD, "--fil=x --f", "!unknown_option !unknown_option");
    }

    #[test]
    fn doubt_is_reported() {
        check(&OPTIONS, "--fil=x", "!unknown_option");
        check(&OPTIONS, "--f x", "!unknown_option [x]");
        check(&OPTIONS, "--all=x", "!arguments");
        check(&OPTIONS, "-q", "!unknown_option");
        check(&OPTIONS, "-f", "!arguments");
        check(&OPTIONS, "\"$x\"", "!dynamic_argument");
        check(&OPTIONS, "$x", "!dynamic_argument");
        check(&OPTIONS, "b$x", "!dynamic_argument");
        check(&OPTIONS, "-f$x", "!dynamic_argument");
        check(&OPTIONS, "-f $x", "!dynamic_argument");
        check(&OPTIONS, "-f *.c", "!dynamic_argument");
        check(&OPTIONS, "-a\"$x\"", "a !dynamic_argument");
        check(&OPTIONS, "--$x --\"$x\"", "!dynamic_argument !dynamic_argument");
        check(&OPTIONS, "*.c", "!dynamic_argument");
    }

    #[test]
    fn what_is_found_is_local() {
        for (text, start, what, local) in [
            ("./…", 1, Unknown::Below, true),
            ("sub{}", 3, Unknown::Below, true),
            ("a b{}/x", 3, Unknown::Below, true),
            ("sub{}:x", 3, Unknown::Below, false),
            ("./…", 0, Unknown::Below, false),
            ("sub*", 3, Unknown::Glob, false),
            ("a$x", 1, Unknown::Anything, false),
        ] {
            let end = u32::try_from(text.len()).unwrap();
            let open = vec![Open { start, end, what }];
            let text = Text { open, ..Text::known(text, Span::default()) };
            assert_eq!(begins_locally(&text), local, "{text:?}");
        }
    }

    #[test]
    fn dynamic_values_are_kept() {
        check(&OPTIONS, "-f \"$x\" -f\"$x\"", "f=<any> f=<any>");
        check(&OPTIONS, "--file=\"a$x\"", "f=a<any>");
        check(&OPTIONS, "./* b*.c \"b$x\"", "[./<glob>] [b<glob>.c] [b<any>]");
        check(&OPTIONS, "-- \"$x\" $x *", "[<any>] [<any>] [<glob>]");
    }
}
