//! Shell lines as actions: the one place that declares the shell that lines are judged for.

use std::ops::Range;

use countersign::action::path::PathResolver;
use countersign::action::{EffectContext, NoTools};
use countersign::authorizer::{EffectDecision, Trial};
use countersign::shell::{Shell, ShellEnv};

/// Reads `line` as bash would in `directory`, in the environment that `docs/cli.md` declares.
pub(crate) fn parse(line: &str, directory: &str) -> Shell {
    Shell::parse(line, &ShellEnv::bash(directory).with_plain_names())
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
