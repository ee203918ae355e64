//! `selfsame devnet`: an embedded chain with the contracts on it, until interrupted.

use std::time::Duration;

use selfsame_chain::{ChainConstants, Child, Client, Deployment};
use selfsame_devnet::{Config, Devnet, accounts, dev_address, dev_key};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::network::{self, block_on, chain};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::table::Table;

/// Arguments of `devnet`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port on 127.0.0.1; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 8545)]
    port: u16,
    /// Chain id.
    #[arg(long, value_name = "ID", default_value_t = 31_337)]
    chain_id: u64,
    /// Do not deploy the contracts.
    #[arg(long)]
    bare: bool,
    /// Stop by itself after so many seconds.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Account {
    index: usize,
    address: String,
    private_key: String,
    balance_wei: String,
}

#[derive(Debug, Serialize)]
struct Started {
    url: String,
    chain_id: u64,
    rules: Option<Rules>,
    accounts: Vec<Account>,
}

/// The deployed rules set.
#[expect(clippy::struct_field_names, reason = "the schema names the field")]
#[derive(Debug, Serialize)]
struct Rules {
    rules_id: String,
    set: String,
    requests: String,
    gas: u64,
}

/// Deploys the contracts with the last test key.
fn deploy(url: &str) -> Outcome<Rules> {
    block_on(async {
        let key = network::dev(accounts::DEV_ACCOUNTS - 1)?;
        let client = Client::connect(url, None, Some(key)).await.map_err(chain)?;
        let deployment = Deployment::new(ChainConstants::DEVNET).map_err(chain)?;
        let gas = deployment.deploy(&client).await.map_err(chain)?;
        Ok(Rules {
            rules_id: deployment.rules_id.to_string(),
            set: deployment.set.to_string(),
            requests: deployment.address(Child::Requests).to_string(),
            gas,
        })
    })
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let config = Config {
        chain_id: args.chain_id,
        port: args.port,
        ..Config::default()
    };
    let devnet = Devnet::start(config).map_err(|error| {
        Failure::new(Exit::Chain, error).hint("give another --port, or --port 0")
    })?;
    let rules = if args.bare {
        None
    } else {
        Some(deploy(&devnet.url)?)
    };
    let account = |index| Account {
        index,
        address: dev_address(index).to_string(),
        private_key: dev_key(index).to_string(),
        balance_wei: accounts::DEV_BALANCE_WEI.to_string(),
    };
    output.report(&Started {
        url: devnet.url.clone(),
        chain_id: args.chain_id,
        rules,
        accounts: (0..accounts::DEV_ACCOUNTS).map(account).collect(),
    });
    output.note("stop it with Ctrl-C; the chain is forgotten then");
    match args.seconds {
        Some(seconds) => std::thread::sleep(Duration::from_secs(seconds)),
        None => loop {
            std::thread::park();
        },
    }
    Ok(Exit::Ok)
}

impl Report for Started {
    fn command(&self) -> &'static str {
        "devnet"
    }

    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(&[">--dev-key", "account", ">wei"]);
        for account in &self.accounts {
            table.row([
                account.index.to_string(),
                account.address.clone(),
                account.balance_wei.clone(),
            ]);
        }
        let rules = self.rules.as_ref().map_or(String::new(), |rules| {
            format!(
                "  rules id  {}\n  requests  {}\n\n",
                rules.rules_id, rules.requests
            )
        });
        format!(
            "{}  {}  chain id {}\n{rules}{}  the keys are public test keys: never use them elsewhere\n",
            paint.bold("devnet"),
            paint.accent(&self.url),
            self.chain_id,
            table.render(paint),
        )
    }
}
