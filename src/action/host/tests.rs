use std::net::Ipv4Addr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

/// Gives the normal form or the reason code.
fn shown(raw: &str) -> String {
    Host::parse(raw).map_or_else(|error| error.code().to_owned(), |host| host.to_string())
}

fn check(raw: &str, expected: &str) {
    assert_eq!(shown(raw), expected, "{raw:?}");
}

fn zone(raw: &str) -> Zone {
    Zone::of(&Host::parse(raw).unwrap())
}

fn at(raw: &str) -> Endpoint {
    Endpoint::parse(raw).unwrap()
}

#[test]
fn names_take_their_normal_form() {
    check("example.org", "example.org");
    check("EXAMPLE.Org", "example.org");
    check("example.org.", "example.org");
    check("a_b.example.org", "a_b.example.org");
    check("_acme-challenge.example.org", "_acme-challenge.example.org");
    check("r3---sn-x.example.org", "r3---sn-x.example.org");
    check("ex%61mple.org", "example.org");
    check("example%2eorg", "example.org");
    check("example。org", "example.org");
    check("ｅｘａｍｐｌｅ．ｏｒｇ", "example.org");
    check("bücher.example", "xn--bcher-kva.example");
    check("BÜCHER.example", "xn--bcher-kva.example");
    check("xn--bcher-kva.example", "xn--bcher-kva.example");
    check("faß.de", "xn--fa-hia.de");
    check("1.example", "1.example");
    check("3com.example", "3com.example");
    check("localhost", "localhost");
}

#[test]
fn what_is_no_host_is_refused() {
    check("", "host.empty");
    for raw in [
        ".",
        "..",
        "a..b",
        ".a",
        "a..",
        "-a.example",
        "a-.example",
        "-oProxyCommand=x",
        "a b",
        " a",
        "a ",
        "*",
        "*.example.org",
        "a*b",
        "user@example.org",
        "user%40example.org",
        "user:pass@example.org",
        "example.org:443",
        "example.org/x",
        "example.org%2fx",
        "example.org\\x",
        "example.org?x",
        "example.org#x",
        "http://example.org",
        "a%zz",
        "a%",
        "%25",
        "%2531",
        "%ff",
        "a;b",
        "a|b",
        "a`b",
        "$HOME",
        "a,b",
        "a=b",
        "!a",
        "~",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.256",
        "4294967296",
        "0x100000000",
        "08.1.1.1",
        "example.1",
        "example.0x1",
        "1.2.3.4..",
        "[]",
        "[",
        "]",
        "[::1",
        "::1]",
        "[::1]:80",
        "[127.0.0.1]",
        "[example.org]",
        ":::",
        ":",
        "1:2",
        "::ffff:127.1",
        "::ffff:0x7f.0.0.1",
        "xn--a",
        "xn--",
        "［::1］",
    ] {
        check(raw, "host.invalid");
    }
    check("[fe80::1%eth0]", "host.zone_id");
    check("fe80::1%eth0", "host.zone_id");
    check("[fe80::1%25eth0]", "host.zone_id");
    check("::1%", "host.zone_id");
}

#[test]
fn hidden_characters_are_refused_before_idna_drops_them() {
    for raw in [
        "exam\u{ad}ple.org",
        "exam\u{200b}ple.org",
        "exam\u{200d}ple.org",
        "exam\u{2060}ple.org",
        "\u{202e}gro.elpmaxe",
        "\u{feff}example.org",
        "example.org\u{fe0f}",
        "example.org\u{a0}",
        "example\u{3000}.org",
        "example.org\n",
        "\texample.org",
        "example.org\0",
        "127.0.0.1\u{200b}",
        "exam%C2%ADple.org",
        "exam%e2%80%8bple.org",
        "example.org%00",
        "example.org%0a",
        "127.0.0.1%09",
    ] {
        check(raw, "host.invisible_character");
    }
}

#[test]
fn lengths_hold_at_their_edges() {
    let label = "a".repeat(MAX_LABEL_BYTES);
    check(&label, &label);
    check(&format!("{label}a"), "host.too_long");
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(longest.len(), MAX_NAME_BYTES);
    check(&longest, &longest);
    check(&format!("{longest}."), &longest);
    check(&format!("{longest}a"), "host.too_long");
    check(&"%61".repeat(63), &label);
    check(&"a".repeat(MAX_RAW_BYTES + 1), "host.too_long");
    check(&"ü".repeat(64), "host.too_long");
}

#[test]
fn idn_names_are_told() {
    let idn = |raw: &str| Host::parse(raw).unwrap().as_name().unwrap().is_idn();
    assert!(idn("bücher.example"));
    assert!(idn("www.xn--bcher-kva.example"));
    assert!(idn("ex\u{430}mple.org"));
    assert!(!idn("example.org"));
    assert!(!idn("a.xnn--b.org"));
    // A Cyrillic letter makes another name, not the one that it looks like.
    assert_ne!(shown("ex\u{430}mple.org"), "example.org");
}

#[test]
fn every_spelling_of_loopback_is_one_address() {
    for raw in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "127.1.",
        "2130706433",
        "2130706433.",
        "017700000001",
        "0177.0.0.1",
        "0177.0.0.01",
        "0177.1",
        "00000177.0.0.1",
        "0177.0x0.0.1",
        "0x7f.0.0.1",
        "0X7F.0.0.1",
        "0x7f.1",
        "0x7f.0x0.0x0.0x1",
        "0x7f000001",
        "0x000000007f000001",
        "0x7F000001",
        "0x7f.0.1",
        "127.0x1",
        "127.0.0.0x1",
        "127.0.0.0000001",
        "127.0.0x0.1",
        "%31%32%37.0.0.1",
        "127%2e0%2e0%2e1",
        "%30%78%37%66.1",
        "１２７.０.０.１",
        "１２７．０．０．１",
        "127。0。0。1",
        "127｡0｡0｡1",
        "①②⑦.⓪.⓪.①",
        "①②⑦.0.0.1",
        "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
        "𝟭𝟮𝟳.𝟬.𝟬.𝟭",
        "²¹³⁰⁷⁰⁶⁴³³",
        "２１３０７０６４３３",
        "０ｘ７ｆ.１",
        "%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1",
        "::ffff:127.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::FFFF:7f00:1]",
        "::ffff:7f00:1",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[0000:0000:0000:0000:0000:ffff:7f00:0001]",
        "0:0:0:0:0:FFFF:7F00:0001",
    ] {
        check(raw, "127.0.0.1");
        assert_eq!(zone(raw), Zone::Loopback, "{raw}");
    }
}

#[test]
fn every_spelling_of_the_metadata_address_is_one_address() {
    for raw in [
        "169.254.169.254",
        "169.254.169.254.",
        "2852039166",
        "0xa9fea9fe",
        "0xA9FEA9FE",
        "0xA9.0xFE.0xA9.0xFE",
        "0xa9.254.0251.254",
        "0251.0376.0251.0376",
        "0251.254.169.254",
        "00000251.00000376.000251.0000376",
        "025177524776",
        "169.254.43518",
        "169.16689662",
        "0xa9.16689662",
        "169.0xfe.43518",
        "169.254.0xa9fe",
        "%31%36%39.254.169.254",
        "169%2E254%2E169%2E254",
        "①⑥⑨.②⑤④.①⑥⑨.②⑤④",
        "１６９.２５４.１６９.２５４",
        "169。254。169。254",
        "169｡254｡169｡254",
        "１６９．２５４．１６９．２５４",
        "[::ffff:169.254.169.254]",
        "::ffff:a9fe:a9fe",
        "[::ffff:a9fe:a9fe]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]",
        "[0:0:0:0:0:ffff:169.254.169.254]",
        "[::FFFF:A9FE:A9FE]",
    ] {
        check(raw, "169.254.169.254");
        assert_eq!(zone(raw), Zone::Metadata, "{raw}");
    }
}

#[test]
fn addresses_inside_addresses_are_seen() {
    for raw in [
        "64:ff9b::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "[64:ff9b::a9fe:a9fe]",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:abcd::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "2002:a9fe:a9fe:1::5",
        "::169.254.169.254",
        "::a9fe:a9fe",
        "::ffff:0:169.254.169.254",
        "2001:0:4136:e378:8000:63bf:5601:5601",
    ] {
        let address = Host::parse(raw).unwrap().address().unwrap();
        assert_eq!(embedded_ipv4(&address), Some(Ipv4Addr::new(169, 254, 169, 254)), "{raw}");
        assert_eq!(zone(raw), Zone::Metadata, "{raw}");
    }
    for (raw, expected) in [
        ("64:ff9b::127.0.0.1", Zone::Loopback),
        ("64:ff9b::10.1.2.3", Zone::Private),
        ("64:ff9b::8.8.8.8", Zone::Global),
        ("64:ff9b:1::8.8.8.8", Zone::Special),
        ("2002:7f00:1::", Zone::Loopback),
        ("2002:a00:1::", Zone::Private),
        ("2002:808:808::", Zone::Special),
        ("::127.0.0.1", Zone::Loopback),
        ("::8.8.8.8", Zone::Special),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", Zone::Loopback),
    ] {
        assert_eq!(zone(raw), expected, "{raw}");
    }
    for raw in ["::", "::1", "2606:4700::1111", "127.0.0.1", "fe80::1"] {
        let address = Host::parse(raw).unwrap().address().unwrap();
        assert_eq!(embedded_ipv4(&address), None, "{raw}");
    }
    // As it comes from a resolver, not yet canonical.
    let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
    assert_eq!(Zone::of_address(&mapped), Zone::Loopback);
    assert_eq!(embedded_ipv4(&mapped), Some(Ipv4Addr::LOCALHOST));
    assert_eq!(Host::from(mapped), Host::parse("127.0.0.1").unwrap());
}

#[test]
fn zones_follow_the_registries() {
    let check = |expected: Zone, hosts: &[&str]| {
        for raw in hosts {
            assert_eq!(zone(raw), expected, "{raw}");
        }
    };
    check(
        Zone::Metadata,
        &[
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "169.254.0.23",
            "169.254.42.42",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fe80::a9fe:a9fe",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
            "metadata.google.internal",
            "METADATA.google.internal.",
            "metadata.goog",
            "metadata",
            "instance-data",
            "instance-data.ec2.internal",
            "instance-data.eu-west-1.compute.internal",
            "metadata.tencentyun.com",
        ],
    );
    check(
        Zone::Loopback,
        &[
            "127.0.0.1",
            "127.255.255.255",
            "0.0.0.0",
            "0",
            "::",
            "::1",
            "::ffff:0.0.0.0",
            "localhost",
            "LOCALHOST.",
            "a.b.localhost",
            "localhost.localdomain",
            "ip6-localhost",
            "ip6-loopback",
        ],
    );
    check(Zone::LinkLocal, &["169.254.0.1", "169.254.255.255", "fe80::1", "febf::1"]);
    check(
        Zone::Private,
        &[
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
        ],
    );
    check(
        Zone::Special,
        &[
            "0.0.0.1",
            "0.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.1",
            "192.0.0.255",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "100::1",
            "100:0:0:1::1",
            "2001:2::1",
            "2001:10::1",
            "2001:1ff::1",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "4000::1",
            "ff02::1",
            "::2",
        ],
    );
    check(
        Zone::Global,
        &[
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.0.9",
            "192.0.0.10",
            "192.0.1.1",
            "192.52.193.1",
            "192.167.255.255",
            "192.169.0.0",
            "223.255.255.255",
            "2000::1",
            "2001:1::1",
            "2001:3::1",
            "2001:4:112::1",
            "2001:20::1",
            "2001:3f::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "3fff:1000::1",
        ],
    );
    check(
        Zone::Name,
        &["example.org", "localhost.example.org", "xmetadata", "notlocalhost", "a.metadata.goog"],
    );
}

#[test]
fn the_worse_zone_wins_and_has_a_name() {
    let order = [
        (Zone::Name, "name"),
        (Zone::Global, "global"),
        (Zone::Special, "special"),
        (Zone::Private, "private"),
        (Zone::LinkLocal, "link-local"),
        (Zone::Loopback, "loopback"),
        (Zone::Metadata, "metadata"),
    ];
    assert!(order.is_sorted());
    assert!(order.iter().all(|(zone, name)| zone.as_str() == *name && zone.to_string() == *name));
}

#[test]
fn a_listener_on_every_interface_is_not_local() {
    let check = |raw: &str, expected: Zone| {
        assert_eq!(Zone::of_listener(&Host::parse(raw).unwrap()), expected, "{raw}");
    };
    check("0.0.0.0", Zone::Global);
    check("0", Zone::Global);
    check("::", Zone::Global);
    check("::ffff:0.0.0.0", Zone::Global);
    check("127.0.0.1", Zone::Loopback);
    check("::1", Zone::Loopback);
    check("10.0.0.1", Zone::Private);
    check("localhost", Zone::Loopback);
}

#[test]
fn endpoints() {
    let check = |raw: &str, expected: &str| {
        let shown = Endpoint::parse(raw)
            .map_or_else(|error| error.code().to_owned(), |endpoint| endpoint.to_string());
        assert_eq!(shown, expected, "{raw:?}");
    };
    check("example.org:443", "example.org:443");
    check("EXAMPLE.org.:443", "example.org:443");
    check("127.1:80", "127.0.0.1:80");
    check("[::1]:80", "[::1]:80");
    check("[::ffff:127.0.0.1]:80", "127.0.0.1:80");
    check("[2001:DB8:0:0::1]:65535", "[2001:db8::1]:65535");
    check("example.org", "host.port");
    check("example.org:", "host.port");
    check("example.org:0", "host.port");
    check("example.org:00", "host.port");
    check("example.org:080", "host.port");
    check("example.org:+80", "host.port");
    check("example.org:-1", "host.port");
    check("example.org: 80", "host.port");
    check("example.org:80 ", "host.port");
    check("example.org:65536", "host.port");
    check("example.org:https", "host.port");
    check("example.org:８０", "host.port");
    check("::1:80", "host.port");
    check("::1", "host.port");
    check("[::1]", "host.port");
    check("a:b:80", "host.port");
    check(":80", "host.empty");
    check("user@example.org:22", "host.invalid");
    check("[fe80::1%eth0]:80", "host.zone_id");
    check("", "host.port");
    assert_eq!(Endpoint::new(Host::parse("a").unwrap(), 0).unwrap_err().code(), "host.port");
    assert_eq!(at("a:1").host().as_name().unwrap().as_str(), "a");
    assert_eq!(at("a:1").port(), 1);
}

#[test]
fn patterns_take_their_normal_form() {
    let check = |raw: &str, expected: &str| {
        let shown = HostPattern::parse(raw)
            .map_or_else(|error| error.code().to_owned(), |pattern| pattern.to_string());
        assert_eq!(shown, expected, "{raw:?}");
    };
    check("git.example.org:443", "git.example.org:443");
    check("Git.Example.org.:443", "git.example.org:443");
    check("*.Example.org:443", "*.example.org:443");
    check("*.bücher.example:443", "*.xn--bcher-kva.example:443");
    check("*.localhost:1", "*.localhost:1");
    check("*:*", "*:*");
    check("*:443", "*:443");
    check("10.0.8.0/24:5432", "10.0.8.0/24:5432");
    check("0.0.0.0/0:*", "0.0.0.0/0:*");
    check("10.1.2.3/32:5432", "10.1.2.3:5432");
    check("0x7f.1:80", "127.0.0.1:80");
    check("[::1]:443", "[::1]:443");
    check("[2001:db8::/32]:443", "[2001:db8::/32]:443");
    check("[2001:DB8:0::/32]:443", "[2001:db8::/32]:443");
    check("[::/0]:443", "[::/0]:443");
    check("[::1/128]:443", "[::1]:443");
    check("[::ffff:10.0.0.0/104]:443", "10.0.0.0/8:443");
    check("[::ffff:0:0/96]:443", "0.0.0.0/0:443");
    check("[::ffff:7f00:1/128]:443", "127.0.0.1:443");
    check("[::ffff:127.0.0.1]:443", "127.0.0.1:443");
    check("a:80,443", "a:80,443");
    check("a:443,80,80", "a:80,443");
    check("a:8000-8010", "a:8000-8010");
    check("a:8000-8000", "a:8000");
    check("a:1-10,5-20,21,30", "a:1-21,30");
    check("a:1-65535", "a:*");
    check("a:1-100,101-65535", "a:*");
    check("a:65535,65534", "a:65534-65535");

    for raw in [
        "git.example.org",
        "git.example.org:",
        "10.0.8.0/24",
        "*",
        "*.example.org",
        "[::1]",
        "::1:443",
        "2001:db8::/32:443",
        "a:0",
        "a:443,",
        "a:,443",
        "a:443,,80",
        "a:443,*",
        "a:**",
        "a:80-",
        "a:-80",
        "a:90-80",
        "a:0-80",
        "a:1-65536",
        "a:1-2-3",
        "a:080",
        "a:80 ",
        "a: 80",
        "a:https",
    ] {
        check(raw, "host.port");
    }
    for raw in [
        "*.:443",
        "**:443",
        "*.*.example.org:443",
        "a.*.example.org:443",
        "*example.org:443",
        "example.*:443",
        "*.10.0.0.1:443",
        "*.1:443",
        "*/8:443",
        "10.0.8.1/24:443",
        "10.0.8.0/33:443",
        "10.0.8.0/:443",
        "10.0.8.0/+24:443",
        "10.0.8.0/024:443",
        "10.0.8.0/00:443",
        "10.0.8.0/24/24:443",
        "0xa.0.8.0/24:443",
        "[fe80::%eth0/64]:443",
        "10.0.8.0/255.255.255.0:443",
        "10.8/24:443",
        "010.0.8.0/24:443",
        "example.org/24:443",
        "[10.0.8.0/24]:443",
        "[2001:db8::1/32]:443",
        "[2001:db8::]/32:443",
        "[::ffff:10.0.0.1/104]:443",
    ] {
        check(raw, "host.pattern");
    }
    check("*.example.org/24:443", "host.invalid");
    check("a b:443", "host.invalid");
    check("", "host.empty");
    check(":443", "host.empty");
    check("[fe80::1%eth0]:443", "host.zone_id");
    check("exam\u{200b}ple.org:443", "host.invisible_character");
    check(&format!("{}:443", "a".repeat(64)), "host.too_long");
    let ports =
        |count: usize| (1..=count).map(|n| (n * 2).to_string()).collect::<Vec<_>>().join(",");
    let most = format!("a:{}", ports(MAX_PORT_RANGES));
    check(&most, &most);
    check(&format!("a:{}", ports(MAX_PORT_RANGES + 1)), "host.port");
    check(&format!("a:{}", "1,".repeat(MAX_RAW_BYTES)), "host.too_long");
}

#[test]
fn patterns_match_what_they_say() {
    let check = |pattern: &str, yes: &[&str], no: &[&str]| {
        let pattern: HostPattern = pattern.parse().unwrap();
        for raw in yes {
            assert!(pattern.matches(&at(raw)), "{pattern} should match {raw}");
            assert!(pattern.touches(&at(raw)), "{pattern} should touch {raw}");
        }
        for raw in no {
            assert!(!pattern.matches(&at(raw)), "{pattern} should not match {raw}");
        }
    };
    check(
        "git.example.org:443",
        &["git.example.org:443", "GIT.example.org.:443"],
        &[
            "git.example.org:80",
            "example.org:443",
            "a.git.example.org:443",
            "git.example.org.evil:443",
        ],
    );
    check(
        "*.example.org:443",
        &["a.example.org:443", "a.b.example.org:443"],
        &[
            "example.org:443",
            "badexample.org:443",
            "a.example.org:444",
            "a.example.org.evil.com:443",
        ],
    );
    check("*:22", &["a:22", "1.2.3.4:22", "[::1]:22"], &["a:23"]);
    check("*:*", &["a:22", "1.2.3.4:1", "[::1]:65535"], &[]);
    check(
        "10.0.8.0/24:5432",
        &["10.0.8.0:5432", "10.0.8.255:5432", "[::ffff:10.0.8.7]:5432", "0xa000807:5432"],
        &[
            "10.0.9.0:5432",
            "10.0.7.255:5432",
            "a:5432",
            "[::a00:807]:5432",
            "[64:ff9b::a00:807]:5432",
        ],
    );
    check(
        "[2001:db8::/32]:443",
        &["[2001:db8::1]:443", "[2001:db8:ffff::]:443"],
        &["[2001:db9::1]:443", "32.1.13.184:443"],
    );
    check("[::/0]:1", &["[::1]:1"], &["127.0.0.1:1", "[::ffff:127.0.0.1]:1", "a:1"]);
    check("127.0.0.1:80", &["127.1:80", "[::ffff:7f00:1]:80"], &["127.0.0.2:80", "localhost:80"]);
    check("[::1]:80", &["[0:0::1]:80"], &["127.0.0.1:80", "[::2]:80"]);
    check(
        "a:80,443,8000-8010",
        &["a:80", "a:443", "a:8000", "a:8005", "a:8010"],
        &["a:79", "a:81", "a:7999", "a:8011", "a:1", "a:65535"],
    );
}

#[test]
fn subtracting_patterns_see_embedded_addresses() {
    let pattern = HostPattern::parse("169.254.0.0/16:80").unwrap();
    assert!(!pattern.matches(&at("[64:ff9b::a9fe:a9fe]:80")));
    assert!(pattern.touches(&at("[64:ff9b::a9fe:a9fe]:80")));
    assert!(pattern.touches(&at("[2002:a9fe:a9fe::1]:80")));
    assert!(!pattern.touches(&at("[64:ff9b::a9fe:a9fe]:81")));
    assert!(!pattern.touches(&at("[64:ff9b::808:808]:80")));
    assert!(!pattern.touches(&at("example.org:80")));
}

#[test]
fn patterns_tell_what_a_reviewer_asks() {
    let pattern = |raw: &str| HostPattern::parse(raw).unwrap();
    assert!(pattern("*:443").is_any_host());
    assert!(!pattern("*.org:443").is_any_host());
    assert!(pattern("a:*").covers_any_port());
    assert!(pattern("a:1-65535").covers_any_port());
    assert!(!pattern("a:2-65535").covers_any_port());
    let network = |raw: &str| pattern(raw).network().map(|network| network.to_string());
    assert_eq!(network("10.0.0.0/8:*").as_deref(), Some("10.0.0.0/8"));
    assert_eq!(network("10.0.0.1:*").as_deref(), Some("10.0.0.1/32"));
    assert_eq!(network("[::1]:*").as_deref(), Some("::1/128"));
    assert_eq!(network("*:*"), None);
    assert_eq!(network("*.example.org:*"), None);
}

#[test]
fn messages_say_what_to_do() {
    let message = |raw: &str| HostPattern::parse(raw).unwrap_err().to_string();
    assert_eq!(
        message("git.example.org"),
        "host pattern `git.example.org` names no port: \
         write `git.example.org:443` or `git.example.org:*`"
    );
    assert_eq!(
        message("2001:db8::1"),
        "`2001:db8::1` has colons in its host: write an IPv6 address as in `[::1]:443`"
    );
    assert_eq!(
        message("[::1]"),
        "host pattern `[::1]` names no port: write `[::1]:443` or `[::1]:*`"
    );
    assert_eq!(message("a\u{202e}:1"), "host `a\\u{202e}` holds a control or invisible character");
    assert_eq!(
        message("10.0.0.1/8:1"),
        "`10.0.0.1/8` is no network such as `10.0.8.0/24` or `[2001:db8::/32]`"
    );
    assert_eq!(
        Endpoint::parse("a:0").unwrap_err().to_string(),
        "`0` gives no port between 1 and 65535"
    );
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    let corner = prop::sample::select(vec![
        0,
        1,
        0xffff_7f00_0001,
        0xffff_0000_0000,
        0x64_ff9b_u128 << 96 | 0xa9fe_a9fe,
        0xa9fe_a9fe,
        0xfe80_u128 << 112 | 1,
    ]);
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
        any::<u32>().prop_map(|bits| IpAddr::V6((0xffff_0000_0000 | u128::from(bits)).into())),
        corner.prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

fn any_host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any_address().prop_map(Host::from),
        "[a-zA-Z0-9_üßж.-]{1,40}".prop_filter_map("no host", |raw| Host::parse(&raw).ok()),
    ]
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    (any_host(), 1..=u16::MAX).prop_map(|(host, port)| Endpoint::new(host, port).unwrap())
}

proptest! {
    #[test]
    fn the_normal_form_parses_to_itself(host in any_host()) {
        prop_assert_eq!(Host::parse(&host.to_string()).unwrap(), host);
    }

    #[test]
    fn an_endpoint_parses_to_itself(endpoint in any_endpoint()) {
        prop_assert_eq!(Endpoint::parse(&endpoint.to_string()).unwrap(), endpoint);
    }

    #[test]
    fn a_pattern_of_an_endpoint_matches_it_and_no_other(
        endpoint in any_endpoint(),
        other in any_endpoint(),
    ) {
        let pattern = HostPattern::from(&endpoint);
        prop_assert!(pattern.matches(&endpoint));
        prop_assert_eq!(pattern.matches(&other), endpoint == other);
        prop_assert_eq!(HostPattern::parse(&endpoint.to_string()).unwrap(), pattern);
    }

    #[test]
    fn names_and_addresses_never_match_each_other(
        name in "[a-z]{1,8}(\\.[a-z]{1,8}){0,2}",
        address in any_address(),
        prefix in 0u8..=128,
    ) {
        let address = Endpoint::new(Host::from(address), 1).unwrap();
        for pattern in [format!("{name}:*"), format!("*.{name}:*")] {
            let pattern = HostPattern::parse(&pattern).unwrap();
            prop_assert!(!pattern.matches(&address) && !pattern.touches(&address));
        }
        let name = Endpoint::new(Host::parse(&name).unwrap(), 1).unwrap();
        let ip = address.host().address().unwrap();
        let prefix = prefix.min(if ip.is_ipv4() { 32 } else { 128 });
        let network = IpNet::new(ip, prefix).unwrap().trunc();
        let pattern = if ip.is_ipv4() { format!("{network}:*") } else { format!("[{network}]:*") };
        let pattern = HostPattern::parse(&pattern).unwrap();
        prop_assert!(pattern.matches(&address));
        prop_assert!(!pattern.matches(&name));
        prop_assert_eq!(pattern.network(), Some(network));
    }

    #[test]
    fn a_pattern_parses_to_itself(
        (host, sample) in prop::sample::select(vec![
            ("*", "1.2.3.4"),
            ("*.example.org", "a.example.org"),
            ("10.0.0.0/8", "10.1.2.3"),
            ("[2001:db8::/32]", "2001:db8::1"),
        ]),
        ranges in prop::collection::vec((1..=u16::MAX, 0u16..2000), 1..10),
        port in 1..=u16::MAX,
    ) {
        let list: Vec<_> = ranges
            .iter()
            .map(|(first, more)| format!("{first}-{}", first.saturating_add(*more)))
            .collect();
        let pattern = HostPattern::parse(&format!("{host}:{}", list.join(","))).unwrap();
        prop_assert_eq!(&HostPattern::parse(&pattern.to_string()).unwrap(), &pattern);
        let inside = ranges
            .iter()
            .any(|(first, more)| (*first..=first.saturating_add(*more)).contains(&port));
        let endpoint = Endpoint::new(Host::parse(sample).unwrap(), port).unwrap();
        prop_assert_eq!(pattern.matches(&endpoint), inside);
    }

    #[test]
    fn ipv6_text_means_what_the_standard_library_says(bits in any::<u128>(), zeros in any::<u8>()) {
        let mut bytes = bits.to_be_bytes();
        for (index, pair) in bytes.chunks_mut(2).enumerate() {
            if zeros & (1 << index) != 0 {
                pair.fill(0);
            }
        }
        let address = IpAddr::from(bytes);
        prop_assert_eq!(Host::parse(&address.to_string()).unwrap(), Host::from(address));
    }

    #[test]
    fn any_text_gives_a_normal_form_or_an_error(raw in any::<String>()) {
        check_normal_form(&raw)?;
    }

    #[test]
    fn any_host_like_text_gives_a_normal_form_or_an_error(
        raw in "([0-9a-fxX]{1,4}|[.:\\[\\]%/*-]|[a-zA-Z]|%[0-9a-f]{2}|xn--|[０-９①-⑨]|ß|\u{ad}|,){0,24}",
    ) {
        check_normal_form(&raw)?;
    }
}

fn check_normal_form(raw: &str) -> Result<(), TestCaseError> {
    if let Ok(host) = Host::parse(raw) {
        let text = host.to_string();
        prop_assert!(text.is_ascii() && !text.contains(|c: char| c.is_ascii_uppercase()));
        prop_assert_eq!(Host::parse(&text).unwrap(), host.clone());
        if let Host::Address(address) = host {
            prop_assert_eq!(canonical_address(address), address);
        }
        let _ = Zone::of(&host);
    }
    if let Ok(endpoint) = Endpoint::parse(raw) {
        prop_assert_eq!(Endpoint::parse(&endpoint.to_string()).unwrap(), endpoint);
    }
    if let Ok(pattern) = HostPattern::parse(raw) {
        prop_assert_eq!(HostPattern::parse(&pattern.to_string()).unwrap(), pattern);
    }
    Ok(())
}
