//! Programs that run another as somebody else, or with another view of the system.

use super::super::options::Takes::{Attached, Nothing, Value};
use super::super::options::{Item, Options, Reader, opaque};
use super::{Wrapped, prefixed, run};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};

/// `sudo [option …] [name=value …] [command [argument …]]`.
pub(super) fn sudo<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let before = out.len();
    become_root(invocation, out);
    let Some(read) = Wrapped::read(&SUDO, invocation.arguments, invocation, out) else { return };
    if read.command.is_empty() && (read.has("V") || read.has("help") || read.has("K")) {
        return out.truncate(before);
    }
    user(read.value("u"), out);
    if let Some(group) = read.value("g") {
        out.push(Deed::Identity(prefixed("group:", group)));
    }
    for name in ["D", "R"] {
        if let Some(place) = read.value(name) {
            opaque(out, Reason::ShellWorkingDirectory, place.span);
        }
    }
    for name in ["C", "h", "r", "t", "U"] {
        if let Some(value) = read.value(name) {
            opaque(out, Reason::ShellArguments, value.span);
        }
    }
    if read.has("e") {
        return edit(read.command, invocation, out);
    }
    let command = assignments(read.command, out);
    let shell = read.has("s") || read.has("i");
    if read.has("i") {
        opaque(out, Reason::ShellProfile, invocation.span);
    }
    if shell && command.is_empty() {
        opaque(out, Reason::ShellCodeOnStdin, invocation.span);
    } else if shell {
        // The words are joined and given to a shell, with `$` left as it is.
        opaque(out, Reason::ShellInnerLanguage, invocation.span);
    }
    if !read.has("l") {
        run(command, out);
    }
}

/// `sudoedit file …`.
pub(super) fn sudoedit<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    become_root(invocation, out);
    let Some(read) = Wrapped::read(&SUDO, invocation.arguments, invocation, out) else { return };
    user(read.value("u"), out);
    edit(read.command, invocation, out);
}

/// `doas [-Lns] [-a style] [-C config] [-u user] [command [argument …]]`.
pub(super) fn doas<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    become_root(invocation, out);
    let Some(read) = Wrapped::read(&DOAS, invocation.arguments, invocation, out) else { return };
    user(read.value("u"), out);
    if let Some(file) = read.value("C") {
        out.push(Deed::Read { path: file.clone(), recursive: false });
    }
    if read.has("s") {
        opaque(out, Reason::ShellCodeOnStdin, invocation.span);
    }
    run(read.command, out);
}

/// `su [option …] [-] [user [argument …]]`, `runuser [option …] [-] [user …]`, `runuser -u user command`.
pub(super) fn su<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    become_root(invocation, out);
    let mut login = false;
    let mut script = None;
    let mut by_option = false;
    let mut operands = Vec::new();
    let mut reader = Reader::new(&SU, invocation.arguments, invocation.span);
    for item in &mut reader {
        match item {
            Item::Option("c" | "session-command", value) => script = value,
            Item::Option("l", _) => login = true,
            Item::Option("u", Some(name)) => {
                by_option = true;
                user(Some(&name), out);
            }
            Item::Option("s" | "g" | "G" | "w", Some(value)) => {
                opaque(out, Reason::ShellArguments, value.span);
            }
            Item::Option(..) => {}
            Item::Operand(word) if word.literal() == Some("-") => login = true,
            Item::Operand(word) => operands.push(word.clone()),
            Item::Doubt(reason, span) => return opaque(out, reason, span),
        }
    }
    if by_option {
        // Options of the command look like options of `runuser` here: they were read as such.
        if !reader.is_marked() && operands.len() > 1 {
            opaque(out, Reason::ShellArguments, invocation.span);
        }
        return run(&operands, out);
    }
    user(operands.first(), out);
    if operands.len() > 1 {
        opaque(out, Reason::ShellArguments, invocation.span);
    }
    match script {
        Some(script) if script.literal().is_some() => out.push(Deed::Shell { script, login }),
        Some(script) => opaque(out, Reason::ShellDynamicArgument, script.span),
        None => opaque(out, Reason::ShellCodeOnStdin, invocation.span),
    }
}

/// `pkexec [option …] [command [argument …]]`; without a command it is a shell.
pub(super) fn pkexec<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    become_root(invocation, out);
    let Some(read) = Wrapped::read(&PKEXEC, invocation.arguments, invocation, out) else { return };
    user(read.value("user"), out);
    if !read.has("keep-cwd") {
        // It starts in the home of the user.
        opaque(out, Reason::ShellWorkingDirectory, invocation.span);
    }
    run(read.command, out);
}

/// `chroot [option …] root [command [argument …]]`: every path of the command is another one.
pub(super) fn chroot<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    out.push(Deed::Privilege("chroot".into()));
    let Some(read) = Wrapped::read(&CHROOT, invocation.arguments, invocation, out) else { return };
    opaque(out, Reason::ShellWorkingDirectory, invocation.span);
    match read.command {
        [] | [_] => opaque(out, Reason::ShellCodeOnStdin, invocation.span),
        [_, command @ ..] => run(command, out),
    }
}

/// `unshare [option …] [command [argument …]]`.
pub(super) fn unshare<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    namespace(&UNSHARE, &["R", "w"], invocation, out);
}

/// `nsenter [option …] [command [argument …]]`: the files of another process.
pub(super) fn nsenter<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    opaque(out, Reason::ShellWorkingDirectory, invocation.span);
    namespace(&NSENTER, &[], invocation, out);
}

/// `setpriv [option …] command [argument …]`.
pub(super) fn setpriv<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    out.push(Deed::Privilege("setpriv".into()));
    let Some(read) = Wrapped::read(&SETPRIV, invocation.arguments, invocation, out) else { return };
    for name in ["reuid", "ruid", "euid"] {
        user(read.value(name), out);
    }
    run(read.command, out);
}

/// `capsh [option …] [-- shell argument …]`: its options are carried out in order, some of them run code.
pub(super) fn capsh<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    if let [only] = invocation.arguments
        && matches!(only.literal(), Some("--print" | "--help" | "--version"))
    {
        return;
    }
    out.push(Deed::Privilege("capability".into()));
    opaque(out, Reason::ShellInnerLanguage, invocation.span);
}

fn namespace<'s>(
    options: &'static Options,
    moves: &[&str],
    invocation: &Invocation<'_, 's>,
    out: &mut Vec<Deed<'s>>,
) {
    out.push(Deed::Privilege("namespace".into()));
    let Some(read) = Wrapped::read(options, invocation.arguments, invocation, out) else { return };
    for name in moves {
        if let Some(place) = read.value(name) {
            opaque(out, Reason::ShellWorkingDirectory, place.span);
        }
    }
    if read.command.is_empty() {
        opaque(out, Reason::ShellCodeOnStdin, invocation.span);
    }
    run(read.command, out);
}

fn become_root<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    out.push(Deed::Privilege("root".into()));
    out.push(Deed::Identity(Text::known("user:root", invocation.span)));
}

/// Takes the identity of `name` as well; the way there leads through root.
fn user<'s>(name: Option<&Text<'s>>, out: &mut Vec<Deed<'s>>) {
    if let Some(name) = name
        && name.literal() != Some("root")
    {
        out.push(Deed::Identity(prefixed("user:", name)));
    }
}

/// Takes the assignments in front of a command.
fn assignments<'a, 's>(words: &'a [Text<'s>], out: &mut Vec<Deed<'s>>) -> &'a [Text<'s>] {
    let mut command = words;
    while let [first, rest @ ..] = command {
        let Some((name, value)) = first.split_once('=') else { break };
        if first.many {
            opaque(out, Reason::ShellDynamicArgument, first.span);
        }
        let name = Text::known(name.to_owned(), first.span);
        out.push(Deed::Environment { name, value });
        command = rest;
    }
    command
}

/// An editor is run on the files, and editors run programs.
fn edit<'s>(files: &[Text<'s>], invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    for file in files {
        out.push(Deed::Read { path: file.clone(), recursive: false });
        out.push(Deed::Write { path: file.clone(), recursive: false });
    }
    opaque(out, Reason::ShellForeignCode, invocation.span);
}

const SUDO: Options = Options {
    rows: &[
        ("A askpass", Nothing),
        ("b background", Nothing),
        ("B bell", Nothing),
        ("C close-from", Value),
        ("D chdir", Value),
        ("E", Nothing),
        ("preserve-env", Attached),
        ("e edit", Nothing),
        ("g group", Value),
        ("H set-home", Nothing),
        ("help", Nothing),
        ("h host", Value),
        ("i login", Nothing),
        ("K remove-timestamp", Nothing),
        ("k reset-timestamp", Nothing),
        ("l list", Nothing),
        ("N no-update", Nothing),
        ("n non-interactive", Nothing),
        ("P preserve-groups", Nothing),
        ("p prompt", Value),
        ("R chroot", Value),
        ("r role", Value),
        ("S stdin", Nothing),
        ("s shell", Nothing),
        ("t type", Value),
        ("T command-timeout", Value),
        ("U other-user", Value),
        ("u user", Value),
        ("V version", Nothing),
        ("v validate", Nothing),
    ],
    permute: false,
};

const DOAS: Options = Options {
    rows: &[
        ("L", Nothing),
        ("n", Nothing),
        ("s", Nothing),
        ("a", Value),
        ("C", Value),
        ("u", Value),
    ],
    permute: false,
};

const SU: Options = Options {
    rows: &[
        ("c command", Value),
        ("session-command", Value),
        ("f fast", Nothing),
        ("g group", Value),
        ("G supp-group", Value),
        ("l login", Nothing),
        ("m p preserve-environment", Nothing),
        ("P pty", Nothing),
        ("T no-pty", Nothing),
        ("s shell", Value),
        ("u user", Value),
        ("w whitelist-environment", Value),
    ],
    permute: true,
};

const PKEXEC: Options = Options {
    rows: &[("user", Value), ("disable-internal-agent", Nothing), ("keep-cwd", Nothing)],
    permute: false,
};

const CHROOT: Options = Options {
    rows: &[("groups", Value), ("userspec", Value), ("skip-chdir", Nothing)],
    permute: false,
};

const UNSHARE: Options = Options {
    rows: &[
        ("m", Nothing),
        ("mount", Attached),
        ("u", Nothing),
        ("uts", Attached),
        ("i", Nothing),
        ("ipc", Attached),
        ("n", Nothing),
        ("net", Attached),
        ("p", Nothing),
        ("pid", Attached),
        ("U", Nothing),
        ("user", Attached),
        ("C", Nothing),
        ("cgroup", Attached),
        ("T", Nothing),
        ("time", Attached),
        ("f fork", Nothing),
        ("kill-child", Attached),
        ("mount-proc", Attached),
        ("r map-root-user", Nothing),
        ("c map-current-user", Nothing),
        ("map-auto", Nothing),
        ("map-user", Value),
        ("map-group", Value),
        ("propagation", Value),
        ("setgroups", Value),
        ("keep-caps", Nothing),
        ("R root", Value),
        ("w wd", Value),
        ("S setuid", Value),
        ("G setgid", Value),
    ],
    permute: false,
};

const NSENTER: Options = Options {
    rows: &[
        ("a all", Nothing),
        ("t target", Value),
        ("m mount", Attached),
        ("u uts", Attached),
        ("i ipc", Attached),
        ("n net", Attached),
        ("p pid", Attached),
        ("C cgroup", Attached),
        ("U user", Attached),
        ("T time", Attached),
        ("G setgid", Value),
        ("S setuid", Value),
        ("preserve-credentials", Nothing),
        ("r root", Attached),
        ("w wd", Attached),
        ("F no-fork", Nothing),
    ],
    permute: false,
};

const SETPRIV: Options = Options {
    rows: &[
        ("clear-groups", Nothing),
        ("keep-groups", Nothing),
        ("init-groups", Nothing),
        ("groups", Value),
        ("ambient-caps", Value),
        ("inh-caps", Value),
        ("bounding-set", Value),
        ("no-new-privs", Nothing),
        ("nnp", Nothing),
        ("ruid", Value),
        ("euid", Value),
        ("reuid", Value),
        ("rgid", Value),
        ("egid", Value),
        ("regid", Value),
        ("reset-env", Nothing),
        ("pdeathsig", Value),
    ],
    permute: false,
};

#[cfg(test)]
mod tests {
    use super::super::super::testing::check;

    const ROOT: &str = "privilege root; identity user:root";

    fn check_root(line: &str, expected: &str) {
        let expected =
            if expected.is_empty() { ROOT.to_owned() } else { format!("{ROOT}; {expected}") };
        check(line, &expected);
    }

    #[test]
    fn sudo_runs_a_command() {
        check_root("sudo make install", "run make install");
        check_root("sudo -E -H make -n", "run make -n");
        check_root("sudo -u postgres -- psql -u x", "identity user:postgres; run psql -u x");
        check_root("sudo -nu \"$x\" ls", "identity user:<any>; run ls");
        check_root("sudo -g wheel ls", "identity group:wheel; run ls");
        check_root("sudo LD_PRELOAD=x ls", "env LD_PRELOAD=x; run ls");
        check_root("sudo --preserve-env=PATH ls", "run ls");
        check_root("sudo git reset --hard", "run git reset --hard");
        check_root("sudo env git status", "run env git status");
        check_root("sudo -D /tmp ls", "!working_directory; run ls");
        check_root("sudo -R /mnt ls", "!working_directory; run ls");
        check_root("sudo -i", "!profile; !code_on_stdin");
        check_root("sudo -s", "!code_on_stdin");
        check_root("sudo -s 'rm $HOME'", "!inner_language; run rm $HOME");
        check_root("sudo -e /etc/hosts", "read /etc/hosts; write /etc/hosts; !foreign_code");
        check_root("sudoedit /etc/hosts", "read /etc/hosts; write /etc/hosts; !foreign_code");
        check_root("sudo -l", "");
        check_root("sudo -v", "");
        check("sudo --version", "");
        check("sudo -K", "");
        check_root("sudo -q ls", "!unknown_option");
        check_root("sudo \"$x\" ls", "!dynamic_argument");
        check_root("sudo -- \"$x\"", "!dynamic_program; run <any>");
        check_root("sudo --us=root ls", "!unknown_option");
        check_root("doas -u www ls -l", "identity user:www; run ls -l");
        check_root("doas -s", "!code_on_stdin");
    }

    #[test]
    fn su_runs_a_script() {
        check_root("su -c 'rm x'", "shell `rm x`");
        check_root("su - www -c 'rm x'", "identity user:www; login-shell `rm x`");
        check_root("su root -c \"$x\"", "!dynamic_argument");
        check_root("su", "!code_on_stdin");
        check_root("su -s /tmp/x -c y", "!arguments; shell `y`");
        check_root("su www -- -c x", "identity user:www; !arguments; !code_on_stdin");
        check_root("runuser -u www -- rm -r x", "identity user:www; run rm -r x");
        check_root("runuser -u www rm x", "identity user:www; !arguments; run rm x");
    }

    #[test]
    fn other_views_of_the_system() {
        check_root("pkexec --keep-cwd rm x", "run rm x");
        check_root("pkexec rm x", "!working_directory; run rm x");
        check("chroot /mnt rm x", "privilege chroot; !working_directory; run rm x");
        check("chroot /mnt", "privilege chroot; !working_directory; !code_on_stdin");
        check("unshare -rn curl x", "privilege namespace; run curl x");
        check("unshare -mR /mnt ls", "privilege namespace; !working_directory; run ls");
        check("unshare --mou ls", "privilege namespace; !unknown_option");
        check("unshare -r -n curl x", "privilege namespace; run curl x");
        check("unshare --root=/mnt ls", "privilege namespace; !working_directory; run ls");
        check("unshare -r", "privilege namespace; !code_on_stdin");
        check("nsenter -t 1 -m ls", "!working_directory; privilege namespace; run ls");
        check("setpriv --reuid=0 ls", "privilege setpriv; identity user:0; run ls");
        check("capsh -- -c 'rm x'", "privilege capability; !inner_language");
        check("capsh --print", "");
    }
}
