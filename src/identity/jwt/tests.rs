//! Tokens that verify, and every way not to.
//!
//! Keys and signatures of RFC 7515 and RFC 8037 stand beside tokens made here.

use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
    RsaPublicKeyComponents,
};

use super::*;
use crate::identity::{MAX_AUDIENCE_BYTES, PrincipalKind, SpiffeId};
use crate::receipt::{IdentityKey, Signer as _};
use crate::testing::{self, NOW, TestClock};

const AUDIENCE: &str = "build-host-3";
const ISSUER: &str = "https://ci.example.org";
const SUBJECT: &str = "project/web:branch/main";
const WORKLOAD: &str = "spiffe://example.org/agent/coder/instance/7";

/// RFC 7515 §A.3.1.
const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const P256_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

/// RFC 8037 §A.1.
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

/// RFC 7515 §A.2.1.
const RSA_N: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql",
    "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs",
    "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud",
    "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
);
const RSA_D: &str = concat!(
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe",
    "46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9J",
    "YanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuh",
    "LhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
);
const RSA_P: &str = concat!(
    "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJ",
    "NPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
);
const RSA_Q: &str = concat!(
    "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_Yw",
    "D66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
);
const RSA_DP: &str = concat!(
    "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJ",
    "eDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
);
const RSA_DQ: &str = concat!(
    "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-N",
    "KJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
);
const RSA_QI: &str = concat!(
    "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi8",
    "7w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
);

fn jwks() -> String {
    format!(
        r#"{{"keys": [
            {{"kty": "EC", "crv": "P-256", "kid": "p256", "use": "sig", "x": "{P256_X}", "y": "{P256_Y}"}},
            {{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "key_ops": ["verify"], "x": "{ED_X}"}},
            {{"kty": "RSA", "kid": "rsa", "n": "{RSA_N}", "e": "AQAB", "x5t": "ignored"}},
            {{"kty": "RSA", "kid": "rs256", "alg": "RS256", "n": "{RSA_N}", "e": "AQAB"}},
            {{"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "n": "AQAB", "e": "AQAB"}},
            {{"kty": "EC", "use": "x509-svid", "x5c": []}}
        ]}}"#
    )
}

fn keys() -> Jwks {
    Jwks::parse(jwks().as_bytes()).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn seconds(offset: i64) -> i64 {
    i64::try_from(NOW.as_millis() / 1000).unwrap() + offset
}

/// Signs what the header says, or by ES256.
fn sign(algorithm: &str, message: &[u8]) -> Vec<u8> {
    let rsa = |scheme: &'static dyn RsaEncoding| {
        let pair = ring::rsa::KeyPair::from_components(&ring::rsa::KeyPairComponents {
            public_key: RsaPublicKeyComponents { n: bytes(RSA_N), e: bytes("AQAB") },
            d: bytes(RSA_D),
            p: bytes(RSA_P),
            q: bytes(RSA_Q),
            dP: bytes(RSA_DP),
            dQ: bytes(RSA_DQ),
            qInv: bytes(RSA_QI),
        })
        .unwrap();
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(scheme, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    match algorithm {
        "RS256" => rsa(&RSA_PKCS1_SHA256),
        "PS256" => rsa(&RSA_PSS_SHA256),
        "EdDSA" | "Ed25519" => {
            let seed = bytes(ED_D).try_into().unwrap();
            IdentityKey::from_seed(&seed).sign(message).unwrap().to_vec()
        }
        _ => {
            let point = [vec![4], bytes(P256_X), bytes(P256_Y)].concat();
            let (signing, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
            let pair = EcdsaKeyPair::from_private_key_and_public_key(
                signing,
                &bytes(P256_D),
                &point,
                &random,
            );
            pair.unwrap().sign(&random, message).unwrap().as_ref().to_vec()
        }
    }
}

fn token_by(algorithm: &str, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(algorithm, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn token(header: &str, claims: &str) -> String {
    token_by("ES256", header, claims)
}

const HEADER: &str = r#"{"alg":"ES256","kid":"p256","typ":"JWT"}"#;

/// Claims of the workload, with `more` members.
fn claims(more: &str) -> String {
    let (iat, exp) = (seconds(-10), seconds(300));
    format!(r#"{{"sub":"{WORKLOAD}","aud":"{AUDIENCE}","iat":{iat},"exp":{exp}{more}}}"#)
}

/// Claims of the build job, with `more` members.
fn job(more: &str) -> String {
    claims(&format!(r#","iss":"{ISSUER}"{more}"#)).replace(WORKLOAD, SUBJECT)
}

fn domain() -> SpiffeId {
    SpiffeId::parse("spiffe://example.org").unwrap()
}

fn workload() -> SpiffeId {
    SpiffeId::parse(WORKLOAD).unwrap()
}

fn svid() -> JwtVerifier {
    let svid = Svid::new(&domain()).unwrap();
    JwtVerifier::svid(svid, AUDIENCE, Algorithm::Es256, keys(), testing::clock()).unwrap()
}

fn oidc_by(algorithm: Algorithm) -> JwtVerifier {
    let oidc = Oidc::new(ISSUER).unwrap();
    let oidc = oidc.with_subject(SUBJECT, &workload(), PrincipalKind::SubAgent).unwrap();
    JwtVerifier::oidc(oidc, AUDIENCE, algorithm, keys(), testing::clock()).unwrap()
}

fn oidc() -> JwtVerifier {
    oidc_by(Algorithm::Es256)
}

#[track_caller]
fn check(verifier: &JwtVerifier, token: &str, expected: Result<(), &str>) {
    let found = verifier.verify(token);
    assert_eq!(found.as_ref().map(|_| ()).map_err(|error| error.code()), expected, "{token}");
}

#[test]
fn a_svid_names_a_workload_of_the_trust_domain() {
    let token = token(HEADER, &claims(r#","roles":["admin"],"scope":"*","kind":"human""#));
    let identity = svid().verify(&token).unwrap();
    assert_eq!(identity.id(), &workload());
    assert_eq!(identity.kind(), PrincipalKind::Agent);
    assert_eq!(identity.until().map(Timestamp::as_millis), Some(seconds(300) as u64 * 1000));
    let Proof::Jwt { issuer, kid, credential } = identity.proof() else { panic!() };
    assert_eq!((&**issuer, &**kid), ("spiffe://example.org", "p256"));
    assert_eq!(identity.proof().fingerprint(), Some(*credential));
    // What the agent says about itself is nowhere.
    let shown = format!("{identity:?}");
    assert!(!shown.contains("admin") && !shown.contains("human"), "{shown}");
    // The same token has the same fingerprint, another one another.
    assert_eq!(svid().verify(&token).unwrap(), identity);
    let other = svid().verify(&self::token(HEADER, &claims(""))).unwrap();
    assert_ne!(other.proof().fingerprint(), identity.proof().fingerprint());
}

#[test]
fn classes_say_the_kind() {
    let id = |text: &str| SpiffeId::parse(text).unwrap();
    let svid = Svid::new(&domain())
        .unwrap()
        .with_class(&id("spiffe://example.org/agent"), PrincipalKind::SubAgent)
        .with_class(&id("spiffe://example.org/agent/coder"), PrincipalKind::Service)
        .with_class(&id("spiffe://example.org/agent/coder"), PrincipalKind::Human);
    let verifier =
        JwtVerifier::svid(svid, AUDIENCE, Algorithm::Es256, keys(), testing::clock()).unwrap();
    for (subject, kind) in [
        (WORKLOAD, PrincipalKind::Service),
        ("spiffe://example.org/agent/coder2", PrincipalKind::SubAgent),
        ("spiffe://example.org/other", PrincipalKind::Agent),
    ] {
        let token = token(HEADER, &claims("").replace(WORKLOAD, subject));
        assert_eq!(verifier.verify(&token).unwrap().kind(), kind, "{subject}");
    }
}

#[test]
fn a_subject_of_an_issuer_is_who_the_table_says() {
    for (algorithm, kid, name) in [
        (Algorithm::Es256, "p256", "ES256"),
        (Algorithm::Rs256, "rsa", "RS256"),
        (Algorithm::Rs256, "rs256", "RS256"),
        (Algorithm::Ps256, "rsa", "PS256"),
        (Algorithm::EdDsa, "ed", "EdDSA"),
        (Algorithm::EdDsa, "ed", "Ed25519"),
    ] {
        let header = format!(r#"{{"alg":"{name}","kid":"{kid}","x5t":"ignored"}}"#);
        let identity = oidc_by(algorithm).verify(&token_by(name, &header, &job(""))).unwrap();
        assert_eq!((identity.id(), identity.kind()), (&workload(), PrincipalKind::SubAgent));
        let Proof::Jwt { issuer, .. } = identity.proof() else { panic!() };
        assert_eq!(&**issuer, ISSUER);
    }
}

/// The published examples: RFC 7515 §A.2 and §A.3, RFC 8037 §A.4.
#[test]
fn published_signatures_verify() {
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y\
                   b290Ijp0cnVlfQ";
    let rs256 = concat!(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5",
        "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb",
        "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO",
        "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    let es256 =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let eddsa =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let keys = keys();
    let check = |kid: &str, algorithm, message: &str, signature: &str| {
        let key = keys.find(kid).unwrap();
        assert!(key.verifies(algorithm, message.as_bytes(), &bytes(signature)), "{kid}");
        assert!(!key.verifies(algorithm, &message.as_bytes()[1..], &bytes(signature)), "{kid}");
        for other in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa] {
            let verifies = key.verifies(other, message.as_bytes(), &bytes(signature));
            assert_eq!(verifies, other == algorithm, "{kid} by {other}");
        }
    };
    check("rsa", Algorithm::Rs256, &format!("eyJhbGciOiJSUzI1NiJ9.{payload}"), rs256);
    check("p256", Algorithm::Es256, &format!("eyJhbGciOiJFUzI1NiJ9.{payload}"), es256);
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    check("ed", Algorithm::EdDsa, message, eddsa);
}

#[test]
fn the_form_is_strict() {
    let good = token(HEADER, &claims(""));
    let verifier = svid();
    check(&verifier, &good, Ok(()));
    let form = Err("identity.jwt_form");
    for bad in ["", ".", "..", "...", "a.b", "a.b.c", "e30.e30.", "\u{0}.\u{0}.\u{0}"] {
        check(&verifier, bad, form);
    }
    let (signed, signature) = good.rsplit_once('.').unwrap();
    check(&verifier, &format!("{good}."), form);
    check(&verifier, &format!("{good}="), form);
    check(&verifier, &format!(" {good}"), form);
    check(&verifier, &format!("{good}\n"), form);
    check(&verifier, &format!("{signed}."), form);
    check(&verifier, &format!("Bearer {good}"), form);
    check(&verifier, &good.replacen('.', "..", 1), form);
    check(&verifier, &format!("{signed}.+{}", signature.split_at(1).1), form);
    check(&verifier, &token("[]", &claims("")), form);
    check(&verifier, &token(HEADER, r#""text""#), form);
    check(&verifier, &token("{", &claims("")), Err("identity.jwt_json"));
    check(&verifier, &token(HEADER, "{}}"), Err("identity.jwt_json"));
    check(&verifier, &token("\u{feff}{}", &claims("")), Err("identity.jwt_json"));
    check(
        &verifier,
        &token(HEADER, &claims(&format!(r#","a":{}"#, "[".repeat(9)))),
        Err("identity.jwt_json"),
    );
    let twice = Err("identity.jwt_duplicate");
    let header = HEADER.replace('}', r#","alg":"none"}"#);
    check(&verifier, &token(&header, &claims("")), twice);
    check(&verifier, &token(HEADER, &claims(r#","sub":"spiffe://example.org/root""#)), twice);
    check(&verifier, &token(HEADER, &claims(r#","s\u0075b":"spiffe://example.org/root""#)), twice);
    check(&verifier, &token(HEADER, &claims(r#","a":{"b":1,"b":2}"#)), twice);
}

#[test]
fn tokens_are_bounded() {
    let fill = |more: usize| token(HEADER, &claims(&format!(r#","a":"{}""#, "a".repeat(more))));
    let (mut low, mut high) = (0, MAX_TOKEN_BYTES);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if fill(middle).len() <= MAX_TOKEN_BYTES { low = middle } else { high = middle }
    }
    check(&svid(), &fill(low), Ok(()));
    check(&svid(), &fill(high), Err("identity.jwt_too_long"));
}

#[test]
fn no_algorithm_and_no_key_comes_from_the_token() {
    let verifier = svid();
    let header = |header: &str| token(header, &claims(""));
    let algorithm = Err("identity.jwt_algorithm");
    for name in ["none", "None", "NONE", "", "HS256", "es256", "ES384", "RS256", "EdDSA", "ES256 "]
    {
        check(&verifier, &header(&format!(r#"{{"alg":"{name}","kid":"p256"}}"#)), algorithm);
    }
    check(&verifier, &header(r#"{"kid":"p256"}"#), algorithm);
    check(&verifier, &header(r#"{"alg":["ES256"],"kid":"p256"}"#), algorithm);
    // Unsigned, in the form that RFC 7519 §6.1 gives it.
    let unsigned = header(r#"{"alg":"none"}"#);
    check(&verifier, unsigned.rsplit_once('.').unwrap().0, Err("identity.jwt_form"));
    check(
        &verifier,
        &format!("{}.", unsigned.rsplit_once('.').unwrap().0),
        Err("identity.jwt_form"),
    );
    for name in ["jwk", "jku", "x5u", "x5c"] {
        let bad = HEADER.replace('}', &format!(r#","{name}":"https://evil.example"}}"#));
        check(&verifier, &header(&bad), Err("identity.jwt_header_key"));
        check(&oidc(), &token(&bad, &job("")), Err("identity.jwt_header_key"));
    }
    for crit in [r#"["exp"]"#, "[]", "null", r#"["b64"]"#] {
        let bad = HEADER.replace('}', &format!(r#","crit":{crit}}}"#));
        check(&verifier, &header(&bad), Err("identity.jwt_critical"));
        check(&oidc(), &token(&bad, &job("")), Err("identity.jwt_critical"));
    }
    for name in ["enc", "zip", "b64", "cty"] {
        let bad = HEADER.replace('}', &format!(r#","{name}":"A"}}"#));
        check(&verifier, &header(&bad), Err("identity.jwt_header"));
        check(&oidc(), &token(&bad, &job("")), Err("identity.jwt_header"));
    }
    // A JWT-SVID may have no others at all (JWT-SVID §2).
    let more = HEADER.replace('}', r#","x5t":"A"}"#);
    check(&verifier, &header(&more), Err("identity.jwt_header"));
    check(&oidc(), &token(&more, &job("")), Ok(()));
}

#[test]
fn a_public_key_is_no_secret() {
    // The confusion of RFC 8725 §2.1: the public key, as everybody knows it, used as an HMAC key.
    for (algorithm, kid) in [(Algorithm::Rs256, "rsa"), (Algorithm::Es256, "p256")] {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#)),
            URL_SAFE_NO_PAD.encode(job(""))
        );
        let public = if kid == "rsa" { bytes(RSA_N) } else { bytes(P256_X) };
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public);
        let tag = ring::hmac::sign(&key, signed.as_bytes());
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
        check(&oidc_by(algorithm), &token, Err("identity.jwt_algorithm"));
    }
}

#[test]
fn a_key_signs_by_its_own_algorithm_alone() {
    let by = |header: &str, signed_by| token_by(signed_by, header, &job(""));
    // The header says what is pinned, and the key is of another kind or names another algorithm.
    let code = Err("identity.jwt_key_algorithm");
    check(&oidc(), &by(r#"{"alg":"ES256","kid":"rsa"}"#, "RS256"), code);
    check(&oidc(), &by(r#"{"alg":"ES256","kid":"ed"}"#, "EdDSA"), code);
    let pss = oidc_by(Algorithm::Ps256);
    check(&pss, &by(r#"{"alg":"PS256","kid":"rs256"}"#, "PS256"), code);
    // The key is right, and the signature of the other scheme.
    check(&pss, &by(r#"{"alg":"PS256","kid":"rsa"}"#, "RS256"), Err("identity.jwt_signature"));
    let rsa = oidc_by(Algorithm::Rs256);
    check(&rsa, &by(r#"{"alg":"RS256","kid":"rsa"}"#, "PS256"), Err("identity.jwt_signature"));
    check(&rsa, &by(r#"{"alg":"RS256","kid":"rsa"}"#, "ES256"), Err("identity.jwt_signature"));
    for kid in [r#""""#, "1", "null", &format!(r#""{}""#, "k".repeat(MAX_KEY_ID_BYTES + 1))] {
        check(
            &oidc(),
            &by(&format!(r#"{{"alg":"ES256","kid":{kid}}}"#), "ES256"),
            Err("identity.jwt_key_id"),
        );
    }
    check(&oidc(), &by(r#"{"alg":"ES256"}"#, "ES256"), Err("identity.jwt_key_id"));
    check(
        &oidc(),
        &by(r#"{"alg":"ES256","kid":"P256"}"#, "ES256"),
        Err("identity.jwt_key_unknown"),
    );
}

#[test]
fn types_are_pinned() {
    let typed = |typ: &str| token(&HEADER.replace(r#""JWT""#, typ), &claims(""));
    let code = Err("identity.jwt_type");
    for (typ, of_svid, of_oidc) in [
        (r#""JWT""#, Ok(()), Ok(())),
        (r#""JOSE""#, Ok(()), code),
        (r#""jwt""#, code, Ok(())),
        (r#""at+jwt""#, code, code),
        ("null", code, code),
    ] {
        check(&svid(), &typed(typ), of_svid);
        check(&oidc(), &token(&HEADER.replace(r#""JWT""#, typ), &job("")), of_oidc);
    }
    let pinned = oidc().with_type("application/at+jwt");
    check(&pinned, &token(&HEADER.replace("JWT", "at+JWT"), &job("")), Ok(()));
    check(&pinned, &token(HEADER, &job("")), code);
    check(&pinned, &token(r#"{"alg":"ES256","kid":"p256"}"#, &job("")), code);
    check(&oidc(), &token(r#"{"alg":"ES256","kid":"p256"}"#, &job("")), Ok(()));
}

#[test]
fn the_audience_is_ours_and_nobody_elses() {
    let aud = |aud: &str| token(HEADER, &claims("").replace(&format!(r#""{AUDIENCE}""#), aud));
    let verifier = svid();
    check(&verifier, &aud(r#"["build-host-3"]"#), Ok(()));
    for other in [
        r#""build-host-33""#,
        r#""Build-host-3""#,
        r#""""#,
        "[]",
        "null",
        "3",
        r#"[["build-host-3"]]"#,
    ] {
        check(&verifier, &aud(other), Err("identity.jwt_audience"));
    }
    check(&verifier, &aud(r#"["build-host-3","shop"]"#), Err("identity.jwt_audience_shared"));
    check(&verifier, &aud(r#"["build-host-3",3]"#), Err("identity.jwt_audience_shared"));
    let none = claims("").replace(&format!(r#""aud":"{AUDIENCE}","#), "");
    check(&verifier, &token(HEADER, &none), Err("identity.jwt_audience"));
}

fn timed(iat: &str, nbf: &str, exp: &str) -> String {
    let member = |name: &str, value: &str| match value {
        "" => String::new(),
        value => format!(r#","{name}":{value}"#),
    };
    let times = member("iat", iat) + &member("nbf", nbf) + &member("exp", exp);
    token(HEADER, &format!(r#"{{"sub":"{WORKLOAD}","aud":"{AUDIENCE}"{times}}}"#))
}

#[test]
fn times_hold_at_the_edge() {
    let at = |offset: i64| seconds(offset).to_string();
    let (strict, lax) = (svid(), svid().with_leeway(Duration::from_secs(1000)));
    let both = |token: &str, of_strict, of_lax| {
        check(&strict, token, of_strict);
        check(&lax, token, of_lax);
    };
    let expired = Err("identity.jwt_expired");
    both(&timed("", "", &at(1)), Ok(()), Ok(()));
    both(&timed("", "", &at(0)), expired, Ok(()));
    both(&timed("", "", &at(-59)), expired, Ok(()));
    both(&timed("", "", &at(-60)), expired, expired);
    let early = Err("identity.jwt_not_yet_valid");
    both(&timed("", &at(0), &at(9)), Ok(()), Ok(()));
    both(&timed("", &at(1), &at(9)), early, Ok(()));
    both(&timed("", &at(60), &at(99)), early, Ok(()));
    both(&timed("", &at(61), &at(99)), early, early);
    let future = Err("identity.jwt_future");
    both(&timed(&at(0), "", &at(9)), Ok(()), Ok(()));
    both(&timed(&at(1), "", &at(9)), future, Ok(()));
    both(&timed(&at(61), "", &at(99)), future, future);
    let lifetime = Err("identity.jwt_lifetime");
    both(&timed(&at(-100), "", &at(3500)), Ok(()), Ok(()));
    both(&timed(&at(-100), "", &at(3501)), lifetime, lifetime);
    both(&timed("", "", &at(3600)), Ok(()), Ok(()));
    both(&timed("", "", &at(3601)), lifetime, lifetime);
    let long = svid().with_max_lifetime(Duration::from_secs(4000));
    check(&long, &timed(&at(-100), "", &at(3900)), Ok(()));

    let lately = timed("", "", &at(-59));
    let until = lax.verify(&lately).unwrap().until().unwrap();
    assert_eq!(until, NOW.plus(Duration::from_secs(1)), "the proof ends when it would be refused");
}

#[test]
fn times_are_whole_seconds() {
    let code = Err("identity.jwt_time");
    check(&svid(), &timed("", "", ""), code);
    let soon = seconds(9);
    for bad in [
        format!(r#""{soon}""#),
        format!("{soon}.5"),
        "-1".to_owned(),
        "null".to_owned(),
        "true".to_owned(),
        "1e900".to_owned(),
        u64::MAX.to_string(),
        "18446744073709552".to_owned(),
        (Timestamp::MAX.as_millis() / 1000 + 1).to_string(),
    ] {
        check(&svid(), &timed("", "", &bad), code);
        check(&svid(), &timed("", &bad, &soon.to_string()), code);
        check(&svid(), &timed(&bad, "", &soon.to_string()), code);
    }
    check(&svid(), &timed("", "", &format!("{soon}.0")), Ok(()));
    check(
        &svid(),
        &timed("", "", &(Timestamp::MAX.as_millis() / 1000).to_string()),
        Err("identity.jwt_lifetime"),
    );
}

#[test]
fn nothing_is_verified_by_a_clock_that_fails_or_goes_back() {
    let clock: TestClock = testing::clock();
    let svid = Svid::new(&domain()).unwrap();
    let verifier =
        JwtVerifier::svid(svid, AUDIENCE, Algorithm::Es256, keys(), clock.clone()).unwrap();
    let token = token(HEADER, &claims(""));
    check(&verifier, &token, Ok(()));
    clock.set_broken(true);
    check(&verifier, &token, Err("identity.clock"));
    clock.set_broken(false);
    clock.set(Timestamp::from_millis(NOW.as_millis() - 1));
    check(&verifier, &token, Err("identity.clock_back"));
}

#[test]
fn subjects_are_of_the_domain_or_in_the_table() {
    let of =
        |subject: &str| token(HEADER, &claims("").replace(&format!(r#""{WORKLOAD}""#), subject));
    let verifier = svid();
    let subject = Err("identity.jwt_subject");
    check(&verifier, &of(r#""SPIFFE://Example.org/agent/coder/instance/7""#), Ok(()));
    check(&verifier, &of(r#""spiffe://example.org""#), subject);
    check(&verifier, &of(r#""spiffe://example.org/a/../b""#), subject);
    check(&verifier, &of(r#""agent-7""#), subject);
    check(&verifier, &of("7"), subject);
    let none = claims("").replace(&format!(r#""sub":"{WORKLOAD}","#), "");
    check(&verifier, &token(HEADER, &none), subject);
    for other in ["example.org.evil", "sub.example.org", "example.com"] {
        let other = of(&format!(r#""spiffe://{other}/agent/coder/instance/7""#));
        check(&verifier, &other, Err("identity.jwt_trust_domain"));
    }

    let verifier = oidc();
    check(&verifier, &token(HEADER, &claims("")), Err("identity.jwt_issuer"));
    let issuer = |issuer: &str| token(HEADER, &job("").replace(ISSUER, issuer));
    check(&verifier, &issuer("https://ci.example.org/"), Err("identity.jwt_issuer"));
    check(&verifier, &issuer("https://CI.example.org"), Err("identity.jwt_issuer"));
    let subject = |subject: &str| token(HEADER, &job("").replace(SUBJECT, subject));
    for other in ["project/web:branch/main2", "PROJECT/web:branch/main", "*", WORKLOAD, ""] {
        check(&verifier, &subject(other), Err("identity.jwt_subject_unknown"));
    }
}

#[test]
fn keys_rotate() {
    let verifier = svid();
    let token = token(HEADER, &claims(""));
    check(&verifier, &token, Ok(()));
    let next = jwks().replace(r#""p256""#, r#""p256-next""#);
    verifier.replace_keys(Jwks::parse(next.as_bytes()).unwrap()).unwrap();
    check(&verifier, &token, Err("identity.jwt_key_unknown"));
    verifier.replace_keys(keys()).unwrap();
    let unfit =
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"p256","x":"{ED_X}"}}]}}"#);
    let unfit = verifier.replace_keys(Jwks::parse(unfit.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(unfit.code(), "identity_setup.no_key");
    check(&verifier, &token, Ok(()));
}

#[test]
fn sets_of_keys_are_read_strictly() {
    let check = |text: &str, expected: &str| {
        let found = Jwks::parse(text.as_bytes()).map_err(|error| error.code());
        assert_eq!(found.unwrap_err(), expected, "{text}");
    };
    let key = |members: &str| format!(r#"{{"keys":[{{{members}}}]}}"#);
    let ec = format!(r#""kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_Y}""#);
    let with = |more: &str| key(&format!(r#"{ec},"kid":"1"{more}"#));
    assert!(Jwks::parse(with("").as_bytes()).is_ok());
    check("", "jwks.json");
    check(r#"{"keys":[],"keys":[]}"#, "jwks.json");
    check(&with(r#","kid":"2""#), "jwks.json");
    check("{}", "jwks.form");
    check(r#"{"keys":{}}"#, "jwks.form");
    check(r#"{"keys":[1]}"#, "jwks.form");
    check(r#"{"keys":[]}"#, "jwks.empty");
    check(&with(r#","use":"enc""#), "jwks.empty");
    check(&key(&ec), "jwks.key_id");
    check(&key(&format!(r#"{ec},"kid":"""#)), "jwks.key_id");
    check(&key(&format!(r#"{ec},"kid":1"#)), "jwks.key_id");
    check(&key(&format!(r#"{ec},"kid":"a\nb""#)), "jwks.key_id");
    check(&key(&format!(r#"{ec},"kid":"{}""#, "k".repeat(MAX_KEY_ID_BYTES + 1))), "jwks.key_id");
    let twice = format!(r#"{{"keys":[{{{ec},"kid":"1"}},{{{ec},"kid":"1"}}]}}"#);
    check(&twice, "jwks.key_id");
    check(&with(&format!(r#","d":"{P256_D}""#)), "jwks.secret");
    check(r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"1","alg":"HS256"}]}"#, "jwks.secret");
    check(r#"{"keys":[{"kty":"oct","kid":"1","alg":"HS256"}]}"#, "jwks.key_type");
    check(&with("").replace("P-256", "P-521"), "jwks.key_type");
    check(&with("").replace("P-256", "secp256k1"), "jwks.key_type");
    check(&with("").replace("EC", "OKP"), "jwks.key_type");
    check(&with("").replace("EC", "AKP"), "jwks.key_type");
    for alg in ["HS256", "none", "ES384", "RS256", "ES512", ""] {
        check(&with(&format!(r#","alg":"{alg}""#)), "jwks.algorithm");
    }
    check(&with(r#","alg":null"#), "jwks.algorithm");
    check(&with(r#","use":null"#), "jwks.member");
    check(&with(r#","key_ops":["sign"]"#), "jwks.member");
    check(&with(r#","key_ops":"verify""#), "jwks.member");
    check(&with("").replace(P256_X, P256_X.split_at(1).1), "jwks.member");
    check(&with("").replace(P256_X, &format!("{P256_X}=")), "jwks.member");
    check(&with("").replace(P256_X, "AQAB"), "jwks.member");
    check(&key(r#""kty":"OKP","crv":"Ed25519","kid":"1","x":"AQAB""#), "jwks.member");
    // A point of small order, under which anybody can sign.
    let weak = URL_SAFE_NO_PAD.encode([[1_u8].as_slice(), &[0; 31]].concat());
    check(&key(&format!(r#""kty":"OKP","crv":"Ed25519","kid":"1","x":"{weak}""#)), "jwks.member");
    let padded = with("") + &" ".repeat(MAX_JWKS_BYTES - with("").len());
    assert!(Jwks::parse(padded.as_bytes()).is_ok());
    check(&(padded + " "), "jwks.too_long");
    let many = |count: usize| {
        let keys: Vec<String> = (0..count).map(|id| format!(r#"{{{ec},"kid":"{id}"}}"#)).collect();
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    };
    assert!(Jwks::parse(many(MAX_KEYS).as_bytes()).is_ok());
    check(&many(MAX_KEYS + 1), "jwks.too_many_keys");
}

#[test]
fn small_and_odd_rsa_keys_are_refused() {
    let rsa = |n: &[u8], e: &[u8]| {
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        let text = format!(r#"{{"keys":[{{"kty":"RSA","kid":"1","n":"{n}","e":"{e}"}}]}}"#);
        Jwks::parse(text.as_bytes()).map(|_| ()).map_err(|error| error.code())
    };
    let modulus = |bits: usize| {
        let mut n = vec![0xff; bits.div_ceil(8)];
        n[0] >>= (8 - bits % 8) % 8;
        n
    };
    let e = [1, 0, 1];
    for bits in [MIN_RSA_BITS, 3072, 4096, MAX_RSA_BITS] {
        assert_eq!(rsa(&modulus(bits), &e), Ok(()), "{bits}");
    }
    for bits in [8, 512, 1024, MIN_RSA_BITS - 1, MAX_RSA_BITS + 1] {
        assert_eq!(rsa(&modulus(bits), &e), Err("jwks.rsa_size"), "{bits}");
    }
    let n = modulus(2048);
    let zero = [[0].as_slice(), &n].concat();
    assert_eq!(rsa(&zero, &e), Err("jwks.member"));
    assert_eq!(rsa(&[], &e), Err("jwks.member"));
    for e in [&[][..], &[3], &[1, 0, 0], &[0, 1, 0, 1], &[2, 0, 0, 0, 1], &[1, 0, 0, 0, 0, 1]] {
        assert_eq!(rsa(&n, e), Err("jwks.member"), "{e:?}");
    }
    assert_eq!(rsa(&n, &[1, 0xff, 0xff, 0xff, 0xff]), Ok(()));
}

#[test]
fn verifiers_are_set_up_whole() {
    let make = |domain: &str, audience: &str, algorithm| {
        let svid = Svid::new(&SpiffeId::parse(domain).unwrap())?;
        JwtVerifier::svid(svid, audience, algorithm, keys(), testing::clock()).map(|_| ())
    };
    let check = |found: Result<(), SetupError>, expected: &str| {
        assert_eq!(found.unwrap_err().code(), expected);
    };
    let es256 = Algorithm::Es256;
    check(make("spiffe://example.org/a", AUDIENCE, es256), "identity_setup.trust_domain");
    check(make("spiffe://example.org", "", es256), "identity_setup.audience");
    let long = "a".repeat(MAX_AUDIENCE_BYTES + 1);
    check(make("spiffe://example.org", &long, es256), "identity_setup.audience");
    check(make("spiffe://example.org", AUDIENCE, Algorithm::EdDsa), "identity_setup.algorithm");
    check(make("spiffe://example.org", AUDIENCE, Algorithm::Es384), "identity_setup.no_key");
    for issuer in ["", "a\u{202e}", &"a".repeat(MAX_SUBJECT_BYTES + 1)] {
        check(Oidc::new(issuer).map(|_| ()), "identity_setup.issuer");
    }
    let oidc = Oidc::new(ISSUER).unwrap();
    let oidc = oidc.with_subject("a", &workload(), PrincipalKind::Agent).unwrap();
    let more = |subject: &str, id: &SpiffeId| {
        oidc.clone().with_subject(subject, id, PrincipalKind::Agent).map(|_| ())
    };
    let other = SpiffeId::parse("spiffe://example.org/other").unwrap();
    check(more("a", &other), "identity_setup.subject");
    check(more("", &other), "identity_setup.subject");
    check(more("b", &workload()), "identity_setup.shared_id");
    assert_eq!(more("b", &other), Ok(()));
}

#[test]
fn nothing_secret_is_printed() {
    let shown = format!("{:?} {:?}", oidc(), keys());
    assert!(shown.contains(ISSUER) && shown.contains("p256"), "{shown}");
    let error = svid().verify("e30.e30.e30").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("e30"));
}

/// Anybody can turn an ECDSA signature into its twin; the token stays the same credential.
#[test]
fn the_twin_of_a_signature_is_the_same_credential() {
    let token = token(HEADER, &claims(""));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = bytes(signature);
    // The order of P-256 (FIPS 186-5, SP 800-186 §3.2.1.3) minus `s`.
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut borrow = 0;
    for (byte, of_order) in signature[32..].iter_mut().zip(order).rev() {
        let difference = i16::from(of_order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.rem_euclid(256) as u8;
    }
    let twin = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert_ne!(twin, token);
    assert_eq!(svid().verify(&twin).unwrap(), svid().verify(&token).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// An ECDSA signature has a twin that anybody can compute; a token has no other one with another
    /// header or other claims.
    #[test]
    fn a_changed_token_names_nobody_else(at: prop::sample::Index, byte: u8, cut in 0_usize..4) {
        let token = token(HEADER, &claims(""));
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut);
        if let Ok(changed) = std::str::from_utf8(&bytes) {
            let found = svid().verify(changed).ok();
            prop_assert_eq!(found.is_some(), changed == token);
        }
    }

    /// What nobody signed is refused, whatever it says.
    #[test]
    fn unsigned_claims_are_refused(header in ".{0,40}", claims in ".{0,40}", signature: Vec<u8>) {
        let parts = [header.as_bytes(), claims.as_bytes(), &signature];
        let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        prop_assert!(svid().verify(&token).is_err());
        prop_assert!(oidc().verify(&token).is_err());
        prop_assert!(svid().verify(&header).is_err());
    }
}
