//! OpenTelemetry traces as OTLP/JSON (OTLP 1.x): resourceSpans → scopeSpans → spans.

use super::observed::{Direction, Observed, Outside, Program, Seen};
use super::read::{Hosts, Read, connection, hex_id, ids, integer, port};
use crate::time::Timestamp;
use crate::value::{View as Value, ViewObject as Object};

/// Reads all spans of one line. A span that shows several things gives several events.
pub(super) fn read(event: &Object<'_>, hosts: &mut Hosts, out: &mut Vec<Outside>) -> Read {
    let resources = event.get("resourceSpans").and_then(Value::as_array);
    for resource in resources.ok_or("an array under `resourceSpans`")? {
        let resource = resource.as_object().ok_or("objects in `resourceSpans`")?;
        let about = resource.get("resource").and_then(Value::as_object);
        let about = about.and_then(|about| about.get("attributes")).and_then(Value::as_array);
        let scopes = resource.get("scopeSpans").and_then(Value::as_array).unwrap_or_default();
        for scope in scopes {
            let scope = scope.as_object().ok_or("objects in `scopeSpans`")?;
            let spans = scope.get("spans").and_then(Value::as_array).unwrap_or_default();
            for span in spans {
                let span = span.as_object().ok_or("objects in `spans`")?;
                read_span(span, about.unwrap_or_default(), hosts, out)?;
            }
        }
    }
    Ok(())
}

fn read_span(
    span: &Object<'_>,
    resource: &[Value<'_>],
    hosts: &mut Hosts,
    out: &mut Vec<Outside>,
) -> Read {
    let start = nanos(span.get("startTimeUnixNano")).ok_or("a time under `startTimeUnixNano`")?;
    let end = nanos(span.get("endTimeUnixNano")).unwrap_or(start);
    let own = span.get("attributes").and_then(Value::as_array).unwrap_or_default();
    // What the span says of itself comes before what its resource says of all.
    let find = |name: &str| attribute(own, name).or_else(|| attribute(resource, name));
    let mut ids = ids(find);
    // An id that cannot be read must not make the span one of nobody.
    ids.trace = Some(hex_id(span.get("traceId")).ok_or("32 hex digits under `traceId`")?);
    ids.span = Some(hex_id(span.get("spanId")).ok_or("16 hex digits under `spanId`")?);
    ids.parent_span = hex_id(span.get("parentSpanId"));
    let base = |seen: Seen| {
        let mut observed = Observed::new(start, seen).until(end).with_ids(ids.clone());
        let place = find("container.id").or_else(|| find("host.name")).and_then(Value::as_str);
        if let Some(place) = place {
            observed = observed.at_place(place);
        }
        if let Some(id) = span.get("spanId").and_then(Value::as_str) {
            observed = observed.with_id(id);
        }
        Outside::Seen(Box::new(observed))
    };
    let before = out.len();
    let text = |name: &str| attribute(own, name).and_then(Value::as_str).filter(|t| !t.is_empty());
    // `process.*` of the resource is the process that made the span and none that it started.
    let command = text("process.command_line");
    let first = command.and_then(|line| line.split_ascii_whitespace().next());
    let program = text("process.executable.path")
        .or_else(|| text("process.command"))
        .or_else(|| text("process.executable.name"))
        .or(first);
    if let Some(program) = program {
        out.push(base(Seen::Process(Program::new(program, command))));
    }
    let kind = span.get("kind").and_then(integer);
    // `server.address` of an internal span repeats what its client span says.
    if matches!(kind, Some(CLIENT | PRODUCER | SERVER)) {
        let direction = if kind == Some(SERVER) { Direction::In } else { Direction::Out };
        let peer = text("network.peer.address").filter(|_| direction == Direction::Out);
        let number = port(attribute(own, "server.port")).or_else(|| {
            port(attribute(own, "network.peer.port").filter(|_| direction == Direction::Out))
        });
        // A peer that is no address is the path of a local socket.
        let peer = peer.filter(|peer| peer.parse::<std::net::IpAddr>().is_ok());
        if let Some(seen) = connection(hosts, text("server.address"), peer, number, direction) {
            out.push(base(seen));
        }
    }
    if let Some(tool) = text("gen_ai.tool.name") {
        out.push(base(Seen::tool(tool)));
    }
    if out.len() == before {
        out.push(base(Seen::Other));
    }
    Ok(())
}

/// The value of an attribute, out of its `AnyValue`; of an array the first, which of
/// `process.command_args` is the program.
fn attribute<'v>(attributes: &'v [Value<'v>], name: &str) -> Option<&'v Value<'v>> {
    let found = attributes
        .iter()
        .filter_map(Value::as_object)
        .find(|attribute| attribute.get("key").and_then(Value::as_str) == Some(name))?;
    let value = found.get("value")?.as_object()?;
    value.get("stringValue").or_else(|| value.get("intValue"))
}

fn nanos(value: Option<&Value<'_>>) -> Option<Timestamp> {
    value.and_then(integer).map(|nanos| Timestamp::from_millis(nanos / 1_000_000))
}

/// `SPAN_KIND_SERVER`, `SPAN_KIND_CLIENT`, `SPAN_KIND_PRODUCER` of `trace.proto`.
const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const PRODUCER: u64 = 4;

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn line(span: &str) -> String {
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"countersign.session.id","value":{{"stringValue":"04040404040404040404040404040404"}}}},
            {{"key":"process.command","value":{{"stringValue":"/usr/bin/agent"}}}}]}},"scopeSpans":[{{"spans":[{{
            "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173",
            "startTimeUnixNano":"1795251600123456789","endTimeUnixNano":1795251601000000000,{span}}}]}}]}}]}}"#
        )
    }

    fn attributes(pairs: &[(&str, &str)]) -> String {
        let all: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#))
            .collect();
        format!(r#""attributes":[{}]"#, all.join(","))
    }

    fn shown(span: &str) -> Vec<String> {
        let mut out = Vec::new();
        Format::Otel.read(line(span).as_bytes(), 1, &mut out).unwrap();
        let shown = |outside: &Outside| match outside {
            Outside::Seen(seen) => {
                assert_eq!(seen.start.as_millis(), 1_795_251_600_123);
                assert!(seen.ids.session.is_some() && seen.ids.parent_span.is_some());
                seen.seen.to_string()
            }
            Outside::Approval { .. } => panic!(),
        };
        out.iter().map(shown).collect()
    }

    #[test]
    fn spans_show_processes_connections_and_tools() {
        let process = attributes(&[
            ("process.executable.path", "/usr/bin/git"),
            ("process.command_line", "git status"),
        ]);
        assert_eq!(shown(&process), ["process /usr/bin/git (`git status`)"]);
        let client = attributes(&[
            ("server.address", "api.example.org"),
            ("server.port", "443"),
            ("network.peer.address", "203.0.113.9"),
        ]);
        assert_eq!(
            shown(&format!(r#""kind":3,{client}"#)),
            ["connection to api.example.org (203.0.113.9):443"]
        );
        assert_eq!(shown(&format!(r#""kind":1,{client}"#)), ["something else"]);
        let tool = attributes(&[
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "search"),
        ]);
        assert_eq!(shown(&tool), ["call of the tool search"]);
    }

    #[test]
    fn spans_without_ids_or_time_are_errors() {
        for bad in [
            "{}",
            r#"{"resourceSpans":[1]}"#,
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}"#,
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"1","traceId":"00","spanId":"EEE19B7EC3C1B174"}]}]}]}"#,
        ] {
            assert!(Format::Otel.read(bad.as_bytes(), 1, &mut Vec::new()).is_err(), "{bad}");
        }
    }
}
