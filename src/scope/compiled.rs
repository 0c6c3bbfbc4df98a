//! The compiled form of a scope: every pattern parsed, every path resolved.

use std::time::Duration;

use crate::action::Effect;
use crate::action::path::{PathResolver, ResolvedPath, resolve_absolute};
use crate::digest::Digest;
use crate::identity::SpiffeId;
use crate::reason::Reason;
use crate::scope::constraint::{Arguments, Choice};
use crate::scope::descriptor::{self, Descriptor, Payment, Program, TunnelWay};
use crate::scope::error::{Problem, ScopeError};
use crate::scope::grants::{HostGrants, Keyed, KeyedGrants, ListProblem, UrlGrants, WithMethod};
use crate::scope::labels::ScopeLabels;
use crate::scope::limits::{TaskLimits, limits};
use crate::scope::pattern::{
    Grants, GrantsBuilder, Pattern, PatternError, Place, Separator, split_subtracts,
};
use crate::scope::{Scope, TrustedScope};
use crate::text::{check_visible, excerpt};
use crate::time::Timestamp;
use crate::value::Decimal;

/// The longest time between the beginning of a scope and its end: everything ends with its task.
pub const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The most elements of one list: above that, nobody reviews it.
pub const MAX_LIST: usize = 512;

/// The longest name of a task, an owner, a program or a key, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// The longest purpose, in bytes.
pub const MAX_PURPOSE_BYTES: usize = 1024;

/// The largest whole number, which every reader of JSON holds exactly.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// A trusted scope, ready to check effects. Share it in an `Arc`: sessions of one task need one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledScope {
    task: Box<str>,
    purpose: Box<str>,
    owner: Box<str>,
    on_behalf_of: Option<Box<str>>,
    agent: SpiffeId,
    not_before: Timestamp,
    expires: Timestamp,
    workspace: ResolvedPath,
    tier: Option<Box<str>>,
    limits: TaskLimits,
    labels: ScopeLabels,
    digest: Digest,
    parent: Option<Digest>,
    pub(super) grants: AllGrants,
}

/// Every list of the descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AllGrants {
    pub(super) programs: Box<[GrantedProgram]>,
    pub(super) workspace_code: bool,
    pub(super) workspace_code_opaque: bool,
    pub(super) tools: Box<[GrantedTool]>,
    pub(super) apis: UrlGrants,
    pub(super) workflows: Grants,
    pub(super) messages: KeyedGrants,
    pub(super) payments: Box<[GrantedPayment]>,
    pub(super) publish: Box<[GrantedPublication]>,
    pub(super) spawn: Box<[SpiffeId]>,
    pub(super) remote_shells: HostGrants,
    pub(super) actions: Box<[GrantedKind]>,
    pub(super) read: DataGrants,
    pub(super) write: DataGrants,
    pub(super) delete: DataGrants,
    pub(super) export: Box<[GrantedExport]>,
    pub(super) memory_read: Grants,
    pub(super) memory_write: Grants,
    pub(super) secrets: Grants,
    pub(super) connect: HostGrants,
    pub(super) listen: HostGrants,
    pub(super) tunnel: Box<[GrantedTunnel]>,
    pub(super) packages: KeyedGrants,
    pub(super) privilege: Grants,
    pub(super) identity: Grants,
    pub(super) infrastructure: KeyedGrants,
    pub(super) models: Grants,
    pub(super) accelerators: Grants,
    pub(super) jobs: Grants,
    pub(super) training: Grants,
}

/// Sorted by name in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantedProgram {
    pub(super) name: Box<str>,
    pub(super) opaque: bool,
    pub(super) index: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantedTool {
    pub(super) server: Option<Pattern>,
    pub(super) name: Pattern,
    pub(super) arguments: Arguments,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantedPayment {
    pub(super) to: Pattern,
    pub(super) currency: Box<str>,
    pub(super) max: Decimal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantedPublication {
    pub(super) place: Pattern,
    pub(super) name: Pattern,
    pub(super) public: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantedKind {
    pub(super) kind: Box<str>,
    pub(super) target: Pattern,
    pub(super) facts: Arguments,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantedTunnel {
    pub(super) direction: TunnelWay,
    pub(super) to: HostGrants,
    pub(super) exposes: Option<Pattern>,
}

/// One way in which data may leave, or in which it may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantedExport {
    pub(super) subtracts: bool,
    pub(super) from: DataGrants,
    pub(super) to: Pattern,
}

/// A list of data patterns, by kind of data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DataGrants {
    pub(super) files: Grants,
    pub(super) tables: Grants,
    pub(super) objects: Grants,
}

impl DataGrants {
    /// Reports whether both subtract in the same words.
    pub(super) fn subtracts_the_same(&self, other: &Self) -> bool {
        self.files.subtracts_the_same(&other.files)
            && self.tables.subtracts_the_same(&other.tables)
            && self.objects.subtracts_the_same(&other.objects)
    }
}

impl CompiledScope {
    /// Compiles a scope: resolves the workspace and the literal part of each file pattern.
    ///
    /// # Errors
    ///
    /// Returns [`ScopeError`] for a path that cannot be resolved, and for a pattern that is written as
    /// part of the workspace and leads out of it. Everything else was found when the scope was parsed.
    pub fn compile(scope: &TrustedScope, paths: &dyn PathResolver) -> Result<Self, ScopeError> {
        Self::build(scope.scope().descriptor(), scope.scope().digest(), paths)
    }

    /// Compiles a scope that nobody answers for: to ask again what it said, or where the scopes above it,
    /// which somebody answers for, bound it. By itself it grants nothing.
    pub(crate) fn compile_untrusted(
        scope: &Scope,
        paths: &dyn PathResolver,
    ) -> Result<Self, ScopeError> {
        Self::build(scope.descriptor(), scope.digest(), paths)
    }

    /// Returns the name of the task.
    #[must_use]
    pub fn task(&self) -> &str {
        &self.task
    }

    /// Returns what the task is for; empty where the descriptor does not say.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// Returns who answers for the task.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns the class of agents, or the instance, that the scope was given to.
    #[must_use]
    pub const fn agent(&self) -> &SpiffeId {
        &self.agent
    }

    /// Returns for whom the task is done, where it is not the owner.
    #[must_use]
    pub fn on_behalf_of(&self) -> Option<&str> {
        self.on_behalf_of.as_deref()
    }

    /// Returns when the scope begins.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Returns when the scope ends; at that moment it is over.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Returns the resolved directory that relative paths start at.
    #[must_use]
    pub const fn workspace(&self) -> &ResolvedPath {
        &self.workspace
    }

    /// Returns the risk tier that the scope names.
    #[must_use]
    pub fn tier(&self) -> Option<&str> {
        self.tier.as_deref()
    }

    /// The data classes that the scope gives to what `effect` reads.
    pub(crate) fn labels_of<'a>(&'a self, effect: &'a Effect) -> impl Iterator<Item = &'a str> {
        self.labels.of(effect)
    }

    /// Returns the limits, with defaults filled in.
    #[must_use]
    pub const fn limits(&self) -> &TaskLimits {
        &self.limits
    }

    /// Returns the digest of the document.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the digest of the scope that this one names as its parent.
    #[must_use]
    pub const fn parent(&self) -> Option<Digest> {
        self.parent
    }

    /// Checks that the scope is valid at `now`.
    ///
    /// # Errors
    ///
    /// Returns [`Reason::SessionNotYetValid`] before it begins and [`Reason::SessionExpired`] from its
    /// end on.
    pub fn check_time(&self, now: Timestamp) -> Result<(), Reason> {
        if now < self.not_before {
            return Err(Reason::SessionNotYetValid);
        }
        if now >= self.expires {
            return Err(Reason::SessionExpired);
        }
        Ok(())
    }

    /// Checks and compiles a descriptor.
    pub(super) fn build(
        raw: &Descriptor,
        digest: Digest,
        paths: &dyn PathResolver,
    ) -> Result<Self, ScopeError> {
        if raw.scope != descriptor::VERSION {
            return Err(ScopeError::new("scope", Problem::Version(excerpt(&raw.scope))));
        }
        check_name("task", &raw.task, MAX_NAME_BYTES)?;
        if let Some(purpose) = &raw.purpose {
            check_name("purpose", purpose, MAX_PURPOSE_BYTES)?;
        }
        check_party("owner", &raw.owner)?;
        if let Some(party) = &raw.on_behalf_of {
            check_party("on_behalf_of", party)?;
        }
        let agent = SpiffeId::parse(&raw.agent)
            .map_err(|error| ScopeError::new("agent", Problem::Agent(error)))?;
        let parent = raw.parent.as_deref().map(|parent| {
            let form = "the digest of the parent, 64 lower-case hex digits";
            Digest::parse_hex(parent).ok_or_else(|| ScopeError::new("parent", Problem::Form(form)))
        });
        let parent = parent.transpose()?;
        let (not_before, expires) = lifetime(raw)?;
        if !raw.workspace.starts_with('/') {
            return Err(ScopeError::new("workspace", Problem::Workspace));
        }
        let workspace = resolve_absolute(paths, &raw.workspace)
            .map_err(|error| ScopeError::new("workspace", Problem::Path(error)))?;
        if let Some(tier) = &raw.tier {
            check_name("tier", tier, MAX_NAME_BYTES)?;
        }
        let place = Place::new(paths, &raw.workspace, &workspace);
        Ok(Self {
            task: raw.task.as_str().into(),
            purpose: raw.purpose.as_deref().unwrap_or_default().into(),
            owner: raw.owner.as_str().into(),
            on_behalf_of: raw.on_behalf_of.as_deref().map(Into::into),
            agent,
            not_before,
            expires,
            tier: raw.tier.as_deref().map(Into::into),
            limits: limits(raw)?,
            labels: ScopeLabels::compile(&raw.touch.labels, place)?,
            grants: AllGrants::build(raw, place)?,
            workspace,
            digest,
            parent,
        })
    }
}

impl AllGrants {
    fn build(raw: &Descriptor, place: Place<'_>) -> Result<Self, ScopeError> {
        let (does, touch, reach, run) = (&raw.actions, &raw.touch, &raw.reach, &raw.run);
        // A kind is listed only where there is time to use it; then all are, unless some are named.
        let all = ["*".to_owned()];
        let accelerators = match &run.accelerators {
            Some(kinds) => kinds.as_slice(),
            None if run.accelerator_seconds > 0 => &all,
            None => &[],
        };
        Ok(Self {
            programs: programs(&does.programs, does.opaque, place)?,
            workspace_code: does.workspace_code,
            workspace_code_opaque: !does.opaque.is_deny(),
            tools: tools(&does.tools, place)?,
            apis: urls("do.apis", &does.apis)?,
            workflows: names("do.workflows", &does.workflows, Separator::Slash)?,
            messages: keyed("do.messages", &does.messages, message)?,
            payments: payments(&does.payments)?,
            publish: publications(&does.publish)?,
            spawn: spawn(&does.spawn)?,
            remote_shells: hosts("do.remote_shells", &does.remote_shells)?,
            actions: host_kinds(&does.actions, place)?,
            read: data("touch.read", &touch.read, place)?,
            write: data("touch.write", &touch.write, place)?,
            delete: data("touch.delete", &touch.delete, place)?,
            export: exports(&touch.export, place)?,
            memory_read: names("touch.memory.read", &touch.memory.read, Separator::Slash)?,
            memory_write: names("touch.memory.write", &touch.memory.write, Separator::Slash)?,
            secrets: names("touch.secrets", &touch.secrets, Separator::Slash)?,
            connect: hosts("reach.connect", &reach.connect)?,
            listen: hosts("reach.listen", &reach.listen)?,
            tunnel: tunnels(&reach.tunnel)?,
            packages: keyed("reach.packages", &reach.packages, package)?,
            privilege: lower_names("reach.privilege", &reach.privilege)?,
            identity: names("reach.identity", &reach.identity, Separator::Slash)?,
            infrastructure: keyed("reach.infrastructure", &reach.infrastructure, resource)?,
            models: names("run.models", &run.models, Separator::Slash)?,
            accelerators: lower_names("run.accelerators", accelerators)?,
            jobs: names("run.jobs", &run.jobs, Separator::Slash)?,
            training: names("run.training", &run.training, Separator::Slash)?,
        })
    }
}

fn check_name(field: &str, text: &str, most: usize) -> Result<(), ScopeError> {
    let problem = if text.is_empty() {
        "it is empty"
    } else if text.len() > most {
        "it is too long"
    } else if text.trim() != text || check_visible(text).is_err() {
        "it has characters that a reader does not see"
    } else {
        return Ok(());
    };
    Err(ScopeError::new(field, Problem::Name(problem)))
}

fn check_party(field: &str, text: &str) -> Result<(), ScopeError> {
    check_name(field, text, MAX_NAME_BYTES)?;
    let named = |(kind, name): (&str, &str)| {
        matches!(kind, "user" | "team" | "service") && !name.is_empty() && !name.contains(' ')
    };
    if text.split_once(':').is_some_and(named) {
        return Ok(());
    }
    let form = "`user:…`, `team:…` or `service:…`";
    Err(ScopeError::new(field, Problem::Form(form)))
}

fn lifetime(raw: &Descriptor) -> Result<(Timestamp, Timestamp), ScopeError> {
    let parse = |field: &str, text: &str| {
        Timestamp::parse_rfc3339(text).ok_or_else(|| ScopeError::new(field, Problem::Time))
    };
    let expires = parse("expires", &raw.expires)?;
    let Some(not_before) = &raw.not_before else {
        let lifetime = u64::try_from(MAX_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        let begin = expires.as_millis().saturating_sub(lifetime);
        return Ok((Timestamp::from_millis(begin), expires));
    };
    let not_before = parse("not_before", not_before)?;
    if expires <= not_before {
        return Err(ScopeError::new("expires", Problem::Order));
    }
    if expires.since(not_before) > MAX_LIFETIME {
        return Err(ScopeError::new("expires", Problem::Lifetime));
    }
    Ok((not_before, expires))
}

pub(super) fn parse_amount(field: &str, text: &str) -> Result<Decimal, ScopeError> {
    let amount = Decimal::parse(text).ok().filter(|amount| !amount.is_negative());
    let problem = Problem::Number("it is no amount such as `100.00`");
    amount.ok_or_else(|| ScopeError::new(field, problem))
}

pub(super) fn parse_currency(field: &str, text: &str) -> Result<Box<str>, ScopeError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if text.is_empty() || text.len() > 16 || !plain {
        let problem = Problem::Form("an ISO 4217 code or a token's symbol, such as `EUR`");
        return Err(ScopeError::new(field, problem));
    }
    Ok(text.to_ascii_uppercase().into())
}

fn check_length<T>(field: &str, list: &[T]) -> Result<(), ScopeError> {
    if list.len() > MAX_LIST {
        return Err(ScopeError::new(field, Problem::TooMany(MAX_LIST)));
    }
    Ok(())
}

/// Names the element of `field` that an error is about.
fn at(field: &str) -> impl Fn(ListProblem) -> ScopeError {
    move |(index, problem)| ScopeError::new(format!("{field}[{index}]"), problem)
}

/// Compiles the elements of a list one by one.
fn each<T, U>(
    field: &str,
    list: &[T],
    one: impl Fn(&str, u16, &T) -> Result<U, ScopeError>,
) -> Result<Vec<U>, ScopeError> {
    check_length(field, list)?;
    let compile = |(index, raw): (u16, &T)| one(&format!("{field}[{index}]"), index, raw);
    (0..).zip(list).map(compile).collect()
}

fn pattern(field: &str, raw: &str, separator: Separator) -> Result<Pattern, ScopeError> {
    if raw.starts_with('!') {
        return Err(ScopeError::new(field, Problem::Pattern(PatternError::Subtracts)));
    }
    Pattern::compile(raw, separator)
        .map_err(|error| ScopeError::new(field, Problem::Pattern(error)))
}

fn names(field: &str, list: &[String], separator: Separator) -> Result<Grants, ScopeError> {
    check_length(field, list)?;
    let mut grants = GrantsBuilder::default();
    for (index, raw) in (0..).zip(list) {
        let pushed = grants.push(index, raw, separator);
        pushed.map_err(|error| at(field)((index, error.into())))?;
    }
    Ok(grants.finish())
}

/// Names that ignore case and have no segments.
fn lower_names(field: &str, list: &[String]) -> Result<Grants, ScopeError> {
    let lower: Vec<String> = list.iter().map(|raw| raw.to_ascii_lowercase()).collect();
    names(field, &lower, Separator::None)
}

fn hosts(field: &str, list: &[String]) -> Result<HostGrants, ScopeError> {
    check_length(field, list)?;
    HostGrants::compile(list.iter().map(String::as_str)).map_err(at(field))
}

fn urls(field: &str, list: &[String]) -> Result<UrlGrants, ScopeError> {
    check_length(field, list)?;
    UrlGrants::compile(list.iter().map(String::as_str), WithMethod::Yes).map_err(at(field))
}

fn keyed(
    field: &str,
    list: &[String],
    one: impl Fn(&str) -> Result<Keyed, Problem>,
) -> Result<KeyedGrants, ScopeError> {
    check_length(field, list)?;
    KeyedGrants::compile(list.iter().map(String::as_str), one).map_err(at(field))
}

fn message(raw: &str) -> Result<Keyed, Problem> {
    Keyed::compile(raw, 1, "`channel:address`, such as `email:*@example.org`", |channel| {
        if channel == "email" { Separator::At } else { Separator::None }
    })
}

fn package(raw: &str) -> Result<Keyed, Problem> {
    Keyed::compile(raw, 1, "`ecosystem:name`, such as `cargo:serde`", |_| Separator::Slash)
}

fn resource(raw: &str) -> Result<Keyed, Problem> {
    const FORM: &str = "`provider:verb:resource/name`, such as `aws:update:instance/web-*`";
    Keyed::compile(raw, 2, FORM, |_| Separator::Slash)
}

fn programs(
    list: &[Program],
    default: Choice,
    place: Place<'_>,
) -> Result<Box<[GrantedProgram]>, ScopeError> {
    let field = "do.programs";
    let mut granted = each(field, list, |field, index, raw| {
        check_name(field, &raw.name, MAX_NAME_BYTES)?;
        let name = if raw.name.starts_with('/') {
            place.resolve(&raw.name).map_err(|error| ScopeError::new(field, error))?.as_str().into()
        } else if raw.name.contains(['/', '*', '!', '~']) {
            let form = "a bare name such as `git`, or an absolute path, without wildcards";
            return Err(ScopeError::new(field, Problem::Form(form)));
        } else {
            raw.name.as_str().into()
        };
        let opaque = !raw.opaque.unwrap_or(default).is_deny();
        Ok(GrantedProgram { name, opaque, index })
    })?;
    granted.sort_by(|one, other| one.name.cmp(&other.name));
    // Two entries for one program could contradict each other.
    let twice =
        granted.windows(2).find(|pair| matches!(pair, [one, other] if one.name == other.name));
    if let Some([_, other]) = twice {
        return Err(at(field)((other.index, Problem::Duplicate)));
    }
    Ok(granted.into())
}

fn tools(list: &[descriptor::Tool], place: Place<'_>) -> Result<Box<[GrantedTool]>, ScopeError> {
    let tools = each("do.tools", list, |field, _, raw| {
        let server = raw.server.as_deref();
        let server = server
            .map(|server| pattern(&format!("{field}.server"), server, Separator::Slash))
            .transpose()?;
        let name = pattern(&format!("{field}.name"), &raw.name, Separator::Slash)?;
        let args = format!("{field}.args");
        let arguments = Arguments::compile(&args, &raw.args, raw.other_args, place)?;
        Ok(GrantedTool { server, name, arguments })
    })?;
    Ok(tools.into())
}

fn payments(list: &[Payment]) -> Result<Box<[GrantedPayment]>, ScopeError> {
    let payments = each("do.payments", list, |field, _, raw| {
        Ok(GrantedPayment {
            to: pattern(&format!("{field}.to"), &raw.to, Separator::Slash)?,
            currency: parse_currency(&format!("{field}.currency"), &raw.currency)?,
            max: parse_amount(&format!("{field}.max"), &raw.max)?,
        })
    })?;
    Ok(payments.into())
}

fn publications(list: &[descriptor::Publication]) -> Result<Box<[GrantedPublication]>, ScopeError> {
    let publications = each("do.publish", list, |field, _, raw| {
        let place = raw.place.to_ascii_lowercase();
        let place = pattern(&format!("{field}.place"), &place, Separator::None)?;
        let name = pattern(&format!("{field}.name"), &raw.name, Separator::Slash)?;
        Ok(GrantedPublication { place, name, public: raw.public })
    })?;
    Ok(publications.into())
}

fn spawn(list: &[String]) -> Result<Box<[SpiffeId]>, ScopeError> {
    let ids = each("do.spawn", list, |field, _, raw| {
        SpiffeId::parse(raw).map_err(|error| ScopeError::new(field, Problem::Agent(error)))
    })?;
    Ok(ids.into())
}

fn host_kinds(
    list: &[descriptor::HostKind],
    place: Place<'_>,
) -> Result<Box<[GrantedKind]>, ScopeError> {
    let kinds = each("do.actions", list, |field, _, raw| {
        let kind = format!("{field}.kind");
        check_name(&kind, &raw.kind, MAX_NAME_BYTES)?;
        let built_in = |known: &crate::action::Kind| known.as_str() == raw.kind;
        if crate::action::Kind::BUILT_IN.iter().any(built_in) || raw.kind.contains(['*', '!', ':'])
        {
            let form = "the kind of a host-brought action; built-in kinds have fields of their own";
            return Err(ScopeError::new(kind, Problem::Form(form)));
        }
        let args = format!("{field}.args");
        Ok(GrantedKind {
            kind: raw.kind.as_str().into(),
            target: pattern(&format!("{field}.target"), &raw.target, Separator::Slash)?,
            facts: Arguments::compile(&args, &raw.args, raw.other_args, place)?,
        })
    })?;
    Ok(kinds.into())
}

fn tunnels(list: &[descriptor::TunnelGrant]) -> Result<Box<[GrantedTunnel]>, ScopeError> {
    let tunnels = each("reach.tunnel", list, |field, _, raw| {
        let to = HostGrants::compile([raw.to.as_str()]);
        let to = to.map_err(|(_, problem)| ScopeError::new(format!("{field}.to"), problem))?;
        let exposes = raw.exposes.as_deref();
        let exposes = exposes
            .map(|exposes| pattern(&format!("{field}.exposes"), exposes, Separator::None))
            .transpose()?;
        Ok(GrantedTunnel { direction: raw.direction, to, exposes })
    })?;
    Ok(tunnels.into())
}

fn data(field: &str, list: &[String], place: Place<'_>) -> Result<DataGrants, ScopeError> {
    check_length(field, list)?;
    let mut builder = DataBuilder::default();
    for (index, raw) in (0..).zip(list) {
        let pushed = builder.push(index, raw, place);
        pushed.map_err(|error| at(field)((index, error.into())))?;
    }
    Ok(builder.finish())
}

fn exports(
    list: &[descriptor::Export],
    place: Place<'_>,
) -> Result<Box<[GrantedExport]>, ScopeError> {
    let exports = each("touch.export", list, |field, index, raw| {
        let (subtracts, _) = split_subtracts(&raw.from);
        let mut from = DataBuilder::default();
        let pushed = from.push(index, &raw.from, place);
        pushed.map_err(|error| ScopeError::new(format!("{field}.from"), error))?;
        let to = pattern(&format!("{field}.to"), &raw.to, Separator::Slash)?;
        Ok(GrantedExport { subtracts, from: from.finish(), to })
    })?;
    Ok(exports.into())
}

#[derive(Debug, Default)]
pub(super) struct DataBuilder {
    files: GrantsBuilder,
    tables: GrantsBuilder,
    objects: GrantsBuilder,
}

impl DataBuilder {
    pub(super) fn push(
        &mut self,
        index: u16,
        raw: &str,
        place: Place<'_>,
    ) -> Result<(), PatternError> {
        let (subtracts, name) = split_subtracts(raw);
        let (list, name, separator) = if let Some(name) = name.strip_prefix("table:") {
            (&mut self.tables, name, Separator::Dot)
        } else if let Some(name) = name.strip_prefix("object:") {
            (&mut self.objects, name, Separator::Slash)
        } else {
            return self.files.push_file(index, raw, place);
        };
        list.push_compiled(index, subtracts, Pattern::compile(name, separator)?)
    }

    pub(super) fn finish(self) -> DataGrants {
        DataGrants {
            files: self.files.finish(),
            tables: self.tables.finish(),
            objects: self.objects.finish(),
        }
    }
}
