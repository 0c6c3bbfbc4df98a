// Proofs come from the authorizer alone: nobody else builds, defaults or clones one.

use countersign::Action;
use countersign::authorizer::{Granted, Permit};
use countersign::identity::VerifiedIdentity;

#[derive(Clone, Default, Action)]
#[action(domain = "infrastructure")]
struct Rotate {
    #[action(target)]
    key: String,
}

fn permit() -> Permit<Rotate> {
    Permit {}
}

fn granted() -> Granted<Rotate> {
    Granted {}
}

fn identity() -> VerifiedIdentity {
    VerifiedIdentity {}
}

fn default<T: Default>() {}

fn clone<T: Clone>() {}

fn main() {
    default::<Permit<Rotate>>();
    default::<VerifiedIdentity>();
    clone::<Permit<Rotate>>();
}
