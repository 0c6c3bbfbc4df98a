//! Options of git's subcommands, as `git … -h` and the manual of git 2.47 list them.
//!
//! Left out on purpose, so that they are unknown: what runs a program (`--upload-pack`,
//! `--receive-pack`, `--exec`, `--ext-diff`, `--textconv`, `--open-files-in-pager`), what brings in
//! hooks or configuration (`--template`, `clone --config`), and what leaves the work tree
//! (`apply --unsafe-paths`).

use super::super::options::Options;
use super::super::options::Takes::{self, Attached, Nothing, Value};
use super::super::options::spread;

/// Options without a value, with one, and with one that is attached if it is there.
macro_rules! options {
    ($($name:ident:
        $(flags $($flag:literal)+)?
        $(values $($value:literal)+)?
        $(attached $($attached:literal)+)?
    ;)*) => {
        $(pub(super) const $name: Options = Options {
            rows: &[
                $($(($flag, Nothing),)+)?
                $($(($value, Value),)+)?
                $($(($attached, Attached),)+)?
            ],
            permute: true,
        };)*
    };
}

/// Everything that shows commits takes the options of `diff` too.
pub(super) const LOG: Options = Options { rows: &spread::<1025>(SHOWN.rows), permute: true };

const SHOWN: Options = Options {
    rows: &join::<{ REVISIONS.rows.len() + DIFF.rows.len() }>(REVISIONS.rows, DIFF.rows),
    permute: true,
};

/// As `LOG`, with patches written to files.
pub(super) const PATCHES: Options = Options {
    rows: &spread::<1025>(&join::<{ FORMAT_PATCH.rows.len() + SHOWN.rows.len() }>(
        FORMAT_PATCH.rows,
        SHOWN.rows,
    )),
    permute: true,
};

/// `shortlog` groups what `log` shows.
pub(super) const GROUPED: Options = Options {
    rows: &spread::<1025>(&join::<{ SHORTLOG.rows.len() + SHOWN.rows.len() }>(
        SHORTLOG.rows,
        SHOWN.rows,
    )),
    permute: true,
};

/// `fast-export` writes out what `log` shows.
pub(super) const EXPORT: Options = Options {
    rows: &spread::<1025>(&join::<{ FAST_EXPORT.rows.len() + SHOWN.rows.len() }>(
        FAST_EXPORT.rows,
        SHOWN.rows,
    )),
    permute: true,
};

type Row = (&'static str, Takes);

#[expect(clippy::indexing_slicing, reason = "it runs at compile time")]
const fn join<const N: usize>(first: &[Row], second: &[Row]) -> [Row; N] {
    let mut rows = [("", Nothing); N];
    let mut at = 0;
    while at < N {
        rows[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    rows
}

options! {
    ADD:
        flags
            "n dry-run" "v verbose" "no-verbose" "i interactive" "p patch" "no-patch" "e edit"
            "no-edit" "f force" "no-force" "u update" "renormalize" "N intent-to-add" "A all"
            "no-all" "no-ignore-removal" "refresh" "ignore-errors" "sparse" "pathspec-file-nul"
            "ignore-removal" "ignore-missing"
        values
            "chmod" "pathspec-from-file";
    AM:
        flags
            "i interactive" "n no-verify" "verify" "3 3way" "q quiet" "no-quiet" "s signoff"
            "no-signoff" "u utf8" "k keep" "keep-cr" "c scissors" "no-whitespace"
            "ignore-space-change" "ignore-whitespace" "no-ignore-whitespace" "reject" "continue"
            "r resolved" "skip" "abort" "quit" "retry" "allow-empty"
            "committer-date-is-author-date" "ignore-date" "rerere-autoupdate"
            "no-rerere-autoupdate" "no-gpg-sign" "keep-non-patch" "m message-id"
        values
            "quoted-cr" "whitespace" "directory" "exclude" "include" "C" "p" "patch-format"
            "resolvemsg" "empty"
        attached
            "show-current-patch" "S gpg-sign";
    APPLY:
        flags
            "no-add" "add" "stat" "no-stat" "numstat" "summary" "check" "index" "no-index"
            "N intent-to-add" "cached" "no-cached" "apply" "3 3way" "ours" "theirs" "union" "z"
            "no-whitespace" "ignore-space-change" "ignore-whitespace" "no-ignore-whitespace"
            "R reverse" "unidiff-zero" "reject" "allow-overlap" "v verbose" "no-verbose" "q quiet"
            "no-quiet" "recount" "allow-empty" "inaccurate-eof"
        values
            "exclude" "include" "p" "build-fake-ancestor" "C" "whitespace" "directory";
    ARCHIVE:
        flags
            "no-prefix" "worktree-attributes" "v verbose" "no-verbose" "l list" "0" "1" "2" "3"
            "4" "5" "6" "7" "8" "9"
        values
            "format" "prefix" "add-file" "add-virtual-file" "o output" "mtime" "remote";
    BLAME:
        flags
            "incremental" "b" "root" "show-stats" "progress" "no-progress" "score-debug"
            "f show-name" "n show-number" "p porcelain" "c" "t" "l" "s" "w" "color-lines"
            "color-by-age" "minimal" "no-abbrev" "line-porcelain" "e show-email"
        values
            "ignore-rev" "ignore-revs-file" "S" "contents" "L"
        attached
            "C" "M" "abbrev";
    BRANCH:
        flags
            "v verbose" "no-verbose" "q quiet" "no-quiet" "no-track" "no-color" "r remotes"
            "no-abbrev" "a all" "d delete" "D" "m move" "M" "omit-empty" "c copy" "C" "l list"
            "show-current" "create-reflog" "edit-description" "f force" "no-force" "no-column"
            "i ignore-case" "recurse-submodules" "no-recurse-submodules" "unset-upstream"
        values
            "u set-upstream-to" "sort" "points-at" "format"
        attached
            "t track" "color" "abbrev" "column" "contains" "no-contains" "merged" "no-merged";
    CAT_FILE:
        flags
            "e" "p" "t" "s" "allow-unknown-type" "use-mailmap" "no-use-mailmap" "mailmap" "Z"
            "batch-all-objects" "buffer" "follow-symlinks" "unordered"
        values
            "path"
        attached
            "batch" "batch-check" "batch-command";
    CHECK_ATTR:
        flags
            "a all" "no-all" "cached" "no-cached" "stdin" "z"
        values
            "source";
    CHECK_IGNORE:
        flags
            "q quiet" "no-quiet" "v verbose" "no-verbose" "stdin" "z" "n non-matching" "no-index"
            "index";
    CHECK_MAILMAP:
        flags
            "stdin"
        values
            "mailmap-file" "mailmap-blob";
    CHECKOUT:
        flags
            "l" "guess" "no-guess" "overlay" "no-overlay" "q quiet" "no-quiet"
            "no-recurse-submodules" "progress" "no-progress" "m merge" "d detach" "no-detach"
            "no-track" "f force" "no-force" "overwrite-ignore" "ignore-other-worktrees" "2 ours"
            "3 theirs" "p patch" "no-patch" "ignore-skip-worktree-bits" "pathspec-file-nul"
        values
            "b" "B" "conflict" "orphan" "pathspec-from-file"
        attached
            "recurse-submodules" "t track";
    CHECKOUT_INDEX:
        flags
            "a all" "no-all" "ignore-skip-worktree-bits" "f force" "no-force" "q quiet" "no-quiet"
            "n no-create" "create" "u index" "no-index" "z" "stdin" "temp" "no-prefix"
        values
            "prefix" "stage";
    CHERRY:
        flags
            "no-abbrev" "v verbose" "no-verbose"
        attached
            "abbrev";
    CHERRY_PICK:
        flags
            "quit" "continue" "abort" "skip" "n no-commit" "commit" "e edit" "no-edit" "s signoff"
            "no-signoff" "rerere-autoupdate" "no-rerere-autoupdate" "no-gpg-sign" "x" "ff" "no-ff"
            "allow-empty" "allow-empty-message" "keep-redundant-commits"
        values
            "cleanup" "m mainline" "strategy" "X strategy-option" "empty"
        attached
            "S gpg-sign";
    CLEAN:
        flags
            "q quiet" "no-quiet" "n dry-run" "f force" "no-force" "i interactive" "d" "x" "X"
        values
            "e exclude";
    CLONE:
        flags
            "v verbose" "no-verbose" "q quiet" "no-quiet" "progress" "no-progress" "n no-checkout"
            "checkout" "bare" "mirror" "l local" "no-local" "no-hardlinks" "hardlinks" "s shared"
            "no-recurse-submodules" "dissociate" "single-branch" "no-single-branch" "no-tags"
            "tags" "shallow-submodules" "no-shallow-submodules" "4 ipv4" "6 ipv6"
            "also-filter-submodules" "remote-submodules" "sparse" "reject-shallow"
        values
            "j jobs" "reference" "reference-if-able" "o origin" "b branch" "depth" "shallow-since"
            "shallow-exclude" "separate-git-dir" "ref-format" "server-option" "filter"
            "bundle-uri"
        attached
            "recurse-submodules" "recursive";
    COMMIT:
        flags
            "q quiet" "no-quiet" "v verbose" "no-verbose" "no-squash" "reset-author" "s signoff"
            "no-signoff" "e edit" "no-edit" "status" "no-status" "no-gpg-sign" "a all" "no-all"
            "i include" "interactive" "p patch" "no-patch" "o only" "n no-verify" "verify"
            "dry-run" "short" "branch" "ahead-behind" "no-ahead-behind" "porcelain" "long"
            "z null" "amend" "allow-empty" "allow-empty-message" "no-post-rewrite" "post-rewrite" "no-untracked-files"
            "pathspec-file-nul"
        values
            "F file" "author" "date" "m message" "c reedit-message" "C reuse-message" "squash"
            "trailer" "t template" "cleanup" "pathspec-from-file" "fixup"
        attached
            "S gpg-sign" "u untracked-files";
    COMMIT_TREE:
        flags
            "no-gpg-sign"
        values
            "p" "m" "F"
        attached
            "S gpg-sign";
    COUNT_OBJECTS:
        flags
            "v verbose" "no-verbose" "H human-readable";
    DESCRIBE:
        flags
            "contains" "debug" "all" "no-all" "tags" "no-tags" "long" "first-parent" "no-abbrev"
            "exact-match" "always"
        values
            "candidates" "match" "exclude"
        attached
            "abbrev" "dirty" "broken";
    FAST_EXPORT:
        flags
            "no-progress" "fake-missing-tagger" "full-tree" "use-done-feature" "data" "anonymize"
            "reference-excluded-parents" "show-original-ids" "mark-tags"
        values
            "progress" "signed-tags" "tag-of-filtered-object" "reencode" "export-marks"
            "import-marks" "import-marks-if-exists" "refspec" "anonymize-map";
    FETCH:
        flags
            "v verbose" "no-verbose" "q quiet" "no-quiet" "all" "no-all" "set-upstream"
            "no-set-upstream" "a append" "atomic" "f force" "no-force" "m multiple" "t tags"
            "no-tags" "n" "prefetch" "p prune" "no-prune" "no-recurse-submodules" "dry-run"
            "porcelain" "write-fetch-head" "no-write-fetch-head" "k keep" "u update-head-ok"
            "progress" "no-progress" "unshallow" "refetch" "4 ipv4" "6 ipv6" "auto-maintenance"
            "auto-gc" "no-auto-gc" "show-forced-updates" "write-commit-graph" "stdin"
            "P prune-tags" "update-shallow" "negotiate-only"
        values
            "j jobs" "depth" "shallow-since" "shallow-exclude" "deepen" "refmap" "o server-option"
            "negotiation-tip" "filter"
        attached
            "recurse-submodules";
    FOR_EACH_REF:
        flags
            "s shell" "p perl" "python" "tcl" "omit-empty" "no-color" "ignore-case" "stdin"
            "include-root-refs"
        values
            "count" "format" "exclude" "sort" "points-at"
        attached
            "color" "contains" "no-contains" "merged" "no-merged";
    FORMAT_PATCH:
        flags
            "n numbered" "no-numbered" "N no-numbered" "s signoff" "no-signoff" "stdout"
            "cover-letter" "no-cover-letter" "k keep-subject" "no-binary" "binary" "zero-commit"
            "ignore-if-in-upstream" "p no-stat" "no-thread" "no-signature" "q quiet" "no-quiet"
            "progress" "no-progress" "force-in-body-from" "numbered-files"
        values
            "suffix" "start-number" "v reroll-count" "filename-max-length"
            "cover-from-description" "description-file" "subject-prefix" "o output-directory"
            "add-header" "to" "cc" "in-reply-to" "signature" "base" "signature-file" "interdiff"
            "range-diff" "creation-factor"
        attached
            "rfc" "from" "attach" "inline" "thread";
    FSCK:
        flags
            "v verbose" "no-verbose" "unreachable" "dangling" "tags" "no-tags" "root" "cache"
            "reflogs" "full" "connectivity-only" "strict" "lost-found" "progress" "no-progress"
            "name-objects";
    GC:
        flags
            "q quiet" "no-quiet" "no-prune" "cruft" "no-cruft" "aggressive" "auto" "detach"
            "no-detach" "force" "no-force" "keep-largest-pack"
        values
            "max-cruft-size"
        attached
            "prune";
    GREP:
        flags
            "cached" "no-cached" "no-index" "index" "untracked" "exclude-standard"
            "recurse-submodules" "no-recurse-submodules" "v invert-match" "i ignore-case"
            "w word-regexp" "a text" "I" "no-textconv" "r recursive" "E extended-regexp"
            "G basic-regexp" "F fixed-strings" "P perl-regexp" "n line-number" "column"
            "no-column" "h" "H" "full-name" "l files-with-matches" "name-only"
            "L files-without-match" "z null" "o only-matching" "c count" "no-color" "break"
            "heading" "p show-function" "W function-context" "and" "or" "not" "q quiet" "no-quiet"
            "all-match" "0" "1" "2" "3" "4" "5" "6" "7" "8" "9"
        values
            "max-depth" "C context" "B before-context" "A after-context" "threads" "f" "e"
            "m max-count"
        attached
            "color";
    HASH_OBJECT:
        flags
            "w" "stdin" "stdin-paths" "filters" "literally"
        values
            "t" "path";
    INIT:
        flags
            "bare" "q quiet" "no-quiet"
        values
            "separate-git-dir" "b initial-branch" "object-format" "ref-format"
        attached
            "shared";
    LS_FILES:
        flags
            "z" "t" "v" "f" "c cached" "no-cached" "d deleted" "m modified" "o others" "i ignored"
            "s stage" "k killed" "directory" "eol" "empty-directory" "no-empty-directory"
            "u unmerged" "resolve-undo" "exclude-standard" "full-name" "recurse-submodules"
            "no-recurse-submodules" "error-unmatch" "no-abbrev" "debug" "deduplicate" "sparse"
        values
            "x exclude" "X exclude-from" "exclude-per-directory" "with-tree" "format"
        attached
            "abbrev";
    LS_REMOTE:
        flags
            "q quiet" "no-quiet" "t tags" "no-tags" "refs" "get-url" "exit-code" "symref"
            "h heads" "b branches"
        values
            "sort" "o server-option";
    LS_TREE:
        flags
            "d" "r" "t" "z" "l long" "name-only" "name-status" "object-only" "full-name"
            "full-tree" "no-abbrev"
        values
            "format"
        attached
            "abbrev";
    MERGE:
        flags
            "n" "stat" "no-stat" "summary" "no-log" "squash" "no-squash" "commit" "no-commit"
            "e edit" "no-edit" "ff" "no-ff" "ff-only" "rerere-autoupdate" "no-rerere-autoupdate"
            "verify-signatures" "v verbose" "no-verbose" "q quiet" "no-quiet" "abort" "quit"
            "continue" "allow-unrelated-histories" "progress" "no-progress" "no-gpg-sign"
            "autostash" "no-autostash" "overwrite-ignore" "signoff" "no-signoff" "no-verify"
            "verify"
        values
            "cleanup" "s strategy" "X strategy-option" "m message" "F file" "into-name"
        attached
            "log" "S gpg-sign";
    MERGE_BASE:
        flags
            "a all" "no-all" "octopus" "independent" "is-ancestor" "fork-point";
    MERGE_FILE:
        flags
            "p stdout" "object-id" "diff3" "zdiff3" "ours" "theirs" "union" "q quiet" "no-quiet"
        values
            "diff-algorithm" "marker-size" "L";
    MERGE_TREE:
        flags
            "write-tree" "trivial-merge" "messages" "z" "name-only" "allow-unrelated-histories"
            "stdin"
        values
            "merge-base" "X strategy-option";
    MV:
        flags
            "v verbose" "no-verbose" "n dry-run" "f force" "no-force" "k" "sparse";
    NAME_REV:
        flags
            "name-only" "tags" "no-tags" "all" "no-all" "undefined" "no-undefined" "always"
            "annotate-stdin"
        values
            "refs" "exclude";
    PULL:
        flags
            "v verbose" "no-verbose" "q quiet" "no-quiet" "progress" "no-progress"
            "no-recurse-submodules" "no-rebase" "n" "stat" "no-stat" "no-log" "no-signoff"
            "squash" "no-squash" "commit" "no-commit" "edit" "no-edit" "ff" "no-ff" "ff-only"
            "verify" "no-verify" "verify-signatures" "autostash" "no-autostash" "no-gpg-sign"
            "allow-unrelated-histories" "all" "no-all" "a append" "f force" "no-force" "t tags"
            "no-tags" "p prune" "no-prune" "dry-run" "k keep" "unshallow" "4 ipv4" "6 ipv6"
            "show-forced-updates" "set-upstream" "no-set-upstream" "update-shallow"
        values
            "cleanup" "s strategy" "X strategy-option" "depth" "shallow-since" "shallow-exclude"
            "deepen" "refmap" "o server-option" "negotiation-tip"
        attached
            "recurse-submodules" "r rebase" "log" "signoff" "S gpg-sign" "j jobs";
    PUSH:
        flags
            "v verbose" "no-verbose" "q quiet" "no-quiet" "all" "no-all" "branches" "mirror"
            "d delete" "tags" "no-tags" "n dry-run" "porcelain" "f force" "no-force"
            "force-if-includes" "no-recurse-submodules" "thin" "no-thin" "u set-upstream"
            "no-set-upstream" "progress" "no-progress" "prune" "no-prune" "no-verify" "verify"
            "follow-tags" "no-follow-tags" "atomic" "4 ipv4" "6 ipv6"
        values
            "repo" "recurse-submodules" "o push-option"
        attached
            "force-with-lease" "signed";
    REBASE:
        flags
            "keep-base" "no-verify" "verify" "q quiet" "no-quiet" "v verbose" "no-verbose"
            "n no-stat" "stat" "signoff" "no-signoff" "committer-date-is-author-date"
            "reset-author-date" "ignore-whitespace" "no-ignore-whitespace" "no-whitespace"
            "f force-rebase" "no-ff" "ff" "continue" "skip" "abort" "quit" "edit-todo"
            "show-current-patch" "apply" "m merge" "i interactive" "rerere-autoupdate"
            "no-rerere-autoupdate" "autosquash" "update-refs" "no-update-refs" "no-gpg-sign"
            "autostash" "no-autostash" "fork-point" "no-fork-point" "root"
            "reschedule-failed-exec" "reapply-cherry-picks"
        values
            "onto" "C" "whitespace" "empty" "x exec" "s strategy" "X strategy-option"
        attached
            "S gpg-sign" "r rebase-merges";
    RESET:
        flags
            "q quiet" "no-quiet" "refresh" "mixed" "soft" "hard" "merge" "keep"
            "no-recurse-submodules" "p patch" "no-patch" "N intent-to-add" "pathspec-file-nul"
        values
            "pathspec-from-file"
        attached
            "recurse-submodules";
    RESTORE:
        flags
            "S staged" "W worktree" "ignore-unmerged" "overlay" "no-overlay" "q quiet" "no-quiet"
            "no-recurse-submodules" "progress" "no-progress" "m merge" "2 ours" "3 theirs"
            "p patch" "no-patch" "ignore-skip-worktree-bits" "pathspec-file-nul"
        values
            "s source" "conflict" "pathspec-from-file"
        attached
            "recurse-submodules";
    REVERT:
        flags
            "quit" "continue" "abort" "skip" "n no-commit" "commit" "e edit" "no-edit" "s signoff"
            "no-signoff" "rerere-autoupdate" "no-rerere-autoupdate" "no-gpg-sign" "reference"
        values
            "cleanup" "m mainline" "strategy" "X strategy-option"
        attached
            "S gpg-sign";
    RM:
        flags
            "n dry-run" "q quiet" "no-quiet" "cached" "no-cached" "f force" "no-force" "r"
            "sparse" "pathspec-file-nul" "ignore-unmatch"
        values
            "pathspec-from-file";
    SHORTLOG:
        flags
            "c committer" "n numbered" "no-numbered" "s summary" "e email"
        values
            "group"
        attached
            "w";
    SHOW_BRANCH:
        flags
            "a all" "no-all" "r remotes" "no-color" "list" "no-name" "name" "current" "sha1-name"
            "merge-base" "independent" "topo-order" "topics" "sparse" "date-order"
        attached
            "color" "more" "g reflog";
    SHOW_REF:
        flags
            "tags" "no-tags" "branches" "exists" "verify" "no-verify" "head" "d dereference"
            "no-abbrev" "q quiet" "no-quiet" "heads"
        attached
            "s hash" "abbrev" "exclude-existing";
    STATUS:
        flags
            "v verbose" "no-verbose" "s short" "b branch" "show-stash" "ahead-behind"
            "no-ahead-behind" "long" "z null" "no-untracked-files" "no-column" "no-renames"
            "renames"
        attached
            "porcelain" "u untracked-files" "ignored" "ignore-submodules" "column"
            "M find-renames";
    SWITCH:
        flags
            "guess" "no-guess" "discard-changes" "q quiet" "no-quiet" "no-recurse-submodules"
            "progress" "no-progress" "m merge" "d detach" "no-detach" "no-track" "f force"
            "no-force" "overwrite-ignore" "ignore-other-worktrees"
        values
            "c create" "C force-create" "conflict" "orphan"
        attached
            "recurse-submodules" "t track";
    TAG:
        flags
            "l list" "d delete" "v verify" "a annotate" "e edit" "no-edit" "s sign" "f force"
            "no-force" "create-reflog" "no-column" "omit-empty" "no-color" "i ignore-case"
        values
            "m message" "F file" "trailer" "cleanup" "u local-user" "sort" "points-at" "format"
        attached
            "n" "column" "color" "contains" "no-contains" "merged" "no-merged";
    READ_TREE:
        flags
            "empty" "v verbose" "no-verbose" "m" "trivial" "aggressive" "reset" "u" "i"
            "n dry-run" "sparse-checkout" "debug-unpack" "no-recurse-submodules" "q quiet"
            "no-quiet"
        values
            "index-output" "prefix" "exclude-per-directory"
        attached
            "recurse-submodules";
    REPACK:
        flags
            "a" "A" "cruft" "no-cruft" "d" "f" "F" "n" "q quiet" "no-quiet" "l local" "no-local"
            "b write-bitmap-index" "i delta-islands" "k keep-unreachable" "pack-kept-objects"
            "m write-midx"
        values
            "cruft-expiration" "max-cruft-size" "unpack-unreachable" "window" "window-memory"
            "depth" "threads" "max-pack-size" "filter" "keep-pack" "g geometric" "expire-to"
            "filter-to";
    SYMBOLIC_REF:
        flags
            "q quiet" "no-quiet" "d delete" "short" "recurse"
        values
            "m";
    UPDATE_INDEX:
        flags
            "q" "ignore-submodules" "add" "no-add" "replace" "remove" "unmerged" "refresh"
            "really-refresh" "assume-unchanged" "skip-worktree" "ignore-skip-worktree-entries"
            "info-only" "force-remove" "z" "stdin" "index-info" "unresolve" "g again" "verbose"
            "no-verbose" "clear-resolve-undo" "show-index-version" "split-index" "untracked-cache"
            "test-untracked-cache" "force-untracked-cache" "force-write-index" "fsmonitor"
            "fsmonitor-valid" "ignore-missing"
        values
            "cacheinfo" "chmod" "index-version";
    UPDATE_REF:
        flags
            "d" "no-deref" "deref" "z" "stdin" "create-reflog"
        values
            "m";
    VERIFY_TAG:
        flags
            "v verbose" "no-verbose" "raw"
        values
            "format";
    VERIFY_PACK:
        flags
            "v verbose" "no-verbose" "s stat-only"
        values
            "object-format";
    PRUNE:
        flags
            "n dry-run" "v verbose" "no-verbose" "progress" "no-progress"
            "exclude-promisor-objects"
        values
            "expire";
    PACK_REFS:
        flags
            "all" "no-all" "prune" "no-prune" "auto"
        values
            "include" "exclude";
    COLUMN:
        values
            "raw-mode" "width" "indent" "nl" "padding"
        attached
            "mode";
    // Also what the plumbing behind `diff` takes.
    DIFF:
        flags
            "p patch" "s no-patch" "u" "W function-context" "raw" "patch-with-raw"
            "patch-with-stat" "numstat" "shortstat" "cumulative" "check" "summary" "name-only"
            "name-status" "compact-summary" "binary" "full-index" "no-full-index" "no-color" "z"
            "no-abbrev" "no-prefix" "default-prefix" "D irreversible-delete" "find-copies-harder"
            "no-renames" "rename-empty" "follow" "no-follow" "minimal" "w ignore-all-space"
            "b ignore-space-change" "ignore-cr-at-eol" "ignore-blank-lines" "indent-heuristic"
            "no-indent-heuristic" "patience" "histogram" "no-color-moved" "no-relative" "a text"
            "R" "exit-code" "quiet" "no-quiet" "no-ext-diff" "no-textconv"
            "ita-invisible-in-index" "ita-visible-in-index" "pickaxe-all" "pickaxe-regex"
            "ignore-space-at-eol" "cc" "no-rename-empty" "base" "2" "3" "0" "4" "5" "6" "7" "8"
            "9" "ours" "theirs" "1" "merge-base" "c" "m" "t" "r" "q" "root" "v" "no-commit-id"
            "cached" "staged" "no-index"
        values
            "stat-width" "stat-name-width" "stat-graph-width" "stat-count" "ws-error-highlight"
            "src-prefix" "dst-prefix" "line-prefix" "inter-hunk-context" "output-indicator-new"
            "output-indicator-old" "output-indicator-context" "l" "I ignore-matching-lines"
            "diff-algorithm" "anchored" "word-diff-regex" "color-moved-ws" "S" "G" "O" "rotate-to"
            "skip-to" "find-object" "output" "diff-filter"
        attached
            "U unified" "X dirstat" "dirstat-by-file" "stat" "color" "abbrev" "B break-rewrites"
            "M find-renames" "C find-copies" "word-diff" "color-words" "color-moved" "relative"
            "ignore-submodules" "submodule";
    REVISIONS:
        flags
            "oneline" "graph" "all" "reverse" "topo-order" "date-order" "author-date-order"
            "first-parent" "merges" "no-merges" "not" "merge" "boundary" "left-right" "left-only"
            "right-only" "cherry" "cherry-mark" "cherry-pick" "children" "parents" "sparse" "dense"
            "full-history" "simplify-by-decoration" "simplify-merges" "show-pulls"
            "exclude-first-parent-only" "full-diff" "log-size" "i regexp-ignore-case"
            "E extended-regexp" "F fixed-strings" "P perl-regexp" "basic-regexp" "all-match"
            "invert-grep" "g walk-reflogs" "reflog" "alternate-refs" "single-worktree"
            "ignore-missing" "stdin" "bisect" "abbrev-commit" "no-abbrev-commit" "relative-date"
            "show-signature" "no-show-signature" "no-notes" "no-decorate" "source"
            "use-mailmap" "no-use-mailmap" "mailmap" "no-mailmap" "clear-decorations" "remove-empty"
            "do-walk" "no-expand-tabs" "no-diff-merges" "remerge-diff" "combined-all-paths"
            "no-max-parents" "no-min-parents" "dd" "objects" "objects-edge" "header" "unpacked"
            "count" "timestamp" "bisect-vars" "bisect-all" "no-object-names" "object-names"
            "filter-print-omitted" "quiet"
        values
            "n max-count" "skip" "since after" "until before" "since-as-filter" "max-age" "min-age"
            "author" "committer" "grep" "grep-reflog" "date" "glob" "exclude" "exclude-hidden"
            "encoding" "L" "decorate-refs" "decorate-refs-exclude"
        attached
            "pretty" "format" "no-walk" "branches" "tags" "remotes" "min-parents" "max-parents"
            "expand-tabs" "notes" "show-notes" "show-linear-break" "diff-merges" "decorate"
            "ancestry-path" "disk-usage" "missing" "filter";
    // What has no usage of this form, from the manual.
    NONE: ;
    // Of other tools.
    ANNEX: flags "all" "fast" "force" "auto" "quiet" "json" values "to" "from" "J jobs";
    AUTHORS: flags "l list" "no-email";
    CHANGELOG: flags "a all" "l list" "n no-merges" "p prune-old" "x stdout" "m merges-only"
        values "t tag" "f final-tag" "s start-tag" "start-commit";
    CLIFF: flags "v verbose" "l latest" "u unreleased" "current" "topo-order" "no-exec"
        "x context" "bumped-version" "date-order" "use-branch-tags"
        values "t tag" "o output" "p prepend" "c config" "s strip" "sort" "tag-pattern"
        "include-path" "exclude-path" "with-commit" "ignore-tags" "skip-tags" "count-tags";
    EFFORT: flags "no-merges" values "above" "author" "since" "until" "after" "before";
    FEATURE: flags "squash" values "a alias" "s separator" "from" attached "r remote";
    FLOW: flags "d defaults" "f force" "k keep" "r rebase" "S squash" "D" "F fetch" "p push" "n notag"
        "v verbose" values "m message";
    FORCE_CLONE: values "b branch";
    GUI: flags "amend" "nocommit" attached "line";
    IGNORE: flags "l local" "g global" "p private";
    INSTAWEB: flags "l local" "start" "stop" "restart" values "p port";
    LFS: flags "a all" "l long" "s size" "n name-only" "d dry-run" "f force" "v verbose" "prune"
        "json" "p porcelain" "recent" values "I include" "X exclude";
    MAGIC: flags "a" "e" "p" "f" values "m";
    P4: flags "bare" "verbose" "silent" "detect-branches" "detect-labels" "import-labels"
        "import-local" "keep-path" "use-client-spec" "M" "preserve-user" "export-labels" "n dry-run"
        "prepare-p4-only" "shelve" "disable-rebase" "disable-p4sync"
        values "destination" "branch" "changesfile" "max-changes" "changes-block-size" "origin"
        "conflict" "commit" "update-shelve";
    SED: flags "c commit" values "f flags";
    SEND_EMAIL: flags "annotate" "no-annotate" "dry-run" "quiet" "force" "thread" "no-thread"
        "chain-reply-to" "no-chain-reply-to" "suppress-from" "no-suppress-from" "signed-off-by-cc"
        "no-signed-off-by-cc" "validate" "no-validate" "format-patch" "no-format-patch"
        "no-to" "no-cc" "no-bcc" "xmailer" "no-xmailer" "cover-letter" "s signoff" "n numbered"
        values "from" "to" "cc" "bcc" "subject" "in-reply-to" "reply-to" "confirm" "suppress-cc"
        "transfer-encoding" "8bit-encoding" "compose-encoding" "batch-size" "relogin-delay"
        "subject-prefix" "v reroll-count" "base";
    SVN: flags "s stdlayout" "q quiet" "n dry-run" "l local" "all" "fetch-all" "no-metadata"
        "v verbose" "oneline" "show-commit" "rmdir"
        values "r revision" "T trunk" "b branches" "t tags" "prefix" "A authors-file" "username"
        "limit" "log-window-size" "ignore-paths" "include-paths";
    HELP: flags "a all" "g guides" "c config" "m man" "i info" "w web" "v verbose" "no-verbose"
        "no-external-commands" "no-aliases" "external-commands" "aliases" "user-interfaces"
        "developer-interfaces";
    RANGE_DIFF: flags "dual-color" "no-dual-color" "left-only" "right-only" "no-notes" "no-color"
        "no-patch" "s" "p" "stat" values "creation-factor" attached "color" "notes";
    REV_PARSE:
        flags
            "verify" "q quiet" "show-toplevel" "show-cdup" "show-prefix" "git-dir"
            "absolute-git-dir" "git-common-dir" "is-inside-git-dir" "is-inside-work-tree"
            "is-bare-repository" "is-shallow-repository" "symbolic-full-name" "symbolic" "all"
            "revs-only" "no-revs" "flags" "no-flags" "not" "sq" "keep-dashdash" "local-env-vars"
            "show-superproject-working-tree" "shared-index-path"
        values
            "default" "prefix" "git-path"
        attached
            "short" "abbrev-ref" "branches" "tags" "remotes" "glob" "exclude" "disambiguate" "since"
            "after" "until" "before" "path-format" "show-object-format";
    VERIFY: flags "v verbose" "raw" values "format";
    STASH:
        flags
            "p patch" "S staged" "k keep-index" "no-keep-index" "q quiet" "u include-untracked"
            "no-include-untracked" "a all" "only-untracked" "index" "pathspec-file-nul"
        values
            "m message" "pathspec-from-file";
    REMOTE: flags "v verbose" "n" "f" "a auto" "d delete" "p prune" "push" "add" "delete" "all"
        "tags" "no-tags" values "t" "m" attached "mirror";
    NOTES: flags "f force" "allow-empty" "no-stripspace" "stripspace" "stdin" "ignore-missing"
        "n dry-run" "v verbose" "q quiet" "abort" "commit"
        values "ref" "m message" "F file" "C reuse-message" "c reedit-message" "s strategy";
    REFLOG: flags "all" "n dry-run" "v verbose" "q quiet" "rewrite" "updateref" "stale-fix"
        "single-worktree" attached "expire" "expire-unreachable";
    WORKTREE: flags "f force" "d detach" "checkout" "no-checkout" "lock" "q quiet" "orphan" "track"
        "no-track" "guess-remote" "no-guess-remote" "relative-paths" "porcelain" "z" "v verbose"
        "n dry-run" values "b" "B" "reason" "expire";
    SUBMODULE: flags "q quiet" "cached" "recursive" "init" "remote" "N no-fetch" "checkout" "merge"
        "rebase" "f force" "all" "no-recommend-shallow" "recommend-shallow" "single-branch"
        "no-single-branch" "progress" "files" "d default" "dissociate"
        values "b branch" "reference" "depth" "j jobs" "name" "n summary-limit" "filter";
    BISECT: flags "no-checkout" "first-parent" values "term-old" "term-new" "term-good" "term-bad";
    SPARSE: flags "cone" "no-cone" "sparse-index" "no-sparse-index" "stdin" "skip-checks";
    BUNDLE: flags "q quiet" "progress" "all-progress" "all" "branches" "tags" "remotes" "not"
        "0" "1" "2" "3" "4" "5" "6" "7" "8" "9"
        values "version" "n max-count" "since after" "until before";
    COMMIT_GRAPH: flags "reachable" "stdin-packs" "stdin-commits" "append" "changed-paths"
        "no-changed-paths" "progress" "no-progress" "shallow"
        attached "split" "max-commits" "size-multiple" "expire-time";
    MAINTENANCE: flags "auto" "q quiet" "detach" "no-detach" values "task" attached "schedule";
    SUBTREE: flags "q quiet" "d debug" "squash" "no-squash" "rejoin" "no-rejoin" "ignore-joins"
        values "P prefix" "m message" "b branch" "annotate" "onto";
    CONFIG: flags "global" "system" "local" "worktree" "get" "get-all" "get-regexp" "add"
        "replace-all" "unset" "unset-all" "rename-section" "remove-section" "l list" "e edit" "z null"
        "name-only" "show-origin" "show-scope" "show-names" "includes" "no-includes" "bool" "int"
        "bool-or-int" "bool-or-str" "path" "expiry-date" "fixed-value" "all" "append" "regexp"
        "get-urlmatch" "get-color" "get-colorbool"
        values "f file" "blob" "t type" "default" "value" "url" "comment";
    REPLACE: flags "l list" "d delete" "f force" "raw" "g graft" attached "format";
    TRAILERS: flags "in-place" "trim-empty" "only-trailers" "only-input" "unfold" "parse"
        "no-divider" values "trailer" attached "where" "if-exists" "if-missing";
    MAIL: flags "k" "b" "u" "n" "m message-id" "scissors" "no-scissors" attached "encoding"
        "quoted-cr";
    FAST_IMPORT: flags "quiet" "stats" "force" "done" attached "date-format" "max-pack-size"
        "big-file-threshold" "depth" "active-branches";
    MKTREE: flags "z" "missing" "batch";
    WRITE_TREE: flags "missing-ok" attached "prefix";
    STRIPSPACE: flags "s strip-comments" "c comment-lines";
    SHOW_INDEX: values "object-format";
    SHORT: flags "n" "q quiet" "v verbose" "f force" "s" "z" "normalize" "allow-onelevel"
        "no-allow-onelevel" "refspec-pattern" "branch" "l" "list" "strict" "no-strict" "stable"
        "unstable" "verbatim" "progress" "a" "o";
}
