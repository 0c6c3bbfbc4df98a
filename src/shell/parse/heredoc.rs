//! Here-documents. The text is looked up as soon as `<<` is read: it begins behind the next line
//! break, which must then turn out to be a token.

use std::borrow::Cow;

use crate::shell::syntax::{Part, Word};

use super::cursor::{Parser, Pending, Result, ends_word, span};
use super::quote::Stop;

impl<'s> Parser<'s> {
    /// Reads the delimiter that stands here and the text that belongs to it.
    pub(super) fn here_document(&mut self, strip: bool) -> Result<Word<'s>> {
        self.blanks();
        let from = self.pos;
        let (delimiter, quoted) = self.delimiter()?;
        self.check_descriptor(from)?;
        let (newline, start) = match self.heredoc {
            Some(pending) => (pending.newline, pending.resume),
            None => {
                let rest = self.bytes.get(self.pos..).unwrap_or_default();
                let Some(ahead) = rest.iter().position(|&byte| byte == b'\n') else {
                    return Err(self.reject("a here-document does not end"));
                };
                self.steps += ahead as u64;
                (self.pos + ahead, self.pos + ahead + 1)
            }
        };
        let (end, resume) = self.find_end(&delimiter, start, strip, quoted)?;
        self.heredoc = Some(Pending { newline, resume });
        let parts = if quoted {
            self.raw_text(start, end, strip)?
        } else {
            self.expanded_text(start, end, strip)?
        };
        Ok(Word { parts: parts.into(), span: span(start, end) })
    }

    /// Reads the word behind `<<`. Returns it without quotes, and whether it had any.
    fn delimiter(&mut self) -> Result<(Cow<'s, str>, bool)> {
        let mut delimiter = Cow::Borrowed("");
        let mut quoted = false;
        loop {
            let start = self.pos;
            self.bump_while(is_delimiter);
            push(&mut delimiter, self.slice(start, self.pos)?);
            match self.peek() {
                quote @ (b'\'' | b'"') => {
                    quoted = true;
                    self.bump(1);
                    let start = self.pos;
                    self.bump_while(|byte| byte == b' ' || (byte != quote && is_delimiter(byte)));
                    push(&mut delimiter, self.slice(start, self.pos)?);
                    if self.peek() != quote {
                        return Err(self.reject("a delimiter that is not understood"));
                    }
                    self.bump(1);
                }
                b'\\' if is_delimiter(self.peek_at(1)) => {
                    quoted = true;
                    self.bump(1);
                    let start = self.pos;
                    self.bump_char();
                    push(&mut delimiter, self.slice(start, self.pos)?);
                }
                b'\\' if self.peek_at(1) == b'\n' => {
                    return Err(self.reject("a line continuation behind `<<`"));
                }
                b'<' | b'>' if self.peek_at(1) == b'(' => {
                    return Err(self.reject("a delimiter that is not understood"));
                }
                byte if ends_word(byte) && !delimiter.is_empty() => return Ok((delimiter, quoted)),
                _ => return Err(self.reject("a delimiter that is not understood")),
            }
        }
    }

    /// Finds the line that is the delimiter. Returns where it begins and where the next one does.
    fn find_end(
        &mut self,
        delimiter: &str,
        start: usize,
        strip: bool,
        quoted: bool,
    ) -> Result<(usize, usize)> {
        let mut at = start;
        let mut continued = false;
        loop {
            let rest = match self.bytes.get(at..) {
                Some(rest) if !rest.is_empty() => rest,
                _ => return Err(self.reject("a here-document does not end")),
            };
            let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
            self.steps += length as u64 + 1;
            let mut line = rest.get(..length).unwrap_or_default();
            let next = (at + length + 1).min(self.bytes.len());
            if strip {
                let tabs = line.iter().position(|&byte| byte != b'\t').unwrap_or(line.len());
                line = line.get(tabs..).unwrap_or_default();
            }
            if line == delimiter.as_bytes() {
                if continued {
                    return Err(self.reject("a line continuation before a delimiter"));
                }
                return Ok((at, next));
            }
            let rest = line.strip_prefix(delimiter.as_bytes());
            if self.nested && rest.is_some_and(|rest| rest.contains(&b')')) {
                // Bash ends the text there, inside a substitution.
                return Err(self.reject("a here-document ends inside a line"));
            }
            let slashes = line.iter().rev().take_while(|&&byte| byte == b'\\').count();
            continued = !quoted && slashes % 2 == 1;
            let head = line.get(..line.len().saturating_sub(1)).unwrap_or_default();
            if continued && delimiter.as_bytes().starts_with(head) {
                return Err(self.reject("a line continuation may make a delimiter"));
            }
            at = next;
        }
    }

    /// Takes the text as it is, without the tabs where `<<-` takes them.
    fn raw_text(&mut self, start: usize, end: usize, strip: bool) -> Result<Vec<Part<'s>>> {
        let raw = self.slice(start, end)?;
        let mut text = Cow::Borrowed(raw);
        if strip && raw.contains('\t') {
            self.steps += raw.len() as u64;
            let lines = raw.split_inclusive('\n').map(|line| line.trim_start_matches('\t'));
            text = Cow::Owned(lines.collect());
        }
        Ok(if text.is_empty() { Vec::new() } else { vec![Part::Literal { text, quoted: true }] })
    }

    /// Reads the expansions in the text.
    fn expanded_text(&mut self, start: usize, end: usize, strip: bool) -> Result<Vec<Part<'s>>> {
        let back = self.pos;
        let saved = self.begin_nested(end)?;
        self.in_heredoc = true;
        self.pos = start;
        let mut parts = Vec::new();
        self.quoted_text(&mut parts, Stop::End { strip })?;
        if self.pos != end {
            return Err(self.reject("the text of a here-document is not understood"));
        }
        self.end_nested(&saved)?;
        self.pos = back;
        Ok(parts)
    }
}

fn push<'s>(text: &mut Cow<'s, str>, more: &'s str) {
    if text.is_empty() {
        *text = Cow::Borrowed(more);
    } else if !more.is_empty() {
        text.to_mut().push_str(more);
    }
}

/// Bytes that a delimiter may hold. Others are seldom, and bash has rules of its own for some.
fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.!%+,:/@^=#".contains(&byte)
}
