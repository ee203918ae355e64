//! Noise that is the same in every run, for data that nobody measured.

/// A generator (xorshift), from one start.
#[derive(Debug)]
pub(crate) struct Noise {
    state: u32,
}

impl Default for Noise {
    fn default() -> Self {
        Self { state: 0x9e37_79b9 }
    }
}

impl Noise {
    fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        self.state
    }

    /// A byte.
    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// A whole number below `bound` and below 2^16.
    pub(crate) fn below(&mut self, bound: usize) -> f32 {
        let bound = u16::try_from(bound.saturating_sub(1)).unwrap_or(u16::MAX);
        let word = u16::try_from(self.next() >> 16).unwrap_or(0);
        f32::from(u16::try_from(u32::from(word) % (u32::from(bound) + 1)).unwrap_or(0))
    }
}
