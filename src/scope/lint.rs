//! What a careful reviewer would ask about a scope before giving it to an agent.
//!
//! A warning does not change what the scope grants.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::action::host::{Endpoint, Host, HostPattern, Zone};
use crate::action::path::PurePaths;
use crate::identity::SpiffeId;
use crate::scope::Scope;
use crate::scope::compiled::CompiledScope;
use crate::scope::constraint::Constraint;
use crate::scope::descriptor::{Descriptor, Tool, TunnelWay};
use crate::scope::pattern::Grants;
use crate::time::Timestamp;
use crate::value::Decimal;

/// A lifetime above this is worth a question: a task takes hours.
const LONG_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Limits above these are worth a question.
const MANY_ACTIONS: u64 = 10_000;
const MANY_PER_MINUTE: u64 = 600;
const MANY_DENIALS: u64 = 50;
const MANY_TARGETS: u64 = 1_000;
const MUCH_EGRESS_BYTES: u64 = 1 << 30;
const MUCH_ACCELERATOR_SECONDS: u64 = 100 * 60 * 60;
const MUCH_MONEY: u64 = 10_000;

/// One question about a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    code: &'static str,
    field: Box<str>,
    sentence: &'static str,
}

impl Warning {
    pub(super) fn new(
        code: &'static str,
        field: impl Into<Box<str>>,
        sentence: &'static str,
    ) -> Self {
        Self { code, field: field.into(), sentence }
    }

    /// Returns the stable code, such as `lint.any_host`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Returns the field that the question is about, such as `reach.connect[0]`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns the concern as a clause for people.
    #[must_use]
    pub const fn sentence(&self) -> &'static str {
        self.sentence
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {} ({})", self.field, self.sentence, self.code)
    }
}

/// Lists what a reviewer would ask about `scope` at the time `now`.
///
/// Paths are judged by their text, without a look at the file system.
#[must_use]
pub fn lint(scope: &Scope, now: Timestamp) -> Vec<Warning> {
    let descriptor = scope.descriptor();
    let Ok(compiled) = CompiledScope::build(descriptor, scope.digest(), &PurePaths::new()) else {
        return vec![Warning {
            code: "lint.unchecked",
            field: "".into(),
            sentence: "the scope could not be compiled, so nothing was looked at",
        }];
    };
    let mut linter = Linter { raw: descriptor, compiled: &compiled, found: Vec::new() };
    linter.lifetime(now);
    linter.programs();
    linter.tools();
    linter.services();
    linter.files();
    linter.other_data();
    linter.network();
    linter.rights();
    linter.workloads();
    linter.limits();
    linter.spelling();
    linter.found
}

struct Linter<'a> {
    raw: &'a Descriptor,
    compiled: &'a CompiledScope,
    found: Vec<Warning>,
}

impl Linter<'_> {
    fn warn(&mut self, code: &'static str, field: impl Into<Box<str>>, sentence: &'static str) {
        self.found.push(Warning { code, field: field.into(), sentence });
    }

    fn warn_if(&mut self, bad: bool, code: &'static str, field: &str, sentence: &'static str) {
        if bad {
            self.warn(code, field, sentence);
        }
    }

    /// Warns of each element of a list that `bad` picks; elements that subtract are left out.
    fn warn_each(
        &mut self,
        field: &str,
        list: &[String],
        code: &'static str,
        sentence: &'static str,
        bad: impl Fn(&str) -> bool,
    ) {
        for (index, raw) in list.iter().enumerate() {
            if !raw.starts_with('!') && bad(raw) {
                self.warn(code, format!("{field}[{index}]"), sentence);
            }
        }
    }

    fn lifetime(&mut self, now: Timestamp) {
        let (begin, end) = (self.compiled.not_before(), self.compiled.expires());
        self.warn_if(end <= now, "lint.expired", "expires", "the scope is over already");
        self.warn_if(
            end.since(begin.max(now)) > LONG_LIFETIME,
            "lint.long_lifetime",
            "expires",
            "the scope outlives a day; a task takes hours, and a stolen scope lives as long",
        );
        self.warn_if(
            self.raw.not_before.is_none(),
            "lint.no_beginning",
            "not_before",
            "nothing says when the scope begins, so it counts from seven days before its end",
        );
    }

    fn programs(&mut self) {
        let does = &self.raw.actions;
        self.warn_if(
            !does.opaque.is_deny(),
            "lint.opaque_default",
            "do.opaque",
            "every listed program may do what nobody knows",
        );
        for (index, program) in does.programs.iter().enumerate() {
            let field = format!("do.programs[{index}]");
            let opaque = program.opaque.is_some_and(|choice| !choice.is_deny());
            self.warn_if(
                opaque,
                "lint.opaque_program",
                &field,
                "the program may do what nobody knows",
            );
            let name = program.name.rsplit('/').next().unwrap_or_default();
            self.warn_if(
                INTERPRETERS
                    .contains(&name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')),
                "lint.interpreter",
                &field,
                "the program runs whatever code or program it is given",
            );
        }
        let writes = self.raw.touch.write.iter().any(|raw| !raw.starts_with('!'));
        self.warn_if(
            does.workspace_code && writes,
            "lint.workspace_code_and_write",
            "do.workspace_code",
            "an agent that may write and run workspace code may run any code",
        );
        let workspace = self.compiled.workspace().as_str();
        self.warn_if(
            workspace == "/" || matches!(workspace, "/home" | "/root" | "/Users" | "/tmp"),
            "lint.wide_workspace",
            "workspace",
            "the workspace holds more than one task",
        );
    }

    fn tools(&mut self) {
        for (index, tool) in self.raw.actions.tools.iter().enumerate() {
            let field = format!("do.tools[{index}]");
            self.tool(&field, tool);
            self.constraints(&field, tool.args.iter());
        }
        for (index, action) in self.raw.actions.actions.iter().enumerate() {
            let field = format!("do.actions[{index}]");
            self.warn_if(
                !action.other_args.is_deny(),
                "lint.other_args",
                &format!("{field}.other_args"),
                "facts that nobody named may have any value",
            );
            self.constraints(&field, action.args.iter());
        }
    }

    fn tool(&mut self, field: &str, tool: &Tool) {
        self.warn_if(
            !tool.other_args.is_deny(),
            "lint.other_args",
            &format!("{field}.other_args"),
            "arguments that nobody named may have any value",
        );
        self.warn_if(
            is_all(&tool.name),
            "lint.any_tool",
            &format!("{field}.name"),
            "every tool is meant, those registered later too",
        );
        self.warn_if(
            tool.server.is_none(),
            "lint.any_server",
            &format!("{field}.server"),
            "a tool of the same name on any registered server is meant",
        );
    }

    fn constraints<'a>(
        &mut self,
        field: &str,
        list: impl Iterator<Item = (&'a String, &'a Constraint)>,
    ) {
        for (name, constraint) in list {
            self.warn_if(
                constraint.any == Some(true),
                "lint.any_argument",
                &format!("{field}.args.{name}"),
                "the argument may have any value",
            );
        }
    }

    fn services(&mut self) {
        let does = &self.raw.actions;
        let url =
            |raw: &str| raw.split_once(' ').map(|(_, url)| url.to_owned()).unwrap_or_default();
        self.warn_each(
            "do.apis",
            &does.apis,
            "lint.any_api",
            "every operation of the host is granted",
            |raw| raw.starts_with("* ") && raw.ends_with("/**") && raw.matches('/').count() == 3,
        );
        self.warn_each(
            "do.apis",
            &does.apis,
            "lint.any_host",
            "the API may be at any host",
            |raw| url(raw).contains("://*:") || url(raw).contains("://*/"),
        );
        self.warn_each(
            "do.apis",
            &does.apis,
            "lint.plain_text",
            "the API is spoken to without encryption",
            |raw| url(raw).starts_with("http:") || url(raw).starts_with("ws:"),
        );
        for (index, raw) in does.apis.iter().enumerate() {
            let endpoint = endpoint_of(&url(raw)).filter(|_| !raw.starts_with('!'));
            let unreachable = |endpoint: &Endpoint| {
                self.compiled.grants.connect.covers_endpoint(endpoint).is_none()
            };
            self.warn_if(
                endpoint.as_ref().is_some_and(unreachable),
                "lint.api_out_of_reach",
                &format!("do.apis[{index}]"),
                "a call is a connection too, and `reach.connect` does not grant this one",
            );
        }
        self.warn_each(
            "do.messages",
            &does.messages,
            "lint.any_recipient",
            "messages may go to anybody",
            |raw| {
                let address = raw.split_once(':').map_or(raw, |(_, address)| address);
                is_all(address) || address.ends_with("@*") || raw.starts_with("*:")
            },
        );
        self.warn_each(
            "do.workflows",
            &does.workflows,
            "lint.any_workflow",
            "every workflow may be started",
            is_all,
        );
        for (index, payment) in does.payments.iter().enumerate() {
            let field = format!("do.payments[{index}]");
            self.warn_if(
                is_all(&payment.to),
                "lint.any_account",
                &field,
                "any account may be paid",
            );
            let currency = payment.currency.to_ascii_uppercase();
            let budget = self.compiled.limits().spend.get(currency.as_str()).copied();
            self.warn_if(
                budget.is_none(),
                "lint.no_spend_limit",
                &field,
                "`limits.spend` has nothing for the currency, so nothing can be paid",
            );
            let max = Decimal::parse(&payment.max).unwrap_or(Decimal::ZERO);
            self.warn_if(
                budget.is_some_and(|budget| max > budget),
                "lint.payment_above_limit",
                &field,
                "one payment may be larger than what `limits.spend` has in all",
            );
        }
        for (index, publication) in does.publish.iter().enumerate() {
            let field = format!("do.publish[{index}]");
            self.warn_if(
                publication.public,
                "lint.public",
                &field,
                "anybody can see what is published, and it cannot be taken back",
            );
            self.warn_if(
                is_all(&publication.name),
                "lint.any_publication",
                &field,
                "anything may be published there",
            );
        }
        self.warn_each(
            "do.spawn",
            &does.spawn,
            "lint.spawn_domain",
            "every agent of the trust domain may be started",
            |raw| SpiffeId::parse(raw).is_ok_and(|id| id.path().is_empty()),
        );
        self.warn_if(
            !does.remote_shells.is_empty(),
            "lint.remote_shell",
            "do.remote_shells",
            "a peer may command an interpreter, which is beyond what anybody can decide on",
        );
    }

    fn files(&mut self) {
        let touch = &self.raw.touch;
        for (field, list) in [("touch.write", &touch.write), ("touch.delete", &touch.delete)] {
            self.warn_each(
                field,
                list,
                "lint.whole_disk",
                "the pattern begins at the root of the disk",
                is_whole_disk,
            );
            self.warn_each(field, list, "lint.home", "whole home directories are meant", is_home);
            self.warn_each(
                field,
                list,
                "lint.system_directory",
                "the system itself lives there",
                is_system,
            );
            let workspace = self.compiled.workspace().as_str().trim_end_matches('/').to_owned();
            self.warn_each(
                field,
                list,
                "lint.outside_workspace",
                "it lies outside the workspace",
                |raw| {
                    raw.starts_with('/')
                        && !is_below(raw, &workspace)
                        && !is_below(raw, "/tmp")
                        && raw != "/dev/null"
                },
            );
        }
        self.warn_each(
            "touch.read",
            &touch.read,
            "lint.read_whole_disk",
            "the pattern begins at the root of the disk",
            is_whole_disk,
        );
        let grants = &self.compiled.grants;
        let (read, write, delete) = (&grants.read.files, &grants.write.files, &grants.delete.files);
        self.warn_if(
            CREDENTIALS.iter().any(|path| read.covers(*path).is_some()),
            "lint.credentials",
            "touch.read",
            "credentials of people or of the system can be read",
        );
        let workspace = self.compiled.workspace().as_str().trim_start_matches('/').to_owned();
        let inside = |grants: &Grants, name: &str| {
            let path = format!("{workspace}/{name}");
            grants.covers(path.trim_start_matches('/')).is_some()
        };
        self.warn_if(
            inside(write, ".git/hooks/pre-commit"),
            "lint.git_hooks",
            "touch.write",
            "a git hook in the workspace runs at the next commit; subtract `.git/hooks/**`",
        );
        self.warn_if(
            inside(write, ".git/config"),
            "lint.git_config",
            "touch.write",
            "git runs programs that its configuration names; subtract `.git/config`",
        );
        self.warn_if(
            AUTOMATION.iter().any(|name| inside(write, name)),
            "lint.automation",
            "touch.write",
            "files in the workspace make CI, editors or agents run code or change their rules",
        );
        self.warn_if(
            delete.covers_subtree(&*workspace).is_some(),
            "lint.delete_workspace",
            "touch.delete",
            "the whole workspace can be deleted",
        );
    }

    fn other_data(&mut self) {
        let touch = &self.raw.touch;
        for (field, list) in [
            ("touch.read", &touch.read),
            ("touch.write", &touch.write),
            ("touch.delete", &touch.delete),
        ] {
            self.warn_each(
                field,
                list,
                "lint.all_data",
                "every table or every object is meant",
                |raw| {
                    let name = raw.strip_prefix("table:").or_else(|| raw.strip_prefix("object:"));
                    name.is_some_and(is_all)
                },
            );
        }
        for (index, export) in touch.export.iter().enumerate() {
            self.warn_if(
                !export.from.starts_with('!') && is_all(&export.to),
                "lint.any_destination",
                &format!("touch.export[{index}]"),
                "the data may go anywhere",
            );
        }
        self.warn_each(
            "touch.memory.write",
            &touch.memory.write,
            "lint.any_memory",
            "what the agent writes there reaches every later task",
            is_all,
        );
        self.warn_each(
            "touch.secrets",
            &touch.secrets,
            "lint.any_secret",
            "every secret is meant",
            is_all,
        );
        let ways_out = !self.raw.reach.connect.is_empty()
            || !self.raw.actions.apis.is_empty()
            || !self.raw.actions.messages.is_empty()
            || !self.raw.reach.tunnel.is_empty();
        self.warn_if(
            !touch.secrets.is_empty() && ways_out,
            "lint.secrets_and_network",
            "touch.secrets",
            "the task can use secrets and can send them out",
        );
    }

    fn network(&mut self) {
        let reach = &self.raw.reach;
        for (index, raw) in reach.connect.iter().enumerate() {
            if raw.starts_with('!') {
                continue;
            }
            let field = format!("reach.connect[{index}]");
            if let Ok(pattern) = HostPattern::parse(raw) {
                self.connect(&field, raw, &pattern);
            }
        }
        self.warn_each(
            "reach.listen",
            &reach.listen,
            "lint.listen_everywhere",
            "everybody who reaches the machine reaches the port",
            |raw| {
                HostPattern::parse(raw).is_ok_and(|pattern| {
                    pattern.is_any_host()
                        || EVERYWHERE.iter().any(|address| {
                            let host = Host::parse(address);
                            host.is_ok_and(|host| meets(&pattern, &host))
                        })
                })
            },
        );
        for (index, tunnel) in reach.tunnel.iter().enumerate() {
            let field = format!("reach.tunnel[{index}]");
            self.warn_if(
                tunnel.direction != TunnelWay::Forward,
                "lint.tunnel",
                &field,
                "the tunnel carries traffic that nobody decides on",
            );
            self.warn_if(
                tunnel.exposes.is_none(),
                "lint.tunnel_exposes",
                &field,
                "the tunnel may make anything reachable",
            );
        }
        self.warn_each(
            "reach.packages",
            &reach.packages,
            "lint.any_package",
            "any package may be installed, and installing one runs its code",
            |raw| raw.split_once(':').is_some_and(|(_, name)| is_all(name)),
        );
    }

    fn connect(&mut self, field: &str, raw: &str, pattern: &HostPattern) {
        self.warn_if(pattern.is_any_host(), "lint.any_host", field, "any host is meant");
        self.warn_if(pattern.covers_any_port(), "lint.any_port", field, "any port is meant");
        let zones = |wanted: &[Zone]| {
            let inside = NOTABLE.iter().filter_map(|raw| Host::parse(raw).ok());
            let mut inside = inside.filter(|host| meets(pattern, host));
            let own = pattern.network().map(|network| Zone::of_address(&network.addr()));
            let named = raw.rsplit_once(':').and_then(|(host, _)| Host::parse(host).ok());
            own.is_some_and(|zone| wanted.contains(&zone))
                || named.is_some_and(|host| wanted.contains(&Zone::of(&host)))
                || inside.any(|host| wanted.contains(&Zone::of(&host)))
        };
        self.warn_if(
            zones(&[Zone::Metadata]),
            "lint.metadata",
            field,
            "a metadata service of the cloud is meant, which hands out credentials",
        );
        self.warn_if(
            zones(&[Zone::Loopback]),
            "lint.loopback",
            field,
            "the own machine is meant, where services trust their neighbours",
        );
        self.warn_if(
            zones(&[Zone::Private, Zone::LinkLocal, Zone::Special]),
            "lint.private_network",
            field,
            "addresses inside a private network are meant",
        );
        let wide = pattern.network().is_some_and(|network| match network {
            ipnet::IpNet::V4(network) => network.prefix_len() < 16,
            ipnet::IpNet::V6(network) => network.prefix_len() < 48,
        });
        self.warn_if(wide, "lint.wide_network", field, "the network is very large");
        let suffix = raw.strip_prefix("*.").and_then(|rest| rest.rsplit_once(':'));
        self.warn_if(
            suffix.is_some_and(|(suffix, _)| !suffix.contains('.')),
            "lint.wide_suffix",
            field,
            "a whole top-level domain is meant",
        );
    }

    fn rights(&mut self) {
        let reach = &self.raw.reach;
        let privilege = &self.compiled.grants.privilege;
        self.warn_if(
            PRIVILEGES.iter().any(|name| privilege.covers(*name).is_some()),
            "lint.privilege",
            "reach.privilege",
            "the privilege is as good as every other one",
        );
        self.warn_each(
            "reach.identity",
            &reach.identity,
            "lint.any_identity",
            "every identity may be taken",
            is_all,
        );
        self.warn_each(
            "reach.infrastructure",
            &reach.infrastructure,
            "lint.destroy",
            "infrastructure may be destroyed",
            |raw| {
                let verb = raw.split(':').nth(1).unwrap_or_default();
                verb.contains('*') || DESTROY.contains(&verb.to_ascii_lowercase().as_str())
            },
        );
        self.warn_each(
            "reach.infrastructure",
            &reach.infrastructure,
            "lint.any_infrastructure",
            "every resource of the provider is meant",
            |raw| raw.splitn(3, ':').nth(2).is_some_and(is_all),
        );
    }

    fn workloads(&mut self) {
        let run = &self.raw.run;
        self.warn_each("run.jobs", &run.jobs, "lint.any_job", "any job may be submitted", is_all);
        self.warn_each(
            "run.training",
            &run.training,
            "lint.any_training",
            "any model may be trained",
            is_all,
        );
        self.warn_if(
            run.accelerators.as_ref().is_some_and(|list| !list.is_empty())
                && run.accelerator_seconds == 0,
            "lint.no_accelerator_time",
            "run.accelerators",
            "`run.accelerator_seconds` is 0, so no accelerator can be used",
        );
    }

    fn limits(&mut self) {
        let limits = self.compiled.limits();
        let much = [
            ("lint.many_actions", "limits.actions", limits.actions > MANY_ACTIONS),
            ("lint.fast", "limits.per_minute", limits.per_minute > MANY_PER_MINUTE),
            ("lint.many_denials", "limits.denials", limits.denials > MANY_DENIALS),
            (
                "lint.many_targets",
                "limits.distinct_targets",
                limits.distinct_targets > MANY_TARGETS,
            ),
            ("lint.much_egress", "limits.egress_bytes", limits.egress_bytes > MUCH_EGRESS_BYTES),
            (
                "lint.much_accelerator",
                "run.accelerator_seconds",
                limits.accelerator_seconds > MUCH_ACCELERATOR_SECONDS,
            ),
            (
                "lint.much_money",
                "limits.spend",
                limits.spend.values().any(|amount| *amount > Decimal::from(MUCH_MONEY)),
            ),
        ];
        let delegates = limits.delegation_depth > 0;
        for (code, field, bad) in much {
            self.warn_if(bad, code, field, "the limit is so large that it hardly limits");
        }
        self.warn_if(
            delegates,
            "lint.delegation",
            "limits.delegation_depth",
            "the scope may be handed on to other agents",
        );
    }

    fn spelling(&mut self) {
        let (does, touch, reach) = (&self.raw.actions, &self.raw.touch, &self.raw.reach);
        let unusual =
            |raw: &str| raw.contains(['?', '{', '}']) || (raw.contains('[') && raw.contains(']'));
        for (field, list) in [
            ("touch.read", &touch.read),
            ("touch.write", &touch.write),
            ("touch.delete", &touch.delete),
        ] {
            for (index, raw) in list.iter().enumerate() {
                self.warn_if(
                    unusual(raw),
                    "lint.not_a_wildcard",
                    &format!("{field}[{index}]"),
                    "only `*` and `**` are wildcards; other characters stand for themselves",
                );
            }
        }
        for (field, list) in [
            ("do.apis", &does.apis),
            ("do.messages", &does.messages),
            ("reach.connect", &reach.connect),
        ] {
            for (index, raw) in list.iter().enumerate() {
                self.warn_if(
                    raw.starts_with('!'),
                    "lint.fragile_subtraction",
                    &format!("{field}[{index}]"),
                    "the same place may have other names; grant less instead",
                );
            }
        }
    }
}

/// Whether a pattern leaves everything open.
fn is_all(raw: &str) -> bool {
    !raw.is_empty() && raw.chars().all(|c| matches!(c, '*' | '/' | '.'))
}

fn is_whole_disk(raw: &str) -> bool {
    raw == "/" || raw.starts_with("/*")
}

fn is_home(raw: &str) -> bool {
    let mut parts = raw.split('/').skip(1);
    matches!(
        (parts.next(), parts.next(), parts.next()),
        (Some("root"), Some("**"), _)
            | (Some("home" | "Users"), Some("*" | "**"), _)
            | (Some("home" | "Users"), Some(_), Some("**"))
    )
}

fn is_system(raw: &str) -> bool {
    const SYSTEM: [&str; 12] = [
        "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/dev", "/proc", "/sys",
        "/run", "/var/lib",
    ];
    raw != "/dev/null" && SYSTEM.iter().any(|directory| is_below(raw, directory))
}

fn is_below(raw: &str, directory: &str) -> bool {
    let rest = raw.strip_prefix(directory);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The host and port of a pattern of URLs that names one host.
fn endpoint_of(url: &str) -> Option<Endpoint> {
    let url = Url::parse(url).ok()?;
    let host = Host::parse(url.host_str().filter(|host| !host.contains('*'))?).ok()?;
    Endpoint::new(host, url.port_or_known_default()?).ok()
}

/// Whether a pattern means `host` at some port. Which ports it lists is not known here.
fn meets(pattern: &HostPattern, host: &Host) -> bool {
    let network = pattern.network();
    match (network, host.address()) {
        (Some(network), Some(address)) => network.contains(&address),
        (Some(_), None) => false,
        (None, _) => Endpoint::new(host.clone(), 443)
            .is_ok_and(|endpoint| pattern.is_any_host() || pattern.matches(&endpoint)),
    }
}

const INTERPRETERS: [&str; 27] = [
    "sh", "bash", "dash", "zsh", "fish", "ksh", "busybox", "python", "perl", "ruby", "node",
    "deno", "bun", "php", "lua", "awk", "gawk", "env", "xargs", "find", "ssh", "sudo", "doas",
    "docker", "podman", "kubectl", "make",
];

const CREDENTIALS: [&str; 7] = [
    "etc/shadow",
    "root/.ssh/id_ed25519",
    "root/.aws/credentials",
    "home/user/.ssh/id_ed25519",
    "home/user/.aws/credentials",
    "proc/self/environ",
    "var/run/secrets/kubernetes.io/serviceaccount/token",
];

const AUTOMATION: [&str; 6] = [
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    ".vscode/tasks.json",
    ".envrc",
    ".claude/settings.json",
    ".cargo/config.toml",
];

const EVERYWHERE: [&str; 2] = ["0.0.0.0", "::"];

/// One address or name of each zone that is worth a question.
const NOTABLE: [&str; 8] = [
    "169.254.169.254",
    "fd00:ec2::254",
    "metadata.google.internal",
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "192.168.0.1",
    "169.254.0.1",
];

const PRIVILEGES: [&str; 7] =
    ["root", "sudo", "doas", "cap_sys_admin", "cap_dac_override", "cap_setuid", "docker"];

const DESTROY: [&str; 6] = ["delete", "destroy", "terminate", "remove", "purge", "drop"];
