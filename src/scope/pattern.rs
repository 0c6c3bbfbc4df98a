//! Patterns over segments, and lists of them that grant and subtract.
//!
//! `*` stands for any characters inside one segment, `**` for any number of whole segments, none
//! included; nothing else is special and case is exact. A pattern that begins with `!` subtracts what
//! it matches and everything below that. Order in a list does not matter.
//!
//! Matching never recurses or allocates and keeps one place to go back to at each of its two levels
//! (segments, characters), so it takes at most a constant times pattern length times text length.

use std::fmt;

use crate::action::path::{
    PathError, PathResolver, ResolvedPath, resolve_absolute, resolve_nofollow,
};
use crate::text::{check_visible, excerpt, glob};

/// The longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 1024;

/// The most segments that are compared to prove one pattern inside of another: many times what people
/// write, and little enough for two lists of the longest.
const MAX_CONTAINS_STEPS: usize = 4096;

/// What divides a name into segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separator {
    /// Paths, objects, memory, jobs and most names.
    Slash,
    /// Tables.
    Dot,
    /// Addresses of mail.
    At,
    /// Nothing: the name is one segment.
    None,
}

impl Separator {
    const fn character(self) -> char {
        match self {
            Self::Slash => '/',
            Self::Dot => '.',
            Self::At => '@',
            // No name in normal form holds it; one that does has two segments and `*` fails.
            Self::None => '\0',
        }
    }

    /// Whether `segment` could climb or vanish, so that no name may have it.
    fn refuses(self, segment: &str) -> bool {
        segment.is_empty() || (self == Self::Slash && matches!(segment, "." | ".."))
    }
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The pattern is empty.
    #[error("pattern is empty")]
    Empty,
    /// The pattern is longer than [`MAX_PATTERN_BYTES`].
    #[error("pattern is longer than {MAX_PATTERN_BYTES} bytes")]
    TooLong,
    /// The pattern holds a control, bidirectional or invisible character, or blanks around it.
    #[error("pattern holds a character that a reader does not see")]
    Invisible,
    /// Two separators follow each other, or one stands at an end.
    #[error("pattern has an empty segment: write `…/**` for a directory and all below it")]
    EmptySegment,
    /// A segment is `.` or `..`.
    #[error("pattern has a `.` or `..` segment")]
    DotSegment,
    /// `**` shares its segment with something else.
    #[error("`**` must be a segment of its own")]
    DoubleStar,
    /// A file pattern does not begin with `/`.
    #[error("file pattern is relative: write it from `/`, or begin with `table:` or `object:`")]
    Relative,
    /// A file pattern relies on a shell to know a home directory.
    #[error("file pattern begins with `~`: write the directory out")]
    Tilde,
    /// A pattern begins with `!` where nothing can be subtracted.
    #[error("`!` subtracts in lists of patterns only")]
    Subtracts,
    /// The part before the first wildcard cannot be resolved.
    #[error("the part before the first wildcard cannot be resolved")]
    Path(#[source] PathError),
    /// What is written as part of the workspace leads out of it.
    #[error("a link leads from the workspace to `{0}`: write where it leads")]
    LeavesWorkspace(String),
}

/// A name to be matched: one text, or two that stand on either side of a separator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    first: &'a str,
    second: Option<&'a str>,
}

impl<'a> Name<'a> {
    /// Joins two texts without copying them: `queue` and `job` match as `queue/job`.
    pub(crate) const fn pair(first: &'a str, second: &'a str) -> Self {
        Self { first, second: Some(second) }
    }

    /// Whether this is the root, which has no segment.
    pub(crate) const fn is_root(self) -> bool {
        self.second.is_none() && self.first.is_empty()
    }

    /// Whether no segment is empty, `.` or `..`.
    pub(crate) fn is_plain(self, separator: Separator) -> bool {
        let plain =
            |part: &str| !part.split(separator.character()).any(|part| separator.refuses(part));
        self.is_root() || (plain(self.first) && self.second.is_none_or(plain))
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Self { first: text, second: None }
    }
}

/// What a shell or a repository finds below a directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matches<'a> {
    /// Segments, in which `*` stands for any characters of one.
    pub(crate) names: &'a str,
    /// Whether everything below what matches is meant too.
    pub(crate) recursive: bool,
    /// Whether hidden names match too, and only `.git` does not.
    pub(crate) tracked: bool,
}

/// One compiled pattern.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    // Without the leading slash of a path, so that the root has no segment at all.
    text: Box<str>,
    parts: Box<[Part]>,
    shape: Shape,
    separator: Separator,
}

/// The common shapes are compared as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Exact,
    /// So many bytes of literal segments, then `**`.
    Prefix(u16),
    General,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A segment without wildcard: a range of the text.
    Literal(u16, u16),
    /// A segment with `*`.
    Glob(u16, u16),
    /// `**`.
    Any,
}

impl Pattern {
    /// Compiles a pattern for names. A leading `!` is not looked at here.
    pub(crate) fn compile(raw: &str, separator: Separator) -> Result<Self, PatternError> {
        check_text(raw)?;
        Self::from_segments(raw.split(separator.character()), separator)
    }

    /// Compiles a pattern for paths; `text` begins with `/`.
    pub(crate) fn compile_path(text: &str) -> Result<Self, PatternError> {
        let names = text.strip_prefix('/').ok_or(PatternError::Relative)?;
        if names.is_empty() {
            return Self::from_segments(std::iter::empty(), Separator::Slash);
        }
        Self::from_segments(names.split('/'), Separator::Slash)
    }

    fn from_segments<'a>(
        segments: impl Iterator<Item = &'a str>,
        separator: Separator,
    ) -> Result<Self, PatternError> {
        let mut text = String::new();
        let mut parts = Vec::new();
        for segment in segments {
            if segment == "**" {
                // Two in a row mean the same as one.
                if parts.last() != Some(&Part::Any) {
                    parts.push(Part::Any);
                    push_segment(&mut text, segment, parts.len(), separator);
                }
                continue;
            }
            if segment.is_empty() {
                return Err(PatternError::EmptySegment);
            }
            if separator.refuses(segment) {
                return Err(PatternError::DotSegment);
            }
            if segment.contains("**") {
                return Err(PatternError::DoubleStar);
            }
            push_segment(&mut text, segment, parts.len() + 1, separator);
            let end = u16::try_from(text.len()).map_err(|_| PatternError::TooLong)?;
            let length = u16::try_from(segment.len()).map_err(|_| PatternError::TooLong)?;
            let start = end.saturating_sub(length);
            parts.push(match segment.contains('*') {
                true => Part::Glob(start, end),
                false => Part::Literal(start, end),
            });
        }
        let wild = parts.iter().position(|part| !matches!(part, Part::Literal(..)));
        let shape = match wild {
            None => Shape::Exact,
            Some(at) if at + 1 == parts.len() && parts.last() == Some(&Part::Any) => {
                let before = at.checked_sub(1).and_then(|last| parts.get(last));
                Shape::Prefix(match before {
                    Some(Part::Literal(_, end)) => *end,
                    _ => 0,
                })
            }
            Some(_) => Shape::General,
        };
        Ok(Self { text: text.into(), parts: parts.into(), shape, separator })
    }

    /// Returns what divides the segments.
    pub(crate) const fn separator(&self) -> Separator {
        self.separator
    }

    /// Returns the pattern that also matches everything below what this one matches.
    pub(crate) fn with_all_below(&self) -> Result<Self, PatternError> {
        let own = self.text.split(self.separator.character()).filter(|part| !part.is_empty());
        Self::from_segments(own.chain(std::iter::once("**")), self.separator)
    }

    /// Reports whether the whole of `name` matches.
    pub(crate) fn matches<'a>(&self, name: impl Into<Name<'a>>) -> bool {
        self.matches_counted(name.into(), &mut || ())
    }

    /// As [`matches`](Self::matches); `step` is called once for each comparison.
    fn matches_counted(&self, name: Name<'_>, step: &mut impl FnMut()) -> bool {
        match (self.shape, name.second) {
            (Shape::Exact, None) => *name.first == *self.text,
            (Shape::Prefix(0), _) => true,
            (Shape::Prefix(length), None) => {
                let rest = name.first.strip_prefix(self.slice(0, length));
                rest.is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with(self.separator.character())
                })
            }
            _ => self.matches_parts(name, step),
        }
    }

    fn matches_parts(&self, name: Name<'_>, step: &mut impl FnMut()) -> bool {
        let mut here = (0, Segments::new(name, self.separator));
        // Where to go on once the last `**` has taken one segment more.
        let mut back: Option<(usize, Segments<'_>)> = None;
        loop {
            step();
            let (at, segments) = here;
            let part = self.parts.get(at).copied();
            if part == Some(Part::Any) {
                back = Some((at + 1, segments));
                here = (at + 1, segments);
                continue;
            }
            let next = segments.next();
            let matched = match (part, next) {
                (None, None) => return true,
                (Some(part), Some((segment, rest))) => {
                    self.part_matches(part, segment, step).then_some((at + 1, rest))
                }
                _ => None,
            };
            if let Some(matched) = matched {
                here = matched;
                continue;
            }
            let Some((after, skipped)) = back else { return false };
            let Some((_, rest)) = skipped.next() else { return false };
            back = Some((after, rest));
            here = (after, rest);
        }
    }

    /// Reports whether everything that `other` matches is provably matched too.
    ///
    /// The segments of `other` stand for themselves: its `*` is taken by a `*` alone, its `**` by a `**`.
    /// What takes more than [`MAX_CONTAINS_STEPS`] to prove is not proven.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        let separator = self.separator;
        let (mut at, mut next) = (0, 0);
        // Where to go on once the last `**` has taken one segment more.
        let mut back: Option<(usize, usize)> = None;
        for _ in 0..MAX_CONTAINS_STEPS {
            let (own, theirs) = (self.parts.get(at), other.parts.get(next));
            if own == Some(&Part::Any) {
                at += 1;
                back = Some((at, next));
                continue;
            }
            let taken = match (own, theirs) {
                (None, None) => return separator == other.separator,
                (Some(_), Some(Part::Any)) | (None, Some(_)) | (_, None) => false,
                (Some(own), Some(theirs)) => glob(
                    self.segment(*own).as_bytes(),
                    other.segment(*theirs).as_bytes(),
                    &mut || (),
                ),
            };
            if taken {
                (at, next) = (at + 1, next + 1);
                continue;
            }
            let Some((after, skipped)) = back.filter(|(_, next)| *next < other.parts.len()) else {
                return false;
            };
            back = Some((after, skipped + 1));
            (at, next) = (after, skipped + 1);
        }
        false
    }

    /// Reports whether nothing that `other` matches, and nothing above or below that, is matched: a
    /// segment differs before any `**`.
    fn parts_from(&self, other: &Self) -> bool {
        let pairs = self.parts.iter().zip(&other.parts);
        let before = pairs.take_while(|(own, theirs)| ![**own, **theirs].contains(&Part::Any));
        let mut before = before.map(|(own, theirs)| (self.segment(*own), other.segment(*theirs)));
        before.any(|(own, theirs)| match (own.contains('*'), theirs.contains('*')) {
            (false, false) => own != theirs,
            (true, false) => !glob(own.as_bytes(), theirs.as_bytes(), &mut || ()),
            (false, true) => !glob(theirs.as_bytes(), own.as_bytes(), &mut || ()),
            (true, true) => false,
        })
    }

    fn segment(&self, part: Part) -> &str {
        match part {
            Part::Literal(start, end) | Part::Glob(start, end) => self.slice(start, end),
            Part::Any => "**",
        }
    }

    /// Reports whether this matches `name` or could match something below it.
    fn meets_subtree(&self, name: Name<'_>) -> bool {
        let mut segments = Segments::new(name, self.separator);
        for part in &self.parts {
            if *part == Part::Any {
                return true;
            }
            let Some((segment, rest)) = segments.next() else { return true };
            if !self.part_matches(*part, segment, &mut || ()) {
                return false;
            }
            segments = rest;
        }
        segments.next().is_none()
    }

    /// Reports whether this could match a name that `names` matches below `directory`, or with
    /// `recursive` something below that.
    ///
    /// A `*` at the beginning of a segment of `names` does not match a name that begins with a dot,
    /// as in a shell.
    fn meets_matches(&self, directory: &str, matches: Matches<'_>) -> bool {
        let mut segments = Segments::new(Name::from(directory), self.separator);
        let mut names = matches.names.split(self.separator.character()).peekable();
        for part in &self.parts {
            if *part == Part::Any {
                return true;
            }
            if let Some((segment, rest)) = segments.next() {
                if !self.part_matches(*part, segment, &mut || ()) {
                    return false;
                }
                segments = rest;
                continue;
            }
            let Some(name) = names.next() else { return matches.recursive };
            let both = |own: &str| match (own.contains('*'), name.contains('*')) {
                (_, false) => self.part_matches(*part, name, &mut || ()),
                (false, true) if matches.tracked => own != ".git",
                (false, true) => {
                    !(name.starts_with('*') && own.starts_with('.'))
                        && glob(name.as_bytes(), own.as_bytes(), &mut || ())
                }
                // Two patterns may meet.
                (true, true) => true,
            };
            let own = match part {
                Part::Literal(start, end) | Part::Glob(start, end) => self.slice(*start, *end),
                Part::Any => return true,
            };
            if !both(own) {
                return false;
            }
        }
        segments.next().is_none() && names.peek().is_none()
    }

    /// Reports whether the part before the first wildcard lies below `name`.
    fn has_head_below(&self, name: &str) -> bool {
        let literal = self.parts.iter().take_while(|part| matches!(part, Part::Literal(..)));
        let Some(Part::Literal(_, end)) = literal.last() else { return false };
        let rest = self.slice(0, *end).strip_prefix(name);
        rest.is_some_and(|rest| {
            !rest.is_empty() && (name.is_empty() || rest.starts_with(self.separator.character()))
        })
    }

    /// Reports whether whatever lies below a name that matches is matched too.
    fn takes_subtrees(&self) -> bool {
        self.parts.last() == Some(&Part::Any)
    }

    fn part_matches(&self, part: Part, segment: &str, step: &mut impl FnMut()) -> bool {
        match part {
            Part::Literal(start, end) => {
                segment.bytes().for_each(|_| step());
                self.slice(start, end) == segment
            }
            Part::Glob(start, end) => {
                glob(self.slice(start, end).as_bytes(), segment.as_bytes(), step)
            }
            Part::Any => true,
        }
    }

    fn slice(&self, start: u16, end: u16) -> &str {
        self.text.get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

fn push_segment(text: &mut String, segment: &str, count: usize, separator: Separator) {
    if count > 1 {
        text.push(separator.character());
    }
    text.push_str(segment);
}

/// The segments of a name that are still to come; the empty name has none.
#[derive(Clone, Copy)]
struct Segments<'a> {
    rest: Option<&'a str>,
    then: Option<&'a str>,
    separator: char,
}

impl<'a> Segments<'a> {
    fn new(name: Name<'a>, separator: Separator) -> Self {
        let rest = (!name.first.is_empty() || name.second.is_some()).then_some(name.first);
        Self { rest, then: name.second, separator: separator.character() }
    }

    fn next(self) -> Option<(&'a str, Self)> {
        let rest = self.rest?;
        Some(match rest.split_once(self.separator) {
            Some((segment, rest)) => (segment, Self { rest: Some(rest), ..self }),
            None => (rest, Self { rest: self.then, then: None, ..self }),
        })
    }
}

/// Refuses what a reviewer would not see, and what is too long to review.
pub(crate) fn check_text(raw: &str) -> Result<(), PatternError> {
    if raw.is_empty() {
        return Err(PatternError::Empty);
    }
    if raw.len() > MAX_PATTERN_BYTES {
        return Err(PatternError::TooLong);
    }
    if raw.trim() != raw || check_visible(raw).is_err() {
        return Err(PatternError::Invisible);
    }
    Ok(())
}

/// Splits a leading `!` off.
pub(crate) fn split_subtracts(raw: &str) -> (bool, &str) {
    match raw.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, raw),
    }
}

/// Where file patterns are compiled: who looks at paths, and what the workspace is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    paths: &'a dyn PathResolver,
    written: &'a str,
    workspace: &'a ResolvedPath,
}

impl<'a> Place<'a> {
    /// `written` is the workspace as the descriptor has it, `workspace` what that resolves to.
    pub(crate) fn new(
        paths: &'a dyn PathResolver,
        written: &'a str,
        workspace: &'a ResolvedPath,
    ) -> Self {
        Self { paths, written, workspace }
    }

    /// Resolves an absolute path that has no wildcards.
    ///
    /// # Security
    ///
    /// An agent may have left links in its workspace, so what is written as part of the workspace
    /// must resolve to part of it; else a link to `/etc` would widen the next scope.
    pub(crate) fn resolve(self, raw: &str) -> Result<ResolvedPath, PatternError> {
        let resolved = resolve_absolute(self.paths, raw).map_err(PatternError::Path)?;
        let inside = is_below(raw, self.written) || is_below(raw, self.workspace.as_str());
        if inside && !resolved.starts_with(self.workspace) {
            return Err(PatternError::LeavesWorkspace(excerpt(resolved.as_str())));
        }
        Ok(resolved)
    }

    /// Compiles a file pattern that grants: the part before the first wildcard is resolved.
    pub(crate) fn compile(self, raw: &str) -> Result<Pattern, PatternError> {
        let (head, tail) = split_head(raw)?;
        join(&self.resolve(head)?, tail)
    }

    /// Compiles a file pattern that subtracts: both the entry that is named and, where that is a
    /// link, what it leads to, each with all below it.
    fn compile_subtracted(self, raw: &str) -> Result<Vec<Pattern>, PatternError> {
        let (head, tail) = split_head(raw)?;
        let followed = resolve_absolute(self.paths, head).map_err(PatternError::Path)?;
        let root = ResolvedPath::root();
        let entry = resolve_nofollow(self.paths, &root, head).map_err(PatternError::Path)?;
        let mut patterns = vec![join(&followed, tail)?.with_all_below()?];
        if entry != followed {
            patterns.push(join(&entry, tail)?.with_all_below()?);
        }
        Ok(patterns)
    }
}

/// Splits a file pattern before the first segment with a wildcard.
fn split_head(raw: &str) -> Result<(&str, &str), PatternError> {
    check_text(raw)?;
    if raw.starts_with('~') {
        return Err(PatternError::Tilde);
    }
    // The form is checked as a whole before a part of it is resolved.
    Pattern::compile_path(raw)?;
    let end = match raw.find('*') {
        Some(star) => raw.get(..star).and_then(|literal| literal.rfind('/')).unwrap_or(0),
        None => raw.len(),
    };
    let (head, tail) = raw.split_at_checked(end).unwrap_or((raw, ""));
    Ok((if head.is_empty() { "/" } else { head }, tail))
}

fn join(head: &ResolvedPath, tail: &str) -> Result<Pattern, PatternError> {
    let head = head.as_str();
    if tail.is_empty() {
        return Pattern::compile_path(head);
    }
    Pattern::compile_path(&format!("{}{tail}", head.trim_end_matches('/')))
}

/// Whether the absolute path `path` is `directory` or is written as something below it.
fn is_below(path: &str, directory: &str) -> bool {
    let rest = path.strip_prefix(directory.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A list of patterns for one kind of name: what any of some matches and none of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Grants {
    includes: Box<[(u16, Pattern)]>,
    excludes: Box<[Pattern]>,
}

impl Grants {
    /// Returns the place in the list of a pattern that grants `name`, unless one subtracts it.
    ///
    /// A name with an empty, `.` or `..` segment is not in normal form and never granted.
    pub(crate) fn covers<'a>(&self, name: impl Into<Name<'a>>) -> Option<u16> {
        let name = name.into();
        let granted = self.includes.iter().find(|(_, pattern)| pattern.matches(name));
        let (index, pattern) = granted?;
        let subtracted = || self.excludes.iter().any(|pattern| pattern.matches(name));
        (name.is_plain(pattern.separator) && !subtracted()).then_some(*index)
    }

    /// As [`covers`](Self::covers), for `name` and everything that lies or could lie below it.
    ///
    /// Errs on the side of refusing: one pattern must grant the whole subtree, and a subtraction that
    /// could match anything in it refuses it all.
    pub(crate) fn covers_subtree<'a>(&self, name: impl Into<Name<'a>>) -> Option<u16> {
        let name = name.into();
        let all = |pattern: &Pattern| pattern.takes_subtrees() && pattern.matches(name);
        let (index, pattern) = self.includes.iter().find(|(_, pattern)| all(pattern))?;
        let touched = || self.excludes.iter().any(|pattern| pattern.meets_subtree(name));
        (name.is_plain(pattern.separator) && !touched()).then_some(*index)
    }

    /// As [`covers`](Self::covers), for every name below `directory` that `names` can match.
    ///
    /// Errs on the side of refusing, as [`covers_subtree`](Self::covers_subtree) does.
    pub(crate) fn covers_matches(&self, directory: &str, matches: Matches<'_>) -> Option<u16> {
        let all = |pattern: &Pattern| pattern.takes_subtrees() && pattern.matches(directory);
        let (index, pattern) = self.includes.iter().find(|(_, pattern)| all(pattern))?;
        let plain = Name::from(directory).is_plain(pattern.separator)
            && Name::from(matches.names).is_plain(pattern.separator);
        (plain && !self.subtracts_matches(directory, matches)).then_some(*index)
    }

    /// Reports whether a subtraction could match one of the names that `names` matches below
    /// `directory`, or something below it.
    pub(crate) fn subtracts_matches(&self, directory: &str, matches: Matches<'_>) -> bool {
        self.excludes.iter().any(|pattern| pattern.meets_matches(directory, matches))
    }

    /// Reports whether a subtraction names something below `name` without a wildcard on the way.
    pub(crate) fn subtracts_inside(&self, name: &str) -> bool {
        self.excludes.iter().any(|pattern| pattern.has_head_below(name))
    }

    /// Reports whether `name` is subtracted, or could something below it be, whatever is granted.
    pub(crate) fn subtracts<'a>(&self, name: impl Into<Name<'a>>, recursive: bool) -> bool {
        let name = name.into();
        self.excludes
            .iter()
            .any(|pattern| pattern.matches(name) || (recursive && pattern.meets_subtree(name)))
    }
}

/// Where a list is not provably within another one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Beyond {
    /// The places of elements that nothing in the other list contains.
    pub(crate) places: Vec<u16>,
    /// Whether something is subtracted there and not here.
    pub(crate) lost: bool,
}

impl Beyond {
    /// Compares `(includes, excludes)` of two lists. What is subtracted there must be subtracted here in
    /// the same words, or part from all that is granted here.
    pub(crate) fn of<P: PartialEq>(
        own: (&[(u16, P)], &[P]),
        other: (&[(u16, P)], &[P]),
        contains: impl Fn(&P, &P) -> bool,
        parts: impl Fn(&P, &P) -> bool,
    ) -> Self {
        let within = |pattern: &P| other.0.iter().any(|(_, theirs)| contains(theirs, pattern));
        let places = own.0.iter().filter(|(_, pattern)| !within(pattern));
        let lost = other.1.iter().any(|theirs| {
            !own.1.contains(theirs) && own.0.iter().any(|(_, pattern)| !parts(theirs, pattern))
        });
        Self { places: places.map(|(index, _)| *index).collect(), lost }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.places.is_empty() && !self.lost
    }
}

impl Grants {
    /// Reports whether both subtract in the same words.
    pub(crate) fn subtracts_the_same(&self, other: &Self) -> bool {
        self.excludes == other.excludes
    }

    /// Finds what is not provably within `other`.
    pub(crate) fn beyond(&self, other: &Self) -> Beyond {
        Beyond::of(
            (&self.includes, &self.excludes),
            (&other.includes, &other.excludes),
            Pattern::contains,
            Pattern::parts_from,
        )
    }
}

/// Collects a list.
#[derive(Debug, Default)]
pub(crate) struct GrantsBuilder {
    includes: Vec<(u16, Pattern)>,
    excludes: Vec<Pattern>,
}

impl GrantsBuilder {
    /// Adds what stands at `index`; `raw` may begin with `!`.
    pub(crate) fn push(
        &mut self,
        index: u16,
        raw: &str,
        separator: Separator,
    ) -> Result<(), PatternError> {
        let (subtracts, raw) = split_subtracts(raw);
        self.push_compiled(index, subtracts, Pattern::compile(raw, separator)?)
    }

    /// Adds a compiled pattern.
    pub(crate) fn push_compiled(
        &mut self,
        index: u16,
        subtracts: bool,
        pattern: Pattern,
    ) -> Result<(), PatternError> {
        if subtracts {
            self.excludes.push(pattern.with_all_below()?);
        } else {
            self.includes.push((index, pattern));
        }
        Ok(())
    }

    /// Adds a file pattern; `raw` may begin with `!`.
    pub(crate) fn push_file(
        &mut self,
        index: u16,
        raw: &str,
        place: Place<'_>,
    ) -> Result<(), PatternError> {
        match split_subtracts(raw) {
            (true, raw) => self.excludes.extend(place.compile_subtracted(raw)?),
            (false, raw) => self.includes.push((index, place.compile(raw)?)),
        }
        Ok(())
    }

    /// Ends the list.
    pub(crate) fn finish(self) -> Grants {
        Grants { includes: self.includes.into(), excludes: self.excludes.into() }
    }
}

/// Returns the name that file patterns are matched against.
pub(crate) fn path_name(path: &ResolvedPath) -> &str {
    path.as_str().trim_start_matches('/')
}

#[cfg(test)]
mod tests;
