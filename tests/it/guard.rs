//! `#[guarded]` and `#[derive(Action)]` from the outside: order, refusals, outcomes, and that a body
//! means what it means without the attribute.

use std::cell::Cell;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};

use countersign::action::path::{PurePaths, ResolvedPath};
use countersign::action::{
    ActionSpec, Domain, Effect, EffectContext, Effects, FactType, HostAction, IntoFact, Kind,
    NoTools, Reversibility, Target,
};
use countersign::guard::Refused;
use countersign::policy::{Authored, Enforced};
use countersign::reason::Reason;
use countersign::receipt::{MemorySink, ReceiptSink as _, SessionId, SinkError, sink_fn};
use countersign::session::Session;
use countersign::testing;
use countersign::time::{Clock, ClockError, Timestamp};
use countersign::{Action, Authorizer, Sink, guarded};

// The fixtures.

/// The sinks of the sessions that were opened, so that a test can read what is on record.
static SINKS: LazyLock<Mutex<HashMap<SessionId, Arc<MemorySink>>>> = LazyLock::new(Mutex::default);

const SCOPE: &str = r#"{"scope": "countersign/scope/v1", "task": "guard", "owner": "user:dana@example.org",
    "agent": "spiffe://example.org/agent/coder", "expires": "2026-11-25T09:00:00Z", "workspace": "/srv/web",
    "do": {"actions": [{"kind": "Rotate", "target": "dev/**", "args": {"grace": {"any": true}}},
                       {"kind": "Rotate", "target": "prod/**", "args": {"grace": {"any": true}}},
                       {"kind": "Borrowed", "target": "dev/**"}]},
    "limits": {"actions": 1000, "per_minute": 1000, "denials": 1000, "distinct_targets": 1000}}"#;

fn bundle() -> Enforced {
    let policies = r#"
        @id("all") permit(principal, action, resource);
        @id("prod") forbid(principal, action == Action::"Rotate", resource == Resource::"prod/a")
            unless { context.approvals.contains("sre") };"#;
    let cases = r#"[{"request": {"principal": "Agent::\"a\"", "action": "Action::\"TriggerWorkflow\"",
        "resource": "Workflow::\"w\"", "context": {"now": 1, "task": "t", "purpose": "", "environment": "",
        "provenance": "agent", "reversibility": "reversible", "labels": [], "approvals": [],
        "counters": {"accelerator_seconds": 0, "actions": 0,
    "application": 0, "data": 0, "denials": 0, "distinct_targets": 0, "egress_bytes": 0,
    "infrastructure": 0, "workload": 0}, "recent": [], "depth": 0, "acting_through": [], "tier": ""}}, "entities": [
        {"uid": {"type": "Agent", "id": "a"}, "attrs": {}, "parents": []}],
        "decision": "allow", "reason": ["all"], "num_errors": 0}]"#;
    let manifest = r#"{"bundle": "countersign/bundle/v1", "name": "guard",
        "quorums": [{"name": "sre", "roles": ["sre"], "of": 1}]}"#;
    let files = [
        ("manifest.json", manifest),
        ("schema.cedarschema", countersign::policy::BASE_SCHEMA),
        ("policies.cedar", policies),
        ("cases.json", cases),
    ];
    let bundle = Authored::from_files(files).expect("the files are those of a bundle");
    let bundle = bundle.with_action::<Rotate>().with_action::<Borrowed<'static>>();
    bundle.load().expect("the bundle loads")
}

/// A session that allows `Rotate` and `Borrowed` on `dev/…`, defers `Rotate` on `prod/a` and denies
/// the rest, with limits that a test does not reach.
fn session() -> Session {
    open(testing::clock(), false)
}

/// The same, closed.
fn closed() -> Session {
    let session = session();
    session.close().expect("a session closes");
    session
}

/// The same, with a clock that is an hour further at each reading: permits have run out when used.
fn late() -> Session {
    open(Hurried(testing::clock()), false)
}

/// The same, with a sink that stores decisions and fails on outcomes.
fn forgetful() -> Session {
    open(testing::clock(), true)
}

#[derive(Debug)]
struct Hurried(testing::TestClock);

impl Clock for Hurried {
    fn now(&self) -> Result<Timestamp, ClockError> {
        self.0.advance(3_600_000);
        self.0.now()
    }
}

fn open(clock: impl Clock + 'static, forgets: bool) -> Session {
    static BUNDLE: LazyLock<Enforced> = LazyLock::new(bundle);
    let sink = Arc::new(MemorySink::new());
    let kept = Arc::clone(&sink);
    let store = sink_fn(move |group| {
        if forgets && group.lines.iter().any(|line| line.as_str().starts_with("{\"outcome\"")) {
            return Err(SinkError::new("the disk is full"));
        }
        kept.append(group)
    });
    let authorizer = Authorizer::builder()
        .policy(BUNDLE.clone())
        .identity(testing::identity_key())
        .sink(Sink::blocking(store))
        .with_clock(clock)
        .with_paths(PurePaths::new())
        .build()
        .expect("the authorizer is built");
    let scope = testing::trusted(SCOPE).expect("the scope parses");
    let session = authorizer.open(&scope, testing::agent()).expect("the session opens");
    SINKS.lock().expect("no test panics here").insert(session.id(), sink);
    session
}

/// What is on record, in order: `allow`, `defer`, `deny`; `succeeded`, `failed`, `unfinished`.
fn record(session: &Session) -> Vec<String> {
    let sinks = SINKS.lock().expect("no test panics here");
    let lines = sinks[&session.id()].lines();
    let word = |line: &str, key: &str| {
        let at = line.find(&format!("\"{key}\":\""))? + key.len() + 4;
        line[at..].split('"').next().map(str::to_owned)
    };
    let words = lines.iter().filter_map(|line| match line.as_str() {
        line if line.starts_with("{\"receipt\"") => word(line, "call_decision"),
        line if line.starts_with("{\"outcome\"") => word(line, "status"),
        _ => None,
    });
    words.map(|word| if word == "panicked" { "unfinished".to_owned() } else { word }).collect()
}

/// Runs a future that is never woken.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Is pending once.
async fn pause() {
    let mut paused = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[derive(Debug, Clone, PartialEq, Action)]
#[action(domain = "infrastructure")]
struct Rotate {
    #[action(target)]
    key: String,
    grace: u32,
}

fn rotate(key: &str) -> Rotate {
    Rotate { key: key.to_owned(), grace: 7 }
}

#[derive(Debug, Action)]
#[action(domain = "data", reversibility = "compensable")]
struct Borrowed<'a> {
    #[action(target)]
    name: &'a str,
}

#[derive(Debug)]
enum ToolError {
    Refused(Refused),
    Text(String),
}

impl From<Refused> for ToolError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<std::num::ParseIntError> for ToolError {
    fn from(error: std::num::ParseIntError) -> Self {
        Self::Text(error.to_string())
    }
}

type ToolResult<T> = Result<T, ToolError>;

// What every call does.

#[guarded(action = rotate(key))]
fn counted(session: &Session, key: &str, runs: &Cell<u32>) -> ToolResult<u32> {
    runs.set(runs.get() + 1);
    Ok(runs.get())
}

#[guarded(action = rotate(key))]
async fn counted_async(session: &Session, key: &str, runs: &Cell<u32>) -> ToolResult<u32> {
    pause().await;
    runs.set(runs.get() + 1);
    pause().await;
    Ok(runs.get())
}

/// Calls both functions and returns how often the bodies ran in all, and both refusals.
fn call_both(session: &Session, key: &str) -> (u32, [Option<Refused>; 2]) {
    let runs = Cell::new(0);
    let refusal = |result| match result {
        Ok(_) | Err(ToolError::Text(_)) => None,
        Err(ToolError::Refused(refused)) => Some(refused),
    };
    let plain = refusal(counted(session, key, &runs));
    let asynchronous = refusal(block_on(counted_async(session, key, &runs)));
    (runs.get(), [plain, asynchronous])
}

#[test]
fn the_body_runs_only_after_an_allow() {
    let session = session();
    let (runs, refusals) = call_both(&session, "dev/a");
    assert_eq!(runs, 2);
    assert!(matches!(refusals, [None, None]), "{refusals:?}");
    assert_eq!(record(&session), ["allow", "succeeded", "allow", "succeeded"]);
}

#[test]
fn no_body_runs_without_an_allow() {
    fn check(session: Session, key: &str, is: fn(&Refused) -> bool, on_record: &[&str]) {
        let (runs, refusals) = call_both(&session, key);
        assert_eq!(runs, 0, "{key}");
        for refused in refusals {
            let refused = refused.expect("a refusal");
            assert!(is(&refused) && !refused.has_run(), "{key}: {refused:?}");
        }
        let mut decisions = record(&session);
        decisions.retain(|word| ["allow", "defer", "deny"].contains(&word.as_str()));
        assert_eq!(decisions, on_record, "{key}");
    }
    check(session(), "prod/a", |r| matches!(r, Refused::Deferred(_)), &["defer", "defer"]);
    check(session(), "other", |r| matches!(r, Refused::Denied(_)), &["deny", "deny"]);
    check(closed(), "dev/a", |r| matches!(r, Refused::Error(_)), &[]);
    check(late(), "dev/a", |r| matches!(r, Refused::Expired), &["allow", "allow"]);
}

#[test]
fn an_outcome_that_is_not_recorded_hands_out_no_result() {
    let session = forgetful();
    let (runs, refusals) = call_both(&session, "dev/a");
    assert!(runs >= 1, "the body has run");
    let [Some(first), _] = refusals else { panic!("a result without a record") };
    assert!(first.has_run(), "{first:?}");
    assert!(first.source().is_some());
}

#[test]
fn the_error_of_the_body_goes_before_a_failing_record() {
    #[guarded(action = rotate("dev/a"))]
    fn fails(session: &Session) -> ToolResult<()> {
        Err(ToolError::Text("no such key".to_owned()))
    }
    assert!(matches!(fails(&forgetful()), Err(ToolError::Text(text)) if text == "no such key"));
}

#[test]
fn refusals_name_rules_and_what_is_wrong_with_none() {
    let text = |key| call_both(&session(), key).1[0].as_ref().expect("a refusal").to_string();
    assert!(text("other").starts_with("denied by `"), "{}", text("other"));
    assert!(text("other").contains(Reason::ScopeAction.code()), "{}", text("other"));
    assert!(!text("other").contains("dev"), "{}", text("other"));
    assert!(text("prod/a").starts_with("deferred until it is approved"), "{}", text("prod/a"));
    assert_eq!(text("other").lines().count(), 1);
    let (_, [refused, _]) = call_both(&session(), "other");
    assert!(refused.expect("a refusal").reasons().contains(&Reason::ScopeAction));
}

#[test]
fn failure_and_panic_are_outcomes() {
    #[guarded(action = rotate("dev/a"))]
    fn fails(session: &Session, text: &str) -> ToolResult<u32> {
        let number: u32 = text.parse()?;
        Ok(number)
    }
    #[guarded(action = rotate("dev/a"))]
    fn panics(session: &Session) -> ToolResult<u32> {
        panic!("on purpose")
    }
    let session = session();
    assert!(matches!(fails(&session, "x"), Err(ToolError::Text(_))));
    assert_eq!(fails(&session, "3").ok(), Some(3));
    assert!(catch_unwind(AssertUnwindSafe(|| panics(&session))).is_err());
    let expected = ["allow", "failed", "allow", "succeeded", "allow", "unfinished"];
    assert_eq!(record(&session), expected);
}

#[test]
fn a_dropped_future_leaves_an_unfinished_outcome() {
    let session = session();
    let runs = Cell::new(0);
    {
        let mut future = pin!(counted_async(&session, "dev/a", &runs));
        let mut context = Context::from_waker(Waker::noop());
        while record(&session).is_empty() {
            assert!(future.as_mut().poll(&mut context).is_pending());
        }
        assert!(future.as_mut().poll(&mut context).is_pending(), "in the middle of the body");
    }
    assert_eq!(record(&session), ["allow", "unfinished"]);
}

#[test]
fn a_future_that_is_not_polled_asks_nothing() {
    let session = session();
    drop(counted_async(&session, "dev/a", &Cell::new(0)));
    assert!(record(&session).is_empty());
}

#[test]
fn session_action_question_and_body_come_in_this_order() {
    fn noted<T>(steps: &Cell<Vec<&'static str>>, step: &'static str, value: T) -> T {
        let mut all = steps.take();
        all.push(step);
        steps.set(all);
        value
    }
    #[guarded(
        action = noted(steps, "action", rotate(key)),
        session = noted(steps, "session", session),
    )]
    fn ordered(session: &Session, key: &str, steps: &Cell<Vec<&'static str>>) -> ToolResult<()> {
        noted(steps, "body", Ok(()))
    }
    let steps = Cell::default();
    ordered(&session(), "dev/a", &steps).unwrap();
    assert_eq!(steps.take(), ["session", "action", "body"]);
    ordered(&session(), "other", &steps).unwrap_err();
    assert_eq!(steps.take(), ["session", "action"]);
}

#[test]
fn an_action_that_cannot_be_made_asks_nothing() {
    #[guarded(action = Rotate { key: "dev/a".to_owned(), grace: grace.parse()? })]
    fn parsed(session: &Session, grace: &str) -> ToolResult<()> {
        Ok(())
    }
    let session = session();
    assert!(matches!(parsed(&session, "x"), Err(ToolError::Text(_))));
    assert!(record(&session).is_empty());
}

#[test]
fn nothing_is_remembered_from_the_last_call() {
    let session = session();
    let runs = Cell::new(0);
    counted(&session, "dev/a", &runs).unwrap();
    counted(&session, "other", &runs).unwrap_err();
    assert_eq!(runs.get(), 1);
}

// What a body may look like.

#[test]
fn the_granted_action_is_the_one_that_was_decided_on() {
    #[guarded(action = rotate(&key), granted = granted)]
    fn plain(session: &Session, key: String) -> ToolResult<(String, u32)> {
        Ok((key, granted.action().grace))
    }
    #[guarded(action = action, granted = action)]
    async fn consumed(session: Arc<Session>, action: Rotate) -> ToolResult<Rotate> {
        pause().await;
        Ok(action.into_action())
    }
    assert_eq!(plain(&session(), "dev/a".to_owned()).unwrap(), ("dev/a".to_owned(), 7));
    let action = rotate("dev/a");
    assert_eq!(block_on(consumed(Arc::new(session()), action.clone())).unwrap(), action);
}

struct Vault {
    session: Session,
    keys: Vec<String>,
}

impl Vault {
    #[guarded(action = rotate(key), session = self.session)]
    fn by_shared(&self, key: &str) -> ToolResult<usize> {
        Ok(self.keys.len())
    }

    #[guarded(action = rotate(&key), session = &self.session)]
    fn by_unique(&mut self, key: String) -> ToolResult<&mut String> {
        self.keys.push(key);
        self.keys.last_mut().ok_or(ToolError::Text(String::new()))
    }

    #[guarded(action = rotate("dev/a"), session = self.session)]
    fn by_value(self) -> ToolResult<Vec<String>> {
        Ok(self.keys)
    }

    #[guarded(action = rotate("dev/a"), session = self.session)]
    fn by_arc(self: Arc<Self>) -> ToolResult<usize> {
        Ok(Arc::strong_count(&self))
    }

    #[guarded(action = rotate("dev/a"), session = self.session.clone())]
    fn borrowed<'a>(&'a self, _other: &str) -> ToolResult<&'a str> {
        Ok(self.keys.first().map_or("", String::as_str))
    }

    #[guarded(action = rotate(key), session = self.session)]
    async fn by_shared_async(&self, key: &str) -> ToolResult<&str> {
        pause().await;
        Ok(self.keys.first().map_or("", String::as_str))
    }

    #[guarded(action = rotate(key), session = self.session)]
    async fn by_unique_async(&mut self, key: &str) -> ToolResult<&mut Vec<String>> {
        self.keys.push(key.to_owned());
        pause().await;
        Ok(&mut self.keys)
    }
}

fn vault() -> Vault {
    Vault { session: session(), keys: Vec::new() }
}

#[test]
fn methods_keep_self_and_its_borrows() {
    let mut vault = vault();
    vault.by_unique("dev/a".to_owned()).unwrap().push('b');
    assert_eq!(vault.by_shared("dev/a").unwrap(), 1);
    assert_eq!(vault.borrowed("x").unwrap(), "dev/ab");
    assert_eq!(block_on(vault.by_shared_async("dev/a")).unwrap(), "dev/ab");
    block_on(vault.by_unique_async("dev/c")).unwrap().push("dev/d".to_owned());
    assert!(block_on(vault.by_unique_async("other")).is_err());
    assert_eq!(vault.by_value().unwrap(), ["dev/ab", "dev/c", "dev/d"]);
    assert_eq!(Arc::new(self::vault()).by_arc().unwrap(), 1);
}

trait Tool {
    fn call(&self, input: &str) -> ToolResult<String>;

    #[guarded(action = rotate("dev/default"), session = self.session_ref())]
    fn described(&self) -> ToolResult<&'static str> {
        Ok("default")
    }

    fn later(&self) -> impl Future<Output = ToolResult<u8>>;

    fn session_ref(&self) -> &Session;
}

impl Tool for Vault {
    #[guarded(action = rotate(input), session = self.session)]
    fn call(&self, input: &str) -> ToolResult<String> {
        Ok(input.to_uppercase())
    }

    #[guarded(action = rotate("dev/a"), session = self.session)]
    async fn later(&self) -> ToolResult<u8> {
        pause().await;
        Ok(1)
    }

    fn session_ref(&self) -> &Session {
        &self.session
    }
}

#[test]
fn methods_of_traits_are_guarded() {
    let tool: Vault = vault();
    assert_eq!(tool.call("dev/a").unwrap(), "DEV/A");
    assert!(tool.call("other").is_err());
    assert_eq!(tool.described().unwrap(), "default");
    assert_eq!(block_on(tool.later()).unwrap(), 1);
}

struct Holder<'a, T: ?Sized, const N: usize> {
    session: &'a Session,
    numbers: [u8; N],
    _of: PhantomData<T>,
}

impl<'a, T, const N: usize> Holder<'a, T, N>
where
    T: Display + ?Sized,
{
    #[guarded(action = rotate(&named.to_string()), session = self.session)]
    fn generic<U>(&'a self, named: &T, make: impl Fn(usize) -> U) -> ToolResult<(U, &'a [u8])>
    where
        U: Clone + Into<u64>,
    {
        Ok((make(N).clone(), &self.numbers))
    }
}

#[test]
fn generics_lifetimes_and_impl_arguments_survive() {
    let session = session();
    let holder = Holder::<str, 3> { session: &session, numbers: [1, 2, 3], _of: PhantomData };
    let (made, numbers) = holder.generic("dev/a", |length| length as u32).unwrap();
    assert_eq!((made, numbers), (3, &[1, 2, 3][..]));
    assert!(holder.generic("other", |_| 0_u8).is_err());
}

#[test]
fn patterns_question_marks_and_early_returns_mean_the_same() {
    struct Pair {
        left: u32,
        right: String,
    }
    #[guarded(action = Rotate { key: format!("dev/{right}"), grace: left })]
    fn patterns(
        session: &Session,
        Pair { left, right }: Pair,
        (mut count, [first, ..]): (u32, [u32; 3]),
        _: bool,
    ) -> ToolResult<u32> {
        count += first;
        if left == 0 {
            return Ok(count);
        }
        let number: u32 = right.parse()?;
        for step in 0.. {
            if step == 4 {
                return Ok(number + count + step);
            }
        }
        Err(ToolError::Text("not reached".to_owned()))
    }
    let call = |left, right: &str| {
        let pair = Pair { left, right: right.to_owned() };
        patterns(&session(), pair, (1, [2, 0, 0]), true)
    };
    assert_eq!(call(0, "x").unwrap(), 3);
    assert_eq!(call(1, "10").unwrap(), 17);
    assert!(matches!(call(1, "x"), Err(ToolError::Text(_))));
}

#[test]
fn names_of_the_body_meet_none_of_the_expansion() {
    const RUN: u8 = 1;
    #[expect(non_upper_case_globals)]
    const permit: u8 = 2;
    #[guarded(action = rotate(&action), session = session)]
    fn shadowed(action: String, session: &Session) -> ToolResult<(String, u8)> {
        let run = RUN;
        let refused = run + permit;
        record(session);
        let session = action;
        let granted = refused;
        Ok((session, granted))
    }
    #[guarded(action = rotate("dev/a"))]
    async fn hidden(mut session: Session, action: u8) -> ToolResult<u8> {
        record(&session);
        session = self::session();
        record(&session);
        let session = action;
        Ok(session)
    }
    assert_eq!(shadowed("dev/a".to_owned(), &session()).unwrap(), ("dev/a".to_owned(), 3));
    assert_eq!(block_on(hidden(session(), 4)).unwrap(), 4);
}

#[test]
fn guarded_functions_call_themselves() {
    #[guarded(action = rotate("dev/a"))]
    fn factorial(session: &Session, of: u64) -> ToolResult<u64> {
        if of == 0 { Ok(1) } else { Ok(of * factorial(session, of - 1)?) }
    }
    #[guarded(action = rotate("dev/a"))]
    async fn sum(session: &Session, of: u64) -> ToolResult<u64> {
        if of == 0 {
            return Ok(0);
        }
        let rest = Box::pin(sum(session, of - 1)).await?;
        Ok(of + rest)
    }
    assert_eq!(factorial(&session(), 5).unwrap(), 120);
    assert_eq!(block_on(sum(&session(), 4)).unwrap(), 10);
}

#[test]
fn results_coerce_as_in_a_plain_function() {
    type Boxed<T> = Result<T, Box<dyn Error + Send + Sync>>;
    #[guarded(action = rotate("dev/a"))]
    fn objects(session: &Session, fail: bool) -> Boxed<Box<dyn Display>> {
        if fail {
            return Err(Box::new(std::io::Error::other("x")));
        }
        Ok(Box::new(1))
    }
    #[guarded(action = rotate("dev/a"))]
    async fn objects_async(session: &Session, fail: bool) -> Boxed<Box<dyn Display>> {
        if fail {
            return Err(Box::new(std::io::Error::other("x")));
        }
        Err("text")?;
        Ok(Box::new(1))
    }
    #[guarded(action = rotate("dev/a"))]
    fn hidden<T: Display>(session: &Session, shown: T) -> Boxed<impl Display> {
        Ok(format!("<{shown}>"))
    }
    #[guarded(action = rotate("dev/a"))]
    async fn hidden_async(session: &Session) -> Boxed<(u8, impl Iterator<Item = u8> + use<>)> {
        Ok((1, vec![1, 2].into_iter()))
    }
    assert!(objects(&session(), true).is_err());
    assert_eq!(objects(&session(), false).unwrap().to_string(), "1");
    assert!(block_on(objects_async(&session(), true)).is_err());
    assert!(block_on(objects_async(&session(), false)).is_err());
    assert_eq!(hidden(&session(), 5).unwrap().to_string(), "<5>");
    assert_eq!(block_on(hidden_async(&session())).unwrap().1.sum::<u8>(), 3);
}

#[test]
fn a_session_may_be_held_in_any_way() {
    #[guarded(action = rotate("dev/a"))]
    fn owned(session: Session) -> ToolResult<u8> {
        Ok(1)
    }
    #[guarded(action = rotate("dev/a"))]
    fn unique(session: &mut Session) -> ToolResult<u8> {
        Ok(1)
    }
    #[guarded(action = rotate("dev/a"))]
    fn counted(session: &Rc<Session>) -> ToolResult<u8> {
        Ok(1)
    }
    #[guarded(action = rotate("dev/a"))]
    async fn shared(session: Arc<Session>) -> ToolResult<u8> {
        Ok(1)
    }
    #[guarded(action = rotate("dev/a"))]
    fn in_a_pattern((session, _): (&Session, u8)) -> ToolResult<u8> {
        Ok(1)
    }
    #[guarded(action = rotate("dev/a"), session = **locked.lock().expect("no panic holds it"))]
    fn behind_a_lock(locked: &std::sync::Mutex<Box<Session>>) -> ToolResult<u8> {
        // The lock is free again: it would not be for a body that runs below a temporary.
        drop(locked.try_lock().expect("the lock is free"));
        Ok(1)
    }
    let all = [
        owned(session()),
        unique(&mut session()),
        counted(&Rc::new(session())),
        block_on(shared(Arc::new(session()))),
        in_a_pattern((&session(), 0)),
        behind_a_lock(&std::sync::Mutex::new(Box::new(session()))),
    ];
    assert!(all.iter().all(Result::is_ok));
}

#[test]
fn an_action_may_borrow() {
    #[guarded(action = Borrowed { name: &name })]
    fn owned_name(session: &Session, name: String) -> ToolResult<usize> {
        Ok(name.len())
    }
    #[guarded(action = Borrowed { name }, granted = granted)]
    async fn borrowed_name<'a>(session: &Session, name: &'a str) -> ToolResult<&'a str> {
        pause().await;
        Ok(granted.into_action().name)
    }
    assert_eq!(owned_name(&session(), "dev/a".to_owned()).unwrap(), 5);
    assert_eq!(block_on(borrowed_name(&session(), "dev/a")).unwrap(), "dev/a");
}

#[test]
fn attributes_and_visibility_survive() {
    mod inner {
        use super::*;

        /// Has docs.
        #[must_use = "the number matters"]
        #[inline]
        #[expect(unused_variables, reason = "the lint reaches arguments and body")]
        #[guarded(action = rotate("dev/a"))]
        pub(super) fn outer(
            session: &Session,
            #[cfg(any())] gone: Gone,
            #[allow(unused_mut)] mut number: u8,
        ) -> ToolResult<u8> {
            let unread = 1;
            Ok(2)
        }

        #[guarded(action = rotate("dev/a"))]
        pub(super) async fn inner(session: &Session) -> ToolResult<u8> {
            #![expect(unused_assignments, reason = "an inner attribute reaches the body")]
            let mut unread = 1;
            unread = 2;
            Ok(unread)
        }
    }
    assert_eq!(inner::outer(&session(), 1).unwrap(), 2);
    assert_eq!(block_on(inner::inner(&session())).unwrap(), 2);
}

#[test]
fn functions_written_by_macros_are_guarded() {
    macro_rules! tool {
        ($(#[$meta:meta])* $vis:vis $name:ident($argument:ident) -> $output:ty, $action:expr, $body:block) => {
            $(#[$meta])*
            #[guarded(action = $action, session = session)]
            $vis fn $name(session: &Session, $argument: &str) -> $output $body
        };
    }
    tool!(#[inline] pub(crate) length(text) -> ToolResult<usize>, rotate(text), {
        if text.is_empty() {
            return Ok(0);
        }
        Ok(text.len())
    });
    assert_eq!(length(&session(), "dev/a").unwrap(), 5);
    assert!(length(&session(), "other").is_err());
}

// Threads.

/// Shared by many threads, but not at once.
struct NotSync(Cell<u32>);

#[guarded(action = rotate(lock.lock().as_deref().map_or("", |key| key)))]
async fn sent(
    session: Arc<Session>,
    mut value: NotSync,
    lock: &std::sync::Mutex<String>,
) -> ToolResult<u32> {
    value.0.set(1);
    pause().await;
    *value.0.get_mut() += 1;
    pause().await;
    Ok(value.0.get())
}

impl Vault {
    #[guarded(action = rotate("dev/a"), session = self.session, granted = granted)]
    async fn sent_method<T: Send + Sync>(&mut self, value: &T) -> ToolResult<u32> {
        let _held = value;
        pause().await;
        Ok(granted.action().grace)
    }
}

#[test]
fn futures_are_send_where_their_bodies_are() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let lock = std::sync::Mutex::new("dev/a".to_owned());
    let future = assert_send(sent(Arc::new(session()), NotSync(Cell::new(0)), &lock));
    assert_eq!(block_on(future).unwrap(), 2);
    let mut vault = vault();
    assert_eq!(block_on(assert_send(vault.sent_method(&"x"))).unwrap(), 7);
}

#[test]
fn one_session_serves_many_threads() {
    let session = session();
    let runs = AtomicU32::new(0);
    #[guarded(action = rotate(key))]
    fn add(session: &Session, key: &str, runs: &AtomicU32) -> ToolResult<()> {
        runs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    std::thread::scope(|scope| {
        for index in 0..4 {
            let (session, runs) = (&session, &runs);
            scope.spawn(move || {
                let key = if index % 2 == 0 { "dev/a" } else { "other" };
                for _ in 0..5 {
                    let _ = add(session, key, runs);
                }
            });
        }
    });
    assert_eq!(runs.into_inner(), 10);
}

#[test]
fn refusals_travel_between_threads() {
    fn assert_error<T: Error + Send + Sync + 'static>() {}
    assert_error::<Refused>();
}

// What is derived.

#[derive(Debug, Action)]
#[action(kind = "RenewLease", domain = "workload", reversibility = "reversible")]
#[action(effects = Self::also_starts)]
struct Lease<'a, T, const N: u8 = 1>
where
    T: Display,
{
    zone: Option<String>,
    #[action(target)]
    r#type: &'a str,
    tags: Vec<T>,
    #[action(rename = "amount")]
    r#loop: i64,
    r#as: T,
}

impl<T: Display, const N: u8> Lease<'_, T, N> {
    fn also_starts(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        let target = Target::Workflow(format!("{}-{N}", self.r#as).into());
        effects.push(Effect::new(Kind::TriggerWorkflow, target));
    }
}

fn lease<'a>() -> Lease<'a, &'a str, 3> {
    let tags = vec!["b", "a"];
    Lease { zone: None, r#type: "lease/1", tags, r#loop: 4, r#as: "now" }
}

#[test]
fn a_derived_action_declares_itself() {
    const SPEC: ActionSpec = <Lease<'static, String> as HostAction>::SPEC;
    assert_eq!(SPEC.kind, "RenewLease");
    assert_eq!(SPEC.domain, Domain::Workload);
    assert_eq!(SPEC.reversibility, Reversibility::Reversible);
    let facts = [
        ("amount", FactType::Long),
        ("as", FactType::Text),
        ("tags", FactType::TextSet),
        ("zone", FactType::OptionalText),
    ];
    assert_eq!(SPEC.facts, facts);
    assert_eq!(SPEC.check(), Ok(()));

    assert_eq!(Rotate::SPEC.kind, "Rotate");
    assert_eq!(Rotate::SPEC.reversibility, Reversibility::Irreversible);
    assert_eq!(Borrowed::SPEC.facts, []);
}

#[test]
fn a_derived_action_describes_every_field() {
    assert_eq!(lease().kind(), "RenewLease");
    assert_eq!(
        lease().describe().to_canonical(),
        r#"{"facts":{"amount":4,"as":"now","tags":["b","a"],"zone":null},"target":"lease/1"}"#
    );
    assert_eq!(Borrowed { name: "n" }.describe().to_canonical(), r#"{"facts":{},"target":"n"}"#);
}

#[test]
fn a_derived_action_has_its_own_effect_and_the_further_ones() {
    let (paths, workspace) = (PurePaths::new(), ResolvedPath::root());
    let context = EffectContext::new(&paths, &workspace, &NoTools);
    let effects = |action: &dyn Action| {
        let mut effects = Effects::default();
        action.effects(&context, &mut effects);
        let canonical = |effect: &Effect| {
            let mut text = String::new();
            effect.write_canonical(&mut text);
            text
        };
        effects.finish().iter().map(canonical).collect::<Vec<_>>()
    };
    assert_eq!(
        effects(&lease()),
        [
            r#"{"facts":{},"kind":"TriggerWorkflow","reversibility":"irreversible","target":{"id":"now-3","type":"Workflow"}}"#,
            r#"{"domain":"workload","facts":{"amount":4,"as":"now","tags":["a","b"]},"kind":"RenewLease","reversibility":"reversible","target":{"id":"lease/1","type":"Resource"}}"#,
        ]
    );
    let malformed = effects(&Rotate { key: " a".to_owned(), grace: 1 });
    assert_eq!(malformed.len(), 1);
    assert!(malformed[0].contains(r#""kind":"Opaque:infrastructure""#), "{malformed:?}");
}

#[test]
fn derived_actions_are_guarded_like_every_other() {
    #[guarded(action = action, granted = action)]
    fn renew<T: IntoFact + Display + Send>(
        session: &Session,
        action: Lease<'_, T>,
    ) -> ToolResult<i64>
    where
        Vec<T>: IntoFact,
    {
        Ok(action.action().r#loop)
    }
    let lease = Lease { zone: None, r#type: "x", tags: vec!["l"], r#loop: 1, r#as: "a" };
    assert!(matches!(renew(&session(), lease), Err(ToolError::Refused(Refused::Denied(_)))));
}
