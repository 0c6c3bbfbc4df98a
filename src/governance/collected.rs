//! Documents with one body, signed by several people: who of them counts at this moment.

use crate::governance::Signed;
use crate::governance::approval::quorum::{Ineligible, Moment, Tally, eligible};
use crate::governance::approval::{MAX_VOTES, Used};
use crate::policy::Quorum;

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    UnknownKey,
    Ineligible(Ineligible),
    Revoked,
    Duplicate,
    TooMany,
}

/// The most documents of one table that wait for more people and that one person alone has signed: with more,
/// one of several people whom it takes could fill the table for all of them.
pub(super) const MAX_WAITING: usize = 2;

/// The signatures under one body, at most one of each person.
#[derive(Debug, Default)]
pub(super) struct Collected {
    signed: Vec<Signed>,
    /// How many people were missing after the last signature.
    missing: u32,
}

impl Collected {
    /// Takes one more, and returns how many people are still missing. Those that do not hold make room when there
    /// is none: they may hold again later.
    pub(super) fn add(
        &mut self,
        signed: &Signed,
        quorum: &Quorum,
        moment: &Moment<'_>,
    ) -> Result<u32, Fault> {
        let person = check(signed, quorum, moment)?;
        if self.holding(quorum, moment).any(|(_, other)| *other == *person) {
            return Err(Fault::Duplicate);
        }
        if self.signed.len() >= MAX_VOTES {
            self.signed.retain(|other| check(other, quorum, moment).is_ok());
        }
        if self.signed.len() >= MAX_VOTES {
            return Err(Fault::TooMany);
        }
        self.signed.push(signed.clone());
        self.missing = self.tally(quorum, moment).missing();
        Ok(self.missing)
    }

    /// Whether the one who signed `other` has signed here, nobody else has, and more people are to.
    pub(super) fn waits_after(&self, other: &Signed, moment: &Moment<'_>) -> bool {
        let person = |signed: &Signed| moment.directory.person(signed.key()).map(|it| &it.id);
        self.missing > 0 && self.signed.iter().all(|signed| person(signed) == person(other))
    }

    /// Counts those that hold at this moment.
    pub(super) fn tally(&self, quorum: &Quorum, moment: &Moment<'_>) -> Tally {
        let keys = self.holding(quorum, moment).map(|(signed, _)| signed.key());
        Tally::count(quorum, moment.parties, moment.directory, keys)
    }

    /// Returns what a decision rests on: the people who count, sorted, each with a document.
    pub(super) fn used(&self, quorum: &Quorum, moment: &Moment<'_>) -> Vec<Used> {
        let used = |(signed, person): (&Signed, &str)| Used {
            approver: person.into(),
            id: signed.digest(),
        };
        let mut used: Vec<Used> = self.holding(quorum, moment).map(used).collect();
        used.sort_unstable();
        used.dedup_by(|next, one| next.approver == one.approver);
        used
    }

    fn holding<'a>(
        &'a self,
        quorum: &Quorum,
        moment: &Moment<'a>,
    ) -> impl Iterator<Item = (&'a Signed, &'a str)> {
        self.signed.iter().filter_map(|signed| Some((signed, check(signed, quorum, moment).ok()?)))
    }
}

/// Finds who signed, if that person counts.
pub(super) fn check<'a>(
    signed: &Signed,
    quorum: &Quorum,
    moment: &Moment<'a>,
) -> Result<&'a str, Fault> {
    let person = moment.directory.person(signed.key()).ok_or(Fault::UnknownKey)?;
    eligible(quorum, person, moment.parties).map_err(Fault::Ineligible)?;
    if (moment.is_revoked)(signed) {
        return Err(Fault::Revoked);
    }
    Ok(&person.id)
}
