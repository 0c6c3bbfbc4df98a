//! What a [`PathResolver`] answered, so that the same can be asked again without a file system.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::action::RecordError;
use crate::action::path::{Entry, PathError, PathResolver};
use crate::action::record::{Members, open, text};
use crate::value::{Value, write_string};

/// The most that a transcript may hold, in bytes of names and link targets: it stands in the facts of a
/// call, which an opening must be able to hold.
const MAX_BYTES: usize = 64 << 10;

/// Stands between the gates and a resolver, and notes each answer that is not the plain one.
///
/// The plain answer is [`Entry::Directory`], which [`PurePaths`](crate::action::path::PurePaths) gives for
/// every name: where nothing else was answered there is nothing to note.
#[derive(Debug)]
pub(crate) struct Witness<'a> {
    paths: &'a dyn PathResolver,
    /// Whether only links are noted. All walks must succeed then: on such a way what is missing or no
    /// directory comes last, and leads to where a directory would.
    links_alone: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    transcript: Transcript,
    bytes: usize,
    full: bool,
}

impl<'a> Witness<'a> {
    /// Notes everything that is not plain.
    pub(crate) fn new(paths: &'a dyn PathResolver) -> Self {
        Self { paths, links_alone: false, seen: Mutex::default() }
    }

    /// Notes links alone, for walks of which none may fail.
    pub(crate) fn of_links(paths: &'a dyn PathResolver) -> Self {
        Self { links_alone: true, ..Self::new(paths) }
    }

    /// Answers for a call of which more was asked than could be noted.
    pub(crate) fn overfull(paths: &'a dyn PathResolver) -> Self {
        Self { seen: Mutex::new(Seen { full: true, ..Seen::default() }), ..Self::new(paths) }
    }

    /// Tells whether there was more to note than a transcript may hold.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().full
    }

    /// Appends the member that says what was answered, if there is something to say.
    pub(crate) fn write_member(&self, name: &str, out: &mut String) {
        let seen = self.lock();
        if seen.full {
            text(out, name, TOO_MANY);
        } else if !seen.transcript.0.is_empty() {
            open(out, name);
            seen.transcript.write(out);
        }
    }

    /// Returns what was answered.
    pub(crate) fn into_transcript(self) -> Transcript {
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner).transcript
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, path: &str, answer: Answer) -> bool {
        let mut seen = self.lock();
        if seen.transcript.0.contains_key(path) {
            return true;
        }
        let link = if let Answer::Link(target) = &answer { target.len() } else { 0 };
        seen.bytes += path.len() + link;
        if seen.bytes > MAX_BYTES {
            seen.full = true;
            return false;
        }
        seen.transcript.0.insert(path.into(), answer);
        true
    }
}

impl PathResolver for Witness<'_> {
    fn entry(&self, path: &str) -> Result<Entry, PathError> {
        let found = self.paths.entry(path);
        let answer = match &found {
            Ok(Entry::Directory) => return found,
            Ok(Entry::Missing | Entry::Other) | Err(_) if self.links_alone => return found,
            Ok(Entry::Missing) => Answer::Missing,
            Ok(Entry::Other) => Answer::Other,
            Ok(Entry::Link(target)) => Answer::Link(target.as_str().into()),
            Err(_) => Answer::Unknown,
        };
        // What is not on record may not decide.
        if self.note(path, answer) {
            found
        } else {
            Err(PathError::io(path, ErrorKind::QuotaExceeded))
        }
    }
}

/// The answers of a resolver by path; every other name is a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Transcript(BTreeMap<Box<str>, Answer>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Missing,
    Other,
    Link(Box<str>),
    /// It could not be looked at, for whatever reason.
    Unknown,
}

const MISSING: &str = "missing";
const OTHER: &str = "other";
const UNKNOWN: &str = "unknown";
const LINK: &str = "link";

/// Stands in the place of a transcript that would be too long.
const TOO_MANY: &str = "too_many";

impl Transcript {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn write(&self, out: &mut String) {
        out.push('{');
        for (index, (path, answer)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_string(out, path);
            out.push(':');
            match answer {
                Answer::Missing => write_string(out, MISSING),
                Answer::Other => write_string(out, OTHER),
                Answer::Unknown => write_string(out, UNKNOWN),
                Answer::Link(target) => {
                    out.push('{');
                    text(out, LINK, target);
                    out.push('}');
                }
            }
        }
        out.push('}');
    }

    /// Reads what [`write`](Self::write) wrote; an absent one is empty.
    pub(crate) fn read(value: Option<&Value>, place: &'static str) -> Result<Self, RecordError> {
        let Some(value) = value else { return Ok(Self::default()) };
        let object = value.as_object().filter(|object| !object.is_empty());
        let object = object.ok_or_else(|| RecordError::new(place, "", "is no list of answers"))?;
        let answer = |(path, answer): (&str, &Value)| {
            let answer = match answer.as_str() {
                Some(MISSING) => Answer::Missing,
                Some(OTHER) => Answer::Other,
                Some(UNKNOWN) => Answer::Unknown,
                Some(_) => return Err(RecordError::new(place, "", "has no known answer")),
                None => {
                    let mut members = Members::of(answer, place)?;
                    let target = members.text(LINK)?;
                    members.finish()?;
                    Answer::Link(target.into())
                }
            };
            Ok((path.into(), answer))
        };
        object.iter().map(answer).collect::<Result<_, _>>().map(Self)
    }

    /// Tells whether `value` stands in the place of a transcript that would have been too long.
    pub(crate) fn is_too_many(value: Option<&Value>) -> bool {
        value.and_then(Value::as_str) == Some(TOO_MANY)
    }
}

impl PathResolver for Transcript {
    fn entry(&self, path: &str) -> Result<Entry, PathError> {
        match self.0.get(path) {
            None => Ok(Entry::Directory),
            Some(Answer::Missing) => Ok(Entry::Missing),
            Some(Answer::Other) => Ok(Entry::Other),
            Some(Answer::Link(target)) => Ok(Entry::Link(target.to_string())),
            Some(Answer::Unknown) => Err(PathError::io(path, ErrorKind::Other)),
        }
    }
}
