//! One AdmissionReview: from its bytes to those of the answer.

use std::sync::Arc;

use compile::{NamespacedName, Options};
use k8s_openapi::api::networking::v1::Ingress;
use kube::core::admission::{
    AdmissionRequest, AdmissionResponse, AdmissionReview, META_API_VERSION_V1, META_KIND, Operation,
};
use snapshot::Origin;
use tokio::time::Instant;

use super::{
    basis::{Basis, Recompiled},
    error::Error,
    metrics::{Metrics, Outcome},
    pending::{Held, Pending},
    verdict::{Verdict, judge},
};
use crate::source::cluster::Trim;

/// Answers a review. Blocks for as long as one or two compiles take.
///
/// # Errors
/// It is no review of an Ingress, or nobody can say yet.
pub(super) fn review(
    body: &[u8],
    base: Option<&Arc<Basis>>,
    options: &Options,
    metrics: &Metrics,
    pending: &mut Pending,
) -> Result<(Vec<u8>, Outcome), Error> {
    let request = request(body)?;
    let mut response = AdmissionResponse::from(&request);
    let verdict = match candidate(request, body.len())? {
        Some(candidate) => candidate.judge(base.ok_or(Error::NotReady)?, options, metrics, pending),
        None => None,
    };
    let outcome = match verdict {
        None => Outcome::Skipped,
        Some((origin, verdict)) => {
            let warnings = verdict.short_warnings();
            response.warnings = (!warnings.is_empty()).then_some(warnings);
            match verdict.denial(&origin) {
                None => Outcome::Allowed,
                Some(denial) => {
                    response = response.deny(denial);
                    response.result.code = 400;
                    response.result.reason = "BadRequest".to_owned();
                    Outcome::Denied
                }
            }
        }
    };
    let answer = serde_json::to_vec(&response.into_review()).map_err(|error| Error::Failed(error.to_string()))?;
    Ok((answer, outcome))
}

fn request(body: &[u8]) -> Result<AdmissionRequest<Ingress>, Error> {
    let review: AdmissionReview<Ingress> =
        serde_json::from_slice(body).map_err(|error| Error::NoReview(error.to_string()))?;
    if review.types.api_version != META_API_VERSION_V1 || review.types.kind != META_KIND {
        return Err(Error::NoReview(format!("it is a {} of {}", review.types.kind, review.types.api_version)));
    }
    review.try_into().map_err(|_| Error::NoReview("it has no request".to_owned()))
}

/// What is to be judged; none: nothing that could change what is served.
fn candidate(request: AdmissionRequest<Ingress>, bytes: usize) -> Result<Option<Candidate>, Error> {
    let AdmissionRequest { name, namespace, operation, sub_resource, object, dry_run, .. } = request;
    let update = match operation {
        Operation::Create => false,
        Operation::Update => true,
        Operation::Delete | Operation::Connect => return Ok(None),
    };
    if sub_resource.is_some_and(|sub_resource| !sub_resource.is_empty()) {
        return Ok(None);
    }
    let mut ingress = object.ok_or_else(|| Error::NoReview("it has no object".to_owned()))?;
    ingress.trim(); // as what is watched, with which it is compared
    let meta = &mut ingress.metadata;
    meta.namespace = meta.namespace.take().or(namespace).filter(|namespace| !namespace.is_empty());
    let given = meta.name.take().filter(|name| !name.is_empty()).or_else(|| (!name.is_empty()).then_some(name));
    // A name that no object can have: it takes the place of none.
    let generated = || format!("{}(generated)", meta.generate_name.as_deref().unwrap_or_default());
    let stored = !dry_run && given.is_some();
    meta.name = Some(given.unwrap_or_else(generated));
    Ok(Some(Candidate {
        name: NamespacedName::of(&ingress.metadata),
        ingress: Arc::new(ingress),
        update,
        stored,
        bytes,
    }))
}

struct Candidate {
    name: NamespacedName,
    ingress: Arc<Ingress>,
    update: bool,
    /// Whether it will be there under its name, if it is allowed.
    stored: bool,
    /// Of its review.
    bytes: usize,
}

impl Candidate {
    /// None: it is not ours.
    fn judge(
        self,
        base: &Arc<Basis>,
        options: &Options,
        metrics: &Metrics,
        pending: &mut Pending,
    ) -> Option<(Origin, Verdict)> {
        let Self { name, ingress, update, stored, bytes } = self;
        if !base.claims(&name, &ingress, options) {
            return None;
        }
        let origin = Origin::new("Ingress", &name.namespace, &name.name);
        let before = pending.over(base, options, Instant::now());
        let own_before: Vec<_> = before.problems.iter().filter(|problem| update && *problem.object == origin).collect();
        let began = Instant::now();
        let Recompiled { basis, ingresses } = before.with([(name.clone(), Arc::clone(&ingress))], options);
        metrics.tested(ingresses, began.elapsed());
        let verdict = judge(&origin, &own_before, &before.problems, &basis.problems);
        if stored && verdict.errors.is_empty() {
            pending.hold(Held::new(name, ingress, update, bytes, &base.objects), base, basis);
        }
        Some((origin, verdict))
    }
}
