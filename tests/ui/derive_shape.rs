// Only a struct with named fields says what its facts are called.

use countersign::Action;

#[derive(Action)]
#[action(domain = "data")]
enum Enum {
    One { target: String },
}

#[derive(Action)]
#[action(domain = "data")]
union Union {
    one: u8,
}

#[derive(Action)]
#[action(domain = "data")]
struct Tuple(#[action(target)] String);

#[derive(Action)]
#[action(domain = "data")]
struct Unit;

fn main() {}
