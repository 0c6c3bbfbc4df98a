//! Checkpoints, proofs, disclosures and positions: one spelling each, and nothing verifies that its signer
//! did not sign.

use std::sync::OnceLock;

use super::{Choices, check_message};
use crate::action::Effect;
use crate::receipt::{
    Checkpoint, CheckpointTrust, Disclosure, JournalPosition, LogName, Opening, TlogProof, Tree,
    TreeHead, Verifier, Witness,
};
use crate::testing::{identity_key, trusted_key};

/// Reads `data` as each of them, and as a script of edits of good ones.
pub fn evidence(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        read(text);
    }
    let good = good();
    let mut choices = Choices(data);
    let pick = choices.one_of(&[0, 1, 2, 3]);
    let Some(text) = good.texts.get(pick) else { return };
    let mut bytes = text.clone().into_bytes();
    while !choices.is_empty() {
        let at = choices.below(bytes.len().max(1));
        match choices.byte() % 4 {
            0 => drop(bytes.drain(at.min(bytes.len())..)),
            1 => bytes.insert(at.min(bytes.len()), choices.byte()),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= choices.byte()),
        }
    }
    if let Ok(text) = String::from_utf8(bytes) {
        read(&text);
    }
}

/// Reads an effect as receipts commit to it: what is read is written the same.
pub fn effect(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Effect::read_canonical(text) {
        Ok(effect) => {
            let mut again = String::new();
            effect.write_canonical(&mut again);
            assert_eq!(again, text);
        }
        Err(error) => check_message(&error),
    }
}

fn read(text: &str) {
    let good = good();
    match good.trust.open(text) {
        // The signature covers the text; what stands under it may be more.
        Ok(checkpoint) => assert_eq!(checkpoint.tree_head(), &good.head, "{text}"),
        Err(error) => check_message(&error),
    }
    match TlogProof::parse(text) {
        Ok(proof) => {
            assert_eq!(TlogProof::parse(&proof.to_string()).as_ref(), Ok(&proof));
            match proof.verify(&good.line, &good.trust) {
                Ok(checkpoint) => assert_eq!(checkpoint.tree_head(), &good.head),
                Err(error) => check_message(&error),
            }
        }
        Err(error) => check_message(&error),
    }
    match Disclosure::parse(text) {
        Ok(disclosure) => {
            assert_eq!(disclosure.to_line(), text);
            match disclosure.verify(&good.trust) {
                Ok(found) => {
                    let all = |line: &str| good.file.lines().any(|known| known == line);
                    assert!(found.lines.iter().all(|one| all(one.line.as_str())), "{text}");
                }
                Err(error) => check_message(&error),
            }
        }
        Err(error) => check_message(&error),
    }
    match JournalPosition::parse(text) {
        Ok(position) => assert_eq!(position.to_line(), text),
        Err(error) => check_message(&error),
    }
    match Opening::parse(text) {
        Ok(opening) => assert_eq!(opening.to_line(), text),
        Err(error) => check_message(&error),
    }
    if let Err(error) = Witness::parse(text) {
        check_message(&error);
    }
    if let Err(error) = LogName::parse(text) {
        check_message(&error);
    }
}

/// One of each, and whom to trust.
struct Good {
    trust: CheckpointTrust,
    head: TreeHead,
    file: String,
    line: String,
    texts: [String; 4],
}

#[expect(clippy::unwrap_used, reason = "what is made here is good")]
fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let file = super::valid_file().to_owned();
        let verified = Verifier::new(trusted_key()).verify(file.as_bytes()).unwrap();
        let position = verified.journal_position();
        let name = LogName::parse("receipts.example.org/fuzz").unwrap();
        let head = TreeHead::from(&position);
        let checkpoint = Checkpoint::sign(&name, &head, &identity_key()).unwrap();
        let journal: Vec<&str> = file
            .lines()
            .filter(|line| {
                crate::receipt::ParsedLine::parse(line.as_bytes()).unwrap().body.is_journal()
            })
            .collect();
        let tree: Tree =
            journal.iter().map(|line| crate::receipt::TreeHash::of_line(line.as_bytes())).collect();
        let proof = TlogProof::new(&tree.inclusion(1, head.size).unwrap(), &checkpoint);
        let closed = verified.sessions.iter().find(|report| report.closed.is_some()).unwrap();
        let disclosure =
            Disclosure::gather(file.as_bytes(), &checkpoint, closed.session, &[0, 1], &[]).unwrap();
        let texts = [
            checkpoint.as_str().to_owned(),
            proof.to_string(),
            disclosure.to_line(),
            position.to_line(),
        ];
        let line = (*journal.get(1).unwrap()).to_owned();
        Good { trust: CheckpointTrust::new(trusted_key(), name), head, line, file, texts }
    })
}
