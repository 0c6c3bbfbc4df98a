//! Lists, pipelines, and the reserved words between them.

use crate::shell::few::Few;
use crate::shell::syntax::{Command, Kind, Link, List, Operator, Part, Pipeline, Redirect, Word};

use super::cursor::{Parser, Result, ends_word};

/// A reserved word, where one is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    If,
    Then,
    Elif,
    Else,
    Fi,
    While,
    Until,
    For,
    Select,
    Do,
    Done,
    Case,
    Esac,
    In,
    Function,
    Time,
    Coproc,
    Bang,
    Open,
    Close,
    Test,
    TestEnd,
}

impl<'s> Parser<'s> {
    /// Reads commands up to the end of the text, `)`, `;;`, or a reserved word that ends a list.
    pub(super) fn list(&mut self) -> Result<List<'s>> {
        let mut pipelines = Vec::new();
        loop {
            self.newlines()?;
            if self.at_list_end()? {
                break;
            }
            let first = pipelines.len();
            self.and_or(&mut pipelines)?;
            match self.peek() {
                b'\n' | b'#' => {}
                b';' if matches!(self.peek_at(1), b';' | b'&') => break,
                b';' => {
                    self.bump(1);
                    self.after_operator()?;
                }
                b'&' => {
                    for pipeline in pipelines.iter_mut().skip(first) {
                        pipeline.background = true;
                    }
                    self.bump(1);
                    self.after_operator()?;
                }
                0 | b')' => break,
                _ if self.closes_compound(&pipelines)? => break,
                _ => return Err(self.reject("two commands stand side by side")),
            }
        }
        Ok(List { pipelines })
    }

    /// Reads a list that must hold a command.
    pub(super) fn full_list(&mut self) -> Result<List<'s>> {
        let list = self.list()?;
        if list.pipelines.is_empty() {
            return Err(self.reject("a command is missing"));
        }
        Ok(list)
    }

    fn and_or(&mut self, pipelines: &mut Vec<Pipeline<'s>>) -> Result<()> {
        let mut link = Link::Then;
        loop {
            let pipeline = self.pipeline(link)?;
            pipelines.push(pipeline);
            self.blanks();
            link = match (self.peek(), self.peek_at(1)) {
                (b'&', b'&') => Link::And,
                (b'|', b'|') => Link::Or,
                _ => return Ok(()),
            };
            self.bump(2);
            self.after_operator()?;
            self.newlines()?;
        }
    }

    fn pipeline(&mut self, link: Link) -> Result<Pipeline<'s>> {
        let prefixed = self.pipeline_prefix()?;
        let mut commands = Few::new();
        loop {
            let mut command = self.command(!commands.is_empty())?;
            self.blanks();
            let pipes = self.peek() == b'|' && self.peek_at(1) != b'|';
            if !pipes {
                commands.push(command);
                return Ok(Pipeline { link, background: false, prefixed, commands });
            }
            let start = self.pos;
            self.bump(1);
            if self.peek() == b'&' {
                // `|&` is `2>&1 |`, applied after the redirections that are written.
                self.bump(1);
                let span = self.span_from(start);
                let one = Part::Literal { text: "1".into(), quoted: false };
                command.redirects.push(Redirect {
                    operator: Operator::DuplicateOut,
                    descriptor: 2,
                    variable: None,
                    target: Word { parts: Few::one(one), span },
                    span,
                });
            }
            commands.push(command);
            self.after_operator()?;
            self.newlines()?;
        }
    }

    /// Reads `!` and `time`, as often as they stand there.
    fn pipeline_prefix(&mut self) -> Result<bool> {
        let mut prefixed = false;
        loop {
            match self.keyword()? {
                Some((Key::Bang, length)) => {
                    self.bump(length);
                    if self.peek() == b'(' {
                        return Err(self.reject("`!(` is a pattern or a negation"));
                    }
                    self.blanks();
                }
                Some((Key::Time, length)) => {
                    self.bump(length);
                    self.blanks();
                    for option in [b'p', b'-'] {
                        let here = self.peek() == b'-' && self.peek_at(1) == option;
                        if here && ends_word(self.peek_at(2)) {
                            self.bump(2);
                            self.blanks();
                        }
                    }
                }
                _ => return Ok(prefixed),
            }
            prefixed = true;
        }
    }

    fn at_list_end(&self) -> Result<bool> {
        Ok(match self.peek() {
            0 | b')' => true,
            b';' => matches!(self.peek_at(1), b';' | b'&'),
            _ => self.at_closing_word()?,
        })
    }

    fn at_closing_word(&self) -> Result<bool> {
        use Key::{Close, Do, Done, Elif, Else, Esac, Fi, Then};
        let closing = |key| matches!(key, Then | Do | Done | Fi | Elif | Else | Esac | Close);
        Ok(self.keyword()?.is_some_and(|(key, _)| closing(key)))
    }

    /// `{ (a) }` and `if a; then { b; } fi`: behind a compound command no separator is needed.
    fn closes_compound(&self, pipelines: &[Pipeline<'s>]) -> Result<bool> {
        let last = pipelines.last().and_then(|pipeline| pipeline.commands.last());
        Ok(last.is_some_and(ends_in_word) && self.at_closing_word()?)
    }

    /// Moves over `wanted` or refuses.
    pub(super) fn expect(&mut self, wanted: Key, why: &'static str) -> Result<()> {
        match self.keyword()? {
            Some((key, length)) if key == wanted => {
                self.bump(length);
                Ok(())
            }
            _ => Err(self.reject(why)),
        }
    }

    /// Returns the reserved word here and its length. Nothing of it may be quoted.
    pub(super) fn keyword(&self) -> Result<Option<(Key, usize)>> {
        let possible = b"itefdwusc{}![]".contains(&self.peek());
        if !possible {
            return Ok(None);
        }
        let rest = self.bytes.get(self.pos..self.pos + 9).or_else(|| self.bytes.get(self.pos..));
        let rest = rest.unwrap_or_default();
        let wanted = |byte: &u8| !matches!(byte, b'a'..=b'z' | b'{' | b'}' | b'!' | b'[' | b']');
        let length = rest.iter().position(wanted).unwrap_or(rest.len());
        let key = match rest.get(..length).unwrap_or_default() {
            b"if" => Key::If,
            b"then" => Key::Then,
            b"elif" => Key::Elif,
            b"else" => Key::Else,
            b"fi" => Key::Fi,
            b"while" => Key::While,
            b"until" => Key::Until,
            b"for" => Key::For,
            b"select" => Key::Select,
            b"do" => Key::Do,
            b"done" => Key::Done,
            b"case" => Key::Case,
            b"esac" => Key::Esac,
            b"in" => Key::In,
            b"function" => Key::Function,
            b"time" => Key::Time,
            b"coproc" => Key::Coproc,
            b"!" => Key::Bang,
            b"{" => Key::Open,
            b"}" => Key::Close,
            b"[[" => Key::Test,
            b"]]" => Key::TestEnd,
            _ => return Ok(None),
        };
        match self.peek_at(length) {
            b'\\' if self.peek_at(length + 1) == b'\n' => {
                Err(self.reject("a line continuation touches a reserved word"))
            }
            next => Ok(ends_word(next).then_some((key, length))),
        }
    }
}

/// Whether the last token of a command is `)` or a reserved word, behind which bash looks for the
/// next reserved word.
fn ends_in_word(command: &Command<'_>) -> bool {
    let ends = match &command.kind {
        Kind::Simple { .. } | Kind::Test(_) | Kind::Arithmetic(_) => false,
        Kind::Function { body, .. } => ends_in_word(body),
        _ => true,
    };
    ends && command.redirects.is_empty()
}
