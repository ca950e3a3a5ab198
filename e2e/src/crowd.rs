//! Everybody who must not notice what happens to Tidegate: requests over both versions of HTTP, on connections that are kept and
//! on new ones, WebSockets and gRPC calls.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::cluster::{Cluster, Namespace};
use crate::fleet::{Fleet, Pod};
use crate::load::{Load, Plan, Protocol};
use crate::objects::{EchoApp, annotated, ingress_for};
use crate::sessions::{self, Broken, Sessions};
use crate::tidegate::Tidegate;
use crate::wait;

/// Requests a second over each version of HTTP.
const RATE: u32 = 100;
/// The same with a new connection for each.
const ARRIVALS: u32 = 50;
/// Fewer than these of a kind have seen nothing.
const FEWEST: u64 = 200;
/// For so many.
const PATIENCE: Duration = Duration::from_secs(60);
/// WebSockets, and gRPC calls.
const SESSIONS: usize = 4;
/// How long a Pod that was told to leave goes on accepting: the chart's `shutdown-grace-period`.
const GRACE: Duration = Duration::from_secs(15);
/// How long its sessions may go on after that: `worker-shutdown-timeout` in `e2e/values.yaml`.
const DRAIN: Duration = Duration::from_secs(5);

/// All of them, with two apps of their own.
#[derive(Debug)]
pub struct Crowd {
    /// Where the apps and their Ingresses are.
    pub namespace: Namespace,
    /// The Tidegate in front of it.
    pub tidegate: Tidegate,
    /// Its Pods.
    pub fleet: Fleet,
    /// Those that stayed when it came.
    pods: Vec<Pod>,
    loads: [Load; 3],
    sessions: Sessions,
}

/// When Pods were told to leave, at the earliest.
#[derive(Debug, Clone)]
pub struct Leave {
    at: Instant,
    pods: Vec<Pod>,
}

impl Leave {
    /// These leave from now on.
    #[must_use]
    pub fn now(pods: Vec<Pod>) -> Self {
        Self { at: Instant::now(), pods }
    }

    /// The Pods.
    #[must_use]
    pub fn pods(&self) -> Vec<Pod> {
        self.pods.clone()
    }

    /// It turned out that only these left.
    #[must_use]
    pub fn only(&self, pods: Vec<Pod>) -> Self {
        Self { at: self.at, pods }
    }

    fn concerns(&self, via: &str) -> bool {
        self.pods.iter().any(|pod| pod.address == via)
    }

    /// A session of a leaving Pod has all of the Pod's time, and then ends as something that was cut. Who speaks HTTP/2
    /// was told before to take the next request elsewhere.
    fn judge(&self, session: &Broken) -> anyhow::Result<()> {
        let lasted = session.at.duration_since(self.at);
        ensure!(lasted >= GRACE + DRAIN, "it was cut after {lasted:?}: {session:?}");
        ensure!(!session.looked_complete, "it was cut, and looked as if it were complete: {session:?}");
        let is_call = session.name.starts_with("gRPC");
        ensure!(
            !is_call || session.warned.is_some_and(|at| at > self.at),
            "no GOAWAY came before its end: {session:?}"
        );
        Ok(())
    }
}

impl Crowd {
    /// They come, to one Pod of Tidegate: a test before this one may have failed and left more. Requests go to the two Pods of
    /// `app`, sessions to the one of `talk`: what happens to the first is no reason for the second to end.
    ///
    /// # Errors
    /// One of them cannot begin.
    pub async fn gather() -> anyhow::Result<Self> {
        Self::gather_at(1).await
    }

    /// The same where Tidegate has so many Pods.
    ///
    /// # Errors
    /// One of them cannot begin.
    pub async fn gather_at(replicas: usize) -> anyhow::Result<Self> {
        let cluster = Cluster::from_env()?;
        let (tidegate, fleet) = (Tidegate::find(&cluster).await?, Fleet::new(&cluster));
        fleet.scale(replicas).await?;
        let namespace = cluster.namespace("crowd").await?;
        namespace.apply(&[EchoApp::new("app", 2).objects(), EchoApp::new("talk", 1).objects()].concat()).await?;
        let [app, talk, grpc] = ["app", "talk", "grpc"].map(|name| format!("{name}.{}", namespace.name()));
        let for_grpc = annotated(ingress_for("grpc", &grpc, "talk"), "backend-protocol", "GRPC");
        namespace.apply(&[ingress_for("app", &app, "app"), ingress_for("talk", &talk, "talk"), for_grpc]).await?;
        namespace.endpoints_ready("app", 2).await?;
        namespace.endpoints_ready("talk", 1).await?;
        for ingress in ["app", "talk", "grpc"] {
            tidegate.serves(&namespace, ingress).await?;
        }

        let pods = fleet.staying().await?;
        let target = tidegate.front.clone();
        let plan = sessions::Plan { target: target.clone(), websockets: talk, grpc, count: SESSIONS };
        let sessions = Sessions::start(&plan).await?;
        let load = |protocol, rate, keep| {
            Load::start(&Plan { target: target.clone(), host: app.clone(), rate, connections: 4, protocol, keep })
        };
        let loads = [
            load(Protocol::Http1, RATE, true),
            load(Protocol::Http2, RATE, true),
            load(Protocol::Http1, ARRIVALS, false),
        ];
        Ok(Self { namespace, tidegate, fleet, pods, loads, sessions })
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        self.namespace.cluster()
    }

    /// Ends everybody who is still there, once they have seen enough: what happened may have been over in a moment.
    ///
    /// # Errors
    /// A request was not answered with 200; a session of a Pod that stayed ended; or one of a Pod that left did so
    /// before its time, or in another way than it should.
    pub async fn go_home(self, leave: Option<Leave>) -> anyhow::Result<()> {
        let few = || self.loads.iter().any(|load| load.report().sent() <= FEWEST);
        let enough = || async { Ok((!few()).then_some(())) };
        wait::until("enough requests", PATIENCE, enough).await?;
        for load in self.loads {
            let report = load.stop().await;
            eprintln!("{} requests: {report:?}", report.sent());
            ensure!(report.failed() == 0, "{report:?}");
        }
        let report = self.sessions.stop().await;
        eprintln!("{report:?}");
        ensure!(report.messages > 50, "{report:?}");
        let known = |via: &String| self.pods.iter().any(|pod| pod.address == *via);
        ensure!(report.vias.iter().all(known), "sessions went through others than {:?}: {report:?}", self.pods);
        judge(&report, leave.as_ref())
    }
}

fn judge(report: &sessions::Report, leave: Option<&Leave>) -> anyhow::Result<()> {
    let concerned = |via: &str| leave.filter(|leave| leave.concerns(via));
    for session in &report.broken {
        match concerned(&session.via) {
            Some(leave) => leave.judge(session)?,
            None => anyhow::bail!("its Pod stays, and it ended: {session:?}"),
        }
    }
    let left = report.vias.iter().filter(|via| concerned(via).is_some()).count();
    ensure!(report.broken.len() == left, "{left} sessions went through Pods that left: {report:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn pod(address: &str) -> Pod {
        Pod { name: address.into(), address: address.into(), leaves: true, ready: true, restarts: vec![] }
    }

    fn broken(name: &str, via: &str, at: Instant) -> Broken {
        let warned = Some(at - Duration::from_secs(1));
        Broken { name: name.into(), via: via.into(), at, why: String::new(), warned, looked_complete: false }
    }

    fn judged(leave: Option<&Leave>, vias: &[&str], broken: Vec<Broken>) -> Result<(), String> {
        let vias = vias.iter().map(ToString::to_string).collect();
        judge(&sessions::Report { messages: 99, vias, broken }, leave).map_err(|error| error.to_string())
    }

    #[test]
    fn sessions_end_with_their_pod_and_no_others() {
        let leave = Leave::now(vec![pod("10.0.0.1")]);
        let end = leave.at + GRACE + DRAIN;
        judged(Some(&leave), &["10.0.0.1", "10.0.0.2"], vec![broken("gRPC call 0", "10.0.0.1", end)]).unwrap();
        judged(None, &["10.0.0.1"], vec![]).unwrap();
        judged(None, &["10.0.0.1"], vec![broken("WebSocket 0", "10.0.0.1", end)]).unwrap_err();
        judged(Some(&leave), &["10.0.0.2"], vec![broken("WebSocket 0", "10.0.0.2", end)]).unwrap_err();
        let lived_on = judged(Some(&leave), &["10.0.0.1"], vec![]).unwrap_err();
        assert!(lived_on.starts_with("1 sessions"), "{lived_on}");
    }

    #[test]
    fn too_early_or_in_the_wrong_way_is_seen() {
        let leave = Leave::now(vec![pod("10.0.0.1")]);
        let end = leave.at + GRACE + DRAIN;
        let one = |session| judged(Some(&leave), &["10.0.0.1"], vec![session]);
        one(broken("WebSocket 0", "10.0.0.1", end)).unwrap();
        one(broken("WebSocket 0", "10.0.0.1", end - Duration::from_millis(1))).unwrap_err();
        one(Broken { looked_complete: true, ..broken("WebSocket 0", "10.0.0.1", end) }).unwrap_err();
        one(Broken { warned: None, ..broken("gRPC call 0", "10.0.0.1", end) }).unwrap_err();
        one(Broken { warned: None, ..broken("WebSocket 0", "10.0.0.1", end) }).unwrap();
    }
}
