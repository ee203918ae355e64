//! How many random cases a test makes.

use proptest::prelude::ProptestConfig;

/// `slice` cases, or as many as `PROPTEST_CASES` says: more in a long run, fewer on an emulator.
pub(crate) fn slice_of(slice: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let is_told = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if is_told { config.cases } else { slice };
    ProptestConfig { cases, ..config }
}
