//! Waiting for conditions instead of for time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::bail;

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// Looks until `look` returns something, and returns it with how long it took.
///
/// # Errors
/// Nothing came in time; the error names `what`, and the last error of `look`.
pub async fn until<T, F>(what: &str, limit: Duration, look: impl FnMut() -> F) -> anyhow::Result<(T, Duration)>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    until_each(PERIOD, what, limit, look).await
}

/// As [`until`], and looks once in each `period`: for who takes a kubectl for each look, of which a small machine has not many.
///
/// # Errors
/// As of [`until`].
pub async fn until_each<T, F>(
    period: Duration,
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> anyhow::Result<(T, Duration)>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let start = Instant::now();
    let mut last = String::from("not yet");
    while start.elapsed() < limit {
        match look().await {
            Ok(Some(found)) => return Ok((found, start.elapsed())),
            Ok(None) => {}
            Err(error) => last = format!("{error:#}"),
        }
        tokio::time::sleep(period).await;
    }
    bail!("waited {limit:?} for {what}: {last}")
}

/// Looks until the value is the wanted one.
///
/// # Errors
/// It was not in time; the error has the last value seen.
pub async fn until_eq<T, F>(
    what: &str,
    limit: Duration,
    wanted: T,
    mut look: impl FnMut() -> F,
) -> anyhow::Result<Duration>
where
    T: PartialEq + Debug,
    F: Future<Output = anyhow::Result<T>>,
{
    let wanted = &wanted;
    let once = || {
        let value = look();
        async move {
            let value = value.await?;
            if value == *wanted { Ok(Some(())) } else { bail!("it is {value:?}, not {wanted:?}") }
        }
    };
    until(what, limit, once).await.map(|((), took)| took)
}
