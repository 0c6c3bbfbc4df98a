//! What is accepted and how it is cooked, what is refused, and what it costs.

use std::ops::Add as _;

use crate::reason::Reason;
use crate::shell::syntax::{Command, Kind, List, Part, Redirect, Span, Word};

use super::oracle::Canon;
use super::{MAX_BRACE_BYTES, MAX_COMMANDS, MAX_DEPTH, MAX_LINE, MAX_WORDS, parse};

/// The words of the first command: literals joined, everything else in angle brackets.
#[track_caller]
fn check(line: &str, expected: &[&str]) {
    let parsed = parse(line).unwrap_or_else(|reject| panic!("{line:?}: {}", reject.why));
    let command = &parsed.list.pipelines[0].commands[0];
    let Kind::Simple { words, .. } = &command.kind else { panic!("{line:?} is not simple") };
    let words: Vec<String> = words.iter().map(cook).collect();
    assert_eq!(words, expected, "{line:?}");
}

#[track_caller]
fn check_tree(line: &str, expected: &str) {
    let parsed = parse(line).unwrap_or_else(|reject| panic!("{line:?}: {}", reject.why));
    assert_eq!(Canon::of(&parsed.list).trim_end(), expected, "{line:?}");
}

#[track_caller]
fn refuse(line: &str) {
    match parse(line) {
        Ok(parsed) => panic!("{line:?} is read as {}", Canon::of(&parsed.list)),
        Err(reject) => assert_ne!(reject.reason, Reason::ShellTooLarge, "{line:?}"),
    }
}

fn cook(word: &Word<'_>) -> String {
    let part = |part: &Part<'_>| match part {
        Part::Literal { text, .. } => text.to_string(),
        Part::Glob(text) => format!("<{text}>"),
        Part::Tilde(text) => format!("<~{text}>"),
        Part::Parameter { name, .. } => format!("<${name}>"),
        Part::Command { .. } => "<$()>".to_owned(),
        Part::Process { .. } => "<()>".to_owned(),
        Part::Arithmetic { .. } => "<(())>".to_owned(),
    };
    word.parts.iter().map(part).collect()
}

#[test]
fn quotes_are_cooked() {
    check("a 'b c' \"d e\" f\\ g", &["a", "b c", "d e", "f g"]);
    check("r'm' -r\"f\" \\x \"\" ''", &["rm", "-rf", "x", "", ""]);
    check(r#"a "b\"c\\d\$e\`f\g""#, &["a", "b\"c\\d$e`f\\g"]);
    check("a \"b\\\nc\" 'd\\\ne'", &["a", "bc", "d\\\ne"]);
    check(r"a $'b\n\t\x41\101\u0041\z\'\\'", &["a", "b\n\tAAA\\z'\\"]);
    check(r"a $'plain' x$'\e[0m'y", &["a", "plain", "x\u{1b}[0my"]);
    check(r"a $'\xe2\x9c\x93'", &["a", "✓"]);
    check("a \"$'b'\" \"b$\" $ $.", &["a", "$'b'", "b$", "$", "$."]);
    check("a é'日本'", &["a", "é日本"]);
    check("a b#c d\\#", &["a", "b#c", "d#"]);
    check("a \\\n  b \\\n\n", &["a", "b"]);
    check("a b\\\n  c", &["a", "b", "c"]);
}

#[test]
fn tildes_expand_where_bash_expands_them() {
    check("a ~ ~/x ~root/y ~+ ~-", &["a", "<~>", "<~>/x", "<~root>/y", "<~+>", "<~->"]);
    check("a x~ \"~\" \\~ ~\"root\" ~$x", &["a", "x~", "~", "~", "~root", "~<$x>"]);
    check("a x=~/b x=c:~ --x=~ x=b=~ 1x=~", &["a", "x=<~>/b", "x=c:<~>", "--x=~", "x=b=~", "1x=~"]);
    check("a x+=~ a:~ =~", &["a", "x+=<~>", "a:~", "=~"]);
    check_tree("x=~:~/b=~:c~", "[Then set x=‹tilde()u::tilde()u:/b=~:c~› |]");
    check_tree("a >~/b", "[Then ‹u:a›  <Write 1 None ‹tilde()u:/b›>|]");
}

#[test]
fn patterns_are_told_from_text() {
    check("a * b? [a-z]c [!x] []a]", &["a", "<*>", "b<?>", "<[a-z]>c", "<[!x]>", "<[]a]>"]);
    check("[ -f x ] [a a] \\* '*' \"?\"", &["[", "-f", "x", "]", "[a", "a]", "*", "*", "?"]);
    check("a [[:alpha:]]x a[/b] [a'b']", &["a", "<[[:alpha:]]>x", "a[/b]", "<[a><b><]>"]);
    check("a [$x] [-$x", &["a", "<[><$x><]>", "<[-><$x>"]);
}

#[test]
fn braces_expand_as_in_bash() {
    check("a {b,c}d", &["a", "bd", "cd"]);
    check("a x{,.bak} {,y}", &["a", "x", "x.bak", "y"]);
    check("a {b,c}{d,e}", &["a", "bd", "be", "cd", "ce"]);
    check("a {b,c{d,e}f}g", &["a", "bg", "cdfg", "cefg"]);
    check(
        "a {1..3} {3..1} {01..3} {-1..1} {1..9..4}",
        &["a", "1", "2", "3", "3", "2", "1", "01", "02", "03", "-1", "0", "1", "1", "5", "9"],
    );
    check("a {a..c} {c..a..2} {1..1}", &["a", "a", "b", "c", "c", "a", "1"]);
    check(
        "a {} {}.x x{} {b} {b}c,d {a..} {..a} {x..yy}",
        &["a", "{}", "{}.x", "x{}", "{b}", "{b}c,d", "{a..}", "{..a}", "{x..yy}"],
    );
    check(
        "a '{b,c}' \"{b,c}\" \\{b,c} {b\\,c} {b','c}",
        &["a", "{b,c}", "{b,c}", "{b,c}", "{b,c}", "{b,c}"],
    );
    check(
        "a {'b',\"c d\"}e {$x,y}/z $f{,.b} ${f}{g,h}",
        &["a", "be", "c de", "<$x>/z", "y/z", "<$f>", "<$f>.b", "<$f>g", "<$f>h"],
    );
    check("a {x{b,c}} {a{b}c,d}", &["a", "{xb}", "{xc}", "a{b}c", "d"]);
    check(
        "a HEAD@{1} HEAD~{1,2} %{http_code}",
        &["a", "HEAD@{1}", "HEAD~1", "HEAD~2", "%{http_code}"],
    );
    check("{echo,b} c", &["echo", "b", "c"]);
    check("a {b,$(c)}", &["a", "b", "<$()>"]);
    check_tree("x={a,b}", "[Then set x=‹u:{a,b}› |]");
    check_tree("x=({a,b})", "[Then set x=(‹u:a› ‹u:b› ) |]");
    check_tree("a <<<{b,c}*", "[Then ‹u:a›  <HereString 0 None ‹u:{b,c}*›>|]");
    for line in [
        "a {b},c}",
        "a {b,c",
        "a b},{c,d}",
        "a $x{b,c}",
        "a {$x,b}c",
        "a {$,b}c",
        "a ~{b,c}",
        "a {~,b}",
        "a {a{b,c}..d}",
        "a {b,`c`}",
        "a {b,$'c'}",
        "a {b,${x:-\"}\"}}",
        "a [{b,c}]",
        "a [b{c,d}]",
        "a >{b,c}",
        "a >{1..1}",
        "a {A..z}",
        "a {01..-3}",
        "a {1..99999999999}",
        "a x=~/{b,c}",
        "a {1..{2,3}}",
        "a x{}b,c}",
    ] {
        refuse(line);
    }
}

#[test]
fn expansions_are_read() {
    check(
        "a $x ${x} $1 $10 $@ $? $$ $! $- $# $*",
        &[
            "a", "<$x>", "<$x>", "<$1>", "<$1>0", "<$@>", "<$?>", "<$$>", "<$!>", "<$->", "<$#>",
            "<$*>",
        ],
    );
    check(
        "a ${#} ${?} ${!} ${#x} ${#@} ${10}",
        &["a", "<$#>", "<$?>", "<$!>", "<$x>", "<$@>", "<$10>"],
    );
    check("a \"$x\"b$(c)`d`\"$(e \"f\")\"", &["a", "<$x>b<$()><$()><$()>"]);
    check("a $((1 + (2) * $x)) <(b) >(c) x<(d)", &["a", "<(())>", "<()>", "<()>", "x<()>"]);
    check_tree("${x:-a $(b) \"c}\"}", "[Then ‹$x:-‹u:a ${[Then ‹u:b› |]\n}u: q:c}›› |]");
    check_tree("\"${x-'a b'}\"", "[Then ‹$xq-‹q:'a b'›› |]");
    check_tree("\"${x-\"a b\"c\\}}\"", "[Then ‹$xq-‹q:a bc}›› |]");
    check_tree("${x%%.*} ${x#a}", "[Then ‹$x%%‹u:.glob(*)›› ‹$x#‹u:a›› |]");
    check_tree("\"${x#\"$y\"}\"", "[Then ‹$xq#‹$yq›› |]");
    check_tree("${x//a\\/b/$c}", "[Then ‹$x//‹u:aq:/u:b›‹$c›› |]");
    check_tree("${x/#a}", "[Then ‹$x/#‹u:a›‹›› |]");
    check_tree("${x/a/&}", "[Then ‹$x‹u:a› ‹u:&› › |]");
    check_tree("${x:1:$y} ${x^^}", "[Then ‹$x‹u:1:$yq› › ‹$x‹› › |]");
    check_tree("\"${x[@]}\" ${#x[@]} ${x[0]}", "[Then ‹$@q› ‹$@#length› ‹$x› |]");
    for line in [
        "${x@P}",
        "${!x}",
        "${!x*}",
        "$[1]",
        "$\"a\"",
        "${ a; }",
        "${|a}",
        "${x[$y]}",
        "${x[a]}",
        "${}",
        "${x",
        "`a",
        "`a \\`b\\``",
        "`a \\$x`",
        "\"`a \\\"b\\\"`\"",
        "$(a",
        "$((1)",
        "$((a); (b))",
        "$((1 ) )",
        "a $\\\nx",
        "$x\\\ny",
        "\"$x\\\ny\"",
        "${x\\\ny}",
        "\"${x:-'}'}\"",
        "\"${x:-$'a'}\"",
        "${x/}",
        "${x///}",
        "${##a}",
        "${?:-a}",
        "${x~}",
        "$'\\0'",
        "$'\\1'",
        "$'\\x7f'",
        "$'\\x'",
        "$'\\xff'",
        "$'\\u00e9'",
        "$'\\cA'",
        "\"a",
        "'a",
        "$'a",
        "a\\",
        "${x:=a:~}",
        "${x%%+(a)}",
        "$(( 1 <(2) ))",
        "$(('1'))",
        "${x:-<(a)}",
        "1<(a)",
        "{x}<(a)",
        "${x:}",
        "$((`a`",
        "$((${x:-)5} + 1))",
        "\"${x:-<(}\"",
        "\"${x:-<(a)}\"",
        "`a '\\\nb'`",
        "$(\\\n(1))",
        "\"$(\\\n(1))\"",
        "(\\\n(1))",
        "${x@Q}",
        "a ~:/b",
        "a ~=~",
        "x=~=~",
        "a ~b:$x",
        "\"$${x}\"",
        "$$(a)",
        "${x[0]:=a}",
    ] {
        refuse(line);
    }
}

#[test]
fn redirections_are_read() {
    let redirect = |line: &str, expected: &str| {
        check_tree(line, &format!("[Then ‹u:a›  <{expected}>|]"));
    };
    redirect("a <b", "Read 0 None ‹u:b›");
    redirect("a 2>b", "Write 2 None ‹u:b›");
    redirect("a>>b", "Append 1 None ‹u:b›");
    redirect("a >|b", "Clobber 1 None ‹u:b›");
    redirect("a <>b", "ReadWrite 0 None ‹u:b›");
    redirect("a &>b", "WriteBoth 1 None ‹u:b›");
    redirect("a>&b", "WriteBoth 1 None ‹u:b›");
    redirect("a &>>b", "AppendBoth 1 None ‹u:b›");
    redirect("a 2>&1", "DuplicateOut 2 None ‹u:1›");
    redirect("a >&2", "DuplicateOut 1 None ‹u:2›");
    redirect("a >& $x", "DuplicateOut 1 None ‹$x›");
    redirect("a >&-", "DuplicateOut 1 None ‹u:-›");
    redirect("a 3<&0", "DuplicateIn 3 None ‹u:0›");
    redirect("a {fd}>b", "Write 1 Some(\"fd\") ‹u:b›");
    redirect("a <<<\"b c\"", "HereString 0 None ‹q:b c›");
    redirect("a <<E\nb $c\nE", "HereDocument 0 None ‹q:b $cqq:\n›");
    check("a2>b", &["a2"]);
    check("a 2 >b", &["a", "2"]);
    check("a 2&>b", &["a", "2"]);
    for line in [
        "a >&-b",
        "a <5>b",
        "a <<<5>b",
        "a >{b}>c",
        "a <<5>b\n5\n",
        "a >&{b}>c",
        "[[ 5>3 ]]",
        "[[ a > 5<3 ]]",
        "a >& -b",
        "a <& -b",
        "a >& \\\n-b",
        "a <&-b",
        "a >",
        "a > >b",
        "a 2>&b",
        "a <&b",
        "a >&\"1\"",
        "a >\\\n>b",
        "a 2\\\n>b",
        "a <\\\n<b",
        "a >\\\n&1",
        "a 99999>b",
        "a {x[0]}>b",
        "a {1}>b",
        "a >(b)c>(",
        "a >#b",
        "a 2>(b)",
        "a <<(b)",
        "a {x}>&b",
    ] {
        refuse(line);
    }
}

#[test]
fn here_documents_are_read() {
    check_tree(
        "a <<'E'\n$b `c\nE\nd",
        "[Then ‹u:a›  <HereDocument 0 None ‹q:$b `c\n›>|]\n[Then ‹u:d› |]",
    );
    check_tree("a <<-E\n\tb\n\t\tc\n\tE", "[Then ‹u:a›  <HereDocument 0 None ‹q:b\nc\n›>|]");
    check_tree(
        "a <<A <<B | c\n1\nA\n2\nB\nd",
        "[Then ‹u:a›  <HereDocument 0 None ‹q:1\n›> <HereDocument 0 None ‹q:2\n›>|‹u:c› |]\n[Then ‹u:d› |]",
    );
    check_tree(
        "a <<E && b\n$(c <<F\nx\nF\n)\nE",
        "[Then ‹u:a›  <HereDocument 0 None ‹${[Then ‹u:c›  <HereDocument 0 None ‹q:x\n›>|]\n}qq:\n›>|]\n[And ‹u:b› |]"
            .replace("‹${", "‹q${")
            .replace("}qq:", "}q:")
            .as_str(),
    );
    check_tree(
        "a <<E\nb\\\nc \\$ \\\" \\x\nE",
        "[Then ‹u:a›  <HereDocument 0 None ‹q:bc $ \\\" \\x\n›>|]",
    );
    check_tree(
        "(a <<E\nb\nE\n)",
        "[Then subshell{[Then ‹u:a›  <HereDocument 0 None ‹q:b\n›>|]\n}|]",
    );
    check_tree("a <<E # c\nb\nE", "[Then ‹u:a›  <HereDocument 0 None ‹q:b\n›>|]");
    check_tree("a <<E\nE", "[Then ‹u:a›  <HereDocument 0 None ‹›>|]");
    for line in [
        "a <<E",
        "a <<E\nb",
        "a <<E\nb\n E",
        "a <<E\nb\nE ",
        "a <<$x\nb\n$x",
        "a <<\"\"\n\n",
        "a <<E \"b\nc\"\nE",
        "a <<E $(b\nc)\nE",
        "$(a <<E)\nb\nE",
        "$(a <<E\nb\nE)",
        "$(a <<E\nEx) y\nE\n)",
        "a <<E\nb\\\nE\nE",
        "a <<EF\nE\\\nF\nEF",
        "a <<E\n$(b\nE",
        "a <<E\n$(b 'c\\\nd')\nE",
        "a <<E\n`b\nE",
        "a <<E\n${x:-\"}\"}\nE",
        "a <<-E\n$(b '\n\tc')\n\tE",
        "[[ a <<E\nb\nE ]]",
        "a <<E\n$[1]\nE",
        "`a <<E`\nb\nE",
        "a <<E <<F\n1\nE\nF1\n",
    ] {
        refuse(line);
    }
}

#[test]
fn lists_and_compounds_are_read() {
    check_tree("a; b & c\nd", "[Then ‹u:a› |]\n[Then& ‹u:b› |]\n[Then ‹u:c› |]\n[Then ‹u:d› |]");
    check_tree("a && b || c &", "[Then& ‹u:a› |]\n[And& ‹u:b› |]\n[Or& ‹u:c› |]");
    check_tree("! a | time b", "[Then! ‹u:a› |‹u:time› ‹u:b› |]");
    check_tree("time -p a |& b", "[Then! ‹u:a›  <DuplicateOut 2 None ‹u:1›>|‹u:b› |]");
    check_tree("x=1 y+=2 a", "[Then set x=‹u:1› set y+=‹u:2› ‹u:a› |]");
    check_tree("x=(a b) y=", "[Then set x=(‹u:a› ‹u:b› ) set y=‹› |]");
    check("declare -a x=(a $(b))", &["declare", "-a", "x=(a <$()>)"]);
    check_tree(
        "if a; then b; elif c; then d; else e; fi",
        concat!(
            "[Then if{[Then ‹u:a› |]\n}{[Then ‹u:b› |]\n}else{[Then if{[Then ‹u:c› |]\n}{[Then ‹u:d› |]\n}",
            "else{[Then ‹u:e› |]\n}|]\n}|]"
        ),
    );
    check_tree(
        "while a; do b; done <c",
        "[Then loop{[Then ‹u:a› |]\n}{[Then ‹u:b› |]\n} <Read 0 None ‹u:c›>|]",
    );
    check_tree(
        "for i in {1..2} $x; do a; done",
        "[Then for i ‹u:1› ‹u:2› ‹$x› do{[Then ‹u:a› |]\n}|]",
    );
    check_tree(
        "for ((i=$(a);;)) do b; done",
        "[Then ${[Then ‹u:a› |]\n}arithmetic for{[Then ‹u:b› |]\n}|]",
    );
    check_tree(
        "case $x in (a|b*) c;; *) ;& d) e;;& esac",
        "[Then ‹$x›‹u:a› ‹u:bglob(*)› arm{[Then ‹u:c› |]\n}‹glob(*)› arm{}‹u:d› arm{[Then ‹u:e› |]\n}|]",
    );
    check_tree(
        "f() { a; }; function g { b; }",
        "[Then function f group{[Then ‹u:a› |]\n}|]\n[Then function g group{[Then ‹u:b› |]\n}|]",
    );
    check_tree("{ (a) }", "[Then group{[Then subshell{[Then ‹u:a› |]\n}|]\n}|]");
    check_tree(
        "[[ $a == b* && ( -f c || ! d ) ]]",
        "[Then test ‹$a› ‹u:==› ‹u:bglob(*)› ‹u:&&› ‹u:(› ‹u:-f› ‹u:c› ‹u:||› ‹u:!› ‹u:d› ‹u:)› |]",
    );
    check_tree("[[ $a =~ ^(b|c d)+$ ]]", "[Then test ‹$a› ‹u:=~› ‹u:^(b|c d)+$› |]");
    check_tree("[[ a =~ b&&c ]]", "[Then test ‹u:a› ‹u:=~› ‹u:b› ‹u:&&› ‹u:c› |]");
    check_tree("((x = $(a)))", "[Then arithmetic ${[Then ‹u:a› |]\n}|]");
    check_tree("a # b; c\nd", "[Then ‹u:a› |]\n[Then ‹u:d› |]");
    check_tree("# a", "");
    check("echo if then } ] !", &["echo", "if", "then", "}", "]", "!"]);
    for line in [
        ";",
        "a;;b",
        "a & ;b",
        "&& a",
        "a |",
        "a ||",
        "|a",
        "a | | b",
        "a & & b",
        "(a",
        "a)",
        "()",
        "{ a",
        "{ }",
        "a; }",
        "if a; then b",
        "if a; fi",
        "then a",
        "fi",
        "do a",
        "in a",
        "]] a",
        "x=1 if",
        ">f if a; then b; fi",
        "(a) b",
        "{ a; } b",
        "{ a; } >f }",
        "fi fi",
        "if a; then b; fi c",
        "while a; done",
        "for i in a b do c; done",
        "for 1 in a; do b; done",
        "case a in b) c",
        "case a in b c) d;; esac",
        "case a in (esac) b;; esac",
        "f() a",
        "f() g() { a; }",
        "a b() { c; }",
        "\"f\"() { a; }",
        "$f() { a; }",
        "coproc a",
        "!(a)",
        "a !(b)",
        "a +(b)",
        "a @(b)",
        "a ?(b)",
        "a *(b)",
        "a(b)",
        "x[1]=2",
        "x[a b]=c",
        "x[$(a)]=b",
        "foo[ a; b ]",
        "x=([0]=a)",
        "x=(a)b",
        "x=(a;b)",
        "x=(a",
        "b x=(a)",
        "declare >f x=(a)",
        "a\\\nb",
        "i\\\nf a",
        "if\\\n a; then b; fi",
        "a &\\\n& b",
        "a |\\\n| b",
        "a ;\\\n; b",
        "a&\\\n>b",
        "time\na",
        "a | ! b",
        "[[ a",
        "[[ a b ]]",
        "[[ ]]",
        "[[ -f ]]",
        "[[ a\n]]",
        "[[ a == (b) ]]",
        "[[ a == @(b) ]]",
        "[[ a -a b ]]",
        "[[ (a ]]",
        "[[ a =~ (b ]]",
        "[[ a =~ b) ]]",
        "((a",
        "((a) )",
        "((a); b)",
        "for ((;)",
        "for ((;)); do a; done",
        "for ((;;;)); do a; done",
        "[[ a <<b ]]",
        "a \\",
        "[[ a #b\n]]",
    ] {
        refuse(line);
    }
}

#[test]
fn characters_that_cannot_be_seen_are_refused() {
    for line in [
        "a\rb",
        "a '\r'",
        "a\0",
        "a\u{b}b",
        "a\u{7f}",
        "a\u{1b}[0m",
        "a\u{a0}b",
        "a '\u{202e}'",
        "a \u{200b}",
        "a\u{2003}b",
        "a\u{feff}",
    ] {
        let reject = parse(line).unwrap_err();
        assert_eq!(reject.reason, Reason::ShellInvisibleCharacter, "{line:?}");
    }
    check("a\tb", &["a", "b"]);
}

#[track_caller]
fn edge(inside: &str, outside: &str) {
    if let Err(reject) = parse(inside) {
        panic!("{} at {:?}", reject.why, reject.span);
    }
    assert_eq!(parse(outside).unwrap_err().reason, Reason::ShellTooLarge);
}

#[test]
fn limits_deny_at_their_edge() {
    edge(&format!("a{}", " ".repeat(MAX_LINE - 1)), &format!("a{}", " ".repeat(MAX_LINE)));
    let depth = MAX_DEPTH as usize;
    let nest = |open: &str, count: usize, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(count), close.repeat(count))
    };
    for (open, middle, close) in [
        ("( ", "a", " )"),
        ("{ ", "a;", " };"),
        ("$(", "a", ")"),
        ("${x:-", "a", "}"),
        ("<(", "a", ")"),
        ("\"$(", "a", ")\""),
        ("if ", "a", ";then b;fi"),
        ("f() ", "{ a; }", ""),
        ("x=(", "a", ")"),
    ] {
        // A function is one level, its body another.
        let inside = if matches!(open, "f() " | "x=(") { 1 } else { depth };
        if inside == depth {
            edge(&nest(open, depth, middle, close), &nest(open, depth + 1, middle, close));
        } else {
            assert!(parse(&nest(open, inside, middle, close)).is_ok(), "{open}");
        }
    }
    edge(
        &format!("[[ {} ]]", nest("( ", depth - 1, "a", " )")),
        &format!("[[ {} ]]", nest("( ", depth, "a", " )")),
    );
    let commands = MAX_COMMANDS as usize;
    edge(&"a;".repeat(commands), &"a;".repeat(commands + 1));
    edge(&"a|".repeat(commands - 1).add("a"), &"a|".repeat(commands).add("a"));
    let words = MAX_WORDS as usize;
    edge(&"a ".repeat(words), &"a ".repeat(words + 1));
    edge(&format!("{{1..{words}}}"), &format!("{{1..{}}}", words + 1));
    edge("a {b,c}{b,c}{b,c}{b,c}", &format!("a {}", "{b,c}".repeat(13)));
    edge(&format!("x=({})", "a ".repeat(words - 1)), &format!("x=({})", "a ".repeat(words)));
    let long = "b".repeat(MAX_BRACE_BYTES / 8);
    edge(&format!("a {{1,2}}{long}"), &format!("a {{1..8}}{long}"));
    edge(
        &format!("a {{{}c", "{".repeat(depth - 2)).replace('{', "{x").add(&"}".repeat(depth - 1)),
        &format!("a {}", "{b,".repeat(depth + 1)),
    );
}

type Family = Box<dyn Fn(usize) -> String>;

#[test]
fn steps_are_linear_on_nasty_lines() {
    let families: Vec<(&str, Family)> = vec![
        ("parens", Box::new(|n| "(".repeat(n))),
        ("spaced parens", Box::new(|n| "( ".repeat(n))),
        ("groups", Box::new(|n| "{ ".repeat(n))),
        ("substitutions", Box::new(|n| "$(".repeat(n))),
        ("quoted substitutions", Box::new(|n| "\"$(".repeat(n))),
        ("parameters", Box::new(|n| "${x:-".repeat(n))),
        ("arithmetic", Box::new(|n| "$((".repeat(n))),
        ("arithmetic parens", Box::new(|n| format!("$(({}1{}))", "(".repeat(n), ")".repeat(n)))),
        ("here-documents", Box::new(|n| "<<a ".repeat(n))),
        (
            "here-documents with text",
            Box::new(|n| format!("a {}\n{}", "<<a ".repeat(n), "a\n".repeat(n))),
        ),
        ("here-documents that miss", Box::new(|n| format!("a <<a\n{}", "b\n".repeat(n)))),
        ("substituted here-documents", Box::new(|n| "$(a <<b)".repeat(n))),
        (
            "nested here-documents",
            Box::new(|n| {
                let n = n.min(22);
                let open: String = (0..n).map(|i| format!("$(a <<E{i}\n")).collect();
                let close: String = (0..n).rev().map(|i| format!("\nE{i}\n)")).collect();
                format!("{open}{}{close}", "x".repeat(4000))
            }),
        ),
        ("commas", Box::new(|n| "{a,".repeat(n))),
        ("closed braces", Box::new(|n| format!("{}{}", "{a,".repeat(n), "}".repeat(n)))),
        ("braces", Box::new(|n| format!("a {}", "{b}".repeat(n)))),
        ("sequences", Box::new(|n| format!("a {}", "{b..}".repeat(n)))),
        ("pairs", Box::new(|n| format!("a {}", "{b,c} ".repeat(n)))),
        ("nested braces in substitutions", Box::new(|n| "a {b,$(".repeat(n))),
        (
            "closed braces in substitutions",
            Box::new(|n| {
                let n = n.min(20);
                format!("{}c{}", "a {b,$(".repeat(n), ")}".repeat(n)).add(&"x".repeat(1000))
            }),
        ),
        ("backticks", Box::new(|n| "`".repeat(n))),
        ("backticks in quotes", Box::new(|n| "\"`a`\"".repeat(n))),
        ("case", Box::new(|n| format!("case a in {} esac", "b|c) ;; ".repeat(n)))),
        ("brackets", Box::new(|n| "[".repeat(n))),
        ("tests", Box::new(|n| "[[ ".repeat(n))),
        ("test parens", Box::new(|n| format!("[[ {}", "( ".repeat(n)))),
        ("classes", Box::new(|n| format!("a {}", "[[:".repeat(n)))),
        ("half brackets", Box::new(|n| format!("a {}", "[$x".repeat(n)))),
        ("quotes", Box::new(|n| "''\"\"".repeat(n))),
        ("escapes", Box::new(|n| "\\a".repeat(n))),
        ("quoted escapes", Box::new(|n| format!("\"{}\"", "\\$".repeat(n)))),
        ("continuations", Box::new(|n| "\\\n".repeat(n))),
        ("continued words", Box::new(|n| "a\\\n ".repeat(n))),
        ("tildes", Box::new(|n| format!("x={}", "~:".repeat(n)))),
        (
            "tildes behind a long name",
            Box::new(|n| format!("b {}{}", "a".repeat(n), ":~".repeat(n))),
        ),
        ("tildes in arguments", Box::new(|n| format!("a xxxx={}", ":~".repeat(n)))),
        ("assignments", Box::new(|n| "x=1 ".repeat(n))),
        ("arrays", Box::new(|n| "x=(".repeat(n))),
        ("digits", Box::new(|n| "1".repeat(n))),
        ("numbers", Box::new(|n| "1 ".repeat(n))),
        ("bangs", Box::new(|n| "! ".repeat(n))),
        ("times", Box::new(|n| "time ".repeat(n))),
        ("functions", Box::new(|n| "f() ".repeat(n))),
        ("ifs", Box::new(|n| "if ".repeat(n))),
        ("processes", Box::new(|n| "<(".repeat(n))),
        ("redirections", Box::new(|n| ">a ".repeat(n))),
        ("braced descriptors", Box::new(|n| "{a}{a}>b ".repeat(n))),
        ("comments", Box::new(|n| "#a\n".repeat(n))),
        ("continued descriptors", Box::new(|n| "{aaaaaa".repeat(n))),
    ];
    for (name, family) in families {
        for count in [1, 16, 200, 3000, 12000] {
            let mut line = family(count);
            line.truncate(MAX_LINE);
            let mut parser = super::cursor::Parser::new(&line);
            let _ = parser.list();
            let allowed = 60 * (line.len() as u64 + 64);
            assert!(parser.steps <= allowed, "{name} × {count}: {} steps", parser.steps);
            if count >= 3000 {
                println!(
                    "{name} × {count}: {:.2} steps a byte",
                    parser.steps as f64 / line.len() as f64
                );
            }
        }
    }
}

/// The deepest lines fit a small stack, in a debug build too.
#[test]
fn depth_needs_little_stack() {
    let depth = MAX_DEPTH as usize;
    let lines = [
        "( ",
        "{ ",
        "$(",
        "\"$(",
        "${x:-",
        "\"${x:-$(",
        "if ",
        "a {b,$(",
        "x=($(",
        "[[ $(",
        "case $(",
    ]
    .map(|open| open.repeat(depth + 1));
    let run = move || lines.iter().for_each(|line| drop(parse(line)));
    std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}

/// Every span lies in the line, in that of what holds it, and in order.
#[test]
fn spans_nest() {
    for line in [
        "a 'b' $(c d) >e; { f; } | g",
        "if a; then b <<E\nx $(y)\nE\nfi",
        "x=1 a ${b:-$(c)} {d,e}",
        "[[ a == b ]] && ((c))",
        "f() { a; }",
        "case $x in a|b) c;; esac",
        "a |& b",
        "for i in a b; do c; done",
        "`a b`",
    ] {
        let parsed = parse(line).unwrap();
        spans_of_list(&parsed.list, Span { start: 0, end: u32::try_from(line.len()).unwrap() });
    }
}

fn spans_of_list(list: &List<'_>, outer: Span) {
    for command in list.pipelines.iter().flat_map(|pipeline| &pipeline.commands) {
        spans_of_command(command, outer);
    }
}

fn inside(inner: Span, outer: Span) {
    assert!(inner.start <= inner.end, "{inner:?}");
    assert!(outer.start <= inner.start && inner.end <= outer.end, "{inner:?} in {outer:?}");
}

fn spans_of_command(command: &Command<'_>, outer: Span) {
    inside(command.span, outer);
    for Redirect { span, target, .. } in &command.redirects {
        inside(*span, outer);
        // The text of a here-document stands elsewhere.
        inside(target.span, outer);
    }
    if let Kind::Simple { assignments, words } = &command.kind {
        for assignment in assignments {
            inside(assignment.span, command.span);
        }
        for word in words {
            inside(word.span, command.span);
            for part in &word.parts {
                if let Part::Command { list, .. } = part {
                    spans_of_list(list, word.span);
                }
            }
        }
    }
}
