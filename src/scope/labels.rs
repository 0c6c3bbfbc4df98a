//! Data classes that a scope gives to what is read.

use crate::action::{Effect, Kind, Target, token};
use crate::scope::compiled::{DataBuilder, DataGrants, MAX_LIST};
use crate::scope::descriptor::Labelled;
use crate::scope::error::{Problem, ScopeError};
use crate::scope::pattern::{Grants, GrantsBuilder, Place, Separator};

/// The most labels of one entry.
pub const MAX_LABELS_OF_ENTRY: usize = 16;

/// The compiled list `touch.labels`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ScopeLabels(Box<[Entry]>);

/// One entry. Its pattern is compiled as one that subtracts, so that it errs on the side of labelling: it
/// matches an entry and what that leads to where it is a link, all below either, and every set of names in
/// which one could match.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    data: DataGrants,
    memory: Grants,
    labels: Box<[Box<str>]>,
}

impl ScopeLabels {
    pub(super) fn compile(list: &[Labelled], place: Place<'_>) -> Result<Self, ScopeError> {
        if list.len() > MAX_LIST {
            return Err(ScopeError::new("touch.labels", Problem::TooMany(MAX_LIST)));
        }
        let entry = |(index, raw): (u16, &Labelled)| {
            let field = format!("touch.labels[{index}]");
            Entry::compile(raw, &field, index, place)
        };
        (0..).zip(list).map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// The labels of what `effect` reads.
    pub(crate) fn of<'a>(&'a self, effect: &'a Effect) -> impl Iterator<Item = &'a str> {
        let touched = self.0.iter().filter(|entry| entry.touches(effect));
        touched.flat_map(|entry| entry.labels.iter().map(AsRef::as_ref))
    }
}

impl Entry {
    fn compile(
        raw: &Labelled,
        field: &str,
        index: u16,
        place: Place<'_>,
    ) -> Result<Self, ScopeError> {
        let (mut data, mut memory) = (DataBuilder::default(), GrantsBuilder::default());
        let pattern = |error| ScopeError::new(format!("{field}.pattern"), error);
        if raw.pattern.starts_with('!') {
            return Err(pattern(Problem::Form("a pattern that does not begin with `!`")));
        }
        let pushed = match raw.pattern.strip_prefix("memory:") {
            Some(name) => memory.push(index, &format!("!{name}"), Separator::Slash),
            None => data.push(index, &format!("!{}", raw.pattern), place),
        };
        pushed.map_err(|error| pattern(error.into()))?;
        let labels = parse_labels(&raw.labels);
        let labels = labels.map_err(|problem| ScopeError::new(format!("{field}.labels"), problem));
        Ok(Self { data: data.finish(), memory: memory.finish(), labels: labels? })
    }

    fn touches(&self, effect: &Effect) -> bool {
        match (effect.kind(), effect.target()) {
            (Kind::ReadData | Kind::ExportData, target) => self.data.subtracts(target),
            (Kind::RecallMemory, Target::Memory(name)) => self.memory.subtracts(&**name, false),
            _ => false,
        }
    }
}

/// Reads a list of labels, which must be in their normal form.
fn parse_labels(raw: &[String]) -> Result<Box<[Box<str>]>, Problem> {
    if raw.is_empty() {
        return Err(Problem::Form("at least one label"));
    }
    if raw.len() > MAX_LABELS_OF_ENTRY {
        return Err(Problem::TooMany(MAX_LABELS_OF_ENTRY));
    }
    let label = |raw: &String| match token(raw) {
        Ok(label) if *label == **raw => Ok(label),
        _ => Err(Problem::Form("a label of lower-case letters, digits and `-_.:+`")),
    };
    raw.iter().map(label).collect()
}
