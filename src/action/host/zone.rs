//! What kind of place a host is, by the registries of IANA and the documentation of the clouds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Host, canonical_address};

/// What kind of place a host is, from the least to the most sensitive; `max` takes the worse of
/// two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Zone {
    /// A name that says nothing about where it leads.
    Name,
    /// An address that anybody on the Internet can have.
    Global,
    /// Any other address of the IANA special-purpose registries that is not global: shared,
    /// documentation, benchmarking, multicast, reserved, translated.
    Special,
    /// A private network: RFC 1918, unique local (RFC 4193), site-local (RFC 3879).
    Private,
    /// The local link (RFC 3927, RFC 4291 §2.5.6).
    LinkLocal,
    /// The own host. `0.0.0.0` and `::` count, because connecting to them on Linux ends there.
    Loopback,
    /// A service of a cloud that hands credentials or configuration to whoever asks.
    Metadata,
}

impl Zone {
    /// Tells the zone of an address as a destination.
    ///
    /// An [embedded](embedded_ipv4) IPv4 address is looked at too, and the worse of both counts.
    #[must_use]
    pub fn of_address(address: &IpAddr) -> Self {
        let address = canonical_address(*address);
        let zone = match address {
            IpAddr::V4(address) => zone_of_ipv4(address),
            IpAddr::V6(address) => zone_of_ipv6(address),
        };
        embedded_ipv4(&address).map_or(zone, |inner| zone.max(zone_of_ipv4(inner)))
    }

    /// Tells the zone of a host as a destination.
    ///
    /// # Security
    ///
    /// A name is [`Zone::Name`] unless it is known to mean the own host or a metadata service. What
    /// it resolves to can be anything: ask [`of_address`](Self::of_address) about that.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        match host {
            Host::Address(address) => Self::of_address(address),
            Host::Name(name) if is_metadata_name(name.as_str()) => Self::Metadata,
            Host::Name(name) if is_loopback_name(name.as_str()) => Self::Loopback,
            Host::Name(_) => Self::Name,
        }
    }

    /// Tells the zone from which a listener at `host` can be reached.
    ///
    /// It differs from [`of`](Self::of) for `0.0.0.0` and `::`: who listens there listens on
    /// every interface, which is [`Zone::Global`].
    #[must_use]
    pub fn of_listener(host: &Host) -> Self {
        match host {
            Host::Address(address) if address.is_unspecified() => Self::Global,
            _ => Self::of(host),
        }
    }

    /// Returns the stable name of the zone.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Global => "global",
            Self::Special => "special",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Loopback => "loopback",
            Self::Metadata => "metadata",
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Finds the IPv4 address that traffic to an IPv6 address may end at.
///
/// These are IPv4-mapped (RFC 4291 §2.5.5.2), IPv4-compatible (RFC 4291 §2.5.5.1), IPv4-translated
/// (RFC 2765 §2.1), NAT64 (`64:ff9b::/96`, RFC 6052 §2.1; `64:ff9b:1::/48`, RFC 8215, read as a
/// `/96`), 6to4 (`2002::/16`, RFC 3056 §2) and Teredo (`2001::/32`, RFC 4380 §4, the client)
/// addresses.
#[must_use]
pub fn embedded_ipv4(address: &IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let [a, b, c, d, e, f, high, low] = address.segments();
    let last = (u32::from(high) << 16) | u32::from(low);
    let bits = match (a, b, c, d, e, f) {
        // `::` and `::1` are addresses of their own.
        (0, 0, 0, 0, 0, 0) if last > 1 => last,
        (0, 0, 0, 0, 0, 0xffff) | (0, 0, 0, 0, 0xffff, 0) => last,
        (0x64, 0xff9b, 0, 0, 0, 0) | (0x64, 0xff9b, 1, ..) => last,
        (0x2002, ..) => (u32::from(b) << 16) | u32::from(c),
        (0x2001, 0, ..) => !last,
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(bits))
}

/// Tells the zone by the IANA IPv4 Special-Purpose Address Registry.
fn zone_of_ipv4(address: Ipv4Addr) -> Zone {
    if METADATA_IPV4.contains(&address) {
        return Zone::Metadata;
    }
    match address.octets() {
        [0, 0, 0, 0] | [127, ..] => Zone::Loopback,
        [169, 254, ..] => Zone::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Zone::Private,
        // The anycast addresses of PCP (RFC 7723) and TURN (RFC 8155) are global.
        [192, 0, 0, 9 | 10] => Zone::Global,
        [0, ..]                     // this network, RFC 791 §3.2
        | [100, 64..=127, ..]       // shared between carrier and customer, RFC 6598
        | [192, 0, 0, _]            // IETF protocol assignments, RFC 6890 §2.1
        | [192, 0, 2, _]            // documentation, RFC 5737
        | [192, 88, 99, _]          // 6to4 relays, deprecated by RFC 7526
        | [198, 18..=19, ..]        // benchmarking, RFC 2544
        | [198, 51, 100, _]         // documentation, RFC 5737
        | [203, 0, 113, _]          // documentation, RFC 5737
        | [224..=255, ..]           // multicast, RFC 5771; reserved, RFC 1112 §4; broadcast
        => Zone::Special,
        _ => Zone::Global,
    }
}

/// Tells the zone by the IANA IPv6 Special-Purpose Address Registry; nothing outside `2000::/3` and
/// NAT64 is global.
fn zone_of_ipv6(address: Ipv6Addr) -> Zone {
    if METADATA_IPV6.contains(&address) {
        return Zone::Metadata;
    }
    if address.is_unspecified() || address.is_loopback() {
        return Zone::Loopback;
    }
    match address.segments() {
        [0xfe80..=0xfebf, ..] => Zone::LinkLocal,
        // Unique local, RFC 4193; site-local, deprecated by RFC 3879.
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Zone::Private,
        // NAT64 to a global IPv4 address, RFC 6052.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Zone::Global,
        // Inside the IETF assignments: anycast of PCP, TURN and DNS-SD (RFC 7723, 8155, 9665), AMT
        // (RFC 7450), AS112 (RFC 7535), ORCHIDv2 (RFC 7343), drone remote id (RFC 9374).
        [0x2001, 1, 0, 0, 0, 0, 0, 1..=3]
        | [0x2001, 3, ..]
        | [0x2001, 4, 0x112, ..]
        | [0x2001, 0x20..=0x3f, ..] => Zone::Global,
        [0x2001, 0..=0x1ff, ..]     // other IETF assignments, RFC 2928; Teredo, RFC 4380
        | [0x2001, 0xdb8, ..]       // documentation, RFC 3849
        | [0x2002, ..]              // 6to4, RFC 3056
        | [0x3fff, 0..=0xfff, ..]   // documentation, RFC 9637
        => Zone::Special,
        [0x2000..=0x3fff, ..] => Zone::Global,
        _ => Zone::Special,
    }
}

/// IPv4 addresses of metadata and credential services.
const METADATA_IPV4: [Ipv4Addr; 8] = [
    // AWS EC2 (docs.aws.amazon.com, "Use instance metadata"), Google Cloud, Azure (Azure Instance
    // Metadata Service), OpenStack Nova, Oracle, DigitalOcean, Hetzner, IBM and most others.
    Ipv4Addr::new(169, 254, 169, 254),
    // AWS ECS task metadata and credentials (docs.aws.amazon.com, "Amazon ECS task IAM role").
    Ipv4Addr::new(169, 254, 170, 2),
    // AWS EKS Pod Identity Agent (docs.aws.amazon.com, "Set up the Amazon EKS Pod Identity Agent").
    Ipv4Addr::new(169, 254, 170, 23),
    // Tencent Cloud CVM (`metadata.tencentyun.com` in its guide "Viewing instance metadata").
    Ipv4Addr::new(169, 254, 0, 23),
    // Scaleway (cloud-init documentation, data source Scaleway).
    Ipv4Addr::new(169, 254, 42, 42),
    // Alibaba Cloud ECS (alibabacloud.com/help, "Instance metadata").
    Ipv4Addr::new(100, 100, 100, 200),
    // Azure WireServer (learn.microsoft.com, "What is IP address 168.63.129.16?").
    Ipv4Addr::new(168, 63, 129, 16),
    // Oracle Cloud Classic (docs.oracle.com, "Retrieving instance metadata").
    Ipv4Addr::new(192, 0, 0, 192),
];

/// IPv6 addresses of metadata and credential services.
const METADATA_IPV6: [Ipv6Addr; 7] = [
    // AWS EC2 on Nitro (docs.aws.amazon.com, "Use instance metadata").
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    // AWS EKS Pod Identity Agent (docs.aws.amazon.com, "Set up the Amazon EKS Pod Identity Agent").
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    // Google Cloud, IPv6-only instances (cloud.google.com, "About VM metadata").
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    // OpenStack Nova (docs.openstack.org, "Metadata service").
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    // Oracle Cloud Infrastructure (OCI Python SDK, instance principals).
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    // Scaleway (cloud-init documentation, data source Scaleway).
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    // Akamai Cloud, formerly Linode (techdocs.akamai.com, "Metadata service").
    Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1),
];

/// Says whether clouds resolve `name` to a metadata service.
fn is_metadata_name(name: &str) -> bool {
    match name {
        "metadata.google.internal" | "metadata.goog" // Google Cloud, "About VM metadata"
        | "metadata"                                 // the same through its search domain
        | "instance-data" | "instance-data.ec2.internal" // AWS EC2 internal names
        | "metadata.tencentyun.com"                  // Tencent Cloud
        | "api.metadata.cloud.ibm.com"               // IBM Cloud VPC
        | "metadata.azure.internal"                  // Azure, by the block lists of others
        | "metadata.platformequinix.com" | "metadata.packet.net" // Equinix Metal
        | "rancher-metadata"                         // Rancher
        => true,
        // AWS EC2 outside us-east-1: `instance-data.<region>.compute.internal`.
        _ => name.starts_with("instance-data.") && name.ends_with(".compute.internal"),
    }
}

/// Says whether `name` means the own host: RFC 6761 §6.3 and what distributions put in
/// `/etc/hosts`.
fn is_loopback_name(name: &str) -> bool {
    matches!(
        name,
        "localhost"
            | "localhost.localdomain"
            | "localhost4"
            | "localhost4.localdomain4"
            | "localhost6"
            | "localhost6.localdomain6"
            | "ip6-localhost"
            | "ip6-loopback"
    ) || name.ends_with(".localhost")
}
