//! How a scope names endpoints.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::{
    Endpoint, Host, HostError, HostName, MAX_RAW_BYTES, canonical_address, embedded_ipv4,
    parse_port, split_port,
};
use crate::text::excerpt;

/// How many ports and ranges the port part of a pattern may list.
pub const MAX_PORT_RANGES: usize = 64;

/// Which endpoints a scope means.
///
/// The host part is an exact name, `*.suffix` (one or more labels before it), an address, a network
/// (`10.0.8.0/24`, `[2001:db8::/32]`) or `*` for any name and address. The port part is one port, a
/// list of ports and ranges (`80,443,8000-8010`), or `*`; it is never left out.
///
/// # Examples
///
/// ```
/// use countersign::action::host::{Endpoint, HostPattern};
///
/// let pattern = HostPattern::parse("*.example.org:443")?;
/// assert!(pattern.matches(&Endpoint::parse("a.b.example.org:443")?));
/// assert!(!pattern.matches(&Endpoint::parse("example.org:443")?));
/// assert_eq!(HostPattern::parse("git.example.org").unwrap_err().code(), "host.port");
/// # Ok::<(), countersign::action::host::HostError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern {
    hosts: Hosts,
    ports: Ports,
}

impl HostPattern {
    /// Parses a pattern.
    ///
    /// Its host is read as [`Host::parse`] reads it, so the pattern means what it would mean as a
    /// destination; [`Display`](fmt::Display) shows the normal form.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] for a wildcard elsewhere than in front, a network with host bits, a
    /// missing port part, and whatever is no host or port.
    pub fn parse(raw: &str) -> Result<Self, HostError> {
        if raw.is_empty() {
            return Err(HostError::Empty);
        }
        // Ports may follow a full-length host.
        if raw.len() > 2 * MAX_RAW_BYTES {
            return Err(HostError::TooLong { host: excerpt(raw) });
        }
        let (host, ports) = split_port(raw, |pattern| HostError::NoPort { pattern })?;
        Ok(Self { hosts: Hosts::parse(host)?, ports: Ports::parse(ports)? })
    }

    /// Says whether `endpoint` is one of those meant.
    ///
    /// A name pattern never matches an address and a network never matches a name.
    #[must_use]
    pub fn matches(&self, endpoint: &Endpoint) -> bool {
        self.ports.contain(endpoint.port) && self.hosts.contain(&endpoint.host)
    }

    /// Says whether `endpoint` is one of those meant, or its traffic may end at one.
    ///
    /// This one also looks at an [embedded](embedded_ipv4) IPv4 address: for patterns that forbid
    /// or subtract.
    #[must_use]
    pub fn touches(&self, endpoint: &Endpoint) -> bool {
        let inner = endpoint.host.address().and_then(|address| embedded_ipv4(&address));
        self.matches(endpoint)
            || inner.is_some_and(|inner| {
                self.ports.contain(endpoint.port)
                    && self.hosts.contain(&Host::Address(IpAddr::V4(inner)))
            })
    }

    /// Says whether every endpoint that `other` means is meant.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.ports.contain_all(&other.ports) && self.hosts.contain_all(&other.hosts)
    }

    /// Says whether the host part is `*`.
    #[must_use]
    pub const fn is_any_host(&self) -> bool {
        matches!(self.hosts, Hosts::Any)
    }

    /// Says whether the port part covers every port.
    #[must_use]
    pub const fn covers_any_port(&self) -> bool {
        matches!(self.ports, Ports::Any)
    }

    /// Returns the addresses that the host part means, if it is an address or a network.
    #[must_use]
    pub fn network(&self) -> Option<IpNet> {
        match self.hosts {
            Hosts::Address(address) => Some(IpNet::from(address)),
            Hosts::Network(network) => Some(network),
            Hosts::Any | Hosts::Name(_) | Hosts::Below(_) => None,
        }
    }
}

impl From<&Endpoint> for HostPattern {
    /// Means this endpoint and no other.
    fn from(endpoint: &Endpoint) -> Self {
        let hosts = match &endpoint.host {
            Host::Name(name) => Hosts::Name(name.clone()),
            Host::Address(address) => Hosts::Address(*address),
        };
        Self { hosts, ports: Ports::Ranges(Box::new([(endpoint.port, endpoint.port)])) }
    }
}

impl std::str::FromStr for HostPattern {
    type Err = HostError;

    fn from_str(raw: &str) -> Result<Self, HostError> {
        Self::parse(raw)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Any => f.write_str("*")?,
            Hosts::Name(name) => write!(f, "{name}")?,
            Hosts::Below(suffix) => write!(f, "*.{suffix}")?,
            Hosts::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Hosts::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Hosts::Network(IpNet::V4(network)) => write!(f, "{network}")?,
            Hosts::Network(IpNet::V6(network)) => write!(f, "[{network}]")?,
        }
        let Ports::Ranges(ranges) = &self.ports else {
            return f.write_str(":*");
        };
        for (index, (first, last)) in ranges.iter().enumerate() {
            f.write_str(if index == 0 { ":" } else { "," })?;
            write!(f, "{first}")?;
            if first != last {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Hosts {
    Any,
    Name(HostName),
    Below(HostName),
    Address(IpAddr),
    // INVARIANT: no host bits, more than one address, not inside the IPv4-mapped range.
    Network(IpNet),
}

impl Hosts {
    fn parse(raw: &str) -> Result<Self, HostError> {
        if raw == "*" {
            return Ok(Self::Any);
        }
        let below = raw.strip_prefix("*.");
        let host = below.unwrap_or(raw);
        if host.contains('*') || below == Some("") {
            return Err(HostError::Wildcard { pattern: excerpt(raw) });
        }
        if below.is_none() && host.contains('/') {
            return parse_network(raw);
        }
        match (Host::parse(host)?, below) {
            (Host::Name(name), None) => Ok(Self::Name(name)),
            (Host::Name(suffix), Some(_)) => Ok(Self::Below(suffix)),
            (Host::Address(address), None) => Ok(Self::Address(address)),
            (Host::Address(_), Some(_)) => Err(HostError::Wildcard { pattern: excerpt(raw) }),
        }
    }

    fn contain_all(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Name(name)) => self.contain(&Host::Name(name.clone())),
            (_, Self::Address(address)) => self.contain(&Host::Address(*address)),
            (Self::Below(suffix), Self::Below(other)) => suffix == other || other.is_below(suffix),
            (Self::Network(network), Self::Network(other)) => network.contains(other),
            _ => false,
        }
    }

    fn contain(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Name(name), Host::Name(host)) => name == host,
            (Self::Below(suffix), Host::Name(host)) => host.is_below(suffix),
            (Self::Address(address), Host::Address(host)) => address == host,
            (Self::Network(network), Host::Address(host)) => network.contains(host),
            (Self::Name(_) | Self::Below(_), Host::Address(_))
            | (Self::Address(_) | Self::Network(_), Host::Name(_)) => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Ports {
    Any,
    // INVARIANT: first to last, ascending, with a gap between each and the next, not all ports.
    Ranges(Box<[(u16, u16)]>),
}

impl Ports {
    fn parse(raw: &str) -> Result<Self, HostError> {
        if raw == "*" {
            return Ok(Self::Any);
        }
        let invalid = || HostError::Ports { ports: excerpt(raw) };
        if raw.split(',').count() > MAX_PORT_RANGES {
            return Err(invalid());
        }
        let mut ranges = Vec::new();
        for item in raw.split(',') {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let first = parse_port(first).map_err(|_| invalid())?;
            let last = parse_port(last).map_err(|_| invalid())?;
            if first > last {
                return Err(invalid());
            }
            ranges.push((first, last));
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last)
                }
                _ => merged.push((first, last)),
            }
        }
        if merged == [(1, u16::MAX)] {
            return Ok(Self::Any);
        }
        Ok(Self::Ranges(merged.into()))
    }

    fn contain_all(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Ranges(_), Self::Any) => false,
            // Ranges are merged, so one range lies in one range.
            (Self::Ranges(ranges), Self::Ranges(others)) => others
                .iter()
                .all(|other| ranges.iter().any(|range| range.0 <= other.0 && other.1 <= range.1)),
        }
    }

    fn contain(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Ranges(ranges) => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&port))
            }
        }
    }
}

fn parse_network(raw: &str) -> Result<Hosts, HostError> {
    let invalid = || HostError::Network { network: excerpt(raw) };
    let inner = raw.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let (address, prefix) = inner.unwrap_or(raw).split_once('/').ok_or_else(invalid)?;
    // Not `IpNet::from_str`: it reads `010.0.0.0` as 10.0.0.0, and the host parser as 8.0.0.0.
    let address: IpAddr = address.parse().map_err(|_| invalid())?;
    let plain = prefix == "0" || !prefix.starts_with(['0', '+']);
    let prefix = prefix.parse().ok().filter(|_| plain).ok_or_else(invalid)?;
    let network = IpNet::new(address, prefix).map_err(|_| invalid())?;
    if network.addr() != network.network() || inner.is_some() != address.is_ipv6() {
        return Err(invalid());
    }
    let network = match (network, canonical_address(network.addr())) {
        // ::ffff:a.b.c.d/96 and longer lie inside the IPv4-mapped range.
        (IpNet::V6(mapped), IpAddr::V4(address)) if mapped.prefix_len() >= 96 => {
            IpNet::V4(Ipv4Net::new(address, mapped.prefix_len() - 96).map_err(|_| invalid())?)
        }
        _ => network,
    };
    if network.prefix_len() == network.max_prefix_len() {
        return Ok(Hosts::Address(network.addr()));
    }
    Ok(Hosts::Network(network))
}
