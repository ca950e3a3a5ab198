//! Which core is whose.
//!
//! In a cluster the API server, etcd, the clients and the backends are on other machines than the proxy. Here they get
//! a core of their own, so that what they do to its caches and its clock is not taken for the proxy's.

use std::{fs, process::Command};

use anyhow::{Result, ensure};

use crate::{OTHERS_CORE, PROXY_CORE};

/// The subject on one core, and all else in this network namespace on the other, until this is dropped.
#[derive(Debug)]
pub struct Cores {
    pids: Vec<u32>,
}

impl Cores {
    /// Sends everybody where it belongs.
    ///
    /// # Errors
    /// /proc cannot be read, or `taskset` (util-linux) does not do it.
    pub fn apart(subject: &[u32]) -> Result<Self> {
        let cores = Self { pids: neighbours()? };
        for pid in &cores.pids {
            pin(*pid, if subject.contains(pid) { PROXY_CORE } else { OTHERS_CORE })?;
        }
        Ok(cores)
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        for pid in &self.pids {
            let _ = pin(*pid, crate::BOTH_CORES); // it has ended then
        }
    }
}

/// Processes in our network namespace, which is a node of the cluster.
fn neighbours() -> Result<Vec<u32>> {
    let ours = fs::read_link("/proc/self/ns/net")?;
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that cannot be read has ended.
        if fs::read_link(entry.path().join("ns/net")).is_ok_and(|namespace| namespace == ours) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// All threads of a process; those that they start later follow them. One that has ended needs none.
fn pin(pid: u32, cores: &str) -> Result<()> {
    let output = Command::new("taskset").args(["-a", "-c", "-p", cores]).arg(pid.to_string()).output()?;
    let is_gone = || !fs::exists(format!("/proc/{pid}")).unwrap_or(true);
    ensure!(output.status.success() || is_gone(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> String {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
    }

    #[test]
    fn a_process_has_the_cores_it_was_sent_to() {
        let before = allowed();
        pin(std::process::id(), PROXY_CORE).unwrap();
        assert_eq!(allowed(), PROXY_CORE);
        pin(std::process::id(), &before).unwrap();
        assert!(neighbours().unwrap().contains(&std::process::id()));
    }
}
