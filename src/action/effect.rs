//! Effects: the normal form of what an action would do, and what is decided on.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::action::host::{Endpoint, HostError};
use crate::action::path::{PathError, ResolvedPath};
use crate::action::{Domain, Reversibility, SharedText, TextSet};
use crate::reason::Reason;
use crate::text;
use crate::value::{Decimal, Object};

/// The longest name of a target, in bytes: an identifier, not a document.
pub const MAX_NAME_BYTES: usize = 512;

/// The most facts of one effect, and members of one set among them.
pub const MAX_FACTS: usize = 64;

/// The kind of an effect. Each kind lies in one domain and has one Cedar action.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A registered tool is called.
    ToolCall,
    /// A remote API is called.
    ApiCall,
    /// A workflow is started.
    TriggerWorkflow,
    /// A message goes to one recipient.
    SendMessage,
    /// Another agent is started.
    SpawnAgent,
    /// Money moves.
    Pay,
    /// Something is made available to others.
    Publish,
    /// An interpreter takes its commands from a peer.
    RemoteShell,
    /// A program is run.
    Exec,
    /// A connection goes out.
    Connect,
    /// A port is opened.
    Listen,
    /// Traffic of others is carried.
    Tunnel,
    /// A secret is used.
    UseSecret,
    /// Privileges change.
    ChangePrivilege,
    /// The identity changes.
    ChangeIdentity,
    /// Infrastructure is created, changed or destroyed.
    MutateInfrastructure,
    /// A package is installed.
    InstallPackage,
    /// Data is read.
    ReadData,
    /// Data is written.
    WriteData,
    /// Data is deleted.
    DeleteData,
    /// Data leaves its place.
    ExportData,
    /// Memory is recalled.
    RecallMemory,
    /// Memory is written.
    WriteMemory,
    /// A model is invoked.
    InvokeModel,
    /// A job is submitted.
    SubmitJob,
    /// An accelerator is used.
    UseAccelerator,
    /// A model is trained.
    StartTraining,
    /// Something in this domain that could not be understood.
    Opaque(Domain),
    /// A kind that a host brings.
    Host {
        /// The name of the kind.
        name: Cow<'static, str>,
        /// Its domain.
        domain: Domain,
    },
}

impl Kind {
    /// Every built-in kind that a scope can grant.
    pub const BUILT_IN: [Self; 27] = [
        Self::ToolCall,
        Self::ApiCall,
        Self::TriggerWorkflow,
        Self::SendMessage,
        Self::SpawnAgent,
        Self::Pay,
        Self::Publish,
        Self::RemoteShell,
        Self::Exec,
        Self::Connect,
        Self::Listen,
        Self::Tunnel,
        Self::UseSecret,
        Self::ChangePrivilege,
        Self::ChangeIdentity,
        Self::MutateInfrastructure,
        Self::InstallPackage,
        Self::ReadData,
        Self::WriteData,
        Self::DeleteData,
        Self::ExportData,
        Self::RecallMemory,
        Self::WriteMemory,
        Self::InvokeModel,
        Self::SubmitJob,
        Self::UseAccelerator,
        Self::StartTraining,
    ];

    /// Returns the domain that the kind lies in.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        match self {
            Self::ToolCall
            | Self::ApiCall
            | Self::TriggerWorkflow
            | Self::SendMessage
            | Self::SpawnAgent
            | Self::Pay
            | Self::Publish
            | Self::RemoteShell => Domain::Application,
            Self::Exec
            | Self::Connect
            | Self::Listen
            | Self::Tunnel
            | Self::UseSecret
            | Self::ChangePrivilege
            | Self::ChangeIdentity
            | Self::MutateInfrastructure
            | Self::InstallPackage => Domain::Infrastructure,
            Self::ReadData
            | Self::WriteData
            | Self::DeleteData
            | Self::ExportData
            | Self::RecallMemory
            | Self::WriteMemory => Domain::Data,
            Self::InvokeModel | Self::SubmitJob | Self::UseAccelerator | Self::StartTraining => {
                Domain::Workload
            }
            Self::Opaque(domain) | Self::Host { domain, .. } => *domain,
        }
    }

    /// Returns the stable name; it is the id of the Cedar action too.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::ToolCall => "ToolCall",
            Self::ApiCall => "ApiCall",
            Self::TriggerWorkflow => "TriggerWorkflow",
            Self::SendMessage => "SendMessage",
            Self::SpawnAgent => "SpawnAgent",
            Self::Pay => "Pay",
            Self::Publish => "Publish",
            Self::RemoteShell => "RemoteShell",
            Self::Exec => "Exec",
            Self::Connect => "Connect",
            Self::Listen => "Listen",
            Self::Tunnel => "Tunnel",
            Self::UseSecret => "UseSecret",
            Self::ChangePrivilege => "ChangePrivilege",
            Self::ChangeIdentity => "ChangeIdentity",
            Self::MutateInfrastructure => "MutateInfrastructure",
            Self::InstallPackage => "InstallPackage",
            Self::ReadData => "ReadData",
            Self::WriteData => "WriteData",
            Self::DeleteData => "DeleteData",
            Self::ExportData => "ExportData",
            Self::RecallMemory => "RecallMemory",
            Self::WriteMemory => "WriteMemory",
            Self::InvokeModel => "InvokeModel",
            Self::SubmitJob => "SubmitJob",
            Self::UseAccelerator => "UseAccelerator",
            Self::StartTraining => "StartTraining",
            Self::Opaque(Domain::Application) => "Opaque:application",
            Self::Opaque(Domain::Infrastructure) => "Opaque:infrastructure",
            Self::Opaque(Domain::Data) => "Opaque:data",
            Self::Opaque(Domain::Workload) => "Opaque:workload",
            Self::Host { name, .. } => name,
        }
    }

    /// Returns how far effects of this kind can be undone when nobody has said otherwise.
    #[must_use]
    pub const fn default_reversibility(&self) -> Reversibility {
        match self {
            Self::ReadData | Self::RecallMemory | Self::InvokeModel | Self::Listen => {
                Reversibility::Reversible
            }
            Self::Exec
            | Self::Connect
            | Self::WriteData
            | Self::WriteMemory
            | Self::SubmitJob
            | Self::UseAccelerator
            | Self::StartTraining
            | Self::UseSecret
            | Self::InstallPackage
            | Self::SpawnAgent => Reversibility::Compensable,
            _ => Reversibility::Irreversible,
        }
    }
}

/// What an effect acts on, in normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A tool of a server, with the arguments of the call.
    Tool {
        /// The server that offers it.
        server: Box<str>,
        /// Its name there.
        name: Box<str>,
        /// The arguments, exact.
        arguments: Object,
    },
    /// An operation of a remote API.
    Api {
        /// The method, in upper case.
        method: Box<str>,
        /// The scheme, in lower case.
        scheme: Box<str>,
        /// Host and port.
        endpoint: Endpoint,
        /// The path, without query and fragment.
        path: Box<str>,
    },
    /// A workflow.
    Workflow(Box<str>),
    /// One recipient of a message.
    Recipient {
        /// `email`, `slack`, …, in lower case.
        channel: Box<str>,
        /// The address, as the channel writes it.
        address: Box<str>,
        /// The domain of an email address, in lower case ASCII.
        email_domain: Option<Box<str>>,
    },
    /// The class or instance of an agent that is to be started.
    Agent(Box<str>),
    /// A payment.
    Payment {
        /// The account that receives it.
        account: Box<str>,
        /// The exact amount.
        amount: Decimal,
        /// ISO 4217 code or token symbol, in upper case.
        currency: Box<str>,
    },
    /// Something that is published.
    Artifact {
        /// Where: `npm`, `github`, `s3:bucket`, …
        place: Box<str>,
        /// What.
        name: Box<str>,
        /// Whether anybody can see it there.
        public: bool,
    },
    /// A program.
    Program {
        /// The name without directories, or the resolved path.
        program: SharedText,
        /// Why not everything that the program does is known, where it is not.
        opaque: Option<Reason>,
    },
    /// One end of a connection, with the one address that this effect is about, if any is known.
    Endpoint {
        /// Host and port.
        endpoint: Endpoint,
        /// The address itself, or one that the name was resolved to.
        address: Option<IpAddr>,
    },
    /// A secret, by name.
    Secret(Box<str>),
    /// A privilege, by name.
    Privilege(Box<str>),
    /// An identity, by name.
    Identity(Box<str>),
    /// A piece of infrastructure.
    Infrastructure {
        /// `aws`, `kubernetes`, …, in lower case.
        provider: Box<str>,
        /// `create`, `update`, `delete`, …, in lower case.
        verb: Box<str>,
        /// `instance`, `deployment`, …
        resource: Box<str>,
        /// The name of the very one.
        name: Box<str>,
    },
    /// A package.
    Package {
        /// `cargo`, `npm`, `pypi`, `debian`, …, in lower case.
        ecosystem: Box<str>,
        /// The name there.
        name: Box<str>,
    },
    /// The files whose names match a pattern: what a shell makes of `src/*.rs`.
    Files {
        /// The directory that the pattern starts at.
        below: ResolvedPath,
        /// Segments below it, in which `*` stands for any characters of one.
        names: Box<str>,
        /// Whether everything below what matches is meant too.
        recursive: bool,
        /// Whether files that a repository tracks are meant: hidden ones too, and nothing in `.git`.
        tracked: bool,
    },
    /// A file or directory.
    File {
        /// Where it is.
        path: ResolvedPath,
        /// Whether everything below it is meant too.
        recursive: bool,
    },
    /// A table, named with dots: `crm.orders`.
    Table(Box<str>),
    /// An object in a store, named with slashes: `bucket/key`.
    Object {
        /// Its name.
        name: Box<str>,
        /// Whether everything below it is meant too.
        recursive: bool,
    },
    /// A place in the agent's memory, named with slashes.
    Memory(Box<str>),
    /// A model.
    Model(Box<str>),
    /// A training run of a model.
    Training(Box<str>),
    /// A job in a queue.
    Job {
        /// The queue, cluster or scheduler.
        queue: Box<str>,
        /// The name of the job.
        name: Box<str>,
    },
    /// Accelerators.
    Accelerator {
        /// `gpu`, `gpu:a100`, `tpu`, …, in lower case.
        kind: Box<str>,
    },
    /// The target of an action that a host brings.
    Resource(Box<str>),
    /// What could not be understood, and why.
    Unknown {
        /// Why.
        reason: Reason,
        /// The kind of action that it was part of.
        of: Cow<'static, str>,
    },
}

impl Target {
    /// Returns the Cedar entity type of the target.
    #[must_use]
    pub const fn entity_type(&self) -> &'static str {
        match self {
            Self::Tool { .. } => "Tool",
            Self::Api { .. } => "Api",
            Self::Workflow(_) => "Workflow",
            Self::Recipient { .. } => "Recipient",
            Self::Agent(_) => "AgentClass",
            Self::Payment { .. } => "Account",
            Self::Artifact { .. } => "Artifact",
            Self::Program { .. } => "Program",
            Self::Endpoint { .. } => "Endpoint",
            Self::Secret(_) => "Secret",
            Self::Privilege(_) => "Privilege",
            Self::Identity(_) => "Identity",
            Self::Infrastructure { .. } => "Infrastructure",
            Self::Package { .. } => "Package",
            Self::File { .. } | Self::Files { .. } => "File",
            Self::Table(_) => "Table",
            Self::Object { .. } => "Object",
            Self::Memory(_) => "Memory",
            Self::Model(_) | Self::Training(_) => "Model",
            Self::Job { .. } => "Queue",
            Self::Accelerator { .. } => "Accelerator",
            Self::Resource(_) => "Resource",
            Self::Unknown { .. } => "Unknown",
        }
    }

    /// Appends the id of the target to `out`: with its entity type it names the Cedar resource.
    pub fn write_id(&self, out: &mut String) {
        let written = match self {
            Self::Tool { server, name, .. } => write!(out, "{server}/{name}"),
            Self::Api { method, scheme, endpoint, path } => {
                write!(out, "{method} {scheme}://{endpoint}{path}")
            }
            Self::Recipient { channel, address, .. } => write!(out, "{channel}:{address}"),
            Self::Payment { account, .. } => out.write_str(account),
            Self::Artifact { place, name, .. } => write!(out, "{place}:{name}"),
            Self::Endpoint { endpoint, .. } => write!(out, "{endpoint}"),
            Self::Infrastructure { provider, resource, name, .. } => {
                write!(out, "{provider}/{resource}/{name}")
            }
            Self::Package { ecosystem, name } => write!(out, "{ecosystem}:{name}"),
            Self::File { path, .. } => out.write_str(path.as_str()),
            Self::Files { below, names, .. } => {
                write!(out, "{}/{names}", below.as_str().trim_end_matches('/'))
            }
            Self::Job { queue, .. } => out.write_str(queue),
            Self::Unknown { reason, .. } => out.write_str(reason.code()),
            Self::Program { program, .. } => out.write_str(program),
            Self::Object { name, .. }
            | Self::Accelerator { kind: name }
            | Self::Workflow(name)
            | Self::Agent(name)
            | Self::Secret(name)
            | Self::Privilege(name)
            | Self::Identity(name)
            | Self::Table(name)
            | Self::Memory(name)
            | Self::Model(name)
            | Self::Training(name)
            | Self::Resource(name) => out.write_str(name),
        };
        debug_assert!(written.is_ok(), "writing to a String does not fail");
    }

    /// Returns the id of the target.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = String::new();
        self.write_id(&mut id);
        id
    }
}

/// One typed fact of an effect; it goes into the Cedar context and into the commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// An exact number.
    Decimal(Decimal),
    /// A text.
    Text(SharedText),
    /// A set of texts.
    TextSet(TextSet),
    /// An address in canonical form.
    Address(IpAddr),
}

/// The facts of an effect by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(Vec<(Cow<'static, str>, Fact)>);

impl Facts {
    /// Returns facts with none in them.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns these facts, which are in the order of their names.
    pub(crate) fn sorted<const N: usize>(facts: [(&'static str, Fact); N]) -> Self {
        debug_assert!(facts.is_sorted_by(|(one, _), (next, _)| one < next), "facts out of order");
        Self(facts.map(|(name, fact)| (Cow::Borrowed(name), fact)).into())
    }

    /// Adds a fact; a second one under the same name replaces the first.
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, fact: Fact) {
        let name = name.into();
        // Most are added in order.
        if self.0.last().is_none_or(|(last, _)| **last < *name) {
            return self.0.push((name, fact));
        }
        match self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name.as_ref())) {
            Ok(at) => {
                if let Some(slot) = self.0.get_mut(at) {
                    slot.1 = fact;
                }
            }
            Err(at) => self.0.insert(at, (name, fact)),
        }
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, name: &'static str, text: impl Into<SharedText>) -> Self {
        self.insert(name, Fact::Text(text.into()));
        self
    }

    /// Adds a whole number.
    #[must_use]
    pub fn long(mut self, name: &'static str, number: i64) -> Self {
        self.insert(name, Fact::Long(number));
        self
    }

    /// Adds a truth value.
    #[must_use]
    pub fn bool(mut self, name: &'static str, truth: bool) -> Self {
        self.insert(name, Fact::Bool(truth));
        self
    }

    /// Adds a set of texts.
    #[must_use]
    pub fn texts(mut self, name: &'static str, texts: impl Into<TextSet>) -> Self {
        self.insert(name, Fact::TextSet(texts.into()));
        self
    }

    /// Adds a fact where there is one.
    #[must_use]
    pub fn maybe(mut self, name: &'static str, fact: Option<Fact>) -> Self {
        if let Some(fact) = fact {
            self.insert(name, fact);
        }
        self
    }

    /// Iterates over the facts, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Fact)> {
        self.0.iter().map(|(name, fact)| (name.as_ref(), fact))
    }

    /// Returns one fact.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&Fact> {
        let at = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.0.get(at).map(|(_, fact)| fact)
    }
}

/// How much of a limited good an effect takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Usage {
    /// None.
    #[default]
    None,
    /// At most this many bytes leave.
    EgressBytes(u64),
    /// Bytes leave, and nobody said how many: counts as the whole budget.
    UndeclaredEgress,
    /// A channel over which bytes may leave: counts as the whole budget where there is one.
    Channel,
    /// At most this many accelerator seconds.
    AcceleratorSeconds(u64),
    /// Accelerator time that nobody declared: counts as the whole budget.
    UndeclaredAcceleratorSeconds,
}

/// One effect of an action: what is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    kind: Kind,
    target: Target,
    facts: Facts,
    reversibility: Reversibility,
    usage: Usage,
}

impl Effect {
    /// Returns an effect of `kind` on `target`, as reversible as the kind is by default.
    #[must_use]
    pub fn new(kind: Kind, target: Target) -> Self {
        let reversibility = kind.default_reversibility();
        Self { kind, target, facts: Facts::new(), reversibility, usage: Usage::None }
    }

    /// Sets the facts.
    #[must_use]
    pub fn with_facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// Sets how far the effect can be undone; `None` keeps the default of the kind.
    #[must_use]
    pub fn with_reversibility(mut self, reversibility: Option<Reversibility>) -> Self {
        self.reversibility = reversibility.unwrap_or(self.reversibility);
        self
    }

    /// Sets how much of a limited good the effect takes.
    #[must_use]
    pub const fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Returns the domain.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        self.kind.domain()
    }

    /// Returns the target.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the facts.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns how far the effect can be undone.
    #[must_use]
    pub const fn reversibility(&self) -> Reversibility {
        self.reversibility
    }

    /// Returns how much of a limited good the effect takes.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }
}

/// Why a part of an action has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(Reason);

impl Malformed {
    /// Returns the reason.
    #[must_use]
    pub const fn reason(self) -> Reason {
        self.0
    }
}

impl From<Reason> for Malformed {
    fn from(reason: Reason) -> Self {
        Self(reason)
    }
}

impl From<PathError> for Malformed {
    fn from(error: PathError) -> Self {
        Self(Reason::from_code(error.code()).unwrap_or(Reason::PathIo))
    }
}

impl From<HostError> for Malformed {
    fn from(error: HostError) -> Self {
        Self(Reason::from_code(error.code()).unwrap_or(Reason::HostInvalid))
    }
}

/// Whether `name` can name a kind of action: an ASCII identifier of at most 64 bytes.
pub(crate) fn is_kind_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= 64
        && name.bytes().all(known)
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
}

/// Brings a name into normal form: not empty, bounded, every character visible, no blanks around it.
pub(crate) fn name(raw: &str) -> Result<Box<str>, Malformed> {
    check_name(raw)?;
    Ok(raw.into())
}

/// Refuses a name that is not in normal form.
pub(crate) fn check_name(raw: &str) -> Result<(), Malformed> {
    if raw.is_empty() || raw.trim() != raw {
        return Err(Reason::ActionName.into());
    }
    if raw.len() > MAX_NAME_BYTES {
        return Err(Reason::ActionTooLarge.into());
    }
    if text::check_visible(raw).is_err() {
        return Err(Reason::ActionInvisibleCharacter.into());
    }
    Ok(())
}

/// Brings a name that ignores case into normal form: lower-case ASCII letters, digits, `-_.:+`.
pub(crate) fn token(raw: &str) -> Result<Box<str>, Malformed> {
    let name = name(raw)?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    if !name.bytes().all(known) {
        return Err(Reason::ActionName.into());
    }
    Ok(name.to_ascii_lowercase().into())
}

/// Brings a name of segments into normal form: no empty segment, no `.` or `..`, no wildcard.
pub(crate) fn segments(raw: &str, separator: char) -> Result<Box<str>, Malformed> {
    let name = name(raw)?;
    let plain = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('*');
    if !name.split(separator).all(plain) {
        return Err(Reason::ActionName.into());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_visible_and_bounded() {
        let check = |raw: &str, ok: bool| assert_eq!(name(raw).is_ok(), ok, "{raw:?}");
        check("deploy", true);
        check("", false);
        check(" deploy", false);
        check("de\u{202e}ploy", false);
        check("de\nploy", false);
        check(&"x".repeat(MAX_NAME_BYTES), true);
        check(&"x".repeat(MAX_NAME_BYTES + 1), false);
    }

    #[test]
    fn segments_cannot_climb() {
        let check = |raw: &str, ok: bool| assert_eq!(segments(raw, '/').is_ok(), ok, "{raw:?}");
        check("bucket/key", true);
        check("bucket/../key", false);
        check("bucket//key", false);
        check("bucket/*", false);
        check("/key", false);
    }
}
