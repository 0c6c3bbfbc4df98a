//! `git`, by subcommand.
//!
//! What is told of the work tree is [`Deed::Tracked`]: files that git tracks are never inside of `.git`,
//! so a scope that keeps `.git/hooks/**` and `.git/config` apart loses nothing. What git writes there
//! itself (the index, objects, refs) is told as such. Whatever changes the index or a ref runs hooks, and
//! what reads the index or shows commits may run what the configuration names: both run code of the
//! workspace. Where a branch comes from another git notes that beside the ref, in `.git/config`, in names that the
//! repository has, and takes the note away with the branch: that is told as the ref. A repository that lies in a directory below brings a configuration of its own.
//!
//! `-c` takes only keys of [`is_harmless`]; options that run programs are left out of the [`options`]. An
//! alias cannot replace a subcommand of git, but have any other name. One that is not described is
//! unknown, and one that is, in [`extensions`] and [`scripts`], is believed to be the tool of that name:
//! whoever may write `.git/config` or the configuration of the user can make it another.

mod call;
mod effects;
mod extensions;
mod options;
mod remote;
mod scripts;
mod stores;
#[cfg(test)]
mod tests;

use super::options::opaque;
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};
use call::Call;

/// Tells what `git` does; false if `name` is none.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) -> bool {
    if invocation.name != "git" {
        return false;
    }
    let mut base = None;
    let mut arguments = invocation.arguments;
    while let Some((first, rest)) = arguments.split_first() {
        let Some(text) = first.literal() else {
            opaque(out, Reason::ShellDynamicArgument, first.span);
            return true;
        };
        if !text.starts_with('-') {
            subcommand(text, rest, base, invocation, out);
            return true;
        }
        arguments = rest;
        match text {
            "-v" | "--version" | "-h" | "--help" | "--html-path" | "--man-path" | "--info-path"
            | "--exec-path" => return true,
            "-P"
            | "--no-pager"
            | "--no-replace-objects"
            | "--no-lazy-fetch"
            | "--no-optional-locks"
            | "--no-advice"
            | "--literal-pathspecs"
            | "--glob-pathspecs"
            | "--noglob-pathspecs"
            | "--icase-pathspecs" => {}
            "-C" | "-c" => {
                let Some((value, rest)) = arguments.split_first().filter(|(value, _)| !value.many)
                else {
                    opaque(out, Reason::ShellArguments, first.span);
                    return true;
                };
                arguments = rest;
                if text == "-C" {
                    let place = call::join(base.as_ref(), value);
                    // Another repository has another configuration, which may name programs.
                    out.push(Deed::WorkspaceCode { place: place.clone() });
                    base = Some(place);
                } else if !value.literal().is_some_and(is_harmless) {
                    opaque(out, Reason::ShellUnknownOption, value.span);
                }
            }
            // A pager; another repository (`--git-dir`, `--work-tree`, `--bare`); other programs
            // (`--exec-path=`); configuration from the environment.
            _ => {
                opaque(out, Reason::ShellUnknownOption, first.span);
                // The value of `--git-dir x` would be taken for the subcommand.
                let Some(at) = arguments.iter().position(|text| !text.may_be_option()) else {
                    return true;
                };
                arguments = arguments.get(at..).unwrap_or_default();
            }
        }
    }
    true
}

fn subcommand<'s>(
    name: &str,
    arguments: &[Text<'s>],
    base: Option<Text<'s>>,
    invocation: &Invocation<'_, 's>,
    out: &mut Vec<Deed<'s>>,
) {
    let call = Call::new(name, base, invocation.span);
    if let [only] = arguments {
        match only.literal() {
            Some("-h") => return,
            // As `git help`: the configuration may name what shows the page.
            Some("--help") => return call.hooks(out),
            _ => {}
        }
    }
    let known = effects::look(name, arguments, &call, out)
        || effects::change(name, arguments, &call, out)
        || stores::deeds(name, arguments, &call, out)
        || remote::deeds(name, arguments, &call, out)
        || scripts::deeds(name, arguments, &call, out)
        || extensions::deeds(name, arguments, &call, out);
    if !known {
        // It may be an alias or a program called `git-name`.
        opaque(out, Reason::ShellUnknownOption, invocation.span);
    }
}

/// Reports whether a setting of `-c` neither names a program or a file nor changes a peer.
fn is_harmless(setting: &str) -> bool {
    let (key, value) = setting.split_once('=').unwrap_or((setting, "true"));
    let key = key.to_ascii_lowercase();
    match &*key {
        "core.pager" => matches!(value, "cat" | ""),
        "core.editor" | "sequence.editor" => matches!(value, "true" | ":"),
        "core.fsmonitor" | "commit.gpgsign" | "tag.gpgsign" => value == "false",
        "core.hookspath" => value == "/dev/null",
        "user.name"
        | "user.email"
        | "core.quotepath"
        | "core.autocrlf"
        | "core.safecrlf"
        | "core.abbrev"
        | "core.longpaths"
        | "core.ignorecase"
        | "core.filemode"
        | "init.defaultbranch"
        | "log.showsignature"
        | "log.date"
        | "log.decorate"
        | "diff.renames"
        | "diff.renamelimit"
        | "diff.algorithm"
        | "diff.noprefix"
        | "diff.mnemonicprefix"
        | "diff.context"
        | "merge.conflictstyle"
        | "merge.renamelimit"
        | "merge.ff"
        | "pull.rebase"
        | "pull.ff"
        | "push.default"
        | "rebase.autostash"
        | "rebase.autosquash"
        | "gc.auto"
        | "fetch.prune"
        | "fetch.parallel"
        | "protocol.version"
        | "i18n.logoutputencoding"
        | "i18n.commitencoding"
        | "grep.linenumber"
        | "status.short"
        | "status.branch"
        | "status.showuntrackedfiles" => true,
        key => ["color.", "advice.", "column."].iter().any(|prefix| key.starts_with(prefix)),
    }
}
