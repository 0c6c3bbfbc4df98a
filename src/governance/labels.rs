//! Labels: the data classes that a session has touched.
//!
//! They stick. A label gets there when a call that touches it is allowed, and never falls off the record;
//! one that was declassified is not shown to policies until it is touched again.

use std::borrow::Cow;

use crate::action::{Effect, Fact, Kind, TextSet};
use crate::policy::Snapshot;
use crate::receipt::MAX_LABELS;
use crate::scope::CompiledScope;

/// The labels of one session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Labels {
    /// Sorted; only grows.
    touched: Vec<Box<str>>,
    /// Sorted; INVARIANT: part of `touched`.
    declassified: Vec<Box<str>>,
    /// Sorted: `touched` without `declassified`.
    seen: Vec<Box<str>>,
    /// How many times there was more to see than before.
    changes: u64,
    /// Those that are taken from `seen` once that is on record, each with the number of who does so.
    leaving: Vec<(Box<str>, u64)>,
    /// How many began to leave.
    left: u64,
}

impl Labels {
    /// Takes what a receipt or facts say; none where `declassified` has something that was not touched, a
    /// list does not ascend, or there are too many.
    pub(crate) fn of(touched: Vec<Box<str>>, declassified: Vec<Box<str>>) -> Option<Self> {
        let ascends = |list: &[Box<str>]| list.is_sorted_by(|one, other| one < other);
        let known = |list: &[Box<str>], label: &str| {
            list.binary_search_by(|known| (**known).cmp(label)).is_ok()
        };
        let fits = touched.len() <= MAX_LABELS
            && ascends(&touched)
            && ascends(&declassified)
            && declassified.iter().all(|label| known(&touched, label));
        let seen = touched.iter().filter(|label| !known(&declassified, label)).cloned().collect();
        fits.then_some(Self { touched, declassified, seen, ..Self::default() })
    }

    /// Everything that was ever touched, as receipts carry it.
    pub(crate) fn touched(&self) -> &[Box<str>] {
        &self.touched
    }

    /// What was declassified and not touched since, as facts carry it.
    pub(crate) fn declassified(&self) -> &[Box<str>] {
        &self.declassified
    }

    /// What policies see.
    pub(crate) fn seen(&self) -> &[Box<str>] {
        &self.seen
    }

    /// How many times there was more to see than before. A permit that was given out with fewer is void.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Tells whether there is no room for another label. What is touched then could not be named any more, and so
    /// nothing is allowed to a session whose labels are full.
    pub(crate) const fn are_full(&self) -> bool {
        self.touched.len() >= MAX_LABELS
    }

    /// Notes that `label` was touched, which brings back a declassified one; false when the labels are full.
    pub(crate) fn touch(&mut self, label: &str) -> bool {
        let find = |list: &[Box<str>]| list.binary_search_by(|known| (**known).cmp(label));
        // What is touched now is not what people looked at.
        self.leaving.retain(|(leaving, _)| **leaving != *label);
        let Err(unseen) = find(&self.seen) else { return !self.are_full() };
        match find(&self.touched) {
            Err(_) if self.are_full() => return false,
            Err(at) => self.touched.insert(at, label.into()),
            Ok(_) => {
                if let Ok(at) = find(&self.declassified) {
                    self.declassified.remove(at);
                }
            }
        }
        self.seen.insert(unseen, label.into());
        self.changes = self.changes.saturating_add(1);
        !self.are_full()
    }

    /// Begins to take `label` from what policies see; none when they do not see it. Who may do that is the
    /// caller's. It [is taken](Self::declassify) once that is on record, unless it is touched before.
    pub(crate) fn leave(&mut self, label: &str) -> Option<u64> {
        self.seen.binary_search_by(|known| (**known).cmp(label)).ok()?;
        self.left = self.left.saturating_add(1);
        self.leaving.retain(|(leaving, _)| **leaving != *label);
        self.leaving.push((label.into(), self.left));
        Some(self.left)
    }

    /// Takes the label that began to leave under `number` from what policies see, until it is touched again.
    pub(crate) fn declassify(&mut self, number: u64) {
        let Some(place) = self.leaving.iter().position(|(_, own)| *own == number) else { return };
        let (label, _) = self.leaving.swap_remove(place);
        let find = |list: &[Box<str>]| list.binary_search(&label);
        let Ok(at) = find(&self.seen) else { return };
        let label = self.seen.remove(at);
        if let Err(at) = self.declassified.binary_search(&label) {
            self.declassified.insert(at, label);
        }
    }

    /// What the labels are once `effects` are allowed.
    pub(crate) fn with<'a>(
        &self,
        sources: Sources<'_>,
        effects: impl Iterator<Item = &'a Effect>,
    ) -> After {
        let mut labels = Cow::Borrowed(self);
        let mut room = true;
        for effect in effects {
            sources.each(effect, |label| {
                let seen = labels.seen.binary_search_by(|known| (**known).cmp(label)).is_ok();
                if !seen || labels.leaving.iter().any(|(leaving, _)| **leaving == *label) {
                    room &= labels.to_mut().touch(label);
                }
            });
        }
        match labels {
            Cow::Borrowed(_) => After::Same,
            Cow::Owned(labels) if room => After::More(labels),
            Cow::Owned(labels) => After::Full(labels),
        }
    }
}

/// What the labels of a session are after a call, if it is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum After {
    /// What they were.
    Same,
    /// There are more.
    More(Labels),
    /// They would be full, which denies the call. Where it runs all the same, these stick.
    Full(Labels),
}

impl After {
    /// The labels after a call that began with `before` and runs.
    pub(crate) const fn labels<'a>(&'a self, before: &'a Labels) -> &'a Labels {
        match self {
            Self::Same => before,
            Self::More(labels) | Self::Full(labels) => labels,
        }
    }

    /// Those that are new.
    pub(crate) fn into_new(self) -> Option<Labels> {
        match self {
            Self::Same => None,
            Self::More(labels) | Self::Full(labels) => Some(labels),
        }
    }
}

/// Where labels come from: the action says them, the scope gives them to data, the bundle to kinds and tools.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// The scope of the session.
    pub(crate) own: &'a CompiledScope,
    /// Those above it, which label what a delegate reads too.
    pub(crate) above: &'a [&'a CompiledScope],
    pub(crate) snapshot: &'a Snapshot,
}

impl Sources<'_> {
    /// Calls `found` with each label that `effect` touches; some may come twice.
    fn each(&self, effect: &Effect, mut found: impl FnMut(&str)) {
        let classes = match (effect.kind(), effect.facts().fact("classes")) {
            (Kind::ReadData | Kind::ExportData, Some(Fact::TextSet(classes))) => Some(classes),
            _ => None,
        };
        classes.into_iter().flat_map(TextSet::iter).for_each(&mut found);
        for scope in self.above.iter().chain([&self.own]) {
            scope.labels_of(effect).for_each(&mut found);
        }
        self.snapshot.labels_of(effect).for_each(&mut found);
    }

    /// Returns all that `effects` touch.
    pub(crate) fn touched<'a>(self, effects: impl Iterator<Item = &'a Effect>) -> Vec<Box<str>> {
        let mut touched = Vec::new();
        effects.for_each(|effect| self.each(effect, |label| touched.push(label.into())));
        touched
    }

    /// Tells whether `effect` touches something that has labels.
    pub(crate) fn touches(&self, effect: &Effect) -> bool {
        let mut any = false;
        self.each(effect, |_| any = true);
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(labels: &[&str]) -> Vec<Box<str>> {
        labels.iter().map(|label| Box::from(*label)).collect()
    }

    fn texts(labels: &[Box<str>]) -> String {
        labels.join(" ")
    }

    #[test]
    fn a_declassified_label_stays_on_record_and_comes_back_when_it_is_touched() {
        let mut labels = Labels::default();
        assert!(labels.touch("secret") && labels.touch("personal") && labels.touch("secret"));
        assert_eq!((texts(labels.seen()).as_str(), labels.changes()), ("personal secret", 2));
        assert_eq!(labels.leave("other"), None);
        let first = labels.leave("secret").unwrap();
        assert_eq!(texts(labels.seen()), "personal secret", "it is not on record");
        // Touched before it left, it stays; and who came first takes nothing for who comes later.
        assert!(labels.touch("secret"));
        labels.declassify(first);
        assert_eq!(texts(labels.seen()), "personal secret");
        let (first, second) = (labels.leave("secret").unwrap(), labels.leave("secret").unwrap());
        labels.declassify(first);
        assert_eq!(texts(labels.seen()), "personal secret");
        labels.declassify(second);
        labels.declassify(second);
        assert_eq!(labels.leave("secret"), None);
        assert_eq!(texts(labels.seen()), "personal");
        assert_eq!(texts(labels.touched()), "personal secret");
        assert_eq!(texts(labels.declassified()), "secret");
        assert_eq!(labels.changes(), 2, "less to see voids no permit");
        assert!(labels.touch("secret"));
        assert_eq!(texts(labels.seen()), "personal secret");
        assert_eq!(texts(labels.declassified()), "");
        assert_eq!(labels.changes(), 3);
    }

    #[test]
    fn what_is_on_record_is_taken_as_it_is_or_not_at_all() {
        let of = |touched: &[&str], declassified: &[&str]| {
            Labels::of(boxed(touched), boxed(declassified))
        };
        assert_eq!(texts(of(&["a", "b", "c"], &["b"]).unwrap().seen()), "a c");
        assert_eq!(of(&["b", "a"], &[]), None);
        assert_eq!(of(&["a", "a"], &[]), None);
        assert_eq!(of(&["a", "b"], &["b", "a"]), None);
        assert_eq!(of(&["a"], &["b"]), None);
        let many: Vec<Box<str>> = (0..=MAX_LABELS).map(|n| format!("l{n:03}").into()).collect();
        assert_eq!(Labels::of(many.clone(), Vec::new()), None);
        let mut labels = Labels::of(many[..MAX_LABELS - 1].to_vec(), Vec::new()).unwrap();
        assert!(labels.touch("l000") && !labels.are_full());
        let number = labels.leave("l001").unwrap();
        labels.declassify(number);
        assert!(!labels.touch("new") && labels.are_full());
        assert!(!labels.touch("newer") && !labels.touch("l000") && !labels.touch("l001"));
        assert!(labels.seen().contains(&"new".into()) && labels.seen().contains(&"l001".into()));
        assert_eq!((labels.touched().len(), labels.seen()), (MAX_LABELS, labels.touched()));
    }
}
