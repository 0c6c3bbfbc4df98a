//! One call of a subcommand: its options, its operands, and where its paths start.

use std::borrow::Cow;

use super::super::options::{Item, Options, Reader, opaque};
use crate::reason::Reason;
use crate::shell::deed::{Deed, Open, Text, Unknown};
use crate::shell::syntax::Span;

/// Where a subcommand runs.
pub(super) struct Call<'s> {
    base: Option<Text<'s>>,
    /// No argument makes the subcommand do more than what is told of it in any case.
    free: bool,
    pub(super) span: Span,
}

/// The arguments of a subcommand.
pub(super) struct Read<'s> {
    pub(super) options: Vec<(&'static str, Option<Text<'s>>)>,
    pub(super) operands: Vec<Text<'s>>,
    /// Which operands stand behind `--`: they are paths.
    pub(super) paths: usize,
}

impl<'s> Call<'s> {
    pub(super) fn new(name: &str, base: Option<Text<'s>>, span: Span) -> Self {
        Self { base, free: FREE.contains(&name), span }
    }

    /// Reads the arguments, and tells what of them is not understood.
    pub(super) fn read(
        &self,
        options: &'static Options,
        arguments: &[Text<'s>],
        out: &mut Vec<Deed<'s>>,
    ) -> Read<'s> {
        let mut reader = Reader::new(options, arguments, self.span);
        let mut read = Read { options: Vec::new(), operands: Vec::new(), paths: usize::MAX };
        while let Some(item) = reader.next() {
            if reader.is_marked() && read.paths == usize::MAX {
                read.paths = read.operands.len();
            }
            match item {
                Item::Option(name, value) => read.options.push((name, value)),
                Item::Operand(operand) => read.operands.push(operand.clone()),
                Item::Doubt(Reason::ShellDynamicArgument, _) if self.free => {}
                Item::Doubt(reason, span) => opaque(out, reason, span),
            }
        }
        read
    }

    /// Returns a path as it is from the working directory.
    pub(super) fn path(&self, path: &Text<'s>) -> Text<'s> {
        join(self.base.as_ref(), path)
    }

    /// Returns the path of something that git keeps.
    pub(super) fn own(&self, path: &'static str) -> Text<'s> {
        self.path(&Text::known(path, self.span))
    }

    pub(super) fn reads(&self, path: &Text<'s>, out: &mut Vec<Deed<'s>>) {
        out.push(Deed::Read { path: self.path(path), recursive: false });
    }

    pub(super) fn writes(&self, path: &Text<'s>, out: &mut Vec<Deed<'s>>) {
        out.push(Deed::Write { path: self.path(path), recursive: false });
    }

    pub(super) fn writes_own(&self, path: &'static str, out: &mut Vec<Deed<'s>>) {
        out.push(Deed::Write { path: self.own(path), recursive: false });
    }

    /// Files of the work tree at `path` or below it change.
    pub(super) fn tracks(&self, path: &Text<'s>, out: &mut Vec<Deed<'s>>) {
        out.push(Deed::Tracked { path: self.path(path), delete: false });
    }

    /// Files of the work tree at `path` or below it are lost.
    pub(super) fn discards(&self, path: &Text<'s>, out: &mut Vec<Deed<'s>>) {
        out.push(Deed::Tracked { path: self.path(path), delete: true });
    }

    /// Returns the directory in which it runs.
    pub(super) fn here(&self) -> Text<'s> {
        Text::known(".", self.span)
    }

    /// Hooks run, or programs that the configuration of the repository names: `core.fsmonitor` where
    /// the index is read, filters and `textconv`, a pager, `gpg.program`. A directory may hold a
    /// repository of its own, with its own configuration.
    pub(super) fn hooks(&self, out: &mut Vec<Deed<'s>>) {
        out.push(Deed::WorkspaceCode { place: self.own(".") });
    }
}

impl<'s> Read<'s> {
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        self.options.iter().any(|(option, _)| names.contains(option))
    }

    /// Returns the values of one option.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &Text<'s>> {
        self.options
            .iter()
            .filter(move |(option, _)| *option == name)
            .filter_map(|(_, value)| value.as_ref())
    }
}

/// Returns arguments with `./` before every pattern that might expand to an option.
///
/// It is for subcommands of which no option does more than the deeds tell: a file `-u` can do no harm.
pub(super) fn pinned<'s>(arguments: &[Text<'s>]) -> Vec<Text<'s>> {
    let pin = |text: &Text<'s>| match text.open.first() {
        Some(open) if open.start == 0 && open.what == Unknown::Glob => {
            let mut open = text.open.clone();
            for open in &mut open {
                open.start = open.start.saturating_add(2);
                open.end = open.end.saturating_add(2);
            }
            let pinned = Cow::Owned(format!("./{}", text.text));
            Text { text: pinned, open, many: text.many, span: text.span }
        }
        _ => text.clone(),
    };
    arguments.iter().map(pin).collect()
}

/// Returns `path` as seen from where `base` is seen from.
pub(super) fn join<'s>(base: Option<&Text<'s>>, path: &Text<'s>) -> Text<'s> {
    let Some(base) = base.filter(|base| base.text != ".") else { return path.clone() };
    if path.starts_with("/") || path.starts_with("~") {
        return path.clone();
    }
    if path.literal() == Some(".") {
        return Text { many: false, ..base.clone() };
    }
    let by = u32::try_from(base.text.len().saturating_add(1)).unwrap_or(u32::MAX);
    let mut open = base.open.clone();
    open.extend(path.open.iter().map(|open| {
        let (start, end) = (open.start.saturating_add(by), open.end.saturating_add(by));
        Open { start, end, ..*open }
    }));
    let text = Cow::Owned(format!("{}/{}", base.text, path.text));
    Text { text, open, many: path.many, span: path.span }
}

/// Subcommands of which every option is harmless, so that an argument may be any. `--output` of what
/// shows commits, `--contents` of `blame` and `-X` of `ls-files` keep those away.
const FREE: [&str; 11] = [
    "check-ignore",
    "check-ref-format",
    "cherry",
    "count-objects",
    "describe",
    "ls-tree",
    "merge-base",
    "name-rev",
    "rev-parse",
    "show-ref",
    "status",
];
