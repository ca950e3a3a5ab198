//! The 30 scenarios of the public Ingress conformance suite, as data in
//! `e2e/conformance`: each is a test of its own, and those of one file share
//! their objects.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod background;
mod case;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use background::Background;
use case::{Case, Feature};
use e2e::cluster::Cluster;
use e2e::tidegate::Tidegate;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

/// What all tests share. They run one after the other: an Ingress without a host
/// answers what another file's cases want to be answered 404.
struct World {
    runtime: Runtime,
    cluster: Cluster,
    tidegate: Tidegate,
    background: Option<Background>,
}

impl World {
    fn new() -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let cluster = Cluster::from_env()?;
        let tidegate = runtime.block_on(Tidegate::find(&cluster))?;
        Ok(Self { runtime, cluster, tidegate, background: None })
    }

    fn run(&mut self, feature: &Feature, case: &Case) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            if self.background.as_ref().is_none_or(|background| background.ingress() != feature.ingress) {
                if let Some(before) = self.background.take() {
                    before.remove(&self.tidegate).await?;
                }
                self.background = Some(Background::create(&self.cluster, feature).await?);
            }
            let background = self.background.as_ref().expect("it was just made");
            case.run(&self.tidegate, background).await
        })
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let background = self.background.take();
        self.runtime.block_on(async {
            match background {
                Some(background) => background.remove(&self.tidegate).await,
                None => Ok(()),
            }
        })
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let features = Feature::all().expect("the data files are well-formed");
    let world = match arguments.list {
        true => None,
        false => Some(World::new().expect("the cluster")),
    };
    let world = Arc::new(Mutex::new(world));
    let trials = features.into_iter().flat_map(|feature| trials(Arc::new(feature), &world)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(world) = world.lock().unwrap().as_mut() {
        world.end().expect("the last objects are removed");
    }
    conclusion.exit_code()
}

fn trials(feature: Arc<Feature>, world: &Arc<Mutex<Option<World>>>) -> Vec<Trial> {
    let one = |index: usize| {
        let (feature, world) = (Arc::clone(&feature), Arc::clone(world));
        let case = &feature.cases[index];
        Trial::test(format!("{}: {}", case.id, case.name), move || {
            let mut world = world.lock().map_err(|_| "a test before this one panicked")?;
            let world = world.as_mut().ok_or("there is no cluster")?;
            let result = world.run(&feature, &feature.cases[index]);
            result.map_err(|error| Failed::from(format!("{error:#}")))
        })
    };
    (0..feature.cases.len()).map(one).collect()
}
