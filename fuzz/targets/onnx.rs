//! libFuzzer over [`selfsame_fuzz::onnx`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::onnx(data);
});
