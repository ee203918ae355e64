//! `selfsame dispute FILE --plant NODE:ELEMENT`: a whole game about one wrong integer.

use std::path::PathBuf;
use std::sync::Arc;

use selfsame::{Model, patterned};
use selfsame_agent::{LoadedModel, Plant};
use selfsame_chain::bindings::DisputeGame::DisputeGameEvents;
use selfsame_chain::bindings::Requests::RequestsEvents;
use selfsame_chain::{Event, Mined};
use selfsame_ir::Tensor;
use selfsame_provider::{Conduct, Note as ProviderNote};
use selfsame_watcher::{Finding, Note as WatcherNote, Watcher};
use serde::Serialize;

use crate::dims::SymbolArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inputs;
use crate::model;
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::picture::bar;
use crate::stage::{Party, World};
use crate::table::{Table, grouped};
use crate::wei::{self, narrow};

/// Rounds after which a game is given up.
const ROUNDS_MAX: usize = 64;
/// Price of the request that is lied about.
const PRICE: u128 = 10_000_000_000_000_000;

/// Arguments of `dispute`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A program file.
    file: PathBuf,
    /// Where the lie is: a node and the flat index of an element of its output.
    #[arg(long, value_name = "NODE:ELEMENT", value_parser = place)]
    plant: (u32, u64),
    /// How far the planted integer is off.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    delta: i32,
    /// The input; a fixed pattern if not given.
    #[arg(long, value_name = "X")]
    input: Option<PathBuf>,
    #[command(flatten)]
    symbols: SymbolArgs,
}

/// Reads `NODE:ELEMENT`.
pub(crate) fn place(text: &str) -> Result<(u32, u64), String> {
    let parsed = text.split_once(':').and_then(|(node, element)| {
        Some((node.trim().parse().ok()?, element.trim().parse().ok()?))
    });
    parsed.ok_or_else(|| format!("{text:?} is no place; write NODE:ELEMENT, such as 3:17"))
}

/// A node and an element of its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    /// The node.
    pub(crate) node: u32,
    /// Flat index.
    pub(crate) element: u64,
}

/// A transaction of the game.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MoveRow {
    /// Who made it.
    by: Party,
    /// What it was.
    what: String,
    /// Gas used.
    gas: u64,
}

/// A whole game. Amounts in wei.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Played {
    /// Where the lie was planted.
    pub(crate) planted: Place,
    /// What the contract convicted.
    pub(crate) convicted: Option<Place>,
    /// The contract's value and the claimed one.
    expected: Option<String>,
    actual: Option<String>,
    /// Transactions of the challenger, the opening and the step included.
    pub(crate) challenger_moves: u32,
    /// Gas of all moves, of both sides.
    pub(crate) gas_total: u64,
    /// Gas of the step.
    pub(crate) gas_leaf: u64,
    /// Taken from the liar's stake.
    pub(crate) slashed: u128,
    /// Burned of it.
    burned: u128,
    /// Paid to the requester of it, beside the price.
    compensation: u128,
    /// What challenger and requester lost together.
    pub(crate) honest_lost: u128,
    /// Whether the lie reached the model's output.
    output_wrong: bool,
    pub(crate) moves: Vec<MoveRow>,
}

#[derive(Debug, Serialize)]
struct Disputed {
    model_id: String,
    #[serde(flatten)]
    played: Played,
    balances_sum_zero: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let model = model::read(&args.file)?;
    let (model, input) = if let Some(path) = &args.input {
        let (model, read) = inputs::read_bound(path, model, &args.symbols)?;
        let first = read.samples.into_iter().next();
        (
            model,
            first.ok_or_else(|| Failure::file(path, "no sample"))?,
        )
    } else {
        let model = args.symbols.bind(model)?;
        let port = model.input();
        let input = patterned(port.dtype, port.elements()).map_err(Failure::input)?;
        (model, input)
    };
    let (node, element) = args.plant;
    let plant = Plant {
        node,
        element,
        delta: args.delta,
    };
    let bar = output.bar(3, "starting a chain");
    let loaded = load(&model)?;
    let honest = loaded.trace(&input).map_err(Failure::input)?;
    plant
        .apply(model.program(), model.values(), &honest)
        .map_err(|error| {
            Failure::usage(error).hint("`selfsame inspect FILE` lists nodes and their elements")
        })?;
    let mut world = World::open()?;
    bar.inc(1);
    bar.set_message("publishing");
    let before = world.ledger()?;
    let fees = world.fees();
    world.publish(&model)?;
    bar.inc(1);
    bar.set_message("playing");
    let played = play(&mut world, &model, &loaded, &input, plant)?;
    bar.finish_and_clear();
    let after = world.ledger()?;
    let report = Disputed {
        model_id: model.id().to_string(),
        balances_sum_zero: world.sums_to_zero(&before, &after, fees),
        played,
    };
    let right = report.played.convicted == Some(report.played.planted);
    output.report(&report);
    if right {
        Ok(Exit::Ok)
    } else {
        Err(Failure::new(
            Exit::Failure,
            "the game did not end at the planted integer",
        ))
    }
}

/// The model as provider and watcher hold it.
pub(crate) fn load(model: &Model) -> Outcome<Arc<LoadedModel>> {
    let loaded = LoadedModel::new(model);
    loaded.map(Arc::new).map_err(Failure::input)
}

/// Lets the liar answer a request for a published model, and the challenger play.
pub(crate) fn play(
    world: &mut World,
    model: &Model,
    loaded: &Arc<LoadedModel>,
    input: &Tensor,
    plant: Plant,
) -> Outcome<Played> {
    let models = [Arc::clone(loaded)];
    let bond = world.bond(PRICE, PRICE)?;
    world.stake(Party::Liar, bond + bond / 2)?;
    let requester_before = world.ledger()?.of(Party::Requester).total();
    let (request, asked) = world.ask(model, input, Party::Liar, PRICE)?;
    let requester_before = requester_before - narrow(asked.fee);
    let mut liar = world.provider(Party::Liar, &models, Conduct::Planted(plant))?;
    for _ in 0..2 {
        let notes = world.run(liar.tick()).map_err(Failure::input)?;
        notes
            .iter()
            .try_for_each(|note| count_provider(world, note, &mut Vec::new()))?;
    }
    let challenger_before = world.ledger()?.of(Party::Challenger).total();
    let mut watcher = world.watcher(&models)?;
    let mut game = Game::default();
    for _ in 0..ROUNDS_MAX {
        let notes = world.run(watcher.tick()).map_err(Failure::input)?;
        for note in &notes {
            count_watcher(world, note, &mut game)?;
            if matches!(note, WatcherNote::Checked(_, Finding::Right)) {
                // The lie is lost on the way to the output; only the trace is wrong.
                let mined = world.open_game(Party::Challenger, request)?;
                game.challenger("open", &mined);
            } else if matches!(note, WatcherNote::Checked(_, Finding::Wrong)) {
                game.output_wrong = true;
            }
        }
        if game.conviction.is_some() {
            break;
        }
        let notes = world.run(liar.tick()).map_err(Failure::input)?;
        notes
            .iter()
            .try_for_each(|note| count_provider(world, note, &mut game.moves))?;
    }
    settle(world, &mut watcher, &mut game)?;
    let after = world.ledger()?;
    let lost = |before: u128, party: Party| before.saturating_sub(after.of(party).total());
    let honest_lost =
        lost(challenger_before, Party::Challenger) + lost(requester_before, Party::Requester);
    game.played(world, plant, honest_lost)
}

/// What has happened in a game so far.
#[derive(Default)]
struct Game {
    moves: Vec<MoveRow>,
    challenger_moves: u32,
    conviction: Option<Mined>,
    output_wrong: bool,
}

impl Game {
    fn challenger(&mut self, what: &str, mined: &Mined) {
        self.challenger_moves += 1;
        self.moves.push(MoveRow {
            by: Party::Challenger,
            what: what.to_owned(),
            gas: mined.gas_used,
        });
    }

    /// Reads the verdict from the contracts' events.
    fn played(self, world: &World, plant: Plant, honest_lost: u128) -> Outcome<Played> {
        let conviction = self.conviction.ok_or_else(|| {
            let moves: Vec<String> = self.moves.iter().map(|row| row.what.clone()).collect();
            let what = format!("nobody was convicted after {}", moves.join(", "));
            Failure::new(Exit::Failure, what)
        })?;
        let mut played = Played {
            planted: Place {
                node: plant.node,
                element: plant.element,
            },
            convicted: None,
            expected: None,
            actual: None,
            challenger_moves: self.challenger_moves,
            gas_total: self.moves.iter().map(|row| row.gas).sum(),
            gas_leaf: conviction.gas_used,
            slashed: 0,
            burned: 0,
            compensation: 0,
            honest_lost,
            output_wrong: self.output_wrong,
            moves: self.moves,
        };
        for event in world.set(Party::Challenger)?.events_of(&conviction) {
            match event {
                Event::Games(DisputeGameEvents::Convicted(e)) => {
                    played.convicted = Some(Place {
                        node: u32::try_from(e.node).unwrap_or(u32::MAX),
                        element: u64::try_from(e.element).unwrap_or(u64::MAX),
                    });
                    played.expected = Some(e.expected.to_string());
                    played.actual = Some(e.actual.to_string());
                }
                Event::Requests(RequestsEvents::ClaimConvicted(e)) => {
                    played.slashed = narrow(e.slashed);
                    played.burned = narrow(e.burned);
                    played.compensation = narrow(e.compensation);
                }
                Event::Games(_) | Event::Requests(_) | Event::Models(_) | Event::Stakes(_) => {}
            }
        }
        Ok(played)
    }
}

fn count_provider(world: &mut World, note: &ProviderNote, moves: &mut Vec<MoveRow>) -> Outcome<()> {
    match note {
        ProviderNote::Accepted(_, mined)
        | ProviderNote::Claimed(_, mined)
        | ProviderNote::Finalized(_, mined) => {
            world.paid(mined);
            Ok(())
        }
        ProviderNote::Answered { kind, mined, .. } => {
            let gas = world.paid(mined);
            moves.push(MoveRow {
                by: Party::Liar,
                what: format!("answer: {kind}"),
                gas,
            });
            Ok(())
        }
        ProviderNote::Declined(id, error) => Err(Failure::new(
            Exit::Failure,
            format!("request {id} was declined: {error}"),
        )),
        ProviderNote::Failed(command, error) => {
            Err(Failure::new(Exit::Failure, format!("{command:?}: {error}")))
        }
    }
}

fn count_watcher(world: &mut World, note: &WatcherNote, game: &mut Game) -> Outcome<()> {
    match note {
        WatcherNote::Opened(_, mined) => {
            world.paid(mined);
            game.challenger("open", mined);
        }
        WatcherNote::Moved { what, mined, .. } => {
            world.paid(mined);
            game.challenger(&format!("name {what}"), mined);
        }
        WatcherNote::Convicted {
            node,
            element,
            mined,
            ..
        } => {
            world.paid(mined);
            game.challenger(&format!("step: node {node}, element {element}"), mined);
            game.conviction = Some(mined.clone());
        }
        WatcherNote::ConvictedByTime(_, mined) | WatcherNote::Settled(_, mined) => {
            world.paid(mined);
        }
        WatcherNote::Checked(_, _) | WatcherNote::Agrees(_) => {}
        WatcherNote::Failed(command, error) => {
            return Err(Failure::new(Exit::Failure, format!("{command:?}: {error}")));
        }
    }
    Ok(())
}

/// Lets the challenger take back what its game still holds.
fn settle(world: &mut World, watcher: &mut Watcher, game: &mut Game) -> Outcome<()> {
    for _ in 0..2 {
        let notes = world.run(watcher.tick()).map_err(Failure::input)?;
        notes
            .iter()
            .try_for_each(|note| count_watcher(world, note, game))?;
    }
    Ok(())
}

impl Played {
    /// The game for people.
    pub(crate) fn text(&self, paint: Paint) -> String {
        let most = self.moves.iter().map(|row| row.gas).max().unwrap_or(1);
        let mut table = Table::new(&["by", "move", ">gas", ""]);
        for row in &self.moves {
            table.row([
                row.by.name().to_owned(),
                row.what.clone(),
                grouped(row.gas),
                bar(row.gas, most, 20),
            ]);
        }
        let verdict = match self.convicted {
            Some(Place { node, element }) => format!(
                "{} node {node}, element {element}: the contract computes {}, the claim has {}",
                paint.bad("convicted"),
                self.expected.as_deref().unwrap_or("?"),
                self.actual.as_deref().unwrap_or("?"),
            ),
            None => paint.bad("no verdict"),
        };
        format!(
            "{}  {verdict}\n  {} challenger moves, {} gas in all, {} in the step\n  slashed {} ether, \
             {} of it burned, {} paid to the requester; honest parties lost {} ether\n",
            table.render(paint),
            self.challenger_moves,
            grouped(self.gas_total),
            grouped(self.gas_leaf),
            wei::ether(self.slashed),
            wei::ether(self.burned),
            wei::ether(self.compensation),
            wei::ether(self.honest_lost),
        )
    }
}

impl Report for Disputed {
    fn command(&self) -> &'static str {
        "dispute"
    }

    fn text(&self, paint: Paint) -> String {
        let planted = self.played.planted;
        let balances = if self.balances_sum_zero {
            "sum to zero"
        } else {
            "DO NOT sum to zero"
        };
        format!(
            "{}  model {}\n  planted in node {}, element {}\n{}  all balances {balances}\n",
            paint.bold("dispute"),
            self.model_id,
            planted.node,
            planted.element,
            self.played.text(paint),
        )
    }
}
