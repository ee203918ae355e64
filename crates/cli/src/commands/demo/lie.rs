//! The fourth section: a second provider lies in one integer, and is convicted.

use selfsame::Model;
use selfsame_agent::{LoadedModel, Plant};
use selfsame_ir::Tensor;

use super::{DISPUTED, find, heading, test_input};
use crate::commands::dispute::{self, Played};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::stage::World;
use crate::table::grouped;

/// The second provider lies in one integer, and is convicted.
pub(super) fn lie(world: &mut World, output: Output) -> Outcome<Played> {
    let paint = output.paint();
    output.section(&heading(4, "A second provider lies in one integer", paint));
    let shipped = find(DISPUTED)?;
    let model = shipped.model()?;
    let (_, data) = shipped.source()?;
    let input = test_input(&model, &data, shipped.test_from)?;
    let bar = output.bar(2, "planting");
    let loaded = dispute::load(&model)?;
    let plant = place(&model, &loaded, &input)?;
    bar.inc(1);
    bar.set_message("playing");
    world.publish(&model)?;
    let played = dispute::play(world, &model, &loaded, &input, plant)?;
    bar.finish_and_clear();
    let elements: u64 = model
        .program()
        .shapes(model.values())
        .map_err(Failure::input)?
        .iter()
        .map(|shape| {
            shape
                .iter()
                .map(|&extent| u64::from(extent))
                .product::<u64>()
        })
        .sum();
    output.section(&format!(
        "  {DISPUTED}, node {} ({}), element {}: one of {} integers is off by {}\n{}",
        plant.node,
        model.node_name(plant.node),
        plant.element,
        grouped(elements),
        plant.delta,
        played.text(paint),
    ));
    Ok(played)
}

/// A place in the middle of the program whose lie reaches the output.
fn place(model: &Model, loaded: &LoadedModel, input: &Tensor) -> Outcome<Plant> {
    let honest = loaded.trace(input).map_err(Failure::input)?;
    let output = model.program().program().output;
    let node = output / 2 + 1;
    let count = honest.output(node).map_or(1, Tensor::len) as u64;
    let mut plant = Plant {
        node,
        element: count / 3,
        delta: 1,
    };
    for delta in [1, 16, 64] {
        plant.delta = delta;
        let Ok(wrong) = plant.apply(model.program(), model.values(), &honest) else {
            continue;
        };
        if wrong.output(output) != honest.output(output) {
            break;
        }
    }
    Ok(plant)
}
