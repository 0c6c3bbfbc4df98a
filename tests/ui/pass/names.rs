// Generated code names nothing that a user could have put something else under.

#![no_implicit_prelude]
#![deny(warnings)]
#![allow(dead_code, unused_macros, non_camel_case_types)]

mod core {}
mod std {}
mod countersign {}
mod guard {}

struct Ok;
struct Err;
struct Some;
struct None;
struct Option;
struct Result;
struct String;
struct Vec;
struct Box;
struct Session;
struct str;
struct u8;
trait From {}
trait Into {}
trait AsRef {}
trait IntoFact {}
trait Action {}
trait Send {}
fn run() {}
fn run_async() {}
fn session() {}

macro_rules! vec {
    () => {};
}

#[derive(::countersign::Action)]
#[action(domain = "infrastructure", effects = further)]
struct Rotate<'context, T> {
    #[action(target)]
    context: &'context ::core::primitive::str,
    effects: ::std::vec::Vec<T>,
    further: ::std::option::Option<::std::string::String>,
    facts: ::core::primitive::u32,
}

fn further<T>(
    _: &Rotate<'_, T>,
    _: &::countersign::action::EffectContext<'_>,
    _: &mut ::countersign::action::Effects,
) {
}

type Done = ::core::result::Result<(), ::countersign::guard::Refused>;

fn rotate(context: &::core::primitive::str) -> Rotate<'_, ::std::string::String> {
    Rotate {
        context,
        effects: ::std::vec::Vec::new(),
        further: ::core::option::Option::None,
        facts: 1,
    }
}

#[::countersign::guarded(action = rotate(action))]
fn plain(session: &::countersign::session::Session, action: &::core::primitive::str) -> Done {
    let _ = (session, action);
    ::core::result::Result::Ok(())
}

#[::countersign::guarded(action = rotate(output), granted = action)]
async fn asynchronous(session: &::countersign::session::Session, output: &::core::primitive::str) -> Done {
    let _ = (session, output, action);
    ::core::result::Result::Ok(())
}

fn main() {}
