//! The one digest type: 32 bytes of BLAKE3, always derived under a name of its own.

use std::fmt;

use crate::hex;

/// Thirty-two bytes of BLAKE3 in key-derivation mode, shown as 64 lower-case hex digits.
///
/// Each kind of thing is hashed under its own context string, so that a digest of one kind can
/// never be passed off as one of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes `bytes` under `context`, which names what is hashed.
    #[must_use]
    pub fn of(context: &str, bytes: &[u8]) -> Self {
        Self(blake3::derive_key(context, bytes))
    }

    /// Wraps bytes that are a digest already.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses 64 lower-case hex digits; anything else is `None`.
    #[must_use]
    pub fn parse_hex(text: &str) -> Option<Self> {
        hex::parse(text.as_bytes()).map(Self)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Appends the 64 hex digits to `out`.
    pub fn write_hex(&self, out: &mut String) {
        hex::push(out, &self.0);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::text(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips() {
        let digest = Digest::of("countersign test", b"x");
        assert_eq!(Digest::parse_hex(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse_hex("00"), None);
        let mut text = String::new();
        digest.write_hex(&mut text);
        assert_eq!(text, digest.to_string());
    }

    #[test]
    fn contexts_keep_digests_apart() {
        assert_ne!(Digest::of("a", b"x"), Digest::of("b", b"x"));
    }
}
