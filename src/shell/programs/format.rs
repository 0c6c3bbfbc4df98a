//! Reads the lines of `programs.txt`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::text::excerpt;

use super::line::{
    Alternative, Body, Count, Effect, Line, MAX_DEPTH, MODES, Modes, Opt, Options, RECURSIVE, Slot,
    Style, Takes, Word,
};
use super::role::Role;
use super::source::Source;

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

/// Reads those of a source's lines that are for `program`, or for any; those with a mistake are left
/// out and told. `modes` are those of the lines that these are added to, as subcommands share them
/// with what stands above.
pub(super) fn read(
    source: &Source,
    lines: impl IntoIterator<Item = usize>,
    program: Option<&str>,
    modes: &mut Vec<Box<str>>,
) -> (Vec<Line>, Vec<ProgramsError>) {
    match source.text() {
        Cow::Borrowed(text) => {
            let known = |word: &'static str| Word::Known(word);
            read_as(source, text, lines, program, modes, &known)
        }
        Cow::Owned(text) => {
            // Words that deeds refer to live forever: those of the built-in lines do.
            let own = |word: &str| {
                let built_in = super::BUILT_IN_LINES;
                let at = built_in.find(word);
                let known = at.and_then(|at| built_in.get(at..at + word.len()));
                known.map_or_else(|| Word::Own(Arc::from(word)), Word::Known)
            };
            read_as(source, text, lines, program, modes, &own)
        }
    }
}

fn read_as<'l>(
    source: &Source,
    text: &'l str,
    lines: impl IntoIterator<Item = usize>,
    program: Option<&str>,
    modes: &mut Vec<Box<str>>,
    word: &dyn Fn(&'l str) -> Word,
) -> (Vec<Line>, Vec<ProgramsError>) {
    if modes.is_empty() {
        modes.extend(MODES.map(Into::into));
    }
    let mut reader =
        Reader { source, text, program, values: HashMap::new(), no_value: [].into(), modes, word };
    let mut read = Vec::new();
    let mut mistakes = Vec::new();
    for at in lines {
        match reader.line(at) {
            Ok(mut lines) => read.append(&mut lines),
            Err(what) => mistakes.push(ProgramsError::new(source.number(at), what)),
        }
    }
    (read, mistakes)
}

struct Reader<'l, 'w> {
    source: &'w Source,
    text: &'l str,
    /// The program whose lines are wanted.
    program: Option<&'w str>,
    /// The roles of values by how they are written, as most are written often.
    values: HashMap<&'l str, Arc<[Role]>>,
    no_value: Arc<[Role]>,
    /// Names of modes; the place is the bit.
    modes: &'w mut Vec<Box<str>>,
    /// Keeps a word.
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
    fn line(&mut self, at: usize) -> What<Vec<Line>> {
        let mut tokens = Vec::new();
        for token in self.source.tokens(self.text, at) {
            self.expand(token, &mut tokens, 0)?;
        }
        if tokens.first().is_some_and(|first| first.starts_with('@')) {
            return Ok(Vec::new());
        }
        let head = tokens.iter().position(|token| matches!(*token, ":" | ";" | ";;"));
        let (names, rest) =
            tokens.split_at_checked(head.unwrap_or(tokens.len())).unwrap_or_default();
        let body = Arc::new(self.body(rest)?);
        let paths = paths(names, self.program)?;
        let line = |path: Vec<&'l str>| {
            let path = path.into_iter().map(|word| (self.word)(word)).collect();
            Line { path, body: body.clone() }
        };
        Ok(paths.into_iter().map(line).collect())
    }

    /// `@name` stands for words of which some may be such names again.
    fn expand(&self, token: &'l str, out: &mut Vec<&'l str>, depth: usize) -> What<()> {
        // The first word is the line's own name.
        if !token.starts_with('@') || out.is_empty() {
            out.push(token);
            return Ok(());
        }
        let group = self.source.group(self.text, token).filter(|_| depth < MAX_DEPTH);
        for token in group.ok_or_else(|| unknown("group", token))? {
            self.expand(token, out, depth + 1)?;
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
                        into.extend(both.map(|name| self.flag(name, 0)));
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
        let roles = match (takes, self.values.get(roles)) {
            (Takes::Nothing, _) => self.no_value.clone(),
            (_, Some(known)) => known.clone(),
            _ => {
                let parsed: Arc<[Role]> = self.roles(roles)?.into();
                self.values.insert(roles, parsed.clone());
                parsed
            }
        };
        let one_word = style.go || style.words;
        for name in names.split(',') {
            if !name.starts_with(['-', '+']) || name.len() < 2 && takes != Takes::Joined {
                return Err(unknown("option", token));
            }
            if one_word || name.starts_with("--") || name.len() <= 2 {
                let word = one_word;
                let name = (self.word)(name);
                out.push(Opt { name, word, takes, roles: roles.clone(), modes });
                continue;
            }
            if takes != Takes::Nothing {
                return Err(format!("`{}` is a cluster and has a value", excerpt(name)));
            }
            let letters = if name.starts_with('+') { PLUS_LETTERS } else { MINUS_LETTERS };
            for letter in name.bytes().skip(1) {
                let at = usize::from(letter).checked_sub(usize::from(b' ')).map(|at| at * 2);
                let spelled = at.and_then(|at| letters.get(at..at + 2));
                let spelled = spelled.ok_or_else(|| unknown("option", token))?;
                out.push(self.flag(spelled, modes));
            }
        }
        Ok(())
    }

    fn flag(&self, name: &'static str, modes: Modes) -> Opt {
        let (name, roles) = (Word::Known(name), self.no_value.clone());
        Opt { name, word: false, takes: Takes::Nothing, roles, modes }
    }

    fn modes(&mut self, names: &'l str) -> What<Modes> {
        let mut modes = 0;
        for name in names.split(',') {
            let at = match self.modes.iter().position(|known| **known == *name) {
                Some(at) => at,
                None => {
                    self.modes.push(name.into());
                    self.modes.len() - 1
                }
            };
            modes |= u32::try_from(at)
                .ok()
                .and_then(|at| RECURSIVE.checked_shl(at))
                .ok_or("more than 128 modes")?;
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

/// `cargo build|b`: every choice of every word.
fn paths<'l>(names: &[&'l str], program: Option<&str>) -> What<Vec<Vec<&'l str>>> {
    if names.is_empty() || names.len() > MAX_DEPTH {
        return Err(format!("a name has one to {MAX_DEPTH} words"));
    }
    let mut paths: Vec<Vec<&'l str>> = vec![Vec::new()];
    for choices in names {
        let mut longer = Vec::new();
        for path in &paths {
            let wanted = |choice: &&str| {
                !choice.is_empty()
                    && (!path.is_empty() || program.is_none_or(|name| name == *choice))
            };
            for choice in choices.split('|').filter(wanted) {
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

/// One flag for each visible character, in the order of ASCII from the blank on.
const MINUS_LETTERS: &str = concat!(
    "- -!-\"-#-$-%-&-'-(-)-*-+-,---.-/-0-1-2-3-4-5-6-7-8-9-:-;-<-=->-?-@-A-B-C-D-E-F-G",
    "-H-I-J-K-L-M-N-O-P-Q-R-S-T-U-V-W-X-Y-Z-[-\\-]-^-_-`-a-b-c-d-e-f-g-h-i-j-k-l-m-n-o",
    "-p-q-r-s-t-u-v-w-x-y-z-{-|-}-~",
);
const PLUS_LETTERS: &str = concat!(
    "+ +!+\"+#+$+%+&+'+(+)+*+++,+-+.+/+0+1+2+3+4+5+6+7+8+9+:+;+<+=+>+?+@+A+B+C+D+E+F+G",
    "+H+I+J+K+L+M+N+O+P+Q+R+S+T+U+V+W+X+Y+Z+[+\\+]+^+_+`+a+b+c+d+e+f+g+h+i+j+k+l+m+n+o",
    "+p+q+r+s+t+u+v+w+x+y+z+{+|+}+~",
);
