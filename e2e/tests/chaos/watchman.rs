//! Looks at what no answer shows: panics in the logs, containers that end by themselves, memory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::fleet::Pod;
use e2e::process::Process;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::stage::{CONTROLLER, Stage};

/// Between two looks: what a Pod logs in its last moments is gone with it.
const PERIOD: Duration = Duration::from_secs(1);
/// A controller that has not told its metrics by then is asked again at the next look.
const ASKED: Duration = Duration::from_secs(1);
/// Where the kubelet keeps what Pods of Tidegate's namespace log.
const LOGS: &str = "/var/log/pods";
const POD: &str = "tidegate_";
/// The most memory that a plane may have, bytes: there are five hosts.
const MOST: u64 = 200 << 20;
/// A process has what it needs after so long; from then on it gets at most half as much again, and [`MARGIN`].
const WARM: Duration = Duration::from_secs(60);
const MARGIN: u64 = 32 << 20;

/// Looks until it is stopped.
pub struct Watchman {
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Watchman {
    /// Begins; what was logged before is none of its business.
    pub fn start(stage: &Stage) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let stage = Stage::clone(stage);
        let mut eyes = Eyes { ends: BTreeMap::new(), memory: BTreeMap::new(), most: BTreeMap::new(), told: 0 };
        for line in eyes.new_lines() {
            drop(line);
        }
        let task = tokio::spawn(async move {
            while !*stopped.borrow() {
                eyes.look(&stage).await;
                tokio::time::timeout(PERIOD, stopped.changed()).await.ok();
            }
            eyes.look(&stage).await;
            stage.note(format!("the most memory: {:?}", eyes.most));
            anyhow::ensure!(eyes.most.len() == 2, "memory of {:?} alone was seen", eyes.most);
            anyhow::ensure!(eyes.told > 0, "no controller told how often it was started again");
            Ok(())
        });
        Self { stop, task }
    }

    /// Looks once more.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        self.task.await?
    }
}

struct Eyes {
    /// How far each log was read.
    ends: BTreeMap<PathBuf, u64>,
    /// Of each process: since when it is known, and what it had when it was warm.
    memory: BTreeMap<u32, (Instant, Option<u64>)>,
    /// The most of each plane, MiB.
    most: BTreeMap<&'static str, u64>,
    /// How often a controller told how often it was started again.
    told: u64,
}

impl Eyes {
    async fn look(&mut self, stage: &Stage) {
        for line in self.new_lines() {
            if line.contains("panicked at") {
                stage.violate(format!("a panic: {line}"));
            }
        }
        for plane in ["controller", "dataplane"] {
            for process in Process::planes(plane) {
                if let Some(resident) = process.memory("VmRSS") {
                    self.weigh(stage, plane, &process, resident);
                }
            }
        }
        // The API server may be away.
        for pod in stage.fleet.pods().await.unwrap_or_default() {
            for (container, restarts) in &pod.restarts {
                if *restarts > stage.kills(&pod.name, container) {
                    stage.violate(format!("{container} of {} ended by itself", pod.name));
                }
            }
            if pod.ready && !pod.leaves {
                self.count_restarts(stage, &pod).await;
            }
        }
    }

    /// The supervisor starts a controller again that ended, so only the next one tells. It does not answer while it starts.
    async fn count_restarts(&mut self, stage: &Stage, pod: &Pod) {
        if let Ok(Ok(restarts)) = tokio::time::timeout(ASKED, pod.controller_restarts()).await {
            self.told += 1;
            if restarts > stage.kills(&pod.name, CONTROLLER) {
                stage.violate(format!("the controller of {} ended by itself, or hung", pod.name));
            }
        }
    }

    fn weigh(&mut self, stage: &Stage, plane: &'static str, process: &Process, resident: u64) {
        let most = self.most.entry(plane).or_default();
        *most = (*most).max(resident >> 20);
        let (since, warm) = self.memory.entry(process.pid).or_insert((Instant::now(), None));
        if since.elapsed() > WARM {
            let warm = *warm.get_or_insert(resident);
            if resident > warm + warm / 2 + MARGIN {
                stage.violate(format!("{process:?} grows: {warm} bytes, now {resident}"));
            }
        }
        if resident > MOST {
            stage.violate(format!("{process:?} has {resident} bytes"));
        }
    }

    /// What was logged since the last time, whole lines.
    fn new_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for log in logs() {
            let end = self.ends.entry(log.clone()).or_default();
            // It may be gone with its Pod.
            let Some(text) = read_from(&log, *end) else { continue };
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            *end += whole as u64;
            lines.extend(String::from_utf8_lossy(&text[..whole]).lines().map(str::to_owned));
        }
        lines
    }
}

fn read_from(path: &Path, start: u64) -> Option<Vec<u8>> {
    let (mut file, mut text) = (File::open(path).ok()?, Vec::new());
    file.seek(SeekFrom::Start(start)).ok()?;
    file.read_to_end(&mut text).ok()?;
    Some(text)
}

fn logs() -> impl Iterator<Item = PathBuf> {
    let inside = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    inside(LOGS.into())
        .filter(|pod| pod.file_name().to_string_lossy().starts_with(POD))
        .flat_map(move |pod| inside(pod.path()))
        .flat_map(move |container| inside(container.path()))
        .map(|log| log.path())
}
