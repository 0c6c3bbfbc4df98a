//! Line 0 of a session: that it says what bundle and scopes say.

use super::call::compare_parties;
use super::difference::{Difference, Differences, Place, What};
use super::{Before, History, ReplayError, Replayed, Replayer};
use crate::authorizer::Severity;
use crate::authorizer::witness::Transcript;
use crate::digest::Digest;
use crate::identity::SpiffeId;
use crate::policy::Principal;
use crate::reason::Reason;
use crate::receipt::{Begin, Counters};
use crate::scope::{CompiledScope, check_child};
use crate::session::{OpenError, check_lifetime};
use crate::time::Timestamp;

/// What came of the beginning of a session.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) replayed: Replayed,
    /// Whether the bundle and every scope that it names were given, so that all of it was looked at.
    pub(super) complete: bool,
}

impl Replayer {
    /// Holds the beginning of a session against the bundle and the scopes that it names, as far as they are
    /// there: a call that needs one that is not cannot be replayed, and says so by itself.
    ///
    /// Journal, epoch and mode of signing are the verifier's.
    pub(super) fn replay_begin(&self, begin: &Begin<'_>) -> Result<Begun, ReplayError> {
        let snapshot = self.bundle(begin.bundle).ok();
        let plain = Transcript::default();
        let hop = |digest: &Digest| match self.scope(*digest, &plain) {
            Ok(scope) => Ok(Some(scope)),
            Err(ReplayError::ScopeUnknown { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        let hops = begin.scope.iter().map(hop).collect::<Result<Vec<_>, _>>()?;
        let all: Option<Vec<&CompiledScope>> = hops.iter().map(Option::as_deref).collect();
        let (root, own) = (hops.first(), hops.last());
        let agent = SpiffeId::parse(&begin.agent).map_err(|_| ReplayError::Agent)?;

        let mut found = Differences::default();
        let place = Place::Begin;
        let time = |time: Timestamp| time.as_millis().to_string();
        if let Some(snapshot) = snapshot {
            let schema = snapshot.schema_digest().to_string();
            found.text(place, What::Schema, &begin.schema.to_string(), &schema);
        }
        if let Some(own) = own.and_then(Option::as_deref) {
            Principal::of(&agent, own.owner()).ok_or(ReplayError::Agent)?;
            compare_parties(&mut found, place, begin.into(), own, &agent);
            if begin.time >= own.expires().as_millis() {
                // The very end is too late as well.
                let (opened, over) = (begin.time.to_string(), time(own.expires()));
                found.0.push(Difference::new(place, What::Opened, opened, over));
            }
            let allowed = match snapshot.map(|snapshot| check_lifetime(own, snapshot)) {
                Some(Err(OpenError::TooLong { hours })) => Some(format!("{hours} hours at most")),
                Some(Err(OpenError::Refused(reason))) => Some(reason.code().to_owned()),
                _ => None,
            };
            if let Some(allowed) = allowed {
                found.text(place, What::Admitted, &own.digest().to_string(), &allowed);
            }
        }
        // The first scope of the chain that ends, ends the task.
        let ends = all.iter().flatten().map(|hop| hop.expires()).min();
        if let Some(ends) = ends {
            found.text(place, What::Expires, &begin.expires.to_string(), &time(ends));
        }
        if let Some(root) = root.and_then(Option::as_deref)
            && root.parent().is_some()
        {
            // It was given under another scope, which is not there to bound it.
            let reason = Reason::DelegationParent.code();
            found.text(place, What::HandedOn, &root.digest().to_string(), reason);
        }
        for pair in hops.iter().zip(hops.iter().skip(1)) {
            if let (Some(above), Some(below)) = pair
                && let Err(reason) = check_child(above, below)
            {
                found.text(place, What::HandedOn, &below.digest().to_string(), reason.code());
            }
        }
        let complete = snapshot.is_some() && all.is_some();
        let replayed = Replayed {
            session: begin.session,
            call: 0,
            severity: if found.0.is_empty() { Severity::Allow } else { Severity::Deny },
            effects: Vec::new(),
            differences: found.0,
            before: Before { counters: Counters::default(), labels: Vec::new() },
            history: History::Whole,
        };
        Ok(Begun { replayed, complete })
    }
}
