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
