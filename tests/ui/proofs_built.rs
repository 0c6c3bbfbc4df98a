// Proofs come from the authorizer alone: nobody else builds, defaults or clones one.

use countersign::Action;
use countersign::authorizer::{Granted, Permit};
use countersign::identity::{Dangerous, Proof, VerifiedIdentity};

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

fn other_identity(identity: VerifiedIdentity, proof: Proof) -> VerifiedIdentity {
    VerifiedIdentity { proof, ..identity }
}

fn proof() -> Proof {
    Proof::Assumed { credential: None }
}

fn door() -> Dangerous<'static> {
    Dangerous {}
}

fn default<T: Default>() {}

fn clone<T: Clone>() {}

fn main() {
    default::<Permit<Rotate>>();
    default::<VerifiedIdentity>();
    clone::<Permit<Rotate>>();
}
