//! `ssl-passthrough`: what its owner should know where an Ingress asks for its connections to be handed on.

use std::{collections::BTreeMap, sync::Arc};

use snapshot::Origin;

use super::{Annotation, find};
use crate::{Problem, Reason, Severity};

const KEY: &str = "ssl-passthrough";

/// What means something all the same: it is about plain http.
const NOT_VOID: [&str; 4] = [KEY, "ssl-redirect", "force-ssl-redirect", "preserve-trailing-slash"];

/// What is wrong with an Ingress whose annotations (those under `prefix/`) ask for it. It counts only where the flag is
/// given, and then no other annotation counts for what is handed on.
pub fn passthrough(
    origin: &Arc<Origin>,
    annotations: Option<&BTreeMap<String, String>>,
    prefix: &str,
    enabled: bool,
) -> Option<Problem> {
    let (severity, reason, message) = if enabled {
        let (void, restricts) = void(annotations, prefix)?;
        let severity = if restricts { Severity::Error } else { Severity::Warning };
        let message = format!("what is handed on is not looked at, so that these have no effect over TLS: {void}");
        (severity, Reason::AnnotationVoid, message)
    } else {
        let message = "counts with --enable-ssl-passthrough only, which is not given: TLS ends here";
        (Severity::Error, Reason::PassthroughDisabled, message.to_owned())
    };
    let field = format!("metadata.annotations[{prefix}/{KEY}]");
    Some(Problem { object: Arc::clone(origin), severity, field, message, reason })
}

/// The other annotations under the prefix, and whether one of them decides who may have what; none where there are none.
fn void(annotations: Option<&BTreeMap<String, String>>, prefix: &str) -> Option<(String, bool)> {
    let key = |name: &'_ String| name.strip_prefix(prefix)?.strip_prefix('/').map(str::to_owned);
    let keys = annotations.into_iter().flatten().filter_map(|(name, _)| key(name));
    let keys: Vec<String> = keys.filter(|key| !NOT_VOID.contains(&key.as_str())).collect();
    let restricts = keys.iter().filter_map(|key| find(key)).any(Annotation::is_about_access);
    (!keys.is_empty()).then(|| (keys.join(", "), restricts))
}
