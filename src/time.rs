//! Time as a value: a millisecond timestamp and the trait through which it enters.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z, up to the end of the year 9998.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 9998-12-31T23:59:59.999Z, after which not every offset can be written.
    pub const MAX: Self = Self(253_370_764_799_999);

    /// Wraps milliseconds since the epoch; later than [`MAX`](Self::MAX) becomes `MAX`.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 { Self::MAX } else { Self(millis) }
    }

    /// Parses an RFC 3339 date-time with its offset, such as `2026-11-21T09:00:00Z`.
    ///
    /// Fractions finer than a millisecond, a missing offset, leap seconds and times before 1970 are
    /// refused (`None`).
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        const LONGEST: usize = "2026-11-21T09:00:00.000+00:00".len();
        let bytes = text.as_bytes();
        let strict = bytes.len() <= LONGEST
            && bytes.get(10) == Some(&b'T')
            && bytes.get(13) == Some(&b':')
            && bytes.get(16) == Some(&b':')
            && bytes.get(17..19).is_some_and(|seconds| seconds != b"60")
            && bytes.iter().all(|byte| byte.is_ascii_digit() || b"-:.+TZ".contains(byte));
        if !strict {
            return None;
        }
        let parsed: jiff::Timestamp = text.parse().ok()?;
        if parsed.as_nanosecond().rem_euclid(1_000_000) != 0 {
            return None;
        }
        let millis = u64::try_from(parsed.as_millisecond()).ok()?;
        (millis <= Self::MAX.0).then_some(Self(millis))
    }

    /// Returns the milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns this time plus `duration`, at most [`MAX`](Self::MAX).
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Returns how long after `earlier` this is; zero when it is not after.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parsed = i64::try_from(self.0).map(jiff::Timestamp::from_millisecond);
        match parsed {
            Ok(Ok(timestamp)) => write!(f, "{timestamp:.3}"),
            _ => write!(f, "{} ms", self.0),
        }
    }
}

/// Where the time comes from.
///
/// # Security
///
/// Expiry, permits and rates trust this clock. A session denies while it runs backwards.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the current time.
    ///
    /// # Errors
    ///
    /// Returns [`ClockError`] when the time cannot be told; the decision is then a denial.
    fn now(&self) -> Result<Timestamp, ClockError>;
}

/// One clock for all who must agree on the time: the authorizer, a verifier of identities, who signs.
impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Result<Timestamp, ClockError> {
        (**self).now()
    }
}

/// The time could not be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the clock cannot tell the time: {0}")]
pub struct ClockError(pub String);

/// The clock of the operating system, which never goes backwards here.
///
/// It is the later of the wall clock and of the wall clock at the start carried on by the monotonic
/// clock. A wall clock that is set back does not move it; one that is set forward, as after a suspend
/// in which the monotonic clock stood still, does.
#[derive(Debug)]
pub struct SystemClock {
    start: Timestamp,
    anchor: std::time::Instant,
    latest: AtomicU64,
}

impl SystemClock {
    /// Reads the wall clock.
    ///
    /// # Errors
    ///
    /// Returns [`ClockError`] when the wall clock stands before 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where time enters")]
    pub fn new() -> Result<Self, ClockError> {
        let start = wall_clock()?;
        let latest = AtomicU64::new(start.as_millis());
        Ok(Self { start, anchor: std::time::Instant::now(), latest })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Result<Timestamp, ClockError> {
        let now = wall_clock()?.max(self.start.plus(self.anchor.elapsed()));
        let latest = self.latest.fetch_max(now.as_millis(), Ordering::AcqRel);
        Ok(now.max(Timestamp::from_millis(latest)))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where time enters")]
fn wall_clock() -> Result<Timestamp, ClockError> {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(|_| ClockError("the wall clock stands before 1970".into()))?;
    Ok(Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(Timestamp::parse_rfc3339(text).map(Timestamp::as_millis), expected, "{text}");
    }

    #[test]
    fn rfc3339_is_read_strictly() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2026-11-21T09:00:00Z", Some(1_795_251_600_000));
        check("2026-11-21T09:00:00.250Z", Some(1_795_251_600_250));
        check("2026-11-21T10:00:00+01:00", Some(1_795_251_600_000));
        check("2026-11-21T09:00:00", None);
        check("2026-11-21 09:00:00Z", None);
        check("2026-11-21t09:00:00z", None);
        check("2026-11-21T09:00:60Z", None);
        check("2026-11-21T09:00:00.0001Z", None);
        check("2026-02-30T09:00:00Z", None);
        check("1969-12-31T23:59:59Z", None);
        check("2026-11-21", None);
        check("20261121T090000Z", None);
        check("2026-11-21T09:00:00Z[UTC]", None);
        check("", None);
    }

    #[test]
    fn display_round_trips() {
        for millis in [0, 1, 1_795_251_600_250, Timestamp::MAX.as_millis()] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::parse_rfc3339(&time.to_string()), Some(time));
        }
    }

    #[test]
    fn the_system_clock_does_not_go_back() {
        let clock = SystemClock::new().unwrap();
        assert!(clock.now().unwrap() <= clock.now().unwrap());
    }
}
