//! The access log: one line for each request.
//!
//! A worker formats a line and puts it into a queue of its own, without ever waiting; one thread writes what the
//! queues hold. A queue that is full loses the line and counts it.

mod clock;
mod line;
mod output;
mod writer;

use std::{
    cell::RefCell,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, Thread},
    time::{Duration, SystemTime},
};

use rtrb::{Producer, RingBuffer};

use super::{Record, StreamRecord};
use clock::LocalClock;
use output::Output;
use writer::Writer;

/// Bytes that a worker's queue holds: some thousand lines, for as long as the writer waits for a slow disk or reader.
const QUEUE: usize = 1 << 20;

/// How long stopping may take: the reader of standard output may have gone.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Standard output, as containers do.
    Stdout,
    /// This file, at its end.
    File(PathBuf),
    /// Nowhere.
    Off,
}

/// The writer of the access log, and its end.
#[derive(Debug)]
pub struct AccessLog {
    writer: Option<Running>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Running {
    thread: Thread,
    orders: Arc<Orders>,
    stopped: mpsc::Receiver<()>,
}

/// What the writer is told.
#[derive(Debug, Default)]
struct Orders {
    stop: AtomicBool,
    reopen: AtomicBool,
}

/// Has the file of the access log opened anew, after somebody moved the old one away. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reopener {
    writer: Option<(Thread, Arc<Orders>)>,
}

impl Reopener {
    /// What was logged so far is written to the old file, all that follows to the new one. It does not wait for that.
    pub fn reopen(&self) {
        if let Some((thread, orders)) = &self.writer {
            orders.reopen.store(true, Ordering::Release);
            thread.unpark();
        }
    }
}

impl AccessLog {
    /// Starts the writer, with a queue for each of `workers`. Lines that are lost are counted in `lost`.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread cannot be started.
    pub fn start(target: &AccessLogTarget, workers: usize, lost: Arc<AtomicU64>) -> io::Result<(Self, Vec<WorkerLog>)> {
        let output = match target {
            AccessLogTarget::Stdout => Output::unnamed(io::stdout()),
            AccessLogTarget::File(path) => Output::file(path)?,
            AccessLogTarget::Off => {
                let logs = (0..workers).map(|_| WorkerLog { queue: None }).collect();
                return Ok((Self { writer: None, lost }, logs));
            }
        };
        Self::start_writer(output, workers, lost)
    }

    fn start_writer(output: Output, workers: usize, lost: Arc<AtomicU64>) -> io::Result<(Self, Vec<WorkerLog>)> {
        let (producers, consumers): (Vec<_>, Vec<_>) = (0..workers).map(|_| RingBuffer::new(QUEUE)).unzip();
        let orders = Arc::<Orders>::default();
        let (stopped_sender, stopped) = mpsc::channel();
        let writer = Writer::new(output, consumers, Arc::clone(&orders), Arc::clone(&lost));
        let handle = thread::Builder::new().name("access-log".into()).spawn(move || {
            writer.run();
            // Nobody listens where the stop took too long.
            stopped_sender.send(()).ok();
        })?;
        let thread = handle.thread().clone();
        let logs =
            producers.into_iter().map(|queue| WorkerLog::new(queue, thread.clone(), Arc::clone(&lost))).collect();
        Ok((Self { writer: Some(Running { thread, orders, stopped }), lost }, logs))
    }

    /// How many lines were lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// For whoever is told that the file was moved away.
    pub fn reopener(&self) -> Reopener {
        let writer = self.writer.as_ref();
        Reopener { writer: writer.map(|running| (running.thread.clone(), Arc::clone(&running.orders))) }
    }

    /// Writes out what was logged so far and ends the writer; false where that took too long. To be called when no
    /// worker logs any more, and not on a worker: it waits.
    pub fn stop(self) -> bool {
        let Some(Running { thread, orders, stopped }) = self.writer else { return true };
        orders.stop.store(true, Ordering::Release);
        thread.unpark();
        stopped.recv_timeout(STOP_LIMIT).is_ok()
    }
}

/// A worker's end of the access log, for all its tasks.
#[derive(Debug)]
pub struct WorkerLog {
    queue: Option<RefCell<Queue>>,
}

#[derive(Debug)]
struct Queue {
    producer: Producer<u8>,
    line: Vec<u8>,
    clock: LocalClock,
    writer: Thread,
    lost: Arc<AtomicU64>,
}

impl WorkerLog {
    fn new(producer: Producer<u8>, writer: Thread, lost: Arc<AtomicU64>) -> Self {
        let queue = Queue { producer, line: Vec::new(), clock: LocalClock::new(), writer, lost };
        Self { queue: Some(RefCell::new(queue)) }
    }

    /// Logs a request. Never waits.
    pub fn write(&self, record: &Record<'_>) {
        // Nothing in `Queue::write` comes back here, so that it is never borrowed twice.
        if let Some(Ok(mut queue)) = self.queue.as_ref().map(RefCell::try_borrow_mut) {
            queue.write(record.ended, |line, local_time| line::write(line, record, local_time));
        }
    }

    /// Logs a session of TCP or UDP. Never waits.
    pub fn write_stream(&self, record: &StreamRecord) {
        if let Some(Ok(mut queue)) = self.queue.as_ref().map(RefCell::try_borrow_mut) {
            queue.write(record.ended, |line, local_time| line::write_stream(line, record, local_time));
        }
    }
}

impl Queue {
    fn write(&mut self, ended: SystemTime, format: impl FnOnce(&mut Vec<u8>, &str)) {
        self.line.clear();
        format(&mut self.line, self.clock.text(ended));
        if self.producer.push_entire_slice(&self.line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        // The writer looks by itself now and then; only a queue that fills sooner is worth a wake-up. The first count
        // is a lower bound, which reads no memory of the other side.
        if self.producer.cached_slots() < QUEUE / 2 && self.producer.slots() < QUEUE / 2 {
            self.writer.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, sync::Mutex};

    use super::*;
    use crate::observe::record::tests::sample;

    fn lost() -> Arc<AtomicU64> {
        Arc::default()
    }

    #[test]
    fn everything_logged_is_in_the_file_after_the_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let (log, workers) = AccessLog::start(&AccessLogTarget::File(path.clone()), 2, lost()).unwrap();
        let threads: Vec<_> = workers.into_iter().map(|worker| thread::spawn(|| write_lines(worker, 1000))).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(log.lost(), 0);
        assert!(log.stop());
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), 2000);
        assert!(text.lines().all(|line| line.starts_with("192.0.2.7 - - [") && line.ends_with("0123456789abcdef")));
    }

    fn write_lines(worker: WorkerLog, count: usize) {
        write_to(&worker, count);
    }

    #[test]
    fn appears_without_a_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let (log, workers) = AccessLog::start(&AccessLogTarget::File(path.clone()), 1, lost()).unwrap();
        workers[0].write(&sample());
        let appeared = (0..500).any(|_| {
            thread::sleep(Duration::from_millis(20));
            fs::metadata(&path).unwrap().len() > 0
        });
        assert!(appeared);
        assert!(log.stop());
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let (log, workers) = AccessLog::start(&AccessLogTarget::File(path.clone()), 1, lost()).unwrap();
        write_to(&workers[0], 3);
        fs::rename(&path, &moved).unwrap();
        let lines = |path: &std::path::Path| fs::read_to_string(path).map_or(0, |text| text.lines().count());
        let reopener = log.reopener();
        reopener.reopen();
        assert!((0..500).any(|_| {
            thread::sleep(Duration::from_millis(20));
            path.exists()
        }));
        assert_eq!(lines(&moved), 3, "what was logged before");
        write_to(&workers[0], 2);
        // Where it cannot be opened, the file of before is written on.
        fs::rename(&path, folder.path().join("access.log.2")).unwrap();
        fs::create_dir(&path).unwrap();
        reopener.reopen();
        write_to(&workers[0], 4);
        assert!(log.stop());
        assert_eq!((lines(&moved), lines(&folder.path().join("access.log.2"))), (3, 6));
        reopener.reopen();
    }

    fn write_to(worker: &WorkerLog, count: usize) {
        (0..count).for_each(|_| worker.write(&sample()));
    }

    #[test]
    fn off_loses_nothing() {
        let (log, workers) = AccessLog::start(&AccessLogTarget::Off, 1, lost()).unwrap();
        workers[0].write(&sample());
        assert_eq!(log.lost(), 0);
        assert!(log.stop());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(AccessLog::start(&AccessLogTarget::File("/nonexistent/x/access.log".into()), 1, lost()).is_err());
    }

    /// Blocks until the lock is free: a reader of standard output that does not read.
    struct Stuck(Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_queue_counts_and_never_waits() {
        let output = Arc::new(Mutex::new(Vec::new()));
        let held = output.lock().unwrap();
        let (log, workers) = AccessLog::start_writer(Output::unnamed(Stuck(Arc::clone(&output))), 1, lost()).unwrap();
        let count = QUEUE / 60;
        (0..count).for_each(|_| workers[0].write(&sample()));
        let lost = log.lost();
        assert!(lost > 0);
        drop(held);
        assert!(log.stop());
        let written = output.lock().unwrap().iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(u64::try_from(written).unwrap() + lost, u64::try_from(count).unwrap());
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let lost = lost();
        let (log, workers) = AccessLog::start_writer(Output::unnamed(Broken), 1, Arc::clone(&lost)).unwrap();
        (0..3).for_each(|_| workers[0].write(&sample()));
        assert!(log.stop());
        assert_eq!(lost.load(Ordering::Relaxed), 3);
    }
}
