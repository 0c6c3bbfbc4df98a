//! `env [option …] [name=value …] [command [argument …]]`.

use super::super::options::Takes::{Attached, Nothing, Value};
use super::super::options::{Options, opaque};
use super::{Wrapped, run};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};

/// Reads `-S` again and again, as `env` does.
pub(super) fn env<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut arguments = invocation.arguments.to_vec();
    for _ in 0..MAX_SPLITS {
        match once(&arguments, invocation, out) {
            Some(split) => arguments = split,
            None => return,
        }
    }
    opaque(out, Reason::ShellTooLarge, invocation.span);
}

/// Reads the arguments; returns those that an option `-S` makes of them.
fn once<'s>(
    arguments: &[Text<'s>],
    invocation: &Invocation<'_, 's>,
    out: &mut Vec<Deed<'s>>,
) -> Option<Vec<Text<'s>>> {
    let read = Wrapped::read(&OPTIONS, arguments, invocation, out)?;
    for (name, value) in &read.options {
        match (*name, value) {
            ("u", Some(variable)) => {
                let value = Text::known("", variable.span);
                out.push(Deed::Environment { name: variable.clone(), value });
            }
            // Relative paths of the command start elsewhere.
            ("C", Some(place)) => opaque(out, Reason::ShellWorkingDirectory, place.span),
            ("S", Some(text)) => {
                let Some(mut split) = split(text) else {
                    opaque(out, Reason::ShellInnerLanguage, text.span);
                    return None;
                };
                // `-S` ends the options, so nothing else was read in front of what follows.
                split.extend_from_slice(read.command);
                return Some(split);
            }
            ("a", Some(name)) => opaque(out, Reason::ShellArguments, name.span),
            _ => {}
        }
    }
    let mut command = read.command;
    // A lone `-` is `-i`.
    if let [first, rest @ ..] = command
        && first.literal() == Some("-")
    {
        command = rest;
    }
    while let Some((first, rest)) = command.split_first() {
        let Some((name, value)) = first.split_once('=') else {
            // It may be another assignment as well as the command.
            if first.literal().is_none() {
                opaque(out, Reason::ShellDynamicArgument, first.span);
            }
            break;
        };
        if first.many {
            opaque(out, Reason::ShellDynamicArgument, first.span);
            return None;
        }
        // `BASH_FUNC_ls%%=() { … }` is a function that every bash then has.
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(letter) {
            opaque(out, Reason::ShellEnvironment, first.span);
        }
        let name = Text::known(name.to_owned(), first.span);
        out.push(Deed::Environment { name, value });
        command = rest;
    }
    run(command, out);
    None
}

/// Splits the text of `-S` at blanks where it holds nothing else that `env` gives a meaning to.
fn split<'s>(text: &Text<'s>) -> Option<Vec<Text<'s>>> {
    let literal = text.literal()?;
    if literal.contains(['\\', '"', '\'', '$', '#']) || literal.contains(|c: char| c.is_control()) {
        return None;
    }
    let words = literal.split(' ').filter(|word| !word.is_empty());
    Some(words.map(|word| Text::known(word.to_owned(), text.span)).collect())
}

const OPTIONS: Options = Options {
    rows: &[
        ("i ignore-environment", Nothing),
        ("u unset", Value),
        ("C chdir", Value),
        ("S split-string", Value),
        ("0 null", Nothing),
        ("v debug", Nothing),
        ("a argv0", Value),
        ("block-signal", Attached),
        ("default-signal", Attached),
        ("ignore-signal", Attached),
        ("list-signal-handling", Nothing),
        ("version", Nothing),
        ("help", Nothing),
    ],
    permute: false,
};

/// Each `-S` may hold another.
const MAX_SPLITS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, check_opaque};

    #[test]
    fn assignments_come_before_the_command() {
        check("env", "");
        check("env A=1 B=\"$x\" make x", "env A=1; env B=<any>; run make x");
        check("env -i A=1 make", "env A=1; run make");
        check("env - A=1 make", "env A=1; run make");
        check("env -u HOME -- make -u x", "env HOME=; run make -u x");
        check("env --unset=PATH make", "env PATH=; run make");
        check("env A=1 -i make", "env A=1; run -i make");
        check("env LD_PRELOAD=./x.so ls", "env LD_PRELOAD=./x.so; run ls");
        check("env make A=1", "run make A=1");
        check("env -C /tmp ls", "!working_directory; run ls");
        check(
            "env 'BASH_FUNC_ls%%=() { rm x; }' bash -c ls",
            "!environment; env BASH_FUNC_ls%%=() { rm x; }; run bash -c ls",
        );
        check("env -a sh busybox", "!arguments; run busybox");
        check_opaque("env \"$x\" ls");
        check_opaque("env $x ls");
        check_opaque("env A=$x ls");
        check_opaque("env --uns=PATH ls");
        check_opaque("env -P /tmp ls");
        check_opaque("env -- \"$x\" ls");
        check_opaque("env A\"$x\"=1 ls");
    }

    #[test]
    fn a_string_is_split() {
        check("env -S 'A=1 rm -rf' x", "env A=1; run rm -rf x");
        check("env '-Srm -rf x'", "run rm -rf x");
        check("env -vS 'rm x'", "run rm x");
        check("env -S '-u PATH rm x'", "env PATH=; run rm x");
        check("env --split-string='rm x'", "run rm x");
        check("env -S '-S rm' x", "run rm x");
        check_opaque("env -S 'rm ${X}'");
        check_opaque("env -S 'rm\\_x'");
        check_opaque("env -S \"$x\"");
        check_opaque("env -S '-S -S -S -S -S rm'");
    }
}
