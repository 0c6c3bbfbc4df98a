//! Why a command could not do its work at all.

use std::io;
use std::path::PathBuf;

use countersign::policy::LoadError;
use countersign::scope::ScopeError;
use countersign::session::OpenError;
use countersign::time::ClockError;
use countersign::tool::ToolManifestError;

/// Why a command could not do its work: the caller or the machine, never a line of the cases.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A file could not be read.
    Read(PathBuf, io::Error),
    /// A file is longer than its limit in bytes.
    TooLong(PathBuf, u64),
    /// The bundle does not load.
    Bundle(PathBuf, LoadError),
    /// A listing of tools is refused.
    Tools(PathBuf, ToolManifestError),
    /// The scope in a file is refused.
    Scope(PathBuf, ScopeError),
    /// The scope in a file does not hold.
    Prepare(PathBuf, OpenError),
    /// The time cannot be told.
    Clock(ClockError),
    /// The cases could not be read on.
    Input(io::Error),
    /// The answers could not be written.
    Output(io::Error),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, path) = match self {
            Self::Read(path, _) => ("cannot read", path),
            Self::TooLong(path, most) => {
                return write!(f, "`{}` has more than {most} bytes", path.display());
            }
            Self::Bundle(path, _) => ("the bundle does not load:", path),
            Self::Tools(path, _) => ("the tools are refused:", path),
            Self::Scope(path, _) | Self::Prepare(path, _) => ("the scope is refused:", path),
            Self::Clock(_) => return f.write_str("no clock"),
            Self::Input(_) => return f.write_str("the cases cannot be read"),
            Self::Output(_) => return f.write_str("the answers cannot be written"),
        };
        write!(f, "{what} `{}`", path.display())
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            Self::Read(_, error) | Self::Input(error) | Self::Output(error) => error,
            Self::Bundle(_, error) => error,
            Self::Tools(_, error) => error,
            Self::Scope(_, error) => error,
            Self::Prepare(_, error) => error,
            Self::Clock(error) => error,
            Self::TooLong(..) => return None,
        })
    }
}
