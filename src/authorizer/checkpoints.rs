//! Signing checkpoints of the journal while an authorizer works: when, and for whom.

use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::receipt::{
    Checkpoint, Group, JournalPosition, Kind, LogName, SignError, Signer, TreeHead,
};
use crate::time::Timestamp;

/// Takes the checkpoints of an authorizer, to keep them where the writer of the receipts cannot
/// reach, and to have witnesses sign them.
///
/// It is called on the thread that stored the line, after the line is stored and before the call that
/// wrote it returns: pass the checkpoint on and come back. Where several threads work, a smaller one may come
/// after a larger one: keep the largest.
pub trait CheckpointSink: Send + Sync + fmt::Debug {
    /// Takes a checkpoint, or why none could be signed. Lines that are stored stay stored either way.
    fn take(&self, checkpoint: Result<Checkpoint, SignError>);
}

/// The name of a journal's checkpoints, and when they are signed.
///
/// Without a call of one of the methods they are signed only when
/// [`Authorizer::checkpoint`](crate::Authorizer::checkpoint) asks for one.
///
/// # Examples
///
/// ```
/// use std::num::NonZero;
/// use std::sync::{Arc, Mutex};
/// use countersign::authorizer::{Checkpoints, CheckpointSink};
/// use countersign::receipt::{Checkpoint, LogName, SignError};
///
/// #[derive(Debug, Default)]
/// struct Kept(Mutex<Vec<Checkpoint>>);
///
/// impl CheckpointSink for Kept {
///     fn take(&self, checkpoint: Result<Checkpoint, SignError>) {
///         self.0.lock().expect("no holder panics").extend(checkpoint);
///     }
/// }
///
/// let name = LogName::parse("receipts.example.org/prod")?;
/// let thousand = NonZero::new(1000).expect("not zero");
/// let plan = Checkpoints::of(name, Kept::default()).every_lines(thousand).at_each_close();
/// # let _ = plan;
/// # Ok::<(), countersign::receipt::NoteError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Checkpoints {
    name: LogName,
    sink: Arc<dyn CheckpointSink>,
    lines: Option<NonZero<u64>>,
    every: Option<Duration>,
    at_close: bool,
}

impl Checkpoints {
    /// Names the journal's checkpoints and says who takes those that are signed by themselves.
    #[must_use]
    pub fn of(name: LogName, sink: impl CheckpointSink + 'static) -> Self {
        Self { name, sink: Arc::new(sink), lines: None, every: None, at_close: false }
    }

    /// Signs one when so many lines of the journal were written since the last.
    #[must_use]
    pub const fn every_lines(mut self, lines: NonZero<u64>) -> Self {
        self.lines = Some(lines);
        self
    }

    /// Signs one with the first line of the journal that comes so long after the last.
    ///
    /// While no line comes there is nothing to sign: heads of open sessions make lines.
    #[must_use]
    pub const fn every(mut self, time: Duration) -> Self {
        self.every = Some(time);
        self
    }

    /// Signs one whenever a session is closed.
    #[must_use]
    pub const fn at_each_close(mut self) -> Self {
        self.at_close = true;
        self
    }
}

/// The plan of one authorizer, with the key that signs.
#[derive(Debug)]
pub(crate) struct Planned {
    plan: Checkpoints,
    identity: Arc<dyn Signer>,
    /// When, and at which number of lines, a checkpoint was due last.
    last: Mutex<(u64, Timestamp)>,
    /// How far the journal is stored.
    stored: Mutex<Option<JournalPosition>>,
}

impl Planned {
    pub(crate) fn new(plan: Checkpoints, identity: Arc<dyn Signer>, begun: Timestamp) -> Self {
        Self { plan, identity, last: Mutex::new((0, begun)), stored: Mutex::new(None) }
    }

    /// Notes lines that were written and are not stored yet, the last of which is at `position`.
    pub(crate) fn written(
        self: &Arc<Self>,
        group: &Group,
        position: &JournalPosition,
        now: Timestamp,
    ) -> Written {
        let due = self.is_due(group, position.lines, now);
        Written { planned: Arc::clone(self), position: position.clone(), due }
    }

    fn is_due(&self, group: &Group, lines: u64, now: Timestamp) -> bool {
        let Checkpoints { lines: most, every, at_close, .. } = &self.plan;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (signed, time) = *last;
        let closes = || group.lines.last().is_some_and(|line| line.kind() == Kind::Close);
        let due = most.is_some_and(|most| lines.saturating_sub(signed) >= most.get())
            || every.is_some_and(|every| now.since(time) >= every)
            || *at_close && closes();
        if due {
            *last = (lines, now);
        }
        due
    }

    /// Signs a checkpoint of all lines that are stored; nothing where there is none.
    pub(crate) fn sign(&self) -> Option<Result<Checkpoint, SignError>> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let head = TreeHead::from(stored.as_ref()?);
        drop(stored);
        Some(Checkpoint::sign(&self.plan.name, &head, &*self.identity))
    }
}

/// Lines of the journal on their way to be stored.
#[derive(Debug)]
pub(crate) struct Written {
    planned: Arc<Planned>,
    position: JournalPosition,
    due: bool,
}

impl Written {
    /// Notes that the lines are stored, and signs a checkpoint where one is due.
    pub(crate) fn stored(self) {
        let Self { planned, position, due } = self;
        let mut stored = planned.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if stored.as_ref().is_none_or(|before| before.lines < position.lines) {
            *stored = Some(position);
        }
        drop(stored);
        if due && let Some(checkpoint) = planned.sign() {
            planned.plan.sink.take(checkpoint);
        }
    }
}
