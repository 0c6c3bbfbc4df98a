//! The descriptor of a task scope: the document, field by field.
//!
//! `docs/scope-format.md` specifies it. A list, section or limit that is absent grants nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::action::PerDomain;
use crate::scope::constraint::{Choice, Constraint, present};

/// What `scope` must say: the version of the format.
pub const VERSION: &str = "countersign/scope/v1";

/// A task scope as it is written.
///
/// It is data without any check; [`Scope::parse`](crate::scope::Scope::parse) makes a scope of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Descriptor {
    /// The version of the format: [`VERSION`].
    pub scope: String,
    /// The name of the task.
    pub task: String,
    /// What the task is for, in words.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Who answers for the task: `user:…`, `team:…` or `service:…`.
    pub owner: String,
    /// The SPIFFE ID of a class of agents or of one instance.
    pub agent: String,
    /// For whom the task is done, written like `owner`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// When the scope begins (RFC 3339); absent, the longest lifetime before it ends.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// When the scope ends (RFC 3339).
    pub expires: String,
    /// The directory that relative paths start at.
    pub workspace: String,
    /// The digest of the scope that this one was handed on from, in hex.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The risk tier, one of those that the bundle names.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What may be done: tools, programs, messages.
    #[serde(rename = "do", default, skip_serializing_if = "is_default")]
    pub actions: Do,
    /// What may be touched: data, memory, secrets.
    #[serde(default, skip_serializing_if = "is_default")]
    pub touch: Touch,
    /// What may be reached: network, packages, privilege, infrastructure.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reach: Reach,
    /// What may be run: models, accelerators, jobs, training.
    #[serde(default, skip_serializing_if = "is_default")]
    pub run: Run,
    /// How much of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
}

impl Descriptor {
    /// Returns a descriptor that grants nothing; its fields are set by assignment.
    #[must_use]
    pub fn new(
        task: impl Into<String>,
        owner: impl Into<String>,
        agent: impl Into<String>,
        expires: impl Into<String>,
        workspace: impl Into<String>,
    ) -> Self {
        Self {
            scope: VERSION.into(),
            task: task.into(),
            purpose: None,
            owner: owner.into(),
            agent: agent.into(),
            on_behalf_of: None,
            not_before: None,
            expires: expires.into(),
            workspace: workspace.into(),
            parent: None,
            tier: None,
            actions: Do::default(),
            touch: Touch::default(),
            reach: Reach::default(),
            run: Run::default(),
            limits: Limits::default(),
        }
    }
}

/// The section `do`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Do {
    /// Programs, by bare name or absolute path.
    #[serde(skip_serializing_if = "is_default")]
    pub programs: Vec<Program>,
    /// Whether code that lies in the workspace may be run.
    #[serde(skip_serializing_if = "is_default")]
    pub workspace_code: bool,
    /// Whether listed programs may do what nobody knows.
    #[serde(skip_serializing_if = "is_default")]
    pub opaque: Choice,
    /// Tools with constraints on their arguments.
    #[serde(skip_serializing_if = "is_default")]
    pub tools: Vec<Tool>,
    /// Operations of remote APIs: `GET https://api.example.org/v1/**`.
    #[serde(skip_serializing_if = "is_default")]
    pub apis: Vec<String>,
    /// Workflows.
    #[serde(skip_serializing_if = "is_default")]
    pub workflows: Vec<String>,
    /// Recipients of messages: `email:*@example.org`, `slack:#alerts`.
    #[serde(skip_serializing_if = "is_default")]
    pub messages: Vec<String>,
    /// Payments.
    #[serde(skip_serializing_if = "is_default")]
    pub payments: Vec<Payment>,
    /// What may be published where.
    #[serde(skip_serializing_if = "is_default")]
    pub publish: Vec<Publication>,
    /// SPIFFE IDs of agents, or of classes of them, that may be started.
    #[serde(skip_serializing_if = "is_default")]
    pub spawn: Vec<String>,
    /// Peers that an interpreter may be handed to.
    #[serde(skip_serializing_if = "is_default")]
    pub remote_shells: Vec<String>,
    /// Actions of kinds that the host brings.
    #[serde(skip_serializing_if = "is_default")]
    pub actions: Vec<HostKind>,
}

/// An element of `do.programs`: a name, or an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Program {
    /// A bare name, or an absolute path.
    pub name: String,
    /// Whether the program may do what nobody knows; absent, `do.opaque` says.
    pub opaque: Option<Choice>,
}

impl From<&str> for Program {
    fn from(name: &str) -> Self {
        Self { name: name.into(), opaque: None }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramObject {
    name: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    opaque: Option<Choice>,
}

impl Serialize for Program {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.opaque {
            None => serializer.serialize_str(&self.name),
            opaque => ProgramObject { name: self.name.clone(), opaque }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Program {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_object(
            deserializer,
            "a program's name, or an object with `name` and `opaque`",
            |text| Ok(Self::from(text)),
            |object: ProgramObject| Self { name: object.name, opaque: object.opaque },
        )
    }
}

/// An element of `do.tools`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tool {
    /// Pattern of the server; absent, the tool of whichever registered server.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Pattern of the name.
    pub name: String,
    /// Constraints by name of argument.
    #[serde(default, skip_serializing_if = "is_default")]
    pub args: BTreeMap<String, Constraint>,
    /// What becomes of arguments that are not named.
    #[serde(default, skip_serializing_if = "is_default")]
    pub other_args: Choice,
}

/// An element of `do.payments`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Payment {
    /// Pattern of the account that is paid.
    pub to: String,
    /// ISO 4217 code or token symbol.
    pub currency: String,
    /// The most that one payment may be, as a decimal.
    pub max: String,
}

/// An element of `do.publish`: `place:name`, or an object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Publication {
    /// Pattern of the place.
    pub place: String,
    /// Pattern of the name.
    pub name: String,
    /// Whether anybody may see it there.
    #[serde(skip_serializing_if = "is_default")]
    pub public: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicationObject {
    place: String,
    name: String,
    #[serde(default)]
    public: bool,
}

impl<'de> Deserialize<'de> for Publication {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_object(
            deserializer,
            "`place:name`, or an object with `place`, `name` and `public`",
            |text| {
                let (place, name) = text.split_once(':').ok_or("publication without `place:`")?;
                Ok(Self { place: place.into(), name: name.into(), public: false })
            },
            |object: PublicationObject| Self {
                place: object.place,
                name: object.name,
                public: object.public,
            },
        )
    }
}

/// An element of `do.actions`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HostKind {
    /// The kind, exactly.
    pub kind: String,
    /// Pattern of the target.
    pub target: String,
    /// Constraints by name of fact.
    #[serde(default, skip_serializing_if = "is_default")]
    pub args: BTreeMap<String, Constraint>,
    /// What becomes of facts that are not named.
    #[serde(default, skip_serializing_if = "is_default")]
    pub other_args: Choice,
}

/// The section `touch`. Data is a file (`/srv/web/**`), a table (`table:crm.*`) or an object
/// (`object:bucket/**`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Touch {
    /// Data that may be read.
    #[serde(skip_serializing_if = "is_default")]
    pub read: Vec<String>,
    /// Data that may be written.
    #[serde(skip_serializing_if = "is_default")]
    pub write: Vec<String>,
    /// Data that may be deleted.
    #[serde(skip_serializing_if = "is_default")]
    pub delete: Vec<String>,
    /// Data that may leave its place, and where to.
    #[serde(skip_serializing_if = "is_default")]
    pub export: Vec<Export>,
    /// The agent's memory.
    #[serde(skip_serializing_if = "is_default")]
    pub memory: Memory,
    /// Secrets that may be used.
    #[serde(skip_serializing_if = "is_default")]
    pub secrets: Vec<String>,
    /// Data classes of what is read.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: Vec<Labelled>,
}

/// An element of `touch.labels`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Labelled {
    /// Pattern of data, or `memory:` and a pattern of memory; all below what matches is meant too.
    pub pattern: String,
    /// The labels that reading it leaves on the session.
    pub labels: Vec<String>,
}

/// An element of `touch.export`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Export {
    /// Pattern of the data; one that begins with `!` subtracts.
    pub from: String,
    /// Pattern of the destination: a name, or `host:port`.
    pub to: String,
}

/// The section `touch.memory`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Memory {
    /// Places that may be recalled.
    #[serde(skip_serializing_if = "is_default")]
    pub read: Vec<String>,
    /// Places that may be written.
    #[serde(skip_serializing_if = "is_default")]
    pub write: Vec<String>,
}

/// The section `reach`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Reach {
    /// Endpoints that may be connected to: `git.example.org:443`, `10.0.8.0/24:5432`.
    #[serde(skip_serializing_if = "is_default")]
    pub connect: Vec<String>,
    /// Endpoints that may be listened at.
    #[serde(skip_serializing_if = "is_default")]
    pub listen: Vec<String>,
    /// Tunnels that may be opened.
    #[serde(skip_serializing_if = "is_default")]
    pub tunnel: Vec<TunnelGrant>,
    /// Packages that may be installed: `cargo:serde`, `npm:@scope/*`.
    #[serde(skip_serializing_if = "is_default")]
    pub packages: Vec<String>,
    /// Privileges that may be taken.
    #[serde(skip_serializing_if = "is_default")]
    pub privilege: Vec<String>,
    /// Identities that may be taken.
    #[serde(skip_serializing_if = "is_default")]
    pub identity: Vec<String>,
    /// Changes of infrastructure: `aws:update:instance/web-*`.
    #[serde(skip_serializing_if = "is_default")]
    pub infrastructure: Vec<String>,
}

/// An element of `reach.tunnel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TunnelGrant {
    /// Which way traffic comes in.
    pub direction: TunnelWay,
    /// Host pattern of the far end.
    pub to: String,
    /// Pattern of the endpoint that is made reachable; absent, any.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub exposes: Option<String>,
}

impl TunnelGrant {
    /// Returns the grant of tunnels to `to`, whatever they make reachable.
    #[must_use]
    pub fn new(direction: TunnelWay, to: impl Into<String>) -> Self {
        Self { direction, to: to.into(), exposes: None }
    }
}

/// Which way a tunnel lets traffic in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelWay {
    /// The far end reaches into the near one.
    Reverse,
    /// The near end reaches what the far one reaches.
    Forward,
    /// A proxy to anywhere.
    Dynamic,
}

impl TunnelWay {
    /// Returns the name in effects.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reverse => "reverse",
            Self::Forward => "forward",
            Self::Dynamic => "dynamic",
        }
    }
}

/// The section `run`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Run {
    /// Models that may be invoked.
    #[serde(skip_serializing_if = "is_default")]
    pub models: Vec<String>,
    /// Kinds of accelerators that may be used; absent, all of them where there are seconds.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub accelerators: Option<Vec<String>>,
    /// Accelerator seconds in all.
    #[serde(skip_serializing_if = "is_default")]
    pub accelerator_seconds: u64,
    /// Jobs that may be submitted: `queue/name`.
    #[serde(skip_serializing_if = "is_default")]
    pub jobs: Vec<String>,
    /// Models that may be trained.
    #[serde(skip_serializing_if = "is_default")]
    pub training: Vec<String>,
}

/// The section `limits`. [`TaskLimits`](crate::scope::TaskLimits) has the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Actions in all.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub actions: Option<u64>,
    /// Actions in any minute.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u64>,
    /// Denials until the task is stopped.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub denials: Option<u64>,
    /// Different targets in all.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub distinct_targets: Option<u64>,
    /// Bytes that may leave in all.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub egress_bytes: Option<u64>,
    /// How many times the scope may be handed on.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub delegation_depth: Option<u64>,
    /// How many delegates one session may start.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub delegates: Option<u64>,
    /// Money in all, as decimals by currency.
    #[serde(skip_serializing_if = "is_default")]
    pub spend: BTreeMap<String, String>,
    /// Actions that touch a domain.
    #[serde(skip_serializing_if = "is_default")]
    pub domains: DomainLimits,
    /// Calls of single tools, by `server/name`.
    #[serde(skip_serializing_if = "is_default")]
    pub tools: BTreeMap<String, u64>,
}

/// Limits of single domains, in scopes and bundles: how many allowed actions may touch each; absent,
/// the domain has none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DomainLimits {
    /// Actions that touch application.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub application: Option<u64>,
    /// Actions that touch infrastructure.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<u64>,
    /// Actions that touch data.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub data: Option<u64>,
    /// Actions that touch workload.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub workload: Option<u64>,
}

impl DomainLimits {
    /// The smaller of both, domain by domain.
    #[must_use]
    pub fn smaller(self, other: Self) -> Self {
        let smaller = PerDomain::from(self).smaller(other.into());
        let PerDomain { application, infrastructure, data, workload } = smaller;
        Self { application, infrastructure, data, workload }
    }
}

impl From<DomainLimits> for PerDomain<Option<u64>> {
    fn from(limits: DomainLimits) -> Self {
        let DomainLimits { application, infrastructure, data, workload } = limits;
        Self { application, infrastructure, data, workload }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads something that is written as a text or as an object, and nothing else.
fn text_or_object<'de, D, T, O>(
    deserializer: D,
    expected: &'static str,
    from_text: impl Fn(&str) -> Result<T, &'static str>,
    from_object: impl Fn(O) -> T,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    O: Deserialize<'de>,
{
    struct Either<F, G, T, O>(&'static str, F, G, PhantomData<(T, O)>);

    impl<'de, F, G, T, O> Visitor<'de> for Either<F, G, T, O>
    where
        F: Fn(&str) -> Result<T, &'static str>,
        G: Fn(O) -> T,
        O: Deserialize<'de>,
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).map_err(E::custom)
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            O::deserialize(MapAccessDeserializer::new(members)).map(self.2)
        }
    }

    deserializer.deserialize_any(Either(expected, from_text, from_object, PhantomData))
}
