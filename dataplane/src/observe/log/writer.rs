//! The thread that writes the access log.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use rtrb::Consumer;
use tracing::{error, info};

use super::{Orders, output::Output};

/// How long lines may wait while the queues are far from full.
const PAUSE: Duration = Duration::from_millis(100);

/// Empties the queues of the workers into the output.
pub(super) struct Writer {
    output: Output,
    queues: Vec<Consumer<u8>>,
    orders: Arc<Orders>,
    lost: Arc<AtomicU64>,
    failing: bool,
}

impl Writer {
    pub(super) fn new(output: Output, queues: Vec<Consumer<u8>>, orders: Arc<Orders>, lost: Arc<AtomicU64>) -> Self {
        Self { output, queues, orders, lost, failing: false }
    }

    /// Until the stop, and once more after it, so that nothing stays behind.
    pub(super) fn run(mut self) {
        while !self.orders.stop.load(Ordering::Acquire) {
            let reopen = self.orders.reopen.swap(false, Ordering::AcqRel);
            self.pass();
            if reopen {
                self.reopen();
            }
            thread::park_timeout(PAUSE);
        }
        self.pass();
    }

    fn pass(&mut self) {
        let mut queues = std::mem::take(&mut self.queues);
        for queue in &mut queues {
            self.empty(queue);
        }
        self.queues = queues;
        let flushed = self.output.flush();
        self.note(flushed);
    }

    fn reopen(&mut self) {
        match self.output.reopen() {
            Ok(()) => info!("the access log was opened anew"),
            Err(error) => error!(%error, "the access log cannot be opened anew; what was open is written on"),
        }
    }

    /// Lines enter a queue whole, so that what it holds now ends with a line.
    fn empty(&mut self, queue: &mut Consumer<u8>) {
        let Ok(chunk) = queue.read_chunk(queue.slots()) else { return };
        let (first, second) = chunk.as_slices();
        let written = self.output.write_all(first).and_then(|()| self.output.write_all(second));
        if written.is_err() {
            let lines = [first, second].into_iter().flatten().filter(|&&byte| byte == b'\n').count();
            self.lost.fetch_add(u64::try_from(lines).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        chunk.commit_all();
        self.note(written);
    }

    /// Says once that writing fails, and once that it works again.
    fn note(&mut self, result: io::Result<()>) {
        match result {
            Err(error) if !self.failing => error!(%error, "the access log cannot be written; lines are lost"),
            Ok(()) if self.failing => info!("the access log is written again"),
            _ => return,
        }
        self.failing = !self.failing;
    }
}
