//! Subcommands that are no part of git: `git-extras`, `git-imerge`, `git-absorb` and others of which one
//! row says enough.
//!
//! A name that stands here is believed to be the tool of that name. An alias of the configuration may
//! have it too, so that whoever writes `.git/config` decides what it is: a scope keeps that file apart.
//! Most of these are shell scripts that expand their arguments without quotes, or hand them to `eval`:
//! [`Words`] says what may stand in an argument. What is left out stays unknown: `bulk`, `repl`, `fork`,
//! `get`, `reauthor`, `ignore-io`, `extras update`, which run what they are told or fetch code.

use super::super::options::Options;
use super::super::options::Takes::{self, Nothing, Value};
use super::super::options::opaque;
use super::call::{Call, Read};
use super::effects::{history, index, tree};
use super::remote::{Way, contact, default};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};

struct Extension {
    name: &'static str,
    options: Options,
    words: Words,
    /// How many operands there may be.
    most: usize,
    does: &'static [What],
}

/// What may stand in an argument.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// It is expanded without quotes: no blank, no pattern, nothing that a shell reads.
    Plain,
    /// It is evaluated inside of double quotes.
    Quoted,
    /// It is handed on as it is.
    Any,
}

/// All of them read the repository, and run what its configuration names.
#[derive(Clone, Copy)]
enum What {
    /// The index and objects.
    Index,
    /// Refs as well.
    History,
    /// The work tree as well.
    Tree,
    /// What was not committed is lost.
    Discard,
    /// A file with a fixed name.
    Own(&'static str),
    /// Some file of the directory, of which only the end of the name is known.
    Some(&'static str),
    Reads,
    Writes,
    /// A remote: the operand of that number, or the usual one.
    Remote(usize),
    /// A repository is fetched from the operand of that number.
    Peer(usize),
    Service(&'static str),
}

/// Tells what an extension does; false if it is none of these.
pub(super) fn deeds<'s>(
    name: &str,
    arguments: &[Text<'s>],
    call: &Call<'s>,
    out: &mut Vec<Deed<'s>>,
) -> bool {
    let Some(extension) = EXTENSIONS.iter().find(|extension| extension.name == name) else {
        return false;
    };
    let read = read(&extension.options, extension.words, extension.most, arguments, call, out);
    // The commit of `blame-someone-else` is expanded without quotes, and so may bring `--exec`.
    let commit = read.operands.get(1).filter(|_| name == "blame-someone-else");
    if commit.is_some_and(|text| !may_stand(&text.text, Words::Plain)) {
        opaque(out, Reason::ShellInnerLanguage, call.span);
    }
    if name == "undo" && read.has("h") {
        call.discards(&call.here(), out);
        call.tracks(&call.here(), out);
    }
    for what in extension.does {
        does(*what, &read, call, out);
    }
    call.hooks(out);
    true
}

/// Reads the arguments of a script.
pub(super) fn read<'s>(
    options: &'static Options,
    words: Words,
    most: usize,
    arguments: &[Text<'s>],
    call: &Call<'s>,
    out: &mut Vec<Deed<'s>>,
) -> Read<'s> {
    let read = call.read(options, arguments, out);
    // A script does not hand `--` on: what stands behind it may become an option of what it runs.
    let dashed = read.operands.iter().find(|text| text.text.starts_with('-'));
    if read.operands.len() > most || read.paths != usize::MAX {
        opaque(out, Reason::ShellArguments, call.span);
    } else if let Some(dashed) = dashed {
        opaque(out, Reason::ShellUnknownOption, dashed.span);
    }
    let values = read.options.iter().filter_map(|(_, value)| value.as_ref());
    for text in values.chain(&read.operands) {
        if words == Words::Any {
            continue;
        }
        match text.literal() {
            None => opaque(out, Reason::ShellDynamicArgument, text.span),
            Some(known) if !may_stand(known, words) => {
                opaque(out, Reason::ShellInnerLanguage, text.span);
            }
            Some(_) => {}
        }
    }
    out.push(Deed::Read { path: call.own("."), recursive: false });
    read
}

fn may_stand(text: &str, words: Words) -> bool {
    match words {
        Words::Any => true,
        // ` -` is refused in case that quotes are missing after all.
        Words::Quoted => {
            !text.contains(" -")
                && !text.contains(['"', '$', '`', '\\', '\'', '!'])
                && !text.contains(char::is_control)
        }
        Words::Plain => {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/@:+,%=-~^".contains(&byte))
        }
    }
}

fn does<'s>(what: What, read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    match what {
        What::Index => index(call, out),
        What::History => history(call, out),
        What::Tree => tree(call, out),
        What::Discard => call.discards(&call.here(), out),
        What::Own(name) => call.writes_own(name, out),
        What::Some(end) => some(end, call, out),
        What::Reads => read.operands.iter().for_each(|path| call.reads(path, out)),
        What::Writes => read.operands.iter().for_each(|path| call.writes(path, out)),
        What::Remote(at) => default(read.operands.get(at), Way::Push, call, out),
        What::Peer(at) => match read.operands.get(at) {
            Some(peer) => contact(peer, Way::Fetch, call, out),
            None => opaque(out, Reason::ShellArguments, call.span),
        },
        What::Service(host) => out.push(Deed::Service { host, port: 443 }),
    }
}

/// Writes a file of the directory, of which only the end of the name is known.
pub(super) fn some<'s>(end: &'static str, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let open = vec![Open { start: 0, end: 1, what: Unknown::Glob }];
    let path = Text { text: format!("*{end}").into(), open, many: false, span: call.span };
    call.writes(&path, out);
}

macro_rules! extensions {
    ($(
        $name:literal $words:ident $most:literal [$($does:expr),*]
        $(flags $($flag:literal)+)? $(values $($value:literal)+)? $(attached $($attached:literal)+)?
    ;)*) => {
        &[$(extensions!(@each [$name] $words $most [$($does),*]
            [$($(($flag, Nothing),)+)? $($(($value, Value),)+)? $($(($attached, Attached),)+)?])),*]
    };
    (@each [$name:literal] $words:ident $most:literal [$($does:expr),*] [$($row:expr,)*]) => {
        Extension {
            name: $name,
            options: Options { rows: { const ROWS: &[(&str, Takes)] = &[$($row),*]; ROWS }, permute: true },
            words: Words::$words,
            most: $most,
            does: &[$($does),*],
        }
    };
}

use What::{
    Discard, History, Index, Own, Peer, Reads, Remote, Service, Some as File, Tree, Writes,
};

static EXTENSIONS: &[Extension] = extensions! {
    // git-extras
    "abort" Plain 0 [Tree];
    "archive-file" Plain 0 [File(".zip")];
    "blame-someone-else" Quoted 2 [Tree];
    "browse" Plain 4 [Remote(0)];
    "browse-ci" Plain 1 [Remote(0)];
    "brv" Plain 0 [] flags "r reverse";
    "clear" Plain 0 [Discard, Tree] flags "f force";
    "clear-soft" Plain 0 [Discard, Tree] flags "f force";
    "coauthor" Quoted 2 [History];
    "commits-since" Quoted 9 [];
    "contrib" Any 9 [];
    "count" Plain 0 [] flags "all";
    "cp" Plain 2 [Tree, Writes] flags "f force";
    "delete-branch" Plain 99 [Remote(99), History];
    "delete-gone-branches" Plain 0 [History] flags "n dry-run";
    "delete-merged-branches" Plain 0 [History];
    "delete-squashed-branches" Plain 1 [Tree];
    "delete-submodule" Plain 1 [Own(".gitmodules"), Own(".git/config"), Own(".git/modules"), Tree];
    "delete-tag" Plain 99 [Remote(99), History];
    "delta" Any 2 [];
    "fresh-branch" Plain 1 [Discard, History];
    "gh-pages" Plain 0 [Remote(99), Discard, Tree];
    "graft" Plain 2 [Tree];
    "guilt" Any 2 [] flags "e email" "w ignore-whitespace" "d debug";
    "info" Plain 0 [] flags "c color" "no-config";
    "local-commits" Plain 0 [];
    "lock" Plain 1 [Index];
    "locked" Plain 0 [];
    "unlock" Plain 1 [Index];
    "merge-into" Plain 2 [Remote(99), Tree] flags "ff-only";
    "merge-repo" Plain 3 [Peer(0), Tree];
    "missing" Plain 2 [];
    "mr" Plain 2 [Remote(1), Own(".git/config"), Tree];
    "obliterate" Plain 9 [Tree];
    "psykorebase" Plain 2 [Tree] flags "no-ff" "c continue";
    "pull-request" Plain 1 [Remote(99), Service("api.github.com")];
    "rebase-patch" Plain 1 [Reads, Tree];
    "release" Plain 1 [Remote(99), Tree] flags "c" "s" "no-empty-commit" values "r" "m" "u";
    "rename-branch" Plain 2 [Remote(99), Own(".git/config"), History];
    "rename-remote" Plain 2 [Own(".git/config"), History];
    "rename-tag" Plain 2 [Remote(99), History];
    "root" Plain 0 [] flags "r relative";
    "rscp" Plain 99 [Remote(0), Writes, File("")];
    "scp" Plain 99 [Remote(0), Index, File("")];
    "show-merged-branches" Plain 0 [];
    "show-tree" Plain 0 [];
    "show-unmerged-branches" Plain 0 [];
    "squash" Quoted 2 [Tree] flags "squash-msg";
    "stamp" Quoted 2 [History] flags "r replace";
    "standup" Quoted 0 [] flags "h" "g" "B" "L" values "F" "d" "a" "w" "m" "D" "n";
    "summary" Any 9 [] flags "full-path" "line" "dedup-by-email" "no-merges" values "output-style";
    "sync" Plain 2 [Remote(0), Discard, Tree] flags "s soft" "f force";
    "touch" Plain 99 [Writes, Index];
    "undo" Plain 1 [History] flags "s soft" "h hard";
    // Other tools.
    "absorb" Plain 0 [Tree] flags "r and-rebase" "n dry-run" "f force" "w whole-file" "F one-fixup-per-commit"
        "v verbose" "s squash" values "b base" "m message";
    "cola" Any 1 [Tree] flags "amend" "prompt" "v version" values "s status-filter";
    "citool" Any 1 [Tree] flags "amend" "nocommit";
    "fame" Any 0 [] flags "C" "M" "w ignore-whitespace" "bytype" "b" "e show-email" "t bytype" "no-regex"
        "s silent-progress" "n no-regex" "whitespace" "hide-progressbar" "show-email" "warn-binary"
        values "format" "sort" "loc" "excl" "incl" "since" "until" "branch" "cost" "enum"
        "exclude" "extensions" "after" "before";
    "imerge" Plain 9 [Tree] flags "first-parent" "manual" "force" "commits" "frontier" "no-color" "color"
        "no-edit" "edit" "full" values "name" "branch" "goal";
    "quick-stats" Plain 0 [] flags "T detailed-git-stats" "r suggest-reviewers" "D branches-by-date"
        "C contributors" "b branch-tree" "a commits-per-author" "d commits-per-day";
    "sl" Plain 0 [];
    "smartlog" Plain 0 [];
    "restack" Plain 0 [Tree];
};
