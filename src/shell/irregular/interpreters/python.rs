//! `python [option …] [-c code | -m module | file | -] [argument …]`.

use super::super::options::Takes::{Attached, Nothing, Value};
use super::super::options::{Item, Options, Reader, opaque};
use super::{code, input, listen};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};

pub(super) fn python<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut reader = Reader::new(&PYTHON, invocation.arguments, invocation.span);
    let mut informs = false;
    while let Some(item) = reader.next() {
        match item {
            Item::Option("c", _) => return out.push(Deed::ForeignCode),
            Item::Option("m", Some(name)) => {
                return module(&name, reader.rest(), invocation, out);
            }
            Item::Option("V" | "h", _) => informs = true,
            Item::Option("X", Some(value)) if !value.literal().is_some_and(is_harmless) => {
                opaque(out, Reason::ShellUnknownOption, value.span);
            }
            // A category in a filter of warnings is imported.
            Item::Option("W", Some(value)) if !value.literal().is_some_and(is_plain_filter) => {
                opaque(out, Reason::ShellUnknownOption, value.span);
            }
            Item::Option("i", _) => opaque(out, Reason::ShellCodeOnStdin, invocation.span),
            Item::Option(..) => {}
            Item::Operand(file) => return code(file, invocation, out),
            Item::Doubt(reason, span) => return opaque(out, reason, span),
        }
    }
    if !informs {
        input(invocation, out);
    }
}

/// `python -m module argument …`: those of the library do what they do, others are code of the
/// workspace or of what is installed there.
fn module<'s>(
    name: &Text<'s>,
    arguments: &[Text<'s>],
    invocation: &Invocation<'_, 's>,
    out: &mut Vec<Deed<'s>>,
) {
    let Some(module) = name.literal() else {
        return opaque(out, Reason::ShellDynamicProgram, name.span);
    };
    let here = Text::known(".", invocation.span);
    // `vllm.entrypoints.api_server`: parts of a program serve, launch or fetch as it does.
    let part = |&(top, _): &&(&str, &str)| {
        module.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let program = match module {
        "pip" | "pytest" | "mypy" | "black" | "ruff" | "flake8" | "isort" | "pylint"
        | "coverage" | "tox" | "nox" | "poetry" | "pyright" | "pipx" | "uv" | "twine"
        | "pipenv" => Some(module),
        "pip3" => Some("pip3"),
        "pre_commit" => Some("pre-commit"),
        "torch.distributed.run" | "torch.distributed.launch" => Some("torchrun"),
        _ => LAUNCHERS.iter().find(part).map(|&(_, program)| program),
    };
    if let Some(program) = program {
        // The current directory comes first where modules are found.
        out.push(Deed::WorkspaceCode { place: here });
        let mut argv = vec![Text::known(program.to_owned(), name.span)];
        argv.extend_from_slice(arguments);
        return out.push(Deed::Command { argv });
    }
    out.push(Deed::WorkspaceCode { place: here });
    match module {
        "http.server" => serve(arguments, invocation, out),
        "json.tool" => {
            let files = plain(&JSON, arguments, invocation, out);
            if let Some(file) = files.first() {
                out.push(Deed::Read { path: file.clone(), recursive: false });
            }
            if let Some(file) = files.get(1) {
                out.push(Deed::Write { path: file.clone(), recursive: false });
            }
        }
        "venv" => {
            for path in plain(&VENV, arguments, invocation, out) {
                out.push(Deed::Create { path });
            }
        }
        "build" => {
            let places = plain(&BUILD, arguments, invocation, out);
            for place in places {
                out.push(Deed::WorkspaceCode { place });
            }
        }
        "py_compile" | "compileall" => {
            for path in plain(&COMPILE, arguments, invocation, out) {
                out.push(Deed::Read { path: path.clone(), recursive: true });
                out.push(Deed::Write { path, recursive: true });
            }
        }
        "dis" | "ast" | "tabnanny" | "pyclbr" => {
            for path in plain(&LOOK, arguments, invocation, out) {
                out.push(Deed::Read { path, recursive: true });
            }
        }
        "zipfile" | "tarfile" => {
            for path in plain(&LISTS, arguments, invocation, out) {
                out.push(Deed::Read { path, recursive: false });
            }
        }
        "cProfile" | "profile" => profile(arguments, invocation, out),
        // Arguments name tests, which are code wherever they lie.
        "unittest" | "doctest" => {
            for argument in arguments {
                let behind = argument.split_once('=').map(|(_, value)| value);
                let place = behind.unwrap_or_else(|| argument.clone());
                let joined = place.starts_with("-s") || place.starts_with("-t");
                let place = place.suffix(if joined { 2 } else { 0 });
                let path = |place: &Text<'s>| {
                    place.text.contains('/') || place.text == ".." || !place.open.is_empty()
                };
                if let Some(place) = place.filter(path) {
                    out.push(Deed::WorkspaceCode { place });
                }
            }
        }
        "this" | "site" | "sysconfig" | "platform" | "calendar" => {}
        name if is_library(name) => opaque(out, Reason::ShellUnknownOption, invocation.span),
        _ => {}
    }
}

/// `python -m cProfile [-o file] [-s order] [-m module | script] …`.
fn profile<'s>(arguments: &[Text<'s>], invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut reader = Reader::new(&PROFILE, arguments, invocation.span);
    while let Some(item) = reader.next() {
        match item {
            // One is enough, and the depth is bounded.
            Item::Option("m", Some(name))
                if matches!(name.literal(), Some("cProfile" | "profile")) =>
            {
                return opaque(out, Reason::ShellArguments, name.span);
            }
            Item::Option("m", Some(name)) => {
                return module(&name, reader.rest(), invocation, out);
            }
            Item::Option("o", Some(path)) => out.push(Deed::Write { path, recursive: false }),
            Item::Option(..) => {}
            Item::Operand(script) => {
                return out.push(Deed::WorkspaceCode { place: script.clone() });
            }
            Item::Doubt(reason, span) => return opaque(out, reason, span),
        }
    }
    opaque(out, Reason::ShellArguments, invocation.span);
}

/// Returns the operands; options write where they say with `-o`.
fn plain<'s>(
    options: &'static Options,
    arguments: &[Text<'s>],
    invocation: &Invocation<'_, 's>,
    out: &mut Vec<Deed<'s>>,
) -> Vec<Text<'s>> {
    let mut operands = Vec::new();
    for item in Reader::new(options, arguments, invocation.span) {
        match item {
            Item::Option("o", Some(path)) => out.push(Deed::Create { path }),
            Item::Option(..) => {}
            Item::Operand(operand) => operands.push(operand.clone()),
            Item::Doubt(reason, span) => opaque(out, reason, span),
        }
    }
    operands
}

/// `python -m http.server [-b address] [-d directory] [port]`.
fn serve<'s>(arguments: &[Text<'s>], invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut host = Text::known("0.0.0.0", invocation.span);
    let mut place = Text::known(".", invocation.span);
    let mut port = None;
    for item in Reader::new(&SERVER, arguments, invocation.span) {
        match item {
            Item::Option("b", Some(address)) => host = address,
            Item::Option("d", Some(directory)) => place = directory,
            Item::Option(..) => {}
            Item::Operand(number) => port = Some(number),
            Item::Doubt(reason, span) => opaque(out, reason, span),
        }
    }
    out.push(Deed::Read { path: place, recursive: true });
    let port = match port {
        None => Some(8000),
        Some(port) => port.literal().and_then(|port| port.parse().ok()),
    };
    match (host.literal(), port) {
        (Some(name), Some(port)) if !name.contains(':') => {
            let address = Text::known(format!("{name}:{port}"), host.span);
            listen(Some(&address), port, invocation, out);
        }
        _ => out.push(Deed::Listen { host, port, udp: false }),
    }
}

/// Packages that serve, launch or fetch, and the programs that they bring.
const LAUNCHERS: &[(&str, &str)] = &[
    ("IPython", "ipython"),
    ("accelerate.commands.launch", "accelerate"),
    ("accelerate", "accelerate"),
    ("alembic", "alembic"),
    ("ansible", "ansible"),
    ("awscli", "aws"),
    ("celery", "celery"),
    ("daphne", "daphne"),
    ("dask", "dask"),
    ("deepspeed.launcher.runner", "deepspeed"),
    ("deepspeed", "deepspeed"),
    ("django", "django-admin"),
    ("dvc", "dvc"),
    ("flask", "flask"),
    ("gunicorn", "gunicorn"),
    ("httpie", "http"),
    ("hypercorn", "hypercorn"),
    ("ipython", "ipython"),
    ("jupyter", "jupyter"),
    ("jupyter_core", "jupyter"),
    ("jupyter_server", "jupyter"),
    ("jupyterlab", "jupyter"),
    ("locust", "locust"),
    ("mitmproxy", "mitmproxy"),
    ("mkdocs", "mkdocs"),
    ("mlflow", "mlflow"),
    ("nbconvert", "jupyter"),
    ("notebook", "jupyter"),
    ("papermill", "papermill"),
    ("playwright", "playwright"),
    ("pyftpdlib", "pyftpdlib"),
    ("ray", "ray"),
    ("robot", "robot"),
    ("scrapy", "scrapy"),
    ("semgrep", "semgrep"),
    ("streamlit", "streamlit"),
    ("tensorboard", "tensorboard"),
    ("twisted", "twist"),
    ("uvicorn", "uvicorn"),
    ("virtualenv", "virtualenv"),
    ("vllm", "vllm"),
    ("wandb", "wandb"),
    ("yt_dlp", "yt-dlp"),
];

fn is_harmless(value: &str) -> bool {
    let name = value.split('=').next().unwrap_or_default();
    matches!(
        name,
        "dev"
            | "utf8"
            | "importtime"
            | "faulthandler"
            | "tracemalloc"
            | "int_max_str_digits"
            | "no_debug_ranges"
            | "showrefcount"
            | "warn_default_encoding"
    )
}

fn is_plain_filter(value: &str) -> bool {
    let action = value.split(':').next().unwrap_or_default();
    let known = ["default", "error", "always", "module", "once", "ignore"].contains(&action);
    // Warnings of the library have names without a dot.
    known && !value.contains('.')
}

/// Modules of the library that open connections or files, or run code, for whoever asks.
fn is_library(name: &str) -> bool {
    let top = name.split('.').next().unwrap_or_default();
    matches!(
        top,
        "ast"
            | "asyncio"
            | "asyncore"
            | "base64"
            | "bdb"
            | "binhex"
            | "cProfile"
            | "cgi"
            | "code"
            | "codeop"
            | "ctypes"
            | "curses"
            | "dbm"
            | "difflib"
            | "dis"
            | "distutils"
            | "email"
            | "encodings"
            | "ensurepip"
            | "filecmp"
            | "fileinput"
            | "ftplib"
            | "gzip"
            | "http"
            | "idlelib"
            | "imaplib"
            | "importlib"
            | "inspect"
            | "lib2to3"
            | "mailbox"
            | "mimetypes"
            | "multiprocessing"
            | "nntplib"
            | "pdb"
            | "pickle"
            | "pickletools"
            | "poplib"
            | "profile"
            | "pstats"
            | "pty"
            | "pyclbr"
            | "pydoc"
            | "quopri"
            | "random"
            | "runpy"
            | "shelve"
            | "smtpd"
            | "smtplib"
            | "socket"
            | "socketserver"
            | "sqlite3"
            | "ssl"
            | "subprocess"
            | "symtable"
            | "tabnanny"
            | "tarfile"
            | "telnetlib"
            | "test"
            | "timeit"
            | "tkinter"
            | "tokenize"
            | "trace"
            | "turtledemo"
            | "urllib"
            | "uu"
            | "uuid"
            | "webbrowser"
            | "wsgiref"
            | "xml"
            | "xmlrpc"
            | "zipapp"
            | "zipfile"
    )
}

const PYTHON: Options = Options {
    rows: &[
        ("c", Value),
        ("m", Value),
        ("V version", Nothing),
        ("h ? help help-env help-xoptions help-all", Nothing),
        ("W", Value),
        ("X", Value),
        ("i", Nothing),
        ("u", Nothing),
        ("b", Nothing),
        ("B", Nothing),
        ("d", Nothing),
        ("E", Nothing),
        ("I", Nothing),
        ("O", Nothing),
        ("P", Nothing),
        ("q", Nothing),
        ("s", Nothing),
        ("S", Nothing),
        ("v", Nothing),
        ("x", Nothing),
        ("check-hash-based-pycs", Value),
    ],
    permute: false,
};

const SERVER: Options = Options {
    rows: &[
        ("b bind", Value),
        ("d directory", Value),
        ("cgi", Nothing),
        ("p protocol", Value),
        ("h help", Nothing),
    ],
    permute: true,
};

const JSON: Options = Options {
    rows: &[
        ("sort-keys", Nothing),
        ("no-ensure-ascii", Nothing),
        ("json-lines", Nothing),
        ("indent", Value),
        ("tab", Nothing),
        ("no-indent", Nothing),
        ("compact", Nothing),
        ("h help", Nothing),
    ],
    permute: true,
};

const VENV: Options = Options {
    rows: &[
        ("system-site-packages", Nothing),
        ("symlinks", Nothing),
        ("copies", Nothing),
        ("clear", Nothing),
        ("upgrade", Nothing),
        ("without-pip", Nothing),
        ("without-scm-ignore-files", Nothing),
        ("prompt", Value),
        ("h help", Nothing),
    ],
    permute: true,
};

const BUILD: Options = Options {
    rows: &[
        ("o outdir", Value),
        ("w wheel", Nothing),
        ("s sdist", Nothing),
        ("v verbose", Nothing),
        ("q quiet", Nothing),
        ("n no-isolation", Nothing),
        ("x skip-dependency-check", Nothing),
        ("V version", Nothing),
        ("h help", Nothing),
        ("C config-setting", Value),
    ],
    permute: true,
};

/// Modules that show what is in a file.
const LOOK: Options = Options {
    rows: &[
        ("v", Nothing),
        ("q", Nothing),
        ("a include-attributes", Nothing),
        ("C show-caches", Nothing),
        ("O show-offsets", Nothing),
        ("no-type-comments", Nothing),
        ("m mode", Value),
        ("i indent", Value),
        ("h help", Nothing),
    ],
    permute: true,
};

/// Left out: what takes archives apart or makes them.
const LISTS: Options = Options {
    rows: &[("l list", Nothing), ("t test", Nothing), ("v verbose", Nothing), ("h help", Nothing)],
    permute: true,
};

const PROFILE: Options =
    Options { rows: &[("m", Value), ("o", Value), ("s", Value)], permute: false };

const COMPILE: Options = Options {
    rows: &[
        ("q", Nothing),
        ("f", Nothing),
        ("l", Nothing),
        ("b", Nothing),
        ("j", Value),
        ("x", Value),
        ("r", Value),
        ("invalidation-mode", Attached),
    ],
    permute: true,
};
