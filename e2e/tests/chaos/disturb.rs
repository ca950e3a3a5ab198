//! What may happen.

use std::collections::BTreeSet;

use fastrand::Rng;

use crate::stage::{APPS, SITES, Stage};
use crate::{api, backends, objects, planes};

/// A disturbance with all that was drawn for it. What it meets when it happens decides whether it can: it is left out
/// where another one of its kind is still on its way.
#[derive(Debug, Clone)]
pub enum Disturbance {
    /// kill -9 of a controller.
    KillController(usize),
    /// kill -9 of a data plane.
    KillDataplane(usize),
    /// A Pod of Tidegate is deleted.
    DeletePod(usize),
    /// A Pod of Tidegate is evicted.
    Evict(usize),
    /// All Pods of Tidegate are replaced.
    RestartTidegate,
    /// Tidegate has so many Pods.
    ScaleTidegate(usize),
    /// The API server is killed, and comes back after so many ms.
    StopApi(u64),
    /// Junk comes by the socket of a controller.
    Junk(usize, Vec<u8>),
    /// kill -9 of a Pod of an app.
    KillBackend(usize),
    /// A Pod of an app is deleted.
    DeleteBackend(usize),
    /// All Pods of an app are replaced.
    RestartBackend(usize),
    /// An app has so many Pods.
    ScaleBackend(usize, usize),
    /// A host's Ingress is made, changed or deleted.
    ChangeRoutes(usize, objects::Draw),
    /// A host's Secret has another certificate, or none.
    ChangeCertificate(usize, bool),
    /// Something of nobody's that cannot be served.
    Wreck(usize),
}

/// What became of a disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It came about.
    Happened,
    /// There was nothing that it could happen to, or another one was in its way.
    LeftOut,
}

impl Disturbance {
    /// All kinds.
    pub const KINDS: [&str; 15] = [
        "KillController",
        "KillDataplane",
        "DeletePod",
        "Evict",
        "RestartTidegate",
        "ScaleTidegate",
        "StopApi",
        "Junk",
        "KillBackend",
        "DeleteBackend",
        "RestartBackend",
        "ScaleBackend",
        "ChangeRoutes",
        "ChangeCertificate",
        "Wreck",
    ];

    /// Which of them it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KillController(_) => "KillController",
            Self::KillDataplane(_) => "KillDataplane",
            Self::DeletePod(_) => "DeletePod",
            Self::Evict(_) => "Evict",
            Self::RestartTidegate => "RestartTidegate",
            Self::ScaleTidegate(_) => "ScaleTidegate",
            Self::StopApi(_) => "StopApi",
            Self::Junk(..) => "Junk",
            Self::KillBackend(_) => "KillBackend",
            Self::DeleteBackend(_) => "DeleteBackend",
            Self::RestartBackend(_) => "RestartBackend",
            Self::ScaleBackend(..) => "ScaleBackend",
            Self::ChangeRoutes(..) => "ChangeRoutes",
            Self::ChangeCertificate(..) => "ChangeCertificate",
            Self::Wreck(_) => "Wreck",
        }
    }

    /// Draws one of this kind.
    pub fn draw_kind(rng: &mut Rng, kind: &str) -> Self {
        loop {
            let drawn = Self::draw(rng);
            if drawn.kind() == kind {
                return drawn;
            }
        }
    }

    /// Draws one.
    pub fn draw(rng: &mut Rng) -> Self {
        let (app, site, any) = (rng.usize(..APPS.len()), rng.usize(..SITES), rng.usize(..));
        match rng.u32(..100) {
            0..6 => Self::KillController(any),
            6..10 => Self::KillDataplane(any),
            10..13 => Self::DeletePod(any),
            13..16 => Self::Evict(any),
            16..18 => Self::RestartTidegate,
            18..22 => Self::ScaleTidegate(rng.usize(1..=3)),
            // Rare: the cluster needs a minute to follow it again.
            22 => Self::StopApi(rng.u64(500..6000)),
            23..30 => Self::Junk(any, junk(rng)),
            30..35 => Self::KillBackend(app),
            35..39 => Self::DeleteBackend(app),
            39..42 => Self::RestartBackend(app),
            42..46 => Self::ScaleBackend(app, rng.usize(1..=3)),
            46..84 => Self::ChangeRoutes(site, objects::Draw::new(rng)),
            84..94 => Self::ChangeCertificate(site, rng.u8(..4) > 0),
            _ => Self::Wreck(any),
        }
    }

    /// Lets it happen, waits until it is over, and counts it.
    pub async fn happen(self, stage: &Stage) -> anyhow::Result<Outcome> {
        let kind = self.kind();
        let outcome = self.begin(stage).await?;
        stage.count(kind, outcome);
        Ok(outcome)
    }

    async fn begin(self, stage: &Stage) -> anyhow::Result<Outcome> {
        match self {
            Self::KillController(any) => planes::kill_controller(stage, any).await,
            Self::KillDataplane(any) => planes::kill_dataplane(stage, any).await,
            Self::DeletePod(any) => planes::take_away(stage, any, planes::How::Delete).await,
            Self::Evict(any) => planes::take_away(stage, any, planes::How::Evict).await,
            Self::RestartTidegate => planes::restart(stage).await,
            Self::ScaleTidegate(replicas) => planes::scale(stage, replicas).await,
            Self::StopApi(ms) => api::stop(stage, ms).await,
            Self::Junk(any, bytes) => planes::junk(stage, any, &bytes).await,
            Self::KillBackend(app) => backends::take_away(stage, app, backends::How::Kill).await,
            Self::DeleteBackend(app) => backends::take_away(stage, app, backends::How::Delete).await,
            Self::RestartBackend(app) => backends::restart(stage, app).await,
            Self::ScaleBackend(app, replicas) => backends::scale(stage, app, replicas).await,
            Self::ChangeRoutes(site, draw) => objects::change_routes(stage, site, draw).await,
            Self::ChangeCertificate(site, good) => objects::change_certificate(stage, site, good).await,
            Self::Wreck(any) => objects::wreck(stage, any).await,
        }
    }
}

/// Anything, or what begins like a frame of the protocol (`snapshot/src/frame`) with any length and kind.
fn junk(rng: &mut Rng) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..rng.usize(1..4096)).map(|_| rng.u8(..)).collect();
    if rng.bool() {
        let length = [0, 1, 5, bytes.len(), 1 << 20, usize::MAX][rng.usize(..6)];
        let head = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        bytes.splice(..0, head);
    }
    bytes
}

/// Not in a cluster: whoever waits for a kind to be drawn would wait for ever.
#[test]
fn every_kind_is_drawn() {
    let mut rng = Rng::with_seed(1);
    let drawn: BTreeSet<_> = (0..10_000).map(|_| Disturbance::draw(&mut rng).kind()).collect();
    assert_eq!(drawn, BTreeSet::from(Disturbance::KINDS));
}
