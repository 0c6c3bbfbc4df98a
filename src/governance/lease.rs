//! Leases of secrets: the right to fetch one secret, once, for one action.
//!
//! A lease holds no secret. It comes from a permit whose action uses one, and whoever keeps the secrets
//! asks the table before handing one out.

use std::time::Duration;

use crate::digest::Digest;
use crate::governance::Refusal;
use crate::reason::Reason;
use crate::receipt::SessionId;
use crate::time::Timestamp;

/// Under what name leases are hashed.
const DIGEST_CONTEXT: &str = "countersign 2026-11 secret lease v1";

/// The longest that a lease lives: a secret is fetched for an action that is about to happen.
pub const MAX_LEASE: Duration = Duration::from_secs(5 * 60);

/// The most leases of one session at a time.
pub const MAX_LEASES: usize = 64;

/// The right to fetch one secret once, for the action that it was leased for.
///
/// # Security
///
/// The id is no bearer token: it is worth something only in the session, to the instance and for the action that it
/// names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretLease {
    id: Digest,
    session: SessionId,
    instance: Box<str>,
    secret: Box<str>,
    action: Digest,
    until: Timestamp,
}

impl SecretLease {
    /// Returns the id.
    #[must_use]
    pub const fn id(&self) -> Digest {
        self.id
    }

    /// Returns the session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Returns the agent instance.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Returns the name of the secret.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Returns the digest of the action that consumes the secret.
    #[must_use]
    pub const fn action(&self) -> Digest {
        self.action
    }

    /// Returns when it ends; at that moment it is over.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }
}

/// What a lease is for.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTerms<'a> {
    /// The agent instance.
    pub instance: &'a str,
    /// The name of the secret.
    pub secret: &'a str,
    /// The digest of the action that consumes it.
    pub action: Digest,
    /// The end of the permit, the session and the task: the earliest of them.
    pub ends: Timestamp,
}

/// The leases of one session.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use countersign::digest::Digest;
/// use countersign::governance::{LeaseTerms, Leases};
/// use countersign::receipt::SessionId;
/// use countersign::time::Timestamp;
///
/// let (session, action) = (SessionId::from_bytes([1; 16]), Digest::of("example", b"action"));
/// let agent = "spiffe://example.org/agent/coder/1";
/// let now = Timestamp::from_millis(1_795_251_600_000);
/// let ends = now.plus(Duration::from_secs(30));
/// let mut leases = Leases::new(session);
/// let lease = leases.issue(LeaseTerms { instance: agent, secret: "db", action, ends }, now)?;
/// let redeemed = leases.redeem(lease.id(), action, agent, session, now)?;
/// assert_eq!(redeemed.secret(), "db");
/// let again = leases.redeem(lease.id(), action, agent, session, now);
/// assert_eq!(again.unwrap_err().code(), "lease.used");
/// # Ok::<(), countersign::governance::Refusal>(())
/// ```
#[derive(Debug)]
pub struct Leases {
    session: SessionId,
    /// How many were ever issued; it keeps ids apart.
    issued: u64,
    entries: Vec<(SecretLease, bool)>,
}

impl Leases {
    /// Returns an empty table.
    #[must_use]
    pub const fn new(session: SessionId) -> Self {
        Self { session, issued: 0, entries: Vec::new() }
    }

    /// Leases a secret for an action that was allowed.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal`]: `lease.expired` when its time is over already, `lease.too_many`.
    pub fn issue(&mut self, terms: LeaseTerms<'_>, now: Timestamp) -> Result<SecretLease, Refusal> {
        self.entries.retain(|(lease, _)| lease.until > now);
        let until = terms.ends.min(now.plus(MAX_LEASE));
        if until <= now {
            return Err(Reason::LeaseExpired.into());
        }
        if self.entries.len() >= MAX_LEASES {
            return Err(Reason::LeaseTooMany.into());
        }
        self.issued = self.issued.saturating_add(1);
        let mut lease = SecretLease {
            id: terms.action,
            session: self.session,
            instance: terms.instance.into(),
            secret: terms.secret.into(),
            action: terms.action,
            until,
        };
        // Only the last two have no fixed length, and a length stands between them.
        let mut bytes = Vec::new();
        bytes.extend_from_slice(lease.session.as_bytes());
        bytes.extend_from_slice(lease.action.as_bytes());
        bytes.extend_from_slice(&self.issued.to_le_bytes());
        bytes.extend_from_slice(&until.as_millis().to_le_bytes());
        bytes.extend_from_slice(&lease.instance.len().to_le_bytes());
        bytes.extend_from_slice(lease.instance.as_bytes());
        bytes.extend_from_slice(lease.secret.as_bytes());
        lease.id = Digest::of(DIGEST_CONTEXT, &bytes);
        self.entries.push((lease.clone(), false));
        Ok(lease)
    }

    /// Redeems a lease: the secret may be handed out now, and never again on this lease.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal`] with the code `lease.*` of the first thing that is wrong; the lease is left as
    /// it is then, so that a stranger cannot use it up.
    pub fn redeem(
        &mut self,
        lease: Digest,
        action: Digest,
        instance: &str,
        session: SessionId,
        now: Timestamp,
    ) -> Result<SecretLease, Refusal> {
        if session != self.session {
            return Err(Reason::LeaseWrongSession.into());
        }
        let Some((found, used)) = self.entries.iter_mut().find(|(it, _)| it.id == lease) else {
            return Err(Reason::LeaseUnknown.into());
        };
        let reason = if *found.instance != *instance {
            Reason::LeaseWrongInstance
        } else if found.action != action {
            Reason::LeaseWrongAction
        } else if found.until <= now {
            Reason::LeaseExpired
        } else if *used {
            Reason::LeaseUsed
        } else {
            *used = true;
            return Ok(found.clone());
        };
        Err(reason.into())
    }

    /// Ends every lease, as when the session is stopped.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
