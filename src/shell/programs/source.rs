//! Where lines come from, and which of them describe a program: read when it is first asked for.

use std::borrow::Cow;
use std::collections::HashMap;

/// A text in the format of `programs.txt`.
#[derive(Debug)]
pub(super) struct Source {
    text: Cow<'static, str>,
    /// Lines that belong together: indented ones to the one above.
    lines: Vec<Range>,
    /// `@name = …`: names, and the lines that define them.
    groups: HashMap<Box<str>, usize>,
}

#[derive(Debug, Clone, Copy)]
struct Range {
    start: usize,
    end: usize,
}

impl Source {
    pub(super) fn new(text: Cow<'static, str>) -> Self {
        let mut lines: Vec<Range> = Vec::new();
        let mut groups = HashMap::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let range = Range { start, end: start + line.len() };
            start = range.end;
            if is_remark(line) {
                continue;
            }
            match lines.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => last.end = range.end,
                _ => {
                    if line.starts_with('@')
                        && let Some(name) = line.split_whitespace().next()
                    {
                        groups.insert(name.into(), lines.len());
                    }
                    lines.push(range);
                }
            }
        }
        Self { text, lines, groups }
    }

    pub(super) fn text(&self) -> &Cow<'static, str> {
        &self.text
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns the programs that each line is for, with the line.
    pub(super) fn programs(&self) -> impl Iterator<Item = (usize, &str)> {
        let named = |at: usize| {
            let first = tokens(self.slice(&self.text, at)).next().unwrap_or_default();
            let names = if first.starts_with(['@', ':', ';']) { "" } else { first };
            names.split('|').filter(|name| !name.is_empty()).map(move |name| (at, name))
        };
        (0..self.lines.len()).flat_map(named)
    }

    /// Returns the words of a line. `text` is this source's, which may live longer than it.
    pub(super) fn tokens<'l>(&self, text: &'l str, at: usize) -> impl Iterator<Item = &'l str> {
        tokens(self.slice(text, at))
    }

    /// Returns the words that stand for `@name`.
    pub(super) fn group<'l>(
        &self,
        text: &'l str,
        name: &str,
    ) -> Option<impl Iterator<Item = &'l str>> {
        let at = *self.groups.get(name)?;
        Some(self.tokens(text, at).skip(2))
    }

    /// Returns the number of a line as people count, from one.
    pub(super) fn number(&self, at: usize) -> usize {
        let start = self.lines.get(at).map_or(0, |range| range.start);
        self.text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1
    }

    fn slice<'l>(&self, text: &'l str, at: usize) -> &'l str {
        self.lines.get(at).and_then(|range| text.get(range.start..range.end)).unwrap_or_default()
    }
}

fn tokens(lines: &str) -> impl Iterator<Item = &str> {
    let lines = lines.lines().filter(|line| !is_remark(line));
    lines.flat_map(|line| line.split_whitespace().take_while(|token| *token != "#"))
}

/// An empty line, a comment, an example.
fn is_remark(line: &str) -> bool {
    matches!(line.trim_start().bytes().next(), None | Some(b'#' | b'=' | b'!'))
}
