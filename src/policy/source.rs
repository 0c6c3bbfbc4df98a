//! The files of a bundle, their caps, and the digest over all of them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::digest::Digest;
use crate::policy::LoadError;
use crate::text::{check_visible, excerpt};
use crate::value::{Object, Value};

/// The most bytes of all files together.
pub(super) const MAX_BUNDLE_BYTES: usize = 16 << 20;
/// The most files.
pub(super) const MAX_FILES: usize = 256;
/// How deep brackets may nest in policy and schema text: eight hundred levels abort the parser.
pub(super) const MAX_NESTING: usize = 32;
/// The most operators in one policy: a chain of them is parsed, checked and dropped recursively.
pub(super) const MAX_OPERATORS: usize = 512;
/// The longest policy, in bytes.
pub(super) const MAX_POLICY_BYTES: usize = 32 << 10;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SCHEMA: &str = "schema.cedarschema";
pub(super) const ENTITIES: &str = "entities.json";

/// The files of a bundle by their names, `/` between folders.
#[derive(Debug, Clone, Default)]
pub(super) struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    pub(super) fn add(&mut self, name: &str, text: &[u8]) -> Result<(), LoadError> {
        let known = |name: &str| {
            matches!(name, MANIFEST | SCHEMA | ENTITIES | "policies.cedar" | "README.md")
                || name.starts_with("cases") && name.ends_with(".json")
                || name.starts_with("policies/") && name.ends_with(".cedar")
        };
        let plain = name.split('/').all(|part| !matches!(part, "" | "." | ".."))
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
        if !plain || !known(name) {
            return Err(LoadError::File(format!("`{}` is no file of a bundle", excerpt(name))));
        }
        let total = self.0.values().map(Vec::len).sum::<usize>() + text.len();
        if total > MAX_BUNDLE_BYTES || self.0.len() >= MAX_FILES {
            return Err(LoadError::TooLarge(format!(
                "more than {MAX_BUNDLE_BYTES} bytes or {MAX_FILES} files"
            )));
        }
        if self.0.insert(name.to_owned(), text.to_vec()).is_some() {
            return Err(LoadError::File(format!("`{name}` is given twice")));
        }
        Ok(())
    }

    /// Reads a directory: its files, and those of `policies/` and `cases/`.
    pub(super) fn read(directory: &Path) -> Result<Self, LoadError> {
        let mut files = Self::default();
        for folder in ["", "policies", "cases"] {
            let path = directory.join(folder);
            if !folder.is_empty() && !path.is_dir() {
                continue;
            }
            for entry in std::fs::read_dir(&path).map_err(LoadError::Read)? {
                let entry = entry.map_err(LoadError::Read)?;
                let kind = entry.file_type().map_err(LoadError::Read)?;
                let name = entry.file_name();
                let name = name.to_str().unwrap_or("\u{fffd}");
                if kind.is_dir() && folder.is_empty() && matches!(name, "policies" | "cases") {
                    continue;
                }
                if !kind.is_file() {
                    return Err(LoadError::File(format!("`{name}` is not a plain file")));
                }
                let size = entry.metadata().map_err(LoadError::Read)?.len();
                if size > MAX_BUNDLE_BYTES as u64 {
                    return Err(LoadError::TooLarge(format!("`{name}` has {size} bytes")));
                }
                let text = std::fs::read(entry.path()).map_err(LoadError::Read)?;
                let name =
                    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                files.add(&name, &text)?;
            }
        }
        Ok(files)
    }

    pub(super) fn bytes(&self, name: &str) -> Result<&[u8], LoadError> {
        let missing = || LoadError::File(format!("`{name}` is missing"));
        self.0.get(name).map(Vec::as_slice).ok_or_else(missing)
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, LoadError> {
        std::str::from_utf8(self.bytes(name)?)
            .map_err(|_| LoadError::File(format!("`{name}` is not UTF-8")))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn policies(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| name.ends_with(".cedar"))
    }

    /// Names of the case files; those that a case names as its entities are left out later.
    pub(super) fn cases(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| name.starts_with("cases"))
    }

    /// The digest of the bundle: over the digest of each file, and of what was generated.
    pub(super) fn digest(&self, generated: &str) -> Digest {
        let hash = |text: &[u8]| Value::from(Digest::of(FILE_CONTEXT, text).to_string());
        let files = self.0.iter().map(|(name, text)| (name.clone(), hash(text)));
        let manifest = [
            ("construction".to_owned(), Value::from("countersign-bundle-digest-v1")),
            ("files".to_owned(), Value::Object(files.collect::<Object>())),
            ("generated_schema".to_owned(), hash(generated.as_bytes())),
        ];
        let manifest = Value::Object(manifest.into_iter().collect());
        Digest::of(BUNDLE_CONTEXT, manifest.to_canonical().as_bytes())
    }
}

const FILE_CONTEXT: &str = "countersign 2026-11 bundle file v1";
const BUNDLE_CONTEXT: &str = "countersign 2026-11 bundle v1";

/// Refuses text that could exhaust the stack of the parser, before the parser sees it.
///
/// Comments and strings are skipped the way Cedar reads them. Counted are open brackets and, since
/// the last `;` outside of them, operators and bytes.
pub(super) fn check_nesting(name: &str, text: &str) -> Result<(), LoadError> {
    let (mut depth, mut operators, mut length) = (0_usize, 0_usize, 0_usize);
    let mut bytes = text.bytes().peekable();
    let refuse = |what: &str| Err(LoadError::TooLarge(format!("`{name}`: {what}")));
    // A lone carriage return ends a comment for the engine, and other blanks part its words: what is
    // counted here must be what is parsed there. Nor may text read otherwise than it is.
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.split('\t').any(|part| check_visible(part).is_err()) {
            return Err(LoadError::File(format!(
                "`{name}` holds a control, bidirectional or invisible character"
            )));
        }
    }
    while let Some(byte) = bytes.next() {
        length += 1;
        match byte {
            b'/' if bytes.peek() == Some(&b'/') => {
                while bytes.next().is_some_and(|byte| byte != b'\n') {}
            }
            b'"' => loop {
                length += 1;
                match bytes.next() {
                    Some(b'\\') => drop(bytes.next()),
                    None | Some(b'"') => break,
                    Some(_) => {}
                }
            },
            b'(' | b'[' | b'{' => {
                depth += 1;
                operators += 1;
                if depth > MAX_NESTING {
                    return refuse(&format!("brackets nest deeper than {MAX_NESTING}"));
                }
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'&' | b'|' | b'!' | b'-' | b'+' | b'*' | b'.' | b'<' | b'>' | b'=' | b'?' => {
                operators += 1
            }
            // `if`, `then`, `else`, `in`, `has`, `like`, `is` stand between blanks.
            byte if byte.is_ascii_whitespace()
                && bytes.peek().is_some_and(|next| b"iteh".contains(next)) =>
            {
                operators += 1;
            }
            b';' if depth == 0 => (operators, length) = (0, 0),
            _ => {}
        }
        if length > MAX_POLICY_BYTES {
            return refuse(&format!("a statement is longer than {MAX_POLICY_BYTES} bytes"));
        }
        if operators > MAX_OPERATORS {
            return refuse(&format!("a statement has more than {MAX_OPERATORS} operators"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_outside_strings_and_comments() {
        let check = |text: &str, ok: bool| {
            let start: String = text.chars().take(60).collect();
            assert_eq!(check_nesting("p", text).is_ok(), ok, "{start}");
        };
        check(&"(".repeat(MAX_NESTING), true);
        check(&"(".repeat(MAX_NESTING + 1), false);
        check(&"[".repeat(800), false);
        check(&"!(".repeat(800), false);
        check(&format!("\"{}\"", "(".repeat(800)), true);
        check(&format!("\"\\\"{}\"", "(".repeat(800)), true);
        check(&format!("// {}\n", "(".repeat(800)), true);
        check(&format!("// \"\n{}", "(".repeat(800)), false);
        check(&"true && ".repeat(300), false);
        check(&"permit(principal, action, resource);".repeat(1000), true);
        check(&format!("\"{}\"", "x".repeat(MAX_POLICY_BYTES)), false);
        check(&"x".repeat(MAX_POLICY_BYTES + 1), false);
        check(&"if true then ".repeat(300), false);
        check("true //\r\n", true);
        check(&format!("//\r{}", "(".repeat(800)), false);
        check("true\u{2003}", false);
        check("// \u{202e}", false);
    }

    #[test]
    fn only_files_of_a_bundle_are_taken() {
        let check = |name: &str, ok: bool| {
            assert_eq!(Files::default().add(name, b"x").is_ok(), ok, "{name}");
        };
        check("manifest.json", true);
        check("policies/rome.cedar", true);
        check("cases.json", true);
        check("cases-entities.json", true);
        check("../manifest.json", false);
        check("policies/../x.cedar", false);
        check("x.cedar", false);
        check("evil\n.json", false);
    }
}
