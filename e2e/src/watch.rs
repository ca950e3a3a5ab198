//! Seeing changes of objects at the moment they happen.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::cluster::{Namespace, endpoints};

/// A watch on a part of the API.
#[derive(Debug)]
pub struct Watch {
    lines: Lines<BufReader<ChildStdout>>,
    /// Ends with us.
    _kubectl: Child,
}

impl Watch {
    /// Begins to watch. `selection` is the query that says which objects of the collection at `path`.
    ///
    /// # Errors
    /// kubectl cannot be started.
    pub fn start(path: &str, selection: &str) -> anyhow::Result<Self> {
        // The bare events, one a line: with a template, kubectl ends at the first change.
        let mut kubectl = Command::new("kubectl")
            .args(["get", "--raw", &format!("{path}?watch=1&{selection}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("kubectl get --watch")?;
        let output = kubectl.stdout.take().context("kubectl has no output")?;
        Ok(Self { lines: BufReader::new(output).lines(), _kubectl: kubectl })
    }

    /// The object of the next event; none at the end of the watch. Nothing is lost where this is given up before it is done.
    ///
    /// # Errors
    /// What came is no event.
    pub async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        let Some(line) = self.lines.next_line().await? else { return Ok(None) };
        let mut event: Value = serde_json::from_str(&line)?;
        Ok(Some(event["object"].take()))
    }
}

/// A watch on the EndpointSlices of one Service.
#[derive(Debug)]
pub struct EndpointWatch(Watch);

impl EndpointWatch {
    /// Begins to watch.
    ///
    /// # Errors
    /// kubectl cannot be started.
    pub fn start(namespace: &Namespace, service: &str) -> anyhow::Result<Self> {
        let path = format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", namespace.name());
        Watch::start(&path, &format!("labelSelector=kubernetes.io/service-name={service}")).map(Self)
    }

    /// Waits until a Pod is an endpoint with this readiness, and tells when that was.
    ///
    /// # Errors
    /// It is not within ten seconds.
    pub async fn until(&mut self, pod: &str, ready: bool) -> anyhow::Result<Instant> {
        let wanted = format!("{pod} being ready={ready}");
        let look = async {
            while let Some(slice) = self.0.next().await? {
                if endpoints(&slice).any(|endpoint| endpoint == (pod.to_owned(), ready)) {
                    return Ok(Instant::now());
                }
            }
            bail!("the watch ended before {wanted}")
        };
        timeout(Duration::from_secs(10), look).await.with_context(|| format!("waiting for {wanted}"))?
    }
}
