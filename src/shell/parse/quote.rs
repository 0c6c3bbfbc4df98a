//! Quotes, cooked as bash cooks them.

use std::borrow::Cow;

use crate::shell::syntax::Part;

use super::cursor::{Parser, Result};

/// Where text in which only `$`, `` ` `` and `\` are special ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// At `"`.
    Quote,
    /// At `}`, inside `"${…}"`.
    Brace,
    /// At the end of the bytes: the text of a here-document. `strip` takes the tabs from its lines.
    End { strip: bool },
}

impl<'s> Parser<'s> {
    /// Reads `'…'`.
    pub(super) fn single_quoted(&mut self, parts: &mut Vec<Part<'s>>) -> Result<()> {
        self.bump(1);
        let start = self.pos;
        self.bump_while(|byte| byte != b'\'');
        if self.peek() == 0 {
            return Err(self.reject("a quote does not end"));
        }
        let text = Cow::Borrowed(self.slice(start, self.pos)?);
        parts.push(Part::Literal { text, quoted: true });
        self.bump(1);
        Ok(())
    }

    /// Reads `"…"`.
    pub(super) fn double_quoted(&mut self, parts: &mut Vec<Part<'s>>) -> Result<()> {
        self.bump(1);
        let before = parts.len();
        self.quoted_text(parts, Stop::Quote)?;
        self.bump(1);
        if parts.len() == before {
            parts.push(Part::Literal { text: Cow::Borrowed(""), quoted: true });
        }
        Ok(())
    }

    /// Reads text up to `stop`, and stays there.
    pub(super) fn quoted_text(&mut self, parts: &mut Vec<Part<'s>>, stop: Stop) -> Result<()> {
        let strip = stop == Stop::End { strip: true };
        let mut text = Text { run: self.pos, owned: None };
        if strip {
            self.strip_tabs(&mut text)?;
        }
        loop {
            self.bump_while(|byte| {
                !matches!(byte, 0 | b'"' | b'\'' | b'\\' | b'$' | b'`' | b'}' | b'\n')
            });
            match self.peek() {
                0 if matches!(stop, Stop::End { .. }) => break,
                0 => return Err(self.reject("a quote does not end")),
                b'"' if stop == Stop::Quote => break,
                b'}' if stop == Stop::Brace => break,
                b'"' | b'\'' if stop == Stop::Brace => self.plain_quote(parts, &mut text)?,
                b'\n' if stop == Stop::Brace => {
                    return Err(self.reject("an expansion does not end in its line"));
                }
                b'\n' if strip => {
                    self.bump(1);
                    self.strip_tabs(&mut text)?;
                }
                b'\\' => self.quoted_escape(&mut text, stop)?,
                b'$' if stop == Stop::Brace && matches!(self.peek_at(1), b'\'' | b'"') => {
                    // Bash reads `$'…'` there, though it is inside double quotes.
                    return Err(self.reject("a quote inside a quoted expansion"));
                }
                b'$' | b'`' => {
                    text.flush(self, parts)?;
                    let from = self.pos;
                    let expanded = self.expansion(parts, true)?;
                    if expanded {
                        if matches!(stop, Stop::End { .. }) {
                            self.check_lines(from, strip)?;
                        }
                        text.run = self.pos;
                    } else {
                        self.bump(1);
                    }
                }
                _ => self.bump(1),
            }
        }
        text.flush(self, parts)
    }

    /// Bash takes line continuations and the tabs of `<<-` from the text of a here-document before
    /// it looks for substitutions in it, so also from quotes inside these.
    fn check_lines(&mut self, from: usize, strip: bool) -> Result<()> {
        let raw = self.slice(from, self.pos)?;
        self.steps += raw.len() as u64;
        if raw.contains("\\\n") || (strip && raw.contains("\n\t")) {
            return Err(self.reject("a command in a here-document that bash joins or strips"));
        }
        Ok(())
    }

    fn quoted_escape(&mut self, text: &mut Text, stop: Stop) -> Result<()> {
        let escapes = match self.peek_at(1) {
            b'$' | b'`' | b'\\' => true,
            b'"' if stop == Stop::Quote => true,
            b'"' | b'}' if stop == Stop::Brace => {
                if self.in_heredoc {
                    return Err(self.reject("a quote in an expansion in a here-document"));
                }
                true
            }
            b'\n' if stop == Stop::Brace => {
                return Err(self.reject("a line continuation in an expansion"));
            }
            b'\n' => {
                text.keep(self)?;
                self.bump(2);
                text.run = self.pos;
                return Ok(());
            }
            0 if matches!(stop, Stop::End { .. }) => {
                self.bump(1);
                return Ok(());
            }
            0 => return Err(self.reject("a quote does not end")),
            _ => false,
        };
        if escapes {
            text.keep(self)?;
            text.run = self.pos + 1;
        }
        self.bump(1);
        self.bump_char();
        Ok(())
    }

    /// Inside `"${…}"` bash reads quotes one way to find the end and another way to expand. Only
    /// what is the same in both is taken.
    fn plain_quote(&mut self, parts: &mut Vec<Part<'s>>, text: &mut Text) -> Result<()> {
        let quote = self.peek();
        let start = self.pos;
        if self.in_heredoc {
            return Err(self.reject("a quote in an expansion in a here-document"));
        }
        self.bump(1);
        self.bump_while(|byte| {
            !matches!(byte, 0 | b'"' | b'\'' | b'\\' | b'$' | b'`' | b'{' | b'}' | b'\n')
        });
        if self.peek() != quote {
            return Err(self.reject("a quote inside a quoted expansion"));
        }
        self.bump(1);
        if quote == b'"' {
            let end = self.pos;
            self.pos = start;
            text.flush(self, parts)?;
            self.pos = end;
            let inner = Cow::Borrowed(self.slice(start + 1, end - 1)?);
            parts.push(Part::Literal { text: inner, quoted: true });
            text.run = end;
        }
        Ok(())
    }

    /// At the start of a line of `<<-`.
    fn strip_tabs(&mut self, text: &mut Text) -> Result<()> {
        if self.peek() == b'\t' {
            text.keep(self)?;
            self.bump_while(|byte| byte == b'\t');
            text.run = self.pos;
        }
        Ok(())
    }

    /// Reads `$'…'`, standing at the `$`.
    pub(super) fn ansi_quoted(&mut self, parts: &mut Vec<Part<'s>>) -> Result<()> {
        self.bump(2);
        let start = self.pos;
        self.bump_while(|byte| !matches!(byte, b'\'' | b'\\'));
        if self.peek() == b'\'' {
            let text = Cow::Borrowed(self.slice(start, self.pos)?);
            parts.push(Part::Literal { text, quoted: true });
            self.bump(1);
            return Ok(());
        }
        let mut cooked = self.slice(start, self.pos)?.as_bytes().to_vec();
        loop {
            match self.peek() {
                0 => return Err(self.reject("a quote does not end")),
                b'\'' => break,
                b'\\' => self.ansi_escape(&mut cooked)?,
                byte => {
                    cooked.push(byte);
                    self.bump(1);
                }
            }
        }
        self.bump(1);
        let Ok(text) = String::from_utf8(cooked) else {
            return Err(self.reject("an escape makes bytes that are no text"));
        };
        parts.push(Part::Literal { text: Cow::Owned(text), quoted: true });
        Ok(())
    }

    fn ansi_escape(&mut self, cooked: &mut Vec<u8>) -> Result<()> {
        let letter = self.peek_at(1);
        self.bump(2);
        let byte = match letter {
            b'a' => 0x07,
            b'b' => 0x08,
            b'e' | b'E' => 0x1B,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0B,
            b'\\' | b'\'' | b'"' | b'?' => letter,
            b'0'..=b'7' => {
                self.pos -= 1;
                // Bash takes the value modulo 256.
                (self.digits(8, 3) & 0xFF) as u8
            }
            b'x' => match self.digits(16, 2) {
                value if value < 0x100 => value as u8,
                _ => 0,
            },
            // Above ASCII the bytes depend on the locale.
            b'u' | b'U' => match self.digits(16, if letter == b'u' { 4 } else { 8 }) {
                value if value < 0x80 => value as u8,
                _ => return Err(self.reject("an escape whose bytes depend on the locale")),
            },
            // Unknown escapes keep their backslash.
            b' '..=b'~' if !matches!(letter, b'c' | b'x') => {
                cooked.push(b'\\');
                letter
            }
            _ => return Err(self.reject("an escape that is not understood")),
        };
        if matches!(byte, 0 | 0x01 | 0x7F) {
            // Bash cuts the text at 0 and uses the other two as marks of its own.
            return Err(self.reject("an escape that makes a byte of bash's own or holds no digits"));
        }
        cooked.push(byte);
        Ok(())
    }

    /// Reads up to `most` digits. Without one the value is 0, which the caller refuses.
    fn digits(&mut self, radix: u32, most: usize) -> u32 {
        let mut value = 0_u32;
        for _ in 0..most {
            let Some(digit) = char::from(self.peek()).to_digit(radix) else { break };
            value = value.saturating_mul(radix).saturating_add(digit);
            self.bump(1);
        }
        value
    }
}

/// Text that borrows from the line until an escape is taken out of it.
#[derive(Debug)]
struct Text {
    run: usize,
    owned: Option<String>,
}

impl Text {
    /// Copies the run that ends here.
    fn keep(&mut self, parser: &Parser<'_>) -> Result<()> {
        let run = parser.slice(self.run, parser.pos)?;
        self.owned.get_or_insert_default().push_str(run);
        self.run = parser.pos;
        Ok(())
    }

    fn flush<'s>(&mut self, parser: &Parser<'s>, parts: &mut Vec<Part<'s>>) -> Result<()> {
        let run = parser.slice(self.run, parser.pos)?;
        self.run = parser.pos;
        let text = match self.owned.take() {
            None => Cow::Borrowed(run),
            Some(owned) => Cow::Owned(owned + run),
        };
        if !text.is_empty() {
            parts.push(Part::Literal { text, quoted: true });
        }
        Ok(())
    }
}
