//! `tidegate dataplane`: the data plane alone, which follows a controller's Unix socket.

use anyhow::{Context, anyhow};
use dataplane::{
    Dataplane,
    admin::{self, Pages},
};
use link::{Folder, Follower, Limits, Metrics, Status};
use tokio::sync::{mpsc, watch};

use crate::{
    args::DataplaneCommand,
    ending::{self, Why},
    planes,
    process::{JSON, REPORTS, bind_admin, snapshot_page},
    signal::{StopSignals, reopen_at_usr1},
};

/// Runs until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// Something that is needed cannot be had: an address, the folder for the state. [`crate::process::CannotGoOn`]: a part of
/// it ended, and what was in flight has, too.
pub async fn serve(flags: DataplaneCommand) -> anyhow::Result<()> {
    let DataplaneCommand { dataplane: flags, process, link: socket, state } = flags;
    let mut stop = StopSignals::new().context("cannot take over signals")?;
    let admin_listener = bind_admin(&process, planes::DATAPLANE_HEALTHZ).await?;
    let (limits, metrics) = (Limits::default(), Metrics::new(planes::metric_labels(&process))?);
    let folder = state.state_dir.as_deref().map(Folder::open).transpose()?;
    let kept = folder.as_ref().and_then(|folder| folder.load(&metrics));
    let (publish, snapshots) = watch::channel(None);
    let (answer, reports) = mpsc::channel(REPORTS);
    let dataplane = Dataplane::start(planes::dataplane(&flags, &process), snapshots, answer)?;
    reopen_at_usr1(dataplane.access_log()).context("cannot take over signals")?;
    let follower = Follower::new(socket.socket, kept, (publish, reports), limits, metrics.clone());
    if let Some(folder) = folder {
        tokio::spawn(folder.keep(dataplane.served(), limits, metrics.clone()));
    }
    let pages = pages(&dataplane, follower.status(), &metrics);
    let admin = tokio::spawn(admin::serve(admin_listener, pages, std::future::pending()));
    let mut link = tokio::spawn(follower.run());

    let why = tokio::select! {
        signal = stop.next() => Why::Asked(signal),
        _ = &mut link => Why::Failed(anyhow!("the task that follows the controller ended unexpectedly")),
    };
    // The link is followed on for as long as connections are accepted.
    let (meanwhile, grace) = (std::future::ready(()), flags.post_shutdown_grace());
    let ended = ending::drain(why, dataplane, meanwhile, grace, async || stop.next().await).await;
    link.abort();
    admin.abort();
    ended
}

fn pages(dataplane: &Dataplane, link: Status, metrics: &Metrics) -> Pages {
    let (readiness, served) = (dataplane.readiness(), dataplane.served());
    let missing = move || {
        let mut missing = readiness.missing();
        // A data plane that serves something is ready, whatever became of its controller.
        if !missing.is_empty() {
            missing.extend(link.trouble());
        }
        missing
    };
    Pages::new().ready_when(missing).metrics(dataplane.registry()).metrics(metrics.registry()).page(
        "/snapshot",
        JSON,
        move || snapshot_page(&served),
    )
}
