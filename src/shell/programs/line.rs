//! The table in memory: lines as they are written, and the trees that are searched.

use std::sync::Arc;

use super::role::Role;

/// A word of a line that deeds refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Known(&'static str),
    /// From a line of a host, and not in the built-in table.
    Own(Arc<str>),
}

impl Word {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Known(word) => word,
            Self::Own(word) => word,
        }
    }

    pub(super) fn known(&self) -> Option<&'static str> {
        match self {
            Self::Known(word) => Some(word),
            Self::Own(_) => None,
        }
    }
}

/// A set of modes: what options turn on and alternatives ask for.
pub(super) type Modes = u128;

/// The mode that makes operands recursive.
pub(super) const RECURSIVE: Modes = 1;

/// The modes that a method of HTTP turns on: `get` where it changes nothing, else `mutate`.
pub(super) const GET: Modes = 2;
pub(super) const MUTATE: Modes = 4;

/// What is overwritten is kept under another name.
pub(super) const BACKUP: Modes = 8;

/// Operands keep their directories where they are copied to.
pub(super) const PARENTS: Modes = 16;

/// Targets of symbolic links start at the working directory.
pub(super) const RELATIVE: Modes = 32;

/// Braces and brackets of URLs and of files that are sent mean themselves.
pub(super) const GLOBOFF: Modes = 64;

/// The names of the modes above.
pub(super) const MODES: [&str; 7] =
    ["rec", "get", "mutate", "bak", "parents", "relative", "globoff"];

/// One line: a program or a subcommand.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) path: Vec<Word>,
    pub(super) body: Arc<Body>,
}

/// What a line says, shared by all names that it is for.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) style: Style,
    /// The first needs no mode; the last whose modes are all on counts.
    pub(super) alternatives: Vec<Alternative>,
    pub(super) effects: Vec<Effect>,
    pub(super) options: Options,
    /// What stands behind `;;`: also for all subcommands.
    pub(super) inherited_effects: Vec<Effect>,
    pub(super) inherited: Options,
}

/// Options by name.
#[derive(Debug, Default)]
pub(super) struct Options {
    all: Vec<Opt>,
    /// `-a` and `+a` by their two bytes, sorted.
    short: Vec<([u8; 2], u16)>,
    /// The others, sorted by name.
    long: Vec<u16>,
    /// Those of `long` whose values are joined to the name, longest first.
    joined: Vec<u16>,
    pub(super) has_plus: bool,
    pub(super) has_recursive: bool,
}

impl Options {
    /// Of two options of one name the later counts.
    pub(super) fn new(all: Vec<Opt>) -> Self {
        let mut options = Self::default();
        for (at, option) in all.iter().enumerate() {
            let Ok(at) = u16::try_from(at) else { break };
            let name = option.name.as_str();
            match (name.as_bytes(), option.word) {
                ([sign, letter], false) => options.short.push(([*sign, *letter], at)),
                _ => options.long.push(at),
            }
            options.has_plus |= name.starts_with('+');
            options.has_recursive |= option.modes & RECURSIVE != 0;
        }
        let name = |at: &u16| all.get(usize::from(*at)).map_or("", |option| option.name.as_str());
        // Stable sorts of the reversed lists: the later of two comes first and is kept.
        options.short.reverse();
        options.short.sort_by_key(|(key, _)| *key);
        options.short.dedup_by_key(|(key, _)| *key);
        options.long.reverse();
        options.long.sort_by(|a, b| name(a).cmp(name(b)));
        options.long.dedup_by(|a, b| name(a) == name(b));
        let joins = |at: &u16| {
            all.get(usize::from(*at))
                .is_some_and(|option| matches!(option.takes, Takes::Joined | Takes::JoinedOrNext))
        };
        options.joined = options.long.iter().copied().filter(joins).collect();
        options.joined.sort_by_key(|at| std::cmp::Reverse(name(at).len()));
        options.all = all;
        options
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Opt> {
        self.all.iter()
    }

    fn get(&self, at: u16) -> Option<&Opt> {
        self.all.get(usize::from(at))
    }

    fn short(&self, key: [u8; 2]) -> Option<&Opt> {
        let at = self.short.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.get(self.short.get(at)?.1)
    }

    fn long(&self, name: &str) -> Option<&Opt> {
        let compare = |at: &u16| self.get(*at).map_or("", |option| option.name.as_str()).cmp(name);
        let at = self.long.binary_search_by(compare).ok()?;
        self.get(*self.long.get(at)?)
    }

    fn joined(&self, text: &str) -> Option<&Opt> {
        let all = self.joined.iter().filter_map(|at| self.get(*at));
        all.into_iter().find(|option| text.starts_with(option.name.as_str()))
    }
}

/// How a program reads its arguments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// No option can do more than the line says: text that is not known may be one.
    pub(super) plain: bool,
    /// No option that is a name without a slash does more than read below the working directory
    /// or make operands recursive: a glob may stand first.
    pub(super) names: bool,
    /// Options end at the first operand.
    pub(super) stop: bool,
    /// `--` means nothing special.
    pub(super) no_double_dash: bool,
    /// `-name` is one option, as is `-name=value`; `--name` is the same.
    pub(super) go: bool,
    /// `-name` is one option.
    pub(super) words: bool,
    /// The input is code.
    pub(super) stdin_is_code: bool,
    /// `-5`.
    pub(super) numbers: bool,
    /// Every argument is an operand.
    pub(super) raw: bool,
    /// `@file` stands for the options and operands in it.
    pub(super) at_files: bool,
}

/// What operands are in some mode, and what the program does besides.
#[derive(Debug, Clone, Default)]
pub(super) struct Alternative {
    pub(super) needs: Modes,
    pub(super) slots: Vec<Slot>,
    pub(super) effects: Vec<Effect>,
}

/// One or more operands in a row.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) roles: Box<[Role]>,
    pub(super) count: Count,
    /// Stands in where there is no operand.
    pub(super) default: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    One,
    Optional,
    Any,
    Several,
}

/// One spelling of an option.
#[derive(Debug, Clone)]
pub(super) struct Opt {
    pub(super) name: Word,
    /// It is no letter among others, however short it is.
    pub(super) word: bool,
    pub(super) takes: Takes,
    pub(super) roles: Arc<[Role]>,
    pub(super) modes: Modes,
}

/// Whether an option has a value, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    /// `-oV`, `-o V`, `--option=V`, `--option V`; `-name V` and, in Go style, `-name=V`.
    Required,
    /// `-oV`, `--option=V`, or none.
    Optional,
    /// `--option=V`.
    Equals,
    /// `-nameV`, where V may be empty.
    Joined,
    /// `-nameV` or `-name V`.
    JoinedOrNext,
}

/// What a program does whatever its operands are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Code,
    Foreign,
    Service(Word, u16),
    Remote(Word),
    Package(Word),
    Accelerator(Word),
    Privilege(Word),
    Identity(Word),
    Secret(Word),
    Infrastructure { provider: Word, verb: Word, resource: Word },
    Publish { place: Word, public: bool },
    Message(Word),
    Job(Word),
    Read { path: Box<str>, recursive: bool },
    Write { path: Box<str>, recursive: bool },
    Delete { path: Box<str>, recursive: bool },
    Create { path: Box<str> },
    Listen(Option<u16>),
    Method(Word),
    Opaque,
}

/// A program or a subcommand with those below it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Word,
    pub(super) style: Style,
    pub(super) body: Arc<Body>,
    /// The lines above it, whose inherited parts count here too.
    above: Option<Arc<Above>>,
    pub(super) has_plus: bool,
    pub(super) children: Entries,
}

/// Programs or subcommands, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// The first bytes of each name: the search stays in few cache lines.
    keys: Box<[u64]>,
    all: Box<[Entry]>,
}

impl Entries {
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        let key = first_bytes(name);
        let start = self.keys.partition_point(|known| *known < key);
        let same = self.keys.get(start..)?.iter().take_while(|known| **known == key).count();
        let group = self.all.get(start..start + same)?;
        group.iter().find(|entry| entry.name.as_str() == name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.all.iter()
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut all: Vec<Entry> = entries.into_iter().collect();
        all.sort_by_key(|entry| first_bytes(entry.name.as_str()));
        let keys = all.iter().map(|entry| first_bytes(entry.name.as_str())).collect();
        Self { keys, all: all.into() }
    }
}

fn first_bytes(name: &str) -> u64 {
    let mut bytes = [0; 8];
    for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    u64::from_be_bytes(bytes)
}

#[derive(Debug)]
struct Above {
    body: Arc<Body>,
    above: Option<Arc<Above>>,
}

impl Entry {
    /// Finds an option by its whole spelling.
    pub(super) fn option(&self, name: &str) -> Option<&Opt> {
        let own = match name.as_bytes() {
            [sign, letter] => self.letter([*sign, *letter]),
            _ => None,
        };
        own.or_else(|| self.levels().find_map(|options| options.long(name)))
    }

    /// Finds `-a` or `+a`.
    pub(super) fn letter(&self, key: [u8; 2]) -> Option<&Opt> {
        self.levels().find_map(|options| options.short(key))
    }

    /// Finds the option that `text` begins with, where values may be joined to names.
    pub(super) fn joined(&self, text: &str) -> Option<&Opt> {
        self.levels().find_map(|options| options.joined(text))
    }

    pub(super) fn has_recursive(&self) -> bool {
        self.levels().any(|options| options.has_recursive)
    }

    /// The line's own options, then those that lines above hand down, nearest first.
    fn levels(&self) -> impl Iterator<Item = &Options> {
        [&self.body.options, &self.body.inherited]
            .into_iter()
            .chain(self.bodies_above().map(|body| &body.inherited))
    }

    /// What the program does in any case: what lines above say, then this one.
    pub(super) fn effects(&self) -> impl Iterator<Item = &Effect> {
        let own = self.body.effects.iter().chain(&self.body.inherited_effects);
        own.chain(self.bodies_above().flat_map(|body| &body.inherited_effects))
    }

    fn bodies_above(&self) -> impl Iterator<Item = &Body> {
        let first = self.above.as_deref();
        std::iter::successors(first, |above| above.above.as_deref()).map(|above| &*above.body)
    }

    /// The alternative that counts where `modes` are on.
    pub(super) fn alternative(&self, modes: Modes) -> Option<&Alternative> {
        self.body.alternatives.iter().rev().find(|alternative| alternative.needs & !modes == 0)
    }
}

impl Line {
    fn word(&self, depth: usize) -> Option<&str> {
        self.path.get(depth).map(Word::as_str)
    }
}

/// Makes trees of lines; of two lines for the same path the later counts.
pub(super) fn build(lines: Vec<Line>) -> Entries {
    let mut sorted: Vec<Line> = Vec::with_capacity(lines.len());
    let mut all = lines;
    all.sort_by(|a, b| a.path.iter().map(Word::as_str).cmp(b.path.iter().map(Word::as_str)));
    for line in all {
        match sorted.last_mut() {
            Some(last)
                if last.path.iter().map(Word::as_str).eq(line.path.iter().map(Word::as_str)) =>
            {
                *last = line
            }
            _ => sorted.push(line),
        }
    }
    let empty = Arc::new(Body { alternatives: vec![Alternative::default()], ..Body::default() });
    level(&sorted, 0, None, Style::default(), &empty)
}

/// `lines` are sorted and share their first `depth` words. Paths have at most [`MAX_DEPTH`] words.
fn level(
    lines: &[Line],
    depth: usize,
    above: Option<&Arc<Above>>,
    parent: Style,
    empty: &Arc<Body>,
) -> Entries {
    if depth >= MAX_DEPTH {
        return Entries::default();
    }
    let same = |a: &Line, b: &Line| a.word(depth) == b.word(depth);
    let entry = |group: &[Line]| {
        let first = group.first()?;
        let own = (first.path.len() == depth + 1).then_some(first);
        let below = if own.is_some() { group.get(1..).unwrap_or_default() } else { group };
        let body = own.map_or(empty, |line| &line.body).clone();
        let mut style = body.style;
        style.go |= parent.go;
        style.words |= parent.words;
        style.no_double_dash |= parent.no_double_dash;
        let handed_down = Arc::new(Above { body: body.clone(), above: above.cloned() });
        let children = level(below, depth + 1, Some(&handed_down), style, empty);
        let mut entry = Entry {
            name: first.path.get(depth)?.clone(),
            style,
            body,
            above: above.cloned(),
            has_plus: false,
            children,
        };
        let has_plus = entry.levels().any(|options| options.has_plus);
        entry.has_plus = has_plus;
        Some(entry)
    };
    lines.chunk_by(same).filter_map(entry).collect()
}

/// The most words that name a subcommand, its program included.
pub(super) const MAX_DEPTH: usize = 5;
