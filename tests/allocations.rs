//! How many pieces of memory the analysis of a line of shell asks for: a bound that grows with the line
//! and with nothing else. A binary of its own, because the count is that of the whole process.

#[path = "../benches/support/lines.rs"]
#[allow(dead_code, reason = "shared with the benches")]
#[allow(unreachable_pub, reason = "the same")]
mod lines;

use std::alloc::System;

use countersign::action::path::{PurePaths, resolve_absolute};
use countersign::action::{Action as _, EffectContext, Effects, NoTools};
use countersign::shell::{MAX_LINE_BYTES, Shell, ShellEnv};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What every line may ask for, and besides for each of its bytes: braces make words of few.
const PER_LINE: usize = 64;
const PER_BYTE: usize = 8;

/// What loops and braces may add at most: commands and words are capped.
const REPEATED: usize = 64 * 1024;

#[test]
fn a_line_allocates_in_proportion_to_its_length() {
    let env = ShellEnv::bash(lines::PLACE).with_plain_names();
    let paths = PurePaths::new();
    let workspace = resolve_absolute(&paths, lines::PLACE).unwrap();
    let context = EffectContext::new(&paths, &workspace, &NoTools);
    let count = |line: &str| {
        let region = Region::new(ALLOCATOR);
        let mut effects = Effects::default();
        Shell::parse(line, &env).effects(&context, &mut effects);
        drop(effects.finish());
        let stats = region.change();
        stats.allocations + stats.reallocations
    };
    let ordinary = lines::ORDINARY.iter().map(|line| (*line).to_owned());
    let mut counts: Vec<usize> = Vec::new();
    for line in ordinary.chain(lines::corpus().unwrap_or_default()) {
        // What is made once for the process is made by the first call.
        count(&line);
        let found = count(&line);
        counts.push(found);
        let most = PER_LINE + PER_BYTE * line.len();
        assert!(found <= most, "{found} allocations, {most} at most: {line}");
    }
    counts.sort_unstable();
    let part = |part: usize| counts.get(counts.len() * part / 100).copied();
    println!("allocations: p50 {:?}, p99 {:?}, most {:?}", part(50), part(99), counts.last());
    for (name, line) in lines::worst(MAX_LINE_BYTES) {
        let found = count(&line);
        println!("{name}: {found} allocations, {} bytes", line.len());
        let most = PER_LINE + PER_BYTE * line.len() + REPEATED;
        assert!(found <= most, "{found} allocations, {most} at most: {name}");
    }
}
