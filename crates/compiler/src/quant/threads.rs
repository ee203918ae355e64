//! Rows over threads, results in row order: what is made cannot depend on the number of threads.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most threads that are used.
const THREADS_MAX: usize = 16;
/// Most bytes that all threads together may keep; one thread works whatever it takes.
const BYTES_MAX: usize = 1 << 31;

/// `f` of each row and its index, in the order of the rows; one row keeps `row_bytes` bytes while it runs.
pub(crate) fn map_rows<T: Send, R: Sync>(
    rows: &[R],
    row_bytes: usize,
    f: impl Fn(usize, &R) -> T + Sync,
) -> Vec<T> {
    fold_rows(rows, row_bytes, || (), |(), index, row| f(index, row)).1
}

/// `f` of each row and its index, in the order of the rows, and what each thread has gathered.
///
/// Rows go to whichever thread is free, so what is gathered must not depend on who gathered it and in
/// which order: counts, maxima.
pub(crate) fn fold_rows<A: Send, T: Send, R: Sync>(
    rows: &[R],
    row_bytes: usize,
    start: impl Fn() -> A + Sync,
    f: impl Fn(&mut A, usize, &R) -> T + Sync,
) -> (Vec<A>, Vec<T>) {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut gathered, mut made) = (start(), Vec::new());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(row) = rows.get(index) else {
                return (gathered, made);
            };
            made.push((index, f(&mut gathered, index, row)));
        }
    };
    let threads = threads(row_bytes).min(rows.len());
    if threads <= 1 {
        let (gathered, made) = work();
        return (
            vec![gathered],
            made.into_iter().map(|(_, one)| one).collect(),
        );
    }
    let parts: Vec<(A, Vec<(usize, T)>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(join).collect()
    });
    let (gathered, made): (Vec<A>, Vec<Vec<(usize, T)>>) = parts.into_iter().unzip();
    let mut made: Vec<(usize, T)> = made.into_iter().flatten().collect();
    made.sort_unstable_by_key(|(index, _)| *index);
    (gathered, made.into_iter().map(|(_, one)| one).collect())
}

/// Threads for work that keeps `row_bytes` each.
fn threads(row_bytes: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let fit = BYTES_MAX / row_bytes.max(1);
    cores.min(THREADS_MAX).min(fit).max(1)
}

fn join<T>(worker: std::thread::ScopedJoinHandle<'_, T>) -> T {
    match worker.join() {
        Ok(part) => part,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_rows_whoever_made_them() {
        let rows: Vec<usize> = (0..1000).collect();
        for row_bytes in [0, BYTES_MAX / 3, usize::MAX] {
            let (counts, made) = fold_rows(
                &rows,
                row_bytes,
                || 0,
                |count, index, row| {
                    *count += 1;
                    (index, row * row)
                },
            );
            assert_eq!(counts.iter().sum::<usize>(), 1000);
            let wanted: Vec<(usize, usize)> = rows.iter().map(|&row| (row, row * row)).collect();
            assert_eq!(made, wanted);
        }
        assert_eq!(
            (threads(BYTES_MAX / 3).min(3), threads(usize::MAX)),
            (threads(0).min(3), 1)
        );
    }
}
