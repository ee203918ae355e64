//! `selfsame verify RECEIPT`: claim, evidence, who checked, result, level.

use std::path::{Path, PathBuf};

use selfsame::{Model, RunOptions};
use selfsame_chain::{B256, ChainConstants, Client, Deployment, Set};
use selfsame_protocol::CheckableBy;
use selfsame_receipt::{ChainFacts, Context, Receipt, Replay, decode, verify};
use serde::Serialize;

use crate::dims::SymbolArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inputs;
use crate::model::{self, read_file};
use crate::network::{block_on, chain};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::receipts;
use crate::shipped;
use crate::table::Table;

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A receipt file.
    receipt: PathBuf,
    /// Look the claim up on this chain.
    #[arg(long, value_name = "URL")]
    rpc: Option<String>,
    /// Check that this was the input: .bin is canonical bytes, others need the model.
    #[arg(long, value_name = "X")]
    input: Option<PathBuf>,
    /// The program, to run it again; shipped models are known.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    #[command(flatten)]
    symbols: SymbolArgs,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CheckRow {
    /// Its name, as in the specification.
    pub(crate) name: String,
    /// Whether it holds.
    pub(crate) ok: bool,
    /// What was compared.
    pub(crate) detail: String,
}

/// What `verify` found.
#[expect(clippy::struct_field_names, reason = "the schema names the field")]
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verified {
    /// Whether every check holds.
    pub(crate) verified: bool,
    /// What the evidence supports; null if nothing.
    pub(crate) level: Option<String>,
    /// The first check that failed.
    pub(crate) failed: Option<String>,
    /// The checks, in order.
    pub(crate) checks: Vec<CheckRow>,
    claim: Option<Claim>,
}

/// What the receipt says.
#[derive(Debug, Clone, Serialize)]
struct Claim {
    request_id: String,
    model_id: String,
    provider: String,
    chain_id: u64,
    input_root: String,
    output_root: String,
    bond_wei: String,
    window_seconds: u32,
    censorship_seconds: u32,
    checkable_by: Option<&'static str>,
    evidence: Vec<&'static str>,
}

/// What a verifier brings along.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brought {
    /// The model's file.
    pub(crate) model: Option<PathBuf>,
    /// An input's file.
    pub(crate) input: Option<PathBuf>,
    /// An endpoint.
    pub(crate) rpc: Option<String>,
    /// Values of the model's symbols.
    pub(crate) symbols: SymbolArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let brought = Brought {
        model: args.model.clone(),
        input: args.input.clone(),
        rpc: args.rpc.clone(),
        symbols: args.symbols.clone(),
    };
    let verified = verify_file(&args.receipt, &brought)?;
    output.report(&verified);
    match &verified.failed {
        None => Ok(Exit::Ok),
        Some(name) => {
            let what = format!("{}: check {name} failed", args.receipt.display());
            Err(Failure::new(Exit::Verification, what)
                .hint("do not rely on this receipt; ask its provider for another"))
        }
    }
}

/// Checks a receipt file with what the verifier brings along.
pub(crate) fn verify_file(path: &Path, brought: &Brought) -> Outcome<Verified> {
    let bytes = read_file(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let receipt = match decode(&text) {
        Ok(receipt) => receipt,
        Err(error) => return Ok(malformed(&error.to_string())),
    };
    let code = receipts::set_code()?;
    let mut model = find_model(&receipt, brought)?;
    let input = match &brought.input {
        Some(path) => Some(input_bytes(path, model.as_ref(), &brought.symbols)?),
        None => None,
    };
    // Without --dim the input tells the length.
    if let (Some(found), Some(bytes)) = (&model, input.as_deref().or(receipt.input()))
        && brought.symbols.is_empty()
    {
        let size = found.input().dtype.size();
        let bound = found.at_length(bytes.len() / size as usize);
        model = Some(bound.map_err(Failure::input)?);
    }
    let replay = match &model {
        Some(model) => replay(model, &receipt, input.as_deref())?,
        None => None,
    };
    let chain = match &brought.rpc {
        Some(url) => Some(chain_facts(url, &receipt)?),
        None => None,
    };
    let context = Context {
        code: Some(&code),
        input: input.as_deref(),
        replay,
        chain,
    };
    let report = verify(&receipt, &context);
    let row = |check: &selfsame_receipt::Check| CheckRow {
        name: check.name.to_owned(),
        ok: check.ok,
        detail: check.detail.clone(),
    };
    let failed = report.failed().map(|check| check.name.to_owned());
    Ok(Verified {
        verified: failed.is_none(),
        level: report.level.map(|level| level.to_string()),
        failed,
        checks: report.checks.iter().map(row).collect(),
        claim: Some(claim(&receipt)),
    })
}

/// A file that is no receipt fails the check of its form.
fn malformed(what: &str) -> Verified {
    Verified {
        verified: false,
        level: None,
        failed: Some("format".to_owned()),
        checks: vec![CheckRow {
            name: "format".to_owned(),
            ok: false,
            detail: what.to_owned(),
        }],
        claim: None,
    }
}

fn claim(receipt: &Receipt) -> Claim {
    let core = &receipt.core;
    Claim {
        request_id: core.request_id.to_string(),
        model_id: core.model_id.to_string(),
        provider: selfsame_chain::Address::from(core.provider).to_string(),
        chain_id: receipt.domain.chain_id,
        input_root: core.input_root.to_string(),
        output_root: core.output_root.to_string(),
        bond_wei: core.bond.to_string(),
        window_seconds: core.window,
        censorship_seconds: core.censorship_seconds,
        checkable_by: CheckableBy::from_code(core.checkable_by).map(CheckableBy::as_str),
        evidence: receipt
            .evidence
            .iter()
            .map(selfsame_receipt::Evidence::kind)
            .collect(),
    }
}

fn find_model(receipt: &Receipt, brought: &Brought) -> Outcome<Option<Model>> {
    let model = match &brought.model {
        Some(path) => Some(model::read(path)?),
        None => shipped::by_id(receipt.core.model_id),
    };
    model.map(|model| brought.symbols.bind(model)).transpose()
}

/// The canonical bytes of the input at `path`.
fn input_bytes(path: &Path, model: Option<&Model>, symbols: &SymbolArgs) -> Outcome<Vec<u8>> {
    if path.extension().is_some_and(|extension| extension == "bin") {
        return read_file(path);
    }
    let Some(model) = model else {
        let what = "the model is needed to turn this into integers";
        return Err(Failure::file(path, what).hint("give --model FILE, or canonical bytes as .bin"));
    };
    let (_, read) = inputs::read_bound(path, model.clone(), symbols)?;
    match read.samples.as_slice() {
        [one] => Ok(one.to_bytes()),
        many => {
            let what = format!("{} samples; a receipt is of one", many.len());
            Err(Failure::file(path, what))
        }
    }
}

/// Runs the model on the input that is given or attached; `None` if there is none.
fn replay(model: &Model, receipt: &Receipt, given: Option<&[u8]>) -> Outcome<Option<Replay>> {
    let runner = model.runner(&RunOptions::default());
    let mut runner = runner.map_err(Failure::input)?;
    selfsame::verify::replay(&mut runner, receipt, given).map_err(Failure::input)
}

fn chain_facts(url: &str, receipt: &Receipt) -> Outcome<ChainFacts> {
    block_on(async {
        let client = Client::connect(url, None, None).await.map_err(chain)?;
        let deployment = Deployment::new(ChainConstants::DEVNET).map_err(chain)?;
        let set = Set::bind(client, deployment).await.map_err(chain)?;
        receipts::facts(&set, B256::from(receipt.core.request_id.0)).await
    })
}

impl Report for Verified {
    fn command(&self) -> &'static str {
        "verify"
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        if let Some(claim) = &self.claim {
            text = format!(
                "{}     provider {} says: model {}\n          gives output {}\n          \
                 for input    {}\n          (bond {} wei, window {} s, censorship withstood {} s, checkable by {})\n{}  {}\n",
                paint.bold("claim"),
                claim.provider,
                claim.model_id,
                claim.output_root,
                claim.input_root,
                claim.bond_wei,
                claim.window_seconds,
                claim.censorship_seconds,
                claim.checkable_by.unwrap_or("?"),
                paint.bold("evidence"),
                claim.evidence.join(", "),
            );
        }
        let mut table = Table::new(&["checked here", "result", "what was compared"]);
        for check in &self.checks {
            let result = if check.ok { "holds" } else { "FAILED" };
            table.row([check.name.clone(), result.to_owned(), check.detail.clone()]);
        }
        let level = match (&self.level, &self.failed) {
            (_, Some(name)) => paint.bad(&format!("refused: {name} failed")),
            (Some(level), None) => paint.good(level),
            (None, None) => "none: no signature".to_owned(),
        };
        format!(
            "{text}{}{}    {level}\n",
            table.render(paint),
            paint.bold("level")
        )
    }
}
