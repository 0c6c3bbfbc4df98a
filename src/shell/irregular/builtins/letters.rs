//! Options of one letter, as the shell's builtins read them.

use crate::reason::Reason;
use crate::shell::deed::{Deed, Text};

/// The options of a command, and the operands behind them.
pub(super) struct Letters<'a, 's> {
    pub(super) options: Vec<(char, Option<Text<'s>>)>,
    pub(super) operands: &'a [Text<'s>],
    /// `--` stood between the two.
    pub(super) ended: bool,
}

impl<'a, 's> Letters<'a, 's> {
    /// Reads letters in `flags`, and letters in `valued` with the rest of their word or the next word as
    /// their value, up to the first operand or `--`.
    ///
    /// Without an answer a deed says why.
    pub(super) fn read(
        arguments: &'a [Text<'s>],
        flags: &str,
        valued: &str,
        out: &mut Vec<Deed<'s>>,
    ) -> Option<Self> {
        let mut read = Self { options: Vec::new(), operands: arguments, ended: false };
        while let Some((first, rest)) = read.operands.split_first() {
            if first.literal() == Some("--") {
                read.operands = rest;
                read.ended = true;
                break;
            }
            if !first.may_be_option() || first.literal() == Some("-") {
                break;
            }
            read.operands = rest;
            if let Err(reason) = read.cluster(first, flags, valued) {
                out.push(Deed::Opaque { reason, span: first.span });
                return None;
            }
        }
        Some(read)
    }

    /// Returns the last value of an option.
    pub(super) fn value(&self, letter: char) -> Option<&Text<'s>> {
        let mut found = self.options.iter().rev().filter(|(option, _)| *option == letter);
        found.next().and_then(|(_, value)| value.as_ref())
    }

    pub(super) fn has(&self, letter: char) -> bool {
        self.options.iter().any(|(option, _)| *option == letter)
    }

    fn cluster(&mut self, word: &Text<'s>, flags: &str, valued: &str) -> Result<(), Reason> {
        let literal = word.open.first().map_or(word.text.len(), |open| open.start as usize);
        if literal == 0 || (word.many && word.literal().is_none()) {
            return Err(Reason::ShellDynamicArgument);
        }
        for (at, letter) in word.text.char_indices().skip(1) {
            let behind = at + letter.len_utf8();
            if behind > literal {
                return Err(Reason::ShellDynamicArgument);
            }
            if flags.contains(letter) {
                self.options.push((letter, None));
            } else if valued.contains(letter) {
                let value = if behind < word.text.len() {
                    word.suffix(behind).ok_or(Reason::ShellDynamicArgument)?
                } else {
                    let (next, rest) = self.operands.split_first().ok_or(Reason::ShellArguments)?;
                    self.operands = rest;
                    next.clone()
                };
                if value.many {
                    return Err(Reason::ShellDynamicArgument);
                }
                self.options.push((letter, Some(value)));
                return Ok(());
            } else {
                return Err(Reason::ShellUnknownOption);
            }
        }
        Ok(())
    }
}
