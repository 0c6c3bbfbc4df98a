//! `find`: starting points, then an expression in which some words run programs, write or delete.

use std::borrow::Cow;

use super::options::opaque;
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Open, Text, Unknown};
use crate::shell::syntax::Span;

/// Starting points times commands, and all other deeds of one `find`.
const MAX_DEEDS: usize = 512;

/// What all commands may hold together once the paths are filled in, in bytes.
const MAX_FILLED: usize = 256 * 1024;

/// Adds what `find` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let arguments = invocation.arguments;
    let (mut at, known) = leading_options(arguments, out);
    if !known {
        return;
    }
    let mut starts = Vec::new();
    while let Some(argument) = arguments.get(at).filter(|argument| !is_expression(argument)) {
        if may_be_expression(argument) {
            return opaque(out, Reason::ShellDynamicArgument, argument.span);
        }
        starts.push(argument.clone());
        at += 1;
    }
    // A name may be `!`: what follows it is no starting point then.
    if starts.is_empty() || starts.iter().any(is_named) {
        starts.push(Text::known(".", invocation.span));
    }
    for start in &starts {
        out.push(Deed::Read { path: start.clone(), recursive: true });
    }
    let budget = out.len().saturating_add(MAX_DEEDS);
    let (span, filled) = (invocation.span, 0);
    Expression { arguments, at, starts, span, budget, filled, out }.run();
}

/// Reads `-H`, `-L`, `-P`, `-D` and `-O`, which stand before everything else, and those of BSD, which
/// GNU `find` refuses there.
fn leading_options<'s>(arguments: &[Text<'s>], out: &mut Vec<Deed<'s>>) -> (usize, bool) {
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        match argument.literal() {
            Some("-H" | "-P") => at += 1,
            // Links lead out of the tree; of several options the last counts.
            Some("-L") => {
                opaque(out, Reason::ShellDynamicPath, argument.span);
                at += 1;
            }
            Some(flags) if is_bsd(flags) => at += 1,
            Some("-D") => {
                if arguments.get(at + 1).is_none_or(|names| names.many) {
                    opaque(out, Reason::ShellDynamicArgument, argument.span);
                    return (at, false);
                }
                at += 2;
            }
            Some("--") => return (at + 1, true),
            Some(level) if level.starts_with("-O") => at += 1,
            _ => break,
        }
    }
    (at, true)
}

/// `-d`, `-Es`: the order, the kind of patterns, one file system, names that `xargs` takes apart.
fn is_bsd(flags: &str) -> bool {
    flags.strip_prefix('-').is_some_and(|flags| {
        !flags.is_empty() && flags.bytes().all(|flag| b"EXdsx".contains(&flag))
    })
}

/// The rest of the words.
struct Expression<'a, 's, 'o> {
    arguments: &'a [Text<'s>],
    at: usize,
    starts: Vec<Text<'s>>,
    span: Span,
    budget: usize,
    filled: usize,
    out: &'o mut Vec<Deed<'s>>,
}

/// What a word of the expression is, by how it is read and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Value,
    /// The next word is a file that is looked at.
    Stat,
    /// The next word is a file that is written to.
    Write,
    /// As `Write`, with a format behind the file.
    WriteFormat,
    Delete,
    Exec,
    /// In the directory of what was found.
    ExecDirectory,
    /// Starting points come from a file.
    StartsFrom,
}

impl<'a, 's> Expression<'a, 's, '_> {
    fn run(&mut self) {
        while let Some(word) = self.take() {
            if self.out.len() > self.budget {
                return opaque(self.out, Reason::ShellTooLarge, word.span);
            }
            let Some(name) = word.literal() else {
                return opaque(self.out, Reason::ShellDynamicArgument, word.span);
            };
            let Some(kind) = kind(name) else {
                return opaque(self.out, Reason::ShellUnknownOption, word.span);
            };
            if !self.word(kind, name) {
                return;
            }
        }
    }

    fn take(&mut self) -> Option<&'a Text<'s>> {
        let argument = self.arguments.get(self.at)?;
        self.at += 1;
        Some(argument)
    }

    /// Reads the value of a word. A pattern that matches several names makes `find` fail over the
    /// second, unless that could be a word of the expression itself.
    fn value(&mut self) -> Option<&'a Text<'s>> {
        match self.take() {
            Some(value) if !value.many || !may_be_expression(value) => Some(value),
            Some(value) => {
                opaque(self.out, Reason::ShellDynamicArgument, value.span);
                None
            }
            None => {
                opaque(self.out, Reason::ShellArguments, self.span);
                None
            }
        }
    }

    /// Reads one word of the expression, and reports whether it was understood.
    fn word(&mut self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Plain => true,
            Kind::Value => self.value().is_some(),
            Kind::Stat => {
                let Some(path) = self.value() else { return false };
                self.out.push(Deed::Read { path: path.clone(), recursive: false });
                true
            }
            Kind::Write | Kind::WriteFormat => {
                let Some(path) = self.value() else { return false };
                self.out.push(Deed::Write { path: path.clone(), recursive: false });
                kind == Kind::Write || self.value().is_some()
            }
            Kind::Delete => {
                let delete =
                    |start: &Text<'s>| Deed::Delete { path: start.clone(), recursive: true };
                self.out.extend(self.starts.iter().map(delete));
                true
            }
            Kind::StartsFrom => {
                if let Some(file) = self.value() {
                    self.out.push(Deed::Read { path: file.clone(), recursive: false });
                    opaque(self.out, Reason::ShellDynamicPath, file.span);
                }
                false
            }
            Kind::Exec | Kind::ExecDirectory => self.exec(kind, name.starts_with("-exec")),
        }
    }

    /// Reads the command behind `-exec` up to `;`, or to `+` directly behind `{}`.
    fn exec(&mut self, kind: Kind, allow_plus: bool) -> bool {
        let first = self.at;
        let mut braces = false;
        let plus = loop {
            let Some(word) = self.take() else {
                opaque(self.out, Reason::ShellArguments, self.span);
                return false;
            };
            match word.literal() {
                Some(";") => break false,
                Some("+") if allow_plus && braces => break true,
                _ => {}
            }
            if self.may_end(word, allow_plus) {
                opaque(self.out, Reason::ShellDynamicArgument, word.span);
                return false;
            }
            braces = has_braces(word);
        };
        let words = self.arguments.get(first..self.at - 1).unwrap_or_default();
        self.command(kind, words, plus)
    }

    /// Reports whether a word that is not known may end the command, so that the words behind it
    /// belong to the expression, or keep it from ending.
    fn may_end(&self, word: &Text<'s>, allow_plus: bool) -> bool {
        let next = self.arguments.get(self.at);
        if word.open.is_empty() || !may_consist_of(word, ";+{}") {
            return false;
        }
        if word.many {
            return true;
        }
        // `"$x" +` ends here if the value is `{}`.
        if allow_plus && next.is_some_and(|next| next.literal() == Some("+")) {
            return true;
        }
        // If the value is `;`, then the next word starts the expression again; a word that cannot
        // stand there makes `find` fail before it does anything.
        next.is_some_and(|next| match next.literal() {
            Some(name) => kind(name).is_some(),
            None => may_be_expression(next),
        })
    }

    fn command(&mut self, kind: Kind, words: &[Text<'s>], plus: bool) -> bool {
        let Some(program) = words.first() else {
            opaque(self.out, Reason::ShellArguments, self.span);
            return false;
        };
        if program.literal().is_none() || has_braces(program) {
            opaque(self.out, Reason::ShellDynamicProgram, program.span);
            return true;
        }
        if kind == Kind::ExecDirectory && !words.iter().all(is_free_of_directory) {
            opaque(self.out, Reason::ShellWorkingDirectory, program.span);
            return true;
        }
        // A name that a pattern matches may hold `{}` too.
        let pattern = |word: &Text<'_>| {
            word.open.iter().any(|open| matches!(open.what, Unknown::Glob | Unknown::Name))
        };
        if words.iter().any(pattern) && !self.starts.iter().all(is_below_here) {
            opaque(self.out, Reason::ShellDynamicArgument, program.span);
            return true;
        }
        if plus && !ends_in_one_brace(words) {
            opaque(self.out, Reason::ShellArguments, program.span);
            return false;
        }
        if !words.iter().any(has_braces) {
            self.out.push(Deed::Command { argv: words.to_vec() });
            return true;
        }
        let size: usize = words.iter().map(|word| word.text.len() + 32).sum();
        for start in &self.starts {
            self.filled = self.filled.saturating_add(size + start.text.len() * words.len());
            if self.out.len() > self.budget || self.filled > MAX_FILLED {
                opaque(self.out, Reason::ShellTooLarge, program.span);
                return false;
            }
            let argv = words.iter().map(|word| fill(word, start, plus)).collect();
            self.out.push(Deed::CommandWith { argv, appended: false });
        }
        true
    }
}

/// Every word of an expression but `-newerXY`.
const WORDS: [(&[&str], Kind); 9] = [
    (
        &[
            "(",
            ")",
            "!",
            ",",
            "-not",
            "-a",
            "-and",
            "-o",
            "-or",
            "-d",
            "-daystart",
            "-depth",
            "-empty",
            "-executable",
            "-false",
            "-follow",
            "-help",
            "--help",
            "-ignore_readdir_race",
            "-ls",
            "-mount",
            "-nogroup",
            "-noignore_readdir_race",
            "-noleaf",
            "-nouser",
            "-nowarn",
            "-print",
            "-print0",
            "-prune",
            "-quit",
            "-readable",
            "-true",
            "-version",
            "--version",
            "-warn",
            "-writable",
            "-xdev",
        ],
        Kind::Plain,
    ),
    (
        &[
            "-Bmin",
            "-Btime",
            "-amin",
            "-atime",
            "-cmin",
            "-context",
            "-ctime",
            "-fstype",
            "-gid",
            "-group",
            "-ilname",
            "-iname",
            "-inum",
            "-ipath",
            "-iregex",
            "-iwholename",
            "-links",
            "-lname",
            "-maxdepth",
            "-mindepth",
            "-mmin",
            "-mtime",
            "-name",
            "-path",
            "-perm",
            "-printf",
            "-regex",
            "-regextype",
            "-size",
            "-type",
            "-uid",
            "-used",
            "-user",
            "-wholename",
            "-xtype",
        ],
        Kind::Value,
    ),
    (&["-anewer", "-Bnewer", "-cnewer", "-mnewer", "-newer", "-samefile"], Kind::Stat),
    (&["-fls", "-fprint", "-fprint0"], Kind::Write),
    (&["-fprintf"], Kind::WriteFormat),
    (&["-delete"], Kind::Delete),
    (&["-exec", "-ok"], Kind::Exec),
    (&["-execdir", "-okdir"], Kind::ExecDirectory),
    (&["-files0-from"], Kind::StartsFrom),
];

fn kind(name: &str) -> Option<Kind> {
    let known = WORDS.iter().find(|(names, _)| names.contains(&name));
    known.map(|(_, kind)| *kind).or_else(|| newer_kind(name))
}

/// `-newerXY`: the value is a file, or with `t` a time.
fn newer_kind(name: &str) -> Option<Kind> {
    let mut letters = name.strip_prefix("-newer")?.chars();
    let (of, than) = (letters.next()?, letters.next()?);
    if letters.next().is_some() || !"aBcm".contains(of) {
        return None;
    }
    match than {
        't' => Some(Kind::Value),
        'a' | 'B' | 'c' | 'm' => Some(Kind::Stat),
        _ => None,
    }
}

/// Reports whether a word ends the starting points.
fn is_expression(word: &Text<'_>) -> bool {
    match word.literal() {
        Some(word) => word == "(" || word == "!" || (word.len() > 1 && word.starts_with('-')),
        None => word.starts_with("-"),
    }
}

/// Reports whether a word, or one of several that it expands to, may be one of the expression or an
/// option in front of it.
fn may_be_expression(word: &Text<'_>) -> bool {
    if word.open.is_empty() {
        return false;
    }
    if word.many && word.open.iter().any(|open| open.what == Unknown::Anything) {
        return true;
    }
    // No name begins with a dash; for `!` and `(` see where the starting points are read.
    if is_named(word) {
        return false;
    }
    let words = WORDS.iter().flat_map(|(names, _)| names.iter().copied());
    let mut others = ["-H", "-L", "-P", "-D", "-O", "--"].into_iter().chain(NEWER);
    words.chain(&mut others).any(|known| may_equal(word, known)) || word.starts_with("-O")
}

/// Whether a word is a pattern that finds no name with a dash in front.
fn is_named(word: &Text<'_>) -> bool {
    let names = word.open.iter().all(|open| open.what == Unknown::Name);
    names && word.open.first().is_some_and(|open| open.start == 0)
}

/// All that `-newerXY` may be.
const NEWER: [&str; 20] = [
    "-neweraa", "-neweraB", "-newerac", "-neweram", "-newerat", "-newerBa", "-newerBB", "-newerBc",
    "-newerBm", "-newerBt", "-newerca", "-newercB", "-newercc", "-newercm", "-newerct", "-newerma",
    "-newermB", "-newermc", "-newermm", "-newermt",
];

/// Reports whether a word that is open may turn out to be `known`: what is literal of it occurs there
/// in order.
fn may_equal(word: &Text<'_>, known: &str) -> bool {
    let mut parts = literal_parts(word);
    let Some(mut rest) = parts.next().and_then(|first| known.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.is_empty()
}

/// Reports whether a word that is open may turn out to hold nothing but `characters`.
fn may_consist_of(word: &Text<'_>, characters: &str) -> bool {
    if word.many && word.open.iter().any(|open| open.what == Unknown::Anything) {
        return true;
    }
    let numbers = word.open.iter().any(is_number) && !characters.contains('0');
    !numbers && literal_parts(word).all(|part| part.chars().all(|c| characters.contains(c)))
}

fn is_number(open: &Open) -> bool {
    open.what == Unknown::Number
}

/// Returns what is literal of a word, piece by piece.
fn literal_parts<'t>(word: &'t Text<'_>) -> impl Iterator<Item = &'t str> {
    let starts = std::iter::once(0).chain(word.open.iter().map(|open| open.end as usize));
    let ends = word.open.iter().map(|open| open.start as usize);
    let ends = ends.chain(std::iter::once(word.text.len()));
    starts.zip(ends).map(|(start, end)| word.text.get(start..end).unwrap_or_default())
}

fn has_braces(word: &Text<'_>) -> bool {
    literal_parts(word).any(|part| part.contains("{}"))
}

/// `find` refuses `+` unless exactly one argument holds `{}`, and it holds nothing else.
fn ends_in_one_brace(words: &[Text<'_>]) -> bool {
    let count = words.iter().filter(|word| has_braces(word)).count();
    count == 1 && words.last().is_some_and(|last| last.literal() == Some("{}"))
}

/// Reports whether a starting point lies below the working directory, as it is written.
fn is_below_here(start: &Text<'_>) -> bool {
    start.literal().is_some_and(|path| {
        !path.starts_with('/') && path.split('/').all(|component| component != "..")
    })
}

/// Reports whether an argument means the same in every directory: a relative path would start at
/// the directory of what was found.
fn is_free_of_directory(word: &Text<'_>) -> bool {
    word.literal().is_some_and(|word| {
        let option = word.len() == 2 && word.starts_with('-');
        let name = word.chars().all(|c| c.is_ascii_alphanumeric());
        word == "{}" || option || (name && PLAIN_PROGRAMS.contains(&word))
    })
}

/// Programs that may run in any directory. Any other word may be a file there.
const PLAIN_PROGRAMS: [&str; 8] = ["cat", "chmod", "file", "head", "ls", "pwd", "rm", "wc"];

/// Puts the path that was found in place of every `{}`.
fn fill<'s>(word: &Text<'s>, start: &Text<'s>, plus: bool) -> Text<'s> {
    if !has_braces(word) {
        return word.clone();
    }
    let mut filled = Text { span: word.span, many: word.many || plus, ..Text::default() };
    let mut text = String::new();
    let pieces = pieces(word);
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Open(written, what) => push_open(&mut text, &mut filled.open, written, *what),
            Piece::Braces => {
                let tail = pieces.get(index + 1..).unwrap_or_default();
                filled.many |= start.many;
                push_start(&mut text, &mut filled.open, &base(start, tail));
                // `{}/../x` leaves the starting point again, and `{}.bak` may stand beside it.
                let leaves = match tail {
                    [] => false,
                    [Piece::Literal(tail)] => {
                        has_dots(tail) || (!tail.starts_with('/') && start.literal().is_none())
                    }
                    _ => true,
                };
                let what = if leaves { Unknown::Anything } else { Unknown::Below };
                let mut written = "{}".to_owned();
                // What follows is a part of the path, and stays below the same place.
                if let ([Piece::Literal(tail)], false) = (tail, leaves) {
                    written.push_str(tail);
                    push_open(&mut text, &mut filled.open, &written, what);
                    break;
                }
                push_open(&mut text, &mut filled.open, &written, what);
            }
        }
    }
    filled.text = Cow::Owned(text);
    filled
}

enum Piece<'t> {
    Literal(&'t str),
    Open(&'t str, Unknown),
    Braces,
}

fn pieces<'t>(word: &'t Text<'_>) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let mut opens = word.open.iter();
    for part in literal_parts(word) {
        let mut rest = part;
        while let Some((before, behind)) = rest.split_once("{}") {
            if !before.is_empty() {
                pieces.push(Piece::Literal(before));
            }
            pieces.push(Piece::Braces);
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest));
        }
        if let Some(open) = opens.next() {
            let written = word.text.get(open.start as usize..open.end as usize);
            pieces.push(Piece::Open(written.unwrap_or_default(), open.what));
        }
    }
    pieces
}

/// Returns the place that everything found lies below. With text glued to the name, `{}.bak`, the
/// starting point itself becomes a name beside it.
fn base<'s>(start: &Text<'s>, tail: &[Piece<'_>]) -> Text<'s> {
    let glued = match tail {
        [] => false,
        [Piece::Literal(tail), ..] => !tail.starts_with('/'),
        _ => true,
    };
    let Some(path) = start.literal().filter(|_| glued) else { return start.clone() };
    // `.` with `.bak` is `..bak`, which lies below `.` all the same.
    if path == "." || path.ends_with('/') || path.ends_with("/.") {
        return start.clone();
    }
    let parent = match path.rsplit_once('/') {
        _ if path == ".." || path.ends_with("/..") => format!("{path}/.."),
        Some((parent, _)) => format!("{parent}/"),
        None => ".".to_owned(),
    };
    Text::known(parent, start.span)
}

/// Reports whether a tail may bring a `..` about, alone or glued to what stands before it.
fn has_dots(tail: &str) -> bool {
    tail.split('/').enumerate().any(|(index, part)| {
        part == ".." || (index == 0 && !part.is_empty() && part.chars().all(|c| c == '.'))
    })
}

fn push_open(text: &mut String, opens: &mut Vec<Open>, written: &str, what: Unknown) {
    let start = u32::try_from(text.len()).unwrap_or(u32::MAX);
    text.push_str(written);
    let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    opens.push(Open { start, end, what });
}

fn push_start(text: &mut String, opens: &mut Vec<Open>, start: &Text<'_>) {
    let shift = u32::try_from(text.len()).unwrap_or(u32::MAX);
    text.push_str(&start.text);
    opens.extend(start.open.iter().map(|open| Open {
        start: open.start.saturating_add(shift),
        end: open.end.saturating_add(shift),
        what: open.what,
    }));
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn starting_points_are_read() {
        check("find", "read ./**");
        check("find -name a", "read ./**");
        check("find a b/c -type f", "read a/**; read b/c/**");
        check("find -P -O3 -D exec,rates a", "read a/**");
        check("find -P -H -L a", "!dynamic_path; read a/**");
        check("find -ds a -name b", "read a/**");
        check("find -E . -d -iregex a", "read ./**");
        check("find -H -- a", "read a/**");
        check("find - -ls", "read -/**");
        check("find ( -name a -o -name b ) -print", "read ./**");
        check("find a ! -path './x/*' -prune , -not -quit", "read a/**");
        check("find *.c -type f", "read <glob>.c/**");
        check("find src/* -type f", "read src/<glob>/**");
        check("find ./\"$x\" -type f", "read ./<any>/**");
    }

    #[test]
    fn tests_take_values() {
        check("find . -name -delete -print", "read ./**");
        check("find . -name \"$x\" -mtime +$n -perm -u+s", "read ./**");
        check("find . -name *.c -size +1M", "read ./**");
        check("find . -name foo* ! -path *mmm* -print", "read ./**");
        check("find -name *ummy", "read ./**");
        check("find . -newer a -samefile b", "read ./**; read a; read b");
        check("find . -newermt '1 day ago' -newerac x", "read ./**; read x");
        check("find . -printf '%p\\n' -regextype posix-extended -regex '.*'", "read ./**");
    }

    #[test]
    fn actions_write_and_delete() {
        check("find . -name '*.o' -delete", "read ./**; delete ./**");
        check("find a b -delete", "read a/**; read b/**; delete a/**; delete b/**");
        check("find . -maxdepth 0 -fprintf o 'x'", "read ./**; write o");
        check("find . -fprint /etc/x -fls y", "read ./**; write /etc/x; write y");
        check("find . -fprint0 \"$x\"", "read ./**; write <any>");
    }

    #[test]
    fn commands_are_run() {
        check("find . -exec rm {} \\;", "read ./**; run-with rm .<below>");
        check("find . -exec rm {} +", "read ./**; run-with rm .<below>+");
        check("find . -exec rm -f -- {} + -print", "read ./**; run-with rm -f -- .<below>+");
        check("find . '-exec' rm {} ';'", "read ./**; run-with rm .<below>");
        check("find . -exec echo hi \\;", "read ./**; run echo hi");
        check("find . -exec echo + \\;", "read ./**; run echo +");
        check("find . -exec echo {} x + \\;", "read ./**; run-with echo .<below> x +");
        check("find . -ok cat {} \\;", "read ./**; run-with cat .<below>");
        check("find . -ok cat {} + \\;", "read ./**; run-with cat .<below> +");
        check(
            "find a /b -exec cp {} o \\;",
            "read a/**; read /b/**; run-with cp a<below> o; run-with cp /b<below> o",
        );
        check("find . -exec a \\; -exec b {} \\;", "read ./**; run a; run-with b .<below>");
        check("find . -exec sh -c 'x {}' \\;", "read ./**; run-with sh -c x .<below>");
        check("find . -exec grep \"$x\" {} +", "read ./**; run-with grep <any> .<below>+");
        check(
            "find . -exec grep -e \"$x\" -l {} \\;",
            "read ./**; run-with grep -e <any> -l .<below>",
        );
        check("find . -exec cp {} *.d \\;", "read ./**; run-with cp .<below> <glob>.d+");
    }

    #[test]
    fn braces_keep_their_place() {
        check("find a -exec cp {} b/{} \\;", "read a/**; run-with cp a<below> b/a<below>");
        check("find . -exec mv {} {}.bak \\;", "read ./**; run-with mv .<below> .<below>");
        check("find a -exec mv {} {}.bak \\;", "read a/**; run-with mv a<below> .<below>");
        check("find /a/b -exec mv {} {}~ \\;", "read /a/b/**; run-with mv /a/b<below> /a/<below>");
        check("find a/.. -exec x {}~ \\;", "read a/../**; run-with x a/../..<below>");
        check("find a -exec cat {}/x \\;", "read a/**; run-with cat a<below>");
        check("find a -exec cat {}/../../x \\;", "read a/**; run-with cat a<any>/../../x");
        check("find . -exec cat {}./x \\;", "read ./**; run-with cat .<any>./x");
        check(
            "find *.d -exec cp x {}.bak \\;",
            "read <glob>.d/**; run-with cp x <glob>.d<any>.bak+",
        );
        check("find . -exec cat --f={} \\;", "read ./**; run-with cat --f=.<below>");
    }

    #[test]
    fn doubt_is_opaque() {
        check("find . -exec {} \\;", "read ./**; !dynamic_program");
        check("find . -exec ./{} \\;", "read ./**; !dynamic_program");
        check("find . -exec \"$x\" \\;", "read ./**; !dynamic_program");
        check("find . -exec rm {} '+;'", "read ./**; !arguments");
        check("find . -exec rm {}", "read ./**; !arguments");
        check("find . -exec \\;", "read ./**; !arguments");
        check("find . -exec cp {} {} +", "read ./**; !arguments");
        check("find . -exec cp x{} +", "read ./**; !arguments");
        check("find . -execdir mv {} x \\;", "read ./**; !working_directory");
        check("find . -execdir ./x {} \\;", "read ./**; !working_directory");
        check("find . -execdir tee pre-commit \\;", "read ./**; !working_directory");
        check("find . -exec a \"$x\" -delete \\;", "read ./**; !dynamic_argument");
        check("find . -exec a $x {} \\;", "read ./**; !dynamic_argument");
        check("find . -exec a * \\;", "read ./**; !dynamic_argument");
        check("find . -exec a \"$x\" + \\;", "read ./**; !dynamic_argument");
        check("find .. -exec cp x ./* \\;", "read ../**; !dynamic_argument");
        check("find . -files0-from -", "read ./**; read -; !dynamic_path");
        for line in [
            "find \"$x\"",
            "find $x",
            "find *",
            "find . -name *",
            "find . -name *-print",
            "find . -name *e*",
            "find . -name -ex*",
            "find -O*",
            "find . -name *)",
            "find . -name *newerm?",
            "find . -name $x",
            "find . \"$x\"",
            "find . -dele",
            "find . --delete",
            "find . -exec",
            "find . -print x",
            "find . -name",
            "find . -H",
            "find -f x",
            "find . -newerqq x",
            "find . -fprintf o",
        ] {
            check_opaque(line);
        }
    }

    #[test]
    fn directories_of_what_is_found() {
        check("find . -execdir rm {} \\;", "read ./**; run-with rm .<below>");
        check("find . -execdir rm -f {} +", "read ./**; run-with rm -f .<below>+");
        check("find . -execdir pwd \\;", "read ./**; run pwd");
    }

    #[test]
    fn deeds_are_capped() {
        let line = format!("find {} {}", "a ".repeat(600), "-exec x {} \\; ".repeat(600));
        check_opaque(&line);
        check_opaque(&format!(
            "find {} {} -exec x {} \\;",
            "a".repeat(9000),
            "b ".repeat(90),
            "{} ".repeat(90)
        ));
        assert!(crate::shell::irregular::testing::run(&line, &Default::default()).len() < 90_000);
    }
}
