//! The one digest type: 32 bytes of BLAKE3, always derived under a name of its own.

use std::fmt;

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
        let mut out = [0; 32];
        parse_hex(text, &mut out).then_some(Self(out))
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Appends the 64 hex digits to `out`.
    pub fn write_hex(&self, out: &mut String) {
        write_hex(out, &self.0);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write_hex(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Appends `bytes` to `out` as lower-case hex digits.
pub(crate) fn write_hex(out: &mut String, bytes: &[u8]) {
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(hex_digit(byte >> 4));
        out.push(hex_digit(byte & 15));
    }
}

/// Parses exactly `out.len()` bytes of lower-case hex; false when `text` is anything else.
pub(crate) fn parse_hex(text: &str, out: &mut [u8]) -> bool {
    let digits = text.as_bytes();
    if digits.len() != out.len() * 2 {
        return false;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return false };
        match (hex_value(*high), hex_value(*low)) {
            (Some(high), Some(low)) => *byte = high << 4 | low,
            _ => return false,
        }
    }
    true
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_upper_case_is_refused() {
        let digest = Digest::of("countersign test", b"x");
        assert_eq!(Digest::parse_hex(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse_hex(&digest.to_string().to_uppercase()), None);
        assert_eq!(Digest::parse_hex("00"), None);
        assert_eq!(Digest::parse_hex(&"é".repeat(32)), None);
        let mut text = String::new();
        digest.write_hex(&mut text);
        assert_eq!(text, digest.to_string());
    }

    #[test]
    fn contexts_keep_digests_apart() {
        assert_ne!(Digest::of("a", b"x"), Digest::of("b", b"x"));
    }
}
