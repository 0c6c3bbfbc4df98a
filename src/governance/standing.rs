//! Standing grants: people approve a few actions of one pattern in advance, for a while.
//!
//! This is what "always allow" becomes here: a number of uses until a time, inside the scope, over a
//! pattern that a person can read. A grant stands for the approval of one quorum in one domain and for
//! nothing else; scope, limits and policies decide as ever.

use std::time::Duration;

use crate::action::path::PathResolver;
use crate::action::{Domain, Effect};
use crate::digest::Digest;
use crate::governance::approval::{ApprovalError, MAX_SCOPES, Moment, Refusal, Used};
use crate::governance::body::{self, Body, BodyError};
use crate::governance::collected::{Collected, Fault, MAX_WAITING};
use crate::governance::{Directory, DocumentKind, Fragment, Signed};
use crate::reason::Reason;
use crate::receipt::{SessionId, SignError, Signer};
use crate::scope::{CompiledScope, MAX_NAME_BYTES};
use crate::time::Timestamp;

/// The version that a standing grant names.
const VERSION: &str = "countersign/standing-grant/v1";

/// Under what name the body of a grant is hashed.
const DIGEST_CONTEXT: &str = "countersign 2026-11 standing grant v1";

/// The most uses of one grant.
pub const MAX_USES: u64 = 1000;

/// The longest that a grant may hold. It never outlives the scope.
pub const MAX_STANDING: Duration = Duration::from_secs(24 * 60 * 60);

/// The most grants of one session; those that are used up count until they expire.
pub const MAX_GRANTS: usize = 16;

/// What a standing grant says, before it is signed.
#[derive(Debug, Clone)]
pub struct StandingDraft {
    /// The one session that it is for.
    pub session: SessionId,
    /// The digests of the session's scopes, from the root to its own.
    pub scope: Vec<Digest>,
    /// The digest of the bundle.
    pub bundle: Digest,
    /// The domain of the effects.
    pub domain: Domain,
    /// The quorum whose approval it stands for.
    pub quorum: Box<str>,
    /// How many calls it serves: 1 to [`MAX_USES`].
    pub uses: u64,
    /// When it begins.
    pub issued_at: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// The pattern: the effects that such a piece of a scope would grant.
    pub grants: Fragment,
}

/// A standing grant, signed by one person. Several people sign the same body where the quorum takes
/// several.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use countersign::action::Domain;
/// use countersign::digest::Digest;
/// use countersign::governance::{Fragment, StandingDraft, StandingGrant};
/// use countersign::receipt::{IdentityKey, SessionId};
/// use countersign::time::Timestamp;
///
/// let now = Timestamp::from_millis(1_795_251_600_000);
/// let mut grants = Fragment::default();
/// grants.touch.write.push("table:crm.*".into());
/// let draft = StandingDraft {
///     session: SessionId::from_bytes([1; 16]), scope: vec![Digest::of("example", b"scope")],
///     bundle: Digest::of("example", b"bundle"), domain: Domain::Data, quorum: "sre".into(),
///     uses: 20, issued_at: now, until: now.plus(Duration::from_secs(3600)), grants,
/// };
/// let (one, other) = (IdentityKey::from_seed(&[1; 32]), IdentityKey::from_seed(&[2; 32]));
/// let (one, other) = (StandingGrant::sign(&draft, &one)?, StandingGrant::sign(&draft, &other)?);
/// assert_eq!(one.id(), other.id());
/// assert_ne!(one.signed().digest(), other.signed().digest());
/// # Ok::<(), countersign::receipt::SignError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingGrant {
    id: Digest,
    session: SessionId,
    scope: Vec<Digest>,
    bundle: Digest,
    domain: Domain,
    quorum: Box<str>,
    uses: u64,
    issued_at: Timestamp,
    until: Timestamp,
    grants: Fragment,
    signed: Signed,
}

impl StandingGrant {
    /// Signs a grant.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] when the signer fails, and for a draft that could not be read again.
    pub fn sign(draft: &StandingDraft, signer: &dyn Signer) -> Result<Self, SignError> {
        let grants = draft.grants.to_value();
        let grants = grants.ok_or_else(|| SignError::new(BodyError::new("grants")))?;
        let body = body::object([
            ("bundle", Some(body::shown(&draft.bundle))),
            ("domain", Some(draft.domain.as_str().into())),
            ("grant", Some(VERSION.into())),
            ("grants", Some(grants)),
            ("issued_at", Some(body::shown(&draft.issued_at))),
            ("quorum", Some((&*draft.quorum).into())),
            ("scope", Some(body::digests(&draft.scope))),
            ("session", Some(body::shown(&draft.session))),
            ("until", Some(body::shown(&draft.until))),
            ("uses", Some(draft.uses.into())),
        ]);
        let signed = Signed::sign(DocumentKind::StandingGrant, body, signer)?;
        Self::read(signed).map_err(SignError::new)
    }

    /// Parses a grant and checks its signature.
    ///
    /// # Errors
    ///
    /// Returns [`ApprovalError`]; the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, ApprovalError> {
        Self::parse_known(text, &Directory::empty())
    }

    /// Parses as [`parse`](Self::parse) does, without checking a key again that `directory` has.
    pub(crate) fn parse_known(text: &[u8], directory: &Directory) -> Result<Self, ApprovalError> {
        Ok(Self::read(Signed::parse_known(DocumentKind::StandingGrant, text, directory)?)?)
    }

    fn read(signed: Signed) -> Result<Self, BodyError> {
        let mut body = Body::open(signed.body(), "grant", VERSION)?;
        let grant = Self {
            id: Digest::of(DIGEST_CONTEXT, signed.body().to_canonical().as_bytes()),
            session: body.session("session")?,
            scope: body.digests("scope", MAX_SCOPES)?,
            bundle: body.digest("bundle")?,
            domain: body.domain("domain")?,
            quorum: body.text("quorum", MAX_NAME_BYTES)?.into(),
            uses: body.whole("uses")?,
            issued_at: body.time("issued_at")?,
            until: body.time("until")?,
            grants: Fragment::read(body.value("grants")?)?,
            signed: signed.clone(),
        };
        body.finish()?;
        if !(1..=MAX_USES).contains(&grant.uses) {
            return Err(BodyError::new("uses"));
        }
        if grant.until <= grant.issued_at {
            return Err(BodyError::new("until"));
        }
        Ok(grant)
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

    /// Returns the digest of the bundle.
    #[must_use]
    pub const fn bundle(&self) -> Digest {
        self.bundle
    }

    /// Returns the domain.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        self.domain
    }

    /// Returns the quorum.
    #[must_use]
    pub fn quorum(&self) -> &str {
        &self.quorum
    }

    /// Returns how many calls it serves.
    #[must_use]
    pub const fn uses(&self) -> u64 {
        self.uses
    }

    /// Returns when it begins.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Returns when it ends.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Returns the pattern.
    #[must_use]
    pub const fn grants(&self) -> &Fragment {
        &self.grants
    }

    /// Returns the signed document.
    #[must_use]
    pub const fn signed(&self) -> &Signed {
        &self.signed
    }
}

/// The standing grants of one session.
///
/// # Security
///
/// A grant that is used up stays until it has expired, so that the same document cannot be brought
/// again. Whether its signers count is asked at each use.
#[derive(Debug)]
pub struct StandingGrants {
    session: SessionId,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    grant: StandingGrant,
    pattern: CompiledScope,
    signers: Collected,
    left: u64,
}

/// A signature under a standing grant or an elevation that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Countersigned {
    /// The id of what was signed.
    pub id: Digest,
    /// The id of the document.
    pub document: Digest,
    /// How many people are still missing; it holds from none on.
    pub missing: u32,
}

/// A quorum whose approval a grant stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StandingMet {
    /// The name of the quorum.
    pub quorum: Box<str>,
    /// The id of the grant, to be [consumed](StandingGrants::consume) if the call is allowed.
    pub grant: Digest,
    /// Who has signed it, one for each person, sorted.
    pub approvals: Vec<Used>,
    /// When it ends.
    pub until: Timestamp,
}

impl StandingGrants {
    /// Returns an empty table.
    #[must_use]
    pub const fn new(session: SessionId) -> Self {
        Self { session, entries: Vec::new() }
    }

    /// Takes what a person has signed. `base` is the session's own scope, whose workspace the pattern
    /// is read in.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal`] with the code of the first thing that is wrong; the codes are those of
    /// approvals, and `approval.pattern` for a pattern that does not compile.
    pub fn submit(
        &mut self,
        grant: &StandingGrant,
        base: &CompiledScope,
        moment: &Moment<'_>,
        paths: &dyn PathResolver,
    ) -> Result<Countersigned, Refusal> {
        self.entries.retain(|entry| entry.grant.until > moment.now);
        if grant.session != self.session {
            return Err(Reason::ApprovalWrongSession.into());
        }
        check_grant(grant, moment)?;
        if grant.until.since(grant.issued_at) > MAX_STANDING || grant.until > base.expires() {
            return Err(Reason::ApprovalTooLong.into());
        }
        let quorum = moment.quorum(&grant.quorum).ok_or(Reason::ApprovalWrongQuorum)?;
        let place = self.entries.iter().position(|entry| entry.grant.id == grant.id);
        let full = self.entries.len() >= MAX_GRANTS;
        let waiting = self.entries.iter().map(|entry| &entry.signers);
        let full = full
            || waiting.filter(|it| it.waits_after(&grant.signed, moment)).count() >= MAX_WAITING;
        let mut added = None;
        let entry = match place.and_then(|place| self.entries.get_mut(place)) {
            Some(entry) if entry.left == 0 => return Err(Reason::ApprovalUsed.into()),
            Some(entry) => entry,
            None if full => return Err(Reason::ApprovalTooMany.into()),
            None => {
                let pattern = grant.grants.compile(base, paths);
                added.insert(Entry {
                    grant: grant.clone(),
                    pattern: pattern.map_err(|_| Reason::ApprovalPattern)?,
                    signers: Collected::default(),
                    left: grant.uses,
                })
            }
        };
        let missing = entry.signers.add(&grant.signed, quorum, moment).map_err(reason)?;
        self.entries.extend(added);
        Ok(Countersigned { id: grant.id, document: grant.signed.digest(), missing })
    }

    /// Says which quorums' approval of `effect` grants stand for, at this moment; one grant for each
    /// quorum, the one that ends first.
    #[must_use]
    pub fn granted(
        &self,
        effect: &Effect,
        moment: &Moment<'_>,
        paths: &dyn PathResolver,
    ) -> Vec<StandingMet> {
        let mut entries: Vec<&Entry> = self.entries.iter().filter(|it| it.left > 0).collect();
        entries.sort_by_key(|entry| (entry.grant.until, entry.grant.id));
        let mut met: Vec<StandingMet> = Vec::new();
        for Entry { grant, pattern, signers, .. } in entries {
            let Some(quorum) = moment.quorum(&grant.quorum) else { continue };
            let holds = grant.domain == effect.domain()
                && !met.iter().any(|other| other.quorum == grant.quorum)
                && check_grant(grant, moment).is_ok()
                && signers.tally(quorum, moment).is_met()
                && pattern.check(effect, paths).is_ok();
            if holds {
                met.push(StandingMet {
                    quorum: grant.quorum.clone(),
                    grant: grant.id,
                    approvals: signers.used(quorum, moment),
                    until: grant.until,
                });
            }
        }
        met.sort_by(|one, other| one.quorum.cmp(&other.quorum));
        met
    }

    /// Takes one use from each of these grants: one call has rested on them. False, and nothing is taken,
    /// if one of them has none left.
    #[must_use]
    pub fn consume(&mut self, grants: &[Digest]) -> bool {
        let left = |id: &Digest| self.entries.iter().any(|it| it.grant.id == *id && it.left > 0);
        if !grants.iter().all(left) {
            return false;
        }
        for entry in self.entries.iter_mut().filter(|it| grants.contains(&it.grant.id)) {
            entry.left = entry.left.saturating_sub(1);
        }
        true
    }

    /// Tells whether there is no grant, used up or not.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many uses a grant has left.
    #[must_use]
    pub fn left(&self, grant: Digest) -> u64 {
        self.entries.iter().find(|it| it.grant.id == grant).map_or(0, |it| it.left)
    }

    /// Ends a grant at once; the same document is not taken again.
    pub fn end(&mut self, grant: Digest) {
        for entry in self.entries.iter_mut().filter(|it| it.grant.id == grant) {
            entry.left = 0;
        }
    }
}

fn check_grant(grant: &StandingGrant, moment: &Moment<'_>) -> Result<(), Refusal> {
    let reason = if grant.scope != moment.scope {
        Reason::ApprovalScopeChanged
    } else if grant.bundle != moment.bundle {
        Reason::ApprovalBundleChanged
    } else if grant.issued_at > moment.now {
        Reason::ApprovalNotYetValid
    } else if grant.until <= moment.now {
        Reason::ApprovalExpired
    } else {
        return Ok(());
    };
    Err(reason.into())
}

const fn reason(fault: Fault) -> Reason {
    match fault {
        Fault::UnknownKey => Reason::ApprovalUnknownKey,
        Fault::Ineligible(why) => why.reason(),
        Fault::Revoked => Reason::ApprovalRevoked,
        Fault::Duplicate => Reason::ApprovalDuplicate,
        Fault::TooMany => Reason::ApprovalTooMany,
    }
}
