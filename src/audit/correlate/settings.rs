//! How events are judged: windows, what is watched, what is known of the runtime, limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::correlator::Correlator;
use super::finding::Finding;
use super::host_of;
use super::observed::{Class, MAX_ID_BYTES, cut, normal_path, program};
use super::read::Format;
use crate::action::host::Host;
use crate::receipt::SessionId;

/// One stream of telemetry.
///
/// # Security
///
/// A source that is [complete](Self::complete) makes a bypass of every effect that no call covers. One
/// that is not says nothing by its silence, and an event of it that names no session is a bypass only if it
/// is what a denied call asked for.
#[derive(Debug, Clone)]
pub struct Source {
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) complete: bool,
}

impl Source {
    /// Names a source whose lines are in `format`.
    #[must_use]
    pub fn new(name: impl Into<String>, format: Format) -> Self {
        Self { name: name.into(), format, complete: false }
    }

    /// Declares that everything it shows was done by governed agents, or by what is ignored.
    #[must_use]
    pub const fn complete(mut self) -> Self {
        self.complete = true;
        self
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// How much is kept at once. Each limit that is met is a [`Gap`](super::Gap).
///
/// Exhaustive, so that callers can write their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Calls in their windows.
    pub calls: usize,
    /// Effects of those calls together: they are most of the memory.
    pub effects: usize,
    /// Lines and events that wait for the other streams, and events that wait for an outcome.
    pub queue: usize,
    /// Openings that wait for their receipts.
    pub openings: usize,
    /// Calls that are tried for one place of the index.
    pub candidates: usize,
    /// Uses of approvals that are remembered.
    pub approvals: usize,
    /// Sessions that the report names one by one.
    pub sessions: usize,
}

impl Default for Caps {
    /// A few hundred MiB where all of them are met, with targets of a usual length.
    fn default() -> Self {
        Self {
            calls: 65_536,
            effects: 262_144,
            queue: 131_072,
            openings: 65_536,
            candidates: 1_024,
            approvals: 65_536,
            sessions: 65_536,
        }
    }
}

/// Puts a [`Correlator`] together; everything has a default but the sources.
#[derive(Debug, Clone)]
pub struct Builder {
    pub(super) sources: Vec<Source>,
    pub(super) skew: u64,
    pub(super) window: u64,
    pub(super) linger: u64,
    pub(super) watched: BTreeSet<Class>,
    pub(super) places: BTreeMap<Box<str>, SessionId>,
    pub(super) ignored_programs: BTreeSet<Box<str>>,
    pub(super) ignored_hosts: BTreeSet<(Host, u16)>,
    pub(super) ignored_reads: Vec<Box<str>>,
    pub(super) launchers: BTreeSet<Box<str>>,
    pub(super) children: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    pub(super) program_directories: Vec<Box<str>>,
    pub(super) tools: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    pub(super) caps: Caps,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            skew: 2_000,
            window: 600_000,
            linger: 1_000,
            watched: Class::ALL.into_iter().collect(),
            places: BTreeMap::new(),
            ignored_programs: BTreeSet::new(),
            ignored_hosts: BTreeSet::new(),
            ignored_reads: Vec::new(),
            launchers: BTreeSet::new(),
            children: BTreeMap::new(),
            program_directories: PROGRAM_DIRECTORIES.map(Into::into).into(),
            tools: BTreeMap::new(),
            caps: Caps::default(),
        }
    }
}

impl Builder {
    /// Adds a source. Its number is how many were added before.
    #[must_use]
    pub fn with_source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Sets how far the clocks of receipts and telemetry, and the order of lines, may be apart; two
    /// seconds by default, at most an hour.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = millis(skew, 3_600_000);
        self
    }

    /// Sets how long after its permit a call that started may go on without an outcome, and how long calls are
    /// kept; ten minutes by default, at most a day. Memory grows with it.
    #[must_use]
    pub fn with_window(mut self, window: Duration) -> Self {
        self.window = millis(window, 86_400_000);
        self
    }

    /// Sets how long after its outcome an effect of a call may still be seen; a second by default, at most an
    /// hour. What a call left running shows after it.
    #[must_use]
    pub fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = millis(linger, 3_600_000);
        self
    }

    /// Sets which sorts of events are judged; all by default. The others are counted.
    #[must_use]
    pub fn watching(mut self, classes: impl IntoIterator<Item = Class>) -> Self {
        self.watched = classes.into_iter().collect();
        self
    }

    /// Declares that all that is seen in this container, or on this host, was done by `session`.
    ///
    /// # Security
    ///
    /// It counts more than ids in an event, which the watched process may have had a hand in: an event from
    /// there that names another session is judged as one of this.
    #[must_use]
    pub fn with_place(mut self, place: &str, session: SessionId) -> Self {
        self.places.insert(cut(place, MAX_ID_BYTES), session);
        self
    }

    /// Ignores what this program does, and its being started: for the runtime of the agent itself. What it
    /// starts is not ignored.
    ///
    /// # Security
    ///
    /// `path` must be where the agent cannot write, and the program none that runs what an agent gives it.
    #[must_use]
    pub fn with_ignored_program(mut self, path: &str) -> Self {
        self.ignored_programs.insert(normal_path(path));
        self
    }

    /// Ignores connections to this address or name and port: resolvers, collectors. What is no host is
    /// ignored itself.
    #[must_use]
    pub fn with_ignored_endpoint(mut self, host: &str, port: u16) -> Self {
        if let Some(host) = host_of(host) {
            self.ignored_hosts.insert((host, port));
        }
        self
    }

    /// Ignores reads of this file and below this directory: libraries, time zones.
    #[must_use]
    pub fn with_ignored_reads(mut self, path: &str) -> Self {
        self.ignored_reads.push(normal_path(path));
        self
    }

    /// Declares a program that starts others for a call, such as the shell that a line is given to: it is
    /// covered while any program is allowed.
    #[must_use]
    pub fn with_launcher(mut self, path: &str) -> Self {
        self.launchers.insert(normal_path(path));
        self
    }

    /// Declares that `program`, where it is allowed, starts `child`: as `cargo` starts `rustc`. Both are paths,
    /// or bare names as in receipts.
    #[must_use]
    pub fn with_child(mut self, name: &str, child: &str) -> Self {
        self.children.entry(program(child)).or_default().insert(program(name));
        self
    }

    /// Sets the directories in which a bare name of a receipt is looked up; those of the system by default.
    #[must_use]
    pub fn with_program_directories<'d>(
        mut self,
        paths: impl IntoIterator<Item = &'d str>,
    ) -> Self {
        self.program_directories = paths.into_iter().map(normal_path).collect();
        self
    }

    /// Declares that calling `tool` of the framework is what a call of this kind does, such as `Exec`.
    #[must_use]
    pub fn with_tool(mut self, tool: &str, kind: &str) -> Self {
        self.tools.entry(cut(tool, MAX_ID_BYTES)).or_default().insert(kind.into());
        self
    }

    /// Sets how much is kept at once.
    #[must_use]
    pub const fn with_caps(mut self, caps: Caps) -> Self {
        self.caps = caps;
        self
    }

    /// Starts; each finding is given to `sink` as soon as it is certain.
    #[must_use]
    pub fn build<F: FnMut(Finding)>(self, sink: F) -> Correlator<F> {
        Correlator::new(self, sink)
    }
}

fn millis(duration: Duration, most: u64) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(most).min(most)
}

/// Where the packages of a distribution put programs (Filesystem Hierarchy Standard 3.0).
const PROGRAM_DIRECTORIES: [&str; 6] =
    ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", crate::text::excerpt(&self.name), self.format)
    }
}
