// Each mistake in the arguments is reported where it stands, and leaves no function behind.

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

#[guarded]
fn no_action(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(session = session)]
fn only_a_session(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(acton = Rotate { key: String::new() })]
fn unknown(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() }, async = true)]
fn unknown_keyword(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() }, action = Rotate { key: String::from("x") })]
fn repeated(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded("Rotate")]
fn no_name(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(action)]
fn no_value(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() }, granted = 1)]
fn no_identifier(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() } session = session)]
fn no_comma(session: &Session) -> Result<(), Refused> {
    Ok(())
}

#[guarded(action = Rotate { key: String::new() })]
fn no_session(key: &str) -> Result<(), Refused> {
    Ok(())
}

fn main() {
    let _ = unknown;
}
