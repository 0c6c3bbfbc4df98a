//! Typed actions: what an agent proposes, and the effects that it would have.
//!
//! An action carries what was proposed, as it was proposed; making one never fails. Its
//! [`effects`](Action::effects) are what is decided on: each in one of four [domains](Domain), with its
//! target in normal form. A part that cannot be brought into normal form becomes an effect too, of
//! the kind [`Opaque`](Kind::Opaque), so that it is decided, denied and put on record like every other.

mod application;
mod data;
mod effect;
mod effects;
mod from_json;
mod host_action;
mod infrastructure;
mod per_domain;
pub(crate) mod record;
mod texts;
mod workload;

pub mod host;
pub mod path;

use std::borrow::Cow;
use std::fmt;

use crate::value::Value;

pub use self::application::{
    ApiCall, Direction, Pay, Publish, RemoteShell, SendMessage, SpawnAgent, ToolCall,
    TriggerWorkflow,
};
pub use self::data::{
    DataRef, DeleteData, ExportData, ReadData, RecallMemory, WriteData, WriteMemory,
};
pub(crate) use self::effect::token;
pub use self::effect::{
    Effect, Fact, Facts, Kind, MAX_FACTS, MAX_NAME_BYTES, Malformed, Target, Usage,
};
pub use self::effects::{Effects, MAX_EFFECTS};
pub use self::from_json::{ActionError, MAX_NESTED, from_value};
pub use self::host_action::{ActionSpec, FactType, HostAction, IntoFact, MAX_TEXT_BYTES};
pub(crate) use self::infrastructure::exec_effect;
pub use self::infrastructure::{
    ChangeIdentity, ChangePrivilege, Connect, Exec, InstallPackage, Listen, MutateInfrastructure,
    Transport, Tunnel, TunnelDirection, UseSecret,
};
pub(crate) use self::per_domain::PerDomain;
pub use self::record::RecordError;
pub(crate) use self::texts::TextList;
pub use self::texts::{SharedText, TextSet};
pub use self::workload::{InvokeModel, StartTraining, SubmitJob, UseAccelerator};

/// One thing that an agent proposes to do.
///
/// The built-in types cover the four domains; a host brings its own with `#[derive(Action)]`.
///
/// # Security
///
/// An implementation must report every effect that running the action has, and [`describe`] must
/// name every argument that changes what running it does: the permit is bound to that description.
/// Both must depend on nothing but `self` and the given [`EffectContext`].
///
/// [`describe`]: Action::describe
pub trait Action: Send {
    /// Returns the kind of the action as a whole, such as `Connect`.
    fn kind(&self) -> Cow<'static, str>;

    /// Returns all arguments; the canonical form of this value is what digest and receipt commit to.
    fn describe(&self) -> Value;

    /// Adds every effect that the action would have.
    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects);
}

impl<A: Action + ?Sized> Action for Box<A> {
    fn kind(&self) -> Cow<'static, str> {
        (**self).kind()
    }

    fn describe(&self) -> Value {
        (**self).describe()
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        (**self).effects(context, effects);
    }
}

/// Builds an object from its members.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// What an action may ask while it works out its effects.
#[derive(Debug, Clone, Copy)]
pub struct EffectContext<'a> {
    paths: &'a dyn path::PathResolver,
    workspace: &'a path::ResolvedPath,
    tools: &'a dyn ToolFacts,
}

impl<'a> EffectContext<'a> {
    /// Puts a context together; sessions do it for every call.
    #[must_use]
    pub fn new(
        paths: &'a dyn path::PathResolver,
        workspace: &'a path::ResolvedPath,
        tools: &'a dyn ToolFacts,
    ) -> Self {
        Self { paths, workspace, tools }
    }

    /// Resolves `raw` as the kernel would open it; a relative path starts at the workspace.
    ///
    /// # Errors
    ///
    /// Returns [`path::PathError`] for what cannot be resolved with certainty.
    pub fn resolve(&self, raw: &str) -> Result<path::ResolvedPath, path::PathError> {
        path::resolve(self.paths, self.workspace, raw)
    }

    /// Resolves all of `raw` but a final symbolic link, for operations on the link itself.
    ///
    /// # Errors
    ///
    /// Returns [`path::PathError`] for what cannot be resolved with certainty.
    pub fn resolve_nofollow(&self, raw: &str) -> Result<path::ResolvedPath, path::PathError> {
        path::resolve_nofollow(self.paths, self.workspace, raw)
    }

    /// Resolves `raw` in a buffer that keeps its room for the next path.
    pub(crate) fn resolve_in(
        &self,
        buffer: &mut String,
        raw: &str,
        last: path::LastLink,
    ) -> Result<path::ResolvedPath, path::PathError> {
        path::resolve_in(buffer, self.paths, self.workspace, raw, last)
    }

    /// Returns the working directory that relative paths start at.
    #[must_use]
    pub fn workspace(&self) -> &'a path::ResolvedPath {
        self.workspace
    }

    /// Returns what is registered of tools.
    #[must_use]
    pub fn tools(&self) -> &'a dyn ToolFacts {
        self.tools
    }
}

/// What is known of the registered tools.
pub trait ToolFacts: Send + Sync + fmt::Debug {
    /// Looks a tool up by server and name.
    fn tool(&self, server: &str, name: &str) -> Option<ToolFact>;
}

/// What is known of one registered tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolFact {
    /// The digest of its registered schema.
    pub schema: crate::digest::Digest,
    /// Whether what it does can be undone.
    pub reversibility: Reversibility,
}

/// No tool is registered.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTools;

impl ToolFacts for NoTools {
    fn tool(&self, _server: &str, _name: &str) -> Option<ToolFact> {
        None
    }
}

/// The four domains of effects, in the order of their receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// Tools, programs' interfaces, messages, payments.
    Application,
    /// Hosts, network, processes, privilege, packages.
    Infrastructure,
    /// Files, tables, objects, memory.
    Data,
    /// Models, jobs, accelerators, training.
    Workload,
}

impl Domain {
    /// All four, in order.
    pub const ALL: [Self; 4] =
        [Self::Application, Self::Infrastructure, Self::Data, Self::Workload];

    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Infrastructure => "infrastructure",
            Self::Data => "data",
            Self::Workload => "workload",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether an effect can be undone, from mild to severe. What is not known is irreversible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Reversibility {
    /// Undone by doing nothing or by one plain inverse.
    Reversible,
    /// Can be made good, at some cost.
    Compensable,
    /// Cannot be undone, or nobody knows.
    #[default]
    Irreversible,
}

impl Reversibility {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reversible => "reversible",
            Self::Compensable => "compensable",
            Self::Irreversible => "irreversible",
        }
    }
}

/// Who proposed the action, as the host knows it; what an agent says of itself does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Provenance {
    /// A person asked for exactly this.
    User,
    /// The agent decided on it.
    #[default]
    Agent,
    /// It follows from the output of a trusted tool.
    Tool,
    /// It follows from content that nobody vouches for: a web page, a mail, an issue text.
    Untrusted,
    /// Nobody knows.
    Unknown,
}

impl Provenance {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Untrusted => "untrusted",
            Self::Unknown => "unknown",
        }
    }
}
