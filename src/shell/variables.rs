//! Which variables a line may set.
//!
//! Most programs can be told by a variable to run, load, read or contact something else, and nobody
//! has a list of all of them. So a variable that reaches programs must be one that is known to be
//! harmless; one that only the shell itself sees must not be one that the shell acts on.

use crate::shell::deed::Text;

/// What setting a variable does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Nothing beyond its value.
    Harmless,
    /// It offers accelerators to programs.
    Accelerators,
    /// It changes what programs or the shell do.
    Harmful,
}

/// Judges `name=value` where programs see the variable.
pub(crate) fn exported(name: &str, value: &Text<'_>) -> Setting {
    if matches!(name, "CUDA_VISIBLE_DEVICES" | "HIP_VISIBLE_DEVICES" | "ROCR_VISIBLE_DEVICES") {
        return match value.literal() {
            Some("" | "-1") => Setting::Harmless,
            _ => Setting::Accelerators,
        };
    }
    let warnings = || matches!(value.literal(), Some("-D warnings" | "-Dwarnings"));
    let plain = match name {
        "LANG" | "LANGUAGE" => value.literal().is_some_and(is_locale),
        "TZ" => value.literal().is_some_and(is_time_zone),
        _ => true,
    };
    let harmless = (plain && HARMLESS.binary_search(&name).is_ok())
        || (name.starts_with("LC_") && value.literal().is_some_and(is_locale))
        || (matches!(name, "RUSTFLAGS" | "RUSTDOCFLAGS") && warnings());
    if harmless { Setting::Harmless } else { Setting::Harmful }
}

/// Whether the shell sets the variable by itself, or gives it a meaning of its own: `$1`, `$@`, `$_`
/// (bash manual, "Shell Variables").
pub(crate) fn is_set_by_shell(name: &str) -> bool {
    const STARTS: [&str; 7] = ["BASH", "HIST", "COMP", "EPOCH", "MAIL", "READLINE", "OPT"];
    const NAMES: [&str; 26] = [
        "_",
        "COLUMNS",
        "DIRSTACK",
        "EUID",
        "FUNCNAME",
        "GROUPS",
        "HOME",
        "HOSTNAME",
        "HOSTTYPE",
        "IFS",
        "LINENO",
        "LINES",
        "MACHTYPE",
        "MAPFILE",
        "OLDPWD",
        "OSTYPE",
        "PATH",
        "PIPESTATUS",
        "PPID",
        "PWD",
        "RANDOM",
        "REPLY",
        "SECONDS",
        "SHELL",
        "SRANDOM",
        "TERM",
    ];
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    !name.bytes().all(plain)
        || !name.bytes().next().is_some_and(begins)
        || NAMES.contains(&name)
        || name.starts_with("PS")
        || name.starts_with("SH")
        || STARTS.iter().any(|start| name.starts_with(start))
        || name == "UID"
}

/// A locale in which bytes mean what they mean in ASCII: others change how the rest is read.
fn is_locale(value: &str) -> bool {
    let utf8 = ["", "C", "POSIX", "C.UTF-8", "C.utf8", "en_US.UTF-8", "en_US.utf8", "en_GB.UTF-8"];
    utf8.contains(&value)
}

/// The name of a time zone, not of a file elsewhere.
fn is_time_zone(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+-/,".contains(c);
    value.chars().all(plain) && !value.starts_with('/')
}

/// Judges `name=value` where only the shell sees the variable.
pub(crate) fn local(name: &str) -> Setting {
    let harmful = SHELL.binary_search(&name).is_ok()
        || HARMFUL_STARTS.iter().any(|start| name.starts_with(start))
        || HARMFUL_ENDS.iter().any(|end| name.ends_with(end));
    if harmful { Setting::Harmful } else { Setting::Harmless }
}

/// Known to change nothing but output, language, diagnostics or the target of a build. Sorted.
const HARMLESS: [&str; 48] = [
    "APP_ENV",
    "CARGO_INCREMENTAL",
    "CARGO_TERM_COLOR",
    "CARGO_TERM_VERBOSE",
    "CGO_ENABLED",
    "CI",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "COLUMNS",
    "DEBIAN_FRONTEND",
    "DEBUG",
    "DOTNET_CLI_TELEMETRY_OPTOUT",
    "DOTNET_NOLOGO",
    "FLASK_ENV",
    "FORCE_COLOR",
    "GO111MODULE",
    "GOARCH",
    "GOMAXPROCS",
    "GOOS",
    "INSTA_UPDATE",
    "LANG",
    "LANGUAGE",
    "LINES",
    "NODE_ENV",
    "NO_COLOR",
    "OMP_NUM_THREADS",
    "PROPTEST_CASES",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
    "PYTHONUNBUFFERED",
    "PYTHONUTF8",
    "QUICKCHECK_TESTS",
    "RACK_ENV",
    "RAILS_ENV",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "RUST_LOG",
    "RUST_MIN_STACK",
    "RUST_TEST_THREADS",
    "SOURCE_DATE_EPOCH",
    "TERM",
    "TEST_ENV",
    "TOKIO_WORKER_THREADS",
    "TZ",
    "UV_NO_PROGRESS",
    "VERBOSE",
];

/// Variables that the shell itself acts on (bash manual, "Shell Variables"). Sorted.
const SHELL: [&str; 52] = [
    "ALL_PROXY",
    "BASHOPTS",
    "BASHPID",
    "CDPATH",
    "COMP_WORDS",
    "COPROC",
    "DIRSTACK",
    "EDITOR",
    "EMACS",
    "ENV",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "EXECIGNORE",
    "FCEDIT",
    "FIGNORE",
    "FPATH",
    "FUNCNAME",
    "FUNCNEST",
    "GLOBIGNORE",
    "GROUPS",
    "HISTCMD",
    "HISTFILE",
    "HOME",
    "IFS",
    "INPUTRC",
    "LINENO",
    "MAIL",
    "MAILPATH",
    "OLDPWD",
    "OPTERR",
    "PAGER",
    "PATH",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PROMPT_COMMAND",
    "PS0",
    "PS1",
    "PS4",
    "PWD",
    "RANDOM",
    "READLINE_LINE",
    "SECONDS",
    "SHELL",
    "SHELLOPTS",
    "SRANDOM",
    "TAPE",
    "TMOUT",
    "TMPDIR",
    "UID",
    "_",
];

/// Whole families that loaders, interpreters and tools act on, should they be exported already.
const HARMFUL_STARTS: [&str; 14] = [
    "LD_", "DYLD_", "BASH_", "GIT_", "SSH_", "HIST", "PYTHON", "PERL", "RUBY", "NODE_", "npm_",
    "JAVA_", "LESS", "MAN",
];

const HARMFUL_ENDS: [&str; 7] =
    ["PAGER", "EDITOR", "VISUAL", "_PROXY", "_proxy", "_OPTIONS", "_OPTS"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        assert!(HARMLESS.is_sorted() && SHELL.is_sorted());
    }

    #[test]
    fn variables_are_judged() {
        let value = |text: &'static str| Text::known(text, Default::default());
        let check = |name: &str, text: &'static str, seen: Setting, own: Setting| {
            assert_eq!((exported(name, &value(text)), local(name)), (seen, own), "{name}");
        };
        check("CI", "1", Setting::Harmless, Setting::Harmless);
        check("LC_ALL", "C", Setting::Harmless, Setting::Harmless);
        check("count", "1", Setting::Harmful, Setting::Harmless);
        check("LD_PRELOAD", "x", Setting::Harmful, Setting::Harmful);
        check("GIT_PAGER", "x", Setting::Harmful, Setting::Harmful);
        check("TAR_OPTIONS", "x", Setting::Harmful, Setting::Harmful);
        check("LC_ALL", "ja_JP.SJIS", Setting::Harmful, Setting::Harmless);
        check("TZ", "Europe/Berlin", Setting::Harmless, Setting::Harmless);
        check("TZ", ":/srv/x", Setting::Harmful, Setting::Harmless);
        check("RUSTFLAGS", "-D warnings", Setting::Harmless, Setting::Harmless);
        check("RUSTFLAGS", "-Clinker=x", Setting::Harmful, Setting::Harmless);
        check("CUDA_VISIBLE_DEVICES", "0", Setting::Accelerators, Setting::Harmless);
        check("CUDA_VISIBLE_DEVICES", "", Setting::Harmless, Setting::Harmless);
    }
}
