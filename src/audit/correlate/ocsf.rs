//! OCSF 1.x (schema.ocsf.io): Process Activity, Network Activity, File System Activity.

use super::observed::{Access, Direction, Ids, Observed, Outside, Program, Seen, normal_path};
use super::read::{Hosts, Read, at, connection, hex_id, ids, integer, port, text, time};
use crate::value::{View as Value, ViewObject as Object};

/// Reads one event; classes and activities that are no effect say nothing.
pub(super) fn read(event: &Object<'_>, hosts: &mut Hosts, out: &mut Vec<Outside>) -> Read {
    let number = |name| event.get(name).and_then(integer);
    let class = number("class_uid").ok_or("a number under `class_uid`")?;
    if !matches!(class, FILE | PROCESS | NETWORK) {
        return Ok(());
    }
    let activity = number("activity_id").ok_or("a number under `activity_id`")?;
    let seen = match class {
        PROCESS if activity == 1 => process(event)?,
        FILE => match file(event, activity)? {
            Some(seen) => seen,
            None => return Ok(()),
        },
        // Open, Traffic, Listen; what failed or was refused is no effect, and a close no new one.
        NETWORK if matches!(activity, 1 | 6 | 7) => network(event, hosts, activity)?,
        _ => return Ok(()),
    };
    let when = time(event.get("time")).ok_or("a time under `time`")?;
    let start = time(event.get("start_time")).map_or(when, |start| start.min(when));
    // Our own attributes stand in `unmapped`, flat or below `countersign`.
    let own_ids = match event.get("unmapped").and_then(Value::as_object) {
        Some(unmapped) => {
            let below = unmapped.get("countersign").and_then(Value::as_object);
            ids(|name| {
                unmapped.get(name).or_else(|| {
                    let mut names = name.split('.').skip(1);
                    let first = below?.get(names.next()?)?;
                    match names.next() {
                        Some(second) => first.as_object()?.get(second),
                        None => Some(first),
                    }
                })
            })
        }
        None => Ids::default(),
    };
    let mut observed = Observed::new(start, seen).until(when).with_ids(own_ids);
    if observed.ids.trace.is_none() {
        observed.ids.trace = hex_id(at(event, &["trace", "uid"]));
        observed.ids.span = hex_id(at(event, &["trace", "span", "uid"]));
        observed.ids.parent_span = hex_id(at(event, &["trace", "span", "parent_uid"]));
    }
    if observed.ids.txn.is_none() {
        observed.ids.txn = text(event, &["metadata", "correlation_uid"]).map(Into::into);
    }
    if let Some(id) = text(event, &["metadata", "uid"]) {
        observed = observed.with_id(id);
    }
    // A container says more than the host that it runs on.
    let container = ["process", "actor"].iter().find_map(|who| match *who {
        "process" => text(event, &["process", "container", "uid"]),
        _ => text(event, &["actor", "process", "container", "uid"]),
    });
    let place = container
        .or_else(|| text(event, &["container", "uid"]))
        .or_else(|| text(event, &["device", "hostname"]))
        .or_else(|| text(event, &["device", "uid"]));
    if let Some(place) = place {
        observed = observed.at_place(place);
    }
    if let Some(actor) = at(event, &["actor", "process"]).and_then(Value::as_object)
        && let Some(program) = program(actor)
    {
        observed = if class == PROCESS {
            observed.launched_by(program)
        } else {
            observed.by_program(program)
        };
    } else if class == PROCESS
        && let Some(parent) = at(event, &["process", "parent_process"]).and_then(Value::as_object)
        && let Some(program) = program(parent)
    {
        observed = observed.launched_by(program);
    }
    out.push(Outside::Seen(Box::new(observed)));
    Ok(())
}

/// The path of a process object, or its name. `path` stands in `process_entity` since 1.5.
fn program<'v>(process: &'v Object<'v>) -> Option<&'v str> {
    text(process, &["file", "path"])
        .or_else(|| text(process, &["path"]))
        .or_else(|| text(process, &["file", "name"]))
        .or_else(|| text(process, &["name"]))
}

fn process(event: &Object<'_>) -> Result<Seen, &'static str> {
    let process = event.get("process").and_then(Value::as_object);
    let process = process.ok_or("an object under `process`")?;
    let command = text(process, &["cmd_line"]);
    // The name is a friendly one at times; the command line begins with the program.
    let first = command.and_then(|line| line.split_ascii_whitespace().next());
    let program = program(process).or(first).ok_or("path, name or command line of the process")?;
    Ok(Seen::Process(Program::new(program, command)))
}

fn network(event: &Object<'_>, hosts: &mut Hosts, activity: u64) -> Result<Seen, &'static str> {
    let inbound = at(event, &["connection_info", "direction_id"]).and_then(integer) == Some(1);
    let direction = if inbound || activity == 7 { Direction::In } else { Direction::Out };
    // The responder is `dst_endpoint` whichever way it goes: that is where the port listens.
    let peer = event.get("dst_endpoint").and_then(Value::as_object);
    let peer = peer.ok_or("an object under `dst_endpoint`")?;
    let name = text(peer, &["hostname"]).or_else(|| text(peer, &["domain"]));
    connection(hosts, name, text(peer, &["ip"]), port(peer.get("port")), direction)
        .ok_or("`ip`, `hostname` or `port` of `dst_endpoint`")
}

fn file(event: &Object<'_>, activity: u64) -> Result<Option<Seen>, &'static str> {
    let access = match activity {
        2 | 14 => Access::Read,
        // A rename is a write of the new name and a deletion of the old; `file` is the old one.
        1 | 3 | 6 | 7 | 10 | 11 => Access::Write,
        4 | 5 => Access::Delete,
        _ => return Ok(None),
    };
    let path = text(event, &["file", "path"]).ok_or("`path` of `file`")?;
    Ok(Some(Seen::File { path: normal_path(path), access }))
}

const FILE: u64 = 1001;
const PROCESS: u64 = 1007;
const NETWORK: u64 = 4001;

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn read_all(line: &str) -> Result<Vec<Outside>, String> {
        let mut out = Vec::new();
        Format::Ocsf.read(line.as_bytes(), 1, &mut out).map_err(|error| error.to_string())?;
        Ok(out)
    }

    fn one(line: &str) -> Observed {
        match read_all(line).unwrap().remove(0) {
            Outside::Seen(seen) => *seen,
            Outside::Approval { .. } => panic!(),
        }
    }

    #[test]
    fn a_launch_is_a_process() {
        let seen = one(r#"{"class_uid":1007,"activity_id":1,"time":1000,
            "metadata":{"uid":"e","version":"1.7.0","correlation_uid":"t-1"},
            "process":{"name":"ssh","pid":9,"cmd_line":"ssh -R 9000:localhost:22 x","file":{"path":"/usr/bin//ssh"}},
            "actor":{"process":{"file":{"path":"/usr/bin/bash"}}},"device":{"hostname":"h"},
            "unmapped":{"countersign.session.id":"04040404040404040404040404040404","countersign":{"call":3}}}"#);
        assert!(
            matches!(&seen.seen, Seen::Process(p) if p.path.as_deref() == Some("/usr/bin/ssh"))
        );
        assert_eq!(seen.parent.as_deref(), Some("/usr/bin/bash"));
        assert_eq!((seen.ids.call, seen.ids.txn.as_deref()), (Some(3), Some("t-1")));
        assert_eq!((seen.place.as_deref(), seen.id()), (Some("h"), Some("e")));
    }

    #[test]
    fn a_connection_has_a_direction_and_a_trace() {
        let seen = one(r#"{"class_uid":4001,"activity_id":6,"time":2000,"start_time":1000,
            "trace":{"uid":"4bf92f3577b34da6a3ce929d0e0e4736","span":{"uid":"00f067aa0ba902b7"}},
            "connection_info":{"direction_id":2,"protocol_name":"tcp"},
            "src_endpoint":{"ip":"10.0.0.5","port":50000},
            "dst_endpoint":{"ip":"203.0.113.9","hostname":"Example.ORG","port":443},
            "actor":{"process":{"path":"/usr/bin/curl","container":{"uid":"c1"}}}}"#);
        assert_eq!(seen.seen.to_string(), "connection to example.org (203.0.113.9):443");
        assert!(seen.ids.trace.is_some() && seen.ids.span.is_some());
        assert_eq!((seen.start.as_millis(), seen.end.as_millis()), (1000, 2000));
        assert_eq!(
            (seen.actor.as_deref(), seen.place.as_deref()),
            (Some("/usr/bin/curl"), Some("c1"))
        );
        let listens = one(
            r#"{"class_uid":4001,"activity_id":7,"time":1,"dst_endpoint":{"ip":"0.0.0.0","port":8080}}"#,
        );
        assert_eq!(listens.seen.to_string(), "connection accepted at 0.0.0.0:8080");
    }

    #[test]
    fn files_are_read_written_and_deleted() {
        fn check(activity: u64, expected: Option<&str>) {
            let line = format!(
                r#"{{"class_uid":1001,"activity_id":{activity},"time":1,"file":{{"path":"/a/../b"}}}}"#
            );
            let seen = read_all(&line).unwrap();
            let shown = seen.first().map(|seen| match seen {
                Outside::Seen(seen) => seen.seen.to_string(),
                Outside::Approval { .. } => panic!(),
            });
            assert_eq!(shown.as_deref(), expected, "{activity}");
        }
        check(1, Some("write of /b"));
        check(2, Some("read of /b"));
        check(4, Some("delete of /b"));
        check(8, None);
    }

    #[test]
    fn other_classes_and_activities_say_nothing_and_broken_ones_are_errors() {
        for line in [
            r#"{"class_uid":3002}"#,
            r#"{"class_uid":1007,"activity_id":2,"time":1,"process":{"pid":1}}"#,
            r#"{"class_uid":4001,"activity_id":5,"time":1}"#,
        ] {
            assert_eq!(read_all(line), Ok(Vec::new()), "{line}");
        }
        for line in [
            "{}",
            r#"{"class_uid":1007}"#,
            r#"{"class_uid":1007,"activity_id":1}"#,
            r#"{"class_uid":1007,"activity_id":1,"time":1,"process":{"pid":1}}"#,
            r#"{"class_uid":4001,"activity_id":1,"time":1}"#,
            r#"{"class_uid":1007,"activity_id":1,"time":1.5,"process":{"name":"a"}}"#,
        ] {
            assert!(read_all(line).is_err(), "{line}");
        }
    }
}
