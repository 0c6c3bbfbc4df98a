// Each mistake in `#[action(…)]` is reported where it stands, with what is accepted.

use countersign::Action;

#[derive(Action)]
struct NoDomain {
    #[action(target)]
    name: String,
}

#[derive(Action)]
#[action(domain = "network")]
struct UnknownDomain {
    #[action(target)]
    name: String,
}

#[derive(Action)]
#[action(domain = "data", reversibility = "yes")]
struct UnknownReversibility {
    #[action(target)]
    name: String,
}

#[derive(Action)]
#[action(domain = "data", domian = "data")]
struct UnknownArgument {
    #[action(target)]
    name: String,
}

#[derive(Action)]
#[action(domain = "data")]
#[action(domain = "workload")]
struct RepeatedArgument {
    #[action(target)]
    name: String,
}

#[derive(Action)]
#[action(domain = data)]
struct NoLiteral {
    #[action(target)]
    name: String,
}

#[derive(Action)]
#[action(domain)]
struct NoValue {
    #[action(target)]
    name: String,
}

#[derive(Action)]
#[action]
struct NoArguments {
    #[action(target)]
    name: String,
}

#[derive(Action)]
#[action(domain = "data", kind = "drop table")]
struct KindIsNoIdentifier {
    #[action(target)]
    name: String,
}

#[derive(Action)]
#[action(domain = "data")]
struct NoTarget {
    name: String,
}

#[derive(Action)]
#[action(domain = "data")]
struct TwoTargets {
    #[action(target)]
    name: String,
    #[action(target)]
    other: String,
}

#[derive(Action)]
#[action(domain = "data")]
struct TargetTwice {
    #[action(target, target)]
    name: String,
}

#[derive(Action)]
#[action(domain = "data")]
struct TargetWithName {
    #[action(target, rename = "x")]
    name: String,
}

#[derive(Action)]
#[action(domain = "data")]
struct TargetWithValue {
    #[action(target = "x")]
    name: String,
}

#[derive(Action)]
#[action(domain = "data")]
struct Skipped {
    #[action(target)]
    name: String,
    #[action(skip)]
    unseen: String,
}

#[derive(Action)]
#[action(domain = "data")]
struct TwoFactsOfOneName {
    #[action(target)]
    name: String,
    zone: String,
    #[action(rename = "zone")]
    area: String,
}

#[derive(Action)]
#[action(domain = "data")]
struct FactIsNoIdentifier {
    #[action(target)]
    name: String,
    _zone: String,
}

fn main() {}
