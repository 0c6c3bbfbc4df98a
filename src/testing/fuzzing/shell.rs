//! Laws of lines of shell: what is put around a line, or into its quotes, never hides an effect of it.

use std::fmt::Write as _;

use crate::action::path::{PurePaths, ResolvedPath, resolve_absolute};
use crate::action::{Effect, EffectContext, Kind, NoTools, Target};
use crate::reason::Reason;
use crate::shell::{self, Shell, ShellEnv};
use crate::text::check_visible;

/// Parses any text and asserts what `shell::parse` promises of its tree.
pub fn shell_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.len() <= MAX_TEXT_BYTES {
        shell::check_parse(text);
    }
}

/// Returns the name, where it is literal, and the number of words of every simple command that the
/// parser finds in a line, or nothing where it refuses the line: to be compared with other parsers.
#[must_use]
pub fn shell_commands(line: &str) -> Option<Vec<(Option<String>, usize)>> {
    shell::parsed_commands(line)
}

/// Works out the effects of any line: bounded, the same each time, shown without hidden characters;
/// and of the line as a part of others, in which every effect of it stays.
pub fn shell(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else { return };
    if line.len() > MAX_TEXT_BYTES {
        return;
    }
    for env in environments() {
        let effects = explain(line, &env);
        assert!(effects.len() <= MAX_EFFECTS, "{} effects", effects.len());
        assert_eq!(effects, explain(line, &env), "not the same twice");
        // What is refused as a whole may be two halves of something else.
        if effects.iter().any(is_refusal) {
            continue;
        }
        for wrapped in wrappings(line) {
            assert_kept(line, &effects, &wrapped, &env);
        }
        if let Some(words) = plain_words(line) {
            let first = words.first().copied().unwrap_or_default();
            if !BUILTINS.contains(&first) && !first.starts_with(['-', '+']) {
                for prefix in PREFIXES {
                    assert_kept(line, &effects, &format!("{prefix} {line}"), &env);
                }
            }
            for quoted in quotings(&words) {
                let said = explain(&quoted, &env);
                let same = said == effects || said.iter().any(is_refusal);
                assert!(same, "{quoted:?} does {said:?}, {line:?} does {effects:?}");
            }
        }
    }
}

/// A little more than a line may have.
const MAX_TEXT_BYTES: usize = 80 * 1024;

/// Each thing that a line does is an effect in each directory that the shell may stand in, and a
/// pattern is one for each name of a secret that it may match.
const MAX_EFFECTS: usize = 2049 * 8 * 16;

fn environments() -> [ShellEnv; 2] {
    let plain = ShellEnv::bash("/srv/web");
    let more = ShellEnv::bash("sub")
        .with_home("/home/dana")
        .with_harmless_profile()
        .with_plain_names()
        .with_remote("origin", "git.example.org", 443);
    [plain, more]
}

fn explain(line: &str, env: &ShellEnv) -> Vec<Effect> {
    let paths = PurePaths::new().with_link("/srv/web/link", "/etc");
    let workspace = resolve_absolute(&paths, "/srv/web").unwrap_or_else(|_| ResolvedPath::root());
    let context = EffectContext::new(&paths, &workspace, &NoTools);
    let explained = Shell::parse(line, env).explain(&context);
    for one in &explained {
        let span = one.span();
        assert!(line.get(span.clone()).is_some(), "{span:?} is no part of {line:?}");
        assert_eq!(check_visible(&one.to_string()), Ok(()), "{one:?}");
    }
    explained.into_iter().map(|one| one.effect().clone()).collect()
}

/// Whether the line, or a script inside of it, is not understood as a whole.
fn is_refusal(effect: &Effect) -> bool {
    let Target::Unknown { reason, .. } = effect.target() else { return false };
    matches!(
        reason,
        Reason::ShellSyntax
            | Reason::ShellTooLarge
            | Reason::ShellInvisibleCharacter
            | Reason::ShellDialect
    )
}

/// Whether an effect stands for anything at all.
fn is_anything(effect: &Effect) -> bool {
    matches!(effect.kind(), Kind::Opaque(_)) || matches!(effect.target(), Target::Unknown { .. })
}

fn is_opaque(effect: &Effect) -> bool {
    is_anything(effect) || matches!(effect.target(), Target::Program { opaque: Some(_), .. })
}

#[track_caller]
fn assert_kept(line: &str, effects: &[Effect], wrapped: &str, env: &ShellEnv) {
    let said = explain(wrapped, env);
    // What is opaque counts as every effect.
    if said.iter().any(is_opaque) {
        return;
    }
    for effect in effects {
        let kept = match is_opaque(effect) {
            true => false,
            // Of its arguments less may be known.
            false => said
                .iter()
                .any(|one| one.kind() == effect.kind() && one.target() == effect.target()),
        };
        assert!(kept, "{wrapped:?} hides {effect:?} of {line:?}");
    }
}

/// The line as a part of other lines.
fn wrappings(line: &str) -> Vec<String> {
    // It would join what follows.
    if line.ends_with('\\') {
        return Vec::new();
    }
    let mut all = vec![
        format!("{line}; true"),
        format!("{line}\ntrue"),
        format!("true\n{line}"),
        format!("true && {line}"),
        format!("( {line}\n)"),
        format!("{{ {line}\n}}"),
        format!("if true; then {line}\nfi"),
        format!("if {line}\nthen true; fi"),
        format!("while true; do {line}\ndone"),
        format!("for zzz_i in a; do {line}\ndone"),
        format!("case a in b) {line}\n;; esac"),
        format!("zzz_f() {{ {line}\n}}; zzz_f"),
        format!("! {{ {line}\n}}"),
        format!("{{ {line}\n}} &"),
        format!("{{ {line}\n}} | true"),
        format!(": $( {line}\n)"),
        format!(": \"$( {line}\n)\""),
        format!(": <( {line}\n)"),
    ];
    let quoted = single_quoted(line);
    all.extend([format!("bash -c {quoted}"), format!("eval {quoted}")]);
    let mut double = String::from("bash -c \"");
    for c in line.chars() {
        if matches!(c, '"' | '$' | '`' | '\\') {
            double.push('\\');
        }
        double.push(c);
    }
    double.push('"');
    all.push(double);
    all
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The words of a line that is one command of plain words, neither expanded nor reserved.
fn plain_words(line: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:,@%+-=".contains(c);
    let first = words.first()?;
    let fits = words.iter().all(|word| word.chars().all(plain))
        && !first.contains('=')
        && !RESERVED.contains(first)
        // It reads its arguments as assignments where they are not quoted.
        && !DECLARING.contains(first);
    fits.then_some(words)
}

/// The same words in other quotes.
fn quotings(words: &[&str]) -> Vec<String> {
    let joined = |quote: &dyn Fn(&str) -> String| -> String {
        words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    };
    let escaped = |word: &str| word.chars().flat_map(|c| ['\\', c]).collect::<String>();
    let hex = |word: &str| {
        let mut text = String::from("$'");
        for byte in word.bytes() {
            let _ = write!(text, "\\x{byte:02x}");
        }
        text + "'"
    };
    let middle = |word: &str, put: &str| {
        let (before, after) = word.split_at_checked(word.len() / 2).unwrap_or((word, ""));
        format!("{before}{put}{after}")
    };
    vec![
        joined(&|word| format!("'{word}'")),
        joined(&|word| format!("\"{word}\"")),
        joined(&|word| middle(word, "''")),
        joined(&|word| format!("\"\"{}", middle(word, "\"\""))),
        joined(&|word| middle(word, "\\\n")),
        joined(&escaped),
        joined(&hex),
        joined(&|word| {
            let (before, after) = word.split_at_checked(1).unwrap_or((word, ""));
            format!("'{before}'\"{after}\"")
        }),
    ]
}

const PREFIXES: [&str; 8] = [
    "sudo",
    "env",
    "timeout 5",
    "nice",
    "env A=b",
    "nice -n 5",
    "sudo -u dana",
    "timeout 5 env nice",
];

const RESERVED: [&str; 20] = [
    "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac",
    "select", "function", "time", "coproc", "in", "{", "}", "!",
];

const DECLARING: [&str; 6] = ["alias", "declare", "export", "local", "readonly", "typeset"];

/// Commands of the shell, which are no programs or other ones.
const BUILTINS: [&str; 55] = [
    ".",
    ":",
    "[",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "dirs",
    "disown",
    "echo",
    "enable",
    "eval",
    "exec",
    "exit",
    "false",
    "fc",
    "fg",
    "getopts",
    "hash",
    "help",
    "history",
    "jobs",
    "kill",
    "let",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "times",
    "trap",
    "true",
    "type",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "wait",
];
