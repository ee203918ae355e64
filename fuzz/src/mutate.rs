//! Deterministic mutations of seed inputs: the same seed gives the same cases on every machine.
//!
//! The generator is `SplitMix64` (Steele, Lea, Flood 2014). One case is one to eight edits: bits,
//! bytes and words of interest, removed, repeated, inserted and foreign spans, truncation.

/// Lengths, counts and signs at which decoders break.
const WORDS: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX,
];

/// Longest case made from a seed.
const LEN_MAX: usize = 1 << 20;

/// A source of cases.
#[derive(Debug, Clone)]
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// Cases that depend on `seed` alone.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next case: one of `seeds` with some edits.
    ///
    /// # Panics
    ///
    /// If there is no seed.
    pub fn case(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        assert!(!seeds.is_empty(), "a target needs a seed");
        let mut case = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(8) {
            let other = &seeds[self.below(seeds.len())];
            self.edit(&mut case, other);
        }
        case.truncate(LEN_MAX);
        case
    }

    fn edit(&mut self, case: &mut Vec<u8>, other: &[u8]) {
        let at = self.position(case.len());
        let span = self.below(64).min(case.len() - at);
        match self.below(9) {
            0 if at < case.len() => case[at] ^= 1 << self.below(8),
            1 if at < case.len() => case[at] = self.byte(),
            2 => self.word(&mut case[at..]),
            3 => {
                case.drain(at..at + span);
            }
            4 => {
                let copy = case[at..at + span].to_vec();
                case.splice(at..at, copy);
            }
            5 => {
                let fresh: Vec<u8> = (0..self.below(16)).map(|_| self.byte()).collect();
                case.splice(at..at, fresh);
            }
            6 => {
                let from = self.position(other.len());
                let len = self.below(64).min(other.len() - from);
                case.splice(at..at + span, other[from..from + len].iter().copied());
            }
            7 if self.below(4) == 0 => case.truncate(at),
            _ => {
                if let Some(byte) = case.get_mut(at) {
                    *byte = byte.wrapping_add(1);
                }
            }
        }
    }

    /// Overwrites the front of `place` with a word of interest, in either byte order.
    fn word(&mut self, place: &mut [u8]) {
        let width = [1, 2, 4, 8][self.below(4)].min(place.len());
        let word = WORDS[self.below(WORDS.len())].wrapping_add(self.next() & 1);
        let little = word.to_le_bytes();
        let mut bytes = little[..width].to_vec();
        if self.below(2) == 0 {
            bytes.reverse();
        }
        place[..width].copy_from_slice(&bytes);
    }

    /// Fronts of files hold their structure: half of the positions are in the first 256 bytes.
    fn position(&mut self, len: usize) -> usize {
        let within = if self.below(2) == 0 {
            len.min(256)
        } else {
            len
        };
        self.below(within + 1)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a length fits 64 bits").max(1);
        usize::try_from(self.next() % bound).expect("smaller than a length")
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
