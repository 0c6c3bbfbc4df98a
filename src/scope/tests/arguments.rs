use super::*;

/// Checks one argument named `a` against one constraint.
fn check(constraint: &str, argument: &str, expected: bool) {
    let sections =
        format!(r#""do": {{"tools": [{{"name": "t", "args": {{"a": {constraint}}}}}]}}"#);
    let paths = PurePaths::new()
        .with_link("/srv/web/out", "/etc")
        .with_link("/srv/web/loop", "/srv/web/loop");
    let scope = compile(&sections);
    let found = scope.check(&tool("t", &format!("{{\"a\": {argument}}}")), &paths);
    assert_eq!(found.is_ok(), expected, "{constraint} {argument}");
}

fn bad(constraint: &str, code: &str) {
    let sections =
        format!(r#""do": {{"tools": [{{"name": "t", "args": {{"a": {constraint}}}}}]}}"#);
    let error = Scope::parse(document(&sections).as_bytes()).expect_err(constraint);
    assert_eq!(error.code(), code, "{error} for {constraint}");
}

#[test]
fn values_are_compared_exactly() {
    check(r#"{"equals": 1}"#, "1.0", true);
    check(r#"{"equals": 1}"#, "1e0", true);
    check(r#"{"equals": 1}"#, "\"1\"", false);
    check(r#"{"equals": 0.1}"#, "0.1000000000000000000000000000000001", false);
    check(r#"{"equals": 9007199254740993}"#, "9007199254740992", false);
    check(r#"{"equals": null}"#, "null", true);
    check(r#"{"equals": null}"#, "false", false);
    check(r#"{"equals": {"x": [1, true]}}"#, r#"{"x": [1, true]}"#, true);
    check(r#"{"equals": {"x": [1, true]}}"#, r#"{"x": [true, 1]}"#, false);
    check(r#"{"one_of": ["WEB", 7]}"#, "7", true);
    check(r#"{"one_of": ["WEB", 7]}"#, "\"web\"", false);
    check(r#"{"one_of": []}"#, "1", false);
    check(r#"{"any": true}"#, r#"{"x": []}"#, true);
    check(r#"{"range": {"min": 0, "max": 0.3}}"#, "0.3", true);
    check(r#"{"range": {"min": 0, "max": 0.3}}"#, "0.30000000000000001", false);
    check(r#"{"range": {"min": 0}}"#, "-0", true);
    check(r#"{"range": {"min": 0}}"#, "-1e-300", false);
    check(r#"{"range": {"min": 0}}"#, "\"5\"", false);
    check(r#"{"range": {"max": 5}}"#, "null", false);
}

#[test]
fn texts_are_matched_as_a_whole() {
    check(r#"{"glob": "WEB-*"}"#, "\"WEB-12\"", true);
    check(r#"{"glob": "WEB-*"}"#, "\"xWEB-12\"", false);
    check(r#"{"glob": "git *"}"#, "\"git status\"", true);
    check(r#"{"glob": "git *"}"#, r#""git status\nrm -rf .""#, false);
    check(r#"{"glob": "**"}"#, r#""a\u0000b""#, false);
    check(r#"{"glob": "**"}"#, r#""a\u202eb""#, false);
    check(r#"{"glob": "*"}"#, "\"a/b\"", false);
    check(r#"{"glob": "**"}"#, "\"a/b\"", true);
    check(r#"{"glob": "a/**"}"#, "\"a/../b\"", false);
    check(r#"{"glob": "**"}"#, "\"\"", false);
    check(r#"{"glob": ["a*", "!ab"]}"#, "\"ac\"", true);
    check(r#"{"glob": ["a*", "!ab"]}"#, "\"ab\"", false);
    check(r#"{"glob": "*"}"#, "7", false);
    check(r#"{"max_len": 3}"#, "\"äöü\"", true);
    check(r#"{"max_len": 3}"#, "\"äöüx\"", false);
    check(r#"{"max_len": 0}"#, "\"\"", true);
    check(r#"{"max_len": 3}"#, "[1]", false);
    check(r#"{"max_len": 3, "glob": "a*"}"#, "\"abcd\"", false);
    check(r#"{"max_len": 3, "glob": "a*"}"#, "\"abc\"", true);
    check(r#"{"each": {"max_len": 1}}"#, r#"["a", "b"]"#, true);
    check(r#"{"each": {"max_len": 1}}"#, r#"["a", "bc"]"#, false);
    check(r#"{"each": {"max_len": 1}}"#, "[]", true);
    check(r#"{"each": {"max_len": 1}}"#, "\"a\"", false);
    check(r#"{"each": {"each": {"range": {"max": 1}}}}"#, "[[1], []]", true);
    check(r#"{"each": {"each": {"range": {"max": 1}}}}"#, "[[1], 1]", false);
}

#[test]
fn typed_constraints_read_their_type() {
    check(r#"{"path": "/srv/web/**"}"#, "\"/srv/web/a\"", true);
    check(r#"{"path": "/srv/web/**"}"#, "\"src/a\"", true);
    check(r#"{"path": "/srv/web/**"}"#, "\"src/../../x\"", false);
    check(r#"{"path": "/srv/web/**"}"#, "\"out/passwd\"", false);
    check(r#"{"path": "/srv/web/**"}"#, "\"loop/a\"", false);
    check(r#"{"path": "/srv/web/**"}"#, "\"\"", false);
    check(r#"{"path": "/srv/web/**"}"#, r#""a\nb""#, false);
    check(r#"{"path": "/srv/web/**"}"#, "1", false);
    check(r#"{"path": ["/srv/web/**", "!/srv/web/.git/**"]}"#, "\".git/config\"", false);
    check(r#"{"host": "*.example.org:443"}"#, "\"a.example.org:443\"", true);
    check(r#"{"host": "*.example.org:443"}"#, "\"a.example.org:80\"", false);
    check(r#"{"host": "*.example.org:443"}"#, "\"a.example.org\"", false);
    check(r#"{"host": "*.example.org:*"}"#, "\"A.Example.ORG.\"", true);
    check(r#"{"host": "10.0.0.0/8:*"}"#, "\"0x0a.1\"", true);
    check(r#"{"host": "10.0.0.0/8:*"}"#, "\"::ffff:10.0.0.1\"", true);
    check(r#"{"host": "10.0.0.0/8:*"}"#, "\"example.org\"", false);
    check(r#"{"host": ["*:*", "!10.0.0.0/8:*"]}"#, "\"10.0.0.1:80\"", false);
    check(r#"{"host": ["*:*", "!10.0.0.0/8:*"]}"#, "\"10.0.0.1\"", false);
    check(r#"{"host": ["*:*", "!10.0.0.0/8:*"]}"#, "\"11.0.0.1\"", true);
    check(r#"{"host": "*:*"}"#, "\"a b\"", false);
    check(r#"{"host": "*:*"}"#, "443", false);
    check(
        r#"{"url": "https://docs.example.org/v1/**"}"#,
        "\"https://docs.example.org/v1/a?q=1\"",
        true,
    );
    check(
        r#"{"url": "https://docs.example.org/v1/**"}"#,
        "\"HTTPS://DOCS.example.org:443/v1/a\"",
        true,
    );
    check(
        r#"{"url": "https://docs.example.org/v1/**"}"#,
        "\"http://docs.example.org/v1/a\"",
        false,
    );
    check(
        r#"{"url": "https://docs.example.org/v1/**"}"#,
        "\"https://docs.example.org/v1/../v2\"",
        false,
    );
    check(
        r#"{"url": "https://docs.example.org/v1/**"}"#,
        "\"https://docs.example.org/v1/%2e%2e/v2\"",
        false,
    );
    check(
        r#"{"url": "https://docs.example.org/**"}"#,
        "\"https://docs.example.org@evil.org/v1\"",
        false,
    );
    check(
        r#"{"url": "https://docs.example.org/**"}"#,
        "\"https://evil.org\\\\@docs.example.org/v1\"",
        false,
    );
    check(
        r#"{"url": "https://docs.example.org/**"}"#,
        "\"https://docs.example.org.evil.org/v1\"",
        false,
    );
    check(r#"{"url": "https://docs.example.org/**"}"#, "\"javascript:alert(1)\"", false);
    check(r#"{"url": "https://docs.example.org/**"}"#, "\"https://docs.example.org/a\\tb\"", false);
    check(r#"{"email_domain": "example.org"}"#, "\"dana@Example.ORG\"", true);
    check(r#"{"email_domain": "example.org"}"#, "\"dana@sub.example.org\"", false);
    check(
        r#"{"email_domain": ["*.example.org", "example.net"]}"#,
        "\"dana@sub.example.org\"",
        true,
    );
    check(r#"{"email_domain": "example.org"}"#, "\"a@evil.org,b@example.org\"", false);
    check(r#"{"email_domain": "example.org"}"#, "\"evil@evil.org@example.org\"", false);
    check(r#"{"email_domain": "example.org"}"#, "\"Dana <evil@evil.org> dana@example.org\"", false);
    check(r#"{"email_domain": "example.org"}"#, "\"dana@ex%61mple.org\"", false);
    check(r#"{"email_domain": "example.org"}"#, "\"@example.org\"", false);
    check(r#"{"email_domain": "example.org"}"#, "\"example.org\"", false);
    check(r#"{"email_domain": "*"}"#, "\"dana@127.0.0.1\"", false);
}

#[test]
fn arguments_that_are_missing_or_not_named_are_refused() {
    let check = |args: &str, arguments: &str, expected: bool| {
        let scope = compile(&format!(r#""do": {{"tools": [{{"name": "t", {args}}}]}}"#));
        let found = scope.check(&tool("t", arguments), &PurePaths::new());
        assert_eq!(found.is_ok(), expected, "{args} {arguments}");
    };
    let one = r#""args": {"a": {"any": true}}"#;
    check(one, r#"{"a": 1}"#, true);
    check(one, "{}", false);
    check(one, r#"{"a": 1, "b": 2}"#, false);
    let optional = r#""args": {"a": {"max_len": 1, "optional": true}}"#;
    check(optional, "{}", true);
    check(optional, r#"{"a": "x"}"#, true);
    check(optional, r#"{"a": "xx"}"#, false);
    check(optional, r#"{"a": null}"#, false);
    check(optional, r#"{"b": "x"}"#, false);
    let others = r#""args": {"a": {"max_len": 1}}, "other_args": "allow""#;
    check(others, r#"{"a": "x", "b": {}}"#, true);
    check(others, r#"{"b": {}}"#, false);
    check(others, r#"{"a": "xx", "b": {}}"#, false);
    check(r#""other_args": "deny""#, "{}", true);
    check(r#""other_args": "deny""#, r#"{"a": 1}"#, false);
}

#[test]
fn constraints_that_say_nothing_or_two_things_are_refused() {
    bad("{}", "descriptor.constraint");
    bad(r#"{"optional": true}"#, "descriptor.constraint");
    bad(r#"{"any": false}"#, "descriptor.constraint");
    bad(r#"{"any": true, "max_len": 3}"#, "descriptor.constraint");
    bad(r#"{"range": {}}"#, "descriptor.constraint");
    bad(r#"{"range": {"min": 2, "max": 1}}"#, "descriptor.constraint");
    bad(r#"{"each": {"max_len": 1, "optional": true}}"#, "descriptor.constraint");
    bad(
        r#"{"each": {"each": {"each": {"each": {"each": {"any": true}}}}}}"#,
        "descriptor.constraint",
    );
    bad(r#"{"glob": null}"#, "descriptor.json");
    bad(r#"{"max_len": -1}"#, "descriptor.json");
    bad(r#"{"regex": ".*"}"#, "descriptor.json");
    bad(r#"{"glob": "a**"}"#, "descriptor.pattern");
    bad(r#"{"path": "src/**"}"#, "descriptor.pattern");
    bad(r#"{"path": "table:a"}"#, "descriptor.pattern");
    bad(r#"{"host": "example.org"}"#, "descriptor.host");
    bad(r#"{"host": ["*:*", "!10.0.0.0/8:22"]}"#, "descriptor.form");
    bad(r#"{"url": "docs.example.org"}"#, "descriptor.form");
    bad(r#"{"email_domain": "10.0.0.1"}"#, "descriptor.form");
    bad(r#"{"email_domain": "@example.org"}"#, "descriptor.form");
    bad(&format!(r#"{{"one_of": [{}]}}"#, vec!["1"; 65].join(",")), "descriptor.too_many");
}
