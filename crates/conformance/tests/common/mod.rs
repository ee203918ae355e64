//! A court with one registered model, its right outputs, and claims about them.
#![allow(dead_code, reason = "each suite uses its part")]

pub(crate) mod forms;

use selfsame_chain::bindings::Requests;
use selfsame_conformance::game::{Claimed, Court, Model, PROVIDER};
use selfsame_conformance::game_plants::{Plant, change, lying_outputs};
use selfsame_conformance::game_zoo::{Animal, residual, sums};
use selfsame_dispute::Holder;
use selfsame_interpreter::run;
use selfsame_ir::Tensor;

use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;

pub(crate) struct Scene {
    pub(crate) court: Court,
    pub(crate) model: Model,
    pub(crate) input: Tensor,
    pub(crate) outputs: Vec<Tensor>,
}

/// A fault at an element: one more, or one less at the top.
pub(crate) fn plant(outputs: &[Tensor], node: u32, element: usize) -> Plant {
    let (right, wrong) = change(&mut outputs[node as usize].clone(), element);
    assert_ne!(right, wrong, "the element exists");
    Plant {
        node,
        element,
        right,
        wrong,
        sort: "one",
        recomputed: true,
    }
}

impl Scene {
    pub(crate) fn new(animal: Animal) -> Self {
        let mut court = Court::new();
        let (model, _) = court.register(animal);
        let input = model.animal.input(1);
        let mut scene = Self {
            court,
            model,
            input,
            outputs: Vec::new(),
        };
        scene.outputs = scene.outputs_of(&scene.input);
        scene
    }

    pub(crate) fn residual() -> Self {
        Self::new(residual(1))
    }

    pub(crate) fn sums() -> Self {
        Self::new(sums(1))
    }

    pub(crate) fn outputs_of(&self, input: &Tensor) -> Vec<Tensor> {
        let animal = &self.model.animal;
        let trace = run(&animal.program, &animal.values, input.clone());
        trace.expect("the input fits").into_outputs()
    }

    pub(crate) fn right(&self) -> Holder {
        self.model.holder(&self.outputs)
    }

    /// The outputs of a liar that changes one element and recomputes what follows.
    pub(crate) fn lie(&self, node: u32, element: usize) -> Vec<Tensor> {
        let plant = plant(&self.outputs, node, element);
        lying_outputs(&self.model.animal, &self.outputs, &plant)
    }

    /// Claims the output of a trace, for this scene's input.
    pub(crate) fn claim_of(&mut self, outputs: &[Tensor]) -> Claimed {
        let output = outputs.last().expect("a program has an output").to_bytes();
        self.court.claimed(&self.model, &self.input, &output)
    }

    /// As `claim_of`, under given terms.
    pub(crate) fn claim_under(&mut self, terms: &Requests::Terms, outputs: &[Tensor]) -> Claimed {
        let output = outputs.last().expect("a program has an output").to_bytes();
        self.court
            .stake(PROVIDER, U256::from(5_000_000_000_000_000_000_u64));
        let request_id = self
            .court
            .request(terms, &[])
            .expect("the request is taken");
        self.court.accept(request_id).expect("the provider accepts");
        let applied = self
            .court
            .claim(request_id, &output)
            .expect("the claim is taken");
        Claimed {
            request_id,
            claim_key: Requests::claimCall::abi_decode_returns(&applied.output).expect("a key"),
            input_root: self.input.root(),
            output_root: selfsame_commit::root(&selfsame_commit::tile_hashes(&output)),
            closes_at: applied.time + u64::from(terms.window),
        }
    }
}
