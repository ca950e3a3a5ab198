//! What the kernel counted for a process, its threads and its children: proc(5).

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};

/// What all threads of a tree of processes have used since they began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// On a CPU, user and kernel.
    pub run: Duration,
    /// Ready to run, but others had the CPU.
    pub wait: Duration,
}

impl Usage {
    /// What was used since an earlier look.
    pub fn since(self, earlier: Self) -> Self {
        Self { run: self.run.saturating_sub(earlier.run), wait: self.wait.saturating_sub(earlier.wait) }
    }
}

/// A process and all its descendants.
///
/// # Errors
/// Where /proc cannot be read.
pub fn tree(root: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default(); // it may have ended just now
        parents.extend(parent(&stat).map(|parent| (pid, parent)));
    }
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(&pid) = tree.get(next) {
        tree.extend(parents.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| *child));
        next += 1;
    }
    Ok(tree)
}

/// The fourth field; the second one, the name in parentheses, may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// What these processes have used, by the schedstat of each thread (nanoseconds running and waiting).
///
/// # Errors
/// Where one of them is gone.
pub fn usage(pids: &[u32]) -> Result<Usage> {
    let mut usage = Usage::default();
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("process {pid} is gone"))? {
            let (run, wait) = schedstat(&task?.path()).unwrap_or_default(); // a thread may have ended just now
            usage.run += run;
            usage.wait += wait;
        }
    }
    Ok(usage)
}

/// The time on a CPU of these processes, user and kernel, in steps of a clock tick (10 ms). Unlike [`usage`] it has that of
/// threads which have ended, as those for blocking work do after a while.
///
/// # Errors
/// Where one of them is gone.
pub fn time(pids: &[u32]) -> Result<Duration> {
    pids.iter().map(|pid| time_of(*pid).with_context(|| format!("the time of process {pid}"))).sum()
}

fn time_of(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&stat).context("no utime and stime")?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// The fields 14 and 15; the second one, the name in parentheses, may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, kernel) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(user + kernel)
}

/// What the threads of a process whose names begin so have used.
///
/// # Errors
/// Where it is gone.
pub fn usage_of_threads(pid: u32, prefix: &str) -> Result<Usage> {
    let mut usage = Usage::default();
    for task in fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("process {pid} is gone"))? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with(prefix)) {
            let (run, wait) = schedstat(&task).unwrap_or_default(); // it may have ended just now
            usage.run += run;
            usage.wait += wait;
        }
    }
    Ok(usage)
}

fn schedstat(task: &Path) -> Option<(Duration, Duration)> {
    let text = fs::read_to_string(task.join("schedstat")).ok()?;
    let mut figures = text.split_whitespace().map(|figure| figure.parse().map(Duration::from_nanos));
    Some((figures.next()?.ok()?, figures.next()?.ok()?))
}

/// The memory that these processes hold, in KiB; what they share with others is divided (Pss).
///
/// # Errors
/// Where one of them is gone.
pub fn memory(pids: &[u32]) -> Result<u64> {
    kibibytes(pids, "smaps_rollup", "Pss:")
}

/// The most resident memory that these processes have had at a time, each by itself, in KiB.
///
/// # Errors
/// One has ended.
pub fn peak(pids: &[u32]) -> Result<u64> {
    kibibytes(pids, "status", "VmHWM:")
}

/// A field of a file in /proc of each of them, added up.
fn kibibytes(pids: &[u32], file: &str, field: &str) -> Result<u64> {
    let of = |pid: u32| -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
        let value = text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
        Ok(value.trim().trim_end_matches("kB").trim().parse()?)
    };
    pids.iter().map(|pid| of(*pid).with_context(|| format!("the memory of process {pid}"))).sum()
}

/// How many files, sockets among them, these processes have open.
///
/// # Errors
/// Where one of them is gone.
pub fn open_files(pids: &[u32]) -> Result<usize> {
    let of = |pid: &u32| Ok(fs::read_dir(format!("/proc/{pid}/fd")).with_context(|| format!("process {pid}"))?.count());
    pids.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        assert_eq!(parent("7 (a) b) S 3 7 7 0"), Some(3));
        assert_eq!(parent(""), None);
        assert_eq!(ticks("7 (a) b) S 3 7 7 0 -1 0 0 0 0 0 40 2 0 0 20"), Some(42));
        assert_eq!(ticks(""), None);
    }

    /// Of a process with one thread: where threads end, as those of tests do, what they used is gone.
    #[test]
    fn a_busy_thread_is_seen() {
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let pids = [child.id()];
        let before = usage(&pids).unwrap();
        let start = std::time::Instant::now();
        let mut used = Usage::default();
        while used.run < Duration::from_millis(50) && start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(1));
            used = usage(&pids).unwrap().since(before);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(used.run >= Duration::from_millis(50), "{used:?}");
    }

    #[test]
    fn threads_are_known_by_their_names() {
        let (ask, asked) = std::sync::mpsc::channel::<()>();
        let busy = move || {
            while asked.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {}
        };
        let thread = std::thread::Builder::new().name("busy-1".into()).spawn(busy).unwrap();
        let (start, used) =
            (std::time::Instant::now(), |prefix| usage_of_threads(std::process::id(), prefix).unwrap().run);
        while used("busy-").is_zero() && start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!used("busy-").is_zero() && used("idle-").is_zero());
        ask.send(()).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn memory_and_files_are_seen() {
        let own = [std::process::id()];
        assert!(memory(&own).unwrap() > 100);
        assert!(open_files(&own).unwrap() > 2);
    }

    #[test]
    fn children_are_found() {
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        assert!(tree(std::process::id()).unwrap().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
