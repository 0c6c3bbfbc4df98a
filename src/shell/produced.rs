//! What a pipeline hands to `xargs`: the names that its commands print.
//!
//! Each command before `xargs` is followed as a stream of words: where the paths among them lie, and
//! how they end. A command that could print anything else makes the stream unknown.

use crate::shell::deed::{Open, Text, Unknown};
use crate::shell::syntax::{Command, Kind, List, Operator, Part, Redirect, Span, Word};

/// What the words of a stream are: paths below these places, whole numbers and dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    /// Where the paths lie, as the line names it; `.` for plain names and numbers.
    pub(crate) below: Vec<String>,
    /// Whether names end with NUL, which no name holds.
    nul: bool,
    /// Whether lines were made of names at their line breaks, which a name may hold.
    cut: bool,
    /// Whether every line is one path, and none is empty.
    pub(crate) whole: bool,
    /// Whether a name may begin with a dash where names are not plain.
    bare: bool,
}

impl Stream {
    /// Whether the words are names only where no name holds a blank or begins with a dash.
    pub(crate) fn needs_plain_names(&self) -> bool {
        !self.nul || self.cut || self.bare
    }
}

/// Works out what the commands before `xargs` print, with which `arguments` it is called.
///
/// Without `-0` a name that holds a blank is taken for two, and the second can be anything: so names
/// are believed only if they end with NUL on the whole way, or if `plain_names` says that there is
/// none with a blank, a quote, a backslash or a dash in front.
pub(crate) fn by(
    upstream: &[Command<'_>],
    arguments: &[Text<'_>],
    plain_names: bool,
) -> Option<Stream> {
    let options =
        arguments.iter().map_while(Text::literal).take_while(|text| text.starts_with('-'));
    let mut nul = false;
    for option in options {
        let flags = option.strip_prefix('-').unwrap_or_default();
        let short = !flags.is_empty() && flags.bytes().all(|flag| b"0rtpx".contains(&flag));
        nul |= option == "--null" || (short && flags.contains('0'));
    }
    let stream = stream(upstream)?;
    (stream.nul == nul && (!stream.needs_plain_names() || plain_names)).then_some(stream)
}

/// As [`by`], for the words of the lines that the commands print, where names are plain.
pub(crate) fn lines(commands: &[Command<'_>]) -> Option<Stream> {
    stream(commands).filter(|stream| !stream.nul)
}

/// Whether a loop takes lines from its input with `read` alone. Another reader could take a part of
/// one, and `./etc/passwd` without its first byte is another path.
pub(crate) fn only_reads_lines(command: &Command<'_>) -> bool {
    let Kind::Loop { condition, body } = &command.kind else { return false };
    let [pipeline] = condition.pipelines.as_slice() else { return false };
    let [read] = pipeline.commands.as_slice() else { return false };
    let Kind::Simple { words, .. } = &read.kind else { return false };
    let reads = words.first().is_some_and(|word| literal_of(word) == Some("read"));
    reads && read.redirects.is_empty() && leaves_input(body)
}

/// Whether no command of a list reads the input that it shares.
fn leaves_input(list: &List<'_>) -> bool {
    list.pipelines.iter().all(|pipeline| {
        // Those behind a pipe have an input of their own.
        pipeline.commands.first().is_none_or(|command| match &command.kind {
            Kind::Simple { words, .. } => {
                is_given_files(words)
                    || command.redirects.iter().any(|redirect| {
                        redirect.descriptor == 0 && redirect.operator == Operator::Read
                    })
            }
            Kind::Subshell(list) | Kind::Group(list) => leaves_input(list),
            Kind::If { branches, otherwise } => {
                branches.iter().all(|(test, body)| leaves_input(test) && leaves_input(body))
                    && otherwise.as_ref().is_none_or(leaves_input)
            }
            Kind::Test(_) | Kind::Arithmetic(_) => true,
            _ => false,
        })
    })
}

/// Whether a command is one that reads no input, or none when it is given files and is given one.
fn is_given_files(words: &[Word<'_>]) -> bool {
    const SILENT: [&str; 24] = [
        ":", "[", "basename", "break", "cd", "chmod", "continue", "cp", "dirname", "du", "echo",
        "exit", "false", "file", "ln", "ls", "mkdir", "mv", "printf", "rm", "rmdir", "stat",
        "test", "touch",
    ];
    const READERS: [&str; 12] = [
        "cat",
        "grep",
        "head",
        "md5sum",
        "nl",
        "sed",
        "sha1sum",
        "sha256sum",
        "sort",
        "tac",
        "tail",
        "wc",
    ];
    let Some(program) = words.first().and_then(literal_of) else { return words.is_empty() };
    if SILENT.contains(&program) || program == "true" {
        return true;
    }
    // The last word is a file: it is a variable, and not the value of an option in front of it.
    let [.., before, last] = words else { return false };
    let variable = last.parts.iter().any(|part| matches!(part, Part::Parameter { .. }));
    let option = literal_of(before).is_none_or(|before| before.starts_with('-'));
    let first = matches!(program, "grep" | "sed") && words.len() < 3;
    READERS.contains(&program) && variable && !first && (!option || words.len() == 2)
}

fn literal_of<'a>(word: &'a Word<'_>) -> Option<&'a str> {
    match word.parts.as_slice() {
        [Part::Literal { text, .. }] => Some(text),
        _ => None,
    }
}

/// The text of an argument that lies below `place`. An empty place is the directory that the shell
/// stands in, and what lies there is a name without anything in front.
pub(crate) fn below<'s>(place: &str, span: Span) -> Text<'s> {
    let known = if place == "/" { place } else { place.trim_end_matches('/') };
    let (text, start) = match known {
        "" => ("./…".to_owned(), 0),
        known => (format!("{known}/…"), known.len()),
    };
    let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let open = Open { start: at(start), end: at(text.len()), what: Unknown::Below };
    Text { text: text.into(), open: vec![open], many: true, span }
}

/// One argument or many, of which nothing is known.
pub(crate) fn anything<'s>(span: Span) -> Text<'s> {
    let open = vec![Open { start: 0, end: 3, what: Unknown::Anything }];
    Text { text: "…".into(), open, many: true, span }
}

fn stream(commands: &[Command<'_>]) -> Option<Stream> {
    let (last, before) = commands.split_last()?;
    // Messages name what they are about, so they must go elsewhere.
    let aside = |redirect: &Redirect<'_>| {
        redirect.descriptor == 2
            && matches!(redirect.operator, Operator::Write | Operator::Append)
            && matches!(redirect.target.parts.as_slice(),
                [Part::Literal { text, .. }] if text == "/dev/null" || !text.starts_with('/'))
    };
    if !last.redirects.iter().all(aside) {
        return None;
    }
    let words = words(last)?;
    let texts: Vec<&str> = words.iter().map(|word| &*word.text).collect();
    let (program, rest) = texts.split_first()?;
    let literal = words.iter().all(|word| word.open.is_empty());
    match *program {
        "find" if is_searched(&words) => found(rest),
        "ls" => listed(words.get(1..)?),
        "grep" | "egrep" | "fgrep" if has_flag(rest, 'l') || has_flag(rest, 'L') => {
            matching(words.get(1..)?)
        }
        "git" if literal => tracked(rest),
        "du" => used(words.get(1..)?),
        "seq" if rest.iter().all(|word| is_digits(word)) => Some(names(false)),
        // Two writers on one pipe can cut each other's lines.
        "tee" if rest.iter().all(|word| !word.starts_with(['-', '/'])) => stream(before),
        "tr" if rest == ["\\n", "\\0"] => {
            let stream = stream(before)?;
            (!stream.nul).then_some(Stream { nul: true, cut: true, ..stream })
        }
        "sort" | "uniq" | "head" | "tail" | "tac" | "shuf" | "grep" | "egrep" | "fgrep"
            if literal =>
        {
            filtered(program, rest, stream(before)?)
        }
        "awk" | "gawk" | "mawk" if literal => columns(rest, stream(before)?),
        "cut" if literal => cut(rest, stream(before)?),
        _ => None,
    }
}

/// Names in the directory that the shell stands in, or numbers.
fn names(nul: bool) -> Stream {
    places(vec![String::new()], nul)
}

fn places(below: Vec<String>, nul: bool) -> Stream {
    let bare = below.iter().any(String::is_empty);
    Stream { below, nul, cut: false, whole: false, bare }
}

fn is_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a command that are literal but for patterns.
fn words<'s>(command: &Command<'s>) -> Option<Vec<Text<'s>>> {
    let Kind::Simple { assignments, words } = &command.kind else { return None };
    if !assignments.is_empty() {
        return None;
    }
    let mut all = Vec::with_capacity(words.len());
    for word in words {
        let mut text = Text::known("", word.span);
        for part in &word.parts {
            match part {
                Part::Literal { text: own, .. } => text.text.to_mut().push_str(own),
                Part::Glob(pattern) => {
                    let start = u32::try_from(text.text.len()).ok()?;
                    text.text.to_mut().push_str(pattern);
                    let end = u32::try_from(text.text.len()).ok()?;
                    text.open.push(Open { start, end, what: Unknown::Glob });
                }
                _ => return None,
            }
        }
        all.push(text);
    }
    Some(all)
}

/// Whether every pattern of a `find` is the value of a test. What it expands to beyond one name is an
/// error of `find`, which then prints nothing.
fn is_searched(words: &[Text<'_>]) -> bool {
    words.iter().enumerate().all(|(index, word)| {
        let before = index.checked_sub(1).and_then(|before| words.get(before));
        let tested = before.is_some_and(|before| {
            matches!(&*before.text, "-name" | "-iname" | "-path" | "-ipath" | "-wholename")
        });
        word.open.is_empty() || tested
    })
}

/// `find START… -print0`, and `-printf` of paths and numbers between blanks.
fn found(words: &[&str]) -> Option<Stream> {
    const OTHER: [&str; 10] = [
        "-ls",
        "-exec",
        "-execdir",
        "-ok",
        "-okdir",
        "-fprintf",
        "-fls",
        "-files0-from",
        "-fprint",
        "-fprint0",
    ];
    let options = words.iter().take_while(|word| matches!(**word, "-H" | "-P")).count();
    let words = words.get(options..)?;
    let starts: Vec<String> = words
        .iter()
        .take_while(|word| !word.starts_with(['-', '(', '!', ')']))
        .map(|word| (*word).to_owned())
        .collect();
    if words.iter().any(|word| OTHER.contains(word)) || starts.iter().any(|start| climbs(start)) {
        return None;
    }
    let mut below = if starts.is_empty() { vec![".".to_owned()] } else { starts };
    let mut nul = words.contains(&"-print0");
    let mut plain = !nul || words.contains(&"-print");
    for (index, _) in words.iter().enumerate().filter(|(_, word)| **word == "-printf") {
        let format = words.get(index + 1)?;
        nul |= format.ends_with("\\0");
        plain &= nul;
        if !is_plain_format(format) {
            return None;
        }
        below.push(String::new());
    }
    // Both endings in one stream: the wrong one joins names.
    let whole = !words.contains(&"-printf");
    (!(nul && plain)).then(|| Stream { whole, ..places(below, nul) })
}

/// A format of paths and numbers, each between blanks.
fn is_plain_format(format: &str) -> bool {
    // Without a blank at its end one path runs into the next.
    if !["\\n", "\\t", "\\0", " "].iter().any(|end| format.ends_with(end)) {
        return false;
    }
    let spaced = format.replace("\\n", " ").replace("\\t", " ").replace("\\0", " ");
    spaced.split_whitespace().all(|word| {
        let Some(directive) = word.strip_prefix('%') else { return false };
        matches!(
            directive,
            "p" | "P" | "f" | "s" | "k" | "b" | "m" | "n" | "i" | "d" | "D" | "G" | "U" | "u" | "g"
        ) || matches!(directive, "T@" | "T+" | "TY-%Tm-%Td" | "A@" | "A+" | "C@" | "C+")
    })
}

/// `ls` without the long form: names in directories, paths for operands.
fn listed(words: &[Text<'_>]) -> Option<Stream> {
    let mut below = Vec::new();
    let mut itself = false;
    for word in words {
        match word.literal() {
            Some(flags) if flags.starts_with('-') => {
                let flags = flags.strip_prefix('-')?;
                if flags.is_empty() || !flags.chars().all(|flag| "1rtSAUcuXvdB".contains(flag)) {
                    return None;
                }
                itself |= flags.contains('d');
            }
            _ => {}
        }
    }
    for word in words.iter().filter(|word| !word.text.starts_with('-')) {
        below.push(place_of(word)?);
    }
    if !itself || below.is_empty() {
        below.push(String::new());
    }
    Some(places(below, false))
}

/// `du`: sizes and paths.
fn used(words: &[Text<'_>]) -> Option<Stream> {
    let mut below = vec![".".to_owned(), String::new()];
    for word in words {
        match word.literal().filter(|text| text.starts_with('-')) {
            Some(flags) => {
                let short = flags.chars().skip(1).all(|flag| "hsabkmcxd0123456789".contains(flag));
                if !(short || flags.starts_with("--max-depth=")) || flags.contains("-0") {
                    return None;
                }
            }
            None => below.push(place_of(word)?),
        }
    }
    Some(places(below, false))
}

/// `grep -l`: the files that match.
fn matching(words: &[Text<'_>]) -> Option<Stream> {
    let mut operands = Vec::new();
    let mut nul = false;
    let mut recursive = false;
    let mut pattern = false;
    for word in words {
        let literal = word.literal();
        match literal.and_then(|text| text.strip_prefix('-')) {
            Some(long) if long.starts_with('-') => {
                let known = long.starts_with("-include=") || long.starts_with("-exclude");
                nul |= long == "-null";
                if !known && long != "-null" {
                    return None;
                }
            }
            Some("e") => return None,
            Some(flags) => {
                if !flags.chars().all(|flag| "lLrRiwnvEFPsxIZ".contains(flag)) {
                    return None;
                }
                nul |= flags.contains('Z');
                recursive |= flags.contains('r') || flags.contains('R');
            }
            None if !pattern => pattern = true,
            None => operands.push(place_of(word)?),
        }
    }
    if operands.is_empty() {
        if !recursive {
            return None;
        }
        operands.push(String::new());
    }
    Some(Stream { whole: true, ..places(operands, nul) })
}

/// Lists of `git`, with nothing but options that choose among the names.
fn tracked(words: &[&str]) -> Option<Stream> {
    let chooses = |word: &&str, known: &[&str]| !word.starts_with('-') || known.contains(word);
    let (known, rest): (&[&str], &[&str]) = match words {
        ["ls-files", rest @ ..] => (
            &["-z", "-c", "-o", "-m", "--cached", "--others", "--modified", "--exclude-standard"],
            rest,
        ),
        ["diff", "--name-only", rest @ ..] => (&["-z", "--cached", "--staged"], rest),
        ["diff", "--cached" | "--staged", "--name-only", rest @ ..] => (&["-z"], rest),
        ["grep", "-l", rest @ ..] => (&["-z"], rest),
        _ => return None,
    };
    let nul = rest.contains(&"-z");
    rest.iter().all(|word| chooses(word, known)).then(|| Stream { whole: true, ..names(nul) })
}

/// Commands that print some of the lines they read, or count them.
fn filtered(program: &str, words: &[&str], stream: Stream) -> Option<Stream> {
    let flags = |known: &str| {
        words.iter().all(|word| {
            let flags = word.strip_prefix('-').filter(|flags| !flags.is_empty());
            flags.is_some_and(|flags| flags.chars().all(|flag| known.contains(flag)))
        })
    };
    let nul = has_flag(words, 'z');
    let fits = match program {
        "sort" => with_values(words, "zrnuhfbVgdiM", "kt"),
        "uniq" => flags("cdiuz"),
        "tac" => words.is_empty(),
        "shuf" => flags("z"),
        "head" | "tail" => with_values(words, "zq0123456789", "n"),
        _ => {
            let operands = words.iter().filter(|word| !word.starts_with('-')).count();
            let known = |word: &&str| {
                !word.starts_with('-')
                    || (word.len() > 1
                        && !word.starts_with("--")
                        && word.chars().skip(1).all(|flag| "vivEFPwxsz".contains(flag)))
            };
            operands == 1 && words.iter().all(known)
        }
    };
    let whole = stream.whole && !(program == "uniq" && has_flag(words, 'c'));
    (fits && nul == stream.nul).then_some(Stream { whole, ..stream })
}

/// Whether the words are flags, and options with a value behind them or glued to them; no operand, which
/// would be a file.
fn with_values(words: &[&str], flags: &str, valued: &str) -> bool {
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            return false;
        };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            if valued.contains(letter) {
                if letters.as_str().is_empty() && rest.next().is_none() {
                    return false;
                }
                break;
            }
            if !flags.contains(letter) {
                return false;
            }
        }
    }
    true
}

/// `awk '{print $2}'`: some of the words of each line.
fn columns(words: &[&str], stream: Stream) -> Option<Stream> {
    let program = match words {
        [program] => program,
        ["-F", " " | "\t" | "\\t", program] | ["-F " | "-F\t" | "-F\\t", program] => program,
        _ => return None,
    };
    let program = program.trim();
    if let Some(rest) = program.strip_prefix("NR") {
        let rest = rest.trim_start().trim_start_matches(['<', '>', '=', '!']).trim_start();
        let number = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
        return (number && !stream.nul).then_some(stream);
    }
    let inner = program.strip_prefix('{')?.strip_suffix('}')?.trim();
    let inner = inner.strip_prefix("print")?.trim().trim_end_matches(';');
    let column = |word: &str| {
        let word = word.trim();
        word.strip_prefix('$').is_some_and(|number| {
            number == "NF"
                || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        })
    };
    (!stream.nul && inner.split(',').all(column)).then_some(Stream { whole: false, ..stream })
}

/// `cut -d' ' -f2-`: some of the words of each line. Of a path, one part is a name.
fn cut(words: &[&str], stream: Stream) -> Option<Stream> {
    let mut delimiter = "\t";
    let mut fields = None;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if let Some(own) = word.strip_prefix("-d") {
            delimiter = if own.is_empty() { rest.next()? } else { own };
        } else if let Some(own) = word.strip_prefix("-f") {
            fields = Some(if own.is_empty() { *rest.next()? } else { own });
        } else {
            return None;
        }
    }
    let fields = fields?;
    let blank = matches!(delimiter, " " | "\t");
    let one = fields.bytes().all(|byte| byte.is_ascii_digit());
    let listed = fields.bytes().all(|byte| byte.is_ascii_digit() || b",-".contains(&byte));
    match (stream.nul, blank, delimiter) {
        (false, true, _) if listed => Some(Stream { whole: false, ..stream }),
        (false, false, "/") if one => Some(names(false)),
        // Of a relative path what is left behind its first parts is relative too.
        (false, false, "/")
            if fields
                .strip_suffix('-')
                .is_some_and(|at| at.bytes().all(|b| b.is_ascii_digit())) =>
        {
            let relative = stream.below.iter().all(|place| !place.starts_with('/'));
            relative.then(|| names(false))
        }
        _ => None,
    }
}

/// The place that an operand names, or the one that holds all that its pattern matches.
fn place_of(word: &Text<'_>) -> Option<String> {
    let known = match word.open.first() {
        None => &*word.text,
        Some(open) => {
            let known = word.text.get(..open.start as usize)?;
            known
                .rsplit_once('/')
                .map_or("", |(directory, _)| if directory.is_empty() { "/" } else { directory })
        }
    };
    let fine = !climbs(&word.text) && !word.text.starts_with('-');
    fine.then(|| known.to_owned())
}

fn climbs(path: &str) -> bool {
    path.split('/').any(|name| name == "..")
}

/// Whether a cluster of short flags holds `flag`.
fn has_flag(words: &[&str], flag: char) -> bool {
    words.iter().any(|word| {
        word.strip_prefix('-').is_some_and(|flags| !flags.starts_with('-') && flags.contains(flag))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::parse::parse;

    #[test]
    fn streams_of_names_are_followed() {
        let check = |line: &str, expected: Option<&[&str]>| {
            let parsed = parse(line).unwrap();
            let (_, upstream) = parsed.list.pipelines[0].commands.split_last().unwrap();
            let found = stream(upstream).map(|stream| stream.below);
            let expected = expected.map(|all| all.iter().map(|&one| one.to_owned()).collect());
            assert_eq!(found, expected, "{line}");
        };
        check("find . -name '*.c' | xargs x", Some(&["."]));
        check("find src lib -type f | sort | head -5 | xargs x", Some(&["src", "lib"]));
        check("find . -exec cat {} + | xargs x", None);
        check("find .. | xargs x", None);
        check(
            "find /a -printf '%s %p\\n' | sort -rn | head -n 10 | awk '{print $2}' | xargs x",
            Some(&["/a", ""]),
        );
        check("find . -printf '/etc/%f\\n' | xargs x", None);
        check("find . | sed 's/^/x/' | xargs x", None);
        check("find . | grep -v test | xargs x", Some(&["."]));
        check("find . | grep -o '/.*' | xargs x", None);
        check("find . | grep foo file | xargs x", None);
        check("ls src | xargs x", Some(&["src", ""]));
        check("ls *.php | xargs x", Some(&["", ""]));
        check("ls -l | xargs x", None);
        check("du -h src | sort -h | awk '{print $2}' | xargs x", Some(&[".", "", "src"]));
        check("find . | tr '\\n' '\\0' | xargs -0 x", Some(&["."]));
        check("find . | awk 'NR>5' | xargs x", Some(&["."]));
        check("find . | awk '{print \"/etc\" $1}' | xargs x", None);
        check("ls -a | xargs x", None);
        check("grep -rl foo . | xargs x", Some(&["."]));
        check("grep -l foo *.c | xargs x", Some(&[""]));
        check("grep foo . | xargs x", None);
        check("git ls-files | xargs x", Some(&[""]));
        check("find . | cut -d/ -f2- | xargs x", Some(&[""]));
        check("find /srv | cut -d/ -f1,3 | xargs x", None);
        check("find /srv | cut -d/ -f3 | xargs x", Some(&[""]));
        check("echo x | xargs x", None);
        check("cat list | xargs x", None);
        check("find . > f | xargs x", None);
        check("find . 2> /dev/null | xargs x", Some(&["."]));
        check("git ls-files 2>&1 | xargs x", None);
        check("find . | sort 2 | xargs x", None);
        check("find . | tail +5 | xargs x", None);
        check("find . | sort -k 2 -t / | xargs x", Some(&["."]));
        check("find . -printf '%p' | xargs x", None);
        check("git diff --name-only --line-prefix=/etc/ | xargs x", None);
        check("git diff -- --name-only | xargs x", None);
        check("git grep -h -e -l | xargs x", None);
    }
}
