//! Reading a receipt file line by line in bounded memory (receipt-format §2.1).

use std::io::{self, BufRead, Read as _};

use super::MAX_LINE_BYTES;

/// Reads one line after the other.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    file: R,
    line: Vec<u8>,
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// A line, without its line end.
    Line(&'a [u8]),
    /// More bytes than a line may have.
    TooLong,
    /// The end of the file, behind so many bytes that are no line.
    End { torn: u64 },
}

impl<R: BufRead> LineReader<R> {
    pub(crate) fn new(file: R) -> Self {
        Self { file, line: Vec::with_capacity(4096) }
    }

    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        let most = MAX_LINE_BYTES as u64 + 1;
        let bytes = self.file.by_ref().take(most).read_until(b'\n', &mut self.line)?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            return Ok(Next::Line(&self.line));
        }
        if bytes > MAX_LINE_BYTES {
            return Ok(Next::TooLong);
        }
        Ok(Next::End { torn: bytes as u64 })
    }
}
