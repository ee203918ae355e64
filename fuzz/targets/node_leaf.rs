//! libFuzzer over [`selfsame_fuzz::node_leaf`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    selfsame_fuzz::node_leaf(data);
});
