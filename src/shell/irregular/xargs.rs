//! `xargs` and `parallel`: a command that gets arguments from the input.

use super::options::Takes::{Attached, Nothing, Value};
use super::options::{Item, Options, Reader, opaque};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Open, Text, Unknown};
use crate::shell::syntax::Span;

/// Options of GNU `xargs`; `-e`, `-i` and `-l` take a value only in the same argument, so that
/// `xargs -t touch` and `xargs -i touch` both run `touch`.
const OPTIONS: Options = Options {
    rows: &[
        ("I", Value),
        ("i replace", Attached),
        ("n max-args", Value),
        ("L", Value),
        ("l max-lines", Attached),
        ("P max-procs", Value),
        ("a arg-file", Value),
        ("process-slot-var", Value),
        ("0 null", Nothing),
        ("r no-run-if-empty", Nothing),
        ("t verbose", Nothing),
        ("d delimiter", Value),
        ("E", Value),
        ("e eof", Attached),
        ("s max-chars", Value),
        ("o open-tty", Nothing),
        ("p interactive", Nothing),
        ("x exit", Nothing),
        ("show-limits", Nothing),
        ("help", Nothing),
        ("version", Nothing),
    ],
    permute: false,
};

/// Adds what `xargs` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut replace: Option<String> = None;
    // `-n` and `-L` after `-I`, or before it, switch one of the two off.
    let mut grouped = false;
    // The arguments come from a file, or are split in another way than `-0` says.
    let mut elsewhere = false;
    let mut reader = Reader::new(&OPTIONS, invocation.arguments, invocation.span);
    let mut argv = Vec::new();
    while let Some(item) = reader.next() {
        match item {
            Item::Option("I" | "i", value) => {
                let braces = || Text::known("{}", invocation.span);
                match value.unwrap_or_else(braces).literal().filter(|text| !text.is_empty()) {
                    Some(text) => replace = Some(text.to_owned()),
                    None => return opaque(out, Reason::ShellDynamicArgument, invocation.span),
                }
            }
            Item::Option("n" | "L" | "l", value) => {
                let one = value.is_none_or(|value| value.literal() == Some("1"));
                grouped |= !one;
            }
            Item::Option("a", Some(path)) => {
                elsewhere = true;
                out.push(Deed::Read { path, recursive: false });
            }
            // Lines are what it takes without it too.
            Item::Option("d", Some(value)) if matches!(value.literal(), Some("\\n" | "\n")) => {}
            Item::Option("d" | "E" | "e", _) => elsewhere = true,
            Item::Option("process-slot-var", Some(name)) => {
                let open = vec![Open { start: 0, end: 1, what: Unknown::Number }];
                let value = Text { open, ..Text::known("0", name.span) };
                out.push(Deed::Environment { name, value });
            }
            Item::Option(..) => {}
            Item::Doubt(reason, span) => return opaque(out, reason, span),
            Item::Operand(first) => {
                argv.push(first.clone());
                argv.extend_from_slice(reader.rest());
                break;
            }
        }
    }
    if argv.is_empty() {
        argv.push(Text::known("echo", invocation.span));
    }
    let Some(program) = argv.first() else { return };
    let replaced = |text: &str| replace.as_deref().is_some_and(|mark| text.contains(mark));
    if program.literal().is_none() || replaced(&program.text) {
        return opaque(out, Reason::ShellDynamicProgram, program.span);
    }
    let Some(mark) = &replace else {
        if elsewhere {
            argv.push(anything(invocation.span));
        }
        return out.push(Deed::CommandWith { argv, appended: !elsewhere });
    };
    if grouped {
        return opaque(out, Reason::ShellArguments, invocation.span);
    }
    if argv.iter().any(|word| replaced(&word.text)) {
        let argv = argv.iter().map(|word| fill(word, mark)).collect();
        return out.push(Deed::CommandWith { argv, appended: false });
    }
    out.push(Deed::Command { argv });
}

/// Reports whether `xargs` takes what it hands on from a file, and leaves its input to its commands.
pub(crate) fn takes_from_file(arguments: &[Text<'_>]) -> bool {
    for item in Reader::new(&OPTIONS, arguments, Span::default()) {
        match item {
            Item::Option("a", _) => return true,
            Item::Option(..) => {}
            Item::Doubt(..) | Item::Operand(_) => break,
        }
    }
    false
}

const PARALLEL: Options = Options {
    rows: &[
        ("j jobs", Value),
        ("k keep-order", Nothing),
        ("0 null", Nothing),
        ("bar", Nothing),
        ("progress", Nothing),
        ("eta", Nothing),
        ("n max-args", Value),
        ("t verbose", Nothing),
        ("halt", Value),
        ("r no-run-if-empty", Nothing),
    ],
    permute: false,
};

/// Adds what `parallel` would do. It hands the joined words to a shell, so that only words that mean
/// the same there are understood.
pub(crate) fn parallel<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut reader = Reader::new(&PARALLEL, invocation.arguments, invocation.span);
    let mut argv = Vec::new();
    while let Some(item) = reader.next() {
        match item {
            Item::Option(..) => {}
            Item::Doubt(reason, span) => return opaque(out, reason, span),
            Item::Operand(first) => {
                argv.push(first.clone());
                argv.extend_from_slice(reader.rest());
                break;
            }
        }
    }
    let sources = argv.iter().position(|word| word.text.starts_with(":::"));
    let sources = argv.split_off(sources.unwrap_or(argv.len()));
    let mut files = false;
    for source in sources {
        if source.text.starts_with(":::") {
            files = source.text.starts_with("::::");
        } else if files {
            out.push(Deed::Read { path: source, recursive: false });
        }
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./,:@%+=".contains(c);
    let known = |word: &Text<'_>| {
        word.literal().is_some_and(|text| text == "{}" || text.chars().all(plain))
    };
    let named = argv.first().is_some_and(|program| !program.text.contains(['{', '=']));
    if !named || !argv.iter().all(known) {
        return opaque(out, Reason::ShellInnerLanguage, invocation.span);
    }
    let appended = !argv.iter().any(|word| word.text == "{}");
    let argv = argv.iter().map(|word| fill(word, "{}")).collect();
    out.push(Deed::CommandWith { argv, appended });
}

/// Arguments of which nothing is known, wherever the input comes from.
pub(crate) fn anything<'s>(span: Span) -> Text<'s> {
    let open = vec![Open { start: 0, end: 3, what: Unknown::Anything }];
    Text { open, many: true, ..Text::known("…", span) }
}

/// Marks every `{}` as open.
fn fill<'s>(word: &Text<'s>, mark: &str) -> Text<'s> {
    if !word.text.contains(mark) {
        return word.clone();
    }
    let mut filled = word.clone();
    let found = word.text.match_indices(mark).filter_map(|(start, found)| {
        let end = u32::try_from(start + found.len()).ok()?;
        Some(Open { start: u32::try_from(start).ok()?, end, what: Unknown::Mark })
    });
    filled.open.extend(found);
    filled.open.sort_by_key(|open| open.start);
    // A mark that lies across an open place makes one of both.
    filled.open.dedup_by(|next, kept| {
        let meets = next.start < kept.end;
        if meets {
            kept.end = kept.end.max(next.end);
            kept.what = Unknown::Anything;
        }
        meets
    });
    filled
}

#[cfg(test)]
mod tests {
    use super::{Span, Text, takes_from_file};
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn arguments_are_appended() {
        check("xargs", "run-with echo …");
        check("xargs -0 rm -f", "run-with rm -f …");
        check("xargs -n 1 -P 4 ls -l", "run-with ls -l …");
        check("xargs -r -n1 -- rm", "run-with rm …");
        check("xargs --null --max-args=2 wc -l", "run-with wc -l …");
        check("xargs -a f.txt rm", "read f.txt; run-with rm <any>+");
        check("xargs sudo rm", "run-with sudo rm …");
        check("xargs python3 -c", "run-with python3 -c …");
        check("xargs sh -c --", "run-with sh -c -- …");
    }

    #[test]
    fn optional_values_stand_in_the_same_argument() {
        check("xargs -t touch echo", "run-with touch echo …");
        check("xargs -i touch echo", "run touch echo");
        check("xargs -l touch echo", "run-with touch echo …");
        check("xargs -e touch echo", "run-with touch echo <any>+");
        check("xargs -0 -d x rm", "run-with rm <any>+");
        check("xargs -eEOF -l1 touch", "run-with touch <any>+");
        check("xargs -pt touch", "run-with touch …");
        check("xargs --replace touch {}", "run-with touch <any>");
    }

    #[test]
    fn a_file_may_take_the_place_of_the_input() {
        for (line, expected) in [
            ("xargs -a f rm", true),
            ("xargs -0ra f rm", true),
            ("xargs --arg-file=f rm", true),
            ("xargs -n1 rm -a f", false),
            ("xargs", false),
        ] {
            let arguments: Vec<_> =
                line.split(' ').skip(1).map(|word| Text::known(word, Span::default())).collect();
            assert_eq!(takes_from_file(&arguments), expected, "{line}");
        }
    }

    #[test]
    fn replacement_is_open() {
        check("xargs -I{} cp {} b/{}", "run-with cp <any> b/<any>");
        check("xargs -I % sh -c 'x %'", "run-with sh -c x <any>");
        check("xargs -iX cp X y", "run-with cp <any> y");
        check("xargs -I{} -n1 cp {} y", "run-with cp <any> y");
        check("xargs -I{} echo", "run echo");
        check("xargs --process-slot-var=X id", "env X=<number>; run-with id …");
    }

    #[test]
    fn parallel_runs_plain_words() {
        check("parallel gzip", "run-with gzip …");
        check("parallel -j4 gzip -9 {} ::: a b", "run-with gzip -9 <any>");
        check("parallel rm :::: f", "read f; run-with rm …");
        for line in [
            "parallel",
            "parallel X=1 id",
            "parallel 'rm {}; id'",
            "parallel ::: id",
            "parallel -a f id",
        ] {
            check_opaque(line);
        }
    }

    #[test]
    fn doubt_is_opaque() {
        for line in [
            "xargs -I{} {}",
            "xargs -I{} ./{}",
            "xargs -I{} -n2 cp {} x",
            "xargs -I '' x",
            "xargs -I \"$x\" x",
            "xargs \"$x\"",
            "xargs $x rm",
            "xargs -n $x rm",
            "xargs --max-a 1 rm",
            "xargs -J % rm %",
            "xargs -q rm",
        ] {
            check_opaque(line);
        }
    }
}
