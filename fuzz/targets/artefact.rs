//! libFuzzer over [`selfsame_fuzz::artefact`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::artefact(data);
});
