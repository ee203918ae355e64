//! Samples of a batch that threads take some at a time, so that one that the system holds back leaves
//! its share to the others.

use std::sync::{Mutex, PoisonError};

use crate::elements::{Elements, ElementsMut};

/// How many times each thread comes for samples, if all are equally fast: more balance better, fewer
/// lock less often.
const TURNS: usize = 8;

/// What is left of a batch.
struct Rest<'a> {
    input: Elements<'a>,
    output: ElementsMut<'a>,
}

/// The samples of a batch.
pub(crate) struct Queue<'a> {
    rest: Mutex<Rest<'a>>,
    /// Elements of one sample.
    input_len: usize,
    output_len: usize,
    /// Samples that are taken at a time.
    turn: usize,
}

/// Some samples, one behind the other.
pub(crate) struct Samples<'a> {
    pub(crate) input: Elements<'a>,
    pub(crate) output: ElementsMut<'a>,
}

impl<'a> Queue<'a> {
    /// `samples` whole samples for `threads` threads.
    pub(crate) fn new(
        (input, output): (Elements<'a>, ElementsMut<'a>),
        samples: usize,
        threads: usize,
    ) -> Self {
        Self {
            input_len: input.len() / samples.max(1),
            output_len: output.len() / samples.max(1),
            turn: (samples / (threads * TURNS).max(1)).max(1),
            rest: Mutex::new(Rest { input, output }),
        }
    }

    /// The next samples; none when all are taken.
    pub(crate) fn take(&self) -> Option<Samples<'a>> {
        // Whoever panicked did so outside the lock: taking is one step.
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let left = rest.input.len() / self.input_len.max(1);
        let count = self.turn.min(left);
        if count == 0 {
            return None;
        }
        let (mine, others) = (count * self.input_len, (left - count) * self.input_len);
        let input = rest.input.part(0, mine);
        rest.input = rest.input.part(mine, others);
        let output = std::mem::take(&mut rest.output);
        let (output, others) = output.split_first(count * self.output_len);
        rest.output = others;
        Some(Samples { input, output })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_taken_once_and_in_order() {
        for (samples, threads) in [(1_usize, 1), (2, 3), (16, 2), (17, 2), (1000, 3)] {
            let want: Vec<i16> = (0..1000).take(samples).collect();
            let input: Vec<i16> = want.iter().flat_map(|&i| [-1, i]).collect();
            let mut output = vec![0_i16; samples];
            let both = (Elements::I16(&input), ElementsMut::I16(&mut output));
            let queue = Queue::new(both, samples, threads);
            let mut turns = 0;
            while let Some(Samples { input, output }) = queue.take() {
                let (Elements::I16(x), ElementsMut::I16(y)) = (input, output) else {
                    unreachable!("the queue keeps the type");
                };
                for (y, x) in y.iter_mut().zip(x.chunks_exact(2)) {
                    *y = x[1];
                }
                turns += 1;
            }
            assert_eq!(output, want);
            assert!(turns <= samples.min((TURNS + 1) * 2 * threads), "{turns}");
        }
    }
}
