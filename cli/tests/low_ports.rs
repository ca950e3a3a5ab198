//! The file capability of the image, which lets a user that is not root bind port 80.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `setcap cap_net_bind_service=p`.
const PERMITTED: [u8; 20] = [0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const NET_BIND_SERVICE: u64 = 1 << 10;
const NOBODY: u32 = 65532;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Capabilities in effect, by `/proc`.
fn effective(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

/// Only root can give a file a capability.
#[test]
fn a_permitted_capability_is_taken_and_no_other() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing was tested");
        return;
    }
    // Not below a folder that is closed to others.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), everyone).unwrap();
    let program = folder.path().join("tidegate");
    fs::copy(env!("CARGO_BIN_EXE_tidegate"), &program).unwrap();
    let attribute = "security.capability";
    rustix::fs::setxattr(&program, attribute, &PERMITTED, rustix::fs::XattrFlags::CREATE).unwrap();

    let manifests = folder.path().join("manifests");
    fs::create_dir(&manifests).unwrap();
    let port = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(&program)
        .args(["run", "--bind-address=127.0.0.1", "--healthz-host=127.0.0.1"])
        .args(["--http-port", "--https-port", "--healthz-port"].map(|flag| format!("{flag}={}", port())))
        .arg("--manifests")
        .arg(&manifests)
        .stdout(Stdio::null())
        .uid(NOBODY)
        .gid(NOBODY)
        .spawn()
        .unwrap();
    let running = Running(child);
    let start = Instant::now();
    while effective(running.0.id()) != NET_BIND_SERVICE {
        assert!(start.elapsed() < Duration::from_secs(30), "in effect: {:x}", effective(running.0.id()));
        std::thread::sleep(Duration::from_millis(20));
    }
}
