//! Published attack strings, as they are and mutated, inside typed actions.
//!
//! Each string of `tests/corpus/attack_strings.json` is denied under a scope that grants something
//! beside it. Whatever is allowed of their mutations must be what a naive model, written here without
//! the library, says the scope means. Everything leaves receipts that verify.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use countersign::Session;
use countersign::action::{
    ApiCall, Connect, DeleteData, Exec, InstallPackage, InvokeModel, Kind, Pay, ReadData,
    RecallMemory, SendMessage, SpawnAgent, Target, ToolCall, WriteData, WriteMemory,
};
use countersign::policy::{Authored, Enforced};
use countersign::receipt::Verifier;
use countersign::testing::strategies::{self, AnyAction};
use countersign::testing::{self, Fixture};
use countersign::tool::{ServerTrust, ToolManifest};
use countersign::value::{Decimal, Limits, Object, Value};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support;

/// The scope of the fixtures without its limits, and with more grants: one beside each kind of string.
fn scope() -> String {
    let mut text = testing::SCOPE.to_owned();
    for (from, to) in [
        (r#""actions": 200, "per_minute": 60, "denials": 5, "distinct_targets": 20"#, UNLIMITED),
        (r#""title": { "max_len": 200 } } }"#, TOOLS),
        (
            r#""messages":"#,
            r#""payments": [{"to": "acme/*", "currency": "EUR", "max": "100"}],
            "spawn": ["spiffe://example.org/agent/tester"], "messages":"#,
        ),
        (r#""table:crm.orders""#, r#""table:crm.orders", "object:reports/2026/**""#),
        (r#""reach": {"#, r#""reach": { "packages": ["cargo:serde"],"#),
    ] {
        assert!(text.contains(from), "the scope of the fixtures has no {from}");
        text = text.replacen(from, to, 1);
    }
    text
}

const UNLIMITED: &str = r#""actions": 1000000, "per_minute": 1000000, "denials": 1000000,
    "distinct_targets": 1000000, "spend": { "EUR": "1000000" }"#;

const TOOLS: &str = r#""title": { "max_len": 200 } } },
    { "server": "files", "name": "read", "args": { "path": { "path": "/srv/web/**" } } },
    { "server": "net", "name": "fetch", "args": { "url": { "url": "https://api.example.org:443/v1/**" } } },
    { "server": "net", "name": "ping", "args": { "host": { "host": "git.example.org:*" } } },
    { "server": "mail", "name": "send", "args": { "to": { "each": { "email_domain": "example.org" } } } },
    { "server": "bank", "name": "transfer", "args": { "amount": { "range": { "min": 0.01, "max": 100 } } } },
    { "server": "search", "name": "grep", "args": { "pattern": { "glob": "TODO*" } } }"#;

/// A bundle that permits everything: what is denied, the scope or the normal form has denied.
fn permissive() -> Enforced {
    static LOADED: std::sync::OnceLock<Enforced> = std::sync::OnceLock::new();
    LOADED.get_or_init(load_permissive).clone()
}

fn load_permissive() -> Enforced {
    let mut tools = ToolManifest::new();
    for (server, names) in [
        ("tracker", &["create_ticket"][..]),
        ("files", &["read"]),
        ("net", &["fetch", "ping"]),
        ("mail", &["send"]),
        ("bank", &["transfer"]),
        ("search", &["grep"]),
    ] {
        let entry = |name: &&str| {
            format!(
                r#"{{"name": "{name}",
                "inputSchema": {{"type": "object", "additionalProperties": true}}}}"#
            )
        };
        let entries: Vec<String> = names.iter().map(entry).collect();
        let listing = format!(r#"{{"tools": [{}]}}"#, entries.join(","));
        tools.add_listing(server, ServerTrust::Trusted, listing.as_bytes()).unwrap();
    }
    let policies = r#"@id("all") permit(principal, action, resource);"#;
    Authored::from_files(support::files(policies)).unwrap().with_tools(tools).load().unwrap()
}

/// One string of the corpus.
struct Attack {
    name: String,
    input: String,
    kind: String,
}

fn corpus() -> Vec<Attack> {
    const LICENCES: [&str; 4] = ["MIT", "Apache-2.0", "BSD-3-Clause", "CC0-1.0"];
    let text = include_bytes!("../corpus/attack_strings.json");
    let records = Value::parse(text, &Limits::DOCUMENT).unwrap();
    let mut names = std::collections::BTreeSet::new();
    let read = |record: &Value| {
        let record = record.as_object().unwrap();
        let member = |name: &str| record.get(name).and_then(Value::as_str).unwrap().to_owned();
        let [name, kind, source] = ["name", "kind", "source"].map(member);
        assert_eq!(record.len(), 5, "{name}");
        assert!(LICENCES.contains(&member("licence").as_str()) && !source.is_empty(), "{name}");
        assert!(names.insert((kind.clone(), name.clone())), "`{name}` of {kind} stands twice");
        Attack { name, input: member("input"), kind }
    };
    records.as_array().unwrap().iter().map(read).collect()
}

fn strings(kind: &str) -> Vec<String> {
    let attacks = corpus().into_iter().filter(|attack| attack.kind == kind);
    let strings: Vec<String> = attacks.map(|attack| attack.input).collect();
    assert!(!strings.is_empty(), "there is no string of the kind {kind}");
    strings
}

/// The typed actions that a string of this kind can stand in.
fn actions(kind: &str, input: &str) -> Vec<AnyAction> {
    let tool = |server: &str, name: &str, argument: &str, value: Value| {
        let arguments: Object = [(argument.to_owned(), value)].into_iter().collect();
        AnyAction::new(ToolCall::new(server, name, Value::Object(arguments)))
    };
    let text = || Value::from(input);
    match kind {
        "path" | "literal_path" => vec![
            AnyAction::new(ReadData::new(input)),
            AnyAction::new(ReadData::new(input).recursive()),
            AnyAction::new(WriteData::new(input)),
            AnyAction::new(DeleteData::new(input)),
            tool("files", "read", "path", text()),
        ],
        "host" => vec![
            AnyAction::new(Connect::new(input, 443)),
            AnyAction::new(Connect::new(input, 5432)),
            AnyAction::new(ApiCall::new("GET", format!("https://{input}/v1/items"))),
            tool("net", "ping", "host", text()),
        ],
        "url" => {
            vec![AnyAction::new(ApiCall::new("GET", input)), tool("net", "fetch", "url", text())]
        }
        "tool_argument" => vec![
            ticket(text(), "title".into()),
            tool("search", "grep", "pattern", text()),
            tool("tracker", "create_ticket", input, "WEB".into()),
            AnyAction::new(ToolCall::new("tracker", input, Value::Object(Object::new()))),
        ],
        "recipient" => vec![
            AnyAction::new(SendMessage::new("email", [input])),
            AnyAction::new(SendMessage::new("email", ["dana@example.org", input])),
            tool("mail", "send", "to", Value::Array(vec![text()])),
        ],
        "account" => vec![AnyAction::new(Pay::new(input, Decimal::from(1_u64), "EUR"))],
        "amount" => {
            let mut actions = vec![tool("bank", "transfer", "amount", text())];
            if let Ok(amount) = input.parse::<Decimal>() {
                actions.push(AnyAction::new(Pay::new("acme/rent", amount, "EUR")));
                actions.push(tool("bank", "transfer", "amount", amount.into()));
            }
            actions
        }
        "package" => vec![AnyAction::new(InstallPackage::new("cargo", input))],
        "table" => vec![AnyAction::new(ReadData::table(input))],
        "object" => vec![AnyAction::new(ReadData::object(input))],
        "memory" => vec![
            AnyAction::new(RecallMemory::new(input)),
            AnyAction::new(WriteMemory::new(input, "text")),
        ],
        "model" => vec![AnyAction::new(InvokeModel::new(input))],
        "program" => {
            vec![AnyAction::new(Exec::new(input).nothing_else()), AnyAction::new(Exec::new(input))]
        }
        "spiffe" => vec![AnyAction::new(SpawnAgent::new(input, "task"))],
        kind => panic!("the kind {kind} is not known"),
    }
}

fn ticket(project: Value, title: Value) -> AnyAction {
    let members = [("project".to_owned(), project), ("title".to_owned(), title)];
    let arguments = Value::Object(members.into_iter().collect());
    AnyAction::new(ToolCall::new("tracker", "create_ticket", arguments))
}

/// What the scope grants of this kind, to set strings before and behind.
fn granted(kind: &str) -> Vec<String> {
    let granted: &[&str] = match kind {
        "path" | "literal_path" => &["/srv/web", "/srv/web/", "/srv/web/target/", "src/"],
        "host" => &["git.example.org", "api.example.org", "10.0.8.7", "git.example.org."],
        "url" => &[
            "https://api.example.org/v1/",
            "https://api.example.org",
            "https://api.example.org:443",
        ],
        "tool_argument" => &["WEB", "TODO", "project"],
        "recipient" => &["dana@example.org", "@example.org", "dana"],
        "account" => &["acme/", "acme/rent"],
        "amount" => &["1", "0.01", "100", "-"],
        "package" => &["serde", "serde-"],
        "table" => &["crm.orders", "crm."],
        "object" => &["reports/2026/", "reports/2026/a"],
        "memory" => &["task/", "task/notes"],
        "model" => &["small-model"],
        "program" => &["git", "/usr/bin/git", "cargo"],
        "spiffe" => &["spiffe://example.org/agent/tester", "spiffe://example.org/agent/tester/"],
        kind => panic!("the kind {kind} is not known"),
    };
    granted.iter().map(|text| (*text).to_owned()).collect()
}

const KINDS: [&str; 15] = [
    "path",
    "literal_path",
    "host",
    "url",
    "tool_argument",
    "recipient",
    "account",
    "amount",
    "package",
    "table",
    "object",
    "memory",
    "model",
    "program",
    "spiffe",
];

#[test]
fn every_published_string_is_denied_as_it_is() {
    let corpus = corpus();
    assert!(corpus.len() >= 120, "{} strings", corpus.len());
    assert!(corpus.iter().all(|attack| KINDS.contains(&attack.kind.as_str())));
    let fixture = Fixture::new(permissive());
    let session = open(&fixture);
    for attack in corpus.iter().filter(|attack| attack.kind != "literal_path") {
        for action in actions(&attack.kind, &attack.input) {
            let shown = format!("{action:?}");
            let decision = session.authorize(action).unwrap();
            assert!(!decision.is_allow(), "`{}`: {shown}", attack.name);
            let reasons = decision.reasons();
            assert!(!reasons.is_empty(), "`{}`: {shown}", attack.name);
        }
    }
    drop(session);
    verify(&fixture);
}

#[test]
fn percent_signs_and_backslashes_are_bytes_of_a_file_name() {
    let fixture = Fixture::new(permissive());
    let session = open(&fixture);
    for input in strings("literal_path") {
        let decision = session.authorize(ReadData::new(input.as_str())).unwrap();
        assert!(decision.is_allow(), "{input}");
        let Target::File { path, .. } = decision.effects()[0].effect.target() else { panic!() };
        assert_eq!(path.as_path(), lexical(&input), "{input}");
    }
}

#[test]
fn what_the_scope_grants_is_allowed() {
    let fixture = Fixture::new(permissive());
    let session = open(&fixture);
    let check = |kind: &str, input: &str, expected: &[bool]| {
        let found: Vec<bool> = actions(kind, input)
            .into_iter()
            .map(|action| session.authorize(action).unwrap().is_allow())
            .collect();
        assert_eq!(found, expected, "{kind} {input}");
    };
    check("path", "src/main.rs", &[true, true, true, false, true]);
    check("path", "target/debug", &[true, true, true, true, true]);
    check("path", ".git/config", &[true, true, false, false, true]);
    check("host", "git.example.org", &[true, false, false, true]);
    check("host", "10.0.8.7", &[false, true, false, false]);
    check("host", "api.example.org", &[true, false, true, false]);
    check("url", "https://api.example.org/v1/items", &[true, true]);
    check("tool_argument", "WEB", &[true, false, false, false]);
    check("tool_argument", "TODO", &[false, true, false, false]);
    check("recipient", "dana@example.org", &[true, true, true]);
    check("account", "acme/rent", &[true]);
    check("amount", "99.5", &[false, true, true]);
    check("package", "serde", &[true]);
    check("table", "crm.orders", &[true]);
    check("object", "reports/2026/q1", &[true]);
    check("memory", "task/notes", &[true, true]);
    check("model", "small-model", &[true]);
    check("program", "git", &[true, false]);
    check("program", "protoc", &[true, true]);
    check("spiffe", "spiffe://example.org/agent/tester/7", &[true]);
}

#[test]
fn a_url_that_parsers_disagree_on_is_denied() {
    let fixture = Fixture::new(permissive());
    let session = open(&fixture);
    for input in [
        // A backslash ends the authority for browsers and does not for RFC 3986.
        r"https://api.example.org\v1\@attacker.example/",
        r"https://api.example.org/v1\..\..\admin",
        r"https:\\api.example.org\v1\items",
        // Browsers take these for `https://api.example.org/v1/items`; to others they have no host.
        "https:api.example.org/v1/items",
        "https:/api.example.org/v1/items",
        "https:///api.example.org/v1/items",
        " https://api.example.org/v1/items",
        "https://api.example.org/v1/items ",
        // An empty user is one all the same.
        "https://@api.example.org/v1/items",
        "https://:@api.example.org/v1/items",
    ] {
        for action in actions("url", input) {
            let shown = format!("{action:?}");
            assert!(!session.authorize(action).unwrap().is_allow(), "{shown}");
        }
    }
}

/// Runs mutations of the strings of one kind; whatever is allowed must satisfy the model.
fn check_mutations(kind: &str) {
    let fixture = Fixture::new(permissive());
    let session = open(&fixture);
    let mutated = strategies::mutated(strings(kind), granted(kind));
    let mut runner = runner(CASES);
    let allowed = std::cell::Cell::new(0);
    let outcome = runner.run(&mutated, |input| {
        for action in actions(kind, &input) {
            allowed.set(allowed.get() + u32::from(decide(&session, action, &input)?));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{kind}: {error}");
    }
    println!("{kind}: {} allowed", allowed.get());
    drop(session);
    verify(&fixture);
}

/// How many mutations of each kind are tried.
const CASES: u32 = 256;

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Tells whether the action is allowed; fails if it is and the model says that it must not be.
fn decide(session: &Session, action: AnyAction, input: &str) -> Result<bool, TestCaseError> {
    let shown = format!("{action:?}");
    let decision = session.authorize(action).unwrap();
    if !decision.is_allow() {
        return Ok(false);
    }
    for effect in decision.effects() {
        if let Err(why) = inside(effect.effect.kind(), effect.effect.target(), input) {
            let text = format!("{shown} is allowed by {:?}: {why}", effect.rule);
            return Err(TestCaseError::fail(text));
        }
    }
    Ok(true)
}

macro_rules! mutations {
    ($($name:ident: $kind:literal;)*) => {
        $(#[test] fn $name() { check_mutations($kind); })*
    };
}

mutations! {
    mutated_paths_stay_in_the_workspace: "path";
    mutated_encodings_stay_in_the_workspace: "literal_path";
    mutated_hosts_are_the_granted_ones: "host";
    mutated_urls_lead_to_the_granted_place: "url";
    mutated_arguments_satisfy_their_constraints: "tool_argument";
    mutated_recipients_are_of_the_granted_domain: "recipient";
    mutated_accounts_are_the_granted_ones: "account";
    mutated_amounts_are_in_range: "amount";
    mutated_packages_are_the_granted_one: "package";
    mutated_tables_are_the_granted_one: "table";
    mutated_objects_lie_below_the_granted_one: "object";
    mutated_memories_lie_below_the_granted_one: "memory";
    mutated_models_are_one_segment: "model";
    mutated_programs_are_the_granted_ones: "program";
    mutated_ids_lie_below_the_granted_one: "spiffe";
}

#[test]
fn any_action_is_decided_and_lies_inside_when_it_is_allowed() {
    let fixture = Fixture::new(permissive());
    let session = open(&fixture);
    let mut runner = runner(2 * CASES);
    let any = strategies::any_action();
    runner.run(&any, |action| decide(&session, action, "").map(drop)).unwrap();
    drop(session);
    verify(&fixture);
}

/// Says by itself, without the library, whether a target lies inside the scope. `raw` is what was
/// proposed where there is one such text, and is looked at as other parsers would.
fn inside(kind: &Kind, target: &Target, raw: &str) -> Result<(), String> {
    let holds = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_owned()) };
    match (kind, target) {
        (Kind::ReadData, Target::File { path, .. }) => {
            let naive = normal(path.as_path());
            holds(naive.as_deref() == Some(path.as_path()), "the path is not in normal form")?;
            holds(path.as_path().starts_with("/srv/web"), "the path is outside")
        }
        (Kind::WriteData, Target::File { path, .. }) => {
            let path = path.as_path();
            holds(normal(path).as_deref() == Some(path), "the path is not in normal form")?;
            for spared in ["/srv/web/.git/hooks", "/srv/web/.git/config"].map(Path::new) {
                holds(!path.starts_with(spared), "the path is subtracted")?;
                holds(!spared.starts_with(path), "the path holds something subtracted")?;
            }
            holds(path.starts_with("/srv/web"), "the path is outside")
        }
        (Kind::DeleteData, Target::File { path, .. }) => {
            holds(path.as_path().starts_with("/srv/web/target"), "the path is outside")
        }
        (Kind::ReadData, Target::Table(name)) => holds(&**name == "crm.orders", "another table"),
        (Kind::ReadData, Target::Object { name, .. }) => {
            holds(below(name, "reports/2026"), "another object")
        }
        (Kind::RecallMemory | Kind::WriteMemory, Target::Memory(name)) => {
            let one = name.split('/').count() == 2;
            holds(one && below(name, "task"), "another place in memory")
        }
        (Kind::Connect, Target::Endpoint { endpoint, address }) => {
            // A name may lead to any public address, an address only to itself.
            let own = |ip: &IpAddr| ip.to_string() == endpoint.host().to_string();
            let named = endpoint.host().address().is_none();
            let fits = address.is_none_or(|ip| own(&ip) || named && is_public(ip));
            holds(fits, "an address that is not public")?;
            granted_endpoint(&endpoint.to_string())
        }
        (Kind::ApiCall, Target::Api { method, scheme, endpoint, path }) => {
            holds(&**method == "GET" && &**scheme == "https", "another method or scheme")?;
            holds(endpoint.to_string() == "api.example.org:443", "another host")?;
            holds(below(path.trim_end_matches('/'), "/v1"), "another path")?;
            // A URL that was built around a host is looked at when it is proposed as one.
            if raw.contains(":/") { granted_url(raw) } else { Ok(()) }
        }
        (Kind::ToolCall, Target::Tool { server, name, arguments }) => {
            granted_arguments(server, name, arguments)
        }
        (Kind::SendMessage, Target::Recipient { channel, address, email_domain }) => {
            holds(&**channel == "email", "another channel")?;
            holds(email_domain.as_deref() == Some("example.org"), "another domain")?;
            granted_recipient(address)
        }
        (Kind::Pay, Target::Payment { account, amount, currency }) => {
            let amount: f64 = amount.to_string().parse().unwrap();
            holds(amount > 0.0 && amount <= 100.0 && &**currency == "EUR", "another amount")?;
            let one = account.split('/').count() == 2;
            holds(one && below(account, "acme") && &**account != "acme", "another account")
        }
        (Kind::InstallPackage, Target::Package { ecosystem, name }) => {
            holds((&**ecosystem, &**name) == ("cargo", "serde"), "another package")
        }
        (Kind::InvokeModel, Target::Model(name)) => holds(!name.contains('/'), "a deeper name"),
        (Kind::Exec, Target::Program { program, opaque }) => {
            holds(["git", "cargo", "protoc"].contains(&&**program), "another program")?;
            holds(opaque.is_none() || &**program == "protoc", "opaque")
        }
        (Kind::SpawnAgent, Target::Agent(id)) => {
            holds(below(id, "spiffe://example.org/agent/tester"), "another agent")?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./_:-".contains(&byte);
            holds(id.bytes().all(plain), "an odd id")
        }
        _ => Err("the scope grants no effect of this kind".to_owned()),
    }
}

/// Whether `name` is `root` or lies below it by whole segments, none of them empty, `.` or `..`.
fn below(name: &str, root: &str) -> bool {
    let Some(rest) = name.strip_prefix(root) else { return false };
    rest.is_empty()
        || rest
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(|segment| !matches!(segment, "" | "." | "..")))
}

/// What `std` makes of a path that starts at the workspace, by its text alone.
fn lexical(raw: &str) -> PathBuf {
    let mut path = PathBuf::from("/");
    for component in Path::new("/srv/web").join(raw).components() {
        match component {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

fn normal(path: &Path) -> Option<PathBuf> {
    let plain = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    let text = path.to_str()?;
    (plain && !text.contains("//") && text.chars().all(|c| !c.is_control())).then(|| lexical(text))
}

fn granted_endpoint(endpoint: &str) -> Result<(), String> {
    if matches!(endpoint, "git.example.org:443" | "api.example.org:443") {
        return Ok(());
    }
    let last = endpoint.strip_prefix("10.0.8.").and_then(|rest| rest.strip_suffix(":5432"));
    match last.map(str::parse::<u8>) {
        Some(Ok(_)) => Ok(()),
        _ => Err(format!("{endpoint} is not granted")),
    }
}

/// Errs on the side of saying no.
fn is_public(address: IpAddr) -> bool {
    let IpAddr::V4(address) = address else { return false };
    let [a, b, ..] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_unspecified()
        || address.is_multicast();
    !special && !matches!((a, b), (0 | 240.., _) | (100, 64..=127) | (198, 18 | 19))
}

/// Reads a URL as RFC 3986 does, as curl and most servers: everything up to the first `/`, `?` or `#`
/// is the authority, and what stands before an `@` in it is not the host.
fn granted_url(raw: &str) -> Result<(), String> {
    let (scheme, rest) = raw.trim().split_once("://").ok_or("no authority")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host != authority {
        return Err(format!("{authority:?} has a user for some parsers"));
    }
    // Other alphabets and encodings have the same host for all who know them, or none.
    if !host.is_ascii() || host.contains('%') {
        return Ok(());
    }
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    let host = host.strip_suffix('.').unwrap_or(host);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("https") || host != "api.example.org" {
        return Err(format!("{scheme}://{host} for some parsers"));
    }
    if path.contains('\\')
        || path.split('/').any(|segment| segment == "..") && !path.starts_with("/v1/")
    {
        return Err(format!("{path:?} for some parsers"));
    }
    Ok(())
}

fn granted_recipient(address: &str) -> Result<(), String> {
    let local = address.strip_suffix("@example.org").ok_or("another domain")?;
    let odd = |byte: u8| !byte.is_ascii_graphic() || b"@\"(),:;<>[]\\".contains(&byte);
    if local.is_empty() || local.bytes().any(odd) {
        return Err(format!("{local:?} is no plain mail box"));
    }
    Ok(())
}

fn granted_arguments(server: &str, name: &str, arguments: &Object) -> Result<(), String> {
    let members: BTreeMap<&str, &Value> = arguments.iter().collect();
    let text = |name: &str| members.get(name).and_then(|value| value.as_str()).ok_or("no text");
    let only = |names: &[&str]| match members.keys().find(|name| !names.contains(name)) {
        Some(name) => Err(format!("the argument {name:?} is not named")),
        None => Ok(()),
    };
    match (server, name) {
        ("tracker", "create_ticket") => {
            only(&["project", "title"])?;
            let fits = text("project")? == "WEB" && text("title")?.chars().count() <= 200;
            if fits { Ok(()) } else { Err("another project or a long title".to_owned()) }
        }
        ("files", "read") => {
            only(&["path"])?;
            let path = text("path")?;
            if path.contains('\0') || !lexical(path).starts_with("/srv/web") {
                return Err(format!("{path:?} is outside"));
            }
            Ok(())
        }
        ("net", "fetch") => {
            only(&["url"])?;
            granted_url(text("url")?)
        }
        ("net", "ping") => {
            only(&["host"])?;
            let host = text("host")?;
            if !host.is_ascii() || host.contains('%') {
                return Ok(());
            }
            let (name, port) = host.split_once(':').unwrap_or((host, "1"));
            let name = name.to_ascii_lowercase();
            if name.strip_suffix('.').unwrap_or(&name) == "git.example.org"
                && port.parse() != Ok(0_u16)
            {
                return Ok(());
            }
            Err(format!("{host:?} is another host"))
        }
        ("mail", "send") => {
            only(&["to"])?;
            let to = members.get("to").and_then(|value| value.as_array()).ok_or("no list")?;
            let recipient = |value: &Value| {
                let address = value.as_str().ok_or("no text")?;
                let (local, domain) = address.rsplit_once('@').ok_or("no domain")?;
                let domain = domain.to_ascii_lowercase();
                let ascii = domain.is_ascii() && !domain.contains('%');
                let domain = domain.strip_suffix('.').unwrap_or(&domain);
                granted_recipient(&format!(
                    "{local}@{}",
                    if ascii { domain } else { "example.org" }
                ))
            };
            to.iter().try_for_each(recipient)
        }
        ("bank", "transfer") => {
            only(&["amount"])?;
            let amount =
                members.get("amount").and_then(|value| value.as_number()).ok_or("no number")?;
            let amount: f64 = amount.to_string().parse().unwrap();
            if (0.01..=100.0).contains(&amount) { Ok(()) } else { Err(format!("{amount}")) }
        }
        ("search", "grep") => {
            only(&["pattern"])?;
            let pattern = text("pattern")?;
            let plain = pattern.starts_with("TODO") && !pattern.contains('/');
            let hidden = pattern.chars().any(char::is_control);
            if plain && !hidden { Ok(()) } else { Err(format!("{pattern:?}")) }
        }
        (server, name) => Err(format!("{server}/{name} is not granted")),
    }
}

fn open(fixture: &Fixture) -> Session {
    let scope = testing::trusted(&scope()).unwrap();
    fixture.authorizer.open(&scope, testing::agent()).unwrap()
}

#[track_caller]
fn verify(fixture: &Fixture) {
    let stored = fixture.sink.to_ndjson();
    let verified = Verifier::new(testing::trusted_key()).verify(stored.as_bytes()).unwrap();
    assert_eq!(verified.missing().count(), 0);
    let session = &verified.sessions[0];
    assert_eq!(session.proven_lines, session.lines);
    assert!(session.allowed + session.denied > 0 && session.deferred == 0);
    assert!(session.pending.is_empty());
}

/// Reads the corpora that are kept outside of the repository; `None` where they are not there.
fn shared(file: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora").join(file);
    let text = std::fs::read_to_string(path).ok();
    if text.is_none() {
        println!("skipped: corpus absent");
    }
    text
}

/// Decides on a call as it was recorded: as a call of that tool, and as the typed actions that its
/// arguments stand for. None is allowed.
fn check_recorded(session: &Session, id: &str, call: &serde_json::Value) {
    let tool = call["tool"].as_str().or(call["function"].as_str()).unwrap();
    let arguments = call.get("arguments").or(call.get("args")).unwrap();
    let value = Value::try_from(arguments).unwrap();
    let mut proposed: Vec<AnyAction> = Vec::new();
    for (server, name) in [("agent", tool), ("tracker", "create_ticket"), ("mail", "send")] {
        proposed.push(AnyAction::new(ToolCall::new(server, name, value.clone())));
    }
    let text = |name: &str| arguments[name].as_str();
    for path in [text("path"), text("file_path")].into_iter().flatten() {
        // A percent sign is a byte of a file name; those strings stay in the workspace.
        if !lexical(path).starts_with("/srv/web") {
            proposed.push(AnyAction::new(ReadData::new(path)));
            proposed.push(AnyAction::new(WriteData::new(path)));
        }
    }
    if let Some(url) = text("url") {
        proposed.extend(actions("url", url));
    }
    if let Some(to) = text("recipient") {
        proposed.extend(actions("account", to));
    }
    for to in arguments["recipients"].as_array().into_iter().flatten() {
        proposed.extend(actions("recipient", to.as_str().unwrap()));
    }
    for action in proposed {
        let shown = format!("{action:?}");
        assert!(!session.authorize(action).unwrap().is_allow(), "{id}: {shown}");
    }
}

#[test]
fn recorded_attack_calls_are_denied() {
    let Some(text) = shared("attacks.jsonl") else { return };
    let bypasses = shared("bypasses.jsonl").unwrap_or_default();
    let fixture = Fixture::new(permissive());
    let session = open(&fixture);
    let mut count = 0;
    for line in text.lines().chain(bypasses.lines()) {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        if record["kind"] == "tool_call" {
            check_recorded(&session, record["id"].as_str().unwrap(), &record["input"]);
            count += 1;
        }
    }
    assert!(count > 0);
    println!("{count} recorded calls, none allowed");
    drop(session);
    verify(&fixture);
}

#[test]
fn injected_calls_are_denied_under_an_unrelated_scope() {
    let Some(text) = shared("agentdojo_banking.json") else { return };
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let tasks = record["suites"]["banking"]["injection_tasks"].as_array().unwrap();
    let fixture = Fixture::new(permissive());
    let session = open(&fixture);
    let mut count = 0;
    for task in tasks {
        for call in task["calls"].as_array().unwrap() {
            check_recorded(&session, task["id"].as_str().unwrap(), call);
            count += 1;
        }
    }
    assert!(count > 0);
    println!("{count} injected calls, none allowed");
    drop(session);
    verify(&fixture);
}
