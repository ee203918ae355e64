//! libFuzzer over [`selfsame_fuzz::png`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::png(data);
});
