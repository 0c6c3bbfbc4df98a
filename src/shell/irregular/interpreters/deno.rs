//! `deno subcommand [option …] [file] [argument …]`.

use super::super::options::Takes::{Attached, Nothing, Value};
use super::super::options::{Item, Options, Reader, opaque};
use super::super::shells::script;
use super::{code, input, listen};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};

pub(super) fn deno<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some((verb, arguments)) = invocation.arguments.split_first() else {
        return input(invocation, out);
    };
    let place = Text::known(".", invocation.span);
    match verb.literal() {
        Some("-V" | "--version" | "-h" | "--help" | "help") => {}
        Some("run") => {
            if let Some(file) = first(arguments, invocation, out) {
                program(&file, invocation, out);
            }
        }
        Some("eval") => out.push(Deed::ForeignCode),
        Some("fmt") if only_checks(arguments) => out.push(Deed::WorkspaceCode { place }),
        Some("test" | "bench" | "task" | "check" | "lint" | "fmt" | "doc" | "cache") => {
            let file = first(arguments, invocation, out);
            if let Some(file) = file.filter(|_| verb.literal() != Some("task")) {
                program(&file, invocation, out);
                if verb.literal() == Some("fmt") {
                    out.push(Deed::Write { path: file, recursive: true });
                }
            } else if verb.literal() == Some("fmt") {
                out.push(Deed::Write { path: place.clone(), recursive: false });
            }
            out.push(Deed::WorkspaceCode { place });
        }
        _ => opaque(out, Reason::ShellUnknownOption, verb.span),
    }
}

/// `deno fmt --check [file …]`.
fn only_checks(arguments: &[Text<'_>]) -> bool {
    let (mut checks, mut known) = (false, true);
    for argument in arguments {
        match argument.literal() {
            Some("--check") => checks = true,
            Some(text) => known &= !text.starts_with('-') && !text.contains(':'),
            None => known = false,
        }
    }
    checks && known
}

/// Runs a file, or a module that is fetched.
fn program<'s>(file: &Text<'s>, invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    match file.split_once(':') {
        Some(("http" | "https", _)) => {
            out.push(Deed::Url { url: file.clone(), method: "GET" });
            out.push(Deed::ForeignCode);
        }
        Some(("jsr", name)) => package("jsr", "jsr.io", name, out),
        Some(("npm", name)) => package("npm", "registry.npmjs.org", name, out),
        Some(_) => opaque(out, Reason::ShellForeignCode, file.span),
        None if file.literal() == Some("-") => code(file, invocation, out),
        None => script(file, out),
    }
}

fn package<'s>(
    ecosystem: &'static str,
    host: &'static str,
    name: Text<'s>,
    out: &mut Vec<Deed<'s>>,
) {
    out.push(Deed::Service { host, port: 443 });
    out.push(Deed::Package { ecosystem, name });
    out.push(Deed::ForeignCode);
}

/// Returns the first operand; what stands behind it are arguments of the program.
fn first<'s>(
    arguments: &[Text<'s>],
    invocation: &Invocation<'_, 's>,
    out: &mut Vec<Deed<'s>>,
) -> Option<Text<'s>> {
    for item in Reader::new(&DENO, arguments, invocation.span) {
        match item {
            Item::Option("inspect", address) => listen(address.as_ref(), 9229, invocation, out),
            Item::Option(..) => {}
            Item::Operand(file) => return Some(file.clone()),
            Item::Doubt(reason, span) => {
                opaque(out, reason, span);
                return None;
            }
        }
    }
    None
}

const DENO: Options = Options {
    rows: &[
        ("A allow-all", Nothing),
        ("R allow-read", Attached),
        ("W allow-write", Attached),
        ("N allow-net", Attached),
        ("E allow-env", Attached),
        ("S allow-sys", Attached),
        ("allow-run", Attached),
        ("allow-ffi", Attached),
        ("allow-import", Attached),
        ("deny-read", Attached),
        ("deny-write", Attached),
        ("deny-net", Attached),
        ("deny-env", Attached),
        ("deny-run", Attached),
        ("q quiet", Nothing),
        ("no-check", Attached),
        ("check", Attached),
        ("cached-only", Nothing),
        ("no-remote", Nothing),
        ("no-npm", Nothing),
        ("no-prompt", Nothing),
        ("no-lock", Nothing),
        ("frozen", Attached),
        ("watch", Attached),
        ("inspect inspect-brk inspect-wait", Attached),
        ("fail-fast", Attached),
        ("filter", Value),
        ("parallel", Nothing),
        ("unstable", Nothing),
        ("v8-flags", Attached),
    ],
    permute: false,
};
