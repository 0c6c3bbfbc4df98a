//! Leases of secrets: useless to another session, instance or action, and after one use.

use std::time::Duration;

use countersign::digest::Digest;
use countersign::governance::{LeaseTerms, Leases, MAX_LEASE, MAX_LEASES, SecretLease};
use countersign::receipt::SessionId;
use countersign::testing::NOW;
use countersign::time::Timestamp;
use proptest::prelude::*;

use crate::support::people::{AGENT, digest, session};

fn terms(secret: &str, action: u8, ends: Timestamp) -> LeaseTerms<'_> {
    LeaseTerms { instance: AGENT, secret, action: digest(action), ends }
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

#[test]
fn a_lease_serves_its_action_once() {
    let mut leases = Leases::new(session(1));
    let lease = leases.issue(terms("db", 1, after(30)), NOW).unwrap();
    let mut check =
        |id: Digest, action: u8, instance: &str, in_session: SessionId, at, code: &str| {
            let found = leases.redeem(id, digest(action), instance, in_session, at);
            assert_eq!(found.err().map_or("", |refusal| refusal.code()), code);
        };
    check(digest(9), 1, AGENT, session(1), NOW, "lease.unknown");
    check(lease.id(), 2, AGENT, session(1), NOW, "lease.wrong_action");
    check(
        lease.id(),
        1,
        "spiffe://example.org/agent/coder/2",
        session(1),
        NOW,
        "lease.wrong_instance",
    );
    check(lease.id(), 1, AGENT, session(2), NOW, "lease.wrong_session");
    check(lease.id(), 1, AGENT, session(1), after(30), "lease.expired");
    check(lease.id(), 1, AGENT, session(1), after(29), "");
    check(lease.id(), 1, AGENT, session(1), after(29), "lease.used");
    leases.clear();
    let gone = leases.redeem(lease.id(), digest(1), AGENT, session(1), NOW);
    assert_eq!(gone.unwrap_err().code(), "lease.unknown");
}

#[test]
fn leases_are_short_and_few() {
    let mut leases = Leases::new(session(1));
    let long = leases.issue(terms("db", 1, after(86_400)), NOW).unwrap();
    assert_eq!(long.until(), NOW.plus(MAX_LEASE));
    let over = leases.issue(terms("db", 1, NOW), NOW);
    assert_eq!(over.unwrap_err().code(), "lease.expired");
    let mut ids = vec![long.id()];
    for _ in 1..MAX_LEASES {
        ids.push(leases.issue(terms("db", 1, after(60)), NOW).unwrap().id());
    }
    let more = leases.issue(terms("db", 1, after(60)), NOW);
    assert_eq!(more.unwrap_err().code(), "lease.too_many");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), MAX_LEASES);
    // What is over makes room.
    assert!(leases.issue(terms("db", 1, after(90)), after(60)).is_ok());
}

proptest! {
    #[test]
    fn no_lease_is_redeemed_twice_or_late_or_by_another(
        steps in prop::collection::vec((0..3_u8, 0..2_u8, 0..3_u8, 0..3_usize, 0..100_u64), 1..60),
    ) {
        let (mut leases, mut known, mut redeemed) = (Leases::new(session(1)), Vec::new(), Vec::new());
        let mut now = NOW;
        for (what, who, action, which, seconds) in steps {
            let instance = [AGENT, "spiffe://example.org/agent/coder/2"][usize::from(who)];
            if what == 0 {
                let ends = now.plus(Duration::from_secs(seconds));
                let terms = LeaseTerms { instance, secret: "db", action: digest(action), ends };
                known.extend(leases.issue(terms, now));
            } else if let Some(lease) = known.iter().rev().nth(which) {
                let lease: &SecretLease = lease;
                let found = leases.redeem(lease.id(), digest(action), instance, session(1), now);
                let good = lease.instance() == instance
                    && lease.action() == digest(action)
                    && now < lease.until()
                    && !redeemed.contains(&lease.id());
                prop_assert_eq!(found.is_ok(), good);
                if good {
                    redeemed.push(lease.id());
                }
                now = now.plus(Duration::from_secs(seconds / 10));
            }
        }
    }
}
