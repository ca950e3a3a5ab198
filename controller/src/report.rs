//! What the data plane answers, and what follows from it: problems, statuses, events.

pub(crate) mod address;
mod contest;
pub(crate) mod events;
pub(crate) mod nodes;
mod served;
pub(crate) mod status;
mod verdict;

use std::{sync::Arc, time::Duration};

use compile::Objects;
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use served::Served;
use snapshot::Report;
use status::Writer;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use verdict::Verdicts;

use crate::{board::Board, cycle::Progress, lease::Leader, replicas::Replicas, source::cluster::explain};

/// How long the last replica waits for a leader that leaves at the same time.
const LAST: Duration = Duration::from_secs(5);

/// The addresses that statuses should have; none: statuses are left alone.
pub(crate) type Addresses = watch::Receiver<Option<Vec<IngressLoadBalancerIngress>>>;

/// What comes in.
pub(crate) struct Inputs {
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) news: mpsc::UnboundedReceiver<Progress>,
    pub(crate) addresses: Addresses,
    pub(crate) leader: Leader,
    /// To be answered when nothing more will be written.
    pub(crate) leave: mpsc::Receiver<oneshot::Sender<()>>,
}

/// What goes out, where there is a cluster to write to.
pub(crate) struct Outputs {
    pub(crate) board: Arc<Board>,
    /// Writes statuses, if they are to be written.
    pub(crate) writer: Option<Writer>,
    /// Who else could go on with it, if our addresses are to be removed when nobody does.
    pub(crate) replicas: Option<Replicas>,
    /// The current objects, for events.
    pub(crate) objects: watch::Sender<Arc<Objects>>,
}

/// Works until the cycle ends, or until it is told to leave.
pub(crate) async fn run(inputs: Inputs, outputs: Outputs) {
    let Inputs { mut reports, mut news, mut addresses, mut leader, mut leave } = inputs;
    let mut reporter = Reporter { served: Served::default(), outputs };
    let mut verdicts = Verdicts::new(Arc::clone(&reporter.outputs.board));
    loop {
        // Most snapshots change endpoints alone, and no status.
        let concerns_status = tokio::select! {
            // Where the data plane is gone, there is nothing to hear until everything ends.
            Some(report) = reports.recv() => verdicts.take(report).is_some_and(|id| reporter.served.applied(id)),
            news = news.recv() => match news {
                Some(Progress::Objects(new)) => {
                    reporter.outputs.objects.send_replace(new);
                    true
                }
                Some(Progress::Compiled(id, compiled)) => reporter.served.compiled(id, compiled),
                None => return,
            },
            Ok(()) = addresses.changed() => true,
            () = leader.changed() => true,
            () = status::ready(&mut reporter.outputs.writer, &reporter.outputs.objects) => true,
            Some(done) = leave.recv() => {
                reporter.leave(&addresses, &mut leader).await;
                leader.resign().await;
                let _ = done.send(()); // who asked may have given up waiting
                // Its end would count as a failure; the controller ends it.
                return std::future::pending().await;
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
        let Outputs { writer, objects, .. } = &mut self.outputs;
        if let (Some(writer), Some(compiled), Some(addresses)) = (writer, self.served.current(), addresses) {
            writer.write(&objects.borrow(), compiled, addresses);
        }
    }

    /// The last replica takes its addresses away: nobody answers there any more. Others go on with them.
    async fn leave(&mut self, addresses: &Addresses, leader: &mut Leader) {
        let Outputs { writer, replicas, objects, .. } = &mut self.outputs;
        let (Some(writer), Some(replicas), Some(compiled)) = (writer, replicas, self.served.current()) else { return };
        let Some(addresses) = addresses.borrow().clone() else { return };
        match replicas.has_others().await {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!("another replica goes on: statuses stay");
                return;
            }
            Err(error) => {
                tracing::warn!("statuses stay: whether this is the last replica is not known: {}", explain(&error));
                return;
            }
        }
        // One that leaves at the same moment may lead still, and does it then.
        if timeout(LAST, leader.elected()).await.is_ok() {
            let objects = objects.borrow().clone();
            writer.remove(&objects, compiled, &addresses).await;
        }
    }
}
