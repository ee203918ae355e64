//! libFuzzer over [`selfsame_fuzz::transaction`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::transaction(data);
});
