//! Salted commitments and what opens them (receipt-format §7).

use std::fmt;

use zeroize::Zeroize as _;

use super::body::{Domain, SessionId};
use super::form::{Field as _, FormError, Reader};
use crate::digest::Digest;

/// Reveals the value behind one commitment of a receipt.
///
/// # Security
///
/// An opening holds what a receipt hides. Store it apart, under the rules for the data it holds;
/// deleting it erases the value, since the salt cannot be guessed.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    session: SessionId,
    call: u64,
    name: String,
    salt: [u8; 32],
    value: String,
}

impl Opening {
    /// Returns the session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Returns the number of the call.
    #[must_use]
    pub fn call(&self) -> u64 {
        self.call
    }

    /// Returns the name of the commitment: `action`, `facts`, `effects/data/0`, `result`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the canonical JSON that was committed to.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Tells whether this opens `commit`, the commitment that stands under this name in a receipt
    /// of this session and call.
    #[must_use]
    pub fn check(&self, commit: &Digest) -> bool {
        commitment(&mut Vec::new(), &self.salt, &self.name, &self.value) == *commit
    }

    /// Writes the opening as a line without a line end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut out = String::with_capacity(self.value.len() + 256);
        out.push_str("{\"opening\":");
        self.write(&mut out);
        out.push('}');
        out
    }

    /// Writes the object that a line of its own and a disclosure have in common.
    pub(super) fn write(&self, out: &mut String) {
        out.push_str("{\"call\":");
        self.call.write(out);
        out.push_str(",\"name\":");
        crate::value::write_string(out, &self.name);
        out.push_str(",\"salt\":");
        self.salt.write(out);
        out.push_str(",\"session\":");
        self.session.write(out);
        out.push_str(",\"value\":");
        crate::value::write_string(out, &self.value);
        out.push('}');
    }

    /// Reads a line that [`Opening::to_line`] wrote.
    ///
    /// # Errors
    ///
    /// Returns [`FormError`] for anything but the canonical spelling of an opening.
    pub fn parse(line: &str) -> Result<Self, FormError> {
        if line.len() > MAX_OPENING_BYTES {
            return Err(FormError::new(MAX_OPENING_BYTES, "a shorter line", b""));
        }
        let mut reader = Reader::with_max_text(line, MAX_VALUE_BYTES);
        reader.expect("{\"opening\":")?;
        let opening = Self::read(&mut reader)?;
        reader.expect("}")?;
        reader.end()?;
        Ok(opening)
    }

    /// Reads what [`write`](Self::write) writes.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, FormError> {
        reader.expect("{\"call\":")?;
        let call = reader.integer()?;
        reader.expect(",\"name\":")?;
        let name = reader.string()?.into_owned();
        reader.expect(",\"salt\":")?;
        let salt = reader.hex()?;
        reader.expect(",\"session\":")?;
        let session = SessionId::from_bytes(reader.hex()?);
        reader.expect(",\"value\":")?;
        let value = reader.string()?.into_owned();
        reader.expect("}")?;
        Ok(Self { session, call, name, salt, value })
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, call, name, .. } = self;
        write!(f, "Opening({session}, call {call}, {name}, value redacted)")
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}

/// Whether openings are kept for the sink or thrown away at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openings {
    /// They go to the sink with the lines.
    Keep,
    /// They are never made: nobody can ever reveal or replay what was decided.
    Discard,
}

/// The secret from which the salts of one session are derived.
pub(super) struct SaltSecret([u8; 32]);

impl SaltSecret {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(*secret)
    }

    /// Commits to `value` under a salt that only this call and name have, and keeps the opening if
    /// there is a place for it.
    pub(super) fn commit(
        &self,
        session: SessionId,
        call: u64,
        name: &str,
        value: &str,
        openings: Option<&mut Vec<Opening>>,
    ) -> Digest {
        let mut message = Vec::with_capacity(64 + name.len() + value.len());
        message.extend_from_slice(b"countersign salt v1\n");
        message.extend_from_slice(&call.to_le_bytes());
        message.extend_from_slice(name.as_bytes());
        let salt = *blake3::keyed_hash(&self.0, &message).as_bytes();
        let commit = commitment(&mut message, &salt, name, value);
        if let Some(openings) = openings {
            let (name, value) = (name.to_owned(), value.to_owned());
            openings.push(Opening { session, call, name, salt, value });
        }
        commit
    }
}

impl Drop for SaltSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SaltSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaltSecret(redacted)")
    }
}

/// Writes the name under which effect `index` of a line is committed into `out`.
pub(super) fn write_effect_name(out: &mut String, domain: Domain, index: usize) {
    out.clear();
    out.push_str("effects/");
    out.push_str(domain.as_str());
    out.push('/');
    (index as u64).write(out);
}

/// Commits to `value`; `message` is room to put it together in.
fn commitment(message: &mut Vec<u8>, salt: &[u8; 32], name: &str, value: &str) -> Digest {
    message.clear();
    message.extend_from_slice(b"countersign commitment v1\n");
    message.extend_from_slice(name.as_bytes());
    message.push(b'\n');
    message.extend_from_slice(value.as_bytes());
    Digest::from_bytes(*blake3::keyed_hash(salt, message).as_bytes())
}

pub(super) const ACTION: &str = "action";
pub(super) const FACTS: &str = "facts";
pub(super) const RESULT: &str = "result";

/// The longest value that can be opened.
pub(super) const MAX_VALUE_BYTES: usize = 1 << 20;

/// The longest line of an opening: its value with every byte escaped, and the rest.
const MAX_OPENING_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(call: u64, name: &str, value: &str) -> (Digest, Opening) {
        let mut openings = Vec::new();
        let session = SessionId::from_bytes([4; 16]);
        let commit =
            SaltSecret::new(&[3; 32]).commit(session, call, name, value, Some(&mut openings));
        (commit, openings.remove(0))
    }

    #[test]
    fn an_opening_opens_its_commitment_and_no_other() {
        let (commit, open) = opening(1, ACTION, "{}");
        assert!(open.check(&commit));
        for other in [opening(2, ACTION, "{}"), opening(1, FACTS, "{}"), opening(1, ACTION, "[]")] {
            assert!(!open.check(&other.0));
            assert!(other.1.check(&other.0));
        }
    }

    #[test]
    fn lines_round_trip_and_reveal_nothing_in_debug() {
        let (_, open) = opening(7, "effects/data/0", "{\"path\":\"/srv/\\\"ä\\u0001\"}");
        let line = open.to_line();
        assert_eq!(Opening::parse(&line).as_ref(), Ok(&open));
        assert!(Opening::parse(&format!("{line} ")).is_err());
        assert!(Opening::parse(&line.replace("{\"call\":7", "{ \"call\":7")).is_err());
        assert!(!format!("{open:?}").contains("srv"));
        assert!(!format!("{:?}", SaltSecret::new(&[3; 32])).contains('3'));
    }
}
