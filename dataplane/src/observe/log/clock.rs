//! Local time as access logs write it.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

/// `24/Nov/2026:07:01:42 +0000`, formatted once for each second.
#[derive(Debug)]
pub(super) struct LocalClock {
    zone: TimeZone,
    /// Seconds since 1970.
    second: Option<i64>,
    text: String,
}

impl LocalClock {
    /// A clock of the system's time zone (`TZ`, `/etc/localtime`); UTC where it has none.
    pub(super) fn new() -> Self {
        Self::in_zone(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }

    fn in_zone(zone: TimeZone) -> Self {
        Self { zone, second: None, text: String::new() }
    }

    /// The text of a moment.
    pub(super) fn text(&mut self, moment: SystemTime) -> &str {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = self.format(second);
        }
        &self.text
    }

    fn format(&self, second: i64) -> String {
        let timestamp = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        timestamp.to_zoned(self.zone.clone()).strftime("%d/%b/%Y:%H:%M:%S %z").to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::tz::offset;

    use super::*;

    #[test]
    fn writes_local_time() {
        let mut clock = LocalClock::in_zone(TimeZone::fixed(offset(2)));
        let moment = UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        assert_eq!(clock.text(moment), "15/Nov/2023:00:13:20 +0200");
        assert_eq!(clock.text(moment + Duration::from_millis(1)), "15/Nov/2023:00:13:21 +0200");
    }

    #[test]
    fn survives_any_time() {
        let mut clock = LocalClock::new();
        assert!(clock.text(UNIX_EPOCH - Duration::from_secs(5)).contains("19"));
        assert!(!clock.text(UNIX_EPOCH + Duration::from_secs(1 << 55)).is_empty());
    }
}
