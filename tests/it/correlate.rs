//! Correlation, from lines to findings.

use std::fmt::Write as _;
use std::time::Duration;

use countersign::audit::correlate::{
    Builder, Caps, Cause, Class, Finding, Format, Gap, Report, Severity, Source, What,
};
use countersign::receipt::SessionId;
use proptest::prelude::*;

/// When everything begins.
const T: u64 = 1_795_428_000_000;

/// Writes receipts, outcomes and openings as a host without signatures of its own would.
#[derive(Debug, Default, Clone)]
struct Record {
    lines: Vec<String>,
}

struct Call<'a> {
    session: u8,
    call: u64,
    decision: &'a str,
    time: u64,
    /// Kind, type and id of the target of each effect.
    effects: &'a [(&'a str, &'a str, &'a str)],
}

fn session(byte: u8) -> String {
    SessionId::from_bytes([byte; 16]).to_string()
}

impl Record {
    fn call(&mut self, call: &Call<'_>, more: &str, approvals: &str) {
        let (mut effects, mut openings) = (Vec::new(), Vec::new());
        for (index, (kind, of, id)) in call.effects.iter().enumerate() {
            let value = format!(
                r#"{{"facts":{{}},"kind":"{kind}","target":{{"id":"{id}","type":"{of}"}}}}"#
            );
            let salt = [u8::try_from(index).unwrap(); 32];
            let name = format!("effects/infrastructure/{index}");
            let message = format!("countersign commitment v1\n{name}\n{value}");
            let commit = blake3::keyed_hash(&salt, message.as_bytes()).to_hex();
            effects.push(format!(
                r#"{{"commit":"{commit}","decision":"{}","kind":"{kind}","policies":[],"provenance":"agent","quorums":[],"reasons":[],"reversibility":"irreversible"}}"#,
                call.decision
            ));
            openings.push(format!(
                r#"{{"opening":{{"call":{},"name":"{name}","salt":"{}","session":"{}","value":{}}}}}"#,
                call.call,
                blake3::Hash::from(salt).to_hex(),
                session(call.session),
                serde_json::to_string(&value).unwrap(),
            ));
        }
        let zeros = "0".repeat(64);
        let until = match call.decision {
            "allow" => format!(r#""permit_until":{},"#, call.time + 30_000),
            _ => String::new(),
        };
        self.lines.push(format!(
            r#"{{"receipt":{{"action":{{"commit":"{zeros}","kind":"Exec"}},"after":{{}},"agent":"spiffe://example.org/a","approvals":[{approvals}],"bundle":"{zeros}","call":{},"call_decision":"{decision}","decision":"{decision}","domain":"infrastructure","effects":[{}],"epoch":1,"facts":"{zeros}","index":0,"labels":[],"of":1,"on_behalf_of":"user","owner":"user",{until}"prev":"{zeros}","scope":["{zeros}"],"seq":{},"session":"{}","task":"t","time":{}{more}}}}}"#,
            call.call,
            effects.join(","),
            call.call,
            session(call.session),
            call.time,
            decision = call.decision,
        ));
        self.lines.append(&mut openings);
    }

    fn add(&mut self, decision: &str, call: u64, time: u64, effects: &[(&str, &str, &str)]) {
        self.call(&Call { session: 4, call, decision, time, effects }, "", "");
    }

    fn allow(&mut self, call: u64, time: u64, effects: &[(&str, &str, &str)]) {
        self.add("allow", call, time, effects);
    }

    fn outcome(&mut self, call: u64, time: u64, status: &str) {
        let zeros = "0".repeat(64);
        self.lines.push(format!(
            r#"{{"outcome":{{"after":{{}},"call":{call},"duration_ms":1,"epoch":1,"prev":"{zeros}","seq":9,"session":"{}","status":"{status}","time":{time}}}}}"#,
            session(4)
        ));
    }

    fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// One plain event of session 4.
fn seen(time: u64, ids: &str, what: &str) -> String {
    let ids = match ids {
        "" => format!(r#""session":"{}","#, session(4)),
        "-" => String::new(),
        ids => format!(r#""session":"{}","call":{ids},"#, session(4)),
    };
    format!(r#"{{"seen":{{{ids}"time":{time},{what}}}}}"#)
}

fn process(path: &str) -> String {
    format!(r#""process":{{"path":"{path}"}}"#)
}

fn connection(address: &str, port: u16) -> String {
    format!(r#""connection":{{"address":"{address}","port":{port}}}"#)
}

fn tagged() -> Builder {
    Builder::default().with_source(Source::new("sensor", Format::Plain))
}

fn run(builder: Builder, record: &Record, events: &[String]) -> (Vec<Finding>, Report) {
    let mut found = Vec::new();
    let events = events.join("\n");
    let correlator = builder.build(|finding| found.push(finding));
    let report = correlator.run(record.text().as_bytes(), vec![events.as_bytes()]).unwrap();
    (found, report)
}

/// What was found, in short.
fn names(found: &[Finding]) -> Vec<String> {
    let name = |finding: &Finding| {
        let call = finding.call.map_or(String::new(), |call| format!(" {call}"));
        match &finding.what {
            What::Bypass(cause) => format!("bypass {}{call}", cause.as_str()),
            what => format!("{}{call}", what.as_str()),
        }
    };
    found.iter().map(name).collect()
}

#[test]
fn a_tunnel_out_of_a_build_is_found() {
    // Modelled after what is published of the ROME incident (arXiv 2512.24873 §3.1.4): ordinary calls, and
    // beside them a reverse tunnel and traffic that nobody asked for. The commands are our own.
    let mut record = Record::default();
    record.allow(1, T, &[("Exec", "Program", "cargo")]);
    record.outcome(1, T + 60_000, "succeeded");
    record.allow(2, T + 61_000, &[("Exec", "Program", "ls")]);
    record.outcome(2, T + 61_050, "succeeded");
    record.add("deny", 3, T + 70_000, &[("Connect", "Endpoint", "203.0.113.9:3333")]);
    let events = [
        seen(T + 10, "1", &process("/usr/bin/cargo")),
        seen(T + 500, "1", &process("/usr/bin/rustc")),
        seen(T + 40_000, "", &process("/usr/bin/ssh")),
        seen(T + 40_100, "", &connection("203.0.113.9", 22)),
        seen(T + 61_010, "2", &process("/usr/bin/curl")),
        seen(T + 71_000, "3", &connection("203.0.113.9", 3333)),
        seen(T + 72_000, "", &connection("203.0.113.9", 3333)),
    ];
    let (found, report) = run(tagged().with_child("cargo", "rustc"), &record, &events);
    assert_eq!(
        names(&found),
        ["bypass no_call", "bypass no_call", "mismatch 2", "bypass denied 3", "bypass denied 3",]
    );
    assert_eq!(found[2].severity, Severity::High);
    assert_eq!(found[3].severity, Severity::Critical);
    assert_eq!(
        found[2].to_string(),
        format!(
            "high: mismatch: session {}, call 2: allowed Exec ls; saw process /usr/bin/curl at \
             2026-11-23T10:01:01.010Z (source 0, line 5)",
            session(4)
        )
    );
    assert_eq!((report.judged, report.covered), (7, 2));
    assert_eq!(report.calls, [2, 0, 1]);
    assert_eq!(report.findings, [4, 1, 0, 0, 0]);
    let totals = &report.sessions[&SessionId::from_bytes([4; 16])];
    assert_eq!((totals.covered, totals.findings), (2, [4, 1, 0, 0, 0]));
    let json = found[2].to_json();
    let json = json.as_object().unwrap();
    assert_eq!(json.get("finding").unwrap().as_str(), Some("mismatch"));
    assert_eq!(json.get("call").unwrap().to_canonical(), "2");
}

#[test]
fn what_happens_outside_of_the_life_of_a_call_is_a_bypass() {
    let ssh = &[("Exec", "Program", "/usr/bin/ssh")];
    let check = |time: u64, outcome: Option<(u64, &str)>, expected: &[&str]| {
        let mut record = Record::default();
        record.allow(1, T, ssh);
        if let Some((time, status)) = outcome {
            record.outcome(1, time, status);
        }
        for ids in ["", "1"] {
            let events = [seen(time, ids, &process("/usr/bin/ssh"))];
            let (found, _) = run(tagged(), &record, &events);
            assert_eq!(names(&found), expected, "{time} {outcome:?} {ids}");
        }
    };
    let done = Some((T + 50_000, "succeeded"));
    check(T - 2_000, done, &[]);
    check(T - 2_001, done, &["bypass before_decision 1"]);
    check(T + 49_000, done, &[]);
    // After the permit, and the outcome says that it was still running.
    check(T + 32_001, done, &[]);
    check(T + 53_000, done, &[]);
    check(T + 53_001, done, &["bypass after_outcome 1"]);
    // No outcome at all.
    check(T + 32_000, None, &["unreported_outcome 1"]);
    check(T + 32_001, None, &["bypass after_permit 1"]);
    // Nothing ran, says the record.
    check(T + 1_000, Some((T + 2_000, "unused")), &["unreported_outcome 1"]);
    check(T + 1_000, Some((T + 2_000, "expired")), &["unreported_outcome 1"]);
    check(T + 1_000, Some((T + 2_000, "unfinished")), &[]);
}

#[test]
fn deferred_and_incomplete_calls_allow_nothing() {
    let ssh = &[("Exec", "Program", "/usr/bin/ssh")];
    let events = [seen(T + 10, "", &process("/usr/bin/ssh"))];
    let mut record = Record::default();
    record.add("defer", 1, T, ssh);
    assert_eq!(names(&run(tagged(), &record, &events).0), ["bypass deferred 1"]);
    let mut record = Record::default();
    record.allow(1, T, ssh);
    record.lines[0] = record.lines[0].replace(r#""of":1"#, r#""of":2"#);
    assert_eq!(names(&run(tagged(), &record, &events).0), ["bypass not_released 1"]);
}

#[test]
fn calls_are_found_by_trace_and_transaction() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut record = Record::default();
    let effects = &[("Exec", "Program", "ls")];
    let call = Call { session: 4, call: 1, decision: "allow", time: T, effects };
    record.call(&call, &format!(r#","traceparent":"{parent}","txn":"t-1""#), "");
    record.outcome(1, T + 1_000, "succeeded");
    let other = parent.replace("00f067", "10f067");
    let events = [
        seen(T + 10, "-", &format!(r#""traceparent":"{parent}",{}"#, process("/usr/bin/ls"))),
        seen(T + 20, "-", &format!(r#""traceparent":"{parent}",{}"#, process("/usr/bin/curl"))),
        seen(T + 30, "-", &format!(r#""traceparent":"{other}",{}"#, process("/usr/bin/wget"))),
        seen(T + 40, "-", &format!(r#""txn":"t-1",{}"#, process("/usr/bin/nc"))),
        seen(T + 50, "-", &format!(r#""txn":"t-2",{}"#, process("/usr/bin/nc"))),
    ];
    let (found, report) = run(tagged(), &record, &events);
    assert_eq!(names(&found), ["mismatch 1", "mismatch 1", "mismatch 1"]);
    assert_eq!((report.covered, report.unattributed), (1, 1));
}

#[test]
fn a_complete_source_explains_everything_and_a_place_belongs_to_one_session() {
    let mut record = Record::default();
    record.allow(1, T, &[("Exec", "Program", "ls")]);
    record.outcome(1, T + 1_000, "succeeded");
    let stranger = session(9);
    let events = [
        seen(T + 10, "-", &process("/usr/bin/ls")),
        seen(T + 20, "-", &process("/usr/bin/curl")),
        seen(T + 30, "-", &format!(r#""place":"c1",{}"#, process("/usr/bin/curl"))),
        // The watched process wrote another session's id.
        format!(
            r#"{{"seen":{{"session":"{stranger}","call":1,"place":"c1","time":{},{}}}}}"#,
            T + 40,
            process("/usr/bin/ls")
        ),
    ];
    let (found, report) = run(tagged(), &record, &events);
    assert_eq!(names(&found), ["bypass no_call 1"]);
    assert_eq!((report.covered, report.unattributed), (1, 2));
    let complete = Builder::default().with_source(Source::new("sensor", Format::Plain).complete());
    let complete = complete.with_place("c1", SessionId::from_bytes([4; 16]));
    let (found, report) = run(complete, &record, &events);
    assert_eq!(names(&found), ["bypass no_call", "bypass no_call"]);
    assert_eq!((found[0].session, report.covered), (None, 2));
    assert_eq!(found[1].session, Some(SessionId::from_bytes([4; 16])));
}

#[test]
fn what_was_declared_of_the_runtime_is_no_finding() {
    let mut record = Record::default();
    record.allow(1, T, &[("Exec", "Program", "cargo"), ("ToolCall", "Tool", "files/read")]);
    record.outcome(1, T + 1_000, "succeeded");
    let by = |path: &str, what: String| format!(r#""by":"{path}",{what}"#);
    let events = [
        seen(T + 1, "", &process("/opt/agent")),
        seen(T + 2, "", &by("/opt/agent", connection("198.51.100.1", 443))),
        seen(T + 3, "", &connection("10.0.0.2", 53)),
        seen(T + 4, "", &process("/usr/bin/bash")),
        seen(T + 5, "", &process("/root/.cargo/bin/cargo")),
        seen(T + 6, "", &process("/usr/bin/rustc")),
        seen(T + 7, "", r#""file":{"path":"/usr/lib/libc.so","access":"read"}"#),
        seen(T + 8, "", r#""tool":{"name":"run"}"#),
        seen(T + 9, "", r#""tool":{"name":"read"}"#),
    ];
    let builder = || {
        tagged()
            .with_ignored_program("/opt/agent")
            .with_ignored_endpoint("10.0.0.2", 53)
            .with_ignored_reads("/usr/lib")
            .with_launcher("/usr/bin/bash")
            .with_child("cargo", "rustc")
            .with_program_directories(["/usr/bin", "/root/.cargo/bin"])
            .with_tool("run", "Exec")
    };
    let (found, report) = run(builder(), &record, &events);
    assert_eq!(names(&found), [""; 0]);
    assert_eq!((report.ignored, report.covered), (4, 5));
    assert!(report.is_clean());
    let (found, _) = run(tagged(), &record, &events);
    assert_eq!(found.len(), 8);
    let (found, report) = run(builder().watching([Class::Tool]), &record, &events);
    assert_eq!((found.len(), report.unwatched), (0, 7));
    // A launcher explains itself only while something is allowed to run.
    let late = [seen(T + 100_000, "", &process("/usr/bin/bash"))];
    assert_eq!(names(&run(builder(), &record, &late).0), ["bypass after_outcome 1"]);
}

#[test]
fn approvals_that_came_later_are_found() {
    let id = "ab".repeat(32);
    let approvals = format!(r#"{{"approver":"dana","id":"{id}","quorum":"sre"}}"#);
    let check = |given: u64, expected: &[&str]| {
        let mut record = Record::default();
        let effects = &[("Exec", "Program", "ls")];
        let call = Call { session: 4, call: 1, decision: "allow", time: T, effects };
        record.call(&call, "", &approvals);
        record.outcome(1, T + 1_000, "succeeded");
        let approval = format!(r#"{{"approval":{{"id":"{id}","time":{given}}}}}"#);
        let event = seen(T + 10, "1", &process("/usr/bin/ls"));
        let events = if given < T { [approval, event] } else { [event, approval] };
        let (found, _) = run(tagged(), &record, &events);
        assert_eq!(names(&found), expected, "{given}");
    };
    check(T - 60_000, &[]);
    check(T + 2_000, &[]);
    check(T + 2_001, &["late_approval 1"]);
    // Long after the call has left its window.
    check(T + 7_200_000, &["late_approval 1"]);
}

#[test]
fn without_openings_kinds_are_compared_and_nothing_more() {
    let mut record = Record::default();
    record.allow(1, T, &[("Exec", "Program", "ls")]);
    record.outcome(1, T + 1_000, "succeeded");
    record.lines.remove(1);
    let events = [
        seen(T + 10, "1", &process("/usr/bin/curl")),
        seen(T + 20, "", &process("/usr/bin/curl")),
        seen(T + 30, "1", &connection("203.0.113.9", 1)),
    ];
    let (found, report) = run(tagged(), &record, &events);
    assert_eq!(names(&found), ["mismatch 1"]);
    assert!(found[0].to_string().contains("allowed Exec of something that was not opened"));
    assert_eq!(report.kind_only, 2);
}

#[test]
fn an_opening_that_does_not_fit_is_a_gap_and_opens_nothing() {
    let mut record = Record::default();
    record.allow(1, T, &[("Exec", "Program", "ls")]);
    record.outcome(1, T + 1_000, "succeeded");
    record.lines[1] = record.lines[1].replace(r#"\"ls\""#, r#"\"curl\""#);
    let events = [seen(T + 30, "1", &process("/usr/bin/curl"))];
    let (found, report) = run(tagged(), &record, &events);
    assert!(matches!(found[0].what, What::Gap { gap: Gap::WrongOpening, count: 1 }));
    assert_eq!((found.len(), report.kind_only), (1, 1));
}

#[test]
fn hostile_lines_are_counted_and_the_rest_is_judged() {
    let mut record = Record::default();
    record.lines.push("{\"receipt\":{}}".to_owned());
    record.lines.push("{\"opening\":{}}".to_owned());
    record.allow(1, T, &[("Exec", "Program", "ls")]);
    record.outcome(1, T + 1_000, "succeeded");
    let good = seen(T + 10, "", &process("/usr/bin/curl"));
    let mut events: Vec<u8> = Vec::new();
    for line in [
        "[".repeat(1 << 16).into_bytes(),
        format!("{{\"seen\":\"{}\"}}", "x".repeat(1 << 20)).into_bytes(),
        vec![b'y'; 3 << 20],
        br#"{"seen":{"time":9007199254740993000000000000000000000}}"#.to_vec(),
        br#"{"seen":{"time":1,"time":2,"process":{"path":"/a"}}}"#.to_vec(),
        b"{\"seen\":\"\xff\xfe\"}".to_vec(),
        b"{\"seen\":\"\\udfff\"}".to_vec(),
        b"\0".to_vec(),
        Vec::new(),
        good.into_bytes(),
    ] {
        events.extend(line);
        events.push(b'\n');
    }
    let mut found = Vec::new();
    let correlator = tagged().build(|finding| found.push(finding));
    let report = correlator.run(record.text().as_bytes(), vec![&events[..]]).unwrap();
    assert_eq!((report.unreadable, report.unreadable_decisions), (8, 2));
    assert_eq!(report.findings[0], 1);
    let gaps: Vec<&What> =
        found.iter().map(|f| &f.what).filter(|w| matches!(w, What::Gap { .. })).collect();
    // 1, 2, 4, 8 of the one and 1, 2 of the other.
    assert_eq!(gaps.len(), 6);
}

#[test]
fn memory_is_bounded_by_the_caps_and_meeting_one_is_a_finding() {
    let caps = Caps { calls: 8, queue: 64, openings: 4, sessions: 2, ..Caps::default() };
    let mut gaps = Vec::new();
    let mut correlator =
        tagged().with_caps(caps).with_window(Duration::from_secs(1)).build(|finding| {
            if let What::Gap { gap, .. } = finding.what {
                gaps.push(gap);
            }
        });
    let rounds = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    let line = |time: u64| seen(time, "", &connection("203.0.113.9", 22));
    for number in 0..rounds {
        correlator.event_line(0, line(T + number).as_bytes()).unwrap();
    }
    // The receipts were silent all the time: the queue was met, and nothing was lost.
    assert!(correlator.report().judged >= rounds - 64);
    let mut record = Record::default();
    for call in 1..=100 {
        record.allow(call, T + rounds + call, &[("Exec", "Program", "ls")]);
    }
    // The openings first, as a host does that stores them apart.
    record.lines.sort_by_key(|line| line.starts_with("{\"receipt\""));
    for line in &record.lines {
        correlator.decision_line(line.as_bytes()).unwrap();
    }
    let report = correlator.finish();
    assert_eq!(report.judged, rounds);
    assert_eq!(report.findings[0], rounds);
    for gap in [Gap::Queue, Gap::Calls, Gap::Openings] {
        assert!(gaps.contains(&gap), "{gap:?} in {gaps:?}");
    }
}

#[test]
fn a_silent_source_is_waited_for_until_somebody_says_how_late_it_is() {
    let mut found = 0;
    let builder = tagged().with_source(Source::new("silent", Format::Falco));
    let mut correlator = builder.build(|_| found += 1);
    let line = seen(T, "", &process("/usr/bin/ssh"));
    correlator.event_line(0, line.as_bytes()).unwrap();
    correlator.event_line(0, seen(T + 60_000, "", &process("/usr/bin/ssh")).as_bytes()).unwrap();
    assert_eq!(correlator.report().judged, 0);
    correlator.advance(countersign::time::Timestamp::from_millis(T + 60_000));
    assert_eq!(correlator.report().judged, 1);
    assert!(correlator.event_line(7, line.as_bytes()).is_err());
    assert_eq!(correlator.finish().judged, 2);
    assert_eq!(found, 3);
}

/// A world of calls and events, from a few choices.
fn world() -> impl Strategy<Value = (Record, Vec<(u64, String)>)> {
    let programs = ["ls", "git", "curl"];
    let call = (
        0_u64..40_000,
        0..3_usize,
        prop::sample::select(vec!["allow", "allow", "deny"]),
        prop::bool::ANY,
    );
    let event = (0_u64..80_000, 0..3_usize, prop::option::of(1_u64..6));
    (prop::collection::vec(call, 1..6), prop::collection::vec(event, 1..12)).prop_map(
        move |(mut calls, events)| {
            calls.sort_unstable();
            let mut record = Record::default();
            for (number, (time, program, decision, reported)) in calls.into_iter().enumerate() {
                let call = number as u64 + 1;
                let effects = [("Exec", "Program", programs[program])];
                record.add(decision, call, T + time, &effects);
                if decision == "allow" && reported {
                    record.outcome(call, T + time + 500, "succeeded");
                }
            }
            let line = |(time, program, call): (u64, usize, Option<u64>)| {
                let ids = call.map_or(String::new(), |call| call.to_string());
                let path = format!("/usr/bin/{}", programs[program]);
                (T + time, seen(T + time, &ids, &process(&path)))
            };
            let mut events: Vec<_> = events.into_iter().map(line).collect();
            events.sort();
            (record, events)
        },
    )
}

/// Findings without the numbers of lines, which a shuffle changes.
fn content(found: &[Finding]) -> Vec<String> {
    let mut out = Vec::new();
    for finding in found {
        let mut text = finding.to_string();
        if let Some(at) = text.find(" (source") {
            let end = text[at..].find(')').unwrap() + at + 1;
            text.replace_range(at..end, "");
        }
        out.push(text);
    }
    out
}

/// The events of findings that are bypasses.
fn bypassed(found: &[Finding]) -> Vec<(u64, String)> {
    let bypass = |finding: &&Finding| matches!(finding.what, What::Bypass(_));
    let mut events: Vec<_> = found
        .iter()
        .filter(bypass)
        .filter_map(|finding| finding.event.as_ref())
        .map(|event| (event.start().as_millis(), event.seen().to_string()))
        .collect();
    events.sort();
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 64 } else { 512 }))]

    #[test]
    fn shuffling_within_the_skew_changes_nothing((record, events) in world(), shift in prop::collection::vec(0_u64..2_000, 12)) {
        let lines = |events: &[(u64, String)]| -> Vec<String> {
            events.iter().map(|(_, line)| line.clone()).collect()
        };
        let (sorted, _) = run(tagged(), &record, &lines(&events));
        let mut shuffled: Vec<_> = events.iter().cloned().zip(shift).collect();
        shuffled.sort_by_key(|((time, _), shift)| time + shift);
        let shuffled: Vec<_> = shuffled.into_iter().map(|(event, _)| event).collect();
        let (other, report) = run(tagged(), &record, &lines(&shuffled));
        prop_assert_eq!(report.late, 0);
        prop_assert_eq!(content(&sorted), content(&other));
    }

    #[test]
    fn it_does_not_matter_how_the_streams_are_interleaved((record, events) in world(), turns in prop::collection::vec(0_usize..5, 1..40)) {
        let lines: Vec<String> = events.iter().map(|(_, line)| line.clone()).collect();
        let (whole, _) = run(tagged(), &record, &lines);
        let mut found = Vec::new();
        let mut correlator = tagged().build(|finding| found.push(finding));
        let (mut decisions, mut events) = (record.lines.iter().peekable(), lines.iter());
        for turn in turns.into_iter().cycle().take(200) {
            if turn == 0 {
                // A call comes with its openings.
                if let Some(line) = decisions.next() {
                    correlator.decision_line(line.as_bytes()).unwrap();
                    while let Some(line) = decisions.next_if(|line| line.contains("opening")) {
                        correlator.decision_line(line.as_bytes()).unwrap();
                    }
                }
            } else if let Some(line) = events.next() {
                correlator.event_line(0, line.as_bytes()).unwrap();
            }
        }
        for line in decisions {
            correlator.decision_line(line.as_bytes()).unwrap();
        }
        for line in events {
            correlator.event_line(0, line.as_bytes()).unwrap();
        }
        let _ = correlator.finish();
        prop_assert_eq!(whole, found);
    }

    #[test]
    fn dropping_a_call_never_takes_a_bypass_away((record, events) in world(), dropped in 1_u64..6) {
        let lines: Vec<String> = events.iter().map(|(_, line)| line.clone()).collect();
        let (before, _) = run(tagged(), &record, &lines);
        let mut fewer = record.clone();
        fewer.lines.retain(|line| !line.contains(&format!(r#""call":{dropped},"#)));
        let (after, _) = run(tagged(), &fewer, &lines);
        let after = bypassed(&after);
        for event in bypassed(&before) {
            prop_assert!(after.contains(&event), "{:?} was lost", event);
        }
        prop_assert!(after.len() >= bypassed(&before).len());
    }

    #[test]
    fn no_line_makes_it_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..8)) {
        for format in [Format::Plain, Format::Ocsf, Format::Falco, Format::Otel] {
            let mut correlator =
                Builder::default().with_source(Source::new("s", format)).build(|_| ());
            for line in &lines {
                let _ = correlator.event_line(0, line);
                let _ = correlator.decision_line(line);
            }
            let _ = correlator.finish();
        }
    }
}

#[test]
fn a_report_and_every_finding_are_plain_text() {
    let mut record = Record::default();
    record.allow(1, T, &[("Connect", "Endpoint", "git.example.org:443")]);
    let events = [
        seen(T + 1, "1", &connection("203.0.113.9", 443)),
        seen(T + 2, "", &connection("203.0.113.9", 443)),
        seen(T + 3, "", "\"process\":{\"path\":\"/tmp/\\u202ex\\n\"}"),
    ];
    let (found, report) = run(tagged(), &record, &events);
    assert_eq!(names(&found), ["mismatch 1", "bypass not_comparable 1", "bypass no_call"]);
    assert_eq!(found[0].severity, Severity::Low);
    assert!(matches!(found[1].what, What::Bypass(Cause::NotComparable)));
    let mut text = String::new();
    for finding in &found {
        write!(text, "{finding}{}", finding.to_json()).unwrap();
    }
    assert!(!text.contains(['\n', '\u{202e}']));
    assert!(
        report.to_string().starts_with("calls: 1 allowed, 0 deferred, 0 denied\nevents: 3 judged")
    );
}
