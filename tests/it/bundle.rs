//! Loading a bundle: what is refused, at which state, and what its digest covers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cedar_policy::{ActionConstraint, Effect, Entities, EntityUid, PolicySet, Schema};
use countersign::action::{ActionSpec, Domain, FactType, HostAction, Reversibility};
use countersign::digest::Digest;
use countersign::policy::{Authored, BASE_SCHEMA, LoadError};
use countersign::tool::{ServerTrust, ToolManifest};

use crate::support::gate::{Bundle, PERMIT};

/// The name of the variant with which `bundle` is refused, or `loads`.
fn fate(bundle: &Bundle) -> String {
    fate_of(bundle.load().map(|_| ()))
}

fn fate_of(result: Result<(), LoadError>) -> String {
    match result {
        Ok(()) => "loads".to_owned(),
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n') && !line.is_empty(), "one line: {line}");
            let debug = format!("{error:?}");
            let end = debug.find(|byte: char| !byte.is_ascii_alphanumeric());
            debug[..end.unwrap_or(debug.len())].to_owned()
        }
    }
}

#[track_caller]
fn check(bundle: &Bundle, expected: &str) {
    assert_eq!(fate(bundle), expected, "{bundle:?}");
}

#[track_caller]
fn check_policy(policy: &str, expected: &str) {
    assert_eq!(fate(&Bundle::of(policy)), expected, "{policy}");
}

/// A forbid on connections beside a permit of everything.
fn forbid(condition: &str) -> Bundle {
    Bundle::but(&format!(
        "@id(\"forbid\") forbid(principal, action == Action::\"Connect\", resource) \
         when {{ {condition} }};"
    ))
}

fn validated(bundle: &Bundle) -> Digest {
    bundle.authored().unwrap().validate().unwrap().digest()
}

// --- files ---------------------------------------------------------------------------------------

#[test]
fn names_of_files_are_those_of_a_bundle() {
    let check = |name: &str, ok: bool| {
        assert_eq!(Authored::from_files([(name, "")]).is_ok(), ok, "{name:?}");
    };
    for name in [
        "manifest.json",
        "schema.cedarschema",
        "policies.cedar",
        "policies/a.cedar",
        "cases.json",
        "cases/a.json",
        "cases-entities.json",
        "entities.json",
        "README.md",
    ] {
        check(name, true);
    }
    for name in [
        "",
        "x",
        "policy.cedar",
        "POLICIES.CEDAR",
        "Cases.json",
        "./manifest.json",
        "../manifest.json",
        "/manifest.json",
        "manifest.json/",
        "policies/../manifest.json",
        "policies/./a.cedar",
        "policies//a.cedar",
        "policies/../../a.cedar",
        "cases/../../a.json",
        "policies\\a.cedar",
        "policies/a.cedar\0",
        "policies/a\n.cedar",
        "policies/\u{430}.cedar",
        "policies/a.cedar.bak",
        "schema.cedarschema.json",
        "plugins/a.wasm",
    ] {
        check(name, false);
    }
}

#[test]
fn a_file_stands_once() {
    let twice = Authored::from_files([("README.md", "a"), ("README.md", "a")]);
    assert_eq!(fate_of(twice.map(|_| ())), "File");
}

#[test]
fn files_and_bytes_are_bounded() {
    let many = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("policies/{n}.cedar")).collect();
        let files = names.iter().map(|name| (name.as_str(), ""));
        fate_of(Authored::from_files(files).map(|_| ()))
    };
    assert_eq!(many(256), "loads");
    assert_eq!(many(257), "TooLarge");

    let half = vec![b' '; 8 << 20];
    let files = |more: &'static [u8]| {
        let files = [("cases.json", &half[..]), ("entities.json", &half), ("README.md", more)];
        fate_of(Authored::from_files(files).map(|_| ()))
    };
    assert_eq!(files(b""), "loads");
    assert_eq!(files(b"x"), "TooLarge");
}

#[test]
fn no_required_file_may_be_missing() {
    let files = Bundle::of(PERMIT).files();
    for (missing, expected) in [
        ("manifest.json", "File"),
        ("schema.cedarschema", "File"),
        ("policies.cedar", "Policy"),
        ("cases.json", "Cases"),
    ] {
        let rest = files.iter().filter(|(name, _)| *name != missing);
        let rest = rest.map(|(name, text)| (name.as_str(), text));
        let loaded = Authored::from_files(rest).unwrap().load();
        assert_eq!(fate_of(loaded.map(|_| ())), expected, "{missing}");
    }
    let nothing: [(&str, &str); 0] = [];
    assert_eq!(fate_of(Authored::from_files(nothing).unwrap().load().map(|_| ())), "File");
}

#[test]
fn files_are_text() {
    let bad = b"// \xff\xfe\n@id(\"a\") permit(principal, action, resource);";
    check(&Bundle::of(PERMIT).with_file("policies.cedar", bad), "File");
    check(&Bundle::of(PERMIT).with_file("schema.cedarschema", b"\xff"), "File");
    check(&Bundle::of(PERMIT).with_file("manifest.json", b"\xff"), "Manifest");
    check(&Bundle::of(PERMIT).with_file("policies.cedar", format!("\u{feff}{PERMIT}")), "File");
}

// --- directories ---------------------------------------------------------------------------------

fn directory(files: &BTreeMap<String, Vec<u8>>) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

#[test]
fn a_directory_is_the_same_bundle_as_its_files() {
    let bundle = Bundle::of(PERMIT)
        .with_file("policies/more.cedar", "@id(\"more\") forbid(principal, action, resource);")
        .with_file("cases/none.json", "[]");
    let directory = directory(&bundle.files());
    let read = Authored::read_dir(directory.path()).unwrap().validate().unwrap();
    assert_eq!(read.digest(), validated(&bundle));
}

#[test]
fn a_directory_holds_nothing_but_files_of_a_bundle() {
    let files = Bundle::of(PERMIT).files();
    let check = |change: fn(&Path), expected: &str| {
        let directory = directory(&files);
        change(directory.path());
        let read = Authored::read_dir(directory.path());
        assert_eq!(fate_of(read.map(|_| ())), expected);
    };
    let write = |path: PathBuf| std::fs::write(path, "").unwrap();
    check(|_| (), "loads");
    check(|at| std::fs::write(at.join("README.md"), "").unwrap(), "loads");
    check(|at| std::fs::write(at.join("notes.txt"), "").unwrap(), "File");
    check(|at| std::fs::write(at.join(".hidden"), "").unwrap(), "File");
    check(|at| std::fs::write(at.join("policies"), "").unwrap(), "File");
    check(|at| std::fs::create_dir(at.join(".git")).unwrap(), "File");
    check(|at| std::fs::create_dir(at.join("README.md")).unwrap(), "File");
    check(|at| std::fs::create_dir_all(at.join("policies/deeper")).unwrap(), "File");
    check(|at| std::fs::create_dir_all(at.join("policies/x.cedar")).unwrap(), "File");
    check(
        |at| {
            let big = std::fs::File::create(at.join("README.md")).unwrap();
            big.set_len((16 << 20) + 1).unwrap();
        },
        "TooLarge",
    );
    let nowhere = directory(&files).path().join("gone");
    assert_eq!(fate_of(Authored::read_dir(nowhere).map(|_| ())), "Read");
    let file = directory(&files);
    write(file.path().join("plain"));
    assert_eq!(fate_of(Authored::read_dir(file.path().join("plain")).map(|_| ())), "Read");
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_in_a_bundle_is_not_followed() {
    use std::os::unix::fs::symlink;
    let files = Bundle::of(PERMIT).files();
    let elsewhere = directory(&files);
    let check = |name: &str, target: &Path| {
        let directory = directory(&files);
        let at = directory.path().join(name);
        if at.exists() {
            std::fs::remove_file(&at).unwrap();
        }
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(target, at).unwrap();
        assert_eq!(fate_of(Authored::read_dir(directory.path()).map(|_| ())), "File", "{name}");
    };
    check("policies.cedar", &elsewhere.path().join("policies.cedar"));
    check("cases.json", Path::new("/nonexistent"));
    check("policies", elsewhere.path());
    check("policies/a.cedar", &elsewhere.path().join("policies.cedar"));
    check("cases/a.json", &elsewhere.path().join("cases.json"));
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = directory(&Bundle::of(PERMIT).files());
    let name = std::ffi::OsStr::from_bytes(b"policies\xff.cedar");
    std::fs::write(directory.path().join(name), "").unwrap();
    assert_eq!(fate_of(Authored::read_dir(directory.path()).map(|_| ())), "File");
}

// --- the digest ----------------------------------------------------------------------------------

struct Host;

impl HostAction for Host {
    const SPEC: ActionSpec = ActionSpec {
        kind: "Rotate",
        domain: Domain::Infrastructure,
        reversibility: Reversibility::Irreversible,
        facts: &[("age", FactType::Long)],
    };
}

#[test]
fn the_digest_covers_every_byte_of_every_file_and_what_is_registered() {
    let bundle = Bundle::of(PERMIT)
        .with_file("policies/more.cedar", "@id(\"more\") forbid(principal, action, resource);")
        .with_file("cases/none.json", "[]")
        .with_file("cases-entities.json", "[]")
        .with_file("README.md", "text")
        .with_entities("[]");
    let digest = validated(&bundle);
    assert_eq!(validated(&bundle), digest, "it is a function of the files");

    let mut seen = BTreeSet::from([digest]);
    for (name, text) in bundle.files() {
        let mut changed = text.clone();
        changed.push(b'\n');
        let other = validated(&bundle.clone().with_file(&name, changed));
        assert!(seen.insert(other), "one byte of {name}");
    }
    let mut renamed = bundle.files();
    let text = renamed.remove("policies/more.cedar").unwrap();
    let renamed = renamed.into_iter().chain([("policies/mere.cedar".to_owned(), text)]);
    let renamed: Vec<(String, Vec<u8>)> = renamed.collect();
    let renamed = Authored::from_files(renamed.iter().map(|(name, text)| (name.as_str(), text)));
    assert!(seen.insert(renamed.unwrap().validate().unwrap().digest()), "a name");

    assert!(seen.insert(validated(&bundle.clone().with_tool("t", "{}", "[]"))), "a tool");
    let typed = bundle.clone().with_tool("t", r#"{"a": {"type": "string"}}"#, "[]");
    assert!(seen.insert(validated(&typed)), "an argument of a tool");
    let needed = bundle.clone().with_tool("t", r#"{"a": {"type": "string"}}"#, r#"["a"]"#);
    assert!(seen.insert(validated(&needed)), "whether it is required");
    assert!(seen.insert(validated(&bundle.clone().with_action::<Host>())), "a kind of action");
    assert_eq!(validated(&bundle.clone().with_tools(ToolManifest::new())), digest);
}

#[test]
fn all_states_of_a_bundle_have_one_digest() {
    let validated = Bundle::of(PERMIT).authored().unwrap().validate().unwrap();
    let digest = validated.digest();
    let tested = validated.test().unwrap();
    assert_eq!((tested.digest(), tested.cases()), (digest, 1));
    let enforced = tested.enforce();
    assert_eq!((enforced.digest(), enforced.snapshot().digest()), (digest, digest));
}

// --- the manifest --------------------------------------------------------------------------------

#[test]
fn the_manifest_is_read_strictly() {
    let head = r#""bundle": "countersign/bundle/v1", "name": "test""#;
    let quorum = r#"{"name": "sre", "roles": ["sre"], "of": 1}"#;
    let manifest = |text: String| Bundle::of(PERMIT).with_file("manifest.json", text);
    check(&manifest(format!(r#"{{{head}, "quorums": [{quorum}]}}"#)), "loads");
    for text in [
        String::new(),
        "[]".into(),
        format!("{{{head}}} x"),
        format!("{{{head}, \"name\": \"other\"}}"),
        format!("{{{head}, \"n\\u0061me\": \"other\"}}"),
        format!("{{{head}, \"extra\": 1}}"),
        r#"{"bundle": "countersign/bundle/v1"}"#.into(),
        r#"{"bundle": "countersign/bundle/v2", "name": "test"}"#.into(),
        r#"{"bundle": "countersign/bundle/v1", "name": "te\u202est"}"#.into(),
        format!(r#"{{{head}, "quorums": [{quorum}, {quorum}]}}"#),
        format!(
            r#"{{{head}, "quorums": [{{"name": "sre", "roles": ["sre"], "of": 1, "of": 0}}]}}"#
        ),
        format!(r#"{{{head}, "quorums": [{{"name": "sre", "roles": ["sre"], "of": 0}}]}}"#),
        format!(r#"{{{head}, "quorums": [{{"name": "sre", "roles": ["sre"], "of": -1}}]}}"#),
        format!(r#"{{{head}, "quorums": [{{"name": "sre", "roles": [], "of": 1}}]}}"#),
        format!(r#"{{{head}, "quorums": [{{"name": "", "roles": ["sre"], "of": 1}}]}}"#),
        format!(r#"{{{head}, "limits": {{"actions": 1.5}}}}"#),
        format!(r#"{{{head}, "limits": {{"actions": 1, "actions": 2}}}}"#),
        format!("{{{head}, \"quorums\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        check(&manifest(text), "Manifest");
    }
    let names: Vec<String> = (0..9).map(|n| format!("q{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    check(&Bundle::of(PERMIT).with_quorums(&names[..8]), "loads");
    check(&Bundle::of(PERMIT).with_quorums(&names), "Manifest");
}

#[test]
fn policies_name_quorums_of_the_manifest() {
    let asks = |name: &str| forbid(&format!("!context.approvals.contains(\"{name}\")"));
    check(&asks("sre"), "loads");
    check(&asks("sre "), "Policy");
    check(&asks("SRE"), "Policy");
    check(&asks("sre").with_quorums(&["security"]), "Policy");
    check(&forbid(r#"!context.approvals.containsAll(["sre", "nobody"])"#), "Policy");
    check(&forbid(r#"!context.approvals.containsAny(["nobody", "sre"])"#), "Policy");
}

// --- policies ------------------------------------------------------------------------------------

#[test]
fn every_policy_has_a_plain_name_of_its_own() {
    let head = "permit(principal, action, resource);";
    check_policy(head, "Policy");
    check_policy(&format!("@id(\"\") {head}"), "Policy");
    check_policy(&format!("@id {head}"), "Policy");
    check_policy(&format!("@ID(\"a\") {head}"), "Policy");
    check_policy(&format!("@id(\"a b\") {head}"), "Policy");
    check_policy(&format!("@id(\"a\\nb\") {head}"), "Policy");
    check_policy(&format!("@id(\"\u{430}\") {head}"), "Policy");
    check_policy(&format!("@id(\"{}\") {head}", "a".repeat(129)), "Policy");
    check_policy(&format!("@id(\"a\") @id(\"b\") {head}"), "Policy");
    check_policy(
        &format!("@id(\"a\") {head} @id(\"a\") forbid(principal, action, resource);"),
        "Policy",
    );
    check_policy(&format!("@id(\"a\") {head} forbid(principal, action, resource);"), "Policy");
    let other = Bundle::of(PERMIT).with_file("policies/other.cedar", PERMIT);
    check(&other, "Policy");
    check_policy(&format!("@id(\"{}\") {head}", "a".repeat(128)), "loads");
}

#[test]
fn the_names_that_the_parser_gives_never_appear() {
    // Their own names are those that the parser would give to the other.
    let gate = Bundle::of(
        "@id(\"policy1\") permit(principal, action, resource);\n\
         @id(\"policy0\") forbid(principal, action == Action::\"InvokeModel\", resource);",
    )
    .gate();
    let decision = gate.session.authorize(countersign::action::InvokeModel::new("m")).unwrap();
    assert_eq!(*decision.effects()[0].policies, [Box::from("policy0")]);
    let named =
        Bundle::but("@id(\"x.y\") forbid(principal, action == Action::\"InvokeModel\", resource);");
    let gate = named.gate();
    drop(gate.session.authorize(countersign::action::InvokeModel::new("m")).unwrap());
    drop(gate.session.authorize(countersign::action::Connect::new("a.example", 1)).unwrap());
    let lines = gate.fixture.sink.to_ndjson();
    assert!(lines.contains("x.y") && lines.contains("permit") && !lines.contains("policy0"));
}

#[test]
fn templates_are_refused() {
    check_policy("@id(\"a\") permit(principal == ?principal, action, resource);", "Policy");
    check_policy(
        "@id(\"a\") permit(principal in ?principal, action, resource in ?resource);",
        "Policy",
    );
    check_policy(
        "@id(\"a\") permit(principal, action, resource) when { resource in ?resource };",
        "Policy",
    );
}

#[test]
fn policies_that_do_not_parse_or_are_none_are_refused() {
    check_policy("", "Policy");
    check_policy("// nothing", "Policy");
    check_policy("@id(\"a\") permit(principal, action);", "Policy");
    check_policy("@id(\"a\") permit(principal, action, resource)", "Policy");
    check_policy("@id(\"a\") allow(principal, action, resource);", "Policy");
    check_policy("@id(\"a\") permit(principal, action, resource) when { };", "Policy");
}

#[test]
fn errors_and_warnings_of_the_validator_are_refused() {
    for condition in [
        // Errors.
        "context.hots == \"a\"",
        "context.port == \"22\"",
        "context.port like \"2*\"",
        "context.address.isLoopback()",
        "principal.name == \"a\"",
        "resource is Nothing",
        "ip(\"999.0.0.1\") == ip(\"1.1.1.1\")",
        "ip(context.host).isLoopback()",
        "resource == Nothing::\"a\"",
        // Warnings.
        "false",
        "resource is File",
        "context.port == 1 && false",
        "context.host == \"p\u{430}ypal.example\"",
    ] {
        check(&forbid(condition), "Validation");
    }
    for hidden in ["context.host == \"a\u{202e}b\"", "resource == Endpoint::\"\u{202e}a\""] {
        check(&forbid(hidden), "File");
    }
    for policy in [
        "@id(\"a\") permit(principal, action == Action::\"Nothing\", resource);",
        "@id(\"a\") permit(principal, action == Action::\"infrastructure\", resource);",
        "@id(\"a\") permit(principal, action == Action::\"Connect\", resource is File);",
        "@id(\"a\") permit(principal is Owner, action, resource);",
        "@id(\"a\") permit(principal == Owner::\"a\", action, resource);",
        "@id(\"a\") permit(principal in File::\"a\", action, resource);",
    ] {
        check_policy(policy, "Validation");
    }
}

#[test]
fn what_would_exhaust_a_stack_is_refused_before_it_is_parsed() {
    let nest = |open: &str, close: &str, times: usize| {
        let condition = format!("{}context.port == 1{}", open.repeat(times), close.repeat(times));
        // No case: whoever makes one would have to parse the policy.
        forbid(&condition).with_file("cases.json", "[]")
    };
    for times in [800, 20_000] {
        check(&nest("(", ")", times), "TooLarge");
        check(&nest("!(", ")", times), "TooLarge");
        check(&nest("[", "]", times), "TooLarge");
        check(&nest("{a: ", "}", times), "TooLarge");
        check(&nest("if true then (", ") else true", times), "TooLarge");
        check(&nest("if true then true else ", "", times), "TooLarge");
        check(&nest("true && ", "", times), "TooLarge");
        check(&nest("true&&", "", times), "TooLarge");
        check(&nest("false||", "", times), "TooLarge");
        check(&nest("1+", "", times), "TooLarge");
        check(&nest("-", "", times), "TooLarge");
        check(&nest("", ".a", times), "TooLarge");
        check(&nest("", "[\"a\"]", times), "TooLarge");
        check(&nest("", " has a", times), "TooLarge");
        check(&nest("// \"\n(", ")", times), "TooLarge");
        check(&nest("\"\\\"(\" == \"\" && (", ")", times), "TooLarge");
        let many = "@a(\"x\")\n".repeat(times);
        let annotated = format!("{many}@id(\"a\") permit(principal, action, resource);");
        let fate = fate(&Bundle::of(&annotated).with_file("cases.json", "[]"));
        assert_ne!(fate, "loads", "{times} annotations");
    }
    // What only looks deep is not.
    let text = format!("context.host == \"{}\" // {}\n", "(".repeat(800), "[".repeat(800));
    check(&forbid(&text), "loads");
}

#[test]
fn a_schema_that_would_exhaust_a_stack_is_refused() {
    let schema = |open: &str, close: &str, times: usize| {
        let (open, close) = (open.repeat(times), close.repeat(times));
        Bundle::of(PERMIT).with_schema(&format!("\nentity Deep {{ a: {open}Long{close} }};"))
    };
    check(&schema("{ a: ", " }", 20), "loads");
    check(&schema("{ a: ", " }", 800), "TooLarge");
    check(&schema("Set<", ">", 20), "loads");
    check(&schema("Set<", ">", 800), "TooLarge");
    check(&schema("Set<", ">", 20_000), "TooLarge");
}

#[test]
fn comparing_with_the_group_of_tool_calls_is_refused() {
    for policy in [
        "@id(\"a\") forbid(principal, action == Action::\"ToolCall\", resource);",
        "@id(\"a\") forbid(principal, action, resource) when { action == Action::\"ToolCall\" };",
        "@id(\"a\") forbid(principal, action, resource) when { Action::\"ToolCall\" != action };",
        "@id(\"a\") forbid(principal, action, resource) \
         unless { context.now > 1 && action == Action::\"ToolCall\" };",
    ] {
        check_policy(policy, "Policy");
    }
    check_policy(
        "@id(\"a\") forbid(principal, action in Action::\"ToolCall\", resource);",
        "loads",
    );
    check_policy(
        "@id(\"a\") forbid(principal, action, resource) when { action in Action::\"ToolCall\" };",
        "loads",
    );
}

// --- polarity ------------------------------------------------------------------------------------

#[test]
fn more_history_never_allows_more_and_more_approvals_never_less() {
    let check = |effect: &str, condition: &str, expected: &str| {
        let policy = format!(
            "@id(\"a\") {effect}(principal, action == Action::\"Connect\", resource) {condition};"
        );
        check_policy(&policy, expected);
    };
    for (effect, condition) in [
        // Permits that grow with labels or counters.
        ("permit", "when { context.labels.contains(\"vetted\") }"),
        ("permit", "when { !context.labels.isEmpty() }"),
        ("permit", "unless { context.labels.isEmpty() }"),
        ("permit", "when { context.counters.actions > 3 }"),
        ("permit", "unless { 3 >= context.counters.denials }"),
        ("permit", "when { context.counters.distinct_targets >= context.port }"),
        // Forbids that shrink with them.
        ("forbid", "unless { context.labels.containsAny([\"a\", \"b\"]) }"),
        ("forbid", "when { context.counters.actions < 3 }"),
        ("forbid", "when { [\"a\"].containsAll(context.labels) }"),
        // Forbids that grow with approvals, permits that shrink.
        ("forbid", "when { context.approvals.contains(\"sre\") }"),
        ("forbid", "unless { context.approvals.isEmpty() }"),
        ("forbid", "unless { !context.approvals.contains(\"sre\") }"),
        ("permit", "unless { context.approvals.contains(\"sre\") }"),
        ("permit", "when { [\"sre\"].containsAll(context.approvals) }"),
        // Denied under all roles, allowed under one.
        (
            "forbid",
            "unless { context.approvals.contains(\"sre\") && !context.approvals.contains(\"security\") }",
        ),
        (
            "forbid",
            "when { context.approvals.contains(\"sre\") == context.approvals.contains(\"security\") }",
        ),
        // Forms that are not understood.
        ("forbid", "when { context has approvals }"),
        ("forbid", "when { context has labels && context.port == 1 }"),
        ("forbid", "when { context has counters.actions }"),
        ("forbid", "when { context == context }"),
        ("forbid", "when { [context].contains(context) }"),
        ("forbid", "when { {a: context}.a.labels.contains(\"x\") }"),
        ("forbid", "when { (if context.port == 1 then context else context).port == 1 }"),
        ("forbid", "when { context.labels == context.labels }"),
        ("forbid", "when { context.labels == context.approvals }"),
        ("forbid", "when { context.labels.contains(context.host) }"),
        ("forbid", "when { context.labels.containsAll(context.approvals) }"),
        ("forbid", "when { [context.labels].contains([\"a\"]) }"),
        ("forbid", "when { context[\"approvals\"].contains(\"sre\") }"),
        ("forbid", "when { context.counters.actions == 3 }"),
        ("forbid", "when { context.counters.actions > context.counters.denials }"),
        ("forbid", "when { context.counters == context.counters }"),
        ("forbid", "when { context.labels.contains(\"a\") == (context.port == 1) }"),
        ("forbid", "when { if context.labels.contains(\"a\") then true else context.port == 1 }"),
        ("forbid", "when { (if context.labels.contains(\"a\") then 1 else 2) == 1 }"),
        ("forbid", "when { [context.labels.contains(\"a\")].contains(true) }"),
        // An error that a label could mask.
        ("permit", "when { context.labels.isEmpty() && context.port + 1 > 0 }"),
        ("forbid", "when { context.labels.contains(\"a\") || context.now * 2 > 0 }"),
        ("forbid", "when { context.counters.actions + 1 > 3 }"),
        ("forbid", "when { -context.port < 0 } unless { context.approvals.contains(\"sre\") }"),
    ] {
        check(effect, condition, "Polarity");
    }
    for (effect, condition) in [
        ("forbid", "when { context.labels.contains(\"secret\") }"),
        ("forbid", "when { context[\"labels\"].containsAny([\"secret\"]) }"),
        ("forbid", "when { if context.port == 1 then context.labels.contains(\"a\") else false }"),
        ("forbid", "when { context.counters.denials >= 3 }"),
        ("permit", "when { context.counters.actions < context.port }"),
        ("permit", "when { context.labels.isEmpty() }"),
        ("permit", "when { context.approvals.containsAny([\"sre\", \"security\"]) }"),
        ("forbid", "unless { context.approvals.containsAll([\"sre\", \"security\"]) }"),
    ] {
        check(effect, condition, "loads");
    }
}

// --- the schema and what is registered ---------------------------------------------------------------

#[test]
fn the_vocabulary_stands_unchanged() {
    let changed = |from: &str, to: &str| {
        assert!(BASE_SCHEMA.contains(from), "{from}");
        Bundle::of(PERMIT).with_file("schema.cedarschema", BASE_SCHEMA.replacen(from, to, 1))
    };
    check(&changed("zone: String", "zone?: String"), "Schema");
    check(&changed("labels: Set<String>", "labels?: Set<String>"), "Schema");
    check(&changed("entity Owner;", "entity Owner { name: String };"), "Schema");
    check(&changed("entity Agent in [AgentClass, Owner, TrustDomain];", "entity Agent;"), "Schema");
    check(
        &changed("action \"Pay\" in [\"application\"]", "action \"Pay\" in [\"data\"]"),
        "Schema",
    );
    check(&changed("resource: Account", "resource: [Account, File]"), "Schema");
    check(&changed("actions: Long,", "actions: Long, more: Long,"), "Schema");
    check(&Bundle::of(PERMIT).with_file("schema.cedarschema", "entity Agent;"), "Schema");
    check(&Bundle::of(PERMIT).with_file("schema.cedarschema", ""), "Schema");
    check(&Bundle::of(PERMIT).with_schema("\nentity Agent;"), "Schema");
    check(&Bundle::of(PERMIT).with_schema("\nentity Team {"), "Schema");
    check(&Bundle::of(PERMIT).with_schema("\nentity Team in [Nothing];"), "Schema");
    check(&Bundle::of(PERMIT).with_schema("\nentity Team in [Org]; entity Org;"), "loads");
}

#[test]
fn shipped_bundles_hold_the_vocabulary_to_the_byte() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let schema = entry.unwrap().path().join("schema.cedarschema");
        assert_eq!(std::fs::read_to_string(&schema).unwrap(), BASE_SCHEMA, "{}", schema.display());
        count += 1;
    }
    assert!(count > 0);
}

const SAME: &str = "\naction \"Rotate\" in [\"infrastructure\"] appliesTo { principal: Agent, \
    resource: Resource, context: { now: Long, task: String, purpose: String, environment: String, \
    provenance: String, reversibility: String, labels: Set<String>, approvals: Set<String>, \
    counters: Counters, recent: Set<String>, depth: Long, acting_through: Set<String>, \
    tier: String, age: Long } };";

#[test]
fn a_registered_action_is_declared_as_it_is_or_not_at_all() {
    let bundle = || Bundle::of(PERMIT).with_action::<Host>();
    check(&bundle(), "loads");
    check(&bundle().with_schema(SAME), "loads");
    check(&bundle().with_schema(&SAME.replace("age: Long", "age: String")), "Schema");
    check(&bundle().with_schema(&SAME.replace("age: Long", "age?: Long")), "Schema");
    check(&bundle().with_schema(&SAME.replace(", age: Long", "")), "Schema");
    check(&bundle().with_schema(&SAME.replace("resource: Resource", "resource: File")), "Schema");
    check(&bundle().with_schema(&SAME.replace("infrastructure", "data")), "Schema");
    check(&bundle().with_schema("\naction \"Rotate\";"), "Schema");
}

#[test]
fn a_registered_tool_is_declared_as_it_is_or_not_at_all() {
    let same = SAME
        .replace(
            "\"Rotate\" in [\"infrastructure\"]",
            "\"tool:srv/t\" in [\"ToolCall\", \"application\"]",
        )
        .replace("resource: Resource", "resource: Tool")
        .replace("age: Long", "server: String, tool: String, input: { a?: Long }");
    let bundle = || Bundle::of(PERMIT).with_tool("t", r#"{"a": {"type": "integer"}}"#, "[]");
    check(&bundle().with_schema(&same), "loads");
    check(&bundle().with_schema(&same.replace("a?: Long", "a: Long")), "Schema");
    check(&bundle().with_schema(&same.replace("a?: Long", "a?: String")), "Schema");
    // A tool outside of the groups that policies forbid by.
    check(
        &bundle().with_schema(&same.replace("[\"ToolCall\", \"application\"]", "[\"data\"]")),
        "Schema",
    );
}

macro_rules! host_action {
    ($type:ident, $kind:literal, $facts:expr) => {
        struct $type;
        impl HostAction for $type {
            const SPEC: ActionSpec = ActionSpec {
                kind: $kind,
                domain: Domain::Data,
                reversibility: Reversibility::Reversible,
                facts: $facts,
            };
        }
    };
}

host_action!(BuiltIn, "Connect", &[]);
host_action!(Group, "data", &[]);
host_action!(Injected, "X\" in [\"data\"]; action \"Y", &[]);
host_action!(Reserved, "Reserved", &[("approvals", FactType::TextSet)]);
host_action!(Twice, "Twice", &[("a", FactType::Long), ("a", FactType::Text)]);

#[test]
fn a_kind_of_action_has_a_name_and_facts_of_its_own() {
    check(&Bundle::of(PERMIT).with_action::<BuiltIn>(), "Schema");
    check(&Bundle::of(PERMIT).with_action::<Group>(), "Schema");
    check(&Bundle::of(PERMIT).with_action::<Injected>(), "Schema");
    check(&Bundle::of(PERMIT).with_action::<Reserved>(), "Schema");
    check(&Bundle::of(PERMIT).with_action::<Twice>(), "Schema");
}

// --- entities ------------------------------------------------------------------------------------

const TEAMS: &str = "\nentity Org; entity Team in [Team, Org] { level: Long, lead?: Team, \
    near?: { team: Team }, all?: Set<Team>, org?: Org, net?: ipaddr } tags Team;";

fn team(id: &str, attributes: &str, parents: &str) -> String {
    format!(
        r#"{{"uid": {{"type": "Team", "id": "{id}"}}, "attrs": {{"level": 1{attributes}}}, "parents": [{parents}]}}"#
    )
}

#[test]
fn every_reference_among_entities_resolves() {
    let absent = r#"{"type": "Team", "id": "absent"}"#;
    let entity = r#"{"__entity": {"type": "Team", "id": "absent"}}"#;
    let bundle = |json: String| Bundle::of(PERMIT).with_schema(TEAMS).with_entities(&json);
    let own = team("a", "", "");
    check(&bundle(format!("[{own}]")), "loads");
    check(&bundle(format!("[{}]", team("a", "", absent))), "Entities");
    check(&bundle(format!("[{}]", team("a", &format!(r#", "lead": {entity}"#), ""))), "Entities");
    check(&bundle(format!("[{}]", team("a", &format!(r#", "lead": {absent}"#), ""))), "Entities");
    check(
        &bundle(format!("[{}]", team("a", &format!(r#", "near": {{"team": {entity}}}"#), ""))),
        "Entities",
    );
    check(&bundle(format!("[{}]", team("a", &format!(r#", "all": [{entity}]"#), ""))), "Entities");
    let tagged = own.replace(r#""parents""#, &format!(r#""tags": {{"t": {entity}}}, "parents""#));
    check(&bundle(format!("[{tagged}]")), "Entities");
    // A parent of a parent.
    let chain = team("a", "", r#"{"type": "Team", "id": "b"}"#);
    check(&bundle(format!("[{chain}, {}]", team("b", "", absent))), "Entities");
    check(&bundle(format!("[{chain}, {}]", team("b", "", ""))), "loads");
    // A type without attributes, tags and parents may be absent.
    let org = r#", "org": {"__entity": {"type": "Org", "id": "top"}}"#;
    check(&bundle(format!("[{}]", team("a", org, r#"{"type": "Org", "id": "top"}"#))), "loads");
}

#[test]
fn entities_are_read_strictly() {
    let bundle = |json: &str| Bundle::of(PERMIT).with_schema(TEAMS).with_entities(json);
    let net = |value: &str| format!("[{}]", team("a", &format!(r#", "net": {value}"#), ""));
    check(&bundle(&net(r#"{"__extn": {"fn": "ip", "arg": "10.0.0.1"}}"#)), "loads");
    for json in [
        // Extension calls that would leave a residual.
        net(r#"{"__extn": {"fn": "unknown", "arg": "x"}}"#),
        net(r#"{"__extn": {"f\u006e": "unknown", "arg": "x"}}"#),
        net(r#"{"__extn": {"fn": "unknown", "args": ["x"]}}"#),
        net(r#"{"fn": "unknown", "arg": "x"}"#),
        net(r#"{"__extn": {"fn": "error", "arg": "x"}}"#),
        net(r#"{"__expr": "unknown(\"x\")"}"#),
        net(r#"{"__extn": {"fn": "ip", "arg": "10.0.0.999"}}"#),
        // Form.
        "{}".into(),
        "[".into(),
        format!("[{}]]", team("a", "", "")),
        format!("[{}, {}]", team("a", "", ""), team("a", r#", "level": 2"#, "")),
        format!("[{}]", team("a", r#", "level": 2"#, "")),
        format!("[{}]", team("a", r#", "leve\u006c": 2"#, "")),
        format!("[{}]", team("a", r#", "other": 2"#, "")),
        format!("[{}]", team("a", "", "").replace(r#""level": 1"#, "")),
        format!("[{}]", team("a", "", "").replace("Team", "Nothing")),
        format!("[{}]", team("a", "", r#"{"type": "Team", "id": "a"}"#)),
        format!("{}{}", "[".repeat(3000), "]".repeat(3000)),
        net(&format!("{}{}", "[".repeat(17), "]".repeat(17))),
        // What comes from the session.
        r#"[{"uid": {"type": "Agent", "id": "a"}, "attrs": {}, "parents": []}]"#.into(),
        r#"[{"uid": {"type": "AgentClass", "id": "a"}, "attrs": {}, "parents": []}]"#.into(),
        r#"[{"uid": {"type": "Owner", "id": "a"}, "attrs": {}, "parents": []}]"#.into(),
        r#"[{"uid": {"type": "TrustDomain", "id": "a"}, "attrs": {}, "parents": []}]"#.into(),
        // Actions have the groups that the schema gives them.
        r#"[{"uid": {"type": "Action", "id": "Connect"}, "attrs": {}, "parents": []}]"#.into(),
    ] {
        check(&bundle(&json), "Entities");
    }
}

#[test]
fn entities_of_the_bundle_cannot_soften_a_registered_tool() {
    let tool = |attributes: &str| {
        let json = format!(
            r#"[{{"uid": {{"type": "Tool", "id": "srv/t"}}, "attrs": {{{attributes}}},
                "parents": [{{"type": "Server", "id": "srv"}}]}}]"#
        );
        Bundle::of(PERMIT).with_tool("t", "{}", "[]").with_entities(&json)
    };
    check(&tool(r#""read_only": true, "destructive": false, "open_world": false"#), "Entities");
}

#[test]
fn a_literal_that_is_looked_into_is_in_the_store() {
    let bundle = |condition: &str| forbid(condition).with_schema(TEAMS);
    let with =
        |condition: &str| bundle(condition).with_entities(&format!("[{}]", team("a", "", "")));
    for condition in [
        "Team::\"a\".level > 0",
        "Team::\"a\" has lead",
        "Team::\"a\" in Org::\"top\"",
        "Team::\"a\" in [Org::\"top\"]",
        "Team::\"a\".hasTag(\"t\")",
    ] {
        check(&bundle(condition), "Entities");
        check(&with(condition), "loads");
    }
    // The other side of `in` and of `==` is a name only.
    check(&bundle("Team::\"a\" == Team::\"b\" || context.port == 1"), "loads");
}

// --- cases ---------------------------------------------------------------------------------------

#[test]
fn a_bundle_passes_its_own_cases_or_is_refused() {
    let bundle = Bundle::of(PERMIT);
    let case = String::from_utf8(bundle.files()["cases.json"].clone()).unwrap();
    let cases = |text: &str| bundle.clone().with_file("cases.json", text);
    let change = |from: &str, to: &str| {
        assert!(case.contains(from), "{from} in {case}");
        cases(&case.replace(from, to))
    };
    check(&bundle, "loads");
    // There is none.
    check(&cases("[]"), "Cases");
    check(
        &cases(r#"[{"uid": {"type": "Server", "id": "s"}, "attrs": {}, "parents": []}]"#),
        "Cases",
    );
    // It comes out otherwise.
    check(&change(r#""allow""#, r#""deny""#), "Case");
    check(&change(r#""reason": []"#, r#""reason": ["other"]"#), "Case");
    check(&change(r#""reason": []"#, r#""reason": ["policy0"]"#), "Case");
    check(&change(r#""num_errors": 0"#, r#""num_errors": 1"#), "Case");
    check(&bundle.clone().with_file("cases/more.json", case.replace("allow", "deny")), "Case");
    // It does not parse, strictly.
    check(&cases(""), "Cases");
    check(&cases("{}"), "Cases");
    check(&cases(&format!("{case} x")), "Cases");
    check(&change(r#""num_errors": 0"#, r#""num_errors": 0, "num_errors": 0"#), "Cases");
    check(&change(r#""num_errors": 0"#, r#""num_errors": 0, "extra": 0"#), "Cases");
    check(&change(r#", "num_errors": 0"#, ""), "Cases");
    check(&change(r#""now": 1"#, r#""now": 1, "now": 2"#), "Cases");
    check(&change(r#""now": 1"#, r#""now": 1, "n\u006fw": 2"#), "Cases");
    check(&change(r#""now": 1"#, r#""now": "1""#), "Cases");
    check(&change(r#""now": 1"#, r#""now": 1.5"#), "Cases");
    check(&change(r#""now": 1"#, r#""now": {"__extn": {"fn": "unknown", "arg": "x"}}"#), "Cases");
    check(&change(r#""now": 1, "#, ""), "Cases");
    check(&change(r#""now": 1"#, r#""now": 1, "other": 1"#), "Cases");
    check(&change("Workflow::", "File::"), "Cases");
    check(&change("Workflow::", "Work flow::"), "Cases");
    check(&change("TriggerWorkflow", "Nothing"), "Cases");
    check(&change(r#""entities": []"#, r#""entities": "manifest.json""#), "Cases");
    check(&change(r#""entities": []"#, r#""entities": "cases-absent.json""#), "File");
    check(&change(r#""entities": []"#, r#""entities": "../cases.json""#), "File");
    let deep = format!(r#""entities": {}{}"#, "[".repeat(30), "]".repeat(30));
    check(&change(r#""entities": []"#, &deep), "Cases");
    let deep = format!(r#""now": {}1{}"#, "{\"a\":".repeat(5000), "}".repeat(5000));
    check(&change(r#""now": 1"#, &deep), "Cases");
}

#[test]
fn a_case_that_expects_allow_beside_an_error_is_refused() {
    // The engine leaves the forbid out and allows; the authorizer would deny.
    let policies = format!(
        "{PERMIT} @id(\"broken\") forbid(principal, action, resource) \
         when {{ context.now + 9223372036854775807 > 0 }};"
    );
    let bundle = Bundle::of(&policies);
    let case = String::from_utf8(bundle.files()["cases.json"].clone()).unwrap();
    assert!(case.contains("\"allow\"") && case.contains("\"num_errors\": 1"), "{case}");
    check(&bundle, "Case");
    let denies = policies.replace(
        "permit(principal, action, resource)",
        "permit(principal, action == Action::\"Pay\", resource)",
    );
    let bundle = Bundle::of(&denies);
    assert_eq!(fate(&bundle), "loads", "a deny beside an error is what is enforced");
}

// --- the baseline bundle ------------------------------------------------------------------------------

#[test]
fn the_baseline_is_a_start_for_a_team() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/baseline");
    let policies = std::fs::read_to_string(folder.join("policies.cedar")).unwrap();
    let policies: PolicySet = policies.parse().unwrap();
    assert!(policies.policies().count() >= 20);
    let cases = std::fs::read_to_string(folder.join("cases.json")).unwrap();
    let cases: serde_json::Value = serde_json::from_str(&cases).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 80);

    let (schema, _) = Schema::from_cedarschema_str(BASE_SCHEMA).unwrap();
    let actions = Entities::from_entities([], Some(&schema)).unwrap();
    let is_in = |action: &EntityUid, group: &EntityUid| {
        action == group
            || actions.ancestors(action).is_some_and(|mut all| all.any(|of| of == group))
    };
    for policy in policies.policies().filter(|policy| policy.effect() == Effect::Forbid) {
        let id = policy.annotation("id").unwrap();
        let covers = |action: &EntityUid| match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(of) => *action == of,
            ActionConstraint::In(of) => of.iter().any(|group| is_in(action, group)),
        };
        let denied = cases.iter().any(|case| {
            let reasons = case["reason"].as_array().unwrap();
            case["decision"] == "deny" && reasons.iter().any(|reason| reason == id)
        });
        assert!(denied, "no case is denied by {id}");
        let near = cases.iter().any(|case| {
            let action = case["request"]["action"].as_str().unwrap().parse().unwrap();
            case["decision"] == "allow" && covers(&action)
        });
        // What is forbidden whatever it is has no allow of its own kind.
        assert!(near || !policy.has_non_scope_constraint(), "no case near {id} is allowed");
    }
}

#[test]
fn tools_of_the_host_go_with_the_baseline() {
    let mut tools = ToolManifest::new();
    let listing = br#"{"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}"#;
    tools.add_listing("srv", ServerTrust::Trusted, listing).unwrap();
    let plain = Authored::baseline().validate().unwrap().digest();
    let with = Authored::baseline().with_tools(tools).with_action::<Host>().load().unwrap();
    assert_ne!(with.digest(), plain);
    assert_eq!(with.snapshot().tools().iter().len(), 1);
}
