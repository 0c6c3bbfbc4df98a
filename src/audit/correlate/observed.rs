//! One outside event in normal form.

use std::fmt;

use super::host_of;
use crate::action::host::Host;
use crate::action::path::{PurePaths, ResolvedPath, resolve, resolve_absolute};
use crate::digest::Digest;
use crate::receipt::SessionId;
use crate::text::excerpt;
use crate::time::Timestamp;

/// What a line of telemetry says: something that was seen, or that somebody approved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outside {
    /// Something was seen.
    Seen(Box<Observed>),
    /// An approval was given at this time. Only the plain format tells.
    Approval {
        /// The digest that a receipt names.
        id: Digest,
        /// When it was given.
        time: Timestamp,
    },
}

/// One outside event in normal form: when, where, for which call, and what.
///
/// Built by [`Format::read`](super::Format::read), or by hand from [`Observed::new`].
///
/// # Examples
///
/// ```
/// use countersign::audit::correlate::{Observed, Seen};
/// use countersign::time::Timestamp;
///
/// let at = Timestamp::from_millis(1_795_428_000_000);
/// let seen = Observed::new(at, Seen::connection("203.0.113.9", Some(443)));
/// assert_eq!(seen.seen().to_string(), "connection to 203.0.113.9:443");
/// ```
// The order of the fields is the order in which events of one time are judged: content first, the
// number of the line last, so that a file that was shuffled gives the same findings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Observed {
    pub(super) end: Timestamp,
    pub(super) start: Timestamp,
    pub(super) ids: Ids,
    pub(super) seen: Seen,
    pub(super) id: Option<Box<str>>,
    pub(super) place: Option<Box<str>>,
    pub(super) actor: Option<Box<str>>,
    pub(super) parent: Option<Box<str>>,
    pub(super) source: usize,
    pub(super) line: u64,
}

impl Observed {
    /// Makes an event that happened at `time` and carries no id.
    #[must_use]
    pub fn new(time: Timestamp, seen: Seen) -> Self {
        Self {
            end: time,
            start: time,
            ids: Ids::default(),
            seen,
            id: None,
            place: None,
            actor: None,
            parent: None,
            source: 0,
            line: 0,
        }
    }

    /// Sets what tells to which call the event belongs.
    #[must_use]
    pub fn with_ids(mut self, ids: Ids) -> Self {
        self.ids = ids;
        self
    }

    /// Sets when it was over; earlier than the start counts as the start.
    #[must_use]
    pub fn until(mut self, end: Timestamp) -> Self {
        self.end = end.max(self.start);
        self
    }

    /// Sets the container or host that it was seen on, see
    /// [`Builder::with_place`](super::Builder::with_place).
    #[must_use]
    pub fn at_place(mut self, place: &str) -> Self {
        self.place = Some(cut(place, MAX_ID_BYTES));
        self
    }

    /// Sets the path of the program that did it.
    #[must_use]
    pub fn by_program(mut self, path: &str) -> Self {
        self.actor = Some(program(path));
        self
    }

    /// Sets the program that launched this one.
    #[must_use]
    pub fn launched_by(mut self, parent: &str) -> Self {
        self.parent = Some(program(parent));
        self
    }

    /// Sets the source's own id of the event.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(cut(id, MAX_ID_BYTES));
        self
    }

    /// Sets the number of the line that it stood on, from 1.
    #[must_use]
    pub fn on_line(mut self, line: u64) -> Self {
        self.line = line;
        self
    }

    /// Returns when it began.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// Returns when it was over, or seen.
    #[must_use]
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// Returns what tells to which call it belongs.
    #[must_use]
    pub const fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Returns what was seen.
    #[must_use]
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Returns the source's own id of the event.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the number of the line, from 1, or 0 where there was none.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }
}

/// What tells to which call an event belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Ids {
    /// The session.
    pub session: Option<SessionId>,
    /// The call in that session.
    pub call: Option<u64>,
    /// The trace.
    pub trace: Option<TraceId>,
    /// The span that the event is, or in which it happened.
    pub span: Option<SpanId>,
    /// The span above that one.
    pub parent_span: Option<SpanId>,
    /// The transaction id of the caller.
    pub txn: Option<Box<str>>,
}

impl Ids {
    /// Names one call.
    #[must_use]
    pub fn call(session: SessionId, call: u64) -> Self {
        Self { session: Some(session), call: Some(call), ..Self::default() }
    }

    /// Names a session.
    #[must_use]
    pub fn session(session: SessionId) -> Self {
        Self { session: Some(session), ..Self::default() }
    }

    /// Names a trace and a span from a W3C `traceparent`; nothing if `text` is none.
    #[must_use]
    pub fn traceparent(text: &str) -> Self {
        parse_traceparent(text).map_or_else(Self::default, |(trace, span)| Self {
            trace: Some(trace),
            span: Some(span),
            ..Self::default()
        })
    }
}

/// Trace id of W3C trace context: sixteen bytes, not all zero.
pub type TraceId = [u8; 16];

/// Span id of W3C trace context (`parent-id` there): eight bytes, not all zero.
pub type SpanId = [u8; 8];

/// What was seen.
///
/// Paths and hosts are in the normal forms of [`action::path`](crate::action::path) and
/// [`action::host`](crate::action::host), without I/O: links are not followed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Seen {
    /// A program was started.
    Process(Program),
    /// A connection was made or accepted, or a port opened.
    Connection(Connection),
    /// A file was used.
    File {
        /// Its path.
        path: Box<str>,
        /// How.
        access: Access,
    },
    /// A tool was called, says the framework that called it.
    Tool {
        /// Its name.
        name: Box<str>,
    },
    /// Something that no finding is made of.
    Other,
}

/// A program that was started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Program {
    /// Its path in normal form, if it is known.
    pub path: Option<Box<str>>,
    /// Its name without directories.
    pub name: Box<str>,
    /// The command line as the source wrote it, cut to 1 024 bytes; it is shown and never compared.
    pub command: Option<Box<str>>,
}

/// A connection that was made or accepted, or a port that was opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Connection {
    /// The name of the other side, if the source gives one.
    pub name: Option<Host>,
    /// The address of the other side, or the own one of a port that was opened.
    pub address: Option<Host>,
    /// The port of the side that listens.
    pub port: Option<u16>,
    /// Which way it goes.
    pub direction: Direction,
}

/// Which way a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The watched side connects.
    Out,
    /// The watched side is connected to, or listens.
    In,
}

/// How a file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// It is read.
    Read,
    /// It is created or changed.
    Write,
    /// It is deleted.
    Delete,
}

impl Access {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }
}

/// The sort of what was seen, for [`Builder::watching`](super::Builder::watching).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Programs that were started.
    Process,
    /// Connections and open ports.
    Connection,
    /// Files.
    File,
    /// Tools.
    Tool,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Process, Self::Connection, Self::File, Self::Tool];
}

impl Seen {
    /// A program by path or by bare name.
    #[must_use]
    pub fn process(path_or_name: &str) -> Self {
        Self::Process(Program::new(path_or_name, None))
    }

    /// A connection to a name or an address.
    #[must_use]
    pub fn connection(host: &str, port: Option<u16>) -> Self {
        let (name, address) = match host_of(host) {
            Some(host @ Host::Name(_)) => (Some(host), None),
            address => (None, address),
        };
        let port = port.filter(|port| *port != 0);
        Self::Connection(Connection { name, address, port, direction: Direction::Out })
    }

    /// A file by its absolute path.
    #[must_use]
    pub fn file(path: &str, access: Access) -> Self {
        Self::File { path: normal_path(path), access }
    }

    /// A tool by name.
    #[must_use]
    pub fn tool(name: &str) -> Self {
        Self::Tool { name: cut(name, MAX_ID_BYTES) }
    }

    /// Returns the sort, which [`Seen::Other`] has none of.
    #[must_use]
    pub const fn class(&self) -> Option<Class> {
        match self {
            Self::Process(_) => Some(Class::Process),
            Self::Connection(_) => Some(Class::Connection),
            Self::File { .. } => Some(Class::File),
            Self::Tool { .. } => Some(Class::Tool),
            Self::Other => None,
        }
    }
}

/// For people: one line, cut and escaped.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(program) => {
                let shown = program.path.as_deref().unwrap_or(&program.name);
                write!(f, "process {}", excerpt(shown))?;
                match &program.command {
                    Some(command) => write!(f, " (`{}`)", excerpt(command)),
                    None => Ok(()),
                }
            }
            Self::Connection(connection) => connection.fmt(f),
            Self::File { path, access } => write!(f, "{} of {}", access.as_str(), excerpt(path)),
            Self::Tool { name } => write!(f, "call of the tool {}", excerpt(name)),
            Self::Other => f.write_str("something else"),
        }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.direction {
            Direction::Out => "connection to ",
            Direction::In => "connection accepted at ",
        })?;
        match (&self.name, &self.address) {
            (Some(name), Some(address)) => write!(f, "{name} ({address})")?,
            (Some(Host::Address(std::net::IpAddr::V6(host))), None)
            | (None, Some(Host::Address(std::net::IpAddr::V6(host)))) => write!(f, "[{host}]")?,
            (Some(host), None) | (None, Some(host)) => write!(f, "{host}")?,
            (None, None) => f.write_str("an unknown host")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl Program {
    /// Brings a program into normal form.
    pub(super) fn new(path_or_name: &str, command: Option<&str>) -> Self {
        let command = command.map(|command| cut(command, MAX_COMMAND_BYTES));
        if path_or_name.contains('/') {
            let path = program(path_or_name);
            let name = path.rsplit('/').next().unwrap_or_default().into();
            return Self { path: Some(path), name, command };
        }
        Self { path: None, name: cut(path_or_name, MAX_ID_BYTES), command }
    }
}

/// A program's path in normal form, or its bare name.
pub(super) fn program(text: &str) -> Box<str> {
    if text.contains('/') { normal_path(text) } else { cut(text, MAX_ID_BYTES) }
}

/// Takes the text of a path to its normal form; what has none stays as it is and equals no other.
///
/// A relative path has its place below a directory that nobody told, so it stays relative and equals no
/// target, which are all absolute.
pub(super) fn normal_path(raw: &str) -> Box<str> {
    if is_normal(raw) {
        return raw.into();
    }
    let resolved = if raw.starts_with('/') {
        resolve_absolute(&PurePaths::new(), raw)
    } else {
        let relative = resolve(&PurePaths::new(), &ResolvedPath::root(), raw);
        return match relative {
            Ok(path) => cut(path.as_str().trim_start_matches('/'), MAX_PATH_BYTES),
            Err(_) => cut(raw, MAX_PATH_BYTES),
        };
    };
    match resolved {
        Ok(path) => path.as_str().into(),
        // The mark keeps it from being taken for the target that it resembles.
        Err(_) => cut(&format!("?{raw}"), MAX_PATH_BYTES),
    }
}

/// Whether `raw` is in normal form as it stands: most paths of a watcher are, and the walk costs more
/// than everything else that is done to an event.
fn is_normal(raw: &str) -> bool {
    raw.len() <= 1024
        && raw.len() > 1
        && raw.starts_with('/')
        && raw.bytes().all(|byte| matches!(byte, b'!'..=b'~'))
        && raw.split('/').skip(1).count() <= 64
        && raw.split('/').skip(1).all(|name| !matches!(name, "" | "." | "..") && name.len() <= 255)
        // What the resolver refuses: links of `/proc` that mean another thing in each process.
        && !raw.starts_with("/proc")
        && !raw.starts_with("/dev")
}

/// Cuts text at a character before `most` bytes.
pub(super) fn cut(text: &str, most: usize) -> Box<str> {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().into()
}

/// Parses `00-<trace>-<span>-<flags>` (W3C Trace Context, level 1, §3.2.2).
pub(super) fn parse_traceparent(text: &str) -> Option<(TraceId, SpanId)> {
    let bytes = text.as_bytes();
    let digits = |range| {
        let part: &[u8] = bytes.get(range)?;
        let lower = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        part.iter().all(lower).then_some(part)
    };
    let dash = |at: usize| (bytes.get(at) == Some(&b'-')).then_some(());
    let version = digits(0..2)?;
    dash(2)?;
    dash(35)?;
    dash(52)?;
    digits(53..55)?;
    // Version 0 ends here; later ones may say more behind another dash; 255 is forbidden.
    let ends = match version {
        b"00" => bytes.len() == 55,
        b"ff" => false,
        _ => bytes.len() == 55 || bytes.get(55) == Some(&b'-'),
    };
    if !ends {
        return None;
    }
    Some((parse_id(digits(3..35)?)?, parse_id(digits(36..52)?)?))
}

/// Parses hex digits of either case (OTLP writes both); all zeros are no id.
pub(super) fn parse_id<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut id = [0; N];
    if digits.len() != N * 2 {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let high = char::from(*high).to_digit(16)?;
        let low = char::from(*low).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    (id != [0; N]).then_some(id)
}

/// Longest id, name or place that is kept.
pub(super) const MAX_ID_BYTES: usize = 256;
/// Longest path that is kept.
const MAX_PATH_BYTES: usize = 4096;
/// Longest command line that is kept: to be shown.
const MAX_COMMAND_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_form() {
        fn check(raw: &str, expected: &str) {
            assert_eq!(&*normal_path(raw), expected, "{raw}");
        }
        check("/usr/bin/git", "/usr/bin/git");
        check("/usr//bin/../bin/./git", "/usr/bin/git");
        check("/", "/");
        check("/srv/web/", "/srv/web");
        check("src/main.rs", "src/main.rs");
        check("../x", "x");
        check("/a\u{202e}b", "?/a\u{202e}b");
    }

    #[test]
    fn traceparents_are_read_as_the_recommendation_says() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(parse_traceparent(good).is_some());
        assert!(parse_traceparent(&good.replacen("00", "01", 1)).is_some());
        assert!(parse_traceparent(&format!("{}-more", good.replacen("00", "01", 1))).is_some());
        for bad in [
            "",
            "00",
            &good.to_uppercase(),
            &format!("{good}-more"),
            &good.replacen("00", "ff", 1),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse_traceparent(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_was_seen_is_one_line_for_people() {
        fn check(seen: &Seen, expected: &str) {
            assert_eq!(seen.to_string(), expected);
        }
        check(&Seen::process("/usr/bin/ssh"), "process /usr/bin/ssh");
        check(&Seen::connection("2001:db8::1", Some(22)), "connection to [2001:db8::1]:22");
        check(&Seen::connection("EXAMPLE.org.", None), "connection to example.org");
        check(&Seen::file("/srv/../etc/shadow", Access::Read), "read of /etc/shadow");
        check(&Seen::tool("a\nb"), "call of the tool a\\u{a}b");
    }
}
