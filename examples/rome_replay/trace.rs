//! The data file: a scope, timed steps with one typed action each, and what is expected of them.

use std::net::{IpAddr, Ipv4Addr};

use countersign::action::{
    Action, ChangePrivilege, Connect, DataRef, Direction, Exec, ExportData, InstallPackage,
    InvokeModel, ReadData, RemoteShell, SubmitJob, Tunnel, TunnelDirection, UseAccelerator,
    UseSecret, WriteData,
};
use countersign::shell::{Shell, ShellEnv};
use countersign::value::Value;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Incident {
    pub(crate) title: String,
    pub(crate) label: Vec<String>,
    pub(crate) published: Vec<String>,
    pub(crate) started: String,
    pub(crate) agent: String,
    pub(crate) environment: String,
    pub(crate) scope: Value,
    pub(crate) steps: Vec<Step>,
    pub(crate) careless: Careless,
}

/// The same steps under a scope that nobody reviewed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Careless {
    pub(crate) scope: Value,
    /// The steps of the attack that the policies alone do not stop.
    pub(crate) lets_through: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Seconds after the start.
    pub(crate) at: u64,
    /// The part of the attack that the step belongs to; none for the work of the task.
    pub(crate) phase: Option<String>,
    /// The technique of MITRE ATT&CK.
    pub(crate) technique: Option<String>,
    pub(crate) what: String,
    /// Where the string was published for this technique, if it was; addresses are exchanged.
    pub(crate) source: Option<String>,
    pub(crate) action: Proposal,
    pub(crate) expect: Expect,
}

impl Step {
    pub(crate) const fn is_attack(&self) -> bool {
        self.phase.is_some()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// `allow`, `defer` or `deny`.
    pub(crate) decision: String,
    /// Reason codes, sorted.
    #[serde(default)]
    pub(crate) because: Vec<String>,
    /// Policies that refuse, sorted.
    #[serde(default)]
    pub(crate) by: Vec<String>,
}

/// A typed action, as the data file writes it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Proposal {
    ChangePrivilege {
        name: String,
    },
    Connect {
        host: String,
        port: u16,
        #[serde(default)]
        resolved_to: Vec<IpAddr>,
        sends_bytes: Option<u64>,
    },
    Exec {
        program: String,
        args: Vec<String>,
        #[serde(default)]
        also: Vec<Proposal>,
        /// Whether `also` is all that the program does; otherwise nobody knows.
        #[serde(default)]
        nothing_else: bool,
    },
    Export {
        data: Data,
        host: String,
        port: u16,
        sends_bytes: u64,
    },
    Install {
        ecosystem: String,
        name: String,
        version: String,
    },
    InvokeModel {
        model: String,
    },
    Read {
        data: Data,
        #[serde(default)]
        classes: Vec<String>,
    },
    RemoteShell {
        program: String,
        direction: ShellWay,
        host: String,
        port: u16,
    },
    /// A line for bash, in the workspace.
    Shell {
        line: String,
    },
    SubmitJob {
        queue: String,
        name: String,
        image: String,
        accelerators: Accelerators,
        #[serde(default)]
        also: Vec<Proposal>,
    },
    /// The same connection to one address after the other: a call for each.
    Sweep {
        network: [u8; 3],
        first: u8,
        last: u8,
        port: u16,
    },
    Tunnel {
        direction: TunnelWay,
        host: String,
        port: u16,
        exposes: String,
    },
    UseAccelerator(Accelerators),
    UseSecret {
        secret: String,
        consumer: String,
    },
    Write {
        data: Data,
    },
}

impl Proposal {
    /// Builds the actions: one, or one for each address of a sweep.
    pub(crate) fn actions(&self) -> Vec<Box<dyn Action + Sync>> {
        let action: Box<dyn Action + Sync> = match self {
            Self::Sweep { network: [a, b, c], first, last, port } => {
                let hosts = (*first..=*last).map(|d| Ipv4Addr::new(*a, *b, *c, d).to_string());
                let connects = hosts.map(|host| Connect::new(host, *port).sends_bytes(0));
                return connects.map(|connect| Box::new(connect) as _).collect();
            }
            Self::ChangePrivilege { name } => Box::new(ChangePrivilege::new(name)),
            Self::Connect { host, port, resolved_to, sends_bytes } => {
                let connect = Connect::new(host, *port).resolved_to(resolved_to.iter().copied());
                Box::new(match sends_bytes {
                    Some(bytes) => connect.sends_bytes(*bytes),
                    None => connect,
                })
            }
            Self::Exec { program, args, also, nothing_else } => {
                let exec = Exec::new(program).args(args);
                let exec = also.iter().flat_map(Self::actions).fold(exec, Exec::and);
                Box::new(if *nothing_else { exec.nothing_else() } else { exec })
            }
            Self::Export { data, host, port, sends_bytes } => {
                Box::new(ExportData::to_host(data, host, *port).sends_bytes(*sends_bytes))
            }
            Self::Install { ecosystem, name, version } => {
                Box::new(InstallPackage::new(ecosystem, name).version(version))
            }
            Self::InvokeModel { model } => Box::new(InvokeModel::new(model)),
            Self::Read { data, classes } => Box::new(ReadData::new(data).classes(classes)),
            Self::RemoteShell { program, direction, host, port } => {
                let direction = match direction {
                    ShellWay::Reverse => Direction::Reverse,
                    ShellWay::Bind => Direction::Bind,
                };
                Box::new(RemoteShell::new(program, direction, host, *port))
            }
            Self::Shell { line } => Box::new(Shell::parse(line, &ShellEnv::bash("."))),
            Self::SubmitJob { queue, name, image, accelerators, also } => {
                let job = SubmitJob::new(queue, name).image(image);
                let job = job.accelerators(accelerators.action());
                Box::new(also.iter().flat_map(Self::actions).fold(job, SubmitJob::and))
            }
            Self::Tunnel { direction, host, port, exposes } => {
                let direction = match direction {
                    TunnelWay::Reverse => TunnelDirection::Reverse,
                    TunnelWay::Forward => TunnelDirection::Forward,
                    TunnelWay::Dynamic => TunnelDirection::Dynamic,
                };
                Box::new(Tunnel::new(direction, host, *port, exposes))
            }
            Self::UseAccelerator(accelerators) => Box::new(accelerators.action()),
            Self::UseSecret { secret, consumer } => Box::new(UseSecret::new(secret, consumer)),
            Self::Write { data } => Box::new(WriteData::new(data)),
        };
        vec![action]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Data {
    File(String),
    Object(String),
}

impl From<&Data> for DataRef {
    fn from(data: &Data) -> Self {
        match data {
            Data::File(path) => Self::File(path.clone()),
            Data::Object(name) => Self::Object(name.clone()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accelerators {
    kind: String,
    count: u32,
    seconds: Option<u64>,
}

impl Accelerators {
    fn action(&self) -> UseAccelerator {
        let accelerators = UseAccelerator::new(&self.kind, self.count);
        match self.seconds {
            Some(seconds) => accelerators.seconds(seconds),
            None => accelerators,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ShellWay {
    Reverse,
    Bind,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TunnelWay {
    Reverse,
    Forward,
    Dynamic,
}
