//! The names that a line itself brings about: what lies there is not known before it runs.

use crate::action::path::ResolvedPath;
use crate::shell::walk::Step;

/// How an effect gets to a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The name itself: what it links to stays.
    Itself,
    /// Through it, if it is a link.
    Through,
    /// Through whatever a pattern finds.
    Names,
}

/// A name, and when it is there.
struct Name {
    path: ResolvedPath,
    since: u32,
    command: u32,
    /// Whether the name itself may be a link, not only what lies below it.
    link: bool,
}

impl Name {
    /// Whether it is created before `step`, or beside it.
    fn meets(&self, step: &Step) -> bool {
        step.command >= self.since && step.command != self.command
    }
}

/// All names that a line creates.
#[derive(Default)]
pub(super) struct Created {
    // INVARIANT: sorted by path and `since` once all have been noted.
    names: Vec<Name>,
}

impl Created {
    /// Notes that `step` creates `path`.
    pub(super) fn note(&mut self, step: &Step, path: ResolvedPath, link: bool) {
        self.names.push(Name { path, since: step.since, command: step.command, link });
    }

    /// Ends the noting.
    pub(super) fn sort(&mut self) {
        let key = |name: &Name, other: &Name| {
            (name.path.as_str(), name.since).cmp(&(other.path.as_str(), other.since))
        };
        self.names.sort_unstable_by(key);
    }

    /// Whether the line creates what `path` goes through, before `step` or beside it.
    pub(super) fn lies_on(&self, path: &ResolvedPath, step: &Step, reach: Reach) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let path = path.as_str();
        let itself = || reach != Reach::Itself && self.is_at(path, step, |name| name.link);
        // Behind each slash something lies below what stands before it: the root, or a name.
        let mut above = path.match_indices('/').filter_map(|(at, _)| path.get(..at.max(1)));
        above.any(|above| self.is_at(above, step, |_| true))
            || itself()
            || (reach == Reach::Names && self.is_below(path, step))
    }

    fn is_at(&self, path: &str, step: &Step, fits: impl Fn(&Name) -> bool) -> bool {
        let first = self.names.partition_point(|name| name.path.as_str() < path);
        let here = self.names.iter().skip(first);
        let mut here = here.take_while(|name| name.path.as_str() == path);
        here.any(|name| name.meets(step) && fits(name))
    }

    /// Whether a pattern can find what was created: it lies below `directory`.
    fn is_below(&self, directory: &str, step: &Step) -> bool {
        let directory = directory.trim_end_matches('/');
        let start = || directory.bytes().chain([b'/']);
        let first = self.names.partition_point(|name| name.path.as_str().bytes().lt(start()));
        let below = |name: &&Name| {
            name.path.as_str().strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
        };
        self.names.iter().skip(first).take_while(below).any(|name| name.meets(step))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::action::path::{PurePaths, resolve_absolute};
    use crate::shell::syntax::Span;
    use crate::shell::walk::What;

    const PATHS: [&str; 9] = ["/", "/a", "/a/b", "/a/b/c", "/a/bc", "/a-b", "/a.b/c", "/ab", "/b"];

    fn path(text: &str) -> ResolvedPath {
        resolve_absolute(&PurePaths::new(), text).unwrap()
    }

    fn step(since: u32, command: u32) -> Step {
        let place = crate::shell::deed::Text::default();
        let what = What::Names { place };
        Step { what, places: Arc::from([]), span: Span::default(), command, since }
    }

    /// Whether `below` is `directory` or lies below it, and whether it is the same.
    fn relation(below: &str, directory: &str) -> (bool, bool) {
        let inside = below.strip_prefix(directory.trim_end_matches('/'));
        let inside = inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        (inside, below == directory && below != "/")
    }

    #[test]
    fn what_is_looked_up_is_what_comparing_with_each_name_finds() {
        for links in [false, true] {
            for (one, two) in PATHS.iter().flat_map(|one| PATHS.map(|two| (*one, two))) {
                let mut created = Created::default();
                created.note(&step(2, 2), path(one), links);
                created.note(&step(1, 3), path(two), links);
                created.sort();
                for (asked, command) in
                    PATHS.iter().flat_map(|path| (0..5).map(move |c| (*path, c)))
                {
                    for reach in [Reach::Itself, Reach::Through, Reach::Names] {
                        let expected =
                            [(one, 2, 2), (two, 1, 3)].iter().any(|(name, since, by)| {
                                let (on, same) = relation(asked, name);
                                let through =
                                    if same { links && reach != Reach::Itself } else { on };
                                let (under, itself) = relation(name, asked);
                                let found = reach == Reach::Names && under && !itself;
                                command >= *since && command != *by && (through || found)
                            });
                        let found = created.lies_on(&path(asked), &step(command, command), reach);
                        assert_eq!(found, expected, "{one} {two} {links}: {asked} at {command}");
                    }
                }
            }
        }
    }
}
