//! The same on four threads at once, without a model: what holds in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign::action::{Domain, ReadData, WriteData};
use countersign::authorizer::Halt;
use countersign::governance::Revoked;
use countersign::scope::Scope;
use countersign::{Decision, Session};
use proptest::prelude::*;

use crate::support::site::{
    Site, approve, asking, below, declassify, descriptor, directory_without, elevate, grant,
    instance, other,
};

/// One thread's story: what it does, and to which session.
type Story = Vec<(u8, u8)>;

struct Shared {
    site: Site,
    scopes: Vec<Scope>,
    sessions: Mutex<Vec<(Session, usize)>>,
    allowed: AtomicUsize,
    written: AtomicUsize,
    accepted: AtomicUsize,
    /// Approvals of one action.
    single: Mutex<BTreeSet<String>>,
}

const ACTIONS: usize = 25;

impl Shared {
    fn new() -> Self {
        let site = Site::new();
        let mut top = descriptor("coder", 2);
        top.limits.actions = Some(ACTIONS as u64);
        let top = Scope::from_descriptor(&top).unwrap();
        let mut wide = descriptor("helper", 1);
        wide.limits.actions = Some(500);
        let wide = below(&top, wide);
        let low = below(&wide, descriptor("reader", 0));
        let session = site.open(&top, "coder/1");
        site.knows(&wide);
        site.knows(&low);
        let sessions = Mutex::new(vec![(session, 0)]);
        let (allowed, written, accepted, single) = Default::default();
        let scopes = vec![top, wide, low];
        Self { site, scopes, sessions, allowed, written, accepted, single }
    }

    fn step(&self, (kind, which): (u8, u8)) {
        let (session, depth) = {
            let sessions = self.sessions.lock().unwrap();
            sessions[usize::from(which) % sessions.len()].clone()
        };
        let write = || WriteData::table("crm.a");
        let chain: Vec<&Scope> = self.scopes[..=depth].iter().collect();
        match kind {
            0..4 => self.count(session.authorize(ReadData::table("crm.a")), &self.allowed),
            4..7 => {
                let Ok(decision) = session.authorize(write()) else { return };
                if let Decision::Defer(deferral) = decision {
                    let asked = session.request_approval(&deferral, self.site.after(300));
                    let Ok(request) = asked else { return };
                    let vote = self.site.sign(&request, Domain::Data, "sre", 3);
                    self.single.lock().unwrap().insert(vote.id().to_string());
                    let accepted = approve(&session, &vote).is_ok();
                    self.accepted.fetch_add(usize::from(accepted), Ordering::SeqCst);
                    self.count(session.authorize(write()), &self.written);
                } else {
                    self.count(Ok(decision), &self.written);
                }
            }
            7 => drop(elevate(&session, &self.site.elevation(chain[depth]), 3)),
            8 => self.count(session.authorize(ReadData::table("hr.a")), &self.allowed),
            9 => {
                let path = format!("{}/{}", ["helper", "reader"][depth.min(1)], which % 5);
                let Some(scope) = self.scopes.get(depth + 1) else { return };
                let Ok(child) = session.delegate(scope, instance(&path)) else { return };
                self.sessions.lock().unwrap().push((child, depth + 1));
            }
            10 => session.add_label("secret").unwrap_or_default(),
            11 => {
                let draft = self.site.declassification(&session, &chain, "secret");
                drop(declassify(&session, &draft, &[1, 3]));
            }
            12 => {
                let draft = self.site.standing(&session, &chain);
                if grant(&session, &draft, 1).is_ok() {
                    // Two uses.
                    self.accepted.fetch_add(2, Ordering::SeqCst);
                }
            }
            13 => drop(session.head()),
            14 => self.site.authorizer.reload(&if which < 128 { asking() } else { other() }),
            15 => self.site.authorizer.reload_directory(&directory_without(&[1, 2])),
            16 if which < 40 => {
                let list = self.site.list(&[Revoked::Session(session.id())]);
                // Another thread may have brought a newer one.
                drop(self.site.authorizer.revoke(&list));
            }
            17 if which < 20 => {
                self.site.authorizer.halt(&Halt::Session(session.id()), "drill").unwrap();
            }
            18 if which < 20 => drop(session.close()),
            _ => self.site.clock.advance(u64::from(which)),
        }
    }

    fn count<A: countersign::Action>(
        &self,
        decision: Result<Decision<A>, countersign::AuthorizeError>,
        counter: &AtomicUsize,
    ) {
        let Some(permit) = decision.ok().and_then(Decision::permit) else { return };
        counter.fetch_add(1, Ordering::SeqCst);
        // Started or not, it is on record.
        if let Ok((_, running)) = permit.start() {
            drop(running.report(true));
        }
    }
}

#[test]
fn four_threads_on_one_tree_leave_it_whole() {
    let config =
        ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let story = prop::collection::vec((0_u8..20, any::<u8>()), 40);
    let (allowed, written) = (AtomicUsize::new(0), AtomicUsize::new(0));
    runner
        .run(&prop::array::uniform4(story), |stories: [Story; 4]| {
            let shared = Shared::new();
            // Both bundles are known to the replayer.
            shared.site.reload(&other());
            shared.site.reload(&asking());
            std::thread::scope(|scope| {
                for story in stories {
                    scope.spawn(|| story.into_iter().for_each(|step| shared.step(step)));
                }
            });
            let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
            let (read, wrote) = (count(&shared.allowed), count(&shared.written));
            prop_assert!(read + wrote <= ACTIONS, "what a tree uses is used up at its top");
            prop_assert!(wrote <= count(&shared.accepted), "nothing is written on nobody's word");
            check_once(&shared)?;
            shared.site.holds();
            allowed.fetch_add(read, Ordering::SeqCst);
            written.fetch_add(wrote, Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
    assert!(allowed.into_inner() > 50 && written.into_inner() > 20);
}

/// No approval stands in two calls; a standing grant in no more than it has uses.
fn check_once(shared: &Shared) -> Result<(), TestCaseError> {
    let mut calls: BTreeMap<String, BTreeSet<(String, u64)>> = BTreeMap::new();
    for line in shared.site.sink.lines() {
        let line: serde_json::Value = serde_json::from_str(line.as_str()).unwrap();
        let receipt = &line["receipt"];
        for used in receipt["approvals"].as_array().into_iter().flatten() {
            let session = receipt["session"].as_str().unwrap().to_owned();
            let call = (session, receipt["call"].as_u64().unwrap());
            calls.entry(used["id"].as_str().unwrap().to_owned()).or_default().insert(call);
        }
    }
    let single = shared.single.lock().unwrap();
    for (id, calls) in calls {
        let most = if single.contains(&id) { 1 } else { 2 };
        prop_assert!(calls.len() <= most, "{} served {} times", id, calls.len());
    }
    Ok(())
}
