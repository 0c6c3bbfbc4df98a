//! Effects as canonical JSON, both ways: what receipts commit to and what a replay reads.
//!
//! `docs/replay.md` lists the members. What is read is written again and compared, so that there is
//! one text for each effect and no other.

use std::fmt;
use std::fmt::Write as _;

use crate::action::host::Endpoint;
use crate::action::path::ResolvedPath;
use crate::action::{Domain, Effect, Fact, Facts, Kind, Reversibility, Target, Usage};
use crate::reason::Reason;
use crate::value::{Decimal, Limits, Object, Value, write_string};

/// How much a recorded value may hold: as many bytes as an opening, and what an action can nest.
pub(crate) const RECORD_LIMITS: Limits =
    Limits { max_bytes: 1 << 20, max_depth: Limits::MAX_DEPTH, max_nodes: 1 << 18 };

impl Effect {
    /// Appends the canonical JSON of the effect; receipts commit to these bytes.
    ///
    /// It holds the whole effect: [`read_canonical`](Self::read_canonical) gives back an equal one.
    ///
    /// # Examples
    ///
    /// ```
    /// use countersign::action::{Effect, Kind, Target, Usage};
    ///
    /// let effect = Effect::new(Kind::TriggerWorkflow, Target::Workflow("nightly".into()))
    ///     .with_usage(Usage::EgressBytes(7));
    /// let mut text = String::new();
    /// effect.write_canonical(&mut text);
    /// assert_eq!(
    ///     text,
    ///     r#"{"facts":{},"kind":"TriggerWorkflow","reversibility":"irreversible","target":{"id":"nightly","type":"Workflow"},"usage":{"egress_bytes":7}}"#
    /// );
    /// assert_eq!(Effect::read_canonical(&text)?, effect);
    /// # Ok::<(), countersign::action::RecordError>(())
    /// ```
    pub fn write_canonical(&self, out: &mut String) {
        out.push('{');
        if let Target::Tool { arguments, .. } = self.target() {
            open(out, "arguments");
            arguments.write_canonical(out);
        }
        if let Kind::Host { domain, .. } = self.kind() {
            text(out, "domain", domain.as_str());
        }
        open(out, "facts");
        write_facts(out, self.facts());
        text(out, "kind", self.kind().as_str());
        text(out, "reversibility", self.reversibility().as_str());
        open(out, "target");
        write_target(out, self.target());
        write_usage(out, self.usage());
        out.push('}');
    }

    /// Reads what [`write_canonical`](Self::write_canonical) wrote.
    ///
    /// # Errors
    ///
    /// Returns [`RecordError`] for any other text: another spelling of the same effect, a member that
    /// is unknown, missing or of another type, a name or path that is not in normal form.
    ///
    /// # Security
    ///
    /// `text` may be hostile. An effect that was read is one that somebody wrote down, and none that
    /// was found: ask whether it is the one of a receipt ([`Opening::check`](crate::receipt::Opening::check)).
    pub fn read_canonical(text: &str) -> Result<Self, RecordError> {
        let value = parse(text)?;
        let mut members = Members::of(&value, "")?;
        let kind = read_kind(members.text("kind")?, members.maybe_text("domain")?)?;
        let reversibility = members.text("reversibility")?;
        let reversibility =
            [Reversibility::Reversible, Reversibility::Compensable, Reversibility::Irreversible]
                .into_iter()
                .find(|known| known.as_str() == reversibility)
                .ok_or_else(|| members.wrong("reversibility", "is no known word"))?;
        let facts = read_facts(members.value("facts")?)?;
        let arguments = members.maybe("arguments");
        let target = read_target(members.value("target")?, arguments)?;
        let usage = members.maybe("usage").map_or(Ok(Usage::None), read_usage)?;
        members.finish()?;
        let effect = Self::new(kind, target)
            .with_facts(facts)
            .with_reversibility(Some(reversibility))
            .with_usage(usage);
        let mut again = String::with_capacity(text.len());
        effect.write_canonical(&mut again);
        if again != text {
            return Err(RecordError::new("", "", SPELLING));
        }
        Ok(effect)
    }
}

/// Why a recorded effect, or the recorded facts of a call, cannot be read: which member, and what is
/// wrong with it. The text never holds what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    member: Box<str>,
    problem: &'static str,
}

impl RecordError {
    pub(crate) fn new(place: &str, member: &str, problem: &'static str) -> Self {
        let dot = if place.is_empty() || member.is_empty() { "" } else { "." };
        Self { member: format!("{place}{dot}{member}").into(), problem }
    }

    /// Returns the member, such as `target.id`; empty for the value as a whole.
    #[must_use]
    pub fn member(&self) -> &str {
        &self.member
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.member {
            "" => write!(f, "the recorded value {}", self.problem),
            member => write!(f, "member `{member}` of the recorded value {}", self.problem),
        }
    }
}

impl std::error::Error for RecordError {}

const SPELLING: &str = "is not in its canonical spelling";

/// Parses the text of a recorded value.
pub(crate) fn parse(text: &str) -> Result<Value, RecordError> {
    Value::parse(text.as_bytes(), &RECORD_LIMITS)
        .map_err(|_| RecordError::new("", "", "is not json within the limits of an opening"))
}

/// Parses the text of a recorded value, which must be its canonical one.
pub(crate) fn parse_canonical(text: &str) -> Result<Value, RecordError> {
    let value = parse(text)?;
    match value.to_canonical() == text {
        true => Ok(value),
        false => Err(RecordError::new("", "", SPELLING)),
    }
}

/// The members of an object that has these and no others.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    object: &'a Object,
    place: &'static str,
    read: usize,
}

impl<'a> Members<'a> {
    pub(crate) fn of(value: &'a Value, place: &'static str) -> Result<Self, RecordError> {
        let object = value.as_object();
        let object = object.ok_or_else(|| RecordError::new(place, "", "is no object"))?;
        Ok(Self { object, place, read: 0 })
    }

    /// The members of an object whose `v` is `version`.
    pub(crate) fn of_version(value: &'a Value, version: u64) -> Result<Self, RecordError> {
        let mut members = Self::of(value, "")?;
        match members.whole("v")? == version {
            true => Ok(members),
            false => Err(members.wrong("v", "is no version that is known")),
        }
    }

    pub(crate) fn wrong(&self, member: &str, problem: &'static str) -> RecordError {
        RecordError::new(self.place, member, problem)
    }

    pub(crate) fn maybe(&mut self, name: &str) -> Option<&'a Value> {
        let value = self.object.get(name)?;
        self.read += 1;
        Some(value)
    }

    pub(crate) fn value(&mut self, name: &str) -> Result<&'a Value, RecordError> {
        self.maybe(name).ok_or_else(|| self.wrong(name, "is mandatory and absent"))
    }

    pub(crate) fn maybe_text(&mut self, name: &str) -> Result<Option<&'a str>, RecordError> {
        let Some(value) = self.maybe(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(name, "is no string"))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<&'a str, RecordError> {
        self.maybe_text(name)?.ok_or_else(|| self.wrong(name, "is mandatory and absent"))
    }

    /// Reads a truth value; an absent one is false.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, RecordError> {
        let Some(value) = self.maybe(name) else { return Ok(false) };
        value.as_bool().ok_or_else(|| self.wrong(name, "is no truth value"))
    }

    pub(crate) fn maybe_whole(&mut self, name: &str) -> Result<Option<u64>, RecordError> {
        let Some(value) = self.maybe(name) else { return Ok(None) };
        let number = value.as_number().and_then(|number| number.to_u64());
        number.map(Some).ok_or_else(|| self.wrong(name, "is no whole number"))
    }

    pub(crate) fn whole(&mut self, name: &str) -> Result<u64, RecordError> {
        self.maybe_whole(name)?.ok_or_else(|| self.wrong(name, "is mandatory and absent"))
    }

    pub(crate) fn finish(self) -> Result<(), RecordError> {
        if self.read == self.object.len() {
            return Ok(());
        }
        Err(RecordError::new(self.place, "", "has a member that is not known"))
    }
}

/// Begins a member of the object that `out` ends in.
pub(crate) fn open(out: &mut String, name: &str) {
    out.push_str(if out.ends_with('{') { "\"" } else { ",\"" });
    out.push_str(name);
    out.push_str("\":");
}

pub(crate) fn text(out: &mut String, name: &str, text: &str) {
    open(out, name);
    write_string(out, text);
}

pub(crate) fn whole(out: &mut String, name: &str, number: u64) {
    open(out, name);
    let written = write!(out, "{number}");
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

pub(crate) fn flag(out: &mut String, name: &str, truth: bool) {
    open(out, name);
    out.push_str(if truth { "true" } else { "false" });
}

pub(crate) fn write_texts<'a>(out: &mut String, texts: impl IntoIterator<Item = &'a str>) {
    out.push('[');
    for (index, text) in texts.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, text);
    }
    out.push(']');
}

fn write_facts(out: &mut String, facts: &Facts) {
    out.push('{');
    for (index, (name, fact)) in facts.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, name);
        out.push(':');
        write_fact(out, fact);
    }
    out.push('}');
}

fn write_fact(out: &mut String, fact: &Fact) {
    let typed = |out: &mut String, kind: &str, value: String| {
        out.push('{');
        text(out, kind, &value);
        out.push('}');
    };
    match fact {
        Fact::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Fact::Long(number) => {
            let written = write!(out, "{number}");
            debug_assert!(written.is_ok(), "writing to a String does not fail");
        }
        Fact::Text(text) => write_string(out, text),
        Fact::TextSet(texts) => write_texts(out, texts.iter()),
        Fact::Decimal(number) => typed(out, "decimal", number.to_string()),
        Fact::Address(address) => typed(out, "ip", address.to_string()),
    }
}

fn read_facts(value: &Value) -> Result<Facts, RecordError> {
    let object = value.as_object();
    let object = object.ok_or_else(|| RecordError::new("facts", "", "is no object"))?;
    let mut facts = Facts::new();
    for (name, value) in object {
        let fact = read_fact(value).ok_or_else(|| RecordError::new("facts", "", "are no facts"))?;
        facts.insert(name.to_owned(), fact);
    }
    Ok(facts)
}

fn read_fact(value: &Value) -> Option<Fact> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => Fact::Bool(*truth),
        Value::Number(number) => Fact::Long(number.to_i64()?),
        Value::String(text) => Fact::Text(text.clone().into()),
        Value::Array(values) => {
            let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
            Fact::TextSet(texts?.into())
        }
        // Which of them has exactly this member; another one is found by writing it again.
        Value::Object(typed) => match typed.get("decimal") {
            Some(number) => Fact::Decimal(Decimal::parse(number.as_str()?).ok()?),
            None => Fact::Address(typed.get("ip")?.as_str()?.parse().ok()?),
        },
    })
}

fn read_kind(name: &str, domain: Option<&str>) -> Result<Kind, RecordError> {
    let named = |known: &Domain| Some(known.as_str()) == domain;
    if domain.is_some() {
        let domain = Domain::ALL.into_iter().find(named);
        let domain = domain.ok_or_else(|| RecordError::new("", "domain", "is no domain"))?;
        return Ok(Kind::Host { name: name.to_owned().into(), domain });
    }
    Kind::BUILT_IN
        .into_iter()
        .chain(Domain::ALL.map(Kind::Opaque))
        .find(|known| known.as_str() == name)
        .ok_or_else(|| RecordError::new("", "kind", "is no built-in kind and names no domain"))
}

/// Writes the id and the Cedar type of the target as policies see them, and what they do not say.
fn write_target(out: &mut String, target: &Target) {
    out.push('{');
    match target {
        Target::Api { endpoint, .. } => text(out, "endpoint", &endpoint.to_string()),
        Target::Recipient { channel, address, email_domain } => {
            text(out, "address", address);
            text(out, "channel", channel);
            if let Some(domain) = email_domain {
                text(out, "email_domain", domain);
            }
        }
        Target::Payment { amount, currency, .. } => {
            text(out, "amount", &amount.to_string());
            text(out, "currency", currency);
        }
        Target::Endpoint { address: Some(address), .. } => {
            text(out, "address", &address.to_string());
        }
        Target::Package { ecosystem, .. } => text(out, "ecosystem", ecosystem),
        Target::Files { below, .. } => text(out, "below", below.as_str()),
        _ => {}
    }
    text(out, "id", &target.id());
    match target {
        Target::Tool { server, name, .. } => {
            text(out, "name", name);
            text(out, "server", server);
        }
        Target::Api { method, scheme, path, .. } => {
            text(out, "method", method);
            text(out, "path", path);
            text(out, "scheme", scheme);
        }
        Target::Artifact { place, name, public } => {
            text(out, "name", name);
            text(out, "place", place);
            flag(out, "public", *public);
        }
        Target::Program { opaque: Some(reason), .. } => text(out, "opaque", reason.code()),
        Target::Infrastructure { provider, resource, name, .. } => {
            text(out, "name", name);
            text(out, "provider", provider);
            text(out, "resource", resource);
        }
        Target::Package { name, .. } | Target::Job { name, .. } => text(out, "name", name),
        Target::Files { names, recursive, tracked, .. } => {
            text(out, "names", names);
            flag(out, "recursive", *recursive);
            flag(out, "tracked", *tracked);
        }
        Target::File { recursive: true, .. } | Target::Object { recursive: true, .. } => {
            flag(out, "recursive", true);
        }
        Target::Training(_) => flag(out, "training", true),
        Target::Unknown { of, .. } => text(out, "of", of),
        _ => {}
    }
    text(out, "type", target.entity_type());
    if let Target::Infrastructure { verb, .. } = target {
        text(out, "verb", verb);
    }
    out.push('}');
}

fn read_target(value: &Value, arguments: Option<&Value>) -> Result<Target, RecordError> {
    let mut members = Members::of(value, "target")?;
    let id = members.text("id")?;
    let kind = members.text("type")?;
    let wrong = |name: &str, problem| Err(RecordError::new("target", name, problem));
    let path = |name: &str, text: &str| {
        let path = ResolvedPath::from_normal(text);
        path.map_err(|_| RecordError::new("target", name, "is no path in normal form"))
    };
    let endpoint = |name: &str, text: &str| {
        let endpoint = Endpoint::parse(text);
        endpoint.map_err(|_| RecordError::new("target", name, "is no host and port"))
    };
    let reason = |name: &str, code: &str| {
        let reason = Reason::from_code(code);
        reason.ok_or_else(|| RecordError::new("target", name, "is no reason code"))
    };
    let target = match kind {
        "Tool" => Target::Tool {
            server: members.text("server")?.into(),
            name: members.text("name")?.into(),
            arguments: match arguments {
                Some(Value::Object(arguments)) => arguments.clone(),
                _ => return Err(RecordError::new("", "arguments", "is no object")),
            },
        },
        "Api" => Target::Api {
            method: members.text("method")?.into(),
            scheme: members.text("scheme")?.into(),
            endpoint: endpoint("endpoint", members.text("endpoint")?)?,
            path: members.text("path")?.into(),
        },
        "Workflow" => Target::Workflow(id.into()),
        "Recipient" => Target::Recipient {
            channel: members.text("channel")?.into(),
            address: members.text("address")?.into(),
            email_domain: members.maybe_text("email_domain")?.map(Box::from),
        },
        "AgentClass" => Target::Agent(id.into()),
        "Account" => Target::Payment {
            account: id.into(),
            amount: match Decimal::parse(members.text("amount")?) {
                Ok(amount) => amount,
                Err(_) => return wrong("amount", "is no number"),
            },
            currency: members.text("currency")?.into(),
        },
        "Artifact" => Target::Artifact {
            place: members.text("place")?.into(),
            name: members.text("name")?.into(),
            public: members.flag("public")?,
        },
        "Program" => Target::Program {
            program: id.to_owned().into(),
            opaque: members.maybe_text("opaque")?.map(|code| reason("opaque", code)).transpose()?,
        },
        "Endpoint" => Target::Endpoint {
            endpoint: endpoint("id", id)?,
            address: match members.maybe_text("address")?.map(str::parse) {
                None => None,
                Some(Ok(address)) => Some(address),
                Some(Err(_)) => return wrong("address", "is no address"),
            },
        },
        "Secret" => Target::Secret(id.into()),
        "Privilege" => Target::Privilege(id.into()),
        "Identity" => Target::Identity(id.into()),
        "Infrastructure" => Target::Infrastructure {
            provider: members.text("provider")?.into(),
            verb: members.text("verb")?.into(),
            resource: members.text("resource")?.into(),
            name: members.text("name")?.into(),
        },
        "Package" => Target::Package {
            ecosystem: members.text("ecosystem")?.into(),
            name: members.text("name")?.into(),
        },
        "File" => match members.maybe_text("names")? {
            Some(names) => Target::Files {
                below: path("below", members.text("below")?)?,
                names: names.into(),
                recursive: members.flag("recursive")?,
                tracked: members.flag("tracked")?,
            },
            None => Target::File { path: path("id", id)?, recursive: members.flag("recursive")? },
        },
        "Table" => Target::Table(id.into()),
        "Object" => Target::Object { name: id.into(), recursive: members.flag("recursive")? },
        "Memory" => Target::Memory(id.into()),
        "Model" if members.flag("training")? => Target::Training(id.into()),
        "Model" => Target::Model(id.into()),
        "Queue" => Target::Job { queue: id.into(), name: members.text("name")?.into() },
        "Accelerator" => Target::Accelerator { kind: id.into() },
        "Resource" => Target::Resource(id.into()),
        "Unknown" => {
            Target::Unknown { reason: reason("id", id)?, of: members.text("of")?.to_owned().into() }
        }
        _ => return wrong("type", "is no type of target"),
    };
    members.finish()?;
    Ok(target)
}

const EGRESS: &str = "egress_bytes";
const ACCELERATOR: &str = "accelerator_seconds";
const UNDECLARED: &str = "undeclared";
const CHANNEL: &str = "channel";

fn write_usage(out: &mut String, usage: Usage) {
    if usage == Usage::None {
        return;
    }
    open(out, "usage");
    out.push('{');
    match usage {
        Usage::None => {}
        Usage::EgressBytes(bytes) => whole(out, EGRESS, bytes),
        Usage::UndeclaredEgress => text(out, EGRESS, UNDECLARED),
        Usage::Channel => text(out, EGRESS, CHANNEL),
        Usage::AcceleratorSeconds(seconds) => whole(out, ACCELERATOR, seconds),
        Usage::UndeclaredAcceleratorSeconds => text(out, ACCELERATOR, UNDECLARED),
    }
    out.push('}');
}

fn read_usage(value: &Value) -> Result<Usage, RecordError> {
    let mut members = Members::of(value, "usage")?;
    let amount = |value: &Value| value.as_number().and_then(|number| number.to_u64());
    let usage = match (members.maybe(EGRESS), members.maybe(ACCELERATOR)) {
        (Some(value), None) => match value.as_str() {
            Some(UNDECLARED) => Some(Usage::UndeclaredEgress),
            Some(CHANNEL) => Some(Usage::Channel),
            _ => amount(value).map(Usage::EgressBytes),
        },
        (None, Some(value)) => match value.as_str() {
            Some(UNDECLARED) => Some(Usage::UndeclaredAcceleratorSeconds),
            _ => amount(value).map(Usage::AcceleratorSeconds),
        },
        _ => None,
    };
    members.finish()?;
    usage.ok_or_else(|| RecordError::new("usage", "", "is no amount of a limited good"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::action::path::PurePaths;
    use crate::action::{Action, EffectContext, Effects, NoTools};
    use crate::testing::strategies;

    fn written(effect: &Effect) -> String {
        let mut text = String::new();
        effect.write_canonical(&mut text);
        text
    }

    fn check(effect: &Effect) {
        let text = written(effect);
        assert_eq!(parse(&text).unwrap().to_canonical(), text, "not canonical");
        assert_eq!(Effect::read_canonical(&text).as_ref(), Ok(effect), "{text}");
    }

    fn path(text: &str) -> ResolvedPath {
        ResolvedPath::from_normal(text).unwrap()
    }

    /// One of every kind of target, and of each way in which it can differ.
    fn targets() -> Vec<Target> {
        let endpoint = |text: &str| Endpoint::parse(text).unwrap();
        let arguments = parse(r#"{"a":[1,2.5,null,{"b":"\u0001"}],"c":1e99}"#).unwrap();
        let amount = Decimal::parse("10.50").unwrap();
        vec![
            Target::Tool {
                server: "s/t".into(),
                name: "n".into(),
                arguments: arguments.as_object().unwrap().clone(),
            },
            Target::Api {
                method: "GET".into(),
                scheme: "https".into(),
                endpoint: endpoint("[::1]:443"),
                path: "/v1".into(),
            },
            Target::Workflow("w\"\n".into()),
            Target::Recipient {
                channel: "email".into(),
                address: "a@example.org".into(),
                email_domain: Some("example.org".into()),
            },
            Target::Recipient { channel: "c".into(), address: "a".into(), email_domain: None },
            Target::Agent("spiffe://example.org/a".into()),
            Target::Payment { account: "a".into(), amount, currency: "EUR".into() },
            Target::Artifact { place: "npm".into(), name: "n".into(), public: true },
            Target::Artifact { place: "npm".into(), name: "n".into(), public: false },
            Target::Program { program: "git".into(), opaque: None },
            Target::Program { program: "sh".into(), opaque: Some(Reason::ShellSyntax) },
            Target::Endpoint { endpoint: endpoint("a.example:1"), address: None },
            Target::Endpoint {
                endpoint: endpoint("10.0.0.1:65535"),
                address: Some("2001:db8::1".parse().unwrap()),
            },
            Target::Secret("s".into()),
            Target::Privilege("p".into()),
            Target::Identity("i".into()),
            Target::Infrastructure {
                provider: "aws".into(),
                verb: "delete".into(),
                resource: "instance".into(),
                name: "web/1".into(),
            },
            Target::Package { ecosystem: "npm".into(), name: "@a/b:c".into() },
            Target::Files {
                below: ResolvedPath::root(),
                names: "src/*.rs".into(),
                recursive: true,
                tracked: false,
            },
            Target::Files {
                below: path("/srv/web"),
                names: "*".into(),
                recursive: false,
                tracked: true,
            },
            Target::File { path: ResolvedPath::root(), recursive: true },
            Target::File { path: path("/srv/web/ä b"), recursive: false },
            Target::Table("crm.orders".into()),
            Target::Object { name: "b/k".into(), recursive: false },
            Target::Object { name: "b/k".into(), recursive: true },
            Target::Memory("task/x".into()),
            Target::Model("m".into()),
            Target::Training("m".into()),
            Target::Job { queue: "q".into(), name: "n".into() },
            Target::Accelerator { kind: "gpu".into() },
            Target::Resource(String::new().into()),
            Target::Unknown { reason: Reason::ActionTooLarge, of: "RenewLease".into() },
        ]
    }

    fn kinds() -> Vec<Kind> {
        // A host may take the name of anything, in any domain.
        let hosts = Domain::ALL.into_iter().flat_map(|domain| {
            ["RenewLease", "Connect", "Opaque:data"]
                .map(|name| Kind::Host { name: name.into(), domain })
        });
        Kind::BUILT_IN.into_iter().chain(Domain::ALL.map(Kind::Opaque)).chain(hosts).collect()
    }

    const USAGES: [Usage; 8] = [
        Usage::None,
        Usage::EgressBytes(0),
        Usage::EgressBytes(u64::MAX),
        Usage::UndeclaredEgress,
        Usage::Channel,
        Usage::AcceleratorSeconds(0),
        Usage::AcceleratorSeconds(u64::MAX),
        Usage::UndeclaredAcceleratorSeconds,
    ];

    #[test]
    fn every_kind_target_usage_and_fact_comes_back() {
        let facts = Facts::new()
            .text("text", "1.5")
            .long("long", i64::MIN)
            .bool("truth", false)
            .texts("texts", ["b", "a"])
            .texts("none", Vec::<&str>::new())
            .maybe("decimal", Some(Fact::Decimal(Decimal::parse("-0.0015").unwrap())))
            .maybe("huge", Some(Fact::Decimal(Decimal::parse("1e900").unwrap())))
            .maybe("ip", Some(Fact::Address("::1".parse().unwrap())));
        for kind in kinds() {
            for target in targets() {
                check(&Effect::new(kind.clone(), target));
            }
            let target = || Target::Resource("r".into());
            for usage in USAGES {
                check(&Effect::new(kind.clone(), target()).with_usage(usage));
            }
            for reversibility in
                [Reversibility::Reversible, Reversibility::Compensable, Reversibility::Irreversible]
            {
                let effect = Effect::new(kind.clone(), target()).with_facts(facts.clone());
                check(&effect.with_reversibility(Some(reversibility)));
            }
        }
    }

    #[test]
    fn no_two_effects_have_one_text() {
        let mut texts: Vec<String> =
            targets().into_iter().map(|target| written(&Effect::new(Kind::Pay, target))).collect();
        texts.extend(
            kinds().into_iter().map(|kind| written(&Effect::new(kind, targets().remove(2)))),
        );
        let all = texts.len();
        texts.sort();
        texts.dedup();
        // Both lists have the payment for the workflow.
        assert_eq!(texts.len(), all - 1);
    }

    #[test]
    fn anything_but_the_one_spelling_is_refused() {
        let target = Target::Endpoint {
            endpoint: Endpoint::parse("a.example:1").unwrap(),
            address: Some("10.0.0.1".parse().unwrap()),
        };
        let good = written(&Effect::new(Kind::Connect, target).with_usage(Usage::Channel));
        assert_eq!(
            good,
            r#"{"facts":{},"kind":"Connect","reversibility":"compensable","target":{"address":"10.0.0.1","id":"a.example:1","type":"Endpoint"},"usage":{"egress_bytes":"channel"}}"#
        );
        let check = |from: &str, to: &str, member: &str| {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            let error = Effect::read_canonical(&bad).unwrap_err();
            assert_eq!(error.member(), member, "{bad}: {error}");
        };
        check("Connect", "Disconnect", "kind");
        check("compensable", "maybe", "reversibility");
        check(r#""facts":{}"#, r#""facts":[]"#, "facts");
        check(r#""facts":{}"#, r#""facts":{"a":null}"#, "facts");
        check(r#""facts":{}"#, r#""facts":{"a":1.5}"#, "facts");
        check(r#""facts":{}"#, r#""facts":{"a":{"ip":"::1","x":1}}"#, "");
        check(r#""facts":{}"#, r#""facts":{"a":{"decimal":"1.0"}}"#, "");
        check(r#""facts":{},"#, "", "facts");
        check(r#""facts":{},"#, r#""also":1,"facts":{},"#, "");
        check("10.0.0.1", "10.0.0.256", "target.address");
        check("a.example:1", "A.example:1", "");
        check("a.example:1", "a.example", "target.id");
        check(r#""type":"Endpoint""#, r#""type":"Point""#, "target.type");
        check(r#""type":"Endpoint""#, r#""training":true,"type":"Endpoint""#, "target");
        check(r#""egress_bytes":"channel""#, r#""egress_bytes":-1"#, "usage");
        check(
            r#""egress_bytes":"channel""#,
            r#""accelerator_seconds":1,"egress_bytes":1"#,
            "usage",
        );
        check(r#"{"facts""#, r#"{ "facts""#, "");
        check("}}", "}}}", "");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_actions_do_comes_back(action in strategies::any_action()) {
            let (paths, workspace) = (PurePaths::new(), path("/srv/web"));
            let mut effects = Effects::default();
            action.effects(&EffectContext::new(&paths, &workspace, &NoTools), &mut effects);
            for effect in effects.finish() {
                let text = written(&effect);
                prop_assert_eq!(Effect::read_canonical(&text), Ok(effect));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", at in any::<prop::sample::Index>()) {
            prop_assert!(Effect::read_canonical(&text).is_err());
            let good = written(&Effect::new(Kind::Exec, targets().remove(10)));
            if let Some((head, tail)) = good.split_at_checked(at.index(good.len())) {
                let _ = Effect::read_canonical(&format!("{head}{text}{tail}"));
            }
        }
    }
}
