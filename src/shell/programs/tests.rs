//! The table as a whole: its examples, and facts from elsewhere.

use super::*;

fn all_lines() -> (Vec<line::Line>, Vec<ProgramsError>) {
    let source = Source::new(Cow::Borrowed(BUILT_IN_LINES));
    format::read(&source, 0..source.len(), None, &mut Vec::new())
}

fn entries(programs: &Programs) -> impl Iterator<Item = &line::Entry> {
    programs.table.iter().filter_map(|(name, program)| program.entries(name).find(name))
}

#[test]
fn lines_do_not_describe_a_program_twice() {
    let (lines, _) = all_lines();
    let mut paths: Vec<_> = lines
        .iter()
        .map(|line| line.path.iter().map(line::Word::as_str).collect::<Vec<_>>().join(" "))
        .collect();
    paths.sort();
    for pair in paths.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
}

#[test]
fn the_table_has_no_mistake() {
    let (lines, mistakes) = all_lines();
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert!(!lines.is_empty());
    // Groups are read where they stand for something: none is left over.
    for name in BUILT_IN_LINES.lines().filter(|line| line.starts_with('@')) {
        let name = name.split_whitespace().next().unwrap();
        let uses = |line: &str| line.split_whitespace().skip(1).any(|word| word == name);
        let indented =
            |line: &str| line.starts_with(' ') && line.split_whitespace().any(|word| word == name);
        assert!(BUILT_IN_LINES.lines().any(|line| uses(line) || indented(line)), "{name}");
    }
}

#[test]
fn every_example_of_the_table_holds() {
    let programs = Programs::built_in();
    let mut failed = Vec::new();
    for (at, line) in BUILT_IN_LINES.lines().enumerate() {
        if let Err(what) = example::check(&programs, line.trim()) {
            failed.push(format!("{}: {what}", at + 1));
        }
    }
    let understood = entries(&programs).filter(|entry| is_understood(entry)).count();
    println!("{} programs, of which {understood} are understood", programs.len());
    assert!(understood >= 350);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Reports whether some use of the program is not opaque.
fn is_understood(entry: &line::Entry) -> bool {
    let opaque = |effects: &[line::Effect]| effects.contains(&line::Effect::Opaque);
    let some = entry.body.alternatives.iter().any(|alternative| !opaque(&alternative.effects));
    some && !opaque(&entry.body.effects) || entry.children.iter().any(is_understood)
}

fn check(command: &str, expected: &str) {
    let programs = Programs::built_in();
    assert_eq!(example::check(&programs, &format!("= {command} => {expected}")), Ok(()));
}

fn rendered(name: &str, arguments: &[crate::shell::deed::Text<'static>]) -> String {
    let stdin = crate::shell::deed::Stdin::Inherited;
    let invocation = Invocation { name, arguments, stdin: &stdin, span: Default::default() };
    let mut out = Vec::new();
    assert!(Programs::built_in().deeds(&invocation, &mut out), "{name}");
    example::render(&out)
}

/// Text of which everything from `start` on is not known.
fn open(
    text: &'static str,
    start: u32,
    what: crate::shell::deed::Unknown,
    many: bool,
) -> crate::shell::deed::Text<'static> {
    let end = u32::try_from(text.len()).unwrap();
    let mut text = crate::shell::deed::Text::known(text, Default::default());
    text.open.push(crate::shell::deed::Open { start, end, what });
    text.many = many;
    text
}

#[test]
fn text_that_is_not_known_may_be_an_option() {
    use crate::shell::deed::Unknown::{Anything, Below, Glob, Number};
    let known = |text: &'static str| crate::shell::deed::Text::known(text, Default::default());
    let quoted = || open("$x", 0, Anything, false);
    let split = || open("$x", 0, Anything, true);
    let glob = || open("*.txt", 0, Glob, true);
    assert_eq!(rendered("basename", &[quoted()]), "nothing");
    assert_eq!(rendered("sort", &[quoted()]), "opaque, read $x");
    assert_eq!(rendered("sort", &[known("--"), quoted()]), "read $x");
    assert_eq!(rendered("sort", &[glob()]), "opaque, read *.txt");
    assert_eq!(rendered("sort", &[open("./*", 2, Glob, true)]), "read ./*");
    assert_eq!(rendered("cat", &[glob()]), "read *.txt");
    assert_eq!(rendered("tr", &[known("-s"), glob()]), "nothing");
    assert_eq!(rendered("cut", &[known("-d"), glob()]), "opaque");
    assert_eq!(rendered("md5sum", &[quoted()]), "read $x");
    let view = |text| rendered("gh", &[known("pr"), known("view"), text]);
    assert_eq!(view(open("12", 0, Number, false)), "service api.github.com:443");
    assert_eq!(view(quoted()), "opaque, connect $x:?, service api.github.com:443");
    assert_eq!(rendered("rm", &[glob()]), "delete* *.txt");
    assert_eq!(rendered("grep", &[known("x"), glob()]), "read* ., read* *.txt");
    assert_eq!(rendered("grep", &[known("/x"), glob()]), "read* ., read* /x, read* *.txt");
    assert_eq!(rendered("cp", &[glob(), known("d")]), "opaque, read *.txt, write d/*.txt, write d");
    assert_eq!(
        rendered("cp", &[open("a/*", 2, Glob, true), known("d")]),
        "read a/*, write d/*, write d"
    );
    assert_eq!(
        rendered("mv", &[known("--"), known("a"), glob()]),
        "read* a, delete* a, opaque, write* *.txt/a, write* *.txt"
    );
    // What is found below a place may have any name.
    let below = |text: &'static str, start| open(text, start, Below, false);
    assert_eq!(rendered("cp", &[below("sub{}", 3), known(".git/")]), "read sub{}, write .git/…");
    assert_eq!(
        rendered("cp", &[below("sub{}", 3), known(".git")]),
        "read sub{}, write .git/…, write .git"
    );
    assert_eq!(
        rendered("cp", &[below("./{}/x", 2), known("-t"), known("d")]),
        "read ./{}/x, write d/…"
    );
    assert_eq!(
        rendered("mv", &[below("sub/…", 3), known(".")]),
        "read* sub/…, delete* sub/…, write* ./…"
    );
    assert_eq!(
        rendered("ln", &[known("-s"), known("-t"), known("d"), below("/a{}", 2)]),
        "symlink /a{} d/…"
    );
    assert_eq!(rendered("gzip", &[below(".{}", 1)]), "read .{}, delete .{}, write .{}");
    assert_eq!(
        rendered("gzip", &[known("-k"), below("sub{}", 3)]),
        "read sub{}, write sub{}, write sub.gz"
    );
    assert_eq!(
        rendered("gunzip", &[below("a.gz{}", 4)]),
        "read a.gz{}, delete a.gz{}, write a.gz{}, write a"
    );
    assert_eq!(rendered("gunzip", &[known("-k"), below("logs{}", 4)]), "read logs{}, write logs{}");
    assert_eq!(
        rendered("cp", &[known("-S"), quoted(), known("a"), known("./.")]),
        "read a, write ././a, opaque"
    );
    assert_eq!(rendered("chmod", &[quoted(), known("a")]), "opaque, opaque, write a");
    assert_eq!(rendered("chmod", &[open("+$n", 1, Number, false), known("a")]), "opaque, write a");
    assert_eq!(
        rendered("curl", &[open("-o#$n", 3, Number, false), known("a.example/{b}")]),
        "write #$n, url GET http://a.example/{b}, opaque"
    );
    assert_eq!(rendered("head", &[open("-$n", 1, Number, false), known("a")]), "read a");
    assert_eq!(rendered("sort", &[open("-$n", 1, Anything, false)]), "opaque");
    assert_eq!(rendered("sort", &[open("-o$x", 2, Anything, false)]), "write $x");
    assert_eq!(rendered("sort", &[open("--output=$x", 9, Anything, false)]), "write $x");
    assert_eq!(rendered("sort", &[open("--output=$x", 9, Anything, true)]), "opaque");
    assert_eq!(rendered("sort", &[open("--out$x", 5, Anything, false)]), "opaque");
    assert_eq!(rendered("sort", &[known("-o"), split(), known("a")]), "opaque, write $x, read a");
    assert_eq!(rendered("cargo", &[quoted()]), "opaque, opaque");
    assert_eq!(rendered("cargo", &[known("build"), split()]), "opaque, opaque, code .");
    assert_eq!(rendered("npm", &[known("run"), quoted()]), "opaque, code .");
    assert_eq!(rendered("curl", &[open("http://a/$x", 9, Anything, false)]), "url GET http://a/$x");
    assert!(rendered("pip", &[known("install"), quoted()]).contains("opaque"));
}

/// Text that is not known may become any option of a `+plain` line: none of them may do more than
/// the line says without it.
#[test]
fn plain_lines_have_harmless_options() {
    let (lines, _) = all_lines();
    let mut odd = Vec::new();
    for line in lines.iter().filter(|line| line.body.style.plain) {
        let path = line.path.iter().map(line::Word::as_str).collect::<Vec<_>>().join(" ");
        for option in line.body.options.iter().chain(line.body.inherited.iter()) {
            let value = option.roles.iter().all(|role| matches!(role, role::Role::Value));
            // A sum that is checked shows whether it matches.
            let checks = matches!(option.name.as_str(), "-c" | "--check");
            if !value || option.modes & !line::RECURSIVE != 0 && !checks {
                odd.push(format!("{path} {}", option.name.as_str()));
            }
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}

/// What is named is named for an effect; else the name would be lost.
#[test]
fn names_have_effects_that_they_belong_to() {
    let (lines, _) = all_lines();
    let mut odd = Vec::new();
    for line in &lines {
        let body = &line.body;
        let alternatives = body.alternatives.iter();
        let effects = alternatives.clone().flat_map(|alternative| &alternative.effects);
        let effects: Vec<_> = effects.chain(&body.effects).chain(&body.inherited_effects).collect();
        let slots = alternatives.flat_map(|alternative| &alternative.slots);
        let values = body.options.iter().flat_map(|option| &*option.roles);
        for role in slots.flat_map(|slot| &slot.roles).chain(values) {
            let belongs = |effect: &&&line::Effect| match role {
                role::Role::Name | role::Role::Resource => {
                    matches!(effect, line::Effect::Infrastructure { .. })
                }
                role::Role::Publish => matches!(effect, line::Effect::Publish { .. }),
                role::Role::Job => matches!(effect, line::Effect::Job(_)),
                role::Role::Recipient => matches!(effect, line::Effect::Message(_)),
                role::Role::Package => matches!(effect, line::Effect::Package(_)),
                _ => true,
            };
            let free = belongs(&&&line::Effect::Opaque);
            if !free && !effects.iter().any(|effect| belongs(&effect)) {
                let path: Vec<_> = line.path.iter().map(line::Word::as_str).collect();
                odd.push(format!("{} {role:?}", path.join(" ")));
            }
        }
    }
    odd.dedup();
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}

#[test]
fn code_on_the_input_is_opaque() {
    use crate::shell::deed::Stdin;
    let programs = Programs::built_in();
    for (stdin, opaque) in [(Stdin::Inherited, false), (Stdin::Piped, true)] {
        let arguments = example::split("a.db");
        let span = Default::default();
        let invocation = Invocation { name: "sqlite3", arguments: &arguments, stdin: &stdin, span };
        let mut out = Vec::new();
        assert!(programs.deeds(&invocation, &mut out));
        assert_eq!(out.iter().any(|deed| matches!(deed, Deed::Opaque { .. })), opaque);
    }
}

#[test]
fn a_host_adds_lines_of_its_own() {
    let lines = "deploy : v ; -n,--dry-run +net=deploy.example:8443 +code\n= deploy a => connect deploy.example:8443, code .\n! deploy --force a\n";
    let programs = Programs::built_in().extended(lines).unwrap();
    assert!(programs.knows("deploy") && programs.knows("cargo"));
    assert!(!Programs::built_in().knows("deploy"));
    let replaced = Programs::built_in().extended("npm run : v +pkg=npm\n! npm run a b\n= npm test => code .\n= npm run --silent a => nothing");
    assert_eq!(replaced.err(), None);
    // What is on by an option above the subcommand is on below it, in lines of either origin.
    let shared =
        "uv mine : v | m ? r ; -m!m\n= uv mine -m a => read a\n= uv mine --quiet a => nothing";
    assert_eq!(Programs::built_in().extended(shared).err(), None);
    let mistakes = [
        ("\nfoo : q", 2),
        ("foo : v ; -ab=v", 1),
        ("foo : v* r*", 1),
        ("foo : ; +bar", 1),
        ("foo : r\n= foo a => write a", 2),
        ("foo : r\n! foo a", 2),
        (" : r", 1),
        ("foo : v | a ? w ; -x!b\nfoo bar : v | c ? r ; -y!c\n= foo bar -y a => write a", 3),
        ("@x = -a\nfoo : ; @y", 2),
        ("a b c d e f : r", 1),
    ];
    for (lines, number) in mistakes {
        let mistake = Programs::built_in().extended(lines).unwrap_err();
        assert_eq!(mistake.line(), number, "{mistake}");
        assert!(mistake.to_string().starts_with(&format!("line {number}: ")));
    }
}

#[test]
fn odd_arguments_do_no_harm() {
    check("cp a", "opaque");
    check("cp", "opaque");
    check("sort -k", "opaque");
    check("cp -rt", "opaque, opaque");
    let long = "a".repeat(5000);
    check(&format!("cp a {long}"), "read a, opaque");
    check(&format!("npm -C {long} test"), "opaque");
    check("watch echo a ; id", "shell echo a ; id");
    check("grep -é a b", "opaque, read b");
    check("head -", "nothing");
}

#[test]
fn any_arguments_are_read_without_a_panic() {
    let programs = Programs::built_in();
    let words = [
        "-", "--", "-a", "-é", "--x=", "=", "+", "+a", "", "a/b", "@", "../..", "-5", "a:b:c",
        "s3://x", "-o",
    ];
    let mut state = 1_u32;
    for entry in entries(&programs) {
        for _ in 0..20 {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                words[(state >> 16) as usize % words.len()]
            };
            let arguments: Vec<_> = (0..6)
                .map(|at| match at % 3 {
                    0 => open(next(), 0, crate::shell::deed::Unknown::Anything, at == 3),
                    _ => crate::shell::deed::Text::known(next(), Default::default()),
                })
                .collect();
            let stdin = crate::shell::deed::Stdin::Piped;
            let name = entry.name.as_str();
            let arguments = &arguments[..];
            let invocation =
                Invocation { name, arguments, stdin: &stdin, span: Default::default() };
            assert!(programs.deeds(&invocation, &mut Vec::new()));
        }
    }
}

/// Reads a file of facts that stands beside the repository; none where it is absent.
fn shared(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods)]
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_owned();
    let text = std::fs::read_to_string(std::path::Path::new(&root).join(name)).ok();
    if text.is_none() {
        println!("skipped: no {name}");
    }
    text
}

/// Commands of the corpus that are one program and its arguments, without any syntax.
fn simple_commands(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let mut out = Vec::new();
    for record in lines {
        let record: serde_json::Value = record;
        let Some(input) = record["input"].as_str() else { continue };
        let tier = record["meta"]["tier"].as_str().unwrap_or_default().to_owned();
        if !input.contains(['|', ';', '&', '`', '$', '\n', '<', '>', '\\', '(', '#', '~', '='])
            || input.contains('=')
                && !input.contains(['|', ';', '&', '`', '$', '\n', '<', '>', '\\', '(', '#', '~'])
        {
            out.push((tier, input.to_owned()));
        }
    }
    out
}

#[test]
fn programs_of_ordinary_commands_are_known() {
    let Some(text) = shared("corpora/benign.jsonl") else { return };
    let programs = Programs::built_in();
    let mut tiers: std::collections::BTreeMap<String, (usize, usize, usize)> = Default::default();
    for (tier, input) in simple_commands(&text) {
        let words = example::split(&input);
        let Some((name, arguments)) = words.split_first() else { continue };
        let name = name.literal().unwrap_or_default();
        if ELSEWHERE.contains(&name) || name.contains(['/', '=']) {
            continue;
        }
        let stdin = crate::shell::deed::Stdin::Inherited;
        let span = Default::default();
        let invocation = Invocation { name, arguments, stdin: &stdin, span };
        let mut out = Vec::new();
        let count = tiers.entry(tier.clone()).or_default();
        count.0 += 1;
        if !programs.deeds(&invocation, &mut out) {
            println!("unknown  {tier} {input}");
            continue;
        }
        count.1 += 1;
        if out.iter().any(|deed| matches!(deed, Deed::Opaque { .. })) {
            println!("opaque   {tier} {input} => {}", example::render(&out));
        } else {
            println!("ok       {tier} {input} => {}", example::render(&out));
            count.2 += 1;
        }
    }
    for (tier, (all, known, clear)) in &tiers {
        println!("{tier}: {all} commands, {known} of known programs, {clear} understood");
    }
    let (all, known) = tiers.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(known * 100 >= all * 97, "{known} of {all}");
}

/// Described elsewhere: shells, their own commands, and programs with a language of their own.
const ELSEWHERE: &[&str] = &[
    "find", "xargs", "sed", "awk", "gawk", "mawk", "tar", "git", "echo", "printf", "test", "[",
    "cd", "env", "make", "jq", "fd", "rg", "man", "parallel", "python", "python3", "python2",
    "perl", "ruby", "node", "php", "lua", "Rscript", "deno", "bash", "sh", "zsh", "export", "set",
    "read", "exit", "pwd", "type", "unset", "command", "for", "if", "while", "declare", "let",
    "local", "shift", "dd", "nc", "ssh", "scp", "rsync", "sftp", ":", "source", ".", "time", "{",
    "alias", "[[", "case", "until", "!", "history", "jobs", "wait", "ulimit", "umask", "trap",
    "break", "continue", "return", "exec", "eval",
];

/// Spellings that take a value here and none elsewhere, with what the manual page calls the value.
const REVIEWED: &str = include_str!("reviewed.txt");

#[test]
fn options_take_values_where_other_sources_say_so() {
    use line::Takes;
    let Some(text) = shared("options/options.jsonl") else { return };
    let programs = Programs::built_in();
    let (mut compared, mut differ, mut swallow) = (0, 0, Vec::new());
    let reviewed: Vec<(&str, &str)> =
        REVIEWED.lines().filter_map(|line| line.split_once(" : ")).collect();
    assert_eq!(reviewed.len(), REVIEWED.lines().count(), "every entry has a reason");
    let mut stale: std::collections::BTreeSet<&str> =
        reviewed.iter().map(|(place, _)| *place).collect();
    for line in text.lines() {
        let Ok(record) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let name = record["program"].as_str().unwrap_or_default();
        let Some(mut entry) = programs.entry(name) else { continue };
        let mut path = name.to_owned();
        let subs = record["sub"].as_array().cloned().unwrap_or_default();
        let mut found = true;
        for sub in &subs {
            let sub = sub.as_str().unwrap_or_default();
            path = format!("{path} {sub}");
            match entry.children.find(sub) {
                Some(child) => entry = child,
                None => found = false,
            }
        }
        if !found {
            continue;
        }
        for option in record["options"].as_array().into_iter().flatten() {
            let theirs = option["value"].as_str().unwrap_or_default();
            for name in option["names"].as_array().into_iter().flatten() {
                let Some(ours) = name.as_str().and_then(|name| entry.option(name)) else {
                    continue;
                };
                compared += 1;
                let same = match ours.takes {
                    Takes::Nothing => theirs == "none" || theirs == "optional",
                    Takes::Required | Takes::JoinedOrNext | Takes::Equals => theirs == "required",
                    Takes::Optional | Takes::Joined => true,
                };
                let place = format!("{path} {}", ours.name.as_str());
                // The table would take an operand for a value: an effect could be missed.
                let swallows = ours.takes == Takes::Required && theirs == "none";
                let known = reviewed.iter().any(|(known, _)| *known == place);
                if swallows {
                    stale.remove(&*place);
                }
                if swallows && !known {
                    swallow.push(place.clone());
                }
                if !same && !known {
                    differ += 1;
                    let source = record["source"].as_str().unwrap_or_default();
                    println!("arity    {place}: ours {:?}, {source} {theirs}", ours.takes);
                }
            }
        }
    }
    println!("{compared} spellings compared, {differ} disagree, {} reviewed", reviewed.len());
    assert!(swallow.is_empty(), "{}", swallow.join("\n"));
    assert!(stale.is_empty(), "no longer needed: {stale:?}");
}

#[test]
fn attacks_without_an_effect_outside_are_listed() {
    for file in ["corpora/attacks.jsonl", "corpora/bypasses.jsonl"] {
        let Some(text) = shared(file) else { return };
        let programs = Programs::built_in();
        let (mut all, mut harmless) = (0, 0);
        for (tier, input) in simple_commands(&text) {
            let words = example::split(&input);
            let Some((name, arguments)) = words.split_first() else { continue };
            let name = name.literal().unwrap_or_default();
            let name = name.rsplit('/').next().unwrap_or(name);
            let stdin = crate::shell::deed::Stdin::Inherited;
            let span = Default::default();
            let invocation = Invocation { name, arguments, stdin: &stdin, span };
            let mut out = Vec::new();
            if ELSEWHERE.contains(&name) || !programs.deeds(&invocation, &mut out) {
                continue;
            }
            all += 1;
            let inside = |path: &crate::shell::deed::Text<'_>| {
                !path.text.starts_with(['/', '~']) && !path.text.contains("..")
            };
            let quiet = out.iter().all(|deed| match deed {
                Deed::Read { path, .. }
                | Deed::Write { path, .. }
                | Deed::Delete { path, .. }
                | Deed::Create { path }
                | Deed::WorkspaceCode { place: path } => inside(path),
                _ => false,
            });
            if quiet {
                harmless += 1;
                println!("harmless {tier} {input} => {}", example::render(&out));
            }
        }
        println!("{file}: {all} commands of known programs, {harmless} without an effect outside");
    }
}
