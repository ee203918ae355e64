//! Rows over threads, results in row order: what is made cannot depend on the number of threads.

use std::num::NonZero;

/// Most threads that are used.
const THREADS_MAX: usize = 16;

/// `f` of each row, in the order of the rows.
pub(crate) fn map_rows<T: Send, R: Sync>(rows: &[R], f: impl Fn(&R) -> T + Sync) -> Vec<T> {
    map_parts(rows, |part| part.iter().map(&f).collect::<Vec<T>>())
        .into_iter()
        .flatten()
        .collect()
}

/// `f` of contiguous parts of the rows, as many as there are threads.
///
/// What is made of the parts must not depend on where they were cut: counts, maxima, lists.
pub(crate) fn map_parts<T: Send, R: Sync>(rows: &[R], f: impl Fn(&[R]) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(THREADS_MAX);
    let part_len = rows.len().div_ceil(threads).max(1);
    let f = &f;
    std::thread::scope(|scope| {
        let workers: Vec<_> = rows
            .chunks(part_len)
            .map(|part| scope.spawn(move || f(part)))
            .collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, T>| match worker.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().map(join).collect()
    })
}
