//! `test` and `[`.
//!
//! Numbers are plain integers here (only `[[` evaluates them), but the name behind `-v` may have a
//! subscript, and a subscript may hold a command.

use super::{is_name, opaque};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text, Unknown};

/// `test expression`, `[ expression ]`.
pub(super) fn test<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut arguments = invocation.arguments;
    if invocation.name == "[" {
        match arguments.split_last() {
            Some((last, rest)) if last.literal() == Some("]") => arguments = rest,
            _ => return opaque(Reason::ShellArguments, invocation.span, out),
        }
    }
    for (at, argument) in arguments.iter().enumerate() {
        let next = arguments.get(at + 1);
        let before = at.checked_sub(1).and_then(|at| arguments.get(at)).and_then(Text::literal);
        let leads = before.is_none_or(|text| matches!(text, "!" | "(" | "-a" | "-o"));
        match argument.literal() {
            Some("-v" | "-R")
                if next.is_some_and(|name| !name.literal().is_some_and(is_plain_name)) =>
            {
                opaque(Reason::ShellArithmetic, argument.span, out);
            }
            Some("-nt" | "-ot" | "-ef") if at > 0 => {
                let both = [at.checked_sub(1).and_then(|at| arguments.get(at)), next];
                both.into_iter().flatten().for_each(|path| looks_at(path, out));
            }
            // In the middle these mean "and" and "or".
            Some("-a" | "-o") if at > 0 && !leads => {}
            Some(operator) if is_file_operator(operator) => {
                next.into_iter().for_each(|path| looks_at(path, out));
            }
            Some(_) => {}
            // It may be any operator, `-v` included, for what stands next.
            None if may_be_operator(argument) => {
                if argument.many || next.is_some_and(|next| may_hold_subscript(next)) {
                    opaque(Reason::ShellDynamicArgument, argument.span, out);
                }
                if let Some(path) = next.filter(|next| !next.literal().is_none_or(is_operator)) {
                    looks_at(path, out);
                }
            }
            None => {}
        }
    }
}

/// Tests of a file tell whether it exists, and nothing of what is in it.
fn looks_at<'s>(path: &Text<'s>, out: &mut Vec<Deed<'s>>) {
    out.push(Deed::Read { path: path.clone(), recursive: false });
}

/// A name without a subscript, or an operator for which the `-v` before it is an operand.
fn is_plain_name(text: &str) -> bool {
    is_name(text) || is_operator(text)
}

fn may_be_operator(text: &Text<'_>) -> bool {
    text.open.first().is_some_and(|open| {
        open.what != Unknown::Number
            && (open.start == 0 || (open.start == 1 && text.text.starts_with('-')))
    }) || (text.many && text.may_be_option())
}

fn may_hold_subscript(text: &Text<'_>) -> bool {
    text.text.contains('[') || text.open.iter().any(|open| open.what != Unknown::Number)
}

fn is_operator(text: &str) -> bool {
    matches!(
        text,
        "=" | "=="
            | "!="
            | "<"
            | ">"
            | "-eq"
            | "-ne"
            | "-lt"
            | "-le"
            | "-gt"
            | "-ge"
            | "-nt"
            | "-ot"
            | "-ef"
            | "-a"
            | "-o"
            | ")"
    )
}

fn is_file_operator(text: &str) -> bool {
    matches!(
        text,
        "-a" | "-b"
            | "-c"
            | "-d"
            | "-e"
            | "-f"
            | "-g"
            | "-h"
            | "-k"
            | "-p"
            | "-r"
            | "-s"
            | "-u"
            | "-w"
            | "-x"
            | "-G"
            | "-L"
            | "-N"
            | "-O"
            | "-S"
    )
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn files_are_looked_at() {
        check("test -f a", "read a");
        check("[ -d a ]", "read a");
        check("[ ! -e \"$x\" ]", "read <any>");
        check("[ a -nt /etc/b ]", "read a; read /etc/b");
        check("[ -e a -a -f b ]", "read a; read b");
        check("[ -a a ]", "read a");
        check("[ -n \"$x\" ]", "");
        check("[ \"$x\" = y ]", "");
        check("[ \"$x\" = \"$x\" ]", "");
        check("[ \"$x\" -eq 5 -a \"$x\" -lt 7 ]", "");
        check("[ $n -gt 0 ]", "");
        check("test", "");
        check("[ -v name ]", "");
        check("[ -t 1 ]", "");
        check("[ -e dir/* ]", "read dir/<glob>");
        check("[ \"$x\" /etc/passwd ]", "read /etc/passwd");
    }

    #[test]
    fn a_subscript_may_hold_a_command() {
        check_opaque("[ -v 'a[$(touch x)]' ]");
        check_opaque("test -v \"$x\"");
        check_opaque("test ! -v \"$x\"");
        check_opaque("[ -R 'a[0]' ]");
        check_opaque("[ \"$x\" \"$x\" ]");
        check_opaque("[ -\"$x\" 'a[$(touch x)]' ]");
        check_opaque("[ $x ]");
        check_opaque("[ -n $x ]");
        check_opaque("[ -f * ]");
        check_opaque("[ -f a");
    }
}
