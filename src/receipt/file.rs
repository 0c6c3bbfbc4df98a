//! A receipt file on disk.
//!
//! What each promise rests on: `write` hands the bytes to the operating system, which keeps them
//! when the process is killed; `fdatasync` asks the device to keep them when the power fails. A
//! device may lie, and a failed `fdatasync` may have lost bytes that a later one will not report, so
//! after any failure the sink stores nothing more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::MAX_LINE_BYTES;
use super::group::Group;
use super::line::{Kind, Line};
use super::sink::{ReceiptSink, SinkError};
use crate::text::escape_visible;

/// What a stored group survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The end of the process, `kill -9` included, but not of the machine: what the operating
    /// system has not written back is lost with the power.
    ProcessCrash,
    /// Loss of power, if file system and device keep what `fdatasync` promises. Not the loss of the
    /// device, nor whoever can write to it. Groups that wait at the same time share one `fdatasync`.
    PowerLoss,
}

/// Appends groups to a receipt file, each with one write.
///
/// The file is locked against other processes that use this type. The first failed or short write
/// leaves a torn tail; from then on every append fails until the file is recovered.
#[derive(Debug)]
pub struct FileSink {
    lines: File,
    openings: Option<File>,
    durability: Durability,
    state: Mutex<State>,
    synced: Condvar,
}

#[derive(Debug, Default)]
struct State {
    buffer: String,
    /// Groups written, and how many of them are known to be synced.
    written: u64,
    synced: u64,
    syncing: bool,
    poisoned: bool,
}

impl FileSink {
    /// Creates the file, which must not exist.
    ///
    /// # Errors
    ///
    /// Returns [`FileError`] if it exists or cannot be created, locked or, with
    /// [`Durability::PowerLoss`], made to survive in its folder.
    pub fn create(path: impl AsRef<Path>, durability: Durability) -> Result<Self, FileError> {
        let path = path.as_ref();
        let options = OpenOptions::new().append(true).create_new(true).clone();
        let lines = options.open(path).map_err(|cause| FileError::new("create", path, cause))?;
        if durability == Durability::PowerLoss {
            sync_parent(path)?;
        }
        Self::with_file(path, lines, durability)
    }

    /// Opens a file that exists to append to it.
    ///
    /// # Errors
    ///
    /// Returns [`FileError`] if it cannot be opened or locked, or if its last line is torn:
    /// [`FileSink::recover`] it first.
    pub fn append_to(path: impl AsRef<Path>, durability: Durability) -> Result<Self, FileError> {
        let path = path.as_ref();
        let options = OpenOptions::new().read(true).append(true).clone();
        let lines = options.open(path).map_err(|cause| FileError::new("open", path, cause))?;
        let sink = Self::with_file(path, lines, durability)?;
        let torn = torn_bytes(&sink.lines).map_err(|cause| FileError::new("read", path, cause))?;
        if torn > 0 {
            let cause = io::Error::other("its last line is torn; recover it first");
            return Err(FileError::new("append to", path, cause));
        }
        Ok(sink)
    }

    /// Stores openings too, in the file at `path`, which is created if need be.
    ///
    /// Without this they are thrown away, and what was decided can never be revealed or replayed.
    /// A line that an earlier crash tore is ended, so that it spoils no other; readers skip it.
    ///
    /// # Errors
    ///
    /// Returns [`FileError`] if the file cannot be opened.
    ///
    /// # Security
    ///
    /// Openings are the secrets that receipts hide: keep them where the data they name may be kept.
    pub fn with_openings(mut self, path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let file = options.open(path).map_err(|cause| FileError::new("open", path, cause))?;
        end_last_line(&file)
            .map_err(|cause| FileError::new("end the last line of", path, cause))?;
        if self.durability == Durability::PowerLoss {
            sync_parent(path)?;
        }
        self.openings = Some(file);
        Ok(self)
    }

    /// Makes the file end with a whole line again after a crash or a failed store.
    ///
    /// Bytes after the last line end are moved to `<path>.torn-<n>`, since they are evidence of what
    /// was being stored, and then cut off. Nothing else is looked at: verify the file next, and resume
    /// from the positions that the verifier reports.
    ///
    /// # Errors
    ///
    /// Returns [`FileError`] if the file is in use, cannot be read or changed, or ends with more
    /// bytes without a line end than a line can have, and so is no receipt file.
    pub fn recover(path: impl AsRef<Path>) -> Result<Recovered, FileError> {
        let path = path.as_ref();
        let failed = |what| move |cause| FileError::new(what, path, cause);
        let options = OpenOptions::new().read(true).write(true).clone();
        let mut file = options.open(path).map_err(failed("open"))?;
        lock(path, &file)?;
        let bytes = file.metadata().map_err(failed("read"))?.len();
        let torn = torn_bytes(&file).map_err(failed("read"))?;
        if torn == 0 {
            return Ok(Recovered { stored_bytes: bytes, torn_bytes: 0, torn_path: None });
        }
        let stored_bytes = bytes - torn;
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(stored_bytes)).map_err(failed("read"))?;
        file.read_to_end(&mut tail).map_err(failed("read"))?;
        let torn_path = save_torn(path, &tail)?;
        sync_parent(path)?;
        file.set_len(stored_bytes).map_err(failed("cut"))?;
        file.sync_all().map_err(failed("cut"))?;
        Ok(Recovered { stored_bytes, torn_bytes: torn, torn_path: Some(torn_path) })
    }

    fn with_file(path: &Path, lines: File, durability: Durability) -> Result<Self, FileError> {
        lock(path, &lines)?;
        let (state, synced) = Default::default();
        Ok(Self { lines, openings: None, durability, state, synced })
    }

    fn write(&self, state: &mut State, group: &Group) -> io::Result<()> {
        if let Some(file) = &self.openings
            && !group.openings.is_empty()
        {
            state.buffer.clear();
            for opening in &group.openings {
                state.buffer.push_str(&opening.to_line());
                state.buffer.push('\n');
            }
            write_once(file, state.buffer.as_bytes())?;
        }
        state.buffer.clear();
        group.write_ndjson(&mut state.buffer);
        write_once(&self.lines, state.buffer.as_bytes())?;
        state.buffer.clear();
        state.buffer.shrink_to(MAX_LINE_BYTES);
        state.written += 1;
        Ok(())
    }

    /// Waits until group `mine` is synced; one of those who wait syncs for all that are written.
    fn sync<'a>(&'a self, mut state: MutexGuard<'a, State>, mine: u64) -> Result<(), SinkError> {
        loop {
            if state.synced >= mine {
                return Ok(());
            }
            if state.poisoned {
                return Err(SinkError::Poisoned);
            }
            if state.syncing {
                state = self.synced.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.syncing = true;
            let up_to = state.written;
            drop(state);
            let openings = self.openings.as_ref().map_or(Ok(()), File::sync_data);
            let result = openings.and_then(|()| self.lines.sync_data());
            state = self.lock();
            state.syncing = false;
            match &result {
                Ok(()) => state.synced = up_to,
                Err(_) => state.poisoned = true,
            }
            self.synced.notify_all();
            result.map_err(SinkError::new)?;
        }
    }

    fn is_empty(&self) -> bool {
        self.lines.metadata().is_ok_and(|file| file.len() == 0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReceiptSink for FileSink {
    fn append(&self, group: &Group) -> Result<(), SinkError> {
        let mut state = self.lock();
        if state.poisoned {
            return Err(SinkError::Poisoned);
        }
        // A second journal would make the whole file unverifiable; nothing has been written yet.
        if group.lines.first().is_some_and(begins_journal) && !self.is_empty() {
            return Err(SinkError::new("the file holds a journal: verify it, and resume"));
        }
        if let Err(cause) = self.write(&mut state, group) {
            state.poisoned = true;
            return Err(SinkError::new(cause));
        }
        match self.durability {
            Durability::ProcessCrash => Ok(()),
            Durability::PowerLoss => {
                let mine = state.written;
                self.sync(state, mine)
            }
        }
    }
}

/// Whether `line` is the first of a journal.
fn begins_journal(line: &Line) -> bool {
    line.kind() == Kind::Epoch && line.as_str().contains("\"seq\":0,")
}

/// What [`FileSink::recover`] found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Size of the file now: whole lines only.
    pub stored_bytes: u64,
    /// How many bytes of a torn line were cut off.
    pub torn_bytes: u64,
    /// Where they are now.
    pub torn_path: Option<PathBuf>,
}

/// Why a receipt file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} receipt file `{}`", escape_visible(&path.display().to_string()))]
pub struct FileError {
    what: &'static str,
    path: PathBuf,
    #[source]
    cause: io::Error,
}

impl FileError {
    fn new(what: &'static str, path: &Path, cause: io::Error) -> Self {
        Self { what, path: path.to_owned(), cause }
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the kind of what went wrong.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }
}

/// Writes `bytes` with one call; less than all of it is an error, since the rest might never follow.
fn write_once(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    loop {
        match file.write(bytes) {
            Ok(written) if written == bytes.len() => return Ok(()),
            Ok(written) => {
                let what = format!("{written} of {} bytes were written", bytes.len());
                return Err(io::Error::new(io::ErrorKind::WriteZero, what));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns how many bytes stand after the last line end.
fn torn_bytes(mut file: &File) -> io::Result<u64> {
    let bytes = file.metadata()?.len();
    let tail = bytes.min(MAX_LINE_BYTES as u64 + 1);
    let mut last = Vec::new();
    file.seek(SeekFrom::Start(bytes - tail))?;
    file.take(tail).read_to_end(&mut last)?;
    match last.iter().rev().position(|byte| *byte == b'\n') {
        Some(torn) => Ok(torn as u64),
        None if tail == bytes => Ok(bytes),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "it has no line end near its end")),
    }
}

/// Ends the last line if it has no end.
fn end_last_line(mut file: &File) -> io::Result<()> {
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            write_once(file, b"\n")?;
        }
    }
    Ok(())
}

fn save_torn(path: &Path, tail: &[u8]) -> Result<PathBuf, FileError> {
    for n in 1..=MAX_TORN_FILES {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".torn-{n}"));
        let torn_path = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).open(&torn_path) {
            Ok(mut file) => {
                let saved = file.write_all(tail).and_then(|()| file.sync_all());
                saved.map_err(|cause| FileError::new("save the torn end of", path, cause))?;
                return Ok(torn_path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(FileError::new("save the torn end of", path, cause)),
        }
    }
    let cause = io::Error::other(format!("{MAX_TORN_FILES} torn ends are kept already"));
    Err(FileError::new("save the torn end of", path, cause))
}

fn lock(path: &Path, file: &File) -> Result<(), FileError> {
    file.try_lock().map_err(|error| {
        let cause = match error {
            fs::TryLockError::WouldBlock => io::Error::other("it is in use"),
            fs::TryLockError::Error(cause) => cause,
        };
        FileError::new("lock", path, cause)
    })
}

/// Makes the entry of `path` in its folder survive.
fn sync_parent(path: &Path) -> Result<(), FileError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let synced =
        if cfg!(unix) { File::open(folder).and_then(|dir| dir.sync_all()) } else { Ok(()) };
    synced.map_err(|cause| FileError::new("sync the folder of", path, cause))
}

/// After so many crashes somebody should look.
const MAX_TORN_FILES: u32 = 1000;
