//! Memory that nobody uses, back to the operating system.
//!
//! The allocator of glibc keeps what is freed between blocks that are still in use. Whoever opens a
//! large program, packs it and drops it, and then stays for long, wants those pages back.

/// Gives free memory back to the operating system where the allocator would keep it; takes about a
/// millisecond. Does nothing on systems whose allocator has no such call.
pub fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: glibc allows the call at any time on any thread; it touches free memory only. What
        // it returns says whether there was any, which changes nothing.
        unsafe { malloc_trim(0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_in_use_stays_as_it_is() {
        let kept: Vec<Vec<u8>> = (0..=255).map(|value| vec![value; 5000]).collect();
        drop((0..256).map(|_| vec![1_u8; 5000]).collect::<Vec<_>>());
        trim_heap();
        assert!(
            (0..=255)
                .zip(&kept)
                .all(|(value, bytes)| bytes == &[value; 5000])
        );
    }
}
