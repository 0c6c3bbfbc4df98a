//! `countersign evaluate`: an answer for each line, in order.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use countersign::action::ToolCall;
use countersign::authorizer::Judgement;
use countersign::scope::Scope;

use crate::answer;
use crate::arguments::EvaluateOptions;
use crate::case::{BadLine, Case, MAX_LINE_BYTES, Proposal};
use crate::failure::Failure;
use crate::lines::{Line, Lines};
use crate::scopes::Scopes;
use crate::setup::{Judge, Prepared};
use crate::shell_line;

/// How many bytes are read at once, and written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// How a command came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was answered, or nobody reads the answers any more.
    Answered,
    /// Everything was answered, a line at least with an error.
    BadLines,
}

/// Runs the command.
pub(crate) fn run(options: &EvaluateOptions) -> Result<Outcome, Failure> {
    let judge = Judge::load(&options.judging)?;
    let scope = options.scope.as_deref().map(|file| judge.scope_file(file)).transpose()?;
    let mut evaluation =
        Evaluation { judge, scope: scope.map(Arc::new), scopes: Scopes::default() };
    let output = io::stdout().lock();
    if options.cases.as_os_str() == "-" {
        return evaluation.run(io::stdin().lock(), output);
    }
    let failed = |error| Failure::Read(options.cases.clone(), error);
    evaluation.run(File::open(&options.cases).map_err(failed)?, output)
}

/// What stays from line to line: nothing that a decision depends on.
struct Evaluation {
    judge: Judge,
    scope: Option<Arc<Prepared>>,
    scopes: Scopes,
}

impl Evaluation {
    fn run(&mut self, input: impl Read, mut output: impl Write) -> Result<Outcome, Failure> {
        let reader = BufReader::with_capacity(BUFFER_BYTES, input);
        let mut lines = Lines::new(reader, MAX_LINE_BYTES);
        let mut outcome = Outcome::Answered;
        let mut out = String::with_capacity(2 * BUFFER_BYTES);
        while let Some(line) = lines.next().map_err(Failure::Input)? {
            if let Err(bad) = self.answer(&line, &mut out) {
                answer::write_error(&mut out, bad.id.as_deref(), &bad.error);
                outcome = Outcome::BadLines;
            }
            // Whoever waits for an answer before the next question gets it.
            let waits = !lines.reader().buffer().contains(&b'\n');
            if out.len() >= BUFFER_BYTES || waits {
                match output.write_all(out.as_bytes()).and_then(|()| output.flush()) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(outcome),
                    Err(error) => return Err(Failure::Output(error)),
                }
                out.clear();
            }
        }
        Ok(outcome)
    }

    fn answer(&mut self, line: &Line<'_>, out: &mut String) -> Result<(), BadLine> {
        let Line::Whole(line) = line else {
            let error = format!("the line is longer than {MAX_LINE_BYTES} bytes");
            return Err(BadLine { id: None, error });
        };
        let case = Case::parse(line)?;
        let judged = self.judge(&case);
        let judgement = judged.map_err(|error| BadLine { id: Some(case.id.clone()), error })?;
        answer::write(out, &case.id, &judgement);
        Ok(())
    }

    fn judge(&mut self, case: &Case) -> Result<Judgement, String> {
        let trial = self.trial(case)?;
        Ok(match &case.proposal {
            Proposal::Shell(line) => {
                trial.judge(&shell_line::parse(line, case.directory.as_deref(), &trial.shell))
            }
            Proposal::Action(action) => trial.judge(action),
            Proposal::Tool { server, tool, arguments } => {
                let server = match server {
                    Some(server) => server,
                    None => self.judge.server_of(tool).map_err(|_| {
                        "more than one server offers this tool: name one with `server`".to_owned()
                    })?,
                };
                trial.judge(&ToolCall::new(server, tool.as_str(), arguments.clone()))
            }
        })
    }

    /// The scope that the line brings, or that of the file.
    fn trial(&mut self, case: &Case) -> Result<Arc<Prepared>, String> {
        let Some(text) = &case.scope else {
            let missing = "there is no scope: give the line a `scope`, or the command `--scope`";
            return self.scope.clone().ok_or_else(|| missing.to_owned());
        };
        let Self { scopes, judge, .. } = self;
        scopes.find(text, |text| {
            let scope = Scope::parse(text.as_bytes()).map_err(|error| chain(&error))?;
            judge.prepare(&scope).map_err(|error| chain(&error))
        })
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
