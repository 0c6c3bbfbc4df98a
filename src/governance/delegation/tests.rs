use super::*;
use crate::governance::{Directory, DocumentKind, Revocations, Signed};
use crate::identity::SpiffeId;
use crate::receipt::{IdentityKey, SessionId};
use crate::scope::Scope;
use crate::testing::NOW;
use crate::value::Limits;

const HOUR: u64 = 60 * 60 * 1000;

fn key(seed: u8) -> IdentityKey {
    IdentityKey::from_seed(&[seed; 32])
}

/// Authorizer 1 speaks for example.org, 2 for other.example; 3 is a person's key.
fn directory() -> Directory {
    let text = format!(
        r#"{{"directory":"countersign/directory/v1",
            "people":[{{"id":"user:dana@example.org","kind":"human","keys":["{}"],"revokes":true}}],
            "authorizers":[{{"key":"{}","trust_domain":"example.org","delegates":true}},{{"key":"{}","trust_domain":"other.example","delegates":true}}]}}"#,
        key(3).trusted(),
        key(1).trusted(),
        key(2).trusted(),
    );
    Directory::parse(text.as_bytes()).unwrap()
}

fn agent(text: &str) -> SpiffeId {
    SpiffeId::parse(text).unwrap()
}

fn later(millis: u64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + millis)
}

/// A scope `depth` times to be handed on, of `parent`.
fn scope(parent: Option<&Scope>, depth: u64, more: &str) -> Scope {
    let parent = parent.map(|of| format!(r#","parent":"{}""#, of.digest())).unwrap_or_default();
    let text = format!(
        r#"{{"scope":"countersign/scope/v1","task":"t","owner":"user:dana@example.org",
            "agent":"spiffe://example.org/agent","not_before":"2026-11-21T09:00:00Z",
            "expires":"2026-11-21T11:00:00Z","workspace":"/srv/web",
            "limits":{{"delegation_depth":{depth}}}{parent}{more}}}"#
    );
    Scope::parse(text.as_bytes()).unwrap()
}

/// A token over `hops` hops.
fn delegation(hops: u8) -> Delegation {
    let mut scopes = vec![scope(None, u64::from(hops), "")];
    for depth in (0..hops).rev() {
        let child = scope(scopes.last(), u64::from(depth), "");
        scopes.push(child);
    }
    let hop = |number: u8| Hop {
        agent: agent(&format!("spiffe://example.org/agent/{number}")),
        journal: crate::digest::Digest::from_bytes([9; 32]),
        session: SessionId::from_bytes([number; 16]),
    };
    Delegation {
        id: DelegationId::from_bytes([5; 16]),
        hops: (0..hops).map(hop).collect(),
        to: agent("spiffe://example.org/agent/last"),
        audience: "builder".into(),
        scopes,
        keys: vec![key(3).trusted(), key(2).trusted()],
        acting_through: ["service:ci".into()].into(),
        labels: ["secret".into(), "personal".into()].into(),
        issued_at: NOW,
        expires: later(HOUR),
        budget: Budget {
            actions: 10,
            per_minute: 5,
            spend: [("EUR".into(), Decimal::parse("2.5").unwrap())].into(),
            ..Budget::default()
        },
    }
}

fn token(delegation: &Delegation) -> DelegationToken {
    DelegationToken::sign(delegation, &key(1)).unwrap()
}

fn verify(token: &DelegationToken, at: Timestamp) -> Result<VerifiedDelegation, &'static str> {
    token.verify(&directory(), at, "builder", &[]).map_err(|error| error.code())
}

#[track_caller]
fn check(change: impl FnOnce(&mut Delegation), expected: &str) {
    let mut said = delegation(2);
    change(&mut said);
    assert_eq!(verify(&token(&said), NOW).map_or_else(|code| code, |_| ""), expected);
}

#[test]
fn what_was_signed_is_read_back() {
    for hops in [1, 2, 8] {
        let token = token(&delegation(hops));
        assert_eq!(DelegationToken::parse(token.as_str().as_bytes()), Ok(token.clone()));
        assert_eq!(DelegationToken::parse_compact(&token.as_compact()), Ok(token.clone()));
        let verified = verify(&token, NOW).unwrap();
        assert_eq!(verified.scopes().len(), usize::from(hops) + 1);
        assert!(verified.scopes().iter().all(|scope| scope.issuer().is_none()));
        assert_eq!(verified.delegation().on_behalf_of(), "user:dana@example.org");
    }
    assert!(DelegationToken::sign(&delegation(0), &key(1)).is_err());
}

#[test]
fn each_rule_has_its_code() {
    check(|_| {}, "");
    check(|said| said.audience = "tester".into(), "delegation.audience");
    check(|said| said.issued_at = later(1), "delegation.not_yet_valid");
    check(|said| said.expires = NOW, "delegation.expired");
    check(|said| said.expires = later(HOUR + 1), "delegation.long_lived");
    check(
        |said| said.hops.iter_mut().for_each(|hop| hop.agent = agent("spiffe://example.org/x")),
        "delegation.hop",
    );
    check(|said| said.to = agent("spiffe://example.org/agents/1"), "delegation.hop");
    check(|said| said.to = said.hops[0].agent.clone(), "delegation.cycle");
    check(|said| said.to = said.hops[1].agent.clone(), "delegation.cycle");
    check(|said| said.hops[1].agent = said.hops[0].agent.clone(), "delegation.cycle");
    check(|said| said.scopes.swap(0, 1), "delegation.parent");
    check(|said| said.scopes[2] = scope(None, 0, ""), "delegation.parent");
    check(|said| said.scopes[2] = scope(Some(&said.scopes[1]), 1, ""), "delegation.depth");
    check(
        |said| {
            said.scopes.remove(0);
            said.hops.remove(0);
        },
        "delegation.parent",
    );
    check(
        |said| {
            let other = said.scopes[1].as_canonical().replace("user:dana", "user:erin");
            said.scopes[1] = Scope::parse(other.as_bytes()).unwrap();
        },
        "delegation.party",
    );
    check(
        |said| {
            let longer = said.scopes[2].as_canonical().replace("T11:", "T12:");
            said.scopes[2] = Scope::parse(longer.as_bytes()).unwrap();
        },
        "delegation.lifetime",
    );
    check(
        |said| {
            let shorter = said.scopes[2].as_canonical().replace("T11:00:00Z", "T09:59:59.999Z");
            said.scopes[2] = Scope::parse(shorter.as_bytes()).unwrap();
        },
        "delegation.lifetime",
    );
    check(
        |said| {
            let later = said.scopes[2].as_canonical().replace("T09:00:00Z", "T09:00:00.001Z");
            said.scopes[2] = Scope::parse(later.as_bytes()).unwrap();
        },
        "session.not_yet_valid",
    );
}

#[test]
fn time_holds_at_its_edges() {
    let token = token(&delegation(1));
    let code = |at| verify(&token, at).map_or_else(|code| code, |_| "");
    assert_eq!(code(Timestamp::from_millis(NOW.as_millis() - 1)), "delegation.not_yet_valid");
    assert_eq!(code(NOW), "");
    assert_eq!(code(later(HOUR - 1)), "");
    assert_eq!(code(later(HOUR)), "delegation.expired");
    assert_eq!(code(Timestamp::MAX), "delegation.expired");
}

#[test]
fn only_an_authorizer_of_the_domain_delegates() {
    for (seed, expected) in
        [(1, ""), (2, "delegation.issuer"), (3, "delegation.issuer"), (9, "delegation.issuer")]
    {
        let token = DelegationToken::sign(&delegation(2), &key(seed)).unwrap();
        assert_eq!(verify(&token, NOW).map_or_else(|code| code, |_| ""), expected, "{seed}");
    }
}

#[test]
fn trust_domains_are_crossed_where_the_bundle_says_so() {
    let mut said = delegation(1);
    said.to = agent("spiffe://other.example/agent/1");
    let spawn = r#","do":{"spawn":["spiffe://other.example/agent"]}"#;
    let parent = scope(None, 1, spawn);
    let child = scope(Some(&parent), 0, "")
        .as_canonical()
        .replace("example.org/agent", "other.example/agent");
    said.scopes = vec![parent, Scope::parse(child.as_bytes()).unwrap()];
    let token = token(&said);
    let edge = |from: &str, to: &str| (Box::from(from), Box::from(to));
    let code = |edges: &[(Box<str>, Box<str>)]| {
        let verified = token.verify(&directory(), NOW, "builder", edges);
        verified.map_or_else(|error| error.code(), |_| "")
    };
    assert_eq!(code(&[edge("example.org", "other.example")]), "");
    assert_eq!(code(&[]), "delegation.trust_domain");
    assert_eq!(code(&[edge("other.example", "example.org")]), "delegation.trust_domain");
    assert_eq!(code(&[edge("example.org", "example.org")]), "delegation.trust_domain");
}

#[test]
fn bodies_are_read_strictly() {
    let good = token(&delegation(1)).document().body().clone();
    let text = good.to_canonical();
    let check = |from: &str, to: &str, expected: &str| {
        assert!(text.contains(from), "{from}");
        let body = Value::parse(text.replacen(from, to, 1).as_bytes(), &Limits::DOCUMENT).unwrap();
        let signed = Signed::sign(DocumentKind::Delegation, body, &key(1)).unwrap();
        let found = DelegationToken::parse(signed.as_str().as_bytes());
        assert_eq!(found.map_or_else(|error| error.code(), |_| ""), expected, "{to}");
    };
    check("x", "x", "");
    check("delegation/v1", "delegation/v2", "delegation.body");
    check("\"audience\":\"builder\"", "\"audience\":\"\"", "delegation.body");
    check("\"audience\":\"builder\"", "\"audience\":\"b\u{202e}\"", "delegation.body");
    check("\"audience\":\"builder\",", "", "delegation.json");
    check("\"audience\"", "\"aud\":1,\"audience\"", "delegation.json");
    check("\"actions\":10", "\"actions\":-1", "delegation.json");
    check("\"actions\":10", "\"actions\":1.5", "delegation.json");
    check("\"actions\":10", "\"actions\":9007199254740992", "delegation.body");
    check("\"EUR\":\"2.5\"", "\"EUR\":\"-2.5\"", "delegation.body");
    check("\"EUR\":\"2.5\"", "\"eur\":\"2.5\"", "delegation.body");
    check("\"EUR\":\"2.5\"", "\"EUR\":\"2.50\"", "delegation.spelling");
    check("T09:00:00.000Z\"", "T09:00:00Z\"", "delegation.spelling");
    check("T09:00:00.000Z\"", "T09:00:00\"", "delegation.body");
    check("[\"personal\",\"secret\"]", "[\"secret\",\"personal\"]", "delegation.spelling");
    check("[\"personal\",\"secret\"]", "[\"secret\",\"secret\"]", "delegation.spelling");
    check("[\"personal\",\"secret\"]", "[\"Secret\"]", "delegation.body");
    check("[\"personal\",\"secret\"]", "[\"a b\"]", "delegation.body");
    check("[\"service:ci\"]", "[\"\"]", "delegation.body");
    check(&"05".repeat(16), &"0A".repeat(16), "delegation.body");
    check("\"to\":\"spiffe://e", "\"to\":\"spiffe://E", "delegation.spelling");
    check("\"to\":\"spiffe:", "\"to\":\"https:", "delegation.body");
    check("\"on_behalf_of\":\"user:dana", "\"on_behalf_of\":\"user:erin", "delegation.party");
    check("\"hops\":[", "\"hops\":[1,", "delegation.json");
    check("countersign/scope/v1", "countersign/scope/v2", "descriptor.version");
    let hops = text.find("\"hops\":[").unwrap();
    let end = text.split_at(hops).1.find(']').unwrap() + hops;
    let all = text.get(hops..=end).unwrap();
    check(all, "\"hops\":[]", "delegation.body");
    let one = all.trim_start_matches("\"hops\":[").trim_end_matches(']');
    check(all, &format!("\"hops\":[{one},{one}]"), "delegation.body");
    let many: Vec<String> = (10..75).map(|n| format!("\"l{n}\"")).collect();
    check("[\"personal\",\"secret\"]", &format!("[{}]", many.join(",")), "delegation.body");
}

#[test]
fn the_compact_form_is_one_form() {
    let compact = token(&delegation(1)).as_compact();
    let code = |text: &str| DelegationToken::parse_compact(text).unwrap_err().code();
    assert_eq!(code(&format!("{compact}=")), "delegation.compact");
    assert_eq!(code(&format!("{compact}\n")), "delegation.compact");
    assert_eq!(code(&format!(" {compact}")), "delegation.compact");
    assert_eq!(code("%"), "delegation.compact");
    assert_eq!(code(""), "signed.json");
    assert_eq!(code(&"A".repeat(MAX_COMPACT_BYTES)), "signed.json");
    assert_eq!(code(&"A".repeat(MAX_COMPACT_BYTES + 1)), "delegation.too_long");
    for cut in 0..compact.len() {
        assert!(DelegationToken::parse_compact(compact.get(..cut).unwrap()).is_err());
    }
    // More than the compact form holds.
    let mut long = delegation(1);
    let long_purpose = format!(
        r#","run":{{"models":[{}]}}"#,
        vec![format!("\"{}\"", "x".repeat(1000)); 200].join(",")
    );
    long.scopes[0] = scope(None, 1, &long_purpose);
    long.scopes[1] = scope(Some(&long.scopes[0]), 0, "");
    assert!(DelegationToken::sign(&long, &key(1)).is_err());
}

#[test]
fn every_byte_counts() {
    let token = token(&delegation(1));
    let text = token.as_str().as_bytes();
    for at in 0..text.len() {
        let mut bytes = text.to_vec();
        bytes[at] ^= 1;
        assert!(DelegationToken::parse(&bytes).is_err(), "byte {at}");
        assert!(DelegationToken::parse(&text[..at]).is_err(), "cut at {at}");
    }
    let scope = Signed::parse(DocumentKind::Scope, text);
    assert_eq!(scope.map_err(|error| error.code()).unwrap_err(), "signed.signature");
}

#[test]
fn a_token_is_redeemed_once() {
    let verified = verify(&token(&delegation(1)), NOW).unwrap();
    let mut redeemed = Redeemed::new(NOW);
    assert_eq!(redeemed.redeem(&verified, NOW), Ok(()));
    assert_eq!(redeemed.redeem(&verified, NOW), Err(Reason::DelegationReplayed));
    assert_eq!(redeemed.redeem(&verified, later(HOUR - 1)), Err(Reason::DelegationReplayed));
    assert_eq!(redeemed.redeem(&verified, later(HOUR)), Err(Reason::DelegationExpired));
    // A clock that went back does not bring it back.
    assert_eq!(redeemed.redeem(&verified, NOW), Err(Reason::DelegationExpired));
    let mut again = delegation(1);
    again.id = DelegationId::from_bytes([6; 16]);
    again.expires = later(HOUR - 1);
    let again = verify(&token(&again), NOW).unwrap();
    let mut other = Redeemed::new(NOW);
    assert_eq!(other.redeem(&again, NOW), Ok(()));
    assert_eq!(other.redeem(&verified, NOW), Ok(()));
    // Whether an older token was redeemed before a restart, nobody knows.
    let mut late = Redeemed::new(later(1));
    assert_eq!(late.redeem(&verified, later(1)), Err(Reason::DelegationReplayed));
}

#[test]
fn the_table_of_redeemed_tokens_is_bounded_and_empties_itself() {
    let mut redeemed = Redeemed::new(NOW);
    let mut said = delegation(1);
    // Signing 65 536 tokens would take minutes, so the table is filled behind the door.
    for number in 0..MAX_REDEEMED as u128 {
        redeemed.remember([0; 32], DelegationId::from_bytes(number.to_le_bytes()), later(10));
    }
    said.id = DelegationId::from_bytes([0xff; 16]);
    let verified = verify(&token(&said), NOW).unwrap();
    assert_eq!(redeemed.redeem(&verified, later(9)), Err(Reason::DelegationTooMany));
    assert_eq!(redeemed.redeem(&verified, later(10)), Ok(()));
    assert_eq!(redeemed.len(), 1);
}

#[test]
fn a_session_rests_on_everything_on_the_way() {
    use crate::governance::{RevocationDraft, RevocationList, Revoked};
    let verified = verify(&token(&delegation(2)), NOW).unwrap();
    let subjects = verified.subjects(SessionId::from_bytes([0x77; 16]));
    let check = |entry: &str, expected: Reason| {
        let draft = RevocationDraft::new("user:dana@example.org", 1, NOW);
        let text = draft.revoke(Revoked::parse(entry).unwrap()).sign(&key(3)).unwrap();
        let list = RevocationList::parse(text.as_bytes()).unwrap();
        let state = Revocations::none().with(&list.verify(&directory(), NOW).unwrap()).unwrap();
        assert_eq!(state.check(&subjects), Some(expected), "{entry}");
    };
    check("instance spiffe://example.org/agent/0", Reason::RevokedInstance);
    check("instance spiffe://example.org/agent/last", Reason::RevokedInstance);
    check("agent spiffe://example.org/agent", Reason::RevokedAgent);
    check("task user:dana@example.org t", Reason::RevokedTask);
    check("issuer user:dana@example.org", Reason::RevokedIssuer);
    for scope in &verified.delegation().scopes {
        check(&format!("scope {}", scope.digest()), Reason::RevokedScope);
    }
    for seed in [1, 2, 3] {
        check(&format!("key {}", key(seed).trusted()), Reason::RevokedKey);
    }
    for byte in ["00", "01", "77"] {
        check(&format!("session {}", byte.repeat(16)), Reason::RevokedSession);
    }
}

#[test]
fn a_budget_only_takes_away() {
    let budget = delegation(1).budget;
    let text = r#"{"scope":"countersign/scope/v1","task":"t","owner":"user:d","agent":"spiffe://e/a",
        "expires":"2026-11-21T11:00:00Z","workspace":"/","limits":{"actions":20,"per_minute":3,"egress_bytes":7,
        "spend":{"EUR":"1.25","USD":"9"}}}"#;
    let scope = crate::testing::trusted(text).unwrap();
    let paths = crate::action::path::PurePaths::new();
    let scope = crate::scope::CompiledScope::compile(&scope, &paths).unwrap();
    let mut limits = SessionLimits::of_task(scope.limits());
    let whole = Budget::of(&limits);
    budget.cap(&mut limits);
    assert_eq!(
        (limits.actions, limits.per_minute, limits.egress_bytes, limits.denials),
        (10, 3, 0, 0)
    );
    let spend: Vec<_> =
        limits.spend.iter().map(|(name, most)| (&**name, most.to_string())).collect();
    assert_eq!(spend, [("EUR", "1.25".to_owned())]);
    assert!(whole.covers(&Budget::of(&limits)) && budget.covers(&Budget::of(&limits)));
    assert!(!budget.covers(&whole) && budget.covers(&budget));
}

#[test]
fn what_comes_back_is_held_against_the_token() {
    let sent = token(&delegation(1));
    let said = Returned {
        delegation: DelegationId::from_bytes([5; 16]),
        session: SessionId::from_bytes([8; 16]),
        labels: ["untrusted-input".into()].into(),
        used: Budget { actions: 3, ..Budget::default() },
        ended: true,
        issued_at: later(2 * HOUR),
    };
    let check = |said: &Returned, seed: u8, at: Timestamp, expected: &str| {
        let signed = DelegationReturn::sign(said, &key(seed)).unwrap();
        let read = DelegationReturn::parse(signed.as_str().as_bytes()).unwrap();
        assert_eq!(read, signed);
        let found = read.verify(&directory(), at, &sent);
        assert_eq!(found.map_or_else(|error| error.code(), |_| ""), expected);
    };
    // A token that has expired is no reason not to take labels back.
    check(&said, 1, later(2 * HOUR), "");
    check(&said, 1, later(2 * HOUR - 1), "delegation.not_yet_valid");
    check(&said, 2, later(2 * HOUR), "delegation.issuer");
    check(&said, 3, later(2 * HOUR), "delegation.issuer");
    let other = Returned { delegation: DelegationId::from_bytes([6; 16]), ..said.clone() };
    check(&other, 1, later(2 * HOUR), "delegation.return");
    let before = Timestamp::from_millis(NOW.as_millis() - 1);
    check(&Returned { issued_at: before, ..said.clone() }, 1, NOW, "delegation.return");
    let signed = DelegationReturn::sign(&said, &key(1)).unwrap();
    let text = signed.as_str();
    for at in 0..text.len() {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert!(DelegationReturn::parse(&bytes).is_err(), "byte {at}");
    }
    assert_eq!(DelegationToken::parse(text.as_bytes()).unwrap_err().code(), "signed.signature");
}
