//! libFuzzer over [`selfsame_fuzz::receipt`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::receipt(data);
});
