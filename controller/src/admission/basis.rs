//! What a candidate is compiled with.

use std::sync::Arc;

use compile::{Memo, NamespacedName, Objects, Options, Problem, compile, is_ours};
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

    /// Everything with these Ingresses in it, each in place of what has its name, compiled anew.
    pub(super) fn with(
        &self,
        ingresses: impl IntoIterator<Item = (NamespacedName, Arc<Ingress>)>,
        options: &Options,
    ) -> Recompiled {
        let mut objects = Objects::clone(&self.objects);
        objects.ingresses.extend(ingresses);
        let mut memo = self.memo.clone();
        let compiled = compile(&objects, options, &mut memo);
        let basis = Self { objects: Arc::new(objects), memo, problems: compiled.problems };
        Recompiled { basis, ingresses: compiled.attached.len() }
    }
}

/// What came of another compile.
pub(super) struct Recompiled {
    pub(super) basis: Basis,
    /// How many Ingresses are ours.
    pub(super) ingresses: usize,
}
