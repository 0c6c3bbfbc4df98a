//! Sessions, permits and sinks: one chain, nothing released before it is stored.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use countersign::action::path::PurePaths;
use countersign::action::{Connect, Exec, ExportData, ReadData, WriteData};
use countersign::authorizer::{Call, RunError, StartError};
use countersign::receipt::{
    AsyncReceiptSink, Group, MemorySink, ReceiptSink, Signing, SinkError, Verified, Verifier,
    sink_fn,
};
use countersign::session::Session;
use countersign::testing::{self, Fixture};
use countersign::{AuthorizeError, Authorizer, Permit, Sink};

use crate::support;

fn verify(ndjson: &str) -> Verified {
    Verifier::new(testing::trusted_key()).verify(ndjson.as_bytes()).expect("the lines verify")
}

fn permit(session: &Session) -> Permit<ReadData> {
    session.authorize(ReadData::new("a")).unwrap().permit().expect("reading is allowed")
}

fn with_sink(
    sink: Sink,
) -> countersign::authorizer::AuthorizerBuilder<countersign::authorizer::Ready> {
    Authorizer::builder()
        .policy(testing::baseline())
        .identity(testing::identity_key())
        .sink(sink)
        .with_clock(testing::clock())
        .with_entropy(testing::entropy())
        .with_paths(PurePaths::new())
}

fn open(sink: Sink) -> Session {
    let authorizer = with_sink(sink).build().unwrap();
    authorizer.open(&testing::scope(), testing::agent()).unwrap()
}

// Permits.

#[test]
fn a_permit_runs_once_and_its_end_is_on_record() {
    let fixture = Fixture::default();
    let session = fixture.session();
    permit(&session)
        .run(|granted| {
            assert_eq!(granted.path().unwrap().as_str(), "/srv/web/a");
            Ok::<_, std::io::Error>(())
        })
        .unwrap();
    let failed = permit(&session).run(|_| Err::<(), _>(std::io::Error::other("no")));
    assert!(matches!(failed, Err(RunError::Failed(_))));
    drop(permit(&session));
    let panicking = permit(&session);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        panicking.run::<(), std::io::Error>(|_| panic!("a tool that panics"))
    }));
    assert!(panicked.is_err());
    session.close().unwrap();
    let stored = fixture.sink.to_ndjson();
    let statuses: Vec<&str> = ["succeeded", "failed", "unused", "panicked"]
        .into_iter()
        .filter(|status| stored.contains(&format!("\"status\":\"{status}\"")))
        .collect();
    assert_eq!(statuses.len(), 4, "{statuses:?}");
    let verified = verify(&stored);
    assert_eq!((verified.sessions[0].allowed, verified.sessions[0].pending.len()), (4, 0));
}

#[test]
fn a_permit_runs_out() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let late = permit(&session);
    fixture.clock.advance(30_000);
    let mut ran = false;
    let result = late.run(|_| {
        ran = true;
        Ok::<_, std::io::Error>(())
    });
    assert!(matches!(result, Err(RunError::Expired)) && !ran);
    let in_time = permit(&session);
    fixture.clock.advance(29_999);
    in_time.run(|_| Ok::<_, std::io::Error>(())).unwrap();
    assert!(fixture.sink.to_ndjson().contains("\"status\":\"expired\""));
}

#[test]
fn a_permit_does_not_outlive_its_scope_or_its_session() {
    let fixture = Fixture::default();
    let session = fixture.session();
    fixture.clock.advance(2 * 3_600_000 - 1_000);
    let last = permit(&session);
    fixture.clock.advance(1_000);
    assert!(matches!(last.start(), Err(StartError::Expired)));

    let fixture = Fixture::default();
    let session = fixture.session();
    let open = permit(&session);
    session.close().unwrap();
    let refused = open.run(|_| Ok::<_, std::io::Error>(()));
    assert!(matches!(refused, Err(RunError::Refused(AuthorizeError::Closed))));
    assert!(matches!(session.authorize(ReadData::new("a")), Err(AuthorizeError::Closed)));
    assert!(matches!(session.close(), Err(AuthorizeError::Closed)));
    let verified = verify(&fixture.sink.to_ndjson());
    assert_eq!(verified.sessions[0].pending.len(), 0, "closing voids what was out");
}

#[test]
fn a_running_action_keeps_its_session_open() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let (_granted, running) = permit(&session).start().unwrap();
    assert!(matches!(session.close(), Err(AuthorizeError::Misuse(_))));
    running.report(true).unwrap();
    session.close().unwrap();
}

#[test]
fn amounts_are_settled_by_what_really_happened() {
    let policies = r#"@id("all") permit(principal, action, resource);"#;
    let fixture = Fixture::new(support::bundle(policies));
    let text = testing::SCOPE
        .replace(
            "\"delete\":",
            "\"export\": [{\"from\": \"/srv/web/**\", \"to\": \"warehouse/**\"}], \"delete\":",
        )
        .replace("\"actions\": 200", "\"actions\": 200, \"egress_bytes\": 100");
    let scope = testing::trusted(&text).unwrap();
    let session = fixture.authorizer.open(&scope, testing::agent()).unwrap();
    let export = |bytes| ExportData::to_named("a", "warehouse/a").sends_bytes(bytes);
    let first = session.authorize(export(100)).unwrap().permit().unwrap();
    let second = session.authorize(export(1)).unwrap();
    assert_eq!(second.reasons()[0].code(), "limit.egress_bytes");
    first
        .run(|granted| {
            granted.sent_bytes(40);
            Ok::<_, std::io::Error>(())
        })
        .unwrap();
    let undeclared = session.authorize(ExportData::to_named("a", "warehouse/a")).unwrap();
    assert_eq!(undeclared.reasons()[0].code(), "limit.egress_bytes");
    assert!(session.authorize(export(60)).unwrap().is_allow());
    // The permit was dropped unused, so that its bytes are free again.
    assert!(session.authorize(export(60)).unwrap().is_allow());
}

// Sinks.

#[test]
fn a_sink_that_fails_gives_an_error_and_no_permit() {
    let stored = Arc::new(MemorySink::new());
    let kept = Arc::clone(&stored);
    let calls = AtomicUsize::new(0);
    let sink = sink_fn(move |group: &Group| {
        // The third group is the first call's; it fails in its middle.
        if calls.fetch_add(1, Ordering::SeqCst) < 2 {
            return ReceiptSink::append(&*kept, group);
        }
        let half = Group::new(group.lines[..group.lines.len() / 2].to_vec(), Vec::new());
        ReceiptSink::append(&*kept, &half)?;
        Err(SinkError::new("no space left on device"))
    });
    let session = open(Sink::blocking(sink));
    let two_domains = || Exec::new("git").and(ReadData::new("a")).nothing_else();
    let error = session.authorize(two_domains()).unwrap_err();
    assert!(matches!(error, AuthorizeError::Store(_)), "{error}");
    for _ in 0..2 {
        assert!(matches!(session.authorize(two_domains()), Err(AuthorizeError::Poisoned)));
    }
    assert!(matches!(session.close(), Err(AuthorizeError::Poisoned)));
    let verified = verify(&stored.to_ndjson());
    assert_eq!(verified.sessions[0].incomplete_groups, 1);
    assert_eq!(verified.sessions[0].allowed, 0);
}

#[test]
fn an_outcome_that_is_not_stored_is_told_and_poisons() {
    let kept = Arc::new(MemorySink::new());
    let sink = sink_fn(move |group: &Group| {
        if group.lines.iter().any(|line| line.as_str().starts_with("{\"outcome\"")) {
            return Err(SinkError::new("no space left on device"));
        }
        ReceiptSink::append(&*kept, group)
    });
    let session = open(Sink::blocking(sink));
    let result = permit(&session).run(|_| Ok::<_, std::io::Error>(7));
    assert!(matches!(result, Err(RunError::Unrecorded { result: Ok(7), .. })));
    assert!(matches!(session.authorize(ReadData::new("a")), Err(AuthorizeError::Poisoned)));
}

#[test]
fn a_sink_that_panics_poisons() {
    let armed = Arc::new(AtomicUsize::new(0));
    let fuse = Arc::clone(&armed);
    let session = open(Sink::blocking(sink_fn(move |_: &Group| {
        assert!(fuse.load(Ordering::SeqCst) == 0, "a sink that panics");
        Ok(())
    })));
    armed.store(1, Ordering::SeqCst);
    let call = std::panic::AssertUnwindSafe(|| session.authorize(ReadData::new("a")));
    assert!(std::panic::catch_unwind(call).is_err());
    assert!(matches!(session.authorize(ReadData::new("a")), Err(AuthorizeError::Poisoned)));
}

#[test]
fn callers_that_store_by_themselves_answer_in_order() {
    let pending = with_sink(Sink::Caller).propose().unwrap();
    let mut stored = String::new();
    pending.group().write_ndjson(&mut stored);
    let authorizer = pending.recorded().unwrap();
    let pending = authorizer.propose_open(&testing::scope(), testing::agent()).unwrap();
    pending.group().write_ndjson(&mut stored);
    let session = pending.recorded().unwrap();
    assert!(matches!(session.authorize(ReadData::new("a")), Err(AuthorizeError::Misuse(_))));

    let first = session.propose(ReadData::new("a"), &Call::new()).unwrap();
    let second = session.propose(WriteData::new("b"), &Call::new()).unwrap();
    first.group().write_ndjson(&mut stored);
    second.group().write_ndjson(&mut stored);
    let too_early = second.try_recorded().unwrap_err();
    let first = first.recorded().unwrap();
    let second = too_early.0.try_recorded().unwrap().unwrap();
    assert!(first.is_allow() && second.is_allow());

    second.permit().unwrap().run(|_| Ok::<_, std::io::Error>(())).unwrap();
    drop(first);
    for pending in session.take_unstored() {
        pending.group().write_ndjson(&mut stored);
        pending.recorded().unwrap();
    }
    let pending = session.propose_close().unwrap();
    pending.group().write_ndjson(&mut stored);
    pending.recorded().unwrap();
    let verified = verify(&stored);
    assert_eq!((verified.sessions[0].allowed, verified.sessions[0].pending.len()), (2, 0));
}

#[test]
fn a_group_that_nobody_answers_for_poisons() {
    let authorizer = with_sink(Sink::Caller).propose().unwrap().recorded().unwrap();
    let open = || {
        let pending = authorizer.propose_open(&testing::scope(), testing::agent()).unwrap();
        pending.recorded().unwrap()
    };
    let session = open();
    drop(session.propose(ReadData::new("a"), &Call::new()).unwrap());
    let refused = session.propose(ReadData::new("a"), &Call::new());
    assert!(matches!(refused, Err(AuthorizeError::Poisoned)));

    let session = open();
    let first = session.propose(ReadData::new("a"), &Call::new()).unwrap();
    let second = session.propose(ReadData::new("a"), &Call::new()).unwrap();
    first.failed();
    assert!(matches!(second.recorded(), Err(AuthorizeError::Poisoned)));
}

/// Stores after being polled twice.
#[derive(Debug, Default)]
struct SlowSink(Mutex<String>);

impl AsyncReceiptSink for SlowSink {
    fn append<'a>(
        &'a self,
        group: &'a Group,
    ) -> Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>> {
        let mut polls = 0;
        Box::pin(std::future::poll_fn(move |context| {
            polls += 1;
            if polls < 3 {
                context.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            group.write_ndjson(&mut self.0.lock().unwrap());
            std::task::Poll::Ready(Ok(()))
        }))
    }
}

#[test]
fn asynchronous_sinks_keep_the_order_of_the_chain() {
    let sink = Arc::new(SlowSink::default());
    let stored = support::block_on(async {
        let authorizer =
            with_sink(Sink::asynchronous(Arc::clone(&sink))).build_async().await.unwrap();
        let session = authorizer.open_async(&testing::scope(), testing::agent()).await.unwrap();
        let blocking = session.authorize(ReadData::new("a"));
        assert!(matches!(blocking, Err(AuthorizeError::Misuse(_))));
        let permit = session.authorize_async(ReadData::new("a")).await.unwrap().permit().unwrap();
        permit.run_async(|_| async { Ok::<_, std::io::Error>(()) }).await.unwrap();
        // Dropped where nothing can be awaited: the next call stores it first.
        drop(session.authorize_async(ReadData::new("b")).await.unwrap());
        assert!(session.authorize_async(ReadData::new("c")).await.unwrap().is_allow());
        session.head_async().await.unwrap();
        session.close_async().await.unwrap();
        sink.0.lock().unwrap().clone()
    });
    let verified = verify(&stored);
    assert_eq!((verified.sessions[0].allowed, verified.sessions[0].pending.len()), (3, 0));
    assert!(verified.sessions[0].closed.is_some());
}

#[test]
fn a_call_that_is_cancelled_while_storing_poisons() {
    let sink = Arc::new(SlowSink::default());
    support::block_on(async {
        let authorizer = with_sink(Sink::asynchronous(sink)).build_async().await.unwrap();
        let session = authorizer.open_async(&testing::scope(), testing::agent()).await.unwrap();
        {
            let mut call = std::pin::pin!(session.authorize_async(ReadData::new("a")));
            let waker = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(waker);
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        let next = session.authorize_async(ReadData::new("a")).await;
        assert!(matches!(next, Err(AuthorizeError::Poisoned)));
    });
}

#[test]
fn concurrent_calls_keep_one_chain() {
    let fixture = Fixture::default();
    let text = testing::SCOPE
        .replace("\"actions\": 200, \"per_minute\": 60", "\"actions\": 1000, \"per_minute\": 1000");
    let scope = testing::trusted(&text).unwrap();
    let session = fixture.authorizer.open(&scope, testing::agent()).unwrap();
    let other = fixture.authorizer.open(&scope, testing::agent()).unwrap();
    std::thread::scope(|threads| {
        for worker in 0..8 {
            let session = if worker % 4 == 3 { other.clone() } else { session.clone() };
            threads.spawn(move || {
                for step in 0..20 {
                    if step % 7 == 3 {
                        session.head().unwrap();
                    }
                    let permit = session.authorize(ReadData::new("a")).unwrap().permit().unwrap();
                    permit.run(|_| Ok::<_, std::io::Error>(())).unwrap();
                }
            });
        }
    });
    session.close().unwrap();
    other.close().unwrap();
    let verified = verify(&fixture.sink.to_ndjson());
    let allowed: Vec<u64> = verified.sessions.iter().map(|session| session.allowed).collect();
    assert_eq!(allowed, [120, 40]);
    assert!(verified.sessions.iter().all(|session| session.pending.is_empty()));
}

#[test]
fn every_decision_leaves_one_line_for_each_domain() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let calls: [(Box<dyn countersign::Action>, usize); 4] = [
        (Box::new(ReadData::new("a")), 1),
        (Box::new(Connect::new("evil.example", 1)), 1),
        (Box::new(Exec::new("git").and(ReadData::new("a")).nothing_else()), 2),
        (Box::new(Connect::new("", 1)), 1),
    ];
    let mut expected = 0;
    for (action, lines) in calls {
        drop(session.authorize(action).unwrap());
        expected += lines;
    }
    let stored = fixture.sink.to_ndjson();
    let receipts = stored.lines().filter(|line| line.starts_with("{\"receipt\"")).count();
    assert_eq!(receipts, expected);
}

#[test]
fn lines_can_go_unsigned_between_heads() {
    let sink = Arc::new(MemorySink::new());
    let authorizer =
        with_sink(Sink::blocking(Arc::clone(&sink))).with_signing(Signing::Heads).build().unwrap();
    let session = authorizer.open(&testing::scope(), testing::agent()).unwrap();
    drop(permit(&session));
    let open = verify(&sink.to_ndjson());
    assert_eq!(open.sessions[0].proven_lines, 1, "the journal signs for the first line");
    session.head().unwrap();
    let headed = verify(&sink.to_ndjson());
    assert_eq!(headed.sessions[0].proven_lines, headed.sessions[0].lines);
}

#[test]
fn a_planted_secret_occurs_in_no_line() {
    let fixture = Fixture::default();
    let session = fixture.session();
    let secret = "hunter2-planted";
    drop(session.authorize(ReadData::new(format!("{secret}.txt"))).unwrap());
    drop(session.authorize(Exec::new("git").args([secret])).unwrap());
    drop(session.authorize(Connect::new(format!("{secret}.example.org"), 443)).unwrap());
    session.close().unwrap();
    assert!(!fixture.sink.to_ndjson().contains(secret));
    assert!(fixture.sink.openings().iter().any(|opening| opening.value().contains(secret)));
}
