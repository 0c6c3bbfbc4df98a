//! How many outside events a correlator gets through, on one thread: lines read, joined and judged, with
//! one call and its opening to ten events.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

mod support;

use std::fmt::Write as _;

use countersign::action::Connect;
use countersign::audit::correlate::{Builder, Format, Outside, Source};
use countersign::testing::Fixture;
use criterion::{BatchSize, Throughput};

use support::{HOST, PORT, scope, size};

/// How many events each call has.
const EVENTS: usize = 10;

fn main() {
    let mut criterion = support::criterion();
    let mut group = criterion.benchmark_group("correlate");
    group.sample_size(10);
    let events = size(100_000, 200);
    for format in [Format::Ocsf, Format::Falco, Format::Otel, Format::Plain] {
        let input = Input::new(format, events / EVENTS);
        group.throughput(Throughput::Elements(events as u64));
        group.bench_function(format!("read/{format}"), |b| {
            b.iter(|| {
                let mut out = Vec::new();
                for line in input.events.lines() {
                    out.clear();
                    format.read(line.as_bytes(), 1, &mut out).unwrap();
                    std::hint::black_box::<&[Outside]>(&out);
                }
            });
        });
        group.bench_function(format!("run/{format}"), |b| {
            b.iter_batched(
                || Builder::default().with_source(Source::new("sensor", format).complete()),
                |builder| {
                    let correlator = builder.build(|finding| unexpected(&finding.to_string()));
                    let events = vec![input.events.as_bytes()];
                    let report = correlator.run(input.decisions.as_bytes(), events).unwrap();
                    assert_eq!(report.covered, report.judged);
                    report
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    criterion.final_summary();
}

#[expect(clippy::panic, reason = "what is measured must be the good case")]
fn unexpected(finding: &str) {
    panic!("{finding}");
}

/// Receipts with their openings, and telemetry of the same calls.
struct Input {
    decisions: String,
    events: String,
}

impl Input {
    fn new(format: Format, calls: usize) -> Self {
        let fixture = Fixture::default();
        let session = fixture.authorizer.open(&scope(0), countersign::testing::agent()).unwrap();
        let mut input = Self { decisions: String::new(), events: String::new() };
        let mut now = countersign::testing::NOW.as_millis();
        for call in 1..=calls {
            let permit = session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap();
            for number in 0..EVENTS {
                let at = now + 1 + number as u64;
                input.event(format, &session.id().to_string(), call, at);
            }
            fixture.clock.advance(20);
            now += 20;
            permit.run(|_| Ok::<_, std::io::Error>(())).unwrap();
            for line in fixture.sink.lines() {
                writeln!(input.decisions, "{line}").unwrap();
            }
            for opening in fixture.sink.openings() {
                writeln!(input.decisions, "{}", opening.to_line()).unwrap();
            }
            fixture.sink.clear();
        }
        input
    }

    fn event(&mut self, format: Format, session: &str, call: usize, at: u64) {
        let out = &mut self.events;
        match format {
            Format::Ocsf => write!(
                out,
                r#"{{"activity_id":1,"activity_name":"Open","actor":{{"process":{{"cmd_line":"git fetch origin","file":{{"name":"git","path":"/usr/bin/git","type_id":1}},"name":"git","pid":4712}}}},"category_uid":4,"class_uid":4001,"connection_info":{{"direction_id":2,"protocol_name":"tcp","protocol_num":6}},"device":{{"hostname":"build-7","type_id":6}},"dst_endpoint":{{"hostname":"{HOST}","ip":"198.51.100.7","port":{PORT}}},"metadata":{{"product":{{"name":"sensor","vendor_name":"example"}},"uid":"e-{at}","version":"1.7.0"}},"severity_id":1,"src_endpoint":{{"ip":"10.0.0.5","port":50000}},"time":{at},"type_uid":400101,"unmapped":{{"countersign.call":{call},"countersign.session.id":"{session}"}}}}"#
            ),
            Format::Falco => write!(
                out,
                r#"{{"hostname":"build-7","output":"Outbound connection (command=git fetch origin connection=10.0.0.5:50000->198.51.100.7:443)","output_fields":{{"container.id":"3ad7b26ded6d","countersign.call":"{call}","countersign.session.id":"{session}","evt.time":{at}000000,"evt.type":"connect","fd.name":"10.0.0.5:50000->198.51.100.7:443","fd.rip":"198.51.100.7","fd.rip.name":"{HOST}","fd.rport":{PORT},"proc.cmdline":"git fetch origin","proc.exepath":"/usr/bin/git","proc.pname":"bash","user.name":"agent"}},"priority":"Notice","rule":"Outbound connection","source":"syscall","tags":["network"]}}"#
            ),
            Format::Otel => write!(
                out,
                r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"agent"}}}}]}},"scopeSpans":[{{"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","name":"GET","kind":3,"startTimeUnixNano":"{at}000000","endTimeUnixNano":"{at}500000","attributes":[{{"key":"server.address","value":{{"stringValue":"{HOST}"}}}},{{"key":"server.port","value":{{"intValue":"{PORT}"}}}},{{"key":"countersign.session.id","value":{{"stringValue":"{session}"}}}},{{"key":"countersign.call","value":{{"intValue":"{call}"}}}}]}}]}}]}}]}}"#
            ),
            _ => write!(
                out,
                r#"{{"seen":{{"time":{at},"session":"{session}","call":{call},"by":"/usr/bin/git","connection":{{"host":"{HOST}","address":"198.51.100.7","port":{PORT}}}}}}}"#
            ),
        }
        .unwrap();
        out.push('\n');
    }
}
