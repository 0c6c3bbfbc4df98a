//! What values and operands are, as deeds.

use std::borrow::Cow;

use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};

use super::super::line::{Effect, GET, MUTATE, RECURSIVE, Word};
use super::super::role::{Role, is_script_name};
use super::Reader;
use super::package::{Source, binary, initializer, is_plain_sql, is_source, package};

impl<'t, 's> Reader<'t, '_, 's, '_> {
    pub(super) fn emit_all(&mut self, roles: &'t [Role], text: &Text<'s>) {
        for role in roles {
            self.emit(role, text);
        }
    }

    fn emit(&mut self, role: &'t Role, text: &Text<'s>) {
        let below = self.modes & RECURSIVE != 0;
        let path = || text.clone();
        match role {
            Role::Value if self.shifted => {
                // A glob may have been the option that makes this operand a file.
                if text.text.contains('/') || text.text == ".." || !text.open.is_empty() {
                    self.out.push(Deed::Read { path: path(), recursive: true });
                }
            }
            Role::Value | Role::Any => {}
            // `-` is the input; a file of that name lies in the working directory.
            Role::Read { .. } | Role::Script if text.literal() == Some("-") => {}
            Role::Read { recursive } => {
                self.out.push(Deed::Read { path: path(), recursive: *recursive || below });
            }
            Role::Write { recursive } => {
                self.out.push(Deed::Write { path: path(), recursive: *recursive || below });
            }
            Role::Delete { recursive } => {
                self.out.push(Deed::Delete { path: path(), recursive: *recursive || below });
            }
            Role::Create => self.out.push(Deed::Create { path: path() }),
            Role::Into { recursive } => self.into = Some((path(), *recursive)),
            Role::Link => self.into = Some((path(), false)),
            Role::Suffixed(suffix) => {
                let path = appended(text, suffix);
                self.out.push(Deed::Write { path, recursive: below });
            }
            Role::Stripped(suffix) => self.stripped(text, suffix, below),
            Role::Word => {
                if text.literal().is_none_or(|text| text.contains(['/', '\\'])) {
                    self.opaque_at(Reason::ShellArguments, text.span);
                }
            }
            Role::Checked(harmless) => {
                if !text.literal().is_some_and(harmless) {
                    self.opaque_at(Reason::ShellUnknownOption, text.span);
                }
            }
            Role::WriteOrOutput if text.literal() == Some("-") => {}
            // `strace -o '|command'`.
            Role::WriteOrOutput if text.text.starts_with(['|', '!']) => {
                self.opaque_at(Reason::ShellInnerLanguage, text.span);
            }
            Role::WriteOrOutput => self.out.push(Deed::Write { path: path(), recursive: below }),
            Role::Cookie if text.text.contains('=') => {}
            Role::Cookie => self.out.push(Deed::Read { path: path(), recursive: false }),
            Role::UrlEncoded => match text.literal() {
                Some(literal) => match literal.split_once(['=', '@']) {
                    Some((name, file)) if literal.as_bytes().get(name.len()) == Some(&b'@') => {
                        let path = Text::known(file.to_owned(), text.span);
                        self.out.push(Deed::Read { path, recursive: false });
                    }
                    _ => {}
                },
                None if text.split_once('=').is_some() => {}
                None => self.opaque_at(Reason::ShellDynamicArgument, text.span),
            },
            Role::ReadOrUrl if text.text.contains("://") => self.url(text),
            Role::ReadOrUrl if text.literal() == Some("-") => {}
            Role::ReadOrUrl => self.out.push(Deed::Read { path: path(), recursive: below }),
            Role::Query => {
                let host = if text.starts_with("@") { text.suffix(1) } else { None };
                let host = host.unwrap_or_else(path);
                self.out.push(Deed::Connect { host, port: None, udp: true });
            }
            Role::ContainerNetwork => match text.literal() {
                Some("none" | "bridge" | "default") => {}
                Some(name)
                    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                        && name != "host" => {}
                _ => self.out.push(Deed::Privilege(Cow::Borrowed("namespace"))),
            },
            Role::ContainerPath => {
                if !text.literal().is_some_and(|text| text.contains(':') || text == "-") {
                    self.out.push(Deed::Read { path: path(), recursive: true });
                    self.out.push(Deed::Write { path: path(), recursive: true });
                }
            }
            Role::Bucket { .. } if text.starts_with("s3://") => {
                self.out.push(Deed::Remote { kind: "aws", name: path() });
            }
            Role::Bucket { write: false } => {
                self.out.push(Deed::Read { path: path(), recursive: true });
            }
            Role::Bucket { write: true } => {
                self.out.push(Deed::Write { path: path(), recursive: true });
            }
            Role::GoPackage => self.go_package(text),
            Role::Repository => match text.literal() {
                Some(literal) if literal.matches('/').count() < 2 => {}
                _ => {
                    let host = text.split_once('/').map(|(host, _)| host.to_owned());
                    let host = host.map_or_else(path, |host| Text::known(host, text.span));
                    self.out.push(Deed::Connect { host, port: Some(443), udp: false });
                }
            },
            Role::Endpoint => {
                if text.text.contains("://")
                    || !text.open.is_empty()
                        && text.starts_with("")
                        && text.open.iter().any(|open| open.start == 0)
                {
                    self.url(text);
                }
            }
            Role::Prefix => {
                let mut path = appended(text, "*");
                let end = u32::try_from(path.text.len()).unwrap_or(u32::MAX);
                path.open.push(Open { start: end.saturating_sub(1), end, what: Unknown::Glob });
                self.out.push(Deed::Write { path, recursive: false });
            }
            Role::Url => self.url(text),
            Role::Host(port) => {
                let host = behind(text, '@');
                self.out.push(Deed::Connect { host, port: *port, udp: false });
            }
            Role::HostPort(port) => self.host_and_port(text, *port),
            Role::Port => self.port(text),
            Role::Listen => self.listen(text),
            Role::Forward => {
                let local = text.literal().map(|text| text.split(':').next().unwrap_or(text));
                let port = local.and_then(|port| port.parse().ok());
                let host = Text::known("localhost", text.span);
                self.out.push(Deed::Listen { host, port, udp: false });
            }
            Role::Shell => self.out.push(Deed::Shell { script: path(), login: false }),
            Role::ShellRest
            | Role::Command
            | Role::Binary
            | Role::ScriptName
            | Role::Initializer
            | Role::ProgramOrScript => {
                self.out.push(Deed::Command { argv: vec![path()] });
            }
            Role::Foreign => self.out.push(Deed::ForeignCode),
            Role::ClassPath => match text.literal() {
                Some(literal) => {
                    for place in literal.split(':').filter(|place| !place.is_empty()) {
                        self.script = true;
                        let place = Text::known(place.to_owned(), text.span);
                        self.out.push(Deed::WorkspaceCode { place });
                    }
                }
                None => self.opaque_at(Reason::ShellDynamicArgument, text.span),
            },
            Role::Target => {
                if text.text.contains('/') || text.text == ".." || !text.open.is_empty() {
                    self.out.push(Deed::WorkspaceCode { place: path() });
                }
            }
            // `@file`: compilers read options from there.
            Role::Script if text.text.starts_with('@') => {
                self.opaque_at(Reason::ShellArguments, text.span);
            }
            Role::Script => {
                self.script = true;
                self.out.push(Deed::WorkspaceCode { place: path() });
            }
            Role::Base => {
                self.script = true;
                if self.base.is_some() {
                    self.opaque_at(Reason::ShellArguments, text.span);
                }
                self.base = Some(path());
            }
            Role::AtFile => self.at_file(text),
            Role::Form => self.form(text),
            Role::Method => match text.literal().and_then(method) {
                Some(method) => {
                    self.modes |= if matches!(method, "GET" | "HEAD") { GET } else { MUTATE };
                    self.method = Some(method);
                }
                None => self.opaque_at(Reason::ShellArguments, text.span),
            },
            Role::Sql => {
                if !text.literal().is_some_and(is_plain_sql) {
                    self.opaque_at(Reason::ShellInnerLanguage, text.span);
                }
            }
            Role::Expression => {
                let reads = ["load", "import", "include", "system", "input_filename"];
                let plain = |text: &str| !reads.iter().any(|word| text.contains(word));
                if !text.literal().is_some_and(plain) {
                    self.opaque_at(Reason::ShellInnerLanguage, text.span);
                }
            }
            Role::Package => self.package(text),
            Role::Image => self.image(text),
            Role::Mount => self.mount(text),
            Role::Environment => self.environment(text),
            Role::Secret => self.out.push(Deed::Secret(path())),
            Role::Recipient => match self.effect(|effect| matches!(effect, Effect::Message(_))) {
                Some(Effect::Message(Word::Known(channel))) => {
                    self.out.push(Deed::Message { channel, recipient: path() });
                }
                _ => self.opaque_at(Reason::ShellArguments, text.span),
            },
            Role::Job => match self.effect(|effect| matches!(effect, Effect::Job(_))) {
                Some(Effect::Job(Word::Known(queue))) => {
                    self.names += 1;
                    self.out.push(Deed::Job { queue, name: path() });
                }
                _ => self.opaque_at(Reason::ShellArguments, text.span),
            },
            Role::Publish => match self.effect(|effect| matches!(effect, Effect::Publish { .. })) {
                Some(Effect::Publish { place: Word::Known(place), public }) => {
                    self.names += 1;
                    self.out.push(Deed::Publish { place, name: path(), public: *public });
                }
                _ => self.opaque_at(Reason::ShellArguments, text.span),
            },
            Role::Resource => match text.split_once('/') {
                Some((_, name)) => {
                    let kind = text.text.split('/').next().unwrap_or_default().to_owned();
                    self.resource = Some(Text::known(kind, text.span));
                    self.name(&name);
                }
                None => self.resource = Some(path()),
            },
            Role::Name => self.name(text),
            Role::Identity => self.out.push(Deed::Identity(path())),
            Role::Remote(kind) => match kind.known() {
                Some(kind) => self.out.push(Deed::Remote { kind, name: path() }),
                None => self.opaque_at(Reason::ShellNetwork, text.span),
            },
            Role::Privilege(word) => self.out.push(Deed::Privilege(cow(word))),
            Role::Accelerator(word) => match word.known() {
                Some(kind) => self.out.push(Deed::Accelerator { kind }),
                None => self.opaque_at(Reason::ShellArguments, text.span),
            },
            Role::Opaque => self.opaque_at(Reason::ShellUnknownOption, text.span),
        }
    }

    /// A command or a script that all operands from `first` on are parts of.
    pub(super) fn emit_rest(&mut self, roles: &'t [Role], first: usize) {
        let rest = (first..self.operands.len).filter_map(|at| self.operands.get(at).cloned());
        let mut argv: Vec<_> = rest.collect();
        for role in roles {
            match role {
                Role::ShellRest => {
                    let script = joined(&argv);
                    self.out.push(Deed::Shell { script, login: false });
                }
                Role::Command => self.out.push(Deed::Command { argv: std::mem::take(&mut argv) }),
                Role::ProgramOrScript => {
                    let Some(first) = argv.first() else { continue };
                    if first.literal().is_some_and(|name| name.ends_with(".py")) {
                        self.script = true;
                        self.out.push(Deed::WorkspaceCode { place: first.clone() });
                    } else {
                        let argv = std::mem::take(&mut argv);
                        self.out.push(Deed::Command { argv });
                    }
                }
                Role::ScriptName => {
                    let Some(first) = argv.first() else { continue };
                    match first.literal() {
                        Some(name) if is_script_name(name) => {}
                        Some(name) if name.contains('/') || is_source(name) => {
                            self.script = true;
                            let place = first.clone();
                            self.out.push(Deed::WorkspaceCode { place });
                        }
                        _ => {
                            let argv = std::mem::take(&mut argv);
                            self.out.push(Deed::Command { argv });
                        }
                    }
                }
                Role::Initializer => {
                    let mut argv = std::mem::take(&mut argv);
                    let name = argv.first_mut().and_then(|name| {
                        let initializer = name.literal().and_then(initializer)?;
                        *name = Text::known(initializer, name.span);
                        Some(name.clone())
                    });
                    match name {
                        Some(name) => {
                            self.package(&name);
                            self.out.push(Deed::Command { argv });
                        }
                        None => self.opaque(Reason::ShellForeignCode),
                    }
                }
                Role::Binary => {
                    let mut argv = std::mem::take(&mut argv);
                    let name = argv.first_mut().and_then(|name| {
                        let binary = name.literal().and_then(binary)?.to_owned();
                        *name = Text::known(binary, name.span);
                        Some(())
                    });
                    match name {
                        Some(()) => self.out.push(Deed::Command { argv }),
                        None => self.opaque(Reason::ShellForeignCode),
                    }
                }
                role => {
                    if let Some(first) = argv.first().cloned() {
                        self.emit(role, &first);
                    }
                }
            }
        }
    }

    /// What the program does whatever its operands are.
    pub(super) fn effects(&mut self, effects: impl IntoIterator<Item = &'t Effect>) {
        for effect in effects {
            let span = self.span;
            let place = |path: &str| Text::known(path.to_owned(), span);
            match effect {
                Effect::Code if self.script => {}
                Effect::Code => {
                    self.out.push(Deed::WorkspaceCode { place: Text::known(".", span) })
                }
                Effect::Foreign => self.out.push(Deed::ForeignCode),
                Effect::Service(Word::Known(host), port) => {
                    self.out.push(Deed::Service { host, port: *port });
                }
                Effect::Service(Word::Own(host), port) => {
                    let host = Text::known(host.to_string(), span);
                    self.out.push(Deed::Connect { host, port: Some(*port), udp: false });
                }
                Effect::Remote(word) => match word.known() {
                    Some(kind) => {
                        self.out.push(Deed::Remote { kind, name: Text::known("", span) });
                    }
                    None => self.opaque(Reason::ShellNetwork),
                },
                Effect::Accelerator(word) => match word.known() {
                    Some(kind) => self.out.push(Deed::Accelerator { kind }),
                    None => self.opaque(Reason::ShellArguments),
                },
                Effect::Privilege(word) => self.out.push(Deed::Privilege(cow(word))),
                Effect::Identity(word) => self.out.push(Deed::Identity(place(word.as_str()))),
                Effect::Secret(word) => self.out.push(Deed::Secret(place(word.as_str()))),
                Effect::Infrastructure { .. } if self.names > 0 => {}
                Effect::Infrastructure { .. } => {
                    let name = Text::known("", span);
                    self.infrastructure(effect, &name);
                }
                Effect::Publish { .. } | Effect::Job(_) if self.names > 0 => {}
                Effect::Publish { place: word, public } => match word.known() {
                    Some(place) => {
                        let name = Text::known(".", span);
                        self.out.push(Deed::Publish { place, name, public: *public });
                    }
                    None => self.opaque(Reason::ShellArguments),
                },
                Effect::Job(word) => match word.known() {
                    Some(queue) => {
                        self.out.push(Deed::Job { queue, name: Text::known("", span) });
                    }
                    None => self.opaque(Reason::ShellArguments),
                },
                Effect::Package(_) | Effect::Message(_) => {}
                Effect::Read { path, recursive } => {
                    self.out.push(Deed::Read { path: place(path), recursive: *recursive });
                }
                Effect::Write { path, recursive } => {
                    self.out.push(Deed::Write { path: place(path), recursive: *recursive });
                }
                Effect::Delete { path, recursive } => {
                    self.out.push(Deed::Delete { path: place(path), recursive: *recursive });
                }
                Effect::Create { path } => self.out.push(Deed::Create { path: place(path) }),
                Effect::Listen(port) => {
                    let host = Text::known("", span);
                    self.out.push(Deed::Listen { host, port: *port, udp: false });
                }
                Effect::Method(word) => {
                    if self.method.is_none() {
                        self.method = method(word.as_str());
                    }
                }
                Effect::Opaque => self.opaque(Reason::ShellUnknownProgram),
            }
        }
    }

    /// What can be said only when everything was read.
    pub(super) fn finish(&mut self) {
        let long = |path: &Text<'_>| path.text.len() > MAX_PATH_BYTES;
        if self.base.as_ref().is_some_and(long)
            || self.into.as_ref().is_some_and(|(place, _)| long(place))
        {
            return self.opaque(Reason::ShellTooLarge);
        }
        if let Some((place, recursive)) = self.into.take() {
            self.copied_into(&place, recursive);
        }
        if let Some(method) = self.method {
            for deed in self.out.iter_mut().skip(self.mark) {
                if let Deed::Url { method: of, .. } = deed {
                    *of = method;
                }
            }
        }
        if let Some(base) = self.base.take() {
            let mut unclear = false;
            for deed in self.out.iter_mut().skip(self.mark) {
                match deed {
                    Deed::Read { path, .. }
                    | Deed::Write { path, .. }
                    | Deed::Delete { path, .. }
                    | Deed::Create { path }
                    | Deed::WorkspaceCode { place: path } => unclear |= !rebase(path, &base),
                    Deed::Link { .. } | Deed::Command { .. } | Deed::Shell { .. } => unclear = true,
                    _ => {}
                }
            }
            let code = |effect: &Effect| matches!(effect, Effect::Code);
            if self.effect(code).is_some() {
                self.out.push(Deed::WorkspaceCode { place: base });
            }
            if unclear {
                self.opaque(Reason::ShellWorkingDirectory);
            }
        }
    }

    /// Finds what the line says of the program, whatever its operands are.
    fn effect(&self, fits: impl Fn(&Effect) -> bool) -> Option<&'t Effect> {
        let entry = self.entry;
        let chosen = entry.alternative(self.modes);
        let chosen = chosen.into_iter().flat_map(|alternative| &alternative.effects);
        chosen.chain(entry.effects()).find(|effect| fits(effect))
    }

    /// `cp`, `mv`, `ln`: the last operand is a file, or a directory in which names are made.
    fn copied_into(&mut self, place: &Text<'s>, recursive: bool) {
        let recursive = recursive || self.modes & RECURSIVE != 0;
        let link = self.entry_links();
        let symbolic = self.modes & self.symbolic_mode() != 0;
        let directory = matches!(
            place.literal().map(|text| text.rsplit('/').next().unwrap_or(text)),
            Some("" | "." | "..")
        );
        let all = self.operands.len;
        let last_is_place = all > 0
            && self.operands.get(all - 1).is_some_and(|last| std::ptr::eq(last, place))
            || self.place_is_operand();
        let count = if last_is_place { all - 1 } else { all };
        let certain = directory || !last_is_place || count > 1;
        for at in 0..count {
            let Some(source) = self.operands.get(at) else { break };
            let mut ends = Vec::with_capacity(2);
            match inside(place, source) {
                Some(end) => ends.push(end),
                None => ends.push(place.clone()),
            }
            if !certain {
                ends.push(place.clone());
            }
            for end in ends {
                self.out.push(if link {
                    Deed::Link { target: source.clone(), link: end, symbolic }
                } else {
                    Deed::Write { path: end, recursive }
                });
            }
        }
    }

    fn url(&mut self, text: &Text<'s>) {
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

    fn host_and_port(&mut self, text: &Text<'s>, default: Option<u16>) {
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

    fn port(&mut self, text: &Text<'s>) {
        let number = text.literal().and_then(|text| text.parse().ok());
        for deed in self.out.iter_mut().skip(self.mark) {
            if let Deed::Connect { port, .. } = deed {
                *port = number;
            }
        }
    }

    fn listen(&mut self, text: &Text<'s>) {
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
    fn at_file(&mut self, text: &Text<'s>) {
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
    fn form(&mut self, text: &Text<'s>) {
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

    fn package(&mut self, text: &Text<'s>) {
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
    fn go_package(&mut self, text: &Text<'s>) {
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
        }
    }

    /// `[registry[:port]/]name[:tag][@digest]`.
    fn image(&mut self, text: &Text<'s>) {
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

    /// `-v source:target[:ro]`. A source without a slash is a volume.
    fn mount(&mut self, text: &Text<'s>) {
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

    fn environment(&mut self, text: &Text<'s>) {
        match text.split_once('=') {
            Some((name, value)) => {
                let name = Text::known(name.to_owned(), text.span);
                self.out.push(Deed::Environment { name, value });
            }
            None if text.open.is_empty() => {}
            None => self.opaque_at(Reason::ShellDynamicArgument, text.span),
        }
    }

    fn name(&mut self, text: &Text<'s>) {
        self.names += 1;
        let infrastructure = |effect: &Effect| matches!(effect, Effect::Infrastructure { .. });
        if let Some(effect) = self.effect(infrastructure) {
            self.infrastructure(effect, text);
        }
    }

    fn infrastructure(&mut self, effect: &'t Effect, name: &Text<'s>) {
        let Effect::Infrastructure { provider, verb, resource } = effect else { return };
        let Some(provider) = provider.known() else {
            return self.opaque(Reason::ShellArguments);
        };
        let fixed = || Text::known(resource.as_str().to_owned(), name.span);
        let resource = self.resource.clone().unwrap_or_else(fixed);
        let (verb, name) = (cow(verb), name.clone());
        self.out.push(Deed::Infrastructure { provider, verb, resource, name });
    }

    /// `file.gz` is unpacked to `file`; without the ending the program adds it, or takes `.tgz`.
    fn stripped(&mut self, text: &Text<'s>, suffix: &str, recursive: bool) {
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

    fn entry_links(&self) -> bool {
        let links = |role: &Role| matches!(role, Role::Link);
        let slots = self.entry.body.alternatives.iter().flat_map(|alternative| &alternative.slots);
        slots.flat_map(|slot| &slot.roles).any(links)
    }

    fn symbolic_mode(&self) -> u64 {
        self.entry.option("-s").map_or(0, |option| option.modes)
    }

    /// The chosen alternative names the place by an operand, not by an option.
    fn place_is_operand(&self) -> bool {
        let chosen = self.entry.alternative(self.modes);
        let slots = chosen.into_iter().flat_map(|alternative| &alternative.slots);
        let ends = |role: &Role| matches!(role, Role::Into { .. } | Role::Link);
        slots.filter(|slot| slot.default.is_none()).flat_map(|slot| &slot.roles).any(ends)
    }
}

fn method(text: &str) -> Option<&'static str> {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "PROPFIND"];
    known.into_iter().find(|known| *known == text)
}

fn cow(word: &Word) -> Cow<'static, str> {
    match word {
        Word::Known(word) => Cow::Borrowed(word),
        Word::Own(word) => Cow::Owned(word.to_string()),
    }
}

/// Puts `base` before a relative path; false where nobody knows whether it is relative.
fn rebase<'s>(path: &mut Text<'s>, base: &Text<'s>) -> bool {
    let open = path.open.first().is_some_and(|open| {
        open.start == 0 && matches!(open.what, Unknown::Anything | Unknown::Below)
    });
    if open {
        return false;
    }
    if !path.text.starts_with('/') {
        *path = concatenated(base, "/", path);
    }
    true
}

/// The name that `source` gets in the directory `place`; none where that cannot be said.
fn inside<'s>(place: &Text<'s>, source: &Text<'s>) -> Option<Text<'s>> {
    let trimmed = source.text.trim_end_matches('/');
    let at = trimmed.rfind('/').map_or(0, |at| at + 1);
    let name = trimmed.get(at..)?;
    if name.is_empty() || name == "." || name == ".." {
        return None;
    }
    let mut last = source.suffix(at);
    if last.is_none() {
        // The slash stands behind something open, as in `$d/name`.
        let start = u32::try_from(at).ok()?;
        let open = source
            .open
            .iter()
            .filter(|open| open.start >= start)
            .map(|open| Open { start: open.start - start, end: open.end - start, ..*open })
            .collect();
        let clear = source.open.iter().all(|open| open.end <= start || open.start >= start);
        last = clear.then(|| Text {
            text: Cow::Owned(name.to_owned()),
            open,
            many: source.many,
            span: source.span,
        });
    }
    Some(concatenated(place, "/", &last?))
}

fn concatenated<'s>(left: &Text<'s>, between: &str, right: &Text<'s>) -> Text<'s> {
    let mut text = String::with_capacity(left.text.len() + between.len() + right.text.len());
    text.push_str(&left.text);
    if !(between == "/" && text.ends_with('/')) {
        text.push_str(between);
    }
    let shift = u32::try_from(text.len()).unwrap_or(u32::MAX);
    text.push_str(&right.text);
    let mut open = left.open.clone();
    open.extend(right.open.iter().map(|open| Open {
        start: open.start.saturating_add(shift),
        end: open.end.saturating_add(shift),
        what: open.what,
    }));
    Text { text: Cow::Owned(text), open, many: left.many || right.many, span: right.span }
}

fn prefixed<'s>(text: &Text<'s>, prefix: &'static str) -> Text<'s> {
    concatenated(&Text::known(prefix, text.span), "", text)
}

fn appended<'s>(text: &Text<'s>, suffix: &str) -> Text<'s> {
    let mut text = text.clone();
    text.text.to_mut().push_str(suffix);
    text
}

fn joined<'s>(texts: &[Text<'s>]) -> Text<'s> {
    let mut all =
        Text { span: texts.first().map(|text| text.span).unwrap_or_default(), ..Text::default() };
    let mut joined = String::new();
    for text in texts {
        if !joined.is_empty() {
            joined.push(' ');
        }
        let shift = u32::try_from(joined.len()).unwrap_or(u32::MAX);
        joined.push_str(&text.text);
        all.open.extend(text.open.iter().map(|open| Open {
            start: open.start.saturating_add(shift),
            end: open.end.saturating_add(shift),
            what: open.what,
        }));
        all.many |= text.many;
        all.span.end = text.span.end;
    }
    all.text = Cow::Owned(joined);
    all
}

/// What stands behind the last `separator`, if all before it is literal.
fn behind<'s>(text: &Text<'s>, separator: char) -> Text<'s> {
    let at = text.text.rfind(separator).map(|at| at + separator.len_utf8());
    at.and_then(|at| text.suffix(at)).unwrap_or_else(|| text.clone())
}

/// The longest path that Linux takes. Paths are joined once per operand: longer ones would cost
/// the product of both.
const MAX_PATH_BYTES: usize = 4096;
