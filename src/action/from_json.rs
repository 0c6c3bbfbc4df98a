//! Actions written as JSON: `{"kind": "Connect", "host": "git.example.org", "port": 443}`.
//!
//! The members are those that [`Action::describe`] gives; `docs/actions.md` lists them.

use std::fmt;
use std::net::IpAddr;

use crate::action::{
    Action, ApiCall, ChangeIdentity, ChangePrivilege, Connect, DataRef, DeleteData, Direction,
    Exec, ExportData, InstallPackage, InvokeModel, Listen, MutateInfrastructure, Pay, Publish,
    ReadData, RecallMemory, RemoteShell, SendMessage, SpawnAgent, StartTraining, SubmitJob,
    ToolCall, Transport, TriggerWorkflow, Tunnel, TunnelDirection, UseAccelerator, UseSecret,
    WriteData, WriteMemory,
};
use crate::digest::Digest;
use crate::text::excerpt;
use crate::value::{Decimal, Object, Value};

/// How deep actions may nest in the `also` of `Exec` and `SubmitJob`.
pub const MAX_NESTED: usize = 8;

/// Reads a built-in action from its JSON form.
///
/// There are two forms, which mean the same: `{"kind": …}` with the members that
/// [`describe`](Action::describe) gives beside it, and `{"kind": …, "action": {…}}` with those members
/// inside, as they stand in `also`. In the first, the member `kind` of `UseAccelerator` is written
/// `accelerator`. A member that is null counts as absent. What `describe` does not give, such as how
/// far an action can be undone, cannot be written, and has its default.
///
/// # Errors
///
/// Returns [`ActionError`], which names the member, for an unknown kind, an unknown or missing member,
/// a member of another type, and actions that nest deeper than [`MAX_NESTED`]. A name, path or host
/// that means nothing is no error here: making an action never fails, and it is decided as opaque.
///
/// # Security
///
/// The form says what the host would say in code, such as `"opaque": false` for a program that does
/// nothing else, or the addresses of a name. Read it from those who may say that; an agent may not.
///
/// # Examples
///
/// ```
/// use countersign::Action;
/// use countersign::action::from_value;
/// use countersign::value::{Limits, Value};
///
/// let text = br#"{"kind": "Connect", "host": "git.example.org", "port": 443}"#;
/// let action = from_value(&Value::parse(text, &Limits::ARGUMENTS)?)?;
/// assert_eq!(action.kind(), "Connect");
///
/// let text = br#"{"kind": "Connect", "host": "git.example.org", "port": "443"}"#;
/// let error = from_value(&Value::parse(text, &Limits::ARGUMENTS)?).err();
/// assert!(error.is_some_and(|error| error.member() == "port"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn from_value(value: &Value) -> Result<Box<dyn Action + Sync>, ActionError> {
    action(value, &Place::Whole, MAX_NESTED)
}

/// Why a JSON value is no action: which member, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionError {
    member: Box<str>,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    Kind(Box<str>),
    Unknown,
    Missing,
    Form(&'static str),
    Depth,
}

impl ActionError {
    fn new(place: &Place<'_>, problem: Problem) -> Self {
        Self { member: place.to_string().into(), problem }
    }

    /// Returns the member, such as `also[0].action.port`; empty for the action as a whole.
    #[must_use]
    pub fn member(&self) -> &str {
        &self.member
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.member.is_empty() {
            f.write_str("the action is refused: ")?;
        } else {
            write!(f, "member `{}` of the action is refused: ", self.member)?;
        }
        match &self.problem {
            Problem::Kind(kind) => write!(f, "`{kind}` is no built-in kind of action"),
            Problem::Unknown => f.write_str("actions of this kind have no such member"),
            Problem::Missing => f.write_str("it is mandatory and absent"),
            Problem::Form(form) => write!(f, "write {form}"),
            Problem::Depth => write!(f, "actions nest deeper than {MAX_NESTED}"),
        }
    }
}

impl std::error::Error for ActionError {}

/// A kind and its members in order: those that must be there, and those that may be absent.
type Shape = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Every built-in kind, in the order of [`Kind::BUILT_IN`](crate::action::Kind::BUILT_IN).
const SHAPES: [Shape; 27] = [
    ("ToolCall", &["server", "tool"], &["arguments", "schema"]),
    ("ApiCall", &["method", "url"], &["resolved", "sends_bytes"]),
    ("TriggerWorkflow", &["workflow"], &["inputs"]),
    ("SendMessage", &["channel", "recipients"], &["body", "bytes"]),
    ("SpawnAgent", &["agent", "task"], &[]),
    ("Pay", &["account", "amount", "currency"], &["reference"]),
    ("Publish", &["name", "place"], &["bytes", "public"]),
    ("RemoteShell", &["direction", "host", "port", "program"], &[]),
    ("Exec", &["program"], &["also", "arguments", "opaque"]),
    ("Connect", &["host", "port"], &["resolved", "sends_bytes", "transport"]),
    ("Listen", &["address", "port"], &["transport"]),
    ("Tunnel", &["direction", "exposes", "host", "port"], &[]),
    ("UseSecret", &["consumer", "secret"], &[]),
    ("ChangePrivilege", &["privilege"], &[]),
    ("ChangeIdentity", &["identity"], &[]),
    ("MutateInfrastructure", &["name", "provider", "resource", "verb"], &["change"]),
    ("InstallPackage", &["ecosystem", "name"], &["registry", "version"]),
    ("ReadData", &["data"], &["classes", "recursive"]),
    ("WriteData", &["data"], &["classes", "recursive"]),
    ("DeleteData", &["data"], &["classes", "recursive"]),
    ("ExportData", &["access", "destination"], &["bytes"]),
    ("RecallMemory", &["memory"], &[]),
    ("WriteMemory", &["content", "memory"], &[]),
    ("InvokeModel", &["model"], &["provider"]),
    ("SubmitJob", &["name", "queue"], &["accelerators", "also", "image"]),
    ("UseAccelerator", &["count", "kind"], &["seconds"]),
    ("StartTraining", &["model"], &["accelerators", "dataset"]),
];

/// What the member `kind` of `UseAccelerator` is called beside the kind of the action.
const ACCELERATOR: &str = "accelerator";

/// Recurses at most `depth` times, by `also`.
fn action(
    value: &Value,
    place: &Place<'_>,
    depth: usize,
) -> Result<Box<dyn Action + Sync>, ActionError> {
    let form = || ActionError::new(place, Problem::Form("an object with a `kind`"));
    let object = value.as_object().ok_or_else(form)?;
    let kind_place = Place::Member(place, "kind");
    let kind = object.get("kind").ok_or_else(|| ActionError::new(&kind_place, Problem::Missing))?;
    let kind = kind
        .as_str()
        .ok_or_else(|| ActionError::new(&kind_place, Problem::Form("the name of a kind")))?;
    let shape = SHAPES
        .iter()
        .find(|shape| shape.0 == kind)
        .ok_or_else(|| ActionError::new(&kind_place, Problem::Kind(excerpt(kind).into())))?;
    let inner = Place::Member(place, "action");
    let Some(nested) = object.get("action") else {
        let members = Members { object, place, beside: true };
        members.check(shape.1, shape.2)?;
        return build(shape.0, &members, depth);
    };
    if let Some((other, _)) = object.iter().find(|(name, _)| !matches!(*name, "action" | "kind")) {
        return Err(ActionError::new(&Place::Member(place, other), Problem::Unknown));
    }
    let nested = nested
        .as_object()
        .ok_or_else(|| ActionError::new(&inner, Problem::Form("an object of members")))?;
    let members = Members { object: nested, place: &inner, beside: false };
    members.check(shape.1, shape.2)?;
    build(shape.0, &members, depth)
}

fn build(
    kind: &str,
    members: &Members<'_>,
    depth: usize,
) -> Result<Box<dyn Action + Sync>, ActionError> {
    let m = members;
    Ok(match kind {
        "ToolCall" => {
            let arguments = m.get("arguments").cloned().unwrap_or(Value::Null);
            let call = ToolCall::new(m.text("server")?, m.text("tool")?, arguments);
            Box::new(match m.digest("schema")? {
                Some(schema) => call.with_schema(schema),
                None => call,
            })
        }
        "ApiCall" => {
            let call = ApiCall::new(m.text("method")?, m.text("url")?).resolved_to(m.addresses()?);
            Box::new(match m.count("sends_bytes")? {
                Some(bytes) => call.sends_bytes(bytes),
                None => call,
            })
        }
        "TriggerWorkflow" => {
            let inputs = m.get("inputs").cloned().unwrap_or(Value::Null);
            Box::new(TriggerWorkflow::new(m.text("workflow")?, inputs))
        }
        "SendMessage" => {
            let message = SendMessage::new(m.text("channel")?, m.texts("recipients")?);
            Box::new(message.with_described_body(m.digest("body")?, m.count("bytes")?))
        }
        "SpawnAgent" => Box::new(SpawnAgent::new(m.text("agent")?, m.text("task")?)),
        "Pay" => {
            let pay = Pay::new(m.text("account")?, m.number("amount")?, m.text("currency")?);
            Box::new(pay.reference(m.maybe_text("reference")?.unwrap_or_default()))
        }
        "Publish" => {
            let mut publish = Publish::new(m.text("place")?, m.text("name")?);
            if !m.flag("public", true)? {
                publish = publish.internal();
            }
            Box::new(match m.count("bytes")? {
                Some(bytes) => publish.sends_bytes(bytes),
                None => publish,
            })
        }
        "RemoteShell" => {
            let direction = m.choice(
                "direction",
                &[Direction::Reverse, Direction::Bind].map(|way| (way.as_str(), way)),
                "`reverse` or `bind`",
            )?;
            let program = m.text("program")?;
            Box::new(RemoteShell::new(program, direction, m.text("host")?, m.port("port")?))
        }
        "Exec" => {
            let mut exec = Exec::new(m.text("program")?).args(m.texts("arguments")?);
            for also in m.also(depth)? {
                exec = exec.and(also);
            }
            Box::new(if m.flag("opaque", true)? { exec } else { exec.nothing_else() })
        }
        "Connect" => {
            let connect = Connect::new(m.text("host")?, m.port("port")?)
                .over(m.transport()?)
                .resolved_to(m.addresses()?);
            Box::new(match m.count("sends_bytes")? {
                Some(bytes) => connect.sends_bytes(bytes),
                None => connect,
            })
        }
        "Listen" => Box::new(Listen::new(m.text("address")?, m.port("port")?).over(m.transport()?)),
        "Tunnel" => {
            use TunnelDirection::{Dynamic, Forward, Reverse};
            let direction = m.choice(
                "direction",
                &[Reverse, Forward, Dynamic].map(|way| (way.as_str(), way)),
                "`reverse`, `forward` or `dynamic`",
            )?;
            let (host, exposes) = (m.text("host")?, m.text("exposes")?);
            Box::new(Tunnel::new(direction, host, m.port("port")?, exposes))
        }
        "UseSecret" => Box::new(UseSecret::new(m.text("secret")?, m.text("consumer")?)),
        "ChangePrivilege" => Box::new(ChangePrivilege::new(m.text("privilege")?)),
        "ChangeIdentity" => Box::new(ChangeIdentity::new(m.text("identity")?)),
        "MutateInfrastructure" => {
            let (provider, verb) = (m.text("provider")?, m.text("verb")?);
            let change =
                MutateInfrastructure::new(provider, verb, m.text("resource")?, m.text("name")?);
            Box::new(change.with_change(m.get("change").cloned().unwrap_or(Value::Null)))
        }
        "InstallPackage" => {
            let mut install = InstallPackage::new(m.text("ecosystem")?, m.text("name")?);
            if let Some(version) = m.maybe_text("version")? {
                install = install.version(version);
            }
            if let Some(registry) = m.maybe_text("registry")? {
                install = install.registry(registry);
            }
            Box::new(install)
        }
        "ReadData" => {
            let read = ReadData::new(m.data()?).classes(m.texts("classes")?);
            Box::new(if m.flag("recursive", false)? { read.recursive() } else { read })
        }
        "WriteData" => {
            let write = WriteData::new(m.data()?).classes(m.texts("classes")?);
            Box::new(if m.flag("recursive", false)? { write.recursive() } else { write })
        }
        "DeleteData" => {
            let delete = DeleteData::new(m.data()?).classes(m.texts("classes")?);
            Box::new(if m.flag("recursive", false)? { delete.recursive() } else { delete })
        }
        "ExportData" => Box::new(export(m)?),
        "RecallMemory" => Box::new(RecallMemory::new(m.text("memory")?)),
        "WriteMemory" => {
            let content = m.digest("content")?.ok_or_else(|| m.missing("content"))?;
            Box::new(WriteMemory::of_digest(m.text("memory")?, content))
        }
        "InvokeModel" => {
            let invoke = InvokeModel::new(m.text("model")?);
            Box::new(match m.maybe_text("provider")? {
                Some(provider) => invoke.provider(provider),
                None => invoke,
            })
        }
        "SubmitJob" => {
            let mut job = SubmitJob::new(m.text("queue")?, m.text("name")?);
            if let Some(image) = m.maybe_text("image")? {
                job = job.image(image);
            }
            if let Some(accelerators) = m.accelerators()? {
                job = job.accelerators(accelerators);
            }
            for also in m.also(depth)? {
                job = job.and(also);
            }
            Box::new(job)
        }
        "UseAccelerator" => Box::new(accelerator(m)?),
        "StartTraining" => {
            let mut training = StartTraining::new(m.text("model")?);
            if let Some(dataset) = m.maybe_text("dataset")? {
                training = training.dataset(dataset);
            }
            if let Some(accelerators) = m.accelerators()? {
                training = training.accelerators(accelerators);
            }
            Box::new(training)
        }
        other => {
            let kind = Place::Member(members.place, "kind");
            return Err(ActionError::new(&kind, Problem::Kind(excerpt(other).into())));
        }
    })
}

fn accelerator(m: &Members<'_>) -> Result<UseAccelerator, ActionError> {
    let form = || m.form("count", "a whole number up to 4294967295");
    let count = m.count("count")?.ok_or_else(|| m.missing("count"))?;
    let count = u32::try_from(count).map_err(|_| form())?;
    let using = UseAccelerator::new(m.text("kind")?, count);
    Ok(match m.count("seconds")? {
        Some(seconds) => using.seconds(seconds),
        None => using,
    })
}

fn export(m: &Members<'_>) -> Result<ExportData, ActionError> {
    let place = Place::Member(m.place, "access");
    let access = m.inner("access", &place)?.ok_or_else(|| m.missing("access"))?;
    access.check(&["data"], &["classes", "recursive"])?;
    let data = access.data()?;
    let mut export = match m.get("destination") {
        Some(Value::String(name)) => ExportData::to_named(data, name.as_str()),
        Some(Value::Object(object)) => {
            let place = Place::Member(m.place, "destination");
            let host = Members { object, place: &place, beside: false };
            host.check(&["host", "port"], &[])?;
            ExportData::to_host(data, host.text("host")?, host.port("port")?)
        }
        Some(_) => {
            return Err(m.form("destination", "a name, or an object of `host` and `port`"));
        }
        None => return Err(m.missing("destination")),
    };
    export = export.classes(access.texts("classes")?);
    if access.flag("recursive", false)? {
        export = export.recursive();
    }
    Ok(match m.count("bytes")? {
        Some(bytes) => export.sends_bytes(bytes),
        None => export,
    })
}

/// The members of one object, each asked for by its name.
#[derive(Debug, Clone, Copy)]
struct Members<'a> {
    object: &'a Object,
    place: &'a Place<'a>,
    /// Whether the kind of the action stands among them.
    beside: bool,
}

impl<'a> Members<'a> {
    /// Refuses members that the shape does not name, and what it names and is absent.
    fn check(&self, mandatory: &[&str], optional: &[&str]) -> Result<(), ActionError> {
        for (name, _) in self.object.iter() {
            let known = |wanted: &&&str| self.spelled(wanted) == name;
            let kind = self.beside && name == "kind";
            if !kind && !mandatory.iter().chain(optional).any(|wanted| known(&wanted)) {
                return Err(ActionError::new(&Place::Member(self.place, name), Problem::Unknown));
            }
        }
        match mandatory.iter().find(|name| self.get(name).is_none()) {
            Some(name) => Err(self.missing(name)),
            None => Ok(()),
        }
    }

    fn spelled<'b>(&self, name: &'b str) -> &'b str {
        if self.beside && name == "kind" { ACCELERATOR } else { name }
    }

    /// Returns a member that is there and not null.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(self.spelled(name)).filter(|value| !value.is_null())
    }

    fn missing(&self, name: &str) -> ActionError {
        ActionError::new(&Place::Member(self.place, self.spelled(name)), Problem::Missing)
    }

    fn form(&self, name: &str, form: &'static str) -> ActionError {
        ActionError::new(&Place::Member(self.place, self.spelled(name)), Problem::Form(form))
    }

    fn maybe_text(&self, name: &str) -> Result<Option<String>, ActionError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let form = || self.form(name, "a string");
        self.get(name).map(|value| text(value).ok_or_else(form)).transpose()
    }

    fn text(&self, name: &str) -> Result<String, ActionError> {
        self.maybe_text(name)?.ok_or_else(|| self.missing(name))
    }

    /// A list of strings; none where it is absent.
    fn texts(&self, name: &str) -> Result<Vec<String>, ActionError> {
        let place = Place::Member(self.place, name);
        let Some(list) = self.list(name, "a list of strings")? else { return Ok(Vec::new()) };
        let read = |(index, value): (usize, &Value)| {
            let form = || ActionError::new(&Place::Item(&place, index), Problem::Form("a string"));
            value.as_str().map(str::to_owned).ok_or_else(form)
        };
        list.iter().enumerate().map(read).collect()
    }

    fn list(&self, name: &str, form: &'static str) -> Result<Option<&'a [Value]>, ActionError> {
        let list = |value: &'a Value| value.as_array().ok_or_else(|| self.form(name, form));
        self.get(name).map(list).transpose()
    }

    fn flag(&self, name: &str, absent: bool) -> Result<bool, ActionError> {
        let form = || self.form(name, "`true` or `false`");
        self.get(name).map_or(Ok(absent), |value| value.as_bool().ok_or_else(form))
    }

    fn count(&self, name: &str) -> Result<Option<u64>, ActionError> {
        let count = |value: &Value| value.as_number()?.to_u64();
        let form = || self.form(name, "a whole number up to 18446744073709551615");
        self.get(name).map(|value| count(value).ok_or_else(form)).transpose()
    }

    fn number(&self, name: &str) -> Result<Decimal, ActionError> {
        let value = self.get(name).ok_or_else(|| self.missing(name))?;
        value.as_number().ok_or_else(|| self.form(name, "a number"))
    }

    fn port(&self, name: &str) -> Result<u16, ActionError> {
        let value = self.get(name).ok_or_else(|| self.missing(name))?;
        let port = value.as_number().and_then(|number| number.to_u64());
        let form = || self.form(name, "a whole number up to 65535");
        port.and_then(|port| u16::try_from(port).ok()).ok_or_else(form)
    }

    fn digest(&self, name: &str) -> Result<Option<Digest>, ActionError> {
        let digest = |value: &Value| Digest::parse_hex(value.as_str()?);
        let form = || self.form(name, "64 lower-case hex digits");
        self.get(name).map(|value| digest(value).ok_or_else(form)).transpose()
    }

    fn addresses(&self) -> Result<Vec<IpAddr>, ActionError> {
        let place = Place::Member(self.place, "resolved");
        let read = |(index, text): (usize, String)| {
            let form =
                || ActionError::new(&Place::Item(&place, index), Problem::Form("an address"));
            text.parse().map_err(|_| form())
        };
        self.texts("resolved")?.into_iter().enumerate().map(read).collect()
    }

    fn choice<T: Copy>(
        &self,
        name: &str,
        known: &[(&str, T)],
        form: &'static str,
    ) -> Result<T, ActionError> {
        let text = self.text(name)?;
        let found = known.iter().find(|(known, _)| *known == text);
        found.map(|(_, choice)| *choice).ok_or_else(|| self.form(name, form))
    }

    fn transport(&self) -> Result<Transport, ActionError> {
        if self.get("transport").is_none() {
            return Ok(Transport::default());
        }
        let known = [Transport::Tcp, Transport::Udp].map(|carrier| (carrier.as_str(), carrier));
        self.choice("transport", &known, "`tcp` or `udp`")
    }

    /// The members of an object in the place of one.
    fn inner<'b>(
        &self,
        name: &str,
        place: &'b Place<'b>,
    ) -> Result<Option<Members<'b>>, ActionError>
    where
        'a: 'b,
    {
        let form = || self.form(name, "an object of members");
        let object = |value: &'a Value| value.as_object().ok_or_else(form);
        let object = self.get(name).map(object).transpose()?;
        Ok(object.map(|object| Members { object, place, beside: false }))
    }

    fn data(&self) -> Result<DataRef, ActionError> {
        let place = Place::Member(self.place, "data");
        let inner = self.inner("data", &place)?.ok_or_else(|| self.missing("data"))?;
        let form = || self.form("data", "one of `file`, `table` and `object`, with its name");
        let one = inner.object.len() == 1;
        let name = |kind: &str| inner.get(kind).filter(|_| one).and_then(Value::as_str);
        match (name("file"), name("table"), name("object")) {
            (Some(path), None, None) => Ok(DataRef::File(path.to_owned())),
            (None, Some(table), None) => Ok(DataRef::Table(table.to_owned())),
            (None, None, Some(object)) => Ok(DataRef::Object(object.to_owned())),
            _ => Err(form()),
        }
    }

    fn accelerators(&self) -> Result<Option<UseAccelerator>, ActionError> {
        let place = Place::Member(self.place, "accelerators");
        let Some(members) = self.inner("accelerators", &place)? else { return Ok(None) };
        members.check(&["count", "kind"], &["seconds"])?;
        accelerator(&members).map(Some)
    }

    fn also(&self, depth: usize) -> Result<Vec<Box<dyn Action + Sync>>, ActionError> {
        let place = Place::Member(self.place, "also");
        let list = self.list("also", "a list of actions")?.unwrap_or_default();
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let rest = depth.checked_sub(1);
        let rest = rest.ok_or_else(|| ActionError::new(&place, Problem::Depth))?;
        let read = |(index, value)| action(value, &Place::Item(&place, index), rest);
        list.iter().enumerate().map(read).collect()
    }
}

/// Where in the document one is, written out only for an error.
#[derive(Debug)]
enum Place<'a> {
    Whole,
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Member(Self::Whole, name) => f.write_str(&excerpt(name)),
            Self::Member(above, name) => write!(f, "{above}.{}", excerpt(name)),
            Self::Item(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}
#[cfg(test)]
mod tests;
