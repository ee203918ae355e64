//! `selfsame provide`: answers requests, claims, defends, makes final, and signs receipts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use selfsame_agent::{Plant, Shelf};
use selfsame_chain::{B256, U256};
use selfsame_provider::{Conduct, Note, Policy, Provider};
use selfsame_receipt::encode;
use serde::Serialize;

use crate::commands::dispute;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::{read_file, write_file};
use crate::network::{ChainArgs, block_on};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::receipts;
use crate::wei;

/// Arguments of `provide`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Programs to put on the shelf first.
    #[arg(long = "model", value_name = "FILE")]
    models: Vec<PathBuf>,
    /// Folder of programs, named by model id.
    #[arg(long, value_name = "DIR", default_value = "selfsame-shelf")]
    shelf: PathBuf,
    /// Folder for signed receipts.
    #[arg(long, value_name = "DIR", default_value = "selfsame-receipts")]
    receipts: PathBuf,
    /// Least price of a request that is taken.
    #[arg(long, value_name = "AMOUNT", value_parser = wei::parse, default_value = "0")]
    price_min: u128,
    /// Largest value at risk that is taken.
    #[arg(long, value_name = "AMOUNT", value_parser = wei::parse)]
    value_at_risk_max: Option<u128>,
    /// Stop after so many seconds; without it, at Ctrl-C.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Lie in one integer of each answer, for trying out a dispute. Test keys only.
    #[arg(long, value_name = "NODE:ELEMENT", value_parser = dispute::place, hide = true, requires = "dev_key")]
    plant: Option<(u32, u64)>,
    #[command(flatten)]
    chain: ChainArgs,
}

/// Something that was done.
#[derive(Debug, Serialize)]
struct Happened {
    #[serde(skip)]
    command: &'static str,
    event: &'static str,
    id: Option<String>,
    detail: String,
    gas: Option<u64>,
    receipt: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    if args.chain.dry_run {
        let what = "provide sends what its requests need; there is no dry run of it";
        return Err(Failure::usage(what).hint("`selfsame claims` shows what is waiting"));
    }
    fs::create_dir_all(&args.receipts).map_err(|error| Failure::file(&args.receipts, error))?;
    block_on(serve(args, output))
}

async fn serve(args: &Args, output: Output) -> Outcome<Exit> {
    let set = args.chain.set_with_key("provide").await?;
    let mut shelf = Shelf::open(&args.shelf).map_err(Failure::input)?;
    for path in &args.models {
        let model = shelf
            .put(&read_file(path)?)
            .map_err(|error| Failure::file(path, error))?;
        output.note(&format!(
            "on the shelf: {} ({})",
            model.id(),
            path.display()
        ));
    }
    let policy = Policy {
        price_min: U256::from(args.price_min),
        value_at_risk_max: args.value_at_risk_max.map_or(U256::MAX, U256::from),
    };
    let conduct = match args.plant {
        None => Conduct::Honest,
        Some((node, element)) => Conduct::Planted(Plant {
            node,
            element,
            delta: 1,
        }),
    };
    let mut provider = Provider::new(set.clone(), shelf, policy, conduct).map_err(failed)?;
    output.note(&format!(
        "providing on {}; stop with Ctrl-C",
        set.client().url()
    ));
    let begun = Instant::now();
    let mut last_error = String::new();
    loop {
        match provider.tick().await {
            Ok(notes) => {
                last_error.clear();
                for note in notes {
                    let receipt = match &note {
                        Note::Claimed(request, _) => Some(sign(&set, *request, args).await?),
                        _ => None,
                    };
                    output.report(&happened(&note, receipt));
                }
            }
            // An endpoint that is away may come back; it is said once.
            Err(error) if error.to_string() != last_error => {
                last_error = error.to_string();
                output.note(&format!("warning: {last_error}"));
            }
            Err(_) => {}
        }
        if args
            .seconds
            .is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds))
        {
            return Ok(Exit::Ok);
        }
        tokio::time::sleep(set.client().poll_interval().max(Duration::from_millis(100))).await;
    }
}

fn failed(error: selfsame_provider::ProviderError) -> Failure {
    match error {
        selfsame_provider::ProviderError::Chain(error) => crate::network::chain(error),
        other => Failure::input(other),
    }
}

/// Writes the signed receipt of an own claim.
async fn sign(set: &selfsame_chain::Set, request: B256, args: &Args) -> Outcome<PathBuf> {
    let key = set.client().key("provide").map_err(crate::network::chain)?;
    let receipt = receipts::receipt(set, request, Some(key)).await?;
    let path = file(&args.receipts, request);
    write_file(&path, encode(&receipt).as_bytes())?;
    Ok(path)
}

/// Where the receipt of a request lies.
pub(crate) fn file(folder: &Path, request: B256) -> PathBuf {
    let name = request.to_string();
    folder.join(format!("{}.receipt.json", name.trim_start_matches("0x")))
}

fn happened(note: &Note, receipt: Option<PathBuf>) -> Happened {
    let (event, id, gas) = match note {
        Note::Accepted(id, mined) => ("accepted", Some(id), Some(mined.gas_used)),
        Note::Claimed(id, mined) => ("claimed", Some(id), Some(mined.gas_used)),
        Note::Answered { game, mined, .. } => ("answered", Some(game), Some(mined.gas_used)),
        Note::Finalized(id, mined) => ("finalized", Some(id), Some(mined.gas_used)),
        Note::Declined(id, _) => ("declined", Some(id), None),
        Note::Failed(_, _) => ("failed", None, None),
    };
    Happened {
        command: "provide",
        event,
        id: id.map(ToString::to_string),
        detail: note.to_string(),
        gas,
        receipt: receipt.map(|path| path.display().to_string()),
    }
}

impl Report for Happened {
    fn command(&self) -> &'static str {
        self.command
    }

    fn text(&self, _: Paint) -> String {
        match &self.receipt {
            Some(path) => format!("{}\n  receipt in {path}\n", self.detail),
            None => format!("{}\n", self.detail),
        }
    }
}
