//! Evidence of who somebody is: nothing that was not signed verifies, and edits of what was signed
//! name nobody else.

use super::{Choices, check_message};
use crate::entropy::{Entropy, EntropyError};
use crate::identity::{
    Answer, Challenge, IdentityVerifier, PossessionVerifier, PrincipalKind, SpiffeId,
};
use crate::receipt::IdentityKey;
use crate::testing;

const AUDIENCE: &str = "fuzz";

/// Reads the bytes as a challenge, an answer, a token and a set of keys, none of which may verify; and
/// as a script of edits of an answer and of a token that do.
pub fn identity(data: &[u8]) {
    possession(data);
    #[cfg(feature = "jwt")]
    self::jwt::jwt(data);
}

fn possession(data: &[u8]) {
    let Some((verifier, id)) = verifier() else { return };
    match Challenge::parse(data) {
        Ok(challenge) => {
            let again = Challenge::parse(challenge.to_json().as_bytes());
            assert_eq!(again.as_ref(), Ok(&challenge));
        }
        Err(error) => check_message(&error),
    }
    match Answer::parse(data) {
        Ok(answer) => {
            let again = Answer::parse(answer.to_json().as_bytes());
            assert_eq!(again.as_ref(), Ok(&answer));
            assert!(verifier.verify(&answer).is_err(), "an answer that nobody asked for");
        }
        Err(error) => check_message(&error),
    }

    let Ok(challenge) = verifier.challenge(&id) else { return };
    let Ok(answer) = challenge.answer(AUDIENCE, &id, &testing::identity_key()) else { return };
    let edited = edit(answer.to_json().into_bytes(), data);
    if let Ok(edited) = Answer::parse(&edited) {
        match verifier.verify(&edited) {
            Ok(_) => assert_eq!(edited, answer, "an answer that says something else"),
            Err(error) => check_message(&error),
        }
        assert!(verifier.verify(&edited).is_err(), "an answer that counts twice");
    }
}

/// Returns a verifier with two instances, of which the second one answers.
fn verifier() -> Option<(PossessionVerifier, SpiffeId)> {
    let verifier = PossessionVerifier::new(AUDIENCE, testing::clock(), Unknown).ok()?;
    let [other, id] = ["spiffe://example.org/agent/1", "spiffe://example.org/agent/2"];
    let (other, id) = (SpiffeId::parse(other).ok()?, SpiffeId::parse(id).ok()?);
    let stranger = IdentityKey::from_seed(&[8; 32]).trusted();
    verifier.enroll(&other, stranger, PrincipalKind::Agent).ok()?;
    verifier.enroll(&id, testing::trusted_key(), PrincipalKind::Agent).ok()?;
    Some((verifier, id))
}

/// Bytes that no input knows by luck.
#[derive(Debug)]
struct Unknown;

impl Entropy for Unknown {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        blake3::Hasher::new_derive_key("countersign fuzz challenge").finalize_xof().fill(out);
        Ok(())
    }
}

/// Replaces, removes and repeats bytes, as `data` says.
fn edit(mut bytes: Vec<u8>, data: &[u8]) -> Vec<u8> {
    let mut choices = Choices(data);
    for _ in 0..8 {
        if choices.is_empty() || bytes.is_empty() {
            break;
        }
        let at = choices.below(bytes.len());
        match choices.byte() % 4 {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, choices.byte()),
            2 => bytes.truncate(at),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = choices.byte();
                }
            }
        }
    }
    bytes
}

#[cfg(feature = "jwt")]
mod jwt {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::super::check_message;
    use super::{AUDIENCE, edit};
    use crate::identity::jwt::{Algorithm, Jwks, JwtVerifier, Oidc};
    use crate::identity::{IdentityVerifier, PrincipalKind, SpiffeId, VerifiedIdentity};
    use crate::receipt::Signer as _;
    use crate::testing::{self, NOW};

    const ISSUER: &str = "https://issuer.example";

    pub(super) fn jwt(data: &[u8]) {
        match Jwks::parse(data) {
            Ok(keys) => assert!(keys.key_ids().all(|id| !id.is_empty())),
            Err(error) => check_message(&error),
        }
        let (Some(verifier), Some(token)) = (verifier(), token()) else { return };
        check(&verifier, data, None);
        // As the claims of a token that nobody signed, and as its header.
        let text = URL_SAFE_NO_PAD.encode(data);
        let (header, rest) = token.split_once('.').unwrap_or_default();
        let (claims, signature) = rest.split_once('.').unwrap_or_default();
        let changed = |part: &str| (part != text).then_some(());
        if changed(claims).is_some() {
            check(&verifier, format!("{header}.{text}.{signature}").as_bytes(), None);
        }
        if changed(header).is_some() {
            check(&verifier, format!("{text}.{claims}.{signature}").as_bytes(), None);
        }
        let expected = verifier.verify(&token).ok();
        assert!(expected.is_some(), "the token that was signed verifies");
        check(&verifier, &edit(token.into_bytes(), data), expected.as_ref());
    }

    /// Asserts that `token` is refused, or is `expected`.
    #[track_caller]
    fn check(verifier: &JwtVerifier, token: &[u8], expected: Option<&VerifiedIdentity>) {
        let Ok(token) = std::str::from_utf8(token) else { return };
        match verifier.verify(token) {
            Ok(identity) => assert_eq!(Some(&identity), expected, "{token}"),
            Err(error) => {
                assert!(error.code().starts_with("identity."), "{error}");
                check_message(&error);
            }
        }
    }

    fn verifier() -> Option<JwtVerifier> {
        let id = SpiffeId::parse("spiffe://example.org/agent/2").ok()?;
        let oidc = Oidc::new(ISSUER).ok()?.with_subject("job", &id, PrincipalKind::Agent).ok()?;
        let x = URL_SAFE_NO_PAD.encode(testing::identity_key().public_key());
        let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"1","x":"{x}"}}]}}"#);
        let keys = Jwks::parse(keys.as_bytes()).ok()?;
        JwtVerifier::oidc(oidc, AUDIENCE, Algorithm::EdDsa, keys, testing::clock()).ok()
    }

    fn token() -> Option<String> {
        let exp = NOW.as_millis() / 1000 + 300;
        let claims = format!(r#"{{"aud":"{AUDIENCE}","exp":{exp},"iss":"{ISSUER}","sub":"job"}}"#);
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"1"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = testing::identity_key().sign(signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
