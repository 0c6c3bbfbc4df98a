// Types that have no normal form are reported at the field.

use countersign::Action;
use countersign::action::EffectContext;

#[derive(Action)]
#[action(domain = "data")]
struct Float {
    #[action(target)]
    name: String,
    ratio: f64,
}

#[derive(Action)]
#[action(domain = "data")]
struct NumberedTarget {
    #[action(target)]
    number: u64,
}

#[derive(Action)]
#[action(domain = "data", effects = further)]
struct WrongEffects {
    #[action(target)]
    name: String,
}

fn further(_: &WrongEffects, _: &EffectContext<'_>) {}

fn main() {}
