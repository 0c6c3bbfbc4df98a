//! What values and operands are, as deeds.

use std::borrow::Cow;

use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};

use super::super::line::{BACKUP, Effect, GET, MUTATE, RECURSIVE, Word};
use super::super::role::{Role, is_script_name, is_setuid};
use super::Reader;
use super::package::{binary, initializer, is_plain_sql, is_source};
use super::text::{appended, behind, joined};
use super::value::{method, word_of};
use super::whole::MAX_PATH_BYTES;

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
            // Code from a pipe is nothing that lies in the workspace.
            Role::Script if text.literal() == Some("-") && self.fed => {
                self.opaque_at(Reason::ShellCodeOnStdin, text.span);
            }
            // `-` is the input; a file of that name lies in the working directory.
            Role::Read { .. } | Role::Script if text.literal() == Some("-") => {}
            Role::Read { recursive } => {
                // Some programs take a URL for a file, and a file is hardly called so.
                if text.text.contains("://") {
                    self.url(text);
                }
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
            Role::Suffixed(suffix) => self.suffixed(text, suffix, below),
            Role::Replaced(from, to) => match text.open.is_empty() {
                true => {
                    let stem = text.text.strip_suffix(&**from).unwrap_or(&text.text);
                    let path = Text::known(format!("{stem}{to}"), text.span);
                    self.out.push(Deed::Write { path, recursive: false });
                }
                false => self.opaque_at(Reason::ShellDynamicPath, text.span),
            },
            Role::ZipName => {
                let dotted = text.text.rsplit('/').next().is_some_and(|name| name.contains('.'));
                if dotted || !text.open.is_empty() {
                    self.out.push(Deed::Write { path: path(), recursive: false });
                }
                if !dotted || !text.open.is_empty() {
                    let path = appended(text, ".zip");
                    self.out.push(Deed::Write { path, recursive: false });
                }
            }
            Role::WithParents => match text.literal() {
                Some(literal) if literal.len() > MAX_PATH_BYTES => {
                    self.opaque_at(Reason::ShellTooLarge, text.span);
                }
                Some(literal) => {
                    let literal = literal.trim_end_matches('/');
                    let ends = literal.match_indices('/').map(|(at, _)| at);
                    for end in ends.filter(|end| *end > 0) {
                        let path = literal.get(..end).unwrap_or_default().to_owned();
                        let path = Text::known(path, text.span);
                        self.out.push(Deed::Delete { path, recursive: false });
                    }
                    self.out.push(Deed::Delete { path: path(), recursive: false });
                }
                None => self.opaque_at(Reason::ShellDynamicPath, text.span),
            },
            Role::Permissions => match text.literal() {
                Some(mode) if is_setuid(mode) => {
                    self.out.push(Deed::Privilege(Cow::Borrowed("setuid")));
                }
                Some(_) => {}
                None => self.opaque_at(Reason::ShellDynamicArgument, text.span),
            },
            Role::BackupSuffix => {
                self.modes |= BACKUP;
                self.suffix = Some(path());
            }
            Role::Upload if matches!(text.literal(), Some("-" | "." | "")) => {}
            Role::Upload => {
                if text.text.contains(['{', '[']) {
                    self.globbed = Some(text.span);
                }
                self.out.push(Deed::Read { path: path(), recursive: false });
            }
            Role::Download if text.literal() == Some("-") => {}
            Role::Download => {
                // `#1` stands for what braces or brackets of the URL have become.
                let behind = text.text.split('#').skip(1);
                let mut marks = behind.filter(|rest| !rest.is_empty());
                let marked = marks.any(|rest| {
                    rest.starts_with(|c: char| c.is_ascii_digit()) || !text.open.is_empty()
                });
                if marked {
                    self.globbed = Some(text.span);
                }
                self.out.push(Deed::Write { path: path(), recursive: below });
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
            // `file:/etc/passwd`, `concat:a|b`, `%2e%2e/x`: a path in another spelling.
            Role::ReadOrUrl if text.text.contains([':', '%']) => {
                self.opaque_at(Reason::ShellArguments, text.span);
            }
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
            Role::NpmPackage => self.npm_package(text),
            Role::Repository => self.repository(text),
            Role::Reference => {
                let unknown = |open: &Open| open.start == 0 && open.what == Unknown::Anything;
                if text.text.contains("://") || text.open.iter().any(unknown) {
                    self.repository(text);
                }
            }
            Role::ReadList => match text.literal() {
                Some(literal) => {
                    for place in literal.split(':').filter(|place| !place.is_empty()) {
                        let path = Text::known(place.to_owned(), text.span);
                        self.out.push(Deed::Read { path, recursive: true });
                    }
                }
                None => self.opaque_at(Reason::ShellDynamicArgument, text.span),
            },
            Role::PluginOutput => {
                let path = text.split_once(':').map_or_else(path, |(_, path)| path);
                self.out.push(Deed::Write { path, recursive: true });
            }
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
            Role::KeyedFile => {
                let path = text.split_once('=').map_or_else(path, |(_, path)| path);
                self.out.push(Deed::Read { path, recursive: true });
            }
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
            // `kubectl delete pod/a svc/b`.
            Role::Name if self.kinds => match text.split_once('/') {
                Some((kind, name)) => {
                    let kind = Text::known(kind.to_owned(), text.span);
                    self.named.push((Some(kind), name));
                }
                None => self.opaque_at(Reason::ShellArguments, text.span),
            },
            Role::Job | Role::Publish | Role::Name => {
                self.named.push((self.resource.clone(), path()));
            }
            Role::Resource => match text.split_once('/') {
                Some((kind, name)) => {
                    let kind = Text::known(kind.to_owned(), text.span);
                    self.named.push((Some(kind), name));
                    self.kinds = true;
                }
                None => self.resource = Some(path()),
            },
            Role::Identity => self.out.push(Deed::Identity(path())),
            Role::Remote(kind) => match kind.known() {
                Some(kind) => self.out.push(Deed::Remote { kind, name: path() }),
                None => self.opaque_at(Reason::ShellNetwork, text.span),
            },
            Role::Privilege(word) => self.out.push(Deed::Privilege(word_of(word))),
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
                Role::Command => {
                    // `entr cat /_`: what its input names.
                    for word in argv.iter_mut().filter(|word| word.literal() == Some("/_")) {
                        let what = Unknown::Anything;
                        word.open = vec![Open { start: 0, end: 2, what }];
                    }
                    self.out.push(Deed::Command { argv: std::mem::take(&mut argv) });
                }
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
                    let name = argv.first().and_then(|name| {
                        Some(Text::known(name.literal().and_then(initializer)?, name.span))
                    });
                    // The package is fetched and run: code that nobody has looked into.
                    if let Some(name) = name {
                        self.package(&name);
                    }
                    self.out.push(Deed::ForeignCode);
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
}
