//! Programs that time, repeat, record, lock or trace another.

use super::super::options::Takes::{Attached, Nothing, Value};
use super::super::options::{Options, opaque};
use super::super::shells::joined;
use super::{Wrapped, run};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};

/// GNU `time [option …] command [argument …]`.
pub(super) fn time<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Wrapped::read(&TIME, invocation.arguments, invocation, out) else { return };
    write(read.value("o"), out);
    run(read.command, out);
}

/// `watch [option …] command`: the words are joined for a shell, unless `-x` is given.
pub(super) fn watch<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Wrapped::read(&WATCH, invocation.arguments, invocation, out) else { return };
    if let Some(place) = read.value("s") {
        out.push(Deed::Create { path: place.clone() });
    }
    if read.has("x") {
        return run(read.command, out);
    }
    match joined(read.command) {
        Some(script) => out.push(Deed::Shell { script, login: false }),
        None if read.command.is_empty() => {}
        None => opaque(out, Reason::ShellDynamicArgument, invocation.span),
    }
}

/// `script [option …] [file]`: a shell, or the script behind `-c`, with a record of what it prints.
pub(super) fn script<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Wrapped::read(&SCRIPT, invocation.arguments, invocation, out) else { return };
    let named = ["O", "I", "B", "T", "t"].map(|name| read.value(name));
    named.into_iter().for_each(|file| write(file, out));
    match read.command {
        [] if read.value("O").is_some() || read.value("B").is_some() => {}
        [] => out.push(Deed::Write {
            path: Text::known("typescript", invocation.span),
            recursive: false,
        }),
        [file] => write(Some(file), out),
        // Options behind the file are read too, and BSD takes a command there.
        _ => opaque(out, Reason::ShellArguments, invocation.span),
    }
    match read.value("c") {
        Some(text) if text.literal().is_some() => {
            out.push(Deed::Shell { script: text.clone(), login: false });
        }
        Some(text) => opaque(out, Reason::ShellDynamicArgument, text.span),
        None => opaque(out, Reason::ShellCodeOnStdin, invocation.span),
    }
}

/// `flock [option …] file command [argument …]`, `flock … file -c script`, `flock … descriptor`.
pub(super) fn flock<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some(read) = Wrapped::read(&FLOCK, invocation.arguments, invocation, out) else { return };
    match read.command {
        [] => opaque(out, Reason::ShellArguments, invocation.span),
        [descriptor]
            if descriptor.literal().is_some_and(|text| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
            }) => {}
        [file, flag, text] if matches!(flag.literal(), Some("-c" | "--command")) => {
            write(Some(file), out);
            match text.literal() {
                Some(_) => out.push(Deed::Shell { script: text.clone(), login: false }),
                None => opaque(out, Reason::ShellDynamicArgument, text.span),
            }
        }
        [file, command @ ..] => {
            write(Some(file), out);
            if command.first().is_none_or(Text::may_be_option) {
                opaque(out, Reason::ShellArguments, invocation.span);
            }
            run(command, out);
        }
    }
}

/// `strace [option …] command [argument …]`.
pub(super) fn trace<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let options = if invocation.name == "strace" { &STRACE } else { &LTRACE };
    let Some(read) = Wrapped::read(options, invocation.arguments, invocation, out) else { return };
    if let Some(file) = read.value("o") {
        // `-o '|command'` and `-o '!command'` write to a program.
        if file.starts_with("|") || file.starts_with("!") || file.may_be_option() {
            opaque(out, Reason::ShellInnerLanguage, file.span);
        }
        out.push(Deed::Write { path: file.clone(), recursive: false });
    }
    for (name, value) in &read.options {
        match (*name, value) {
            ("E", Some(value)) => {
                let pair = value.split_once('=');
                let (name, value) = pair.unwrap_or((&value.text, Text::known("", value.span)));
                let name = Text::known(name.to_owned(), value.span);
                out.push(Deed::Environment { name, value });
            }
            // Another process is stopped and looked into.
            ("p", _) => out.push(Deed::Privilege("trace".into())),
            // A fault may be put into a call: `-e inject=…`.
            ("e", Some(value)) => match value.literal() {
                Some(text) if !text.contains("inject") && !text.contains("fault") => {}
                _ => opaque(out, Reason::ShellInnerLanguage, value.span),
            },
            ("u", Some(value)) => opaque(out, Reason::ShellArguments, value.span),
            _ => {}
        }
    }
    run(read.command, out);
}

fn write<'s>(file: Option<&Text<'s>>, out: &mut Vec<Deed<'s>>) {
    if let Some(file) = file {
        out.push(Deed::Write { path: file.clone(), recursive: false });
    }
}

const TIME: Options = Options {
    rows: &[
        ("a append", Nothing),
        ("f format", Value),
        ("o output", Value),
        ("p portability", Nothing),
        ("q quiet", Nothing),
        ("v verbose", Nothing),
        ("V version", Nothing),
        ("help", Nothing),
    ],
    permute: false,
};

const WATCH: Options = Options {
    rows: &[
        ("n interval", Value),
        ("d differences", Attached),
        ("b beep", Nothing),
        ("c color", Nothing),
        ("C no-color", Nothing),
        ("e errexit", Nothing),
        ("f follow", Nothing),
        ("g chgexit", Nothing),
        ("p precise", Nothing),
        ("q equexit", Value),
        ("r no-rerun", Nothing),
        ("s shotsdir", Value),
        ("t no-title", Nothing),
        ("w no-wrap", Nothing),
        ("x exec", Nothing),
        ("h help", Nothing),
        ("v version", Nothing),
    ],
    permute: false,
};

const SCRIPT: Options = Options {
    rows: &[
        ("a append", Nothing),
        ("c command", Value),
        ("e return", Nothing),
        ("f flush", Nothing),
        ("force", Nothing),
        ("q quiet", Nothing),
        ("t timing", Attached),
        ("T log-timing", Value),
        ("I log-in", Value),
        ("O log-out", Value),
        ("B log-io", Value),
        ("E echo", Value),
        ("m logging-format", Value),
        ("o output-limit", Value),
    ],
    permute: false,
};

const FLOCK: Options = Options {
    rows: &[
        ("s shared", Nothing),
        ("x e exclusive", Nothing),
        ("u unlock", Nothing),
        ("n nb nonblock", Nothing),
        ("w wait timeout", Value),
        ("o close", Nothing),
        ("E conflict-exit-code", Value),
        ("F no-fork", Nothing),
        ("verbose", Nothing),
    ],
    permute: false,
};

const STRACE: Options = Options {
    rows: &[
        ("f follow-forks", Nothing),
        ("F", Nothing),
        ("c summary-only", Nothing),
        ("C summary", Nothing),
        ("w summary-wall-clock", Nothing),
        ("d debug", Nothing),
        ("i instruction-pointer", Nothing),
        ("k stack-traces", Nothing),
        ("n syscall-number", Nothing),
        ("q quiet", Nothing),
        ("r relative-timestamps", Nothing),
        ("t absolute-timestamps", Nothing),
        ("T syscall-times", Nothing),
        ("v no-abbrev", Nothing),
        ("x", Nothing),
        ("y", Nothing),
        ("z successful-only", Nothing),
        ("Z failed-only", Nothing),
        ("a columns", Value),
        ("b", Value),
        ("e", Value),
        ("E env", Value),
        ("I interruptible", Value),
        ("o output", Value),
        ("O", Value),
        ("p attach", Value),
        ("P trace-path", Value),
        ("s string-limit", Value),
        ("S summary-sort-by", Value),
        ("u user", Value),
        ("U summary-columns", Value),
        ("X", Value),
    ],
    permute: false,
};

const LTRACE: Options = Options {
    rows: &[
        ("f", Nothing),
        ("c", Nothing),
        ("C demangle", Nothing),
        ("i", Nothing),
        ("L", Nothing),
        ("r", Nothing),
        ("S", Nothing),
        ("t", Nothing),
        ("T", Nothing),
        ("a align", Value),
        ("A", Value),
        ("n indent", Value),
        ("o output", Value),
        ("p", Value),
        ("s", Value),
        ("u", Value),
    ],
    permute: false,
};

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, check_opaque};

    #[test]
    fn the_command_is_run() {
        check("time make x", "run make x");
        check("time -v -o t.log make -o x", "write t.log; run make -o x");
        check("time -f '%e' make", "run make");
        check("watch -n 5 ls -l", "shell `ls -l`");
        check("watch 'rm x | cat'", "shell `rm x | cat`");
        check("watch -x rm x", "run rm x");
        check("watch -d=cumulative ls", "shell `ls`");
        check("script -qc 'rm x' /dev/null", "write /dev/null; shell `rm x`");
        check("script -c 'rm x'", "write typescript; shell `rm x`");
        check("script out.txt", "write out.txt; !code_on_stdin");
        check("flock -n /tmp/l rm x", "write /tmp/l; run rm x");
        check("flock l -c 'rm x'", "write l; shell `rm x`");
        check("flock 9", "");
        check("strace -f -o t.txt ls -o x", "write t.txt; run ls -o x");
        check("strace -e trace=open ls", "run ls");
        check("strace -E LD_PRELOAD=x ls", "env LD_PRELOAD=x; run ls");
        check("strace -p 1", "privilege trace");
        check("ltrace -c ls", "run ls");
    }

    #[test]
    fn what_may_be_another_command_is_opaque() {
        for line in [
            "watch \"$x\"",
            "watch ls \"$x\"",
            "watch $x",
            "script -c \"$x\"",
            "script out -c 'rm x'",
            "script -q out rm x",
            "flock l \"$x\"",
            "flock l -c \"$x\"",
            "flock l -x rm y",
            "flock \"$x\" rm y",
            "strace -o '|sh' ls",
            "strace -o '!rm x' ls",
            "strace -o\"$x\" ls",
            "strace -e inject=open:error=1 ls",
            "time \"$x\"",
            "strace -u root ls",
            "ltrace -l x ls",
        ] {
            check_opaque(line);
        }
    }
}
