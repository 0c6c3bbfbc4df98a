//! Scopes: one canonical form, and nothing granted that is not in normal form.

use std::net::{IpAddr, Ipv4Addr};

use super::check_message;
use crate::action::host::{Endpoint, Host};
use crate::action::path::PurePaths;
use crate::action::{Domain, Effect, Kind, Target};
use crate::reason::Reason;
use crate::scope::{CompiledScope, Scope, lint};
use crate::testing::NOW;
use crate::value::{Decimal, Object};

/// Parses a scope: what parses compiles, is the same scope when its canonical text is parsed, and
/// grants nothing that could not be understood or is not in normal form.
pub fn scope(data: &[u8]) {
    let scope = match Scope::parse(data) {
        Ok(scope) => scope,
        Err(error) => return check_message(&error),
    };
    let again = Scope::parse(scope.as_canonical().as_bytes());
    assert_eq!(again.as_ref(), Ok(&scope), "the canonical text is another scope");
    // Fails only for numbers that serde has no type for.
    if let Ok(written) = Scope::from_descriptor(scope.descriptor()) {
        assert_eq!(written.descriptor(), scope.descriptor());
    }
    for warning in lint(&scope, NOW) {
        check_message(&warning);
    }

    let trusted = scope.dangerous().trust_unsigned();
    let plain = PurePaths::new();
    let compiled = match CompiledScope::compile(&trusted, &plain) {
        Ok(compiled) => compiled,
        Err(error) => return assert_eq!(error.to_string(), "", "it parsed and does not compile"),
    };
    assert!(compiled.not_before() < compiled.expires());
    assert!(compiled.check_time(compiled.expires()).is_err(), "it does not end");
    check_grants(&compiled, &plain);

    // An agent left links in its workspace; the next scope compiles or is refused, and not wider.
    let linked = PurePaths::new()
        .with_link("/srv/web/out", "/etc")
        .with_link("/srv/web/up", "..")
        .with_link("/srv/web/loop", "loop")
        .with_missing("/srv/web/gone")
        .with_file("/srv/web/file");
    match CompiledScope::compile(&trusted, &linked) {
        Ok(compiled) => check_grants(&compiled, &linked),
        Err(error) => check_message(&error),
    }
}

fn check_grants(scope: &CompiledScope, paths: &PurePaths) {
    for domain in Domain::ALL {
        let kind = Kind::Opaque(domain);
        let target = Target::Unknown { reason: Reason::PathEmpty, of: "ReadData".into() };
        let answer = scope.check(&Effect::new(kind, target), paths);
        assert_eq!(answer, Err(Reason::ScopeOpaque));
    }
    let granted = crooked().into_iter().filter(|(kind, target)| {
        scope.check(&Effect::new(kind.clone(), target.clone()), paths).is_ok()
    });
    let granted: Vec<(Kind, Target)> = granted.collect();
    assert!(granted.is_empty(), "crooked targets are granted: {granted:?}");
    let name = || Host::parse("metadata.google.internal");
    if let Ok(endpoint) = name().and_then(|host| Endpoint::new(host, 80)) {
        let at = |address| Target::Endpoint { endpoint: endpoint.clone(), address };
        // An address that a name leads to takes rights away; it gives none.
        let inside = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
        for kind in [Kind::Connect, Kind::Listen, Kind::RemoteShell] {
            let with = scope.check(&Effect::new(kind.clone(), at(Some(inside))), paths);
            let without = scope.check(&Effect::new(kind, at(None)), paths);
            assert!(with.is_err() || without.is_ok(), "an address grants what its name does not");
        }
    }
}

type Named = fn(Box<str>) -> (Kind, Target);

/// Effects whose targets no constructor makes: not in normal form, or of another kind.
fn crooked() -> Vec<(Kind, Target)> {
    let names: [Named; 9] = [
        |name| (Kind::TriggerWorkflow, Target::Workflow(name)),
        |name| (Kind::UseSecret, Target::Secret(name)),
        |name| (Kind::RecallMemory, Target::Memory(name)),
        |name| (Kind::WriteMemory, Target::Memory(name)),
        |name| (Kind::InvokeModel, Target::Model(name)),
        |name| (Kind::StartTraining, Target::Training(name)),
        |name| (Kind::ReadData, Target::Object { name, recursive: false }),
        |name| (Kind::DeleteData, Target::Object { name, recursive: true }),
        |name| (Kind::SubmitJob, Target::Job { queue: name, name: "job".into() }),
    ];
    let mut crooked: Vec<(Kind, Target)> = names
        .iter()
        .flat_map(|build| {
            ["a/../b", "..", "a//b", "/a", "./a", "a/"].map(|name| build(name.into()))
        })
        .collect();
    let object = |name: &str| Target::Object { name: name.into(), recursive: false };
    let amount = Decimal::from(1_u64);
    let arguments = Object::new;
    for name in ["a/../b", "..", "a//b", "/a", "a/"].map(Box::<str>::from) {
        let (server, place, ecosystem) = ("srv".into(), "npm".into(), "cargo".into());
        let currency = "EUR".into();
        let (provider, verb, resource) = ("aws".into(), "create".into(), "instance".into());
        crooked.extend([
            (Kind::Pay, Target::Payment { account: name.clone(), amount, currency }),
            (Kind::Publish, Target::Artifact { place, name: name.clone(), public: false }),
            (Kind::InstallPackage, Target::Package { ecosystem, name: name.clone() }),
            (Kind::ChangeIdentity, Target::Identity(name.clone())),
            (Kind::ToolCall, Target::Tool { server, name: name.clone(), arguments: arguments() }),
            (Kind::MutateInfrastructure, Target::Infrastructure { provider, verb, resource, name }),
        ]);
    }
    crooked.push((Kind::ReadData, Target::Memory("a".into())));
    crooked.push((Kind::Connect, object("a")));
    crooked.push((Kind::InvokeModel, Target::Training("a".into())));
    crooked.push((Kind::ToolCall, object("a")));
    crooked.push((Kind::Pay, Target::Resource("a".into())));
    crooked.push((Kind::SpawnAgent, Target::Agent("spiffe://example.org/agent/../x".into())));
    crooked
}
