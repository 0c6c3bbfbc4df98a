use super::*;
use crate::action::path::PurePaths;

fn compile(raw: &str) -> Pattern {
    Pattern::compile(raw, Separator::Slash).unwrap()
}

fn list(patterns: &[&str]) -> Grants {
    let workspace = resolve_absolute(&PurePaths::new(), "/srv/web").unwrap();
    let paths = PurePaths::new();
    let place = Place::new(&paths, "/srv/web", &workspace);
    let mut builder = GrantsBuilder::default();
    for (index, raw) in (0..).zip(patterns) {
        builder.push_file(index, raw, place).unwrap();
    }
    builder.finish()
}

fn covers(patterns: &[&str], path: &str) -> bool {
    list(patterns).covers(path.strip_prefix('/').unwrap()).is_some()
}

fn covers_subtree(patterns: &[&str], path: &str) -> bool {
    list(patterns).covers_subtree(path.strip_prefix('/').unwrap()).is_some()
}

#[test]
fn one_star_stays_inside_a_segment_and_two_cross() {
    let check = |pattern: &str, name: &str, expected: bool| {
        assert_eq!(compile(pattern).matches(name), expected, "{pattern} {name}");
    };
    check("a/b", "a/b", true);
    check("a/b", "a/b/c", false);
    check("a/b", "A/b", false);
    check("*", "a", true);
    check("*", "a/b", false);
    check("a/*", "a", false);
    check("a/*", "a/b", true);
    check("a/*", "a/b/c", false);
    check("a/**", "a", true);
    check("a/**", "a/b/c", true);
    check("a/**", "ab", false);
    check("a/**/z", "a/z", true);
    check("a/**/z", "a/b/c/z", true);
    check("a/**/z", "a/b/c", false);
    check("**", "a/b/c", true);
    check("**/*.rs", "src/a/b.rs", true);
    check("**/*.rs", "b.rs", true);
    check("**/*.rs", "b.rs/x", false);
    check("**/a/**/b", "x/a/y/a/b", true);
    check("**/a/*/b", "a/x/a/y/b", true);
    check("**/**/a", "x/a", true);
    check("x*y*z", "xyz", true);
    check("x*y*z", "xayybz", true);
    check("x*y*z", "xz", false);
    check("x*y", "xy/y", false);
    check("a?", "a?", true);
    check("a?", "ab", false);
    check("[ab]", "a", false);
    check("{a,b}", "a", false);
    check("é*", "éa", true);
    check("*é", "aé", true);
    check("*.tar", "a.tar.tar", true);
}

#[test]
fn other_separators_divide_other_names() {
    let check = |pattern: &str, separator, name: &str, expected: bool| {
        let pattern = Pattern::compile(pattern, separator).unwrap();
        assert_eq!(pattern.matches(name), expected, "{pattern:?} {name}");
    };
    check("crm.*", Separator::Dot, "crm.orders", true);
    check("crm.*", Separator::Dot, "crm.a.orders", false);
    check("crm.**", Separator::Dot, "crm.a.orders", true);
    check("*@example.org", Separator::At, "dana@example.org", true);
    check("*@example.org", Separator::At, "evil@evil.com@example.org", false);
    check("*", Separator::None, "a/b:c", true);
    check("gpu*", Separator::None, "gpu:a100", true);
}

#[test]
fn what_is_no_pattern_is_refused() {
    let check = |raw: &str, expected: PatternError| {
        assert_eq!(Pattern::compile(raw, Separator::Slash), Err(expected), "{raw:?}");
    };
    check("", PatternError::Empty);
    check("a//b", PatternError::EmptySegment);
    check("/a", PatternError::EmptySegment);
    check("a/", PatternError::EmptySegment);
    check("a/../b", PatternError::DotSegment);
    check("./a", PatternError::DotSegment);
    check("a**", PatternError::DoubleStar);
    check("a/***", PatternError::DoubleStar);
    check("a\n", PatternError::Invisible);
    check("a/b\nc", PatternError::Invisible);
    check("a\u{202e}b", PatternError::Invisible);
    check("a\u{200b}b", PatternError::Invisible);
    check(" a", PatternError::Invisible);
    check(&"x".repeat(MAX_PATTERN_BYTES + 1), PatternError::TooLong);
    assert!(Pattern::compile(&"x".repeat(MAX_PATTERN_BYTES), Separator::Slash).is_ok());

    let workspace = ResolvedPath::root();
    let paths = PurePaths::new();
    let place = Place::new(&paths, "/", &workspace);
    let check = |raw: &str, expected: PatternError| {
        assert_eq!(place.compile(raw), Err(expected), "{raw:?}");
    };
    check("srv/web", PatternError::Relative);
    check("*", PatternError::Relative);
    check("~/x", PatternError::Tilde);
    check("/srv/../etc", PatternError::DotSegment);
    check("/srv//web", PatternError::EmptySegment);
    check("/srv/web/", PatternError::EmptySegment);
}

#[test]
fn file_patterns_cover_files() {
    assert!(covers(&["/srv/web/**"], "/srv/web"));
    assert!(covers(&["/srv/web/**"], "/srv/web/a/.b"));
    assert!(!covers(&["/srv/web/**"], "/srv/web2"));
    assert!(!covers(&["/srv/web/**"], "/srv"));
    assert!(!covers(&["/srv/web/**"], "/"));
    assert!(covers(&["/**"], "/"));
    assert!(covers(&["/"], "/"));
    assert!(!covers(&["/"], "/a"));
    assert!(!covers(&["/*"], "/"));
    assert!(covers(&["/a", "/b"], "/b"));
    assert!(!covers(&[], "/b"));
    assert!(covers(&["/*/x"], "/a/x"));
}

#[test]
fn subtraction_takes_the_name_and_all_below() {
    let web = &["/srv/web/**", "!/srv/web/.git/hooks/**", "!/srv/web/.git/config"];
    assert!(covers(web, "/srv/web/.git/HEAD"));
    assert!(!covers(web, "/srv/web/.git/config"));
    assert!(!covers(web, "/srv/web/.git/config/x"));
    assert!(!covers(web, "/srv/web/.git/hooks"));
    assert!(!covers(web, "/srv/web/.git/hooks/pre-commit"));
    assert!(!covers(&["!/a", "/a"], "/a"));
    assert!(!covers(&["/a/**", "!/a/*"], "/a/b/c"));
    assert!(covers(&["/a/**", "!/a/**/*.key"], "/a/b"));
    assert!(!covers(&["/a/**", "!/a/**/*.key"], "/a/b/c.key"));
    assert!(!covers(&["/a/**", "!/**"], "/a/b"));
    assert!(!covers(&["/a/**", "!/"], "/a/b"));
}

#[test]
fn a_subtree_must_be_covered_as_a_whole() {
    let web = &["/srv/web/**", "!/srv/web/.git/config"];
    assert!(covers_subtree(web, "/srv/web/src"));
    assert!(!covers_subtree(web, "/srv/web"));
    assert!(!covers_subtree(web, "/srv/web/.git"));
    assert!(!covers_subtree(web, "/srv/web/.git/config"));
    assert!(!covers_subtree(web, "/srv/web/.git/config/x"));
    assert!(covers_subtree(web, "/srv/web/.git/objects"));
    assert!(!covers_subtree(&["/a/*"], "/a/b"));
    assert!(!covers_subtree(&["/a"], "/a"));
    assert!(covers_subtree(&["/a/*/**"], "/a/b"));
    assert!(!covers_subtree(&["/a/*/**"], "/a"));
    assert!(covers_subtree(&["/a/**/b/**"], "/a/x/b/c"));
    assert!(!covers_subtree(&["/a/**/b/**"], "/a/x"));
    assert!(!covers_subtree(&["/a/**", "!/a/**/*.key"], "/a/b"));
    assert!(!covers_subtree(&["/a/**", "!/a/*/x"], "/a/b"));
    assert!(covers_subtree(&["/a/**", "!/a/c/x"], "/a/b"));
}

#[test]
fn names_that_climb_are_never_covered() {
    let mut builder = GrantsBuilder::default();
    builder.push(0, "bucket/**", Separator::Slash).unwrap();
    let grants = builder.finish();
    assert!(grants.covers("bucket/a").is_some());
    for name in ["bucket/../x", "bucket/./x", "bucket//x", "bucket/", "/bucket", "bucket/.."] {
        assert!(grants.covers(name).is_none(), "{name}");
        assert!(grants.covers_subtree(name).is_none(), "{name}");
    }
}

#[test]
fn the_head_is_resolved() {
    let paths = PurePaths::new()
        .with_link("/home/dana/web", "/srv/web")
        .with_link("/srv/web/out", "/etc")
        .with_link("/srv/web/in", "/srv/web/src")
        .with_link("/srv/web/loop", "/srv/web/loop");
    let workspace = resolve_absolute(&paths, "/home/dana/web").unwrap();
    let place = Place::new(&paths, "/home/dana/web", &workspace);
    let check = |raw: &str, path: &str, expected: bool| {
        let mut builder = GrantsBuilder::default();
        builder.push_file(0, raw, place).unwrap();
        let found = builder.finish().covers(path.strip_prefix('/').unwrap());
        assert_eq!(found.is_some(), expected, "{raw} {path}");
    };
    check("/home/dana/web/**", "/srv/web/src/main.rs", true);
    check("/home/dana/web/**", "/home/dana/web/src", false);
    check("/home/dana/web/in/**", "/srv/web/src/main.rs", true);
    check("/home/*/web", "/home/dana/web", true);
    let leaves = |raw: &str| matches!(place.compile(raw), Err(PatternError::LeavesWorkspace(_)));
    assert!(leaves("/home/dana/web/out/**"));
    assert!(leaves("/srv/web/out/**"));
    assert!(leaves("/srv/web/out/passwd"));
    assert!(!leaves("/srv/web/o*/**"));
    assert!(matches!(place.compile("/srv/web/loop/**"), Err(PatternError::Path(_))));
    assert!(matches!(
        GrantsBuilder::default().push_file(0, "!/srv/web/loop/**", place),
        Err(PatternError::Path(_))
    ));

    let mut builder = GrantsBuilder::default();
    builder.push_file(0, "/srv/web/**", place).unwrap();
    builder.push_file(1, "/etc/**", place).unwrap();
    builder.push_file(2, "!/srv/web/out", place).unwrap();
    let grants = builder.finish();
    assert!(grants.covers("srv/web/out").is_none(), "the link itself");
    assert!(grants.covers("etc/passwd").is_none(), "where it leads");
    assert!(grants.covers("srv/web/src").is_some());
}

/// A matcher that is plainly right: dynamic programming over segments and characters.
fn naive(pattern: &str, name: &str, separator: char) -> bool {
    fn glob(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
            Some((c, rest)) => text.first() == Some(c) && glob(rest, &text[1..]),
        }
    }
    fn walk(pattern: &[&str], text: &[&str]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((&"**", rest)) => (0..=text.len()).any(|skip| walk(rest, &text[skip..])),
            Some((part, rest)) => text.split_first().is_some_and(|(segment, tail)| {
                let part: Vec<char> = part.chars().collect();
                let segment: Vec<char> = segment.chars().collect();
                glob(&part, &segment) && walk(rest, tail)
            }),
        }
    }
    let pattern: Vec<&str> = pattern.split(separator).collect();
    let text: Vec<&str> = name.split(separator).collect();
    walk(&pattern, &text)
}

proptest::proptest! {
    #[test]
    fn matching_agrees_with_a_plain_model(
        pattern in proptest::collection::vec("\\*\\*|[ab*]{1,4}", 1..6),
        name in proptest::collection::vec("[ab]{1,4}", 1..7),
    ) {
        let (pattern, name) = (pattern.join("/"), name.join("/"));
        if let Ok(compiled) = Pattern::compile(&pattern, Separator::Slash) {
            proptest::prop_assert_eq!(compiled.matches(name.as_str()), naive(&pattern, &name, '/'));
        }
    }

    #[test]
    fn a_covered_subtree_is_covered_everywhere(
        includes in proptest::collection::vec("(/(\\*\\*|[ab]\\*?|\\*)){1,4}", 1..3),
        excludes in proptest::collection::vec("!(/(\\*\\*|[ab]\\*?|\\*)){1,4}", 0..3),
        top in proptest::collection::vec("[ab]", 0..3),
        below in proptest::collection::vec("[abc]", 0..4),
    ) {
        let patterns: Vec<&str> = includes.iter().chain(&excludes).map(String::as_str).collect();
        let grants = list(&patterns);
        let top = top.join("/");
        if grants.covers_subtree(top.as_str()).is_some() {
            let below = below.join("/");
            let name = [top.as_str(), below.as_str()].join("/");
            let name = name.trim_matches('/');
            proptest::prop_assert!(grants.covers(name).is_some(), "{patterns:?} {top} {name}");
        }
    }

    #[test]
    fn a_subtraction_never_adds(
        includes in proptest::collection::vec("(/(\\*\\*|[ab]\\*?|\\*)){1,4}", 1..4),
        exclude in "!(/(\\*\\*|[ab]\\*?|\\*)){1,4}",
        name in proptest::collection::vec("[ab]{1,2}", 0..5),
    ) {
        let mut patterns: Vec<&str> = includes.iter().map(String::as_str).collect();
        let wide = list(&patterns);
        patterns.push(&exclude);
        let narrow = list(&patterns);
        let name = name.join("/");
        proptest::prop_assert!(narrow.covers(name.as_str()) <= wide.covers(name.as_str()));
        proptest::prop_assert!(narrow.covers_subtree(name.as_str()) <= wide.covers_subtree(name.as_str()));
    }
}

#[test]
fn steps_stay_within_pattern_times_name() {
    let check = |pattern: &str, name: &str| {
        let compiled = compile(pattern);
        let mut steps = 0_usize;
        compiled.matches_counted(name.into(), &mut || steps += 1);
        let bound = 4 * (pattern.len() + 1) * (name.len() + 1);
        assert!(steps <= bound, "{steps} > {bound} for {pattern} on {} bytes", name.len());
    };
    for length in [1, 10, 100, 500] {
        let name = "a/".repeat(length) + "b";
        check(&("**/a/".repeat(20) + "c"), &name);
        check(&("**/a*/".repeat(20) + "c"), &name);
        check(&("**/*/".repeat(20) + "c"), &name);
        check(&("*a".repeat(50) + "c"), &"a".repeat(length));
        check(&("**/".to_owned() + &"*a".repeat(50) + "c"), &"a".repeat(length));
        check(&("**/".repeat(30) + "*a*a*a*b/**/c"), &name);
        check(&("**/".to_owned() + &"a".repeat(100)), &("a".repeat(99) + "/").repeat(length));
    }
}

#[test]
fn two_texts_match_as_one_name() {
    let check = |pattern: &str, first: &str, second: &str, expected: bool| {
        let found = compile(pattern).matches(Name::pair(first, second));
        assert_eq!(found, expected, "{pattern} {first} {second}");
    };
    check("queue/job", "queue", "job", true);
    check("queue/job", "queue", "job2", false);
    check("queue/*", "queue", "job", true);
    check("queue/*", "queue", "a/b", false);
    check("queue/**", "queue", "a/b", true);
    check("queue/**", "queue2", "a", false);
    check("**", "queue", "job", true);
    check("a/b/c", "a/b", "c", true);
    let mut builder = GrantsBuilder::default();
    builder.push(0, "queue/**", Separator::Slash).unwrap();
    builder.push(1, "!queue/secret", Separator::Slash).unwrap();
    let grants = builder.finish();
    assert_eq!(grants.covers(Name::pair("queue", "a")), Some(0));
    for name in ["secret", "secret/x", "", "..", "a//b", "../x"] {
        assert_eq!(grants.covers(Name::pair("queue", name)), None, "{name}");
    }
    assert_eq!(grants.covers(Name::pair("", "queue")), None);
}
