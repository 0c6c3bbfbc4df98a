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
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use crate::shell::deed::{Deed, Invocation};

pub use format::ProgramsError;
use line::{Entries, Line};

/// The programs that are understood, and what they do with their arguments.
///
/// Cheap to clone. A host adds its own programs with [`extended`](Self::extended).
#[derive(Clone)]
pub struct Programs {
    table: Arc<Table>,
}

struct Table {
    /// By path: program, subcommand, subcommand of that.
    lines: Vec<Line>,
    /// The same as trees, sorted by name.
    entries: Entries,
}

impl Programs {
    /// Returns the programs that this library describes.
    #[must_use]
    pub fn built_in() -> Self {
        static BUILT_IN: OnceLock<Programs> = OnceLock::new();
        BUILT_IN
            .get_or_init(|| {
                // A line with a mistake is left out, which makes its program unknown; a unit test
                // asserts that there is none.
                let (lines, _) =
                    format::parse(BUILT_IN_LINES, line::Word::Known, line::Word::Known);
                Self::of(lines)
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
        let known = |word: &str| self.word(word);
        let own = |name: &str| line::Word::Own(Arc::from(name));
        let (added, mistakes) = format::parse(lines, own, known);
        if let Some(mistake) = mistakes.into_iter().next() {
            return Err(mistake);
        }
        let mut all = self.table.lines.clone();
        all.extend(added);
        let extended = Self::of(all);
        example::check_all(&extended, lines)?;
        Ok(extended)
    }

    /// Returns how many programs are described, subcommands not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.entries.len()
    }

    /// Reports whether no program is described.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.entries.is_empty()
    }

    /// Reports whether the table describes a program of this name.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.table.entries.find(name).is_some()
    }

    /// Pushes everything that the command would do, or returns false where the program is unknown.
    pub(crate) fn deeds<'s>(
        &self,
        invocation: &Invocation<'_, 's>,
        out: &mut Vec<Deed<'s>>,
    ) -> bool {
        let Some(entry) = self.table.entries.find(invocation.name) else {
            return false;
        };
        read::deeds(entry, invocation, out);
        true
    }

    fn of(lines: Vec<Line>) -> Self {
        let (lines, entries) = line::build(lines);
        Self { table: Arc::new(Table { lines, entries }) }
    }

    /// Finds a word of the built-in table, so that lines of a host need not live forever.
    fn word(&self, word: &str) -> line::Word {
        let known = self.table.lines.iter().flat_map(Line::words).find(|known| *known == word);
        known.map_or_else(|| line::Word::Own(Arc::from(word)), line::Word::Known)
    }
}

impl std::fmt::Debug for Programs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Programs").field("len", &self.len()).finish_non_exhaustive()
    }
}

const BUILT_IN_LINES: &str = include_str!("../programs.txt");
