//! Hosts, endpoints and host patterns in normal form.
//!
//! `0x7f.1`, `２１３０７０６４３３`, `[::ffff:127.0.0.1]` and `127.0.0.1.` are one address, and
//! `EXAMPLE.org.` is `example.org`. A [`Host`] is what the WHATWG host parser makes of such text,
//! so that a rule about an address or a name cannot be passed by spelling it in another way. Names
//! and addresses are different things: a name is never compared with an address, and what a name
//! resolves to is checked as an address of its own.
//!
//! [`Zone`] says what kind of place a host is; [`HostPattern`] is how a scope names endpoints.

mod pattern;
mod zone;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::text::{check_visible, excerpt};

pub use self::pattern::{HostPattern, MAX_PORT_RANGES};
pub use self::zone::{Zone, embedded_ipv4};

/// The longest host text that is looked at, in bytes; percent-encoding takes three for one.
pub const MAX_RAW_BYTES: usize = 1024;

/// The longest host name, in bytes (RFC 1035 §2.3.4, without the trailing dot).
pub const MAX_NAME_BYTES: usize = 253;

/// The longest label of a host name, in bytes (RFC 1035 §2.3.4).
pub const MAX_LABEL_BYTES: usize = 63;

/// A host name or an address, in normal form.
///
/// Exhaustive on purpose. The variants cannot be built outside this crate, so that an address is
/// always [canonical](canonical_address): use [`Host::parse`] or `Host::from`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name, whatever it resolves to.
    #[non_exhaustive]
    Name(HostName),
    /// An address; never an IPv4-mapped IPv6 one.
    #[non_exhaustive]
    Address(IpAddr),
}

impl Host {
    /// Parses a name or an address, IPv6 with or without brackets.
    ///
    /// The text goes through the WHATWG host parser: percent-encoding, IDNA and the odd spellings
    /// of IPv4 are taken to one form. One trailing dot is dropped.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] for what is no host, and for hosts that are not what they look like:
    /// invisible characters, zone ids, a number in the last label that is no address.
    ///
    /// # Security
    ///
    /// `raw` may come from a hostile model. Characters of another alphabet that look like ASCII
    /// survive as an `xn--` label; [`HostName::is_idn`] tells.
    ///
    /// # Examples
    ///
    /// ```
    /// use countersign::action::host::{Host, Zone};
    ///
    /// assert_eq!(Host::parse("Git.Example.ORG.")?.to_string(), "git.example.org");
    /// assert_eq!(Host::parse("0xA9.254.43518")?.to_string(), "169.254.169.254");
    /// assert_eq!(Zone::of(&Host::parse("[::ffff:a9fe:a9fe]")?), Zone::Metadata);
    /// # Ok::<(), countersign::action::host::HostError>(())
    /// ```
    pub fn parse(raw: &str) -> Result<Self, HostError> {
        if raw.is_empty() {
            return Err(HostError::Empty);
        }
        if raw.len() > MAX_RAW_BYTES {
            return Err(HostError::TooLong { host: excerpt(raw) });
        }
        check_raw(raw)?;
        if raw.starts_with('[') || raw.contains(':') {
            return parse_ipv6(raw);
        }
        match url::Host::parse(raw) {
            Ok(url::Host::Domain(name)) => HostName::new(&name, raw).map(Self::Name),
            Ok(url::Host::Ipv4(address)) => Ok(Self::Address(IpAddr::V4(address))),
            Ok(url::Host::Ipv6(address)) => Ok(Self::from(IpAddr::V6(address))),
            Err(_) => Err(HostError::Invalid { host: excerpt(raw) }),
        }
    }

    /// Returns the name, if the host is one.
    #[must_use]
    pub const fn as_name(&self) -> Option<&HostName> {
        match self {
            Self::Name(name) => Some(name),
            Self::Address(_) => None,
        }
    }

    /// Returns the address, if the host is one.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Address(address) => Some(*address),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Address(canonical_address(address))
    }
}

impl fmt::Display for Host {
    /// Writes the normal form, IPv6 without brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A host name in lower-case ASCII, without a trailing dot.
///
/// Its labels hold letters, digits, `-` and `_`, and none starts or ends with `-`, so that a name
/// never reads as an option. Cloning it copies a pointer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

impl HostName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the labels between the dots, leftmost first.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// Says whether a label stands for characters outside ASCII, which may look like others.
    #[must_use]
    pub fn is_idn(&self) -> bool {
        self.labels().any(|label| label.starts_with("xn--"))
    }

    /// Says whether the name has at least one label before `suffix`.
    fn is_below(&self, suffix: &Self) -> bool {
        self.0
            .strip_suffix(suffix.as_str())
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|rest| !rest.is_empty())
    }

    fn new(name: &str, raw: &str) -> Result<Self, HostError> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > MAX_NAME_BYTES || name.split('.').any(|label| label.len() > MAX_LABEL_BYTES)
        {
            return Err(HostError::TooLong { host: excerpt(raw) });
        }
        if !name.split('.').all(is_label) {
            return Err(HostError::Invalid { host: excerpt(raw) });
        }
        Ok(Self(Arc::from(name)))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Brings an address into the one form that rules are written for.
///
/// An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) reaches the IPv4 host, so it becomes IPv4.
#[must_use]
pub const fn canonical_address(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    host: Host,
    // INVARIANT: not zero.
    port: u16,
}

impl Endpoint {
    /// Names `port` at `host`.
    ///
    /// # Errors
    ///
    /// Returns [`HostError::Port`] for port 0, which no peer can be reached at.
    pub fn new(host: Host, port: u16) -> Result<Self, HostError> {
        if port == 0 {
            return Err(HostError::Port { port: "0".to_owned() });
        }
        Ok(Self { host, port })
    }

    /// Parses `host:port`, with an IPv6 address in brackets.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] as [`Host::parse`], and [`HostError::Port`] for a port that is
    /// missing, zero, too large or not written in plain decimal.
    ///
    /// # Security
    ///
    /// `raw` may come from a hostile model.
    pub fn parse(raw: &str) -> Result<Self, HostError> {
        let (host, port) = split_port(raw, |port| HostError::Port { port })?;
        Self::new(Host::parse(host)?, parse_port(port)?)
    }

    /// Returns the host.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the port, never 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Why text is no host, endpoint or pattern.
///
/// The text in each variant is prepared for messages: escaped, and cut after 80 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The text is empty.
    #[error("host is empty")]
    Empty,
    /// The text is neither a name nor an address.
    #[error("`{host}` is neither a host name nor an address")]
    Invalid {
        /// The host as given.
        host: String,
    },
    /// The name or a label of it is too long.
    #[error("host `{host}` is too long")]
    TooLong {
        /// The host as given.
        host: String,
    },
    /// The text holds a control character or one that a reader does not see as it is.
    #[error("host `{host}` holds a control or invisible character")]
    InvisibleCharacter {
        /// The host as given.
        host: String,
    },
    /// An address has a zone id, which means something else on each host.
    #[error("address `{host}` has a zone id")]
    ZoneId {
        /// The host as given.
        host: String,
    },
    /// A port is missing, zero, too large or not plain decimal.
    #[error("`{port}` gives no port between 1 and 65535")]
    Port {
        /// The port, or the endpoint that has none.
        port: String,
    },
    /// There is more than one colon, so it is not certain which one stands before the port.
    #[error("`{endpoint}` has colons in its host: write an IPv6 address as in `[::1]:443`")]
    Brackets {
        /// The endpoint or pattern as given.
        endpoint: String,
    },
    /// A pattern has no port part.
    #[error("host pattern `{pattern}` names no port: write `{pattern}:443` or `{pattern}:*`")]
    NoPort {
        /// The pattern as given.
        pattern: String,
    },
    /// The ports of a pattern are no list of ports and ranges.
    #[error("`{ports}` is no list of ports and ranges such as `80,443,8000-8010`")]
    Ports {
        /// The port part as given.
        ports: String,
    },
    /// A wildcard stands where none can.
    #[error("host pattern `{pattern}` has `*` elsewhere than alone or as `*.` in front of a name")]
    Wildcard {
        /// The host part as given.
        pattern: String,
    },
    /// A network does not parse or has bits behind its prefix.
    #[error("`{network}` is no network such as `10.0.8.0/24` or `[2001:db8::/32]`")]
    Network {
        /// The host part as given.
        network: String,
    },
}

impl HostError {
    /// Returns the stable reason code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "host.empty",
            Self::Invalid { .. } => "host.invalid",
            Self::TooLong { .. } => "host.too_long",
            Self::InvisibleCharacter { .. } => "host.invisible_character",
            Self::ZoneId { .. } => "host.zone_id",
            Self::Port { .. }
            | Self::Brackets { .. }
            | Self::NoPort { .. }
            | Self::Ports { .. } => "host.port",
            Self::Wildcard { .. } | Self::Network { .. } => "host.pattern",
        }
    }
}

/// Refuses hidden characters in the text, and in what percent-decoding makes of it: IDNA would
/// drop most of them without a word.
fn check_raw(raw: &str) -> Result<(), HostError> {
    let hidden = || HostError::InvisibleCharacter { host: excerpt(raw) };
    check_visible(raw).map_err(|_| hidden())?;
    if !raw.contains('%') {
        return Ok(());
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        let hex = |digit: &u8| char::from(*digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
        decoded.push(match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => {
                    rest = tail;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => *byte,
        });
    }
    match str::from_utf8(&decoded) {
        Ok(decoded) => check_visible(decoded).map_err(|_| hidden()),
        Err(_) => Err(HostError::Invalid { host: excerpt(raw) }),
    }
}

fn parse_ipv6(raw: &str) -> Result<Host, HostError> {
    if raw.contains('%') {
        return Err(HostError::ZoneId { host: excerpt(raw) });
    }
    let parsed = if raw.starts_with('[') {
        url::Host::parse(raw)
    } else {
        url::Host::parse(&format!("[{raw}]"))
    };
    match parsed {
        Ok(url::Host::Ipv6(address)) => Ok(Host::from(IpAddr::V6(address))),
        _ => Err(HostError::Invalid { host: excerpt(raw) }),
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// Splits `host:port` at the colon before the port; an IPv6 address must stand in brackets.
fn split_port(raw: &str, missing: impl Fn(String) -> HostError) -> Result<(&str, &str), HostError> {
    match raw.rsplit_once(':') {
        Some((_, port)) if port.contains(']') => Err(missing(excerpt(raw))),
        Some((host, _)) if host.contains(':') && !host.starts_with('[') => {
            Err(HostError::Brackets { endpoint: excerpt(raw) })
        }
        Some(parts) => Ok(parts),
        None => Err(missing(excerpt(raw))),
    }
}

fn parse_port(raw: &str) -> Result<u16, HostError> {
    let plain = raw.bytes().all(|byte| byte.is_ascii_digit()) && !raw.starts_with('0');
    match raw.parse() {
        Ok(port) if plain => Ok(port),
        _ => Err(HostError::Port { port: excerpt(raw) }),
    }
}

#[cfg(test)]
mod tests;
