//! What the data plane answers, and what follows from it: problems, statuses, events.

pub(crate) mod address;
pub(crate) mod conditions;
pub(crate) mod events;
mod served;
pub(crate) mod status;
mod verdict;

use std::sync::Arc;

use compile::Objects;
use conditions::Conditions;
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use served::Served;
use snapshot::Report;
use status::Writer;
use tokio::sync::{mpsc, watch};
use verdict::Verdicts;

use crate::{board::Board, cycle::Progress};

/// The addresses that statuses should have; none: statuses are left alone.
pub(crate) type Addresses = watch::Receiver<Option<Vec<IngressLoadBalancerIngress>>>;

/// What comes in.
pub(crate) struct Inputs {
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) news: mpsc::UnboundedReceiver<Progress>,
    pub(crate) addresses: Addresses,
}

/// What goes out, where there is a cluster to write to.
pub(crate) struct Outputs {
    pub(crate) board: Arc<Board>,
    /// See [`crate::Config::first_refusal_is_fatal`].
    pub(crate) first_refusal_is_fatal: bool,
    /// Writes statuses, if they are to be written.
    pub(crate) writer: Option<Writer>,
    /// Writes conditions of parameters, likewise.
    pub(crate) conditions: Option<Conditions>,
    /// The current objects, for events.
    pub(crate) objects: watch::Sender<Arc<Objects>>,
}

/// Works until the cycle ends.
pub(crate) async fn run(inputs: Inputs, outputs: Outputs) {
    let Inputs { mut reports, mut news, mut addresses } = inputs;
    let Outputs { board, first_refusal_is_fatal, mut writer, mut conditions, objects } = outputs;
    let mut verdicts = Verdicts::new(board, first_refusal_is_fatal);
    let mut served = Served::default();
    loop {
        // Most snapshots change endpoints alone, and no status.
        let concerns_status = tokio::select! {
            // Where the data plane is gone, there is nothing to hear until everything ends.
            Some(report) = reports.recv() => verdicts.take(report).is_some_and(|id| served.applied(id)),
            news = news.recv() => match news {
                Some(Progress::Objects(new)) => {
                    objects.send_replace(new);
                    true
                }
                Some(Progress::Compiled(id, compiled)) => served.compiled(id, compiled),
                None => return,
            },
            Ok(()) = addresses.changed() => true,
            () = status::ready(&mut writer) => true,
            () = conditions::ready(&mut conditions) => true,
        };
        if !concerns_status {
            continue;
        }
        if let (Some(conditions), Some(compiled)) = (&mut conditions, served.current()) {
            conditions.write(&objects.borrow(), compiled);
        }
        if let (Some(writer), Some(compiled), Some(addresses)) =
            (&mut writer, served.current(), addresses.borrow_and_update().as_deref())
        {
            writer.write(&objects.borrow(), compiled, addresses);
        }
    }
}
