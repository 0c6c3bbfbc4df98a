//! Paths in normal form, resolved component by component as the kernel would.
//!
//! Text such as `/srv/web/../../etc/shadow` or `link/../x` says nothing about a file until every
//! component has been looked at: a symbolic link leads elsewhere, and `..` behind it follows its
//! target. So a [`ResolvedPath`] comes out of a walk only: [`resolve`] asks a [`PathResolver`]
//! about one name at a time, follows links (40 at most), and refuses whatever cannot be decided
//! before the action runs. The rules are those of `path_resolution(7)`.
//!
//! [`FileSystem`] looks at the real file system; [`PurePaths`] answers from a table without I/O.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::text::{check_visible, excerpt};

/// The longest path text that is looked at, in bytes (Linux `PATH_MAX`).
pub const MAX_RAW_BYTES: usize = 4096;

/// The longest path that a resolution may give, in bytes.
pub const MAX_PATH_BYTES: usize = 4096;

/// The longest name between two slashes, in bytes (Linux `NAME_MAX`).
pub const MAX_COMPONENT_BYTES: usize = 255;

/// The deepest path that a resolution may pass through, in components.
pub const MAX_COMPONENTS: usize = 256;

/// How many symbolic links one resolution follows (Linux `MAXSYMLINKS`).
pub const MAX_LINKS: usize = 40;

/// How many components one resolution looks at, those of link targets included. A path of
/// [`MAX_RAW_BYTES`] has fewer, so only links that expand into each other meet this limit.
pub const MAX_STEPS: usize = 8192;

/// Resolves `raw` to the file that opening it would reach.
///
/// A relative `raw` starts at `base`. Links are followed, the last one too. What does not exist yet
/// resolves as long as only plain names come after it, so a file about to be created has a path.
/// `base` is walked again: what was a directory when it was resolved can be a link by now.
///
/// # Errors
///
/// Returns [`PathError`] for text that is not a path, for a path that the kernel would refuse, and
/// for one that means something else in the process that will use it.
///
/// # Security
///
/// `raw` may come from a hostile model. The answer holds at the moment of the walk: whoever can
/// write to a directory on the way can change it before the path is used. Open the resolved path
/// with `openat2` and `RESOLVE_NO_SYMLINKS` where that matters. Hard links and bind mounts are
/// other names of the same file and are not seen. Case and Unicode form are kept, so on a file
/// system that folds them a pattern that subtracts must not be relied on.
///
/// # Examples
///
/// ```
/// use countersign::action::path::{PurePaths, ResolvedPath, resolve, resolve_absolute};
///
/// let files = PurePaths::new().with_link("/srv/web/out", "/etc");
/// let workspace = resolve_absolute(&files, "/srv/web")?;
/// assert_eq!(resolve(&files, &workspace, "src/./main.rs")?.as_str(), "/srv/web/src/main.rs");
/// assert_eq!(resolve(&files, &workspace, "out/../shadow")?.as_str(), "/shadow");
/// # Ok::<(), countersign::action::path::PathError>(())
/// ```
pub fn resolve(
    resolver: &dyn PathResolver,
    base: &ResolvedPath,
    raw: &str,
) -> Result<ResolvedPath, PathError> {
    Walk::new(resolver, &mut String::new()).resolve(base, raw, LastLink::Follow)
}

/// Resolves `raw` to the directory entry that it names, and does not follow a link at its end.
///
/// For operations on the name itself: delete, rename, the name that `ln` creates. A slash or `/.`
/// behind a link follows it, as the kernel does.
///
/// # Errors
///
/// As [`resolve`].
///
/// # Security
///
/// As [`resolve`]. Never use it for something that will be opened.
pub fn resolve_nofollow(
    resolver: &dyn PathResolver,
    base: &ResolvedPath,
    raw: &str,
) -> Result<ResolvedPath, PathError> {
    Walk::new(resolver, &mut String::new()).resolve(base, raw, LastLink::Keep)
}

/// Resolves `raw` in a buffer that keeps its room for the next path.
pub(crate) fn resolve_in(
    buffer: &mut String,
    resolver: &dyn PathResolver,
    base: &ResolvedPath,
    raw: &str,
    last: LastLink,
) -> Result<ResolvedPath, PathError> {
    Walk::new(resolver, buffer).resolve(base, raw, last)
}

/// Resolves an absolute `raw`, as [`resolve`] does, and refuses a relative one.
///
/// # Errors
///
/// As [`resolve`], and [`PathError::Relative`].
pub fn resolve_absolute(resolver: &dyn PathResolver, raw: &str) -> Result<ResolvedPath, PathError> {
    if !raw.is_empty() && !raw.starts_with('/') {
        return Err(PathError::Relative { path: excerpt(raw) });
    }
    resolve(resolver, &ResolvedPath::root(), raw)
}

/// An absolute path in normal form, as a walk found it.
///
/// It starts with `/`, has no empty, `.` or `..` component and no trailing slash, and holds visible
/// UTF-8 only. Cloning it copies a pointer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResolvedPath(Arc<str>);

impl ResolvedPath {
    /// Names the root directory, which is what it is under every resolver.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from("/"))
    }

    /// Names the entry `name` of this directory, without looking at it.
    ///
    /// # Errors
    ///
    /// Returns [`PathError`] if `name` is no single plain name or the path becomes too long.
    ///
    /// # Security
    ///
    /// The entry may be a link. Use it for what the caller itself puts there, and [`resolve`] for
    /// the rest.
    pub fn join_component(&self, name: &str) -> Result<Self, PathError> {
        if matches!(name, "" | "." | "..") || name.contains('/') {
            return Err(PathError::NotAName { name: excerpt(name) });
        }
        check_text(name)?;
        let mut path = self.without_root_slash().to_owned();
        push_component(&mut path, self.components().count(), name)?;
        Ok(Self(Arc::from(path)))
    }

    /// Returns the text of the path, shared.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Takes text that is in normal form already, as the record of an earlier walk has it. Nothing is
    /// looked at.
    pub(crate) fn from_normal(text: &str) -> Result<Self, PathError> {
        check_text(text)?;
        let Some(names) = text.strip_prefix('/') else {
            return Err(PathError::Relative { path: excerpt(text) });
        };
        if names.is_empty() {
            return Ok(Self::root());
        }
        let mut path = String::with_capacity(text.len());
        for (depth, name) in names.split('/').enumerate() {
            if matches!(name, "" | "." | "..") {
                return Err(PathError::NotAName { name: excerpt(name) });
            }
            push_component(&mut path, depth, name)?;
        }
        Ok(Self(Arc::from(path)))
    }

    /// Returns the path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path for use with `std::fs`.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(self.as_str())
    }

    /// Returns the directory that holds this path; the root has none.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, name) = self.0.rsplit_once('/')?;
        match (parent, name) {
            ("", "") => None,
            ("", _) => Some(Self::root()),
            _ => Some(Self(Arc::from(parent))),
        }
    }

    /// Returns the last component; the root has none.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// Returns the names between the slashes, first to last; the root has none.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// Says whether this path is `directory` or lies below it, component by component.
    #[must_use]
    pub fn starts_with(&self, directory: &Self) -> bool {
        match self.0.strip_prefix(directory.without_root_slash()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    fn without_root_slash(&self) -> &str {
        if &*self.0 == "/" { "" } else { &self.0 }
    }
}

impl fmt::Display for ResolvedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResolvedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<Path> for ResolvedPath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

/// Looks at one name at a time, so that [`resolve`] can walk a path.
///
/// # Security
///
/// An implementation that invents an answer decides what an agent may touch. What cannot be looked
/// at is an error and never [`Entry::Missing`].
pub trait PathResolver: Send + Sync + fmt::Debug {
    /// Looks at `path` and does not follow it if it is a link.
    ///
    /// `path` is absolute and in normal form, and its parent has been found to be a directory.
    ///
    /// # Errors
    ///
    /// Returns [`PathError`] if the answer is not known, for instance for want of permission;
    /// [`PathError::io`] makes one.
    fn entry(&self, path: &str) -> Result<Entry, PathError>;
}

/// What a [`PathResolver`] finds under one name.
///
/// Exhaustive on purpose: a walk must know what to do with each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Nothing has this name.
    Missing,
    /// A directory.
    Directory,
    /// A file, socket, device, or anything else that has no entries of its own.
    Other,
    /// A symbolic link with this target, as it is stored.
    Link(String),
}

/// Resolves paths on the real file system, as this process sees it.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileSystem;

impl PathResolver for FileSystem {
    fn entry(&self, path: &str) -> Result<Entry, PathError> {
        let metadata = match std::fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entry::Missing),
            Err(error) => return Err(PathError::io(path, error.kind())),
        };
        let kind = metadata.file_type();
        if kind.is_symlink() {
            let target =
                std::fs::read_link(path).map_err(|error| PathError::io(path, error.kind()))?;
            return match target.into_os_string().into_string() {
                Ok(target) => Ok(Entry::Link(target)),
                Err(_) => Err(PathError::NotUtf8 { path: excerpt(path) }),
            };
        }
        Ok(if kind.is_dir() { Entry::Directory } else { Entry::Other })
    }
}

/// Resolves paths from a table, without I/O: for tests, benches and replay.
///
/// Every name that was not declared is a directory without links, so `..` and trailing slashes
/// work by the text alone. A name is declared by its absolute path in normal form; repeated
/// slashes, `.` and `..` in it are taken out by the text.
#[derive(Debug, Clone, Default)]
pub struct PurePaths {
    entries: HashMap<String, Entry>,
}

impl PurePaths {
    /// Makes a table without entries: everything is a directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares `path` a symbolic link to `target`, which may be relative and need not exist.
    #[must_use]
    pub fn with_link(self, path: &str, target: &str) -> Self {
        self.with(path, Entry::Link(target.to_owned()))
    }

    /// Declares `path` a file, which has nothing below it.
    #[must_use]
    pub fn with_file(self, path: &str) -> Self {
        self.with(path, Entry::Other)
    }

    /// Declares that nothing is called `path`, nor anything below it.
    #[must_use]
    pub fn with_missing(self, path: &str) -> Self {
        self.with(path, Entry::Missing)
    }

    fn with(mut self, path: &str, entry: Entry) -> Self {
        let mut names = Vec::new();
        for name in path.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()),
                _ => names.push(name),
            }
        }
        self.entries.insert(format!("/{}", names.join("/")), entry);
        self
    }
}

impl PathResolver for PurePaths {
    fn entry(&self, path: &str) -> Result<Entry, PathError> {
        if self.entries.is_empty() {
            return Ok(Entry::Directory);
        }
        Ok(self.entries.get(path).cloned().unwrap_or(Entry::Directory))
    }
}

/// Why a path has no normal form.
///
/// The text in each variant is prepared for messages: escaped, and cut after 80 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The text, or the target of a link, is empty.
    #[error("path is empty")]
    Empty,
    /// An absolute path was asked for.
    #[error("path `{path}` is relative: write it from `/`")]
    Relative {
        /// The path as given.
        path: String,
    },
    /// A link on the way has a target that is not UTF-8.
    #[error("path `{path}` is a link whose target is not utf-8")]
    NotUtf8 {
        /// The link.
        path: String,
    },
    /// The text holds a control character.
    #[error("path `{path}` holds a control character")]
    ControlCharacter {
        /// The path as given, or a link target.
        path: String,
    },
    /// The text holds a character that a reader does not see as it is.
    #[error("path `{path}` holds an invisible character")]
    InvisibleCharacter {
        /// The path as given, or a link target.
        path: String,
    },
    /// The text or its resolution is longer than [`MAX_RAW_BYTES`] or [`MAX_PATH_BYTES`].
    #[error("path `{path}` is longer than {limit} bytes")]
    TooLong {
        /// The path as given or as resolved so far.
        path: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// A component is longer than [`MAX_COMPONENT_BYTES`].
    #[error("path component `{name}` is longer than {MAX_COMPONENT_BYTES} bytes")]
    ComponentTooLong {
        /// The component.
        name: String,
    },
    /// The path passes through more than [`MAX_COMPONENTS`] directories.
    #[error("path `{path}` has more than {MAX_COMPONENTS} components")]
    TooDeep {
        /// The path as resolved so far.
        path: String,
    },
    /// The walk met more than [`MAX_LINKS`] symbolic links.
    #[error("path `{path}` leads through more than {MAX_LINKS} links")]
    TooManyLinks {
        /// The link that was one too many.
        path: String,
    },
    /// The walk met more than [`MAX_STEPS`] components.
    #[error("path `{path}` leads through more than {MAX_STEPS} components")]
    TooManySteps {
        /// The path as resolved so far.
        path: String,
    },
    /// `..` stands behind something that does not exist.
    #[error("path goes back by `..` from `{path}`, which does not exist")]
    DotDotAfterMissing {
        /// What does not exist.
        path: String,
    },
    /// A component or a slash stands behind something that is not a directory.
    #[error("path goes on behind `{path}`, which is not a directory")]
    NotADirectory {
        /// What is not a directory.
        path: String,
    },
    /// The path leads through a link that means something else in another process.
    #[error("path `{path}` means something else in each process")]
    MagicLink {
        /// The link.
        path: String,
    },
    /// One plain name was asked for.
    #[error("`{name}` is not a single file name")]
    NotAName {
        /// What was given.
        name: String,
    },
    /// A component could not be looked at.
    #[error("path `{path}` cannot be looked at: {kind}")]
    Io {
        /// The component, with the path to it.
        path: String,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
}

impl PathError {
    /// Reports that `path` could not be looked at, for resolvers of the host's own.
    #[must_use]
    pub fn io(path: &str, kind: io::ErrorKind) -> Self {
        Self::Io { path: excerpt(path), kind }
    }

    /// Returns the stable reason code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "path.empty",
            Self::Relative { .. } => "path.relative",
            Self::NotUtf8 { .. } => "path.not_utf8",
            Self::ControlCharacter { .. } => "path.control_character",
            Self::InvisibleCharacter { .. } => "path.invisible_character",
            Self::TooLong { .. } | Self::ComponentTooLong { .. } => "path.too_long",
            Self::TooDeep { .. } => "path.too_deep",
            // Only links lead through so many components.
            Self::TooManyLinks { .. } | Self::TooManySteps { .. } => "path.too_many_links",
            Self::DotDotAfterMissing { .. } => "path.dotdot_after_missing",
            Self::NotADirectory { .. } => "path.not_a_directory",
            Self::MagicLink { .. } => "path.magic_link",
            Self::NotAName { .. } => "path.not_a_name",
            Self::Io { .. } => "path.io",
        }
    }
}

/// Whether a link in the last place is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastLink {
    Follow,
    Keep,
}

/// What stands at the place that a walk has reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Here {
    Directory,
    Missing,
    NoDirectory,
}

struct Walk<'r> {
    resolver: &'r dyn PathResolver,
    // INVARIANT: empty (the root) or `/name` repeated; every name but the last is a real directory
    // unless `here` is `Missing`.
    path: &'r mut String,
    depth: usize,
    here: Here,
    links: usize,
    steps: usize,
}

impl<'r> Walk<'r> {
    fn new(resolver: &'r dyn PathResolver, path: &'r mut String) -> Self {
        path.clear();
        Self { resolver, path, depth: 0, here: Here::Directory, links: 0, steps: 0 }
    }

    fn resolve(
        mut self,
        base: &ResolvedPath,
        raw: &str,
        last: LastLink,
    ) -> Result<ResolvedPath, PathError> {
        check_text(raw)?;
        self.path.reserve(base.as_str().len() + raw.len() + 1);
        if !raw.starts_with('/') {
            self.run(base.without_root_slash(), LastLink::Follow)?;
        }
        self.run(raw, last)?;
        if self.path.is_empty() {
            self.path.push('/');
        }
        let same = *self.path == *base.0;
        Ok(if same { base.clone() } else { ResolvedPath(Arc::from(self.path.as_str())) })
    }

    fn run(&mut self, text: &str, last: LastLink) -> Result<(), PathError> {
        let mut expanded: String;
        let mut rest = text;
        loop {
            // Names are short: looking at each byte is faster than a search that sets itself up.
            let slash = rest.bytes().position(|byte| byte == b'/');
            let (name, tail) = match slash.and_then(|at| rest.split_at_checked(at)) {
                Some((name, tail)) => (name, tail.get(1..)),
                None => (rest, None),
            };
            let target = self.step(name, tail.is_some() || last == LastLink::Follow)?;
            match (target, tail) {
                (Some(target), tail) => {
                    // What follows the link follows its target; so does a trailing slash.
                    expanded = match tail {
                        Some(tail) => format!("{target}/{tail}"),
                        None => target,
                    };
                    rest = &expanded;
                }
                (None, Some(tail)) => rest = tail,
                (None, None) => return Ok(()),
            }
        }
    }

    /// Takes one component; a link that is to be followed comes back as its target.
    fn step(&mut self, name: &str, follow: bool) -> Result<Option<String>, PathError> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(PathError::TooManySteps { path: excerpt(self.path) });
        }
        // A trailing slash arrives here as an empty name, so it asks for a directory too.
        if self.here == Here::NoDirectory {
            return Err(PathError::NotADirectory { path: excerpt(self.path) });
        }
        match name {
            "" | "." => Ok(None),
            ".." if self.here == Here::Missing => {
                Err(PathError::DotDotAfterMissing { path: excerpt(self.path) })
            }
            ".." => {
                let parent = self.path.rfind('/').unwrap_or(0);
                self.path.truncate(parent);
                self.depth = self.depth.saturating_sub(1);
                Ok(None)
            }
            _ => self.enter(name, follow),
        }
    }

    fn enter(&mut self, name: &str, follow: bool) -> Result<Option<String>, PathError> {
        let parent = self.path.len();
        push_component(self.path, self.depth, name)?;
        self.depth += 1;
        if self.here == Here::Missing {
            return Ok(None);
        }
        self.here = match self.resolver.entry(self.path)? {
            Entry::Missing => Here::Missing,
            Entry::Directory => Here::Directory,
            Entry::Other => Here::NoDirectory,
            Entry::Link(target) if is_own_process(self.path, &target) => Here::Directory,
            Entry::Link(_) if !follow => Here::NoDirectory,
            Entry::Link(target) => {
                self.links += 1;
                if self.links > MAX_LINKS {
                    return Err(PathError::TooManyLinks { path: excerpt(self.path) });
                }
                check_text(&target)?;
                if target.starts_with('/') {
                    self.path.clear();
                    self.depth = 0;
                } else {
                    self.path.truncate(parent);
                    self.depth -= 1;
                }
                return Ok(Some(target));
            }
        };
        Ok(None)
    }
}

fn check_text(text: &str) -> Result<(), PathError> {
    if text.is_empty() {
        return Err(PathError::Empty);
    }
    if text.len() > MAX_RAW_BYTES {
        return Err(PathError::TooLong { path: excerpt(text), limit: MAX_RAW_BYTES });
    }
    check_visible(text).map_err(|hidden| {
        let path = excerpt(text);
        if hidden.is_control() {
            PathError::ControlCharacter { path }
        } else {
            PathError::InvisibleCharacter { path }
        }
    })
}

/// Appends `/name` to `path`, which has `depth` components, within the limits.
fn push_component(path: &mut String, depth: usize, name: &str) -> Result<(), PathError> {
    if name.len() > MAX_COMPONENT_BYTES {
        return Err(PathError::ComponentTooLong { name: excerpt(name) });
    }
    if depth >= MAX_COMPONENTS {
        return Err(PathError::TooDeep { path: excerpt(path) });
    }
    path.push('/');
    path.push_str(name);
    if path.len() > MAX_PATH_BYTES {
        return Err(PathError::TooLong { path: excerpt(path), limit: MAX_PATH_BYTES });
    }
    if is_magic(path, name) {
        return Err(PathError::MagicLink { path: excerpt(path) });
    }
    Ok(())
}

/// Says whether `path`, which ends in `name`, is one of the links that the kernel resolves for the
/// process that asks, or by way of another process: their stored target is not where they lead.
///
/// `proc` counts at any depth, because a container often sees the host's under another name.
fn is_magic(path: &str, name: &str) -> bool {
    match name {
        "stdin" | "stdout" | "stderr" => path.strip_suffix(name) == Some("/dev/"),
        "fd" if path == "/dev/fd" => true,
        "root" | "cwd" | "exe" | "fd" | "fdinfo" | "map_files" | "ns" => {
            let mut above = path.rsplit('/').skip(1);
            let mut process = above.next();
            if process.is_some_and(is_process) {
                let over = above.next();
                if over == Some("proc") {
                    return true;
                }
                // `/proc/<pid>/task/<tid>/…`
                if over == Some("task") {
                    process = above.next();
                    return process.is_some_and(is_process) && above.next() == Some("proc");
                }
            }
            false
        }
        _ => false,
    }
}

fn is_process(name: &str) -> bool {
    matches!(name, "self" | "thread-self")
        || (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Says whether a link is the kernel's `/proc/self` or `/proc/thread-self`. Its target names this
/// process and not the one that will use the path, so the name is kept as if it were a directory.
fn is_own_process(path: &str, target: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match path {
        "/proc/self" => is_number(target),
        "/proc/thread-self" => target
            .split_once("/task/")
            .is_some_and(|(process, thread)| is_number(process) && is_number(thread)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
