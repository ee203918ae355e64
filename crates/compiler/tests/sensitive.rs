//! Networks whose answers are small differences of large values keep them: weights in two planes,
//! int16 input, averages of int16.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod onnx_writer;

use onnx_writer::{Attr, Model};
use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, Compiled, ImportReport, Options, TestRows, TrainingRows, compile, import_report,
};
use selfsame_ir::{CheckedProgram, DType, DimValues, Op, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

/// Channels and sides of the pictures.
const CHANNELS: usize = 8;
const SIDE: usize = 4;

/// Numbers in -1..1 that look random.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(self.0 >> 48).unwrap()) / 32_768.0 - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Convolution, `ReLU`, what `middle` makes of `b` as `c`, convolution: `pairs` of channels with nearly
/// the same weights, of which the answers are the differences.
fn of_differences(pairs: usize, middle: impl FnOnce(Model) -> Model) -> FloatGraph {
    let mut numbers = Numbers(5);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let row = numbers.many(CHANNELS);
        first.extend_from_slice(&row);
        first.extend(row.iter().map(|w| w + 0.01 * numbers.next()));
        second.extend([1.0, -1.0]);
    }
    let wide = u64::try_from(2 * pairs).unwrap();
    let model = Model::new(&["batch", "8", "4", "4"])
        .floats("v", &[wide, 8, 1, 1], &first)
        .floats("w", &[1, wide, 1, 1], &second)
        .node("first", "Conv", &["x", "v"], "a", &[])
        .node("relu", "Relu", &["a"], "b", &[]);
    let model = middle(model).node("second", "Conv", &["c", "w"], "y", &[]);
    let model = OnnxModel::decode(&model.encode()).unwrap();
    FloatGraph::from_onnx(&model).unwrap().fuse()
}

/// Averages of four cells.
fn averages(model: Model) -> Model {
    let pool = [
        ("kernel_shape", Attr::Ints(vec![2, 2])),
        ("strides", Attr::Ints(vec![2, 2])),
    ];
    model.node("pool", "AveragePool", &["b"], "c", &pool)
}

/// A window of 5 x 5 over each of 1,600 channels, the same for both of a pair, and what it reads added.
fn wide_windows(model: Model) -> Model {
    let mut numbers = Numbers(9);
    let each = (0..800).flat_map(|_| numbers.many(25).repeat(2));
    let attributes = [
        ("group", Attr::Int(1_600)),
        ("pads", Attr::Ints(vec![2, 2, 2, 2])),
    ];
    model
        .floats("u", &[1_600, 1, 5, 5], &each.collect::<Vec<_>>())
        .node("windows", "Conv", &["b", "u"], "d", &attributes)
        .node("residual", "Add", &["d", "b"], "c", &[])
}

/// The program of a graph, and how near it is on rows that calibration has not seen.
fn imported(graph: FloatGraph) -> (Compiled, ImportReport) {
    let mut numbers = Numbers(7);
    let rows: Vec<Vec<f32>> = (0..24)
        .map(|_| numbers.many(CHANNELS * SIDE * SIDE))
        .collect();
    let calibration = Calibration::collect(&graph, TrainingRows::before(&rows, 16), 16).unwrap();
    let compiled = compile(graph, &calibration, &Options::default()).unwrap();
    let trace = |program: &CheckedProgram, input: Tensor| {
        let plan = Plan::new(program, &DimValues::NONE, Kernel::best()).unwrap();
        let fast = Session::new(plan.into(), 1).trace(&input).unwrap();
        let slow = selfsame_interpreter::run(program, &DimValues::NONE, input).unwrap();
        assert_eq!(fast.node_tensors, slow.outputs());
        fast.node_tensors
    };
    let rows = TestRows {
        rows: &rows[16..],
        labels: &[],
    };
    let report = import_report(&compiled, rows, trace).unwrap();
    (compiled, report)
}

/// Element types of what the convolutions of a program read.
fn read_by_convolutions(compiled: &Compiled) -> Vec<DType> {
    let nodes = compiled.program.program().nodes.iter();
    let read = nodes.filter_map(|node| match &node.op {
        Op::Conv(conv) => Some(conv.dtype),
        _ => None,
    });
    read.collect()
}

#[test]
fn differences_of_large_values_survive_in_two_planes_of_weights() {
    let (compiled, report) = imported(of_differences(32, averages));
    let snr_db = report.comparison.snr_db;
    assert!(snr_db > 26.0, "{snr_db:.1} dB");
    // Two planes, the average, one plane of 1 and -1; all read int16.
    assert_eq!(read_by_convolutions(&compiled), [DType::I16; 4]);
}

#[test]
fn sums_of_more_terms_than_int16_may_have_read_int8() {
    let (compiled, _) = imported(of_differences(4_200, averages));
    let read = read_by_convolutions(&compiled);
    assert_eq!(read.last(), Some(&DType::I8));
}

#[test]
fn a_window_that_a_step_cannot_open_stands_in_parts_of_the_channels() {
    let (compiled, report) = imported(of_differences(800, wide_windows));
    let snr_db = report.comparison.snr_db;
    assert!(snr_db > 26.0, "{snr_db:.1} dB");
    // Two planes, two halves, one plane; all read int16.
    assert_eq!(read_by_convolutions(&compiled), [DType::I16; 5]);
    let nodes = compiled.program.program().nodes.iter();
    let halves = nodes.filter(|node| matches!(&node.op, Op::Conv(conv) if conv.groups == 800));
    assert_eq!(halves.count(), 2);
}

/// What follows the differences amplifies nothing: int8 does for its weights, whatever they are.
#[test]
fn only_what_loses_the_answers_stands_in_two_planes() {
    let mut numbers = Numbers(5);
    let (mut first, mut second) = (Vec::new(), vec![0.0; 8 * 16]);
    for pair in 0..8 {
        let row = numbers.many(CHANNELS);
        first.extend_from_slice(&row);
        first.extend(row.iter().map(|w| w + 0.01 * numbers.next()));
        second[pair * 16 + 2 * pair..][..2].copy_from_slice(&[0.7, -0.7]);
    }
    let model = Model::new(&["batch", "8", "4", "4"])
        .floats("v", &[16, 8, 1, 1], &first)
        .floats("w", &[8, 16, 1, 1], &second)
        .floats("u", &[8, 8, 1, 1], &numbers.many(64))
        .node("first", "Conv", &["x", "v"], "a", &[])
        .node("relu", "Relu", &["a"], "b", &[])
        .node("second", "Conv", &["b", "w"], "c", &[])
        .node("third", "Conv", &["c", "u"], "y", &[]);
    let model = OnnxModel::decode(&model.encode()).unwrap();
    let (compiled, report) = imported(FloatGraph::from_onnx(&model).unwrap().fuse());
    let snr_db = report.comparison.snr_db;
    assert!(snr_db > 28.0, "{snr_db:.1} dB");
    // Two planes, one of words, one of bytes.
    let read = [DType::I16, DType::I16, DType::I16, DType::I8];
    assert_eq!(read_by_convolutions(&compiled), read);
}
