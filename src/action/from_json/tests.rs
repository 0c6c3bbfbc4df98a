//! Every built-in action, read from its JSON.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::action::Kind;
use crate::testing::strategies::any_action;
use crate::value::Limits;

fn parse(text: &str) -> Value {
    Value::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap()
}

fn nested(action: &dyn Action) -> Value {
    let kind = Value::from(action.kind().into_owned());
    let members = [("action".to_owned(), action.describe()), ("kind".to_owned(), kind)];
    Value::Object(members.into_iter().collect())
}

fn beside(action: &dyn Action) -> Value {
    let Value::Object(mut object) = action.describe() else { panic!("no object") };
    if let Some(kind) = object.remove("kind") {
        object.insert(ACCELERATOR.to_owned(), kind);
    }
    object.insert("kind".to_owned(), Value::from(action.kind().into_owned()));
    Value::Object(object)
}

fn round_trips(action: &dyn Action) {
    for form in [nested(action), beside(action)] {
        let read = from_value(&form).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(read.kind(), action.kind());
        assert_eq!(read.describe(), action.describe(), "{form}");
    }
}

fn examples() -> Vec<Box<dyn Action + Sync>> {
    let address = ["203.0.113.7", "2001:db8::1"].map(|text| text.parse::<IpAddr>().unwrap());
    let number = |text: &str| Decimal::parse(text).unwrap();
    let gpus = || UseAccelerator::new("gpu:a100", 8).seconds(600);
    vec![
        Box::new(
            ToolCall::new("tracker", "create", parse(r#"{"n": 1.50}"#))
                .with_schema(Digest::of("test", b"x")),
        ),
        Box::new(ApiCall::new("GET", "https://example.org/").resolved_to(address).sends_bytes(7)),
        Box::new(TriggerWorkflow::new("ci/release", parse(r#"[1, null]"#))),
        Box::new(SendMessage::new("email", ["a@example.org"]).with_body("hello")),
        Box::new(SpawnAgent::new("spiffe://example.org/agent/tester", "t")),
        Box::new(Pay::new("cdn", number("12.345"), "EUR").reference("r")),
        Box::new(Publish::new("npm", "@web/client").internal().sends_bytes(u64::MAX)),
        Box::new(RemoteShell::new("bash", Direction::Bind, "0.0.0.0", 4444)),
        Box::new(
            Exec::new("make")
                .args(["-j", "2"])
                .nothing_else()
                .and(Exec::new("cc").and(Connect::new("example.org", 1)).and(gpus())),
        ),
        Box::new(
            Connect::new("example.org", 53)
                .over(Transport::Udp)
                .resolved_to(address)
                .sends_bytes(0),
        ),
        Box::new(Listen::new("::", 65535).over(Transport::Udp)),
        Box::new(Tunnel::new(TunnelDirection::Dynamic, "example.org", 22, "*")),
        Box::new(UseSecret::new("ci/token", "deploy")),
        Box::new(ChangePrivilege::new("root")),
        Box::new(ChangeIdentity::new("service:deployer")),
        Box::new(
            MutateInfrastructure::new("aws", "update", "instance", "web-1")
                .with_change(parse(r#"{"size": "l"}"#)),
        ),
        Box::new(InstallPackage::new("npm", "left-pad").version("1.0.0").registry("r.example")),
        Box::new(ReadData::new("a\u{202e}b").recursive().classes(["personal"])),
        Box::new(WriteData::table("crm.orders")),
        Box::new(DeleteData::object("bucket/key")),
        Box::new(
            ExportData::to_host("dist", "cdn.example.org", 443)
                .recursive()
                .classes(["secret"])
                .sends_bytes(9),
        ),
        Box::new(RecallMemory::new("task/notes")),
        Box::new(WriteMemory::new("task/notes", "text")),
        Box::new(InvokeModel::new("lab/large").provider("lab")),
        Box::new(SubmitJob::new("batch", "eval").image("i:1").accelerators(gpus()).and(gpus())),
        Box::new(gpus()),
        Box::new(StartTraining::new("web/ranker").dataset("d").accelerators(gpus())),
    ]
}

#[test]
fn every_kind_reads_what_it_describes() {
    let examples = examples();
    let kinds: Vec<String> = examples.iter().map(|action| action.kind().into_owned()).collect();
    assert_eq!(kinds, Kind::BUILT_IN.map(|kind| kind.as_str().to_owned()));
    for action in &examples {
        round_trips(action);
    }
    round_trips(&ExportData::to_named("dist", "warehouse/reports"));
}

#[test]
fn every_shape_has_the_members_that_are_described() {
    assert_eq!(SHAPES.map(|shape| shape.0), Kind::BUILT_IN.each_ref().map(Kind::as_str));
    for (action, (kind, mandatory, optional)) in examples().iter().zip(SHAPES) {
        let Value::Object(described) = action.describe() else { panic!("{kind}") };
        let described: BTreeSet<&str> = described.iter().map(|(name, _)| name).collect();
        let named: BTreeSet<&str> = mandatory.iter().chain(optional).copied().collect();
        assert_eq!(described, named, "{kind}");
    }
}

#[test]
fn every_member_is_mandatory_or_may_be_absent_as_its_shape_says() {
    for (action, (kind, mandatory, optional)) in examples().iter().zip(SHAPES) {
        let Value::Object(full) = action.describe() else { panic!("{kind}") };
        let read = |object: &Object| {
            let kind = ("kind".to_owned(), Value::from(kind));
            let members = ("action".to_owned(), Value::Object(object.clone()));
            from_value(&Value::Object([kind, members].into_iter().collect()))
        };
        for name in mandatory {
            let mut object = full.clone();
            object.remove(name);
            let error = read(&object).err().unwrap();
            assert_eq!(error.member(), format!("action.{name}"));
            assert!(error.to_string().contains("mandatory"), "{error}");
        }
        for name in optional {
            let mut object = full.clone();
            object.remove(name);
            let absent = read(&object).unwrap().describe();
            object.insert((*name).to_owned(), Value::Null);
            assert_eq!(read(&object).unwrap().describe(), absent, "{kind} {name}");
        }
        let mut object = full.clone();
        object.insert("reversibility".to_owned(), Value::from("reversible"));
        assert_eq!(read(&object).err().unwrap().member(), "action.reversibility");
    }
}

#[test]
fn the_documentation_lists_every_member() {
    let page = include_str!("../../../docs/actions.md");
    let (_, table) = page.split_once("<!-- actions and members -->").unwrap();
    let (table, _) = table.split_once("<!-- end -->").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let names = |cell: &str| {
        let parts = cell.split(", ").filter(|part| part.trim().starts_with('`'));
        parts
            .map(|part| part.trim().trim_start_matches('`').split('`').next().unwrap().into())
            .collect::<Vec<String>>()
    };
    let rows: Vec<[Vec<String>; 3]> = rows
        .map(|row| {
            let mut cells = row.trim_matches('|').split(" | ").map(names);
            std::array::from_fn(|_| cells.next().unwrap_or_default())
        })
        .collect();
    let expected: Vec<[Vec<String>; 3]> = SHAPES
        .iter()
        .map(|(kind, mandatory, optional)| {
            [&[*kind][..], mandatory, optional]
                .map(|names| names.iter().map(|name| (*name).to_owned()).collect())
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn errors_name_the_member() {
    let check = |text: &str, member: &str, says: &str| {
        let error = from_value(&parse(text)).err().unwrap_or_else(|| panic!("{text}"));
        assert_eq!(error.member(), member, "{text}");
        assert!(error.to_string().contains(says), "{text}: {error}");
    };
    check("[]", "", "`kind`");
    check("{}", "kind", "absent");
    check(r#"{"kind": 1}"#, "kind", "name of a kind");
    check(r#"{"kind": "RotateKey"}"#, "kind", "`RotateKey` is no built-in");
    check(r#"{"kind": "connect"}"#, "kind", "`connect`");
    check(r#"{"kind": "Opaque:data"}"#, "kind", "no built-in");
    check(r#"{"kind": "Connect", "host": "h"}"#, "port", "absent");
    check(r#"{"kind": "Connect", "host": "h", "port": null}"#, "port", "absent");
    check(r#"{"kind": "Connect", "host": "h", "port": 65536}"#, "port", "65535");
    check(r#"{"kind": "Connect", "host": "h", "port": 1.5}"#, "port", "65535");
    check(r#"{"kind": "Connect", "host": "h", "port": -1}"#, "port", "65535");
    check(r#"{"kind": "Connect", "host": 1, "port": 1}"#, "host", "a string");
    check(r#"{"kind": "Connect", "host": "h", "port": 1, "Port": 2}"#, "Port", "no such");
    check(r#"{"kind": "Connect", "host": "h", "port": 1, "a`b": 2}"#, "a\\u{60}b", "no such");
    check(
        r#"{"kind": "Connect", "host": "h", "port": 1, "resolved": ["1.2.3.4", "x"]}"#,
        "resolved[1]",
        "address",
    );
    check(r#"{"kind": "Connect", "host": "h", "port": 1, "transport": "ip"}"#, "transport", "tcp");
    check(r#"{"kind": "Connect", "action": {"host": "h"}}"#, "action.port", "absent");
    check(r#"{"kind": "Connect", "action": {}, "host": "h"}"#, "host", "no such");
    check(r#"{"kind": "Connect", "action": []}"#, "action", "object");
    check(r#"{"kind": "UseAccelerator", "count": 1}"#, "accelerator", "absent");
    check(
        r#"{"kind": "UseAccelerator", "accelerator": "gpu", "count": 4294967296}"#,
        "count",
        "4294967295",
    );
    check(r#"{"kind": "UseAccelerator", "action": {"count": 1}}"#, "action.kind", "absent");
    check(r#"{"kind": "ReadData", "data": "a"}"#, "data", "object of members");
    check(r#"{"kind": "ReadData", "data": {}}"#, "data", "one of");
    check(r#"{"kind": "ReadData", "data": {"file": "a", "table": "b"}}"#, "data", "one of");
    check(r#"{"kind": "ReadData", "data": {"file": 1}}"#, "data", "one of");
    check(r#"{"kind": "WriteMemory", "memory": "m", "content": "text"}"#, "content", "hex");
    check(
        r#"{"kind": "ExportData", "access": {"data": {"file": "a"}}, "destination": 1}"#,
        "destination",
        "a name",
    );
    check(
        r#"{"kind": "Exec", "program": "a", "also": [{"kind": "Listen", "action": {"port": 1}}]}"#,
        "also[0].action.address",
        "absent",
    );
}

#[test]
fn actions_nest_to_a_limit() {
    let nest = |levels: usize| {
        let open = r#"{"kind":"Exec","program":"a","also":["#.repeat(levels);
        let text = format!(
            "{open}{}{}",
            r#"{"kind":"ChangePrivilege","privilege":"p"}"#,
            "]}".repeat(levels)
        );
        let limits = Limits { max_depth: Limits::MAX_DEPTH, ..Limits::ARGUMENTS };
        from_value(&Value::parse(text.as_bytes(), &limits).unwrap())
    };
    assert!(nest(MAX_NESTED).is_ok());
    let error = nest(MAX_NESTED + 1).err().unwrap();
    assert!(error.to_string().contains("deeper than 8"), "{error}");
    assert!(nest(40).is_err());
}

#[test]
fn a_program_is_opaque_unless_it_is_said_not_to_be() {
    let describe = |text: &str| from_value(&parse(text)).unwrap().describe().to_canonical();
    assert!(describe(r#"{"kind": "Exec", "program": "a"}"#).contains(r#""opaque":true"#));
}

proptest! {
    #[test]
    fn any_action_reads_what_it_describes(action in any_action()) {
        for form in [nested(&action), beside(&action)] {
            let read = from_value(&form).unwrap();
            prop_assert_eq!(read.describe(), action.describe());
        }
    }
}
