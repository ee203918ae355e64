//! `selfsame publish FILE`: registers a model; the contract checks every node leaf.

use std::path::{Path, PathBuf};

use selfsame::Model;
use selfsame_chain::bindings::ModelRegistry;
use selfsame_chain::{ChainConstants, Child, Deployment, Set, U256};
use selfsame_ir::NodeLeaf;
use selfsame_protocol::Availability;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::model;
use crate::network::{ChainArgs, Sent, block_on, chain, send, word};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::table::grouped;

/// Arguments of `publish`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A program file.
    file: PathBuf,
    /// Where providers and watchers find the file; its absolute path if not given.
    #[arg(long, value_name = "URL")]
    locator: Option<String>,
    /// Deploy the contracts first, if they are not on this chain.
    #[arg(long)]
    deploy: bool,
    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Debug, Serialize)]
struct Published {
    model_id: String,
    rules_id: String,
    registry: String,
    locator: String,
    already_registered: bool,
    deployment_gas: Option<u64>,
    transaction: Option<Sent>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let model = model::read(&args.file)?;
    let locator = args.locator.clone().unwrap_or_else(|| absolute(&args.file));
    let published = block_on(async {
        let mut deployment_gas = None;
        if args.deploy && !args.chain.dry_run {
            let client = args.chain.connect().await?;
            let deployment = Deployment::new(ChainConstants::DEVNET).map_err(chain)?;
            deployment_gas = Some(deployment.deploy(&client).await.map_err(chain)?);
        }
        let set = args.chain.set_with_key("publish").await?;
        let registered = is_registered(&set, &model).await?;
        let transaction = if registered {
            None
        } else {
            let call = registration(&model, locator.clone());
            let (child, none) = (Child::ModelRegistry, U256::ZERO);
            let (preview, write) = (
                set.preview(child, &call, none),
                set.write(child, &call, none),
            );
            Some(send(&args.chain, none, preview, write, "register").await?.0)
        };
        Ok(Published {
            model_id: model.id().to_string(),
            rules_id: set.deployment().rules_id.to_string(),
            registry: set.address(Child::ModelRegistry).to_string(),
            locator,
            already_registered: registered,
            deployment_gas,
            transaction,
        })
    })?;
    output.report(&published);
    Ok(Exit::Ok)
}

/// The call that registers `model`.
pub(crate) fn registration(model: &Model, locator: String) -> ModelRegistry::registerCall {
    let leaf = |leaf: &NodeLeaf| leaf.encode().into();
    ModelRegistry::registerCall {
        header: model.commitment().header.clone().into(),
        nodeLeaves: model.commitment().leaves.iter().map(leaf).collect(),
        locator,
        availability: Availability::Published.code(),
    }
}

/// Whether the model is registered already.
pub(crate) async fn is_registered(set: &Set, model: &Model) -> Outcome<bool> {
    let call = ModelRegistry::modelCall {
        modelId: word(model.id()),
    };
    match set.read(Child::ModelRegistry, call).await {
        Ok(found) => Ok(found.nodeCount > 0),
        Err(selfsame_chain::ChainError::Refused { .. }) => Ok(false),
        Err(error) => Err(chain(error)),
    }
}

fn absolute(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.display().to_string()
}

impl Report for Published {
    fn command(&self) -> &'static str {
        "publish"
    }

    fn text(&self, paint: Paint) -> String {
        let gas = self.deployment_gas.map_or(String::new(), |gas| match gas {
            0 => "  contracts  on this chain already\n".to_owned(),
            gas => format!("  contracts  deployed, {} gas\n", grouped(gas)),
        });
        let sent = match &self.transaction {
            Some(sent) => sent.line(),
            None => "registered already; nothing was sent".to_owned(),
        };
        format!(
            "{}  {}\n{gas}  rules id   {}\n  locator    {}\n  {sent}\n",
            paint.bold("model"),
            self.model_id,
            self.rules_id,
            self.locator,
        )
    }
}
