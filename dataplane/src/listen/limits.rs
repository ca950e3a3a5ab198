//! What the machine leaves us: processors and open files.

use std::num::NonZeroUsize;

use rustix::process::{Resource, getrlimit, setrlimit};

/// Where the kernel says which ports those are.
const EPHEMERAL_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// How many they are by default.
const PORTS: usize = 28_232;

/// How many workers to start: the processors that this process may run on, and no more than the cgroup's quota pays
/// for. (The standard library looks at affinity and at quotas of cgroup v1 and v2.)
pub fn worker_count() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Raises the soft limit of open files to the hard one: every connection is one, and the usual soft limit of 1,024
/// is there for programs that use select().
pub fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// How many client connections one of several workers may have where no setting says so. As in ingress-nginx: three
/// quarters of the open files, after 1,024 (but no more than a quarter) are set aside; the rest is for backends.
pub fn connections_allowed(workers: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    share(usize::try_from(files).unwrap_or(usize::MAX), workers)
}

/// How many sessions of UDP one of several workers may have. Each takes a port of ours towards its endpoint, of those that
/// the kernel gives to who names none. All of them together get half: look-ups of names need some too.
pub fn sessions_allowed(workers: usize) -> usize {
    let ports = std::fs::read_to_string(EPHEMERAL_PORTS).ok().and_then(|range| count(&range)).unwrap_or(PORTS);
    half(ports, workers)
}

fn half(ports: usize, workers: usize) -> usize {
    (ports / 2).checked_div(workers).unwrap_or(0).max(1)
}

/// Of a range: its first port and its last one.
fn count(range: &str) -> Option<usize> {
    let (first, last) = range.trim().split_once(char::is_whitespace)?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.trim().parse().ok()?);
    last.checked_sub(first)?.checked_add(1)
}

fn share(files: usize, workers: usize) -> usize {
    let usable = files.saturating_sub((files / 4).min(1024));
    (usable / 4).saturating_mul(3).checked_div(workers).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::{count, half, share};

    #[test]
    fn leaves_files_for_backends() {
        assert_eq!(share(20_000, 2), 7_116);
        assert_eq!(share(1_000, 1), 561);
        assert_eq!(share(0, 4), 1);
    }

    #[test]
    fn leaves_ports_for_others() {
        assert_eq!(count("32768\t60999\n"), Some(28_232));
        assert_eq!((count("1 "), count("9 1"), count("")), (None, None, None));
        assert_eq!((half(28_232, 2), half(3, 4)), (7_058, 1));
    }
}
