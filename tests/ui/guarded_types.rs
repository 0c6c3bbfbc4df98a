// What only the compiler can know is reported at the type or the expression.

use countersign::guard::Refused;
use countersign::session::Session;
use countersign::{Action, guarded};

#[derive(Action)]
#[action(domain = "infrastructure")]
struct Rotate {
    #[action(target)]
    key: String,
}

type Text = String;

struct Other;

#[guarded(action = Rotate { key: String::new() })]
fn not_a_result(session: &Session) -> Text {
    String::new()
}

#[guarded(action = Rotate { key: String::new() })]
fn not_from_refused(session: &Session) -> Result<(), Other> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() })]
async fn not_from_refused_async(session: &Session) -> Result<(), Other> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() })]
fn not_a_session(session: &str) -> Result<(), Refused> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() })]
fn wrong_body(session: &Session) -> Result<u8, Refused> {
    Ok("text")
}

fn main() {}
