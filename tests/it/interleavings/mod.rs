//! Random interleavings of everything that people, hosts and agents do to a tree of sessions, against a model
//! that works each answer out anew from lists of what was said.

mod model;
mod threads;

use countersign::action::{Connect, DeleteData, ReadData, WriteData};
use countersign::testing::strategies::AnyAction;
use proptest::prelude::*;

use self::model::Model;

const SEEDS: [u8; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 99];

#[derive(Debug, Clone)]
enum Step {
    Authorize { session: u8, what: What, keep: bool },
    Start(u8),
    Ask { session: u8, what: What },
    Vote { session: u8, what: What, seed: u8, reject: bool, lives: u64 },
    Replay { document: u8, session: u8 },
    Grant { session: u8, seed: u8, uses: u64, lives: u64 },
    Elevate { session: u8, hop: u8, seed: u8, lives: u64 },
    Declassify { session: u8, good: bool },
    Delegate { session: u8, narrow: bool },
    Advance(u64),
    Reload(bool),
    Keys(u8),
    Revoke(u8, u8),
    Lift,
    Halt(u8, u8),
    Close(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Read,
    Roster,
    Secret,
    Write,
    Delete,
    Connect,
}

impl What {
    fn action(self) -> AnyAction {
        match self {
            Self::Read => AnyAction::new(ReadData::table("crm.a")),
            Self::Roster => AnyAction::new(ReadData::table("hr.a")),
            Self::Secret => AnyAction::new(ReadData::table("crm.s").classes(["secret"])),
            Self::Write => AnyAction::new(WriteData::table("crm.a")),
            Self::Delete => AnyAction::new(DeleteData::table("crm.a")),
            Self::Connect => AnyAction::new(Connect::new("git.example.org", 443)),
        }
    }

    /// The quorum that it takes, and of how many.
    fn quorum(self) -> Option<(&'static str, usize)> {
        match self {
            Self::Write => Some(("sre", 1)),
            Self::Delete => Some(("security", 2)),
            _ => None,
        }
    }
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        2 => Just(What::Read),
        3 => Just(What::Roster),
        1 => Just(What::Secret),
        6 => Just(What::Write),
        5 => Just(What::Delete),
        2 => Just(What::Connect),
    ]
}

fn seed() -> impl Strategy<Value = u8> {
    prop_oneof![8 => prop::sample::select(vec![1_u8, 2, 3, 4, 7]), 1 => prop::sample::select(&SEEDS[..])]
}

fn lives() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 5_u64..400, 1 => Just(1), 1 => Just(20)]
}

fn step() -> impl Strategy<Value = Step> {
    let session = || prop_oneof![4 => Just(0_u8), 3 => Just(2), 2 => any::<u8>()];
    prop_oneof![
        14 => (session(), what(), any::<bool>())
            .prop_map(|(session, what, keep)| Step::Authorize { session, what, keep }),
        5 => any::<u8>().prop_map(Step::Start),
        10 => (session(), prop::sample::select(&[What::Write, What::Delete][..]))
            .prop_map(|(session, what)| Step::Ask { session, what }),
        24 => (session(), prop::sample::select(&[What::Write, What::Delete][..]), seed(), prop::bool::weighted(0.08), lives()).prop_map(
            |(session, what, seed, reject, lives)| Step::Vote { session, what, seed, reject, lives }
        ),
        3 => (any::<u8>(), session())
            .prop_map(|(document, session)| Step::Replay { document, session }),
        5 => (session(), seed(), 1_u64..3, lives())
            .prop_map(|(session, seed, uses, lives)| Step::Grant { session, seed, uses, lives }),
        6 => (session(), any::<u8>(), seed(), lives())
            .prop_map(|(session, hop, seed, lives)| Step::Elevate { session, hop, seed, lives }),
        2 => (session(), any::<bool>())
            .prop_map(|(session, good)| Step::Declassify { session, good }),
        4 => (session(), any::<bool>())
            .prop_map(|(session, narrow)| Step::Delegate { session, narrow }),
        6 => prop_oneof![3 => Just(1_u64), 2 => Just(10), 2 => Just(30), 1 => Just(120)]
            .prop_map(Step::Advance),
        1 => any::<bool>().prop_map(Step::Reload),
        2 => (0_u8..3).prop_map(Step::Keys),
        2 => (0_u8..6, any::<u8>()).prop_map(|(kind, which)| Step::Revoke(kind, which)),
        5 => Just(Step::Lift),
        1 => (0_u8..24, any::<u8>()).prop_map(|(kind, which)| Step::Halt(kind, which)),
        1 => any::<u8>().prop_map(Step::Close),
    ]
}

/// 250 stories of 40 steps.
#[test]
fn ten_thousand_interleavings_agree_with_the_model() {
    let config =
        ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let (allowed, on_word) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    runner
        .run(&prop::collection::vec(step(), 40), |steps| {
            let mut model = Model::new();
            for step in steps {
                model.step(step)?;
            }
            allowed.set(allowed.get() + model.allowed);
            on_word.set(on_word.get() + model.on_word);
            model.permits.clear();
            model.site.holds();
            Ok(())
        })
        .unwrap();
    assert!(allowed.get() > 300 && on_word.get() > 80, "{} {}", allowed.get(), on_word.get());
}
