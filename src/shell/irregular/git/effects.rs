//! Subcommands that look at the repository, and those that change the work tree, the index or refs.

use super::super::options::{Options, opaque};
use super::call::{Call, Read, pinned};
use super::options as o;
use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};

/// Tells what a subcommand looks at; false if it is none that only looks.
pub(super) fn look<'s>(
    name: &str,
    arguments: &[Text<'s>],
    call: &Call<'s>,
    out: &mut Vec<Deed<'s>>,
) -> bool {
    let options: &'static Options = match name {
        "status" => &o::STATUS,
        "log" | "show" | "whatchanged" | "rev-list" | "diff" | "diff-files" | "diff-index"
        | "diff-tree" => &o::LOG,
        "shortlog" => &o::GROUPED,
        "ls-files" => &o::LS_FILES,
        "ls-tree" => &o::LS_TREE,
        "rev-parse" => &o::REV_PARSE,
        "describe" => &o::DESCRIBE,
        "blame" | "annotate" => &o::BLAME,
        "grep" => &o::GREP,
        "cat-file" => &o::CAT_FILE,
        "show-ref" => &o::SHOW_REF,
        "for-each-ref" => &o::FOR_EACH_REF,
        "merge-base" => &o::MERGE_BASE,
        "name-rev" => &o::NAME_REV,
        "range-diff" => &o::RANGE_DIFF,
        "cherry" => &o::CHERRY,
        "show-branch" => &o::SHOW_BRANCH,
        "count-objects" => &o::COUNT_OBJECTS,
        "check-ignore" => &o::CHECK_IGNORE,
        "check-attr" => &o::CHECK_ATTR,
        "check-mailmap" => &o::CHECK_MAILMAP,
        "check-ref-format" | "patch-id" | "version" | "var" | "get-tar-commit-id" => &o::SHORT,
        "verify-commit" => &o::VERIFY,
        "verify-tag" => &o::VERIFY_TAG,
        "verify-pack" => &o::VERIFY_PACK,
        "merge-tree" => &o::MERGE_TREE,
        "fast-export" => &o::EXPORT,
        "show-index" => &o::SHOW_INDEX,
        "stripspace" => &o::STRIPSPACE,
        "column" => &o::COLUMN,
        "fsck" => &o::FSCK,
        "help" => return help(arguments, call, out),
        _ => return false,
    };
    let read = call.read(options, arguments, out);
    out.push(Deed::Read { path: call.own("."), recursive: false });
    for operand in &read.operands {
        outside(operand, call, out);
    }
    if matches!(name, "diff" | "grep" | "show-index" | "verify-pack" | "check-mailmap" | "blame") {
        anywhere(name, &read, call, out);
    }
    for (option, value) in &read.options {
        let Some(value) = value else { continue };
        match (name, *option) {
            // `--format` says what stands in it: it writes any text anywhere.
            (_, "output") => {
                call.writes(value, out);
                opaque(out, Reason::ShellUnknownOption, value.span);
            }
            (_, "export-marks") => call.writes(value, out),
            ("grep", "f")
            | ("blame", "contents" | "S" | "ignore-revs-file")
            | ("ls-files", "X")
            | ("check-mailmap", "mailmap-file")
            | (_, "import-marks" | "import-marks-if-exists") => call.reads(value, out),
            // The order of files in a diff.
            ("log" | "show" | "whatchanged" | "rev-list" | "diff" | "shortlog", "O") => {
                call.reads(value, out);
            }
            ("diff-files" | "diff-index" | "diff-tree" | "fast-export", "O") => {
                call.reads(value, out);
            }
            _ => {}
        }
    }
    if name == "fsck" && read.has("lost-found") {
        call.writes_own(".git/lost-found", out);
    }
    // What nobody knows may be any expression.
    let unknown = name == "rev-parse" && arguments.iter().any(|text| text.literal().is_none());
    if unknown || runs_programs(name, &read) {
        call.hooks(out);
    }
    true
}

/// Reports whether a subcommand that only looks may run what the configuration names: a pager, a
/// monitor of the index, a program that checks signatures, or the one that brings objects which are not
/// there, from wherever the configuration says that they come (`extensions.partialClone`).
fn runs_programs(name: &str, read: &Read<'_>) -> bool {
    let signed = |value: &Text<'_>| {
        value.literal().is_none_or(|text| {
            // A name that git does not know is a format of the configuration.
            let known = ["oneline", "short", "medium", "full", "fuller", "reference", "raw"];
            let named = !text.contains(['%', ':']) && !known.contains(&text);
            text.contains("%G") || text.contains("signature") || (name == "rev-list" && named)
        })
    };
    let formats = ["pretty", "format", "sort"];
    match name {
        // `a^{tree}`, `a~1`, `a:b`, `a...b` are found by reading objects; a name is not.
        "rev-parse" => {
            let plain = |text: &str| !text.contains(['^', '~', ':']) && !text.contains("...");
            !read.operands.iter().all(|text| text.literal().is_some_and(plain))
        }
        // `fsck` does without objects that are not there.
        "check-ref-format" | "column" | "count-objects" | "fsck" | "get-tar-commit-id"
        | "patch-id" | "show-index" | "stripspace" | "var" | "verify-pack" | "version" => {
            read.has("show-signature") || formats.iter().any(|name| read.values(name).any(signed))
        }
        _ => true,
    }
}

/// Tells what a subcommand changes; false if it is none of these.
pub(super) fn change<'s>(
    name: &str,
    arguments: &[Text<'s>],
    call: &Call<'s>,
    out: &mut Vec<Deed<'s>>,
) -> bool {
    let options: &'static Options = match name {
        "add" | "stage" => &o::ADD,
        "commit" => &o::COMMIT,
        "checkout" => &o::CHECKOUT,
        "switch" => &o::SWITCH,
        "restore" => &o::RESTORE,
        "reset" => &o::RESET,
        "merge" => &o::MERGE,
        "rebase" => &o::REBASE,
        "cherry-pick" => &o::CHERRY_PICK,
        "revert" => &o::REVERT,
        "rm" => &o::RM,
        "mv" => &o::MV,
        "clean" => &o::CLEAN,
        "apply" => &o::APPLY,
        "am" => &o::AM,
        "branch" => &o::BRANCH,
        "tag" => &o::TAG,
        "update-index" => &o::UPDATE_INDEX,
        "update-ref" => &o::UPDATE_REF,
        "symbolic-ref" => &o::SYMBOLIC_REF,
        "read-tree" => &o::READ_TREE,
        "checkout-index" => &o::CHECKOUT_INDEX,
        "format-patch" => &o::PATCHES,
        "archive" => &o::ARCHIVE,
        "merge-file" => &o::MERGE_FILE,
        "hash-object" => &o::HASH_OBJECT,
        _ => return false,
    };
    let read = match name {
        "add" | "stage" | "rm" | "mv" | "restore" => call.read(options, &pinned(arguments), out),
        _ => call.read(options, arguments, out),
    };
    out.push(Deed::Read { path: call.own("."), recursive: false });
    if matches!(name, "reset" | "checkout" | "switch")
        && read.has_any(&["hard", "f", "discard-changes"])
    {
        // What was not committed is lost.
        call.discards(&call.here(), out);
    }
    for file in ["pathspec-from-file", "F", "t"] {
        // `-t` is `--track` for some, and `-F` is always a file.
        if file != "t" || name == "commit" {
            read.values(file).for_each(|file| call.reads(file, out));
        }
    }
    match name {
        "add" | "stage" | "update-index" => {
            read.operands.iter().for_each(|path| outside(path, call, out));
            index(call, out);
        }
        "commit" | "update-ref" => history(call, out),
        "reset" if !read.has_any(&["hard", "merge", "keep", "p", "recurse-submodules"]) => {
            read.operands.iter().for_each(|path| outside(path, call, out));
            history(call, out);
        }
        "symbolic-ref" if lists(name, &read) => {}
        "branch" | "tag" if lists(name, &read) => call.hooks(out),
        "branch" | "tag" | "symbolic-ref" => {
            let configured = ["edit-description", "u", "unset-upstream", "m", "M", "c", "C"];
            if name == "branch" && read.has_any(&configured) {
                call.writes_own(".git/config", out);
            }
            history(call, out);
        }
        "rm" if read.has("cached") => index(call, out),
        "rm" => {
            remove(&read, read.has("r"), call, out);
            if read.has("pathspec-from-file") {
                call.discards(&call.here(), out);
            }
            index(call, out);
        }
        "mv" => {
            let (to, from) = read.operands.split_last().unzip();
            for path in from.unwrap_or_default() {
                out.push(Deed::Delete { path: call.path(path), recursive: true });
            }
            if let Some(to) = to {
                out.push(Deed::Write { path: call.path(to), recursive: true });
            }
            index(call, out);
        }
        "clean" if read.has("n") => {}
        "clean" => {
            if read.operands.is_empty() {
                call.discards(&call.here(), out);
            }
            remove(&read, true, call, out);
            call.hooks(out);
        }
        "apply" => {
            read.operands.iter().for_each(|patch| call.reads(patch, out));
            if !read.has_any(&["check", "stat", "numstat", "summary"]) || read.has("apply") {
                read.values("build-fake-ancestor").for_each(|file| call.writes(file, out));
                if read.has("cached") {
                    index(call, out);
                } else {
                    directories(&read, call, out);
                    tree(call, out);
                }
            }
        }
        "am" => {
            read.operands.iter().for_each(|mail| call.reads(mail, out));
            directories(&read, call, out);
            tree(call, out);
        }
        "rebase" => {
            for script in read.values("x") {
                // It runs in the top directory, wherever that is.
                if script.literal().is_some() {
                    out.push(Deed::Shell { script: script.clone(), login: false });
                }
                opaque(out, Reason::ShellWorkingDirectory, script.span);
            }
            strategy(&read, out);
            tree(call, out);
        }
        "merge" | "cherry-pick" | "revert" => {
            strategy(&read, out);
            tree(call, out);
        }
        "read-tree" | "reset" => {
            read.values("index-output").for_each(|file| call.writes(file, out));
            tree(call, out);
        }
        "checkout" | "switch" => switch(name, &read, call, out),
        "restore" if read.has("S") && !read.has("W") => {
            read.operands.iter().for_each(|path| outside(path, call, out));
            index(call, out);
        }
        "restore" => {
            match read.operands.is_empty() {
                true => call.tracks(&call.here(), out),
                false => read.operands.iter().for_each(|path| named(path, call, out)),
            }
            index(call, out);
        }
        "checkout-index" => {
            for prefix in read.values("prefix") {
                out.push(Deed::Create { path: call.path(prefix) });
            }
            if !read.has("prefix") {
                match read.has_any(&["a", "stdin"]) || read.operands.is_empty() {
                    true => call.tracks(&call.here(), out),
                    false => read.operands.iter().for_each(|path| named(path, call, out)),
                }
            }
            index(call, out);
        }
        "format-patch" => patches(&read, call, out),
        "archive" => {
            read.values("o").for_each(|file| call.writes(file, out));
            read.values("add-file").for_each(|file| call.reads(file, out));
            // `tar.<format>.command` compresses.
            call.hooks(out);
            for peer in read.values("remote") {
                super::remote::contact(peer, super::remote::Way::Fetch, call, out);
            }
        }
        "merge-file" => {
            read.operands.iter().for_each(|file| call.reads(file, out));
            if let Some(file) = read.operands.first().filter(|_| !read.has_any(&["p", "object-id"]))
            {
                call.writes(file, out);
            }
        }
        "hash-object" => {
            read.operands.iter().for_each(|file| call.reads(file, out));
            if read.has("stdin-paths") {
                opaque(out, Reason::ShellDynamicPath, call.span);
            }
            if read.has("w") {
                call.writes_own(".git/objects", out);
            }
            // Filters.
            call.hooks(out);
        }
        _ => {}
    }
    true
}

/// Reports whether refs are only shown.
fn lists(name: &str, read: &Read<'_>) -> bool {
    let shows =
        ["l", "show-current", "contains", "no-contains", "merged", "no-merged", "points-at"];
    let changes = [
        "d",
        "D",
        "m",
        "M",
        "c",
        "C",
        "u",
        "unset-upstream",
        "edit-description",
        "a",
        "s",
        "f",
        "F",
        "e",
    ];
    match name {
        "symbolic-ref" => read.operands.len() < 2 && !read.has_any(&["d", "m"]),
        // `branch -a` shows all, `tag -a` makes a tag.
        _ if read.has_any(&shows) => true,
        _ => {
            let changes = changes.iter().filter(|option| (name, **option) != ("branch", "a"));
            read.operands.is_empty() && !changes.into_iter().any(|option| read.has(option))
        }
    }
}

/// The index changes, and with it objects.
pub(super) fn index<'s>(call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    call.writes_own(".git/index", out);
    call.writes_own(".git/objects", out);
    call.hooks(out);
}

/// The index, objects and refs change.
pub(super) fn history<'s>(call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    index(call, out);
    call.writes_own(".git/refs", out);
}

/// Files of the work tree change too.
pub(super) fn tree<'s>(call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    call.tracks(&call.here(), out);
    history(call, out);
}

/// `git checkout` and `git switch`: to a branch, all files; a new branch where one is, no file; with
/// paths, only these.
fn switch<'s>(name: &str, read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let creates = read.has_any(&["b", "B", "c", "C"]);
    let harmless = ["b", "B", "c", "C", "q", "t", "no-track", "guess", "no-guess", "progress"];
    if creates
        && read.operands.is_empty()
        && read.options.iter().all(|(option, _)| harmless.contains(option))
    {
        return history(call, out);
    }
    // Behind `--` all are paths. Otherwise the first may be a version, and is alone if it is one that
    // is switched to.
    let paths = match &*read.operands {
        operands if read.paths < operands.len() => operands.get(read.paths..),
        [_, _, ..] if name == "checkout" && !creates => Some(&*read.operands),
        // A path may lead out of the directory.
        [only] if ["/", "~", ".."].iter().any(|start| only.starts_with(start)) => {
            named(only, call, out);
            None
        }
        _ => None,
    };
    match paths {
        Some(paths) => {
            paths.iter().for_each(|path| named(path, call, out));
            history(call, out);
        }
        None => tree(call, out),
    }
}

/// Reads an operand that is no name in the work tree: git refuses such a path in most places, and a
/// file of another version is named behind a colon.
fn outside<'s>(operand: &Text<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    if operand.starts_with("/") || operand.starts_with("~") || operand.starts_with("..") {
        return call.reads(operand, out);
    }
    if let Some((version, path)) = operand.split_once(':')
        && !version.is_empty()
        && !path.text.is_empty()
    {
        call.reads(&path, out);
    }
}

/// Reads operands that may lie anywhere: `diff` compares any two files, with `--no-index` or without.
fn anywhere<'s>(name: &str, read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    // Two paths, both in front of `--`, both behind it, or not told apart.
    let split = read.paths == 1 && read.operands.len() == 2;
    let pair = (read.operands.len() == 2 && !split) || read.operands.iter().any(|text| text.many);
    for (at, operand) in read.operands.iter().enumerate() {
        let dynamic = operand.literal().is_none();
        let pattern = name == "grep" && at == 0 && !read.has_any(&["e", "f"]);
        let confined = match name {
            "diff" => dynamic && !pair && !read.has("no-index"),
            "grep" => pattern || !read.has("no-index"),
            _ => false,
        };
        let magic = operand.text.starts_with(':');
        if !confined && !magic {
            call.reads(operand, out);
        }
    }
}

/// Writes what a pathspec names. It never leaves the work tree.
fn named<'s>(path: &Text<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    match file(path) {
        Some(_) => call.writes(path, out),
        None => return call.tracks(&directory(path, call), out),
    }
    if may_be_directory(path) {
        call.tracks(path, out);
    }
}

/// Deletes what pathspecs name.
fn remove<'s>(read: &Read<'s>, recursive: bool, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    for path in &read.operands {
        let pattern = path.literal().is_none() && !path.may_be_option();
        if file(path).is_some() || pattern {
            out.push(Deed::Delete { path: call.path(path), recursive: false });
        }
        if file(path).is_none() && (recursive || !pattern) {
            call.discards(&directory(path, call), out);
        } else if recursive && may_be_directory(path) {
            call.discards(path, out);
        }
    }
}

/// Where a patch is applied.
fn directories<'s>(read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    read.values("directory").for_each(|path| call.tracks(path, out));
}

/// Returns a pathspec that names one thing, a file as far as can be seen.
fn file<'a>(path: &'a Text<'_>) -> Option<&'a str> {
    path.literal().filter(|text| {
        !text.starts_with(':')
            && !text.contains(['*', '?', '[', '\\'])
            && !matches!(text.rsplit('/').next(), None | Some("" | "." | ".."))
    })
}

/// Returns the directory below which a pathspec that is no [`file`] names things.
fn directory<'s>(path: &Text<'s>, call: &Call<'s>) -> Text<'s> {
    match path.literal() {
        Some(text) if !text.starts_with(':') => {
            let known = text.find(['*', '?', '[', '\\']).and_then(|end| text.get(..end));
            let known = known.map(|text| text.rfind('/').and_then(|end| text.get(..=end)));
            match known {
                None if text.is_empty() => call.here(),
                None => path.clone(),
                Some(None) => call.here(),
                Some(Some(known)) => Text::known(known.to_owned(), path.span),
            }
        }
        _ => call.here(),
    }
}

/// A name without a suffix is as well that of a directory.
fn may_be_directory(path: &Text<'_>) -> bool {
    path.text.rsplit('/').next().is_some_and(|name| !name.trim_start_matches('.').contains('.'))
}

/// A strategy is a program `git-merge-name`.
fn strategy<'s>(read: &Read<'s>, out: &mut Vec<Deed<'s>>) {
    for name in read.values("s") {
        let known =
            ["ort", "recursive", "resolve", "octopus", "ours", "subtree"].contains(&&*name.text);
        if name.literal().is_none() || !known {
            opaque(out, Reason::ShellUnknownOption, name.span);
        }
    }
}

fn patches<'s>(read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    for file in ["signature-file", "description-file", "O"] {
        read.values(file).for_each(|file| call.reads(file, out));
    }
    for file in read.values("output") {
        call.writes(file, out);
        opaque(out, Reason::ShellUnknownOption, file.span);
    }
    call.hooks(out);
    if read.has("stdout") {
        return;
    }
    let mut places = read.values("o").peekable();
    if places.peek().is_none() {
        let open = vec![Open { start: 0, end: 1, what: Unknown::Glob }];
        let path = Text { text: "*.patch".into(), open, many: true, span: call.span };
        call.writes(&path, out);
    }
    for place in places {
        out.push(Deed::Create { path: call.path(place) });
    }
}

/// `git help` shows a page of the manual, in a viewer that the configuration may name.
fn help<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) -> bool {
    let read = call.read(&o::HELP, arguments, out);
    if read.has_any(&["m", "i", "w"]) || !read.operands.is_empty() {
        call.hooks(out);
    }
    true
}
