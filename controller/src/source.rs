//! Where objects come from.

pub(crate) mod manifests;
