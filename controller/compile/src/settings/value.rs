//! The forms of values.

use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

use ipnet::IpNet;

use crate::nginx;

/// Ten years: longer than anybody waits, and short enough that adding it to the time of day cannot overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// `true` or `false`, or one of the other ways in which Go reads them.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    nginx::boolean(text).ok_or_else(|| format!("`{text}` is neither `true` nor `false`"))
}

/// A whole number within bounds.
pub(super) fn number(text: &str, bounds: RangeInclusive<u64>) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    match number {
        Some(number) if bounds.contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is not a whole number from {} to {}", bounds.start(), bounds.end())),
    }
}

/// A whole number within bounds that fits 32 bits.
pub(super) fn number32(text: &str, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    let number = number(text, u64::from(*bounds.start())..=u64::from(*bounds.end()))?;
    u32::try_from(number).map_err(|_| format!("`{text}` is too large"))
}

/// A number of seconds without a unit, `least` or more.
pub(super) fn seconds(text: &str, least: u64) -> Result<Duration, String> {
    let seconds = number(text, least..=LONGEST.as_secs());
    seconds.map(Duration::from_secs).map_err(|error| format!("{error}; it counts seconds and has no unit"))
}

/// A time with units, such as `1m30s`, of at least a millisecond.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let time = nginx::time(text)?;
    let bounds = Duration::from_millis(1)..=LONGEST;
    bounds.contains(&time).then_some(time).ok_or_else(|| format!("`{text}` is not between `1ms` and `10y`"))
}

/// The same, where 0 says that there is no limit.
pub(super) fn time_or_none(text: &str) -> Result<Duration, String> {
    if nginx::time(text).is_ok_and(|time| time.is_zero()) { Ok(Duration::ZERO) } else { time(text) }
}

/// A size such as `8k` of `most` bytes or less.
pub(super) fn size(text: &str, most: u64) -> Result<u64, String> {
    let size = nginx::size(text)?;
    if size <= most { Ok(size) } else { Err(format!("`{text}` is more than {most} bytes")) }
}

/// The entries of a list with commas, without blanks around them; empty ones do not count.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// A list of networks (RFC 4632 notation); an address alone is a network of one.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    list(text).map(network).collect()
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    network.map(|network| network.trunc()).map_err(|_| format!("`{text}` is neither an IP address nor a network"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_take_bare_addresses() {
        let networks = networks(" 10.0.0.0/8, 192.0.2.7,2001:db8::/32 ,::1,").unwrap();
        let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::1/128"]);
    }

    #[test]
    fn a_network_loses_its_host_part() {
        assert_eq!(networks("10.1.2.3/8").unwrap(), ["10.0.0.0/8".parse().unwrap()]);
    }

    #[test]
    fn one_bad_network_spoils_the_list() {
        for text in ["10.0.0.0/8,example.com", "10.0.0.0/33", "10.0.0", "10.0.0.1-10.0.0.9"] {
            assert!(networks(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_digits_within_bounds() {
        assert_eq!(number("5", 1..=5), Ok(5));
        for text in ["", "0", "6", "-1", "+1", "1.0", "1s", "١", "99999999999999999999999"] {
            assert!(number(text, 1..=5).is_err(), "{text}");
        }
    }

    #[test]
    fn times_and_sizes_have_bounds() {
        assert_eq!(time("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(seconds("60", 1), Ok(Duration::from_secs(60)));
        assert_eq!(time_or_none("0s"), Ok(Duration::ZERO));
        assert!(time_or_none("11y").is_err() && time_or_none("x").is_err());
        assert!(time("0").is_err() && time("11y").is_err());
        assert!(seconds("0", 1).is_err() && seconds("60s", 1).is_err() && seconds("315360001", 1).is_err());
        assert!(size("2k", 1024).is_err());
    }
}
