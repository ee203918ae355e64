//! Operators: interpreter, runtime on every instruction set of this machine, leaf contracts.

use std::fmt::Write as _;

use alloy_primitives::I256;
use selfsame_conformance::generator::{Rng, case};
use selfsame_conformance::operators::{
    Engine, Implementation, KINDS, LeafContracts, Matrix, Mutation, Refused, Registry, Subject,
    Verdict, mutate, open, picks, reference_verdict, revert_data, spoil,
};
use selfsame_dispute::{NodeFacts, evaluate};
use selfsame_interpreter::Trace;
use selfsame_ir::{DimValues, Tensor};
use selfsame_kernels::Kernel;
use selfsame_protocol::Hash;

const SEED: u64 = 0x5e1f_5a3e_0000_0001;

/// `slice` normally, `full` with `SELFSAME_SOAK=1`.
fn count(slice: u64, full: u64) -> u64 {
    if soak() { full } else { slice }
}

fn soak() -> bool {
    std::env::var("SELFSAME_SOAK").is_ok_and(|value| value == "1")
}

fn subject(index: u64) -> Subject {
    let case =
        case(SEED, index).unwrap_or_else(|error| panic!("seed {SEED:#x}, case {index}: {error}"));
    Subject::new(case, SEED ^ index)
        .unwrap_or_else(|error| panic!("seed {SEED:#x}, case {index}: {error}"))
}

/// Spec: operators, 2.10 to 2.17.
#[test]
fn all_implementations_agree_on_random_programs() {
    let cases = count(1_000, 20_000);
    let mut leaves = LeafContracts::deploy().expect("the leaf contracts deploy");
    let mut others: Vec<Box<dyn Implementation>> = Vec::new();
    others.extend(
        Engine::all()
            .into_iter()
            .map(|engine| Box::new(engine) as Box<dyn Implementation>),
    );
    let gaps = Kernel::gaps()
        .into_iter()
        .map(|set| format!("runtime {}", set.name()))
        .collect();
    let mut all: Vec<&mut dyn Implementation> = vec![&mut leaves];
    all.extend(
        others
            .iter_mut()
            .map(|one| &mut **one as &mut dyn Implementation),
    );
    let mut matrix = Matrix::new(all.iter().map(|one| one.name()).collect(), gaps);

    let mut totals = vec![0_u64; all.len()];
    for index in 0..cases {
        let subject = subject(index);
        let compared: Vec<u64> = all
            .iter_mut()
            .map(|one| {
                one.compare(&subject).unwrap_or_else(|difference| {
                    panic!("seed {SEED:#x}, case {index}: {difference}")
                })
            })
            .collect();
        matrix.add(&subject, &compared);
        for (total, compared) in totals.iter_mut().zip(compared) {
            *total += compared;
        }
    }

    let figures: Vec<String> = all
        .iter()
        .zip(&totals)
        .map(|(one, total)| format!("{}={total}", one.name().replace(' ', "-")))
        .collect();

    let mut report = matrix.rows();
    report.push_str(&matrix.columns());
    let (gas, bytes) = leaves.worst_gas;
    // Infallible: the target is a String.
    let _ = writeln!(
        report,
        "largest leaf call: {gas} gas, {bytes} bytes of calldata"
    );
    eprintln!("{report}");
    println!("figure: programs cases={cases} seed={SEED} leaf_gas_most={gas}");
    println!("figure: elements-compared {}", figures.join(" "));

    assert_eq!(
        matrix.missed(),
        Vec::<&str>::new(),
        "features that no case had"
    );
    for kind in KINDS {
        let least = cases / 10;
        assert!(
            matrix.count(kind) >= least,
            "{kind}: {} nodes of at least {least}",
            matrix.count(kind)
        );
    }
    if !soak() {
        compare_committed(&matrix.committed());
    }
}

/// Found by the long run: a convolution of int16 with two groups of 1,086 channels, whose sums need
/// several planes.
#[test]
fn cases_that_once_differed_agree() {
    for index in [2_354] {
        let subject = subject(index);
        for mut engine in Engine::all() {
            engine
                .compare(&subject)
                .unwrap_or_else(|difference| panic!("case {index}: {difference}"));
        }
    }
}

/// Spec: programs, 1.3: a symbolic program means the same in every implementation at every value.
#[test]
fn all_implementations_agree_at_every_value_of_a_symbol() {
    let mut leaves = LeafContracts::deploy().expect("the leaf contracts deploy");
    let (mut programs, mut runs) = (0_u64, 0_u64);
    for index in 0..count(200, 5_000) {
        let drawn =
            case(SEED ^ 0x51ab, index).unwrap_or_else(|error| panic!("case {index}: {error}"));
        let &[symbol] = drawn.program.program().symbols.as_slice() else {
            continue;
        };
        programs += 1;
        for value in symbol.minimum..=symbol.maximum {
            let case = drawn.at(DimValues(vec![value]), index);
            let subject = Subject::new(case, SEED ^ index)
                .unwrap_or_else(|error| panic!("case {index} at {value}: {error}"));
            let mut engines = Engine::all();
            let all = engines.iter_mut().map(|one| one as &mut dyn Implementation);
            for one in all.chain([&mut leaves as &mut dyn Implementation]) {
                one.compare(&subject)
                    .unwrap_or_else(|difference| panic!("case {index} at {value}: {difference}"));
            }
            runs += 1;
        }
    }
    println!("figure: symbolic programs={programs} values={runs}");
    assert!(
        20 < programs && programs < runs,
        "{programs} programs, {runs} values"
    );
}

/// A comparison that finds nothing wrong with a wrong integer would be worth nothing.
#[test]
fn one_wrong_integer_is_found_by_every_implementation_at_its_place() {
    let mut leaves = LeafContracts::deploy().expect("the leaf contracts deploy");
    for index in 0..40 {
        let mut spoiled = subject(index);
        let node = u32::try_from(spoiled.program.nodes().len() - 1).expect("a handful");
        let mut outputs = spoiled.trace.clone().into_outputs();
        let tensor = &outputs[node as usize];
        let mut values: Vec<i32> = tensor.iter().collect();
        // The first and the last element are always looked at.
        let element = if index % 2 == 0 {
            0
        } else {
            tensor.len() as u64 - 1
        };
        let place = usize::try_from(element).expect("an element in memory");
        values[place] = if values[place] > 0 {
            values[place] - 1
        } else {
            values[place] + 1
        };
        outputs[node as usize] =
            Tensor::from_values(tensor.dtype(), &values).expect("still in range");
        spoiled.trace = Trace::new(outputs, spoiled.trace.committed());

        let mut all: Vec<Box<dyn Implementation>> = Vec::new();
        all.extend(
            Engine::all()
                .into_iter()
                .map(|engine| Box::new(engine) as Box<dyn Implementation>),
        );
        for one in all
            .iter_mut()
            .map(|one| &mut **one)
            .chain([&mut leaves as &mut dyn Implementation])
        {
            let found = one.compare(&spoiled).expect_err("a wrong integer");
            assert_eq!(
                (found.node, found.element),
                (node, Some(element)),
                "case {index}: {found}"
            );
        }
    }
}

/// Compares with the committed matrix, or writes it when `SELFSAME_BLESS=1`.
fn compare_committed(text: &str) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/operators.matrix.txt");
    if std::env::var("SELFSAME_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(file, text).expect("the matrix can be written");
    }
    let committed = std::fs::read_to_string(file).expect("the matrix is committed");
    assert_eq!(
        text, committed,
        "the matrix changed; SELFSAME_BLESS=1 writes it anew"
    );
}

/// Spec: claims, 3.4.
#[test]
fn the_registry_accepts_every_program_under_the_id_that_rust_gives_it() {
    let mut registry = Registry::deploy().expect("the registry deploys");
    for index in 0..count(300, 5_000) {
        let subject = subject(index);
        let posted = Mutation::none(&subject);
        let verdict = registry
            .verdict(&posted)
            .unwrap_or_else(|refused| panic!("case {index}: {refused:?}"));
        assert_eq!(
            verdict,
            Verdict::Accepted(subject.commitment.model_id),
            "case {index}"
        );
        assert_eq!(
            reference_verdict(&posted),
            verdict,
            "case {index}: the reference"
        );
    }
}

/// Spec: programs, 1.2 to 1.14.
#[test]
fn the_registry_accepts_exactly_the_mutants_that_rust_accepts() {
    let mut registry = Registry::deploy().expect("the registry deploys");
    let (mut accepted, mut refused, mut unknown) = (0_u64, 0_u64, 0_u64);
    for index in 0..count(300, 5_000) {
        let subject = subject(index);
        let mut rng = Rng::new(SEED ^ 0x3a7a, index);
        for _ in 0..20 {
            let posted = mutate(&subject, &mut rng);
            let expected = reference_verdict(&posted);
            let actual = registry.verdict(&posted).unwrap_or_else(|other| {
                panic!("case {index}: {other:?} for {posted:?}; Rust: {expected:?}")
            });
            match (&expected, &actual) {
                (Verdict::Unknown, _) => unknown += 1,
                (Verdict::Accepted(_), _) => {
                    assert_eq!(actual, expected, "case {index}: {posted:?}");
                    accepted += 1;
                }
                (Verdict::Refused(why), Verdict::Refused(_)) => {
                    assert!(!why.is_empty());
                    refused += 1;
                }
                (Verdict::Refused(why), _) => {
                    panic!("case {index}: accepted, Rust refuses: {why}; {posted:?}")
                }
            }
        }
    }
    println!(
        "figure: registry-mutants accepted_by_both={accepted} refused_by_both={refused} unknown={unknown}"
    );
    assert!(
        accepted > 200 && refused > 1_000,
        "{accepted} accepted, {refused} refused"
    );
    assert!(
        unknown * 100 < accepted + refused,
        "{unknown} mutants without a verdict"
    );
}

/// Spec: commitments, 2.4 and 2.5; game, 4.8.
#[test]
fn spoiled_openings_are_refused_by_the_same_error_in_both_languages() {
    let mut leaves = LeafContracts::deploy().expect("the leaf contracts deploy");
    let (mut refused, mut other_roots) = (0_u64, 0_u64);
    for index in 0..count(200, 5_000) {
        let subject = subject(index);
        let mut rng = Rng::new(SEED ^ 0x0de2, index);
        let node = u32::try_from(subject.program.nodes().len() - 1).expect("a handful");
        for element in picks(&subject, node) {
            let (mut openings, roots) = open(&subject, node, element);
            spoil(&mut openings, &mut rng);
            let model = NodeFacts {
                program: &subject.program,
                commitment: &subject.commitment,
                values: &subject.values,
            };
            let expected = evaluate(&model, node, element, &openings);
            let actual = leaves.evaluate(&subject, node, element, &openings);
            let what = format!("case {index}, node {node}, element {element}");
            match (expected, actual) {
                (Ok(expected), Ok((value, actual))) => {
                    let inputs = expected
                        .input_roots
                        .iter()
                        .map(|root| root.unwrap_or_default());
                    let inputs: Vec<Hash> = inputs.collect();
                    assert_eq!(inputs, actual[..inputs.len()], "{what}: roots");
                    assert_eq!(
                        I256::try_from(expected.value).ok(),
                        Some(value),
                        "{what}: value"
                    );
                    other_roots += u64::from(actual != roots);
                }
                (Err(refusal), Err(Refused::Reverted(data))) => {
                    assert_eq!(revert_data(&refusal), Some(data), "{what}: {refusal}");
                    refused += 1;
                }
                (expected, actual) => panic!("{what}: Rust {expected:?}, contract {actual:?}"),
            }
        }
    }
    eprintln!("spoiled openings: {refused} refused alike, {other_roots} lead to other input roots");
    assert!(
        refused > 500 && other_roots > 50,
        "{refused} refused, {other_roots} other roots"
    );
}
