//! Texts put together from others, with what is open in them.

use std::borrow::Cow;

use crate::shell::deed::{Open, Text, Unknown};

/// Puts `base` before a relative path; false where nobody knows whether it is relative.
pub(super) fn rebase<'s>(path: &mut Text<'s>, base: &Text<'s>) -> bool {
    let open = path.open.first().is_some_and(|open| {
        open.start == 0
            && matches!(open.what, Unknown::Anything | Unknown::Below | Unknown::Tracked)
    });
    if open {
        return false;
    }
    if !path.text.starts_with('/') {
        *path = concatenated(base, "/", path);
    }
    true
}

/// The name that `source` gets in the directory `place`; none where that cannot be said. Of a path
/// below something the last name is not known: it may be any name in `place`, hidden ones too, or a
/// directory with all that it holds.
pub(super) fn inside<'s>(place: &Text<'s>, source: &Text<'s>) -> Option<Text<'s>> {
    let trimmed = source.text.trim_end_matches('/');
    let at = trimmed.rfind('/').map_or(0, |at| at + 1);
    let start = u32::try_from(at).ok()?;
    if source.open.iter().any(|open| open.what.is_below() && open.end > start) {
        return Some(anywhere(place, source));
    }
    let name = trimmed.get(at..)?;
    if name.is_empty() || name == "." || name == ".." {
        return None;
    }
    let mut last = source.suffix(at);
    if last.is_none() {
        // The slash stands behind something open, as in `$d/name`.
        let open = source
            .open
            .iter()
            .filter(|open| open.start >= start)
            .map(|open| Open { start: open.start - start, end: open.end - start, ..*open })
            .collect();
        let clear = source.open.iter().all(|open| open.end <= start || open.start >= start);
        last = clear.then(|| Text {
            text: Cow::Owned(name.to_owned()),
            open,
            many: source.many,
            span: source.span,
        });
    }
    Some(concatenated(place, "/", &last?))
}

/// All that may come to lie in the directory `place`.
pub(super) fn anywhere<'s>(place: &Text<'s>, source: &Text<'s>) -> Text<'s> {
    let mut name = Text::known("…", source.span);
    let end = u32::try_from(name.text.len()).unwrap_or(u32::MAX);
    name.open.push(Open { start: 0, end, what: Unknown::Below });
    concatenated(place, "/", &name)
}

/// Returns what is literal of a path that ends in one below it, if nothing else is open.
pub(super) fn start_of<'t>(text: &'t Text<'_>) -> Option<&'t str> {
    match text.open.as_slice() {
        [open] if open.what.is_below() && open.end as usize == text.text.len() => {
            text.text.get(..open.start as usize)
        }
        _ => None,
    }
}

/// Puts `suffix` behind a name, and `.~1~` with a number that is not known.
pub(super) fn backups<'s>(path: &Text<'s>, suffix: &str) -> Vec<Text<'s>> {
    let last = path.text.rsplit('/').next();
    // A directory keeps its name; any name below a place is meant already.
    if start_of(path).is_some() || matches!(last, None | Some("" | "." | "..")) {
        return Vec::new();
    }
    let mut numbered = appended(path, ".~");
    let at = u32::try_from(numbered.text.len()).unwrap_or(u32::MAX);
    numbered.text.to_mut().push_str("1~");
    numbered.open.push(Open { start: at, end: at.saturating_add(1), what: Unknown::Number });
    vec![appended(path, suffix), numbered]
}

fn concatenated<'s>(left: &Text<'s>, between: &str, right: &Text<'s>) -> Text<'s> {
    let mut text = String::with_capacity(left.text.len() + between.len() + right.text.len());
    text.push_str(&left.text);
    if !(between == "/" && text.ends_with('/')) {
        text.push_str(between);
    }
    let shift = u32::try_from(text.len()).unwrap_or(u32::MAX);
    text.push_str(&right.text);
    let mut open = left.open.clone();
    open.extend(right.open.iter().map(|open| Open {
        start: open.start.saturating_add(shift),
        end: open.end.saturating_add(shift),
        what: open.what,
    }));
    Text { text: Cow::Owned(text), open, many: left.many || right.many, span: right.span }
}

pub(super) fn prefixed<'s>(text: &Text<'s>, prefix: &'static str) -> Text<'s> {
    concatenated(&Text::known(prefix, text.span), "", text)
}

pub(super) fn appended<'s>(text: &Text<'s>, suffix: &str) -> Text<'s> {
    let mut text = text.clone();
    text.text.to_mut().push_str(suffix);
    text
}

pub(super) fn joined<'s>(texts: &[Text<'s>]) -> Text<'s> {
    let mut all =
        Text { span: texts.first().map(|text| text.span).unwrap_or_default(), ..Text::default() };
    let mut joined = String::new();
    for text in texts {
        if !joined.is_empty() {
            joined.push(' ');
        }
        let shift = u32::try_from(joined.len()).unwrap_or(u32::MAX);
        joined.push_str(&text.text);
        all.open.extend(text.open.iter().map(|open| Open {
            start: open.start.saturating_add(shift),
            end: open.end.saturating_add(shift),
            what: open.what,
        }));
        all.many |= text.many;
        all.span.end = text.span.end;
    }
    all.text = Cow::Owned(joined);
    all
}

/// What stands behind the last `separator`, if all before it is literal.
pub(super) fn behind<'s>(text: &Text<'s>, separator: char) -> Text<'s> {
    let at = text.text.rfind(separator).map(|at| at + separator.len_utf8());
    at.and_then(|at| text.suffix(at)).unwrap_or_else(|| text.clone())
}
