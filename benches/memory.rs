//! How many bytes an idle session takes: a hundred thousand of them, sharing ten scopes.
//!
//! What is counted is the resident memory of the process, from before the first is opened to after
//! the last: with what the allocator adds, and without an allocator that counts. The sink keeps
//! nothing. Works where `/proc/self/status` does; elsewhere it only opens the sessions.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]
#![expect(clippy::print_stdout, reason = "a bench reports")]

mod support;

use countersign::action::Connect;
use countersign::receipt::{Openings, Signing, sink_fn};
use countersign::{Session, Sink, testing};

use support::desk::{agent, build};
use support::{HOST, PORT, is_test, scope, size};

fn main() {
    let count = size(100_000, 100);
    let authorizer = build(
        &testing::baseline(),
        Signing::Heads,
        Openings::Keep,
        Sink::blocking(sink_fn(|_| Ok(()))),
    );
    let scopes: Vec<_> = (0..10).map(scope).collect();
    // What is made once is made before: compiled scopes, slices, the buffers of the first call.
    let first: Vec<_> = scopes.iter().map(|s| authorizer.open(s, agent(0)).unwrap()).collect();
    call(&first, 1);
    let mut sessions = Vec::with_capacity(count);
    let before = resident();
    for (number, scope) in scopes.iter().cycle().take(count).enumerate() {
        sessions.push(authorizer.open(scope, agent(number)).unwrap());
    }
    report("memory/idle_session", count, before);
    call(&sessions, 1);
    report("memory/idle_session_after_1_call", count, before);
    call(&sessions, 15);
    report("memory/idle_session_after_16_calls", count, before);
}

/// Has every session decide and run `calls` actions.
fn call(sessions: &[Session], calls: usize) {
    for session in sessions {
        for _ in 0..calls {
            let permit = session.authorize(Connect::new(HOST, PORT)).unwrap().permit().unwrap();
            permit.run(|_| Ok::<_, std::io::Error>(())).unwrap();
        }
    }
}

fn report(name: &str, count: usize, before: Option<u64>) {
    if is_test() {
        return;
    }
    match (before, resident()) {
        (Some(before), Some(after)) => {
            let bytes = after.saturating_sub(before) / count as u64;
            println!("{name}: {bytes} bytes each, {count} sessions");
        }
        _ => println!("{name}: not measured on this system"),
    }
}

/// The resident memory of this process that no file backs, in bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
