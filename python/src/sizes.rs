//! A model packed at some values of its open dimensions, with runners that threads of Python take in
//! turn.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use selfsame::{Model, Packed, Runner};

use crate::errors;

/// Values that stay packed beside the model's own.
const VALUES_MAX: usize = 16;

/// A program packed at one value of each of its dimensions.
pub(crate) struct PackedAt {
    packed: Packed,
    /// Runners that nobody uses now: as many as ever ran at once.
    idle: Mutex<Vec<Runner>>,
}

/// A program at its own values and at those that callers' inputs had; weights are shared.
pub(crate) struct Sizes {
    own: Arc<PackedAt>,
    /// The last used one last.
    others: Mutex<Vec<Arc<PackedAt>>>,
}

impl PackedAt {
    fn new(packed: Packed) -> Self {
        let first = packed.runner();
        Self {
            packed,
            idle: Mutex::new(vec![first]),
        }
    }

    /// The packed program.
    pub(crate) fn packed(&self) -> &Packed {
        &self.packed
    }

    /// Does `work` with a runner of its own, without the interpreter's lock.
    pub(crate) fn with_runner<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Runner) -> T + Send,
    ) -> T {
        py.detach(|| {
            // A panic while running leaves no state that the next run reads.
            let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = idle().pop();
            let mut runner = taken.unwrap_or_else(|| self.packed.runner());
            let done = work(&mut runner);
            idle().push(runner);
            done
        })
    }
}

impl Sizes {
    /// At the values of `packed` so far.
    pub(crate) fn new(packed: Packed) -> Self {
        Self {
            own: Arc::new(PackedAt::new(packed)),
            others: Mutex::new(Vec::new()),
        }
    }

    /// At the model's own values.
    pub(crate) fn own(&self) -> &Arc<PackedAt> {
        &self.own
    }

    /// At the values of `model`; planned if they are new.
    pub(crate) fn at(&self, py: Python<'_>, model: &Model) -> PyResult<Arc<PackedAt>> {
        if model.values() == self.own.packed.model().values() {
            return Ok(Arc::clone(&self.own));
        }
        let lock = || self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |bound: &Arc<PackedAt>| bound.packed.model().values() == model.values();
        let known = {
            let mut others = lock();
            let position = others.iter().position(is_it);
            position.map(|position| others.remove(position))
        };
        let bound = if let Some(bound) = known {
            bound
        } else {
            let packed = py.detach(|| self.own.packed.at(model));
            Arc::new(PackedAt::new(packed.map_err(|error| errors::open(&error))?))
        };
        let mut others = lock();
        if !others.iter().any(is_it) {
            others.push(Arc::clone(&bound));
        }
        if VALUES_MAX < others.len() {
            others.remove(0);
        }
        Ok(bound)
    }
}
