//! What a line says of the whole command, and what can be said only when all was read.

use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};
use crate::shell::syntax::Span;

use super::super::line::{BACKUP, Effect, GLOBOFF, Modes, PARENTS, RECURSIVE, RELATIVE, Word};
use super::super::role::Role;
use super::Reader;
use super::text::{anywhere, backups, inside, rebase};
use super::value::{method, word_of};

impl<'t, 's> Reader<'t, '_, 's, '_> {
    /// What the program does whatever its operands are.
    pub(super) fn effects(&mut self, effects: impl IntoIterator<Item = &'t Effect>) {
        for effect in effects {
            let span = self.span;
            let place = |path: &str| fixed_path(path, span);
            let text = |text: &str| Text::known(text.to_owned(), span);
            match effect {
                Effect::Code if self.script || self.coded => {}
                Effect::Code => {
                    self.coded = true;
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
                Effect::Privilege(word) => self.out.push(Deed::Privilege(word_of(word))),
                Effect::Identity(word) => self.out.push(Deed::Identity(text(word.as_str()))),
                Effect::Secret(word) => self.out.push(Deed::Secret(text(word.as_str()))),
                Effect::Infrastructure { provider, verb, resource } => {
                    self.infrastructure(provider, verb, resource);
                }
                Effect::Publish { place, public } => match place.known() {
                    Some(place) => {
                        for (_, name) in self.names("workspace") {
                            let name = without_version(&name, place);
                            self.out.push(Deed::Publish { place, name, public: *public });
                        }
                    }
                    None => self.opaque(Reason::ShellArguments),
                },
                Effect::Job(queue) => match queue.known() {
                    Some(queue) => {
                        for (_, name) in self.names("current") {
                            self.out.push(Deed::Job { queue, name });
                        }
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
        if self.modes & BACKUP != 0 {
            self.keep_backups();
        }
        if let Some(span) = self.globbed.filter(|_| self.modes & GLOBOFF == 0) {
            self.opaque_at(Reason::ShellArguments, span);
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
    pub(super) fn effect(&self, fits: impl Fn(&Effect) -> bool) -> Option<&'t Effect> {
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
            // Where it may be either, the last operand is the directory or the new name.
            let within = if self.modes & PARENTS == 0 {
                inside(place, source)
            } else {
                Some(anywhere(place, source))
            };
            if link && self.modes & RELATIVE != 0 {
                self.out.push(Deed::Read { path: source.clone(), recursive: true });
            }
            let outer = (!certain || within.is_none()).then(|| place.clone());
            for end in within.into_iter().chain(outer) {
                self.out.push(if link {
                    Deed::Link { target: source.clone(), link: end, symbolic }
                } else {
                    Deed::Write { path: end, recursive }
                });
            }
        }
    }

    /// `-b`, `-S .old`: what lies in the way is moved to another name first. A suffix with a slash is
    /// not taken.
    fn keep_backups(&mut self) {
        let suffix = match &self.suffix {
            None => "~".to_owned(),
            Some(suffix) => match suffix.literal() {
                Some(literal) if literal.is_empty() || literal.contains('/') => "~".to_owned(),
                Some(literal) => literal.to_owned(),
                None => return self.opaque_at(Reason::ShellDynamicArgument, suffix.span),
            },
        };
        let mut kept = Vec::new();
        for deed in self.out.iter().skip(self.mark) {
            let (path, recursive) = match deed {
                Deed::Write { path, recursive } => (path, *recursive),
                Deed::Link { link, .. } => (link, false),
                _ => continue,
            };
            let paths = backups(path, &suffix).into_iter();
            kept.extend(paths.map(|path| Deed::Write { path, recursive }));
        }
        self.out.append(&mut kept);
    }

    /// What operands and values name, each perhaps with its kind; `absent` where they name nothing.
    fn names(&self, absent: &'static str) -> Vec<(Option<Text<'s>>, Text<'s>)> {
        if self.named.is_empty() {
            return vec![(self.resource.clone(), Text::known(absent, self.span))];
        }
        let named = self.named.iter();
        named.map(|(kind, name)| (kind.clone(), plain_name(name, absent))).collect()
    }

    fn infrastructure(&mut self, provider: &'t Word, verb: &'t Word, fixed: &'t Word) {
        let Some(provider) = provider.known() else {
            return self.opaque(Reason::ShellArguments);
        };
        let fixed = Some(fixed.as_str()).filter(|fixed| !fixed.is_empty()).unwrap_or("resource");
        for (kind, name) in self.names("current") {
            let resource = kind.unwrap_or_else(|| Text::known(fixed.to_owned(), self.span));
            let verb = word_of(verb);
            self.out.push(Deed::Infrastructure { provider, verb, resource, name });
        }
    }

    fn entry_links(&self) -> bool {
        let links = |role: &Role| matches!(role, Role::Link);
        let slots = self.entry.body.alternatives.iter().flat_map(|alternative| &alternative.slots);
        slots.flat_map(|slot| &slot.roles).any(links)
    }

    fn symbolic_mode(&self) -> Modes {
        self.entry.option("-s").map_or(0, |option| option.modes)
    }

    /// The chosen alternative names the place by an operand, not by an option.
    fn place_is_operand(&self) -> bool {
        let chosen = self.entry.alternative(self.modes);
        let slots = chosen.into_iter().flat_map(|alternative| &alternative.slots);
        let ends = |role: &Role| matches!(role, Role::Into { .. } | Role::Link);
        !self.place_absent && slots.flat_map(|slot| &slot.roles).any(ends)
    }
}

/// `~` stands for a directory that only the walk knows, `*` for what names differ in.
fn fixed_path<'s>(path: &str, span: Span) -> Text<'s> {
    let mut text = Text::known(path.to_owned(), span);
    if path.starts_with("~/") {
        text.open.push(Open { start: 0, end: 1, what: Unknown::Anything });
    }
    let stars = path.match_indices('*').filter_map(|(at, _)| u32::try_from(at).ok());
    text.open.extend(stars.map(|start| Open { start, end: start + 1, what: Unknown::Glob }));
    text
}

/// A name in segments: no scheme, no slash at the ends. What climbs stays as it is, and is denied.
fn plain_name<'s>(text: &Text<'s>, absent: &'static str) -> Text<'s> {
    let Some(literal) = text.literal() else { return text.clone() };
    let name = literal.split_once("://").map_or(literal, |(_, rest)| rest);
    let name = name.trim().trim_matches('/').trim_start_matches("./");
    match name {
        "" | "." => Text::known(absent, text.span),
        _ if name.len() == literal.len() => text.clone(),
        _ => Text::known(name.to_owned(), text.span),
    }
}

/// The name of a package without its version, of an image without its tag.
fn without_version<'s>(name: &Text<'s>, place: &str) -> Text<'s> {
    let Some(literal) = name.literal() else { return name.clone() };
    let image = place == "docker";
    let separator = match place {
        "github.com" | "gist.github.com" | "huggingface" => return name.clone(),
        _ if image => ':',
        _ => '@',
    };
    let start = literal.rfind('/').map_or(1, |at| at + 1);
    let digest = if image { literal.find('@') } else { None };
    let version = literal.get(start..).and_then(|tail| tail.find(separator));
    let end = digest.into_iter().chain(version.map(|at| start + at)).min();
    match end.and_then(|end| literal.get(..end)) {
        Some(short) => Text::known(short.to_owned(), name.span),
        None => name.clone(),
    }
}

/// The longest path that Linux takes. Paths are joined once per operand: longer ones would cost
/// the product of both.
pub(super) const MAX_PATH_BYTES: usize = 4096;
