//! Which tokens were redeemed: each opens one session.

use std::collections::BTreeSet;

use super::{DelegationId, VerifiedDelegation};
use crate::reason::Reason;
use crate::time::Timestamp;

/// Which tokens were redeemed, so that each opens one session.
///
/// It is bounded and in memory: a token is remembered until it expires. One that was issued before this
/// was set up is refused, because nobody knows whether it was redeemed before.
#[derive(Debug, Clone)]
pub struct Redeemed {
    latest: Timestamp,
    since: Timestamp,
    tokens: BTreeSet<([u8; 32], DelegationId)>,
    expiring: BTreeSet<(Timestamp, [u8; 32], DelegationId)>,
}

/// The most tokens that are remembered at once; more are refused until some expire.
pub const MAX_REDEEMED: usize = 65_536;

impl Redeemed {
    /// Begins to remember at `since`.
    #[must_use]
    pub const fn new(since: Timestamp) -> Self {
        Self { latest: since, since, tokens: BTreeSet::new(), expiring: BTreeSet::new() }
    }

    /// Takes a token, once.
    ///
    /// # Errors
    ///
    /// Returns [`Reason::DelegationReplayed`] for one that was taken before, or issued before this was
    /// set up; [`Reason::DelegationExpired`]; and [`Reason::DelegationTooMany`] when no more can be
    /// remembered.
    pub fn redeem(&mut self, token: &VerifiedDelegation, now: Timestamp) -> Result<(), Reason> {
        self.latest = self.latest.max(now);
        let said = token.delegation();
        // What expired by the latest time is forgotten, so that an earlier one must not be believed.
        if said.expires <= self.latest {
            return Err(Reason::DelegationExpired);
        }
        while let Some(first) =
            self.expiring.first().copied().filter(|first| first.0 <= self.latest)
        {
            self.expiring.remove(&first);
            self.tokens.remove(&(first.1, first.2));
        }
        // Another authorizer's token with the same id is another token.
        let key = (*token.token().key().as_bytes(), said.id);
        if said.issued_at < self.since || self.tokens.contains(&key) {
            return Err(Reason::DelegationReplayed);
        }
        if self.tokens.len() >= MAX_REDEEMED {
            return Err(Reason::DelegationTooMany);
        }
        self.remember(key.0, key.1, said.expires);
        Ok(())
    }

    /// Returns how many tokens are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Tells whether no token is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(super) fn remember(&mut self, key: [u8; 32], id: DelegationId, expires: Timestamp) {
        self.tokens.insert((key, id));
        self.expiring.insert((expires, key, id));
    }
}
