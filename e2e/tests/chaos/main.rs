//! Everything that can happen to Tidegate and its cluster, at random and at the same time, while a model checks every
//! answer: see `e2e::chaos` for what is right.
//!
//! `CHAOS_SECONDS` (60) says for how long, `CHAOS_SEED` which disturbances come in which order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod backends;
mod disturb;
mod objects;
mod planes;
mod stage;
mod traffic;
mod watchman;

use std::time::{Duration, Instant};

use disturb::{Disturbance, Outcome};
use stage::{Shared, Stage};
use tokio::task::JoinSet;
use traffic::Traffic;
use watchman::Watchman;

/// Disturbances at the same time, at most.
const AT_ONCE: usize = 6;
/// The longest pause before the next one, ms.
const PAUSE: u64 = 1500;
/// A run of so long must have had everything, and is long enough to count what was excused.
const LONG: Duration = Duration::from_secs(600);
/// How often something is tried that has never happened.
const TRIES: usize = 10;
/// Until everything that was begun has ended.
const CALM: Duration = Duration::from_secs(240);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect(variable))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_in_the_chaos_every_answer_is_right() {
    let seconds = number("CHAOS_SECONDS").unwrap_or(60);
    let seed = number("CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("CHAOS_SEED={seed} CHAOS_SECONDS={seconds}");
    let outcome = chaos(seed, Duration::from_secs(seconds)).await;
    if let Err(error) = outcome {
        panic!("{error:#}\nCHAOS_SEED={seed} CHAOS_SECONDS={seconds} makes the same disturbances in the same order");
    }
}

async fn chaos(seed: u64, duration: Duration) -> anyhow::Result<()> {
    let stage = Shared::set(seed).await?;
    let traffic = Traffic::start(&stage);
    let watchman = Watchman::start(&stage);
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ran = run(&stage, &mut rng, duration).await;
    if ran.is_ok() && duration >= LONG {
        ran = make_up(&stage, &mut rng).await;
    }
    // Also after a failure: the next test needs a cluster with an API server and one Tidegate.
    let calm = stage.fleet.scale(1).await;
    if ran.is_ok() && stage.violation().is_none() {
        // All that is right now is what the model ended with.
        tokio::time::sleep(e2e::chaos::BOUND + Duration::from_secs(3)).await;
    }
    let tally = traffic.stop().await;
    let watched = watchman.stop().await;
    eprintln!("{tally}\n{}", stage.counts());
    match stage.violation() {
        Some(violation) => anyhow::bail!("{violation}\n{}", stage.journal()),
        None => ran.and(calm).and(watched).map_err(|error| error.context(stage.journal()))?,
    }
    anyhow::ensure!(tally.sent() > duration.as_secs() * 10, "too few answers: {tally}");
    if duration >= LONG {
        let never = stage.never_happened();
        anyhow::ensure!(never.is_empty(), "never happened: {never:?}");
        tally.check(stage.model().crashed.beside_others())?;
    }
    Ok(())
}

/// What was left out each time it was drawn happens now, with nothing else in its way: to two Pods that are new.
async fn make_up(stage: &Stage, rng: &mut fastrand::Rng) -> anyhow::Result<()> {
    let never = stage.never_happened();
    if never.is_empty() || stage.violation().is_some() {
        return Ok(());
    }
    stage.note(format!("not yet: {never:?}"));
    stage.fleet.scale(2).await?;
    stage.fleet.restart().await?;
    for kind in never {
        for _ in 0..TRIES {
            if Disturbance::draw_kind(rng, kind).happen(stage).await? == Outcome::Happened {
                break;
            }
        }
    }
    Ok(())
}

/// Begins one disturbance after the other until the time is over or an answer was wrong, and waits for their ends.
async fn run(stage: &Stage, rng: &mut fastrand::Rng, duration: Duration) -> anyhow::Result<()> {
    let (begun, mut running) = (Instant::now(), JoinSet::new());
    while begun.elapsed() < duration && stage.violation().is_none() {
        let (next, pause) = (Disturbance::draw(rng), rng.u64(..PAUSE));
        let stage = stage.clone();
        running.spawn(async move { next.happen(&stage).await });
        tokio::time::sleep(Duration::from_millis(pause)).await;
        while let Some(ended) = running.try_join_next() {
            ended??;
        }
        while running.len() >= AT_ONCE
            && let Some(ended) = running.join_next().await
        {
            ended??;
        }
    }
    let rest = async {
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(CALM, rest).await?
}
