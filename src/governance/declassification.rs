//! Declassification: people say that a label no longer binds a session, until it is touched again.

use std::time::Duration;

use crate::digest::Digest;
use crate::governance::approval::MAX_SCOPES;
use crate::governance::body::{self, Body, BodyError};
use crate::governance::elevation::{MAX_JUSTIFICATION_CHARS, MIN_JUSTIFICATION_CHARS};
use crate::governance::{Directory, DocumentError, DocumentKind, Moment, Refusal, Signed, Tally};
use crate::policy::ElevationRules;
use crate::reason::Reason;
use crate::receipt::{SessionId, SignError, Signer};
use crate::time::Timestamp;

/// The version that a declassification names.
const VERSION: &str = "countersign/declassification/v1";

/// Under what name the body of a declassification is hashed.
const DIGEST_CONTEXT: &str = "countersign 2026-11 declassification v1";

/// The longest label, in bytes.
const MAX_LABEL_BYTES: usize = 512;

/// What a declassification says, before it is signed.
#[derive(Debug, Clone)]
pub struct DeclassificationDraft {
    /// The one session that it is for.
    pub session: SessionId,
    /// The digests of the session's scopes, from the root to its own.
    pub scope: Vec<Digest>,
    /// The label.
    pub label: Box<str>,
    /// Why, in words.
    pub justification: Box<str>,
    /// When it is signed.
    pub issued_at: Timestamp,
    /// Until when it may be brought.
    pub expires: Timestamp,
}

/// A person's word that a label no longer binds a session. Where the bundle's quorum takes several, several
/// sign the same body, and all are brought together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declassification {
    id: Digest,
    session: SessionId,
    scope: Vec<Digest>,
    label: Box<str>,
    issued_at: Timestamp,
    expires: Timestamp,
    signed: Signed,
}

/// Why a text is no declassification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeclassificationError {
    /// No signed document.
    #[error("the declassification cannot be read")]
    Document(#[from] DocumentError),
    /// A signed document that says something else.
    #[error("the declassification is refused: {0}")]
    Body(#[from] BodyError),
}

impl DeclassificationError {
    /// Returns the stable code: that of the [`DocumentError`], or `declassification.malformed`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Document(error) => error.code(),
            Self::Body(_) => Reason::DeclassificationMalformed.code(),
        }
    }
}

impl Declassification {
    /// Signs a declassification.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] when the signer fails, and for a draft that could not be read again.
    pub fn sign(draft: &DeclassificationDraft, signer: &dyn Signer) -> Result<Self, SignError> {
        let body = body::object([
            ("declassification", Some(VERSION.into())),
            ("expires", Some(body::shown(&draft.expires))),
            ("issued_at", Some(body::shown(&draft.issued_at))),
            ("justification", Some((&*draft.justification).into())),
            ("label", Some((&*draft.label).into())),
            ("scope", Some(body::digests(&draft.scope))),
            ("session", Some(body::shown(&draft.session))),
        ]);
        let signed = Signed::sign(DocumentKind::Declassification, body, signer)?;
        Self::read(signed).map_err(SignError::new)
    }

    /// Parses a declassification and checks its signature.
    ///
    /// # Errors
    ///
    /// Returns [`DeclassificationError`]; the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, DeclassificationError> {
        Self::parse_known(text, &Directory::empty())
    }

    /// Parses as [`parse`](Self::parse) does, without checking a key again that `directory` has.
    pub(crate) fn parse_known(
        text: &[u8],
        directory: &Directory,
    ) -> Result<Self, DeclassificationError> {
        Ok(Self::read(Signed::parse_known(DocumentKind::Declassification, text, directory)?)?)
    }

    fn read(signed: Signed) -> Result<Self, BodyError> {
        let mut body = Body::open(signed.body(), "declassification", VERSION)?;
        let why = body.text("justification", 4 * MAX_JUSTIFICATION_CHARS)?;
        if !(MIN_JUSTIFICATION_CHARS..=MAX_JUSTIFICATION_CHARS).contains(&why.chars().count()) {
            return Err(BodyError::new("justification"));
        }
        let read = Self {
            id: Digest::of(DIGEST_CONTEXT, signed.body().to_canonical().as_bytes()),
            session: body.session("session")?,
            scope: body.digests("scope", MAX_SCOPES)?,
            label: body.text("label", MAX_LABEL_BYTES)?.into(),
            issued_at: body.time("issued_at")?,
            expires: body.time("expires")?,
            signed: signed.clone(),
        };
        body.finish()?;
        if read.expires <= read.issued_at {
            return Err(BodyError::new("expires"));
        }
        Ok(read)
    }

    /// Returns the id: the digest of the body, one for all who sign it.
    #[must_use]
    pub const fn id(&self) -> Digest {
        self.id
    }

    /// Returns the one session that it is for.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Returns the digests of the session's scopes, from the root to its own.
    #[must_use]
    pub fn scope(&self) -> &[Digest] {
        &self.scope
    }

    /// Returns the label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns when it was signed.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Returns until when it may be brought.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Returns the signed document.
    #[must_use]
    pub const fn signed(&self) -> &Signed {
        &self.signed
    }

    /// Tells whether `documents` together take the label from `session` now; each set serves once. `used` are those
    /// that were, with their end.
    pub(crate) fn check(
        documents: &[Self],
        session: SessionId,
        rules: &ElevationRules,
        moment: &Moment<'_>,
        used: &mut Vec<(Digest, Timestamp)>,
    ) -> Result<Box<str>, Refusal> {
        let first = documents.first().ok_or(Reason::DeclassificationMalformed)?;
        let rule = rules.declassification.as_ref().ok_or(Reason::DeclassificationAbsent)?;
        let quorum = moment.quorum(&rule.quorum).ok_or(Reason::DeclassificationAbsent)?;
        let longest = Duration::from_secs(u64::from(rule.minutes).saturating_mul(60));
        used.retain(|(_, ends)| *ends > moment.now);
        let reason = if documents.iter().any(|document| document.id != first.id) {
            Reason::DeclassificationMalformed
        } else if first.session != session || first.scope != moment.scope {
            Reason::DeclassificationWrongSession
        } else if first.issued_at > moment.now {
            Reason::DeclassificationNotYetValid
        } else if first.expires <= moment.now {
            Reason::DeclassificationExpired
        } else if first.expires.since(first.issued_at) > longest {
            Reason::DeclassificationTooLong
        } else if used.iter().any(|(id, _)| *id == first.id) {
            Reason::DeclassificationUsed
        } else if documents.iter().any(|document| (moment.is_revoked)(&document.signed)) {
            Reason::DeclassificationRevoked
        } else {
            let keys = documents.iter().map(|document| document.signed.key());
            if Tally::count(quorum, moment.parties, moment.directory, keys).is_met() {
                used.push((first.id, first.expires));
                return Ok(first.label.clone());
            }
            Reason::DeclassificationQuorum
        };
        Err(reason.into())
    }
}
