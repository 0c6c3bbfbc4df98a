//! Acts through every kind of sink: the same answers, and the same bytes.

use std::sync::Arc;
use std::time::Duration;

use countersign::action::{Connect, ReadData, UseSecret};
use countersign::authorizer::{Call, Pending};
use countersign::governance::Budget;
use countersign::receipt::{MemorySink, ReceiptSink as _};
use countersign::session::{Act, Handover, HandoverError};
use countersign::{Action, Authorizer, Permit, Reason, Session, Sink, testing};

use crate::support::block_on;
use crate::support::people::key;
use crate::support::site::{asking, below, descriptor, directory_without, instance, scope, spiffe};

#[derive(Debug, Clone, Copy)]
enum Way {
    Blocking,
    Asynchronous,
    Caller,
}

struct Desk {
    way: Way,
    sink: Arc<MemorySink>,
    authorizer: Authorizer,
    session: Session,
}

fn stored<T>(sink: &MemorySink, pending: Pending<T>) -> T {
    sink.append(pending.group()).unwrap();
    pending.recorded().unwrap()
}

/// Does something to the session of a desk by its sink's method; a refusal becomes its reason.
macro_rules! act {
    ($desk:expr, $blocking:ident / $asynchronous:ident / $propose:ident $arguments:tt) => {
        match $desk.way {
            Way::Blocking => act!(@call $desk, $blocking $arguments).map_err(reason),
            Way::Asynchronous => {
                block_on(act!(@call $desk, $asynchronous $arguments)).map_err(reason)
            }
            Way::Caller => {
                let pending = act!(@call $desk, $propose $arguments).unwrap();
                for earlier in $desk.session.take_unstored() {
                    stored(&$desk.sink, earlier);
                }
                stored(&$desk.sink, pending).map_err(|refusal| refusal.reason())
            }
        }
    };
    (@call $desk:expr, $method:ident ($($argument:expr),*)) => {
        $desk.session.$method($($argument),*)
    };
}

fn reason(error: impl Into<HandoverError>) -> Reason {
    match error.into() {
        HandoverError::Act(error) => error.reason().unwrap(),
        other => panic!("{other:?}"),
    }
}

impl Desk {
    fn new(way: Way) -> Self {
        let sink = Arc::new(MemorySink::new());
        let builder = |sink| {
            Authorizer::builder()
                .policy(asking())
                .identity(testing::identity_key())
                .sink(sink)
                .with_clock(testing::clock())
                .with_entropy(testing::entropy())
                .with_directory(directory_without(&[]))
        };
        let top = scope("coder", 2).dangerous().trust_unsigned();
        let agent = instance("coder/1");
        let (authorizer, session) = match way {
            Way::Blocking => {
                let authorizer = builder(Sink::blocking(Arc::clone(&sink))).build().unwrap();
                let session = authorizer.open(&top, agent).unwrap();
                (authorizer, session)
            }
            Way::Asynchronous => {
                let builder = builder(Sink::asynchronous(Arc::clone(&sink)));
                let authorizer = block_on(builder.build_async()).unwrap();
                let session = block_on(authorizer.open_async(&top, agent)).unwrap();
                (authorizer, session)
            }
            Way::Caller => {
                let authorizer = stored(&sink, builder(Sink::Caller).propose().unwrap());
                let session = stored(&sink, authorizer.propose_open(&top, agent).unwrap());
                (authorizer, session)
            }
        };
        Self { way, sink, authorizer, session }
    }

    fn permit<A: Action>(&self, action: A) -> Permit<A> {
        let decision = match self.way {
            Way::Blocking => self.session.authorize(action).unwrap(),
            Way::Asynchronous => block_on(self.session.authorize_async(action)).unwrap(),
            Way::Caller => stored(&self.sink, self.session.propose(action, &Call::new()).unwrap()),
        };
        decision.permit().unwrap()
    }

    fn close(&self) {
        match self.way {
            Way::Blocking => self.session.close().unwrap(),
            Way::Asynchronous => block_on(self.session.close_async()).unwrap(),
            Way::Caller => {
                for earlier in self.session.take_unstored() {
                    stored(&self.sink, earlier);
                }
                stored(&self.sink, self.session.propose_close().unwrap());
            }
        }
    }
}

/// What comes of every act, and what is on record of it.
fn story(way: Way) -> (Vec<Result<(), Reason>>, String) {
    let desk = Desk::new(way);
    let consumer = || ReadData::table("crm.orders");
    let secret = desk.permit(UseSecret::new("db/crm", "ReadData"));
    let lease = act!(desk, lease / lease_async / propose_lease(secret, &consumer())).unwrap();
    let (right, wrong) =
        (desk.permit(consumer()), desk.permit(Connect::new("git.example.org", 443)));
    let mut said = Vec::new();
    said.push(act!(desk, redeem / redeem_async / propose_redeem(&lease, &wrong)).map(drop));
    said.push(act!(desk, redeem / redeem_async / propose_redeem(&lease, &right)).map(drop));
    said.push(act!(desk, redeem / redeem_async / propose_redeem(&lease, &right)).map(drop));

    let (narrow, wide) = (descriptor("helper", 1), descriptor("helper", 2));
    let audience = desk.authorizer.audience();
    let to = spiffe("helper/1");
    let mut budget = Budget::default();
    (budget.actions, budget.per_minute) = (10, 10);
    for child in [wide, narrow] {
        let child = below(&scope("coder", 2), child);
        let within = Duration::from_secs(60);
        let handover = Handover {
            scope: &child,
            to: &to,
            audience: &audience,
            budget: budget.clone(),
            within,
        };
        let signer = key(77);
        let handed =
            act!(desk, hand_over / hand_over_async / propose_hand_over(&handover, &signer));
        if let Ok(token) = &handed {
            let (token, text) = (token, b"no return".as_slice());
            let taken =
                act!(desk, take_return / take_return_async / propose_take_return(token, text));
            said.push(taken.map(drop));
        }
        said.push(handed.map(drop));
    }
    said.push(act!(desk, act / act_async / propose_act(Act::Elevate(b"{}"))).map(drop));
    drop((right, wrong));
    desk.close();
    (said, desk.sink.to_ndjson())
}

#[test]
fn acts_are_the_same_through_every_sink() {
    let (said, lines) = story(Way::Blocking);
    assert_eq!(
        said,
        [
            Err(Reason::LeaseWrongAction),
            Ok(()),
            Err(Reason::LeaseUsed),
            Err(Reason::DelegationDepth),
            Err(Reason::DelegationReturn),
            Ok(()),
            Err(Reason::ElevationMalformed),
        ]
    );
    for way in [Way::Asynchronous, Way::Caller] {
        let (also_said, also) = story(way);
        assert_eq!(also_said, said, "{way:?}");
        assert!(also == lines, "{way:?} writes other lines");
    }
}

#[test]
fn acts_are_for_the_sink_that_there_is() {
    let secret = |desk: &Desk| desk.permit(UseSecret::new("db/crm", "ReadData"));
    let consumer = ReadData::table("crm.orders");
    let (blocking, caller) = (Desk::new(Way::Blocking), Desk::new(Way::Caller));
    assert!(blocking.session.propose_lease(secret(&blocking), &consumer).is_err());
    let (one, other) = (secret(&caller), secret(&caller));
    assert!(caller.session.lease(one, &consumer).is_err());
    assert!(block_on(caller.session.lease_async(other, &consumer)).is_err());
    assert_eq!(caller.session.take_unstored().len(), 2, "what was not used is on record");
}
