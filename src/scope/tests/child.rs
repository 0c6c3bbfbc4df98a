use super::*;

fn found(parent: &str, child: &str) -> Vec<String> {
    let found = lint_child(&parse(parent), &parse(child));
    found.iter().map(|warning| format!("{} {}", warning.code(), warning.field())).collect()
}

#[track_caller]
fn check(parent: &str, child: &str, expected: &[&str]) {
    assert_eq!(found(parent, child), expected, "{child} under {parent}");
}

/// Checks one list with one element on either side.
#[track_caller]
fn pair(field: &str, parent: &str, child: &str, within: bool) {
    let (section, field) = field.split_once('.').unwrap();
    let write = |element: &str| match field.split_once('.') {
        None => format!(r#""{section}": {{"{field}": [{element}]}}"#),
        Some((one, two)) => format!(r#""{section}": {{"{one}": {{"{two}": [{element}]}}}}"#),
    };
    let expected = format!("lint.wider {section}.{field}[0]");
    let expected: &[&str] = if within { &[] } else { &[&expected] };
    check(&write(parent), &write(child), expected);
}

fn quoted(field: &str, parent: &str, child: &str, within: bool) {
    pair(field, &format!("\"{parent}\""), &format!("\"{child}\""), within);
}

#[test]
fn a_scope_is_within_itself() {
    assert_eq!(lint_child(&full(), &full()), []);
    check("", "", &[]);
}

#[test]
fn patterns_are_compared_segment_by_segment() {
    let check = |parent: &str, child: &str, within: bool| {
        quoted("touch.read", parent, child, within);
    };
    check("/srv/**", "/srv/web/**", true);
    check("/srv/**", "/srv", true);
    check("/srv/**", "/**", false);
    check("/srv/**", "/srv2/**", false);
    check("/srv/web", "/srv/web", true);
    check("/srv/web", "/srv/web/**", false);
    check("/srv/*", "/srv/web", true);
    check("/srv/*", "/srv/*", true);
    check("/srv/*", "/srv/w*", true);
    check("/srv/w*", "/srv/*", false);
    check("/srv/w*b", "/srv/we*b", true);
    check("/srv/w*b", "/srv/we*", false);
    check("/srv/*", "/srv/**", false);
    check("/srv/*", "/srv/web/x", false);
    check("/srv/**", "/srv/*/x/**", true);
    check("/**/x", "/a/**/x", true);
    check("/**/x", "/a/b/x", true);
    check("/**/x", "/a/b/x/y", false);
    check("/a/**/b/**", "/a/x/b/b/**", true);
    check("/a/**/b/**", "/a/x/**", false);
    check("/**", "/", true);
    check("/srv/web/**", "table:crm.orders", false);
    check("table:crm.*", "table:crm.orders", true);
    check("table:crm.*", "table:hr.people", false);
    check("object:bucket/**", "object:bucket/a", true);
    check("object:bucket/**", "table:bucket", false);
    quoted("run.models", "*", "large", true);
    quoted("run.models", "*", "lab/large", false);
    quoted("run.models", "**", "lab/large", true);
    quoted("touch.secrets", "ci/*", "ci/token", true);
    quoted("touch.memory.read", "task/*", "**", false);
    quoted("do.workflows", "ci/*", "deploy/all", false);
    quoted("reach.privilege", "cap_net_*", "CAP_NET_RAW", true);
    quoted("run.jobs", "batch/eval-*", "batch/*", false);
    quoted("reach.packages", "npm:@web/*", "npm:@web/x", true);
    quoted("reach.packages", "npm:@web/*", "cargo:@web/x", false);
    quoted("do.messages", "email:*@example.org", "email:dana@example.org", true);
    quoted("do.messages", "email:*@example.org", "email:*@*.example.org", false);
    quoted("do.messages", "email:**", "email:*@example.org", true);
    quoted("reach.infrastructure", "aws:*:instance/*", "aws:update:instance/web-*", true);
    quoted("reach.infrastructure", "aws:update:instance/*", "aws:delete:instance/a", false);
    quoted("do.spawn", "spiffe://example.org/a", "spiffe://example.org/a/1", true);
    quoted("do.spawn", "spiffe://example.org/a/1", "spiffe://example.org/a", false);
}

#[test]
fn what_would_take_long_to_prove_is_asked_about() {
    let one = format!("**/{}b", "a/".repeat(250));
    let other = format!("{}b", "a/".repeat(500));
    quoted("run.models", &one, &other, false);
    quoted("run.models", "**/a/b", &other, true);
}

#[test]
fn hosts_are_compared_by_what_they_mean() {
    let check = |parent: &str, child: &str, within: bool| {
        quoted("reach.connect", parent, child, within);
    };
    check("git.example.org:443", "git.example.org:443", true);
    check("git.example.org:443", "GIT.example.org:443", true);
    check("git.example.org:443", "git.example.org:22", false);
    check("git.example.org:*", "git.example.org:22", true);
    check("git.example.org:1-100", "git.example.org:22,80", true);
    check("git.example.org:1-100", "git.example.org:22,443", false);
    check("git.example.org:1-100", "git.example.org:*", false);
    check("*.example.org:443", "git.example.org:443", true);
    check("*.example.org:443", "*.sub.example.org:443", true);
    check("*.sub.example.org:443", "*.example.org:443", false);
    check("*.example.org:443", "example.org:443", false);
    check("*.example.org:443", "*.badexample.org:443", false);
    check("10.0.0.0/8:443", "10.1.0.0/16:443", true);
    check("10.0.0.0/8:443", "10.1.2.3:443", true);
    check("10.1.0.0/16:443", "10.0.0.0/8:443", false);
    check("10.0.0.0/8:443", "a.example:443", false);
    check("*:443", "*.example.org:443", true);
    // A name that leads there is granted by an address alone, which `*` is not.
    check("*:443", "10.0.0.0/8:443", false);
    check("*.example.org:443", "*:443", false);
    let check = |parent: &str, child: &str, within: bool| quoted("do.apis", parent, child, within);
    check("GET https://a.example/v1/**", "GET https://a.example:443/v1/x", true);
    check("* https://a.example/v1/**", "POST https://a.example/v1/x", true);
    check("GET https://a.example/v1/**", "* https://a.example/v1/x", false);
    check("GET https://a.example/v1/**", "GET http://a.example/v1/x", false);
    check("GET https://a.example/v1/**", "GET https://a.example/v2/x", false);
    check("GET https://a.example/v1/x", "GET https://a.example/v1/x/", false);
}

#[test]
fn what_the_parent_subtracts_the_child_subtracts_too() {
    let parent =
        r#""touch": {"write": ["/srv/web/**", "!/srv/web/.git/config", "!/srv/web/.env"]}"#;
    let lost = ["lint.lost_subtraction touch.write"];
    check(parent, r#""touch": {"write": ["/srv/web/**"]}"#, &lost);
    check(parent, r#""touch": {"write": ["/srv/web/**", "!/srv/web/.env"]}"#, &lost);
    check(
        parent,
        r#""touch": {"write": ["/srv/web/**", "!/srv/web/.env", "!/srv/web/.git/config"]}"#,
        &[],
    );
    check(parent, r#""touch": {"write": ["/srv/web/src/**"]}"#, &[]);
    check(parent, r#""touch": {"write": ["/srv/web/.git/**"]}"#, &lost);
    // The directory of what is subtracted cannot be written itself.
    check(parent, r#""touch": {"write": ["/srv/web/.git"]}"#, &lost);
    check(parent, "", &[]);
    let connect = r#""reach": {"connect": ["*.example.org:443", "!evil.example.org:*"]}"#;
    check(
        connect,
        r#""reach": {"connect": ["git.example.org:443"]}"#,
        &["lint.lost_subtraction reach.connect"],
    );
    check(connect, r#""reach": {"connect": ["git.example.org:443", "!evil.example.org:*"]}"#, &[]);
    let export =
        r#""touch": {"export": [{"from": "/srv/**", "to": "a"}, {"from": "!/srv/b", "to": "*"}]}"#;
    check(
        export,
        r#""touch": {"export": [{"from": "/srv/**", "to": "a"}]}"#,
        &["lint.lost_subtraction touch.export"],
    );
    check(
        export,
        r#""touch": {"export": [{"from": "!/srv/b", "to": "*"}, {"from": "/srv/a/**", "to": "a"}]}"#,
        &[],
    );
    check(
        export,
        r#""touch": {"export": [{"from": "!/srv/b", "to": "*"}, {"from": "/srv/a", "to": "b"}]}"#,
        &["lint.wider touch.export[1]"],
    );
}

#[test]
fn elements_are_within_one_element() {
    let tools = |parent: &str, child: &str, within: bool| pair("do.tools", parent, child, within);
    tools(r#"{"name": "*"}"#, r#"{"name": "a"}"#, true);
    tools(r#"{"name": "a"}"#, r#"{"server": "s", "name": "a"}"#, true);
    tools(r#"{"server": "s", "name": "a"}"#, r#"{"name": "a"}"#, false);
    tools(r#"{"name": "a"}"#, r#"{"name": "a", "other_args": "allow"}"#, false);
    tools(
        r#"{"name": "a", "other_args": "allow"}"#,
        r#"{"name": "a", "args": {"x": {"any": true}}}"#,
        true,
    );
    tools(r#"{"name": "a"}"#, r#"{"name": "a", "args": {"x": {"any": true}}}"#, false);
    let with = |constraint: &str| format!(r#"{{"name": "a", "args": {{"x": {constraint}}}}}"#);
    let args = |parent: &str, child: &str, within: bool| tools(&with(parent), &with(child), within);
    args(r#"{"any": true}"#, r#"{"max_len": 3}"#, true);
    args(r#"{"max_len": 3}"#, r#"{"any": true}"#, false);
    args(r#"{"max_len": 3}"#, r#"{"max_len": 3}"#, true);
    args(r#"{"max_len": 3}"#, r#"{"max_len": 4}"#, false);
    args(r#"{"max_len": 3}"#, r#"{"max_len": 3, "optional": true}"#, false);
    args(r#"{"max_len": 3, "optional": true}"#, r#"{"max_len": 3}"#, true);
    args(r#"{"one_of": ["a", "b"]}"#, r#"{"equals": "a"}"#, true);
    args(r#"{"equals": "a"}"#, r#"{"one_of": ["a", "b"]}"#, false);
    args(r#"{"range": {"min": 1, "max": 5}}"#, r#"{"range": {"min": 2, "max": 5}}"#, true);
    args(r#"{"range": {"min": 1, "max": 5}}"#, r#"{"range": {"min": 2}}"#, false);
    args(r#"{"range": {"min": 1}}"#, r#"{"range": {"min": 0, "max": 5}}"#, false);
    args(r#"{"glob": "web-*"}"#, r#"{"glob": "web-a"}"#, true);
    args(r#"{"glob": ["web-*", "!web-b"]}"#, r#"{"glob": "web-*"}"#, false);
    args(r#"{"each": {"max_len": 3}}"#, r#"{"each": {"max_len": 2}}"#, true);
    args(r#"{"each": {"max_len": 3}}"#, r#"{"each": {"max_len": 4}}"#, false);
    args(r#"{"path": "/srv/**"}"#, r#"{"path": "/srv/web/**"}"#, true);
    args(r#"{"host": "a.example:443"}"#, r#"{"host": "b.example:443"}"#, false);
    tools(&with(r#"{"max_len": 3, "optional": true}"#), r#"{"name": "a"}"#, true);
    tools(&with(r#"{"max_len": 3}"#), r#"{"name": "a"}"#, false);
    let payments = |parent: &str, child: &str, within| pair("do.payments", parent, child, within);
    let pay = r#"{"to": "a*", "currency": "EUR", "max": "5"}"#;
    payments(pay, r#"{"to": "ab", "currency": "eur", "max": "5.00"}"#, true);
    payments(pay, r#"{"to": "ab", "currency": "EUR", "max": "5.01"}"#, false);
    payments(pay, r#"{"to": "ab", "currency": "USD", "max": "1"}"#, false);
    payments(pay, r#"{"to": "b", "currency": "EUR", "max": "1"}"#, false);
    pair("do.publish", r#""npm:@web/*""#, r#""npm:@web/a""#, true);
    pair(
        "do.publish",
        r#""npm:@web/*""#,
        r#"{"place": "npm", "name": "@web/a", "public": true}"#,
        false,
    );
    let tunnels = |parent: &str, child: &str, within| pair("reach.tunnel", parent, child, within);
    let forward = r#"{"direction": "forward", "to": "*.example.org:22"}"#;
    tunnels(
        forward,
        r#"{"direction": "forward", "to": "a.example.org:22", "exposes": "x:1"}"#,
        true,
    );
    tunnels(forward, r#"{"direction": "reverse", "to": "a.example.org:22"}"#, false);
    tunnels(
        r#"{"direction": "forward", "to": "a:22", "exposes": "x:1"}"#,
        r#"{"direction": "forward", "to": "a:22"}"#,
        false,
    );
    let kinds = |parent: &str, child: &str, within| pair("do.actions", parent, child, within);
    kinds(
        r#"{"kind": "RotateKey", "target": "keys/*"}"#,
        r#"{"kind": "RotateKey", "target": "keys/a"}"#,
        true,
    );
    kinds(
        r#"{"kind": "RotateKey", "target": "keys/*"}"#,
        r#"{"kind": "DropKey", "target": "keys/a"}"#,
        false,
    );
}

#[test]
fn programs_and_workspace_code_are_compared() {
    let programs = |parent: &str, child: &str, within| pair("do.programs", parent, child, within);
    programs("\"git\"", "\"git\"", true);
    programs("\"git\"", "\"cargo\"", false);
    programs("\"git\"", r#"{"name": "git", "opaque": "allow"}"#, false);
    programs(r#"{"name": "git", "opaque": "allow"}"#, "\"git\"", true);
    let code = ["lint.wider do.workspace_code"];
    let on = r#""do": {"workspace_code": true}"#;
    check(on, on, &[]);
    check("", on, &code);
    check(on, "", &[]);
    check(on, r#""do": {"workspace_code": true, "opaque": "allow"}"#, &code);
    let elsewhere = Scope::parse(document(on).replace("/srv/web", "/srv").as_bytes()).unwrap();
    assert_eq!(lint_child(&parse(on), &elsewhere).len(), 1);
    assert_eq!(lint_child(&elsewhere, &parse(on)), []);
}

#[test]
fn limits_and_life_are_compared() {
    let limit = |text: &str| format!(r#""limits": {{{text}}}"#);
    check(&limit("\"actions\": 5"), &limit("\"actions\": 5"), &[]);
    check(&limit("\"actions\": 5"), "", &["lint.more limits.actions"]);
    check(&limit("\"denials\": 5"), &limit("\"denials\": 6"), &["lint.more limits.denials"]);
    check("", &limit("\"per_minute\": 61"), &["lint.more limits.per_minute"]);
    check("", &limit("\"distinct_targets\": 21"), &["lint.more limits.distinct_targets"]);
    check("", &limit("\"egress_bytes\": 1"), &["lint.more limits.egress_bytes"]);
    let both = ["lint.more limits.delegation_depth", "lint.more limits.delegates"];
    check("", &limit("\"delegation_depth\": 1"), &both);
    let spend = |amount: &str| limit(&format!("\"spend\": {{\"EUR\": \"{amount}\"}}"));
    check(&spend("5"), &spend("5.00"), &[]);
    check(&spend("5"), &spend("5.01"), &["lint.more limits.spend.EUR"]);
    check("", &spend("0"), &[]);
    check("", &spend("1"), &["lint.more limits.spend.EUR"]);
    let seconds = r#""run": {"accelerator_seconds": 1}"#;
    check("", seconds, &["lint.wider run.accelerators[0]", "lint.more run.accelerator_seconds"]);
    let parent = parse("");
    let longer = document("").replace("T11:", "T12:").replace("T09:", "T08:");
    let longer = Scope::parse(longer.as_bytes()).unwrap();
    let codes: Vec<&str> = lint_child(&parent, &longer).iter().map(Warning::code).collect();
    assert_eq!(codes, ["lint.longer", "lint.longer"]);
    assert_eq!(lint_child(&longer, &parent), []);
}
