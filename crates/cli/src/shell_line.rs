//! Shell lines as actions: the one place that declares the shell that lines are judged for.

use std::ops::Range;

use countersign::action::path::{PathResolver, ResolvedPath};
use countersign::action::{EffectContext, NoTools};
use countersign::authorizer::{EffectDecision, Trial};
use countersign::scope::Descriptor;
use countersign::shell::{Shell, ShellEnv};

/// Declares the shell that lines are judged for: bash in the workspace. Names are plain there and in
/// every other directory that the scope lets the task write in as a whole.
pub(crate) fn env(scope: &Descriptor, workspace: &ResolvedPath) -> ShellEnv {
    let whole = |pattern: &String| {
        let directory = pattern.strip_suffix("/**")?;
        (directory.starts_with('/') && !directory.contains('*')).then(|| directory.to_owned())
    };
    let env = ShellEnv::bash(workspace.as_str()).with_plain_names().with_no_other_variables();
    scope.touch.write.iter().filter_map(whole).fold(env, ShellEnv::with_root)
}

/// Reads `line` as bash would in `directory`, or where `env` says.
pub(crate) fn parse(line: &str, directory: Option<&str>, env: &ShellEnv) -> Shell {
    match directory {
        Some(directory) => Shell::parse(line, &env.clone().with_working_directory(directory)),
        None => Shell::parse(line, env),
    }
}

/// Returns, for each effect, the bytes of the line that it comes from, where they are known.
pub(crate) fn spans(
    parsed: &Shell,
    trial: &Trial,
    paths: &dyn PathResolver,
    effects: &[EffectDecision],
) -> Vec<Option<Range<usize>>> {
    let explained = parsed.explain(&EffectContext::new(paths, trial.scope().workspace(), &NoTools));
    let place = |decided: &EffectDecision| {
        let one = explained.iter().find(|one| *one.effect() == decided.effect);
        one.map(|one| one.span()).filter(|span| !span.is_empty())
    };
    effects.iter().map(place).collect()
}
