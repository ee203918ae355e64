//! The generator `SplitMix64`: small, seeded, the same on every machine.
//!
//! Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.

/// A stream of numbers that depends on its seed alone.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Stream `index` of `seed`.
    pub fn new(seed: u64, index: u64) -> Self {
        let mut rng = Self(seed ^ index.wrapping_mul(0xd6e8_feb8_6659_fd93));
        rng.next();
        rng
    }

    /// Sixty-four bits.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless stream is no iterator here"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end` (0 for an empty range).
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// A number in `low..=high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        let span = high.wrapping_sub(low).wrapping_add(1).cast_unsigned();
        low.wrapping_add(self.below(span).cast_signed())
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        let value = self.range(i64::from(low), i64::from(high.max(low)));
        u32::try_from(value).expect("between two u32")
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, which is not empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = usize::try_from(self.below(choices.len() as u64)).expect("below a length");
        choices[index]
    }

    /// A divisor of `n`, small and large ones alike.
    pub fn divisor(&mut self, n: u32) -> u32 {
        let divisors: Vec<u32> = (1..=n)
            .take_while(|d| d * d <= n)
            .filter(|d| n.is_multiple_of(*d))
            .collect();
        let small = self.pick(&divisors);
        if self.chance(50) { small } else { n / small }
    }

    /// `parts` factors whose product is `n`.
    pub fn factors(&mut self, n: u32, parts: usize) -> Vec<u32> {
        let mut rest = n;
        let mut factors: Vec<u32> = (1..parts)
            .map(|_| {
                let factor = self.divisor(rest);
                rest /= factor;
                factor
            })
            .collect();
        factors.push(rest);
        self.shuffle(&mut factors);
        factors
    }

    /// Permutes `items`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).expect("below a length");
            items.swap(last, other);
        }
    }
}
