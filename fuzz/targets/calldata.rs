//! libFuzzer over [`selfsame_fuzz::calldata`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::calldata(data);
});
