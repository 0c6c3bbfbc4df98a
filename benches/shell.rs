//! What a line of shell costs: to read it, and to work out every effect that it would have.
//!
//! Pure resolver, one environment. Of each line of the corpus the median counts, and of these the spread
//! over the lines is reported.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]
#![expect(clippy::print_stdout, reason = "a bench reports")]

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use countersign::action::path::{PurePaths, ResolvedPath, resolve_absolute};
use countersign::action::{Action as _, Effect, EffectContext, Effects, NoTools};
use countersign::shell::{MAX_LINE_BYTES, Shell, ShellEnv};

use support::lines::{self, ORDINARY, PLACE};

/// A line of 100 bytes, with what lines mostly have: a list, a pipeline, quotes, a redirection.
const HUNDRED: &str = "cd src && grep -rn 'fn parse' --include='*.rs' . | head -n 20 && cargo test --lib parser 2>/dev/null";

fn main() {
    assert_eq!(HUNDRED.len(), 100);
    let mut criterion = support::criterion();
    let desk = Desk::new();
    let mut group = criterion.benchmark_group("shell");
    group.bench_function("parse", |b| b.iter(|| desk.parse(black_box(HUNDRED))));
    group.bench_function("effects", |b| b.iter(|| desk.effects(black_box(HUNDRED))));
    for (name, line) in lines::worst(MAX_LINE_BYTES) {
        group
            .bench_function(format!("worst/{name}"), |b| b.iter(|| desk.effects(black_box(&line))));
    }
    group.finish();
    percentiles(&desk);
    criterion.final_summary();
}

/// What a host has at hand when a line comes in.
struct Desk {
    env: ShellEnv,
    paths: PurePaths,
    workspace: ResolvedPath,
}

impl Desk {
    fn new() -> Self {
        let paths = PurePaths::new();
        let workspace = resolve_absolute(&paths, PLACE).unwrap();
        Self { env: ShellEnv::bash(PLACE).with_plain_names(), paths, workspace }
    }

    fn parse(&self, line: &str) -> Shell {
        Shell::parse(line, &self.env)
    }

    fn effects(&self, line: &str) -> Vec<Effect> {
        let mut effects = Effects::default();
        let context = EffectContext::new(&self.paths, &self.workspace, &NoTools);
        self.parse(line).effects(&context, &mut effects);
        effects.finish()
    }
}

/// The spread over lines: of ordinary ones that stand here, and of the corpus where it is present.
fn percentiles(desk: &Desk) {
    report(desk, "ordinary", &ORDINARY.map(str::to_owned));
    match lines::corpus() {
        Some(lines) => {
            report(desk, "benign", &lines);
            let short: Vec<String> = lines.into_iter().filter(|line| line.len() <= 100).collect();
            report(desk, "benign/up_to_100_bytes", &short);
        }
        None => println!("shell/benign: skipped, ../shared/corpora is not there"),
    }
}

fn report(desk: &Desk, name: &str, lines: &[String]) {
    let rounds = support::size(31, 1);
    let once = |line: &String| time(|| drop(black_box(desk.effects(black_box(line)))));
    // The same line again and again, as criterion does it.
    let in_a_row = lines.iter().map(|line| median((0..rounds).map(|_| once(line)).collect()));
    spread(&format!("{name}/in_a_row"), in_a_row.collect());
    // All lines, then all lines again: each finds the caches as the others have left them.
    let mut times = vec![Vec::with_capacity(rounds); lines.len()];
    for _ in 0..rounds {
        for (line, times) in lines.iter().zip(&mut times) {
            times.push(once(line));
        }
    }
    spread(&format!("{name}/in_turn"), times.into_iter().map(median).collect());
}

fn spread(name: &str, mut times: Vec<Duration>) {
    if support::is_test() {
        return;
    }
    let count = times.len();
    let mean = times.iter().sum::<Duration>() / u32::try_from(count).unwrap();
    let [p50, p90, p99, most] = [50, 90, 99, 100].map(|part| percentile(&mut times, part));
    println!(
        "shell/{name}: {count} lines, mean {mean:?}, p50 {p50:?}, p90 {p90:?}, p99 {p99:?}, max {most:?}"
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    percentile(&mut times, 50)
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn percentile(times: &mut [Duration], part: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * part / 100).min(times.len() - 1);
    times.get(at).copied().unwrap()
}
