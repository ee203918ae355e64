//! libFuzzer over [`selfsame_fuzz::npy`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::npy(data);
});
