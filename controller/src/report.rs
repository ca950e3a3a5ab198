//! What the data plane answers, and what follows from it: problems, statuses, events.

pub(crate) mod address;
pub(crate) mod conditions;
mod contest;
pub(crate) mod events;
mod farewell;
pub(crate) mod fitness;
pub(crate) mod nodes;
mod refusal;
mod served;
pub(crate) mod status;
mod verdict;

use std::{sync::Arc, time::Duration};

use compile::Objects;
use conditions::Conditions;
use farewell::{Farewell, Statuses};
use fitness::Fitness;
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use served::Served;
use snapshot::Report;
use status::Writer;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use verdict::Verdicts;

use crate::{board::Board, cycle::Progress, lease::Leader, replicas::Replicas};

/// The addresses that statuses should have; none: statuses are left alone.
pub(crate) type Addresses = watch::Receiver<Option<Vec<IngressLoadBalancerIngress>>>;

/// What comes in.
pub(crate) struct Inputs {
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) news: mpsc::UnboundedReceiver<Progress>,
    pub(crate) addresses: Addresses,
    pub(crate) leader: Leader,
    /// Whether we may lead.
    pub(crate) fitness: Fitness,
    /// To be answered when the cluster has been told that we leave.
    pub(crate) leave: mpsc::Receiver<oneshot::Sender<()>>,
}

/// What goes out, where there is a cluster to write to.
pub(crate) struct Outputs {
    pub(crate) board: Arc<Board>,
    /// See [`crate::Config::first_refusal_is_fatal`].
    pub(crate) first_refusal_is_fatal: bool,
    /// See [`crate::Config::shutdown_grace`].
    pub(crate) grace: Duration,
    /// Writes statuses, if they are to be written.
    pub(crate) writer: Option<Writer>,
    /// Writes conditions of parameters, likewise.
    pub(crate) conditions: Option<Conditions>,
    /// Who else could go on with it, if our addresses are to be removed when nobody does.
    pub(crate) replicas: Option<Replicas>,
    /// The current objects, for events.
    pub(crate) objects: watch::Sender<Arc<Objects>>,
}

/// Works until the cycle ends.
pub(crate) async fn run(inputs: Inputs, outputs: Outputs) {
    let Inputs { mut reports, mut news, mut addresses, mut leader, mut fitness, mut leave } = inputs;
    let mut verdicts = Verdicts::new(Arc::clone(&outputs.board), outputs.first_refusal_is_fatal);
    let mut reporter = Reporter { served: Served::default(), outputs };
    let mut leaving = JoinSet::new();
    loop {
        // Most snapshots change endpoints alone, and no status.
        let concerns_status = tokio::select! {
            // Where the data plane is gone, there is nothing to hear until everything ends.
            Some(report) = reports.recv() => {
                fitness.hear(&report);
                verdicts.take(report).is_some_and(|id| reporter.served.applied(id))
            }
            news = news.recv() => match news {
                Some(Progress::Objects(new)) => {
                    reporter.outputs.objects.send_replace(new);
                    true
                }
                Some(Progress::Compiled(id, compiled)) => reporter.served.compiled(id, compiled),
                None => return,
            },
            Ok(()) = addresses.changed() => true,
            () = leader.changed() => {
                if !leader.leads() {
                    reporter.stop();
                }
                true
            }
            () = fitness.judge() => false,
            () = status::ready(&mut reporter.outputs.writer, &reporter.outputs.objects) => true,
            () = conditions::ready(&mut reporter.outputs.conditions) => true,
            Some(done) = leave.recv() => {
                let statuses = reporter.last_statuses(addresses.borrow().clone());
                let farewell = Farewell { leader: leader.clone(), statuses, grace: reporter.outputs.grace };
                leaving.spawn(async move {
                    farewell.say().await;
                    let _ = done.send(()); // who asked may have given up waiting
                });
                false
            }
        };
        if concerns_status && leader.leads() {
            reporter.write(addresses.borrow_and_update().as_deref());
        }
    }
}

struct Reporter {
    served: Served,
    outputs: Outputs,
}

impl Reporter {
    fn write(&mut self, addresses: Option<&[IngressLoadBalancerIngress]>) {
        let Outputs { writer, conditions, objects, .. } = &mut self.outputs;
        if let (Some(conditions), Some(compiled)) = (conditions, self.served.current()) {
            conditions.write(&objects.borrow(), compiled);
        }
        if let (Some(writer), Some(compiled), Some(addresses)) = (writer, self.served.current(), addresses) {
            writer.write(&objects.borrow(), compiled, addresses);
        }
    }

    /// We lead no more.
    fn stop(&mut self) {
        let Outputs { writer, conditions, .. } = &mut self.outputs;
        writer.iter_mut().for_each(Writer::stop);
        conditions.iter_mut().for_each(Conditions::stop);
    }

    /// What was written, to be removed by the last replica. Nothing is written after that.
    fn last_statuses(&mut self, addresses: Option<Vec<IngressLoadBalancerIngress>>) -> Option<Statuses> {
        let Outputs { writer, replicas, objects, .. } = &mut self.outputs;
        let mut writer = writer.take();
        writer.iter_mut().for_each(Writer::break_off);
        Some(Statuses {
            writer: writer?,
            replicas: replicas.take()?,
            objects: objects.subscribe(),
            compiled: Arc::clone(self.served.current()?),
            addresses: addresses?,
        })
    }
}

#[cfg(test)]
mod tests;
