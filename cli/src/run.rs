//! `tidegate run`: both planes in one process, joined by two channels.

use anyhow::Context;
use controller::Controller;
use dataplane::{
    Dataplane,
    admin::{self, Pages},
};
use tokio::sync::{mpsc, watch};

use crate::{
    args::RunFlags,
    planes,
    process::{JSON, REPORTS, bind_admin, json, snapshot_page},
    signal::{StopSignals, reopen_at_usr1},
};

/// Runs until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// Something that is needed cannot be had: an address, a folder, a cluster.
pub async fn serve(flags: RunFlags) -> anyhow::Result<()> {
    let RunFlags { controller, dataplane, process } = flags;
    let mut stop = StopSignals::new().context("cannot take over signals")?;
    let admin_listener = bind_admin(&process, planes::DATAPLANE_HEALTHZ).await?;
    let (publish, snapshots) = watch::channel(None);
    let (answer, reports) = mpsc::channel(REPORTS);
    let post_shutdown_grace = dataplane.post_shutdown_grace();
    let dataplane = Dataplane::start(planes::dataplane(&dataplane, &process), snapshots, answer)?;
    reopen_at_usr1(dataplane.access_log()).context("cannot take over signals")?;
    let config = planes::controller(&controller, &process, planes::DATAPLANE_HEALTHZ);
    let controller = Controller::start(config, publish, reports).await?;
    let pages = pages(&dataplane, &controller);
    let admin = tokio::spawn(admin::serve(admin_listener, pages, std::future::pending()));

    let handle = controller.handle();
    let signal = tokio::select! {
        signal = stop.next() => signal,
        error = handle.failed() => return Err(error.into()),
    };
    tracing::info!("{signal}: draining; a second signal ends at once");
    tokio::select! {
        // The controller goes on meanwhile: endpoints may change while requests finish.
        (drained, ()) = async { tokio::join!(dataplane.shut_down(), controller.leave()) } => {
            tracing::info!(cut = drained.cut, "drained");
        }
        signal = stop.next() => tracing::warn!("{signal}: leaving at once"),
    }
    controller.shut_down().await;
    tokio::time::sleep(post_shutdown_grace).await;
    admin.abort();
    Ok(())
}

fn pages(dataplane: &Dataplane, controller: &Controller) -> Pages {
    let (readiness, handle, served) = (dataplane.readiness(), controller.handle(), dataplane.served());
    let problems = handle.clone();
    Pages::new()
        .ready_when(move || handle.missing())
        .ready_when(move || readiness.missing())
        .metrics(dataplane.registry())
        .metrics(controller.handle().registry())
        .page("/snapshot", JSON, move || snapshot_page(&served))
        .page("/problems", JSON, move || json(&problems.problems()))
}
