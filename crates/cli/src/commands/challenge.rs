//! `selfsame challenge CLAIM`: re-runs a claim and, if it is wrong, plays until it is convicted.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use selfsame_agent::{Shelf, committed_input, hash};
use selfsame_chain::{B256, Set};
use selfsame_watcher::{Note, Watcher, WatcherError};
use serde::Serialize;

use crate::commands::claims;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::read_file;
use crate::network::{self, ChainArgs, block_on, chain};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::receipts;
use crate::table::grouped;

/// Arguments of `challenge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A claim's key, or the id of its request (`selfsame claims` lists both).
    #[arg(value_name = "CLAIM", value_parser = network::id)]
    claim: B256,
    /// Programs to put on the shelf first.
    #[arg(long = "model", value_name = "FILE")]
    models: Vec<PathBuf>,
    /// Folder of programs, named by model id.
    #[arg(long, value_name = "DIR", default_value = "selfsame-shelf")]
    shelf: PathBuf,
    /// Give up after so many seconds.
    #[arg(long, value_name = "N", default_value_t = 3_600)]
    seconds: u64,
    #[command(flatten)]
    chain: ChainArgs,
}

/// One transaction of the challenger.
#[derive(Debug, Clone, Serialize)]
struct Move {
    what: String,
    gas: u64,
}

#[derive(Debug, Serialize)]
struct Challenged {
    request_id: String,
    /// Whether the claim is the program's output.
    right: bool,
    convicted: Option<Place>,
    moves: Vec<Move>,
    gas_total: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Place {
    node: u32,
    element: u64,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let report = block_on(play(args, output))?;
    output.report(&report);
    Ok(Exit::Ok)
}

fn failed(error: WatcherError) -> Failure {
    match error {
        WatcherError::Chain(error) => chain(error),
        other => Failure::input(other).hint("put the program on the shelf with --model FILE"),
    }
}

/// The request that a claim key or request id belongs to.
async fn request_of(set: &Set, id: B256) -> Outcome<B256> {
    let head = set.client().block(None).await.map_err(chain)?.number;
    let text = id.to_string();
    let rows = claims::list(set, 0, head).await?;
    let is = |row: &&claims::ClaimRow| {
        row.request_id == text || row.claim_key.as_deref() == Some(text.as_str())
    };
    let Some(row) = rows.iter().find(is) else {
        let what = format!("{id} is neither a request nor a claim on this chain");
        return Err(Failure::new(Exit::Chain, what).hint("`selfsame claims` lists them"));
    };
    if row.status != "claimed" {
        let what = format!(
            "request {} is {}; only an open claim can be challenged",
            row.request_id, row.status
        );
        return Err(Failure::new(Exit::Guard, what));
    }
    network::id(&row.request_id).map_err(Failure::input)
}

/// Re-runs a claim's request and compares the output.
async fn check(set: &Set, shelf: &mut Shelf, request: B256) -> Outcome<bool> {
    let record = network::request(set, request).await?;
    let told = receipts::told(set, request).await?;
    let model = shelf.asked(set, &told.terms).await.map_err(failed)?;
    let input = committed_input(&model, &told.terms, &told.input).map_err(Failure::input)?;
    let output = model.run(&input).map_err(Failure::input)?;
    Ok(output.root() == hash(record.outputRoot))
}

async fn play(args: &Args, output: Output) -> Outcome<Challenged> {
    let set = args.chain.set_with_key("challenge").await?;
    let request = request_of(&set, args.claim).await?;
    let mut shelf = Shelf::open(&args.shelf).map_err(Failure::input)?;
    for path in &args.models {
        shelf
            .put(&read_file(path)?)
            .map_err(|error| Failure::file(path, error))?;
    }
    let right = check(&set, &mut shelf, request).await?;
    let mut report = Challenged {
        request_id: request.to_string(),
        right,
        convicted: None,
        moves: Vec::new(),
        gas_total: 0,
    };
    if right || args.chain.dry_run {
        return Ok(report);
    }
    let mut watcher = Watcher::new(set.clone(), shelf).map_err(failed)?;
    watcher.only(request);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(args.seconds) {
        for note in watcher.tick().await.map_err(failed)? {
            output.note(&note.to_string());
            if let Note::Convicted { node, element, .. } = &note {
                report.convicted = Some(Place {
                    node: *node,
                    element: *element,
                });
            }
            if let Some(mined) = mined(&note) {
                report.gas_total += mined;
                report.moves.push(Move {
                    what: note.to_string(),
                    gas: mined,
                });
            }
            if matches!(note, Note::Settled(_, _)) || report.convicted.is_some() {
                return Ok(report);
            }
        }
        tokio::time::sleep(set.client().poll_interval().max(Duration::from_millis(100))).await;
    }
    let what = format!(
        "the claim is not convicted after {} s; the game goes on",
        args.seconds
    );
    Err(Failure::new(Exit::Pending, what).hint("call again: it takes up where it left off"))
}

fn mined(note: &Note) -> Option<u64> {
    match note {
        Note::Opened(_, mined)
        | Note::Moved { mined, .. }
        | Note::Convicted { mined, .. }
        | Note::ConvictedByTime(_, mined)
        | Note::Settled(_, mined) => Some(mined.gas_used),
        Note::Checked(_, _) | Note::Agrees(_) | Note::Failed(_, _) => None,
    }
}

impl Report for Challenged {
    fn command(&self) -> &'static str {
        "challenge"
    }

    fn text(&self, paint: Paint) -> String {
        if self.right {
            return format!(
                "{}: nothing to challenge\n",
                paint.good("the claim is right")
            );
        }
        let verdict = match self.convicted {
            Some(Place { node, element }) => {
                format!("{}: node {node}, element {element}", paint.bad("convicted"))
            }
            None => paint.bad("the claim is wrong"),
        };
        format!(
            "{verdict}\n  {} transactions, {} gas\n",
            self.moves.len(),
            grouped(self.gas_total),
        )
    }
}
