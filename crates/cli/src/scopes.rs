//! Scopes that lines bring with them, compiled once as long as they repeat.

use std::collections::HashMap;
use std::sync::Arc;

use crate::setup::Prepared;

/// The most scopes that are kept, and the most bytes of text they have in all; past either, all are
/// dropped and the cache starts anew.
const MAX_SCOPES: usize = 256;
const MAX_BYTES: usize = 4 << 20;

/// A bounded cache of compiled scopes, by their canonical text.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    known: HashMap<String, Result<Arc<Prepared>, String>>,
    bytes: usize,
}

impl Scopes {
    /// Returns what was compiled of `text`, or compiles it now. Errors are kept too.
    pub(crate) fn find(
        &mut self,
        text: &str,
        compile: impl FnOnce(&str) -> Result<Prepared, String>,
    ) -> Result<Arc<Prepared>, String> {
        if let Some(found) = self.known.get(text) {
            return found.clone();
        }
        let compiled = compile(text).map(Arc::new);
        if self.known.len() >= MAX_SCOPES || self.bytes + text.len() > MAX_BYTES {
            self.known.clear();
            self.bytes = 0;
        }
        self.bytes += text.len();
        self.known.insert(text.to_owned(), compiled.clone());
        compiled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(scopes: &mut Scopes, text: &str, calls: &mut usize) {
        let found = scopes.find(text, |text| {
            *calls += 1;
            Err(text.to_owned())
        });
        assert_eq!(found.err().as_deref(), Some(text));
    }

    #[test]
    fn a_scope_that_repeats_is_compiled_once() {
        let (mut scopes, mut calls) = (Scopes::default(), 0);
        for _ in 0..3 {
            refuse(&mut scopes, "a", &mut calls);
            refuse(&mut scopes, "b", &mut calls);
        }
        assert_eq!(calls, 2);
    }

    #[test]
    fn the_cache_is_bounded() {
        let (mut scopes, mut calls) = (Scopes::default(), 0);
        for index in 0..MAX_SCOPES * 3 {
            refuse(&mut scopes, &index.to_string(), &mut calls);
            assert!(scopes.known.len() <= MAX_SCOPES);
        }
        let long = "x".repeat(MAX_BYTES / 3);
        for index in 0..9 {
            refuse(&mut scopes, &format!("{index}{long}"), &mut calls);
            assert!(scopes.known.len() <= 3 || index == 0);
        }
    }
}
