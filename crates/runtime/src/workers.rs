//! Pieces of work over threads that live as long as the work, results in the order of the pieces: what is
//! made cannot depend on the threads.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Most threads of [`threads`]; more wait for memory.
const THREADS_MAX: usize = 8;

/// As many threads as `worth`, but no more than cores, nor than eight.
pub(crate) fn threads(worth: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    cores.min(THREADS_MAX).min(worth)
}

/// `make` of each piece, in the order of `pieces`. The caller is one of the `threads` workers; each of them has what
/// `start` makes and takes the next index of `turns` when it is free. `turns` are all indices of
/// `pieces`, each once.
pub(crate) fn in_order<P: Sync, S, T: Send>(
    pieces: &[P],
    turns: impl ExactSizeIterator<Item = usize>,
    threads: usize,
    start: impl Fn() -> S + Sync,
    make: impl Fn(&mut S, &P) -> T + Sync,
) -> Vec<T> {
    let turns: Vec<usize> = turns.collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut state, mut mine) = (start(), Vec::new());
        while let Some(&index) = turns.get(next.fetch_add(1, Ordering::Relaxed)) {
            mine.push((index, make(&mut state, &pieces[index])));
        }
        mine
    };
    let mut made = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(part) => all.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    made.sort_by_key(|&(index, _)| index);
    made.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_pieces_whatever_the_turns_and_threads() {
        let pieces: Vec<usize> = (0..100).collect();
        let want: Vec<usize> = pieces.iter().map(|piece| piece * piece).collect();
        for threads in [0, 1, 3] {
            let found = in_order(&pieces, (0..100).rev(), threads, || (), |(), p| p * p);
            assert_eq!(found, want);
        }
    }
}
