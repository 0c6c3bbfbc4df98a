//! The check of one effect against a compiled scope.

use std::fmt;
use std::net::IpAddr;

use crate::action::host::Endpoint;
use crate::action::path::{PathResolver, ResolvedPath};
use crate::action::{Effect, Fact, Kind, Target};
use crate::reason::Reason;
use crate::scope::compiled::{CompiledScope, DataGrants};
use crate::scope::constraint::Surroundings;
use crate::scope::grants::{HostGrants, HostRefusal};
use crate::scope::pattern::{Matches, Name, Separator, path_name};
use crate::value::Decimal;

/// What in the descriptor granted an effect: `touch.read[0]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rule {
    field: &'static str,
    index: Option<u16>,
}

impl Rule {
    /// Returns the field, such as `touch.read`.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Returns the place in the list; none for a field that is no list.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.index.map(usize::from)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}[{index}]", self.field),
            None => f.write_str(self.field),
        }
    }
}

impl CompiledScope {
    /// Checks whether the scope grants `effect`, and says which element of the descriptor does.
    ///
    /// `paths` resolves the arguments that constraints of the type `path` look at; nothing else is
    /// looked up.
    ///
    /// # Errors
    ///
    /// Returns the [`Reason`] of the field that could have granted it and did not.
    ///
    /// # Security
    ///
    /// A kind with a target that does not belong to it, and a name that is not in normal form, are
    /// refused. What could not be understood is never granted: [`Reason::ScopeOpaque`].
    pub fn check(&self, effect: &Effect, paths: &dyn PathResolver) -> Result<Rule, Reason> {
        let grants = &self.grants;
        match effect.kind() {
            Kind::ToolCall => self.check_tool(effect.target(), paths),
            Kind::ApiCall => match effect.target() {
                Target::Api { method, scheme, endpoint, path } => {
                    let found = grants.apis.covers(method, scheme, endpoint, path);
                    rule("do.apis", found, Reason::ScopeApi)
                }
                _ => Err(Reason::ScopeApi),
            },
            Kind::TriggerWorkflow => match effect.target() {
                Target::Workflow(name) => {
                    rule("do.workflows", grants.workflows.covers(&**name), Reason::ScopeWorkflow)
                }
                _ => Err(Reason::ScopeWorkflow),
            },
            Kind::SendMessage => self.check_message(effect.target()),
            Kind::SpawnAgent => match effect.target() {
                Target::Agent(id) => {
                    let found = position(&grants.spawn, |class| class.contains_text(id));
                    rule("do.spawn", found, Reason::ScopeSpawn)
                }
                _ => Err(Reason::ScopeSpawn),
            },
            Kind::Pay => self.check_payment(effect.target()),
            Kind::Publish => match effect.target() {
                Target::Artifact { place, name, public } => {
                    let plain = Name::from(&**name).is_plain(Separator::Slash);
                    let found = position(&grants.publish, |granted| {
                        plain
                            && (granted.public || !public)
                            && granted.place.matches(&**place)
                            && granted.name.matches(&**name)
                    });
                    rule("do.publish", found, Reason::ScopePublish)
                }
                _ => Err(Reason::ScopePublish),
            },
            Kind::RemoteShell => {
                let peer = endpoint(effect.target(), Reason::ScopeRemoteShell)?;
                connect("do.remote_shells", &grants.remote_shells, peer, Reason::ScopeRemoteShell)
            }
            Kind::Exec => self.check_program(effect.target()),
            Kind::Connect => {
                let peer = endpoint(effect.target(), Reason::ScopeConnect)?;
                connect("reach.connect", &grants.connect, peer, Reason::ScopeConnect)
            }
            Kind::Listen => {
                let (at, address) = endpoint(effect.target(), Reason::ScopeListen)?;
                let found = grants.listen.covers_listener(at, address);
                rule("reach.listen", found, Reason::ScopeListen)
            }
            Kind::Tunnel => self.check_tunnel(effect),
            Kind::UseSecret => match effect.target() {
                Target::Secret(name) => {
                    rule("touch.secrets", grants.secrets.covers(&**name), Reason::ScopeSecret)
                }
                _ => Err(Reason::ScopeSecret),
            },
            Kind::ChangePrivilege => match effect.target() {
                Target::Privilege(name) => {
                    let found = grants.privilege.covers(&**name);
                    rule("reach.privilege", found, Reason::ScopePrivilege)
                }
                _ => Err(Reason::ScopePrivilege),
            },
            Kind::ChangeIdentity => match effect.target() {
                Target::Identity(name) => {
                    rule("reach.identity", grants.identity.covers(&**name), Reason::ScopeIdentity)
                }
                _ => Err(Reason::ScopeIdentity),
            },
            Kind::MutateInfrastructure => match effect.target() {
                Target::Infrastructure { provider, verb, resource, name } => {
                    let name = Name::pair(resource, name);
                    let found = grants.infrastructure.covers(&[provider, verb], name);
                    rule("reach.infrastructure", found, Reason::ScopeInfrastructure)
                }
                _ => Err(Reason::ScopeInfrastructure),
            },
            Kind::InstallPackage => match effect.target() {
                Target::Package { ecosystem, name } => {
                    let found = grants.packages.covers(&[ecosystem], &**name);
                    rule("reach.packages", found, Reason::ScopePackage)
                }
                _ => Err(Reason::ScopePackage),
            },
            Kind::ReadData => {
                let found = grants.read.covers(effect.target(), Access::Look);
                rule("touch.read", found, Reason::ScopeRead)
            }
            Kind::WriteData => {
                let found = grants.write.covers(effect.target(), Access::Change);
                rule("touch.write", found, Reason::ScopeWrite)
            }
            Kind::DeleteData => {
                let found = grants.delete.covers(effect.target(), Access::Change);
                rule("touch.delete", found, Reason::ScopeDelete)
            }
            Kind::ExportData => self.check_export(effect),
            Kind::RecallMemory => match effect.target() {
                Target::Memory(name) => {
                    let found = grants.memory_read.covers(&**name);
                    rule("touch.memory.read", found, Reason::ScopeMemoryRead)
                }
                _ => Err(Reason::ScopeMemoryRead),
            },
            Kind::WriteMemory => match effect.target() {
                Target::Memory(name) => {
                    let found = grants.memory_write.covers(&**name);
                    rule("touch.memory.write", found, Reason::ScopeMemoryWrite)
                }
                _ => Err(Reason::ScopeMemoryWrite),
            },
            Kind::InvokeModel => match effect.target() {
                Target::Model(name) => {
                    rule("run.models", grants.models.covers(&**name), Reason::ScopeModel)
                }
                _ => Err(Reason::ScopeModel),
            },
            Kind::SubmitJob => match effect.target() {
                Target::Job { queue, name } => {
                    let found = grants.jobs.covers(Name::pair(queue, name));
                    rule("run.jobs", found, Reason::ScopeJob)
                }
                _ => Err(Reason::ScopeJob),
            },
            Kind::UseAccelerator => match effect.target() {
                Target::Accelerator { kind } if self.limits().accelerator_seconds > 0 => {
                    let found = grants.accelerators.covers(&**kind);
                    rule("run.accelerators", found, Reason::ScopeAccelerator)
                }
                _ => Err(Reason::ScopeAccelerator),
            },
            Kind::StartTraining => match effect.target() {
                Target::Training(name) => {
                    rule("run.training", grants.training.covers(&**name), Reason::ScopeTraining)
                }
                _ => Err(Reason::ScopeTraining),
            },
            Kind::Opaque(_) => Err(Reason::ScopeOpaque),
            Kind::Host { name, .. } => self.check_host_kind(name, effect, paths),
        }
    }

    fn check_tool(&self, target: &Target, paths: &dyn PathResolver) -> Result<Rule, Reason> {
        let Target::Tool { server, name, arguments } = target else {
            return Err(Reason::ScopeTool);
        };
        let around = Surroundings { paths, workspace: self.workspace() };
        let mut reason = Reason::ScopeTool;
        let plain = |text: &str| Name::from(text).is_plain(Separator::Slash);
        for (index, tool) in (0..).zip(&self.grants.tools) {
            let meant = plain(server)
                && plain(name)
                && tool.name.matches(&**name)
                && tool.server.as_ref().is_none_or(|servers| servers.matches(&**server));
            if !meant {
                continue;
            }
            if tool.arguments.allow_object(arguments, around) {
                return Ok(Rule { field: "do.tools", index: Some(index) });
            }
            reason = Reason::ScopeToolArgument;
        }
        Err(reason)
    }

    fn check_message(&self, target: &Target) -> Result<Rule, Reason> {
        let Target::Recipient { channel, address, email_domain } = target else {
            return Err(Reason::ScopeMessage);
        };
        // Patterns of mail rely on the one `@` and on the domain in normal form.
        if &**channel == "email" {
            let domain = address.split_once('@').map(|(_, domain)| domain);
            if domain.is_none() || domain != email_domain.as_deref() {
                return Err(Reason::ScopeMessage);
            }
        }
        let found = self.grants.messages.covers(&[channel], &**address);
        rule("do.messages", found, Reason::ScopeMessage)
    }

    fn check_payment(&self, target: &Target) -> Result<Rule, Reason> {
        let Target::Payment { account, amount, currency } = target else {
            return Err(Reason::ScopePayment);
        };
        let plain = Name::from(&**account).is_plain(Separator::Slash);
        let found = position(&self.grants.payments, |payment| {
            plain
                && *payment.currency == **currency
                && *amount > Decimal::ZERO
                && *amount <= payment.max
                && payment.to.matches(&**account)
        });
        rule("do.payments", found, Reason::ScopePayment)
    }

    fn check_program(&self, target: &Target) -> Result<Rule, Reason> {
        let Target::Program { program, opaque } = target else {
            return Err(Reason::ScopeProgram);
        };
        let programs = &self.grants.programs;
        let listed = programs.binary_search_by(|granted| (*granted.name).cmp(program));
        if let Some(granted) = listed.ok().and_then(|at| programs.get(at)) {
            if let Some(reason) = opaque.filter(|_| !granted.opaque) {
                return Err(reason);
            }
            return Ok(Rule { field: "do.programs", index: Some(granted.index) });
        }
        if !self.grants.workspace_code || !is_inside(program, self.workspace()) {
            return Err(Reason::ScopeProgram);
        }
        if let Some(reason) = opaque.filter(|_| !self.grants.workspace_code_opaque) {
            return Err(reason);
        }
        Ok(Rule { field: "do.workspace_code", index: None })
    }

    fn check_tunnel(&self, effect: &Effect) -> Result<Rule, Reason> {
        let (far, address) = endpoint(effect.target(), Reason::ScopeTunnel)?;
        let text = |name: &str| match effect.facts().fact(name) {
            Some(Fact::Text(text)) => Some(&**text),
            _ => None,
        };
        let direction = text("direction").ok_or(Reason::ScopeTunnel)?;
        let exposes = text("exposes");
        let mut reason = Reason::ScopeTunnel;
        for (index, tunnel) in (0..).zip(&self.grants.tunnel) {
            let near = match (&tunnel.exposes, exposes) {
                (None, _) => true,
                (Some(pattern), Some(exposes)) => pattern.matches(exposes),
                (Some(_), None) => false,
            };
            if tunnel.direction.as_str() != direction || !near {
                continue;
            }
            match tunnel.to.covers(far, address) {
                Ok(_) => return Ok(Rule { field: "reach.tunnel", index: Some(index) }),
                Err(HostRefusal::Address) => reason = Reason::ScopeResolvedAddress,
                Err(HostRefusal::Endpoint) => {}
            }
        }
        Err(reason)
    }

    fn check_export(&self, effect: &Effect) -> Result<Rule, Reason> {
        let Some(Fact::Text(destination)) = effect.facts().fact("destination") else {
            return Err(Reason::ScopeExport);
        };
        if !Name::from(&**destination).is_plain(Separator::Slash) {
            return Err(Reason::ScopeExport);
        }
        let exports = &self.grants.export;
        let subtracted = exports.iter().any(|export| {
            export.subtracts
                && export.to.matches(&**destination)
                && export.from.subtracts(effect.target())
        });
        let found = position(exports, |export| {
            !export.subtracts
                && export.to.matches(&**destination)
                && export.from.covers(effect.target(), Access::Look).is_some()
        });
        rule("touch.export", found.filter(|_| !subtracted), Reason::ScopeExport)
    }

    fn check_host_kind(
        &self,
        kind: &str,
        effect: &Effect,
        paths: &dyn PathResolver,
    ) -> Result<Rule, Reason> {
        let Target::Resource(name) = effect.target() else { return Err(Reason::ScopeAction) };
        let around = Surroundings { paths, workspace: self.workspace() };
        let plain = Name::from(&**name).is_plain(Separator::Slash);
        let found = position(&self.grants.actions, |action| {
            plain
                && *action.kind == *kind
                && action.target.matches(&**name)
                && action.facts.allow_facts(effect.facts(), around)
        });
        rule("do.actions", found, Reason::ScopeAction)
    }
}

/// What is done with data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// It stays what it is.
    Look,
    /// It is written, replaced, moved or deleted.
    Change,
}

impl DataGrants {
    /// Finds what grants `target`; a recursive one with everything below it.
    ///
    /// A directory that a subtraction names something in is not granted for change: were it moved away
    /// or replaced by a link, what is subtracted would have another name.
    fn covers(&self, target: &Target, access: Access) -> Option<u16> {
        match target {
            Target::File { path, recursive: false } => {
                let name = path_name(path);
                let holds = || access == Access::Change && self.files.subtracts_inside(name);
                self.files.covers(name).filter(|_| !holds())
            }
            Target::File { path, recursive: true } => self.files.covers_subtree(path_name(path)),
            Target::Files { below, names, recursive, tracked } => {
                let matches = Matches { names, recursive: *recursive, tracked: *tracked };
                self.files.covers_matches(path_name(below), matches)
            }
            Target::Table(name) => self.tables.covers(&**name),
            Target::Object { name, recursive: false } => self.objects.covers(&**name),
            Target::Object { name, recursive: true } => self.objects.covers_subtree(&**name),
            _ => None,
        }
    }

    /// Reports whether `target`, or something below a recursive one, is subtracted.
    pub(super) fn subtracts(&self, target: &Target) -> bool {
        match target {
            Target::File { path, recursive } => self.files.subtracts(path_name(path), *recursive),
            Target::Files { below, names, recursive, tracked } => {
                let matches = Matches { names, recursive: *recursive, tracked: *tracked };
                self.files.subtracts_matches(path_name(below), matches)
            }
            Target::Table(name) => self.tables.subtracts(&**name, false),
            Target::Object { name, recursive } => self.objects.subtracts(&**name, *recursive),
            _ => true,
        }
    }
}

fn rule(field: &'static str, index: Option<u16>, reason: Reason) -> Result<Rule, Reason> {
    index.map(|index| Rule { field, index: Some(index) }).ok_or(reason)
}

fn position<T>(list: &[T], granted: impl Fn(&T) -> bool) -> Option<u16> {
    (0..).zip(list).find(|(_, element)| granted(element)).map(|(index, _)| index)
}

fn endpoint(target: &Target, reason: Reason) -> Result<(&Endpoint, Option<IpAddr>), Reason> {
    match target {
        Target::Endpoint { endpoint, address } => Ok((endpoint, *address)),
        _ => Err(reason),
    }
}

fn connect(
    field: &'static str,
    grants: &HostGrants,
    (endpoint, address): (&Endpoint, Option<IpAddr>),
    reason: Reason,
) -> Result<Rule, Reason> {
    match grants.covers(endpoint, address) {
        Ok(index) => Ok(Rule { field, index: Some(index) }),
        Err(HostRefusal::Endpoint) => Err(reason),
        Err(HostRefusal::Address) => Err(Reason::ScopeResolvedAddress),
    }
}

/// Whether the resolved path `program` is `directory` or lies below it.
fn is_inside(program: &str, directory: &ResolvedPath) -> bool {
    let rest = program.strip_prefix(directory.as_str().trim_end_matches('/'));
    match rest.map(|rest| rest.strip_prefix('/').ok_or(rest)) {
        Some(Ok(rest)) => Name::from(rest).is_plain(Separator::Slash),
        Some(Err(rest)) => rest.is_empty(),
        None => false,
    }
}
