//! What a value or an operand is to a program.

use super::line::Word;

/// One thing that a program does with a value or an operand.
#[derive(Debug, Clone)]
pub(super) enum Role {
    /// `v`: text without effect.
    Value,
    /// `r`, `R`: a file that is read; a tree that is read.
    Read {
        recursive: bool,
    },
    /// `w`, `W`.
    Write {
        recursive: bool,
    },
    /// `d`, `D`.
    Delete {
        recursive: bool,
    },
    /// `new`: a directory below which names are created that the line does not say.
    Create,
    /// `into`, `INTO`: where the other operands are copied to.
    Into {
        recursive: bool,
    },
    /// `link`: the name that the other operands get.
    Link,
    /// `w~.gz`: a file is written whose name is the operand's and this behind it.
    Suffixed(Box<str>),
    /// `w^.gz`: a file is written whose name is the operand's without this at its end.
    Stripped(Box<str>),
    /// `w^.pdf~.txt`: a file is written whose name is the operand's with another ending.
    Replaced(Box<str>, Box<str>),
    /// `wzip`: a file that is written, with `.zip` behind a name without a dot.
    ZipName,
    /// `dp`: a directory that is deleted, and those that it lies in.
    WithParents,
    /// `perm`: permissions of files.
    Permissions,
    /// `bak`: what stands behind the names of files that are kept before they are overwritten.
    BackupSuffix,
    /// `upload`, `download`: a file that is read or written, whose name `curl` expands.
    Upload,
    Download,
    /// `word`: a name without a slash, as of a toolchain or an interpreter.
    Word,
    /// `lint`, `codegen`, `goflags`, `ccw`, `key` and others: text of which only harmless
    /// forms are understood.
    Checked(fn(&str) -> bool),
    /// `script`: the name of a script of the workspace, or else a program that is run with all
    /// further operands: `pnpm build`, `pnpm curl …`.
    ScriptName,
    /// `wo`: a file that is written, or `-` for the output.
    WriteOrOutput,
    /// `cookie`: `name=value`, or a file that is read.
    Cookie,
    /// `urlenc`: text, or `@file` or `name@file`.
    UrlEncoded,
    /// `ru`: a file or a URL.
    ReadOrUrl,
    /// `dig`: a name that is asked for, or `@server`.
    Query,
    /// `dnet`: the network of a container.
    ContainerNetwork,
    /// `dockercp`: `container:path`, or a path.
    ContainerPath,
    /// `s3r`, `s3w`: `s3://bucket/key`, or a path.
    Bucket {
        write: bool,
    },
    /// `create`: as `pkg&bin`, of the package that is called `create-name`.
    Initializer,
    /// `gopkg`: a package or pattern of Go.
    GoPackage,
    /// `npmpkg`: a directory, or a package that the registry of npm is asked for.
    NpmPackage,
    /// `bin`: as `argv`, but the program is what a package of that name brings.
    Binary,
    /// `repo`: `[host/]owner/name`.
    Repository,
    /// `ref`: a number, a branch, or the URL of either.
    Reference,
    /// `rs`: directories joined by `:`, of which everything may be read.
    ReadList,
    /// `out`: `[parameters:]directory`, where a generator writes.
    PluginOutput,
    /// `endpoint`: a path of an API, or a URL.
    Endpoint,
    /// `pre`: files are written whose names begin so.
    Prefix,
    /// `u`.
    Url,
    /// `h`, `h:443`.
    Host(Option<u16>),
    /// `hp`, `hp:443`: host and port in one, perhaps with a scheme in front.
    HostPort(Option<u16>),
    /// `p`: the port of the host before it.
    Port,
    /// `listen`: `port`, `:port` or `host:port`.
    Listen,
    /// `fwd`: `local:remote` ports.
    Forward,
    /// `sh`: text that a shell runs.
    Shell,
    /// `shrest`: this and all further operands, joined by spaces, are text that a shell runs.
    ShellRest,
    /// `argv`: this and all further operands are a command.
    Command,
    /// `code`: code in another language.
    Foreign,
    /// `s`: code that lies in the workspace and is run.
    Script,
    /// `t`: as `any`, but the program itself runs what lies there if it is a path.
    Target,
    /// `cp`: code in files and directories, joined by `:`.
    ClassPath,
    /// `file`: as `argv`, but a script of Python is code of the workspace.
    ProgramOrScript,
    /// `any`: an argument of code in the workspace that is run.
    Any,
    /// `base`: the directory that other paths start at.
    Base,
    /// `at`: text, or `@` and a file that is read.
    AtFile,
    /// `form`: `name=text`, `name=@file` or `name=<file`.
    Form,
    /// `keyfile`: a file that is read, or `name=file`.
    KeyedFile,
    /// `method`: a method of HTTP.
    Method,
    /// `sql`: a statement that at most reads and writes the database.
    Sql,
    /// `expr`: a filter for `jq` or `yq` that reads nothing else.
    Expression,
    /// `pkg`.
    Package,
    /// `image`: a container image, with or without its registry.
    Image,
    /// `mount`: `source:target[:options]` of a container.
    Mount,
    /// `env`: `NAME=value` or `NAME`.
    Environment,
    /// `secret`.
    Secret,
    /// `to`: who gets a message.
    Recipient,
    /// `job`.
    Job,
    /// `pub`: what is published.
    Publish,
    /// `res`, `name`: the kind and the name of a piece of infrastructure.
    Resource,
    Name,
    /// `id`: the user or role that the command acts as.
    Identity,
    /// `remote:git`: a peer that the program knows by a name of its own.
    Remote(Word),
    /// `priv:clock`.
    Privilege(Word),
    /// `gpu:cuda`.
    Accelerator(Word),
    /// `x`: not understood.
    Opaque,
}

impl Role {
    /// Reads one role, without what may be joined to it by `&`.
    pub(super) fn parse(text: &str, word: &dyn Fn(&str) -> Word) -> Option<Self> {
        if let Some(suffix) = text.strip_prefix("w~") {
            return Some(Self::Suffixed(suffix.into()));
        }
        if let Some((from, to)) = text.strip_prefix("w^").and_then(|text| text.split_once('~')) {
            return Some(Self::Replaced(from.into(), to.into()));
        }
        if let Some(suffix) = text.strip_prefix("w^") {
            return Some(Self::Stripped(suffix.into()));
        }
        let (name, detail) = match text.split_once(':') {
            Some((name, detail)) => (name, Some(detail)),
            None => (text, None),
        };
        let port = match (name, detail) {
            ("h" | "hp", Some(detail)) => Some(detail.parse().ok()?),
            ("remote" | "priv" | "gpu", Some(_)) | (_, None) => None,
            _ => return None,
        };
        Some(match name {
            "v" => Self::Value,
            "r" | "R" => Self::Read { recursive: name == "R" },
            "w" | "W" => Self::Write { recursive: name == "W" },
            "d" | "D" => Self::Delete { recursive: name == "D" },
            "new" => Self::Create,
            "into" | "INTO" => Self::Into { recursive: name == "INTO" },
            "link" => Self::Link,
            "word" => Self::Word,
            "wzip" => Self::ZipName,
            "dp" => Self::WithParents,
            "perm" => Self::Permissions,
            "bak" => Self::BackupSuffix,
            "upload" => Self::Upload,
            "download" => Self::Download,
            "noat" => Self::Checked(|text| !text.starts_with('@')),
            "noglob" => Self::Checked(|text| !text.contains(['*', '?', '[', '{', '!', '('])),
            "skips" => Self::Checked(|text| matches!(text, "skip" | "read")),
            "nopipe" => Self::Checked(|text| !text.contains('|')),
            "nourl" => Self::Checked(|text| !text.contains(':') && !text.contains("?ref=")),
            "nolabel" => Self::Checked(|text| !text.contains('#')),
            "nojson" => Self::Checked(|text| !text.starts_with(['{', '['])),
            "nopub" => Self::Checked(publishes_nothing),
            "never" => Self::Checked(|text| text == "never"),
            "nopercent" => Self::Checked(|text| !text.contains('%')),
            "vcs" => Self::Checked(|text| matches!(text, "git" | "svn" | "auto")),
            "lint" => Self::Checked(is_lint),
            "codegen" => Self::Checked(is_codegen),
            "goflags" => Self::Checked(is_go_flags),
            "ccw" => Self::Checked(is_warning),
            "task" => Self::Checked(is_task),
            "class" => Self::Checked(is_class),
            "writeout" => Self::Checked(is_write_out),
            "kout" => Self::Checked(is_output_format),
            "dbname" => Self::Checked(is_database_name),
            "wo" => Self::WriteOrOutput,
            "cookie" => Self::Cookie,
            "urlenc" => Self::UrlEncoded,
            "ru" => Self::ReadOrUrl,
            "dig" => Self::Query,
            "dnet" => Self::ContainerNetwork,
            "dockercp" => Self::ContainerPath,
            "s3r" => Self::Bucket { write: false },
            "s3w" => Self::Bucket { write: true },
            "create" => Self::Initializer,
            "script" => Self::ScriptName,
            "gopkg" => Self::GoPackage,
            "npmpkg" => Self::NpmPackage,
            "bin" => Self::Binary,
            "repo" => Self::Repository,
            "ref" => Self::Reference,
            "rs" => Self::ReadList,
            "out" => Self::PluginOutput,
            "key" => Self::Checked(is_key),
            "endpoint" => Self::Endpoint,
            "pre" => Self::Prefix,
            "expr" => Self::Expression,
            "u" => Self::Url,
            "h" => Self::Host(port),
            "hp" => Self::HostPort(port),
            "p" => Self::Port,
            "listen" => Self::Listen,
            "fwd" => Self::Forward,
            "sh" => Self::Shell,
            "shrest" => Self::ShellRest,
            "argv" => Self::Command,
            "code" => Self::Foreign,
            "s" => Self::Script,
            "t" => Self::Target,
            "cp" => Self::ClassPath,
            "file" => Self::ProgramOrScript,
            "goal" => Self::Checked(is_goal),
            "dbfile" => Self::Checked(is_database_file),
            "any" => Self::Any,
            "base" => Self::Base,
            "at" => Self::AtFile,
            "form" => Self::Form,
            "keyfile" => Self::KeyedFile,
            "method" => Self::Method,
            "sql" => Self::Sql,
            "pkg" => Self::Package,
            "image" => Self::Image,
            "mount" => Self::Mount,
            "env" => Self::Environment,
            "secret" => Self::Secret,
            "to" => Self::Recipient,
            "job" => Self::Job,
            "pub" => Self::Publish,
            "res" => Self::Resource,
            "name" => Self::Name,
            "id" => Self::Identity,
            "remote" => Self::Remote(word(detail?)),
            "priv" => Self::Privilege(word(detail?)),
            "gpu" => Self::Accelerator(word(detail?)),
            "x" => Self::Opaque,
            _ => return None,
        })
    }

    /// Reports whether everything behind belongs to it.
    pub(super) fn takes_rest(&self) -> bool {
        matches!(
            self,
            Self::Command
                | Self::ShellRest
                | Self::Binary
                | Self::ScriptName
                | Self::Initializer
                | Self::ProgramOrScript
        )
    }
}

/// `4755`, `u+s`, `g=xs`: whoever runs the file becomes its owner or its group.
pub(crate) fn is_setuid(mode: &str) -> bool {
    if let Ok(bits) = u32::from_str_radix(mode.trim_start_matches(['+', '-', '=']), 8) {
        return bits & 0o6000 != 0;
    }
    mode.split(',').any(|clause| {
        let mut adds = false;
        clause.chars().any(|c| {
            match c {
                '+' | '=' => adds = true,
                '-' => adds = false,
                _ => {}
            }
            adds && matches!(c, 's' | '2' | '4' | '6')
        })
    })
}

/// `-D warnings`, `clippy::all`: levels of lints and their names, in one word or two.
fn is_lint(text: &str) -> bool {
    let level = ["-D", "-W", "-A", "-F", "--deny", "--warn", "--allow", "--forbid"];
    let name = |text: &str| {
        !text.starts_with('-')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte))
    };
    let joined = level.iter().filter_map(|level| text.strip_prefix(level));
    level.contains(&text) || name(text) || joined.map(|rest| rest.trim_start_matches('=')).any(name)
}

/// `opt-level=3`: settings of code generation that run nothing and write nothing.
fn is_codegen(text: &str) -> bool {
    let text = text.strip_prefix("-C").or_else(|| text.strip_prefix("--codegen")).unwrap_or(text);
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let known = [
        "",
        "opt-level",
        "debuginfo",
        "target-cpu",
        "target-feature",
        "panic",
        "lto",
        "strip",
        "codegen-units",
        "debug-assertions",
        "overflow-checks",
        "embed-bitcode",
        "symbol-mangling-version",
        "force-frame-pointers",
        "prefer-dynamic",
        "instrument-coverage",
        "relocation-model",
        "code-model",
    ];
    known.contains(&name) && !value.contains('/')
}

/// `-s -w -X name=value`: what the linker and compiler of Go take without running another.
fn is_go_flags(text: &str) -> bool {
    let mut value_follows = false;
    text.split_ascii_whitespace().all(|word| {
        if std::mem::replace(&mut value_follows, word == "-X") {
            return word.contains('=') && !word.starts_with('-');
        }
        let word = word.strip_prefix("all=").unwrap_or(word);
        matches!(word, "-s" | "-w" | "-X" | "-N" | "-l" | "-m" | "-B=none")
    })
}

/// `core/testOnly`, without a language around it.
fn is_task(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:+_-.*".contains(&byte);
    text.split(' ').all(|word| !word.is_empty() && word.bytes().all(plain))
        && !text.starts_with(['-', '+'])
        && !text.contains("eval")
        && !text.contains("console")
}

/// `org.example.Main`.
fn is_class(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._$".contains(&byte))
        && !text.ends_with(".java")
}

/// Names that scripts of a workspace have and programs of a system have not.
pub(super) fn is_script_name(text: &str) -> bool {
    let first = text.split(['-', ':']).next().unwrap_or(text);
    text.contains(':') && !text.contains("::") || SCRIPT_NAMES.contains(&first)
}

const SCRIPT_NAMES: &[&str] = &[
    "build",
    "lint",
    "test",
    "tests",
    "typecheck",
    "type",
    "types",
    "dev",
    "start",
    "stop",
    "format",
    "fmt-check",
    "check",
    "watch",
    "serve",
    "preview",
    "e2e",
    "ci",
    "generate",
    "gen",
    "release",
    "docs",
    "compile",
    "package",
    "publish",
    "prepare",
    "prep",
    "coverage",
    "storybook",
    "validate",
    "verify",
    "deploy",
    "migrate",
    "seed",
    "codegen",
    "clean",
    "bench",
    "benchmark",
    "cli",
    "bootstrap",
    "setup",
    "staging",
    "prod",
    "production",
    "unit",
    "integration",
    "smoke",
    "preflight",
    "prebuild",
    "postbuild",
    "download",
    "sync",
    "bump",
    "fix",
    "analyze",
    "debug",
    "develop",
    "example",
    "examples",
    "demo",
    "website",
    "site",
    "server",
    "client",
    "web",
    "api",
    "app",
    "desktop",
    "mobile",
    "desktop",
    "vsix",
];

/// `%{http_code}`, without a file to read or to write.
fn is_write_out(text: &str) -> bool {
    !text.starts_with('@') && !text.contains("%output")
}

/// `json`, `jsonpath={…}`, without a file.
fn is_output_format(text: &str) -> bool {
    !text.split('=').next().unwrap_or(text).contains("file")
}

/// A name, not a connection string.
fn is_database_name(text: &str) -> bool {
    !text.contains(['=', '/', ':'])
}

/// No goal of a build that sends away what was built: `deploy`, `:app:publish`, `release:perform`.
fn publishes_nothing(text: &str) -> bool {
    let sends = ["publish", "deploy", "upload", "release", "login", "connect"];
    !text.split([':', '/']).any(|part| sends.iter().any(|start| part.starts_with(start)))
}

/// `package`, `spring-boot:run`; not `group:plugin:version:goal`, which is fetched and run.
fn is_goal(text: &str) -> bool {
    text.matches(':').count() <= 1
}

/// A path; not a URI, which names a path in another way.
fn is_database_file(text: &str) -> bool {
    !text.starts_with("file:")
}

/// A name, to which no value is given, and which does not climb.
fn is_key(text: &str) -> bool {
    !text.contains('=') && !text.contains("..")
}

/// `-Wall`, but not `-Wl,…`, `-Wa,…`, `-Wp,…`: options of other programs.
fn is_warning(text: &str) -> bool {
    !text.contains(',')
}
