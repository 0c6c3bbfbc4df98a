//! From a line of text to its tree: a strict subset of bash, in linear time.
//!
//! What bash would read in another way than this parser is refused as a whole. The order of trust
//! is: see exactly what bash sees, or refuse; seeing less is never an answer.

mod brace;
mod compound;
mod cond;
mod cursor;
mod expansion;
mod heredoc;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod laws;
mod list;
mod parameter;
mod quote;
mod simple;
mod word;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use crate::reason::Reason;
use crate::shell::syntax::{List, Span};
use crate::text::check_visible;

use cursor::Parser;

/// A line that was understood.
#[derive(Debug)]
pub(crate) struct Parsed<'s> {
    pub(crate) list: List<'s>,
    /// The bytes that were looked at, those that were looked at again included.
    #[cfg_attr(
        not(any(test, feature = "testing")),
        expect(dead_code, reason = "a law about cost counts steps")
    )]
    pub(crate) steps: u64,
}

/// Why a line was refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reject {
    pub(crate) reason: Reason,
    pub(crate) span: Span,
    /// One clause for people.
    pub(crate) why: &'static str,
}

/// The longest line, in bytes.
pub(crate) const MAX_LINE: usize = 64 * 1024;
/// How deep commands, substitutions and expansions may lie in one another.
pub(crate) const MAX_DEPTH: u32 = 24;
/// The most commands in a line, compound ones included.
pub(crate) const MAX_COMMANDS: u32 = 256;
/// The most words in a line, after brace expansion.
pub(crate) const MAX_WORDS: u32 = 4096;
/// The most source bytes that brace expansion may copy, over the whole line.
pub(crate) const MAX_BRACE_BYTES: usize = 64 * 1024;

/// Parses `line` as bash 5 does when it reads it from `bash -c`: no history, no aliases, no
/// extglob.
pub(crate) fn parse(line: &str) -> Result<Parsed<'_>, Reject> {
    if line.len() > MAX_LINE {
        return Err(Reject {
            reason: Reason::ShellTooLarge,
            span: Span::default(),
            why: "the line is too long",
        });
    }
    check_characters(line)?;
    tree(line)
}

fn tree(line: &str) -> Result<Parsed<'_>, Reject> {
    let mut parser = Parser::new(line);
    let list = parser.list()?;
    if parser.pos < parser.bytes.len() {
        return Err(parser.reject("an operator or a reserved word stands where it has no meaning"));
    }
    if parser.heredoc.is_some() {
        return Err(parser.reject("a here-document does not end"));
    }
    Ok(Parsed { list, steps: parser.steps })
}

/// Refuses control bytes and every character that a reader would not see as it is.
fn check_characters(line: &str) -> Result<(), Reject> {
    if line.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n')) {
        return Ok(());
    }
    for (at, c) in line.char_indices() {
        if !matches!(c, ' '..='~' | '\t' | '\n')
            && check_visible(c.encode_utf8(&mut [0; 4])).is_err()
        {
            let end = at + c.len_utf8();
            return Err(Reject {
                reason: Reason::ShellInvisibleCharacter,
                span: cursor::span(at, end),
                why: "the line holds a control or invisible character",
            });
        }
    }
    Ok(())
}
