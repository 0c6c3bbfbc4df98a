//! Commands that read a stream of names and print a part of it.

use super::{Form, Stream, has_flag, names};

/// What a filter makes of the stream before it.
pub(super) fn passed(
    program: &str,
    words: &[&str],
    before: impl FnOnce() -> Option<Stream>,
) -> Option<Stream> {
    match program {
        "sort" | "uniq" | "head" | "tail" | "tac" | "shuf" | "grep" | "egrep" | "fgrep" => {
            filtered(program, words, before()?)
        }
        "awk" | "gawk" | "mawk" => columns(words, before()?),
        "cut" => cut(words, before()?),
        "tr" => translated(words, before()?),
        "sed" => edited(words, before()?),
        "cat" if words.is_empty() || words == ["-"] => before(),
        _ => None,
    }
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
        "sort" => {
            let short: Vec<&str> = words.iter().map(|word| short(word)).collect();
            with_values(&short, "zrnuhfbVgdiM", "kt")
        }
        "uniq" => flags("cdiuz"),
        "tac" => words.is_empty(),
        "shuf" => flags("z"),
        "head" | "tail" => {
            let long = |word: &&&str| !word.starts_with("--lines=");
            let words: Vec<&str> = words.iter().filter(long).copied().collect();
            with_values(&words, "zq0123456789", "n")
        }
        _ => {
            let operands = words.iter().filter(|word| !word.starts_with('-')).count();
            let known = |word: &&str| {
                !word.starts_with('-')
                    || (word.len() > 1
                        && !word.starts_with("--")
                        && word.chars().skip(1).all(|flag| "vivEFPwxszaZ".contains(flag)))
            };
            operands == 1 && words.iter().all(known)
        }
    };
    let counts = program == "uniq" && has_flag(words, 'c');
    let (whole, single) = (stream.whole && !counts, stream.single && !counts);
    // A number in front moves the columns.
    let fits = fits && !(counts && (stream.form != Form::Words || stream.quoted));
    // A choice among all names is not all of them.
    let visible = stream.visible.filter(|_| matches!(program, "sort" | "uniq" | "tac" | "shuf"));
    (fits && nul == stream.nul).then_some(Stream { whole, single, visible, ..stream })
}

/// The short form of a long option of `sort`.
fn short(word: &str) -> &str {
    match word {
        "--numeric-sort" => "-n",
        "--reverse" => "-r",
        "--unique" => "-u",
        "--human-numeric-sort" => "-h",
        "--version-sort" => "-V",
        "--zero-terminated" => "-z",
        "--ignore-case" => "-f",
        word => word,
    }
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

/// `tr` that only makes other blanks of blanks.
fn translated(words: &[&str], stream: Stream) -> Option<Stream> {
    match words {
        ["\\n", "\\0" | "\\000"] if !stream.nul && !stream.quoted => {
            Some(Stream { nul: true, cut: true, ..stream })
        }
        ["\\0" | "\\000", "\\n"] if stream.nul => Some(Stream { nul: false, ..stream }),
        ["\\n", " "] if !stream.nul && stream.form == Form::Words => {
            Some(Stream { whole: false, single: false, ..stream })
        }
        [" ", "\\n"] if !stream.nul && stream.form == Form::Words => {
            Some(Stream { whole: false, ..stream })
        }
        ["-s", " " | "[:blank:]" | "[:space:]"] if !stream.nul => Some(stream),
        ["-d", "\\r" | "\\015"] => Some(stream),
        _ => None,
    }
}

/// `awk '{print $2}'`: some of the words of each line, of those lines that a condition chooses.
fn columns(words: &[&str], stream: Stream) -> Option<Stream> {
    let (separator, program) = match words {
        [program] => (None, *program),
        ["-F", separator, program] => (Some(*separator), *program),
        [separator, program] => (Some(separator.strip_prefix("-F")?), *program),
        _ => return None,
    };
    if stream.nul || stream.quoted {
        return None;
    }
    let (condition, action) = match program.split_once('{') {
        Some((condition, action)) => (condition.trim(), Some(action)),
        None => (program.trim(), None),
    };
    if !is_condition(condition) {
        return None;
    }
    let Some(action) = action else {
        return (!condition.is_empty() && separator.is_none_or(|text| text.len() == 1))
            .then_some(stream);
    };
    let inner = action.trim_end().strip_suffix('}')?.trim();
    let inner = match inner.strip_prefix("if").map(str::trim_start) {
        Some(rest) => {
            let (condition, rest) = rest.strip_prefix('(')?.split_once(')')?;
            if !is_condition(condition) {
                return None;
            }
            let rest = rest.trim();
            rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(rest).trim()
        }
        None => inner,
    };
    let inner = inner.strip_prefix("print")?.trim().trim_end_matches(';').trim_end();
    let columns: Vec<&str> = match inner {
        "" => vec!["0"],
        inner => {
            inner.split(',').map(|word| word.trim().strip_prefix('$')).collect::<Option<_>>()?
        }
    };
    let number = |column: &&str| !column.is_empty() && column.bytes().all(|b| b.is_ascii_digit());
    let single = columns.len() == 1;
    match (stream.form, separator) {
        (Form::Words, None | Some(" " | "\t" | "\\t")) => {
            let known = |column: &&str| number(column) || *column == "NF";
            let single = stream.single || (single && columns != ["0"] && separator.is_none());
            columns.iter().all(known).then_some(Stream { whole: false, single, ..stream })
        }
        // One part of a path is a name.
        (Form::Words, Some("/")) => {
            let known = |column: &&str| (number(column) && *column != "0") || *column == "NF";
            (stream.single && single && columns.iter().all(known)).then(|| stream.parts())
        }
        (Form::Long(last), None) => {
            let within = |column: &&str| {
                number(column) && column.parse().is_ok_and(|at: u32| (2..=last).contains(&at))
            };
            columns.iter().all(within).then_some(Stream { form: Form::Words, single, ..stream })
        }
        (Form::Before(mark), Some(separator)) => (columns == ["1"] && separator.chars().eq([mark]))
            .then_some(Stream { form: Form::Words, ..stream }),
        // The path ends with the mark, or with what follows it up to a blank.
        _ => None,
    }
}

/// Whether the text before an action of `awk` only chooses lines.
fn is_condition(text: &str) -> bool {
    let operand = |text: &str| {
        let text = text.trim();
        let field = text.strip_prefix('$').unwrap_or(text);
        matches!(field, "NR" | "NF")
            || (!field.is_empty() && field.bytes().all(|b| b.is_ascii_digit()))
            || text
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
                .is_some_and(|text| !text.contains(['"', '\\']))
            || is_match(text)
    };
    let text = text.trim();
    let text = text.strip_prefix('!').unwrap_or(text).trim();
    if text.is_empty() || operand(text) {
        return true;
    }
    if let Some(array) = text.strip_suffix("[$0]++") {
        return !array.is_empty() && array.bytes().all(|b| b.is_ascii_alphabetic());
    }
    ["==", "!=", ">=", "<=", "!~", "~", ">", "<", "%"].iter().any(|operator| {
        text.split_once(operator).is_some_and(|(left, right)| operand(left) && operand(right))
    })
}

/// `/pattern/`, and nothing behind it.
fn is_match(text: &str) -> bool {
    text.strip_prefix('/').and_then(|text| text.strip_suffix('/')).is_some_and(|inner| {
        let mut escaped = false;
        !inner.is_empty()
            && inner.chars().all(|c| {
                let ends = c == '/' && !escaped;
                escaped = c == '\\' && !escaped;
                !ends
            })
            && !escaped
    })
}

/// `sed` that chooses lines, or changes names so that they stay below the same directory.
fn edited(words: &[&str], stream: Stream) -> Option<Stream> {
    let script = match words {
        [script] | ["-e" | "-n" | "-E" | "-r" | "-ne" | "-re", script] => *script,
        _ => return None,
    };
    if stream.nul || script.starts_with('-') {
        return None;
    }
    let mut stream = stream;
    for one in script.split(';') {
        stream = edited_once(one.trim(), words.first() == Some(&"-n"), stream)?;
    }
    Some(stream)
}

fn edited_once(script: &str, silent: bool, stream: Stream) -> Option<Stream> {
    let chosen = |address: &str| {
        let one = |text: &str| {
            text == "$" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        };
        match address.split_once(',') {
            Some((first, last)) => one(first) && one(last),
            None => address.is_empty() || one(address) || is_match(address),
        }
    };
    if let Some(address) = script.strip_suffix(['d', 'p', 'q']).map(str::trim) {
        let address = address.strip_suffix('!').unwrap_or(address).trim();
        return (!script.starts_with('s') && chosen(address)).then_some(stream);
    }
    let rest = script.strip_prefix('s').filter(|_| !silent)?;
    let mark = rest.chars().next().filter(|mark| "/|#,:@".contains(*mark))?;
    let mut parts = rest.get(1..)?.split(mark);
    let (mut pattern, mut replacement) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut flags = parts.next()?.to_owned();
    // The mark behind a backslash is itself.
    if pattern.ends_with('\\') || replacement.ends_with('\\') {
        let whole = rest.get(1..)?.replace(&format!("\\{mark}"), "\u{1}");
        let back = |text: &str| text.replace('\u{1}', &mark.to_string());
        let mut parts = whole.split(mark);
        (pattern, replacement) = (back(parts.next()?), back(parts.next()?));
        flags = parts.next()?.to_owned();
        if parts.next().is_some() {
            return None;
        }
    } else if parts.next().is_some() {
        return None;
    }
    if !matches!(flags.as_str(), "" | "g" | "I" | "i" | "1" | "gI" | "gi") {
        return None;
    }
    replaced(&pattern, &replacement, stream)
}

/// Names in which `replacement` stands for what `pattern` finds.
fn replaced(pattern: &str, replacement: &str, stream: Stream) -> Option<Stream> {
    const ALL: [&str; 6] = [".*", "^.*$", "\\(.*\\)", "(.*)", "^\\(.*\\)$", "^(.*)$"];
    const BLANKS: [&str; 6] = [" ", "\\s", "(\\s)", "\\(\\s\\)", "[ ]", "[[:space:]]"];
    if let Form::Before(mark) = stream.form {
        let cuts = [format!("{mark}.*"), format!("{mark}.*$")].iter().any(|cut| cut == pattern);
        return (cuts && replacement.is_empty()).then_some(Stream { form: Form::Words, ..stream });
    }
    if stream.form != Form::Words {
        return None;
    }
    let escapes = matches!(replacement, "\\\\&" | "\\\\\\1" | "\\\\ ");
    // There is no blank in a plain name.
    let whole = |stream: Stream| match stream.single {
        true => Some(stream),
        // A line of several words is one name, which begins as its first word does.
        false if stream.is_relative() => Some(Stream { single: true, ..stream.anywhere() }),
        false => None,
    };
    if BLANKS.contains(&pattern) && escapes && !stream.quoted {
        return whole(Stream { quoted: true, cut: true, ..stream });
    }
    let quotes = (ALL.contains(&pattern)
        && matches!(replacement, "\"&\"" | "'&'" | "\"\\1\"" | "'\\1'"))
        || (pattern == "." && replacement == "\\\\&");
    if quotes && !stream.quoted {
        return whole(Stream { quoted: true, cut: true, ..stream });
    }
    if stream.quoted || !stream.single {
        return None;
    }
    let own = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_.+%-".contains(c));
    let tail = match replacement.strip_prefix('&').or_else(|| replacement.strip_prefix("\\1")) {
        Some(tail) if ALL.contains(&pattern) => Some(tail),
        _ if pattern == "$" => Some(replacement),
        _ => None,
    };
    if let Some(tail) = tail {
        // Behind a slash it lies below; elsewhere it makes another name beside it.
        let inside = tail.strip_prefix('/');
        let named = tail.chars().any(|c| c != '.') && !tail.starts_with("./");
        let climbs = tail.split('/').any(|name| !name.is_empty() && name.chars().all(|c| c == '.'));
        let plain = tail.split('/').all(|name| own(name) && !name.starts_with('-'));
        return match inside {
            Some(_) if plain && !climbs => Some(Stream { cut: true, visible: None, ..stream }),
            None if plain && !climbs && named && stream.is_relative() => {
                Some(Stream { cut: true, ..stream.anywhere() })
            }
            _ => None,
        };
    }
    if !stream.is_relative() {
        return None;
    }
    // What begins a path is left out with its slash; so is an ending without one.
    let begins = matches!(pattern, "^\\./" | "^\\.\\/" | "^./" | "\\./" | "^[.]/");
    let ends = pattern.strip_suffix('$').and_then(|text| text.strip_prefix("\\.")).is_some_and(own);
    // Names that another edit made may begin with two dots.
    if replacement.is_empty() && (begins || ends) && !stream.cut {
        return Some(stream.anywhere());
    }
    // A name that holds something other than dots does not climb, and a path that begins with it, or
    // as it did before, is relative.
    let named = own(replacement)
        && replacement.chars().any(|c| c != '.')
        && !replacement.starts_with('-')
        && !replacement.starts_with("..");
    named.then(|| Stream { cut: true, ..stream.anywhere() })
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
    if stream.quoted {
        return None;
    }
    match stream.form {
        Form::Words => {}
        Form::Before(mark) => {
            return (fields == "1" && delimiter.chars().eq([mark])).then_some(Stream {
                form: Form::Words,
                whole: false,
                ..stream
            });
        }
        // Columns are no nearer to the end than they are between single blanks.
        Form::Long(last) => {
            let within = fields
                .split([',', '-'])
                .all(|field| field.parse().is_ok_and(|field: u32| (2..=last).contains(&field)));
            let single = one;
            return (within && delimiter == " ").then_some(Stream {
                form: Form::Words,
                single,
                ..stream
            });
        }
    }
    let single = stream.single || one;
    match (stream.nul, blank, delimiter) {
        (false, true, _) if listed => Some(Stream { whole: false, single, ..stream }),
        (false, false, "/") if one && stream.single => Some(stream.parts()),
        (false, false, "/") if one => Some(Stream { single: false, ..stream.parts() }),
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
