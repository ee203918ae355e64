//! A pool of threads that runs borrowed work without allocating.
//!
//! ```text
//! for_each(items, f):  f(i, &mut items[i]) for every i, item i on thread i mod threads
//! ```
//!
//! Thread 0 is the caller. The others spin for a moment after each job, so that the next node of a
//! program finds them awake, then sleep. `for_each` returns after every thread has finished, which
//! is what makes it sound to lend them borrowed items.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

/// The most threads of a pool.
pub const THREADS_MAX: usize = 64;
/// Looks at the job counter before a waiting thread starts to yield.
const SPINS: usize = 4_000;
/// Yields before a waiting worker goes to sleep.
const YIELDS: usize = 16;

type Job = *const (dyn Fn(usize) + Sync);

struct Shared {
    /// Number of jobs so far; a worker that sees it change reads `job`.
    epoch: AtomicUsize,
    /// Workers that have not finished the current job.
    pending: AtomicUsize,
    /// Written only while `pending` is 0 and before `epoch` changes.
    job: UnsafeCell<Option<Job>>,
    panicked: AtomicBool,
    stop: AtomicBool,
}

// SAFETY: `job` is written by the only owner of the pool while no worker reads it (`pending` is 0),
// and published by the release store of `epoch`; what it points at is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer is only followed while the owner waits inside `for_each`.
unsafe impl Send for Shared {}

struct Worker {
    handle: Option<JoinHandle<()>>,
    asleep: Arc<AtomicBool>,
}

/// Threads that wait for work.
pub struct ThreadPool {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

/// Items of different threads, as one pointer.
struct Items<T>(*mut T);

// SAFETY: each item is touched by one thread only, and may move between threads.
unsafe impl<T: Send> Sync for Items<T> {}

impl<T> Items<T> {
    /// # Safety
    ///
    /// `i` is inside the items and no other thread uses it.
    unsafe fn at(&self, i: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(i) }
    }
}

impl ThreadPool {
    /// A pool of `threads` threads (1 to [`THREADS_MAX`]; others are brought into that range),
    /// the caller included. If the system refuses a thread the pool is smaller.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            epoch: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let mut workers = Vec::new();
        for thread in 1..threads.clamp(1, THREADS_MAX) {
            let (state, asleep) = (Arc::clone(&shared), Arc::new(AtomicBool::new(false)));
            let flag = Arc::clone(&asleep);
            let spawned = thread::Builder::new()
                .name(format!("kernel-{thread}"))
                .spawn(move || work(&state, &flag, thread));
            let Ok(handle) = spawned else { break };
            workers.push(Worker {
                handle: Some(handle),
                asleep,
            });
        }
        Self { shared, workers }
    }

    /// Threads of the pool, the caller included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `f(i, &mut items[i])` for every item, item i on thread i mod `threads`.
    ///
    /// # Panics
    ///
    /// If `f` panics, after all threads have finished.
    pub fn for_each<T: Send>(&mut self, items: &mut [T], f: &(impl Fn(usize, &mut T) + Sync)) {
        let threads = self.threads().min(items.len());
        if threads <= 1 {
            items
                .iter_mut()
                .enumerate()
                .for_each(|(i, item)| f(i, item));
            return;
        }
        let (count, items) = (items.len(), Items(items.as_mut_ptr()));
        self.run(&|thread| {
            for i in (thread..count).step_by(threads) {
                if threads <= thread {
                    break;
                }
                // SAFETY: `i < count`, and i mod threads is this thread alone.
                f(i, unsafe { &mut *items.at(i) });
            }
        });
    }

    /// Runs `job(thread)` on every thread and waits for all of them.
    fn run(&mut self, job: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        // SAFETY: only the lifetime is erased; this function does not return, and does not unwind,
        // before every worker has finished with `job`.
        let erased: Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        shared.pending.store(self.workers.len(), Ordering::Relaxed);
        // SAFETY: `&mut self`, and no worker is inside a job: the run before waited for all.
        unsafe { *shared.job.get() = Some(erased) };
        shared.epoch.fetch_add(1, Ordering::SeqCst);
        for worker in &self.workers {
            if worker.asleep.load(Ordering::SeqCst)
                && let Some(handle) = &worker.handle
            {
                handle.thread().unpark();
            }
        }
        let mine = catch_unwind(AssertUnwindSafe(|| job(0)));
        let mut spins = 0;
        while shared.pending.load(Ordering::Acquire) != 0 {
            wait(&mut spins);
        }
        if let Err(panic) = mine {
            resume_unwind(panic);
        }
        let workers_panicked = shared.panicked.swap(false, Ordering::Relaxed);
        assert!(!workers_panicked, "a worker thread panicked");
    }
}

fn wait(spins: &mut usize) {
    *spins += 1;
    if *spins < SPINS {
        std::hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

fn work(shared: &Shared, asleep: &AtomicBool, thread: usize) {
    let mut seen = 0;
    loop {
        let mut spins = 0;
        while shared.epoch.load(Ordering::Acquire) == seen {
            wait(&mut spins);
            if SPINS + YIELDS < spins {
                // Either the owner sees the flag and wakes us, or we see its new epoch.
                asleep.store(true, Ordering::SeqCst);
                while shared.epoch.load(Ordering::SeqCst) == seen {
                    thread::park();
                }
                asleep.store(false, Ordering::SeqCst);
            }
        }
        seen = seen.wrapping_add(1);
        if shared.stop.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: the owner wrote `job` before it released the epoch, and waits for `pending`.
        if let Some(job) = unsafe { *shared.job.get() } {
            // SAFETY: the owner keeps what `job` points at alive until `pending` is 0.
            let done = catch_unwind(AssertUnwindSafe(|| unsafe { (*job)(thread) }));
            if done.is_err() {
                shared.panicked.store(true, Ordering::Relaxed);
            }
        }
        shared.pending.fetch_sub(1, Ordering::Release);
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        for worker in &mut self.workers {
            if let Some(handle) = worker.handle.take() {
                handle.thread().unpark();
                // A worker catches every panic of its job, so joining cannot fail.
                drop(handle.join());
            }
        }
    }
}

impl std::fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ThreadPool({})", self.threads())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_visited_once_for_any_number_of_threads_and_items() {
        for threads in [0, 1, 2, 3, 5] {
            let mut pool = ThreadPool::new(threads);
            for count in [0, 1, 2, 3, 7, 100] {
                let mut items = vec![0_usize; count];
                for _ in 0..20 {
                    pool.for_each(&mut items, &|i, item| *item += i + 1);
                }
                let want: Vec<usize> = (0..count).map(|i| 20 * (i + 1)).collect();
                assert_eq!(items, want, "{threads} threads");
            }
        }
    }

    #[test]
    fn a_panic_on_any_thread_reaches_the_caller_and_the_pool_lives_on() {
        let mut pool = ThreadPool::new(3);
        for bad in 0..3 {
            let mut items = [0; 3];
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.for_each(&mut items, &|i, item| {
                    assert_ne!(i, bad);
                    *item = 1;
                });
            }));
            assert!(caught.is_err());
            pool.for_each(&mut items, &|_, item| *item = 2);
            assert_eq!(items, [2; 3]);
        }
    }
}
