//! Which of our replicas is the leader: the one that holds a Lease.
//! <https://kubernetes.io/docs/concepts/architecture/leases/>
//!
//! As in Kubernetes' own leader election: who holds the Lease renews it; who does not waits until it was not renewed for
//! as long as it says, by the waiting one's own clock, so that clocks may differ. Two that take it at the same time are
//! told apart by the API server: each write names the version that it replaces.
//!
//! Only where the data plane serves what we publish: see [`crate::report::fitness`]. Who stops doing so gives it up.
//!
//! Asks for `get`, `create` and `update` of `leases` in our own namespace.

mod record;

use std::{sync::Arc, time::Duration};

use compile::{Problem, Reason, Severity};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use record::{Record, Step};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    board::{Board, trouble},
    config::Election,
    metrics::Metrics,
    source::cluster::explain,
};

/// A request that gives the Lease up may take this long; after that it expires by itself.
const RELEASE: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, PartialEq)]
enum Standing {
    Follows,
    /// Unless the Lease is renewed.
    LeadsUntil(Instant),
    Always,
}

impl Standing {
    fn leads(&self) -> bool {
        match self {
            Self::Follows => false,
            Self::LeadsUntil(deadline) => Instant::now() < *deadline,
            Self::Always => true,
        }
    }
}

/// Whether this replica leads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Leader {
    standing: watch::Receiver<Standing>,
    /// None: there is nothing to give up.
    release: Option<mpsc::Sender<oneshot::Sender<()>>>,
}

impl Leader {
    /// Where nobody is elected, everybody leads.
    pub(crate) fn always() -> Self {
        Self { standing: watch::Sender::new(Standing::Always).subscribe(), release: None }
    }

    /// Also right in a process that was stopped for a while, and does not know yet that it leads no more.
    pub(crate) fn leads(&self) -> bool {
        self.standing.borrow().leads()
    }

    /// Whether there is an election at all.
    pub(crate) fn is_elected(&self) -> bool {
        self.release.is_some()
    }

    /// Waits until it leads or does so no more, for ever where that is settled.
    pub(crate) async fn changed(&mut self) {
        if self.standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until it leads.
    pub(crate) async fn elected(&mut self) {
        if self.standing.wait_for(Standing::leads).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Gives the Lease up, if it is ours, and takes no part in later elections.
    pub(crate) async fn resign(&self) {
        let Some(release) = &self.release else { return };
        let (done, answer) = oneshot::channel();
        if release.send(done).await.is_ok() {
            let _ = answer.await; // an elector that is gone has nothing left to give up
        }
    }
}

/// Takes part in the election.
pub(crate) struct Elector {
    api: Api<Lease>,
    name: String,
    record: Record,
    ttl: Duration,
    standing: watch::Sender<Standing>,
    release: mpsc::Receiver<oneshot::Sender<()>>,
    /// Whether we may lead.
    fit: watch::Receiver<bool>,
    was_fit: bool,
    metrics: Metrics,
    board: Arc<Board>,
}

/// What an attempt came to.
enum Attempt {
    Held,
    /// It is somebody else's, until then if it is not renewed.
    Others(Instant),
    /// Somebody else wrote at the same time.
    Overtaken,
}

impl Elector {
    pub(crate) fn new(
        client: Client,
        election: Election,
        fit: watch::Receiver<bool>,
        metrics: Metrics,
        board: Arc<Board>,
    ) -> (Self, Leader) {
        let Election { name, namespace, identity, ttl } = election;
        let api = match namespace {
            Some(namespace) => Api::namespaced(client, &namespace),
            None => Api::default_namespaced(client),
        };
        let (standing, receiver) = watch::channel(Standing::Follows);
        let (sender, release) = mpsc::channel(1);
        let record = Record::new(identity, ttl);
        metrics.leads(&name, false);
        let elector = Self { api, name, record, ttl, standing, release, fit, was_fit: false, metrics, board };
        (elector, Leader { standing: receiver, release: Some(sender) })
    }

    /// Takes part until the Lease is given up.
    pub(crate) async fn run(mut self) {
        loop {
            let fit = *self.fit.borrow_and_update();
            if self.was_fit && !fit {
                tracing::warn!("the data plane says nothing: this replica does not lead until it says something");
            }
            self.was_fit = fit;
            let pause = if fit { self.round().await } else { self.stand_back().await };
            tokio::select! {
                () = sleep(pause) => {}
                Ok(()) = self.fit.changed() => {}
                Some(done) = self.release.recv() => {
                    self.give_up().await;
                    let _ = done.send(());
                    // Its end would count as a failure; the controller ends it.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Takes or renews the Lease, if it can be had. Returns when to look again.
    async fn round(&mut self) -> Duration {
        let began = Instant::now();
        let (limit, retry) = (self.left().unwrap_or(self.ttl), self.ttl / 4);
        let problem = match timeout(limit, self.attempt()).await {
            Ok(Ok(Attempt::Held)) => {
                // A leader that cannot renew stops well before anybody else may take over.
                self.stand(Standing::LeadsUntil(began + self.ttl.mul_f64(2.0 / 3.0)));
                None
            }
            Ok(Ok(Attempt::Others(expires))) => {
                self.stand(Standing::Follows);
                self.board.find("lease", Vec::new());
                return retry.min(expires.saturating_duration_since(Instant::now()));
            }
            Ok(Ok(Attempt::Overtaken)) => None,
            Ok(Err(error)) => Some(unsettled(&explain(&error))),
            Err(_) => Some(unsettled("the API server does not answer")),
        };
        self.board.find("lease", problem.into_iter().collect());
        match self.left() {
            Some(left) if !left.is_zero() => retry.min(left),
            Some(_) => {
                self.stand(Standing::Follows);
                retry
            }
            None => retry,
        }
    }

    /// Leaves the Lease to others. Returns when to look again, if nothing changes.
    async fn stand_back(&mut self) -> Duration {
        self.give_up().await;
        self.board.find("lease", Vec::new());
        self.ttl
    }

    /// How long we lead without renewing it; none: we do not lead.
    fn left(&self) -> Option<Duration> {
        match *self.standing.borrow() {
            Standing::LeadsUntil(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            Standing::Follows | Standing::Always => None,
        }
    }

    async fn attempt(&mut self) -> kube::Result<Attempt> {
        let lease = self.api.get_opt(&self.name).await?;
        let spec = lease.as_ref().and_then(|lease| lease.spec.as_ref());
        let spec = match self.record.step(spec, Instant::now(), Timestamp::now()) {
            Step::Write(spec) => spec,
            Step::Wait(expires) => return Ok(Attempt::Others(expires)),
        };
        match self.write(lease, spec).await {
            Ok(()) => Ok(Attempt::Held),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Attempt::Overtaken),
            Err(error) => Err(error),
        }
    }

    /// Makes the Lease, or replaces the very version that was read.
    async fn write(&self, lease: Option<Lease>, spec: LeaseSpec) -> kube::Result<()> {
        let spec = Some(spec);
        match lease {
            Some(lease) => {
                self.api.replace(&self.name, &PostParams::default(), &Lease { spec, ..lease }).await.map(drop)
            }
            None => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                self.api.create(&PostParams::default(), &Lease { metadata, spec }).await.map(drop)
            }
        }
    }

    fn stand(&mut self, now: Standing) {
        let mut changed = false;
        self.standing.send_if_modified(|standing| {
            let (led, leads) = (standing.leads(), now.leads());
            // That it was renewed is no news. One that expired unnoticed was not told yet.
            changed = led != leads || (*standing == Standing::Follows) != (now == Standing::Follows);
            *standing = now;
            changed
        });
        if changed {
            let leads = now != Standing::Follows;
            self.metrics.leads(&self.name, leads);
            tracing::info!(lease = self.name, leads, "leader election");
        }
    }

    async fn give_up(&mut self) {
        let led = self.left().is_some();
        self.stand(Standing::Follows);
        if !led {
            return;
        }
        match timeout(RELEASE, self.vacate()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the lease {} is not given up: {}", self.name, explain(&error)),
            Err(_) => tracing::warn!("the lease {} is not given up: the API server does not answer", self.name),
        }
    }

    async fn vacate(&self) -> kube::Result<()> {
        let Some(lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
        let spec = lease.spec.as_ref().and_then(|spec| self.record.vacated(spec, Timestamp::now()));
        match spec {
            Some(spec) => self.write(Some(lease), spec).await,
            None => Ok(()),
        }
    }
}

fn unsettled(why: &str) -> Problem {
    let message =
        format!("whether this replica leads cannot be settled, and only the leader writes statuses and events: {why}");
    trouble("lease", Reason::LeaderElectionFailed, Severity::Warning, message)
}
