//! libFuzzer over [`selfsame_fuzz::interface`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::interface(data);
});
