//! What a pipeline hands to `xargs`: the names that its commands print.
//!
//! Each command before `xargs` is followed as a stream of words: where the paths among them lie, and
//! how they end. A command that could print anything else makes the stream unknown.

use crate::shell::deed::{Open, Text, Unknown};
use crate::shell::syntax::{Command, Kind, Operator, Part, Redirect, Span, Word};

mod filters;
mod hidden;
mod loops;
mod said;

pub(crate) use loops::only_reads_lines;
pub(crate) use said::given;

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
    /// Whether no line holds more than one word.
    single: bool,
    /// Whether a name may begin with a dash where names are not plain.
    bare: bool,
    /// Whether names stand in quotes, or behind backslashes, that `xargs` takes away.
    quoted: bool,
    form: Form,
    /// Whether no name lies in `.git`.
    tracked: bool,
    /// The pattern of all names, where they are what a shell finds in the directory it stands in.
    pub(crate) visible: Option<String>,
}

/// What a line of a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Words as [`Stream`] says.
    Words,
    /// Rows of `ls -l`: from the second column to this one they are such words.
    Long(u32),
    /// A path, this character and any text; or words alone.
    Before(char),
}

impl Stream {
    /// Whether the words are names only where no name holds a blank or begins with a dash.
    pub(crate) fn needs_plain_names(&self) -> bool {
        !self.nul || self.cut || self.bare
    }

    fn is_relative(&self) -> bool {
        self.below.iter().all(|place| !place.starts_with('/'))
    }

    /// Single parts of the paths. What they are called is only known where the paths lie.
    fn parts(self) -> Self {
        let mut below = vec![String::new()];
        below.extend(self.below.into_iter().filter(|place| place.starts_with('/')));
        Self { single: true, ..places(below, false) }
    }

    /// Relative paths that do not climb, of which no more is known.
    fn anywhere(self) -> Self {
        let below = vec![String::new()];
        Self { below, bare: true, whole: false, tracked: false, visible: None, ..self }
    }
}

/// How `xargs` takes its input apart.
#[derive(Debug, Clone, Copy, Default)]
struct Taken<'a> {
    nul: bool,
    /// What `-I` replaces by each line.
    mark: Option<&'a str>,
    /// Lines are words, blanks and quotes included.
    lines: bool,
    /// The most words of one command.
    most: Option<usize>,
    /// Whether commands are made in another way.
    rows: bool,
}

/// Reads the options of `xargs` up to the command; none that takes names from elsewhere.
fn taken<'a>(words: &[&'a str]) -> Option<(Taken<'a>, usize)> {
    let mut taken = Taken::default();
    let mut at = 0;
    while let Some(word) = words.get(at).copied().filter(|word| word.starts_with('-')) {
        at += 1;
        match word {
            "--" => return Some((taken, at)),
            "--null" => taken.nul = true,
            "--no-run-if-empty" | "--verbose" | "--exit" => {}
            "--replace" => taken.mark = Some("{}"),
            _ => {
                if let Some(mark) = word.strip_prefix("--replace=") {
                    taken.mark = Some(mark);
                    continue;
                }
                if word.starts_with("--max-procs=") {
                    continue;
                }
                if let Some(most) = word.strip_prefix("--max-args=") {
                    taken.most = Some(most.parse().ok()?);
                    continue;
                }
                let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty())?;
                for (index, letter) in letters.char_indices() {
                    let glued = letters.get(index + letter.len_utf8()..).unwrap_or_default();
                    match letter {
                        '0' => taken.nul = true,
                        'r' | 't' | 'x' | 'o' | 'p' => continue,
                        'i' => taken.mark = Some(if glued.is_empty() { "{}" } else { glued }),
                        'l' if glued.is_empty() => taken.rows = true,
                        'I' | 'n' | 'L' | 'P' | 's' | 'd' => {
                            let value = match glued {
                                "" => {
                                    at += 1;
                                    words.get(at - 1)?
                                }
                                glued => glued,
                            };
                            match letter {
                                'I' => taken.mark = Some(value),
                                'd' if matches!(value, "\\n" | "\n") => taken.lines = true,
                                'd' => return None,
                                'n' => taken.most = Some(value.parse().ok()?),
                                'P' => {}
                                's' => return None,
                                _ => taken.rows = true,
                            }
                        }
                        _ => return None,
                    }
                    if letter != '0' {
                        break;
                    }
                }
            }
        }
    }
    Some((taken, at))
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
    let options: Vec<&str> = arguments.iter().map_while(Text::literal).collect();
    let (taken, _) = taken(&options)?;
    let stream = handed_to(&taken, stream(upstream)?)?;
    (!stream.needs_plain_names() || plain_names).then_some(stream)
}

/// What `xargs` makes of a stream.
fn handed_to(taken: &Taken<'_>, stream: Stream) -> Option<Stream> {
    let one_by_one = taken.lines || taken.mark.is_some();
    let relative = stream.is_relative();
    if stream.form != Form::Words || (stream.quoted && (taken.nul || taken.lines)) {
        return None;
    }
    // A line of several words is one name, which begins as its first word does.
    if one_by_one && !stream.single && !relative {
        return None;
    }
    if stream.nul == taken.nul && !(stream.nul && taken.lines) {
        return Some(stream);
    }
    // All names become one, or are cut at the first NUL. What lies between two slashes ends or begins
    // with a line break then, so that it does not climb either.
    relative.then(|| Stream { nul: false, ..stream.anywhere() })
}

/// As [`by`], for the words of the lines that the commands print, where names are plain.
pub(crate) fn lines(commands: &[Command<'_>]) -> Option<Stream> {
    stream(commands).filter(|stream| !stream.nul && !stream.quoted && stream.form == Form::Words)
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

impl Stream {
    /// The text of what lies below one of the places.
    pub(crate) fn text<'s>(&self, place: &str, span: Span) -> Text<'s> {
        let mut text = match &self.visible {
            Some(pattern) => return visible(pattern, span),
            None => below(place, span),
        };
        let open = text.open.iter_mut().filter(|_| self.tracked);
        open.for_each(|open| open.what = Unknown::Tracked);
        text
    }
}

/// The text of names that a pattern finds.
fn visible<'s>(pattern: &str, span: Span) -> Text<'s> {
    let mut text = Text { many: true, ..Text::known(pattern.to_owned(), span) };
    let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let wild = pattern.match_indices('*').map(|(start, _)| Open {
        start: at(start),
        end: at(start + 1),
        what: Unknown::Name,
    });
    text.open = wild.collect();
    text
}

/// The arguments of a program that reads names from its input, with the names in their place, and the
/// places that they are taken from.
pub(crate) fn named<'s>(
    program: &str,
    arguments: &[Text<'s>],
    upstream: &[Command<'_>],
    span: Span,
) -> Option<(Vec<Text<'s>>, Stream)> {
    let literal =
        |text: &Text<'s>, known: &[&str]| text.literal().is_some_and(|text| known.contains(&text));
    if !matches!(program, "tar" | "bsdtar" | "du" | "wc") {
        return None;
    }
    let mut rest: Vec<Text<'s>> = arguments.to_vec();
    let nul = match program {
        "tar" | "bsdtar" => {
            let makes = |text: &Text<'s>| {
                text.literal().is_some_and(|text| {
                    let letters = text.trim_start_matches('-');
                    text == "--create" || (!text.starts_with("--") && letters.starts_with('c'))
                })
            };
            let at = rest
                .iter()
                .position(|text| literal(text, &["-T", "-T-", "--files-from", "--files-from=-"]))?;
            let split = literal(rest.get(at)?, &["-T", "--files-from"]);
            if split && !literal(rest.get(at + 1)?, &["-"]) || !makes(rest.first()?) {
                return None;
            }
            rest.drain(at..at + 1 + usize::from(split));
            let nul = rest.iter().any(|text| literal(text, &["--null"]));
            rest.retain(|text| !literal(text, &["--null"]));
            nul
        }
        "du" | "wc" => {
            let at = rest.iter().position(|text| literal(text, &["--files0-from=-"]))?;
            rest.remove(at);
            true
        }
        _ => return None,
    };
    let stream = stream(upstream)?;
    let fine = stream.nul == nul && stream.form == Form::Words && !stream.quoted && stream.whole;
    if !fine {
        return None;
    }
    rest.extend(stream.below.iter().map(|place| below(place, span)));
    Some((rest, stream))
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
        "rg" => searched(words.get(1..)?),
        "grep" | "egrep" | "fgrep" if before.is_empty() => prefixed(words.get(1..)?),
        "xargs" if literal => run_on(rest, stream(before)?),
        "du" => used(words.get(1..)?),
        "seq" if rest.iter().all(|word| is_digits(word)) => {
            Some(Stream { single: true, ..names(false) })
        }
        // Two writers on one pipe can cut each other's lines.
        "tee" if rest.iter().all(|word| !word.starts_with(['-', '/'])) => stream(before),
        _ if literal => filters::passed(program, rest, || stream(before)),
        _ => None,
    }
}

/// Names in the directory that the shell stands in, or numbers.
fn names(nul: bool) -> Stream {
    places(vec![String::new()], nul)
}

fn places(below: Vec<String>, nul: bool) -> Stream {
    let bare = below.iter().any(String::is_empty);
    let form = Form::Words;
    Stream {
        below,
        nul,
        cut: false,
        whole: false,
        single: false,
        bare,
        quoted: false,
        tracked: false,
        form,
        visible: None,
    }
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
    let mut quoted = false;
    for (index, _) in words.iter().enumerate().filter(|(_, word)| **word == "-printf") {
        let format = words.get(index + 1)?.replace("\"%p\"", "%p").replace("'%p'", "%p");
        quoted |= format.len() != words.get(index + 1)?.len();
        nul |= format.ends_with("\\0");
        plain &= nul;
        if !is_plain_format(&format) {
            return None;
        }
        below.push(String::new());
    }
    // Both endings in one stream: the wrong one joins names.
    let whole = !words.contains(&"-printf");
    let tracked = whole && hidden::are_left_out(words);
    (!(nul && plain)).then(|| Stream {
        whole,
        single: whole,
        quoted,
        tracked,
        ..places(below, nul)
    })
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
        if matches!(directive.trim_end_matches(['@', ':', ',']), "t" | "a" | "c" | "s" | "y") {
            return true;
        }
        let mut letters = directive.chars();
        // Parts of dates, with what the format puts between them.
        if letters.next().is_some_and(|which| "ABCT".contains(which)) {
            let plain = |c: char| c.is_ascii_alphanumeric() || "@+:.%-".contains(c);
            let first = letters.next();
            let parts = directive.split('%').skip(1).all(|part| {
                part.starts_with('T') || part.starts_with('A') || part.starts_with('C')
            });
            return first.is_some_and(|c| c.is_ascii_alphabetic() || "@+".contains(c))
                && letters.all(plain)
                && parts;
        }
        matches!(
            directive,
            "p" | "P" | "f" | "s" | "k" | "b" | "m" | "n" | "i" | "d" | "D" | "G" | "U" | "u" | "g"
        )
    })
}

/// `ls`: names in directories, paths for operands. Of the long form nine columns hold neither what
/// a link names nor, behind the first, anything that begins with a dash.
fn listed(words: &[Text<'_>]) -> Option<Stream> {
    let mut below = Vec::new();
    let (mut itself, mut all) = (false, false);
    let mut form = Form::Words;
    for word in words {
        match word.literal() {
            Some("--color=never" | "--color=auto" | "--group-directories-first") => {}
            Some(flags) if flags.starts_with('-') => {
                let flags = flags.strip_prefix('-')?;
                if flags.is_empty()
                    || !flags.chars().all(|flag| "1lhkrtSaAUcuXvdBpF".contains(flag))
                {
                    return None;
                }
                itself |= flags.contains('d');
                all |= flags.contains(['a', 'A']);
                if flags.contains('l') {
                    form = Form::Long(9);
                }
            }
            _ => {}
        }
    }
    let parents = words.iter().any(|word| {
        word.literal().is_some_and(|flags| flags.starts_with('-') && flags.contains('a'))
    });
    match form {
        // `..` is a name among others, and the last of nine columns.
        Form::Long(_) if parents => form = Form::Long(7),
        _ if parents => return None,
        _ => {}
    }
    let operands: Vec<&Text<'_>> =
        words.iter().filter(|word| !word.text.starts_with('-')).collect();
    for word in &operands {
        below.push(place_of(word)?);
    }
    if !itself || below.is_empty() {
        below.push(String::new());
    }
    let visible = match operands.as_slice() {
        _ if all => None,
        [] => Some("*".to_owned()),
        [one] if one.text.contains('/') || one.open.is_empty() || one.text.starts_with('.') => None,
        [one] if itself && form == Form::Words => Some(one.text.to_string()),
        [_] => Some("*".to_owned()),
        _ => None,
    };
    Some(Stream { form, visible, single: form == Form::Words, ..places(below, false) })
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
            // A pattern that the shell expands brings files.
            None if !pattern && literal.is_none() => return None,
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
    Some(Stream { whole: true, single: true, ..places(operands, nul) })
}

/// `grep` that writes the name of the file in front of each line. Without `-H` it does where there are
/// several files, or where a directory is walked.
fn prefixed(words: &[Text<'_>]) -> Option<Stream> {
    let mut operands = Vec::new();
    let (mut named, mut recursive, mut pattern) = (false, false, false);
    for word in words {
        match word.literal().and_then(|text| text.strip_prefix('-')) {
            Some(long) if long.starts_with('-') => {
                let known = ["-include=", "-exclude=", "-exclude-dir="];
                if !known.iter().any(|known| long.starts_with(known)) {
                    return None;
                }
            }
            Some(flags) => {
                if !flags.chars().all(|flag| "HrinvwxEFPIsoc".contains(flag)) {
                    return None;
                }
                named |= flags.contains('H');
                recursive |= flags.contains('r');
            }
            None if !pattern && word.literal().is_none() => return None,
            None if !pattern => pattern = true,
            None => operands.push(word),
        }
    }
    let directory = |word: &&Text<'_>| {
        word.literal().is_some_and(|text| text.ends_with('/') || matches!(text, "." | "./."))
    };
    named |= recursive && operands.iter().all(directory);
    named |= operands.iter().filter(|word| word.open.is_empty()).count() > 1;
    let mut below: Vec<String> = operands.into_iter().map(place_of).collect::<Option<_>>()?;
    // A message says that a binary file matches.
    below.push(String::new());
    let colon = below.iter().any(|place| place.contains(':'));
    (pattern && named && !colon).then(|| Stream { form: Form::Before(':'), ..places(below, false) })
}

/// `rg -l` and `rg --files`.
fn searched(words: &[Text<'_>]) -> Option<Stream> {
    let mut operands = Vec::new();
    let (mut listed, mut pattern, mut nul) = (false, false, false);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.literal() {
            Some("--files") => (listed, pattern) = (true, true),
            Some("--files-with-matches" | "--files-without-match") => listed = true,
            Some("-0" | "--null") => nul = true,
            Some("--hidden" | "--no-ignore" | "--sort=path" | "--ignore-case") => {}
            Some("-t" | "-T" | "-g" | "--type" | "--glob" | "--iglob") => {
                rest.next()?.literal()?;
            }
            Some(long)
                if long.starts_with("--glob=")
                    || long.starts_with("--type=")
                    || long.starts_with("-g")
                    || long.starts_with("-t") => {}
            Some(flags) if flags.starts_with('-') => {
                let flags = flags.strip_prefix('-')?;
                if flags.is_empty() || !flags.chars().all(|flag| "livwxFSsnu".contains(flag)) {
                    return None;
                }
                listed |= flags.contains('l');
            }
            None if !pattern => return None,
            _ if !pattern => pattern = true,
            _ => operands.push(place_of(word)?),
        }
    }
    if operands.is_empty() {
        operands.push(String::new());
    }
    (listed && pattern).then(|| Stream { whole: true, single: true, ..places(operands, nul) })
}

/// What a program prints that `xargs` runs with names.
fn run_on(words: &[&str], stream: Stream) -> Option<Stream> {
    let (taken, at) = taken(words)?;
    let stream = handed_to(&taken, stream)?;
    let (program, rest) = words.get(at..)?.split_first()?;
    // A mark stands for a whole word, at the end.
    let rest = match taken.mark {
        Some(mark) => {
            let (last, rest) = rest.split_last()?;
            (*last == mark && !rest.iter().any(|word| word.contains(mark))).then_some(rest)?
        }
        None => rest,
    };
    let flags = |known: &str| {
        rest.iter().all(|word| {
            let flags = word.strip_prefix('-').filter(|flags| !flags.is_empty());
            flags.is_some_and(|flags| flags.chars().all(|flag| known.contains(flag)))
        })
    };
    let with = |names: bool| {
        let mut below = stream.below.clone();
        if names {
            below.push(String::new());
        }
        Stream { single: true, ..places(below, false) }
    };
    match *program {
        "ls" if flags("1rtSAUcuXvdBpF") => Some(with(true)),
        "ls" if flags("1lhkrtSAUcuXvdBpF") => Some(Stream { form: Form::Long(9), ..with(true) }),
        "echo" if rest.is_empty() => Some(Stream { single: false, ..with(false) }),
        "du" if flags("hsabkmcx") => Some(Stream { single: false, ..with(true) }),
        "wc" if flags("clmwL") => Some(Stream { single: false, ..with(true) }),
        "basename" if rest.is_empty() => Some(stream.parts()),
        "dirname" if rest.is_empty() && stream.is_relative() => {
            Some(Stream { single: true, whole: true, nul: false, ..stream.anywhere() })
        }
        "file" if rest.is_empty() && !stream.below.iter().any(|place| place.contains(':')) => {
            Some(Stream { form: Form::Before(':'), ..with(true) })
        }
        "grep" | "egrep" | "fgrep" => {
            let pattern = rest.iter().filter(|word| !word.starts_with('-')).count() == 1;
            let flags: String = rest.iter().filter_map(|word| word.strip_prefix('-')).collect();
            let known = flags.chars().all(|flag| "lLHinvwxEFPIso".contains(flag));
            let form = match flags.contains(['l', 'L']) {
                true => Form::Words,
                false if flags.contains('H') => Form::Before(':'),
                false => return None,
            };
            let colon = stream.below.iter().any(|place| place.contains(':'));
            (pattern && known && !(form != Form::Words && colon)).then(|| Stream {
                form,
                whole: form == Form::Words,
                ..with(form != Form::Words)
            })
        }
        _ => None,
    }
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
    // What two commits differ in could have any name; what is in the index is not in `.git`.
    let compares = words.first() == Some(&"diff") && rest.iter().any(|word| !word.starts_with('-'));
    rest.iter().all(|word| chooses(word, known)).then(|| Stream {
        whole: true,
        single: true,
        tracked: !compares,
        ..names(nul)
    })
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

/// Whether a path leads up, or has a slash that is left over when its first parts are cut off.
fn climbs(path: &str) -> bool {
    path.contains("//") || path.split('/').any(|name| name == "..")
}

/// Whether a cluster of short flags holds `flag`.
fn has_flag(words: &[&str], flag: char) -> bool {
    words.iter().any(|word| {
        word.strip_prefix('-').is_some_and(|flags| !flags.starts_with('-') && flags.contains(flag))
    })
}

#[cfg(test)]
mod tests;
