//! The rules, once, a reason at each.

/// What a crate must not depend on.
pub(super) struct CrateRule {
    /// The crate.
    pub(super) package: &'static str,
    /// What must not be among its dependencies, however far away (those of its tests apart).
    pub(super) never: &'static [&'static str],
    /// Why.
    pub(super) because: &'static str,
}

pub(super) const CRATES: &[CrateRule] = &[
    CrateRule {
        package: "snapshot",
        never: &["link", "compile", "controller", "dataplane", "tidegate"],
        because: "the contract stands below both planes",
    },
    CrateRule {
        package: "snapshot",
        never: &["tokio", "mio", "socket2", "hyper", "rustls", "kube", "k8s-openapi"],
        because: "the contract is plain data, without I/O",
    },
    CrateRule {
        package: "link",
        never: &["compile", "controller", "dataplane", "tidegate"],
        because: "it carries snapshots and reports between the planes, and knows neither",
    },
    CrateRule {
        package: "link",
        never: &["hyper", "rustls", "kube", "k8s-openapi"],
        because: "a Unix socket and a file: neither HTTP nor TLS nor Kubernetes",
    },
    CrateRule {
        package: "compile",
        never: &["link", "controller", "dataplane", "tidegate"],
        because: "it stands below the controller and beside the data plane",
    },
    CrateRule {
        package: "compile",
        never: &["tokio", "hyper", "rustls", "kube", "kube-client", "kube-runtime"],
        because: "compiling is a pure function: no runtime, no client, no socket",
    },
    CrateRule {
        package: "controller",
        never: &["link", "dataplane", "tidegate"],
        because: "the planes meet in the snapshot and in the binary only",
    },
    CrateRule {
        package: "dataplane",
        never: &["link", "compile", "controller", "tidegate"],
        because: "the planes meet in the snapshot and in the binary only",
    },
    CrateRule {
        package: "dataplane",
        never: &["kube", "kube-client", "kube-core", "kube-runtime", "k8s-openapi"],
        because: "the data plane knows HTTP and nothing of Kubernetes",
    },
];

/// The planes, and the one crate that may depend on both.
pub(super) const PLANES: [&str; 2] = ["controller", "dataplane"];
/// See [`PLANES`].
pub(super) const WIRING: &str = "tidegate";

/// What must be nowhere in the tree, tests and build scripts included.
pub(super) const NOWHERE: &[(&str, &str)] = &[
    ("ring", "one crypto provider, aws-lc-rs: two in one process panic at run time"),
    ("openssl-sys", "one TLS implementation, rustls"),
    ("native-tls", "one TLS implementation, rustls"),
];

/// What a module may import of its own crate. Modules are the top ones: what is below `http` is `http`.
pub(super) struct ModuleRule {
    /// The crate.
    pub(super) package: &'static str,
    /// The module.
    pub(super) module: &'static str,
    /// The modules beside it that it may or may not import.
    pub(super) imports: Imports,
    /// Why.
    pub(super) because: &'static str,
}

/// See [`ModuleRule::imports`].
pub(super) enum Imports {
    /// These and no others.
    Only(&'static [&'static str]),
    /// Any but these.
    Never(&'static [&'static str]),
}

/// The crates each of whose modules needs a row in [`MODULES`], so that a new one is placed when it is made.
pub(super) const EVERY_MODULE_PLACED: &[&str] = &["dataplane"];

const fn data_plane(module: &'static str, only: &'static [&'static str], because: &'static str) -> ModuleRule {
    ModuleRule { package: "dataplane", module, imports: Imports::Only(only), because }
}

const fn compile(module: &'static str, never: &'static [&'static str], because: &'static str) -> ModuleRule {
    ModuleRule { package: "compile", module, imports: Imports::Never(never), because }
}

pub(super) const MODULES: &[ModuleRule] = &[
    data_plane("route", &[], "matching is pure: it knows the snapshot only"),
    data_plane("balance", &[], "picking an endpoint is pure: it knows the snapshot only"),
    data_plane("exchange", &["observe"], "a request carries its own record, but must not know who handles it"),
    data_plane("tls", &["route"], "handshakes know certificates and the table of hosts, not requests"),
    data_plane("observe", &[], "everybody reports to it, so it can know nobody"),
    data_plane("admin", &[], "it serves pages that others hand in"),
    data_plane(
        "upstream",
        &["exchange", "balance", "tls", "observe"],
        "it sends one request; which route and which filters led here is not its business",
    ),
    data_plane(
        "filter",
        &["exchange", "upstream", "observe"],
        "a filter sees one exchange, never the server around it",
    ),
    data_plane(
        "l4",
        &["balance", "observe", "upstream"],
        "connections without requests; it knows no worker and no listener",
    ),
    data_plane(
        "runtime",
        &["balance", "exchange", "filter", "l4", "observe", "route", "tls", "upstream"],
        "the live tables are built from the parts, and know nobody who serves from them",
    ),
    data_plane(
        "http",
        &["exchange", "filter", "observe", "route", "runtime", "tls", "upstream"],
        "a request's way; it does not know which socket it came from, but what the handshake told of the client",
    ),
    data_plane(
        "listen",
        &["exchange", "http", "l4", "observe", "runtime", "tls"],
        "the sockets and the workers behind them; it serves what is there and does not know how it got there",
    ),
    data_plane(
        "ocsp",
        &["tls", "upstream"],
        "it asks CAs about certificates, and looks up where they are; who serves the answers is not its business",
    ),
    data_plane("readiness", &[], "a place where others write what is missing"),
    data_plane(
        "control",
        &["listen", "observe", "ocsp", "readiness", "runtime", "upstream"],
        "it follows snapshots, waits for the names in them, and drives those who serve them",
    ),
    data_plane(
        "dataplane",
        &["control", "exchange", "listen", "observe", "ocsp", "readiness", "runtime", "tls", "upstream"],
        "the wiring: the top of the data plane",
    ),
    data_plane(
        "measured",
        &["dataplane", "http", "l4", "observe", "runtime", "tls", "upstream"],
        "a door for the benches, which only wires parts together",
    ),
    compile("ingress", &["annotation", "settings", "assemble"], "each Ingress becomes a draft by itself"),
    compile("annotation", &["ingress", "settings", "assemble"], "a key's meaning does not depend on the Ingress"),
    compile("settings", &["ingress", "annotation", "assemble"], "the global settings know no object but their own"),
    compile("assemble", &["objects", "annotation"], "it reads drafts only, never objects"),
];

/// A type that everybody may import, because it is what its module hands on: values without behaviour.
pub(super) struct Handed {
    /// The crate.
    pub(super) package: &'static str,
    /// The type's path in it.
    pub(super) path: &'static [&'static str],
}

pub(super) const HANDED: &[Handed] = &[
    Handed { package: "compile", path: &["settings", "Settings"] },
    Handed { package: "compile", path: &["NamespacedName"] },
];

/// Crates that must not touch the world.
pub(super) const PURE: &[&str] = &["snapshot", "compile"];

/// The paths by which code touches the world.
pub(super) const IMPURE: &[&str] =
    &["std::env", "std::fs", "std::process", "std::thread", "tokio", "std::os", "std::io::stdin"];

/// Types by which code touches the world, under whatever path.
pub(super) const IMPURE_TYPES: &[&str] =
    &["Instant", "SystemTime", "TcpListener", "TcpStream", "UdpSocket", "UnixListener", "UnixStream"];

#[cfg(test)]
mod tests {
    use super::*;

    fn rules_of_the_data_plane() -> Vec<(&'static str, &'static [&'static str])> {
        let only = |rule: &'static ModuleRule| match rule.imports {
            Imports::Only(modules) => (rule.module, modules),
            Imports::Never(_) => panic!("{} may import too much", rule.module),
        };
        MODULES.iter().filter(|rule| rule.package == "dataplane").map(only).collect()
    }

    #[test]
    fn the_data_plane_has_no_cycles() {
        let mut left = rules_of_the_data_plane();
        while !left.is_empty() {
            let names: Vec<&str> = left.iter().map(|(module, _)| *module).collect();
            left.retain(|(_, imports)| imports.iter().any(|import| names.contains(import)));
            assert!(left.len() < names.len(), "there is a cycle among {names:?}");
        }
    }
}
