//! A command line, and every effect that running it would have.
//!
//! Agents act through lines such as `bash -c "cargo test 2>&1 | tail -20"`. [`Shell`] parses one with a
//! strict parser of its own, follows every way that the line can take, looks each program up in a table
//! that says what its options and operands mean, and states the effects: programs, files, connections,
//! packages, privileges. What is not understood is opaque, and no scope grants it unless it grants the
//! very program that nobody understands. `docs/shell.md` says what is understood, and how it is tested.

mod changes;
mod created;
mod deed;
mod effects;
mod environment;
mod expand;
mod explain;
mod few;
mod irregular;
mod names;
mod parse;
mod placed;
mod produced;
mod programs;
mod run;
mod state;
mod syntax;
mod variables;
mod walk;

use std::borrow::Cow;
use std::sync::Arc;

use crate::action::path::LastLink;
use crate::action::{Action, EffectContext, Effects};
use crate::value::Value;

pub use self::environment::{Dialect, ShellEnv};
pub use self::explain::Explained;
pub use self::programs::{Programs, ProgramsError};

#[cfg(any(test, feature = "testing"))]
pub(crate) use self::parse::laws::{check as check_parse, commands as parsed_commands};

use self::state::FEW_BYTES;
use self::walk::Plan;

/// The longest line that is looked at, in bytes.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// Runs a line of shell.
///
/// # Security
///
/// The line may come from a hostile model; the [`ShellEnv`] must come from the host. The effects are
/// those of the line in that environment, as [`Granted::command`](crate::Granted::command) runs it.
///
/// # Examples
///
/// ```
/// use countersign::action::path::{PurePaths, resolve_absolute};
/// use countersign::action::{EffectContext, NoTools};
/// use countersign::shell::{Shell, ShellEnv};
///
/// let line = Shell::parse("cat notes.txt > /tmp/out", &ShellEnv::bash("/srv/web"));
/// let paths = PurePaths::new();
/// let workspace = resolve_absolute(&paths, "/srv/web")?;
/// let context = EffectContext::new(&paths, &workspace, &NoTools);
/// let said: Vec<String> =
///     line.explain(&context).iter().map(|one| one.effect().target().id()).collect();
/// assert_eq!(said, ["/tmp/out", "cat", "/srv/web/notes.txt"]);
/// # Ok::<(), countersign::action::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Shell {
    line: Box<str>,
    env: ShellEnv,
    plan: Arc<Plan>,
}

impl Shell {
    /// Reads a line. What cannot be understood in it becomes an opaque effect; this never fails.
    #[must_use]
    pub fn parse(line: impl Into<String>, env: &ShellEnv) -> Self {
        let line = line.into();
        let plan = Arc::new(walk::plan(&line, env));
        Self { line: line.into(), env: env.clone(), plan }
    }

    /// Returns the line as it was given.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Returns what was declared of the shell.
    #[must_use]
    pub const fn env(&self) -> &ShellEnv {
        &self.env
    }

    /// Returns every effect with the part of the line that has it, in the order of the line.
    #[must_use]
    pub fn explain(&self, context: &EffectContext<'_>) -> Vec<Explained> {
        explain::explain(
            &self.line,
            effects::effects(&self.plan, &self.env, context, String::new()),
        )
    }
}

impl Action for Shell {
    fn kind(&self) -> Cow<'static, str> {
        "Shell".into()
    }

    fn describe(&self) -> Value {
        let variables = self.env.variables().map(|(name, value)| (name.to_owned(), value.into()));
        let members = [
            ("line", Value::from(&*self.line)),
            ("shell", self.env.program().into()),
            ("variables", Value::Object(variables.collect())),
            ("working_directory", self.env.working_directory().into()),
        ];
        Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        let mut buffer = String::with_capacity(FEW_BYTES);
        let directory = self.env.working_directory();
        if let Ok(directory) = context.resolve_in(&mut buffer, directory, LastLink::Follow) {
            effects.start_in(directory);
        }
        effects.append(effects::effects(&self.plan, &self.env, context, buffer).effects);
    }
}
