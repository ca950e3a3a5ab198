//! From flags to what each plane must know.

use std::{collections::HashMap, path::PathBuf};

use controller::{PublishAddress, Source};
use dataplane::observe::{AccessLogTarget, MetricsConfig};

use crate::args::{ControllerFlags, DataplaneFlags, ProcessFlags};

/// The port for probes and scrapes of a data plane, and of both planes in one process.
pub const DATAPLANE_HEALTHZ: u16 = 10254;

/// That of a controller alone: both may share a network namespace.
pub const CONTROLLER_HEALTHZ: u16 = 10255;

/// What the data plane must know.
pub fn dataplane(flags: &DataplaneFlags, process: &ProcessFlags) -> dataplane::Config {
    let workers = flags.workers.unwrap_or_else(dataplane::worker_count);
    dataplane::Config {
        workers,
        metrics: MetricsConfig {
            controller_namespace: process.pod_namespace.clone(),
            controller_class: process.controller_class.clone(),
            controller_pod: process.pod_name.clone(),
            per_host: flags.metrics_per_host,
            ..MetricsConfig::default()
        },
        access_log: match flags.access_log.as_str() {
            "stdout" => AccessLogTarget::Stdout,
            "off" => AccessLogTarget::Off,
            file => AccessLogTarget::File(PathBuf::from(file)),
        },
        shutdown_grace: process.shutdown_grace(),
    }
}

/// What the controller must know. `healthz_port` is what [`ProcessFlags`] leaves open.
pub fn controller(flags: &ControllerFlags, process: &ProcessFlags, healthz_port: u16) -> controller::Config {
    controller::Config {
        options: flags.compile_options(process, process.healthz_port.unwrap_or(healthz_port)),
        source: match &flags.manifests {
            Some(folder) => Source::Manifests(folder.clone()),
            None => Source::Cluster { kubeconfig: flags.kubeconfig.clone() },
        },
        publish: publish(flags, process),
        update_status: flags.update_status,
        admission: flags.webhook.config(),
        update_status_on_shutdown: flags.update_status_on_shutdown,
        shutdown_grace: process.shutdown_grace(),
        election: flags.election.election(process),
        pod: process.pod(),
        first_refusal_is_fatal: true,
        metric_labels: metric_labels(process),
    }
}

fn publish(flags: &ControllerFlags, process: &ProcessFlags) -> PublishAddress {
    match &flags.publish_service {
        Some(service) => PublishAddress::Service(service.clone()),
        None if !flags.publish_status_address.is_empty() => {
            PublishAddress::Addresses(flags.publish_status_address.clone())
        }
        None if process.pod().is_some() => PublishAddress::Nodes { internal: flags.report_node_internal_ip_address },
        None => PublishAddress::None,
    }
}

/// Labels that every metric carries, as ingress-nginx has them.
pub fn metric_labels(process: &ProcessFlags) -> HashMap<String, String> {
    let labels = [
        ("controller_namespace", &process.pod_namespace),
        ("controller_class", &process.controller_class),
        ("controller_pod", &process.pod_name),
    ];
    labels.map(|(label, value)| (label.to_owned(), value.clone())).into()
}
