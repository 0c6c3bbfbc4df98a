//! Values with a form of their own: URLs, hosts, packages, images, mounts.

use std::borrow::Cow;

use crate::reason::Reason;
use crate::shell::deed::{Deed, Text};

use super::super::line::{Effect, Word};
use super::Reader;
use super::package::{Source, package};
use super::text::{appended, prefixed, start_of};

impl<'t, 's> Reader<'t, '_, 's, '_> {
    pub(super) fn url(&mut self, text: &Text<'s>) {
        let span = text.span;
        let known = text.open.first().map_or(text.text.len(), |open| open.start as usize);
        let literal = text.text.get(..known).unwrap_or_default();
        let scheme = literal.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some(scheme) if scheme.eq_ignore_ascii_case("file") => {
                self.opaque_at(Reason::ShellArguments, span);
            }
            Some(_) => self.out.push(Deed::Url { url: text.clone(), method: "GET" }),
            None if known == 0 && !text.open.is_empty() => {
                self.out.push(Deed::Url { url: text.clone(), method: "GET" });
            }
            None => {
                let start = if literal.starts_with("ftp.") { "ftp://" } else { "http://" };
                let url = prefixed(text, start);
                self.out.push(Deed::Url { url, method: "GET" });
            }
        }
    }

    pub(super) fn host_and_port(&mut self, text: &Text<'s>, default: Option<u16>) {
        let Some(literal) = text.literal() else {
            return self.out.push(Deed::Connect { host: text.clone(), port: None, udp: false });
        };
        let rest = literal.split_once("://").map_or(literal, |(_, rest)| rest);
        let rest = rest.split('/').next().unwrap_or(rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().ok())
            }
            _ => (rest, default),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        self.out.push(Deed::Connect { host: Text::known(host, text.span), port, udp: false });
    }

    pub(super) fn port(&mut self, text: &Text<'s>) {
        let number = text.literal().and_then(|text| text.parse().ok());
        for deed in self.out.iter_mut().skip(self.mark) {
            if let Deed::Connect { port, .. } = deed {
                *port = number;
            }
        }
    }

    pub(super) fn listen(&mut self, text: &Text<'s>) {
        let literal = text.literal().unwrap_or_default();
        let (host, port) = literal.rsplit_once(':').unwrap_or(("", literal));
        let (host, port) = match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (literal, None),
        };
        let host = Text::known(host.to_owned(), text.span);
        self.out.push(Deed::Listen { host, port, udp: false });
    }

    /// `-d @file`.
    pub(super) fn at_file(&mut self, text: &Text<'s>) {
        match text.starts_with("@").then(|| text.suffix(1)).flatten() {
            Some(path) if path.literal() == Some("-") => {}
            Some(path) => self.out.push(Deed::Read { path, recursive: false }),
            None if text.open.first().is_some_and(|open| open.start == 0) => {
                self.opaque_at(Reason::ShellDynamicArgument, text.span);
            }
            None => {}
        }
    }

    /// `-F name=@file;type=text/plain`.
    pub(super) fn form(&mut self, text: &Text<'s>) {
        let Some(literal) = text.literal() else {
            return self.opaque_at(Reason::ShellDynamicArgument, text.span);
        };
        let value = literal.split_once('=').map_or(literal, |(_, value)| value);
        let Some(path) = value.strip_prefix(['@', '<']) else {
            // `(@a,@b`, `=(;type=…`: parts within parts.
            if value.contains(['@', '<', '(']) {
                self.opaque_at(Reason::ShellArguments, text.span);
            }
            return;
        };
        if path.contains([';', ',', '"']) {
            return self.opaque_at(Reason::ShellArguments, text.span);
        }
        let path = Text::known(path.to_owned(), text.span);
        self.out.push(Deed::Read { path, recursive: false });
    }

    pub(super) fn package(&mut self, text: &Text<'s>) {
        let span = text.span;
        let ecosystem = match self.effect(|effect| matches!(effect, Effect::Package(_))) {
            Some(Effect::Package(Word::Known(ecosystem))) => *ecosystem,
            _ if text.text.contains('@') => "go",
            _ => return self.opaque_at(Reason::ShellArguments, span),
        };
        let Some(literal) = text.literal() else {
            return self.opaque_at(Reason::ShellDynamicArgument, span);
        };
        match package(ecosystem, literal) {
            Source::Named(name) => {
                let name = Text::known(name.to_owned(), span);
                self.out.push(Deed::Package { ecosystem, name });
            }
            Source::Place(path) => {
                self.script = true;
                let place = Text::known(path.to_owned(), span);
                self.out.push(Deed::WorkspaceCode { place });
            }
            Source::Elsewhere => self.opaque_at(Reason::ShellForeignCode, span),
        }
    }

    /// `./...`, `name@version`, or a package by name.
    pub(super) fn go_package(&mut self, text: &Text<'s>) {
        if text.text.contains('@') && text.open.is_empty() {
            self.package(text);
            let (host, port) = ("proxy.golang.org", 443);
            self.out.push(Deed::Service { host, port });
        } else if text.text.starts_with(['.', '/', '~'])
            || text.text.contains("../")
            || !text.open.is_empty()
        {
            self.script = true;
            let mut place = text.clone();
            if let Some(stem) = text.text.strip_suffix("/...")
                && text.open.is_empty()
            {
                place.text = Cow::Owned(stem.to_owned());
            }
            self.out.push(Deed::WorkspaceCode { place });
        } else if self.effect(|effect| matches!(effect, Effect::Package(_))).is_some() {
            self.package(text);
        }
    }

    /// `./a`, `a/b/c`: a directory. Any other name is that of a package, which is fetched.
    pub(super) fn npm_package(&mut self, text: &Text<'s>) {
        let literal = text.literal();
        if literal
            .is_some_and(|name| name.matches('/').count() > 1 && !name.contains([':', '#', '@']))
        {
            self.script = true;
            return self.out.push(Deed::WorkspaceCode { place: text.clone() });
        }
        self.package(text);
        let place = |name: &str| matches!(package("npm", name), Source::Place(_));
        if !literal.is_some_and(place) {
            let (host, port) = ("registry.npmjs.org", 443);
            self.out.push(Deed::Service { host, port });
        }
    }

    /// `[registry[:port]/]name[:tag][@digest]`.
    pub(super) fn image(&mut self, text: &Text<'s>) {
        let Some(literal) = text.literal() else {
            return self.opaque_at(Reason::ShellDynamicArgument, text.span);
        };
        let first = literal.split('/').next().unwrap_or(literal);
        let own = literal.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        if own {
            self.host_and_port(&Text::known(first.to_owned(), text.span), Some(443));
        }
        let name = literal.split('@').next().unwrap_or(literal);
        let name = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => name,
            _ => name,
        };
        let name = Text::known(name.to_owned(), text.span);
        self.out.push(Deed::Package { ecosystem: "docker", name });
    }

    /// `[host/]owner/name`, a URL, or `user@host:path` of `ssh`.
    pub(super) fn repository(&mut self, text: &Text<'s>) {
        let known = text.open.first().map_or(text.text.len(), |open| open.start as usize);
        let literal = text.text.get(..known).unwrap_or_default();
        let whole = text.open.is_empty();
        let (rest, port) = match literal.split_once("://") {
            Some(("ssh", rest)) => (rest, 22),
            Some((_, rest)) => (rest, 443),
            None => match literal.split_once(':') {
                // `host:path`, but `:owner/name` stands for the repository of the workspace.
                Some((host, _)) if !host.is_empty() => (host, 22),
                _ if whole && literal.matches('/').count() < 2 => return,
                _ => (literal, 443),
            },
        };
        let Some(host) = rest.split('/').next().filter(|_| whole || rest.contains('/')) else {
            return self.out.push(Deed::Connect { host: text.clone(), port: None, udp: false });
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (host, Some(port)),
        };
        let host = Text::known(host.to_owned(), text.span);
        self.out.push(Deed::Connect { host, port, udp: false });
    }

    /// `-v source:target[:ro]`. A source without a slash is a volume.
    pub(super) fn mount(&mut self, text: &Text<'s>) {
        let (source, target) = match text.split_once(':') {
            Some(parts) => parts,
            None if text.literal().is_some_and(|text| !text.contains(',')) => return,
            None => return self.opaque_at(Reason::ShellDynamicArgument, text.span),
        };
        if !source.contains(['/', '.', '~']) {
            return;
        }
        let path = Text::known(source.to_owned(), text.span);
        let read_only = target.literal().is_some_and(|target| target.ends_with(":ro"));
        self.out.push(Deed::Read { path: path.clone(), recursive: true });
        if !read_only {
            self.out.push(Deed::Write { path, recursive: true });
        }
    }

    pub(super) fn environment(&mut self, text: &Text<'s>) {
        match text.split_once('=') {
            Some((name, value)) => {
                let name = Text::known(name.to_owned(), text.span);
                self.out.push(Deed::Environment { name, value });
            }
            None if text.open.is_empty() => {}
            None => self.opaque_at(Reason::ShellDynamicArgument, text.span),
        }
    }

    /// `file` is packed to `file.gz`.
    pub(super) fn suffixed(&mut self, text: &Text<'s>, suffix: &str, recursive: bool) {
        let Some(start) = start_of(text) else {
            let path = appended(text, suffix);
            return self.out.push(Deed::Write { path, recursive });
        };
        self.out.push(Deed::Write { path: text.clone(), recursive });
        // What was found may be the starting point, whose new name stands beside it.
        if !start.ends_with(['/', '.']) && !start.is_empty() {
            let path = Text::known(format!("{start}{suffix}"), text.span);
            self.out.push(Deed::Write { path, recursive });
        }
    }

    /// `file.gz` is unpacked to `file`; without the ending the program adds it, or takes `.tgz`.
    pub(super) fn stripped(&mut self, text: &Text<'s>, suffix: &str, recursive: bool) {
        if let Some(start) = start_of(text).map(str::to_owned) {
            self.out.push(Deed::Write { path: text.clone(), recursive });
            if start.ends_with(['z', 'Z', '2', '4', 'a', 't']) && start.contains(['.', '-', '_']) {
                self.stripped(&Text::known(start, text.span), suffix, recursive);
            }
            return;
        }
        let path = match (text.text.strip_suffix(suffix), text.open.last()) {
            (Some(stem), None) => Text::known(stem.to_owned(), text.span),
            (Some(stem), Some(last)) if last.end as usize <= stem.len() => {
                Text { text: Cow::Owned(stem.to_owned()), ..text.clone() }
            }
            _ => {
                let directory = text
                    .text
                    .rfind('/')
                    .map_or(".", |at| text.text.get(..at.max(1)).unwrap_or("."));
                if text.open.is_empty() {
                    let path = Text::known(directory.to_owned(), text.span);
                    return self.out.push(Deed::Create { path });
                }
                return self.opaque_at(Reason::ShellDynamicPath, text.span);
            }
        };
        self.out.push(Deed::Write { path, recursive });
    }
}

pub(super) fn method(text: &str) -> Option<&'static str> {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "PROPFIND"];
    known.into_iter().find(|known| *known == text)
}

pub(super) fn word_of(word: &Word) -> Cow<'static, str> {
    match word {
        Word::Known(word) => Cow::Borrowed(word),
        Word::Own(word) => Cow::Owned(word.to_string()),
    }
}
