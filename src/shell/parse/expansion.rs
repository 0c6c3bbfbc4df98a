//! What begins with `$` or a backtick, and process substitutions.

use crate::shell::syntax::{Change, Part};

use super::cursor::{Parser, Result, is_name, is_name_start};

/// Where an arithmetic expression ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// At `))`. `semicolons` are allowed in the head of `for ((…))`.
    Double { semicolons: bool },
    /// At `}`.
    Brace,
}

impl<'s> Parser<'s> {
    /// Reads an expansion. Returns false, without moving, where `$` stands for itself.
    pub(super) fn expansion(&mut self, parts: &mut Vec<Part<'s>>, quoted: bool) -> Result<bool> {
        if self.peek() == b'`' {
            self.backticks(parts, quoted)?;
            return Ok(true);
        }
        match self.peek_at(1) {
            b'{' => self.brace_parameter(parts, quoted)?,
            b'(' if self.peek_at(2) == b'(' => {
                self.bump(3);
                self.enter()?;
                let inner = self.arithmetic(Close::Double { semicolons: false })?;
                self.leave();
                self.bump(2);
                parts.push(Part::Arithmetic { inner, quoted });
            }
            b'(' => {
                self.bump(2);
                let list = self.parenthesised()?;
                parts.push(Part::Command { list, quoted });
            }
            b'[' => return Err(self.reject("`$[` arithmetic")),
            b'\'' if !quoted => self.ansi_quoted(parts)?,
            b'"' if !quoted => return Err(self.reject("a translated string")),
            b'\\' if self.peek_at(2) == b'\n' => {
                return Err(self.reject("a line continuation behind `$`"));
            }
            byte if is_name_start(byte) => {
                self.bump(1);
                let start = self.pos;
                self.bump_while(is_name);
                if self.peek() == b'\\' && self.peek_at(1) == b'\n' {
                    return Err(self.reject("a line continuation touches a name"));
                }
                let name = self.slice(start, self.pos)?;
                parts.push(Part::Parameter { name, change: Change::None, quoted });
            }
            b'$' if matches!(self.peek_at(2), b'{' | b'(' | b'[' | b'$') => {
                // Inside quotes and braces, bash takes the second `$` for the start of `${`.
                return Err(self.reject("`$$` touches what may be an expansion"));
            }
            b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!' => {
                self.bump(2);
                let name = self.slice(self.pos - 1, self.pos)?;
                parts.push(Part::Parameter { name, change: Change::None, quoted });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Reads `<(…)` or `>(…)`.
    pub(super) fn process(&mut self, parts: &mut Vec<Part<'s>>) -> Result<()> {
        let output = self.peek() == b'>';
        self.bump(2);
        let list = self.parenthesised()?;
        parts.push(Part::Process { list, output });
        Ok(())
    }

    /// Reads commands up to the parenthesis that closes a substitution.
    fn parenthesised(&mut self) -> Result<crate::shell::syntax::List<'s>> {
        let saved = self.begin_nested(usize::MAX)?;
        // `$(\⏎(` is `$((`.
        self.after_operator()?;
        let list = self.list()?;
        if self.peek() != b')' {
            return Err(self.reject("a substitution does not end"));
        }
        self.end_nested(&saved)?;
        self.bump(1);
        Ok(list)
    }

    /// Reads `` `…` ``. Bash takes backslashes out of the text before it reads it: where it would,
    /// the line is refused, so that the text can be read in place.
    fn backticks(&mut self, parts: &mut Vec<Part<'s>>, quoted: bool) -> Result<()> {
        self.bump(1);
        let start = self.pos;
        loop {
            self.bump_while(|byte| !matches!(byte, b'`' | b'\\'));
            match (self.peek(), self.peek_at(1)) {
                (b'`', _) => break,
                (b'\\', b'$' | b'`' | b'\\' | b'\n') => {
                    return Err(self.reject("an escape inside backticks"));
                }
                (b'\\', b'"') if quoted => {
                    return Err(self.reject("an escape inside backticks"));
                }
                (b'\\', next) if next != 0 => self.bump(2),
                _ => return Err(self.reject("a backtick is not closed")),
            }
        }
        let end = self.pos;
        self.pos = start;
        let saved = self.begin_nested(end)?;
        let list = self.list()?;
        if self.pos != end {
            return Err(self.reject("an operator or a reserved word inside backticks"));
        }
        self.end_nested(&saved)?;
        self.bump(1);
        parts.push(Part::Command { list, quoted });
        Ok(())
    }

    /// Reads an arithmetic expression, and stays at its end.
    pub(super) fn arithmetic(&mut self, close: Close) -> Result<Vec<Part<'s>>> {
        let mut parts = Vec::new();
        let mut run = self.pos;
        let mut parens = 0_usize;
        loop {
            match self.peek() {
                b')' if parens > 0 => parens -= 1,
                b')' if close != Close::Brace && self.peek_at(1) == b')' => break,
                b'}' if close == Close::Brace && parens == 0 => break,
                b'(' if matches!(self.behind(), b'<' | b'>') => {
                    return Err(self.reject("a process substitution in arithmetic"));
                }
                b'(' => parens += 1,
                b';' if close == (Close::Double { semicolons: true }) && parens == 0 => {}
                b'"' if close != Close::Brace => {
                    self.literal_run(&mut parts, run)?;
                    self.double_quoted(&mut parts)?;
                    run = self.pos;
                    continue;
                }
                b'$' | b'`' => {
                    self.literal_run(&mut parts, run)?;
                    let from = self.pos;
                    if !self.expansion(&mut parts, true)? {
                        return Err(self.reject("a lone `$` in arithmetic"));
                    }
                    self.check_parentheses(from)?;
                    run = self.pos;
                    continue;
                }
                b'\n' if close != Close::Brace => {}
                b'\t' | b' ' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {}
                b'_' | b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'=' | b'!' | b'&' => {}
                b'|' | b'^' | b'~' | b'?' | b':' | b',' | b'#' | b'[' | b']' | b'@' | b'.' => {}
                _ => return Err(self.reject("arithmetic that is not understood")),
            }
            self.bump(1);
        }
        self.literal_run(&mut parts, run)?;
        Ok(parts)
    }

    /// Bash counts the parentheses in `${…}` when it looks for the end of an expression.
    fn check_parentheses(&mut self, from: usize) -> Result<()> {
        let raw = self.slice(from, self.pos)?;
        self.steps += raw.len() as u64;
        if raw.starts_with("${") && raw.matches('(').count() != raw.matches(')').count() {
            return Err(self.reject("an odd parenthesis in arithmetic"));
        }
        Ok(())
    }

    fn literal_run(&self, parts: &mut Vec<Part<'s>>, run: usize) -> Result<()> {
        if run < self.pos {
            let text = self.slice(run, self.pos)?.into();
            parts.push(Part::Literal { text, quoted: false });
        }
        Ok(())
    }
}
