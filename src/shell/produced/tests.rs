use super::*;
use crate::shell::parse::parse;

#[test]
fn streams_of_names_are_followed() {
    let check = |line: &str, expected: Option<&[&str]>| {
        let parsed = parse(line).unwrap();
        let (_, upstream) = parsed.list.pipelines[0].commands.split_last().unwrap();
        let words = |stream: &Stream| stream.form == Form::Words;
        let found = stream(upstream).filter(words).map(|stream| stream.below);
        let expected = expected.map(|all| all.iter().map(|&one| one.to_owned()).collect());
        assert_eq!(found, expected, "{line}");
    };
    check("find . -name '*.c' | xargs x", Some(&["."]));
    check("find src lib -type f | sort | head -5 | xargs x", Some(&["src", "lib"]));
    check("find . -exec cat {} + | xargs x", None);
    check("find .. | xargs x", None);
    check(
        "find /a -printf '%s %p\\n' | sort -rn | head -n 10 | awk '{print $2}' | xargs x",
        Some(&["/a", ""]),
    );
    check("find . -printf '/etc/%f\\n' | xargs x", None);
    check("find . | sed 's/^/x/' | xargs x", Some(&[""]));
    check("find . | grep -v test | xargs x", Some(&["."]));
    check("find . | grep -o '/.*' | xargs x", None);
    check("find . | grep foo file | xargs x", None);
    check("ls src | xargs x", Some(&["src", ""]));
    check("ls *.php | xargs x", Some(&["", ""]));
    check("ls -l | xargs x", None);
    check("du -h src | sort -h | awk '{print $2}' | xargs x", Some(&[".", "", "src"]));
    check("find . | tr '\\n' '\\0' | xargs -0 x", Some(&["."]));
    check("find . | awk 'NR>5' | xargs x", Some(&["."]));
    check("find . | awk '{print \"/etc\" $1}' | xargs x", None);
    check("ls -a | xargs x", None);
    check("grep -rl foo . | xargs x", Some(&["."]));
    check("grep -l foo *.c | xargs x", Some(&[""]));
    check("grep foo . | xargs x", None);
    check("git ls-files | xargs x", Some(&[""]));
    check("find . | cut -d/ -f2- | xargs x", Some(&[""]));
    check("find /srv | cut -d/ -f1,3 | xargs x", None);
    check("find /srv | cut -d/ -f3 | xargs x", Some(&["", "/srv"]));
    check("echo x | xargs x", None);
    check("cat list | xargs x", None);
    check("find . > f | xargs x", None);
    check("find . 2> /dev/null | xargs x", Some(&["."]));
    check("git ls-files 2>&1 | xargs x", None);
    check("find . | sort 2 | xargs x", None);
    check("find . | tail +5 | xargs x", None);
    check("find . | sort -k 2 -t / | xargs x", Some(&["."]));
    check("find . -printf '%p' | xargs x", None);
    check("git diff --name-only --line-prefix=/etc/ | xargs x", None);
    check("git diff -- --name-only | xargs x", None);
    check("git grep -h -e -l | xargs x", None);
}

/// The places of what the commands before `xargs` print, as it takes them.
fn check_taken(line: &str, expected: Option<&[&str]>) {
    let parsed = parse(line).unwrap();
    let (last, upstream) = parsed.list.pipelines[0].commands.split_last().unwrap();
    let arguments = words(last).unwrap();
    let found = by(upstream, &arguments[1..], true).map(|stream| stream.below);
    let expected = expected.map(|all| all.iter().map(|&one| one.to_owned()).collect());
    assert_eq!(found, expected, "{line}");
}

#[test]
fn rows_of_a_long_list_have_columns() {
    check_taken("ls -l src | awk '{print $9}' | xargs x", Some(&["src", ""]));
    check_taken("ls -l | grep '^d' | tr -s ' ' | cut -d' ' -f9 | xargs x", Some(&[""]));
    check_taken("ls -l | awk 'NR>1 {print $5, $9}' | sort -n | xargs x", Some(&[""]));
    check_taken("ls -l | awk '{if ($5 > 100) print $9}' | xargs x", Some(&[""]));
    // The first column begins with a dash, and what a link names stands behind the name.
    check_taken("ls -l | xargs x", None);
    check_taken("ls -l | awk '{print $1}' | xargs x", None);
    check_taken("ls -l | awk '{print $11}' | xargs x", None);
    check_taken("ls -l | awk '{print $NF}' | xargs x", None);
    check_taken("ls -l | awk '{print}' | xargs x", None);
    check_taken("ls -l | cut -d' ' -f9- | xargs x", None);
    check_taken("ls -go | awk '{print $9}' | xargs x", None);
    check_taken("ls -il | awk '{print $2}' | xargs x", None);
    check_taken("ls -l --time-style=+ | awk '{print $9}' | xargs x", None);
    // Nor is the ninth one that of a name where `..` is one.
    check_taken("ls -la | awk '{print $5}' | xargs x", Some(&[""]));
    check_taken("ls -la | awk '{print $9}' | xargs x", None);
    check_taken("ls -l | uniq -c | awk '{print $2}' | xargs x", None);
    let parsed = parse("ls -l | x").unwrap();
    let (_, upstream) = parsed.list.pipelines[0].commands.split_last().unwrap();
    assert_eq!(lines(upstream), None);
}

#[test]
fn names_stand_before_a_colon() {
    check_taken("grep -rn foo . | cut -d: -f1 | sort -u | xargs x", Some(&[".", ""]));
    check_taken("grep -n foo a b | awk -F: '{print $1}' | xargs x", Some(&["a", "b", ""]));
    check_taken("grep -H foo a | sed 's/:.*//' | xargs x", Some(&["a", ""]));
    check_taken("git ls-files | xargs file | cut -d: -f1 | xargs x", Some(&["", ""]));
    check_taken("grep -rn foo . | xargs x", None);
    check_taken("grep -rn foo . | cut -d: -f2 | xargs x", None);
    check_taken("grep -rn foo . | cut -d: -f1- | xargs x", None);
    check_taken("grep -rn foo . | cut -d' ' -f1 | xargs x", None);
    check_taken("grep -rhn foo . | cut -d: -f1 | xargs x", None);
    // A single file has no name in front, and a pattern may be one.
    check_taken("grep -r foo a | cut -d: -f1 | xargs x", None);
    check_taken("grep foo a | cut -d: -f1 | xargs x", None);
    check_taken("grep foo * | cut -d: -f1 | xargs x", None);
    check_taken("grep -H foo /a:b/c | cut -d: -f1 | xargs x", None);
    check_taken("cat x | grep -rn foo . | cut -d: -f1 | xargs x", None);
}

#[test]
fn edited_names_stay_below() {
    check_taken("find . | sed 's/$/.bak/' | xargs x", Some(&[""]));
    check_taken("find src | sed 's/.*/&.bak/' | xargs x", Some(&[""]));
    check_taken("find /a -type d | sed 's|$|/x.txt|' | xargs x", Some(&["/a"]));
    check_taken("find . | sed 's|^\\./||; s/foo/bar/g' | xargs x", Some(&[""]));
    check_taken("find . | sed 's/\\.c$//' | xargs x", Some(&[""]));
    check_taken("find . | sed -n '2,5p' | xargs x", Some(&["."]));
    check_taken("find . | sed '1d;/x/d' | xargs x", Some(&["."]));
    check_taken("find . | sed 's/.*/\"&\"/' | xargs x", Some(&["."]));
    check_taken("find /a | sed 's/$/.bak/' | xargs x", None);
    check_taken("find . | sed 's|^|/etc/|' | xargs x", None);
    check_taken("find . | sed 's|^\\.||' | xargs x", None);
    check_taken("find . | sed 's/./../' | xargs x", None);
    check_taken("find . | sed 's|$|/../..|' | xargs x", None);
    check_taken("find . | sed 's|$|./x|' | xargs x", None);
    check_taken("find . | sed 's/a/-rf/' | xargs x", None);
    check_taken("find . | sed 's/a/b /' | xargs x", None);
    check_taken("find . | sed 's/\\(.\\)\\(.*\\)/\\2/' | xargs x", None);
    check_taken("find . | sed 's/a/b/w out' | xargs x", None);
    check_taken("find . | sed 's/a/b/e' | xargs x", None);
    check_taken("find . | sed '1r /etc/passwd' | xargs x", None);
    check_taken("find . | sed '1d' list | xargs x", None);
    // Two edits could leave two dots of a name.
    check_taken("find . | sed 's/a/.b/;s/b/.c/;s/\\.c$//' | xargs x", None);
    check_taken("find .// | sed 's|^\\./||' | xargs x", None);
    check_taken("find .// | cut -d/ -f2- | xargs x", None);
    check_taken("find . | sed 's/.*/\"&\"/' | xargs -0 x", None);
}

#[test]
fn xargs_takes_lines_and_runs_programs() {
    check_taken("find . | xargs -d '\\n' x", Some(&["."]));
    check_taken("find . | xargs -d : x", None);
    check_taken("find . | xargs -n 1 -P4 x", Some(&["."]));
    check_taken("find . -print0 | xargs -n 1 -0 x", Some(&["."]));
    check_taken("find . | xargs -a list x", None);
    check_taken("find . | xargs grep -l foo | xargs x", Some(&["."]));
    check_taken("find . -print0 | xargs -0 ls -t | tail -n +5 | xargs x", Some(&[".", ""]));
    check_taken("find . | xargs -n1 dirname | sort -u | xargs x", Some(&[""]));
    check_taken("find /a | xargs -n1 basename | xargs x", Some(&["", "/a"]));
    check_taken("find . | xargs cat | xargs x", None);
    check_taken("find . | xargs file | xargs x", None);
    check_taken("find . | xargs grep foo | xargs x", None);
    check_taken("find . | xargs -I{} grep -l {} /etc/passwd | xargs x", None);
    check_taken("find . | xargs -I{} grep -l {} f{} | xargs x", None);
    check_taken("find /a | xargs -n1 dirname | xargs x", None);
    check_taken("find . | xargs readlink -f | xargs x", None);
    check_taken("find . | xargs echo /etc | xargs x", None);
    check_taken("find . | xargs -I{} echo /etc/{} | xargs x", None);
    // All names become one, which begins as the first does.
    check_taken("find . | xargs -0 x", Some(&[""]));
    check_taken("find . -print0 | xargs x", Some(&[""]));
    check_taken("find /a -print0 | xargs x", None);
    // Of two words, one name is made.
    check_taken("find /a -printf '%p %s\\n' | xargs -I{} x {}", None);
    check_taken("rg -l foo src | xargs x", Some(&["src"]));
    check_taken("rg foo src | xargs x", None);
    check_taken("rg -l foo* | xargs x", None);
    check_taken("find . -printf '%T@ %Tc %p\\n' | cut -d' ' -f3- | xargs x", Some(&[".", ""]));
    check_taken("find . -printf '%l\\n' | xargs x", None);
    check_taken("find . -printf '%Tc%l\\n' | xargs x", None);
    check_taken("find . -printf 'x%p\\n' | xargs x", None);
}

#[test]
fn what_echo_says_is_known() {
    let check = |line: &str, expected: Option<&[&[&str]]>| {
        let parsed = parse(line).unwrap();
        let (last, upstream) = parsed.list.pipelines[0].commands.split_last().unwrap();
        let arguments = words(last).unwrap();
        let found = given(upstream, &arguments[1..]);
        let argv = [Text::known("p", Span::default())];
        let found = found.map(|all| {
            let filled = all.iter().map(|given| given.fill(&argv, Span::default()));
            filled
                .map(|argv| argv.into_iter().skip(1).map(|t| t.text.into_owned()).collect())
                .collect()
        });
        let own = |all: &&[&str]| all.iter().map(|&one| one.to_owned()).collect();
        let expected: Option<Vec<Vec<String>>> = expected.map(|all| all.iter().map(own).collect());
        assert_eq!(found, expected, "{line}");
    };
    check("echo a b | xargs p", Some(&[&["a", "b"]]));
    check("echo a b | xargs -n 1 p", Some(&[&["a"], &["b"]]));
    check("echo 'a  b' | xargs -d '\\n' p", Some(&[&["a  b"]]));
    check("printf 'a\\nb c' | xargs p", Some(&[&["a", "b", "c"]]));
    check("printf '%s\\n' a -rf | xargs p", Some(&[&["a", "-rf"]]));
    check("echo -n a | xargs p", Some(&[&["a"]]));
    check("echo | xargs p", Some(&[&[]]));
    check("echo -e 'a\\tb' | xargs p", None);
    check("echo '\\x2fetc' | xargs p", None);
    check("echo \"'a b'\" | xargs p", None);
    check("printf '\\57etc' | xargs p", None);
    check("printf 'a%s' b | xargs p", None);
    check("echo a* | xargs p", None);
    check("echo $x | xargs p", None);
    check("echo a | cat - f | xargs p", None);
    check("echo a 2>&1 | xargs p", None);
    check("echo a | xargs -0 p", None);
    check("echo a | xargs -a f p", None);
}
