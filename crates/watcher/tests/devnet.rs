//! Provider and watcher on the embedded chain, over JSON-RPC, with a real model.

use std::sync::Arc;

use selfsame::Model;
use selfsame_agent::{LoadedModel, Plant, Shelf, word};
use selfsame_chain::bindings::{ModelRegistry, ProviderRegistry, Requests};
use selfsame_chain::{B256, ChainConstants, Child, Client, Deployment, Event, Key, Set, U256};
use selfsame_compiler::float::{FloatGraph, ImportOptions};
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, CompileError, OpenDimension, Options, TrainingRows, compile, compile_open, npz,
};
use selfsame_devnet::{Config, Devnet, dev_key};
use selfsame_ir::{CheckedProgram, Tensor};
use selfsame_provider::{Conduct, Note as Done, Policy, Provider};
use selfsame_watcher::{Finding, Note, Watcher};

const ETHER: u64 = 1_000_000_000_000_000_000;

struct World {
    devnet: Devnet,
    set: Set,
    /// The model as it is published.
    shelved: Arc<LoadedModel>,
    /// The same at the values of its symbols that requests name.
    model: Arc<LoadedModel>,
    input: Tensor,
    folder: tempfile::TempDir,
}

/// `LeNet` with the nodes `interior` committed to only when a game asks.
fn lenet(interior: &[u32]) -> (LoadedModel, Tensor) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
    let onnx = std::fs::read(format!("{root}/lenet/model.onnx")).expect("the model is shipped");
    let graph = FloatGraph::from_onnx(&OnnxModel::decode(&onnx).expect("decodes"))
        .expect("imports")
        .fuse();
    let data = std::fs::read(format!("{root}/data/digits28.npz")).expect("the data is shipped");
    let rows = npz::read_npz_array(&data, "x").expect("holds x").to_f32();
    let rows: Vec<Vec<f32>> = rows
        .chunks(784)
        .map(|row| row.iter().map(|pixel| pixel / 255.0).collect())
        .collect();
    let calibration =
        Calibration::collect(&graph, TrainingRows::before(&rows, 1400), 64).expect("calibrates");
    let compiled = compile(graph, &calibration, &Options::default()).expect("compiles");
    let input = compiled.quantize(&rows[1400]).expect("numbers");
    let mut program = compiled.program.into_program();
    program.interior = interior.to_vec();
    let model = Model::new(CheckedProgram::new(program).expect("a chain may be cut anywhere"));
    (LoadedModel::new(&model).expect("plans"), input)
}

/// A language model of `transformers` whose length stays open, and an input of five tokens.
fn text_of_five_tokens() -> (LoadedModel, Tensor) {
    let data = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../compiler/tests/data/families"
    );
    let read = |extension: &str| {
        std::fs::read(format!("{data}/qwen3-first-sdpa-torchscript.{extension}")).expect("is data")
    };
    let onnx = OnnxModel::decode(&read("onnx")).expect("decodes");
    let graph = |length: u32| {
        let options = ImportOptions {
            dims: [("batch".to_owned(), 1), ("seq".to_owned(), length as usize)].into(),
            ..ImportOptions::default()
        };
        Ok::<_, CompileError>(FloatGraph::import(&onnx, &options).expect("imports").fuse())
    };
    let array = |name| {
        npz::read_npz_array(&read("npz"), name)
            .expect("holds it")
            .to_f32()
    };
    let rows = array("input_ids");
    let masks = array("attention_mask");
    let rows: Vec<Vec<f32>> = rows
        .chunks(16)
        .zip(masks.chunks(16))
        .map(|(ids, mask)| [ids, mask].concat())
        .collect();
    let at_16 = graph(16).expect("imports");
    let training = TrainingRows::before(&rows, 16);
    let calibration = Calibration::collect(&at_16, training, 16).expect("calibrates");
    let open = OpenDimension {
        name: "seq".to_owned(),
        minimum: 2,
        maximum: 32,
    };
    let compiled = compile_open(at_16, 16, &calibration, &open, &Options::default(), graph);
    let model = Model::new(compiled.expect("stays open").program);
    let input = Tensor::I32(vec![7, 3, 11, 2, 9, 1, 1, 1, 1, 1]);
    (LoadedModel::new(&model).expect("plans"), input)
}

async fn world() -> World {
    world_of(lenet(&[])).await
}

async fn world_of((model, input): (LoadedModel, Tensor)) -> World {
    world_at((model, input), &[]).await
}

/// A world in which `model` is published, and asked at `dimensions`.
async fn world_at((model, input): (LoadedModel, Tensor), dimensions: &[u32]) -> World {
    let devnet = Devnet::start(Config::default()).expect("starts");
    let client = Client::connect(&devnet.url, Some(1337), Some(key(0)))
        .await
        .expect("connects");
    let deployment = Deployment::new(ChainConstants::DEVNET).expect("artifacts parse");
    deployment.deploy(&client).await.expect("deploys");
    let set = Set::bind(client, deployment).await.expect("is deployed");
    let call = ModelRegistry::registerCall {
        header: model.commitment().header.clone().into(),
        nodeLeaves: model
            .commitment()
            .leaves
            .iter()
            .map(|leaf| leaf.encode().into())
            .collect(),
        locator: String::new(),
        availability: 1,
    };
    set.write(Child::ModelRegistry, &call, U256::ZERO)
        .await
        .expect("registers");
    let folder = tempfile::tempdir().expect("a folder");
    World {
        devnet,
        set,
        model: Arc::new(model.at(dimensions).expect("has these values")),
        shelved: Arc::new(model),
        input,
        folder,
    }
}

fn key(index: usize) -> Key {
    Key::from_secret(dev_key(index).0).expect("a valid key")
}

impl World {
    fn shelf(&self) -> Shelf {
        let mut shelf = Shelf::open(self.folder.path()).expect("opens");
        shelf.insert(Arc::clone(&self.shelved));
        shelf
    }

    async fn provider(&self, index: usize, conduct: Conduct) -> Provider {
        let set = self.set.with_key(key(index));
        let stake = U256::from(10 * ETHER);
        set.write(
            Child::ProviderRegistry,
            &ProviderRegistry::stakeCall {},
            stake,
        )
        .await
        .expect("stakes");
        Provider::new(set, self.shelf(), Policy::default(), conduct).expect("has a key")
    }

    async fn ask(&self, provider: usize) -> B256 {
        let set = self.set.with_key(key(9));
        let head = set.client().block(None).await.expect("a head");
        let window = set
            .read(
                Child::Requests,
                Requests::windowFloorCall {
                    modelId: word(self.model.id()),
                },
            )
            .await
            .expect("a floor");
        let price = U256::from(1_000_000_u64);
        let terms = Requests::Terms {
            modelId: word(self.model.id()),
            dimensions: self.model.values().0.clone(),
            inputRoot: word(self.input.root()),
            availability: 0,
            inputLocator: String::new(),
            provider: key(provider).address(),
            leastLevel: 4,
            asset: selfsame_chain::Address::ZERO,
            price,
            valueAtRisk: U256::from(ETHER),
            nonce: head.number,
            blockNumber: head.number,
            blockHash: head.hash,
            acceptBy: head.timestamp + 600,
            answerBy: head.timestamp + 1_200,
            window: u32::try_from(window).expect("fits"),
            callback: selfsame_chain::Address::ZERO,
            callbackGas: 0,
        };
        let call = Requests::requestCall {
            terms,
            input: self.input.to_bytes().into(),
        };
        let mined = set
            .write(Child::Requests, &call, price)
            .await
            .expect("is asked");
        let asked = set
            .events_of(&mined)
            .into_iter()
            .find_map(|event| match event {
                Event::Requests(Requests::RequestsEvents::Requested(e)) => Some(e.requestId),
                _ => None,
            });
        asked.expect("Requested is emitted")
    }
}

/// Spec: claims, 3.8 to 3.11.
#[tokio::test]
async fn an_honest_answer_is_claimed_checked_and_made_final() {
    let world = world().await;
    let mut provider = world.provider(1, Conduct::Honest).await;
    let mut watcher = Watcher::new(world.set.with_key(key(2)), world.shelf()).expect("has a key");
    let request = world.ask(1).await;
    assert!(matches!(
        provider.tick().await.expect("ticks")[..],
        [Done::Accepted(..)]
    ));
    assert!(matches!(
        provider.tick().await.expect("ticks")[..],
        [Done::Claimed(..)]
    ));
    assert!(matches!(
        watcher.tick().await.expect("ticks")[..],
        [Note::Checked(_, Finding::Right)]
    ));
    assert!(watcher.tick().await.expect("ticks").is_empty());
    world
        .devnet
        .chain()
        .increase_time(100_000)
        .expect("forward");
    world.devnet.chain().mine();
    let notes = provider.tick().await.expect("ticks");
    assert!(matches!(notes[..], [Done::Finalized(..)]), "{notes:?}");
    let claim = world
        .set
        .read(
            Child::Requests,
            Requests::requestOfCall { requestId: request },
        )
        .await;
    assert_eq!(claim.expect("exists").status, 4, "final");
}

/// Plays until the liar is convicted, or nobody has anything left to do.
async fn convict(world: &World, plant: Plant, contest: bool) -> (Option<(u32, u64)>, Vec<String>) {
    let mut liar = world.provider(3, Conduct::Planted(plant)).await;
    let mut watcher = Watcher::new(world.set.with_key(key(2)), world.shelf()).expect("has a key");
    let request = world.ask(3).await;
    let mut seen = Vec::new();
    for round in 0..30 {
        for note in liar.tick().await.expect("ticks") {
            seen.push(note.to_string());
        }
        for note in watcher.tick().await.expect("ticks") {
            seen.push(note.to_string());
            if let Note::Convicted { node, element, .. } = note {
                let ask = Requests::requestOfCall { requestId: request };
                let view = world.set.read(Child::Requests, ask).await.expect("exists");
                assert_eq!(view.status, 6, "convicted");
                return (Some((node, element)), seen);
            }
        }
        if contest && round == 2 {
            watcher.contest(request);
        }
    }
    (None, seen)
}

/// Spec: game, 4.15.
#[tokio::test]
async fn a_wrong_output_is_found_and_convicted_at_exactly_the_planted_integer() {
    let (convicted, planted, seen) = convict_output(&world().await).await;
    assert_eq!(convicted, Some(planted), "{seen:#?}");
}

/// Spec: game, 4.4 and 4.5.
#[tokio::test]
async fn a_wrong_value_inside_a_segment_is_convicted_after_the_segment_was_opened() {
    let world = world_of(lenet(&[1, 2, 3])).await;
    let (convicted, planted, seen) = convict_output(&world).await;
    assert_eq!(convicted, Some(planted), "{seen:#?}");
    let opened = seen.iter().filter(|note| note.contains("segment")).count();
    assert_eq!(opened, 1, "{seen:#?}");
}

/// Plants a value in node 1 that changes the output; what was convicted, what was planted, and the notes.
async fn convict_output(world: &World) -> (Option<(u32, u64)>, (u32, u64), Vec<String>) {
    let plant = plant_in_output(world);
    let (convicted, seen) = convict(world, plant, false).await;
    (convicted, (plant.node, plant.element), seen)
}

/// A value of node 1 that changes the output.
fn plant_in_output(world: &World) -> Plant {
    let plants = (2_000..2_400).map(|element| Plant {
        node: 1,
        element,
        delta: 60,
    });
    first_that_reaches_the_output(world, plants)
}

/// The first of these that changes the output.
fn first_that_reaches_the_output(world: &World, plants: impl IntoIterator<Item = Plant>) -> Plant {
    let honest = world.model.trace(&world.input).expect("runs");
    let program = world.model.program();
    let output = program.program().output;
    let reaches_output = |plant: &Plant| {
        let trace = plant
            .apply(program, world.model.values(), &honest)
            .expect("plants");
        trace.output(output) != honest.output(output)
    };
    let found = plants.into_iter().find(reaches_output);
    found.expect("some value reaches the output")
}

/// Spec: claims, 3.6, and game, 4.15: the values of the symbols that a request names hold in its game.
#[tokio::test]
async fn a_text_of_another_length_than_the_longest_is_answered_checked_and_judged() {
    let world = world_at(text_of_five_tokens(), &[5]).await;
    let mut provider = world.provider(1, Conduct::Honest).await;
    let mut watcher = Watcher::new(world.set.with_key(key(4)), world.shelf()).expect("has a key");
    let request = world.ask(1).await;
    let named = Requests::dimensionsHashOfCall { requestId: request };
    let named = world
        .set
        .read(Child::Requests, named)
        .await
        .expect("exists");
    assert_eq!(named, word(world.model.values().hash()));
    let accepted = provider.tick().await.expect("ticks");
    assert!(matches!(accepted[..], [Done::Accepted(..)]), "{accepted:?}");
    let claimed = provider.tick().await.expect("ticks");
    assert!(matches!(claimed[..], [Done::Claimed(..)]), "{claimed:?}");
    let checked = watcher.tick().await.expect("ticks");
    let right = matches!(checked[..], [Note::Checked(_, Finding::Right)]);
    assert!(right, "{checked:?}");
    let plant = plant_behind(&world);
    let (convicted, seen) = convict(&world, plant, false).await;
    assert_eq!(convicted, Some((plant.node, plant.element)), "{seen:#?}");
}

/// A value in the middle of the program that changes the output.
fn plant_behind(world: &World) -> Plant {
    let honest = world.model.trace(&world.input).expect("runs");
    let output = world.model.program().program().output;
    let plants = (output / 2..output).flat_map(|node| {
        let element = honest.output(node).map_or(0, Tensor::len) as u64 / 2;
        [1, 60, 1000].map(|delta| Plant {
            node,
            element,
            delta,
        })
    });
    first_that_reaches_the_output(world, plants)
}

/// Spec: game, 4.7: what a step proves of the claimant's trace is on chain, whoever remembers it.
#[tokio::test]
async fn a_watcher_that_is_started_anew_before_each_move_convicts_all_the_same() {
    let world = world_of(lenet(&[1, 2, 3])).await;
    let plant = plant_in_output(&world);
    let mut liar = world.provider(3, Conduct::Planted(plant)).await;
    world.ask(3).await;
    let mut seen = Vec::new();
    let mut convicted = None;
    for _ in 0..15 {
        liar.tick().await.expect("ticks");
        let set = world.set.with_key(key(2));
        let mut watcher = Watcher::new(set, world.shelf()).expect("has a key");
        // The first look checks the claim, or plays; the second one opens a game.
        for _ in 0..2 {
            for note in watcher.tick().await.expect("ticks") {
                seen.push(note.to_string());
                if let Note::Convicted { node, element, .. } = note {
                    convicted = convicted.or(Some((node, element)));
                }
            }
        }
    }
    assert_eq!(convicted, Some((plant.node, plant.element)), "{seen:#?}");
}

/// Spec: game, 4.15: a right output does not save a wrong trace from whoever doubts it.
#[tokio::test]
async fn a_wrong_trace_behind_a_right_output_is_convicted_when_contested() {
    let world = world().await;
    let plant = Plant {
        node: 1,
        element: 0,
        delta: 1,
    };
    let (convicted, seen) = convict(&world, plant, true).await;
    assert_eq!(convicted, Some((1, 0)), "{seen:#?}");
}

/// Spec: game, 4.11. What a reorganisation takes back was not done.
#[tokio::test]
async fn a_conviction_that_a_reorganisation_took_back_is_made_again() {
    let world = world_of(lenet(&[1, 2, 3])).await;
    let plant = plant_in_output(&world);
    let mut liar = world.provider(3, Conduct::Planted(plant)).await;
    let mut watcher = Watcher::new(world.set.with_key(key(2)), world.shelf()).expect("has a key");
    world.ask(3).await;
    let mut seen = Vec::new();
    let mut convicted = Vec::new();
    for _ in 0..20 {
        let before = world.devnet.chain().snapshot().expect("few snapshots");
        liar.tick().await.expect("ticks");
        let notes = watcher.tick().await.expect("ticks");
        seen.extend(notes.iter().map(Note::to_string));
        let earlier = convicted.len();
        for note in &notes {
            if let Note::Convicted { node, element, .. } = note {
                convicted.push((*node, *element));
            }
        }
        if (earlier, convicted.len()) == (0, 1) {
            // Both have read of it before it is gone.
            watcher.tick().await.expect("ticks");
            liar.tick().await.expect("ticks");
            let mut chain = world.devnet.chain();
            assert!(chain.revert(before), "back to before the step");
            chain.increase_time(5).expect("forward");
            chain.mine();
        }
    }
    assert_eq!(convicted, [(plant.node, plant.element); 2], "{seen:#?}");
}
