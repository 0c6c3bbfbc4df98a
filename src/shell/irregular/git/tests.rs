//! What each subcommand does, and what of it is refused.

use crate::shell::irregular::testing::{check, check_opaque};

const HISTORY: &str = "write .git/index; write .git/objects; workspace-code .; write .git/refs";
const INDEX: &str = "write .git/index; write .git/objects; workspace-code .";

fn check_tree(line: &str, before: &str) {
    check(line, &format!("read .; {before}write .; {HISTORY}"));
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
        let looks = rendered.split("; ").all(|deed| deed.starts_with("read "));
        assert!(looks && rendered.starts_with(&expected), "{line}: {rendered}");
    }
    check("git", "");
    check("git --version", "");
    check("git log --help", "");
    check("git help log", "");
    check("git -P log", "read .");
    check("git show HEAD:.env", "read .; read .env");
    check("git cat-file blob HEAD:.env", "read .; read .env");
    check("git diff /etc/passwd a", "read .; read /etc/passwd; read /etc/passwd; read a");
    check("git diff --no-index -- a \"$x\"", "read .; read a; read <any>");
    check("git diff -- \"$x\" a", "read .; read <any>; read a");
    check("git diff main -- \"$x\"", "read .; read main");
    check("git diff -Oorder", "read .; read order");
    check("git blame --contents /etc/passwd a", "read .; read a; read /etc/passwd");
    check("git grep -f /etc/passwd", "read .; read /etc/passwd");
    check("git grep --no-index x /etc", "read .; read /etc; read /etc");
    check("git ls-files -X /etc/x", "read .; read /etc/x");
}

#[test]
fn writing_through_an_option() {
    check("git log --output=/etc/x", "read .; write /etc/x");
    check("git show --format=%x6f --no-patch --output=payload", "read .; write payload");
    check("git diff --output x", "read .; write x");
    check("git stash show --output=x", "read .; write x");
    check("git reflog --output=x", "read .; write x");
    check("git shortlog --output=x", "read .; write x");
    check("git archive -o x.tar HEAD", "read .; write x.tar");
    check("git bundle create x.bundle HEAD", "read .; write x.bundle");
    check("git format-patch HEAD~3", "read .; write <glob>.patch");
    check("git format-patch -o /tmp/x HEAD~3", "read .; create /tmp/x");
    check("git format-patch --stdout HEAD", "read .");
    check("git fast-export --export-marks=/etc/x --all", "read .; write /etc/x");
    check("git merge-file a b c", "read .; read a; read b; read c; write a");
    check(
        "git checkout-index -a --prefix=/tmp/x/",
        &format!("read .; create /tmp/x/; write .; {HISTORY}"),
    );
    check(
        "git read-tree --index-output=/etc/x HEAD",
        &format!("read .; write /etc/x; write HEAD; write .; {HISTORY}"),
    );
    check("git hash-object /etc/passwd", "read .; read /etc/passwd");
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
    check_tree("git reset --hard", "delete .; ");
    check_tree("git checkout -f main", "delete .; write main; ");
    check("git add *.rs", &format!("read .; {INDEX}"));
    check("git rm *.rs", &format!("read .; delete ./<glob>.rs; {INDEX}"));
    check("git lfs env", "read .");
    check("git lfs track '*.bin'", "read .; write .gitattributes");
    check_tree("git checkout main", "write main; ");
    check_tree("git checkout -- /etc/x src", "write /etc/x; write src; ");
    check_tree("git checkout -qbfeature", "");
    check_tree("git switch -c topic", "");
    check_tree("git restore ../x", "write ../x; ");
    check_tree("git restore :/", "");
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
    check("git rm -r a", &format!("read .; delete a/**; {INDEX}"));
    check("git rm --cached a", &format!("read .; {INDEX}"));
    check("git mv a b", &format!("read .; delete a/**; write b/**; {INDEX}"));
    check("git clean -fdx", "read .; delete .");
    check("git clean -fd /srv/x", "read .; delete /srv/x/**");
    check("git clean -n", "read .");
    check("git branch -d a", &format!("read .; {HISTORY}"));
    check("git tag v1", &format!("read .; {HISTORY}"));
    check("git init", "read .; write .git");
    check("git init /home/x", "read .; read /home/x; write /home/x");
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
    check("git pull --rebase", &format!("remote git origin; read .; write .; {HISTORY}"));
    check("git ls-remote --tags", "read .; remote git origin");
    check("git clone https://x.org/a/b.git", "GET https://x.org/a/b.git; create b");
    check("git clone --depth 1 -b main https://x.org/a/b c", "GET https://x.org/a/b; create c");
    check("git clone a/b.bundle", "read a/b.bundle/**; create b");
    check("git clone --recursive x.org:a/b", "connect x.org:22; remote git <any>; create b");
    check("git clone \"https://x.org/$x\" a", "GET https://x.org/<any>; create a");
    check("git archive --remote=origin HEAD", "read .; remote git origin");
    check("git remote add x https://x.org/a", "read .; write .git/config; workspace-code .");
    check("git remote show origin", &format!("read .; remote git origin; {HISTORY}"));
    check("git submodule update --init", &format!("read .; remote git <any>; write .; {HISTORY}"));
    check("git submodule status", "read .");
}

#[test]
fn another_directory() {
    check("git -C repo status", "workspace-code repo; read repo");
    check(
        "git -C a -C b log --output=x",
        "workspace-code a; workspace-code a/b; read a/b; write a/b/x",
    );
    check(
        "git -C a -C /b add x",
        "workspace-code a; workspace-code /b; read /b; write /b/.git/index; write /b/.git/objects; workspace-code /b",
    );
    check("git -C \"$x\" log --output=x", "workspace-code <any>; read <any>; write <any>/x");
    check("git -C . status", "workspace-code .; read .");
    check("git -c color.ui=always -c user.name=\"x y\" log", "read .");
    check("git -c core.pager=cat -c Core.Editor=true log", "read .");
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
        "git fame",
        "git annex init",
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
        "git send-email x",
        "git daemon",
        "git instaweb --start",
        "git gui",
        "git citool",
        "git credential fill",
        "git upload-pack .",
        "git shell -c x",
        "git p4 clone x",
        "git svn fetch",
        "git lfs pull",
        "git help --web log",
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
        &format!("read .; shell `rm x`; !working_directory; write .; {HISTORY}"),
    );
    check("git bisect run rm x", &format!("run rm x; !working_directory; write .; {HISTORY}"));
    check("git merge-index git-merge-one-file -a", &format!("write .; {HISTORY}"));
}
