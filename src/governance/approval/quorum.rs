//! Who counts towards a quorum, and how many of them there are.

use crate::digest::Digest;
use crate::governance::{Directory, Person, Signed};
use crate::policy::{OwnerRule, Quorum};
use crate::reason::Reason;
use crate::receipt::TrustedKey;
use crate::time::Timestamp;

/// Between whom a task is: who answers for it, and for whom it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties<'a> {
    /// The owner of the scope.
    pub owner: &'a str,
    /// For whom the task is done, where it is not the owner.
    pub on_behalf_of: Option<&'a str>,
}

impl Parties<'_> {
    /// Tells whether the person of this id stands outside of the task, as `quorum` asks.
    pub(crate) fn lets_count(self, quorum: &Quorum, id: &str) -> bool {
        self.check(quorum, id).is_ok()
    }

    fn check(self, quorum: &Quorum, id: &str) -> Result<(), Ineligible> {
        let requester = self.on_behalf_of.is_some_and(|party| is_same(id, party));
        match is_same(id, self.owner) {
            true if quorum.owner == OwnerRule::Counts => Ok(()),
            true if !requester => Err(Ineligible::Owner),
            false if !requester => Ok(()),
            _ => Err(Ineligible::Requester),
        }
    }
}

/// Everything as it is at one moment, against which whatever people signed is held: when it arrives,
/// and again when it is used.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The time.
    pub now: Timestamp,
    /// Whose key is whose.
    pub directory: &'a Directory,
    /// The quorums of the bundle.
    pub quorums: &'a [Quorum],
    /// The digest of the bundle.
    pub bundle: Digest,
    /// The digests of the scopes of the session, from the root to its own.
    pub scope: &'a [Digest],
    /// Between whom the task is.
    pub parties: Parties<'a>,
    /// Whether a document, or the key that signed it, was revoked.
    pub is_revoked: &'a dyn Fn(&Signed) -> bool,
}

impl std::fmt::Debug for Moment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moment")
            .field("now", &self.now)
            .field("bundle", &self.bundle)
            .field("scope", &self.scope)
            .field("parties", &self.parties)
            .finish_non_exhaustive()
    }
}

impl<'a> Moment<'a> {
    pub(in crate::governance) fn quorum(&self, name: &str) -> Option<&'a Quorum> {
        self.quorums.iter().find(|quorum| quorum.name == name)
    }
}

/// Why a person does not count towards a quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::governance) enum Ineligible {
    Machine,
    Role,
    Requester,
    Owner,
}

impl Ineligible {
    pub(in crate::governance) const fn reason(self) -> Reason {
        match self {
            Self::Machine => Reason::ApprovalAgent,
            Self::Role => Reason::ApprovalNotEligible,
            Self::Requester => Reason::ApprovalRequester,
            Self::Owner => Reason::ApprovalOwner,
        }
    }
}

/// Tells whether `person` counts towards `quorum` in a task between `parties`.
pub(in crate::governance) fn eligible(
    quorum: &Quorum,
    person: &Person,
    parties: Parties<'_>,
) -> Result<(), Ineligible> {
    if !person.approves() {
        return Err(Ineligible::Machine);
    }
    parties.check(quorum, &person.id)?;
    if !quorum.roles.iter().any(|role| person.roles.contains(role.as_str())) {
        return Err(Ineligible::Role);
    }
    Ok(())
}

/// How many people of a quorum there are. Two keys of one person are one person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// How many different people it takes.
    pub of: u32,
    /// The ids of those who count, sorted without regard to case.
    pub people: Vec<Box<str>>,
}

impl Tally {
    /// Counts the people whose keys these are and who count towards `quorum`.
    ///
    /// # Examples
    ///
    /// ```
    /// use countersign::governance::{Directory, Parties, Tally};
    /// use countersign::policy::Quorum;
    ///
    /// let quorum: Quorum = serde_json::from_str(r#"{"name": "sre", "roles": ["sre"], "of": 2}"#)?;
    /// let parties = Parties { owner: "user:dana@example.org", on_behalf_of: None };
    /// let tally = Tally::count(&quorum, parties, &Directory::empty(), []);
    /// assert!(!tally.is_met() && tally.missing() == 2);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn count<'k>(
        quorum: &Quorum,
        parties: Parties<'_>,
        directory: &Directory,
        keys: impl IntoIterator<Item = &'k TrustedKey>,
    ) -> Self {
        let people = keys.into_iter().filter_map(|key| directory.person(key));
        let counting = people.filter(|person| eligible(quorum, person, parties).is_ok());
        let mut people: Vec<Box<str>> = counting.map(|person| person.id.clone()).collect();
        // Ids that differ in case alone are one person here too.
        people.sort_by_cached_key(|id| (id.to_lowercase(), id.clone()));
        people.dedup_by(|next, one| is_same(next, one));
        Self { of: quorum.of, people }
    }

    /// Tells whether they are enough.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.of > 0 && self.missing() == 0
    }

    /// Returns how many are missing.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.of.saturating_sub(u32::try_from(self.people.len()).unwrap_or(u32::MAX))
    }
}

/// Whether two ids name one person. Case is no difference: an id that a scope spells in another way must
/// not let its person approve for itself.
fn is_same(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::IdentityKey;

    fn key(seed: u8) -> TrustedKey {
        IdentityKey::from_seed(&[seed; 32]).trusted()
    }

    fn directory() -> Directory {
        let person = |id: &str, kind: &str, keys: &[u8], roles: &str| {
            let keys: Vec<String> = keys.iter().map(|seed| key(*seed).to_string()).collect();
            format!(r#"{{"id":"{id}","kind":"{kind}","keys":{keys:?},"roles":{roles}}}"#)
        };
        let people = [
            person("user:ann", "human", &[1, 11], r#"["sre"]"#),
            person("user:ben", "human", &[2], r#"["sre","security"]"#),
            person("user:cy", "human", &[3], r#"["finance"]"#),
            person("role:duty", "role", &[4], r#"["sre"]"#),
            person("service:ci", "service", &[5], r#"["sre"]"#),
            person("user:BEN", "human", &[6], r#"["sre"]"#),
        ];
        let people = people.join(",");
        let text = format!(r#"{{"directory":"countersign/directory/v1","people":[{people}]}}"#);
        Directory::parse(text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn check(of: u32, owner: &str, parties: (&str, Option<&str>), seeds: &[u8], met: bool) {
        let quorum = format!(r#"{{"name":"q","roles":["sre"],"of":{of},"owner":"{owner}"}}"#);
        let quorum: Quorum = serde_json::from_str(&quorum).unwrap();
        let parties = Parties { owner: parties.0, on_behalf_of: parties.1 };
        let keys: Vec<TrustedKey> = seeds.iter().map(|seed| key(*seed)).collect();
        let tally = Tally::count(&quorum, parties, &directory(), &keys);
        assert_eq!(tally.is_met(), met, "{tally:?}");
    }

    #[test]
    fn people_count_and_keys_do_not() {
        let dana = ("user:dana", None);
        check(1, "excluded", dana, &[1], true);
        check(2, "excluded", dana, &[1, 11], false);
        check(2, "excluded", dana, &[1, 2], true);
        check(2, "excluded", dana, &[1, 4], true);
        check(2, "excluded", dana, &[1, 5], false);
        check(2, "excluded", dana, &[2, 6], false);
        check(2, "excluded", dana, &[2, 6, 4], true);
        check(1, "excluded", dana, &[3], false);
        check(1, "excluded", dana, &[5], false);
        check(1, "excluded", dana, &[99], false);
        check(1, "excluded", dana, &[], false);
        check(0, "excluded", dana, &[1], false);
    }

    #[test]
    fn nobody_approves_what_is_done_for_them() {
        check(1, "excluded", ("user:ann", None), &[1], false);
        check(1, "counts", ("user:ann", None), &[1], true);
        check(1, "counts", ("user:dana", Some("user:ann")), &[1], false);
        check(1, "excluded", ("user:dana", Some("user:ann")), &[11], false);
        check(1, "counts", ("user:ann", Some("user:ann")), &[1], true);
        check(1, "excluded", ("user:ann", Some("user:ann")), &[1], false);
        check(1, "counts", ("user:ann", Some("user:ben")), &[2], false);
        check(1, "counts", ("user:ann", Some("user:ben")), &[1], true);
        // Another spelling of the id is the same person.
        check(1, "excluded", ("user:Ann", None), &[1], false);
        check(1, "counts", ("user:dana", Some("User:ANN")), &[1], false);
    }
}
