//! What a host can write that holds the keys and chooses its facts: lines, openings and commitments
//! that fit each other.

use std::convert::Infallible;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::Decision;
use crate::action::{Connect, ReadData};
use crate::authorizer::facts::Facts;
use crate::receipt::Kind;
use crate::testing::{self, Fixture, strategies};
use crate::value::{Object, Value};

struct Case {
    line: Line,
    openings: Vec<Opening>,
    replayer: Replayer,
}

/// An allowed connection, whose bytes are limited, after a denied one and a read.
fn case() -> Case {
    let fixture = Fixture::default();
    let session = fixture.session();
    drop(session.authorize(Connect::new("198.51.100.7", 22)).unwrap());
    for action in [ReadData::new("a").classes(["internal"]), ReadData::new("b")] {
        if let Decision::Allow(permit) = session.authorize(action).unwrap() {
            permit.run(|_| Ok::<_, Infallible>(())).unwrap();
        }
    }
    assert!(session.authorize(Connect::new("git.example.org", 443)).unwrap().is_allow());
    let line = fixture.sink.lines().into_iter().rfind(|line| line.kind() == Kind::Receipt);
    let mut openings = fixture.sink.openings();
    openings.retain(|opening| opening.call() == 4);
    let replayer = Replayer::new(&testing::baseline()).with_scope(testing::scope().scope());
    let case = Case { line: line.unwrap(), openings, replayer };
    assert!(case.replay().unwrap().is_same());
    case
}

impl Case {
    fn replay(&self) -> Result<Replayed, ReplayError> {
        self.replayer.replay_call(std::slice::from_ref(&self.line), &self.openings)
    }

    fn value(&self, name: &str) -> Object {
        let opening = self.openings.iter().find(|opening| opening.name() == name).unwrap();
        crate::action::record::parse(opening.value()).unwrap().as_object().unwrap().clone()
    }

    /// Commits to another value under the name, in line and opening (receipt-format §7).
    fn with(&self, name: &str, value: &str) -> Self {
        let at = self.openings.iter().position(|opening| opening.name() == name).unwrap();
        let (old, mut openings) = (&self.openings[at], self.openings.clone());
        let text = |text: &str| Value::from(text).to_canonical();
        let written = old.to_line().replace(&text(old.value()), &text(value));
        let salt = written.split_once("\"salt\":\"").unwrap().1;
        let salt = Digest::parse_hex(salt.split('"').next().unwrap()).unwrap();
        let commit = |value: &str| {
            let message = format!("countersign commitment v1\n{name}\n{value}");
            Digest::from_bytes(*blake3::keyed_hash(salt.as_bytes(), message.as_bytes()).as_bytes())
        };
        let (from, to) = (commit(old.value()).to_string(), commit(value).to_string());
        let line = self.line.as_str().replace(&from, &to);
        assert!(from == to || line != self.line.as_str());
        openings[at] = Opening::parse(&written).unwrap();
        let replayer = self.replayer.clone();
        Self { line: Line::parse(line).unwrap(), openings, replayer }
    }

    fn with_member(&self, name: &str, member: &str, value: Option<Value>) -> Self {
        let mut object = self.value(name);
        match value {
            Some(value) => drop(object.insert(member.to_owned(), value)),
            None => drop(object.remove(member)),
        }
        self.with(name, &Value::from(object).to_canonical())
    }

    fn json(text: &str) -> Value {
        crate::action::record::parse(text).unwrap()
    }
}

const EFFECT: &str = "effects/infrastructure/0";

#[test]
fn facts_have_exactly_their_members() {
    let case = case();
    let facts = case.value("facts");
    let names: Vec<&str> = facts.iter().map(|(name, _)| name).collect();
    let members =
        "counters environment labels permit_millis proposals provenance purpose task time v";
    assert_eq!(names.join(" "), members);
    for name in names {
        for value in [None, Some(Value::Null), Some(Case::json("[{}]")), Some(Case::json("-1"))] {
            let error = case.with_member("facts", name, value).replay().unwrap_err();
            assert_eq!(error.code(), "replay.facts", "{name}");
        }
    }
    for name in ["approvals", "a", "w"] {
        let error = case.with_member("facts", name, Some(Case::json("[]"))).replay().unwrap_err();
        assert_eq!(error.code(), "replay.facts", "{name}");
    }
    let check = |name: &str, value: &str| {
        let error = case.with_member("facts", name, Some(Case::json(value))).replay().unwrap_err();
        assert_eq!(error.code(), "replay.facts", "{name} {value}: {error}");
    };
    check("clock", r#""slow""#);
    check("known", "[7]");
    check("known", "[]");
    check("known", "[1,0]");
    check("labels", r#"["b","a"]"#);
    check("labels", r#"["a","a"]"#);
    check("paths", "{}");
    check("paths", r#"{"/a":"directory"}"#);
    check("paths", r#"{"/a":{"link":"b","x":"c"}}"#);
    check("spend", "{}");
    check("permit_millis", "3600001");
    check("tools", "{}");
    check("refused", "[]");
    check("refused", "[1]");
    check("refused", "[0,0]");
    check("declassified", "[]");
    check("declassified", r#"["other"]"#);
    check("tools", r#"{"srv/t":0}"#);
    check("tools", r#"{"srv/t":"1"}"#);
    check("spend", r#"{"EUR":"1.0"}"#);
    check("spend", r#"{"EUR":1}"#);
    check("v", "2");
    let spaced = Value::from(facts).to_canonical().replacen(':', ": ", 1);
    assert_eq!(case.with("facts", &spaced).replay().unwrap_err().code(), "replay.facts");
}

#[test]
fn facts_that_would_decide_otherwise_are_found_out() {
    let case = case();
    let check = |name: &str, value: &str, expected: &[What]| {
        let replayed = case.with_member("facts", name, Some(Case::json(value))).replay().unwrap();
        let mut found: Vec<What> = replayed.differences().iter().map(Difference::what).collect();
        found.dedup();
        assert_eq!(found, expected, "{name} {value}: {replayed}");
    };
    let counters = |name: &str, value: &str| {
        let mut counters =
            case.value("facts").get("counters").unwrap().as_object().unwrap().clone();
        counters.insert(name.to_owned(), Case::json(value));
        Value::from(counters).to_canonical()
    };
    let denied = [
        What::CallDecision,
        What::Counters,
        What::PermitUntil,
        What::Decision,
        What::Reasons,
        What::Policies,
    ];
    check("clock", r#""broken""#, &denied);
    check("clock", r#""backwards""#, &denied);
    check("proposals", "61", &denied);
    check("counters", &counters("actions", "200"), &denied);
    check("counters", &counters("denials", "5"), &denied);
    check("counters", &counters("distinct_targets", "20"), &denied);
    check("counters", &counters("actions", "3"), &[What::Counters]);
    check("counters", &counters("egress_bytes", "1"), &[What::Counters]);
    check("known", "[0]", &[What::Counters]);
    check("refused", "[0]", &denied);
    check("declassified", r#"["internal"]"#, &[]);
    check("labels", r#"["internal","other"]"#, &[What::Labels]);
    check("labels", "[]", &[What::Labels]);
    check("permit_millis", "29999", &[What::PermitUntil]);
    check("provenance", r#""user""#, &[What::Provenance]);
    check("task", r#""another""#, &[What::Task]);
    check("purpose", r#""another""#, &[What::Purpose]);
    check("time", "1795251600001", &[What::Time, What::PermitUntil]);
    // The host's word, and nothing on record speaks against it.
    check("environment", r#""production""#, &[]);
    check("proposals", "2", &[]);
    check("scope_paths", r#"{"/srv/web":{"link":"/srv/other"}}"#, &[]);
    check("spend", r#""unknown""#, &[What::Counters]);
    check("tools", r#"{"srv/t":1}"#, &[What::Counters]);
    check("counters", &counters("actions:workload", "1"), &[What::Counters]);
}

#[test]
fn effects_that_would_be_decided_otherwise_are_found_out() {
    let case = case();
    let original = Value::from(case.value(EFFECT)).to_canonical();
    let check = |from: &str, to: &str, expected: What| {
        let value = original.replace(from, to);
        assert_ne!(value, original, "{from}");
        let replayed = case.with(EFFECT, &value).replay().unwrap();
        assert!(replayed.differences().iter().any(|found| found.what() == expected), "{replayed}");
    };
    check("git.example.org", "evil.example.org", What::CallDecision);
    check(r#""kind":"Connect""#, r#""kind":"Listen""#, What::Kind);
    check("compensable", "reversible", What::Reversibility);
    check(r#""kind":"Connect""#, r#""kind":"ReadData""#, What::Domain);
    let error = case.with(EFFECT, &original.replace("compensable", "perhaps")).replay();
    assert_eq!(error.unwrap_err().code(), "replay.effect");
    for (member, _) in &case.value(EFFECT) {
        let without = case.with_member(EFFECT, member, None).replay();
        assert!(without.is_err() || member == "usage", "{member}");
        let other = case.with_member(EFFECT, member, Some(Value::Null)).replay();
        assert_eq!(other.unwrap_err().code(), "replay.effect", "{member}");
    }
}

#[test]
fn more_than_is_kept_is_an_error_of_its_own() {
    let fixture = Fixture::default();
    let session = fixture.session();
    drop(session.authorize(ReadData::new("a")).unwrap());
    let replayer = Replayer::new(&testing::baseline()).with_scope(testing::scope().scope());
    let receipts = fixture.sink.to_ndjson();
    let openings: OpeningMap = fixture.sink.openings().into_iter().collect();
    let mut replay = replayer.replay(receipts.as_bytes(), openings.clone());
    replay.kept = super::stream::MAX_KEPT;
    assert!(replay.report().is_same());
    let mut replay = replayer.replay(receipts.as_bytes(), openings);
    replay.kept = super::stream::MAX_KEPT + 1;
    let call = replay.next().unwrap();
    let error = call.result.unwrap_err();
    assert_eq!((call.call, error.code()), (1, "replay.too_many"));
    let said = "there are more than 262144 things that people gave to the sessions that go on";
    assert_eq!(error.to_string(), said);
}

#[test]
fn no_value_panics() {
    let case = case();
    let (facts, effect) = (case.value("facts"), case.value(EFFECT));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let names: Vec<String> = facts.iter().chain(&effect).map(|(name, _)| name.to_owned()).collect();
    let member = prop::sample::select(
        [
            &names[..],
            &[
                "known",
                "paths",
                "scope_paths",
                "spend",
                "clock",
                "tools",
                "refused",
                "declassified",
            ]
            .map(str::to_owned),
        ]
        .concat(),
    );
    runner
        .run(&(member, strategies::json_values(3), any::<bool>()), |(member, value, first)| {
            let name = if first { "facts" } else { EFFECT };
            let before = case.value(name);
            let same = before.get(&member) == Some(&value);
            let replayed = case.with_member(name, &member, Some(value)).replay();
            prop_assert!(
                same || replayed.is_err() || replayed.is_ok_and(|found| found.call() == 4)
            );
            Ok(())
        })
        .unwrap();
}

#[test]
fn facts_say_nothing_where_there_is_nothing_to_say() {
    let fixture = Fixture::default();
    let session = fixture.session();
    drop(session.authorize(ReadData::new("a")).unwrap());
    let openings = fixture.sink.openings();
    let facts = openings.iter().find(|opening| opening.name() == "facts").unwrap().value();
    assert_eq!(
        facts,
        concat!(
            r#"{"counters":{"accelerator_seconds":0,"actions":0,"denials":0,"distinct_targets":0,"#,
            r#""egress_bytes":0},"environment":"test","labels":[],"permit_millis":30000,"#,
            r#""proposals":1,"provenance":"agent","purpose":"Fix the flaky login test","#,
            r#""task":"fix-login-timeout","time":1795251600000,"v":1}"#
        )
    );
    let read = Facts::read(facts).unwrap();
    assert_eq!(read.own.past.proposals, 1);
    assert!(read.own.known.is_empty() && read.own.scope_paths.is_empty());
}
