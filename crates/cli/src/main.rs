//! The command line of `countersign`: asks what a scope and a bundle would allow.
//!
//! `docs/cli.md` specifies what is read and written.

mod advice;
mod answer;
mod arguments;
mod case;
mod evaluate;
mod explain;
mod failure;
mod lines;
mod scopes;
mod setup;
mod shell_line;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use self::arguments::{Arguments, Command};
use self::evaluate::Outcome;
use self::failure::Failure;

/// What is said to whoever started the command: all well.
const SUCCESS: u8 = 0;
/// The command could not do its work: usage, bundle, scope, input or output.
const FAILED: u8 = 1;
/// The work is done, and at least one line was bad.
const BAD_LINES: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers and no errors; clap's own code for usage means bad lines here.
            let code = if error.use_stderr() { FAILED } else { SUCCESS };
            // Where nobody reads the message there is nobody to tell so.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let done = match &arguments.command {
        Command::Evaluate(options) => evaluate::run(options),
        Command::Explain(options) => explain::run(options).map(|()| Outcome::Answered),
    };
    ExitCode::from(match done {
        Ok(Outcome::Answered) => SUCCESS,
        Ok(Outcome::BadLines) => BAD_LINES,
        Err(failure) => {
            report(&failure);
            FAILED
        }
    })
}

/// Writes a failure and its causes to standard error, on one line.
fn report(failure: &Failure) {
    let mut text = format!("countersign: {failure}");
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.push('\n');
    let _ = io::stderr().write_all(text.as_bytes());
}
