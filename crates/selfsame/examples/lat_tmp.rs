//! tmp
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a: Vec<String> = std::env::args().collect();
    let t = std::time::Instant::now();
    let m = selfsame::Model::load(&a[1])?;
    println!("load {:?}", t.elapsed());
    for name in a[2].split(',') {
        let o = selfsame::RunOptions {
            engine: selfsame::Engine::named(name)?,
            ..Default::default()
        };
        let mut r = m.runner(&o)?;
        let x: Vec<f32> = (0..m.input().elements())
            .map(|i| {
                if i < m.input().elements() / 2 {
                    (i * 7919 % 28000 + 1000) as f32
                } else {
                    1.0
                }
            })
            .collect();
        let mut best = f64::INFINITY;
        for _ in 0..40 {
            let t = std::time::Instant::now();
            let _ = r.run(&x)?;
            best = best.min(t.elapsed().as_secs_f64());
        }
        println!("{name} {:.3} ms", best * 1e3);
    }
    Ok(())
}
