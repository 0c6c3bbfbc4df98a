//! Builtins that set, declare and forget variables.

use super::letters::Letters;
use super::{forget, is_name, opaque, unknown};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text, Unknown};

/// `printf [-v name] format [argument …]`.
pub(super) fn printf<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    // One word alone is a format, or an option without one: an error.
    if let [only] = invocation.arguments
        && !only.many
    {
        return;
    }
    let Some(read) = Letters::read(invocation.arguments, "", "v", out) else { return };
    if let Some(name) = read.value('v') {
        forget(name, out);
    }
    let Some((format, values)) = read.operands.split_first() else { return };
    // `%n` stores a number in the variable that its argument names.
    let stores = format.literal().is_none_or(stores);
    if format.many && format.literal().is_none() {
        return opaque(Reason::ShellDynamicArgument, format.span, out);
    }
    for value in values.iter().filter(|_| stores) {
        match value.literal() {
            Some(text) if is_name(text) => out.push(Deed::Forget { name: value.clone() }),
            Some(_) => {}
            None if value.open.iter().all(|open| open.what == Unknown::Number) => {}
            None => opaque(Reason::ShellDynamicArgument, value.span, out),
        }
    }
}

/// `export [-fn] [name[=value] …]`.
pub(super) fn export<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Letters::read(invocation.arguments, "np", "", out) else { return };
    for operand in read.operands {
        let declared = Declared::read(operand);
        forget_declared(&declared, operand, out);
        if !read.has('n') {
            environment(declared, operand, out);
        }
    }
}

/// `declare`, `typeset` and `local`. In a function the variable is its own, so that a value would be
/// wrong after it: it is forgotten.
pub(super) fn declare<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut exported = false;
    let mut listed = false;
    let mut operands = invocation.arguments;
    while let Some((first, rest)) = operands.split_first() {
        let Some(text) = first.literal().filter(|text| text.starts_with(['-', '+'])) else { break };
        operands = rest;
        if text == "--" {
            break;
        }
        let (sign, letters) = text.split_at_checked(1).unwrap_or_default();
        for letter in letters.chars() {
            match letter {
                'x' => exported = sign == "-",
                'g' | 'I' => {}
                'p' | 'f' | 'F' if sign == "-" => listed = true,
                // -i evaluates every later value, -n makes one name mean another, -r refuses later values,
                // -u and -l change them, -a and -A take subscripts, -t hands on traps.
                _ => opaque(Reason::ShellBuiltin, first.span, out),
            }
        }
        // `local -` restores the options of the shell at the end of the function.
        if letters.is_empty() {
            opaque(Reason::ShellBuiltin, first.span, out);
        }
    }
    if listed {
        // `-fx` exports a function, and every shell that is started then has it.
        if exported {
            opaque(Reason::ShellBuiltin, invocation.span, out);
        }
        return;
    }
    for operand in operands {
        let declared = Declared::read(operand);
        forget_declared(&declared, operand, out);
        if exported {
            environment(declared, operand, out);
        }
    }
}

/// `readonly`: later assignments fail, and the walk would believe them.
pub(super) fn readonly<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    if !invocation.arguments.iter().all(|argument| argument.literal() == Some("-p")) {
        opaque(Reason::ShellBuiltin, invocation.span, out);
    }
}

/// `unset [-fnv] [name …]`.
pub(super) fn unset<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    // -f gives the name of a function back to a program, -n stops one name from meaning another.
    let Some(read) = Letters::read(invocation.arguments, "fnv", "", out) else { return };
    if read.has('f') || read.has('n') {
        opaque(Reason::ShellBuiltin, invocation.span, out);
    }
    for name in read.operands {
        forget(name, out);
    }
}

/// `read [-Eers] [-a array] [-d delim] [-i text] [-n n] [-N n] [-p prompt] [-t s] [-u fd] [name …]`.
pub(super) fn read<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Letters::read(invocation.arguments, "Eers", "adinNptu", out) else { return };
    if let Some(array) = read.value('a') {
        forget(array, out);
    }
    for name in read.operands {
        forget(name, out);
    }
    if read.operands.is_empty() && !read.has('a') {
        out.push(Deed::Forget { name: Text::known("REPLY", invocation.span) });
    }
}

/// `mapfile [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array]`.
pub(super) fn mapfile<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Letters::read(invocation.arguments, "t", "dnOsuCc", out) else { return };
    if let Some(callback) = read.value('C') {
        // The callback is evaluated every few lines.
        opaque(Reason::ShellBuiltin, callback.span, out);
    }
    match read.operands.first() {
        Some(array) => forget(array, out),
        None => out.push(Deed::Forget { name: Text::known("MAPFILE", invocation.span) }),
    }
}

/// `getopts optstring name [argument …]`.
pub(super) fn getopts<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Letters::read(invocation.arguments, "", "", out) else { return };
    let [letters, name, ..] = read.operands else {
        return opaque(Reason::ShellArguments, invocation.span, out);
    };
    if letters.many {
        opaque(Reason::ShellDynamicArgument, letters.span, out);
    }
    forget(name, out);
    for name in ["OPTARG", "OPTIND"] {
        out.push(Deed::Forget { name: Text::known(name, invocation.span) });
    }
}

/// `wait [-fn] [-p name] [id …]`.
pub(super) fn wait<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Letters::read(invocation.arguments, "fn", "p", out) else { return };
    if let Some(name) = read.value('p') {
        forget(name, out);
    }
}

/// `let`: every name in an expression is evaluated in turn, so its value may run commands.
pub(super) fn arithmetic<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    for argument in invocation.arguments {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match argument.literal().and_then(|text| text.split_once('=')) {
            Some((name, value)) if is_name(name) && number(value) => {
                out.push(Deed::Forget { name: Text::known(name.to_owned(), argument.span) });
            }
            _ => opaque(Reason::ShellArithmetic, argument.span, out),
        }
    }
}

/// An operand of `export` and its like.
enum Declared<'s> {
    Name(Text<'s>),
    Value { name: Text<'s>, value: Text<'s> },
    Unclear(Reason),
}

impl<'s> Declared<'s> {
    fn read(operand: &Text<'s>) -> Self {
        // More than one word, of which one may be another assignment.
        if operand.many {
            return Self::Unclear(Reason::ShellDynamicArgument);
        }
        let (name, value) = match operand.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => match operand.literal() {
                Some(name) => (name, None),
                None => return Self::Unclear(Reason::ShellDynamicArgument),
            },
        };
        let (name, value) = match (name.strip_suffix('+'), value) {
            // What stood there before is not known here.
            (Some(name), Some(value)) => (name, Some(unknown(value.text.into_owned(), value.span))),
            (_, value) => (name, value),
        };
        if name.contains('[') {
            return Self::Unclear(Reason::ShellArithmetic);
        }
        if !is_name(name) {
            return Self::Unclear(Reason::ShellArguments);
        }
        let name = Text::known(name.to_owned(), operand.span);
        match value {
            Some(value) => Self::Value { name, value },
            None => Self::Name(name),
        }
    }
}

fn forget_declared<'s>(declared: &Declared<'s>, operand: &Text<'s>, out: &mut Vec<Deed<'s>>) {
    match declared {
        Declared::Name(name) | Declared::Value { name, .. } => {
            out.push(Deed::Forget { name: name.clone() });
        }
        Declared::Unclear(reason) => opaque(*reason, operand.span, out),
    }
}

fn environment<'s>(declared: Declared<'s>, operand: &Text<'s>, out: &mut Vec<Deed<'s>>) {
    match declared {
        Declared::Name(name) => {
            let value = unknown(format!("${}", name.text), operand.span);
            out.push(Deed::Environment { name, value });
        }
        Declared::Value { name, value } => out.push(Deed::Environment { name, value }),
        Declared::Unclear(_) => {}
    }
}

/// Reports whether a format holds a `%n`, whatever flags, widths and sizes stand in between.
fn stores(format: &str) -> bool {
    let mut rest = format;
    while let Some((_, behind)) = rest.split_once('%') {
        let conversion =
            behind.trim_start_matches(|c: char| "#'-+ .*hjlqtzL".contains(c) || c.is_ascii_digit());
        match conversion.chars().next() {
            Some('n') => return true,
            Some('%') => rest = conversion.get(1..).unwrap_or_default(),
            _ => rest = conversion,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn printf_may_set_a_variable() {
        check("printf '%s\\n' \"$x\"", "");
        check("printf '%5.2f %-10s%%n' a b", "");
        check("printf \"$x\"", "");
        check("printf '%s' $x", "");
        check("printf -v name '%s' a", "forget name");
        check("printf -vname '%s' a", "forget name");
        check("printf '%n' PATH", "forget PATH");
        check("printf '%-5ln' a", "forget a");
        check("printf \"a$x\" PATH 'b c'", "forget PATH");
        check("printf -v 'a[$(touch x)]' x", "!arithmetic");
        check_opaque("printf -v \"$x\" a");
        check_opaque("printf -v$x a");
        check_opaque("printf \"$x\" PATH");
        check_opaque("printf \"a$x\" \"$x\"");
        check_opaque("printf '%n' \"$x\"");
        check_opaque("printf $x");
        check_opaque("printf -q a");
    }

    #[test]
    fn declarations_name_what_they_set() {
        check("export A=1 B", "forget A; env A=1; forget B; env B=<any>");
        check("export A=\"$x\"", "forget A; env A=<any>");
        check("export PATH+=:/tmp", "forget PATH; env PATH=<any>");
        check("export -n A", "forget A");
        check("export -p", "");
        check("export TAR_OPTIONS='--create'", "forget TAR_OPTIONS; env TAR_OPTIONS=--create");
        check("export -- A=1", "forget A; env A=1");
        check("declare -x A=1", "forget A; env A=1");
        check("typeset -gx A=1", "forget A; env A=1");
        check("declare +x A=1", "forget A");
        check("local a b=2", "forget a; forget b");
        check("declare -f name", "");
        check("declare -p A", "");
        for line in [
            "export \"$x\"",
            "export $x",
            "export A=$x",
            "export -f name",
            "export 'a[$(touch x)]=1'",
            "export 'a b=1'",
            "declare -n T=x",
            "declare -i a",
            "declare -l T=RM",
            "declare -u T=rm",
            "declare -r A=1",
            "declare -fx f",
            "declare -a A=1",
            "declare -A A",
            "declare -t A",
            "declare \"$x\"",
            "declare -$x",
            "declare +n T",
            "declare 'a[0]=1'",
            "local -",
            "readonly A=1",
            "readonly A",
            "readonly -p A",
            "declare -gn a=b",
        ] {
            check_opaque(line);
        }
        check("readonly -p", "");
        check("declare", "");
    }

    #[test]
    fn variables_are_forgotten() {
        check("read -r a b", "forget a; forget b");
        check("read", "forget REPLY");
        check("read -p \"$x\" -rs a", "forget a");
        check("read -d '' -s -n1", "forget REPLY");
        check("read -ra list", "forget list");
        check("read -e -p '> ' $x", "!dynamic_argument");
        check("read 'a[$(touch x)]'", "!arithmetic");
        check("read -u 3 PATH", "forget PATH");
        check("read -q a", "!unknown_option");
        check("read -p $x PATH", "!dynamic_argument");
        check("mapfile -t lines", "forget lines");
        check("readarray", "forget MAPFILE");
        check("mapfile -C 'touch x' -c 1 a", "!builtin; forget a");
        check("getopts ab: name", "forget name; forget OPTARG; forget OPTIND");
        check_opaque("getopts ab: \"$x\"");
        check_opaque("getopts ab");
        check("unset a b", "forget a; forget b");
        check("unset -v a", "forget a");
        check("unset -f a", "!builtin; forget a");
        check("unset 'a[$(touch x)]'", "!arithmetic");
        check("unset \"$x\"", "!dynamic_argument");
        check("wait", "");
        check("wait $n", "");
        check("wait -n -p name", "forget name");
        check_opaque("wait $x");
        check("let a=5", "forget a");
        check_opaque("let i++");
        check_opaque("let a=b");
    }
}
