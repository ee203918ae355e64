//! Time of the next block.
//!
//! ```text
//! System: max(time of the newest block, machine clock + offset)
//! Steps:  time of the newest block + 1 + added
//! ```
//!
//! A time set by hand replaces both for one block; time goes on from there. Never backwards,
//! never past [`TIME_MAX`].

use crate::config::{Clock, TIME_MAX};
use std::time::{SystemTime, UNIX_EPOCH};

/// Why a time cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Earlier than the newest block.
    #[error("time {asked} is before the newest block at {newest}: choose {newest} or later")]
    Backwards {
        /// Time asked for, in Unix seconds.
        asked: u64,
        /// Time of the newest block.
        newest: u64,
    },
    /// Later than [`TIME_MAX`].
    #[error("time {asked} is after {TIME_MAX}, the last that this chain can reach")]
    TooLate {
        /// Time asked for, in Unix seconds.
        asked: u128,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    clock: Clock,
    /// Added to the clock; for steps, to the next block only. Within `TIME_MAX` both ways.
    offset: i64,
    /// Time of the next block, if it was set.
    set: Option<u64>,
    /// Seconds added by hand so far, for the answer of `evm_increaseTime`.
    added: u64,
}

impl Time {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            offset: 0,
            set: None,
            added: 0,
        }
    }

    /// Time of block 0.
    pub(crate) fn genesis(&self) -> u64 {
        match self.clock {
            Clock::System => machine_clock(),
            Clock::Steps { start } => start.min(TIME_MAX),
        }
    }

    /// Time of the block that follows one at `newest`.
    pub(crate) fn next(&self, newest: u64) -> u64 {
        let natural = match self.clock {
            Clock::System => machine_clock().saturating_add_signed(self.offset),
            Clock::Steps { .. } => newest.saturating_add(1).saturating_add_signed(self.offset),
        };
        self.set
            .unwrap_or(natural)
            .clamp(newest, TIME_MAX.max(newest))
    }

    /// Notes that a block was made at `time`.
    pub(crate) fn made(&mut self, time: u64) {
        let was_set = self.set.take().is_some();
        match self.clock {
            Clock::System if was_set => self.offset = signed(time) - signed(machine_clock()),
            Clock::System => {}
            Clock::Steps { .. } => self.offset = 0,
        }
    }

    /// Moves the next block by `seconds` and returns all seconds added so far.
    pub(crate) fn increase(&mut self, seconds: u64, newest: u64) -> Result<u64, TimeError> {
        let asked = u128::from(self.next(newest)) + u128::from(seconds);
        let too_late = TimeError::TooLate { asked };
        let time = u64::try_from(asked).map_err(|_| too_late)?;
        if TIME_MAX < time {
            return Err(too_late);
        }
        match &mut self.set {
            Some(set) => *set = time,
            None => self.offset = self.offset.saturating_add(signed(seconds)),
        }
        self.added = self.added.saturating_add(seconds);
        Ok(self.added)
    }

    /// Sets the time of the next block.
    pub(crate) fn set_next(&mut self, asked: u64, newest: u64) -> Result<(), TimeError> {
        if asked < newest {
            return Err(TimeError::Backwards { asked, newest });
        }
        if TIME_MAX < asked {
            return Err(TimeError::TooLate {
                asked: u128::from(asked),
            });
        }
        self.set = Some(asked);
        Ok(())
    }
}

/// Seconds as a signed number; they are at most `TIME_MAX`, far below the bound.
fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn machine_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |elapsed| elapsed.as_secs()).min(TIME_MAX)
}
