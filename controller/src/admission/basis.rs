//! What a candidate is compiled with.

use std::sync::Arc;

use compile::{Compiled, Memo, NamespacedName, Objects, Options, Problem, compile, is_ours};
use k8s_openapi::api::networking::v1::Ingress;
use tokio::sync::watch;

/// Where the cycle puts the latest one; none before the first compile, when not all objects are known.
pub(crate) type Bases = watch::Sender<Option<Arc<Basis>>>;

/// A compile that is over: what went in, and what was found.
pub(crate) struct Basis {
    pub(crate) objects: Arc<Objects>,
    /// What was parsed of these objects. It is copied for each candidate, so that none leaves anything in it; a copy is
    /// of pointers.
    pub(crate) memo: Memo,
    pub(crate) problems: Vec<Problem>,
}

impl Basis {
    /// Whether the candidate would be ours.
    pub(super) fn claims(&self, name: &NamespacedName, candidate: &Ingress, options: &Options) -> bool {
        is_ours(&self.objects, options, name, candidate)
    }

    /// Everything with the candidate in it, in place of what has its name.
    pub(super) fn compile_with(&self, name: NamespacedName, candidate: Ingress, options: &Options) -> Compiled {
        let mut objects = Objects::clone(&self.objects);
        objects.ingresses.insert(name, Arc::new(candidate));
        compile(&objects, options, &mut self.memo.clone())
    }
}
