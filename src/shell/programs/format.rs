//! Reads the lines of `programs.txt`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::text::excerpt;

use super::line::{
    Alternative, Body, Count, Effect, Line, MAX_DEPTH, MODES, Modes, Opt, Options, RECURSIVE, Slot,
    Style, Takes, Word,
};
use super::role::Role;

/// A line that describes a program has a mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ProgramsError {
    line: usize,
    what: String,
}

impl ProgramsError {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }

    /// Returns the number of the line, counted from one.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }
}

/// Lines that belong together: comments and examples gone, indented ones joined to the one above.
struct Logical<'l> {
    number: usize,
    tokens: Vec<&'l str>,
}

/// Reads all lines; those with a mistake are left out and told.
pub(super) fn parse<'l>(
    text: &'l str,
    name: impl Fn(&'l str) -> Word,
    word: impl Fn(&'l str) -> Word,
) -> (Vec<Line>, Vec<ProgramsError>) {
    let mut reader =
        Reader { groups: BTreeMap::new(), modes: MODES.to_vec(), name: &name, word: &word };
    let mut lines = Vec::new();
    let mut mistakes = Vec::new();
    for logical in logical_lines(text) {
        match reader.line(&logical.tokens) {
            Ok(mut read) => lines.append(&mut read),
            Err(what) => mistakes.push(ProgramsError::new(logical.number, what)),
        }
    }
    (lines, mistakes)
}

fn logical_lines(text: &str) -> Vec<Logical<'_>> {
    let mut all: Vec<Logical<'_>> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with(['#', '=', '!']) {
            continue;
        }
        let tokens = line.split_whitespace().take_while(|token| *token != "#");
        match all.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.tokens.extend(tokens),
            _ => all.push(Logical { number: at + 1, tokens: tokens.collect() }),
        }
    }
    all
}

struct Reader<'l, 'w> {
    /// `@name = …`: tokens to be written in place of `@name`.
    groups: BTreeMap<&'l str, Vec<&'l str>>,
    /// Names of modes; the place is the bit.
    modes: Vec<&'l str>,
    /// Keeps a name; keeps a word that deeds refer to.
    name: &'w dyn Fn(&'l str) -> Word,
    word: &'w dyn Fn(&'l str) -> Word,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Operands,
    Options,
    Inherited,
}

type What<T> = Result<T, String>;

impl<'l> Reader<'l, '_> {
    fn line(&mut self, tokens: &[&'l str]) -> What<Vec<Line>> {
        if let [name, "=", group @ ..] = tokens
            && name.starts_with('@')
        {
            let mut expanded = Vec::new();
            for token in group {
                self.expand(token, &mut expanded)?;
            }
            self.groups.insert(name, expanded);
            return Ok(Vec::new());
        }
        let head = tokens.iter().position(|token| matches!(*token, ":" | ";" | ";;"));
        let (names, rest) =
            tokens.split_at_checked(head.unwrap_or(tokens.len())).unwrap_or_default();
        let mut expanded = Vec::with_capacity(rest.len());
        for token in rest {
            self.expand(token, &mut expanded)?;
        }
        let body = Arc::new(self.body(&expanded)?);
        let paths = paths(names)?;
        let line = |path: Vec<&'l str>| {
            let path = path.into_iter().map(|word| (self.name)(word)).collect();
            Line { path, body: body.clone() }
        };
        Ok(paths.into_iter().map(line).collect())
    }

    fn expand(&self, token: &'l str, out: &mut Vec<&'l str>) -> What<()> {
        if token.starts_with('@') {
            let group = self.groups.get(token).ok_or_else(|| unknown("group", token))?;
            out.extend(group);
        } else {
            out.push(token);
        }
        Ok(())
    }

    fn body(&mut self, tokens: &[&'l str]) -> What<Body> {
        let mut section = Section::Operands;
        let mut style = Style::default();
        let mut alternatives = vec![Alternative::default()];
        let mut body = Body::default();
        let (mut options, mut inherited) = (Vec::new(), Vec::new());
        for (at, &token) in tokens.iter().enumerate() {
            match (token, section) {
                (":", _) => section = Section::Operands,
                (";", _) => section = Section::Options,
                (";;", _) => section = Section::Inherited,
                ("|", Section::Operands) => alternatives.push(Alternative::default()),
                ("?", Section::Operands) => {}
                (_, Section::Operands) if tokens.get(at + 1) == Some(&"?") => {
                    let needs = self.modes(token)?;
                    let last = alternatives.last_mut().ok_or("no alternative")?;
                    last.needs = needs;
                }
                _ if is_flag(token) => {
                    if set_style(&mut style, token) {
                        continue;
                    }
                    if token == "+hv" {
                        let both = ["--help", "--version"];
                        let into = match section {
                            Section::Inherited => &mut inherited,
                            _ => &mut options,
                        };
                        into.extend(both.map(|name| flag(name, 0)));
                        continue;
                    }
                    let effects = match section {
                        Section::Operands => {
                            &mut alternatives.last_mut().ok_or("no alternative")?.effects
                        }
                        Section::Options => &mut body.effects,
                        Section::Inherited => &mut body.inherited_effects,
                    };
                    self.effect(token, effects)?;
                }
                (_, Section::Operands) => {
                    let slot = self.slot(token)?;
                    alternatives.last_mut().ok_or("no alternative")?.slots.push(slot);
                }
                (_, Section::Options) => self.option(token, &mut style, &mut options)?,
                (_, Section::Inherited) => self.option(token, &mut style, &mut inherited)?,
            }
        }
        for alternative in &alternatives {
            let open = |slot: &&Slot| matches!(slot.count, Count::Any | Count::Several);
            if alternative.slots.iter().filter(open).count() > 1 {
                return Err("two kinds of operands repeat".into());
            }
        }
        if alternatives.first().is_some_and(|first| first.needs != 0) {
            return Err("the first alternative needs a mode".into());
        }
        body.style = style;
        body.alternatives = alternatives;
        body.options = Options::new(options);
        body.inherited = Options::new(inherited);
        Ok(body)
    }

    /// `r`, `r*`, `r+`, `r?`, `r*=.`.
    fn slot(&self, token: &'l str) -> What<Slot> {
        let (text, default) = match token.split_once('=') {
            Some((text, default)) => (text, Some(default.into())),
            None => (token, None),
        };
        let (text, count) =
            match (text.strip_suffix('*'), text.strip_suffix('+'), text.strip_suffix('?')) {
                (Some(text), ..) => (text, Count::Any),
                (_, Some(text), _) => (text, Count::Several),
                (.., Some(text)) => (text, Count::Optional),
                _ => (text, Count::One),
            };
        Ok(Slot { roles: self.roles(text)?.into(), count, default })
    }

    fn roles(&self, text: &'l str) -> What<Vec<Role>> {
        text.split('&')
            .map(|atom| {
                // The closure of `Role::parse` is handed parts of `atom` only.
                let tail = |part: &str| {
                    let at = atom.len().saturating_sub(part.len());
                    (self.word)(atom.get(at..).unwrap_or_default())
                };
                Role::parse(atom, &tail).ok_or_else(|| unknown("role", atom))
            })
            .collect()
    }

    /// `-abc`, `-o,--output=w!mode`, `--color=?v`, `--since==v`, `-O~v`, `-I=~r`, `-#`.
    fn option(&mut self, token: &'l str, style: &mut Style, out: &mut Vec<Opt>) -> What<()> {
        if token == "-#" {
            style.numbers = true;
            return Ok(());
        }
        let (text, modes) = match token.rsplit_once('!') {
            Some((text, names)) => (text, self.modes(names)?),
            None => (token, 0),
        };
        let end = text.find(['=', '~']).unwrap_or(text.len());
        let (names, rest) = text.split_at_checked(end).unwrap_or_default();
        let (takes, roles) = if rest.is_empty() {
            (Takes::Nothing, "")
        } else if let Some(roles) = rest.strip_prefix("=?") {
            (Takes::Optional, roles)
        } else if let Some(roles) = rest.strip_prefix("==") {
            (Takes::Equals, roles)
        } else if let Some(roles) = rest.strip_prefix("=~") {
            (Takes::JoinedOrNext, roles)
        } else if let Some(roles) = rest.strip_prefix('~') {
            (Takes::Joined, roles)
        } else {
            (Takes::Required, rest.get(1..).unwrap_or_default())
        };
        let roles: Arc<[Role]> = match takes {
            Takes::Nothing => [].into(),
            _ => self.roles(roles)?.into(),
        };
        let one_word = style.go || style.words;
        for name in names.split(',') {
            if !name.starts_with(['-', '+']) || name.len() < 2 && takes != Takes::Joined {
                return Err(unknown("option", token));
            }
            if one_word || name.starts_with("--") || name.len() <= 2 {
                let word = one_word;
                let name = (self.name)(name);
                out.push(Opt { name, word, takes, roles: roles.clone(), modes });
                continue;
            }
            if takes != Takes::Nothing {
                return Err(format!("`{}` is a cluster and has a value", excerpt(name)));
            }
            let sign = name.as_bytes().first().copied().unwrap_or(b'-');
            for letter in name.bytes().skip(1) {
                let pair = [sign, letter];
                let spelled = std::str::from_utf8(&pair).map_err(|_| unknown("option", token))?;
                out.push(flag(spelled, modes));
            }
        }
        Ok(())
    }

    fn modes(&mut self, names: &'l str) -> What<Modes> {
        let mut modes = 0;
        for name in names.split(',') {
            let at = match self.modes.iter().position(|known| *known == name) {
                Some(at) => at,
                None => {
                    self.modes.push(name);
                    self.modes.len() - 1
                }
            };
            modes |= u32::try_from(at)
                .ok()
                .and_then(|at| RECURSIVE.checked_shl(at))
                .ok_or("more than 64 modes")?;
        }
        Ok(modes)
    }

    fn effect(&self, token: &'l str, out: &mut Vec<Effect>) -> What<()> {
        let word = |text: &'l str| (self.word)(text);
        let body = token.get(1..).unwrap_or_default();
        let (name, value) = body.split_once('=').unwrap_or((body, ""));
        let recursive = name.chars().next().is_some_and(char::is_uppercase);
        let path = || value.into();
        out.push(match name {
            "code" => Effect::Code,
            "foreign" => Effect::Foreign,
            "net" => {
                for place in value.split(',') {
                    let (host, port) = place.split_once(':').unwrap_or((place, "443"));
                    let port = port.parse().map_err(|_| unknown("port", place))?;
                    out.push(Effect::Service(word(host), port));
                }
                return Ok(());
            }
            "remote" => Effect::Remote(word(value)),
            "pkg" => Effect::Package(word(value)),
            "gpu" => Effect::Accelerator(word(value)),
            "priv" => Effect::Privilege(word(value)),
            "id" => Effect::Identity(word(value)),
            "secret" => Effect::Secret(word(value)),
            "infra" => {
                let mut parts = value.splitn(3, ':');
                let mut next = || word(parts.next().unwrap_or_default());
                Effect::Infrastructure { provider: next(), verb: next(), resource: next() }
            }
            "pub" => match value.split_once(':') {
                Some((place, "private")) => Effect::Publish { place: word(place), public: false },
                Some(_) => return Err(unknown("flag", token)),
                None => Effect::Publish { place: word(value), public: true },
            },
            "msg" => Effect::Message(word(value)),
            "job" => Effect::Job(word(value)),
            "read" | "Read" => Effect::Read { path: path(), recursive },
            "write" | "Write" => Effect::Write { path: path(), recursive },
            "delete" | "Delete" => Effect::Delete { path: path(), recursive },
            "create" => Effect::Create { path: path() },
            "listen" => Effect::Listen(value.parse().ok()),
            "method" => Effect::Method(word(value)),
            "opaque" => Effect::Opaque,
            _ => return Err(unknown("flag", token)),
        });
        Ok(())
    }
}

fn is_flag(token: &str) -> bool {
    token.strip_prefix('+').is_some_and(|name| {
        let name = name.split_once('=').map_or(name, |(name, _)| name);
        name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}

fn set_style(style: &mut Style, token: &str) -> bool {
    let flag = match token {
        "+plain" => &mut style.plain,
        "+names" => &mut style.names,
        "+stop" => &mut style.stop,
        "+nodd" => &mut style.no_double_dash,
        "+go" => &mut style.go,
        "+words" => &mut style.words,
        "+stdin" => &mut style.stdin_is_code,
        "+at" => &mut style.at_files,
        "+raw" => &mut style.raw,
        _ => return false,
    };
    *flag = true;
    true
}

fn flag(name: &str, modes: Modes) -> Opt {
    let name = Word::Own(Arc::from(name));
    Opt { name, word: false, takes: Takes::Nothing, roles: [].into(), modes }
}

/// `cargo build|b`: every choice of every word.
fn paths<'l>(names: &[&'l str]) -> What<Vec<Vec<&'l str>>> {
    if names.is_empty() || names.len() > MAX_DEPTH {
        return Err(format!("a name has one to {MAX_DEPTH} words"));
    }
    let mut paths: Vec<Vec<&'l str>> = vec![Vec::new()];
    for choices in names {
        let mut longer = Vec::new();
        for path in &paths {
            for choice in choices.split('|').filter(|choice| !choice.is_empty()) {
                let mut path = path.clone();
                path.push(choice);
                longer.push(path);
            }
        }
        if longer.is_empty() || longer.len() > MAX_CHOICES {
            return Err(format!("`{}` names nothing, or too much", excerpt(choices)));
        }
        paths = longer;
    }
    Ok(paths)
}

fn unknown(kind: &str, text: &str) -> String {
    format!("`{}` is no {kind}", excerpt(text))
}

/// The most paths that one line may stand for.
const MAX_CHOICES: usize = 2048;
