//! Lines of telemetry → [`Outside`] events: limits, errors, and what the formats have in common.

use std::collections::HashMap;
use std::fmt;

use super::observed::{Connection, Direction, Ids, Outside, Seen, parse_id, parse_traceparent};
use super::{falco, host_of, ocsf, otel, plain};
use crate::action::host::Host;
use crate::receipt::SessionId;
use crate::time::Timestamp;
use crate::value::{JsonError, Limits, View as Value, ViewObject as Object};

/// The format of the lines of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// The plain format of this library (`docs/correlate.md`).
    Plain,
    /// OCSF 1.x: Process Activity (1007), Network Activity (4001), File System Activity (1001).
    Ocsf,
    /// Falco alerts with `json_output`.
    Falco,
    /// OTLP/JSON traces, one `ExportTraceServiceRequest` a line.
    Otel,
}

impl Format {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Ocsf => "ocsf",
            Self::Falco => "falco",
            Self::Otel => "otel",
        }
    }

    /// Reads one line, without its line end, and adds what it says to `out`.
    ///
    /// A line can say nothing that is of use here, such as an event of another class: then nothing is
    /// added. Unknown members are passed over.
    ///
    /// # Errors
    ///
    /// Returns [`EventError`] if the line is too long, is no strict JSON (see
    /// [`Value::parse`](crate::value::Value::parse)), or lacks what an event of its class must have; `out` is then as it was.
    ///
    /// # Security
    ///
    /// `line` may be hostile. Time and memory are linear in its length, which is bounded by
    /// [`MAX_EVENT_BYTES`].
    ///
    /// # Examples
    ///
    /// ```
    /// use countersign::audit::correlate::{Format, Outside};
    ///
    /// let mut out = Vec::new();
    /// let line = br#"{"seen":{"time":1795428000000,"process":{"path":"/usr/bin/ssh"}}}"#;
    /// Format::Plain.read(line, 1, &mut out)?;
    /// assert!(matches!(&out[..], [Outside::Seen(seen)] if seen.line() == 1));
    /// # Ok::<(), countersign::audit::correlate::EventError>(())
    /// ```
    pub fn read(self, line: &[u8], number: u64, out: &mut Vec<Outside>) -> Result<(), EventError> {
        self.read_with(&mut Hosts::default(), line, number, out)
    }

    /// The same, with the hosts that were read before.
    pub(super) fn read_with(
        self,
        hosts: &mut Hosts,
        line: &[u8],
        number: u64,
        out: &mut Vec<Outside>,
    ) -> Result<(), EventError> {
        let fault = |fault| EventError { line: number, fault };
        let value = Value::parse(line, &LIMITS).map_err(|error| fault(Fault::Json(error)))?;
        let event = value.as_object().ok_or_else(|| fault(Fault::Shape("an object")))?;
        let before = out.len();
        let read = match self {
            Self::Plain => plain::read(event, hosts, out),
            Self::Ocsf => ocsf::read(event, hosts, out),
            Self::Falco => falco::read(event, hosts, out),
            Self::Otel => otel::read(event, hosts, out),
        };
        if let Err(expected) = read {
            out.truncate(before);
            return Err(fault(Fault::Shape(expected)));
        }
        for outside in out.iter_mut().skip(before) {
            if let Outside::Seen(seen) = outside {
                seen.line = number;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a line of telemetry could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventError {
    line: u64,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    Json(JsonError),
    /// What was expected and is not there.
    Shape(&'static str),
    TooLong,
    NoSource,
}

impl EventError {
    pub(super) const fn no_source() -> Self {
        Self { line: 0, fault: Fault::NoSource }
    }

    pub(super) const fn too_long(line: u64) -> Self {
        Self { line, fault: Fault::TooLong }
    }

    /// Returns the number of the line, from 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the events: ", self.line)?;
        match &self.fault {
            Fault::Json(error) => error.fmt(f),
            Fault::Shape(expected) => write!(f, "expected {expected}"),
            Fault::TooLong => write!(f, "longer than {MAX_EVENT_BYTES} bytes"),
            Fault::NoSource => f.write_str("no source has this number"),
        }
    }
}

impl std::error::Error for EventError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Json(error) => Some(error),
            _ => None,
        }
    }
}

/// What a format's reader gives: what was expected and is not there.
pub(super) type Read = Result<(), &'static str>;

/// Walks down through objects.
pub(super) fn at<'v>(object: &'v Object<'v>, path: &[&str]) -> Option<&'v Value<'v>> {
    let (last, above) = path.split_last()?;
    let mut here = object;
    for name in above {
        here = here.get(name)?.as_object()?;
    }
    here.get(last)
}

/// A text that is not empty.
pub(super) fn text<'v>(object: &'v Object<'v>, path: &[&str]) -> Option<&'v str> {
    at(object, path)?.as_str().filter(|text| !text.is_empty())
}

/// A whole number, or a text of one: protobuf's JSON writes 64-bit integers so.
pub(super) fn integer(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Number(_) => value.as_u64(),
        Value::String(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok()
        }
        _ => None,
    }
}

pub(super) fn port(value: Option<&Value<'_>>) -> Option<u16> {
    value.and_then(integer).and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
}

/// Milliseconds since 1970, or an RFC 3339 text of any precision.
pub(super) fn time(value: Option<&Value<'_>>) -> Option<Timestamp> {
    match value? {
        number @ Value::Number(_) => number.as_u64().map(Timestamp::from_millis),
        Value::String(text) => rfc3339(text),
        _ => None,
    }
}

/// Parses RFC 3339, where a fraction may be finer than a millisecond: the rest of it is dropped.
pub(super) fn rfc3339(text: &str) -> Option<Timestamp> {
    let Some((seconds, rest)) = text.split_once('.') else {
        return Timestamp::parse_rfc3339(text);
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = rest.split_at_checked(digits)?;
    let millis = fraction.get(..digits.min(3))?;
    let mut short = String::with_capacity(32);
    short.push_str(seconds);
    if !millis.is_empty() {
        short.push('.');
        short.push_str(millis);
    }
    short.push_str(zone);
    Timestamp::parse_rfc3339(&short)
}

/// The ids that a host sets under our names, found by `find`.
pub(super) fn ids<'v>(find: impl Fn(&str) -> Option<&'v Value<'v>>) -> Ids {
    let text = |name| find(name).and_then(Value::as_str);
    let mut ids = Ids {
        session: text(SESSION).and_then(SessionId::parse_hex),
        call: find(CALL).and_then(integer),
        txn: text(TXN).filter(|txn| !txn.is_empty()).map(Into::into),
        ..Ids::default()
    };
    if let Some((trace, span)) = text(TRACEPARENT).and_then(parse_traceparent) {
        ids.trace = Some(trace);
        ids.span = Some(span);
    }
    ids
}

/// Hex digits of an id; anything else is none.
pub(super) fn hex_id<const N: usize>(value: Option<&Value<'_>>) -> Option<[u8; N]> {
    parse_id(value?.as_str()?.as_bytes())
}

/// A connection from what a source calls the other side; `None` without any of the three.
pub(super) fn connection(
    hosts: &mut Hosts,
    name: Option<&str>,
    address: Option<&str>,
    port: Option<u16>,
    direction: Direction,
) -> Option<Seen> {
    if name.is_none() && address.is_none() && port.is_none() {
        return None;
    }
    let mut seen = Connection { name: None, address: None, port, direction };
    // Some write an address where a name belongs.
    for host in [address, name].into_iter().flatten() {
        let Some(host) = hosts.read(host) else { continue };
        match host {
            Host::Address(_) => seen.address = seen.address.or(Some(host)),
            Host::Name(_) => seen.name = seen.name.or(Some(host)),
        }
    }
    Some(Seen::Connection(seen))
}

/// Names that were read before: the same few come again and again, and reading one takes longer than
/// the rest of its line.
#[derive(Debug, Default)]
pub(super) struct Hosts(HashMap<Box<str>, Option<Host>>);

impl Hosts {
    fn read(&mut self, text: &str) -> Option<Host> {
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            return Some(Host::from(address));
        }
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let host = host_of(text);
        if text.len() <= MAX_KNOWN_BYTES {
            if self.0.len() >= MAX_KNOWN {
                self.0.clear();
            }
            self.0.insert(text.into(), host.clone());
        }
        host
    }
}

/// Most hosts that are remembered.
const MAX_KNOWN: usize = 1024;
/// Longest text of a host that is remembered.
const MAX_KNOWN_BYTES: usize = 256;

/// The attribute of the session's id: 32 lower-case hex digits.
pub const SESSION: &str = "countersign.session.id";
/// The attribute of the number of the call.
pub const CALL: &str = "countersign.call";
/// The attribute of the transaction id.
pub const TXN: &str = "countersign.txn";
/// The attribute of a W3C trace context.
pub const TRACEPARENT: &str = "countersign.traceparent";

/// Longest line of telemetry, without its line end.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// An OTLP line holds a batch of spans; nothing nests deep.
const LIMITS: Limits = Limits { max_bytes: MAX_EVENT_BYTES, max_depth: 32, max_nodes: 65_536 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_any_precision_are_cut_to_milliseconds() {
        fn check(text: &str, expected: Option<u64>) {
            assert_eq!(rfc3339(text).map(Timestamp::as_millis), expected, "{text}");
        }
        check("2026-11-21T09:00:00Z", Some(1_795_251_600_000));
        check("2026-11-21T09:00:00.5Z", Some(1_795_251_600_500));
        check("2026-11-21T09:00:00.123456789Z", Some(1_795_251_600_123));
        check("2026-11-21T10:00:00.123456789+01:00", Some(1_795_251_600_123));
        check("2026-11-21T09:00:00", None);
        check("2026-11-21T09:00:00.é", None);
        check("", None);
        check("09:00:00.123456789", None);
    }

    #[test]
    fn hostile_lines_are_errors_of_their_own() {
        let deep = "[".repeat(100_000);
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_EVENT_BYTES));
        for format in [Format::Plain, Format::Ocsf, Format::Falco, Format::Otel] {
            let mut out = Vec::new();
            for line in [
                b"" as &[u8],
                b"null",
                b"[]",
                b"{\"a\":1,\"a\":2}",
                b"{\"a\":\"\xff\"}",
                b"{\"a\":\"\\ud800\"}",
                b"{\"a\":123456789012345678901234567890123456789}",
                deep.as_bytes(),
                long.as_bytes(),
            ] {
                let error = format.read(line, 7, &mut out).unwrap_err();
                assert_eq!(error.line(), 7);
                assert!(error.to_string().len() < 400);
                assert_eq!(out, []);
            }
        }
    }
}
