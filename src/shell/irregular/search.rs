//! `rg`, `ag`, `fd` and `man`: they look for something, and some options run programs.

use super::options::Takes::{Attached, Nothing, Value};
use super::options::{Item, Options, Reader, join, opaque};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Open, Stdin, Text, Unknown};

/// Left out: `--pre`, `--pre-glob` and `--hostname-bin` (programs), `-z` (decompressors).
const RG: Options = Options {
    rows: &[
        ("e regexp", Value),
        ("f file", Value),
        ("ignore-file", Value),
        ("files", Nothing),
        ("type-list", Nothing),
        ("g glob", Value),
        ("iglob", Value),
        ("t type", Value),
        ("T type-not", Value),
        ("type-add", Value),
        ("type-clear", Value),
        ("A after-context", Value),
        ("B before-context", Value),
        ("C context", Value),
        ("d max-depth maxdepth", Value),
        ("m max-count", Value),
        ("M max-columns", Value),
        ("j threads", Value),
        ("r replace", Value),
        ("E encoding", Value),
        ("color", Value),
        ("colors", Value),
        ("context-separator", Value),
        ("field-context-separator", Value),
        ("field-match-separator", Value),
        ("path-separator", Value),
        ("dfa-size-limit", Value),
        ("regex-size-limit", Value),
        ("max-filesize", Value),
        ("engine", Value),
        ("sort", Value),
        ("sortr", Value),
        ("hyperlink-format", Value),
        ("generate", Value),
        ("s case-sensitive", Nothing),
        ("i ignore-case", Nothing),
        ("S smart-case", Nothing),
        ("F fixed-strings", Nothing),
        ("no-fixed-strings", Nothing),
        ("w word-regexp", Nothing),
        ("x line-regexp", Nothing),
        ("v invert-match", Nothing),
        ("n line-number", Nothing),
        ("N no-line-number", Nothing),
        ("H with-filename", Nothing),
        ("I no-filename", Nothing),
        ("l files-with-matches", Nothing),
        ("files-without-match", Nothing),
        ("c count", Nothing),
        ("count-matches", Nothing),
        ("o only-matching", Nothing),
        ("q quiet", Nothing),
        ("b byte-offset", Nothing),
        ("p pretty", Nothing),
        ("L follow", Nothing),
        ("no-follow", Nothing),
        ("u unrestricted", Nothing),
        ("a text", Nothing),
        ("binary", Nothing),
        ("no-binary", Nothing),
        (". hidden", Nothing),
        ("no-hidden", Nothing),
        ("no-ignore", Nothing),
        ("no-ignore-dot", Nothing),
        ("no-ignore-exclude", Nothing),
        ("no-ignore-files", Nothing),
        ("no-ignore-global", Nothing),
        ("no-ignore-messages", Nothing),
        ("no-ignore-parent", Nothing),
        ("no-ignore-vcs", Nothing),
        ("no-require-git", Nothing),
        ("no-config", Nothing),
        ("no-messages", Nothing),
        ("no-heading", Nothing),
        ("heading", Nothing),
        ("no-pre", Nothing),
        ("no-mmap", Nothing),
        ("mmap", Nothing),
        ("no-unicode", Nothing),
        ("crlf", Nothing),
        ("null-data", Nothing),
        ("0 null", Nothing),
        ("U multiline", Nothing),
        ("multiline-dotall", Nothing),
        ("no-multiline", Nothing),
        ("P pcre2", Nothing),
        ("no-pcre2", Nothing),
        ("one-file-system", Nothing),
        ("column", Nothing),
        ("no-column", Nothing),
        ("trim", Nothing),
        ("no-trim", Nothing),
        ("vimgrep", Nothing),
        ("json", Nothing),
        ("stats", Nothing),
        ("no-stats", Nothing),
        ("debug", Nothing),
        ("trace", Nothing),
        ("passthru passthrough", Nothing),
        ("line-buffered", Nothing),
        ("block-buffered", Nothing),
        ("max-columns-preview", Nothing),
        ("glob-case-insensitive", Nothing),
        ("include-zero", Nothing),
        ("stop-on-nonmatch", Nothing),
        ("h help", Nothing),
        ("V version", Nothing),
        ("pcre2-version", Nothing),
    ],
    permute: true,
};

/// Left out: `--pager` (a program).
const AG: Options = Options {
    rows: &[
        ("A after", Attached),
        ("B before", Attached),
        ("C context", Attached),
        ("G file-search-regex", Value),
        ("g", Value),
        ("ignore", Value),
        ("ignore-dir", Value),
        ("p path-to-ignore", Value),
        ("m max-count", Value),
        ("depth", Value),
        ("W width", Value),
        ("workers", Value),
        ("a all-types", Nothing),
        ("ackmate", Nothing),
        ("break", Nothing),
        ("nobreak", Nothing),
        ("c count", Nothing),
        ("color", Nothing),
        ("nocolor", Nothing),
        ("column", Nothing),
        ("D debug", Nothing),
        ("f follow", Nothing),
        ("nofollow", Nothing),
        ("F fixed-strings", Nothing),
        ("group", Nothing),
        ("nogroup", Nothing),
        ("H heading", Nothing),
        ("noheading", Nothing),
        ("filename", Nothing),
        ("nofilename", Nothing),
        ("hidden", Nothing),
        ("i ignore-case", Nothing),
        ("l files-with-matches", Nothing),
        ("L files-without-matches", Nothing),
        ("literal", Nothing),
        ("multiline", Nothing),
        ("nomultiline", Nothing),
        ("n norecurse", Nothing),
        ("r recurse", Nothing),
        ("numbers", Nothing),
        ("nonumbers", Nothing),
        ("nopager", Nothing),
        ("o only-matching", Nothing),
        ("one-device", Nothing),
        ("print-long-lines", Nothing),
        ("passthrough", Nothing),
        ("Q", Nothing),
        ("s case-sensitive", Nothing),
        ("S smart-case", Nothing),
        ("search-binary", Nothing),
        ("silent", Nothing),
        ("stats", Nothing),
        ("t all-text", Nothing),
        ("u unrestricted", Nothing),
        ("U skip-vcs-ignores", Nothing),
        ("v invert-match", Nothing),
        ("vimgrep", Nothing),
        ("w word-regexp", Nothing),
        ("0 null print0", Nothing),
        ("h help", Nothing),
        ("V version", Nothing),
    ],
    permute: true,
};

/// Adds what `rg` or `ag` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let rg = invocation.name == "rg";
    let mut has_pattern = false;
    let mut paths = Vec::new();
    let mut silent = false;
    let options = if rg { &RG } else { &AG };
    for item in Reader::new(options, invocation.arguments, invocation.span) {
        match item {
            Item::Option("f", Some(path)) => {
                has_pattern = true;
                if path.literal() != Some("-") {
                    out.push(Deed::Read { path, recursive: false });
                }
            }
            Item::Option("ignore-file" | "p", Some(path)) => {
                out.push(Deed::Read { path, recursive: false });
            }
            Item::Option("e" | "files", _) if rg => has_pattern = true,
            Item::Option("g", _) if !rg => has_pattern = true,
            // Links lead out of the tree.
            Item::Option("f", _) if !rg => opaque(out, Reason::ShellDynamicPath, invocation.span),
            Item::Option("h" | "V" | "type-list" | "pcre2-version" | "generate", _) => {
                silent = true;
            }
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(_) if !has_pattern => has_pattern = true,
            Item::Operand(path) => paths.push(path.clone()),
        }
    }
    if silent {
        return;
    }
    // Without a path it searches its input if there is one.
    if paths.is_empty() && matches!(invocation.stdin, Stdin::Inherited) {
        paths.push(Text::known(".", invocation.span));
    }
    for path in paths {
        if path.literal() != Some("-") {
            out.push(Deed::Read { path, recursive: true });
        }
    }
}

/// `-x` and `-X` are read by hand: they take all words up to `;`.
const FD: Options = Options {
    rows: &[
        ("H hidden", Nothing),
        ("no-hidden", Nothing),
        ("I no-ignore", Nothing),
        ("ignore", Nothing),
        ("no-ignore-vcs", Nothing),
        ("ignore-vcs", Nothing),
        ("no-ignore-parent", Nothing),
        ("no-require-git", Nothing),
        ("no-global-ignore-file", Nothing),
        ("u unrestricted", Nothing),
        ("s case-sensitive", Nothing),
        ("i ignore-case", Nothing),
        ("g glob", Nothing),
        ("regex", Nothing),
        ("F fixed-strings literal", Nothing),
        ("a absolute-path", Nothing),
        ("relative-path", Nothing),
        ("l list-details", Nothing),
        ("L follow", Nothing),
        ("no-follow", Nothing),
        ("p full-path", Nothing),
        ("0 print0", Nothing),
        ("prune", Nothing),
        ("1", Nothing),
        ("q quiet has-results", Nothing),
        ("show-errors", Nothing),
        ("one-file-system mount xdev", Nothing),
        ("h help", Nothing),
        ("V version", Nothing),
        ("and", Value),
        ("d max-depth maxdepth", Value),
        ("min-depth", Value),
        ("exact-depth", Value),
        ("E exclude", Value),
        ("t type", Value),
        ("e extension", Value),
        ("S size", Value),
        ("changed-within change-newer-than newer changed-after", Value),
        ("changed-before change-older-than older", Value),
        ("o owner", Value),
        ("format", Value),
        ("ignore-file", Value),
        ("c color", Value),
        ("j threads", Value),
        ("max-results", Value),
        ("base-directory", Value),
        ("path-separator", Value),
        ("search-path", Value),
        ("strip-cwd-prefix", Attached),
        ("hyperlink", Attached),
        ("batch-size", Value),
        ("x exec", Attached),
        ("X exec-batch", Attached),
    ],
    permute: true,
};

/// Adds what `fd` would do.
pub(crate) fn fd<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut pattern = false;
    let mut searches = Vec::new();
    let mut commands = Vec::new();
    let mut base = Text::known(".", invocation.span);
    let mut reader = Reader::new(&FD, invocation.arguments, invocation.span);
    while let Some(item) = reader.next() {
        match item {
            Item::Option("x" | "X", first) => {
                let mut argv = Vec::new();
                // `-x=rm` and `-xrm` name the program in the same argument.
                argv.extend(first.map(|first| match first.starts_with("=") {
                    true => first.suffix(1).unwrap_or_default(),
                    false => first,
                }));
                while let Some(word) = reader.raw().filter(|word| word.literal() != Some(";")) {
                    argv.push(word.clone());
                }
                commands.push(argv);
            }
            Item::Option("search-path", Some(path)) => searches.push(path),
            Item::Option("base-directory", Some(path)) => base = path,
            Item::Option("ignore-file", Some(path)) => {
                out.push(Deed::Read { path, recursive: false });
            }
            Item::Option("h" | "V", _) => return,
            // It hands what it finds to `ls`.
            Item::Option("l", _) => commands.push(vec![Text::known("ls", invocation.span)]),
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(_) if !pattern => pattern = true,
            Item::Operand(path) => searches.push(path.clone()),
        }
    }
    if base.text.len() > MAX_PATH {
        return opaque(out, Reason::ShellTooLarge, base.span);
    }
    let here = base.literal() == Some(".");
    let mut filled = 0_usize;
    if searches.is_empty() {
        searches.push(Text::known(".", invocation.span));
    }
    for search in &searches {
        out.push(Deed::Read { path: join(&base, search), recursive: true });
    }
    for argv in commands {
        let span = argv.first().map_or(invocation.span, |program| program.span);
        let dynamic = argv.iter().any(|word| word.many && may_be_end(word));
        if argv.is_empty() || dynamic {
            opaque(out, Reason::ShellDynamicArgument, span);
        } else if argv.first().is_none_or(|word| word.literal().is_none_or(has_mark)) {
            opaque(out, Reason::ShellDynamicProgram, span);
        } else if !here {
            opaque(out, Reason::ShellWorkingDirectory, span);
        } else {
            for search in &searches {
                let size = argv.iter().map(|word| word.text.len() + search.text.len() + 32);
                filled = filled.saturating_add(size.sum());
                if filled > MAX_FILLED {
                    return opaque(out, Reason::ShellTooLarge, span);
                }
                out.push(Deed::CommandWith { argv: fill(&argv, search), appended: false });
            }
        }
    }
}

/// The longest directory, in bytes.
const MAX_PATH: usize = 4096;

/// What all commands may hold together once the paths are filled in, in bytes.
const MAX_FILLED: usize = 256 * 1024;

/// `{//}` is the directory of what was found, and `{/}` its name alone.
const MARKS: [&str; 5] = ["{}", "{.}", "{/}", "{//}", "{/.}"];

fn has_mark(word: &str) -> bool {
    MARKS.iter().any(|mark| word.contains(mark))
}

fn may_be_end(word: &Text<'_>) -> bool {
    word.open.iter().any(|open| open.what == Unknown::Anything) || word.text.len() < 2
}

/// Puts what was found in place of the marks, or at the end if there are none.
fn fill<'s>(argv: &[Text<'s>], search: &Text<'s>) -> Vec<Text<'s>> {
    let found = || {
        let mut found = search.clone();
        let start = u32::try_from(found.text.len()).unwrap_or(u32::MAX);
        found.text.to_mut().push_str("{}");
        found.open.push(Open { start, end: start.saturating_add(2), what: Unknown::Below });
        found
    };
    let mut marked = false;
    let mut filled: Vec<Text<'s>> = Vec::with_capacity(argv.len() + 1);
    for word in argv {
        if !has_mark(&word.text) {
            filled.push(word.clone());
            continue;
        }
        marked = true;
        if matches!(&*word.text, "{}" | "{.}") && word.literal().is_some() {
            filled.push(found());
            continue;
        }
        // Names without their directory, and marks inside of text.
        let end = u32::try_from(word.text.len()).unwrap_or(u32::MAX);
        let open = vec![Open { start: 0, end, what: Unknown::Anything }];
        filled.push(Text { open, ..word.clone() });
    }
    if !marked {
        filled.push(found());
    }
    filled
}

/// Left out: `-P`, `-H`/`--html` (programs), `-C` (a file that names them), `-l` with preprocessors.
const MAN: Options = Options {
    rows: &[
        ("k apropos", Nothing),
        ("f whatis", Nothing),
        ("a all", Nothing),
        ("w where path location", Nothing),
        ("W where-cat location-cat", Nothing),
        ("K global-apropos", Nothing),
        ("i ignore-case", Nothing),
        ("I match-case", Nothing),
        ("s S sections", Value),
        ("e extension", Value),
        ("L locale", Value),
        ("m systems", Value),
        ("regex", Nothing),
        ("wildcard", Nothing),
        ("names-only", Nothing),
        ("no-hyphenation", Nothing),
        ("nh", Nothing),
        ("d debug", Nothing),
        ("V version", Nothing),
        ("? help", Nothing),
        ("usage", Nothing),
    ],
    permute: true,
};

/// Adds what `man` would do.
pub(crate) fn man<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    for item in Reader::new(&MAN, invocation.arguments, invocation.span) {
        match item {
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            // A name with a slash is a file, and its first line may name preprocessors.
            Item::Operand(page) if page.text.contains('/') || page.literal().is_none() => {
                out.push(Deed::Read { path: page.clone(), recursive: false });
                opaque(out, Reason::ShellInnerLanguage, page.span);
            }
            Item::Operand(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque, check_piped};

    #[test]
    fn trees_are_searched() {
        check("rg foo", "read ./**");
        check("rg -n foo src b", "read src/**; read b/**");
        check("rg -e foo src", "read src/**");
        check("rg --files -g '*.rs'", "read ./**");
        check("rg -f pats src", "read pats; read src/**");
        check("rg -- -x /etc", "read /etc/**");
        check("rg -C3 -tpy foo", "read ./**");
        check_piped("rg foo", "");
        check_piped("rg foo x -", "read x/**");
        check("ag -C 3", "read ./**");
        check("ag foo src", "read src/**");
        check("ag -f foo src", "!dynamic_path; read src/**");
        check("man ls", "");
        check("man -k foo", "");
        check("man 3 printf", "");
    }

    #[test]
    fn fd_runs_commands() {
        check("fd", "read ./**");
        check("fd -e rs foo src", "read src/**");
        check("fd -x rm", "read ./**; run-with rm .<below>");
        check("fd -x=python3 .", "read ./**; run-with python3 . .<below>");
        check("fd foo src -x mv {} {.}.bak", "read src/**; run-with mv src<below> <any>");
        check("fd -X ls -l {} \\; foo", "read ./**; run-with ls -l .<below>");
        check("fd foo --exec=id", "read ./**; run-with id .<below>");
        check("fd foo -x sh -c 'x {}'", "read ./**; run-with sh -c <any>");
        check("fd foo -HIx rm -rf", "read ./**; run-with rm -rf .<below>");
        check("fd -l", "read ./**; run-with ls .<below>");
        check("fd --search-path /etc x", "read /etc/**");
        check("fd --base-directory /etc x y", "read /etc/y/**");
    }

    #[test]
    fn doubt_is_opaque() {
        for line in [
            "rg --pre cat foo",
            "rg --pre=./x foo",
            "rg '--pre' x foo",
            "rg -z foo",
            "rg --hostname-bin x foo",
            "rg \"$x\" src",
            "rg foo \"$x\"",
            "rg --pr=x foo",
            "ag --pager id foo",
            "ag --pager=id foo",
            "fd -x",
            "fd -x {}",
            "fd -x \"$x\"",
            "fd -x rm $x",
            "fd --base-directory /x foo -x rm",
            "fd \"$x\"",
            "man --html='touch /tmp/pwned' man",
            "man -P id ls",
            "man -Hid ls",
            "man --pag=id ls",
            "man ./x",
            "man -l x",
        ] {
            check_opaque(line);
        }
    }
}
