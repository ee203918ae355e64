//! Weights in files beside the model are read from its folder and from nowhere else.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod onnx_writer;

use std::path::Path;

use onnx_writer::Model;
use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::onnx::{DecodeError, OnnxModel};

/// `x * weights`, four floats at an offset of a file.
fn model(location: &str, offset: &str, length: &str) -> Vec<u8> {
    Model::new(&["batch", "4"])
        .beside("weights", &[4], location, offset, length)
        .node("n", "Mul", &["x", "weights"], "y", &[])
        .encode()
}

fn read(folder: &Path, location: &str, offset: &str, length: &str) -> Result<OnnxModel, String> {
    let path = folder.join("model.onnx");
    std::fs::write(&path, model(location, offset, length)).unwrap();
    OnnxModel::read(&path).map_err(|error| error.to_string())
}

fn folder_with_weights() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let floats = [9.0_f32, 1.0, 2.0, 3.0, 4.0];
    let bytes: Vec<u8> = floats.iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    std::fs::write(folder.path().join("inner/weights.bin"), &bytes).unwrap();
    std::fs::write(folder.path().join("weights.bin"), bytes).unwrap();
    folder
}

#[test]
fn weights_are_read_at_their_offset() {
    let folder = folder_with_weights();
    for location in ["weights.bin", "./weights.bin", "inner/weights.bin"] {
        let model = read(folder.path(), location, "4", "16").unwrap();
        let graph = FloatGraph::from_onnx(&model).unwrap();
        let answer = graph.run(&[1.0; 4]).unwrap();
        assert_eq!(
            answer.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            [
                1.0_f32.to_bits(),
                2.0_f32.to_bits(),
                3.0_f32.to_bits(),
                4.0_f32.to_bits()
            ]
        );
    }
}

#[test]
fn paths_that_leave_the_folder_are_refused() {
    let folder = folder_with_weights();
    let inner = folder.path().join("inner");
    let outside = folder.path().join("weights.bin");
    let refused = |location: &str| read(&inner, location, "4", "16").unwrap_err();
    let absolute = outside.to_str().unwrap();
    for location in [
        absolute,
        "../weights.bin",
        "a/../../weights.bin",
        "",
        "a\\b",
    ] {
        let text = refused(location);
        assert!(
            text.contains("no path inside the folder"),
            "{location}: {text}"
        );
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&outside, inner.join("link.bin")).unwrap();
        let text = refused("link.bin");
        assert!(text.contains("through a link"), "{text}");
    }
}

#[test]
fn files_that_do_not_hold_what_the_model_says_are_refused() {
    let folder = folder_with_weights();
    let refused = |location: &str, offset: &str, length: &str| {
        read(folder.path(), location, offset, length).unwrap_err()
    };
    assert!(refused("absent.bin", "0", "16").contains("cannot be read"));
    assert!(refused("inner", "0", "16").contains("is no file"));
    assert!(refused("weights.bin", "8", "16").contains("20 bytes, bytes 8 to 24"));
    assert!(refused("weights.bin", "4", "12").contains("12 bytes of it, its shape needs 16"));
    assert!(refused("weights.bin", "-4", "16").contains("is no number"));
    assert!(refused("weights.bin", "18446744073709551615", "16").contains("20 bytes"));
}

#[test]
fn a_model_from_bytes_has_no_folder() {
    let error = OnnxModel::decode(&model("weights.bin", "4", "16")).unwrap_err();
    let name = "weights".to_owned();
    assert_eq!(error, DecodeError::ExternalData { name });
}
