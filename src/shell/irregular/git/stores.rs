//! Subcommands that keep house: the configuration, stashes, notes, work trees, packs.

use super::super::options::{Options, opaque};
use super::call::{Call, Read, join};
use super::effects::{history, index, tree};
use super::options as o;
use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};

/// Tells what a subcommand does to the repository; false if it is none of these.
pub(super) fn deeds<'s>(
    name: &str,
    arguments: &[Text<'s>],
    call: &Call<'s>,
    out: &mut Vec<Deed<'s>>,
) -> bool {
    let options: &'static Options = match name {
        "init" | "init-db" => &o::INIT,
        "config" => &o::CONFIG,
        "stash" => return stash(arguments, call, out),
        "reflog" => return reflog(arguments, call, out),
        "bisect" => return bisect(arguments, call, out),
        "notes" => &o::NOTES,
        "worktree" => &o::WORKTREE,
        "sparse-checkout" => &o::SPARSE,
        "bundle" => &o::BUNDLE,
        "gc" => &o::GC,
        "repack" => &o::REPACK,
        "prune" => &o::PRUNE,
        "pack-refs" => &o::PACK_REFS,
        "prune-packed" | "rerere" | "mktag" | "unpack-file" | "unpack-objects"
        | "update-server-info" => &o::SHORT,
        "commit-graph" => &o::COMMIT_GRAPH,
        "maintenance" => &o::MAINTENANCE,
        "replace" => &o::REPLACE,
        "commit-tree" => &o::COMMIT_TREE,
        "mktree" => &o::MKTREE,
        "write-tree" => &o::WRITE_TREE,
        "fast-import" => &o::FAST_IMPORT,
        "interpret-trailers" => &o::TRAILERS,
        "mailinfo" => &o::MAIL,
        "merge-index" => return merge_index(arguments, call, out),
        "merge-one-file" => &o::NONE,
        _ => return false,
    };
    let read = call.read(options, arguments, out);
    out.push(Deed::Read { path: call.own("."), recursive: false });
    read.values("F").for_each(|file| call.reads(file, out));
    match name {
        "init" | "init-db" => init(&read, call, out),
        "config" => config(&read, call, out),
        "worktree" => worktree(&read, call, out),
        "bundle" => bundle(&read, call, out),
        "notes" => match verb(&read) {
            None | Some("list" | "get-ref") => {}
            Some("show") => call.hooks(out),
            _ => history(call, out),
        },
        "sparse-checkout" => match verb(&read) {
            Some("list" | "check-rules") => {}
            Some("add" | "reapply") => tree(call, out),
            Some("init" | "set" | "disable") => {
                call.writes_own(".git/config", out);
                tree(call, out);
            }
            _ => opaque(out, Reason::ShellUnknownOption, call.span),
        },
        "maintenance" => match verb(&read) {
            Some("run") => history(call, out),
            // These change the timers of the user and the configuration.
            _ => opaque(out, Reason::ShellUnknownOption, call.span),
        },
        "commit-graph" => match verb(&read) {
            Some("verify") => {}
            Some("write") => call.writes_own(".git/objects", out),
            _ => opaque(out, Reason::ShellUnknownOption, call.span),
        },
        "replace" if read.has("l") || read.operands.is_empty() => {}
        "rerere" => match verb(&read) {
            Some("status" | "diff" | "remaining") => call.hooks(out),
            _ => tree(call, out),
        },
        "commit-tree" | "mktree" | "write-tree" | "mktag" => {
            call.writes_own(".git/objects", out);
            // Objects that it refers to are looked up, and fetched where they are missing.
            call.hooks(out);
        }
        "merge-one-file" | "unpack-file" => tree(call, out),
        "repack" => {
            for place in ["expire-to", "filter-to"] {
                read.values(place).for_each(|path| {
                    out.push(Deed::Create { path: call.path(path) });
                });
            }
            history(call, out);
        }
        "interpret-trailers" => {
            for file in &read.operands {
                call.reads(file, out);
                if read.has("in-place") {
                    call.writes(file, out);
                }
            }
            // The configuration may name a command for a trailer.
            call.hooks(out);
        }
        "mailinfo" => read.operands.iter().for_each(|file| call.writes(file, out)),
        _ => history(call, out),
    }
    true
}

fn verb<'a>(read: &'a Read<'_>) -> Option<&'a str> {
    // Text that is not known is no verb that is harmless.
    read.operands.first().map(|text| text.literal().unwrap_or_default())
}

/// `git init [option …] [directory]`: what it writes is the same every time.
fn init<'s>(read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    for place in read.values("separate-git-dir") {
        out.push(Deed::Create { path: call.path(place) });
    }
    let place = match &*read.operands {
        [] => call.here(),
        [place] => {
            out.push(Deed::Read { path: call.path(place), recursive: false });
            place.clone()
        }
        _ => return opaque(out, Reason::ShellArguments, call.span),
    };
    let below: &[&str] = match read.has("bare") {
        true => &["HEAD", "config", "description", "hooks", "info", "objects", "refs"],
        false => &[".git/HEAD", ".git/description", ".git/info", ".git/objects", ".git/refs"],
    };
    // Not the directory: a scope may grant it without `.git/config`, which says the same every time.
    for name in below {
        call.writes(&join(Some(&place), &Text::known(*name, call.span)), out);
    }
}

/// `git config`: a setting may name programs that later commands run.
fn config<'s>(read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    read.values("f").for_each(|file| call.reads(file, out));
    let count = read.operands.len();
    let writes = match verb(read) {
        _ if read.has("e") => return opaque(out, Reason::ShellUnknownOption, call.span),
        _ if read.has_any(&["l", "get", "get-all", "get-regexp", "get-urlmatch"]) => false,
        _ if read.has_any(&["get-color", "get-colorbool"]) => false,
        Some("list" | "get") => false,
        Some("edit") => return opaque(out, Reason::ShellUnknownOption, call.span),
        Some("set" | "unset" | "rename-section" | "remove-section") => true,
        _ => count > 1 || read.has_any(&["unset", "unset-all", "remove-section"]),
    };
    if !writes {
        if read.has_any(&["l", "get-all", "get-regexp", "get-urlmatch"])
            || verb(read) == Some("list")
        {
            call.hooks(out);
        }
        return;
    }
    let key = match verb(read) {
        Some("set" | "unset" | "rename-section" | "remove-section") => read.operands.get(1),
        _ => read.operands.first(),
    };
    let harmless = key.and_then(Text::literal).is_some_and(|key| {
        matches!(&*key.to_ascii_lowercase(), "user.name" | "user.email" | "init.defaultbranch")
            || key.to_ascii_lowercase().starts_with("color.")
            || key.to_ascii_lowercase().starts_with("advice.")
    });
    if !harmless {
        opaque(out, Reason::ShellEnvironment, call.span);
    }
    if read.has_any(&["global", "system"]) {
        // A file outside of every workspace, whose place is not known here.
        opaque(out, Reason::ShellDynamicPath, call.span);
    } else if read.has("f") {
        read.values("f").for_each(|file| call.writes(file, out));
    } else {
        call.writes_own(".git/config", out);
    }
}

fn stash<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) -> bool {
    let shows = matches!(arguments.first().and_then(Text::literal), Some("list" | "show"));
    let read = call.read(if shows { &o::LOG } else { &o::STASH }, arguments, out);
    out.push(Deed::Read { path: call.own("."), recursive: false });
    if shows {
        shown(&read, call, out);
        return true;
    }
    match verb(&read) {
        Some("drop" | "clear" | "create" | "store") => {
            history(call, out);
            return true;
        }
        None | Some("push" | "save" | "pop" | "apply" | "branch") => {}
        // `git stash -- path` needs no verb.
        Some(_) if read.paths == 0 => {}
        Some(_) => opaque(out, Reason::ShellUnknownOption, call.span),
    }
    read.values("pathspec-from-file").for_each(|file| call.reads(file, out));
    tree(call, out);
    true
}

fn reflog<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) -> bool {
    let changes = matches!(arguments.first().and_then(Text::literal), Some("expire" | "delete"));
    let read = call.read(if changes { &o::REFLOG } else { &o::LOG }, arguments, out);
    out.push(Deed::Read { path: call.own("."), recursive: false });
    shown(&read, call, out);
    if changes {
        history(call, out);
    }
    true
}

/// What all that shows commits may do.
fn shown<'s>(read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    for file in read.values("output") {
        call.writes(file, out);
        opaque(out, Reason::ShellUnknownOption, file.span);
    }
    read.values("O").for_each(|file| call.reads(file, out));
    call.hooks(out);
}

fn bisect<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) -> bool {
    if let [verb, command @ ..] = arguments
        && verb.literal() == Some("run")
    {
        // It runs in the top directory, wherever that is.
        out.push(Deed::Command { argv: command.to_vec() });
        opaque(out, Reason::ShellWorkingDirectory, verb.span);
        tree(call, out);
        return true;
    }
    let read = call.read(&o::BISECT, arguments, out);
    out.push(Deed::Read { path: call.own("."), recursive: false });
    match verb(&read) {
        Some("log" | "terms" | "help") => {}
        Some("start" | "good" | "bad" | "old" | "new" | "skip" | "reset" | "next") => {
            tree(call, out);
        }
        // `replay` reads a file of commands, `visualize` starts a program.
        _ => opaque(out, Reason::ShellUnknownOption, call.span),
    }
    true
}

fn worktree<'s>(read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let place = read.operands.get(1);
    match (verb(read), place) {
        (Some("list"), _) => {}
        (Some("prune" | "repair"), _) | (Some("lock" | "unlock"), Some(_)) => history(call, out),
        (Some("add"), Some(place)) => {
            out.push(Deed::Create { path: call.path(place) });
            history(call, out);
        }
        (Some("remove"), Some(place)) => {
            out.push(Deed::Delete { path: call.path(place), recursive: true });
            history(call, out);
        }
        (Some("move"), Some(place)) => {
            out.push(Deed::Delete { path: call.path(place), recursive: true });
            if let Some(to) = read.operands.get(2) {
                out.push(Deed::Create { path: call.path(to) });
            }
            history(call, out);
        }
        _ => opaque(out, Reason::ShellUnknownOption, call.span),
    }
}

fn bundle<'s>(read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    match (verb(read), read.operands.get(1)) {
        (Some("create"), Some(file)) if file.literal() == Some("-") => {}
        (Some("create"), Some(file)) => call.writes(file, out),
        (Some("verify" | "list-heads"), Some(file)) => call.reads(file, out),
        (Some("unbundle"), Some(file)) => {
            call.reads(file, out);
            index(call, out);
        }
        _ => opaque(out, Reason::ShellUnknownOption, call.span),
    }
}

/// `git merge-index [-o] [-q] program (-a | [--] file …)` runs the program for every file, with three
/// objects, the path and three modes.
fn merge_index<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) -> bool {
    let known = |text: &&Text<'_>| !matches!(text.literal(), Some("-o" | "-q"));
    let program = arguments.iter().find(known);
    match program.and_then(Text::literal) {
        Some("git-merge-one-file") => {}
        Some(name) if !name.starts_with('-') => {
            let argument = |what| Text {
                text: "{}".into(),
                open: vec![Open { start: 0, end: 2, what }],
                many: false,
                span: call.span,
            };
            let name = Text::known(name.to_owned(), call.span);
            let mut argv = vec![name];
            argv.extend([Unknown::Glob; 3].map(argument));
            argv.push(argument(Unknown::Below));
            argv.extend([Unknown::Number; 3].map(argument));
            out.push(Deed::CommandWith { argv, appended: false });
            // It runs in the top directory, wherever that is.
            opaque(out, Reason::ShellWorkingDirectory, call.span);
        }
        _ => opaque(out, Reason::ShellArguments, call.span),
    }
    tree(call, out);
    true
}
