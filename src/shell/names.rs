//! What can be told of names and paths by their text alone.

use crate::action::path::ResolvedPath;
use crate::shell::deed::{Deed, Text, Unknown};
use crate::shell::walk::{Step, What};

/// Programs that put something else in the place of a device or a stream.
pub(super) const REPLACERS: [&str; 8] =
    ["mv", "ln", "install", "chmod", "chown", "chgrp", "rm", "rsync"];

pub(super) const SCHEMES: [&str; 6] =
    ["http://", "https://", "ftp://", "ws://", "wss://", "ssh://"];

/// Whether a step may make a name that is taken for several, or for an option, by a command that
/// takes names apart at blanks.
pub(super) fn makes_odd_name(step: &Step) -> bool {
    let What::Deed(deed) = &step.what else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./+=:,@%*?~-".contains(c);
    match deed {
        Deed::Create { .. } | Deed::Tracked { .. } => true,
        Deed::Write { path, .. } | Deed::Link { link: path, .. } => {
            // What is open are names that are there, and plain.
            let mut known = path.text.to_string();
            for open in path.open.iter().rev() {
                let place = open.start as usize..open.end as usize;
                if open.what == Unknown::Anything || known.get(place.clone()).is_none() {
                    return true;
                }
                known.replace_range(place, "x");
            }
            let odd =
                |name: &str| name.starts_with('-') || (name.starts_with("..") && name != "..");
            !known.chars().all(plain) || known.split('/').any(odd)
        }
        _ => false,
    }
}

/// Whether a pattern can find `.` or `..`, as `.*` does (bash before 5.2): one that begins with a dot, or
/// whose wildcards may stand for nothing beside one.
pub(super) fn finds_dots(text: &Text<'_>) -> bool {
    let mut opens = text.open.iter().peekable();
    // What each segment is made of: a byte, or whether an open piece can be a dot, or anything.
    let mut segment: Vec<Piece> = Vec::new();
    // What stands before the segment of the first is resolved as it is.
    let first = text.open.first().map_or(0, |open| open.start as usize);
    let known = text.text.get(..first).unwrap_or_default();
    let mut at = known.rfind('/').map_or(0, |slash| slash + 1);
    let bytes = text.text.as_bytes();
    let mut climbs = false;
    while at < bytes.len() {
        if let Some(open) = opens.next_if(|open| open.start as usize == at) {
            let end = (open.end as usize).max(at + 1);
            segment.push(match bytes.get(at..end) {
                Some(b"?") => Piece::One(true),
                Some([b'[', b'!' | b'^', inner @ ..]) => Piece::One(!inner.contains(&b'.')),
                Some([b'[', inner @ ..]) => {
                    Piece::One(inner.contains(&b'.') || inner.contains(&b'-'))
                }
                _ => Piece::Any,
            });
            at = end;
            continue;
        }
        match bytes.get(at) {
            Some(b'/') => {
                climbs |= is_dots(&segment);
                segment.clear();
            }
            Some(byte) => segment.push(Piece::One(*byte == b'.')),
            None => {}
        }
        at += 1;
    }
    climbs || is_dots(&segment)
}

/// One piece of a segment.
#[derive(Clone, Copy)]
enum Piece {
    /// One character, and whether it can be a dot.
    One(bool),
    Any,
}

fn is_dots(segment: &[Piece]) -> bool {
    let ones = segment.iter().filter(|piece| matches!(piece, Piece::One(_))).count();
    let dots = segment.iter().all(|piece| !matches!(piece, Piece::One(false)));
    // A name in which nothing is a dot is found by `*`, which does not find hidden names.
    let hidden = matches!(segment.first(), Some(Piece::One(true)));
    let beside = segment.iter().any(|piece| matches!(piece, Piece::One(true)));
    dots && (1..=2).contains(&ones) && (hidden || beside)
}

/// What `[bind:]port:host:hostport` makes reachable; a port alone is a proxy (`ssh(1)`, `-R`).
pub(super) fn exposed(spec: &str) -> Option<String> {
    if spec.contains('/') {
        return None;
    }
    if spec.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some("*".to_owned());
    }
    let (rest, port) = spec.rsplit_once(':')?;
    let host = match rest.rfind(']') {
        Some(end) if end + 1 == rest.len() => rest.get(rest.rfind('[')?..)?,
        _ => rest.rsplit_once(':').map_or(rest, |(_, host)| host),
    };
    Some(format!("{host}:{port}"))
}

/// Whether a path names an open stream of the process: opening it again opens nothing new.
pub(super) fn is_stream(path: &str) -> bool {
    matches!(path, "/dev/stdin" | "/dev/stdout" | "/dev/stderr")
        || path.strip_prefix("/dev/fd/").is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// Whether a path is `directory` or lies below it.
pub(super) fn is_below(path: &ResolvedPath, directory: &ResolvedPath) -> bool {
    let directory = match directory.as_str() {
        "/" => "",
        directory => directory,
    };
    // Looked at first, because most paths differ here.
    let next = path.as_str().as_bytes().get(directory.len());
    next.is_none_or(|next| *next == b'/') && path.as_str().starts_with(directory)
}
