//! A data file, and what each of its cases wants.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use e2e::client::Answer;
use e2e::tidegate::Tidegate;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;

use super::background::Background;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    pub ingress: String,
    pub spec: Value,
    pub backends: Vec<Backend>,
    pub certificate: Option<Certificate>,
    /// What each request has in common.
    #[serde(default)]
    request: Request,
    /// What each answer has in common.
    #[serde(default)]
    expect: Expect,
    pub cases: Vec<Case>,
}

/// An echo app with its Service at port 8080 (`http`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    pub name: String,
}

/// A Secret with a self-signed certificate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    pub secret: String,
    pub host: String,
}

/// One scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub id: String,
    pub name: String,
    /// Deployments to scale first.
    #[serde(default)]
    scale: BTreeMap<String, usize>,
    #[serde(default)]
    request: Request,
    #[serde(default)]
    expect: Expect,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Request {
    method: Option<String>,
    scheme: Option<String>,
    /// None: the address is the host.
    host: Option<String>,
    path: String,
    headers: BTreeMap<String, String>,
    /// How often, each on a connection of its own; 0 is once.
    count: usize,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Expect {
    status: Option<u16>,
    version: Option<String>,
    /// Fields that the answer has.
    headers: Vec<String>,
    /// What the backend says about the request.
    echo: BTreeMap<String, String>,
    echo_headers: BTreeMap<String, String>,
    /// The first DNS name of the certificate, which is the host.
    certificate: Option<String>,
    /// How many Pods answer.
    pods: Option<usize>,
    /// The status stays without an address for so long, and until the same Ingress of our class has one; nothing is asked.
    no_address_for_seconds: Option<u64>,
}

impl Feature {
    /// All files, with what their cases have in common put into each.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
        let mut paths: Vec<_> =
            std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        paths.sort();
        paths.iter().map(|path| Self::read(path).with_context(|| path.display().to_string())).collect()
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let mut feature: Self = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
        for case in &mut feature.cases {
            case.request.headers.extend(feature.request.headers.clone());
            let shared = feature.expect.clone();
            let own = &mut case.expect;
            own.status = own.status.or(shared.status);
            own.version = own.version.take().or(shared.version);
            own.headers.extend(shared.headers);
            own.echo.extend(shared.echo);
            own.echo_headers.extend(shared.echo_headers);
        }
        Ok(feature)
    }
}

impl Case {
    /// Runs the scenario against objects that exist.
    pub async fn run(&self, tidegate: &Tidegate, background: &Background) -> anyhow::Result<()> {
        let (namespace, ingress) = (background.namespace(), background.ingress());
        if let Some(seconds) = self.expect.no_address_for_seconds {
            stays_without_address(background, Duration::from_secs(seconds)).await?;
            tidegate.serves(namespace, &background.put_ours().await?).await?;
            return stays_without_address(background, Duration::ZERO).await;
        }
        tidegate.serves(namespace, ingress).await?;
        for (deployment, replicas) in &self.scale {
            let replicas_flag = format!("--replicas={replicas}");
            namespace.kubectl(&["scale", "deployment", deployment, &replicas_flag]).await?;
            namespace.endpoints_ready(deployment, *replicas).await?;
        }
        let mut pods = BTreeSet::new();
        for _ in 0..self.request.count.max(1) {
            let answer = self.request.send(tidegate).await?;
            self.expect.check(&answer).with_context(|| format!("{} {}", answer.status, answer.text()))?;
            pods.insert(answer.echo("pod"));
        }
        if let Some(wanted) = self.expect.pods {
            ensure!(pods.len() == wanted, "{} Pods answered, not {wanted}: {pods:?}", pods.len());
        }
        Ok(())
    }
}

async fn stays_without_address(background: &Background, limit: Duration) -> anyhow::Result<()> {
    let start = std::time::Instant::now();
    loop {
        if let Some(address) = background.namespace().ingress_address(background.ingress()).await? {
            bail!("after {:?} the status has the address {address}", start.elapsed());
        }
        if start.elapsed() >= limit {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

impl Request {
    async fn send(&self, tidegate: &Tidegate) -> anyhow::Result<Answer> {
        let method: Method = self.method.as_deref().unwrap_or("GET").parse()?;
        let scheme = self.scheme.as_deref().unwrap_or("http");
        let host = self.host.clone().unwrap_or_else(|| tidegate.address());
        tidegate.front.follow(method, &format!("{scheme}://{host}{}", self.path), &self.headers).await
    }
}

impl Expect {
    fn check(&self, answer: &Answer) -> anyhow::Result<()> {
        equal("status", Some(answer.status.as_u16()), self.status)?;
        equal("version", Some(format!("{:?}", answer.version)), self.version.clone())?;
        for name in &self.headers {
            ensure!(answer.headers.contains_key(name.as_str()), "there is no field {name}");
        }
        for (field, wanted) in &self.echo {
            equal(field, Some(answer.echo(field)), Some(wanted.clone()))?;
        }
        for (name, wanted) in &self.echo_headers {
            equal(name, answer.echo_header(name), Some(wanted.clone()))?;
        }
        let leaf = answer.leaf.as_ref().and_then(|leaf| leaf.dns_names.first().cloned());
        equal("first name of the certificate", leaf, self.certificate.clone())
    }
}

/// Whether `seen` is the wanted value, where one is wanted.
fn equal<T: PartialEq + std::fmt::Debug>(what: &str, seen: Option<T>, wanted: Option<T>) -> anyhow::Result<()> {
    ensure!(wanted.is_none() || seen == wanted, "{what} is {seen:?}, not {wanted:?}");
    Ok(())
}
