//! Signed documents: one envelope for everything that people and authorizers sign beside receipts.
//!
//! ```text
//! {"body":{…},"key":"<64 hex digits>","sig":"<128 hex digits>"}
//! ```
//!
//! The whole text is its own canonical JSON, or it is refused: there is one spelling of a document, and
//! one digest. `sig` is Ed25519 (RFC 8032), verified strictly, over `"countersign <kind> v1\n"` and the
//! canonical text of `body`; the kind keeps a signature for one purpose from serving another. That a
//! document is well signed says nothing about whose key it was: a
//! [`Directory`] does.

use std::fmt;

use super::Directory;
use crate::digest::Digest;
use crate::hex;
use crate::receipt::{KeyError, SignError, Signer, TrustedKey};
use crate::value::{JsonError, Limits, Object, Value};

/// The longest signed document, in bytes. A scope, which is the longest of them, is at most as long.
pub const MAX_SIGNED_BYTES: usize = 1 << 20;

/// Under what name documents are hashed.
const DIGEST_CONTEXT: &str = "countersign 2026-11 signed document v1";

/// What a document is for. The name stands in the message that is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DocumentKind {
    /// A task scope.
    Scope,
    /// A person's approval of one action.
    Approval,
    /// A person's approval of a few actions of one pattern.
    StandingGrant,
    /// An addition to a scope, for a while.
    Elevation,
    /// What is revoked.
    Revocations,
    /// A narrower scope handed on to another agent.
    Delegation,
    /// What a delegate did with it.
    Return,
    /// A label that no longer binds a session.
    Declassification,
}

impl DocumentKind {
    /// Returns the stable name: `scope`, `approval`, …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scope => "scope",
            Self::Approval => "approval",
            Self::StandingGrant => "standing-grant",
            Self::Elevation => "elevation",
            Self::Revocations => "revocations",
            Self::Delegation => "delegation",
            Self::Return => "return",
            Self::Declassification => "declassification",
        }
    }
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no signed document of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Longer than [`MAX_SIGNED_BYTES`].
    #[error("a signed document is at most {MAX_SIGNED_BYTES} bytes long")]
    TooLong,
    /// No JSON, or JSON that is refused.
    #[error("the signed document cannot be read")]
    Json(#[source] JsonError),
    /// Another spelling than the canonical one.
    #[error("the signed document is not in its canonical spelling")]
    Spelling,
    /// Other members than `body`, `key` and `sig`, or of other types.
    #[error("a signed document has a `body`, a `key` and a `sig`, and nothing else")]
    Members,
    /// The key is none to be trusted.
    #[error("the key of the signed document is refused")]
    Key(#[source] KeyError),
    /// The signature does not hold for this kind, this body and this key.
    #[error("the signature of the signed document does not hold")]
    Signature,
}

impl DocumentError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "signed.too_long",
            Self::Json(_) => "signed.json",
            Self::Spelling => "signed.spelling",
            Self::Members => "signed.members",
            Self::Key(_) => "signed.key",
            Self::Signature => "signed.signature",
        }
    }
}

/// A document whose signature holds for the key that it names. Whose key that is, it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    kind: DocumentKind,
    body: Value,
    key: TrustedKey,
    text: Box<str>,
}

impl Signed {
    /// Signs `body`.
    ///
    /// # Errors
    ///
    /// Returns [`SignError`] when the signer fails, has a key that would be refused, or the body is too
    /// long.
    pub fn sign(kind: DocumentKind, body: Value, signer: &dyn Signer) -> Result<Self, SignError> {
        let key = signer.trusted_key().map_err(SignError::new)?;
        let sig = signer.sign(&message(kind, &body.to_canonical()))?;
        let mut envelope = Object::new();
        envelope.insert("key".into(), Value::String(key.to_string()));
        envelope.insert("sig".into(), Value::String(hex::text(&sig)));
        envelope.insert("body".into(), body);
        let text = Value::Object(envelope).to_canonical();
        // Whatever is wrong with what came out is found where it is made.
        Self::parse_with(kind, text.as_bytes(), |_| Some(key)).map_err(SignError::new)
    }

    /// Reads a document and checks its signature.
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError`]; the first thing that is wrong.
    pub fn parse(kind: DocumentKind, text: &[u8]) -> Result<Self, DocumentError> {
        Self::parse_known(kind, text, &Directory::empty())
    }

    /// Reads a document as [`parse`](Self::parse) does. A key of `directory` was checked when that was read, and
    /// is not checked again, which costs nearly as much as the signature does.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_known(
        kind: DocumentKind,
        text: &[u8],
        directory: &Directory,
    ) -> Result<Self, DocumentError> {
        Self::parse_with(kind, text, |hex| directory.key(hex))
    }

    /// Reads a document; `checked` finds a key by its hex digits among those that were checked before.
    fn parse_with(
        kind: DocumentKind,
        text: &[u8],
        checked: impl Fn(&str) -> Option<TrustedKey>,
    ) -> Result<Self, DocumentError> {
        if text.len() > MAX_SIGNED_BYTES {
            return Err(DocumentError::TooLong);
        }
        let envelope = Value::parse(text, &Limits::DOCUMENT).map_err(DocumentError::Json)?;
        let canonical = envelope.to_canonical();
        if canonical.as_bytes() != text {
            return Err(DocumentError::Spelling);
        }
        let Value::Object(mut members) = envelope else { return Err(DocumentError::Members) };
        let parts = (members.remove("body"), members.remove("key"), members.remove("sig"));
        let (Some(body @ Value::Object(_)), Some(Value::String(key)), Some(Value::String(sig))) =
            parts
        else {
            return Err(DocumentError::Members);
        };
        if members.iter().next().is_some() {
            return Err(DocumentError::Members);
        }
        // The members of a canonical text are sorted, so that the body stands before the rest.
        let rest = format!(",\"key\":\"{key}\",\"sig\":\"{sig}\"}}");
        let signed = canonical.strip_prefix("{\"body\":").and_then(|text| text.strip_suffix(&rest));
        let signed = signed.ok_or(DocumentError::Signature)?;
        let key = checked(&key).map_or_else(|| TrustedKey::parse_hex(&key), Ok);
        let key = key.map_err(DocumentError::Key)?;
        let holds = |sig: &[u8; 64]| key.verifies(&message(kind, signed), sig);
        if !hex::parse(sig.as_bytes()).as_ref().is_some_and(holds) {
            return Err(DocumentError::Signature);
        }
        Ok(Self { kind, body, key, text: canonical.into() })
    }

    /// Returns the whole document as a value.
    pub(crate) fn to_value(&self) -> Value {
        // It was read from its canonical text.
        Value::parse(self.text.as_bytes(), &Limits::DOCUMENT).unwrap_or(Value::Null)
    }

    /// Returns what the document is for.
    #[must_use]
    pub const fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// Returns what was signed.
    #[must_use]
    pub const fn body(&self) -> &Value {
        &self.body
    }

    /// Returns the key that signed it.
    #[must_use]
    pub const fn key(&self) -> &TrustedKey {
        &self.key
    }

    /// Returns the whole document, as it travels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the digest of the whole document, signature included. Another person's signature under the
    /// same body gives another one.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(DIGEST_CONTEXT, self.text.as_bytes())
    }
}

fn message(kind: DocumentKind, body: &str) -> Vec<u8> {
    [b"countersign ".as_slice(), kind.as_str().as_bytes(), b" v1\n", body.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::IdentityKey;

    fn body(text: &str) -> Value {
        Value::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
    }

    fn signed() -> Signed {
        let key = IdentityKey::from_seed(&[7; 32]);
        Signed::sign(DocumentKind::Approval, body(r#"{"b":[1,"x"],"a":true}"#), &key).unwrap()
    }

    #[track_caller]
    fn check(kind: DocumentKind, text: &str, expected: &str) {
        let found = Signed::parse(kind, text.as_bytes()).map_err(|error| error.code());
        assert_eq!(found.map(|_| "").unwrap_or_else(|code| code), expected, "{text}");
    }

    #[test]
    fn what_was_signed_is_read_back() {
        let document = signed();
        let again = Signed::parse(DocumentKind::Approval, document.as_str().as_bytes()).unwrap();
        assert_eq!(again, document);
        assert_eq!(again.body(), &body(r#"{"a":true,"b":[1,"x"]}"#));
        assert_eq!(again.key(), &IdentityKey::from_seed(&[7; 32]).trusted());
        assert_eq!(again.digest(), document.digest());
    }

    #[test]
    fn a_signature_serves_one_kind() {
        let text = signed().as_str().to_owned();
        for kind in [
            DocumentKind::Scope,
            DocumentKind::StandingGrant,
            DocumentKind::Elevation,
            DocumentKind::Revocations,
            DocumentKind::Delegation,
            DocumentKind::Return,
            DocumentKind::Declassification,
        ] {
            check(kind, &text, "signed.signature");
        }
    }

    #[test]
    fn every_other_text_is_refused() {
        let kind = DocumentKind::Approval;
        let text = signed().as_str().to_owned();
        check(kind, &text, "");
        check(kind, &format!("{text}\n"), "signed.spelling");
        check(kind, &format!(" {text}"), "signed.spelling");
        check(kind, &text.replace("true", "false"), "signed.signature");
        check(kind, &text.replacen("\"body\":{", "\"body\":{\"a\":true,", 1), "signed.json");
        check(kind, &text.replacen("{\"body\"", "{\"a\":1,\"body\"", 1), "signed.members");
        check(kind, "{}", "signed.members");
        check(kind, "[]", "signed.members");
        check(kind, "", "signed.json");
        check(kind, &"[".repeat(1000), "signed.json");
        check(kind, &" ".repeat(MAX_SIGNED_BYTES + 1), "signed.too_long");
        let (rest, sig) = text.split_at(text.rfind("\"sig\":\"").unwrap() + 7);
        check(
            kind,
            &format!("{rest}{}\"}}", sig.split_at(128).0.to_uppercase()),
            "signed.signature",
        );
        check(kind, &format!("{rest}{}\"}}", "0".repeat(128)), "signed.signature");
        check(kind, &format!("{rest}{}\"}}", "0".repeat(126)), "signed.signature");
        let (rest, key) = text.split_at(text.find("\"key\":\"").unwrap() + 7);
        let weak = format!("01{}", "00".repeat(31));
        check(kind, &format!("{rest}{weak}{}", key.split_at(64).1), "signed.key");
        for cut in 0..text.len() {
            assert!(Signed::parse(kind, &text.as_bytes()[..cut]).is_err());
        }
    }
}
