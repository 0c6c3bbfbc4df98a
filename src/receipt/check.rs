//! What a verifier checks, and how it says what is wrong (receipt-format §8).

use std::fmt::{self, Display};
use std::io;

use super::body::SessionId;
use super::form::{excerpt, words};

/// The chain that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// None: the file as such.
    File,
    /// The journal.
    Journal,
    /// A session.
    Session(SessionId),
}

impl Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the file"),
            Self::Journal => f.write_str("the journal"),
            Self::Session(session) => write!(f, "session {session}"),
        }
    }
}

words! {
    /// A check of receipt-format §8.2; the word is the one that stands there.
    #[non_exhaustive]
    pub enum Check {
        /// The file can be read.
        Read = "read",
        /// The line is not too long.
        Length = "length",
        /// It is UTF-8.
        Encoding = "encoding",
        /// It is canonical and has the members of its kind.
        Form = "form",
        /// The file starts with line 0 of its one journal.
        Start = "start",
        /// The line is of this journal.
        Journal = "journal",
        /// Its session was announced by the journal, once, as it is.
        Announced = "announced",
        /// Nothing follows an end.
        Ended = "ended",
        /// No position is skipped or doubled.
        Sequence = "sequence",
        /// The line names the hash of the one before.
        Link = "link",
        /// The epoch is the one in force.
        Epoch = "epoch",
        /// Time does not go back.
        Time = "time",
        /// The key is trusted and sound.
        Key = "key",
        /// The epoch key's holder took part.
        Proof = "proof",
        /// The signature is there where it must be, and valid.
        Signature = "signature",
        /// What is repeated is the same.
        Fields = "fields",
        /// The lines of a call are together.
        Group = "group",
        /// The labels of a call are among those of the next.
        Labels = "labels",
        /// The decision of a call is the worst of its parts.
        Verdict = "verdict",
        /// An outcome belongs to an allowed call and is its only one.
        Outcome = "outcome",
        /// The journal and the session tell of the same lines.
        Head = "head",
        /// The tree over the lines of a session is the one that the journal names.
        Tree = "tree",
        /// The journal is the one of the checkpoint that the caller holds, and continues it.
        Checkpoint = "checkpoint",
        /// The journal has the line that the caller holds.
        Position = "position",
        /// Lines that are accounted for are there.
        Cut = "cut",
        /// The file does not need more than the verifier keeps.
        Limit = "limit",
    }
}

impl Check {
    /// Says what a failure of this check means, in a sentence for an auditor.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Read => "The file could not be read to its end; nothing is known of the rest.",
            Self::Length | Self::Encoding | Self::Form => {
                "The line is not one that an authorizer writes: it was damaged or made by hand."
            }
            Self::Start => "The beginning of the journal is missing, or two journals are mixed.",
            Self::Journal => "The line belongs to the record of another authorizer.",
            Self::Announced => {
                "The journal does not know this session as it stands here: it was added or replaced."
            }
            Self::Ended => "The line was added after its session had come to its end.",
            Self::Sequence => "Lines of this chain are missing, doubled or out of order.",
            Self::Link => "A line of this chain was changed or replaced, here or just before.",
            Self::Epoch => "The line was made under a key that was not in force at this point.",
            Self::Time => "The clock of the authorizer went back, or lines were put together.",
            Self::Key => "The record is signed by a key that is not to be trusted.",
            Self::Proof => "The epoch key was named without its holder's consent.",
            Self::Signature => "The line was not signed by the authorizer as it stands here.",
            Self::Fields => "The line contradicts what its session says of itself.",
            Self::Group => "The record of a call is not in one piece.",
            Self::Labels => {
                "The session had touched a class of data, and from here on the record denies it."
            }
            Self::Verdict => "The authorizer recorded a decision that contradicts itself.",
            Self::Outcome => "Something was reported as done that was not allowed, or twice.",
            Self::Head => "The journal accounts for other lines of the session than stand here.",
            Self::Tree => {
                "The journal names another tree of lines than stands here: no proof holds."
            }
            Self::Checkpoint => {
                "The journal is another than the one that was signed for others to keep."
            }
            Self::Position => "The journal was rewritten after you took note of its head.",
            Self::Cut => "Lines that are known to have existed are missing at the end.",
            Self::Limit => "The file asks for more memory than a verifier grants.",
        }
    }
}

/// The first thing that is wrong with a receipt file.
#[derive(Debug)]
pub struct VerifyError(Box<Finding>);

#[derive(Debug)]
struct Finding {
    line: Option<u64>,
    chain: Chain,
    check: Check,
    expected: String,
    found: String,
    source: Option<io::Error>,
}

impl VerifyError {
    pub(super) fn new(
        line: Option<u64>,
        chain: Chain,
        check: Check,
        expected: String,
        found: String,
    ) -> Self {
        Self(Box::new(Finding { line, chain, check, expected, found, source: None }))
    }

    /// Says that line `line` could not be read.
    pub(super) fn read(line: u64, source: io::Error) -> Self {
        let (expected, found) = ("a readable file".to_owned(), "an I/O error".to_owned());
        let mut error = Self::new(Some(line), Chain::File, Check::Read, expected, found);
        error.0.source = Some(source);
        error
    }

    /// Returns the number of the bad line, from 1; none if what is wrong is the end of the file.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.0.line
    }

    /// Returns the chain.
    #[must_use]
    pub fn chain(&self) -> Chain {
        self.0.chain
    }

    /// Returns the check that failed.
    #[must_use]
    pub fn check(&self) -> Check {
        self.0.check
    }

    /// Returns what was expected.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// Returns what was found, escaped and cut short.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.0.found
    }

    /// Says what it means, in a sentence for an auditor.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        self.0.check.meaning()
    }
}

impl Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { line, chain, check, expected, found, .. } = &*self.0;
        match line {
            Some(line) => write!(f, "line {line}")?,
            None => f.write_str("end of file")?,
        }
        write!(f, ", {chain}: check `{check}` failed: expected {expected}, found {found}")
    }
}

impl std::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|error| error as _)
    }
}

pub(super) fn show(value: Option<impl Display>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
}

pub(super) fn show_text(text: &str) -> String {
    excerpt(text.as_bytes())
}
