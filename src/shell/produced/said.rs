//! What `echo` and `printf` hand to `xargs`: words that the line itself spells.

use super::{Taken, taken, words};
use crate::shell::deed::{Open, Text, Unknown};
use crate::shell::syntax::{Command, Span};

/// The most commands that are made of one text, and the most words.
const MAX_COMMANDS: usize = 32;
const MAX_WORDS: usize = 256;

/// What each command gets: words at its end, or one that is put in the place of a mark.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Words(Vec<String>),
    Marked(String),
}

/// Reads what the only command before `xargs` prints, where the line says all of it.
pub(crate) fn given(upstream: &[Command<'_>], arguments: &[Text<'_>]) -> Option<Vec<Given>> {
    let [command] = upstream else { return None };
    if !command.redirects.is_empty() {
        return None;
    }
    let words = words(command)?;
    let words: Vec<&str> = words.iter().map(Text::literal).collect::<Option<_>>()?;
    let text = match words.as_slice() {
        ["echo", "-n", rest @ ..] => rest.join(" "),
        ["echo", rest @ ..] => rest.join(" "),
        ["printf", "%s\\n" | "%s\\t" | "%s ", rest @ ..] => rest.join("\n"),
        ["printf", format] if !format.contains('%') => {
            format.replace("\\n", "\n").replace("\\t", "\t")
        }
        _ => return None,
    };
    // Options of `echo`, escapes of either, and what `xargs` takes for quotes.
    let option = matches!(words.as_slice(), ["echo", "-n", next, ..] | ["echo", next, ..]
        if next.starts_with('-') && *next != "-n");
    let again = matches!(words.as_slice(), ["echo", "-n", "-n", ..]);
    if option || again || text.contains(['\\', '\'', '"']) {
        return None;
    }
    let options: Vec<&str> = arguments.iter().map_while(Text::literal).collect();
    split(&text, &taken(&options)?.0)
}

fn split(text: &str, taken: &Taken<'_>) -> Option<Vec<Given>> {
    let words: Vec<&str> = text.split([' ', '\t', '\n']).filter(|word| !word.is_empty()).collect();
    let lines: Vec<&str> = text.split('\n').filter(|line| !line.is_empty()).collect();
    let odd = taken.nul || (taken.rows && lines.len() > 1) || text.contains(['\r', '\x0b', '\x0c']);
    if odd || words.len() > MAX_WORDS {
        return None;
    }
    let own = |words: &[&str]| Given::Words(words.iter().map(|word| (*word).to_owned()).collect());
    let all: Vec<Given> = match (taken.mark, taken.most) {
        (Some(_), _) => {
            let line = |line: &&str| match taken.lines {
                true => (*line).to_owned(),
                false => line.trim_start_matches([' ', '\t']).to_owned(),
            };
            lines.iter().map(line).filter(|line| !line.is_empty()).map(Given::Marked).collect()
        }
        (None, Some(0)) => return None,
        (None, most) => {
            let words = if taken.lines { &lines } else { &words };
            match most {
                Some(most) if !words.is_empty() => words.chunks(most).map(own).collect(),
                _ => vec![own(words)],
            }
        }
    };
    (all.len() <= MAX_COMMANDS).then_some(all)
}

impl Given {
    /// The arguments of a command that gets this.
    pub(crate) fn fill<'s>(&self, argv: &[Text<'s>], span: Span) -> Vec<Text<'s>> {
        match self {
            Self::Words(words) => {
                let own = words.iter().map(|word| Text::known(word.clone(), span));
                argv.iter().cloned().chain(own).collect()
            }
            Self::Marked(line) => argv.iter().map(|text| put(text, line)).collect(),
        }
    }
}

/// Puts `line` where marks are.
fn put<'s>(text: &Text<'s>, line: &str) -> Text<'s> {
    if text.open.iter().all(|open| open.what != Unknown::Mark) {
        return text.clone();
    }
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let mut filled = Text { many: text.many, ..Text::known(String::new(), text.span) };
    let mut at = 0;
    for open in &text.open {
        let (start, end) = (open.start as usize, open.end as usize);
        let out = filled.text.to_mut();
        out.push_str(text.text.get(at..start).unwrap_or_default());
        let from = place(out.len());
        if open.what == Unknown::Mark {
            out.push_str(line);
        } else {
            out.push_str(text.text.get(start..end).unwrap_or_default());
            let end = place(out.len());
            filled.open.push(Open { start: from, end, what: open.what });
        }
        at = end;
    }
    filled.text.to_mut().push_str(text.text.get(at..).unwrap_or_default());
    filled
}
