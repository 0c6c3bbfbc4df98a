//! Access requests: how people are asked through another service, and what its answers mean here.

use super::AuthzenError;
use super::evaluation::{object, text};
use crate::governance::approval::{Approval, ApprovalError, ApprovalRequest};
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::value::{Limits, Object, Value};

/// The most items of one task that are read.
const MAX_ITEMS: usize = 256;

/// How to ask for access: `context.access_request` of a requestable denial.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessRequest {
    /// Until when one can ask.
    pub expires_at: Timestamp,
    /// Where to ask, if not where the metadata say.
    pub endpoint: Option<String>,
    /// By which template.
    pub template: Option<String>,
    /// What to hand back unread.
    pub binding_token: Option<String>,
    /// A title for people.
    pub title: Option<String>,
    /// A description for people.
    pub description: Option<String>,
}

impl AccessRequest {
    /// Describes a request.
    #[must_use]
    pub fn of(request: &ApprovalRequest) -> Self {
        Self {
            expires_at: request.expires(),
            endpoint: None,
            template: None,
            binding_token: None,
            title: Some(format!("Approval of {}", request.kind())),
            description: Some(request.to_string()),
        }
    }

    pub(super) fn read(value: &Value) -> Result<Self, AuthzenError> {
        let members = object(value, "context.access_request")?;
        let display = match members.get("display") {
            None => Object::new(),
            Some(value) => object(value, "context.access_request.display")?.clone(),
        };
        Ok(Self {
            expires_at: time(members, "expires_at")?,
            endpoint: maybe_text(members, "endpoint")?,
            template: maybe_text(members, "template")?,
            binding_token: maybe_text(members, "binding_token")?,
            title: maybe_text(&display, "title")?,
            description: maybe_text(&display, "description")?,
        })
    }

    pub(super) fn to_value(&self) -> Value {
        let mut display = Object::new();
        put(&mut display, "title", self.title.as_deref());
        put(&mut display, "description", self.description.as_deref());
        let mut members = Object::new();
        put(&mut members, "expires_at", Some(&self.expires_at.to_string()));
        put(&mut members, "endpoint", self.endpoint.as_deref());
        put(&mut members, "template", self.template.as_deref());
        put(&mut members, "binding_token", self.binding_token.as_deref());
        if !display.is_empty() {
            members.insert("display".into(), Value::Object(display));
        }
        Value::Object(members)
    }
}

/// The status of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskStatus {
    /// It waits.
    Pending,
    /// People have agreed.
    Approved,
    /// People have refused.
    Denied,
    /// It took too long.
    Expired,
    /// Somebody took it back.
    Cancelled,
    /// Something went wrong.
    Failed,
    /// Some items were approved and others not.
    Partial,
    /// A status that nobody here knows: not approved.
    Unknown,
}

impl TaskStatus {
    /// Reads a status; what is not known is [`Unknown`](Self::Unknown).
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "approved" => Self::Approved,
            "denied" => Self::Denied,
            "expired" => Self::Expired,
            "cancelled" => Self::Cancelled,
            "failed" => Self::Failed,
            "partial" => Self::Partial,
            _ => Self::Unknown,
        }
    }

    /// Tells whether the task can change no more. An unknown status may still change.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Unknown)
    }
}

/// A task of an access-request service, as its status endpoint tells it.
///
/// Members that the profile does not define are ignored, as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Task {
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: TaskStatus,
    /// When the handle ends.
    pub expires_at: Option<Timestamp>,
    /// The status of each item of a bundled task.
    pub items: Vec<TaskStatus>,
    /// The approval, where the result has the mode `reevaluate`.
    pub approval: Option<ApprovalReference>,
}

/// What a task is a reason to do. It never is a reason to act.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskSignal {
    /// To wait.
    Wait,
    /// To ask for a decision again, with this reference at `context.approval`.
    Reevaluate(ApprovalReference),
    /// Nothing: it is not approved.
    NotApproved,
}

impl Task {
    /// Parses the document of a status endpoint, or the answer to an access request.
    ///
    /// # Errors
    ///
    /// Returns [`AuthzenError`] for a document without a `task` that has an `id` and a `status`, and for members
    /// that the profile defines in another form.
    pub fn parse(document: &[u8]) -> Result<Self, AuthzenError> {
        let value = Value::parse(document, &Limits::ARGUMENTS)?;
        let members = object(&value, "")?;
        let task = members.get("task").ok_or(AuthzenError::Member("task"))?;
        let task = object(task, "task")?;
        let items = match task.get("items") {
            None => Vec::new(),
            Some(items) => {
                let items = items.as_array().filter(|items| items.len() <= MAX_ITEMS);
                let items = items.ok_or(AuthzenError::Member("task.items"))?;
                let status = |item: &Value| {
                    Ok(TaskStatus::of(&text(object(item, "task.items")?, "status")?))
                };
                items.iter().map(status).collect::<Result<_, AuthzenError>>()?
            }
        };
        let approval = match members.get("result") {
            None => None,
            Some(result) => {
                let result = object(result, "result")?;
                // Another mode is one that nobody here knows.
                let known = text(result, "mode")? == "reevaluate";
                let approval = result.get("approval").filter(|_| known);
                if known && approval.is_none() {
                    return Err(AuthzenError::Member("result.approval"));
                }
                approval.map(ApprovalReference::read).transpose()?
            }
        };
        Ok(Self {
            id: text(task, "id")?,
            status: TaskStatus::of(&text(task, "status")?),
            expires_at: maybe_time(task, "expires_at")?,
            items,
            approval,
        })
    }

    /// Returns what to do at `now`.
    ///
    /// A bundled task, one with items, is never a signal for one action: its items have results of
    /// their own.
    #[must_use]
    pub fn signal(&self, now: Timestamp) -> TaskSignal {
        let ended = self.expires_at.is_some_and(|end| end <= now);
        match (self.status, &self.approval) {
            (TaskStatus::Pending | TaskStatus::Unknown, _) if !ended => TaskSignal::Wait,
            (TaskStatus::Approved, Some(approval))
                if self.items.is_empty() && now < approval.approved_until =>
            {
                TaskSignal::Reevaluate(approval.clone())
            }
            _ => TaskSignal::NotApproved,
        }
    }
}

/// Follows one task: a status that is terminal is final, whatever is said later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskState(Option<TaskStatus>);

impl TaskState {
    /// Starts to follow.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Takes what was heard, and returns the status that holds.
    pub fn observe(&mut self, status: TaskStatus) -> TaskStatus {
        match self.0 {
            Some(held) if held.is_terminal() => held,
            _ => *self.0.insert(status),
        }
    }
}

/// A reference to an approval, as a question brings it at `context.approval`. It grants nothing: an id is looked up,
/// a state is verified, and then everything is decided anew.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApprovalReference {
    /// Its id.
    pub id: String,
    /// When it was given.
    pub approved_at: Option<Timestamp>,
    /// Until when it can be used.
    pub approved_until: Timestamp,
    /// What the issuer wants back unread.
    pub state: Option<Value>,
}

impl ApprovalReference {
    /// Refers to a signed approval: its digest, its times, and as the state the document itself, which
    /// any session can verify without asking anybody.
    #[must_use]
    pub fn of(approval: &Approval) -> Self {
        Self {
            id: approval.id().to_string(),
            approved_at: Some(approval.approved_at()),
            approved_until: approval.expires(),
            state: Some(Value::from(approval.signed().as_str())),
        }
    }

    /// Reads the signed approval out of the state. Whether it counts, a
    /// [`Pending`](crate::governance::Pending) table says.
    ///
    /// # Errors
    ///
    /// Returns [`ApprovalError`] if the state is a text that is no approval.
    ///
    /// `Ok(None)` is a reference without a state of ours, or one whose id or times are not those of the state.
    pub fn document(&self) -> Result<Option<Approval>, ApprovalError> {
        let Some(state) = self.state.as_ref().and_then(Value::as_str) else { return Ok(None) };
        let approval = Approval::parse(state.as_bytes())?;
        let same = approval.id().to_string() == self.id
            && approval.expires() == self.approved_until
            && self.approved_at.is_none_or(|at| at == approval.approved_at());
        Ok(same.then_some(approval))
    }

    pub(super) fn read(value: &Value) -> Result<Self, AuthzenError> {
        let members = object(value, "approval")?;
        Ok(Self {
            id: text(members, "id")?,
            approved_at: maybe_time(members, "approved_at")?,
            approved_until: time(members, "approved_until")?,
            state: members.get("state").cloned(),
        })
    }

    /// Writes the reference for `context.approval`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut members = Object::new();
        put(&mut members, "id", Some(&self.id));
        put(&mut members, "approved_at", self.approved_at.map(|at| at.to_string()).as_deref());
        put(&mut members, "approved_until", Some(&self.approved_until.to_string()));
        if let Some(state) = &self.state {
            members.insert("state".into(), state.clone());
        }
        Value::Object(members)
    }
}

/// What to do after a re-evaluation that denied, where the answer does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NextAction {
    /// To ask people again.
    Request,
    /// To ask the same question again later.
    Retry,
    /// Nothing.
    None,
}

impl NextAction {
    /// Returns the default of the profile for a reason; for one that it does not know, nothing.
    #[must_use]
    pub fn of_reason(reason: &str) -> Self {
        match reason {
            "approval_expired" | "out_of_scope" => Self::Request,
            "grant_pending" => Self::Retry,
            _ => Self::None,
        }
    }

    /// Returns the name in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Retry => "retry",
            Self::None => "none",
        }
    }
}

/// Returns the reason that the profile has for a question whose approval did not help.
#[must_use]
pub const fn reevaluation_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ApprovalExpired => "approval_expired",
        Reason::ApprovalWrongSession
        | Reason::ApprovalWrongAction
        | Reason::ApprovalWrongDomain
        | Reason::ApprovalWrongQuorum
        | Reason::ApprovalScopeChanged
        | Reason::ApprovalBundleChanged
        | Reason::ApprovalUsed => "out_of_scope",
        // Signed well and in time, and others have to sign too.
        Reason::PolicyApproval => "grant_pending",
        Reason::ApprovalMalformed
        | Reason::ApprovalUnknownRequest
        | Reason::ApprovalUnknownKey
        | Reason::ApprovalWrongPerson
        | Reason::ApprovalNotYetValid
        | Reason::ApprovalBeforeRequest
        | Reason::ApprovalRevoked => "approval_unverifiable",
        _ => "policy_denied",
    }
}

fn put(members: &mut Object, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        members.insert(name.into(), Value::from(text));
    }
}

fn maybe_text(members: &Object, name: &'static str) -> Result<Option<String>, AuthzenError> {
    members.get(name).map(|_| text(members, name)).transpose()
}

fn time(members: &Object, name: &'static str) -> Result<Timestamp, AuthzenError> {
    Timestamp::parse_rfc3339(&text(members, name)?).ok_or(AuthzenError::Member(name))
}

fn maybe_time(members: &Object, name: &'static str) -> Result<Option<Timestamp>, AuthzenError> {
    members.get(name).map(|_| time(members, name)).transpose()
}
