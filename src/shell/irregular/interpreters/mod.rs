//! Interpreters of other languages. Code on the command line cannot be looked into; a file is code of
//! the workspace; options that load code before it, or that change where code is found, are left out of
//! the lists below, so that they are unknown.

mod deno;
mod python;
#[cfg(test)]
mod tests;

use super::options::Takes::{Attached, Nothing, Value};
use super::options::{Item, Options, Reader, opaque};
use super::shells::{is_input, script};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Stdin, Text};

/// Tells what an interpreter does; false if `name` is none.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) -> bool {
    match invocation.name {
        "perl" => plain(&PERL, invocation, out),
        // By itself it is the version, and no code is read.
        "ruby" if matches!(invocation.arguments, [only] if only.literal() == Some("-v")) => {}
        "ruby" => plain(&RUBY, invocation, out),
        "lua" | "luajit" | "lua5.1" | "lua5.2" | "lua5.3" | "lua5.4" => {
            plain(&LUA, invocation, out)
        }
        "Rscript" => plain(&RSCRIPT, invocation, out),
        "julia" => plain(&JULIA, invocation, out),
        "tclsh" | "wish" | "expect" => plain(&TCL, invocation, out),
        "osascript" => plain(&OSASCRIPT, invocation, out),
        "irb" | "iex" | "ghci" => plain(&TCL, invocation, out),
        "node" | "nodejs" => node(invocation, out),
        "php" => php(invocation, out),
        "R" => r(invocation, out),
        "deno" => deno::deno(invocation, out),
        "pypy" | "pypy3" => python::python(invocation, out),
        name if is_python(name) => python::python(invocation, out),
        _ => return false,
    }
    true
}

/// `python`, `python3`, `python3.12`.
fn is_python(name: &str) -> bool {
    name.strip_prefix("python")
        .is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

/// Takes `option … file argument …`. An option `e` has code as its value, `!` prints something and
/// ends, `C` changes the directory.
fn plain<'s>(options: &'static Options, invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut informs = false;
    for item in Reader::new(options, invocation.arguments, invocation.span) {
        match item {
            // What stands behind it are options and arguments of that code.
            Item::Option("e" | "code", _) => return out.push(Deed::ForeignCode),
            Item::Option("!", _) => informs = true,
            Item::Option("C", _) => opaque(out, Reason::ShellWorkingDirectory, invocation.span),
            // More code is read when the file is done; for `perl` and `ruby` it edits files in place.
            Item::Option("i", _) if !matches!(invocation.name, "perl" | "ruby") => {
                opaque(out, Reason::ShellCodeOnStdin, invocation.span);
            }
            Item::Option(..) => {}
            Item::Operand(file) => return code(file, invocation, out),
            Item::Doubt(reason, span) => {
                // It may have a value, and then that is no file of code.
                return opaque(out, reason, span);
            }
        }
    }
    if !informs {
        input(invocation, out);
    }
}

/// Runs the code in a file, or that of the input.
fn code<'s>(file: &Text<'s>, invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    if file.literal().is_some_and(is_input) {
        input(invocation, out);
    }
    if file.literal() != Some("-") {
        script(file, out);
    }
}

/// Runs the code that is read from the input.
fn input<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    match invocation.stdin {
        // It stands in the line, as behind `-c`.
        Stdin::Text(_) => out.push(Deed::ForeignCode),
        _ => opaque(out, Reason::ShellCodeOnStdin, invocation.span),
    }
}

/// `node [option …] [file | -] [argument …]`.
fn node<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let here = Text::known(".", invocation.span);
    for item in Reader::new(&NODE, invocation.arguments, invocation.span) {
        match item {
            Item::Option("inspect", address) => listen(address.as_ref(), 9229, invocation, out),
            Item::Option("test" | "run", _) => {
                return out.push(Deed::WorkspaceCode { place: here });
            }
            Item::Operand(word) if matches!(word.literal(), Some("inspect" | "debug")) => {
                opaque(out, Reason::ShellUnknownOption, word.span);
                break;
            }
            _ => {}
        }
    }
    plain(&NODE, invocation, out);
}

/// `php [option …] [file] [argument …]`.
fn php<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut serves = false;
    for item in Reader::new(&PHP, invocation.arguments, invocation.span) {
        match item {
            Item::Option("S", address) => {
                listen(address.as_ref(), 80, invocation, out);
                serves = true;
            }
            Item::Option("t", Some(place)) => {
                out.push(Deed::Read { path: place.clone(), recursive: true });
                out.push(Deed::WorkspaceCode { place });
            }
            Item::Option("f", Some(file)) => return code(&file, invocation, out),
            Item::Option("a", _) => return input(invocation, out),
            Item::Operand(_) => break,
            _ => {}
        }
    }
    if serves {
        let place = Text::known(".", invocation.span);
        out.push(Deed::Read { path: place.clone(), recursive: false });
        out.push(Deed::WorkspaceCode { place });
    }
    let before = out.len();
    plain(&PHP, invocation, out);
    // Without a file a server reads none from its input.
    let waits = |deed: &Deed<'_>| {
        matches!(deed, Deed::Opaque { reason: Reason::ShellCodeOnStdin, .. } | Deed::ForeignCode)
    };
    if serves && out.len() == before + 1 && out.last().is_some_and(waits) && has_no_file(invocation)
    {
        out.pop();
    }
}

/// Reports whether a `php` has neither a file nor code.
fn has_no_file(invocation: &Invocation<'_, '_>) -> bool {
    !Reader::new(&PHP, invocation.arguments, invocation.span)
        .any(|item| matches!(item, Item::Operand(_) | Item::Doubt(..) | Item::Option("code", _)))
}

/// `R [option …] [<file]`, `R CMD command …`.
fn r<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    if let [first, rest @ ..] = invocation.arguments
        && first.literal() == Some("CMD")
    {
        match rest {
            [command, file, ..] if command.literal() == Some("BATCH") => {
                if file.may_be_option() {
                    opaque(out, Reason::ShellUnknownOption, file.span);
                }
                out.push(Deed::WorkspaceCode { place: file.clone() });
                // The output stands in a file beside it, or in one that is named.
                out.push(Deed::Create { path: Text::known(".", invocation.span) });
                let named = rest.get(2);
                named.into_iter().for_each(|path| {
                    out.push(Deed::Write { path: path.clone(), recursive: false });
                });
            }
            _ => opaque(out, Reason::ShellUnknownOption, invocation.span),
        }
        return;
    }
    for item in Reader::new(&R, invocation.arguments, invocation.span) {
        match item {
            Item::Option("f", Some(file)) => return code(&file, invocation, out),
            Item::Option("i", _) => {
                opaque(out, Reason::ShellCodeOnStdin, invocation.span);
            }
            Item::Option("args", _) | Item::Operand(_) => break,
            _ => {}
        }
    }
    plain(&R, invocation, out);
}

/// Opens a port at `address`: `port`, `host`, `host:port`.
fn listen<'s>(
    address: Option<&Text<'s>>,
    usual: u16,
    invocation: &Invocation<'_, 's>,
    out: &mut Vec<Deed<'s>>,
) {
    let loopback = Text::known("127.0.0.1", invocation.span);
    let Some(address) = address else {
        return out.push(Deed::Listen { host: loopback, port: Some(usual), udp: false });
    };
    let Some(text) = address.literal() else {
        return out.push(Deed::Listen { host: address.clone(), port: None, udp: false });
    };
    let (host, port) = match (text.parse::<u16>(), text.rsplit_once(':')) {
        (Ok(port), _) => (loopback, Some(port)),
        (Err(_), Some((host, port))) => {
            (Text::known(host.to_owned(), address.span), port.parse().ok())
        }
        (Err(_), None) => (address.clone(), Some(usual)),
    };
    out.push(Deed::Listen { host, port, udp: false });
}

const PERL: Options = Options {
    rows: &[
        ("e E", Value),
        ("! v V", Attached),
        ("n", Nothing),
        ("p", Nothing),
        ("a", Nothing),
        ("i", Attached),
        // Digits may follow these two, and other options behind them.
        ("l", Nothing),
        ("0 1 2 3 4 5 6 7", Nothing),
        ("F", Attached),
        ("w", Nothing),
        ("W", Nothing),
        ("X", Nothing),
        ("c", Nothing),
        ("s", Nothing),
        ("t", Nothing),
        ("T", Nothing),
        ("u", Nothing),
        ("U", Nothing),
    ],
    permute: false,
};

const RUBY: Options = Options {
    rows: &[
        ("e", Value),
        ("! version help", Nothing),
        ("n", Nothing),
        ("p", Nothing),
        ("a", Nothing),
        ("l", Nothing),
        ("i", Attached),
        ("0 1 2 3 4 5 6 7", Nothing),
        ("F", Attached),
        ("w", Nothing),
        ("W", Nothing),
        ("v verbose", Nothing),
        ("c", Nothing),
        ("s", Nothing),
        ("U", Nothing),
        ("jit", Attached),
        ("yjit", Attached),
        ("disable", Attached),
        ("encoding", Value),
        ("C", Value),
    ],
    permute: false,
};

const LUA: Options = Options {
    rows: &[("e", Value), ("! v", Nothing), ("E", Nothing), ("W", Nothing), ("i", Nothing)],
    permute: false,
};

const RSCRIPT: Options = Options {
    rows: &[
        ("e", Value),
        ("! version help", Nothing),
        ("verbose", Nothing),
        ("vanilla", Nothing),
        ("no-save", Nothing),
        ("no-restore", Nothing),
        ("no-environ", Nothing),
        ("no-site-file", Nothing),
        ("no-init-file", Nothing),
        ("default-packages", Attached),
    ],
    permute: false,
};

const R: Options = Options {
    rows: &[
        ("e", Value),
        ("! version help", Nothing),
        ("f file", Value),
        ("q quiet silent", Nothing),
        ("s no-echo slave", Nothing),
        ("vanilla", Nothing),
        ("save", Nothing),
        ("no-save", Nothing),
        ("no-restore", Nothing),
        ("no-environ", Nothing),
        ("no-site-file", Nothing),
        ("no-init-file", Nothing),
        ("no-readline", Nothing),
        ("i interactive", Nothing),
        ("args", Nothing),
    ],
    permute: false,
};

const JULIA: Options = Options {
    rows: &[
        ("e E eval print", Value),
        ("! v version h help", Nothing),
        ("project", Attached),
        ("t threads", Value),
        ("p procs", Value),
        ("O optimize", Attached),
        ("q quiet", Nothing),
        ("i", Nothing),
        ("color", Attached),
        ("startup-file", Attached),
        ("depwarn", Attached),
        ("check-bounds", Attached),
        ("compiled-modules", Attached),
    ],
    permute: false,
};

const TCL: Options = Options { rows: &[("! version v help", Nothing)], permute: false };

const OSASCRIPT: Options =
    Options { rows: &[("e", Value), ("l", Value), ("i", Nothing), ("s", Value)], permute: false };

const NODE: Options = Options {
    rows: &[
        ("e eval p print pe", Value),
        ("! v version h help v8-options completion-bash", Nothing),
        ("c check", Nothing),
        ("i interactive", Nothing),
        ("test", Nothing),
        ("test-only", Nothing),
        ("test-reporter", Value),
        ("test-name-pattern", Value),
        ("test-concurrency", Value),
        ("run", Value),
        ("watch", Nothing),
        ("inspect inspect-brk inspect-wait", Attached),
        ("no-warnings", Nothing),
        ("no-deprecation", Nothing),
        ("trace-warnings", Nothing),
        ("trace-deprecation", Nothing),
        ("trace-uncaught", Nothing),
        ("throw-deprecation", Nothing),
        ("pending-deprecation", Nothing),
        ("enable-source-maps", Nothing),
        ("experimental-strip-types", Nothing),
        ("experimental-transform-types", Nothing),
        ("experimental-vm-modules", Nothing),
        ("experimental-modules", Nothing),
        ("experimental-test-coverage", Nothing),
        ("experimental-json-modules", Nothing),
        ("experimental-wasm-modules", Nothing),
        ("expose-gc", Nothing),
        ("max-old-space-size max_old_space_size", Attached),
        ("stack-size", Attached),
        ("stack-trace-limit", Attached),
        ("unhandled-rejections", Value),
        ("input-type", Value),
        ("preserve-symlinks", Nothing),
        ("use-strict", Nothing),
    ],
    permute: false,
};

const PHP: Options = Options {
    rows: &[
        ("code r run B process-begin R process-code E process-end", Value),
        (
            "! v version h help usage i info m modules ini rf rfunction rc rclass re rextension \
             rz rzendextension ri rextinfo",
            Attached,
        ),
        ("f file", Value),
        ("F process-file", Value),
        ("a interactive", Nothing),
        ("l syntax-check", Nothing),
        ("n no-php-ini", Nothing),
        ("q no-header", Nothing),
        ("w strip", Nothing),
        ("s syntax-highlight", Nothing),
        ("H hide-args", Nothing),
        ("S server", Value),
        ("t docroot", Value),
    ],
    permute: false,
};
