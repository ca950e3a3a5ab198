//! Seeing a change of an EndpointSlice at the moment it happens.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::cluster::Namespace;

/// Each state of a slice as a line: `POD=READY POD=READY `.
const TEMPLATE: &str = r#"jsonpath={range .endpoints[*]}{.targetRef.name}={.conditions.ready} {end}{"\n"}"#;

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
        let selector = format!("kubernetes.io/service-name={service}");
        let mut kubectl = Command::new("kubectl")
            .args(["get", "endpointslices", "-n", namespace.name(), "-l", &selector, "--watch", "-o", TEMPLATE])
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
        let wanted = format!("{pod}={ready}");
        let look = async {
            while let Some(line) = self.lines.next_line().await? {
                if line.split(' ').any(|endpoint| endpoint == wanted) {
                    return Ok(Instant::now());
                }
            }
            bail!("the watch ended before {wanted}")
        };
        timeout(Duration::from_secs(10), look).await.with_context(|| format!("waiting for {wanted}"))?
    }
}
