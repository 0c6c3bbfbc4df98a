//! Lines of shell: ordinary ones, the longest of each bad kind, and those of the corpus.

use std::path::Path;

/// The directory that the lines start in.
pub const PLACE: &str = "/srv/project";

/// What agents mostly run.
pub const ORDINARY: [&str; 40] = [
    "ls -la",
    "pwd",
    "git status",
    "git diff HEAD~1 -- src",
    "git log --oneline -n 20",
    "git add -A && git commit -m 'fix the flaky login test'",
    "git checkout -b fix/login",
    "cat README.md",
    "cat src/main.rs | head -n 50",
    "head -n 100 src/lib.rs",
    "tail -n 20 build.log",
    "sed -n '1,80p' src/lib.rs",
    "sed -i 's/old/new/g' src/config.rs",
    "grep -rn 'fn parse' src --include='*.rs'",
    "rg -n 'TODO|FIXME' src tests",
    "find . -name '*.py' -not -path './node_modules/*' | head -20",
    "find src -type f -name '*.rs' | xargs wc -l",
    "wc -l src/*.rs",
    "cargo build --release",
    "cargo test --lib shell -- --nocapture 2>&1 | tail -30",
    "cargo clippy --all-targets -- -D warnings",
    "cd crates/cli && cargo run -- --help",
    "npm test",
    "npm run build -- --mode production",
    "npx tsc --noEmit",
    "python3 -m pytest tests/test_login.py -x -q",
    "python scripts/report.py --out report.json",
    "go test ./... -run TestLogin",
    "make -j4 test",
    "mkdir -p out/report && cp template.html out/report/index.html",
    "rm -rf target/debug/incremental",
    "mv notes.txt docs/notes.md",
    "touch src/new.rs",
    "echo \"version = $VERSION\" >> config.toml",
    "export RUST_LOG=debug; cargo run",
    "for f in a b c; do echo \"$f\" > out/$f.txt; done",
    "if [ -f package.json ]; then npm install; else echo missing; fi",
    "cat > notes.md <<'EOF'\n# Notes\n- one\n- two\nEOF",
    "diff -u a.txt b.txt | sort | uniq -c",
    "tar -czf out.tar.gz src && du -sh out.tar.gz",
];

/// A word of 32 bytes, its blank included: a line of them has fewer words than a line may have.
const WORD: &str = "abcdefghijklmnopqrstuvwxyzabcde ";

/// Lines of at most `most` bytes that are the worst of their kind for one part of the analysis.
pub fn worst(most: usize) -> Vec<(&'static str, String)> {
    let fill = |piece: &str| piece.repeat(most / piece.len());
    let around = |head: &str, piece: &str, tail: &str| {
        format!("{head}{}{tail}", piece.repeat((most - head.len() - tail.len()) / piece.len()))
    };
    let nested = |open: &str, close: &str| around(&open.repeat(20), WORD, &close.repeat(20));
    let documents = |count: usize, text: &str| -> String {
        (0..count).map(|n| format!("cat <<E{n} >f{n}\n{text}\nE{n}\n")).collect()
    };
    let padded = |line: String| {
        let left = most.saturating_sub(line.len() + 1);
        format!("{line}#{}", "x".repeat(left))
    };
    let commands = |count: usize, piece: &str, link: &str| {
        let each = most / count - link.len();
        let command = |number| format!("{:y<each$}", format!("{piece}{number}"));
        (0..count).map(command).collect::<Vec<_>>().join(link)
    };
    let script = (0..250).map(|n| format!("rm {n:y<250}")).collect::<Vec<_>>().join(";");
    vec![
        ("subshells", nested("( ", " )")),
        ("substitutions", nested("echo $(", ")")),
        ("groups", around(&"{ ".repeat(20), WORD, &";}".repeat(20))),
        ("braces", padded(format!("cat {}", "{b,c}".repeat(11)))),
        ("brace_range", padded("rm f{1..4000}".into())),
        ("document", around("cat <<E\n", "b $x c\n", "\nE")),
        ("documents", documents(120, &"line\n".repeat(100))),
        ("commands", commands(255, "cat f", ";")),
        ("pipeline", commands(255, "cat f", "|")),
        ("and_or", commands(255, "cat f", "&&")),
        ("variables", commands(255, "x=$x$y", ";")),
        ("distinct_variables", (0..255).map(|n| format!("v{n}=a;")).collect::<String>()),
        ("words", around("cat ", WORD, "")),
        ("operands", (0..4000).map(|n| format!(" f{n}")).fold("rm".into(), |a, b| a + &b)),
        ("quotes", around("echo ", "'b'\"c\"", "")),
        ("escapes", fill("\\a")),
        ("parameters", around("echo ", "$x", "")),
        ("globs", around("cat ", "*a", "")),
        ("patterns", (0..4000).map(|n| format!(" *f{n}")).fold("cat".into(), |a, b| a + &b)),
        ("slashes", around("cat ", "a/", "b")),
        ("loop", {
            let body: String = (0..40).map(|n| format!("cat $a$b f{n};")).collect();
            format!("for a in 1 2 3 4 5 6 7 8; do for b in 1 2 3 4; do {body} done; done")
        }),
        ("created", {
            let made: String = (0..250).map(|n| format!("ln -s a{n} b{n};")).collect();
            (0..2000).map(|n| format!(" f{n}")).fold(made + "rm", |a, b| a + &b)
        }),
        ("doubled", {
            let first = format!("x={};y=$x$x$x$x;z=$y$y$y;echo", "a".repeat(5000));
            first + &" $z".repeat(4000)
        }),
        ("scripts", format!("bash -c 'bash -c \"{script}\"'")),
    ]
}

/// The shell lines of the benign corpus, where it lies beside the repository.
pub fn corpus() -> Option<Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/benign.jsonl");
    let text = std::fs::read_to_string(file).ok()?;
    let record = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
    let shell = |record: serde_json::Value| {
        let is_shell = record.get("kind")?.as_str()? == "shell";
        is_shell.then(|| record.get("input")?.as_str().map(str::to_owned)).flatten()
    };
    Some(text.lines().filter_map(record).filter_map(shell).collect())
}
