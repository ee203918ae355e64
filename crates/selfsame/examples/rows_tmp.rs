//! tmp
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a: Vec<String> = std::env::args().collect();
    let onnx = std::fs::read(&a[1])?;
    let npz = std::fs::read(&a[2])?;
    let mut o = selfsame::SourceOptions::default();
    if a.len() > 4 {
        o.dims.insert(a[4].clone(), a[5].parse()?);
    }
    let s = selfsame::Source::with_options(&onnx, &o)?;
    let mut rows: Vec<Vec<f32>> = Vec::new();
    for (name, shape) in s.inputs() {
        let v = selfsame_compiler::npz::read_npz_array(&npz, name)?.to_f32();
        for (i, p) in v.chunks_exact(shape.iter().product()).enumerate() {
            if i < rows.len() {
                rows[i].extend(p)
            } else {
                rows.push(p.to_vec())
            }
        }
    }
    let t = std::time::Instant::now();
    let m = s.import(&rows, &selfsame::ImportOptions::default())?;
    println!("import {:?}", t.elapsed());
    m.model.save(&a[3])?;
    Ok(())
}
