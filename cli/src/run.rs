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
    ending::{self, Why},
    planes,
    process::{JSON, REPORTS, bind_admin, json, snapshot_page},
    signal::{StopSignals, reopen_at_usr1},
};

/// Runs until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// Something that is needed cannot be had: an address, a folder, a cluster. [`crate::process::CannotGoOn`]: a part of it
/// ended, and what was in flight has, too.
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
    let why = tokio::select! {
        signal = stop.next() => Why::Asked(signal),
        error = handle.failed() => Why::Failed(error.into()),
    };
    // The controller goes on meanwhile: endpoints may change while requests finish.
    let leaving = controller.leave();
    let ended = ending::drain(why, dataplane, leaving, post_shutdown_grace, async || stop.next().await).await;
    controller.shut_down().await;
    admin.abort();
    ended
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
