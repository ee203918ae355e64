//! What scikit-learn, Keras and the quantisers of ONNX Runtime write, spelled out small.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compared;
mod onnx_writer;

use compared::compared;
use onnx_writer::{Attr, Model};
use selfsame_compiler::float::{FloatGraph, ImportOptions};
use selfsame_compiler::onnx::OnnxModel;

const CLASSIC: &str = "ai.onnx.ml";
const CONTRIBUTED: &str = "com.microsoft";

fn import(model: &Model) -> FloatGraph {
    FloatGraph::from_onnx(&OnnxModel::decode(&model.encode()).unwrap()).unwrap()
}

fn assert_answers(model: &Model, row: &[f32], wanted: &[f32]) {
    for graph in [import(model), import(model).fuse()] {
        let found = graph.run(row).unwrap();
        assert_eq!(found.len(), wanted.len());
        for (f, w) in found.iter().zip(wanted) {
            assert!((f - w).abs() < 1e-5, "{found:?} {wanted:?}");
        }
    }
}

/// Signal over noise of the program on the rows behind the first `training` ones.
fn snr_db(graph: FloatGraph, rows: &[Vec<f32>], training: usize) -> f64 {
    compared(graph.fuse(), rows, training).1.snr_db
}

/// A logistic regression as skl2onnx writes it: the name of the class first, then the probabilities.
fn logistic_regression() -> Model {
    let classifier = [
        ("classlabels_ints", Attr::Ints(vec![3, 7])),
        ("coefficients", Attr::Floats(vec![1.0, -2.0, 0.5, 1.0])),
        ("intercepts", Attr::Floats(vec![0.25, -0.5])),
        ("post_transform", Attr::Text("SOFTMAX".to_owned())),
    ];
    let norm = [("norm", Attr::Text("L1".to_owned()))];
    Model::new(&["batch", "2"])
        .output("probabilities")
        .node_in(
            CLASSIC,
            ("classifier", "LinearClassifier"),
            (&["x"], &["y", "scores"]),
            &classifier,
        )
        .node_in(
            CLASSIC,
            ("normalizer", "Normalizer"),
            (&["scores"], &["probabilities"]),
            &norm,
        )
}

#[test]
fn a_linear_classifier_answers_with_probabilities_and_names_its_classes() {
    let model = logistic_regression();
    // Scores 1 - 2 * 0.5 + 0.25 = 0.25 and 0.5 + 0.5 - 0.5 = 0.5.
    let (a, b) = (0.25_f32.exp(), 0.5_f32.exp());
    assert_answers(&model, &[1.0, 0.5], &[a / (a + b), b / (a + b)]);
    let decoded = OnnxModel::decode(&model.encode()).unwrap();
    assert_eq!(decoded.class_names(), ["3", "7"]);
    let options = ImportOptions {
        output: Some("y".to_owned()),
        ..ImportOptions::default()
    };
    let index = FloatGraph::import(&decoded, &options).unwrap();
    assert_eq!(index.run(&[1.0, 0.5]).unwrap(), [1.0]);
}

#[test]
fn a_linear_regressor_is_a_dense_node() {
    let regressor = [
        ("coefficients", Attr::Floats(vec![1.5, -2.0, 4.0])),
        ("intercepts", Attr::Floats(vec![10.0])),
    ];
    let model = Model::new(&["batch", "3"]).node_in(
        CLASSIC,
        ("regressor", "LinearRegressor"),
        (&["x"], &["y"]),
        &regressor,
    );
    assert_answers(&model, &[1.0, 2.0, 0.5], &[9.5]);
}

#[test]
fn features_are_picked_imputed_and_compared_with_a_threshold() {
    let missing = [
        ("imputed_value_floats", Attr::Floats(vec![0.0; 4])),
        ("replaced_value_float", Attr::Float(f32::NAN)),
    ];
    let model = Model::new(&["batch", "4"])
        .ints("places", &[3], &[3, 0, 2])
        .node_in(
            CLASSIC,
            ("imputer", "Imputer"),
            (&["x"], &["all"]),
            &missing,
        )
        .node_in(
            CLASSIC,
            ("picks", "ArrayFeatureExtractor"),
            (&["all", "places"], &["some"]),
            &[],
        )
        .node_in(
            CLASSIC,
            ("above", "Binarizer"),
            (&["some"], &["y"]),
            &[("threshold", Attr::Float(1.0))],
        );
    assert_answers(&model, &[2.0, 9.0, 0.5, 1.0], &[0.0, 1.0, 0.0]);
}

#[test]
fn the_domain_of_onnx_may_be_named_twice_with_one_version() {
    let again = logistic_regression().opset_again(17);
    assert_eq!(import(&again).outputs().len(), 1);
    let other = logistic_regression().opset_again(15);
    let error = OnnxModel::decode(&other.encode()).unwrap_err();
    assert!(error.to_string().contains("2 opsets"), "{error}");
}

#[test]
fn inputs_of_keras_have_one_batch_and_those_that_nothing_reads_are_left_out() {
    let model = Model::new(&["unk__7", "2"])
        .input("z", &["unk__9", "2"])
        .input("mean", &["1", "2"])
        .node("sum", "Add", &["x", "z"], "y", &[]);
    let graph = import(&model);
    let names: Vec<&str> = graph.inputs().iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["x", "z"]);
    assert_eq!(graph.run(&[1.0, 2.0, 10.0, 20.0]).unwrap(), [11.0, 22.0]);
}

#[test]
fn the_complement_of_the_error_function_is_known() {
    let model = Model::new(&["batch", "2"]).node("gelu", "Erfc", &["x"], "y", &[]);
    assert_answers(&model, &[0.0, 0.5], &[1.0, 0.479_500_1]);
}

#[test]
fn an_einsum_of_three_operands_is_one_of_two_after_the_other() {
    let equation = [("equation", Attr::Text("bij,bjd,de->bie".to_owned()))];
    let model = Model::new(&["batch", "2", "2"])
        .floats("w", &[2, 1], &[1.0, 10.0])
        .node("squares", "Einsum", &["x", "x", "w"], "y", &equation);
    // [[1, 2], [3, 4]]^2 = [[7, 10], [15, 22]]
    assert_answers(&model, &[1.0, 2.0, 3.0, 4.0], &[107.0, 235.0]);
}

/// A model whose input of `columns` numbers is `q` in steps of a half.
fn quantised_input(columns: &str) -> Model {
    let operands = ["x", "step", "zero"];
    Model::new(&["batch", columns])
        .floats("step", &[], &[0.5])
        .bytes("zero", &[], &[0])
        .node("quantize", "QuantizeLinear", &operands, "q", &[])
}

#[test]
fn a_quantised_gemm_has_a_scale_for_each_row_of_weights_that_it_transposes() {
    let transposed = [("transB", Attr::Int(1))];
    let model = quantised_input("3")
        .bytes("weights", &[2, 3], &[1, 2, 3, 4, 5, 6])
        .floats("steps", &[2], &[1.0, 10.0])
        .bytes("zeros", &[2], &[0, 0])
        .node_in(
            CONTRIBUTED,
            ("gemm", "QGemm"),
            (&["q", "step", "zero", "weights", "steps", "zeros"], &["y"]),
            &transposed,
        );
    assert_answers(&model, &[1.0, 0.0, 2.0], &[7.0, 160.0]);
}

#[test]
fn a_quantised_softmax_is_a_softmax() {
    let attributes = [("axis", Attr::Int(-1)), ("opset", Attr::Int(17))];
    let model = quantised_input("2")
        .floats("last", &[], &[1.0 / 256.0])
        .bytes("least", &[], &[-128])
        .node_in(
            CONTRIBUTED,
            ("softmax", "QLinearSoftmax"),
            (&["q", "step", "zero", "last", "least"], &["s"]),
            &attributes,
        )
        .node(
            "real",
            "DequantizeLinear",
            &["s", "last", "least"],
            "y",
            &[],
        );
    assert_answers(&model, &[0.0, 3.0_f32.ln()], &[0.25, 0.75]);
    assert_eq!(import(&model).nodes().len(), 2);
}

#[test]
fn the_weights_of_a_quantised_lstm_have_grids_for_directions_or_columns() {
    const CELLS: usize = 2;
    // Input and recurrent weights [1][rows][4 * cells], as the quantiser lays them.
    let weights = |rows: usize| -> Vec<i8> {
        let value = |at: usize| i8::try_from(at * 37 % 23).unwrap() - 11;
        (0..rows * 4 * CELLS).map(value).collect()
    };
    let real = |rows: usize, step: &dyn Fn(usize) -> f32| -> Vec<f32> {
        let all = weights(rows);
        let cell = |at: usize| (at % rows, at / rows);
        let value =
            |(row, column): (usize, usize)| f32::from(all[row * 4 * CELLS + column]) * step(column);
        (0..rows * 4 * CELLS).map(cell).map(value).collect()
    };
    let of_columns = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08_f32];
    for steps in [vec![0.05], of_columns.to_vec()] {
        let step = |column: usize| steps[column % steps.len()];
        let hidden = [("hidden_size", Attr::Int(2))];
        let plain = Model::new(&["3", "batch", "3"])
            .floats("w", &[1, 8, 3], &real(3, &step))
            .floats("r", &[1, 8, 2], &real(2, &step))
            .node("lstm", "LSTM", &["x", "w", "r"], "y", &hidden);
        let count = steps.len() as u64;
        let dims: &[u64] = if count == 1 { &[1] } else { &[1, 8] };
        let zeros = vec![0; steps.len()];
        let inputs = [
            "x", "w", "r", "", "", "", "", "", "steps", "zeros", "steps", "zeros",
        ];
        let quantised = Model::new(&["3", "batch", "3"])
            .bytes("w", &[1, 3, 8], &weights(3))
            .bytes("r", &[1, 2, 8], &weights(2))
            .floats("steps", dims, &steps)
            .bytes("zeros", dims, &zeros)
            .node_in(
                CONTRIBUTED,
                ("lstm", "DynamicQuantizeLSTM"),
                (&inputs, &["y"]),
                &hidden,
            );
        let row = [0.5, -1.0, 2.0, 0.0, 1.5, -0.5, 1.0, 1.0, -2.0];
        let options = ImportOptions {
            no_batch: true,
            dims: [("batch".to_owned(), 1)].into(),
            ..ImportOptions::default()
        };
        let [plain, quantised] = [plain, quantised].map(|model| {
            let model = OnnxModel::decode(&model.encode()).unwrap();
            let graph = FloatGraph::import(&model, &options).unwrap();
            graph.run(&row).unwrap()
        });
        assert_eq!(plain.len(), 3 * CELLS);
        for (p, q) in plain.iter().zip(&quantised) {
            assert!((p - q).abs() < 1e-5, "{plain:?} {quantised:?}");
        }
    }
}

#[test]
fn int4_weights_stand_two_in_a_byte() {
    // 1, -2, 7 and half a byte of padding.
    let model = Model::new(&["batch", "3"])
        .nibbles("four", &[3], &[0xe1, 0x07])
        .floats("step", &[], &[0.5])
        .node("real", "DequantizeLinear", &["four", "step"], "w", &[])
        .node("product", "Mul", &["x", "w"], "y", &[]);
    assert_answers(&model, &[1.0, 1.0, 2.0], &[0.5, -1.0, 7.0]);
}

#[test]
fn one_hot_rows_of_many_classes_are_exact() {
    let model = Model::of_ids(&["batch", "1"])
        .ints("depth", &[], &[500])
        .floats("values", &[2], &[0.0, 1.0])
        .node("hot", "OneHot", &["x", "depth", "values"], "y", &[]);
    let rows: Vec<Vec<f32>> = (0..64_u16).map(|at| vec![f32::from(at * 7)]).collect();
    assert!(snr_db(import(&model), &rows, 48) > 40.0);
}

#[test]
fn places_are_compared_with_lengths_exactly() {
    let places: Vec<i64> = (0..300).collect();
    let model = Model::of_ids(&["batch", "1"])
        .ints("places", &[300], &places)
        .node("mask", "Less", &["places", "x"], "less", &[])
        .node("y", "Cast", &["less"], "y", &[("to", Attr::Int(1))]);
    let rows: Vec<Vec<f32>> = (0..64_u16).map(|at| vec![f32::from(at * 4 + 1)]).collect();
    assert!(snr_db(import(&model), &rows, 48) > 40.0);
}

#[test]
fn a_mask_that_no_calibration_row_sets_may_be_set_later() {
    // y = keep * fresh + (1 - keep) * old, as a masked recurrent layer of Keras: calibration always keeps.
    let model = Model::of_ids(&["batch", "1"])
        .input("z", &["batch", "8"])
        .ints("parts", &[2], &[4, 4])
        .floats("one", &[1], &[1.0])
        .node("cast", "Cast", &["x"], "keep", &[("to", Attr::Int(1))])
        .node_of(
            "split",
            "Split",
            (&["z", "parts"], &["fresh", "old"]),
            &[("axis", Attr::Int(1))],
        )
        .node("not", "Sub", &["one", "keep"], "drop", &[])
        .node("new", "Mul", &["fresh", "keep"], "new", &[])
        .node("kept", "Mul", &["old", "drop"], "kept", &[])
        .node("y", "Add", &["new", "kept"], "y", &[]);
    let row = |at: u16| {
        let cell = |cell: u16| (f32::from((at * 7 + cell * 13) % 31) - 15.0) / 1000.0;
        let keep = if at < 24 { 1.0 } else { f32::from(at % 2) };
        core::iter::once(keep).chain((0..8).map(cell)).collect()
    };
    let rows: Vec<Vec<f32>> = (0..32).map(row).collect();
    assert!(snr_db(import(&model), &rows, 24) > 26.0);
}

#[test]
fn a_mask_of_scores_that_no_calibration_row_sets_hides_later() {
    // softmax(z + (1 - seen) * -10000): calibration sees everything.
    let model = Model::of_ids(&["batch", "8"])
        .input("z", &["batch", "8"])
        .floats("one", &[1], &[1.0])
        .floats("far", &[1], &[-10_000.0])
        .node("cast", "Cast", &["x"], "seen", &[("to", Attr::Int(1))])
        .node("not", "Sub", &["one", "seen"], "hidden", &[])
        .node("mask", "Mul", &["hidden", "far"], "mask", &[])
        .node("scores", "Add", &["z", "mask"], "scores", &[])
        .node("y", "Softmax", &["scores"], "y", &[]);
    let row = |at: u16| {
        let seen = |cell: u16| {
            if at < 24 || !(at + cell).is_multiple_of(3) {
                1.0
            } else {
                0.0
            }
        };
        let score = |cell: u16| (f32::from((at * 7 + cell * 13) % 31) - 15.0) / 10.0;
        (0..8).map(seen).chain((0..8).map(score)).collect()
    };
    let rows: Vec<Vec<f32>> = (0..32).map(row).collect();
    assert!(snr_db(import(&model), &rows, 24) > 26.0);
}

#[test]
fn features_of_a_single_number_are_refused() {
    let options = ImportOptions {
        no_batch: true,
        ..ImportOptions::default()
    };
    for (op, inputs) in [
        ("Normalizer", &["one"] as &[&str]),
        ("ArrayFeatureExtractor", &["one", "places"]),
    ] {
        let norm = [("norm", Attr::Text("L2".to_owned()))];
        let attributes = if op == "Normalizer" { &norm[..] } else { &[] };
        let model = Model::new(&["4"])
            .ints("axes", &[1], &[0])
            .ints("places", &[1], &[0])
            .node(
                "sum",
                "ReduceSum",
                &["x", "axes"],
                "one",
                &[("keepdims", Attr::Int(0))],
            )
            .node_in(CLASSIC, ("classic", op), (inputs, &["y"]), attributes);
        let model = OnnxModel::decode(&model.encode()).unwrap();
        let refused = FloatGraph::import(&model, &options).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("\"classic\"") && text.contains("rank 0"),
            "{text}"
        );
    }
}

#[test]
fn zeros_that_are_broadcast_over_a_mask_stay_zeros() {
    let model = Model::new(&["batch", "1"])
        .floats("state", &[4], &[0.0; 4])
        .floats("bias", &[4], &[1.0, 2.0, 3.0, 4.0])
        .node("kept", "Mul", &["state", "x"], "kept", &[])
        .node("fresh", "Mul", &["bias", "x"], "fresh", &[])
        .node("y", "Add", &["kept", "fresh"], "y", &[]);
    let graph = import(&model);
    assert_eq!(graph.run(&[2.0]).unwrap(), [2.0, 4.0, 6.0, 8.0]);
    // The one that the bias is in.
    let pairs = graph.nodes().iter().filter(|node| node.inputs.len() == 2);
    assert_eq!(pairs.count(), 1, "{graph:?}");
}

#[test]
fn features_of_very_different_sizes_are_scaled_before_they_are_picked() {
    // A length, an area that nothing reads and a smoothness, as SelectKBest and StandardScaler in a row.
    let model = Model::new(&["batch", "3"])
        .ints("places", &[2], &[2, 0])
        .node_in(
            CLASSIC,
            ("picks", "ArrayFeatureExtractor"),
            (&["x", "places"], &["some"]),
            &[],
        )
        .node_in(
            CLASSIC,
            ("scaler", "Scaler"),
            (&["some"], &["y"]),
            &[
                ("offset", Attr::Floats(vec![0.01, 100.0])),
                ("scale", Attr::Floats(vec![1000.0, 0.1])),
            ],
        );
    assert_answers(&model, &[110.0, 5e3, 0.012], &[2.0, 1.0]);
    let row = |at: u16| {
        let part = |factor: u16| f32::from(at * factor % 31) - 15.0;
        vec![100.0 + part(7), 1e3 * part(5), 0.01 + part(11) / 1e4]
    };
    let rows: Vec<Vec<f32>> = (0..64).map(row).collect();
    let found = snr_db(import(&model), &rows, 48);
    assert!(found > 40.0, "{found} dB");
}

#[test]
fn an_input_of_one_number_for_each_sample_may_have_no_other_axis() {
    let model = Model::of_ids(&["batch"])
        .ints("axes", &[1], &[1])
        .floats("rates", &[2], &[0.5, 0.25])
        .node("column", "Unsqueeze", &["x", "axes"], "column", &[])
        .node("real", "Cast", &["column"], "real", &[("to", Attr::Int(1))])
        .node("y", "Mul", &["real", "rates"], "y", &[]);
    assert_answers(&model, &[6.0], &[3.0, 1.5]);
}

#[test]
fn a_norm_of_channels_takes_several_lines_of_a_sample() {
    let model = Model::new(&["batch", "2", "2", "3"])
        .ints("lines", &[3], &[-1, 2, 3])
        .ints("apart", &[4], &[-1, 2, 2, 3])
        .floats("scale", &[2], &[2.0, 10.0])
        .floats("zeros", &[2], &[0.0; 2])
        .floats("ones", &[2], &[1.0; 2])
        .node("merge", "Reshape", &["x", "lines"], "merged", &[])
        .node(
            "norm",
            "BatchNormalization",
            &["merged", "scale", "zeros", "zeros", "ones"],
            "normal",
            &[("epsilon", Attr::Float(0.0))],
        )
        .node("split", "Reshape", &["normal", "apart"], "y", &[]);
    let row = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 4.0, 5.0, 6.0];
    let wanted = [
        2.0, 4.0, 6.0, 10.0, 20.0, 30.0, 8.0, 10.0, 12.0, 40.0, 50.0, 60.0,
    ];
    assert_answers(&model, &row, &wanted);
}

#[test]
fn several_pictures_of_a_sample_are_convolved_one_by_one() {
    let row = |at: u16| -> Vec<f32> {
        let cell = |cell: u16| f32::from((at * 7 + cell * 13 + cell * at) % 31) / 15.0 - 1.0;
        (0..3 * 2 * 5 * 5).map(cell).collect()
    };
    let weights: Vec<f32> = (0..4 * 2 * 9_u16)
        .map(|at| f32::from(at * 11 % 17) / 8.0 - 1.0)
        .collect();
    let network = |model: Model| {
        model
            .floats("w", &[4, 2, 3, 3], &weights)
            .floats("scale", &[4], &[1.0, 0.5, 2.0, 1.5])
            .floats("zeros", &[4], &[0.0; 4])
            .floats("ones", &[4], &[1.0; 4])
            .node("conv", "Conv", &["pictures", "w"], "c", &[])
            .node(
                "norm",
                "BatchNormalization",
                &["c", "scale", "ones", "zeros", "ones"],
                "n",
                &[],
            )
            .node("relu", "Relu", &["n"], "r", &[])
            .node(
                "pool",
                "MaxPool",
                &["r"],
                "p",
                &[("kernel_shape", Attr::Ints(vec![3, 3]))],
            )
    };
    let several = Model::new(&["batch", "3", "2", "5", "5"])
        .ints("merged", &[4], &[-1, 2, 5, 5])
        .ints("apart", &[3], &[-1, 3, 4])
        .node("merge", "Reshape", &["x", "merged"], "pictures", &[]);
    let several = network(several).node("split", "Reshape", &["p", "apart"], "y", &[]);
    let one =
        Model::new(&["batch", "2", "5", "5"]).node("same", "Identity", &["x"], "pictures", &[]);
    let one = network(one).node("flat", "Flatten", &["p"], "y", &[]);
    let wanted: Vec<f32> = row(1)
        .chunks(2 * 5 * 5)
        .flat_map(|picture| import(&one).run(picture).unwrap())
        .collect();
    assert_answers(&several, &row(1), &wanted);
    let rows: Vec<Vec<f32>> = (0..40).map(row).collect();
    let found = snr_db(import(&several), &rows, 32);
    assert!(found > 26.0, "{found} dB");
    let names: Vec<String> = import(&several)
        .fuse()
        .nodes()
        .iter()
        .map(|n| n.name.clone())
        .collect();
    assert!(names.contains(&"pool[2]".to_owned()), "{names:?}");
}
