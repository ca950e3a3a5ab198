//! Kubernetes objects in, a [`Snapshot`] and [`Problem`]s out: pure, total, deterministic.
//!
//! No clock, no randomness, no I/O. Each Ingress is compiled alone; one that cannot be served is reported on that
//! object, and all others go on.

pub mod annotation;
mod assemble;
mod attach;
mod cert;
mod client_ca;
mod credentials;
mod draft;
mod endpoint;
mod external_name;
mod ingress;
mod l4;
mod listener;
mod memo;
mod nginx;
mod notes;
mod objects;
mod options;
mod parameters;
mod passthrough;
mod path;
mod pem;
mod policy;
mod problem;
mod selector;
mod service;
pub mod settings;
mod status;
mod suggest;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::networking::v1::Ingress;
use snapshot::{Origin, ServicePort, Snapshot};

use crate::{
    attach::{Attached, Ours},
    draft::Draft,
    notes::Notes,
    parameters::{ClassSetting, ClassSettings},
    settings::Settings,
};

pub use attach::is_ours;
pub use cert::expired;
pub use endpoint::{EndpointSource, Family, Transport, endpoint_set};
pub use l4::without_endpoints;
pub use memo::Memo;
pub use objects::{NamespacedName, Objects};
pub use options::{Options, check_options};
pub use parameters::{
    IngressClassParameters, IngressClassParametersSpec, IngressClassParametersStatus, ParametersVerdict,
    parameters_status,
};
pub use path::can_match;
pub use pem::pem_problem;
pub use problem::{Problem, Reason, Severity};
pub use selector::Selector;
pub use status::{StatusPatch, status};

/// What came of a compile.
#[derive(Default)]
pub struct Compiled {
    /// What is to be served. Its id is not set, and it has no endpoints: those are joined from `endpoint_sources`
    /// when it is published.
    pub snapshot: Snapshot,
    /// Which endpoints the snapshot needs, and where each comes from (see [`endpoint_set`]).
    pub endpoint_sources: BTreeMap<ServicePort, EndpointSource>,
    /// What is wrong, in order.
    pub problems: Vec<Problem>,
    /// The Ingresses that are ours, whether or not something of them can be served.
    pub attached: BTreeSet<NamespacedName>,
    /// The `IngressClassParameters` that a class of ours names and that are there, with their `metadata.generation`.
    pub parameters: BTreeMap<Arc<str>, Option<i64>>,
}

/// Compiles all objects. The same objects and options give the same result, whatever the memo holds.
pub fn compile(objects: &Objects, options: &Options, memo: &mut Memo) -> Compiled {
    drafted(objects, options, memo).compile(memo)
}

/// What objects ask for, each by itself, before anything that they name is looked at.
pub struct Drafted<'a> {
    objects: &'a Objects,
    options: &'a Options,
    by_class: ClassSettings,
    ours: Vec<Ours<'a>>,
    drafts: Vec<Arc<Draft>>,
    problems: Vec<Problem>,
}

/// The first half of [`compile`]. Looks at no Secret.
pub fn drafted<'a>(objects: &'a Objects, options: &'a Options, memo: &mut Memo) -> Drafted<'a> {
    let (settings, mut problems) = read_settings(objects, options);
    let Attached { ingresses: ours, classes } = attach::attach(objects, options);
    let by_class = parameters::resolve(objects, &classes.ours, settings);
    problems.extend(by_class.problems.iter().cloned());
    memo.begin(options, &classes, &by_class);
    let drafts = drafts(&ours, options, &by_class, memo);
    problems.extend(drafts.iter().flat_map(|draft| draft.problems.iter().cloned()));
    Drafted { objects, options, by_class, ours, drafts, problems }
}

impl Drafted<'_> {
    /// The Secrets that something names: no other one makes a difference to [`Drafted::compile`].
    pub fn secrets(&self) -> BTreeSet<NamespacedName> {
        let certs = self.drafts.iter().flat_map(|draft| cert::named(draft));
        let credentials = self.drafts.iter().filter_map(|draft| credentials::named(draft));
        let client_cas = self.drafts.iter().filter_map(|draft| client_ca::named(draft));
        let named = certs.chain(credentials).chain(client_cas).chain(&self.options.default_ssl_certificate);
        named.cloned().collect()
    }

    /// The second half: the same memo must be given.
    pub fn compile(self, memo: &mut Memo) -> Compiled {
        let Self { objects, options, by_class, ours, drafts, mut problems } = self;
        let ClassSetting { settings, policy } = &*by_class.global;
        let credentials = credentials::resolve(objects, &drafts, memo);
        let resolver = service::Resolver::new(objects, options, &credentials, policy.keep_alive);
        let (backends, found) = resolver.resolve(&drafts);
        problems.extend(found);
        let (certs, found) = cert::resolve(objects, options, &drafts, memo);
        problems.extend(found);
        let (client_cas, found) = client_ca::resolve(objects, &drafts, memo);
        problems.extend(found);
        memo.end();

        let passthrough = passthrough::resolve(objects, options, settings, &drafts);
        problems.extend(passthrough.problems);
        let l4 = l4::services(objects, options, settings);
        problems.extend(l4.problems);

        let parts = assemble::Parts {
            backends: &backends,
            certs: &certs,
            client_cas: &client_cas,
            policy,
            annotations_prefix: &options.annotations_prefix,
        };
        let mut assembled = assemble::assemble(&drafts, &parts);
        problems.extend(assembled.problems);
        if settings.ocsp {
            problems.extend(cert::not_stapled(&certs, &assembled.certs));
        }
        for (id, (cert, key)) in backends.identities {
            assembled.certs.insert(id.clone(), cert);
            assembled.keys.insert(id, key);
        }
        problems.sort();
        problems.dedup();
        let mut listeners = listener::listeners(options, settings, assembled.names, passthrough.hosts);
        listeners.extend(l4.listeners);
        let snapshot = Snapshot {
            listeners: listeners.into(),
            tables: assembled.tables.into(),
            upstreams: backends.upstreams.into(),
            certs: assembled.certs.into(),
            keys: assembled.keys.into(),
            ticket_key: settings.ticket_key.clone(),
            drain_timeout: settings.worker_shutdown_timeout,
            connections: settings.connections,
            ..Snapshot::default()
        };
        let mut endpoint_sources = backends.endpoint_sources;
        endpoint_sources.extend(passthrough.endpoint_sources);
        endpoint_sources.extend(l4.endpoint_sources);
        let attached = ours.into_iter().map(|ours| ours.name.clone()).collect();
        Compiled { snapshot, endpoint_sources, problems, attached, parameters: by_class.named }
    }
}

/// The drafts of our Ingresses, the most senior first.
fn drafts(ours: &[Ours<'_>], options: &Options, by_class: &ClassSettings, memo: &mut Memo) -> Vec<Arc<Draft>> {
    let mut drafts: Vec<Arc<Draft>> = ours
        .iter()
        .map(|Ours { name, ingress, class }| {
            memo.drafts.find(name, ingress, || draft(name, ingress, options, by_class.of(*class)))
        })
        .collect();
    drafts.sort_by(|a, b| a.seniority.cmp(&b.seniority));
    drafts
}

/// The settings of the ConfigMap that `--configmap` names.
fn read_settings(objects: &Objects, options: &Options) -> (Settings, Vec<Problem>) {
    let Some(name) = &options.config_map else { return settings::read(None) };
    match objects.config_maps.get(name) {
        Some(config_map) => settings::read(Some((name, config_map))),
        None => {
            let mut notes = Notes::new(&Arc::new(Origin::new("ConfigMap", &name.namespace, &name.name)));
            let message = "does not exist, though --configmap names it; every setting has its default";
            notes.warning("metadata.name", Reason::ConfigMapNotFound, message);
            let (settings, _) = settings::read(None);
            (settings, notes.into_problems())
        }
    }
}

/// An Ingress with what its annotations say.
fn draft(name: &NamespacedName, ingress: &Ingress, options: &Options, setting: &ClassSetting) -> Draft {
    let ClassSetting { settings, policy } = setting;
    let mut draft = ingress::draft(name, ingress, options, policy);
    let annotations = ingress.metadata.annotations.as_ref();
    let prefix = &options.annotations_prefix;
    let mut read = annotation::read(&draft.origin, annotations, prefix, settings);
    let has_rules =
        ingress.spec.as_ref().is_some_and(|spec| spec.rules.as_ref().is_some_and(|rules| !rules.is_empty()));
    read.settle_patterns(prefix, has_rules, &draft.hosts);
    draft.denied = read.denied;
    draft.host_denied = read.host_denied;
    draft.patterns = read.patterns;
    draft.stated = read.stated;
    draft.problems.extend(read.problems);
    if draft.stated.passthrough {
        draft.passthrough = options.enable_ssl_passthrough;
        draft.problems.extend(annotation::passthrough(&draft.origin, annotations, prefix, draft.passthrough));
    }
    if read.left_out.is_some() {
        draft.hosts.clear();
        draft.tls.clear();
    }
    draft
}
