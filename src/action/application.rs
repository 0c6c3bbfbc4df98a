//! Actions of the application domain: tools, APIs, messages, payments, other agents.

use std::borrow::Cow;

use url::Url;

use crate::action::effect::{MAX_NAME_BYTES, name, segments, token};
use crate::action::host::{Endpoint, Host};
use crate::action::host_action::MAX_TEXT_BYTES;
use crate::action::infrastructure::{connect_effects, exec_effect, listen_effect};
use crate::action::{
    Action, Effect, EffectContext, Effects, Fact, Facts, Kind, Malformed, Reversibility, Target,
    TextList, Transport, Usage, object,
};
use crate::digest::Digest;
use crate::reason::Reason;
use crate::text;
use crate::value::{Decimal, Value};

/// Calls a tool of a server, such as one that was listed by an MCP server.
///
/// The tool must be registered with the bundle. What the tool does beyond the call is not known to
/// the library; where it matters, the host proposes those effects as actions of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    server: String,
    tool: String,
    schema: Option<Digest>,
    arguments: Value,
}

impl ToolCall {
    /// Proposes a call of `tool` on `server`. `arguments` must be an object, or the call is opaque.
    #[must_use]
    pub fn new(server: impl Into<String>, tool: impl Into<String>, arguments: Value) -> Self {
        Self { server: server.into(), tool: tool.into(), schema: None, arguments }
    }

    /// States the digest of the schema that the server presents now.
    ///
    /// A call whose stated digest is not the registered one is denied as `tool.schema_changed`.
    #[must_use]
    pub const fn with_schema(mut self, schema: Digest) -> Self {
        self.schema = Some(schema);
        self
    }

    fn effect(&self, context: &EffectContext<'_>) -> Result<Effect, Malformed> {
        let server = segments(&self.server, '/')?;
        let tool = segments(&self.tool, '/')?;
        let Value::Object(arguments) = &self.arguments else {
            return Err(Reason::ToolArgument.into());
        };
        let known = context.tools().tool(&server, &tool).ok_or(Reason::ToolUnregistered)?;
        if self.schema.is_some_and(|stated| stated != known.schema) {
            return Err(Reason::ToolSchemaChanged.into());
        }
        let facts = Facts::new().text("server", server.to_string()).text("tool", tool.to_string());
        let target = Target::Tool { server, name: tool, arguments: arguments.clone() };
        Ok(Effect::new(Kind::ToolCall, target)
            .with_reversibility(Some(known.reversibility))
            .with_facts(facts))
    }
}

impl Action for ToolCall {
    fn kind(&self) -> Cow<'static, str> {
        "ToolCall".into()
    }

    fn describe(&self) -> Value {
        let schema = self.schema.map(|digest| Value::from(digest.to_string()));
        object([
            ("arguments", self.arguments.clone()),
            ("schema", schema.unwrap_or(Value::Null)),
            ("server", self.server.as_str().into()),
            ("tool", self.tool.as_str().into()),
        ])
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        effects.push_or_opaque(&Kind::ToolCall, self.effect(context));
    }
}

/// Calls a remote API over HTTP: an application effect, and a connection to its host.
///
/// # Security
///
/// Call the URL that was decided on, which the effect's target holds in parts, and not the text that
/// was proposed: another parser may read another host in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall {
    method: String,
    url: String,
    resolved: Vec<std::net::IpAddr>,
    sends_bytes: Option<u64>,
    reversibility: Option<Reversibility>,
}

impl ApiCall {
    /// Proposes `method` on `url` (`http`, `https`, `ws` or `wss`, without credentials).
    #[must_use]
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            resolved: Vec::new(),
            sends_bytes: None,
            reversibility: None,
        }
    }

    /// States the addresses that the host was resolved to; each is decided on.
    #[must_use]
    pub fn resolved_to(mut self, addresses: impl IntoIterator<Item = std::net::IpAddr>) -> Self {
        self.resolved = addresses.into_iter().collect();
        self
    }

    /// States how many bytes the request sends at most.
    #[must_use]
    pub const fn sends_bytes(mut self, bytes: u64) -> Self {
        self.sends_bytes = Some(bytes);
        self
    }

    /// States how far the call can be undone. By default `GET` and `HEAD` are reversible and
    /// everything else is not.
    #[must_use]
    pub const fn reversibility(mut self, reversibility: Reversibility) -> Self {
        self.reversibility = Some(reversibility);
        self
    }

    fn parse(&self) -> Result<(Effect, Endpoint), Malformed> {
        if self.url.len() > MAX_TEXT_BYTES {
            return Err(Reason::ActionTooLarge.into());
        }
        // Where parsers disagree, the one that calls is not the one that decides.
        if !text::is_plain_url(&self.url) {
            return Err(Reason::ActionUrl.into());
        }
        if text::check_visible(&self.url).is_err() {
            return Err(Reason::ActionInvisibleCharacter.into());
        }
        let url = Url::parse(&self.url).map_err(|_| Reason::ActionUrl)?;
        let plain = matches!(url.scheme(), "http" | "https" | "ws" | "wss")
            && url.username().is_empty()
            && url.password().is_none();
        if !plain {
            return Err(Reason::ActionUrl.into());
        }
        let host = Host::parse(url.host_str().ok_or(Reason::ActionUrl)?)?;
        let port = url.port_or_known_default().ok_or(Reason::HostPort)?;
        let endpoint = Endpoint::new(host, port)?;
        let method = token(&self.method)?.to_ascii_uppercase();
        let safe = matches!(method.as_str(), "GET" | "HEAD").then_some(Reversibility::Reversible);
        let path: Box<str> = url.path().into();
        // An encoded slash or dot means one thing to a pattern and another to the server.
        let lower = path.to_ascii_lowercase();
        if lower.contains("%2f")
            || lower.contains("%2e")
            || lower.contains("%5c")
            || path.contains("//")
        {
            return Err(Reason::ActionUrl.into());
        }
        let facts = Facts::new()
            .text("host", endpoint.host().to_string())
            .text("method", method.clone())
            .text("path", path.to_string())
            .long("port", i64::from(endpoint.port()))
            .text("scheme", url.scheme().to_owned());
        let target = Target::Api {
            method: method.into(),
            scheme: url.scheme().into(),
            endpoint: endpoint.clone(),
            path,
        };
        let effect = Effect::new(Kind::ApiCall, target)
            .with_reversibility(self.reversibility.or(safe))
            .with_facts(facts);
        Ok((effect, endpoint))
    }
}

impl Action for ApiCall {
    fn kind(&self) -> Cow<'static, str> {
        "ApiCall".into()
    }

    fn describe(&self) -> Value {
        let resolved = self.resolved.iter().map(|address| Value::from(address.to_string()));
        object([
            ("method", self.method.as_str().into()),
            ("resolved", Value::Array(resolved.collect())),
            ("sends_bytes", self.sends_bytes.map_or(Value::Null, Value::from)),
            ("url", self.url.as_str().into()),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        match self.parse() {
            Ok((effect, endpoint)) => {
                effects.push(effect);
                let usage = self.sends_bytes.map_or(Usage::Channel, Usage::EgressBytes);
                connect_effects(&endpoint, &self.resolved, Transport::Tcp, usage, effects);
            }
            Err(malformed) => {
                effects.push_opaque(&Kind::ApiCall, malformed);
                effects.push_opaque(&Kind::Connect, malformed);
            }
        }
    }
}

/// Starts a workflow, pipeline or scheduled job definition by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerWorkflow {
    workflow: String,
    inputs: Value,
    reversibility: Option<Reversibility>,
}

impl TriggerWorkflow {
    /// Proposes to start `workflow` (segments with `/`) with `inputs`.
    #[must_use]
    pub fn new(workflow: impl Into<String>, inputs: Value) -> Self {
        Self { workflow: workflow.into(), inputs, reversibility: None }
    }

    /// States how far the run can be undone; irreversible by default.
    #[must_use]
    pub const fn reversibility(mut self, reversibility: Reversibility) -> Self {
        self.reversibility = Some(reversibility);
        self
    }
}

impl Action for TriggerWorkflow {
    fn kind(&self) -> Cow<'static, str> {
        "TriggerWorkflow".into()
    }

    fn describe(&self) -> Value {
        object([("inputs", self.inputs.clone()), ("workflow", self.workflow.as_str().into())])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        let effect = segments(&self.workflow, '/').map(|workflow| {
            Effect::new(Kind::TriggerWorkflow, Target::Workflow(workflow))
                .with_reversibility(self.reversibility)
        });
        effects.push_or_opaque(&Kind::TriggerWorkflow, effect);
    }
}

/// Sends a message over one channel; each recipient is an effect of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendMessage {
    channel: String,
    recipients: Vec<String>,
    body: Option<Digest>,
    bytes: Option<u64>,
}

impl SendMessage {
    /// Proposes a message over `channel` (`email`, `slack`, …) to `recipients`.
    #[must_use]
    pub fn new<R: Into<String>>(
        channel: impl Into<String>,
        recipients: impl IntoIterator<Item = R>,
    ) -> Self {
        let recipients = recipients.into_iter().map(Into::into).collect();
        Self { channel: channel.into(), recipients, body: None, bytes: None }
    }

    /// Binds the permit to the text of the message, which itself is not kept.
    #[must_use]
    pub fn with_body(mut self, body: &str) -> Self {
        self.body = Some(Digest::of("countersign 2026-11 message body v1", body.as_bytes()));
        self.bytes = u64::try_from(body.len()).ok();
        self
    }

    /// Takes what [`describe`](Action::describe) says of a text, for those who have no more of it.
    pub(super) const fn with_described_body(
        mut self,
        body: Option<Digest>,
        bytes: Option<u64>,
    ) -> Self {
        self.body = body;
        self.bytes = bytes;
        self
    }

    fn effect(&self, recipient: &str) -> Result<Effect, Malformed> {
        let channel = token(&self.channel)?;
        let mut address = name(recipient)?;
        let email_domain: Option<Box<str>> = if &*channel == "email" {
            let (local, domain) = address.rsplit_once('@').ok_or(Reason::ActionName)?;
            let plain = !local.is_empty()
                && local
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b"\"<>(),:;@[]\\".contains(&byte));
            let Host::Name(domain) = Host::parse(domain)? else {
                return Err(Reason::ActionName.into());
            };
            if !plain {
                return Err(Reason::ActionName.into());
            }
            let domain = domain.to_string();
            address = format!("{local}@{domain}").into();
            Some(domain.into())
        } else {
            None
        };
        let facts = Facts::new()
            .text("address", address.to_string())
            .text("channel", channel.to_string())
            .maybe(
                "email_domain",
                email_domain.as_deref().map(|domain| Fact::Text(domain.to_owned().into())),
            );
        let usage = self.bytes.map_or(Usage::Channel, Usage::EgressBytes);
        let target = Target::Recipient { channel, address, email_domain };
        Ok(Effect::new(Kind::SendMessage, target).with_facts(facts).with_usage(usage))
    }
}

impl Action for SendMessage {
    fn kind(&self) -> Cow<'static, str> {
        "SendMessage".into()
    }

    fn describe(&self) -> Value {
        let recipients = self.recipients.iter().map(|recipient| recipient.as_str().into());
        object([
            ("body", self.body.map_or(Value::Null, |digest| digest.to_string().into())),
            ("bytes", self.bytes.map_or(Value::Null, Value::from)),
            ("channel", self.channel.as_str().into()),
            ("recipients", Value::Array(recipients.collect())),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        if self.recipients.is_empty() {
            effects.push_opaque(&Kind::SendMessage, Reason::ActionName);
        }
        for recipient in &self.recipients {
            effects.push_or_opaque(&Kind::SendMessage, self.effect(recipient));
        }
    }
}

/// Starts another agent for a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpawnAgent {
    agent: String,
    task: String,
}

impl SpawnAgent {
    /// Proposes to start `agent`, a SPIFFE ID, for the task named `task`.
    #[must_use]
    pub fn new(agent: impl Into<String>, task: impl Into<String>) -> Self {
        Self { agent: agent.into(), task: task.into() }
    }
}

impl Action for SpawnAgent {
    fn kind(&self) -> Cow<'static, str> {
        "SpawnAgent".into()
    }

    fn describe(&self) -> Value {
        object([("agent", self.agent.as_str().into()), ("task", self.task.as_str().into())])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        let effect = name(&self.agent).and_then(|agent| {
            name(&self.task)?;
            let id = crate::identity::SpiffeId::parse(&agent)
                .map_err(|_| Malformed::from(Reason::ActionName))?;
            let target = Target::Agent(id.as_str().into());
            Ok(Effect::new(Kind::SpawnAgent, target))
        });
        effects.push_or_opaque(&Kind::SpawnAgent, effect);
    }
}

/// Pays an exact amount to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pay {
    account: String,
    amount: Decimal,
    currency: String,
    reference: String,
}

impl Pay {
    /// Proposes to pay `amount` of `currency` (an ISO 4217 code or a token's symbol) to `account`.
    #[must_use]
    pub fn new(account: impl Into<String>, amount: Decimal, currency: impl Into<String>) -> Self {
        Self {
            account: account.into(),
            amount,
            currency: currency.into(),
            reference: String::new(),
        }
    }

    /// States the reference or subject of the payment.
    #[must_use]
    pub fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = reference.into();
        self
    }

    fn effect(&self) -> Result<Effect, Malformed> {
        let account = segments(&self.account, '/')?;
        let currency: Box<str> = token(&self.currency)?.to_ascii_uppercase().into();
        if self.amount.is_negative() || self.amount == Decimal::from(0_u64) {
            return Err(Reason::ActionNumber.into());
        }
        let mut facts = Facts::new().text("currency", currency.to_string());
        facts.insert("amount", Fact::Decimal(self.amount));
        let target = Target::Payment { account, amount: self.amount, currency };
        Ok(Effect::new(Kind::Pay, target).with_facts(facts))
    }
}

impl Action for Pay {
    fn kind(&self) -> Cow<'static, str> {
        "Pay".into()
    }

    fn describe(&self) -> Value {
        object([
            ("account", self.account.as_str().into()),
            ("amount", Value::from(self.amount)),
            ("currency", self.currency.as_str().into()),
            ("reference", self.reference.as_str().into()),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        effects.push_or_opaque(&Kind::Pay, self.effect());
    }
}

/// Makes something available to others: a package, a release, a page, a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    place: String,
    name: String,
    public: bool,
    bytes: Option<u64>,
}

impl Publish {
    /// Proposes to publish `name` at `place` (`npm`, `github`, …), visible to anybody.
    #[must_use]
    pub fn new(place: impl Into<String>, name: impl Into<String>) -> Self {
        Self { place: place.into(), name: name.into(), public: true, bytes: None }
    }

    /// States that only people who have access already can see it.
    #[must_use]
    pub const fn internal(mut self) -> Self {
        self.public = false;
        self
    }

    /// States how many bytes leave at most; undeclared counts as the whole budget.
    #[must_use]
    pub const fn sends_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    fn effect(&self) -> Result<Effect, Malformed> {
        let place = token(&self.place)?;
        let name = segments(&self.name, '/')?;
        let facts = Facts::new().text("place", place.to_string()).bool("public", self.public);
        let usage = self.bytes.map_or(Usage::UndeclaredEgress, Usage::EgressBytes);
        let target = Target::Artifact { place, name, public: self.public };
        Ok(Effect::new(Kind::Publish, target).with_facts(facts).with_usage(usage))
    }
}

impl Action for Publish {
    fn kind(&self) -> Cow<'static, str> {
        "Publish".into()
    }

    fn describe(&self) -> Value {
        object([
            ("bytes", self.bytes.map_or(Value::Null, Value::from)),
            ("name", self.name.as_str().into()),
            ("place", self.place.as_str().into()),
            ("public", self.public.into()),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        effects.push_or_opaque(&Kind::Publish, self.effect());
    }
}

/// Which side of a remote shell opens the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The interpreter connects to the peer.
    Reverse,
    /// The interpreter waits for the peer.
    Bind,
}

impl Direction {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reverse => "reverse",
            Self::Bind => "bind",
        }
    }
}

/// Hands an interpreter to a peer (MITRE ATT&CK T1059 with T1071): an application effect, the
/// program, and the connection or the open port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteShell {
    program: String,
    direction: Direction,
    host: String,
    port: u16,
}

impl RemoteShell {
    /// Proposes to run `program` with its commands coming from `host`:`port`.
    #[must_use]
    pub fn new(
        program: impl Into<String>,
        direction: Direction,
        host: impl Into<String>,
        port: u16,
    ) -> Self {
        Self { program: program.into(), direction, host: host.into(), port }
    }
}

impl Action for RemoteShell {
    fn kind(&self) -> Cow<'static, str> {
        "RemoteShell".into()
    }

    fn describe(&self) -> Value {
        object([
            ("direction", self.direction.as_str().into()),
            ("host", self.host.as_str().into()),
            ("port", i64::from(self.port).into()),
            ("program", self.program.as_str().into()),
        ])
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        let program = self.program.clone().into();
        effects.push_or_opaque(
            &Kind::Exec,
            exec_effect(context, &program, &TextList::default(), Some(Reason::ScopeOpaque)),
        );
        let network = match self.direction {
            Direction::Reverse => Kind::Connect,
            Direction::Bind => Kind::Listen,
        };
        let endpoint = Host::parse(&self.host).and_then(|host| Endpoint::new(host, self.port));
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(error) => {
                let malformed = Malformed::from(error);
                effects.push_opaque(&Kind::RemoteShell, malformed);
                effects.push_opaque(&network, malformed);
                return;
            }
        };
        let program: String = self.program.chars().take(MAX_NAME_BYTES).collect();
        let facts =
            Facts::new().text("direction", self.direction.as_str()).text("program", program);
        let target =
            Target::Endpoint { endpoint: endpoint.clone(), address: endpoint.host().address() };
        effects.push(Effect::new(Kind::RemoteShell, target).with_facts(facts));
        match self.direction {
            Direction::Reverse => {
                connect_effects(&endpoint, &[], Transport::Tcp, Usage::Channel, effects);
            }
            Direction::Bind => effects.push(listen_effect(&endpoint, Transport::Tcp)),
        }
    }
}
