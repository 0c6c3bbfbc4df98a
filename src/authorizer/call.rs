//! What a host says of one call beside the action itself.

use crate::action::Provenance;
use crate::text;

/// The longest transaction id, in bytes.
const MAX_TXN_BYTES: usize = 256;

/// What a host knows of one call: who proposed it, and what it belongs to.
///
/// # Security
///
/// These are words of the host. Nothing that an agent says of itself belongs here.
#[derive(Debug, Clone, Default)]
pub struct Call {
    pub(crate) provenance: Provenance,
    pub(crate) cause: Option<u64>,
    pub(crate) traceparent: Option<Box<str>>,
    pub(crate) txn: Option<Box<str>>,
}

/// Why a correlation id is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Not a `traceparent` of W3C Trace Context, version 00.
    #[error("not a `traceparent` of version 00: four lower-case hex fields, ids not all zero")]
    Traceparent,
    /// A transaction id that is empty, too long, or not visible ASCII.
    #[error("a transaction id is 1 to {MAX_TXN_BYTES} visible ASCII characters")]
    Txn,
}

impl Call {
    /// Returns a call that the agent decided on, and that belongs to nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// States who proposed the action.
    #[must_use]
    pub const fn provenance(mut self, provenance: Provenance) -> Self {
        self.provenance = provenance;
        self
    }

    /// States the position of an earlier receipt of the session that this call follows from.
    #[must_use]
    pub const fn cause(mut self, seq: u64) -> Self {
        self.cause = Some(seq);
        self
    }

    /// States the trace that the call belongs to (W3C Trace Context, `traceparent`).
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] for anything but the form of version 00.
    pub fn traceparent(mut self, traceparent: &str) -> Result<Self, CallError> {
        let mut fields = traceparent.split('-');
        let mut field = |length: usize| {
            let text = fields.next()?;
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            (text.len() == length && text.bytes().all(hex)).then_some(text)
        };
        let zero = |id: &str| id.bytes().all(|byte| byte == b'0');
        let parsed = (field(2), field(32), field(16), field(2));
        let whole = fields.next().is_none();
        match parsed {
            (Some("00"), Some(trace), Some(span), Some(_))
                if whole && !zero(trace) && !zero(span) =>
            {
                self.traceparent = Some(traceparent.into());
                Ok(self)
            }
            _ => Err(CallError::Traceparent),
        }
    }

    /// States the transaction that the call belongs to (`txn` of a transaction token).
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] for an id that is empty, too long, or not visible ASCII.
    pub fn txn(mut self, txn: &str) -> Result<Self, CallError> {
        let plain = txn.bytes().all(|byte| byte.is_ascii_graphic());
        if txn.is_empty()
            || txn.len() > MAX_TXN_BYTES
            || !plain
            || text::check_visible(txn).is_err()
        {
            return Err(CallError::Txn);
        }
        self.txn = Some(txn.into());
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_ids_are_read_strictly() {
        let trace = |text: &str, ok: bool| {
            assert_eq!(Call::new().traceparent(text).is_ok(), ok, "{text}");
        };
        trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true);
        trace("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false);
        trace("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false);
        trace("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false);
        trace("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false);
        trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", false);
        trace("", false);
        assert!(Call::new().txn("txn-1").is_ok());
        assert!(Call::new().txn("").is_err());
        assert!(Call::new().txn("a b").is_err());
        assert!(Call::new().txn(&"x".repeat(MAX_TXN_BYTES + 1)).is_err());
    }
}
