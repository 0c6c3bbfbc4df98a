//! Laws with people in play: authority does not grow along a chain but by what was added to each hop, and more
//! of anything else never allows more.

use std::collections::BTreeSet;

use countersign::action::{Connect, Domain, ReadData, WriteData};
use countersign::identity::PrincipalKind;
use countersign::scope::Scope;
use countersign::testing::strategies::AnyAction;
use countersign::{Reason, Session};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::gate::{Bundle, PERMIT};
use crate::support::site::{
    Site, approve, ask, below, code, descriptor, elevate, instance, reads, request, spiffe, tables,
};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

/// What one hop grants of five tables: to read, to write.
type Grants = (BTreeSet<u8>, BTreeSet<u8>);

fn grants() -> impl Strategy<Value = Grants> {
    let some = || prop::collection::btree_set(0_u8..5, 3..=5);
    (some(), some())
}

/// A chain of sessions, one for each hop.
fn chain(site: &Site, hops: &[Grants]) -> (Vec<Scope>, Vec<Session>) {
    let (mut scopes, mut sessions): (Vec<Scope>, Vec<Session>) = Default::default();
    for (index, (read, write)) in hops.iter().enumerate() {
        let mut wanted = descriptor(&format!("hop{index}"), (hops.len() - index - 1) as u64);
        wanted.touch.read = read.iter().map(|it| format!("table:t{it}.**")).collect();
        wanted.touch.write = write.iter().map(|it| format!("table:t{it}.**")).collect();
        let scope = match scopes.last() {
            None => Scope::from_descriptor(&wanted).unwrap(),
            Some(above) => below(above, wanted),
        };
        let path = format!("hop{index}/1");
        let session = match sessions.last() {
            None => site.open(&scope, &path),
            Some(above) => site.delegate(above, &scope, &path),
        };
        scopes.push(scope);
        sessions.push(session);
    }
    (scopes, sessions)
}

/// The last of a chain may do what every hop grants by itself or by what people added to that very hop, and
/// writes only on somebody's word for that very write.
#[test]
fn authority_grows_by_what_people_add_to_each_hop_and_by_nothing_else() {
    let hops = prop::collection::vec(grants(), 1..=8);
    let added = prop::collection::vec((0_usize..8, 0_u8..5, any::<bool>()), 0..8);
    let asked = prop::collection::vec((0_u8..5, any::<bool>(), any::<bool>()), 1..10);
    let allowed = std::cell::Cell::new((0, 0));
    let law = |hops: Vec<Grants>, added: Vec<(usize, u8, bool)>, asked: Vec<(u8, bool, bool)>| {
        let site = Site::new();
        let (scopes, sessions) = chain(&site, &hops);
        let last = sessions.last().unwrap();
        let mut elevated: BTreeSet<(usize, u8, bool)> = BTreeSet::new();
        for (hop, table, write) in added {
            let hop = hop % hops.len();
            let mut draft = site.elevation(&scopes[hop]);
            let pattern = format!("t{table}.**");
            draft.grants = match write {
                true => tables(&pattern),
                false => reads(&format!("table:{pattern}")),
            };
            if code(elevate(last, &draft, 3)).is_empty() {
                elevated.insert((hop, table, write));
            }
        }
        for (table, write, approved) in asked {
            let granted = hops.iter().enumerate().all(|(hop, (reads, writes))| {
                let own = if write { writes } else { reads };
                own.contains(&table) || elevated.contains(&(hop, table, write))
            });
            let name = format!("t{table}.a");
            let answer = match write {
                false => ask(last, ReadData::table(&*name)),
                true if granted && approved => {
                    let asked = request(&site, last, WriteData::table(&*name));
                    let vote = site.sign(&asked, Domain::Data, "sre", 1);
                    // The same moment gives the same signature: a second one is a duplicate.
                    let _ = approve(last, &vote);
                    ask(last, WriteData::table(&*name))
                }
                true => ask(last, WriteData::table(&*name)),
            };
            let expected = match (granted, write) {
                (false, false) => "scope.read",
                (false, true) => "scope.write",
                (true, true) if !approved => "defer sre",
                (true, _) => "allow",
            };
            prop_assert_eq!(&answer, expected);
            if answer == "allow" {
                let (all, added) = allowed.get();
                let by = elevated.iter().any(|it| (it.1, it.2) == (table, write));
                allowed.set((all + 1, added + u32::from(by)));
            }
            // Nobody above has got anything by it.
            for (hop, session) in sessions.iter().enumerate().take(hops.len() - 1) {
                let own = hops[..=hop].iter().all(|(reads, _)| reads.contains(&table));
                let answer = ask(session, ReadData::table(&*name));
                prop_assert_eq!(answer == "allow", own);
            }
        }
        site.holds();
        Ok(())
    };
    let stories = (hops, added, asked);
    runner(48).run(&stories, |(hops, added, asked)| law(hops, added, asked)).unwrap();
    let (all, by) = allowed.get();
    assert!(all > 10 && by > 0, "{all} {by}");
}

const FORBIDS: [&str; 6] = [
    r#"@id("a") forbid(principal, action == Action::"Connect", resource) when { context.recent.contains("data") };"#,
    r#"@id("b") forbid(principal, action == Action::"ReadData", resource) when { context.depth >= 2 };"#,
    r#"@id("c") forbid(principal, action, resource)
        when { context.acting_through.contains("spiffe://example.org/agent/svc/1") };"#,
    r#"@id("d") forbid(principal, action == Action::"WriteData", resource)
        when { context.recent.containsAll(["data", "infrastructure"]) };"#,
    r#"@id("e") forbid(principal, action == Action::"ReadData", resource) when { context.labels.contains("secret") };"#,
    r#"@id("f") forbid(principal, action == Action::"Connect", resource) when { context.depth >= 1 && context.counters.data >= 2 };"#,
];

fn any_ask(number: u8) -> AnyAction {
    match number {
        0..3 => AnyAction::new(ReadData::table(format!("crm.t{number}"))),
        3 => AnyAction::new(ReadData::table("crm.s").classes(["secret"])),
        4 => AnyAction::new(WriteData::table("crm.t0")),
        _ => AnyAction::new(Connect::new("git.example.org", 443)),
    }
}

/// One more hop, a service in between, and more history before: each only takes away.
#[test]
fn a_longer_way_and_a_longer_story_never_allow_more() {
    let forbids = prop::sample::subsequence(FORBIDS.to_vec(), 1..=FORBIDS.len());
    let stories = prop::collection::vec(0_u8..6, 0..6);
    let asked = prop::collection::vec(0_u8..6, 1..6);
    let (same, less) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    runner(24)
        .run(&(forbids, stories, asked), |(forbids, story, asked)| {
            let bundle = Bundle::of(&format!("{PERMIT}\n{}", forbids.join("\n"))).load().unwrap();
            let paths = countersign::action::path::PurePaths::new();
            let site = Site::with(bundle, paths);
            let top = |class: &str| Scope::from_descriptor(&descriptor(class, 3)).unwrap();
            // Short: the session itself. Long: a service hands on to it, after more was done.
            let short = site.open(&top("coder"), "coder/1");
            let svc = top("svc");
            site.knows(&svc);
            let service =
                spiffe("svc/1").dangerous().with_kind(PrincipalKind::Service).assume_verified();
            let service = site.authorizer.open(&svc.dangerous().trust_unsigned(), service).unwrap();
            let middle = below(&svc, descriptor("middle", 2));
            let between = site.delegate(&service, &middle, "middle/1");
            let long = site.delegate(&between, &below(&middle, descriptor("coder", 1)), "coder/2");
            for action in story {
                let _ = ask(&long, any_ask(action));
            }
            for action in asked {
                let (one, other) = (ask(&short, any_ask(action)), ask(&long, any_ask(action)));
                prop_assert!(one == "allow" || other != "allow", "{} {}", one, other);
                let cell = if one == other { &same } else { &less };
                cell.set(cell.get() + 1);
                if one != other {
                    // From here on the short one has done what the long one has not.
                    break;
                }
            }
            site.holds();
            Ok(())
        })
        .unwrap();
    assert!(same.get() > 0 && less.get() > 0, "{} {}", same.get(), less.get());
}

/// A bundle that would allow more with more of it does not load.
#[test]
fn no_bundle_allows_more_with_more_history() {
    for more in [
        r#"context.recent.contains("data")"#,
        "context.depth >= 1",
        r#"context.acting_through.contains("spiffe://example.org/agent/svc/1")"#,
        r#"context.labels.contains("secret")"#,
        "context.counters.data >= 1",
    ] {
        let unless =
            format!(r#"@id("x") forbid(principal, action, resource) unless {{ {more} }};"#);
        assert!(Bundle::of(&format!("{PERMIT}\n{unless}")).load().is_err(), "{more}");
        let when = format!(r#"@id("x") permit(principal, action, resource) when {{ {more} }};"#);
        assert!(Bundle::of(&when).load().is_err(), "{more}");
    }
}

/// A delegate is not given another tier than the scope that it comes from.
#[test]
fn nobody_chooses_another_tier_for_a_delegate() {
    let manifest = r#"{"bundle": "countersign/bundle/v1", "name": "test",
        "tiers": {"low": {}, "high": {"actions": 1}}, "default_tier": "low"}"#;
    let high = r#"@id("high") forbid(principal, action == Action::"Connect", resource)
        when { context.tier == "high" };"#;
    let bundle = Bundle::but(high).with_file("manifest.json", manifest).load().unwrap();
    let site = Site::with(bundle, countersign::action::path::PurePaths::new());
    let mut wanted = descriptor("coder", 1);
    wanted.tier = Some("high".into());
    let top = Scope::from_descriptor(&wanted).unwrap();
    let session = site.open(&top, "coder/1");
    for tier in [None, Some("low".to_owned())] {
        let mut wanted = descriptor("helper", 0);
        wanted.tier = tier;
        let refused = session.delegate(&below(&top, wanted), instance("helper/1"));
        let expected = Reason::ScopeTier;
        assert!(
            matches!(refused, Err(countersign::session::OpenError::Refused(it)) if it == expected)
        );
        site.last_act("delegation scope.tier");
    }
    let mut same = descriptor("helper", 0);
    same.tier = Some("high".into());
    let delegate = site.delegate(&session, &below(&top, same), "helper/1");
    assert_eq!(ask(&delegate, Connect::new("git.example.org", 443)), "policy.forbid");
    assert_eq!(ask(&delegate, ReadData::table("crm.a")), "allow");
    assert_eq!(ask(&session, ReadData::table("crm.a")), "limit.actions", "one for all of them");
    site.holds();
}
