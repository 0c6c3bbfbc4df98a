//! Lists that grant: endpoints, names with keys in front, operations of remote APIs.

use std::net::IpAddr;

use url::Url;

use crate::action::host::{Endpoint, Host, HostPattern, Zone, canonical_address};
use crate::scope::error::Problem;
use crate::scope::pattern::{
    Beyond, Name, Pattern, PatternError, Separator, check_text, split_subtracts,
};
use crate::text::{check_visible, is_plain_url};

/// The longest URL that is looked at, in bytes.
const MAX_URL_BYTES: usize = 16 * 1024;

/// A list of host patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct HostGrants {
    includes: Box<[(u16, HostPattern)]>,
    excludes: Box<[HostPattern]>,
}

/// Why an endpoint is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostRefusal {
    /// No pattern grants it, or one subtracts it.
    Endpoint,
    /// It is granted, and the address that it leads to is not.
    Address,
}

impl HostGrants {
    /// Compiles a list; a pattern may begin with `!`.
    pub(crate) fn compile<'a>(raw: impl IntoIterator<Item = &'a str>) -> Result<Self, ListProblem> {
        let (mut includes, mut excludes) = (Vec::new(), Vec::new());
        for (index, raw) in (0..).zip(raw) {
            let (subtracts, raw) = split_subtracts(raw);
            let pattern = HostPattern::parse(raw).map_err(|error| (index, Problem::Host(error)))?;
            if subtracts {
                excludes.push(pattern);
            } else {
                includes.push((index, pattern));
            }
        }
        Ok(Self { includes: includes.into(), excludes: excludes.into() })
    }

    /// Finds what grants `endpoint`, which leads to `address` where that is known.
    ///
    /// An address that is not public, or not the one that the endpoint itself names, must be granted as
    /// an address: the grant of a name, of a suffix or of `*` says nothing about the inside of a network.
    pub(crate) fn covers(
        &self,
        endpoint: &Endpoint,
        address: Option<IpAddr>,
    ) -> Result<u16, HostRefusal> {
        let index = self.covers_endpoint(endpoint).ok_or(HostRefusal::Endpoint)?;
        let Some(address) = address.map(canonical_address) else { return Ok(index) };
        if endpoint.host().address() == Some(address) {
            return Ok(index);
        }
        let own = Endpoint::new(Host::from(address), endpoint.port());
        let own = own.map_err(|_| HostRefusal::Address)?;
        let named = endpoint.host().address().is_none();
        let by_name = named && Zone::of_address(&address) == Zone::Global;
        if self.subtracts(&own) || !(by_name || self.covers_address(&own)) {
            return Err(HostRefusal::Address);
        }
        Ok(index)
    }

    /// As [`covers`](Self::covers) where an address, if one is known, must always be granted itself.
    pub(crate) fn covers_listener(
        &self,
        endpoint: &Endpoint,
        address: Option<IpAddr>,
    ) -> Option<u16> {
        let index = self.covers_endpoint(endpoint)?;
        let Some(address) = address.map(canonical_address) else { return Some(index) };
        if endpoint.host().address() == Some(address) {
            return Some(index);
        }
        let own = Endpoint::new(Host::from(address), endpoint.port()).ok()?;
        (!self.subtracts(&own) && self.covers_address(&own)).then_some(index)
    }

    /// Reports whether `host` is granted at every port.
    pub(crate) fn covers_any_port(&self, host: Host) -> bool {
        let Ok(endpoint) = Endpoint::new(host, 1) else { return false };
        let any = |pattern: &HostPattern| pattern.covers_any_port() && pattern.matches(&endpoint);
        self.includes.iter().any(|(_, pattern)| any(pattern))
            && self.subtracts_whole_hosts()
            && !self.subtracts(&endpoint)
    }

    /// Reports whether every pattern that subtracts does so for every port.
    pub(crate) fn subtracts_whole_hosts(&self) -> bool {
        self.excludes.iter().all(HostPattern::covers_any_port)
    }

    /// Finds what grants `endpoint`, whatever it leads to.
    pub(crate) fn covers_endpoint(&self, endpoint: &Endpoint) -> Option<u16> {
        let granted = self.includes.iter().find(|(_, pattern)| pattern.matches(endpoint));
        granted.filter(|_| !self.subtracts(endpoint)).map(|(index, _)| *index)
    }

    /// Finds what is not provably within `other`.
    pub(crate) fn beyond(&self, other: &Self) -> Beyond {
        // Where a name leads to is granted by addresses and networks alone.
        let contains = |theirs: &HostPattern, own: &HostPattern| {
            theirs.contains(own) && (own.network().is_none() || theirs.network().is_some())
        };
        Beyond::of(
            (&self.includes, &self.excludes),
            (&other.includes, &other.excludes),
            contains,
            |_, _| false,
        )
    }

    fn covers_address(&self, endpoint: &Endpoint) -> bool {
        let by_address =
            |pattern: &HostPattern| pattern.network().is_some() && pattern.matches(endpoint);
        self.includes.iter().any(|(_, pattern)| by_address(pattern))
    }

    fn subtracts(&self, endpoint: &Endpoint) -> bool {
        self.excludes.iter().any(|pattern| pattern.touches(endpoint))
    }
}

/// Which element of a list is wrong, and how.
pub(crate) type ListProblem = (u16, Problem);

/// Names that have keys in front: `cargo:serde`, `email:*@example.org`, `aws:update:instance/web-*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keyed {
    keys: Box<[Pattern]>,
    name: Pattern,
}

impl Keyed {
    /// Compiles a pattern with `keys` keys, each followed by `:`. Keys ignore case.
    ///
    /// `separator` says what divides the name behind certain keys.
    pub(crate) fn compile(
        raw: &str,
        keys: usize,
        form: &'static str,
        separator: impl FnOnce(&str) -> Separator,
    ) -> Result<Self, Problem> {
        check_text(raw)?;
        let mut rest = raw;
        let mut found = Vec::with_capacity(keys);
        let mut last = "";
        for _ in 0..keys {
            let (key, tail) = rest.split_once(':').ok_or(Problem::Form(form))?;
            if key.is_empty() {
                return Err(Problem::Form(form));
            }
            found.push(Pattern::compile(&key.to_ascii_lowercase(), Separator::None)?);
            (last, rest) = (key, tail);
        }
        if rest.is_empty() {
            return Err(Problem::Form(form));
        }
        let name = match separator(&last.to_ascii_lowercase()) {
            Separator::At => mail_pattern(rest)?,
            separator => Pattern::compile(rest, separator)?,
        };
        Ok(Self { keys: found.into(), name })
    }

    fn contains(&self, other: &Self) -> bool {
        self.keys.len() == other.keys.len()
            && self.keys.iter().zip(&other.keys).all(|(own, theirs)| own.contains(theirs))
            && self.name.contains(&other.name)
    }

    fn matches(&self, keys: &[&str], name: Name<'_>) -> bool {
        let same = self.keys.len() == keys.len();
        same && self.keys.iter().zip(keys).all(|(pattern, key)| pattern.matches(*key))
            && self.name.matches(name)
    }
}

/// Compiles the pattern of a mail address: exactly one `@`, the domain in lower case, or `**`.
fn mail_pattern(raw: &str) -> Result<Pattern, Problem> {
    const FORM: &str = "an address such as `dana@example.org` or `*@example.org`, or `**` for all";
    if raw == "**" {
        return Ok(Pattern::compile(raw, Separator::At)?);
    }
    let (local, domain) = raw.split_once('@').ok_or(Problem::Form(FORM))?;
    if domain.contains('@') || local == "**" || domain == "**" {
        return Err(Problem::Form(FORM));
    }
    let raw = format!("{local}@{}", domain.to_ascii_lowercase());
    Ok(Pattern::compile(&raw, Separator::At)?)
}

/// A list of [`Keyed`] patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KeyedGrants {
    includes: Box<[(u16, Keyed)]>,
    excludes: Box<[Keyed]>,
}

impl KeyedGrants {
    /// Compiles a list with `one`; a pattern may begin with `!`.
    pub(crate) fn compile<'a>(
        raw: impl IntoIterator<Item = &'a str>,
        one: impl Fn(&str) -> Result<Keyed, Problem>,
    ) -> Result<Self, ListProblem> {
        let (mut includes, mut excludes) = (Vec::new(), Vec::new());
        for (index, raw) in (0..).zip(raw) {
            let (subtracts, raw) = split_subtracts(raw);
            let mut pattern = one(raw).map_err(|problem| (index, problem))?;
            if subtracts {
                let below = pattern.name.with_all_below();
                pattern.name = below.map_err(|error| (index, Problem::Pattern(error)))?;
                excludes.push(pattern);
            } else {
                includes.push((index, pattern));
            }
        }
        Ok(Self { includes: includes.into(), excludes: excludes.into() })
    }

    /// Finds what is not provably within `other`.
    pub(crate) fn beyond(&self, other: &Self) -> Beyond {
        Beyond::of(
            (&self.includes, &self.excludes),
            (&other.includes, &other.excludes),
            Keyed::contains,
            |_, _| false,
        )
    }

    /// Finds what grants `name` behind `keys`.
    pub(crate) fn covers<'a>(&self, keys: &[&str], name: impl Into<Name<'a>>) -> Option<u16> {
        let name = name.into();
        let granted = self.includes.iter().find(|(_, pattern)| pattern.matches(keys, name));
        let (index, pattern) = granted?;
        let subtracted = || self.excludes.iter().any(|pattern| pattern.matches(keys, name));
        (name.is_plain(pattern.name.separator()) && !subtracted()).then_some(*index)
    }
}

/// Operations of remote APIs: `GET https://api.example.org/v1/**`; without a method, URLs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct UrlGrants {
    includes: Box<[(u16, UrlPattern)]>,
    excludes: Box<[UrlPattern]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct UrlPattern {
    /// None for any.
    method: Option<Box<str>>,
    scheme: Box<str>,
    host: HostPattern,
    path: Pattern,
    /// Whether paths with a slash at their end are meant, or those without one; none for both.
    slash: Option<bool>,
}

/// Whether patterns begin with a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithMethod {
    Yes,
    No,
}

impl UrlGrants {
    /// Compiles a list; a pattern may begin with `!`.
    pub(crate) fn compile<'a>(
        raw: impl IntoIterator<Item = &'a str>,
        method: WithMethod,
    ) -> Result<Self, ListProblem> {
        let (mut includes, mut excludes) = (Vec::new(), Vec::new());
        for (index, raw) in (0..).zip(raw) {
            let (subtracts, raw) = split_subtracts(raw);
            let compiled = UrlPattern::compile(raw, method, subtracts);
            let pattern = compiled.map_err(|problem| (index, problem))?;
            if subtracts {
                excludes.push(pattern);
            } else {
                includes.push((index, pattern));
            }
        }
        Ok(Self { includes: includes.into(), excludes: excludes.into() })
    }

    /// Finds what grants `method` (ignored by patterns without one) on the given parts of a URL.
    pub(crate) fn covers(
        &self,
        method: &str,
        scheme: &str,
        endpoint: &Endpoint,
        path: &str,
    ) -> Option<u16> {
        let (name, slash) = path_name(path)?;
        let covered = self.includes.iter().find(|(_, pattern)| {
            pattern.is_about(method, scheme)
                && pattern.slash.is_none_or(|wanted| wanted == slash)
                && pattern.host.matches(endpoint)
                && pattern.path.matches(name)
        });
        let subtracted = self.excludes.iter().any(|pattern| {
            pattern.is_about(method, scheme)
                && pattern.host.touches(endpoint)
                && pattern.path.matches(name)
        });
        covered.filter(|_| !subtracted).map(|(index, _)| *index)
    }

    /// Finds what is not provably within `other`.
    pub(crate) fn beyond(&self, other: &Self) -> Beyond {
        Beyond::of(
            (&self.includes, &self.excludes),
            (&other.includes, &other.excludes),
            UrlPattern::contains,
            |_, _| false,
        )
    }

    /// Reports whether `text` is a URL in plain form that is granted.
    pub(crate) fn covers_text(&self, text: &str) -> bool {
        let Some((url, endpoint)) = parse_url(text) else { return false };
        self.covers("", url.scheme(), &endpoint, url.path()).is_some()
    }
}

impl UrlPattern {
    fn compile(raw: &str, method: WithMethod, subtracts: bool) -> Result<Self, Problem> {
        const FORM: &str = "`GET https://api.example.org/v1/**`, or `*` for any method";
        const URL_FORM: &str = "`https://api.example.org/v1/**`";
        check_text(raw)?;
        let form = if method == WithMethod::Yes { FORM } else { URL_FORM };
        let wrong = || Problem::Form(form);
        let (method, url) = match method {
            WithMethod::Yes => raw.split_once(' ').ok_or_else(wrong)?,
            WithMethod::No => ("*", raw),
        };
        let known = |byte: u8| byte.is_ascii_alphabetic() || byte == b'-';
        if method.is_empty() || (method != "*" && !method.bytes().all(known)) {
            return Err(wrong());
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let port = default_port(scheme).ok_or_else(wrong)?;
        let slash = rest.find('/').ok_or_else(wrong)?;
        let (host, path) = rest.split_at_checked(slash).ok_or_else(wrong)?;
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let host = match has_port {
            true => HostPattern::parse(host),
            false => HostPattern::parse(&format!("{host}:{port}")),
        };
        // Only what the path of a parsed URL can hold: anything else would never match.
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\\\"<>^`{}|".contains(&byte);
        if !path.bytes().all(plain) || hides_plain_character(path) {
            return Err(wrong());
        }
        let open = path == "/**" || path.ends_with("/**");
        let name = if path == "/" { path } else { path.strip_suffix('/').unwrap_or(path) };
        let mut compiled = Pattern::compile_path(name)?;
        if subtracts {
            compiled = compiled.with_all_below()?;
        }
        Ok(Self {
            method: (method != "*").then(|| method.to_ascii_uppercase().into()),
            scheme: scheme.into(),
            host: host.map_err(Problem::Host)?,
            path: compiled,
            slash: (!open).then_some(name != path),
        })
    }

    fn contains(&self, other: &Self) -> bool {
        (self.method.is_none() || self.method == other.method)
            && self.scheme == other.scheme
            && self.host.contains(&other.host)
            && self.path.contains(&other.path)
            && (self.slash.is_none() || self.slash == other.slash)
    }

    fn is_about(&self, method: &str, scheme: &str) -> bool {
        *self.scheme == *scheme && self.method.as_deref().is_none_or(|wanted| wanted == method)
    }
}

/// Parses a URL of the web without credentials.
fn parse_url(text: &str) -> Option<(Url, Endpoint)> {
    if text.len() > MAX_URL_BYTES || check_visible(text).is_err() || !is_plain_url(text) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty() && url.password().is_none();
    let port = url.port().or_else(|| default_port(url.scheme()))?;
    let endpoint = Endpoint::new(Host::parse(url.host_str()?).ok()?, port).ok()?;
    (plain && default_port(url.scheme()).is_some()).then_some((url, endpoint))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// Splits the path of a URL into the name that patterns match and whether it ends with a slash.
///
/// A path that means the same as another one when it is decoded or normalised is none.
fn path_name(path: &str) -> Option<(Name<'_>, bool)> {
    let name = path.strip_prefix('/')?;
    let (name, slash) = match name.strip_suffix('/') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let name = Name::from(name);
    (name.is_plain(Separator::Slash) && !(slash && name.is_root()) && !hides_plain_character(path))
        .then_some((name, slash))
}

/// Whether percent-encoding hides a character that could stand there by itself, or is malformed.
fn hides_plain_character(path: &str) -> bool {
    path.split('%').skip(1).any(|encoded| {
        let digits = encoded.get(..2).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_none_or(|byte| {
            byte.is_ascii_alphanumeric() || byte.is_ascii_control() || b"-._~/\\%".contains(&byte)
        })
    })
}

impl From<PatternError> for Problem {
    fn from(error: PatternError) -> Self {
        Self::Pattern(error)
    }
}
