//! `tidegate run`: both planes in one process, joined by two channels.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, anyhow};
use controller::{Controller, Source};
use dataplane::{
    Dataplane,
    admin::{self, Pages},
    observe::{AccessLogTarget, MetricsConfig},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

use crate::{args::RunFlags, signal::StopSignals};

/// Threads for everything but traffic: watches, probes, reports, look-ups.
const SIDE_THREADS: usize = 2;

/// Reports of the data plane that wait for the controller.
const REPORTS: usize = 16;

/// Runs until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// Something that is needed cannot be had: an address, a folder, a cluster.
pub fn run(flags: RunFlags) -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another crypto provider is installed"))?;
    let side = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SIDE_THREADS)
        .thread_name("side")
        .enable_all()
        .build()
        .context("cannot start threads")?;
    side.block_on(serve(flags))
}

async fn serve(flags: RunFlags) -> anyhow::Result<()> {
    let mut stop = StopSignals::new().context("cannot take over signals")?;
    let admin_listener = bind_admin(&flags).await?;
    let (publish, snapshots) = watch::channel(None);
    let (answer, reports) = mpsc::channel(REPORTS);
    let dataplane = Dataplane::start(dataplane_config(&flags), snapshots, answer)?;
    let controller = Controller::start(controller_config(&flags), publish, reports).await?;
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
    tokio::time::sleep(flags.post_shutdown_grace()).await;
    admin.abort();
    Ok(())
}

async fn bind_admin(flags: &RunFlags) -> anyhow::Result<TcpListener> {
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let address = SocketAddr::new(flags.healthz_host.unwrap_or(any), flags.healthz_port);
    let bound = match TcpListener::bind(address).await {
        // A machine without IPv6.
        Err(error) if flags.healthz_host.is_none() && error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind(("0.0.0.0", flags.healthz_port)).await
        }
        bound => bound,
    };
    bound.with_context(|| format!("cannot listen on {address} (--healthz-port)"))
}

fn dataplane_config(flags: &RunFlags) -> dataplane::Config {
    let workers = flags.workers.unwrap_or_else(dataplane::worker_count);
    dataplane::Config {
        workers,
        metrics: MetricsConfig {
            controller_namespace: flags.pod_namespace.clone(),
            controller_class: flags.controller_class.clone(),
            controller_pod: flags.pod_name.clone(),
            per_host: flags.metrics_per_host,
            ..MetricsConfig::default()
        },
        access_log: match flags.access_log.as_str() {
            "stdout" => AccessLogTarget::Stdout,
            "off" => AccessLogTarget::Off,
            file => AccessLogTarget::File(PathBuf::from(file)),
        },
        shutdown_grace: flags.shutdown_grace(),
    }
}

fn controller_config(flags: &RunFlags) -> controller::Config {
    let labels = [
        ("controller_namespace", &flags.pod_namespace),
        ("controller_class", &flags.controller_class),
        ("controller_pod", &flags.pod_name),
    ];
    controller::Config {
        options: flags.compile_options(),
        source: match &flags.manifests {
            Some(folder) => Source::Manifests(folder.clone()),
            None => Source::Cluster { kubeconfig: flags.kubeconfig.clone() },
        },
        publish: flags.publish(),
        update_status: flags.update_status,
        update_status_on_shutdown: flags.update_status_on_shutdown,
        election: flags.election(),
        pod: flags.pod(),
        metric_labels: labels.map(|(label, value)| (label.to_owned(), value.clone())).into(),
    }
}

fn pages(dataplane: &Dataplane, controller: &Controller) -> Pages {
    let (readiness, handle, served) = (dataplane.readiness(), controller.handle(), dataplane.served());
    let problems = handle.clone();
    Pages::new()
        .ready_when(move || handle.missing())
        .ready_when(move || readiness.missing())
        .metrics(dataplane.registry())
        .metrics(controller.handle().registry())
        .page("/snapshot", JSON, move || json(&served.borrow().as_ref().map(Arc::clone)))
        .page("/problems", JSON, move || json(&problems.problems()))
}

const JSON: &str = "application/json";

fn json(value: &impl serde::Serialize) -> String {
    match serde_json::to_string_pretty(value) {
        Ok(text) => text + "\n",
        Err(error) => format!("{{\"error\": {:?}}}\n", error.to_string()),
    }
}
