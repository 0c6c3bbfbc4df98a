//! Verifying on several threads: lines are read and hashed on all of them, their chains are followed
//! on one, and signatures are verified on all again.

use std::collections::VecDeque;
use std::io::BufRead;
use std::num::NonZero;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::super::check::VerifyError;
use super::super::line::LineError;
use super::super::report::Verified;
use super::run::{Parsed, Run};
use super::signature::Task;
use super::{MAX_LINE_BYTES, Verifier};

/// How many bytes are in the works at a time.
const BATCH_BYTES: usize = 8 << 20;

/// How many lines a thread takes at a time.
const CHUNK_LINES: usize = 64;

/// The number of the thread that follows the chains.
const FOLLOWER: usize = 0;

impl Verifier {
    pub(super) fn verify_on(
        &self,
        threads: NonZero<usize>,
        mut file: impl BufRead,
    ) -> Result<Verified, VerifyError> {
        let mut run = Run::new(self);
        let (mut bytes, mut ahead) = (Vec::new(), Vec::new());
        let mut more = fill(&mut bytes, &mut file);
        loop {
            let lines = lines(&bytes);
            let end = lines.last().map_or(0, |line| line.end + 1);
            let torn = bytes.get(end..).unwrap_or_default();
            ahead.clear();
            ahead.extend_from_slice(torn);
            // What comes next is read while the others parse.
            let mut then = Ok(false);
            Batch::new(&bytes, &lines).work(&mut run, threads, || {
                if let Ok(true) = more {
                    then = fill(&mut ahead, &mut file);
                }
            })?;
            if torn.len() > MAX_LINE_BYTES {
                return Err(run.too_long());
            }
            match more {
                Ok(true) => {}
                Ok(false) => return run.finish(torn.len() as u64),
                Err(error) => return Err(VerifyError::read(run.next_line(), error)),
            }
            more = then;
            std::mem::swap(&mut bytes, &mut ahead);
        }
    }
}

/// Reads until there are enough bytes or no more; tells whether there may be more.
fn fill(bytes: &mut Vec<u8>, file: &mut impl BufRead) -> std::io::Result<bool> {
    while bytes.len() < BATCH_BYTES {
        let read = match file.fill_buf() {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read.is_empty() {
            return Ok(false);
        }
        let taken = read.len().min(BATCH_BYTES - bytes.len());
        bytes.extend_from_slice(read.get(..taken).unwrap_or_default());
        file.consume(taken);
    }
    Ok(true)
}

/// Where the lines stand, without their ends.
fn lines(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    let mut start = 0;
    // `skip_until` on bytes fails never, and searches as fast as can be.
    while let Ok(length @ 1..) = rest.skip_until(b'\n') {
        let end = start + length - 1;
        if bytes.get(end) != Some(&b'\n') {
            break;
        }
        lines.push(start..end);
        start = end + 1;
    }
    lines
}

/// Lines as one thread has read them.
struct Chunk<'a> {
    /// The number of the thread. What it has made it drops itself: an allocator holds up those who free what
    /// others have made.
    reader: usize,
    lines: Vec<Result<Parsed<'a>, LineError>>,
}

/// Lines that are in the works.
struct Batch<'a> {
    bytes: &'a [u8],
    chunks: Vec<&'a [Range<usize>]>,
}

/// What is left to do. Chunks are parsed in order; tasks are verified in any.
struct Work<'a> {
    next_chunk: usize,
    /// What was parsed and not followed yet.
    parsed: Vec<Option<Chunk<'a>>>,
    /// What was followed and not dropped yet, by the number of the thread that read it.
    followed: Vec<Vec<Chunk<'a>>>,
    /// With the number of the chunk that they come from.
    tasks: VecDeque<(usize, Vec<Task<'a>>)>,
    /// No tasks will come any more.
    done: bool,
    /// The first task, so far, that failed: its chunk and its place there.
    wrong: Option<((usize, usize), VerifyError)>,
}

/// The work, and a bell for whoever waits for some.
struct Desk<'a> {
    work: Mutex<Work<'a>>,
    changed: Condvar,
}

impl<'a> Desk<'a> {
    fn lock(&self) -> MutexGuard<'_, Work<'a>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&self, work: MutexGuard<'g, Work<'a>>) -> MutexGuard<'g, Work<'a>> {
        self.changed.wait(work).unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Work<'a>)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// Says at its end that no tasks will come any more.
struct Done<'d, 'a>(&'d Desk<'a>);

impl Drop for Done<'_, '_> {
    fn drop(&mut self) {
        self.0.change(|work| work.done = true);
    }
}

impl<'a> Batch<'a> {
    fn new(bytes: &'a [u8], lines: &'a [Range<usize>]) -> Self {
        Self { bytes, chunks: lines.chunks(CHUNK_LINES).collect() }
    }

    /// Does all that there is to do with the lines, and `meanwhile` on this thread.
    fn work(
        &self,
        run: &mut Run<'_>,
        threads: NonZero<usize>,
        meanwhile: impl FnOnce(),
    ) -> Result<(), VerifyError> {
        let parsed = self.chunks.iter().map(|_| None).collect();
        let helpers = (threads.get() - 1).min(self.chunks.len());
        let desk = Desk {
            work: Mutex::new(Work {
                next_chunk: 0,
                parsed,
                followed: (0..=helpers).map(|_| Vec::new()).collect(),
                tasks: VecDeque::new(),
                done: false,
                wrong: None,
            }),
            changed: Condvar::new(),
        };
        let followed = std::thread::scope(|scope| {
            // However this ends, by a panic of the reader too, nobody waits for more.
            let done = Done(&desk);
            for number in 1..=helpers {
                // Where no thread can be had this one does it all.
                let (helper, desk) = (std::thread::Builder::new(), &desk);
                drop(helper.spawn_scoped(scope, move || self.help(number, desk)));
            }
            meanwhile();
            let followed = self.follow(run, &desk);
            drop(done);
            self.help(FOLLOWER, &desk);
            followed
        });
        // A signature stands before what its line and all later ones mean.
        match desk.work.into_inner().unwrap_or_else(PoisonError::into_inner).wrong {
            Some((_, error)) => Err(error),
            None => followed,
        }
    }

    /// Follows the chains through all lines in order; signatures are left to be verified.
    fn follow(&self, run: &mut Run<'_>, desk: &Desk<'a>) -> Result<(), VerifyError> {
        for chunk in 0..self.chunks.len() {
            let parsed = self.wait_for(chunk, desk);
            let mut tasks = Vec::new();
            let mut lines = parsed.lines.iter();
            let result = lines.try_for_each(|parsed| run.follow(parsed, &mut tasks));
            let others = Some(parsed).filter(|parsed| parsed.reader != FOLLOWER);
            desk.change(|work| {
                work.tasks.push_back((chunk, tasks));
                if let Some(parsed) = others
                    && let Some(followed) = work.followed.get_mut(parsed.reader)
                {
                    followed.push(parsed);
                }
            });
            result?;
        }
        Ok(())
    }

    fn wait_for(&self, chunk: usize, desk: &Desk<'a>) -> Chunk<'a> {
        let mut work = desk.lock();
        loop {
            if let Some(parsed) = work.parsed.get_mut(chunk).and_then(Option::take) {
                return parsed;
            }
            work = match work.next_chunk < self.chunks.len() {
                true => self.parse_next(FOLLOWER, desk, work),
                false => desk.wait(work),
            };
        }
    }

    /// Does what there is to do until nothing more can come.
    fn help(&self, number: usize, desk: &Desk<'a>) {
        let mut room = Vec::new();
        let mut work = desk.lock();
        loop {
            if let Some(followed) = work.followed.get_mut(number).filter(|it| !it.is_empty()) {
                let followed = std::mem::take(followed);
                drop(work);
                drop(followed);
                work = desk.lock();
            } else if work.next_chunk < self.chunks.len() && !work.done {
                work = self.parse_next(number, desk, work);
                desk.changed.notify_all();
            } else if let Some((chunk, tasks)) = work.tasks.pop_front() {
                drop(work);
                let wrong = tasks
                    .iter()
                    .enumerate()
                    .find_map(|(at, task)| Some(((chunk, at), task.verify(&mut room).err()?)));
                work = desk.lock();
                if let Some(wrong) = wrong
                    && work.wrong.as_ref().is_none_or(|first| wrong.0 < first.0)
                {
                    work.wrong = Some(wrong);
                }
            } else if work.done {
                return;
            } else {
                work = desk.wait(work);
            }
        }
    }

    /// Parses the next chunk, which this thread alone has taken, without holding the work up.
    fn parse_next<'g>(
        &self,
        reader: usize,
        desk: &'g Desk<'a>,
        mut work: MutexGuard<'g, Work<'a>>,
    ) -> MutexGuard<'g, Work<'a>> {
        let chunk = work.next_chunk;
        work.next_chunk += 1;
        drop(work);
        let lines = self.chunks.get(chunk).copied().unwrap_or_default();
        let bytes = self.bytes;
        let parse =
            |line: &Range<usize>| Parsed::parse(bytes.get(line.clone()).unwrap_or_default());
        let parsed = Chunk { reader, lines: lines.iter().map(parse).collect() };
        let mut work = desk.lock();
        if let Some(place) = work.parsed.get_mut(chunk) {
            *place = Some(parsed);
        }
        work
    }
}
