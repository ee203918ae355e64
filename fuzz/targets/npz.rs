//! libFuzzer over [`selfsame_fuzz::npz`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::npz(data);
});
