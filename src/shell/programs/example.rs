//! Examples of lines, and how a person reads deeds.

use std::fmt::Write as _;

use crate::shell::deed::{Deed, Invocation, Stdin, Text};
use crate::shell::syntax::Span;

use super::Programs;
use super::format::ProgramsError;

/// Checks `= command => deeds` and `! command` in `lines`.
pub(super) fn check_all(programs: &Programs, lines: &str) -> Result<(), ProgramsError> {
    for (at, line) in lines.lines().enumerate() {
        check(programs, line.trim()).map_err(|what| ProgramsError::new(at + 1, what))?;
    }
    Ok(())
}

/// Checks one line, if it is an example.
pub(super) fn check(programs: &Programs, line: &str) -> Result<(), String> {
    if let Some(command) = line.strip_prefix("! ") {
        let deeds = deeds(programs, command)?;
        let opaque = deeds.iter().any(|deed| matches!(deed, Deed::Opaque { .. }));
        return if opaque { Ok(()) } else { Err(format!("understood: `{}`", render(&deeds))) };
    }
    let Some(example) = line.strip_prefix("= ") else { return Ok(()) };
    let (command, expected) =
        example.rsplit_once("=>").ok_or("an example needs `=>` and what the command does")?;
    let found = render(&deeds(programs, command)?);
    if found == expected.trim() { Ok(()) } else { Err(format!("`{command}` does `{found}`")) }
}

fn deeds<'c>(programs: &Programs, command: &'c str) -> Result<Vec<Deed<'c>>, String> {
    let words = split(command);
    let (name, arguments) = words.split_first().ok_or("an example without a command")?;
    let stdin = Stdin::Inherited;
    let name = name.literal().unwrap_or_default();
    let invocation = Invocation { name, arguments, stdin: &stdin, span: Span::default() };
    let mut out = Vec::new();
    let known = programs.deeds(&invocation, &mut out);
    if known { Ok(out) } else { Err(format!("unknown program `{name}`")) }
}

/// Splits at blanks; quotes hold words together, nothing is expanded.
pub(super) fn split(command: &str) -> Vec<Text<'_>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words.into_iter().map(|word| Text::known(word, Span::default())).collect()
}

/// Writes deeds as examples do.
pub(super) fn render(deeds: &[Deed<'_>]) -> String {
    if deeds.is_empty() {
        return "nothing".into();
    }
    let mut out = String::new();
    for deed in deeds {
        if !out.is_empty() {
            out.push_str(", ");
        }
        one(&mut out, deed);
    }
    out
}

fn one(out: &mut String, deed: &Deed<'_>) {
    let star = |recursive: &bool| if *recursive { "*" } else { "" };
    let port = |port: &Option<u16>| port.map_or_else(|| "?".to_owned(), |port| port.to_string());
    // Writing to a `String` does not fail.
    let _ = match deed {
        Deed::Read { path, recursive } => write!(out, "read{} {}", star(recursive), path.text),
        Deed::Write { path, recursive } => write!(out, "write{} {}", star(recursive), path.text),
        Deed::Delete { path, recursive } => write!(out, "delete{} {}", star(recursive), path.text),
        Deed::Create { path } => write!(out, "create {}", path.text),
        Deed::Tracked { path, delete } => {
            let verb = if *delete { "discard" } else { "tracked" };
            write!(out, "{verb} {}", path.text)
        }
        Deed::Link { target, link, symbolic } => {
            let verb = if *symbolic { "symlink" } else { "link" };
            write!(out, "{verb} {} {}", target.text, link.text)
        }
        Deed::ChangeDirectory(path) => write!(out, "cd {}", path.text),
        Deed::Url { url, method } => write!(out, "url {method} {}", url.text),
        Deed::Connect { host, port: at, .. } => {
            write!(out, "connect {}:{}", host.text, port(at))
        }
        Deed::Service { host, port } => write!(out, "service {host}:{port}"),
        Deed::Remote { kind, name } if name.text.is_empty() => write!(out, "remote {kind}"),
        Deed::Remote { kind, name } => write!(out, "remote {kind} {}", name.text),
        Deed::Listen { host, port: at, .. } => write!(out, "listen {}:{}", host.text, port(at)),
        Deed::Tunnel { direction, via, .. } => write!(out, "tunnel {direction} {}", via.text),
        Deed::RemoteShell { peer, .. } => write!(out, "remote-shell {}", peer.text),
        Deed::Shell { script, .. } => write!(out, "shell {}", script.text),
        Deed::Command { argv } | Deed::CommandWith { argv, .. } => {
            let words: Vec<&str> = argv.iter().map(|word| &*word.text).collect();
            write!(out, "run {}", words.join(" "))
        }
        Deed::ForeignCode => write!(out, "foreign"),
        Deed::WorkspaceCode { place } => write!(out, "code {}", place.text),
        Deed::Package { ecosystem, name } => write!(out, "package {ecosystem} {}", name.text),
        Deed::Privilege(what) => write!(out, "privilege {what}"),
        Deed::Identity(who) => write!(out, "identity {}", who.text),
        Deed::Secret(name) => write!(out, "secret {}", name.text),
        Deed::Infrastructure { provider, verb, resource, name } => {
            let words = [*provider, &**verb, &*resource.text, &*name.text];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            write!(out, "infra {}", words.join(" "))
        }
        Deed::Publish { place, name, public } => {
            let kind = if *public { "publish" } else { "publish-private" };
            write!(out, "{kind} {place} {}", name.text)
        }
        Deed::Message { channel, recipient } => write!(out, "message {channel} {}", recipient.text),
        Deed::Accelerator { kind } => write!(out, "gpu {kind}"),
        Deed::Job { queue, name } if name.text.is_empty() => write!(out, "job {queue}"),
        Deed::Job { queue, name } => write!(out, "job {queue} {}", name.text),
        Deed::Environment { name, value } => write!(out, "env {}={}", name.text, value.text),
        Deed::Forget { name } => write!(out, "forget {}", name.text),
        Deed::Opaque { .. } => write!(out, "opaque"),
    };
}
