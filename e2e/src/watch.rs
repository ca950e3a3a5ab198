//! Seeing a change of an EndpointSlice at the moment it happens.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::cluster::{Namespace, endpoints};

/// A watch on the EndpointSlices of one Service.
#[derive(Debug)]
pub struct EndpointWatch {
    lines: Lines<BufReader<ChildStdout>>,
    /// Ends with us.
    _kubectl: Child,
}

impl EndpointWatch {
    /// Begins to watch.
    ///
    /// # Errors
    /// kubectl cannot be started.
    pub fn start(namespace: &Namespace, service: &str) -> anyhow::Result<Self> {
        // The bare events, one a line: with a template, kubectl ends at the first change.
        let path = format!(
            "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices?watch=1&labelSelector=kubernetes.io/service-name={service}",
            namespace.name()
        );
        let mut kubectl = Command::new("kubectl")
            .args(["get", "--raw", &path])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("kubectl get --watch")?;
        let output = kubectl.stdout.take().context("kubectl has no output")?;
        Ok(Self { lines: BufReader::new(output).lines(), _kubectl: kubectl })
    }

    /// Waits until a Pod is an endpoint with this readiness, and tells when that was.
    ///
    /// # Errors
    /// It is not within ten seconds.
    pub async fn until(&mut self, pod: &str, ready: bool) -> anyhow::Result<Instant> {
        let wanted = format!("{pod} being ready={ready}");
        let look = async {
            while let Some(line) = self.lines.next_line().await? {
                let event: Value = serde_json::from_str(&line)?;
                if endpoints(&event["object"]).any(|endpoint| endpoint == (pod.to_owned(), ready)) {
                    return Ok(Instant::now());
                }
            }
            bail!("the watch ended before {wanted}")
        };
        timeout(Duration::from_secs(10), look).await.with_context(|| format!("waiting for {wanted}"))?
    }
}
