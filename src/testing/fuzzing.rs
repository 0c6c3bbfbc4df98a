//! The laws that fuzz targets assert, one function a target.
//!
//! They stand here and not in `fuzz/`, so that `cargo test` replays every input that ever broke one
//! (`fuzz/regressions/`) without a fuzzer. Each takes any bytes and panics when a law is broken.

mod approval;
mod bundle;
mod correlate;
mod documents;
mod evidence;
mod host;
mod identity;
mod json;
mod path;
mod receipts;
mod replay;
mod scope;
mod shell;
mod tools;

use std::fmt::Display;

pub use self::approval::approval;
pub use self::bundle::bundle;
pub use self::correlate::correlate;
pub use self::documents::documents;
pub use self::evidence::{effect, evidence};
pub use self::host::host;
pub use self::identity::identity;
pub use self::json::json;
pub use self::path::path;
pub use self::receipts::{receipt_line, valid_file, verify};
pub use self::replay::replay;
pub use self::scope::scope;
pub use self::shell::{shell, shell_commands, shell_parse};
pub use self::tools::tool_listing;

/// A target: its name, which is that of its folder of regressions, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by name.
pub const TARGETS: [Target; 17] = [
    ("approval", approval),
    ("bundle", bundle),
    ("correlate", correlate),
    ("documents", documents),
    ("effect", effect),
    ("evidence", evidence),
    ("host", host),
    ("identity", identity),
    ("json", json),
    ("path", path),
    ("receipt_line", receipt_line),
    ("replay", replay),
    ("scope", scope),
    ("shell", shell),
    ("shell_parse", shell_parse),
    ("tool_listing", tool_listing),
    ("verify", verify),
];

/// The longest message that an error may have, in bytes.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Asserts that a message is one bounded line without anything that a terminal would act on.
#[track_caller]
fn check_message(error: &impl Display) {
    let message = error.to_string();
    assert!(!message.is_empty(), "a message says nothing");
    assert!(message.len() <= MAX_MESSAGE_BYTES, "a message of {} bytes", message.len());
    let hidden = crate::text::check_visible(&message);
    assert_eq!(hidden, Ok(()), "a hidden character in {message:?}");
}

/// Hands out bytes one after the other; zeros when there are no more.
#[derive(Debug)]
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    /// Returns a number below `end`, which is at most 65 536.
    fn below(&mut self, end: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number.checked_rem(end).unwrap_or(0)
    }

    /// Returns one of `options`, of which there must be one.
    #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
    fn one_of<T: Copy>(&mut self, options: &[T]) -> T {
        options[usize::from(self.byte()) % options.len()]
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
