//! Which Secrets the watches of many tell of, and which others may be asked for.

use compile::{NamespacedName, Options};

use crate::source::cluster::{Scope, Without};

/// By what is watched.
pub(super) struct Bounds {
    scope: Scope,
    /// The default certificate, where its namespace may be another one, or may come to be.
    pinned: Option<NamespacedName>,
}

impl Bounds {
    pub(super) fn new(scope: Scope, options: &Options) -> Self {
        let pinned = options.default_ssl_certificate.clone().filter(|name| scope.may_miss(name));
        Self { scope, pinned }
    }

    /// Whether it has a watch of its own, and what others tell of it does not count.
    pub(super) fn is_pinned(&self, name: &NamespacedName) -> bool {
        self.pinned.as_ref() == Some(name)
    }

    /// Whether a watch of many tells of it, if it is of that watch's type.
    pub(super) fn is_inside(&self, name: &NamespacedName) -> bool {
        !self.is_pinned(name) && self.scope.covers(&name.namespace)
    }

    /// Whether none does, whatever type it is of.
    pub(super) fn is_outside(&self, name: &NamespacedName) -> bool {
        !self.is_pinned(name) && !self.scope.covers(&name.namespace)
    }

    /// Outside of a single watched namespace only what a flag names: no Ingress makes us ask for anything there. Outside of
    /// those that a selector chooses there may be a Role for what an Ingress names; it names it only where
    /// `allow-cross-namespace-resources` lets it.
    pub(super) fn may_be_read(&self, name: &NamespacedName) -> bool {
        !self.scope.is_one() || !self.is_outside(name)
    }

    /// Where each namespace is watched by itself, what may not be read there is as good as none: so it is with the other
    /// watches of that namespace, of which it is told, and who names the Secret is told of that.
    pub(super) fn without(&self, name: &NamespacedName) -> Without {
        match !self.is_pinned(name) && self.scope.is_each() {
            true => Without::Quietly,
            false => Without::Never,
        }
    }
}
