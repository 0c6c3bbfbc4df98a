//! What is kept beside the calls: openings whose receipts have not come, and uses of approvals.

use std::collections::{HashMap, VecDeque};

use super::observed::Observed;
use crate::digest::Digest;
use crate::receipt::{Opening, SessionId};

/// Openings whose receipts have not come.
#[derive(Default)]
pub(super) struct Waiting {
    by_call: HashMap<(SessionId, u64), Vec<Opening>>,
    order: VecDeque<(SessionId, u64)>,
    count: usize,
}

impl Waiting {
    /// Keeps one; true if the oldest had to go.
    pub(super) fn add(&mut self, opening: Opening, most: usize) -> bool {
        let key = (opening.session(), opening.call());
        let of = self.by_call.entry(key).or_insert_with(|| {
            self.order.push_back(key);
            Vec::new()
        });
        of.push(opening);
        self.count += 1;
        let full = self.count > most;
        while self.count > most
            && let Some((session, call)) = self.order.pop_front()
        {
            self.take(session, call);
        }
        // Keys whose openings were taken stay in the order until they come up.
        if self.order.len() > 2 * self.by_call.len() + 1024 {
            let Self { by_call, order, .. } = self;
            order.retain(|key| by_call.contains_key(key));
        }
        full
    }

    pub(super) fn take(&mut self, session: SessionId, call: u64) -> Vec<Opening> {
        let taken = self.by_call.remove(&(session, call)).unwrap_or_default();
        self.count -= taken.len();
        taken
    }

    pub(super) fn forget(&mut self, session: SessionId, call: u64) {
        self.take(session, call);
    }
}

/// Which decisions used which approvals.
#[derive(Default)]
pub(super) struct Used {
    by_id: HashMap<Digest, Vec<Use>>,
    order: VecDeque<Digest>,
}

pub(super) struct Use {
    pub(super) session: SessionId,
    pub(super) call: u64,
    pub(super) serial: u64,
    pub(super) decided: u64,
    pub(super) first: Option<Box<Observed>>,
}

impl Used {
    /// Remembers one; true if the oldest had to go.
    pub(super) fn add(&mut self, id: Digest, used: Use, most: usize) -> bool {
        self.by_id.entry(id).or_default().push(used);
        self.order.push_back(id);
        let full = self.order.len() > most;
        if full && let Some(oldest) = self.order.pop_front() {
            let empty = self.by_id.get_mut(&oldest).is_some_and(|uses| {
                if !uses.is_empty() {
                    uses.remove(0);
                }
                uses.is_empty()
            });
            if empty {
                self.by_id.remove(&oldest);
            }
        }
        full
    }

    pub(super) fn of(&self, id: &Digest) -> &[Use] {
        self.by_id.get(id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn set_first(&mut self, id: &Digest, serial: u64, first: Option<&Observed>) {
        let used = self.by_id.get_mut(id).into_iter().flatten();
        for used in used.filter(|used| used.serial == serial) {
            used.first = first.cloned().map(Box::new);
        }
    }
}
