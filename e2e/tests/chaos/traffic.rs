//! Requests to every host all the time, over HTTP/1.1, HTTP/2 and TLS, each with a number of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use e2e::chaos::{Seen, Tally};
use e2e::client::{Answer, Headers};
use e2e::echo::PEER;
use e2e::kept::{Kept, Protocol};
use hyper::Method;
use tokio::task::JoinSet;

use crate::stage::{SITES, Stage};

/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(200);
/// What is asked for: each has a number behind it.
const PATHS: [&str; 4] = ["/", "/below", "/below/deeper", "/belowground"];

/// Clients that ask until they are stopped.
pub struct Traffic {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    next: AtomicU64,
    tally: Mutex<Tally>,
}

/// How a client speaks.
enum Client {
    /// One connection for as long as it lasts.
    Kept(Box<Kept>, Via),
    /// A new handshake for each request, so that each sees the certificate.
    Https,
}

/// The Pod of Tidegate that a connection goes through, as an app behind it said, and which connection that was.
#[derive(Default)]
struct Via(Option<(u64, String)>);

impl Traffic {
    /// Three clients for each host.
    pub fn start(stage: &Stage) -> Self {
        let (shared, mut clients) = (Arc::<Shared>::default(), JoinSet::new());
        for site in 0..SITES {
            let kept = |protocol| {
                let kept = Kept::new(stage.tidegate.front.clone(), protocol);
                Client::Kept(Box::new(kept), Via::default())
            };
            for client in [kept(Protocol::Http1), kept(Protocol::Http2), Client::Https] {
                clients.spawn(ask_on(Arc::clone(stage), Arc::clone(&shared), site, client));
            }
        }
        Self { shared, clients }
    }

    /// What became of all requests.
    pub async fn stop(mut self) -> Tally {
        self.shared.stop.store(true, Relaxed);
        while self.clients.join_next().await.is_some() {}
        self.shared.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn ask_on(stage: Stage, shared: Arc<Shared>, site: usize, mut client: Client) {
    let (host, https) = (stage.host(site), matches!(client, Client::Https));
    while !shared.stop.load(Relaxed) {
        let number = shared.next.fetch_add(1, Relaxed);
        let path = PATHS[usize::try_from(number).unwrap() / 3 % PATHS.len()];
        let path = format!("{path}?number={number}");
        let from = Instant::now();
        let answer = client.ask(&stage, &host, &path).await;
        let (via, to) = (client.via(), Instant::now());
        let outcome = answer.map(Into::into).map_err(|error| format!("{error:#}"));
        let seen = Seen { host: host.clone(), path, https, from, to, via, outcome };
        let verdict = stage.judge(&seen);
        shared.tally.lock().unwrap_or_else(PoisonError::into_inner).count(&seen.outcome, verdict);
        tokio::time::sleep(PAUSE).await;
    }
}

impl Client {
    async fn ask(&mut self, stage: &Stage, host: &str, path: &str) -> anyhow::Result<Answer> {
        match self {
            Self::Kept(kept, via) => {
                let answer = kept.get(host, path).await;
                let peer = answer.as_ref().ok().and_then(|answer| answer.headers.get(PEER)?.to_str().ok());
                if let Some(peer) = peer {
                    via.0 = Some((kept.opened(), peer.to_owned()));
                }
                answer
            }
            Self::Https => {
                let uri = format!("https://{host}{path}");
                stage.tidegate.front.send(Method::GET, &uri, &Headers::new()).await
            }
        }
    }

    /// The Pod that the connection of the last request goes through, where an app said so on this very connection.
    fn via(&self) -> Option<String> {
        let Self::Kept(kept, Via(said)) = self else { return None };
        said.as_ref().filter(|(number, _)| *number == kept.opened()).map(|(_, pod)| pod.clone())
    }
}
