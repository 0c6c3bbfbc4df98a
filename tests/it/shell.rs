//! What a line of shell does, and what a permit for it hands out.

use std::path::Path;
use std::process::Command;

use countersign::action::path::{PurePaths, resolve_absolute};
use countersign::action::{EffectContext, NoTools, Target};
use countersign::session::Session;
use countersign::shell::{Dialect, MAX_LINE_BYTES, Programs, Shell, ShellEnv};
use countersign::testing::{self, Fixture};
use countersign::{Action, Authorizer, Sink};
use serde_json::json;

use crate::support::gate::outcome;

// The command that a permit hands out.

#[test]
fn a_permit_hands_out_the_command_that_was_decided_on() {
    let env = ShellEnv::bash("src").with_home("/home/dana").with_variable("LANG", "C");
    let command = command(&Fixture::default(), &["printf"], "printf 'a b'", &env);
    assert_eq!(command.get_program(), "/bin/bash");
    let arguments: Vec<_> = command.get_args().collect();
    assert_eq!(arguments, ["--noprofile", "--norc", "-c", "printf 'a b'"]);
    assert_eq!(command.get_current_dir(), Some(Path::new("/srv/web/src")));
    let variables: Vec<_> = command
        .get_envs()
        .map(|(name, value)| (name.to_str().unwrap(), value.unwrap().to_str().unwrap()))
        .collect();
    let path = "/usr/local/bin:/usr/bin:/bin";
    assert_eq!(variables, [("HOME", "/home/dana"), ("LANG", "C"), ("PATH", path)]);
}

#[test]
fn the_command_starts_in_the_directory_that_a_link_leads_to() {
    let paths = PurePaths::new().with_link("/srv/web/now", "/srv/web/releases/7");
    let authorizer = authorizer(paths);
    let session = open(&authorizer, "/srv/web", &["printf"]);
    let line = Shell::parse("printf x", &ShellEnv::bash("now"));
    let permit = session.authorize(line).unwrap().permit().unwrap();
    let (granted, running) = permit.start().unwrap();
    let command = granted.command().unwrap();
    assert_eq!(command.get_current_dir(), Some(Path::new("/srv/web/releases/7")));
    running.report(true).unwrap();
}

#[test]
fn what_runs_sees_the_declared_environment_and_nothing_else() {
    if !Path::new("/bin/bash").exists() {
        println!("skipped: no /bin/bash");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let place = place.path().canonicalize().unwrap();
    std::fs::create_dir(place.join("src")).unwrap();
    // It is read if anything reads start-up files.
    std::fs::write(place.join(".bash_profile"), "printf 'profile '").unwrap();
    std::fs::write(place.join(".bashrc"), "printf 'rc '").unwrap();
    let home = place.to_str().unwrap();
    let authorizer = authorizer(countersign::action::path::FileSystem);
    let session = open(&authorizer, home, &["printf"]);
    let run = |line: &str| {
        let env = ShellEnv::bash("src").with_home(home).with_variable("SAID", "hello");
        let decision = session.authorize(Shell::parse(line, &env)).unwrap();
        assert_eq!(outcome(&decision), "allow", "{line}");
        let output = decision.permit().unwrap().run(|granted| granted.command().unwrap().output());
        let output = output.unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run("printf '%s|' one 'two  three'"), "one|two  three|");
    assert_eq!(run("printf '%s' \"$SAID\""), "hello");
    // The tests themselves run with this variable.
    assert_eq!(run("printf '%s' \"${CARGO_MANIFEST_DIR-cleared}\""), "cleared");
    assert_eq!(run("printf '%s' \"$PWD\""), format!("{home}/src"));
    assert!(!run("printf '%s' \"$-\"").contains('i'));
}

#[test]
fn a_line_in_a_directory_that_is_not_known_has_no_command() {
    // A link that leads to itself.
    let authorizer = authorizer(PurePaths::new().with_link("/srv/web/loop", "/srv/web/loop"));
    let session = open(&authorizer, "/srv/web", &["printf", "cat"]);
    let env = ShellEnv::bash("loop");
    let permit = session.authorize(Shell::parse("printf x", &env)).unwrap().permit();
    if let Some(permit) = permit {
        let (granted, running) = permit.start().unwrap();
        assert!(granted.command().is_none());
        running.report(false).unwrap();
    }
    assert!(!session.authorize(Shell::parse("cat a", &env)).unwrap().is_allow());
}

#[cfg(feature = "macros")]
#[test]
fn a_guarded_tool_runs_lines_that_are_granted_and_no_other() {
    use countersign::guard::Refused;

    #[countersign::guarded(
        action = Shell::parse(line, &ShellEnv::bash("/srv/web")),
        granted = granted
    )]
    fn tool(session: &Session, line: &str) -> Result<Command, Refused> {
        Ok(granted.command().unwrap())
    }

    let fixture = Fixture::default();
    let session = open(&fixture.authorizer, "/srv/web", &["cat", "wc"]);
    let command = tool(&session, "cat a | wc -l").unwrap();
    assert_eq!(command.get_args().last().unwrap(), "cat a | wc -l");
    for line in ["cat /etc/passwd", "cat a | sh", "cat a; id", "eval cat a", "cat a > /tmp/b"] {
        assert!(matches!(tool(&session, line), Err(Refused::Denied(_))), "{line}");
    }
}

#[test]
fn an_empty_line_has_no_effect_and_is_not_allowed() {
    for line in ["", " ", "\n", "# rm -rf /", "x=1"] {
        assert_eq!(says(line), [""; 0], "{line:?}");
        assert_eq!(decide(&["x"], line), "action.no_effect", "{line:?}");
    }
}

#[test]
fn the_line_and_its_environment_are_on_record() {
    let env = ShellEnv::bash("/srv/web").with_variable("LANG", "C");
    let line = Shell::parse("cat a", &env);
    assert_eq!(line.kind(), "Shell");
    assert_eq!(line.line(), "cat a");
    assert_eq!(
        line.describe().to_canonical(),
        r#"{"line":"cat a","shell":"/bin/bash","variables":{"LANG":"C","PATH":"/usr/local/bin:/usr/bin:/bin"},"working_directory":"/srv/web"}"#
    );
}

// Which shell it is.

#[test]
fn a_login_shell_is_opaque_unless_its_profile_is_declared_harmless() {
    let plain = ShellEnv::bash("/srv/web");
    for line in
        ["bash -lc 'cat a'", "bash --login -c 'cat a'", "bash -ic 'cat a'", "sh -lc 'cat a'"]
    {
        let said = says_in(line, &plain);
        assert!(said.iter().any(|one| one.ends_with("?shell.profile")), "{line}: {said:?}");
        assert!(said.contains(&"ReadData /srv/web/a".to_owned()), "{line}: {said:?}");
        let said = says_in(line, &plain.clone().with_harmless_profile());
        assert!(!said.iter().any(|one| one.contains('?')), "{line}: {said:?}");
    }
    assert_eq!(says("bash -c 'cat a'"), ["Exec bash", "Exec cat", "ReadData /srv/web/a"]);
}

#[test]
fn lines_for_another_shell_are_opaque_as_a_whole() {
    let env = ShellEnv::other("/srv/web");
    assert_eq!(env.dialect(), Dialect::Other);
    for line in ["cat a", "ls =(id)", "Get-ChildItem", ""] {
        let said = says_in(line, &env);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].ends_with("?shell.dialect"), "{line}: {said:?}");
    }
    for inner in ["zsh -c 'cat a'", "fish -c 'cat a'", "pwsh -Command 'cat a'"] {
        let said = says(inner);
        assert!(said.iter().any(|one| one.contains('?')), "{inner}: {said:?}");
    }
}

#[test]
fn a_host_describes_programs_of_its_own() {
    let lines = "frob : r* ; -v --out=w\n= frob --out=o a => write o, read a\n! frob --exec=x a\n";
    let env = ShellEnv::bash("/srv/web");
    assert_eq!(says_in("frob a", &env), ["Exec frob", "Exec frob?shell.unknown_program"]);
    let env = env.with_programs(Programs::built_in().extended(lines).unwrap());
    let expected = ["Exec frob", "WriteData /srv/web/o", "ReadData /srv/web/a"];
    assert_eq!(
        sorted(says_in("frob -v --out=o a", &env)),
        sorted(expected.map(str::to_owned).into())
    );
    for line in ["frob --exec=x a", "frob --ou=o a", "frob -x a"] {
        let said = says_in(line, &env);
        assert!(said.contains(&"Exec frob?shell.unknown_option".to_owned()), "{line}: {said:?}");
    }
    // Others are as they were, and a line replaces the one before it.
    assert_eq!(says_in("cat a", &env), ["Exec cat", "ReadData /srv/web/a"]);
    let stricter = env.with_programs(Programs::built_in().extended("cat : r\n").unwrap());
    assert!(says_in("cat -n a", &stricter).contains(&"Exec cat?shell.unknown_option".to_owned()));
}

#[test]
fn a_table_with_a_mistake_or_a_wrong_example_is_refused() {
    for lines in ["frob : nonsense*", "frob : r*\n= frob a => write a", "frob : r*\n! frob a"] {
        assert!(Programs::built_in().extended(lines).is_err(), "{lines:?}");
    }
}

// Names that do not mean what they look like.

#[test]
fn what_lies_below_a_name_that_the_line_creates_is_opaque() {
    for line in [
        "ln -s /etc m; cat m/shadow",
        "ln -s /etc m && cat ./m/../m/shadow",
        "tar -xf a.tar; cat m/shadow",
        "unzip a.zip; cat m/shadow",
        "git clone https://git.example.org/a/b; cat b/x",
        "for f in a b; do cat m/shadow; ln -s /etc m; done",
        "ln -s /etc m & cat m/shadow",
        "ln -s /etc m | cat m/shadow",
        "mv a m; cat m/shadow; rm m",
    ] {
        let said = says(line);
        let created = said.iter().any(|one| one.ends_with("?shell.created_name"));
        // A file that is moved is a file, or what lies below it was there before.
        assert!(created || line.starts_with("mv"), "{line}: {said:?}");
    }
    assert!(says("cat m/shadow; ln -s /etc m").contains(&"ReadData /srv/web/m/shadow".to_owned()));
}

#[test]
fn a_link_is_an_effect_on_what_it_leads_to() {
    assert!(says("ln -s /etc/shadow m").contains(&"ReadData /etc/shadow".to_owned()));
    let hard = says("ln /etc/shadow m");
    for effect in ["ReadData /etc/shadow", "WriteData /etc/shadow", "WriteData /srv/web/m"] {
        assert!(hard.contains(&effect.to_owned()), "{hard:?}");
    }
    assert!(says("ln -s ../../etc/shadow src/m").contains(&"ReadData /srv/etc/shadow".to_owned()));
}

#[test]
fn links_are_followed_before_dots() {
    let paths = PurePaths::new()
        .with_link("/srv/web/l", "/etc/ssl")
        .with_link("/srv/web/inside", "src/deep");
    let env = ShellEnv::bash("/srv/web");
    let said = |line: &str| says_at(line, &env, &paths);
    assert_eq!(said("cat l/../shadow"), ["Exec cat", "ReadData /etc/shadow"]);
    assert_eq!(said("cat inside/../a"), ["Exec cat", "ReadData /srv/web/src/a"]);
    assert_eq!(said("cat < l/x"), ["ReadData /etc/ssl/x", "Exec cat"]);
    assert_eq!(said("echo x > l/x"), ["WriteData /etc/ssl/x", "Exec echo"]);
    // A link that is deleted is deleted itself.
    assert!(said("rm l").contains(&"DeleteData /srv/web/l".to_owned()), "{:?}", said("rm l"));
    assert!(said("rm l/x").contains(&"DeleteData /etc/ssl/x".to_owned()));
    // `cd` through a link: both places that `..` may mean.
    let moved = said("cd l && cat ../shadow");
    assert!(
        moved.contains(&"ReadData /etc/shadow".to_owned())
            || moved.contains(&"ReadData /srv/web/shadow".to_owned()),
        "{moved:?}"
    );
}

#[test]
fn names_that_are_taken_apart_at_blanks_must_be_declared_plain() {
    let line = "find . -name '*.c' | xargs wc -l";
    let env = ShellEnv::bash("/srv/web");
    let said = says_in(line, &env);
    assert!(said.iter().any(|one| one.contains("?shell.")), "{said:?}");
    let env = env.with_plain_names();
    assert_eq!(says_in(line, &env), ["Exec find", "ReadData /srv/web", "Exec xargs", "Exec wc"]);
    // A line that makes odd names and relies on plain ones is opaque.
    for line in [
        "touch 'x /etc/passwd'; find . | xargs cat",
        "tar -xf a.tar; find . | xargs cat",
        "touch -- -rf; find . | xargs rm",
        "mkdir $'a\\nb'; find . | xargs cat",
    ] {
        let said = says_in(line, &env);
        assert!(said.iter().any(|one| one.contains("?shell.")), "{line}: {said:?}");
    }
}

#[test]
fn a_directory_that_is_not_known_leaves_relative_paths_opaque() {
    assert_eq!(says("cd src && cat a"), ["Exec cd", "Exec cat", "ReadData /srv/web/src/a"]);
    assert_eq!(says("(cd src); cat a"), ["Exec cd", "Exec cat", "ReadData /srv/web/a"]);
    for line in ["cd \"$x\"; cat a", "cd - ; cat a", "cd $(git root); cat a", "pushd $x; cat a"] {
        let said = says(line);
        assert!(
            said.iter().any(|one| one.ends_with("?shell.working_directory")),
            "{line}: {said:?}"
        );
    }
    // Where it may have failed, both.
    let either = says("cd /etc; cat shadow");
    for path in ["ReadData /etc/shadow", "ReadData /srv/web/shadow"] {
        assert!(either.contains(&path.to_owned()), "{either:?}");
    }
}

#[test]
fn what_stands_beside_a_number_is_split() {
    for line in [
        "x=\"a $? /etc/passwd\"; cat $x",
        "x=\"$# -o /etc/x\"; sort $x",
        "x=\"$?\"; y=\"$x /etc/passwd\"; cat $y",
        "n=$(wc -l < a); x=\"$n /etc/passwd\"; cat $x",
        "x=\"$?/*\"; cat $x",
    ] {
        for env in [ShellEnv::bash("/srv/web"), ShellEnv::bash("/srv/web").with_plain_names()] {
            let said = says_in(line, &env);
            assert!(said.iter().any(|one| one.contains("?shell.")), "{line}: {said:?}");
        }
    }
    // A number is a number.
    let env = ShellEnv::bash("/tmp").with_plain_names();
    assert_eq!(says_in("echo $?", &env), ["Exec echo"]);
    assert_eq!(says("cat a$?"), ["Exec cat", "ReadData /srv/web/a*"]);
}

#[test]
fn characters_that_a_reader_would_not_see_are_refused_and_shown_escaped() {
    for line in [
        "cat a\u{200b}b",
        "cat a\u{202e}b",
        "cat \u{2066}a",
        "cat a\u{ad}",
        "cat\u{a0}a",
        "cat a\rb",
        "cat a\u{1b}[2Jb",
        "cat a\u{feff}",
        "echo 'a\u{2067}b'",
        "echo x # \u{202e}",
        "cat \u{7f}",
        "cat \u{0}",
    ] {
        let said = says(line);
        assert_eq!(said.len(), 1, "{line:?}: {said:?}");
        assert!(said[0].ends_with("?shell.invisible_character"), "{line:?}: {said:?}");
        for shown in explained(line) {
            let plain = shown.chars().all(|c| matches!(c, ' '..='~'));
            assert!(plain, "{line:?} is shown as {shown:?}");
        }
    }
    // Letters that look like others are no program, host or granted path.
    for line in ["с\u{430}t a", "curl https://\u{430}pple.example/", "\u{ff47}it log"] {
        let said = says(line);
        assert!(said.iter().any(|one| one.contains("?shell.")), "{line}: {said:?}");
    }
    assert!(says("cat /srv/w\u{435}b/x").contains(&"ReadData /srv/w\u{435}b/x".to_owned()));
    assert_eq!(decide(&["cat"], "cat /srv/w\u{435}b/x"), "scope.read");
    assert!(!says("cat 'Grüße.txt'").iter().any(|one| one.contains('?')));
}

// Limits: at the edge, and one past it.

/// Asserts that `inside` is understood and `outside` is too large.
#[track_caller]
fn edge(inside: &str, outside: &str) {
    let large = |line: &str| says(line).iter().any(|one| one.ends_with("?shell.too_large"));
    assert!(!large(inside), "what lies inside of the limit is refused");
    assert!(large(outside), "what lies outside of the limit is let through");
}

#[test]
fn lines_have_a_length() {
    let line = |length: usize| format!("echo {}", "a".repeat(length - 5));
    edge(&line(MAX_LINE_BYTES), &line(MAX_LINE_BYTES + 1));
    // Comments and blanks count.
    edge("echo a", &format!("echo a #{}", " ".repeat(MAX_LINE_BYTES)));
}

#[test]
fn commands_have_a_depth() {
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{}echo a{}", open.repeat(depth), close.repeat(depth))
    };
    for (open, close) in [
        ("( ", ")"),
        ("{ ", ";}"),
        ("if true; then ", "; fi"),
        ("echo $(", ")"),
        ("echo \"$(", ")\""),
    ] {
        let large =
            |depth| says(&nested(open, close, depth)).iter().any(|one| one.contains("too_large"));
        let first = (1..64).find(|depth| large(*depth)).unwrap();
        assert!((12..=25).contains(&first), "{open} is refused from depth {first}");
        assert!((first..64).all(large), "{open}");
    }
}

#[test]
fn a_line_has_a_number_of_commands_and_words() {
    edge(&vec!["true"; 256].join(";"), &vec!["true"; 257].join(";"));
    edge(&vec!["true"; 256].join("|"), &vec!["true"; 257].join("|"));
    let words = |count: usize| format!("echo{}", " a".repeat(count - 1));
    edge(&words(4096), &words(4097));
    edge("echo {1..4095}", "echo {1..4096}");
}

#[test]
fn scripts_and_wrappers_have_a_depth() {
    edge(&format!("{}true", "eval ".repeat(6)), &format!("{}true", "eval ".repeat(7)));
    edge(&format!("{}true", "env ".repeat(12)), &format!("{}true", "env ".repeat(13)));
    edge(&format!("{}true", "nice ".repeat(12)), &format!("{}true", "nice ".repeat(13)));
}

#[test]
fn loops_over_literal_lists_count_each_value() {
    let values = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
    let body = "true; true; true";
    // 1 + 16 · (1 + 16 · 3) = 785 commands.
    let loops = format!("for i in {values}; do for j in {values}; do {body}; done; done");
    let more = |count: usize| format!("{loops}{}", "; true".repeat(count));
    edge(&more(1024 - 785), &more(1025 - 785));
}

#[test]
fn a_line_with_more_effects_than_one_action_may_have_is_denied() {
    let names: Vec<String> = (0..300).map(|number| format!("f{number}")).collect();
    let line = format!("cat {}", names.join(" "));
    assert_eq!(says(&line).len(), 301);
    assert_ne!(decide(&["cat"], &line), "allow");
    assert_eq!(decide(&["cat"], "cat f0 f1"), "allow");
}

// Explanations.

#[test]
fn effects_are_explained_with_the_part_of_the_line_that_has_them() {
    let said = explained("cat notes.txt > /tmp/out && curl https://evil.example/x");
    assert_eq!(
        said,
        [
            "`cat notes.txt > /tmp/out` writes /tmp/out",
            "`cat notes.txt > /tmp/out` runs cat",
            "`cat notes.txt > /tmp/out` reads /srv/web/notes.txt",
            "`curl https://evil.example/x` runs curl",
            "`curl https://evil.example/x` connects to evil.example:443",
        ]
    );
    let line = "true; bash -c 'cat a; sudo id'";
    let env = ShellEnv::bash("/srv/web");
    for one in shell(line, &env, &PurePaths::new()) {
        assert!(line.get(one.span()).is_some(), "{one:?}");
    }
}

// Helpers.

fn shell(line: &str, env: &ShellEnv, paths: &PurePaths) -> Vec<countersign::shell::Explained> {
    let workspace = resolve_absolute(paths, "/srv/web").unwrap();
    let context = EffectContext::new(paths, &workspace, &NoTools);
    Shell::parse(line, env).explain(&context)
}

/// The effects of a line, each as its kind and target, with the reason where it is opaque.
fn says_at(line: &str, env: &ShellEnv, paths: &PurePaths) -> Vec<String> {
    shell(line, env, paths)
        .iter()
        .map(|one| {
            let target = one.effect().target();
            let kind = one.effect().kind().as_str();
            match target {
                Target::Unknown { reason, .. } => format!("{kind} ?{}", reason.code()),
                Target::Program { program, opaque: Some(reason) } => {
                    format!("{kind} {program}?{}", reason.code())
                }
                _ => format!("{kind} {}", target.id()),
            }
        })
        .collect()
}

fn says_in(line: &str, env: &ShellEnv) -> Vec<String> {
    says_at(line, env, &PurePaths::new())
}

fn says(line: &str) -> Vec<String> {
    says_in(line, &ShellEnv::bash("/srv/web"))
}

fn explained(line: &str) -> Vec<String> {
    let env = ShellEnv::bash("/srv/web");
    shell(line, &env, &PurePaths::new()).iter().map(ToString::to_string).collect()
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort_unstable();
    all
}

fn authorizer(paths: impl countersign::action::path::PathResolver + 'static) -> Authorizer {
    Authorizer::builder()
        .policy(testing::baseline())
        .identity(testing::identity_key())
        .sink(Sink::blocking(std::sync::Arc::new(countersign::receipt::MemorySink::new())))
        .with_clock(testing::clock())
        .with_entropy(testing::entropy())
        .with_paths(paths)
        .build()
        .unwrap()
}

/// A session whose scope grants these programs, and everything below the workspace.
fn open(authorizer: &Authorizer, workspace: &str, programs: &[&str]) -> Session {
    let tree = [format!("{workspace}/**")];
    let scope = json!({
        "scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
        "agent": "spiffe://example.org/agent/coder", "not_before": "2026-11-21T08:00:00Z",
        "expires": "2026-11-21T10:00:00Z", "workspace": workspace,
        "do": {"programs": programs},
        "touch": {"read": tree, "write": tree, "delete": tree},
        "limits": {"actions": 1000, "per_minute": 1000, "denials": 1000, "distinct_targets": 1000},
    });
    let scope = testing::trusted(&scope.to_string()).unwrap();
    authorizer.open(&scope, testing::agent()).unwrap()
}

/// What becomes of a line where these programs are granted, as words.
fn decide(programs: &[&str], line: &str) -> String {
    let fixture = Fixture::default();
    let session = open(&fixture.authorizer, "/srv/web", programs);
    let decision = session.authorize(Shell::parse(line, &ShellEnv::bash("/srv/web"))).unwrap();
    outcome(&decision)
}

fn command(fixture: &Fixture, programs: &[&str], line: &str, env: &ShellEnv) -> Command {
    let session = open(&fixture.authorizer, "/srv/web", programs);
    let permit = session.authorize(Shell::parse(line, env)).unwrap().permit().unwrap();
    let (granted, running) = permit.start().unwrap();
    running.report(true).unwrap();
    granted.command().unwrap()
}
