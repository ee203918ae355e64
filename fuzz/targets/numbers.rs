//! libFuzzer over [`selfsame_fuzz::numbers`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::numbers(data);
});
