//! The task that keeps one certificate's staple fresh.

use std::{
    future::pending,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use thiserror::Error;
use tokio::time::sleep;

use super::{
    Tools,
    fetch::FetchError,
    question::Question,
    response::{self, Refusal},
};
use crate::tls::Stapled;

/// The bounds of how long a good answer is left alone.
const FRESH: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));

/// The bounds of the pause between tries while there is no good answer.
const PAUSE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));

/// Clocks are set, and machines sleep: the end of a staple is looked at at least this often.
const LOOK: Duration = Duration::from_secs(60);

/// Keeps asking about a certificate.
pub(super) struct Follower {
    pub(super) cert: Arc<Stapled>,
    pub(super) question: Question,
    pub(super) tools: Arc<Tools>,
}

/// A good answer, and until when it holds.
struct Good {
    response: Vec<u8>,
    until: SystemTime,
}

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Follower {
    /// Until it is aborted; then the certificate has no staple.
    pub(super) async fn run(self) {
        let _bare_in_the_end = Unstaple(&self.cert);
        let (mut until, mut failures) = (None, 0);
        let mut asking = pin!(self.ask_after(Duration::ZERO));
        loop {
            tokio::select! {
                () = passed(until) => {
                    tracing::warn!(origin = %self.cert.origin, "an OCSP response is outdated, and there is no newer one");
                    self.cert.staple(None);
                    until = None;
                }
                answer = &mut asking => {
                    let pause = match answer {
                        Ok(Good { response, until: end }) => {
                            self.cert.staple(Some(response));
                            until = Some(end);
                            failures = 0;
                            refresh(end, SystemTime::now())
                        }
                        Err(failure) => {
                            if self.failed(&failure, failures) {
                                until = None;
                            }
                            failures = failures.saturating_add(1);
                            back_off(failures)
                        }
                    };
                    asking.set(self.ask_after(pause));
                }
            }
        }
    }

    async fn ask_after(&self, pause: Duration) -> Result<Good, Failure> {
        sleep(pause).await;
        let result = self.ask().await;
        self.tools.answers.with_label_values(&[label(&result)]).inc();
        result
    }

    async fn ask(&self) -> Result<Good, Failure> {
        // The semaphore is never closed; if it were, questions would just not be bounded.
        let _turn = self.tools.turns.acquire().await.ok();
        let response = self.tools.fetcher.fetch(&self.question).await?;
        let until = response::check(&response, &self.question, self.tools.algorithms, SystemTime::now())?;
        Ok(Good { response: response.to_vec(), until })
    }

    /// Whether what is stapled has to go: a CA that has changed its mind is believed, anything else leaves a good answer
    /// where it is until it is outdated.
    fn failed(&self, failure: &Failure, failures: u32) -> bool {
        let (origin, responder) = (&self.cert.origin, &self.question.responder);
        let is_taken_back = matches!(failure, Failure::Refused(Refusal::Revoked | Refusal::Unknown));
        if is_taken_back {
            self.cert.staple(None);
        }
        if matches!(failure, Failure::Refused(Refusal::Revoked)) {
            tracing::error!(%origin, %responder, "a certificate that is served is revoked");
        } else if failures == 0 {
            tracing::warn!(%origin, %responder, %failure, "no OCSP response for a certificate");
        }
        is_taken_back
    }
}

struct Unstaple<'a>(&'a Stapled);

impl Drop for Unstaple<'_> {
    fn drop(&mut self) {
        self.0.staple(None);
    }
}

fn label(result: &Result<Good, Failure>) -> &'static str {
    match result {
        Ok(_) => "good",
        Err(Failure::Fetch(_)) => "unreachable",
        Err(Failure::Refused(Refusal::Revoked)) => "revoked",
        Err(Failure::Refused(Refusal::Unknown)) => "unknown",
        Err(Failure::Refused(_)) => "unusable",
    }
}

/// Waits for a time; for none for ever.
async fn passed(until: Option<SystemTime>) {
    let Some(until) = until else { return pending().await };
    while let Ok(left) = until.duration_since(SystemTime::now()) {
        sleep(left.min(LOOK).max(Duration::from_millis(10))).await;
    }
}

/// Half of what is left, so that there is time for many tries before the end.
fn refresh(until: SystemTime, now: SystemTime) -> Duration {
    let (least, most) = FRESH;
    (until.duration_since(now).unwrap_or_default() / 2).clamp(least, most)
}

/// Doubled with each failure in a row.
fn back_off(failures: u32) -> Duration {
    let (least, most) = PAUSE;
    least.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_within_bounds() {
        assert_eq!([1, 2, 3, 8, u32::MAX].map(|failures| back_off(failures).as_secs()), [30, 60, 120, 3600, 3600]);
    }

    #[test]
    fn asks_again_in_good_time() {
        let now = SystemTime::now();
        let after = |seconds: u64| refresh(now + Duration::from_secs(seconds), now).as_secs();
        assert_eq!([10, 3600, 7 * 86400].map(after), [60, 1800, 86400]);
    }
}
