//! The condition that `IngressClassParameters` should have.

use std::sync::Arc;

use super::{IngressClassParameters, KIND};
use crate::{Compiled, Objects, Problem, Severity};

/// The longest message that the API server takes is 32,768 characters; nobody reads as many.
const MESSAGE: usize = 1024;

/// Whether parameters are used as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParametersVerdict {
    /// Which ones.
    pub name: Arc<str>,
    /// Whether all of it is used.
    pub accepted: bool,
    /// A word for it.
    pub reason: &'static str,
    /// What is wrong.
    pub message: String,
    /// Of which `metadata.generation` this is said.
    pub generation: Option<i64>,
}

impl ParametersVerdict {
    /// The condition's type.
    pub const CONDITION: &str = "Accepted";

    fn of(name: &Arc<str>, generation: Option<i64>, problems: &[Problem]) -> Self {
        let own = problems.iter().filter(|problem| &*problem.object.kind == KIND && problem.object.name == *name);
        let texts: Vec<String> = own.clone().map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
        let accepted = own.clone().all(|problem| problem.severity != Severity::Error);
        let message =
            if texts.is_empty() { "all fields are used as they are written".to_owned() } else { texts.join("; ") };
        Self {
            name: Arc::clone(name),
            accepted,
            reason: if accepted { "Accepted" } else { "Invalid" },
            message: message.chars().take(MESSAGE).collect(),
            generation,
        }
    }

    fn stands(&self, parameters: &IngressClassParameters) -> bool {
        let conditions = parameters.status.iter().flat_map(|status| &status.conditions);
        let ours = conditions.filter(|condition| condition.type_ == Self::CONDITION);
        ours.clone().count() == 1
            && ours.clone().all(|condition| {
                condition.status == if self.accepted { "True" } else { "False" }
                    && condition.reason == self.reason
                    && condition.message == self.message
                    && condition.observed_generation == self.generation
            })
    }
}

/// The parameters that a class of ours names and that have another condition than they should. Those that no class of ours
/// names are left alone: somebody else may be who reads them.
pub fn parameters_status(objects: &Objects, compiled: &Compiled) -> Vec<ParametersVerdict> {
    let verdicts = compiled.parameters.iter();
    let verdicts = verdicts.map(|(name, generation)| ParametersVerdict::of(name, *generation, &compiled.problems));
    let differs = |verdict: &ParametersVerdict| {
        objects.parameters.get(&verdict.name).is_some_and(|parameters| !verdict.stands(parameters))
    };
    verdicts.filter(differs).collect()
}
