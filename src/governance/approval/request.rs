//! What people are asked: one exact action, in words and as a digest.

use std::fmt;

use crate::action::{Domain, Effect};
use crate::digest::Digest;
use crate::governance::body::{self, Body, BodyError};
use crate::policy::{OwnerRule, Quorum};
use crate::receipt::SessionId;
use crate::scope::{MAX_DELEGATION_DEPTH, MAX_NAME_BYTES};
use crate::text::{check_visible, escape_visible};
use crate::time::Timestamp;
use crate::value::{JsonError, Limits, Value};

/// The version that a request names.
const VERSION: &str = "countersign/approval-request/v1";

/// Under what name requests are hashed.
const DIGEST_CONTEXT: &str = "countersign 2026-11 approval request v1";

/// The most scopes of one chain: a root and its delegates.
pub(in crate::governance) const MAX_SCOPES: usize = MAX_DELEGATION_DEPTH as usize + 1;

/// The most bytes of text that the effects of one request are shown with, shared evenly.
pub const MAX_SHOWN_BYTES: usize = 64 << 10;

/// The most bytes of one effect as it is shown.
pub const MAX_LINE_BYTES: usize = 4096;

/// The most effects of one action.
const MAX_LINES: usize = 256;

/// The most quorums that one request asks: each quorum of a bundle in each domain.
const MAX_NEEDS: usize = 32;

/// The most roles of one quorum that a request names.
const MAX_ROLES: usize = 64;

/// The longest name of an agent.
const MAX_AGENT_BYTES: usize = crate::identity::MAX_SPIFFE_ID_BYTES;

/// One quorum that is asked, for the effects in one domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Need {
    /// The domain of the effects.
    pub domain: Domain,
    /// The name of the quorum.
    pub quorum: Box<str>,
    /// The roles whose holders count.
    pub roles: Vec<Box<str>>,
    /// How many different people it takes.
    pub of: u32,
    /// Whether the owner of the task counts.
    pub owner_counts: bool,
}

impl Need {
    /// Asks `quorum` for the effects in `domain`.
    #[must_use]
    pub fn new(domain: Domain, quorum: &Quorum) -> Self {
        Self {
            domain,
            quorum: quorum.name.as_str().into(),
            roles: quorum.roles.iter().map(|role| role.as_str().into()).collect(),
            of: quorum.of,
            owner_counts: quorum.owner == OwnerRule::Counts,
        }
    }
}

/// What a request is made of, before it has its id.
#[derive(Debug, Clone)]
pub struct RequestParts<'a> {
    /// The session that asks.
    pub session: SessionId,
    /// The number of the call that was deferred. No two requests of a session have one.
    pub call: u64,
    /// The kind of the action.
    pub kind: &'a str,
    /// The digest of kind, description and effects.
    pub action: Digest,
    /// The effects, as they were decided on.
    pub effects: &'a [&'a Effect],
    /// The agent instance that asks.
    pub agent: &'a str,
    /// Who answers for the task.
    pub owner: &'a str,
    /// For whom the task is done, where it is not the owner.
    pub on_behalf_of: Option<&'a str>,
    /// The name of the task.
    pub task: &'a str,
    /// The digests of the scopes, from the root to the session's own.
    pub scope: &'a [Digest],
    /// The digest of the bundle.
    pub bundle: Digest,
    /// Whom to ask.
    pub needs: Vec<Need>,
    /// When it was asked.
    pub created: Timestamp,
    /// Until when approvals are taken and hold. It is cut to the end of the scope by the caller.
    pub expires: Timestamp,
}

/// One question to people: may this exact action happen?
///
/// `Display` is what a person reads; [`to_json`](Self::to_json) is what travels to a program that shows and
/// signs it. Everything that is shown is in the id, and the id is in what is signed: a request that was
/// changed on its way has another id, under which no session has anything pending.
///
/// # Security
///
/// All text in it is visible: control and bidirectional characters, and what has no shape, are
/// escaped. What is too long to be shown is cut in the middle, says so, and
/// [`is_complete`](Self::is_complete) tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequest {
    id: Digest,
    session: SessionId,
    call: u64,
    kind: Box<str>,
    action: Digest,
    effects: Vec<Box<str>>,
    complete: bool,
    agent: Box<str>,
    owner: Box<str>,
    on_behalf_of: Option<Box<str>>,
    task: Box<str>,
    scope: Vec<Digest>,
    bundle: Digest,
    needs: Vec<Need>,
    created: Timestamp,
    expires: Timestamp,
}

/// Why a text is no request, or parts make none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No JSON, or JSON that is refused.
    #[error("the request cannot be read")]
    Json(#[source] JsonError),
    /// Another spelling than the canonical one.
    #[error("the request is not in its canonical spelling")]
    Spelling,
    /// A member that is missing, wrong, or does not belong there.
    #[error("the request is refused: {0}")]
    Body(#[from] BodyError),
    /// The id is not the one of what the request says.
    #[error("the request was changed: its id is another")]
    Id,
}

impl RequestError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "request.json",
            Self::Spelling => "request.spelling",
            Self::Body(_) => "request.body",
            Self::Id => "request.id",
        }
    }
}

impl ApprovalRequest {
    /// Puts a request together.
    ///
    /// # Errors
    ///
    /// Returns [`RequestError`] for parts that no request can hold: names that are empty, too long or
    /// invisible, no or too many effects, scopes or needs, an end that is not after the beginning.
    pub fn new(parts: RequestParts<'_>) -> Result<Self, RequestError> {
        let share = MAX_SHOWN_BYTES.checked_div(parts.effects.len()).unwrap_or_default();
        let mut complete = true;
        let show = |effect: &&Effect| {
            let (line, whole) = line(effect, share.min(MAX_LINE_BYTES));
            complete &= whole;
            line
        };
        let effects = parts.effects.iter().map(show).collect();
        let mut needs = parts.needs;
        needs.sort_unstable();
        needs.dedup();
        let request = Self {
            id: parts.action,
            session: parts.session,
            call: parts.call,
            kind: parts.kind.into(),
            action: parts.action,
            effects,
            complete,
            agent: parts.agent.into(),
            owner: parts.owner.into(),
            on_behalf_of: parts.on_behalf_of.map(Into::into),
            task: parts.task.into(),
            scope: parts.scope.to_vec(),
            bundle: parts.bundle,
            needs,
            created: parts.created,
            expires: parts.expires,
        };
        // Whatever is wrong is found where it is made.
        let body = request.body();
        let id = digest(&body);
        let Value::Object(mut members) = body else { return Err(RequestError::Spelling) };
        members.insert("id".into(), body::shown(&id));
        Self::read_members(&Value::Object(members))
    }

    /// Parses a request from the JSON that [`to_json`](Self::to_json) gives, and from no other.
    ///
    /// # Errors
    ///
    /// Returns [`RequestError`]; the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, RequestError> {
        let value = Value::parse(text, &Limits::DOCUMENT).map_err(RequestError::Json)?;
        if value.to_canonical().as_bytes() != text {
            return Err(RequestError::Spelling);
        }
        Self::read(&value)
    }

    fn read(value: &Value) -> Result<Self, RequestError> {
        let request = Self::read_members(value)?;
        if digest(&request.body()) != request.id {
            return Err(RequestError::Id);
        }
        Ok(request)
    }

    /// Reads a request, and takes its id as it stands.
    fn read_members(value: &Value) -> Result<Self, RequestError> {
        let mut body = Body::open(value, "request", VERSION)?;
        let request = Self {
            id: body.digest("id")?,
            session: body.session("session")?,
            call: body.whole("call")?,
            kind: body.text("kind", MAX_NAME_BYTES)?.into(),
            action: body.digest("action")?,
            effects: read_effects(body.list("effects", MAX_LINES)?)?,
            complete: body.flag("complete")?,
            agent: body.text("agent", MAX_AGENT_BYTES)?.into(),
            owner: body.text("owner", MAX_NAME_BYTES)?.into(),
            on_behalf_of: body.maybe_text("on_behalf_of", MAX_NAME_BYTES)?.map(Into::into),
            task: body.text("task", MAX_NAME_BYTES)?.into(),
            scope: body.digests("scope", MAX_SCOPES)?,
            bundle: body.digest("bundle")?,
            needs: read_needs(body.list("needs", MAX_NEEDS)?)?,
            created: body.time("created")?,
            expires: body.time("expires")?,
        };
        body.finish()?;
        if request.expires <= request.created {
            return Err(BodyError::new("expires").into());
        }
        Ok(request)
    }

    /// Returns the same question with the needs of another one beside its own.
    pub(super) fn widened(mut self, other: &Self) -> Self {
        self.needs.extend_from_slice(&other.needs);
        self.needs.sort_unstable();
        self.needs.dedup();
        self.id = digest(&self.body());
        self
    }

    /// Returns the canonical JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut value = self.body();
        if let Value::Object(members) = &mut value {
            members.insert("id".into(), body::shown(&self.id));
        }
        value.to_canonical()
    }

    /// Returns the id: the digest of everything else.
    #[must_use]
    pub const fn id(&self) -> Digest {
        self.id
    }

    /// Returns the session that asks.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Returns the number of the call that was deferred.
    #[must_use]
    pub const fn call(&self) -> u64 {
        self.call
    }

    /// Returns the kind of the action.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the digest of the exact action.
    #[must_use]
    pub const fn action(&self) -> Digest {
        self.action
    }

    /// Returns the effects, a line each, as a person may read them.
    pub fn effects(&self) -> impl ExactSizeIterator<Item = &str> {
        self.effects.iter().map(AsRef::as_ref)
    }

    /// Tells whether all of each effect is shown. Where it is not, a person cannot know what is approved.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Returns the agent instance.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// Returns who answers for the task.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns for whom the task is done, where it is not the owner.
    #[must_use]
    pub fn on_behalf_of(&self) -> Option<&str> {
        self.on_behalf_of.as_deref()
    }

    /// Returns the name of the task.
    #[must_use]
    pub fn task(&self) -> &str {
        &self.task
    }

    /// Returns the digests of the scopes, from the root to the session's own.
    #[must_use]
    pub fn scope(&self) -> &[Digest] {
        &self.scope
    }

    /// Returns the digest of the bundle.
    #[must_use]
    pub const fn bundle(&self) -> Digest {
        self.bundle
    }

    /// Returns the quorums that are asked, sorted, each once for each domain.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// Returns when it was asked.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// Returns until when approvals are taken and hold.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    fn body(&self) -> Value {
        let text = |text: &str| Some(Value::from(text));
        let needs = self.needs.iter().map(|need| {
            let roles = need.roles.iter().map(|role| Value::from(&**role));
            let owner = if need.owner_counts { OwnerRule::Counts } else { OwnerRule::Excluded };
            body::object([
                ("domain", text(need.domain.as_str())),
                ("of", Some(u64::from(need.of).into())),
                ("owner", text(owner.as_str())),
                ("quorum", text(&need.quorum)),
                ("roles", Some(Value::Array(roles.collect()))),
            ])
        });
        let effects = self.effects.iter().map(|line| Value::from(&**line));
        body::object([
            ("action", Some(body::shown(&self.action))),
            ("agent", text(&self.agent)),
            ("bundle", Some(body::shown(&self.bundle))),
            ("call", Some(self.call.into())),
            ("complete", Some(self.complete.into())),
            ("created", Some(body::shown(&self.created))),
            ("effects", Some(Value::Array(effects.collect()))),
            ("expires", Some(body::shown(&self.expires))),
            ("kind", text(&self.kind)),
            ("needs", Some(Value::Array(needs.collect()))),
            ("on_behalf_of", self.on_behalf_of.as_deref().map(Value::from)),
            ("owner", text(&self.owner)),
            ("request", text(VERSION)),
            ("scope", Some(body::digests(&self.scope))),
            ("session", Some(body::shown(&self.session))),
            ("task", text(&self.task)),
        ])
    }
}

/// What a person reads before signing.
impl fmt::Display for ApprovalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} asks for approval of `{}`", self.agent, self.kind)?;
        write!(f, "  task `{}` of {}", self.task, self.owner)?;
        match &self.on_behalf_of {
            Some(party) => writeln!(f, ", done for {party}")?,
            None => writeln!(f)?,
        }
        for (number, line) in (1_u32..).zip(&self.effects) {
            writeln!(f, "  {number}. {line}")?;
        }
        if !self.complete {
            writeln!(f, "  NOT ALL OF IT IS SHOWN: it is too long")?;
        }
        for need in &self.needs {
            let roles = need.roles.join("`, `");
            let owner = if need.owner_counts { ", the owner counts" } else { "" };
            let (of, quorum, domain) = (need.of, &need.quorum, need.domain);
            writeln!(f, "  needs {of} of `{quorum}` (roles `{roles}`{owner}) for {domain}")?;
        }
        writeln!(f, "  asked at {}, ends at {}", self.created, self.expires)?;
        writeln!(f, "  action  {}", self.action)?;
        write!(f, "  request {}", self.id)
    }
}

fn read_effects(list: &[Value]) -> Result<Vec<Box<str>>, BodyError> {
    let shown = |line: &&str| {
        !line.is_empty() && line.len() <= MAX_LINE_BYTES && check_visible(line).is_ok()
    };
    let lines = list.iter().map(|line| line.as_str().filter(shown).map(Into::into));
    let lines: Option<Vec<Box<str>>> = lines.collect();
    lines.ok_or(BodyError::new("effects"))
}

fn read_needs(list: &[Value]) -> Result<Vec<Need>, BodyError> {
    let wrong = BodyError::new("needs");
    let read = |value: &Value| -> Result<Need, BodyError> {
        let mut body = Body::of(value, "needs")?;
        let roles = body.list("roles", MAX_ROLES)?.iter().map(|role| {
            let role = role.as_str().filter(|role| body::is_plain(role, MAX_NAME_BYTES));
            role.map(Into::into).ok_or(wrong)
        });
        let need = Need {
            roles: roles.collect::<Result<_, _>>()?,
            domain: body.domain("domain")?,
            quorum: body.text("quorum", MAX_NAME_BYTES)?.into(),
            of: u32::try_from(body.whole("of")?).map_err(|_| wrong)?,
            owner_counts: match body.text("owner", MAX_NAME_BYTES)? {
                "counts" => true,
                "excluded" => false,
                _ => return Err(wrong),
            },
        };
        body.finish()?;
        if need.of == 0 { Err(wrong) } else { Ok(need) }
    };
    let needs = list.iter().map(read).collect::<Result<Vec<Need>, _>>()?;
    if needs.is_sorted_by(|one, next| one < next) { Ok(needs) } else { Err(wrong) }
}

/// Writes an effect for people: kind and target, then all of it as it is on record. The second tells
/// whether it is whole.
fn line(effect: &Effect, most: usize) -> (Box<str>, bool) {
    let mut record = String::new();
    effect.write_canonical(&mut record);
    let (kind, target) = (effect.kind().as_str(), effect.target().id());
    let line = escape_visible(&format!("{kind} {target} {record}"));
    if line.len() <= most {
        return (line.into(), true);
    }
    // The end stays in sight: what matters must not hide behind a long argument.
    let mark = format!("… {} bytes in all …", line.len());
    let room = most.saturating_sub(mark.len());
    let (head, tail) = (room.saturating_mul(2) / 3, line.len().saturating_sub(room / 3));
    let head = (0..=head).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let tail = (tail..line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
    let (head, tail) = (line.get(..head).unwrap_or(""), line.get(tail..).unwrap_or(""));
    ([head, &mark, tail].concat().into(), false)
}

fn digest(body: &Value) -> Digest {
    Digest::of(DIGEST_CONTEXT, body.to_canonical().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Kind;
    use crate::action::Target;
    use crate::testing::NOW;
    use std::time::Duration;

    fn quorum() -> Quorum {
        serde_json::from_str(r#"{"name":"sre","roles":["sre","lead"],"of":2}"#).unwrap()
    }

    fn request(effects: &[&Effect]) -> Result<ApprovalRequest, RequestError> {
        ApprovalRequest::new(RequestParts {
            session: SessionId::from_bytes([1; 16]),
            call: 7,
            kind: "WriteData",
            action: Digest::from_bytes([2; 32]),
            effects,
            agent: "spiffe://example.org/agent/coder/1",
            owner: "user:dana@example.org",
            on_behalf_of: None,
            task: "fix-login",
            scope: &[Digest::from_bytes([3; 32])],
            bundle: Digest::from_bytes([4; 32]),
            needs: vec![Need::new(Domain::Data, &quorum()), Need::new(Domain::Data, &quorum())],
            created: NOW,
            expires: NOW.plus(Duration::from_secs(600)),
        })
    }

    fn write(table: &str) -> Effect {
        Effect::new(Kind::WriteData, Target::Table(table.into()))
    }

    #[test]
    fn a_person_reads_what_is_signed() {
        let request = request(&[&write("crm.customers")]).unwrap();
        let text = request.to_string();
        let expected = "spiffe://example.org/agent/coder/1 asks for approval of `WriteData`\n  \
            task `fix-login` of user:dana@example.org\n  \
            1. WriteData crm.customers {";
        assert!(text.starts_with(expected), "{text}");
        let ask = "\n  needs 2 of `sre` (roles `sre`, `lead`) for data\n  \
            asked at 2026-11-21T09:00:00.000Z, ends at 2026-11-21T09:10:00.000Z\n";
        assert!(text.contains(ask), "{text}");
        assert!(text.ends_with(&request.id().to_string()));
        assert_eq!(request.needs().len(), 1);
    }

    #[test]
    fn nothing_hides_in_it() {
        let evil = write("a\u{202e}b\n  2. ReadData harmless\u{200b}\u{1b}[2J");
        let request = request(&[&evil]).unwrap();
        let line = request.effects().next().unwrap();
        assert!(
            line.starts_with(r"WriteData a\u{202e}b\u{a}  2. ReadData harmless\u{200b}\u{1b}[2J {")
        );
        assert_eq!(request.to_string().lines().count(), 7);
        assert!(request.is_complete());
    }

    #[test]
    fn what_is_long_is_cut_in_sight() {
        let long = format!("{}é{}-the-end", "é".repeat(40_000), "x".repeat(30));
        let request = request(&[&write(&long)]).unwrap();
        let line = request.effects().next().unwrap();
        assert!(line.len() <= MAX_LINE_BYTES && line.contains(" bytes in all …"), "{line}");
        assert!(line.contains("-the-end"));
        assert!(!request.is_complete());
        assert!(request.to_string().contains("NOT ALL OF IT IS SHOWN"));
        let many = vec![write(&long); MAX_LINES];
        let many: Vec<&Effect> = many.iter().collect();
        let request = super::tests::request(&many).unwrap();
        let all: usize = request.effects().map(str::len).sum();
        assert!(all <= MAX_SHOWN_BYTES, "{all}");
        let json = request.to_json();
        assert_eq!(ApprovalRequest::parse(json.as_bytes()), Ok(request));
    }

    #[test]
    fn json_is_read_back_and_nothing_else_is() {
        let request = request(&[&write("t")]).unwrap();
        let json = request.to_json();
        assert_eq!(ApprovalRequest::parse(json.as_bytes()), Ok(request));
        let check = |text: &str, code: &str| {
            let found = ApprovalRequest::parse(text.as_bytes()).map_err(|error| error.code());
            assert_eq!(found.map(|_| ()), Err(code), "{text}");
        };
        check("", "request.json");
        check("{}", "request.body");
        check(&format!("{json} "), "request.spelling");
        check(&json.replace("\"call\":7", "\"call\":8"), "request.id");
        check(&json.replace("\"of\":2", "\"of\":1"), "request.id");
        check(&json.replace("fix-login", "fix-logout"), "request.id");
        check(&json.replace("WriteData t", "ReadData t"), "request.id");
        check(&json.replace("request/v1", "request/v2"), "request.body");
        check(&json.replace("\"of\":2", "\"of\":0"), "request.body");
        check(&json.replace("\"of\":2", "\"more\":1,\"of\":2"), "request.body");
        check(&json.replace("09:10:00.000Z", "08:00:00.000Z"), "request.body");
        check(&json.replace("09:10:00.000Z", "09:10:00Z"), "request.body");
        check(&json.replace("WriteData t", "WriteData \u{202e}t"), "request.body");
        check(&json.replace("\"data\"", "\"dates\""), "request.body");
        assert!(super::tests::request(&[]).is_err());
    }
}
