//! `tidegate controller --supervised`: whatever happens to the controller, its container goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    process::{Command, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use support::{CLASS, backend, ingress, service, split::Split, terminate, until};

/// Host `x.test`, a supervised controller with these flags besides, and a data plane.
fn supervised(flags: &[&str]) -> Split {
    let a = service("a", backend("from-a"));
    let mut split = Split::new(&[("class.yaml", CLASS), ("a.yaml", &a), ("x.yaml", &ingress("x", "x.test", "a"))]);
    split.start_controller(&[&["--supervised"], flags].concat());
    split.start_dataplane();
    split.until_ready();
    until("served", || split.get("x.test").0 == 200);
    split
}

fn serves(split: &Split, host: &str) -> bool {
    split.get(host).1.ends_with("from-a")
}

/// A field of `/proc/PID/status`; none where there is no such process, or only what is left of one.
fn field(pid: u32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim));
    value("State").filter(|state| !state.starts_with('Z'))?;
    value(name).map(str::to_owned)
}

/// Until its last thread has ended: the first one may be gone sooner, and the process's sockets are not.
fn lives(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    threads > 1 || field(pid, "Pid").is_some()
}

/// The controller itself, below its supervisor.
fn controller(split: &Split) -> Option<u32> {
    let supervisor = split.controller.as_ref().unwrap().id().to_string();
    let mut pids =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(|pid| field(*pid, "PPid").as_ref() == Some(&supervisor))
}

fn send(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// Waits until another controller than this one is ready.
fn another(split: &Split, than: u32) -> u32 {
    until("another controller", || controller(split).is_some_and(|pid| pid != than));
    until("ready", || split.controller_admin("/readyz").0 == 200);
    controller(split).unwrap()
}

fn restarts(split: &Split) -> f64 {
    split.controller_metric("tidegate_controller_restarts_total")
}

fn wait(split: &mut Split) -> ExitStatus {
    split.controller.take().unwrap().wait().unwrap()
}

/// Clients who open a connection for each request, and insist on an answer.
struct Visitors {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<u16>>,
}

impl Visitors {
    fn come(split: &Split) -> Self {
        let (stop, port) = (Arc::new(AtomicBool::new(false)), split.http);
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut statuses = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                statuses.push(support::get(port, "x.test", "/").0);
            }
            statuses
        });
        Self { stop, thread }
    }

    fn leave(self) {
        self.stop.store(true, Ordering::Relaxed);
        let statuses = self.thread.join().unwrap();
        assert!(statuses.len() > 10 && statuses.iter().all(|status| *status == 200), "{statuses:?}");
    }
}

#[test]
fn a_controller_that_is_killed_is_started_again_and_traffic_goes_on() {
    let split = supervised(&[]);
    assert_eq!(restarts(&split), 0.0);
    let visitors = Visitors::come(&split);
    let mut pid = controller(&split).unwrap();
    for round in 1..=3 {
        send("-KILL", pid);
        pid = another(&split, pid);
        assert_eq!(restarts(&split), f64::from(round));
        let (name, host) = (format!("y{round}"), format!("y{round}.test"));
        split.write(&format!("{name}.yaml"), &ingress(&name, &host, "a"));
        until("followed", || serves(&split, &host));
    }
    visitors.leave();
    let log = split.log("controller");
    for pause in ["signal: 9 (SIGKILL)); it is started again in 100.0ms", "in 200.0ms", "in 400.0ms"] {
        assert!(log.contains(pause), "{pause}: {log}");
    }
    let resident = |pid| field(pid, "VmRSS").unwrap() + ", of which its own " + &field(pid, "RssAnon").unwrap();
    eprintln!("memory: supervisor {}", resident(split.controller.as_ref().unwrap().id()));
    eprintln!("memory: controller {}", resident(pid));
    assert!(split.stop().iter().all(ExitStatus::success));
}

#[test]
fn what_cannot_begin_ends_at_once_with_its_code() {
    let mut split = Split::new(&[("class.yaml", CLASS)]);
    let file = split.folder.path().join("manifests/class.yaml/link.sock");
    split.start_supervised_at(&file);
    assert_eq!(wait(&mut split).code(), Some(1));
    split.start_controller(&["--supervised", "--htpp-port=80"]);
    assert_eq!(wait(&mut split).code(), Some(2));
    let log = split.log("controller");
    assert!(log.contains("link.sock") && !log.contains("started again"), "{log}");
}

#[test]
fn one_that_began_once_is_started_for_ever() {
    let split = supervised(&[]);
    let (folder, away) = (split.folder.path().join("manifests"), split.folder.path().join("away"));
    fs::rename(&folder, &away).unwrap();
    send("-KILL", controller(&split).unwrap());
    // Now it ends as one does that never began.
    until("tried", || split.log("controller").matches("(exit status: 1); it is started again in").count() >= 3);
    assert!(serves(&split, "x.test"));
    fs::rename(&away, &folder).unwrap();
    until("ready", || split.controller_admin("/readyz").0 == 200);
    assert!(restarts(&split) >= 4.0);
    assert!(split.stop().iter().all(ExitStatus::success));
}

#[test]
fn a_stop_between_two_controllers_ends_it_too() {
    let mut split = supervised(&[]);
    fs::rename(split.folder.path().join("manifests"), split.folder.path().join("away")).unwrap();
    send("-KILL", controller(&split).unwrap());
    // By now a pause is far longer than the life of a controller.
    until("tried", || split.log("controller").contains("it is started again in 3.2s"));
    terminate(split.controller.as_ref().unwrap());
    assert!(wait(&mut split).success(), "{}", split.log("controller"));
}

/// One whose controller, this process, was told to leave, and has an hour for it.
fn leaving() -> (Split, u32) {
    let split = supervised(&["--shutdown-grace-period=3600"]);
    let pid = controller(&split).unwrap();
    until("connected", || split.controller_metric("tidegate_link_connected") == 1.0);
    terminate(split.controller.as_ref().unwrap());
    until("told", || split.log("controller").contains("leaving, once the data plane has"));
    (split, pid)
}

#[test]
fn a_stop_is_passed_on_and_the_controller_leaves_first() {
    let (mut split, pid) = leaving();
    assert!(lives(pid) && serves(&split, "x.test"));
    terminate(split.controller.as_ref().unwrap());
    assert!(wait(&mut split).success());
    assert!(!lives(pid) && split.log("controller").contains("leaving at once"), "{}", split.log("controller"));
}

#[test]
fn one_that_is_killed_while_it_leaves_is_not_started_again() {
    let (mut split, pid) = leaving();
    send("-KILL", pid);
    assert_eq!(wait(&mut split).code(), Some(128 + 9));
}

#[test]
fn a_supervisor_that_is_killed_leaves_nobody_behind() {
    let mut split = supervised(&[]);
    let pid = controller(&split).unwrap();
    split.kill_controller();
    until("gone with it", || !lives(pid));
    assert!(serves(&split, "x.test"));
    // Its ports and its socket are free for the next one.
    split.start_controller(&["--supervised"]);
    until("ready", || split.controller_admin("/readyz").0 == 200);
}

#[test]
fn a_controller_whose_supervisor_is_gone_already_does_not_begin() {
    let mut split = Split::new(&[("class.yaml", CLASS)]);
    split.start_controller(&["--supervisor-pid=1"]);
    assert_eq!(wait(&mut split).code(), Some(1));
    assert!(split.log("controller").contains("the supervisor, process 1, is gone"), "{}", split.log("controller"));
}

#[test]
fn a_controller_that_hangs_is_killed_and_replaced() {
    // Six of these are more than any answer takes here.
    let split = supervised(&["--supervision-period=1000"]);
    let pid = controller(&split).unwrap();
    let visitors = Visitors::come(&split);
    send("-STOP", pid);
    another(&split, pid);
    visitors.leave();
    assert_eq!(restarts(&split), 1.0);
    assert!(split.log("controller").contains("has not answered on /healthz for"), "{}", split.log("controller"));
    assert!(split.stop().iter().all(ExitStatus::success));
}
