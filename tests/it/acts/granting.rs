//! Standing grants and elevations: bounded additions, each held against everything as it is.

use countersign::action::{Action, Domain, EffectContext, Effects, ReadData, WriteData};
use countersign::authorizer::FindingKind;
use countersign::governance::{ElevationDraft, Fragment, MAX_ELEVATIONS, Revoked, StandingDraft};
use countersign::session::Acted;
use countersign::time::Timestamp;
use countersign::value::Value;
use countersign::{Decision, Session};

use crate::support::people::key;
use crate::support::site::{
    Both, POLICIES, Site, approve, ask, asking, below, code, descriptor, directory_without,
    elevate, grant, mail, other, reads, request, scope, tables,
};

fn write() -> WriteData {
    WriteData::table("crm.orders")
}

/// Writes two tables in one call.
#[derive(Debug, Clone)]
struct Pair(&'static str, &'static str);

impl Action for Pair {
    fn kind(&self) -> std::borrow::Cow<'static, str> {
        "Pair".into()
    }

    fn describe(&self) -> Value {
        Value::Null
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        WriteData::table(self.0).effects(context, effects);
        WriteData::table(self.1).effects(context, effects);
    }
}

/// A session with a standing grant that is good: to write tables of `crm` twice.
fn standing(change: impl Fn(&mut StandingDraft)) -> (Site, Session, StandingDraft) {
    let site = Site::new();
    let session = site.session();
    let mut draft = site.standing(&session, &[&scope("coder", 2)]);
    change(&mut draft);
    assert_eq!(code(grant(&session, &draft, 3)), "");
    site.last_act("standing_grant ok");
    (site, session, draft)
}

#[test]
fn a_standing_grant_serves_so_many_calls() {
    let (site, session, draft) = standing(|_| ());
    assert_eq!(ask(&session, mail()), "defer sre", "another domain");
    assert_eq!(ask(&session, WriteData::new("src/a.rs")), "defer sre", "outside of the pattern");
    assert_eq!(ask(&session, WriteData::table("hr.people")), "scope.write", "outside of the scope");
    assert_eq!(ask(&session, write()), "allow");
    assert_eq!(code(grant(&session, &draft, 3)), "approval.duplicate");
    assert_eq!(ask(&session, WriteData::table("crm.people")), "allow");
    assert_eq!(ask(&session, write()), "defer sre");
    assert_eq!(code(grant(&session, &draft, 3)), "approval.used");
    assert_eq!(code(grant(&session, &draft, 1)), "approval.used");
    assert_eq!(ask(&session, write()), "defer sre");
    site.holds();
}

#[test]
fn a_standing_grant_counts_where_it_holds_all_that_a_call_does_there() {
    let (site, session, _) = standing(|draft| draft.grants = tables("crm.orders"));
    assert_eq!(ask(&session, Pair("crm.orders", "crm.people")), "defer sre sre");
    assert_eq!(ask(&session, Both("crm.orders")), "defer sre", "the message has nobody's word");
    let mut mails = site.standing(&session, &[&scope("coder", 2)]);
    mails.domain = Domain::Application;
    mails.uses = 1;
    mails.grants = Fragment::default();
    mails.grants.actions.messages = vec!["email:ops@example.org".into()];
    assert_eq!(code(grant(&session, &mails, 1)), "");
    assert_eq!(ask(&session, Both("crm.orders")), "allow");
    assert_eq!(ask(&session, Both("crm.orders")), "defer sre", "one of the two is used up");
    assert_eq!(ask(&session, write()), "allow");
    assert_eq!(ask(&session, write()), "defer sre");
    site.holds();
}

#[test]
fn an_approval_goes_before_a_standing_grant() {
    let (site, session, _) = standing(|draft| draft.uses = 1);
    let permit = session.authorize(write()).unwrap().permit().unwrap();
    assert_eq!(permit.effects().len(), 1);
    drop(permit);
    let (site_2, session_2, draft) = standing(|draft| draft.uses = 1);
    site_2.authorizer.reload_directory(&directory_without(&[3]));
    let asked = request(&site_2, &session_2, write());
    assert_eq!(code(approve(&session_2, &site_2.sign(&asked, Domain::Data, "sre", 1))), "");
    site_2.authorizer.reload_directory(&directory_without(&[]));
    assert_eq!(ask(&session_2, write()), "allow");
    assert_eq!(ask(&session_2, write()), "allow", "the grant has its use still");
    assert_eq!(ask(&session_2, write()), "defer sre");
    assert_eq!(code(grant(&session_2, &draft, 3)), "approval.used");
    site.holds();
    site_2.holds();
}

#[test]
fn a_standing_grant_is_bound_to_everything_as_it_is() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let second = site.open(&top, "coder/2");
    let good = site.standing(&session, &[&top]);
    let check = |expected: &str, seed: u8, change: &dyn Fn(&mut StandingDraft)| {
        let mut draft = good.clone();
        change(&mut draft);
        assert_eq!(code(grant(&session, &draft, seed)), expected);
        site.last_act(&format!("standing_grant {expected}"));
        assert_eq!(ask(&session, write()), "defer sre");
    };
    check("approval.wrong_session", 3, &|draft| draft.session = second.id());
    check("approval.scope_changed", 3, &|draft| draft.scope = vec![draft.bundle]);
    check("approval.scope_changed", 3, &|draft| draft.scope.push(draft.bundle));
    check("approval.bundle_changed", 3, &|draft| draft.bundle = draft.scope[0]);
    check("approval.wrong_quorum", 3, &|draft| draft.quorum = "nobody".into());
    check("approval.not_yet_valid", 3, &|draft| draft.issued_at = site.after(1));
    check("approval.too_long", 3, &|draft| draft.until = site.after(7201));
    check("approval.pattern", 3, &|draft| draft.grants = tables("a[**"));
    check("approval.unknown_key", 99, &|_| ());
    check("approval.owner", 4, &|_| ());
    check("approval.requester", 5, &|_| ());
    check("approval.agent", 6, &|_| ());
    check("approval.not_eligible", 8, &|_| ());
    site.wait(600);
    check("approval.expired", 3, &|_| ());
    site.holds();
}

#[test]
fn a_standing_grant_holds_only_while_everything_does() {
    let stale = |change: &dyn Fn(&Site), after: &str| {
        let (site, session, _) = standing(|_| ());
        change(&site);
        assert_eq!(ask(&session, write()), after);
        site.holds();
    };
    stale(&|site| site.wait(599), "allow");
    stale(&|site| site.wait(600), "defer sre");
    stale(&|site| site.reload(&other()), "defer sre");
    stale(&|site| site.authorizer.reload_directory(&directory_without(&[3])), "defer sre");
    stale(&|site| site.revoke(Revoked::Key(*key(3).trusted().as_bytes())), "defer sre");
    stale(&|site| site.revoke(Revoked::Issuer("user:ben".into())), "defer sre");
    let back = |site: &Site| {
        site.reload(&other());
        site.reload(&asking());
    };
    stale(&back, "allow");
}

#[test]
fn a_standing_grant_takes_as_many_people_as_its_quorum() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let mut draft = site.standing(&session, &[&top]);
    draft.quorum = "security".into();
    draft.grants = Fragment::default();
    draft.grants.touch.delete.push("table:crm.*".into());
    let delete = || countersign::action::DeleteData::table("crm.orders");
    let missing = |seed| match grant(&session, &draft, seed) {
        Ok(Acted::Granted(signed)) => signed.missing.to_string(),
        Ok(other) => panic!("{other:?}"),
        Err(error) => error.reason().unwrap().code().into(),
    };
    assert_eq!(missing(1), "1");
    assert_eq!(missing(2), "approval.duplicate", "the other key of the same person");
    assert_eq!(ask(&session, delete()), "defer security");
    assert_eq!(missing(4), "0", "owners count here");
    assert_eq!(ask(&session, delete()), "allow");
    site.holds();
}

#[test]
fn a_standing_grant_is_not_filled_up_by_a_restart() {
    let (site, session, draft) = standing(|draft| draft.uses = 1);
    let id = session.id();
    assert_eq!(ask(&session, write()), "allow");
    drop(session);
    site.wait(1);
    let top = scope("coder", 2);
    let agent = crate::support::site::instance("coder/1");
    let (site, stored) = site.restart();
    let trusted = top.dangerous().trust_unsigned();
    let session = site.authorizer.resume(&stored, id, &trusted, agent).unwrap();
    assert_eq!(ask(&session, write()), "defer sre");
    assert_eq!(code(grant(&session, &draft, 3)), "approval.used");
    site.last_act("standing_grant approval.used");
    assert_eq!(ask(&session, write()), "defer sre");
    // What is signed from now on serves.
    site.wait(1);
    let fresh = site.standing(&session, &[&top]);
    assert_eq!(code(grant(&session, &fresh, 3)), "");
    assert_eq!(ask(&session, write()), "allow");
    site.holds();
}

#[test]
fn a_grant_of_one_session_does_not_serve_its_delegate() {
    let site = Site::new();
    let top = scope("coder", 2);
    let narrow = below(&top, descriptor("helper", 1));
    let parent = site.open(&top, "coder/1");
    let child = site.delegate(&parent, &narrow, "helper/1");
    let draft = site.standing(&parent, &[&top]);
    assert_eq!(code(grant(&child, &draft, 3)), "approval.wrong_session");
    assert_eq!(code(grant(&parent, &draft, 3)), "");
    assert_eq!(ask(&child, write()), "defer sre");
    let short = site.standing(&child, &[&narrow]);
    assert_eq!(code(grant(&child, &short, 3)), "approval.scope_changed");
    let own = site.standing(&child, &[&top, &narrow]);
    assert_eq!(code(grant(&child, &own, 3)), "");
    assert_eq!(ask(&child, write()), "allow");
    site.holds();
}

// Elevations.

fn roster() -> ReadData {
    ReadData::table("hr.roster")
}

#[test]
fn an_elevation_adds_to_a_scope_for_a_while() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    assert_eq!(ask(&session, roster()), "scope.read");
    let draft = site.elevation(&top);
    assert_eq!(code(elevate(&session, &draft, 3)), "");
    site.last_act("elevation ok");
    assert_eq!(code(elevate(&session, &draft, 3)), "elevation.duplicate");
    for _ in 0..3 {
        assert_eq!(ask(&session, roster()), "allow");
    }
    assert_eq!(ask(&session, ReadData::table("pay.roster")), "scope.read");
    assert_eq!(ask(&session, WriteData::table("hr.roster")), "scope.write");
    site.wait(599);
    assert_eq!(ask(&session, roster()), "allow");
    site.wait(1);
    assert_eq!(ask(&session, roster()), "scope.read");
    assert_eq!(code(elevate(&session, &draft, 1)), "elevation.expired");
    site.holds();
}

#[test]
fn an_elevation_adds_to_the_scope_and_to_nothing_else() {
    let site = Site::new();
    let mut few = descriptor("coder", 2);
    few.limits.actions = Some(2);
    let top = countersign::scope::Scope::from_descriptor(&few).unwrap();
    let session = site.open(&top, "coder/1");
    let mut draft = site.elevation(&top);
    draft.grants.touch.write.push("table:hr.*".into());
    assert_eq!(code(elevate(&session, &draft, 3)), "");
    assert_eq!(ask(&session, WriteData::table("hr.roster")), "defer sre", "policies hold");
    assert_eq!(ask(&session, roster()), "allow");
    assert_eq!(ask(&session, roster()), "allow");
    assert_eq!(ask(&session, roster()), "limit.actions", "limits hold");
    site.holds();
}

#[test]
fn an_elevation_adds_to_one_hop_of_a_chain() {
    let site = Site::new();
    let top = scope("coder", 2);
    let mut wide = descriptor("helper", 1);
    wide.touch.read.push("table:hr.*".into());
    let wide = below(&top, wide);
    let narrow = below(&top, descriptor("reader", 1));
    let parent = site.open(&top, "coder/1");
    let child = site.delegate(&parent, &wide, "helper/1");
    let other = site.delegate(&parent, &narrow, "reader/1");
    assert_eq!(ask(&child, roster()), "scope.read");
    let above = site.elevation(&top);
    // To the parent it says nothing of its delegates.
    assert_eq!(code(elevate(&parent, &above, 3)), "");
    assert_eq!(ask(&parent, roster()), "allow");
    assert_eq!(ask(&child, roster()), "scope.read");
    assert_eq!(code(elevate(&child, &above, 3)), "");
    assert_eq!(ask(&child, roster()), "allow", "its own scope grants it");
    assert_eq!(code(elevate(&other, &above, 3)), "");
    assert_eq!(ask(&other, roster()), "scope.read", "its own scope does not grant it");
    assert_eq!(code(elevate(&other, &site.elevation(&narrow), 3)), "");
    assert_eq!(ask(&other, roster()), "allow", "both hops were added to");
    assert_eq!(code(elevate(&parent, &site.elevation(&narrow), 3)), "elevation.wrong_scope");
    site.wait(600);
    for session in [&parent, &child, &other] {
        assert_eq!(ask(session, roster()), "scope.read");
    }
    site.holds();
}

#[test]
fn an_elevation_that_is_wrong_is_refused_with_its_reason() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let good = site.elevation(&top);
    let check = |expected: &str, seed: u8, change: &dyn Fn(&mut ElevationDraft)| {
        let mut draft = good.clone();
        change(&mut draft);
        assert_eq!(code(elevate(&session, &draft, seed)), expected);
        site.last_act(&format!("elevation {expected}"));
        assert_eq!(ask(&session, roster()), "scope.read");
    };
    check("elevation.wrong_scope", 3, &|draft| draft.scope = site.authorizer.bundle());
    check("elevation.wrong_task", 3, &|draft| draft.task = "another".into());
    check("elevation.not_yet_valid", 3, &|draft| draft.issued_at = site.after(1));
    check("elevation.too_long", 3, &|draft| draft.expires = site.after(3601));
    check("elevation.too_long", 3, &|draft| {
        draft.break_glass = true;
        draft.expires = site.after(901);
    });
    check("elevation.pattern", 3, &|draft| draft.grants = reads("table:a[**"));
    check("elevation.unknown_key", 99, &|_| ());
    check("elevation.owner", 4, &|_| ());
    check("elevation.requester", 5, &|_| ());
    check("elevation.agent", 6, &|_| ());
    check("elevation.not_eligible", 8, &|_| ());
    site.wait(600);
    check("elevation.expired", 3, &|_| ());
    site.wait(6000);
    check("elevation.past_scope", 3, &|draft| {
        draft.issued_at = site.now();
        draft.expires = site.after(601);
    });
    assert_eq!(site.told(), [FindingKind::FirstDenial]);
    site.holds();
}

#[test]
fn an_elevation_holds_only_while_everything_does() {
    let stale = |change: &dyn Fn(&Site, &Acted), after: &str| {
        let site = Site::new();
        let top = scope("coder", 2);
        let session = site.open(&top, "coder/1");
        let elevated = elevate(&session, &site.elevation(&top), 3).unwrap();
        let permit = session.authorize(roster()).unwrap().permit().unwrap();
        change(&site, &elevated);
        assert_eq!(permit.start().is_ok(), after == "allow", "the permit that is out");
        assert_eq!(ask(&session, roster()), after);
        site.holds();
    };
    stale(&|_, _| (), "allow");
    stale(&|site, _| site.wait(600), "scope.read");
    let none = bundle_without_elevations();
    stale(&|site, _| site.reload(&none), "scope.read");
    stale(&|site, _| site.authorizer.reload_directory(&directory_without(&[3])), "scope.read");
    stale(&|site, _| site.revoke(Revoked::Key(*key(3).trusted().as_bytes())), "scope.read");
    stale(&|site, _| site.revoke(Revoked::Issuer("user:ben".into())), "scope.read");
    let document = |site: &Site, elevated: &Acted| {
        let Acted::Elevated(signed) = elevated else { panic!() };
        site.revoke(Revoked::Approval(signed.document));
    };
    stale(&document, "scope.read");
}

fn bundle_without_elevations() -> countersign::policy::Enforced {
    let manifest = r#"{"bundle": "countersign/bundle/v1", "name": "test", "quorums": [
        {"name": "sre", "roles": ["sre"], "of": 1},
        {"name": "security", "roles": ["security"], "of": 2}]}"#;
    let bundle = crate::support::gate::Bundle::but(POLICIES).with_file("manifest.json", manifest);
    bundle.load().unwrap()
}

#[test]
fn a_bundle_that_names_nobody_takes_no_elevation() {
    let site = Site::with(bundle_without_elevations(), countersign::action::path::PurePaths::new());
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    assert_eq!(code(elevate(&session, &site.elevation(&top), 3)), "elevation.absent");
    let draft = site.declassification(&session, &[&top], "secret");
    let declassified = crate::support::site::declassify(&session, &draft, &[1, 3]);
    assert_eq!(code(declassified), "declassification.absent");
    site.holds();
}

#[test]
fn a_permit_ends_with_the_elevation_that_it_rests_on() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    assert_eq!(code(elevate(&session, &site.elevation(&top), 3)), "");
    site.wait(590);
    let until = |action: ReadData| match session.authorize(action).unwrap() {
        Decision::Allow(permit) => permit.until(),
        other => panic!("{other:?}"),
    };
    assert_eq!(until(roster()), site.after(10));
    assert_eq!(until(ReadData::table("crm.orders")), site.after(30), "this needs none");
    site.holds();
}

#[test]
fn a_session_holds_few_elevations() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    for number in 0..=MAX_ELEVATIONS {
        let mut draft = site.elevation(&top);
        draft.grants = reads(&format!("table:hr{number}.*"));
        let expected = if number < MAX_ELEVATIONS { "" } else { "elevation.too_many" };
        assert_eq!(code(elevate(&session, &draft, 3)), expected);
    }
    assert_eq!(ask(&session, ReadData::table("hr7.a")), "allow");
    assert_eq!(ask(&session, ReadData::table("hr8.a")), "scope.read");
    site.wait(600);
    assert_eq!(code(elevate(&session, &site.elevation(&top), 3)), "", "those that ended make room");
    site.holds();
}

#[test]
fn breaking_the_glass_is_told_once() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let draft = ElevationDraft { break_glass: true, ..site.elevation(&top) };
    assert_eq!(code(elevate(&session, &draft, 99)), "elevation.unknown_key");
    assert_eq!(site.told(), [], "nothing was broken");
    assert_eq!(code(elevate(&session, &draft, 3)), "");
    assert_eq!(site.told_of(), [(FindingKind::BreakGlass, Some(session.id()))]);
    assert_eq!(code(elevate(&session, &draft, 1)), "", "one more signature under the same");
    assert_eq!(code(elevate(&session, &draft, 3)), "elevation.duplicate");
    assert_eq!(site.told(), []);
    assert_eq!(ask(&session, roster()), "allow");
    let another = ElevationDraft { expires: site.after(500), ..draft };
    assert_eq!(code(elevate(&session, &another, 3)), "");
    assert_eq!(site.told(), [FindingKind::BreakGlass]);
    site.holds();
}

#[test]
fn an_elevation_does_not_outlive_what_stops_the_session() {
    let site = Site::new();
    let top = scope("coder", 2);
    let session = site.open(&top, "coder/1");
    let mut draft = site.elevation(&top);
    site.clock.set(Timestamp::parse_rfc3339("2026-11-21T10:55:00Z").unwrap());
    (draft.issued_at, draft.expires) = (site.now(), site.after(300));
    assert_eq!(code(elevate(&session, &draft, 3)), "");
    assert_eq!(ask(&session, roster()), "allow");
    site.wait(300);
    assert_eq!(ask(&session, roster()), "session.expired");
    site.holds();
}
