//! `jq` and `yq`: languages that cannot run anything, but can read files.

use super::options::Takes::{Attached, Nothing, Value};
use super::options::{Item, Options, Reader, opaque};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};

/// `--arg` and its kin take two values; the second is read by hand.
const JQ: Options = Options {
    rows: &[
        ("arg argjson", Value),
        ("slurpfile rawfile argfile", Value),
        ("f from-file", Value),
        ("L", Value),
        ("indent", Value),
        ("args jsonargs", Nothing),
        ("n null-input", Nothing),
        ("r raw-output", Nothing),
        ("raw-output0", Nothing),
        ("j join-output", Nothing),
        ("a ascii-output", Nothing),
        ("s slurp", Nothing),
        ("c compact-output", Nothing),
        ("C color-output", Nothing),
        ("M monochrome-output", Nothing),
        ("S sort-keys", Nothing),
        ("e exit-status", Nothing),
        ("R raw-input", Nothing),
        ("b binary", Nothing),
        ("tab", Nothing),
        ("unbuffered", Nothing),
        ("stream", Nothing),
        ("stream-errors", Nothing),
        ("seq", Nothing),
        ("h help", Nothing),
        ("V version", Nothing),
    ],
    permute: true,
};

/// Adds what `jq` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut from_file = false;
    let mut values_only = false;
    let mut operands = Vec::new();
    let mut reader = Reader::new(&JQ, invocation.arguments, invocation.span);
    while let Some(item) = reader.next() {
        match item {
            Item::Option(name @ ("arg" | "slurpfile"), Some(_)) => match reader.raw() {
                Some(value) if value.many => {
                    opaque(out, Reason::ShellDynamicArgument, value.span);
                }
                Some(path) if name == "slurpfile" => {
                    out.push(Deed::Read { path: path.clone(), recursive: false });
                }
                Some(_) => {}
                None => opaque(out, Reason::ShellArguments, invocation.span),
            },
            Item::Option("f", Some(file)) => {
                from_file = true;
                operands.push(file);
            }
            Item::Option("L", Some(place)) => out.push(Deed::WorkspaceCode { place }),
            Item::Option("args", _) => values_only = true,
            Item::Option("h" | "V", _) => return,
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(_) if values_only && !operands.is_empty() => {}
            Item::Operand(operand) => operands.push(operand.clone()),
        }
    }
    let mut operands = operands.into_iter();
    if from_file {
        // Versions differ in which operand is the file of the program: all are files. A module that it
        // imports is read from anywhere.
        let place = operands.clone().next();
        out.extend(place.map(|place| Deed::WorkspaceCode { place }));
    } else if let Some(filter) = operands.next() {
        check_filter(&filter, &["import", "include", "modulemeta"], out);
    }
    out.extend(operands.map(|path| Deed::Read { path, recursive: false }));
}

fn check_filter(filter: &Text<'_>, forbidden: &[&str], out: &mut Vec<Deed<'_>>) {
    let reads = |literal: &str| forbidden.iter().any(|word| literal.contains(word));
    if filter.literal().is_none_or(reads) {
        opaque(out, Reason::ShellInnerLanguage, filter.span);
    }
}

/// Only what the two programs of that name agree on. `-s` and `-f` differ.
const YQ: Options = Options {
    rows: &[
        ("i inplace in-place", Nothing),
        ("r unwrapScalar raw-output", Attached),
        ("P prettyPrint", Nothing),
        ("n null-input", Nothing),
        ("j tojson", Nothing),
        ("y", Nothing),
        ("Y", Nothing),
        ("C colors", Nothing),
        ("M no-colors", Nothing),
        ("N no-doc", Nothing),
        ("e exit-status", Nothing),
        ("c", Nothing),
        ("o output-format", Value),
        ("p input-format", Value),
        ("V version", Nothing),
        ("h help", Nothing),
    ],
    permute: true,
};

/// Adds what `yq` would do.
pub(crate) fn yq<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut in_place = false;
    let mut operands = Vec::new();
    for item in Reader::new(&YQ, invocation.arguments, invocation.span) {
        match item {
            Item::Option("i", _) => in_place = true,
            Item::Option("V" | "h", _) => return,
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(operand) => operands.push(operand.clone()),
        }
    }
    let commands = ["e", "eval", "ea", "eval-all"];
    let mut operands = operands.into_iter().peekable();
    operands.next_if(|first| first.literal().is_some_and(|first| commands.contains(&first)));
    let forbidden = ["import", "include", "modulemeta", "load", "system", "input_filename"];
    if let Some(filter) = operands.next() {
        check_filter(&filter, &forbidden, out);
        // Where the expression may be left out, the first operand is a file.
        let name = |c: char| c.is_ascii_alphanumeric() || "./_-".contains(c);
        let file = filter.literal().is_some_and(|text| text != "." && text.chars().all(name));
        if file {
            file_deeds(filter, in_place, out);
        }
    }
    for file in operands.filter(|file| file.literal() != Some("-")) {
        file_deeds(file, in_place, out);
    }
}

fn file_deeds<'s>(path: Text<'s>, in_place: bool, out: &mut Vec<Deed<'s>>) {
    if in_place {
        out.push(Deed::Write { path: path.clone(), recursive: false });
    }
    out.push(Deed::Read { path, recursive: false });
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn jq_reads() {
        check("jq . a.json b", "read a.json; read b");
        check("jq -r '.a | $ENV.PATH'", "");
        check("jq --arg x \"$x\" '.a = $x' f", "read f");
        check("jq -n --slurpfile a x --rawfile b y '$a'", "read x; read y");
        check("jq -nr '$a' --args x y", "");
        check("jq -f p.jq in", "workspace-code p.jq; read p.jq; read in");
        check("jq -L lib . f", "workspace-code lib; read f");
    }

    #[test]
    fn yq_reads_and_writes() {
        check("yq '.a[]' f", "read f");
        check("yq -i '.a = 1' f", "write f; read f");
        check("yq e -o=json '.a | b' f", "read f");
        check("yq f.yaml", "read f.yaml");
        check("yq . f", "read f");
    }

    #[test]
    fn doubt_is_opaque() {
        for line in [
            "jq 'import \"/etc/x\" as $x; $x' f",
            "jq \".$x\" f",
            "jq \"$x\"",
            "jq --arg x",
            "jq --arg x $x .",
            "jq --from-f x",
            "jq . \"$x\"",
            "yq 'load(\"/etc/x\")' f",
            "yq 'strload(\"/etc/x\")'",
            "yq 'system(\"id\")' f",
            "yq -s .a f",
            "yq --from-file x f",
        ] {
            check_opaque(line);
        }
    }
}
