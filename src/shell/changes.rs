//! What a part of a line may change, read off its text: loops are walked once, after all of it was
//! forgotten.

use std::borrow::Cow;

use crate::shell::state::{State, Value};
use crate::shell::syntax::{Change, Command, Kind, List, Part, Word};

/// What a part of a line may change, read off its text.
#[derive(Debug, Default)]
pub(crate) struct Changes<'t> {
    names: Vec<&'t str>,
    pub(crate) directory: bool,
    pub(crate) everything: bool,
}

/// Commands that change variables, with the names among their arguments.
const SETTERS: [&str; 14] = [
    "read",
    "printf",
    "declare",
    "typeset",
    "local",
    "export",
    "readonly",
    "unset",
    "mapfile",
    "readarray",
    "getopts",
    "let",
    "wait",
    "select",
];

/// Flags of those that hold no name.
const PLAIN_FLAGS: [&str; 9] = ["-r", "-v", "-x", "-e", "-s", "-a", "-p", "-n", "--"];

/// Commands that move the shell.
const MOVERS: [&str; 3] = ["cd", "pushd", "popd"];

/// Commands that can do anything to the shell.
const ANYTHING: [&str; 8] = ["eval", "source", ".", "command", "builtin", "exec", "trap", "alias"];

impl<'t> Changes<'t> {
    pub(crate) fn apply(&self, state: &mut State<'_, '_>) {
        if self.everything {
            state.forget_all();
            state.lose_places();
            return;
        }
        for name in &self.names {
            state.set(Cow::Owned((*name).to_owned()), Value::Unknown);
        }
        if self.directory {
            state.lose_places();
        }
    }

    pub(crate) fn list(&mut self, list: &'t List<'_>) {
        for pipeline in &list.pipelines {
            for command in &pipeline.commands {
                self.command(command);
            }
        }
    }

    pub(crate) fn command(&mut self, command: &'t Command<'_>) {
        for redirect in &command.redirects {
            self.names.extend(redirect.variable);
            self.parts(&redirect.target.parts);
        }
        match &command.kind {
            Kind::Simple { assignments, words } => {
                for assignment in assignments {
                    self.names.push(assignment.name);
                    self.words(&assignment.array);
                    if let Some(value) = &assignment.value {
                        self.parts(&value.parts);
                    }
                }
                self.words(words);
                self.simple(words);
            }
            Kind::Subshell(list) | Kind::Group(list) => self.list(list),
            Kind::If { branches, otherwise } => {
                for (condition, body) in branches {
                    self.list(condition);
                    self.list(body);
                }
                if let Some(otherwise) = otherwise {
                    self.list(otherwise);
                }
            }
            Kind::Loop { condition, body } => {
                self.list(condition);
                self.list(body);
            }
            Kind::For { name, words, body } => {
                self.names.push(name);
                self.words(words.as_deref().unwrap_or_default());
                self.list(body);
            }
            Kind::ArithmeticFor { head, body } => {
                self.arithmetic(&head.parts);
                self.list(body);
            }
            Kind::Case { subject, arms } => {
                self.parts(&subject.parts);
                for (patterns, body) in arms {
                    self.words(patterns);
                    self.list(body);
                }
            }
            Kind::Function { .. } => self.everything = true,
            Kind::Test(words) => self.words(words),
            Kind::Arithmetic(word) => self.arithmetic(&word.parts),
        }
    }

    fn simple(&mut self, words: &'t [Word<'_>]) {
        let literal = |word: &'t Word<'_>| match word.parts.as_slice() {
            [Part::Literal { text, .. }] => Some(&**text),
            _ => None,
        };
        let Some((first, rest)) = words.split_first() else { return };
        let Some(program) = literal(first) else {
            self.everything = true;
            return;
        };
        if MOVERS.contains(&program) {
            self.directory = true;
        } else if ANYTHING.contains(&program) {
            self.everything = true;
        } else if SETTERS.contains(&program) {
            for word in rest {
                match literal(word) {
                    // `printf -vx`, `read -ax`: a name can be glued to an option.
                    Some(text) if text.starts_with('-') && !PLAIN_FLAGS.contains(&text) => {
                        self.everything = true;
                    }
                    Some(text) => {
                        let name = text.split(['=', '[', '+']).next().unwrap_or_default();
                        self.names.push(name);
                    }
                    // `x=$y` as one word: the name stands in its first part.
                    None => match word.parts.first() {
                        Some(Part::Literal { text, .. }) if text.contains('=') => {
                            self.names.push(text.split(['=', '[', '+']).next().unwrap_or_default());
                        }
                        _ => self.everything = true,
                    },
                }
            }
        }
    }

    fn words(&mut self, words: &'t [Word<'_>]) {
        for word in words {
            self.parts(&word.parts);
        }
    }

    /// `${x:=value}` and arithmetic, wherever they stand. Substitutions have shells of their own.
    fn parts(&mut self, parts: &'t [Part<'_>]) {
        for part in parts {
            match part {
                Part::Parameter { name, change, .. } => match change {
                    Change::None | Change::Length => {}
                    Change::Alternative { operator, word } => {
                        if operator.contains('=') {
                            self.names.push(name);
                        }
                        self.parts(&word.parts);
                    }
                    Change::Strip { pattern, .. } => self.parts(&pattern.parts),
                    Change::Replace { pattern, replacement, .. } => {
                        self.parts(&pattern.parts);
                        self.parts(&replacement.parts);
                    }
                    Change::Other { words } => {
                        for word in words {
                            self.arithmetic(&word.parts);
                        }
                    }
                },
                Part::Arithmetic { inner, .. } => self.arithmetic(inner),
                _ => {}
            }
        }
    }

    fn arithmetic(&mut self, parts: &'t [Part<'_>]) {
        self.parts(parts);
        if !assigned_names(parts).is_empty() {
            for part in parts {
                let Part::Literal { text, .. } = part else { continue };
                let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                self.names.extend(names.filter(|name| !name.is_empty()));
            }
        }
    }
}

/// The names that an arithmetic expression gives values: those before `=`, `++`, `--`, and after.
pub(crate) fn assigned_names(parts: &[Part<'_>]) -> Vec<String> {
    let mut names = Vec::new();
    for part in parts {
        let Part::Literal { text, .. } = part else { continue };
        let mut rest = &**text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let tail = rest.get(at..).unwrap_or_default();
            let end = tail.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, after) =
                tail.split_at_checked(end.unwrap_or(tail.len())).unwrap_or((tail, ""));
            let next = after.trim_start();
            let assigns = next.starts_with("++")
                || next.starts_with("--")
                || next
                    .trim_start_matches(['+', '-', '*', '/', '%', '&', '|', '^', '<', '>'])
                    .starts_with('=')
                    && !next.starts_with("==");
            if assigns {
                names.push(name.to_owned());
            }
            rest = after;
        }
    }
    names
}
