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
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::action::Kind;
    use crate::testing::strategies::any_action;
    use crate::value::Limits;

    fn parse(text: &str) -> Value {
        Value::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap()
    }

    fn nested(action: &dyn Action) -> Value {
        let kind = Value::from(action.kind().into_owned());
        let members = [("action".to_owned(), action.describe()), ("kind".to_owned(), kind)];
        Value::Object(members.into_iter().collect())
    }

    fn beside(action: &dyn Action) -> Value {
        let Value::Object(mut object) = action.describe() else { panic!("no object") };
        if let Some(kind) = object.remove("kind") {
            object.insert(ACCELERATOR.to_owned(), kind);
        }
        object.insert("kind".to_owned(), Value::from(action.kind().into_owned()));
        Value::Object(object)
    }

    fn round_trips(action: &dyn Action) {
        for form in [nested(action), beside(action)] {
            let read = from_value(&form).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(read.kind(), action.kind());
            assert_eq!(read.describe(), action.describe(), "{form}");
        }
    }

    fn examples() -> Vec<Box<dyn Action + Sync>> {
        let address = ["203.0.113.7", "2001:db8::1"].map(|text| text.parse::<IpAddr>().unwrap());
        let number = |text: &str| Decimal::parse(text).unwrap();
        let gpus = || UseAccelerator::new("gpu:a100", 8).seconds(600);
        vec![
            Box::new(
                ToolCall::new("tracker", "create", parse(r#"{"n": 1.50}"#))
                    .with_schema(Digest::of("test", b"x")),
            ),
            Box::new(
                ApiCall::new("GET", "https://example.org/").resolved_to(address).sends_bytes(7),
            ),
            Box::new(TriggerWorkflow::new("ci/release", parse(r#"[1, null]"#))),
            Box::new(SendMessage::new("email", ["a@example.org"]).with_body("hello")),
            Box::new(SpawnAgent::new("spiffe://example.org/agent/tester", "t")),
            Box::new(Pay::new("cdn", number("12.345"), "EUR").reference("r")),
            Box::new(Publish::new("npm", "@web/client").internal().sends_bytes(u64::MAX)),
            Box::new(RemoteShell::new("bash", Direction::Bind, "0.0.0.0", 4444)),
            Box::new(
                Exec::new("make")
                    .args(["-j", "2"])
                    .nothing_else()
                    .and(Exec::new("cc").and(Connect::new("example.org", 1)).and(gpus())),
            ),
            Box::new(
                Connect::new("example.org", 53)
                    .over(Transport::Udp)
                    .resolved_to(address)
                    .sends_bytes(0),
            ),
            Box::new(Listen::new("::", 65535).over(Transport::Udp)),
            Box::new(Tunnel::new(TunnelDirection::Dynamic, "example.org", 22, "*")),
            Box::new(UseSecret::new("ci/token", "deploy")),
            Box::new(ChangePrivilege::new("root")),
            Box::new(ChangeIdentity::new("service:deployer")),
            Box::new(
                MutateInfrastructure::new("aws", "update", "instance", "web-1")
                    .with_change(parse(r#"{"size": "l"}"#)),
            ),
            Box::new(InstallPackage::new("npm", "left-pad").version("1.0.0").registry("r.example")),
            Box::new(ReadData::new("a\u{202e}b").recursive().classes(["personal"])),
            Box::new(WriteData::table("crm.orders")),
            Box::new(DeleteData::object("bucket/key")),
            Box::new(
                ExportData::to_host("dist", "cdn.example.org", 443)
                    .recursive()
                    .classes(["secret"])
                    .sends_bytes(9),
            ),
            Box::new(RecallMemory::new("task/notes")),
            Box::new(WriteMemory::new("task/notes", "text")),
            Box::new(InvokeModel::new("lab/large").provider("lab")),
            Box::new(SubmitJob::new("batch", "eval").image("i:1").accelerators(gpus()).and(gpus())),
            Box::new(gpus()),
            Box::new(StartTraining::new("web/ranker").dataset("d").accelerators(gpus())),
        ]
    }

    #[test]
    fn every_kind_reads_what_it_describes() {
        let examples = examples();
        let kinds: Vec<String> = examples.iter().map(|action| action.kind().into_owned()).collect();
        assert_eq!(kinds, Kind::BUILT_IN.map(|kind| kind.as_str().to_owned()));
        for action in &examples {
            round_trips(action);
        }
        round_trips(&ExportData::to_named("dist", "warehouse/reports"));
    }

    #[test]
    fn every_shape_has_the_members_that_are_described() {
        assert_eq!(SHAPES.map(|shape| shape.0), Kind::BUILT_IN.each_ref().map(Kind::as_str));
        for (action, (kind, mandatory, optional)) in examples().iter().zip(SHAPES) {
            let Value::Object(described) = action.describe() else { panic!("{kind}") };
            let described: BTreeSet<&str> = described.iter().map(|(name, _)| name).collect();
            let named: BTreeSet<&str> = mandatory.iter().chain(optional).copied().collect();
            assert_eq!(described, named, "{kind}");
        }
    }

    #[test]
    fn every_member_is_mandatory_or_may_be_absent_as_its_shape_says() {
        for (action, (kind, mandatory, optional)) in examples().iter().zip(SHAPES) {
            let Value::Object(full) = action.describe() else { panic!("{kind}") };
            let read = |object: &Object| {
                let kind = ("kind".to_owned(), Value::from(kind));
                let members = ("action".to_owned(), Value::Object(object.clone()));
                from_value(&Value::Object([kind, members].into_iter().collect()))
            };
            for name in mandatory {
                let mut object = full.clone();
                object.remove(name);
                let error = read(&object).err().unwrap();
                assert_eq!(error.member(), format!("action.{name}"));
                assert!(error.to_string().contains("mandatory"), "{error}");
            }
            for name in optional {
                let mut object = full.clone();
                object.remove(name);
                let absent = read(&object).unwrap().describe();
                object.insert((*name).to_owned(), Value::Null);
                assert_eq!(read(&object).unwrap().describe(), absent, "{kind} {name}");
            }
            let mut object = full.clone();
            object.insert("reversibility".to_owned(), Value::from("reversible"));
            assert_eq!(read(&object).err().unwrap().member(), "action.reversibility");
        }
    }

    #[test]
    fn the_documentation_lists_every_member() {
        let page = include_str!("../../docs/actions.md");
        let (_, table) = page.split_once("<!-- actions and members -->").unwrap();
        let (table, _) = table.split_once("<!-- end -->").unwrap();
        let rows = table.lines().filter(|line| line.starts_with("| `"));
        let names = |cell: &str| {
            let parts = cell.split(", ").filter(|part| part.trim().starts_with('`'));
            parts
                .map(|part| part.trim().trim_start_matches('`').split('`').next().unwrap().into())
                .collect::<Vec<String>>()
        };
        let rows: Vec<[Vec<String>; 3]> = rows
            .map(|row| {
                let mut cells = row.trim_matches('|').split(" | ").map(names);
                std::array::from_fn(|_| cells.next().unwrap_or_default())
            })
            .collect();
        let expected: Vec<[Vec<String>; 3]> = SHAPES
            .iter()
            .map(|(kind, mandatory, optional)| {
                [&[*kind][..], mandatory, optional]
                    .map(|names| names.iter().map(|name| (*name).to_owned()).collect())
            })
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn errors_name_the_member() {
        let check = |text: &str, member: &str, says: &str| {
            let error = from_value(&parse(text)).err().unwrap_or_else(|| panic!("{text}"));
            assert_eq!(error.member(), member, "{text}");
            assert!(error.to_string().contains(says), "{text}: {error}");
        };
        check("[]", "", "`kind`");
        check("{}", "kind", "absent");
        check(r#"{"kind": 1}"#, "kind", "name of a kind");
        check(r#"{"kind": "RotateKey"}"#, "kind", "`RotateKey` is no built-in");
        check(r#"{"kind": "connect"}"#, "kind", "`connect`");
        check(r#"{"kind": "Opaque:data"}"#, "kind", "no built-in");
        check(r#"{"kind": "Connect", "host": "h"}"#, "port", "absent");
        check(r#"{"kind": "Connect", "host": "h", "port": null}"#, "port", "absent");
        check(r#"{"kind": "Connect", "host": "h", "port": 65536}"#, "port", "65535");
        check(r#"{"kind": "Connect", "host": "h", "port": 1.5}"#, "port", "65535");
        check(r#"{"kind": "Connect", "host": "h", "port": -1}"#, "port", "65535");
        check(r#"{"kind": "Connect", "host": 1, "port": 1}"#, "host", "a string");
        check(r#"{"kind": "Connect", "host": "h", "port": 1, "Port": 2}"#, "Port", "no such");
        check(r#"{"kind": "Connect", "host": "h", "port": 1, "a`b": 2}"#, "a\\u{60}b", "no such");
        check(
            r#"{"kind": "Connect", "host": "h", "port": 1, "resolved": ["1.2.3.4", "x"]}"#,
            "resolved[1]",
            "address",
        );
        check(
            r#"{"kind": "Connect", "host": "h", "port": 1, "transport": "ip"}"#,
            "transport",
            "tcp",
        );
        check(r#"{"kind": "Connect", "action": {"host": "h"}}"#, "action.port", "absent");
        check(r#"{"kind": "Connect", "action": {}, "host": "h"}"#, "host", "no such");
        check(r#"{"kind": "Connect", "action": []}"#, "action", "object");
        check(r#"{"kind": "UseAccelerator", "count": 1}"#, "accelerator", "absent");
        check(
            r#"{"kind": "UseAccelerator", "accelerator": "gpu", "count": 4294967296}"#,
            "count",
            "4294967295",
        );
        check(r#"{"kind": "UseAccelerator", "action": {"count": 1}}"#, "action.kind", "absent");
        check(r#"{"kind": "ReadData", "data": "a"}"#, "data", "object of members");
        check(r#"{"kind": "ReadData", "data": {}}"#, "data", "one of");
        check(r#"{"kind": "ReadData", "data": {"file": "a", "table": "b"}}"#, "data", "one of");
        check(r#"{"kind": "ReadData", "data": {"file": 1}}"#, "data", "one of");
        check(r#"{"kind": "WriteMemory", "memory": "m", "content": "text"}"#, "content", "hex");
        check(
            r#"{"kind": "ExportData", "access": {"data": {"file": "a"}}, "destination": 1}"#,
            "destination",
            "a name",
        );
        check(
            r#"{"kind": "Exec", "program": "a", "also": [{"kind": "Listen", "action": {"port": 1}}]}"#,
            "also[0].action.address",
            "absent",
        );
    }

    #[test]
    fn actions_nest_to_a_limit() {
        let nest = |levels: usize| {
            let open = r#"{"kind":"Exec","program":"a","also":["#.repeat(levels);
            let text = format!(
                "{open}{}{}",
                r#"{"kind":"ChangePrivilege","privilege":"p"}"#,
                "]}".repeat(levels)
            );
            let limits = Limits { max_depth: Limits::MAX_DEPTH, ..Limits::ARGUMENTS };
            from_value(&Value::parse(text.as_bytes(), &limits).unwrap())
        };
        assert!(nest(MAX_NESTED).is_ok());
        let error = nest(MAX_NESTED + 1).err().unwrap();
        assert!(error.to_string().contains("deeper than 8"), "{error}");
        assert!(nest(40).is_err());
    }

    #[test]
    fn a_program_is_opaque_unless_it_is_said_not_to_be() {
        let describe = |text: &str| from_value(&parse(text)).unwrap().describe().to_canonical();
        assert!(describe(r#"{"kind": "Exec", "program": "a"}"#).contains(r#""opaque":true"#));
    }

    proptest! {
        #[test]
        fn any_action_reads_what_it_describes(action in any_action()) {
            for form in [nested(&action), beside(&action)] {
                let read = from_value(&form).unwrap();
                prop_assert_eq!(read.describe(), action.describe());
            }
        }
    }
}
