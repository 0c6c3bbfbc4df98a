//! The arguments of the commands.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use countersign::time::Timestamp;

/// Asks what a task scope and a policy bundle would allow an agent to do.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judges cases, one JSON object a line, and writes an answer for each, in order.
    Evaluate(EvaluateOptions),
    /// Says of one shell line what it would do, what is decided on it, and by which rule.
    Explain(ExplainOptions),
}

/// What both commands judge by.
#[derive(Debug, Args)]
pub(crate) struct Judging {
    /// The directory of the policy bundle.
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: PathBuf,
    /// A listing of registered tools (the result of MCP `tools/list`), of the server `default` or of
    /// the one that is named; may be given several times.
    #[arg(long, value_name = "[SERVER=]FILE")]
    pub(crate) tools: Vec<Listing>,
    /// The time to judge at; the system's clock without it.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub(crate) now: Option<Timestamp>,
    /// Where a remote of git leads that shell lines name, such as `origin=git.example.org:443`; may be
    /// given several times.
    #[arg(long, value_name = "NAME=HOST:PORT", value_parser = remote)]
    pub(crate) remote: Vec<Remote>,
    /// Follow the symbolic links of this machine's file system; without it no path is looked at, and
    /// every name is taken as it is written.
    #[arg(long)]
    pub(crate) real_paths: bool,
}

/// The options of `evaluate`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateOptions {
    /// What to judge by.
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// The scope of the cases that bring none of their own.
    #[arg(long, value_name = "FILE")]
    pub(crate) scope: Option<PathBuf>,
    /// The cases, one JSON object a line; `-` is the standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) cases: PathBuf,
}

/// The options of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// What to judge by.
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// The scope of the task.
    #[arg(long, value_name = "FILE")]
    pub(crate) scope: PathBuf,
    /// Write one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// The shell line.
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    pub(crate) line: String,
}

/// A listing of tools, and the server that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The name of the server.
    pub(crate) server: String,
    /// Where the listing stands.
    pub(crate) file: PathBuf,
}

/// The server of a listing that names none, and of a tool call that names none and is not found.
pub(crate) const DEFAULT_SERVER: &str = "default";

impl FromStr for Listing {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        Ok(match text.split_once('=') {
            Some((server, file)) if !server.is_empty() && server.bytes().all(name) => {
                Self { server: server.to_owned(), file: file.into() }
            }
            _ => Self { server: DEFAULT_SERVER.to_owned(), file: text.into() },
        })
    }
}

/// A remote of git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// What lines call it.
    pub(crate) name: String,
    /// Its host.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
}

fn remote(text: &str) -> Result<Remote, String> {
    let parsed = text.split_once('=').and_then(|(name, place)| {
        let (host, port) = place.rsplit_once(':')?;
        let (name, host) = (name.to_owned(), host.to_owned());
        Some(Remote { name, host, port: port.parse().ok()? })
    });
    let whole = parsed.filter(|remote| !remote.name.is_empty() && !remote.host.is_empty());
    whole
        .ok_or_else(|| "write a name and where it leads, such as origin=git.example.org:443".into())
}

fn time(text: &str) -> Result<Timestamp, String> {
    let form = "write a time with its offset, such as 2026-11-21T09:00:00Z";
    Timestamp::parse_rfc3339(text).ok_or_else(|| form.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_listing_may_name_its_server() {
        let check = |text: &str, server: &str, file: &str| {
            let expected = Listing { server: server.to_owned(), file: file.into() };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        };
        check("tools.json", "default", "tools.json");
        check("tracker=tools.json", "tracker", "tools.json");
        check("tracker=a=b.json", "tracker", "a=b.json");
        check("./a=b.json", "default", "./a=b.json");
        check("=b.json", "default", "=b.json");
    }
}
