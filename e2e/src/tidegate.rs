//! The Tidegate that `e2e/run` installed with the chart.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use crate::client::Target;
use crate::cluster::{Cluster, Namespace, items};
use crate::wait;

/// The namespace it is installed in.
pub const NAMESPACE: &str = "tidegate";
const ADMIN_PORT: u16 = 10254;
/// How its Pods are found.
const SELECTOR: &str = "app.kubernetes.io/name=tidegate,app.kubernetes.io/component=controller";
/// Everything from an object's creation to its address in the status.
const STATUS_LIMIT: Duration = Duration::from_secs(20);

/// The installed Tidegate.
#[derive(Debug, Clone)]
pub struct Tidegate {
    cluster: Cluster,
    /// Where clients reach it: the address of its LoadBalancer Service.
    pub front: Target,
}

impl Tidegate {
    /// Finds it.
    ///
    /// # Errors
    /// Its Service is not there or has no address.
    pub async fn find(cluster: &Cluster) -> anyhow::Result<Self> {
        let services = cluster.json(&["get", "services", "-n", NAMESPACE]).await?;
        let address = items(&services["items"])
            .find_map(|service| service["status"]["loadBalancer"]["ingress"][0]["ip"].as_str())
            .with_context(|| format!("no Service in {NAMESPACE} has an address"))?;
        let address: IpAddr = address.parse().context("the Service's address")?;
        Ok(Self { cluster: cluster.clone(), front: Target::new(address) })
    }

    /// The address that an Ingress's status should show.
    #[must_use]
    pub fn address(&self) -> String {
        self.front.address.to_string()
    }

    /// Waits until an Ingress shows this address in its status: it is served then.
    ///
    /// # Errors
    /// It does not in time.
    pub async fn serves(&self, namespace: &Namespace, ingress: &str) -> anyhow::Result<Duration> {
        let what = format!("the status of Ingress {ingress}");
        wait::until_eq(&what, STATUS_LIMIT, Some(self.address()), || namespace.ingress_address(ingress)).await
    }

    /// Waits until a GET is answered with this status.
    ///
    /// # Errors
    /// It is not within five seconds.
    pub async fn answers(&self, host: &str, path: &str, status: u16) -> anyhow::Result<Duration> {
        let limit = Duration::from_secs(5);
        wait::until_eq(&format!("{status} of {host}{path}"), limit, status, || async move {
            Ok(self.front.get(host, path).await?.status.as_u16())
        })
        .await
    }

    /// A page of the healthz port of the (only) Pod, such as `/problems`.
    ///
    /// # Errors
    /// There is no Pod, or it does not answer.
    pub async fn admin(&self, path: &str) -> anyhow::Result<String> {
        let pods = self.cluster.json(&["get", "pods", "-n", NAMESPACE, "-l", SELECTOR]).await?;
        let pod = items(&pods["items"]).next().context("Tidegate has no Pod")?;
        let address: IpAddr = pod["status"]["podIP"].as_str().context("the Pod has no address")?.parse()?;
        let target = Target { http_port: ADMIN_PORT, ..Target::new(address) };
        Ok(target.get("admin", path).await?.text())
    }

    /// Waits until `/problems` has one of this object (such as `default/shop`)
    /// that contains `text`, and returns the problems of that object.
    ///
    /// # Errors
    /// There is none in time; the error has all problems.
    pub async fn problem(&self, namespace: &Namespace, name: &str, text: &str) -> anyhow::Result<String> {
        let limit = Duration::from_secs(10);
        let what = format!("a problem of {}/{name} with {text:?}", namespace.name());
        let look = || async {
            let all = self.admin("/problems").await?;
            let found = problems_of(&all, namespace.name(), name)?;
            anyhow::ensure!(found.contains(text), "its problems are {found:?}, all are {all}");
            Ok(Some(found))
        };
        wait::until(&what, limit, look).await.map(|(found, _)| found)
    }
}

/// The problems of one object, as text, one a line.
fn problems_of(all: &str, namespace: &str, name: &str) -> anyhow::Result<String> {
    let all: Value = serde_json::from_str(all).context("/problems is not JSON")?;
    let list = if all.is_array() { &all } else { &all["problems"] };
    let lines: Vec<_> = items(list)
        .map(ToString::to_string)
        .filter(|line| {
            line.contains(&format!("{namespace:?}")) && line.contains(&format!("{name:?}"))
                || line.contains(&format!("{namespace}/{name}"))
        })
        .collect();
    Ok(lines.join("\n"))
}
