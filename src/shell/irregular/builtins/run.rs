//! Builtins that run something.

use std::borrow::Cow;

use super::letters::Letters;
use super::opaque;
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Stdin, Text};

/// `eval`, `source`, `.` and `trap`. What they run changes the shell that goes on afterwards, in ways
/// that a script of its own does not: they stay opaque, beside what is known of them.
pub(super) fn code<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let span = invocation.span;
    match (invocation.name, invocation.arguments) {
        ("eval" | "trap", []) => {}
        ("trap", [only]) if matches!(only.literal(), Some("-p" | "-l")) => {}
        // Signals go back to what they did, or are ignored.
        ("trap", [first, signals @ ..])
            if matches!(first.literal(), Some("-" | "")) && signals.iter().all(is_signal) => {}
        ("eval", arguments) => {
            if let Some(script) = joined(arguments) {
                out.push(Deed::Shell { script, login: false });
            }
            opaque(Reason::ShellBuiltin, span, out);
        }
        ("trap", [handler, ..]) => {
            if handler.literal().is_some_and(|text| !text.starts_with('-')) {
                out.push(Deed::Shell { script: handler.clone(), login: false });
            }
            opaque(Reason::ShellBuiltin, span, out);
        }
        (_, arguments) => {
            let mut operands = arguments;
            if let [first, rest @ ..] = arguments
                && first.literal() == Some("--")
            {
                operands = rest;
            }
            if let Some(file) = operands.first() {
                out.push(Deed::Read { path: file.clone(), recursive: false });
                out.push(Deed::WorkspaceCode { place: file.clone() });
            }
            opaque(Reason::ShellBuiltin, span, out);
        }
    }
}

/// `exec [-cl] [-a name] [command [argument …]]`.
pub(super) fn exec<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Letters::read(invocation.arguments, "cl", "a", out) else { return };
    if read.has('l') || read.has('a') {
        // Programs look at the name that they were started by; a shell reads start-up files for `-bash`.
        opaque(Reason::ShellProfile, invocation.span, out);
    }
    argv(read.operands, out);
}

/// `command [-p] name [argument …]`, `command -v name`.
pub(super) fn command<'s>(invocation: &Invocation<'_, 's>, depth: u32, out: &mut Vec<Deed<'s>>) {
    let looks_up = |text: &str| text.starts_with('-') && text.contains(['v', 'V']);
    if invocation.arguments.first().and_then(Text::literal).is_some_and(looks_up) {
        return;
    }
    let Some(read) = Letters::read(invocation.arguments, "pvV", "", out) else { return };
    if read.has('v') || read.has('V') {
        return;
    }
    if !again(read.operands, invocation.stdin, depth, out) {
        argv(read.operands, out);
    }
}

/// `builtin name [argument …]`.
pub(super) fn builtin<'s>(invocation: &Invocation<'_, 's>, depth: u32, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Letters::read(invocation.arguments, "", "", out) else { return };
    if !read.operands.is_empty() && !again(read.operands, invocation.stdin, depth, out) {
        opaque(Reason::ShellBuiltin, invocation.span, out);
    }
}

/// `jobs [-lnprs] [job …]`, `jobs -x command [argument …]`.
pub(super) fn jobs<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Letters::read(invocation.arguments, "lnprsx", "", out) else { return };
    if read.has('x') {
        // A job in the arguments is replaced by a number.
        argv(read.operands, out);
        opaque(Reason::ShellBuiltin, invocation.span, out);
    }
}

/// Tells what the builtin does that `words` name; false if they name none.
fn again<'s>(words: &[Text<'s>], stdin: &Stdin<'s>, depth: u32, out: &mut Vec<Deed<'s>>) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let Some(name) = program.literal() else { return false };
    if depth >= MAX_DEPTH {
        opaque(Reason::ShellTooLarge, program.span, out);
        return true;
    }
    super::builtin(&Invocation { name, arguments, stdin, span: program.span }, depth + 1, out)
}

/// Runs a program with its arguments.
fn argv<'s>(words: &[Text<'s>], out: &mut Vec<Deed<'s>>) {
    let Some(program) = words.first() else { return };
    if program.literal().is_none() {
        opaque(Reason::ShellDynamicProgram, program.span, out);
    }
    out.push(Deed::Command { argv: words.to_vec() });
}

/// Joins literal words with a blank, as `eval` does.
fn joined<'s>(words: &[Text<'s>]) -> Option<Text<'s>> {
    let [first, rest @ ..] = words else { return None };
    if rest.is_empty() {
        return first.literal().is_some().then(|| first.clone());
    }
    let texts = words.iter().map(Text::literal).collect::<Option<Vec<_>>>()?;
    Some(Text::known(Cow::Owned(texts.join(" ")), first.span))
}

fn is_signal(text: &Text<'_>) -> bool {
    text.literal().is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// `command command command …` is looked through this far.
const MAX_DEPTH: u32 = 12;

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::check;

    #[test]
    fn a_program_behind_a_builtin_is_run() {
        check("exec", "");
        check("exec make x", "run make x");
        check("exec -c -- make x", "run make x");
        check("exec -a bash busybox", "!profile; run busybox");
        check("exec -l sh", "!profile; run sh");
        check("exec \"$x\" y", "!dynamic_argument");
        check("exec -- \"$x\"", "!dynamic_program; run <any>");
        check("command git status", "run git status");
        check("command -p rm x", "run rm x");
        check("command -v git", "");
        check("command -V \"$x\"", "");
        check("command -p -v git", "");
        check("command -q git", "!unknown_option");
        check("command \"$x\" -v", "!dynamic_argument");
        check("command cd x", "cd x");
        check("command command -p cd x", "cd x");
        check("builtin cd x", "cd x");
        check("builtin echo x", "");
        check("builtin rm x", "!builtin");
        check("command eval 'rm x'", "shell `rm x`; !builtin");
        check("jobs -l", "");
        check("jobs -x rm %1", "run rm %1; !builtin");
        check(&"command ".repeat(20), "!too_large");
    }

    #[test]
    fn code_is_opaque_and_known_all_the_same() {
        check("eval", "");
        check("eval 'cd /etc'", "shell `cd /etc`; !builtin");
        check("eval rm -rf x", "shell `rm -rf x`; !builtin");
        check("eval \"$x\"", "!builtin");
        check("eval rm \"$x\"", "!builtin");
        check("source x.sh", "read x.sh; workspace-code x.sh; !builtin");
        check(". -- x.sh a", "read x.sh; workspace-code x.sh; !builtin");
        check(". \"$x\"", "read <any>; workspace-code <any>; !builtin");
        check("trap 'rm x' EXIT", "shell `rm x`; !builtin");
        check("trap \"$x\" EXIT", "!builtin");
        check("trap - EXIT", "");
        check("trap '' INT TERM", "");
        check("trap -p", "");
        check("trap", "");
        check("trap -- 'rm x' EXIT", "!builtin");
    }
}
