//! Standing grants and elevations: bounded additions that several people sign, each held against
//! everything as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use countersign::action::path::PurePaths;
use countersign::action::{Domain, Effect, Kind, Target};
use countersign::governance::{
    Elevation, ElevationDraft, Elevations, Fragment, MAX_GRANTS, StandingDraft, StandingGrant,
    StandingGrants,
};
use countersign::policy::ElevationRules;
use countersign::scope::CompiledScope;
use countersign::testing;
use countersign::time::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::gate::{Bundle, PERMIT};
use crate::support::people::{PEOPLE, World, digest, key, session};

fn base() -> CompiledScope {
    CompiledScope::compile(&testing::scope(), &PurePaths::new()).unwrap()
}

fn world() -> World {
    let mut world = World::new();
    world.scope = vec![base().digest()];
    world
}

fn tables(pattern: &str) -> Fragment {
    let mut fragment = Fragment::default();
    fragment.touch.write.push(format!("table:{pattern}"));
    fragment
}

fn write(table: &str) -> Effect {
    Effect::new(Kind::WriteData, Target::Table(table.into()))
}

fn after(world: &World, seconds: u64) -> Timestamp {
    world.now.plus(Duration::from_secs(seconds))
}

fn draft(world: &World) -> StandingDraft {
    StandingDraft {
        session: session(1),
        scope: world.scope.clone(),
        bundle: world.bundle,
        domain: Domain::Data,
        quorum: "security".into(),
        uses: 2,
        issued_at: world.now,
        until: after(world, 600),
        grants: tables("crm.*"),
    }
}

fn submit(world: &World, grants: &mut StandingGrants, draft: &StandingDraft, seed: u8) -> String {
    let grant = StandingGrant::sign(draft, &key(seed)).unwrap();
    let text = grant.signed().as_str();
    assert_eq!(StandingGrant::parse(text.as_bytes()).as_ref(), Ok(&grant));
    let paths = PurePaths::new();
    let found = world.with(|moment| grants.submit(&grant, &base(), moment, &paths));
    found.map_or_else(|refusal| refusal.code().into(), |signed| signed.missing.to_string())
}

fn met(world: &World, grants: &StandingGrants, effect: &Effect) -> usize {
    world.with(|moment| grants.granted(effect, moment, &PurePaths::new())).len()
}

#[test]
fn a_standing_grant_is_signed_by_all_and_serves_so_many_calls() {
    let mut world = world();
    let mut grants = StandingGrants::new(session(1));
    let draft = draft(&world);
    assert_eq!(submit(&world, &mut grants, &draft, 1), "1");
    assert_eq!(submit(&world, &mut grants, &draft, 2), "approval.duplicate");
    assert_eq!(met(&world, &grants, &write("crm.customers")), 0);
    assert_eq!(submit(&world, &mut grants, &draft, 3), "0");
    assert_eq!(met(&world, &grants, &write("crm.customers")), 1);
    assert_eq!(met(&world, &grants, &write("hr.people")), 0);
    let read = Effect::new(Kind::ReadData, Target::Table("crm.customers".into()));
    assert_eq!(met(&world, &grants, &read), 0);
    let presented = world.with(|moment| {
        grants.granted(&write("crm.customers"), moment, &PurePaths::new()).remove(0)
    });
    let people: Vec<&str> = presented.approvals.iter().map(|used| &*used.approver).collect();
    assert_eq!(people, ["user:ann", "user:ben"]);
    let mut other = world.clone();
    other.revoked.insert(presented.approvals[0].id);
    assert_eq!(met(&other, &grants, &write("crm.customers")), 0);
    other = world.clone();
    other.bundle = digest(31);
    assert_eq!(met(&other, &grants, &write("crm.customers")), 0);
    other = world.clone();
    other.advance(600);
    assert_eq!(met(&other, &grants, &write("crm.customers")), 0);
    assert!(grants.consume(&[presented.grant]));
    assert!(!grants.consume(&[presented.grant, digest(9)]));
    assert_eq!(grants.left(presented.grant), 1);
    assert!(grants.consume(&[presented.grant]));
    assert!(!grants.consume(&[presented.grant]));
    assert_eq!(met(&world, &grants, &write("crm.customers")), 0);
    // The same document does not fill it up again, now or later.
    assert_eq!(submit(&world, &mut grants, &draft, 4), "approval.used");
    world.advance(600);
    assert_eq!(submit(&world, &mut grants, &draft, 1), "approval.expired");
}

#[test]
fn standing_grants_are_bounded() {
    let world = world();
    let good = draft(&world);
    let check = |change: &dyn Fn(&mut StandingDraft), seed: u8, code: &str| {
        let mut draft = good.clone();
        change(&mut draft);
        let mut grants = StandingGrants::new(session(1));
        assert_eq!(submit(&world, &mut grants, &draft, seed), code);
        assert_eq!(met(&world, &grants, &write("crm.customers")), 0);
    };
    check(&|draft| draft.session = session(2), 1, "approval.wrong_session");
    check(&|draft| draft.scope.push(digest(1)), 1, "approval.scope_changed");
    check(&|draft| draft.bundle = digest(1), 1, "approval.bundle_changed");
    check(&|draft| draft.quorum = "finance".into(), 1, "approval.wrong_quorum");
    check(&|draft| draft.issued_at = after(&world, 1), 1, "approval.not_yet_valid");
    check(
        &|draft| draft.until = base().expires().plus(Duration::from_millis(1)),
        1,
        "approval.too_long",
    );
    check(&|draft| draft.grants = tables("a[**"), 1, "approval.pattern");
    check(&|_| (), 5, "approval.requester");
    check(&|_| (), 6, "approval.agent");
    check(&|_| (), 8, "approval.not_eligible");
    check(&|_| (), 99, "approval.unknown_key");
    check(&|draft| draft.quorum = "sre".into(), 4, "approval.owner");
    let unsigned = |change: &dyn Fn(&mut StandingDraft)| {
        let mut draft = good.clone();
        change(&mut draft);
        assert!(StandingGrant::sign(&draft, &key(1)).is_err());
    };
    unsigned(&|draft| draft.uses = 0);
    unsigned(&|draft| draft.uses = 1001);
    unsigned(&|draft| draft.grants = Fragment::default());
    unsigned(&|draft| draft.until = draft.issued_at);
    unsigned(&|draft| draft.scope.clear());
    let mut grants = StandingGrants::new(session(1));
    let of = |uses| StandingDraft { uses, ..good.clone() };
    for uses in 1..=MAX_GRANTS as u64 {
        assert_eq!(submit(&world, &mut grants, &of(uses), 1), "1");
        assert_eq!(submit(&world, &mut grants, &of(uses), 3), "0");
    }
    assert_eq!(submit(&world, &mut grants, &of(999), 1), "approval.too_many");
}

#[test]
fn one_of_several_people_cannot_fill_the_table() {
    let world = world();
    let mut grants = StandingGrants::new(session(1));
    let good = draft(&world);
    let of = |uses| StandingDraft { uses, ..good.clone() };
    assert_eq!(submit(&world, &mut grants, &of(11), 1), "1");
    assert_eq!(submit(&world, &mut grants, &of(12), 2), "1", "another key of the same person");
    assert_eq!(submit(&world, &mut grants, &of(13), 1), "approval.too_many");
    assert_eq!(submit(&world, &mut grants, &of(13), 3), "1", "another person");
    assert_eq!(submit(&world, &mut grants, &of(13), 2), "0", "what others wait for is taken");
    assert_eq!(submit(&world, &mut grants, &of(14), 1), "approval.too_many");
    assert_eq!(submit(&world, &mut grants, &of(11), 3), "0");
    assert_eq!(submit(&world, &mut grants, &of(14), 1), "1", "what is complete does not count");
}

// --- elevations --------------------------------------------------------------------------------------

const MANIFEST: &str = r#"{"bundle": "countersign/bundle/v1", "name": "test",
    "quorums": [{"name": "sre", "roles": ["sre"], "of": 1},
                {"name": "security", "roles": ["security"], "of": 2, "owner": "counts"}],
    "elevation": {"quorum": "sre", "minutes": 60}, "break_glass": {"quorum": "security", "minutes": 15}}"#;

fn rules() -> ElevationRules {
    let bundle = Bundle::of(PERMIT).with_file("manifest.json", MANIFEST).load().unwrap();
    bundle.snapshot().elevations().clone()
}

fn elevation(world: &World, minutes: u64, break_glass: bool) -> ElevationDraft {
    ElevationDraft {
        task: base().task().into(),
        scope: base().digest(),
        grants: tables("crm.*"),
        issued_at: world.now,
        expires: after(world, minutes * 60),
        justification: "the customer table is broken, ticket 4711".into(),
        break_glass,
    }
}

fn raise(
    world: &World,
    rules: &ElevationRules,
    table: &mut Elevations,
    draft: &ElevationDraft,
    seed: u8,
) -> String {
    let elevation = Elevation::sign(draft, &key(seed)).unwrap();
    let text = elevation.signed().as_str();
    assert_eq!(Elevation::parse(text.as_bytes()).as_ref(), Ok(&elevation));
    let found =
        world.with(|moment| table.submit(&elevation, &base(), rules, moment, &PurePaths::new()));
    found.map_or_else(|refusal| refusal.code().into(), |signed| signed.missing.to_string())
}

fn allowed(world: &World, rules: &ElevationRules, table: &Elevations, effect: &Effect) -> bool {
    let active = world.with(|moment| table.active(rules, moment));
    active.iter().any(|elevated| elevated.grants.check(effect, &PurePaths::new()).is_ok())
}

#[test]
fn an_elevation_adds_for_minutes_and_ends_by_itself() {
    let (mut world, rules, mut table) = (world(), rules(), Elevations::new());
    let draft = elevation(&world, 60, false);
    assert!(base().check(&write("crm.customers"), &PurePaths::new()).is_err());
    assert!(!allowed(&world, &rules, &table, &write("crm.customers")));
    assert_eq!(raise(&world, &rules, &mut table, &draft, 1), "0");
    assert!(allowed(&world, &rules, &table, &write("crm.customers")));
    assert!(!allowed(&world, &rules, &table, &write("hr.people")));
    let active = world.with(|moment| table.active(&rules, moment));
    assert_eq!(active.len(), 1);
    assert_eq!(&*active[0].approvals[0].approver, "user:ann");
    assert!(!active[0].elevation.is_break_glass());
    assert_eq!(active[0].elevation.scope(), base().digest());
    // Whatever changes takes it away.
    let gone = |change: fn(&mut World)| {
        let mut world = world.clone();
        change(&mut world);
        assert!(!allowed(&world, &rules, &table, &write("crm.customers")));
    };
    gone(|world| world.scope = vec![digest(1)]);
    gone(|world| world.directory = crate::support::people::directory_without(&[1]));
    gone(|world| world.quorums[0].of = 2);
    gone(|world| world.quorums.clear());
    gone(|world| world.now = Timestamp::from_millis(world.now.as_millis() - 1));
    let mut shorter = rules.clone();
    shorter.elevation.as_mut().unwrap().minutes = 59;
    assert!(!allowed(&world, &shorter, &table, &write("crm.customers")));
    let mut revoked = world.clone();
    revoked.revoked.insert(active[0].approvals[0].id);
    assert!(!allowed(&revoked, &rules, &table, &write("crm.customers")));
    assert!(!allowed(&world, &ElevationRules::default(), &table, &write("crm.customers")));
    world.advance(3599);
    assert!(allowed(&world, &rules, &table, &write("crm.customers")));
    world.advance(1);
    assert!(!allowed(&world, &rules, &table, &write("crm.customers")));
    assert_eq!(table.sweep(world.now).len(), 1);
    assert_eq!(raise(&world, &rules, &mut table, &draft, 1), "elevation.expired");
}

#[test]
fn breaking_the_glass_takes_others_and_is_shorter() {
    let (world, rules, mut table) = (world(), rules(), Elevations::new());
    let long = elevation(&world, 16, true);
    assert_eq!(raise(&world, &rules, &mut table, &long, 1), "elevation.too_long");
    let draft = elevation(&world, 15, true);
    assert_eq!(raise(&world, &rules, &mut table, &draft, 1), "1");
    assert_eq!(raise(&world, &rules, &mut table, &draft, 2), "elevation.duplicate");
    assert!(!allowed(&world, &rules, &table, &write("crm.customers")));
    assert_eq!(raise(&world, &rules, &mut table, &draft, 7), "0");
    assert!(allowed(&world, &rules, &table, &write("crm.customers")));
    let active = world.with(|moment| table.active(&rules, moment));
    assert!(active[0].elevation.is_break_glass());
    let id = active[0].elevation.id();
    assert!(table.end(id) && !table.end(id));
    assert!(!allowed(&world, &rules, &table, &write("crm.customers")));
    assert_eq!(raise(&world, &rules, &mut table, &draft, 3), "elevation.ended");
}

#[test]
fn each_thing_that_is_wrong_with_an_elevation_has_its_code() {
    let (world, rules) = (world(), rules());
    let good = elevation(&world, 10, false);
    let check = |change: &dyn Fn(&mut ElevationDraft), seed: u8, code: &str| {
        let mut draft = good.clone();
        change(&mut draft);
        let mut table = Elevations::new();
        assert_eq!(raise(&world, &rules, &mut table, &draft, seed), code);
        assert!(world.with(|moment| table.active(&rules, moment)).is_empty());
    };
    check(&|draft| draft.task = "another".into(), 1, "elevation.wrong_task");
    check(&|draft| draft.scope = digest(1), 1, "elevation.wrong_scope");
    check(&|draft| draft.grants = tables("a[**"), 1, "elevation.pattern");
    check(&|draft| draft.issued_at = after(&world, 1), 1, "elevation.not_yet_valid");
    check(&|draft| draft.expires = after(&world, 3601), 1, "elevation.too_long");
    check(&|_| (), 99, "elevation.unknown_key");
    check(&|_| (), 8, "elevation.not_eligible");
    check(&|_| (), 5, "elevation.requester");
    check(&|_| (), 4, "elevation.owner");
    check(&|_| (), 6, "elevation.agent");
    let mut table = Elevations::new();
    let none = ElevationRules::default();
    assert_eq!(raise(&world, &none, &mut table, &good, 1), "elevation.absent");
    let mut late = world.clone();
    late.now = Timestamp::from_millis(base().expires().as_millis() - 60_000);
    let past = elevation(&late, 2, false);
    assert_eq!(raise(&late, &rules, &mut table, &past, 1), "elevation.past_scope");
    for minutes in 1..=8 {
        let draft = elevation(&world, minutes, false);
        assert_eq!(raise(&world, &rules, &mut table, &draft, 1), "0");
    }
    let more = elevation(&world, 9, false);
    assert_eq!(raise(&world, &rules, &mut table, &more, 1), "elevation.too_many");
    let unsigned = |change: &dyn Fn(&mut ElevationDraft)| {
        let mut draft = good.clone();
        change(&mut draft);
        assert!(Elevation::sign(&draft, &key(1)).is_err());
    };
    unsigned(&|draft| draft.justification = "because".into());
    unsigned(&|draft| draft.justification = "x".repeat(501).into());
    unsigned(&|draft| draft.justification = "looks fine \u{202e} to me".into());
    unsigned(&|draft| draft.grants = Fragment::default());
    unsigned(&|draft| draft.expires = draft.issued_at);
    unsigned(&|draft| draft.task = "".into());
}

#[test]
fn any_byte_that_changes_makes_it_nothing() {
    let world = world();
    let grant = StandingGrant::sign(&draft(&world), &key(1)).unwrap();
    let elevation = Elevation::sign(&elevation(&world, 10, true), &key(1)).unwrap();
    let (grant, elevation) = (grant.signed().as_str(), elevation.signed().as_str());
    assert!(Elevation::parse(grant.as_bytes()).is_err());
    assert!(StandingGrant::parse(elevation.as_bytes()).is_err());
    for place in 0..grant.len().max(elevation.len()) {
        let change = |text: &str| {
            let mut bytes = text.to_owned().into_bytes();
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1;
            } else {
                bytes.clear();
            }
            bytes
        };
        assert!(StandingGrant::parse(&change(grant)).is_err(), "byte {place}");
        assert!(Elevation::parse(&change(elevation)).is_err(), "byte {place}");
    }
}

// --- against a model that remembers who has signed what ----------------------------------------------

#[derive(Debug, Clone)]
enum Step {
    Sign { which: u8, seed: u8 },
    Use { table: bool },
    Revoke { which: u8, seed: u8 },
    Keys(bool),
    End(u8),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let seed = || select(vec![1_u8, 2, 3, 4, 5, 6, 7, 8, 99]);
    prop_oneof![
        8 => (0..3_u8, seed()).prop_map(|(which, seed)| Step::Sign { which, seed }),
        6 => any::<bool>().prop_map(|table| Step::Use { table }),
        1 => (0..3_u8, seed()).prop_map(|(which, seed)| Step::Revoke { which, seed }),
        1 => any::<bool>().prop_map(Step::Keys),
        1 => (0..30_u8).prop_map(Step::End),
        2 => select(vec![1_u64, 120, 400]).prop_map(Step::Advance),
    ]
}

/// The people who have signed and count at this moment, towards `security`.
fn signers(world: &World, signed: &BTreeMap<u8, countersign::digest::Digest>) -> BTreeSet<String> {
    let counts = |seed: &u8| {
        let person = world.directory.person(&key(*seed).trusted())?;
        let roles = PEOPLE.iter().find(|it| it.0 == *seed)?.3;
        let eligible = roles.contains(&"security") && ![5, 6].contains(seed);
        let revoked = world.revoked.contains(&signed[seed]);
        (eligible && !revoked).then(|| person.id.to_string())
    };
    signed.keys().filter_map(counts).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn standing_grants_serve_no_more_than_was_signed(steps in prop::collection::vec(step(), 0..40)) {
        let mut world = world();
        let start = draft(&world);
        let draft = |which: u8| StandingDraft {
            uses: 1 + u64::from(which),
            until: start.until.plus(Duration::from_secs(60 * u64::from(which))),
            ..start.clone()
        };
        let mut grants = StandingGrants::new(session(1));
        let mut signed: [BTreeMap<u8, _>; 3] = Default::default();
        let mut used = [0_u64; 3];
        let id = |which: u8| StandingGrant::sign(&draft(which), &key(1)).unwrap().id();
        for step in steps {
            match step {
                Step::Sign { which, seed } => {
                    let found = submit(&world, &mut grants, &draft(which), seed);
                    if found.parse::<u32>().is_ok() {
                        let grant = StandingGrant::sign(&draft(which), &key(seed)).unwrap();
                        signed[usize::from(which)].insert(seed, grant.signed().digest());
                    }
                }
                Step::Use { table } => {
                    let effect = write(if table { "crm.customers" } else { "hr.people" });
                    let met = world.with(|moment| grants.granted(&effect, moment, &PurePaths::new()));
                    prop_assert!(met.len() <= 1);
                    let holds = |which: &u8| {
                        let place = usize::from(*which);
                        signers(&world, &signed[place]).len() >= 2
                            && used[place] <= u64::from(*which)
                            && world.now < draft(*which).until
                    };
                    let expected = (0..3_u8).find(holds).filter(|_| table);
                    prop_assert_eq!(met.first().map(|met| met.grant), expected.map(id));
                    if let (Some(met), Some(which)) = (met.first(), expected) {
                        prop_assert!(grants.consume(&[met.grant]));
                        used[usize::from(which)] += 1;
                        prop_assert!(used[usize::from(which)] <= draft(which).uses);
                    }
                }
                Step::Revoke { which, seed } => {
                    let grant = StandingGrant::sign(&draft(which), &key(seed)).unwrap();
                    world.revoked.insert(grant.signed().digest());
                }
                Step::Keys(all) => {
                    let without: &[u8] = if all { &[] } else { &[2, 3] };
                    world.directory = crate::support::people::directory_without(without);
                }
                Step::End(which) if which < 3 => {
                    grants.end(id(which));
                    if !signed[usize::from(which)].is_empty() {
                        used[usize::from(which)] = u64::MAX;
                    }
                }
                Step::End(_) => {}
                Step::Advance(seconds) => world.advance(seconds),
            }
        }
    }

    #[test]
    fn elevations_hold_while_enough_people_do(steps in prop::collection::vec(step(), 0..40)) {
        let (mut world, rules, mut table) = (world(), rules_once(), Elevations::new());
        let start = world.clone();
        let draft = |which: u8| elevation(&start, 5 * (1 + u64::from(which)), true);
        let mut signed: [BTreeMap<u8, _>; 3] = Default::default();
        let mut ended = [false; 3];
        let id = |which: u8| Elevation::sign(&draft(which), &key(1)).unwrap().id();
        for step in steps {
            match step {
                Step::Sign { which, seed } => {
                    let found = raise(&world, rules, &mut table, &draft(which), seed);
                    if found.parse::<u32>().is_ok() {
                        let elevation = Elevation::sign(&draft(which), &key(seed)).unwrap();
                        signed[usize::from(which)].insert(seed, elevation.signed().digest());
                    }
                }
                Step::Revoke { which, seed } => {
                    let elevation = Elevation::sign(&draft(which), &key(seed)).unwrap();
                    world.revoked.insert(elevation.signed().digest());
                }
                Step::Keys(all) => {
                    let without: &[u8] = if all { &[] } else { &[2, 3] };
                    world.directory = crate::support::people::directory_without(without);
                }
                Step::End(which) if which < 3 => {
                    ended[usize::from(which)] |= table.end(id(which));
                }
                Step::End(_) | Step::Use { .. } => {}
                Step::Advance(seconds) => world.advance(seconds),
            }
            let active = world.with(|moment| table.active(rules, moment));
            let active: BTreeSet<_> = active.iter().map(|it| it.elevation.id()).collect();
            let holds = |which: &u8| {
                let place = usize::from(*which);
                signers(&world, &signed[place]).len() >= 2
                    && !ended[place]
                    && world.now < draft(*which).expires
            };
            let expected: BTreeSet<_> = (0..3_u8).filter(holds).map(id).collect();
            prop_assert_eq!(active, expected);
        }
    }
}

fn rules_once() -> &'static ElevationRules {
    static RULES: std::sync::LazyLock<ElevationRules> = std::sync::LazyLock::new(rules);
    &RULES
}
