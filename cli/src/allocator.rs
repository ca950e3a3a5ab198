//! Which allocator the process uses.

/// jemalloc: fewer instructions for a request than glibc's allocator, and it gives memory back when a crowd of
/// connections has gone (`docs/performance.md` has the figures of those that were tried).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
