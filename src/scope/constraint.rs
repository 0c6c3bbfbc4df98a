//! Constraints on the arguments of tools and on the facts of host-brought actions.
//!
//! A constraint is a total predicate: a value of another type does not fit, and nothing fails. Several
//! in one object must all hold.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::action::host::{Endpoint, Host, HostPattern};
use crate::action::path::{PathResolver, ResolvedPath, resolve};
use crate::action::{Fact, Facts};
use crate::scope::error::{Problem, ScopeError};
use crate::scope::grants::{HostGrants, UrlGrants, WithMethod};
use crate::scope::pattern::{Grants, GrantsBuilder, Place, Separator, path_name};
use crate::text::check_visible;
use crate::value::{Decimal, Object, Value};

/// The most constraints of one tool or action, and the most members of a list in one of them.
pub const MAX_CONSTRAINTS: usize = 64;

/// The deepest that `each` may stand in `each`.
pub const MAX_EACH_DEPTH: usize = 4;

/// What one argument must be, as a scope writes it. All members that are present must hold.
///
/// # Examples
///
/// ```json
/// { "project": {"one_of": ["WEB"]}, "title": {"max_len": 200}, "labels": {"each": {"glob": "web-*"}, "optional": true} }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Constraint {
    /// `true`: any value at all. It must say so alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub any: Option<bool>,
    /// Exactly this value; numbers are compared as exact decimals.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// One of these values.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// A string that matches one of these patterns, segments divided by `/`.
    ///
    /// The pattern must match the whole string, so `*` alone stays within a string without `/` and
    /// `**` is needed for more. A string with an empty, `.` or `..` segment never matches, nor does one
    /// with a control, bidirectional or invisible character: a line break hides nothing.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub glob: Option<Texts>,
    /// A number within these bounds, both inclusive.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// A string of at most so many characters (Unicode scalar values).
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub max_len: Option<u32>,
    /// A list whose every element fits.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub each: Option<Box<Self>>,
    /// A path that, resolved from the workspace, matches these file patterns.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub path: Option<Texts>,
    /// A host, or `host:port`, that matches these host patterns.
    ///
    /// A host without port must be granted at every port (`git.example.org:*`).
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub host: Option<Texts>,
    /// A URL that matches these patterns: `https://docs.example.org/v1/**`. Its query is not looked at.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub url: Option<Texts>,
    /// One plain mail address in one of these domains: `example.org`, `*.example.org`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub email_domain: Option<Texts>,
    /// Whether the argument may be absent. A present one must fit all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// Bounds of a number, both inclusive; at least one is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The smallest number that fits.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub min: Option<Decimal>,
    /// The largest number that fits.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub max: Option<Decimal>,
}

/// One text or a list of texts; one that begins with `!` subtracts where patterns can.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Texts(pub Vec<String>);

impl Texts {
    fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

/// What becomes of something that is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// It is refused.
    #[default]
    Deny,
    /// It is let through.
    Allow,
}

impl Choice {
    /// Reports whether this is the default.
    #[must_use]
    pub const fn is_deny(&self) -> bool {
        matches!(self, Self::Deny)
    }
}

/// Reads a member that may be absent; one that is there is read as a `T`, so that `null` is no way to
/// say nothing.
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The constraints of one tool or action, compiled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Arguments {
    // Sorted by name.
    named: Box<[(Box<str>, Compiled)]>,
    others: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Compiled {
    optional: bool,
    checks: Box<[Check]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Check {
    OneOf(Box<[Value]>),
    Glob(Grants),
    Range(Range),
    MaxLen(usize),
    Each(Compiled),
    Path(Grants),
    Host(HostGrants),
    Url(UrlGrants),
    EmailDomain(Box<[HostPattern]>),
}

/// What arguments are resolved against when they are checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) paths: &'a dyn PathResolver,
    pub(crate) workspace: &'a ResolvedPath,
}

impl Arguments {
    /// Compiles the constraints that stand at `field`.
    pub(crate) fn compile(
        field: &str,
        named: &BTreeMap<String, Constraint>,
        others: Choice,
        place: Place<'_>,
    ) -> Result<Self, ScopeError> {
        if named.len() > MAX_CONSTRAINTS {
            return Err(ScopeError::new(field, Problem::TooMany(MAX_CONSTRAINTS)));
        }
        let compile = |(name, constraint): (&String, &Constraint)| {
            let field = format!("{field}.{}", crate::text::excerpt(name));
            let compiled = Compiled::compile(&field, constraint, place, MAX_EACH_DEPTH)?;
            Ok((name.as_str().into(), compiled))
        };
        let named = named.iter().map(compile).collect::<Result<_, ScopeError>>()?;
        Ok(Self { named, others: !others.is_deny() })
    }

    /// Whatever fits.
    pub(crate) fn any() -> Self {
        Self { named: Box::default(), others: true }
    }

    /// Reports whether whatever fits `other` provably fits this too, resolved from the same workspace.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        let find = |list: &Self, name: &str| {
            let at = list.named.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
            list.named.get(at).map(|(_, constraint)| constraint.clone())
        };
        let own = self.named.iter().all(|(name, own)| match find(other, name) {
            Some(theirs) => own.contains(&theirs),
            None => own.optional && !other.others,
        });
        let theirs = || other.named.iter().all(|(name, _)| find(self, name).is_some());
        own && (self.others || (!other.others && theirs()))
    }

    /// Reports whether the arguments of a tool fit.
    pub(crate) fn allow_object(&self, arguments: &Object, around: Surroundings<'_>) -> bool {
        self.allow(arguments.len(), |name| arguments.get(name).map(Subject::Value), around)
    }

    /// Reports whether the facts of an action fit.
    pub(crate) fn allow_facts(&self, facts: &Facts, around: Surroundings<'_>) -> bool {
        self.allow(facts.iter().len(), |name| facts.fact(name).map(Subject::Fact), around)
    }

    fn allow<'a>(
        &self,
        count: usize,
        get: impl Fn(&str) -> Option<Subject<'a>>,
        around: Surroundings<'_>,
    ) -> bool {
        let mut known = 0;
        for (name, constraint) in &self.named {
            match get(name) {
                Some(subject) if constraint.fits(subject, around) => known += 1,
                None if constraint.optional => {}
                _ => return false,
            }
        }
        // Names are unique on both sides, so what was not found is what is not listed.
        self.others || known == count
    }
}

impl Compiled {
    fn compile(
        field: &str,
        raw: &Constraint,
        place: Place<'_>,
        depth: usize,
    ) -> Result<Self, ScopeError> {
        let wrong = |problem: Problem| ScopeError::new(field, problem);
        let in_list = |(index, problem): (u16, Problem)| {
            ScopeError::new(format!("{field}[{index}]"), problem)
        };
        let lists = [&raw.glob, &raw.path, &raw.host, &raw.url, &raw.email_domain];
        let lengths = lists.into_iter().flatten().map(|texts| texts.0.len());
        let longest = lengths.chain(raw.one_of.as_ref().map(Vec::len)).max().unwrap_or(0);
        if longest > MAX_CONSTRAINTS {
            return Err(wrong(Problem::TooMany(MAX_CONSTRAINTS)));
        }
        let mut checks = Vec::new();
        if let Some(value) = &raw.equals {
            checks.push(Check::OneOf(Box::new([value.clone()])));
        }
        if let Some(values) = &raw.one_of {
            checks.push(Check::OneOf(values.clone().into()));
        }
        if let Some(patterns) = &raw.glob {
            let mut grants = GrantsBuilder::default();
            for (index, pattern) in (0..).zip(patterns.iter()) {
                let pushed = grants.push(index, pattern, Separator::Slash);
                pushed.map_err(|error| in_list((index, error.into())))?;
            }
            checks.push(Check::Glob(grants.finish()));
        }
        if let Some(range) = raw.range {
            let empty = match (range.min, range.max) {
                (None, None) => true,
                (Some(min), Some(max)) => min > max,
                _ => false,
            };
            if empty {
                return Err(wrong(Problem::Constraint("`range` needs `min` or `max`, in order")));
            }
            checks.push(Check::Range(range));
        }
        if let Some(length) = raw.max_len {
            checks.push(Check::MaxLen(usize::try_from(length).unwrap_or(usize::MAX)));
        }
        if let Some(each) = &raw.each {
            let Some(depth) = depth.checked_sub(1) else {
                return Err(wrong(Problem::Constraint("`each` stands too deep in `each`")));
            };
            if each.optional {
                return Err(wrong(Problem::Constraint("an element of a list is never optional")));
            }
            checks.push(Check::Each(Self::compile(&format!("{field}.each"), each, place, depth)?));
        }
        if let Some(patterns) = &raw.path {
            let mut grants = GrantsBuilder::default();
            for (index, pattern) in (0..).zip(patterns.iter()) {
                let pushed = grants.push_file(index, pattern, place);
                pushed.map_err(|error| in_list((index, error.into())))?;
            }
            checks.push(Check::Path(grants.finish()));
        }
        if let Some(patterns) = &raw.host {
            let grants = HostGrants::compile(patterns.iter()).map_err(in_list)?;
            if !grants.subtracts_whole_hosts() {
                return Err(wrong(Problem::Form("`!host:*`, for an argument may name no port")));
            }
            checks.push(Check::Host(grants));
        }
        if let Some(patterns) = &raw.url {
            let grants = UrlGrants::compile(patterns.iter(), WithMethod::No).map_err(in_list)?;
            checks.push(Check::Url(grants));
        }
        if let Some(domains) = &raw.email_domain {
            checks.push(Check::EmailDomain(compile_domains(domains).map_err(in_list)?));
        }
        match (raw.any, checks.is_empty()) {
            (None, false) | (Some(true), true) => {}
            _ => return Err(wrong(Problem::Constraint("say `\"any\": true` alone, or what fits"))),
        }
        Ok(Self { optional: raw.optional, checks: checks.into() })
    }

    /// Reports whether whatever fits `other` provably fits this too: each check here follows from one
    /// there.
    fn contains(&self, other: &Self) -> bool {
        (self.optional || !other.optional)
            && self
                .checks
                .iter()
                .all(|check| other.checks.iter().any(|theirs| check.follows_from(theirs)))
    }

    fn fits(&self, subject: Subject<'_>, around: Surroundings<'_>) -> bool {
        self.checks.iter().all(|check| check.fits(subject, around))
    }
}

fn compile_domains(domains: &Texts) -> Result<Box<[HostPattern]>, (u16, Problem)> {
    const FORM: &str = "a mail domain such as `example.org` or `*.example.org`";
    let compile = |(index, raw): (u16, &str)| {
        let plain = !raw.contains([':', '[', '/', '!']);
        let pattern = HostPattern::parse(&format!("{raw}:*")).ok();
        let pattern = pattern.filter(|pattern| plain && pattern.network().is_none());
        pattern.ok_or((index, Problem::Form(FORM)))
    };
    (0..).zip(domains.iter()).map(compile).collect()
}

impl Check {
    fn follows_from(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::OneOf(own), Self::OneOf(theirs)) => {
                theirs.iter().all(|value| own.contains(value))
            }
            (Self::Glob(own), Self::Glob(theirs)) | (Self::Path(own), Self::Path(theirs)) => {
                theirs.beyond(own).is_nothing()
            }
            (Self::Range(own), Self::Range(theirs)) => {
                own.min.is_none_or(|own| theirs.min.is_some_and(|min| own <= min))
                    && own.max.is_none_or(|own| theirs.max.is_some_and(|max| max <= own))
            }
            (Self::MaxLen(own), Self::MaxLen(theirs)) => theirs <= own,
            (Self::Each(own), Self::Each(theirs)) => own.contains(theirs),
            _ => self == other,
        }
    }

    fn fits(&self, subject: Subject<'_>, around: Surroundings<'_>) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|value| subject.equals(value)),
            Self::Glob(grants) => subject.text().is_some_and(|text| {
                !text.is_empty() && check_visible(text).is_ok() && grants.covers(text).is_some()
            }),
            Self::Range(range) => subject.number().is_some_and(|number| {
                range.min.is_none_or(|min| min <= number)
                    && range.max.is_none_or(|max| number <= max)
            }),
            Self::MaxLen(most) => subject.text().is_some_and(|text| {
                // No text has more characters than bytes, so short ones need no count.
                text.len() <= *most || text.chars().nth(*most).is_none()
            }),
            Self::Each(element) => {
                subject.all_elements(|subject| element.fits(subject, around)).unwrap_or(false)
            }
            Self::Path(grants) => subject.text().is_some_and(|text| {
                let path = resolve(around.paths, around.workspace, text);
                path.is_ok_and(|path| grants.covers(path_name(&path)).is_some())
            }),
            Self::Host(grants) => subject.host_fits(grants),
            Self::Url(grants) => subject.text().is_some_and(|text| grants.covers_text(text)),
            Self::EmailDomain(domains) => {
                subject.text().is_some_and(|text| email_fits(domains, text))
            }
        }
    }
}

fn email_fits(domains: &[HostPattern], text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>(),:;@[]\\".contains(&byte);
    // A port of any value: the patterns cover all.
    let endpoint = Host::parse(domain).and_then(|host| Endpoint::new(host, 1));
    !local.is_empty()
        && local.bytes().all(plain)
        && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && endpoint.is_ok_and(|endpoint| {
            endpoint.host().as_name().is_some()
                && domains.iter().any(|pattern| pattern.matches(&endpoint))
        })
}

/// What a constraint looks at.
#[derive(Debug, Clone, Copy)]
enum Subject<'a> {
    Value(&'a Value),
    Fact(&'a Fact),
    Text(&'a str),
}

impl<'a> Subject<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Self::Value(value) => value.as_str(),
            Self::Fact(Fact::Text(text)) => Some(text),
            Self::Text(text) => Some(text),
            Self::Fact(_) => None,
        }
    }

    fn number(self) -> Option<Decimal> {
        match self {
            Self::Value(value) => value.as_number(),
            Self::Fact(Fact::Long(number)) => Some(Decimal::from(*number)),
            Self::Fact(Fact::Decimal(number)) => Some(*number),
            Self::Fact(_) | Self::Text(_) => None,
        }
    }

    fn address(self) -> Option<IpAddr> {
        match self {
            Self::Fact(Fact::Address(address)) => Some(*address),
            _ => None,
        }
    }

    fn equals(self, expected: &Value) -> bool {
        match self {
            Self::Value(value) => value == expected,
            Self::Fact(Fact::Bool(truth)) => expected.as_bool() == Some(*truth),
            Self::Fact(Fact::TextSet(texts)) => expected.as_array().is_some_and(|expected| {
                let mut expected: Vec<_> = expected.iter().map(Value::as_str).collect();
                expected.sort_unstable();
                expected.dedup();
                // A set of facts is sorted and without repeats.
                expected.len() == texts.len() && expected.into_iter().eq(texts.iter().map(Some))
            }),
            Self::Fact(Fact::Address(address)) => {
                expected.as_str().and_then(|text| text.parse().ok()) == Some(*address)
            }
            Self::Fact(Fact::Text(_) | Fact::Long(_) | Fact::Decimal(_)) | Self::Text(_) => {
                let text = self.text().is_some() && self.text() == expected.as_str();
                text || (self.number().is_some() && self.number() == expected.as_number())
            }
        }
    }

    fn all_elements(self, fits: impl Fn(Subject<'_>) -> bool) -> Option<bool> {
        match self {
            Self::Value(value) => {
                value.as_array().map(|list| list.iter().all(|one| fits(Subject::Value(one))))
            }
            Self::Fact(Fact::TextSet(texts)) => {
                Some(texts.iter().all(|one| fits(Subject::Text(one))))
            }
            Self::Fact(_) | Self::Text(_) => None,
        }
    }

    fn host_fits(self, grants: &HostGrants) -> bool {
        if let Some(address) = self.address() {
            return grants.covers_any_port(Host::from(address));
        }
        let Some(text) = self.text() else { return false };
        match (Endpoint::parse(text), Host::parse(text)) {
            // `[::1]:80` and `a:80` have a port, `::1` and `a` have none; nothing is read both ways.
            (Ok(endpoint), Err(_)) => grants.covers_endpoint(&endpoint).is_some(),
            (Err(_), Ok(host)) => grants.covers_any_port(host),
            _ => false,
        }
    }
}
