//! Lines of bounded length from a stream.

use std::io::{self, BufRead};

/// Reads lines, none of them longer than a limit.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    most: usize,
    line: Vec<u8>,
}

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// The bytes of the line.
    Whole(&'a [u8]),
    /// The line is longer than the limit, and was skipped.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    /// Reads lines of at most `most` bytes from `reader`, their ends not counted.
    pub(crate) const fn new(reader: R, most: usize) -> Self {
        Self { reader, most, line: Vec::new() }
    }

    /// Reads the next line; `None` at the end. What follows the last line end is a line if there is
    /// anything.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let (mut any, mut too_long) = (false, false);
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (part, used) = match end {
                Some(end) => {
                    (buffer.split_at_checked(end).map_or(buffer, |(part, _)| part), end + 1)
                }
                None => (buffer, buffer.len()),
            };
            too_long |= part.len() > self.most - self.line.len().min(self.most);
            if !too_long {
                self.line.extend_from_slice(part);
            }
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        Ok(match (any, too_long) {
            (false, _) => None,
            (true, true) => Some(Line::TooLong),
            (true, false) => Some(Line::Whole(&self.line)),
        })
    }

    /// Returns the reader, whose buffer tells whether the next line is there already.
    pub(crate) const fn reader(&self) -> &R {
        &self.reader
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn check(text: &str, expected: &[Option<&str>]) {
        for size in [1, 2, 3, 64] {
            let mut lines = Lines::new(BufReader::with_capacity(size, text.as_bytes()), 4);
            let mut found = Vec::new();
            while let Some(line) = lines.next().unwrap() {
                found.push(match line {
                    Line::Whole(line) => Some(String::from_utf8(line.to_vec()).unwrap()),
                    Line::TooLong => None,
                });
            }
            let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
            assert_eq!(found, expected, "{text:?} by {size}");
        }
    }

    #[test]
    fn lines_end_with_a_line_feed_or_the_stream() {
        check("", &[]);
        check("\n", &[Some("")]);
        check("a", &[Some("a")]);
        check("a\nb\n", &[Some("a"), Some("b")]);
        check("a\n\nb", &[Some("a"), Some(""), Some("b")]);
        check("a\r\n", &[Some("a\r")]);
    }

    #[test]
    fn a_long_line_is_skipped_and_the_next_is_read() {
        check("1234\n12345\n1234", &[Some("1234"), None, Some("1234")]);
        check("1234567890", &[None]);
        check("1234567890\n\n1", &[None, Some(""), Some("1")]);
    }
}
