//! Requests and answers of the Access Evaluation API.

use super::{AccessRequest, ApprovalReference, AuthzenError};
use crate::action::{Effect, Kind, Target};
use crate::governance::ApprovalRequest;
use crate::reason::Reason;
use crate::value::{Limits, Object, Value};

/// The most actors of a chain that are read.
pub const MAX_ACTORS: usize = 8;

/// An AuthZEN entity: a subject or a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Party {
    /// Its type.
    pub kind: String,
    /// Its id within the type.
    pub id: String,
    /// What else is known of it.
    pub properties: Object,
}

/// An AuthZEN action.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What else is known of it.
    pub properties: Object,
}

/// A question: may this subject do this action to this resource?
///
/// # Examples
///
/// ```
/// use countersign::interop::authzen::Evaluation;
///
/// let evaluation = Evaluation::parse(br#"{
///     "subject": {"type": "identity", "id": "user:dana@example.org"},
///     "action": {"name": "tools/call"}, "resource": {"type": "tool", "id": "create_ticket"},
///     "context": {"agent": "spiffe://example.org/agent/coder/1"}}"#)?;
/// let principals = evaluation.principals()?;
/// assert_eq!(principals.human.as_deref(), Some("user:dana@example.org"));
/// assert_eq!(principals.agent.as_deref(), Some("spiffe://example.org/agent/coder/1"));
/// # Ok::<(), countersign::interop::authzen::AuthzenError>(())
/// ```
///
/// # Security
///
/// What it says is what the sender says. Agents are those whom the session has verified, and no
/// attribute here reaches a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evaluation {
    /// Who.
    pub subject: Party,
    /// What.
    pub action: Named,
    /// To what.
    pub resource: Party,
    /// The circumstances.
    pub context: Object,
}

/// How a document names the human and the agent that acts for it. Two conventions exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalForm {
    /// The human is the subject, the agent its actor: `subject.properties.act` (access requests).
    Actor,
    /// The human is the subject, the agent stands in `context.agent` (COAZ, for MCP).
    ContextAgent,
}

/// For whom an agent asks.
#[derive(Debug, Clone, Copy)]
pub struct Requester<'a> {
    /// For whom the task is done: the party that it is on behalf of, or else its owner.
    pub human: &'a str,
    /// The agent instance, a SPIFFE ID.
    pub agent: &'a str,
    /// The session.
    pub session: crate::receipt::SessionId,
}

/// Whom a document names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Principals {
    /// The subject, unless it is an agent itself.
    pub human: Option<String>,
    /// The agent that acts now.
    pub agent: Option<String>,
    /// The agents that it acts through or for, next first.
    pub chain: Vec<String>,
}

impl Evaluation {
    /// Parses a request.
    ///
    /// # Errors
    ///
    /// Returns [`AuthzenError`] for what is no JSON, and for a member that the published schema requires
    /// and that is missing, that has another type, or that it does not know.
    pub fn parse(text: &[u8]) -> Result<Self, AuthzenError> {
        let value = Value::parse(text, &Limits::ARGUMENTS)?;
        let members = object(&value, "")?;
        only(members, &["action", "context", "resource", "subject"])?;
        Ok(Self {
            subject: party(members, "subject")?,
            action: named(members)?,
            resource: party(members, "resource")?,
            context: maybe_object(members, "context")?,
        })
    }

    /// Writes the question that `effect` is, in one of the two forms of principals.
    #[must_use]
    pub fn of_effect(effect: &Effect, requester: Requester<'_>, form: PrincipalForm) -> Self {
        let mut properties = Object::new();
        let mut context = Object::new();
        context.insert("session_id".into(), Value::from(requester.session.to_string()));
        let (mut kind, mut name) = ("identity", effect.kind().as_str());
        let mut resource = (effect.target().entity_type(), effect.target().id());
        let mut resource_properties = Object::new();
        match form {
            PrincipalForm::Actor => {
                kind = requester.human.split_once(':').map_or("user", |(kind, _)| kind);
                properties.insert("act".into(), Value::Object(actor(requester.agent)));
            }
            PrincipalForm::ContextAgent => {
                context.insert("agent".into(), Value::from(requester.agent));
                if let (Kind::ToolCall, Target::Tool { server, name: tool, .. }) =
                    (effect.kind(), effect.target())
                {
                    name = "tools/call";
                    resource = ("tool", tool.to_string());
                    resource_properties.insert("server".into(), Value::from(&**server));
                }
            }
        }
        let mut action = Object::new();
        action.insert("domain".into(), Value::from(effect.domain().as_str()));
        action.insert("reversibility".into(), Value::from(effect.reversibility().as_str()));
        Self {
            subject: Party { kind: kind.into(), id: requester.human.into(), properties },
            action: Named { name: name.into(), properties: action },
            resource: Party {
                kind: resource.0.into(),
                id: resource.1,
                properties: resource_properties,
            },
            context,
        }
    }

    /// Finds out whom the document names, in either form.
    ///
    /// # Errors
    ///
    /// Returns [`AuthzenError`] for an actor without `iss` or `sub`, a chain longer than [`MAX_ACTORS`], and two forms that
    /// name different agents.
    pub fn principals(&self) -> Result<Principals, AuthzenError> {
        const ACT: &str = "subject.properties.act";
        let mut agents = Vec::new();
        let mut next = self.subject.properties.get("act");
        while let Some(value) = next {
            let act = object(value, ACT)?;
            if agents.len() >= MAX_ACTORS {
                return Err(AuthzenError::Member(ACT));
            }
            text(act, "iss").map_err(|_| AuthzenError::Member(ACT))?;
            agents.push(text(act, "sub").map_err(|_| AuthzenError::Member(ACT))?);
            next = act.get("act");
        }
        let named = match self.context.get("agent") {
            None => None,
            Some(Value::String(agent)) => Some(agent.clone()),
            Some(_) => return Err(AuthzenError::Member("context.agent")),
        };
        if let (Some(actor), Some(named)) = (agents.first(), &named)
            && actor != named
        {
            return Err(AuthzenError::Principals);
        }
        let mut agents = agents.into_iter();
        let agent = agents.next().or(named);
        let is_agent = self.subject.id.starts_with("spiffe://");
        if is_agent && agent.as_ref().is_some_and(|agent| *agent != self.subject.id) {
            return Err(AuthzenError::Principals);
        }
        Ok(Principals {
            human: (!is_agent).then(|| self.subject.id.clone()),
            agent: agent.or_else(|| is_agent.then(|| self.subject.id.clone())),
            chain: agents.collect(),
        })
    }

    /// Returns the reference to an approval that the question brings: `context.approval`.
    ///
    /// # Errors
    ///
    /// Returns [`AuthzenError`] if there is one and it is not well formed.
    pub fn approval(&self) -> Result<Option<ApprovalReference>, AuthzenError> {
        self.context.get("approval").map(ApprovalReference::read).transpose()
    }

    /// Writes the request as canonical JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut members = Object::new();
        members.insert("subject".into(), party_value(&self.subject));
        members.insert("resource".into(), party_value(&self.resource));
        let mut action = Object::new();
        action.insert("name".into(), Value::from(self.action.name.as_str()));
        put(&mut action, "properties", &self.action.properties);
        members.insert("action".into(), Value::Object(action));
        put(&mut members, "context", &self.context);
        Value::Object(members).to_canonical()
    }
}

/// An answer to an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Whether it may happen. There are two values; a deferral is `false`.
    pub decision: bool,
    /// Why, and what can be done.
    pub context: Object,
}

impl Answer {
    /// Parses an answer.
    ///
    /// # Errors
    ///
    /// Returns [`AuthzenError`] unless there is a `decision` that is true or false, and at most a `context` beside it.
    pub fn parse(text: &[u8]) -> Result<Self, AuthzenError> {
        let value = Value::parse(text, &Limits::ARGUMENTS)?;
        let members = object(&value, "")?;
        only(members, &["context", "decision"])?;
        let decision = members.get("decision").and_then(Value::as_bool);
        Ok(Self {
            decision: decision.ok_or(AuthzenError::Member("decision"))?,
            context: maybe_object(members, "context")?,
        })
    }

    /// Answers that it may happen.
    #[must_use]
    pub const fn allow() -> Self {
        Self { decision: true, context: Object::new() }
    }

    /// Answers that it may not happen, and that asking people does not help.
    #[must_use]
    pub fn deny(reason: Reason) -> Self {
        let mut context = Object::new();
        context.insert("reason".into(), Value::from(reason.code()));
        Self { decision: false, context }
    }

    /// Answers that it may not happen before people have approved: the requestable denial. Its
    /// `evaluation_id` is the id of the request.
    #[must_use]
    pub fn requestable(request: &ApprovalRequest) -> Self {
        let mut context = Object::new();
        context.insert("evaluation_id".into(), Value::from(request.id().to_string()));
        context.insert("evaluated_at".into(), Value::from(request.created().to_string()));
        context.insert("reason".into(), Value::from("approval_required"));
        context.insert("access_request".into(), AccessRequest::of(request).to_value());
        Self { decision: false, context }
    }

    /// Answers a question that came with an approval which did not help.
    #[must_use]
    pub fn not_helped(reason: Reason) -> Self {
        let mut context = Object::new();
        let reason = super::reevaluation_reason(reason);
        let next = super::NextAction::of_reason(reason);
        context.insert("reason".into(), Value::from(reason));
        context.insert("next_action".into(), Value::from(next.as_str()));
        Self { decision: false, context }
    }

    /// Returns how to ask people, if this is a requestable denial. Such an answer is no access.
    ///
    /// # Errors
    ///
    /// Returns [`AuthzenError`] if `access_request` is there and not well formed.
    pub fn access_request(&self) -> Result<Option<AccessRequest>, AuthzenError> {
        let Some(value) = self.context.get("access_request").filter(|_| !self.decision) else {
            return Ok(None);
        };
        // Without an id or a token there is nothing to bind a request to.
        let bound = self.context.get("evaluation_id").is_some_and(|id| id.as_str().is_some());
        let asked = AccessRequest::read(value)?;
        if !bound && asked.binding_token.is_none() {
            return Err(AuthzenError::Member("context.evaluation_id"));
        }
        Ok(Some(asked))
    }

    /// Writes the answer as canonical JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut members = Object::new();
        members.insert("decision".into(), Value::Bool(self.decision));
        put(&mut members, "context", &self.context);
        Value::Object(members).to_canonical()
    }
}

/// An actor: the agent, and the trust domain that vouches for it.
fn actor(agent: &str) -> Object {
    let domain = agent.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let mut act = Object::new();
    act.insert("iss".into(), Value::from(domain));
    act.insert("sub".into(), Value::from(agent));
    act.insert("sub_profile".into(), Value::from("ai_agent"));
    act
}

fn party_value(party: &Party) -> Value {
    let mut members = Object::new();
    members.insert("type".into(), Value::from(party.kind.as_str()));
    members.insert("id".into(), Value::from(party.id.as_str()));
    put(&mut members, "properties", &party.properties);
    Value::Object(members)
}

fn put(members: &mut Object, name: &str, object: &Object) {
    if !object.is_empty() {
        members.insert(name.into(), Value::Object(object.clone()));
    }
}

fn party(members: &Object, name: &'static str) -> Result<Party, AuthzenError> {
    let wrong = AuthzenError::Member(name);
    let value = members.get(name).ok_or_else(|| wrong.clone())?;
    let party = object(value, name)?;
    only(party, &["id", "properties", "type"]).map_err(|_| wrong.clone())?;
    Ok(Party {
        kind: text(party, "type").map_err(|_| wrong.clone())?,
        id: text(party, "id").map_err(|_| wrong)?,
        properties: maybe_object(party, "properties")?,
    })
}

fn named(members: &Object) -> Result<Named, AuthzenError> {
    let wrong = AuthzenError::Member("action");
    let action = object(members.get("action").ok_or_else(|| wrong.clone())?, "action")?;
    only(action, &["name", "properties"]).map_err(|_| wrong.clone())?;
    let name = text(action, "name").map_err(|_| wrong)?;
    Ok(Named { name, properties: maybe_object(action, "properties")? })
}

pub(super) fn object<'a>(value: &'a Value, name: &'static str) -> Result<&'a Object, AuthzenError> {
    value.as_object().ok_or(AuthzenError::Member(name))
}

fn maybe_object(members: &Object, name: &'static str) -> Result<Object, AuthzenError> {
    match members.get(name) {
        None => Ok(Object::new()),
        Some(value) => object(value, name).cloned(),
    }
}

pub(super) fn text(members: &Object, name: &'static str) -> Result<String, AuthzenError> {
    let text = members.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or(AuthzenError::Member(name))
}

fn only(members: &Object, known: &[&str]) -> Result<(), AuthzenError> {
    if members.iter().all(|(name, _)| known.contains(&name)) {
        return Ok(());
    }
    Err(AuthzenError::Member(""))
}
