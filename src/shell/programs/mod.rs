//! What programs do with their arguments, as data.
//!
//! `programs.txt` describes one program or subcommand a line; its head explains the format. A line
//! says which options exist, which of them take a value, and what every value and operand is: a
//! file that is read, a host, a command, text. What no line mentions is opaque: unknown options,
//! abbreviations of long options, unknown subcommands, operands too many or too few.
//!
//! Programs whose arguments are a language of their own (`find`, `sed`, `git`) are not in the
//! table; they need code.

mod example;
mod format;
mod line;
mod read;
mod role;
mod source;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::shell::deed::{Deed, Invocation, Text};

pub use format::ProgramsError;
use line::{Entries, Entry};
pub(crate) use role::is_setuid;
use source::Source;

/// The programs that are understood, and what they do with their arguments.
///
/// Cheap to clone. A host adds its own programs with [`extended`](Self::extended).
#[derive(Clone)]
pub struct Programs {
    table: Arc<HashMap<Box<str>, Arc<Program>>>,
}

/// A program, whose lines are read when it is first asked for.
#[derive(Debug, Default)]
struct Program {
    lines: Vec<(Arc<Source>, usize)>,
    entry: OnceLock<Entries>,
}

impl Programs {
    /// Returns the programs that this library describes.
    #[must_use]
    pub fn built_in() -> Self {
        static BUILT_IN: OnceLock<Programs> = OnceLock::new();
        BUILT_IN
            .get_or_init(|| {
                let mut table = HashMap::with_capacity(4096);
                add(&mut table, &Arc::new(Source::new(Cow::Borrowed(BUILT_IN_LINES))));
                Self { table: Arc::new(table) }
            })
            .clone()
    }

    /// Adds lines in the format of `programs.txt`.
    ///
    /// A line replaces the one that described the same program or subcommand before; other
    /// subcommands of the program stay. Examples in `lines` are checked.
    ///
    /// # Errors
    ///
    /// Returns [`ProgramsError`] with the number of the first line that has a mistake or whose
    /// example does not hold.
    ///
    /// # Security
    ///
    /// What a line does not say the program does, nobody else checks. An option that runs a
    /// program, writes a file or connects must be listed with that role or left out; left out, it
    /// is denied.
    pub fn extended(&self, lines: &str) -> Result<Self, ProgramsError> {
        let source = Arc::new(Source::new(Cow::Owned(lines.to_owned())));
        let (_, mistakes) = format::read(&source, 0..source.len(), None, &mut Vec::new());
        if let Some(mistake) = mistakes.into_iter().next() {
            return Err(mistake);
        }
        let mut table = HashMap::clone(&self.table);
        add(&mut table, &source);
        let extended = Self { table: Arc::new(table) };
        example::check_all(&extended, lines)?;
        Ok(extended)
    }

    /// Returns how many programs are described, subcommands not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Reports whether no program is described.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Reports whether the table describes a program of this name.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Pushes everything that the command would do, or returns false where the program is unknown.
    pub(crate) fn deeds<'s>(
        &self,
        invocation: &Invocation<'_, 's>,
        out: &mut Vec<Deed<'s>>,
    ) -> bool {
        let Some(entry) = self.entry(invocation.name) else {
            return false;
        };
        if !asks_gh_for_help(invocation, entry) {
            read::deeds(entry, invocation, out);
        }
        true
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.table.get(name)?.entries(name).find(name)
    }
}

/// Whether the line is `gh GROUP [COMMAND] --help`: behind no other option it is no value of one.
/// What the table does not list may be an alias or an extension, which runs.
fn asks_gh_for_help(invocation: &Invocation<'_, '_>, entry: &Entry) -> bool {
    let Some((last, words)) = invocation.arguments.split_last() else { return false };
    let mut all = words.iter().map(Text::literal);
    invocation.name == "gh"
        && (1..=2).contains(&words.len())
        && last.literal() == Some("--help")
        && entry.children.find(all.next().flatten().unwrap_or_default()).is_some()
        && all.all(|word| word.is_some_and(|word| word.bytes().all(|b| b.is_ascii_lowercase())))
}

impl Program {
    /// A line with a mistake is left out, which makes what it describes unknown; hosts are told of
    /// theirs, and a unit test asserts that the built-in ones have none.
    fn entries(&self, name: &str) -> &Entries {
        self.entry.get_or_init(|| {
            let mut modes = Vec::new();
            let mut all = Vec::new();
            for part in self.lines.chunk_by(|(a, _), (b, _)| Arc::ptr_eq(a, b)) {
                let Some((source, _)) = part.first() else { continue };
                let lines = part.iter().map(|(_, at)| *at);
                all.append(&mut format::read(source, lines, Some(name), &mut modes).0);
            }
            line::build(all)
        })
    }
}

/// Notes which programs the lines of a source are for, behind what others say of them.
fn add(table: &mut HashMap<Box<str>, Arc<Program>>, source: &Arc<Source>) {
    for (at, name) in source.programs() {
        let program = match table.get_mut(name) {
            Some(known) => known,
            None => table.entry(name.into()).or_default(),
        };
        match Arc::get_mut(program).filter(|own| own.entry.get().is_none()) {
            Some(own) => own.lines.push((source.clone(), at)),
            None => {
                let mut lines = program.lines.clone();
                lines.push((source.clone(), at));
                *program = Arc::new(Program { lines, entry: OnceLock::new() });
            }
        }
    }
}

impl std::fmt::Debug for Programs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Programs").field("len", &self.len()).finish_non_exhaustive()
    }
}

const BUILT_IN_LINES: &str = include_str!("../programs.txt");
