//! Subcommands of other tools that need more than a row.

use super::super::options::{join, opaque, port};
use super::call::{Call, Read};
use super::effects::{history, index, tree};
use super::extensions::{Words, read, some};
use super::options as o;
use super::remote::{Way, any, contact, default, implied};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};

/// Tells what a subcommand does; false if it is none of these.
pub(super) fn deeds<'s>(
    name: &str,
    arguments: &[Text<'s>],
    call: &Call<'s>,
    out: &mut Vec<Deed<'s>>,
) -> bool {
    match name {
        "alias" => alias(arguments, call, out),
        "annex" => annex(arguments, call, out),
        "authors" | "changelog" => listing(name, arguments, call, out),
        "bug" | "feature" | "refactor" | "chore" | "create-branch" => {
            branch(name, arguments, call, out);
        }
        "cliff" => cliff(arguments, call, out),
        "effort" => effort(arguments, call, out),
        "flow" => flow(arguments, call, out),
        "force-clone" => force_clone(arguments, call, out),
        "gui" => gui(arguments, call, out),
        "ignore" => ignore(arguments, call, out),
        "instaweb" => instaweb(arguments, call, out),
        "lfs" => lfs(arguments, call, out),
        "magic" => {
            let read = read(&o::MAGIC, Words::Any, 0, arguments, call, out);
            if read.has("p") {
                default(None, Way::Push, call, out);
            }
            history(call, out);
        }
        "p4" => depot(arguments, call, out),
        "pr" => {
            let read = read(&o::NONE, Words::Plain, 2, arguments, call, out);
            match &*read.operands {
                [number] if number.text.contains("://") => contact(number, Way::Fetch, call, out),
                [_, remote] => contact(remote, Way::Fetch, call, out),
                _ => default(None, Way::Fetch, call, out),
            }
            call.writes_own(".git/config", out);
            tree(call, out);
        }
        "reset-file" => {
            let read = read(&o::NONE, Words::Plain, 2, arguments, call, out);
            read.operands.iter().take(1).for_each(|path| call.tracks(path, out));
            index(call, out);
        }
        "sed" => sed(arguments, call, out),
        "send-email" => send_email(arguments, call, out),
        "setup" => setup(arguments, call, out),
        "svn" => svn(arguments, call, out),
        "town" => {
            let read = read(&o::NONE, Words::Plain, 2, arguments, call, out);
            match verb(&read) {
                Some("diff-parent" | "branch" | "status") => {}
                Some(
                    "hack" | "append" | "prepend" | "sync" | "ship" | "undo" | "continue" | "skip"
                    | "park" | "observe" | "contribute" | "switch",
                ) => {
                    any(call, out);
                    call.writes_own(".git/config", out);
                    tree(call, out);
                }
                _ => opaque(out, Reason::ShellUnknownOption, call.span),
            }
        }
        _ => return false,
    }
    call.hooks(out);
    true
}

fn verb<'a>(read: &'a Read<'_>) -> Option<&'a str> {
    // Text that is not known is no verb that is harmless.
    read.operands.first().map(|text| text.literal().unwrap_or_default())
}

/// `git alias [name [command]]`: two write the configuration of the user.
fn alias<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::NONE, Words::Any, 1, arguments, call, out);
    if read.operands.iter().any(|text| text.many) {
        opaque(out, Reason::ShellDynamicArgument, call.span);
    }
}

/// `git annex`: special remotes may be programs that the configuration names.
fn annex<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::ANNEX, Words::Any, usize::MAX, arguments, call, out);
    match verb(&read) {
        Some("version" | "whereis" | "find" | "info" | "status" | "list" | "log") => {}
        Some("init") => {
            for name in [".git/config", ".git/hooks/pre-commit", ".git/annex"] {
                call.writes_own(name, out);
            }
            history(call, out);
        }
        Some("get" | "copy" | "move" | "sync" | "drop" | "push" | "pull") => {
            any(call, out);
            call.writes_own(".git/annex", out);
            tree(call, out);
        }
        Some("add" | "lock" | "unlock" | "edit" | "unannex") => {
            call.writes_own(".git/annex", out);
            tree(call, out);
        }
        _ => opaque(out, Reason::ShellUnknownOption, call.span),
    }
}

/// `git authors` and `git changelog` show, or write the file that looks like it.
fn listing<'s>(name: &str, arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let options = if name == "authors" { &o::AUTHORS } else { &o::CHANGELOG };
    let read = read(options, Words::Plain, 1, arguments, call, out);
    if read.has("l") {
        return;
    }
    match read.operands.first() {
        Some(file) => call.writes(file, out),
        None => some("", call, out),
    }
}

/// `git feature name` and its like: a branch, or with `finish` a merge. With `-r` it is pushed. `bug` is
/// the name of a bug tracker as well, which keeps its data in refs.
fn branch<'s>(name: &str, arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::FEATURE, Words::Plain, 9, arguments, call, out);
    match verb(&read) {
        Some("push" | "pull" | "bridge" | "webui" | "termui" | "web") if name == "bug" => {
            opaque(out, Reason::ShellUnknownOption, call.span);
        }
        // The branch is deleted where it came from as well.
        Some("finish") => default(None, Way::Push, call, out),
        _ => {}
    }
    if let Some((_, remote)) = read.options.iter().find(|(option, _)| *option == "r") {
        default(remote.as_ref(), Way::Push, call, out);
    }
    tree(call, out);
}

/// `git cliff` makes a list of changes; its configuration may name programs.
fn cliff<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::CLIFF, Words::Any, 1, arguments, call, out);
    for file in ["o", "p"] {
        read.values(file).for_each(|file| call.writes(file, out));
    }
    read.values("c").for_each(|file| {
        call.reads(file, out);
        out.push(Deed::WorkspaceCode { place: call.path(file) });
    });
}

/// `git effort [--above n] [option …] [path …]` hands its arguments to `eval`.
fn effort<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let marked = |text: &&Text<'_>| text.literal() != Some("--");
    let arguments: Vec<_> = arguments.iter().filter(marked).cloned().collect();
    read(&o::EFFORT, Words::Quoted, usize::MAX, &arguments, call, out);
}

/// `git flow kind verb [name]`.
fn flow<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::FLOW, Words::Plain, 4, arguments, call, out);
    let second = read.operands.get(1).map(|text| text.literal().unwrap_or_default());
    match (verb(&read), second) {
        (Some("version"), _) => {}
        (Some("init"), _) => {
            call.writes_own(".git/config", out);
            tree(call, out);
        }
        (
            Some("feature" | "bugfix" | "release" | "hotfix" | "support"),
            None | Some("list" | "diff"),
        ) => {}
        (
            Some("feature" | "bugfix" | "release" | "hotfix" | "support"),
            Some(
                "start" | "finish" | "publish" | "track" | "pull" | "rebase" | "checkout"
                | "delete",
            ),
        ) => {
            default(None, Way::Push, call, out);
            call.writes_own(".git/config", out);
            tree(call, out);
        }
        _ => opaque(out, Reason::ShellUnknownOption, call.span),
    }
}

/// `git force-clone url place` makes `place` a clone, whatever it was.
fn force_clone<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::FORCE_CLONE, Words::Plain, 2, arguments, call, out);
    let [peer, place] = &*read.operands else {
        return opaque(out, Reason::ShellArguments, call.span);
    };
    contact(peer, Way::Fetch, call, out);
    out.push(Deed::Create { path: call.path(place) });
    call.discards(place, out);
    out.push(Deed::WorkspaceCode { place: call.path(place) });
}

/// `git gui [citool|blame|browser|version]`: what else happens is for whoever sits in front of it.
fn gui<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::GUI, Words::Any, 3, arguments, call, out);
    match verb(&read) {
        Some("version" | "blame" | "browser") => {}
        None | Some("citool") => tree(call, out),
        _ => opaque(out, Reason::ShellUnknownOption, call.span),
    }
}

/// `git ignore [-l|-p|-g] [pattern …]`.
fn ignore<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::IGNORE, Words::Any, usize::MAX, arguments, call, out);
    let adds = !read.operands.is_empty();
    match (read.has("g"), read.has("p")) {
        // A file of the user, whose place the configuration says.
        (true, _) => opaque(out, Reason::ShellDynamicPath, call.span),
        (_, true) if adds => call.writes_own(".git/info/exclude", out),
        _ if adds => call.writes_own(".gitignore", out),
        _ => call.reads(&Text::known(".gitignore", call.span), out),
    }
}

/// `git instaweb` starts a web server, on every address unless told otherwise, and a browser.
fn instaweb<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::INSTAWEB, Words::Plain, 1, arguments, call, out);
    if !matches!(verb(&read), None | Some("start" | "stop" | "restart")) {
        opaque(out, Reason::ShellArguments, call.span);
    }
    call.writes_own(".git/gitweb", out);
    if read.has("stop") || verb(&read) == Some("stop") {
        return;
    }
    let host = if read.has("l") { "127.0.0.1" } else { "0.0.0.0" };
    let number = match read.values("p").last() {
        Some(text) => port(text),
        None => Some(1234),
    };
    let host = Text::known(host, call.span);
    out.push(Deed::Listen { host, port: number, udp: false });
}

/// `git lfs`. A file of the work tree, `.lfsconfig`, may name the place that is talked to. What changes
/// hooks and the configuration of the user (`install`) stays unknown.
fn lfs<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::LFS, Words::Any, usize::MAX, arguments, call, out);
    match verb(&read) {
        Some("env" | "status" | "ls-files" | "version") => {}
        Some("track" | "untrack") => call.writes_own(".gitattributes", out),
        Some("checkout") => tree(call, out),
        Some("locks" | "lock" | "unlock" | "push") => any(call, out),
        Some("fetch" | "pull") => {
            any(call, out);
            call.writes_own(".git/lfs", out);
            tree(call, out);
        }
        Some("prune" | "fsck") => call.writes_own(".git/lfs", out),
        _ => opaque(out, Reason::ShellUnknownOption, call.span),
    }
}

/// `git p4 verb`: another server, which the environment or the configuration names.
fn depot<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::P4, Words::Any, 3, arguments, call, out);
    match verb(&read) {
        Some("clone") => {
            unnamed("p4", call, out);
            let place = match (read.values("destination").last(), &*read.operands) {
                (Some(place), _) | (None, [_, _, place]) => Some(place.clone()),
                // The last part of `//depot/place@all`.
                (None, [_, depot]) => depot.literal().and_then(|text| {
                    let text = text.split(['@', '#']).next()?.trim_end_matches(['/', '.']);
                    let last = text.rsplit('/').next().filter(|last| !last.is_empty())?;
                    Some(Text::known(last.to_owned(), depot.span))
                }),
                _ => None,
            };
            match place {
                Some(place) => out.push(Deed::Create { path: call.path(&place) }),
                None => opaque(out, Reason::ShellDynamicPath, call.span),
            }
        }
        Some("sync" | "rebase" | "submit" | "branches") => {
            unnamed("p4", call, out);
            tree(call, out);
        }
        _ => opaque(out, Reason::ShellUnknownOption, call.span),
    }
}

fn unnamed<'s>(kind: &'static str, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let open = vec![Open { start: 0, end: 1, what: Unknown::Anything }];
    let name = Text { text: "*".into(), open, many: false, span: call.span };
    out.push(Deed::Remote { kind, name });
}

/// `git sed [-c] [-f flags] search replacement [flags] [-- path …]` puts them into a command of `sed`, of
/// which the flags `e` and `w` run and write.
fn sed<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let at = arguments.iter().position(|text| text.literal() == Some("--"));
    let (own, paths) = arguments.split_at(at.unwrap_or(arguments.len()));
    let read = read(&o::SED, Words::Any, 3, own, call, out);
    let harmless = |flags: &Text<'_>| {
        flags
            .literal()
            .is_some_and(|flags| flags.bytes().all(|byte| b"gpiIm0123456789".contains(&byte)))
    };
    if !read.values("f").chain(read.operands.get(2)).all(harmless) {
        opaque(out, Reason::ShellInnerLanguage, call.span);
    }
    // A line break would end the command, and begin another.
    let line = |text: &Text<'_>| text.literal().is_none_or(|text| text.contains(char::is_control));
    if read.operands.iter().any(line) || paths.iter().skip(1).any(line) {
        opaque(out, Reason::ShellInnerLanguage, call.span);
    }
    // Paths are expanded without quotes.
    if paths.iter().skip(1).any(|path| path.text.contains([' ', '*', '?', '['])) {
        opaque(out, Reason::ShellDynamicPath, call.span);
    }
    paths.iter().skip(1).for_each(|path| call.tracks(path, out));
    tree(call, out);
}

/// `git send-email [option …] (file | directory | revision)…`. Who gets it, and by which server, may stand
/// in the configuration; `--smtp-server` and `--*-cmd` may be programs.
fn send_email<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    // `-10`: how many commits.
    let counts = |text: &Text<'_>| {
        text.literal().and_then(|text| text.strip_prefix('-')).is_some_and(|count| {
            !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let arguments = match arguments.split_first() {
        Some((first, rest)) if counts(first) => rest,
        _ => arguments,
    };
    let read = read(&o::SEND_EMAIL, Words::Any, usize::MAX, arguments, call, out);
    read.operands.iter().for_each(|file| call.reads(file, out));
    if read.has("dry-run") {
        return;
    }
    unnamed("smtp", call, out);
    for option in ["to", "cc", "bcc"] {
        for recipient in read.values(option) {
            out.push(Deed::Message { channel: "email", recipient: recipient.clone() });
        }
    }
    // Those that the configuration and the patches name.
    let open = vec![Open { start: 0, end: 1, what: Unknown::Anything }];
    let recipient = Text { text: "*".into(), open, many: true, span: call.span };
    out.push(Deed::Message { channel: "email", recipient });
}

/// `git setup [directory]` makes a repository of it, and commits all that is there.
fn setup<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::NONE, Words::Plain, 1, arguments, call, out);
    let place = read.operands.first().cloned().unwrap_or_else(|| call.here());
    out.push(Deed::Read { path: call.path(&place), recursive: true });
    out.push(Deed::WorkspaceCode { place: call.path(&place) });
    for name in [".git/HEAD", ".git/index", ".git/objects", ".git/refs"] {
        call.writes(&join(&place, &Text::known(name, call.span)), out);
    }
}

/// `git svn verb`.
fn svn<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = read(&o::SVN, Words::Any, 3, arguments, call, out);
    read.values("A").for_each(|file| call.reads(file, out));
    match (verb(&read), read.operands.get(1)) {
        (Some("info" | "log" | "find-rev" | "blame"), _) => unnamed("svn", call, out),
        (Some("fetch" | "rebase" | "dcommit"), _) => {
            unnamed("svn", call, out);
            tree(call, out);
        }
        (Some("clone"), Some(peer)) => {
            if peer.starts_with("https://") || peer.starts_with("http://") {
                out.push(Deed::Url { url: peer.clone(), method: "GET" });
            } else {
                opaque(out, Reason::ShellNetwork, peer.span);
            }
            match read.operands.get(2).cloned().or_else(|| implied(peer, false)) {
                Some(place) => out.push(Deed::Create { path: call.path(&place) }),
                None => opaque(out, Reason::ShellDynamicPath, peer.span),
            }
        }
        _ => opaque(out, Reason::ShellUnknownOption, call.span),
    }
}
