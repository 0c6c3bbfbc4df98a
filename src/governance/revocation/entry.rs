//! What can be revoked, as one line of text each.

use std::fmt;

use crate::digest::Digest;
use crate::governance::MAX_ID_BYTES;
use crate::hex;
use crate::identity::SpiffeId;
use crate::receipt::SessionId;
use crate::scope::MAX_NAME_BYTES;
use crate::text;

/// Under what name entries are hashed.
const HASH_CONTEXT: &str = "countersign 2026-11 revoked v1";

/// One thing that is revoked.
///
/// Its line is `kind id`; a line that is not the one spelling of what it names is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Revoked {
    /// One instance of an agent: `instance spiffe://example.org/agent/coder/7`.
    Instance(SpiffeId),
    /// A class of agents, every instance below it included: `agent spiffe://example.org/agent/coder`.
    Agent(SpiffeId),
    /// A task of an owner: `task user:dana@example.org fix-login`. Two owners may have tasks of one name.
    Task {
        /// The owner, as scopes name it; it holds no blank.
        owner: Box<str>,
        /// The name of the task.
        task: Box<str>,
    },
    /// A scope, by the digest of its document: `scope <64 hex digits>`.
    Scope(Digest),
    /// A person, with every scope that the person owns or signed, and all else that the person has signed for
    /// sessions: `issuer user:dana@example.org`.
    Issuer(Box<str>),
    /// A public key, with all that it signed: `key <64 hex digits>`.
    Key([u8; 32]),
    /// An approval, by the digest of its document: `approval <64 hex digits>`.
    Approval(Digest),
    /// One session: `session <32 hex digits>`.
    Session(SessionId),
}

impl Revoked {
    /// Parses the line of an entry; `None` for anything that is not the one spelling of an entry.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (kind, id) = line.split_once(' ')?;
        Some(match kind {
            "instance" => Self::Instance(read_agent(id)?),
            "agent" => Self::Agent(read_agent(id)?),
            "task" => {
                let (owner, task) = id.split_once(' ')?;
                let plain = is_plain(owner, MAX_NAME_BYTES) && is_plain(task, MAX_NAME_BYTES);
                plain.then(|| Self::Task { owner: owner.into(), task: task.into() })?
            }
            "scope" => Self::Scope(Digest::parse_hex(id)?),
            "issuer" => is_plain(id, MAX_ID_BYTES).then(|| Self::Issuer(id.into()))?,
            "key" => Self::Key(*Digest::parse_hex(id)?.as_bytes()),
            "approval" => Self::Approval(Digest::parse_hex(id)?),
            "session" => Self::Session(SessionId::parse_hex(id)?),
            _ => return None,
        })
    }
}

/// Writes the line that [`Revoked::parse`] reads.
impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => write!(f, "instance {id}"),
            Self::Agent(class) => write!(f, "agent {class}"),
            Self::Task { owner, task } => write!(f, "task {owner} {task}"),
            Self::Scope(digest) => write!(f, "scope {digest}"),
            Self::Issuer(person) => write!(f, "issuer {person}"),
            Self::Key(key) => write!(f, "key {}", hex::text(key)),
            Self::Approval(digest) => write!(f, "approval {digest}"),
            Self::Session(session) => write!(f, "session {session}"),
        }
    }
}

fn read_agent(text: &str) -> Option<SpiffeId> {
    SpiffeId::parse(text).ok().filter(|id| id.as_str() == text)
}

fn is_plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text::check_visible(text).is_ok()
}

/// Hashes lines of entries to 128 bits.
///
/// Two lines with one hash would only revoke more, and take 2^64 attempts of somebody who may revoke.
#[derive(Debug, Clone)]
pub(super) struct Hashes {
    key: [u8; 32],
}

impl Hashes {
    pub(super) fn new() -> Self {
        Self { key: blake3::derive_key(HASH_CONTEXT, b"") }
    }

    /// Hashes one line, without its end.
    pub(super) fn of(&self, line: &[u8]) -> u128 {
        let hash = blake3::keyed_hash(&self.key, line);
        let (half, _) = hash.as_bytes().split_first_chunk().unwrap_or((&[0; 16], &[]));
        u128::from_le_bytes(*half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: bool) {
        let found = Revoked::parse(line);
        assert_eq!(found.is_some(), expected, "{line:?}");
        if let Some(entry) = found {
            assert_eq!(entry.to_string(), line);
        }
    }

    #[test]
    fn each_entry_has_one_spelling() {
        let hex = "0a".repeat(32);
        check("instance spiffe://example.org/agent/coder/7", true);
        check("instance spiffe://Example.org/agent", false);
        check("instance  spiffe://example.org/agent", false);
        check("instance spiffe://example.org/agent/", false);
        check("instance user:dana", false);
        check("agent spiffe://example.org", true);
        check("Agent spiffe://example.org", false);
        check("task user:dana@example.org fix-login", true);
        check("task user:dana@example.org fix the login", true);
        check("task fix-login", false);
        check("task user:dana@example.org ", false);
        check(&format!("task user:dana {}", "x".repeat(256)), true);
        check(&format!("task user:dana {}", "x".repeat(257)), false);
        check("task user:dana fix\u{202e}", false);
        check("issuer user:dana@example.org", true);
        check("issuer ", false);
        check("issuer", false);
        check(&format!("issuer {}", "x".repeat(257)), false);
        for kind in ["scope", "key", "approval"] {
            check(&format!("{kind} {hex}"), true);
            check(&format!("{kind} {}", hex.to_uppercase()), false);
            check(&format!("{kind} {hex}00"), false);
            check(&format!("{kind} {hex} "), false);
        }
        check(&format!("session {}", "0a".repeat(16)), true);
        check(&format!("session {hex}"), false);
        check("", false);
        check("halt true", false);
    }

    #[test]
    fn kinds_do_not_share_hashes() {
        let hashes = Hashes::new();
        let id = "spiffe://example.org/agent/coder";
        let one = hashes.of(format!("instance {id}").as_bytes());
        assert_ne!(one, hashes.of(format!("agent {id}").as_bytes()));
        assert_eq!(one, Hashes::new().of(format!("instance {id}").as_bytes()));
    }
}
