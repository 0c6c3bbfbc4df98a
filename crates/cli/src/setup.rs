//! What cases are judged by: bundle, tools, clock, paths, and the scope file.

use std::fs::File;
use std::io::Read as _;
use std::ops::Deref;
use std::path::Path;

use countersign::action::path::PurePaths;
use countersign::authorizer::{Evaluator, Trial};
use countersign::policy::{Authored, Enforced};
use countersign::scope::Scope;
use countersign::session::OpenError;
use countersign::shell::ShellEnv;
use countersign::time::{Clock, ClockError, SystemClock, Timestamp};
use countersign::tool::{ServerTrust, ToolManifest};
use countersign::value::Limits;

use crate::arguments::{DEFAULT_SERVER, Judging, Remote};
use crate::failure::Failure;
use crate::shell_line;

/// What cases are judged by.
#[derive(Debug)]
pub(crate) struct Judge {
    evaluator: Evaluator,
    bundle: Enforced,
    remotes: Vec<Remote>,
}

/// A scope, ready to be asked about, and the shell that lines are judged for under it.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Scope and agent.
    pub(crate) trial: Trial,
    /// The shell.
    pub(crate) shell: ShellEnv,
}

impl Deref for Prepared {
    type Target = Trial;

    fn deref(&self) -> &Trial {
        &self.trial
    }
}

/// Why a tool call that names no server cannot be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

impl Judge {
    /// Loads the bundle with its tools, and sets clock and paths.
    pub(crate) fn load(options: &Judging) -> Result<Self, Failure> {
        let mut tools = ToolManifest::new();
        for listing in &options.tools {
            let text = read(&listing.file, Limits::DOCUMENT.max_bytes)?;
            // Nobody vouches for the server here, so that its annotations only tighten.
            tools
                .add_listing(&listing.server, ServerTrust::Untrusted, &text)
                .map_err(|error| Failure::Tools(listing.file.clone(), error))?;
        }
        let refused = |error| Failure::Bundle(options.bundle.clone(), error);
        let bundle = Authored::read_dir(&options.bundle).map_err(refused)?;
        let bundle = bundle.with_tools(tools).load().map_err(refused)?;
        let evaluator = match options.now {
            Some(now) => Evaluator::new(&bundle, StoppedClock(now)),
            None => Evaluator::new(&bundle, SystemClock::new().map_err(Failure::Clock)?),
        };
        let evaluator =
            if options.real_paths { evaluator } else { evaluator.with_paths(PurePaths::new()) };
        let remotes = options.remote.clone();
        Ok(Self { evaluator: evaluator.remembering(), bundle, remotes })
    }

    /// Reads the scope in `file` and makes it ready.
    pub(crate) fn scope_file(&self, file: &Path) -> Result<Prepared, Failure> {
        let text = read(file, Limits::DOCUMENT.max_bytes)?;
        let scope = Scope::parse(&text).map_err(|error| Failure::Scope(file.into(), error))?;
        self.prepare(&scope).map_err(|error| Failure::Prepare(file.into(), error))
    }

    /// Makes a scope ready for the agent that it names, as if that were the instance at work.
    pub(crate) fn prepare(&self, scope: &Scope) -> Result<Prepared, OpenError> {
        let trusted = scope.dangerous().trust_unsigned();
        // Nothing runs on the answer, so that nobody has to prove to be this agent.
        let agent = countersign::identity::SpiffeId::parse(&scope.descriptor().agent);
        let Ok(agent) = agent else {
            return Err(OpenError::Refused(countersign::Reason::IdentityMismatch));
        };
        let trial = self.evaluator.prepare(&trusted, &agent.dangerous().assume_verified())?;
        let shell = shell_line::env(scope.descriptor(), trial.scope().workspace());
        let remotes = self.remotes.iter();
        let shell = remotes.fold(shell, |shell, remote| {
            shell.with_remote(&remote.name, &remote.host, remote.port)
        });
        Ok(Prepared { trial, shell })
    }

    /// Finds the one server that offers `tool`; [`DEFAULT_SERVER`] where there is none.
    pub(crate) fn server_of(&self, tool: &str) -> Result<&str, Ambiguous> {
        let mut offering = self.bundle.snapshot().tools().iter().filter(|known| known.name == tool);
        match (offering.next(), offering.next()) {
            (None, _) => Ok(DEFAULT_SERVER),
            (Some(one), None) => Ok(&one.server),
            (Some(_), Some(_)) => Err(Ambiguous),
        }
    }
}

/// A clock that stands where `--now` put it.
#[derive(Debug)]
struct StoppedClock(Timestamp);

impl Clock for StoppedClock {
    fn now(&self) -> Result<Timestamp, ClockError> {
        Ok(self.0)
    }
}

/// Reads a whole file of at most `most` bytes.
fn read(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let most = most as u64;
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut text));
    read.map_err(|error| Failure::Read(path.into(), error))?;
    if text.len() as u64 > most {
        return Err(Failure::TooLong(path.into(), most));
    }
    Ok(text)
}
