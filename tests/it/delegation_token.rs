//! Laws of delegation to another process: authority never grows along a chain, and a token is what was
//! signed or nothing.

use countersign::action::path::PurePaths;
use countersign::action::{
    Action, Connect, Effect, EffectContext, Effects, NoTools, ReadData, UseSecret, WriteData,
};
use countersign::digest::Digest;
use countersign::governance::{
    Budget, Delegation, DelegationId, DelegationToken, Directory, Hop, SignedScope,
    VerifiedDelegation,
};
use countersign::identity::SpiffeId;
use countersign::receipt::{IdentityKey, SessionId};
use countersign::scope::{CompiledScope, Scope, lint_child};
use countersign::testing::NOW;
use countersign::time::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

const DOMAIN: &str = "example.org";

fn key() -> IdentityKey {
    IdentityKey::from_seed(&[1; 32])
}

fn directory() -> Directory {
    let text = format!(
        r#"{{"directory":"countersign/directory/v1","authorizers":[{{"key":"{}","trust_domain":"{DOMAIN}","delegates":true}}]}}"#,
        key().trusted()
    );
    Directory::parse(text.as_bytes()).unwrap()
}

/// What one scope of a chain says; the frame is mostly right.
#[derive(Debug, Clone)]
struct Link {
    read: Vec<String>,
    write: Vec<String>,
    connect: Vec<String>,
    secrets: Vec<String>,
    begins: u64,
    ends: u64,
    depth_less: u64,
    owner: bool,
    named: bool,
}

fn links(right: bool) -> impl Strategy<Value = Link> {
    let file = "!?/srv(/(a|b|\\*|\\*\\*)){0,2}";
    let host = "!?(a\\.example|\\*\\.example|10\\.0\\.0\\.0/8|\\*):(\\*|443)";
    let name = "!?(a|b|\\*)(/(a|b|\\*\\*)){0,1}";
    let list = |pattern: &'static str| prop::collection::vec(pattern, 0..4);
    let weight = if right { 0.0 } else { 0.1 };
    let wrong = move || prop::bool::weighted(weight);
    let lists = (list(file), list(file), list(host), list(name));
    let frame = (1..1_000_u64, 1..1_000_u64, wrong(), wrong(), wrong(), wrong());
    (lists, frame).prop_map(|((read, write, connect, secrets), frame)| {
        let (begins, ends, early, late, owner, named) = frame;
        Link {
            read,
            write,
            connect,
            secrets,
            begins: if early { 0 } else { begins },
            ends: if late { 0 } else { ends },
            depth_less: u64::from(!(early && late)),
            owner: !owner,
            named: !named,
        }
    })
}

/// Builds the scopes of a chain; each link moves beginning and end inwards, or back out.
fn scopes(links: &[Link]) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = Vec::new();
    let (mut begin, mut end) = (NOW.as_millis() - 3_600_000, NOW.as_millis() + 3_600_000);
    let mut depth = 8_u64;
    for link in links {
        begin = if link.begins == 0 { begin.saturating_sub(1) } else { begin + link.begins };
        end = if link.ends == 0 { end + 1 } else { end - link.ends };
        let mut document = json!({
            "scope": "countersign/scope/v1", "task": "t",
            "owner": if link.owner { "user:dana@example.org" } else { "user:erin@example.org" },
            "agent": "spiffe://example.org/agent", "workspace": "/srv",
            "not_before": Timestamp::from_millis(begin).to_string(),
            "expires": Timestamp::from_millis(end).to_string(),
            "touch": {"read": link.read, "write": link.write, "secrets": link.secrets},
            "reach": {"connect": link.connect},
            "limits": {"delegation_depth": depth},
        });
        if let Some(parent) = scopes.last().filter(|_| link.named) {
            document["parent"] = parent.digest().to_string().into();
        }
        scopes.push(Scope::parse(document.to_string().as_bytes()).unwrap());
        depth = depth.saturating_sub(link.depth_less);
    }
    scopes
}

fn token(scopes: Vec<Scope>, agents: &[u8]) -> DelegationToken {
    let agent = |number: u8| SpiffeId::parse(&format!("spiffe://{DOMAIN}/agent/{number}")).unwrap();
    let (to, hops) = agents[..scopes.len()].split_last().unwrap();
    let hop = |number: &u8| Hop {
        agent: agent(*number),
        journal: Digest::from_bytes([9; 32]),
        session: SessionId::from_bytes([*number; 16]),
    };
    let delegation = Delegation {
        id: DelegationId::from_bytes([1; 16]),
        hops: hops.iter().map(hop).collect(),
        to: agent(*to),
        audience: "here".into(),
        scopes,
        keys: Vec::new(),
        acting_through: [].into(),
        labels: ["secret".into()].into(),
        issued_at: NOW,
        expires: Timestamp::from_millis(NOW.as_millis() + 60_000),
        budget: Budget::default(),
    };
    DelegationToken::sign(&delegation, &key()).unwrap()
}

fn verify(token: &DelegationToken) -> Result<VerifiedDelegation, &'static str> {
    token.verify(&directory(), NOW, "here", &[]).map_err(|error| error.code())
}

fn compile(scope: &Scope) -> CompiledScope {
    let trusted = scope.dangerous().trust_unsigned();
    CompiledScope::compile(&trusted, &PurePaths::new()).unwrap()
}

fn effects() -> Vec<Effect> {
    let paths = PurePaths::new();
    let any = compile(
        &scopes(&[Link {
            read: Vec::new(),
            write: Vec::new(),
            connect: Vec::new(),
            secrets: Vec::new(),
            begins: 1,
            ends: 1,
            depth_less: 0,
            owner: true,
            named: true,
        }])[0],
    );
    let context = EffectContext::new(&paths, any.workspace(), &NoTools);
    let mut found = Effects::default();
    for name in ["/srv", "/srv/a", "/srv/b", "/srv/a/b", "/srv/b/x", "/etc/x"] {
        ReadData::new(name).effects(&context, &mut found);
        WriteData::new(name).effects(&context, &mut found);
    }
    for host in ["a.example", "b.example", "10.0.0.1", "evil.test"] {
        Connect::new(host, 443).effects(&context, &mut found);
        Connect::new(host, 22).effects(&context, &mut found);
    }
    for name in ["a", "b", "a/b", "c"] {
        UseSecret::new(name, "git").effects(&context, &mut found);
    }
    found.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn authority_never_grows_along_a_chain(links in prop::collection::vec(links(true), 2..=9)) {
        let verified = verify(&token(scopes(&links), &[0, 1, 2, 3, 4, 5, 6, 7, 8])).unwrap();
        let paths = PurePaths::new();
        let chain: Vec<CompiledScope> = verified
            .scopes()
            .iter()
            .map(|scope| CompiledScope::compile(scope, &paths).unwrap())
            .collect();
        for effect in &effects() {
            let each: Vec<bool> =
                chain.iter().map(|scope| scope.check(effect, &paths).is_ok()).collect();
            let allows = |hops: usize| each[..hops].iter().all(|granted| *granted);
            for hops in 1..chain.len() {
                prop_assert!(allows(hops) || !allows(hops + 1), "{effect:?} at hop {hops}");
            }
            prop_assert_eq!(allows(chain.len()), !each.contains(&false));
        }
    }

    /// Whatever the lint is silent about is no wider.
    #[test]
    fn what_the_lint_is_silent_about_is_not_wider(pair in prop::collection::vec(links(true), 2)) {
        let pair = scopes(&pair);
        let silent = lint_child(&pair[0], &pair[1]).is_empty();
        let (parent, child) = (compile(&pair[0]), compile(&pair[1]));
        let paths = PurePaths::new();
        for effect in effects().iter().filter(|_| silent) {
            let gained = child.check(effect, &paths).is_ok() && parent.check(effect, &paths).is_err();
            prop_assert!(!gained, "{effect:?}");
        }
    }

    /// Against a naive reading of the rules.
    #[test]
    fn a_chain_that_verifies_obeys_every_rule(
        links in prop::collection::vec(links(false), 2..=9),
        agents in prop::collection::vec(0..40_u8, 9),
    ) {
        let scopes = scopes(&links);
        let limits: Vec<CompiledScope> = scopes.iter().map(compile).collect();
        let pairs = || limits.iter().zip(limits.iter().skip(1));
        let expires = NOW.as_millis() + 60_000;
        let used = &agents[..scopes.len()];
        let expected = pairs().all(|(parent, child)| {
            child.parent() == Some(parent.digest())
                && child.limits().delegation_depth < parent.limits().delegation_depth
                && child.owner() == parent.owner()
                && child.not_before() >= parent.not_before()
                && child.expires() <= parent.expires()
        }) && limits.last().unwrap().expires().as_millis() >= expires
            && (0..used.len()).all(|at| !used[at + 1..].contains(&used[at]));
        let found = verify(&token(scopes.clone(), &agents));
        prop_assert_eq!(found.is_ok(), expected, "{:?}", found.err());
    }

    #[test]
    fn a_token_with_a_byte_changed_is_refused(
        links in prop::collection::vec(links(true), 2..=4),
        at in any::<Index>(),
        flip in 1..=255_u8,
        cut in any::<Index>(),
    ) {
        let token = token(scopes(&links), &[0, 1, 2, 3]);
        let mut text = token.as_str().as_bytes().to_vec();
        let at = at.index(text.len());
        prop_assert!(DelegationToken::parse(&text[..cut.index(text.len())]).is_err());
        text[at] ^= flip;
        prop_assert!(DelegationToken::parse(&text).is_err());
        let mut compact = token.as_compact().into_bytes();
        let at = at % compact.len();
        compact[at] ^= flip;
        if let Ok(compact) = std::str::from_utf8(&compact) {
            prop_assert!(DelegationToken::parse_compact(compact).is_err());
        }
    }
}

#[test]
fn a_document_for_one_purpose_serves_no_other() {
    let link = |own: &[Link]| scopes(own);
    let one = Link {
        read: vec!["/srv/**".into()],
        write: Vec::new(),
        connect: Vec::new(),
        secrets: Vec::new(),
        begins: 1,
        ends: 1,
        depth_less: 1,
        owner: true,
        named: true,
    };
    let chain = link(&[one.clone(), one]);
    let scope = SignedScope::sign(&chain[0], &key()).unwrap();
    assert!(DelegationToken::parse(scope.as_str().as_bytes()).is_err());
    let token = token(chain, &[0, 1]);
    assert!(SignedScope::parse(token.as_str().as_bytes()).is_err());
}
