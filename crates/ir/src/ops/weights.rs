//! The weights of a linear node: memory of their own, or a part of memory that others share.
//!
//! An artefact that was read into memory once holds the weights as they are used, so a program made of
//! it needs no copy of them. Which of the two it is changes no meaning.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

/// Memory that a program may share; whoever makes one promises that it never changes.
pub type SharedMemory = Arc<dyn AsRef<[i8]> + Send + Sync>;

/// int8 weights, read as a slice.
#[derive(Clone)]
pub struct Weights(Store);

#[derive(Clone)]
enum Store {
    Own(Vec<i8>),
    Part {
        memory: SharedMemory,
        start: usize,
        end: usize,
    },
}

impl Weights {
    /// The elements `start..end` of `memory`; none if they are not inside.
    pub(crate) fn part(memory: &SharedMemory, start: usize, end: usize) -> Option<Self> {
        let whole: &[i8] = (**memory).as_ref();
        whole.get(start..end)?;
        let memory = Arc::clone(memory);
        Some(Self(Store::Part { memory, start, end }))
    }
}

impl Deref for Weights {
    type Target = [i8];

    fn deref(&self) -> &[i8] {
        match &self.0 {
            Store::Own(weights) => weights,
            Store::Part { memory, start, end } => {
                let whole: &[i8] = (**memory).as_ref();
                whole.get(*start..*end).unwrap_or_default()
            }
        }
    }
}

impl From<Vec<i8>> for Weights {
    fn from(weights: Vec<i8>) -> Self {
        Self(Store::Own(weights))
    }
}

impl FromIterator<i8> for Weights {
    fn from_iter<I: IntoIterator<Item = i8>>(weights: I) -> Self {
        Self(Store::Own(weights.into_iter().collect()))
    }
}

impl PartialEq for Weights {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Weights {}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_shared_memory_equals_weights_of_its_own() {
        let memory: SharedMemory = Arc::new(alloc::vec![1_i8, -2, 3, -4]);
        let part = Weights::part(&memory, 1, 3).expect("inside");
        assert_eq!(part, Weights::from(alloc::vec![-2, 3]));
        assert!(Weights::part(&memory, 1, 5).is_none() && Weights::part(&memory, 3, 1).is_none());
        drop(memory);
        assert_eq!(*part, [-2, 3]);
    }
}
