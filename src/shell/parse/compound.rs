//! Compound commands and functions.

use crate::shell::syntax::{Command, Kind, List, Part, Span, Word};

use super::cursor::{Parser, Result, ends_word, is_name, is_name_start};
use super::expansion::Close;
use super::list::Key;
use super::word::Mode;

impl<'s> Parser<'s> {
    /// Reads one command of a pipeline with its redirections.
    pub(super) fn command(&mut self, after_pipe: bool) -> Result<Command<'s>> {
        self.count_command()?;
        let start = self.pos;
        let mut redirects = Vec::new();
        let kind = match self.compound(after_pipe)? {
            Some(kind) => {
                self.redirects_into(&mut redirects)?;
                kind
            }
            None => self.simple(&mut redirects)?,
        };
        let mut end = self.pos;
        while end > start && matches!(self.bytes.get(end - 1), Some(b' ' | b'\t')) {
            end -= 1;
        }
        if end < self.pos && end > start && self.bytes.get(end - 1) == Some(&b'\\') {
            // The blank behind it is a part of the word.
            end += 1;
        }
        self.steps += (self.pos - end) as u64;
        Ok(Command { kind, redirects, span: super::cursor::span(start, end) })
    }

    /// Reads a compound command, if one begins here.
    fn compound(&mut self, after_pipe: bool) -> Result<Option<Kind<'s>>> {
        if self.peek() == b'(' {
            self.enter()?;
            let kind =
                if self.peek_at(1) == b'(' { self.arithmetic_command()? } else { self.subshell()? };
            self.leave();
            return Ok(Some(kind));
        }
        let Some((key, length)) = self.keyword()? else { return Ok(None) };
        if key == Key::Time && after_pipe {
            // Behind `|` it is the program of that name.
            return Ok(None);
        }
        self.bump(length);
        self.enter()?;
        let kind = match key {
            Key::If => self.conditional()?,
            Key::While | Key::Until => {
                let condition = self.full_list()?;
                let body = self.do_group()?;
                Kind::Loop { condition, body }
            }
            Key::For | Key::Select => self.for_loop(key)?,
            Key::Case => self.case()?,
            Key::Open => {
                let list = self.full_list()?;
                self.expect(Key::Close, "a group does not end")?;
                Kind::Group(list)
            }
            Key::Test => Kind::Test(self.test()?),
            Key::Function => self.function_keyword()?,
            Key::Coproc => return Err(self.reject("a coprocess")),
            _ => return Err(self.reject("a reserved word stands where it has no meaning")),
        };
        self.leave();
        Ok(Some(kind))
    }

    fn subshell(&mut self) -> Result<Kind<'s>> {
        self.bump(1);
        self.after_operator()?;
        let list = self.full_list()?;
        if self.peek() != b')' {
            return Err(self.reject("a subshell does not end"));
        }
        self.bump(1);
        Ok(Kind::Subshell(list))
    }

    fn arithmetic_command(&mut self) -> Result<Kind<'s>> {
        let start = self.pos;
        self.bump(2);
        let parts = self.arithmetic(Close::Double { semicolons: false })?;
        self.bump(2);
        Ok(Kind::Arithmetic(Word { parts: parts.into(), span: self.span_from(start) }))
    }

    fn conditional(&mut self) -> Result<Kind<'s>> {
        let mut branches = Vec::with_capacity(1);
        loop {
            let condition = self.full_list()?;
            self.expect(Key::Then, "`then` is missing")?;
            let body = self.full_list()?;
            branches.push((condition, body));
            match self.keyword()? {
                Some((Key::Elif, length)) => self.bump(length),
                Some((Key::Else, length)) => {
                    self.bump(length);
                    let otherwise = Some(self.full_list()?);
                    self.expect(Key::Fi, "`fi` is missing")?;
                    return Ok(Kind::If { branches, otherwise });
                }
                _ => {
                    self.expect(Key::Fi, "`fi` is missing")?;
                    return Ok(Kind::If { branches, otherwise: None });
                }
            }
        }
    }

    fn do_group(&mut self) -> Result<List<'s>> {
        self.expect(Key::Do, "`do` is missing")?;
        let body = self.full_list()?;
        self.expect(Key::Done, "`done` is missing")?;
        Ok(body)
    }

    fn for_loop(&mut self, key: Key) -> Result<Kind<'s>> {
        self.blanks();
        if self.peek() == b'(' && self.peek_at(1) == b'(' && key == Key::For {
            let start = self.pos;
            self.bump(2);
            let parts = self.arithmetic(Close::Double { semicolons: true })?;
            let semicolons = |part: &Part<'s>| match part {
                Part::Literal { text, quoted: false } => text.matches(';').count(),
                _ => 0,
            };
            if parts.iter().map(semicolons).sum::<usize>() != 2 {
                return Err(self.reject("the head of a loop has not three parts"));
            }
            self.bump(2);
            let head = Word { parts: parts.into(), span: self.span_from(start) };
            self.blanks();
            if self.peek() == b';' {
                self.bump(1);
                self.after_operator()?;
            }
            self.newlines()?;
            let body = self.do_group()?;
            return Ok(Kind::ArithmeticFor { head, body });
        }
        let name = self.identifier()?;
        self.blanks();
        let mut words = None;
        if self.peek() == b';' {
            self.bump(1);
            self.after_operator()?;
        } else {
            self.newlines()?;
            if let Some((Key::In, length)) = self.keyword()? {
                self.bump(length);
                words = Some(self.loop_words()?);
            }
        }
        self.newlines()?;
        let body = self.do_group()?;
        Ok(Kind::For { name, words, body })
    }

    fn loop_words(&mut self) -> Result<Vec<Word<'s>>> {
        let mut words = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                b'\n' | b'#' => return Ok(words),
                b';' => {
                    self.bump(1);
                    self.after_operator()?;
                    return Ok(words);
                }
                _ => self.words_into(&mut words)?,
            }
        }
    }

    /// Reads the name of a variable, which must be a word of its own.
    fn identifier(&mut self) -> Result<&'s str> {
        let start = self.pos;
        if is_name_start(self.peek()) {
            self.bump_while(is_name);
        }
        if self.pos == start || !ends_word(self.peek()) {
            return Err(self.reject("a name is missing"));
        }
        self.slice(start, self.pos)
    }

    fn case(&mut self) -> Result<Kind<'s>> {
        self.blanks();
        let subject = self.word(Mode::Plain)?;
        self.count_words(1)?;
        self.newlines()?;
        self.expect(Key::In, "`in` is missing")?;
        let mut arms = Vec::new();
        loop {
            self.newlines()?;
            if let Some((Key::Esac, length)) = self.keyword()? {
                self.bump(length);
                return Ok(Kind::Case { subject, arms });
            }
            let patterns = self.case_patterns()?;
            let list = self.list()?;
            arms.push((patterns, list));
            match (self.peek(), self.peek_at(1), self.peek_at(2)) {
                (b';', b';', b'&') => self.bump(3),
                (b';', b';' | b'&', _) => self.bump(2),
                _ => {
                    self.expect(Key::Esac, "`esac` is missing")?;
                    return Ok(Kind::Case { subject, arms });
                }
            }
            self.after_operator()?;
        }
    }

    fn case_patterns(&mut self) -> Result<Vec<Word<'s>>> {
        if self.peek() == b'(' {
            self.bump(1);
            self.blanks();
            if let Some((Key::Esac, _)) = self.keyword()? {
                return Err(self.reject("a reserved word as a pattern"));
            }
        }
        let mut patterns = Vec::with_capacity(1);
        loop {
            self.blanks();
            patterns.push(self.word(Mode::Plain)?);
            self.count_words(1)?;
            self.blanks();
            match self.peek() {
                b'|' => self.bump(1),
                b')' => {
                    self.bump(1);
                    return Ok(patterns);
                }
                _ => return Err(self.reject("a pattern does not end")),
            }
        }
    }

    fn function_keyword(&mut self) -> Result<Kind<'s>> {
        self.blanks();
        let start = self.pos;
        self.bump_while(is_function_name);
        let name = self.slice(start, self.pos)?;
        if name.is_empty() || !ends_word(self.peek()) {
            return Err(self.reject("a function name that is not understood"));
        }
        self.blanks();
        if self.peek() == b'(' && self.peek_at(1) != b'(' {
            self.bump(1);
            self.blanks();
            if self.peek() != b')' {
                return Err(self.reject("a function that is not understood"));
            }
            self.bump(1);
        }
        self.function_body(name)
    }

    /// Reads `()` and a body behind the name at `place`.
    pub(super) fn function_behind(&mut self, place: Span) -> Result<Kind<'s>> {
        let name = self.slice(place.start as usize, place.end as usize)?;
        if name.is_empty() || !name.bytes().all(is_function_name) {
            return Err(self.reject("a parenthesis stands inside a command"));
        }
        self.bump(1);
        self.blanks();
        if self.peek() != b')' {
            return Err(self.reject("a parenthesis stands inside a command"));
        }
        self.bump(1);
        self.enter()?;
        let kind = self.function_body(name)?;
        self.leave();
        Ok(kind)
    }

    fn function_body(&mut self, name: &'s str) -> Result<Kind<'s>> {
        self.newlines()?;
        let body = self.command(false)?;
        if matches!(body.kind, Kind::Simple { .. } | Kind::Function { .. }) {
            return Err(self.reject("the body of a function is no compound command"));
        }
        Ok(Kind::Function { name, body: Box::new(body) })
    }
}

fn is_function_name(byte: u8) -> bool {
    is_name(byte) || matches!(byte, b'-' | b'.' | b':')
}
