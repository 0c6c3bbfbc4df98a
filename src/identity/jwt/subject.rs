//! From the subject of a token to an identity, by the host's configuration.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::JwtError;
use crate::identity::{MAX_KNOWN, PrincipalKind, SetupError, SpiffeId};
use crate::text::{check_visible, excerpt};
use crate::value::{Object, Value};

/// The longest subject or issuer, in bytes. OpenID Connect allows 255 characters for a subject; some
/// build services write more.
pub const MAX_SUBJECT_BYTES: usize = 1024;

/// Whom the JWT-SVIDs of a trust domain name.
///
/// The subject is the SPIFFE ID. It is an [agent](PrincipalKind::Agent) unless a class that contains it
/// says otherwise.
#[derive(Debug, Clone)]
pub struct Svid {
    domain: SpiffeId,
    classes: Vec<(SpiffeId, PrincipalKind)>,
}

impl Svid {
    /// Takes the id of a trust domain, such as `spiffe://example.org`.
    ///
    /// # Errors
    ///
    /// Returns [`SetupError::TrustDomain`] for an id with a path.
    pub fn new(trust_domain: &SpiffeId) -> Result<Self, SetupError> {
        if trust_domain.path().is_empty() {
            Ok(Self { domain: trust_domain.clone(), classes: Vec::new() })
        } else {
            Err(SetupError::TrustDomain { id: trust_domain.clone() })
        }
    }

    /// Sets the kind of `class` and of all that lies below it. The longest class that contains a
    /// subject counts; of two equal ones, the first.
    #[must_use]
    pub fn with_class(mut self, class: &SpiffeId, kind: PrincipalKind) -> Self {
        if self.classes.iter().all(|(known, _)| known != class) {
            self.classes.push((class.clone(), kind));
        }
        self
    }

    fn identify(&self, claims: &Object) -> Result<(SpiffeId, PrincipalKind), JwtError> {
        let id = SpiffeId::parse(subject(claims)?).map_err(|_| JwtError::Subject)?;
        if id.trust_domain() != self.domain.trust_domain() {
            return Err(JwtError::TrustDomain);
        }
        if id.path().is_empty() {
            return Err(JwtError::Subject);
        }
        let classes = self.classes.iter().filter(|(class, _)| class.contains(&id));
        let class = classes.max_by_key(|(class, _)| class.as_str().len());
        let kind = class.map_or(PrincipalKind::Agent, |(_, kind)| *kind);
        Ok((id, kind))
    }
}

/// Whom the tokens of an OpenID Connect issuer name: an exact table of subjects.
///
/// A subject that is not in it is nobody. There are no patterns and no templates: what an agent can
/// write into its branch, job or repository name must not choose an identity.
#[derive(Debug, Clone)]
pub struct Oidc {
    issuer: Arc<str>,
    subjects: HashMap<Box<str>, (SpiffeId, PrincipalKind)>,
    /// The ids in `subjects`.
    ids: HashSet<SpiffeId>,
}

impl Oidc {
    /// Takes the issuer as it stands in `iss`, compared byte by byte.
    ///
    /// # Errors
    ///
    /// Returns [`SetupError::Issuer`] for one that is empty, longer than [`MAX_SUBJECT_BYTES`], or not
    /// plain text.
    pub fn new(issuer: &str) -> Result<Self, SetupError> {
        if !is_plain(issuer) {
            return Err(SetupError::Issuer { issuer: excerpt(issuer) });
        }
        Ok(Self { issuer: issuer.into(), subjects: HashMap::new(), ids: HashSet::new() })
    }

    /// Says who `subject` of this issuer is, compared byte by byte.
    ///
    /// # Errors
    ///
    /// Returns [`SetupError::Subject`] for a subject that is empty, longer than
    /// [`MAX_SUBJECT_BYTES`] or not plain text, or that is in the table; [`SetupError::SharedId`] for
    /// an identity that another subject has; [`SetupError::TooMany`] beyond [`MAX_KNOWN`].
    pub fn with_subject(
        mut self,
        subject: &str,
        id: &SpiffeId,
        kind: PrincipalKind,
    ) -> Result<Self, SetupError> {
        if !is_plain(subject) || self.subjects.contains_key(subject) {
            return Err(SetupError::Subject { subject: excerpt(subject) });
        }
        if self.subjects.len() >= MAX_KNOWN {
            return Err(SetupError::TooMany);
        }
        if !self.ids.insert(id.clone()) {
            return Err(SetupError::SharedId { id: id.clone() });
        }
        self.subjects.insert(subject.into(), (id.clone(), kind));
        Ok(self)
    }

    fn identify(&self, claims: &Object) -> Result<(SpiffeId, PrincipalKind), JwtError> {
        if claims.get("iss").and_then(Value::as_str) != Some(&*self.issuer) {
            return Err(JwtError::Issuer);
        }
        let known = self.subjects.get(subject(claims)?);
        known.cloned().ok_or(JwtError::SubjectUnknown)
    }
}

#[derive(Debug)]
pub(super) enum Subjects {
    Svid(Svid),
    Oidc(Oidc),
}

impl Subjects {
    pub(super) fn identify(&self, claims: &Object) -> Result<(SpiffeId, PrincipalKind), JwtError> {
        match self {
            Self::Svid(svid) => svid.identify(claims),
            Self::Oidc(oidc) => oidc.identify(claims),
        }
    }

    pub(super) fn issuer(&self) -> Arc<str> {
        match self {
            Self::Svid(svid) => svid.domain.as_str().into(),
            Self::Oidc(oidc) => Arc::clone(&oidc.issuer),
        }
    }
}

fn subject(claims: &Object) -> Result<&str, JwtError> {
    claims.get("sub").and_then(Value::as_str).ok_or(JwtError::Subject)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_SUBJECT_BYTES && check_visible(text).is_ok()
}
