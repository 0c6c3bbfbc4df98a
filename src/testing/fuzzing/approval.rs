//! Approvals: what parses is in its one spelling, what is shown is visible, what was used is gone.

use std::fmt::Display;
use std::time::Duration;

use super::{Choices, check_message};
use crate::action::{Domain, Effect, Kind, Target};
use crate::digest::Digest;
use crate::governance::approval::{Ballot, Need, RequestParts, Vote};
use crate::governance::{
    Approval, ApprovalRequest, Directory, DocumentKind, Elevation, Moment, Parties, Pending,
    Signed, StandingGrant,
};
use crate::interop::authzen::{Answer, Evaluation, Task};
use crate::policy::Quorum;
use crate::receipt::{IdentityKey, SessionId};
use crate::testing::NOW;
use crate::value::{Limits, Value};

/// Reads the bytes as each document, as the body of each signed document, and as a script of what
/// people and agents do with a table of pending requests.
pub fn approval(data: &[u8]) {
    check_texts(data);
    check_bodies(data);
    check_script(&mut Choices(data));
}

fn check_texts(data: &[u8]) {
    match ApprovalRequest::parse(data) {
        Ok(request) => {
            assert_eq!(request.to_json().as_bytes(), data);
            check_shown(&request);
        }
        Err(error) => check_message(&error),
    }
    if let Err(error) = Approval::parse(data) {
        check_message(&error);
    }
    match Evaluation::parse(data) {
        Ok(question) => {
            assert_eq!(Evaluation::parse(question.to_json().as_bytes()).as_ref(), Ok(&question));
            let _ = question.principals().map_err(|error| check_message(&error));
            let _ = question.approval().map(|it| it.map(|it| it.document().is_ok()));
        }
        Err(error) => check_message(&error),
    }
    match Answer::parse(data) {
        Ok(answer) => {
            assert_eq!(Answer::parse(answer.to_json().as_bytes()).as_ref(), Ok(&answer));
            let asked = answer.access_request();
            assert!(!answer.decision || asked == Ok(None), "asked about what is allowed");
        }
        Err(error) => check_message(&error),
    }
    if let Ok(task) = Task::parse(data) {
        let _ = task.signal(NOW);
    }
}

fn check_shown(shown: &impl Display) {
    for line in shown.to_string().lines() {
        assert_eq!(crate::text::check_visible(line), Ok(()), "{line:?}");
    }
}

#[expect(clippy::expect_used, reason = "the fixture is fixed")]
fn sign(kind: DocumentKind, body: &Value) -> Signed {
    Signed::sign(kind, body.clone(), &IdentityKey::from_seed(&[1; 32])).expect("it can be signed")
}

/// Whatever a person signs, the table takes only what was asked.
fn check_bodies(data: &[u8]) {
    let Ok(body @ Value::Object(_)) = Value::parse(data, &Limits::ARGUMENTS) else { return };
    let text = |kind| sign(kind, &body).as_str().to_owned();
    let _ = StandingGrant::parse(text(DocumentKind::StandingGrant).as_bytes());
    let _ = Elevation::parse(text(DocumentKind::Elevation).as_bytes());
    let Ok(approval) = Approval::parse(text(DocumentKind::Approval).as_bytes()) else { return };
    let world = World::new();
    let request = world.request(1, 0);
    let mut pending = Pending::new(SESSION);
    let _ = pending.open(request.clone(), NOW);
    let found = world.at(0, |moment| pending.submit(&approval, moment).is_ok());
    if found {
        assert_eq!(approval.request(), request.id());
        assert_eq!(approval.action(), request.action());
        assert_eq!((approval.scope(), approval.bundle()), (request.scope(), request.bundle()));
        assert_eq!((approval.approver(), approval.domain()), (ANN, Domain::Data));
        assert!(approval.approved_at() <= NOW && NOW < approval.expires());
    }
}

fn check_script(choices: &mut Choices<'_>) {
    let world = World::new();
    let mut pending = Pending::new(SESSION).with_most(3);
    let (mut seconds, mut call) = (0, 0);
    let (mut requests, mut documents) = (Vec::new(), Vec::new());
    let mut spent: Vec<Digest> = Vec::new();
    for _ in 0..64 {
        if choices.is_empty() {
            break;
        }
        match choices.below(6) {
            0 => {
                call += 1;
                let request = world.request_at(call, choices.byte() % 4, seconds);
                if pending.open(request.clone(), now(seconds)).is_ok() {
                    requests.push(request);
                }
            }
            1 | 2 if !requests.is_empty() => {
                let place = choices.below(requests.len());
                let Some(request) = requests.get(place) else { continue };
                let ballot = Ballot {
                    domain: Domain::Data,
                    quorum: "sre",
                    approver: ANN,
                    vote: if choices.byte() == 7 { Vote::Reject } else { Vote::Approve },
                    at: now(seconds),
                    expires: now(seconds + 1 + u64::from(choices.byte())),
                };
                let key = IdentityKey::from_seed(&[choices.byte() % 3; 32]);
                let Ok(approval) = Approval::sign(request, ballot, &key) else { continue };
                let _ = world.at(seconds, |moment| pending.submit(&approval, moment));
                documents.push(approval);
            }
            3 if !documents.is_empty() => {
                let place = choices.below(documents.len());
                let Some(approval) = documents.get(place) else { continue };
                let _ = world.at(seconds, |moment| pending.submit(approval, moment));
            }
            4 => {
                let action = action(choices.byte() % 4);
                let presented =
                    world.at(seconds, |moment| pending.granted(action, Domain::Data, moment));
                for used in presented.met.iter().flat_map(|met| &met.approvals) {
                    assert!(!spent.contains(&used.id), "used twice");
                    spent.push(used.id);
                    let given = documents.iter().find(|given| given.id() == used.id);
                    assert!(given.is_some_and(|given| {
                        given.action() == action && now(seconds) < given.expires()
                    }));
                }
                let _ = pending.consume(action);
            }
            _ => seconds += u64::from(choices.byte()),
        }
        assert!(pending.len() <= 3);
    }
}

const SESSION: SessionId = SessionId::from_bytes([1; 16]);
const ANN: &str = "user:ann";

fn now(seconds: u64) -> crate::time::Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn action(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}

struct World {
    directory: Directory,
    quorums: Vec<Quorum>,
    scope: [Digest; 1],
}

#[expect(clippy::expect_used, reason = "the fixture is fixed")]
impl World {
    fn new() -> Self {
        let key = |seed: u8| IdentityKey::from_seed(&[seed; 32]).trusted();
        let text = format!(
            r#"{{"directory":"countersign/directory/v1","people":[{{"id":"{ANN}","kind":"human",
            "keys":["{}","{}"],"roles":["sre"]}}]}}"#,
            key(1),
            key(2)
        );
        let quorum = r#"{"name":"sre","roles":["sre"],"of":1}"#;
        Self {
            directory: Directory::parse(text.as_bytes()).expect("it parses"),
            quorums: vec![serde_json::from_str(quorum).expect("it parses")],
            scope: [Digest::from_bytes([2; 32])],
        }
    }

    fn at<T>(&self, seconds: u64, run: impl FnOnce(&Moment<'_>) -> T) -> T {
        run(&Moment {
            now: now(seconds),
            directory: &self.directory,
            quorums: &self.quorums,
            bundle: Digest::from_bytes([3; 32]),
            scope: &self.scope,
            parties: Parties { owner: "user:dana", on_behalf_of: None },
            is_revoked: &|_| false,
        })
    }

    fn request(&self, call: u64, number: u8) -> ApprovalRequest {
        self.request_at(call, number, 0)
    }

    fn request_at(&self, call: u64, number: u8, seconds: u64) -> ApprovalRequest {
        let effect = Effect::new(Kind::WriteData, Target::Table("crm.customers".into()));
        let needs = self.quorums.iter().map(|quorum| Need::new(Domain::Data, quorum)).collect();
        ApprovalRequest::new(RequestParts {
            session: SESSION,
            call,
            kind: "WriteData",
            action: action(number),
            effects: &[&effect],
            agent: "spiffe://example.org/agent/coder/1",
            owner: "user:dana",
            on_behalf_of: None,
            task: "fix-login",
            scope: &self.scope,
            bundle: Digest::from_bytes([3; 32]),
            needs,
            created: now(seconds),
            expires: now(seconds + 600),
        })
        .expect("it is a request")
    }
}
