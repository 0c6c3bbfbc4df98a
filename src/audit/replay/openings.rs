//! Where the openings of a call come from.

use std::collections::HashMap;
use std::io::{self, BufRead, Read as _, Seek, SeekFrom};

use super::ReplayError;
use crate::receipt::{Opening, SessionId};

/// The most calls whose openings are indexed; each takes about 60 bytes.
const MAX_CALLS: usize = 1 << 24;

/// The longest line of an opening, with its line end (receipt-format §7).
const MAX_LINE_BYTES: u64 = (8 << 20) + 1;

/// Finds the openings of a call.
pub trait OpeningSource {
    /// Returns the openings of `call`, in any order; those that are not there are erased or withheld.
    ///
    /// # Errors
    ///
    /// Returns [`ReplayError`] when they cannot be read.
    fn find(&mut self, session: SessionId, call: u64) -> Result<Vec<Opening>, ReplayError>;
}

impl<S: OpeningSource + ?Sized> OpeningSource for &mut S {
    fn find(&mut self, session: SessionId, call: u64) -> Result<Vec<Opening>, ReplayError> {
        (**self).find(session, call)
    }
}

/// Openings in memory; collect it from them.
#[derive(Debug, Clone, Default)]
pub struct OpeningMap(HashMap<(SessionId, u64), Vec<Opening>>);

impl FromIterator<Opening> for OpeningMap {
    fn from_iter<I: IntoIterator<Item = Opening>>(openings: I) -> Self {
        let mut map: HashMap<_, Vec<_>> = HashMap::new();
        for opening in openings {
            map.entry((opening.session(), opening.call())).or_default().push(opening);
        }
        Self(map)
    }
}

impl OpeningSource for OpeningMap {
    fn find(&mut self, session: SessionId, call: u64) -> Result<Vec<Opening>, ReplayError> {
        Ok(self.0.get(&(session, call)).cloned().unwrap_or_default())
    }
}

/// Openings in a file, one a line, as [`FileSink`](crate::receipt::FileSink) stores them. Only where
/// they stand is kept in memory.
///
/// # Examples
///
/// ```
/// use std::io::Cursor;
/// use countersign::audit::replay::{OpeningFile, OpeningSource as _};
/// use countersign::action::ReadData;
/// use countersign::testing::Fixture;
///
/// let fixture = Fixture::default();
/// let session = fixture.session();
/// session.authorize(ReadData::new("src/main.rs"))?;
/// let lines: String = fixture.sink.openings().iter().map(|opening| opening.to_line() + "\n").collect();
///
/// let mut file = OpeningFile::index(Cursor::new(lines))?;
/// let openings = file.find(session.id(), 1)?;
/// assert_eq!(openings.iter().map(|opening| opening.name()).collect::<Vec<_>>(), ["action", "facts", "effects/data/0"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct OpeningFile<R> {
    file: R,
    /// Runs of lines of one call: where each begins, and how many there are.
    places: HashMap<(SessionId, u64), Vec<(u64, u64)>>,
}

impl<R: BufRead + Seek> OpeningFile<R> {
    /// Reads `file` once, from its beginning. Bytes after the last line end are what a crash left, and
    /// are passed over.
    ///
    /// # Errors
    ///
    /// Returns [`ReplayError`] for a line that is no opening, for a file of more calls than are indexed,
    /// and when it cannot be read.
    pub fn index(mut file: R) -> Result<Self, ReplayError> {
        file.seek(SeekFrom::Start(0))?;
        let mut places: HashMap<_, Vec<(u64, u64)>> = HashMap::new();
        let (mut at, mut number) = (0_u64, 0_u64);
        let mut last = None;
        let mut buffer = Vec::new();
        while read_line(&mut file, &mut buffer, MAX_LINE_BYTES)? {
            number += 1;
            let opening = parse(&buffer).ok_or(ReplayError::OpeningLine { line: number })?;
            let key = (opening.session(), opening.call());
            if places.len() >= MAX_CALLS && !places.contains_key(&key) {
                return Err(ReplayError::TooMany {
                    what: "calls in the openings",
                    most: MAX_CALLS,
                });
            }
            let runs = places.entry(key).or_default();
            match runs.last_mut() {
                Some((_, count)) if last == Some(key) => *count += 1,
                _ => runs.push((at, 1)),
            }
            last = Some(key);
            at += buffer.len() as u64 + 1;
        }
        Ok(Self { file, places })
    }
}

impl<R: BufRead + Seek> OpeningSource for OpeningFile<R> {
    fn find(&mut self, session: SessionId, call: u64) -> Result<Vec<Opening>, ReplayError> {
        let mut openings = Vec::new();
        let mut buffer = Vec::new();
        for (start, count) in self.places.get(&(session, call)).into_iter().flatten() {
            self.file.seek(SeekFrom::Start(*start))?;
            for _ in 0..*count {
                // The file was read before. Whoever changes it meanwhile takes openings away.
                if read_line(&mut self.file, &mut buffer, MAX_LINE_BYTES)? {
                    openings.extend(parse(&buffer));
                }
            }
        }
        Ok(openings)
    }
}

fn parse(line: &[u8]) -> Option<Opening> {
    Opening::parse(std::str::from_utf8(line).ok()?).ok()
}

/// Reads the next line of at most `most` bytes, its line end among them, into `buffer`, which gets no line
/// end. False at the end of the file, and for bytes that no line end follows.
///
/// A line that is too long comes out cut, so that it is none of the required form.
pub(super) fn read_line(
    file: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    most: u64,
) -> io::Result<bool> {
    buffer.clear();
    file.take(most).read_until(b'\n', buffer)?;
    Ok(buffer.pop_if(|last| *last == b'\n').is_some() || buffer.len() as u64 >= most)
}
