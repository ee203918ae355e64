//! `selfsame ask MODEL --input X`: posts a request, waits for the claim, writes the receipt.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use selfsame::{Class, Model};
use selfsame_chain::bindings::Requests;
use selfsame_chain::{Address, B256, Child, Set, U256};
use selfsame_ir::Tensor;
use selfsame_protocol::{Availability, Level};
use selfsame_receipt::encode;
use serde::Serialize;

use crate::commands::provide;
use crate::dims::SymbolArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inputs;
use crate::model::{self, write_file};
use crate::network::{self, ChainArgs, Sent, block_on, chain, send, word};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::receipts;
use crate::wei;

/// Arguments of `ask`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A program file; the model has to be published.
    model: PathBuf,
    /// The input: .npy, .npz, .json or .png.
    #[arg(long, value_name = "X")]
    input: PathBuf,
    /// The sample of the file, from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    row: usize,
    /// Who shall answer; the provider with the most free stake if not given.
    #[arg(long, value_name = "ADDRESS")]
    provider: Option<Address>,
    /// What is paid for the answer.
    #[arg(long, value_name = "AMOUNT", value_parser = wei::parse, default_value = "0.001")]
    price: u128,
    /// What a wrong answer may cost; the bond is at least this.
    #[arg(long, value_name = "AMOUNT", value_parser = wei::parse, default_value = "0")]
    value_at_risk: u128,
    /// Seconds in which the answer can be challenged; the model's least window if not given.
    #[arg(long, value_name = "N")]
    window: Option<u32>,
    /// Seconds within which the provider has to accept.
    #[arg(long, value_name = "N", default_value_t = 600)]
    accept_within: u64,
    /// Seconds after that within which it has to answer.
    #[arg(long, value_name = "N", default_value_t = 600)]
    answer_within: u64,
    /// Post the request and do not wait.
    #[arg(long)]
    no_wait: bool,
    /// Where the receipt is written.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Folder in which the provider leaves signed receipts.
    #[arg(long, value_name = "DIR", default_value = "selfsame-receipts")]
    receipts: PathBuf,
    #[command(flatten)]
    symbols: SymbolArgs,
    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Debug, Serialize)]
struct Asked {
    request_id: Option<String>,
    model_id: String,
    provider: String,
    transaction: Sent,
    status: &'static str,
    top: Vec<Class>,
    floats: Vec<f64>,
    output_root: Option<String>,
    /// Unix seconds: last moment in which the answer can be challenged.
    closes_at: Option<u64>,
    receipt: Option<String>,
    signed: bool,
}

/// What a request is made of.
pub(crate) struct Question<'a> {
    /// The model.
    pub(crate) model: &'a Model,
    /// The input.
    pub(crate) input: &'a Tensor,
    /// Who answers.
    pub(crate) provider: Address,
    /// Wei.
    pub(crate) price: u128,
    /// Wei.
    pub(crate) value_at_risk: u128,
    /// Seconds; none: the model's least.
    pub(crate) window: Option<u32>,
    /// Seconds to accept, then to answer.
    pub(crate) within: (u64, u64),
    /// Makes two equal questions two requests.
    pub(crate) nonce: u64,
}

/// The call that makes a request; times count from the newest block.
pub(crate) async fn question(set: &Set, question: &Question<'_>) -> Outcome<Requests::requestCall> {
    let head = set.client().block(None).await.map_err(chain)?;
    let model_id = word(question.model.id());
    let window = if let Some(window) = question.window {
        window
    } else {
        let floor = receipts::window_floor(set, model_id).await?;
        u32::try_from(floor).unwrap_or(u32::MAX)
    };
    let accept_by = head.timestamp + question.within.0;
    Ok(Requests::requestCall {
        terms: Requests::Terms {
            modelId: model_id,
            dimensions: question.model.values().0.clone(),
            inputRoot: word(question.input.root()),
            availability: Availability::OnChain.code(),
            inputLocator: String::new(),
            provider: question.provider,
            leastLevel: Level::OptimisticOpen.code(),
            asset: Address::ZERO,
            price: U256::from(question.price),
            valueAtRisk: U256::from(question.value_at_risk),
            nonce: question.nonce,
            blockNumber: head.number,
            blockHash: head.hash,
            acceptBy: accept_by,
            answerBy: accept_by + question.within.1,
            window,
            callback: Address::ZERO,
            callbackGas: 0,
        },
        input: question.input.to_bytes().into(),
    })
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let model = model::read(&args.model)?;
    let (model, read) = inputs::read_bound(&args.input, model, &args.symbols)?;
    let count = read.samples.len();
    let Some(input) = read.samples.get(args.row) else {
        let what = format!("no row {}; the file has {count} samples, from 0", args.row);
        return Err(Failure::file(&args.input, what));
    };
    let asked = block_on(ask(args, &model, input, output))?;
    output.report(&asked);
    Ok(Exit::Ok)
}

async fn ask(args: &Args, model: &Model, input: &Tensor, output: Output) -> Outcome<Asked> {
    let set = args.chain.set_with_key("ask").await?;
    let provider = match args.provider {
        Some(provider) => provider,
        None => receipts::best_provider(&set).await?.ok_or_else(|| {
            Failure::new(Exit::Guard, "nobody has staked on this set")
                .hint("`selfsame stake AMOUNT` and `selfsame provide` make a provider")
        })?,
    };
    let nonce = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    let call = question(
        &set,
        &Question {
            model,
            input,
            provider,
            price: args.price,
            value_at_risk: args.value_at_risk,
            window: args.window,
            within: (args.accept_within, args.answer_within),
            nonce: u64::try_from(nonce % u128::from(u64::MAX)).unwrap_or_default(),
        },
    )
    .await?;
    let (child, value) = (Child::Requests, U256::from(args.price));
    let (preview, write) = (
        set.preview(child, &call, value),
        set.write(child, &call, value),
    );
    let (transaction, mined) = send(&args.chain, value, preview, write, "request").await?;
    let mut asked = Asked {
        request_id: None,
        model_id: model.id().to_string(),
        provider: provider.to_string(),
        transaction,
        status: "previewed",
        top: Vec::new(),
        floats: Vec::new(),
        output_root: None,
        closes_at: None,
        receipt: None,
        signed: false,
    };
    let Some(mined) = mined else {
        return Ok(asked);
    };
    let id = requested(&set, &mined)?;
    asked.request_id = Some(id.to_string());
    asked.status = "requested";
    output.note(&format!("requested {id} from {provider}"));
    if args.no_wait {
        return Ok(asked);
    }
    wait(args, &set, id).await?;
    answered(args, model, &set, id, &mut asked).await?;
    if !asked.signed {
        output.note(&format!(
            "no signed receipt in {} yet; the one written supports no level until its provider signs",
            args.receipts.display()
        ));
    }
    Ok(asked)
}

/// The id in a mined request's events.
pub(crate) fn requested(set: &Set, mined: &selfsame_chain::Mined) -> Outcome<B256> {
    let id = set
        .events_of(mined)
        .into_iter()
        .find_map(|event| match event {
            selfsame_chain::Event::Requests(Requests::RequestsEvents::Requested(e)) => {
                Some(e.requestId)
            }
            _ => None,
        });
    id.ok_or_else(|| Failure::new(Exit::Chain, "the request was mined without its event"))
}

/// Waits until the request is claimed or cannot be any more.
async fn wait(args: &Args, set: &Set, id: B256) -> Outcome<()> {
    let begun = Instant::now();
    let patience = Duration::from_secs(args.accept_within + args.answer_within);
    loop {
        let record = network::request(set, id).await?;
        let now = set.client().block(None).await.map_err(chain)?.timestamp;
        match record.status {
            1 | 2 => {}
            3 | 4 => return Ok(()),
            other => {
                let what = format!("request {id} is {}", network::status_word(other));
                return Err(Failure::new(Exit::Failure, what));
            }
        }
        let late = |by: &dyn std::fmt::Display, what: &str| {
            Failure::new(
                Exit::Pending,
                format!("request {id} was not {what} by {by}"),
            )
            .hint(format!("`selfsame refund {id}` pays the price back"))
        };
        let accept_by = u64::try_from(wei::narrow(U256::from(record.acceptBy))).unwrap_or(u64::MAX);
        if record.status == 1 && accept_by < now {
            return Err(late(&record.acceptBy, "accepted"));
        }
        if patience < begun.elapsed() {
            return Err(late(&record.answerBy, "answered"));
        }
        tokio::time::sleep(set.client().poll_interval().max(Duration::from_millis(100))).await;
    }
}

/// Fills in answer and receipt of a claimed request.
async fn answered(
    args: &Args,
    model: &Model,
    set: &Set,
    id: B256,
    asked: &mut Asked,
) -> Outcome<()> {
    let record = network::request(set, id).await?;
    let told = receipts::told(set, id).await?;
    let program = model.program().program();
    let bytes = told.output.unwrap_or_default();
    if let Some((elements, dtype)) = model.program().output_of(program.output, model.values()) {
        let count = usize::try_from(elements).unwrap_or_default();
        if let Ok(tensor) = Tensor::from_bytes(dtype, count, &bytes) {
            asked.top = selfsame::ranking(&program.interface, &tensor, 3);
            asked.floats = selfsame::floats(&program.interface, &tensor);
        }
    }
    asked.status = network::status_word(record.status);
    asked.output_root = Some(record.outputRoot.to_string());
    let claimed_at = u64::try_from(wei::narrow(U256::from(record.claimedAt))).unwrap_or_default();
    asked.closes_at = Some(claimed_at + u64::from(record.window));
    let path = args.receipt.clone().unwrap_or_else(|| {
        let short: String = id.to_string().chars().skip(2).take(8).collect();
        PathBuf::from(format!("{short}.receipt.json"))
    });
    // The provider signs right after its claim.
    let signed = provide::file(&args.receipts, id);
    for _ in 0..20 {
        if signed.is_file() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if let Ok(text) = std::fs::read(&signed) {
        asked.signed = true;
        write_file(&path, &text)?;
    } else {
        let receipt = receipts::receipt(set, id, None).await?;
        write_file(&path, encode(&receipt).as_bytes())?;
    }
    asked.receipt = Some(path.display().to_string());
    Ok(())
}

impl Report for Asked {
    fn command(&self) -> &'static str {
        "ask"
    }

    fn text(&self, paint: Paint) -> String {
        let Some(id) = &self.request_id else {
            return format!("{}\n", self.transaction.line());
        };
        let request = format!("{}  {id} ({})\n", paint.bold("request"), self.status);
        let answer = self
            .top
            .split_first()
            .map_or(String::new(), |(best, rest)| {
                let rest: Vec<String> = rest
                    .iter()
                    .map(|class| format!("{} {:.4}", class.name(), class.value))
                    .collect();
                let (best, value) = (paint.good(&best.name()), best.value);
                let then = rest.join(", ");
                format!(
                    "{}   {best} {value:.4}   (then {then})\n",
                    paint.bold("answer")
                )
            });
        let receipt = self.receipt.as_ref().map_or(String::new(), |path| {
            format!("  receipt  {path}; `selfsame verify {path}` checks it\n")
        });
        format!("{request}{answer}{receipt}")
    }
}
