//! `ssh`, `scp`, `sftp` and `rsync`: peers, tunnels, and files on either side.

use super::options::Takes::{Nothing, Value};
use super::options::{Item, Options, Reader, begins_locally, opaque, port};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Stdin, Text, Unknown};
use crate::shell::programs::is_setuid;

/// `-I` (a library that is loaded), `-S` and `-O` (a running master) are left out.
const SSH: Options = Options {
    rows: &[
        ("p", Value),
        ("l", Value),
        ("i", Value),
        ("E", Value),
        ("F", Value),
        ("J", Value),
        ("L", Value),
        ("R", Value),
        ("D", Value),
        ("W", Value),
        ("o", Value),
        ("B", Value),
        ("b", Value),
        ("c", Value),
        ("e", Value),
        ("m", Value),
        ("Q", Value),
        ("4", Nothing),
        ("6", Nothing),
        ("A", Nothing),
        ("a", Nothing),
        ("C", Nothing),
        ("f", Nothing),
        ("G", Nothing),
        ("g", Nothing),
        ("K", Nothing),
        ("k", Nothing),
        ("M", Nothing),
        ("N", Nothing),
        ("n", Nothing),
        ("q", Nothing),
        ("s", Nothing),
        ("T", Nothing),
        ("t", Nothing),
        ("V", Nothing),
        ("v", Nothing),
        ("X", Nothing),
        ("x", Nothing),
        ("Y", Nothing),
        ("y", Nothing),
    ],
    permute: true,
};

/// Adds what `ssh` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut line = Line::default();
    let mut host = None;
    let mut forwards = Vec::new();
    let mut silent = false;
    let mut command = None;
    let mut asks = false;
    for item in Reader::new(&SSH, invocation.arguments, invocation.span) {
        match item {
            Item::Option("V" | "Q", _) => asks = true,
            Item::Option(name @ ("L" | "R" | "D" | "W"), Some(spec)) => {
                forwards.push((name, spec));
            }
            Item::Option("N" | "n", _) => silent = true,
            Item::Option("E", Some(path)) => out.push(Deed::Write { path, recursive: false }),
            Item::Option(name, value) => line.option(name, value, out),
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(operand) if host.is_none() => host = Some(operand.clone()),
            Item::Operand(operand) => {
                command = Some(operand.span);
                break;
            }
        }
    }
    let Some(host) = host else {
        if !asks {
            opaque(out, Reason::ShellArguments, invocation.span);
        }
        return;
    };
    let Some((host, port)) = place(&host, line.port(22)) else {
        return opaque(out, Reason::ShellDynamicArgument, host.span);
    };
    out.push(Deed::Connect { host: host.clone(), port, udp: false });
    for (name, spec) in forwards {
        let direction = match name {
            "R" => "remote",
            "D" => "dynamic",
            _ => "local",
        };
        out.push(Deed::Tunnel { direction, via: host.clone(), exposes: Some(spec) });
    }
    // What runs over there is not looked into.
    let fed = !silent && !matches!(invocation.stdin, Stdin::Inherited);
    if let Some(span) = command.or(fed.then_some(invocation.span)) {
        opaque(out, Reason::ShellForeignCode, span);
    }
}

/// What the programs of the family have in common.
#[derive(Debug, Default)]
struct Line<'s> {
    /// The last one given.
    port: Option<Text<'s>>,
}

impl<'s> Line<'s> {
    fn port(&self, usual: u16) -> Option<u16> {
        match &self.port {
            Some(text) => port(text),
            None => Some(usual),
        }
    }

    fn option(&mut self, name: &str, value: Option<Text<'s>>, out: &mut Vec<Deed<'s>>) {
        let Some(value) = value else { return };
        match name {
            "p" | "P" => self.port = Some(value),
            "i" => out.push(Deed::Read { path: value, recursive: false }),
            "F" if matches!(value.literal(), Some("none" | "/dev/null")) => {}
            "F" => {
                // It may name programs to run.
                opaque(out, Reason::ShellDynamicArgument, value.span);
                out.push(Deed::Read { path: value, recursive: false });
            }
            "J" => jump(&value, out),
            "o" => self.setting(&value, out),
            _ => {}
        }
    }

    /// `-o Key=value` or `-o 'Key value'`.
    fn setting(&mut self, setting: &Text<'s>, out: &mut Vec<Deed<'s>>) {
        let at = setting.text.find(['=', ' ', '\t']).unwrap_or(setting.text.len());
        let key = setting.text.get(..at).unwrap_or_default().to_ascii_lowercase();
        let value = setting.suffix(at).map(|mut value| {
            while value.starts_with(" ") || value.starts_with("=") || value.starts_with("\t") {
                value = value.suffix(1).unwrap_or_default();
            }
            value
        });
        let Some(value) = value else {
            return opaque(out, Reason::ShellDynamicArgument, setting.span);
        };
        match &*key {
            "port" => self.port = Some(value),
            "identityfile" | "certificatefile" => {
                out.push(Deed::Read { path: value, recursive: false });
            }
            "userknownhostsfile" | "globalknownhostsfile" if !value.text.contains(' ') => {
                out.push(Deed::Write { path: value, recursive: false });
            }
            "proxyjump" => jump(&value, out),
            key if HARMLESS.contains(&key) => {}
            // `ProxyCommand`, `LocalCommand`, `KnownHostsCommand`, …
            _ => opaque(out, Reason::ShellUnknownOption, setting.span),
        }
    }
}

/// Settings that neither run, read, write nor redirect anything.
const HARMLESS: [&str; 26] = [
    "addressfamily",
    "batchmode",
    "checkhostip",
    "ciphers",
    "compression",
    "connectionattempts",
    "connecttimeout",
    "exitonforwardfailure",
    "forwardagent",
    "forwardx11",
    "hashknownhosts",
    "hostkeyalgorithms",
    "identitiesonly",
    "kexalgorithms",
    "loglevel",
    "macs",
    "numberofpasswordprompts",
    "passwordauthentication",
    "preferredauthentications",
    "pubkeyacceptedalgorithms",
    "pubkeyauthentication",
    "requesttty",
    "serveralivecountmax",
    "serveraliveinterval",
    "stricthostkeychecking",
    "user",
];

/// `-J user@a:22,b`.
fn jump<'s>(hosts: &Text<'s>, out: &mut Vec<Deed<'s>>) {
    let Some(list) = hosts.literal() else {
        return opaque(out, Reason::ShellDynamicArgument, hosts.span);
    };
    for host in list.split(',') {
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (host, Some(22)),
        };
        let host = host.trim_start_matches("ssh://").rsplit('@').next().unwrap_or_default();
        let host = Text::known(host.to_owned(), hosts.span);
        out.push(Deed::Connect { host, port, udp: false });
    }
}

/// Reads `[user@]host` or `ssh://[user@]host[:port]`. What is open may hold the `@`.
fn place<'s>(operand: &Text<'s>, usual: Option<u16>) -> Option<(Text<'s>, Option<u16>)> {
    let Some(literal) = operand.literal() else {
        let behind = operand.text.rfind('@').map_or(0, |at| at + 1);
        return Some((operand.suffix(behind)?, usual));
    };
    let scheme = literal.split_once("://").filter(|(scheme, _)| !scheme.contains('@'));
    let rest = scheme.map_or(literal, |(_, rest)| rest);
    let rest = rest.split('/').next()?;
    let rest = rest.rsplit('@').next()?;
    let (host, port) = match rest.split_once(':').filter(|_| scheme.is_some()) {
        Some((host, port)) => (host, port.parse().ok()),
        None => (rest, usual),
    };
    Some((Text::known(host.to_owned(), operand.span), port))
}

/// `-S` (a program) and `-D` (a server that is run) are left out.
const SCP: Options = Options {
    rows: &[
        ("P", Value),
        ("i", Value),
        ("F", Value),
        ("J", Value),
        ("o", Value),
        ("c", Value),
        ("l", Value),
        ("X", Value),
        ("r", Nothing),
        ("3", Nothing),
        ("4", Nothing),
        ("6", Nothing),
        ("A", Nothing),
        ("B", Nothing),
        ("C", Nothing),
        ("O", Nothing),
        ("p", Nothing),
        ("q", Nothing),
        ("R", Nothing),
        ("s", Nothing),
        ("T", Nothing),
        ("v", Nothing),
    ],
    permute: false,
};

/// `-b` (commands in a file), `-D`, `-S` and `-s` are left out.
const SFTP: Options = Options {
    rows: &[
        ("P", Value),
        ("i", Value),
        ("F", Value),
        ("J", Value),
        ("o", Value),
        ("B", Value),
        ("c", Value),
        ("l", Value),
        ("R", Value),
        ("X", Value),
        ("4", Nothing),
        ("6", Nothing),
        ("A", Nothing),
        ("a", Nothing),
        ("C", Nothing),
        ("f", Nothing),
        ("N", Nothing),
        ("p", Nothing),
        ("q", Nothing),
        ("r", Nothing),
        ("v", Nothing),
    ],
    permute: false,
};

/// Adds what `scp` would do.
pub(crate) fn scp<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut line = Line::default();
    let mut recursive = false;
    let mut operands = Vec::new();
    for item in Reader::new(&SCP, invocation.arguments, invocation.span) {
        match item {
            Item::Option("r", _) => recursive = true,
            Item::Option(name, value) => line.option(name, value, out),
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(operand) => operands.push(operand.clone()),
        }
    }
    copy(&operands, &line, recursive, invocation, out);
}

/// Adds what `sftp` would do.
pub(crate) fn sftp<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut line = Line::default();
    let mut operands = Vec::new();
    for item in Reader::new(&SFTP, invocation.arguments, invocation.span) {
        match item {
            Item::Option(name, value) => line.option(name, value, out),
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(operand) => operands.push(operand.clone()),
        }
    }
    let Some(peer) = operands.first() else {
        return opaque(out, Reason::ShellArguments, invocation.span);
    };
    let shown = peer.literal().unwrap_or_default();
    let (host, path) = match shown.split_once(':').filter(|_| !shown.contains("://")) {
        Some((host, _)) => (Text::known(host.to_owned(), peer.span), true),
        None => (peer.clone(), shown.contains("://")),
    };
    match place(&host, line.port(22)) {
        Some((host, port)) => out.push(Deed::Connect { host, port, udp: false }),
        None => opaque(out, Reason::ShellDynamicArgument, peer.span),
    }
    if path {
        let here = Text::known(".", invocation.span);
        let path = operands.get(1).cloned().unwrap_or(here);
        out.push(Deed::Create { path });
    }
    // Its input is commands, `!` among them.
    if !matches!(invocation.stdin, Stdin::Inherited) {
        opaque(out, Reason::ShellInnerLanguage, invocation.span);
    }
}

/// Sources and, last, where they go.
fn copy<'s>(
    operands: &[Text<'s>],
    line: &Line<'s>,
    recursive: bool,
    invocation: &Invocation<'_, 's>,
    out: &mut Vec<Deed<'s>>,
) {
    let Some((target, sources)) = operands.split_last().filter(|(_, rest)| !rest.is_empty()) else {
        return opaque(out, Reason::ShellArguments, invocation.span);
    };
    for source in sources {
        if !reaches_peer(source, line, out) {
            out.push(Deed::Read { path: source.clone(), recursive });
        }
    }
    if !reaches_peer(target, line, out) {
        out.push(Deed::Create { path: target.clone() });
    }
}

/// `host:path`, `host::module`, or a URL: a colon before the first slash.
fn reaches_peer<'s>(operand: &Text<'s>, line: &Line<'s>, out: &mut Vec<Deed<'s>>) -> bool {
    let front = operand.text.split('/').next().unwrap_or_default();
    let colon = front.find(':');
    let unknown = !begins_locally(operand)
        && operand.open.iter().any(|open| {
            let before = colon.unwrap_or(front.len());
            open.start as usize <= before && open.what != Unknown::Number
        });
    if unknown {
        // Which host, or whether there is one, is not known.
        opaque(out, Reason::ShellDynamicArgument, operand.span);
        return false;
    }
    let Some(colon) = colon else { return false };
    let behind = operand.text.get(colon + 1..).unwrap_or_default();
    let front = operand.text.get(..colon).unwrap_or_default();
    let url = behind.starts_with("//");
    let daemon = behind.starts_with(':') || (url && front == "rsync");
    let host = if url { &*operand.text } else { front };
    let usual = if daemon { Some(873) } else { line.port(22) };
    match place(&Text::known(host.to_owned(), operand.span), usual) {
        Some((host, port)) => out.push(Deed::Connect { host, port, udp: false }),
        None => opaque(out, Reason::ShellDynamicArgument, operand.span),
    }
    true
}

/// Left out: `--rsync-path`, `--daemon`, `--config`, `--remote-option`, `--chown` and such.
const RSYNC: Options = Options {
    rows: &[
        ("e rsh", Value),
        ("delete", Nothing),
        ("del", Nothing),
        ("delete-before", Nothing),
        ("delete-during", Nothing),
        ("delete-delay", Nothing),
        ("delete-after", Nothing),
        ("delete-excluded", Nothing),
        ("remove-source-files", Nothing),
        ("files-from", Value),
        ("exclude-from", Value),
        ("include-from", Value),
        ("password-file", Value),
        ("log-file", Value),
        ("partial-dir", Value),
        ("T temp-dir", Value),
        ("backup-dir", Value),
        ("compare-dest", Value),
        ("copy-dest", Value),
        ("link-dest", Value),
        ("f filter", Value),
        ("exclude", Value),
        ("include", Value),
        ("port", Value),
        ("bwlimit", Value),
        ("timeout", Value),
        ("contimeout", Value),
        ("max-size", Value),
        ("min-size", Value),
        ("max-delete", Value),
        ("modify-window", Value),
        ("compress-level", Value),
        ("B block-size", Value),
        ("chmod", Value),
        ("info", Value),
        ("debug", Value),
        ("out-format", Value),
        ("suffix", Value),
        ("a archive", Nothing),
        ("v verbose", Nothing),
        ("q quiet", Nothing),
        ("z compress", Nothing),
        ("r recursive", Nothing),
        ("R relative", Nothing),
        ("b backup", Nothing),
        ("u update", Nothing),
        ("inplace", Nothing),
        ("append", Nothing),
        ("append-verify", Nothing),
        ("d dirs", Nothing),
        ("l links", Nothing),
        ("L copy-links", Nothing),
        ("k copy-dirlinks", Nothing),
        ("safe-links", Nothing),
        ("copy-unsafe-links", Nothing),
        ("H hard-links", Nothing),
        ("p perms", Nothing),
        ("E executability", Nothing),
        ("A acls", Nothing),
        ("X xattrs", Nothing),
        ("o owner", Nothing),
        ("g group", Nothing),
        ("no-owner no-o", Nothing),
        ("no-group no-g", Nothing),
        ("no-perms no-p", Nothing),
        ("devices", Nothing),
        ("specials", Nothing),
        ("D", Nothing),
        ("t times", Nothing),
        ("O omit-dir-times", Nothing),
        ("S sparse", Nothing),
        ("n dry-run", Nothing),
        ("W whole-file", Nothing),
        ("no-whole-file", Nothing),
        ("x one-file-system", Nothing),
        ("existing", Nothing),
        ("ignore-existing", Nothing),
        ("ignore-errors", Nothing),
        ("force", Nothing),
        ("partial", Nothing),
        ("P", Nothing),
        ("progress", Nothing),
        ("m prune-empty-dirs", Nothing),
        ("numeric-ids", Nothing),
        ("I ignore-times", Nothing),
        ("size-only", Nothing),
        ("y fuzzy", Nothing),
        ("C cvs-exclude", Nothing),
        ("c checksum", Nothing),
        ("h human-readable", Nothing),
        ("i itemize-changes", Nothing),
        ("stats", Nothing),
        ("8 8-bit-output", Nothing),
        ("list-only", Nothing),
        ("mkpath", Nothing),
        ("F", Nothing),
        ("0 from0", Nothing),
        ("4 ipv4", Nothing),
        ("6 ipv6", Nothing),
        ("version", Nothing),
        ("help", Nothing),
    ],
    permute: true,
};

/// Adds what `rsync` would do.
pub(crate) fn rsync<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut line = Line::default();
    let (mut deletes, mut moves) = (false, false);
    // What stands behind the name of a file that is kept.
    let mut backup: Option<String> = None;
    let mut operands = Vec::new();
    for item in Reader::new(&RSYNC, invocation.arguments, invocation.span) {
        match item {
            Item::Option("e", Some(shell)) => remote_shell(&shell, &mut line, out),
            Item::Option("port", Some(port)) => line.port = Some(port),
            Item::Option("remove-source-files", _) => moves = true,
            Item::Option("files-from", Some(path)) => {
                if !reaches_peer(&path, &line, out) {
                    out.push(Deed::Read { path, recursive: false });
                }
            }
            Item::Option("exclude-from" | "include-from", Some(path)) => {
                out.push(Deed::Read { path, recursive: false });
            }
            Item::Option("password-file", Some(path)) => {
                out.push(Deed::Read { path, recursive: false });
            }
            Item::Option(name @ ("compare-dest" | "copy-dest" | "link-dest"), Some(path)) => {
                // What is linked is the same file under another name.
                if name == "link-dest" {
                    out.push(Deed::Write { path: path.clone(), recursive: true });
                }
                out.push(Deed::Read { path, recursive: true });
            }
            Item::Option("log-file" | "partial-dir" | "T" | "backup-dir", Some(path)) => {
                out.push(Deed::Write { path, recursive: true });
            }
            Item::Option("f", Some(rule)) => {
                // `merge file` and `. file` read more rules.
                let plain = |prefix| rule.starts_with(prefix);
                if !["- ", "+ ", "-_", "+_"].into_iter().any(plain) {
                    opaque(out, Reason::ShellInnerLanguage, rule.span);
                }
            }
            Item::Option("b", _) => backup = backup.or_else(|| Some("~".to_owned())),
            Item::Option("suffix", Some(text)) => match text.literal() {
                Some(literal) if !literal.contains('/') => backup = Some(literal.to_owned()),
                _ => opaque(out, Reason::ShellDynamicArgument, text.span),
            },
            Item::Option("chmod", Some(mode)) => match mode.literal() {
                Some(literal) if !literal.split(',').any(sets_identity) => {}
                _ => out.push(Deed::Privilege("setuid".into())),
            },
            // Links in the tree lead out of it.
            Item::Option("k", _) => opaque(out, Reason::ShellDynamicPath, invocation.span),
            Item::Option(name, _) => deletes |= name.starts_with("del"),
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(operand) => operands.push(operand.clone()),
        }
    }
    let delete = |path: &Text<'s>| Deed::Delete { path: path.clone(), recursive: true };
    if let Some((target, sources)) = operands.split_last() {
        // A place of a peer is deleted over there.
        let local =
            |path: &Text<'_>| !path.text.split('/').next().unwrap_or_default().contains(':');
        out.extend((deletes && local(target)).then(|| delete(target)));
        out.extend(sources.iter().filter(|path| moves && local(path)).map(delete));
        if let Some(suffix) = backup.filter(|_| local(target) && !target.text.ends_with('/')) {
            let mut path = target.clone();
            path.text.to_mut().push_str(&suffix);
            out.push(Deed::Write { path, recursive: false });
        }
    }
    if operands.len() > 1 {
        return copy(&operands, &line, true, invocation, out);
    }
    for operand in &operands {
        if !reaches_peer(operand, &line, out) {
            out.push(Deed::Read { path: operand.clone(), recursive: true });
        }
    }
}

/// A part of `--chmod`: `Du+s`, `F4755`.
fn sets_identity(mode: &str) -> bool {
    is_setuid(mode.trim_start_matches(['D', 'F']))
}

/// `-e 'ssh -p 22'`: anything else is a program that is run.
fn remote_shell<'s>(shell: &Text<'s>, line: &mut Line<'s>, out: &mut Vec<Deed<'s>>) {
    let mut words = shell.literal().unwrap_or_default().split(' ').filter(|word| !word.is_empty());
    let mut known = words.next() == Some("ssh");
    while let Some(word) = words.next() {
        let value = |text: Option<&str>| text.map(|text| Text::known(text.to_owned(), shell.span));
        match word {
            "-p" | "-i" | "-o" => {
                line.option(word.trim_start_matches('-'), value(words.next()), out)
            }
            "-4" | "-6" | "-C" | "-T" | "-x" | "-q" => {}
            _ => known = false,
        }
    }
    if !known {
        opaque(out, Reason::ShellArguments, shell.span);
    }
}

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque, check_piped};

    #[test]
    fn ssh_connects() {
        check("ssh h", "connect h:22");
        check("ssh -p 2222 -i k u@h", "read k; connect h:2222");
        check("ssh h -p 2222", "connect h:2222");
        check("ssh ssh://u@h:23", "connect h:23");
        check("ssh -o Port=1 -o 'BatchMode yes' h", "connect h:1");
        check("ssh -J a:2,u@b h", "connect a:2; connect b:22; connect h:22");
        check("ssh -V", "");
        check("ssh h ls -l", "connect h:22; !foreign_code");
        check("ssh \"u@$x\"", "connect <any>:22");
        check_piped("ssh h", "connect h:22; !foreign_code");
        check_piped("ssh -N h", "connect h:22");
    }

    #[test]
    fn ssh_tunnels() {
        check("ssh -NL 80:db:5432 h", "connect h:22; tunnel local h 80:db:5432");
        check("ssh -R 8080:localhost:80 h", "connect h:22; tunnel remote h 8080:localhost:80");
        check("ssh -fND 1080 h", "connect h:22; tunnel dynamic h 1080");
        check("ssh -W a:22 h", "connect h:22; tunnel local h a:22");
    }

    #[test]
    fn files_are_copied() {
        check("scp a b h:/x", "read a; read b; connect h:22");
        check("scp -P 23 -r u@h:x .", "connect h:23; create .");
        check("scp ./a:b h:", "read ./a:b; connect h:22");
        check("scp scp://u@h:24/x y", "connect h:24; create y");
        check("sftp u@h", "connect h:22");
        check("sftp h:/x y", "connect h:22; create y");
        check_piped("sftp h", "connect h:22; !inner_language");
    }

    #[test]
    fn trees_are_copied() {
        check("rsync -av a/ b/", "read a//**; create b/");
        check("rsync -a --delete a h:b", "read a/**; connect h:22");
        check("rsync -a -e 'ssh -p 23' h:a b", "connect h:23; create b");
        check("rsync h::m/x y", "connect h:873; create y");
        check("rsync rsync://h:1/m y", "connect h:1; create y");
        check("rsync -a --remove-source-files a b", "delete a/**; read a/**; create b");
        check("rsync -b --suffix=fig x .git/con", "write .git/config; read x/**; create .git/con");
        check("rsync --link-dest=/c a b", "write /c/**; read /c/**; read a/**; create b");
        check("rsync -ab a b", "write b~; read a/**; create b");
        check("rsync --chmod=F644,Du+s a b", "privilege setuid; read a/**; create b");
        check("rsync -a --chmod=D755,F644 a b", "read a/**; create b");
    }

    #[test]
    fn doubt_is_opaque() {
        for line in [
            "rsync -ak a b",
            "rsync -b --suffix=/../x a b",
            "ssh -o ProxyCommand=id h",
            "ssh -oProxyCommand=id h",
            "ssh -o 'proxycommand id' h",
            "ssh -o \"$x\" h",
            "ssh -o PermitLocalCommand=yes -o LocalCommand=id h",
            "ssh -F cfg h",
            "ssh -I lib h",
            "ssh -S s h",
            "ssh -w 0:0 h",
            "ssh \"$x\"",
            "ssh",
            "scp -o 'KnownHostsCommand=rm -rf /' s e:/t",
            "scp -S prog a h:",
            "scp a",
            "scp a \"h$x\"",
            "scp *.pem h:",
            "sftp -b cmds h",
            "rsync --rsh='rm -rf /' s e:/t",
            "rsync -ae 'rm -rf /' s e:/t",
            "rsync -e 'ssh -o ProxyCommand=id' s e:/t",
            "rsync --rsync-path=id a h:b",
            "rsync -f '. /etc/x' a b",
            "rsync --daemon",
            "rsync -a \"$x\" b",
        ] {
            check_opaque(line);
        }
    }
}
