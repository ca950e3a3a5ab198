//! What keeps the plane that faces the network from harm and from doing any: as the kernel has it of the processes that run,
//! not as the chart asks for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use e2e::cluster::Cluster;
use e2e::fleet::{Fleet, Pod};
use e2e::process::{Mount, Process};

const SOCKET: &str = "/run/tidegate/link/tidegate.sock";
const LINK: &str = "/run/tidegate/link";
const STATE: &str = "/run/tidegate/state/kept";
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Every set of capabilities that a process has.
const CAPABILITIES: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

async fn pod() -> Pod {
    Fleet::new(&Cluster::from_env().unwrap()).alone().await.unwrap()
}

fn plane(pod: &Pod, subcommand: &str) -> Process {
    Process::plane_of(&pod.name, subcommand).unwrap()
}

/// Its user: one and the same however it is looked at.
fn user(process: &Process) -> u32 {
    let ids = process.status("Uid").unwrap();
    let mut ids = ids.split_whitespace().map(|id| id.parse().unwrap());
    let real = ids.next().unwrap();
    assert!(ids.all(|id| id == real), "{process:?}");
    real
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn mount(process: &Process, point: &str) -> Mount {
    let mounts = process.mounts().unwrap();
    mounts.into_iter().find(|mount| mount.point == point).unwrap_or_else(|| panic!("no {point} for {process:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_may_do_more_than_it_needs() {
    let pod = pod().await;
    let processes = Process::of_pod(&pod.name);
    assert_eq!(processes.len(), 3, "two planes, and who supervises one: {processes:?}");
    for process in &processes {
        assert_ne!(user(process), 0, "{process:?} is root");
        for set in CAPABILITIES {
            let held = process.status(set).unwrap();
            assert_eq!(u64::from_str_radix(&held, 16), Ok(0), "{set} of {process:?}");
        }
        assert_eq!(process.status("NoNewPrivs").as_deref(), Some("1"), "{process:?}");
        assert!(mount(process, "/").read_only, "{process:?} may write to its image");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_plane_has_no_way_to_the_api() {
    let pod = pod().await;
    let (controller, dataplane) = (plane(&pod, "controller"), plane(&pod, "dataplane"));
    assert_ne!(user(&controller), user(&dataplane), "they can read each other's memory");
    // That there is one where it is looked for shows that it would be found.
    let token = |process: &Process| fs::read(process.path(ACCOUNT).join("token")).map(|token| token.len());
    assert!(token(&controller).unwrap() > 0);
    assert!(token(&dataplane).is_err());
    let secrets: Vec<_> = dataplane.mounts().unwrap();
    assert!(secrets.iter().all(|mount| !mount.point.contains("secrets")), "{secrets:?}");
}

/// The files in a folder, but for one that gets another name meanwhile, as a snapshot does when all of it is written.
fn files(folder: &Path) -> Vec<(PathBuf, Metadata)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let look = |path: PathBuf| match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        file => Some((path, file.unwrap())),
    };
    paths.filter_map(look).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_planes_share_is_closed_to_others() {
    let pod = pod().await;
    let (controller, dataplane) = (plane(&pod, "controller"), plane(&pod, "dataplane"));
    let socket = controller.path(SOCKET);
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(fs::metadata(&socket).unwrap().uid(), user(&controller));
    assert!(!mount(&controller, LINK).read_only);
    assert!(mount(&dataplane, LINK).read_only, "it could put a socket of its own there");

    // Private keys are kept there.
    let state = dataplane.path(STATE);
    assert_eq!(mode(&state), 0o700);
    assert_eq!(fs::metadata(&state).unwrap().uid(), user(&dataplane));
    let kept = files(&state);
    assert!(!kept.is_empty(), "nothing is kept");
    for (path, file) in kept {
        assert_eq!(file.uid(), user(&dataplane), "{}", path.display());
        assert_eq!(file.mode() & 0o077, 0, "{}", path.display());
    }
    assert!(!controller.path(STATE).exists(), "the controller sees what the data plane keeps");
}
