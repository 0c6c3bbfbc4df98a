//! Builtins that change the state of the shell: its directory, its options, its tables.

use super::{opaque, positional, unknown};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text, Unknown};

/// `cd [-L|[-P [-e]] [-@]] [dir]`.
pub(super) fn cd<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut operands = invocation.arguments;
    let mut physical = false;
    while let [first, rest @ ..] = operands {
        match first.literal() {
            Some("--") => {
                operands = rest;
                break;
            }
            Some(text) if is_cluster(text, "LPe@") => {
                physical |= text.contains('P');
                operands = rest;
            }
            Some(text) if text.len() > 1 && text.starts_with('-') => {
                return opaque(Reason::ShellUnknownOption, first.span, out);
            }
            _ => break,
        }
    }
    match operands {
        [] => out.push(Deed::ChangeDirectory(unknown("~".to_owned(), invocation.span))),
        // Where `..` leads from there depends on the links on the way.
        [place] if physical => {
            out.push(Deed::ChangeDirectory(unknown(place.text.to_string(), place.span)));
        }
        [place] => out.push(Deed::ChangeDirectory(directory(place))),
        // Refused by bash, understood by other shells.
        _ => opaque(Reason::ShellArguments, invocation.span, out),
    }
}

/// `pushd dir`; the forms that turn the stack around are opaque.
pub(super) fn pushd<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let place = match invocation.arguments {
        [place] => place,
        [end, place] if end.literal() == Some("--") => place,
        _ => return opaque(Reason::ShellWorkingDirectory, invocation.span, out),
    };
    if place.may_be_option() || place.text.starts_with('+') {
        return opaque(Reason::ShellWorkingDirectory, place.span, out);
    }
    out.push(Deed::ChangeDirectory(directory(place)));
}

/// `popd`: the directory is whatever was there before.
pub(super) fn popd<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    out.push(Deed::ChangeDirectory(unknown("-".to_owned(), invocation.span)));
}

/// `set [-abefhkmnptuvxBCEHPT] [-o name] [--] [argument …]`.
pub(super) fn set<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut operands = invocation.arguments;
    while let Some((first, rest)) = operands.split_first() {
        let Some(text) = first.literal() else {
            if first.may_be_option() || first.text.starts_with('+') {
                opaque(Reason::ShellDynamicArgument, first.span, out);
            }
            break;
        };
        let (on, letters) = match (text.strip_prefix('-'), text.strip_prefix('+')) {
            (Some(letters), _) => (true, letters),
            (None, Some(letters)) => (false, letters),
            (None, None) => break,
        };
        operands = rest;
        if text == "--" || text == "-" {
            out.push(Deed::Forget { name: positional(invocation.span) });
            return;
        }
        for letter in letters.chars() {
            if letter == 'o' {
                let Some((name, rest)) = operands.split_first() else { return };
                operands = rest;
                if !name.literal().is_some_and(|name| is_harmless_set(name, on)) {
                    opaque(Reason::ShellBuiltin, name.span, out);
                }
            } else if !is_harmless_letter(letter, on) {
                opaque(Reason::ShellBuiltin, first.span, out);
            }
        }
    }
    if !operands.is_empty() {
        out.push(Deed::Forget { name: positional(invocation.span) });
    }
}

/// `shopt [-pqsu] [-o] [name …]`.
pub(super) fn shopt<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut changes = false;
    for argument in invocation.arguments {
        match argument.literal() {
            Some(text) if is_cluster(text, "pq") => {}
            Some(text) if is_cluster(text, "pqsu") => changes = true,
            Some(name) if !name.starts_with('-') && (!changes || is_harmless_shopt(name)) => {}
            _ => opaque(Reason::ShellBuiltin, argument.span, out),
        }
    }
}

/// Builtins that print a table of the shell, or change it: only the former is known.
pub(super) fn listing<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let arguments = invocation.arguments;
    let plain = |text: &Text<'_>| {
        text.literal().is_some_and(|text| !text.starts_with(['-', '+']) && !text.contains('='))
    };
    let harmless = match (invocation.name, arguments) {
        (_, []) => true,
        ("alias" | "complete" | "hash" | "bind" | "enable" | "compopt", [only])
            if only.literal() == Some("-p") =>
        {
            true
        }
        ("hash", [only]) if matches!(only.literal(), Some("-r" | "-l")) => true,
        ("hash", [first, names @ ..]) if matches!(first.literal(), Some("-t" | "-d")) => {
            names.iter().all(plain)
        }
        ("alias" | "hash", names) => names.iter().all(plain),
        ("enable", [only]) => matches!(only.literal(), Some("-a" | "-n" | "-s")),
        ("bind", [only]) => matches!(only.literal(), Some("-l" | "-P" | "-s" | "-S" | "-v" | "-V")),
        ("history", [count]) => {
            count.literal().is_some_and(|count| count.bytes().all(|byte| byte.is_ascii_digit()))
        }
        // Names of the shell's own tables; -C, -F and -W run code, -f and -G look at files.
        ("compgen", [kind, prefix @ ..]) => {
            kind.literal().is_some_and(|kind| is_cluster(kind, "abcekv"))
                && prefix.iter().all(|text| plain(text) || text.literal() == Some("--"))
        }
        _ => false,
    };
    // The history is written to files, and read from them.
    let file = |option: &Text<'_>| {
        option.literal().is_some_and(|text| text.starts_with('-') && text.contains(['a', 'w']))
    };
    if let ("history", [option, path]) = (invocation.name, arguments)
        && file(option)
    {
        out.push(Deed::Write { path: path.clone(), recursive: false });
    }
    if !harmless {
        opaque(Reason::ShellBuiltin, invocation.span, out);
    }
}

/// The place that `cd` goes to: not known if it may be `-`, an option, or more than one word.
fn directory<'s>(place: &Text<'s>) -> Text<'s> {
    let several = place.many && place.open.iter().any(|open| open.what == Unknown::Anything);
    let option = place.may_be_option();
    if several || option {
        return unknown(place.text.clone().into_owned(), place.span);
    }
    Text { many: false, ..place.clone() }
}

/// Reports whether `text` is `-` and letters of `letters`.
fn is_cluster(text: &str, letters: &str) -> bool {
    text.strip_prefix('-').is_some_and(|behind| {
        !behind.is_empty() && behind.chars().all(|letter| letters.contains(letter))
    })
}

/// `-a` exports what later assignments set, `-k` takes assignments anywhere, `-H` rewrites lines, `-p` and
/// `-r` change privileges, `-P` what `..` means, `-t` ends the shell, `+B` takes braces as they stand.
fn is_harmless_letter(letter: char, on: bool) -> bool {
    match letter {
        'b' | 'e' | 'f' | 'h' | 'm' | 'n' | 'u' | 'v' | 'x' | 'C' | 'E' | 'T' => true,
        'a' | 'k' | 'H' | 'P' | 't' => !on,
        'B' => on,
        _ => false,
    }
}

fn is_harmless_set(name: &str, on: bool) -> bool {
    match name {
        "emacs" | "errexit" | "errtrace" | "functrace" | "hashall" | "ignoreeof" | "monitor"
        | "noclobber" | "noexec" | "noglob" | "nolog" | "notify" | "nounset" | "pipefail"
        | "verbose" | "vi" | "xtrace" => true,
        "allexport" | "keyword" | "histexpand" | "history" | "onecmd" | "physical" => !on,
        "braceexpand" => on,
        _ => false,
    }
}

/// An option here adds no name to what a pattern may match, and changes no syntax.
fn is_harmless_shopt(name: &str) -> bool {
    matches!(
        name,
        "checkhash"
            | "checkwinsize"
            | "cmdhist"
            | "failglob"
            | "inherit_errexit"
            | "lithist"
            | "nullglob"
    )
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn the_directory_is_followed() {
        check("cd src", "cd src");
        check("cd -P -- ../x", "cd <any>");
        check("cd -PL /srv/web", "cd <any>");
        check("cd", "cd <any>");
        check("cd -", "cd <any>");
        check("cd \"$x\"", "cd <any>");
        check("cd $x", "cd <any>");
        check("cd src/$x", "cd <any>");
        check("cd a\"$x\"", "cd a<any>");
        check("cd *", "cd <any>");
        check("cd a b", "!arguments");
        check("cd -q x", "!unknown_option");
        check("cd -- -q", "cd <any>");
        check("pushd src", "cd src");
        check("pushd -- src", "cd src");
        check("pushd", "!working_directory");
        check("pushd +1", "!working_directory");
        check("pushd -n src", "!working_directory");
        check("pushd \"$x\"", "!working_directory");
        check("popd", "cd <any>");
        check("dirs -v", "");
    }

    #[test]
    fn options_that_change_what_lines_mean_are_opaque() {
        check("set -euo pipefail", "");
        check("set -e -u -x", "");
        check("set -o xtrace", "");
        check("set", "");
        check("set -o", "");
        check("set +m", "");
        check("set +a", "");
        check("set -- a b", "forget @");
        check("set -- $x", "forget @");
        check("set a -a", "forget @");
        check("set -eu -- a", "forget @");
        for line in [
            "set -a",
            "set -k",
            "set -eua",
            "set -H",
            "set +B",
            "set -o posix",
            "set -o allexport",
            "set +o posix",
            "set -p",
            "set +p",
            "set -P",
            "set -o history",
            "set $x",
            "set \"$x\"",
            "set -\"$x\"",
            "set -o \"$x\"",
            "set -q",
            "shopt -s extglob",
            "shopt -s globstar",
            "shopt -s dotglob",
            "shopt -s expand_aliases",
            "shopt -so posix",
            "shopt -s \"$x\"",
            "shopt \"$x\"",
            "shopt -u -o posix",
            "shopt -s lastpipe",
        ] {
            check_opaque(line);
        }
        check("shopt", "");
        check("shopt -s nullglob", "");
        check("shopt -q extglob", "");
        check("shift 2", "forget @");
    }

    #[test]
    fn tables_are_listed_but_not_changed() {
        for line in [
            "alias",
            "alias ll",
            "alias -p",
            "hash -r",
            "hash ls",
            "history",
            "history 20",
            "compgen -c",
        ] {
            check(line, "");
        }
        for line in [
            "alias ls=rm",
            "alias \"$x\"",
            "hash -p /tmp/x ls",
            "enable -f ./x.so x",
            "enable -n test",
            "history -c",
            "history -s 'touch x'",
            "fc -s",
            "bind -x '\"a\": rm'",
            "complete -C x y",
            "compgen -C 'touch x' a",
            "compgen -W '$(touch x)' a",
            "compgen -F f",
            "history \"$x\"",
        ] {
            check_opaque(line);
        }
        check("history -a ~/.bashrc", "write ~/.bashrc; !builtin");
        check("history -w x", "write x; !builtin");
    }
}
