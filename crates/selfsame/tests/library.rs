//! What callers of the library may rely on, on the shipped models.

use std::path::{Path, PathBuf};

use selfsame::verify::{self, decode};
use selfsame::{
    Engine, Error, InputError, Kernel, Model, OpenError, RunError, RunOptions, Tensor, Values,
    floats,
};
use selfsame_receipt::{Core, Domain, Evidence, Receipt, encode};

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models")
        .join(file)
}

fn model(name: &str) -> Model {
    Model::load(path(&format!("{name}/program.selfsame"))).expect("is shipped")
}

/// `count` samples of floats that touch the whole range of the input.
fn samples(model: &Model, count: usize) -> Vec<f32> {
    let len = count * model.input().elements();
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 20).expect("12 bits")) / 3000.0
    };
    (0..len).map(|_| next()).collect()
}

const NAMES: [&str; 4] = ["cancer", "mlp", "lenet", "resnet20"];

#[test]
fn every_engine_batch_and_thread_count_gives_the_same_answers() {
    for name in NAMES {
        let model = model(name);
        let input = samples(&model, 3);
        let answer = model.output().elements();
        let interpreter = RunOptions {
            engine: Engine::Interpreter,
            ..RunOptions::default()
        };
        // One sample is enough for what takes seconds.
        let sample = &input[..model.input().elements()];
        let mut meaning = model.runner(&interpreter).expect("opens");
        let wanted = meaning.run(sample).expect("runs");
        for kernel in Kernel::available() {
            for threads in [1, 3] {
                let mut runner = model
                    .runner(&RunOptions {
                        engine: Engine::Kernel(kernel),
                        threads,
                        ..RunOptions::default()
                    })
                    .expect("opens");
                let batch = runner.run(&input).expect("runs");
                assert_eq!(batch.len(), 3 * answer);
                assert_eq!(batch[..answer], wanted, "{name} on {}", kernel.name());
                assert_eq!(runner.packed().runner().run(&input), Ok(batch));
            }
        }
    }
}

#[test]
fn floats_integers_and_tensors_are_one_way() {
    for name in NAMES {
        let model = model(name);
        let input = samples(&model, 2);
        let sample = model.input().elements();
        let mut runner = model.runner(&RunOptions::default()).expect("opens");
        let tensors = model.tensors(&Values::Floats(input.clone())).expect("fits");
        let answers = runner.run(&input).expect("runs");
        for (index, tensor) in tensors.iter().enumerate() {
            let row = &input[index * sample..(index + 1) * sample];
            assert_eq!(runner.quantize(row).as_ref(), Ok(tensor), "{name}");
            let output = runner.output(tensor).expect("runs");
            let own = &answers[index * output.len()..(index + 1) * output.len()];
            assert_eq!(runner.dequantize(&output).expect("fits"), own, "{name}");
            let doubles = floats(model.interface(), &output);
            assert!(
                doubles
                    .iter()
                    .zip(own)
                    .all(|(a, b)| (a - f64::from(*b)).abs() < 1e-6)
            );
            let (root, traced) = runner.trace_root(tensor).expect("runs");
            assert_eq!(traced, output);
            assert_eq!(root, runner.trace(tensor).expect("runs").root());
        }
    }
}

#[test]
fn a_model_reads_back_from_its_bytes_and_damage_is_refused() {
    let model = model("mlp");
    let bytes = model.to_bytes();
    assert_eq!(
        bytes,
        std::fs::read(path("mlp/program.selfsame")).expect("is shipped")
    );
    assert_eq!(
        Model::from_bytes(&bytes).map(|model| model.id()),
        Ok(model.id())
    );
    for index in (0..bytes.len()).step_by(97) {
        let mut damaged = bytes.clone();
        damaged[index] ^= 1;
        if let Ok(other) = Model::from_bytes(&damaged) {
            // Names are not part of the id.
            assert_eq!(other.id(), model.id(), "byte {index}");
        }
    }
    let missing = Model::load(path("nowhere"))
        .map_err(Error::from)
        .expect_err("no file");
    assert!(missing.to_string().contains("nowhere"), "{missing}");
}

#[test]
fn what_does_not_fit_is_refused_with_its_numbers() {
    let model = model("mlp");
    let mut runner = model.runner(&RunOptions::default()).expect("opens");
    assert_eq!(
        runner.run(&[0.0; 63]),
        Err(RunError::Input(InputError::Length {
            numbers: 63,
            sample: 64
        }))
    );
    let mut nan = vec![0.0; 128];
    nan[70] = f32::NAN;
    let error = runner.run(&nan).expect_err("not a number");
    assert!(error.to_string().starts_with("element 70"), "{error}");
    assert_eq!(
        runner.run_into(&[0.0; 64], &mut [0.0; 11]),
        Err(RunError::Input(InputError::Room {
            room: 11,
            samples: 1,
            answer: 10
        }))
    );
    // A refused call leaves the runner as good as new.
    assert_eq!(runner.run(&[0.0; 64]).map(|answers| answers.len()), Ok(10));
    let low = Tensor::I8(vec![i8::MIN; 64]);
    assert!(runner.output(&low).is_err());
    let small = RunOptions {
        memory_bytes_max: 10,
        ..RunOptions::default()
    };
    let error = model.runner(&small).expect_err("ten bytes are few");
    assert!(
        matches!(
            error,
            OpenError::Memory {
                allowed: 10,
                threads: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn another_engine_finds_every_integer_again() {
    for name in ["cancer", "mlp", "lenet"] {
        let model = model(name);
        let mut runner = model.runner(&RunOptions::default()).expect("opens");
        let input = runner.quantize(&samples(&model, 1)).expect("fits");
        for engine in [Engine::Interpreter, Engine::Kernel(Kernel::PORTABLE)] {
            let again = verify::again(&mut runner, &input, engine).expect("runs");
            assert_eq!(again.difference, None);
            let (root, output) = runner.trace_root(&input).expect("runs");
            assert_eq!((again.trace_root, again.output_root), (root, output.root()));
        }
    }
}

/// A receipt without a signature, of one honest run or of one with another output.
fn receipt(model: &Model, honest: bool) -> String {
    let mut runner = model.runner(&RunOptions::default()).expect("opens");
    let input = runner.quantize(&samples(model, 1)).expect("fits");
    let mut output = runner.output(&input).expect("runs").to_bytes();
    output[1] ^= u8::from(!honest);
    let elements = model.output().elements();
    let claimed = Tensor::from_bytes(model.output().dtype, elements, &output).expect("fits");
    let core = Core {
        version: selfsame_receipt::RECEIPT_VERSION,
        model_id: model.id(),
        input_root: input.root(),
        output_root: claimed.root(),
        ..Core::default()
    };
    encode(&Receipt {
        domain: Domain {
            chain_id: 1,
            verifying_contract: [0; 20],
        },
        core,
        evidence: vec![Evidence::Output(output), Evidence::Input(input.to_bytes())],
    })
}

#[test]
fn a_receipt_is_checked_offline_by_running_its_model_again() {
    let model = model("mlp");
    let mut runner = model.runner(&RunOptions::default()).expect("opens");
    for honest in [true, false] {
        let text = receipt(&model, honest);
        let report = verify::check_receipt(&text, Some(&mut runner), None).expect("a receipt");
        let replay = report
            .checks
            .iter()
            .find(|check| check.name == "model-replay");
        let named: Vec<_> = report.checks.iter().map(|check| check.name).collect();
        assert_eq!(replay.map(|check| check.ok), Some(honest), "{named:?}");
        let given = decode(&text).expect("a receipt");
        let bytes = given.input().expect("is attached");
        let replay = verify::replay(&mut runner, &given, Some(&bytes[1..])).expect("runs");
        assert_eq!(
            replay.map(|replay| replay.output_root),
            Some(selfsame::Hash::ZERO)
        );
    }
    assert!(verify::check_receipt("{}", None, None).is_err());
}
