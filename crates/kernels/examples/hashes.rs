//! Times tile hashing on every kernel of this machine: nanoseconds a tile of 512 bytes, on stderr.

use std::time::Instant;

use selfsame_kernels::{Kernel, keccak_chunks};

fn main() {
    let bytes = vec![7_u8; 512 * 512];
    let mut out = vec![[0; 32]; 512];
    for kernel in Kernel::available() {
        let mut best = f64::MAX;
        for _ in 0..20 {
            let start = Instant::now();
            keccak_chunks(kernel, 0, &bytes, 512, &mut out);
            best = best.min(start.elapsed().as_secs_f64() / 512.0);
        }
        eprintln!("{:12} {:7.1} ns", kernel.name(), best * 1e9);
    }
}
