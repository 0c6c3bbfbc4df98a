//! What a session holds, and its pure transitions: no I/O, no clock, no locks.

use std::collections::BTreeMap;

use crate::authorizer::account::Reserved;
use crate::governance::Generation;
use crate::governance::temporal::History;
use crate::reason::Reason;
use crate::receipt::{SessionChain, SessionId};
use crate::session::governed::Governed;
use crate::time::Timestamp;

/// The state of one session.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) chain: SessionChain,
    /// What an engine that judges sequences sees; kept where there is one.
    pub(crate) history: History,
    pub(crate) closed: bool,
    /// What people have given to the session beside its scope.
    pub(crate) governed: Governed,
    /// What the newest lists of revocations that were looked at said of the session.
    pub(crate) revoked: Option<(Generation, Option<Reason>)>,
    /// What the host was told already.
    pub(crate) told: Told,
    permits: BTreeMap<u64, (Stage, Reserved)>,
    last: Timestamp,
}

/// What a host is told of a session once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) denial: bool,
    pub(crate) breaker: bool,
    pub(crate) stopped: bool,
}

/// How far an allowed call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its permit is out.
    Issued,
    /// It runs.
    Running,
}

impl State {
    /// `past` tells whether anything came before that is not known here.
    pub(crate) fn new(chain: SessionChain, session: SessionId, past: bool, now: Timestamp) -> Self {
        Self {
            chain,
            history: History::new(past, now),
            closed: false,
            governed: Governed::new(session),
            revoked: None,
            told: Told::default(),
            permits: BTreeMap::new(),
            last: now,
        }
    }

    /// Takes a reading of the clock: what it says, or why it cannot be believed, and the time to put
    /// on record, which never goes back.
    pub(crate) fn advance(
        &mut self,
        reading: Option<Timestamp>,
    ) -> (Result<Timestamp, Reason>, Timestamp) {
        let believed = match reading {
            None => Err(Reason::SessionClock),
            Some(now) if now < self.last => Err(Reason::SessionClockBackwards),
            Some(now) => {
                self.last = now;
                Ok(now)
            }
        };
        (believed, self.last)
    }

    /// Notes an allowed call: its permit is out.
    pub(crate) fn issue(&mut self, call: u64, reserved: Reserved) {
        self.permits.insert(call, (Stage::Issued, reserved));
    }

    /// Lets an issued call run; false when it is not issued, for whatever reason.
    pub(crate) fn start(&mut self, call: u64) -> bool {
        match self.permits.get_mut(&call) {
            Some((stage @ Stage::Issued, _)) => {
                *stage = Stage::Running;
                true
            }
            _ => false,
        }
    }

    /// Ends a call; its reservation is to be settled.
    pub(crate) fn finish(&mut self, call: u64) -> Option<(Stage, Reserved)> {
        self.permits.remove(&call)
    }

    /// Returns how many calls run.
    pub(crate) fn running(&self) -> usize {
        self.permits.values().filter(|(stage, _)| *stage == Stage::Running).count()
    }

    /// Returns the calls whose permits are out and unused.
    pub(crate) fn issued(&self) -> Vec<u64> {
        let issued = self.permits.iter().filter(|(_, (stage, _))| *stage == Stage::Issued);
        issued.map(|(call, _)| *call).collect()
    }
}
