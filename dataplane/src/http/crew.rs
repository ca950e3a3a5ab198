//! What the workers know of each other: how many client connections each one has, and how many each client has.
//!
//! The kernel spreads connections by hash, so that a few long ones easily meet on one worker. Who accepts one looks
//! once at these counts, and gives it to a worker that has clearly fewer.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire},
    },
};

use tokio::sync::Notify;

use super::clients::Clients;

/// Instead of a count: the worker has left and takes no more.
const LEFT: usize = usize::MAX;

/// All workers.
#[derive(Debug)]
pub struct Crew {
    loads: Box<[Load]>,
    /// The connections of each client.
    pub clients: Clients,
}

/// One worker's connections, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Load {
    connections: AtomicUsize,
    /// Told when the last one has ended.
    empty: Notify,
}

impl Crew {
    /// As many workers; none has a connection.
    pub fn new(workers: NonZeroUsize) -> Self {
        Self { loads: (0..workers.get()).map(|_| Load::default()).collect(), clients: Clients::default() }
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.loads.len()
    }

    fn count(&self, worker: usize) -> usize {
        self.loads.get(worker).map_or(LEFT, |load| load.connections.load(Acquire))
    }

    /// The worker with the fewest connections, and how many those are.
    fn least(&self) -> (usize, usize) {
        let counts = (0..self.loads.len()).map(|worker| (worker, self.count(worker)));
        counts.min_by_key(|(_, count)| *count).unwrap_or((0, LEFT))
    }

    /// Replaces a count, if it is still the one that was seen.
    fn replace(&self, worker: usize, seen: usize, count: usize) -> bool {
        let load = self.loads.get(worker);
        load.is_some_and(|load| load.connections.compare_exchange(seen, count, AcqRel, Acquire).is_ok())
    }
}

/// One worker among the others.
#[derive(Debug, Clone)]
pub struct Post {
    crew: Arc<Crew>,
    worker: usize,
}

impl Post {
    /// The worker of this number; they count from 0.
    pub fn new(crew: Arc<Crew>, worker: usize) -> Self {
        Self { crew, worker }
    }

    /// All workers.
    pub fn crew(&self) -> &Crew {
        &self.crew
    }

    /// A place for a connection that this worker accepted: here, or with the worker that has the fewest if it has
    /// clearly fewer. None where every worker has `most` already.
    ///
    /// A count changes only from the value that the decision was made on. So however many workers accept at the same
    /// time, none gets further ahead of the others than [`slack`] allows.
    pub fn place(&self, most: usize) -> Option<Place> {
        loop {
            let (own, (least, fewest)) = (self.crew.count(self.worker), self.crew.least());
            let stays = own < most && own <= fewest.saturating_add(slack(fewest));
            let (worker, seen) = if stays { (self.worker, own) } else { (least, fewest) };
            if seen >= most.min(LEFT - 1) {
                return None;
            }
            if self.crew.replace(worker, seen, seen.saturating_add(1)) {
                return Some(Place { crew: Arc::clone(&self.crew), worker });
            }
        }
    }

    /// A place here, whatever the others have.
    pub fn keep(&self) -> Place {
        if let Some(load) = self.crew.loads.get(self.worker) {
            load.connections.fetch_add(1, AcqRel);
        }
        Place { crew: Arc::clone(&self.crew), worker: self.worker }
    }

    /// Whether a place is with this worker.
    pub fn is_at(&self, place: &Place) -> bool {
        place.worker == self.worker
    }

    /// How many connections this worker has, those that are on their way to it included.
    pub fn connections(&self) -> usize {
        Some(self.crew.count(self.worker)).filter(|&count| count != LEFT).unwrap_or(0)
    }

    /// Waits until this worker has no connection. From then on nobody finds a place here.
    pub async fn leave(&self) {
        let Some(load) = self.crew.loads.get(self.worker) else { return };
        while !self.crew.replace(self.worker, 0, LEFT) {
            load.empty.notified().await;
        }
    }
}

/// By how much a worker may be ahead of the least loaded one before it gives connections away: what chance does to as
/// many, so that short connections stay where they were accepted.
fn slack(fewest: usize) -> usize {
    fewest.isqrt().max(1)
}

/// A connection's place with a worker, until it is dropped.
#[derive(Debug)]
pub struct Place {
    crew: Arc<Crew>,
    worker: usize,
}

impl Place {
    /// Which worker's.
    pub fn worker(&self) -> usize {
        self.worker
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(load) = self.crew.loads.get(self.worker)
            && load.connections.fetch_sub(1, AcqRel) == 1
        {
            load.empty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(workers: usize) -> Vec<Post> {
        let crew = Arc::new(Crew::new(NonZeroUsize::new(workers).unwrap()));
        (0..workers).map(|worker| Post::new(Arc::clone(&crew), worker)).collect()
    }

    #[test]
    fn eight_connections_are_never_four_on_one_of_four_workers() {
        for trial in 0..2000 {
            let posts = crew(4);
            let places: Vec<Place> = std::thread::scope(|scope| {
                // Where the kernel sends each is the worst: all to one, or to some at the same time.
                let accept = |n: usize| &posts[(n * trial) % 4];
                let threads: Vec<_> =
                    (0..8).map(|n| (n, accept)).map(|(n, a)| scope.spawn(move || a(n).place(100).unwrap())).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let counts: Vec<usize> = posts.iter().map(Post::connections).collect();
            assert!(counts.iter().all(|&count| count <= 3), "{counts:?}");
            drop(places);
            assert!(posts.iter().all(|post| post.connections() == 0));
        }
    }

    #[test]
    fn a_worker_that_is_little_ahead_keeps_what_it_accepts() {
        let posts = crew(2);
        let _other: Vec<Place> = (0..100).map(|_| posts[1].keep()).collect();
        let mut own: Vec<Place> = (0..110).map(|_| posts[0].keep()).collect();
        own.push(posts[0].place(1000).unwrap());
        assert!(own.iter().all(|place| posts[0].is_at(place)));
        assert!(posts[1].is_at(&posts[0].place(1000).unwrap()));
    }

    #[test]
    fn a_full_worker_gives_to_others_and_a_full_crew_refuses() {
        let posts = crew(2);
        let places: Vec<Place> = std::iter::from_fn(|| posts[0].place(3)).collect();
        assert_eq!(places.len(), 6);
        assert_eq!(posts[1].connections(), 3);
        drop(places);
        assert!(posts[0].place(0).is_none());
    }

    #[tokio::test]
    async fn who_has_left_gets_nothing() {
        let posts = crew(2);
        let place = posts[0].keep();
        let leaving = tokio::spawn({
            let post = posts[0].clone();
            async move { post.leave().await }
        });
        tokio::task::yield_now().await;
        assert!(!leaving.is_finished());
        drop(place);
        leaving.await.unwrap();
        let places: Vec<Place> = (0..10).map(|_| posts[1].place(100).unwrap()).collect();
        assert!(places.iter().all(|place| posts[1].is_at(place)));
    }
}
