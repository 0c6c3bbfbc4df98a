use std::net::IpAddr;

use super::*;
use crate::action::host::Endpoint;
use crate::action::path::{PathResolver, ResolvedPath, resolve_absolute};
use crate::action::{Domain, Effect, Fact, Facts, Kind, Target};
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::value::{Decimal, Object};

/// The descriptor of `docs/scope-format.md`, with something in every field.
const FULL: &str = include_str!("../../docs/scope-format.md");

/// Takes the code block behind `marker` out of the specification.
fn block<'a>(marker: &str, text: &'a str) -> &'a str {
    let (_, rest) = text.split_once(marker).unwrap();
    let (_, rest) = rest.split_once("```json\n").unwrap();
    rest.split_once("```").unwrap().0
}

fn full() -> Scope {
    Scope::parse(block("## A complete example", FULL).as_bytes()).unwrap()
}

/// A descriptor that grants nothing but what `sections` say.
fn document(sections: &str) -> String {
    let comma = if sections.is_empty() { "" } else { "," };
    format!(
        r#"{{"scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
            "agent": "spiffe://example.org/agent/coder", "not_before": "2026-11-21T09:00:00Z",
            "expires": "2026-11-21T11:00:00Z", "workspace": "/srv/web"{comma}{sections}}}"#
    )
}

fn parse(sections: &str) -> Scope {
    Scope::parse(document(sections).as_bytes())
        .unwrap_or_else(|error| panic!("{error}: {sections}"))
}

fn compile(sections: &str) -> CompiledScope {
    compile_with(sections, &PurePaths::new())
}

fn compile_with(sections: &str, paths: &dyn PathResolver) -> CompiledScope {
    CompiledScope::compile(&parse(sections).dangerous().trust_unsigned(), paths).unwrap()
}

fn refused(text: &str, code: &str, field: &str) {
    let error = Scope::parse(text.as_bytes()).expect_err(text);
    assert_eq!((error.code(), error.field()), (code, field), "{error} for {text}");
}

fn refused_section(sections: &str, code: &str, field: &str) {
    refused(&document(sections), code, field);
}

fn path(text: &str) -> ResolvedPath {
    resolve_absolute(&PurePaths::new(), text).unwrap()
}

fn file(kind: Kind, text: &str, recursive: bool) -> Effect {
    Effect::new(kind, Target::File { path: path(text), recursive })
}

fn peer(kind: Kind, endpoint: &str, address: Option<&str>) -> Effect {
    let endpoint = Endpoint::parse(endpoint).unwrap();
    let address = address.map(|text| text.parse::<IpAddr>().unwrap());
    let address = address.or_else(|| endpoint.host().address());
    Effect::new(kind, Target::Endpoint { endpoint, address })
}

fn tool(name: &str, arguments: &str) -> Effect {
    let arguments = Value::parse(arguments.as_bytes(), &value::Limits::ARGUMENTS).unwrap();
    let arguments = arguments.as_object().unwrap().clone();
    Effect::new(
        Kind::ToolCall,
        Target::Tool { server: "tracker".into(), name: name.into(), arguments },
    )
}

fn api(method: &str, endpoint: &str, path: &str) -> Effect {
    let (scheme, endpoint) = endpoint.split_once("://").unwrap();
    let target = Target::Api {
        method: method.into(),
        scheme: scheme.into(),
        endpoint: Endpoint::parse(endpoint).unwrap(),
        path: path.into(),
    };
    Effect::new(Kind::ApiCall, target)
}

fn mail(address: &str) -> Effect {
    let domain = address.rsplit_once('@').map(|(_, domain)| domain.into());
    let target = Target::Recipient {
        channel: "email".into(),
        address: address.into(),
        email_domain: domain,
    };
    Effect::new(Kind::SendMessage, target)
}

fn program(name: &str, opaque: bool) -> Effect {
    Effect::new(
        Kind::Exec,
        Target::Program {
            program: name.to_owned().into(),
            opaque: opaque.then_some(Reason::ScopeOpaque),
        },
    )
}

fn pay(account: &str, amount: &str, currency: &str) -> Effect {
    let target = Target::Payment {
        account: account.into(),
        amount: Decimal::parse(amount).unwrap(),
        currency: currency.into(),
    };
    Effect::new(Kind::Pay, target)
}

fn rotate(target: &str, facts: Facts) -> Effect {
    let kind = Kind::Host { name: "RotateKey".into(), domain: Domain::Infrastructure };
    Effect::new(kind, Target::Resource(target.into())).with_facts(facts)
}

fn tunnel(direction: &'static str, to: &str, exposes: &'static str) -> Effect {
    let facts = Facts::new().text("direction", direction).text("exposes", exposes);
    peer(Kind::Tunnel, to, None).with_facts(facts)
}

fn export(name: &str, destination: &'static str) -> Effect {
    file(Kind::ExportData, name, false).with_facts(Facts::new().text("destination", destination))
}

/// Checks one effect: the rule that grants it, or the reason that refuses it.
fn check(scope: &CompiledScope, effect: &Effect, expected: Result<&str, Reason>) {
    let found = scope.check(effect, &PurePaths::new()).map(|rule| rule.to_string());
    assert_eq!(found, expected.map(str::to_owned), "{effect:?}");
}

/// For each built-in kind: the field that grants it, a grant, an effect within and one beyond.
fn every_kind() -> Vec<(Kind, &'static str, &'static str, Effect, Effect)> {
    let named =
        |kind: Kind, make: fn(Box<str>) -> Target, name: &str| Effect::new(kind, make(name.into()));
    let infrastructure = |verb: &str, name: &str| {
        let target = Target::Infrastructure {
            provider: "aws".into(),
            verb: verb.into(),
            resource: "instance".into(),
            name: name.into(),
        };
        Effect::new(Kind::MutateInfrastructure, target)
    };
    let package = |name: &str| {
        let target = Target::Package { ecosystem: "cargo".into(), name: name.into() };
        Effect::new(Kind::InstallPackage, target)
    };
    let artifact = |name: &str| {
        let target = Target::Artifact { place: "npm".into(), name: name.into(), public: false };
        Effect::new(Kind::Publish, target)
    };
    let job = |name: &str| {
        let target = Target::Job { queue: "gpu".into(), name: name.into() };
        Effect::new(Kind::SubmitJob, target)
    };
    vec![
        (
            Kind::ToolCall,
            "do.tools",
            r#""do": {"tools": [{"name": "create_ticket"}]}"#,
            tool("create_ticket", "{}"),
            tool("delete_ticket", "{}"),
        ),
        (
            Kind::ApiCall,
            "do.apis",
            r#""do": {"apis": ["GET https://api.example.org:443/v1/**"]}"#,
            api("GET", "https://api.example.org:443", "/v1/items"),
            api("POST", "https://api.example.org:443", "/v1/items"),
        ),
        (
            Kind::TriggerWorkflow,
            "do.workflows",
            r#""do": {"workflows": ["ci/*"]}"#,
            named(Kind::TriggerWorkflow, Target::Workflow, "ci/build"),
            named(Kind::TriggerWorkflow, Target::Workflow, "deploy"),
        ),
        (
            Kind::SendMessage,
            "do.messages",
            r#""do": {"messages": ["email:*@example.org"]}"#,
            mail("dana@example.org"),
            mail("dana@example.com"),
        ),
        (
            Kind::SpawnAgent,
            "do.spawn",
            r#""do": {"spawn": ["spiffe://example.org/agent/tester"]}"#,
            named(Kind::SpawnAgent, Target::Agent, "spiffe://example.org/agent/tester/7"),
            named(Kind::SpawnAgent, Target::Agent, "spiffe://example.org/agent/tester7"),
        ),
        (
            Kind::Pay,
            "do.payments",
            r#""do": {"payments": [{"to": "acme/*", "currency": "EUR", "max": "10.00"}]}"#,
            pay("acme/office", "10", "EUR"),
            pay("acme/office", "10.01", "EUR"),
        ),
        (
            Kind::Publish,
            "do.publish",
            r#""do": {"publish": ["npm:@web/*"]}"#,
            artifact("@web/login"),
            artifact("@other/login"),
        ),
        (
            Kind::RemoteShell,
            "do.remote_shells",
            r#""do": {"remote_shells": ["198.51.100.7:22"]}"#,
            peer(Kind::RemoteShell, "198.51.100.7:22", None),
            peer(Kind::RemoteShell, "198.51.100.8:22", None),
        ),
        (
            Kind::Exec,
            "do.programs",
            r#""do": {"programs": ["git"]}"#,
            program("git", false),
            program("/srv/web/git", false),
        ),
        (
            Kind::Connect,
            "reach.connect",
            r#""reach": {"connect": ["git.example.org:443"]}"#,
            peer(Kind::Connect, "git.example.org:443", None),
            peer(Kind::Connect, "git.example.org:22", None),
        ),
        (
            Kind::Listen,
            "reach.listen",
            r#""reach": {"listen": ["127.0.0.1:8000-8010"]}"#,
            peer(Kind::Listen, "127.0.0.1:8001", None),
            peer(Kind::Listen, "0.0.0.0:8001", None),
        ),
        (
            Kind::Tunnel,
            "reach.tunnel",
            r#""reach": {"tunnel": [{"direction": "forward", "to": "bastion.example.org:22"}]}"#,
            tunnel("forward", "bastion.example.org:22", "db.example.org:5432"),
            tunnel("reverse", "bastion.example.org:22", "db.example.org:5432"),
        ),
        (
            Kind::UseSecret,
            "touch.secrets",
            r#""touch": {"secrets": ["ci/*"]}"#,
            named(Kind::UseSecret, Target::Secret, "ci/token"),
            named(Kind::UseSecret, Target::Secret, "prod/token"),
        ),
        (
            Kind::ChangePrivilege,
            "reach.privilege",
            r#""reach": {"privilege": ["cap_net_*"]}"#,
            named(Kind::ChangePrivilege, Target::Privilege, "cap_net_bind_service"),
            named(Kind::ChangePrivilege, Target::Privilege, "root"),
        ),
        (
            Kind::ChangeIdentity,
            "reach.identity",
            r#""reach": {"identity": ["service:deployer"]}"#,
            named(Kind::ChangeIdentity, Target::Identity, "service:deployer"),
            named(Kind::ChangeIdentity, Target::Identity, "service:root"),
        ),
        (
            Kind::MutateInfrastructure,
            "reach.infrastructure",
            r#""reach": {"infrastructure": ["aws:update:instance/web-*"]}"#,
            infrastructure("update", "web-1"),
            infrastructure("delete", "web-1"),
        ),
        (
            Kind::InstallPackage,
            "reach.packages",
            r#""reach": {"packages": ["cargo:serde"]}"#,
            package("serde"),
            package("serde2"),
        ),
        (
            Kind::ReadData,
            "touch.read",
            r#""touch": {"read": ["/srv/web/**"]}"#,
            file(Kind::ReadData, "/srv/web/a", false),
            file(Kind::ReadData, "/srv/web2/a", false),
        ),
        (
            Kind::WriteData,
            "touch.write",
            r#""touch": {"write": ["table:crm.*"]}"#,
            named(Kind::WriteData, Target::Table, "crm.orders"),
            named(Kind::WriteData, Target::Table, "hr.salaries"),
        ),
        (
            Kind::DeleteData,
            "touch.delete",
            r#""touch": {"delete": ["object:cache/**"]}"#,
            Effect::new(
                Kind::DeleteData,
                Target::Object { name: "cache/a".into(), recursive: true },
            ),
            Effect::new(
                Kind::DeleteData,
                Target::Object { name: "backup/a".into(), recursive: false },
            ),
        ),
        (
            Kind::ExportData,
            "touch.export",
            r#""touch": {"export": [{"from": "/srv/web/dist/**", "to": "cdn.example.org:443"}]}"#,
            export("/srv/web/dist/app.js", "cdn.example.org:443"),
            export("/srv/web/dist/app.js", "evil.example.org:443"),
        ),
        (
            Kind::RecallMemory,
            "touch.memory.read",
            r#""touch": {"memory": {"read": ["task/*"]}}"#,
            named(Kind::RecallMemory, Target::Memory, "task/notes"),
            named(Kind::RecallMemory, Target::Memory, "team/notes"),
        ),
        (
            Kind::WriteMemory,
            "touch.memory.write",
            r#""touch": {"memory": {"write": ["task/*"]}}"#,
            named(Kind::WriteMemory, Target::Memory, "task/notes"),
            named(Kind::WriteMemory, Target::Memory, "team/notes"),
        ),
        (
            Kind::InvokeModel,
            "run.models",
            r#""run": {"models": ["*"]}"#,
            named(Kind::InvokeModel, Target::Model, "small-1"),
            named(Kind::InvokeModel, Target::Model, "lab/large-1"),
        ),
        (
            Kind::SubmitJob,
            "run.jobs",
            r#""run": {"jobs": ["gpu/eval-*"]}"#,
            job("eval-7"),
            job("train-7"),
        ),
        (
            Kind::UseAccelerator,
            "run.accelerators",
            r#""run": {"accelerators": ["gpu", "gpu:t4"], "accelerator_seconds": 60}"#,
            Effect::new(Kind::UseAccelerator, Target::Accelerator { kind: "gpu:t4".into() }),
            Effect::new(Kind::UseAccelerator, Target::Accelerator { kind: "gpu:a100".into() }),
        ),
        (
            Kind::StartTraining,
            "run.training",
            r#""run": {"training": ["web/*"]}"#,
            named(Kind::StartTraining, Target::Training, "web/ranker"),
            named(Kind::StartTraining, Target::Training, "base"),
        ),
    ]
}

#[test]
fn every_built_in_kind_can_be_granted() {
    let empty = compile("");
    let cases = every_kind();
    for kind in &Kind::BUILT_IN {
        let case = cases.iter().find(|(known, ..)| known == kind);
        let (_, field, sections, within, beyond) =
            case.unwrap_or_else(|| panic!("nothing grants {}", kind.as_str()));
        assert_eq!((within.kind(), beyond.kind()), (kind, kind));
        let scope = compile(sections);
        let rule = scope.check(within, &PurePaths::new()).unwrap();
        assert_eq!(rule.field(), *field);
        assert!(scope.check(beyond, &PurePaths::new()).is_err(), "{beyond:?}");
        assert!(empty.check(within, &PurePaths::new()).is_err(), "{within:?}");
    }
    assert_eq!(cases.len(), Kind::BUILT_IN.len());
}

#[test]
fn the_table_of_actions_and_fields_is_true() {
    let (_, rest) = FULL.split_once("<!-- actions and fields -->").unwrap();
    let (table, _) = rest.split_once("<!-- end -->").unwrap();
    let rows: Vec<(String, String)> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.split('`').skip(1).step_by(2);
            (cells.next().unwrap().to_owned(), cells.next().unwrap().to_owned())
        })
        .collect();
    let fields = every_kind();
    let field = |kind: &Kind| {
        let (_, field, ..) = fields.iter().find(|(known, ..)| known == kind).unwrap();
        (kind.as_str().to_owned(), (*field).to_owned())
    };
    let expected: Vec<(String, String)> = Kind::BUILT_IN.iter().map(field).collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_kind_with_a_foreign_target_is_refused() {
    let scope = CompiledScope::compile(&full().dangerous().trust_unsigned(), &PurePaths::new());
    let scope = scope.unwrap();
    let mut targets: Vec<Target> =
        every_kind().into_iter().map(|(_, _, _, within, _)| within.target().clone()).collect();
    targets.push(Target::Resource("x".into()));
    targets.push(Target::Unknown { reason: Reason::PathIo, of: "Exec".into() });
    for (kind, _, sections, within, _) in every_kind() {
        let own = std::mem::discriminant(within.target());
        let scopes = [compile(sections), scope.clone()];
        for target in &targets {
            let data = matches!(
                kind,
                Kind::ReadData | Kind::WriteData | Kind::DeleteData | Kind::ExportData
            ) && matches!(
                target,
                Target::File { .. }
                    | Target::Files { .. }
                    | Target::Table(_)
                    | Target::Object { .. }
            );
            if std::mem::discriminant(target) == own || data {
                continue;
            }
            let effect =
                Effect::new(kind.clone(), target.clone()).with_facts(within.facts().clone());
            for scope in &scopes {
                assert!(scope.check(&effect, &PurePaths::new()).is_err(), "{effect:?}");
            }
        }
    }
}

#[test]
fn what_was_not_understood_is_never_granted() {
    let scope = compile(
        r#""do": {"opaque": "allow", "workspace_code": true, "programs": ["git"]},
           "touch": {"read": ["/**", "table:**", "object:**"]}, "reach": {"connect": ["*:*"]}"#,
    );
    for domain in Domain::ALL {
        let target = Target::Unknown { reason: Reason::PathIo, of: "Exec".into() };
        check(&scope, &Effect::new(Kind::Opaque(domain), target), Err(Reason::ScopeOpaque));
    }
}

#[test]
fn programs_are_exact_and_opaque_ones_need_a_word() {
    let scope = compile(
        r#""do": {"programs": ["git", {"name": "protoc", "opaque": "allow"}, "/usr/bin/python3",
                               {"name": "make", "opaque": "deny"}]}"#,
    );
    check(&scope, &program("git", false), Ok("do.programs[0]"));
    check(&scope, &program("git", true), Err(Reason::ScopeOpaque));
    check(&scope, &program("protoc", true), Ok("do.programs[1]"));
    check(&scope, &program("protoc", false), Ok("do.programs[1]"));
    check(&scope, &program("/usr/bin/python3", false), Ok("do.programs[2]"));
    check(&scope, &program("python3", false), Err(Reason::ScopeProgram));
    check(&scope, &program("/usr/bin/git", false), Err(Reason::ScopeProgram));
    check(&scope, &program("gi", false), Err(Reason::ScopeProgram));
    check(&scope, &program("Git", false), Err(Reason::ScopeProgram));
    check(&scope, &program("/srv/web/run", false), Err(Reason::ScopeProgram));

    let all = compile(
        r#""do": {"opaque": "allow", "programs": ["git", {"name": "make", "opaque": "deny"}]}"#,
    );
    check(&all, &program("git", true), Ok("do.programs[0]"));
    check(&all, &program("make", true), Err(Reason::ScopeOpaque));
    check(&all, &program("protoc", true), Err(Reason::ScopeProgram));

    let code = compile(r#""do": {"workspace_code": true}"#);
    check(&code, &program("/srv/web/gradlew", false), Ok("do.workspace_code"));
    check(&code, &program("/srv/web", false), Ok("do.workspace_code"));
    check(&code, &program("/srv/web/gradlew", true), Err(Reason::ScopeOpaque));
    check(&code, &program("/srv/web/../../bin/sh", false), Err(Reason::ScopeProgram));
    check(&code, &program("/srv/web2/gradlew", false), Err(Reason::ScopeProgram));
    check(&code, &program("gradlew", false), Err(Reason::ScopeProgram));
}

#[test]
fn connections_look_at_addresses_too() {
    let connect = |endpoint, address| peer(Kind::Connect, endpoint, address);
    let scope = compile(
        r#""reach": {"connect": ["git.example.org:443", "*.db.example.org:5432", "10.0.8.0/24:5432"]}"#,
    );
    check(&scope, &connect("git.example.org:443", None), Ok("reach.connect[0]"));
    check(&scope, &connect("git.example.org:443", Some("93.184.216.34")), Ok("reach.connect[0]"));
    for inside in
        ["169.254.169.254", "127.0.0.1", "10.0.8.7", "::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe"]
    {
        check(
            &scope,
            &connect("git.example.org:443", Some(inside)),
            Err(Reason::ScopeResolvedAddress),
        );
    }
    check(&scope, &connect("a.db.example.org:5432", Some("10.0.8.7")), Ok("reach.connect[1]"));
    check(
        &scope,
        &connect("a.db.example.org:5432", Some("10.0.9.7")),
        Err(Reason::ScopeResolvedAddress),
    );
    check(&scope, &connect("10.0.8.7:5432", None), Ok("reach.connect[2]"));
    check(&scope, &connect("10.0.8.7:22", None), Err(Reason::ScopeConnect));
    check(&scope, &connect("[::ffff:10.0.8.7]:5432", None), Ok("reach.connect[2]"));
    check(&scope, &connect("db.example.org:5432", None), Err(Reason::ScopeConnect));
    // An address that is said to be another one.
    check(
        &scope,
        &connect("10.0.8.7:5432", Some("169.254.169.254")),
        Err(Reason::ScopeResolvedAddress),
    );
    check(&scope, &connect("10.0.8.7:5432", Some("10.0.8.9")), Ok("reach.connect[2]"));

    let open = compile(
        r#""reach": {"connect": ["*:443", "!*.evil.example:*", "!169.254.0.0/16:*", "!10.0.0.0/8:*"]}"#,
    );
    check(&open, &connect("a.example:443", None), Ok("reach.connect[0]"));
    check(&open, &connect("a.evil.example:443", None), Err(Reason::ScopeConnect));
    check(&open, &connect("169.254.169.254:443", None), Err(Reason::ScopeConnect));
    check(&open, &connect("[64:ff9b::a00:1]:443", None), Err(Reason::ScopeConnect));
    check(
        &open,
        &connect("a.example:443", Some("169.254.169.254")),
        Err(Reason::ScopeResolvedAddress),
    );
    check(&open, &connect("a.example:443", Some("127.0.0.1")), Err(Reason::ScopeResolvedAddress));
    check(&open, &connect("127.0.0.1:443", None), Ok("reach.connect[0]"));

    let public = compile(
        r#""reach": {"connect": ["*:443", "!93.184.0.0/16:*"], "listen": ["*:443", "127.0.0.1:443", "!127.0.0.1:443"]}"#,
    );
    check(
        &public,
        &connect("a.example:443", Some("93.184.216.34")),
        Err(Reason::ScopeResolvedAddress),
    );
    check(&public, &connect("a.example:443", Some("94.184.216.34")), Ok("reach.connect[0]"));
    check(
        &public,
        &peer(Kind::Listen, "a.example:443", Some("127.0.0.1")),
        Err(Reason::ScopeListen),
    );

    let shells = compile(r#""do": {"remote_shells": ["ops.example.org:22"]}"#);
    let shell = |address| peer(Kind::RemoteShell, "ops.example.org:22", address);
    check(&shells, &shell(None), Ok("do.remote_shells[0]"));
    check(&shells, &shell(Some("10.0.0.1")), Err(Reason::ScopeResolvedAddress));

    let listen = compile(r#""reach": {"listen": ["localhost:8000", "127.0.0.1:8001"]}"#);
    let at = |endpoint, address| peer(Kind::Listen, endpoint, address);
    check(&listen, &at("localhost:8000", None), Ok("reach.listen[0]"));
    check(&listen, &at("localhost:8000", Some("0.0.0.0")), Err(Reason::ScopeListen));
    check(&listen, &at("0.0.0.0:8001", None), Err(Reason::ScopeListen));
    check(&listen, &at("127.0.0.1:8001", None), Ok("reach.listen[1]"));
}

#[test]
fn tunnels_have_a_direction_and_two_ends() {
    let scope = compile(
        r#""reach": {"tunnel": [
            {"direction": "reverse", "to": "bastion.example.org:22", "exposes": "127.0.0.1:*"},
            {"direction": "dynamic", "to": "bastion.example.org:443", "exposes": "*"},
            {"direction": "forward", "to": "bastion.example.org:22"}]}"#,
    );
    let denied = Err(Reason::ScopeTunnel);
    check(
        &scope,
        &tunnel("reverse", "bastion.example.org:22", "127.0.0.1:3000"),
        Ok("reach.tunnel[0]"),
    );
    check(&scope, &tunnel("reverse", "bastion.example.org:22", "10.0.0.1:3000"), denied);
    check(&scope, &tunnel("reverse", "bastion.example.org:443", "127.0.0.1:3000"), denied);
    check(&scope, &tunnel("dynamic", "bastion.example.org:443", "*"), Ok("reach.tunnel[1]"));
    check(&scope, &tunnel("dynamic", "bastion.example.org:22", "*"), denied);
    check(&scope, &tunnel("forward", "bastion.example.org:22", "db:5432"), Ok("reach.tunnel[2]"));
    check(&scope, &tunnel("sideways", "bastion.example.org:22", "db:5432"), denied);
    check(&scope, &peer(Kind::Tunnel, "bastion.example.org:22", None), denied);
    let facts = Facts::new().text("direction", "reverse");
    check(&scope, &peer(Kind::Tunnel, "bastion.example.org:22", None).with_facts(facts), denied);
    let inside = peer(Kind::Tunnel, "bastion.example.org:22", Some("10.0.0.1"))
        .with_facts(Facts::new().text("direction", "forward").text("exposes", "db:5432"));
    check(&scope, &inside, Err(Reason::ScopeResolvedAddress));
}

#[test]
fn api_operations_are_matched_in_plain_form() {
    let scope = compile(
        r#""do": {"apis": ["GET https://api.example.org/v1/**", "* https://hooks.example.org:8443/in/",
                           "get http://*.example.net/health", "!GET https://api.example.org/v1/admin"]}"#,
    );
    let https = "https://api.example.org:443";
    let denied = Err(Reason::ScopeApi);
    check(&scope, &api("GET", https, "/v1/items"), Ok("do.apis[0]"));
    check(&scope, &api("GET", https, "/v1/items/"), Ok("do.apis[0]"));
    check(&scope, &api("GET", https, "/v1"), Ok("do.apis[0]"));
    check(&scope, &api("GET", https, "/v1/"), Ok("do.apis[0]"));
    check(&scope, &api("GET", https, "/v1/a%20b"), Ok("do.apis[0]"));
    check(&scope, &api("GET", https, "/v2/items"), denied);
    check(&scope, &api("GET", https, "/"), denied);
    check(&scope, &api("POST", https, "/v1/items"), denied);
    check(&scope, &api("GET", "http://api.example.org:443", "/v1/items"), denied);
    check(&scope, &api("GET", "https://api.example.org:8443", "/v1/items"), denied);
    check(&scope, &api("GET", https, "/v1/admin"), denied);
    check(&scope, &api("GET", https, "/v1/admin/"), denied);
    check(&scope, &api("GET", https, "/v1/admin/users"), denied);
    check(&scope, &api("GET", https, "/v1/%61dmin/users"), denied);
    check(&scope, &api("GET", https, "/v1/x%2fadmin"), denied);
    check(&scope, &api("GET", https, "/v1/../v2"), denied);
    check(&scope, &api("GET", https, "/v1//admin"), denied);
    check(&scope, &api("GET", https, "/v1/%"), denied);
    check(&scope, &api("GET", https, "/v1/%zz"), denied);
    check(&scope, &api("GET", https, "v1/items"), denied);
    check(&scope, &api("PUT", "https://hooks.example.org:8443", "/in/"), Ok("do.apis[1]"));
    check(&scope, &api("PUT", "https://hooks.example.org:8443", "/in"), denied);
    check(&scope, &api("GET", "http://a.example.net:80", "/health"), Ok("do.apis[2]"));
    check(&scope, &api("GET", "http://a.example.net:80", "/health/"), denied);
}

#[test]
fn recipients_are_matched_by_channel_and_address() {
    let scope = compile(
        r#""do": {"messages": ["email:*@example.org", "email:ops@*.example.net", "slack:#alerts", "sms:+49*",
                               "!email:ceo@example.org"]}"#,
    );
    let denied = Err(Reason::ScopeMessage);
    check(&scope, &mail("dana@example.org"), Ok("do.messages[0]"));
    check(&scope, &mail("ceo@example.org"), denied);
    check(&scope, &mail("dana@sub.example.org"), denied);
    check(&scope, &mail("ops@a.example.net"), Ok("do.messages[1]"));
    check(&scope, &mail("evil@evil.com@example.org"), denied);
    let text = |channel: &str, address: &str, domain: Option<&str>| {
        let target = Target::Recipient {
            channel: channel.into(),
            address: address.into(),
            email_domain: domain.map(Into::into),
        };
        Effect::new(Kind::SendMessage, target)
    };
    check(&scope, &text("slack", "#alerts", None), Ok("do.messages[2]"));
    check(&scope, &text("slack", "#alerts2", None), denied);
    check(&scope, &text("sms", "+49123", None), Ok("do.messages[3]"));
    check(&scope, &text("email", "dana@example.org", None), denied);
    check(&scope, &text("email", "dana@evil.org", Some("example.org")), denied);
    check(&scope, &text("email", "#alerts", None), denied);
}

#[test]
fn payments_are_exact() {
    let scope = compile(
        r#""do": {"payments": [{"to": "DE02*", "currency": "eur", "max": "0.3"},
                               {"to": "**", "currency": "USD", "max": "5"}]}"#,
    );
    let denied = Err(Reason::ScopePayment);
    check(&scope, &pay("DE0212", "0.3", "EUR"), Ok("do.payments[0]"));
    check(&scope, &pay("DE0212", "0.30000000000000000000000000001", "EUR"), denied);
    check(&scope, &pay("DE0312", "0.3", "EUR"), denied);
    check(&scope, &pay("DE0212", "0", "EUR"), denied);
    check(&scope, &pay("DE0212", "-1", "EUR"), denied);
    check(&scope, &pay("a/b", "4.99", "USD"), Ok("do.payments[1]"));
    check(&scope, &pay("a/b", "4.99", "GBP"), denied);
}

#[test]
fn publications_say_who_can_see_them() {
    let scope = compile(
        r#""do": {"publish": ["npm:@web/*", {"place": "s3:site", "name": "docs/**", "public": true}]}"#,
    );
    let artifact = |place: &str, name: &str, public| {
        let target = Target::Artifact { place: place.into(), name: name.into(), public };
        Effect::new(Kind::Publish, target)
    };
    let denied = Err(Reason::ScopePublish);
    check(&scope, &artifact("npm", "@web/login", false), Ok("do.publish[0]"));
    check(&scope, &artifact("npm", "@web/login", true), denied);
    check(&scope, &artifact("s3:site", "docs/a/b", true), Ok("do.publish[1]"));
    check(&scope, &artifact("s3:site", "docs/a/b", false), Ok("do.publish[1]"));
    check(&scope, &artifact("s3:other", "docs/a", true), denied);
    check(&scope, &artifact("s3:site", "docs/../x", true), denied);
}

#[test]
fn data_of_one_kind_is_not_data_of_another() {
    let scope = compile(
        r#""touch": {"read": ["/srv/web/**", "table:crm.*", "object:bucket/**", "!object:bucket/keys",
                              "!/srv/web/.env"],
                     "export": [{"from": "/srv/web/**", "to": "backup/*"}, {"from": "!/srv/web/.env*", "to": "**"}]}"#,
    );
    let denied = Err(Reason::ScopeRead);
    let read = |target| Effect::new(Kind::ReadData, target);
    let object = |name: &str, recursive| read(Target::Object { name: name.into(), recursive });
    check(&scope, &file(Kind::ReadData, "/srv/web", false), Ok("touch.read[0]"));
    check(&scope, &file(Kind::ReadData, "/srv/web", true), denied);
    check(&scope, &file(Kind::ReadData, "/srv/web/src", true), Ok("touch.read[0]"));
    check(&scope, &file(Kind::ReadData, "/srv/web/.env", false), denied);
    check(&scope, &file(Kind::ReadData, "/crm.orders", false), denied);
    check(&scope, &read(Target::Table("crm.orders".into())), Ok("touch.read[1]"));
    check(&scope, &read(Target::Table("crm.a.orders".into())), denied);
    check(&scope, &read(Target::Table("crm/orders".into())), denied);
    check(&scope, &object("bucket/a", false), Ok("touch.read[2]"));
    check(&scope, &object("bucket/keys/a", false), denied);
    check(&scope, &object("bucket", true), denied);
    check(&scope, &object("bucket/a", true), Ok("touch.read[2]"));
    check(&scope, &file(Kind::WriteData, "/srv/web/a", false), Err(Reason::ScopeWrite));
    check(&scope, &file(Kind::DeleteData, "/srv/web/a", false), Err(Reason::ScopeDelete));

    let denied = Err(Reason::ScopeExport);
    check(&scope, &export("/srv/web/a", "backup/web"), Ok("touch.export[0]"));
    check(&scope, &export("/srv/web/a", "backup/../x"), denied);
    check(&scope, &export("/srv/web/a", "other/web"), denied);
    check(&scope, &export("/srv/web/.env.local", "backup/web"), denied);
    check(&scope, &file(Kind::ExportData, "/srv/web/a", false), denied);
    let facts = Facts::new().text("destination", "backup/web");
    check(
        &scope,
        &file(Kind::ExportData, "/srv/web/src", true).with_facts(facts.clone()),
        Ok("touch.export[0]"),
    );
    check(&scope, &file(Kind::ExportData, "/srv/web", true).with_facts(facts), denied);
}

#[test]
fn what_holds_a_subtraction_stays_in_its_place() {
    let scope = compile(
        r#""touch": {"read": ["/srv/web/**", "!/srv/web/.git/config"],
                     "write": ["/srv/web/**", "!/srv/web/.git/config", "!/srv/web/**/*.key"],
                     "delete": ["/srv/web/**", "!/srv/web/.git/hooks/**", "!/srv/web/a*/b"]}"#,
    );
    let denied = Err(Reason::ScopeWrite);
    check(&scope, &file(Kind::WriteData, "/srv/web/.git", false), denied);
    check(&scope, &file(Kind::WriteData, "/srv/web", false), denied);
    check(&scope, &file(Kind::WriteData, "/srv/web/.git2", false), Ok("touch.write[0]"));
    check(&scope, &file(Kind::WriteData, "/srv/web/.gi", false), Ok("touch.write[0]"));
    check(&scope, &file(Kind::WriteData, "/srv/web/src", false), Ok("touch.write[0]"));
    let denied = Err(Reason::ScopeDelete);
    check(&scope, &file(Kind::DeleteData, "/srv/web/.git", false), denied);
    check(&scope, &file(Kind::DeleteData, "/srv/web/.git/HEAD", false), Ok("touch.delete[0]"));
    check(&scope, &file(Kind::DeleteData, "/srv/web/ab", false), Ok("touch.delete[0]"));
    check(&scope, &file(Kind::ReadData, "/srv/web/.git", false), Ok("touch.read[0]"));
}

#[cfg(unix)]
#[test]
fn links_on_a_real_disk_are_followed() {
    use crate::action::path::FileSystem;

    let directory = tempfile::tempdir().unwrap();
    let real = directory.path().canonicalize().unwrap();
    let at = |name: &str| real.join(name);
    std::fs::create_dir_all(at("web/src")).unwrap();
    std::os::unix::fs::symlink(at("web"), at("link")).unwrap();
    std::os::unix::fs::symlink("/etc", at("web/out")).unwrap();
    let root = real.to_str().unwrap();
    let compile = |sections: &str| {
        let text = document(sections).replace("/srv/web", &format!("{root}/link"));
        let trusted = Scope::parse(text.as_bytes()).unwrap().dangerous().trust_unsigned();
        CompiledScope::compile(&trusted, &FileSystem)
    };
    let scope = compile(r#""touch": {"read": ["/srv/web/**", "!/srv/web/src/new/**"]}"#).unwrap();
    assert_eq!(scope.workspace().as_path(), at("web"));
    let read = |name: &str| {
        let path = resolve_absolute(&FileSystem, &format!("{root}/link/{name}")).unwrap();
        let effect = Effect::new(Kind::ReadData, Target::File { path, recursive: false });
        scope.check(&effect, &FileSystem).is_ok()
    };
    assert!(read("src/main.rs"));
    assert!(!read("src/new/main.rs"));
    assert!(!read("out/passwd"));
    let error = compile(r#""touch": {"read": ["/srv/web/out/passwd"]}"#).unwrap_err();
    assert_eq!(error.code(), "descriptor.pattern");
}

#[test]
fn accelerators_need_time() {
    let gpu = Effect::new(Kind::UseAccelerator, Target::Accelerator { kind: "gpu:a100".into() });
    let denied = Err(Reason::ScopeAccelerator);
    check(&compile(r#""run": {"accelerator_seconds": 1}"#), &gpu, Ok("run.accelerators[0]"));
    check(&compile(r#""run": {"accelerators": ["*"]}"#), &gpu, denied);
    check(&compile(r#""run": {"accelerators": [], "accelerator_seconds": 1}"#), &gpu, denied);
    check(
        &compile(r#""run": {"accelerators": ["GPU:*"], "accelerator_seconds": 1}"#),
        &gpu,
        Ok("run.accelerators[0]"),
    );
}

#[test]
fn tools_say_why_they_are_refused() {
    let scope = compile(
        r#""do": {"tools": [
            {"name": "create_ticket", "args": {"project": {"one_of": ["WEB"]}, "title": {"max_len": 5}}},
            {"name": "create_ticket", "args": {"project": {"one_of": ["OPS"]}}, "other_args": "allow"},
            {"server": "files", "name": "read"}]}"#,
    );
    check(
        &scope,
        &tool("create_ticket", r#"{"project": "WEB", "title": "12345"}"#),
        Ok("do.tools[0]"),
    );
    check(
        &scope,
        &tool("create_ticket", r#"{"project": "WEB", "title": "123456"}"#),
        Err(Reason::ScopeToolArgument),
    );
    check(&scope, &tool("create_ticket", r#"{"project": "WEB"}"#), Err(Reason::ScopeToolArgument));
    check(
        &scope,
        &tool("create_ticket", r#"{"project": "WEB", "title": "1", "x": 1}"#),
        Err(Reason::ScopeToolArgument),
    );
    check(&scope, &tool("create_ticket", r#"{"project": "OPS", "x": [1]}"#), Ok("do.tools[1]"));
    check(&scope, &tool("read", "{}"), Err(Reason::ScopeTool));
    check(&scope, &tool("other", "{}"), Err(Reason::ScopeTool));
}

#[test]
fn host_kinds_are_constrained_by_their_facts() {
    let scope = compile(
        r#""do": {"actions": [{"kind": "RotateKey", "target": "keys/*",
            "args": {"age": {"range": {"min": 30}}, "zone": {"one_of": ["eu"]}, "from": {"host": "10.0.0.0/8:*"},
                     "tags": {"each": {"glob": "web-*"}, "optional": true}}}]}"#,
    );
    let address = Fact::Address("10.1.2.3".parse().unwrap());
    let facts =
        || Facts::new().long("age", 30).text("zone", "eu").maybe("from", Some(address.clone()));
    check(&scope, &rotate("keys/a", facts()), Ok("do.actions[0]"));
    check(&scope, &rotate("keys/a", facts().texts("tags", ["web-1"])), Ok("do.actions[0]"));
    let denied = Err(Reason::ScopeAction);
    check(&scope, &rotate("keys/a", facts().texts("tags", ["db"])), denied);
    check(&scope, &rotate("keys/a/b", facts()), denied);
    check(&scope, &rotate("keys/a", facts().long("age", 29)), denied);
    check(&scope, &rotate("keys/a", facts().text("extra", "x")), denied);
    check(&scope, &rotate("keys/a", Facts::new().long("age", 30)), denied);
    let other = Kind::Host { name: "DropKey".into(), domain: Domain::Infrastructure };
    check(
        &scope,
        &Effect::new(other, Target::Resource("keys/a".into())).with_facts(facts()),
        denied,
    );
}

#[test]
fn a_workspace_behind_a_link_works() {
    let paths =
        PurePaths::new().with_link("/home/dana/web", "/srv/web").with_link("/srv/web/out", "/etc");
    let text =
        document(r#""touch": {"read": ["/home/dana/web/**"], "write": ["/home/dana/web/src/*"]}"#)
            .replace("\"/srv/web\"", "\"/home/dana/web\"");
    let trusted = Scope::parse(text.as_bytes()).unwrap().dangerous().trust_unsigned();
    let scope = CompiledScope::compile(&trusted, &paths).unwrap();
    assert_eq!(scope.workspace().as_str(), "/srv/web");
    check(&scope, &file(Kind::ReadData, "/srv/web/a", false), Ok("touch.read[0]"));
    check(&scope, &file(Kind::WriteData, "/srv/web/src/a", false), Ok("touch.write[0]"));

    let out = parse(r#""touch": {"read": ["/srv/web/out/**"]}"#).dangerous().trust_unsigned();
    let error = CompiledScope::compile(&out, &paths).unwrap_err();
    assert_eq!((error.code(), error.field()), ("descriptor.pattern", "touch.read[0]"));
    let around = PurePaths::new().with_link("/srv/web", "/srv/web");
    let error = CompiledScope::compile(&out, &around).unwrap_err();
    assert_eq!((error.code(), error.field()), ("descriptor.path", "workspace"));
    let program = parse(r#""do": {"programs": ["/srv/web/out/run"]}"#).dangerous().trust_unsigned();
    let error = CompiledScope::compile(&program, &paths).unwrap_err();
    assert_eq!((error.code(), error.field()), ("descriptor.pattern", "do.programs[0]"));
}

#[test]
fn accessors_give_what_was_written() {
    let scope = compile(
        r#""purpose": "p", "on_behalf_of": "team:web", "limits": {"actions": 7, "spend": {"eur": "1.50"}}"#,
    );
    assert_eq!((scope.task(), scope.purpose(), scope.owner()), ("t", "p", "user:dana@example.org"));
    assert_eq!(scope.on_behalf_of(), Some("team:web"));
    assert_eq!(scope.agent().as_str(), "spiffe://example.org/agent/coder");
    assert_eq!(scope.expires(), Timestamp::parse_rfc3339("2026-11-21T11:00:00Z").unwrap());
    let limits = scope.limits();
    assert_eq!(limits.actions, 7);
    assert_eq!(limits.per_minute, DEFAULT_PER_MINUTE);
    assert_eq!(limits.denials, DEFAULT_DENIALS);
    assert_eq!(limits.distinct_targets, DEFAULT_DISTINCT_TARGETS);
    assert_eq!(
        (limits.egress_bytes, limits.accelerator_seconds, limits.delegation_depth),
        (0, 0, 0)
    );
    assert_eq!(limits.spend.get("EUR"), Some(&Decimal::parse("1.5").unwrap()));
    assert_eq!(limits.spend.get("USD"), None);
}

#[test]
fn time_is_checked_at_both_edges() {
    let scope = compile("");
    let at = |text: &str| scope.check_time(Timestamp::parse_rfc3339(text).unwrap());
    assert_eq!(at("2026-11-21T08:59:59.999Z"), Err(Reason::SessionNotYetValid));
    assert_eq!(at("2026-11-21T09:00:00Z"), Ok(()));
    assert_eq!(at("2026-11-21T10:59:59.999Z"), Ok(()));
    assert_eq!(at("2026-11-21T11:00:00Z"), Err(Reason::SessionExpired));
    let text = document("").replace("\"not_before\": \"2026-11-21T09:00:00Z\",", "");
    let trusted = Scope::parse(text.as_bytes()).unwrap().dangerous().trust_unsigned();
    let scope = CompiledScope::compile(&trusted, &PurePaths::new()).unwrap();
    assert_eq!(scope.not_before(), Timestamp::parse_rfc3339("2026-11-14T11:00:00Z").unwrap());
}

#[test]
fn digests_are_of_the_canonical_document() {
    let one = Scope::parse(document("").as_bytes()).unwrap();
    let spaced = document("").replace(',', " ,\n ");
    assert_eq!(Scope::parse(spaced.as_bytes()).unwrap().digest(), one.digest());
    assert_eq!(Scope::parse(one.as_canonical().as_bytes()).unwrap(), one);
    assert_eq!(Digest::of(DIGEST_CONTEXT, one.as_canonical().as_bytes()), one.digest());
    assert_ne!(parse(r#""purpose": "x""#).digest(), one.digest());
    assert_eq!(Scope::from_descriptor(one.descriptor()).unwrap().digest(), one.digest());
    let full = full();
    let again = Scope::from_descriptor(full.descriptor()).unwrap();
    assert_eq!(again.descriptor(), full.descriptor());
    let other: serde_json::Value = serde_json::from_str(full.as_canonical()).unwrap();
    let through = Scope::from_value(&Value::try_from(&other).unwrap()).unwrap();
    assert_eq!(through.digest(), full.digest());
}

#[test]
fn bad_documents_are_refused() {
    refused("", "descriptor.json", "");
    refused("[]", "descriptor.json", "");
    refused("null", "descriptor.json", "");
    refused("{}", "descriptor.missing", "scope");
    refused(&"[".repeat(100_000), "descriptor.json", "");
    refused(&format!("{}{}", document(""), " ".repeat(1 << 20)), "descriptor.json", "");
    refused(&document(r#""touch": {"read": [], "read": ["/**"]}"#), "descriptor.json", "");
    refused(&document(r#""task": "again""#), "descriptor.json", "");
    refused(&document(r#""t\u0061sk": "again""#), "descriptor.json", "");
    refused(&document(r#""note": "x""#), "descriptor.json", "");
    refused(&document(r#""do": {"program": []}"#), "descriptor.json", "");
    refused(&document(r#""do": null"#), "descriptor.json", "");
    refused(&document(r#""purpose": null"#), "descriptor.json", "");
    refused(&document(r#""run": {"accelerators": null}"#), "descriptor.json", "");
    refused(&document(r#""limits": {"actions": null}"#), "descriptor.json", "");
    refused(&document(r#""limits": {"actions": -1}"#), "descriptor.json", "");
    refused(&document(r#""limits": {"actions": 1.5}"#), "descriptor.json", "");
    refused(&document(r#""limits": {"spend": {"EUR": 1.5}}"#), "descriptor.json", "");
    refused(&document(r#""do": {"opaque": "maybe"}"#), "descriptor.json", "");
    refused(&document(r#""do": {"workspace_code": "yes"}"#), "descriptor.json", "");
    refused(
        &document(r#""do": {"programs": [{"name": "x", "opaqe": "allow"}]}"#),
        "descriptor.json",
        "",
    );
    refused(&document(r#""do": {"programs": [1]}"#), "descriptor.json", "");
    refused(&document(r#""do": {"tools": [{}]}"#), "descriptor.json", "");
    refused(&document(r#""do": {"publish": ["npm"]}"#), "descriptor.json", "");
    refused(&format!("\u{feff}{}", document("")), "descriptor.json", "");
    refused(&document("").replace("/v1", "/v2"), "descriptor.version", "scope");
    for field in MANDATORY {
        let mut value = Value::parse(document("").as_bytes(), &value::Limits::DOCUMENT).unwrap();
        if let Value::Object(members) = &mut value {
            members.remove(field);
        }
        refused(&value.to_canonical(), "descriptor.missing", field);
        let spoilt = Value::Object(Object::from_iter(
            value
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .chain([(field.to_owned(), Value::Null)]),
        ));
        refused(&spoilt.to_canonical(), "descriptor.json", "");
    }
}

#[test]
fn bad_fields_are_refused() {
    let replaced = |from: &str, to: &str, code: &str, field: &str| {
        let text = document("");
        assert!(text.contains(from), "{from}");
        refused(&text.replace(from, to), code, field);
    };
    replaced("\"t\"", "\"\"", "descriptor.name", "task");
    replaced("\"t\"", "\"a\\u202eb\"", "descriptor.name", "task");
    replaced(
        "\"t\"",
        &format!("\"{}\"", "x".repeat(MAX_NAME_BYTES + 1)),
        "descriptor.name",
        "task",
    );
    replaced("user:dana@example.org", "", "descriptor.name", "owner");
    replaced("user:dana@example.org", "dana", "descriptor.form", "owner");
    replaced("user:dana@example.org", "agent:coder", "descriptor.form", "owner");
    replaced("user:dana@example.org", "user:", "descriptor.form", "owner");
    replaced("spiffe://example.org/agent/coder", "coder", "descriptor.agent", "agent");
    replaced("2026-11-21T11:00:00Z", "2026-11-21", "descriptor.time", "expires");
    replaced("2026-11-21T11:00:00Z", "tomorrow", "descriptor.time", "expires");
    replaced("2026-11-21T11:00:00Z", "2026-11-21T09:00:00Z", "descriptor.lifetime", "expires");
    replaced("2026-11-21T11:00:00Z", "2026-11-20T11:00:00Z", "descriptor.lifetime", "expires");
    replaced("2026-11-21T11:00:00Z", "2026-11-28T09:00:00.001Z", "descriptor.lifetime", "expires");
    replaced("2026-11-21T09:00:00Z", "now", "descriptor.time", "not_before");
    replaced("\"/srv/web\"", "\"srv/web\"", "descriptor.workspace", "workspace");
    replaced("\"/srv/web\"", "\"~\"", "descriptor.workspace", "workspace");
    replaced("\"/srv/web\"", "\"/srv/\\u200bweb\"", "descriptor.path", "workspace");
    assert!(Scope::parse(document("").replace("T11:00:00Z", "T09:00:00.001Z").as_bytes()).is_ok());
    let week = document("").replace("2026-11-21T11:00:00Z", "2026-11-28T09:00:00Z");
    assert!(Scope::parse(week.as_bytes()).is_ok());
}

#[test]
fn bad_elements_are_refused() {
    let check = |sections: &str, code: &str, field: &str| refused_section(sections, code, field);
    check(r#""on_behalf_of": "dana""#, "descriptor.form", "on_behalf_of");
    check(r#""touch": {"read": ["/a", "srv/**"]}"#, "descriptor.pattern", "touch.read[1]");
    check(r#""touch": {"write": ["/a/../b"]}"#, "descriptor.pattern", "touch.write[0]");
    check(r#""touch": {"write": ["~/b"]}"#, "descriptor.pattern", "touch.write[0]");
    check(r#""touch": {"delete": ["!"]}"#, "descriptor.pattern", "touch.delete[0]");
    check(r#""touch": {"delete": ["!!/a"]}"#, "descriptor.pattern", "touch.delete[0]");
    check(r#""touch": {"read": ["table:"]}"#, "descriptor.pattern", "touch.read[0]");
    check(r#""touch": {"read": ["table:a..b"]}"#, "descriptor.pattern", "touch.read[0]");
    check(r#""touch": {"read": ["object:/a"]}"#, "descriptor.pattern", "touch.read[0]");
    check(r#""touch": {"read": ["queue:a"]}"#, "descriptor.pattern", "touch.read[0]");
    check(
        r#""touch": {"export": [{"from": "a", "to": "b"}]}"#,
        "descriptor.pattern",
        "touch.export[0].from",
    );
    check(
        r#""touch": {"export": [{"from": "/a", "to": "!b"}]}"#,
        "descriptor.pattern",
        "touch.export[0].to",
    );
    check(r#""touch": {"memory": {"read": ["/a"]}}"#, "descriptor.pattern", "touch.memory.read[0]");
    check(r#""reach": {"connect": ["git.example.org"]}"#, "descriptor.host", "reach.connect[0]");
    check(r#""reach": {"connect": ["a*b:443"]}"#, "descriptor.host", "reach.connect[0]");
    check(r#""reach": {"listen": ["0.0.0.0:0"]}"#, "descriptor.host", "reach.listen[0]");
    check(
        r#""reach": {"tunnel": [{"direction": "reverse", "to": "x"}]}"#,
        "descriptor.host",
        "reach.tunnel[0].to",
    );
    check(r#""reach": {"packages": ["serde"]}"#, "descriptor.form", "reach.packages[0]");
    check(r#""reach": {"packages": [":serde"]}"#, "descriptor.form", "reach.packages[0]");
    check(r#""reach": {"packages": ["cargo:"]}"#, "descriptor.form", "reach.packages[0]");
    check(
        r#""reach": {"infrastructure": ["aws:instance/a"]}"#,
        "descriptor.form",
        "reach.infrastructure[0]",
    );
    check(r#""do": {"programs": ["./run"]}"#, "descriptor.form", "do.programs[0]");
    check(r#""do": {"programs": ["*"]}"#, "descriptor.form", "do.programs[0]");
    check(
        r#""do": {"programs": ["git", {"name": "git", "opaque": "deny"}]}"#,
        "descriptor.duplicate",
        "do.programs[1]",
    );
    check(r#""do": {"apis": ["https://api.example.org/v1"]}"#, "descriptor.form", "do.apis[0]");
    check(r#""do": {"apis": ["GET https://api.example.org"]}"#, "descriptor.form", "do.apis[0]");
    check(r#""do": {"apis": ["GET ftp://api.example.org/"]}"#, "descriptor.form", "do.apis[0]");
    check(
        r#""do": {"apis": ["GET https://api.example.org/?q=*"]}"#,
        "descriptor.form",
        "do.apis[0]",
    );
    check(
        r#""do": {"apis": ["GET https://api.example.org/%61"]}"#,
        "descriptor.form",
        "do.apis[0]",
    );
    check(r#""do": {"apis": ["GET https://u@api.example.org/"]}"#, "descriptor.host", "do.apis[0]");
    check(
        r#""do": {"apis": ["GET https://api.example.org/a/../b"]}"#,
        "descriptor.pattern",
        "do.apis[0]",
    );
    check(r#""do": {"messages": ["dana@example.org"]}"#, "descriptor.form", "do.messages[0]");
    check(r#""do": {"messages": ["email:*"]}"#, "descriptor.form", "do.messages[0]");
    check(r#""do": {"messages": ["email:a@b@c"]}"#, "descriptor.form", "do.messages[0]");
    check(
        r#""do": {"payments": [{"to": "a", "currency": "EUR", "max": "-1"}]}"#,
        "descriptor.number",
        "do.payments[0].max",
    );
    check(
        r#""do": {"payments": [{"to": "a", "currency": "EUR", "max": "1,50"}]}"#,
        "descriptor.number",
        "do.payments[0].max",
    );
    check(
        r#""do": {"payments": [{"to": "a", "currency": "*", "max": "1"}]}"#,
        "descriptor.form",
        "do.payments[0].currency",
    );
    check(
        r#""do": {"payments": [{"to": "!a", "currency": "EUR", "max": "1"}]}"#,
        "descriptor.pattern",
        "do.payments[0].to",
    );
    check(r#""do": {"publish": ["npm:!a"]}"#, "descriptor.pattern", "do.publish[0].name");
    check(r#""do": {"spawn": ["tester"]}"#, "descriptor.agent", "do.spawn[0]");
    check(r#""do": {"spawn": ["!spiffe://example.org/a"]}"#, "descriptor.agent", "do.spawn[0]");
    check(
        r#""do": {"actions": [{"kind": "Connect", "target": "*"}]}"#,
        "descriptor.form",
        "do.actions[0].kind",
    );
    check(
        r#""do": {"actions": [{"kind": "*", "target": "*"}]}"#,
        "descriptor.form",
        "do.actions[0].kind",
    );
    check(r#""do": {"tools": [{"name": "!a"}]}"#, "descriptor.pattern", "do.tools[0].name");
    check(r#""limits": {"actions": 9007199254740992}"#, "descriptor.number", "limits.actions");
    check(
        r#""limits": {"domains": {"data": 9007199254740992}}"#,
        "descriptor.number",
        "limits.domains.data",
    );
    check(
        r#""limits": {"tools": {"srv/t": 9007199254740992}}"#,
        "descriptor.number",
        "limits.tools.srv/t",
    );
    for tool in ["t", "srv/", "/t", "srv/*", "srv/a b", "srv/a/b"] {
        let limits = format!(r#""limits": {{"tools": {{"{tool}": 1}}}}"#);
        check(&limits, "descriptor.form", &format!("limits.tools.{tool}"));
    }
    let tools = |count: usize| {
        let tools: Vec<String> = (0..count).map(|tool| format!("\"s/{tool}\": 1")).collect();
        format!(r#""limits": {{"tools": {{{}}}}}"#, tools.join(","))
    };
    assert!(Scope::parse(document(&tools(MAX_LIMITED_TOOLS)).as_bytes()).is_ok());
    check(&tools(MAX_LIMITED_TOOLS + 1), "descriptor.too_many", "limits.tools");
    check(r#""limits": {"delegation_depth": 9}"#, "descriptor.number", "limits.delegation_depth");
    check(r#""limits": {"delegates": 1025}"#, "descriptor.number", "limits.delegates");
    check(r#""parent": "ab""#, "descriptor.form", "parent");
    check(r#""limits": {"spend": {"EUR": "x"}}"#, "descriptor.number", "limits.spend.EUR");
    check(
        r#""limits": {"spend": {"EUR": "1", "eur": "1"}}"#,
        "descriptor.duplicate",
        "limits.spend.eur",
    );
    let many = vec!["\"a\""; MAX_LIST + 1].join(",");
    check(&format!(r#""run": {{"models": [{many}]}}"#), "descriptor.too_many", "run.models");
    let most = vec!["\"a\""; MAX_LIST].join(",");
    assert_eq!(
        parse(&format!(r#""run": {{"models": [{most}]}}"#)).descriptor().run.models.len(),
        MAX_LIST
    );
    let long = "x".repeat(MAX_PATTERN_BYTES + 1);
    check(&format!(r#""run": {{"models": ["{long}"]}}"#), "descriptor.pattern", "run.models[0]");
}

#[test]
fn messages_name_the_field_and_what_to_write() {
    let error = Scope::parse(document(r#""reach": {"connect": ["git.example.org"]}"#).as_bytes());
    assert_eq!(
        error.unwrap_err().to_string(),
        "scope field `reach.connect[0]` is refused: host pattern `git.example.org` names no port: \
         write `git.example.org:443` or `git.example.org:*`"
    );
    let error = Scope::parse(b"{}").unwrap_err();
    assert_eq!(error.to_string(), "scope field `scope` is refused: it is mandatory and absent");
}

#[test]
fn a_typical_compiled_scope_is_small() {
    let text = block("## The document", FULL);
    let trusted = Scope::parse(text.as_bytes()).unwrap().dangerous().trust_unsigned();
    let scope = CompiledScope::compile(&trusted, &PurePaths::new()).unwrap();
    // What `Debug` writes is longer than what it stands for, but for empty lists and small numbers.
    let bytes = std::mem::size_of::<CompiledScope>() + format!("{:?}", scope.grants).len();
    assert!(bytes <= 16 * 1024, "{bytes}");
}

/// Laws about every scope: what is taken away from a document is never gained by it.
mod laws;

/// The schema against the types.
mod schema;

/// One question each.
mod questions;

/// A child beside its parent.
mod child;

/// Constraints on arguments.
mod arguments;
