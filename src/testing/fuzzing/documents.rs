//! Signed documents: any bytes as a document, and any JSON as the body of one that is well signed.

use super::check_message;
use crate::governance::{
    DelegationError, DelegationReturn, DelegationToken, Directory, DocumentKind, RevocationDraft,
    RevocationList, Revocations, Revoked, Signed, SignedScope,
};
use crate::receipt::{IdentityKey, Signer as _};
use crate::testing::NOW;
use crate::value::{Limits, Value};

/// Reads bytes as every signed document, then signs them as the body of each: what is read is written
/// again as the same bytes, what is refused is refused with a message, and nothing is believed that is
/// not in a directory.
pub fn documents(data: &[u8]) {
    read(data);
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(token) = DelegationToken::parse_compact(text) {
            assert_eq!(token.as_compact(), text, "a token has two compact forms");
        }
        entries(text);
    }
    let Ok(body) = Value::parse(data, &Limits::DOCUMENT) else { return };
    let key = IdentityKey::from_seed(&[7; 32]);
    for kind in [
        DocumentKind::Scope,
        DocumentKind::Revocations,
        DocumentKind::Delegation,
        DocumentKind::Return,
    ] {
        if let Ok(signed) = Signed::sign(kind, body.clone(), &key) {
            assert_eq!(signed.key().as_bytes(), &key.public_key());
            read(signed.as_str().as_bytes());
        }
    }
}

/// Reads bytes as every document.
fn read(data: &[u8]) {
    let same = |text: &str| assert_eq!(text.as_bytes(), data, "a document has two spellings");
    let nobody = Directory::empty();
    match SignedScope::parse(data) {
        Ok(scope) => {
            same(scope.as_str());
            assert!(scope.verify(&nobody, NOW, None).is_err(), "nobody issued a scope");
        }
        Err(error) => check_message(&error),
    }
    match DelegationToken::parse(data) {
        Ok(token) => {
            same(token.as_str());
            let compact = DelegationToken::parse_compact(&token.as_compact());
            assert_eq!(compact.as_ref(), Ok(&token), "the compact form is another token");
            match token.verify(&nobody, NOW, &token.delegation().audience, &[]) {
                Ok(_) => assert_eq!(token.as_str(), "", "nobody delegated"),
                Err(error) => check_refused(&error),
            }
            let again =
                DelegationToken::sign(token.delegation(), &IdentityKey::from_seed(&[7; 32]));
            // Signed by whom it was signed before, it is the same; in any case it is written again.
            assert!(again.is_ok_and(|again| again.document().body() == token.document().body()));
        }
        Err(error) => check_refused(&error),
    }
    match DelegationReturn::parse(data) {
        Ok(returned) => same(returned.as_str()),
        Err(error) => check_refused(&error),
    }
    match RevocationList::parse(data) {
        Ok(list) => assert!(list.verify(&nobody, NOW).is_err(), "nobody revoked"),
        Err(error) => check_message(&error),
    }
    if let Err(error) = Directory::parse(data) {
        check_message(&error);
    }
}

fn check_refused(error: &DelegationError) {
    check_message(error);
    assert!(!error.code().is_empty() && !error.reason().code().is_empty());
}

/// Reads lines as entries of a list: each has one spelling, and a list of them says just them.
fn entries(text: &str) {
    let key = IdentityKey::from_seed(&[7; 32]);
    let mut draft = RevocationDraft::new("user:dana@example.org", 1, NOW);
    let mut said = Vec::new();
    for line in text.split('\n') {
        if let Some(entry) = Revoked::parse(line) {
            assert_eq!(entry.to_string(), line, "an entry has two spellings");
            draft = draft.revoke(entry.clone());
            said.push(entry);
        }
    }
    let Ok(list) = draft.sign(&key) else { return };
    let directory = format!(
        r#"{{"directory":"countersign/directory/v1","people":[
            {{"id":"user:dana@example.org","kind":"human","keys":["{}"],"revokes":true}}]}}"#,
        key.trusted()
    );
    let Ok(directory) = Directory::parse(directory.as_bytes()) else { return };
    let read = RevocationList::parse(list.as_bytes()).and_then(|read| read.verify(&directory, NOW));
    let state = read.and_then(|read| Revocations::none().with(&read));
    assert!(state.is_ok_and(|state| said.iter().all(|entry| state.is_revoked(entry))));
    // Other lines behind the same head are another list, which nobody signed.
    let Some((head, own)) = list.split_once('\n') else { return };
    if own != text {
        assert!(RevocationList::parse(format!("{head}\n{text}").as_bytes()).is_err());
    }
}
