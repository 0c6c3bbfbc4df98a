//! One value for each of the four domains.

use super::Domain;

/// One value for each of the four domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PerDomain<T> {
    pub(crate) application: T,
    pub(crate) infrastructure: T,
    pub(crate) data: T,
    pub(crate) workload: T,
}

impl PerDomain<Option<u64>> {
    /// The smaller of two limits in each domain, where there is any.
    pub(crate) fn smaller(self, other: Self) -> Self {
        let smaller = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        Self {
            application: smaller(self.application, other.application),
            infrastructure: smaller(self.infrastructure, other.infrastructure),
            data: smaller(self.data, other.data),
            workload: smaller(self.workload, other.workload),
        }
    }
}

impl<T: Copy> PerDomain<T> {
    pub(crate) const fn get(&self, domain: Domain) -> T {
        match domain {
            Domain::Application => self.application,
            Domain::Infrastructure => self.infrastructure,
            Domain::Data => self.data,
            Domain::Workload => self.workload,
        }
    }

    pub(crate) const fn get_mut(&mut self, domain: Domain) -> &mut T {
        match domain {
            Domain::Application => &mut self.application,
            Domain::Infrastructure => &mut self.infrastructure,
            Domain::Data => &mut self.data,
            Domain::Workload => &mut self.workload,
        }
    }
}
