//! `make`: runs what the makefile says, which lies in the workspace.

use super::options::Takes::{Attached, Nothing, Value};
use super::options::{Item, Options, Reader, join, opaque};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};
use crate::shell::variables::{self, Setting};

/// `--eval` is left out: its value is a makefile.
const OPTIONS: Options = Options {
    rows: &[
        ("C directory", Value),
        ("f file makefile", Value),
        ("I include-dir", Value),
        ("j jobs", Attached),
        ("l load-average max-load", Attached),
        ("o old-file assume-old", Value),
        ("W what-if new-file assume-new", Value),
        ("O output-sync", Attached),
        ("debug", Attached),
        ("shuffle", Attached),
        ("k keep-going", Nothing),
        ("n dry-run just-print recon", Nothing),
        ("s silent quiet", Nothing),
        ("no-silent", Nothing),
        ("B always-make", Nothing),
        ("i ignore-errors", Nothing),
        ("e environment-overrides", Nothing),
        ("q question", Nothing),
        ("t touch", Nothing),
        ("w print-directory", Nothing),
        ("no-print-directory", Nothing),
        ("r no-builtin-rules", Nothing),
        ("R no-builtin-variables", Nothing),
        ("p print-data-base", Nothing),
        ("d", Nothing),
        ("S no-keep-going stop", Nothing),
        ("L check-symlink-times", Nothing),
        ("trace", Nothing),
        ("warn-undefined-variables", Nothing),
        ("b", Nothing),
        ("m", Nothing),
        ("v version", Nothing),
        ("h help", Nothing),
    ],
    permute: true,
};

/// Variables that say how `make` itself runs programs.
const OWN_VARIABLES: [&str; 12] = [
    "SHELL",
    "MAKESHELL",
    ".SHELLFLAGS",
    "MAKE",
    "MAKEFLAGS",
    "GNUMAKEFLAGS",
    "MFLAGS",
    "MAKEFILES",
    "MAKEOVERRIDES",
    "VPATH",
    ".VARIABLES",
    ".RECIPEPREFIX",
];

/// Adds what `make` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut directory = Text::known(".", invocation.span);
    let mut files = Vec::new();
    let mut only_asks = false;
    let mut installed = Vec::new();
    for item in Reader::new(&OPTIONS, invocation.arguments, invocation.span) {
        match item {
            Item::Option("C", Some(value)) => directory = join(&directory, &value),
            Item::Option("f" | "I", Some(file)) => files.push(file),
            Item::Option("v" | "h", _) => only_asks = true,
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(operand) => match place_of(operand) {
                Some(place) => installed.push(place),
                None => run_operand(operand, out),
            },
        }
    }
    if only_asks {
        return;
    }
    let reads_stdin = files.iter().any(|file| matches!(file.literal(), Some("-" | "/dev/stdin")));
    if reads_stdin {
        return opaque(out, Reason::ShellCodeOnStdin, invocation.span);
    }
    for file in &files {
        out.push(Deed::WorkspaceCode { place: join(&directory, file) });
    }
    for place in &installed {
        out.push(Deed::Create { path: join(&directory, place) });
    }
    out.push(Deed::WorkspaceCode { place: directory });
}

/// The place behind `DESTDIR=`, `PREFIX=` and the like, below which things are put.
fn place_of<'s>(operand: &Text<'s>) -> Option<Text<'s>> {
    let (name, place) = operand.split_once('=')?;
    let known = matches!(
        name,
        "DESTDIR" | "PREFIX" | "prefix" | "BUILDDIR" | "BUILD_DIR" | "builddir" | "OUTDIR"
    );
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let fine = place
        .literal()
        .is_some_and(|text| !text.is_empty() && !text.starts_with('-') && text.chars().all(plain));
    (known && fine).then_some(place)
}

/// A target, or `NAME=value`, which recipes see in the environment and may use as a command.
fn run_operand<'s>(operand: &Text<'s>, out: &mut Vec<Deed<'s>>) {
    let Some((name, value)) = operand.split_once('=') else {
        if !operand.open.is_empty() {
            opaque(out, Reason::ShellDynamicArgument, operand.span);
        }
        return;
    };
    let shown = name.trim_end_matches([':', '?', '+']);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    let known = !shown.is_empty()
        && shown.chars().all(plain)
        && !OWN_VARIABLES.contains(&shown)
        && value.literal().is_some_and(|value| !value.contains(is_active));
    if !known {
        // `X!=command` and `X=$(shell command)` run it.
        opaque(out, Reason::ShellArguments, operand.span);
    }
    // A number, a switch, a version or a code names neither a program nor a place.
    let plain = value.literal().is_some_and(is_switch);
    if known && plain && variables::local(shown) == Setting::Harmless {
        return;
    }
    let name = Text::known(shown.to_owned(), operand.span);
    out.push(Deed::Environment { name, value });
}

fn is_switch(value: &str) -> bool {
    const WORDS: [&str; 22] = [
        "all",
        "amd64",
        "arm64",
        "darwin",
        "debug",
        "dev",
        "development",
        "false",
        "linux",
        "local",
        "n",
        "no",
        "off",
        "on",
        "prod",
        "production",
        "release",
        "staging",
        "true",
        "x86_64",
        "y",
        "yes",
    ];
    let code = |code: &str| {
        let code = code.strip_prefix('v').unwrap_or(code);
        code.bytes().any(|byte| byte.is_ascii_digit())
            && code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase() || b == b'.')
    };
    value.is_empty() || WORDS.binary_search(&value).is_ok() || value.split(',').all(code)
}

/// Characters that mean something to `make` or to the shell that runs a recipe.
fn is_active(c: char) -> bool {
    "$`;|&<>()\\\n\"'{}!#".contains(c)
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn workspace_code_is_run() {
        check("make", "workspace-code .");
        check("make -j4 all test", "workspace-code .");
        check("make -j 4 -k", "workspace-code .");
        check("make -C sub -C x -f m.mk", "workspace-code sub/x/m.mk; workspace-code sub/x");
        check("make -f /tmp/x", "workspace-code /tmp/x; workspace-code .");
        check("make CC=gcc V:=1", "env CC=gcc; workspace-code .");
        check("make LD_PRELOAD=./x.so", "env LD_PRELOAD=./x.so; workspace-code .");
        check("make PYTHONINSPECT=1", "env PYTHONINSPECT=1; workspace-code .");
        check("make --version", "");
        check("make BUILD=release V=1.2.3 RULES=C001,C006 X=", "workspace-code .");
        check("make -C a install DESTDIR=../b", "create a/../b; workspace-code a");
        check("make PREFIX=/usr", "create /usr; workspace-code .");
        check("make TOOL=sudo", "env TOOL=sudo; workspace-code .");
        check("make RUSTC_WRAPPER=debugger", "env RUSTC_WRAPPER=debugger; workspace-code .");
        check("make LD_PRELOAD=1", "env LD_PRELOAD=1; workspace-code .");
        check("make X=v1/y", "env X=v1/y; workspace-code .");
        check("make --directory=a -n b", "workspace-code a");
    }

    #[test]
    fn doubt_is_opaque() {
        for line in [
            "make --eval='x: ; id'",
            "make --eva=x",
            "make -E x",
            "make -f -",
            "make -f /dev/stdin",
            "make SHELL=/tmp/x",
            "make 'X!=id'",
            "make 'X=$(shell id)'",
            "make 'CFLAGS=; id'",
            "make X=$x",
            "make \"X=$x\"",
            "make \"$x\"",
            "make \"a$x\"",
            "make --dir=x",
        ] {
            check_opaque(line);
        }
    }
}
