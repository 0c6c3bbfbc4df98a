//! Where a journal stands, and how a host keeps that beside the file.

use super::form::{Field, FormError, List, Reader, object};
use super::tree::{Frontier, TreeHash};
use crate::digest::Digest;
use crate::time::Timestamp;

/// Where a journal stands, as a verifier found it in what was stored, or as its writer left it.
///
/// A host that keeps it (in a database, on another machine) can go on with a journal without reading the
/// file, and hold the file against it.
///
/// # Examples
///
/// ```
/// # use countersign::receipt::{IdentityKey, Journal, JournalPosition, Signing, TrustedKey, Verifier};
/// # use countersign::time::Timestamp;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let identity = IdentityKey::from_seed(&[1; 32]);
/// # let now = Timestamp::from_millis(1_795_428_000_000);
/// let (journal, line) = Journal::start(&identity, &[2; 32], Signing::Every, now)?;
/// let kept = journal.position().to_line();
///
/// let held = JournalPosition::parse(&kept)?;
/// let verifier = Verifier::new(identity.trusted());
/// verifier.expect_journal_head(held.lines - 1, held.prev).verify(format!("{line}\n").as_bytes())?;
/// let (_journal, _line) = Journal::resume(&held, &identity, &[3; 32], Signing::Every, now)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalPosition {
    /// The journal: link hash of its line 0.
    pub id: Digest,
    /// The identity key that signs its epochs.
    pub identity: [u8; 32],
    /// Number of lines, which is the position of the next one.
    pub lines: u64,
    /// Link hash of the last line.
    pub prev: Digest,
    /// The epoch in force.
    pub epoch: u64,
    /// Time of the last line.
    pub time: Timestamp,
    /// The tree over the lines.
    pub tree: Frontier,
}

object! {
    /// What stands in the line.
    pub(super) struct Kept<'a> {
        /// The epoch in force.
        epoch: u64,
        /// The identity key.
        identity: [u8; 32],
        /// The journal.
        journal: Digest,
        /// Number of lines.
        lines: u64,
        /// Roots of the complete parts of the tree, the largest first.
        peaks: List<'a, TreeHash>,
        /// Link hash of the last line.
        prev: Digest,
        /// Milliseconds since 1970.
        time: u64,
    }
}

impl JournalPosition {
    /// Writes the position as a line of canonical JSON without a line end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let Self { id, identity, lines, prev, epoch, time, tree } = self;
        let kept = Kept {
            epoch: *epoch,
            identity: *identity,
            journal: *id,
            lines: *lines,
            peaks: tree.peaks().into(),
            prev: *prev,
            time: time.as_millis(),
        };
        let mut out = String::from(OPENING);
        kept.write(&mut out);
        out.push('}');
        out
    }

    /// Reads a line that [`to_line`](Self::to_line) wrote.
    ///
    /// # Errors
    ///
    /// Returns [`FormError`] for anything but the canonical spelling of a position.
    ///
    /// # Security
    ///
    /// Nobody signs it: keep it where nobody else can write. Going on from an older position than the last
    /// forks the journal, and whoever has both branches can prove it.
    pub fn parse(line: &str) -> Result<Self, FormError> {
        let mut reader = Reader::new(line);
        reader.expect(OPENING)?;
        let kept = Kept::read(&mut reader)?;
        reader.expect("}")?;
        reader.end()?;
        let tree = Frontier::from_peaks(kept.lines, kept.peaks.to_vec());
        let tree = tree.filter(|_| kept.lines > 0 && kept.epoch > 0);
        let tree =
            tree.ok_or_else(|| FormError::new(0, "as many `peaks` as `lines` ask for", b""))?;
        Ok(Self {
            id: kept.journal,
            identity: kept.identity,
            lines: kept.lines,
            prev: kept.prev,
            epoch: kept.epoch,
            time: Timestamp::from_millis(kept.time),
            tree,
        })
    }
}

const OPENING: &str = "{\"position\":";

#[cfg(test)]
mod tests {
    use super::*;

    fn position(lines: u64) -> JournalPosition {
        let mut tree = Frontier::new();
        (0..lines).for_each(|number| tree.push(TreeHash::of_line(&number.to_le_bytes())));
        JournalPosition {
            id: Digest::from_bytes([1; 32]),
            identity: [2; 32],
            lines,
            prev: Digest::from_bytes([3; 32]),
            epoch: 4,
            time: Timestamp::from_millis(5),
            tree,
        }
    }

    #[test]
    fn lines_round_trip_in_one_spelling() {
        for lines in [1, 2, 3, 7, 64, 1000] {
            let position = position(lines);
            let line = position.to_line();
            assert_eq!(JournalPosition::parse(&line).as_ref(), Ok(&position));
            for wrong in [
                line.replacen("\"epoch\":4", "\"epoch\":0", 1),
                line.replacen("\"epoch\":4", "\"epoch\": 4", 1),
                line.replacen(&format!("\"lines\":{lines}"), "\"lines\":0", 1),
                line.replacen("\"peaks\":[", &format!("\"peaks\":[\"{}\",", "0".repeat(64)), 1),
                format!("{line}\n"),
            ] {
                assert!(JournalPosition::parse(&wrong).is_err(), "{wrong}");
            }
        }
    }
}
