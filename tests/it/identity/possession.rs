//! Proof of possession: who answers a fresh challenge, once, in time.

use std::sync::Arc;
use std::time::Duration;

use countersign::entropy::{Entropy, EntropyError};
use countersign::identity::possession::{
    DEFAULT_LIFETIME, MAX_LIFETIME, MAX_OUTSTANDING, MAX_OUTSTANDING_EACH, MAX_TEXT_BYTES,
};
use countersign::identity::{
    Answer, Challenge, IdentityVerifier, MAX_KNOWN, PossessionVerifier, PrincipalKind, Proof,
    SpiffeId,
};
use countersign::receipt::{IdentityKey, Signer, TrustedKey};
use countersign::testing::{self, TestClock};
use proptest::prelude::*;

const AUDIENCE: &str = "build-host-3";

struct Desk {
    clock: TestClock,
    verifier: PossessionVerifier,
    id: SpiffeId,
    key: IdentityKey,
}

fn desk() -> Desk {
    let clock = testing::clock();
    let verifier = PossessionVerifier::new(AUDIENCE, clock.clone(), testing::entropy()).unwrap();
    let (id, key) = (instance(7), key(7));
    verifier.enroll(&id, key.trusted(), PrincipalKind::SubAgent).unwrap();
    Desk { clock, verifier, id, key }
}

fn instance(number: usize) -> SpiffeId {
    SpiffeId::parse(&format!("spiffe://example.org/agent/coder/instance/{number}")).unwrap()
}

fn key(seed: u8) -> IdentityKey {
    IdentityKey::from_seed(&[seed; 32])
}

impl Desk {
    fn answer(&self) -> Answer {
        let challenge = self.verifier.challenge(&self.id).unwrap();
        challenge.answer(AUDIENCE, &self.id, &self.key).unwrap()
    }

    #[track_caller]
    fn check(&self, answer: &Answer, expected: Result<(), &str>) {
        let found = self.verifier.verify(answer);
        assert_eq!(found.as_ref().map(|_| ()).map_err(|error| error.code()), expected);
    }

    /// Answers a challenge after `edit` changed its text, with the enrolled key.
    fn edited(&self, from: &str, to: &str) -> Answer {
        let text = self.verifier.challenge(&self.id).unwrap().to_json();
        assert!(text.contains(from), "{text}");
        let challenge = Challenge::parse(text.replace(from, to).as_bytes()).unwrap();
        let (audience, id) = (challenge.audience().to_owned(), challenge.id().clone());
        challenge.answer(&audience, &id, &self.key).unwrap()
    }
}

#[test]
fn an_instance_that_answers_is_verified_as_it_was_enrolled() {
    let desk = desk();
    let identity = desk.verifier.verify(&desk.answer()).unwrap();
    assert_eq!(identity.id(), &desk.id);
    assert_eq!(identity.kind(), PrincipalKind::SubAgent);
    assert_eq!(identity.until(), None);
    assert!(
        matches!(identity.proof(), Proof::Possession { key, .. } if *key == desk.key.trusted())
    );
    // The same key gives the same fingerprint each time, and another one another.
    let again = desk.verifier.verify(&desk.answer()).unwrap();
    assert_eq!(again, identity);
    desk.verifier.enroll(&instance(8), key(8).trusted(), PrincipalKind::Agent).unwrap();
    let challenge = desk.verifier.challenge(&instance(8)).unwrap();
    let other = desk.verifier.verify(&challenge.answer(AUDIENCE, &instance(8), &key(8)).unwrap());
    assert_ne!(other.unwrap().proof().fingerprint(), identity.proof().fingerprint());
}

#[test]
fn texts_cross_a_socket_unchanged() {
    let desk = desk();
    let challenge = desk.verifier.challenge(&desk.id).unwrap();
    let read = Challenge::parse(challenge.to_json().as_bytes()).unwrap();
    assert_eq!(read, challenge);
    let answer = read.answer(AUDIENCE, &desk.id, &desk.key).unwrap();
    let read = Answer::parse(answer.to_json().as_bytes()).unwrap();
    assert_eq!(read, answer);
    desk.check(&read, Ok(()));
}

#[test]
fn the_signed_message_is_as_documented() {
    let desk = desk();
    let challenge = desk.verifier.challenge(&desk.id).unwrap();
    let text = challenge.to_json();
    let value =
        countersign::value::Value::parse(text.as_bytes(), &countersign::value::Limits::ARGUMENTS)
            .unwrap();
    let nonce = value.as_object().unwrap().get("challenge").unwrap().as_str().unwrap().to_owned();
    let nonce = countersign::digest::Digest::parse_hex(&nonce).unwrap();
    let expires = challenge.expires().as_millis().to_le_bytes();
    let mut message = b"countersign possession v1\n".to_vec();
    for part in [AUDIENCE.as_bytes(), desk.id.as_str().as_bytes(), nonce.as_bytes(), &expires] {
        message.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
        message.extend(part);
    }
    let signature: String =
        desk.key.sign(&message).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let by_hand = text.replace('}', &format!(r#","signature":"{signature}"}}"#));
    desk.check(&Answer::parse(by_hand.as_bytes()).unwrap(), Ok(()));
}

#[test]
fn an_answer_counts_once() {
    let desk = desk();
    let answer = desk.answer();
    desk.check(&answer, Ok(()));
    desk.check(&answer, Err("identity.challenge_used"));
    // A wrong answer uses the challenge up as well.
    let challenge = desk.verifier.challenge(&desk.id).unwrap();
    desk.check(&challenge.answer(AUDIENCE, &desk.id, &key(9)).unwrap(), Err("identity.signature"));
    let right = challenge.answer(AUDIENCE, &desk.id, &desk.key).unwrap();
    desk.check(&right, Err("identity.challenge_used"));
}

#[test]
fn what_was_not_asked_is_refused_by_its_own_code() {
    let desk = desk();
    desk.check(&desk.edited(AUDIENCE, "build-host-4"), Err("identity.other_audience"));
    desk.check(&desk.edited("instance/7", "instance/8"), Err("identity.other_identity"));
    desk.check(&desk.edited("09:01:00.000Z", "09:02:00.000Z"), Err("identity.challenge_altered"));
    desk.check(
        &desk.edited(r#""challenge":"0"#, r#""challenge":"f"#),
        Err("identity.challenge_unknown"),
    );
    let other = PossessionVerifier::new(AUDIENCE, desk.clock.clone(), Shifted).unwrap();
    other.enroll(&desk.id, desk.key.trusted(), PrincipalKind::Agent).unwrap();
    let theirs = other.challenge(&desk.id).unwrap();
    let theirs = theirs.answer(AUDIENCE, &desk.id, &desk.key).unwrap();
    desk.check(&theirs, Err("identity.challenge_unknown"));
    desk.check(&desk.answer(), Ok(()));
}

#[test]
fn an_instance_signs_for_the_verifier_it_talks_to_alone() {
    let desk = desk();
    let challenge = desk.verifier.challenge(&desk.id).unwrap();
    let relayed = challenge.answer("a-tool-server", &desk.id, &desk.key).unwrap_err();
    assert_eq!(relayed.code(), "identity_answer.other_audience");
    let other = challenge.answer(AUDIENCE, &instance(8), &desk.key).unwrap_err();
    assert_eq!(other.code(), "identity_answer.other_identity");
}

#[test]
fn an_answer_is_late_from_the_end_on() {
    let desk = desk();
    let lifetime = u64::try_from(DEFAULT_LIFETIME.as_millis()).unwrap();
    let (early, late) = (desk.answer(), desk.answer());
    desk.clock.advance(lifetime - 1);
    desk.check(&early, Ok(()));
    desk.clock.advance(1);
    desk.check(&late, Err("identity.challenge_expired"));
    desk.check(&late, Err("identity.challenge_used"));

    let long = PossessionVerifier::new(AUDIENCE, desk.clock.clone(), testing::entropy()).unwrap();
    let long = long.with_lifetime(Duration::MAX);
    long.enroll(&desk.id, desk.key.trusted(), PrincipalKind::Agent).unwrap();
    let expires = long.challenge(&desk.id).unwrap().expires();
    assert_eq!(expires, testing::NOW.plus(DEFAULT_LIFETIME).plus(MAX_LIFETIME));
}

#[test]
fn nothing_is_fresh_by_a_clock_that_fails_or_goes_back() {
    let desk = desk();
    let answer = desk.answer();
    desk.clock.set_broken(true);
    desk.check(&answer, Err("identity.clock"));
    assert_eq!(desk.verifier.challenge(&desk.id).unwrap_err().code(), "identity.clock");
    desk.clock.set_broken(false);
    desk.clock.set(countersign::time::Timestamp::from_millis(testing::NOW.as_millis() - 1));
    desk.check(&answer, Err("identity.clock_back"));
    assert_eq!(desk.verifier.challenge(&desk.id).unwrap_err().code(), "identity.clock_back");
    desk.clock.set(testing::NOW);
    desk.check(&answer, Ok(()));
}

#[test]
fn entropy_that_fails_or_repeats_makes_no_challenge() {
    let desk = desk();
    for entropy in [Stuck::Fails, Stuck::Repeats] {
        let verifier = PossessionVerifier::new(AUDIENCE, desk.clock.clone(), entropy).unwrap();
        verifier.enroll(&desk.id, desk.key.trusted(), PrincipalKind::Agent).unwrap();
        let first = verifier.challenge(&desk.id).map(|_| ());
        let second = verifier.challenge(&desk.id).unwrap_err();
        assert_eq!(second.code(), "identity.entropy");
        assert_eq!(first.is_ok(), entropy == Stuck::Repeats);
    }
}

#[test]
fn each_instance_has_one_key_and_each_key_one_instance() {
    let desk = desk();
    let enroll = |number, seed, kind| {
        let found = desk.verifier.enroll(&instance(number), key(seed).trusted(), kind);
        found.map_err(|error| error.code())
    };
    let kind = PrincipalKind::SubAgent;
    assert_eq!(enroll(7, 7, kind), Ok(()));
    assert_eq!(enroll(7, 8, kind), Err("identity_setup.second_key"));
    assert_eq!(enroll(7, 7, PrincipalKind::Human), Err("identity_setup.second_key"));
    assert_eq!(enroll(8, 7, kind), Err("identity_setup.shared_key"));

    let answer = desk.answer();
    assert!(desk.verifier.withdraw(&desk.id));
    assert!(!desk.verifier.withdraw(&desk.id));
    desk.check(&answer, Err("identity.challenge_unknown"));
    assert_eq!(desk.verifier.challenge(&desk.id).unwrap_err().code(), "identity.unknown");
    assert_eq!(enroll(8, 7, kind), Ok(()));
    assert_eq!(enroll(7, 8, kind), Ok(()));
    // The old key signs for the instance no longer.
    desk.check(&desk.answer(), Err("identity.signature"));
}

#[test]
fn enrolments_are_bounded() {
    let desk = desk();
    // Multiples of a point of the right order are keys; making so many from seeds takes minutes.
    let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    let mut point = base;
    for number in 1..MAX_KNOWN {
        point += base;
        let key = TrustedKey::from_bytes(&point.compress().to_bytes());
        // Checking the order of a point is what takes the time.
        let Ok(key) = key else { panic!("{number}") };
        let id = instance(1_000_000 + number);
        desk.verifier.enroll(&id, key, PrincipalKind::Agent).unwrap();
    }
    let refused = desk.verifier.enroll(&instance(1), key(1).trusted(), PrincipalKind::Agent);
    assert_eq!(refused.unwrap_err().code(), "identity_setup.too_many");
}

#[test]
fn outstanding_challenges_are_bounded_and_expired_ones_make_room() {
    let desk = desk();
    for _ in 0..MAX_OUTSTANDING_EACH {
        desk.verifier.challenge(&desk.id).unwrap();
    }
    let code =
        |id: &SpiffeId| desk.verifier.challenge(id).map(|_| ()).map_err(|error| error.code());
    assert_eq!(code(&desk.id), Err("identity.too_many_challenges"));
    // Others have room until all of it is taken.
    for number in 0..MAX_OUTSTANDING / MAX_OUTSTANDING_EACH {
        let [low, high] = u16::try_from(number).unwrap().to_le_bytes();
        let mut seed = [100; 32];
        (seed[0], seed[1]) = (low, high);
        let key = IdentityKey::from_seed(&seed).trusted();
        desk.verifier.enroll(&instance(100 + number), key, PrincipalKind::Agent).unwrap();
    }
    for number in 1..MAX_OUTSTANDING / MAX_OUTSTANDING_EACH {
        for _ in 0..MAX_OUTSTANDING_EACH {
            assert_eq!(code(&instance(100 + number)), Ok(()));
        }
    }
    assert_eq!(code(&instance(100)), Err("identity.too_many_challenges"));
    desk.clock.advance(u64::try_from(DEFAULT_LIFETIME.as_millis()).unwrap());
    assert_eq!(code(&instance(100)), Ok(()));
    desk.check(&desk.answer(), Ok(()));
}

#[test]
fn used_challenges_make_room_before_anybody_is_refused() {
    let desk = desk();
    for _ in 0..2 * MAX_OUTSTANDING {
        desk.check(&desk.answer(), Ok(()));
    }
}

#[test]
fn texts_of_another_form_are_refused() {
    let desk = desk();
    let text = desk.answer().to_json();
    let check = |text: &str, expected: &str| {
        assert_eq!(Answer::parse(text.as_bytes()).unwrap_err().code(), expected, "{text}");
    };
    let form = "identity.answer_form";
    check("", form);
    check("[]", form);
    check(&text.replace("instance/7", "instance/../7"), form);
    check(&text.replace("spiffe:", "https:"), form);
    check(&text.replace("2026-", "1026-"), form);
    check(&text.replace(r#""audience":"build"#, r#""audience":"\u202e"#), form);
    check(&text.replace(r#""audience""#, r#""audienze""#), form);
    check(&text.replace('}', r#","role":"admin"}"#), form);
    check(&text.replace('}', r#","id":"spiffe://example.org/root"}"#), form);
    check(&text.replace(r#""signature":""#, r#""signature":"A"#), form);
    check(&text.replace(r#""challenge":""#, r#""challenge":"0"#), form);
    check(&desk.verifier.challenge(&desk.id).unwrap().to_json(), form);
    let padded = text.clone() + &" ".repeat(MAX_TEXT_BYTES - text.len());
    desk.check(&Answer::parse(padded.as_bytes()).unwrap(), Ok(()));
    check(&(padded + " "), "identity.answer_too_long");
}

#[test]
fn one_answer_shown_by_many_threads_counts_once() {
    let desk = desk();
    let (answer, verifier) = (desk.answer(), Arc::new(desk.verifier));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (answer, verifier) = (answer.clone(), Arc::clone(&verifier));
            std::thread::spawn(move || verifier.verify(&answer).is_ok())
        })
        .collect();
    let accepted = threads.into_iter().map(|thread| thread.join().unwrap());
    assert_eq!(accepted.filter(|accepted| *accepted).count(), 1);
}

#[test]
fn nothing_is_printed_but_counts_and_names() {
    let desk = desk();
    desk.verifier.challenge(&desk.id).unwrap();
    let shown = format!("{:?}", desk.verifier);
    assert_eq!(
        shown,
        r#"PossessionVerifier { audience: "build-host-3", enrolled: 1, outstanding: 1, .. }"#
    );
}

proptest! {
    /// Whatever is done to an answer, it verifies only if it still says the same.
    #[test]
    fn a_changed_answer_does_not_verify(at: prop::sample::Index, byte: u8) {
        let desk = desk();
        let answer = desk.answer();
        let mut bytes = answer.to_json().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(changed) = Answer::parse(&bytes) {
            prop_assert_eq!(desk.verifier.verify(&changed).is_ok(), changed == answer);
        }
    }
}

/// Entropy that never gives what the counter of the fixtures gives.
#[derive(Debug)]
struct Shifted;

impl Entropy for Shifted {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0xa5);
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stuck {
    Fails,
    Repeats,
}

impl Entropy for Stuck {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(1);
        match self {
            Self::Fails => Err(EntropyError("stuck".to_owned())),
            Self::Repeats => Ok(()),
        }
    }
}
