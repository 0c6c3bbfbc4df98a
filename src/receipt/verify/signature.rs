//! Signatures that are to be verified: found in the order of the file, verified in any.

use super::super::check::{Chain, Check, VerifyError};
use super::super::key::TrustedKey;
use super::super::line::ParsedLine;

/// One signature, and all that is needed to verify it.
pub(super) struct Task<'a> {
    line: u64,
    chain: Chain,
    epoch: u64,
    key: TrustedKey,
    message: Message<'a>,
    signature: [u8; 64],
}

enum Message<'a> {
    /// What stands before the body, and the body.
    Line([&'a str; 2]),
    Held(Vec<u8>),
}

impl<'a> Task<'a> {
    pub(super) fn new(
        number: u64,
        chain: Chain,
        line: &ParsedLine<'a>,
        key: TrustedKey,
        signature: [u8; 64],
    ) -> Self {
        let epoch = line.body.epoch();
        let message = Message::Line(line.message());
        Self { line: number, chain, epoch, key, message, signature }
    }

    /// Returns the number of the line that is signed.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Verifies the signature; `room` is where the message is put together.
    pub(super) fn verify(&self, room: &mut Vec<u8>) -> Result<(), VerifyError> {
        let message = match &self.message {
            Message::Held(message) => message,
            Message::Line(parts) => {
                room.clear();
                parts.iter().for_each(|part| room.extend_from_slice(part.as_bytes()));
                &*room
            }
        };
        if self.key.verifies(message, &self.signature) {
            return Ok(());
        }
        Err(refused(self.line, self.chain, "one that does not verify"))
    }
}

/// The error for a signature that is not as it must be.
pub(super) fn refused(line: u64, chain: Chain, found: &str) -> VerifyError {
    let expected = "a signature by the key in force".to_owned();
    VerifyError::new(Some(line), chain, Check::Signature, expected, found.to_owned())
}

/// The last signed line of a chain in one epoch, which stands for those before it
/// (receipt-format §8.5).
#[derive(Default)]
pub(in crate::receipt) struct Held(Option<Task<'static>>);

impl Held {
    /// Takes the place of the one before, or sends it to be verified if it is of another epoch.
    pub(super) fn hold<'a>(&mut self, task: Task<'_>, tasks: &mut Vec<Task<'a>>) {
        let before = self.0.take();
        let mut message = Vec::new();
        match before {
            Some(Task { epoch, message: Message::Held(room), .. }) if epoch == task.epoch => {
                message = room;
                message.clear();
            }
            before => tasks.extend(before),
        }
        let Task { line, chain, epoch, key, message: signed, signature } = task;
        match signed {
            Message::Line(parts) => {
                parts.iter().for_each(|part| message.extend_from_slice(part.as_bytes()));
            }
            Message::Held(own) => message = own,
        }
        let message = Message::Held(message);
        self.0 = Some(Task { line, chain, epoch, key, message, signature });
    }

    /// Sends what is held to be verified: nothing comes after it.
    pub(super) fn release(&mut self, tasks: &mut Vec<Task<'_>>) {
        tasks.extend(self.0.take());
    }
}
