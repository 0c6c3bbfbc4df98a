//! What a delegate sends back: the labels that stuck, and what it has used.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::token::is_label;
use super::{
    Budget, DelegationError, DelegationId, DelegationToken, RawBudget, read_list, read_time,
};
use crate::digest::Digest;
use crate::governance::{Directory, DocumentKind, Signed};
use crate::reason::Reason;
use crate::receipt::{MAX_LABELS, SessionId, SignError, Signer, TrustedKey};
use crate::time::Timestamp;
use crate::value::{self, Object, Value};

/// The version that a return names.
const VERSION: &str = "countersign/return/v1";

/// What came of a delegation so far, as plain data.
///
/// Taking one twice, or an older one after a newer one, changes nothing for who takes the union of the
/// labels and the greater of each counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Which delegation.
    pub delegation: DelegationId,
    /// The session that it opened.
    pub session: SessionId,
    /// Every label of that session.
    pub labels: BTreeSet<Box<str>>,
    /// What the session has used.
    pub used: Budget,
    /// Whether the session is over.
    pub ended: bool,
    /// When this was written.
    pub issued_at: Timestamp,
}

/// A return whose signature holds. Whether to believe it, [`verify`](Self::verify) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationReturn {
    document: Signed,
    returned: Returned,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    r#return: String,
    delegation: String,
    session: String,
    labels: Vec<String>,
    used: RawBudget,
    ended: bool,
    issued_at: String,
}

impl Returned {
    fn to_body(&self) -> Value {
        let labels: Vec<Value> = self.labels.iter().map(|label| Value::from(&**label)).collect();
        let mut body = Object::new();
        body.insert("return".into(), VERSION.into());
        body.insert("delegation".into(), self.delegation.to_string().into());
        body.insert("session".into(), self.session.to_string().into());
        body.insert("labels".into(), labels.into());
        body.insert("used".into(), self.used.to_value());
        body.insert("ended".into(), self.ended.into());
        body.insert("issued_at".into(), self.issued_at.to_string().into());
        body.into()
    }

    fn from_body(body: &Value) -> Result<Self, DelegationError> {
        let raw: Raw = value::from_value(body)?;
        let wrong = |what| move || DelegationError::Body(what);
        if raw.r#return != VERSION {
            return Err(DelegationError::Body("`return` must be `countersign/return/v1`"));
        }
        Ok(Self {
            delegation: DelegationId::parse_hex(&raw.delegation)
                .ok_or_else(wrong("`delegation` is 32 hex digits"))?,
            session: SessionId::parse_hex(&raw.session)
                .ok_or_else(wrong("`session` is 32 hex digits"))?,
            labels: read_list(raw.labels, MAX_LABELS, is_label)
                .ok_or_else(wrong("`labels` are at most 64 plain tokens"))?,
            used: raw.used.read()?,
            ended: raw.ended,
            issued_at: read_time(&raw.issued_at)?,
        })
    }
}

impl DelegationReturn {
    /// Signs a return, as the authorizer that redeemed the token.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] when the signer fails, or what was put together would not be read.
    pub fn sign(returned: &Returned, signer: &dyn Signer) -> Result<Self, SignError> {
        let document = Signed::sign(DocumentKind::Return, returned.to_body(), signer)?;
        Self::parse(document.as_str().as_bytes()).map_err(SignError::new)
    }

    /// Reads a return and checks its signature and its form.
    ///
    /// # Errors
    ///
    /// Returns [`DelegationError`]; the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, DelegationError> {
        let document = Signed::parse(DocumentKind::Return, text)?;
        let returned = Returned::from_body(document.body())?;
        if returned.to_body() != *document.body() {
            return Err(DelegationError::Spelling);
        }
        Ok(Self { document, returned })
    }

    /// Checks that this came of `token`, from an authorizer of the delegate's trust domain, neither
    /// before the token nor later than `now`. It may come after the token has expired.
    ///
    /// # Errors
    ///
    /// Returns [`DelegationError::Refused`]: [`Reason::DelegationIssuer`],
    /// [`Reason::DelegationReturn`] for another delegation's or one that is older than the token,
    /// [`Reason::DelegationNotYetValid`].
    ///
    /// # Security
    ///
    /// More than the [budget](Budget::covers) is no error here, so that labels come back all the same;
    /// whoever sees it has a finding.
    pub fn verify(
        &self,
        directory: &Directory,
        now: Timestamp,
        token: &DelegationToken,
    ) -> Result<&Returned, DelegationError> {
        let said = token.delegation();
        let refused = |reason| Err(DelegationError::Refused(reason));
        if directory.authorizer(self.key()) != Some(said.to.trust_domain()) {
            return refused(Reason::DelegationIssuer);
        }
        if self.returned.delegation != said.id || self.returned.issued_at < said.issued_at {
            return refused(Reason::DelegationReturn);
        }
        if self.returned.issued_at > now {
            return refused(Reason::DelegationNotYetValid);
        }
        Ok(&self.returned)
    }

    /// Returns what it says, which nobody has checked the signer of.
    #[must_use]
    pub const fn returned(&self) -> &Returned {
        &self.returned
    }

    /// Returns the key that signed it.
    #[must_use]
    pub const fn key(&self) -> &TrustedKey {
        self.document.key()
    }

    /// Returns the whole document, as it travels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.document.as_str()
    }

    /// Returns the signed document, as receipts commit to it.
    #[must_use]
    pub const fn document(&self) -> &Signed {
        &self.document
    }

    /// Returns the digest of the whole document.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.document.digest()
    }
}
