//! Helpers for the tests of the irregular programs.

use crate::shell::deed::{Deed, Invocation, Open, Stdin, Text, Unknown};
use crate::shell::syntax::Span;

/// Checks what a simple command would do, as [`render`] writes it.
pub(crate) fn check(line: &str, expected: &str) {
    assert_eq!(run(line, &Stdin::Inherited), expected, "{line}");
}

/// As [`check`], with something piped in.
pub(crate) fn check_piped(line: &str, expected: &str) {
    assert_eq!(run(line, &Stdin::Piped), expected, "| {line}");
}

/// Checks that something in a command is not understood.
pub(crate) fn check_opaque(line: &str) {
    let rendered = run(line, &Stdin::Inherited);
    assert!(rendered.contains('!'), "{line}: {rendered}");
}

/// Returns what a simple command would do.
pub(crate) fn run(line: &str, stdin: &Stdin<'static>) -> String {
    let words = split(line);
    let (program, arguments) = words.split_first().unwrap();
    let name = program.literal().unwrap().rsplit('/').next().unwrap().to_owned();
    let invocation = Invocation { name: &name, arguments, stdin, span: Span::default() };
    let mut out = Vec::new();
    assert!(super::deeds(&invocation, &mut out), "{name} is not irregular");
    render(&out)
}

/// Splits a line at blanks. Quotes and backslashes are taken away; `$x` is anything, several
/// arguments unless it is quoted; `$n` is a number; unquoted `*`, `?` and `[` are patterns.
pub(crate) fn split(line: &str) -> Vec<Text<'static>> {
    let mut words = Vec::new();
    let mut word: Option<Text<'static>> = None;
    let mut chars = line.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        if quote.is_none() && (c == ' ' || c == '\n') {
            words.extend(word.take());
            continue;
        }
        let start = u32::try_from(line.len() - chars.as_str().len()).unwrap();
        let text = word.get_or_insert_with(|| Text {
            span: Span { start: start - 1, end: start },
            ..Text::default()
        });
        text.span.end = start;
        let push = |text: &mut Text<'static>, c: char| text.text.to_mut().push(c);
        let open = |text: &mut Text<'static>, written: &str, what, many| {
            let start = u32::try_from(text.text.len()).unwrap();
            text.text.to_mut().push_str(written);
            let end = u32::try_from(text.text.len()).unwrap();
            text.open.push(Open { start, end, what });
            text.many |= many;
        };
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), c) => push(text, c),
            (None, '\'' | '"') => quote = Some(c),
            (None, '\\') => push(text, chars.next().unwrap()),
            (Some(_), '\\') if chars.as_str().starts_with(['"', '\\', '$']) => {
                push(text, chars.next().unwrap());
            }
            (_, '$') if chars.as_str().starts_with(['x', 'n']) => {
                let number = chars.next() == Some('n');
                let what = if number { Unknown::Number } else { Unknown::Anything };
                open(text, if number { "$n" } else { "$x" }, what, !number && quote.is_none());
            }
            (None, '*' | '?') => open(text, &c.to_string(), Unknown::Glob, true),
            (_, c) => push(text, c),
        }
    }
    words.extend(word);
    words
}

/// Writes deeds in one line: `read src/**; write a<any>.txt; !unknown_option`.
pub(crate) fn render(deeds: &[Deed<'_>]) -> String {
    deeds.iter().map(deed).collect::<Vec<_>>().join("; ")
}

/// Writes open places as `<any>`, and `+` behind what may be several arguments.
pub(crate) fn text(text: &Text<'_>) -> String {
    let mut out = String::new();
    let mut at = 0;
    for open in &text.open {
        out.push_str(text.text.get(at..open.start as usize).unwrap());
        out.push_str(match open.what {
            Unknown::Glob | Unknown::Name => "<glob>",
            Unknown::Below | Unknown::Tracked => "<below>",
            Unknown::Number | Unknown::Word => "<number>",
            Unknown::Mark | Unknown::Anything => "<any>",
        });
        at = open.end as usize;
    }
    out + text.text.get(at..).unwrap()
}

fn deed(deed: &Deed<'_>) -> String {
    let path = |path: &Text<'_>, recursive: bool| text(path) + if recursive { "/**" } else { "" };
    let argv = |argv: &[Text<'_>]| {
        let word = |word: &Text<'_>| text(word) + if word.many { "+" } else { "" };
        argv.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    let port = |port: &Option<u16>| port.map_or("?".to_owned(), |port| port.to_string());
    match deed {
        Deed::Read { path: p, recursive } => format!("read {}", path(p, *recursive)),
        Deed::Write { path: p, recursive } => format!("write {}", path(p, *recursive)),
        Deed::Delete { path: p, recursive } => format!("delete {}", path(p, *recursive)),
        Deed::Create { path: p } => format!("create {}", text(p)),
        Deed::Tracked { path: p, delete } => {
            format!("{} {}", if *delete { "discard" } else { "tracked" }, text(p))
        }
        Deed::Link { target, link, symbolic } => format!(
            "{} {} -> {}",
            if *symbolic { "symlink" } else { "link" },
            text(link),
            text(target)
        ),
        Deed::ChangeDirectory(path) => format!("cd {}", text(path)),
        Deed::Url { url, method } => format!("{method} {}", text(url)),
        Deed::Connect { host, port: p, udp } => {
            format!("connect {}{}:{}", if *udp { "udp " } else { "" }, text(host), port(p))
        }
        Deed::Service { host, port } => format!("service {host}:{port}"),
        Deed::Remote { kind, name } => format!("remote {kind} {}", text(name)),
        Deed::Listen { host, port: p, udp } => {
            format!("listen {}{}:{}", if *udp { "udp " } else { "" }, text(host), port(p))
        }
        Deed::Tunnel { direction, via, exposes } => {
            let exposes = exposes.as_ref().map_or("-".to_owned(), text);
            format!("tunnel {direction} {} {exposes}", text(via))
        }
        Deed::RemoteShell { peer, port: p } => format!("remote-shell {}:{}", text(peer), port(p)),
        Deed::Shell { script, login } => {
            format!("{} `{}`", if *login { "login-shell" } else { "shell" }, text(script))
        }
        Deed::Command { argv: words } => format!("run {}", argv(words)),
        Deed::CommandWith { argv: words, appended } => {
            format!("run-with {}{}", argv(words), if *appended { " …" } else { "" })
        }
        Deed::ForeignCode => "foreign-code".to_owned(),
        Deed::WorkspaceCode { place } => format!("workspace-code {}", text(place)),
        Deed::Package { ecosystem, name } => format!("package {ecosystem} {}", text(name)),
        Deed::Privilege(privilege) => format!("privilege {privilege}"),
        Deed::Identity(identity) => format!("identity {}", text(identity)),
        Deed::Secret(secret) => format!("secret {}", text(secret)),
        Deed::Environment { name, value } => format!("env {}={}", text(name), text(value)),
        Deed::Forget { name } => format!("forget {}", text(name)),
        Deed::Opaque { reason, .. } => {
            format!("!{}", reason.code().trim_start_matches("shell."))
        }
        other => format!("{other:?}"),
    }
}

/// Any line gives an answer.
#[test]
fn nothing_panics() {
    const PROGRAMS: [&str; 21] = [
        "find", "fd", "xargs", "parallel", "sed", "awk", "gawk", "tar", "nc", "ncat", "socat",
        "dd", "ssh", "scp", "sftp", "rsync", "make", "rg", "man", "jq", "yq",
    ];
    const WORDS: [&str; 64] = [
        "-",
        "--",
        "a",
        "'a b'",
        "-e",
        "-i",
        "-f",
        "-x",
        "-exec",
        "{}",
        "'{}é'",
        "+",
        "\\;",
        "$x",
        "\"$x\"",
        "\"é$x\"",
        "$n",
        "*",
        "é*",
        "-I{}",
        "-I",
        "x$n{}\"$x\"{}",
        "-C",
        "xzf",
        "cf",
        "h:p",
        "\"h$x\":p",
        "u@h",
        "TCP:h:80,x",
        "EXEC:a",
        "if=x",
        "of=$n",
        "X=y",
        "X!=é",
        "-o",
        "A=b",
        "--file=é",
        "--file",
        "-L",
        "1:é:2",
        "s/a/b/e",
        "'s/[/é]/'",
        "'a\\'",
        "'1~2,+é p'",
        "'{print'",
        "'\"é'",
        "'/é/{x|\"é\"}'",
        "'print>\"é\"'",
        ":::",
        "::::",
        "-x=é",
        "-é",
        "--é=$x",
        "\"-$x\"",
        "-e$x",
        "\"$n\"p",
        "\"s/$n/\"",
        "--arg",
        "-name",
        "(",
        "\\!",
        "-delete",
        "'é'",
        "",
    ];
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..20_000 {
        let mut line = PROGRAMS[random(PROGRAMS.len())].to_owned();
        for _ in 0..random(8) {
            line = line + " " + WORDS[random(WORDS.len())];
        }
        run(&line, &Stdin::Piped);
    }
}
