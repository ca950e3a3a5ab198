//! HTTP/2 over TLS: the load is h2load, of nghttp2.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::Sample;

/// Connections, and requests at a time on each.
const CONNECTIONS: usize = 32;
const STREAMS: usize = 8;
/// What one connection asks in a run. h2load opens no connection twice, and nginx closes one after 1,000.
const EACH: usize = 900;

/// Asks 28,800 times. `log` is where h2load may write a line for each request.
///
/// # Errors
/// Where h2load cannot be run, or any answer was not 2xx.
pub fn run(h2load: &mut Command, address: SocketAddr, host: &str, log: &str) -> Result<Sample> {
    let _ = fs::remove_file(log); // h2load appends to it
    let output = h2load
        .arg(format!("--requests={}", CONNECTIONS * EACH))
        .arg(format!("--clients={CONNECTIONS}"))
        .arg(format!("--max-concurrent-streams={STREAMS}"))
        .arg(format!("--connect-to={address}"))
        .arg(format!("--log-file={log}"))
        .arg(format!("https://{host}:{}/1k", address.port()))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", Path::new(h2load.get_program()).display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "h2load: {text}{}", String::from_utf8_lossy(&output.stderr));
    let requests = answered(&text).with_context(|| format!("h2load: {text}"))?;
    let elapsed = elapsed(&text).with_context(|| format!("h2load: {text}"))?;
    let lines = fs::read_to_string(log).with_context(|| log.to_owned())?;
    let latencies = latencies(&lines).with_context(|| format!("what h2load wrote to {log}"))?;
    ensure!(latencies.len() as u64 == requests, "h2load logged {} of {requests} requests", latencies.len());
    Ok(Sample { requests, elapsed, latencies })
}

/// A line for each request: when it began, its status, and how long it took (microseconds); sorted.
fn latencies(lines: &str) -> Option<Vec<u32>> {
    let mut latencies: Vec<u32> =
        lines.lines().map(|line| line.split('\t').nth(2)?.parse().ok()).collect::<Option<_>>()?;
    latencies.sort_unstable();
    Some(latencies)
}

/// From the first connection to the last answer, without the start of h2load itself.
fn elapsed(text: &str) -> Option<Duration> {
    let line = text.lines().find_map(|line| line.strip_prefix("finished in "))?;
    let time = line.split(',').next()?;
    let seconds = match time.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse::<f64>().ok()? / 1000.0,
        None => time.strip_suffix('s')?.parse().ok()?,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// The number of answers, if all of them were 2xx.
fn answered(text: &str) -> Option<u64> {
    let number = |line: &str, before: &str| -> Option<u64> {
        let rest = line.split(before).next()?;
        rest.rsplit([' ', ',']).find(|word| !word.is_empty())?.parse().ok()
    };
    let requests = text.lines().find(|line| line.starts_with("requests:"))?;
    let codes = text.lines().find(|line| line.starts_with("status codes:"))?;
    let failed: u64 =
        [" failed", " errored", " timeout"].iter().map(|what| number(requests, what)).sum::<Option<_>>()?;
    let others: u64 = [" 3xx", " 4xx", " 5xx"].iter().map(|what| number(codes, what)).sum::<Option<_>>()?;
    let good = number(codes, " 2xx")?;
    (failed == 0 && others == 0 && good > 0).then_some(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_h2load_says() {
        let text = |failed, codes| {
            format!(
                "finished in 2.00s\nrequests: 9 total, 9 started, 9 done, 9 succeeded, {failed} failed, 0 errored, 0 timeout\n\
                 status codes: {codes} 2xx, 0 3xx, 0 4xx, 1 5xx\n"
            )
        };
        assert_eq!(answered(&text(0, 9)), None);
        assert_eq!(answered(&text(0, 9).replace("1 5xx", "0 5xx")), Some(9));
        assert_eq!(answered(&text(1, 9).replace("1 5xx", "0 5xx")), None);
        assert_eq!(answered(""), None);
        assert_eq!(elapsed(&text(0, 9)), Some(Duration::from_secs(2)));
        assert_eq!(elapsed("finished in 912.50ms, 1 req/s"), Some(Duration::from_micros(912_500)));
        assert_eq!(latencies("1\t200\t30\n2\t200\t4\n"), Some(vec![4, 30]));
        assert_eq!(latencies("1\t200\n"), None);
    }
}
