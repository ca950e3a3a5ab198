//! What the machine leaves us: processors and open files.

use std::num::NonZeroUsize;

use rustix::process::{Resource, getrlimit, setrlimit};

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

fn share(files: usize, workers: usize) -> usize {
    let usable = files.saturating_sub((files / 4).min(1024));
    (usable / 4).saturating_mul(3).checked_div(workers).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn leaves_files_for_backends() {
        assert_eq!(share(20_000, 2), 7_116);
        assert_eq!(share(1_000, 1), 561);
        assert_eq!(share(0, 4), 1);
    }
}
