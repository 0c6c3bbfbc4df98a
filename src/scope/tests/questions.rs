use std::collections::BTreeSet;

use super::*;

const NOW: &str = "2026-11-21T09:30:00Z";

fn codes(scope: &Scope) -> BTreeSet<&'static str> {
    let now = Timestamp::parse_rfc3339(NOW).unwrap();
    lint(scope, now).iter().map(Warning::code).collect()
}

/// Checks that the sections raise this question, and that the plain document does not.
fn check(sections: &str, code: &str) {
    let found = codes(&parse(sections));
    assert!(found.contains(code), "{code} not in {found:?} for {sections}");
}

fn check_silent(sections: &str, code: &str) {
    let found = codes(&parse(sections));
    assert!(!found.contains(code), "{code} in {found:?} for {sections}");
}

#[test]
fn a_careful_scope_raises_no_question() {
    let careful = r#""do": {"programs": ["git", "cargo"],
            "tools": [{"server": "tracker", "name": "create_ticket", "args": {"title": {"max_len": 200}}}],
            "apis": ["GET https://api.example.org/v1/**"], "messages": ["email:*@example.org"]},
        "touch": {"read": ["/srv/web/**"], "write": ["/srv/web/src/**", "/tmp/build/**"], "delete": ["/srv/web/target/**"],
                  "memory": {"read": ["task/*"], "write": ["task/*"]}},
        "reach": {"connect": ["git.example.org:443", "api.example.org:443"], "listen": ["127.0.0.1:8080"], "packages": ["cargo:serde"]},
        "run": {"models": ["*"]}"#;
    assert_eq!(codes(&parse(careful)), BTreeSet::new());
    assert_eq!(codes(&parse("")), BTreeSet::new());
}

#[test]
fn time_is_questioned() {
    let check = |from: &str, to: &str, code: &str| {
        let text = document("").replace(from, to);
        let found = codes(&Scope::parse(text.as_bytes()).unwrap());
        assert!(found.contains(code), "{code} not in {found:?}");
    };
    check("T11:00:00Z", "T09:30:00Z", "lint.expired");
    check("2026-11-21T11", "2026-11-23T11", "lint.long_lifetime");
    check("\"not_before\": \"2026-11-21T09:00:00Z\",", "", "lint.no_beginning");
    check("\"/srv/web\"", "\"/\"", "lint.wide_workspace");
}

#[test]
fn programs_and_tools_are_questioned() {
    check(r#""do": {"opaque": "allow"}"#, "lint.opaque_default");
    check(r#""do": {"programs": [{"name": "protoc", "opaque": "allow"}]}"#, "lint.opaque_program");
    check(r#""do": {"programs": ["bash"]}"#, "lint.interpreter");
    check(r#""do": {"programs": ["/usr/bin/python3.11"]}"#, "lint.interpreter");
    check(
        r#""do": {"workspace_code": true}, "touch": {"write": ["/srv/web/src/**"]}"#,
        "lint.workspace_code_and_write",
    );
    check_silent(r#""do": {"workspace_code": true}"#, "lint.workspace_code_and_write");
    check(r#""do": {"tools": [{"name": "t", "other_args": "allow"}]}"#, "lint.other_args");
    check(
        r#""do": {"actions": [{"kind": "K", "target": "a", "other_args": "allow"}]}"#,
        "lint.other_args",
    );
    check(r#""do": {"tools": [{"name": "**"}]}"#, "lint.any_tool");
    check(r#""do": {"tools": [{"name": "t"}]}"#, "lint.any_server");
    check(r#""do": {"tools": [{"name": "t", "args": {"a": {"any": true}}}]}"#, "lint.any_argument");
}

#[test]
fn services_are_questioned() {
    check(r#""do": {"apis": ["* https://api.example.org/**"]}"#, "lint.any_api");
    check(r#""do": {"apis": ["GET https://*/v1"]}"#, "lint.any_host");
    check(r#""do": {"apis": ["GET http://api.example.org/v1"]}"#, "lint.plain_text");
    let api = r#""do": {"apis": ["GET https://api.example.org/v1"]}"#;
    check(api, "lint.api_out_of_reach");
    check(
        &format!(r#"{api}, "reach": {{"connect": ["api.example.org:80"]}}"#),
        "lint.api_out_of_reach",
    );
    check_silent(
        &format!(r#"{api}, "reach": {{"connect": ["api.example.org:443"]}}"#),
        "lint.api_out_of_reach",
    );
    check(r#""do": {"messages": ["slack:*"]}"#, "lint.any_recipient");
    check(r#""do": {"messages": ["email:*@*"]}"#, "lint.any_recipient");
    check(
        r#""do": {"messages": ["email:*@example.org", "!email:ceo@example.org"]}"#,
        "lint.fragile_subtraction",
    );
    check(r#""do": {"workflows": ["**"]}"#, "lint.any_workflow");
    check(
        r#""do": {"payments": [{"to": "**", "currency": "EUR", "max": "1"}]}"#,
        "lint.any_account",
    );
    check(
        r#""do": {"payments": [{"to": "a", "currency": "EUR", "max": "1"}]}"#,
        "lint.no_spend_limit",
    );
    check(
        r#""do": {"payments": [{"to": "a", "currency": "EUR", "max": "2"}]}, "limits": {"spend": {"EUR": "1"}}"#,
        "lint.payment_above_limit",
    );
    check(r#""do": {"publish": [{"place": "npm", "name": "a", "public": true}]}"#, "lint.public");
    check(r#""do": {"publish": ["npm:**"]}"#, "lint.any_publication");
    check(r#""do": {"spawn": ["spiffe://example.org"]}"#, "lint.spawn_domain");
    check(r#""do": {"remote_shells": ["198.51.100.7:22"]}"#, "lint.remote_shell");
}

#[test]
fn data_is_questioned() {
    for pattern in ["/", "/**", "/*", "/*/x"] {
        check(&format!(r#""touch": {{"write": ["{pattern}"]}}"#), "lint.whole_disk");
        check(&format!(r#""touch": {{"delete": ["{pattern}"]}}"#), "lint.whole_disk");
    }
    check(r#""touch": {"read": ["/**"]}"#, "lint.read_whole_disk");
    check(r#""touch": {"read": ["/home/**"]}"#, "lint.credentials");
    check(r#""touch": {"write": ["/home/**"]}"#, "lint.home");
    check(r#""touch": {"write": ["/home/dana/**"]}"#, "lint.home");
    check(r#""touch": {"delete": ["/root/**"]}"#, "lint.home");
    check(r#""touch": {"write": ["/etc/**"]}"#, "lint.system_directory");
    check_silent(r#""touch": {"write": ["/dev/null"]}"#, "lint.system_directory");
    check(r#""touch": {"write": ["/srv/other/**"]}"#, "lint.outside_workspace");
    check_silent(r#""touch": {"write": ["/dev/null"]}"#, "lint.outside_workspace");
    check(r#""touch": {"write": ["/srv/web/**"]}"#, "lint.git_hooks");
    check(r#""touch": {"write": ["/srv/web/**"]}"#, "lint.git_config");
    check_silent(
        r#""touch": {"write": ["/srv/web/**", "!/srv/web/.git/hooks/**"]}"#,
        "lint.git_hooks",
    );
    check_silent(
        r#""touch": {"write": ["/srv/web/**", "!/srv/web/.git/config"]}"#,
        "lint.git_config",
    );
    check(r#""touch": {"write": ["/srv/web/**"]}"#, "lint.automation");
    check(r#""touch": {"delete": ["/srv/web/**"]}"#, "lint.delete_workspace");
    check(r#""touch": {"read": ["table:**"]}"#, "lint.all_data");
    check(r#""touch": {"export": [{"from": "/srv/web/a", "to": "**"}]}"#, "lint.any_destination");
    check(r#""touch": {"memory": {"write": ["**"]}}"#, "lint.any_memory");
    check(r#""touch": {"secrets": ["**"]}"#, "lint.any_secret");
    check(
        r#""touch": {"secrets": ["ci/token"]}, "reach": {"connect": ["git.example.org:443"]}"#,
        "lint.secrets_and_network",
    );
    check_silent(r#""touch": {"secrets": ["ci/token"]}"#, "lint.secrets_and_network");
    check(r#""touch": {"read": ["/srv/web/{a,b}"]}"#, "lint.not_a_wildcard");
}

#[test]
fn the_network_is_questioned() {
    let check = |pattern: &str, code: &str| {
        check(&format!(r#""reach": {{"connect": ["{pattern}"]}}"#), code);
    };
    check("*:443", "lint.any_host");
    check("git.example.org:*", "lint.any_port");
    check("169.254.169.254:80", "lint.metadata");
    check("169.254.0.0/16:80", "lint.metadata");
    check("metadata.google.internal:80", "lint.metadata");
    check("*:80", "lint.metadata");
    check("127.0.0.1:80", "lint.loopback");
    check("localhost:80", "lint.loopback");
    check("127.0.0.0/8:80", "lint.loopback");
    check("10.0.8.0/24:5432", "lint.private_network");
    check("0.0.0.0/1:443", "lint.private_network");
    check("93.0.0.0/8:443", "lint.wide_network");
    check("[2a00::/16]:443", "lint.wide_network");
    check("*.org:443", "lint.wide_suffix");
    let check = |sections: &str, code: &str| super::questions::check(sections, code);
    check(r#""reach": {"listen": ["0.0.0.0:80"]}"#, "lint.listen_everywhere");
    check(r#""reach": {"listen": ["[::]:80"]}"#, "lint.listen_everywhere");
    check(r#""reach": {"listen": ["*:80"]}"#, "lint.listen_everywhere");
    check(
        r#""reach": {"tunnel": [{"direction": "reverse", "to": "b:22", "exposes": "x:1"}]}"#,
        "lint.tunnel",
    );
    check(
        r#""reach": {"tunnel": [{"direction": "forward", "to": "b:22"}]}"#,
        "lint.tunnel_exposes",
    );
    check(r#""reach": {"packages": ["npm:**"]}"#, "lint.any_package");
}

#[test]
fn rights_workloads_and_limits_are_questioned() {
    check(r#""reach": {"privilege": ["sudo"]}"#, "lint.privilege");
    check(r#""reach": {"privilege": ["*"]}"#, "lint.privilege");
    check(r#""reach": {"identity": ["**"]}"#, "lint.any_identity");
    check(r#""reach": {"infrastructure": ["aws:delete:instance/a"]}"#, "lint.destroy");
    check(r#""reach": {"infrastructure": ["aws:*:instance/a"]}"#, "lint.destroy");
    check(r#""reach": {"infrastructure": ["aws:update:**"]}"#, "lint.any_infrastructure");
    check(r#""run": {"jobs": ["**"]}"#, "lint.any_job");
    check(r#""run": {"training": ["**"]}"#, "lint.any_training");
    check(r#""run": {"accelerators": ["gpu"]}"#, "lint.no_accelerator_time");
    check(r#""run": {"accelerator_seconds": 360001}"#, "lint.much_accelerator");
    check(r#""limits": {"actions": 10001}"#, "lint.many_actions");
    check(r#""limits": {"per_minute": 601}"#, "lint.fast");
    check(r#""limits": {"denials": 51}"#, "lint.many_denials");
    check(r#""limits": {"distinct_targets": 1001}"#, "lint.many_targets");
    check(r#""limits": {"egress_bytes": 1073741825}"#, "lint.much_egress");
    check(r#""limits": {"spend": {"EUR": "10000.01"}}"#, "lint.much_money");
    check(r#""limits": {"delegation_depth": 1}"#, "lint.delegation");
}

#[test]
fn every_question_has_a_test() {
    let source = include_str!("../lint.rs");
    let tests = include_str!("questions.rs");
    let known: BTreeSet<&str> =
        source.split('"').filter(|text| text.starts_with("lint.")).collect();
    assert!(known.len() >= 20);
    for code in known.iter().filter(|code| **code != "lint.unchecked") {
        assert!(tests.contains(&format!("\"{code}\"")), "{code} has no test");
    }
}

#[test]
fn a_question_reads_as_a_sentence() {
    let now = Timestamp::parse_rfc3339(NOW).unwrap();
    let found = lint(&parse(r#""reach": {"connect": ["*:443"]}"#), now);
    assert_eq!(found[0].to_string(), "`reach.connect[0]`: any host is meant (lint.any_host)");
    assert_eq!((found[0].field(), found[0].sentence()), ("reach.connect[0]", "any host is meant"));
}
