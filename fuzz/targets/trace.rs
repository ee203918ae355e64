//! libFuzzer over [`selfsame_fuzz::trace`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::trace(data);
});
