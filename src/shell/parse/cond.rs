//! `[[ … ]]`, read with the rules that bash has for it: which word is an operator depends on where
//! it stands.

use crate::shell::few::Few;
use crate::shell::syntax::{Part, Word};

use super::cursor::{Parser, Result, ends_word};
use super::word::Mode;
use super::{MAX_DEPTH, Reject};

impl<'s> Parser<'s> {
    /// Reads what stands behind `[[`, and the `]]`.
    pub(super) fn test(&mut self) -> Result<Vec<Word<'s>>> {
        let mut words = Vec::new();
        let mut open = 0_u32;
        loop {
            self.newlines_in_test()?;
            if self.peek() == b'(' {
                open += 1;
                if self.depth + open > MAX_DEPTH {
                    return Err(self.too_large("the line is nested too deeply"));
                }
                self.operator_word(&mut words, 1)?;
                continue;
            }
            if self.peek() == b'!' && ends_word(self.peek_at(1)) {
                self.operator_word(&mut words, 1)?;
                if self.peek() == b'(' {
                    return Err(self.reject("`!(` is a pattern or a negation"));
                }
                continue;
            }
            let mut lone = self.term(&mut words)?;
            loop {
                // Behind an operand without an operator bash takes no line break.
                if lone {
                    self.blanks();
                } else {
                    self.newlines_in_test()?;
                }
                lone = false;
                match (self.peek(), self.peek_at(1)) {
                    (b')', _) if open > 0 => {
                        open -= 1;
                        self.operator_word(&mut words, 1)?;
                    }
                    (b'&', b'&') | (b'|', b'|') => {
                        self.operator_word(&mut words, 2)?;
                        self.after_operator()?;
                        break;
                    }
                    (b']', b']') if open == 0 && ends_word(self.peek_at(2)) => {
                        self.bump(2);
                        return Ok(words);
                    }
                    _ => return Err(self.reject("a test that is not understood")),
                }
            }
        }
    }

    /// Reads one operand, or an operator with its operands. Returns whether it was one operand.
    fn term(&mut self, words: &mut Vec<Word<'s>>) -> Result<bool> {
        let first = self.operand(Mode::Plain)?;
        let unary = is_unary(self.raw(&first)?);
        words.push(first);
        self.blanks();
        if unary {
            words.push(self.operand(Mode::Plain)?);
            return Ok(false);
        }
        if matches!(self.peek(), b'<' | b'>') {
            let next = self.peek_at(1);
            if matches!(next, b'<' | b'>' | b'&' | b'|' | b'(') {
                return Err(self.reject("a test that is not understood"));
            }
            self.operator_word(words, 1)?;
            self.after_operator()?;
            self.blanks();
            words.push(self.operand(Mode::Plain)?);
            return Ok(false);
        }
        let length = self.binary_length();
        if length > 0 {
            let regex = self.peek_at(1) == b'~';
            self.operator_word(words, length)?;
            self.blanks();
            words.push(self.operand(if regex { Mode::Regex } else { Mode::Plain })?);
        }
        Ok(length == 0)
    }

    fn operand(&mut self, mode: Mode) -> Result<Word<'s>> {
        if self.peek() == b'#' {
            return Err(self.reject("a comment in a test"));
        }
        let from = self.pos;
        let word = self.word(mode)?;
        self.check_descriptor(from)?;
        self.count_words(1)?;
        if matches!(self.raw(&word)?, "]]" | "!") {
            return Err(self.reject("an operand of a test is missing"));
        }
        Ok(word)
    }

    /// Pushes the next `length` bytes as a word.
    fn operator_word(&mut self, words: &mut Vec<Word<'s>>, length: usize) -> Result<()> {
        let start = self.pos;
        self.bump(length);
        let text = self.slice(start, self.pos)?.into();
        let parts = Few::one(Part::Literal { text, quoted: false });
        words.push(Word { parts, span: self.span_from(start) });
        self.count_words(1)
    }

    fn newlines_in_test(&mut self) -> Result<()> {
        self.newlines_without_comments()?;
        if self.peek() == b'#' {
            return Err(self.reject("a comment in a test"));
        }
        Ok(())
    }

    fn newlines_without_comments(&mut self) -> Result<()> {
        loop {
            self.blanks();
            if self.peek() != b'\n' {
                return Ok(());
            }
            if self.heredoc.is_some() {
                return Err(self.reject("a line break stands between `<<` and its text"));
            }
            self.bump(1);
        }
    }

    fn raw(&self, word: &Word<'s>) -> std::result::Result<&'s str, Reject> {
        self.slice(word.span.start as usize, word.span.end as usize)
    }

    /// Returns the length of the binary operator here, 0 where there is none.
    fn binary_length(&self) -> usize {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        let length = rest.iter().take(4).position(|&byte| ends_word(byte)).unwrap_or(rest.len());
        match rest.get(..length).unwrap_or_default() {
            b"=" | b"==" | b"!=" | b"=~" | b"-eq" | b"-ne" | b"-lt" | b"-le" | b"-gt" | b"-ge"
            | b"-nt" | b"-ot" | b"-ef" => length,
            _ => 0,
        }
    }
}

fn is_unary(raw: &str) -> bool {
    matches!(raw.as_bytes(), [b'-', letter] if b"abcdefghknoprstuvwxzGLNORS".contains(letter))
}
