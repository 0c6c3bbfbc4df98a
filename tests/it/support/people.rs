//! People, their keys and a request, for tests of what they sign.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign::action::{Domain, Effect, Kind, Target};
use countersign::digest::Digest;
use countersign::governance::approval::{Ballot, Need, RequestParts, Vote};
use countersign::governance::{Approval, ApprovalRequest, Directory, Moment, Parties, Signed};
use countersign::policy::Quorum;
use countersign::receipt::{IdentityKey, SessionId};
use countersign::testing::NOW;
use countersign::time::Timestamp;

pub(crate) const OWNER: &str = "user:cy";
pub(crate) const REQUESTER: &str = "user:dee";
pub(crate) const AGENT: &str = "spiffe://example.org/agent/coder/1";

/// Whose key a seed is, with kind and roles. Seeds that are not here are nobody's.
pub(crate) const PEOPLE: [(u8, &str, &str, &[&str]); 8] = [
    (1, "user:ann", "human", &["sre", "security"]),
    (2, "user:ann", "human", &["sre", "security"]),
    (3, "user:ben", "human", &["sre", "security"]),
    (4, OWNER, "human", &["security"]),
    (5, REQUESTER, "human", &["sre", "security"]),
    (6, "service:ci", "service", &["sre", "security"]),
    (7, "role:duty", "role", &["security"]),
    (8, "user:eve", "human", &["finance"]),
];

/// `sre` takes one and excludes the owner; `security` takes two and counts the owner.
pub(crate) fn quorums() -> Vec<Quorum> {
    serde_json::from_str(
        r#"[{"name": "sre", "roles": ["sre"], "of": 1},
            {"name": "security", "roles": ["security"], "of": 2, "owner": "counts"}]"#,
    )
    .unwrap()
}

pub(crate) fn key(seed: u8) -> IdentityKey {
    IdentityKey::from_seed(&[seed; 32])
}

pub(crate) fn digest(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}

pub(crate) fn session(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

/// A directory of all people but for some keys.
pub(crate) fn directory_without(seeds: &[u8]) -> Directory {
    directory_with(seeds, &[])
}

/// The same, with other people too.
pub(crate) fn directory_with(seeds: &[u8], more: &[String]) -> Directory {
    let ids: BTreeSet<&str> = PEOPLE.iter().map(|(_, id, ..)| *id).collect();
    let people = ids.into_iter().map(|id| {
        let of = || PEOPLE.iter().filter(move |(_, other, ..)| *other == id);
        let (_, _, kind, roles) = of().next().unwrap();
        let keys = of().filter(|(seed, ..)| !seeds.contains(seed));
        let keys: Vec<String> = keys.map(|(seed, ..)| key(*seed).trusted().to_string()).collect();
        format!(r#"{{"id":"{id}","kind":"{kind}","keys":{keys:?},"roles":{roles:?}}}"#)
    });
    let people: Vec<String> = people.chain(more.iter().cloned()).collect();
    let people = people.join(",");
    let text = format!(r#"{{"directory":"countersign/directory/v1","people":[{people}]}}"#);
    Directory::parse(text.as_bytes()).unwrap()
}

pub(crate) fn directory() -> Directory {
    directory_without(&[])
}

/// What a moment borrows.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) directory: Directory,
    pub(crate) quorums: Vec<Quorum>,
    pub(crate) bundle: Digest,
    pub(crate) scope: Vec<Digest>,
    pub(crate) revoked: BTreeSet<Digest>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            now: NOW,
            directory: directory(),
            quorums: quorums(),
            bundle: digest(30),
            scope: vec![digest(20)],
            revoked: BTreeSet::new(),
        }
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    pub(crate) fn with<T>(&self, run: impl FnOnce(&Moment<'_>) -> T) -> T {
        let is_revoked = |document: &Signed| self.revoked.contains(&document.digest());
        run(&Moment {
            now: self.now,
            directory: &self.directory,
            quorums: &self.quorums,
            bundle: self.bundle,
            scope: &self.scope,
            parties: Parties { owner: OWNER, on_behalf_of: Some(REQUESTER) },
            is_revoked: &is_revoked,
        })
    }

    /// A request for one action, which asks these quorums.
    pub(crate) fn request(
        &self,
        call: u64,
        action: u8,
        asks: &[(Domain, &str)],
    ) -> ApprovalRequest {
        let quorum = |name: &str| self.quorums.iter().find(|quorum| quorum.name == name).unwrap();
        ApprovalRequest::new(RequestParts {
            session: session(1),
            call,
            kind: "WriteData",
            action: digest(action),
            effects: &[&Effect::new(Kind::WriteData, Target::Table("crm.customers".into()))],
            agent: AGENT,
            owner: OWNER,
            on_behalf_of: Some(REQUESTER),
            task: "fix-login",
            scope: &self.scope,
            bundle: self.bundle,
            needs: asks.iter().map(|(domain, name)| Need::new(*domain, quorum(name))).collect(),
            created: self.now,
            expires: self.now.plus(Duration::from_secs(600)),
        })
        .unwrap()
    }

    /// An approval that is good: by a person under its own name, now, for five minutes.
    pub(crate) fn approve(
        &self,
        request: &ApprovalRequest,
        domain: Domain,
        quorum: &str,
        seed: u8,
    ) -> Approval {
        let ballot = Ballot {
            domain,
            quorum,
            approver: PEOPLE.iter().find(|(other, ..)| *other == seed).map_or("user:x", |it| it.1),
            vote: Vote::Approve,
            at: self.now,
            expires: self.now.plus(Duration::from_secs(300)),
        };
        Approval::sign(request, ballot, &key(seed)).unwrap()
    }
}
