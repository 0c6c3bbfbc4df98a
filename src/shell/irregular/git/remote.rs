//! Subcommands that talk to another repository.

use super::super::options::opaque;
use super::call::{Call, Read};
use super::effects::{history, tree};
use super::options as o;
use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};

/// Which way a repository goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Fetch,
    Push,
}

/// Tells what a subcommand sends and gets; false if it is none of these.
pub(super) fn deeds<'s>(
    name: &str,
    arguments: &[Text<'s>],
    call: &Call<'s>,
    out: &mut Vec<Deed<'s>>,
) -> bool {
    match name {
        "clone" => clone(arguments, call, out),
        "fetch" => {
            let read = call.read(&o::FETCH, arguments, out);
            if read.has("all") {
                any(call, out);
            } else if read.has("m") {
                read.operands.iter().for_each(|peer| contact(peer, Way::Fetch, call, out));
            } else {
                default(read.operands.first(), Way::Fetch, call, out);
            }
            submodules(&read, call, out);
            out.push(Deed::Read { path: call.own("."), recursive: false });
            history(call, out);
        }
        "pull" => {
            let read = call.read(&o::PULL, arguments, out);
            if read.has("all") {
                any(call, out);
            }
            default(read.operands.first(), Way::Fetch, call, out);
            submodules(&read, call, out);
            out.push(Deed::Read { path: call.own("."), recursive: false });
            tree(call, out);
        }
        "push" => {
            let read = call.read(&o::PUSH, arguments, out);
            let named = read.values("repo").next().cloned();
            default(read.operands.first().or(named.as_ref()), Way::Push, call, out);
            submodules(&read, call, out);
            out.push(Deed::Read { path: call.own("."), recursive: false });
            call.writes_own(".git/refs", out);
            call.hooks(out);
        }
        "ls-remote" => {
            let read = call.read(&o::LS_REMOTE, arguments, out);
            out.push(Deed::Read { path: call.own("."), recursive: false });
            default(read.operands.first(), Way::Fetch, call, out);
            call.hooks(out);
        }
        "remote" => remotes(arguments, call, out),
        "submodule" => submodule(arguments, call, out),
        "subtree" => subtree(arguments, call, out),
        _ => return false,
    }
    true
}

/// Talks to a repository: a URL, `host:path`, a directory, or a name that the configuration explains.
pub(super) fn contact<'s>(peer: &Text<'s>, way: Way, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let Some(text) = peer.literal() else {
        if peer.starts_with("https://") || peer.starts_with("http://") {
            return out.push(Deed::Url { url: peer.clone(), method: method(way) });
        }
        return opaque(out, Reason::ShellNetwork, peer.span);
    };
    if let Some((scheme, rest)) = text.split_once("://") {
        return url(peer, scheme, rest, way, call, out);
    }
    // `ext::command` runs a command, and every `name::` runs a program `git-remote-name`.
    if text.contains("::") {
        return opaque(out, Reason::ShellInnerLanguage, peer.span);
    }
    match text.split_once(':') {
        Some((host, _)) if !host.contains('/') => connect(host, 22, peer, out),
        _ if text.contains('/') || text.starts_with(['.', '~']) => {
            directory(&call.path(peer), way, out);
        }
        // A directory of this name is taken for it if no remote has it.
        _ => out.push(Deed::Remote { kind: "git", name: peer.clone() }),
    }
}

fn url<'s>(
    peer: &Text<'s>,
    scheme: &str,
    rest: &str,
    way: Way,
    call: &Call<'s>,
    out: &mut Vec<Deed<'s>>,
) {
    let authority = rest.split('/').next().unwrap_or_default();
    match scheme {
        "http" | "https" => out.push(Deed::Url { url: peer.clone(), method: method(way) }),
        "ssh" | "git+ssh" | "ssh+git" | "git" => {
            let usual = if scheme == "git" { 9418 } else { 22 };
            let host = authority.rsplit('@').next().unwrap_or_default();
            match host.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
                None => connect(host, usual, peer, out),
                Some((host, Ok(port))) => connect(host, port, peer, out),
                Some((_, Err(_))) => opaque(out, Reason::ShellArguments, peer.span),
            }
        }
        "file" => directory(&call.path(&Text::known(rest.to_owned(), peer.span)), way, out),
        // `name://` runs a program `git-remote-name`.
        _ => opaque(out, Reason::ShellInnerLanguage, peer.span),
    }
}

fn connect<'s>(host: &str, port: u16, peer: &Text<'s>, out: &mut Vec<Deed<'s>>) {
    let host = host.rsplit('@').next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    // `-oProxyCommand=…` was an option of `ssh` once; addresses in brackets are left alone.
    if host.is_empty() || host.starts_with('-') || !host.bytes().all(plain) {
        return opaque(out, Reason::ShellArguments, peer.span);
    }
    let host = Text::known(host.to_owned(), peer.span);
    out.push(Deed::Connect { host, port: Some(port), udp: false });
}

fn directory<'s>(path: &Text<'s>, way: Way, out: &mut Vec<Deed<'s>>) {
    out.push(Deed::Read { path: path.clone(), recursive: true });
    if way == Way::Push {
        out.push(Deed::Write { path: path.clone(), recursive: true });
        out.push(Deed::WorkspaceCode { place: path.clone() });
    }
}

fn method(way: Way) -> &'static str {
    match way {
        Way::Fetch => "GET",
        Way::Push => "POST",
    }
}

/// Talks to `peer`, or to what the configuration says: `origin` as a rule.
pub(super) fn default<'s>(
    peer: Option<&Text<'s>>,
    way: Way,
    call: &Call<'s>,
    out: &mut Vec<Deed<'s>>,
) {
    match peer {
        Some(peer) => contact(peer, way, call, out),
        None => {
            let name = Text::known("origin", call.span);
            out.push(Deed::Remote { kind: "git", name });
        }
    }
}

/// Talks to remotes that the line does not name.
pub(super) fn any<'s>(call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let open = vec![Open { start: 0, end: 1, what: Unknown::Anything }];
    let name = Text { text: "*".into(), open, many: false, span: call.span };
    out.push(Deed::Remote { kind: "git", name });
}

fn submodules<'s>(read: &Read<'s>, call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    if read.has("recurse-submodules") {
        any(call, out);
    }
}

/// `git clone [option …] repository [directory]`.
fn clone<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = call.read(&o::CLONE, arguments, out);
    let (peer, place) = match &*read.operands {
        [peer] => (peer, None),
        [peer, place] => (peer, Some(place)),
        _ => return opaque(out, Reason::ShellArguments, call.span),
    };
    // A plain name is a directory or a bundle here: nothing else gives it a meaning.
    match peer.literal() {
        Some(text) if !text.contains(':') => {
            let place = call.path(peer);
            directory(&place, Way::Fetch, out);
            // What the configuration there names brings objects that it has not got itself.
            out.push(Deed::WorkspaceCode { place });
        }
        _ => contact(peer, Way::Fetch, call, out),
    }
    for other in ["reference", "reference-if-able"] {
        read.values(other).for_each(|path| {
            out.push(Deed::Read { path: call.path(path), recursive: true });
        });
    }
    for url in read.values("bundle-uri") {
        contact(url, Way::Fetch, call, out);
    }
    if read.has_any(&["recurse-submodules", "recursive", "remote-submodules"]) {
        any(call, out);
    }
    for place in read.values("separate-git-dir") {
        out.push(Deed::Create { path: call.path(place) });
    }
    match place.cloned().or_else(|| implied(peer, read.has_any(&["bare", "mirror"]))) {
        Some(place) => out.push(Deed::Create { path: call.path(&place) }),
        None => opaque(out, Reason::ShellDynamicPath, peer.span),
    }
}

/// The directory that `clone` makes: the last part of the address.
pub(super) fn implied<'s>(peer: &Text<'s>, bare: bool) -> Option<Text<'s>> {
    let text = peer.literal()?.trim_end_matches('/');
    let text = text.strip_suffix("/.git").unwrap_or(text);
    let last = text.rsplit(['/', ':']).next()?;
    let last = last.strip_suffix(".git").or(last.strip_suffix(".bundle")).unwrap_or(last);
    if last.is_empty() || matches!(last, "." | "..") {
        return None;
    }
    let place = if bare { format!("{last}.git") } else { last.to_owned() };
    Some(Text::known(place, peer.span))
}

/// `git remote [-v] [subcommand …]`.
fn remotes<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = call.read(&o::REMOTE, arguments, out);
    out.push(Deed::Read { path: call.own("."), recursive: false });
    let Some((verb, operands)) = read.operands.split_first() else { return };
    let first = operands.first();
    match verb.literal() {
        Some("get-url") => {}
        Some("show") if read.has("n") || first.is_none() => {}
        Some("show" | "prune") => {
            operands.iter().for_each(|peer| contact(peer, Way::Fetch, call, out));
            history(call, out);
        }
        Some("update") => {
            match first {
                Some(_) => operands.iter().for_each(|peer| contact(peer, Way::Fetch, call, out)),
                None => any(call, out),
            }
            history(call, out);
        }
        Some("set-head") => {
            if read.has("a") {
                default(first, Way::Fetch, call, out);
            }
            history(call, out);
        }
        Some("add" | "set-url") => {
            call.writes_own(".git/config", out);
            if read.has("f") {
                let url = operands.get(1);
                url.into_iter().for_each(|peer| contact(peer, Way::Fetch, call, out));
            }
            if operands.iter().any(|text| text.literal().is_none_or(|text| text.contains("::"))) {
                opaque(out, Reason::ShellInnerLanguage, call.span);
            }
            call.hooks(out);
        }
        Some("rename" | "remove" | "rm" | "set-branches") => {
            call.writes_own(".git/config", out);
            history(call, out);
        }
        _ => opaque(out, Reason::ShellUnknownOption, verb.span),
    }
}

/// `git submodule [subcommand …]`.
fn submodule<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let verb = arguments.iter().find(|text| !text.may_be_option());
    if verb.and_then(Text::literal) == Some("foreach") {
        return foreach(arguments, call, out);
    }
    let read = call.read(&o::SUBMODULE, arguments, out);
    out.push(Deed::Read { path: call.own("."), recursive: false });
    let Some((verb, operands)) = read.operands.split_first() else { return };
    match verb.literal() {
        Some("status" | "summary") => call.hooks(out),
        Some("update") => {
            any(call, out);
            match operands {
                [] => call.tracks(&call.here(), out),
                places => places.iter().for_each(|place| call.tracks(place, out)),
            }
            call.writes_own(".git/modules", out);
            history(call, out);
        }
        Some("add") => {
            let (peer, place) = (operands.first(), operands.get(1));
            peer.into_iter().for_each(|peer| contact(peer, Way::Fetch, call, out));
            for path in read.values("reference") {
                out.push(Deed::Read { path: call.path(path), recursive: true });
            }
            match place.cloned().or_else(|| implied(peer?, false)) {
                Some(place) => out.push(Deed::Create { path: call.path(&place) }),
                None => opaque(out, Reason::ShellDynamicPath, call.span),
            }
            call.writes_own(".gitmodules", out);
            call.writes_own(".git/config", out);
            tree(call, out);
        }
        Some("init" | "sync" | "deinit" | "set-url" | "set-branch" | "absorbgitdirs") => {
            call.writes_own(".gitmodules", out);
            call.writes_own(".git/config", out);
            tree(call, out);
        }
        _ => opaque(out, Reason::ShellUnknownOption, verb.span),
    }
}

/// `git submodule foreach [--recursive] command`: one word is a script, more are an argv.
fn foreach<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let at = arguments.iter().position(|text| text.literal() == Some("foreach"));
    let mut command = at.and_then(|at| arguments.get(at + 1..)).unwrap_or_default();
    while let [first, rest @ ..] = command
        && matches!(first.literal(), Some("--recursive" | "-q" | "--quiet" | "--"))
    {
        command = rest;
    }
    match command {
        [script] if script.literal().is_some() => {
            out.push(Deed::Shell { script: script.clone(), login: false });
        }
        [] | [_] => {}
        words => out.push(Deed::Command { argv: words.to_vec() }),
    }
    // Once in every submodule.
    opaque(out, Reason::ShellWorkingDirectory, call.span);
    call.hooks(out);
}

/// `git subtree add|merge|pull|push|split -P prefix …`.
fn subtree<'s>(arguments: &[Text<'s>], call: &Call<'s>, out: &mut Vec<Deed<'s>>) {
    let read = call.read(&o::SUBTREE, arguments, out);
    out.push(Deed::Read { path: call.own("."), recursive: false });
    for prefix in read.values("P") {
        call.tracks(prefix, out);
    }
    let Some((verb, operands)) = read.operands.split_first() else { return };
    match (verb.literal(), operands) {
        (Some("push"), [peer, ..]) => contact(peer, Way::Push, call, out),
        (Some("pull"), [peer, ..]) | (Some("add"), [peer, _]) => {
            contact(peer, Way::Fetch, call, out);
        }
        (Some("add" | "merge" | "split"), _) => {}
        _ => opaque(out, Reason::ShellUnknownOption, verb.span),
    }
    tree(call, out);
}
