//! The Kubernetes objects that tests make, as JSON.

use serde_json::{Value, json};

/// A Deployment of the echo backend with its Service.
#[derive(Debug, Clone)]
pub struct EchoApp {
    /// Name of Deployment, Service and Pods' label.
    pub name: String,
    /// Number of Pods.
    pub replicas: u32,
    /// Seconds between two readiness probes; more Pods want slower probes.
    pub probe_period: u32,
    /// The port of the Service, which has the name `http`.
    pub port: u16,
    /// What each Pod says in its answers about its Service.
    pub service: String,
    /// Flags of the backend.
    pub arguments: Vec<String>,
    /// The Secret with the certificate that it speaks TLS with; none: it speaks HTTP in the clear.
    pub tls_secret: Option<String>,
    /// A label value of the Pods: another one is another revision.
    pub revision: String,
    /// For how many seconds a Pod that is to leave serves on before its process hears of it.
    pub lingers: u32,
}

impl EchoApp {
    /// An app whose Service is at port 80.
    #[must_use]
    pub fn new(name: &str, replicas: u32) -> Self {
        Self {
            name: name.to_owned(),
            replicas,
            probe_period: 1,
            port: 80,
            service: name.to_owned(),
            arguments: Vec::new(),
            tls_secret: None,
            revision: "1".to_owned(),
            lingers: 0,
        }
    }

    /// Its objects.
    #[must_use]
    pub fn objects(&self) -> Vec<Value> {
        vec![self.deployment(), self.service()]
    }

    fn deployment(&self) -> Value {
        let field = |path| json!({ "fieldRef": { "fieldPath": path } });
        let scheme = if self.tls_secret.is_some() { "HTTPS" } else { "HTTP" };
        let health = json!({ "path": "/health", "port": "http", "scheme": scheme });
        let secret = self.tls_secret.iter();
        let volumes: Vec<_> =
            secret.clone().map(|name| json!({ "name": "tls", "secret": { "secretName": name } })).collect();
        let mounts: Vec<_> = secret.clone().map(|_| json!({ "name": "tls", "mountPath": "/tls" })).collect();
        let tls = secret.flat_map(|_| ["--tls".to_owned(), "/tls".to_owned()]);
        let sleep = json!({ "preStop": { "sleep": { "seconds": self.lingers } } });
        let lifecycle = (self.lingers > 0).then_some(sleep);
        let arguments: Vec<_> = self.arguments.iter().cloned().chain(tls).collect();
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": self.name },
            "spec": {
                "replicas": self.replicas,
                "selector": { "matchLabels": { "app": self.name } },
                "template": {
                    "metadata": { "labels": { "app": self.name, "revision": self.revision } },
                    "spec": {
                        "automountServiceAccountToken": false,
                        "terminationGracePeriodSeconds": 10 + self.lingers,
                        "volumes": volumes,
                        "containers": [{
                            "name": "echo",
                            "image": "tidegate-echo:e2e",
                            "imagePullPolicy": "IfNotPresent",
                            "args": arguments,
                            "lifecycle": lifecycle,
                            "volumeMounts": mounts,
                            "ports": [{ "name": "http", "containerPort": 3000 }],
                            "env": [
                                { "name": "NAMESPACE", "valueFrom": field("metadata.namespace") },
                                { "name": "POD_NAME", "valueFrom": field("metadata.name") },
                                { "name": "SERVICE_NAME", "value": self.service },
                            ],
                            "readinessProbe": {
                                "httpGet": health,
                                "periodSeconds": self.probe_period,
                                // A busy machine is slow, and that is no reason to leave.
                                "timeoutSeconds": 10,
                                "failureThreshold": 1,
                            },
                        }],
                    },
                },
            },
        })
    }

    /// Its Service alone.
    #[must_use]
    pub fn service(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": self.name },
            "spec": {
                "selector": { "app": self.name },
                "ports": [{ "name": "http", "port": self.port, "targetPort": "http" }],
            },
        })
    }
}

/// A Service whose one endpoint is this process: `address` is one by which Pods reach it, with the port that it listens on.
#[must_use]
pub fn service_here(name: &str, port: u16, address: (&str, u16)) -> [Value; 2] {
    let (address, target) = address;
    [
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
            "spec": { "ports": [{ "name": "here", "port": port }] },
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": { "name": format!("{name}-1"), "labels": { "kubernetes.io/service-name": name } },
            "addressType": "IPv4",
            "ports": [{ "name": "here", "port": target }],
            "endpoints": [{ "addresses": [address] }],
        }),
    ]
}

/// An Ingress of our class with this `spec`.
#[must_use]
pub fn ingress(name: &str, mut spec: Value) -> Value {
    if spec["ingressClassName"].is_null() {
        spec["ingressClassName"] = json!("tidegate");
    }
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name },
        "spec": spec,
    })
}

/// An Ingress that sends one host to port `http` of one Service.
#[must_use]
pub fn ingress_for(name: &str, host: &str, service: &str) -> Value {
    ingress(name, json!({ "rules": [rule(host, "/", "Prefix", service)] }))
}

/// A rule of one path.
#[must_use]
pub fn rule(host: &str, path: &str, path_type: &str, service: &str) -> Value {
    json!({
        "host": host,
        "http": { "paths": [{
            "path": path, "pathType": path_type,
            "backend": { "service": { "name": service, "port": { "name": "http" } } },
        }] },
    })
}

/// The same object with an annotation of ingress-nginx's.
#[must_use]
pub fn annotated(mut object: Value, key: &str, value: &str) -> Value {
    object["metadata"]["annotations"][format!("nginx.ingress.kubernetes.io/{key}")] = json!(value);
    object
}
