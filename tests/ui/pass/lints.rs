//! Generated code is quiet under strict lints.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, unused, let_underscore, single_use_lifetimes)]
#![deny(unused_qualifications, unused_lifetimes, unused_results, variant_size_differences)]
#![deny(elided_lifetimes_in_paths, explicit_outlives_requirements, trivial_casts)]

use countersign::action::IntoFact;
use countersign::guard::Refused;
use countersign::session::Session;
use countersign::{Action, guarded};

/// A derived action.
#[derive(Debug, Action)]
#[action(domain = "infrastructure")]
pub struct Rotate<'a, T> {
    #[action(target)]
    key: &'a str,
    zone: T,
    old: Option<String>,
}

/// Derived from a field that nobody shall name.
#[derive(Debug, Action)]
#[action(domain = "data")]
pub struct Old {
    #[action(target)]
    #[deprecated]
    name: String,
    #[deprecated]
    r#type: u8,
}

impl<'a, T: Copy + IntoFact + Send> Rotate<'a, T> {
    /// A method.
    ///
    /// # Errors
    ///
    /// Some.
    #[guarded(action = Self { key: self.key, zone, old: None }, granted = granted)]
    pub fn rotate(&self, session: &Session, zone: T) -> Result<&'a str, Refused> {
        Ok(granted.into_action().key)
    }

    /// An asynchronous method.
    ///
    /// # Errors
    ///
    /// Some.
    #[guarded(action = Self { key: self.key, zone, old: None })]
    pub async fn rotate_async(&self, session: &Session, zone: T) -> Result<&'a str, Refused> {
        if self.old.is_some() {
            return Ok("");
        }
        Ok(self.key)
    }

    /// Never ends well.
    ///
    /// # Errors
    ///
    /// Some.
    #[guarded(action = Self { key: self.key, zone, old: None })]
    pub async fn never(&self, session: &Session, zone: T) -> Result<&'a str, Refused> {
        std::process::exit(1)
    }
}

fn main() {}
