//! One line: its envelope, its link hash and its bytes both ways (receipt-format §2.2, §3, §5.2).

use std::fmt;
use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};

use super::body::{
    Begin, Close, End, Epoch, Head, Open, Outcome, Receipt, Resume, SessionId, Verdict, are_labels,
};
use super::form::{Field, FormError, Reader, words};
use super::key::SignError;
use super::tree::TreeHash;
use super::{FORMAT_VERSION, MAX_GROUP, MAX_LINE_BYTES};
use crate::digest::Digest;
use crate::hex;

/// What makes a signature.
pub(super) type Sign<'s> = dyn Fn(&[u8]) -> Result<[u8; 64], SignError> + 's;

/// A line of a receipt file, without its line end.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
    kind: Kind,
    link: Digest,
}

impl Line {
    /// Parses and checks the form of `text`; chains and signatures are the verifier's to check.
    ///
    /// # Errors
    ///
    /// Returns [`LineError`] if `text` is too long or is not of the required form.
    pub fn parse(text: impl Into<String>) -> Result<Self, LineError> {
        let text = text.into();
        let kind = ParsedLine::parse(text.as_bytes())?.body.kind();
        let link = link_hash(text.as_bytes());
        Ok(Self { text, kind, link })
    }

    /// Writes the line that carries `body`, signed by `sign` if there is one.
    pub(super) fn write<'a, B: Field<'a>>(
        kind: Kind,
        body: &B,
        size: usize,
        sign: Option<&Sign<'_>>,
    ) -> Result<Self, WriteError> {
        if !body.fits() {
            return Err(WriteError::Value(kind));
        }
        let mut text = String::with_capacity(size + ENVELOPE_BYTES);
        text.push_str(kind.opening());
        let start = text.len();
        body.write(&mut text);
        if let Some(sign) = sign {
            let body = text.as_bytes().get(start..).unwrap_or_default();
            let mut message = Vec::with_capacity(kind.prefix().len() + body.len());
            message.extend_from_slice(kind.prefix().as_bytes());
            message.extend_from_slice(body);
            let signature = sign(&message)?;
            text.push_str(",\"sig\":\"");
            hex::push(&mut text, &signature);
            text.push('"');
        }
        text.push('}');
        if text.len() > MAX_LINE_BYTES {
            return Err(WriteError::TooLong { bytes: text.len() });
        }
        let link = link_hash(text.as_bytes());
        Ok(Self { text, kind, link })
    }

    /// Returns the line, without a line end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the kind of the line.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the link hash, which the next line of the chain names.
    #[must_use]
    pub fn link(&self) -> Digest {
        self.link
    }

    /// Returns the hash of the line as a leaf of a tree.
    #[must_use]
    pub fn leaf(&self) -> TreeHash {
        TreeHash::of_line(self.text.as_bytes())
    }

    /// Reads the line's members.
    ///
    /// # Errors
    ///
    /// Never for a line that was parsed or written by this library.
    pub fn parsed(&self) -> Result<ParsedLine<'_>, LineError> {
        ParsedLine::parse(self.text.as_bytes())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({})", self.text)
    }
}

words! {
    /// The kind of a line, which is also the name of its one member beside the signature.
    pub enum Kind {
        /// A key comes into force.
        Epoch = "epoch",
        /// A session begins, says the journal.
        Open = "open",
        /// A session has come this far.
        Head = "head",
        /// Nothing more of a session is accounted for.
        Close = "close",
        /// Line 0 of a session.
        Begin = "begin",
        /// One domain of one call.
        Receipt = "receipt",
        /// What became of an allowed call.
        Outcome = "outcome",
        /// The chain goes on after a restart or a failed store.
        Resume = "resume",
        /// The last line of a session.
        End = "end",
    }
}

impl Kind {
    const fn opening(self) -> &'static str {
        match self {
            Self::Epoch => "{\"epoch\":",
            Self::Open => "{\"open\":",
            Self::Head => "{\"head\":",
            Self::Close => "{\"close\":",
            Self::Begin => "{\"begin\":",
            Self::Receipt => "{\"receipt\":",
            Self::Outcome => "{\"outcome\":",
            Self::Resume => "{\"resume\":",
            Self::End => "{\"end\":",
        }
    }

    /// Returns what stands before the body in the message that is signed.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Epoch => "countersign epoch v1\n",
            Self::Open => "countersign open v1\n",
            Self::Head => "countersign head v1\n",
            Self::Close => "countersign close v1\n",
            Self::Begin => "countersign begin v1\n",
            Self::Receipt => "countersign receipt v1\n",
            Self::Outcome => "countersign outcome v1\n",
            Self::Resume => "countersign resume v1\n",
            Self::End => "countersign end v1\n",
        }
    }
}

/// The members of a line, borrowed from its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParsedLine<'a> {
    /// The body.
    pub body: Body<'a>,
    /// The bytes of the body, which the signature is over.
    pub body_text: &'a str,
    /// The signature, not yet verified.
    pub signature: Option<[u8; 64]>,
}

impl<'a> ParsedLine<'a> {
    /// Reads `line`, which has no line end.
    ///
    /// # Errors
    ///
    /// Returns [`LineError`] if `line` is too long or is not of the required form.
    ///
    /// # Security
    ///
    /// A parsed line is well formed and nothing more: whose it is, only a verifier tells.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        if line.len() > MAX_LINE_BYTES {
            return Err(LineError::TooLong { bytes: line.len() });
        }
        let text = std::str::from_utf8(line)
            .map_err(|error| LineError::Encoding { at: error.valid_up_to() })?;
        let mut reader = Reader::new(text);
        let kind = KINDS
            .into_iter()
            .find(|kind| reader.accept(kind.opening()))
            .ok_or_else(|| reader.wrong("`{` and the kind of a line in quotes"))?;
        let start = reader.offset();
        let body = Body::read(kind, &mut reader)?;
        let body_text = text.get(start..reader.offset()).unwrap_or_default();
        let mut signature = None;
        if !reader.accept("}") {
            reader.expect(",\"sig\":")?;
            signature = Some(reader.hex()?);
            reader.expect("}")?;
        }
        reader.end()?;
        if let Some(rule) = body.broken_rule() {
            return Err(FormError::new(start, rule, body_text.as_bytes()).into());
        }
        Ok(Self { body, body_text, signature })
    }

    /// Returns the message that the signature is over, in two parts.
    pub(super) fn message(&self) -> [&'a str; 2] {
        [self.body.kind().prefix(), self.body_text]
    }
}

/// The body of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most lines are receipts, and bodies do not linger")]
pub enum Body<'a> {
    /// A key comes into force.
    Epoch(Epoch),
    /// A session begins, says the journal.
    Open(Open<'a>),
    /// A session has come this far.
    Head(Head),
    /// Nothing more of a session is accounted for.
    Close(Close),
    /// Line 0 of a session.
    Begin(Begin<'a>),
    /// One domain of one call.
    Receipt(Receipt<'a>),
    /// What became of an allowed call.
    Outcome(Outcome<'a>),
    /// The chain goes on after a restart or a failed store.
    Resume(Resume),
    /// The last line of a session.
    End(End),
}

impl<'a> Body<'a> {
    fn read(kind: Kind, reader: &mut Reader<'a>) -> Result<Self, FormError> {
        Ok(match kind {
            Kind::Epoch => Self::Epoch(Field::read(reader)?),
            Kind::Open => Self::Open(Field::read(reader)?),
            Kind::Head => Self::Head(Field::read(reader)?),
            Kind::Close => Self::Close(Field::read(reader)?),
            Kind::Begin => Self::Begin(Field::read(reader)?),
            Kind::Receipt => Self::Receipt(Field::read(reader)?),
            Kind::Outcome => Self::Outcome(Field::read(reader)?),
            Kind::Resume => Self::Resume(Field::read(reader)?),
            Kind::End => Self::End(Field::read(reader)?),
        })
    }

    /// Returns the kind of the line.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Epoch(_) => Kind::Epoch,
            Self::Open(_) => Kind::Open,
            Self::Head(_) => Kind::Head,
            Self::Close(_) => Kind::Close,
            Self::Begin(_) => Kind::Begin,
            Self::Receipt(_) => Kind::Receipt,
            Self::Outcome(_) => Kind::Outcome,
            Self::Resume(_) => Kind::Resume,
            Self::End(_) => Kind::End,
        }
    }

    /// Returns the position in the chain.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Epoch(body) => body.seq,
            Self::Open(body) => body.seq,
            Self::Head(body) => body.seq,
            Self::Close(body) => body.seq,
            Self::Begin(body) => body.seq,
            Self::Receipt(body) => body.seq,
            Self::Outcome(body) => body.seq,
            Self::Resume(body) => body.seq,
            Self::End(body) => body.seq,
        }
    }

    /// Returns the link hash of the line before, which the first line of a chain does not have.
    #[must_use]
    pub fn prev(&self) -> Option<Digest> {
        match self {
            Self::Epoch(body) => body.prev,
            Self::Open(body) => Some(body.prev),
            Self::Head(body) => Some(body.prev),
            Self::Close(body) => Some(body.prev),
            Self::Begin(_) => None,
            Self::Receipt(body) => Some(body.prev),
            Self::Outcome(body) => Some(body.prev),
            Self::Resume(body) => Some(body.prev),
            Self::End(body) => Some(body.prev),
        }
    }

    /// Returns the epoch that the line names.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        match self {
            Self::Epoch(body) => body.epoch,
            Self::Open(body) => body.epoch,
            Self::Head(body) => body.epoch,
            Self::Close(body) => body.epoch,
            Self::Begin(body) => body.epoch,
            Self::Receipt(body) => body.epoch,
            Self::Outcome(body) => body.epoch,
            Self::Resume(body) => body.epoch,
            Self::End(body) => body.epoch,
        }
    }

    /// Returns the time in milliseconds since 1970.
    #[must_use]
    pub fn time(&self) -> u64 {
        match self {
            Self::Epoch(body) => body.time,
            Self::Open(body) => body.time,
            Self::Head(body) => body.time,
            Self::Close(body) => body.time,
            Self::Begin(body) => body.time,
            Self::Receipt(body) => body.time,
            Self::Outcome(body) => body.time,
            Self::Resume(body) => body.time,
            Self::End(body) => body.time,
        }
    }

    /// Returns the session that the line belongs to or, in the journal, speaks of.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Epoch(_) => None,
            Self::Open(body) => Some(body.session),
            Self::Head(body) => Some(body.session),
            Self::Close(body) => Some(body.session),
            Self::Begin(body) => Some(body.session),
            Self::Receipt(body) => Some(body.session),
            Self::Outcome(body) => Some(body.session),
            Self::Resume(body) => Some(body.session),
            Self::End(body) => Some(body.session),
        }
    }

    /// Returns the journal that the line names, if its kind does.
    #[must_use]
    pub fn journal(&self) -> Option<Digest> {
        match self {
            Self::Epoch(body) => body.journal,
            Self::Open(body) => Some(body.journal),
            Self::Head(body) => Some(body.journal),
            Self::Close(body) => Some(body.journal),
            Self::Begin(body) => Some(body.journal),
            _ => None,
        }
    }

    /// Tells whether the line is one of the journal's.
    #[must_use]
    pub fn is_journal(&self) -> bool {
        matches!(self, Self::Epoch(_) | Self::Open(_) | Self::Head(_) | Self::Close(_))
    }

    /// Returns the first rule of §8.2 `form` that the members, each good by itself, break together.
    fn broken_rule(&self) -> Option<&'static str> {
        let rules: &[(bool, &'static str)] = match self {
            Self::Epoch(body) => &[
                (body.v == FORMAT_VERSION, "`v` to be 1"),
                (
                    body.journal.is_none() == (body.seq == 0)
                        && body.prev.is_none() == (body.seq == 0),
                    "`journal` and `prev` exactly where `seq` is not 0",
                ),
            ],
            Self::Begin(body) => &[
                (body.v == FORMAT_VERSION, "`v` to be 1"),
                (body.seq == 0, "`seq` to be 0"),
                (!body.scope.is_empty(), "`scope` not to be empty"),
            ],
            Self::Receipt(body) => &[
                (body.seq > 0, "`seq` above 0"),
                (body.call > 0, "`call` above 0"),
                (
                    body.of <= MAX_GROUP && body.index < body.of,
                    "`index` below `of`, `of` at most 4",
                ),
                (!body.scope.is_empty(), "`scope` not to be empty"),
                (!body.effects.is_empty(), "`effects` not to be empty"),
                (
                    body.effects.iter().all(|effect| effect.policies.is_sorted_by(|a, b| a < b)),
                    "`policies` ascending",
                ),
                (
                    are_labels(&body.labels),
                    "`labels` ascending, at most 64, each of at most 512 bytes",
                ),
                (
                    body.permit_until.is_none() || body.call_decision == Verdict::Allow,
                    "`permit_until` only where `call_decision` is `allow`",
                ),
                (body.cause.is_none_or(|cause| cause < body.seq), "`cause` below `seq`"),
            ],
            Self::Head(Head { count, seq, .. }) | Self::Close(Close { count, seq, .. }) => {
                &[(*count > 0, "`count` above 0"), (*seq > 0, "`seq` above 0")]
            }
            Self::Open(_) | Self::Outcome(_) | Self::Resume(_) | Self::End(_) => {
                &[(self.seq() > 0, "`seq` above 0")]
            }
        };
        rules.iter().find(|(holds, _)| !holds).map(|(_, rule)| *rule)
    }
}

/// Why some bytes are not a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It is longer than [`MAX_LINE_BYTES`].
    #[error("the line has {bytes} bytes; at most {MAX_LINE_BYTES} are permitted")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is not UTF-8.
    #[error("the line is not UTF-8 at byte {at}")]
    Encoding {
        /// Offset of the first wrong byte.
        at: usize,
    },
    /// It is not of the required form.
    #[error("the line is not of the required form")]
    Form(#[from] FormError),
}

/// Why a line could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A value does not fit the format: an empty or overlong text, a long list, a number above 2^53 - 1.
    #[error("a value of the `{0}` line is outside the limits of the receipt format")]
    Value(Kind),
    /// The line would be longer than [`MAX_LINE_BYTES`].
    #[error("the line would have {bytes} bytes; at most {MAX_LINE_BYTES} are permitted")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The chain has ended, or its kind of line cannot come now.
    #[error("the chain cannot take this line: {0}")]
    Order(&'static str),
    /// The time is earlier than that of the chain's last line.
    #[error("the time went back from {last} to {now} ms")]
    Time {
        /// Time of the last line.
        last: u64,
        /// Time given.
        now: u64,
    },
    /// Signing failed.
    #[error("the line could not be signed")]
    Sign(#[from] SignError),
}

/// Hashes a whole line (receipt-format §3).
pub(super) fn link_hash(line: &[u8]) -> Digest {
    // The same as `Digest::of(LINK_CONTEXT, line)`, with the context hashed once and not each time.
    static KEY: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(LINK_CONTEXT));
    let mut hasher = blake3::Hasher::new_from_context_key(&KEY);
    hasher.update(line);
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

const LINK_CONTEXT: &str = "countersign 2026-11 receipt line v1";

/// Kind and signature with their punctuation, at most.
const ENVELOPE_BYTES: usize = 12 + 10 + 128 + 2;

/// All kinds, the most frequent first.
const KINDS: [Kind; 9] = [
    Kind::Receipt,
    Kind::Outcome,
    Kind::Open,
    Kind::Begin,
    Kind::Head,
    Kind::Close,
    Kind::End,
    Kind::Resume,
    Kind::Epoch,
];
