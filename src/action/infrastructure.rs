//! Actions of the infrastructure domain: programs, network, privilege, identity, packages.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::action::effect::{check_name, name, segments, token};
use crate::action::host::{Endpoint, Host, Zone, canonical_address};
use crate::action::host_action::MAX_TEXT_BYTES;
use crate::action::{
    Action, Effect, EffectContext, Effects, Fact, Facts, Kind, Malformed, Reversibility,
    SharedText, Target, TextList, Usage, object,
};
use crate::reason::Reason;
use crate::value::Value;

/// The most resolved addresses of one name.
const MAX_ADDRESSES: usize = 16;

/// The most different arguments of one program: what a policy searches.
const MAX_DISTINCT_ARGUMENTS: usize = 1024;

/// The most arguments of one program.
const MAX_ARGUMENTS: usize = 4096;

/// Runs a program, and states what it is known to do.
///
/// The library cannot see what a program does, so that it is opaque at first: only a scope that says
/// so grants it. A host that knows adds what the program does with [`and`](Exec::and), and says with
/// [`nothing_else`](Exec::nothing_else) that this is all; every action added contributes its effects,
/// and all of them are decided.
pub struct Exec {
    program: String,
    arguments: Vec<String>,
    opaque: bool,
    also: Vec<Box<dyn Action + Sync>>,
}

impl Exec {
    /// Proposes to run `program`: a bare name, or a path with `/` that is resolved.
    #[must_use]
    pub fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), opaque: true, also: Vec::new() }
    }

    /// Sets the arguments, without the program itself.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// States that the program does nothing beyond what was added.
    ///
    /// # Security
    ///
    /// The host vouches for it, with these very arguments. It must not be said of a program that runs
    /// code which the agent chose.
    #[must_use]
    pub const fn nothing_else(mut self) -> Self {
        self.opaque = false;
        self
    }

    /// Adds something that running the program does.
    #[must_use]
    pub fn and(mut self, action: impl Action + Sync + 'static) -> Self {
        self.also.push(Box::new(action));
        self
    }
}

impl std::fmt::Debug for Exec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exec")
            .field("program", &self.program)
            .field("arguments", &self.arguments)
            .field("opaque", &self.opaque)
            .field("also", &self.also.iter().map(|action| action.kind()).collect::<Vec<_>>())
            .finish()
    }
}

impl Action for Exec {
    fn kind(&self) -> Cow<'static, str> {
        "Exec".into()
    }

    fn describe(&self) -> Value {
        let arguments = self.arguments.iter().map(|argument| argument.as_str().into());
        let also = self.also.iter().map(|action| {
            object([
                ("action", action.describe()),
                ("kind", Value::from(action.kind().into_owned())),
            ])
        });
        object([
            ("also", Value::Array(also.collect())),
            ("arguments", Value::Array(arguments.collect())),
            ("opaque", self.opaque.into()),
            ("program", self.program.as_str().into()),
        ])
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        let opaque = self.opaque.then_some(Reason::ScopeOpaque);
        let program = self.program.clone().into();
        let exec = exec_effect(context, &program, &TextList::new(&self.arguments), opaque);
        effects.push_or_opaque(&Kind::Exec, exec);
        for action in &self.also {
            action.effects(context, effects);
        }
    }
}

/// Builds the effect of running `program` with `arguments`.
pub(crate) fn exec_effect(
    context: &EffectContext<'_>,
    program: &SharedText,
    arguments: &TextList,
    opaque: Option<Reason>,
) -> Result<Effect, Malformed> {
    let program = if program.contains('/') {
        SharedText::from(&context.resolve(program)?)
    } else {
        check_name(program)?;
        program.clone()
    };
    if arguments.len() > MAX_ARGUMENTS || arguments.bytes() > MAX_TEXT_BYTES * 4 {
        return Err(Reason::ActionTooLarge.into());
    }
    let count = i64::try_from(arguments.len()).map_err(|_| Reason::ActionTooLarge)?;
    // All of them: a policy that looks for a flag must find it, however many stand before it.
    let argv = arguments.to_set();
    if argv.len() > MAX_DISTINCT_ARGUMENTS {
        return Err(Reason::ActionTooLarge.into());
    }
    let facts = Facts::sorted([
        ("argc", Fact::Long(count)),
        ("argv", Fact::TextSet(argv)),
        ("program", Fact::Text(program.clone())),
    ]);
    Ok(Effect::new(Kind::Exec, Target::Program { program, opaque }).with_facts(facts))
}

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Opens a connection to a host.
///
/// A name and an address are different things. State what the name was resolved to with
/// [`resolved_to`](Connect::resolved_to) and connect to one of those addresses: each is decided on,
/// so a granted name cannot lead to a metadata address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    host: String,
    port: u16,
    transport: Transport,
    resolved: Vec<IpAddr>,
    sends_bytes: Option<u64>,
}

impl Connect {
    /// Proposes to connect to `host` (a name or an address in any spelling) at `port` over TCP.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            transport: Transport::Tcp,
            resolved: Vec::new(),
            sends_bytes: None,
        }
    }

    /// Sets the transport.
    #[must_use]
    pub const fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// States the addresses that the name was resolved to; each is an effect of its own.
    #[must_use]
    pub fn resolved_to(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.resolved = addresses.into_iter().collect();
        self
    }

    /// States how many bytes are sent at most.
    #[must_use]
    pub const fn sends_bytes(mut self, bytes: u64) -> Self {
        self.sends_bytes = Some(bytes);
        self
    }
}

impl Action for Connect {
    fn kind(&self) -> Cow<'static, str> {
        "Connect".into()
    }

    fn describe(&self) -> Value {
        let resolved = self.resolved.iter().map(|address| Value::from(address.to_string()));
        object([
            ("host", self.host.as_str().into()),
            ("port", i64::from(self.port).into()),
            ("resolved", Value::Array(resolved.collect())),
            ("sends_bytes", self.sends_bytes.map_or(Value::Null, Value::from)),
            ("transport", self.transport.as_str().into()),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        match endpoint(&self.host, self.port) {
            Ok(endpoint) => {
                let usage = self.sends_bytes.map_or(Usage::Channel, Usage::EgressBytes);
                connect_effects(&endpoint, &self.resolved, self.transport, usage, effects);
            }
            Err(malformed) => effects.push_opaque(&Kind::Connect, malformed),
        }
    }
}

fn endpoint(host: &str, port: u16) -> Result<Endpoint, Malformed> {
    Ok(Endpoint::new(Host::parse(host)?, port)?)
}

/// Adds a connection to `endpoint`: one effect for each address that it is known to have.
pub(crate) fn connect_effects(
    endpoint: &Endpoint,
    resolved: &[IpAddr],
    transport: Transport,
    usage: Usage,
    effects: &mut Effects,
) {
    if resolved.len() > MAX_ADDRESSES {
        effects.push_opaque(&Kind::Connect, Reason::HostTooManyAddresses);
        return;
    }
    let own = endpoint.host().address();
    let build = |address: Option<IpAddr>, usage: Usage| {
        let target = Target::Endpoint { endpoint: endpoint.clone(), address };
        Effect::new(Kind::Connect, target)
            .with_facts(
                network_facts(endpoint, address, zone(endpoint, address))
                    .text("transport", transport.as_str()),
            )
            .with_usage(usage)
    };
    // The amount is taken once, however many addresses there are.
    if own.is_some() || resolved.is_empty() {
        effects.push(build(own, usage));
    }
    for (index, address) in resolved.iter().enumerate() {
        let first = index == 0 && own.is_none();
        effects.push(build(
            Some(canonical_address(*address)),
            if first { usage } else { Usage::None },
        ));
    }
}

/// The zone of a host and, where one is known, of its address: the worse of both.
fn zone(endpoint: &Endpoint, address: Option<IpAddr>) -> Zone {
    let host = Zone::of(endpoint.host());
    address.map_or(host, |address| Zone::of_address(&address).max(host))
}

fn network_facts(endpoint: &Endpoint, address: Option<IpAddr>, zone: Zone) -> Facts {
    Facts::new()
        .maybe("address", address.map(Fact::Address))
        .text("host", endpoint.host().to_string())
        .long("port", i64::from(endpoint.port()))
        .text("zone", zone.as_str())
}

/// Opens a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    address: String,
    port: u16,
    transport: Transport,
}

impl Listen {
    /// Proposes to listen on `address` (`127.0.0.1`, `0.0.0.0`, `::`, …) at `port` over TCP.
    #[must_use]
    pub fn new(address: impl Into<String>, port: u16) -> Self {
        Self { address: address.into(), port, transport: Transport::Tcp }
    }

    /// Sets the transport.
    #[must_use]
    pub const fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }
}

impl Action for Listen {
    fn kind(&self) -> Cow<'static, str> {
        "Listen".into()
    }

    fn describe(&self) -> Value {
        object([
            ("address", self.address.as_str().into()),
            ("port", i64::from(self.port).into()),
            ("transport", self.transport.as_str().into()),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        let effect =
            endpoint(&self.address, self.port).map(|at| listen_effect(&at, self.transport));
        effects.push_or_opaque(&Kind::Listen, effect);
    }
}

/// Builds the effect of listening at `endpoint`.
pub(crate) fn listen_effect(endpoint: &Endpoint, transport: Transport) -> Effect {
    let address = endpoint.host().address();
    // Every interface is not the loopback one, though connecting there would be.
    let zone = Zone::of_listener(endpoint.host());
    let facts = network_facts(endpoint, address, zone).text("transport", transport.as_str());
    let target = Target::Endpoint { endpoint: endpoint.clone(), address };
    Effect::new(Kind::Listen, target).with_facts(facts)
}

/// Which way a tunnel lets traffic in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TunnelDirection {
    /// The far end can reach into the near one (`ssh -R`).
    Reverse,
    /// The near end can reach what the far one reaches (`ssh -L`).
    Forward,
    /// A proxy to anywhere (`ssh -D`).
    Dynamic,
}

impl TunnelDirection {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reverse => "reverse",
            Self::Forward => "forward",
            Self::Dynamic => "dynamic",
        }
    }
}

/// Carries traffic of others over a connection (MITRE ATT&CK T1572): the tunnel, and the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    direction: TunnelDirection,
    host: String,
    port: u16,
    exposes: String,
}

impl Tunnel {
    /// Proposes a tunnel to `host`:`port`, where `exposes` tells what it makes reachable: the local
    /// `host:port` of a reverse tunnel, the remote one of a forward tunnel, `*` of a dynamic one.
    #[must_use]
    pub fn new(
        direction: TunnelDirection,
        host: impl Into<String>,
        port: u16,
        exposes: impl Into<String>,
    ) -> Self {
        Self { direction, host: host.into(), port, exposes: exposes.into() }
    }

    fn effect(&self) -> Result<(Effect, Endpoint), Malformed> {
        let endpoint = endpoint(&self.host, self.port)?;
        let exposes = match (self.direction, self.exposes.as_str()) {
            (TunnelDirection::Dynamic, "*") => "*".to_owned(),
            (_, text) => Endpoint::parse(text)?.to_string(),
        };
        let address = endpoint.host().address();
        let facts = network_facts(&endpoint, address, zone(&endpoint, address))
            .text("direction", self.direction.as_str())
            .text("exposes", exposes);
        let target = Target::Endpoint { endpoint: endpoint.clone(), address };
        Ok((Effect::new(Kind::Tunnel, target).with_facts(facts), endpoint))
    }
}

impl Action for Tunnel {
    fn kind(&self) -> Cow<'static, str> {
        "Tunnel".into()
    }

    fn describe(&self) -> Value {
        object([
            ("direction", self.direction.as_str().into()),
            ("exposes", self.exposes.as_str().into()),
            ("host", self.host.as_str().into()),
            ("port", i64::from(self.port).into()),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        match self.effect() {
            Ok((tunnel, endpoint)) => {
                effects.push(tunnel);
                connect_effects(&endpoint, &[], Transport::Tcp, Usage::Channel, effects);
            }
            Err(malformed) => {
                effects.push_opaque(&Kind::Tunnel, malformed);
                effects.push_opaque(&Kind::Connect, malformed);
            }
        }
    }
}

macro_rules! named_action {
    ($(#[$meta:meta])* $type:ident, $kind:literal, $target:expr, $field:literal, $new:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $type {
            name: String,
        }

        impl $type {
            #[doc = $new]
            #[must_use]
            pub fn new(name: impl Into<String>) -> Self {
                Self { name: name.into() }
            }
        }

        impl Action for $type {
            fn kind(&self) -> Cow<'static, str> {
                $kind.into()
            }

            fn describe(&self) -> Value {
                object([($field, self.name.as_str().into())])
            }

            fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
                let build: fn(&str) -> Result<Target, Malformed> = $target;
                let effect = build(&self.name).map(|target| Effect::new(Kind::$type, target));
                effects.push_or_opaque(&Kind::$type, effect);
            }
        }
    };
}
pub(crate) use named_action;

named_action! {
    /// Changes the privileges of the agent or of what it runs.
    ChangePrivilege, "ChangePrivilege", |raw| token(raw).map(Target::Privilege), "privilege",
    "Proposes to take the privilege: `root`, `sudo`, `cap_net_admin`, …"
}

named_action! {
    /// Acts as another identity: a service account, a role, a user.
    ChangeIdentity, "ChangeIdentity", |raw| name(raw).map(Target::Identity), "identity",
    "Proposes to take the identity: `service:deployer`, a role ARN, …"
}

/// Uses a secret for one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseSecret {
    secret: String,
    consumer: String,
}

impl UseSecret {
    /// Proposes to use the secret named `secret` (segments with `/`) for `consumer`, the action or
    /// tool that consumes it.
    #[must_use]
    pub fn new(secret: impl Into<String>, consumer: impl Into<String>) -> Self {
        Self { secret: secret.into(), consumer: consumer.into() }
    }
}

impl Action for UseSecret {
    fn kind(&self) -> Cow<'static, str> {
        "UseSecret".into()
    }

    fn describe(&self) -> Value {
        object([
            ("consumer", self.consumer.as_str().into()),
            ("secret", self.secret.as_str().into()),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        let effect = segments(&self.secret, '/').and_then(|secret| {
            let facts = Facts::new().text("consumer", name(&self.consumer)?.to_string());
            Ok(Effect::new(Kind::UseSecret, Target::Secret(secret)).with_facts(facts))
        });
        effects.push_or_opaque(&Kind::UseSecret, effect);
    }
}

/// Creates, changes or destroys infrastructure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MutateInfrastructure {
    provider: String,
    verb: String,
    resource: String,
    name: String,
    change: Value,
    reversibility: Option<Reversibility>,
}

impl MutateInfrastructure {
    /// Proposes `verb` (`create`, `update`, `delete`, …) on the `resource` called `name` of
    /// `provider` (`aws`, `kubernetes`, …).
    #[must_use]
    pub fn new(
        provider: impl Into<String>,
        verb: impl Into<String>,
        resource: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            provider: provider.into(),
            verb: verb.into(),
            resource: resource.into(),
            name: name.into(),
            change: Value::Null,
            reversibility: None,
        }
    }

    /// Binds the permit to the details of the change, such as a plan or a manifest.
    #[must_use]
    pub fn with_change(mut self, change: Value) -> Self {
        self.change = change;
        self
    }

    /// States how far the change can be undone; irreversible by default.
    #[must_use]
    pub const fn reversibility(mut self, reversibility: Reversibility) -> Self {
        self.reversibility = Some(reversibility);
        self
    }

    fn effect(&self) -> Result<Effect, Malformed> {
        let provider = token(&self.provider)?;
        let verb = token(&self.verb)?;
        let resource = segments(&self.resource, '/')?;
        let name = segments(&self.name, '/')?;
        let facts = Facts::new()
            .text("kind", resource.to_string())
            .text("provider", provider.to_string())
            .text("verb", verb.to_string());
        let target = Target::Infrastructure { provider, verb, resource, name };
        Ok(Effect::new(Kind::MutateInfrastructure, target)
            .with_reversibility(self.reversibility)
            .with_facts(facts))
    }
}

impl Action for MutateInfrastructure {
    fn kind(&self) -> Cow<'static, str> {
        "MutateInfrastructure".into()
    }

    fn describe(&self) -> Value {
        object([
            ("change", self.change.clone()),
            ("name", self.name.as_str().into()),
            ("provider", self.provider.as_str().into()),
            ("resource", self.resource.as_str().into()),
            ("verb", self.verb.as_str().into()),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        effects.push_or_opaque(&Kind::MutateInfrastructure, self.effect());
    }
}

/// Installs a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallPackage {
    ecosystem: String,
    name: String,
    version: Option<String>,
    registry: Option<String>,
}

impl InstallPackage {
    /// Proposes to install `name` from `ecosystem` (`cargo`, `npm`, `pypi`, `debian`, …).
    #[must_use]
    pub fn new(ecosystem: impl Into<String>, name: impl Into<String>) -> Self {
        Self { ecosystem: ecosystem.into(), name: name.into(), version: None, registry: None }
    }

    /// Pins the version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// States a registry other than the default one: a host name.
    #[must_use]
    pub fn registry(mut self, registry: impl Into<String>) -> Self {
        self.registry = Some(registry.into());
        self
    }

    fn effect(&self) -> Result<Effect, Malformed> {
        let ecosystem = token(&self.ecosystem)?;
        let name = segments(&self.name, '/')?;
        let version = self.version.as_deref().map(token).transpose()?;
        let registry = self.registry.as_deref().map(Host::parse).transpose()?;
        let facts = Facts::new()
            .text("ecosystem", ecosystem.to_string())
            .text("name", name.to_string())
            .maybe("version", version.map(|version| Fact::Text(version.into())))
            .maybe("registry", registry.map(|host| Fact::Text(host.to_string().into())));
        let target = Target::Package { ecosystem, name };
        Ok(Effect::new(Kind::InstallPackage, target).with_facts(facts))
    }
}

impl Action for InstallPackage {
    fn kind(&self) -> Cow<'static, str> {
        "InstallPackage".into()
    }

    fn describe(&self) -> Value {
        let optional = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
        object([
            ("ecosystem", self.ecosystem.as_str().into()),
            ("name", self.name.as_str().into()),
            ("registry", optional(&self.registry)),
            ("version", optional(&self.version)),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        effects.push_or_opaque(&Kind::InstallPackage, self.effect());
    }
}
