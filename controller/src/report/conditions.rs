//! Writes the condition `Accepted` of `IngressClassParameters`.

use std::{collections::BTreeMap, future, sync::Arc, time::Duration};

use compile::{
    Compiled, IngressClassParameters, Objects, ParametersVerdict, Problem, Reason, Severity, parameters_status,
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    board::{Board, trouble},
    metrics::Metrics,
    source::cluster::explain,
};

/// After a write that failed.
const PAUSE: Duration = Duration::from_secs(30);

/// Writes what differs, one at a time: there are few.
pub(crate) struct Conditions {
    client: Client,
    metrics: Metrics,
    board: Arc<Board>,
    writing: JoinSet<Result<Written, String>>,
    /// What was written to which version. Until its watch tells the next one, it is not repeated.
    written: BTreeMap<Arc<str>, (Option<String>, ParametersVerdict)>,
    /// No write before this.
    pause: Option<Instant>,
}

/// The version before a write, and what was written.
type Written = (Option<String>, ParametersVerdict);

/// Waits until it is time to look again: a write is over, or a pause.
pub(super) async fn ready(conditions: &mut Option<Conditions>) {
    let Some(Conditions { writing, written, pause, board, .. }) = conditions else { return future::pending().await };
    if writing.is_empty() {
        match *pause {
            Some(until) => sleep_until(until).await,
            None => future::pending().await,
        }
        *pause = None;
        return;
    }
    let problem = match writing.join_next().await {
        Some(Ok(Ok((version, verdict)))) => {
            written.insert(Arc::clone(&verdict.name), (version, verdict));
            None
        }
        Some(Ok(Err(error))) => Some(error),
        Some(Err(error)) => Some(error.to_string()),
        None => None,
    };
    *pause = problem.is_some().then(|| Instant::now() + PAUSE);
    board.find("conditions", problem.map(not_written).into_iter().collect());
}

impl Conditions {
    pub(crate) fn new(client: Client, metrics: Metrics, board: Arc<Board>) -> Self {
        Self { client, metrics, board, writing: JoinSet::new(), written: BTreeMap::new(), pause: None }
    }

    /// Begins to write one that differs, unless a write is under way: its end makes [`ready`] so.
    pub(super) fn write(&mut self, objects: &Objects, compiled: &Compiled) {
        if !self.writing.is_empty() || self.pause.is_some() {
            return;
        }
        self.written.retain(|name, _| objects.parameters.contains_key(name));
        for verdict in parameters_status(objects, compiled) {
            let Some(parameters) = objects.parameters.get(&verdict.name) else { continue };
            let written = (parameters.metadata.resource_version.clone(), verdict);
            if self.written.get(&written.1.name) != Some(&written) {
                let conditions = conditions(parameters, &written.1);
                self.writing.spawn(write(self.client.clone(), self.metrics.clone(), written, conditions));
                return;
            }
        }
        // What could not be written need not be any more.
        self.board.find("conditions", Vec::new());
    }

    /// Somebody else writes now, and says what is wrong.
    pub(super) fn stop(&mut self) {
        self.writing = JoinSet::new();
        self.pause = None;
        self.board.find("conditions", Vec::new());
    }
}

/// Those that are there, with ours as it should be. Its time is that of the last change from true to false or back.
fn conditions(parameters: &IngressClassParameters, verdict: &ParametersVerdict) -> Vec<Condition> {
    let status = if verdict.accepted { "True" } else { "False" };
    let before = parameters.status.iter().flat_map(|status| &status.conditions);
    let (ours, mut conditions): (Vec<_>, Vec<_>) =
        before.cloned().partition(|condition| condition.type_ == ParametersVerdict::CONDITION);
    let since = ours.into_iter().find(|condition| condition.status == status);
    conditions.push(Condition {
        type_: ParametersVerdict::CONDITION.to_owned(),
        status: status.to_owned(),
        reason: verdict.reason.to_owned(),
        message: verdict.message.clone(),
        observed_generation: verdict.generation,
        last_transition_time: since.map_or_else(|| Time(Timestamp::now()), |since| since.last_transition_time),
    });
    conditions
}

async fn write(
    client: Client,
    metrics: Metrics,
    written: Written,
    conditions: Vec<Condition>,
) -> Result<Written, String> {
    let api: Api<IngressClassParameters> = Api::all(client);
    let body = serde_json::json!({ "status": { "conditions": conditions } });
    let name = Arc::clone(&written.1.name);
    let result = match api.patch_status(&name, &PatchParams::default(), &Patch::Merge(body)).await {
        Ok(_) => Ok(written),
        // Deleted meanwhile.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(written),
        Err(error) => {
            Err(format!("the status of IngressClassParameters {name} cannot be written: {}", explain(&error)))
        }
    };
    metrics.wrote("status", result.is_ok());
    result
}

fn not_written(message: String) -> Problem {
    trouble("status", Reason::StatusNotWritten, Severity::Warning, message)
}
