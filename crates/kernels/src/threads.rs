//! A pool of threads that runs borrowed work without allocating.
//!
//! ```text
//! for_each(items, f):  f(i, &mut items[i]) for every i, each item on some thread
//! ```
//!
//! The caller works too. Every thread begins with a share of its own, the same part of every job, so
//! that it finds what it wrote in the job before in its own caches; then it takes from the ends of the
//! others' shares. So a thread that the system holds back costs its share and nothing more: a job is
//! closed when the items are gone, and only threads that entered it are waited for. That wait is what
//! makes it sound to lend borrowed items. Idle threads spin for a moment, so that the next node of a program finds them awake, then sleep.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

/// The most threads of a pool.
pub const THREADS_MAX: usize = 64;
/// Looks at the gate before a waiting thread starts to yield.
const SPINS: usize = 2_000;
/// Yields before a waiting worker goes to sleep.
const YIELDS: usize = 16;

/// Bit of the gate: the job may be entered.
const OPEN: usize = 1;
/// One entered thread, in the bits of the gate below [`EPOCH`].
const ENTERED: usize = 2;
/// One job more, in the upper bits of the gate. A worker that sleeps until the count comes round
/// misses one job, which the others then do.
const EPOCH: usize = 1 << 8;
const _: () = assert!(THREADS_MAX < EPOCH / ENTERED);

type Job = *const (dyn Fn(usize) + Sync);

/// Items of one thread that are left, on a cache line of its own: the first, and in the upper half the end.
#[repr(align(64))]
#[derive(Default)]
struct Share(AtomicU64);

impl Share {
    fn fill(&self, first: u32, end: u32) {
        self.0.store(Self::pack(first, end), Ordering::Relaxed);
    }

    fn pack(first: u32, end: u32) -> u64 {
        u64::from(end) << 32 | u64::from(first)
    }

    fn unpack(share: u64) -> (u32, u32) {
        (share as u32, (share >> 32) as u32)
    }

    /// Replaces what is left by `rest` of first and end; returns what was left, if that was something.
    fn take(&self, rest: impl Fn(u32, u32) -> u64) -> Option<(u32, u32)> {
        let mut share = self.0.load(Ordering::Relaxed);
        loop {
            let (first, end) = Self::unpack(share);
            if end <= first {
                return None;
            }
            let (to, order) = (rest(first, end), Ordering::Relaxed);
            match self.0.compare_exchange_weak(share, to, order, order) {
                Ok(_) => return Some((first, end)),
                Err(now) => share = now,
            }
        }
    }

    fn take_first(&self) -> Option<u32> {
        let left = self.take(|first, end| Self::pack(first + 1, end));
        left.map(|(first, _)| first)
    }

    fn take_last(&self) -> Option<u32> {
        let left = self.take(|first, end| Self::pack(first, end - 1));
        left.map(|(_, end)| end - 1)
    }
}

/// Gives each of the threads its share of `count` items.
fn share_out(shares: &[Share], count: u32) {
    // Below 2^38: there are at most 64 threads.
    let threads = shares.len() as u64;
    let start = |thread: usize| (thread as u64 * u64::from(count) / threads) as u32;
    for (thread, share) in shares.iter().enumerate() {
        share.fill(start(thread), start(thread + 1));
    }
}

/// The next item for `thread`: the first of its own, else the last of another one's.
fn next_item(shares: &[Share], thread: usize) -> Option<usize> {
    let (before, from) = shares.split_at(thread);
    let (mine, behind) = from.split_first()?;
    let others = || behind.iter().chain(before).find_map(Share::take_last);
    mine.take_first().or_else(others).map(|item| item as usize)
}

struct Shared {
    /// Epoch, entered threads, [`OPEN`].
    gate: AtomicUsize,
    /// Threads that have left the current job.
    left: AtomicUsize,
    /// One for each thread; filled while the gate is closed.
    shares: Vec<Share>,
    /// Written only while the gate is closed and everyone who entered has left.
    job: UnsafeCell<Option<Job>>,
    panicked: AtomicBool,
    stop: AtomicBool,
}

// SAFETY: `job` is written by the only owner of the pool while no worker is inside a job, read by
// workers that entered through the gate (acquire after the owner's release); it points at `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer is only followed while the owner waits inside `run`.
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
        let threads = threads.clamp(1, THREADS_MAX);
        let shared = Arc::new(Shared {
            gate: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            shares: (0..threads).map(|_| Share::default()).collect(),
            job: UnsafeCell::new(None),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let mut workers = Vec::new();
        for thread in 1..threads {
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

    /// Runs `f(i, &mut items[i])` once for every item, on any of the threads.
    ///
    /// # Panics
    ///
    /// If `f` panics, after all threads have left.
    pub fn for_each<T: Send>(&mut self, items: &mut [T], f: &(impl Fn(usize, &mut T) + Sync)) {
        let count = u32::try_from(items.len()).unwrap_or(0);
        if self.workers.is_empty() || count <= 1 {
            items
                .iter_mut()
                .enumerate()
                .for_each(|(i, item)| f(i, item));
            return;
        }
        let items = Items(items.as_mut_ptr());
        // If the system refused threads, some shares have no thread of their own.
        let shares = &self.shared.shares[..self.threads()];
        share_out(shares, count);
        self.run(&|thread| {
            while let Some(i) = next_item(shares, thread) {
                // SAFETY: `i < count`, and the shares give each `i` to one thread.
                f(i, unsafe { &mut *items.at(i) });
            }
        });
    }

    /// Runs `job` on the caller and on every worker that comes in time; waits for those. The caller has
    /// the pool for itself.
    fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        // SAFETY: only the lifetime is erased; this function does not return, and does not unwind,
        // before every worker that entered has left.
        let erased: Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        shared.left.store(0, Ordering::Relaxed);
        // SAFETY: `for_each` has `&mut self`; the gate is closed and the run before waited for all who
        // entered.
        unsafe { *shared.job.get() = Some(erased) };
        let epoch = shared.gate.load(Ordering::Relaxed) & !(EPOCH - 1);
        shared
            .gate
            .store(epoch.wrapping_add(EPOCH) | OPEN, Ordering::SeqCst);
        self.wake();
        let mine = catch_unwind(AssertUnwindSafe(|| job(0)));
        let entered = shared.gate.fetch_and(!OPEN, Ordering::SeqCst) & (EPOCH - 1);
        let mut spins = 0;
        while shared.left.load(Ordering::Acquire) != entered / ENTERED {
            wait(&mut spins);
        }
        let workers_panicked = shared.panicked.swap(false, Ordering::Relaxed);
        if let Err(panic) = mine {
            resume_unwind(panic);
        }
        assert!(!workers_panicked, "a worker thread panicked");
    }

    fn wake(&self) {
        for worker in &self.workers {
            if worker.asleep.load(Ordering::SeqCst)
                && let Some(handle) = &worker.handle
            {
                handle.thread().unpark();
            }
        }
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

/// Enters the job that the gate `seen` does not show yet; true if it could.
fn enter(shared: &Shared, seen: &mut usize) -> bool {
    let mut gate = shared.gate.load(Ordering::Acquire);
    loop {
        if gate & !(EPOCH - 1) == *seen || gate & OPEN == 0 {
            return false;
        }
        let entered = gate + ENTERED;
        match shared
            .gate
            .compare_exchange_weak(gate, entered, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => {
                *seen = gate & !(EPOCH - 1);
                return true;
            }
            Err(now) => gate = now,
        }
    }
}

/// The life of worker `thread`.
fn work(shared: &Shared, asleep: &AtomicBool, thread: usize) {
    let mut seen = 0;
    loop {
        let mut spins = 0;
        while !enter(shared, &mut seen) {
            if shared.stop.load(Ordering::Acquire) {
                return;
            }
            wait(&mut spins);
            if SPINS + YIELDS < spins {
                // Either the owner sees the flag and wakes us, or we see its open gate.
                asleep.store(true, Ordering::SeqCst);
                let gate = shared.gate.load(Ordering::SeqCst);
                let is_news = gate & !(EPOCH - 1) != seen && gate & OPEN != 0;
                if !is_news && !shared.stop.load(Ordering::SeqCst) {
                    thread::park();
                }
                asleep.store(false, Ordering::SeqCst);
                spins = 0;
            }
        }
        // SAFETY: the owner wrote `job` before it opened the gate that we entered.
        if let Some(job) = unsafe { *shared.job.get() } {
            // SAFETY: the owner keeps what `job` points at alive until we have left.
            let done = catch_unwind(AssertUnwindSafe(|| unsafe { (*job)(thread) }));
            if done.is_err() {
                shared.panicked.store(true, Ordering::Relaxed);
            }
        }
        shared.left.fetch_add(1, Ordering::Release);
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
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
    fn a_thread_takes_its_own_items_in_order_then_those_of_others_from_behind() {
        let shares = [const { Share(AtomicU64::new(0)) }; 3];
        share_out(&shares, 8);
        let take = |thread: usize, count: usize| -> Vec<usize> {
            (0..count)
                .map_while(|_| next_item(&shares, thread))
                .collect()
        };
        assert_eq!(take(1, 2), [2, 3]);
        assert_eq!(take(2, 4), [5, 6, 7, 1]);
        assert_eq!(take(1, 9), [4, 0]);
        assert_eq!(take(0, 9), []);
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
