//! Reads streams line by line, always the one that lags behind.

use std::io::{self, BufRead, Read as _};

use super::correlator::Correlator;
use super::finding::Finding;
use super::read::MAX_EVENT_BYTES;
use super::report::Report;

impl<F: FnMut(Finding)> Correlator<F> {
    /// Reads everything: receipt lines, with openings before or right behind those of their call, and the
    /// lines of each source, in the order of the sources. Lines that cannot be read are counted, found as
    /// gaps, and passed over.
    ///
    /// # Errors
    ///
    /// Returns the error of a reader; what was found until then has been given to the sink.
    ///
    /// # Panics
    ///
    /// Never. Readers beyond the sources are not read; a source without a reader is one without lines.
    ///
    /// # Examples
    ///
    /// ```
    /// use countersign::audit::correlate::{Builder, Format, Source};
    ///
    /// let correlator =
    ///     Builder::default().with_source(Source::new("sensor", Format::Falco)).build(|_| ());
    /// let report = correlator.run(&b""[..], vec![&b"no json\n"[..]])?;
    /// assert_eq!(report.unreadable, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn run<D: BufRead, E: BufRead>(
        mut self,
        mut decisions: D,
        mut events: Vec<E>,
    ) -> io::Result<Report> {
        let mut line = Vec::with_capacity(4096);
        while let Some(stream) = self.laggard() {
            let source = stream.checked_sub(1);
            let next = match source {
                None => next(&mut decisions, MAX_DECISION_BYTES, &mut line)?,
                Some(source) => match events.get_mut(source) {
                    Some(reader) => next(reader, MAX_EVENT_BYTES, &mut line)?,
                    None => Next::End,
                },
            };
            // A line that cannot be read has been counted and found; the next one is read all the same.
            match (next, source) {
                (Next::End, source) => self.end(source),
                (Next::Line, None) => drop(self.decision_line(&line)),
                (Next::Line, Some(source)) => drop(self.event_line(source, &line)),
                (Next::TooLong, None) => self.skip_decision_line(),
                (Next::TooLong, Some(source)) => drop(self.skip_line(source)),
            }
        }
        Ok(self.finish())
    }
}

enum Next {
    Line,
    TooLong,
    End,
}

/// Reads one line of at most `most` bytes into `line`; of a longer one everything is read and nothing
/// kept.
fn next(reader: &mut impl BufRead, most: usize, line: &mut Vec<u8>) -> io::Result<Next> {
    line.clear();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let bytes = reader.by_ref().take(limit).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Next::Line);
    }
    if bytes <= most {
        return Ok(if bytes == 0 { Next::End } else { Next::Line });
    }
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(Next::TooLong);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(Next::TooLong);
        }
    }
}

/// The longest opening there can be (receipt-format §7).
const MAX_DECISION_BYTES: usize = 8 << 20;
