//! Wall-clock time, as tokens know it (RFC 7519 §2, NumericDate).
//!
//! A leaf: anyone may name it. Time enters the gate as an argument, so a test can judge a token on any day; the only reading of
//! the machine's clock is [`Timestamp::now`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z, negative before. All arithmetic saturates: no claim can make it wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 2020-01-01: a machine whose clock is before this has not set it yet.
    pub const YEAR_2020: Self = Self(1_577_836_800_000);

    /// The machine's wall clock.
    #[must_use]
    pub fn now() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where the wall clock is read"
        )]
        let now = SystemTime::now();
        match now.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(saturating_millis(since)),
            Err(before) => Self(-saturating_millis(before.duration())),
        }
    }

    /// A moment given in whole seconds since 1970.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// A moment given in seconds since 1970 with a fraction. Infinities and values out of range saturate; NaN, which JSON
    /// cannot hold, is 1970.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float-to-int cast saturates, which is what is wanted"
    )]
    pub fn from_fractional_seconds(seconds: f64) -> Self {
        Self((seconds * 1000.0).floor() as i64)
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment moved forward.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(saturating_millis(by)))
    }

    /// This moment moved back.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_millis(by)))
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

fn saturating_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_claims_saturate_instead_of_wrapping() {
        let end = Timestamp::from_fractional_seconds(1e308);
        assert_eq!(end.plus(Duration::MAX), end);
        let start = Timestamp::from_fractional_seconds(-1e308);
        assert_eq!(start.minus(Duration::MAX), start);
        assert!(start < Timestamp::from_seconds(0));
        assert_eq!(start.since(end), Duration::ZERO);
    }

    #[test]
    fn fractions_are_kept_to_the_millisecond() {
        let moment = Timestamp::from_fractional_seconds(100.5);
        assert!(moment > Timestamp::from_seconds(100));
        assert_eq!(moment.seconds(), 100);
        assert_eq!(Timestamp::from_fractional_seconds(-0.5).seconds(), -1);
    }
}
