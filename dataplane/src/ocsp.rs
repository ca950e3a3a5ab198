//! What CAs say of the certificates that are served (RFC 6960), so that clients get it with the certificate (RFC 6066
//! section 8): asked for in the background, checked, and withdrawn when it is outdated. No handshake waits for it.

mod fetch;
mod follow;
mod question;
mod response;

use std::sync::Arc;

use ahash::AHashMap;
use prometheus::{IntCounterVec, Opts, Registry};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use tokio::{runtime::Handle, sync::Semaphore, task::AbortHandle};

use crate::{
    tls::{Stapled, ToStaple},
    upstream::resolve::Resolver,
};
use fetch::Fetcher;
use follow::Follower;
use question::Question;

/// Questions that are asked at the same time: at start all certificates have one.
const QUESTIONS: usize = 16;

/// Asks CAs. A certificate is followed from when it is first served until it is served no more.
pub(crate) struct Stapler {
    runtime: Handle,
    tools: Arc<Tools>,
    followed: AHashMap<usize, Following>,
}

/// What all followers share.
struct Tools {
    fetcher: Fetcher,
    answers: IntCounterVec,
    turns: Semaphore,
    algorithms: WebPkiSupportedAlgorithms,
}

/// A certificate that has been looked at; one about which nobody can be asked has no task.
struct Following {
    to_staple: ToStaple,
    task: Option<AbortHandle>,
}

impl Stapler {
    /// Follows no certificate yet. Its work is done on `runtime` and counted in `registry`.
    ///
    /// # Errors
    /// The registry has a metric of this name already.
    pub(crate) fn new(runtime: Handle, resolver: Resolver, registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Answers of CAs about certificates (OCSP): good, revoked, unknown, unusable, unreachable";
        let answers = IntCounterVec::new(Opts::new("tidegate_ocsp_answers_total", help), &["result"])?;
        registry.register(Box::new(answers.clone()))?;
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        let tools = Tools { fetcher: Fetcher::new(resolver), answers, turns: Semaphore::new(QUESTIONS), algorithms };
        Ok(Self { runtime, tools: Arc::new(tools), followed: AHashMap::new() })
    }

    /// Follows these certificates and no others.
    pub(crate) fn follow(&mut self, wanted: Vec<ToStaple>) {
        let mut before = std::mem::take(&mut self.followed);
        for to_staple in wanted {
            // It is held for as long as it stands here, so that no other can have its place.
            let key = Arc::as_ptr(&to_staple.cert).addr();
            let following = match before.remove(&key) {
                Some(following) if following.to_staple.how == to_staple.how => following,
                _ => self.begin(to_staple),
            };
            self.followed.insert(key, following);
        }
        drop(before);
    }

    fn begin(&self, to_staple: ToStaple) -> Following {
        let task = match Question::of(to_staple.cert.chain(), to_staple.how.allow_local) {
            Ok(Some(question)) => {
                let (cert, tools) = (Arc::<Stapled>::clone(&to_staple.cert), Arc::clone(&self.tools));
                Some(self.runtime.spawn(Follower { cert, question, tools }.run()).abort_handle())
            }
            Ok(None) => None,
            Err(reason) => {
                tracing::warn!(origin = %to_staple.cert.origin, reason, "no OCSP response can be had for a certificate");
                None
            }
        };
        Following { to_staple, task }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
