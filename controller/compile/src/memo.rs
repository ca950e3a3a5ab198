//! What was made from an object before, kept for as long as the object does not change.

use std::{collections::HashMap, sync::Arc};

use k8s_openapi::api::{core::v1::Secret, networking::v1::Ingress};

use crate::{
    NamespacedName, Options,
    attach::{ClassNames, Classes},
    cert::Parsed,
    client_ca,
    credentials::ParsedCredentials,
    draft::Draft,
    parameters::{AllSettings, ClassSettings},
};

/// Results of earlier compiles. A compile gives the same result with an empty one, only later.
///
/// A clone costs pointers: what is done with it leaves nothing in the original.
#[derive(Default, Clone)]
pub struct Memo {
    pub(crate) certs: Cache<Secret, Parsed>,
    pub(crate) credentials: Cache<Secret, ParsedCredentials>,
    pub(crate) client_cas: Cache<Secret, client_ca::Parsed>,
    pub(crate) drafts: Cache<Ingress, Draft>,
    /// What the drafts were made with.
    made_with: Option<MadeWith>,
}

/// Options, which class an Ingress is of, and the settings of each.
#[derive(PartialEq, Clone)]
struct MadeWith {
    options: Options,
    classes: ClassNames,
    settings: AllSettings,
}

impl Memo {
    /// Forgets the drafts if they were made with other options, classes or settings.
    pub(crate) fn begin(&mut self, options: &Options, classes: &Classes<'_>, by_class: &ClassSettings) {
        let made_with = MadeWith { options: options.clone(), classes: classes.names(), settings: by_class.all() };
        if self.made_with.as_ref() != Some(&made_with) {
            self.drafts = Cache::default();
            self.made_with = Some(made_with);
        }
    }

    /// Forgets what this compile did not ask for.
    pub(crate) fn end(&mut self) {
        self.certs.sweep();
        self.credentials.sweep();
        self.client_cas.sweep();
        self.drafts.sweep();
    }
}

/// Outputs by the name and the identity of their input. The input is kept, so that its address cannot come to be that
/// of another object.
pub(crate) struct Cache<I, O> {
    entries: HashMap<NamespacedName, Entry<I, O>>,
}

struct Entry<I, O> {
    input: Arc<I>,
    output: Arc<O>,
    used: bool,
}

// Not derived: neither inputs nor outputs have to be `Clone`.
impl<I, O> Clone for Cache<I, O> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}

impl<I, O> Clone for Entry<I, O> {
    fn clone(&self) -> Self {
        Self { input: Arc::clone(&self.input), output: Arc::clone(&self.output), used: self.used }
    }
}

impl<I, O> Default for Cache<I, O> {
    fn default() -> Self {
        Self { entries: HashMap::new() }
    }
}

impl<I, O> Cache<I, O> {
    /// What was made from this very object, or else what `make` makes of it.
    pub fn find(&mut self, name: &NamespacedName, input: &Arc<I>, make: impl FnOnce() -> O) -> Arc<O> {
        if let Some(entry) = self.entries.get_mut(name)
            && Arc::ptr_eq(&entry.input, input)
        {
            entry.used = true;
            return Arc::clone(&entry.output);
        }
        let output = Arc::new(make());
        let entry = Entry { input: Arc::clone(input), output: Arc::clone(&output), used: true };
        self.entries.insert(name.clone(), entry);
        output
    }

    fn sweep(&mut self) {
        self.entries.retain(|_, entry| std::mem::take(&mut entry.used));
    }
}
