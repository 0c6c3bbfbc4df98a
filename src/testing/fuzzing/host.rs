//! Hosts: one form for every spelling, and none that hides a metadata service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Choices, check_message};
use crate::action::host::{Endpoint, Host, HostPattern, Zone, embedded_ipv4};

/// Parses text as a host, an endpoint and a pattern, each of which must parse from what it displays;
/// and reads the same bytes as choices of how to spell a metadata service, which must be known as
/// one however it is spelled.
pub fn host(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        check_host(text);
        check_endpoint(text);
        check_pattern(text);
    }
    check_metadata(&spell_address(&mut Choices(data)));
    check_metadata(&spell_name(&mut Choices(data)));
}

fn check_host(text: &str) {
    let host = match Host::parse(text) {
        Ok(host) => host,
        Err(error) => return check_message(&error),
    };
    let shown = host.to_string();
    assert_eq!(Host::parse(&shown).as_ref(), Ok(&host), "{text:?}");
    assert!(shown.is_ascii() && shown == shown.to_ascii_lowercase(), "{shown}");
    match &host {
        Host::Name(name) => {
            assert!(shown.parse::<IpAddr>().is_err(), "{shown} is a name and an address");
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            assert!(shown.bytes().all(plain) && !shown.starts_with(['-', '.']), "{shown}");
            // A trailing dot, upper case and full-width letters change nothing.
            for spelled in [
                format!("{shown}."),
                shown.to_ascii_uppercase(),
                shown.chars().map(full_width).collect(),
            ] {
                if let Ok(other) = Host::parse(&spelled) {
                    assert_eq!(other, host, "{spelled}");
                }
            }
            assert!(name.labels().all(|label| !label.is_empty()));
        }
        Host::Address(address) => {
            assert_eq!(Host::from(*address), host);
            if let IpAddr::V6(v6) = address {
                assert_eq!(v6.to_ipv4_mapped(), None, "{shown}");
            }
            let mapped = match address {
                IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
                v6 => *v6,
            };
            assert_eq!(Zone::of_address(&mapped), Zone::of(&host), "{shown}");
            if let Some(inner) = embedded_ipv4(address) {
                let inner = Zone::of_address(&IpAddr::V4(inner));
                assert!(Zone::of(&host) >= inner, "{shown} hides {inner}");
            }
        }
    }
}

fn check_endpoint(text: &str) {
    let Ok(endpoint) = Endpoint::parse(text) else { return };
    assert_eq!(Endpoint::parse(&endpoint.to_string()).as_ref(), Ok(&endpoint), "{text:?}");
    assert_ne!(endpoint.port(), 0);
    let pattern = HostPattern::from(&endpoint);
    assert!(pattern.matches(&endpoint) && pattern.touches(&endpoint), "{endpoint}");
    assert_eq!(HostPattern::parse(&endpoint.to_string()).as_ref(), Ok(&pattern), "{endpoint}");
}

fn check_pattern(text: &str) {
    let pattern = match HostPattern::parse(text) {
        Ok(pattern) => pattern,
        Err(error) => return check_message(&error),
    };
    assert_eq!(HostPattern::parse(&pattern.to_string()).as_ref(), Ok(&pattern), "{text:?}");
    for (host, port) in PROBES {
        let Ok(endpoint) = Host::parse(host).and_then(|host| Endpoint::new(host, port)) else {
            continue;
        };
        let matches = pattern.matches(&endpoint);
        assert!(pattern.touches(&endpoint) || !matches, "{pattern} matches {endpoint} untouched");
        if pattern.is_any_host() && pattern.covers_any_port() {
            assert!(matches, "{pattern} leaves {endpoint} out");
        }
        if let (Some(network), true) = (pattern.network(), matches) {
            assert!(endpoint.host().address().is_some_and(|ip| network.contains(&ip)));
        }
    }
}

const PROBES: [(&str, u16); 6] = [
    ("git.example.org", 443),
    ("a.b.example.org", 80),
    ("169.254.169.254", 80),
    ("64:ff9b::a9fe:a9fe", 80),
    ("10.0.8.7", 5432),
    ("::1", 65535),
];

#[track_caller]
fn check_metadata(spelled: &str) {
    if let Ok(host) = Host::parse(spelled) {
        assert_eq!(Zone::of(&host), Zone::Metadata, "{spelled:?} is {host}");
        if let Ok(endpoint) = Endpoint::new(host, 80) {
            assert_eq!(Zone::of(endpoint.host()), Zone::Metadata);
        }
    }
}

const ADDRESSES: [Ipv4Addr; 8] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(169, 254, 0, 23),
    Ipv4Addr::new(169, 254, 42, 42),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

const NAMES: [&str; 6] = [
    "metadata.google.internal",
    "metadata.goog",
    "metadata",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
];

fn spell_address(choices: &mut Choices<'_>) -> String {
    let address = choices.one_of(&ADDRESSES);
    let [a, b, c, d] = address.octets();
    match choices.byte() % 12 {
        0 => format!("[{}]", address.to_ipv6_mapped()),
        1 => format!("::ffff:{address}"),
        2 => format!("[::ffff:{:x}:{:X}]", u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
        3 => format!("[64:ff9b::{address}]"),
        4 => format!("[{}]", Ipv6Addr::from(u128::from(u32::from(address)))),
        5 => format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::"),
        6 => format!("[0:0:0:0:ffff:0:{address}]"),
        _ => spell_ipv4(address, choices),
    }
}

/// Spells an address as `inet_aton` and browsers read it: one to four parts in three bases.
fn spell_ipv4(address: Ipv4Addr, choices: &mut Choices<'_>) -> String {
    let [a, b, c, d] = address.octets().map(u32::from);
    let parts = match choices.byte() % 4 {
        0 => vec![a, b, c, d],
        1 => vec![a, b, c << 8 | d],
        2 => vec![a, b << 16 | c << 8 | d],
        _ => vec![u32::from(address)],
    };
    let mut spelled = String::new();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            spelled
                .push_str(choices.one_of(&[".", "\u{3002}", "\u{ff0e}", "\u{ff61}", "%2e", "%2E"]));
        }
        let digits = match choices.byte() % 6 {
            0 => format!("{part:#x}"),
            1 => format!("0X{part:X}"),
            2 => format!("0{part:o}"),
            3 => format!("0x000{part:x}"),
            4 => format!("000{part:o}"),
            _ => part.to_string(),
        };
        spelled.push_str(&disguise(&digits, choices));
    }
    if choices.byte() % 4 == 1 {
        spelled.push('.');
    }
    spelled
}

fn spell_name(choices: &mut Choices<'_>) -> String {
    let name = choices.one_of(&NAMES);
    let mut spelled = disguise(name, choices);
    if choices.byte() % 2 == 1 {
        spelled.push('.');
    }
    spelled
}

/// Writes `text` in characters that the host parser takes to those of `text`, or refuses.
fn disguise(text: &str, choices: &mut Choices<'_>) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match choices.byte() % 8 {
            1 => out.push(c.to_ascii_uppercase()),
            2 => out.push(full_width(c)),
            3 => out.push_str(&format!("%{:02x}", u32::from(c))),
            4 => out.push_str(&format!("%{:02X}", u32::from(c.to_ascii_uppercase()))),
            5 => out.push(bold(c)),
            6 => {
                out.push(c);
                out.push(
                    choices.one_of(&['\u{ad}', '\u{200b}', '\u{200d}', '\u{fe0f}', '\u{2060}']),
                );
            }
            _ => out.push(c),
        }
    }
    out
}

fn full_width(c: char) -> char {
    match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// The mathematical bold form of a letter or digit.
fn bold(c: char) -> char {
    let shifted = |base: u32, first: char| char::from_u32(base + (u32::from(c) - u32::from(first)));
    match c {
        'a'..='z' => shifted(0x1d41a, 'a').unwrap_or(c),
        '0'..='9' => shifted(0x1d7ce, '0').unwrap_or(c),
        _ => c,
    }
}
