//! One person's answer to one request, signed.

use crate::action::Domain;
use crate::digest::Digest;
use crate::governance::approval::request::MAX_SCOPES;
use crate::governance::approval::{ApprovalRequest, Refusal};
use crate::governance::body::{self, Body, BodyError};
use crate::governance::{Directory, DocumentError, DocumentKind, MAX_ID_BYTES, Signed};
use crate::reason::Reason;
use crate::receipt::{SessionId, SignError, Signer, TrustedKey};
use crate::scope::MAX_NAME_BYTES;
use crate::time::Timestamp;
use crate::value::Value;

/// The version that an approval names.
const VERSION: &str = "countersign/approval/v1";

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vote {
    /// The action may happen.
    Approve,
    /// It may not, and nobody else is to be asked.
    Reject,
}

impl Vote {
    /// Returns the name in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// What a person answers, before it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Ballot<'a> {
    /// The domain that is answered for.
    pub domain: Domain,
    /// The quorum that the person is part of.
    pub quorum: &'a str,
    /// The id of the person in the directory.
    pub approver: &'a str,
    /// The answer.
    pub vote: Vote,
    /// When it is given.
    pub at: Timestamp,
    /// Until when it holds.
    pub expires: Timestamp,
}

/// One person's signed answer to one request. That it is well signed does not make it count: a
/// [`Pending`](super::Pending) table holds it against everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    request: Digest,
    session: SessionId,
    action: Digest,
    domain: Domain,
    quorum: Box<str>,
    scope: Vec<Digest>,
    bundle: Digest,
    approver: Box<str>,
    vote: Vote,
    approved_at: Timestamp,
    expires: Timestamp,
    signed: Signed,
}

/// Why a text is no approval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// No signed document.
    #[error("the approval cannot be read")]
    Document(#[from] DocumentError),
    /// A signed document that says something else.
    #[error("the approval is refused: {0}")]
    Body(#[from] BodyError),
}

impl ApprovalError {
    /// Returns the stable code: that of the [`DocumentError`], or `approval.malformed`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Document(error) => error.code(),
            Self::Body(_) => Reason::ApprovalMalformed.code(),
        }
    }
}

impl From<&ApprovalError> for Refusal {
    fn from(_: &ApprovalError) -> Self {
        Reason::ApprovalMalformed.into()
    }
}

impl Approval {
    /// Signs an answer to `request`.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] when the signer fails, when the request does not ask this quorum for this
    /// domain, and for an id that no directory can hold.
    ///
    /// # Security
    ///
    /// A program that signs shows the request first, and takes the decision from the person and from
    /// nowhere else. Look at [`ApprovalRequest::is_complete`].
    pub fn sign(
        request: &ApprovalRequest,
        ballot: Ballot<'_>,
        signer: &dyn Signer,
    ) -> Result<Self, SignError> {
        let asked = request
            .needs()
            .iter()
            .any(|need| need.domain == ballot.domain && *need.quorum == *ballot.quorum);
        if !asked {
            return Err(SignError::new("the request does not ask this quorum for this domain"));
        }
        let body = body::object([
            ("action", Some(body::shown(&request.action()))),
            ("approval", Some(VERSION.into())),
            ("approved_at", Some(body::shown(&ballot.at))),
            ("approver", Some(ballot.approver.into())),
            ("bundle", Some(body::shown(&request.bundle()))),
            ("decision", Some(ballot.vote.as_str().into())),
            ("domain", Some(ballot.domain.as_str().into())),
            ("expires", Some(body::shown(&ballot.expires))),
            ("quorum", Some(ballot.quorum.into())),
            ("request", Some(body::shown(&request.id()))),
            ("scope", Some(body::digests(request.scope()))),
            ("session", Some(body::shown(&request.session()))),
        ]);
        let signed = Signed::sign(DocumentKind::Approval, body, signer)?;
        Self::read(signed).map_err(SignError::new)
    }

    /// Parses an approval and checks its signature.
    ///
    /// # Errors
    ///
    /// Returns [`ApprovalError`]; the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, ApprovalError> {
        Self::parse_known(text, &Directory::empty())
    }

    /// Parses as [`parse`](Self::parse) does, without checking a key again that `directory` has.
    pub(crate) fn parse_known(text: &[u8], directory: &Directory) -> Result<Self, ApprovalError> {
        Ok(Self::read(Signed::parse_known(DocumentKind::Approval, text, directory)?)?)
    }

    fn read(signed: Signed) -> Result<Self, BodyError> {
        let mut body = Body::open(signed.body(), "approval", VERSION)?;
        let approval = Self {
            request: body.digest("request")?,
            session: body.session("session")?,
            action: body.digest("action")?,
            domain: body.domain("domain")?,
            quorum: body.text("quorum", MAX_NAME_BYTES)?.into(),
            scope: body.digests("scope", MAX_SCOPES)?,
            bundle: body.digest("bundle")?,
            approver: body.text("approver", MAX_ID_BYTES)?.into(),
            vote: match body.value("decision")?.as_str() {
                Some("approve") => Vote::Approve,
                Some("reject") => Vote::Reject,
                _ => return Err(BodyError::new("decision")),
            },
            approved_at: body.time("approved_at")?,
            expires: body.time("expires")?,
            signed: signed.clone(),
        };
        body.finish()?;
        Ok(approval)
    }

    /// Returns the id of the request.
    #[must_use]
    pub const fn request(&self) -> Digest {
        self.request
    }

    /// Returns the session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Returns the digest of the exact action.
    #[must_use]
    pub const fn action(&self) -> Digest {
        self.action
    }

    /// Returns the domain that is answered for.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        self.domain
    }

    /// Returns the name of the quorum.
    #[must_use]
    pub fn quorum(&self) -> &str {
        &self.quorum
    }

    /// Returns the digests of the scopes.
    #[must_use]
    pub fn scope(&self) -> &[Digest] {
        &self.scope
    }

    /// Returns the digest of the bundle.
    #[must_use]
    pub const fn bundle(&self) -> Digest {
        self.bundle
    }

    /// Returns who the approval says has given it.
    #[must_use]
    pub fn approver(&self) -> &str {
        &self.approver
    }

    /// Returns the answer.
    #[must_use]
    pub const fn vote(&self) -> Vote {
        self.vote
    }

    /// Returns when it was given.
    #[must_use]
    pub const fn approved_at(&self) -> Timestamp {
        self.approved_at
    }

    /// Returns until when it holds.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Returns the key that signed it.
    #[must_use]
    pub const fn key(&self) -> &TrustedKey {
        self.signed.key()
    }

    /// Returns the id of the approval: the digest of the signed document.
    #[must_use]
    pub fn id(&self) -> Digest {
        self.signed.digest()
    }

    /// Returns the signed document.
    #[must_use]
    pub const fn signed(&self) -> &Signed {
        &self.signed
    }

    /// Returns the body, which receipts commit to together with key and signature.
    #[must_use]
    pub const fn body(&self) -> &Value {
        self.signed.body()
    }
}
