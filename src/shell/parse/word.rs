//! Words as they are written: plain text, patterns, tildes, and where each kind of word ends.

use std::borrow::Cow;

use crate::shell::few::Few;
use crate::shell::syntax::{Part, Word};

use super::brace::Mark;
use super::cursor::{Parser, Result, ends_word, is_name, is_name_start};

/// Where a word stands, which decides what is special in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// An argument: braces expand.
    Argument,
    /// The target of a redirection: braces that would expand are refused.
    Target,
    /// A subject, a pattern, or an operand of `[[`: braces are text.
    Plain,
    /// Behind `name=`: a tilde also expands behind `:`.
    Value,
    /// Behind `<<<`: nothing is a pattern.
    HereString,
    /// Behind `=~`: parentheses and bars belong to the word.
    Regex,
    /// Inside `${…}`, up to `}`: blanks and operators are text.
    Inside,
    /// As `Inside`, up to `/` or `}`.
    InsidePattern,
}

/// A word that is being read.
#[derive(Debug, Default)]
pub(super) struct Build<'s> {
    pub(super) parts: Vec<Part<'s>>,
    /// Where the plain text begins that is not yet a part.
    pub(super) run: usize,
    /// Braces and the commas in them, each a part of its own.
    pub(super) marks: Vec<Mark>,
    /// Braces that are open.
    pub(super) open: usize,
    /// `{}` stands in it, which is text unless another `}` follows.
    pub(super) pair: bool,
    /// A brace was closed that was never opened.
    pub(super) stray: bool,
    /// A `[` stands before a brace and has no `]`.
    pub(super) open_bracket: bool,
    /// A tilde expands behind the `=` of an argument, which bash does not do behind braces.
    pub(super) value_tilde: bool,
    bracket: Option<Bracket>,
    /// Where the `=` of `name=` stands in an argument, once somebody asked.
    equals: Option<Option<usize>>,
    /// Parentheses that are open, behind `=~`.
    parens: usize,
}

/// A `[` that may begin a bracket expression.
#[derive(Debug, Clone, Copy)]
struct Bracket {
    /// How many parts stand before it.
    parts: usize,
    at: usize,
    /// Inside `[:`, `[.` or `[=`: the byte that must stand before its `]`.
    class: u8,
    /// A `]` was seen that did not end it.
    closed_class: bool,
}

impl Build<'_> {
    pub(super) fn has_no_braces(&self) -> bool {
        self.marks.is_empty() && !(self.pair && self.stray)
    }
}

impl Mode {
    fn is_inside(self) -> bool {
        matches!(self, Self::Inside | Self::InsidePattern)
    }

    fn braces(self) -> bool {
        matches!(self, Self::Argument | Self::Target)
    }
}

impl<'s> Parser<'s> {
    /// Reads one word that braces do not multiply. Only values and what stands in `${…}` may be
    /// empty.
    pub(super) fn word(&mut self, mode: Mode) -> Result<Word<'s>> {
        let start = self.pos;
        let build = self.build(mode)?;
        if self.pos == start && !mode.is_inside() && mode != Mode::Value {
            return Err(self.reject("a word is missing"));
        }
        if mode == Mode::Target && self.has_active_braces(&build, start)? {
            return Err(self.reject("braces in the target of a redirection"));
        }
        Ok(Word { parts: self.finished(build.parts), span: self.span_from(start) })
    }

    /// Refuses `5` and `{x}` before `<` and `>`: there bash takes them for a descriptor.
    pub(super) fn check_descriptor(&mut self, start: usize) -> Result<()> {
        if !matches!(self.peek(), b'<' | b'>') {
            return Ok(());
        }
        let raw = self.slice(start, self.pos)?;
        self.steps += raw.len() as u64;
        if raw.bytes().all(|byte| byte.is_ascii_digit()) || raw.ends_with('}') {
            return Err(self.reject("a number or brace touches a redirection"));
        }
        Ok(())
    }

    /// Reads one argument and expands its braces.
    pub(super) fn expanded_word(&mut self, words: &mut Vec<Word<'s>>) -> Result<()> {
        let start = self.pos;
        if self.bump_plain_word() {
            let text = Cow::Borrowed(self.slice(start, self.pos)?);
            let parts = Few::one(Part::Literal { text, quoted: false });
            words.push(Word { parts, span: self.span_from(start) });
            return Ok(());
        }
        let build = self.build(Mode::Argument)?;
        if self.pos == start {
            return Err(self.reject("a word is missing"));
        }
        if build.has_no_braces() {
            let parts = self.finished(build.parts);
            words.push(Word { parts, span: self.span_from(start) });
            return Ok(());
        }
        self.expand_braces(build, start, words)
    }

    /// Moves over a word in which nothing is special: most words are such.
    fn bump_plain_word(&mut self) -> bool {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        let special = |&byte: &u8| !is_plain(byte) && !matches!(byte, b'/' | b',');
        let length = rest.iter().position(special).unwrap_or(rest.len());
        let plain = length > 0
            && matches!(self.peek_at(length), 0 | b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b')')
            && self.peek() != b'#';
        if plain {
            self.bump(length);
        } else {
            self.steps += length as u64;
        }
        plain
    }

    fn build(&mut self, mode: Mode) -> Result<Build<'s>> {
        let start = self.pos;
        if self.peek() == b'#' && !mode.is_inside() && mode != Mode::Value {
            return Err(self.reject("a comment stands where a word is expected"));
        }
        let parts = std::mem::take(&mut self.spare);
        let mut build = Build { parts, run: start, ..Build::default() };
        loop {
            self.bump_while(is_plain);
            let byte = self.peek();
            match byte {
                b'\'' => {
                    self.flush(&mut build)?;
                    self.single_quoted(&mut build.parts)?;
                }
                b'"' => {
                    self.flush(&mut build)?;
                    self.double_quoted(&mut build.parts)?;
                }
                b'\\' => {
                    if self.escape(&mut build, start, mode)? {
                        break;
                    }
                    continue;
                }
                b'$' | b'`' => {
                    self.flush(&mut build)?;
                    if !self.expansion(&mut build.parts, false)? {
                        self.bump(1);
                        // The run goes on with the `$` itself.
                        self.check_lone_dollar(&build)?;
                        continue;
                    }
                }
                b'~' => {
                    self.tilde(&mut build, start, mode)?;
                    continue;
                }
                b'*' | b'?' if mode != Mode::HereString => {
                    if self.peek_at(1) == b'(' && mode != Mode::Regex {
                        return Err(self.reject("an extended pattern"));
                    }
                    self.flush(&mut build)?;
                    self.bump(1);
                    build.parts.push(Part::Glob(self.slice(self.pos - 1, self.pos)?));
                }
                b'[' | b']' if mode != Mode::HereString => {
                    self.bracket(&mut build, mode)?;
                    continue;
                }
                b'{' | b'}' | b',' if mode.braces() => {
                    self.brace(&mut build)?;
                    continue;
                }
                b'}' if mode.is_inside() => break,
                b'/' if mode == Mode::InsidePattern && self.pos > start => break,
                b'\n' | 0 if mode.is_inside() => {
                    return Err(self.reject("an expansion does not end in its line"));
                }
                b'<' | b'>' if self.peek_at(1) == b'(' => {
                    self.process_in_word(&mut build, start, mode)?;
                }
                _ if mode == Mode::Regex && self.regex_byte(&mut build)? => {
                    self.bump(1);
                    continue;
                }
                b'(' if mode.is_inside() && matches!(self.behind(), b'+' | b'@' | b'!') => {
                    return Err(self.reject("an extended pattern"));
                }
                _ if ends_word(byte) && !mode.is_inside() => break,
                _ => {
                    self.bump(1);
                    continue;
                }
            }
            build.run = self.pos;
        }
        self.flush(&mut build)?;
        self.end_bracket(&mut build)?;
        if self.peek() == b'(' && matches!(self.behind(), b'?' | b'*' | b'+' | b'@' | b'!') {
            return Err(self.reject("an extended pattern"));
        }
        Ok(build)
    }

    /// Returns the parts of a word, and keeps their list for the next where it is not needed.
    pub(super) fn finished(&mut self, mut parts: Vec<Part<'s>>) -> Few<Part<'s>> {
        if parts.len() > 1 {
            return Few::Many(parts);
        }
        let one = parts.pop().map_or_else(Few::new, Few::one);
        self.spare = parts;
        one
    }

    /// Makes the plain text so far a part.
    pub(super) fn flush(&self, build: &mut Build<'s>) -> Result<()> {
        if build.run < self.pos {
            let text = Cow::Borrowed(self.slice(build.run, self.pos)?);
            build.parts.push(Part::Literal { text, quoted: false });
            build.run = self.pos;
        }
        Ok(())
    }

    /// A `$` that stands for itself must not come to stand before a name when braces expand.
    fn check_lone_dollar(&self, build: &Build<'s>) -> Result<()> {
        if (build.open > 0 || self.peek() == b'{') && matches!(self.peek(), b'{' | b',' | b'}') {
            return Err(self.reject("a lone `$` touches a brace"));
        }
        Ok(())
    }

    /// Reads a backslash. Returns whether the word ends there.
    fn escape(&mut self, build: &mut Build<'s>, start: usize, mode: Mode) -> Result<bool> {
        self.flush(build)?;
        match self.peek_at(1) {
            b'\n' if mode.is_inside() => Err(self.reject("a line continuation in an expansion")),
            b'\n' => {
                let at = self.pos;
                self.blanks();
                let gap = matches!(self.behind(), b' ' | b'\t');
                if at == start || !(gap || matches!(self.peek(), 0 | b'\n')) {
                    return Err(self.reject("a line continuation inside a word"));
                }
                self.pos = at;
                Ok(true)
            }
            0 => Err(self.reject("a backslash ends the line")),
            _ => {
                self.bump(1);
                let from = self.pos;
                self.bump_char();
                let text = Cow::Borrowed(self.slice(from, self.pos)?);
                build.parts.push(Part::Literal { text, quoted: true });
                build.run = self.pos;
                Ok(false)
            }
        }
    }

    /// Moves over one character.
    pub(super) fn bump_char(&mut self) {
        self.bump(1);
        self.bump_while(|byte| byte & 0xC0 == 0x80);
    }

    /// Reads `<(…)` or `>(…)` where a word has begun or begins.
    fn process_in_word(&mut self, build: &mut Build<'s>, start: usize, mode: Mode) -> Result<()> {
        if mode.is_inside() || matches!(mode, Mode::Regex | Mode::HereString) {
            return Err(self.reject("a process substitution where none is expected"));
        }
        self.flush(build)?;
        let raw = self.slice(start, self.pos)?;
        if raw.ends_with('}') || raw.bytes().last().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.reject("a number or brace touches a process substitution"));
        }
        self.process(&mut build.parts)
    }

    /// Behind `=~`, a bar and everything in parentheses belongs to the word.
    fn regex_byte(&self, build: &mut Build<'s>) -> Result<bool> {
        match self.peek() {
            b'(' => build.parens += 1,
            b')' if build.parens > 0 => build.parens -= 1,
            b'|' => {}
            0 | b'\n' if build.parens > 0 => {
                return Err(self.reject("a regular expression does not end in its line"));
            }
            0 | b'\n' => return Ok(false),
            _ => return Ok(build.parens > 0),
        }
        Ok(true)
    }

    /// Reads `~`, which expands at the start of a word, and in values behind `:`.
    fn tilde(&mut self, build: &mut Build<'s>, start: usize, mode: Mode) -> Result<()> {
        let at = self.pos;
        let value = mode == Mode::Value;
        let first = at == start;
        let plain_before = build.run < at;
        let behind = self.behind();
        let after_colon = plain_before && behind == b':';
        let after_equals = plain_before && behind == b'=';
        if after_colon && !matches!(mode, Mode::Argument | Mode::Value) {
            // Bash expands some of them.
            return Err(self.reject("a tilde behind a colon"));
        }
        let assigns = if mode == Mode::Argument && (after_colon || after_equals) {
            self.assignment_like(build, start)?
        } else {
            None
        };
        if assigns.is_some() && !build.marks.is_empty() {
            return Err(self.reject("a tilde and braces in an assignment"));
        }
        let expands = first
            || (value && after_colon)
            || assigns.is_some_and(|equals| after_colon || equals + 1 == at);
        if mode.braces() && matches!(behind, b'{' | b',' | b'}') && !build.marks.is_empty() {
            return Err(self.reject("a tilde touches a brace"));
        }
        if !expands {
            self.bump(1);
            return Ok(());
        }
        self.flush(build)?;
        self.bump(1);
        let colon_ends = value || assigns.is_some();
        self.bump_while(|byte| is_plain(byte) && !(colon_ends && byte == b':'));
        if self.slice(at, self.pos)?.contains([':', '=']) {
            // Bash expands `~:$x` as `~` and leaves the rest of the word as it is.
            return Err(self.reject("a colon or `=` behind a tilde"));
        }
        let next = self.peek();
        if next == b'\\' && self.peek_at(1) == b'\n' {
            return Err(self.reject("a line continuation touches a tilde"));
        }
        if mode.braces() && matches!(next, b'{' | b',' | b'}') {
            return Err(self.reject("a tilde touches a brace"));
        }
        let ends = match next {
            b'/' => true,
            b':' => colon_ends,
            b'}' => mode.is_inside(),
            _ => ends_word(next) && !mode.is_inside(),
        };
        if ends {
            let name = self.slice(at + 1, self.pos)?;
            build.value_tilde |= !first;
            build.parts.push(Part::Tilde(name));
            build.run = self.pos;
        } else {
            build.run = at;
        }
        Ok(())
    }

    /// Returns where the `=` stands if the text from `start` begins with `name=` or `name+=`.
    fn assignment_like(&mut self, build: &mut Build<'s>, start: usize) -> Result<Option<usize>> {
        if let Some(known) = build.equals {
            return Ok(known);
        }
        let text = self.slice(start, self.pos)?.as_bytes();
        let length = text.iter().position(|&byte| !is_name(byte)).unwrap_or(text.len());
        self.steps += length as u64;
        let equals = match (text.get(length), text.get(length + 1)) {
            _ if !text.first().copied().is_some_and(is_name_start) => None,
            (Some(b'='), _) => Some(start + length),
            (Some(b'+'), Some(b'=')) => Some(start + length + 1),
            _ => None,
        };
        build.equals = Some(equals);
        Ok(equals)
    }

    /// Reads `[` or `]`.
    fn bracket(&mut self, build: &mut Build<'s>, mode: Mode) -> Result<()> {
        let at = self.pos;
        let byte = self.peek();
        match &mut build.bracket {
            None if byte == b'[' => {
                self.flush(build)?;
                build.bracket =
                    Some(Bracket { parts: build.parts.len(), at, class: 0, closed_class: false });
                self.bump(1);
                // `[]a]`, `[!]a]`: the first `]` is one of the characters.
                if matches!(self.peek(), b'!' | b'^') {
                    self.bump(1);
                }
                if self.peek() == b']' {
                    self.bump(1);
                }
            }
            Some(open) if byte == b'[' => {
                let class = self.peek_at(1);
                if open.class == 0 && matches!(class, b':' | b'.' | b'=') {
                    open.class = class;
                    self.bump(1);
                }
                self.bump(1);
            }
            Some(open) if open.class != 0 => {
                if self.behind() == open.class {
                    open.class = 0;
                }
                open.closed_class = true;
                self.bump(1);
            }
            Some(open) => {
                let open = *open;
                self.bump(1);
                build.bracket = None;
                self.close_bracket(build, open, mode)?;
            }
            None => self.bump(1),
        }
        Ok(())
    }

    /// Makes one pattern of what stands since `[`.
    fn close_bracket(&self, build: &mut Build<'s>, open: Bracket, mode: Mode) -> Result<()> {
        if build.marks.last().is_some_and(|mark| mark.part >= open.parts) {
            return Err(self.reject("a bracket expression across braces"));
        }
        let raw = self.slice(open.at, self.pos)?;
        let dynamic = |part: &Part<'s>| !matches!(part, Part::Literal { .. } | Part::Glob(_));
        let inner = build.parts.get(open.parts..).unwrap_or_default();
        let path = !matches!(mode, Mode::Plain | Mode::Regex) && !mode.is_inside();
        let quoted = |part: &Part<'s>| matches!(part, Part::Literal { quoted: true, .. });
        if inner.iter().any(dynamic) {
            self.flush(build)?;
            return self.blur(build, open.parts);
        }
        if path && raw.contains('/') {
            // Names are matched one component at a time: this is text.
            return Ok(());
        }
        if inner.iter().any(quoted) {
            self.flush(build)?;
            return self.blur(build, open.parts);
        }
        build.parts.truncate(open.parts);
        build.parts.push(Part::Glob(raw));
        build.run = self.pos;
        Ok(())
    }

    /// At the end of a word, a `[` without `]` is text, unless something that is not known follows.
    fn end_bracket(&self, build: &mut Build<'s>) -> Result<()> {
        let Some(open) = build.bracket.take() else { return Ok(()) };
        build.open_bracket = !build.marks.is_empty();
        let inner = build.parts.get(open.parts..).unwrap_or_default();
        let dynamic = |part: &Part<'s>| !matches!(part, Part::Literal { .. } | Part::Glob(_));
        if open.closed_class || inner.iter().any(dynamic) {
            return self.blur(build, open.parts);
        }
        Ok(())
    }

    /// Turns the text behind `from` into patterns, since nobody knows which of it is in brackets.
    fn blur(&self, build: &mut Build<'s>, from: usize) -> Result<()> {
        for part in build.parts.iter_mut().skip(from) {
            if let Part::Literal { text, .. } = part {
                match *text {
                    Cow::Borrowed(text) => *part = Part::Glob(text),
                    Cow::Owned(_) => {
                        return Err(self.reject("a bracket expression that holds odd quotes"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Bytes that mean themselves in every unquoted word.
fn is_plain(byte: u8) -> bool {
    const PLAIN: [bool; 256] = plain_bytes();
    PLAIN.get(usize::from(byte)).copied().unwrap_or(false)
}

const fn plain_bytes() -> [bool; 256] {
    let special = b"\0 \t\n;&|<>()'\"\\$`~*?[]{},/";
    let mut table = [true; 256];
    let mut at = 0;
    while at < special.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            table[special[at] as usize] = false;
        }
        at += 1;
    }
    table
}
