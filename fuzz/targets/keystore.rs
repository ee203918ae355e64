//! libFuzzer over [`selfsame_fuzz::keystore`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::keystore(data);
});
