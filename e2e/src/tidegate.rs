//! The Tidegate that `e2e/run` installed with the chart.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;

use crate::client::Target;
use crate::cluster::{Cluster, Namespace, items};
use crate::wait;

/// The namespace it is installed in.
pub const NAMESPACE: &str = "tidegate";
/// The controller's healthz port, which has `/problems`; the data plane's is another.
pub(crate) const ADMIN_PORT: u16 = 10255;
/// How its Pods are found.
pub const SELECTOR: &str = "app.kubernetes.io/name=tidegate,app.kubernetes.io/component=controller";
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

    /// Sets a key of a ConfigMap of its namespace, or takes it away.
    ///
    /// # Errors
    /// The API server does not take it.
    pub async fn set(&self, config_map: &str, key: &str, value: Option<&str>) -> anyhow::Result<()> {
        let patch = json!({ "data": { key: value } }).to_string();
        let arguments = ["patch", "configmap", config_map, "-n", NAMESPACE, "--type=merge", "-p", &patch];
        self.cluster.kubectl(&arguments).await.map(drop)
    }

    /// A page of the controller's healthz port in the (only) Pod, such as `/problems`.
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

    /// What `/problems` has about an object.
    ///
    /// # Errors
    /// Tidegate does not answer, or not as documented.
    pub async fn problems(&self, object: &Object) -> anyhow::Result<Vec<Problem>> {
        let text = self.admin("/problems").await?;
        let all: Vec<Problem> = serde_json::from_str(&text).with_context(|| format!("/problems says {text}"))?;
        Ok(all.into_iter().filter(|problem| problem.object == *object).collect())
    }

    /// Waits until an object has a problem whose field or message contains `text`.
    ///
    /// # Errors
    /// It has none in time.
    pub async fn problem(&self, object: &Object, text: &str) -> anyhow::Result<Problem> {
        let what = format!("a problem of {object:?} with {text:?}");
        let look = || async {
            let mut problems = self.problems(object).await?;
            let found = problems.iter().position(|one| one.field.contains(text) || one.message.contains(text));
            match found {
                Some(index) => Ok(Some(problems.swap_remove(index))),
                None => anyhow::bail!("its problems are {problems:?}"),
            }
        };
        wait::until(&what, Duration::from_secs(10), look).await.map(|(found, _)| found)
    }
}

/// An entry of `/problems`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// Whose problem it is.
    pub object: Object,
    /// `Error` or `Warning`.
    pub severity: String,
    /// Path of the field.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// One word for it.
    pub reason: String,
}

/// The object of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Object {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Object {
    /// An Ingress.
    #[must_use]
    pub fn ingress(namespace: &Namespace, name: &str) -> Self {
        Self { kind: "Ingress".to_owned(), namespace: namespace.name().to_owned(), name: name.to_owned() }
    }

    /// An IngressClass, which belongs to no namespace.
    #[must_use]
    pub fn class(name: &str) -> Self {
        Self { kind: "IngressClass".to_owned(), namespace: String::new(), name: name.to_owned() }
    }
}
