//! Commands of the shell itself, each as the manual of bash (SHELL BUILTIN COMMANDS) describes it.
//!
//! What a builtin changes for later commands is told as a deed where the walk can follow it (a directory,
//! a variable), and is opaque where it cannot (an alias, a trap, an option of the parser). A variable's
//! name is only ever taken from literal text: a subscript in a name is evaluated, and may run a command.

mod letters;
mod run;
mod state;
mod test;
mod variables;

use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Open, Text, Unknown};
use crate::shell::syntax::Span;

/// Tells what a builtin does; false if `name` is none.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) -> bool {
    builtin(invocation, 0, out)
}

/// `depth` counts `builtin` and `command` in front.
fn builtin<'s>(invocation: &Invocation<'_, 's>, depth: u32, out: &mut Vec<Deed<'s>>) -> bool {
    match invocation.name {
        // What these print or return changes nothing; numbers are read as plain integers.
        ":" | "true" | "false" | "echo" | "pwd" | "type" | "which" | "dirs" | "caller"
        | "times" | "ulimit" | "umask" | "fg" | "bg" | "disown" | "suspend" | "logout" | "exit"
        | "return" | "break" | "continue" | "unalias" | "help" => {}
        "kill" => kill(invocation, out),
        "printf" => variables::printf(invocation, out),
        "export" => variables::export(invocation, out),
        "declare" | "typeset" | "local" => variables::declare(invocation, out),
        "readonly" => variables::readonly(invocation, out),
        "unset" => variables::unset(invocation, out),
        "read" => variables::read(invocation, out),
        "mapfile" | "readarray" => variables::mapfile(invocation, out),
        "getopts" => variables::getopts(invocation, out),
        "wait" => variables::wait(invocation, out),
        "let" => variables::arithmetic(invocation, out),
        "test" | "[" => test::test(invocation, out),
        "cd" => state::cd(invocation, out),
        "pushd" => state::pushd(invocation, out),
        "popd" => state::popd(invocation, out),
        "set" => state::set(invocation, out),
        "shopt" => state::shopt(invocation, out),
        "shift" => out.push(Deed::Forget { name: positional(invocation.span) }),
        "alias" | "enable" | "hash" | "history" | "fc" | "bind" | "complete" | "compopt"
        | "compgen" => state::listing(invocation, out),
        "eval" | "source" | "." | "trap" => run::code(invocation, out),
        "exec" => run::exec(invocation, out),
        "command" => run::command(invocation, depth, out),
        "builtin" => run::builtin(invocation, depth, out),
        "jobs" => run::jobs(invocation, out),
        _ => return false,
    }
    true
}

/// `kill`: jobs of the shell are its own, and signal 0 only asks; other processes are anybody's, the
/// one that decides included.
fn kill<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut arguments = invocation.arguments;
    if let Some((first, rest)) = arguments.split_first() {
        match first.literal() {
            Some("-l" | "-L" | "-0") => return,
            Some("-s" | "-n") => {
                if rest.first().and_then(Text::literal) == Some("0") {
                    return;
                }
                arguments = rest.get(1..).unwrap_or_default();
            }
            Some(signal) if signal.starts_with('-') => arguments = rest,
            _ => {}
        }
    }
    let own =
        |text: &Text<'_>| text.starts_with("%") || matches!(&*text.text, "$!" | "${!}" | "--");
    if !arguments.iter().all(own) {
        out.push(Deed::Privilege("signal".into()));
    }
}

fn opaque(reason: Reason, span: Span, out: &mut Vec<Deed<'_>>) {
    out.push(Deed::Opaque { reason, span });
}

/// Says that nobody knows the variable `name` any more, or that `name` cannot be told.
fn forget<'s>(name: &Text<'s>, out: &mut Vec<Deed<'s>>) {
    match name.literal() {
        Some(text) if is_name(text) => out.push(Deed::Forget { name: name.clone() }),
        // A subscript is an arithmetic expression, and that may hold a command.
        Some(text) if text.contains('[') => opaque(Reason::ShellArithmetic, name.span, out),
        Some(_) => opaque(Reason::ShellArguments, name.span, out),
        None => opaque(Reason::ShellDynamicArgument, name.span, out),
    }
}

/// The positional parameters, as the name that a [`Deed::Forget`] gives them.
fn positional<'s>(span: Span) -> Text<'s> {
    Text::known("@", span)
}

/// Text of which nothing is known, shown as `text`.
fn unknown<'s>(text: String, span: Span) -> Text<'s> {
    let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let open = vec![Open { start: 0, end, what: Unknown::Anything }];
    Text { text: text.into(), open, many: false, span }
}

/// Reports whether `text` is a name that a variable may have.
fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    text.bytes().next().is_some_and(letter)
        && text.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}
