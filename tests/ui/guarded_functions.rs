// What cannot be guarded is refused, at the word that makes it so.

#![allow(unused_imports)]

use countersign::guard::Refused;
use countersign::session::Session;
use countersign::{Action, guarded};

#[derive(Action)]
#[action(domain = "infrastructure")]
struct Rotate {
    #[action(target)]
    key: String,
}

#[guarded(action = Rotate { key: String::new() })]
const fn constant(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() })]
unsafe fn dangerous(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() })]
extern "C" fn foreign(session: &Session) -> Result<(), Refused> {
    Ok(())
}

trait Tool {
    #[guarded(action = Rotate { key: String::new() })]
    fn without_body(&self, session: &Session) -> Result<(), Refused>;
}

#[guarded(action = Rotate { key: String::new() })]
struct NoFunction;

#[guarded(action = Rotate { key: String::new() })]
fn nothing(session: &Session) {}

#[guarded(action = Rotate { key: String::new() })]
fn unit(session: &Session) -> () {}

#[guarded(action = Rotate { key: String::new() })]
fn reference(session: &Session) -> &str {
    ""
}

#[guarded(action = Rotate { key: String::new() })]
fn future(session: &Session) -> impl Future<Output = Result<(), Refused>> {
    async { Ok(()) }
}

fn main() {
    let _ = nothing;
}
