//! Path resolution against a walk that is written down as plainly as possible.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use super::check_message;
use crate::action::path::{
    Entry, MAX_COMPONENT_BYTES, MAX_COMPONENTS, MAX_PATH_BYTES, PurePaths, ResolvedPath, resolve,
    resolve_absolute, resolve_nofollow,
};

/// Resolves the first line from `/srv/web`, in a table that the other lines declare: `a -> b` is a
/// link, `a !` is missing, `a =` is a file. What resolves is in normal form, resolves to itself, is
/// where a naive walk ends, and without links lies where the text alone says.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let raw = lines.next().unwrap_or_default();
    let table = table(lines.take(MAX_ENTRIES));
    let mut files = PurePaths::new();
    for (name, entry) in &table {
        files = match entry {
            Entry::Link(target) => files.with_link(name, target),
            Entry::Missing => files.with_missing(name),
            Entry::Other | Entry::Directory => files.with_file(name),
        };
    }
    // The workspace itself may be a link in this table.
    let Ok(base) = resolve_absolute(&files, "/srv/web") else { return };
    check_normal(&base);
    match resolve(&files, &base, raw) {
        Ok(path) => {
            check_normal(&path);
            assert_eq!(resolve_absolute(&files, path.as_str()).as_ref(), Ok(&path), "not final");
            if is_plain_place(path.as_str()) {
                let walked = walk(&table, &base, raw);
                assert_eq!(walked.as_deref(), Some(path.as_str()), "the naive walk ends elsewhere");
            }
            if table.is_empty() {
                assert_eq!(by_text(&base, raw), path.as_str());
            }
            let std_says = path.as_path().starts_with(base.as_path());
            assert_eq!(path.starts_with(&base), std_says);
        }
        Err(error) => check_message(&error),
    }
    if let Ok(entry) = resolve_nofollow(&files, &base, raw) {
        check_normal(&entry);
        // Everything but the last name has been followed.
        if let Some(parent) = entry.parent() {
            assert_eq!(resolve_absolute(&files, parent.as_str()).as_ref(), Ok(&parent));
        }
    }
    if let Ok(joined) = base.join_component(raw) {
        check_normal(&joined);
        assert_eq!(joined.parent().as_ref(), Some(&base));
        assert_eq!(joined.file_name(), Some(raw));
    }
}

/// The most entries of a table.
const MAX_ENTRIES: usize = 16;

fn table<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, Entry> {
    let mut table = BTreeMap::new();
    for line in lines {
        let (name, entry) = if let Some((name, target)) = line.split_once(" -> ") {
            (name, Entry::Link(target.to_owned()))
        } else if let Some(name) = line.strip_suffix(" !") {
            (name, Entry::Missing)
        } else if let Some(name) = line.strip_suffix(" =") {
            (name, Entry::Other)
        } else {
            continue;
        };
        // `PurePaths` takes `.` and `..` out of the names that it is given; so the model has to.
        let name = by_text(&ResolvedPath::root(), name);
        // The root is a directory, whatever is declared.
        if name != "/" {
            table.insert(name, entry);
        }
    }
    table
}

#[track_caller]
fn check_normal(path: &ResolvedPath) {
    let text = path.as_str();
    assert!(text.starts_with('/') && (text == "/" || !text.ends_with('/')), "{text:?}");
    assert!(text.len() <= MAX_PATH_BYTES && path.components().count() <= MAX_COMPONENTS);
    let mut names = text.split('/').skip(1).filter(|_| text != "/");
    assert!(
        names.all(|name| !matches!(name, "" | "." | "..") && name.len() <= MAX_COMPONENT_BYTES),
        "{text:?}"
    );
    assert_eq!(crate::text::check_visible(text), Ok(()), "{text:?}");
    let again: Vec<&str> = path.components().collect();
    assert_eq!(format!("/{}", again.join("/")), text);
    assert!(Path::new(text).is_absolute());
}

/// What the text alone says of `raw`, taken from `base`.
fn by_text(base: &ResolvedPath, raw: &str) -> String {
    let mut names: Vec<&str> =
        if raw.starts_with('/') { Vec::new() } else { base.components().collect() };
    for name in raw.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// Places where the kernel answers each process differently; the walk below knows nothing of them.
fn is_plain_place(path: &str) -> bool {
    !path.split('/').any(|name| matches!(name, "proc" | "dev"))
}

/// Walks `raw` from `base` through `table` as `path_resolution(7)` says.
fn walk(table: &BTreeMap<String, Entry>, base: &ResolvedPath, raw: &str) -> Option<String> {
    let mut here: Vec<String> = Vec::new();
    if !raw.starts_with('/') {
        here.extend(base.components().map(str::to_owned));
    }
    let mut todo: VecDeque<String> = raw.split('/').map(str::to_owned).collect();
    let entry = |here: &[String]| table.get(&format!("/{}", here.join("/"))).cloned();
    for _ in 0..100_000 {
        let Some(name) = todo.pop_front() else { return Some(format!("/{}", here.join("/"))) };
        let missing = (1..=here.len())
            .any(|end| here.get(..end).is_some_and(|part| entry(part) == Some(Entry::Missing)));
        if entry(&here) == Some(Entry::Other) {
            return None;
        }
        match name.as_str() {
            "" | "." => {}
            ".." if missing => return None,
            ".." => drop(here.pop()),
            _ => {
                here.push(name);
                if let (Some(Entry::Link(target)), false) = (entry(&here), missing) {
                    here.pop();
                    if target.starts_with('/') {
                        here.clear();
                    }
                    for name in target.split('/').rev() {
                        todo.push_front(name.to_owned());
                    }
                }
            }
        }
    }
    None
}
