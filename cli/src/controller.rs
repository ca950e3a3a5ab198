//! `tidegate controller`: the controller alone, which serves a data plane over a Unix socket.

use anyhow::{Context, anyhow};
use controller::Controller;
use dataplane::admin::{self, Pages};
use link::{Limits, Metrics, Peers, Server};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use crate::{
    args::ControllerCommand,
    planes,
    process::{CannotGoOn, JSON, REPORTS, bind_admin, json},
    signal::StopSignals,
    supervise,
};

/// Runs until SIGTERM or SIGINT, and then for as long as a data plane is connected and the grace period lasts.
///
/// # Errors
/// Something that is needed cannot be had: an address, the socket, a folder, a cluster. [`CannotGoOn`]: a part of it ended.
pub async fn serve(flags: ControllerCommand) -> anyhow::Result<()> {
    let ControllerCommand { controller, process, link: socket, socket_peer_uid, supervision } = flags;
    let mut stop = StopSignals::new().context("cannot take over signals")?;
    let admin_listener = bind_admin(&process, planes::CONTROLLER_HEALTHZ).await?;
    let metrics = Metrics::new(planes::metric_labels(&process))?;
    let server = Server::bind(&socket.socket, Peers::new(socket_peer_uid), Limits::default(), metrics.clone())?;
    let mut connected = server.connected();
    let (publish, snapshots) = watch::channel(None);
    let (answer, reports) = mpsc::channel(REPORTS);
    // The data plane is a process of its own, which tries again by itself: no reason for this one to leave.
    let config = controller::Config {
        first_refusal_is_fatal: false,
        ..planes::controller(&controller, &process, planes::CONTROLLER_HEALTHZ)
    };
    let controller = Controller::start(config, publish, reports).await?;
    let mut pages = pages(&controller, &metrics);
    if let Some(restarts) = supervision.restarts {
        pages = pages.metrics(supervise::metrics(planes::metric_labels(&process), restarts)?);
    }
    let admin = tokio::spawn(admin::serve(admin_listener, pages, std::future::pending()));
    let mut link = tokio::spawn(server.run(snapshots, answer));

    let handle = controller.handle();
    let signal = tokio::select! {
        signal = stop.next() => signal,
        error = handle.failed() => return Err(CannotGoOn::because(error)),
        _ = &mut link => return Err(CannotGoOn::because(anyhow!("the task that serves the data plane ended"))),
    };
    tracing::info!("{signal}: leaving, once the data plane has; a second signal ends at once");
    let last = async {
        tokio::select! {
            // Pods come and go while the data plane still accepts: it should know.
            _ = connected.wait_for(|connected| !connected) => {}
            () = sleep(process.shutdown_grace()) => {}
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(last, controller.leave()) } => {}
        error = handle.failed() => return Err(CannotGoOn::because(error)),
        signal = stop.next() => tracing::warn!("{signal}: leaving at once"),
    }
    controller.shut_down().await;
    link.abort();
    admin.abort();
    Ok(())
}

fn pages(controller: &Controller, metrics: &Metrics) -> Pages {
    let (handle, problems, pulse) = (controller.handle(), controller.handle(), controller.handle());
    Pages::new()
        .healthy_when(move || pulse.hanging().into_iter().collect())
        .ready_when(move || handle.missing())
        .metrics(controller.handle().registry())
        .metrics(metrics.registry())
        .page("/problems", JSON, move || json(&problems.problems()))
}
