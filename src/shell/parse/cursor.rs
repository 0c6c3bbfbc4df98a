//! The place in the line, what has been counted, and the bytes that end things.

use crate::reason::Reason;
use crate::shell::syntax::{Part, Span};

use super::{MAX_COMMANDS, MAX_DEPTH, MAX_WORDS, Reject};

pub(super) type Result<T> = std::result::Result<T, Reject>;

/// The state of the parser. `bytes` ends where the text that is being read ends: in backticks and
/// in here-documents that is before the end of the line.
#[derive(Debug)]
pub(super) struct Parser<'s> {
    pub(super) text: &'s str,
    pub(super) bytes: &'s [u8],
    pub(super) pos: usize,
    pub(super) steps: u64,
    pub(super) depth: u32,
    pub(super) commands: u32,
    pub(super) words: u32,
    pub(super) brace_bytes: usize,
    /// Here-documents that begin behind the line break that comes next.
    pub(super) heredoc: Option<Pending>,
    /// Inside `$(…)`, `<(…)`: a here-document may end there in another way.
    pub(super) nested: bool,
    /// Inside the text of a here-document, but in no substitution in it.
    pub(super) in_heredoc: bool,
    /// An empty list for the parts of the next word.
    pub(super) spare: Vec<Part<'s>>,
}

/// The line break behind which here-documents stand, and where reading goes on behind them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) newline: usize,
    pub(super) resume: usize,
}

/// What has to be put back when a substitution ends.
#[derive(Debug)]
pub(super) struct Saved<'s> {
    bytes: &'s [u8],
    heredoc: Option<Pending>,
    nested: bool,
    in_heredoc: bool,
}

impl<'s> Parser<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            pos: 0,
            steps: text.len() as u64,
            depth: 0,
            commands: 0,
            words: 0,
            brace_bytes: 0,
            heredoc: None,
            nested: false,
            in_heredoc: false,
            spare: Vec::new(),
        }
    }

    /// Moves over `count` bytes.
    pub(super) fn bump(&mut self, count: usize) {
        self.pos += count;
        self.steps += count as u64;
    }

    /// Moves over the bytes for which `wanted` holds.
    pub(super) fn bump_while(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        let count = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        self.bump(count);
        count
    }

    /// Skips blanks and line continuations.
    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                b' ' | b'\t' => self.bump(1),
                b'\\' if self.peek_at(1) == b'\n' => self.bump(2),
                _ => return,
            }
        }
    }

    /// Skips blanks, comments and line breaks. Stands where a token may begin.
    pub(super) fn newlines(&mut self) -> Result<()> {
        loop {
            self.blanks();
            match self.peek() {
                b'\n' => self.newline()?,
                b'#' => {
                    self.bump_while(|byte| byte != b'\n');
                }
                _ => return Ok(()),
            }
        }
    }

    /// Moves over a line break that is a token, and the here-documents behind it.
    fn newline(&mut self) -> Result<()> {
        match self.heredoc.take() {
            None => self.bump(1),
            Some(pending) if pending.newline == self.pos => self.pos = pending.resume,
            Some(_) => return Err(self.reject("a line break stands between `<<` and its text")),
        }
        Ok(())
    }

    /// Stands behind an operator. Bash removes a line continuation before it reads operators, so
    /// that `&\⏎&` is one.
    pub(super) fn after_operator(&mut self) -> Result<()> {
        let from = self.pos;
        while self.peek() == b'\\' && self.peek_at(1) == b'\n' {
            self.bump(2);
        }
        if self.pos > from && (is_operator(self.peek()) || self.peek() == b'-') {
            return Err(self.reject("a line continuation inside an operator"));
        }
        Ok(())
    }

    /// Begins a text of its own that ends at `end`.
    pub(super) fn begin_nested(&mut self, end: usize) -> Result<Saved<'s>> {
        self.enter()?;
        let saved = Saved {
            bytes: self.bytes,
            heredoc: self.heredoc.take(),
            nested: self.nested,
            in_heredoc: self.in_heredoc,
        };
        self.bytes = self.bytes.get(..end).unwrap_or(self.bytes);
        self.nested = true;
        self.in_heredoc = false;
        Ok(saved)
    }

    /// Goes back to the text around.
    pub(super) fn end_nested(&mut self, saved: &Saved<'s>) -> Result<()> {
        if self.heredoc.is_some() {
            return Err(self.reject("a here-document does not end before its substitution does"));
        }
        self.bytes = saved.bytes;
        self.heredoc = saved.heredoc;
        self.nested = saved.nested;
        self.in_heredoc = saved.in_heredoc;
        self.leave();
        Ok(())
    }

    pub(super) fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.too_large("the line is nested too deeply"));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn count_command(&mut self) -> Result<()> {
        self.commands += 1;
        if self.commands > MAX_COMMANDS {
            return Err(self.too_large("the line has too many commands"));
        }
        Ok(())
    }

    pub(super) fn count_words(&mut self, count: usize) -> Result<()> {
        self.words = self.words.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if self.words > MAX_WORDS {
            return Err(self.too_large("the line has too many words"));
        }
        Ok(())
    }

    /// The next byte, 0 at the end: the line holds no such byte.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.bytes.get(self.pos).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn peek_at(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    /// The byte before the place, 0 at the start.
    pub(super) fn behind(&self) -> u8 {
        self.pos.checked_sub(1).and_then(|at| self.bytes.get(at)).copied().unwrap_or(0)
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> Result<&'s str> {
        self.text.get(start..end).ok_or_else(|| self.reject("a character is cut in two"))
    }

    pub(super) fn span_from(&self, start: usize) -> Span {
        span(start, self.pos)
    }

    pub(super) fn reject(&self, why: &'static str) -> Reject {
        Reject { reason: Reason::ShellSyntax, span: self.here(), why }
    }

    pub(super) fn too_large(&self, why: &'static str) -> Reject {
        Reject { reason: Reason::ShellTooLarge, span: self.here(), why }
    }

    /// The character at the place, or behind the last one.
    fn here(&self) -> Span {
        let end = self.pos.min(self.text.len());
        let start = (0..=end).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let width = self.text.get(start..).and_then(|rest| rest.chars().next());
        span(start, start + width.map_or(0, char::len_utf8))
    }
}

/// Makes a span. The line is at most 64 KiB long.
pub(super) fn span(start: usize, end: usize) -> Span {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: narrow(start), end: narrow(end) }
}

/// Bytes that operators are made of.
pub(super) fn is_operator(byte: u8) -> bool {
    matches!(byte, b'&' | b'|' | b';' | b'<' | b'>' | b'(' | b')')
}

/// Bytes at which an unquoted word ends; 0 is the end of the text.
pub(super) fn ends_word(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t' | b'\n') || is_operator(byte)
}

pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
