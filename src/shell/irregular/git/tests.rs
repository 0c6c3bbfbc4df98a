//! What each subcommand does, and what of it is refused.

use crate::shell::irregular::testing::{check, check_opaque};

const HISTORY: &str = "write .git/index; write .git/objects; workspace-code .; write .git/refs";
const CODE: &str = "workspace-code .";
const INDEX: &str = "write .git/index; write .git/objects; workspace-code .";

fn check_tree(line: &str, before: &str) {
    check(line, &format!("read .; {before}tracked .; {HISTORY}"));
}

#[test]
fn looking() {
    for line in [
        "git status",
        "git status --short --branch",
        "git status -uno",
        "git log --oneline -5",
        "git log -n1 --format=%at",
        "git log --since 3.weeks --author=a -p",
        "git diff --cached",
        "git diff HEAD~1 --stat",
        "git show --stat",
        "git ls-files -z",
        "git rev-parse --short HEAD",
        "git branch",
        "git branch -a",
        "git branch --no-merged",
        "git branch --show-current",
        "git tag -l 'v*' --sort=-version:refname",
        "git blame -L 10,20 a.txt",
        "git rev-list -n 1 \"refs/tags/$x\"",
        "git shortlog -sn",
        "git describe --tags --always",
        "git stash list",
        "git remote -v",
        "git remote get-url origin",
        "git reflog",
        "git config user.name",
        "git config --get a.b",
        "git config -l",
        "git worktree list",
        "git log -- \"$x\"",
        "git grep -n pattern",
        "git grep -e \"$x\" -- src",
        "git symbolic-ref HEAD",
        "git for-each-ref --sort -committerdate",
        "git fsck",
        "git merge-base a b",
    ] {
        // A path that `diff` or `blame` names is read as well.
        let expected = "read .".to_owned();
        let rendered = crate::shell::irregular::testing::run(line, &Default::default());
        let looks = rendered.split("; ").all(|deed| deed.starts_with("read ") || deed == CODE);
        assert!(looks && rendered.starts_with(&expected), "{line}: {rendered}");
    }
    check("git", "");
    check("git --version", "");
    check("git log -h", "");
    check("git log --help", CODE);
    check("git help log", CODE);
    check("git help --web log", CODE);
    check("git -P log", "read .; workspace-code .");
    check("git show HEAD:.env", "read .; read .env; workspace-code .");
    check("git cat-file blob HEAD:.env", "read .; read .env; workspace-code .");
    // An object that is not there is fetched by what the configuration names.
    check("git rev-list HEAD", "read .; workspace-code .");
    check("git rev-parse HEAD~1", "read .; workspace-code .");
    check("git rev-parse --abbrev-ref HEAD", "read .");
    check("git rev-parse --verify origin/v1.2", "read .");
    check(
        "git diff /etc/passwd a",
        "read .; read /etc/passwd; read /etc/passwd; read a; workspace-code .",
    );
    check("git diff --no-index -- a \"$x\"", "read .; read a; read <any>; workspace-code .");
    check("git diff -- \"$x\" a", "read .; read <any>; read a; workspace-code .");
    check("git diff main -- \"$x\"", "read .; read main; workspace-code .");
    check("git diff -Oorder", "read .; read order; workspace-code .");
    check(
        "git blame --contents /etc/passwd a",
        "read .; read a; read /etc/passwd; workspace-code .",
    );
    check("git grep -f /etc/passwd", "read .; read /etc/passwd; workspace-code .");
    check("git grep --no-index x /etc", "read .; read /etc; read /etc; workspace-code .");
    check("git ls-files -X /etc/x", "read .; read /etc/x; workspace-code .");
}

#[test]
fn writing_through_an_option() {
    check("git log --output=/etc/x", "read .; write /etc/x; !unknown_option; workspace-code .");
    check(
        "git show --format=%x6f --no-patch --output=payload",
        "read .; write payload; !unknown_option; workspace-code .",
    );
    check("git diff --output x", "read .; write x; !unknown_option; workspace-code .");
    check("git stash show --output=x", "read .; write x; !unknown_option; workspace-code .");
    check("git reflog --output=x", "read .; write x; !unknown_option; workspace-code .");
    check("git shortlog --output=x", "read .; write x; !unknown_option; workspace-code .");
    check("git archive -o x.tar HEAD", "read .; write x.tar; workspace-code .");
    check("git bundle create x.bundle HEAD", "read .; write x.bundle");
    check("git format-patch HEAD~3", "read .; workspace-code .; write <glob>.patch");
    check("git format-patch -o /tmp/x HEAD~3", "read .; workspace-code .; create /tmp/x");
    check("git format-patch --stdout HEAD", "read .; workspace-code .");
    check("git fast-export --export-marks=/etc/x --all", "read .; write /etc/x; workspace-code .");
    check("git merge-file a b c", "read .; read a; read b; read c; write a");
    check("git checkout-index -a --prefix=/tmp/x/", &format!("read .; create /tmp/x/; {INDEX}"));
    check(
        "git read-tree --index-output=/etc/x HEAD",
        &format!("read .; write /etc/x; tracked .; {HISTORY}"),
    );
    check("git hash-object /etc/passwd", "read .; read /etc/passwd; workspace-code .");
    check_opaque("git hash-object --stdin-paths");
}

#[test]
fn changing() {
    check("git add .", &format!("read .; {INDEX}"));
    check("git add -A -- \"$x\"", &format!("read .; {INDEX}"));
    check("git commit -m \"$x\"", &format!("read .; {HISTORY}"));
    check("git commit -am 'a b' --no-verify", &format!("read .; {HISTORY}"));
    check("git commit -F /etc/passwd", &format!("read .; read /etc/passwd; {HISTORY}"));
    check("git reset HEAD~1", &format!("read .; {HISTORY}"));
    check_tree("git reset --hard", "discard .; ");
    check("git checkout -f main", &format!("read .; discard .; tracked .; {HISTORY}"));
    check("git add *.rs", &format!("read .; {INDEX}"));
    check("git rm *.rs", &format!("read .; delete ./<glob>.rs; {INDEX}"));
    check("git lfs env", "read .; workspace-code .");
    check("git lfs track '*.bin'", "read .; write .gitattributes; workspace-code .");
    check("git checkout main", &format!("read .; tracked .; {HISTORY}"));
    check(
        "git checkout -- /etc/x src",
        &format!("read .; write /etc/x; tracked /etc/x; write src; tracked src; {HISTORY}"),
    );
    check("git checkout -qbfeature", &format!("read .; {HISTORY}"));
    check("git switch -c topic", &format!("read .; {HISTORY}"));
    check("git restore ../x", &format!("read .; write ../x; tracked ../x; {INDEX}"));
    check("git restore :/", &format!("read .; tracked .; {INDEX}"));
    check("git restore --staged .", &format!("read .; {INDEX}"));
    check_tree("git merge --no-ff topic", "");
    check_tree("git rebase -i HEAD~3", "");
    check_tree("git rebase --continue", "");
    check_tree("git cherry-pick abc", "");
    check_tree("git stash", "");
    check_tree("git stash push -m x -- a", "");
    check_tree("git apply x.patch", "read x.patch; ");
    check("git apply --check x.patch", "read .; read x.patch");
    check_tree("git am < x", "read <; read x; ");
    check("git rm -r a", &format!("read .; delete a; discard a; {INDEX}"));
    check("git rm --cached a", &format!("read .; {INDEX}"));
    check("git mv a b", &format!("read .; delete a/**; write b/**; {INDEX}"));
    check("git clean -fdx", "read .; discard .; workspace-code .");
    check("git clean -fd /srv/x", "read .; delete /srv/x; discard /srv/x; workspace-code .");
    check("git clean -n", "read .");
    check("git branch -d a", &format!("read .; {HISTORY}"));
    for line in ["git branch -u o/a", "git branch -m a b", "git branch -C a b"] {
        check(line, &format!("read .; write .git/config; {HISTORY}"));
    }
    check("git branch --unset-upstream", &format!("read .; write .git/config; {HISTORY}"));
    check("git sparse-checkout set a", &format!("read .; write .git/config; tracked .; {HISTORY}"));
    check("git sparse-checkout reapply", &format!("read .; tracked .; {HISTORY}"));
    check("git tag -m a v1", &format!("read .; {HISTORY}"));
    check("git tag v1", &format!("read .; {HISTORY}"));
    check(
        "git init",
        "read .; write .git/HEAD; write .git/description; write .git/info; write .git/objects; write .git/refs",
    );
    check(
        "git init /home/x",
        "read .; read /home/x; write /home/x/.git/HEAD; write /home/x/.git/description; write /home/x/.git/info; write /home/x/.git/objects; write /home/x/.git/refs",
    );
    check("git worktree add /tmp/x", &format!("read .; create /tmp/x; {HISTORY}"));
    check("git worktree remove x", &format!("read .; delete x/**; {HISTORY}"));
    check("git config user.name x", "read .; write .git/config");
    check("git gc --aggressive", &format!("read .; {HISTORY}"));
}

#[test]
fn talking_to_others() {
    check("git push", "remote git origin; read .; write .git/refs; workspace-code .");
    check(
        "git push -u origin main",
        "remote git origin; read .; write .git/refs; workspace-code .",
    );
    check(
        "git push --force upstream",
        "remote git upstream; read .; write .git/refs; workspace-code .",
    );
    check(
        "git push https://x.org/a",
        "POST https://x.org/a; read .; write .git/refs; workspace-code .",
    );
    check(
        "git push --repo=https://x.org/a",
        "POST https://x.org/a; read .; write .git/refs; workspace-code .",
    );
    check("git push git@x.org:a/b", "connect x.org:22; read .; write .git/refs; workspace-code .");
    check(
        "git push ../x",
        "read ../x/**; write ../x/**; workspace-code ../x; read .; write .git/refs; workspace-code .",
    );
    check("git fetch --all", &format!("remote git <any>; read .; {HISTORY}"));
    check("git fetch ssh://a@x.org:2222/b", &format!("connect x.org:2222; read .; {HISTORY}"));
    check("git fetch git://x.org/b", &format!("connect x.org:9418; read .; {HISTORY}"));
    check("git pull --rebase", &format!("remote git origin; read .; tracked .; {HISTORY}"));
    check("git ls-remote --tags", "read .; remote git origin; workspace-code .");
    check("git clone https://x.org/a/b.git", "GET https://x.org/a/b.git; create b");
    check("git clone --depth 1 -b main https://x.org/a/b c", "GET https://x.org/a/b; create c");
    check("git clone a/b.bundle", "read a/b.bundle/**; workspace-code a/b.bundle; create b");
    check("git clone --recursive x.org:a/b", "connect x.org:22; remote git <any>; create b");
    check("git clone \"https://x.org/$x\" a", "GET https://x.org/<any>; create a");
    check("git archive --remote=origin HEAD", "read .; workspace-code .; remote git origin");
    check("git remote add x https://x.org/a", "read .; write .git/config; workspace-code .");
    check("git remote show origin", &format!("read .; remote git origin; {HISTORY}"));
    check(
        "git submodule update --init",
        &format!("read .; remote git <any>; tracked .; write .git/modules; {HISTORY}"),
    );
    check("git submodule status", "read .; workspace-code .");
}

#[test]
fn another_directory() {
    check("git -C repo status", "workspace-code repo; read repo; workspace-code repo");
    check(
        "git -C a -C b log --output=x",
        "workspace-code a; workspace-code a/b; read a/b; write a/b/x; !unknown_option; workspace-code a/b",
    );
    check(
        "git -C a -C /b add x",
        "workspace-code a; workspace-code /b; read /b; write /b/.git/index; write /b/.git/objects; workspace-code /b",
    );
    check(
        "git -C \"$x\" log --output=x",
        "workspace-code <any>; read <any>; write <any>/x; !unknown_option; workspace-code <any>",
    );
    check("git -C . status", "workspace-code .; read .; workspace-code .");
    check("git -c color.ui=always -c user.name=\"x y\" log", "read .; workspace-code .");
    check("git -c core.pager=cat -c Core.Editor=true log", "read .; workspace-code .");
}

#[test]
fn what_runs_other_programs_is_opaque() {
    for line in [
        "git -c core.pager=less log",
        "git -c core.sshCommand='touch x' fetch",
        "git -c 'alias.x=!touch x' x",
        "git -c core.fsmonitor='touch x' status",
        "git -c core.hooksPath=x commit -m a",
        "git -c \"$x\" log",
        "git -c core.editor='touch x' commit",
        "git -c diff.external=x diff",
        "git -c protocol.ext.allow=always fetch",
        "git -c foo=bar reset --hard",
        "git -c include.path=x log",
        "git --config-env=core.pager=X log",
        "git --config-env submodule.recurse=X reset --hard",
        "git --git-dir=.git reset --hard",
        "git --git-dir x status",
        "git --work-tree=. reset --hard",
        "git --exec-path=/tmp status",
        "git -p log",
        "git --paginate show HEAD",
        "git --bare status",
        "git \"$x\"",
        "git $x",
        "git -q status",
        "git ls-remote --upload-pack='touch x' a",
        "git ls-remote --upload-pa='touch x' test",
        "git fetch --upload-pack=x",
        "git clone -u 'touch x' a",
        "git clone --upload-pack=x a",
        "git clone -c core.sshCommand=x a",
        "git clone --config core.sshCommand=x a",
        "git clone --template=x a",
        "git init --template=x",
        "git push --receive-pack=x",
        "git push --exec=x",
        "git clone 'ext::sh -c touch%20x' a",
        "git clone x::y a",
        "git fetch ext::x",
        "git fetch foo://x/y",
        "git clone \"$x\"",
        "git push -- \"$x\"",
        "git clone -- -oProxyCommand=x:y",
        "git grep -O x",
        "git grep --open-files-in-pager=x y",
        "git grep -Oless x",
        "git diff --ext-diff",
        "git log --textconv -p",
        "git show --ext-diff",
        "git grep \"$x\"",
        "git grep x $x",
        "git log \"$x\"",
        "git log $x",
        "git checkout \"$x\"",
        "git rebase -x 'touch x' main",
        "git rebase --exec=x main",
        "git bisect run touch x",
        "git bisect visualize",
        "git submodule foreach 'touch x'",
        "git submodule foreach --recursive touch x",
        "git filter-branch --tree-filter x",
        "git difftool",
        "git mergetool",
        "git daemon",
        "git credential fill",
        "git upload-pack .",
        "git shell -c x",
        "git config alias.x '!touch x'",
        "git config core.pager x",
        "git config --global user.name x",
        "git config -e",
        "git config \"$x\" y",
        "git config set core.editor x",
        "git config --file x a.b c",
        "git merge -s x main",
        "git merge --strategy=x main",
        "git merge-index x -a",
        "git maintenance start",
        "git archive --exec=x --remote=a HEAD",
        "git apply --unsafe-paths x",
        "git cat-file --textconv HEAD:a",
        "git cat-file --filters HEAD:a",
        "git column --command=x",
        "git log --outp=x",
        "git remote add x 'ext::sh -c x'",
        "git replace -e x",
        "git log *.rs",
        "git diff *.rs",
        "git checkout *.rs",
        "git lfs install",
        "git add $x",
        "git stash \"$x\"",
    ] {
        check_opaque(line);
    }
    check(
        "git rebase -x 'rm x' main",
        &format!("read .; shell `rm x`; !working_directory; tracked .; {HISTORY}"),
    );
    check("git bisect run rm x", &format!("run rm x; !working_directory; tracked .; {HISTORY}"));
    check("git merge-index git-merge-one-file -a", &format!("tracked .; {HISTORY}"));
}

#[test]
fn tools_of_others() {
    for line in [
        "git summary --line",
        "git effort --above 5 src -- --author=x",
        "git standup -a all -d 10",
        "git guilt HEAD~3 HEAD",
        "git info --no-config",
        "git contrib 'A B'",
        "git delta main",
        "git fame --format pipe",
        "git changelog --list --start-tag 2.1.0",
        "git authors -l",
        "git cliff",
        "git lfs ls-files",
        "git annex whereis a",
        "git flow feature list",
        "git sl",
    ] {
        check(line, "read .; workspace-code .");
    }
    check("git changelog", "read .; write <glob>; workspace-code .");
    check("git touch a b", &format!("read .; write a; write b; {INDEX}; {CODE}"));
    check("git ignore '*.o' -p", &format!("read .; write .git/info/exclude; {CODE}"));
    check("git magic -pm 'a b'", &format!("read .; remote git origin; {HISTORY}; {CODE}"));
    check("git undo -h 2", &format!("read .; discard .; tracked .; {HISTORY}; {CODE}"));
    check("git clear", &format!("read .; discard .; tracked .; {HISTORY}; {CODE}"));
    check(
        "git sync origin main",
        &format!("read .; remote git origin; discard .; tracked .; {HISTORY}; {CODE}"),
    );
    check(
        "git pr https://x.org/a/b/pull/3",
        &format!(
            "read .; GET https://x.org/a/b/pull/3; write .git/config; tracked .; {HISTORY}; {CODE}"
        ),
    );
    check(
        "git instaweb --start --port 1234 -l",
        &format!("read .; write .git/gitweb; listen 127.0.0.1:1234; {CODE}"),
    );
    check("git instaweb", &format!("read .; write .git/gitweb; listen 0.0.0.0:1234; {CODE}"));
    check("git sed a b -- src", &format!("read .; tracked src; tracked .; {HISTORY}; {CODE}"));
    check(
        "git lfs pull",
        &format!("read .; remote git <any>; write .git/lfs; tracked .; {HISTORY}; {CODE}"),
    );
    check("git p4 clone //depot/a@all", &format!("read .; remote p4 <any>; create a; {CODE}"));
    check(
        "git svn clone https://x.org/a",
        &format!("read .; GET https://x.org/a; create a; {CODE}"),
    );
    check(
        "git force-clone -b main https://x.org/a b",
        &format!("read .; GET https://x.org/a; create b; discard b; workspace-code b; {CODE}"),
    );
    check(
        "git merge-index x a",
        &format!(
            "run-with x <glob> <glob> <glob> <below> <number> <number> <number>; !working_directory; tracked .; {HISTORY}"
        ),
    );
    let mail = crate::shell::irregular::testing::run(
        "git send-email --to a@x.org -- p",
        &Default::default(),
    );
    assert!(mail.contains("read p") && mail.contains("a@x.org"), "{mail}");
}

#[test]
fn what_leads_tools_of_others_astray() {
    for line in [
        "git effort '$(touch x)'",
        "git effort 'a\"; touch x; \"'",
        "git effort --author='$(touch x)'",
        "git effort -- --output=x",
        "git effort --output=x",
        "git standup -a '$(touch x)'",
        "git standup -D '`touch x`'",
        "git blame-someone-else a 'HEAD --exec=x'",
        "git commits-since 'a --output=x'",
        "git touch 'a /etc/x'",
        "git touch -- -r/etc/x",
        "git sync -- --upload-pack=x y",
        "git sed a b e",
        "git sed -f 'w /etc/x' a b",
        "git sed 'a\nb' c",
        "git sed a b -- '-O x'",
        "git bulk touch x",
        "git repl",
        "git fork a/b",
        "git reauthor --old-email x",
        "git extras update",
        "git alias x '!touch y'",
        "git ignore -g x",
        "git pr 3 'ext::sh -c x'",
        "git instaweb --httpd=x",
        "git instaweb --browser=x --start",
        "git send-email --smtp-server=/bin/x p",
        "git send-email --to-cmd=x p",
        "git send-email --sendmail-cmd=x p",
        "git lfs install",
        "git annex enableremote x externaltype=y",
        "git annex initremote x type=external",
        "git p4 unshelve 3",
        "git svn clone -A x svn://y/z",
        "git cliff --init",
        "git cola --repo=x",
        "git fame /srv/x",
        "git summary \"$x\"",
        "git nonesuch",
        "git merge-index \"$x\" -a",
        "git merge-index -- x -a",
        "git rev-list --output=x HEAD",
        "git format-patch --output=x HEAD",
        "git diff-tree --output x HEAD",
    ] {
        check_opaque(line);
    }
}

#[test]
fn the_work_tree() {
    check(
        "git checkout -- a.txt 'src/*.c' lib/",
        &format!("read .; write a.txt; tracked src/; tracked lib/; {HISTORY}"),
    );
    check(
        "git checkout main a.txt",
        &format!("read .; write main; tracked main; write a.txt; {HISTORY}"),
    );
    check("git checkout ../x.c", &format!("read .; write ../x.c; tracked .; {HISTORY}"));
    check("git checkout -fb x", &format!("read .; discard .; tracked .; {HISTORY}"));
    check("git checkout -b x origin/y", &format!("read .; tracked .; {HISTORY}"));
    check("git restore .", &format!("read .; tracked .; {INDEX}"));
    check("git restore a.c -- \"$x\"", &format!("read .; write a.c; tracked .; {INDEX}"));
    check("git restore -SW a.c", &format!("read .; write a.c; {INDEX}"));
    check("git rm -r .", &format!("read .; discard .; {INDEX}"));
    check("git rm a.c ':/x'", &format!("read .; delete a.c; discard .; {INDEX}"));
    check("git clean -fd build/", "read .; discard build/; workspace-code .");
    check("git clean -fd -- \"$x\"", "read .; discard .; workspace-code .");
    check("git apply --cached x.patch", &format!("read .; read x.patch; {INDEX}"));
    check("git rm --pathspec-from-file=x", &format!("read .; read x; discard .; {INDEX}"));
    check("git stash drop", &format!("read .; {HISTORY}"));
    check("git rev-parse \"$x\" $x", "read .; workspace-code .");
    check("git status $x", "read .; workspace-code .");
    check("git rev-list --format=%G? HEAD", "read .; workspace-code .");
    check("git rev-list --format=%H HEAD", "read .; workspace-code .");
    check(
        "git init --bare",
        "read .; write HEAD; write config; write description; write hooks; write info; write objects; write refs",
    );
}
