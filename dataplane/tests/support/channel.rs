//! How snapshots reach the proxy: by the channel alone, or over a Unix socket with the frames of split planes in between
//! (`TIDEGATE_TEST_CHANNEL=socket`).

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use link::{Follower, Limits, Metrics, Peers, Server};
use snapshot::{Report, Snapshot};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

type Snapshots = watch::Receiver<Option<Arc<Snapshot>>>;

/// The data plane's two ends, and the tasks between them and the test's.
pub struct Channel {
    pub snapshots: Snapshots,
    pub reports: mpsc::Sender<Report>,
    pub tasks: JoinSet<()>,
}

/// Joins the test's ends with those of a data plane. `folder` is for a socket.
pub fn join(snapshots: Snapshots, reports: mpsc::Sender<Report>, folder: &Path) -> Channel {
    match std::env::var("TIDEGATE_TEST_CHANNEL").as_deref() {
        Err(_) | Ok("" | "direct") => Channel { snapshots, reports, tasks: JoinSet::new() },
        Ok("socket") => over_a_socket(snapshots, reports, folder),
        Ok(other) => panic!("TIDEGATE_TEST_CHANNEL={other}: there are direct and socket"),
    }
}

fn over_a_socket(snapshots: Snapshots, reports: mpsc::Sender<Report>, folder: &Path) -> Channel {
    let path = folder.join("socket");
    // A test waits for one report of each snapshot that it applies.
    let limits = Limits { retry: Duration::from_secs(3600), ..Limits::default() };
    let metrics = Metrics::new(HashMap::new()).unwrap();
    let server = Server::bind(&path, Peers::new([]), limits, metrics.clone()).unwrap();
    let (sender, receiver) = watch::channel(None);
    let (answer, answers) = mpsc::channel(16);
    let follower = Follower::new(path, None, (sender, answers), limits, metrics);
    let mut tasks = JoinSet::new();
    tasks.spawn(server.run(snapshots, reports));
    tasks.spawn(follower.run());
    Channel { snapshots: receiver, reports: answer, tasks }
}
