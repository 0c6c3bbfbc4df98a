//! The journal of one authorizer, writing end (receipt-format §4).

use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};

use super::FORMAT_VERSION;
use super::body::{Close, EndStatus, Epoch, Head, Open, SessionId, Signing};
use super::form::Field;
use super::key::{EpochKey, SignError, Signer, possession_message};
use super::line::{Kind, Line, WriteError};
use super::position::JournalPosition;
use super::tree::{Frontier, TreeHash};
use crate::digest::Digest;
use crate::time::Timestamp;

/// How far a session has come: what a `head` or `close` of the journal says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionHead {
    /// The session.
    pub session: SessionId,
    /// How many of its lines are accounted for, at least one.
    pub count: u64,
    /// Link hash of the last of them.
    pub head: Digest,
    /// Root of the tree over them.
    pub tree: TreeHash,
}

/// Writes the journal of one authorizer. Holds its head, its epoch key and no lines.
///
/// As with [`SessionChain`](super::SessionChain), each method moves on as if its line were stored.
#[derive(Debug)]
pub struct Journal {
    position: JournalPosition,
    key: Arc<EpochKey>,
}

impl Journal {
    /// Starts a journal with its first epoch. `seed` becomes the epoch key: it must come fresh from
    /// a generator fit for keys, and the caller wipes it.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] if `identity` fails to sign.
    pub fn start(
        identity: &dyn Signer,
        seed: &[u8; 32],
        signing: Signing,
        time: Timestamp,
    ) -> Result<(Self, Line), WriteError> {
        Self::begin_epoch(None, identity, seed, signing, time)
    }

    /// Goes on where `position` says, with a new epoch: after a restart, or to change the key.
    ///
    /// Sessions go on under it only with [`SessionChain::resume`](super::SessionChain::resume).
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] if `identity` is not that of the journal or fails to sign, or if
    /// `time` is before the last line's.
    pub fn resume(
        position: &JournalPosition,
        identity: &dyn Signer,
        seed: &[u8; 32],
        signing: Signing,
        time: Timestamp,
    ) -> Result<(Self, Line), WriteError> {
        if identity.public_key() != position.identity {
            return Err(WriteError::Order("the journal belongs to another identity"));
        }
        check_time(position.time, time)?;
        Self::begin_epoch(Some(position), identity, seed, signing, time)
    }

    /// Announces a session whose line 0 has the link hash `begin`. This line is stored first.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] if a value does not fit the format or the time went back.
    pub fn open(
        &mut self,
        session: SessionId,
        agent: &str,
        begin: Digest,
        time: Timestamp,
    ) -> Result<Line, WriteError> {
        check_time(self.position.time, time)?;
        let body = Open {
            agent: agent.into(),
            begin,
            epoch: self.position.epoch,
            journal: self.position.id,
            prev: self.position.prev,
            seq: self.position.lines,
            session,
            time: time.as_millis(),
        };
        self.write(Kind::Open, &body, time)
    }

    /// Accounts for the first lines of a session, as far as it has come.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] if a value does not fit the format or the time went back.
    pub fn head(&mut self, session: &SessionHead, time: Timestamp) -> Result<Line, WriteError> {
        check_time(self.position.time, time)?;
        let SessionHead { session, count, head, tree } = *session;
        if count == 0 {
            return Err(WriteError::Value(Kind::Head));
        }
        let body = Head {
            count,
            epoch: self.position.epoch,
            head,
            journal: self.position.id,
            prev: self.position.prev,
            seq: self.position.lines,
            session,
            time: time.as_millis(),
            tree,
        };
        self.write(Kind::Head, &body, time)
    }

    /// Accounts for a session as a whole, as [`Journal::head`] does, and for nothing after it.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError`] if a value does not fit the format or the time went back.
    pub fn close(
        &mut self,
        session: &SessionHead,
        status: EndStatus,
        time: Timestamp,
    ) -> Result<Line, WriteError> {
        check_time(self.position.time, time)?;
        let SessionHead { session, count, head, tree } = *session;
        if count == 0 {
            return Err(WriteError::Value(Kind::Close));
        }
        let body = Close {
            count,
            epoch: self.position.epoch,
            head,
            journal: self.position.id,
            prev: self.position.prev,
            seq: self.position.lines,
            session,
            status,
            time: time.as_millis(),
            tree,
        };
        self.write(Kind::Close, &body, time)
    }

    /// Returns the key that the chains of this epoch sign with.
    #[must_use]
    pub fn epoch_key(&self) -> &Arc<EpochKey> {
        &self.key
    }

    /// Returns where the journal stands.
    #[must_use]
    pub fn position(&self) -> &JournalPosition {
        &self.position
    }

    fn begin_epoch(
        position: Option<&JournalPosition>,
        identity: &dyn Signer,
        seed: &[u8; 32],
        signing: Signing,
        time: Timestamp,
    ) -> Result<(Self, Line), WriteError> {
        let key = SigningKey::from_bytes(seed);
        let public_key = key.verifying_key().to_bytes();
        let number = position.map_or(0, |position| position.epoch) + 1;
        let prev = position.map(|position| position.prev);
        let prev_bytes = prev.map_or([0; 32], |prev| *prev.as_bytes());
        let possession =
            possession_message(&identity.public_key(), &public_key, number, &prev_bytes);
        let body = Epoch {
            epoch: number,
            identity: identity.public_key(),
            journal: position.map(|position| position.id),
            key: public_key,
            prev,
            proof: key.sign(&possession).to_bytes(),
            seq: position.map_or(0, |position| position.lines),
            signing,
            time: time.as_millis(),
            v: FORMAT_VERSION,
        };
        let sign = |message: &[u8]| -> Result<[u8; 64], SignError> { identity.sign(message) };
        let line = Line::write(Kind::Epoch, &body, EPOCH_BYTES, Some(&sign))?;
        let mut tree = position.map_or_else(Frontier::new, |position| position.tree.clone());
        tree.push(line.leaf());
        let position = JournalPosition {
            id: position.map_or(line.link(), |position| position.id),
            identity: identity.public_key(),
            lines: body.seq + 1,
            prev: line.link(),
            epoch: number,
            time,
            tree,
        };
        let key = Arc::new(EpochKey::new(position.id, number, signing, key));
        Ok((Self { position, key }, line))
    }

    fn write<'a, B: Field<'a>>(
        &mut self,
        kind: Kind,
        body: &B,
        time: Timestamp,
    ) -> Result<Line, WriteError> {
        let sign = |message: &[u8]| -> Result<[u8; 64], SignError> { self.key.sign(message) };
        let line = Line::write(kind, body, LINE_BYTES, Some(&sign))?;
        self.position.lines += 1;
        self.position.prev = line.link();
        self.position.time = time;
        self.position.tree.push(line.leaf());
        Ok(line)
    }
}

fn check_time(last: Timestamp, now: Timestamp) -> Result<(), WriteError> {
    if now < last {
        return Err(WriteError::Time { last: last.as_millis(), now: now.as_millis() });
    }
    Ok(())
}

// What lines usually need, so that a buffer seldom grows.
const EPOCH_BYTES: usize = 768;
const LINE_BYTES: usize = 512;
