//! Where answers come from.

use std::{net::IpAddr, time::Duration};

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
};
use thiserror::Error;
use tokio::{
    sync::{OnceCell, Semaphore},
    time::timeout,
};

/// Look-ups at the same time: after a DNS outage all names are asked for at once.
const LOOKUPS: usize = 32;

/// For one look-up with all its tries.
const LOOKUP_LIMIT: Duration = Duration::from_secs(20);

/// The system's resolver, made when it is first needed: where `/etc/resolv.conf` is broken, names fail until it is
/// mended, and nothing else does.
pub(super) struct Source {
    resolver: OnceCell<TokioResolver>,
    /// Instead of the system's.
    config: Option<(ResolverConfig, ResolverOpts)>,
    places: Semaphore,
}

/// Why a look-up failed.
#[derive(Debug, Error)]
pub(super) enum LookupError {
    #[error(transparent)]
    Resolver(#[from] NetError),
    #[error("no answer within {} s", LOOKUP_LIMIT.as_secs())]
    TimedOut,
    #[error("the name has no addresses")]
    Empty,
}

/// The addresses of a name.
#[derive(Debug)]
pub(super) struct Answer {
    /// At least one.
    pub(super) addresses: Vec<IpAddr>,
    /// How long it may be used (RFC 1035 section 3.2.1, TTL).
    pub(super) valid: Duration,
}

impl Source {
    /// As `/etc/resolv.conf` and `/etc/hosts` have it.
    pub(super) fn system() -> Self {
        Self { resolver: OnceCell::new(), config: None, places: Semaphore::new(LOOKUPS) }
    }

    /// With these servers.
    #[cfg(test)]
    pub(super) fn with_config(config: ResolverConfig, options: ResolverOpts) -> Self {
        Self { config: Some((config, options)), ..Self::system() }
    }

    pub(super) async fn lookup(&self, host: &str) -> Result<Answer, LookupError> {
        // The semaphore is never closed; if it were, look-ups would just not be bounded.
        let _place = self.places.acquire().await.ok();
        timeout(LOOKUP_LIMIT, self.ask(host)).await.unwrap_or(Err(LookupError::TimedOut))
    }

    async fn ask(&self, host: &str) -> Result<Answer, LookupError> {
        let resolver = self.resolver.get_or_try_init(async || self.build()).await?;
        let absolute = format!("{}.", host.trim_end_matches('.'));
        let found = resolver.lookup_ip(absolute).await?;
        let ttl = found.as_lookup().answers().iter().map(|record| record.ttl).min().unwrap_or(0);
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() {
            return Err(LookupError::Empty);
        }
        Ok(Answer { addresses, valid: Duration::from_secs(ttl.into()) })
    }

    fn build(&self) -> Result<TokioResolver, NetError> {
        let mut builder = match &self.config {
            Some((config, options)) => {
                TokioResolver::builder_with_config(config.clone(), TokioRuntimeProvider::default())
                    .with_options(options.clone())
            }
            None => TokioResolver::builder_tokio()?,
        };
        let options = builder.options_mut();
        // A pod without an IPv6 route is common, and one family is enough: the first, as for Services.
        options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
        // We keep answers ourselves, and ask when they expire.
        options.cache_size = 0;
        builder.build()
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("config", &self.config).finish_non_exhaustive()
    }
}
