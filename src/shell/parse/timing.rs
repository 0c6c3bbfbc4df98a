use super::parse;
use std::time::Instant;
#[test]
#[expect(clippy::disallowed_methods, reason = "timing")]
fn timing() {
    let lines = [
        (
            "simple",
            "grep -rn 'fn parse' src/shell --include='*.rs' | head -n 20 && cargo test --lib parse -- --nocapture 2>&1",
        ),
        (
            "dynamic",
            "for f in $(git ls-files '*.rs'); do wc -l \"$f\" >> \"$OUT/lines.txt\"; done; sort -n \"${OUT:-/tmp}/l\" | tail -3",
        ),
        (
            "cd",
            "cd /work/main && git status --short && git diff --stat HEAD~1 -- src tests && rm -rf target/debug/foo ok1",
        ),
    ];
    for (name, l) in lines {
        let n = 200_000;
        for _ in 0..n / 10 {
            std::hint::black_box(parse(std::hint::black_box(l)).is_ok());
        }
        let t = Instant::now();
        for _ in 0..n {
            std::hint::black_box(parse(std::hint::black_box(l)).is_ok());
        }
        let e = t.elapsed().as_nanos() as f64 / n as f64;
        println!(
            "{name}: {} bytes {:.0} ns = {:.0} ns per 100 bytes ok={}",
            l.len(),
            e,
            e * 100.0 / l.len() as f64,
            parse(l).is_ok()
        );
    }
    let p = std::env::var("COUNTERSIGN_SHARED").unwrap();
    let text = std::fs::read_to_string(format!("{p}/corpora/benign.jsonl")).unwrap();
    let v: Vec<String> = text
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
        .filter(|v| v["kind"] == "shell")
        .map(|v| v["input"].as_str().unwrap().to_owned())
        .collect();
    let mut times: Vec<(f64, usize)> = v
        .iter()
        .map(|l| {
            let mut best = f64::MAX;
            for _ in 0..20 {
                let t = Instant::now();
                std::hint::black_box(parse(l).is_ok());
                best = best.min(t.elapsed().as_nanos() as f64);
            }
            (best, l.len())
        })
        .collect();
    let bytes: usize = times.iter().map(|t| t.1).sum();
    let total: f64 = times.iter().map(|t| t.0).sum();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!(
        "benign: {} lines, mean {} bytes, p50 {:.0} ns p99 {:.0} ns max {:.0}; {:.0} ns per 100 bytes",
        v.len(),
        bytes / v.len(),
        times[times.len() / 2].0,
        times[times.len() * 99 / 100].0,
        times.last().unwrap().0,
        total * 100.0 / bytes as f64
    );
    let r = |s: &str| s.repeat(65536 / s.len());
    let fam: Vec<(&str, String)> = vec![
        ("words", format!("a {}", "bcdefghijklmno ".repeat(4000))),
        ("4096 words short", "a ".repeat(4096) + &" ".repeat(57000)),
        ("dquote escapes", format!("\"{}\"", "\\$".repeat(32000))),
        ("squotes", format!("a {}", "''".repeat(32000))),
        ("quotes mixed", format!("a {}", "'b'\"c\"".repeat(10900))),
        ("escapes", r("\\a")),
        ("globs", format!("a {}", "*".repeat(65000))),
        ("brackets", format!("a {}", "[a]".repeat(21000))),
        ("half", format!("a {}", "[$x]".repeat(16000))),
        ("params", format!("a {}", "$x".repeat(32000))),
        ("dparams", format!("a \"{}\"", "$x ".repeat(21000))),
        ("braceparams", format!("a {}", "${x}".repeat(16000))),
        ("ansi", format!("a $'{}'", "\\n".repeat(32000))),
        ("tildes", format!("x={}", "~:".repeat(32000))),
        ("braces", format!("a {}", "{b}".repeat(21000))),
        ("bracepairs", format!("a {}", "{b,c} ".repeat(2047))),
        ("brace product", format!("a {}", "{b,c}".repeat(12))),
        ("brace seq", "a {1..4000}".into()),
        ("brace many commas", format!("a {{{}b}}", "b,".repeat(4090))),
        ("commas lit", format!("a {}", ",".repeat(65000))),
        ("brace mark", format!("a {{{}", "b,".repeat(32000))),
        ("backticks", format!("a {}", "`b`".repeat(250))),
        ("heredoc", format!("a <<E\n{}\nE", "b $x c\n".repeat(9000))),
        ("heredocs", format!("a {}\n{}", "<<a ".repeat(4090), "a\n".repeat(4090))),
        ("nested heredoc", {
            let o: String = (0..11).map(|i| format!("$(a <<E{i}\n")).collect();
            let c: String = (0..11).rev().map(|i| format!("\nE{i}\n)")).collect();
            format!("{o}{}{c}", "x".repeat(64000))
        }),
        ("nested heredoc lines", {
            let o: String = (0..11).map(|i| format!("$(a <<E{i}\n")).collect();
            let c: String = (0..11).rev().map(|i| format!("\nE{i}\n)")).collect();
            format!("{o}{}{c}", "x\n".repeat(32000))
        }),
        ("nested strip", format!("{}{}{}", "${x#".repeat(20), "y".repeat(65000), "}".repeat(20))),
        (
            "nested brace subst",
            format!("{}{}{}", "a {b,$(".repeat(20), "y".repeat(65000), ")}".repeat(20)),
        ),
        ("case", format!("case a in {} esac", "b|c) ;; ".repeat(2040))),
        ("newlines", "\n".repeat(65000)),
        ("comments", "#a\n".repeat(21000)),
        ("arith", format!("a $(({}1))", "1+".repeat(32000))),
        ("arith p", format!("a $(({}))", "$x+".repeat(21000) + "1")),
        ("array", format!("x=({})", "b ".repeat(4090))),
        ("assign", "x=1 ".repeat(4090)),
        ("redir", ">a ".repeat(4090)),
        ("cmds", "a;".repeat(255)),
        ("utf8", format!("a {}", "é".repeat(32000))),
        ("utf8q", format!("a '{}'", "日".repeat(21000))),
        ("test", format!("[[ {} a ]]", "a && ".repeat(2040))),
    ];
    let mut worst = (0.0, "");
    for (n, l) in &fam {
        let l = &l[..l.len().min(65536)];
        let mut best = f64::MAX;
        for _ in 0..7 {
            let t = Instant::now();
            std::hint::black_box(parse(l).is_ok());
            best = best.min(t.elapsed().as_secs_f64() * 1e3);
        }
        let why = parse(l).err().map(|r| r.why);
        if best > worst.0 {
            worst = (best, n)
        }
        println!("{n}: {} bytes {best:.3} ms {why:?}", l.len());
    }
    println!(
        "worst {worst:?}; part {} word {}",
        size_of::<crate::shell::syntax::Part<'_>>(),
        size_of::<crate::shell::syntax::Word<'_>>()
    );
}
