//! What everybody shares: the cluster, the model, the journal, and who may do what at the same time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use e2e::chaos::{Certificate, Crashes, History, Model, Seen, Site, Spans, Verdict};
use e2e::cluster::{Cluster, Namespace};
use e2e::fleet::Fleet;
use e2e::objects::EchoApp;
use e2e::tidegate::Tidegate;
use tokio::sync::RwLock;

use crate::disturb::{Disturbance, Outcome};
use crate::objects;

/// Hosts under traffic.
pub const SITES: usize = 5;
/// For how many seconds a Pod behind serves on when it is to leave. A controller that was killed is away for less, and until
/// then nobody can know that the Pod leaves: without this, not even Kubernetes' own proxy would lose nothing.
const LINGERS: u32 = 10;
/// The apps behind them.
pub const APPS: [&str; 3] = ["red", "green", "blue"];
/// Of a Pod, the process that its container starts again by itself: Kubernetes counts none of these restarts.
pub const CONTROLLER: &str = "controller's process";
/// Lines of the journal that are shown after a failure.
const LINES: usize = 60;
/// Wrong answers that are told.
const VIOLATIONS: usize = 5;

/// Everything, shared.
pub type Stage = Arc<Shared>;

/// See above.
pub struct Shared {
    /// When it began.
    pub begun: Instant,
    /// Where sites and apps are.
    pub namespace: Namespace,
    /// Whom to ask.
    pub tidegate: Tidegate,
    /// Its Pods.
    pub fleet: Fleet,
    /// Held to write by who takes the API server away, to read by those whose end only it can bring about.
    pub api: RwLock<()>,
    /// Held by who changes the set of Tidegate's Pods.
    pub pods: tokio::sync::Mutex<()>,
    /// Held by who looks for a process to kill.
    pub killing: tokio::sync::Mutex<()>,
    /// Held by who makes something that cannot be served.
    pub wreck: tokio::sync::Mutex<()>,
    /// Held by who changes the Pods of an app: one for each.
    pub apps: [tokio::sync::Mutex<()>; APPS.len()],
    /// Held by who changes a site: one for its Ingress, one for its Secret.
    pub sites: [[tokio::sync::Mutex<()>; 2]; SITES],
    model: Mutex<Model>,
    journal: Mutex<VecDeque<String>>,
    violations: Mutex<Vec<String>>,
    kills: Mutex<BTreeMap<(String, String), u64>>,
    /// How many disturbances of each kind happened, and how many were left out.
    counts: Mutex<BTreeMap<&'static str, [u64; 2]>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Makes the apps and a Secret for each host; no host has an Ingress yet.
    pub async fn set(seed: u64) -> anyhow::Result<Stage> {
        let cluster = Cluster::from_env()?;
        let (tidegate, fleet) = (Tidegate::find(&cluster).await?, Fleet::new(&cluster));
        let namespace = cluster.namespace("chaos").await?;
        let apps = APPS.iter().flat_map(|name| EchoApp { lingers: LINGERS, ..EchoApp::new(name, 2) }.objects());
        namespace.apply(&apps.collect::<Vec<_>>()).await?;
        let hosts: Vec<_> = (0..SITES).map(|site| host(site, namespace.name())).collect();
        let mut sites = BTreeMap::new();
        for (number, host) in hosts.iter().enumerate() {
            let certificate = Certificate::Marked(0);
            namespace.apply(&[objects::secret(number, host, certificate)]).await?;
            sites.insert(host.clone(), Site { routes: History::new(None), certificate: History::new(certificate) });
        }
        fleet.scale(2).await?;
        for app in APPS {
            namespace.endpoints_ready(app, 2).await?;
        }
        let kills = restarts(&fleet).await?;
        let model = Model {
            namespace: namespace.name().to_owned(),
            sites,
            blind: Spans::default(),
            crashed: Crashes::default(),
        };
        let stage = Self {
            begun: Instant::now(),
            namespace,
            tidegate,
            fleet,
            api: RwLock::default(),
            pods: tokio::sync::Mutex::default(),
            killing: tokio::sync::Mutex::default(),
            wreck: tokio::sync::Mutex::default(),
            apps: Default::default(),
            sites: Default::default(),
            model: Mutex::new(model),
            journal: Mutex::default(),
            violations: Mutex::default(),
            kills: Mutex::new(kills),
            counts: Mutex::default(),
        };
        stage.note(format!("the stage is set for {seed}"));
        Ok(Arc::new(stage))
    }

    /// The name of a host.
    pub fn host(&self, site: usize) -> String {
        host(site, self.namespace.name())
    }

    /// The model, for a moment.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        lock(&self.model)
    }

    /// Writes down what happens, for whoever looks for the cause of a failure.
    pub fn note(&self, what: impl Display) {
        let line = format!("{:8.3} s  {what}", self.begun.elapsed().as_secs_f64());
        eprintln!("{line}");
        let mut journal = lock(&self.journal);
        if journal.len() == LINES {
            journal.pop_front();
        }
        journal.push_back(line);
    }

    /// The last lines.
    pub fn journal(&self) -> String {
        lock(&self.journal).iter().fold("what happened before:\n".to_owned(), |text, line| text + line + "\n")
    }

    /// Holds an answer against the model. The first one that is wrong ends everything.
    pub fn judge(&self, seen: &Seen) -> Option<Verdict> {
        let judged = self.model().judge(seen);
        let told = |error: &anyhow::Error| {
            let took = |at: Instant| at.saturating_duration_since(self.begun).as_secs_f64();
            self.violate(format!(
                "{}{}{} from {:.3} s to {:.3} s, via {:?}: {error:#}",
                if seen.https { "https://" } else { "http://" },
                seen.host,
                seen.path,
                took(seen.from),
                took(seen.to),
                seen.via,
            ));
        };
        judged.inspect_err(told).ok()
    }

    /// Something is wrong: what follows most likely comes of the same, so only a few are told.
    pub fn violate(&self, what: String) {
        let mut violations = lock(&self.violations);
        if violations.len() < VIOLATIONS {
            self.note(format!("WRONG: {what}"));
            violations.push(what);
        }
    }

    /// What was wrong first.
    pub fn violation(&self) -> Option<String> {
        lock(&self.violations).first().cloned()
    }

    /// Counts a disturbance.
    pub fn count(&self, kind: &'static str, outcome: Outcome) {
        let mut counts = lock(&self.counts);
        let [happened, left_out] = counts.entry(kind).or_default();
        *(if outcome == Outcome::Happened { happened } else { left_out }) += 1;
    }

    /// How many disturbances there were of each kind.
    pub fn counts(&self) -> String {
        let counts = lock(&self.counts);
        let one =
            |(kind, [happened, left_out]): (&&str, &[u64; 2])| format!("{kind} {happened} (left out: {left_out})");
        counts.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// The kinds of which there was none yet.
    pub fn never_happened(&self) -> Vec<&'static str> {
        let counts = lock(&self.counts);
        let never = |kind: &&str| counts.get(kind).is_none_or(|[happened, _]| *happened == 0);
        Disturbance::KINDS.into_iter().filter(never).collect()
    }

    /// How often a container was killed by us, with what it had been started again before.
    pub fn kills(&self, pod: &str, container: &str) -> u64 {
        lock(&self.kills).get(&(pod.to_owned(), container.to_owned())).copied().unwrap_or_default()
    }

    /// Counts one more, and returns how many these are now.
    pub fn count_kill(&self, pod: &str, container: &str) -> u64 {
        let mut kills = lock(&self.kills);
        let count = kills.entry((pod.to_owned(), container.to_owned())).or_default();
        *count += 1;
        *count
    }

    /// It was none.
    pub fn forget_kill(&self, pod: &str, container: &str) {
        if let Some(count) = lock(&self.kills).get_mut(&(pod.to_owned(), container.to_owned())) {
            *count -= 1;
        }
    }
}

/// Does something until it works: the API server may be away.
pub async fn insist<F>(mut action: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    e2e::wait::until("an API server that takes it", Duration::from_secs(120), || {
        let done = action();
        async move { done.await.map(Some) }
    })
    .await
    .map(drop)
}

fn host(site: usize, namespace: &str) -> String {
    format!("site-{site}.{namespace}")
}

async fn restarts(fleet: &Fleet) -> anyhow::Result<BTreeMap<(String, String), u64>> {
    let mut restarts = BTreeMap::new();
    for pod in fleet.pods().await? {
        if !pod.leaves {
            restarts.insert((pod.name.clone(), CONTROLLER.to_owned()), pod.controller_restarts().await?);
        }
        restarts.extend(pod.restarts.into_iter().map(|(container, times)| ((pod.name.clone(), container), times)));
    }
    Ok(restarts)
}
