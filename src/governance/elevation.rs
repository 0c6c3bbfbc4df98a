//! Elevations: people add to a scope, for a task, for minutes. Breaking the glass is one of them.
//!
//! An elevation adds grants to one scope of the session's chain and touches nothing else: limits,
//! policies and the other scopes hold. It ends by itself, never after its scope.

use std::time::Duration;

use crate::action::path::PathResolver;
use crate::digest::Digest;
use crate::governance::approval::quorum::Ineligible;
use crate::governance::approval::{Moment, Refusal, Used};
use crate::governance::body::{self, Body, BodyError};
use crate::governance::collected::{Collected, Fault, MAX_WAITING};
use crate::governance::standing::Countersigned;
use crate::governance::{Directory, DocumentError, DocumentKind, Fragment, Signed};
use crate::policy::{ElevationRule, ElevationRules, Quorum};
use crate::reason::Reason;
use crate::receipt::{SignError, Signer};
use crate::scope::{CompiledScope, MAX_NAME_BYTES};
use crate::time::Timestamp;

/// The version that an elevation names.
const VERSION: &str = "countersign/elevation/v1";

/// Under what name the body of an elevation is hashed.
const DIGEST_CONTEXT: &str = "countersign 2026-11 elevation v1";

/// The fewest characters of a justification: a word is none.
pub const MIN_JUSTIFICATION_CHARS: usize = 10;

/// The most characters of a justification: people read it in a review.
pub const MAX_JUSTIFICATION_CHARS: usize = 500;

/// The most elevations of one session at a time, those that still lack signatures included.
pub const MAX_ELEVATIONS: usize = 8;

/// The longest that the elevations of one session are at a time, in bytes of what was signed: they stand in the
/// facts of each call, which an opening must be able to hold.
pub const MAX_ELEVATION_BYTES: usize = 128 << 10;

/// What an elevation says, before it is signed.
#[derive(Debug, Clone)]
pub struct ElevationDraft {
    /// The name of the task.
    pub task: Box<str>,
    /// The digest of the scope that it adds to.
    pub scope: Digest,
    /// What it adds.
    pub grants: Fragment,
    /// When it begins.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Why, in words.
    pub justification: Box<str>,
    /// Whether the glass is broken: another quorum, fewer minutes, and a review afterwards.
    pub break_glass: bool,
}

/// An addition to a scope, signed by one person. Several people sign the same body where the quorum
/// takes several.
///
/// # Security
///
/// It serves each session whose chain has the scope, until it ends. Short ends are the protection; a
/// [signature can be revoked](crate::governance::Revocations).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use countersign::digest::Digest;
/// use countersign::governance::{Elevation, ElevationDraft, Fragment};
/// use countersign::receipt::IdentityKey;
/// use countersign::time::Timestamp;
///
/// let now = Timestamp::from_millis(1_795_251_600_000);
/// let mut grants = Fragment::default();
/// grants.touch.write.push("table:crm.*".into());
/// let draft = ElevationDraft {
///     task: "fix-login".into(), scope: Digest::of("example", b"scope"), grants, issued_at: now,
///     expires: now.plus(Duration::from_secs(900)), break_glass: true,
///     justification: "the customer table is broken, ticket 4711".into(),
/// };
/// let elevation = Elevation::sign(&draft, &IdentityKey::from_seed(&[1; 32]))?;
/// assert!(elevation.is_break_glass());
/// # Ok::<(), countersign::receipt::SignError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elevation {
    id: Digest,
    task: Box<str>,
    scope: Digest,
    grants: Fragment,
    issued_at: Timestamp,
    expires: Timestamp,
    justification: Box<str>,
    break_glass: bool,
    signed: Signed,
}

/// Why a text is no elevation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElevationError {
    /// No signed document.
    #[error("the elevation cannot be read")]
    Document(#[from] DocumentError),
    /// A signed document that says something else.
    #[error("the elevation is refused: {0}")]
    Body(#[from] BodyError),
}

impl ElevationError {
    /// Returns the stable code: that of the [`DocumentError`], or `elevation.malformed`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Document(error) => error.code(),
            Self::Body(_) => Reason::ElevationMalformed.code(),
        }
    }
}

impl Elevation {
    /// Signs an elevation.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] when the signer fails, and for a draft that could not be read again.
    pub fn sign(draft: &ElevationDraft, signer: &dyn Signer) -> Result<Self, SignError> {
        let grants = draft.grants.to_value();
        let grants = grants.ok_or_else(|| SignError::new(BodyError::new("grants")))?;
        let body = body::object([
            ("break_glass", Some(draft.break_glass.into())),
            ("elevation", Some(VERSION.into())),
            ("expires", Some(body::shown(&draft.expires))),
            ("grants", Some(grants)),
            ("issued_at", Some(body::shown(&draft.issued_at))),
            ("justification", Some((&*draft.justification).into())),
            ("scope", Some(body::shown(&draft.scope))),
            ("task", Some((&*draft.task).into())),
        ]);
        let signed = Signed::sign(DocumentKind::Elevation, body, signer)?;
        Self::read(signed).map_err(SignError::new)
    }

    /// Parses an elevation and checks its signature.
    ///
    /// # Errors
    ///
    /// Returns [`ElevationError`]; the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, ElevationError> {
        Self::parse_known(text, &Directory::empty())
    }

    /// Parses as [`parse`](Self::parse) does, without checking a key again that `directory` has.
    pub(crate) fn parse_known(text: &[u8], directory: &Directory) -> Result<Self, ElevationError> {
        Ok(Self::read(Signed::parse_known(DocumentKind::Elevation, text, directory)?)?)
    }

    fn read(signed: Signed) -> Result<Self, BodyError> {
        let mut body = Body::open(signed.body(), "elevation", VERSION)?;
        let justification = body.text("justification", 4 * MAX_JUSTIFICATION_CHARS)?;
        let elevation = Self {
            id: Digest::of(DIGEST_CONTEXT, signed.body().to_canonical().as_bytes()),
            task: body.text("task", MAX_NAME_BYTES)?.into(),
            scope: body.digest("scope")?,
            grants: Fragment::read(body.value("grants")?)?,
            issued_at: body.time("issued_at")?,
            expires: body.time("expires")?,
            justification: justification.into(),
            break_glass: body.flag("break_glass")?,
            signed: signed.clone(),
        };
        body.finish()?;
        let chars = justification.chars().count();
        if !(MIN_JUSTIFICATION_CHARS..=MAX_JUSTIFICATION_CHARS).contains(&chars) {
            return Err(BodyError::new("justification"));
        }
        if elevation.expires <= elevation.issued_at {
            return Err(BodyError::new("expires"));
        }
        Ok(elevation)
    }

    /// Returns the id: the digest of the body, one for all who sign it.
    #[must_use]
    pub const fn id(&self) -> Digest {
        self.id
    }

    /// Returns the name of the task.
    #[must_use]
    pub fn task(&self) -> &str {
        &self.task
    }

    /// Returns the digest of the scope that it adds to.
    #[must_use]
    pub const fn scope(&self) -> Digest {
        self.scope
    }

    /// Returns what it adds.
    #[must_use]
    pub const fn grants(&self) -> &Fragment {
        &self.grants
    }

    /// Returns when it begins.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Returns when it ends.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Returns why, in words.
    #[must_use]
    pub fn justification(&self) -> &str {
        &self.justification
    }

    /// Tells whether the glass is broken: somebody must review what was done.
    #[must_use]
    pub const fn is_break_glass(&self) -> bool {
        self.break_glass
    }

    /// Returns the signed document.
    #[must_use]
    pub const fn signed(&self) -> &Signed {
        &self.signed
    }

    fn rule<'a>(&self, rules: &'a ElevationRules) -> Result<&'a ElevationRule, Refusal> {
        let rule = if self.break_glass { &rules.break_glass } else { &rules.elevation };
        rule.as_ref().ok_or_else(|| Reason::ElevationAbsent.into())
    }

    /// Whether it holds at this moment under these rules, but for who has signed it.
    fn check<'a>(
        &self,
        rules: &ElevationRules,
        moment: &Moment<'a>,
    ) -> Result<&'a Quorum, Refusal> {
        let rule = self.rule(rules)?;
        let quorum = moment.quorum(&rule.quorum).ok_or(Reason::ElevationAbsent)?;
        let longest = Duration::from_secs(u64::from(rule.minutes).saturating_mul(60));
        let reason = if !moment.scope.contains(&self.scope) {
            Reason::ElevationWrongScope
        } else if self.issued_at > moment.now {
            Reason::ElevationNotYetValid
        } else if self.expires <= moment.now {
            Reason::ElevationExpired
        } else if self.expires.since(self.issued_at) > longest {
            Reason::ElevationTooLong
        } else {
            return Ok(quorum);
        };
        Err(reason.into())
    }
}

/// The elevations of one session.
#[derive(Debug, Default)]
pub struct Elevations {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    elevation: Elevation,
    grants: CompiledScope,
    signers: Collected,
    ended: bool,
}

/// An elevation that holds at a moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Elevated<'a> {
    /// What was signed.
    pub elevation: &'a Elevation,
    /// What it adds to the scope whose digest it names.
    pub grants: &'a CompiledScope,
    /// Who has signed it, one for each person, sorted.
    pub approvals: Vec<Used>,
}

impl Elevations {
    /// Returns an empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Takes what a person has signed. `hop` is the scope of the session's chain that it adds to.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal`] with the code `elevation.*` of the first thing that is wrong; nothing has
    /// changed then. A bundle that names no quorum for it refuses it: `elevation.absent`.
    pub fn submit(
        &mut self,
        elevation: &Elevation,
        hop: &CompiledScope,
        rules: &ElevationRules,
        moment: &Moment<'_>,
        paths: &dyn PathResolver,
    ) -> Result<Countersigned, Refusal> {
        self.sweep(moment.now);
        let quorum = elevation.check(rules, moment)?;
        if elevation.scope != hop.digest() {
            return Err(Reason::ElevationWrongScope.into());
        }
        if *elevation.task != *hop.task() {
            return Err(Reason::ElevationWrongTask.into());
        }
        if elevation.expires > hop.expires() {
            return Err(Reason::ElevationPastScope.into());
        }
        let place = self.entries.iter().position(|entry| entry.elevation.id == elevation.id);
        let bytes = self.entries.iter().map(|entry| entry.elevation.signed.as_str().len());
        let bytes = bytes.sum::<usize>().saturating_add(elevation.signed.as_str().len());
        let full = self.entries.len() >= MAX_ELEVATIONS || bytes > MAX_ELEVATION_BYTES;
        let waiting = self.entries.iter().map(|entry| &entry.signers);
        let full = full
            || waiting.filter(|it| it.waits_after(&elevation.signed, moment)).count()
                >= MAX_WAITING;
        let mut added = None;
        let entry = match place.and_then(|place| self.entries.get_mut(place)) {
            Some(entry) if entry.ended => return Err(Reason::ElevationEnded.into()),
            Some(entry) => entry,
            None if full => {
                return Err(Reason::ElevationTooMany.into());
            }
            None => {
                let grants = elevation.grants.compile(hop, paths);
                added.insert(Entry {
                    elevation: elevation.clone(),
                    grants: grants.map_err(|_| Reason::ElevationPattern)?,
                    signers: Collected::default(),
                    ended: false,
                })
            }
        };
        let missing = entry.signers.add(&elevation.signed, quorum, moment).map_err(reason)?;
        self.entries.extend(added);
        Ok(Countersigned { id: elevation.id, document: elevation.signed.digest(), missing })
    }

    /// Returns the elevations that hold with everything as it is at `moment`, in the order of their ids.
    #[must_use]
    pub fn active(&self, rules: &ElevationRules, moment: &Moment<'_>) -> Vec<Elevated<'_>> {
        let mut active = Vec::new();
        for Entry { elevation, grants, signers, ended } in &self.entries {
            let Ok(quorum) = elevation.check(rules, moment) else { continue };
            if !ended && signers.tally(quorum, moment).is_met() {
                let approvals = signers.used(quorum, moment);
                active.push(Elevated { elevation, grants, approvals });
            }
        }
        active.sort_by_key(|elevated| elevated.elevation.id);
        active
    }

    /// Tells whether an elevation of that id is in the table, whatever it is worth.
    pub(crate) fn knows(&self, id: Digest) -> bool {
        self.entries.iter().any(|entry| entry.elevation.id == id)
    }

    /// Ends an elevation before its time; the same document is not taken again.
    pub fn end(&mut self, id: Digest) -> bool {
        let found = self.entries.iter_mut().find(|it| it.elevation.id == id && !it.ended);
        found.is_some_and(|entry| {
            entry.ended = true;
            true
        })
    }

    /// Forgets what has expired, and returns it.
    pub fn sweep(&mut self, now: Timestamp) -> Vec<Elevation> {
        if self.entries.iter().all(|entry| entry.elevation.expires > now) {
            return Vec::new();
        }
        let entries = std::mem::take(&mut self.entries);
        let (kept, expired): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.elevation.expires > now);
        self.entries = kept;
        expired.into_iter().map(|entry| entry.elevation).collect()
    }
}

const fn reason(fault: Fault) -> Reason {
    match fault {
        Fault::UnknownKey => Reason::ElevationUnknownKey,
        Fault::Ineligible(Ineligible::Machine) => Reason::ElevationAgent,
        Fault::Ineligible(Ineligible::Role) => Reason::ElevationNotEligible,
        Fault::Ineligible(Ineligible::Requester) => Reason::ElevationRequester,
        Fault::Ineligible(Ineligible::Owner) => Reason::ElevationOwner,
        Fault::Revoked => Reason::ElevationRevoked,
        Fault::Duplicate => Reason::ElevationDuplicate,
        Fault::TooMany => Reason::ElevationTooMany,
    }
}
