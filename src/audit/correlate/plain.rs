//! The plain format: JSON lines of our own, for hosts and for sources without a reader here.

use super::observed::{Access, Direction, Ids, Observed, Outside, Program, Seen, normal_path};
use super::read::{Hosts, Read, connection, hex_id, integer, port, text, time};
use crate::action::host::Host;
use crate::digest::Digest;
use crate::receipt::SessionId;
use crate::value::{View as Value, ViewObject as Object};

/// Reads `{"seen":{…}}` and `{"approval":{…}}`.
pub(super) fn read(event: &Object<'_>, hosts: &mut Hosts, out: &mut Vec<Outside>) -> Read {
    if let Some(seen) = event.get("seen") {
        return seen_event(seen.as_object().ok_or("an object under `seen`")?, hosts, out);
    }
    let approval = event.get("approval").ok_or("a member `seen` or `approval`")?;
    let approval = approval.as_object().ok_or("an object under `approval`")?;
    let id = text(approval, &["id"]).and_then(Digest::parse_hex);
    let id = id.ok_or("64 lower-case hex digits under `id`")?;
    let time = time(approval.get("time")).ok_or("a time under `time`")?;
    out.push(Outside::Approval { id, time });
    Ok(())
}

fn seen_event(event: &Object<'_>, hosts: &mut Hosts, out: &mut Vec<Outside>) -> Read {
    let start = time(event.get("time")).ok_or("a time under `time`")?;
    let mut seen = Observed::new(start, what(event, hosts)?).with_ids(ids(event)?);
    if event.get("end").is_some() {
        seen = seen.until(time(event.get("end")).ok_or("a time under `end`")?);
    }
    if let Some(id) = text(event, &["id"]) {
        seen = seen.with_id(id);
    }
    if let Some(place) = text(event, &["place"]) {
        seen = seen.at_place(place);
    }
    if let Some(by) = text(event, &["by"]) {
        seen = seen.by_program(by);
    }
    if let Some(parent) = text(event, &["process", "parent"]) {
        seen = seen.launched_by(parent);
    }
    out.push(Outside::Seen(Box::new(seen)));
    Ok(())
}

/// In our own format an id that cannot be read is an error: passing it over would lose the call.
fn ids(event: &Object<'_>) -> Result<Ids, &'static str> {
    let mut ids = Ids::default();
    if let Some(session) = event.get("session") {
        let session = session.as_str().and_then(SessionId::parse_hex);
        ids.session = Some(session.ok_or("32 lower-case hex digits under `session`")?);
    }
    if let Some(call) = event.get("call") {
        ids.call = Some(integer(call).ok_or("a number under `call`")?);
    }
    if let Some(parent) = event.get("traceparent") {
        let read = Ids::traceparent(parent.as_str().unwrap_or_default());
        ids.trace = Some(read.trace.ok_or("a W3C trace context under `traceparent`")?);
        ids.span = read.span;
    }
    if let Some(span) = event.get("parent_span") {
        ids.parent_span = Some(hex_id(Some(span)).ok_or("16 hex digits under `parent_span`")?);
    }
    ids.txn = text(event, &["txn"]).map(Into::into);
    Ok(ids)
}

fn what(event: &Object<'_>, hosts: &mut Hosts) -> Result<Seen, &'static str> {
    if let Some(process) = event.get("process").and_then(Value::as_object) {
        let program = text(process, &["path"]).or_else(|| text(process, &["name"]));
        let program = program.ok_or("`path` or `name` of the process")?;
        return Ok(Seen::Process(Program::new(program, text(process, &["command"]))));
    }
    if let Some(peer) = event.get("connection").and_then(Value::as_object) {
        let direction = match text(peer, &["direction"]) {
            None | Some("out") => Direction::Out,
            Some("in") => Direction::In,
            Some(_) => return Err("`in` or `out` under `direction`"),
        };
        let (name, address) = (text(peer, &["host"]), text(peer, &["address"]));
        let seen = connection(hosts, name, address, port(peer.get("port")), direction);
        let seen = seen.ok_or("`host`, `address` or `port` of the connection")?;
        if let Seen::Connection(connection) = &seen
            && address.is_some()
            && !matches!(connection.address, Some(Host::Address(_)))
        {
            return Err("an address under `address`");
        }
        return Ok(seen);
    }
    if let Some(file) = event.get("file").and_then(Value::as_object) {
        let access = match text(file, &["access"]) {
            Some("read") => Access::Read,
            Some("write") => Access::Write,
            Some("delete") => Access::Delete,
            _ => return Err("`read`, `write` or `delete` under `access`"),
        };
        let path = text(file, &["path"]).ok_or("`path` of the file")?;
        return Ok(Seen::File { path: normal_path(path), access });
    }
    if let Some(name) = text(event, &["tool", "name"]) {
        return Ok(Seen::tool(name));
    }
    Err("one of `process`, `connection`, `file` and `tool`")
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn read_one(line: &str) -> Result<Outside, String> {
        let mut out = Vec::new();
        Format::Plain.read(line.as_bytes(), 3, &mut out).map_err(|error| error.to_string())?;
        Ok(out.remove(0))
    }

    #[test]
    fn every_member_is_read() {
        let line = r#"{"seen":{"time":1000,"end":"1970-01-01T00:00:02Z","id":"e1","place":"c1",
            "session":"04040404040404040404040404040404","call":7,"txn":"t",
            "traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "by":"/usr/bin/curl","later":{"member":[1]},
            "connection":{"host":"EXAMPLE.org","address":"::ffff:203.0.113.9","port":443}}}"#;
        let Ok(Outside::Seen(seen)) = read_one(line) else { panic!() };
        assert_eq!(seen.end.as_millis(), 2_000);
        assert_eq!(seen.ids.call, Some(7));
        assert!(seen.ids.session.is_some() && seen.ids.trace.is_some());
        assert_eq!((seen.id(), seen.line()), (Some("e1"), 3));
        assert_eq!(seen.seen.to_string(), "connection to example.org (203.0.113.9):443");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        fn check(line: &str, expected: &str) {
            let error = read_one(line).unwrap_err();
            assert_eq!(error, format!("line 3 of the events: expected {expected}"), "{line}");
        }
        check("{}", "a member `seen` or `approval`");
        check(r#"{"seen":1}"#, "an object under `seen`");
        check(r#"{"seen":{}}"#, "a time under `time`");
        check(r#"{"seen":{"time":1}}"#, "one of `process`, `connection`, `file` and `tool`");
        check(r#"{"seen":{"time":-1}}"#, "a time under `time`");
        check(r#"{"seen":{"time":1,"process":{}}}"#, "`path` or `name` of the process");
        check(
            r#"{"seen":{"time":1,"session":"X","process":{"name":"ls"}}}"#,
            "32 lower-case hex digits under `session`",
        );
        check(r#"{"approval":{"id":"0","time":1}}"#, "64 lower-case hex digits under `id`");
    }

    #[test]
    fn approvals_have_an_id_and_a_time() {
        let id = "0f".repeat(32);
        let read = read_one(&format!(r#"{{"approval":{{"id":"{id}","time":5}}}}"#)).unwrap();
        assert!(matches!(read, Outside::Approval { time, .. } if time.as_millis() == 5));
    }
}
