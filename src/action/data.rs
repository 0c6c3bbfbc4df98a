//! Actions of the data domain: files, tables, objects and memory.

use std::borrow::Cow;

use crate::action::effect::{name, segments, token};
use crate::action::host::{Endpoint, Host};
use crate::action::infrastructure::{Transport, connect_effects, named_action};
use crate::action::{
    Action, Effect, EffectContext, Effects, Facts, Kind, MAX_FACTS, Malformed, Reversibility,
    Target, TextSet, Usage, object,
};
use crate::reason::Reason;
use crate::value::Value;

/// Names data as it was proposed: a file, a table or an object of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataRef {
    /// A path; a relative one starts at the workspace of the scope.
    File(String),
    /// A table, such as `crm.orders`.
    Table(String),
    /// An object, such as `bucket/key`.
    Object(String),
}

impl From<&str> for DataRef {
    fn from(path: &str) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<String> for DataRef {
    fn from(path: String) -> Self {
        Self::File(path)
    }
}

impl From<&std::path::Path> for DataRef {
    /// A path that is not UTF-8 keeps a replacement character and is opaque when it is decided on.
    fn from(path: &std::path::Path) -> Self {
        Self::File(path.to_str().map_or_else(|| "\0".to_owned(), str::to_owned))
    }
}

impl DataRef {
    fn describe(&self) -> Value {
        let (kind, name) = match self {
            Self::File(name) => ("file", name),
            Self::Table(name) => ("table", name),
            Self::Object(name) => ("object", name),
        };
        object([(kind, name.as_str().into())])
    }

    fn target(
        &self,
        context: &EffectContext<'_>,
        recursive: bool,
        follow: Follow,
    ) -> Result<Target, Malformed> {
        match self {
            Self::File(raw) => {
                let path = match follow {
                    Follow::Yes => context.resolve(raw)?,
                    Follow::No => context.resolve_nofollow(raw)?,
                };
                Ok(Target::File { path, recursive })
            }
            Self::Table(name) => segments(name, '.').map(Target::Table),
            Self::Object(name) => {
                segments(name, '/').map(|name| Target::Object { name, recursive })
            }
        }
    }
}

/// Whether an operation goes through a final symbolic link or is about the link itself.
#[derive(Debug, Clone, Copy)]
enum Follow {
    Yes,
    No,
}

fn data_effect(
    kind: &Kind,
    context: &EffectContext<'_>,
    access: &Access,
    follow: Follow,
) -> Result<Effect, Malformed> {
    if access.classes.len() > MAX_FACTS {
        return Err(Reason::ActionTooLarge.into());
    }
    let classes =
        access.classes.iter().map(|class| token(class)).collect::<Result<TextSet, _>>()?;
    let target = access.data.target(context, access.recursive, follow)?;
    let facts = Facts::new()
        .texts("classes", classes)
        .text("name", target.id())
        .bool("recursive", access.recursive);
    Ok(Effect::new(kind.clone(), target).with_reversibility(access.reversibility).with_facts(facts))
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Access {
    data: DataRef,
    recursive: bool,
    classes: Vec<String>,
    reversibility: Option<Reversibility>,
}

impl Access {
    fn new(data: DataRef) -> Self {
        Self { data, recursive: false, classes: Vec::new(), reversibility: None }
    }

    fn describe(&self) -> Value {
        let classes = self.classes.iter().map(|class| class.as_str().into());
        object([
            ("classes", Value::Array(classes.collect())),
            ("data", self.data.describe()),
            ("recursive", self.recursive.into()),
        ])
    }
}

macro_rules! data_action {
    ($(#[$meta:meta])* $type:ident, $kind:literal, $verb:literal, $follow:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $type {
            access: Access,
        }

        impl $type {
            #[doc = concat!("Proposes to ", $verb, " `data`: a path, or a [`DataRef`].")]
            #[must_use]
            pub fn new(data: impl Into<DataRef>) -> Self {
                Self { access: Access::new(data.into()) }
            }

            #[doc = concat!("Proposes to ", $verb, " a table, such as `crm.orders`.")]
            #[must_use]
            pub fn table(name: impl Into<String>) -> Self {
                Self::new(DataRef::Table(name.into()))
            }

            #[doc = concat!("Proposes to ", $verb, " an object of a store, such as `bucket/key`.")]
            #[must_use]
            pub fn object(name: impl Into<String>) -> Self {
                Self::new(DataRef::Object(name.into()))
            }

            /// Means everything below it too.
            #[must_use]
            pub const fn recursive(mut self) -> Self {
                self.access.recursive = true;
                self
            }

            /// States the data classes of the target, such as `personal` or `secret`.
            #[must_use]
            pub fn classes<S: Into<String>>(
                mut self,
                classes: impl IntoIterator<Item = S>,
            ) -> Self {
                self.access.classes = classes.into_iter().map(Into::into).collect();
                self
            }

            /// States how far it can be undone, where the host knows better than the kind does.
            #[must_use]
            pub const fn reversibility(mut self, reversibility: Reversibility) -> Self {
                self.access.reversibility = Some(reversibility);
                self
            }
        }

        impl Action for $type {
            fn kind(&self) -> Cow<'static, str> {
                $kind.into()
            }

            fn describe(&self) -> Value {
                self.access.describe()
            }

            fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
                let effect = data_effect(&Kind::$type, context, &self.access, $follow);
                effects.push_or_opaque(&Kind::$type, effect);
            }
        }
    };
}

data_action! {
    /// Reads data.
    ReadData, "ReadData", "read", Follow::Yes
}

data_action! {
    /// Writes data: creates it, changes it, appends to it.
    WriteData, "WriteData", "write", Follow::Yes
}

data_action! {
    /// Deletes data. A symbolic link is deleted itself, not what it points to.
    DeleteData, "DeleteData", "delete", Follow::No
}

/// Moves data out of its place: an upload, a mail attachment, a copy to another system.
///
/// The source is read, and the destination is part of the decision. A destination on the network is
/// a connection too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportData {
    access: Access,
    destination: Destination,
    bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Destination {
    Host(String, u16),
    Named(String),
}

impl ExportData {
    /// Proposes to send `data` to `host`:`port`.
    #[must_use]
    pub fn to_host(data: impl Into<DataRef>, host: impl Into<String>, port: u16) -> Self {
        Self::new(data.into(), Destination::Host(host.into(), port))
    }

    /// Proposes to hand `data` to a destination that has a name, such as `warehouse/reports`.
    #[must_use]
    pub fn to_named(data: impl Into<DataRef>, destination: impl Into<String>) -> Self {
        Self::new(data.into(), Destination::Named(destination.into()))
    }

    fn new(data: DataRef, destination: Destination) -> Self {
        Self { access: Access::new(data), destination, bytes: None }
    }

    /// Means everything below it too.
    #[must_use]
    pub const fn recursive(mut self) -> Self {
        self.access.recursive = true;
        self
    }

    /// States the data classes of the source.
    #[must_use]
    pub fn classes<S: Into<String>>(mut self, classes: impl IntoIterator<Item = S>) -> Self {
        self.access.classes = classes.into_iter().map(Into::into).collect();
        self
    }

    /// States how many bytes leave at most; undeclared counts as the whole budget.
    #[must_use]
    pub const fn sends_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    fn export(&self, context: &EffectContext<'_>) -> Result<(Effect, Option<Endpoint>), Malformed> {
        let (destination, endpoint) = match &self.destination {
            Destination::Host(host, port) => {
                let endpoint = Endpoint::new(Host::parse(host)?, *port)?;
                (endpoint.to_string(), Some(endpoint))
            }
            Destination::Named(raw) => (segments(raw, '/')?.into(), None),
        };
        let effect = data_effect(&Kind::ExportData, context, &self.access, Follow::Yes)?;
        let facts = effect.facts().clone().text("destination", destination);
        let usage = self.bytes.map_or(Usage::UndeclaredEgress, Usage::EgressBytes);
        Ok((effect.with_facts(facts).with_usage(usage), endpoint))
    }
}

impl Action for ExportData {
    fn kind(&self) -> Cow<'static, str> {
        "ExportData".into()
    }

    fn describe(&self) -> Value {
        let destination = match &self.destination {
            Destination::Host(host, port) => {
                object([("host", host.as_str().into()), ("port", i64::from(*port).into())])
            }
            Destination::Named(name) => name.as_str().into(),
        };
        object([
            ("access", self.access.describe()),
            ("bytes", self.bytes.map_or(Value::Null, Value::from)),
            ("destination", destination),
        ])
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        let read = data_effect(&Kind::ReadData, context, &self.access, Follow::Yes);
        effects.push_or_opaque(&Kind::ReadData, read);
        match self.export(context) {
            Ok((export, endpoint)) => {
                effects.push(export);
                if let Some(endpoint) = endpoint {
                    // The amount is taken by the export itself.
                    connect_effects(&endpoint, &[], Transport::Tcp, Usage::None, effects);
                }
            }
            Err(malformed) => {
                effects.push_opaque(&Kind::ExportData, malformed);
                if matches!(self.destination, Destination::Host(..)) {
                    effects.push_opaque(&Kind::Connect, malformed);
                }
            }
        }
    }
}

named_action! {
    /// Recalls something from the agent's memory.
    RecallMemory, "RecallMemory", |raw| segments(raw, '/').map(Target::Memory), "memory",
    "Proposes to recall a place in memory, such as `task/notes`."
}

/// Writes into the agent's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteMemory {
    place: String,
    content: crate::digest::Digest,
}

impl WriteMemory {
    /// Proposes to write `content` at `place`, such as `task/notes`. The text itself is not kept.
    #[must_use]
    pub fn new(place: impl Into<String>, content: &str) -> Self {
        let digest = crate::digest::Digest::of("countersign 2026-11 memory v1", content.as_bytes());
        Self { place: place.into(), content: digest }
    }

    /// Takes what [`describe`](Action::describe) says of a text, for those who have no more of it.
    pub(super) const fn of_digest(place: String, content: crate::digest::Digest) -> Self {
        Self { place, content }
    }
}

impl Action for WriteMemory {
    fn kind(&self) -> Cow<'static, str> {
        "WriteMemory".into()
    }

    fn describe(&self) -> Value {
        object([
            ("content", self.content.to_string().into()),
            ("memory", self.place.as_str().into()),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        let effect = name(&self.place)
            .and_then(|place| segments(&place, '/'))
            .map(|place| Effect::new(Kind::WriteMemory, Target::Memory(place)));
        effects.push_or_opaque(&Kind::WriteMemory, effect);
    }
}
