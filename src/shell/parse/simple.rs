//! Simple commands: assignments, words, redirections, and the start of `name()`.

use crate::shell::syntax::{Assignment, Kind, Operator, Part, Redirect, Span, Word};

use super::cursor::{Parser, Result, ends_word, is_name, is_name_start};
use super::word::Mode;

/// Builtins whose arguments may be `name=(…)`.
const DECLARES: [&str; 5] = ["declare", "typeset", "local", "export", "readonly"];

/// The largest descriptor that is read as one.
const MAX_DESCRIPTOR_DIGITS: usize = 4;

impl<'s> Parser<'s> {
    pub(super) fn simple(&mut self, redirects: &mut Vec<Redirect<'s>>) -> Result<Kind<'s>> {
        let mut assignments = Vec::new();
        let mut words: Vec<Word<'s>> = Vec::with_capacity(8);
        loop {
            self.blanks();
            match self.peek() {
                0 | b'\n' | b';' | b'|' | b')' | b'#' => break,
                b'&' if self.peek_at(1) != b'>' => break,
                b'(' => {
                    let bare = assignments.is_empty() && redirects.is_empty();
                    match words.as_slice() {
                        [name] if bare && !self.is_open_assignment(name) => {
                            return self.function_behind(name.span);
                        }
                        [command, .., last] if redirects.is_empty() => {
                            self.check_declares(command, last)?;
                            let parts = self.array_as_text()?;
                            if let Some(last) = words.last_mut() {
                                last.parts.extend(parts);
                                last.span = Span { end: self.span_from(0).end, ..last.span };
                            }
                        }
                        _ => return Err(self.reject("a parenthesis stands inside a command")),
                    }
                }
                _ => {
                    if let Some(redirect) = self.redirect()? {
                        redirects.push(redirect);
                    } else if words.is_empty() {
                        let first = assignments.is_empty() && redirects.is_empty();
                        if let Some(assignment) = self.assignment()? {
                            assignments.push(assignment);
                        } else if !first && self.keyword()?.is_some() {
                            return Err(self.reject("a reserved word is used as a command"));
                        } else {
                            self.words_into(&mut words)?;
                        }
                    } else {
                        self.words_into(&mut words)?;
                    }
                }
            }
        }
        if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(self.reject("a command is missing"));
        }
        Ok(Kind::Simple { assignments, words })
    }

    fn is_open_assignment(&self, word: &Word<'s>) -> bool {
        self.text
            .get(word.span.start as usize..word.span.end as usize)
            .is_some_and(|raw| raw.ends_with('='))
    }

    /// `declare a=(…)`: the parenthesis must touch a plain `name=`.
    fn check_declares(&self, command: &Word<'s>, last: &Word<'s>) -> Result<()> {
        let raw = |word: &Word<'s>| self.slice(word.span.start as usize, word.span.end as usize);
        let name = raw(last)?.strip_suffix('=').unwrap_or_default();
        let name = name.strip_suffix('+').unwrap_or(name);
        let named = name.bytes().next().is_some_and(is_name_start) && name.bytes().all(is_name);
        let touches = last.span.end as usize == self.pos;
        if named && touches && DECLARES.contains(&raw(command)?) {
            return Ok(());
        }
        Err(self.reject("a parenthesis stands inside a command"))
    }

    /// Reads `(…)` behind `name=` in an argument, and writes it as one text.
    fn array_as_text(&mut self) -> Result<Vec<Part<'s>>> {
        let words = self.array()?;
        let literal = |text: &'static str| Part::Literal { text: text.into(), quoted: false };
        let mut parts = vec![literal("(")];
        for (index, word) in words.into_iter().enumerate() {
            if index > 0 {
                parts.push(literal(" "));
            }
            parts.extend(word.parts);
        }
        parts.push(literal(")"));
        Ok(parts)
    }

    /// Reads one argument, which braces may turn into several.
    pub(super) fn words_into(&mut self, words: &mut Vec<Word<'s>>) -> Result<()> {
        let before = words.len();
        self.expanded_word(words)?;
        self.count_words(words.len() - before)
    }

    /// Reads `name=value`, `name+=value`, `name=(…)`, if one stands here.
    fn assignment(&mut self) -> Result<Option<Assignment<'s>>> {
        let start = self.pos;
        if !is_name_start(self.peek()) {
            return Ok(None);
        }
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = rest.iter().position(|&byte| !is_name(byte)).unwrap_or(rest.len());
        self.steps += length as u64;
        let append = match (self.peek_at(length), self.peek_at(length + 1)) {
            (b'=', _) => false,
            (b'+', b'=') => true,
            // Bash reads `name[` up to `]` here, over blanks and operators.
            (b'[', _) => return Err(self.reject("an array subscript")),
            _ => return Ok(None),
        };
        self.bump(length);
        let name = self.slice(start, start + length)?;
        self.bump(1 + usize::from(append));
        self.count_words(1)?;
        if self.peek() == b'(' {
            let array = self.array()?;
            let span = self.span_from(start);
            return Ok(Some(Assignment { name, append, value: None, array, span }));
        }
        let value = Some(self.word(Mode::Value)?);
        let span = self.span_from(start);
        Ok(Some(Assignment { name, append, value, array: Vec::new(), span }))
    }

    /// Reads the words of `(…)` behind `name=`.
    fn array(&mut self) -> Result<Vec<Word<'s>>> {
        self.enter()?;
        self.bump(1);
        let mut words = Vec::new();
        loop {
            self.newlines()?;
            match self.peek() {
                b')' => break,
                b'[' => return Err(self.reject("an array subscript")),
                _ => self.words_into(&mut words)?,
            }
        }
        self.bump(1);
        if !ends_word(self.peek()) || self.peek() == b'(' {
            return Err(self.reject("text touches the end of an array"));
        }
        self.leave();
        Ok(words)
    }

    /// Reads redirections behind a compound command.
    pub(super) fn redirects_into(&mut self, redirects: &mut Vec<Redirect<'s>>) -> Result<()> {
        loop {
            self.blanks();
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => return Ok(()),
            }
        }
    }

    /// Reads a redirection, if one stands here.
    fn redirect(&mut self) -> Result<Option<Redirect<'s>>> {
        let start = self.pos;
        let mut number = None;
        let mut variable = None;
        match self.peek() {
            b'<' | b'>' if self.peek_at(1) == b'(' => return Ok(None),
            b'<' | b'>' => {}
            b'&' if self.peek_at(1) == b'>' => {}
            b'0'..=b'9' => match self.descriptor()? {
                Some(found) => number = Some(found),
                None => return Ok(None),
            },
            b'{' => match self.descriptor_variable()? {
                Some(found) => variable = Some(found),
                None => return Ok(None),
            },
            _ => return Ok(None),
        }
        let (operator, length) = self.operator();
        self.bump(length);
        if matches!(operator, Operator::HereDocument) {
            let strip = self.peek() == b'-';
            self.bump(usize::from(strip));
            self.after_operator()?;
            let target = self.here_document(strip)?;
            let span = self.span_from(start);
            let descriptor = number.unwrap_or(0);
            return Ok(Some(Redirect { operator, descriptor, variable, target, span }));
        }
        self.after_operator()?;
        self.blanks();
        let duplicates = matches!(operator, Operator::DuplicateIn | Operator::DuplicateOut);
        if duplicates && self.peek() == b'-' && !ends_word(self.peek_at(1)) {
            // `>&-x` and `>& -x` are `>&-` and a word `x`.
            return Err(self.reject("a word touches `>&-`"));
        }
        let from = self.pos;
        let target = match operator {
            Operator::HereString => self.word(Mode::HereString)?,
            _ => self.word(Mode::Target)?,
        };
        self.count_words(1)?;
        if !duplicates || self.behind() == b'}' {
            self.check_descriptor(from)?;
        }
        let plain = if variable.is_some() { Some(u32::MAX) } else { number };
        let operator = self.settle(operator, plain, &target)?;
        let descriptor = number.unwrap_or(match operator {
            Operator::Read
            | Operator::ReadWrite
            | Operator::DuplicateIn
            | Operator::HereDocument
            | Operator::HereString => 0,
            _ => 1,
        });
        let span = self.span_from(start);
        Ok(Some(Redirect { operator, descriptor, variable, target, span }))
    }

    fn operator(&self) -> (Operator, usize) {
        match (self.peek(), self.peek_at(1), self.peek_at(2)) {
            (b'&', _, b'>') => (Operator::AppendBoth, 3),
            (b'&', ..) => (Operator::WriteBoth, 2),
            (b'<', b'<', b'<') => (Operator::HereString, 3),
            (b'<', b'<', _) => (Operator::HereDocument, 2),
            (b'<', b'>', _) => (Operator::ReadWrite, 2),
            (b'<', b'&', _) => (Operator::DuplicateIn, 2),
            (b'<', ..) => (Operator::Read, 1),
            (_, b'>', _) => (Operator::Append, 2),
            (_, b'|', _) => (Operator::Clobber, 2),
            (_, b'&', _) => (Operator::DuplicateOut, 2),
            _ => (Operator::Write, 1),
        }
    }

    /// `>&word` writes a file where the word is no descriptor.
    fn settle(
        &self,
        operator: Operator,
        number: Option<u32>,
        target: &Word<'s>,
    ) -> Result<Operator> {
        if !matches!(operator, Operator::DuplicateIn | Operator::DuplicateOut) {
            return Ok(operator);
        }
        let raw = self.slice(target.span.start as usize, target.span.end as usize)?;
        let digits = raw.strip_suffix('-').unwrap_or(raw);
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(operator);
        }
        let literal = target.parts.iter().all(|part| matches!(part, Part::Literal { .. }));
        let numeric = |part: &Part<'s>| match part {
            Part::Literal { text, .. } => {
                text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
            }
            _ => true,
        };
        if !literal {
            return Ok(operator);
        }
        if target.parts.iter().all(numeric) {
            return Err(self.reject("a quoted descriptor"));
        }
        match (operator, number) {
            (Operator::DuplicateOut, None | Some(1)) => Ok(Operator::WriteBoth),
            _ => Err(self.reject("an ambiguous redirection")),
        }
    }

    /// Reads digits if `<` or `>` touches them.
    fn descriptor(&mut self) -> Result<Option<u32>> {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.steps += length as u64;
        match (self.peek_at(length), self.peek_at(length + 1)) {
            (b'<' | b'>', b'(') => Err(self.reject("a number touches a process substitution")),
            (b'<' | b'>', _) if length <= MAX_DESCRIPTOR_DIGITS => {
                let number = self.slice(self.pos, self.pos + length)?.parse().ok();
                self.bump(length);
                Ok(number)
            }
            (b'<' | b'>', _) => Err(self.reject("a descriptor is too large")),
            (b'\\', b'\n') => Err(self.reject("a line continuation touches a number")),
            _ => Ok(None),
        }
    }

    /// Reads `{name}` if `<` or `>` touches it.
    fn descriptor_variable(&mut self) -> Result<Option<&'s str>> {
        let start = self.pos + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = rest.iter().position(|&byte| !is_name(byte)).unwrap_or(rest.len());
        self.steps += length as u64;
        let after = (self.peek_at(length + 1), self.peek_at(length + 2), self.peek_at(length + 3));
        match after {
            (b'[', ..) if length > 0 => Err(self.reject("an array subscript")),
            (b'}', b'<' | b'>', b'(') => Err(self.reject("a brace touches a process substitution")),
            (b'}', b'<' | b'>', _) if is_name_start(self.peek_at(1)) => {
                self.bump(length + 2);
                Ok(Some(self.slice(start, start + length)?))
            }
            (b'}', b'<' | b'>', _) => Err(self.reject("a brace touches a redirection")),
            _ => Ok(None),
        }
    }
}
