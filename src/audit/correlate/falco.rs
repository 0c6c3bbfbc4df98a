//! Falco alerts with `json_output: true` (falco.org, 0.4x): `time`, `rule`, `output_fields`.

use super::observed::{Access, Direction, Observed, Outside, Program, Seen, normal_path};
use super::read::{Hosts, Read, at, connection, ids, integer, port, rfc3339, text};
use crate::time::Timestamp;
use crate::value::{View as Value, ViewObject as Object};

/// Reads one alert. What it shows follows from the fields that its rule puts out.
pub(super) fn read(event: &Object<'_>, hosts: &mut Hosts, out: &mut Vec<Outside>) -> Read {
    if event.get("rule").is_none() {
        return Err("a member `rule`");
    }
    let fields = event.get("output_fields").and_then(Value::as_object);
    let Some(fields) = fields else { return Err("an object under `output_fields`") };
    let when = text(event, &["time"]).and_then(rfc3339).or_else(|| {
        // The driver's own time: nanoseconds since 1970.
        let nanos = fields.get("evt.time").or_else(|| fields.get("evt.rawtime"));
        nanos.and_then(integer).map(|nanos| Timestamp::from_millis(nanos / 1_000_000))
    });
    let when = when.ok_or("a time under `time` or `evt.time`")?;
    let seen = what(fields, hosts);
    let mut observed = Observed::new(when, seen).with_ids(ids(|name| fields.get(name)));
    if let Some(id) = text(event, &["uuid"]) {
        observed = observed.with_id(id);
    }
    // `host` is what Falco calls a process that is in no container.
    let container = text(fields, &["container.id"]).filter(|id| *id != "host");
    let host = text(event, &["hostname"]).or_else(|| text(fields, &["evt.hostname"]));
    if let Some(place) = container.or(host) {
        observed = observed.at_place(place);
    }
    if matches!(observed.seen, Seen::Process(_)) {
        if let Some(parent) =
            text(fields, &["proc.pexepath"]).or_else(|| text(fields, &["proc.pname"]))
        {
            observed = observed.launched_by(parent);
        }
    } else if let Some(actor) = text(fields, &["proc.exepath"]) {
        observed = observed.by_program(actor);
    }
    out.push(Outside::Seen(Box::new(observed)));
    Ok(())
}

/// A descriptor says more than the process that holds it: every alert names a process.
fn what(fields: &Object<'_>, hosts: &mut Hosts) -> Seen {
    let kind = text(fields, &["evt.type"]).unwrap_or_default();
    socket(fields, hosts, kind)
        .or_else(|| file(fields, kind))
        .or_else(|| process(fields))
        .unwrap_or(Seen::Other)
}

fn socket(fields: &Object<'_>, hosts: &mut Hosts, kind: &str) -> Option<Seen> {
    let own = matches!(kind, "bind" | "listen" | "accept" | "accept4");
    let server = matches!(at(fields, &["fd.is_server"]), Some(Value::Bool(true)));
    let direction = if own || server { Direction::In } else { Direction::Out };
    let (address, number) = match direction {
        Direction::Out => (["fd.rip", "fd.sip"], ["fd.rport", "fd.sport"]),
        Direction::In => (["fd.lip", "fd.sip"], ["fd.lport", "fd.sport"]),
    };
    let address = address.iter().find_map(|name| text(fields, &[name]));
    let number = number.iter().find_map(|name| port(fields.get(name)));
    let name = ["fd.rip.name", "fd.sip.name"].iter().find_map(|name| text(fields, &[name]));
    if let Some(seen) = connection(hosts, name, address, number, direction) {
        return Some(seen);
    }
    // `fd.name` of a socket is `client:port->server:port`.
    let (_, peer) = text(fields, &["fd.name"])?.split_once("->")?;
    let (host, number) = peer.rsplit_once(':')?;
    connection(hosts, None, Some(host), number.parse().ok().filter(|port| *port != 0), direction)
}

fn file(fields: &Object<'_>, kind: &str) -> Option<Seen> {
    let name = text(fields, &["fd.name"]).or_else(|| text(fields, &["fs.path.name"]))?;
    if !name.starts_with('/') {
        return None;
    }
    let writes = matches!(at(fields, &["evt.is_open_write"]), Some(Value::Bool(true)));
    let access = match kind {
        "unlink" | "unlinkat" | "rmdir" | "rename" | "renameat" | "renameat2" => Access::Delete,
        "write" | "writev" | "pwrite" | "creat" | "truncate" | "ftruncate" | "chmod" | "fchmod"
        | "fchmodat" | "chown" | "fchown" | "mkdir" | "mkdirat" | "link" | "linkat" | "symlink"
        | "symlinkat" => Access::Write,
        _ if writes => Access::Write,
        _ => Access::Read,
    };
    Some(Seen::File { path: normal_path(name), access })
}

fn process(fields: &Object<'_>) -> Option<Seen> {
    let command = text(fields, &["proc.cmdline"]);
    let first = || command.and_then(|line| line.split_ascii_whitespace().next());
    let program = text(fields, &["proc.exepath"])
        .or_else(|| text(fields, &["proc.exe"]))
        .or_else(|| text(fields, &["proc.name"]))
        .or_else(first)?;
    Some(Seen::Process(Program::new(program, command)))
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn one(line: &str) -> Observed {
        let mut out = Vec::new();
        Format::Falco.read(line.as_bytes(), 1, &mut out).unwrap();
        match out.remove(0) {
            Outside::Seen(seen) => *seen,
            Outside::Approval { .. } => panic!(),
        }
    }

    #[test]
    fn what_an_alert_shows_follows_from_its_fields() {
        fn check(fields: &str, expected: &str) {
            let line = format!(
                r#"{{"rule":"r","priority":"Notice","time":"2026-11-21T09:00:00.123456789Z","output_fields":{{{fields}}}}}"#
            );
            let seen = one(&line);
            assert_eq!(seen.seen.to_string(), expected, "{fields}");
            assert_eq!(seen.start.as_millis() % 1000, 123);
        }
        check(
            r#""evt.type":"execve","proc.exepath":"/usr/bin/ssh","proc.cmdline":"ssh -R 1:h:2 x","proc.pname":"bash""#,
            "process /usr/bin/ssh (`ssh -R 1:h:2 x`)",
        );
        check(r#""proc.name":"curl""#, "process curl");
        check(
            r#""evt.type":"connect","fd.rip":"203.0.113.9","fd.rport":443,"proc.exepath":"/usr/bin/curl""#,
            "connection to 203.0.113.9:443",
        );
        check(r#""fd.name":"10.0.0.5:50000->203.0.113.9:443""#, "connection to 203.0.113.9:443");
        check(
            r#""evt.type":"listen","fd.lip":"0.0.0.0","fd.lport":"8080""#,
            "connection accepted at 0.0.0.0:8080",
        );
        check(
            r#""evt.type":"openat","fd.name":"/etc/../etc/shadow","proc.name":"cat""#,
            "read of /etc/shadow",
        );
        check(
            r#""evt.type":"openat","evt.is_open_write":true,"fd.name":"/etc/x""#,
            "write of /etc/x",
        );
        check(r#""evt.type":"unlinkat","fs.path.name":"/etc/x""#, "delete of /etc/x");
        check("", "something else");
    }

    #[test]
    fn ids_and_places_are_fields_of_the_rule() {
        let seen = one(
            r#"{"rule":"r","uuid":"u","hostname":"h","output_fields":{"evt.time":1795251600123456789,
            "container.id":"c1","proc.name":"ls","countersign.session.id":"04040404040404040404040404040404",
            "countersign.call":"7"}}"#,
        );
        assert_eq!((seen.ids.call, seen.place.as_deref()), (Some(7), Some("c1")));
        assert_eq!(seen.start.as_millis(), 1_795_251_600_123);
        for bad in ["{}", r#"{"rule":"r"}"#, r#"{"rule":"r","output_fields":{}}"#] {
            assert!(Format::Falco.read(bad.as_bytes(), 1, &mut Vec::new()).is_err(), "{bad}");
        }
    }
}
