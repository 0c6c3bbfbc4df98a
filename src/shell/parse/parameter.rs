//! `${…}`.

use crate::shell::few::Few;
use crate::shell::syntax::{Change, Part, Word};

use super::cursor::{Parser, Result, is_name, is_name_start};
use super::expansion::Close;
use super::quote::Stop;
use super::word::Mode;

impl<'s> Parser<'s> {
    /// Reads `${…}`, standing at the `$`.
    pub(super) fn brace_parameter(
        &mut self,
        parts: &mut Vec<Part<'s>>,
        quoted: bool,
    ) -> Result<()> {
        self.bump(2);
        self.enter()?;
        let length = self.peek() == b'#' && self.peek_at(1) != b'}';
        if length {
            self.bump(1);
        }
        let mut name = self.parameter_name(length)?;
        let special = !name.bytes().all(is_name) && !matches!(name, "@" | "*");
        let subscript = self.peek() == b'[';
        if subscript {
            let all = self.subscript()?;
            // Several values, as `"$@"` is.
            name = if all { "@" } else { name };
        }
        let mut change = match self.peek() {
            b'}' if length => Change::Length,
            _ if length => return Err(self.reject("a length that is not understood")),
            b'}' => Change::None,
            _ if special => return Err(self.reject("an operator behind a special parameter")),
            _ => self.change(quoted, subscript)?,
        };
        if self.peek() != b'}' {
            return Err(self.reject("an expansion that is not understood"));
        }
        self.bump(1);
        self.leave();
        if subscript && !length {
            change = match change {
                Change::Alternative { word, .. } => Change::Other { words: vec![*word] },
                Change::Strip { pattern, .. } => Change::Other { words: vec![*pattern] },
                Change::Replace { pattern, replacement, .. } => {
                    Change::Other { words: vec![*pattern, *replacement] }
                }
                Change::Other { words } => Change::Other { words },
                Change::None | Change::Length => Change::Other { words: Vec::new() },
            };
        }
        parts.push(Part::Parameter { name, change, quoted });
        Ok(())
    }

    fn parameter_name(&mut self, length: bool) -> Result<&'s str> {
        let start = self.pos;
        match self.peek() {
            byte if is_name_start(byte) => {
                self.bump_while(is_name);
            }
            b'0'..=b'9' => {
                self.bump_while(|byte| byte.is_ascii_digit());
            }
            b'@' | b'*' => self.bump(1),
            b'#' | b'?' | b'-' | b'$' if !length => self.bump(1),
            b'!' if !length && self.peek_at(1) == b'}' => self.bump(1),
            b'!' => return Err(self.reject("an indirect expansion")),
            b' ' | b'\t' | b'\n' | b'|' => {
                return Err(self.reject("a command substitution in braces"));
            }
            _ => return Err(self.reject("an expansion that is not understood")),
        }
        self.slice(start, self.pos)
    }

    /// Reads `[@]`, `[*]` or `[number]`, `[-number]`: others are evaluated, and may run commands.
    /// Returns whether it is `[@]`.
    fn subscript(&mut self) -> Result<bool> {
        self.bump(1);
        let all = self.peek() == b'@';
        if matches!(self.peek(), b'@' | b'*' | b'-') {
            self.bump(1);
        }
        if !matches!(self.behind(), b'@' | b'*')
            && self.bump_while(|byte| byte.is_ascii_digit()) == 0
        {
            return Err(self.reject("an array subscript"));
        }
        if self.peek() != b']' {
            return Err(self.reject("an array subscript"));
        }
        self.bump(1);
        Ok(all)
    }

    fn change(&mut self, quoted: bool, subscript: bool) -> Result<Change<'s>> {
        let start = self.pos;
        match (self.peek(), self.peek_at(1)) {
            (b':', b'-' | b'=' | b'+' | b'?') => {
                self.bump(2);
                self.alternative(start, quoted, subscript)
            }
            (b'-' | b'=' | b'+' | b'?', _) => {
                self.bump(1);
                self.alternative(start, quoted, subscript)
            }
            (b':', b'}') => Err(self.reject("an expansion that is not understood")),
            (b':', _) => {
                self.bump(1);
                let from = self.pos;
                let inner = self.arithmetic(Close::Brace)?;
                Ok(Change::Other {
                    words: vec![Word { parts: inner.into(), span: self.span_from(from) }],
                })
            }
            (operator @ (b'#' | b'%'), next) => {
                self.bump(if next == operator { 2 } else { 1 });
                let operator = self.slice(start, self.pos)?;
                let pattern = self.pattern(quoted, Mode::Inside)?;
                Ok(Change::Strip { operator, pattern: Box::new(pattern) })
            }
            (b'/', _) => self.replace(quoted),
            (operator @ (b'^' | b','), next) => {
                self.bump(if next == operator { 2 } else { 1 });
                let pattern = self.pattern(quoted, Mode::Inside)?;
                Ok(Change::Other { words: vec![pattern] })
            }
            (b'@', _) => Err(self.reject("a transformation of a parameter")),
            _ => Err(self.reject("an expansion that is not understood")),
        }
    }

    fn alternative(&mut self, start: usize, quoted: bool, subscript: bool) -> Result<Change<'s>> {
        let operator = self.slice(start, self.pos)?;
        if subscript && operator.ends_with('=') {
            return Err(self.reject("an assignment to an array element"));
        }
        let from = self.pos;
        let word = if quoted {
            let mut parts = Vec::new();
            self.quoted_text(&mut parts, Stop::Brace)?;
            let raw = self.slice(from, self.pos)?;
            self.steps += raw.len() as u64;
            if raw.contains("<(") || raw.contains(">(") {
                // Bash looks for the end of a process substitution there, and does not run one.
                return Err(self.reject("a process substitution inside a quoted expansion"));
            }
            Word { parts: parts.into(), span: self.span_from(from) }
        } else {
            self.word(Mode::Inside)?
        };
        Ok(Change::Alternative { operator, word: Box::new(word) })
    }

    /// Reads a pattern. Quotes are quotes in it, also inside `"…"`.
    fn pattern(&mut self, quoted: bool, mode: Mode) -> Result<Word<'s>> {
        let from = self.pos;
        let pattern = self.word(mode)?;
        let raw = self.slice(from, self.pos)?;
        self.steps += raw.len() as u64;
        if quoted && self.in_heredoc && raw.contains(['\'', '"', '\\']) {
            return Err(self.reject("a quote in an expansion in a here-document"));
        }
        if quoted
            && raw
                .as_bytes()
                .windows(2)
                .any(|two| matches!(two, [b'\\', b'$' | b'`' | b'"' | b'\\' | b'}']))
        {
            return Err(self.reject("an escape in a quoted pattern"));
        }
        Ok(pattern)
    }

    fn replace(&mut self, quoted: bool) -> Result<Change<'s>> {
        let start = self.pos;
        self.bump(1);
        if matches!(self.peek(), b'/' | b'#' | b'%') {
            self.bump(1);
        }
        let operator = self.slice(start, self.pos)?;
        if matches!(self.peek(), b'/' | b'}') {
            return Err(self.reject("an empty pattern"));
        }
        let pattern = Box::new(self.pattern(quoted, Mode::InsidePattern)?);
        if self.peek() != b'/' {
            let span = self.span_from(self.pos);
            let replacement = Box::new(Word { parts: Few::new(), span });
            return Ok(Change::Replace { operator, pattern, replacement });
        }
        self.bump(1);
        let from = self.pos;
        let replacement = self.pattern(quoted, Mode::Inside)?;
        // `&` stands for what matched, and escapes are read twice: the text is not known.
        if self.slice(from, self.pos)?.contains(['&', '\\', '\'', '"']) {
            return Ok(Change::Other { words: vec![*pattern, replacement] });
        }
        Ok(Change::Replace { operator, pattern, replacement: Box::new(replacement) })
    }
}
