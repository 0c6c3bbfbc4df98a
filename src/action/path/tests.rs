use std::fs;

use proptest::prelude::*;

use super::*;

/// Resolves below `/srv/t` and gives the path or the reason code.
fn resolved(resolver: &dyn PathResolver, raw: &str) -> String {
    let base = resolve_absolute(&PurePaths::new(), "/srv/t").unwrap();
    show(resolve(resolver, &base, raw))
}

fn show(result: Result<ResolvedPath, PathError>) -> String {
    match result {
        Ok(path) => path.as_str().to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

fn check(raw: &str, expected: &str) {
    assert_eq!(resolved(&PurePaths::new(), raw), expected, "{raw:?}");
}

#[test]
fn plain_paths_take_their_normal_form() {
    check("/", "/");
    check("//", "/");
    check("/..", "/");
    check("/../../..", "/");
    check(".", "/srv/t");
    check("./", "/srv/t");
    check("..", "/srv");
    check("../../..", "/");
    check("a", "/srv/t/a");
    check("a/", "/srv/t/a");
    check("a//b/./c/", "/srv/t/a/b/c");
    check("a/../b", "/srv/t/b");
    check("/a/b/c", "/a/b/c");
    check("//a///b", "/a/b");
    check("...", "/srv/t/...");
    check("..a", "/srv/t/..a");
    check("~", "/srv/t/~");
    check("a b", "/srv/t/a b");
    check("a\\b", "/srv/t/a\\b");
    check("*", "/srv/t/*");
    check("日本語/é", "/srv/t/日本語/é");
    check("%2e%2e/x", "/srv/t/%2e%2e/x");
}

#[test]
fn traversal_leaves_the_directory_and_says_so() {
    check("/srv/t/../../etc/shadow", "/etc/shadow");
    check("../../etc/shadow", "/etc/shadow");
    check("a/b/../../../../../etc/passwd", "/etc/passwd");
    check("/srv/t/./.././t/../t2/x", "/srv/t2/x");
    check("....//....//etc", "/srv/t/..../..../etc");
}

#[test]
fn case_and_unicode_form_are_kept() {
    check("/Srv/T", "/Srv/T");
    check("/ETC/shadow", "/ETC/shadow");
    check("e\u{301}", "/srv/t/e\u{301}");
    check("\u{e9}", "/srv/t/\u{e9}");
}

#[test]
fn hidden_characters_are_refused() {
    check("", "path.empty");
    check("a\0b", "path.control_character");
    check("a\nb", "path.control_character");
    check("a\rb", "path.control_character");
    check("a\x1b[2Kb", "path.control_character");
    check("a\u{7f}", "path.control_character");
    check("a\u{85}b", "path.control_character");
    check("gpj.\u{202e}exe", "path.invisible_character");
    check("a\u{200b}b", "path.invisible_character");
    check("a\u{a0}b", "path.invisible_character");
    check("a\u{3000}b", "path.invisible_character");
    check("a\u{fe0f}", "path.invisible_character");
    check("a\u{e0061}", "path.invisible_character");
    check("\u{feff}/etc", "path.invisible_character");
    check("\u{3164}", "path.invisible_character");
}

#[test]
fn links_that_differ_by_process_are_refused() {
    for path in [
        "/proc/self/root",
        "/proc/self/root/etc/shadow",
        "/proc/self/cwd/x",
        "/proc/self/exe",
        "/proc/self/fd",
        "/proc/self/fd/3",
        "/proc/self/fdinfo/3",
        "/proc/self/ns/mnt",
        "/proc/self/map_files/0-1",
        "/proc/thread-self/root",
        "/proc/1/root",
        "/proc/1234567/cwd/../x",
        "/proc/self/task/17/root/etc",
        "/proc/12/task/13/fd/0",
        "/proc/thread-self/task/13/exe",
        "/proc/./self//root",
        "/proc/1/../self/root",
        "/srv/../proc/self/root",
        "../../proc/self/root/etc/shadow",
        "/host/proc/1/root/etc/shadow",
        "/dev/fd",
        "/dev/fd/0",
        "/dev/stdin",
        "/dev/./stdout",
        "/dev/x/../stderr",
    ] {
        check(path, "path.magic_link");
    }
    let links = PurePaths::new().with_link("/srv/t/p", "/proc/self").with_link("/srv/t/d", "/dev");
    assert_eq!(resolved(&links, "p/root/etc"), "path.magic_link");
    assert_eq!(resolved(&links, "d/stdin"), "path.magic_link");
}

#[test]
fn names_that_only_look_like_them_pass() {
    for path in [
        "/proc/self/status",
        "/proc/self",
        "/proc/1/environ",
        "/proc/self/task",
        "/proc/self/task/17/status",
        "/proc/root",
        "/proc/x1/root",
        "/self/root",
        "/root/cwd",
        "/dev/fdx",
        "/x/dev/stdin",
        "/dev/shm/stdin",
    ] {
        check(path, path);
    }
}

#[test]
fn the_own_process_keeps_its_name() {
    let proc = PurePaths::new()
        .with_link("/proc/self", "4711")
        .with_link("/proc/thread-self", "4711/task/4712")
        .with_link("/proc/mounts", "self/mounts");
    assert_eq!(resolved(&proc, "/proc/self/status"), "/proc/self/status");
    assert_eq!(resolved(&proc, "/proc/thread-self/stat"), "/proc/thread-self/stat");
    assert_eq!(resolved(&proc, "/proc/mounts"), "/proc/self/mounts");
    assert_eq!(resolved(&proc, "/proc/self/../1/stat"), "/proc/1/stat");
    // Somebody else's link of that name is a link like others.
    let fake = PurePaths::new().with_link("/proc/self", "/etc");
    assert_eq!(resolved(&fake, "/proc/self/shadow"), "/etc/shadow");
    let fake = PurePaths::new().with_link("/srv/t/proc/self", "17");
    assert_eq!(resolved(&fake, "proc/self/x"), "/srv/t/proc/17/x");
}

#[test]
fn links_are_followed_as_the_kernel_does() {
    let links = PurePaths::new()
        .with_link("/srv/t/abs", "/etc")
        .with_link("/srv/t/rel", "../../etc")
        .with_link("/srv/t/up", "..")
        .with_link("/srv/t/deep", "/a/b/c")
        .with_link("/srv/t/chain", "chain2/x")
        .with_link("/srv/t/chain2", "/y/")
        .with_link("/srv/t/file", "/f")
        .with_link("/srv/t/slash", "/f/")
        .with_link("/srv/t/self", "self")
        .with_link("/srv/t/dangling", "nothing/here")
        .with_link("/srv/t/root", "/")
        .with_link("/srv/t/hidden", "a\u{202e}b")
        .with_link("/srv/t/control", "a\nb")
        .with_link("/srv/t/empty", "")
        .with_missing("/srv/t/nothing")
        .with_file("/f");
    let check = |raw: &str, expected: &str| assert_eq!(resolved(&links, raw), expected, "{raw}");
    check("abs", "/etc");
    check("abs/shadow", "/etc/shadow");
    check("abs/../shadow", "/shadow");
    check("rel/shadow", "/etc/shadow");
    check("up/t/a", "/srv/t/a");
    check("deep/../x", "/a/b/x");
    check("deep/../../../../x", "/x");
    check("x/../deep/..", "/a/b");
    check("chain", "/y/x");
    check("chain/../z", "/y/z");
    check("root/etc/shadow", "/etc/shadow");
    check("root", "/");
    check("file", "/f");
    check("file/", "path.not_a_directory");
    check("file/.", "path.not_a_directory");
    check("file/..", "path.not_a_directory");
    check("slash", "path.not_a_directory");
    check("self", "path.too_many_links");
    check("self/x", "path.too_many_links");
    check("dangling", "/srv/t/nothing/here");
    check("dangling/x", "/srv/t/nothing/here/x");
    check("dangling/..", "path.dotdot_after_missing");
    check("hidden", "path.invisible_character");
    check("control/x", "path.control_character");
    check("empty", "path.empty");
}

#[test]
fn the_last_link_stays_where_the_name_itself_is_meant() {
    let links = PurePaths::new()
        .with_link("/srv/t/a", "b")
        .with_link("/srv/t/b", "/etc")
        .with_file("/srv/t/f");
    let base = resolve_absolute(&PurePaths::new(), "/srv/t").unwrap();
    let check = |raw: &str, expected: &str| {
        assert_eq!(show(resolve_nofollow(&links, &base, raw)), expected, "{raw}");
    };
    check("a", "/srv/t/a");
    check("./a", "/srv/t/a");
    check("b", "/srv/t/b");
    check("a/", "/etc");
    check("a/.", "/etc");
    check("a/..", "/");
    check("a/x", "/etc/x");
    check("a/../srv/t/a", "/srv/t/a");
    check("f", "/srv/t/f");
    check("f/", "path.not_a_directory");
    check("/proc/self/fd/1", "path.magic_link");
}

#[test]
fn what_does_not_exist_takes_plain_names_only() {
    let files = PurePaths::new().with_missing("/srv/t/new").with_file("/srv/t/file");
    let check = |raw: &str, expected: &str| assert_eq!(resolved(&files, raw), expected, "{raw}");
    check("new", "/srv/t/new");
    check("new/", "/srv/t/new");
    check("new/a/b", "/srv/t/new/a/b");
    check("new/./a", "/srv/t/new/a");
    check("new/..", "path.dotdot_after_missing");
    check("new/a/../b", "path.dotdot_after_missing");
    check("new/../../etc", "path.dotdot_after_missing");
    check("file", "/srv/t/file");
    check("file/", "path.not_a_directory");
    check("file/.", "path.not_a_directory");
    check("file/..", "path.not_a_directory");
    check("file/x", "path.not_a_directory");
    check("x/../file", "/srv/t/file");
}

#[test]
fn the_base_is_walked_again() {
    let base = resolve_absolute(&PurePaths::new(), "/srv/t").unwrap();
    let check = |files: PurePaths, raw: &str, expected: &str| {
        assert_eq!(show(resolve(&files, &base, raw)), expected, "{raw}");
    };
    check(PurePaths::new().with_link("/srv/t", "/etc"), "shadow", "/etc/shadow");
    check(PurePaths::new().with_link("/srv", "/x/y"), "../a", "/x/y/a");
    check(PurePaths::new().with_missing("/srv/t"), "a", "/srv/t/a");
    check(PurePaths::new().with_missing("/srv/t"), "../a", "path.dotdot_after_missing");
    check(PurePaths::new().with_file("/srv/t"), "a", "path.not_a_directory");
    check(PurePaths::new().with_file("/srv/t"), "/a", "/a");
}

#[test]
fn limits_hold_at_their_edges() {
    let name = "n".repeat(MAX_COMPONENT_BYTES);
    check(&format!("/{name}"), &format!("/{name}"));
    check(&format!("/{name}n"), "path.too_long");
    check(&format!("/{}", "é".repeat(128)), "path.too_long");

    let longest = format!("/{name}").repeat(16);
    assert_eq!(longest.len(), MAX_RAW_BYTES);
    check(&longest, &longest);
    check(&format!("{longest}/"), "path.too_long");
    check(longest.get(1..).unwrap(), "path.too_long");

    let deepest = "/d".repeat(MAX_COMPONENTS);
    check(&deepest, &deepest);
    check(&format!("{deepest}/d"), "path.too_deep");
    check(&format!("{deepest}/../d"), &deepest);
    check(&"/".repeat(MAX_RAW_BYTES), "/");
    check(&"/".repeat(MAX_RAW_BYTES + 1), "path.too_long");
}

fn chain_of_links(count: usize) -> PurePaths {
    (1..=count).fold(PurePaths::new(), |files, n| {
        files.with_link(&format!("/l{n}"), &format!("l{}", n - 1))
    })
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let check = |count: usize, expected: &str| {
        let result = resolve_absolute(&chain_of_links(count), &format!("/l{count}"));
        assert_eq!(show(result), expected);
    };
    check(MAX_LINKS, "/l0");
    check(MAX_LINKS + 1, "path.too_many_links");
}

#[test]
fn links_that_expand_into_each_other_end() {
    let target = format!("{}x", "a/../".repeat(800));
    let files = PurePaths::new().with_link("/x", &format!("{target}/x"));
    let error = resolve_absolute(&files, "/x").unwrap_err();
    assert!(matches!(error, PathError::TooManySteps { .. }), "{error}");
}

#[test]
fn an_absolute_path_can_be_asked_for() {
    let check = |raw: &str, expected: &str| {
        assert_eq!(show(resolve_absolute(&PurePaths::new(), raw)), expected);
    };
    check("/a", "/a");
    check("a", "path.relative");
    check("~/a", "path.relative");
    check("", "path.empty");
}

#[test]
fn parts_of_a_path() {
    let path = |raw: &str| resolve_absolute(&PurePaths::new(), raw).unwrap();
    assert_eq!(path("/a/b").parent(), Some(path("/a")));
    assert_eq!(path("/a").parent(), Some(ResolvedPath::root()));
    assert_eq!(ResolvedPath::root().parent(), None);
    assert_eq!(path("/").components().count(), 0);
    assert_eq!(path("/a/b").components().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(path("/a/b").file_name(), Some("b"));
    assert_eq!(ResolvedPath::root().file_name(), None);
    let starts = |long: &str, short: &str| path(long).starts_with(&path(short));
    assert!(starts("/a/b", "/a"));
    assert!(starts("/a/b", "/a/b"));
    assert!(starts("/a/b", "/"));
    assert!(starts("/", "/"));
    assert!(!starts("/a", "/a/b"));
    assert!(!starts("/ab", "/a"));
    assert!(!starts("/a", "/b"));
    assert!(!starts("/", "/a"));
    let join = |base: &str, name: &str| show(path(base).join_component(name));
    assert_eq!(join("/", "a"), "/a");
    assert_eq!(join("/a", "b c"), "/a/b c");
    for name in ["", ".", "..", "a/b", "/"] {
        assert_eq!(join("/a", name), "path.not_a_name");
    }
    assert_eq!(join("/a", "x\n"), "path.control_character");
    assert_eq!(join("/a", "x\u{200b}"), "path.invisible_character");
    assert_eq!(join("/a", &"n".repeat(256)), "path.too_long");
    assert_eq!(join("/proc/self", "root"), "path.magic_link");
    assert_eq!(join(&"/d".repeat(256), "d"), "path.too_deep");
    assert_eq!(format!("{:?} {}", path("/a"), path("/a")), "\"/a\" /a");
}

#[test]
fn messages_quote_the_input_escaped_and_cut() {
    let message = |raw: &str| resolve_absolute(&PurePaths::new(), raw).unwrap_err().to_string();
    assert_eq!(message("/a\u{202e}b"), "path `/a\\u{202e}b` holds an invisible character");
    assert_eq!(message("a`b"), "path `a\\u{60}b` is relative: write it from `/`");
    assert_eq!(
        message("/proc/self/root/x"),
        "path `/proc/self/root` means something else in each process"
    );
    assert!(message(&"a".repeat(4000)).len() < 200);
    assert_eq!(
        PathError::io("/x", io::ErrorKind::PermissionDenied).to_string(),
        "path `/x` cannot be looked at: permission denied"
    );
}

#[test]
fn a_declared_name_is_taken_in_normal_form() {
    let files = PurePaths::new().with_file("//srv/./t/x/../f/");
    assert_eq!(resolved(&files, "f/x"), "path.not_a_directory");
}

#[derive(Debug)]
struct Broken;

impl PathResolver for Broken {
    fn entry(&self, path: &str) -> Result<Entry, PathError> {
        Err(PathError::io(path, io::ErrorKind::PermissionDenied))
    }
}

#[test]
fn what_cannot_be_looked_at_is_not_missing() {
    assert_eq!(resolved(&Broken, "/a"), "path.io");
    assert_eq!(resolved(&Broken, "/"), "/");
    // A link whose target is too long for the file system's own call.
    let long = format!("/{}", "n".repeat(255));
    assert_eq!(resolved(&FileSystem, &long), long);
}

#[cfg(unix)]
#[test]
fn the_real_file_system_agrees_on_the_published_cases() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let top = fs::canonicalize(directory.path()).unwrap();
    let top = top.to_str().unwrap();
    fs::create_dir_all(format!("{top}/work/sub")).unwrap();
    fs::create_dir_all(format!("{top}/out/deep")).unwrap();
    fs::write(format!("{top}/out/shadow"), "x").unwrap();
    symlink(format!("{top}/out/deep"), format!("{top}/work/l")).unwrap();
    symlink("../out", format!("{top}/work/m")).unwrap();
    symlink("loop", format!("{top}/work/loop")).unwrap();
    let work = resolve_absolute(&FileSystem, &format!("{top}/work")).unwrap();
    let check = |raw: &str, expected: &str| {
        let expected = expected.replace("TOP", top);
        assert_eq!(show(resolve(&FileSystem, &work, raw)), expected, "{raw}");
    };
    check("l/../shadow", "TOP/out/shadow");
    check("m/shadow", "TOP/out/shadow");
    check("m/shadow/", "path.not_a_directory");
    check("m/shadow/x", "path.not_a_directory");
    check("m/none", "TOP/out/none");
    check("m/none/..", "path.dotdot_after_missing");
    check("M/shadow", "TOP/work/M/shadow");
    check("loop", "path.too_many_links");
    check("sub/../m", "TOP/out");
    assert_eq!(show(resolve_nofollow(&FileSystem, &work, "m")), format!("{top}/work/m"));
    assert_eq!(show(resolve_nofollow(&FileSystem, &work, "m/")), format!("{top}/out"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_real_proc_is_recognised() {
    check_real("/proc/self/status", "/proc/self/status");
    check_real("/proc/thread-self/status", "/proc/thread-self/status");
    check_real("/proc/mounts", "/proc/self/mounts");
    check_real("/dev/stdin", "path.magic_link");
    check_real("/proc/self/cwd/x", "path.magic_link");
}

#[cfg(target_os = "linux")]
fn check_real(raw: &str, expected: &str) {
    assert_eq!(resolved(&FileSystem, raw), expected);
}

#[cfg(unix)]
#[test]
fn a_link_target_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;

    let directory = tempfile::tempdir().unwrap();
    let link = fs::canonicalize(directory.path()).unwrap().join("l");
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(b"a\xff"), &link).unwrap();
    assert_eq!(resolved(&FileSystem, link.to_str().unwrap()), "path.not_utf8");
}

/// One thing in a random tree, by its path below the top.
#[derive(Debug, Clone)]
enum Made {
    Directory(String),
    File(String),
    Link(String, String),
}

fn names(all: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(all), 1..=most).prop_map(|names| names.join("/"))
}

/// A path as an attacker may write it; `@` stands for the top of the tree.
fn hostile() -> impl Strategy<Value = String> {
    let walk = names(&["a", "b", "c", "d", ".", "..", ".."], 6);
    (prop::bool::weighted(0.2), walk, prop::sample::select(vec!["", "", "", "/", "/."])).prop_map(
        |(absolute, walk, end)| format!("{}{walk}{end}", if absolute { "@/" } else { "" }),
    )
}

fn tree() -> impl Strategy<Value = Vec<Made>> {
    let place = || names(&["a", "b", "c"], 3);
    let made = prop_oneof![
        4 => place().prop_map(Made::Directory),
        1 => place().prop_map(Made::File),
        4 => (place(), hostile()).prop_map(|(place, target)| Made::Link(place, target)),
    ];
    prop::collection::vec(made, 1..14)
}

/// Builds the tree on disk and the same one as a table.
#[cfg(unix)]
fn build(top: &str, tree: &[Made]) -> PurePaths {
    for made in tree {
        // Places that are taken, or below a file or link that leads away, are left out.
        match made {
            Made::Directory(place) if inside(top, place) => {
                let _ = fs::create_dir_all(format!("{top}/{place}"));
            }
            Made::File(place) if inside(top, place) => {
                let _ = fs::File::create_new(format!("{top}/{place}"));
            }
            Made::Link(place, target) if inside(top, place) => {
                let target = target.replace('@', top);
                let _ = std::os::unix::fs::symlink(target, format!("{top}/{place}"));
            }
            _ => {}
        }
    }
    // The directories above the top too, because a path may lead there.
    let mut open: Vec<_> = Path::new(top).ancestors().map(|path| text(path).to_owned()).collect();
    let mut table = PurePaths::new();
    while let Some(directory) = open.pop() {
        for name in ["a", "b", "c", "d"] {
            let path = format!("{}/{name}", directory.trim_end_matches('/'));
            match FileSystem.entry(&path).unwrap() {
                Entry::Missing => table = table.with_missing(&path),
                Entry::Other => table = table.with_file(&path),
                Entry::Link(target) => table = table.with_link(&path, &target),
                Entry::Directory => open.push(path),
            }
        }
    }
    table
}

/// Says whether everything above `place` is a plain directory or missing, so that building it
/// stays inside the tree.
#[cfg(unix)]
fn inside(top: &str, place: &str) -> bool {
    let mut path = top.to_owned();
    let mut names: Vec<_> = place.split('/').collect();
    names.pop();
    names.iter().all(|name| {
        path = format!("{path}/{name}");
        matches!(FileSystem.entry(&path), Ok(Entry::Directory | Entry::Missing))
    })
}

#[cfg(unix)]
proptest! {
    /// The oracle is the kernel: `canonicalize` on what exists, and for what does not exist yet
    /// the place where `mkdir -p` of our answer makes the original text lead.
    #[test]
    fn a_random_tree_resolves_as_the_kernel_does(tree in tree(), raw in hostile()) {
        let directory = tempfile::tempdir().unwrap();
        // Deep enough that `..` stays inside, links included, nearly always.
        let home = fs::canonicalize(directory.path()).unwrap();
        let top = home.join("1/2/3/4/5/6/7/8");
        fs::create_dir_all(&top).unwrap();
        let top = top.to_str().unwrap();
        let table = build(top, &tree);
        let raw = raw.replace('@', top);
        let base = resolve_absolute(&FileSystem, top).unwrap();
        let kernel_path = Path::new(top).join(&raw);

        let ours = resolve(&FileSystem, &base, &raw);
        prop_assert_eq!(show(resolve(&table, &base, &raw)), show(ours.clone()));
        if let Ok(kernel) = fs::canonicalize(&kernel_path) {
            let shown = show(ours.clone());
            prop_assert_eq!(Path::new(&shown), kernel.as_path());
        } else if let Ok(path) = &ours
            && path.as_path().starts_with(&home)
        {
            prop_assert!(!path.as_path().exists());
            fs::create_dir_all(path).unwrap();
            prop_assert_eq!(fs::canonicalize(&kernel_path).unwrap(), path.as_path());
        }
    }

    #[test]
    fn the_entry_itself_is_what_the_kernel_would_remove(tree in tree(), raw in hostile()) {
        let directory = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(directory.path()).unwrap().join("1/2/3/4/5/6/7/8");
        fs::create_dir_all(&top).unwrap();
        let top = top.to_str().unwrap();
        build(top, &tree);
        let raw = raw.replace('@', top);
        let base = resolve_absolute(&FileSystem, top).unwrap();
        let kernel_path = Path::new(top).join(&raw);
        if let (Ok(path), Ok(kernel)) =
            (resolve_nofollow(&FileSystem, &base, &raw), fs::symlink_metadata(text(&kernel_path)))
        {
            use std::os::unix::fs::MetadataExt as _;
            let ours = fs::symlink_metadata(&path).unwrap();
            prop_assert_eq!((ours.dev(), ours.ino()), (kernel.dev(), kernel.ino()));
        }
    }

    #[test]
    fn any_text_gives_a_normal_form_or_an_error(raw in any::<String>()) {
        check_normal_form(&raw)?;
    }

    #[test]
    fn any_path_like_text_gives_a_normal_form_or_an_error(
        raw in "(/|\\.|\\.\\.|a|proc|self|root|dev|fd|\u{202e}|\n|[a-z]{1,300}){0,40}",
    ) {
        check_normal_form(&raw)?;
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn check_normal_form(raw: &str) -> Result<(), TestCaseError> {
    let files = PurePaths::new();
    let base = resolve_absolute(&files, "/srv/t").unwrap();
    if let Ok(path) = resolve(&files, &base, raw) {
        prop_assert!(path.as_str().starts_with('/'));
        prop_assert!(path.as_str() == "/" || !path.as_str().ends_with('/'));
        prop_assert!(!path.as_str().contains("//"));
        prop_assert!(path.components().all(|name| name != "." && name != ".."));
        prop_assert!(check_visible(path.as_str()).is_ok());
        prop_assert!(path.as_str().len() <= MAX_PATH_BYTES);
        // A path in normal form resolves to itself.
        prop_assert_eq!(resolve_absolute(&files, path.as_str()).unwrap(), path);
    }
    Ok(())
}
