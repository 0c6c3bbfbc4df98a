//! Shells as programs: the text that they are given is code, from wherever it comes.

use std::borrow::Cow;

use super::options::opaque;
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Stdin, Text};

/// Tells what a shell does; false if `name` is none.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) -> bool {
    match invocation.name {
        "bash" | "rbash" | "sh" | "dash" | "ash" => posix(invocation, out),
        "zsh" | "fish" | "ksh" | "ksh93" | "mksh" | "pdksh" | "lksh" | "yash" | "csh" | "tcsh"
        | "pwsh" | "powershell" | "powershell.exe" | "cmd" | "cmd.exe" | "elvish" | "nu"
        | "xonsh" | "rc" | "es" | "oil" | "osh" | "ysh" | "wsl" => {
            if !only_informs(invocation.arguments) {
                opaque(out, Reason::ShellDialect, invocation.span);
            }
        }
        "busybox" | "toybox" => applets(invocation, out),
        _ => return false,
    }
    true
}

/// `bash [long option …] [option …] [-c script [name [argument …]] | file [argument …]]`.
fn posix<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut line = Line::default();
    let Some(operands) = line.read(invocation.arguments, out) else { return };
    if line.informs {
        return;
    }
    if line.script {
        match operands.first() {
            None => opaque(out, Reason::ShellArguments, invocation.span),
            Some(script) if script.literal().is_some() => {
                code(invocation, script, line.login, out);
            }
            Some(script) => opaque(out, Reason::ShellDynamicArgument, script.span),
        }
        return;
    }
    match operands.first() {
        Some(file) if !line.stdin => {
            if line.login {
                opaque(out, Reason::ShellProfile, invocation.span);
            }
            script(file, out);
        }
        _ => match invocation.stdin {
            Stdin::Text(text) if text.literal().is_some() => {
                code(invocation, text, line.login, out);
            }
            _ => opaque(out, Reason::ShellCodeOnStdin, invocation.span),
        },
    }
}

/// Runs a script that is known, if it means the same to every shell that may be called `sh`.
fn code<'s>(
    invocation: &Invocation<'_, 's>,
    script: &Text<'s>,
    login: bool,
    out: &mut Vec<Deed<'s>>,
) {
    if !matches!(invocation.name, "bash" | "rbash") && is_only_bash(&script.text) {
        opaque(out, Reason::ShellDialect, script.span);
    }
    out.push(Deed::Shell { script: script.clone(), login });
}

/// Reports whether a plain POSIX shell may run this text without complaint and do something else than
/// bash: it ends `$'\''` one quote earlier, runs `a &>b` as two commands, writes a file for `[[ a > b ]]`,
/// looks for a program `x+=y`, and keeps `{a,b}` as it stands.
fn is_only_bash(script: &str) -> bool {
    let differs = ["$'", "$\"", "&>", "[[", "((", "+="];
    if differs.iter().any(|text| script.contains(text)) {
        return true;
    }
    let mut braced = false;
    let mut before = ' ';
    for letter in script.chars() {
        match letter {
            '{' if before != '$' => braced = true,
            '}' => braced = false,
            letter if letter.is_whitespace() => braced = false,
            ',' if braced => return true,
            '.' if braced && before == '.' => return true,
            _ => {}
        }
        before = letter;
    }
    false
}

/// Runs the code in `file`, which may be another name of the input.
pub(super) fn script<'s>(file: &Text<'s>, out: &mut Vec<Deed<'s>>) {
    match file.literal() {
        Some(path) if is_input(path) => opaque(out, Reason::ShellCodeOnStdin, file.span),
        None if file.may_be_option() => opaque(out, Reason::ShellDynamicPath, file.span),
        _ => {}
    }
    out.push(Deed::WorkspaceCode { place: file.clone() });
}

/// Reports whether a path names an open descriptor: `/dev/stdin`, `/proc/self/fd/0`. A spelling that
/// is missed here is outside of any workspace all the same.
pub(super) fn is_input(path: &str) -> bool {
    path == "-" || path.starts_with("/dev/") || path.starts_with("/proc/")
}

/// Reports whether a program is only asked for its version or its help.
pub(super) fn only_informs(arguments: &[Text<'_>]) -> bool {
    matches!(arguments, [only] if matches!(only.literal(), Some("--version" | "--help")))
}

/// What the options of a shell ask for.
#[derive(Debug, Default)]
struct Line {
    script: bool,
    stdin: bool,
    login: bool,
    informs: bool,
}

impl Line {
    /// Reads the options, and returns what stands behind them.
    ///
    /// Long options come first, with one `-` or two; the others are clusters of which `-o` and `-O`
    /// take the *next* word, even inside of a cluster.
    fn read<'a, 's>(
        &mut self,
        arguments: &'a [Text<'s>],
        out: &mut Vec<Deed<'s>>,
    ) -> Option<&'a [Text<'s>]> {
        let mut rest = arguments;
        let mut long = true;
        while let Some((first, behind)) = rest.split_first() {
            let Some(text) = first.literal() else {
                if first.may_be_option() || first.starts_with("+") {
                    opaque(out, Reason::ShellDynamicArgument, first.span);
                    return None;
                }
                break;
            };
            if matches!(text, "-" | "--") {
                return Some(behind);
            }
            let Some(letters) = text.strip_prefix(['-', '+']).filter(|text| !text.is_empty())
            else {
                break;
            };
            rest = behind;
            if long && text.starts_with('-') {
                match self.long(letters.strip_prefix('-').unwrap_or(letters)) {
                    Long::Harmless => continue,
                    Long::Unknown if !text.starts_with("--") => long = false,
                    Long::Unknown | Long::Opaque => {
                        opaque(out, Reason::ShellUnknownOption, first.span);
                        return None;
                    }
                }
            } else if text.starts_with("--") {
                opaque(out, Reason::ShellUnknownOption, first.span);
                return None;
            }
            rest = self.cluster(first, letters, text.starts_with('-'), rest, out)?;
        }
        Some(rest)
    }

    fn long(&mut self, name: &str) -> Long {
        match name {
            "login" => self.login = true,
            "version" | "help" => self.informs = true,
            "posix" | "noprofile" | "norc" | "noediting" | "verbose" | "restricted" => {}
            // Files that are run before the script, and modes that change what the text means.
            "rcfile" | "init-file" | "debugger" | "debug" | "wordexp" | "pretty-print"
            | "dump-strings" | "dump-po-strings" | "protected" => return Long::Opaque,
            _ => return Long::Unknown,
        }
        Long::Harmless
    }

    fn cluster<'a, 's>(
        &mut self,
        word: &Text<'s>,
        letters: &str,
        on: bool,
        mut rest: &'a [Text<'s>],
        out: &mut Vec<Deed<'s>>,
    ) -> Option<&'a [Text<'s>]> {
        for letter in letters.chars() {
            match letter {
                'c' if on => self.script = true,
                's' if on => self.stdin = true,
                'l' | 'i' if on => self.login = true,
                // What the script does is told as if nothing stopped it.
                'b' | 'e' | 'f' | 'h' | 'm' | 'n' | 'u' | 'v' | 'x' | 'C' | 'E' | 'T' => {}
                'o' | 'O' => {
                    let Some((name, behind)) = rest.split_first() else {
                        opaque(out, Reason::ShellArguments, word.span);
                        return None;
                    };
                    rest = behind;
                    if !name.literal().is_some_and(|name| is_harmless(letter, name)) {
                        opaque(out, Reason::ShellBuiltin, name.span);
                    }
                }
                _ => {
                    opaque(out, Reason::ShellUnknownOption, word.span);
                    return None;
                }
            }
        }
        Some(rest)
    }
}

enum Long {
    Harmless,
    Opaque,
    Unknown,
}

/// `busybox applet …`.
fn applets<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let Some((applet, _)) = invocation.arguments.split_first() else { return };
    let Some(name) = applet.literal() else {
        return opaque(out, Reason::ShellDynamicProgram, applet.span);
    };
    if matches!(name, "--list" | "--list-full" | "--help") && invocation.arguments.len() == 1 {
        return;
    }
    if name.starts_with('-') {
        return opaque(out, Reason::ShellUnknownOption, applet.span);
    }
    if !is_same_applet(name) {
        opaque(out, Reason::ShellUnknownOption, applet.span);
    }
    out.push(Deed::Command { argv: invocation.arguments.to_vec() });
}

/// An applet of which every option means what it means to the program of that name.
fn is_same_applet(name: &str) -> bool {
    matches!(
        name,
        "ash"
            | "basename"
            | "cat"
            | "chmod"
            | "cmp"
            | "cp"
            | "cut"
            | "dirname"
            | "echo"
            | "env"
            | "expr"
            | "false"
            | "fold"
            | "head"
            | "ls"
            | "mkdir"
            | "mv"
            | "nproc"
            | "printf"
            | "pwd"
            | "readlink"
            | "realpath"
            | "rm"
            | "rmdir"
            | "seq"
            | "sh"
            | "sleep"
            | "tac"
            | "tee"
            | "test"
            | "touch"
            | "tr"
            | "true"
            | "uname"
            | "uniq"
            | "wc"
            | "whoami"
            | "yes"
    )
}

fn is_harmless(letter: char, name: &str) -> bool {
    match letter {
        'o' => matches!(
            name,
            "errexit"
                | "errtrace"
                | "functrace"
                | "hashall"
                | "monitor"
                | "noclobber"
                | "noexec"
                | "noglob"
                | "nounset"
                | "pipefail"
                | "posix"
                | "verbose"
                | "xtrace"
        ),
        _ => matches!(name, "checkwinsize" | "failglob" | "inherit_errexit" | "nullglob"),
    }
}

/// Joins literal words with a blank, as programs do that hand their arguments to a shell.
pub(super) fn joined<'s>(words: &[Text<'s>]) -> Option<Text<'s>> {
    let first = words.first()?;
    let texts = words.iter().map(Text::literal).collect::<Option<Vec<_>>>()?;
    Some(Text::known(Cow::Owned(texts.join(" ")), first.span))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, check_opaque, check_piped, run};
    use super::*;

    fn check_text(line: &str, stdin: &'static str, expected: &str) {
        let stdin = Stdin::Text(Text::known(stdin, Default::default()).into());
        assert_eq!(run(line, &stdin), expected, "{line} <<< {stdin:?}");
    }

    #[test]
    fn a_script_is_code() {
        check("bash -c 'rm x'", "shell `rm x`");
        check("sh -ec 'rm x' name a b", "shell `rm x`");
        check("bash -c -e 'rm x'", "shell `rm x`");
        check("bash -euo pipefail -c 'rm x'", "shell `rm x`");
        check("bash -ceuo pipefail 'rm x'", "shell `rm x`");
        check("bash -c -- 'rm x'", "shell `rm x`");
        check("bash -c - 'rm x'", "shell `rm x`");
        check("bash -c -- '-x'", "shell `-x`");
        check("bash +x -c 'rm x'", "shell `rm x`");
        check("bash -lc 'rm x'", "login-shell `rm x`");
        check("bash --login -c 'rm x'", "login-shell `rm x`");
        check("bash -login -c 'rm x'", "login-shell `rm x`");
        check("bash -ic 'rm x'", "login-shell `rm x`");
        check("bash --noprofile --norc -c 'rm x'", "shell `rm x`");
        check("bash -norc -c 'rm x'", "shell `rm x`");
        check("bash -O nullglob -c 'rm x'", "shell `rm x`");
        check("bash --version", "");
        for line in [
            "bash -c \"$x\"",
            "bash -c $x",
            "bash -c",
            "bash \"$x\" x",
            "bash $x",
            "bash -\"$x\" x",
            "bash +$x y",
            "bash -O extglob -c 'rm x'",
            "bash -o history -c 'rm x'",
            "bash --rcfile x -i",
            "bash -rcfile x -i",
            "bash --init-file=x",
            "bash -c 'rm x$x'x\"$x\"",
            "bash --unknown x",
            "bash -e --login -c x",
            "bash -Z x",
            "bash -D x",
            "bash -o \"$x\" -c 'rm x'",
            "bash -k -c x",
            "bash -a -c x",
            "bash -p -c x",
        ] {
            check_opaque(line);
        }
    }

    #[test]
    fn what_sh_reads_otherwise_is_opaque() {
        check("bash -c 'rm {a,b}'", "shell `rm {a,b}`");
        check("sh -c 'cd {} && f() { a; }; echo ${x}'", "shell `cd {} && f() { a; }; echo ${x}`");
        for line in [
            "sh -c 'rm {a,b}'",
            "sh -c 'rm {1..3}'",
            "dash -c 'a &>b'",
            "sh -c '[[ a > b ]]'",
            "sh -c 'x=a; x+=b; rm $x'",
            "ash -c \"echo \\$'a' b\"",
            "sh -c '((x))'",
        ] {
            check_opaque(line);
        }
        check_text("dash", "x+=y", "!dialect; shell `x+=y`");
    }

    #[test]
    fn a_file_is_code_too() {
        check("bash run.sh a b", "workspace-code run.sh");
        check("sh -x ./run.sh", "workspace-code ./run.sh");
        check("bash -- -run.sh", "workspace-code -run.sh");
        check("bash -l run.sh", "!profile; workspace-code run.sh");
        check("bash dir/\"$x\"", "workspace-code dir/<any>");
        check("bash -- \"$x\"", "!dynamic_path; workspace-code <any>");
        check("bash /dev/stdin", "!code_on_stdin; workspace-code /dev/stdin");
        check("bash /proc/self/fd/3", "!code_on_stdin; workspace-code /proc/self/fd/3");
    }

    #[test]
    fn so_is_the_input() {
        check("bash", "!code_on_stdin");
        check_piped("bash", "!code_on_stdin");
        check_piped("bash -euo pipefail", "!code_on_stdin");
        check_piped("sh -s -- a b", "!code_on_stdin");
        check_piped("bash -", "!code_on_stdin");
        check_piped("bash -c 'rm x'", "shell `rm x`");
        check_text("bash", "rm x", "shell `rm x`");
        check_text("bash -s a", "rm x", "shell `rm x`");
        check_text("bash -l", "rm x", "login-shell `rm x`");
        check_text("bash run.sh", "rm x", "workspace-code run.sh");
        let open = Stdin::File(Text::known("x.sh", Default::default()).into());
        assert_eq!(run("bash", &open), "!code_on_stdin");
    }

    #[test]
    fn other_dialects_and_applets() {
        check("zsh -c 'rm x'", "!dialect");
        check("pwsh x.ps1", "!dialect");
        check("fish", "!dialect");
        check("zsh --version", "");
        check("zsh --version -c x", "!dialect");
        check("busybox", "");
        check("busybox --list", "");
        check("busybox rm -rf x", "run rm -rf x");
        check("busybox sh -c 'rm x'", "run sh -c rm x");
        check("busybox nc -e sh", "!unknown_option; run nc -e sh");
        check("busybox --install", "!unknown_option");
        check("busybox \"$x\"", "!dynamic_program");
    }
}
