//! What is stored together or not at all.

use super::commitment::Opening;
use super::line::Line;

/// Lines that must be stored as one, in order, with the openings of their commitments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// The lines.
    pub lines: Vec<Line>,
    /// The openings, which belong to another place than the lines.
    pub openings: Vec<Opening>,
}

impl Group {
    /// Puts `lines` together.
    #[must_use]
    pub fn new(lines: Vec<Line>, openings: Vec<Opening>) -> Self {
        Self { lines, openings }
    }

    /// Appends the lines, each with its line end, to `out`.
    pub fn write_ndjson(&self, out: &mut String) {
        out.reserve(self.lines.iter().map(|line| line.as_str().len() + 1).sum());
        for line in &self.lines {
            out.push_str(line.as_str());
            out.push('\n');
        }
    }
}

impl From<Line> for Group {
    fn from(line: Line) -> Self {
        Self { lines: vec![line], openings: Vec::new() }
    }
}
