//! AuthZEN documents: what the published schemas require is there, and nothing that comes in decides.

use std::time::Duration;

use countersign::Reason;
use countersign::action::{Domain, Effect, Kind, Target};
use countersign::interop::authzen::{
    Answer, ApprovalReference, Evaluation, NextAction, PrincipalForm, Requester, Task, TaskSignal,
    TaskState, TaskStatus, reevaluation_reason,
};
use countersign::testing::NOW;
use countersign::value::Object;
use serde_json::Value;

use crate::support::people::{AGENT, World, session};

/// The members that `evaluation-request.schema.json` requires, with their types, and no others.
fn check_request(text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap();
    let members = value.as_object().unwrap();
    let known = ["subject", "resource", "action", "context"];
    assert!(members.keys().all(|name| known.contains(&name.as_str())), "{text}");
    for (name, required) in
        [("subject", &["type", "id"][..]), ("resource", &["type", "id"]), ("action", &["name"])]
    {
        for member in required {
            assert!(value[name][member].is_string(), "{name}.{member} in {text}");
        }
        assert!(value[name].get("properties").is_none_or(Value::is_object));
    }
    assert!(value.get("context").is_none_or(Value::is_object));
    value
}

/// The members that `evaluation-response.schema.json` requires.
fn check_answer(answer: &Answer) -> Value {
    let text = answer.to_json();
    assert_eq!(Answer::parse(text.as_bytes()).as_ref(), Ok(answer));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(value["decision"].is_boolean());
    assert!(value.get("context").is_none_or(Value::is_object));
    value
}

fn tool() -> Effect {
    let (server, name) = ("tracker".into(), "create_ticket".into());
    Effect::new(Kind::ToolCall, Target::Tool { server, name, arguments: Object::new() })
}

fn requester() -> Requester<'static> {
    Requester { human: "user:dana@example.org", agent: AGENT, session: session(1) }
}

#[test]
fn questions_are_written_in_both_forms_and_read_back() {
    let effects = [tool(), Effect::new(Kind::WriteData, Target::Table("crm.customers".into()))];
    for effect in &effects {
        for form in [PrincipalForm::Actor, PrincipalForm::ContextAgent] {
            let question = Evaluation::of_effect(effect, requester(), form);
            let text = question.to_json();
            check_request(&text);
            let again = Evaluation::parse(text.as_bytes()).unwrap();
            assert_eq!(again, question);
            let principals = again.principals().unwrap();
            assert_eq!(principals.human.as_deref(), Some("user:dana@example.org"));
            assert_eq!(principals.agent.as_deref(), Some(AGENT));
        }
    }
    let coaz = Evaluation::of_effect(&tool(), requester(), PrincipalForm::ContextAgent).to_json();
    let coaz = check_request(&coaz);
    assert_eq!(coaz["subject"]["type"], "identity");
    assert_eq!(coaz["action"]["name"], "tools/call");
    assert_eq!(
        (&coaz["resource"]["type"], &coaz["resource"]["id"]),
        (&"tool".into(), &"create_ticket".into())
    );
    assert_eq!(coaz["context"]["agent"], AGENT);
    let act = Evaluation::of_effect(&tool(), requester(), PrincipalForm::Actor).to_json();
    let act = &check_request(&act)["subject"]["properties"]["act"];
    assert_eq!(act["iss"], "spiffe://example.org");
    assert_eq!((&act["sub"], &act["sub_profile"]), (&AGENT.into(), &"ai_agent".into()));
}

#[test]
fn questions_are_read_strictly() {
    let good = r#"{"subject":{"type":"user","id":"a"},"action":{"name":"n"},"resource":{"type":"t","id":"r"}}"#;
    assert!(Evaluation::parse(good.as_bytes()).is_ok());
    let check = |from: &str, to: &str, code: &str| {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        let found = Evaluation::parse(text.as_bytes()).unwrap_err();
        assert_eq!(found.code(), code, "{text}");
    };
    check(r#""id":"a""#, r#""id":7"#, "authzen.member");
    check(r#","id":"a""#, "", "authzen.member");
    check(r#""type":"user","#, "", "authzen.member");
    check(r#""name":"n""#, r#""nam":"n""#, "authzen.member");
    check(r#""resource""#, r#""resources""#, "authzen.member");
    check(r#""id":"a""#, r#""id":"a","id":"b""#, "authzen.json");
    check(r#""id":"a""#, r#""id":"a","more":1"#, "authzen.member");
    check(r#"}}"#, r#"},"context":[]}"#, "authzen.member");
    check(r#"}}"#, r#"},"options":{}}"#, "authzen.member");
    let principals = |context: &str, properties: &str| {
        let text = good.replacen("}}", &format!("}},\"context\":{context}}}"), 1);
        let text =
            text.replacen(r#""id":"a""#, &format!(r#""id":"a","properties":{properties}"#), 1);
        Evaluation::parse(text.as_bytes()).unwrap().principals().map_err(|error| error.code())
    };
    let both = principals(r#"{"agent":"x"}"#, r#"{"act":{"iss":"i","sub":"x"}}"#).unwrap();
    assert_eq!(both.agent.as_deref(), Some("x"));
    let two = principals(r#"{"agent":"y"}"#, r#"{"act":{"iss":"i","sub":"x"}}"#);
    assert_eq!(two, Err("authzen.principals"));
    let chain = r#"{"act":{"iss":"i","sub":"x","act":{"iss":"i","sub":"y"}}}"#;
    assert_eq!(principals("{}", chain).unwrap().chain, ["y"]);
    assert_eq!(principals("{}", r#"{"act":{"sub":"x"}}"#), Err("authzen.member"));
    assert_eq!(principals("{}", r#"{"act":7}"#), Err("authzen.member"));
    assert_eq!(principals(r#"{"agent":7}"#, "{}"), Err("authzen.member"));
    let long = (0..9).fold("null".to_owned(), |inner, _| {
        let act = if inner == "null" { String::new() } else { format!(r#","act":{inner}"#) };
        format!(r#"{{"iss":"i","sub":"x"{act}}}"#)
    });
    assert_eq!(principals("{}", &format!(r#"{{"act":{long}}}"#)), Err("authzen.member"));
}

#[test]
fn a_deferral_is_a_denial_that_one_can_ask_about() {
    let world = World::new();
    let request = world.request(1, 10, &[(Domain::Data, "sre")]);
    let answer = Answer::requestable(&request);
    let value = check_answer(&answer);
    assert_eq!(value["decision"], false);
    let context = &value["context"];
    assert_eq!(context["evaluation_id"], request.id().to_string());
    assert_eq!(context["evaluated_at"], "2026-11-21T09:00:00.000Z");
    assert_eq!(context["reason"], "approval_required");
    assert_eq!(context["access_request"]["expires_at"], "2026-11-21T09:10:00.000Z");
    assert!(context["access_request"]["display"]["description"].is_string());
    let asked = answer.access_request().unwrap().unwrap();
    assert_eq!(asked.expires_at, request.expires());
    let check = |text: &str, expected: Result<bool, &str>| {
        let found = Answer::parse(text.as_bytes()).and_then(|answer| answer.access_request());
        let found = found.map(|asked| asked.is_some()).map_err(|error| error.code());
        assert_eq!(found, expected, "{text}");
    };
    let until = r#""access_request":{"expires_at":"2026-11-21T09:10:00Z"}"#;
    check(&format!(r#"{{"decision":false,"context":{{"evaluation_id":"e",{until}}}}}"#), Ok(true));
    check(&format!(r#"{{"decision":true,"context":{{"evaluation_id":"e",{until}}}}}"#), Ok(false));
    check(&format!(r#"{{"decision":false,"context":{{{until}}}}}"#), Err("authzen.member"));
    check(
        r#"{"decision":false,"context":{"evaluation_id":"e","access_request":{}}}"#,
        Err("authzen.member"),
    );
    check(r#"{"decision":false}"#, Ok(false));
    check(r#"{"decision":"true"}"#, Err("authzen.member"));
    check(r#"{"decision":1}"#, Err("authzen.member"));
    check("{}", Err("authzen.member"));
    check_answer(&Answer::allow());
    assert_eq!(
        check_answer(&Answer::deny(Reason::PolicyForbid))["context"]["reason"],
        "policy.forbid"
    );
}

#[test]
fn a_task_is_a_signal_and_never_a_grant() {
    let until = r#""approved_until":"2026-11-21T10:00:00Z""#;
    let result = format!(r#""result":{{"mode":"reevaluate","approval":{{"id":"a",{until}}}}}"#);
    let task = |status: &str, more: &str| {
        let text = format!(r#"{{"task":{{"id":"t","status":"{status}"{more}}},{result}}}"#);
        Task::parse(text.as_bytes()).unwrap()
    };
    assert!(matches!(task("approved", "").signal(NOW), TaskSignal::Reevaluate(_)));
    let late = NOW.plus(Duration::from_secs(3600));
    assert_eq!(task("approved", "").signal(late), TaskSignal::NotApproved);
    for status in ["denied", "expired", "cancelled", "failed", "partial"] {
        assert_eq!(task(status, "").signal(NOW), TaskSignal::NotApproved);
        assert!(TaskStatus::of(status).is_terminal());
    }
    for status in ["pending", "Approved", "granted", ""] {
        assert_eq!(task(status, "").signal(NOW), TaskSignal::Wait);
        let over = task(status, r#","expires_at":"2026-11-21T09:00:00Z""#);
        assert_eq!(over.signal(NOW), TaskSignal::NotApproved);
    }
    let bundled = task("approved", r#","items":[{"status":"approved"},{"status":"denied"}]"#);
    assert_eq!(bundled.signal(NOW), TaskSignal::NotApproved);
    let parse = |text: &str| Task::parse(text.as_bytes());
    let other =
        r#"{"task":{"id":"t","status":"approved"},"result":{"mode":"token","access_token":"x"}}"#;
    assert_eq!(parse(other).unwrap().signal(NOW), TaskSignal::NotApproved);
    let bare = r#"{"task":{"id":"t","status":"approved"}}"#;
    assert_eq!(parse(bare).unwrap().signal(NOW), TaskSignal::NotApproved);
    assert!(parse(r#"{"task":{"id":"t"}}"#).is_err());
    assert!(
        parse(r#"{"task":{"id":"t","status":"approved"},"result":{"mode":"reevaluate"}}"#).is_err()
    );
    assert!(parse(r#"{"result":{"mode":"reevaluate"}}"#).is_err());
    // What is terminal is final.
    let mut state = TaskState::new();
    assert_eq!(state.observe(TaskStatus::Pending), TaskStatus::Pending);
    assert_eq!(state.observe(TaskStatus::Denied), TaskStatus::Denied);
    assert_eq!(state.observe(TaskStatus::Approved), TaskStatus::Denied);
}

#[test]
fn an_approval_travels_in_the_state_of_its_reference() {
    let world = World::new();
    let request = world.request(1, 10, &[(Domain::Data, "sre")]);
    let approval = world.approve(&request, Domain::Data, "sre", 1);
    let reference = ApprovalReference::of(&approval);
    let mut question = Evaluation::of_effect(&tool(), requester(), PrincipalForm::Actor);
    question.context.insert("approval".into(), reference.to_value());
    let again = Evaluation::parse(question.to_json().as_bytes()).unwrap();
    check_request(&question.to_json());
    let found = again.approval().unwrap().unwrap();
    assert_eq!(found, reference);
    assert_eq!(found.document(), Ok(Some(approval)));
    let mut other = reference.clone();
    other.id = "another".into();
    assert_eq!(other.document(), Ok(None));
    let mut other = reference.clone();
    other.approved_until = other.approved_until.plus(Duration::from_secs(1));
    assert_eq!(other.document(), Ok(None));
    let mut other = reference;
    other.state = Some("eyJhbGciOiJub25lIn0..".into());
    assert!(other.document().is_err());
    other.state = None;
    assert_eq!(other.document(), Ok(None));
}

#[test]
fn a_denial_after_an_approval_says_what_to_do_next() {
    let check = |reason: Reason, word: &str, next: NextAction| {
        assert_eq!(reevaluation_reason(reason), word);
        assert_eq!(NextAction::of_reason(word), next);
        let context = &check_answer(&Answer::not_helped(reason))["context"];
        assert_eq!(
            (&context["reason"], &context["next_action"]),
            (&word.into(), &next.as_str().into())
        );
    };
    check(Reason::ApprovalExpired, "approval_expired", NextAction::Request);
    check(Reason::ApprovalWrongAction, "out_of_scope", NextAction::Request);
    check(Reason::PolicyApproval, "grant_pending", NextAction::Retry);
    check(Reason::PolicyForbid, "policy_denied", NextAction::None);
    check(Reason::ApprovalRejected, "policy_denied", NextAction::None);
    check(Reason::ApprovalUnknownKey, "approval_unverifiable", NextAction::None);
    assert_eq!(NextAction::of_reason("anything"), NextAction::None);
}
