//! When data planes had been killed and were not back.

use std::time::Instant;

/// All of these times.
#[derive(Debug, Default)]
pub struct Crashes(Vec<Crash>);

#[derive(Debug)]
struct Crash {
    /// The address of the Pod. None: it is not known.
    pod: Option<String>,
    alone: bool,
    begin: Instant,
    end: Option<Instant>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashId(usize);

impl Crashes {
    /// The data plane of this Pod is killed. Alone: no other Pod is ready, so nobody can be reached at all.
    pub fn begin(&mut self, pod: Option<String>, alone: bool, at: Instant) -> CrashId {
        self.0.push(Crash { pod, alone, begin: at, end: None });
        CrashId(self.0.len() - 1)
    }

    /// New connections come to Pods that serve.
    pub fn end(&mut self, CrashId(index): CrashId, at: Instant) {
        if let Some(crash) = self.0.get_mut(index) {
            crash.end = Some(at);
        }
    }

    /// How many there were with another Pod that was ready.
    #[must_use]
    pub fn beside_others(&self) -> u64 {
        self.0.iter().filter(|crash| !crash.alone).map(|_| 1).sum()
    }

    /// Whether one of them is why a request got no answer, and if so, whether that Pod was alone. A connection that is known
    /// to have gone through another Pod is none of its business.
    #[must_use]
    pub fn excuse(&self, via: Option<&str>, from: Instant, to: Instant) -> Option<bool> {
        let meets = |crash: &&Crash| crash.begin <= to && crash.end.is_none_or(|end| end >= from);
        let concerns = |crash: &&Crash| via.is_none() || crash.pod.is_none() || crash.pod.as_deref() == via;
        self.0.iter().filter(meets).filter(concerns).map(|crash| crash.alone).max()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> Instant {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *START.get_or_init(Instant::now) + SECOND * seconds
    }

    #[test]
    fn an_excuse_ends() {
        let mut crashes = Crashes::default();
        assert_eq!(crashes.excuse(None, at(10), at(10)), None);
        let crash = crashes.begin(Some("10.0.0.1".into()), false, at(10));
        assert_eq!(crashes.excuse(None, at(15), at(16)), Some(false), "it is not back");
        assert_eq!(crashes.excuse(None, at(8), at(9)), None);
        crashes.end(crash, at(13));
        assert_eq!(crashes.excuse(None, at(9), at(10)), Some(false));
        assert_eq!(crashes.excuse(None, at(13), at(20)), Some(false));
        assert_eq!(crashes.excuse(None, at(14), at(20)), None);
    }

    #[test]
    fn connections_through_other_pods_have_none() {
        let mut crashes = Crashes::default();
        crashes.begin(Some("10.0.0.1".into()), false, at(10));
        assert_eq!(crashes.excuse(Some("10.0.0.1"), at(11), at(11)), Some(false));
        assert_eq!(crashes.excuse(Some("10.0.0.2"), at(11), at(11)), None);
        crashes.begin(None, false, at(12));
        assert_eq!(crashes.excuse(Some("10.0.0.2"), at(13), at(13)), Some(false), "it may have been this one");
    }

    #[test]
    fn a_pod_that_is_alone_is_told_from_others() {
        let mut crashes = Crashes::default();
        crashes.begin(Some("10.0.0.1".into()), false, at(10));
        crashes.begin(Some("10.0.0.2".into()), true, at(12));
        assert_eq!(crashes.excuse(None, at(11), at(11)), Some(false));
        assert_eq!(crashes.excuse(None, at(13), at(13)), Some(true));
        assert_eq!(crashes.beside_others(), 1);
    }
}
