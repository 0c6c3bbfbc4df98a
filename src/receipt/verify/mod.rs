//! The verifier that a stranger runs (receipt-format §8).

mod batch;
mod run;
mod signature;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::num::NonZero;

use super::MAX_LINE_BYTES;
use super::check::VerifyError;
use super::checkpoint::Checkpoint;
use super::key::TrustedKey;
use super::reading::{LineReader, Next};
use super::report::Verified;
use crate::digest::Digest;

pub(super) use signature::Held;

use run::Run;

/// Verifies receipt files against identity keys that come from elsewhere.
///
/// Reads line by line and keeps a bounded amount for each session.
///
/// # Security
///
/// Success says what [`Verified`] says and no more. Above all, lines cut off the end of the journal
/// leave no trace unless the caller gives a position that it holds.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Vec<TrustedKey>,
    depth: Depth,
    positions: BTreeMap<u64, Vec<Digest>>,
    checkpoints: BTreeMap<u64, Vec<Checkpoint>>,
    withheld: bool,
    max_sessions: usize,
    threads: Option<NonZero<usize>>,
}

impl Verifier {
    /// Builds a verifier that trusts the identity `key`.
    #[must_use]
    pub fn new(key: TrustedKey) -> Self {
        Self {
            keys: vec![key],
            depth: Depth::EverySignature,
            positions: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            withheld: false,
            max_sessions: MAX_SESSIONS,
            threads: None,
        }
    }

    /// Trusts one more identity key. A journal has one identity; this is for verifying several.
    #[must_use]
    pub fn trust(mut self, key: TrustedKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Sets what is verified; [`Depth::EverySignature`] unless said otherwise.
    #[must_use]
    pub fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Requires that line `seq` of the journal is there and has the link hash `link`.
    #[must_use]
    pub fn expect_journal_head(mut self, seq: u64, link: Digest) -> Self {
        self.positions.entry(seq).or_default().push(link);
        self
    }

    /// Requires that the journal is the one of `checkpoint` and begins with the lines that it signs.
    ///
    /// All that are given must hold. Two that contradict each other are proof of a fork by themselves: see
    /// [`Equivocation::between`](super::Equivocation::between).
    #[must_use]
    pub fn expect_checkpoint(mut self, checkpoint: &Checkpoint) -> Self {
        let size = checkpoint.tree_head().size;
        self.checkpoints.entry(size).or_default().push(checkpoint.clone());
        self
    }

    /// Accepts that all lines of a session are absent although the journal counts some. Such
    /// sessions are in [`Verified::missing`].
    #[must_use]
    pub fn allow_withheld_sessions(mut self) -> Self {
        self.withheld = true;
        self
    }

    /// Sets how many sessions a file may have; a million unless said otherwise.
    #[must_use]
    pub fn max_sessions(mut self, max_sessions: usize) -> Self {
        self.max_sessions = max_sessions;
        self
    }

    /// Verifies on so many threads, this one included, and reads ahead by 16 MiB. What is found is the
    /// same.
    #[must_use]
    pub fn threads(mut self, threads: NonZero<usize>) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Verifies a whole receipt file.
    ///
    /// # Errors
    ///
    /// Returns [`VerifyError`] for the first line that fails a check, for lines that the journal
    /// counts and that are not there, and if `file` cannot be read.
    pub fn verify(&self, file: impl BufRead) -> Result<Verified, VerifyError> {
        match self.threads {
            Some(threads) => self.verify_on(threads, file),
            None => self.verify_here(file),
        }
    }

    /// Verifies line by line on this thread, with nothing read ahead.
    fn verify_here(&self, file: impl BufRead) -> Result<Verified, VerifyError> {
        let mut run = Run::new(self);
        let mut lines = LineReader::new(file);
        let mut room = Vec::new();
        loop {
            match lines.next().map_err(|error| VerifyError::read(run.next_line(), error))? {
                Next::Line(line) => run.check(line, &mut room)?,
                Next::TooLong => return Err(run.too_long()),
                Next::End { torn } => return run.finish(torn),
            }
        }
    }
}

/// How much a verifier verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Depth {
    /// Everything, each signature included.
    EverySignature,
    /// Everything, and of the signatures in one chain and epoch only the last, which stands for those
    /// before it (receipt-format §8.5).
    LastSignature,
    /// Everything but signatures: shows damage, not forgery.
    LinksOnly,
}

/// Most sessions of a file.
const MAX_SESSIONS: usize = 1_000_000;
