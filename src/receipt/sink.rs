//! Where lines go: the traits that a host implements, and the sinks that need no file.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::commitment::Opening;
use super::group::Group;
use super::line::Line;

/// Stores groups of lines.
///
/// # Security
///
/// `Ok` is what an action waits for: return it only once the group is as safe as the host wants its
/// receipts to be. An implementation stores a group as a whole and in the order of its lines, and
/// groups in the order of the calls. After an `Err`, even a doubtful one, it stores nothing more for
/// that chain until the host has looked at what is really there.
pub trait ReceiptSink: Send + Sync + fmt::Debug {
    /// Stores `group`; returns when it is stored.
    ///
    /// # Errors
    ///
    /// Returns [`SinkError`] if the group is not, or perhaps not, stored as a whole.
    fn append(&self, group: &Group) -> Result<(), SinkError>;
}

/// Stores groups of lines without blocking a thread. The rules of [`ReceiptSink`] hold.
///
/// A future that is dropped before it is ready counts as a failed store.
pub trait AsyncReceiptSink: Send + Sync + fmt::Debug {
    /// Stores `group`; is ready when it is stored.
    fn append<'a>(
        &'a self,
        group: &'a Group,
    ) -> Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>;
}

/// Why a group was not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// An earlier store failed, so that a line after it could not be linked to what is stored.
    #[error("an earlier group was not stored; recover the file and resume")]
    Poisoned,
    /// Storing failed.
    #[error("the group was not stored")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SinkError {
    /// Wraps what went wrong.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Store(cause.into())
    }
}

impl<S: ReceiptSink + ?Sized> ReceiptSink for std::sync::Arc<S> {
    fn append(&self, group: &Group) -> Result<(), SinkError> {
        (**self).append(group)
    }
}

impl<S: AsyncReceiptSink + ?Sized> AsyncReceiptSink for std::sync::Arc<S> {
    fn append<'a>(
        &'a self,
        group: &'a Group,
    ) -> Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>> {
        (**self).append(group)
    }
}

/// Keeps everything in memory: for tests, examples and benches. Survives nothing.
#[derive(Debug, Default)]
pub struct MemorySink(Mutex<Group>);

impl MemorySink {
    /// Builds an empty sink. Share it in an `Arc`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the lines stored so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.stored().lines.clone()
    }

    /// Returns the openings stored so far.
    #[must_use]
    pub fn openings(&self) -> Vec<Opening> {
        self.stored().openings.clone()
    }

    /// Returns how many lines are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stored().lines.len()
    }

    /// Tells whether no line is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the lines as a receipt file.
    #[must_use]
    pub fn to_ndjson(&self) -> String {
        let mut out = String::new();
        self.stored().write_ndjson(&mut out);
        out
    }

    /// Forgets everything stored.
    pub fn clear(&self) {
        *self.stored() = Group::default();
    }

    fn stored(&self) -> MutexGuard<'_, Group> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReceiptSink for MemorySink {
    fn append(&self, group: &Group) -> Result<(), SinkError> {
        let mut stored = self.stored();
        stored.lines.extend_from_slice(&group.lines);
        stored.openings.extend_from_slice(&group.openings);
        Ok(())
    }
}

impl AsyncReceiptSink for MemorySink {
    fn append<'a>(
        &'a self,
        group: &'a Group,
    ) -> Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>> {
        Box::pin(std::future::ready(ReceiptSink::append(self, group)))
    }
}

/// Makes a sink of a closure.
pub fn sink_fn<F>(append: F) -> FnSink<F>
where
    F: Fn(&Group) -> Result<(), SinkError> + Send + Sync,
{
    FnSink(append)
}

/// A sink that calls a closure; see [`sink_fn`].
pub struct FnSink<F>(F);

impl<F> ReceiptSink for FnSink<F>
where
    F: Fn(&Group) -> Result<(), SinkError> + Send + Sync,
{
    fn append(&self, group: &Group) -> Result<(), SinkError> {
        (self.0)(group)
    }
}

impl<F> fmt::Debug for FnSink<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnSink")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn sinks_can_be_shared_and_boxed() {
        let memory = Arc::new(MemorySink::new());
        let blocking: Box<dyn ReceiptSink> = Box::new(Arc::clone(&memory));
        let _async: Box<dyn AsyncReceiptSink> = Box::new(Arc::clone(&memory));
        let closure = sink_fn(|_: &Group| Err(SinkError::new("disk full")));
        assert!(blocking.append(&Group::default()).is_ok());
        assert!(closure.append(&Group::default()).is_err());
        assert!(memory.is_empty());
    }
}
