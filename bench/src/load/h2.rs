//! HTTP/2 over TLS: the load is h2load, of nghttp2.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::Sample;

/// Connections, and requests at a time on each.
const CONNECTIONS: usize = 8;
const STREAMS: usize = 16;

/// Runs h2load for a time.
///
/// # Errors
/// Where it cannot be run, or any answer was not 2xx.
pub fn run(h2load: &mut Command, address: SocketAddr, host: &str, time: Duration) -> Result<Sample> {
    let start = Instant::now();
    let output = h2load
        .arg(format!("--clients={CONNECTIONS}"))
        .arg(format!("--max-concurrent-streams={STREAMS}"))
        .arg(format!("--duration={}ms", time.as_millis()))
        .arg(format!("--connect-to={address}"))
        .arg(format!("https://{host}:{}/1k", address.port()))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", Path::new(h2load.get_program()).display()))?;
    let elapsed = start.elapsed();
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "h2load: {text}{}", String::from_utf8_lossy(&output.stderr));
    let requests = answered(&text).with_context(|| format!("h2load: {text}"))?;
    Ok(Sample { requests, elapsed, latencies: Vec::new() })
}

/// The number of answers, if all of them were 2xx. Requests that were cut off at the end of the time are not counted
/// as failed.
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
    }
}
