//! The tree of a shell line: what was written, cooked as bash cooks it, with the place of every word.

use std::borrow::Cow;

use crate::shell::few::Few;

/// A place in the line, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Commands one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct List<'s> {
    pub(crate) pipelines: Vec<Pipeline<'s>>,
}

/// How a pipeline follows the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Link {
    /// `;`, a line break, or the first of its list.
    #[default]
    Then,
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// Commands joined by `|`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pipeline<'s> {
    pub(crate) link: Link,
    /// Whether the and-or list that it belongs to ends in `&`.
    pub(crate) background: bool,
    /// `!` or `time` stood in front.
    pub(crate) prefixed: bool,
    pub(crate) commands: Few<Command<'s>>,
}

/// One command of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command<'s> {
    pub(crate) kind: Kind<'s>,
    pub(crate) redirects: Vec<Redirect<'s>>,
    pub(crate) span: Span,
}

/// What a command is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind<'s> {
    Simple {
        assignments: Vec<Assignment<'s>>,
        words: Vec<Word<'s>>,
    },
    Subshell(List<'s>),
    Group(List<'s>),
    /// Each branch is a condition and what follows it.
    If {
        branches: Vec<(List<'s>, List<'s>)>,
        otherwise: Option<List<'s>>,
    },
    /// `while` and `until`.
    Loop {
        condition: List<'s>,
        body: List<'s>,
    },
    /// Also `select`. Without words it runs over the positional parameters.
    For {
        name: &'s str,
        words: Option<Vec<Word<'s>>>,
        body: List<'s>,
    },
    /// `for ((…))`: only the substitutions in its head are kept.
    ArithmeticFor {
        head: Word<'s>,
        body: List<'s>,
    },
    Case {
        subject: Word<'s>,
        arms: Vec<(Vec<Word<'s>>, List<'s>)>,
    },
    Function {
        name: &'s str,
        body: Box<Command<'s>>,
    },
    /// `[[ … ]]`: operands and operators in order, without the brackets.
    Test(Vec<Word<'s>>),
    /// `(( … ))`: only the substitutions in it are kept, around opaque text.
    Arithmetic(Word<'s>),
}

/// `name=value` before a command, or alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment<'s> {
    pub(crate) name: &'s str,
    /// `+=` instead of `=`.
    pub(crate) append: bool,
    /// None for `name=(…)`, an array; its words stand in `array`.
    pub(crate) value: Option<Word<'s>>,
    pub(crate) array: Vec<Word<'s>>,
    pub(crate) span: Span,
}

/// `2>file`, `<<EOF`, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redirect<'s> {
    pub(crate) operator: Operator,
    /// The number in front, or that of the operator.
    pub(crate) descriptor: u32,
    /// `{name}>file`.
    pub(crate) variable: Option<&'s str>,
    /// The file, the descriptor, or the text of a here-document or here-string.
    pub(crate) target: Word<'s>,
    pub(crate) span: Span,
}

/// What a redirection does with its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `<`
    Read,
    /// `>`
    Write,
    /// `>|`
    Clobber,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `&>` and `>&word` where the word is no descriptor.
    WriteBoth,
    /// `&>>`
    AppendBoth,
    /// `<&`: the target is a descriptor, `-`, or not literal.
    DuplicateIn,
    /// `>&` with a descriptor, `-`, or something that is not literal.
    DuplicateOut,
    /// `<<`, `<<-`: the target is the text.
    HereDocument,
    /// `<<<`: the target is the text, without the line break that the shell adds.
    HereString,
}

/// One word, after brace expansion and before all others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Word<'s> {
    pub(crate) parts: Few<Part<'s>>,
    pub(crate) span: Span,
}

/// One piece of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part<'s> {
    /// Text after quote removal. A quoted empty part keeps `""` a word.
    Literal { text: Cow<'s, str>, quoted: bool },
    /// `*`, `?` or `[…]`, unquoted.
    Glob(&'s str),
    /// `~`, `~user`, `~+`, `~-` where the shell expands it, with what follows the tilde.
    Tilde(&'s str),
    /// `$name`, `${name…}`, `$1`, `$@`, `$?`.
    Parameter { name: &'s str, change: Change<'s>, quoted: bool },
    /// `$(…)` or `` `…` ``.
    Command { list: List<'s>, quoted: bool },
    /// `<(…)` or `>(…)`.
    Process { list: List<'s>, output: bool },
    /// `$((…))`: the substitutions in it, around opaque text.
    Arithmetic { inner: Vec<Part<'s>>, quoted: bool },
}

/// What an expansion does with its parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change<'s> {
    /// `$name`, `${name}`.
    None,
    /// `${#name}`.
    Length,
    /// `:-`, `-`, `:=`, `=`, `:+`, `+`, `:?`, `?` and the word behind it.
    Alternative { operator: &'s str, word: Box<Word<'s>> },
    /// `#`, `##`, `%`, `%%` and the pattern.
    Strip { operator: &'s str, pattern: Box<Word<'s>> },
    /// `/`, `//`, `/#`, `/%`, the pattern and the replacement.
    Replace { operator: &'s str, pattern: Box<Word<'s>>, replacement: Box<Word<'s>> },
    /// `:offset:length`, `^`, `,`, …: the value is not known; words in it are kept.
    Other { words: Vec<Word<'s>> },
}
