//! A door for engines that judge the order of what a session did: they see its past, and can only refuse.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::action::{Domain, Effect};
use crate::time::Timestamp;

/// The most events that a session keeps for an engine; the oldest go first.
pub const MAX_EVENTS: usize = 256;

/// Judges an effect by what its session did before.
///
/// It is asked about each effect of a call. One that it refuses and that scope and limits let through is denied
/// (`policy.temporal`) without asking the policies; nothing that it says allows anything. Its answer is among the
/// facts of the call, so that a replay needs no engine.
///
/// # Security
///
/// It is asked while the session is locked: it must neither block nor call back into the session, and it
/// does no I/O. The same past and the same effect should have the same answer. A panic in it leaves the
/// session poisoned. An [`Evaluator`](crate::authorizer::Evaluator) has none and answers as if there were none.
///
/// # Examples
///
/// ```
/// use countersign::action::{Connect, Effect, ReadData};
/// use countersign::governance::temporal::{History, Temporal};
/// use countersign::testing;
/// use countersign::{Authorizer, Sink, receipt::MemorySink};
///
/// /// Connects once at most in any ten seconds.
/// #[derive(Debug)]
/// struct Slowly;
///
/// impl Temporal for Slowly {
///     fn permits(&self, history: &History, effect: &Effect) -> bool {
///         let recent = history.events().filter(|event| {
///             event.kind() == "Connect" && history.now().since(event.time()).as_secs() < 10
///         });
///         effect.kind().as_str() != "Connect" || (history.is_whole() && recent.count() == 0)
///     }
/// }
///
/// let clock = testing::clock();
/// let authorizer = Authorizer::builder()
///     .policy(testing::baseline())
///     .identity(testing::identity_key())
///     .sink(Sink::blocking(MemorySink::new()))
///     .with_clock(clock.clone())
///     .with_temporal(Slowly)
///     .build()?;
/// let session = authorizer.open(&testing::scope(), testing::agent())?;
/// let connect = || Connect::new("git.example.org", 443);
/// assert!(session.authorize(connect())?.is_allow());
/// assert!(!session.authorize(connect())?.is_allow());
/// clock.advance(10_000);
/// assert!(session.authorize(connect())?.is_allow());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Temporal: fmt::Debug + Send + Sync {
    /// Tells whether `effect` may come after `history`.
    fn permits(&self, history: &History, effect: &Effect) -> bool;
}

/// What a session did, the oldest first: the last [`MAX_EVENTS`] effects that were decided.
#[derive(Debug, Clone)]
pub struct History {
    events: VecDeque<Event>,
    whole: bool,
    now: Timestamp,
}

/// One effect that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    kind: Box<str>,
    domain: Domain,
    verdict: Verdict,
    labels: Arc<[Box<str>]>,
    time: Timestamp,
}

/// What became of the call that an effect was part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It was allowed.
    Allow,
    /// It was put before people.
    Defer,
    /// It was denied.
    Deny,
}

impl Event {
    /// Returns the kind of the effect, such as `Connect`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the domain.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        self.domain
    }

    /// Returns what became of the call.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Returns the labels that the session had after the call, as policies see them.
    #[must_use]
    pub fn labels(&self) -> &[Box<str>] {
        &self.labels
    }

    /// Returns when it was decided.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }
}

impl History {
    /// The past of a new session, or of one that was resumed, whose past is not known.
    pub(crate) const fn new(resumed: bool, now: Timestamp) -> Self {
        Self { events: VecDeque::new(), whole: !resumed, now }
    }

    /// Iterates over the events, the oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.events.iter()
    }

    /// Tells whether these are all: false after a restart, and once there were more than are kept.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Returns the time of the call that is judged; the last that was believed where the clock is not.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Asks `engine` about `effects`; returns the positions of those that it refuses.
    pub(crate) fn ask(
        &mut self,
        engine: &dyn Temporal,
        effects: &[Effect],
        now: Timestamp,
    ) -> Vec<usize> {
        self.now = now;
        let refused =
            effects.iter().enumerate().filter(|(_, effect)| !engine.permits(self, effect));
        refused.map(|(at, _)| at).collect()
    }

    /// Notes a call that was decided.
    pub(crate) fn note<'a>(
        &mut self,
        effects: impl Iterator<Item = &'a Effect>,
        verdict: Verdict,
        labels: &[Box<str>],
        time: Timestamp,
    ) {
        let labels: Arc<[Box<str>]> = match self.events.back() {
            Some(last) if *last.labels == *labels => Arc::clone(&last.labels),
            _ => labels.into(),
        };
        for effect in effects {
            if self.events.len() >= MAX_EVENTS {
                self.events.pop_front();
                self.whole = false;
            }
            let (kind, domain) = (effect.kind().as_str().into(), effect.domain());
            self.events.push_back(Event {
                kind,
                domain,
                verdict,
                labels: Arc::clone(&labels),
                time,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Kind, Target};

    #[test]
    fn the_past_is_bounded_and_says_so() {
        let effect = Effect::new(Kind::TriggerWorkflow, Target::Workflow("w".into()));
        let mut history = History::new(false, Timestamp::from_millis(0));
        let mut note = |count: usize, at: u64| {
            let effects = std::iter::repeat_n(&effect, count);
            history.note(effects, Verdict::Deny, &[], Timestamp::from_millis(at));
            (history.events().count(), history.is_whole())
        };
        assert_eq!(note(1, 1), (1, true));
        assert_eq!(note(MAX_EVENTS - 1, 2), (MAX_EVENTS, true));
        assert_eq!(note(1, 3), (MAX_EVENTS, false));
        assert_eq!(history.events().next().unwrap().time(), Timestamp::from_millis(2));
        let last = history.events().next_back().unwrap();
        assert_eq!((last.kind(), last.verdict()), ("TriggerWorkflow", Verdict::Deny));
        assert!(!History::new(true, Timestamp::from_millis(0)).is_whole());
    }
}
