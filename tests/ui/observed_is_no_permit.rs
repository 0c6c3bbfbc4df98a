// What is observed binds nobody: it runs nothing, and nothing makes a permit of it.

use countersign::Action;
use countersign::authorizer::{Call, Permit};
use countersign::session::{Observation, Session};

#[derive(Clone, Action)]
#[action(domain = "infrastructure")]
struct Rotate {
    #[action(target)]
    key: String,
}

fn run(observed: Observation<Rotate>) {
    let _ = observed.run(|_| Ok::<_, ()>(1));
}

fn start(observed: Observation<Rotate>) {
    let _ = observed.start();
}

fn into(observed: Observation<Rotate>) -> Permit<Rotate> {
    observed.into()
}

fn itself(session: &Session, action: Rotate) -> Permit<Rotate> {
    session.observe(action, &Call::default()).unwrap()
}

fn built() -> Observation<Rotate> {
    Observation {}
}

fn main() {}
